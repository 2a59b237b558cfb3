//! One Socket.IO client session over one WebSocket, as a pure piece: open packet, connecting
//! namespaces, answering pings, acknowledgements, attachments, session recovery.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use super::endpoint::Endpoint;
use super::{Frame, Incoming, Keepalive};
use crate::model::{Diagnostic, Topic};
use crate::secret::Secret;
use crate::server::KeyPlacement;
use crate::wire::attachments::Attachments;
use crate::wire::engineio::{self, Open, Packet as Engine};
use crate::wire::fields::Fields;
use crate::wire::json;
use crate::wire::socketio::{Kind, Packet, ROOT, elements, split_event};

/// At most this many acknowledgements are awaited; the oldest is forgotten.
const MAX_PENDING: usize = 1024;

/// What servers say to a namespace they do not have.
const INVALID_NAMESPACE: &str = "Invalid namespace";

/// How a namespace has answered on this connection.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NamespaceState {
    /// Not yet.
    Waiting,
    /// `40`.
    Accepted,
    /// `44`, with the server's words.
    Refused(String),
    /// `41`.
    Left,
}

/// What a server needs to send missed events again after a reconnect.
#[derive(Clone, Debug)]
struct Recovery {
    pid: String,
    offset: Option<String>,
}

#[derive(Debug)]
struct Namespace {
    /// As configured.
    wanted: String,
    /// As connected on this link: the wanted one or the fallback.
    path: String,
    state: NamespaceState,
    /// Survives the link: it is of use on the next one only.
    recovery: Option<Recovery>,
}

/// A Socket.IO client session. [`SocketIoSession::reset`] begins a new link.
#[derive(Debug)]
pub struct SocketIoSession {
    wanted: Vec<Namespace>,
    /// Tried when the server does not have the wanted namespace.
    fallback: Option<&'static str>,
    open: Option<Open>,
    /// Protocol 3: the client pings.
    client_pings: bool,
    ready: bool,
    attachments: Attachments,
    next_ack: u64,
    pending: VecDeque<(u64, Topic)>,
}

/// What a frame held.
#[derive(Debug, Default)]
pub struct Decoded<'f> {
    /// What the session itself makes of it.
    pub incoming: Vec<Incoming>,
    /// What it means to the dialect, in order.
    pub events: Vec<SessionEvent<'f>>,
}

/// What the server sent to the dialect.
#[derive(Debug, PartialEq, Eq)]
pub enum SessionEvent<'f> {
    /// An event.
    Event {
        /// Its name.
        name: Cow<'f, str>,
        /// The text behind the name: the first argument, then perhaps more, then `]`.
        args: Cow<'f, str>,
    },
    /// The answer to an event sent with [`SocketIoSession::emit_with_ack`].
    Ack {
        /// What was asked for.
        topic: Topic,
        /// The array of the answer's arguments.
        args: Cow<'f, str>,
    },
    /// A namespace was accepted after the link was already ready.
    Joined(String),
    /// The server's ping.
    Ping,
}

impl SocketIoSession {
    /// A session in `namespaces`, all of which are connected on every link. `fallback` is tried
    /// when the server has none of them.
    #[must_use]
    pub fn new(namespaces: Vec<String>, fallback: Option<&'static str>) -> SocketIoSession {
        let wanted = namespaces
            .into_iter()
            .map(|path| Namespace {
                wanted: path.clone(),
                path,
                state: NamespaceState::Waiting,
                recovery: None,
            })
            .collect();
        SocketIoSession {
            wanted,
            fallback,
            open: None,
            client_pings: false,
            ready: false,
            attachments: Attachments::default(),
            next_ack: 0,
            pending: VecDeque::new(),
        }
    }

    /// Forgets the link; what is needed to recover the session is kept.
    pub fn reset(&mut self) {
        for namespace in &mut self.wanted {
            namespace.state = NamespaceState::Waiting;
            if namespace.path != namespace.wanted {
                namespace.path.clone_from(&namespace.wanted);
                namespace.recovery = None;
            }
        }
        self.open = None;
        self.client_pings = false;
        self.ready = false;
        self.attachments = Attachments::default();
        self.pending.clear();
    }

