use jobwatch_core::server::DialectKind;
use serde_json::{Value, json};

use super::{answered, check, outcome, patches};
use crate::support::speaking;

const ARN: &str = "arn:aws:ecs:us-east-1:1:task/default/t1";

/// A stopped task: stopCode, stoppedReason, containers.
fn task(code: &str, reason: &str, containers: &str) -> Value {
    let mut task = json!({"taskArn": ARN, "lastStatus": "STOPPED"});
    if !code.is_empty() {
        task["stopCode"] = json!(code);
    }
    if !reason.is_empty() {
        task["stoppedReason"] = json!(reason);
    }
    if !containers.is_empty() {
        task["containers"] = serde_json::from_str(containers).unwrap();
    }
    task
}

fn described(task: &Value) -> String {
    let mut kecs = speaking(DialectKind::Kecs, None);
    outcome(&answered(kecs.as_mut(), "describe", &["default"], &json!({"tasks": [task]})))
}

const USUAL: &str = "Essential container in task exited";
const EXITED: &str = "EssentialContainerExited";
const NO_CODE: &str = r#"[{"name":"app","lastStatus":"STOPPED"}]"#;
const ZERO: &str = r#"[{"name":"app","lastStatus":"STOPPED","exitCode":0}]"#;
const ONE: &str = r#"[{"name":"app","lastStatus":"STOPPED","exitCode":1}]"#;
const KILLED: &str = r#"[{"name":"app","lastStatus":"STOPPED","exitCode":137}]"#;
const TERMINATED: &str = r#"[{"name":"app","lastStatus":"STOPPED","exitCode":143}]"#;
const OOM: &str =
    r#"[{"name":"app","lastStatus":"STOPPED","exitCode":137,"reason":"OutOfMemoryError: x"}]"#;
const PENDING: &str = r#"[{"name":"app","lastStatus":"PENDING"}]"#;
const NO_IMAGE: &str =
    r#"[{"name":"app","reason":"CannotPullContainerError: pull access denied"}]"#;
const HOST: &str = "Host EC2 (instance i-0abc) terminated.";

