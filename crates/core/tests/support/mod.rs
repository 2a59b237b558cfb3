//! Fixtures: what a server sends in, what a dialect makes of it out, both as JSON.
//!
//! A fixture file is a list of cases. A case has a `name`, the topics to `watch`, perhaps
//! `options`, `key` and `ws` of the server, the `steps` it goes through (`{"frame": JSON}`,
//! `{"text": "raw frame"}`, `{"binary": "bytes of a frame"}`, `{"opened": true}`,
//! `{"send": "ping"}`, or an HTTP answer `{"call", "args", "topic", "status", "body"}`) and what it
//! must `expect`.
//!
//! With `JOBWATCH_BLESS=1` in the environment the expectations are written instead of compared,
//! to be read before they are kept.
#![allow(clippy::disallowed_methods, reason = "the rule is for the core, not for its tests")]
#![allow(dead_code, clippy::unwrap_used)]

mod calls;

use std::path::{Path, PathBuf};

use jobwatch_core::dialect::{
    Dialect, FetchRequest, FetchResponse, Frame, Incoming, Outgoing, dialect, tolerant,
};
use jobwatch_core::log::LogLine;
use jobwatch_core::model::{Finality, JobPatch, Topic, Update};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, Server, ServerId};
use serde_json::{Map, Value, json};

pub use calls::ask;

/// A server of `kind` at `ws`.
pub fn server(kind: DialectKind, ws: &str) -> Server {
    Server {
        id: ServerId("test".to_owned()),
        name: "Test".to_owned(),
        dialect: kind,
        ws: ws.to_owned(),
        api: None,
        key: None,
        namespace: None,
        options: Default::default(),
        watch: Vec::new(),
        paused: false,
        extra_ca: None,
        policy: Default::default(),
    }
}

/// The dialect of `kind` at its usual address, with `key`.
pub fn speaking(kind: DialectKind, key: Option<&str>) -> Box<dyn Dialect> {
    let server = server(kind, "ws://127.0.0.1:9002");
    dialect(&server, key.map(|key| Secret::new(key.to_owned()))).unwrap()
}

/// A text frame.
pub fn text(text: &str) -> Frame {
    Frame::Text(text.to_owned())
}

/// Runs every case of every file in `tests/fixtures/<folder>`.
pub fn run(kind: DialectKind, folder: &str) {
    let files = files(folder);
    let bless = std::env::var_os("JOBWATCH_BLESS").is_some();
    for file in files {
        let mut cases: Value =
            serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for case in cases.as_array_mut().unwrap() {
            let name = case["name"].as_str().unwrap().to_owned();
            let got = Value::Array(go(kind, case, Manner::Strict));
            if bless {
                case["expect"] = got;
            } else {
                let place = format!("{}: {name}", file.file_name().unwrap().display());
                assert!(
                    got == case["expect"],
                    "{place}\n got: {}\nwant: {}",
                    serde_json::to_string_pretty(&got).unwrap(),
                    serde_json::to_string_pretty(&case["expect"]).unwrap()
                );
            }
        }
        if bless {
            std::fs::write(&file, serde_json::to_string_pretty(&cases).unwrap() + "\n").unwrap();
        }
    }
}

/// The fixtures of a folder.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let mut files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// How what a fixture's server sends reaches the dialect.
#[derive(Clone, Copy)]
enum Manner {
    /// As it stands there, to the dialect itself.
    Strict,
    /// With something in it that is no JSON, as the supervisor reads it.
    Spoilt,
}

/// Runs every case of `tests/fixtures/<folder>` that speaks of nothing odd once more, with
/// something in each object that is no JSON but is clear: it must mean the same.
pub fn run_spoilt(kind: DialectKind, folder: &str) {
    let mut many = 0;
    for file in files(folder) {
        let cases: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for case in cases.as_array().unwrap() {
            if case["expect"].to_string().contains(r#""diagnostic""#) {
                continue;
            }
            let place = format!("{}: {}", file.file_name().unwrap().display(), case["name"]);
            let (strict, spoilt) = (go(kind, case, Manner::Strict), go(kind, case, Manner::Spoilt));
            assert_eq!(strict, spoilt, "{place}");
            many += 1;
        }
    }
    assert!(many > 10, "{many} cases");
}

