//! One server inside the engine: its supervisor, its driver, and what comes out of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use jobwatch_core::connection::{Input, LogReach, Output, SocketId, Status, Supervisor};
use jobwatch_core::dialect::{ActionKind, FetchRequest, Method, dialect, own_id};
use jobwatch_core::jobs::Transition;
use jobwatch_core::log::{LogLine, LogLines};
use jobwatch_core::model::{Job, JobId, JobState, Json, QueuePatch, Source, Topic};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, Server, ServerId};
use jobwatch_core::time::{Mono, Now};
use jobwatch_core::wire::json;
use tokio::sync::oneshot;

use super::actions::Actions;
use super::diagnostics::Diagnostics;
use super::queues::MAX_QUEUES;
use super::signing::Renewal;
use super::state::State;
use crate::api::{ErrorCode, KeyState, UserError};
use crate::driver::{ConnectionId, Driver, Report, Reported};
use crate::fetch::Clients;
use crate::frames::{self, Frames};
use crate::history::Remembered;
use crate::keys::{keyring_message, missing_key_message};
use crate::logs::Owner;
use crate::ports::{SecretsError, StreamEvent};
use crate::redact::{Redactor, WORDS};

/// A server's clock is shown anew when it is found to be off by this much more or less.
const CLOCK_STEP: SignedDuration = SignedDuration::from_secs(2);

/// Where a server's key comes from.
#[derive(Debug)]
pub(super) enum KeyFrom {
    /// From the keyring, if the settings say that it is there.
    Settings { has_key: bool },
    /// Given by whoever started the engine.
    Given(Option<Secret>),
}

/// The clients of servers that trust the same authorities are shared.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    clients: HashMap<Option<std::path::PathBuf>, std::sync::Weak<Clients>>,
}

impl Tasks {
    pub(super) fn clients(&mut self, extra_ca: Option<&std::path::PathBuf>) -> Arc<Clients> {
        let shared = self.clients.entry(extra_ca.cloned()).or_default();
        if let Some(clients) = shared.upgrade() {
            return clients;
        }
        let clients = Arc::new(Clients::new(extra_ca.cloned()));
        *shared = Arc::downgrade(&clients);
        clients
    }
}

/// One server.
pub(super) struct Entry {
    pub connection: ConnectionId,
    pub server: Server,
    pub demo: bool,
    pub key: KeyState,
    pub secret: Option<Secret>,
    pub status: Status,
    /// `None` while its configuration cannot be used at all.
    machine: Option<Supervisor>,
    driver: Driver,
    pub redactor: Redactor,
    pub frames: Frames,
    pub queues: BTreeMap<String, QueuePatch>,
    pub diagnostics: Diagnostics,
    pub deadline: Option<Mono>,
    pub actions: Actions,
    pub renewal: Renewal,
    /// What the history was told of when each topic was last listed.
    noted: HashMap<Topic, Timestamp>,
}

impl Entry {
    pub(super) fn into_driver(self) -> Option<Driver> {
        Some(self.driver)
    }

    /// Whether the settings say that this server's key is in the keyring.
    pub(super) fn keyring_has_key(&self) -> bool {
        match self.key {
            KeyState::Stored | KeyState::Waiting | KeyState::Locked | KeyState::Missing => true,
            KeyState::None | KeyState::Session => false,
        }
    }

    pub(super) fn machine(&self) -> Option<&Supervisor> {
        self.machine.as_ref()
    }

    /// By how much the server's clock is ahead of ours, as far as is known.
    pub(super) fn clock_ahead(&self) -> SignedDuration {
        self.machine.as_ref().and_then(Supervisor::clock_ahead).unwrap_or_default()
    }

    /// Whether all that is watched has been listed since the program started.
    pub(super) fn has_listed(&self) -> bool {
        let listed = |topic| self.machine.as_ref().is_some_and(|m| m.listed_since(topic).is_some());
        self.server.watch.iter().all(listed)
    }

    /// Whether the user asked for this job by name.
    pub(super) fn watches_by_name(&self, id: &JobId) -> bool {
        self.machine.as_ref().is_some_and(|machine| machine.watches_by_name(id))
    }

