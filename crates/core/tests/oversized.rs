//! Answers that are too large to be read to their end: what came whole of a list is shown and it is
//! said that there is more, smaller parts are asked for where the server serves them, and of nothing
//! else half is believed.

#![allow(clippy::unwrap_used)]

mod support;

use jobwatch_core::dialect::oversized::Read;
use jobwatch_core::dialect::{Ask, Dialect, FetchRequest, FetchResponse, Incoming};
use jobwatch_core::model::{Topic, Update};
use jobwatch_core::server::DialectKind;
use serde_json::{Value, json};
use support::{ask, speaking};

const LIMIT: usize = 32 << 20;

/// The answer `body` as it is read when it ends after so many bytes.
fn begun(body: &str, bytes: usize) -> Read {
    let response = FetchResponse {
        status: 200,
        content_type: Some("application/json".to_owned()),
        body: body.as_bytes()[..bytes].to_vec(),
    };
    Read::beginning(response, LIMIT)
}

/// The ids of the jobs that an answer tells, and why it is not all.
fn told(incoming: &[Incoming]) -> (Vec<String>, Option<String>) {
    let mut jobs = Vec::new();
    let mut why = None;
    for item in incoming {
        match item {
            Incoming::Update(Update::Job(patch)) => {
                jobs.push(patch.id.clone().unwrap().to_string())
            }
            Incoming::Update(Update::Gone(id)) => panic!("{id} is not known to be gone"),
            Incoming::Partial { open, why: said } => {
                assert!(open, "a job under way may be missing");
                why.clone_from(said);
            }
            Incoming::Unknown(odd) => panic!("{}", odd.text),
            _ => {}
        }
    }
    (jobs, why)
}

struct List {
    kind: DialectKind,
    topic: Topic,
    call: &'static str,
    args: &'static [&'static str],
    row: fn(usize) -> Value,
    envelope: fn(Vec<Value>) -> Value,
    advice: &'static str,
}

const UUID: &str = "01999d2e-7d0c-7b11-8d3a-2f8a1f0e9c";

