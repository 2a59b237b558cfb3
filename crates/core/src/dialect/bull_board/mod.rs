//! Better Bull Board: a dashboard over BullMQ. Its socket carries hints only (something changed);
//! everything else is asked for over HTTP.
//!
//! A job is one run; its id is the run's uuid. The BullMQ id, which may come back with every run,
//! is kept as the job's `external_id`, since the actions need it with the queue.

mod call;
mod find;
mod frames;
mod http;
mod info;
mod lists;
mod record;

pub use call::{Call, LogPage, TablePage};
pub use info::{INFO, SOCKET, STATS, USER};

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::endpoint::Endpoint;
use super::memory::Memory;
use super::pages::{Cursor, Lately, Way};
use super::sign_in::SignIn;
use super::{
    ActionKind, Ask, Dialect, FetchRequest, FetchResponse, Frame, Incoming, Keepalive, LogFrom,
    OpenRequest, Outgoing, Oversized,
};
use crate::model::{Job, JobId, JobState, Topic};
use crate::secret::Secret;
use crate::server::{DialectKind, Server};

/// A run that was found for a BullMQ id, with or without its queue.
#[derive(Clone, Debug)]
struct Found {
    run: JobId,
    ended: bool,
}

/// How Better Bull Board speaks.
#[derive(Debug)]
pub struct BullBoard {
    endpoint: Endpoint,
    /// Topics watched on this link. The server is not told: everybody hears everything.
    watched: BTreeSet<Topic>,
    /// How far the logs of runs have been read.
    logs: Lately<Cursor>,
    /// The runs that were found for what else names a run.
    found: Memory<Found>,
    /// Failed runs, so that a replay, which keeps its row, counts as a new attempt.
    failed: HashMap<String, record::Ended>,
    /// Ends that were asked for.
    ends: Memory<(Timestamp, Asked)>,
    lists: lists::Lists,
    /// Something was heard on the present link.
    greeted: bool,
    /// Rows asked for at once on the present link.
    page: usize,
}

/// What is known of the end of a run that a list may call failed though it succeeded.
#[derive(Clone, Copy, Debug)]
enum Asked {
    /// The run itself was asked so often and has not answered.
    Times(u8),
    /// Whether it had succeeded.
    Answered(bool),
}

impl BullBoard {
    /// For one configured server.
    ///
    /// # Errors
    /// A sentence for people when a URL cannot be used.
    pub fn new(server: &Server, key: Option<Secret>) -> Result<Self, String> {
        Ok(Self {
            endpoint: Endpoint::new(server, key, INFO.defaults())?,
            watched: BTreeSet::new(),
            logs: Lately::default(),
            found: Memory::default(),
            failed: HashMap::new(),
            ends: Memory::default(),
            lists: lists::Lists::default(),
            greeted: false,
            page: lists::PAGE,
        })
    }
}

impl Dialect for BullBoard {
    fn kind(&self) -> DialectKind {
        DialectKind::BullBoard
    }

    fn set_key(&mut self, key: Option<Secret>) {
        self.endpoint.set_key(key);
    }

    fn has_key(&self) -> bool {
        self.endpoint.key().is_some()
    }

    fn open(&mut self) -> Result<OpenRequest, String> {
        self.watched.clear();
        self.greeted = false;
        self.page = lists::PAGE;
        Ok(self.endpoint.open())
    }

    fn api(&self) -> Option<&Url> {
        Some(self.endpoint.api())
    }

    fn sign_in(&self) -> Option<SignIn> {
        Some(SignIn::below(self.endpoint.api(), false, "bbb-token"))
    }

    /// The server greets nobody and takes everybody: the answer to a ping is the first sign that
    /// somebody is there.
    fn opened(&mut self) -> Vec<Incoming> {
        vec![Incoming::Reply(Frame::Ping)]
    }

    fn decode(&mut self, frame: &Frame) -> Vec<Incoming> {
        let greeting = !std::mem::replace(&mut self.greeted, true);
        let read = self.read_frame(frame);
        greeting.then_some(Incoming::Ready).into_iter().chain(read).collect()
    }

    /// The server ignores whatever it is sent.
    fn encode(&mut self, out: &Outgoing) -> Vec<Frame> {
        match out {
            Outgoing::Watch(topic) => {
                self.watched.insert(topic.clone());
                Vec::new()
            }
            Outgoing::Unwatch(topic) => {
                self.watched.remove(topic);
                self.lists.forget(topic);
                if let Topic::Job(id) = topic {
                    self.logs.forget(id.as_str());
                }
                Vec::new()
            }
            Outgoing::Ping | Outgoing::History(_) => Vec::new(),
        }
    }

    /// The server never pings and has no timeout, but answers WebSocket pings.
    fn keepalive(&self) -> Keepalive {
        Keepalive::WebSocketPings {
            interval: Duration::from_secs(20),
            timeout: Duration::from_secs(10),
        }
    }

    fn why_unsupported(&self, topic: &Topic) -> Option<String> {
        let user = matches!(topic, Topic::User(_));
        user.then(|| "Better Bull Board knows no users. Watch a job, a queue or all.".to_owned())
    }

    /// Other tools show the BullMQ id.
    fn is_alias(&self, given: &JobId, id: &JobId) -> bool {
        given == id || self.found.get(given.as_str()).is_some_and(|found| found.run == *id)
    }

    /// A BullMQ id means a run of every queue, and may come back with every run. One is followed.
    fn follows(&self, given: &JobId, job: &Job) -> bool {
        self.is_alias(given, &job.id)
    }

    fn fetch(&self, topic: &Topic) -> Vec<FetchRequest> {
        self.requests(topic)
    }

    fn fetch_logs(&self, job: &Job, from: LogFrom) -> Vec<FetchRequest> {
        let id = job.id.as_str();
        let (offset, way) = match self.logs.get(id) {
            Some(cursor) if from == LogFrom::Known => cursor.next(),
            _ => (0, Way::All),
        };
        vec![self.log_request(id, offset, way)]
    }

    fn serves_logs(&self) -> bool {
        true
    }

    fn announces_logs(&self) -> bool {
        true
    }

    fn remember(&mut self, job: &Job) {
        self.lists.remember(&job.id, job.state.terminal());
    }

    fn parse(&mut self, ask: &Ask, response: &FetchResponse) -> Vec<Incoming> {
        self.read_answer(ask, response)
    }

    fn oversized(&mut self, ask: &Ask) -> Oversized {
        self.too_large(ask)
    }

    /// The server wants the BullMQ id and the queue of a job.
    fn offers(&self, job: &Job) -> Option<ActionKind> {
        job.external_id.as_ref().zip(job.queue.as_ref())?;
        match job.state {
            JobState::Completed | JobState::Failed | JobState::Cancelled => Some(ActionKind::Retry),
            JobState::Unknown(_) => None,
            _ => Some(ActionKind::Cancel),
        }
    }

    fn perform(&self, action: ActionKind, job: &Job) -> Option<FetchRequest> {
        self.action(action, job).filter(|_| self.offers(job) == Some(action))
    }
}
