//! TriggerX: raw WebSocket with rooms, JSON text frames that end with a newline.

mod http;
mod texts;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::json::{Obj, Raw, go_time, num, raw};
use crate::protocol::{Heartbeat, Protocol, Reply, Request, Role, Rules};
use crate::sessions::{Out, Overflow, Session, Sessions};
use crate::world::job::{Job, State};
use crate::world::templates::{Ids, Templates};
use crate::world::{Event, World};
use crate::{DEMO_KEY, DemoOptions, Generation};

/// The owner of the demo's key.
pub(crate) const OWNER: &str = "0x7a3f52bd0c1e49d8a4be6f90c2d51e8b7f3a6c04";

/// Sockets one client may have open.
const MAX_SOCKETS: usize = 100;

/// The server half.
pub(crate) fn protocol(options: &DemoOptions) -> Box<dyn Protocol> {
    Box::new(TriggerX::new(options))
}

/// Its jobs.
pub(crate) fn templates() -> Templates {
    Templates {
        fail_rate: 0.12,
        groups: texts::GROUPS,
        first: 1040,
        ids: Ids::Counted,
        id_prefixes: ("task:", "job:"),
        ..Templates::of(texts::JOBS)
    }
}

/// The state of the server half.
#[derive(Debug)]
pub(crate) struct TriggerX {
    keys: bool,
    generation: Generation,
    heartbeat: Heartbeat,
    bad_auth: u64,
    frames: u64,
}

impl TriggerX {
    /// A server with these options.
    pub fn new(options: &DemoOptions) -> TriggerX {
        let every = options.ping_interval.unwrap_or(Duration::from_secs(54));
        let deadline = every + options.ping_timeout.unwrap_or(Duration::from_secs(6));
        TriggerX {
            keys: options.keys,
            generation: options.generation,
            heartbeat: Heartbeat::Ping { every, deadline },
            bad_auth: 0,
            frames: 0,
        }
    }

    fn frame(&mut self, world: &World, kind: &str, data: Option<Raw>) -> String {
        self.frames += 1;
        let frame = Obj::new()
            .put("type", kind)
            .maybe("data", data)
            .put("timestamp", go_time(world.now(), self.frames));
        frame.finish() + "\n"
    }

    fn success(&mut self, world: &World, message: &str, room: &str) -> String {
        let data =
            Obj::new().put("message", message).put("data", Obj::new().put("room", room).raw());
        self.frame(world, "SUCCESS", Some(data.raw()))
    }

    fn error(&mut self, world: &World, code: &str, message: &str) -> String {
        let data = Obj::new().put("code", code).put("message", message).raw();
        self.frame(world, "ERROR", Some(data))
    }

    fn snapshot(&mut self, world: &World, job_id: &str) -> String {
        let tasks: Vec<Raw> = tasks_of(world, job_id).map(task_row).collect();
        let data = Obj::new().put("job_id", job_id).put("tasks", tasks).raw();
        self.frame(world, "JOB_TASKS_SNAPSHOT", Some(data))
    }

    fn subscribe(&mut self, world: &World, sessions: &mut Sessions, conn: u64, data: &Value) {
        let Some(room) = data.get("room").and_then(Value::as_str) else {
            let frame = self.error(world, "INVALID_SUBSCRIPTION_DATA", "Invalid subscription data");
            return sessions.text(conn, frame);
        };
        if (3..5).contains(&room.len()) {
            // The real server panics while it looks for the prefix, and all its sockets with it.
            return sessions.abort_all();
        }
        let refusal = match room.split_once(':') {
            Some(("job" | "task", id)) if !id.is_empty() => None,
            Some(("user", _)) => {
                let user = data.get("user_id").and_then(Value::as_str);
                (user != Some(OWNER)).then_some(("ACCESS_DENIED", "Access denied to room"))
            }
            _ => Some(("INVALID_ROOM", "Invalid room")),
        };
        if let Some((code, message)) = refusal {
            let frame = self.error(world, code, message);
            return sessions.text(conn, frame);
        }
        if let Some(session) = sessions.session_mut(conn) {
            session.rooms.insert(room.to_owned());
        }
        let frame = self.success(world, "Subscribed to room", room);
        sessions.text(conn, frame);
        let job = room.strip_prefix("job:");
        if let Some(id) = job.filter(|id| id.bytes().all(|b| b.is_ascii_digit())) {
            let frame = self.snapshot(world, id);
            sessions.text(conn, frame);
        }
    }

    fn changed(
        &mut self,
        world: &World,
        sessions: &mut Sessions,
        job: &Job,
        documented: &str,
        changes: Obj,
    ) {
        let kind = match self.generation {
            Generation::Shipped => "TASK_UPDATED",
            Generation::Documented => documented,
        };
        let group = job.group.clone().unwrap_or_else(|| "0".to_owned());
        let changes = changes.put("user_id", "system").raw();
        let data = Obj::new()
            .put("task_id", raw(job.id.clone()))
            .put("job_id", &group)
            .put("user_id", "system")
            .put("changes", changes)
            .put("timestamp", go_time(world.now(), job.salt(20)))
            .raw();
        let frame = self.frame(world, kind, Some(data));
        let room = format!("job:{group}");
        sessions.send_where(&Out::Text(frame.into()), |session| session.rooms.contains(&room));
    }

