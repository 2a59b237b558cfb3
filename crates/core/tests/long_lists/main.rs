//! Lists that are longer than one answer: what is under way is listed to the end, what is new is
//! found, and where a bound is reached it is said.

#![allow(clippy::unwrap_used)]

mod bounds;
#[path = "../support/mod.rs"]
mod support;
mod triggerx;

use std::collections::BTreeMap;

use jobwatch_core::dialect::{Dialect, FetchRequest, FetchResponse, Frame, Incoming, Outgoing};
use jobwatch_core::model::{JobState, Topic, Update};
use jobwatch_core::server::DialectKind;
use serde_json::{Value, json};
use support::{speaking, text};

/// What a topic's requests, and those that followed, came to.
#[derive(Debug, Default)]
struct Round {
    jobs: BTreeMap<String, JobState>,
    requests: Vec<String>,
    partial: Vec<(bool, Option<String>)>,
    odd: Vec<String>,
}

impl Round {
    fn of(&self, state: &JobState) -> usize {
        self.jobs.values().filter(|of| *of == state).count()
    }

    fn whys(&self) -> Vec<&str> {
        self.partial.iter().filter_map(|(_, why)| why.as_deref()).collect()
    }

    fn misses_open(&self) -> bool {
        self.partial.iter().any(|(open, _)| *open)
    }
}

/// Reads a topic as the machine does, from a server that answers with a status and a body.
fn read(
    dialect: &mut dyn Dialect,
    topic: &Topic,
    mut serve: impl FnMut(&str, &Value) -> (u16, Value),
) -> Round {
    let mut round = Round::default();
    let mut waiting: Vec<FetchRequest> = dialect.fetch(topic);
    while !waiting.is_empty() {
        let request = waiting.remove(0);
        assert!(round.requests.len() < 250, "a list without end");
        let url = request.address.expose();
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let body = request.body.as_deref().unwrap_or("null");
        let (status, answer) = serve(&path, &serde_json::from_str(body).unwrap());
        round.requests.push(format!("{path} {body}"));
        let response = FetchResponse {
            status,
            content_type: Some("application/json".to_owned()),
            body: answer.to_string().into_bytes(),
        };
        for incoming in dialect.parse(&request.ask, &response) {
            match incoming {
                Incoming::Follow(request) => waiting.push(request),
                Incoming::Partial { open, why } => round.partial.push((open, why)),
                Incoming::Update(Update::Job(patch)) => {
                    let (Some(id), Some(state)) = (patch.id, patch.state) else { continue };
                    round.jobs.insert(id.to_string(), state);
                }
                Incoming::Unknown(odd) => round.odd.push(odd.text),
                _ => {}
            }
        }
    }
    round
}

/// Better Bull Board's table: keyset pages, newest first.
#[derive(Clone, Debug)]
struct Board {
    /// Id and state, oldest first.
    runs: Vec<(String, &'static str)>,
    /// The cursor names the first row that was left out, as in earlier servers.
    names_the_next: bool,
    /// States that are no word of its database.
    lacks: Vec<&'static str>,
    /// What it answers to these.
    refusal: u16,
    /// Its runs have several attempts. One that is `succeeded` is called failed all the same, as
    /// long as nobody sees what it returned.
    retries: bool,
}

impl Board {
    fn new(runs: usize, state: &'static str) -> Board {
        let run = |n: usize| (run_id(n), state);
        Board {
            runs: (0..runs).map(run).collect(),
            names_the_next: false,
            lacks: Vec::new(),
            refusal: 500,
            retries: false,
        }
    }

