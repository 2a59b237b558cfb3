//! Performs what the notifier decides: records notices, shows and withdraws popups, runs programs.
//!
//! A notice goes to the history first; its popup is shown once the history answers that it is new
//! and written. Which popup shows it is noted before the desktop gets that popup, and that it was
//! taken afterwards. So a program that is killed leaves notices of two sorts: those that were never
//! on their way to the desktop are sent at the next start, with all that ended meanwhile; those that
//! may or may not have been shown are shown once more by the same popup, which replaces the first in
//! place.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use jobwatch_core::connection::ConnectionState;
use jobwatch_core::dialect::ActionKind;
use jobwatch_core::jobs::Transition;
use jobwatch_core::model::{Job, JobId, JobState};
use jobwatch_core::notify::decision::{Actions, ActiveRule};
use jobwatch_core::notify::dnd::{DoNotDisturb, Muted};
use jobwatch_core::notify::popups::Popup as Due;
use jobwatch_core::notify::{
    Attention, Effect, Notice, Notifier, Reach, Settings, Tone, Watch, World,
};
use jobwatch_core::server::ServerId;
use jobwatch_core::time::Now;

use super::inbox::Inbox;
use super::servers::Entry;
use super::state::State;
use crate::api::{NoticeRule, OpenJob, Preferences, QuietHours};
use crate::driver::ConnectionId;
use crate::history::{HandedPopup, StoredNotice};
use crate::ports::{Button, Popup, StreamEvent};
use crate::queries::job_index::JobIndex;

/// Popups that may be on their way to the desktop; others wait until it has taken one of them.
const ON_THEIR_WAY: usize = 8;

/// What the notifier may ask about.
struct Facts<'a> {
    servers: &'a [Entry],
    jobs: &'a JobIndex,
    inbox: &'a Inbox,
}

impl Facts<'_> {
    fn entry(&self, server: &ServerId) -> Option<&Entry> {
        self.servers.iter().find(|entry| entry.server.id == *server)
    }
}

impl World for Facts<'_> {
    fn server_name(&self, server: &ServerId) -> Option<&str> {
        self.entry(server).map(|entry| entry.server.name.as_str())
    }

    fn has_listed(&self, server: &ServerId) -> bool {
        self.entry(server).is_some_and(Entry::has_listed)
    }

    fn connections(&self, visit: &mut dyn FnMut(&ServerId, Reach<'_>)) {
        for entry in self.servers {
            let reach = match entry.status.state {
                ConnectionState::Live | ConnectionState::Polling => Reach::Up,
                ConnectionState::Paused => Reach::Paused,
                ConnectionState::Partly
                | ConnectionState::Connecting
                | ConnectionState::Offline
                | ConnectionState::Refused => {
                    Reach::Down(entry.status.reason.as_deref().unwrap_or_default())
                }
            };
            visit(&entry.server.id, reach);
        }
    }

    fn running(&self, visit: &mut dyn FnMut(&ServerId, &Arc<Job>, SignedDuration)) {
        // What a server that does not answer reported last may have ended since.
        for entry in self.servers.iter().filter(|entry| entry.status.answers()) {
            let Some(machine) = entry.machine() else { continue };
            for id in machine.job_store().open_ids() {
                if let Some(job) = self.jobs.job(entry.connection, id) {
                    visit(&entry.server.id, job, entry.clock_ahead());
                }
            }
        }
    }

    fn job(&self, server: &ServerId, job: &JobId) -> Option<Arc<Job>> {
        self.jobs.job(self.entry(server)?.connection, job).cloned()
    }

    fn watch(&self, server: &ServerId, job: &Job) -> Watch {
        let entry = self.entry(server);
        let watched = entry.is_some_and(|entry| entry.watches(job));
        Watch { watched, closely: entry.is_some_and(|entry| entry.watches_closely(job)) }
    }

    fn is_read(&self, notice: i64) -> bool {
        self.inbox.is_read(notice)
    }

    fn covered_by(&self, summary: &StoredNotice) -> Vec<StoredNotice> {
        self.inbox.covered_by(summary)
    }

    fn shown_by(&self, popup_id: u64, count: usize) -> Vec<(i64, Notice)> {
        self.inbox.shown_by(popup_id, count)
    }
}

