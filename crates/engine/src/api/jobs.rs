//! Jobs as rows of a list, and one of them whole.

use jobwatch_core::dialect::ActionKind;
use jobwatch_core::model::Source;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::Series;

/// A job's state for the page: the canonical word, and the server's word where it has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct StateView {
    /// Which of the seven.
    pub kind: StateKind,
    /// The server's word, for `unknown`.
    pub name: Option<String>,
}

/// The seven kinds of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub enum StateKind {
    Queued,
    Scheduled,
    Running,
    Completed,
    Failed,
    Cancelled,
    Unknown,
}

/// The order of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum JobSort {
    /// Running first, then by last change, newest first.
    Activity,
    /// Newest first.
    Created,
    /// By name.
    Name,
    /// Longest first.
    Duration,
}

/// How it stands with asking a server for a job that is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[ts(export)]
pub enum JobLookup {
    /// Its answer is awaited.
    Asking,
    /// It does not know the job.
    Unknown,
    /// It gave no usable answer.
    Failed {
        /// Why, in a sentence.
        reason: String,
    },
}

/// Jobs by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub struct Counts {
    pub queued: u32,
    pub scheduled: u32,
    pub running: u32,
    pub completed: u32,
    pub failed: u32,
    pub cancelled: u32,
    pub unknown: u32,
}

/// One job in a list.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct JobRow {
    /// On which server.
    pub server: String,
    /// The server's name.
    pub server_name: String,
    /// Identity on its server.
    pub id: String,
    /// The id by which people know it: the one that the server's other tools show.
    pub shown_id: String,
    /// What names it alone, on the command line and in links: its id, or `QUEUE/ID`.
    pub naming: String,
    /// What to call it.
    pub name: String,
    /// The argument that tells it from others of its name: a file, an address, a subject.
    pub about: Option<String>,
    /// The queue.
    pub queue: Option<String>,
    /// Where it stands.
    pub state: StateView,
    /// 0 to 100.
    pub progress: Option<f64>,
    /// The progress in words where there is no number (`step: analysing`).
    pub stage: Option<String>,
    /// The last message; of a job that failed, the line of its error that explains it.
    pub text: Option<String>,
    /// Created.
    #[ts(type = "number | null")]
    pub created_at: Option<i64>,
    /// Started.
    #[ts(type = "number | null")]
    pub started_at: Option<i64>,
    /// Ended.
    #[ts(type = "number | null")]
    pub finished_at: Option<i64>,
    /// Attempt n.
    pub attempt: Option<u32>,
    /// Of m.
    pub max_attempts: Option<u32>,
    /// Whether the user asked for this job by name (and not only for a list it is in).
    pub watched: bool,
    /// Whether this is remembered and not confirmed since the program started.
    pub stale: bool,
    /// When it was last heard of.
    #[ts(type = "number")]
    pub heard_at: i64,
    /// What was lately asked of the server about it, and how that went.
    pub asked: Option<AskedView>,
}

/// Something that was asked of a server about a job.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct AskedView {
    /// What.
    pub action: ActionKind,
    /// How it went.
    pub state: AskedState,
    /// Why it was refused, in a sentence.
    pub message: Option<String>,
    /// The run that came of it, where that is a job of its own.
    pub run: Option<String>,
}

/// How it went what was asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum AskedState {
    /// It has not answered yet.
    Asked,
    /// It accepted.
    Accepted,
    /// It refused, or nobody knows whether it did it.
    Refused,
}

/// One job, whole.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct JobDetail {
    /// What the list shows.
    pub row: JobRow,
    /// The job it belongs to.
    pub parent: Option<String>,
    /// Jobs that belong to it, at most 100.
    pub children: Vec<JobRow>,
    /// The server's second id.
    pub external_id: Option<String>,
    /// Whose it is.
    pub user: Option<String>,
    /// Last message.
    pub message: Option<String>,
    /// Error, without the stack.
    pub error: Option<String>,
    /// The stack.
    pub stack: Option<String>,
    /// Progress that is no number, as JSON text.
    pub detail: Option<String>,
    /// What it was given, as JSON text.
    pub data: Option<String>,
    /// What it returned, as JSON text.
    pub result: Option<String>,
    /// Everything else the server says of it, as JSON text by name.
    pub extra: Vec<(String, String)>,
    /// Where it was last seen.
    pub source: Source,
    /// What happened to it, oldest first.
    pub timeline: Vec<TimelineRow>,
    /// What the server would accept now.
    pub actions: Vec<ActionKind>,
    /// Its metrics, each with its latest values.
    pub metrics: Vec<Series>,
    /// Lines in its log.
    #[ts(type = "number")]
    pub log_lines: u64,
}

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct TimelineRow {
    /// When.
    #[ts(type = "number")]
    pub at: i64,
    /// Which attempt.
    pub attempt: u32,
    /// The state it came from.
    pub from: Option<StateView>,
    /// The state it went to.
    pub to: StateView,
    /// Whether only the attempt failed, and the server may try again.
    pub attempt_failed: bool,
    /// The line of its error that explains it.
    pub error: Option<String>,
}
