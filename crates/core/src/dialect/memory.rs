//! What a dialect remembers of the names that a server chooses, bounded.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use crate::model::JobId;

/// Half of how many names each memory holds.
const HALF: usize = 10_000;

const MOST: usize = 65_536;

/// Which names have been heard of lately: at least the last 65,536, at most twice as many. Only their
/// hashes are kept, since one list may have a hundred thousand.
#[derive(Debug, Default)]
pub(super) struct Heard {
    newer: HashSet<u64>,
    older: HashSet<u64>,
    hasher: RandomState,
}

impl Heard {
    pub(super) fn contains(&self, name: &str) -> bool {
        let hash = self.hasher.hash_one(name);
        self.newer.contains(&hash) || self.older.contains(&hash)
    }

    pub(super) fn add(&mut self, name: &str) {
        if self.newer.len() >= MOST {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(self.hasher.hash_one(name));
    }
}

/// One fact about each of the last names: at least the last 10,000, at most twice as many. When the
/// newer half is full it becomes the older one, and what was the older half is forgotten.
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
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.newer.get(name).or_else(|| self.older.get(name))
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.newer.remove(name);
        self.older.remove(name);
    }

    /// Remembers a fact, as the newest.
    pub(super) fn remember(&mut self, name: JobId, fact: T) {
        if self.newer.len() >= HALF && !self.newer.contains_key(&name) {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(name, fact);
    }
}
