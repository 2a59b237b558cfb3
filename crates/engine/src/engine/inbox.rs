//! The list of notices: in the order of time, with what is alike folded, what was read, and what was
//! dismissed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use jobwatch_core::notify::{Listed, Notice, Tone, family};
use jobwatch_core::server::ServerId;

use crate::history::StoredNotice;

/// Notices that were read on their servers before they were written here.
const READ_EARLY: usize = 256;
/// Notices kept for the list.
const MAX_LISTED: usize = 5_000;

/// Which notices are listed.
#[derive(Debug)]
pub(super) struct NoticeFilter {
    pub unread: bool,
    pub failures: bool,
    /// In lower case.
    pub search: String,
    /// Groups that are not folded; `None`: none are.
    pub expanded: Option<Vec<i64>>,
}

/// Among so many of the newest notices others about the same job are looked for.
const LOOKED_BACK: usize = 1_500;
/// A server's message about an end and our own notice of it are at most this far apart.
const APART: Duration = Duration::from_secs(60);
/// Each notice of a group is at most this far from the next.
const GROUP: Duration = Duration::from_secs(300);
/// So many different jobs with the same error are a group.
const SAME_ERROR: usize = 3;

/// A row of the list.
pub(super) struct InboxRow<'a> {
    pub stored: &'a StoredNotice,
    /// The group it belongs to.
    pub group: Option<i64>,
    /// Others of it that are folded into this row.
    pub folded: Vec<i64>,
    /// Whether all of them were read.
    pub read: bool,
}

impl<'a> InboxRow<'a> {
    fn alone(stored: &'a StoredNotice, group: Option<i64>) -> InboxRow<'a> {
        InboxRow { stored, group, folded: Vec::new(), read: stored.read }
    }
}

/// What makes notices alike.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Likeness {
    /// What happened, to jobs of which name.
    name: String,
    /// What happened, with which error, where there is one.
    error: Option<String>,
}

impl NoticeFilter {
    fn passes<'a>(
        &self,
        stored: &StoredNotice,
        server_name: impl Fn(&ServerId) -> &'a str,
    ) -> bool {
        let notice = &stored.notice;
        let holds = |text: &str| text.to_lowercase().contains(&self.search);
        (!self.unread || !stored.read)
            && (!self.failures || notice.tone == Tone::Bad)
            && (self.search.is_empty()
                || holds(&notice.title)
                || holds(&notice.body)
                || holds(server_name(&notice.server)))
    }
}

/// The notices that are listed, and those that were dismissed.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Newest last.
    list: Vec<StoredNotice>,
    dismissed: Vec<StoredNotice>,
    /// What each notice is like, for folding.
    likes: HashMap<i64, Likeness>,
    unread: u32,
    /// The marks of servers' notices that were read on their servers before they were listed.
    read_early: VecDeque<(ServerId, String)>,
}

impl Inbox {
    pub(super) fn by_id(&self, id: i64) -> Option<&StoredNotice> {
        let mut lists = self.list.iter().rev().chain(&self.dismissed);
        lists.find(|stored| stored.id == id)
    }

    /// What a program printed that a notice's rule had run.
    pub(super) fn add_output(&mut self, id: i64, words: &str) {
        let lists = self.list.iter_mut().rev().chain(&mut self.dismissed);
        if let Some(stored) = lists.into_iter().find(|stored| stored.id == id) {
            let output = stored.output.get_or_insert_default();
            if !output.is_empty() {
                output.push('\n');
            }
            output.push_str(words);
        }
    }

    pub(super) fn newest(&self) -> impl Iterator<Item = &StoredNotice> {
        self.list.iter().rev()
    }

    pub(super) fn unread(&self) -> u32 {
        self.unread
    }

