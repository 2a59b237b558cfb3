use jobwatch_core::server::DialectKind;
use serde_json::{Value, json};

use super::{answered, check, framed, outcome};
use crate::support::speaking;

fn task(fields: &Value) -> Value {
    let mut task = json!({"task_id": 7, "task_number": 0, "task_opx_cost": 0.1,
        "execution_timestamp": "2026-11-20T17:01:00Z", "execution_tx_hash": "", "task_error": "",
        "is_accepted": false});
    for (name, value) in fields.as_object().unwrap() {
        task[name] = value.clone();
    }
    task
}

#[test]
fn a_task_of_triggerx_is_what_its_word_says_and_not_what_the_attesters_say() {
    let rows: &[(Value, &str)] = &[
        (json!({"task_status": "completed", "is_accepted": true}), "completed"),
        (json!({"task_status": "completed", "is_accepted": false}), "completed"),
        (json!({"task_status": "COMPLETED"}), "completed"),
        (json!({"task_status": "success"}), "completed"),
        (json!({"task_status": "failed", "task_error": "reverted"}), "failed: reverted"),
        (json!({"task_status": "failed", "is_accepted": true}), "failed"),
        (json!({"task_status": "error", "task_error": "reverted"}), "failed: reverted"),
        (json!({"task_status": "timed_out"}), "failed"),
        (json!({"task_status": "cancelled"}), "cancelled"),
        (json!({"task_status": "processing", "is_accepted": true}), "running"),
        (json!({"task_status": "processing", "task_error": "reverted"}), "running: reverted"),
        (json!({"task_status": ""}), "running"),
        (json!({"task_status": "mystery"}), "running"),
        (json!({}), "running"),
    ];
    check(rows, |fields| {
        let mut triggerx = speaking(DialectKind::TriggerX, None);
        let frame = json!({"type": "JOB_TASKS_SNAPSHOT", "timestamp": "2026-11-20T17:01:01Z",
            "data": {"job_id": "1", "tasks": [task(fields)]}});
        outcome(&framed(triggerx.as_mut(), &frame.to_string()))
    });
}

#[test]
fn an_event_of_triggerx_ends_a_task_only_by_its_word() {
    let rows: &[(Value, &str)] = &[
        (json!({"new_status": "completed", "old_status": "processing"}), "completed"),
        (json!({"new_status": "failed"}), "failed"),
        (json!({"is_successful": true, "task_number": 42}), "unsaid"),
        (json!({"is_successful": false}), "unsaid"),
        (json!({"new_fee": 0.5, "old_fee": 0}), "unsaid"),
        (json!({"execution_tx_hash": "0x1"}), "unsaid"),
    ];
    check(rows, |changes| {
        let mut triggerx = speaking(DialectKind::TriggerX, None);
        let frame = json!({"type": "TASK_UPDATED", "timestamp": "2026-11-20T17:01:01Z",
            "data": {"task_id": 7, "job_id": "1", "user_id": "system", "changes": changes}});
        outcome(&framed(triggerx.as_mut(), &frame.to_string()))
    });
}

#[test]
fn a_job_of_triggerx_is_what_its_word_and_its_block_say() {
    let rows: &[((&str, Option<bool>), &str)] = &[
        (("pending", None), "queued"),
        (("in-queue", None), "queued"),
        (("running", Some(false)), "running"),
        (("running", Some(true)), "completed"),
        (("completed", Some(false)), "completed"),
        (("failed", Some(true)), "failed"),
        (("deleted", None), "cancelled"),
        (("deleted", Some(true)), "cancelled"),
        (("DELETED", None), "cancelled"),
        (("", Some(true)), "completed"),
        (("", Some(false)), "running"),
        (("", None), "unsaid"),
        (("mystery", None), "unknown:mystery"),
    ];
    check(rows, |(status, completed)| {
        let mut row = json!({"job_data": {"job_id": "1", "job_title": "t", "status": status,
            "chain_status": 0}});
        if let Some(completed) = completed {
            row["time_job_data"] = json!({"is_completed": completed, "is_active": !completed});
        }
        let mut triggerx = speaking(DialectKind::TriggerX, None);
        outcome(&answered(triggerx.as_mut(), "jobs", &[], &json!({"jobs": [row]})))
    });
}
