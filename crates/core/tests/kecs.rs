//! KECS: frames and answers in, updates out; what is said and asked.

#![allow(clippy::unwrap_used)]

mod support;

use jobwatch_core::dialect::{
    ActionKind, Dialect, FetchResponse, Incoming, Keepalive, LogFrom, Outgoing, dialect,
};
use jobwatch_core::model::{Job, JobState, Json, Source, Topic};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, KeyPlacement, Server};
use serde_json::{Value, json};
use support::{server, show, show_frame, show_request, speaking};

const ARN: &str = "arn:aws:ecs:eu-west-1:123456789012:task/blue/abc123";

fn local() -> Server {
    server(DialectKind::Kecs, "ws://127.0.0.1:8080")
}

fn build(server: &Server, key: Option<&str>) -> Box<dyn Dialect> {
    dialect(server, key.map(|key| Secret::new(key.to_owned()))).unwrap()
}

fn said(out: Outgoing) -> Vec<Value> {
    speaking(DialectKind::Kecs, None).encode(&out).iter().map(show_frame).collect()
}

fn asked(server: &Server, topic: &str) -> Vec<Value> {
    let topic = Topic::parse(topic).unwrap();
    build(server, None).fetch(&topic).iter().map(show_request).collect()
}

#[test]
fn frames_and_answers_become_the_expected_updates() {
    support::run(DialectKind::Kecs, "kecs");
}

#[test]
fn json_that_is_not_quite_json_means_the_same() {
    support::run_spoilt(DialectKind::Kecs, "kecs");
}

#[test]
fn the_socket_is_dialled_without_an_origin_and_with_a_bearer_key() {
    let open = build(&local(), Some("long-enough")).open().unwrap();
    assert_eq!(open.address.expose().as_str(), "ws://127.0.0.1:8080/ws");
    let names: Vec<&str> = open.headers.iter().map(|header| header.name.as_ref()).collect();
    assert_eq!(names, ["Authorization"]);
    assert_eq!(open.headers[0].value.expose(), "Bearer long-enough");
}

#[test]
fn a_key_so_short_that_it_crashes_the_server_is_not_sent() {
    assert!(build(&local(), Some("short")).open().unwrap().headers.is_empty());
}

#[test]
fn a_key_in_the_first_message_is_sent_when_the_socket_opens() {
    let mut server = local();
    server.key = Some(KeyPlacement::FirstMessage);
    let mut dialect = build(&server, Some("long-enough"));
    assert!(dialect.open().unwrap().headers.is_empty());
    let opened: Vec<Value> = dialect.opened().iter().map(show).collect();
    assert_eq!(
        opened,
        [
            json!({"reply": {
                "type": "authenticate", "id": "j1", "payload": {"token": "long-enough"}
            }}),
            json!({"reply": {"type": "ping"}}),
            json!({"reply": "Ping"}),
        ]
    );
}

#[test]
fn a_socket_that_is_dropped_at_once_was_never_live() {
    let mut dialect = speaking(DialectKind::Kecs, None);
    dialect.open().unwrap();
    assert!(!dialect.opened().contains(&Incoming::Ready));
}

#[test]
fn topics_are_subscribed_by_resource() {
    let subscribe = |id: &str, kind: &str, name: &str| {
        let payload = json!({"resourceType": kind, "resourceId": name});
        json!({"type": "subscribe", "id": id, "payload": payload})
    };
    let watch = |topic: &str| said(Outgoing::Watch(Topic::parse(topic).unwrap()));
    assert_eq!(watch(&format!("job:{ARN}")), [subscribe("j1", "task", "abc123")]);
    assert_eq!(watch("all"), [subscribe("j1", "task", "*")]);
    assert_eq!(
        watch("queue:web"),
        [subscribe("j1", "cluster", "web"), subscribe("j2", "service", "web")]
    );
    assert!(watch("user:me").is_empty());
    assert_eq!(
        said(Outgoing::Unwatch(Topic::Everything)),
        [json!({"type": "unsubscribe", "id": "j1", "payload":
            {"resourceType": "task", "resourceId": "*"}})]
    );
}

#[test]
fn earlier_lines_and_a_ping_are_asked_for_in_the_documented_frames() {
    assert_eq!(
        said(Outgoing::History(ARN.into())),
        [json!({"type": "request_history", "id": "j1", "payload": {"taskId": "abc123"}})]
    );
    assert_eq!(said(Outgoing::Ping), [json!({"type": "ping"}), json!("Ping")]);
}

#[test]
fn the_link_is_kept_by_json_pings_every_thirty_seconds() {
    let keepalive = speaking(DialectKind::Kecs, None).keepalive();
    let Keepalive::ClientPings { interval, .. } = keepalive else { panic!("{keepalive:?}") };
    assert_eq!(interval.as_secs(), 30);
}

#[test]
fn a_task_is_asked_for_in_its_cluster_where_that_is_known() {
    let base = "Post http://127.0.0.1:8080/v1";
    let describe = |cluster: &str| json!([format!("{base}/DescribeTasks"), {"cluster": cluster, "tasks": ["abc123"]}]);
    assert_eq!(asked(&local(), &format!("job:{ARN}")), [describe("blue")]);
    assert_eq!(asked(&local(), "job:abc123"), [json!([format!("{base}/ListClusters"), {}])]);
    let mut server = local();
    server.options.insert("cluster".to_owned(), "green".to_owned());
    assert_eq!(asked(&server, "job:abc123"), [describe("green")]);
}

