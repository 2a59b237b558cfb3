//! Better Bull Board: hints and answers in, updates out; what is asked.

#![allow(clippy::unwrap_used)]

mod support;

use jobwatch_core::dialect::{
    ActionKind, Dialect, FetchResponse, Frame, Incoming, Keepalive, Outgoing, dialect,
};
use jobwatch_core::model::{Job, JobState, Source, Topic};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, KeyPlacement, Server};
use serde_json::{Value, json};
use support::{server, show_request};

const RUN: &str = "01999d2e-7d0c-7b11-8d3a-2f8a1f0e9c11";

fn local() -> Server {
    server(DialectKind::BullBoard, "ws://127.0.0.1:8081")
}

fn build(key: Option<&str>) -> Box<dyn Dialect> {
    dialect(&local(), key.map(|key| Secret::new(key.to_owned()))).unwrap()
}

fn asked(dialect: &dyn Dialect, topic: &str) -> Vec<Value> {
    dialect.fetch(&Topic::parse(topic).unwrap()).iter().map(show_request).collect()
}

fn post(path: &str, body: Value) -> Value {
    json!([format!("Post http://127.0.0.1:3000/api/{path}"), body])
}

#[test]
fn hints_and_answers_become_the_expected_updates() {
    support::run(DialectKind::BullBoard, "bull_board");
}

#[test]
fn json_that_is_not_quite_json_means_the_same() {
    support::run_spoilt(DialectKind::BullBoard, "bull_board");
}

#[test]
fn the_socket_takes_no_key_and_the_api_a_bearer_token() {
    let mut dialect = build(Some("jwt"));
    let open = dialect.open().unwrap();
    assert_eq!(open.address.expose().as_str(), "ws://127.0.0.1:8081/");
    assert!(open.headers.is_empty());
    let request = &dialect.fetch(&Topic::Everything)[0];
    assert_eq!(request.headers[0].name, "Authorization");
    assert_eq!(request.headers[0].value.expose(), "Bearer jwt");
}

#[test]
fn the_api_takes_the_key_as_the_cookie_that_its_login_sets_as_well() {
    let cookie = KeyPlacement::Cookie { name: "bbb-token".to_owned() };
    let server = Server { key: Some(cookie), ..local() };
    let mut dialect = dialect(&server, Some(Secret::new("jwt".to_owned()))).unwrap();
    let request = dialect.fetch(&Topic::Everything).remove(0);
    for headers in [&request.headers, &dialect.open().unwrap().headers] {
        assert_eq!(headers[0].name, "Cookie");
        assert_eq!(headers[0].value.expose(), "bbb-token=jwt");
    }
}

#[test]
fn fewer_calls_are_made_at_once_than_the_server_answers() {
    // Its sixth is answered with 503, and a browser beside us makes one as well.
    assert!(build(None).policy().parallel_requests < 5);
}

#[test]
fn a_user_cannot_be_watched() {
    let dialect = build(None);
    assert!(dialect.why_unsupported(&Topic::User("u1".to_owned())).is_some());
    assert_eq!(dialect.why_unsupported(&Topic::Everything), None);
    assert_eq!(dialect.why_unsupported(&Topic::Queue("{email}".to_owned())), None);
}

#[test]
fn a_hint_in_a_binary_frame_means_the_same() {
    let mut dialect = build(None);
    dialect.decode(&Frame::Pong);
    let hint = br#"{"type":"single-job-refresh","data":{"jobId":"7"}}"#;
    let heard = dialect.decode(&Frame::Binary(hint.to_vec()));
    assert_eq!(heard, [Incoming::Stale(Topic::Job("7".into()))]);
}

#[test]
fn an_https_address_of_the_socket_is_dialled_as_wss() {
    let server = server(DialectKind::BullBoard, "https://wss.yourdomain.com");
    let open = dialect(&server, None).unwrap().open().unwrap();
    assert_eq!(open.address.expose().as_str(), "wss://wss.yourdomain.com/");
}

#[test]
fn a_server_that_greets_nobody_is_live_with_its_first_pong_and_kept_by_websocket_pings() {
    let mut dialect = build(None);
    assert_eq!(dialect.opened(), [Incoming::Reply(Frame::Ping)]);
    assert_eq!(dialect.decode(&Frame::Pong), [Incoming::Ready]);
    assert!(dialect.decode(&Frame::Pong).is_empty());
    assert!(matches!(dialect.keepalive(), Keepalive::WebSocketPings { .. }));
    assert!(dialect.encode(&Outgoing::Watch(Topic::Everything)).is_empty());
    assert!(dialect.encode(&Outgoing::Ping).is_empty());
}

