//! The machine for one server: socket, greeting, heartbeat, backoff, polling, outbox, state.
//!
//! - The socket: `socket`, with `heartbeat` and `backoff`. Open is not live; any frame is proof of
//!   life; attempts never end.
//! - HTTP: `rounds`, with the table in `polling`. On every `Ready` and every watch each topic is
//!   fetched, and regularly from then on (`cadence`): beside a live socket as often as without one.
//!   `hints` says what else is fetched, `detail` what somebody looks at, `news` what is told of it.
//! - `logs`: what is asked of jobs' logs, besides the topics.
//! - `topics` is what is watched (state), `outbox` what waits to be said (a bounded queue), `pace`
//!   how fast both are said, `timers` every deadline of the socket, `status` what the badge says and why.
//!
//! Feed it one [`Input`] with [`Supervisor::handle`], then drain [`Supervisor::poll`] until it
//! answers [`Output::Idle`]. It holds no socket, no clock and no randomness of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::dialect::{ActionKind, Dialect, FetchRequest};
use crate::jobs::JobStore;
use crate::model::{Diagnostic, Job, JobId, Source, Texts, Topic};
use crate::redact::Redactor;
use crate::secret::Secret;
use crate::server::Policy;
use crate::time::{Mono, Now};

mod backoff;
mod cadence;
mod detail;
mod dispatch;
mod heartbeat;
mod hints;
mod identity;
mod intake;
mod key;
mod logs;
mod messages;
mod news;
mod polling;
mod rounds;
mod send_queue;
mod shared;
mod socket;
mod state_table;
mod status;
mod subscriptions;
mod timers;
mod topics;
mod updates;
mod verdict;
mod work;

pub use messages::{
    ActionId, ConnectionState, Failure, FetchId, Input, Load, LogReach, Lookup, Output, Remedy,
    SocketId, Status,
};
pub use shared::MAX_REUSED;
pub use verdict::sign_in_as_unauthorized;

use backoff::{Backoff, Jitter};
use heartbeat::Heartbeat;
use intake::Intake;
use key::Key;
use logs::Logs;
use news::ServerClock;
use polling::Polling;
use send_queue::SendQueue;
use socket::Phase;
use status::{Api, Fault, KeyWait};
use timers::{Timer, Timers};
use topics::Topics;

