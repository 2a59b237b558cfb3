//! The world behind a demo server: jobs that are created, queued, run, retried and end.
//!
//! Pure: it moves only when told what time it is, and everything in it follows from the seed, the
//! time it began and the commands it was given. How often it is advanced changes nothing.

mod command;
pub(crate) mod job;
pub(crate) mod templates;
pub(crate) mod texts;

use std::collections::{BTreeMap, BTreeSet};

use jobwatch_core::model::Level;

use crate::rng::Rng;
use job::{Due, Failure, Job, Log, Plan, State};
use templates::{Ids, Templates};

/// How many ended jobs a server remembers; those started on command are never forgotten.
const KEPT_JOBS: usize = 60;

/// Something that has just happened to the job with this key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Created(u64),
    Started(u64),
    Progressed(u64),
    /// A log line, by its position.
    Logged(u64, u64),
    Measured(u64),
    /// An attempt failed and another will follow.
    Retrying(u64),
    Completed(u64),
    Failed(u64),
    Cancelled(u64),
    /// The server forgot the job. Carries its id.
    Removed(String),
}

/// One server's jobs.
#[derive(Debug)]
pub(crate) struct World {
    templates: Templates,
    seed: u64,
    rng: Rng,
    now: i64,
    jobs: BTreeMap<u64, Job>,
    active: BTreeSet<u64>,
    ended: BTreeSet<(i64, u64)>,
    stopped: BTreeSet<String>,
    next_key: u64,
    next_spawn: Option<i64>,
    events: Vec<Event>,
}

impl World {
    /// A world that begins at `now` (ms since 1970). With `life` it starts jobs of its own accord
    /// and already has a past of `past` ms.
    pub fn new(templates: Templates, seed: u64, now: i64, life: bool, past: i64) -> World {
        let begin = if life { now - past } else { now };
        let mut world = World {
            templates,
            seed,
            rng: Rng::derived(seed, 0),
            now: begin,
            jobs: BTreeMap::new(),
            active: BTreeSet::new(),
            ended: BTreeSet::new(),
            stopped: BTreeSet::new(),
            next_key: 1,
            next_spawn: life.then_some(begin),
            events: Vec::new(),
        };
        world.advance(now);
        world.events.clear();
        world
    }

    /// The time the world has reached, ms since 1970.
    pub fn now(&self) -> i64 {
        self.now
    }