    fn serve(&self, path: &str, body: &Value) -> (u16, Value) {
        if let Some(id) = path.strip_prefix("/api/jobs/").filter(|id| id.len() == 36) {
            let found = self.runs.iter().position(|(run, _)| run == id);
            return match found {
                Some(at) => {
                    let mut row = self.row(at);
                    if self.runs[at].1 == "succeeded" {
                        row["result"] = json!({"ok": true});
                    }
                    (200, json!({"job": row}))
                }
                None => (500, json!(null)),
            };
        }
        if path != "/api/jobs/table" {
            return (200, json!({}));
        }
        let wanted = body["status"].as_str();
        if wanted.is_some_and(|state| self.lacks.contains(&state)) {
            let invalid = json!([{"code": "invalid_value", "path": ["status"]}]).to_string();
            let body = if self.refusal == 400 { json!({"error": invalid}) } else { Value::Null };
            return (self.refusal, body);
        }
        let before = body["cursor"]["createdAt"].as_i64().unwrap_or(i64::MAX);
        let mut rows: Vec<usize> = (0..self.runs.len())
            .rev()
            .filter(|at| wanted.is_none_or(|state| self.runs[*at].1 == state))
            .filter(|at| created(*at) < before)
            .collect();
        let limit = usize::try_from(body["limit"].as_u64().unwrap()).unwrap();
        let left = rows.split_off(rows.len().min(limit));
        let named = if self.names_the_next { left.first() } else { rows.last() };
        let cursor = left.first().and(named).map(|at| {
            let row = self.row(*at);
            json!({"createdAt": created(*at), "jobId": row["jobId"], "id": row["id"]})
        });
        let rows: Vec<Value> = rows.iter().map(|at| self.row(*at)).collect();
        (200, json!({"jobs": rows, "nextCursor": cursor}))
    }

