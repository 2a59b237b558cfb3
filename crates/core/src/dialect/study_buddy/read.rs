//! Reading Study Buddy's events and HTTP objects into patches.

use serde_json::value::RawValue;

use super::super::nest::{self, each};
use crate::model::{JobId, JobPatch, JobState, Json};
use crate::wire::fields::Fields;
use crate::wire::{json, time};

/// An event about a job, and its status word. `None` when it names no job.
pub(super) fn job_event(args: &str) -> Option<(JobPatch, Option<String>)> {
    let mut patch = JobPatch::default();
    let mut word = None;
    each(args, |name, raw| match name {
        "jobId" => patch.id = json::id_of(raw).map(JobId::from),
        "status" => word = json::id_of(raw),
        "progress" => nest::set_progress(&mut patch, raw),
        "message" => patch.message = json::id_of(raw),
        "timestamp" => patch.at = time::parse(raw),
        "result" => patch.result = Some(Json::from(raw)),
        "error" => patch.error = nest::useful_error(raw),
        "userId" => patch.user = json::id_of(raw),
        _ => nest::keep(&mut patch, name, raw),
    })?;
    patch.id.as_ref()?;
    Some((patch, word))
}

/// FNV-1a: the same on every run of the program, since line ids are stored.
pub(super) fn fingerprint(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The object in `{"success","job":{…}}`, or the whole where it is bare.
pub(super) fn unwrap_job(body: &str) -> &str {
    let inner = Fields::leading(body).and_then(|fields| fields.get("job"));
    inner.map(RawValue::get).filter(|inner| inner.starts_with('{')).unwrap_or(body)
}

/// A row of the server's table of jobs. `None` when it names no job.
pub(super) fn job_row(body: &str) -> Option<JobPatch> {
    let mut patch = JobPatch { snapshot: true, ..JobPatch::default() };
    let (mut word, mut row) = (None, None);
    let (mut finished, mut failed) = (None, None);
    each(body, |name, raw| match name {
        "jobId" => patch.id = json::id_of(raw).map(JobId::from),
        "id" => row = json::id_of(raw),
        "name" => patch.name = json::id_of(raw),
        "queueName" => patch.queue = json::id_of(raw),
        "status" => word = json::id_of(raw),
        "progress" => nest::set_progress(&mut patch, raw),
        "message" => patch.message = json::id_of(raw),
        "failedReason" | "error" => {
            patch.error = patch.error.take().or_else(|| nest::useful_error(raw));
        }
        "result" => patch.result = Some(Json::from(raw)),
        "data" => patch.data = Some(Json::from(raw)),
        // Zero even for jobs that failed: the column is not kept.
        "attempts" => {}
        "userId" => patch.user = json::id_of(raw),
        "createdAt" => patch.created_at = time::parse(raw),
        "updatedAt" => patch.at = time::parse(raw),
        "finishedAt" => finished = time::parse(raw),
        "failedAt" => failed = time::parse(raw),
        "opts" => {
            let opts = Fields::of(raw).unwrap_or_default();
            patch.max_attempts = opts.whole("attempts");
            if let Some(stage) = opts.get("stage") {
                nest::keep(&mut patch, "stage", stage);
            }
            nest::keep(&mut patch, name, raw);
        }
        _ => nest::keep(&mut patch, name, raw),
    })?;
    match (&patch.id, row) {
        (Some(_), row) => patch.external_id = row,
        (None, Some(row)) => patch.id = Some(row.into()),
        (None, None) => return None,
    }
    patch.state = word.as_deref().map(nest::job_state);
    if patch.message.is_none() {
        patch.message = word.filter(|word| stage(word));
    }
    match &patch.state {
        Some(JobState::Failed) => patch.finished_at = failed.or(finished),
        Some(state) if state.terminal() => patch.finished_at = finished,
        _ => {}
    }
    if patch.state != Some(JobState::Failed) {
        // The reason of an earlier attempt stays in the row after a success.
        let error = patch.error.take();
        patch.failed_before = nest::failed_before(failed, error);
    }
    Some(patch)
}

/// A job as BullMQ has it, which knows whether another attempt will follow.
pub(super) fn job_view(body: &str) -> Option<JobPatch> {
    let mut patch = JobPatch { snapshot: true, ..JobPatch::default() };
    let (mut word, mut made) = (None, None);
    each(body, |name, raw| match name {
        "jobId" => patch.id = json::id_of(raw).map(JobId::from),
        "id" => patch.id = patch.id.take().or_else(|| json::id_of(raw).map(JobId::from)),
        "name" => patch.name = json::id_of(raw),
        "state" | "status" => word = json::id_of(raw),
        "progress" => nest::set_progress(&mut patch, raw),
        "data" => patch.data = Some(Json::from(raw)),
        "attemptsMade" => made = json::whole_of(raw),
        "processedOn" => patch.started_at = time::parse(raw),
        "finishedOn" => patch.finished_at = time::parse(raw),
        "failedReason" => patch.error = nest::useful_error(raw),
        _ => nest::keep(&mut patch, name, raw),
    })?;
    patch.id.as_ref()?;
    let state = word.as_deref().map(nest::job_state);
    if state != Some(JobState::Failed) {
        patch.failed_before = nest::failed_before(None, patch.error.take());
    }
    patch.attempt = nest::attempt(made, state.as_ref());
    patch.state = state;
    Some(patch)
}

/// Whether a status word says more than "running".
pub(super) fn stage(word: &str) -> bool {
    matches!(word, "extracting" | "generating_notes" | "generating_quiz")
}
