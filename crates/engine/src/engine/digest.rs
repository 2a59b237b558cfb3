//! What ended while the program was off, or while popups were held back, is told as one.
//!
//! Of what ended while it was off, each server has its own digests, so that one that answers late, behind a keyring's prompt for
//! instance, is summarised as well as one that answers at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jobwatch_core::model::JobState;
use jobwatch_core::notify::{Notice, Tone, format_counts, list_failures};
use jobwatch_core::server::ServerId;
use jobwatch_core::time::{Mono, Now};

use super::state::State;
use crate::history::{Announcement, StoredNotice};

/// A digest is told once nothing was added to it for this long,
const QUIET: Duration = Duration::from_secs(2);
/// or this long while its server has not listed what is watched and more is to be expected.
const PATIENCE: Duration = Duration::from_secs(15);
/// A digest that never falls quiet is told this long after its first notice, or so many times later
/// while its server has not listed what is watched.
const UNLISTED: u32 = 4;
/// Notices of one digest that are kept in memory. What is beyond stays unshown in the history, and
/// is told at the next start.
const MAX_HELD: usize = 20_000;

#[derive(Debug)]
struct Digest {
    notices: Vec<StoredNotice>,
    /// Whether some of it became known to an earlier run, which did not get to tell it.
    earlier: bool,
    /// Summaries of earlier runs that nobody saw: this one takes their place.
    unseen: Vec<i64>,
    first: Mono,
    due: Mono,
}

/// What waits to be told as one.
#[derive(Debug, Default)]
pub(super) struct Digests {
    open: BTreeMap<ServerId, Digest>,
}

impl Digests {
    /// Keeps a notice back. `listed` says whether its server has listed all that is watched.
    pub(super) fn add(&mut self, stored: StoredNotice, listed: bool, now: Now) {
        self.add_to(stored, listed, now);
    }

    /// Keeps back what an earlier run did not get to tell, for what its server lists now.
    pub(super) fn add_earlier(&mut self, stored: StoredNotice, now: Now) {
        self.add_to(stored, false, now).earlier = true;
    }

    /// Keeps back what an unseen summary of an earlier run told of.
    pub(super) fn add_again(&mut self, summary: i64, members: Vec<StoredNotice>, now: Now) {
        for stored in members {
            let digest = self.add_to(stored, false, now);
            digest.earlier = true;
            if !digest.unseen.contains(&summary) {
                digest.unseen.push(summary);
            }
        }
    }

    fn add_to(&mut self, stored: StoredNotice, listed: bool, now: Now) -> &mut Digest {
        let (notices, unseen, earlier) = (Vec::new(), Vec::new(), false);
        let new = || Digest { notices, earlier, unseen, first: now.mono, due: now.mono };
        let digest = self.open.entry(stored.notice.server.clone()).or_insert_with(new);
        let (quiet, longest) =
            if listed { (QUIET, PATIENCE) } else { (PATIENCE, PATIENCE * UNLISTED) };
        digest.due = now.mono.after(quiet).min(digest.first.after(longest));
        if digest.notices.len() < MAX_HELD {
            digest.notices.push(stored);
        }
        digest
    }

    /// A server has listed all that is watched: what it has to tell of the past is here, or on its
    /// way through the history.
    pub(super) fn listed(&mut self, server: &ServerId, now: Now) {
        if let Some(digest) = self.open.get_mut(server) {
            digest.due = digest.due.min(now.mono.after(QUIET));
        }
    }

    /// Drops what was to be told of a server.
    pub(super) fn forget(&mut self, server: &ServerId) {
        self.open.remove(server);
    }

    /// When the next digest is due.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.open.values().map(|digest| digest.due).min()
    }

    /// Takes out what is due.
    fn take_due(&mut self, now: Now) -> Vec<(ServerId, Digest)> {
        self.open.extract_if(.., |_, digest| digest.due <= now.mono).collect()
    }
}

impl State {
    /// Tells what is due.
    pub(super) fn notify_if_due(&mut self) {
        let now = self.clock.now();
        if self.notices.deadline().is_none_or(|due| due > now.mono) {
            return;
        }
        for (server, digest) in self.notices.digests.take_due(now) {
            let Digest { notices, earlier, unseen, .. } = digest;
            let when = match earlier {
                true => "While Jobwatch was off or quiet",
                false => "While Jobwatch was off",
            };
            if self.named(&server).is_err() {
                // The demo's servers of an earlier run may not be here.
                let ids = notices.iter().map(|stored| stored.id).chain(unseen);
                self.history.shown(ids.collect());
                continue;
            }
            // What earlier runs had to tell besides outcomes has its own words.
            let (told, alone): (Vec<_>, Vec<_>) =
                notices.into_iter().partition(|stored| stored.notice.key.is_some());
            for other in &alone {
                self.show(other);
            }
            match told.as_slice() {
                [] => {}
                // One is best told in its own words.
                [only] => self.show(only),
                several => self.summarize(when, several, &unseen),
            }
            if told.len() < 2 && !unseen.is_empty() {
                self.history.shown(unseen.clone());
                self.dismiss(unseen, true);
            }
        }
        self.show_popups();
    }

    /// Tells several notices as one; `when` says what kept them from being told, and `unseen` which
    /// summaries that nobody saw it replaces.
    pub(super) fn summarize(&mut self, when: &str, several: &[StoredNotice], unseen: &[i64]) {
        let now = self.clock.now();
        let place = |server: &ServerId| self.place(server).unwrap_or_default();
        let notice = summary(when, several, place, now);
        // Written together: whenever the program is killed, each is told, and once.
        let members = several.iter().map(|stored| stored.id);
        let instead_of = members.chain(unseen.iter().copied()).collect();
        self.history.announce(Announcement { instead_of, ..Announcement::of(notice) });
        if !unseen.is_empty() {
            self.dismiss(unseen.to_vec(), true);
        }
    }
}

