//! When popups are shown, and what is told as one.
//!
//! The first notice of its kind is shown at once. Others like it (on the same server, ended the same
//! way, with the same error) are told by the same popup, which is replaced in place: once soon, then
//! when they have stopped coming, or now and then while they do not. However many come, no more than
//! [`MOST`] popups are shown or replaced in [`WINDOW`]; what does not fit is told as one per server.
//! No more than [`SCREEN`] stand on the screen at a time: when another comes, the oldest is taken
//! away and counted in the newest.

use std::collections::VecDeque;
use std::time::Duration;

use super::rules::EventKind;
use super::text::NAMED;
use super::{Notice, Tone, family, format_counts, list_failures};
use crate::model::{JobId, JobState};
use crate::server::ServerId;
use crate::time::Mono;

/// In this time
pub const WINDOW: Duration = Duration::from_secs(5);
/// so many popups are shown or replaced, at most.
pub const MOST: usize = 3;
/// So many popups stand on the screen at a time, at most.
pub const SCREEN: usize = 3;

/// A popup stands for so long before it is replaced,
const STANDS: Duration = Duration::from_secs(2);
/// and later ones until nothing was added for this long,
const QUIET: Duration = Duration::from_millis(1_500);
/// or for this long.
const LONGEST: Duration = Duration::from_secs(10);
/// One that came alone is told of together with what comes this soon after it,
const SOON: Duration = Duration::from_secs(5);
/// and once so many came,
const MANY: usize = 3;
/// with all that comes this soon after the last of them.
const MERGES: Duration = Duration::from_secs(30);
/// What was shown is known for so long, to take its place or to withdraw it.
const REMEMBERED: Duration = Duration::from_secs(600);
/// The last popup of a window waits this long for company.
const COMPANY: Duration = Duration::from_secs(1);
/// Kinds that wait to be told apart.
const MAX_FRESH: usize = 64;
/// Popups that are known.
const MAX_GROUPS: usize = 512;

/// A popup to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Popup {
    /// Which popup it is: one with the same number replaces the earlier one in place. It is made of
    /// the first notice's number, so that one that is told of again after a crash replaces what the
    /// earlier run may have shown.
    pub popup_id: u64,
    /// The notices that it tells of and no popup has told of before.
    pub ids: Vec<i64>,
    /// Its words. `job` is set where it tells of one job alone.
    pub notice: Notice,
    /// How many notices it tells of, with those of the popups it replaces in place.
    pub count: usize,
    /// Popups that are folded into this one, and must leave the screen.
    pub withdraw: Vec<u64>,
}

/// What may be told together.
#[derive(Clone, Debug, PartialEq, Eq)]
enum GroupKind {
    /// Outcomes of one sort: failures by the family of their error, others by the job's name.
    Outcome(Tone, String),
    /// Jobs of one name that began, or are slow.
    Running(usize, String),
    /// The server's connection.
    Connection,
    /// Whatever did not fit.
    Rest,
    /// A notice that is like no other.
    Alone,
}

/// What happened to jobs, alone and of several: the places in [`Group::counts`].
const WORDS: [(&str, &str); 7] = [
    ("completed", "completed"),
    ("failed", "failed"),
    ("cancelled", "were cancelled"),
    ("with unknown outcome", "have disappeared, outcome unknown"),
    ("started", "started"),
    ("unusually slow", "take unusually long"),
    ("of the server itself", ""),
];
const FAILED: usize = 1;
/// Words from here on are not about ends.
const ENDS: usize = 4;
const OTHER: usize = 6;

fn word(notice: &Notice) -> usize {
    match (
        notice.key.as_ref().map(|key| &key.outcome),
        notice.trigger.as_ref().map(|trigger| trigger.kind),
    ) {
        (Some(JobState::Completed), _) => 0,
        (Some(JobState::Failed), _) => FAILED,
        (Some(JobState::Cancelled), _) => 2,
        (Some(_), _) => 3,
        (_, Some(EventKind::Started)) => 4,
        (_, Some(EventKind::Slow)) => 5,
        _ => OTHER,
    }
}

#[derive(Clone, Debug)]
struct Group {
    popup_id: u64,
    server: ServerId,
    server_name: String,
    kind: GroupKind,
    newest: Notice,
    /// What all of them are called, where that is the same.
    name: Option<String>,
    counts: [usize; WORDS.len()],
    failures: Vec<String>,
    waiting: Vec<i64>,
    added: Mono,
    shown: Option<Mono>,
    /// How often it was shown, up to two.
    times: u8,
    /// Whether a popup with its number stands on the screen, as far as the desktop has said.
    stands: bool,
    /// What was told by popups that were folded into this one.
    earlier: [usize; WORDS.len()],
}

