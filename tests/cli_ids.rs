//! How a job is named on the command line: the real program against the demo servers.
// In a test a failed step is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use jobwatch_core::server::DialectKind;
use jobwatch_demo::{ApiFault, DemoOptions, Faults, JobSpec};
use serde_json::Value;
use support::cli::{Running, World, run, until};

fn quiet() -> World {
    World::of(DemoOptions { keys: false, ..DemoOptions::default() })
}

fn object(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// A run of Better Bull Board with this BullMQ id in this queue.
fn run_in(world: &World, queue: &str, id: &str) -> String {
    let (external_id, queue) = (Some(id.to_owned()), Some(queue.to_owned()));
    world.start_job(DialectKind::BullBoard, JobSpec { external_id, queue, ..JobSpec::default() })
}

#[test]
fn an_ambiguous_id_lists_its_jobs_and_a_queue_before_it_chooses_one() {
    let world = quiet();
    let kind = DialectKind::BullBoard;
    let runs = ["{email}", "{reports}"].map(|queue| run_in(&world, queue, "5"));
    run_in(&world, "{email}", "55");
    let (out, code, err) = run(world.command(kind, &["wait", "5"]));
    assert_eq!((code, out.len()), (4, 0), "{err}");
    for named in ["{email}/5 ", "{reports}/5 ", "running", &runs[0], &runs[1]] {
        assert!(err.contains(named), "{named}: {err}");
    }
    assert!(!err.contains("/55"), "{err}");
    world.fail(kind, &runs[0]);
    world.complete(kind, &runs[1]);
    for (given, code) in [("{email}/5", 1), ("{reports}/5", 0), (runs[0].as_str(), 1)] {
        let (out, ended, err) = run(world.command(kind, &["wait", given, "--timeout", "20"]));
        assert_eq!(ended, code, "{given}: {out:?} {err}");
    }
}

#[test]
fn ages_are_counted_by_the_servers_clock() {
    let start = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(5);
    let options = DemoOptions { keys: false, start: Some(start), ..DemoOptions::default() };
    let world = World::of(options);
    let kind = DialectKind::BullBoard;
    let runs = ["{email}", "{reports}"].map(|queue| run_in(&world, queue, "5"));
    for command in ["wait", "logs"] {
        let (_, code, err) = run(world.command(kind, &[command, "5", "--timeout", "40"]));
        assert_eq!(code, 4, "{err}");
        assert_eq!(err.matches("s ago").count(), 2, "{err}");
    }
    world.say(kind, &runs[0], "just now");
    let words = ["logs", &runs[0], "--timeout", "40", "--since", "10m"];
    let (out, code, err) = run(world.command(kind, &words));
    assert_eq!((out, code), (vec!["just now".to_owned()], 0), "{err}");
    world.complete(kind, &runs[0]);
    let (_, _, err) = run(world.command(kind, &["wait", "5", "--timeout", "40"]));
    assert!(!err.contains(" h ago"), "{err}");
}

#[test]
fn logs_of_an_ambiguous_id_prints_none_and_lists_the_jobs() {
    let world = quiet();
    let kind = DialectKind::BullBoard;
    let runs = ["{email}", "{reports}"].map(|queue| run_in(&world, queue, "5"));
    for run in &runs {
        world.say(kind, run, &format!("of {run}"));
    }
    for more in [&[][..], &["--follow"][..]] {
        let words = [&["logs", "5", "--timeout", "40"], more].concat();
        let (out, code, err) = run(world.command(kind, &words));
        assert_eq!((code, out.len()), (4, 0), "{err}");
        for named in ["{email}/5 ", "{reports}/5 ", "running", &runs[0], &runs[1]] {
            assert!(err.contains(named), "{named}: {err}");
        }
    }
    for (given, id) in [("{email}/5", &runs[0]), ("{reports}/5", &runs[1])] {
        let (out, code, err) = run(world.command(kind, &["logs", given, "--timeout", "40"]));
        assert_eq!((out, code), (vec![format!("of {id}")], 0), "{given}: {err}");
    }
    // The one that has not ended is meant, as when it is waited for.
    world.fail(kind, &runs[0]);
    let (out, code, err) = run(world.command(kind, &["logs", "5", "--timeout", "40"]));
    assert_eq!((out, code), (vec![format!("of {}", runs[1])], 0), "{err}");
}

#[test]
fn an_id_that_starts_with_job_is_found_and_can_be_ambiguous() {
    let world = quiet();
    let kind = DialectKind::Kecs;
    let spec = |id: &str| JobSpec { id: Some(id.to_owned()), ..JobSpec::default() };
    let id = world.start_job(kind, spec("job:77"));
    assert_eq!(id, "job:77");
    world.say(kind, &id, "of the literal one");
    let (out, code, err) = run(world.command(kind, &["logs", "job:77", "--timeout", "40"]));
    assert_eq!((out, code), (vec!["of the literal one".to_owned()], 0), "{err}");
    world.start_job(kind, spec("77"));
    let (out, code, err) = run(world.command(kind, &["logs", "job:77", "--timeout", "40"]));
    assert_eq!((code, out.len()), (4, 0), "{err}");
    assert!(err.contains("default/77 ") && err.contains("default/job:77 "), "{err}");
    let words = ["logs", "default/job:77", "--timeout", "40"];
    let (out, code, err) = run(world.command(kind, &words));
    assert_eq!((out, code), (vec!["of the literal one".to_owned()], 0), "{err}");
}

#[test]
fn wait_does_not_answer_for_an_old_job_of_the_same_id_in_another_queue() {
    let world = quiet();
    let kind = DialectKind::BullBoard;
    let old = run_in(&world, "{email}", "5");
    world.fail(kind, &old);
    let wait = Running::start(world.command(kind, &["wait", "5", "--json"]));
    // The row of the job that was just added comes after the list was read.
    wait.reports("{email}/5, failed");
    let lists =
        || -> u64 { world.tell(kind, |control| control.counters().requests.values().sum()) };
    let before = lists();
    let new = run_in(&world, "{reports}", "5");
    // It ends once it was seen running.
    until("further requests", || (lists() > before + 1).then_some(()));
    world.complete(kind, &new);
    let (out, code, err) = wait.end();
    assert_eq!(code, 0, "{out:?} {err}");
    let job = object(&out[0]);
    assert_eq!((&job["id"], &job["state"]), (&new.as_str().into(), &"completed".into()));
    assert!(err.contains("{email}/5, failed"), "{err}");
}

#[test]
fn an_unknown_job_is_reported_promptly_whatever_its_id_is() {
    let world = quiet();
    for (kind, id) in [
        (DialectKind::BullBoard, "999999"),
        (DialectKind::BullBoard, "{reports}/999999"),
        (DialectKind::BullBoard, "01999d2e-7d0c-7b11-8d3a-2f8a1f0e9c11"),
        (DialectKind::Analyzer, "queue/1"),
        (DialectKind::StudyBuddy, "a b#?%\u{e9}"),
        (DialectKind::TriggerX, "999999"),
        (DialectKind::Kecs, "0123456789abcdef0123456789abcdef"),
    ] {
        let (out, code, err) = run(world.command(kind, &["wait", id, "--timeout", "25"]));
        assert_eq!((code, out.len()), (3, 0), "{kind:?} {id}: {err}");
    }
    let (_, code, err) = run(world.command(DialectKind::Analyzer, &["wait", ".."]));
    assert_eq!(code, 64, "{err}");
    assert!(err.contains("No URL can name the job"), "{err}");
}

#[test]
fn a_task_of_triggerx_is_found_by_its_number() {
    let world = quiet();
    let kind = DialectKind::TriggerX;
    let task = world.start_job(kind, JobSpec::default());
    world.complete(kind, &task);
    let number = task.strip_prefix("task:").unwrap();
    let (out, code, err) = run(world.command(kind, &["wait", number, "--json"]));
    assert_eq!(code, 0, "{out:?} {err}");
    assert_eq!(object(&out[0])["id"], task.as_str());
}

#[test]
fn a_job_of_somebody_else_ends_a_wait_and_a_log_promptly_and_says_why() {
    let world = World::of(DemoOptions::default());
    let kind = DialectKind::StudyBuddy;
    let id = world.start_job(kind, JobSpec::default());
    let answered = |message: &str| {
        let body = serde_json::json!({"message": message, "error": "Forbidden", "statusCode": 403});
        let api =
            ApiFault { status: Some(403), body: Some(body.to_string()), ..ApiFault::default() };
        world.tell(kind, |control| {
            control.set_faults(Faults { api: Some(api), ..Faults::default() })
        });
    };
    for (message, code, words) in [
        ("Not your job", 3, "does not show job"),
        ("Please verify your email first", 77, "Pass the right key"),
    ] {
        answered(message);
        for command in ["wait", "logs"] {
            let begun = std::time::Instant::now();
            let (out, ended, err) = run(world.command(kind, &[command, &id, "--timeout", "40"]));
            assert_eq!((out.len(), ended), (0, code), "{command}: {err}");
            assert!(err.contains(words) && err.contains(message), "{command}: {err}");
            assert!(begun.elapsed() < Duration::from_secs(20), "{command}: {:?}", begun.elapsed());
        }
    }
}
