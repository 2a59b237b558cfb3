//! TriggerX: frames and answers in, updates out; what is said and asked.

#![allow(clippy::unwrap_used)]

mod support;

use jobwatch_core::connection::{Failure, Input, Output, SocketId, Supervisor};
use jobwatch_core::dialect::{
    ActionKind, FetchResponse, Frame, Incoming, Keepalive, Outgoing, dialect,
};
use jobwatch_core::model::{Job, JobState, Source, Topic, Update};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::DialectKind;
use jobwatch_core::time::{Mono, Now};
use serde_json::{Value, json};
use support::{server, show_frame, show_request, speaking};

fn said(out: Outgoing) -> Vec<Value> {
    speaking(DialectKind::TriggerX, None).encode(&out).iter().map(show_frame).collect()
}

fn watch(topic: &str) -> Vec<Value> {
    said(Outgoing::Watch(Topic::parse(topic).unwrap()))
}

fn asked(key: Option<&str>, user: Option<&str>, topic: &str) -> Vec<Value> {
    let mut server = server(DialectKind::TriggerX, "ws://127.0.0.1:9002");
    if let Some(user) = user {
        server.options.insert("user".to_owned(), user.to_owned());
    }
    let dialect = dialect(&server, key.map(|key| Secret::new(key.to_owned()))).unwrap();
    dialect.fetch(&Topic::parse(topic).unwrap()).iter().map(show_request).collect()
}

#[test]
fn frames_and_answers_become_the_expected_updates() {
    support::run(DialectKind::TriggerX, "triggerx");
}

#[test]
fn json_that_is_not_quite_json_means_the_same() {
    support::run_spoilt(DialectKind::TriggerX, "triggerx");
}

#[test]
fn the_key_goes_into_the_query_of_the_socket_and_into_a_header_over_http() {
    let mut dialect = speaking(DialectKind::TriggerX, Some("sk-1"));
    let open = dialect.open().unwrap();
    assert_eq!(open.address.expose().as_str(), "ws://127.0.0.1:9002/api/ws/tasks?api_key=sk-1");
    assert!(!format!("{open:?}").contains("sk-1"));
    assert!(open.headers.is_empty());
    let request = &dialect.fetch(&Topic::Everything)[0];
    assert_eq!(request.address.expose().as_str(), "http://127.0.0.1:9002/api/jobs/by-apikey");
    assert_eq!(request.headers[0].name, "X-Api-Key");
    assert_eq!(request.headers[0].value.expose(), "sk-1");
}

#[test]
fn a_job_is_subscribed_by_its_room_however_it_is_written() {
    let frame = json!({"type": "SUBSCRIBE", "data": {"room": "job:123", "job_id": "123"}});
    assert_eq!(watch("job:123")[0], frame);
    assert_eq!(watch("job:job:123")[0], frame);
    assert_eq!(said(Outgoing::History("123".into())).len(), 0, "there are no logs to ask for");
}

#[test]
fn tasks_and_users_are_subscribed_though_only_http_answers_for_them() {
    let task = json!({"type": "SUBSCRIBE", "data": {"room": "task:7", "task_id": "7"}});
    assert_eq!(watch("job:task:7"), [task]);
    let user = json!({"type": "SUBSCRIBE", "data": {"room": "user:5", "user_id": "5"}});
    assert_eq!(watch("user:5"), [user]);
    // An address is no user number: the server would only refuse it.
    assert!(watch("user:0xabc").is_empty());
    assert!(watch("all").is_empty());
}

#[test]
fn unwatching_leaves_the_room_unless_it_is_watched_under_another_spelling() {
    let mut dialect = speaking(DialectKind::TriggerX, None);
    let topic = |text: &str| Topic::parse(text).unwrap();
    dialect.encode(&Outgoing::Watch(topic("job:123")));
    dialect.encode(&Outgoing::Watch(topic("job:job:123")));
    assert!(dialect.encode(&Outgoing::Unwatch(topic("job:123"))).is_empty());
    let left = dialect.encode(&Outgoing::Unwatch(topic("job:job:123")));
    assert_eq!(
        left.iter().map(show_frame).collect::<Vec<_>>(),
        [json!({"type": "UNSUBSCRIBE", "data": {"room": "job:123"}})]
    );
}

