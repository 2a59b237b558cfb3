//! Reading the analyzer's events and HTTP objects into patches.

use super::super::nest::{self, each};
use super::lists::Counts;
use crate::model::{Finality, JobId, JobPatch, JobState, Json, QueuePatch, Topic};
use crate::wire::fields::Fields;
use crate::wire::{json, time};

/// The topic that `{"jobId"}` or `{"queueName"}` names.
pub(super) fn topic_of(args: &str) -> Option<Topic> {
    let fields = Fields::leading(args)?;
    let queue = || fields.string("queueName").or_else(|| fields.string("queue"));
    let job = fields.string("jobId").map(|id| Topic::Job(id.into()));
    job.or_else(|| queue().map(Topic::Queue))
}

/// One of the four events about a job. `None` when it names no job.
pub(super) fn job_event(event: &str, args: &str) -> Option<JobPatch> {
    let mut patch = JobPatch::default();
    let (mut word, mut failed_reason) = (None, None);
    let (mut processing, mut total) = (None, None);
    each(args, |name, raw| match name {
        "jobId" => patch.id = json::id_of(raw).map(JobId::from),
        "queue" => patch.queue = json::id_of(raw),
        "timestamp" => patch.at = time::parse(raw),
        "progress" => nest::set_progress(&mut patch, raw),
        "details" | "message" => patch.message = json::id_of(raw),
        "data" => patch.detail = patch.detail.take().or_else(|| Some(Json::from(raw))),
        "status" => word = json::id_of(raw),
        "result" => patch.result = Some(Json::from(raw)),
        "processingTime" => processing = nest::whole(raw),
        "totalTime" => total = nest::whole(raw),
        "error" => patch.error = nest::useful_error(raw),
        "failedReason" => failed_reason = nest::useful_error(raw),
        "attempts" => patch.attempt = json::whole_of(raw).filter(|attempt| *attempt > 0),
        "maxAttempts" => patch.max_attempts = json::whole_of(raw),
        _ => nest::keep(&mut patch, name, raw),
    })?;
    patch.id.as_ref()?;
    match event {
        "job-completed" => {
            patch.state = Some(JobState::Completed);
            patch.finished_at = patch.at;
            // The worker's own measure may be missing or zero; the queue's includes the wait.
            patch.took_ms = processing.filter(|ms| *ms > 0).or(total);
        }
        "job-failed" => {
            // Sent only when the attempts are exhausted.
            patch.state = Some(JobState::Failed);
            patch.error = patch.error.or(failed_reason);
            patch.finished_at = patch.at;
        }
        "job-queue-to-start" => {
            patch.state = Some(JobState::Running);
            patch.started_at = patch.at;
        }
        _ => patch.state = Some(word.map_or(JobState::Running, |word| nest::job_state(&word))),
    }
    Some(patch)
}

/// A job as HTTP describes it.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) patch: JobPatch,
    /// It is called failed, but a job that succeeded at a later attempt and returned nothing is
    /// described by the same words: the queue keeps the error of the earlier attempt.
    pub(super) doubtful: bool,
    /// It may have had an earlier attempt.
    pub(super) retried: bool,
    /// A field that jobs in this state have and this row leaves out: the name of the call that
    /// tells it.
    pub(super) lacks: Option<&'static str>,
}

