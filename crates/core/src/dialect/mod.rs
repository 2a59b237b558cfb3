//! How one kind of server speaks. A dialect builds requests and parses answers; it does no IO,
//! keeps no timers and decides nothing about reconnecting.
//!
//! Each dialect accepts both generations of its server: what the document promised when it was
//! written and what the shipped server does.

use std::fmt;

use url::Url;

use crate::model::{Job, JobId, Topic};
use crate::secret::Secret;
use crate::server::{DialectKind, Policy, Server};

pub mod analyzer;
pub mod answer;
pub mod bull_board;
mod call;
pub mod endpoint;
mod ids;
mod job_state;
pub mod kecs;
mod memory;
mod messages;
pub mod nest;
pub mod oversized;
pub mod pages;
pub mod pieces;
pub mod plain_json;
mod progress;
mod request;
pub mod sign_in;
pub mod socketio_session;
pub mod study_buddy;
pub mod table;
pub mod tolerant;
pub mod triggerx;

pub use call::{Ask, Call, DialectCall};
use ids::{contains_by_fields, queue_and_id, resolves_by_fields};
pub use ids::{own_id, queued_id};
pub use job_state::job_state;
pub use messages::{ActionKind, Frame, Incoming, Keepalive, LogFrom, LogPart, Outgoing, Oversized};
pub use pieces::ReadMark;
pub use request::{Address, FetchRequest, FetchResponse, Header, Method, OpenRequest};

/// How one kind of server speaks. See the module's documentation.
///
/// A value lives as long as its server is configured; [`Dialect::open`] begins a new link and
/// resets whatever the dialect remembers of the old one.
pub trait Dialect: fmt::Debug + Send {
    /// Which one this is.
    fn kind(&self) -> DialectKind;

    /// The documented numbers.
    fn policy(&self) -> Policy {
        self.kind().info().policy.clone()
    }

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
    fn offers(&self, job: &Job) -> Option<ActionKind> {
        let _ = job;
        None
    }

    /// The request for an action that [`Dialect::offers`] names; `None` where it has none.
    fn perform(&self, action: ActionKind, job: &Job) -> Option<FetchRequest> {
        let _ = (action, job);
        None
    }
}

/// The dialect that `server` speaks, with its key.
///
/// # Errors
/// A sentence for people when the server's URLs cannot be used.
pub fn dialect(server: &Server, key: Option<Secret>) -> Result<Box<dyn Dialect>, String> {
    (server.dialect.info().new)(server, key)
}