impl Group {
    fn count(&self) -> usize {
        self.counts.iter().sum()
    }

    fn add(&mut self, id: i64, notice: Notice, now: Mono) {
        let name = notice.subject.as_ref().map(|subject| subject.name.as_str());
        if self.count() == 0 {
            self.name = name.map(str::to_owned);
        } else if self.name.as_deref() != name {
            self.name = None;
        }
        self.counts[word(&notice)] += 1;
        if notice.tone == Tone::Bad && self.failures.len() < NAMED {
            self.failures.push(notice.title.clone());
        }
        self.waiting.push(id);
        self.newest = notice;
        self.added = now;
    }

    fn take_in(&mut self, other: Group) {
        if self.name != other.name {
            self.name = None;
        }
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        let room = NAMED.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
        self.waiting.extend(other.waiting);
        self.added = self.added.max(other.added);
        add_up(&mut self.earlier, &other.earlier);
    }

    /// Counts another popup's notices as told earlier.
    fn fold(&mut self, other: Group) {
        add_up(&mut self.earlier, &other.counts);
        add_up(&mut self.earlier, &other.earlier);
        self.waiting.extend(other.waiting);
    }

    /// Whether what comes now belongs to it.
    fn takes_more(&self, now: Mono) -> bool {
        let span = if self.count() >= MANY { MERGES } else { SOON };
        !self.waiting.is_empty() || now.since(self.added) < span
    }

    /// When its next popup is due; `None` while it has nothing new.
    fn due(&self) -> Option<Mono> {
        if self.waiting.is_empty() {
            return None;
        }
        Some(match self.shown {
            None => self.added,
            Some(shown) if self.times < 2 => shown.after(STANDS),
            Some(shown) => {
                self.added.after(QUIET).max(shown.after(STANDS)).min(shown.after(LONGEST))
            }
        })
    }
}

