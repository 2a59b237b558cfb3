//! The calls of the analyzer's API.

use jiff::Timestamp;

use super::lists::Stretch;
use crate::dialect::DialectCall;

/// A call of the API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// All queues with their counts.
    Queues,
    /// A job.
    Job(String),
    /// One field of a job, `result` or `progress`, which it did not show.
    Field {
        /// Which.
        field: &'static str,
        /// The job's id.
        id: String,
        /// Its queue, where that is known.
        queue: Option<String>,
    },
    /// The counts of a queue.
    Stats(String),
    /// Rows of a list.
    List {
        /// The queue.
        queue: String,
        /// Which rows.
        stretch: Stretch,
    },
    /// Rows of the list of completed jobs, read for one whose end is in doubt.
    Outcome {
        /// The job's id.
        id: String,
        /// When it ended.
        end: Timestamp,
        /// Its queue.
        queue: String,
        /// Which rows.
        stretch: Stretch,
    },
    /// Rows of the lists of a queue, read for one job. The first are being asked for.
    Find {
        /// The job as it was named.
        given: String,
        /// The queue.
        queue: String,
        /// Which rows.
        stretches: Vec<Stretch>,
    },
    /// Cancels a job.
    Cancel(String),
}

impl DialectCall for Call {
    fn name(&self) -> &'static str {
        match self {
            Call::Queues => "queues",
            Call::Job(_) => "job",
            Call::Field { field, .. } => field,
            Call::Stats(_) => "stats",
            Call::List { .. } => "list",
            Call::Outcome { .. } => "outcome",
            Call::Find { .. } => "find",
            Call::Cancel(_) => "cancel",
        }
    }
}
