//! A supervisor on a workbench: every report of the driver is made by hand, time passes on demand.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobwatch_core::connection::{
    ConnectionState, Failure, FetchId, Input, Output, SocketId, Status, Supervisor,
};
use jobwatch_core::dialect::{FetchRequest, FetchResponse, Frame, Keepalive};
use jobwatch_core::jobs::{Transition, TransitionKind};
use jobwatch_core::model::{JobState, Topic};
use jobwatch_core::time::{Mono, Now};

use crate::dialect::{Manner, Plain};

/// How HTTP answers on the bench, at once.
#[derive(Clone, Debug)]
pub enum Web {
    /// With these lines, for every request.
    Lines(String),
    /// With this status.
    Status(u16),
    /// Not at all: connection refused.
    Down,
    /// Requests are kept for [`Bench::answer`].
    ByHand,
}

pub struct Bench {
    pub machine: Supervisor,
    pub now: Now,
    pub web: Web,
    /// Everything put out, except the requests answered at once.
    pub outputs: Vec<(u64, Output)>,
    /// Requests made so far, with their times.
    pub requests: Vec<(u64, FetchId, FetchRequest)>,
    deadline: Option<Mono>,
}

/// Where the bench's clock begins.
pub const EPOCH_MS: i64 = 1_800_000_000_000;

impl Bench {
    pub fn new(manner: Manner) -> Bench {
        let now = Now { mono: Mono(1_000), wall: at(EPOCH_MS) };
        let policy = manner.policy.clone();
        let machine = Supervisor::new(Box::new(Plain::new(manner)), policy, 1, now);
        Bench {
            machine,
            now,
            web: Web::Lines(String::new()),
            outputs: Vec::new(),
            requests: Vec::new(),
            deadline: None,
        }
    }

    /// Watching everything, started, and live.
    pub fn live(manner: Manner) -> Bench {
        let mut bench = Bench::new(manner);
        bench.input(Input::Watch(Topic::Everything));
        bench.input(Input::Start);
        bench.connect();
        bench
    }

    /// The driver opens the socket the machine asked for, and the server greets.
    pub fn connect(&mut self) {
        let socket = self.last_open().expect("the machine asked for a socket");
        self.input(Input::Opened(socket));
        self.text("welcome");
        assert_eq!(self.status().state, ConnectionState::Live);
    }

    pub fn input(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        self.drain();
    }

    /// A text frame arrives on the newest socket.
    pub fn text(&mut self, text: &str) {
        let socket = self.last_open().expect("a socket");
        self.input(Input::Frames(socket, vec![Frame::Text(text.to_owned())]));
    }

    pub fn close(&mut self, reason: &str) {
        let socket = self.last_open().expect("a socket");
        self.input(Input::Closed(socket, reason.to_owned()));
    }

    pub fn fail_open(&mut self, failure: Failure) {
        let socket = self.last_open().expect("a socket");
        self.input(Input::OpenFailed(socket, failure));
    }

    pub fn answer(&mut self, id: FetchId, lines: &str) {
        self.input(Input::Fetched(id, Ok(page(200, lines)), None));
    }

