//! TriggerX, fact by fact.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use jobwatch_core::server::DialectKind::TriggerX;
use jobwatch_demo::{DemoOptions, Generation, JobSpec};
use reqwest::Method;
use serde_json::json;
use support::{Client, End, call, job, quiet, start};

const URL: &str = "/api/ws/tasks?api_key=demo-key";
const KEY: &[(&str, &str)] = &[("x-api-key", "demo-key")];

async fn get(demo: &jobwatch_demo::Demo, path: &str) -> support::Answer {
    call(demo, TriggerX, 0, Method::GET, path, KEY, None).await
}

#[tokio::test]
async fn the_key_is_checked_before_the_upgrade_and_refused_with_plain_401() {
    let demo = quiet().await;
    let without = Client::with(&demo, TriggerX, "/api/ws/tasks", &[]).await.err().unwrap();
    assert_eq!(without.0, 401);
    assert_eq!(
        without.1,
        r#"{"error":"API key is required for WebSocket connection","code":"AUTHENTICATION_FAILED"}"#
    );
    let wrong = Client::with(&demo, TriggerX, "/api/ws/tasks?api_key=x", &[]).await.err().unwrap();
    assert_eq!(
        wrong,
        (401, r#"{"error":"Invalid or inactive API key","code":"AUTHENTICATION_FAILED"}"#.into())
    );
    Client::with(&demo, TriggerX, "/api/ws/tasks", KEY).await.ok().unwrap();
    assert_eq!(demo.control(TriggerX).counters().bad_auth, 2);
}

#[tokio::test]
async fn every_frame_ends_with_a_newline_and_subscribing_sends_a_snapshot() {
    let demo = quiet().await;
    let control = demo.control(TriggerX);
    let id = control.start_job(JobSpec { parent: Some("job:123".into()), ..job("7") });
    assert_eq!(id, "7");
    let mut client = Client::open(&demo, TriggerX, URL).await;
    client.send(r#"{"type":"SUBSCRIBE","request_id":"r","data":{"room":"job:123"}}"#).await;
    let success = client.text().await;
    assert!(
        success.starts_with(
            r#"{"type":"SUCCESS","data":{"message":"Subscribed to room","data":{"room":"job:123"}},"timestamp":""#
        ),
        "{success}"
    );
    assert!(success.ends_with("Z\"}\n") && !success.contains("request_id"), "{success:?}");
    let snapshot = client.text().await;
    assert!(
        snapshot.starts_with(
            r#"{"type":"JOB_TASKS_SNAPSHOT","data":{"job_id":"123","tasks":[{"task_id":7,"task_number":0,"task_opx_cost":"#
        ),
        "{snapshot}"
    );
    assert!(snapshot.contains(r#""task_attester_ids":null,"task_status":"processing","task_error":"","is_accepted":false,"tx_url":""#));
    client.send(r#"{"type":"SUBSCRIBE","data":{"room":"job:9"}}"#).await;
    client.text().await;
    assert_eq!(client.json().await["data"], json!({"job_id":"9","tasks":[]}));
}

#[tokio::test]
async fn only_task_updated_is_ever_pushed_and_never_the_end_of_a_task() {
    let demo = quiet().await;
    let control = demo.control(TriggerX);
    let mut client = Client::open(&demo, TriggerX, URL).await;
    client.send(r#"{"type":"SUBSCRIBE","data":{"room":"job:5"}}"#).await;
    client.text().await;
    client.text().await;
    let _ = control.start_job(JobSpec { parent: Some("5".into()), ..job("70") });
    let created = client.json().await;
    assert_eq!(created["type"], "TASK_UPDATED");
    assert_eq!(created["data"]["task_id"], 70);
    assert_eq!(created["data"]["user_id"], "system");
    assert!(created["data"]["changes"]["created_at"].is_string());
    assert!(client.json().await["data"]["changes"]["execution_tx_hash"].is_string());
    assert!(control.complete("task:70", None));
    assert!(client.silent_for(Duration::from_millis(300)).await);
    let tasks = get(&demo, "/api/tasks/job/5").await.json();
    assert_eq!(tasks[0]["task_status"], "completed");
}

#[tokio::test]
async fn the_documented_generation_announces_the_end_by_type() {
    let options =
        DemoOptions { life: false, generation: Generation::Documented, ..DemoOptions::default() };
    let demo = start(options).await;
    let control = demo.control(TriggerX);
    let mut client = Client::open(&demo, TriggerX, URL).await;
    client.send(r#"{"type":"SUBSCRIBE","data":{"room":"job:5"}}"#).await;
    client.until(|text| text.contains("SNAPSHOT")).await;
    let id = control.start_job(JobSpec { parent: Some("5".into()), ..job("70") });
    control.fail(&id, "execution reverted", None);
    let frames = client.until(|text| text.contains("TASK_FEE_UPDATED")).await;
    let types: Vec<String> = frames
        .iter()
        .map(|text| serde_json::from_str::<serde_json::Value>(text).unwrap()["type"].to_string())
        .filter(|kind| kind.contains("TASK_") && !kind.contains("JOB_"))
        .collect();
    assert_eq!(
        types,
        [
            r#""TASK_CREATED""#,
            r#""TASK_UPDATED""#,
            r#""TASK_STATUS_CHANGED""#,
            r#""TASK_FEE_UPDATED""#
        ]
    );
    assert!(frames.iter().any(|text| text.contains(r#""task_error":"execution reverted""#)));
}

#[tokio::test]
async fn wrong_frames_get_the_documented_errors_and_bad_json_drops_the_socket() {
    let demo = quiet().await;
    let mut client = Client::open(&demo, TriggerX, URL).await;
    for (sent, code) in [
        (r#"{"type":"subscribe"}"#, "INVALID_MESSAGE_TYPE"),
        (r#"{"type":"SUBSCRIBE","data":{}}"#, "INVALID_SUBSCRIPTION_DATA"),
        (r#"{"type":"UNSUBSCRIBE"}"#, "INVALID_UNSUBSCRIPTION_DATA"),
        (r#"{"type":"SUBSCRIBE","data":{"room":"stock:1"}}"#, "INVALID_ROOM"),
        (r#"{"type":"SUBSCRIBE","data":{"room":"user:x","user_id":"x"}}"#, "ACCESS_DENIED"),
    ] {
        client.send(sent).await;
        assert_eq!(client.json().await["data"]["code"], code, "{sent}");
    }
    client.send(r#"{"type":"PING"}"#).await;
    let pong = client.text().await;
    assert!(pong.starts_with(r#"{"type":"PONG","timestamp":""#), "{pong}");
    client.send("{oops").await;
    assert_eq!(client.end().await, End::Dropped);
}

#[tokio::test]
async fn a_frame_over_512_bytes_closes_with_1009() {
    let demo = quiet().await;
    let mut client = Client::open(&demo, TriggerX, URL).await;
    client.send(&"x".repeat(513)).await;
    assert_eq!(client.end().await, End::Closed(Some(1009)));
}

#[tokio::test]
async fn a_client_that_does_not_answer_pings_is_dropped() {
    let demo = start(DemoOptions {
        life: false,
        ping_interval: Some(Duration::from_millis(100)),
        ping_timeout: Some(Duration::from_millis(200)),
        ..DemoOptions::default()
    })
    .await;
    let mut client = Client::open(&demo, TriggerX, URL).await;
    support::eventually("the socket opening", || demo.control(TriggerX).counters().sockets == 1)
        .await;
    // Not reading means not answering.
    support::eventually("the drop", || demo.control(TriggerX).counters().sockets == 0).await;
    assert_eq!(client.end().await, End::Dropped);
}

#[tokio::test]
async fn http_answers_as_the_server_does() {
    let demo = quiet().await;
    let control = demo.control(TriggerX);
    let id = control.start_job(JobSpec { parent: Some("5".into()), ..job("70") });
    control.fail(&id, "execution reverted", None);
    let missing = get(&demo, "/api/tasks/job/777").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.text, r#"{"error":"No tasks found for this job","code":"TASKS_NOT_FOUND"}"#);
    assert_eq!(get(&demo, "/api/tasks/job/abc").await.status, 400);
    let task = get(&demo, "/api/tasks/70").await.json();
    assert_eq!((&task["task_status"], &task["job_id"]), (&json!("failed"), &json!("5")));
    assert_eq!(task["task_error"], "execution reverted");
    let user = &demo.servers()[0].0.options["user"];
    let jobs = get(&demo, &format!("/api/jobs/user/{user}")).await.json();
    let five = jobs["jobs"].as_array().unwrap().iter().find(|j| j["job_data"]["job_id"] == "5");
    assert_eq!(five.unwrap()["job_data"]["status"], "completed");
    let nobody = get(&demo, "/api/jobs/user/0xnobody").await;
    assert_eq!(nobody.text, r#"{"message":"No jobs found for this user","jobs":[]}"#);
    let bare = call(&demo, TriggerX, 0, Method::GET, "/api/tasks/recent", &[], None).await;
    assert_eq!((bare.status, bare.text.as_str()), (401, r#"{"error":"API key is required"}"#));
    assert!(bare.headers.contains_key("x-trace-id"));
    let path = "/api/jobs/delete/5";
    let gone = call(&demo, TriggerX, 0, Method::PUT, path, KEY, None).await;
    assert_eq!(gone.text, r#"{"message":"Job deleted successfully"}"#);
    let job = get(&demo, &format!("/api/jobs/user/{user}/5")).await.json();
    assert_eq!(job["status"], "deleted");
}