    fn row(&self, at: usize) -> Value {
        let (id, state) = &self.runs[at];
        let created = jiff::Timestamp::from_millisecond(created(at)).unwrap().to_string();
        let ended = matches!(*state, "completed" | "failed" | "succeeded").then_some(&created);
        let state = if *state == "succeeded" { "failed" } else { *state };
        let most = if self.retries { 3 } else { 1 };
        json!({
            "id": id, "jobId": at.to_string(), "queue": "mail", "status": state,
            "attempt": 1, "maxAttempts": most, "createdAt": created, "finishedAt": ended,
        })
    }
}

fn run_id(n: usize) -> String {
    format!("01999d2e-7d0c-7b11-8d3a-{n:012x}")
}

fn created(n: usize) -> i64 {
    1_758_900_000_000 + n as i64 * 7
}

#[test]
fn better_bull_board_lists_every_active_run_however_many_were_added_since() {
    for names_the_next in [false, true] {
        let mut board = Board { names_the_next, ..Board::new(4_000, "completed") };
        for run in &mut board.runs[..1_500] {
            run.1 = "active";
        }
        let mut dialect = speaking(DialectKind::BullBoard, None);
        let queue = Topic::Queue("mail".to_owned());
        for topic in [Topic::Everything, queue] {
            let round = read(&mut *dialect, &topic, |path, body| board.serve(path, body));
            assert_eq!(round.of(&JobState::Running), 1_500, "{topic}");
            assert!(!round.misses_open() && round.whys().is_empty(), "{:?}", round.partial);
        }
    }
}

#[test]
fn better_bull_board_finds_all_the_ends_of_eight_hundred_runs_in_the_newest_pages() {
    let mut board = Board::new(1_000, "completed");
    for run in &mut board.runs[200..] {
        run.1 = "active";
    }
    let mut dialect = speaking(DialectKind::BullBoard, None);
    let round = read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
    assert_eq!(round.of(&JobState::Running), 800);
    for run in &mut board.runs {
        run.1 = "completed";
    }
    let round = read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
    let ends = (200..1_000).filter(|n| round.jobs.contains_key(&run_id(*n))).count();
    assert_eq!(ends, 800);
    // Where nothing has happened no more is read than before.
    let round = read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
    assert!(round.requests.len() <= 13, "{:?}", round.requests);
}

#[test]
fn better_bull_board_shows_the_runs_that_wait_behind_many_newer_ones() {
    let mut board = Board::new(3_000, "completed");
    for (at, state) in ["waiting", "delayed", "prioritized", "waiting-children"].iter().enumerate()
    {
        for run in &mut board.runs[at * 150..(at + 1) * 150] {
            run.1 = *state;
        }
    }
    let mut dialect = speaking(DialectKind::BullBoard, None);
    let round = read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
    assert_eq!(round.of(&JobState::Queued) + round.of(&JobState::Scheduled), 600);
    // A server that has no word for some of these states lists the others.
    for refusal in [400, 500] {
        let lacks = vec!["prioritized", "waiting-children"];
        let mut board = Board { lacks, refusal, ..board.clone() };
        let mut dialect = speaking(DialectKind::BullBoard, None);
        let round = read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
        assert_eq!(round.jobs.values().filter(|state| !state.terminal()).count(), 300);
        assert!(round.odd.is_empty(), "{refusal}: {:?}", round.odd);
        // By these it has listed its runs, or must: then it is trouble.
        board.lacks = vec!["delayed", "active"];
        let round = read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
        assert_eq!(round.odd.len(), 2, "{refusal}: {:?}", round.odd);
    }
}

#[test]
fn better_bull_board_says_where_more_is_under_way_than_is_listed() {
    let board = Board::new(5_300, "active");
    let mut dialect = speaking(DialectKind::BullBoard, None);
    let round = read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
    assert_eq!(round.of(&JobState::Running), 5_000);
    assert!(round.misses_open());
    let words = "More than 5,000 runs are active. The oldest of them are not listed. Watch single \
                 queues to see them.";
    assert_eq!(round.whys(), [words]);
    let board = Board::new(1_300, "waiting");
    let mut dialect = speaking(DialectKind::BullBoard, None);
    let mail = Topic::Queue("mail".to_owned());
    let round = read(&mut *dialect, &mail, |path, body| board.serve(path, body));
    let words = "More than 1,000 runs in the queue mail are waiting. The oldest of them are not \
                 listed until they start.";
    assert_eq!(round.whys(), [words]);
}

#[test]
fn a_run_that_only_the_socket_of_better_bull_board_names_is_asked_for() {
    // Its queue is so long that it is on no page that is read, and it ends between two looks.
    let mut board = Board::new(3_000, "waiting");
    let mut dialect = speaking(DialectKind::BullBoard, None);
    dialect.decode(&Frame::Pong);
    dialect.encode(&Outgoing::Watch(Topic::Everything));
    read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
    for at in 0..20 {
        board.runs[at].1 = "failed";
        let hint = json!({"type": "single-job-refresh", "data": {"jobId": run_id(at)}});
        dialect.decode(&text(&hint.to_string()));
    }
    let round = read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
    assert_eq!(round.of(&JobState::Failed), 20);
    let round = read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
    let alone = round.requests.iter().filter(|it| it.contains("01999d2e") && it.contains("null"));
    assert_eq!(alone.count(), 0, "each is asked for once");
}

#[test]
fn a_run_whose_row_is_not_written_yet_is_no_trouble_of_the_list() {
    let board = Board::new(10, "active");
    let mut dialect = speaking(DialectKind::BullBoard, None);
    dialect.decode(&Frame::Pong);
    dialect.encode(&Outgoing::Watch(Topic::Everything));
    let hint = json!({"type": "single-job-refresh", "data": {"jobId": run_id(77)}});
    dialect.decode(&text(&hint.to_string()));
    let round = read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
    assert!(round.requests.iter().any(|asked| asked.contains(&run_id(77))));
    assert!(round.odd.is_empty() && round.jobs.len() == 10, "{:?}", round.odd);
    let everything = Some(&Topic::Everything);
    let ask = support::ask(DialectKind::BullBoard, everything, "job", &[&run_id(77)]);
    let late = FetchResponse { status: 500, content_type: None, body: Vec::new() };
    assert_eq!(dialect.parse(&ask, &late), [], "which counts as an answer");
}

#[test]
fn more_new_runs_than_better_bull_board_is_read_for_are_said() {
    let mut board = Board::new(900, "completed");
    let mut dialect = speaking(DialectKind::BullBoard, None);
    let round = read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
    // What is read first is the newest of the past, which is no news.
    assert_eq!((round.jobs.len(), round.whys().len()), (500, 0));
    board.runs.extend((900..2_500).map(|n| (run_id(n), "completed")));
    let round = read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
    assert!((900..2_500).all(|n| round.jobs.contains_key(&run_id(n))), "{}", round.jobs.len());
    board.runs.extend((2_500..9_000).map(|n| (run_id(n), "completed")));
    let round = read(&mut *dialect, &Topic::Everything, |path, body| board.serve(path, body));
    let words = "More than 5,000 runs have begun since the server was last read. The oldest of \
                 them are only listed while they are under way.";
    assert_eq!(round.whys(), [words]);
}

/// A queue of the analyzer, as its server lists it: 100 rows at most, of the default list half of each
/// kind and one more, and the offset added to the limit as text unless `adds`.
#[derive(Clone, Debug)]
struct Queue {
    waiting: usize,
    active: usize,
    completed: usize,
    adds: bool,
}

impl Queue {
    fn rows(&self, kind: &str) -> Vec<Value> {
        let many = match kind {
            "waiting" => self.waiting,
            "active" => self.active,
            "completed" => self.completed,
            _ => 0,
        };
        let ended = (kind == "completed").then_some("2025-09-26T15:20:03.500Z");
        (0..many)
            .map(|n| {
                json!({
                    "id": format!("{kind}-{n}"), "name": "sync", "status": kind, "progress": 0,
                    "result": ended.map(|_| json!({})), "finishedAt": ended,
                })
            })
            .collect()
    }

