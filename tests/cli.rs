//! The command line as a shell user meets it: the real program against the demo servers.
// In a test a failed step is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jobwatch_core::server::DialectKind;
use jobwatch_demo::{DEMO_KEY, DemoOptions, Faults, JobSpec, UpgradeFault};
use serde_json::Value;
use support::cli::{Running, World, program, until};

const STATUS_KEYS: &[&str] = &[
    "type",
    "server",
    "status",
    "reason",
    "incomplete",
    "remedy",
    "attempt",
    "retry_in_ms",
    "last_heard",
];
const JOB_KEYS: &[&str] = &[
    "type",
    "server",
    "id",
    "parent",
    "external_id",
    "name",
    "queue",
    "state",
    "progress",
    "detail",
    "message",
    "error",
    "attempt",
    "max_attempts",
    "result",
    "fields",
    "created_at",
    "started_at",
    "finished_at",
    "updated_at",
    "source",
];
const LOG_KEYS: &[&str] =
    &["type", "server", "job", "seq", "timestamp", "level", "origin", "message"];

/// Servers that start no jobs by themselves.
fn quiet() -> World {
    World::of(DemoOptions::default())
}

/// The exit code, the output and stderr.
fn run(command: Command) -> (i32, String, String) {
    let (lines, code, err) = support::cli::run(command);
    (code, lines.join("\n"), err)
}

