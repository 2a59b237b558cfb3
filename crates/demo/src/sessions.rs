//! The open sockets of one server, seen from the dialect: whom to tell what.

use std::collections::{BTreeMap, BTreeSet};

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};
use tokio_util::sync::CancellationToken;

/// Something to do on a socket.
#[derive(Clone, Debug)]
pub(crate) enum Out {
    Text(Utf8Bytes),
    Binary(Bytes),
    /// A text frame with bytes that are not UTF-8.
    BrokenText(Bytes),
    /// A close frame: with a code, or empty (clients see 1005).
    Close(Option<u16>),
}

/// What the dialect remembers about a socket.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// The socket's id, for dialects that name it.
    pub sid: String,
    /// The key that came with the upgrade was right.
    pub authenticated: bool,
    /// The namespaces it has joined.
    pub namespaces: BTreeSet<String>,
    /// The rooms it is in.
    pub rooms: BTreeSet<String>,
    /// When it was upgraded.
    pub opened: Option<Instant>,
    /// When the current second of the inbound packet count began, and the count.
    pub inbound: Option<(Instant, u32)>,
    /// Filters set by the client, as the dialect reads them.
    pub filters: Vec<serde_json::Value>,
}

/// A full queue: what the real server does then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// The socket is closed.
    Close,
    /// The frame is not sent.
    Skip,
}

#[derive(Debug)]
struct Conn {
    queue: mpsc::Sender<Out>,
    abort: CancellationToken,
    session: Session,
}

/// All open sockets.
#[derive(Debug)]
pub(crate) struct Sessions {
    conns: BTreeMap<u64, Conn>,
    next: u64,
    overflow: Overflow,
    /// Frames not sent to slow clients.
    pub skipped: u64,
    /// Sockets ever opened.
    pub opened: u64,
}

impl Sessions {
    /// No sockets yet.
    pub fn new(overflow: Overflow) -> Sessions {
        Sessions { conns: BTreeMap::new(), next: 1, overflow, skipped: 0, opened: 0 }
    }

    /// Takes a socket in and gives its number.
    pub fn add(
        &mut self,
        queue: mpsc::Sender<Out>,
        abort: CancellationToken,
        session: Session,
    ) -> u64 {
        let number = self.next;
        self.next += 1;
        self.opened += 1;
        self.conns.insert(number, Conn { queue, abort, session });
        number
    }

    /// The socket is gone.
    pub fn remove(&mut self, number: u64) {
        self.conns.remove(&number);
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.conns.len()
    }

    /// The numbers of all open sockets, in the order of opening.
    pub fn numbers(&self) -> Vec<u64> {
        self.conns.keys().copied().collect()
    }

    /// What is remembered about a socket.
    pub fn session(&self, number: u64) -> Option<&Session> {
        self.conns.get(&number).map(|conn| &conn.session)
    }

    /// What is remembered about a socket, to change it.
    pub fn session_mut(&mut self, number: u64) -> Option<&mut Session> {
        self.conns.get_mut(&number).map(|conn| &mut conn.session)
    }

    /// All sessions.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &Session)> {
        self.conns.iter().map(|(number, conn)| (*number, &conn.session))
    }

    /// Sends to one socket.
    pub fn send(&mut self, number: u64, out: Out) {
        let Some(conn) = self.conns.get(&number) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = conn.queue.try_send(out) {
            self.skipped += 1;
            if self.overflow == Overflow::Close {
                conn.abort.cancel();
            }
        }
    }

    /// Sends text to one socket.
    pub fn text(&mut self, number: u64, text: impl Into<Utf8Bytes>) {
        self.send(number, Out::Text(text.into()));
    }

    /// Sends to every socket whose session is `chosen`.
    pub fn send_where(&mut self, out: &Out, chosen: impl Fn(&Session) -> bool) {
        let numbers: Vec<u64> = self
            .conns
            .iter()
            .filter(|(_, conn)| chosen(&conn.session))
            .map(|(number, _)| *number)
            .collect();
        for number in numbers {
            self.send(number, out.clone());
        }
    }

    /// Sends text to every socket.
    pub fn text_all(&mut self, text: &str) {
        self.send_where(&Out::Text(text.into()), |_| true);
    }

    /// Drops one socket without a close frame.
    pub fn abort(&mut self, number: u64) {
        if let Some(conn) = self.conns.get(&number) {
            conn.abort.cancel();
        }
    }

    /// Drops every socket without a close frame.
    pub fn abort_all(&mut self) {
        for conn in self.conns.values() {
            conn.abort.cancel();
        }
    }
}
