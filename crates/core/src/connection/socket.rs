//! The socket: opening, greeting, living, dying, and trying again.

use std::time::Duration;

use super::dispatch::Origin;
use super::heartbeat::{Beat, Heartbeat};
use super::phase::Phase;
use super::status::{Api, Fault};
use super::{Failure, Output, Remedy, SocketId, Supervisor, Timer, status};
use crate::dialect::{Frame, Keepalive, Outgoing, tolerant};
use crate::redact::Redactor;
use crate::time::Now;

/// How much longer than its own timeout the driver may take to answer an opening.
const DRIVER_SLACK: Duration = Duration::from_secs(5);

/// Distrust alone opens no sooner than this after the last opening.
const OPEN_APART: Duration = Duration::from_secs(2);

/// An attempt that an answer over HTTP hurries comes no sooner than this after the last one.
const SOON_APART: Duration = Duration::from_secs(5);

impl Supervisor {
    pub(super) fn live(&self) -> Option<SocketId> {
        match self.phase {
            Phase::Live(socket) => Some(socket),
            _ => None,
        }
    }

    pub(super) fn open(&mut self, now: Now) {
        self.drop_socket();
        self.retry_not_before = None;
        self.last_open = Some(now.mono);
        match self.dialect.open() {
            Ok(request) => {
                self.last_socket += 1;
                let socket = SocketId(self.last_socket);
                self.learn_secrets(&request);
                self.phase = Phase::Opening(socket);
                // An upgrade is a request like any other to a server that counts them.
                self.polling.spend(now.mono);
                let patience = self.policy.open_timeout;
                self.timers.set(Timer::Opening, now.mono.after(patience + DRIVER_SLACK));
                self.out.push_back(Output::Open(socket, request, patience));
            }
            Err(reason) => self.lost(reason, None, now),
        }
    }

    /// Closes the socket, if there is one, and stops everything that belongs to it.
    pub(super) fn drop_socket(&mut self) {
        if let Some(socket) = self.phase.socket() {
            self.out.push_back(Output::Close(socket));
        }
        self.phase = Phase::Waiting;
        self.stop_socket_timers();
    }

    fn stop_socket_timers(&mut self) {
        for timer in [
            Timer::Opening,
            Timer::Handshake,
            Timer::Stable,
            Timer::Retry,
            Timer::Heartbeat,
            Timer::Idle,
            Timer::Send,
            Timer::Confirmation,
        ] {
            self.timers.clear(timer);
        }
        self.send_queue.reset();
        self.idle = false;
    }

    pub(super) fn opened(&mut self, socket: SocketId, now: Now) {
        if self.phase != Phase::Opening(socket) {
            return;
        }
        self.phase = Phase::Handshake(socket);
        self.foreign = false;
        self.timers.clear(Timer::Opening);
        self.timers.set(Timer::Handshake, now.mono.after(self.policy.handshake_timeout));
        self.topics.forget_rejections();
        let incoming = self.dialect.opened();
        self.dispatch(Origin::Socket(socket), incoming, now);
    }

    pub(super) fn open_failed(&mut self, socket: SocketId, failure: &Failure, now: Now) {
        if self.phase != Phase::Opening(socket) {
            return;
        }
        self.phase = Phase::Waiting;
        self.foreign = matches!(failure, Failure::Http { status: 0..429, .. });
        match failure {
            Failure::Http { status: status @ (401 | 403), text, retry_after } => {
                let words = text.clone().unwrap_or_else(|| format!("HTTP {status}"));
                self.key_refused(&words, *retry_after, now);
            }
            _ => {
                let retry_after = match failure {
                    Failure::Http { retry_after, .. } => *retry_after,
                    _ => None,
                };
                let remedy = status::socket_remedy(failure, self.socket_proven);
                self.lose(status::sentence(failure), remedy, retry_after, now);
            }
        }
    }

    pub(super) fn frame(&mut self, socket: SocketId, frame: &Frame, now: Now) {
        if self.phase.socket() != Some(socket) || matches!(self.phase, Phase::Opening(_)) {
            return;
        }
        self.last_received = Some(now.wall);
        self.heartbeat.frame_received(now.mono);
        if self.live().is_some() {
            self.rearm(now);
        }
        let incoming = tolerant::decode(&mut *self.dialect, frame);
        self.dispatch(Origin::Socket(socket), incoming, now);
    }

