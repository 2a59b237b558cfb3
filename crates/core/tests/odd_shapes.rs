//! A frame of a known type whose payload has an odd shape means something all the same, or leaves a
//! diagnostic: nothing that a server says is lost without a word.

#![allow(clippy::unwrap_used)]

mod support;

use jobwatch_core::dialect::{Dialect, Frame, Incoming, Outgoing};
use jobwatch_core::model::{Topic, Update};
use jobwatch_core::notify::Tone;
use jobwatch_core::server::DialectKind;
use serde_json::{Value, json};
use support::speaking;

/// What a payload can be instead of what it should be. `None`: it is missing.
fn shapes() -> Vec<Option<Value>> {
    let all = [
        json!(null),
        json!(7),
        json!(true),
        json!(""),
        json!("x"),
        json!([1]),
        json!(["x"]),
        json!([[]]),
        json!([null]),
        json!({}),
        json!({"x": 1}),
        json!({"data": "x"}),
        json!([{"x": "y"}]),
    ];
    all.into_iter().map(Some).chain([None]).collect()
}

/// Opened and greeted, watching one job and one queue: a hint that concerns every list is no answer
/// to a frame that should name something.
fn working(kind: DialectKind) -> Box<dyn Dialect> {
    let mut dialect = speaking(kind, Some("a-long-key"));
    dialect.open().unwrap();
    dialect.opened();
    let greeting: &[&str] = match kind {
        DialectKind::Analyzer | DialectKind::StudyBuddy => &[
            r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#,
            r#"40{"sid":"n"}"#,
            r#"40/jobs,{"sid":"n"}"#,
            r#"40/job-progress,{"sid":"n"}"#,
        ],
        _ => &[r#"{"type":"PONG"}"#],
    };
    for frame in greeting {
        dialect.decode(&Frame::Text((*frame).to_owned()));
    }
    for topic in [Topic::Job("1".into()), Topic::Queue("mail".to_owned())] {
        dialect.encode(&Outgoing::Watch(topic));
    }
    dialect
}

/// Every frame type of a dialect that carries something.
fn types(kind: DialectKind) -> &'static [&'static str] {
    match kind {
        DialectKind::TriggerX => &[
            "JOB_TASKS_SNAPSHOT",
            "TASK_UPDATED",
            "TASK_STATUS_CHANGED",
            "TASK_FEE_UPDATED",
            "TASK_CREATED",
            "SUCCESS",
            "ERROR",
        ],
        DialectKind::Kecs => &[
            "log_entry",
            "log_batch",
            "log_history",
            "metric_update",
            "metric_batch",
            "historical_data",
            "task_status_changed",
            "task_update",
            "task_batch_update",
            "initial_tasks",
            "service_updated",
            "cluster_updated",
            "notification",
            "notification_history",
            "notification_update",
            "subscribed",
            "error",
            "stream_error",
        ],
        DialectKind::BullBoard => &[
            "job-refresh",
            "queue-refresh",
            "job-scheduler-refresh",
            "single-job-scheduler-refresh",
            "single-job-refresh",
            "single-queue-refresh",
            "job-log-refresh",
            "log-refresh",
        ],
        DialectKind::Analyzer => &[
            "job-progress",
            "job-completed",
            "job-failed",
            "job-queue-to-start",
            "subscription-success",
            "subscription-error",
            "exception",
            "error",
        ],
        DialectKind::StudyBuddy => &[
            "job:progress",
            "job:update",
            "job:completed",
            "job:error",
            "job:failed",
            "job:notes:chunk",
            "exception",
            "error",
        ],
        // A dialect whose frames have no types.
        _ => &[],
    }
}

fn frame(kind: DialectKind, name: &str, payload: Option<&Value>) -> String {
    match kind {
        DialectKind::Analyzer | DialectKind::StudyBuddy => {
            let event: Vec<Value> = std::iter::once(json!(name)).chain(payload.cloned()).collect();
            format!("42{}", Value::from(event))
        }
        DialectKind::Kecs => match payload {
            Some(payload) => json!({"type": name, "payload": payload}).to_string(),
            None => json!({"type": name}).to_string(),
        },
        _ => match payload {
            Some(data) => json!({"type": name, "data": data}).to_string(),
            None => json!({"type": name}).to_string(),
        },
    }
}

/// What is no list of anything, as Go writes it, is an empty one.
fn is_empty_list(name: &str, payload: Option<&Value>) -> bool {
    let lists = ["log_batch", "log_history", "metric_batch", "historical_data"];
    let more = ["task_batch_update", "initial_tasks", "notification_history"];
    payload == Some(&Value::Null) && lists.iter().chain(&more).any(|list| *list == name)
}

fn vanishing(kind: DialectKind) -> Vec<String> {
    let mut vanished = Vec::new();
    for name in types(kind) {
        for payload in shapes() {
            let text = frame(kind, name, payload.as_ref());
            let heard = working(kind).decode(&Frame::Text(text.clone()));
            if heard.is_empty() && !is_empty_list(name, payload.as_ref()) {
                vanished.push(text);
            }
        }
    }
    vanished
}

#[test]
fn no_frame_of_triggerx_vanishes_for_the_shape_of_its_payload() {
    assert_eq!(vanishing(DialectKind::TriggerX), [""; 0]);
}

