//! Holding popups back, and telling at the end what was held.

use jiff::Zoned;
use jiff::tz::TimeZone;
use jobwatch_core::notify::quiet::{Muted, Quiet};
use jobwatch_core::notify::{Notice, family};
use jobwatch_core::server::ServerId;

use super::state::State;
use crate::history::StoredNotice;
use crate::views::{Mute, Preferences, QuietHours};

/// The user's choices, as core knows them. Hours that cannot be read are none.
fn quiet(preferences: &Preferences, desktop: bool) -> Quiet {
    Quiet {
        desktop,
        hours: preferences.quiet_hours.iter().filter_map(QuietHours::hours).collect(),
        snoozed_until: preferences
            .snoozed_until
            .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()),
        failures_breach: preferences.quiet_lets_failures,
    }
}

impl State {
    /// Whether the user wants no popup about this.
    pub(super) fn is_muted(&self, notice: &Notice) -> bool {
        self.preferences.muted.iter().any(|mute| {
            let Mute { server, name, error } = mute.clone();
            Muted { server: ServerId(server), name, error }.mutes(notice)
        })
    }

    /// The choices with what a notice tells of muted: its error, or jobs of its name. `None` where it
    /// is not known any more, or muted already.
    pub(super) fn muting(&self, id: i64, by_error: bool) -> Option<Preferences> {
        let notice = self.notices.by_id(id)?;
        let about = notice.subject.as_ref()?;
        let mute = Mute {
            server: notice.server.0.clone(),
            name: (!by_error).then(|| about.name.clone()),
            error: by_error.then(|| family(&about.error)),
        };
        let mut preferences = self.preferences.clone();
        if preferences.muted.contains(&mute) {
            return None;
        }
        preferences.muted.push(mute);
        Some(preferences)
    }

    /// The desktop is set not to disturb, or no longer.
    pub(super) fn set_desktop_quiet(&mut self, quiet: bool) {
        self.desktop_quiet = quiet;
        self.views.overview_changed();
        self.end_quiet();
    }

    fn quiet(&self) -> Quiet {
        quiet(&self.preferences, self.desktop_quiet)
    }

    fn local(&self) -> Zoned {
        self.clock.now().wall.to_zoned(TimeZone::system())
    }

    /// Until when popups are held back, in ms since 1970; `None` while they are not.
    pub(super) fn quiet_until(&self) -> Option<i64> {
        let until = self.quiet().until(&self.local())?;
        Some(until.as_millisecond())
    }

    /// Keeps a notice for the end of the quiet; answers whether it is quiet for it.
    pub(super) fn hold_if_quiet(&mut self, stored: &StoredNotice) -> bool {
        if self.breaches_quiet(&stored.notice) || !self.quiet().holds(&stored.notice, &self.local())
        {
            return false;
        }
        self.notices.held.hold(stored.notice.server.clone(), stored.clone());
        true
    }

    /// Tells what was held, once the quiet is over. To be called about once a second: the wall
    /// clock may be set, and the machine may sleep.
    pub(super) fn end_quiet(&mut self) {
        let (quiet, local) = (self.quiet(), self.local());
        let until = quiet.until(&local).map(|until| until.as_millisecond());
        if self.notices.quiet_told != until {
            self.notices.quiet_told = until;
            self.views.overview_changed();
        }
        let now = self.clock.now();
        for (server, notices) in self.notices.held.release(&quiet, &local) {
            let Ok(entry) = self.named(&server) else {
                self.history.shown(notices.iter().map(|stored| stored.id).collect());
                continue;
            };
            let name = entry.server.name.clone();
            // What was read meanwhile is known.
            let (read, unread): (Vec<_>, Vec<_>) =
                notices.into_iter().partition(|stored| self.notices.is_read(stored.id));
            self.history.shown(read.iter().map(|stored| stored.id).collect());
            // Held since the start, and handed to the desktop by an earlier run.
            let (handed, unread): (Vec<_>, Vec<_>) =
                unread.into_iter().partition(|stored| stored.popup.is_some());
            self.show_again(handed);
            self.tell_burst(server, &name, "While quiet", unread, &[], now);
        }
    }
}