fn object(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// The keys of a JSON object in the order in which they are written.
fn keys(line: &str) -> Vec<String> {
    struct Keys;
    impl<'de> serde::de::Visitor<'de> for Keys {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Vec<String>, A::Error> {
            let mut keys = Vec::new();
            while let Some((key, _)) = map.next_entry::<String, serde::de::IgnoredAny>()? {
                keys.push(key);
            }
            Ok(keys)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(line);
    serde::Deserializer::deserialize_map(&mut reader, Keys).unwrap()
}

fn is_type(line: &str, kind: &str) -> bool {
    line.starts_with(&format!(r#"{{"type":"{kind}","#))
}

#[test]
fn watch_prints_every_dialects_status_and_jobs_with_all_documented_keys() {
    let world = World::start(DemoOptions { speed: 4.0, ..DemoOptions::default() });
    for kind in DialectKind::ALL {
        let mut watch = Running::start(world.command(kind, &["watch", "--json", "--topic", "all"]));
        let mut lines =
            watch.read_until(|line| is_type(line, "status") && object(line)["status"] == "live");
        lines.extend(watch.read_until(|line| is_type(line, "job")));
        for line in &lines {
            let object = object(line);
            assert_eq!(object["server"], "local");
            match object["type"].as_str().unwrap() {
                "status" => assert_eq!(keys(line), STATUS_KEYS, "{kind:?}"),
                "job" => {
                    assert_eq!(keys(line), JOB_KEYS, "{kind:?}");
                    for time in ["created_at", "started_at", "finished_at", "updated_at"] {
                        if let Some(text) = object[time].as_str() {
                            assert!(text.ends_with('Z'), "{text} is UTC");
                        }
                    }
                    assert!(["socket", "http"].contains(&object["source"].as_str().unwrap()));
                }
                "log" => assert_eq!(keys(line), LOG_KEYS, "{kind:?}"),
                "metric" | "queue" | "notice" | "diagnostic" => {}
                other => panic!("undocumented type {other}"),
            }
        }
        watch.signal("-INT");
        let (_, code, err) = watch.end();
        assert_eq!((code, err.as_str()), (0, ""), "Ctrl-C is the usual end of {kind:?}");
    }
}

#[test]
fn wait_ends_with_the_jobs_outcome_in_every_dialect() {
    let world = quiet();
    for kind in DialectKind::ALL {
        let id = world.start_job(kind, JobSpec::default());
        let mut wait = Running::start(world.command(kind, &["wait", &id, "--json"]));
        // It ends only when it is watched, so that the outcome comes over the wire.
        let control = world.demo.control(kind);
        until("socket", || (control.counters().sockets > 0).then_some(()));
        world.complete(kind, &id);
        let lines = wait.read_until(|line| is_type(line, "job"));
        assert_eq!(object(lines.last().unwrap())["state"], "completed", "{kind:?}");
        assert_eq!(wait.end().1, 0, "{kind:?}");
    }
}

#[test]
fn wait_distinguishes_failed_cancelled_and_unknown_jobs() {
    let world = quiet();
    let kind = DialectKind::TriggerX;
    let failed = world.start_job(kind, JobSpec::default());
    let cancelled = world.start_job(DialectKind::BullBoard, JobSpec::default());
    assert!(world.tell(kind, |control| control.fail(&failed, "disk full\nat line 1", None)));
    assert!(world.tell(DialectKind::BullBoard, |control| control.cancel(&cancelled)));
    let (code, out, err) = run(world.command(kind, &["wait", &failed]));
    assert_eq!(code, 1, "{out}{err}");
    assert!(
        out.contains("failed") && out.contains("disk full") && !out.contains("line 1"),
        "{out}"
    );
    let (code, out, err) = run(world.command(DialectKind::BullBoard, &["wait", &cancelled]));
    assert_eq!(code, 2, "{out}{err}");
    let (code, out, err) = run(world.command(kind, &["wait", "task:999999"]));
    assert_eq!(code, 3, "{out}{err}");
    assert_eq!(err.trim(), "jobwatch: local has no job task:999999.");
}

#[test]
fn wait_resolves_a_bullmq_id_to_its_run() {
    let world = quiet();
    let kind = DialectKind::BullBoard;
    let named = |id: &str| JobSpec { external_id: Some(id.to_owned()), ..JobSpec::default() };
    let run_id = world.start_job(kind, named("4711"));
    world.start_job(kind, named("47110"));
    assert!(world.tell(kind, |control| control.fail(&run_id, "disk full", None)));
    let (code, out, err) = run(world.command(kind, &["wait", "4711"]));
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("disk full"), "{out}");
}

#[test]
fn wait_reports_what_it_knows_when_it_times_out() {
    let world = quiet();
    let id = world.start_job(DialectKind::Analyzer, JobSpec::default());
    let words = ["wait", &id, "--timeout", "4"];
    let (code, out, err) = run(world.command(DialectKind::Analyzer, &words));
    assert_eq!((code, out.as_str()), (124, ""), "{err}");
    assert!(err.contains("has not ended"), "{err}");
    // Nobody listens on port 1.
    let mut command = program(world.home.path());
    command.args(["wait", "x", "--dialect", "analyzer", "--ws", "ws://127.0.0.1:1"]);
    command.args(["--timeout", "3"]);
    let (code, _, err) = run(command);
    assert_eq!(code, 124, "{err}");
    assert!(err.contains("127.0.0.1:1 cannot be reached"), "{err}");
}

#[test]
fn a_wrong_key_is_reported_and_no_key_is_ever_printed() {
    let world = quiet();
    // TriggerX answers for tasks without a key; this one does not.
    let kind = DialectKind::StudyBuddy;
    let id = world.start_job(kind, JobSpec::default());
    let mut command = world.with_key(kind, &["wait", &id], Some("sk-wrong-1234"));
    command.env("JOBWATCH_LOG", "trace");
    let (code, out, err) = run(command);
    assert_eq!(code, 77, "{err}");
    assert!(err.contains("does not accept the key: "), "{err}");
    assert!(!format!("{out}{err}").contains("sk-wrong-1234"), "{err}");
    for kind in DialectKind::ALL {
        let mut command = world.command(kind, &["watch", "--json", "--for", "2"]);
        command.env("JOBWATCH_LOG", "trace");
        let (code, out, err) = run(command);
        assert_eq!(code, 0, "{err}");
        assert!(!format!("{out}{err}").contains(DEMO_KEY), "{kind:?} {out}{err}");
    }
}

#[test]
fn a_wrong_key_ends_wait_and_logs_with_77_and_is_shown_by_watch_for_every_kind_of_server() {
    let world = quiet();
    let wrong = Some("sk-wrong-1234");
    // The demo's plain server checks no key.
    for kind in DialectKind::ALL.into_iter().filter(|kind| *kind != DialectKind::PlainJson) {
        if kind == DialectKind::Kecs {
            // It takes everybody unless its upgrade is guarded.
            let shut = UpgradeFault::Status { status: 401, retry_after: None };
            let faults = Faults { upgrade: Some(shut), ..Faults::default() };
            world.demo.control(kind).set_faults(faults);
        }
        let id = world.start_job(kind, JobSpec::default());
        for words in [["wait", &id], ["logs", &id]] {
            let mut command = world.with_key(kind, &words, wrong);
            command.args(["--timeout", "20"]);
            let begun = Instant::now();
            let (code, out, err) = run(command);
            assert_eq!(code, 77, "{kind:?} {words:?}: {out}{err}");
            assert!(begun.elapsed() < Duration::from_secs(10), "{kind:?} {words:?}");
            assert!(err.contains("does not accept the key"), "{kind:?}: {err}");
            assert!(err.contains(". Pass the"), "finished sentences, {kind:?}: {err}");
            assert!(!err.contains(".."), "{kind:?}: {err}");
        }
        let topic = format!("job:{id}");
        let words = ["watch", "--json", "--for", "4", "--topic", &topic];
        let (code, out, err) = run(world.with_key(kind, &words, wrong));
        assert_eq!(code, 0, "{err}");
        let last = out.lines().map(object).rfind(|line| line["type"] == "status");
        let last = last.unwrap_or_default();
        assert!(last["status"] == "partly" || last["status"] == "refused", "{kind:?}: {last}");
        let remedy = if kind == DialectKind::BullBoard { "sign-in" } else { "enter-key" };
        assert_eq!(last["remedy"], remedy, "{kind:?}: {last}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let world = World::start(DemoOptions { speed: 20.0, ..DemoOptions::default() });
    let mut child = world.command(DialectKind::TriggerX, &["watch", "--json"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(is_type(&line, "status"), "{line}");
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn logs_prints_a_jobs_lines_and_nothing_else() {
    let world = quiet();
    let kind = DialectKind::BullBoard;
    let id = world.start_job(kind, JobSpec::default());
    for text in ["first", "second \u{1b}[31mred"] {
        world.say(kind, &id, text);
    }
    let (code, out, err) = run(world.command(kind, &["logs", &id, "--timeout", "30"]));
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(out, "first\nsecond \u{1b}[31mred", "a pipe gets every byte");
    let (code, out, _) = run(world.command(kind, &["logs", &id, "--json"]));
    assert_eq!(code, 0);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert_eq!(keys(lines[0]), LOG_KEYS);
    assert_eq!((&object(lines[1])["seq"], &object(lines[1])["level"]), (&1.into(), &"info".into()));
    let (code, _, err) = run(world.command(kind, &["logs", "no-such-run", "--timeout", "30"]));
    assert_eq!(code, 3, "{err}");
}

#[test]
fn an_invalid_command_line_exits_with_64_and_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let url = ["--dialect", "kecs", "--ws", "ws://127.0.0.1:1"];
    for (words, says) in [
        (&["watch", "--topic", "everything"][..], "job:ID, queue:NAME, user:ID or all"),
        (&["watch", "--key-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE is not set"),
        (&["watch", "--key-in", "body:x"], "first-message"),
        (&["watch", "--for", "soon"], "not a number"),
        (&["wait"], "JOB"),
    ] {
        let mut command = program(home.path());
        command.args(words).args(url);
        let (code, out, err) = run(command);
        assert_eq!((code, out.as_str()), (64, ""), "{words:?}: {err}");
        assert!(err.contains(says), "{words:?}: {err}");
    }
    let mut command = program(home.path());
    command.args(["watch", "--dialect", "kecs", "--ws", "ftp://host"]);
    let (code, _, err) = run(command);
    assert_eq!(code, 64, "{err}");
    assert!(err.contains("ws, wss, http or https"), "{err}");
}

#[test]
fn nothing_is_saved_when_a_server_is_given_by_url() {
    let world = quiet();
    let (code, _, err) = run(world.command(DialectKind::Kecs, &["watch", "--for", "2"]));
    assert_eq!(code, 0, "{err}");
    let left: Vec<_> = std::fs::read_dir(world.home.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn saved_servers_are_listed_without_their_secrets_and_used_by_name() {
    let world = World::start(DemoOptions { keys: false, ..DemoOptions::default() });
    let (server, _) = world.server(DialectKind::Analyzer);
    let settings = world.home.path().join("settings.toml");
    let text = format!(
        "version = 1\n\n[[server]]\nid = \"s1\"\nname = \"Local\"\ndialect = \"analyzer\"\n\
         ws = \"{}/?token=sk-hidden\"\napi = \"{}\"\nwatch = [\"all\"]\n",
        server.ws,
        server.api.unwrap()
    );
    std::fs::write(&settings, text).unwrap();
    let with = |words: &[&str]| {
        let mut command = program(world.home.path());
        command.args(words).arg("--config").arg(&settings);
        command
    };
    let (code, out, err) = run(with(&["servers", "--json"]));
    assert_eq!(code, 0, "{err}");
    assert_eq!(out.lines().count(), 1, "{out} {err}");
    let listed = object(&out);
    assert_eq!(
        (&listed["name"], &listed["dialect"], &listed["key"]),
        (&"Local".into(), &"analyzer".into(), &"none".into())
    );
    assert!(!out.contains("sk-hidden"), "{out}");
    let (code, out, err) = run(with(&["servers"]));
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("Local") && !out.contains("sk-hidden"), "{out}");

    let (code, _, err) = run(with(&["watch", "--server", "nobody"]));
    assert_eq!(code, 78);
    assert!(err.contains("\"nobody\"") && err.contains("saved servers: Local"), "{err}");

    let mut watch = Running::start(with(&["watch", "--server", "Local", "--json"]));
    watch.read_until(|line| is_type(line, "job"));
    watch.signal("-TERM");
    assert_eq!(watch.end().1, 0);
}

#[test]
fn the_demo_serves_all_five_dialects_until_it_is_interrupted() {
    let home = tempfile::tempdir().unwrap();
    let mut command = program(home.path());
    command.args(["demo", "--json", "--seed", "7"]);
    let mut demo = Running::start(command);
    let lines = demo.read_until(|line| object(line)["dialect"] == "bull-board");
    let dialects: Vec<String> =
        lines.iter().map(|line| object(line)["dialect"].as_str().unwrap().to_owned()).collect();
    assert_eq!(dialects, ["triggerx", "study-buddy", "analyzer", "kecs", "bull-board"]);
    let triggerx = object(&lines[0]);
    let mut command = program(home.path());
    command
        .args(["watch", "--json", "--dialect", "triggerx", "--ws"])
        .arg(triggerx["ws"].as_str().unwrap())
        .args(["--key-env", "THE_KEY"])
        .env("THE_KEY", triggerx["key"].as_str().unwrap());
    for (name, value) in triggerx["options"].as_object().unwrap() {
        command.arg("--option").arg(format!("{name}={}", value.as_str().unwrap()));
    }
    let mut watch = Running::start(command);
    watch.read_until(|line| is_type(line, "job"));
    drop(watch);
    demo.signal("-INT");
    assert_eq!(demo.end().1, 0);
}

#[test]
fn help_and_version_need_nothing() {
    let home = tempfile::tempdir().unwrap();
    for words in [&["--help"][..], &["--version"], &["wait", "--help"]] {
        let mut command = program(home.path());
        command.args(words).env_remove("HOME");
        let (code, out, _) = run(command);
        assert_eq!(code, 0);
        assert!(out.contains("jobwatch"), "{out}");
    }
}

/// A device that is always full.
fn full() -> Stdio {
    Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
}

#[test]
fn help_that_cannot_be_written_exits_with_74() {
    let home = tempfile::tempdir().unwrap();
    for words in [&["--help"][..], &["--version"], &["watch", "--help"]] {
        let output = program(home.path()).args(words).stdout(full()).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(74), "{words:?}: {err}");
        assert!(err.contains("could not be written"), "{words:?}: {err}");
    }
}

#[test]
fn a_full_stderr_changes_no_exit_code() {
    let home = tempfile::tempdir().unwrap();
    for (words, code) in
        [(&["servers"][..], 0), (&["wait"], 64), (&["watch", "--server", "unknown"], 78)]
    {
        for log in ["", "=not=a=filter="] {
            let mut command = program(home.path());
            let output =
                command.args(words).env("JOBWATCH_LOG", log).stderr(full()).output().unwrap();
            assert_eq!(output.status.code(), Some(code), "{words:?}");
        }
    }
}
