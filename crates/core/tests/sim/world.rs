//! A small world: a job server with a life of its own, a wire and an HTTP that misbehave, two
//! clocks, and the machine. Everything that happens follows from the seed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::time::Duration;

use jiff::SignedDuration;
use jobwatch_core::connection::{
    ConnectionState, Failure, FetchId, Input, Output, SocketId, Supervisor,
};
use jobwatch_core::dialect::{Ask, Frame, Keepalive, LogFrom};
use jobwatch_core::jobs::TransitionKind;
use jobwatch_core::model::{JobState, Topic};
use jobwatch_core::server::Policy;
use jobwatch_core::time::{Mono, Now};

use crate::bench::{EPOCH_MS, at, heartbeat_span, page};
use crate::dialect::{Manner, Plain};
use crate::jobserver::{JobServer, Speech};

/// Numbers from a seed (xorshift-multiply).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// From `low` to just below `high`.
    pub fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low)
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.next() % 100 < chance
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[(self.next() % from.len() as u64) as usize]
    }
}

/// What opening a socket leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Dialling {
    Greeted,
    Silent,
    DroppedAtOnce,
    RefusedByFrame,
    Status(u16, Option<u64>),
    Unreachable,
    Hanging,
}

/// What an HTTP request leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Web {
    Answers,
    Late,
    Status(u16, Option<u64>),
    Html,
    Unreachable,
    Hanging,
}

#[derive(Debug)]
enum Event {
    ServerStep,
    FaultStep,
    UserStep,
    Resume,
    EndOfFaults,
    EndOfJobs,
    Dialled(SocketId),
    ToClient(SocketId, Frame),
    ToServer(SocketId, Frame),
    Drop(SocketId),
    ServerPing(SocketId),
    Asked(FetchId, Ask),
    Answered(FetchId, Result<(u16, String), Failure>, Option<u64>),
}

/// The wire of the machine's present socket, as the server sees it.
#[derive(Debug)]
struct Wire {
    id: SocketId,
    open: bool,
    /// Frames get through.
    alive: bool,
    dead_since: Option<u64>,
    last_delivery: u64,
    /// When the last frame to the client arrives, so that order can be kept.
    last_arrival: u64,
    watches: BTreeSet<String>,
}

pub struct World {
    rng: Rng,
    time: u64,
    sequence: u64,
    /// How far the client's wall clock is ahead of the server's, in milliseconds.
    wall_ahead: i64,
    furthest_ahead: i64,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    queued: BTreeMap<u64, Event>,
    machine: Supervisor,
    deadline: Option<Mono>,
    topics: Vec<Topic>,
    server: JobServer,
    wire: Option<Wire>,
    dialling: Dialling,
    web: Web,
    faults: bool,
    duplicates: u64,
    reorders: u64,
    garbage: u64,
    heartbeat: Duration,
    single_jobs: bool,
    /// Frames that may be sent within a second, and when the last ones were.
    pace: Option<u32>,
    sent: VecDeque<u64>,
    /// Requests that may be made within a minute, and when the last ones were.
    budget: Option<u32>,
    requests: VecDeque<u64>,
    // What was observed.
    announced: BTreeSet<(String, u32, String)>,
    seen_open: BTreeSet<String>,
    /// When all topics had been listed, and how far the client's clock was ahead at most.
    listed: Option<(u64, i64)>,
    last_open: Option<u64>,
    /// The user or the clock may have caused an opening out of turn.
    excused: bool,
    pub steps: u64,
}

/// What one run came to, for the summary.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub steps: u64,
    pub outcomes: u64,
}

/// Runs the world of a seed.
///
/// # Errors
/// What was violated, in a sentence.
pub fn run(seed: u64) -> Result<Tally, String> {
    let mut world = World::new(seed);
    world.run()?;
    world.judge()?;
    Ok(Tally { steps: world.steps, outcomes: world.announced.len() as u64 })
}