    fn authentic(&mut self, key: Option<&str>) -> bool {
        let good = !self.keys || key == Some(DEMO_KEY);
        self.bad_auth += u64::from(!good);
        good
    }
}

impl Protocol for TriggerX {
    fn options(&self, _ports: &[u16]) -> BTreeMap<String, String> {
        [("user".to_owned(), OWNER.to_owned())].into()
    }

    fn rules(&self) -> Rules {
        Rules { heartbeat: self.heartbeat, max_inbound: 512, queue: 256, overflow: Overflow::Close }
    }

    fn upgrade(
        &mut self,
        _: &World,
        sessions: &Sessions,
        request: &Request,
    ) -> Result<Session, Reply> {
        let refused = |message: &str| {
            let body = Obj::new().put("error", message).put("code", "AUTHENTICATION_FAILED");
            Err(Reply::json(401, body.finish()))
        };
        if request.role != Role::Main || request.path != "/api/ws/tasks" {
            return Err(Reply::text(404, "404 page not found"));
        }
        let key = request
            .param("api_key")
            .filter(|key| !key.is_empty())
            .or_else(|| request.header("x-api-key").filter(|key| !key.is_empty()));
        if !self.authentic(key) {
            return match key {
                None => refused("API key is required for WebSocket connection"),
                Some(_) => refused("Invalid or inactive API key"),
            };
        }
        if sessions.len() >= MAX_SOCKETS {
            let body =
                Obj::new().put("error", "Rate limit exceeded").put("code", "RATE_LIMIT_EXCEEDED");
            return Err(Reply::json(429, body.finish()));
        }
        Ok(Session { authenticated: true, ..Session::default() })
    }

    fn opened(&mut self, _: &World, _: &mut Sessions, _: u64) {}

    fn text(&mut self, world: &mut World, sessions: &mut Sessions, conn: u64, text: &str) {
        let message: Option<Value> = serde_json::from_str(text).ok();
        let Some(message) = message.filter(Value::is_object) else { return sessions.abort(conn) };
        if let Some(time) = message.get("timestamp") {
            let parsed = time.as_str().and_then(|t| t.parse::<jiff::Timestamp>().ok());
            if parsed.is_none() {
                return sessions.abort(conn);
            }
        }
        let data = message.get("data").unwrap_or(&Value::Null);
        match message.get("type").and_then(Value::as_str) {
            Some("SUBSCRIBE") => self.subscribe(world, sessions, conn, data),
            Some("UNSUBSCRIBE") => {
                let frame = match data.get("room").and_then(Value::as_str) {
                    Some(room) => {
                        if let Some(session) = sessions.session_mut(conn) {
                            session.rooms.remove(room);
                        }
                        self.success(world, "Unsubscribed from room", room)
                    }
                    None => self.error(
                        world,
                        "INVALID_UNSUBSCRIPTION_DATA",
                        "Invalid unsubscription data",
                    ),
                };
                sessions.text(conn, frame);
            }
            Some("PING") => {
                let frame = self.frame(world, "PONG", None);
                sessions.text(conn, frame);
            }
            _ => {
                let frame = self.error(world, "INVALID_MESSAGE_TYPE", "Invalid message type");
                sessions.text(conn, frame);
            }
        }
    }

    fn event(&mut self, world: &World, sessions: &mut Sessions, event: &Event) {
        let (Event::Created(key)
        | Event::Started(key)
        | Event::Completed(key)
        | Event::Failed(key)) = event
        else {
            return;
        };
        let Some(job) = world.job(*key) else { return };
        let group = job.group.clone().unwrap_or_default();
        let changes = || Obj::new().put("task_id", raw(job.id.clone())).put("job_id", &group);
        match event {
            Event::Created(_) => {
                let changes = changes()
                    .put("task_definition_id", definition(&group))
                    .put("is_imua", false)
                    .put("created_at", go_time(job.created, job.salt(1)));
                self.changed(world, sessions, job, "TASK_CREATED", changes);
            }
            Event::Started(_) => {
                let changes = changes()
                    .put("task_performer_id", performer(job))
                    .put("execution_timestamp", go_time(world.now(), job.salt(2)))
                    .put("execution_tx_hash", tx_hash(job))
                    .put("proof_of_task", format!("Qm{}", job.hash(3, 44)))
                    .put("task_opx_cost", num(cost(job)));
                self.changed(world, sessions, job, "TASK_UPDATED", changes);
            }
            // What finishes tasks writes to the database and tells nobody; only the document
            // promises these two.
            Event::Completed(_) | Event::Failed(_) if self.generation == Generation::Documented => {
                let failure = job.failure.as_ref().filter(|_| job.state == State::Failed);
                let changes = changes()
                    .put("task_status", status(job))
                    .maybe("task_error", failure.map(|failure| &failure.text));
                self.changed(world, sessions, job, "TASK_STATUS_CHANGED", changes);
                let changes = Obj::new()
                    .put("task_id", raw(job.id.clone()))
                    .put("job_id", &group)
                    .put("task_opx_cost", num(cost(job)));
                self.changed(world, sessions, job, "TASK_FEE_UPDATED", changes);
            }
            _ => {}
        }
    }