#[test]
fn a_room_that_would_crash_the_server_is_never_named() {
    assert!(watch("job:job:").is_empty());
    assert!(watch("job:task:").is_empty());
    assert_eq!(watch("job:1").len(), 1);
}

#[test]
fn no_frame_is_larger_than_the_server_takes() {
    let digits = "9".repeat(78);
    let frames = speaking(DialectKind::TriggerX, None)
        .encode(&Outgoing::Watch(Topic::Job(digits.as_str().into())));
    let Frame::Text(text) = &frames[0] else { panic!("{frames:?}") };
    assert!(text.contains(&digits) && text.len() <= 512);
    assert!(watch(&format!("job:{}", "9".repeat(400))).is_empty());
}

#[test]
fn the_application_ping_keeps_the_link() {
    assert_eq!(said(Outgoing::Ping), [json!({"type": "PING"}), json!("Ping")]);
    let dialect = speaking(DialectKind::TriggerX, None);
    assert!(matches!(dialect.keepalive(), Keepalive::ClientPings { .. }));
    let policy = dialect.policy();
    assert_eq!((policy.first_delay.as_secs(), policy.max_delay.as_secs()), (5, 5));
    assert_eq!((policy.attempts, policy.idle_after), (5, None));
}

#[test]
fn a_job_is_asked_for_by_its_tasks_and_with_a_key_by_its_state() {
    let base = "Get http://127.0.0.1:9002/api";
    assert_eq!(asked(None, None, "job:123"), [json!(format!("{base}/tasks/job/123"))]);
    assert_eq!(
        asked(Some("k"), None, "job:job:123"),
        [json!(format!("{base}/tasks/job/123")), json!(format!("{base}/jobs/by-apikey"))]
    );
    assert_eq!(
        asked(Some("k"), Some("0xabc"), "job:123")[1],
        json!(format!("{base}/jobs/user/0xabc/123"))
    );
    assert_eq!(asked(Some("k"), None, "job:task:7"), [json!(format!("{base}/tasks/7"))]);
}

#[test]
fn everything_is_listed_by_the_key_or_else_by_the_owner() {
    let base = "Get http://127.0.0.1:9002/api";
    assert_eq!(asked(Some("k"), Some("0xabc"), "all"), [json!(format!("{base}/jobs/by-apikey"))]);
    assert_eq!(asked(None, Some("0xabc"), "all"), [json!(format!("{base}/jobs/user/0xabc"))]);
    assert!(asked(None, None, "all").is_empty());
    // The server knows the number, but lists by it only through the key.
    assert_eq!(asked(Some("k"), None, "user:5"), [json!(format!("{base}/jobs/by-apikey"))]);
    assert!(asked(None, None, "user:5").is_empty());
    assert_eq!(
        asked(Some("k"), None, "user:0xdef"),
        [json!(format!("{base}/jobs/user/0xdef")), json!(format!("{base}/tasks/user/0xdef"))]
    );
}

#[test]
fn a_job_is_named_by_its_number_and_a_task_only_as_one() {
    let dialect = speaking(DialectKind::TriggerX, None);
    let names = |given: &str, id: &str| dialect.is_alias(&given.into(), &id.into());
    assert!(names("12", "job:12") && names("job:12", "job:12") && names("task:3", "task:3"));
    assert!(!names("3", "task:3") && !names("task:12", "job:12") && !names("1", "job:12"));
    let mut task = job("task:3", JobState::Running);
    task.parent = Some("job:12".into());
    assert!(dialect.contains(&Topic::Job("12".into()), &task));
    assert!(!dialect.contains(&Topic::Job("3".into()), &task));
}

