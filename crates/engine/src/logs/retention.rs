//! Keeping logs within their budgets, the memory within its bound, and few files open.

use std::cmp::Reverse;

use jiff::Timestamp;
use jobwatch_core::server::ServerId;

use super::log_index::{self, Owner, Size};
use super::open_log::OpenLog;
use super::store::{Store, remove_directory};
use super::{Budget, StoreEvent};

/// Logs held open; more are closed, the longest untouched first.
const MAX_OPEN: usize = 96;
/// Bytes that all logs together may hold in memory, for want of a disk.
const MAX_IN_MEMORY: u64 = 96 << 20;
/// Logs dropped at a time.
const DROPPED_AT_ONCE: u32 = 64;

impl Store {
    pub(super) fn budget_of(&self, server: &ServerId) -> Budget {
        self.budgets.get(server).copied().unwrap_or(self.budget)
    }

    /// Drops the oldest logs of servers that hold too much.
    pub(super) fn keep_to_budget(&mut self) {
        let over: Vec<ServerId> = self
            .bytes
            .iter()
            .filter(|(server, bytes)| **bytes > self.budget_of(server).bytes)
            .map(|(server, _)| server.clone())
            .collect();
        for server in over {
            self.shrink(&server);
        }
    }

    pub(super) fn shrink(&mut self, server: &ServerId) {
        let budget = self.budget_of(server).bytes;
        while self.bytes.get(server).is_some_and(|bytes| *bytes > budget) {
            let victims = self.oldest(server, i64::MAX);
            let mut dropped = false;
            for (owner, size) in victims {
                if self.watched.contains_key(&owner) || !size.ended {
                    continue;
                }
                self.drop_log(&owner, size);
                dropped = true;
                if self.bytes.get(server).is_none_or(|bytes| *bytes <= budget) {
                    break;
                }
            }
            if !dropped && !self.drop_oldest_part(server) {
                return;
            }
        }
    }

    /// Drops the beginning of the longest log of a server: of those that nobody looks at, if any.
    pub(super) fn drop_oldest_part(&mut self, server: &ServerId) -> bool {
        let watched = &self.watched;
        let of = self.open.iter_mut().filter(|(owner, _)| owner.server == *server);
        let mut all: Vec<(&Owner, &mut OpenLog)> = of.collect();
        all.sort_by_key(|(owner, open)| (watched.contains_key(*owner), Reverse(open.log.bytes())));
        for (_, open) in all {
            let before = open.log.bytes();
            if open.log.drop_oldest() {
                open.changed = true;
                open.uncounted = true;
                open.measured = open.log.bytes();
                let less = before - open.log.bytes();
                if let Some(bytes) = self.bytes.get_mut(server) {
                    *bytes = bytes.saturating_sub(less);
                }
                return true;
            }
        }
        false
    }

    pub(super) fn oldest(&mut self, server: &ServerId, before: i64) -> Vec<(Owner, Size)> {
        self.count();
        let Some(index) = &self.index else { return Vec::new() };
        index.oldest(server, before, DROPPED_AT_ONCE).unwrap_or_else(|error| {
            tracing::warn!(%error, "the index of logs could not be read");
            Vec::new()
        })
    }

    pub(super) fn drop_log(&mut self, owner: &Owner, size: Size) {
        self.open.remove(owner);
        if let Some(bytes) = self.bytes.get_mut(&owner.server) {
            *bytes = bytes.saturating_sub(size.bytes);
        }
        if let Some(root) = &self.root {
            remove_directory(&log_index::directory(root, owner));
        }
        if let Some(index) = &self.index
            && let Err(error) = index.remove(owner)
        {
            tracing::warn!(%error, "the index of logs could not be written");
        }
        self.emit(StoreEvent::Count(owner.clone(), 0));
    }

    /// Drops the logs of ended jobs that are too old.
    pub(super) fn sweep(&mut self) {
        let servers: Vec<ServerId> = self.bytes.keys().cloned().collect();
        for server in servers {
            let days = self.budget_of(&server).days;
            if days == 0 {
                continue;
            }
            let before = Timestamp::now().as_millisecond() - i64::from(days) * 86_400_000;
            loop {
                let old = self.oldest(&server, before);
                let old: Vec<_> = old
                    .into_iter()
                    .filter(|(owner, size)| size.ended && !self.watched.contains_key(owner))
                    .collect();
                if old.is_empty() {
                    break;
                }
                for (owner, size) in old {
                    self.drop_log(&owner, size);
                }
            }
        }
    }

    /// Logs in memory share a bound of their own.
    pub(super) fn keep_memory_small(&mut self) {
        let in_memory = |open: &OpenLog| open.log.bytes_in_memory();
        while self.open.values().map(in_memory).sum::<u64>() > MAX_IN_MEMORY {
            let watched = &self.watched;
            let rank = |(owner, open): &(&Owner, &OpenLog)| {
                (watched.contains_key(*owner), !open.size.ended, open.used)
            };
            // Whole logs first, while there are others than the one in use.
            let whole =
                self.open.iter().filter(|(_, open)| open.log.bytes_in_memory() == open.log.bytes());
            let victim = whole.min_by_key(rank).map(|(owner, open)| (owner.clone(), open.used));
            match victim {
                Some((owner, used)) if used != self.uses && !self.watched.contains_key(&owner) => {
                    self.open.remove(&owner);
                    self.emit(StoreEvent::Count(owner, 0));
                }
                _ => {
                    let all = self.open.values_mut();
                    let Some(largest) = all.max_by_key(|open| open.log.bytes_in_memory()) else {
                        return;
                    };
                    largest.changed = true;
                    if !largest.log.drop_oldest_in_memory() {
                        return;
                    }
                }
            }
        }
    }

    /// Closes the logs that were not used for longest.
    pub(super) fn close_some(&mut self) {
        if self.open.len() <= MAX_OPEN {
            return;
        }
        let mut idle: Vec<(u64, Owner)> = self
            .open
            .iter()
            .filter(|(owner, open)| {
                !self.watched.contains_key(*owner)
                    && !open.uncounted
                    && open.log.bytes_in_memory() == 0
            })
            .map(|(owner, open)| (open.used, owner.clone()))
            .collect();
        idle.sort_unstable_by_key(|(used, _)| *used);
        let excess = self.open.len() - MAX_OPEN;
        for (_, owner) in idle.into_iter().take(excess) {
            self.open.remove(&owner);
        }
    }
}