fn add_up(sums: &mut [usize; WORDS.len()], more: &[usize; WORDS.len()]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

/// Decides which popups are shown, and when.
#[derive(Debug, Default)]
pub struct Popups {
    groups: Vec<Group>,
    /// When the last few were shown.
    recent: VecDeque<Mono>,
    /// Popups on the screen of which nothing else is known: those of an earlier run.
    strangers: Vec<u64>,
    /// Popups whose notices another tells of by now.
    superseded: Vec<u64>,
}

/// A notice's number as a popup's. Preliminary numbers, which are negative, have a range of their
/// own.
fn popup_id_of(id: i64) -> u64 {
    id.unsigned_abs() | (u64::from(id < 0) << 40)
}

/// With what a notice may be told together.
fn group_kind(notice: &Notice) -> GroupKind {
    match (&notice.key, &notice.subject) {
        (Some(_), Some(about)) if notice.tone == Tone::Bad => {
            GroupKind::Outcome(notice.tone, family(&about.error))
        }
        (Some(_), about) => {
            let name = about.as_ref().map(|about| about.name.clone());
            GroupKind::Outcome(notice.tone, name.unwrap_or_default())
        }
        (None, Some(about)) => GroupKind::Running(word(notice), about.name.clone()),
        (None, None) if of_connection(notice) => GroupKind::Connection,
        (None, None) => GroupKind::Alone,
    }
}

fn of_connection(notice: &Notice) -> bool {
    notice.trigger.as_ref().is_some_and(|trigger| trigger.kind.of_connection())
}

impl Popups {
    /// Takes a notice that is worth a popup. `server_name` is its server's name.
    pub fn offer(&mut self, id: i64, notice: Notice, server_name: &str, now: Mono) {
        // That a connection is back is told where it was told to be lost, however long ago.
        self.groups.retain(|group| {
            let fresh = now.since(group.added) < REMEMBERED;
            group.stands
                || !group.waiting.is_empty()
                || fresh
                || group.kind == GroupKind::Connection
        });
        let (kind, of_connection) = (group_kind(&notice), of_connection(&notice));
        // What happens next to the job that a popup is about, or to the connection, takes that
        // popup's place.
        let same_job = |group: &Group| {
            let same = group.newest.job.is_some() && group.newest.job == notice.job;
            group.server == notice.server
                && group.count() == 1
                && (same || (of_connection && group.kind == GroupKind::Connection))
        };
        let same_kind = |group: &Group| {
            kind != GroupKind::Alone
                && group.server == notice.server
                && group.kind == kind
                && group.takes_more(now)
        };
        let again = self.groups.iter().position(same_job);
        if let Some(at) = again {
            let old = self.groups.remove(at);
            let mut group =
                Group::new(old.popup_id, notice.server.clone(), server_name, kind, &notice, now);
            group.add(id, notice, now);
            group.waiting.extend(old.waiting);
            (group.stands, group.earlier) = (old.stands, old.earlier);
            self.groups.push(group);
            return;
        }
        if let Some(group) = self.groups.iter_mut().find(|group| same_kind(group)) {
            group.add(id, notice, now);
            return;
        }
        let popup_id = popup_id_of(id);
        let mut group =
            Group::new(popup_id, notice.server.clone(), server_name, kind, &notice, now);
        group.add(id, notice, now);
        self.groups.push(group);
        if self.fresh() > MAX_FRESH {
            self.merge();
        }
        // What was shown longest ago is only remembered.
        while self.groups.len() > MAX_GROUPS {
            let idle =
                self.groups.iter().position(|group| group.waiting.is_empty() && !group.stands);
            self.groups.remove(idle.unwrap_or(0));
        }
    }

    /// Takes up a popup that an earlier run handed to the desktop without hearing whether it took
    /// it: it is told once more in the same place, with the same words. `told` is all that it told
    /// of, oldest first; `waiting` those of which nobody knows whether they were seen.
    pub fn restore(
        &mut self,
        popup_id: u64,
        server_name: &str,
        told: Vec<(i64, Notice)>,
        waiting: Vec<i64>,
        now: Mono,
    ) {
        let Some((_, first)) = told.first() else { return };
        let kind = group_kind(first);
        let same = told.iter().all(|(_, notice)| group_kind(notice) == kind);
        let kind = if same { kind } else { GroupKind::Rest };
        let mut group = Group::new(popup_id, first.server.clone(), server_name, kind, first, now);
        for (id, notice) in told {
            group.add(id, notice, now);
        }
        group.waiting = waiting;
        // It stands already, as far as one knows: nothing else may take it in.
        group.shown = Some(now);
        group.stands = true;
        self.strangers.retain(|other| *other != popup_id);
        self.groups.push(group);
    }

    /// Popups that an earlier run left on the screen, oldest first: they make room before any other.
    pub fn adopt(&mut self, popup_ids: impl IntoIterator<Item = u64>) {
        self.strangers.extend(popup_ids);
    }

    /// A popup has left the screen: the user closed it, or its time was over.
    pub fn closed(&mut self, popup_id: u64) {
        self.strangers.retain(|other| *other != popup_id);
        if let Some(group) = self.groups.iter_mut().find(|group| group.popup_id == popup_id) {
            group.stands = false;
            group.earlier = [0; WORDS.len()];
        }
    }

    /// The next popup that is due.
    pub fn poll(&mut self, now: Mono) -> Option<Popup> {
        let left = self.left(now)?;
        if self.fresh() > left {
            self.merge();
        }
        let last = left == 1;
        let due = |group: &Group| {
            let due = group.due()?;
            // The last of a window had better tell of all that comes with it.
            let due = if last && group.shown.is_none() { due.after(COMPANY) } else { due };
            (due <= now).then_some((group.newest.tone != Tone::Bad, due))
        };
        let best = self.groups.iter().enumerate().filter_map(|(at, group)| Some((due(group)?, at)));
        let (_, at) = best.min()?;
        let (at, withdraw) = self.make_room(at);
        let notice = self.words(at);
        self.recent.push_back(now);
        let group = &mut self.groups[at];
        group.shown = Some(now);
        group.stands = true;
        group.times = group.times.saturating_add(1).min(2);
        let ids = std::mem::take(&mut group.waiting);
        Some(Popup { popup_id: group.popup_id, ids, notice, count: group.count(), withdraw })
    }

    /// Folds what stands longest into the group that is shown next, until there is room for that.
    /// Answers where it is from then on, and what must leave the screen.
    fn make_room(&mut self, mut at: usize) -> (usize, Vec<u64>) {
        let mut withdraw = std::mem::take(&mut self.superseded);
        let popup_id = self.groups[at].popup_id;
        self.strangers.retain(|stranger| *stranger != popup_id);
        let others = |popups: &Popups| {
            let stands =
                popups.groups.iter().filter(|group| group.stands && group.popup_id != popup_id);
            popups.strangers.len() + stands.count()
        };
        while others(self) >= SCREEN {
            if !self.strangers.is_empty() {
                withdraw.push(self.strangers.remove(0));
                continue;
            }
            let standing = self.groups.iter().enumerate();
            let standing = standing.filter(|(_, group)| group.stands && group.popup_id != popup_id);
            let Some((oldest, _)) = standing.min_by_key(|(_, group)| group.shown) else { break };
            let old = self.groups.remove(oldest);
            at -= usize::from(oldest < at);
            withdraw.push(old.popup_id);
            self.groups[at].fold(old);
        }
        withdraw.retain(|gone| *gone != popup_id);
        (at, withdraw)
    }

    /// When [`Popups::poll`] is to be called at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let due = self.groups.iter().filter_map(Group::due).min()?;
        if self.recent.len() < MOST {
            let last = self.recent.len() + 1 == MOST;
            return Some(if last && self.fresh() > 0 { due.after(COMPANY) } else { due });
        }
        self.recent.get(self.recent.len() - MOST).map(|oldest| due.max(oldest.after(WINDOW)))
    }

    /// The user looks at a job: answers the popup that is about it alone, to be withdrawn, and the
    /// notices that need none any more.
    pub fn seen(&mut self, server: &ServerId, job: &JobId) -> (Option<u64>, Vec<i64>) {
        let about = |group: &Group| {
            group.server == *server && group.count() == 1 && group.newest.job.as_ref() == Some(job)
        };
        let Some(at) = self.groups.iter().position(about) else { return (None, Vec::new()) };
        let group = self.groups.remove(at);
        (group.stands.then_some(group.popup_id), group.waiting)
    }

    /// Forgets a server: answers the popups to be withdrawn, and the notices that need none any more.
    pub fn forget(&mut self, server: &ServerId) -> (Vec<u64>, Vec<i64>) {
        let (gone, kept) = std::mem::take(&mut self.groups)
            .into_iter()
            .partition::<Vec<_>, _>(|group| group.server == *server);
        self.groups = kept;
        let popup_ids = gone.iter().filter(|group| group.stands).map(|group| group.popup_id);
        (popup_ids.collect(), gone.iter().flat_map(|group| group.waiting.iter().copied()).collect())
    }

    /// How many popups may still be shown now, if any.
    fn left(&mut self, now: Mono) -> Option<usize> {
        while self.recent.front().is_some_and(|at| now.since(*at) >= WINDOW) {
            self.recent.pop_front();
        }
        MOST.checked_sub(self.recent.len()).filter(|left| *left > 0)
    }

    fn fresh(&self) -> usize {
        self.groups.iter().filter(|group| group.shown.is_none()).count()
    }

    /// Tells what was not told yet as one per server.
    fn merge(&mut self) {
        let (fresh, mut groups): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.groups).into_iter().partition(|group| group.shown.is_none());
        for mut group in fresh {
            let rest = |other: &&mut Group| {
                other.server == group.server
                    && other.kind == GroupKind::Rest
                    && other.takes_more(group.added)
            };
            match groups.iter_mut().find(rest) {
                Some(rest) => {
                    if group.stands {
                        self.superseded.push(group.popup_id);
                    }
                    rest.take_in(group);
                }
                None => {
                    group.kind = GroupKind::Rest;
                    groups.push(group);
                }
            }
        }
        self.groups = groups;
    }

    /// What a group's popup says.
    fn words(&self, at: usize) -> Notice {
        let mut notice = self.own_words(at);
        let earlier = &self.groups[at].earlier;
        let many: usize = earlier.iter().sum();
        if many > 0 {
            let parts: Vec<_> =
                earlier.iter().zip(WORDS).map(|(count, (word, _))| (*count, word)).collect();
            if !notice.body.is_empty() {
                notice.body.push('\n');
            }
            notice.body.push_str(&format!("And {many} earlier: {}", format_counts(&parts)));
        }
        notice
    }

    fn own_words(&self, at: usize) -> Notice {
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
                notice.title = format!("{count} {}", WORDS[word].1);
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
                let counts = group.counts.iter().zip(WORDS);
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

impl Group {
    fn new(
        popup_id: u64,
        server: ServerId,
        server_name: &str,
        kind: GroupKind,
        notice: &Notice,
        now: Mono,
    ) -> Group {
        Group {
            popup_id,
            server,
            server_name: server_name.to_owned(),
            kind,
            newest: notice.clone(),
            name: None,
            counts: [0; WORDS.len()],
            failures: Vec::new(),
            waiting: Vec::new(),
            added: now,
            shown: None,
            times: 0,
            stands: false,
            earlier: [0; WORDS.len()],
        }
    }
}

#[cfg(test)]
mod tests;