fn lists() -> Vec<List> {
    let everything = "Watch single queues instead of everything.";
    let triggerx_job =
        |n| json!({"job_data": {"job_id": n, "status": "running", "job_title": "a ] } \" b"}});
    let task =
        |n| json!({"task_id": n, "job_id": 7, "task_status": "processing", "is_imua": false});
    let queue = Topic::Queue("mail".to_owned());
    vec![
        List {
            kind: DialectKind::TriggerX,
            topic: Topic::Everything,
            call: "jobs-by-key",
            args: &[],
            row: triggerx_job,
            envelope: |rows| json!({"jobs": rows, "total": 9}),
            advice: "Watch single jobs instead.",
        },
        List {
            kind: DialectKind::TriggerX,
            topic: Topic::User("0xabc".to_owned()),
            call: "jobs",
            args: &[],
            row: triggerx_job,
            envelope: |rows| json!({"jobs": rows}),
            advice: "Watch single jobs instead.",
        },
        List {
            kind: DialectKind::TriggerX,
            topic: Topic::Job("job:7".into()),
            call: "tasks",
            args: &["7"],
            row: task,
            envelope: Value::Array,
            advice: "only about its first",
        },
        List {
            kind: DialectKind::StudyBuddy,
            topic: Topic::Everything,
            call: "list",
            args: &[],
            row: |n| json!({"jobId": n.to_string(), "queueName": "mail", "status": "active"}),
            envelope: |rows| json!({"success": true, "count": 50, "jobs": rows}),
            advice: everything,
        },
        List {
            kind: DialectKind::Analyzer,
            topic: queue.clone(),
            call: "list",
            args: &["mail", "completed"],
            row: |n| json!({"id": n.to_string(), "name": "x", "state": "completed", "data": {"a": [1]}}),
            envelope: |rows| json!({"jobs": rows, "total": 200, "limit": 200, "offset": 0}),
            advice: "Watch single jobs instead.",
        },
        List {
            kind: DialectKind::BullBoard,
            topic: queue,
            call: "table",
            args: &["1", r#"{"limit":1}"#],
            row: |n| json!({"id": format!("{UUID}{n:02}"), "jobId": n.to_string(), "queue": "mail", "status": "active"}),
            envelope: |rows| json!({"jobs": rows, "nextCursor": {"id": 1}, "prevCursor": null}),
            advice: "Watch single jobs instead.",
        },
    ]
}

#[test]
fn of_a_list_that_is_too_large_what_came_whole_is_shown_and_it_is_said_that_there_is_more() {
    for list in lists() {
        let name = format!("{:?} {}", list.kind, list.call);
        let body = (list.envelope)((1..=40).map(list.row).collect()).to_string();
        let ask = ask(list.kind, Some(&list.topic), list.call, list.args);
        let mut dialect = speaking(list.kind, Some("key"));
        let whole = dialect.parse(&ask, &begun(&body, body.len()).response);
        let (all, why) = told(&whole);
        assert_eq!((all.len(), why), (40, None), "{name}");
        for bytes in [body.len() / 4, body.len() / 2, body.len() * 3 / 4] {
            let incoming = begun(&body, bytes).incoming(&mut *dialect, &ask).unwrap();
            let (some, why) = told(&incoming);
            assert!(some.len() > 4 && some.len() < 36, "{name}: {}", some.len());
            assert_eq!(some, all[..some.len()], "{name}");
            let why = why.unwrap();
            let size = "is larger than the 32 MiB that are read of one answer";
            assert!(why.contains(size) && why.contains(list.advice), "{name}: {why}");
            assert!(why.contains("of its first") || why.contains("its first"), "{name}: {why}");
        }
    }
}

#[test]
fn the_jobs_that_are_shown_of_a_list_are_counted_roughly_and_the_sentence_stays_the_same() {
    let why = |rows: usize| {
        let row = |n| json!({"job_data": {"job_id": n, "status": "running"}});
        let body = json!({"jobs": (1..=rows).map(row).collect::<Vec<_>>()}).to_string();
        let mut dialect = speaking(DialectKind::TriggerX, Some("key"));
        let ask = ask(DialectKind::TriggerX, Some(&Topic::Everything), "jobs-by-key", &[]);
        told(&begun(&body, body.len() - 3).incoming(&mut *dialect, &ask).unwrap()).1.unwrap()
    };
    assert_eq!(
        why(1_240),
        "The list of all jobs is larger than the 32 MiB that are read of one answer: only about its \
         first 1,200 jobs are shown. Watch single jobs instead."
    );
    assert_eq!(why(1_240), why(1_290));
}

#[test]
fn half_of_what_is_no_list_is_not_believed() {
    let job = Topic::Job("7".into());
    for (kind, call, args, body) in [
        (DialectKind::TriggerX, "task", &["7"][..], r#"{"task_id":7,"x":[{"a":1},{"#),
        (DialectKind::StudyBuddy, "job", &["7"], r#"{"job":{"jobId":"7","data":[{"a":1},{"#),
        (DialectKind::Analyzer, "job", &["7"], r#"{"id":"7","data":[{"a":1},{"#),
        // The job that is looked for may stand in the rest.
        (DialectKind::Analyzer, "outcome", &["q", "", "7", "x"], r#"{"jobs":[{"id":"1"},{"#),
        (DialectKind::Kecs, "find", &["7", "blue"], r#"{"tasks":[{"#),
        (DialectKind::Kecs, "clusters-of-task", &["7"], r#"{"clusterArns":["a","#),
        (DialectKind::BullBoard, "job", &["7"], r#"{"job":{"id":"7","tags":["a","#),
    ] {
        let mut dialect = speaking(kind, Some("key"));
        let ask = ask(kind, Some(&job), call, args);
        let incoming = begun(body, body.len()).incoming(&mut *dialect, &ask);
        assert_eq!(incoming, None, "{kind:?} {call}");
    }
}

/// What is asked for in place of an answer that was too large.
fn parts(dialect: &mut dyn Dialect, ask: &Ask) -> Vec<FetchRequest> {
    let incoming = begun("{\"jobs\":[{", 10).incoming(dialect, ask).unwrap();
    let request = |item| match item {
        Incoming::Follow(request) => request,
        other => panic!("{other:?}"),
    };
    incoming.into_iter().map(request).collect()
}

fn body(request: &FetchRequest) -> Value {
    serde_json::from_str(request.body.as_deref().unwrap()).unwrap()
}

#[test]
fn a_page_of_better_bull_board_that_is_too_large_is_asked_for_in_smaller_ones_down_to_single_runs()
{
    let mut dialect = speaking(DialectKind::BullBoard, Some("key"));
    let mut request = dialect.fetch(&Topic::Everything).remove(0);
    let mut limits = vec![body(&request)["limit"].clone()];
    for _ in 0..3 {
        let mut smaller = parts(&mut *dialect, &request.ask);
        request = smaller.remove(0);
        assert!(smaller.is_empty() && request.address.to_string().ends_with("/api/jobs/table"));
        limits.push(body(&request)["limit"].clone());
    }
    assert_eq!(limits, [100, 25, 6, 1]);
    // The next round begins with what fits, and reads as many runs as before.
    let first = dialect.fetch(&Topic::Everything).remove(0);
    assert_eq!(body(&first)["limit"], 1);
    let row = json!({"id": format!("{UUID}11"), "jobId": "1", "queue": "mail", "status": "active"});
    let answer = json!({"jobs": [row], "nextCursor": {"id": 1}}).to_string();
    let whole = FetchResponse { status: 200, content_type: None, body: answer.into_bytes() };
    let page =
        ask(DialectKind::BullBoard, Some(&Topic::Everything), "table", &["100", r#"{"limit":1}"#]);
    let next = |item: &Incoming| matches!(item, Incoming::Follow(next) if body(next)["limit"] == 1);
    assert!(dialect.parse(&page, &whole).iter().any(next));
    dialect.open().unwrap();
    assert_eq!(body(&dialect.fetch(&Topic::Everything)[0])["limit"], 100);
}

#[test]
fn tasks_of_kecs_whose_descriptions_are_too_large_are_described_in_parts() {
    let mut dialect = speaking(DialectKind::Kecs, None);
    let tasks: Vec<String> = (0..100).map(|n| format!("arn:aws:ecs:x:1:task/blue/{n}")).collect();
    let list =
        ask(DialectKind::Kecs, Some(&Topic::Everything), "list", &["blue", "", "RUNNING", "1"]);
    let answer = json!({"taskArns": tasks}).to_string();
    let whole = FetchResponse { status: 200, content_type: None, body: answer.into_bytes() };
    let Some(Incoming::Follow(describe)) = dialect.parse(&list, &whole).into_iter().next() else {
        panic!("the tasks are described");
    };
    let mut asked = vec![describe];
    let mut described = Vec::new();
    while let Some(request) = asked.pop() {
        let body = body(&request);
        assert_eq!(body["cluster"], "blue");
        match body["tasks"].as_array().unwrap().as_slice() {
            [one] => described.push(one.as_str().unwrap().to_owned()),
            _ => asked.extend(parts(&mut *dialect, &request.ask)),
        }
    }
    described.sort();
    let mut all = tasks;
    all.sort();
    assert_eq!(described, all);
    // One alone that is too large is not to be had.
    let one = ask(DialectKind::Kecs, Some(&Topic::Everything), "describe", &["blue", "x"]);
    assert_eq!(begun("{\"tasks\":[{", 11).incoming(&mut *dialect, &one), None);
}

#[test]
fn log_lines_that_are_too_large_for_one_answer_are_asked_for_in_smaller_pages() {
    let mut dialect = speaking(DialectKind::BullBoard, Some("key"));
    let logs = ask(DialectKind::BullBoard, None, "logs", &["r", "3000", "next", "1000"]);
    let smaller = parts(&mut *dialect, &logs).remove(0);
    let asked = body(&smaller);
    assert_eq!((asked["offset"].as_u64(), asked["limit"].as_u64()), (Some(3000), Some(250)));
    // The page after it is as small.
    let rows: Vec<Value> =
        (0..250).map(|n| json!({"id": n, "logSeq": 3000 + n, "message": "x", "ts": n})).collect();
    let answer = json!({"logs": rows, "total": 5000}).to_string();
    let whole = FetchResponse { status: 200, content_type: None, body: answer.into_bytes() };
    let followed = dialect.parse(&smaller.ask, &whole);
    let next = followed.iter().find_map(|item| match item {
        Incoming::Follow(next) => Some(body(next)),
        _ => None,
    });
    let next = next.unwrap();
    assert_eq!((next["offset"].as_u64(), next["limit"].as_u64()), (Some(3250), Some(250)));

    let mut dialect = speaking(DialectKind::Kecs, None);
    // The newest 256,000 lines are too many, and no more than a quarter of them is asked for again.
    let tail = ask(DialectKind::Kecs, None, "task-logs", &["7", "arn", "blue", "256000"]);
    let smaller = parts(&mut *dialect, &tail).remove(0);
    assert_eq!(body(&smaller)["tail"], 64_000);
    let line = |n: usize| json!({"timestamp": n.to_string(), "message": format!("line {n}")});
    let answer = json!({"logs": (0..64_000).map(line).collect::<Vec<_>>()}).to_string();
    let whole = FetchResponse { status: 200, content_type: None, body: answer.into_bytes() };
    let followed = dialect.parse(&smaller.ask, &whole);
    assert!(!followed.iter().any(|item| matches!(item, Incoming::Follow(_))));
    let short =
        |item: &Incoming| matches!(item, Incoming::LogPart(part) if part.held_back.is_some());
    assert!(followed.iter().any(short), "it is said that this is not all");

    let stored = ask(
        DialectKind::Kecs,
        None,
        "logs",
        &["7", "web", "500", "blue", "eu", "", "next", "arn", "500"],
    );
    let smaller = parts(&mut *dialect, &stored).remove(0);
    let query: Vec<_> = smaller.address.expose().query_pairs().into_owned().collect();
    let has = |name: &str, value: &str| query.contains(&(name.to_owned(), value.to_owned()));
    assert!(has("limit", "125") && has("offset", "500"), "{query:?}");
}