/// A job as HTTP describes it. `None` when it names no job.
pub(super) fn job_row(body: &str) -> Option<Row> {
    let mut patch = JobPatch { snapshot: true, ..JobPatch::default() };
    let (mut word, mut made, mut remaining) = (None, None, None);
    let fields = Fields::leading(body)?;
    fields.iter().for_each(|(name, raw)| match name {
        "id" => patch.id = json::id_of(raw).map(JobId::from),
        "jobId" => patch.id = patch.id.take().or_else(|| json::id_of(raw).map(JobId::from)),
        "name" => patch.name = json::id_of(raw),
        "queue" | "queueName" => patch.queue = json::id_of(raw),
        "status" => word = json::id_of(raw),
        "progress" => nest::set_progress(&mut patch, raw),
        "data" => patch.data = Some(Json::from(raw)),
        "result" => patch.result = Some(Json::from(raw)),
        "error" => patch.error = nest::useful_error(raw),
        "createdAt" => patch.created_at = time::parse(raw),
        "processedAt" => patch.started_at = time::parse(raw),
        "finishedAt" => patch.finished_at = time::parse(raw),
        "attempts" => made = json::whole_of(raw),
        "maxAttempts" => patch.max_attempts = json::whole_of(raw),
        "remainingTime" => {
            remaining = json::number_of(raw).filter(|ms| *ms > 0.0);
            nest::keep(&mut patch, name, raw);
        }
        _ => nest::keep(&mut patch, name, raw),
    });
    patch.id.as_ref()?;
    let mut state = word.map(|word| nest::job_state(&word));
    if patch.finished_at.is_some() && patch.result.is_some() {
        // The queue keeps the error of an earlier attempt after a success.
        state = Some(JobState::Completed);
    }
    match &state {
        // The server has no word for a delay.
        Some(JobState::Queued) if remaining.is_some() => state = Some(JobState::Scheduled),
        Some(JobState::Failed) => {
            let left = patch.max_attempts.is_none_or(|most| made.unwrap_or(0) < most);
            if patch.finished_at.is_none() && left {
                patch.finality = Finality::MayRetry;
            }
        }
        _ => {}
    }
    if state != Some(JobState::Failed) {
        patch.failed_before = nest::failed_before(None, patch.error.take());
    }
    patch.attempt = nest::attempt(made, state.as_ref());
    patch.at = patch.finished_at.filter(|_| state.as_ref().is_some_and(JobState::terminal));
    let lacks = match &state {
        Some(JobState::Completed) if !fields.has("result") => Some("result"),
        Some(JobState::Running) if !fields.has("progress") => Some("progress"),
        _ => None,
    };
    let doubtful = state == Some(JobState::Failed) && patch.finished_at.is_some();
    let retried = made.is_none_or(|made: u32| made > 1);
    patch.state = state;
    Some(Row { patch, doubtful, retried, lacks })
}

/// Makes a row that is called failed what it is: completed.
pub(super) fn complete(patch: &mut JobPatch) {
    patch.state = Some(JobState::Completed);
    patch.error = None;
    patch.finality = Finality::Final;
}

/// The answer to the call for one field of a job, and nothing but that field: what else it says is
/// said better by the job itself.
pub(super) fn one_field(call: &str, id: &str, body: &str) -> Option<JobPatch> {
    let fields = Fields::leading(body)?;
    let mut patch = JobPatch { snapshot: true, ..JobPatch::new(id) };
    match (call, fields.get(call)) {
        ("result", Some(raw)) => patch.result = Some(Json::from(raw)),
        ("progress", Some(raw)) => nest::set_progress(&mut patch, raw),
        _ if fields.has(call) => {}
        _ => return None,
    }
    Some(patch)
}

/// `{"queueName","waiting","active","completed","failed","delayed","paused"}`.
pub(super) fn queue_counts(body: &str, queue: Option<&str>) -> Option<(QueuePatch, Counts)> {
    let mut patch = QueuePatch { name: queue.unwrap_or("").to_owned(), ..QueuePatch::default() };
    each(body, |name, raw| match name {
        "queueName" | "name" | "queue" if queue.is_none() => {
            patch.name = json::id_of(raw).unwrap_or_default();
        }
        "waiting" => patch.waiting = nest::whole(raw),
        "active" => patch.active = nest::whole(raw),
        "completed" => patch.completed = nest::whole(raw),
        "failed" => patch.failed = nest::whole(raw),
        // The shipped server answers 0 for both whatever is true.
        "delayed" => patch.delayed = nest::whole(raw).filter(|count| *count > 0),
        "paused" => {
            patch.paused =
                (raw.get() == "true" || nest::whole(raw).is_some_and(|n| n > 0)).then_some(true);
        }
        _ => {}
    })?;
    let counts = Counts {
        waiting: patch.waiting.unwrap_or(0),
        active: patch.active.unwrap_or(0),
        completed: patch.completed.unwrap_or(0),
        failed: patch.failed.unwrap_or(0),
    };
    (!patch.name.is_empty()).then_some((patch, counts))
}