#[test]
fn everything_is_the_running_and_the_stopped_tasks_of_a_cluster() {
    let base = "Post http://127.0.0.1:8080/v1";
    assert_eq!(asked(&local(), "all"), [json!([format!("{base}/ListClusters"), {}])]);
    let mut server = local();
    server.options.insert("cluster".to_owned(), "green".to_owned());
    let list = |desired: &str| json!([format!("{base}/ListTasks"), {"cluster": "green", "desiredStatus": desired}]);
    let clusters = json!([format!("{base}/DescribeClusters"), {"clusters": ["green"]}]);
    assert_eq!(asked(&server, "all"), [list("RUNNING"), list("STOPPED"), clusters]);
}

#[test]
fn a_task_belongs_to_its_service_and_is_named_by_its_arn() {
    let mut dialect = build(&local(), None);
    assert!(dialect.is_alias(&ARN.into(), &"abc123".into()));
    assert!(dialect.is_alias(&"abc123".into(), &"abc123".into()));
    assert!(
        !dialect.is_alias(&"arn:aws:ecs:eu-west-1:1:task/blue/abc1234".into(), &"abc123".into())
    );
    let topic = |name: &str| Topic::Queue(name.to_owned());
    let task = job(JobState::Running);
    assert!(dialect.contains(&topic("blue"), &task));
    assert!(!dialect.contains(&topic("web"), &task));
    // A list of the service tells its tasks.
    let args = ["blue", "web", "RUNNING", "1"];
    let list = support::ask(DialectKind::Kecs, Some(&topic("web")), "list", &args);
    let body = json!({"taskArns": [ARN]}).to_string();
    let answer = FetchResponse { status: 200, content_type: None, body: body.into() };
    dialect.parse(&list, &answer);
    assert!(dialect.contains(&topic("web"), &task));
    assert!(!dialect.contains(&topic("mail"), &task));
    // So does the task itself.
    let mut told = job(JobState::Running);
    told.extra.insert("group".to_owned(), Json::parse(r#""service:mail""#).unwrap());
    assert!(dialect.contains(&topic("mail"), &told));
}

#[test]
fn a_user_cannot_be_watched_and_everything_else_can() {
    let dialect = speaking(DialectKind::Kecs, None);
    let why = |topic: &str| dialect.why_unsupported(&Topic::parse(topic).unwrap());
    assert!(why("user:me").unwrap().contains("no users"));
    for topic in ["all", "job:abc123", "queue:web"] {
        assert_eq!(why(topic), None, "{topic}");
    }
}

#[test]
fn a_running_task_can_be_stopped() {
    let dialect = speaking(DialectKind::Kecs, None);
    let running = job(JobState::Running);
    assert_eq!(dialect.offers(&running), Some(ActionKind::Cancel));
    assert_eq!(
        show_request(&dialect.perform(ActionKind::Cancel, &running).unwrap()),
        json!(["Post http://127.0.0.1:9002/v1/StopTask",
            {"cluster": "blue", "task": "abc123", "reason": "Stopped with Jobwatch"}])
    );
    assert_eq!(dialect.offers(&job(JobState::Failed)), None);
    assert_eq!(dialect.perform(ActionKind::Cancel, &job(JobState::Failed)), None);
}

#[test]
fn logs_are_asked_for_by_container_at_the_admin_address() {
    let mut task = job(JobState::Running);
    task.extra.insert("taskArn".to_owned(), Json::parse(&format!("{ARN:?}")).unwrap());
    let dialect = build(&local(), None);
    let bare: Vec<Value> =
        dialect.fetch_logs(&task, LogFrom::Known).iter().map(show_request).collect();
    assert_eq!(
        bare,
        [json!(["Post http://127.0.0.1:8081/v1/GetTaskLogs",
            {"cluster": "blue", "taskArn": ARN, "timestamps": true, "tail": 1000}])]
    );
    let containers = Json::parse(r#"[{"name":"web"}]"#).unwrap();
    task.extra.insert("containers".to_owned(), containers);
    let one: Vec<Value> =
        dialect.fetch_logs(&task, LogFrom::Known).iter().map(show_request).collect();
    assert_eq!(
        one,
        ["Get http://127.0.0.1:8081/api/tasks/abc123/containers/web/logs\
            ?cluster=blue&region=eu-west-1&limit=500&offset=0"]
    );
    let containers = Json::parse(r#"[{"name":"web"},{"name":"side car"}]"#).unwrap();
    task.extra.insert("containers".to_owned(), containers);
    let mut server = local();
    server.options.insert("admin".to_owned(), "http://admin.example:9/base".to_owned());
    server.options.insert("region".to_owned(), "us-east-2".to_owned());
    let requests = build(&server, Some("long-enough")).fetch_logs(&task, LogFrom::Known);
    assert_eq!(
        show_request(&requests[1]),
        json!(
            "Get http://admin.example:9/base/api/tasks/abc123/containers/side%20car/logs\
            ?cluster=blue&region=us-east-2&limit=500&offset=0"
        )
    );
    // Another host gets no key.
    assert!(requests[1].headers.is_empty());
}

#[test]
fn an_admin_address_that_cannot_be_used_is_named() {
    let mut server = local();
    server.options.insert("admin".to_owned(), "ftp://x".to_owned());
    let Err(error) = dialect(&server, None) else { panic!("accepted") };
    assert!(error.contains("admin"), "{error}");
}

fn job(state: JobState) -> Job {
    Job {
        queue: Some("blue".to_owned()),
        ..Job::new("abc123", state, Source::Http, "2026-01-01T00:00:00Z".parse().unwrap())
    }
}