impl World {
    fn new(seed: u64) -> World {
        let mut rng = Rng::new(seed);
        for _ in 0..4 {
            rng.next();
        }
        let secs = Duration::from_secs;
        let keepalive = match rng.range(0, 3) {
            0 => Keepalive::ServerPings { interval: secs(rng.range(5, 30)), timeout: secs(20) },
            1 => Keepalive::ClientPings { interval: secs(rng.range(5, 30)), timeout: secs(10) },
            _ => Keepalive::WebSocketPings { interval: secs(20), timeout: secs(rng.range(3, 10)) },
        };
        let policy = Policy {
            refused_delay: secs(60),
            slow_delay: secs(30),
            idle_after: rng.percent(20).then_some(secs(10)),
            frames_per_second: rng.percent(40).then(|| rng.range(3, 30) as u32),
            requests_per_minute: rng.percent(40).then(|| rng.range(40, 120) as u32),
            parallel_requests: rng.range(1, 7) as usize,
            ..Policy::default()
        };
        let manner = Manner {
            greets: rng.percent(70),
            keepalive,
            policy: policy.clone(),
            single_jobs: rng.percent(80),
            whole_rows: rng.percent(50),
            http: true,
            two_calls: false,
            confirms: false,
            serves_logs: seed.is_multiple_of(3),
            announces_logs: seed.is_multiple_of(2),
        };
        let speech = Speech::any(&mut rng);
        let mut server = JobServer::new(speech, &mut rng);
        let mut topics = match rng.range(0, 3) {
            0 => vec![Topic::Everything],
            1 => vec![Topic::Queue("a".to_owned()), Topic::Queue("b".to_owned())],
            _ => vec![Topic::Everything, Topic::Job("0".into()), Topic::Job("1".into())],
        };
        if server.speech.by_job {
            topics = vec![Topic::Everything];
        }
        let now = Now { mono: Mono(0), wall: at(EPOCH_MS) };
        let single_jobs = manner.single_jobs;
        let pace = policy.frames_per_second;
        let budget = policy.requests_per_minute;
        let mut machine = Supervisor::new(Box::new(Plain::new(manner)), policy, seed, now);
        let heartbeat = heartbeat_span(&machine);
        for job in server.remembered(&mut rng) {
            machine.remember(job);
        }
        let mut world = World {
            time: 0,
            sequence: 0,
            wall_ahead: 0,
            furthest_ahead: 0,
            events: BinaryHeap::new(),
            queued: BTreeMap::new(),
            machine,
            deadline: None,
            topics,
            server,
            wire: None,
            dialling: Dialling::Greeted,
            web: Web::Answers,
            faults: true,
            duplicates: rng.range(0, 20),
            reorders: rng.range(0, 20),
            garbage: rng.range(0, 5),
            heartbeat,
            single_jobs,
            pace,
            sent: VecDeque::new(),
            budget,
            requests: VecDeque::new(),
            announced: BTreeSet::new(),
            seen_open: BTreeSet::new(),
            listed: None,
            last_open: None,
            excused: false,
            steps: 0,
            rng,
        };
        if !world.server.speech.ordered_by_facts() {
            // Nothing in its words tells the order, so the wire must keep it.
            world.duplicates = 0;
            world.reorders = 0;
        }
        let end = world.rng.range(20_000, 160_000);
        world.after(1, Event::ServerStep);
        world.after(1, Event::FaultStep);
        world.after(5_000, Event::UserStep);
        world.after(end, Event::EndOfFaults);
        world.after(end + 30_000, Event::EndOfJobs);
        world
    }