    /// Forgets also what would recover the session, for another key.
    pub fn forget(&mut self) {
        for namespace in &mut self.wanted {
            namespace.recovery = None;
        }
    }

    /// Whether a namespace has been accepted on this link.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.ready
    }

    /// How this link proves that it is alive: as the open packet says.
    #[must_use]
    pub fn keepalive(&self) -> Keepalive {
        let (interval, timeout) = match &self.open {
            Some(open) => (open.interval(), open.timeout()),
            None => (Duration::from_secs(25), Duration::from_secs(20)),
        };
        if self.client_pings {
            Keepalive::ClientPings { interval, timeout }
        } else {
            Keepalive::ServerPings { interval, timeout }
        }
    }

    /// The client's ping, where the protocol wants one.
    #[must_use]
    pub fn ping(&self) -> Vec<Frame> {
        if self.client_pings { vec![frame(&Engine::Ping(""))] } else { Vec::new() }
    }

    /// An event for every accepted namespace.
    #[must_use]
    pub fn emit(&self, name: &str, args: &[&str]) -> Vec<Frame> {
        self.accepted().map(|path| message(&Packet::event(path, None, name, args))).collect()
    }

    /// An event for one namespace.
    #[must_use]
    pub fn emit_to(namespace: &str, name: &str, args: &[&str]) -> Frame {
        message(&Packet::event(namespace, None, name, args))
    }

    /// An event for every accepted namespace, of which an acknowledgement is wanted.
    pub fn emit_with_ack(&mut self, topic: &Topic, name: &str, args: &[&str]) -> Vec<Frame> {
        let paths: Vec<String> = self.accepted().map(str::to_owned).collect();
        let mut frames = Vec::new();
        for path in paths {
            let id = self.next_ack;
            self.next_ack += 1;
            if self.pending.len() == MAX_PENDING {
                self.pending.pop_front();
            }
            self.pending.push_back((id, topic.clone()));
            frames.push(message(&Packet::event(&path, Some(id), name, args)));
        }
        frames
    }

    fn accepted(&self) -> impl Iterator<Item = &str> {
        self.wanted
            .iter()
            .filter(|namespace| namespace.state == NamespaceState::Accepted)
            .map(|namespace| namespace.path.as_str())
    }

    /// Reads one frame. Total.
    pub fn decode<'f>(&mut self, frame: &'f Frame, endpoint: &Endpoint) -> Decoded<'f> {
        match frame {
            Frame::Text(text) => self.text(text, endpoint),
            Frame::Binary(bytes) => self.binary(bytes, endpoint),
            Frame::Ping | Frame::Pong => Decoded::default(),
        }
    }

    fn text<'f>(&mut self, text: &'f str, endpoint: &Endpoint) -> Decoded<'f> {
        match Engine::parse(text) {
            Ok(Engine::Message(inner)) => self.message(inner, endpoint),
            Ok(Engine::Ping(probe)) => {
                let mut decoded = match self.attachments.pinged() {
                    Some((packet, missing)) => self.incomplete(packet, missing, endpoint),
                    None => Decoded::default(),
                };
                decoded.incoming.insert(0, Incoming::Reply(self::frame(&Engine::Pong(probe))));
                decoded.events.push(SessionEvent::Ping);
                decoded
            }
            Ok(Engine::Open(open)) => {
                self.open = Some(open);
                let paths = self.wanted.iter().map(|namespace| self.connect(namespace, endpoint));
                with(paths.collect())
            }
            Ok(Engine::Close) => {
                with(vec![Incoming::Disconnected("The server closed the connection.".to_owned())])
            }
            Ok(Engine::Pong(_) | Engine::Upgrade | Engine::Noop) => Decoded::default(),
            Err(error) => {
                let words = format!("A frame that cannot be read: {error}.");
                with(vec![diagnostic("unknown-frame", &words, Some(text), endpoint)])
            }
        }
    }

    fn connect(&self, namespace: &Namespace, endpoint: &Endpoint) -> Incoming {
        let mut auth = serde_json::Map::new();
        if let Some(recovery) = &namespace.recovery {
            auth.insert("pid".to_owned(), Value::from(recovery.pid.as_str()));
            if let Some(offset) = &recovery.offset {
                auth.insert("offset".to_owned(), Value::from(offset.as_str()));
            }
        }
        if let Some((name, key)) = auth_field(endpoint) {
            auth.insert(name.to_owned(), Value::from(key.expose()));
        }
        let auth = (!auth.is_empty()).then(|| Cow::Owned(Value::Object(auth).to_string()));
        Incoming::Reply(message(&Packet::new(&namespace.path, Kind::Connect(auth))))
    }

    fn message<'f>(&mut self, text: &'f str, endpoint: &Endpoint) -> Decoded<'f> {
        let packet = match Packet::parse(text) {
            Ok(packet) => packet,
            Err(error) => {
                let words = format!("A packet that cannot be read: {error}.");
                return with(vec![diagnostic("unknown-frame", &words, Some(text), endpoint)]);
            }
        };
        let taken = self.attachments.packet(packet);
        let mut decoded = match taken.incomplete {
            Some((packet, missing)) => self.incomplete(packet, missing, endpoint),
            None => Decoded::default(),
        };
        if let Some(packet) = taken.packet {
            let own = self.packet(packet, endpoint);
            decoded.incoming.extend(own.incoming);
            decoded.events.extend(own.events);
        }
        decoded
    }

    /// A packet of which parts are missing counts all the same, since it may tell of an end.
    fn incomplete<'f>(
        &mut self,
        packet: Packet<'f>,
        missing: usize,
        endpoint: &Endpoint,
    ) -> Decoded<'f> {
        let mut decoded = self.packet(packet, endpoint);
        let words = match missing {
            1 => "A binary part of an event did not arrive.".to_owned(),
            missing => format!("{missing} binary parts of an event did not arrive."),
        };
        decoded.incoming.push(diagnostic("unknown-frame", &words, None, endpoint));
        decoded
    }

    fn binary<'f>(&mut self, bytes: &[u8], endpoint: &Endpoint) -> Decoded<'f> {
        // Protocol 3 marks a binary frame as a message, as it does with text.
        let bytes = bytes.strip_prefix(&[4]).filter(|_| self.client_pings).unwrap_or(bytes);
        match self.attachments.binary(bytes) {
            Ok(Some(whole)) => self.packet(whole, endpoint),
            Ok(None) => Decoded::default(),
            Err(error) => {
                let words = format!("A binary frame was dropped: {error}.");
                with(vec![diagnostic("unknown-frame", &words, None, endpoint)])
            }
        }
    }

    fn packet<'f>(&mut self, packet: Packet<'f>, endpoint: &Endpoint) -> Decoded<'f> {
        let Packet { namespace, kind, .. } = packet;
        match kind {
            Kind::Connect(data) => self.connected(&namespace, data.as_deref()),
            Kind::Disconnect => self.left(&namespace, endpoint),
            Kind::ConnectError(data) => self.refused(&namespace, data.as_deref(), endpoint),
            Kind::Event { args, .. } | Kind::BinaryEvent { args, .. } => {
                self.remember_offset(&namespace, &args);
                let event = match args {
                    Cow::Borrowed(args) => split_event(args).map(|(name, rest)| {
                        SessionEvent::Event { name, args: Cow::Borrowed(rest) }
                    }),
                    Cow::Owned(args) => {
                        split_event(&args).map(|(name, rest)| SessionEvent::Event {
                            name: Cow::Owned(name.into_owned()),
                            args: Cow::Owned(rest.to_owned()),
                        })
                    }
                };
                if event.is_none() {
                    let words = "An event without a name.";
                    return with(vec![diagnostic("wrong-shape", words, None, endpoint)]);
                }
                Decoded { incoming: Vec::new(), events: event.into_iter().collect() }
            }
            Kind::Ack { id, args } | Kind::BinaryAck { id, args, .. } => {
                let Some(index) = self.pending.iter().position(|(pending, _)| *pending == id)
                else {
                    let words = format!("An acknowledgement of {id}, which was not asked for.");
                    return with(vec![diagnostic("unknown-frame", &words, None, endpoint)]);
                };
                let event =
                    self.pending.remove(index).map(|(_, topic)| SessionEvent::Ack { topic, args });
                Decoded { incoming: Vec::new(), events: event.into_iter().collect() }
            }
        }
    }

    fn connected<'f>(&mut self, path: &str, data: Option<&str>) -> Decoded<'f> {
        // Unreadable data leaves both unknown, which is what an old server says.
        let data = data.and_then(Fields::leading).unwrap_or_default();
        let (sid, pid) = (data.string("sid"), data.string("pid"));
        // Only servers of protocol 3 answer without a session id, and there the client pings.
        self.client_pings = sid.is_none();
        let Some(namespace) = self.wanted.iter_mut().find(|namespace| namespace.path == path)
        else {
            // Old servers enter everybody into the root namespace, wanted or not.
            return Decoded::default();
        };
        namespace.state = NamespaceState::Accepted;
        let same = |recovery: &Recovery| Some(&recovery.pid) == pid.as_ref();
        if !namespace.recovery.as_ref().is_some_and(same) {
            namespace.recovery = pid.map(|pid| Recovery { pid, offset: None });
        }
        if self.ready {
            return Decoded {
                incoming: Vec::new(),
                events: vec![SessionEvent::Joined(path.to_owned())],
            };
        }
        self.ready = true;
        with(vec![Incoming::Ready])
    }

    fn left<'f>(&mut self, path: &str, endpoint: &Endpoint) -> Decoded<'f> {
        if let Some(namespace) = self.wanted.iter_mut().find(|namespace| namespace.path == path) {
            namespace.state = NamespaceState::Left;
            // After an explicit good-bye the server keeps nothing to recover.
            namespace.recovery = None;
        }
        let words = format!("The server disconnected us from {path}.");
        if self.accepted().next().is_some() {
            return with(vec![diagnostic("disconnected", &words, None, endpoint)]);
        }
        with(vec![Incoming::Disconnected(words)])
    }

    fn refused<'f>(&mut self, path: &str, data: Option<&str>, endpoint: &Endpoint) -> Decoded<'f> {
        let reason = endpoint.redactor().clean(&refusal(data));
        let unknown = reason == INVALID_NAMESPACE;
        if let Some(namespace) = self.wanted.iter_mut().find(|namespace| namespace.path == path) {
            namespace.state = NamespaceState::Refused(reason.clone());
            namespace.recovery = None;
            if let Some(fallback) = self.fallback.filter(|fallback| unknown && *fallback != path) {
                namespace.path = fallback.to_owned();
                namespace.state = NamespaceState::Waiting;
                let index = self.wanted.iter().position(|namespace| namespace.path == fallback);
                // The entry was renamed one line above.
                let again = index.map(|index| self.connect(&self.wanted[index], endpoint));
                return with(again.into_iter().collect());
            }
        }
        let undecided = |namespace: &Namespace| {
            matches!(namespace.state, NamespaceState::Waiting | NamespaceState::Accepted)
        };
        if self.wanted.iter().any(undecided) {
            return Decoded::default();
        }
        let refused = || {
            self.wanted.iter().filter_map(|namespace| match &namespace.state {
                NamespaceState::Refused(reason) => Some((reason, &namespace.path)),
                _ => None,
            })
        };
        // The most telling refusal: one that is about us rather than about the namespace.
        let telling = refused().find(|(reason, _)| *reason != INVALID_NAMESPACE);
        let words = match (telling, refused().next()) {
            (Some((reason, path)), _) => format!("{reason} (namespace {path})"),
            (None, Some((_, path))) => {
                return with(vec![Incoming::Foreign(format!(
                    "The server has no namespace {path}."
                ))]);
            }
            (None, None) => reason,
        };
        with(vec![Incoming::Refused(words)])
    }

    /// Where the server can recover sessions, the last argument of every event is its offset.
    fn remember_offset(&mut self, path: &str, args: &str) {
        let recovery = self
            .wanted
            .iter_mut()
            .filter(|namespace| namespace.path == path)
            .find_map(|namespace| namespace.recovery.as_mut());
        if let Some(recovery) = recovery
            && let Some(last) = elements(args).and_then(|args| args.last().copied())
            && last.get().starts_with('"')
        {
            recovery.offset = json::id_of(last);
        }
    }
}

