//! Decides what the user is notified of, and when: a machine without IO, clock or engine.
//!
//! What happens goes in by [`Notifier::step`], [`Notifier::recorded`] and the other methods;
//! [`Notifier::poll`] returns what is to be done. A decision is made once, when something happens;
//! it is recorded with the notice, and obeyed when the notice comes back from the history.

mod deciding;
mod showing;

use std::collections::VecDeque;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::digest::Digests;
use super::dnd::Deferred;
use super::popups::Popups;
use super::record::StoredNotice;
use super::rules::Rule;
use super::stats::RunStats;
use super::watchers::Watchers;
use super::world::{Attention, Effect, RecentEvent, Settings, World};
use crate::model::JobId;
use crate::server::ServerId;
use crate::time::{Mono, Now};

/// Events that a new rule is tried against.
pub const RECENT: usize = 100;

/// Decides which events become notices, and when the user is shown them.
#[derive(Debug)]
pub struct Notifier {
    settings: Settings,
    /// Whether there is a desktop that shows popups.
    desktop: bool,
    zone: TimeZone,
    attention: Attention,
    stats: RunStats,
    recent: VecDeque<RecentEvent>,
    watchers: Watchers,
    digests: Digests,
    deferred: Deferred<StoredNotice>,
    popups: Popups,
    /// The desktop has not taken the last few popups: until then no other is shown.
    behind: Option<Mono>,
    effects: Vec<Effect>,
}

impl Notifier {
    /// A notifier with these choices. Without a desktop nothing pops up; `zone` is where the user
    /// is.
    #[must_use]
    pub fn new(settings: Settings, desktop: bool, zone: TimeZone) -> Notifier {
        Notifier {
            settings,
            desktop,
            zone,
            attention: Attention::default(),
            stats: RunStats::default(),
            recent: VecDeque::new(),
            watchers: Watchers::default(),
            digests: Digests::default(),
            deferred: Deferred::default(),
            popups: Popups::default(),
            behind: None,
            effects: Vec::new(),
        }
    }

    /// Puts other choices in force: for what happens from now on.
    pub fn set_settings(&mut self, settings: Settings, now: Now, world: World<'_>) {
        let desktop = self.settings.dnd.desktop;
        self.settings = settings;
        self.settings.dnd.desktop = desktop;
        self.end_dnd(now, world);
    }

    /// The desktop is set not to disturb, or no longer.
    pub fn set_desktop_dnd(&mut self, dnd: bool, now: Now, world: World<'_>) {
        self.settings.dnd.desktop = dnd;
        self.end_dnd(now, world);
    }

    /// Whether the desktop is set not to disturb.
    #[must_use]
    pub fn desktop_dnd(&self) -> bool {
        self.settings.dnd.desktop
    }

    /// Until when popups wait by the clock; `None` while they do not.
    #[must_use]
    pub fn quiet_until(&self, now: Now) -> Option<Timestamp> {
        self.settings.dnd.until(&self.local(now))
    }

    /// The user looks at something else. The popup of the job that is open has served its purpose.
    pub fn attend(&mut self, attention: Attention) {
        self.attention = attention;
        if let Some((server, job)) = self.attention.job.clone() {
            self.opened(&server, &job);
        }
    }

    /// The user opens a job: its popup has served its purpose.
    pub fn opened(&mut self, server: &ServerId, job: &JobId) {
        let (popup_id, ids) = self.popups.seen(server, job);
        self.effects.extend(popup_id.map(Effect::Withdraw));
        self.shown(ids);
    }

    /// A popup has left the screen.
    pub fn closed(&mut self, popup_id: u64) {
        self.popups.closed(popup_id);
    }

    /// An earlier run of the program left these popups on the screen, oldest first.
    pub fn left(&mut self, popup_ids: Vec<u64>) {
        self.popups.adopt(popup_ids);
    }

    /// A server has listed everything that is watched.
    pub fn listed(&mut self, server: &ServerId, now: Now) {
        self.digests.listed(server, now);
    }

    /// Forgets a server that was removed.
    pub fn forget(&mut self, server: &ServerId) {
        self.stats.forget(server);
        self.recent.retain(|recent| recent.event.server != *server);
        self.watchers.forget(server);
        self.digests.forget(server);
        let (popup_ids, mut ids) = self.popups.forget(server);
        ids.extend(self.deferred.forget(server).iter().map(|stored| stored.id));
        self.effects.extend(popup_ids.into_iter().map(Effect::Withdraw));
        self.shown(ids);
    }

    /// The last events, newest first.
    pub fn recent(&self) -> impl ExactSizeIterator<Item = &RecentEvent> {
        self.recent.iter().rev()
    }

    /// The last event of a job that a rule matches, or the last one of any job.
    #[must_use]
    pub fn last(&self, rule: &Rule) -> Option<&RecentEvent> {
        let of_jobs = || self.recent().filter(|recent| recent.notice.job.is_some());
        of_jobs().find(|recent| rule.matches(&recent.event)).or_else(|| of_jobs().next())
    }

    fn shown(&mut self, ids: Vec<i64>) {
        if !ids.is_empty() {
            self.effects.push(Effect::Shown(ids));
        }
    }
}

#[cfg(test)]
mod tests;
