//! Commands: misbehaviour and jobs on demand, in the program and over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use jobwatch_core::model::Level;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::server::Shared;

/// A job to start on command. What is absent is chosen by the world.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobSpec {
    /// The id in the dialect's spelling; TriggerX task ids may carry `task:`.
    pub id: Option<String>,
    /// The BullMQ id (Better Bull Board), the container's name (KECS).
    pub external_id: Option<String>,
    /// TriggerX: the id of the job it belongs to, with or without `job:`.
    pub parent: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The queue.
    pub queue: Option<String>,
    /// How long an attempt takes, ms; absent runs until told otherwise.
    pub duration_ms: Option<i64>,
    /// The error text. All attempts fail with it unless `failures` says fewer.
    pub error: Option<String>,
    /// The stack behind the error.
    pub stack: Option<String>,
    /// How many attempts fail before one succeeds.
    pub failures: Option<u32>,
    /// Attempts before a failure is final.
    pub max_attempts: Option<u32>,
    /// The wait before another attempt, ms.
    pub backoff_ms: Option<i64>,
    /// What it returns.
    pub result: Option<Value>,
    /// Stay queued for so long; absent starts at once.
    pub start_after_ms: Option<i64>,
    /// Between two progress reports, ms.
    pub progress_every_ms: Option<i64>,
    /// The mean time between two invented log lines, ms; absent writes none.
    pub line_every_ms: Option<i64>,
    /// Lines written at once.
    pub lines: Vec<LineSpec>,
}

/// A log line to write on command.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LineSpec {
    /// How serious it is.
    #[serde(default = "info")]
    pub level: Level,
    /// The text.
    pub text: String,
}

fn info() -> Level {
    Level::Info
}

/// How a server misbehaves until told otherwise. The default is not at all.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// What happens to WebSocket upgrades.
    pub upgrade: Option<UpgradeFault>,
    /// What happens to API calls (never to `/__demo/`).
    pub api: Option<ApiFault>,
    /// Half-open sockets: TCP stays, nothing is sent, read or ponged.
    pub stall: bool,
    /// Every text frame is sent twice.
    pub duplicate: bool,
    /// Every second text frame overtakes its predecessor.
    pub reorder: bool,
    /// Every n-th text frame is lost.
    pub lose_every: Option<u32>,
    /// TCP connections are accepted and closed at once.
    pub drop_tcp: bool,
}

/// What happens to a WebSocket upgrade.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UpgradeFault {
    /// Refused with this status.
    Status {
        /// The status code.
        status: u16,
        /// The `Retry-After` header, seconds.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// Never answered.
    Never,
    /// Answered 101, then the connection is dropped (the first generation of KECS).
    Drop,
}

/// What happens to API calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiFault {
    /// Answered with this status.
    pub status: Option<u16>,
    /// The `Retry-After` header, seconds.
    pub retry_after: Option<u64>,
    /// Answered with this text instead of the real one; HTML when it begins with `<`.
    pub body: Option<String>,
    /// Answered so much later, ms.
    pub delay_ms: Option<u64>,
    /// Never answered.
    pub never: bool,
}

impl ApiFault {
    /// An HTML page with this status, as proxies answer.
    #[must_use]
    pub fn html(status: u16) -> ApiFault {
        let body = "<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>";
        ApiFault { status: Some(status), body: Some(body.to_owned()), ..ApiFault::default() }
    }
}

/// Frames that no server should send.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Garbage {
    /// Text that is not JSON.
    InvalidJson,
    /// JSON of the wrong shapes under the dialect's own type names.
    WrongShapes,
    /// Types the dialect does not know.
    UnknownTypes,
    /// A binary frame.
    Binary,
    /// A text frame that is not UTF-8.
    InvalidUtf8,
    /// A well-formed frame with so many bytes of filling.
    Huge(usize),
    /// One of each, with 1 MiB of filling.
    All,
}

/// Much at once.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Flood {
    /// How many in all: log lines of `job` where it is given, frames otherwise.
    pub count: u64,
    /// How many per second; 0 sends everything at once.
    #[serde(default)]
    pub per_second: u64,
    /// The job whose log grows. Where the dialect pushes logs, every line is pushed.
    #[serde(default)]
    pub job: Option<String>,
    /// Lines per pushed frame (KECS: 1 is `log_entry`, more is `log_batch`).
    #[serde(default = "one")]
    pub batch: u64,
}

fn one() -> u64 {
    1
}

/// What a server has seen and done since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Counters {
    /// Upgrade requests seen, refused ones included.
    pub upgrades: u64,
    /// Sockets opened.
    pub sockets_opened: u64,
    /// Sockets open now.
    pub sockets: u64,
    /// HTTP requests by `METHOD /path`, upgrades and `/__demo/` not included.
    pub requests: BTreeMap<String, u64>,
    /// Requests and upgrades without a valid key where one is needed.
    pub bad_auth: u64,
    /// Requests and upgrades that carried an `Origin` header.
    pub with_origin: u64,
    /// Frames received from clients: text and binary.
    pub frames_in: u64,
    /// Text and binary frames put on the wire.
    pub frames_out: u64,
    /// Frames that a slow client did not get.
    pub frames_skipped: u64,
    /// Log lines written by a flood.
    pub flooded_lines: u64,
}