/// The namespaces to connect and the socket's URL with the Engine.IO path and query.
///
/// As with the official client, a path that is not the Engine.IO one names the namespace; the
/// server's configured namespace wins.
pub fn locate(ws: &mut Url, configured: Option<&str>) -> Option<String> {
    let path = ws.path().trim_end_matches('/').to_owned();
    let engine = path.rsplit('/').next().is_some_and(|last| last == "socket.io");
    let named = (!engine && !path.is_empty()).then_some(path.clone());
    if engine {
        ws.set_path(&format!("{path}/"));
    } else {
        ws.set_path(engineio::PATH);
    }
    for (name, value) in [("EIO", engineio::VERSION), ("transport", "websocket")] {
        if !ws.query_pairs().any(|(present, _)| present == name) {
            ws.query_pairs_mut().append_pair(name, value);
        }
    }
    match configured.map(str::trim).filter(|configured| !configured.is_empty()) {
        Some(configured) if configured.starts_with('/') => Some(configured.to_owned()),
        Some(configured) => Some(format!("/{configured}")),
        None => named,
    }
}

/// The root namespace, as a list of one.
#[must_use]
pub fn root() -> Vec<String> {
    vec![ROOT.to_owned()]
}

/// A frame of a gateway without Socket.IO, `{"event","data"}`: the name and the text of the data.
#[must_use]
pub fn raw_event(text: &str) -> Option<(String, Option<&str>)> {
    let fields = Fields::parse(text)?;
    Some((fields.string("event")?, fields.get("data").map(RawValue::get)))
}