#[test]
fn an_address_holds_the_jobs_of_the_number_it_was_listed_with() {
    let mut dialect = speaking(DialectKind::TriggerX, Some("k"));
    let address = Topic::User("0xABc".to_owned());
    let mut own = job("job:1", JobState::Running);
    own.user = Some("12".to_owned());
    assert!(!dialect.contains(&address, &own));
    let list = dialect.fetch(&address).remove(0);
    let body = r#"{"jobs":[{"job_data":{"job_id":"1","user_id":12,"status":"running"}}]}"#;
    let answer = FetchResponse { status: 200, content_type: None, body: body.into() };
    dialect.parse(&list.ask, &answer);
    assert!(dialect.contains(&address, &own));
    assert!(dialect.contains(&Topic::User("0xabc".to_owned()), &own));
    assert!(dialect.contains(&Topic::User("12".to_owned()), &own));
    assert!(!dialect.contains(&Topic::User("13".to_owned()), &own));
    own.user = Some("13".to_owned());
    assert!(!dialect.contains(&address, &own));
}

#[test]
fn a_queue_cannot_be_watched_and_everything_else_can() {
    let dialect = speaking(DialectKind::TriggerX, None);
    let why = |topic: &str| dialect.why_unsupported(&Topic::parse(topic).unwrap());
    assert!(why("queue:mail").unwrap().contains("no queues"));
    for topic in ["all", "job:123", "job:task:7", "user:5", "user:0xabc"] {
        assert_eq!(why(topic), None, "{topic}");
    }
}

#[test]
fn nothing_ever_asks_for_the_call_that_creates_tasks() {
    for topic in ["job:time", "all", "user:time", "job:task:time", "queue:time"] {
        for request in asked(Some("k"), Some("time"), topic) {
            assert!(!request.as_str().unwrap().ends_with("/jobs/time"), "{request}");
        }
    }
}

#[test]
fn a_triggerx_job_that_has_not_ended_can_be_cancelled() {
    let dialect = speaking(DialectKind::TriggerX, Some("k"));
    let running = job("job:123", JobState::Running);
    assert_eq!(dialect.offers(&running), Some(ActionKind::Cancel));
    assert_eq!(
        show_request(&dialect.perform(ActionKind::Cancel, &running).unwrap()),
        json!("Put http://127.0.0.1:9002/api/jobs/delete/123")
    );
    for other in [job("job:123", JobState::Completed), job("task:7", JobState::Running)] {
        assert_eq!(dialect.offers(&other), None);
        assert_eq!(dialect.perform(ActionKind::Cancel, &other), None);
    }
    assert_eq!(dialect.perform(ActionKind::Retry, &running), None, "it is not offered");
}

#[test]
fn a_listed_job_is_not_listed_again_while_its_list_is_watched() {
    let mut dialect = speaking(DialectKind::TriggerX, Some("k"));
    dialect.encode(&Outgoing::Watch(Topic::Everything));
    let one = Topic::Job("job:1".into());
    assert_eq!(dialect.fetch(&one).len(), 2);
    let list = dialect.fetch(&Topic::Everything).remove(0);
    let body = r#"{"jobs":[{"job_data":{"job_id":"1","status":"running"}}]}"#;
    let answer = FetchResponse { status: 200, content_type: None, body: body.into() };
    dialect.parse(&list.ask, &answer);
    assert_eq!(dialect.fetch(&one).len(), 1);
    // Without the list, or on a new link, the job's own state is asked for again.
    dialect.open().unwrap();
    assert_eq!(dialect.fetch(&one).len(), 2);
}