/// The user's choices, as the notifier knows them. A rule that cannot be used matches nothing, and
/// quiet hours that cannot be read are none; the settings say so.
pub(super) fn settings(preferences: &Preferences) -> Settings {
    let active = |rule: &NoticeRule| {
        let actions = Actions {
            popup: rule.popup,
            breaks_through: rule.breaches,
            run: rule.run.clone(),
            post: rule.post_url().ok().map(String::from),
        };
        Some(ActiveRule { rule: rule.rule().ok()?, actions })
    };
    let muted = preferences.muted.iter().cloned().map(|mute| Muted {
        server: ServerId(mute.server),
        name: mute.name,
        error: mute.error,
        queue: mute.queue,
    });
    let snoozed_until =
        preferences.snoozed_until.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    Settings {
        rules: preferences.rules.iter().filter(|rule| rule.on).filter_map(active).collect(),
        muted: muted.collect(),
        dnd: DoNotDisturb {
            hours: preferences.quiet_hours.iter().filter_map(QuietHours::hours).collect(),
            snoozed_until,
            desktop: false,
            failures_break_through: preferences.quiet_lets_failures,
        },
        popups: preferences.popups,
    }
}

impl State {
    /// Calls the notifier with what it may ask about, and performs what is to be done by then.
    pub(super) fn notify<T>(
        &mut self,
        call: impl FnOnce(&mut Notifier, Now, &dyn World) -> T,
    ) -> T {
        let now = self.clock.now();
        let (servers, jobs, inbox) = (&self.servers, &self.jobs, &self.inbox);
        let facts = Facts { servers, jobs, inbox };
        let answer = call(&mut self.notifier, now, &facts);
        let room = ON_THEIR_WAY.saturating_sub(self.popups.len());
        for effect in self.notifier.poll(now, room, &facts) {
            self.perform_effect(effect);
        }
        answer
    }

