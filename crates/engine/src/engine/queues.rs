//! Queues as the window shows them: what servers say of theirs, and what their jobs tell.

use std::sync::Arc;

use jobwatch_core::model::{Job, JobState, QueuePatch};

use super::servers::Entry;
use super::state::State;
use crate::driver::Slot;
use crate::views::QueueRow;
use crate::views::convert::queue_row;

/// A server that invents names without end must not fill the memory.
pub(super) const MAX_QUEUES: usize = 10_000;

impl State {
    /// A job has come or changed: the queue that it is in is one, whether or not the server counts
    /// it.
    pub(super) fn queue_of(&mut self, slot: Slot, job: &Job, before: Option<&Job>) {
        let (Some(name), Some(entry)) = (&job.queue, self.entry_mut(slot)) else { return };
        let new = !entry.queues.contains_key(name) && entry.queues.len() < MAX_QUEUES;
        if new {
            let queue = QueuePatch { name: name.to_owned(), ..QueuePatch::default() };
            entry.queues.insert(name.to_owned(), queue);
        }
        if new || before.is_none_or(|before| before.state != job.state) {
            self.views.queues_changed();
        }
    }

    /// A queue, and where its server does not count it, the jobs that are known to wait and run in it.
    pub(super) fn queue_row(&self, server: &str, name: &str, queue: &QueuePatch) -> QueueRow {
        let row = queue_row(server, name, queue);
        let Some(slot) =
            self.slot_of(server).filter(|_| row.waiting.is_none() && row.active.is_none())
        else {
            return row;
        };
        let machine = self.entry(slot).and_then(Entry::machine);
        let unended = machine.into_iter().flat_map(|machine| machine.board().unended());
        let jobs: Vec<&Arc<Job>> = unended
            .filter_map(|id| self.catalogue.job(slot, id))
            .filter(|job| job.queue.as_deref() == Some(&queue.name))
            .collect();
        let count =
            |state: JobState| Some(jobs.iter().filter(|job| job.state == state).count() as u64);
        QueueRow { waiting: count(JobState::Queued), active: count(JobState::Running), ..row }
    }
}
