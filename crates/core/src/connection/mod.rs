//! The supervisor: the machine of one connection, from the socket to the merged jobs.
//!
//! - The socket: `socket` and `phase`, with `heartbeat` and `backoff`. Open is not live; any frame is
//!   proof of life; reconnecting never gives up.
//! - HTTP: `http`, with the requests in `http::polling`. Whenever a socket becomes ready or a topic is
//!   watched, the topic is fetched, and regularly from then on (`http::cadence`), with and without a
//!   live socket. `http::invalidation` says what else is fetched, `detail` what somebody looks at.
//! - `dispatch` is where each item that a dialect made of a frame or an answer goes; `updates` merges.
//! - `logs`: what is asked of jobs' logs, besides the topics.
//! - `topics` is what is watched, `send_queue` what waits to be sent, and how fast; `timers` every
//!   deadline of the socket; `baseline` which ends are news; `server_clock` how far the server's clock
//!   is ahead; `status` what the badge shows and why.
//!
//! Feed it one [`Input`] with [`Supervisor::handle`], then drain [`Supervisor::poll`] until it
//! returns [`Output::Idle`]. It holds no socket, no clock and no randomness of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use crate::dialect::{ActionKind, Dialect, FetchRequest};
use crate::jobs::JobStore;
use crate::model::{Diagnostic, Job, JobId, Source, Texts, Topic};
use crate::redact::Redactor;
use crate::server::Policy;
use crate::time::{Mono, Now};

mod backoff;
mod baseline;
mod detail;
mod dispatch;
mod heartbeat;
mod http;
mod identity;
mod lifecycle;
mod logs;
mod messages;
mod phase;
mod send_queue;
mod server_clock;
mod socket;
mod state_table;
mod status;
mod subscriptions;
mod timers;
mod topics;
mod updates;

pub use http::response::sign_in_as_unauthorized;
pub use http::single_flight::MAX_REUSED;
pub use messages::{
    ActionId, ConnectionState, Failure, FetchId, Input, Load, LogReach, Lookup, Output, Remedy,
    SocketId, Status,
};

use backoff::{Backoff, Jitter};
use heartbeat::Heartbeat;
use http::intake::Intake;
use http::key::Key;
use http::polling::Polling;
use logs::Logs;
use phase::Phase;
use send_queue::SendQueue;
use server_clock::ServerClock;
use status::{Api, Fault, KeyWait};
use timers::{Timer, Timers};
use topics::Topics;

/// The machine. See the module's documentation.
#[derive(Debug)]
pub struct Supervisor {
    dialect: Box<dyn Dialect>,
    jobs: JobStore,
    policy: Policy,
    out: VecDeque<Output>,
    timers: Timers,
    jitter: Jitter,
    /// Between [`Input::Start`] and [`Input::Pause`].
    wanted: bool,
    /// Wanted, and the key is there, if there is one.
    running: bool,
    /// Why the key is not there yet.
    key_wait: Option<KeyWait>,
    clock: Now,
    // The socket.
    phase: Phase,
    last_socket: u64,
    last_open: Option<Mono>,
    /// Until then the server wants no opening.
    retry_not_before: Option<Mono>,
    backoff: Backoff,
    heartbeat: Heartbeat,
    send_queue: SendQueue,
    /// Why the socket is not live.
    last_error: Option<Fault>,
    /// The socket was live with the present settings.
    socket_proven: bool,
    /// The trouble is that something else answers at the socket's address.
    foreign: bool,
    /// The trouble is that we are not accepted: only the user can change that.
    refused: bool,
    // HTTP.
    topics: Topics,
    polling: Polling,
    logs: Logs,
    /// Answers that are being taken in, the first of them first.
    intake: VecDeque<Intake>,
    /// Texts that many jobs share.
    texts: Texts,
    api: Api,
    /// The API answered with the present settings.
    api_proven: bool,
    key: Key,
    /// Lists of which only a part is read, and why.
    cut: BTreeMap<Topic, String>,
    /// More jobs have left their lists than are looked up at a time.
    lookups_crowd: bool,
    /// Jobs that are known only since somebody looks at them.
    detail_only: BTreeSet<JobId>,
    /// Jobs that belong to nothing that is watched.
    unrelated: HashSet<JobId>,
    server_clock: ServerClock,
    answered_at: Option<Mono>,
    /// HTTP stands in for the socket.
    fallback: bool,
    /// The socket is open but says nothing, and has no heartbeat to prove it alive.
    idle: bool,
    moving: Option<(Mono, bool)>,
    /// When something watched moved last, or was asked for.
    active_at: Option<Mono>,
    baseline: Option<Timestamp>,
    /// Ids of which it was said that they mean several jobs.
    ambiguous: HashSet<JobId>,
    /// When an earlier run of the program listed a topic last.
    listed_before: HashMap<Topic, Timestamp>,
    // What is told.
    status: Status,
    reported_at: Option<Mono>,
    reported_retry: Option<Mono>,
    last_received: Option<Timestamp>,
    redactor: Redactor,
}

