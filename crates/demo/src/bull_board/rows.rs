//! Runs and queues as the application shows them.

use crate::json::{Obj, Raw, iso};
use crate::world::World;
use crate::world::job::{Job, State};

/// The server's word for a run's state. A cancelled run has failed, with a telling error.
pub(super) fn status(job: &Job) -> &'static str {
    match job.state {
        State::Scheduled => "delayed",
        State::Queued if job.attempt > 0 => "delayed",
        State::Queued => "waiting",
        State::Running => "active",
        State::Completed => "completed",
        State::Failed | State::Cancelled => "failed",
    }
}

fn error(job: &Job) -> Option<&str> {
    match job.state {
        State::Cancelled => Some("Job cancelled"),
        State::Completed => None,
        _ => job.failure.as_ref().map(|failure| failure.text.as_str()),
    }
}

fn tags(job: &Job) -> Vec<&str> {
    vec![job.queue.trim_matches(['{', '}']), "prod"]
}

fn head(job: &Job) -> Obj {
    Obj::new()
        .put("id", &job.id)
        .put("jobId", &job.external)
        .put("queue", &job.queue)
        .put("name", &job.name)
        .put("status", status(job))
        .put("attempt", job.attempt)
        .put("maxAttempts", job.max_attempts)
}

/// A row of the table: times are ISO text.
pub(super) fn row(job: &Job) -> Raw {
    head(job)
        .put("createdAt", iso(job.created))
        .put("enqueuedAt", iso(job.created))
        .put("startedAt", job.started.map(iso))
        .put("finishedAt", job.finished.map(iso))
        .put("durationMs", job.took())
        .put("errorMessage", error(job))
        .put("tags", tags(job))
        .raw()
}

/// The detail: the same times are numbers, ms since 1970.
pub(super) fn detail(job: &Job) -> Raw {
    let stack = job.failure.as_ref().filter(|_| job.state == State::Failed);
    let data = Obj::new().put("subject", &job.subject).put("requestedBy", "shop").raw();
    head(job)
        .put("createdAt", job.created)
        .put("enqueuedAt", job.created)
        .put("startedAt", job.started)
        .put("finishedAt", job.finished)
        .put("durationMs", job.took())
        .put("errorMessage", error(job))
        .put("tags", tags(job))
        .put("priority", 0)
        .put("delayMs", 0)
        .put("backoff", None::<u8>)
        .put("repeatJobKey", None::<u8>)
        .put("parentJobId", None::<u8>)
        .put("workerId", job.started.map(|_| format!("worker-{}", job.salt(14) % 4 + 1)))
        .put("data", data)
        .put("result", &job.result)
        .put("errorStack", stack.map(|failure| &failure.stack))
        .raw()
}

/// The queues by name.
pub(super) fn queue_names(world: &World) -> Vec<String> {
    let mut names: Vec<String> = world.queues();
    names.sort();
    names
}

/// A row of the queue table.
pub(super) fn queue(world: &World, name: &str, paused: bool) -> Raw {
    let count = |wanted: &[&str]| {
        world.jobs().filter(|job| job.queue == name && wanted.contains(&status(job))).count()
    };
    let waiting = count(&["waiting", "delayed"]);
    let active = count(&["active"]);
    let chart = Obj::new()
        .put("timestamp", iso(world.now() / 3_600_000 * 3_600_000))
        .put("completed", count(&["completed"]))
        .put("failed", count(&["failed"]))
        .raw();
    Obj::new()
        .put("name", name)
        .put("isPaused", paused)
        .put("patterns", Vec::<String>::new())
        .put("everys", Vec::<u64>::new())
        .put("waitingJobs", waiting)
        .put("activeJobs", active)
        .put("pressure", waiting + active)
        .put("chartData", [chart])
        .raw()
}