    /// The id by which people know a job: the one that its server's other tools show.
    pub(super) fn shown_id<'a>(&self, job: &'a Job) -> &'a str {
        match (self.server.dialect, &job.external_id) {
            (DialectKind::BullBoard, Some(id)) => id,
            _ => own_id(job),
        }
    }

    /// Whether the user, who watches a job, may mean this one.
    pub(super) fn may_watch(&self, job: &Job) -> bool {
        self.machine.as_ref().is_some_and(|machine| {
            machine.may_watch(machine.job_store().job(&job.id).map_or(job, |known| known.as_ref()))
        })
    }

    /// Whether two ids mean the same job of this server.
    pub(super) fn same_job(&self, one: &JobId, other: &JobId) -> bool {
        one == other || self.machine.as_ref().is_some_and(|machine| machine.same_job(one, other))
    }

    /// What the server would accept for this job now.
    pub(super) fn actions_for(&self, job: &Job) -> Vec<ActionKind> {
        let offer = self.machine.as_ref().and_then(|machine| {
            // The machine's own job is not redacted.
            machine.offers(machine.job_store().job(&job.id).map_or(job, |known| known.as_ref()))
        });
        offer.into_iter().collect()
    }

    /// Whether the user watches this very job, or all of its user.
    pub(super) fn watches_closely(&self, job: &Job) -> bool {
        self.machine.as_ref().is_some_and(|machine| {
            let known = machine.job_store().job(&job.id).map_or(job, |known| known.as_ref());
            machine.watches_closely(known)
        })
    }

    /// Whether what happens to this job was asked for.
    pub(super) fn watches(&self, job: &Job) -> bool {
        // The machine's own job is not redacted, so that it names its queue and its user.
        self.machine.as_ref().is_some_and(|machine| {
            machine.watches(machine.job_store().job(&job.id).map_or(job, |known| known.as_ref()))
        })
    }
}

impl State {
    pub(super) fn position(&self, connection: ConnectionId) -> Option<usize> {
        self.servers.iter().position(|entry| entry.connection == connection)
    }

    pub(super) fn entry(&self, connection: ConnectionId) -> Option<&Entry> {
        self.servers.iter().find(|entry| entry.connection == connection)
    }

    pub(super) fn entry_mut(&mut self, connection: ConnectionId) -> Option<&mut Entry> {
        self.servers.iter_mut().find(|entry| entry.connection == connection)
    }

    pub(super) fn named(&self, id: &ServerId) -> Result<&Entry, UserError> {
        self.servers.iter().find(|entry| entry.server.id == *id).ok_or_else(|| UserError {
            code: ErrorCode::NotFound,
            message: "There is no such server any more.".to_owned(),
        })
    }

    /// Whether this server has listed all that is watched.
    pub(super) fn has_listed(&self, id: &ServerId) -> bool {
        self.named(id).is_ok_and(Entry::has_listed)
    }

    pub(super) fn server_called(&self, called: &str) -> Option<String> {
        let by_id = self.servers.iter().find(|entry| entry.server.id.0 == called);
        let named = |entry: &&Entry| entry.server.name.to_lowercase() == called.to_lowercase();
        let found = by_id.or_else(|| self.servers.iter().find(named))?;
        Some(found.server.id.0.clone())
    }

    pub(super) fn connection_of(&self, id: &str) -> Option<ConnectionId> {
        self.servers.iter().find(|entry| entry.server.id.0 == id).map(|entry| entry.connection)
    }

