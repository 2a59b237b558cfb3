//! The three servers that are built on BullMQ.

use jobwatch_core::dialect::Incoming;
use jobwatch_core::server::DialectKind;
use serde_json::{Value, json};

use super::{answered, check, framed, outcome};
use crate::support::speaking;

const RUN: &str = "01999d2e-7d0c-7b11-8d3a-2f8a1f0e9c11";

fn run(fields: &Value) -> Value {
    let mut row = json!({"id": RUN, "jobId": "42", "queue": "{email}", "name": "send",
        "createdAt": "2025-09-26T15:20:00.123Z", "finishedAt": "2025-09-26T15:20:03.500Z"});
    for (name, value) in fields.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

#[test]
fn a_run_of_better_bull_board_is_what_its_row_says() {
    let rows: &[(Value, &str)] = &[
        (json!({"status": "completed", "result": {"sent": 2}}), "completed"),
        (
            json!({"status": "completed", "result": null, "errorMessage": "first attempt dies"}),
            "completed: first attempt dies",
        ),
        (
            json!({"status": "failed", "errorMessage": "SMTP 550", "attempt": 3, "maxAttempts": 3, "result": null}),
            "failed: SMTP 550",
        ),
        (
            json!({"status": "failed", "errorMessage": "SMTP 550", "attempt": 1, "maxAttempts": 1}),
            "failed: SMTP 550",
        ),
        // A retry that succeeded: the row keeps the word and the error of the attempt before.
        (
            json!({"status": "failed", "errorMessage": "first attempt dies", "result": {"sent": 2}}),
            "completed: first attempt dies",
        ),
        (
            json!({"status": "failed", "errorMessage": "first attempt dies", "result": 0, "attempt": 2, "maxAttempts": 3}),
            "completed: first attempt dies",
        ),
        (
            json!({"status": "failed", "errorMessage": "dies", "result": {}, "finishedAt": null}),
            "failed: dies",
        ),
        // An attempt failed, the job perhaps not.
        (
            json!({"status": "failed", "errorMessage": "x", "attempt": 1, "maxAttempts": 3, "finishedAt": null}),
            "failed retry?: x",
        ),
        (
            json!({"status": "failed", "errorMessage": "x", "attempt": 3, "maxAttempts": 3, "finishedAt": null}),
            "failed: x",
        ),
        (
            json!({"status": "delayed", "errorMessage": "x", "attempt": 1, "maxAttempts": 3, "finishedAt": null}),
            "scheduled: x",
        ),
        (
            json!({"status": "waiting", "errorMessage": "x", "attempt": 1, "maxAttempts": 3, "finishedAt": null}),
            "queued: x",
        ),
        // Somebody stopped it; nobody came back for it.
        (json!({"status": "failed", "errorMessage": "Job cancelled"}), "cancelled: Job cancelled"),
        (
            json!({"status": "failed", "errorMessage": "Job stalled", "result": null}),
            "failed: Job stalled",
        ),
        (json!({"status": "unknown"}), "unknown:ended"),
        // Words of other versions.
        (json!({"status": "COMPLETED"}), "completed"),
        (json!({"status": "succeeded"}), "completed"),
        (json!({"status": "timed_out"}), "failed"),
        (json!({"status": "killed"}), "cancelled"),
        (json!({"status": "waiting-children", "finishedAt": null}), "scheduled"),
        (json!({"status": "prioritized", "finishedAt": null}), "queued"),
        (json!({"status": "paused", "finishedAt": null}), "queued"),
        (json!({"status": "mystery", "finishedAt": null}), "unknown:mystery"),
    ];
    check(rows, |fields| {
        let mut board = speaking(DialectKind::BullBoard, None);
        outcome(&answered(board.as_mut(), "job", &[RUN], &json!({"job": run(fields)})))
    });
}

#[test]
fn a_list_that_hides_results_is_not_believed_about_a_run_that_was_retried() {
    let row = run(&json!({"status": "failed", "errorMessage": "first attempt dies",
        "attempt": 2, "maxAttempts": 3}));
    let list = json!({"jobs": [row], "nextCursor": null});
    let mut board = speaking(DialectKind::BullBoard, None);
    let args = ["1", "{}"];
    let first = answered(board.as_mut(), "table", &args, &list);
    assert!(matches!(first.as_slice(), [Incoming::Follow(_)]), "{first:?}");
    let other = answered(board.as_mut(), "table", &args, &list);
    assert!(matches!(other.as_slice(), [Incoming::Follow(_)]), "before the answer: {other:?}");
    // Where it does not answer the list is believed, so that no failure is lost.
    let mut deaf = speaking(DialectKind::BullBoard, None);
    let last = (0..5).map(|_| outcome(&answered(deaf.as_mut(), "table", &args, &list))).last();
    assert_eq!(last.as_deref(), Some("failed: first attempt dies"));
    let mut whole = row.clone();
    whole["result"] = json!({"sent": 2});
    answered(board.as_mut(), "job", &[RUN], &json!({"job": whole}));
    let then = answered(board.as_mut(), "table", &args, &list);
    assert_eq!(outcome(&then), "completed: first attempt dies");
    // A run of one attempt is what the list says.
    let one =
        run(&json!({"status": "failed", "errorMessage": "x", "attempt": 1, "maxAttempts": 1}));
    let said =
        answered(board.as_mut(), "table", &args, &json!({"jobs": [one], "nextCursor": null}));
    assert_eq!(outcome(&said), "failed: x");
}

fn analyzer_job(fields: &Value) -> Value {
    let mut job = json!({"id": "sim-1", "name": "similarity", "queue": "similarity-operations",
        "createdAt": "2026-11-20T16:54:47.254Z"});
    for (name, value) in fields.as_object().unwrap() {
        job[name] = value.clone();
    }
    job
}

#[test]
fn a_job_of_the_analyzer_is_what_http_says() {
    let end = "2026-11-20T16:55:47.254Z";
    let rows: &[(Value, &str)] = &[
        (
            json!({"status": "completed", "finishedAt": end, "result": {"success": true}}),
            "completed",
        ),
        (json!({"status": "completed", "finishedAt": end, "result": null}), "completed"),
        (
            json!({"status": "failed", "finishedAt": end, "result": {"success": true}, "error": "first attempt dies", "attempts": 2}),
            "completed",
        ),
        (
            json!({"status": "failed", "finishedAt": end, "result": null, "error": "boom", "attempts": 1, "maxAttempts": 1}),
            "failed: boom",
        ),
        (
            json!({"status": "failed", "result": null, "error": "boom", "attempts": 1, "maxAttempts": 3}),
            "failed retry?: boom",
        ),
        (
            json!({"status": "failed", "result": null, "error": "boom", "attempts": 3, "maxAttempts": 3}),
            "failed: boom",
        ),
        (json!({"status": "active", "progress": 100}), "running"),
        (json!({"status": "waiting", "remainingTime": 59974}), "scheduled"),
        (json!({"status": "waiting"}), "queued"),
        (json!({"status": "delayed"}), "scheduled"),
        (json!({"status": "paused"}), "queued"),
        (json!({"status": "COMPLETED", "finishedAt": end, "result": {}}), "completed"),
        (
            json!({"status": "error", "finishedAt": end, "result": null, "error": "x", "attempts": 1}),
            "failed: x",
        ),
        (json!({"status": "timed_out", "finishedAt": end, "attempts": 1}), "failed"),
        (json!({"status": "aborted", "finishedAt": end}), "cancelled"),
        (json!({"status": "skipped", "finishedAt": end}), "cancelled"),
        (json!({"status": "mystery"}), "unknown:mystery"),
    ];
    check(rows, |fields| {
        let mut analyzer = speaking(DialectKind::Analyzer, None);
        outcome(&answered(analyzer.as_mut(), "job", &["sim-1"], &analyzer_job(fields)))
    });
}

#[test]
fn an_event_of_the_analyzer_is_what_it_is_called() {
    let rows: &[(&str, &str)] = &[
        (r#""job-completed",{"jobId":"a","queue":"q","result":{}}"#, "completed"),
        (
            r#""job-failed",{"jobId":"a","queue":"q","error":"boom","attempts":1,"maxAttempts":1}"#,
            "failed: boom",
        ),
        (
            r#""job-failed",{"jobId":"a","queue":"q","error":"[object Object]","failedReason":"boom"}"#,
            "failed: boom",
        ),
        (r#""job-progress",{"jobId":"a","queue":"q","progress":100}"#, "running"),
        (r#""job-progress",{"jobId":"a","queue":"q","progress":{"percent":40}}"#, "running"),
        (
            r#""job-progress",{"jobId":"a","queue":"q","progress":1,"status":"mystery"}"#,
            "unknown:mystery",
        ),
    ];
    check(rows, |event| {
        let mut analyzer = speaking(DialectKind::Analyzer, None);
        analyzer.open().unwrap();
        framed(analyzer.as_mut(), r#"0{"sid":"s","pingInterval":25000,"pingTimeout":20000}"#);
        framed(analyzer.as_mut(), r#"40{"sid":"s"}"#);
        outcome(&framed(analyzer.as_mut(), &format!("42[{event}]")))
    });
}

#[test]
fn a_job_of_study_buddy_is_what_its_row_says() {
    let rows: &[(Value, &str)] = &[
        (json!({"status": "completed", "finishedAt": "2026-11-20T16:57:51.485Z"}), "completed"),
        (
            json!({"status": "completed", "failedReason": "first attempt dies", "failedAt": "2026-11-20T16:57:50Z"}),
            "completed",
        ),
        (
            json!({"status": "failed", "failedReason": "Object not found"}),
            "failed: Object not found",
        ),
        (json!({"status": "waiting"}), "queued"),
        (json!({"status": "paused"}), "queued"),
        (json!({"status": "delayed"}), "scheduled"),
        (json!({"status": "generating_notes", "progress": 100}), "running"),
        (json!({"status": "extracting"}), "running"),
        (json!({"status": "SUCCEEDED"}), "completed"),
        (json!({"status": "crashed", "failedReason": "x"}), "failed: x"),
        (json!({"status": "canceled"}), "cancelled"),
        (json!({"status": "mystery"}), "unknown:mystery"),
    ];
    check(rows, |fields| {
        let mut job = json!({"jobId": "101", "name": "process-pdf", "queueName": "pdf"});
        for (name, value) in fields.as_object().unwrap() {
            job[name] = value.clone();
        }
        let mut buddy = speaking(DialectKind::StudyBuddy, None);
        let body = json!({"success": true, "count": 1, "jobs": [job]});
        outcome(&answered(buddy.as_mut(), "named", &[], &body))
    });
}
