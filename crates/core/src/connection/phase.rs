//! Where the socket stands.

use super::SocketId;

/// Where the socket stands. There is never more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not wanted.
    Down,
    /// Between attempts; [`Timer::Retry`](super::Timer::Retry) ends it.
    Waiting,
    /// The driver is dialling.
    Opening(SocketId),
    /// Open, but the dialect has not said `Ready`.
    Handshake(SocketId),
    /// Ready, and proven alive by the heartbeat.
    Live(SocketId),
}

impl Phase {
    /// The socket that exists, if there is one.
    pub(super) fn socket(self) -> Option<SocketId> {
        match self {
            Phase::Down | Phase::Waiting => None,
            Phase::Opening(socket) | Phase::Handshake(socket) | Phase::Live(socket) => Some(socket),
        }
    }
}
