//! What goes into the machine and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dialect::{FetchRequest, FetchResponse, Frame, LogFrom, OpenRequest};
use crate::jobs::Transition;
use crate::log::LogLines;
use crate::model::{Diagnostic, Job, JobId, Metric, QueuePatch, ServerNotice, Source, Topic};
use crate::secret::Secret;
use crate::time::Mono;

/// What the badge shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "bindings", derive(ts_rs::TS), ts(export))]
pub enum ConnectionState {
    /// The socket is open, greeted and proven alive, the HTTP API answers and accepts the key.
    Live,
    /// Something is heard, but something that is needed is missing: the key is refused, or the
    /// HTTP API does not answer. The reason says what, the remedy what to do.
    Partly,
    /// The first attempts are under way, and none of them has failed for good.
    Connecting,
    /// HTTP answers, the socket does not.
    Polling,
    /// Neither answers.
    Offline,
    /// Nobody accepts the key: needs the user.
    Refused,
    /// Stopped by the user.
    Paused,
}

/// The one thing to do about a connection that is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "bindings", derive(ts_rs::TS), ts(export))]
pub enum Remedy {
    /// Enter a key, or another one.
    EnterKey,
    /// Sign in, where the server gives its keys out that way.
    SignIn,
    /// Set the URL of the HTTP API.
    SetApiUrl,
    /// Set the URL of the socket.
    SetSocketUrl,
    /// Trust the server's certificate.
    TrustCertificate,
    /// Choose another kind of server.
    ChooseKind,
    /// Nothing is wrong here: try again.
    Reconnect,
}

impl Remedy {
    /// The word used on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Remedy::EnterKey => "enter-key",
            Remedy::SignIn => "sign-in",
            Remedy::SetApiUrl => "set-api-url",
            Remedy::SetSocketUrl => "set-socket-url",
            Remedy::TrustCertificate => "trust-certificate",
            Remedy::ChooseKind => "choose-kind",
            Remedy::Reconnect => "reconnect",
        }
    }
}

/// The whole truth about one server's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What the badge shows.
    pub state: ConnectionState,
    /// Since when (local clock).
    pub since: Timestamp,
    /// When anything was last heard from the server, on any way (local clock).
    pub last_received: Option<Timestamp>,
    /// When the socket is tried next, as a moment of the local clock.
    pub next_try: Option<Timestamp>,
    /// Milliseconds until then, at the time of this status.
    pub retry_in_ms: Option<u64>,
    /// Failed attempts since the socket last held.
    pub attempt: u32,
    /// Why it is so, in a sentence for people; secrets removed. `None` when all is well.
    pub reason: Option<String>,
    /// Why not all jobs are shown, in a sentence, where `reason` is about something else.
    pub incomplete: Option<String>,
    /// What can be done about it; `None` where there is nothing to do.
    pub remedy: Option<Remedy>,
    /// Whether the socket is open, greeted and proven alive, whatever else is missing.
    pub socket_live: bool,
}

impl Status {
    /// A status of which nothing is known but the state, and since when (local clock).
    #[must_use]
    pub fn new(state: ConnectionState, since: Timestamp) -> Status {
        Status {
            state,
            since,
            last_received: None,
            next_try: None,
            retry_in_ms: None,
            attempt: 0,
            reason: None,
            incomplete: None,
            remedy: None,
            socket_live: false,
        }
    }

    /// The status of a server whose URLs or options cannot be used: it stays so until they are
    /// changed. `reason` is a sentence without secrets.
    #[must_use]
    pub fn unusable(reason: String, paused: bool, since: Timestamp) -> Status {
        let state = if paused { ConnectionState::Paused } else { ConnectionState::Offline };
        let (reason, remedy) = (Some(reason), Some(Remedy::SetSocketUrl));
        Status { reason, remedy, ..Status::new(state, since) }
    }

    /// Whether the server says that it does not accept the key, whatever else it answers.
    #[must_use]
    pub fn key_refused(&self) -> bool {
        matches!(self.state, ConnectionState::Refused | ConnectionState::Partly)
            && matches!(self.remedy, Some(Remedy::EnterKey | Remedy::SignIn))
    }

