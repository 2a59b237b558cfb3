//! Keeps the job store within its bounds: jobs go, or what servers attached to them is cut.

use std::sync::Arc;

use super::{JobStore, cut, size};
use crate::model::{Job, JobId};

/// Bytes that a part of a body is cut to, and those below which a job is not worth cutting.
const CUT: usize = 256;
const SMALL: usize = 4 << 10;

impl JobStore {
    /// Takes note of how large a job is; answers whether all together are too large.
    pub(super) fn account(&mut self, id: &JobId) -> bool {
        let Some(entry) = self.jobs.get_mut(id) else { return false };
        let before = std::mem::replace(&mut entry.bytes, size(&entry.job));
        let grown = entry.bytes > before;
        self.bytes = self.bytes - before + entry.bytes;
        if grown && entry.bytes > SMALL && !std::mem::replace(&mut entry.large, true) {
            self.large.push_back(id.clone());
        }
        self.bytes > self.max_bytes && !self.large.is_empty()
    }

    /// Cuts bodies until the jobs fit again; answers the jobs that are smaller now.
    pub(super) fn trim(&mut self) -> Vec<Arc<Job>> {
        let mut smaller = Vec::new();
        for ended_only in [true, false] {
            for _ in 0..self.large.len() {
                if self.bytes <= self.max_bytes {
                    return smaller;
                }
                let Some(id) = self.large.pop_front() else { break };
                if ended_only && self.open.contains(&id) {
                    self.large.push_back(id);
                    continue;
                }
                let Some(entry) = self.jobs.get_mut(&id) else { continue };
                entry.large = false;
                if cut(Arc::make_mut(&mut entry.job), CUT, &self.redactor) {
                    smaller.push(Arc::clone(&entry.job));
                }
                self.account(&id);
            }
        }
        smaller
    }

    /// Removes the job known longest; among the 64 known longest, an ended and unpinned one first.
    /// Those passed over go to the back, so that the next call looks at others.
    pub(super) fn evict(&mut self) {
        for _ in 0..self.order.len().min(64) {
            let Some(id) = self.order.pop_front() else { return };
            if self.open.contains(&id) || self.pinned.contains(&id) {
                self.order.push_back(id);
            } else {
                self.remove(&id);
                return;
            }
        }
        // One that somebody watches by name goes only where there are no others.
        let unpinned = self.order.iter().position(|id| !self.pinned.contains(id));
        if let Some(id) = self.order.remove(unpinned.unwrap_or(0)) {
            self.remove(&id);
        }
    }
}