    /// Lets time pass, stopping at every deadline of the machine.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now.mono.after(duration);
        while let Some(at) = self.deadline.filter(|at| *at <= end) {
            self.advance_to(at.max(self.now.mono));
            self.input(Input::Tick);
        }
        self.advance_to(end);
    }

    pub fn secs(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    fn advance_to(&mut self, at: Mono) {
        let step = at.since(self.now.mono);
        self.now.wall += SignedDuration::try_from(step).expect("a short step");
        self.now.mono = at;
    }

    fn drain(&mut self) {
        // Every drain must come to rest.
        for _ in 0..100_000 {
            match self.machine.poll(self.now) {
                Output::Idle(deadline) => {
                    if let Some(at) = deadline {
                        assert!(at > self.now.mono, "a deadline that has passed is not at rest");
                    }
                    self.deadline = deadline;
                    return;
                }
                Output::Fetch(id, request) => {
                    self.requests.push((self.now.mono.0, id, request));
                    let result = match &self.web {
                        Web::Lines(lines) => Ok(page(200, lines)),
                        Web::Status(status) => Ok(page(*status, "")),
                        Web::Down => Err(Failure::Unreachable("connection refused".to_owned())),
                        Web::ByHand => continue,
                    };
                    self.machine.handle(Input::Fetched(id, result, None), self.now);
                }
                output => self.outputs.push((self.now.mono.0, output)),
            }
        }
        panic!("the machine never comes to rest");
    }

    pub fn status(&self) -> &Status {
        self.machine.status()
    }

    pub fn opens(&self) -> Vec<u64> {
        let open = |(at, output): &(u64, Output)| match output {
            Output::Open(..) => Some(*at),
            _ => None,
        };
        self.outputs.iter().filter_map(open).collect()
    }

    pub fn last_open(&self) -> Option<SocketId> {
        self.outputs.iter().rev().find_map(|(_, output)| match output {
            Output::Open(socket, ..) => Some(*socket),
            _ => None,
        })
    }

    pub fn closes(&self) -> usize {
        self.outputs.iter().filter(|(_, output)| matches!(output, Output::Close(_))).count()
    }

    /// The texts sent on the newest socket.
    pub fn sent(&self) -> Vec<String> {
        let newest = self.last_open();
        let text = |(_, output): &(u64, Output)| match output {
            Output::Send(socket, Frame::Text(text)) if Some(*socket) == newest => {
                Some(text.clone())
            }
            Output::Send(socket, Frame::Ping) if Some(*socket) == newest => Some("PING".to_owned()),
            _ => None,
        };
        self.outputs.iter().filter_map(text).collect()
    }

    pub fn sockets(&self) -> Vec<ConnectionState> {
        let socket = |(_, output): &(u64, Output)| match output {
            Output::Status(status) => Some(status.state),
            _ => None,
        };
        let mut sockets: Vec<ConnectionState> = self.outputs.iter().filter_map(socket).collect();
        sockets.dedup();
        sockets
    }

    pub fn transitions(&self) -> Vec<&Transition> {
        let mut found = Vec::new();
        for (_, output) in &self.outputs {
            if let Output::Transition(transition) = output {
                found.push(transition);
            }
        }
        found
    }

    pub fn outcomes(&self) -> Vec<(String, u32, JobState)> {
        self.transitions()
            .into_iter()
            .filter(|transition| transition.kind == TransitionKind::Outcome)
            .map(|t| (t.job.to_string(), t.attempt, t.to.clone()))
            .collect()
    }

    pub fn diagnostics(&self) -> Vec<&'static str> {
        let kind = |(_, output): &(u64, Output)| match output {
            Output::Diagnostic(diagnostic) => Some(diagnostic.kind),
            _ => None,
        };
        self.outputs.iter().filter_map(kind).collect()
    }

    /// What was asked for over HTTP since request number `from`.
    pub fn asked(&self, from: usize) -> Vec<String> {
        self.requests[from..]
            .iter()
            .map(|(_, _, request)| {
                let topic = request.ask.topic.as_ref().map(ToString::to_string);
                format!("{} {}", request.ask.name(), topic.unwrap_or_default())
            })
            .collect()
    }
}

pub fn page(status: u16, lines: &str) -> FetchResponse {
    FetchResponse {
        status,
        content_type: Some("text/plain".to_owned()),
        body: lines.as_bytes().to_vec(),
    }
}

pub fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).expect("a time in range")
}

/// How long a socket that died may still be called live.
pub fn heartbeat_span(machine: &Supervisor) -> Duration {
    match machine.keepalive() {
        Keepalive::ServerPings { interval, timeout }
        | Keepalive::ClientPings { interval, timeout }
        | Keepalive::WebSocketPings { interval, timeout } => interval + timeout,
    }
}
