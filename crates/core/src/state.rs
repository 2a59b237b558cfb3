//! Merging what socket, HTTP and history say into one picture of a server's jobs.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Job, JobId, JobState, Source, Update};
use crate::time::{Mono, Now};

/// What changed for a job, at the moment it became known.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// Which job.
    pub job: JobId,
    /// Which attempt, from 1; 1 where the server does not count them and has not retried.
    pub attempt: u32,
    /// Where it stood; `None` when the job was not known before.
    pub from: Option<JobState>,
    /// Where it stands. For [`TransitionKind::AttemptFailed`] always `Failed`.
    pub to: JobState,
    /// When the server says it happened; the local clock where it does not say.
    pub at: Timestamp,
    /// How much it means.
    pub kind: TransitionKind,
    /// The error, for failures.
    pub error: Option<String>,
}

/// How much a transition means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransitionKind {
    /// The job was already so when it was first seen: nothing happened now.
    Found,
    /// It moved without ending.
    Moved,
    /// An attempt failed and the server may try again.
    AttemptFailed,
    /// It ended. Announced at most once per (job, attempt, state).
    Outcome,
}

/// One consequence of an applied update.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The job as it is now, merged. Emitted only when something that is shown has changed.
    Job(Arc<Job>),
    /// A step of the job, emitted after the [`Change::Job`] that shows it.
    Transition(Transition),
    /// A failure that may be retried is waiting for confirmation: fetch the job.
    Confirm(JobId),
}

/// All jobs of one server, merged. See the module's documentation for the rules.
#[derive(Debug, Default)]
pub struct Board {
    jobs: HashMap<JobId, Arc<Job>>,
}

impl Board {
    /// Puts a job remembered from an earlier run in place, without any change being emitted.
    pub fn remember(&mut self, job: Job) {
        self.jobs.insert(job.id.clone(), Arc::new(job));
    }

    /// Merges one update. Log lines, metrics, queues and notices pass by; they are not state of a
    /// job.
    pub fn apply(&mut self, update: &Update, source: Source, now: Now) -> Vec<Change> {
        let _ = (update, source, now);
        Vec::new()
    }

    /// Decides what is due: failures whose grace has run out become outcomes.
    pub fn expire(&mut self, now: Now) -> Vec<Change> {
        let _ = now;
        Vec::new()
    }

    /// When [`Board::expire`] must be called at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        None
    }

    /// One job.
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<&Arc<Job>> {
        self.jobs.get(id)
    }

    /// All jobs, in no order.
    pub fn jobs(&self) -> impl Iterator<Item = &Arc<Job>> {
        self.jobs.values()
    }
}
