//! Views: what a list of the window looks at, and the rows of its visible range.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{
    Counts, FrameRow, JobDetail, JobLookup, JobRow, JobSort, LogFilter, LogRow, LogState,
    NoticeRow, OpenJob, QueueRow, StateKind,
};

/// What a view looks at.
#[derive(Clone, Debug, PartialEq, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[ts(export)]
pub enum ViewSpec {
    /// Jobs, newest activity first unless sorted otherwise.
    Jobs {
        /// Of one server, or of all.
        server: Option<String>,
        /// Of one queue, or of all.
        queue: Option<String>,
        /// In one of these states; empty for any.
        states: Vec<StateKind>,
        /// Whose name, id, queue, message or error holds this text, whatever the case.
        search: String,
        /// The order.
        sort: JobSort,
    },
    /// One job, whole.
    Job {
        /// On which server.
        server: String,
        /// Which.
        job: String,
    },
    /// The log of a job, or of several, merged by time.
    Log {
        /// Whose, at most 16.
        jobs: Vec<OpenJob>,
        /// Which lines.
        filter: LogFilter,
    },
    /// Queues of one server or of all.
    Queues {
        /// Which server.
        server: Option<String>,
    },
    /// Notices, newest first.
    Notices {
        /// Only those not yet read.
        unread: bool,
        /// Only bad news.
        failures: bool,
        /// Only those that hold this, whatever the case; empty for any.
        search: String,
        /// Groups are folded into their newest notice, but for these; `null`: none are.
        #[ts(type = "Array<number> | null")]
        expanded: Option<Vec<i64>>,
    },
    /// What came over the wire lately.
    Frames {
        /// On which server.
        server: String,
        /// Only what names this job.
        job: Option<String>,
    },
}

/// The visible part of a view.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct ViewWindow {
    /// Which view.
    pub view: u32,
    /// Grows with every change of what the view looks at.
    #[ts(type = "number")]
    pub version: u64,
    /// Rows in all.
    #[ts(type = "number")]
    pub total: u64,
    /// The index of the first row here.
    #[ts(type = "number")]
    pub first: u64,
    /// The rows.
    pub rows: Rows,
}

/// Rows of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[ts(export)]
pub enum Rows {
    /// Of a `jobs` view.
    Jobs {
        /// The rows.
        rows: Vec<JobRow>,
        /// Jobs by state under the same filter, states aside.
        counts: Counts,
    },
    /// Of a `job` view; `null` when it is not known.
    Job {
        /// The job.
        detail: Option<Box<JobDetail>>,
        /// What its server said of it, where that was not the job.
        lookup: Option<JobLookup>,
    },
    /// Of a `log` view.
    Log {
        /// The rows.
        rows: Vec<LogRow>,
        /// The log as a whole.
        state: Box<LogState>,
    },
    /// Of a `queues` view.
    Queues {
        /// The rows.
        rows: Vec<QueueRow>,
    },
    /// Of a `notices` view.
    Notices {
        /// The rows.
        rows: Vec<NoticeRow>,
    },
    /// Of a `frames` view.
    Frames {
        /// The rows.
        rows: Vec<FrameRow>,
    },
}
