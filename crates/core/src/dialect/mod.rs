//! How one kind of server speaks. A dialect builds requests and parses answers; it does no IO,
//! keeps no timers and decides nothing about reconnecting.
//!
//! Each dialect accepts both generations of its server: what the document promised when it was
//! written and what the shipped server does.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use url::Url;

use crate::model::{Diagnostic, Job, JobId, Topic, Update};
use crate::secret::{REDACTED, Secret, names_secret};
use crate::server::{DialectKind, Policy, Server};

pub mod analyzer;
pub mod answer;
pub mod bull_board;
pub mod endpoint;
mod job_state;
pub mod kecs;
mod memory;
pub mod nest;
pub mod oversized;
mod pages;
pub mod pieces;
mod progress;
pub mod sign_in;
pub mod socketio_session;
pub mod study_buddy;
pub mod tolerant;
pub mod triggerx;

pub use job_state::job_state;
pub use pieces::ReadMark;

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

/// A URL that may carry the key: prints without it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    url: Url,
    /// Names of query parameters whose values are secret.
    secret_query: Vec<String>,
}

impl Address {
    /// An address without secrets.
    #[must_use]
    pub fn new(url: Url) -> Address {
        Address { url, secret_query: Vec::new() }
    }

    /// Adds `name=KEY` to the query; the value is never printed.
    #[must_use]
    pub fn with_secret_query(mut self, name: &str, key: &Secret) -> Address {
        self.url.query_pairs_mut().append_pair(name, key.expose());
        self.secret_query.push(name.to_owned());
        self
    }

    /// Where a redirect to `target` leads: `None` when that is another origin, which must not see
    /// the key. Secret query parameters that `target` lacks are carried over.
    #[must_use]
    pub fn redirected(&self, target: &Url) -> Option<Address> {
        if target.origin() != self.url.origin() {
            return None;
        }
        let mut url = target.clone();
        for (name, value) in self.url.query_pairs() {
            let secret = self.secret_query.iter().any(|secret| *secret == name);
            if secret && !target.query_pairs().any(|(there, _)| there == name) {
                url.query_pairs_mut().append_pair(&name, &value);
            }
        }
        Some(Address { url, secret_query: self.secret_query.clone() })
    }

    /// Whether the value of this query parameter is secret: it is the key, or usually is one.
    fn hides(&self, name: &str) -> bool {
        names_secret(name) || self.secret_query.iter().any(|secret| secret.as_str() == name)
    }

    /// The real URL, for the one place that dials.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        // Credentials in the URL are as secret as the key; either half may be a token.
        if shown.password().is_some() {
            let _ = shown.set_password(None);
            let _ = shown.set_username(REDACTED);
        } else if !shown.username().is_empty() {
            let _ = shown.set_username(REDACTED);
        }
        if self.url.query_pairs().any(|(name, _)| self.hides(&name)) {
            let pairs: Vec<(String, String)> = self
                .url
                .query_pairs()
                .map(|(name, value)| {
                    let value =
                        if self.hides(&name) { REDACTED.into() } else { value.into_owned() };
                    (name.into_owned(), value)
                })
                .collect();
            shown.query_pairs_mut().clear().extend_pairs(pairs);
        }
        f.write_str(&shown.as_str().replace("%5Bredacted%5D", REDACTED))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A request header; its value is treated as secret when printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// The name, as sent.
    pub name: Cow<'static, str>,
    /// The value.
    pub value: Secret,
}

impl Header {
    /// A header.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Header {
        Header { name: name.into(), value: Secret::new(value.into()) }
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {REDACTED}", self.name)
    }
}

/// What to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// `ws` or `wss`, complete.
    pub address: Address,
    /// Headers besides those of the upgrade itself. Never `Origin`: KECS refuses unknown ones.
    pub headers: Vec<Header>,
    /// Sub-protocols offered.
    pub protocols: Vec<String>,
}

impl OpenRequest {
    /// Every secret in this request, so that a text that quotes it can be cleaned: the values of
    /// headers and of secret query parameters, whole and without a scheme or cookie name.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let query = self
            .address
            .url
            .query_pairs()
            .filter(|(name, _)| self.address.hides(name))
            .map(|(_, value)| Secret::new(value.into_owned()));
        let headers = self.headers.iter().flat_map(|header| {
            let bare = header.value.expose().rsplit([' ', '=']).next().unwrap_or("");
            [header.value.clone(), Secret::new(bare.to_owned())]
        });
        query.chain(headers).filter(|secret| secret.expose().len() >= 4).collect()
    }
}

/// The method of an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

/// One HTTP request of a dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// What it asks, in the dialect's own words; [`Dialect::parse`] gets it back.
    pub ask: Ask,
    /// The method.
    pub method: Method,
    /// The complete URL.
    pub address: Address,
    /// Headers, the key among them.
    pub headers: Vec<Header>,
    /// A JSON body, sent with `content-type: application/json` unless a header says otherwise.
    pub body: Option<String>,
    /// Whether the answer is a list that may be long and whose rows mean the same a few at a time:
    /// [`Dialect::parse_piece`] takes it in parts.
    pub list: bool,
}

