//! A job, where it stands, and a fact about it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Extra, JobId, Json, Source};

/// The word in [`JobState::Unknown`] for a job that is over though nobody says how it ended.
pub const ENDED: &str = "ended";

/// The word in [`JobState::Unknown`] for a job that its server does not know any more.
pub const GONE: &str = "gone";

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// Accepted, waiting for a worker.
    Queued,
    /// Waiting for a time or for other jobs.
    Scheduled,
    /// A worker has it.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly, for good.
    Failed,
    /// Stopped on somebody's request.
    Cancelled,
    /// A word of the server that has no canonical meaning, shown as it is.
    Unknown(Box<str>),
}

impl JobState {
    /// Whether nothing more is expected of this attempt.
    #[must_use]
    pub fn terminal(&self) -> bool {
        matches!(self, JobState::Completed | JobState::Failed | JobState::Cancelled)
    }

    /// Whether it does not run any more: it ended, or how it ended is lost.
    #[must_use]
    pub fn over(&self) -> bool {
        self.terminal()
            || matches!(self, JobState::Unknown(word) if **word == *ENDED || **word == *GONE)
    }

    /// Whether it does not run any more and nobody knows how it ended.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.over() && !self.terminal()
    }

    /// What a job is that its server does not know any more, and nobody knows how it ended.
    #[must_use]
    pub fn gone() -> JobState {
        JobState::Unknown(GONE.into())
    }

    /// See [`JobState::gone`].
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, JobState::Unknown(name) if **name == *GONE)
    }

    /// The word used on the command line and in the history; [`JobState::from_word`] reads it back.
    #[must_use]
    pub fn word(&self) -> String {
        match self {
            JobState::Queued => "queued".to_owned(),
            JobState::Scheduled => "scheduled".to_owned(),
            JobState::Running => "running".to_owned(),
            JobState::Completed => "completed".to_owned(),
            JobState::Failed => "failed".to_owned(),
            JobState::Cancelled => "cancelled".to_owned(),
            JobState::Unknown(name) => format!("unknown:{name}"),
        }
    }

    /// Reads what [`JobState::word`] printed; any other text becomes `Unknown` with that text.
    #[must_use]
    pub fn from_word(word: &str) -> JobState {
        match word {
            "queued" => JobState::Queued,
            "scheduled" => JobState::Scheduled,
            "running" => JobState::Running,
            "completed" => JobState::Completed,
            "failed" => JobState::Failed,
            "cancelled" => JobState::Cancelled,
            other => JobState::Unknown(other.strip_prefix("unknown:").unwrap_or(other).into()),
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word())
    }
}

impl Serialize for JobState {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.word())
    }
}

impl<'de> Deserialize<'de> for JobState {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<JobState, D::Error> {
        String::deserialize(deserializer).map(|word| JobState::from_word(&word))
    }
}

/// A job as merged from everything that was heard about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Identity on its server.
    pub id: JobId,
    /// The job this one belongs to.
    pub parent: Option<JobId>,
    /// The server's second id, needed for its actions (Better Bull Board: the BullMQ id).
    pub external_id: Option<String>,
    /// What kind of work it is, for people.
    pub name: Option<String>,
    /// The queue, cluster or group it is in.
    pub queue: Option<String>,
    /// Whose it is, where the server says.
    pub user: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// 0 to 100. `None` where the server reports no number.
    pub progress: Option<f64>,
    /// Progress that is not a number: a stage object, counters.
    pub detail: Option<Json>,
    /// The last thing the job said about itself.
    pub message: Option<String>,
    /// Why it failed, without the stack.
    pub error: Option<String>,
    /// The stack behind `error`.
    pub stack: Option<String>,
    /// Which attempt this is, from 1. `None` where unknown.
    pub attempt: Option<u32>,
    /// How many attempts the server will make.
    pub max_attempts: Option<u32>,
    /// What it was given.
    pub data: Option<Json>,
    /// What it returned.
    pub result: Option<Json>,
    /// When the server accepted it.
    pub created_at: Option<Timestamp>,
    /// When a worker took it (this attempt).
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The newest server time among the facts merged here.
    pub updated_at: Option<Timestamp>,
    /// Fields without a canonical meaning, by the server's name for them.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
    /// Where the last change came from.
    pub source: Source,
    /// When this program last received anything new about it (local clock).
    #[serde(rename = "heard_at")]
    pub last_seen: Timestamp,
}

