//! Logs that are served in pages, as they are served: whole, trimmed, growing in the middle, begun
//! anew. A server by hand, and every look that a dialect takes at it.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::VecDeque;

use jobwatch_core::dialect::{Dialect, FetchRequest, FetchResponse, Incoming, LogFrom, LogPart};
use jobwatch_core::model::{Job, JobState, Json, Source, Update};
use jobwatch_core::server::DialectKind;
use serde_json::{Value, json};
use support::speaking;

const T: i64 = 1_758_900_001_000;

/// A line: its number, its time, its text.
type Line = (u64, i64, String);

fn line(number: u64) -> Line {
    (number, T + i64::try_from(number).unwrap() * 1_000, format!("line {number}"))
}

fn lines(numbers: impl IntoIterator<Item = u64>) -> Vec<Line> {
    numbers.into_iter().map(line).collect()
}

/// How a server serves its log.
#[derive(Clone, Copy, PartialEq)]
enum Serves {
    /// Page after page.
    Pages,
    /// The newest lines, whatever is asked for, without ids.
    Newest(usize),
    /// The same page, whatever is asked for.
    Same,
}

struct Server {
    kind: DialectKind,
    serves: Serves,
    lines: Vec<Line>,
}

/// What a look brought.
#[derive(Debug, Default, PartialEq)]
struct Look {
    texts: Vec<String>,
    gaps: Vec<(i64, i64)>,
    part: LogPart,
    requests: usize,
}

impl Look {
    /// The texts that were not among `known`, which is extended by them.
    fn unknown(&self, known: &mut Vec<String>) -> Vec<String> {
        let new: Vec<String> =
            self.texts.iter().filter(|text| !known.contains(text)).cloned().collect();
        known.extend(new.clone());
        new
    }
}

impl Server {
    fn new(kind: DialectKind, lines: Vec<Line>) -> Server {
        Server { kind, serves: Serves::Pages, lines }
    }

    fn answer(&self, request: &FetchRequest) -> FetchResponse {
        let url = request.address.expose();
        let body: Value =
            request.body.as_deref().map_or(Value::Null, |body| serde_json::from_str(body).unwrap());
        let number = |name: &str| {
            let of_query = || url.query_pairs().find(|(own, _)| own == name)?.1.parse().ok();
            let of_body = body.get(name).and_then(Value::as_u64);
            usize::try_from(of_body.or_else(of_query).unwrap()).unwrap()
        };
        let (limit, offset) = (number("limit"), number("offset"));
        let total = self.lines.len();
        let page: Vec<&Line> = match self.serves {
            Serves::Pages => self.lines.iter().skip(offset).take(limit).collect(),
            Serves::Newest(most) => {
                self.lines.iter().skip(total.saturating_sub(limit.min(most))).collect()
            }
            Serves::Same => self.lines.iter().take(limit).collect(),
        };
        let newest = matches!(self.serves, Serves::Newest(_));
        let body = match self.kind {
            DialectKind::BullBoard => {
                let rows: Vec<Value> = page
                    .iter()
                    .map(|(n, at, text)| {
                        json!({"id": format!("l{n}"), "logSeq": n, "level": "info",
                            "message": text, "ts": at})
                    })
                    .collect();
                json!({"logs": rows, "total": total})
            }
            _ => {
                let rows: Vec<Value> = page
                    .iter()
                    .map(|(n, at, text)| {
                        let id = if newest { String::new() } else { format!("l{n}") };
                        json!({"id": id, "log_line": text, "timestamp": at})
                    })
                    .collect();
                let total = if newest { 0 } else { total };
                json!({"logs": rows, "totalCount": total, "limit": limit, "offset": offset})
            }
        };
        FetchResponse {
            status: 200,
            content_type: Some("application/json".to_owned()),
            body: body.to_string().into_bytes(),
        }
    }