    /// Whether jobs are heard of at all: over the socket or over HTTP.
    #[must_use]
    pub fn answers(&self) -> bool {
        match self.state {
            ConnectionState::Live | ConnectionState::Polling => true,
            ConnectionState::Partly => !self.key_refused(),
            ConnectionState::Connecting
            | ConnectionState::Offline
            | ConnectionState::Refused
            | ConnectionState::Paused => false,
        }
    }
}

/// Tells sockets apart, so that late reports of an old one are harmless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// Tells the HTTP requests of a connection apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub u64);

/// Tells the actions apart that a connection is asked to perform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActionId(pub u64);

/// Why an HTTP request or the opening of a socket gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The upgrade was answered with this HTTP status instead of 101.
    #[error("the server answered HTTP {status}{}", .text.as_deref().map(|t| format!(": {t}")).unwrap_or_default())]
    Http {
        /// The status.
        status: u16,
        /// The beginning of the body or its `error`/`message`, where it is text.
        text: Option<String>,
        /// The pause that the server asked for.
        retry_after: Option<Duration>,
    },
    /// TCP or proxy failed.
    #[error("{0}")]
    Unreachable(String),
    /// No address is known for the name.
    #[error("{0}")]
    Unknown(String),
    /// TLS failed.
    #[error("{0}")]
    Tls(String),
    /// The certificate is not trusted.
    #[error("{0}")]
    Untrusted(String),
    /// Nothing came in time.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The answer broke the protocol.
    #[error("{0}")]
    Protocol(String),
    /// Instead of an answer there is a redirect to a page for signing in, at this address: neither
    /// the server nor a proxy before it knows who asks.
    #[error("the server asks to sign in at {0} instead of answering")]
    SignIn(String),
    /// The answer is larger than what is read of one.
    #[error("the answer is larger than the {} MiB that are read", .limit >> 20)]
    TooLarge {
        /// How many bytes are read at most.
        limit: usize,
        /// The answer with so much of its body.
        begun: Box<FetchResponse>,
    },
}

/// Everything that can happen to a server.
#[derive(Debug)]
pub enum Input {
    /// Begin (or resume after a pause).
    Start,
    /// Stop everything until [`Input::Start`]; watched topics are kept.
    Pause,
    /// The user wants the socket tried at once.
    ReconnectNow,
    /// The key was replaced, or is there at last.
    Key(Option<Secret>),
    /// The key is being read, and nothing is opened before [`Input::Key`]. The status shows this
    /// sentence meanwhile.
    AwaitKey(String),
    /// The key could not be read, for this reason, a sentence. [`Input::Key`] may still come.
    KeyUnavailable(String),
    /// The machine woke from sleep or the network changed: distrust the socket.
    Woke,
    /// Express interest in a topic.
    Watch(Topic),
    /// Drop interest in a topic.
    Unwatch(Topic),
    /// Somebody looks at a job, known or not: it is fetched whole, at once and as long as it is
    /// looked at. Answered by [`Output::Lookup`].
    OpenDetail(JobId),
    /// Somebody looks at a job no longer, once for each [`Input::OpenDetail`].
    CloseDetail(JobId),
    /// An answer came just now whose `Date` says what time it is on the server.
    ServerDate(Timestamp),
    /// Look at a job's log, once; of a job that is not known, as soon as it is.
    Logs(JobId, LogFrom),
    /// Somebody reads a job's log from now on: it is looked at now and as it grows.
    ReadLog(JobId),
    /// Somebody who read a job's log does so no longer.
    CloseLog(JobId),
    /// Perform an action; answered by [`Output::Acted`].
    Act(ActionId, FetchRequest),
    /// The driver opened the socket.
    Opened(SocketId),
    /// The driver could not open the socket.
    OpenFailed(SocketId, Failure),
    /// Frames that arrived together, which is the same as one after another.
    Frames(SocketId, Vec<Frame>),
    /// The socket closed or died. Not sent after [`Output::Close`].
    Closed(SocketId, String),
    /// Part of an answer that is a long list (see [`FetchRequest::list`]): a document of its own with
    /// some of the rows. The last part comes as the answer itself.
    Part(FetchId, FetchResponse),
    /// An HTTP request ended, with the pause that the server asked for, whatever the status.
    Fetched(FetchId, Result<FetchResponse, Failure>, Option<Duration>),
    /// Time has passed.
    Tick,
}