#[test]
fn everything_is_the_newest_runs_the_active_ones_the_queues_and_the_numbers() {
    assert_eq!(
        asked(build(None).as_ref(), "all"),
        [
            post("jobs/table", json!({"limit": 100})),
            post("jobs/table", json!({"limit": 100, "status": "active"})),
            post("queues/table", json!({"limit": 100})),
            post("jobs/stats", json!({"days": 1})),
            post("queues/stats", json!({})),
        ]
    );
    assert_eq!(
        asked(build(None).as_ref(), "queue:{email}"),
        [
            post("jobs/table", json!({"limit": 100, "queue": "{email}"})),
            post("queues/table", json!({"limit": 100, "search": "{email}"})),
        ]
    );
}

#[test]
fn a_run_is_asked_for_alone_and_new_lines_of_its_log_are_announced() {
    let mut dialect = build(None);
    let topic = format!("job:{RUN}");
    let detail = json!(format!("Get http://127.0.0.1:3000/api/jobs/{RUN}"));
    assert_eq!(asked(dialect.as_ref(), &topic), [detail]);
    dialect.decode(&Frame::Pong);
    let hint = json!({"type": "job-log-refresh", "data": {"jobId": RUN}}).to_string();
    assert_eq!(dialect.decode(&Frame::Text(hint)), [Incoming::LogGrew(Some(RUN.into()))]);
}

#[test]
fn a_bullmq_id_names_the_run_that_was_found_for_it_until_that_ends() {
    let mut dialect = build(None);
    let topic = Topic::Job("42".into());
    let search = dialect.fetch(&topic).remove(0);
    let find = |dialect: &mut dyn Dialect, rows: Value| {
        let body = json!({"jobs": rows}).to_string();
        let answer = FetchResponse { status: 200, content_type: None, body: body.into() };
        dialect.parse(&search.ask, &answer)
    };
    let row = |run: &str, minute: u32, status: &str, id: &str| {
        let created = format!("2025-09-26T15:{minute}:00Z");
        json!({"id": run, "jobId": id, "queue": "mail", "status": status, "createdAt": created})
    };
    let named = |dialect: &dyn Dialect| -> Vec<&str> {
        let runs = ["old", "a", "b", "other"];
        runs.into_iter().filter(|run| dialect.is_alias(&"42".into(), &(*run).into())).collect()
    };
    assert!(named(dialect.as_ref()).is_empty());
    let (old, other) = (row("old", 10, "completed", "42"), row("other", 50, "active", "142"));
    find(dialect.as_mut(), json!([other, row("a", 20, "active", "42"), old]));
    assert_eq!(named(dialect.as_ref()), ["a"]);
    // The one that is followed is followed to its end.
    find(dialect.as_mut(), json!([row("b", 30, "waiting", "42"), row("a", 20, "active", "42")]));
    assert_eq!(named(dialect.as_ref()), ["a"]);
    find(dialect.as_mut(), json!([row("b", 30, "active", "42"), row("a", 20, "failed", "42")]));
    assert_eq!(named(dialect.as_ref()), ["b"]);
    // When the table does not show it any more, it is asked for by itself.
    let follow = find(dialect.as_mut(), json!([]));
    let Incoming::Follow(request) = &follow[0] else { panic!("{follow:?}") };
    assert_eq!(show_request(request), json!("Get http://127.0.0.1:3000/api/jobs/b"));
}

#[test]
fn three_hundred_hints_ask_for_nothing_by_themselves() {
    let mut dialect = build(None);
    dialect.decode(&Frame::Pong);
    dialect.encode(&Outgoing::Watch(Topic::Everything));
    for run in 0..300 {
        let hint = format!(r#"{{"type":"single-job-refresh","data":{{"jobId":"{run}"}}}}"#);
        let heard = dialect.decode(&Frame::Text(hint));
        assert_eq!(heard, [Incoming::Stale(Topic::Job(run.to_string().into()))]);
    }
}

#[test]
fn actions_name_the_bullmq_id_and_the_queue_and_nothing_else() {
    let dialect = build(None);
    let exactly = json!({"jobId": "42", "queueName": "{email}"});
    for (state, action, call) in [
        (JobState::Running, ActionKind::Cancel, "jobs/cancel"),
        (JobState::Failed, ActionKind::Retry, "jobs/replay"),
    ] {
        let job = job(state);
        assert_eq!(dialect.offers(&job), Some(action));
        let request = dialect.perform(action, &job).unwrap();
        assert_eq!(show_request(&request), post(call, exactly.clone()));
    }
    let mut unnamed = job(JobState::Running);
    unnamed.external_id = None;
    assert_eq!(dialect.offers(&unnamed), None);
    assert_eq!(dialect.perform(ActionKind::Cancel, &unnamed), None);
}

fn job(state: JobState) -> Job {
    Job {
        external_id: Some("42".to_owned()),
        queue: Some("{email}".to_owned()),
        ..Job::new(RUN, state, Source::Http, "2026-01-01T00:00:00Z".parse().unwrap())
    }
}