impl Supervisor {
    /// A machine at rest: nothing happens before [`Input::Start`]. `seed` feeds the jitter.
    #[must_use]
    pub fn new(dialect: Box<dyn Dialect>, policy: Policy, seed: u64, now: Now) -> Supervisor {
        let heartbeat = Heartbeat::new(dialect.keepalive(), now.mono);
        Supervisor {
            jobs: JobStore::new(policy.grace, now.wall),
            send_queue: SendQueue::new(policy.frames_per_second),
            polling: Polling::new(&policy),
            logs: Logs::default(),
            dialect,
            policy,
            out: VecDeque::new(),
            timers: Timers::default(),
            jitter: Jitter::new(seed),
            wanted: false,
            running: false,
            key_wait: None,
            clock: now,
            phase: Phase::Down,
            last_socket: 0,
            last_open: None,
            retry_not_before: None,
            backoff: Backoff::default(),
            heartbeat,
            last_error: None,
            socket_proven: false,
            foreign: false,
            refused: false,
            topics: Topics::default(),
            intake: VecDeque::new(),
            texts: Texts::default(),
            api: Api::Unknown,
            api_proven: false,
            key: Key::default(),
            cut: BTreeMap::new(),
            lookups_crowd: false,
            detail_only: BTreeSet::new(),
            unrelated: HashSet::new(),
            server_clock: ServerClock::default(),
            answered_at: None,
            fallback: false,
            idle: false,
            moving: None,
            active_at: None,
            baseline: None,
            ambiguous: HashSet::new(),
            listed_before: HashMap::new(),
            status: Status::new(ConnectionState::Paused, now.wall),
            reported_at: None,
            reported_retry: None,
            last_received: None,
            redactor: Redactor::default(),
        }
    }

    /// Tells when an earlier run listed a topic last (local clock): what ended since then is news,
    /// although this run has not listed it yet. To be told before anything happens. A time that
    /// lies in the future, since the clock was set back, counts as the present.
    pub fn remember_listing(&mut self, topic: Topic, at: Timestamp) {
        self.listed_before.insert(topic, at.min(self.clock.wall));
    }

    /// Puts a job remembered from an earlier run in place, after [`Supervisor::remember_listing`].
    /// Answers it as it is remembered: that an unended job had not changed was heard with every
    /// listing of its topic, but written down only with its last change.
    pub fn remember(&mut self, job: impl Into<Arc<Job>>) -> Arc<Job> {
        let mut shared = job.into();
        let job = Arc::make_mut(&mut shared);
        self.texts.share(&mut job.extra);
        job.source = Source::History;
        if !job.state.terminal() {
            let lists = self.listed_before.iter();
            let listings = lists.filter(|(topic, _)| self.dialect.contains(topic, job));
            job.last_seen = listings.map(|(_, at)| *at).fold(job.last_seen, Timestamp::max);
        }
        self.dialect.remember(job);
        self.jobs.remember(Arc::clone(&shared));
        shared
    }

    /// Removes from now on what `redactor` removes, from every text that is cut or put into a
    /// sentence here. The machine learns by itself which key it is given and what it sends at an
    /// opening.
    pub fn redact(&mut self, redactor: &Redactor) {
        self.redactor.extend(redactor);
        self.jobs.redact(&self.redactor);
    }

    /// Takes one input. Drain [`Supervisor::poll`] before the next.
    pub fn handle(&mut self, input: Input, now: Now) {
        // Somebody may have an input while outputs are still drained.
        while self.take_in(now) {}
        self.notice_sleep(now);
        match input {
            Input::Start => self.start(now),
            Input::Pause => self.pause(),
            Input::ReconnectNow => self.reconnect_now(now),
            Input::Key(key) => self.replace_key(key, now),
            Input::AwaitKey(reason) => self.await_key(reason),
            Input::KeyUnavailable(reason) => self.key_wait = Some(KeyWait::Unavailable(reason)),
            Input::Woke => self.check_liveness(now),
            Input::Watch(topic) => self.watch(topic, now),
            Input::Unwatch(topic) => self.unwatch(&topic, now),
            Input::OpenDetail(job) => self.open_detail(&job, now),
            Input::CloseDetail(job) => self.close_detail(&job, now),
            Input::ServerDate(date) => self.server_clock.dated(date, now),
            Input::Logs(job, from) => self.look_at_log(&job, from, now),
            Input::ReadLog(job) => self.read_log(&job, now),
            Input::CloseLog(job) => self.close_log(&job),
            Input::Act(id, request) => self.act(id, request, now),
            Input::Opened(socket) => self.opened(socket, now),
            Input::OpenFailed(socket, failure) => self.open_failed(socket, &failure, now),
            Input::Frames(socket, frames) => {
                for frame in &frames {
                    self.frame(socket, frame, now);
                }
            }
            Input::Closed(socket, reason) => self.closed(socket, &reason, now),
            Input::Part(id, part) => self.part_fetched(id, part, now),
            Input::Fetched(id, result, retry_after) => self.fetched(id, result, retry_after, now),
            Input::Tick => {}
        }
    }

