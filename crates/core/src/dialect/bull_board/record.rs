//! Runs, queues and log lines as Better Bull Board describes them, in the canonical words.

use jiff::Timestamp;

use crate::dialect::pages::print;
use crate::dialect::{job_state, nest};
use crate::headline::headline;
use crate::log::{LogLine, LogLines};
use crate::model::{ENDED, Finality, JobPatch, JobState, Level, QueuePatch};
use crate::wire::fields::Fields;

/// The error of a run that somebody stopped: the server knows no state of its own for it.
const CANCELLED: &str = "Job cancelled";

/// How a run ended, as it was last read.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// When.
    pub at: Option<Timestamp>,
    /// The attempt, counted on over replays.
    pub attempt: u32,
}

/// A run, from a list or in detail. Times are text in one and numbers in the other.
///
/// | status | with | outcome |
/// |---|---|---|
/// | `completed` | | completed |
/// | `failed` | `errorMessage` `Job cancelled` | cancelled: the server has no word for it |
/// | `failed` | `finishedAt` and a `result` | completed: the row keeps the error of an earlier attempt |
/// | `failed` | no `finishedAt`, attempts left | an attempt failed, the job perhaps not |
/// | `failed` | anything else, also `Job stalled` | failed: between attempts BullMQ calls a job delayed or waiting |
/// | `unknown` | | over, outcome unknown: the job has vanished from the queue |
///
/// Source: the server's ingest, which writes BullMQ's own words, and its HTTP API.
pub fn run(row: &Fields<'_>) -> Option<JobPatch> {
    let mut patch = JobPatch::new(row.string("id")?);
    patch.snapshot = true;
    patch.external_id = row.string("jobId");
    patch.queue = row.string("queue");
    patch.name = row.string("name");
    patch.attempt = row.whole("attempt").filter(|n| *n > 0);
    patch.max_attempts = row.whole("maxAttempts").filter(|n| *n > 0);
    patch.created_at = row.time("createdAt").or_else(|| row.time("enqueuedAt"));
    patch.started_at = row.time("startedAt");
    patch.finished_at = row.time("finishedAt");
    patch.took_ms = row.whole("durationMs").and_then(|ms: i64| u64::try_from(ms).ok());
    patch.error = row.string("errorMessage");
    patch.stack = row.string("errorStack");
    patch.data = row.json("data");
    patch.result = row.json("result");
    patch.extra = row.rest(&[
        "id",
        "jobId",
        "queue",
        "name",
        "status",
        "attempt",
        "maxAttempts",
        "createdAt",
        "enqueuedAt",
        "startedAt",
        "finishedAt",
        "durationMs",
        "errorMessage",
        "errorStack",
        "data",
        "result",
    ]);
    patch.extra.retain(|_, value| value.as_str() != "[]");
    let word = row.string("status")?;
    let state = job_state(&word);
    let succeeded = patch.finished_at.is_some() && patch.result.is_some();
    let was_cancelled = patch.error.as_deref().is_some_and(|error| headline(error) == CANCELLED);
    patch.state = Some(match state {
        JobState::Failed if was_cancelled => JobState::Cancelled,
        // The row keeps the word and the error of an attempt that failed before the one that
        // succeeded.
        JobState::Failed if succeeded => JobState::Completed,
        // The job has vanished from the queue: it is over, and its end was not seen.
        JobState::Unknown(_) if word.eq_ignore_ascii_case("unknown") => {
            JobState::Unknown(ENDED.into())
        }
        state => state,
    });
    let left = patch.max_attempts.is_some_and(|most| patch.attempt.unwrap_or(1) < most);
    if patch.state == Some(JobState::Failed) && patch.finished_at.is_none() && left {
        patch.finality = Finality::MayRetry;
    }
    if !patch.state.as_ref().is_some_and(JobState::terminal) {
        patch.failed_before = nest::failed_before(None, patch.error.clone());
    }
    Some(patch)
}

/// Makes a run that is called failed what it is.
pub fn completed(patch: JobPatch) -> JobPatch {
    JobPatch { state: Some(JobState::Completed), finality: Finality::Final, ..patch }
}

/// Whether a row of a list, which leaves out results, may hide a success: it failed at one of
/// several attempts, and another may have followed.
pub fn may_have_succeeded(row: &Fields<'_>, patch: &JobPatch) -> bool {
    let several = patch.attempt.is_none_or(|attempt| attempt > 1)
        || patch.max_attempts.is_some_and(|most| most > 1);
    patch.state == Some(JobState::Failed)
        && patch.finished_at.is_some()
        && several
        && !row.has("result")
}

/// A row of the queue table.
pub fn queue(row: &Fields<'_>) -> Option<QueuePatch> {
    let days: Vec<Fields<'_>> = row.rows("chartData");
    let sum = |name: &str| {
        (!days.is_empty()).then(|| {
            days.iter()
                .filter_map(|day| day.whole::<i64>(name))
                .fold(0_u64, |sum, n| sum.saturating_add(u64::try_from(n).unwrap_or(0)))
        })
    };
    let count = |name: &str| row.whole::<i64>(name).and_then(|n| u64::try_from(n).ok());
    Some(QueuePatch {
        name: row.string("name")?,
        paused: row.flag("isPaused"),
        waiting: count("waitingJobs"),
        active: count("activeJobs"),
        completed: sum("completed"),
        failed: sum("failed"),
        delayed: None,
    })
}

/// Adds a log line; answers what tells it from others, or `None` for one without a text, which is
/// passed over.
pub fn line(row: &Fields<'_>, lines: &mut LogLines) -> Option<u64> {
    let text = row.text("message")?;
    let id = row.text("id").filter(|id| !id.is_empty());
    let line = LogLine {
        id: id.as_deref(),
        // The place within the answer is none: a server that keeps only the newest lines gives
        // the same line at another place the next time.
        position: number(row),
        at: row.time("ts"),
        level: row.text("level").and_then(|word| Level::from_word(&word)),
        origin: None,
        text: &text,
    };
    lines.push(line);
    Some(print(line.id, &line))
}

/// The number of a log line within its run.
pub fn number(row: &Fields<'_>) -> Option<u64> {
    row.whole::<i64>("logSeq").and_then(|number| u64::try_from(number).ok())
}