    fn look(&self, dialect: &mut dyn Dialect) -> Look {
        let mut requests: VecDeque<FetchRequest> =
            dialect.fetch_logs(&job(), LogFrom::Known).into();
        let mut look = Look::default();
        while let Some(request) = requests.pop_front() {
            look.requests += 1;
            assert!(look.requests < 100, "the look comes to no end");
            for incoming in dialect.parse(&request.ask, &self.answer(&request)) {
                match incoming {
                    Incoming::Follow(request) => requests.push_back(request),
                    Incoming::LogPart(part) => look.part = part,
                    Incoming::Update(Update::Log { lines, .. }) => {
                        look.texts.extend(lines.iter().map(|line| line.text.to_owned()));
                        let ms = |at: jiff::Timestamp| match at == jiff::Timestamp::MIN {
                            true => i64::MIN,
                            false => (at.as_millisecond() - T) / 1_000,
                        };
                        look.gaps.extend(lines.gap().map(|(from, to)| (ms(from), ms(to))));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        look
    }
}

fn job() -> Job {
    let id = "01999d2e-7d0c-7b11-8d3a-2f8a1f0e9c11";
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut job = Job::new(id, JobState::Running, Source::Http, at);
    job.queue = Some("blue".to_owned());
    job.extra.insert("containers".to_owned(), Json::parse(r#"[{"name":"web"}]"#).unwrap());
    job
}

fn texts(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    lines(numbers).into_iter().map(|(_, _, text)| text).collect()
}

fn whole() -> LogPart {
    LogPart::default()
}

const SERVED: [DialectKind; 2] = [DialectKind::BullBoard, DialectKind::Kecs];

#[test]
fn a_log_of_fifty_thousand_lines_is_read_to_its_end() {
    for kind in SERVED {
        let server = Server::new(kind, lines(0..30_000));
        let look = server.look(speaking(kind, None).as_mut());
        assert_eq!(look.texts.len(), 30_000, "{kind:?}");
        assert!(look.texts.iter().eq(&texts(0..30_000)));
        assert_eq!(look.part, whole());
    }
    let server = Server::new(DialectKind::BullBoard, lines(0..50_000));
    let look = server.look(speaking(DialectKind::BullBoard, None).as_mut());
    assert_eq!((look.texts.len(), look.requests), (50_000, 50));
}

#[test]
fn the_next_look_reads_what_is_new_and_a_few_lines_before() {
    for kind in SERVED {
        let mut dialect = speaking(kind, None);
        let mut server = Server::new(kind, lines(1..=1_200));
        let mut known = Vec::new();
        server.look(dialect.as_mut()).unknown(&mut known);
        server.lines.extend(lines(1_201..=1_203));
        let look = server.look(dialect.as_mut());
        assert_eq!(look.unknown(&mut known), texts(1_201..=1_203), "{kind:?}");
        assert_eq!((look.requests, look.texts.len(), look.gaps.len()), (1, 53, 0));
        let look = server.look(dialect.as_mut());
        assert_eq!(look.unknown(&mut known), texts([]));
        assert_eq!(look.requests, 1);
    }
}

#[test]
fn a_server_that_keeps_only_the_newest_lines_is_read_on_line_for_line() {
    for kind in SERVED {
        let mut dialect = speaking(kind, None);
        let mut server = Server::new(kind, lines(401..=500));
        let mut known = Vec::new();
        assert_eq!(server.look(dialect.as_mut()).texts, texts(401..=500));
        known.extend(texts(401..=500));
        for newest in 501..=520 {
            server.lines.remove(0);
            server.lines.push(line(newest));
            let look = server.look(dialect.as_mut());
            assert_eq!(look.unknown(&mut known), texts([newest]), "{kind:?}");
            assert!(look.gaps.is_empty() && look.part.left == 0, "{look:?}");
        }
        // Further than the lines that are read again, but not further than what the server keeps.
        server.lines = lines(496..=595);
        let look = server.look(dialect.as_mut());
        assert_eq!(look.unknown(&mut known), texts(521..=595), "{kind:?}");
        assert!(look.gaps.is_empty());
    }
}

#[test]
fn lines_that_the_server_dropped_unread_are_a_gap() {
    for kind in SERVED {
        let mut dialect = speaking(kind, None);
        let mut server = Server::new(kind, lines(1..=100));
        let mut known = Vec::new();
        server.look(dialect.as_mut()).unknown(&mut known);
        server.lines = lines(251..=350);
        let look = server.look(dialect.as_mut());
        assert_eq!(look.unknown(&mut known), texts(251..=350), "{kind:?}");
        assert_eq!(look.gaps, [(100, 251)], "{kind:?}");
        server.lines = lines(252..=351);
        let look = server.look(dialect.as_mut());
        assert_eq!(look.unknown(&mut known), texts([351]));
        assert!(look.gaps.is_empty(), "it is told once");
    }
}

#[test]
fn a_late_line_is_found_wherever_it_was_put_in() {
    for kind in SERVED {
        for (count, at) in
            [(100, 95), (100, 20), (100, 0), (3_000, 2_990), (3_000, 2_500), (3_000, 7)]
        {
            let mut dialect = speaking(kind, None);
            let mut server = Server::new(kind, lines((1..=count).map(|n| n * 10)));
            let mut known = Vec::new();
            server.look(dialect.as_mut()).unknown(&mut known);
            let late = line(at as u64 * 10 + 5);
            server.lines.insert(at, late.clone());
            server.lines.push(line(count * 10 + 10));
            let mut new = server.look(dialect.as_mut()).unknown(&mut known);
            new.sort();
            let mut expected = vec![late.2, line(count * 10 + 10).2];
            expected.sort();
            assert_eq!(new, expected, "{kind:?}: {count} lines, one put in at {at}");
            assert_eq!(server.look(dialect.as_mut()).unknown(&mut known), texts([]));
        }
    }
}

#[test]
fn a_log_that_begins_anew_is_read_from_its_beginning_and_misses_nothing() {
    for kind in SERVED {
        let mut dialect = speaking(kind, None);
        let mut server = Server::new(kind, lines(1..=200));
        let mut known = Vec::new();
        server.look(dialect.as_mut()).unknown(&mut known);
        // The second attempt's lines are numbered from 0 again.
        server.lines = (0..30).map(|n| (n, T + 500_000 + n as i64, format!("again {n}"))).collect();
        let look = server.look(dialect.as_mut());
        assert_eq!(look.unknown(&mut known).len(), 30, "{kind:?}");
        assert!(look.gaps.is_empty(), "{kind:?}: {:?}", look.gaps);
    }
}

#[test]
fn a_server_that_gives_the_same_page_again_and_again_is_not_asked_for_ever() {
    for kind in SERVED {
        let mut server = Server::new(kind, lines(0..9_000));
        server.serves = Serves::Same;
        let look = server.look(speaking(kind, None).as_mut());
        assert!(look.requests <= 3, "{kind:?}: {}", look.requests);
        assert!(look.part.left > 0 && look.part.held_back.is_some(), "{:?}", look.part);
    }
}

#[test]
fn a_log_whose_first_lines_were_dropped_before_it_was_first_read_says_so() {
    let beginning = i64::MIN;
    // Lines are numbered from 0 or from 1, and a late line may stand before the first.
    for (numbers, gaps) in [
        ((0..700).collect::<Vec<u64>>(), vec![]),
        ((1..700).collect(), vec![]),
        (std::iter::once(3).chain(0..700).collect(), vec![]),
        ((251..700).collect(), vec![(beginning, 251)]),
    ] {
        let mut dialect = speaking(DialectKind::BullBoard, None);
        let mut server = Server::new(DialectKind::BullBoard, lines(numbers));
        assert_eq!(server.look(dialect.as_mut()).gaps, gaps);
        server.lines.push(line(700));
        assert!(server.look(dialect.as_mut()).gaps.is_empty(), "it is told once");
    }
    let mut server = Server::new(DialectKind::Kecs, lines(0..10_000));
    server.serves = Serves::Newest(500);
    let look = server.look(speaking(DialectKind::Kecs, None).as_mut());
    assert_eq!(look.gaps, [(beginning, 9_500)]);
}

#[test]
fn of_a_running_container_more_lines_are_asked_for_until_there_are_no_more() {
    let mut dialect = speaking(DialectKind::Kecs, None);
    let mut server = Server::new(DialectKind::Kecs, lines(0..10_000));
    server.serves = Serves::Newest(usize::MAX);
    let mut known = Vec::new();
    let look = server.look(dialect.as_mut());
    assert_eq!(look.unknown(&mut known), texts(0..10_000));
    assert_eq!(look.part, whole());
    // Many lines between two looks.
    server.lines.extend(lines(10_000..12_000));
    let look = server.look(dialect.as_mut());
    assert_eq!(look.unknown(&mut known), texts(10_000..12_000));
    assert!(look.gaps.is_empty());
    server.lines.extend(lines(12_000..12_003));
    let look = server.look(dialect.as_mut());
    assert_eq!((look.unknown(&mut known), look.requests), (texts(12_000..12_003), 1));
}

#[test]
fn a_running_container_whose_older_lines_are_not_served_is_said_to_be_cut() {
    let mut dialect = speaking(DialectKind::Kecs, None);
    let mut server = Server::new(DialectKind::Kecs, lines(0..10_000));
    server.serves = Serves::Newest(500);
    let mut known = Vec::new();
    let look = server.look(dialect.as_mut());
    assert_eq!(look.unknown(&mut known), texts(9_500..10_000));
    assert!(look.part.held_back.is_some());
    server.lines.extend(lines(10_000..10_010));
    let look = server.look(dialect.as_mut());
    assert_eq!(look.unknown(&mut known), texts(10_000..10_010));
    assert!(look.part.held_back.is_some(), "it still is");
    server.lines.extend(lines(10_010..11_010));
    let look = server.look(dialect.as_mut());
    assert_eq!(look.unknown(&mut known), texts(10_510..11_010));
    assert_eq!(look.gaps, [(10_009, 10_510)]);
    // Once the task has ended, the store has them all.
    server.serves = Serves::Pages;
    let look = server.look(dialect.as_mut());
    assert_eq!(look.texts, texts(0..11_010));
    assert_eq!(look.part, whole());
}