/// What came of looking at a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It is known, by this id.
    Known(JobId),
    /// The server does not know it.
    Unknown,
    /// The server gave no usable answer, for this reason.
    Unreachable(String),
}

/// How much of a job's log has been fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogReach {
    /// The server is being asked for the first time.
    Asking,
    /// All that the server has is there. `finished` says that the job has ended and that no more
    /// lines are expected.
    Complete {
        /// See above.
        finished: bool,
    },
    /// Not all is there.
    Cut {
        /// How many lines are missing, where the server counts them.
        missing: Option<u64>,
        /// Why, in a sentence for people; secrets removed.
        reason: String,
        /// The server is asked again soon, which may well help.
        again: bool,
    },
    /// HTTP serves no log of this job: what the socket brings is all there is.
    Unserved,
    /// This job has no log and never will; why, in a sentence for people.
    Never(String),
}

/// Everything the machine wants done or known.
#[derive(Debug)]
pub enum Output {
    /// Open a socket; answer with `Opened` or `OpenFailed`.
    Open(SocketId, OpenRequest, Duration),
    /// Write a frame.
    Send(SocketId, Frame),
    /// Close the socket; nothing more is reported about it.
    Close(SocketId),
    /// Perform an HTTP request; answer with `Fetched`.
    Fetch(FetchId, FetchRequest),
    /// Forget this request; its answer is not wanted any more.
    Abandon(FetchId),
    /// The status changed.
    Status(Status),
    /// A job changed: the whole merged job.
    Job(Arc<Job>),
    /// A step of a job, after the `Job` that shows it.
    Transition(Transition),
    /// What the server knows of a job that is looked at, by its first answer, and by the first usable
    /// one where that was none.
    Lookup {
        /// The job, as it was asked for.
        job: JobId,
        /// What came of it.
        lookup: Lookup,
    },
    /// A job that was told of belongs to nothing that is watched, as it turned out: it is not kept.
    Forgotten(JobId),
    /// Log lines of a job.
    Log {
        /// Whose.
        job: JobId,
        /// The lines, in the server's order.
        lines: LogLines,
        /// From the socket or fetched.
        source: Source,
    },
    /// How much of a log is there, after its lines.
    LogReach {
        /// Whose.
        job: JobId,
        /// How much.
        reach: LogReach,
    },
    /// A measured value.
    Metric(Metric),
    /// A queue's numbers.
    Queue(QueuePatch),
    /// Something the server wants told.
    Notice(ServerNotice),
    /// Somebody has read the notice with this id.
    NoticeRead(String),
    /// Something odd.
    Diagnostic(Diagnostic),
    /// How an action ended: the server's words, or why it failed.
    Acted(ActionId, Result<(), String>),
    /// The first fetch of a topic after it was watched has ended. One that failed is told once,
    /// and the first that was answered wholly, then or later, is told once. That the server denies a
    /// job is told whenever it begins to.
    Listed {
        /// Which topic.
        topic: Topic,
        /// Whether it was answered. Only then is a job that was not named really not there.
        ok: bool,
        /// Why the server does not show the topic's job to whoever asks, in its words; secrets
        /// removed.
        denied: Option<String>,
    },
    /// Nothing to do until the deadline (for ever when `None`) or the next input.
    Idle(Option<Mono>),
}

/// How much a machine holds in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Load {
    /// Requests for the history of logs that wait, at most 64.
    pub history: usize,
    /// Topics whose subscription, or its end, waits to be said: at most twice those watched.
    pub unsent: usize,
    /// Topics found besides those the user watches, at most 1,000.
    pub discovered: usize,
    /// Topics and single jobs being fetched.
    pub topics: usize,
    /// Requests under way.
    pub requests: usize,
    /// Requests waiting for their turn.
    pub waiting: usize,
    /// Single jobs being looked up, at most 384.
    pub lookups: usize,
    /// Jobs, at most [`crate::jobs::MAX_JOBS`].
    pub jobs: usize,
}
