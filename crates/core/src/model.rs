//! The canonical words: what every dialect translates into.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

pub use crate::extra::{Extra, Texts};
use crate::log::LogLines;

mod job;

pub use job::{ENDED, FailedAttempt, Finality, GONE, Job, JobPatch, JobState};

/// A job's identity on its server, byte for byte as the dialect defines it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Arc<str>);

impl JobId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for JobId {
    fn from(text: T) -> JobId {
        JobId(text.into())
    }
}

impl Borrow<str> for JobId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// JSON kept as the text the server sent: numbers keep their digits, keys their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Json(Arc<str>);

impl Json {
    /// Parses `text`; `None` when it is not one JSON value.
    #[must_use]
    pub fn parse(text: &str) -> Option<Json> {
        serde_json::from_str::<&RawValue>(text).ok().map(Json::from)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, to be replaced by the same text.
    pub(crate) fn text_mut(&mut self) -> &mut Arc<str> {
        &mut self.0
    }

    /// The parsed tree.
    #[must_use]
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).unwrap_or(serde_json::Value::Null)
    }
}

impl From<&RawValue> for Json {
    fn from(raw: &RawValue) -> Json {
        Json(raw.get().into())
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Json {
        // A `Value` always prints as one JSON value.
        Json(value.to_string().into())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0)
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Json::from(&*raw))
    }
}

/// Where a fact came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "bindings", derive(ts_rs::TS), ts(export))]
pub enum Source {
    /// Pushed over the WebSocket.
    Socket,
    /// Fetched over HTTP.
    Http,
    /// Remembered from an earlier run of the program.
    History,
}

/// What can be watched.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "id", rename_all = "lowercase")]
pub enum Topic {
    /// One job (and the jobs that belong to it).
    Job(JobId),
    /// Every job of a queue.
    Queue(String),
    /// Every job of a user.
    User(String),
    /// Whatever the server lists.
    #[serde(rename = "all")]
    Everything,
}

impl Topic {
    /// Parses `job:ID`, `queue:NAME`, `user:ID` or `all`. Everything after the first colon is the
    /// id, so ids may hold colons.
    ///
    /// # Errors
    /// The text when it has none of these forms or an empty id.
    pub fn parse(text: &str) -> Result<Topic, UnknownTopic> {
        let unknown = || UnknownTopic(text.to_owned());
        if text == "all" {
            return Ok(Topic::Everything);
        }
        match text.split_once(':') {
            Some((_, "")) | None => Err(unknown()),
            Some(("job", id)) => Ok(Topic::Job(id.into())),
            Some(("queue", name)) => Ok(Topic::Queue(name.to_owned())),
            Some(("user", id)) => Ok(Topic::User(id.to_owned())),
            Some(_) => Err(unknown()),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topic::Job(id) => write!(f, "job:{id}"),
            Topic::Queue(name) => write!(f, "queue:{name}"),
            Topic::User(id) => write!(f, "user:{id}"),
            Topic::Everything => f.write_str("all"),
        }
    }
}

/// A topic that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a topic: use job:ID, queue:NAME, user:ID or all")]
pub struct UnknownTopic(pub String);

/// How serious a log line or a server's notification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "bindings", derive(ts_rs::TS), ts(export))]
#[allow(missing_docs)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Level {
    /// Reads the words servers and loggers use, in any case, whole or in their usual abbreviations
    /// (`log` is info, `wrn` and `warning` are warn).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Level> {
        // The usual ones first.
        const WORDS: [(&str, Level); 45] = [
            ("info", Level::Info),
            ("debug", Level::Debug),
            ("warn", Level::Warn),
            ("error", Level::Error),
            ("trace", Level::Trace),
            ("fatal", Level::Fatal),
            ("warning", Level::Warn),
            ("log", Level::Info),
            ("err", Level::Error),
            ("notice", Level::Info),
            ("success", Level::Info),
            ("critical", Level::Fatal),
            ("panic", Level::Fatal),
            ("severe", Level::Error),
            ("inf", Level::Info),
            ("dbg", Level::Debug),
            ("wrn", Level::Warn),
            ("eror", Level::Error),
            ("erro", Level::Error),
            ("trc", Level::Trace),
            ("ftl", Level::Fatal),
            ("crit", Level::Fatal),
            ("alert", Level::Fatal),
            ("emerg", Level::Fatal),
            ("emergency", Level::Fatal),
            ("information", Level::Info),
            ("informational", Level::Info),
            ("verbose", Level::Trace),
            ("silly", Level::Trace),
            ("fine", Level::Debug),
            ("finer", Level::Trace),
            ("finest", Level::Trace),
            ("debu", Level::Debug),
            ("dbug", Level::Debug),
            ("trce", Level::Trace),
            ("fata", Level::Fatal),
            ("pani", Level::Fatal),
            ("pnc", Level::Fatal),
            ("dpanic", Level::Fatal),
            ("t", Level::Trace),
            ("d", Level::Debug),
            ("i", Level::Info),
            ("w", Level::Warn),
            ("e", Level::Error),
            ("f", Level::Fatal),
        ];
        let known = WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known));
        known.map(|(_, level)| *level)
    }

    /// The word used on the command line and in the history.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Fatal => "fatal",
        }
    }
}

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// The job it belongs to; `None` for the server or the queue as a whole.
    pub job: Option<JobId>,
    /// What it measures, by the server's name (`cpu`, `memory`).
    pub name: String,
    /// The value.
    pub value: f64,
    /// `%`, `MB` and the like, where the server says.
    pub unit: Option<String>,
    /// When it was measured.
    pub at: Option<Timestamp>,
}