/// The text with a number in its first object for which JSON has no word.
fn spoilt(text: &str) -> String {
    match text.find('{') {
        Some(at) if !text[at + 1..].trim_start().starts_with('}') => {
            format!("{}\"\":NaN,{}", &text[..=at], &text[at + 1..])
        }
        _ => text.to_owned(),
    }
}

fn go(kind: DialectKind, case: &Value, manner: Manner) -> Vec<Value> {
    let ws = case["ws"].as_str().unwrap_or("ws://127.0.0.1:9002");
    let mut server = server(kind, ws);
    for (name, value) in case["options"].as_object().into_iter().flatten() {
        server.options.insert(name.clone(), value.as_str().unwrap().to_owned());
    }
    let key = case["key"].as_str().map(|key| Secret::new(key.to_owned()));
    let mut dialect = dialect(&server, key).unwrap();
    for topic in case["watch"].as_array().into_iter().flatten() {
        dialect.encode(&Outgoing::Watch(Topic::parse(topic.as_str().unwrap()).unwrap()));
    }
    // The greeting has its own cases.
    if case["greeted"] != json!(false) {
        dialect.decode(&Frame::Ping);
    }
    let mut all = Vec::new();
    for step in case["steps"].as_array().unwrap() {
        all.extend(take(dialect.as_mut(), step, manner).iter().map(show));
    }
    all
}

fn take(dialect: &mut dyn Dialect, step: &Value, manner: Manner) -> Vec<Incoming> {
    let mut decode = |frame: &str| match manner {
        Manner::Strict => dialect.decode(&text(frame)),
        Manner::Spoilt => tolerant::decode(dialect, &text(&spoilt(frame))),
    };
    if let Some(frame) = step.get("frame") {
        return decode(&(frame.to_string() + "\n"));
    }
    if let Some(raw) = step.get("text") {
        return decode(raw.as_str().unwrap());
    }
    if let Some(bytes) = step.get("binary") {
        return dialect.decode(&Frame::Binary(bytes.as_str().unwrap().as_bytes().to_vec()));
    }
    if step.get("opened").is_some() {
        return dialect.opened();
    }
    let body = match &step["body"] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let page = body.starts_with('<');
    let topic = step["topic"].as_str().map(|topic| Topic::parse(topic).unwrap());
    let args: Vec<&str> =
        step["args"].as_array().into_iter().flatten().map(|arg| arg.as_str().unwrap()).collect();
    let ask = ask(dialect.kind(), topic.as_ref(), step["call"].as_str().unwrap(), &args);
    let response = FetchResponse {
        status: step["status"].as_u64().unwrap_or(200).try_into().unwrap(),
        content_type: Some(if page { "text/html" } else { "application/json" }.to_owned()),
        body: match manner {
            Manner::Strict => body,
            Manner::Spoilt => spoilt(&body),
        }
        .into_bytes(),
    };
    match manner {
        Manner::Strict => dialect.parse(&ask, &response),
        Manner::Spoilt => tolerant::parse(dialect, &ask, &response),
    }
}

/// One consequence as JSON.
pub fn show(incoming: &Incoming) -> Value {
    match incoming {
        Incoming::Ready => json!("ready"),
        Incoming::Reply(frame) => json!({ "reply": show_frame(frame) }),
        Incoming::Watched(topic) => json!({ "watched": topic.to_string() }),
        Incoming::SubscriptionRejected { topic, reason } => {
            json!({ "rejected": topic.as_ref().map(Topic::to_string), "reason": reason })
        }
        Incoming::Update(update) => show_update(update),
        Incoming::Stale(topic) => json!({ "stale": topic.to_string() }),
        Incoming::Soon(topic) => json!({ "soon": topic.to_string() }),
        Incoming::Partial { open, why } => json!({ "partial": open, "why": why }),
        Incoming::Discovered(topic) => json!({ "discovered": topic.to_string() }),
        Incoming::Follow(request) => json!({ "follow": show_request(request) }),
        Incoming::Refused(reason) => json!({ "refused": reason }),
        Incoming::RateLimited(reason) => json!({ "rate_limited": reason }),
        Incoming::Foreign(reason) => json!({ "foreign": reason }),
        Incoming::Disconnected(reason) => json!({ "disconnected": reason }),
        Incoming::LogGrew(job) => json!({ "grew": job }),
        Incoming::LogPart(part) => json!({ "left": part.left, "held": part.held_back }),
        Incoming::Unknown(diagnostic) => {
            json!({ "diagnostic": diagnostic.kind, "text": diagnostic.text })
        }
    }
}

