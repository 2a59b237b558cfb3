//! What a dialect remembers of the names that a server chooses, bounded.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use crate::model::JobId;

/// Half of how many names each memory holds.
const HALF: usize = 10_000;

/// More names than one answer has held jobs.
const MOST: usize = 131_072;

/// Which names have been heard of lately: at least the last 131,072, at most twice as many. One list
/// may have a hundred thousand, so only their hashes are kept, and short ones: of thirty thousand
/// names that were never heard of one is taken for one that was.
#[derive(Debug, Default)]
pub(super) struct SeenNames {
    newer: HashSet<u32>,
    older: HashSet<u32>,
    hasher: RandomState,
}

impl SeenNames {
    pub(super) fn contains(&self, name: &str) -> bool {
        let hash = self.hash(name);
        self.newer.contains(&hash) || self.older.contains(&hash)
    }

    pub(super) fn add(&mut self, name: &str) {
        if self.newer.len() >= MOST {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(self.hash(name));
    }

    fn hash(&self, name: &str) -> u32 {
        // Half of a hash is as good as the whole.
        self.hasher.hash_one(name) as u32
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
