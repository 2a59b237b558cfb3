//! Queues as the window shows them: what servers say of theirs, and what their jobs tell.

use std::collections::HashMap;

use jobwatch_core::model::{Job, JobState, QueuePatch};

use super::servers::Entry;
use super::state::State;
use crate::api::QueueRow;
use crate::driver::ConnectionId;
use crate::queries::convert::queue_row;

/// A server that invents names without end must not fill the memory.
pub(super) const MAX_QUEUES: usize = 10_000;

impl State {
    /// A job has come or changed: the queue that it is in is one, whether or not the server counts
    /// it.
    pub(super) fn queue_of(&mut self, connection: ConnectionId, job: &Job, before: Option<&Job>) {
        let (Some(name), Some(entry)) = (&job.queue, self.entry_mut(connection)) else { return };
        let new = !entry.queues.contains_key(name) && entry.queues.len() < MAX_QUEUES;
        if new {
            let queue = QueuePatch { name: name.to_owned(), ..QueuePatch::default() };
            entry.queues.insert(name.to_owned(), queue);
        }
        if new || before.is_none_or(|before| before.state != job.state) {
            self.views.queues_changed();
        }
    }

    /// Queues as rows, each with its server's id and name. Where the server does not count one, the
    /// jobs that are known to wait and run in it are counted, of each server once.
    pub(super) fn queue_rows<'a>(
        &self,
        queues: impl Iterator<Item = (&'a str, &'a str, &'a QueuePatch)>,
    ) -> Vec<QueueRow> {
        let mut counted: HashMap<&str, HashMap<&str, (u64, u64)>> = HashMap::new();
        let row = |(server, name, queue): (&'a str, &'a str, &'a QueuePatch)| {
            let row = queue_row(server, name, queue);
            if row.waiting.is_some() || row.active.is_some() {
                return row;
            }
            let counts = counted.entry(server).or_insert_with(|| self.known_in_queues(server));
            let (waiting, active) = counts.get(queue.name.as_str()).copied().unwrap_or_default();
            QueueRow { waiting: Some(waiting), active: Some(active), ..row }
        };
        queues.map(row).collect()
    }

    /// How many jobs of a server are known to wait and to run, by queue.
    fn known_in_queues(&self, server: &str) -> HashMap<&str, (u64, u64)> {
        let mut counts: HashMap<&str, (u64, u64)> = HashMap::new();
        let Some(connection) = self.connection_of(server) else { return counts };
        let machine = self.entry(connection).and_then(Entry::machine);
        for id in machine.into_iter().flat_map(|machine| machine.job_store().open_ids()) {
            let Some(job) = self.jobs.job(connection, id) else { continue };
            let Some(queue) = job.queue.as_deref() else { continue };
            let (waiting, active) = counts.entry(queue).or_default();
            match job.state {
                JobState::Queued => *waiting += 1,
                JobState::Running => *active += 1,
                _ => {}
            }
        }
        counts
    }
}
