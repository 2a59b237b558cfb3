//! Performs what the notifier decides: records notices, shows and withdraws popups, runs programs.
//!
//! A notice goes to the history first; its popup is shown once the history answers that it is new
//! and written. Which popup shows it is noted before the desktop gets that popup, and that it was
//! taken afterwards. So a program that is killed leaves notices of two sorts: those that were never
//! on their way to the desktop are sent at the next start, with all that ended meanwhile; those that
//! may or may not have been shown are shown once more by the same popup, which replaces the first in
//! place.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use jobwatch_core::jobs::Transition;
use jobwatch_core::model::{Job, JobId};
use jobwatch_core::notify::decision::{Actions, ActiveRule};
use jobwatch_core::notify::dnd::{DoNotDisturb, Muted};
use jobwatch_core::notify::{Attention, Effect, Notifier, Servers, Settings, ShowPopup, World};
use jobwatch_core::server::ServerId;
use jobwatch_core::time::{Mono, Now};
use tokio_util::task::TaskTracker;

use super::inbox::Inbox;
use super::programs::{MOST, Programs};
use crate::api::{NoticeRule, Preferences, QuietHours};
use crate::history::{Announcement, End, HandedPopup, History, StoredNotice};
use crate::ports::{Desktop, Popup, Ports, Sink, StreamEvent};
use crate::programs::{Program, ProgramInput};

/// Popups that may be on their way to the desktop; others wait until it has taken one of them.
const ON_THEIR_WAY: usize = 8;

/// What the rest of the engine has to do after the notices have handled something.
#[derive(Default)]
pub(super) struct Changes {
    /// The list of notices looks different.
    pub list: bool,
    /// Whether popups are held back, or until when, has changed.
    pub overview: bool,
    /// These programs are to be run, for the notices with these numbers.
    pub programs: Vec<(i64, Program, ProgramInput)>,
}

/// A notice that the history has written, as it answers it.
pub(super) struct Recorded {
    pub stored: StoredNotice,
    /// See [`Announcement::away`].
    pub away: bool,
    /// See [`Announcement::job`].
    pub job: Option<Arc<Job>>,
    /// See [`Announcement::covers`].
    pub covers: Vec<i64>,
}

/// The notices: what is decided about them, and what is done then.
pub(super) struct Notices {
    notifier: Notifier,
    inbox: Inbox,
    programs: Programs,
    history: History,
    desktop: Option<Arc<dyn Desktop>>,
    sink: Option<Arc<dyn Sink>>,
    /// Popups on their way to the desktop.
    popups: TaskTracker,
    /// Until when popups were last shown to be held back.
    quiet_shown: Option<i64>,
    changes: Changes,
}

/// The user's choices, as the notifier knows them. A rule that cannot be used matches nothing, and
/// quiet hours that cannot be read are none; the settings say so.
fn settings(preferences: &Preferences) -> Settings {
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
        sound: preferences.sound,
        urgent_failures: preferences.critical_failures,
    }
}

/// What the notifier may ask.
fn world<'a>(inbox: &'a Inbox, servers: &'a dyn Servers) -> World<'a> {
    World { servers, inbox }
}

impl Notices {
    pub(super) fn new(preferences: &Preferences, history: History, ports: &Ports) -> Notices {
        let (desktop, sink) = (ports.desktop.clone(), ports.sink.clone());
        let zone = TimeZone::system();
        Notices {
            notifier: Notifier::new(settings(preferences), desktop.is_some(), zone),
            inbox: Inbox::default(),
            programs: Programs::default(),
            history,
            desktop,
            sink,
            popups: TaskTracker::new(),
            quiet_shown: None,
            changes: Changes::default(),
        }
    }

    /// The list.
    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The notifier, for what it knows.
    pub(super) fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    /// Until when popups are held back, in ms since 1970; `None` while they are not.
    pub(super) fn quiet_until(&self, now: Now) -> Option<i64> {
        Some(self.notifier.quiet_until(now)?.as_millisecond())
    }