    fn serve(&self, path: &str) -> (u16, Value) {
        let counts = json!({
            "queueName": "wallet", "waiting": self.waiting, "active": self.active,
            "completed": self.completed, "failed": 0,
        });
        let Some(query) = path.strip_prefix("/api/v1/jobs/queue/wallet/jobs?") else {
            return match path {
                "/api/v1/jobs" => (200, json!({"queues": [counts]})),
                "/api/v1/jobs/queue/wallet/stats" => (200, counts),
                _ => (404, json!({"message": "Job not found", "statusCode": 404})),
            };
        };
        let value =
            |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        let limit = value("limit").unwrap().parse::<usize>().unwrap().min(100);
        let offset = value("offset").unwrap_or("");
        let from: usize = if offset.is_empty() { 0 } else { offset.parse().unwrap() };
        let end = match self.adds {
            true => from + limit,
            false => format!("{offset}{limit}").parse().unwrap(),
        };
        let part = |rows: Vec<Value>, from: usize, end: usize| -> Vec<Value> {
            rows.into_iter().take(end).skip(from).collect()
        };
        let jobs = match value("status") {
            Some(kind) => part(self.rows(kind), from, end),
            None => {
                let half = limit / 2 + 1;
                let mut both = part(self.rows("waiting"), 0, half);
                both.extend(part(self.rows("active"), 0, half));
                part(both, from, end)
            }
        };
        (200, json!({"total": jobs.len(), "jobs": jobs, "limit": limit, "offset": offset}))
    }
}

#[test]
fn the_analyzer_lists_every_job_that_waits_or_runs_however_its_server_counts_rows() {
    for adds in [false, true] {
        for (waiting, active) in
            [(0, 0), (3, 51), (51, 3), (50, 50), (52, 51), (0, 800), (900, 700)]
        {
            let queue = Queue { waiting, active, completed: 100, adds };
            for topic in [Topic::Everything, Topic::Queue("wallet".to_owned())] {
                let mut dialect = speaking(DialectKind::Analyzer, None);
                let round = read(&mut *dialect, &topic, |path, _| queue.serve(path));
                let listed = (round.of(&JobState::Queued), round.of(&JobState::Running));
                assert_eq!(listed, (waiting, active), "{topic} adds {adds} {:?}", round.requests);
                assert!(round.whys().is_empty(), "{:?}", round.whys());
                assert_eq!(round.of(&JobState::Completed), 100);
            }
        }
    }
}

#[test]
fn a_short_queue_of_the_analyzer_costs_no_more_requests_than_its_lists() {
    let queue = Queue { waiting: 50, active: 40, completed: 100, adds: false };
    let mut dialect = speaking(DialectKind::Analyzer, None);
    let round = read(&mut *dialect, &Topic::Everything, |path, _| queue.serve(path));
    assert_eq!(round.requests.len(), 5, "{:?}", round.requests);
}

#[test]
fn the_analyzer_finds_a_job_that_is_named_by_its_queue_behind_many_others() {
    let queue = Queue { waiting: 300, active: 800, completed: 100, adds: false };
    let mut dialect = speaking(DialectKind::Analyzer, None);
    for id in ["active-777", "waiting-299", "completed-99"] {
        let topic = Topic::Job(format!("wallet/{id}").into());
        let round = read(&mut *dialect, &topic, |path, _| queue.serve(path));
        assert_eq!(round.jobs.keys().collect::<Vec<_>>(), [id]);
    }
}

#[test]
fn an_analyzer_with_another_limit_is_read_to_its_end_and_not_the_same_part_again() {
    // Ten rows at a time, by a server that counts as it should.
    let queue = Queue { waiting: 25, active: 12, completed: 0, adds: true };
    let serve = |path: &str, _: &Value| {
        let path = path.replace("limit=200", "limit=10");
        queue.serve(&path)
    };
    let mut dialect = speaking(DialectKind::Analyzer, None);
    let round = read(&mut *dialect, &Topic::Everything, serve);
    assert_eq!(round.of(&JobState::Queued), 25, "{:?}", round.requests);
    assert_eq!(round.of(&JobState::Running), 12);
    let mut all = round.requests.clone();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), round.requests.len(), "{:?}", round.requests);
    // More rows than are usual, by one that does not say its limit.
    let rows = |kind: &str, many: usize| -> Vec<Value> {
        (0..many).map(|n| json!({"id": format!("{kind}-{n}"), "status": kind})).collect()
    };
    let serve = |path: &str, _: &Value| match path {
        "/api/v1/jobs" => {
            (200, json!({"queues": [{"queueName": "wallet", "waiting": 0, "active": 0}]}))
        }
        path if path.contains("status=delayed") => (200, json!({"jobs": rows("waiting", 150)})),
        _ => (200, json!({"jobs": []})),
    };
    let mut dialect = speaking(DialectKind::Analyzer, None);
    let round = read(&mut *dialect, &Topic::Everything, serve);
    assert_eq!((round.jobs.len(), round.whys()), (150, Vec::new()));
}