#[test]
fn no_frame_of_kecs_vanishes_for_the_shape_of_its_payload() {
    assert_eq!(vanishing(DialectKind::Kecs), [""; 0]);
}

#[test]
fn no_frame_of_better_bull_board_vanishes_for_the_shape_of_its_payload() {
    assert_eq!(vanishing(DialectKind::BullBoard), [""; 0]);
}

#[test]
fn no_frame_of_the_analyzer_vanishes_for_the_shape_of_its_payload() {
    assert_eq!(vanishing(DialectKind::Analyzer), [""; 0]);
}

#[test]
fn no_frame_of_study_buddy_vanishes_for_the_shape_of_its_payload() {
    assert_eq!(vanishing(DialectKind::StudyBuddy), [""; 0]);
}

fn kecs(frame: &Value) -> Vec<Incoming> {
    working(DialectKind::Kecs).decode(&Frame::Text(frame.to_string()))
}

#[test]
fn a_log_entry_that_is_a_bare_string_is_a_line_of_the_task_that_is_watched() {
    for payload in [json!("starting"), json!(["starting"]), json!({"logs": "starting"})] {
        let heard = kecs(&json!({"type": "log_entry", "payload": payload}));
        let [Incoming::Update(Update::Log { job, lines })] = &*heard else { panic!("{heard:?}") };
        assert_eq!((job.as_str(), lines.get(0).unwrap().text), ("1", "starting"));
    }
}

#[test]
fn a_list_that_is_empty_is_not_odd() {
    for frame in [
        json!({"type": "log_batch", "payload": []}),
        json!({"type": "log_history", "payload": {"logs": null}}),
        json!({"type": "metric_update", "payload": {"resourceId": "1", "metrics": {}}}),
        json!({"type": "historical_data", "payload": {"cpu": {"points": []}}}),
        json!({"type": "notification_history", "payload": {"notifications": []}}),
        json!({"type": "initial_tasks", "payload": {"tasks": []}}),
    ] {
        assert_eq!(kecs(&frame), [], "{frame}");
    }
    for data in [json!({"job_id": "1", "tasks": []}), json!({"job_id": "1", "tasks": null})] {
        let frame = json!({"type": "JOB_TASKS_SNAPSHOT", "data": data}).to_string();
        assert_eq!(working(DialectKind::TriggerX).decode(&Frame::Text(frame)), []);
    }
}

#[test]
fn what_is_odd_in_a_list_does_not_take_the_rest_with_it() {
    let heard = kecs(&json!({"type": "metric_batch", "payload": ["x", {"cpu": 1.5}]}));
    let [Incoming::Unknown(odd), Incoming::Update(Update::Metric(cpu))] = &*heard else {
        panic!("{heard:?}")
    };
    assert_eq!((odd.kind, odd.sample.as_deref(), cpu.value), ("wrong-shape", Some("\"x\""), 1.5));
    let tasks = json!([7, {"task_id": 8, "task_status": "failed"}, {"task_status": "failed"}]);
    let frame = json!({"type": "JOB_TASKS_SNAPSHOT", "data": {"job_id": "1", "tasks": tasks}});
    let heard = working(DialectKind::TriggerX).decode(&Frame::Text(frame.to_string()));
    let [Incoming::Update(Update::Job(task)), Incoming::Unknown(odd)] = &*heard else {
        panic!("{heard:?}")
    };
    assert_eq!(task.id.as_ref().unwrap().as_str(), "task:8");
    assert_eq!(odd.text, "2 of the tasks in a snapshot have no id.");
}

#[test]
fn a_notification_sounds_as_serious_as_it_says_it_is() {
    for (word, tone) in [
        ("success", Tone::Good),
        ("warning", Tone::Warn),
        ("warn", Tone::Warn),
        ("error", Tone::Bad),
        ("critical", Tone::Bad),
        ("info", Tone::Plain),
        ("deployment", Tone::Plain),
    ] {
        for name in ["type", "level", "severity"] {
            let payload = json!({"title": "Deploy", name: word});
            let heard = kecs(&json!({"type": "notification", "payload": payload}));
            let [Incoming::Update(Update::Notice(notice))] = &*heard else { panic!("{heard:?}") };
            assert_eq!(notice.tone, tone, "{name} {word}");
        }
    }
}

#[test]
fn an_update_says_that_a_notification_was_read() {
    for payload in [
        json!({"id": "n1", "read": true}),
        json!({"notificationId": "n1", "isRead": true}),
        json!({"id": "n1", "changes": {"read": true}}),
        json!({"id": "n1", "status": "read"}),
        json!({"id": "n1", "readAt": "2026-01-02T03:04:05Z"}),
        json!([{"id": "n1", "dismissed": true}]),
    ] {
        let heard = kecs(&json!({"type": "notification_update", "payload": payload}));
        let [Incoming::Update(Update::NoticeRead(id))] = &*heard else {
            panic!("{payload}: {heard:?}")
        };
        assert_eq!(id, "n1");
    }
    let pinned = json!({"type": "notification_update", "payload": {"id": "n1", "read": false}});
    assert_eq!(kecs(&pinned), []);
}