/// What a [`FetchRequest`] asks, so that its answer can be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ask {
    /// The topic on whose behalf it is asked; `None` for actions and tests.
    pub topic: Option<Topic>,
    /// The dialect's name of the call (`job`, `list`, `logs`).
    pub call: &'static str,
    /// Arguments the dialect needs back: an id, a cursor, a queue.
    pub args: Vec<String>,
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchResponse {
    /// The status code.
    pub status: u16,
    /// The `content-type`, lower case, without parameters.
    pub content_type: Option<String>,
    /// The body, complete.
    pub body: Vec<u8>,
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
    /// Any text, as typed by the user.
    Send(String),
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

/// Something the server would accept for a job now.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// What it does.
    pub kind: ActionKind,
    /// The request that does it.
    pub request: FetchRequest,
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

/// How one kind of server speaks. See the module's documentation.
///
/// A value lives as long as its server is configured; [`Dialect::open`] begins a new link and
/// resets whatever the dialect remembers of the old one.
pub trait Dialect: fmt::Debug + Send {
    /// Which one this is.
    fn kind(&self) -> DialectKind;

    /// The documented numbers.
    fn policy(&self) -> Policy;

    /// Replaces the key used for everything built from now on.
    fn set_key(&mut self, key: Option<Secret>);

    /// Whether there is a key.
    fn has_key(&self) -> bool;

    /// Whether the server answers this only to somebody whose key it accepts.
    fn needs_key(&self, ask: &Ask) -> bool {
        let _ = ask;
        true
    }

    /// What to dial; forgets everything about the previous link.
    ///
    /// # Errors
    /// A sentence for people when the server's configuration cannot be dialled.
    fn open(&mut self) -> Result<OpenRequest, String>;

    /// The socket is open: what to say first, or `Ready` where there is no greeting.
    fn opened(&mut self) -> Vec<Incoming>;

    /// Reads one frame. Total: any bytes give a list, never a panic.
    fn decode(&mut self, frame: &Frame) -> Vec<Incoming>;

    /// Frames that say `out`; empty where the dialect has no words for it.
    fn encode(&mut self, out: &Outgoing) -> Vec<Frame>;

    /// The base of the HTTP API, without the key.
    fn api(&self) -> Option<&Url> {
        None
    }

    /// How the user may sign in to get a key; `None` where the server has no such way.
    fn sign_in(&self) -> Option<sign_in::SignIn> {
        None
    }

    /// Whether the server answers every subscription on this link.
    fn confirms_subscriptions(&self) -> bool {
        false
    }

    /// How this link proves that it is alive (for Engine.IO: as its open packet said).
    fn keepalive(&self) -> Keepalive;

    /// Why this kind of server can never show a topic, in a sentence for people; `None` where it
    /// may.
    fn why_unsupported(&self, topic: &Topic) -> Option<String> {
        let _ = topic;
        None
    }

    /// Whether the user means the job `id` by `given`: other tools show, and people paste, other
    /// spellings and other ids than the one a job has here.
    fn is_alias(&self, given: &JobId, id: &JobId) -> bool {
        given == id
    }

    /// Whether ids repeat: each queue of the server counts its own jobs, so that a job is its queue
    /// and its id. Then the first job that is heard of with an id is known by that alone, and another
    /// of that id, in another queue, as `QUEUE/ID` (see [`queued_id`]).
    fn ids_repeat(&self) -> bool {
        false
    }

    /// Whether the user may mean this job by `given`. One id may mean several jobs.
    fn resolves(&self, given: &JobId, job: &Job) -> bool {
        self.is_alias(given, &job.id) || resolves_by_fields(given, job)
    }

    /// Whether the topic of a job, as it was given, is about this one. A dialect may follow one of
    /// several that may be meant.
    fn follows(&self, given: &JobId, job: &Job) -> bool {
        self.resolves(given, job)
    }

    /// Whether a job belongs to a topic, or may where it does not say.
    fn contains(&self, topic: &Topic, job: &Job) -> bool {
        contains_by_fields(self, topic, job)
    }

    /// The HTTP view of a topic; empty where there is none.
    fn fetch(&self, topic: &Topic) -> Vec<FetchRequest>;

    /// Whether a row of a list tells as much of a job as a fetch of that job alone: then a job that
    /// a list has just shown is not fetched besides.
    fn list_is_complete(&self) -> bool {
        false
    }

    /// Requests for a job's log, where HTTP serves it.
    fn fetch_logs(&self, job: &Job, from: LogFrom) -> Vec<FetchRequest> {
        let _ = (job, from);
        Vec::new()
    }

    /// Whether HTTP serves logs at all.
    fn serves_logs(&self) -> bool {
        false
    }

    /// Whether the socket announces every new line of a log, or brings it, so that a live link
    /// leaves nothing to poll.
    fn announces_logs(&self) -> bool {
        false
    }

    /// Why this job has no log and never will, in a sentence for people; `None` where it may have
    /// one.
    fn why_no_log(&self, job: &Job) -> Option<String> {
        let _ = job;
        None
    }

    /// Takes note of a job as an earlier run of the program knew it.
    fn remember(&mut self, job: &Job) {
        let _ = job;
    }

    /// Reads the answer to `ask`, any status, any bytes. An answer that says the key is not
    /// accepted gives `Refused`; errors of the server give `Unknown` diagnostics.
    fn parse(&mut self, ask: &Ask, response: &FetchResponse) -> Vec<Incoming>;

    /// As [`Dialect::parse`], a piece of a long answer at a time; all pieces together say what the
    /// whole does. `read` is how far the answer has been read: nothing of it at first.
    fn parse_piece(
        &mut self,
        ask: &Ask,
        response: &FetchResponse,
        read: &mut ReadMark,
    ) -> Vec<Incoming> {
        read.done = true;
        self.parse(ask, response)
    }

    /// What is to be made of an answer to `ask` that is too large to be read to its end.
    fn oversized(&mut self, ask: &Ask) -> Oversized {
        let _ = ask;
        Oversized::Useless
    }

    /// What the server would accept for this job now.
    fn actions(&self, job: &Job) -> Vec<Action> {
        let _ = job;
        Vec::new()
    }
}

/// Whether a job belongs to a topic by what it says of itself. A job that does not say whose it is
/// came in through what is watched.
fn contains_by_fields<D: Dialect + ?Sized>(dialect: &D, topic: &Topic, job: &Job) -> bool {
    match topic {
        Topic::Everything => true,
        Topic::Queue(name) => job.queue.as_ref().is_none_or(|queue| queue == name),
        Topic::User(name) => job.user.as_ref().is_none_or(|user| user == name),
        Topic::Job(given) => {
            dialect.follows(given, job)
                || job.parent.as_ref().is_some_and(|parent| dialect.is_alias(given, parent))
        }
    }
}

/// Whether a job is meant by its own id, by the one that other tools show, or by either behind its
/// queue.
fn resolves_by_fields(given: &JobId, job: &Job) -> bool {
    let is = |id: &str| id == own_id(job) || job.external_id.as_deref() == Some(id);
    let queue = job.queue.as_deref().unwrap_or_default();
    is(given.as_str()) || behind(queue, given.as_str()).is_some_and(is)
}

/// The id of a job that is known by its queue as well.
#[must_use]
pub fn queued_id(queue: &str, id: &str) -> JobId {
    format!("{queue}/{id}").into()
}

/// A job's id as its server spells it: without the queue where it is known by that as well.
#[must_use]
pub fn own_id(job: &Job) -> &str {
    behind(job.queue.as_deref().unwrap_or_default(), job.id.as_str()).unwrap_or(job.id.as_str())
}

/// What stands behind `QUEUE/`.
fn behind<'a>(queue: &str, id: &'a str) -> Option<&'a str> {
    let rest = id.strip_prefix(queue).filter(|_| !queue.is_empty())?;
    rest.strip_prefix('/').filter(|own| !own.is_empty())
}

