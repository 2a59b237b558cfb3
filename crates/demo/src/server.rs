//! One demo server: its world, its protocol, its ports.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jobwatch_core::server::DialectKind;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Bytes;
use tokio_util::sync::CancellationToken;

use crate::control::{Counters, Faults, Garbage, Ports};
use crate::protocol::{Protocol, Role};
use crate::sessions::{Out, Sessions};
use crate::world::World;

/// Clocks that differ by less show the same date.
const SAME_CLOCK: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

/// World time: real time since the start, times the speed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began: Instant,
    start: i64,
    speed: f64,
}

impl Clock {
    /// A clock that shows `start` (ms since 1970) now.
    pub fn new(start: i64, speed: f64) -> Clock {
        Clock { began: Instant::now(), start, speed }
    }

    /// ms since 1970.
    pub fn now(&self) -> i64 {
        self.start + (self.began.elapsed().as_secs_f64() * 1_000.0 * self.speed) as i64
    }
}

/// A port and whether it listens.
#[derive(Debug)]
pub(crate) struct Port {
    pub role: Role,
    pub number: u16,
    /// What was commanded.
    pub wanted: watch::Sender<bool>,
    /// What is.
    pub actual: watch::Sender<bool>,
    /// Ends all its connections; replaced when it listens again.
    pub alive: Mutex<CancellationToken>,
}

impl Port {
    /// A port that listens.
    pub fn new(role: Role, number: u16, stop: &CancellationToken) -> Port {
        Port {
            role,
            number,
            wanted: watch::Sender::new(true),
            actual: watch::Sender::new(true),
            alive: Mutex::new(stop.child_token()),
        }
    }

    /// What ends the connections accepted now.
    pub fn token(&self) -> CancellationToken {
        lock(&self.alive).clone()
    }
}

/// What a server knows; only ever touched under its lock and never across an await.
#[derive(Debug)]
pub(crate) struct State {
    pub world: World,
    pub sessions: Sessions,
    pub protocol: Box<dyn Protocol>,
    pub counted: Counters,
    /// Log lines written by floods.
    pub flooded: u64,
}

impl State {
    /// Tells the protocol what happened in the world.
    pub fn dispatch(&mut self) {
        for event in self.world.take_events() {
            self.protocol.event(&self.world, &mut self.sessions, &event);
        }
    }

    /// What the server has seen and done.
    pub fn counters(&self) -> Counters {
        Counters {
            sockets: self.sessions.len() as u64,
            sockets_opened: self.sessions.opened,
            frames_skipped: self.sessions.skipped,
            bad_auth: self.protocol.bad_auth(),
            flooded_lines: self.flooded,
            ..self.counted.clone()
        }
    }

    /// Sends garbage to every socket.
    pub fn garbage(&mut self, garbage: &Garbage) {
        let outs: Vec<Out> = match garbage {
            Garbage::InvalidJson => {
                ["{\"type\":\"", "not json at all", "", "42[\"job-progress\",{"]
                    .map(|text| Out::Text(text.into()))
                    .to_vec()
            }
            Garbage::WrongShapes => self
                .protocol
                .wrong_shapes()
                .into_iter()
                .map(|text| Out::Text(text.into()))
                .collect(),
            Garbage::UnknownTypes => ["{}", "null", "[1,2,3]", "\"text\"", "17"]
                .map(|data| Out::Text(self.protocol.unknown(data).into()))
                .to_vec(),
            Garbage::Binary => vec![Out::Binary(Bytes::from_static(&[0, 159, 146, 150, 255]))],
            Garbage::InvalidUtf8 => {
                vec![Out::BrokenText(Bytes::from_static(b"{\"type\":\"\xff\xfe\"}"))]
            }
            Garbage::Huge(size) => {
                vec![Out::Text(self.protocol.unknown(&format!("\"{}\"", "x".repeat(*size))).into())]
            }
            Garbage::All => {
                for one in [
                    Garbage::InvalidJson,
                    Garbage::WrongShapes,
                    Garbage::UnknownTypes,
                    Garbage::Binary,
                    Garbage::Huge(1 << 20),
                ] {
                    self.garbage(&one);
                }
                return;
            }
        };
        for out in outs {
            self.sessions.send_where(&out, |_| true);
        }
    }
}

/// A server as its tasks share it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub kind: DialectKind,
    pub ports: Vec<Port>,
    pub faults: watch::Sender<Faults>,
    pub stop: CancellationToken,
    clock: Clock,
    state: Mutex<State>,
}

impl Shared {
    /// A server that does not listen yet.
    pub fn new(
        kind: DialectKind,
        ports: Vec<Port>,
        stop: CancellationToken,
        clock: Clock,
        world: World,
        protocol: Box<dyn Protocol>,
    ) -> Shared {
        let sessions = Sessions::new(protocol.rules().overflow);
        let state = State { world, sessions, protocol, counted: Counters::default(), flooded: 0 };
        let faults = watch::Sender::new(Faults::default());
        Shared { kind, ports, faults, stop, clock, state: Mutex::new(state) }
    }

    /// Brings the world up to the present, does `work` with it, and tells the sockets what
    /// happened. The time is handed over as well.
    pub fn with<T>(&self, work: impl FnOnce(&mut State, i64) -> T) -> T {
        let mut state = lock(&self.state);
        let now = self.clock.now();
        while state.world.advance_once(now) {
            state.dispatch();
        }
        let done = work(&mut state, now);
        state.dispatch();
        done
    }

    /// The date that the server's clock shows, where that is another than the machine's.
    pub fn date(&self) -> Option<String> {
        let now = jiff::Timestamp::from_millisecond(self.clock.now()).ok()?;
        let off = now.duration_since(jiff::Timestamp::now()).abs();
        let date = || jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now);
        if off < SAME_CLOCK { None } else { date().ok() }
    }

    /// As [`Shared::with`], without letting time pass or telling anybody.
    pub fn with_quiet<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut lock(&self.state))
    }

    /// Lets time pass until the server stops.
    pub async fn run(&self) {
        let mut pace = tokio::time::interval(Duration::from_millis(50));
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = pace.tick() => {}
            }
            self.with(|state, _| state.protocol.tick(&state.world, &mut state.sessions));
        }
    }

    /// Makes ports listen or not, and waits until they do.
    pub async fn set_listening(&self, ports: Ports, on: bool) {
        let chosen = |port: &&Port| match ports {
            Ports::Socket => port.role == Role::Main,
            Ports::Http => port.role == Role::Second,
            Ports::All => true,
        };
        for port in self.ports.iter().filter(chosen) {
            port.wanted.send_replace(on);
        }
        for port in self.ports.iter().filter(chosen) {
            let mut actual = port.actual.subscribe();
            tokio::select! {
                // The sender lives in `self`, so waiting cannot fail.
                _ = actual.wait_for(|actual| *actual == on) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }
}

/// A lock whose holder never panics midway through a change that matters.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
