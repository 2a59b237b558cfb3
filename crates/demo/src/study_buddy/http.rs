//! AI Study Buddy's HTTP API.

use std::time::Duration;

use hyper::Method;
use serde_json::Value;

use super::{StudyBuddy, USER, recorded};
use crate::DEMO_PASSWORD;
use crate::json::{Obj, Raw, iso, num, raw};
use crate::protocol::{Reply, Request};
use crate::world::World;
use crate::world::job::{Job, State};

/// How long the answer about one job is kept.
pub(super) const CACHED: Duration = Duration::from_secs(2);

const NOTES: &str = "## Key ideas\n\n- The definitions come first, then what follows from them.\n- Each example is worked out in full.\n- The summary repeats the three results that the exam asks for.\n";

impl StudyBuddy {
    pub(super) fn route(&mut self, world: &World, request: &Request) -> Reply {
        let segments = request.segments();
        match segments.as_slice() {
            ["health"] | ["health", "live" | "ready"] => {
                return Reply::json(200, r#"{"status":"ok"}"#);
            }
            ["auth", "csrf"] => {
                return Reply::json(200, r#"{"csrfToken":"demo-csrf"}"#)
                    .with("set-cookie", "csrf_token=demo-csrf; Path=/");
            }
            ["auth", "login"] if request.method == Method::POST => {
                return login(world, request, &crate::token(self.expired));
            }
            _ => {}
        }
        let key = request.cookie("access_token").or_else(|| request.bearer());
        if !self.open_to_all() && key != Some(crate::token(self.expired).as_str()) {
            self.bad_auth += 1;
            return failure(world, 401, "Unauthorized", "Unauthorized");
        }
        if request.method != Method::GET {
            let text = format!("Cannot {} {}", request.method, request.path);
            return failure(world, 404, "Not Found", &text);
        }
        let reply = match segments.as_slice() {
            ["auth", "me"] => Reply::json(200, Obj::new().put("id", USER).finish()),
            ["jobs", "user", "me"] => {
                let limit = request.param("limit").and_then(|n| n.parse().ok()).unwrap_or(50);
                let now = world.now();
                let jobs: Vec<Raw> =
                    world.jobs().rev().take(limit).map(|job| row(job, now)).collect();
                let body =
                    Obj::new().put("success", true).put("count", jobs.len()).put("jobs", jobs);
                Reply::json(200, body.finish())
            }
            ["jobs", "ultra-optimized", id] => match world.find(id) {
                Some(job) => Reply::json(200, wrap(queue_view(job))),
                None => failure(world, 404, "Not Found", "Job not found"),
            },
            ["jobs", id] => match world.find(id) {
                Some(job) => {
                    let now = world.now();
                    let kept = self.answers.get(*id).filter(|(at, _)| at.elapsed() < CACHED);
                    let body = kept.map_or_else(|| wrap(row(job, now)), |(_, body)| body.clone());
                    let fresh = (tokio::time::Instant::now(), body.clone());
                    if kept.is_none() {
                        self.answers.insert((*id).to_owned(), fresh);
                    }
                    Reply::json(200, body)
                }
                None => failure(world, 404, "Not Found", "Job not found"),
            },
            _ => failure(world, 404, "Not Found", &format!("Cannot GET {}", request.path)),
        };
        reply
            .with("x-ratelimit-limit", "100")
            .with("x-ratelimit-remaining", "99")
            .with("x-ratelimit-reset", "60")
    }
}

fn login(world: &World, request: &Request, token: &str) -> Reply {
    let body = request.json().unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    match (text("email"), text("password")) {
        (Some(email), Some(DEMO_PASSWORD)) => {
            let user = Obj::new().put("id", USER).put("email", email).raw();
            let body = Obj::new().put("message", "Login successful").put("user", user);
            Reply::json(201, body.finish())
                .with("set-cookie", format!("access_token={token}; Path=/; HttpOnly"))
        }
        (Some(_), Some(_)) => failure(world, 400, "Bad Request", "Invalid login credentials"),
        _ => failure(world, 400, "Bad Request", "email must be an email"),
    }
}

fn wrap(job: Raw) -> String {
    Obj::new().put("success", true).put("job", job).finish()
}

fn failure(world: &World, status: u16, error: &str, message: &str) -> Reply {
    let mut rng = crate::rng::Rng::new(world.now().cast_unsigned());
    let id = rng.hex(32);
    let uuid =
        format!("{}-{}-4{}-8{}-{}", &id[..8], &id[8..12], &id[13..16], &id[17..20], &id[20..]);
    let body = Obj::new()
        .put("message", message)
        .put("error", error)
        .put("statusCode", status)
        .put("requestId", uuid);
    Reply::json(status, body.finish())
}

/// The database's word for a job's state.
fn status(job: &Job, now: i64) -> &'static str {
    match job.state {
        State::Scheduled => "delayed",
        State::Queued => "waiting",
        State::Completed if !recorded(job, now) => "processing",
        State::Completed => "completed",
        State::Failed | State::Cancelled => "failed",
        State::Running => match job.message.as_str() {
            "generating_notes" => "generating_notes",
            "generating_quiz" => "generating_quiz",
            "extracting_text" => "extracting",
            _ => "processing",
        },
    }
}

fn data(job: &Job) -> Raw {
    Obj::new()
        .put("fileId", format!("f{}", job.key))
        .put("filePath", format!("{USER}/{}-{}", job.key, job.subject))
        .put("fileName", &job.subject)
        .put("userId", USER)
        .raw()
}

/// A job as the database knows it. A reason stays after a later success.
fn row(job: &Job, now: i64) -> Raw {
    let ended = job.finished.filter(|_| recorded(job, now));
    let reason = match job.state {
        State::Cancelled => Some("Stopped by the operator"),
        _ => job.failure.as_ref().map(|failure| failure.text.as_str()),
    };
    let stage = if job.message.is_empty() { status(job, now) } else { job.message.as_str() };
    let opts =
        Obj::new().put("priority", 10).put("attempts", job.max_attempts).put("stage", stage).raw();
    Obj::new()
        .put("id", format!("cm{}", job.hash(1, 23)))
        .put("jobId", &job.id)
        .put("name", &job.name)
        .put("queueName", &job.queue)
        .put("status", status(job, now))
        .put("progress", num(job.progress.round()))
        .put("failedReason", reason)
        .put("finishedAt", ended.map(iso))
        .put("failedAt", job.failure.as_ref().map(|failure| iso(failure.at)))
        .put("opts", opts)
        .put("data", data(job))
        .put("attempts", job.attempt)
        .put("priority", None::<u8>)
        .put("userId", USER)
        .put("timestamp", iso(job.created))
        .put("createdAt", iso(job.created))
        .put("updatedAt", iso(job.changed))
        .raw()
}

/// A job as its queue knows it.
fn queue_view(job: &Job) -> Raw {
    let state = match job.state {
        State::Scheduled => "delayed",
        State::Queued if job.attempt > 0 => "delayed",
        State::Queued => "prioritized",
        State::Running => "active",
        State::Completed => "completed",
        State::Failed | State::Cancelled => "failed",
    };
    Obj::new()
        .put("jobId", &job.id)
        .put("name", &job.name)
        .put("data", data(job))
        .put("state", state)
        .put("progress", num(job.progress))
        .put("attemptsMade", job.attempt)
        .maybe("processedOn", job.started)
        .maybe("finishedOn", job.finished)
        .maybe("failedReason", job.failure.as_ref().map(|failure| &failure.text))
        .put("priority", 1)
        .raw()
}

/// What `job:completed` carries: the main worker sends two different results.
pub(super) fn results(job: &Job, user: &str) -> Vec<Raw> {
    let result = job.result.clone().unwrap_or(Value::Null);
    let note = result.get("noteId").and_then(Value::as_str);
    let Some(note) = note else { return vec![raw(result.to_string())] };
    let short = Obj::new().put("noteId", note).put("userId", user).raw();
    if job.queue != "pdf-ultra-optimized" {
        return vec![short];
    }
    let took = job.took();
    let long = Obj::new()
        .put("noteId", note)
        .put("title", job.subject.trim_end_matches(".pdf"))
        .put("fileName", &job.subject)
        .put("cacheHit", false)
        .put("processingTime", took)
        .put("processingTimeMs", took)
        .put("pageCount", 0)
        .put("userId", user)
        .put("jobId", &job.id)
        .raw();
    vec![long, short]
}

/// A piece of the notes, with everything written so far.
pub(super) fn chunk(job: &Job) -> Raw {
    let words: Vec<&str> = NOTES.split_inclusive(' ').collect();
    let upto = (words.len() as f64 * job.progress / 100.0) as usize;
    let upto = upto.clamp(1, words.len());
    Obj::new()
        .put("jobId", &job.id)
        .put("chunk", words[upto - 1])
        .put("accumulated", words[..upto].concat())
        .put("timestamp", iso(job.changed))
        .raw()
}
