//! Tasks and jobs as TriggerX describes them, in the canonical words.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::dialect::job_state;
use crate::model::{Extra, JobPatch, JobState, Json};
use crate::wire::fields::Fields;
use crate::wire::json::text_of;

/// Fields of a task with a canonical place or without meaning for people.
const TASK_FIELDS: &[&str] = &[
    "task_id",
    "job_id",
    "user_id",
    "task_status",
    "new_status",
    "old_status",
    "status",
    "task_error",
    "error",
    "created_at",
    "new_fee",
    "old_fee",
    "timestamp",
    "task_attester_ids",
    "converted_arguments",
    "proof_of_task",
];

/// The canonical id of a task.
pub fn task_id(id: &str) -> String {
    format!("task:{id}")
}

/// The canonical id of a TriggerX job; `None` for the `0` of a task that the server could not
/// look up.
pub fn job_id(id: &str) -> Option<String> {
    (!id.is_empty() && id != "0").then(|| format!("job:{id}"))
}

/// What a task's fields say, whichever of the shapes they come in: a row of a list, a snapshot, or
/// the `changes` of an event. `None` where no task is named. State is said only where the fields
/// name one.
pub fn task(fields: &Fields<'_>, id: &str, job: Option<&str>) -> JobPatch {
    let mut patch = JobPatch::new(task_id(id));
    patch.parent = job.and_then(job_id).map(Into::into);
    patch.user = owner(fields);
    patch.extra = extra(fields, TASK_FIELDS);
    let word = ["new_status", "task_status", "status"].iter().find_map(|name| fields.text(name));
    if let Some(word) = word {
        let (state, known) = task_state(&word);
        patch.state = Some(state);
        if !known {
            patch.extra.insert("task_status".to_owned(), text(&word));
        }
    }
    patch.error = fields.string("task_error").or_else(|| fields.string("error"));
    patch.created_at = fields.time("created_at");
    if patch.state.as_ref().is_some_and(JobState::terminal) {
        // The server keeps no time of the end; the execution is the last it tells.
        patch.finished_at = fields.time("execution_timestamp");
    }
    if let Some(fee) = fields.get("new_fee") {
        patch.extra.insert("task_opx_cost".to_owned(), Json::from(fee));
    }
    if let Some(ids) = fields.get("task_attester_ids") {
        patch.extra.insert("task_attester_ids".to_owned(), attesters(ids));
    }
    patch.data = fields.json("converted_arguments");
    patch.result = fields.json("proof_of_task").filter(|proof| proof.as_str() != "\"\"");
    patch
}

/// The owner; the constant "system" is the publisher, and none.
pub fn owner(fields: &Fields<'_>) -> Option<String> {
    let user = fields.text("user_id").filter(|user| !user.is_empty() && user != "system");
    user.map(Cow::into_owned)
}

/// The words of tasks. The second value says whether the word is one of the server's own or empty.
///
/// | task_status, new_status | outcome |
/// |---|---|
/// | `completed`, and what else means success | completed |
/// | `failed`, and what else means failure | failed |
/// | what means that somebody stopped it | cancelled |
/// | `processing`, empty, any other word | running, as in the server's own page |
///
/// Whether the attesters accepted (`is_accepted`, `is_successful`) is said of the attestation, not
/// of the task, and false where nobody has decided: it is no end. Source: the server's handlers and
/// its page.
fn task_state(word: &str) -> (JobState, bool) {
    let own = ["completed", "failed", "processing"];
    let is_own = word.is_empty() || own.iter().any(|known| word.eq_ignore_ascii_case(known));
    match job_state(word) {
        state if state.terminal() => (state, is_own),
        _ => (JobState::Running, is_own),
    }
}

/// A row of a job list: `job_data`, and the block of its kind with `is_active` and `is_completed`.
pub fn job(row: &Fields<'_>) -> Option<JobPatch> {
    let wrapped = row.object("job_data");
    let data = wrapped.as_ref().unwrap_or(row);
    let mut patch = JobPatch::new(job_id(&data.string("job_id")?)?);
    patch.snapshot = true;
    patch.name = data.string("job_title");
    patch.user = data.string("user_id");
    patch.created_at = data.time("created_at");
    patch.extra = extra(data, &["job_id", "job_title", "user_id", "status", "created_at"]);
    let mut completed = None;
    for block in ["time_job_data", "event_job_data", "condition_job_data"] {
        let Some(block) = row.object(block) else { continue };
        completed = completed.or(block.flag("is_completed"));
        let known =
            ["job_id", "job_title", "status", "created_at", "updated_at", "task_definition_id"];
        patch.extra.extend(extra(&block, &known));
    }
    let word = data.string("status").unwrap_or_default();
    // `deleted` is the server's only way to stop a job. The block of the job's kind knows of an end
    // before the word does.
    patch.state = match (word.as_str(), completed) {
        ("", None) => None,
        ("", Some(true)) => Some(JobState::Completed),
        ("", Some(false)) => Some(JobState::Running),
        (word, done) => match job_state(word) {
            state if !state.terminal() && done == Some(true) => Some(JobState::Completed),
            state => Some(state),
        },
    };
    if patch.state.as_ref().is_some_and(JobState::terminal) {
        patch.finished_at = data.time("updated_at");
    }
    Some(patch)
}

/// Unknown fields, without those that are only placeholders for "not yet": Go's zero time and the
/// number 0 where numbers count from 1.
fn extra(fields: &Fields<'_>, known: &[&str]) -> Extra {
    let mut extra = fields.rest(known);
    extra.retain(|name, value| {
        !(value.as_str().starts_with("\"0001-01-01T")
            || value.as_str() == "0" && matches!(name, "task_performer_id" | "task_number"))
    });
    extra
}

/// Attesters come as an array in lists and in Go's notation (`"[1 2 3]"`) in events.
fn attesters(value: &RawValue) -> Json {
    let inner = value.get().strip_prefix("\"[").and_then(|rest| rest.strip_suffix("]\""));
    let Some(inner) = inner else { return Json::from(value) };
    let ids: Vec<&str> = inner.split([' ', ',']).filter(|id| !id.is_empty()).collect();
    let numbers = ids.iter().all(|id| id.bytes().all(|b| b.is_ascii_digit()));
    let list = numbers.then(|| Json::parse(&format!("[{}]", ids.join(",")))).flatten();
    list.unwrap_or_else(|| Json::from(value))
}

fn text(text: &str) -> Json {
    Json::from(&serde_json::Value::String(text.to_owned()))
}

/// The fields that come with or after the end of a task, which itself is never pushed.
pub fn suggests_end(changes: &Fields<'_>) -> bool {
    changes.iter().any(|(name, raw)| match name {
        "task_attester_ids" => true,
        "execution_tx_hash"
        | "execution_timestamp"
        | "proof_of_task"
        | "is_successful"
        | "is_accepted"
        | "task_submission_tx_hash"
        | "ta_signature"
        | "task_error"
        | "new_status"
        | "task_status" => {
            text_of(raw).is_some_and(|text| text != "processing" && !text.is_empty())
        }
        _ => false,
    })
}

/// The time of an event: its own, or the envelope's.
pub fn event_time(data: &Fields<'_>, envelope: &Fields<'_>) -> Option<Timestamp> {
    data.time("timestamp").or_else(|| envelope.time("timestamp"))
}
