//! What passes between the program and a dialect: frames, what is sent, and what was received.

use std::fmt;
use std::time::Duration;

use super::request::FetchRequest;
use crate::model::{Diagnostic, JobId, Topic, Update};

/// One WebSocket unit. Its `Debug` tells kind and length only, since it may quote the key.
#[derive(Clone, PartialEq, Eq)]
pub enum Frame {
    /// Text. Invalid UTF-8 is replaced before it gets here.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// A WebSocket ping.
    Ping,
    /// A WebSocket pong.
    Pong,
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Frame::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Frame::Binary(data) => write!(f, "Binary({} bytes)", data.len()),
            Frame::Ping => f.write_str("Ping"),
            Frame::Pong => f.write_str("Pong"),
        }
    }
}

/// What the program wants to say on the socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outgoing {
    /// Subscribe to a topic.
    Watch(Topic),
    /// Give a topic up.
    Unwatch(Topic),
    /// The dialect's own ping.
    Ping,
    /// Ask for a job's earlier log lines.
    History(JobId),
}

/// How the link proves that it is alive. Any frame counts as proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keepalive {
    /// The server pings (Engine.IO): dead when nothing came for `interval + timeout`.
    ServerPings {
        /// Between the server's pings.
        interval: Duration,
        /// How late one may be.
        timeout: Duration,
    },
    /// We send [`Outgoing::Ping`] every `interval`; dead when nothing came within `timeout` after.
    ClientPings {
        /// Between our pings.
        interval: Duration,
        /// How long an answer may take.
        timeout: Duration,
    },
    /// We send WebSocket pings, with the same two numbers.
    WebSocketPings {
        /// Between our pings.
        interval: Duration,
        /// How long an answer may take.
        timeout: Duration,
    },
}

/// What a dialect made of a frame, an opening or an HTTP answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// The greeting is over: namespace accepted, first valid exchange. The link is live.
    Ready,
    /// Send this at once (a greeting, a pong, a connect packet).
    Reply(Frame),
    /// The server confirmed that a topic is watched.
    Watched(Topic),
    /// The server takes no more frames for a moment; what was just said was not heard.
    RateLimited(String),
    /// The server refused one topic; the link is unharmed.
    SubscriptionRejected {
        /// Which topic, where the refusal can be matched to one.
        topic: Option<Topic>,
        /// The server's words.
        reason: String,
    },
    /// A canonical fact.
    Update(Update),
    /// Something about this topic changed and must be fetched.
    Stale(Topic),
    /// Something about this topic will change soon, which nothing will announce: it must be fetched,
    /// and again for a while.
    Soon(Topic),
    /// The answers to what was asked of a topic do not show all of it, not even with what follows
    /// from them.
    Partial {
        /// Whether jobs that are under way may be missing, rather than only such as ended long ago.
        open: bool,
        /// Why, in a sentence for people, where they should know.
        why: Option<String>,
    },
    /// This topic turned out to be part of what is watched: subscribe to it as well while its job
    /// is not terminal (analyzer and TriggerX subscribe by job only).
    Discovered(Topic),
    /// The answer is not complete without this further request (next page, details of a list).
    Follow(FetchRequest),
    /// The server does not accept the key: its own words, or `HTTP` and the status.
    Refused(String),
    /// Another kind of server answers, or this one has no such place: a sentence for people.
    Foreign(String),
    /// The server ends the session in words of the dialect; the link must be closed.
    Disconnected(String),
    /// What an answer about a job's log says besides its lines. Comes after them, and before the
    /// `Follow` of the next page; an answer without either gave no log.
    LogPart(LogPart),
    /// New lines of a log can be asked for: of this job, or of any.
    LogGrew(Option<JobId>),
    /// Something unexpected.
    Unknown(Diagnostic),
}

/// What an answer about a job's log says besides its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPart {
    /// Lines that the server counts behind those of this answer.
    pub left: u64,
    /// Why the server gives no more than it gave, in a sentence for people.
    pub held_back: Option<String>,
}

/// From where on a log is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFrom {
    /// From its first line.
    Beginning,
    /// From where it was last read to, with a few lines before that to see whether it moved; from
    /// its first line where nothing was read.
    Known,
}

/// What is to be made of an answer that is too large to be read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Oversized {
    /// Nothing: its beginning might say something else than the whole.
    Useless,
    /// It is a list. What came whole of it holds, and the rest is not to be had.
    List,
    /// The same is to be asked for in these smaller parts.
    Parts(Vec<FetchRequest>),
}

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "bindings", derive(ts_rs::TS), ts(export))]
pub enum ActionKind {
    /// Stop a job that has not ended.
    Cancel,
    /// Run an ended job again.
    Retry,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_is_printed_shows_nothing_of_what_it_holds() {
        let frames = [Frame::Text("sk-1".to_owned()), Frame::Binary(b"sk-1".to_vec()), Frame::Ping];
        assert_eq!(format!("{frames:?}"), "[Text(4 bytes), Binary(4 bytes), Ping]");
    }
}
