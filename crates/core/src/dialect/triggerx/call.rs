//! The calls of the TriggerX API.

use crate::dialect::DialectCall;

/// A call of the API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// A task, by its number.
    Task(String),
    /// The tasks of a job.
    Tasks(String),
    /// A job.
    Job(String),
    /// All jobs of a user.
    Jobs,
    /// All jobs of the key's owner, read for this job alone where one is named.
    JobsByKey(Option<String>),
    /// The jobs of the key's owner, if that is the user of this number.
    JobsOfNumber(String),
    /// All tasks of a user.
    Groups,
    /// The newest tasks of everybody.
    Recent,
    /// The tasks of a job by their fees.
    Fees(String),
    /// How busy the socket is.
    Stats,
    /// Whether this number is a task's.
    Number(String),
    /// Cancels a job.
    Cancel(String),
}

impl DialectCall for Call {
    fn name(&self) -> &'static str {
        match self {
            Call::Task(_) => "task",
            Call::Tasks(_) => "tasks",
            Call::Job(_) => "job",
            Call::Jobs => "jobs",
            Call::JobsByKey(_) => "jobs-by-key",
            Call::JobsOfNumber(_) => "jobs-of-number",
            Call::Groups => "groups",
            Call::Recent => "recent",
            Call::Fees(_) => "fees",
            Call::Stats => "stats",
            Call::Number(_) => "number",
            Call::Cancel(_) => "cancel",
        }
    }
}

impl Call {
    /// Whether it lists jobs.
    pub(super) fn lists_jobs(&self) -> bool {
        matches!(self, Call::Jobs | Call::JobsByKey(_) | Call::JobsOfNumber(_))
    }
}