    /// The total, and `count` from `first` on, newest first. `server_name` looks up a server's name.
    pub(super) fn window<'a>(
        &'a self,
        filter: &NoticeFilter,
        server_name: impl Fn(&ServerId) -> &'a str,
        first: u64,
        count: usize,
    ) -> (u64, Vec<InboxRow<'a>>) {
        let passing = self.list.iter().rev().filter(|stored| filter.passes(stored, &server_name));
        let rows = match &filter.expanded {
            None => passing.map(|stored| InboxRow::alone(stored, None)).collect(),
            Some(expanded) => self.folded(passing, expanded),
        };
        let skip = usize::try_from(first).unwrap_or(usize::MAX);
        (rows.len() as u64, rows.into_iter().skip(skip).take(count).collect())
    }

    /// Folds what happened together into its newest: the same end of jobs of one name, however many
    /// others ended in between; and of different jobs the same end with the same error. A group is
    /// named by its oldest, which stays.
    fn folded<'a>(
        &'a self,
        newest_first: impl Iterator<Item = &'a StoredNotice>,
        expanded: &[i64],
    ) -> Vec<InboxRow<'a>> {
        let singles = newest_first.map(|stored| vec![stored]).collect();
        let groups = self.gather(singles, |like| Some(&like.name), |_| true);
        // Of those that no other of its name joined, those with one error.
        let mut many = HashMap::<&str, usize>::new();
        let error = |group: &[&StoredNotice]| match group {
            [alone] => self.likes.get(&alone.id).and_then(|like| like.error.as_deref()),
            _ => None,
        };
        for group in &groups {
            if let Some(error) = error(group) {
                *many.entry(error).or_default() += 1;
            }
        }
        let enough = |like: &str| many.get(like).is_some_and(|many| *many >= SAME_ERROR);
        let groups = self.gather(groups, |like| like.error.as_ref(), enough);
        let mut rows = Vec::new();
        for group in groups {
            let [newest, rest @ ..] = group.as_slice() else { continue };
            let name = rest.last().map(|oldest| oldest.id);
            if name.is_none_or(|name| expanded.contains(&name)) {
                rows.extend(group.iter().map(|stored| InboxRow::alone(stored, name)));
            } else {
                let folded = rest.iter().map(|stored| stored.id).collect();
                let read = group.iter().all(|stored| stored.read);
                rows.push(InboxRow { stored: newest, group: name, folded, read });
            }
        }
        rows
    }

    /// Joins what is alone to the last of its like, where that is not too long after it.
    fn gather<'a>(
        &'a self,
        groups: Vec<Vec<&'a StoredNotice>>,
        like: impl Fn(&'a Likeness) -> Option<&'a String>,
        joins: impl Fn(&str) -> bool,
    ) -> Vec<Vec<&'a StoredNotice>> {
        let mut gathered: Vec<Vec<&StoredNotice>> = Vec::new();
        let mut last = HashMap::<&str, usize>::new();
        for group in groups {
            let alike = match group.as_slice() {
                [alone] => self.likes.get(&alone.id).and_then(&like).filter(|like| joins(like)),
                _ => None,
            };
            if let (Some(alike), [alone]) = (alike, group.as_slice()) {
                let open = last.get(alike.as_str()).and_then(|at| gathered.get_mut(*at));
                if let Some(open) = open
                    && open
                        .last()
                        .is_some_and(|before| apart(&before.notice, &alone.notice) <= GROUP)
                {
                    open.push(alone);
                    continue;
                }
                last.insert(alike, gathered.len());
            }
            gathered.push(group);
        }
        gathered
    }

    /// The notices that are about a job.
    pub(super) fn about(&self, server: &str, job: &str) -> Vec<i64> {
        let about = |stored: &&StoredNotice| {
            let notice = &stored.notice;
            notice.server.0 == server && notice.job.as_ref().is_some_and(|of| of.as_str() == job)
        };
        self.list.iter().filter(about).map(|stored| stored.id).collect()
    }

    /// Marks notices as read or unread.
    pub(super) fn mark_read(&mut self, ids: &[i64], read: bool) {
        let wanted: HashSet<i64> = ids.iter().copied().collect();
        for stored in self.list.iter_mut().filter(|stored| wanted.contains(&stored.id)) {
            stored.read = read;
        }
        self.recount();
    }

    /// Marks all notices as read.
    pub(super) fn mark_all_read(&mut self) {
        self.list.iter_mut().for_each(|stored| stored.read = true);
        self.recount();
    }

    /// Dismisses notices, or brings them back.
    pub(super) fn dismiss(&mut self, ids: &[i64], dismissed: bool) {
        let wanted: HashSet<i64> = ids.iter().copied().collect();
        let (from, to) = match dismissed {
            true => (&mut self.list, &mut self.dismissed),
            false => (&mut self.dismissed, &mut self.list),
        };
        let (moved, kept): (Vec<_>, Vec<_>) =
            std::mem::take(from).into_iter().partition(|stored| wanted.contains(&stored.id));
        *from = kept;
        to.extend(moved.into_iter().map(|stored| StoredNotice { dismissed, ..stored }));
        to.sort_by_key(position);
        let excess = self.dismissed.len().saturating_sub(MAX_LISTED);
        for gone in self.dismissed.drain(..excess) {
            self.likes.remove(&gone.id);
        }
        self.recount();
    }

    /// Drops the notices of a server that was removed.
    pub(super) fn forget(&mut self, server: &ServerId) {
        for list in [&mut self.list, &mut self.dismissed] {
            list.retain(|stored| stored.notice.server != *server);
        }
        self.recount();
    }

    /// A server's own notice was read on the server. Its number, where it is listed and unread; one
    /// that is on its way through the history is read once it is listed.
    pub(super) fn read_on_server(&mut self, server: &ServerId, mark: String) -> Option<i64> {
        if let Some(stored) = self.by_mark(server, &mark) {
            return (!stored.read).then_some(stored.id);
        }
        if self.read_early.len() == READ_EARLY {
            self.read_early.pop_front();
        }
        self.read_early.push_back((server.clone(), mark));
        None
    }

    /// Whether a notice that was just recorded has been read on its server already.
    pub(super) fn was_read_early(&mut self, new: &StoredNotice) -> bool {
        let is_it = |(server, mark): &(ServerId, String)| {
            new.mark.as_ref() == Some(mark) && new.notice.server == *server
        };
        let at = self.read_early.iter().position(is_it);
        at.is_some_and(|at| self.read_early.remove(at).is_some())
    }

    /// Notes which notices a summary covers.
    pub(super) fn covered(&mut self, ids: &[i64], summary: i64) {
        for stored in self.list.iter_mut().filter(|stored| ids.contains(&stored.id)) {
            stored.summary = Some(summary);
        }
    }

    /// A server's own notice, by what the server calls it.
    fn by_mark(&self, server: &ServerId, mark: &str) -> Option<&StoredNotice> {
        let same = |stored: &&StoredNotice| {
            stored.mark.as_deref() == Some(mark) && stored.notice.server == *server
        };
        self.newest().find(same)
    }

    /// Puts a notice into the list, which is in the order of time.
    pub(super) fn push(&mut self, stored: StoredNotice) {
        if let Some(like) = likeness(&stored.notice) {
            self.likes.insert(stored.id, like);
        }
        let later = |other: &StoredNotice| position(other) > position(&stored);
        let at = self.list.iter().rposition(|other| !later(other)).map_or(0, |before| before + 1);
        self.list.insert(at, stored);
        if self.list.len() > MAX_LISTED {
            let gone = self.list.remove(0);
            self.likes.remove(&gone.id);
        }
        self.recount();
    }

    /// Server messages that duplicate our own notice of a job's end, sent before it or after. Answers
    /// those that `new` duplicates, or itself where it is one.
    pub(super) fn duplicates(&self, new: &StoredNotice) -> Vec<i64> {
        let notice = &new.notice;
        let same = |other: &&StoredNotice| {
            other.notice.job == notice.job
                && other.notice.server == notice.server
                && other.notice.tone.troubles() == notice.tone.troubles()
                && apart(&other.notice, notice) <= APART
        };
        // In a flood it is not looked for ever.
        let mut recent = self.newest().take(LOOKED_BACK).filter(same);
        match (&notice.job, &notice.key) {
            (Some(_), Some(_)) => {
                recent.filter(|other| is_servers_own(&other.notice)).map(|other| other.id).collect()
            }
            (Some(_), None) if is_servers_own(notice) => {
                let ours = recent.any(|other| other.notice.key.is_some());
                if ours { vec![new.id] } else { Vec::new() }
            }
            _ => Vec::new(),
        }
    }

    fn recount(&mut self) {
        let unread = self.list.iter().filter(|stored| !stored.read).count();
        self.unread = u32::try_from(unread).unwrap_or(u32::MAX);
    }
}

