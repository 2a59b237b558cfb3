//! Better Bull Board, fact by fact.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use jobwatch_core::model::Level;
use jobwatch_core::server::DialectKind::BullBoard;
use jobwatch_demo::{Demo, DemoOptions, Generation, JobSpec};
use reqwest::Method;
use serde_json::{Value, json};
use support::{Client, call, job, quiet, start};

const RUN: &str = "01999d2e-7d0c-7b11-8d3a-2f8a1f0e9c11";
const BEARER: &[(&str, &str)] = &[("authorization", "Bearer demo-key")];

async fn post(demo: &Demo, path: &str, body: Value) -> support::Answer {
    call(demo, BullBoard, 1, Method::POST, path, BEARER, Some(body)).await
}

fn email() -> JobSpec {
    JobSpec {
        external_id: Some("42".into()),
        queue: Some("{email}".into()),
        name: Some("send".into()),
        ..job(RUN)
    }
}

#[tokio::test]
async fn hints_carry_one_key_and_identical_ones_are_throttled_with_a_trailing_one() {
    let demo = quiet().await;
    let control = demo.control(BullBoard);
    let mut client = Client::open(&demo, BullBoard, "/any/path?at=all").await;
    support::eventually("the socket opening", || control.counters().sockets == 1).await;
    let id = control.start_job(email());
    let frames = client.until(|text| text.contains("single-queue-refresh")).await;
    let scheduler = |text: &&String| !text.contains("scheduler");
    assert_eq!(
        frames.iter().filter(scheduler).collect::<Vec<_>>(),
        [
            r#"{"type":"job-refresh","data":{"id":"1"}}"#,
            &format!(r#"{{"type":"single-job-refresh","data":{{"jobId":"{RUN}"}}}}"#),
            r#"{"type":"queue-refresh","data":{"queueName":"1"}}"#,
            r#"{"type":"single-queue-refresh","data":{"queueName":"{email}"}}"#,
        ]
    );
    let began = tokio::time::Instant::now();
    for n in 0..3 {
        control.log(&id, Level::Info, &format!("line {n}"));
    }
    let hint = format!(r#"{{"type":"job-log-refresh","data":{{"jobId":"{RUN}"}}}}"#);
    client.until(|text| text == hint).await;
    let rest = client.until(|text| text == hint).await;
    let waited = began.elapsed();
    assert!(waited >= Duration::from_millis(900), "the trailing hint came after {waited:?}");
    assert_eq!(rest.iter().filter(|text| **text == hint).count(), 1);
}

#[tokio::test]
async fn whatever_a_client_says_is_ignored_and_pings_are_answered() {
    let demo = quiet().await;
    let mut client = Client::open(&demo, BullBoard, "/").await;
    client.send("garbage {").await;
    client.ping().await;
    loop {
        let frame = client.frame().await;
        if frame.is_pong() {
            break;
        }
        assert!(frame.is_text(), "{frame:?}");
    }
    let plain = call(&demo, BullBoard, 0, Method::GET, "/", &[], None).await;
    assert_eq!(plain.status, 426);
}

#[tokio::test]
async fn the_list_has_iso_times_and_the_detail_numbers() {
    let demo = quiet().await;
    let control = demo.control(BullBoard);
    let id = control.start_job(JobSpec { stack: Some("at send".into()), ..email() });
    control.fail(&id, "SMTP 550", Some("at send"));
    let table = post(&demo, "/api/jobs/table", json!({})).await;
    assert!(
        table.text.starts_with(&format!(
            r#"{{"jobs":[{{"id":"{RUN}","jobId":"42","queue":"{{email}}","name":"send","status":"failed","attempt":1,"maxAttempts":1,"createdAt":"20"#
        )),
        "{}",
        table.text
    );
    assert!(table.text.ends_with(r#""errorMessage":"SMTP 550","tags":["email","prod"]}],"nextCursor":null,"prevCursor":null}"#));
    let path = format!("/api/jobs/{RUN}");
    let detail = call(&demo, BullBoard, 1, Method::GET, &path, BEARER, None).await.json();
    assert!(detail["job"]["createdAt"].is_i64() && detail["job"]["finishedAt"].is_i64());
    assert_eq!(detail["job"]["errorStack"], "at send");
    let unknown = call(&demo, BullBoard, 1, Method::GET, "/api/jobs/x", BEARER, None).await;
    assert_eq!(unknown.status, 500);
    assert!(unknown.text.starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn pages_follow_one_another_by_cursor() {
    let demo = quiet().await;
    let control = demo.control(BullBoard);
    for n in 0..45 {
        let _ = control.start_job(job(&format!("run-{n:02}")));
    }
    let (mut seen, mut body) = (Vec::new(), json!({ "limit": 20 }));
    loop {
        let page = post(&demo, "/api/jobs/table", body.clone()).await.json();
        for row in page["jobs"].as_array().unwrap() {
            seen.push(row["id"].as_str().unwrap().to_owned());
        }
        if page["nextCursor"].is_null() {
            break;
        }
        body = json!({ "limit": 20, "cursor": page["nextCursor"], "cursorDirection": "next" });
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 45);
}

#[tokio::test]
async fn cancelling_takes_the_bullmq_id_marks_the_run_failed_and_publishes_nothing() {
    let demo = quiet().await;
    let control = demo.control(BullBoard);
    let id = control.start_job(email());
    let mut client = Client::open(&demo, BullBoard, "/").await;
    support::eventually("the socket opening", || control.counters().sockets == 1).await;
    // The hints of the start are over when their trailing ones are.
    while !client.silent_for(Duration::from_millis(1300)).await {}
    let target = json!({"jobId": "42", "queueName": "{email}"});
    let extra = json!({"jobId": "42", "queueName": "{email}", "why": "x"});
    assert_eq!(post(&demo, "/api/jobs/cancel", extra).await.status, 400);
    let cancelled = post(&demo, "/api/jobs/cancel", target).await;
    assert_eq!(
        cancelled.text,
        r#"{"success":true,"message":"Job 42 has been cancelled successfully"}"#
    );
    let row = &post(&demo, "/api/jobs/table", json!({})).await.json()["jobs"][0];
    assert_eq!((&row["status"], &row["errorMessage"]), (&json!("failed"), &json!("Job cancelled")));
    assert_eq!(support::truth(&control, &id)["state"], "cancelled");
    assert!(client.silent_for(Duration::from_millis(300)).await);
}

#[tokio::test]
async fn the_application_wants_a_token_and_validates_bodies() {
    let demo = quiet().await;
    let control = demo.control(BullBoard);
    let id = control.start_job(email());
    control.log(&id, Level::Debug, "first");
    control.log(&id, Level::Error, "second");
    let anonymous =
        call(&demo, BullBoard, 1, Method::POST, "/api/jobs/table", &[], Some(json!({}))).await;
    assert_eq!(
        (anonymous.status, anonymous.text.as_str()),
        (401, r#"{"error":"Authentication required"}"#)
    );
    let cookie: &[(&str, &str)] = &[("cookie", "a=b; bbb-token=demo-key")];
    let body = Some(json!({"days": 1}));
    let stats = call(&demo, BullBoard, 1, Method::POST, "/api/jobs/stats", cookie, body).await;
    assert_eq!(stats.text, r#"{"active":1,"completed":0,"failed":0}"#);
    let invalid = post(&demo, "/api/jobs/stats", json!({})).await;
    assert_eq!(invalid.status, 400);
    let text = invalid.json()["error"].as_str().unwrap().to_owned();
    assert!(serde_json::from_str::<Value>(&text).unwrap().is_array());
    let logs = post(&demo, "/api/jobs/logs", json!({"id": RUN, "offset": 1})).await.json();
    assert_eq!((&logs["total"], &logs["logs"][0]["message"]), (&json!(2), &json!("second")));
    assert!(logs["logs"][0]["ts"].is_i64());
    let wrong = json!({"email": "a@example.org", "password": "b"});
    let login = call(&demo, BullBoard, 1, Method::POST, "/api/auth/login", &[], Some(wrong)).await;
    assert_eq!(login.status, 401);
}

#[tokio::test]
async fn the_documented_generation_greets_and_has_four_types() {
    let demo = start(DemoOptions {
        life: false,
        generation: Generation::Documented,
        ..DemoOptions::default()
    })
    .await;
    let control = demo.control(BullBoard);
    let mut client = Client::open(&demo, BullBoard, "/").await;
    assert_eq!(client.text().await, r#"{"type":"job-refresh","data":{"id":"connected"}}"#);
    let id = control.start_job(email());
    control.log(&id, Level::Info, "x");
    let frames = client.until(|text| text.contains("log-refresh")).await;
    assert!(frames.contains(&r#"{"type":"job-refresh","data":{"jobId":"42"}}"#.to_owned()));
    assert!(
        frames.contains(&r#"{"type":"queue-refresh","data":{"queueName":"{email}"}}"#.to_owned())
    );
    assert_eq!(frames.last().unwrap(), r#"{"type":"log-refresh","data":{"jobId":"42"}}"#);
}