/// Several notices in one. `place` tells a server's name.
fn summary(
    when: &str,
    notices: &[StoredNotice],
    place: impl Fn(&ServerId) -> String,
    now: Now,
) -> Notice {
    const WORDS: [&str; 5] =
        ["completed", "failed", "cancelled", "with unknown outcome", "of another kind"];
    let mut counts = [0; WORDS.len()];
    for stored in notices {
        counts[match stored.notice.key.as_ref().map(|key| &key.outcome) {
            Some(JobState::Completed) => 0,
            Some(JobState::Failed) => 1,
            Some(JobState::Cancelled) => 2,
            Some(_) => 3,
            None => 4,
        }] += 1;
    }
    let parts: Vec<_> = counts.into_iter().zip(WORDS).collect();
    let title = format!("{when}: {}", format_counts(&parts));
    let servers: BTreeSet<&ServerId> = notices.iter().map(|stored| &stored.notice.server).collect();
    let alone = servers.first().filter(|_| servers.len() == 1).copied();
    let bad = notices.iter().filter(|stored| stored.notice.tone == Tone::Bad);
    let bad: Vec<String> = bad
        .map(|stored| match alone {
            Some(_) => stored.notice.title.clone(),
            None => format!("{} ({})", stored.notice.title, place(&stored.notice.server)),
        })
        .collect();
    let tone = if bad.is_empty() { Tone::Good } else { Tone::Bad };
    let name = match alone {
        Some(server) => place(server),
        None => format!("{} servers", servers.len()),
    };
    let body = list_failures(&name, bad.iter().map(String::as_str));
    let server = alone.cloned().unwrap_or_else(|| ServerId(String::new()));
    Notice {
        key: None,
        server,
        job: None,
        title,
        body,
        tone,
        at: now.wall,
        subject: None,
        trigger: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jobwatch_core::notify::NoticeKey;

    fn at(ms: u64) -> Now {
        Now { mono: Mono(ms), wall: jiff::Timestamp::UNIX_EPOCH }
    }

    fn stored(server: &str, id: i64, outcome: JobState) -> StoredNotice {
        let server = ServerId(server.to_owned());
        let job: jobwatch_core::model::JobId = id.to_string().into();
        let tone = if outcome == JobState::Failed { Tone::Bad } else { Tone::Good };
        let notice = Notice {
            key: Some(NoticeKey {
                server: server.clone(),
                job: job.clone(),
                attempt: 1,
                outcome: outcome.clone(),
            }),
            server,
            job: Some(job),
            title: format!("{id} {outcome}"),
            body: String::new(),
            tone,
            at: jiff::Timestamp::UNIX_EPOCH,
            subject: None,
            trigger: None,
        };
        StoredNotice::new(id, notice, false)
    }

    fn taken(digests: &mut Digests, ms: u64) -> Vec<(String, usize)> {
        let taken = digests.take_due(at(ms));
        taken.into_iter().map(|(server, digest)| (server.0, digest.notices.len())).collect()
    }

    #[test]
    fn a_server_that_answers_late_has_a_summary_of_its_own() {
        let mut digests = Digests::default();
        for id in 0..3 {
            digests.add(stored("early", id, JobState::Completed), true, at(0));
        }
        assert_eq!(taken(&mut digests, 2_000), [("early".to_owned(), 3)]);
        for id in 0..40 {
            let stored = stored("late", id, JobState::Completed);
            digests.add(stored, false, at(20_000 + 100 * id as u64));
        }
        digests.listed(&ServerId("late".to_owned()), at(24_000));
        assert_eq!(taken(&mut digests, 25_900), []);
        assert_eq!(taken(&mut digests, 26_000), [("late".to_owned(), 40)]);
    }

    #[test]
    fn what_an_earlier_run_left_untold_waits_for_what_its_server_lists() {
        let mut digests = Digests::default();
        digests.add(stored("s", 1, JobState::Failed), false, at(0));
        assert_eq!(taken(&mut digests, 10_000), []);
        digests.add(stored("s", 2, JobState::Failed), true, at(10_000));
        assert_eq!(taken(&mut digests, 12_000), [("s".to_owned(), 2)]);
    }

    #[test]
    fn a_server_that_never_lists_holds_nothing_back_for_ever() {
        let mut digests = Digests::default();
        for ms in (0..60_000).step_by(1_000) {
            digests.add(stored("s", ms, JobState::Failed), false, at(ms as u64));
        }
        assert_eq!(taken(&mut digests, 60_000), [("s".to_owned(), 60)]);
    }

    #[test]
    fn a_summary_counts_each_way_to_end_and_names_failures() {
        let failed = (10..15).map(|id| stored("s", id, JobState::Failed));
        let mut all: Vec<_> = failed.collect();
        all.extend((0..32).map(|id| stored("s", id, JobState::Completed)));
        let place = |server: &ServerId| server.0.to_uppercase();
        let notice = summary("While quiet", &all, place, at(0));
        assert_eq!(notice.title, "While quiet: 32 completed, 5 failed");
        assert_eq!(notice.body, "On S\n10 failed\n11 failed\n12 failed");
        assert_eq!(notice.server.0, "s");
        all.push(stored("t", 50, JobState::gone()));
        let notice = summary("While quiet", &all, place, at(0));
        assert_eq!(notice.title, "While quiet: 32 completed, 5 failed, 1 with unknown outcome");
        assert_eq!(notice.body, "On 2 servers\n10 failed (S)\n11 failed (S)\n12 failed (S)");
        assert!(notice.of_several_servers());
    }
}