    /// Puts a server in, with what is remembered of it, and starts it as soon as its key is there.
    pub(super) fn insert_server(
        &mut self,
        position: usize,
        server: Server,
        demo: bool,
        key: KeyFrom,
        known: Remembered,
    ) -> ConnectionId {
        let now = self.clock.now();
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let (state, secret) = match key {
            KeyFrom::Settings { has_key: true } => (KeyState::Waiting, None),
            KeyFrom::Settings { has_key: false } => (KeyState::None, None),
            KeyFrom::Given(Some(key)) => (KeyState::Session, Some(key)),
            KeyFrom::Given(None) => (KeyState::None, None),
        };
        let redactor = Redactor::of(&server, secret.as_ref());
        let clients = self.tasks.clients(server.extra_ca.as_ref());
        let driver = Driver::spawn(connection, clients, redactor.clone(), self.reports.clone());
        // Servers that start together must not dial in step.
        let seed =
            self.seed.wrapping_add(u64::from(connection.0).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let machine = dialect(&server, secret.clone()).map(|dialect| {
            let policy = server.policy.apply(dialect.policy());
            let mut machine = Supervisor::new(dialect, policy, seed, now);
            machine.redact(&redactor);
            machine
        });
        let (machine, status) = match machine {
            Ok(machine) => {
                let status = machine.status().clone();
                (Some(machine), status)
            }
            Err(reason) => {
                (None, Status::unusable(redactor.clean(&reason), server.paused, now.wall))
            }
        };
        let mut entry = Entry {
            connection,
            server,
            demo,
            key: state,
            secret,
            status,
            machine,
            driver,
            redactor,
            frames: Frames::default(),
            queues: BTreeMap::new(),
            diagnostics: Diagnostics::default(),
            deadline: None,
            actions: Actions::default(),
            renewal: Renewal::default(),
            noted: HashMap::new(),
        };
        for (topic, at) in known.listings {
            if !entry.server.watch.contains(&topic) {
                // It was taken out of the settings by hand: watched again, it is new.
                self.history.unlisted(entry.server.id.clone(), topic);
            } else if let Some(machine) = &mut entry.machine {
                machine.remember_listing(topic, at);
            }
        }
        self.notices.learn(&entry.server.id, &known.jobs);
        for mut job in known.jobs {
            if let Some(machine) = &mut entry.machine {
                job = machine.remember(job);
            } else {
                Arc::make_mut(&mut job).source = Source::History;
            }
            self.jobs.put(connection, job);
        }
        let topics = entry.server.watch.clone();
        let (paused, waiting) = (entry.server.paused, entry.key == KeyState::Waiting);
        let budget = self.log_budget_of(&entry.server);
        self.logs.budget(Some(entry.server.id.clone()), budget);
        self.servers.insert(position.min(self.servers.len()), entry);
        for topic in topics {
            self.feed(connection, Input::Watch(topic));
        }
        self.reopen_detail(connection);
        self.read_logs_again(connection);
        if waiting {
            self.load_key(connection);
        }
        if !paused {
            self.feed(connection, Input::Start);
        }
        self.views.everything_changed();
        connection
    }

    /// Takes a server out; its driver says goodbye in its own time.
    pub(super) fn take_out(&mut self, connection: ConnectionId) -> Option<Entry> {
        let entry = self.servers.remove(self.position(connection)?);
        self.jobs.forget(connection);
        self.metrics.forget(connection);
        self.views.everything_changed();
        Some(entry)
    }

    /// Asks the keyring. The server starts when the answer is there, however late that is.
    pub(super) fn load_key(&mut self, connection: ConnectionId) {
        let Some(entry) = self.entry_mut(connection) else { return };
        entry.key = KeyState::Waiting;
        let id = entry.server.id.clone();
        self.feed(connection, Input::AwaitKey("Waiting for the keyring.".to_owned()));
        let mut pending = self.keyring.load(id);
        self.views.overview_changed();
        let asked = async move {
            match pending.wait().await {
                Err(SecretsError::Timeout) => (Err(SecretsError::Timeout), Some(pending)),
                answer => (answer, None),
            }
        };
        self.beside(asked, move |state, (answer, pending)| {
            state.key_loaded(connection, answer);
            if let Some(pending) = pending {
                state.beside(pending.wait_on(), move |state, answer| {
                    state.key_loaded(connection, answer);
                });
            }
        });
    }

    fn key_loaded(
        &mut self,
        connection: ConnectionId,
        answer: Result<Option<Secret>, SecretsError>,
    ) {
        let Some(entry) = self.entry_mut(connection) else { return };
        // A key that was entered meanwhile is the newer one.
        if !matches!(entry.key, KeyState::Waiting | KeyState::Locked | KeyState::Missing) {
            return;
        }
        let name = entry.server.name.clone();
        let none = matches!(answer, Ok(None));
        let (key, problem) = match answer {
            Ok(Some(key)) => {
                self.set_key(connection, Some(key), KeyState::Stored);
                self.keyring_trouble(None);
                return;
            }
            Ok(None) => (KeyState::Locked, missing_key_message(&[&name])),
            Err(error @ SecretsError::Missing) => (KeyState::Missing, keyring_message(&error)),
            Err(error) => (KeyState::Locked, keyring_message(&error)),
        };
        tracing::warn!(server = %name, "its key could not be had: {problem}");
        entry.key = key;
        self.feed(connection, Input::KeyUnavailable(problem.clone()));
        let locked = self.servers.iter().filter(|entry| matches!(entry.key, KeyState::Locked));
        let names: Vec<&str> = locked.map(|entry| entry.server.name.as_str()).collect();
        let problem = if none { missing_key_message(&names) } else { problem };
        self.keyring_trouble(Some(problem));
    }

    /// Tells how the keyring does; good news counts only once no server waits for it any more.
    pub(super) fn keyring_trouble(&mut self, problem: Option<String>) {
        let waiting = |entry: &Entry| matches!(entry.key, KeyState::Locked | KeyState::Missing);
        if problem.is_some() || !self.servers.iter().any(waiting) {
            self.health.keyring = problem;
        }
        self.views.overview_changed();
    }

    /// Gives a server its key, and starts it unless it is paused.
    pub(super) fn set_key(
        &mut self,
        connection: ConnectionId,
        secret: Option<Secret>,
        key: KeyState,
    ) {
        let Some(entry) = self.entry_mut(connection) else { return };
        entry.key = key;
        if let Some(secret) = &secret {
            entry.redactor.add(secret);
        }
        entry.secret.clone_from(&secret);
        entry.driver.redact(entry.redactor.clone());
        self.feed(connection, Input::Key(secret));
        self.views.overview_changed();
    }

    /// Tries a server's socket at once, or its keyring where that stood in the way.
    pub(super) fn reconnect(&mut self, id: &ServerId) -> Result<(), UserError> {
        let connection = self.named(id)?.connection;
        if self.lacks_key(connection) {
            self.load_key(connection);
        } else {
            self.feed(connection, Input::ReconnectNow);
        }
        Ok(())
    }

    /// Whether nothing but the key is missing.
    pub(super) fn lacks_key(&self, connection: ConnectionId) -> bool {
        self.entry(connection).is_some_and(|entry| {
            matches!(entry.key, KeyState::Waiting | KeyState::Locked | KeyState::Missing)
        })
    }

    /// Watches a topic no longer.
    pub(super) fn unwatch(&mut self, connection: ConnectionId, topic: Topic) {
        if let Some(entry) = self.entry_mut(connection) {
            entry.noted.remove(&topic);
            let server = entry.server.id.clone();
            self.history.unlisted(server, topic.clone());
        }
        self.feed(connection, Input::Unwatch(topic));
    }

    /// Keeps when topics were last listed: `at_least` apart, since an older time only means that
    /// what is known already is looked at again.
    pub(super) fn note_listings(&mut self, at_least: std::time::Duration) {
        for entry in &mut self.servers {
            let Some(machine) = &entry.machine else { continue };
            for topic in &entry.server.watch {
                let Some(listed) = machine.last_listed(topic) else { continue };
                let due = entry.noted.get(topic).is_none_or(|noted| {
                    listed.duration_since(*noted).unsigned_abs() >= at_least && listed != *noted
                });
                if due {
                    entry.noted.insert(topic.clone(), listed);
                    self.history.listed(entry.server.id.clone(), topic.clone(), listed);
                }
            }
        }
    }

    /// Tells who has waited too long for the answer to an action.
    pub(super) fn give_up_actions(&mut self) {
        let now = self.clock.now().mono;
        let mut changed = Vec::new();
        for entry in &mut self.servers {
            let connection = entry.connection;
            changed.extend(entry.actions.give_up(now).into_iter().map(|job| (connection, job)));
        }
        for (connection, job) in changed {
            self.asked_changed(connection, &job);
        }
    }

    /// What was asked about a job has changed: whatever shows the job shows it.
    fn asked_changed(&mut self, connection: ConnectionId, job: &JobId) {
        if let Some(number) = self.jobs.number(connection, job)
            && let Some(job) = self.jobs.job(connection, job).cloned()
        {
            self.views.job_changed(connection, &job, number);
        }
        self.views.notices_changed();
    }

    pub(super) fn woke(&mut self) {
        for connection in self.connections() {
            self.feed(connection, Input::Woke);
        }
    }

    pub(super) fn tick(&mut self, connection: ConnectionId) {
        self.feed(connection, Input::Tick);
    }

    /// Drops jobs that their server's machine has dropped to stay within its bound.
    pub(super) fn prune(&mut self) {
        for connection in self.connections() {
            let Some(machine) = self.entry(connection).and_then(Entry::machine) else { continue };
            let store = machine.job_store();
            if self.jobs.tally(connection).jobs as usize <= store.len() {
                continue;
            }
            let of = self.jobs.of(connection).map(|job| &job.id);
            let gone: Vec<JobId> = of.filter(|id| store.job(id).is_none()).cloned().collect();
            for id in gone {
                if let Some(number) = self.jobs.remove(connection, &id) {
                    self.views.job_gone(number);
                }
            }
        }
    }

    /// A driver's report.
    pub(super) fn reported(&mut self, mut report: Report) {
        // Given back once everything that came of the report is done, its log lines written.
        let share = report.share.take().map(Arc::new);
        let is_part = matches!(report.what, Reported::Part(..));
        self.handle_report(report);
        self.store_lines(share.as_ref());
        // Of a long list no more is read than the history keeps up with.
        if is_part && let Some(share) = share {
            self.history.then(move || drop(share));
        }
    }

    fn handle_report(&mut self, report: Report) {
        let connection = report.connection;
        let now = self.clock.now();
        match report.what {
            Reported::Opened(link) => self.feed(connection, Input::Opened(link)),
            Reported::OpenFailed(link, failure) => {
                self.feed(connection, Input::OpenFailed(link, failure));
            }
            Reported::Closed(link, reason) => self.feed(connection, Input::Closed(link, reason)),
            Reported::Frames(link, frames) => {
                let Some(entry) = self.entry_mut(connection) else { return };
                for frame in &frames {
                    entry.frames.frame(true, frame, &entry.redactor, now);
                    trace_wire(entry);
                }
                self.feed(connection, Input::Frames(link, frames));
                self.views.frames_changed(connection);
            }
            Reported::Part(id, part, date) => {
                self.dated(connection, date);
                self.feed(connection, Input::Part(id, part));
            }
            Reported::Fetched(id, answer, said) => {
                let Some(entry) = self.entry_mut(connection) else { return };
                match &answer {
                    Ok(response) => {
                        let kind = response.content_type.as_deref().unwrap_or("");
                        let (body, bytes) = match &said.parts {
                            Some(whole) => (&whole.head, whole.bytes),
                            None => (&response.body, response.body.len()),
                        };
                        let body = entry.redactor.clean_head(body, frames::MAX_TEXT);
                        let text = format!("{} {kind}\n{body}", response.status);
                        entry.frames.http(true, &text, bytes, &entry.redactor, now);
                    }
                    Err(failure) => {
                        let text = failure.to_string();
                        entry.frames.http(true, &text, 0, &entry.redactor, now);
                    }
                }
                trace_wire(entry);
                self.views.frames_changed(connection);
                self.dated(connection, said.date);
                self.feed(connection, Input::Fetched(id, answer, said.pause));
            }
        }
    }

    /// Takes note of what time it is on a server.
    fn dated(&mut self, connection: ConnectionId, date: Option<Timestamp>) {
        let Some(date) = date else { return };
        let ahead = |state: &State| state.entry(connection).map(Entry::clock_ahead);
        let before = ahead(self).unwrap_or_default();
        self.feed(connection, Input::ServerDate(date));
        let now = ahead(self).unwrap_or_default();
        // A date has no fractions, so that every other answer differs by a second.
        if before.saturating_sub(now).abs() > CLOCK_STEP {
            self.views.overview_changed();
        }
    }

    /// Gives a server's machine an input and performs what comes out.
    pub(super) fn feed(&mut self, connection: ConnectionId, input: Input) {
        let now = self.clock.now();
        let Some(machine) = self.entry_mut(connection).and_then(|entry| entry.machine.as_mut())
        else {
            return;
        };
        machine.handle(input, now);
        loop {
            let Some(machine) = self.entry_mut(connection).and_then(|entry| entry.machine.as_mut())
            else {
                return;
            };
            match machine.poll(now) {
                Output::Idle(deadline) => {
                    if let Some(entry) = self.entry_mut(connection) {
                        entry.deadline = deadline;
                    }
                    return;
                }
                output => self.perform(connection, output, now),
            }
        }
    }

    fn perform(&mut self, connection: ConnectionId, output: Output, now: Now) {
        let Some(entry) = self.entry_mut(connection) else { return };
        match output {
            Output::Idle(_) => {}
            Output::Open(link, request, limit) => {
                // Whatever the dialect made of the key is as secret as the key.
                let secrets = request.secrets();
                if secrets.iter().filter(|secret| entry.redactor.add(secret)).count() > 0 {
                    entry.driver.redact(entry.redactor.clone());
                }
                let text = format!("GET {} (upgrade)", request.address);
                entry.frames.http(false, &text, 0, &entry.redactor, now);
                trace_wire(entry);
                entry.driver.open(link, request, limit);
                self.views.frames_changed(connection);
            }
            Output::Send(link, frame) => {
                entry.frames.frame(false, &frame, &entry.redactor, now);
                trace_wire(entry);
                if let Err(full) = entry.driver.send(link, frame) {
                    self.backpressured(connection, link, full.to_string(), now);
                }
                self.views.frames_changed(connection);
            }
            Output::Close(link) => entry.driver.close(link),
            Output::Fetch(id, request) => {
                let text = request_text(&request);
                let bytes = request.body.as_ref().map_or(0, String::len);
                entry.frames.http(false, &text, bytes, &entry.redactor, now);
                trace_wire(entry);
                entry.driver.fetch(id, request);
                self.views.frames_changed(connection);
            }
            Output::Abandon(id) => entry.driver.abandon(id),
            Output::Status(status) => self.status(connection, status),
            Output::Job(job) => self.job(connection, job),
            Output::Transition(step) => self.step(connection, step),
            Output::Lookup { job, lookup } => self.looked_up(connection, &job, lookup),
            Output::Forgotten(job) => self.forget_job(connection, &job),
            Output::Log { job, mut lines, source } => {
                if entry.redactor.finds(lines.everything()) {
                    lines = clean_lines(&lines, &entry.redactor);
                }
                let connection = entry.connection;
                self.received_lines.push((connection, job, lines, source));
            }
            Output::LogReach { job, mut reach } => {
                if let LogReach::Cut { reason, .. } = &mut reach {
                    *reason = entry.redactor.clean_prefix(reason, WORDS);
                }
                self.reached.push((connection, job, reach));
            }
            Output::Metric(mut metric) => {
                entry.redactor.clean_in_place(&mut metric.name);
                if let Some(unit) = &mut metric.unit {
                    entry.redactor.clean_in_place(unit);
                }
                let server = entry.server.id.clone();
                self.metrics.push(connection, &metric, now);
                if let Some(job) = &metric.job {
                    self.views.job_touched(connection, job);
                }
                self.sink(|| StreamEvent::Metric { server, metric });
            }
            Output::Queue(mut queue) => {
                entry.redactor.clean_in_place(&mut queue.name);
                let server = entry.server.id.clone();
                if entry.queues.len() < MAX_QUEUES || entry.queues.contains_key(&queue.name) {
                    merge_queue(entry.queues.entry(queue.name.clone()).or_default(), &queue);
                }
                self.views.queues_changed();
                self.sink(|| StreamEvent::Queue { server, queue });
            }
            Output::Notice(notice) => self.server_notice(connection, notice, now),
            Output::NoticeRead(id) => self.notice_read(connection, &id),
            Output::Diagnostic(mut diagnostic) => {
                diagnostic.text = entry.redactor.clean_prefix(&diagnostic.text, WORDS);
                diagnostic.sample =
                    diagnostic.sample.map(|text| entry.redactor.clean_prefix(&text, json::SAMPLE));
                entry.diagnostics.note(&diagnostic, now.wall);
                let server = entry.server.id.clone();
                tracing::debug!(
                    %server,
                    kind = diagnostic.kind,
                    "{}",
                    diagnostic.text
                );
                self.views.overview_changed();
                self.sink(|| StreamEvent::Diagnostic { server, diagnostic });
            }
            Output::Acted(id, result) => {
                let result = result.map_err(|words| UserError {
                    code: ErrorCode::Server,
                    message: entry.redactor.clean_prefix(&words, WORDS),
                });
                if let Some(job) = entry.actions.answered(id, result) {
                    self.asked_changed(connection, &job);
                }
            }
            Output::Listed { topic, ok, denied } => {
                let server = entry.server.id.clone();
                if ok && self.has_listed(&server) {
                    self.notices.listed(&server, now);
                }
                self.sink(|| StreamEvent::Listed { server, topic, ok, denied });
            }
        }
    }

    fn backpressured(
        &mut self,
        connection: ConnectionId,
        link: SocketId,
        reason: String,
        now: Now,
    ) {
        let Some(entry) = self.entry_mut(connection) else { return };
        entry.driver.close(link);
        // Handled within the drain that is under way, which performs what comes of it.
        if let Some(machine) = &mut entry.machine {
            machine.handle(Input::Closed(link, reason), now);
        }
    }

    fn status(&mut self, connection: ConnectionId, mut status: Status) {
        let Some(entry) = self.entry_mut(connection) else { return };
        status.reason = status.reason.map(|reason| entry.redactor.clean_prefix(&reason, WORDS));
        if status.state != entry.status.state {
            let reason = status.reason.as_deref().unwrap_or("");
            tracing::info!(server = %entry.server.id, "{:?} {reason}", status.state);
        }
        let lost = entry.status.socket_live && !status.socket_live;
        entry.status = status.clone();
        let server = entry.server.id.clone();
        self.views.overview_changed();
        self.sink(|| StreamEvent::Status { server, status });
        if lost && let Some(entry) = self.entry(connection) {
            self.logs.disconnected(entry.server.id.clone());
            // From now on the rows say as of when they are.
            self.views.everything_changed();
        }
    }

    fn job(&mut self, connection: ConnectionId, mut job: Arc<Job>) {
        let Some(entry) = self.entry(connection) else { return };
        clean_job(&mut job, &entry.redactor);
        let (server, named) = (entry.server.id.clone(), entry.may_watch(&job));
        let before = self.jobs.tally(connection);
        let known = self.jobs.job(connection, &job.id).cloned();
        let number = self.jobs.put(connection, Arc::clone(&job));
        if known.as_ref().is_none_or(|known| known.state.terminal() != job.state.terminal()) {
            let owner = Owner { server: server.clone(), job: job.id.clone() };
            self.logs.ended(owner, job.state.terminal());
        }
        self.views.job_changed(connection, &job, number);
        self.queue_of(connection, &job, known.as_deref());
        if before != self.jobs.tally(connection) {
            self.views.overview_changed();
        }
        let new = known.is_none();
        let retried =
            self.entry_mut(connection).filter(|_| new).and_then(|e| e.actions.began(&job));
        if let Some(of) = retried {
            self.asked_changed(connection, &of);
        }
        self.history.job(server.clone(), Arc::clone(&job));
        self.sink(|| StreamEvent::Job { server, job, named });
    }

    fn step(&mut self, connection: ConnectionId, mut step: Transition) {
        let Some(entry) = self.entry(connection) else { return };
        if let Some(error) = &mut step.error {
            entry.redactor.clean_in_place(error);
        }
        for state in [Some(&mut step.to), step.from.as_mut()].into_iter().flatten() {
            if let JobState::Unknown(word) = state {
                *word = entry.redactor.clean(word).into();
            }
        }
        let server = entry.server.id.clone();
        let job = self.jobs.job(connection, &step.job).filter(|job| entry.watches(job)).cloned();
        self.views.step(connection, &step);
        if let Some(job) = job
            && self.notify(|own, now, servers| own.step(&server, &job, &step, now, servers))
        {
            return;
        }
        self.history.step(server, step);
    }

    pub(super) fn act(
        &mut self,
        server: &ServerId,
        job: &str,
        action: ActionKind,
        answer: oneshot::Sender<Result<(), UserError>>,
    ) {
        let now = self.clock.now();
        let refuse = |code, message: &str| UserError { code, message: message.to_owned() };
        let Some(entry) = self.servers.iter_mut().find(|entry| entry.server.id == *server) else {
            let gone = refuse(ErrorCode::NotFound, "There is no such server any more.");
            let _ = answer.send(Err(gone));
            return;
        };
        let connection = entry.connection;
        let Some(job) = self.jobs.job(connection, &JobId::from(job)) else {
            let gone = refuse(ErrorCode::NotFound, "This job is not known any more.");
            let _ = answer.send(Err(gone));
            return;
        };
        // The machine's own job is not redacted, so that the server is asked with what it said.
        let request = entry.machine.as_ref().and_then(|machine| {
            let known = machine.job_store().job(&job.id);
            machine.perform(action, known.unwrap_or(job))
        });
        let Some(request) = request else {
            let message = match job.state {
                JobState::Completed | JobState::Failed | JobState::Cancelled => {
                    "The server would not accept this for a job that has ended."
                }
                _ => "The server would not accept this for the job as it is now.",
            };
            let _ = answer.send(Err(refuse(ErrorCode::Invalid, message)));
            return;
        };
        let job = Arc::clone(job);
        let id = entry.actions.ask(&job, action, answer, now);
        self.asked_changed(connection, &job.id);
        self.feed(connection, Input::Act(id, request));
    }
}

/// Servers quote requests back: what a job says about itself is shown and stored without the key.
/// Its id stays as it is, since it is what the server is asked with.
fn clean_job(job: &mut Arc<Job>, redactor: &Redactor) {
    if quotes_key(job, redactor) {
        let job = Arc::make_mut(job);
        let texts = [
            &mut job.external_id,
            &mut job.name,
            &mut job.queue,
            &mut job.user,
            &mut job.message,
            &mut job.error,
            &mut job.stack,
        ];
        for text in texts.into_iter().flatten() {
            redactor.clean_in_place(text);
        }
        if let JobState::Unknown(word) = &mut job.state {
            *word = redactor.clean(word).into();
        }
        for json in [&mut job.detail, &mut job.data, &mut job.result].into_iter().flatten() {
            redactor.clean_json(json);
        }
        job.extra = std::mem::take(&mut job.extra)
            .into_iter()
            .map(|(name, mut json)| {
                let mut name = name.to_string();
                redactor.clean_in_place(&mut name);
                redactor.clean_json(&mut json);
                (name, json)
            })
            .collect();
    }
}

fn clean_lines(lines: &LogLines, redactor: &Redactor) -> LogLines {
    let mut clean = LogLines::with_capacity(lines.len(), lines.bytes());
    if lines.goes_on() {
        clean = clean.going_on();
    }
    clean.set_gap(lines.gap());
    for line in lines.iter() {
        let text = redactor.clean(line.text);
        let (id, origin) =
            (line.id.map(|id| redactor.clean(id)), line.origin.map(|o| redactor.clean(o)));
        clean.push(LogLine { id: id.as_deref(), origin: origin.as_deref(), text: &text, ..line });
    }
    clean
}

fn quotes_key(job: &Job, redactor: &Redactor) -> bool {
    let texts =
        [&job.external_id, &job.name, &job.queue, &job.user, &job.message, &job.error, &job.stack];
    let word = match &job.state {
        JobState::Unknown(word) => Some(&**word),
        _ => None,
    };
    let json = [&job.detail, &job.data, &job.result];
    let extra = job.extra.iter().flat_map(|(name, json)| [name, json.as_str()]);
    texts
        .into_iter()
        .flatten()
        .map(String::as_str)
        .chain(word)
        .chain(json.into_iter().flatten().map(Json::as_str))
        .chain(extra)
        .any(|text| redactor.finds(text))
}

fn request_text(request: &FetchRequest) -> String {
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
    };
    match &request.body {
        Some(body) => format!("{method} {}\n{body}", request.address),
        None => format!("{method} {}", request.address),
    }
}

/// The frame recorded last, in the trace log: it has been redacted already.
fn trace_wire(entry: &Entry) {
    if !tracing::enabled!(target: "wire", tracing::Level::TRACE) {
        return;
    }
    if let Some(row) = entry.frames.last() {
        let arrow = if row.incoming { "<" } else { ">" };
        tracing::trace!(target: "wire", server = %entry.server.id, "{arrow} {}", row.text);
    }
}

fn merge_queue(into: &mut QueuePatch, from: &QueuePatch) {
    into.name.clone_from(&from.name);
    into.paused = from.paused.or(into.paused);
    into.waiting = from.waiting.or(into.waiting);
    into.active = from.active.or(into.active);
    into.completed = from.completed.or(into.completed);
    into.failed = from.failed.or(into.failed);
    into.delayed = from.delayed.or(into.delayed);
}