/// The wall clock running ahead of the monotonic one by more than this means that the machine
/// slept.
const SLEPT: Duration = Duration::from_secs(5);

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
    wished: Option<Mono>,
    backoff: Backoff,
    heartbeat: Heartbeat,
    send_queue: SendQueue,
    /// Why the socket is not live.
    trouble: Option<Fault>,
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
    guests: BTreeSet<JobId>,
    /// Jobs that belong to nothing that is watched.
    strangers: HashSet<JobId>,
    server_clock: ServerClock,
    answered_at: Option<Mono>,
    /// HTTP stands in for the socket.
    fallback: bool,
    /// The socket is open but says nothing, and has no heartbeat to prove it alive.
    idle: bool,
    moving: Option<(Mono, bool)>,
    /// When something watched moved last, or was asked for.
    stirred: Option<Mono>,
    baseline: Option<Timestamp>,
    /// Ids of which it was said that they mean several jobs.
    ambiguous: HashSet<JobId>,
    /// When an earlier run of the program listed a topic last.
    listed_before: HashMap<Topic, Timestamp>,
    // What is told.
    status: Status,
    told: Option<Mono>,
    told_retry: Option<Mono>,
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
            wished: None,
            backoff: Backoff::default(),
            heartbeat,
            trouble: None,
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
            guests: BTreeSet::new(),
            strangers: HashSet::new(),
            server_clock: ServerClock::default(),
            answered_at: None,
            fallback: false,
            idle: false,
            moving: None,
            stirred: None,
            baseline: None,
            ambiguous: HashSet::new(),
            listed_before: HashMap::new(),
            status: Status::new(ConnectionState::Paused, now.wall),
            told: None,
            told_retry: None,
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
            let heard = lists.filter(|(topic, _)| self.dialect.contains(topic, job));
            job.last_seen = heard.map(|(_, at)| *at).fold(job.last_seen, Timestamp::max);
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
            Input::Woke => self.distrust(now),
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
            Input::Fetched(id, result, wish) => self.fetched(id, result, wish, now),
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
            let hearing = self.live().is_some() || self.api == Api::Answers;
            let changes = self.jobs.expire(hearing, now);
            self.apply_changes(changes, now);
        }
        self.launch(now);
        self.launch_logs(now);
        if let Some(output) = self.next_output(now) {
            return output;
        }
        self.tell_status(now);
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
        self.polling.work(topic)?.listed
    }

    /// When a topic was last listed completely in this run (local clock).
    #[must_use]
    pub fn last_listed(&self, topic: &Topic) -> Option<Timestamp> {
        self.polling.work(topic)?.listed_last
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

    fn notice_sleep(&mut self, now: Now) {
        let before = std::mem::replace(&mut self.clock, now);
        let awake = now.mono.since(before.mono);
        let signed = |span| SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
        let ahead = now.wall.duration_since(before.wall).saturating_sub(signed(awake));
        if ahead > signed(SLEPT) {
            self.server_clock.forget();
            self.distrust(now);
        } else if ahead < -signed(SLEPT) {
            self.server_clock.forget();
            self.set_back(ahead, now);
        }
    }

    /// The clock was set back: what was noted by the old one is what the new one would have said.
    fn set_back(&mut self, by: SignedDuration, now: Now) {
        self.polling.shift_listings(by);
        for at in self.listed_before.values_mut() {
            *at = now.wall.min(*at);
        }
        self.jobs.shift_start(by);
        self.set_baseline();
    }

    fn fire(&mut self, timer: Timer, now: Now) {
        match timer {
            Timer::Opening | Timer::Handshake => self.handshake_timed_out(timer, now),
            Timer::Stable => self.backoff.reset(),
            Timer::Retry => self.open(now),
            Timer::Heartbeat => self.beat(now),
            Timer::Idle => self.became_idle(now),
            Timer::Sweep => self.look_up_unheard(now),
            Timer::Send => self.send_waiting(now),
            Timer::Confirmation => self.report_unconfirmed(now),
            Timer::Refresh => {}
        }
    }

    fn start(&mut self, now: Now) {
        self.wanted = true;
        if self.running || self.key_wait.is_some() {
            return;
        }
        self.running = true;
        self.stirred = Some(now.mono);
        self.api = Api::Unknown;
        self.key.release(now.mono);
        self.trouble = None;
        self.refused = false;
        self.backoff.reset();
        self.open(now);
    }

    fn pause(&mut self) {
        self.wanted = false;
        self.running = false;
        // Resumed, it is waited for anew.
        if let Some(KeyWait::Unavailable(reason) | KeyWait::Loading(reason)) = self.key_wait.take()
        {
            self.key_wait = Some(KeyWait::Loading(reason));
        }
        self.drop_socket();
        self.timers.clear_all();
        self.phase = Phase::Down;
        self.fallback = false;
        self.idle = false;
        self.trouble = None;
        self.abandon_rounds();
    }

    fn reconnect_now(&mut self, now: Now) {
        if !self.running {
            return;
        }
        self.polling.release();
        self.key.release(now.mono);
        self.stirred = Some(now.mono);
        match self.phase {
            Phase::Waiting | Phase::Down => {
                self.open(now);
                if self.fallback {
                    self.fetch_everything(now);
                }
            }
            Phase::Opening(_) | Phase::Handshake(_) | Phase::Live(_) => self.distrust(now),
        }
    }

    /// Shows that the key is being read; whoever was told that it could not be read sees that until
    /// it is there.
    fn await_key(&mut self, reason: String) {
        self.key_wait = Some(match &self.key_wait {
            Some(KeyWait::Unavailable(_)) => KeyWait::Unavailable(reason),
            _ => KeyWait::Loading(reason),
        });
    }

    fn replace_key(&mut self, key: Option<Secret>, now: Now) {
        if let Some(key) = &key {
            self.redact(&Redactor::new(Some(key)));
        }
        self.dialect.set_key(key);
        let waited = self.key_wait.take().is_some();
        if !self.running {
            if waited && self.wanted {
                self.start(now);
            }
            return;
        }
        self.drop_socket();
        self.abandon_rounds();
        self.polling.release();
        self.api = Api::Unknown;
        self.key.reset();
        self.refused = false;
        self.trouble = None;
        self.backoff.reset();
        if self.fallback {
            self.fetch_everything(now);
        }
        self.open(now);
    }

    fn odd(&mut self, kind: &'static str, text: String) {
        self.out.push_back(Output::Diagnostic(Diagnostic { kind, text, sample: None }));
    }
}
