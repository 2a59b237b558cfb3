//! Holding popups back, and telling at the end what was held.

use jiff::Zoned;
use jiff::tz::TimeZone;
use jobwatch_core::notify::dnd::{DoNotDisturb, Muted};
use jobwatch_core::notify::{self, Notice, family};
use jobwatch_core::server::ServerId;

use super::state::State;
use crate::history::StoredNotice;
use crate::views::{ErrorCode, Mute, MuteBy, MuteTarget, Preferences, QuietHours, UserError};

/// The user's choices, as core knows them. Hours that cannot be read are none.
fn dnd(preferences: &Preferences, desktop: bool) -> DoNotDisturb {
    DoNotDisturb {
        desktop,
        hours: preferences.quiet_hours.iter().filter_map(QuietHours::hours).collect(),
        snoozed_until: preferences
            .snoozed_until
            .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()),
        failures_break_through: preferences.quiet_lets_failures,
    }
}

impl State {
    /// Whether the user wants no popup about this, which is about a job in this queue.
    pub(super) fn is_muted(&self, notice: &Notice, queue: Option<&str>) -> bool {
        self.preferences.muted.iter().any(|mute| {
            let Mute { server, name, error, queue: of } = mute.clone();
            Muted { server: ServerId(server), name, error, queue: of }.mutes(notice, queue)
        })
    }

    /// What is to be muted, by what a notice or a job says of itself.
    pub(super) fn mute_of(&self, what: &MuteTarget, by: MuteBy) -> Result<Mute, UserError> {
        let missing =
            |message: &str| UserError { code: ErrorCode::NotFound, message: message.to_owned() };
        let (server, name, error, queue) = match what {
            MuteTarget::Notice { id } => {
                let gone = || missing("This notice is not there any more, so it cannot be muted.");
                let stored = self.notices.by_id(*id).ok_or_else(gone)?;
                let about = stored.notice.subject.as_ref();
                let queue = stored.decision.as_ref().and_then(|made| made.event.queue.clone());
                let name = about.map(|about| about.name.clone());
                (stored.notice.server.0.clone(), name, about.map(|a| a.error.clone()), queue)
            }
            MuteTarget::Job { server, job } => {
                let gone = || missing("This job is not known any more, so it cannot be muted.");
                let connection = self.connection_of(server).ok_or_else(gone)?;
                let job = self.jobs.job(connection, &job.as_str().into()).ok_or_else(gone)?;
                let about = notify::subject(job);
                (server.clone(), Some(about.name), Some(about.error), job.queue.clone())
            }
        };
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let mut mute = Mute { server, ..Mute::default() };
        match by {
            MuteBy::Name => mute.name = some(name),
            MuteBy::Error => mute.error = some(error).map(|error| family(&error)),
            MuteBy::Queue => mute.queue = some(queue),
        }
        if (&mute.name, &mute.error, &mute.queue) == (&None, &None, &None) {
            return Err(missing(match by {
                MuteBy::Name => "It is not about a job, so there is no job to mute.",
                MuteBy::Error => "It has no error that could be muted.",
                MuteBy::Queue => "Its queue is not known, so it cannot be muted.",
            }));
        }
        Ok(mute)
    }

    /// The desktop is set not to disturb, or no longer.
    pub(super) fn set_desktop_quiet(&mut self, quiet: bool) {
        self.desktop_quiet = quiet;
        self.views.overview_changed();
        self.end_dnd();
    }

    fn dnd(&self) -> DoNotDisturb {
        dnd(&self.preferences, self.desktop_quiet)
    }

    fn local(&self) -> Zoned {
        self.clock.now().wall.to_zoned(TimeZone::system())
    }

    /// Until when popups are held back, in ms since 1970; `None` while they are not.
    pub(super) fn quiet_until(&self) -> Option<i64> {
        let until = self.dnd().until(&self.local())?;
        Some(until.as_millisecond())
    }

    /// Keeps a notice for the end of the quiet; answers whether it is quiet for it.
    pub(super) fn defer_if_quiet(&mut self, stored: &StoredNotice) -> bool {
        let breaks_through = stored.decision.as_ref().is_some_and(|made| made.breaks_through());
        if breaks_through || !self.dnd().defers(&stored.notice, &self.local()) {
            return false;
        }
        self.notices.deferred.defer(stored.notice.server.clone(), stored.clone());
        true
    }

    /// Tells what was held, once the quiet is over. To be called about once a second: the wall
    /// clock may be set, and the machine may sleep.
    pub(super) fn end_dnd(&mut self) {
        let (quiet, local) = (self.dnd(), self.local());
        let until = quiet.until(&local).map(|until| until.as_millisecond());
        if self.notices.quiet_shown != until {
            self.notices.quiet_shown = until;
            self.views.overview_changed();
        }
        // Of all servers as one: the user comes back to one summary.
        let released = self.notices.deferred.release(&quiet, &local).into_values().flatten();
        // What was read meanwhile is known, and of a server that is gone nobody wants to hear.
        let (unread, dealt_with): (Vec<_>, Vec<_>) = released.partition(|stored: &StoredNotice| {
            !self.notices.is_read(stored.id) && self.place(&stored.notice.server).is_some()
        });
        if !dealt_with.is_empty() {
            self.history.shown(dealt_with.iter().map(|stored| stored.id).collect());
        }
        // Held since the start, and handed to the desktop by an earlier run.
        let (handed, mut unread): (Vec<_>, Vec<_>) =
            unread.into_iter().partition(|stored| stored.popup.is_some());
        self.show_again(handed);
        unread.sort_by_key(|stored| (stored.notice.at, stored.id.unsigned_abs()));
        // A summary of what happened before is part of this one.
        let (earlier, mut unread): (Vec<_>, Vec<_>) =
            unread.into_iter().partition(|stored| !self.notices.summed_up_by(stored).is_empty());
        let unseen: Vec<i64> = earlier.iter().map(|stored| stored.id).collect();
        for summary in earlier {
            unread.extend(self.notices.summed_up_by(&summary));
        }
        match unread.as_slice() {
            [] => {}
            // One is best told in its own words.
            [only] => self.show(only),
            several => self.summarize("While quiet", several, &unseen),
        }
    }
}