    /// What happened since this was last asked.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// All jobs, oldest first.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.jobs.values()
    }

    /// The job with this number.
    pub fn job(&self, key: u64) -> Option<&Job> {
        self.jobs.get(&key)
    }

    /// The job with this id.
    pub fn find(&self, id: &str) -> Option<&Job> {
        self.jobs.values().rev().find(|job| job.id == id)
    }

    /// The jobs that other jobs belong to: title and id.
    pub fn groups(&self) -> Vec<(String, String)> {
        let mut groups: Vec<(String, String)> = self
            .templates
            .groups
            .iter()
            .map(|(t, id)| ((*t).to_owned(), (*id).to_owned()))
            .collect();
        for group in self.jobs.values().filter_map(|job| job.group.as_ref()) {
            if !groups.iter().any(|(_, id)| id == group) {
                groups.push((format!("Job {group}"), group.clone()));
            }
        }
        groups
    }

    /// The names of all queues, in no order that means anything.
    pub fn queues(&self) -> Vec<String> {
        let works = self.templates.jobs.iter().map(|work| work.queue.to_owned());
        let used = self.jobs.values().map(|job| job.queue.clone());
        works.chain(used).collect::<BTreeSet<String>>().into_iter().collect()
    }

    /// Whether this group belongs to the server's own business rather than to a command.
    pub fn own_group(&self, id: &str) -> bool {
        self.templates.groups.iter().any(|(_, group)| *group == id)
    }

    /// Whether a group was stopped.
    pub fn stopped(&self, id: &str) -> bool {
        self.stopped.contains(id)
    }

    /// A group gets no more jobs.
    pub fn stop_group(&mut self, id: &str) {
        self.stopped.insert(id.to_owned());
    }

    /// Lets everything happen that is due until `to`. Going backwards does nothing.
    pub fn advance(&mut self, to: i64) {
        while self.advance_once(to) {}
    }

    /// Lets the next thing happen that is due until `to`; false when nothing was. One thing at a
    /// time, so that it can be told as it is and not as it will be a moment later.
    pub fn advance_once(&mut self, to: i64) -> bool {
        let job = self
            .active
            .iter()
            .filter_map(|key| {
                let due = self.jobs.get(key)?.due;
                let next = [due.step, due.progress, due.line, due.metric];
                next.into_iter().flatten().min().map(|at| (at, *key))
            })
            .min();
        match (self.next_spawn, job) {
            (Some(at), other) if at <= to && other.is_none_or(|(job_at, _)| at <= job_at) => {
                self.now = self.now.max(at);
                self.spawn();
                true
            }
            (_, Some((at, key))) if at <= to => {
                self.now = self.now.max(at);
                self.step(key, at);
                true
            }
            _ => {
                self.now = self.now.max(to);
                false
            }
        }
    }

    fn running(&self) -> usize {
        let running = |key: &&u64| self.jobs.get(key).is_some_and(|j| j.state == State::Running);
        self.active.iter().filter(running).count()
    }

    /// Creates a job of this server's business, and decides when to look again.
    fn spawn(&mut self) {
        let waiting = self.active.len().saturating_sub(self.running());
        self.next_spawn = Some(self.now + self.rng.between(2_500, 9_000));
        if waiting >= 2 || self.active.len() > self.templates.workers + 2 {
            return;
        }
        let work = self.rng.pick(self.templates.jobs);
        let mut rng = Rng::derived(self.seed, self.next_key);
        let subject = (*rng.pick(work.subjects)).to_owned();
        let failing = rng.chance(self.templates.fail_rate);
        let failures = match (failing, work.attempts > 1 && rng.chance(0.5)) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => work.attempts,
        };
        let error = rng.pick(work.errors);
        let groups: Vec<&str> = (self.templates.groups.iter().map(|(_, id)| *id))
            .filter(|id| !self.stopped.contains(*id))
            .collect();
        if groups.is_empty() && !self.templates.groups.is_empty() {
            return;
        }
        let group = (!groups.is_empty()).then(|| (*rng.pick(&groups)).to_owned());
        let duration = rng.between(work.seconds.0 * 1_000, work.seconds.1 * 1_000);
        let plan = Plan {
            duration: Some(duration),
            failures,
            error: (error.0.to_owned(), error.1.to_owned()),
            result: None,
            stages: work.stages,
            lines: work.lines,
            line_every: self.templates.line_every.filter(|_| !work.lines.is_empty()),
            progress_every: self.templates.progress_every,
            metric_every: self.templates.metric_every,
            backoff: rng.between(2_000, 5_000),
        };
        let later = rng.chance(self.templates.scheduled);
        let wait = if later { rng.between(8_000, 30_000) } else { rng.between(300, 2_500) };
        let id = match self.templates.ids {
            Ids::Counted => self.count().to_string(),
            Ids::Uuid => run_uuid(self.now, &mut rng),
            Ids::Random { .. } => format!("{}{}", work.prefix, rng.hex(work.digits)),
        };
        let job = Job {
            key: self.next_key,
            id,
            external: self.external(),
            group,
            name: work.name.to_owned(),
            queue: work.queue.to_owned(),
            subject,
            state: if later { State::Scheduled } else { State::Queued },
            progress: 0.0,
            message: String::new(),
            attempt: 0,
            max_attempts: work.attempts,
            failure: None,
            result: None,
            created: self.now,
            started: None,
            finished: None,
            changed: self.now,
            metric: (0.0, 0.0),
            log: Log::default(),
            plan,
            due: Due { step: Some(self.now + wait), ..Due::default() },
            rng,
            commanded: false,
        };
        self.add(job);
    }

    /// The number of the next job.
    fn count(&self) -> u64 {
        self.templates.first + self.next_key
    }

    /// The server's second id of the next job.
    fn external(&self) -> String {
        self.templates.external.map_or_else(|| self.count().to_string(), str::to_owned)
    }

    fn add(&mut self, job: Job) -> u64 {
        let key = job.key;
        self.next_key = key + 1;
        self.active.insert(key);
        self.jobs.insert(key, job);
        self.events.push(Event::Created(key));
        key
    }

    /// Does what is due at `at` for one job.
    fn step(&mut self, key: u64, at: i64) {
        let full = self.running() >= self.templates.workers;
        let Some(job) = self.jobs.get_mut(&key) else { return };
        if job.due.step == Some(at) {
            match job.state {
                State::Queued | State::Scheduled if full && !job.commanded => {
                    job.due.step = Some(at + 500);
                }
                State::Queued | State::Scheduled => self.start(key),
                State::Running if job.attempt <= job.plan.failures => {
                    let (text, stack) = job.plan.error.clone();
                    self.attempt_failed(key, text, stack);
                }
                State::Running => self.complete(key, None),
                _ => job.due = Due::default(),
            }
        } else if job.due.line == Some(at) {
            let every = job.plan.line_every.unwrap_or(1_000);
            job.due.line = Some(at + job.rng.between(every / 4, every * 7 / 4).max(1));
            let (level, text) = compose(job);
            let position = job.log.push(at, level, text);
            self.events.push(Event::Logged(key, position));
        } else if job.due.progress == Some(at) {
            job.due.progress = job.plan.progress_every.map(|every| at + every);
            if let (Some(duration), Some(started)) = (job.plan.duration, job.started) {
                let share = (at - started) as f64 / duration.max(1) as f64;
                let progress = (share * 1_000.0).round() / 10.0;
                job.message = job.stage_at(share);
                job.progress = progress.clamp(job.progress, 99.0);
                job.changed = at;
                self.events.push(Event::Progressed(key));
            }
        } else if job.due.metric == Some(at) {
            job.due.metric = job.plan.metric_every.map(|every| at + every);
            measure(job, at);
            self.events.push(Event::Measured(key));
        }
    }

    fn start(&mut self, key: u64) {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(&key).filter(|job| !job.state.terminal()) else { return };
        job.state = State::Running;
        job.attempt += 1;
        job.progress = 0.0;
        job.message = job.stage_at(0.0);
        job.started = Some(now);
        job.changed = now;
        let fails = job.attempt <= job.plan.failures;
        let share = if fails { 0.3 + 0.6 * job.rng.unit() } else { 1.0 };
        let length = job.plan.duration.map(|duration| (duration as f64 * share) as i64);
        job.due = Due {
            step: length.map(|length| now + length.max(1)),
            progress: job.plan.progress_every.map(|every| now + every),
            line: job.plan.line_every.map(|every| now + (every / 4).max(1)),
            metric: job.plan.metric_every.map(|_| now + 150),
        };
        self.events.push(Event::Started(key));
    }

    fn attempt_failed(&mut self, key: u64, text: String, stack: String) {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(&key).filter(|job| !job.state.terminal()) else { return };
        let said = job.plan.line_every.is_some() && !stack.is_empty();
        let position = said.then(|| job.log.push(now, Level::Error, stack.clone()));
        if let Some(position) = position {
            self.events.push(Event::Logged(key, position));
        }
        job.failure = Some(Failure { text, stack, at: now });
        job.changed = now;
        if job.attempt < job.max_attempts {
            job.state = State::Queued;
            job.due = Due { step: Some(now + job.plan.backoff), ..Due::default() };
            self.events.push(Event::Retrying(key));
        } else {
            self.end(key, State::Failed);
        }
    }

    fn end(&mut self, key: u64, state: State) {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(&key).filter(|job| !job.state.terminal()) else { return };
        job.state = state;
        job.finished = Some(now);
        job.changed = now;
        job.due = Due::default();
        self.active.remove(&key);
        if !job.commanded {
            self.ended.insert((now, key));
        }
        self.events.push(match state {
            State::Completed => Event::Completed(key),
            State::Failed => Event::Failed(key),
            _ => Event::Cancelled(key),
        });
        while self.ended.len() > KEPT_JOBS {
            let Some((_, oldest)) = self.ended.pop_first() else { break };
            self.jobs.remove(&oldest);
        }
    }
}

