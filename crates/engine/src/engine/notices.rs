//! Telling the user, once.
//!
//! What is to be told goes to the history first; the popup is shown when the history answers that
//! it is new and written. Which popup tells of it is written before the desktop gets that popup, and
//! that it was taken afterwards. So what a killed program left is of two sorts: what was never on
//! its way to the desktop is told at the next start, with all that ended meanwhile; what may or may
//! not have been shown is shown once more by the same popup, which replaces the first in place.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use jobwatch_core::dialect::ActionKind;
use jobwatch_core::model::{Job, JobId, JobState, ServerNotice};
use jobwatch_core::notify::dnd::Deferred;
use jobwatch_core::notify::popups::Popups;
use jobwatch_core::notify::{Notice, Tone, family};
use jobwatch_core::server::ServerId;
use jobwatch_core::time::{Mono, Now};

use std::time::Duration;

use super::digest::Digests;
use super::state::State;
use crate::driver::ConnectionId;
use crate::history::{Announcement, Handed, StoredNotice};
use crate::ports::{Button, Popup, StreamEvent};
use crate::views::{OpenJob, Wanted};

/// Popups that may be on their way to the desktop; others wait until it has taken one of them.
const ON_THEIR_WAY: usize = 8;
/// After this long it is looked again whether the desktop takes popups.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
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
/// What a server says of an end and what is told of it are at most this far apart,
const APART: Duration = Duration::from_secs(60);
/// and each notice of a group from the next.
const GROUP: Duration = Duration::from_secs(300);
/// So many different jobs with the same error are a group.
const SAME_ERROR: usize = 3;

/// A row of the list.
pub(super) struct Listed<'a> {
    pub stored: &'a StoredNotice,
    /// The group it belongs to.
    pub group: Option<i64>,
    /// Others of it that are folded into this row.
    pub folded: Vec<i64>,
    /// Whether all of them were read.
    pub read: bool,
}

impl<'a> Listed<'a> {
    fn alone(stored: &'a StoredNotice, group: Option<i64>) -> Listed<'a> {
        Listed { stored, group, folded: Vec::new(), read: stored.read }
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
    fn passes<'a>(&self, stored: &StoredNotice, place: impl Fn(&ServerId) -> &'a str) -> bool {
        let notice = &stored.notice;
        let holds = |text: &str| text.to_lowercase().contains(&self.search);
        (!self.unread || !stored.read)
            && (!self.failures || notice.tone == Tone::Bad)
            && (self.search.is_empty()
                || holds(&notice.title)
                || holds(&notice.body)
                || holds(place(&notice.server)))
    }
}

/// What was told, and what waits to be told as one.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Newest last.
    list: Vec<StoredNotice>,
    dismissed: Vec<StoredNotice>,
    /// What each notice is like, for folding groups.
    likes: HashMap<i64, Likeness>,
    unread: u32,
    /// The marks of servers' notices that are read on their servers, and not in the list.
    read_early: VecDeque<(ServerId, String)>,
    pub(super) digests: Digests,
    /// Which popups are shown, and when.
    popups: Popups,
    /// The desktop has not taken the last few popups: until then no other is shown.
    behind: Option<Mono>,
    /// What waits for the end of the quiet, and until when it was last said to last.
    pub(super) deferred: Deferred<StoredNotice>,
    pub(super) quiet_shown: Option<i64>,
}

impl Notices {
    pub(super) fn deadline(&self) -> Option<Mono> {
        let popup = self.popups.deadline().map(|due| due.max(self.behind.unwrap_or(due)));
        [self.digests.deadline(), popup].into_iter().flatten().min()
    }

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

    pub(super) fn is_read(&self, id: i64) -> bool {
        self.list.iter().rev().any(|stored| stored.id == id && stored.read)
    }

    pub(super) fn unread(&self) -> u32 {
        self.unread
    }

