//! What the dialect remembers of jobs beyond one frame, bounded.

use std::collections::HashMap;

use crate::model::JobId;

/// Half of how many jobs each memory holds.
const MEMORY: usize = 512;

/// One fact about each of the last few jobs. When the newer half is full it becomes the older one,
/// and what was the older half is forgotten.
#[derive(Debug)]
pub(super) struct Memory<T> {
    newer: HashMap<JobId, T>,
    older: HashMap<JobId, T>,
}

impl<T> Default for Memory<T> {
    fn default() -> Memory<T> {
        Memory { newer: HashMap::new(), older: HashMap::new() }
    }
}

impl<T> Memory<T> {
    pub(super) fn get(&self, id: &JobId) -> Option<&T> {
        self.newer.get(id).or_else(|| self.older.get(id))
    }

    pub(super) fn forget(&mut self, id: &JobId) {
        self.newer.remove(id);
        self.older.remove(id);
    }

    pub(super) fn remember(&mut self, id: JobId, fact: T) {
        if self.newer.len() >= MEMORY {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(id, fact);
    }
}