#[test]
fn the_analyzer_says_where_more_is_under_way_than_is_read() {
    for (adds, most) in [(false, 4_000), (true, 5_000)] {
        let queue = Queue { waiting: 12_000, active: 10, completed: 0, adds };
        let mut dialect = speaking(DialectKind::Analyzer, None);
        let round = read(&mut *dialect, &Topic::Everything, |path, _| queue.serve(path));
        assert!(round.misses_open());
        let words = format!(
            "More than {},000 jobs in the queue wallet are waiting. The others are not listed \
             until there are fewer.",
            most / 1_000
        );
        assert_eq!(round.whys(), [words]);
        let listed = round.of(&JobState::Queued);
        assert!((most..most + 1_000).contains(&listed), "{listed}");
    }
}

#[test]
fn the_analyzer_says_that_it_lists_the_jobs_of_so_many_queues_only() {
    let queues: Vec<Value> = (0..1_200)
        .map(|n| json!({"queueName": format!("q{n}"), "active": 0, "waiting": 0}))
        .collect();
    let mut dialect = speaking(DialectKind::Analyzer, None);
    let ask = dialect.fetch(&Topic::Everything).remove(0).ask;
    let body = json!({"queues": queues}).to_string().into_bytes();
    let answer = FetchResponse { status: 200, content_type: None, body };
    let words = "The server has more than 1,000 queues. Of the others no jobs are listed.";
    let said = Incoming::Partial { open: true, why: Some(words.to_owned()) };
    assert!(dialect.parse(&ask, &answer).contains(&said));
}

/// Study Buddy's list: the newest rows, as many as are asked for.
fn notes(path: &str, states: &[&str]) -> (u16, Value) {
    let Some(limit) = path.strip_prefix("/jobs/user/me?limit=") else {
        return (404, json!({"message": "Job not found", "statusCode": 404}));
    };
    let rows: Vec<Value> = states
        .iter()
        .enumerate()
        .rev()
        .take(limit.parse().unwrap())
        .map(|(at, state)| json!({"jobId": format!("{at}"), "queueName": "pdf", "status": state}))
        .collect();
    (200, json!({"success": true, "count": rows.len(), "jobs": rows}))
}

#[test]
fn study_buddy_lists_every_job_under_way_and_asks_for_no_more_rows_than_hold_them() {
    let mut states = vec!["completed"; 900];
    states.extend(["processing"; 800]);
    let mut dialect = speaking(DialectKind::StudyBuddy, None);
    let topic = Topic::Everything;
    let round = read(&mut *dialect, &topic, |path, _| notes(path, &states));
    assert_eq!(round.of(&JobState::Running), 800);
    assert!(!round.misses_open() && round.whys().is_empty());
    // From then on one request holds them all.
    let round = read(&mut *dialect, &topic, |path, _| notes(path, &states));
    assert_eq!(round.requests, ["/jobs/user/me?limit=850 null"]);
    // Others are added, and one of the first has still not ended.
    states[900..1_700].fill("completed");
    states[950] = "processing";
    states.extend(["processing"; 120]);
    let round = read(&mut *dialect, &topic, |path, _| notes(path, &states));
    let ends = (900..1_700).filter(|n| round.jobs.contains_key(&n.to_string())).count();
    assert_eq!((ends, round.of(&JobState::Running)), (800, 121));
    states.fill("completed");
    read(&mut *dialect, &topic, |path, _| notes(path, &states));
    let round = read(&mut *dialect, &topic, |path, _| notes(path, &states));
    assert_eq!(round.requests, ["/jobs/user/me?limit=50 null"]);
}

