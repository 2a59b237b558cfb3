//! JSON that is not quite JSON, as Python's `json.dumps` and hand-made servers write it, over
//! Socket.IO. The servers of raw JSON are tried with all their fixtures.

#![allow(clippy::unwrap_used)]

mod support;

use jobwatch_core::dialect::{Dialect, FetchResponse, Incoming, Outgoing, tolerant};
use jobwatch_core::model::{Topic, Update};
use jobwatch_core::server::DialectKind;
use support::{show, speaking, text};

fn states(incoming: &[Incoming]) -> Vec<String> {
    let of = |item: &Incoming| match item {
        Incoming::Update(Update::Job(patch)) => Some(format!("{:?}", patch.state)),
        Incoming::Unknown(_) => Some(show(item).to_string()),
        _ => None,
    };
    incoming.iter().filter_map(of).collect()
}

fn connected(kind: DialectKind, namespace: &str) -> Box<dyn Dialect> {
    let mut dialect = speaking(kind, Some("key"));
    dialect.open().unwrap();
    dialect.decode(&text(r#"0{"sid":"x","pingInterval":25000,"pingTimeout":20000}"#));
    dialect.decode(&text(&format!(r#"40{namespace}{{"sid":"y"}}"#)));
    dialect.encode(&Outgoing::Watch(Topic::Everything));
    dialect
}

#[test]
fn an_event_whose_result_is_not_a_number_is_the_end_of_its_job() {
    for (kind, frame) in [
        (
            DialectKind::Analyzer,
            r#"42["job-completed",{"jobId":"1","queue":"q","result":{"mean":NaN},"timestamp":1795193688009}]"#,
        ),
        (
            DialectKind::StudyBuddy,
            r#"42/jobs,["job:completed",{"jobId":"1","result":{"mean":-Infinity}}]"#,
        ),
    ] {
        let namespace = if kind == DialectKind::StudyBuddy { "/jobs," } else { "" };
        let mut dialect = connected(kind, namespace);
        assert!(!states(&dialect.decode(&text(frame))).contains(&"Some(Completed)".to_owned()));
        let read = tolerant::decode(&mut *connected(kind, namespace), &text(frame));
        assert_eq!(states(&read), ["Some(Completed)"], "{kind:?}");
    }
}

#[test]
fn a_list_in_which_one_value_is_not_a_number_is_read_whole() {
    for kind in [DialectKind::Analyzer, DialectKind::StudyBuddy] {
        let mut dialect = speaking(kind, Some("key"));
        let rows = r#"[{"id":"1","name":"a","queue":"q","status":"failed","progress":NaN,"error":"line one
line two","createdAt":"2026-11-20T16:54:47.254Z"}]"#;
        let body = format!(r#"{{"jobs":{rows},"total":1,"data":{rows}}}"#);
        let requests = dialect.fetch(&Topic::Job("1".into()));
        let ask = &requests.first().unwrap().ask;
        let body = if ask.name() == "job" { rows[1..rows.len() - 1].to_owned() } else { body };
        let answer = FetchResponse {
            status: 200,
            content_type: Some("application/json".to_owned()),
            body: body.into_bytes(),
        };
        let read = tolerant::parse(&mut *dialect, ask, &answer);
        let read = states(&read);
        assert!(read.iter().all(|state| state.starts_with("Some(Failed")), "{kind:?}: {read:?}");
        assert!(!read.is_empty(), "{kind:?} {}", ask.name());
    }
}
