//! Each misbehaviour does what it says, and healing ends it.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use jobwatch_core::server::DialectKind::{self, Analyzer, BullBoard, Kecs, StudyBuddy, TriggerX};
use jobwatch_demo::{ApiFault, Demo, Faults, Flood, Garbage, Ports, UpgradeFault};
use reqwest::Method;
use serde_json::{Value, json};
use support::{Client, End, call, eventually, job, quiet};
use tokio_tungstenite::tungstenite::Message;

const SIO: &str = "/socket.io/?EIO=4&transport=websocket";

async fn kecs(demo: &Demo) -> Client {
    let before = demo.control(Kecs).counters().sockets;
    let client = Client::open(demo, Kecs, "/ws").await;
    eventually("the socket opening", || demo.control(Kecs).counters().sockets == before + 1).await;
    client
}

#[tokio::test]
async fn upgrades_are_refused_left_hanging_or_dropped() {
    let demo = quiet().await;
    let control = demo.control(Kecs);
    for status in [401, 403, 429, 503] {
        let refusal = UpgradeFault::Status { status, retry_after: Some(7) };
        control.change_faults(|faults| faults.upgrade = Some(refusal));
        assert_eq!(Client::with(&demo, Kecs, "/ws", &[]).await.err().unwrap().0, status);
    }
    control.change_faults(|faults| faults.upgrade = Some(UpgradeFault::Drop));
    assert_eq!(Client::open(&demo, Kecs, "/ws").await.end().await, End::Dropped);
    control.change_faults(|faults| faults.upgrade = Some(UpgradeFault::Never));
    let never = Client::with(&demo, Kecs, "/ws", &[]);
    assert!(tokio::time::timeout(Duration::from_millis(300), never).await.is_err());
    assert_eq!(control.counters().upgrades, 6);
    control.heal().await;
    kecs(&demo).await;
}

#[tokio::test]
async fn a_port_refuses_connections_and_listens_again_where_it_was() {
    let demo = quiet().await;
    let control = demo.control(BullBoard);
    let mut client = Client::open(&demo, BullBoard, "/").await;
    let ports = demo.ports(BullBoard);
    control.refuse(Ports::Socket).await;
    assert_eq!(client.end().await, End::Dropped);
    assert_eq!(Client::with(&demo, BullBoard, "/", &[]).await.err().unwrap().0, 0);
    let http = call(&demo, BullBoard, 1, Method::GET, "/health", &[], None).await;
    assert_eq!(http.status, 200, "the other port goes on");
    control.listen(Ports::All).await;
    Client::open(&demo, BullBoard, "/").await;
    assert_eq!(demo.ports(BullBoard), ports);
}