    /// When [`Notices::perform`] is to be called at the latest.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.notifier.deadline()
    }

    /// Does what is to be done by now; returns what the rest of the engine has to do.
    pub(super) fn perform(&mut self, now: Now, servers: &dyn Servers) -> Changes {
        let room = ON_THEIR_WAY.saturating_sub(self.popups.len());
        for effect in self.notifier.poll(now, room, world(&self.inbox, servers)) {
            match effect {
                Effect::Record(announcement) => self.history.announce(*announcement),
                Effect::Publish(notice) => {
                    if let Some(sink) = &self.sink {
                        sink.event(StreamEvent::Notice(notice));
                    }
                }
                Effect::Show(popup) => self.show(*popup),
                Effect::Withdraw(popup_id) => self.withdraw(popup_id),
                Effect::Shown(ids) => self.history.shown(ids),
                Effect::Dismiss(ids) => self.dismiss(ids, true),
                Effect::Run(run) => {
                    for _ in 0..self.programs.add(&run, now.mono) {
                        let most = format!(
                            "Not run: Jobwatch runs at most {MOST} programs and posts a minute."
                        );
                        self.note_output(run.id, most);
                    }
                }
            }
        }
        let mut changes = std::mem::take(&mut self.changes);
        changes.programs = self.programs.take();
        changes
    }

    /// Hands a popup to the desktop. That it is on its way is noted before, that it was taken
    /// afterwards.
    fn show(&self, show: ShowPopup) {
        let Some(desktop) = self.desktop.clone() else { return };
        let ShowPopup { popup_id, id, ids, count, notice, buttons, sound, urgent } = show;
        let popup = Popup { popup_id, id, notice, buttons, sound, urgent };
        self.history.handed(HandedPopup { popup_id, count }, ids.clone());
        let (history, on_its_way) = (self.history.clone(), self.popups.token());
        let settled = move || {
            history.shown(ids);
            drop(on_its_way);
        };
        self.history.then(move || desktop.show(popup, Box::new(settled)));
    }

    /// Takes a popup from the screen, after it got there.
    fn withdraw(&self, popup_id: u64) {
        if let Some(desktop) = self.desktop.clone() {
            self.history.then(move || desktop.withdraw(popup_id));
        }
    }

    /// The popups that are still on their way when the program ends.
    pub(super) fn close(&self) -> TaskTracker {
        self.popups.close();
        self.popups.clone()
    }

    /// Looks at the time. To be called about once a second.
    pub(super) fn tick(&mut self, now: Now, servers: &dyn Servers) {
        self.notifier.tick(now, TimeZone::system(), world(&self.inbox, servers));
        let until = self.quiet_until(now);
        self.changes.overview |= std::mem::replace(&mut self.quiet_shown, until) != until;
    }

    /// The user's choices have changed.
    pub(super) fn set_preferences(
        &mut self,
        preferences: &Preferences,
        now: Now,
        servers: &dyn Servers,
    ) {
        self.notifier.set_settings(settings(preferences), now, world(&self.inbox, servers));
    }

    /// The desktop is set not to disturb, or no longer.
    pub(super) fn set_desktop_dnd(&mut self, dnd: bool, now: Now, servers: &dyn Servers) {
        self.notifier.set_desktop_dnd(dnd, now, world(&self.inbox, servers));
        self.changes.overview = true;
    }

    /// The user has this in front of them.
    pub(super) fn attend(&mut self, attention: Attention) {
        self.notifier.attend(attention);
    }

    /// The user opens a job: its notices are read.
    pub(super) fn opened(&mut self, server: &ServerId, job: &JobId) {
        let ids = self.inbox.about(&server.0, job.as_str());
        if !ids.is_empty() {
            self.mark_read(ids, true);
        }
        self.notifier.opened(server, job);
    }

    /// A popup has left the screen.
    pub(super) fn closed(&mut self, popup_id: u64) {
        self.notifier.closed(popup_id);
    }

    /// An earlier run of the program left these on the screen, as far as is known.
    pub(super) fn left(&mut self, popup_ids: Vec<u64>) {
        self.notifier.left(popup_ids);
    }

    /// A server has listed everything that is watched.
    pub(super) fn listed(&mut self, server: &ServerId, now: Now) {
        self.notifier.listed(server, now);
    }

    /// Learns from the jobs of earlier runs.
    pub(super) fn learn(&mut self, server: &ServerId, jobs: &[Arc<Job>]) {
        self.notifier.learn(server, jobs);
    }

    /// Learns what ended last in earlier runs.
    pub(super) fn learn_recent(&mut self, ends: Vec<End>, servers: &dyn Servers) {
        self.notifier.learn_recent(ends, world(&self.inbox, servers));
    }

    /// A step of a job that is watched. Whether it was handed to the history with a notice.
    pub(super) fn step(
        &mut self,
        server: &ServerId,
        job: &Arc<Job>,
        step: &Transition,
        now: Now,
        servers: &dyn Servers,
    ) -> bool {
        self.notifier.step(server, job, step, now, world(&self.inbox, servers))
    }

    /// Hands a server's own notice to the history.
    pub(super) fn announce(&mut self, announcement: Announcement) {
        let read = announcement.mark.clone().filter(|_| announcement.read);
        let server = announcement.notice.server.clone();
        self.history.announce(announcement);
        if let Some(mark) = read {
            self.read_on_server(&server, mark);
        }
    }

    /// Somebody has read a server's own notice on the server.
    pub(super) fn read_on_server(&mut self, server: &ServerId, mark: String) {
        if let Some(id) = self.inbox.read_on_server(server, mark) {
            self.mark_read(vec![id], true);
        }
    }

    /// The history has written a notice that is new.
    pub(super) fn recorded(&mut self, recorded: Recorded, now: Now, servers: &dyn Servers) {
        let Recorded { mut stored, away, job, covers } = recorded;
        self.inbox.covered(&covers, stored.id);
        let server = &stored.notice.server;
        // Of a server that was removed meanwhile nothing is listed any more.
        if server.0.is_empty() || servers.server_name(server).is_some() {
            if self.inbox.was_read_early(&stored) {
                stored.read = true;
                self.history.read(vec![stored.id], true);
            }
            self.inbox.push(stored.clone());
            let duplicates = self.inbox.duplicates(&stored);
            if !duplicates.is_empty() {
                self.dismiss(duplicates, true);
            }
            self.changes.list = true;
        }
        self.notifier.recorded(&stored, away, job, now, world(&self.inbox, servers));
    }

    /// Lists what earlier runs, or another program on the same data, recorded; the newest comes
    /// first. `send` says whether it is ours to show what they did not get to show.
    pub(super) fn take_over(
        &mut self,
        notices: Vec<StoredNotice>,
        send: bool,
        now: Now,
        servers: &dyn Servers,
    ) {
        let unsent = |stored: &&StoredNotice| send && !stored.shown && !stored.read;
        let unsent: Vec<_> = notices.iter().rev().filter(unsent).cloned().collect();
        for stored in notices.into_iter().rev() {
            if self.inbox.by_id(stored.id).is_none() {
                self.inbox.push(stored);
            }
        }
        self.changes.list = true;
        self.notifier.unsent(unsent, now, world(&self.inbox, servers));
    }

    /// Drops the notices of a server that was removed.
    pub(super) fn forget(&mut self, server: &ServerId) {
        self.inbox.forget(server);
        self.notifier.forget(server);
        self.changes.list = true;
    }

    /// Marks notices as read or unread.
    pub(super) fn mark_read(&mut self, ids: Vec<i64>, read: bool) {
        self.inbox.mark_read(&ids, read);
        self.history.read(ids, read);
        self.changes.list = true;
    }

    /// Marks all notices as read.
    pub(super) fn mark_all_read(&mut self) {
        self.inbox.mark_all_read();
        self.history.read_all();
        self.changes.list = true;
    }

    /// Dismisses notices, or brings them back.
    pub(super) fn dismiss(&mut self, ids: Vec<i64>, dismissed: bool) {
        self.inbox.dismiss(&ids, dismissed);
        self.history.dismiss(ids, dismissed);
        self.changes.list = true;
    }

    /// A program has ended: its output is kept with the notice.
    pub(super) fn ran(&mut self, id: i64, output: String) {
        self.programs.ended();
        self.note_output(id, output);
    }

    fn note_output(&mut self, id: i64, output: String) {
        tracing::info!(id, "{output}");
        self.inbox.add_output(id, &output);
        self.history.output(id, output);
        self.changes.list = true;
    }
}
