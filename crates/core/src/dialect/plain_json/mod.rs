//! Plain JSON over a WebSocket: the smallest dialect, for servers that have no other, and the
//! example of how to write one.
//!
//! The server sends an object whenever a job changes: `{"id":"7","state":"running","progress":40}`.
//! `id` is needed; `name`, `message` and `error` may stand beside it. It is sent nothing, and has no
//! HTTP API: what it said before the socket opened is not known.

use std::time::Duration;

use super::endpoint::Endpoint;
use super::table::{DialectInfo, KeyDefault, Transport};
use super::{
    Ask, Dialect, FetchRequest, FetchResponse, Frame, Incoming, Keepalive, OpenRequest, Outgoing,
    answer, job_state, progress,
};
use crate::model::{JobPatch, Topic, Update};
use crate::probe::Recognition;
use crate::secret::Secret;
use crate::server::{DialectKind, Policy, Server};
use crate::wire::fields::Fields;

/// The row of the table of dialects.
pub const INFO: DialectInfo = DialectInfo {
    title: "Plain JSON",
    hint: "Any WebSocket that sends {\"id\", \"state\", \"progress\"} when a job changes.",
    example: "wss://jobs.example.com/updates",
    transport: Transport::WebSocket,
    socket_path: "/",
    api_path: None,
    api_port: None,
    socket_key: KeyDefault::Bearer,
    api_key: KeyDefault::None,
    wants_key: false,
    key_help: "None is needed, unless the server wants a bearer token.",
    signs_in: false,
    options: &[],
    ports: &[],
    side_ports: &[],
    paths: &[],
    host_words: &[],
    // A socket that takes everybody may be anyone's.
    recognition: Recognition::NONE,
    policy: Policy::DEFAULT,
    new: |server, key| Ok(Box::new(PlainJson::new(server, key)?)),
};

/// How such a server speaks.
#[derive(Debug)]
pub struct PlainJson {
    endpoint: Endpoint,
    /// Something was received on the present connection.
    greeted: bool,
}

impl PlainJson {
    /// For one configured server.
    ///
    /// # Errors
    /// A sentence for people when a URL cannot be used.
    pub fn new(server: &Server, key: Option<Secret>) -> Result<Self, String> {
        Ok(Self { endpoint: Endpoint::new(server, key, INFO.defaults())?, greeted: false })
    }
}

impl Dialect for PlainJson {
    fn kind(&self) -> DialectKind {
        DialectKind::PlainJson
    }

    fn set_key(&mut self, key: Option<Secret>) {
        self.endpoint.set_key(key);
    }

    fn has_key(&self) -> bool {
        self.endpoint.key().is_some()
    }

    fn open(&mut self) -> Result<OpenRequest, String> {
        self.greeted = false;
        Ok(self.endpoint.open())
    }

    /// Nobody is greeted: the answer to a ping is the first sign that somebody is there.
    fn opened(&mut self) -> Vec<Incoming> {
        vec![Incoming::Reply(Frame::Ping)]
    }

    fn decode(&mut self, frame: &Frame) -> Vec<Incoming> {
        let first = !std::mem::replace(&mut self.greeted, true);
        let read = answer::text(frame).map(|text| answer::each_object(&text, job));
        first.then_some(Incoming::Ready).into_iter().chain(read.unwrap_or_default()).collect()
    }

    fn encode(&mut self, _: &Outgoing) -> Vec<Frame> {
        Vec::new()
    }

    fn keepalive(&self) -> Keepalive {
        Keepalive::WebSocketPings {
            interval: Duration::from_secs(20),
            timeout: Duration::from_secs(10),
        }
    }

    fn why_unsupported(&self, topic: &Topic) -> Option<String> {
        matches!(topic, Topic::Queue(_) | Topic::User(_))
            .then(|| "Plain JSON names no queues and no users. Watch a job or all.".to_owned())
    }

    fn fetch(&self, _: &Topic) -> Vec<FetchRequest> {
        Vec::new()
    }

    fn parse(&mut self, _: &Ask, _: &FetchResponse) -> Vec<Incoming> {
        Vec::new()
    }
}

/// One object: a job.
fn job(fields: &Fields<'_>, text: &str) -> Vec<Incoming> {
    let Some(id) = fields.string("id") else {
        return vec![answer::diagnostic("wrong-shape", "An object has no id.", text)];
    };
    let mut patch = JobPatch::new(id);
    patch.state = fields.string("state").map(|word| job_state(&word));
    patch.name = fields.string("name");
    patch.message = fields.string("message");
    patch.error = fields.string("error");
    if let Some(raw) = fields.get("progress") {
        progress::set(&mut patch, raw);
    }
    patch.extra = fields.rest(&["id", "state", "progress", "name", "message", "error"]);
    vec![Incoming::Update(Update::Job(Box::new(patch)))]
}
