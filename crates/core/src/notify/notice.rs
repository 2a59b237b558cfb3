//! What a notice is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rules::EventKind;
use crate::model::{JobId, JobState, Tone};
use crate::server::ServerId;

/// What the ledger remembers, so that nothing is announced twice.
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

/// Something that the user is notified of.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Exactly-once identity; `None` for notices of the server itself and for summaries.
    pub key: Option<NoticeKey>,
    /// On which server.
    pub server: ServerId,
    /// Which job to open on a click.
    pub job: Option<JobId>,
    /// One line: the job's name and the outcome (`nightly-report failed`).
    pub title: String,
    /// How long it took, on which server, and for a failure the line of its error that
    /// explains it.
    pub body: String,
    /// How urgent it is.
    pub tone: Tone,
    /// When it happened.
    pub at: Timestamp,
    /// What it is about, so that several can be shown as one. `None` where it is about no job.
    pub subject: Option<Box<Subject>>,
    /// What made it a notice; `None` for a server's own notices, and for summaries.
    pub trigger: Option<Trigger>,
}

impl Notice {
    /// Whether it is about several servers: then it names none.
    #[must_use]
    pub fn of_several_servers(&self) -> bool {
        self.server.0.is_empty()
    }

    /// Whether it can wait until the user looks: a job began, or ended well. Failures and warnings
    /// cannot.
    #[must_use]
    pub fn routine(&self) -> bool {
        let slow = self.trigger.as_ref().is_some_and(|trigger| trigger.kind == EventKind::Slow);
        !self.tone.troubles() && !slow
    }
}

/// What made an event a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The kind of event.
    pub kind: EventKind,
    /// The first rule that matched, as the user calls it.
    pub rule: String,
}

/// What an outcome's notice is about, in the words that it is shown with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What the job is called.
    pub name: String,
    /// The line that explains its failure; empty where there is none.
    pub error: String,
}
