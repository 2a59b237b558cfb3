//! The analyzer's HTTP API below `/api/v1`.

use hyper::Method;

use super::Analyzer;
use crate::DEMO_KEY;
use crate::control::JobSpec;
use crate::json::{Obj, Raw, iso, num, raw, text};
use crate::protocol::{Reply, Request};
use crate::world::World;
use crate::world::job::{Job, State};

/// The server gives no more rows of a list, whatever it is asked for.
const MOST_ROWS: usize = 100;

impl Analyzer {
    pub(super) fn route(&mut self, world: &mut World, request: &Request) -> Reply {
        let segments = request.segments();
        let ["api", "v1", path @ ..] = segments.as_slice() else {
            return failure(
                404,
                "Not Found",
                &format!("Cannot {} {}", request.method, request.path),
            );
        };
        if *path == ["health"] {
            return Reply::json(200, r#"{"status":"ok"}"#);
        }
        // A bearer token is not read, although the server's own document says so.
        let key = request.header("x-api-key").filter(|key| !key.is_empty());
        if self.keys && key != Some(DEMO_KEY) {
            self.bad_auth += 1;
            return match key {
                None => failure(401, "Unauthorized", "API key is missing."),
                Some(_) => failure(401, "Unauthorized", "Invalid API key."),
            };
        }
        let missing = |id: &str| {
            failure(404, "Not Found", &format!("Job with ID {id} not found in any queue"))
        };
        match (&request.method, path) {
            (&Method::GET, ["jobs"]) => overview(world),
            (&Method::GET, ["jobs", "queue", queue, "jobs"]) => list(world, request, queue),
            (&Method::GET, ["jobs", "queue", queue, "stats"]) => {
                Reply::json(200, stats(world, queue).to_string())
            }
            (&Method::GET, ["jobs", "failed", "stats"]) => {
                let failed = shown(world).filter(|job| job.state == State::Failed).count();
                Reply::json(200, Obj::new().put("totalFailed", failed).finish())
            }
            (&Method::GET, ["jobs", "failed", "recent"]) => {
                let rows: Vec<Raw> = shown(world)
                    .filter(|job| job.state == State::Failed)
                    .map(|job| row(job, world.now()))
                    .collect();
                Reply::json(200, Obj::new().put("jobs", rows).finish())
            }
            (&Method::GET, ["jobs", id]) => match find(world, id) {
                Some(job) => Reply::json(200, row(job, world.now()).to_string()),
                None => missing(id),
            },
            (&Method::GET, ["jobs", id, "progress"]) => match find(world, id) {
                Some(job) => {
                    let body = Obj::new()
                        .put("jobId", &job.id)
                        .put("status", status(job))
                        .put("progress", num(job.progress));
                    Reply::json(200, body.finish())
                }
                None => missing(id),
            },
            (&Method::GET, ["jobs", id, "result"]) => match find(world, id) {
                Some(job) => {
                    let body = Obj::new()
                        .put("jobId", &job.id)
                        .put("status", status(job))
                        .put("result", &job.result)
                        .maybe("error", job.failure.as_ref().map(|failure| &failure.text));
                    Reply::json(200, body.finish())
                }
                None => missing(id),
            },
            (&Method::DELETE, ["jobs", id]) => {
                match find(world, id).map(|job| (job.key, job.state)) {
                    Some((key, state)) => remove(world, id, key, state),
                    None => missing(id),
                }
            }
            (&Method::POST, ["jobs" | "analyses", rest @ ..]) => submit(world, rest),
            _ => failure(404, "Not Found", &format!("Cannot {} {}", request.method, request.path)),
        }
    }
}

fn failure(status: u16, error: &str, message: &str) -> Reply {
    let body = Obj::new().put("message", message).put("error", error).put("statusCode", status);
    Reply::json(status, body.finish())
}

/// The server cannot stop a job and keep it: a cancelled one is gone.
fn shown(world: &World) -> impl DoubleEndedIterator<Item = &Job> {
    world.jobs().filter(|job| job.state != State::Cancelled)
}

fn find<'a>(world: &'a World, id: &str) -> Option<&'a Job> {
    world.find(id).filter(|job| job.state != State::Cancelled)
}

/// Computed from timestamps and the reason of the last failed attempt, so that a job which
/// succeeded after a retry is called failed.
fn status(job: &Job) -> &'static str {
    match (job.finished, job.failure.is_some(), job.state) {
        (Some(_), true, _) => "failed",
        (Some(_), false, _) => "completed",
        (None, _, State::Running) => "active",
        (None, ..) => "waiting",
    }
}

fn row(job: &Job, now: i64) -> Raw {
    let data = Obj::new()
        .put("requestId", format!("{}-{}", job.name, job.created))
        .put("walletAddress", &job.subject)
        .raw();
    let remaining = (job.state == State::Scheduled).then_some(job.due.step).flatten();
    Obj::new()
        .put("id", &job.id)
        .put("name", &job.name)
        .put("queue", &job.queue)
        .put("status", status(job))
        .put("progress", num(job.progress))
        .put("data", data)
        .put("result", &job.result)
        .maybe("error", job.failure.as_ref().map(|failure| &failure.text))
        .put("createdAt", iso(job.created))
        .maybe("processedAt", job.started.map(iso))
        .maybe("finishedAt", job.finished.map(iso))
        .put("attempts", job.attempt)
        .put("maxAttempts", job.max_attempts)
        .maybe("remainingTime", remaining.map(|at| (at - now).max(0)))
        .raw()
}