/// A time-ordered (version 7) uuid for a run.
fn run_uuid(ms: i64, rng: &mut Rng) -> String {
    let tail = rng.hex(15);
    let time = format!("{ms:012x}");
    format!("{}-{}-7{}-8{}-{}", &time[..8], &time[8..12], &tail[..3], &tail[3..6], {
        let mut node = tail[6..15].to_owned();
        node.push_str(&rng.hex(3));
        node
    })
}

/// The next line of a job's log.
fn compose(job: &mut Job) -> (Level, String) {
    let (level, text) = *job.rng.pick(job.plan.lines);
    if text == texts::BUILD {
        let line = texts::build_line(job.log.written());
        let failed = line.contains("error");
        return (if failed { Level::Error } else { level }, line.to_owned());
    }
    let text = text
        .replace("{n}", &(job.log.written() / 2 + 1).to_string())
        .replace("{ms}", &job.rng.between(3, 900).to_string())
        .replace("{subject}", &job.subject);
    (level, text)
}

/// Processor and memory as waves, each job with its own.
fn measure(job: &mut Job, at: i64) {
    let phase = (job.key % 7) as f64;
    let seconds = (at - job.started.unwrap_or(at)) as f64 / 1_000.0;
    let noise = job.rng.unit() * 8.0;
    let cpu = 45.0 + 28.0 * (seconds / 9.0 + phase).sin() + noise;
    let memory = 180.0 + 60.0 * phase + 1.6 * seconds.min(120.0) + 14.0 * (seconds / 5.0).sin();
    job.metric = ((cpu * 10.0).round() / 10.0, (memory * 10.0).round() / 10.0);
}