#[tokio::test]
async fn over_http_a_port_comes_back_by_itself_or_through_a_neighbour() {
    let demo = quiet().await;
    let body = Some(json!({"ports": "all"}));
    let path = "/__demo/refuse";
    let answer = call(&demo, Kecs, 0, Method::POST, path, &[], body).await;
    assert_eq!(answer.text, r#"{"ok":true}"#);
    let port = demo.ports(Kecs)[0];
    let deadline = Instant::now() + support::PATIENCE;
    while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let neighbour = "/__demo/kecs/heal";
    assert_eq!(call(&demo, TriggerX, 0, Method::POST, neighbour, &[], None).await.status, 200);
    kecs(&demo).await;
}

#[tokio::test]
async fn sockets_are_dropped_kicked_or_dropped_before_http() {
    let demo = quiet().await;
    let control = demo.control(Kecs);
    let mut client = kecs(&demo).await;
    control.drop_sockets();
    assert_eq!(client.end().await, End::Dropped);
    let mut client = kecs(&demo).await;
    control.kick();
    assert_eq!(client.end().await, End::Closed(Some(1000)));
    let mut client = Client::open(&demo, Analyzer, SIO).await;
    client.text().await;
    client.send("40").await;
    client.until(|text| text.contains("connected")).await;
    demo.control(Analyzer).kick();
    assert_eq!(client.text().await, "41");
    assert_eq!(client.end().await, End::Closed(None));
    control.set_faults(Faults { drop_tcp: true, ..Faults::default() });
    assert_eq!(Client::with(&demo, Kecs, "/ws", &[]).await.err().unwrap().0, 0);
}

#[tokio::test]
async fn a_stalled_socket_is_silent_until_healed_and_then_goes_on() {
    let demo = quiet().await;
    let control = demo.control(Kecs);
    let mut client = kecs(&demo).await;
    control.set_faults(Faults { stall: true, ..Faults::default() });
    let id = control.start_job(job("a"));
    client.send(r#"{"type":"ping"}"#).await;
    client.ping().await;
    assert!(client.silent_for(Duration::from_millis(300)).await, "not even a pong");
    control.heal().await;
    client.until(|text| text.contains("\"pong\"")).await;
    control.complete(&id, None);
    client.until(|text| text.contains("STOPPED")).await;
}

#[tokio::test]
async fn the_api_answers_errors_html_late_or_never() {
    let demo = quiet().await;
    let control = demo.control(TriggerX);
    let get = || call(&demo, TriggerX, 0, Method::GET, "/api/health", &[], None);
    let api = |api: ApiFault| control.set_faults(Faults { api: Some(api), ..Faults::default() });
    api(ApiFault { status: Some(429), retry_after: Some(3), ..ApiFault::default() });
    let limited = get().await;
    assert_eq!((limited.status, limited.headers["retry-after"].to_str().unwrap()), (429, "3"));
    api(ApiFault::html(502));
    let html = get().await;
    assert_eq!(html.status, 502);
    assert_eq!(html.headers["content-type"], "text/html; charset=utf-8");
    api(ApiFault { delay_ms: Some(300), ..ApiFault::default() });
    let began = Instant::now();
    assert_eq!(get().await.status, 200);
    assert!(began.elapsed() >= Duration::from_millis(300));
    api(ApiFault { never: true, ..ApiFault::default() });
    assert!(tokio::time::timeout(Duration::from_millis(300), get()).await.is_err());
    let state = call(&demo, TriggerX, 0, Method::GET, "/__demo/counters", &[], None).await;
    assert_eq!(state.json()["requests"]["GET /api/health"], 4, "commands are never refused");
}

#[tokio::test]
async fn garbage_of_every_kind_reaches_the_wire() {
    let demo = quiet().await;
    let control = demo.control(Kecs);
    let mut client = kecs(&demo).await;
    control.send_garbage(&Garbage::InvalidJson);
    assert!(serde_json::from_str::<Value>(&client.text().await).is_err());
    client.until(|text| text.starts_with("42[")).await;
    control.send_garbage(&Garbage::WrongShapes);
    client.until(|text| text == "[]\n").await;
    control.send_garbage(&Garbage::UnknownTypes);
    client.until(|text| text.contains("task_teleported") && text.contains("17")).await;
    control.send_garbage(&Garbage::Binary);
    assert!(matches!(client.frame().await, Message::Binary(_)));
    control.send_garbage(&Garbage::Huge(3 << 20));
    assert!(client.text().await.len() > 3 << 20);
    control.send_text("exactly this");
    assert_eq!(client.text().await, "exactly this");
    control.send_garbage(&Garbage::InvalidUtf8);
    assert_eq!(client.end().await, End::Dropped, "a conforming client hangs up");
    for kind in DialectKind::ALL {
        demo.control(kind).send_garbage(&Garbage::All);
    }
}

#[tokio::test]
async fn frames_are_doubled_swapped_and_lost() {
    let demo = quiet().await;
    let control = demo.control(Kecs);
    let mut client = kecs(&demo).await;
    control.set_faults(Faults { duplicate: true, ..Faults::default() });
    control.send_text("a");
    assert_eq!((client.text().await, client.text().await), ("a".into(), "a".into()));
    control.set_faults(Faults { reorder: true, ..Faults::default() });
    control.send_text("1");
    control.send_text("2");
    assert_eq!((client.text().await, client.text().await), ("2".into(), "1".into()));
    control.set_faults(Faults { lose_every: Some(2), ..Faults::default() });
    for n in 0..10 {
        control.send_text(&n.to_string());
    }
    let seen = client.until(|text| text >= "8").await;
    assert_eq!(seen.len(), 5, "{seen:?}");
}

#[tokio::test]
async fn a_reordered_frame_without_a_successor_still_arrives() {
    let demo = quiet().await;
    let control = demo.control(Kecs);
    let mut client = kecs(&demo).await;
    control.set_faults(Faults { reorder: true, ..Faults::default() });
    control.send_text("alone");
    assert_eq!(client.text().await, "alone");
}

#[tokio::test]
async fn a_flood_of_frames_keeps_its_rate() {
    let demo = quiet().await;
    let control = demo.control(BullBoard);
    let _ = control.start_job(job("r"));
    let mut client = Client::open(&demo, BullBoard, "/").await;
    eventually("the socket opening", || control.counters().sockets == 1).await;
    let began = Instant::now();
    control.flood(Flood { count: 1_000, per_second: 2_000, job: None, batch: 1 });
    let mut seen = 0;
    while seen < 1_000 {
        let text = client.text().await;
        seen += usize::from(text.contains("single-job-refresh"));
    }
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
}

#[tokio::test]
async fn jobs_are_commanded_over_http_as_well() {
    let demo = quiet().await;
    let command = |verb: &'static str, body: Value| {
        let demo = &demo;
        async move {
            let path = format!("/__demo/{verb}");
            call(demo, StudyBuddy, 0, Method::POST, &path, &[], Some(body)).await
        }
    };
    let started = command("start", json!({"id": "7", "name": "n", "max_attempts": 2})).await;
    assert_eq!(started.text, r#"{"id":"7"}"#);
    command("progress", json!({"id": "7", "progress": 33})).await;
    let state = command("state", json!({})).await.json();
    assert_eq!(state["jobs"][0]["state"], "running");
    assert_eq!(state["jobs"][0]["progress"], 33.0);
    command("fail", json!({"id": "7", "error": "no luck"})).await;
    let state = command("state", json!({})).await.json();
    assert_eq!(
        (&state["jobs"][0]["state"], &state["jobs"][0]["error"]),
        (&json!("failed"), &json!("no luck"))
    );
    assert_eq!(command("cancel", json!({"id": "8"})).await.status, 404);
    assert_eq!(command("fail", json!({"id": "7"})).await.status, 400);
    assert_eq!(command("nonsense", json!({"id": "7"})).await.status, 404);
    command("faults", json!({"upgrade": {"status": {"status": 503, "retry_after": 2}}})).await;
    assert_eq!(Client::with(&demo, StudyBuddy, SIO, &[]).await.err().unwrap().0, 503);
    assert_eq!(command("faults", json!({"upgraed": null})).await.status, 400, "typos are told");
}
