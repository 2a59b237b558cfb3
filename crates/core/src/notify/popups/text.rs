//! The words of a popup that several notices share.

use super::Popups;
use super::group::{ENDS, FAILED, Group, GroupKind, MERGES, OTHER, REPORTED};
use crate::notify::{Notice, Tone, format_counts, list_failures};

impl Popups {
    /// What a group's popup says.
    pub(super) fn message(&self, at: usize) -> Notice {
        let mut notice = self.own_message(at);
        let earlier = &self.groups[at].earlier;
        let many: usize = earlier.iter().sum();
        if many > 0 {
            let parts: Vec<_> =
                earlier.iter().zip(REPORTED).map(|(count, (word, _))| (*count, word)).collect();
            if !notice.body.is_empty() {
                notice.body.push('\n');
            }
            notice.body.push_str(&format!("And {many} earlier: {}", format_counts(&parts)));
        }
        notice
    }

    fn own_message(&self, at: usize) -> Notice {
        let group = &self.groups[at];
        let count = group.count();
        if count == 1 {
            return group.newest.clone();
        }
        let mut notice = group.newest.clone();
        (notice.key, notice.job) = (None, None);
        let server_name = &group.server_name;
        let failures = || group.failures.iter().map(String::as_str);
        let jobs = |many: usize| match &group.name {
            Some(name) => format!("{many} \u{201c}{name}\u{201d} jobs"),
            None => format!("{many} jobs"),
        };
        let all = |word: usize| group.counts[word] == count;
        match (0..OTHER).find(|word| all(*word)) {
            Some(word) => {
                let beside = if word <= FAILED { self.beside(group) } else { 0 };
                let count = match beside > count {
                    true => format!("{count} of {}", jobs(beside)),
                    false => jobs(count),
                };
                notice.title = format!("{count} {}", REPORTED[word].1);
                let error = notice.subject.as_ref().map(|subject| subject.error.as_str());
                let error = error.filter(|error| !error.is_empty() && word == FAILED);
                match (&group.kind, error) {
                    (GroupKind::Outcome(..), Some(error)) => {
                        notice.title.push_str(", same error");
                        notice.body = format!("On {server_name}: {error}");
                    }
                    _ => {
                        notice.body = list_failures(server_name, failures());
                        notice.subject = None;
                    }
                }
            }
            None => {
                let counts = group.counts.iter().zip(REPORTED);
                let parts: Vec<_> = counts.map(|(count, (word, _))| (*count, word)).collect();
                let ended: usize = group.counts[..ENDS].iter().sum();
                let what = match () {
                    () if ended == count => "jobs ended",
                    () if group.counts[OTHER] == 0 => "jobs",
                    () => "notices",
                };
                notice.title = format!("{count} {what}: {}", format_counts(&parts));
                notice.body = list_failures(server_name, failures());
                notice.tone = if group.counts[FAILED] > 0 { Tone::Bad } else { notice.tone };
                notice.subject = None;
            }
        }
        notice
    }

    /// How many jobs of a group's name have ended, one way or the other, about when its own did.
    fn beside(&self, group: &Group) -> usize {
        let others = self.groups.iter().filter(|other| {
            let beside = other.added.since(group.added).max(group.added.since(other.added));
            group.name.is_some()
                && other.server == group.server
                && other.name == group.name
                && beside < MERGES
        });
        others.map(|other| other.counts[..2].iter().sum::<usize>()).sum()
    }
}
