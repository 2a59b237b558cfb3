//! When popups are shown, and which notices share one.
//!
//! The first notice of its kind is shown at once. Others like it (on the same server, with the same
//! outcome and error) share its popup, which is replaced in place: once soon, then when no more come,
//! or now and then while they do. At most [`MOST`] popups are shown or replaced in [`WINDOW`],
//! however many notices come; the rest share one popup per server. At most [`SCREEN`] popups stand on
//! the screen: when another is due, the oldest is withdrawn and counted in the newest.

mod group;
mod text;

use std::time::Duration;

use group::{Group, GroupKind, REPORTED, group_kind, of_connection};

use super::{Notice, Tone};
use crate::model::JobId;
use crate::rate_limit::RateLimit;
use crate::server::ServerId;
use crate::time::Mono;

/// At most [`MOST`] popups are shown or replaced in this time.
pub const WINDOW: Duration = Duration::from_secs(5);
/// See [`WINDOW`].
pub const MOST: usize = 3;
/// So many popups stand on the screen at a time, at most.
pub const SCREEN: usize = 3;

/// A popup that was shown is known for so long, to be replaced or withdrawn.
const REMEMBERED: Duration = Duration::from_secs(600);
/// The last popup of a window waits this long for company.
const COMPANY: Duration = Duration::from_secs(1);
/// Groups that wait to be shown, at most.
const MAX_FRESH: usize = 64;
/// Groups that are known, at most.
const MAX_GROUPS: usize = 512;

/// A popup to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Popup {
    /// Which popup it is: one with the same number replaces the earlier one in place. It is made of
    /// the first notice's number: shown again after a crash, it replaces what the earlier run may
    /// have shown.
    pub popup_id: u64,
    /// The notices that it shows and no popup has shown before.
    pub ids: Vec<i64>,
    /// Its words. `job` is set where it is about one job alone.
    pub notice: Notice,
    /// How many notices it shows, with those of the popups it replaces in place.
    pub count: usize,
    /// Popups that are folded into this one, and must leave the screen.
    pub withdraw: Vec<u64>,
}

/// Decides which popups are shown, and when.
#[derive(Debug)]
pub struct Popups {
    groups: Vec<Group>,
    limit: RateLimit,
    /// Popups that an earlier run left on the screen; nothing else is known of them.
    strangers: Vec<u64>,
    /// Popups whose notices another one shows by now.
    superseded: Vec<u64>,
}

impl Default for Popups {
    fn default() -> Popups {
        Popups {
            groups: Vec::new(),
            limit: RateLimit::new(MOST, WINDOW),
            strangers: Vec::new(),
            superseded: Vec::new(),
        }
    }
}

/// A notice's number as a popup's. Preliminary numbers, which are negative, have a range of their
/// own.
fn popup_id_of(id: i64) -> u64 {
    id.unsigned_abs() | (u64::from(id < 0) << 40)
}

impl Popups {
    /// Takes a notice that is worth a popup. `server_name` is its server's name.
    pub fn offer(&mut self, id: i64, notice: Notice, server_name: &str, now: Mono) {
        // Lest the deadline counts what was shown long ago.
        self.limit.left(now);
        // That a connection is back replaces the popup of its loss, however old that is.
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

    /// Takes over a popup that an earlier run handed to the desktop without an answer whether it took
    /// it: it is shown once more in the same place, with the same words. `notices` are all that it
    /// showed, oldest first; `waiting` those of which nobody knows whether they were shown.
    pub fn restore(
        &mut self,
        popup_id: u64,
        server_name: &str,
        notices: Vec<(i64, Notice)>,
        waiting: Vec<i64>,
        now: Mono,
    ) {
        let Some((_, first)) = notices.first() else { return };
        let kind = group_kind(first);
        let same = notices.iter().all(|(_, notice)| group_kind(notice) == kind);
        let kind = if same { kind } else { GroupKind::Rest };
        let mut group = Group::new(popup_id, first.server.clone(), server_name, kind, first, now);
        for (id, notice) in notices {
            group.add(id, notice, now);
        }
        group.waiting = waiting;
        // It stands on the screen as far as is known: no other group may absorb it.
        group.shown = Some(now);
        group.stands = true;
        self.strangers.retain(|other| *other != popup_id);
        self.groups.push(group);
    }

    /// Popups that an earlier run left on the screen, oldest first: they make room first.
    pub fn adopt(&mut self, popup_ids: impl IntoIterator<Item = u64>) {
        self.strangers.extend(popup_ids);
    }

    /// A popup has left the screen: the user closed it, or its time was over.
    pub fn closed(&mut self, popup_id: u64) {
        self.strangers.retain(|other| *other != popup_id);
        if let Some(group) = self.groups.iter_mut().find(|group| group.popup_id == popup_id) {
            group.stands = false;
            group.earlier = [0; REPORTED.len()];
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
            // The last of a window had better show all that comes with it.
            let due = if last && group.shown.is_none() { due.after(COMPANY) } else { due };
            (due <= now).then_some((group.newest.tone != Tone::Bad, due))
        };
        let best = self.groups.iter().enumerate().filter_map(|(at, group)| Some((due(group)?, at)));
        let (_, at) = best.min()?;
        let (at, withdraw) = self.make_room(at);
        let notice = self.message(at);
        self.limit.count(now);
        let group = &mut self.groups[at];
        group.shown = Some(now);
        group.stands = true;
        group.times = group.times.saturating_add(1).min(2);
        let ids = std::mem::take(&mut group.waiting);
        Some(Popup { popup_id: group.popup_id, ids, notice, count: group.count(), withdraw })
    }

    /// Folds what stands longest into the group that is shown next, until there is room for that.
    /// Returns the group's index from then on, and the popups that must leave the screen.
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
        Some(match self.limit.left_at_least() {
            0 => due.max(self.limit.free_at()),
            1 if self.fresh() > 0 => due.after(COMPANY),
            _ => due,
        })
    }

    /// The user looks at a job: returns the popup that is about it alone, to be withdrawn, and the
    /// notices that need none any more.
    pub fn seen(&mut self, server: &ServerId, job: &JobId) -> (Option<u64>, Vec<i64>) {
        let about = |group: &Group| {
            group.server == *server && group.count() == 1 && group.newest.job.as_ref() == Some(job)
        };
        let Some(at) = self.groups.iter().position(about) else { return (None, Vec::new()) };
        let group = self.groups.remove(at);
        (group.stands.then_some(group.popup_id), group.waiting)
    }

    /// Forgets a server: returns the popups to be withdrawn, and the notices that need none any more.
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
        Some(self.limit.left(now)).filter(|left| *left > 0)
    }

    fn fresh(&self) -> usize {
        self.groups.iter().filter(|group| group.shown.is_none()).count()
    }

    /// Merges the groups that were not shown yet into one per server.
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
                    rest.absorb(group);
                }
                None => {
                    group.kind = GroupKind::Rest;
                    groups.push(group);
                }
            }
        }
        self.groups = groups;
    }
}

#[cfg(test)]
mod tests;