impl Listed for Inbox {
    fn is_read(&self, id: i64) -> bool {
        self.list.iter().rev().any(|stored| stored.id == id && stored.read)
    }

    fn covered_by(&self, stored: &StoredNotice) -> Vec<StoredNotice> {
        if !is_servers_own(&stored.notice) || stored.notice.job.is_some() {
            return Vec::new();
        }
        let member = |other: &&StoredNotice| other.summary == Some(stored.id);
        self.list.iter().filter(member).cloned().collect()
    }

    fn shown_by(&self, popup_id: u64, count: usize) -> Vec<(i64, Notice)> {
        let of_it = |stored: &&StoredNotice| stored.popup.is_some_and(|p| p.popup_id == popup_id);
        let shown = self.newest().filter(of_it).take(count);
        let mut shown: Vec<_> = shown.map(|stored| (stored.id, stored.notice.clone())).collect();
        shown.reverse();
        shown
    }
}

fn apart(one: &Notice, other: &Notice) -> Duration {
    one.at.duration_since(other.at).unsigned_abs()
}

/// Whether neither an end nor a rule made it: it is a server's own, or a summary.
fn is_servers_own(notice: &Notice) -> bool {
    notice.key.is_none() && notice.trigger.is_none()
}

/// Where a notice stands in the list. Preliminary numbers are negative and count down.
fn position(stored: &StoredNotice) -> (jiff::Timestamp, u64) {
    (stored.notice.at, stored.id.unsigned_abs())
}

/// What makes a notice like others; `None` for one that is like no other.
fn likeness(notice: &Notice) -> Option<Likeness> {
    let server = &notice.server.0;
    let Some(about) = notice.subject.as_ref() else {
        // What a server says of one job after the other in the same words.
        let own = is_servers_own(notice) && notice.job.is_some();
        let name = || format!("{server}\n{}\n{}", notice.title, family(&notice.body));
        return own.then(|| Likeness { name: name(), error: None });
    };
    let kind = notice.key.as_ref().map_or_else(
        || notice.trigger.as_ref().map_or("", |trigger| trigger.kind.word()).to_owned(),
        |key| key.outcome.word(),
    );
    let error = (!about.error.is_empty()).then(|| family(&about.error));
    let of = |what: &str| format!("{server}\n{kind}\n{what}");
    Some(Likeness { name: of(&about.name), error: error.map(|error| of(&error)) })
}
