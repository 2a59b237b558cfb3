//! No dialect can be brought down by what it receives: any bytes, any JSON, any size, in frames
//! and in HTTP answers.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jobwatch_core::dialect::{Ask, Dialect, FetchResponse, Frame, Incoming, Outgoing};
use jobwatch_core::model::{Topic, Update};
use jobwatch_core::server::DialectKind;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use support::speaking;

/// Short texts in the recorded frames and answers of all dialects, each with what stands before it:
/// names and words that dialects look for, so that arbitrary JSON gets past the first look.
static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let words = recorded(|_, _| true);
    assert!(words.len() > 300, "{}", words.len());
    words
});

/// Names of fields.
static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| recorded(|_, after| after.starts_with(':')));

/// The types of frames and the names of events.
static TYPES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let types = recorded(|before, _| before.ends_with('[') || before.ends_with("\"type\":"));
    assert!(types.len() > 30, "{types:?}");
    types
});

/// The words of the fixtures for which `wanted` says so, by what stands before and after them.
fn recorded(wanted: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let mut words = BTreeSet::new();
    for kind in DialectKind::ALL {
        for file in support::files(&kind.word().replace('-', "_")) {
            let text =
                std::fs::read_to_string(file).unwrap().replace("\\\"", "\"").replace(": ", ":");
            for (at, _) in text.match_indices('"') {
                let (before, rest) = (&text[..at], &text[at + 1..]);
                let Some((word, after)) = rest.split_once('"') else { continue };
                if is_word(word) && wanted(before, after) {
                    words.insert(word.to_owned());
                }
            }
        }
    }
    words.into_iter().collect()
}

fn is_word(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':');
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.len() < 24 && text.chars().all(fits)
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(&WORDS[..])
}

