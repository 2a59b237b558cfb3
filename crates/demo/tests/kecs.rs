//! KECS, fact by fact.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use jobwatch_core::model::Level;
use jobwatch_core::server::DialectKind::Kecs;
use jobwatch_demo::{Demo, DemoOptions, Flood, Generation, JobSpec};
use reqwest::Method;
use serde_json::{Value, json};
use support::{Client, End, call, job, quiet, start};

async fn ecs(demo: &Demo, action: &str, body: Value) -> support::Answer {
    call(demo, Kecs, 0, Method::POST, &format!("/v1/{action}"), &[], Some(body)).await
}

#[tokio::test]
async fn replies_echo_id_and_payload_in_the_servers_key_order() {
    let demo = quiet().await;
    let mut client = Client::open(&demo, Kecs, "/ws/logs?follow=true").await;
    client
        .send(
            r#"{"type":"subscribe","id":"s1","payload":{"resourceType":"task","resourceId":"a"}}"#,
        )
        .await;
    let text = client.text().await;
    assert!(text.starts_with(r#"{"type":"subscribed","payload":{"resource"#), "{text}");
    assert!(text.contains(r#"},"id":"s1","timestamp":""#) && text.ends_with("\"}\n"), "{text}");
    client.send(r#"{"type":"subscribe","id":"s2"}"#).await;
    client.send(r#"{"type":"request_history","id":"h"}"#).await;
    client.send(r#"{"type":"ping","id":"p"}"#).await;
    assert_eq!(client.json().await["id"], "p", "the two before it get no answer at all");
    client.send(r#"{"type":"authenticate","id":"a1","payload":{"token":"t"}}"#).await;
    assert_eq!(client.json().await["payload"]["message"], "Authentication not required");
    client.send("nonsense").await;
    assert_eq!(client.end().await, End::Dropped);
}

#[tokio::test]
async fn an_unknown_origin_is_forbidden_and_unknown_paths_are_not_sockets() {
    let demo = quiet().await;
    let refused = Client::with(&demo, Kecs, "/ws", &[("origin", "tauri://localhost")]).await;
    assert_eq!(refused.err().unwrap(), (403, "Forbidden".to_owned()));
    Client::with(&demo, Kecs, "/ws", &[("origin", "http://localhost:5173")]).await.ok().unwrap();
    assert_eq!(demo.control(Kecs).counters().with_origin, 2);
    let elsewhere = Client::with(&demo, Kecs, "/socket", &[]).await.err().unwrap();
    assert_eq!(elsewhere.0, 400);
    assert!(elsewhere.1.contains("MissingAction"));
}

#[tokio::test]
async fn everybody_hears_states_logs_metrics_and_notifications() {
    let demo = quiet().await;
    let control = demo.control(Kecs);
    let mut client = Client::open(&demo, Kecs, "/ws").await;
    support::eventually("the socket opening", || control.counters().sockets == 1).await;
    let id = control.start_job(job("abc123"));
    let frames = client.until(|text| text.contains("RUNNING\",\"taskArn")).await;
    assert!(frames[0].contains(r#""type":"task_status_changed","payload":{"account":"#));
    assert!(frames[0].contains(r#""resourceType":"task","resourceId":"abc123"}"#));
    control.log(&id, Level::Warn, "disk is slow");
    let entry = client.json().await;
    assert_eq!(entry["type"], "log_entry");
    assert_eq!(entry["payload"]["message"], "disk is slow");
    assert_eq!(
        (&entry["payload"]["level"], &entry["payload"]["taskId"]),
        (&json!("warn"), &json!("abc123"))
    );
    control.fail(&id, "exit 1", None);
    let frames = client.until(|text| text.contains("\"notification\"")).await;
    assert!(frames[0].contains("STOPPED"));
    let task = ecs(&demo, "DescribeTasks", json!({"cluster":"default","tasks":["abc123","zz"]}))
        .await
        .json();
    assert_eq!(task["tasks"][0]["lastStatus"], "STOPPED");
    assert_eq!(task["tasks"][0]["containers"][0]["exitCode"], 1);
    assert_eq!(
        task["failures"],
        json!([{"arn":"zz","reason":"MISSING","detail":"Task not found"}])
    );
}

#[tokio::test]
async fn filters_drop_what_they_do_not_name() {
    let demo = quiet().await;
    let control = demo.control(Kecs);
    let id = control.start_job(job("abc123"));
    let mut client = Client::open(&demo, Kecs, "/ws").await;
    client.send(r#"{"type":"setFilters","id":"f","payload":[{"resourceIds":["abc123"]}]}"#).await;
    assert_eq!(client.json().await["type"], "filtersSet");
    control.log(&id, Level::Info, "no resource fields, so no filter lets it through");
    control.complete(&id, None);
    assert_eq!(client.json().await["type"], "task_status_changed");
}

#[tokio::test]
async fn no_tasks_is_an_empty_object_and_full_pages_carry_a_token() {
    let demo = quiet().await;
    let control = demo.control(Kecs);
    assert_eq!(ecs(&demo, "ListTasks", json!({"cluster":"default"})).await.text, "{}");
    for n in 0..100 {
        let _ = control.start_job(job(&format!("task{n:03}")));
    }
    let page = ecs(&demo, "ListTasks", json!({"cluster":"default"})).await;
    assert_eq!(page.headers["content-type"], "application/x-amz-json-1.1");
    let page = page.json();
    assert_eq!(page["taskArns"].as_array().unwrap().len(), 100);
    let next = json!({"cluster":"default","nextToken":page["nextToken"]});
    assert_eq!(ecs(&demo, "ListTasks", next).await.text, "{}");
    let unknown = ecs(&demo, "ListTasks", json!({"cluster":"x"})).await;
    assert_eq!(
        (unknown.status, unknown.text.as_str()),
        (500, r#"{"__type":"InternalError","message":"cluster not found: x"}"#)
    );
    let stopped =
        ecs(&demo, "StopTask", json!({"cluster":"default","task":"task001"})).await.json();
    assert_eq!(stopped["task"]["stopCode"], "UserInitiated");
    assert_eq!(support::truth(&control, "task001")["state"], "cancelled");
}

#[tokio::test]
async fn logs_are_served_by_both_http_apis_and_null_when_there_are_none() {
    let demo = quiet().await;
    let control = demo.control(Kecs);
    let id = control.start_job(JobSpec { external_id: Some("web".into()), ..job("t1") });
    let path = "/api/tasks/t1/containers/web/logs?cluster=default&region=us-east-1";
    let none = call(&demo, Kecs, 1, Method::GET, path, &[], None).await;
    assert_eq!(none.text, r#"{"logs":null,"totalCount":0,"limit":100,"offset":0}"#);
    control.log(&id, Level::Error, "boom");
    let one = call(&demo, Kecs, 1, Method::GET, path, &[], None).await.json();
    assert_eq!(one["logs"][0]["log_line"], "boom");
    assert_eq!(one["logs"][0]["log_level"], "ERROR");
    let body =
        json!({"cluster":"default","taskArn":"arn:aws:ecs:us-east-1:000000000000:task/default/t1"});
    assert_eq!(ecs(&demo, "GetTaskLogs", body).await.json()["logs"][0]["message"], "boom");
}

#[tokio::test]
async fn fifty_thousand_lines_a_second_arrive_whole_and_in_order() {
    let demo = quiet().await;
    let control = demo.control(Kecs);
    let id = control.start_job(job("noisy"));
    let mut client = Client::open(&demo, Kecs, "/ws").await;
    support::eventually("the socket opening", || control.counters().sockets == 1).await;
    control.flood(Flood { count: 50_000, per_second: 50_000, job: Some(id), batch: 100 });
    let mut next = 0;
    while next < 50_000 {
        let batch = client.json().await;
        assert_eq!(batch["type"], "log_batch");
        for line in batch["payload"].as_array().unwrap() {
            assert!(line["message"].as_str().unwrap().starts_with(&format!("flood line {next}:")));
            next += 1;
        }
    }
    assert_eq!(control.counters().flooded_lines, 50_000);
    assert_eq!(control.counters().frames_skipped, 0);
}

#[tokio::test]
async fn the_documented_generation_sends_task_updates_and_history() {
    let options =
        DemoOptions { life: false, generation: Generation::Documented, ..DemoOptions::default() };
    let demo = start(options).await;
    let control = demo.control(Kecs);
    let id = control.start_job(job("t1"));
    control.log(&id, Level::Info, "one");
    let mut client = Client::open(&demo, Kecs, "/ws").await;
    client.send(r#"{"type":"request_history","id":"h","payload":{"taskId":"t1"}}"#).await;
    let history = client.json().await;
    assert_eq!(
        (&history["type"], &history["payload"][0]["message"]),
        (&json!("log_history"), &json!("one"))
    );
    control.complete(&id, None);
    let update = client.json().await;
    assert_eq!(update["type"], "task_update");
    assert_eq!(update["payload"]["updateType"], "status_changed");
    assert_eq!(update["payload"]["task"]["lastStatus"], "STOPPED");
    client
        .send(r#"{"type":"subscribe","payload":{"resourceType":"task","resourceId":"t1"}}"#)
        .await;
    assert!(client.silent_for(Duration::from_millis(200)).await, "it logs them and says nothing");
}