/// Which ports of a server stop listening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ports {
    /// Those with the WebSocket (and whatever HTTP shares the port).
    Socket,
    /// Those with HTTP alone.
    Http,
    /// All.
    All,
}

/// Commands to one demo server. Cheap to clone.
///
/// The same over HTTP: `POST /__demo/<verb>` on any port of the server, or
/// `POST /__demo/<dialect>/<verb>` on any port of the demo; see [`crate::http`].
#[derive(Clone, Debug)]
pub struct Control(pub(crate) Arc<Shared>);

impl Control {
    /// Misbehave like this from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.0.faults.send_replace(faults);
    }

    /// How the server misbehaves now.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.0.faults.borrow().clone()
    }

    /// Changes some of the faults.
    pub fn change_faults(&self, change: impl FnOnce(&mut Faults)) {
        self.0.faults.send_modify(change);
    }

    /// Behave again: no faults, and all ports listen.
    pub async fn heal(&self) {
        self.set_faults(Faults::default());
        self.listen(Ports::All).await;
    }

    /// Stops listening and drops every connection of these ports, as a killed server does.
    /// Returns when connecting is refused.
    pub async fn refuse(&self, ports: Ports) {
        self.0.set_listening(ports, false).await;
    }

    /// Listens again, on the same ports. Returns when connecting works.
    pub async fn listen(&self, ports: Ports) {
        self.0.set_listening(ports, true).await;
    }

    /// Drops all sockets at once without a close frame (clients see 1006).
    pub fn drop_sockets(&self) {
        self.0.with(|state, _| state.sessions.abort_all());
    }

    /// Ends all sessions in the dialect's own words: Study Buddy's and the analyzer's `41`, an
    /// orderly close elsewhere.
    pub fn kick(&self) {
        self.0.with(|state, _| state.protocol.kick(&mut state.sessions));
    }

    /// The tokens of Study Buddy and Better Bull Board are accepted no longer; signing in again
    /// gives new ones. The other servers have none.
    pub fn expire_tokens(&self) {
        self.0.with(|state, _| state.protocol.expire());
    }

    /// Sends this text to every socket, as it is.
    pub fn send_text(&self, text: &str) {
        self.0.with(|state, _| state.sessions.text_all(text));
    }

    /// Sends garbage to every socket.
    pub fn send_garbage(&self, garbage: &Garbage) {
        self.0.with(|state, _| state.garbage(garbage));
    }

    /// Sends much. Returns at once; [`Counters::flooded_lines`] and [`Counters::frames_out`]
    /// tell how far it is.
    pub fn flood(&self, flood: Flood) {
        crate::flood::start(Arc::clone(&self.0), flood);
    }

    /// Starts a job and gives its id in the dialect's spelling (TriggerX: the bare task id).
    #[must_use]
    pub fn start_job(&self, spec: JobSpec) -> String {
        let begins = spec.start_after_ms.is_none();
        let lines = spec.lines.clone();
        self.0.with(|state, _| {
            let (key, id) = state.world.command(spec);
            state.dispatch();
            if begins {
                state.world.begin(key);
            }
            for line in lines {
                state.world.write_line(key, line.level, line.text);
            }
            id
        })
    }

    /// Sets a job's progress. This and the following give `false` when there is no such job.
    pub fn set_progress(&self, id: &str, progress: f64, message: Option<&str>) -> bool {
        let message = message.map(str::to_owned);
        self.on(id, |world, key| world.set_progress(key, progress, message))
    }

    /// Ends a job well.
    pub fn complete(&self, id: &str, result: Option<Value>) -> bool {
        self.on(id, |world, key| world.complete(key, result))
    }

    /// Fails a job for good.
    pub fn fail(&self, id: &str, error: &str, stack: Option<&str>) -> bool {
        let stack = stack.map(str::to_owned);
        self.on(id, |world, key| world.fail(key, error.to_owned(), stack))
    }

    /// Fails the running attempt; another follows if the job has attempts left.
    pub fn fail_attempt(&self, id: &str, error: &str) -> bool {
        self.on(id, |world, key| world.fail_attempt(key, error.to_owned()))
    }

    /// Stops a job as if somebody had asked the server to.
    pub fn cancel(&self, id: &str) -> bool {
        self.on(id, |world, key| world.cancel(key))
    }

    /// Forgets a job.
    pub fn remove(&self, id: &str) -> bool {
        self.on(id, |world, key| world.remove(key))
    }

    /// Writes into a job's log.
    pub fn log(&self, id: &str, level: Level, text: &str) -> bool {
        self.on(id, |world, key| world.write_line(key, level, text.to_owned()))
    }

    /// The whole truth: `{"now", "jobs": [{"id", "parent", "external_id", "name", "queue",
    /// "state", "progress", "attempt", "max_attempts", "error", "result", "created_at",
    /// "started_at", "finished_at", "lines"}]}` with ids and states in Jobwatch's words.
    #[must_use]
    pub fn state(&self) -> Value {
        self.0.with(|state, _| state.world.truth())
    }

    /// What the server has seen and done.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.0.with(|state, _| state.counters())
    }

    fn on(&self, id: &str, change: impl FnOnce(&mut crate::world::World, u64)) -> bool {
        self.0.with(|state, _| {
            let bare = id.strip_prefix("task:").unwrap_or(id);
            let Some(key) = state.world.find(bare).map(|job| job.key) else { return false };
            change(&mut state.world, key);
            true
        })
    }
}