/// A text frame as JSON.
pub fn show_frame(frame: &Frame) -> Value {
    match frame {
        Frame::Text(text) => serde_json::from_str(text).unwrap_or(json!(text)),
        other => json!(format!("{other:?}")),
    }
}

/// A request as `METHOD URL`, followed by its body.
pub fn show_request(request: &FetchRequest) -> Value {
    let line = format!("{:?} {}", request.method, request.address).to_string();
    match &request.body {
        Some(body) => json!([line, serde_json::from_str::<Value>(body).unwrap()]),
        None => json!(line),
    }
}

fn show_update(update: &Update) -> Value {
    match update {
        Update::Job(patch) => json!({ "job": show_patch(patch) }),
        Update::Gone(id) => json!({ "gone": id }),
        Update::Log { job, lines } => {
            json!({ "log": job, "lines": lines.iter().map(|line| show_line(&line)).collect::<Vec<_>>() })
        }
        Update::Metric(metric) => json!({ "metric": said([
            ("job", json!(metric.job)),
            ("name", json!(metric.name)),
            ("value", json!(metric.value)),
            ("unit", json!(metric.unit)),
            ("at", json!(metric.at)),
        ]) }),
        Update::Queue(queue) => {
            let Value::Object(fields) = serde_json::to_value(queue).unwrap() else {
                unreachable!()
            };
            json!({ "queue": said(fields) })
        }
        Update::Notice(notice) => json!({ "notice": said([
            ("id", json!(notice.id)),
            ("job", json!(notice.job)),
            ("title", json!(notice.title)),
            ("text", json!(notice.text)),
            ("tone", json!(notice.tone)),
            ("at", json!(notice.at)),
            ("read", if notice.read { json!(true) } else { Value::Null }),
        ]) }),
        Update::NoticeRead(id) => json!({ "read": id }),
    }
}

fn show_line(line: &LogLine<'_>) -> Value {
    said([
        ("id", json!(line.id)),
        ("position", json!(line.position)),
        ("at", json!(line.at)),
        ("level", json!(line.level)),
        ("origin", json!(line.origin)),
        ("text", json!(line.text)),
    ])
}

fn show_patch(patch: &JobPatch) -> Value {
    let finality = match patch.finality {
        Finality::Final => Value::Null,
        Finality::MayRetry => json!("may-retry"),
    };
    let value = |json: &Option<jobwatch_core::model::Json>| {
        json.as_ref().map_or(Value::Null, |json| json.to_value())
    };
    let extra: Map<String, Value> =
        patch.extra.iter().map(|(name, json)| (name.to_owned(), json.to_value())).collect();
    said([
        ("id", json!(patch.id)),
        ("parent", json!(patch.parent)),
        ("external_id", json!(patch.external_id)),
        ("name", json!(patch.name)),
        ("queue", json!(patch.queue)),
        ("user", json!(patch.user)),
        ("state", json!(patch.state)),
        ("finality", finality),
        ("progress", json!(patch.progress)),
        ("detail", value(&patch.detail)),
        ("message", json!(patch.message)),
        ("error", json!(patch.error)),
        ("stack", json!(patch.stack)),
        ("attempt", json!(patch.attempt)),
        ("max_attempts", json!(patch.max_attempts)),
        ("data", value(&patch.data)),
        ("result", value(&patch.result)),
        ("created_at", json!(patch.created_at)),
        ("started_at", json!(patch.started_at)),
        ("finished_at", json!(patch.finished_at)),
        ("took_ms", json!(patch.took_ms)),
        ("at", json!(patch.at)),
        ("snapshot", if patch.snapshot { json!(true) } else { Value::Null }),
        ("extra", if extra.is_empty() { Value::Null } else { Value::Object(extra) }),
    ])
}

/// Only what is said.
fn said<N: Into<String>>(fields: impl IntoIterator<Item = (N, Value)>) -> Value {
    Value::Object(
        fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.into(), value))
            .collect(),
    )
}