    fn http(&mut self, world: &mut World, sessions: &Sessions, request: &Request) -> Reply {
        let reply = self.route(world, sessions, request);
        reply.with("x-trace-id", format!("{:032x}", world.now()))
    }

    fn filler(&self, world: &World, n: u64) -> String {
        let (id, group) = world
            .jobs()
            .next_back()
            .map_or(("1".to_owned(), None), |job| (job.id.clone(), job.group.clone()));
        let group = group.unwrap_or_else(|| "0".to_owned());
        let changes = Obj::new().put("old_fee", 0).put("new_fee", num(n as f64 / 100.0));
        let data = Obj::new()
            .put("task_id", raw(id))
            .put("job_id", group)
            .put("user_id", "system")
            .put("changes", changes.raw())
            .put("timestamp", go_time(world.now(), n))
            .raw();
        let frame = Obj::new().put("type", "TASK_UPDATED").put("data", data);
        frame.put("timestamp", go_time(world.now(), n)).finish() + "\n"
    }

    fn unknown(&self, data: &str) -> String {
        Obj::new().put("type", "TASK_TELEPORTED").put("data", raw(data.to_owned())).finish() + "\n"
    }

    fn wrong_shapes(&self) -> Vec<String> {
        [
            r#"{"type":"TASK_UPDATED","data":null}"#,
            r#"{"type":"TASK_UPDATED","data":{"task_id":[],"job_id":{},"changes":7}}"#,
            r#"{"type":"JOB_TASKS_SNAPSHOT","data":{"job_id":5,"tasks":null}}"#,
            r#"{"type":"JOB_TASKS_SNAPSHOT","data":{"job_id":"1","tasks":[null,3,"x",{"task_id":{}}]}}"#,
            r#"{"type":"SUCCESS","data":[]}"#,
            r#"{"type":7}"#,
            "[]",
            "null",
        ]
        .map(|text| format!("{text}\n"))
        .to_vec()
    }

    fn bad_auth(&self) -> u64 {
        self.bad_auth
    }
}

/// The tasks of a job, oldest first.
fn tasks_of<'a>(world: &'a World, job_id: &'a str) -> impl Iterator<Item = &'a Job> {
    world.jobs().filter(move |job| job.group.as_deref() == Some(job_id))
}

/// The server's word for a task's state. A stopped task stays `processing` for ever.
fn status(job: &Job) -> &'static str {
    match job.state {
        State::Completed => "completed",
        State::Failed => "failed",
        _ => "processing",
    }
}

/// The twelve fields of a task as lists and snapshots show it.
fn task_row(job: &Job) -> Raw {
    let executed = job.started.is_some();
    let done = job.state == State::Completed;
    let hash = if executed { tx_hash(job) } else { String::new() };
    let failure = job.failure.as_ref().map_or("", |failure| failure.text.as_str());
    Obj::new()
        .put("task_id", raw(job.id.clone()))
        .put("task_number", if done { job.key } else { 0 })
        .put("task_opx_cost", num(if executed { cost(job) } else { 0.0 }))
        .put("execution_timestamp", execution_time(job))
        .put("execution_tx_hash", &hash)
        .put("task_performer_id", if executed { performer(job) } else { 0 })
        .put("task_attester_ids", attesters(job))
        .put("task_status", status(job))
        .put("task_error", if job.state == State::Failed { failure } else { "" })
        .put("is_accepted", done)
        .put(
            "tx_url",
            if executed { format!("https://sepolia.basescan.org/tx/{hash}") } else { hash },
        )
        .put("converted_arguments", executed.then(|| [job.subject.clone()]))
        .raw()
}

fn execution_time(job: &Job) -> String {
    job.started.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |at| go_time(at, job.salt(2)))
}

fn attesters(job: &Job) -> Option<[u64; 3]> {
    let first = job.salt(5) % 4 + 1;
    (job.state == State::Completed).then_some([first, first + 1, first + 3])
}

fn performer(job: &Job) -> u64 {
    job.salt(6) % 5 + 1
}

fn cost(job: &Job) -> f64 {
    (job.salt(7) % 900 + 100) as f64 / 1e7
}

fn tx_hash(job: &Job) -> String {
    format!("0x{}", job.hash(8, 64))
}

/// What triggers the job: 1 and 2 time, 3 and 4 an event, 5 and 6 a condition.
fn definition(group: &str) -> u64 {
    (group.bytes().map(u64::from).sum::<u64>() % 3) * 2 + 1
}