/// A diagnostic with the beginning of what was received, the key removed from it.
#[must_use]
pub fn diagnostic(
    kind: &'static str,
    words: &str,
    received: Option<&str>,
    endpoint: &Endpoint,
) -> Incoming {
    let redactor = endpoint.redactor();
    Incoming::Unknown(Diagnostic {
        kind,
        text: redactor.clean(words),
        sample: received.map(|text| redactor.clean_prefix(text, json::HEAD)),
    })
}

/// The auth object's field, where the key goes there. A server configured to take the key in the
/// first message gets it in the connect packet, which is the first message.
fn auth_field(endpoint: &Endpoint) -> Option<(&str, &Secret)> {
    let key = endpoint.key()?;
    match endpoint.ws_key()? {
        KeyPlacement::Auth { name } => Some((name, key)),
        KeyPlacement::FirstMessage => Some(("token", key)),
        _ => None,
    }
}

/// The server's words in a refusal: `{"message"}` or, from old servers, a string.
fn refusal(data: Option<&str>) -> String {
    let words = data.and_then(|data| match Fields::leading(data) {
        Some(fields) => fields.string("message"),
        None => serde_json::from_str(data).ok(),
    });
    words
        .filter(|words: &String| !words.is_empty())
        .unwrap_or_else(|| "refused without a reason".to_owned())
}

fn with<'f>(incoming: Vec<Incoming>) -> Decoded<'f> {
    Decoded { incoming, events: Vec::new() }
}

fn frame(packet: &Engine<'_>) -> Frame {
    Frame::Text(packet.to_string())
}

fn message(packet: &Packet<'_>) -> Frame {
    frame(&Engine::Message(&packet.to_string()))
}