/// A fact about one queue: `None` means "not said".
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueuePatch {
    /// Its name.
    pub name: String,
    /// Whether it takes no new jobs.
    pub paused: Option<bool>,
    /// Jobs waiting for a worker.
    pub waiting: Option<u64>,
    /// Jobs with a worker.
    pub active: Option<u64>,
    /// Jobs ended well, as far as the server counts.
    pub completed: Option<u64>,
    /// Jobs ended badly, as far as the server counts.
    pub failed: Option<u64>,
    /// Jobs waiting for a time.
    pub delayed: Option<u64>,
}

/// How a notice is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "bindings", derive(ts_rs::TS), ts(export))]
pub enum Tone {
    /// Good news.
    Good,
    /// Bad news.
    Bad,
    /// What may become bad news: a server's warning.
    Warn,
    /// None of these.
    Plain,
}

impl Tone {
    /// The word used on the command line, in the history and for the page.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Warn => "warn",
            Tone::Plain => "plain",
        }
    }

    /// Reads what [`Tone::word`] printed; any other text is plain.
    #[must_use]
    pub fn from_word(word: &str) -> Tone {
        let all = [Tone::Good, Tone::Bad, Tone::Warn];
        all.into_iter().find(|tone| tone.word() == word).unwrap_or(Tone::Plain)
    }

    /// Whether it is about something that went wrong, or may go wrong.
    #[must_use]
    pub fn troubles(self) -> bool {
        matches!(self, Tone::Bad | Tone::Warn)
    }
}

/// Something the server wants told to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerNotice {
    /// The server's id, for telling duplicates apart.
    pub id: Option<String>,
    /// The job it is about.
    pub job: Option<JobId>,
    /// A short heading.
    pub title: String,
    /// The text.
    pub text: String,
    /// How it is shown.
    pub tone: Tone,
    /// When the server says it happened.
    pub at: Option<Timestamp>,
    /// Whether somebody has read it already, as the server says.
    pub read: bool,
}

/// A canonical fact a dialect learned.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// About one job.
    Job(Box<JobPatch>),
    /// The server does not know this job (any more).
    Gone(JobId),
    /// Lines of one job's log, in the server's order.
    Log {
        /// Whose log.
        job: JobId,
        /// The lines.
        lines: LogLines,
    },
    /// A measured value.
    Metric(Metric),
    /// About one queue.
    Queue(QueuePatch),
    /// Something to tell people.
    Notice(ServerNotice),
    /// Somebody has read the notice with this [`ServerNotice::id`].
    NoticeRead(String),
}

/// The [`Diagnostic::kind`] of an answer that refuses an action, whatever its status.
pub const ACTION_REFUSED: &str = "action-refused";

/// The [`Diagnostic::kind`] of a subscription that the server has not answered.
pub const UNCONFIRMED: &str = "unconfirmed-subscription";

/// Something odd that is worth seeing when a server does not behave: counted and shown, never
/// fatal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable, short name of the kind of oddity (`unknown-frame`, `bad-json`, `wrong-shape`,
    /// `refused-subscription`, [`UNCONFIRMED`], `limited`, `http-error`, `server-error`,
    /// `disconnected`, [`ACTION_REFUSED`]).
    pub kind: &'static str,
    /// What was odd, in a sentence.
    pub text: String,
    /// The beginning of what was received. The caller removes secrets first and then cuts it to
    /// [`SAMPLE`](crate::wire::json::SAMPLE): a key that is cut is not recognised any more.
    pub sample: Option<String>,
}