fn event_type() -> impl Strategy<Value = String> {
    prop::sample::select(&TYPES[..])
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        word().prop_map(Value::from),
        event_type().prop_map(Value::from),
        prop::sample::select(vec!["STOPPED", "failed", "completed", "", "9999999999999999999999"])
            .prop_map(Value::from),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 40, 6, |inner| {
        let name = prop_oneof![
            4 => word(),
            1 => any::<String>(),
        ];
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((name, inner), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// JSON in the envelope of a raw server or of a Socket.IO one.
fn any_frame() -> impl Strategy<Value = Frame> {
    let envelope = (event_type(), any_json()).prop_map(|(kind, inside)| {
        json!({"type": kind, "data": inside, "payload": inside, "event": kind, "id": "j1"})
            .to_string()
    });
    let event = (
        prop::sample::select(vec!["42", "42/jobs,", "42/job-progress,", "421", "43", "451-"]),
        event_type(),
        any_json(),
    )
        .prop_map(|(head, kind, inside)| format!("{head}{}", json!([kind, inside])));
    let packet = (
        prop::sample::select(vec!["0", "1", "2", "3", "40", "40/jobs,", "41", "44", "44/jobs,"]),
        any_json(),
    )
        .prop_map(|(head, inside)| format!("{head}{inside}"));
    prop_oneof![
        2 => any::<String>().prop_map(Frame::Text),
        2 => vec(any::<u8>(), 0..200).prop_map(Frame::Binary),
        2 => any_json().prop_map(|value| Frame::Text(value.to_string())),
        6 => envelope.prop_map(Frame::Text),
        6 => event.prop_map(Frame::Text),
        3 => packet.prop_map(Frame::Text),
        1 => Just(Frame::Ping),
        1 => Just(Frame::Pong),
    ]
}

fn topics() -> [Topic; 5] {
    [
        Topic::Job("123".into()),
        Topic::Job("task:7".into()),
        Topic::Queue("mail".to_owned()),
        Topic::User("5".to_owned()),
        Topic::Everything,
    ]
}

/// A dialect in the middle of its work: opened and watching.
fn working(kind: DialectKind) -> Box<dyn Dialect> {
    let mut dialect = speaking(kind, Some("a-long-key"));
    dialect.open().unwrap();
    dialect.opened();
    for topic in topics() {
        dialect.encode(&Outgoing::Watch(topic));
    }
    dialect
}

/// Every call that a dialect makes by itself, and what follows from these.
fn asks(dialect: &mut dyn Dialect, answer: &FetchResponse) -> Vec<Ask> {
    let mut asks: Vec<Ask> =
        topics().iter().flat_map(|topic| dialect.fetch(topic)).map(|request| request.ask).collect();
    for ask in asks.clone() {
        for incoming in dialect.parse(&ask, answer) {
            if let Incoming::Follow(request) = incoming {
                asks.push(request.ask);
            }
        }
    }
    asks
}

fn answer(status: u16, body: Vec<u8>) -> FetchResponse {
    FetchResponse { status, content_type: Some("application/json".to_owned()), body }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn every_dialect_survives_any_frames(frames in vec(any_frame(), 1..8)) {
        for kind in DialectKind::ALL {
            let mut dialect = working(kind);
            for frame in &frames {
                dialect.decode(frame);
            }
        }
    }

    #[test]
    fn every_dialect_survives_any_answers(
        body in prop_oneof![
            any_json().prop_map(|value| value.to_string().into_bytes()),
            vec(any::<u8>(), 0..200),
        ],
        status in prop::sample::select(vec![200_u16, 206, 302, 400, 401, 403, 404, 429, 500, 503]),
    ) {
        for kind in DialectKind::ALL {
            let mut dialect = working(kind);
            let answer = answer(status, body.clone());
            for mut ask in asks(dialect.as_mut(), &answer) {
                dialect.parse(&ask, &answer);
                ask.topic = None;
                dialect.parse(&ask, &answer);
            }
        }
    }

    #[test]
    fn text_passes_byte_for_byte(text in any::<String>()) {
        let line = |incoming: Vec<Incoming>| incoming.into_iter().find_map(|item| match item {
            Incoming::Update(Update::Log { lines, .. }) => lines.get(0).map(|line| line.text.to_owned()),
            _ => None,
        });
        let frame = json!({"type": "log_entry", "payload": {"taskId": "t", "message": text}});
        let mut kecs = working(DialectKind::Kecs);
        let heard = kecs.decode(&Frame::Text(frame.to_string()));
        prop_assert_eq!(line(heard), Some(text.clone()));

        let body = json!({"logs": [{"id": "1", "message": text}], "total": 1}).to_string();
        let ask = support::ask(DialectKind::BullBoard, None, "logs", &["run", "0", "all"]);
        let mut board = working(DialectKind::BullBoard);
        let read = board.parse(&ask, &answer(200, body.into_bytes()));
        prop_assert_eq!(line(read), Some(text.clone()));
    }
}

#[test]
fn text_with_html_ansi_and_bidi_characters_is_not_touched() {
    let text = "<script>alert(1)</script> \u{1b}[31mred\u{1b}[0m \u{202e}gnp.exe &amp; \u{0}\r\n";
    let row = json!({"task_id": 7, "task_status": "failed", "task_error": text});
    let frame =
        json!({"type": "JOB_TASKS_SNAPSHOT", "data": {"job_id": "1", "tasks": [row]}}).to_string();
    let heard = working(DialectKind::TriggerX).decode(&Frame::Text(frame));
    let [Incoming::Ready, Incoming::Update(Update::Job(patch))] = &*heard else {
        panic!("{heard:?}")
    };
    assert_eq!(patch.error.as_deref(), Some(text));
}

#[test]
fn null_where_an_array_should_be_is_an_empty_one() {
    for kind in DialectKind::ALL {
        let mut dialect = working(kind);
        for name in NAMES.iter() {
            let body = json!({name.as_str(): null}).to_string();
            let answer = answer(200, body.clone().into_bytes());
            for ask in asks(dialect.as_mut(), &answer) {
                dialect.parse(&ask, &answer);
            }
            for of_type in TYPES.iter() {
                let inside = json!({name.as_str(): null});
                let frame = json!({"type": of_type, "data": inside, "payload": inside});
                dialect.decode(&Frame::Text(frame.to_string()));
            }
        }
    }
}

#[test]
fn a_line_of_ten_megabytes_and_a_nest_of_a_million_levels_are_survived() {
    let long = "x".repeat(10 << 20);
    let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    let open = "{\"a\":".repeat(200_000);
    let frames = [
        long.clone(),
        json!({"type": "log_entry", "payload": {"taskId": "t", "message": long}}).to_string(),
        format!("42[\"job:progress\",{}]", json!({"jobId": "1", "message": long})),
        deep.clone(),
        format!(r#"{{"type":"TASK_UPDATED","data":{{"task_id":1,"changes":{deep}}}}}"#),
        format!(r#"{{"type":"metric_update","payload":{deep}}}"#),
        format!(r#"{{"type":"task_update","payload":{{"taskId":"a","task":{{"x":{deep}}}}}}}"#),
        format!("42[\"job:completed\",{{\"jobId\":\"1\",\"result\":{deep}}}]"),
        open,
    ];
    for kind in DialectKind::ALL {
        let mut dialect = working(kind);
        for frame in &frames {
            dialect.decode(&Frame::Text(frame.clone()));
        }
        let answer = answer(200, format!(r#"{{"jobs":[{deep}],"job":{deep}}}"#).into_bytes());
        for ask in asks(dialect.as_mut(), &answer) {
            dialect.parse(&ask, &answer);
        }
    }
}