    /// The next thing to do; [`Output::Idle`] ends the drain.
    pub fn poll(&mut self, now: Now) -> Output {
        if let Some(output) = self.next_output(now) {
            return output;
        }
        self.notice_sleep(now);
        while let Some(timer) = self.timers.due(now.mono) {
            self.fire(timer, now);
        }
        if self.running && self.jobs.deadline().is_some_and(|at| at <= now.mono) {
            let connected = self.live().is_some() || self.api == Api::Answers;
            let changes = self.jobs.expire(connected, now);
            self.apply_changes(changes, now);
        }
        self.launch(now);
        self.launch_logs(now);
        if let Some(output) = self.next_output(now) {
            return output;
        }
        self.report_status(now);
        self.out.pop_front().unwrap_or_else(|| Output::Idle(self.deadline()))
    }

    /// What is to be put out before anything else is done.
    fn next_output(&mut self, now: Now) -> Option<Output> {
        while self.out.is_empty() && self.take_in(now) {}
        self.out.pop_front()
    }

    /// The jobs as merged so far.
    #[must_use]
    pub fn job_store(&self) -> &JobStore {
        &self.jobs
    }

    /// What the server would accept for this job now. Nothing where it might do it to another job:
    /// its calls take an id without a queue, and there are several jobs of that id.
    #[must_use]
    pub fn offers(&self, job: &Job) -> Option<ActionKind> {
        self.dialect.offers(job).filter(|_| !self.shares_its_id(job))
    }

    /// The request for an action, for [`Input::Act`]; `None` where the server would not accept it.
    #[must_use]
    pub fn perform(&self, action: ActionKind, job: &Job) -> Option<FetchRequest> {
        self.dialect.perform(action, job).filter(|_| !self.shares_its_id(job))
    }

    /// The connection as it was last told.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }

    /// What is watched on the user's behalf, in order.
    pub fn watched(&self) -> impl Iterator<Item = &Topic> {
        self.topics.watched()
    }

    /// Whether a job belongs to something that is watched on the user's behalf, so that what
    /// happens to it was asked for.
    #[must_use]
    pub fn watches(&self, job: &Job) -> bool {
        self.topics.watched().any(|topic| self.dialect.contains(topic, job))
    }

    /// Whether the user watches this very job, however it was named.
    #[must_use]
    pub fn watches_by_name(&self, id: &JobId) -> bool {
        let job = self.jobs.job(id);
        self.topics.watched().any(|topic| match (topic, job) {
            (Topic::Job(given), Some(job)) => self.dialect.follows(given, job),
            (Topic::Job(given), None) => self.dialect.is_alias(given, id),
            _ => false,
        })
    }

    /// Since when a topic is listed completely (local clock); `None` before its first complete
    /// answer over HTTP.
    #[must_use]
    pub fn listed_since(&self, topic: &Topic) -> Option<Timestamp> {
        self.polling.topic(topic)?.listed
    }

    /// When a topic was last listed completely in this run (local clock).
    #[must_use]
    pub fn last_listed(&self, topic: &Topic) -> Option<Timestamp> {
        self.polling.topic(topic)?.listed_last
    }

    /// How much is held in memory, for tests of the bounds.
    #[must_use]
    pub fn load(&self) -> Load {
        let (topics, requests, waiting) = self.polling.sizes();
        Load {
            history: self.send_queue.history_len(),
            unsent: self.send_queue.len(),
            discovered: self.topics.discovered_len(),
            topics,
            requests,
            waiting: waiting + self.logs.waiting(),
            lookups: self.polling.lookups(),
            jobs: self.jobs.len(),
        }
    }

    fn deadline(&self) -> Option<Mono> {
        let jobs = if self.running { self.jobs.deadline() } else { None };
        let polling = if self.may_fetch() { self.polling.deadline() } else { None };
        let logs = if self.may_fetch() { self.logs.deadline(&self.polling) } else { None };
        [self.timers.next(), jobs, polling, logs].into_iter().flatten().min()
    }

    fn fire(&mut self, timer: Timer, now: Now) {
        match timer {
            Timer::Opening | Timer::Handshake => self.handshake_timed_out(timer, now),
            Timer::Stable => self.backoff.reset(),
            Timer::Retry => self.open(now),
            Timer::Heartbeat => self.beat(now),
            Timer::Idle => self.became_idle(now),
            Timer::Sweep => self.look_up_unseen(now),
            Timer::Send => self.send_waiting(now),
            Timer::Confirmation => self.report_unconfirmed(now),
            Timer::Refresh => {}
        }
    }

    fn diagnose(&mut self, kind: &'static str, text: String) {
        self.out.push_back(Output::Diagnostic(Diagnostic { kind, text, sample: None }));
    }
}