    fn after(&mut self, delay: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((self.time + delay, self.sequence)));
        self.queued.insert(self.sequence, event);
    }

    fn now(&self) -> Now {
        let wall = EPOCH_MS + self.time as i64 + self.wall_ahead;
        Now { mono: Mono(self.time), wall: at(wall) }
    }

    fn run(&mut self) -> Result<(), String> {
        for topic in self.topics.clone() {
            self.input(Input::Watch(topic))?;
        }
        self.input(Input::Start)?;
        let mut end = u64::MAX;
        loop {
            let next = self.events.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
            let tick = self.deadline.map_or(u64::MAX, |at| at.0.max(self.time));
            if next.min(tick) >= end {
                self.time = end;
                return Ok(());
            }
            self.steps += 1;
            if self.steps > 200_000 {
                return Err("the machine is too busy".to_owned());
            }
            if tick < next {
                self.time = tick;
                self.input(Input::Tick)?;
                continue;
            }
            let Some(Reverse((at, sequence))) = self.events.pop() else {
                return Err("nothing is left to happen".to_owned());
            };
            self.time = at;
            let Some(event) = self.queued.remove(&sequence) else { continue };
            if let Event::EndOfJobs = event {
                // Faults, jobs: all is over. What follows is the time to converge.
                end = self.time + 300_000;
            }
            self.happen(event)?;
        }
    }

    /// The next frame of a socket that could as well arrive now, together with the one before it.
    fn next_frame(&mut self, socket: SocketId) -> Option<Frame> {
        let Reverse((at, sequence)) = *self.events.peek()?;
        let same =
            matches!(self.queued.get(&sequence), Some(Event::ToClient(of, _)) if *of == socket);
        if !same || at > self.time + 20 {
            return None;
        }
        self.events.pop();
        match self.queued.remove(&sequence) {
            Some(Event::ToClient(_, frame)) => Some(frame),
            _ => None,
        }
    }

    fn happen(&mut self, event: Event) -> Result<(), String> {
        match event {
            Event::ServerStep => {
                let calm = !self.faults;
                let said = self.server.step(self.time, calm, &mut self.rng);
                self.publish(said);
                let delay = self.rng.range(100, 2_500);
                if !self.server.is_over() {
                    self.after(delay, Event::ServerStep);
                }
            }
            Event::FaultStep if self.faults => self.fault_step()?,
            Event::UserStep if self.faults => self.user_step()?,
            Event::FaultStep | Event::UserStep => {}
            Event::Resume => self.input(Input::Start)?,
            Event::EndOfFaults => self.end_faults()?,
            Event::EndOfJobs => {
                let said = self.server.finish(self.time, &mut self.rng);
                self.publish(said);
            }
            Event::Dialled(socket) => self.dialled(socket)?,
            Event::ToClient(socket, frame) => {
                if let Some(wire) = self.wire.as_mut().filter(|wire| wire.id == socket && wire.open)
                {
                    wire.last_delivery = self.time;
                    let mut frames = vec![frame];
                    while self.rng.range(0, 2) == 0
                        && let Some(next) = self.next_frame(socket)
                    {
                        frames.push(next);
                    }
                    self.input(Input::Frames(socket, frames))?;
                }
            }
            Event::ToServer(socket, frame) => self.server_hears(socket, &frame),
            Event::Drop(socket) => {
                if self.wire.as_ref().is_some_and(|wire| wire.id == socket && wire.open) {
                    self.wire = None;
                    self.input(Input::Closed(socket, "connection reset".to_owned()))?;
                }
            }
            Event::ServerPing(socket) => {
                if let Keepalive::ServerPings { interval, .. } = self.keepalive()
                    && self.wire.as_ref().is_some_and(|wire| wire.id == socket && wire.open)
                {
                    self.send(socket, Frame::Text("pong".to_owned()));
                    self.after(interval.as_millis() as u64, Event::ServerPing(socket));
                }
            }
            Event::Asked(id, ask) => self.asked(id, &ask),
            Event::Answered(id, result, wish) => {
                // A long list comes in parts, whose lines mean the same.
                let part = match &result {
                    Ok((200, body)) if self.rng.range(0, 3) == 0 => body.split_once('\n'),
                    _ => None,
                };
                let part = part.map(|(first, rest)| (first.to_owned(), rest.to_owned()));
                let result = match part {
                    Some((first, rest)) => {
                        self.input(Input::Part(id, page(200, &first)))?;
                        Ok((200, rest))
                    }
                    None => result,
                };
                let result = result.map(|(status, body)| page(status, &body));
                let wish = wish.map(Duration::from_millis);
                self.input(Input::Fetched(id, result, wish))?;
            }
        }
        Ok(())
    }

    fn keepalive(&self) -> Keepalive {
        self.machine.keepalive()
    }

    fn fault_step(&mut self) -> Result<(), String> {
        match self.rng.range(0, 12) {
            0 => self.dialling = Dialling::Unreachable,
            1 => self.dialling = Dialling::Hanging,
            2 => self.dialling = Dialling::Silent,
            3 => self.dialling = Dialling::DroppedAtOnce,
            4 => {
                let status = *self.rng.pick(&[401, 403, 429, 502, 503]);
                let wish = self.rng.percent(50).then(|| self.rng.range(1_000, 40_000));
                self.dialling = Dialling::Status(status, wish);
            }
            5 => self.dialling = Dialling::RefusedByFrame,
            _ => self.dialling = Dialling::Greeted,
        }
        match self.rng.range(0, 14) {
            0 => self.web = Web::Unreachable,
            1 => self.web = Web::Hanging,
            2 => self.web = Web::Html,
            3 => {
                let status = *self.rng.pick(&[401, 429, 500, 503]);
                let wish = self.rng.percent(50).then(|| self.rng.range(1_000, 40_000));
                self.web = Web::Status(status, wish);
            }
            4 | 5 => self.web = Web::Late,
            _ => self.web = Web::Answers,
        }
        if let Some(wire) = self.wire.as_mut().filter(|wire| wire.open) {
            let socket = wire.id;
            match self.rng.range(0, 8) {
                0 => self.after(1, Event::Drop(socket)),
                1 => self.stall(),
                2 => self.send(socket, Frame::Text("disconnected The server restarts.".to_owned())),
                _ => {}
            }
        }
        if self.rng.percent(10) {
            self.jump()?;
        }
        let delay = self.rng.range(500, 25_000);
        self.after(delay, Event::FaultStep);
        Ok(())
    }

    /// The socket is half open from now on: nobody is told.
    fn stall(&mut self) {
        if let Some(wire) = &mut self.wire {
            wire.alive = false;
            wire.dead_since.get_or_insert(self.time);
        }
    }

    /// The wall clock jumps: after sleep, by somebody's hand, in either direction.
    fn jump(&mut self) -> Result<(), String> {
        if self.rng.percent(50) {
            // Asleep: to the machine it is all the same whether its monotonic clock stood still
            // or the wall clock ran ahead.
            let slept = self.rng.range(6_000, 600_000);
            self.wall_ahead += slept as i64;
            if self.rng.percent(70) {
                self.stall();
            }
        } else {
            let by = self.rng.range(0, 14_400_000) as i64 - 7_200_000;
            self.wall_ahead += by;
        }
        self.furthest_ahead = self.furthest_ahead.max(self.wall_ahead);
        self.excused = true;
        self.input(Input::Tick)
    }

    fn user_step(&mut self) -> Result<(), String> {
        let delay = self.rng.range(2_000, 40_000);
        self.after(delay, Event::UserStep);
        let extra = Topic::Job("no-such-job".into());
        match self.rng.range(0, 12) {
            0 => {
                self.excused = true;
                self.input(Input::ReconnectNow)
            }
            1 => {
                self.excused = true;
                self.input(Input::Woke)
            }
            2 => {
                let pause = self.rng.range(100, 8_000);
                self.after(pause, Event::Resume);
                self.excused = true;
                self.input(Input::Pause)
            }
            3 => self.input(Input::Watch(extra)),
            4 => self.input(Input::Unwatch(extra)),
            5 => {
                self.excused = true;
                self.input(Input::Key(None))
            }
            6 => {
                for index in 0..100 {
                    self.input(Input::Logs(index.to_string().into(), LogFrom::Known))?;
                }
                Ok(())
            }
            7 => self.input(Input::Logs("0".into(), LogFrom::Known)),
            _ => Ok(()),
        }
    }

    fn end_faults(&mut self) -> Result<(), String> {
        self.faults = false;
        self.dialling = Dialling::Greeted;
        self.web = Web::Answers;
        self.duplicates = 0;
        self.reorders = 0;
        self.garbage = 0;
        // However it was left, the user wants it to run.
        self.excused = true;
        self.input(Input::Start)?;
        self.input(Input::Unwatch(Topic::Job("no-such-job".into())))
    }

    fn dialled(&mut self, socket: SocketId) -> Result<(), String> {
        if self.wire.as_ref().is_none_or(|wire| wire.id != socket) {
            return Ok(());
        }
        let failure = match self.dialling {
            Dialling::Unreachable => Failure::Unreachable("connection refused".to_owned()),
            Dialling::Hanging => Failure::Timeout(Duration::from_secs(10)),
            Dialling::Status(status, wish) => {
                Failure::Http { status, text: None, retry_after: wish.map(Duration::from_millis) }
            }
            _ => {
                if let Some(wire) = &mut self.wire {
                    wire.open = true;
                    wire.last_delivery = self.time;
                    wire.last_arrival = self.time;
                }
                match self.dialling {
                    Dialling::DroppedAtOnce => self.after(1, Event::Drop(socket)),
                    Dialling::Silent => {
                        // It accepts, and never says a word.
                        if let Some(wire) = &mut self.wire {
                            wire.alive = false;
                            wire.dead_since = Some(self.time);
                        }
                    }
                    _ => {}
                }
                self.input(Input::Opened(socket))?;
                if let Keepalive::ServerPings { interval, .. } = self.keepalive() {
                    self.after(interval.as_millis() as u64, Event::ServerPing(socket));
                }
                if self.dialling == Dialling::RefusedByFrame {
                    self.send(socket, Frame::Text("refused too many sockets".to_owned()));
                }
                return Ok(());
            }
        };
        self.wire = None;
        self.input(Input::OpenFailed(socket, failure))
    }

    fn server_hears(&mut self, socket: SocketId, frame: &Frame) {
        let Some(wire) = self.wire.as_mut().filter(|w| w.id == socket && w.open && w.alive) else {
            return;
        };
        match frame {
            Frame::Ping => self.send(socket, Frame::Pong),
            Frame::Text(text) => match text.split_once(' ') {
                _ if text == "hello" => {
                    let greets = self.dialling == Dialling::Greeted || !self.faults;
                    let word = if greets { "welcome" } else { "wait" };
                    self.send(socket, Frame::Text(word.to_owned()));
                }
                _ if text == "ping" => self.send(socket, Frame::Text("pong".to_owned())),
                Some(("watch", topic)) => {
                    wire.watches.insert(topic.to_owned());
                }
                Some(("unwatch", topic)) => {
                    wire.watches.remove(topic);
                }
                _ => {}
            },
            Frame::Pong | Frame::Binary(_) => {}
        }
    }

    /// Tells the client what happened to a job, if it watches it.
    fn publish(&mut self, said: Vec<(usize, String)>) {
        for (job, line) in said {
            let Some(wire) = &self.wire else { return };
            let socket = wire.id;
            let watched = self.server.topics_of(job).iter().any(|t| wire.watches.contains(t));
            if wire.open && watched {
                self.send(socket, Frame::Text(line));
            }
        }
    }

    fn send(&mut self, socket: SocketId, frame: Frame) {
        let chance = |world: &mut World, percent| world.faults && world.rng.percent(percent);
        let mut delay = self.rng.range(2, 80);
        let duplicated = chance(self, self.duplicates);
        let reordered = chance(self, self.reorders);
        if chance(self, self.garbage) {
            let noise = match self.rng.range(0, 3) {
                0 => Frame::Binary(vec![0xff; 40]),
                1 => Frame::Text("{\"type\":null}".to_owned()),
                _ => Frame::Text("job id=".to_owned()),
            };
            self.after(delay, Event::ToClient(socket, noise));
        }
        let Some(wire) = self.wire.as_mut().filter(|w| w.id == socket && w.open && w.alive) else {
            return;
        };
        if !reordered {
            let arrival = (self.time + delay).max(wire.last_arrival);
            wire.last_arrival = arrival;
            delay = arrival - self.time;
        } else {
            delay += self.rng.range(0, 1_500);
        }
        if duplicated {
            let later = delay + self.rng.range(0, 3_000);
            self.after(later, Event::ToClient(socket, frame.clone()));
        }
        self.after(delay, Event::ToClient(socket, frame));
    }

    fn asked(&mut self, id: FetchId, ask: &Ask) {
        let (status, body) = self.server.answer(ask);
        let down = self.rng.range(5, 100);
        match self.web {
            Web::Answers => self.after(down, Event::Answered(id, Ok((status, body)), None)),
            Web::Late => {
                let late = down + self.rng.range(0, 9_000);
                self.after(late, Event::Answered(id, Ok((status, body)), None));
            }
            Web::Html => {
                let html = "<html>hotel</html>".to_owned();
                self.after(down, Event::Answered(id, Ok((200, html)), None));
            }
            Web::Status(status, wish) => {
                self.after(down, Event::Answered(id, Ok((status, String::new())), wish));
            }
            Web::Unreachable => {
                let failure = Failure::Unreachable("connection refused".to_owned());
                self.after(down, Event::Answered(id, Err(failure), None));
            }
            Web::Hanging => {
                let failure = Failure::Timeout(Duration::from_secs(15));
                self.after(15_000, Event::Answered(id, Err(failure), None));
            }
        }
    }

    fn input(&mut self, input: Input) -> Result<(), String> {
        let now = self.now();
        self.machine.handle(input, now);
        for _ in 0..10_000 {
            match self.machine.poll(now) {
                Output::Idle(deadline) => {
                    if deadline.is_some_and(|at| at.0 <= self.time) {
                        return Err(format!("a deadline at {deadline:?} has passed already"));
                    }
                    self.deadline = deadline;
                    if self.listed.is_none() {
                        let listed = |topic: &Topic| self.machine.listed_since(topic).is_some();
                        if self.topics.iter().all(listed) {
                            self.listed = Some((self.time, self.furthest_ahead));
                        }
                    }
                    return self.check();
                }
                output => self.perform(output)?,
            }
        }
        Err("the machine never comes to rest".to_owned())
    }

    fn perform(&mut self, output: Output) -> Result<(), String> {
        match output {
            Output::Open(socket, ..) => {
                self.sent.clear();
                if self.wire.is_some() {
                    return Err("a second socket was opened beside the first".to_owned());
                }
                if let Some(before) = self.last_open.replace(self.time)
                    && !std::mem::take(&mut self.excused)
                    && self.time - before < 750
                {
                    return Err(format!("opened again after {} ms", self.time - before));
                }
                self.wire = Some(Wire {
                    id: socket,
                    open: false,
                    alive: true,
                    dead_since: None,
                    last_delivery: self.time,
                    last_arrival: 0,
                    watches: BTreeSet::new(),
                });
                let delay = if self.dialling == Dialling::Hanging {
                    10_000
                } else {
                    self.rng.range(5, 200)
                };
                self.after(delay, Event::Dialled(socket));
            }
            Output::Send(socket, frame) => {
                self.sent.push_back(self.time);
                while self.sent.front().is_some_and(|at| at + 1_000 <= self.time) {
                    self.sent.pop_front();
                }
                // Greetings and pings wait for nothing.
                let most = self.pace.map_or(usize::MAX, |pace| pace as usize + 4);
                if self.sent.len() > most {
                    return Err(format!("{} frames were sent within a second", self.sent.len()));
                }
                let delay = self.rng.range(2, 80);
                self.after(delay, Event::ToServer(socket, frame));
            }
            Output::Close(socket) => match &self.wire {
                Some(wire) if wire.id == socket => self.wire = None,
                _ => return Err(format!("{socket:?} was closed, but is not open")),
            },
            Output::Fetch(id, request) => {
                // What the user asks for waits for nothing.
                if request.ask.name() != "logs" {
                    self.requests.push_back(self.time);
                }
                while self.requests.front().is_some_and(|at| at + 60_000 <= self.time) {
                    self.requests.pop_front();
                }
                let most = self.budget.map_or(usize::MAX, |budget| budget as usize);
                if self.requests.len() > most {
                    return Err(format!("{} requests within a minute", self.requests.len()));
                }
                let delay = self.rng.range(2, 50);
                self.after(delay, Event::Asked(id, request.ask));
            }
            Output::Job(job) if !job.state.terminal() => {
                self.seen_open.insert(job.id.to_string());
            }
            Output::Transition(transition) if transition.kind == TransitionKind::Outcome => {
                let key = (transition.job.to_string(), transition.attempt, transition.to.word());
                self.server.may_have_ended(&key.0, key.1, &transition.to)?;
                if !self.announced.insert(key.clone()) {
                    return Err(format!("{key:?} was announced twice"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What must hold at every moment.
    fn check(&self) -> Result<(), String> {
        let load = self.machine.load();
        let bounded = load.history <= 64
            && load.unsent <= 600
            && load.discovered <= 1_000
            && load.lookups <= 256
            && load.requests <= 250
            && load.waiting <= 1_500
            && load.topics <= 300;
        if !bounded {
            return Err(format!("a buffer grew beyond its bound: {load:?}"));
        }
        if self.machine.status().state == ConnectionState::Live {
            let Some(wire) = &self.wire else { return Err("live without a socket".to_owned()) };
            if let Some(dead) = wire.dead_since {
                let dead = dead.max(wire.last_delivery);
                let limit = self.heartbeat.as_millis() as u64 + 2_000;
                if self.time > dead + limit {
                    return Err(format!("live on a socket that is dead since {dead}"));
                }
            }
        }
        Ok(())
    }

    /// What must hold in the end.
    fn judge(&self) -> Result<(), String> {
        let status = self.machine.status();
        if status.state != ConnectionState::Live || status.reason.is_some() || status.attempt != 0 {
            return Err(format!("not live in the end: {status:?}"));
        }
        let listed = self.listed.ok_or("the topics were never all listed")?;
        for job in self.server.jobs() {
            let shown = self.machine.job_store().job(&job.id.as_str().into());
            let state = shown.map(|job| job.state.clone());
            if job.removed {
                // Where no single job can be asked for, nobody says that one is gone.
                let stuck = state.is_some_and(|state| {
                    !state.terminal() && state != JobState::Unknown("gone".into())
                });
                if stuck && self.single_jobs {
                    return Err(format!("job {} is stuck: {shown:?}", job.id));
                }
                continue;
            }
            let Some(shown) = shown else { return Err(format!("job {} is lost", job.id)) };
            if shown.state != job.state {
                return Err(format!("job {} is {}, shown {shown:?}", job.id, job.state));
            }
            if self.server.speech.counted && shown.attempt != Some(job.attempt) {
                return Err(format!("job {} is in attempt {}: {shown:?}", job.id, job.attempt));
            }
            let exact = self.server.speech.ordered_by_facts();
            if exact
                && job.state == JobState::Failed
                && shown.error.as_deref() != job.error.as_deref()
            {
                return Err(format!("job {} failed with {:?}: {shown:?}", job.id, job.error));
            }
            if exact
                && job.state == JobState::Running
                && shown.progress != Some(job.progress as f64)
            {
                return Err(format!("job {} is at {}: {shown:?}", job.id, job.progress));
            }
            if job.state.terminal() {
                self.judge_announcement(job, listed)?;
            }
        }
        Ok(())
    }

    fn judge_announcement(
        &self,
        job: &crate::jobserver::SimJob,
        (listed, ahead): (u64, i64),
    ) -> Result<(), String> {
        let word = job.state.word();
        let told = self.announced.iter().any(|(id, attempt, state)| {
            let same = *id == job.id && *state == word;
            same && (!self.server.speech.counted || *attempt == job.attempt)
        });
        // A job the client never saw under way counts as watched once its list was complete, if
        // the times on it can be compared.
        let quick = self.server.speech.timed
            && job.finished.is_some_and(|end| end > listed as i64)
            && ahead < 240_000;
        let due = self.seen_open.contains(&job.id) || quick || self.server.was_remembered(job);
        if due && !told {
            let shown = self.machine.job_store().job(&job.id.as_str().into());
            return Err(format!("the end of job {} was not announced: {job:?} {shown:?}", job.id));
        }
        Ok(())
    }
}

/// For the clock of remembered jobs.
pub fn wall(ms: i64) -> jiff::Timestamp {
    at(EPOCH_MS) + SignedDuration::from_millis(ms)
}
