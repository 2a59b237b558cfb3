//! What the two Socket.IO servers share: the Engine.IO handshake, namespaces, rooms.

use std::time::Duration;

use jobwatch_core::wire::{engineio, socketio};
use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;

use crate::DemoOptions;
use crate::json::text;
use crate::protocol::{Heartbeat, Reply, Request, Rules};
use crate::rng::Rng;
use crate::sessions::{Out, Overflow, Session, Sessions};

/// A transport that has joined no namespace for so long is closed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(45);

/// The transport of one server.
#[derive(Debug)]
pub(crate) struct Transport {
    every: Duration,
    timeout: Duration,
    max_payload: u64,
    ids: Rng,
}

/// What a client said.
#[derive(Debug)]
pub(crate) enum ClientPacket {
    /// Nothing that concerns the dialect (a pong, a probe).
    Nothing,
    /// It asks to enter a namespace.
    Connect(String),
    /// It leaves a namespace.
    Disconnect(String),
    /// An event: namespace, ack id, name, arguments.
    Event(String, Option<u64>, String, Vec<Value>),
    /// It closes the transport, or is no Socket.IO client at all.
    Close,
}

impl Transport {
    /// A transport that takes messages of up to `max_payload` bytes.
    pub fn new(options: &DemoOptions, max_payload: u64) -> Transport {
        Transport {
            every: options.ping_interval.unwrap_or(Duration::from_secs(25)),
            timeout: options.ping_timeout.unwrap_or(Duration::from_secs(20)),
            max_payload,
            ids: Rng::derived(options.seed, max_payload),
        }
    }

    /// What its sockets are like.
    pub fn rules(&self) -> Rules {
        Rules {
            heartbeat: Heartbeat::EngineIo { every: self.every, timeout: self.timeout },
            max_inbound: usize::try_from(self.max_payload).unwrap_or(usize::MAX),
            queue: 65_536,
            overflow: Overflow::Close,
        }
    }

    /// Whether the upgrade asks for what this transport is.
    pub fn check(request: &Request) -> Result<(), Reply> {
        if !at_engine(request) {
            return Err(Reply::text(404, "Not Found"));
        }
        match (request.param("EIO"), request.param("transport")) {
            (Some("4"), Some("websocket")) => Ok(()),
            (Some("4"), _) => Err(engine_error(0, "Transport unknown")),
            _ => Err(engine_error(5, "Unsupported protocol version")),
        }
    }

    /// The answer to an HTTP request at the Engine.IO path: the demo has no polling transport.
    pub fn http(request: &Request) -> Option<Reply> {
        at_engine(request).then(|| match Transport::check(request) {
            Ok(()) => engine_error(3, "Bad request"),
            Err(reply) => reply,
        })
    }

    /// A fresh id of 20 characters, as Node's servers make them.
    pub fn sid(&mut self) -> String {
        self.ids.hex(20)
    }

    /// Greets a socket.
    pub fn opened(&mut self, sessions: &mut Sessions, conn: u64) {
        let open = engineio::Open {
            max_payload: Some(self.max_payload),
            ..engineio::Open::new(self.sid(), self.every, self.timeout)
        };
        sessions.text(conn, engineio::Packet::Open(open).to_string());
    }

    /// Lets a socket into a namespace; the answer carries a new id.
    pub fn join(&mut self, sessions: &mut Sessions, conn: u64, namespace: &str) -> String {
        let sid = self.sid();
        if let Some(session) = sessions.session_mut(conn) {
            session.namespaces.insert(namespace.to_owned());
            session.sid.clone_from(&sid);
        }
        let body = format!("{{\"sid\":\"{sid}\"}}");
        send(sessions, conn, namespace, socketio::Kind::Connect(Some(body.into())));
        sid
    }

    /// Refuses a namespace; the transport stays open.
    pub fn refuse(sessions: &mut Sessions, conn: u64, namespace: &str, message: &str) {
        let body = format!("{{\"message\":{}}}", text(message));
        send(sessions, conn, namespace, socketio::Kind::ConnectError(Some(body.into())));
    }

    /// Closes transports on which nobody ever entered a namespace.
    pub fn tick(sessions: &mut Sessions) {
        let late = |session: &Session| {
            session.namespaces.is_empty()
                && session.sid.is_empty()
                && session.opened.is_some_and(|at| at.elapsed() >= CONNECT_TIMEOUT)
        };
        sessions.send_where(&Out::Close(None), late);
    }

    /// Throws everybody out of a namespace, then closes.
    pub fn kick(sessions: &mut Sessions, namespace: &str) {
        for conn in sessions.numbers() {
            let inside = |session: &Session| session.namespaces.contains(namespace);
            if sessions.session(conn).is_some_and(inside) {
                send(sessions, conn, namespace, socketio::Kind::Disconnect);
                sessions.send(conn, Out::Close(None));
            }
        }
    }

    /// Reads what a client sent.
    pub fn read(frame: &str) -> ClientPacket {
        let message = match engineio::Packet::parse(frame) {
            Ok(engineio::Packet::Message(message)) => message,
            Ok(engineio::Packet::Close) | Err(_) => return ClientPacket::Close,
            Ok(_) => return ClientPacket::Nothing,
        };
        let Ok(packet) = socketio::Packet::parse(message) else { return ClientPacket::Close };
        let namespace = packet.namespace.into_owned();
        match packet.kind {
            socketio::Kind::Connect(_) => ClientPacket::Connect(namespace),
            socketio::Kind::Disconnect => ClientPacket::Disconnect(namespace),
            socketio::Kind::Event { id, args } => {
                let args: Option<Vec<Value>> = serde_json::from_str(&args).ok();
                let mut args = args.unwrap_or_default().into_iter();
                match args.next() {
                    Some(Value::String(name)) => {
                        ClientPacket::Event(namespace, id, name, args.collect())
                    }
                    _ => ClientPacket::Close,
                }
            }
            _ => ClientPacket::Nothing,
        }
    }
}

/// Counts an inbound packet; gives how many came within this second.
pub(crate) fn count(session: &mut Session) -> u32 {
    let now = Instant::now();
    let (began, so_far) = session
        .inbound
        .filter(|(began, _)| now.duration_since(*began) < Duration::from_secs(1))
        .unwrap_or((now, 0));
    session.inbound = Some((began, so_far + 1));
    so_far + 1
}

/// Sends one packet.
pub(crate) fn send(sessions: &mut Sessions, conn: u64, namespace: &str, kind: socketio::Kind<'_>) {
    sessions.text(conn, print(&socketio::Packet::new(namespace, kind)));
}

/// Acknowledges an event with one argument.
pub(crate) fn ack(
    sessions: &mut Sessions,
    conn: u64,
    namespace: &str,
    id: u64,
    body: impl Serialize,
) {
    let args = format!("[{}]", text(body));
    send(sessions, conn, namespace, socketio::Kind::Ack { id, args: args.into() });
}

/// The text of an event with one argument.
pub(crate) fn event(namespace: &str, name: &str, body: impl Serialize) -> String {
    print(&socketio::Packet::event(namespace, None, name, &[&text(body)]))
}

fn print(packet: &socketio::Packet<'_>) -> String {
    let packet = packet.to_string();
    engineio::Packet::Message(&packet).to_string()
}

fn at_engine(request: &Request) -> bool {
    matches!(request.path.as_str(), "/socket.io" | "/socket.io/")
}

fn engine_error(code: u32, message: &str) -> Reply {
    Reply::json(400, format!("{{\"code\":{code},\"message\":\"{message}\"}}"))
}
