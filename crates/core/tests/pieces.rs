//! Long answers are read a piece at a time, and mean the same as read whole.

#![allow(clippy::unwrap_used)]

mod support;

use jobwatch_core::dialect::oversized::Read;
use jobwatch_core::dialect::pieces::Pieces;
use jobwatch_core::dialect::{Ask, Dialect, FetchResponse, Incoming};
use jobwatch_core::model::{Topic, Update};
use jobwatch_core::server::DialectKind;
use jobwatch_core::wire::parts::Splitter;
use serde_json::json;
use support::speaking;

fn ask(topic: Topic, call: &str, args: &[&str]) -> Ask {
    support::ask(DialectKind::TriggerX, Some(&topic), call, args)
}

fn answered(body: &str) -> Read {
    Read::whole(FetchResponse {
        status: 200,
        content_type: Some("application/json".to_owned()),
        body: body.as_bytes().to_vec(),
    })
}

/// Jobs of which every second runs.
fn jobs(count: usize) -> String {
    let row = |n| {
        let status = if n % 2 == 0 { "running" } else { "completed" };
        json!({"job_data": {"job_id": n, "job_title": "a ] } \" b", "status": status, "user_id": 7}})
    };
    json!({"jobs": (1..=count).map(row).collect::<Vec<_>>(), "total": count}).to_string()
}

/// How many jobs each piece of an answer tells of.
fn pieces(dialect: &mut dyn Dialect, ask: &Ask, read: &Read) -> Vec<(usize, Vec<Incoming>)> {
    let mut pieces = Pieces::default();
    let mut all = Vec::new();
    while let Some(piece) = pieces.next(dialect, ask, read) {
        let piece = piece.unwrap();
        let is_job = |item: &&Incoming| matches!(item, Incoming::Update(Update::Job(_)));
        all.push((piece.iter().filter(is_job).count(), piece));
    }
    assert!(pieces.is_done());
    all
}

#[test]
fn a_list_of_thousands_of_jobs_is_read_some_hundred_at_a_time_and_in_its_order() {
    let body = jobs(5_000);
    let ask = ask(Topic::Everything, "jobs-by-key", &[]);
    let all = pieces(&mut *speaking(DialectKind::TriggerX, Some("key")), &ask, &answered(&body));
    let counts: Vec<usize> = all.iter().map(|(count, _)| *count).collect();
    assert_eq!(counts.iter().sum::<usize>(), 5_000);
    assert!(counts.len() > 10 && counts.iter().all(|count| *count <= 500), "{counts:?}");
    let told = all.iter().flat_map(|(_, piece)| piece);
    let ids = told.filter_map(|item| match item {
        Incoming::Update(Update::Job(patch)) => Some(patch.id.clone().unwrap().to_string()),
        _ => None,
    });
    assert!(ids.eq((1..=5_000).map(|n| format!("job:{n}"))));
}

#[test]
fn what_is_said_of_a_list_as_a_whole_is_said_once_with_its_last_piece() {
    let body = jobs(5_000);
    let ask = ask(Topic::Everything, "jobs-by-key", &[]);
    let all = pieces(&mut *speaking(DialectKind::TriggerX, Some("key")), &ask, &answered(&body));
    let whole = |item: &&Incoming| matches!(item, Incoming::Partial { .. } | Incoming::Follow(_));
    let said: Vec<usize> =
        all.iter().map(|(_, piece)| piece.iter().filter(whole).count()).collect();
    let (last, others) = said.split_last().unwrap();
    // More run than are followed one by one, and the numbers of the server are asked for.
    assert_eq!(*last, 2);
    assert!(others.iter().all(|count| *count == 0), "{said:?}");
}