#[test]
fn where_the_owners_jobs_cannot_be_listed_the_newest_tasks_are_shown() {
    let mut dialect = speaking(DialectKind::TriggerX, Some("k"));
    let list = dialect.fetch(&Topic::Everything).remove(0);
    let answer = |status, body: &str| FetchResponse {
        status,
        content_type: Some("application/json".to_owned()),
        body: body.into(),
    };
    let failed = r#"{"error":"Failed to retrieve jobs","code":"JOB_RETRIEVAL_ERROR"}"#;
    assert!(dialect.parse(&list.ask, &answer(500, failed)).is_empty());
    let asked = dialect.fetch(&Topic::Everything);
    let recent = json!("Get http://127.0.0.1:9002/api/tasks/recent");
    assert_eq!(asked.iter().map(show_request).collect::<Vec<_>>()[1..], [recent]);
    let partial = r#"{"message":"Some jobs could not be retrieved","jobs":[]}"#;
    dialect.parse(&list.ask, &answer(206, partial));
    assert_eq!(dialect.fetch(&Topic::Everything).len(), 1);
}

fn job(id: &str, state: JobState) -> Job {
    Job::new(id, state, Source::Http, "2026-01-01T00:00:00Z".parse().unwrap())
}

#[test]
fn a_task_is_called_after_its_job_once_the_title_is_known() {
    let mut dialect = speaking(DialectKind::TriggerX, Some("a-key"));
    let ask = dialect.fetch(&Topic::Everything).remove(0).ask;
    let jobs =
        r#"{"jobs":[{"job_data":{"job_id":"5","job_title":"Price keeper","status":"running"}}]}"#;
    let response = FetchResponse {
        status: 200,
        content_type: Some("application/json".to_owned()),
        body: jobs.as_bytes().to_vec(),
    };
    dialect.parse(&ask, &response);
    let created = r#"{"type":"TASK_UPDATED","data":{"task_id":7,"job_id":"5","user_id":"system",
        "changes":{"task_id":7,"job_id":"5"},"timestamp":"2026-11-20T17:01:01Z"},
        "timestamp":"2026-11-20T17:01:01Z"}"#;
    let names: Vec<Option<String>> = dialect
        .decode(&Frame::Text(created.to_owned()))
        .into_iter()
        .filter_map(|incoming| match incoming {
            Incoming::Update(Update::Job(patch)) => Some(patch.name),
            _ => None,
        })
        .collect();
    assert_eq!(names, [Some("Price keeper, task 7".to_owned())]);
}

#[test]
fn many_watched_jobs_cost_one_list_of_all_jobs() {
    let now = Now { mono: Mono(1_000), wall: "2026-01-01T00:00:00Z".parse().unwrap() };
    let dialect = speaking(DialectKind::TriggerX, Some("sk-1"));
    let policy = dialect.policy();
    let mut machine = Supervisor::new(dialect, policy, 1, now);
    for id in 1..=10 {
        machine.handle(Input::Watch(Topic::Job(id.to_string().into())), now);
    }
    machine.handle(Input::Start, now);
    let failure = Failure::Unreachable("connection refused".to_owned());
    machine.handle(Input::OpenFailed(SocketId(1), failure), now);
    let (mut lists, mut tasks) = (0, 0);
    loop {
        match machine.poll(now) {
            Output::Fetch(id, request) => {
                let list = request.address.to_string().ends_with("/jobs/by-apikey");
                let body = if list {
                    lists += 1;
                    let row = |id| json!({"job_data": {"job_id": id, "status": "running"}});
                    json!({"jobs": (1..=10).map(row).collect::<Vec<_>>()})
                } else {
                    tasks += 1;
                    json!([])
                };
                let body = body.to_string().into_bytes();
                let answer = FetchResponse { status: 200, content_type: None, body };
                machine.handle(Input::Fetched(id, Ok(answer), None), now);
            }
            Output::Idle(_) => break,
            _ => {}
        }
    }
    assert_eq!((lists, tasks), (1, 10));
    assert_eq!(machine.job_store().len(), 10, "each hears of its own");
}
