//! From what is recorded to what is shown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Zoned;

use super::Notifier;
use crate::model::{Job, JobState};
use crate::notify::digest::{Digest, summary};
use crate::notify::popups::Popup;
use crate::notify::record::{Announcement, StoredNotice};
use crate::notify::world::{Button, Effect, PendingRun, ShowPopup, World};
use crate::notify::{Notice, Tone};
use crate::server::ServerId;
use crate::time::{Mono, Now};

/// Once the desktop is behind, it is looked again after this long whether it takes popups.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

impl Notifier {
    /// The history has written a notice that is new. `away` and `job` are those of its announcement.
    pub fn recorded(
        &mut self,
        stored: &StoredNotice,
        away: bool,
        job: Option<Arc<Job>>,
        now: Now,
        world: World<'_>,
    ) {
        let Some(name) = name_of(world, &stored.notice.server) else {
            // Its server was removed while it was written.
            self.shown(vec![stored.id]);
            return;
        };
        if away && stored.pops_up() {
            let listed = world.servers.has_listed(&stored.notice.server);
            self.digests.add(stored.clone(), listed, now);
        } else {
            self.show(stored, now, world);
        }
        // For what ended while nobody watched no program is run.
        if let Some(decision) = stored.decision.as_ref().filter(|_| !away)
            && decision.runs_programs()
        {
            let (id, notice) = (stored.id, stored.notice.clone());
            let (server_name, decision) = (name.to_owned(), Arc::clone(decision));
            let run = PendingRun { id, notice, server_name, job, decision };
            self.effects.push(Effect::Run(Box::new(run)));
        }
    }

    /// Takes over the notices that an earlier run, or another program, did not get to show.
    pub fn unsent(&mut self, unsent: Vec<StoredNotice>, now: Now, world: World<'_>) {
        if !self.desktop {
            return;
        }
        let mut handed = Vec::new();
        for stored in unsent {
            if self.defers(&stored, now) {
                self.deferred.defer(stored.notice.server.clone(), stored);
            } else if stored.popup.is_some() {
                handed.push(stored);
            } else {
                match world.inbox.covered_by(&stored) {
                    covered if covered.is_empty() => self.digests.add_earlier(stored, now),
                    // A summary that nobody saw is part of the next one.
                    covered => self.digests.add_again(stored.id, covered, now),
                }
            }
        }
        self.show_again(handed, now, world);
    }

    /// Takes over popups that an earlier run handed to the desktop, without an answer whether it
    /// took them: each is shown once more in its place, as it was. In any other way, the user would
    /// be shown twice what they may have seen.
    fn show_again(&mut self, handed: Vec<StoredNotice>, now: Now, world: World<'_>) {
        let mut popups: BTreeMap<u64, (usize, Vec<StoredNotice>)> = BTreeMap::new();
        for stored in handed {
            let Some(popup) = stored.popup else { continue };
            let (count, waiting) = popups.entry(popup.popup_id).or_default();
            *count = popup.count;
            waiting.push(stored);
        }
        for (popup_id, (count, waiting)) in popups {
            let ids = waiting.iter().map(|stored| stored.id).collect();
            let newest = waiting.last().map(|stored| &stored.notice.server);
            let Some(name) = newest.and_then(|server| name_of(world, server)) else {
                // The demo's servers of an earlier run may not be here.
                self.shown(ids);
                continue;
            };
            // What a popup in the same place showed before it is no part of it.
            let shown = world.inbox.shown_by(popup_id, count);
            self.popups.restore(popup_id, name, shown, ids, now.mono);
        }
    }

