//! KECS: a raw WebSocket hub without rooms, and the ECS API over HTTP.
//!
//! The shipped hub never sends logs, metrics or notifications, although its page expects them; the
//! demo sends them in the shape that page reads, unless it is strict.

mod http;
pub(crate) mod texts;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::json::{Obj, Raw, go_time, num, raw};
use crate::protocol::{Heartbeat, Protocol, Reply, Request, Role, Rules};
use crate::sessions::{Out, Overflow, Session, Sessions};
use crate::world::job::{Job, Line, State};
use crate::world::templates::{Ids, Templates};
use crate::world::{Event, World};
use crate::{DemoOptions, Generation};

const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

/// The server half.
pub(crate) fn protocol(options: &DemoOptions) -> Box<dyn Protocol> {
    Box::new(Kecs::new(options))
}

/// Its jobs.
pub(crate) fn templates() -> Templates {
    Templates {
        workers: 3,
        fail_rate: 0.14,
        metric_every: Some(2_000),
        line_every: Some(420),
        ids: Ids::Random { prefix: "", digits: 32 },
        external: Some("app"),
        ..Templates::of(texts::JOBS)
    }
}

/// The state of the server half.
#[derive(Debug)]
pub(crate) struct Kecs {
    generation: Generation,
    /// Nothing but what the shipped hub sends.
    strict: bool,
    heartbeat: Heartbeat,
    frames: u64,
}

impl Kecs {
    /// A server with these options.
    pub fn new(options: &DemoOptions) -> Kecs {
        let every = options.ping_interval.unwrap_or(Duration::from_secs(54));
        let deadline = every + options.ping_timeout.unwrap_or(Duration::from_secs(6));
        Kecs {
            generation: options.generation,
            strict: options.strict,
            heartbeat: Heartbeat::Ping { every, deadline },
            frames: 0,
        }
    }

    fn shipped(&self) -> bool {
        self.generation == Generation::Shipped
    }

    fn live(&self) -> bool {
        !(self.strict && self.shipped())
    }

    /// Sends to every socket whose filters let it through.
    fn broadcast(
        &mut self,
        world: &World,
        sessions: &mut Sessions,
        kind: &str,
        payload: Raw,
        resource: Option<(&str, &str)>,
    ) {
        self.frames += 1;
        let frame = envelope(world, self.frames, kind, Some(payload), None, resource);
        sessions.send_where(&Out::Text(frame.into()), |session| {
            session.filters.is_empty()
                || session.filters.iter().any(|filter| passes(filter, kind, resource))
        });
    }

    fn reply(
        &mut self,
        world: &World,
        kind: &str,
        payload: Option<Raw>,
        id: Option<&str>,
    ) -> String {
        self.frames += 1;
        envelope(world, self.frames, kind, payload, id, None)
    }

    fn status_changed(
        &mut self,
        world: &World,
        sessions: &mut Sessions,
        job: &Job,
        previous: &str,
    ) {
        let arn = task_arn(job);
        let last = last_status(job, world.now());
        if self.shipped() {
            let detail = Obj::new()
                .put("clusterArn", cluster_arn(&job.queue))
                .put("desiredStatus", desired_status(job))
                .put("lastStatus", last)
                .put("taskArn", &arn)
                .raw();
            let payload = Obj::new()
                .put("account", ACCOUNT)
                .put("clusterArn", cluster_arn(&job.queue))
                .put("detail", detail)
                .put("eventType", "ECS Task State Change")
                .put("region", REGION)
                .put("service", "ecs")
                .put("source", "localstack")
                .put("status", last)
                .put("taskArn", &arn)
                .put("timestamp", go_time(world.now() / 1000 * 1000, 0))
                .raw();
            self.broadcast(
                world,
                sessions,
                "task_status_changed",
                payload,
                Some(("task", &job.id)),
            );
        } else {
            let payload = Obj::new()
                .put("taskId", &job.id)
                .put("updateType", if previous.is_empty() { "created" } else { "status_changed" })
                .put("task", http::task(job, world.now()))
                .maybe("previousStatus", (!previous.is_empty()).then_some(previous))
                .put("timestamp", go_time(world.now(), job.salt(1)))
                .raw();
            self.broadcast(world, sessions, "task_update", payload, Some(("task", &job.id)));
        }
    }

    fn notify(&mut self, world: &World, sessions: &mut Sessions, job: &Job) {
        let (level, title, message) = match job.state {
            State::Failed => (
                "error",
                format!("{} failed", job.name),
                job.failure.as_ref().map_or_else(String::new, |failure| failure.text.clone()),
            ),
            State::Cancelled => {
                ("warning", format!("{} was stopped", job.name), "Stopped by the user".to_owned())
            }
            _ => return,
        };
        let payload = Obj::new()
            .put("id", format!("ntf-{}", job.hash(9, 10)))
            .put("type", level)
            .put("title", title)
            .put("message", message)
            .put("timestamp", go_time(world.now(), job.salt(9)))
            .put("taskId", &job.id)
            .raw();
        self.broadcast(world, sessions, "notification", payload, None);
    }
}

