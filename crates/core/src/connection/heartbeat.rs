//! Whether the socket is alive. Any frame is proof.

use std::time::Duration;

use crate::dialect::Keepalive;
use crate::time::Mono;

/// How long an answer may take when the socket is distrusted (after sleep, on the user's word).
const QUICK_CHECK: Duration = Duration::from_secs(5);

/// What to do when the heartbeat's deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing: something was heard meanwhile.
    Wait,
    /// Send the dialect's own ping.
    Ping,
    /// Send a WebSocket ping.
    WebSocketPing,
    /// Nothing came in time: the socket is dead.
    Dead,
}

/// The heartbeat of one live socket.
#[derive(Debug)]
pub(super) struct Heartbeat {
    keepalive: Keepalive,
    last_frame: Mono,
    pinged: Mono,
    /// By when an answer to the ping must have come; cleared by any frame.
    answer_by: Option<Mono>,
}

impl Heartbeat {
    pub fn new(keepalive: Keepalive, now: Mono) -> Heartbeat {
        Heartbeat { keepalive, last_frame: now, pinged: now, answer_by: None }
    }

    /// A frame arrived.
    pub fn frame_received(&mut self, now: Mono) {
        self.last_frame = now;
        self.answer_by = None;
    }

    /// The dialect may learn its numbers after the greeting (Engine.IO's open packet).
    pub fn keep(&mut self, keepalive: Keepalive) {
        self.keepalive = keepalive;
    }

    /// Distrusts the socket: it must answer a ping soon. Answers which ping.
    pub fn check(&mut self, now: Mono) -> Beat {
        self.pinged = now;
        let by = now.after(QUICK_CHECK);
        self.answer_by = Some(self.answer_by.map_or(by, |earlier| earlier.min(by)));
        match self.keepalive {
            Keepalive::ClientPings { .. } => Beat::Ping,
            Keepalive::ServerPings { .. } | Keepalive::WebSocketPings { .. } => Beat::WebSocketPing,
        }
    }

    /// When [`Heartbeat::beat`] must be called.
    pub fn deadline(&self) -> Mono {
        let regular = match self.keepalive {
            Keepalive::ServerPings { interval, timeout } => {
                self.last_frame.after(interval + timeout)
            }
            Keepalive::ClientPings { interval, .. }
            | Keepalive::WebSocketPings { interval, .. } => match self.answer_by {
                Some(by) => by,
                None => self.pinged.after(interval),
            },
        };
        self.answer_by.map_or(regular, |by| by.min(regular))
    }

    /// The deadline has passed.
    pub fn beat(&mut self, now: Mono) -> Beat {
        if self.answer_by.is_some_and(|by| by <= now) {
            return Beat::Dead;
        }
        match self.keepalive {
            Keepalive::ServerPings { interval, timeout } => {
                if self.last_frame.after(interval + timeout) <= now {
                    Beat::Dead
                } else {
                    Beat::Wait
                }
            }
            Keepalive::ClientPings { interval, timeout } => {
                self.ping(Beat::Ping, interval, timeout, now)
            }
            Keepalive::WebSocketPings { interval, timeout } => {
                self.ping(Beat::WebSocketPing, interval, timeout, now)
            }
        }
    }

    fn ping(&mut self, ping: Beat, interval: Duration, timeout: Duration, now: Mono) -> Beat {
        if self.answer_by.is_some() || self.pinged.after(interval) > now {
            return Beat::Wait;
        }
        self.pinged = now;
        self.answer_by = Some(now.after(timeout));
        ping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_ping_without_an_answer_is_death_and_any_frame_is_an_answer() {
        let keepalive = Keepalive::ClientPings { interval: S(30), timeout: S(10) };
        let mut heart = Heartbeat::new(keepalive, Mono(0));
        assert_eq!(heart.deadline(), Mono(30_000));
        assert_eq!(heart.beat(Mono(30_000)), Beat::Ping);
        heart.frame_received(Mono(31_000));
        assert_eq!(heart.deadline(), Mono(60_000));
        assert_eq!(heart.beat(Mono(60_000)), Beat::Ping);
        assert_eq!(heart.deadline(), Mono(70_000));
        assert_eq!(heart.beat(Mono(70_000)), Beat::Dead);
    }

    #[test]
    fn a_server_that_pings_is_dead_once_its_ping_is_too_late() {
        let keepalive = Keepalive::ServerPings { interval: S(25), timeout: S(20) };
        let mut heart = Heartbeat::new(keepalive, Mono(0));
        heart.frame_received(Mono(5_000));
        assert_eq!(heart.deadline(), Mono(50_000));
        assert_eq!(heart.beat(Mono(49_999)), Beat::Wait);
        assert_eq!(heart.beat(Mono(50_000)), Beat::Dead);
    }

    #[test]
    fn a_distrusted_link_must_answer_within_seconds() {
        let keepalive = Keepalive::ServerPings { interval: S(25), timeout: S(20) };
        let mut heart = Heartbeat::new(keepalive, Mono(0));
        assert_eq!(heart.check(Mono(1_000)), Beat::WebSocketPing);
        assert_eq!(heart.deadline(), Mono(6_000));
        assert_eq!(heart.beat(Mono(6_000)), Beat::Dead);
        heart.frame_received(Mono(6_000));
        assert_eq!(heart.deadline(), Mono(51_000));
    }
}