#[test]
fn a_stopped_task_is_what_its_code_its_reason_and_its_containers_say() {
    let rows: &[((&str, &str, &str), &str)] = &[
        // It ended by itself.
        (("", "", ""), "completed"),
        (("", "", NO_CODE), "completed"),
        (("", USUAL, NO_CODE), "completed"),
        ((EXITED, USUAL, NO_CODE), "completed"),
        ((EXITED, "", ZERO), "completed"),
        ((EXITED, USUAL, ZERO), "completed"),
        (("", "", ONE), "failed: app exited with code 1"),
        (
            (EXITED, USUAL, ONE),
            "failed: app exited with code 1 (Essential container in task exited)",
        ),
        ((EXITED, "", KILLED), "failed: app exited with code 137"),
        ((EXITED, "", TERMINATED), "failed: app exited with code 143"),
        (
            (EXITED, "OutOfMemoryError: Container killed due to memory usage", OOM),
            "failed: app exited with code 137: OutOfMemoryError: x (OutOfMemoryError: Container killed due to memory usage)",
        ),
        // The host died.
        (("", HOST, PENDING), "failed: Host EC2 (instance i-0abc) terminated."),
        (("", HOST, NO_CODE), "failed: Host EC2 (instance i-0abc) terminated."),
        (("", HOST, ZERO), "failed: Host EC2 (instance i-0abc) terminated."),
        (("", HOST, ""), "failed: Host EC2 (instance i-0abc) terminated."),
        (
            ("SpotInterruption", "", NO_CODE),
            "failed: The task's host was taken back (SpotInterruption)",
        ),
        (
            ("SpotInterruption", "Your Spot Task was interrupted.", ZERO),
            "failed: Your Spot Task was interrupted.",
        ),
        (
            ("TerminationNotice", "", NO_CODE),
            "failed: The task's host was shut down (TerminationNotice)",
        ),
        (
            (
                "",
                "ECS is performing maintenance on the underlying infrastructure hosting the task.",
                NO_CODE,
            ),
            "failed: ECS is performing maintenance on the underlying infrastructure hosting the task.",
        ),
        (
            ("Evicted", "The node was low on resource: memory.", NO_CODE),
            "failed: The node was low on resource: memory.",
        ),
        (("NodeLost", "", ""), "failed: The task was stopped (NodeLost)"),
        (
            (
                "DeadlineExceeded",
                "Pod was active on the node longer than the specified deadline",
                ZERO,
            ),
            "failed: Pod was active on the node longer than the specified deadline",
        ),
        // It never started.
        (("TaskFailedToStart", "", ""), "failed: The task failed to start"),
        (
            ("TaskFailedToStart", "CannotPullContainerError: denied", ""),
            "failed: CannotPullContainerError: denied",
        ),
        (
            ("TaskFailedToStart", "", NO_IMAGE),
            "failed: app: CannotPullContainerError: pull access denied",
        ),
        (("TaskFailedToStart", "", ZERO), "failed: The task failed to start"),
        (
            ("", "CannotPullContainerError: pull access denied", NO_CODE),
            "failed: CannotPullContainerError: pull access denied",
        ),
        (("", "", NO_IMAGE), "failed: app: CannotPullContainerError: pull access denied"),
        (
            ("", "ResourceInitializationError: unable to pull secrets", ""),
            "failed: ResourceInitializationError: unable to pull secrets",
        ),
        // Somebody asked for it.
        (("UserInitiated", "Stopped with Jobwatch", TERMINATED), "cancelled"),
        (("UserInitiated", "", ZERO), "cancelled"),
        (("UserInitiated", "enough", NO_CODE), "cancelled"),
        (("UserInitiated", "Task stopped by user", ONE), "cancelled"),
        (("userinitiated", "", KILLED), "cancelled"),
        (("", "Stopped with Jobwatch", TERMINATED), "cancelled"),
        (("", "Task stopped by user", NO_CODE), "cancelled"),
        (("TaskFailed", "Stopped with Jobwatch", TERMINATED), "cancelled"),
        // The service did.
        (
            (
                "ServiceSchedulerInitiated",
                "Scaling activity initiated by (deployment ecs-svc/1)",
                TERMINATED,
            ),
            "cancelled",
        ),
        (("ServiceSchedulerInitiated", "", ZERO), "cancelled"),
        (("", "Scaling activity initiated by (deployment ecs-svc/1)", NO_CODE), "cancelled"),
        (
            ("ServiceSchedulerInitiated", "Task failed ELB health checks in (elb web)", TERMINATED),
            "failed: app exited with code 143 (Task failed ELB health checks in (elb web))",
        ),
        (
            ("ServiceSchedulerInitiated", "Task failed container health checks", NO_CODE),
            "failed: Task failed container health checks",
        ),
        // KECS of today, which leaves out 0 and takes the reasons of Kubernetes.
        (("", "", r#"[{"name":"app","lastStatus":"STOPPED","reason":"Completed"}]"#), "completed"),
        (
            ("TaskFailed", "Error", r#"[{"name":"app","exitCode":3,"reason":"Error"}]"#),
            "failed: app exited with code 3: Error",
        ),
        (
            ("TaskFailed", "OOMKilled", r#"[{"name":"app","exitCode":137,"reason":"OOMKilled"}]"#),
            "failed: app exited with code 137: OOMKilled",
        ),
        // What nobody can know.
        (("", "no words for it", NO_CODE), "unknown:ended"),
        (("", "no words for it", ZERO), "completed"),
        (("", "no words for it", ONE), "failed: app exited with code 1 (no words for it)"),
        (("SomethingNew", "", NO_CODE), "unknown:ended"),
        (("SomethingNew", "", ZERO), "completed"),
        (("SomethingNew", "", ONE), "failed: app exited with code 1"),
        (("", "", PENDING), "unknown:ended"),
        ((EXITED, "", r#"[{"name":"app","lastStatus":"RUNNING"}]"#), "unknown:ended"),
    ];
    check(rows, |(code, reason, containers)| described(&task(code, reason, containers)));
}

#[test]
fn a_task_that_was_told_to_stop_and_ended_by_its_signal_is_cancelled() {
    let mut told =
        task("TaskFailed", "Error", r#"[{"name":"app","exitCode":143,"reason":"Error"}]"#);
    told["desiredStatus"] = json!("STOPPED");
    assert_eq!(described(&told), "cancelled");
    told["containers"][0]["exitCode"] = json!(1);
    assert_eq!(described(&told), "failed: app exited with code 1: Error");
    told["containers"][0] = json!({"name": "app", "exitCode": 137, "reason": "OOMKilled"});
    told["stoppedReason"] = json!("OOMKilled");
    assert_eq!(described(&told), "failed: app exited with code 137: OOMKilled");
}

#[test]
fn a_task_that_this_program_stopped_is_cancelled_whatever_the_server_calls_it() {
    let mut kecs = speaking(DialectKind::Kecs, None);
    answered(kecs.as_mut(), "stop", &["t1"], &json!({"task": {"taskArn": ARN}}));
    let mut of = |task: &Value| {
        outcome(&answered(kecs.as_mut(), "describe", &["default"], &json!({"tasks": [task]})))
    };
    assert_eq!(of(&task("TaskFailed", "Error", ONE)), "cancelled");
    assert_eq!(of(&task("", "", NO_CODE)), "cancelled");
    // It had ended before it was stopped.
    assert_eq!(of(&task(EXITED, USUAL, ZERO)), "completed");
    assert_eq!(of(&task("SpotInterruption", "", NO_CODE)).split(':').next(), Some("failed"));
}

/// Two containers that disagree, and what the definition says of them.
fn two(code: &str, app: &str, side: &str, app_essential: bool, side_essential: bool) -> String {
    let mut kecs = speaking(DialectKind::Kecs, None);
    let mut task = task(code, "", "");
    task["taskDefinitionArn"] = json!("arn:aws:ecs:us-east-1:1:task-definition/report:7");
    let exit = |name: &str, code: &str| match code.parse::<i64>() {
        Ok(code) => json!({"name": name, "lastStatus": "STOPPED", "exitCode": code}),
        Err(_) => json!({"name": name, "lastStatus": "STOPPED", "exitCode": 137, "reason": code}),
    };
    task["containers"] = json!([exit("app", app), exit("side", side)]);
    let body = json!({"tasks": [task]});
    let first = answered(kecs.as_mut(), "describe", &["default"], &body);
    assert!(patches(&first).is_empty(), "it is asked which container matters: {first:?}");
    let definition = json!({"taskDefinition": {"containerDefinitions": [
        {"name": "app", "essential": app_essential},
        {"name": "side", "essential": side_essential},
    ]}});
    let arn = "arn:aws:ecs:us-east-1:1:task-definition/report:7";
    outcome(&answered(kecs.as_mut(), "definition", &[arn, &task.to_string()], &definition))
}

#[test]
fn of_containers_that_disagree_the_essential_ones_decide() {
    type Row = (&'static str, &'static str, &'static str, bool, bool);
    let rows: &[(Row, &str)] = &[
        ((EXITED, "0", "1", true, false), "completed"),
        ((EXITED, "0", "137", true, false), "completed"),
        ((EXITED, "1", "0", true, false), "failed: app exited with code 1"),
        ((EXITED, "0", "143", true, true), "completed"),
        ((EXITED, "0", "137", true, true), "completed"),
        ((EXITED, "0", "1", true, true), "failed: side exited with code 1"),
        ((EXITED, "143", "0", true, false), "failed: app exited with code 143"),
        (
            (EXITED, "0", "OutOfMemoryError", true, true),
            "failed: side exited with code 137: OutOfMemoryError",
        ),
        (("UserInitiated", "0", "143", true, true), "cancelled"),
        (
            ("SpotInterruption", "0", "143", true, true),
            "failed: The task's host was taken back (SpotInterruption)",
        ),
    ];
    check(rows, |(code, app, side, one, other)| two(code, app, side, *one, *other));
}

#[test]
fn without_the_definition_every_container_counts_as_essential() {
    let rows: &[(&str, &str)] = &[
        (
            r#"[{"name":"app","exitCode":0},{"name":"side","exitCode":1}]"#,
            "failed: side exited with code 1",
        ),
        (
            r#"[{"name":"app","exitCode":0},{"name":"side","exitCode":143}]"#,
            "failed: side exited with code 143",
        ),
        (r#"[{"name":"app","exitCode":0},{"name":"side"}]"#, "completed"),
        (
            r#"[{"name":"app","exitCode":0,"essential":true},{"name":"side","exitCode":1,"essential":false}]"#,
            "completed",
        ),
    ];
    check(rows, |containers| described(&task(EXITED, "", containers)));
    // A server that does not describe definitions is asked once.
    let mut kecs = speaking(DialectKind::Kecs, None);
    let mut task =
        task(EXITED, "", r#"[{"name":"app","exitCode":0},{"name":"side","exitCode":1}]"#);
    task["taskDefinitionArn"] = json!("d");
    let args = ["d", &task.to_string()];
    let ask = crate::support::ask(DialectKind::Kecs, None, "definition", &args);
    let response = jobwatch_core::dialect::FetchResponse {
        status: 500,
        content_type: None,
        body: b"{}".to_vec(),
    };
    assert_eq!(outcome(&kecs.parse(&ask, &response)), "failed: side exited with code 1");
    let again = answered(kecs.as_mut(), "describe", &["default"], &json!({"tasks": [task]}));
    assert_eq!(outcome(&again), "failed: side exited with code 1");
}
