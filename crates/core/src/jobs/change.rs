//! What a merge leads to: changes of jobs, and steps from state to state.

use std::sync::Arc;

use jiff::Timestamp;

use crate::model::{Job, JobId, JobState};

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
    /// An outcome that fell into the time the program was off: what was known before came from the
    /// history, and the end lies before this run's start (or the server does not say when it was).
    /// A job that also began in that time was not known at all: it ended between the last listing
    /// of the earlier run and this run's start.
    pub while_away: bool,
}

/// How much a transition means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransitionKind {
    /// The job was already so when it was first seen: nothing happened now.
    Discovered,
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
    /// What is known of this job needs another look: fetch it.
    Confirm(JobId),
}

/// From when on an end is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// The moment.
    pub since: Timestamp,
    /// It was set by an earlier run of the program, so that what ended between the two runs did so
    /// while the program was off.
    pub earlier_run: bool,
}

impl Baseline {
    /// A baseline that this run has set.
    #[must_use]
    pub fn of_this_run(since: Timestamp) -> Baseline {
        Baseline { since, earlier_run: false }
    }
}