    pub(super) fn closed(&mut self, socket: SocketId, reason: &str, now: Now) {
        if self.phase.socket() != Some(socket) {
            return;
        }
        self.phase = Phase::Waiting;
        let reason = if reason.trim().is_empty() {
            "The server closed the connection.".to_owned()
        } else {
            format!("The connection was lost: {}.", reason.trim().trim_end_matches('.'))
        };
        self.lost(reason, None, now);
    }

    pub(super) fn ready(&mut self, socket: SocketId, now: Now) {
        if self.phase != Phase::Handshake(socket) {
            return;
        }
        self.phase = Phase::Live(socket);
        self.timers.clear(Timer::Handshake);
        self.timers.set(Timer::Stable, now.mono.after(self.policy.stable_after));
        self.heartbeat = Heartbeat::new(self.dialect.keepalive(), now.mono);
        self.last_received = Some(now.wall);
        self.last_error = None;
        self.refused = false;
        self.foreign = false;
        self.socket_proven = true;
        self.fallback = false;
        // What failed while the server was away is asked anew.
        if matches!(self.api, Api::Fails(_)) {
            self.api = Api::Unknown;
        }
        self.rearm(now);
        // Jobs that have ended would cost a frame each and have nothing to say. One that runs again
        // is found over HTTP.
        let topics: Vec<_> =
            self.topics.all().filter(|topic| !self.has_ended(topic)).cloned().collect();
        for topic in topics {
            self.send_queue.watch(topic);
        }
        self.send_waiting(now);
        self.fetch_everything(now);
    }

    /// Sends what the dialect makes of `outgoing`. Answers how many frames that were.
    pub(super) fn encode(&mut self, socket: SocketId, outgoing: &Outgoing, now: Now) -> usize {
        let frames = self.dialect.encode(outgoing);
        let count = frames.len();
        self.send_queue.count(count, now.mono);
        self.out.extend(frames.into_iter().map(|frame| Output::Send(socket, frame)));
        count
    }

    /// Sends a frame that waits for nothing.
    pub(super) fn send(&mut self, socket: SocketId, frame: Frame, now: Now) {
        self.send_queue.count(1, now.mono);
        self.out.push_back(Output::Send(socket, frame));
    }

    /// Sets the deadlines that any frame puts off.
    fn rearm(&mut self, now: Now) {
        self.heartbeat.keep(self.dialect.keepalive());
        self.timers.set(Timer::Heartbeat, self.heartbeat.deadline());
        if let Some(idle_after) = self.policy.idle_after {
            self.timers.set(Timer::Idle, now.mono.after(idle_after));
            self.idle = false;
        }
    }

    pub(super) fn beat(&mut self, now: Now) {
        let Some(socket) = self.live() else { return };
        match self.heartbeat.beat(now.mono) {
            Beat::Dead => {
                self.lost("The connection went silent.".to_owned(), None, now);
                return;
            }
            Beat::Ping => {
                self.encode(socket, &Outgoing::Ping, now);
            }
            Beat::WebSocketPing => self.send(socket, Frame::Ping, now),
            Beat::Wait => {}
        }
        self.timers.set(Timer::Heartbeat, self.heartbeat.deadline());
    }

    pub(super) fn became_idle(&mut self, now: Now) {
        if self.live().is_some() && !self.idle {
            self.idle = true;
            self.fetch_everything(now);
        }
    }

    pub(super) fn handshake_timed_out(&mut self, timer: Timer, now: Now) {
        if timer == Timer::Opening {
            self.lost("The server could not be reached in time.".to_owned(), None, now);
            return;
        }
        let reason = "The server accepted the connection but did not greet.".to_owned();
        let remedy = if self.socket_proven { Remedy::Reconnect } else { Remedy::ChooseKind };
        self.lose(reason, remedy, None, now);
    }

    /// The socket failed, whatever way: close what is left of it, poll, and try again later.
    pub(super) fn lost(&mut self, reason: String, retry_after: Option<Duration>, now: Now) {
        self.lose(reason, Remedy::Reconnect, retry_after, now);
    }