impl Job {
    /// A job of which nothing is known but where it stands, from where, and when that was received
    /// (local clock).
    #[must_use]
    pub fn new(id: impl Into<JobId>, state: JobState, source: Source, last_seen: Timestamp) -> Job {
        Job {
            id: id.into(),
            parent: None,
            external_id: None,
            name: None,
            queue: None,
            user: None,
            state,
            progress: None,
            detail: None,
            message: None,
            error: None,
            stack: None,
            attempt: None,
            max_attempts: None,
            data: None,
            result: None,
            created_at: None,
            started_at: None,
            finished_at: None,
            updated_at: None,
            extra: Extra::new(),
            source,
            last_seen,
        }
    }

    /// What to call it: the name, or the id where there is none.
    #[must_use]
    pub fn title(&self) -> &str {
        self.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(self.id.as_str())
    }

    /// How long it ran, once it started and ended; from its creation where no start is known.
    #[must_use]
    pub fn took(&self) -> Option<std::time::Duration> {
        let begin = self.started_at.or(self.created_at)?;
        let took = self.finished_at?.duration_since(begin);
        std::time::Duration::try_from(took).ok()
    }
}

/// How final a patch's state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Finality {
    /// As the server said it.
    #[default]
    Final,
    /// A failure that the server may still retry: an attempt failed, the job perhaps not.
    MayRetry,
}

/// A fact about one job: `None` means "not said", never "cleared".
#[derive(Clone, Debug, PartialEq, Default)]
pub struct JobPatch {
    /// Which job. Set with [`JobPatch::new`].
    pub id: Option<JobId>,
    /// See [`Job::parent`].
    pub parent: Option<JobId>,
    /// See [`Job::external_id`].
    pub external_id: Option<String>,
    /// See [`Job::name`].
    pub name: Option<String>,
    /// See [`Job::queue`].
    pub queue: Option<String>,
    /// See [`Job::user`].
    pub user: Option<String>,
    /// See [`Job::state`].
    pub state: Option<JobState>,
    /// Whether a failed state is the last word.
    pub finality: Finality,
    /// See [`Job::progress`]; values outside 0 to 100 are clamped when merged.
    pub progress: Option<f64>,
    /// See [`Job::detail`].
    pub detail: Option<Json>,
    /// See [`Job::message`].
    pub message: Option<String>,
    /// See [`Job::error`].
    pub error: Option<String>,
    /// See [`Job::stack`].
    pub stack: Option<String>,
    /// See [`Job::attempt`].
    pub attempt: Option<u32>,
    /// See [`Job::max_attempts`].
    pub max_attempts: Option<u32>,
    /// See [`Job::data`].
    pub data: Option<Json>,
    /// See [`Job::result`].
    pub result: Option<Json>,
    /// See [`Job::created_at`].
    pub created_at: Option<Timestamp>,
    /// See [`Job::started_at`].
    pub started_at: Option<Timestamp>,
    /// See [`Job::finished_at`].
    pub finished_at: Option<Timestamp>,
    /// How long it ran, where the server says only that.
    pub took_ms: Option<u64>,
    /// When the server says this became true. Orders patches; `None` means "as of arrival".
    pub at: Option<Timestamp>,
    /// Whether this is the present state as read (a row, an HTTP object), not an event.
    pub snapshot: bool,
    /// The newest failed attempt before this, where the server still remembers it.
    pub failed_before: Option<Box<FailedAttempt>>,
    /// See [`Job::extra`].
    pub extra: Extra,
}

impl JobPatch {
    /// A patch that says nothing yet about job `id`.
    #[must_use]
    pub fn new(id: impl Into<JobId>) -> JobPatch {
        JobPatch { id: Some(id.into()), ..JobPatch::default() }
    }
}

/// A failed attempt that another followed, or will.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FailedAttempt {
    /// When it failed; some servers keep the reason only.
    pub at: Option<Timestamp>,
    /// Why.
    pub error: Option<String>,
}
