//! Rows that the ingest writes long after the socket has told of a change.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::rng::Rng;
use crate::world::World;
use crate::world::job::Job;

/// The runs as the application's database has them.
#[derive(Debug)]
pub(super) struct Late {
    /// How late a row is, ms.
    range: (i64, i64),
    rng: Rng,
    rows: BTreeMap<u64, Job>,
    /// What is still to be written, in the order of the changes, and when.
    due: VecDeque<(i64, Job)>,
}

impl Late {
    /// A database that is so late.
    pub fn new(range: (Duration, Duration), seed: u64) -> Late {
        let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4);
        let range = (ms(range.0), ms(range.1));
        Late { range, rng: Rng::derived(seed, 77), rows: BTreeMap::new(), due: VecDeque::new() }
    }

    /// A run has changed.
    pub fn change(&mut self, world: &World, key: u64) {
        let Some(job) = world.job(key) else { return };
        // A later change of a run is never written before an earlier one.
        let before = self.due.iter().filter(|(_, job)| job.key == key).map(|(at, _)| *at).max();
        let at = world.now() + self.rng.between(self.range.0, self.range.1);
        self.due.push_back((at.max(before.unwrap_or(at)), job.clone()));
    }

    /// The rows as they are now, oldest run first.
    pub fn rows(&mut self, now: i64) -> impl Iterator<Item = &Job> {
        for (_, job) in self.due.iter().filter(|(at, _)| *at <= now) {
            self.rows.insert(job.key, job.clone());
        }
        self.due.retain(|(at, _)| *at > now);
        self.rows.values()
    }
}
