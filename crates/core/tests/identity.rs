//! Which job is which: ids that repeat over queues, over time, and over what names them.

#![allow(clippy::unwrap_used)]

mod support;

use jobwatch_core::connection::{FetchId, Input, Output, SocketId, Supervisor};
use jobwatch_core::dialect::{ActionKind, FetchRequest, FetchResponse, Frame, dialect};
use jobwatch_core::jobs::TransitionKind;
use jobwatch_core::model::{Job, JobState, Source, Topic};
use jobwatch_core::server::DialectKind;
use jobwatch_core::time::{Mono, Now};
use serde_json::{Value, json};
use support::server;

const T: i64 = 1_795_193_688_000;

/// A machine on a server that says what a test lets it say.
struct World {
    machine: Supervisor,
    now: Now,
    socket: SocketId,
    asked: Vec<(FetchId, FetchRequest)>,
    told: Vec<String>,
    odd: Vec<String>,
}

impl World {
    fn new(kind: DialectKind, topics: &[&str], remembered: Vec<Job>) -> World {
        let now = Now { mono: Mono(1_000), wall: at(0).parse().unwrap() };
        let dialect = dialect(&server(kind, "ws://h:1"), None).unwrap();
        let policy = dialect.policy();
        let mut machine = Supervisor::new(dialect, policy, 1, now);
        for job in remembered {
            machine.remember(job);
        }
        let mut world = World {
            machine,
            now,
            socket: SocketId(0),
            asked: Vec::new(),
            told: Vec::new(),
            odd: Vec::new(),
        };
        for topic in topics {
            world.feed(Input::Watch(Topic::parse(topic).unwrap()));
        }
        world.feed(Input::Start);
        let socket = world.socket;
        world.feed(Input::Opened(socket));
        let space = if kind == DialectKind::StudyBuddy { "/jobs," } else { "" };
        world.hear(r#"0{"sid":"s","pingInterval":25000,"pingTimeout":20000}"#);
        world.hear(&format!(r#"40{space}{{"sid":"x"}}"#));
        world
    }

    fn feed(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        loop {
            match self.machine.poll(self.now) {
                Output::Idle(_) => return,
                Output::Open(socket, ..) => self.socket = socket,
                Output::Fetch(id, request) => self.asked.push((id, request)),
                Output::Transition(step) if step.kind == TransitionKind::Outcome => {
                    self.told.push(format!("{} {} {}", step.job, step.to, step.attempt));
                }
                Output::Diagnostic(odd) => self.odd.push(odd.kind.to_owned()),
                _ => {}
            }
        }
    }

    fn hear(&mut self, frame: &str) {
        let socket = self.socket;
        self.feed(Input::Frames(socket, vec![Frame::Text(frame.to_owned())]));
    }

    fn event(&mut self, name: &str, data: Value) {
        let space = if name.contains(':') { "/jobs," } else { "" };
        self.hear(&format!("42{space}{}", json!([name, data])));
    }

    /// Lets time pass, so that what is due is asked.
    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now.mono = self.now.mono.after(std::time::Duration::from_secs(1));
            self.now.wall = self.now.wall.checked_add(jiff::SignedDuration::from_secs(1)).unwrap();
            self.feed(Input::Tick);
        }
    }

    /// Answers all that is asked, and what follows from it: with what `path` gives, or 404.
    fn answer(&mut self, path: impl Fn(&str) -> Option<Value>) -> Vec<String> {
        let mut paths = Vec::new();
        while !self.asked.is_empty() {
            let (id, request) = self.asked.remove(0);
            let url = request.address.expose();
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            let asked = format!("{}{query}", url.path());
            let body = path(&asked);
            paths.push(asked);
            let status = if body.is_some() { 200 } else { 404 };
            let body = body.unwrap_or_else(|| json!({"message": "not found", "statusCode": 404}));
            let body = body.to_string().into_bytes();
            let answer = FetchResponse { status, content_type: None, body };
            self.feed(Input::Fetched(id, Ok(answer), None));
        }
        paths
    }

    fn jobs(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .machine
            .job_store()
            .iter()
            .map(|job| {
                let queue = job.queue.as_deref().unwrap_or("-");
                let progress = job.progress.map(|it| format!(" {it}")).unwrap_or_default();
                format!("{} {queue} {}{progress}", job.id, job.state)
            })
            .collect();
        all.sort();
        all
    }
}

fn at(seconds: i64) -> String {
    jiff::Timestamp::from_millisecond(T + seconds * 1_000).unwrap().to_string()
}

fn job(id: &str, queue: Option<&str>, state: JobState) -> Job {
    let before = at(-600).parse().unwrap();
    let finished_at = state.terminal().then_some(before);
    let queue = queue.map(str::to_owned);
    Job { queue, finished_at, ..Job::new(id, state, Source::History, before) }
}

fn progress(queue: &str, value: u32, second: i64) -> Value {
    json!({"jobId": "1", "queue": queue, "progress": value, "timestamp": T + second * 1_000})
}

fn completed(queue: &str, second: i64) -> Value {
    json!({"jobId": "1", "queue": queue, "result": {}, "timestamp": T + second * 1_000})
}

#[test]
fn equal_ids_in_two_queues_are_two_jobs() {
    let mut world = World::new(DialectKind::Analyzer, &["all"], Vec::new());
    world.event("job-progress", progress("similarity", 80, 1));
    world.event("job-completed", completed("enrichment", 2));
    assert_eq!(world.jobs(), ["1 similarity running 80", "enrichment/1 enrichment completed"]);
    assert_eq!(world.told, ["enrichment/1 completed 1"]);
    world.event("job-completed", completed("similarity", 3));
    world.event("job-completed", completed("similarity", 3));
    assert_eq!(world.told[1..], ["1 completed 1"]);
    let shown = world.machine.job_store().job(&"enrichment/1".into()).unwrap();
    assert_eq!(shown.external_id.as_deref(), Some("1"), "the id that the server knows");
}

#[test]
fn jobs_of_an_earlier_run_keep_their_ids_and_their_queues() {
    for order in [["similarity", "enrichment"], ["enrichment", "similarity"]] {
        let known = vec![
            job("1", Some("similarity"), JobState::Running),
            job("enrichment/1", Some("enrichment"), JobState::Running),
        ];
        let mut world = World::new(DialectKind::Analyzer, &["all"], known);
        for queue in order {
            world.event("job-completed", completed(queue, 1));
        }
        assert_eq!(world.jobs(), ["1 similarity completed", "enrichment/1 enrichment completed"]);
    }
    // One of a time in which the queue was not kept is whoever comes first.
    let mut world =
        World::new(DialectKind::Analyzer, &["all"], vec![job("1", None, JobState::Running)]);
    world.event("job-progress", progress("enrichment", 5, 1));
    world.event("job-progress", progress("similarity", 6, 2));
    assert_eq!(world.jobs(), ["1 enrichment running 5", "similarity/1 similarity running 6"]);
}

#[test]
fn no_action_is_offered_that_could_hit_another_job_of_the_same_id() {
    let mut world = World::new(DialectKind::Analyzer, &["all"], Vec::new());
    let queued = |queue: &str| json!({"jobId": "1", "queue": queue, "status": "waiting"});
    world.event("job-progress", queued("similarity"));
    let of = |world: &World, id: &str| {
        let job = world.machine.job_store().job(&id.into()).unwrap();
        world.machine.offers(job)
    };
    assert_eq!(of(&world, "1"), Some(ActionKind::Cancel));
    world.event("job-progress", queued("enrichment"));
    assert_eq!((of(&world, "1"), of(&world, "enrichment/1")), (None, None));
}

#[test]
fn a_job_named_by_its_queue_is_found_though_the_server_knows_it_by_its_id_alone() {
    let mut world = World::new(DialectKind::Analyzer, &["job:enrichment/1"], Vec::new());
    let row = |queue: &str, status: &str| json!({"id": "1", "queue": queue, "status": status});
    let asked = world.answer(|path| match path {
        "/api/v1/jobs/queue/enrichment/jobs?limit=200" => Some(json!({"jobs": []})),
        "/api/v1/jobs/queue/enrichment/jobs?limit=200&status=completed" => {
            Some(json!({"jobs": [row("enrichment", "completed")]}))
        }
        _ => None,
    });
    assert_eq!(asked[0], "/api/v1/jobs/enrichment%2F1", "an id may have slashes");
    assert_eq!(world.jobs(), ["1 enrichment completed"]);
    let found = world.machine.job_store().job(&"1".into()).unwrap().clone();
    assert!(world.machine.may_watch(&found) && world.machine.watches_by_name(&"1".into()));
    assert_eq!(world.machine.resolve(&"enrichment/1".into()).len(), 1);
    assert_eq!(world.machine.resolve(&"similarity/1".into()).len(), 0);
}

#[test]
fn what_does_not_say_its_queue_belongs_to_the_only_job_it_can_belong_to() {
    let mut world = World::new(DialectKind::StudyBuddy, &["all"], Vec::new());
    let row = |queue: &str, status: &str, second| json!({"jobId": "5", "queueName": queue, "status": status, "updatedAt": at(second)});
    world.answer(|_| {
        Some(json!({"jobs": [row("pdf", "processing", 1), row("quiz", "completed", 2)]}))
    });
    assert_eq!(world.jobs(), ["5 pdf running", "quiz/5 quiz completed"]);
    let event = json!({"jobId": "5", "status": "in_progress", "progress": 40, "timestamp": at(3)});
    world.event("job:progress", event);
    assert_eq!(world.jobs(), ["5 pdf running 40", "quiz/5 quiz completed"]);
    assert!(world.odd.is_empty(), "{:?}", world.odd);
}

#[test]
fn what_may_belong_to_either_of_two_jobs_is_said_and_asked() {
    let mut world = World::new(DialectKind::StudyBuddy, &["all"], Vec::new());
    let row = |queue: &str, status: &str| json!({"jobId": "5", "queueName": queue, "status": status, "updatedAt": at(1)});
    let both = || json!({"jobs": [row("pdf", "processing"), row("quiz", "processing")]});
    world.answer(|_| Some(both()));
    let end = || json!({"jobId": "5", "status": "completed", "result": {}, "timestamp": at(2)});
    world.event("job:completed", end());
    world.event("job:completed", end());
    assert_eq!(world.jobs(), ["5 pdf running", "quiz/5 quiz running"], "neither is called ended");
    assert_eq!(world.odd, ["ambiguous-id"], "said once");
    world.wait(2);
    let asked = world.answer(|path| {
        let job =
            json!({"jobId": "5", "queueName": "quiz", "status": "completed", "updatedAt": at(3)});
        (path == "/jobs/5").then(|| json!({"success": true, "job": job}))
    });
    assert!(asked.contains(&"/jobs/5".to_owned()), "{asked:?}");
    assert_eq!(world.jobs(), ["5 pdf running", "quiz/5 quiz completed"]);
}

#[test]
fn an_event_without_a_queue_does_not_revive_an_ended_job_before_the_api_has_said_whose_it_is() {
    let known = vec![job("5", Some("pdf"), JobState::Completed)];
    let mut world = World::new(DialectKind::StudyBuddy, &["all"], known);
    world.answer(|_| Some(json!({"jobs": []})));
    let event = json!({"jobId": "5", "status": "in_progress", "progress": 4, "timestamp": at(3)});
    world.event("job:progress", event.clone());
    assert_eq!(world.jobs(), ["5 pdf completed"]);
    world.wait(2);
    world.answer(|path| {
        let job =
            json!({"jobId": "5", "queueName": "quiz", "status": "processing", "updatedAt": at(3)});
        (path == "/jobs/5").then(|| json!({"success": true, "job": job}))
    });
    assert_eq!(world.jobs(), ["5 pdf completed", "quiz/5 quiz running"]);
    world.event("job:progress", event);
    assert_eq!(world.jobs(), ["5 pdf completed", "quiz/5 quiz running 4"]);
}

#[test]
fn an_id_that_is_used_again_after_its_job_was_removed_is_told_again() {
    let mut world = World::new(DialectKind::Analyzer, &["job:sync-1"], Vec::new());
    let row = |second: i64| {
        json!({"id": "sync-1", "queue": "q", "status": "failed", "error": "disk full",
            "attempts": 1, "maxAttempts": 1, "createdAt": at(second), "finishedAt": at(second + 5)})
    };
    world.answer(|_| Some(row(-900)));
    world.wait(60);
    world.answer(|_| Some(row(-10)));
    world.wait(60);
    world.answer(|_| Some(row(-10)));
    assert_eq!(world.told, ["sync-1 failed 2"], "the first was there before it was watched");
}
