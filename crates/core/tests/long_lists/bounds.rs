//! Bounds that a server or a list sets, each of which is said or worked around.

use jobwatch_core::model::{Job, JobState, Source, Topic};
use jobwatch_core::server::DialectKind;
use serde_json::{Value, json};

use super::support::speaking;
use super::{Board, Round, read, run_id};

fn all(board: &Board, dialect: &mut dyn jobwatch_core::dialect::Dialect) -> Round {
    read(dialect, &Topic::Everything, |path, body| board.serve(path, body))
}

#[test]
fn runs_that_may_have_succeeded_are_not_believed_to_have_failed_however_many_end_at_once() {
    let mut board = Board { retries: true, ..Board::new(60, "active") };
    let mut dialect = speaking(DialectKind::BullBoard, None);
    all(&board, &mut *dialect);
    board.runs.iter_mut().for_each(|run| run.1 = "succeeded");
    let mut completed = 0;
    for _ in 0..6 {
        let round = all(&board, &mut *dialect);
        assert_eq!(round.of(&JobState::Failed), 0, "{:?}", round.jobs);
        completed = round.of(&JobState::Completed);
    }
    assert_eq!(completed, 60, "a few at each look");
    // The past is shown as it is called until it has been asked.
    let mut dialect = speaking(DialectKind::BullBoard, None);
    let round = all(&board, &mut *dialect);
    assert_eq!((round.jobs.len(), round.of(&JobState::Failed)), (60, 50));
}

#[test]
fn after_a_restart_better_bull_board_is_read_back_to_the_runs_that_are_known() {
    let known = |n: usize| {
        let at = "2026-01-01T00:00:00Z".parse().unwrap();
        Job::new(run_id(n), JobState::Completed, Source::Http, at)
    };
    let remembering = || {
        let mut dialect = speaking(DialectKind::BullBoard, None);
        (0..900).for_each(|n| dialect.remember(&known(n)));
        dialect
    };
    let board = Board::new(2_500, "completed");
    let round = all(&board, &mut *remembering());
    assert!((900..2_500).all(|n| round.jobs.contains_key(&run_id(n))), "{}", round.jobs.len());
    assert!(round.whys().is_empty(), "{:?}", round.whys());
    let board = Board::new(6_500, "completed");
    let round = all(&board, &mut *remembering());
    assert!(round.whys()[0].starts_with("More than 5,000 runs have begun since"), "{round:?}");
}

/// A queue of the analyzer whose server keeps the last 100 of its completed jobs.
fn kept(path: &str, completed: usize) -> (u16, Value) {
    let counts = json!({"queueName": "wallet", "waiting": 0, "active": 1, "completed": 100});
    let row = |n: usize| {
        let end = jiff::Timestamp::from_second(1_758_900_000 + n as i64).unwrap().to_string();
        json!({"id": format!("sync-{n}"), "status": "completed", "result": {}, "finishedAt": end})
    };
    let rows = || -> Vec<Value> { (completed - 100..completed).rev().map(row).collect() };
    match path {
        "/api/v1/jobs" => (200, json!({"queues": [counts]})),
        path if path.contains("status=completed") => (200, json!({"jobs": rows()})),
        _ => (200, json!({"jobs": []})),
    }
}

#[test]
fn more_ends_at_once_than_the_analyzer_keeps_are_said() {
    let mut dialect = speaking(DialectKind::Analyzer, None);
    let mut whys = |completed: usize| {
        let round = read(&mut *dialect, &Topic::Everything, |path, _| kept(path, completed));
        round.whys().iter().map(|why| (*why).to_owned()).collect::<Vec<_>>()
    };
    assert!(whys(100).is_empty(), "the first look");
    assert!(whys(190).is_empty(), "what was there before reaches into it");
    assert_eq!(
        whys(600),
        ["At least 100 jobs in the queue wallet have completed since it was last read, and the \
          server keeps no more. The outcome of any others is not known."]
    );
    assert!(whys(610).is_empty());
}

/// KECS with clusters on two pages, the second of which has the task and the service.
fn clusters(path: &str, body: &Value, again: bool) -> (u16, Value) {
    let task = "arn:aws:ecs:us-east-1:000000000000:task/far/t1";
    let cluster = |name: &str| format!("arn:aws:ecs:us-east-1:000000000000:cluster/{name}");
    let far = body["cluster"] == json!("far");
    match path {
        "/v1/ListClusters" if again || body["nextToken"].is_null() => {
            (200, json!({"clusterArns": [cluster("near")], "nextToken": "2"}))
        }
        "/v1/ListClusters" => (200, json!({"clusterArns": [cluster("far")]})),
        "/v1/ListTasks" if far && body["desiredStatus"] == json!("RUNNING") => {
            (200, json!({"taskArns": [task]}))
        }
        "/v1/DescribeTasks" if far => {
            (200, json!({"tasks": [{"taskArn": task, "lastStatus": "RUNNING"}]}))
        }
        "/v1/DescribeTasks" => (200, json!({"failures": [{"arn": task, "reason": "MISSING"}]})),
        _ => (200, json!({})),
    }
}

#[test]
fn a_task_and_a_service_of_kecs_are_looked_for_on_every_page_of_clusters() {
    let topics = [Topic::Everything, Topic::Job("t1".into()), Topic::Queue("web".to_owned())];
    for topic in topics {
        let mut dialect = speaking(DialectKind::Kecs, None);
        let round = read(&mut *dialect, &topic, |path, body| clusters(path, body, false));
        assert_eq!(round.of(&JobState::Running), 1, "{topic}: {:?}", round.requests);
        assert!(round.partial.is_empty(), "{topic}");
        // It never comes to the second page.
        let mut dialect = speaking(DialectKind::Kecs, None);
        let round = read(&mut *dialect, &topic, |path, body| clusters(path, body, true));
        assert!(round.misses_open(), "{topic}");
        assert!(round.whys()[0].starts_with("KECS gives the same page of its clusters"), "{topic}");
    }
}