#[test]
fn study_buddy_reads_on_where_all_that_it_lists_is_new() {
    let mut states = vec!["completed"; 20];
    let mut dialect = speaking(DialectKind::StudyBuddy, None);
    read(&mut *dialect, &Topic::Everything, |path, _| notes(path, &states));
    states.extend(["completed"; 300]);
    let round = read(&mut *dialect, &Topic::Everything, |path, _| notes(path, &states));
    assert_eq!(round.jobs.len(), 320);
}

#[test]
fn study_buddy_says_where_more_is_under_way_than_is_listed() {
    let states = vec!["processing"; 6_000];
    let mut dialect = speaking(DialectKind::StudyBuddy, None);
    let round = read(&mut *dialect, &Topic::Everything, |path, _| notes(path, &states));
    assert_eq!(round.of(&JobState::Running), 5_000);
    assert!(round.misses_open());
    let words =
        "Only the newest 5,000 jobs are listed. To follow an older one, watch it by its id.";
    assert_eq!(round.whys(), [words]);
    // A long past is no trouble.
    let states = vec!["completed"; 6_000];
    let mut dialect = speaking(DialectKind::StudyBuddy, None);
    let round = read(&mut *dialect, &Topic::Everything, |path, _| notes(path, &states));
    assert!(!round.misses_open() && round.whys().is_empty());
    assert_eq!(round.jobs.len(), 500);
}

/// A cluster's tasks, in pages of 100; a full page always names a next one.
fn tasks(path: &str, body: &Value, running: usize, stopped: usize) -> (u16, Value) {
    let arn = |n: usize, state: &str| format!("arn:aws:ecs:x:1:task/blue/{state}-{n}");
    match path.rsplit('/').next() {
        Some("ListClusters") => (200, json!({"clusterArns": ["arn:aws:ecs:x:1:cluster/blue"]})),
        Some("ListTasks") => {
            let state = body["desiredStatus"].as_str().unwrap();
            let all = if state == "RUNNING" { running } else { stopped };
            let from: usize = body["nextToken"].as_str().map_or(0, |token| token.parse().unwrap());
            let end = all.min(from + 100);
            let arns: Vec<String> = (from..end).map(|n| arn(n, state)).collect();
            let token = (arns.len() == 100).then(|| end.to_string());
            (200, json!({"taskArns": arns, "nextToken": token}))
        }
        Some("DescribeTasks") => {
            let task = |arn: &Value| {
                let state =
                    if arn.as_str().unwrap().contains("RUNNING") { "RUNNING" } else { "STOPPED" };
                json!({
                    "taskArn": arn, "clusterArn": "arn:aws:ecs:x:1:cluster/blue",
                    "lastStatus": state, "desiredStatus": state,
                    "containers": [{"name": "main", "exitCode": 0}],
                })
            };
            let tasks: Vec<Value> = body["tasks"].as_array().unwrap().iter().map(task).collect();
            (200, json!({"tasks": tasks}))
        }
        _ => (200, json!({})),
    }
}

#[test]
fn kecs_lists_every_running_task_and_says_where_there_are_more_than_it_reads() {
    let mut dialect = speaking(DialectKind::Kecs, None);
    let round = read(&mut *dialect, &Topic::Everything, |path, body| tasks(path, body, 1_300, 200));
    assert_eq!(round.of(&JobState::Running), 1_300);
    assert!(round.partial.is_empty(), "{:?}", round.partial);
    let mut dialect = speaking(DialectKind::Kecs, None);
    let round = read(&mut *dialect, &Topic::Everything, |path, body| tasks(path, body, 5_900, 50));
    assert!(round.misses_open());
    let words = "More than 5,000 tasks are under way in the cluster blue. The others are not listed \
                 until there are fewer. Watch single services to see them.";
    assert_eq!(round.whys(), [words]);
    assert_eq!(round.of(&JobState::Running), 5_000);
    // A long past is no trouble.
    let mut dialect = speaking(DialectKind::Kecs, None);
    let round = read(&mut *dialect, &Topic::Everything, |path, body| tasks(path, body, 10, 6_000));
    assert!(!round.misses_open() && round.whys().is_empty());
}
