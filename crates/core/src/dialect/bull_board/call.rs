//! The calls of the API of Better Bull Board.

use crate::dialect::DialectCall;
use crate::dialect::pages::Way;

/// A call of the API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// A run, by its id.
    Job(String),
    /// A page of the table of runs.
    Table(TablePage),
    /// A page of the runs that a search finds.
    Search(TablePage),
    /// A page of the table of queues.
    Queues(TablePage),
    /// The numbers of jobs.
    Stats,
    /// The numbers of queues.
    QueueStats,
    /// A page of a run's log.
    Logs(LogPage),
    /// Whether there is a log of a run that the server did not describe.
    Probe(String),
    /// Cancels a run.
    Cancel(String),
    /// Runs an ended run again.
    Replay(String),
}

/// A page of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TablePage {
    /// Which one, from 1.
    pub number: u32,
    /// The body of the call.
    pub body: serde_json::Value,
}

/// A page of a run's log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogPage {
    /// The run.
    pub id: String,
    /// The first line.
    pub offset: u64,
    /// What the page is for.
    pub way: Way,
    /// How many lines at most.
    pub limit: u64,
}

impl DialectCall for Call {
    fn name(&self) -> &'static str {
        match self {
            Call::Job(_) => "job",
            Call::Table(_) => "table",
            Call::Search(_) => "search",
            Call::Queues(_) => "queues",
            Call::Stats => "stats",
            Call::QueueStats => "queue-stats",
            Call::Logs(_) => "logs",
            Call::Probe(_) => "probe",
            Call::Cancel(_) => "cancel",
            Call::Replay(_) => "replay",
        }
    }
}