impl Protocol for Kecs {
    fn roles(&self) -> &'static [Role] {
        &[Role::Main, Role::Second]
    }

    fn options(&self, ports: &[u16]) -> BTreeMap<String, String> {
        let admin = format!("http://127.0.0.1:{}", ports[1]);
        let all = [("cluster", "default"), ("region", REGION), ("admin", &admin)];
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }

    fn rules(&self) -> Rules {
        Rules {
            heartbeat: self.heartbeat,
            max_inbound: 512 * 1024,
            queue: 65_536,
            overflow: Overflow::Skip,
        }
    }

    fn upgrade(&mut self, _: &World, _: &Sessions, request: &Request) -> Result<Session, Reply> {
        let path = request.path.strip_prefix("/api").unwrap_or(&request.path);
        if request.role == Role::Second {
            // The admin server wraps its responses without support for upgrades.
            return Err(Reply::text(500, "Internal Server Error"));
        }
        if !matches!(path, "/ws" | "/ws/logs" | "/ws/metrics" | "/ws/notifications" | "/ws/tasks") {
            let body = Obj::new().put("__type", "MissingAction").put("message", "no action");
            return Err(Reply::json(400, body.finish()));
        }
        if let Some(origin) = request.header("origin") {
            let local = origin
                .strip_prefix("http://localhost:")
                .is_some_and(|port| port.parse::<u16>().is_ok());
            if !local {
                return Err(Reply::text(403, "Forbidden"));
            }
        }
        Ok(Session { authenticated: true, ..Session::default() })
    }

    fn opened(&mut self, _: &World, _: &mut Sessions, _: u64) {}

    fn text(&mut self, world: &mut World, sessions: &mut Sessions, conn: u64, text: &str) {
        let message: Option<Value> = serde_json::from_str(text).ok();
        let Some(message) = message.filter(Value::is_object) else { return sessions.abort(conn) };
        if let Some(time) = message.get("timestamp")
            && time.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).is_none()
        {
            return sessions.abort(conn);
        }
        let id = message.get("id").and_then(Value::as_str);
        let payload = message.get("payload");
        let echo = || payload.map(|payload| raw(payload.to_string()));
        let answer = match message.get("type").and_then(Value::as_str) {
            Some("ping") => Some(("pong", None)),
            // The documented generation logs these and answers nothing.
            Some(word @ ("subscribe" | "unsubscribe"))
                if self.shipped() && payload.is_some_and(Value::is_object) =>
            {
                Some((if word == "subscribe" { "subscribed" } else { "unsubscribed" }, echo()))
            }
            Some("setFilters") if self.shipped() => payload.and_then(Value::as_array).map(|all| {
                if let Some(session) = sessions.session_mut(conn) {
                    session.filters.clone_from(all);
                }
                ("filtersSet", echo())
            }),
            Some("authenticate") if self.shipped() => {
                let note = Obj::new().put("message", "Authentication not required");
                Some(("authenticated", Some(note.raw())))
            }
            Some("request_history") if !self.shipped() => {
                let task =
                    payload.and_then(|payload| payload.get("taskId")).and_then(Value::as_str);
                let job = task.and_then(|id| world.find(id));
                job.map(|job| {
                    let lines: Vec<Raw> =
                        job.log.lines().map(|line| log_entry(job, line)).collect();
                    ("log_history", Some(raw(crate::json::text(lines))))
                })
            }
            _ => None,
        };
        if let Some((kind, payload)) = answer {
            let frame = self.reply(world, kind, payload, id);
            sessions.text(conn, frame);
        }
    }

    fn event(&mut self, world: &World, sessions: &mut Sessions, event: &Event) {
        match event {
            Event::Created(key) => {
                if let Some(job) = world.job(*key) {
                    self.status_changed(world, sessions, job, "");
                }
            }
            Event::Started(key) => {
                if let Some(job) = world.job(*key) {
                    self.status_changed(world, sessions, job, "PENDING");
                }
            }
            Event::Completed(key) | Event::Failed(key) | Event::Cancelled(key) => {
                if let Some(job) = world.job(*key) {
                    self.status_changed(world, sessions, job, "RUNNING");
                    if self.live() {
                        self.notify(world, sessions, job);
                    }
                }
            }
            Event::Logged(key, position) if self.live() => {
                let job = world.job(*key);
                if let Some((job, line)) = job.and_then(|job| Some((job, job.log.get(*position)?)))
                {
                    self.broadcast(world, sessions, "log_entry", log_entry(job, line), None);
                }
            }
            Event::Measured(key) if self.live() => {
                let Some(job) = world.job(*key) else { return };
                let at = go_time(world.now(), 0);
                let series = |value: f64, unit: &str| {
                    let point = Obj::new().put("timestamp", &at).put("value", num(value)).raw();
                    Obj::new().put("points", [point]).put("unit", unit).raw()
                };
                let metrics = Obj::new()
                    .put("cpu", series(job.metric.0, "%"))
                    .put("memory", series(job.metric.1, "MB"))
                    .raw();
                let payload = Obj::new().put("resourceId", &job.id).put("metrics", metrics).raw();
                self.broadcast(world, sessions, "metric_update", payload, None);
            }
            _ => {}
        }
    }

    fn http(&mut self, world: &mut World, _: &Sessions, request: &Request) -> Reply {
        http::route(world, request, self.strict && self.shipped())
    }

    fn lines(&self, world: &World, key: u64, first: u64, count: u64, batch: u64) -> Vec<String> {
        let Some(job) = world.job(key).filter(|_| self.live()) else { return Vec::new() };
        let entries: Vec<Raw> = (first..first + count)
            .filter_map(|position| job.log.get(position))
            .map(|line| log_entry(job, line))
            .collect();
        if batch == 1 {
            let frame = |entry| envelope(world, first, "log_entry", Some(entry), None, None);
            return entries.into_iter().map(frame).collect();
        }
        entries
            .chunks(usize::try_from(batch).unwrap_or(usize::MAX))
            .map(|chunk| raw(crate::json::text(chunk)))
            .map(|chunk| envelope(world, first, "log_batch", Some(chunk), None, None))
            .collect()
    }

    fn filler(&self, world: &World, n: u64) -> String {
        let (id, cluster) =
            world.jobs().next_back().map_or(("0".to_owned(), "default".to_owned()), |job| {
                (job.id.clone(), job.queue.clone())
            });
        let payload = Obj::new()
            .put("clusterArn", cluster_arn(&cluster))
            .put("status", "RUNNING")
            .put("taskArn", format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/{cluster}/{id}"))
            .raw();
        envelope(world, n, "task_status_changed", Some(payload), None, Some(("task", &id)))
    }

    fn unknown(&self, data: &str) -> String {
        Obj::new().put("type", "task_teleported").put("payload", raw(data.to_owned())).finish()
            + "\n"
    }

    fn wrong_shapes(&self) -> Vec<String> {
        [
            r#"{"type":"task_status_changed","payload":null,"resourceType":4}"#,
            r#"{"type":"task_status_changed","payload":{"detail":[],"taskArn":{}}}"#,
            r#"{"type":"log_entry","payload":[1,2]}"#,
            r#"{"type":"log_batch","payload":{"a":null}}"#,
            r#"{"type":"metric_update","payload":{"resourceId":[],"metrics":"x"}}"#,
            r#"{"type":"notification","payload":false}"#,
            r#"{"type":null}"#,
            "[]",
        ]
        .map(|text| format!("{text}\n"))
        .to_vec()
    }

    fn bad_auth(&self) -> u64 {
        0
    }
}

