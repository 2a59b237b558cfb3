//! A live socket is never slower than none: when a job is first seen, how it goes on, and its end,
//! on models of the real servers.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::SignedDuration;
use jobwatch_core::connection::{Failure, FetchId, Input, Output, SocketId, Supervisor};
use jobwatch_core::dialect::{FetchResponse, Frame, dialect};
use jobwatch_core::jobs::TransitionKind;
use jobwatch_core::model::Topic;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, Server, ServerId};
use jobwatch_core::time::{Mono, Now};

use crate::bench::{EPOCH_MS, at};
use crate::models::{Life, Model, id_of};

/// When something was first known, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    job: Option<u64>,
    halfway: Option<u64>,
    end: Option<u64>,
    told: Option<u64>,
}

/// HTTP and the socket take so long each way.
const WAY: u64 = 20;

struct Stage {
    machine: Supervisor,
    model: Model,
    time: u64,
    deadline: Option<Mono>,
    socket: bool,
    open: Option<SocketId>,
    frames: VecDeque<(u64, Frame)>,
    answers: VecDeque<(u64, FetchId, FetchResponse)>,
    requests: Vec<u64>,
    seen: Seen,
}

impl Stage {
    fn new(model: Model, socket: bool) -> Stage {
        let (host, api) = (
            "sim.test",
            match model.kind {
                DialectKind::TriggerX => Some("http://sim.test/api".to_owned()),
                DialectKind::BullBoard => Some("http://sim.test/api".to_owned()),
                _ => None,
            },
        );
        let server = Server {
            id: ServerId("s".to_owned()),
            name: "s".to_owned(),
            dialect: model.kind,
            ws: format!("ws://{host}"),
            api,
            key: None,
            namespace: None,
            options: Default::default(),
            watch: vec![Topic::Everything],
            paused: false,
            extra_ca: None,
            policy: Default::default(),
        };
        let dialect = dialect(&server, Some(Secret::new("a-long-key".to_owned()))).expect("usable");
        let policy = dialect.policy();
        let mut machine = Supervisor::new(dialect, policy, 1, now(0));
        machine.handle(Input::Watch(Topic::Everything), now(0));
        machine.handle(Input::Start, now(0));
        let mut stage = Stage {
            machine,
            model,
            time: 0,
            deadline: None,
            socket,
            open: None,
            frames: VecDeque::new(),
            answers: VecDeque::new(),
            requests: Vec::new(),
            seen: Seen::default(),
        };
        stage.drain();
        stage
    }

    fn input(&mut self, input: Input) {
        self.machine.handle(input, now(self.time));
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.machine.poll(now(self.time)) {
                Output::Idle(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                Output::Open(socket, ..) if self.socket => {
                    self.machine.handle(Input::Opened(socket), now(self.time));
                    self.open = Some(socket);
                    let first = self.model.opened();
                    self.frames.extend(first.into_iter().map(|frame| (self.time + WAY, frame)));
                }
                Output::Open(socket, ..) => {
                    let failure = Failure::Unreachable("connection refused".to_owned());
                    self.machine.handle(Input::OpenFailed(socket, failure), now(self.time));
                }
                Output::Send(_, frame) => {
                    let said = self.model.receives(&frame, self.time);
                    self.frames.extend(said.into_iter().map(|said| (self.time + WAY, said)));
                }
                Output::Fetch(id, request) => {
                    self.requests.push(self.time);
                    let (status, body) = self.model.answers(&request, self.time);
                    let page = body.is_null();
                    let response = FetchResponse {
                        status,
                        content_type: Some(
                            if page { "text/html" } else { "application/json" }.to_owned(),
                        ),
                        body: if page {
                            b"<html>500</html>".to_vec()
                        } else {
                            body.to_string().into_bytes()
                        },
                    };
                    self.answers.push_back((self.time + WAY, id, response));
                }
                Output::Job(job) if job.id.as_str() == id_of(self.model.kind) => {
                    self.seen.job.get_or_insert(self.time);
                    if job.progress >= Some(50.0) {
                        self.seen.halfway.get_or_insert(self.time);
                    }
                    if job.state.terminal() {
                        self.seen.end.get_or_insert(self.time);
                    }
                }
                Output::Transition(step)
                    if step.job.as_str() == id_of(self.model.kind)
                        && step.kind == TransitionKind::Outcome =>
                {
                    self.seen.told.get_or_insert(self.time);
                }
                _ => {}
            }
        }
    }

    fn run(mut self, end: u64) -> (Seen, Vec<u64>) {
        let mut announcements = self.model.announcements();
        announcements.sort_unstable();
        announcements.dedup();
        let mut announcements = VecDeque::from(announcements);
        let mut ping = self.model.pings().unwrap_or(u64::MAX);
        while self.time < end {
            let next = [
                self.deadline.map_or(u64::MAX, |at| at.0),
                self.frames.front().map_or(u64::MAX, |(at, _)| *at),
                self.answers.front().map_or(u64::MAX, |(at, ..)| *at),
                announcements.front().copied().unwrap_or(u64::MAX),
                ping,
                end,
            ];
            self.time = self.time.max(next.into_iter().min().unwrap_or(end));
            if announcements.front() == Some(&self.time) {
                announcements.pop_front();
                let said = self.model.announces(self.time);
                if self.open.is_some() {
                    self.frames.extend(said.into_iter().map(|frame| (self.time + WAY, frame)));
                }
            } else if ping == self.time {
                ping += self.model.pings().unwrap_or(u64::MAX);
                if self.open.is_some() {
                    self.frames.push_back((self.time + WAY, Frame::Text("2".to_owned())));
                }
            } else if let Some((_, id, response)) =
                self.answers.pop_front_if(|(at, ..)| *at <= self.time)
            {
                self.input(Input::Fetched(id, Ok(response), None));
            } else if let Some((_, frame)) = self.frames.pop_front_if(|(at, _)| *at <= self.time) {
                if let Some(socket) = self.open {
                    self.input(Input::Frames(socket, vec![frame]));
                }
            } else {
                self.input(Input::Tick);
            }
        }
        (self.seen, self.requests)
    }
}