    /// The total, and `count` from `first` on, newest first. `place` tells a server's name.
    pub(super) fn window<'a>(
        &'a self,
        filter: &NoticeFilter,
        place: impl Fn(&ServerId) -> &'a str,
        first: u64,
        count: usize,
    ) -> (u64, Vec<Listed<'a>>) {
        let passing = self.list.iter().rev().filter(|stored| filter.passes(stored, &place));
        let rows = match &filter.expanded {
            None => passing.map(|stored| Listed::alone(stored, None)).collect(),
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
    ) -> Vec<Listed<'a>> {
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
                rows.extend(group.iter().map(|stored| Listed::alone(stored, name)));
            } else {
                let folded = rest.iter().map(|stored| stored.id).collect();
                let read = group.iter().all(|stored| stored.read);
                rows.push(Listed { stored: newest, group: name, folded, read });
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

    /// A server's own notice, by what the server calls it.
    fn by_mark(&self, server: &ServerId, mark: &str) -> Option<&StoredNotice> {
        let same = |stored: &&StoredNotice| {
            stored.mark.as_deref() == Some(mark) && stored.notice.server == *server
        };
        self.newest().find(same)
    }

    /// Puts a notice into the list, which is in the order of time.
    fn push(&mut self, stored: StoredNotice) {
        if let Some(like) = likeness(&stored.notice) {
            self.likes.insert(stored.id, like);
        }
        let later = |other: &StoredNotice| place_in_time(other) > place_in_time(&stored);
        let at = self.list.iter().rposition(|other| !later(other)).map_or(0, |before| before + 1);
        self.list.insert(at, stored);
        if self.list.len() > MAX_LISTED {
            let gone = self.list.remove(0);
            self.likes.remove(&gone.id);
        }
        self.recount();
    }

    /// What a summary told of, oldest first; nothing where it is none.
    pub(super) fn summed_up_by(&self, stored: &StoredNotice) -> Vec<StoredNotice> {
        if !is_servers_own(&stored.notice) || stored.notice.job.is_some() {
            return Vec::new();
        }
        let member = |other: &&StoredNotice| other.summary == Some(stored.id);
        self.list.iter().filter(member).cloned().collect()
    }

    /// Server messages that duplicate our own notice of a job's end, sent before it or after. Answers
    /// those that `new` duplicates, or itself where it is one.
    fn told_otherwise(&self, new: &StoredNotice) -> Vec<i64> {
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
                let told = recent.any(|other| other.notice.key.is_some());
                if told { vec![new.id] } else { Vec::new() }
            }
            _ => Vec::new(),
        }
    }

    fn recount(&mut self) {
        let unread = self.list.iter().filter(|stored| !stored.read).count();
        self.unread = u32::try_from(unread).unwrap_or(u32::MAX);
    }
}

fn apart(one: &Notice, other: &Notice) -> Duration {
    one.at.duration_since(other.at).unsigned_abs()
}

/// Whether neither an end nor a rule makes it told: a server says it of its own accord, or it sums up.
fn is_servers_own(notice: &Notice) -> bool {
    notice.key.is_none() && notice.trigger.is_none()
}

