//! Notices as rows, and what to mute of them.

use jobwatch_core::dialect::ActionKind;
use jobwatch_core::notify::Tone;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::AskedView;

/// One notice.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct NoticeRow {
    /// Its number.
    #[ts(type = "number")]
    pub id: i64,
    /// On which server.
    pub server: String,
    /// The server's name.
    pub server_name: String,
    /// Which job a click opens.
    pub job: Option<String>,
    /// One line.
    pub title: String,
    /// The rest.
    pub body: String,
    /// How it is shown.
    pub tone: Tone,
    /// When it happened.
    #[ts(type = "number")]
    pub at: i64,
    /// Whether it was read.
    pub read: bool,
    /// The rule that matched; `null` where none did.
    pub rule: Option<String>,
    /// What the job is called; `null` for what is not about a job.
    pub name: Option<String>,
    /// Whether it is about an error.
    pub failed: bool,
    /// The job's queue, as far as it is known.
    pub queue: Option<String>,
    /// What the server would accept for the job now.
    pub actions: Vec<ActionKind>,
    /// What was lately asked of the server about the job, and how that went.
    pub asked: Option<AskedView>,
    /// What the programs of its rules printed.
    pub output: Option<String>,
    /// What names the group it belongs to; `null` where it is alone.
    #[ts(type = "number | null")]
    pub group: Option<i64>,
    /// Others of the same group that are folded into it.
    #[ts(type = "Array<number>")]
    pub folded: Vec<i64>,
}

/// What is looked at when something is to be muted.
#[derive(Clone, Debug, PartialEq, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub enum MuteTarget {
    /// What a notice is about.
    Notice {
        #[ts(type = "number")]
        id: i64,
    },
    /// A job.
    Job { server: String, job: String },
}

/// What of it is muted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum MuteBy {
    /// Jobs of its name.
    Name,
    /// Failures with its error.
    Error,
    /// Jobs in its queue.
    Queue,
}

/// What a rule would have notified of lately.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct RuleTrial {
    /// How many events are remembered.
    pub total: u32,
    /// How many of them it matches.
    pub matched: u32,
    /// The last few of those.
    pub examples: Vec<RuleExample>,
}

/// An event that a rule matches.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct RuleExample {
    /// In words.
    pub title: String,
    /// On which server.
    pub server_name: String,
    /// When.
    #[ts(type = "number")]
    pub at: i64,
}