fn now(ms: u64) -> Now {
    let wall = at(EPOCH_MS) + SignedDuration::from_millis(i64::try_from(ms).expect("short"));
    Now { mono: Mono(ms), wall }
}

/// What is moving is looked at this often in API mode, with a tenth of jitter and the way.
const INTERVAL: u64 = 3_300 + 4 * WAY + 200;
/// And this often when nothing has happened for long.
const IDLE_INTERVAL: u64 = 16_500 + 4 * WAY + 200;

fn within(what: &str, seen: Option<u64>, since: u64, interval: u64) {
    let seen = seen.unwrap_or_else(|| panic!("{what} was never seen"));
    assert!(seen <= since + interval, "{what}, {} ms late", seen.saturating_sub(since));
}

fn life(appears: u64) -> Life {
    Life { appears, halfway: appears + 11_000, ends: appears + 23_000, well: true }
}

fn live_is_never_slower(kind: DialectKind) {
    for (start, interval) in [(20_500, INTERVAL), (700_500, IDLE_INTERVAL)] {
        for shift in [0, 700, 1_400, 2_100, 2_800] {
            for well in [true, false] {
                let life = Life { well, ..life(start + shift) };
                let [(live, asked), (shut, _)] = [true, false]
                    .map(|socket| Stage::new(Model::new(kind, life), socket).run(start + 90_000));
                for (way, seen) in [("live", live), ("polled", shut)] {
                    within(&format!("{kind:?} {way}: a job"), seen.job, life.appears, interval);
                    within(&format!("{kind:?} {way}: an end"), seen.end, life.ends, INTERVAL);
                    within(&format!("{kind:?} {way}: a notice"), seen.told, life.ends, INTERVAL);
                }
                if matches!(kind, DialectKind::Analyzer | DialectKind::StudyBuddy) {
                    within("progress", live.halfway, life.halfway, interval);
                }
                let most = asked.iter().enumerate().map(|(index, first)| {
                    asked[index..].iter().take_while(|at| **at < first + 60_000).count()
                });
                assert!(most.max() < Some(300), "{kind:?}: too much is asked");
                if kind == DialectKind::Analyzer || kind == DialectKind::StudyBuddy {
                    let most = asked.iter().enumerate().map(|(index, first)| {
                        asked[index..].iter().take_while(|at| **at < first + 60_000).count()
                    });
                    assert!(most.max() <= Some(100), "more than the server takes in a minute");
                }
            }
        }
    }
}

#[test]
fn beside_a_live_socket_triggerx_is_followed_as_fast_as_without_one() {
    live_is_never_slower(DialectKind::TriggerX);
}

#[test]
fn beside_a_live_socket_study_buddy_is_followed_as_fast_as_without_one() {
    live_is_never_slower(DialectKind::StudyBuddy);
}

#[test]
fn beside_a_live_socket_that_is_silent_about_new_jobs_the_analyzer_is_followed_as_fast_as_without_one()
 {
    live_is_never_slower(DialectKind::Analyzer);
}

#[test]
fn beside_a_live_socket_kecs_is_followed_as_fast_as_without_one() {
    live_is_never_slower(DialectKind::Kecs);
}

#[test]
fn beside_a_live_socket_better_bull_board_is_followed_as_fast_as_without_one() {
    live_is_never_slower(DialectKind::BullBoard);
}

#[test]
fn rows_of_better_bull_board_that_come_late_are_seen_as_soon_as_they_are_there() {
    for late in [3_000, 12_000, 30_000] {
        for ends in [2_000, 23_000] {
            for socket in [true, false] {
                let life = Life { ends: 20_500 + ends, well: false, ..life(20_500) };
                let mut model = Model::new(DialectKind::BullBoard, life);
                model.late = late;
                let (seen, _) = Stage::new(model, socket).run(120_000);
                within("a job", seen.job, life.appears + late, INTERVAL);
                within("a notice", seen.told, life.ends + late, INTERVAL);
            }
        }
    }
}

#[test]
fn the_end_that_triggerx_never_pushes_is_looked_for_after_the_attestation_whatever_else_runs() {
    // Ends that come two seconds after the attestation, as its own rule promises.
    let life = Life { well: true, ..life(20_500) };
    let (seen, _) = Stage::new(Model::new(DialectKind::TriggerX, life), true).run(90_000);
    let wait = Duration::from_millis(seen.told.expect("told") - life.ends);
    assert!(wait < Duration::from_millis(1_500), "{wait:?}");
}
