//! The application's route handlers below `/api`.

use hyper::Method;
use serde_json::{Value, json};

use super::{BullBoard, rows};
use crate::DEMO_PASSWORD;
use crate::json::{Obj, Raw};
use crate::protocol::{Reply, Request, Role};
use crate::world::World;
use crate::world::job::{Job, State};

/// What the application shows for anything thrown.
const BROKEN: &str = "<!DOCTYPE html><html><head><title>500: Internal Server Error</title></head><body><h1>500</h1><h2>Internal Server Error.</h2></body></html>";

/// The application's page for an unknown path.
pub(super) fn not_found() -> Reply {
    Reply::html(
        404,
        "<!DOCTYPE html><html><head><title>404: This page could not be found.</title></head><body><h1>404</h1></body></html>",
    )
}

impl BullBoard {
    pub(super) fn route(&mut self, world: &mut World, request: &Request) -> Reply {
        if request.role == Role::Main {
            return Reply::text(426, "Upgrade Required");
        }
        let segments = request.segments();
        match segments.as_slice() {
            ["health" | "ready" | "live"] => return Reply::json(200, r#"{"status":"ok"}"#),
            ["api", "auth", "login"] => return login(request, &crate::token(self.expired)),
            ["api", ..] => {}
            [] if request.method == Method::GET => {
                return Reply::html(307, "").with("location", "/login");
            }
            ["login" | "queues" | "runs"] if request.method == Method::GET => {
                return page(request);
            }
            _ => return not_found(),
        }
        if !self.authentic(request) {
            return Reply::json(401, r#"{"error":"Authentication required"}"#);
        }
        if let (&Method::GET, ["api", "jobs", id]) = (&request.method, segments.as_slice()) {
            let late = self.late.as_mut().map(|late| late.rows(world.now()));
            let row = match late {
                Some(mut rows) => rows.find(|job| job.id == *id),
                None => world.find(id),
            };
            return match row {
                Some(job) => Reply::json(200, Obj::new().put("job", rows::detail(job)).finish()),
                None => Reply::html(500, BROKEN),
            };
        }
        if segments == ["api", "auth", "me"] {
            return Reply::json(200, r#"{"user":{"email":"demo@example.org"}}"#);
        }
        if request.method != Method::POST {
            return Reply::text(405, "");
        }
        let body = request.json();
        match segments.as_slice() {
            ["api", "queues", "stats"] => return self.queue_stats(world),
            ["api", "auth", "logout"] => return Reply::json(200, r#"{"success":true}"#),
            _ => {}
        }
        let Some(body) = body.filter(Value::is_object) else {
            return invalid("object", "Invalid input: expected object");
        };
        match segments.as_slice() {
            ["api", "jobs", "table"] => match &mut self.late {
                Some(late) => table(late.rows(world.now()), &body),
                None => table(world.jobs(), &body),
            },
            ["api", "jobs", "logs"] => logs(world, &body),
            ["api", "jobs", "stats"] => stats(world, &body),
            ["api", "jobs", "cancel"] => one(world, &body, cancel),
            ["api", "jobs", "replay"] => one(world, &body, replay),
            ["api", "jobs", "bulk-cancel"] => bulk(world, &body, cancel),
            ["api", "jobs", "bulk-replay"] => bulk(world, &body, replay),
            ["api", "queues", "table"] => self.queue_table(world, &body),
            ["api", "queues", "name"] => {
                let queues: Vec<Raw> = rows::queue_names(world)
                    .iter()
                    .map(|name| Obj::new().put("id", name).put("name", name).raw())
                    .collect();
                let body = Obj::new().put("queues", queues).put("nextCursor", None::<u8>);
                Reply::json(200, body.finish())
            }
            ["api", "queues", word @ ("pause" | "resume")] => self.pause(world, &body, word),
            _ => not_found(),
        }
    }

    fn queue_table(&self, world: &World, body: &Value) -> Reply {
        let search = body.get("search").and_then(Value::as_str).unwrap_or("");
        let queues: Vec<Raw> = rows::queue_names(world)
            .iter()
            .filter(|name| name.contains(search))
            .map(|name| rows::queue(world, name, self.paused.contains(name)))
            .collect();
        let total = queues.len();
        let body = Obj::new()
            .put("queues", queues)
            .put("nextCursor", None::<u8>)
            .put("prevCursor", None::<u8>)
            .put("total", total);
        Reply::json(200, body.finish())
    }

    fn queue_stats(&self, world: &World) -> Reply {
        let names = rows::queue_names(world);
        let active = names.iter().filter(|name| !self.paused.contains(*name)).count();
        let body =
            Obj::new().put("total", names.len()).put("active", active).put("withScheduler", 1);
        Reply::json(200, body.finish())
    }

    fn pause(&mut self, world: &World, body: &Value, word: &str) -> Reply {
        let name = body.get("queueName").and_then(Value::as_str).unwrap_or("");
        if !rows::queue_names(world).iter().any(|queue| queue == name) {
            return Reply::json(200, r#"{"success":false,"message":"Queue not found"}"#);
        }
        if word == "pause" {
            self.paused.insert(name.to_owned());
        } else {
            self.paused.remove(name);
        }
        Reply::json(
            200,
            json!({ "success": true, "message": format!("Queue {word}d") }).to_string(),
        )
    }
}

/// Every page hands the address of the socket to its scripts, as the shipped one does.
fn page(request: &Request) -> Reply {
    let port = request.ports.first().copied().unwrap_or_default();
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><title>Better Bull Board</title></head><body>\
         <div hidden></div><script>self.__next_f.push([1,\"5:[\\\"$\\\",\\\"$L6\\\",null,\
         {{\\\"WEBSOCKET_URL\\\":\\\"ws://localhost:{port}\\\"}}]\"])</script></body></html>"
    );
    Reply::html(200, html)
}

fn login(request: &Request, token: &str) -> Reply {
    let body = request.json().unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    match (text("email"), text("password")) {
        (Some(email), Some(DEMO_PASSWORD)) => {
            let user = Obj::new().put("email", email).raw();
            let body = Obj::new().put("success", true).put("user", user);
            let cookie =
                format!("bbb-token={token}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict");
            Reply::json(200, body.finish()).with("set-cookie", cookie)
        }
        (Some(_), Some(_)) => {
            Reply::json(401, r#"{"success":false,"error":"Invalid credentials"}"#)
        }
        _ => invalid("string", "Invalid input: expected string"),
    }
}

/// A validation error: its text is itself a JSON array.
fn invalid(expected: &str, message: &str) -> Reply {
    let list =
        json!([{ "expected": expected, "code": "invalid_type", "path": [], "message": message }]);
    let text = serde_json::to_string_pretty(&list).unwrap_or_default();
    Reply::json(400, json!({ "error": text }).to_string())
}

fn table<'a>(rows: impl Iterator<Item = &'a Job>, body: &Value) -> Reply {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let limit = match body.get("limit") {
        None => 20,
        Some(limit) => match limit.as_u64().filter(|limit| (1..=100).contains(limit)) {
            Some(limit) => usize::try_from(limit).unwrap_or(100),
            None => return invalid("number", "Invalid input: expected number from 1 to 100"),
        },
    };
    let search = text("search").unwrap_or("");
    let matches = |job: &&Job| {
        text("status").is_none_or(|status| rows::status(job) == status)
            && text("queue").is_none_or(|queue| job.queue == queue)
            && [&job.id, &job.external, &job.name].iter().any(|field| field.contains(search))
    };
    let length = text("sortBy") == Some("durationMs");
    let key = |job: &Job| {
        let first = if length { job.took().unwrap_or(-1) } else { job.created };
        (first, job.external.clone(), job.id.clone())
    };
    let mut jobs: Vec<&Job> = rows.filter(matches).collect();
    jobs.sort_by_cached_key(|job| std::cmp::Reverse(key(job)));
    let ascending = text("sortDirection") == Some("asc");
    if ascending {
        jobs.reverse();
    }
    // A cursor is a place between rows, whether its own row is still in the list or not.
    let place = body.get("cursor").and_then(|cursor| {
        let first = cursor.get(if length { "durationMs" } else { "createdAt" })?.as_i64()?;
        let text = |name: &str| cursor.get(name).and_then(Value::as_str).map(str::to_owned);
        Some((first, text("jobId")?, text("id")?))
    });
    let behind = |job: &&Job| match &place {
        Some(place) if ascending => key(job) > *place,
        Some(place) => key(job) < *place,
        None => true,
    };
    let from = jobs.iter().position(behind).unwrap_or(jobs.len());
    let from = match text("cursorDirection") {
        Some("prev") => from.saturating_sub(limit + 1),
        _ => from,
    };
    let page: Vec<&Job> = jobs.iter().copied().skip(from).take(limit).collect();
    let cursor = |job: &&&Job| {
        Obj::new()
            .put("createdAt", job.created)
            .put("jobId", &job.external)
            .put("id", &job.id)
            .maybe("durationMs", length.then(|| job.took()))
            .raw()
    };
    let more = jobs.len() > from + page.len();
    let body = Obj::new()
        .put("jobs", page.iter().map(|job| rows::row(job)).collect::<Vec<Raw>>())
        .put("nextCursor", page.last().filter(|_| more).as_ref().map(cursor))
        .put("prevCursor", page.first().filter(|_| from > 0).as_ref().map(cursor));
    Reply::json(200, body.finish())
}

fn logs(world: &World, body: &Value) -> Reply {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let number = |name: &str, default: usize| match body.get(name) {
        None => Some(default),
        Some(value) => value.as_u64().and_then(|number| usize::try_from(number).ok()),
    };
    let Some(id) = text("id") else { return invalid("string", "Invalid input: expected string") };
    let (Some(limit), Some(offset)) =
        (number("limit", 100).filter(|limit| (1..=1000).contains(limit)), number("offset", 0))
    else {
        return invalid("number", "Invalid input: expected number");
    };
    let lines: Vec<_> = world
        .find(id)
        .into_iter()
        .flat_map(|job| job.log.lines())
        .filter(|line| text("level").is_none_or(|level| line.level.word() == level))
        .filter(|line| text("messageContains").is_none_or(|part| line.text.contains(part)))
        .collect();
    let page: Vec<Raw> = lines
        .iter()
        .skip(offset)
        .take(limit)
        .map(|line| {
            Obj::new()
                .put("id", format!("{}:{}", id, line.position))
                .put("jobRunId", id)
                .put("level", line.level.word())
                .put("message", &line.text)
                .put("logSeq", line.position)
                .put("ts", line.at)
                .raw()
        })
        .collect();
    Reply::json(200, Obj::new().put("logs", page).put("total", lines.len()).finish())
}

fn stats(world: &World, body: &Value) -> Reply {
    let days = body.get("days").and_then(Value::as_u64).filter(|days| (1..=30).contains(days));
    if days.is_none() {
        return invalid("number", "Invalid input: expected number, received undefined");
    }
    let count = |word: &str| world.jobs().filter(|job| rows::status(job) == word).count();
    let body = Obj::new()
        .put("active", count("active"))
        .put("completed", count("completed"))
        .put("failed", count("failed"));
    Reply::json(200, body.finish())
}

/// What an action does to the run with this key.
type Act = fn(&mut World, u64) -> bool;

fn cancel(world: &mut World, key: u64) -> bool {
    let possible = world.job(key).is_some_and(|job| !job.state.terminal());
    world.cancel(key);
    possible
}

fn replay(world: &mut World, key: u64) -> bool {
    let ended = world.job(key).is_some_and(|job| job.state.terminal());
    ended && world.replay(key).is_some()
}

/// The newest run of a BullMQ job.
fn run_of(world: &World, job: &Value) -> Option<u64> {
    let text = |name: &str| job.get(name).and_then(Value::as_str);
    let (id, queue) = (text("jobId")?, text("queueName")?);
    let mut runs = world.jobs().rev().filter(|job| job.external == id && job.queue == queue);
    runs.next().map(|job| job.key)
}

fn one(world: &mut World, body: &Value, act: Act) -> Reply {
    let strict = body.as_object().is_some_and(|body| {
        body.len() == 2 && body.contains_key("jobId") && body.contains_key("queueName")
    });
    if !strict {
        return invalid("object", "Unrecognized or missing keys");
    }
    let Some(key) = run_of(world, body) else { return Reply::html(500, BROKEN) };
    let was_running = world.job(key).is_some_and(|job| job.state == State::Running);
    if !act(world, key) {
        return Reply::html(500, BROKEN);
    }
    let id = body.get("jobId").and_then(Value::as_str).unwrap_or_default();
    let ended = world.job(key).is_some_and(|job| job.state == State::Cancelled);
    let verb = if ended || was_running { "cancelled" } else { "replayed" };
    let message = format!("Job {id} has been {verb} successfully");
    Reply::json(200, Obj::new().put("success", true).put("message", message).finish())
}

fn bulk(world: &mut World, body: &Value, act: Act) -> Reply {
    let Some(jobs) = body.get("jobs").and_then(Value::as_array) else {
        return invalid("array", "Invalid input: expected array");
    };
    for job in jobs {
        if let Some(key) = run_of(world, job) {
            act(world, key);
        }
    }
    Reply::json(200, r#"{"success":true,"message":"Bulk operation completed"}"#)
}
