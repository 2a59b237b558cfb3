//! AI Study Buddy and the analyzer, fact by fact.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use jobwatch_core::server::DialectKind::{Analyzer, StudyBuddy};
use jobwatch_demo::{Demo, DemoOptions, Generation, JobSpec};
use reqwest::Method;
use serde_json::{Value, json};
use support::{Client, End, call, job, quiet, start};

const URL: &str = "/socket.io/?EIO=4&transport=websocket";
const COOKIE: &[(&str, &str)] = &[("cookie", "theme=dark; access_token=demo-key")];
const API_KEY: &[(&str, &str)] = &[("x-api-key", "demo-key")];

async fn buddy(demo: &Demo) -> Client {
    let mut client = Client::with(demo, StudyBuddy, URL, COOKIE).await.ok().unwrap();
    client.text().await;
    client.send("40/jobs,").await;
    assert!(client.text().await.starts_with(r#"40/jobs,{"sid":""#));
    client
}

async fn analyzer(demo: &Demo) -> Client {
    let mut client = Client::open(demo, Analyzer, URL).await;
    client.text().await;
    client.send("40").await;
    assert!(client.text().await.starts_with(r#"40{"sid":""#));
    let connected = client.text().await;
    assert!(
        connected.starts_with(
            r#"42["connected",{"message":"Connected to job progress updates","clientId":""#
        ),
        "{connected}"
    );
    client
}

fn body(frame: &str) -> Value {
    serde_json::from_str::<Value>(&frame[frame.find('[').unwrap()..]).unwrap()[1].clone()
}

#[tokio::test]
async fn the_engine_greets_with_each_servers_limits_and_only_speaks_websocket() {
    let demo = quiet().await;
    for (kind, limit) in [(StudyBuddy, 65_536), (Analyzer, 1_000_000)] {
        let mut client = Client::open(&demo, kind, URL).await;
        let open = client.text().await;
        let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        assert_eq!(open["sid"].as_str().unwrap().len(), 20);
        assert_eq!(open["upgrades"], json!([]));
        assert_eq!((&open["pingInterval"], &open["pingTimeout"]), (&json!(25000), &json!(20000)));
        assert_eq!(open["maxPayload"], limit);
        let path = "/socket.io/?EIO=4&transport=polling";
        let polling = call(&demo, kind, 0, Method::GET, path, &[], None).await;
        assert_eq!(
            (polling.status, polling.text.as_str()),
            (400, r#"{"code":0,"message":"Transport unknown"}"#)
        );
    }
    let mut client = Client::open(&demo, StudyBuddy, URL).await;
    client.send(&"4".repeat(65_537)).await;
    assert_eq!(client.end().await, End::Closed(Some(1009)));
}

#[tokio::test]
async fn the_engine_pings_and_closes_who_does_not_answer() {
    let demo = start(DemoOptions {
        life: false,
        ping_interval: Some(Duration::from_millis(100)),
        ping_timeout: Some(Duration::from_millis(300)),
        ..DemoOptions::default()
    })
    .await;
    let mut client = Client::open(&demo, Analyzer, URL).await;
    client.text().await;
    client.send("40").await;
    for _ in 0..3 {
        client.until(|text| text == "2").await;
        client.send("3").await;
    }
    assert_eq!(client.until(|text| text == "2").await.len(), 1);
    assert_eq!(client.end().await, End::Closed(None), "clients see 1005");
}

#[tokio::test]
async fn study_buddy_takes_the_cookie_alone_and_at_most_five_sockets() {
    let demo = quiet().await;
    let mut client = Client::with(&demo, StudyBuddy, URL, &[("authorization", "Bearer demo-key")])
        .await
        .ok()
        .unwrap();
    client.text().await;
    client.send(r#"40/jobs,{"token":"demo-key"}"#).await;
    assert_eq!(client.text().await, r#"44/jobs,{"message":"Authentication failed"}"#);
    client.send("40").await;
    assert!(client.text().await.starts_with(r#"40{"sid":""#), "the root lets everybody in");
    client.send(r#"420["subscribe:jobs",{"jobId":"1"}]"#).await;
    assert!(client.silent_for(Duration::from_millis(150)).await);
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(buddy(&demo).await);
    }
    let mut sixth = Client::with(&demo, StudyBuddy, URL, COOKIE).await.ok().unwrap();
    sixth.text().await;
    sixth.send("40/jobs,").await;
    assert_eq!(sixth.text().await, r#"44/jobs,{"message":"Authentication failed"}"#);
}

#[tokio::test]
async fn study_buddy_acknowledges_and_replays_the_last_progress_first() {
    let demo = quiet().await;
    let control = demo.control(StudyBuddy);
    let id = control.start_job(job("101"));
    control.set_progress(&id, 66.0, Some("caching"));
    let mut client = buddy(&demo).await;
    client.send(r#"42/jobs,0["subscribe:jobs",{"jobId":"101"}]"#).await;
    let cached = client.text().await;
    assert!(
        cached.starts_with(
            r#"42/jobs,["job:progress",{"jobId":"101","status":"in_progress","progress":66,"message":"caching","timestamp":""#
        ),
        "{cached}"
    );
    assert_eq!(
        client.text().await,
        r#"43/jobs,0[{"success":true,"room":"job:101","message":"Subscribed to job updates"}]"#
    );
    for (sent, answer) in [
        (
            r#"42/jobs,1["subscribe:jobs",{"jobId":"nope"}]"#,
            r#"43/jobs,1[{"success":false,"message":"Forbidden"}]"#,
        ),
        (
            r#"42/jobs,2["subscribe:jobs"]"#,
            r#"43/jobs,2[{"success":true,"room":"user:u1","message":"Already subscribed to user updates"}]"#,
        ),
        (
            r#"42/jobs,5["unsubscribe:jobs",{"jobId":"999"}]"#,
            r#"43/jobs,5[{"success":true,"room":"job:999"}]"#,
        ),
        (r#"42/jobs,6["unsubscribe:jobs"]"#, r#"43/jobs,6[{"success":true}]"#),
    ] {
        client.send(sent).await;
        assert_eq!(client.text().await, answer);
    }
}

#[tokio::test]
async fn study_buddy_says_everything_twice_to_a_socket_in_both_rooms() {
    let demo = quiet().await;
    let control = demo.control(StudyBuddy);
    let id =
        control.start_job(JobSpec { max_attempts: Some(2), backoff_ms: Some(100), ..job("101") });
    let mut client = buddy(&demo).await;
    client.send(r#"42/jobs,0["subscribe:jobs",{"jobId":"101"}]"#).await;
    client.until(|text| text.starts_with("43")).await;
    control.fail_attempt(&id, "Failed to download PDF: Object not found");
    let error = client.text().await;
    assert!(
        error.starts_with(
            r#"42/jobs,["job:error",{"jobId":"101","status":"failed","error":"[object Object]","timestamp":""#
        ),
        "{error}"
    );
    assert_eq!(client.text().await, error);
    let again = client.text().await;
    assert!(again.starts_with(
        r#"42/jobs,["job:progress",{"jobId":"101","progress":0,"status":"processing","message":"Starting optimized processing""#
    ), "{again}");
    client.text().await;
    control.complete(&id, None);
    let mut ends = Vec::new();
    for _ in 0..4 {
        ends.push(body(&client.text().await));
    }
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[2], ends[3]);
    assert_eq!(ends[0]["result"]["noteId"], ends[2]["result"]["noteId"]);
    assert!(ends[0]["result"]["fileName"].is_string() && ends[2]["result"]["fileName"].is_null());
}

#[tokio::test]
async fn study_buddy_kicks_who_sends_too_much() {
    let demo = quiet().await;
    let mut client = buddy(&demo).await;
    for _ in 0..32 {
        client.send(r#"42/jobs,["hello"]"#).await;
    }
    assert_eq!(client.text().await, "41/jobs,");
    assert_eq!(client.end().await, End::Closed(None));
}

#[tokio::test]
async fn study_buddy_http_tells_the_reason_and_lags_behind_the_event() {
    let demo = quiet().await;
    let control = demo.control(StudyBuddy);
    let id = control.start_job(job("101"));
    control.complete(&id, None);
    let get = |path: &'static str, headers: &'static [(&'static str, &'static str)]| {
        call(&demo, StudyBuddy, 0, Method::GET, path, headers, None)
    };
    let early = get("/jobs/101", COOKIE).await.json();
    assert_eq!(early["job"]["status"], "processing");
    let id = control.start_job(job("102"));
    control.fail(&id, "Object not found", None);
    let bearer: &[(&str, &str)] = &[("authorization", "Bearer demo-key")];
    let failed = get("/jobs/102", bearer).await.json();
    assert_eq!((&failed["success"], &failed["job"]["status"]), (&json!(true), &json!("failed")));
    assert_eq!(failed["job"]["failedReason"], "Object not found");
    let list = get("/jobs/user/me?limit=1", COOKIE).await.json();
    assert_eq!((&list["count"], &list["jobs"][0]["jobId"]), (&json!(1), &json!("102")));
    let anonymous = get("/jobs/101", &[]).await;
    assert_eq!((anonymous.status, &anonymous.json()["statusCode"]), (401, &json!(401)));
    let missing = get("/jobs/zzz", COOKIE).await;
    assert_eq!((missing.status, &missing.json()["message"]), (404, &json!("Job not found")));
}

#[tokio::test]
async fn the_analyzer_never_acknowledges_and_says_some_things_twice() {
    let demo = quiet().await;
    let control = demo.control(Analyzer);
    let id =
        control.start_job(JobSpec { queue: Some("similarity-operations".into()), ..job("sim-1") });
    let mut client = analyzer(&demo).await;
    client.send(r#"420["subscribe-to-job",{"jobId":"sim-1"}]"#).await;
    client.send(r#"42["subscribe-to-queue",{"queueName":"x"}]"#).await;
    client.send(r#"42["subscribe-to-job",null]"#).await;
    assert_eq!(
        client.text().await,
        r#"42["exception",{"status":"error","message":"Internal server error","cause":{"pattern":"subscribe-to-job","data":null}}]"#,
        "the two before it get no answer"
    );
    control.set_progress(&id, 42.5, None);
    let progress = client.text().await;
    assert!(progress.starts_with(
        r#"42["job-progress",{"jobId":"sim-1","queue":"similarity-operations","progress":42.5,"timestamp":1"#
    ), "{progress}");
    assert_eq!(client.text().await, progress);
    control.complete(&id, Some(json!({"pairs": []})));
    let done = client.text().await;
    assert!(done.starts_with(
        r#"42["job-completed",{"jobId":"sim-1","queue":"similarity-operations","result":{"pairs":[]},"processingTime":"#
    ), "{done}");
    assert!(body(&done)["totalTime"].is_i64());
}

#[tokio::test]
async fn the_analyzer_reports_failures_only_when_attempts_are_spent() {
    let demo = quiet().await;
    let control = demo.control(Analyzer);
    let mut client = analyzer(&demo).await;
    client.send(r#"42["subscribe-to-job",{"jobId":"sim-2"}]"#).await;
    // There is no answer to wait for, so the server is asked what it has heard: `40` and this.
    support::eventually("the subscription", || control.counters().frames_in == 2).await;
    let id =
        control.start_job(JobSpec { max_attempts: Some(2), backoff_ms: Some(50), ..job("sim-2") });
    client.until(|text| text.contains("job-queue-to-start")).await;
    control.fail_attempt(&id, "first");
    client.until(|text| text.contains("job-queue-to-start")).await;
    control.fail_attempt(&id, "second");
    let failed = client.text().await;
    assert!(
        failed.contains(r#""error":"second","attempts":2,"maxAttempts":2,"timestamp":1"#),
        "{failed}"
    );
}

#[tokio::test]
async fn the_analyzer_refuses_the_documented_namespace_and_hangs_up_on_nonsense() {
    let demo = quiet().await;
    let mut client = Client::open(&demo, Analyzer, URL).await;
    client.text().await;
    client.send("40/job-progress,").await;
    assert_eq!(client.text().await, r#"44/job-progress,{"message":"Invalid namespace"}"#);
    client.send(r#"42["subscribe-to-job",{"jobId":"x"}]"#).await;
    assert_eq!(client.end().await, End::Closed(None));
    let mut client = Client::open(&demo, Analyzer, URL).await;
    client.text().await;
    client.send("hello").await;
    assert_eq!(client.end().await, End::Closed(None));
}

#[tokio::test]
async fn the_analyzers_http_has_its_quirks() {
    let demo = quiet().await;
    let control = demo.control(Analyzer);
    let id =
        control.start_job(JobSpec { max_attempts: Some(2), backoff_ms: Some(1), ..job("sim-1") });
    control.fail_attempt(&id, "first attempt dies");
    support::eventually("the retry", || support::truth(&control, "sim-1")["attempt"] == 2).await;
    control.complete(&id, Some(json!({"success": true})));
    let api = |method, path: String, headers: &'static [(&'static str, &'static str)]| {
        let demo = &demo;
        async move { call(demo, Analyzer, 0, method, &path, headers, None).await }
    };
    let job = api(Method::GET, "/api/v1/jobs/sim-1".into(), API_KEY).await.json();
    assert_eq!((&job["status"], &job["error"]), (&json!("failed"), &json!("first attempt dies")));
    assert_eq!(job["result"], json!({"success": true}));
    assert!(job["finishedAt"].is_string());
    let bearer: &[(&str, &str)] = &[("authorization", "Bearer demo-key")];
    let refused = api(Method::GET, "/api/v1/jobs".into(), bearer).await;
    assert_eq!(
        (refused.status, refused.text.as_str()),
        (401, r#"{"message":"API key is missing.","error":"Unauthorized","statusCode":401}"#)
    );
    let missing = api(Method::GET, "/api/v1/jobs/nope".into(), API_KEY).await;
    assert_eq!(
        missing.text,
        r#"{"message":"Job with ID nope not found in any queue","error":"Not Found","statusCode":404}"#
    );
    let list = "/api/v1/jobs/queue/similarity-operations/jobs?status=completed";
    let page = api(Method::GET, list.into(), API_KEY).await;
    assert!(
        page.text.starts_with(r#"{"jobs":[{"id":"sim-1","#)
            && page.text.ends_with(r#""total":1,"limit":10,"offset":0}"#),
        "{}",
        page.text
    );
    let page = api(Method::GET, format!("{list}&offset=1"), API_KEY).await;
    assert_eq!(page.text, r#"{"jobs":[],"total":0,"limit":10,"offset":"1"}"#);
    let running = control.start_job(support::job("r"));
    let waiting = control.start_job(JobSpec { start_after_ms: Some(60_000), ..support::job("w") });
    let active = api(Method::DELETE, format!("/api/v1/jobs/{running}"), API_KEY).await;
    assert_eq!(active.text, r#"{"statusCode":500,"message":"Internal server error"}"#);
    let gone = api(Method::DELETE, format!("/api/v1/jobs/{waiting}"), API_KEY).await;
    assert_eq!(gone.text, r#"{"success":true,"message":"Job w was successfully cancelled."}"#);
    assert_eq!(api(Method::GET, "/api/v1/jobs/w".into(), API_KEY).await.status, 404);
    let submitted = api(Method::POST, "/api/v1/jobs/wallets/sync".into(), API_KEY).await;
    assert_eq!((submitted.status, &submitted.json()["status"]), (202, &json!("queued")));
}

#[tokio::test]
async fn the_documented_analyzer_confirms_and_knows_queues() {
    let demo = start(DemoOptions {
        life: false,
        generation: Generation::Documented,
        ..DemoOptions::default()
    })
    .await;
    assert_eq!(demo.servers()[2].0.namespace.as_deref(), Some("/job-progress"));
    let control = demo.control(Analyzer);
    let mut client = Client::open(&demo, Analyzer, URL).await;
    client.text().await;
    client.send("40/job-progress,").await;
    client.until(|text| text.contains("connected")).await;
    client.send(r#"42/job-progress,["subscribe-to-queue",{"queueName":"q"}]"#).await;
    assert!(client.text().await.starts_with(r#"42/job-progress,["subscription-success",{"#));
    let id = control.start_job(JobSpec { queue: Some("q".into()), ..job("j") });
    control.fail(&id, "no", None);
    assert_eq!(
        client.text().await,
        r#"42/job-progress,["job-failed",{"jobId":"j","error":"no","failedReason":"no"}]"#
    );
}