    fn perform_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Record(announcement) => self.history.announce(*announcement),
            Effect::Publish(notice) => self.sink(|| StreamEvent::Notice(notice)),
            Effect::Show(popup) => self.show(popup),
            Effect::Withdraw(popup_id) => self.withdraw(popup_id),
            Effect::Shown(ids) => self.history.shown(ids),
            Effect::Dismiss(ids) => self.dismiss(ids, true),
            Effect::Run(run) => self.run_programs(&run),
        }
    }

    /// Performs what is due.
    pub(super) fn notify_if_due(&mut self) {
        let now = self.clock.now().mono;
        if self.notifier.deadline().is_some_and(|due| due <= now) {
            self.notify(|_, _, _| ());
        }
    }

    /// Lets the notifier look at the time. To be called about once a second.
    pub(super) fn tick_notifier(&mut self) {
        self.notify(|notifier, now, world| notifier.tick(now, TimeZone::system(), world));
        let until = self.quiet_until();
        if self.quiet_shown != until {
            self.quiet_shown = until;
            self.views.overview_changed();
        }
    }

    /// Until when popups are held back, in ms since 1970; `None` while they are not.
    pub(super) fn quiet_until(&self) -> Option<i64> {
        let until = self.notifier.quiet_until(self.clock.now())?;
        Some(until.as_millisecond())
    }

    /// The user's choices have changed.
    pub(super) fn update_notifier(&mut self) {
        let settings = settings(&self.preferences);
        self.notify(|notifier, now, world| notifier.set_settings(settings, now, world));
    }

    /// The desktop is set not to disturb, or no longer.
    pub(super) fn set_desktop_dnd(&mut self, dnd: bool) {
        self.notify(|notifier, now, world| notifier.set_desktop_dnd(dnd, now, world));
        self.views.overview_changed();
    }

    /// The user has this in front of them.
    pub(super) fn attend(&mut self, focused: bool, job: Option<OpenJob>) {
        let job = job.filter(|_| focused);
        let job = job.map(|open| (ServerId(open.server), JobId::from(open.job)));
        self.notify(|notifier, _, _| notifier.attend(Attention { focused, job }));
    }

    /// A popup has left the screen.
    pub(super) fn popup_closed(&mut self, popup_id: u64) {
        self.notifier.closed(popup_id);
    }

    /// An earlier run of the program left these on the screen, as far as is known.
    pub(super) fn popups_left(&mut self, popup_ids: Vec<u64>) {
        self.notifier.left(popup_ids);
    }

    /// A step of a job that is watched. Whether it was handed to the history with a notice.
    pub(super) fn notify_of_step(
        &mut self,
        connection: ConnectionId,
        job: &Arc<Job>,
        step: &Transition,
    ) -> bool {
        let Some(server) = self.entry(connection).map(|entry| entry.server.id.clone()) else {
            return false;
        };
        self.notify(|notifier, now, world| notifier.step(&server, job, step, now, world))
    }

    /// The history has written a notice that is new, and that covers others.
    pub(super) fn recorded(
        &mut self,
        mut stored: StoredNotice,
        away: bool,
        job: Option<Arc<Job>>,
        covers: &[i64],
    ) {
        self.inbox.covered(covers, stored.id);
        let server = &stored.notice.server;
        // Of a server that was removed meanwhile nothing is listed any more.
        if server.0.is_empty() || self.named(server).is_ok() {
            if self.inbox.was_read_early(&stored) {
                stored.read = true;
                self.history.read(vec![stored.id], true);
            }
            self.inbox.push(stored.clone());
            let duplicates = self.inbox.duplicates(&stored);
            if !duplicates.is_empty() {
                self.dismiss(duplicates, true);
            }
            self.views.notices_changed();
        }
        self.notify(|notifier, now, world| notifier.recorded(&stored, away, job, now, world));
    }

    /// Lists what earlier runs recorded, once the servers are there, and takes over what they did
    /// not get to show.
    pub(super) fn take_notices(&mut self, notices: Vec<StoredNotice>) {
        self.take_over_notices(notices, true);
    }

    /// Lists what another program on the same data recorded; once that has ended, takes over what it
    /// did not get to show.
    pub(super) fn elsewhere(&mut self, notices: Vec<StoredNotice>, taken_over: bool) {
        self.take_over_notices(notices, taken_over);
        self.views.notices_changed();
    }

    /// Notices come newest first.
    fn take_over_notices(&mut self, notices: Vec<StoredNotice>, send: bool) {
        let unsent = |stored: &&StoredNotice| send && !stored.shown && !stored.read;
        let unsent: Vec<_> = notices.iter().rev().filter(unsent).cloned().collect();
        for stored in notices.into_iter().rev() {
            if self.inbox.by_id(stored.id).is_none() {
                self.inbox.push(stored);
            }
        }
        self.notify(|notifier, now, world| notifier.unsent(unsent, now, world));
    }

    /// Drops the notices of a server that was removed.
    pub(super) fn forget_notices(&mut self, server: &ServerId) {
        self.inbox.forget(server);
        self.notify(|notifier, _, _| notifier.forget(server));
        self.views.notices_changed();
    }

    /// Hands a popup to the desktop. That it is on its way is noted before, that it was taken
    /// afterwards.
    fn show(&mut self, due: Due) {
        let Some(desktop) = self.desktop() else { return };
        let (popup_id, ids) = (due.popup_id, due.ids);
        let (buttons, sound) = (self.buttons(&due.notice), self.preferences.sound);
        let id = ids.iter().copied().max_by_key(|id| id.unsigned_abs()).unwrap_or(0);
        let urgent = self.preferences.critical_failures && due.notice.tone == Tone::Bad;
        let popup = Popup { popup_id, id, notice: due.notice, buttons, sound, urgent };
        let (history, showing) = (self.history(), self.popups.token());
        history.handed(HandedPopup { popup_id, count: due.count }, ids.clone());
        let taken = self.history();
        let settled = move || {
            taken.shown(ids);
            drop(showing);
        };
        history.then(move || desktop.show(popup, Box::new(settled)));
    }

    /// Takes a popup from the screen, after it got there.
    fn withdraw(&self, popup_id: u64) {
        if let Some(desktop) = self.desktop() {
            self.history.then(move || desktop.withdraw(popup_id));
        }
    }

    /// What a popup offers.
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

    /// The job that a notice is about, as it is now: for what can be done with it, and for nothing
    /// that was decided.
    pub(super) fn job_of(&self, notice: &Notice) -> Option<&Arc<Job>> {
        let connection = self.connection_of(&notice.server.0)?;
        self.jobs.job(connection, notice.job.as_ref()?)
    }
}