#[test]
fn a_list_that_must_be_mended_first_is_read_in_pieces_too() {
    let body = jobs(2_000).replace("\"user_id\":7", "\"fee\":NaN,\"user_id\":7");
    let ask = ask(Topic::Everything, "jobs-by-key", &[]);
    let all = pieces(&mut *speaking(DialectKind::TriggerX, Some("key")), &ask, &answered(&body));
    assert_eq!(all.iter().map(|(count, _)| count).sum::<usize>(), 2_000);
    assert!(all.len() > 4 && all.iter().all(|(count, _)| *count <= 500));
    let odd = |item: &Incoming| matches!(item, Incoming::Unknown(_));
    assert!(!all.iter().any(|(_, piece)| piece.iter().any(odd)));
}

#[test]
fn the_one_job_that_is_looked_for_in_a_long_list_ends_the_reading() {
    let body = jobs(5_000);
    let job = ask(Topic::Job("job:300".into()), "jobs-by-key", &["300"]);
    let all = pieces(&mut *speaking(DialectKind::TriggerX, Some("key")), &job, &answered(&body));
    let counts: Vec<usize> = all.iter().map(|(count, _)| *count).collect();
    assert_eq!(counts, [0, 1]);
}

#[test]
fn in_a_body_that_is_no_utf_8_no_row_is_lost() {
    let mut read = answered(&jobs(1_000).replace("a ] }", "caf\u{1}"));
    for byte in &mut read.response.body {
        if *byte == 1 {
            *byte = 0xe9;
        }
    }
    let ask = ask(Topic::Everything, "jobs-by-key", &[]);
    let all = pieces(&mut *speaking(DialectKind::TriggerX, Some("key")), &ask, &read);
    assert_eq!(all.iter().map(|(count, _)| count).sum::<usize>(), 1_000);
}

/// What an answer means that comes in so many parts.
fn in_parts(dialect: &mut dyn Dialect, ask: &Ask, parts: &[Read]) -> Vec<Incoming> {
    let mut pieces = Pieces::default();
    let mut all = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        pieces.next_part(index + 1 < parts.len());
        while let Some(piece) = pieces.next(dialect, ask, part) {
            all.append(&mut piece.unwrap());
        }
    }
    all
}

#[test]
fn a_list_that_comes_in_parts_means_the_same_as_one_that_comes_whole() {
    let body = jobs(3_000);
    let ask = ask(Topic::Everything, "jobs-by-key", &[]);
    let whole = answered(&body).incoming(&mut *speaking(DialectKind::TriggerX, Some("key")), &ask);
    for size in [100, 20_000, 1 << 20] {
        let mut splitter = Splitter::new(size, size);
        let chunks = body.as_bytes().chunks(10_000);
        let mut parts: Vec<Vec<u8>> = chunks.filter_map(|chunk| splitter.push(chunk)).collect();
        parts.push(splitter.rest());
        let parts: Vec<Read> =
            parts.iter().map(|part| answered(std::str::from_utf8(part).unwrap())).collect();
        assert_eq!(parts.len() > 1, size < body.len());
        let dialect = &mut *speaking(DialectKind::TriggerX, Some("key"));
        assert_eq!(Some(in_parts(dialect, &ask, &parts)), whole, "{size}");
    }
}

#[test]
fn of_a_list_in_parts_that_is_too_large_all_that_came_is_counted() {
    let body = jobs(4_000);
    let mut splitter = Splitter::new(100_000, 50_000);
    let mut parts: Vec<Read> = body.as_bytes()[..body.len() - 300]
        .chunks(10_000)
        .filter_map(|chunk| splitter.push(chunk))
        .map(|part| answered(std::str::from_utf8(&part).unwrap()))
        .collect();
    let last = FetchResponse { body: splitter.rest(), ..parts[0].response.clone() };
    parts.push(Read::beginning(last, 32 << 20));
    let ask = ask(Topic::Everything, "jobs-by-key", &[]);
    let told = in_parts(&mut *speaking(DialectKind::TriggerX, Some("key")), &ask, &parts);
    let why = told.iter().find_map(|item| match item {
        Incoming::Partial { why: Some(why), .. } if why.contains("32 MiB") => Some(why),
        _ => None,
    });
    assert!(why.unwrap().contains("first 3,900 jobs"), "{why:?}");
}
