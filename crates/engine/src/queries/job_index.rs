//! Every job of every server, densely numbered, so that a view's order is a list of numbers.

use std::collections::HashMap;
use std::sync::Arc;

use jobwatch_core::model::{Job, JobId, JobState};

use crate::driver::ConnectionId;

/// One job.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its server.
    pub connection: ConnectionId,
    /// The job.
    pub job: Arc<Job>,
}

/// How many jobs a server has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Running.
    pub running: u32,
    /// Known.
    pub jobs: u32,
}

/// All jobs.
#[derive(Debug, Default)]
pub struct JobIndex {
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    numbers: HashMap<ConnectionId, HashMap<JobId, u32>>,
    tallies: HashMap<ConnectionId, Tally>,
}

impl JobIndex {
    /// Puts a job in, or its new state; answers its number.
    pub fn put(&mut self, connection: ConnectionId, job: Arc<Job>) -> u32 {
        let tally = self.tallies.entry(connection).or_default();
        let running = u32::from(job.state == JobState::Running);
        let numbers = self.numbers.entry(connection).or_default();
        if let Some(number) = numbers.get(&job.id) {
            if let Some(entry) = &mut self.entries[*number as usize] {
                let was = u32::from(entry.job.state == JobState::Running);
                tally.running = tally.running + running - was;
                entry.job = job;
            }
            return *number;
        }
        tally.running += running;
        tally.jobs += 1;
        let number = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            // Four thousand million jobs do not fit into memory.
            u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
        });
        numbers.insert(job.id.clone(), number);
        self.entries[number as usize] = Some(Entry { connection, job });
        number
    }

    /// Takes a job out; answers the number it had.
    pub fn remove(&mut self, connection: ConnectionId, id: &JobId) -> Option<u32> {
        let number = self.numbers.get_mut(&connection)?.remove(id)?;
        if let Some(entry) = self.entries[number as usize].take() {
            let tally = self.tallies.entry(connection).or_default();
            tally.jobs -= 1;
            tally.running -= u32::from(entry.job.state == JobState::Running);
        }
        self.free.push(number);
        Some(number)
    }

    /// Takes all jobs of a server out.
    pub fn forget(&mut self, connection: ConnectionId) {
        for number in self.numbers.remove(&connection).unwrap_or_default().into_values() {
            self.entries[number as usize] = None;
            self.free.push(number);
        }
        self.tallies.remove(&connection);
    }

    /// The job with a number.
    #[must_use]
    pub fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number as usize)?.as_ref()
    }

    /// A job's number.
    #[must_use]
    pub fn number(&self, connection: ConnectionId, id: &JobId) -> Option<u32> {
        self.numbers.get(&connection)?.get(id).copied()
    }

    /// One job.
    #[must_use]
    pub fn job(&self, connection: ConnectionId, id: &JobId) -> Option<&Arc<Job>> {
        let number = *self.numbers.get(&connection)?.get(id)?;
        self.entry(number).map(|entry| &entry.job)
    }

    /// All jobs with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0u32..).zip(&self.entries).filter_map(|(number, entry)| Some((number, entry.as_ref()?)))
    }

    /// The jobs of a server.
    pub fn of(&self, connection: ConnectionId) -> impl Iterator<Item = &Arc<Job>> {
        let numbers = self.numbers.get(&connection).into_iter().flat_map(HashMap::values);
        numbers.filter_map(|number| self.entry(*number)).map(|entry| &entry.job)
    }

    /// How many jobs a server has.
    #[must_use]
    pub fn tally(&self, connection: ConnectionId) -> Tally {
        self.tallies.get(&connection).copied().unwrap_or_default()
    }

    /// One more than the highest number in use.
    #[must_use]
    pub fn numbers(&self) -> usize {
        self.entries.len()
    }
}
