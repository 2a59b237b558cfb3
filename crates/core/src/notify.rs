//! Which transitions become notices, and in what words.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::{Job, JobId, JobState};
use crate::server::ServerId;
use crate::state::Transition;

/// What the ledger remembers so that nothing is announced twice.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NoticeKey {
    /// On which server.
    pub server: ServerId,
    /// Which job.
    pub job: JobId,
    /// Which attempt.
    pub attempt: u32,
    /// How it ended.
    pub outcome: JobState,
}

/// Something worth telling the user: a decision, with a reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Exactly-once identity; `None` for notices of the server itself and for summaries.
    pub key: Option<NoticeKey>,
    /// On which server.
    pub server: ServerId,
    /// Which job to open on a click.
    pub job: Option<JobId>,
    /// One line: the job's name and the outcome ("`nightly-report` failed").
    pub title: String,
    /// How long it took, and for a failure the error's first line.
    pub body: String,
    /// How urgent it is.
    pub tone: Tone,
    /// When it happened.
    pub at: Timestamp,
}

/// How a notice is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// Good news.
    Good,
    /// Bad news.
    Bad,
    /// Neither.
    Plain,
}

/// The notice for a transition, or `None` where there is nothing to tell: only outcomes are told,
/// and of those not the cancellations, which somebody asked for.
#[must_use]
pub fn notice(
    server: &ServerId,
    server_name: &str,
    job: &Job,
    transition: &Transition,
) -> Option<Notice> {
    let _ = (server, server_name, job, transition);
    None
}

/// A duration in words: `850 ms`, `12 s`, `4 m 12 s`, `3 h 5 m`, `2 d 4 h`.
#[must_use]
pub fn duration_words(duration: Duration) -> String {
    let _ = duration;
    String::new()
}
