//! `jobwatch logs` as a shell user meets it: the real program, an empty home, the demo servers.
// In a test a failed step is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jobwatch_core::server::DialectKind;
use jobwatch_demo::{ApiFault, DemoOptions, Faults, Flood, Generation, JobSpec, UpgradeFault};
use jobwatch_engine::api::{LogFilter, OpenJob, ViewSpec};
use jobwatch_engine::ports::{Desktop, Popup, Ports, Settled};
use jobwatch_engine::{Engine, Options, SettingsSource};
use support::cli::{Running, World, program, run, until};

/// The servers as they are shipped today.
fn shipped() -> World {
    World::of(DemoOptions::default())
}

fn documented() -> World {
    World::of(DemoOptions { generation: Generation::Documented, ..DemoOptions::default() })
}

fn logs(world: &World, kind: DialectKind, words: &[&str]) -> Command {
    world.command(kind, &[&["logs"], words].concat())
}

/// No socket, as KECS is today.
fn no_socket() -> Faults {
    Faults {
        upgrade: Some(UpgradeFault::Status { status: 400, retry_after: None }),
        ..Faults::default()
    }
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("line {n}")).collect()
}

/// Lines in an instant, until the server has written them all.
fn flood(world: &World, kind: DialectKind, id: &str, count: u64) {
    let flooded = || world.demo.control(kind).counters().flooded_lines;
    let end = flooded() + count;
    let job = Some(id.to_owned());
    world.tell(kind, |control| control.flood(Flood { count, per_second: 0, job, batch: 1 }));
    until("end of the flood", || (flooded() >= end).then_some(()));
}

const SERVED: [DialectKind; 2] = [DialectKind::Kecs, DialectKind::BullBoard];

#[test]
fn the_log_of_an_ended_job_is_printed_whole_by_every_spelling_of_its_id() {
    for world in [shipped(), documented()] {
        for kind in SERVED {
            let spec = JobSpec { external_id: Some("4711".to_owned()), ..JobSpec::default() };
            let id = world.start_job(kind, spec);
            for line in numbered(25) {
                world.say(kind, &id, &line);
            }
            world.fail(kind, &id);
            let arn = format!("arn:aws:ecs:us-east-1:000000000000:task/default/{id}");
            let other = if kind == DialectKind::Kecs { arn } else { "4711".to_owned() };
            for given in [id.clone(), format!("job:{id}"), other] {
                for more in [&[][..], &["--follow"][..]] {
                    let words = [&[given.as_str(), "--timeout", "40"], more].concat();
                    let (out, code, err) = run(logs(&world, kind, &words));
                    assert_eq!((out, code), (numbered(25), 0), "{kind:?} {words:?}: {err}");
                }
            }
        }
    }
}

#[test]
fn a_running_job_is_followed_to_its_last_line() {
    for kind in SERVED {
        let world = shipped();
        let id = world.start_job(kind, JobSpec::default());
        for line in numbered(3) {
            world.say(kind, &id, &line);
        }
        let mut running = Running::start(logs(&world, kind, &[&id, "--follow"]));
        for line in numbered(3) {
            assert_eq!(running.next(), line, "{kind:?}");
        }
        world.say(kind, &id, "more");
        assert_eq!(running.next(), "more", "{kind:?}");
        world.say(kind, &id, "last");
        world.fail(kind, &id);
        let (rest, code, err) = running.end();
        assert_eq!((rest, code), (vec!["last".to_owned()], 0), "{kind:?}: {err}");
    }
}

#[test]
fn kecs_of_today_is_followed_to_the_line_that_is_stored_after_the_task_has_stopped() {
    let world = shipped();
    let kind = DialectKind::Kecs;
    world.tell(kind, |control| control.set_faults(no_socket()));
    let id = world.start_job(kind, JobSpec::default());
    world.say(kind, &id, "starting");
    let mut running = Running::start(logs(&world, kind, &[&id, "--follow"]));
    assert_eq!(running.next(), "starting");
    world.say(kind, &id, "working");
    assert_eq!(running.next(), "working");
    world.fail(kind, &id);
    // KECS stores the last line this late.
    std::thread::sleep(Duration::from_millis(3_500));
    world.say(kind, &id, "FATAL: out of disk");
    let (rest, code, err) = running.end();
    assert_eq!((rest, code), (vec!["FATAL: out of disk".to_owned()], 0), "{err}");
}