    /// When [`Notifier::poll`] is to be called at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        let popup = self.popups.deadline().map(|due| due.max(self.behind.unwrap_or(due)));
        [self.digests.deadline(), popup].into_iter().flatten().min()
    }

    /// Everything that is to be done by now, in order. The desktop takes at most `room` popups more
    /// at present.
    pub fn poll(&mut self, now: Now, room: usize, world: World<'_>) -> Vec<Effect> {
        if self.deadline().is_some_and(|due| due <= now.mono) {
            for (server, digest) in self.digests.take_due(now) {
                self.send_digest(&server, digest, now, world);
            }
            self.show_popups(now.mono, room, world);
        }
        std::mem::take(&mut self.effects)
    }

    fn send_digest(&mut self, server: &ServerId, digest: Digest, now: Now, world: World<'_>) {
        let Digest { notices, earlier, unseen, .. } = digest;
        let when = match earlier {
            true => "While Jobwatch was off or quiet",
            false => "While Jobwatch was off",
        };
        if world.servers.server_name(server).is_none() {
            // The demo's servers of an earlier run may not be here.
            self.shown(notices.iter().map(|stored| stored.id).chain(unseen).collect());
            return;
        }
        // What is no outcome has its own words.
        let (ends, others): (Vec<_>, Vec<_>) =
            notices.into_iter().partition(|stored| stored.notice.key.is_some());
        for other in &others {
            self.show(other, now, world);
        }
        self.show_as_one(when, ends, unseen, now, world);
    }

    /// Shows one notice in its own words, and several as a summary. `when` says what kept them, and
    /// `unseen` which summaries that nobody saw it replaces.
    fn show_as_one(
        &mut self,
        when: &str,
        notices: Vec<StoredNotice>,
        unseen: Vec<i64>,
        now: Now,
        world: World<'_>,
    ) {
        let (muted, notices): (Vec<_>, Vec<_>) =
            notices.into_iter().partition(|stored| self.is_muted(stored));
        self.shown(muted.iter().map(|stored| stored.id).collect());
        if notices.len() < 2 && !unseen.is_empty() {
            self.shown(unseen.clone());
            self.effects.push(Effect::Dismiss(unseen.clone()));
        }
        match notices.as_slice() {
            [] => {}
            [only] => self.show(only, now, world),
            several => {
                let name = |server: &ServerId| name_of(world, server).unwrap_or("").to_owned();
                let notice = summary(when, several, name, now.wall);
                // Written together: whenever the program is killed, each is sent, and once.
                let covered = several.iter().map(|stored| stored.id);
                let covers = covered.chain(unseen.iter().copied()).collect();
                let summary = Announcement { covers, ..Announcement::of(notice) };
                self.effects.push(Effect::Record(Box::new(summary)));
                if !unseen.is_empty() {
                    self.effects.push(Effect::Dismiss(unseen));
                }
            }
        }
    }

    /// Publishes a notice, and offers its popup unless there is a reason against it.
    fn show(&mut self, stored: &StoredNotice, now: Now, world: World<'_>) {
        let notice = &stored.notice;
        // A reader of the stream has no list to look into: it gets all of it.
        self.effects.push(Effect::Publish(Box::new(notice.clone())));
        let seen = self.attention.sees(&notice.server, notice.job.as_ref());
        let wanted = self.desktop && self.settings.popups && stored.pops_up() && !seen;
        let wanted = wanted && !self.is_muted(stored);
        let Some(name) = name_of(world, &notice.server).filter(|_| wanted) else {
            self.shown(vec![stored.id]);
            return;
        };
        if self.defers(stored, now) {
            self.deferred.defer(notice.server.clone(), stored.clone());
        } else {
            self.popups.offer(stored.id, notice.clone(), name, now.mono);
            self.behind = None;
        }
    }

    fn show_popups(&mut self, now: Mono, mut room: usize, world: World<'_>) {
        self.behind = None;
        loop {
            if room == 0 {
                self.behind = Some(now.after(LOOK_AGAIN));
                return;
            }
            let Some(mut popup) = self.popups.poll(now) else { return };
            let folded = std::mem::take(&mut popup.withdraw);
            self.effects.extend(folded.into_iter().map(Effect::Withdraw));
            if self.attention.focused && popup.notice.routine() {
                // The window shows it. What stood in its place is out of date.
                self.popups.closed(popup.popup_id);
                self.effects.push(Effect::Withdraw(popup.popup_id));
                self.shown(popup.ids);
            } else {
                room -= 1;
                let show = Box::new(self.dressed(popup, world));
                self.effects.push(Effect::Show(show));
            }
        }
    }

    /// A popup with what the desktop has to know in addition.
    fn dressed(&self, popup: Popup, world: World<'_>) -> ShowPopup {
        let Popup { popup_id, ids, notice, count, .. } = popup;
        let id = ids.iter().copied().max_by_key(|id| id.unsigned_abs()).unwrap_or(0);
        let urgent = self.settings.urgent_failures && notice.tone == Tone::Bad;
        let (buttons, sound) = (buttons(&notice, world), self.settings.sound);
        ShowPopup { popup_id, id, ids, count, notice, buttons, sound, urgent }
    }

    pub(super) fn local(&self, now: Now) -> Zoned {
        now.wall.to_zoned(self.zone.clone())
    }

    /// Whether the user has muted what this is about by now. The decision holds, but a mute made
    /// while its popup waits is the user's word as well.
    fn is_muted(&self, stored: &StoredNotice) -> bool {
        let queue = stored.decision.as_ref().and_then(|made| made.event.queue.as_deref());
        self.settings.muted.iter().any(|muted| muted.mutes(&stored.notice, queue))
    }

    /// Whether a notice waits for the end of do-not-disturb.
    fn defers(&self, stored: &StoredNotice, now: Now) -> bool {
        !stored.breaks_through() && self.settings.dnd.defers(&stored.notice, &self.local(now))
    }

    /// Sends what was deferred, once do-not-disturb is over.
    pub(super) fn end_dnd(&mut self, now: Now, world: World<'_>) {
        let local = self.local(now);
        // Of all servers as one: the user comes back to one summary.
        let released = self.deferred.release(&self.settings.dnd, &local).into_values().flatten();
        // What was read meanwhile is known, and what is about a removed server is of no interest.
        let (unread, dealt_with): (Vec<_>, Vec<_>) = released.partition(|stored| {
            !world.inbox.is_read(stored.id) && name_of(world, &stored.notice.server).is_some()
        });
        self.shown(dealt_with.iter().map(|stored| stored.id).collect());
        // Deferred since the start, and handed to the desktop by an earlier run.
        let (handed, mut unread): (Vec<_>, Vec<_>) =
            unread.into_iter().partition(|stored| stored.popup.is_some());
        self.show_again(handed, now, world);
        unread.sort_by_key(|stored| (stored.notice.at, stored.id.unsigned_abs()));
        let (mut notices, mut unseen) = (Vec::new(), Vec::new());
        let mut covered = Vec::new();
        for stored in unread {
            match world.inbox.covered_by(&stored) {
                of_it if of_it.is_empty() => notices.push(stored),
                // A summary of what happened before is part of this one.
                of_it => {
                    unseen.push(stored.id);
                    covered.extend(of_it);
                }
            }
        }
        notices.extend(covered);
        self.show_as_one("While quiet", notices, unseen, now, world);
    }
}

/// A server's name; nothing for a notice of several servers.
fn name_of<'a>(world: World<'a>, server: &ServerId) -> Option<&'a str> {
    if server.0.is_empty() { Some("") } else { world.servers.server_name(server) }
}

/// What a popup offers.
fn buttons(notice: &Notice, world: World<'_>) -> Vec<Button> {
    let mut buttons = Vec::new();
    let about = notice.subject.as_ref();
    let known = world.servers.server_name(&notice.server).is_some();
    if let Some(job) = notice.job.as_ref().filter(|_| known) {
        buttons.push(Button::Log);
        let failed = notice.key.as_ref().is_some_and(|key| key.outcome == JobState::Failed);
        if failed && world.servers.can_retry(&notice.server, job) {
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