fn count(world: &World, queue: &str, wanted: State) -> usize {
    shown(world).filter(|job| job.queue == queue && job.state == wanted).count()
}

fn stats(world: &World, queue: &str) -> Raw {
    Obj::new()
        .put("queueName", queue)
        .put("waiting", count(world, queue, State::Queued))
        .put("active", count(world, queue, State::Running))
        .put("completed", count(world, queue, State::Completed))
        .put("failed", count(world, queue, State::Failed))
        .put("delayed", 0)
        .put("paused", 0)
        .raw()
}

fn overview(world: &World) -> Reply {
    let queues: Vec<Raw> = world.queues().iter().map(|queue| stats(world, queue)).collect();
    let body = Obj::new()
        .put("queues", queues)
        .put("totalJobs", shown(world).count())
        .put("timestamp", iso(world.now()));
    Reply::json(200, body.finish())
}

/// At most 100 rows, without a state half of them and one more of each kind. `total` counts what is
/// returned; `offset` comes back as text, and the end of the range is the offset's digits followed by
/// the limit's, less one.
fn list(world: &World, request: &Request, queue: &str) -> Reply {
    if !world.queues().iter().any(|known| known == queue) {
        return failure(404, "Not Found", &format!("Queue {queue} not found"));
    }
    let limit: usize = request.param("limit").and_then(|n| n.parse().ok()).unwrap_or(10);
    let limit = if limit == 0 { 10 } else { limit.min(MOST_ROWS) };
    let offset = request.param("offset").filter(|offset| offset.parse::<usize>().is_ok());
    let (first, end) = match offset {
        None => (0, limit),
        Some(offset) => {
            (offset.parse().unwrap_or(0), format!("{offset}{limit}").parse().unwrap_or(usize::MAX))
        }
    };
    // What is under way comes in the order of its turn, what has ended with the newest first.
    let of = |state: State| {
        let mut jobs: Vec<&Job> =
            shown(world).filter(|job| job.queue == queue && job.state == state).collect();
        if state.terminal() {
            jobs.sort_by_key(|job| std::cmp::Reverse((job.finished, job.key)));
        }
        jobs
    };
    let jobs: Vec<&Job> = match request.param("status") {
        None => {
            let half = |state| of(state).into_iter().take(limit / 2 + 1);
            half(State::Queued).chain(half(State::Running)).collect()
        }
        Some("waiting") => of(State::Queued),
        Some("active") => of(State::Running),
        Some("completed") => of(State::Completed),
        Some("failed") => of(State::Failed),
        Some("delayed") => of(State::Scheduled),
        Some(_) => return failure(400, "Bad Request", "Invalid status"),
    };
    let jobs: Vec<Raw> =
        jobs.into_iter().take(end).skip(first).map(|job| row(job, world.now())).collect();
    let body = Obj::new()
        .put("total", jobs.len())
        .put("limit", limit)
        .put("offset", offset.map_or_else(|| raw("0".to_owned()), |offset| raw(text(offset))));
    // `jobs` leads; it is moved last so that its length could be counted.
    let tail = body.finish();
    Reply::json(200, format!("{{\"jobs\":{},{}", text(jobs), &tail[1..]))
}

fn remove(world: &mut World, id: &str, key: u64, state: State) -> Reply {
    let word = match state {
        State::Queued => {
            world.remove(key);
            let message = format!("Job {id} was successfully cancelled.");
            let body = Obj::new().put("success", true).put("message", message);
            return Reply::json(200, body.finish());
        }
        // A worker holds its lock: the queue throws, and the job keeps running.
        State::Running => {
            return Reply::json(500, r#"{"statusCode":500,"message":"Internal server error"}"#);
        }
        State::Scheduled => "delayed",
        State::Completed => "completed",
        State::Failed | State::Cancelled => "failed",
    };
    let message = format!("Job {id} could not be cancelled. Current status: {word}.");
    Reply::json(200, Obj::new().put("success", false).put("message", message).finish())
}

/// Accepts a job and runs it for some seconds.
fn submit(world: &mut World, path: &[&str]) -> Reply {
    let (name, queue, prefix) = match path {
        ["wallets", "sync"] => ("sync-wallet", "wallet-operations", "sync-"),
        ["wallets", "analyze"] => ("analyze-pnl", "analysis-operations", "pnl-"),
        ["wallets", "dashboard-analysis"] => {
            ("dashboard-wallet-analysis", "analysis-operations", "dashboard-")
        }
        ["similarity", "analyze" | "queue"] => {
            ("similarity-analysis-flow", "similarity-operations", "similarity-")
        }
        ["similarity", "enrich-balances"] => {
            ("enrich-token-balances", "enrichment-operations", "enrich-")
        }
        _ => return failure(404, "Not Found", "Cannot POST here"),
    };
    let mut rng = crate::rng::Rng::new(world.now().cast_unsigned());
    let id = format!("{prefix}{}", rng.hex(if prefix == "similarity-" { 12 } else { 8 }));
    let (_, id) = world.command(JobSpec {
        id: Some(id),
        name: Some(name.to_owned()),
        queue: Some(queue.to_owned()),
        duration_ms: Some(rng.between(6_000, 20_000)),
        start_after_ms: Some(600),
        ..JobSpec::default()
    });
    let body = Obj::new()
        .put("jobId", &id)
        .put("requestId", format!("{prefix}{}", world.now()))
        .put("status", "queued")
        .put("queueName", queue)
        .put("estimatedProcessingTime", "5-10 minutes")
        .put("monitoringUrl", format!("/jobs/{id}"));
    Reply::json(202, body.finish())
}