/// Where a notice stands in the list. Preliminary numbers are negative and count down.
fn place_in_time(stored: &StoredNotice) -> (jiff::Timestamp, u64) {
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

impl State {
    /// Takes what earlier runs told, once the servers are there. What they did not get to show is
    /// part of the summary, or waits on for the end of the quiet.
    pub(super) fn take_notices(&mut self, mut stored: Vec<StoredNotice>) {
        stored.reverse();
        let unsent = |stored: &&StoredNotice| !stored.shown && !stored.read;
        let unsent: Vec<_> = stored.iter().filter(unsent).cloned().collect();
        for stored in stored {
            self.notices.push(stored);
        }
        self.send_unsent(unsent);
    }

    /// What another program on the same data announced is listed; where that has ended, what it did
    /// not get to show is told.
    pub(super) fn elsewhere(&mut self, mut notices: Vec<StoredNotice>, taken_over: bool) {
        notices.reverse();
        let unsent = |stored: &&StoredNotice| taken_over && !stored.shown && !stored.read;
        let unsent: Vec<_> = notices.iter().filter(unsent).cloned().collect();
        for stored in notices {
            if self.notices.by_id(stored.id).is_none() {
                self.notices.push(stored);
            }
        }
        self.send_unsent(unsent);
        self.views.notices_changed();
    }

    /// Tells what an earlier run, or another program, did not get to show.
    fn send_unsent(&mut self, unsent: Vec<StoredNotice>) {
        if self.ports.desktop.is_none() {
            return;
        }
        let (now, mut handed) = (self.clock.now(), Vec::new());
        for stored in unsent {
            if self.defer_if_quiet(&stored) {
                continue;
            }
            if stored.popup.is_some() {
                handed.push(stored);
                continue;
            }
            match self.notices.summed_up_by(&stored) {
                members if members.is_empty() => self.notices.digests.add_earlier(stored, now),
                // A summary that nobody saw is part of the next one.
                members => self.notices.digests.add_again(stored.id, members, now),
            }
        }
        self.show_again(handed);
    }

    /// Takes up the popups that an earlier run handed to the desktop without hearing whether it took
    /// them: each is shown once more in its place, as it was. Told in any other way, what the user
    /// has seen would be told twice.
    pub(super) fn show_again(&mut self, unsettled: Vec<StoredNotice>) {
        let now = self.clock.now().mono;
        let mut popups: BTreeMap<u64, (usize, Vec<StoredNotice>)> = BTreeMap::new();
        for stored in unsettled {
            let Some(popup) = stored.popup else { continue };
            let (count, waiting) = popups.entry(popup.popup_id).or_default();
            *count = popup.count;
            waiting.push(stored);
        }
        for (popup_id, (count, waiting)) in popups {
            let ids = waiting.iter().map(|stored| stored.id).collect();
            let Some(place) = waiting.last().and_then(|stored| self.place(&stored.notice.server))
            else {
                // The demo's servers of an earlier run may not be here.
                self.history.shown(ids);
                continue;
            };
            let of_it =
                |stored: &&StoredNotice| stored.popup.is_some_and(|of| of.popup_id == popup_id);
            // What was told before it by a popup in the same place is not part of it.
            let mut told: Vec<_> = self.notices.newest().filter(of_it).take(count).collect();
            told.reverse();
            let told = told.into_iter().map(|stored| (stored.id, stored.notice.clone())).collect();
            self.notices.popups.restore(popup_id, &place, told, ids, now);
        }
        self.show_popups();
    }

    /// Whether the user sees this job right now.
    pub(super) fn sees(&self, server: &ServerId, job: Option<&str>) -> bool {
        self.looking_at
            .as_ref()
            .is_some_and(|open| open.server == server.0 && Some(open.job.as_str()) == job)
    }

    /// Hands a server's own notice to the history.
    pub(super) fn server_notice(&mut self, connection: ConnectionId, from: ServerNotice, now: Now) {
        let Some(entry) = self.entry(connection) else { return };
        let clean = |text: &str| entry.redactor.clean_prefix(text, 2_000);
        let at = from.at.unwrap_or(now.wall);
        let title = if from.title.trim().is_empty() { &entry.server.name } else { &from.title };
        let mark = from.id.clone().or_else(|| {
            // Without an id, the same words at the same time are the same notice.
            from.at.map(|at| format!("{at} {} {}", from.title, from.text))
        });
        let mark = mark.map(|mark| entry.redactor.clean(&mark));
        let notice = Notice {
            key: None,
            server: entry.server.id.clone(),
            job: from.job,
            title: clean(title),
            body: clean(&from.text),
            tone: from.tone,
            at,
            subject: None,
            trigger: None,
        };
        let server = notice.server.clone();
        let known = mark.as_ref().filter(|_| from.read).cloned();
        let read = from.read;
        self.history.announce(Announcement { mark, read, ..Announcement::of(notice) });
        if let Some(mark) = known {
            self.read_on_server(server, mark);
        }
    }

    /// Somebody has read a server's own notice with this id on the server.
    pub(super) fn notice_read(&mut self, connection: ConnectionId, id: &str) {
        let Some(entry) = self.entry(connection) else { return };
        let (server, mark) = (entry.server.id.clone(), entry.redactor.clean(id));
        self.read_on_server(server, mark);
    }

    fn read_on_server(&mut self, server: ServerId, mark: String) {
        if let Some(stored) = self.notices.by_mark(&server, &mark) {
            if !stored.read {
                self.mark_read(vec![stored.id], true);
            }
            return;
        }
        // It may be on its way to the history.
        let early = &mut self.notices.read_early;
        if early.len() == READ_EARLY {
            early.pop_front();
        }
        early.push_back((server, mark));
    }

    /// A server's name; nothing for what tells of several. `None` where it is not here any more.
    pub(super) fn place(&self, server: &ServerId) -> Option<String> {
        if server.0.is_empty() {
            return Some(String::new());
        }
        self.named(server).ok().map(|entry| entry.server.name.clone())
    }

    /// The history has written a notice that is new, about this job as it was then, which tells of
    /// others instead of them.
    pub(super) fn recorded(
        &mut self,
        mut stored: StoredNotice,
        away: bool,
        job: Option<&Arc<Job>>,
        instead_of: &[i64],
    ) {
        let now = self.clock.now();
        for member in &mut self.notices.list {
            if instead_of.contains(&member.id) {
                member.summary = Some(stored.id);
            }
        }
        if self.place(&stored.notice.server).is_none() {
            // Its server was removed while it was written: nobody wants to hear of it any more.
            self.history.shown(vec![stored.id]);
            return;
        }
        let early = &mut self.notices.read_early;
        let is_it = |(server, mark): &(ServerId, String)| {
            stored.mark.as_ref() == Some(mark) && stored.notice.server == *server
        };
        if let Some(at) = early.iter().position(is_it) {
            early.remove(at);
            stored.read = true;
            self.history.read(vec![stored.id], true);
        }
        // What is only listed, or muted, is no part of a summary either.
        let pops_up = stored.decision.as_ref().is_none_or(|made| made.pops_up());
        if away && pops_up {
            let listed = self.has_listed(&stored.notice.server);
            self.notices.digests.add(stored.clone(), listed, now);
        } else {
            self.show(&stored);
        }
        self.notices.push(stored.clone());
        let doubles = self.notices.told_otherwise(&stored);
        if !doubles.is_empty() {
            self.dismiss(doubles, true);
        }
        if !away {
            // What ended while nobody watched is told, and no program is run for it.
            self.run_programs(&stored, job);
        }
        self.views.notices_changed();
    }

    /// Tells of a notice: to whoever reads the stream, and with a popup.
    pub(super) fn show(&mut self, stored: &StoredNotice) {
        // A reader of the stream has no list to look into: it hears all of it.
        self.sink(|| StreamEvent::Notice(Box::new(stored.notice.clone())));
        self.pop_up(stored);
    }

    /// Shows the popup, unless there is a reason not to, and notes that it is dealt with.
    pub(super) fn pop_up(&mut self, stored: &StoredNotice) {
        let notice = &stored.notice;
        // A server's plain information is for the list, and so are its good news, what somebody has
        // read on the server, and what it says about a job: it is the job's outcome that rings, and
        // it rings once.
        let loud = match (&stored.decision, &notice.trigger) {
            (Some(decision), _) => decision.pops_up(),
            // Written by an earlier version, because a rule wanted it.
            (None, Some(_)) => true,
            (None, None) => {
                let listed = match notice.tone {
                    Tone::Plain => true,
                    Tone::Good => stored.mark.is_some(),
                    Tone::Bad | Tone::Warn => false,
                };
                notice.key.is_some() || !(listed || stored.read || notice.job.is_some())
            }
        };
        let seen = self.sees(&notice.server, notice.job.as_ref().map(|job| job.as_str()));
        if loud
            && self.preferences.popups
            && !seen
            && self.ports.desktop.is_some()
            && let Some(place) = self.place(&notice.server)
        {
            // Muted since it happened, while it waited.
            let queue = stored.decision.as_ref().and_then(|made| made.event.queue.as_deref());
            if self.is_muted(notice, queue) {
                self.history.shown(vec![stored.id]);
                return;
            }
            if self.defer_if_quiet(stored) {
                return;
            }
            let now = self.clock.now().mono;
            self.notices.popups.offer(stored.id, notice.clone(), &place, now);
            self.show_popups();
            return;
        }
        self.history.shown(vec![stored.id]);
    }

    /// Shows the popups that are due.
    pub(super) fn show_popups(&mut self) {
        let Some(desktop) = self.desktop() else { return };
        let now = self.clock.now().mono;
        self.notices.behind = None;
        loop {
            if self.popups.len() >= ON_THEIR_WAY {
                self.notices.behind = Some(now.after(LOOK_AGAIN));
                return;
            }
            let Some(due) = self.notices.popups.poll(now) else { return };
            let (popup_id, ids) = (due.popup_id, due.ids);
            for folded in due.withdraw {
                self.withdraw(folded);
            }
            if self.focused && due.notice.routine() {
                // The window shows it. What stood in its place is out of date.
                self.notices.popups.closed(popup_id);
                self.withdraw(popup_id);
                self.history.shown(ids);
                continue;
            }
            let (buttons, sound) = (self.buttons(&due.notice), self.preferences.sound);
            let id = ids.iter().copied().max_by_key(|id| id.unsigned_abs()).unwrap_or(0);
            let urgent = self.preferences.critical_failures && due.notice.tone == Tone::Bad;
            let popup = Popup { popup_id, id, notice: due.notice, buttons, sound, urgent };
            let (history, showing) = (self.history(), self.popups.token());
            history.handed(Handed { popup_id, count: due.count }, ids.clone());
            let (desktop, told) = (Arc::clone(&desktop), self.history());
            let settled = move || {
                told.shown(ids);
                drop(showing);
            };
            history.then(move || desktop.show(popup, Box::new(settled)));
        }
    }

    /// What can be done about what a popup tells of.
    fn buttons(&self, notice: &Notice) -> Vec<Button> {
        let mut buttons = Vec::new();
        let about = notice.subject.as_ref();
        if let (Some(_), Ok(entry)) = (&notice.job, self.named(&notice.server)) {
            buttons.push(Button::Log);
            let failed = notice.key.as_ref().is_some_and(|key| key.outcome == JobState::Failed);
            if let Some(job) = self.job_of(notice)
                && failed
                && entry.actions_for(job).contains(&ActionKind::Retry)
            {
                buttons.push(Button::Retry);
            }
            if about.is_some() {
                buttons.push(Button::MuteJob);
            }
        } else if about.is_some_and(|about| !about.error.is_empty()) {
            buttons.push(Button::MuteError);
        }
        buttons.push(Button::Snooze);
        buttons
    }

    /// A popup has left the screen.
    pub(super) fn popup_closed(&mut self, popup_id: u64) {
        self.notices.popups.closed(popup_id);
    }

    /// An earlier run of the program left these on the screen, as far as is known.
    pub(super) fn popups_left(&mut self, popup_ids: Vec<u64>) {
        self.notices.popups.adopt(popup_ids);
    }

    /// The user looks at a job: its popup has served its purpose.
    pub(super) fn looked_at(&mut self, server: &ServerId, job: &JobId) {
        let (popup_id, ids) = self.notices.popups.seen(server, job);
        popup_id.into_iter().for_each(|popup_id| self.withdraw(popup_id));
        if !ids.is_empty() {
            self.history.shown(ids);
        }
    }

    /// Takes a popup from the screen, after it got there.
    fn withdraw(&self, popup_id: u64) {
        if let Some(desktop) = self.desktop() {
            self.history.then(move || desktop.withdraw(popup_id));
        }
    }

    pub(super) fn mark_read(&mut self, ids: Vec<i64>, read: bool) {
        let wanted: HashSet<i64> = ids.iter().copied().collect();
        for stored in self.notices.list.iter_mut().filter(|stored| wanted.contains(&stored.id)) {
            stored.read = read;
        }
        self.notices.recount();
        self.history.read(ids, read);
        self.views.notices_changed();
    }

    pub(super) fn mark_all_read(&mut self) {
        for stored in &mut self.notices.list {
            stored.read = true;
        }
        self.notices.recount();
        self.history.read_all();
        self.views.notices_changed();
    }

    pub(super) fn dismiss(&mut self, ids: Vec<i64>, dismissed: bool) {
        let wanted: HashSet<i64> = ids.iter().copied().collect();
        let notices = &mut self.notices;
        let (from, to) = if dismissed {
            (&mut notices.list, &mut notices.dismissed)
        } else {
            (&mut notices.dismissed, &mut notices.list)
        };
        let (moved, kept) =
            std::mem::take(from).into_iter().partition(|stored| wanted.contains(&stored.id));
        *from = kept;
        let moved: Vec<StoredNotice> = moved;
        to.extend(moved.into_iter().map(|stored| StoredNotice { dismissed, ..stored }));
        to.sort_by_key(place_in_time);
        let excess = notices.dismissed.len().saturating_sub(MAX_LISTED);
        for gone in notices.dismissed.drain(..excess) {
            notices.likes.remove(&gone.id);
        }
        notices.recount();
        self.history.dismiss(ids, dismissed);
        self.views.notices_changed();
    }

    /// Shows a job, or its log, and marks what was told about it as read. A link may name it in other
    /// ways than by its id.
    pub(super) fn open_job(&mut self, mut open: OpenJob, log: bool) {
        match self.resolve(&open) {
            Ok(job) => open.job = job,
            Err(message) => return self.views.ask_to_open(Wanted::Nothing { message }),
        }
        let about = |stored: &&StoredNotice| {
            let notice = &stored.notice;
            notice.server.0 == open.server
                && notice.job.as_ref().is_some_and(|job| job.as_str() == open.job)
        };
        let ids: Vec<i64> = self.notices.list.iter().filter(about).map(|s| s.id).collect();
        if !ids.is_empty() {
            self.mark_read(ids, true);
        }
        self.looked_at(&ServerId(open.server.clone()), &open.job.as_str().into());
        self.views.ask_to_open(Wanted::Job { server: open.server, job: open.job, log });
    }

    /// Drops what was told about a server that was removed.
    pub(super) fn forget_notices(&mut self, server: &ServerId) {
        let notices = &mut self.notices;
        for list in [&mut notices.list, &mut notices.dismissed] {
            list.retain(|stored| stored.notice.server != *server);
        }
        notices.digests.forget(server);
        let (popup_ids, mut ids) = notices.popups.forget(server);
        ids.extend(notices.deferred.forget(server).iter().map(|stored| stored.id));
        notices.recount();
        popup_ids.into_iter().for_each(|popup_id| self.withdraw(popup_id));
        self.history.shown(ids);
        self.views.notices_changed();
    }
}
