//! What a dialect must be able to say: the server half, without any IO.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::{HeaderMap, Method};
use serde_json::Value;

use crate::sessions::{Out, Overflow, Session, Sessions};
use crate::world::{Event, World};

/// How a socket keeps itself alive.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Heartbeat {
    /// The server never pings and never gives up.
    None,
    /// WebSocket pings; closed without a frame when no pong came for `deadline`.
    Ping { every: Duration, deadline: Duration },
    /// Engine.IO's `2`; closed with an empty close frame when no `3` came within `timeout`.
    EngineIo { every: Duration, timeout: Duration },
}

/// What a dialect's sockets are like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub heartbeat: Heartbeat,
    /// The longest inbound frame, bytes; longer ones close the socket with 1009.
    pub max_inbound: usize,
    /// How many frames may wait for a slow client.
    pub queue: usize,
    pub overflow: Overflow,
}

/// Which of a server's ports was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The first or only one.
    Main,
    /// KECS's admin API, Better Bull Board's HTTP.
    Second,
}

/// An HTTP request.
#[derive(Debug)]
pub(crate) struct Request {
    pub role: Role,
    /// The ports of the server, the one of [`Role::Main`] first.
    pub ports: Vec<u16>,
    pub method: Method,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Request {
    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A query parameter.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers.get_all("cookie").into_iter();
        cookies.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';')).find_map(
            |pair| {
                let (key, value) = pair.trim().split_once('=')?;
                (key == name).then_some(value)
            },
        )
    }

    /// The token behind `Authorization: Bearer`.
    pub fn bearer(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// The path's segments.
    pub fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|segment| !segment.is_empty()).collect()
    }

    /// The body as JSON; `None` when it is not.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// An HTTP answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// Wait so long before answering.
    pub delay: Option<Duration>,
}

impl Reply {
    /// A JSON answer.
    pub fn json(status: u16, body: impl Into<String>) -> Reply {
        Reply {
            status,
            content_type: "application/json; charset=utf-8",
            headers: Vec::new(),
            body: body.into(),
            delay: None,
        }
    }

    /// A plain text answer.
    pub fn text(status: u16, body: impl Into<String>) -> Reply {
        Reply { content_type: "text/plain; charset=utf-8", ..Reply::json(status, body) }
    }

    /// An HTML answer.
    pub fn html(status: u16, body: impl Into<String>) -> Reply {
        Reply { content_type: "text/html; charset=utf-8", ..Reply::json(status, body) }
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }
}

/// One dialect's server half.
pub(crate) trait Protocol: Send + std::fmt::Debug {
    /// What its sockets are like.
    fn rules(&self) -> Rules;

    /// Its ports.
    fn roles(&self) -> &'static [Role] {
        &[Role::Main]
    }

    /// The options with which a client is configured; `ports` are those of [`Protocol::roles`].
    fn options(&self, ports: &[u16]) -> BTreeMap<String, String> {
        let _ = ports;
        BTreeMap::new()
    }

    /// The Socket.IO namespace, where it is not the dialect's usual one.
    fn namespace(&self) -> Option<String> {
        None
    }

    /// Whether an upgrade is accepted, and as what.
    fn upgrade(
        &mut self,
        world: &World,
        sessions: &Sessions,
        request: &Request,
    ) -> Result<Session, Reply>;

    /// A socket is open.
    fn opened(&mut self, world: &World, sessions: &mut Sessions, conn: u64);

    /// A socket received text.
    fn text(&mut self, world: &mut World, sessions: &mut Sessions, conn: u64, text: &str);

    /// A socket is gone.
    fn closed(&mut self, conn: u64) {
        let _ = conn;
    }

    /// Something happened in the world.
    fn event(&mut self, world: &World, sessions: &mut Sessions, event: &Event);

    /// Time has passed: about every 50 ms.
    fn tick(&mut self, world: &World, sessions: &mut Sessions) {
        let _ = (world, sessions);
    }

    /// Answers an HTTP request.
    fn http(&mut self, world: &mut World, sessions: &Sessions, request: &Request) -> Reply;

    /// Ends all sessions in the dialect's words.
    fn kick(&mut self, sessions: &mut Sessions) {
        sessions.send_where(&Out::Close(Some(1000)), |_| true);
    }

    /// Log lines `first..first + count` of a job, as frames with `batch` lines each; empty where
    /// the dialect does not push lines.
    fn lines(&self, world: &World, key: u64, first: u64, count: u64, batch: u64) -> Vec<String> {
        let _ = (world, key, first, count, batch);
        Vec::new()
    }

    /// A well-formed frame for flooding, about the newest job.
    fn filler(&self, world: &World, n: u64) -> String;

    /// A well-formed frame of a type the dialect does not know, around this JSON.
    fn unknown(&self, data: &str) -> String;

    /// Frames of the dialect's own types with the wrong shapes.
    fn wrong_shapes(&self) -> Vec<String>;

    /// Tokens from signing in are accepted no longer; signing in again gives new ones.
    fn expire(&mut self) {}

    /// Refused requests so far, for want of a valid key.
    fn bad_auth(&self) -> u64;
}