/// The ways in which `given` may name a queue and an id in it.
pub(super) fn queue_and_id(given: &str) -> impl Iterator<Item = (&str, &str)> {
    let slashes = given.match_indices('/');
    slashes
        .map(|(at, _)| (&given[..at], &given[at + 1..]))
        .filter(|(queue, id)| !queue.is_empty() && !id.is_empty())
}

/// The dialect that `server` speaks, with its key.
///
/// # Errors
/// A sentence for people when the server's URLs cannot be used.
pub fn dialect(server: &Server, key: Option<Secret>) -> Result<Box<dyn Dialect>, String> {
    Ok(match server.dialect {
        DialectKind::TriggerX => Box::new(triggerx::TriggerX::new(server, key)?),
        DialectKind::StudyBuddy => Box::new(study_buddy::StudyBuddy::new(server, key)?),
        DialectKind::Analyzer => Box::new(analyzer::Analyzer::new(server, key)?),
        DialectKind::Kecs => Box::new(kecs::Kecs::new(server, key)?),
        DialectKind::BullBoard => Box::new(bull_board::BullBoard::new(server, key)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_is_printed_shows_nothing_of_what_it_holds() {
        let frames = [Frame::Text("sk-1".to_owned()), Frame::Binary(b"sk-1".to_vec()), Frame::Ping];
        assert_eq!(format!("{frames:?}"), "[Text(4 bytes), Binary(4 bytes), Ping]");
    }

    #[test]
    fn an_address_shows_no_credentials_that_its_url_holds() {
        for (url, shown) in [
            ("wss://h/x?API-Key=sk-1&page=2", "wss://h/x?API-Key=[redacted]&page=2"),
            ("wss://h/x?a=1&access_token=sk-1", "wss://h/x?a=1&access_token=[redacted]"),
            ("wss://u:sk-1@h/x", "wss://[redacted]@h/x"),
            ("wss://sk-1@h/x", "wss://[redacted]@h/x"),
            ("wss://:sk-1@h/x", "wss://[redacted]@h/x"),
        ] {
            assert_eq!(Address::new(Url::parse(url).unwrap()).to_string(), shown);
        }
    }
}
