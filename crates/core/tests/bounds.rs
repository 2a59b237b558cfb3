//! What a dialect remembers is bounded, however many names a server makes up.

#![allow(clippy::unwrap_used)]

mod support;

use jobwatch_core::dialect::{Dialect, FetchResponse, Outgoing};
use jobwatch_core::model::Topic;
use jobwatch_core::server::DialectKind;
use serde_json::{Value, json};
use support::{speaking, text};

const NAMES: usize = 200_000;
const AT_ONCE: usize = 10_000;

/// A dialect that remembered all of these names would print more than this.
const LARGEST: usize = 4_000_000;

/// Lets a dialect hear of many names, and looks at all that it holds then.
fn stays_bounded(kind: DialectKind, mut tell: impl FnMut(&mut dyn Dialect, Vec<String>)) {
    let mut dialect = speaking(kind, None);
    dialect.open().unwrap();
    dialect.opened();
    dialect.encode(&Outgoing::Watch(Topic::Everything));
    for from in (0..NAMES).step_by(AT_ONCE) {
        tell(&mut *dialect, (from..from + AT_ONCE).map(|n| format!("name-{n}")).collect());
    }
    let held = format!("{dialect:?}").len();
    assert!(held < LARGEST, "{kind:?} holds {held} bytes of text");
}

fn answer(dialect: &mut dyn Dialect, call: &'static str, args: &[&str], body: &Value) {
    let ask = support::ask(dialect.kind(), Some(&Topic::Everything), call, args);
    let response = FetchResponse {
        status: 200,
        content_type: Some("application/json".to_owned()),
        body: body.to_string().into_bytes(),
    };
    assert!(!dialect.parse(&ask, &response).is_empty(), "the answer is understood");
}

#[test]
fn any_number_of_tasks_and_containers_leave_kecs_bounded() {
    stays_bounded(DialectKind::Kecs, |dialect, names| {
        let tasks: Vec<Value> = names
            .iter()
            .map(|name| {
                json!({
                    "taskArn": format!("arn:aws:ecs:x:1:task/blue/{name}"),
                    "clusterArn": "arn:aws:ecs:x:1:cluster/blue",
                    "lastStatus": "STOPPED",
                    "containers": [{"name": "main", "exitCode": 0}],
                })
            })
            .collect();
        answer(dialect, "describe", &["blue"], &json!({"tasks": tasks}));
        let logs: Vec<Value> =
            names.iter().map(|name| json!({"containerName": name, "message": "x"})).collect();
        let batch = json!({"type": "log_batch", "payload": {"logs": logs}});
        assert!(!dialect.decode(&text(&batch.to_string())).is_empty());
    });
}

#[test]
fn any_number_of_jobs_leave_triggerx_bounded() {
    stays_bounded(DialectKind::TriggerX, |dialect, names| {
        let jobs: Vec<Value> = names
            .iter()
            .map(|name| {
                json!({"job_data": {"job_id": name, "status": "running", "job_title": name}})
            })
            .collect();
        answer(dialect, "jobs-by-key", &[], &json!({"jobs": jobs}));
    });
}

#[test]
fn any_number_of_failed_runs_leave_better_bull_board_bounded() {
    stays_bounded(DialectKind::BullBoard, |dialect, names| {
        let jobs: Vec<Value> = names
            .iter()
            .map(|name| {
                json!({
                    "id": name, "jobId": name, "queue": "mail", "status": "failed", "attempt": 3,
                    "maxAttempts": 3, "finishedAt": "2025-09-26T15:20:03.500Z",
                })
            })
            .collect();
        answer(dialect, "table", &["1", "{\"limit\":100}"], &json!({"jobs": jobs}));
    });
}

#[test]
fn any_number_of_queues_leave_the_analyzer_bounded() {
    stays_bounded(DialectKind::Analyzer, |dialect, names| {
        let queues: Vec<Value> =
            names.iter().map(|name| json!({"name": name, "waiting": 1, "active": 0})).collect();
        answer(dialect, "queues", &[], &json!({"queues": queues}));
    });
}

#[test]
fn any_number_of_jobs_leave_study_buddy_bounded() {
    stays_bounded(DialectKind::StudyBuddy, |dialect, names| {
        dialect.decode(&text(
            r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#,
        ));
        dialect.decode(&text(r#"40/jobs,{"sid":"n"}"#));
        for name in names {
            let event = json!(["job:completed", {"jobId": name, "result": {"pages": 1}}]);
            assert!(!dialect.decode(&text(&format!("42/jobs,{event}"))).is_empty());
        }
    });
}