    fn lose(&mut self, reason: String, remedy: Remedy, retry_after: Option<Duration>, now: Now) {
        self.drop_socket();
        self.backoff.failed();
        let delay = self.backoff.delay(&self.policy, retry_after, &mut self.jitter);
        self.retry_not_before = retry_after.map(|_| now.mono.after(delay));
        self.last_error = Some(Fault { reason: self.clean(&reason), remedy: Some(remedy) });
        self.refused = false;
        self.timers.set(Timer::Retry, now.mono.after(delay));
        self.fall_back(now);
    }

    /// The API answers again after it had failed: so the server is back, and its socket is tried
    /// soon, unless the server asked for a pause or refused us.
    pub(super) fn retry_soon(&mut self, now: Now) {
        let asked_to_wait = self.retry_not_before.is_some_and(|until| until > now.mono);
        if self.phase != Phase::Waiting || self.refused || asked_to_wait {
            return;
        }
        // Not all clients of a restarted server at once; and an API that comes and goes must not
        // become a way around the backoff.
        let soon = now.mono.after(self.jitter.around(self.policy.first_delay, 100));
        let apart = self.policy.max_delay.min(SOON_APART);
        let at = self.last_open.map_or(soon, |at| at.after(apart).max(soon));
        if self.timers.get(Timer::Retry).is_some_and(|planned| at < planned) {
            self.timers.set(Timer::Retry, at);
        }
    }

    /// The server does not accept us. Servers also refuse for passing reasons, such as too many
    /// sockets, so one slow retry stays, no sooner than the server wished.
    pub(super) fn key_refused(&mut self, words: &str, retry_after: Option<Duration>, now: Now) {
        let reason = status::refusal(words, self.dialect.has_key());
        let remedy = self.key_remedy();
        self.back_off(Fault { reason, remedy: Some(remedy) }, retry_after, now);
        self.refused = true;
    }

    /// Another kind of server answers, or this one elsewhere: only the user can change that.
    pub(super) fn wrong_server(&mut self, reason: String, now: Now) {
        self.back_off(Fault { reason, remedy: Some(Remedy::ChooseKind) }, None, now);
        self.refused = false;
    }

    fn back_off(&mut self, mut fault: Fault, retry_after: Option<Duration>, now: Now) {
        self.drop_socket();
        self.backoff.failed();
        let mut delay = self.jitter.around(self.policy.refused_delay, 10);
        if retry_after.is_some() {
            delay = delay.max(self.backoff.delay(&self.policy, retry_after, &mut self.jitter));
        }
        fault.reason = self.clean(&fault.reason);
        self.last_error = Some(fault);
        self.timers.set(Timer::Retry, now.mono.after(delay));
        self.fall_back(now);
    }

    /// Trusts nothing that was true before: a live socket must answer soon, a lost one is tried at
    /// once unless the server asked for a pause that has not passed, everything watched is fetched.
    pub(super) fn check_liveness(&mut self, now: Now) {
        if !self.running {
            return;
        }
        match self.phase {
            Phase::Live(socket) => {
                match self.heartbeat.check(now.mono) {
                    Beat::Ping => {
                        if self.encode(socket, &Outgoing::Ping, now) == 0 {
                            self.send(socket, Frame::Ping, now);
                        }
                    }
                    _ => self.send(socket, Frame::Ping, now),
                }
                self.timers.set(Timer::Heartbeat, self.heartbeat.deadline());
                self.fetch_everything(now);
            }
            // A clock that jumps again and again must not become a way around the backoff.
            _ if self.last_open.is_some_and(|at| now.mono.since(at) < OPEN_APART) => {}
            // What was dialled before the sleep leads nowhere.
            Phase::Opening(_) | Phase::Handshake(_) => self.open(now),
            Phase::Waiting if !self.refused => {
                if self.retry_not_before.is_none_or(|until| until <= now.mono) {
                    self.open(now);
                }
                self.fetch_everything(now);
            }
            Phase::Waiting | Phase::Down => {}
        }
    }

    /// How the present socket proves that it is alive.
    #[must_use]
    pub fn keepalive(&self) -> Keepalive {
        self.dialect.keepalive()
    }

    /// The text without any secret that this server was ever given.
    pub(super) fn clean(&self, text: &str) -> String {
        self.redactor.clean(text)
    }

    fn learn_secrets(&mut self, request: &crate::dialect::OpenRequest) {
        let mut learned = Redactor::default();
        for secret in request.secrets() {
            learned.add(&secret);
        }
        self.redact(&learned);
    }
}