#[test]
fn a_chatty_job_is_printed_at_once() {
    let world = shipped();
    let kind = DialectKind::Kecs;
    let id = world.start_job(kind, JobSpec::default());
    world.say(kind, &id, "before");
    let mut running = Running::start(logs(&world, kind, &[&id, "--follow", "--timeout", "50"]));
    assert_eq!(running.next(), "before");
    let begin = Instant::now();
    for n in 0..5 {
        world.say(kind, &id, &format!("tick {n}"));
        assert_eq!(running.next(), format!("tick {n}"));
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn fifty_thousand_lines_are_printed_to_the_last() {
    let world = shipped();
    let kind = DialectKind::BullBoard;
    let id = world.start_job(kind, JobSpec::default());
    flood(&world, kind, &id, 50_000);
    world.fail(kind, &id);
    let (out, code, err) = run(logs(&world, kind, &[&id, "--timeout", "55"]));
    assert_eq!((out.len(), code), (50_000, 0), "{err}");
    let mut all = out.clone();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 50_000, "no line twice");
}

/// A desktop on which nobody looks: only a program that has one keeps what it hears.
struct Nobody;

impl Desktop for Nobody {
    fn show(&self, _: Popup, settled: Settled) {
        settled();
    }

    fn withdraw(&self, _: u64) {}
}

/// What the window does: keeps the log of a watched job, until so many lines of it are there.
fn keep_log(world: &World, settings: &Path, id: &str, lines: u64) {
    let options = Options {
        data_dir: Some(world.home.path().join(".local/share/jobwatch")),
        settings: SettingsSource::File(settings.to_owned()),
        ports: Ports { desktop: Some(Arc::new(Nobody)), ..Ports::default() },
        seed: Some(1),
    };
    world.runtime.block_on(async {
        let engine = Engine::start(options).await.unwrap();
        let jobs = vec![OpenJob { server: "s1".to_owned(), job: id.to_owned() }];
        let filter = LogFilter::default();
        let view = engine.open_view(ViewSpec::Log { jobs, filter }).await.unwrap();
        let all = async || {
            let window = engine.view_window(view, 0, 1).await.unwrap();
            (window.total == lines).then_some(())
        };
        support::eventually("log that is kept", all).await;
        engine.stop().await;
    });
}

#[test]
fn where_the_server_has_dropped_lines_since_the_last_time_it_is_said_which_are_missing() {
    let world = World::of(DemoOptions { keys: false, ..DemoOptions::default() });
    let kind = DialectKind::BullBoard;
    let (server, _) = world.server(kind);
    let settings = world.home.path().join("settings.toml");
    let text = format!(
        "version = 1\n\n[[server]]\nid = \"s1\"\nname = \"Local\"\ndialect = \"bull-board\"\n\
         ws = \"{}\"\napi = \"{}\"\nwatch = [\"all\"]\n",
        server.ws,
        server.api.unwrap()
    );
    std::fs::write(&settings, text).unwrap();
    let id = world.start_job(kind, JobSpec::default());
    for line in numbered(10) {
        world.say(kind, &id, &line);
    }
    keep_log(&world, &settings, &id, 10);
    // The server keeps the newest 60,000 lines, so that these and some after them are gone.
    flood(&world, kind, &id, 60_500);
    world.fail(kind, &id);
    let mut command = program(world.home.path());
    command.args(["logs", &id, "--server", "Local", "--timeout", "55", "--config"]);
    command.arg(&settings);
    let (out, code, err) = run(command);
    assert_eq!(code, 5, "{err}");
    assert_eq!(out[..10], numbered(10));
    assert_eq!(out.len(), 10 + 60_000, "{err}");
    assert!(
        err.contains("Lines between ") && err.contains("are missing: Local no longer has them"),
        "{err}"
    );
}

#[test]
fn a_log_that_cannot_be_read_whole_is_said_to_be_cut_and_ends_with_5() {
    let world = shipped();
    let kind = DialectKind::Kecs;
    let id = world.start_job(kind, JobSpec::default());
    world.fail(kind, &id);
    // The port of the log API alone.
    let mut command = logs(&world, kind, &[&id, "--timeout", "40"]);
    command.args(["--option", "admin=http://127.0.0.1:9"]);
    let (_, code, err) = run(command);
    assert_eq!(code, 5, "{err}");
    assert!(err.contains("Lines of the log may be missing: "), "{err}");
}

#[test]
fn a_kind_of_server_without_logs_says_why_there_is_none() {
    let world = shipped();
    for kind in [DialectKind::TriggerX, DialectKind::Analyzer] {
        let id = world.start_job(kind, JobSpec::default());
        let (out, code, err) = run(logs(&world, kind, &[&id, "--follow", "--timeout", "40"]));
        assert_eq!((out.len(), code), (0, 0), "{kind:?}: {err}");
        assert!(err.contains("keeps no logs"), "{kind:?}: {err}");
    }
}

#[test]
fn notes_are_printed_line_by_line_and_not_word_by_word() {
    let world = shipped();
    let kind = DialectKind::StudyBuddy;
    let id = world.start_job(kind, JobSpec::default());
    let running = Running::start(logs(&world, kind, &[&id, "--follow", "--timeout", "50"]));
    let (mut said, mut percent) = (Vec::new(), 0.0);
    while said.is_empty() {
        percent += 2.0;
        assert!(percent < 90.0, "the first line does not come");
        let stage = Some("generating_notes");
        assert!(world.tell(kind, |control| control.set_progress(&id, percent, stage)));
        said.extend(running.lines.recv_timeout(Duration::from_millis(700)));
    }
    let stage = Some("generating_notes");
    assert!(world.tell(kind, |control| control.set_progress(&id, 99.0, stage)));
    world.complete(kind, &id);
    let (rest, code, err) = running.end();
    said.extend(rest);
    assert_eq!(code, 0, "{err}");
    let begins = ["## Key ideas", "", "- The definitions come first, then what follows from them."];
    assert_eq!(said[..3], begins, "{said:?}");
    assert!(said.len() <= 6, "{said:?}");
}

#[test]
fn notes_that_were_written_before_anybody_listened_are_said_to_be_missing() {
    let world = shipped();
    let kind = DialectKind::StudyBuddy;
    let id = world.start_job(kind, JobSpec::default());
    let stage = Some("generating_notes");
    assert!(world.tell(kind, |control| control.set_progress(&id, 90.0, stage)));
    world.complete(kind, &id);
    for follow in [&[][..], &["--follow"][..]] {
        let words = [&[id.as_str(), "--timeout", "40"][..], follow].concat();
        let (out, code, err) = run(logs(&world, kind, &words));
        assert_eq!((out.len(), code), (0, 5), "{err}");
        assert!(err.contains("only as they are written"), "{err}");
    }
}

#[test]
fn a_log_whose_beginning_the_server_dropped_before_the_first_look_ends_with_5() {
    let world = shipped();
    let kind = DialectKind::BullBoard;
    let id = world.start_job(kind, JobSpec::default());
    // The demo keeps 60,000 lines of a job.
    flood(&world, kind, &id, 60_010);
    world.complete(kind, &id);
    let (out, code, err) = run(logs(&world, kind, &[&id, "--timeout", "60"]));
    assert_eq!((out.len(), code), (60_000, 5), "{err}");
    assert!(err.contains("The beginning of the log is missing: "), "{err}");
}

#[test]
fn an_unknown_job_ends_with_3_and_a_wrong_key_with_77() {
    let world = shipped();
    for kind in SERVED {
        let unknown = "01999d2e-7d0c-7b11-8d3a-000000000000";
        let (out, code, err) = run(logs(&world, kind, &[unknown, "--timeout", "40"]));
        assert_eq!((out.len(), code), (0, 3), "{kind:?}: {err}");
    }
    let kind = DialectKind::BullBoard;
    let faults = Faults {
        upgrade: Some(UpgradeFault::Status { status: 401, retry_after: None }),
        api: Some(ApiFault { status: Some(401), ..ApiFault::default() }),
        ..Faults::default()
    };
    world.tell(kind, |control| control.set_faults(faults));
    let id = world.start_job(kind, JobSpec::default());
    let (_, code, err) = run(logs(&world, kind, &[&id, "--timeout", "40"]));
    assert_eq!(code, 77, "{err}");
}

#[test]
fn a_server_that_cannot_be_asked_is_said_while_it_is_waited_for_and_ends_a_log_with_5() {
    let world = shipped();
    let kinds = [DialectKind::Kecs, DialectKind::BullBoard, DialectKind::StudyBuddy];
    let faults = || Faults {
        api: Some(ApiFault { status: Some(503), ..ApiFault::default() }),
        ..Faults::default()
    };
    let asked = kinds.map(|kind| {
        let id = world.start_job(kind, JobSpec::default());
        world.tell(kind, |control| control.set_faults(faults()));
        let commands = [
            (5, "No lines of this log are stored.", vec!["logs", &id]),
            (124, "No information about", vec!["wait", &id, "--timeout", "12"]),
        ];
        commands.map(|(code, last, words)| {
            let running = Running::start(world.command(kind, &words));
            (running, code, last)
        })
    });
    for (running, code, last) in asked.into_iter().flatten() {
        let (out, ended, err) = running.end();
        assert_eq!((out.len(), ended), (0, code), "{err}");
        let (waiting, end) = err.trim().rsplit_once('\n').unwrap_or_default();
        assert!(waiting.contains(" is only partly connected; waiting. "), "{err}");
        assert!(waiting.contains("HTTP 503") && end.contains(last), "{err}");
    }
}