/// One frame: type, payload, id, timestamp, resource, newline.
fn envelope(
    world: &World,
    salt: u64,
    kind: &str,
    payload: Option<Raw>,
    id: Option<&str>,
    resource: Option<(&str, &str)>,
) -> String {
    let frame = Obj::new()
        .put("type", kind)
        .maybe("payload", payload)
        .maybe("id", id)
        .put("timestamp", go_time(world.now(), salt))
        .maybe("resourceType", resource.map(|(kind, _)| kind))
        .maybe("resourceId", resource.map(|(_, id)| id));
    frame.finish() + "\n"
}

/// Whether one filter lets a frame through: every list it fills must contain the frame's word.
fn passes(filter: &Value, kind: &str, resource: Option<(&str, &str)>) -> bool {
    let allows = |name: &str, word: Option<&str>| {
        let list = filter.get(name).and_then(Value::as_array);
        list.is_none_or(|list| {
            list.is_empty() || list.iter().any(|item| item.as_str() == word && word.is_some())
        })
    };
    allows("eventTypes", Some(kind))
        && allows("resourceTypes", resource.map(|(kind, _)| kind))
        && allows("resourceIds", resource.map(|(_, id)| id))
}

/// A log line as KECS's page reads it.
fn log_entry(job: &Job, line: &Line) -> Raw {
    let source = Obj::new()
        .put("type", "container")
        .put("name", &job.external)
        .put("identifier", task_arn(job))
        .raw();
    Obj::new()
        .put("id", format!("{}-{}", &job.id[..job.id.len().min(8)], line.position))
        .put("timestamp", go_time(line.at, 0))
        .put("level", line.level.word())
        .put("source", source)
        .put("message", &line.text)
        .put("taskId", &job.id)
        .raw()
}

fn cluster_arn(cluster: &str) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{cluster}")
}

fn task_arn(job: &Job) -> String {
    format!("arn:aws:ecs:{REGION}:{ACCOUNT}:task/{}/{}", job.queue, job.id)
}

fn desired_status(job: &Job) -> &'static str {
    if job.state.terminal() { "STOPPED" } else { "RUNNING" }
}

/// The server's word: a container is pulled for a second before it is pending.
fn last_status(job: &Job, now: i64) -> &'static str {
    match job.state {
        State::Scheduled => "PROVISIONING",
        State::Queued if now - job.created < 1_000 => "PROVISIONING",
        State::Queued => "PENDING",
        State::Running => "RUNNING",
        State::Completed | State::Failed | State::Cancelled => "STOPPED",
    }
}
