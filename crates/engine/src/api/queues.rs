//! Queues as rows.

use serde::Serialize;
use ts_rs::TS;

/// One queue.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub struct QueueRow {
    pub server: String,
    pub server_name: String,
    pub name: String,
    pub paused: Option<bool>,
    #[ts(type = "number | null")]
    pub waiting: Option<u64>,
    #[ts(type = "number | null")]
    pub active: Option<u64>,
    #[ts(type = "number | null")]
    pub completed: Option<u64>,
    #[ts(type = "number | null")]
    pub failed: Option<u64>,
    #[ts(type = "number | null")]
    pub delayed: Option<u64>,
}
