//! How a job is named on the command line: the real program against the demo servers.
// In a test a failed step is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Demo, DemoOptions, JobSpec};
use serde_json::Value;

/// Servers that do nothing unless told to, and a home that holds nothing.
struct World {
    demo: Demo,
    runtime: tokio::runtime::Runtime,
    home: tempfile::TempDir,
}

impl World {
    fn quiet() -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let options = DemoOptions { life: false, keys: false, ..DemoOptions::default() };
        let demo = runtime.block_on(Demo::start(options)).unwrap();
        World { demo, runtime, home: tempfile::tempdir().unwrap() }
    }

    fn command(&self, kind: DialectKind, words: &[&str]) -> Command {
        let servers = self.demo.servers();
        let (server, _) = servers.iter().find(|(server, _)| server.dialect == kind).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobwatch"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .args(words)
            .args(["--dialect", kind.word(), "--name", "local", "--ws", &server.ws])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(api) = &server.api {
            command.args(["--api", api]);
        }
        for (name, value) in &server.options {
            command.arg("--option").arg(format!("{name}={value}"));
        }
        command
    }

    /// Starts a job; answers its id as Jobwatch spells it.
    fn start_job(&self, kind: DialectKind, spec: JobSpec) -> String {
        let _inside = self.runtime.enter();
        let id = self.demo.control(kind).start_job(spec);
        if kind == DialectKind::TriggerX { format!("task:{id}") } else { id }
    }
}

fn ended(child: Child) -> (i32, String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn run(mut command: Command) -> (i32, String, String) {
    ended(command.spawn().unwrap())
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
fn an_id_that_means_several_jobs_lists_them_and_a_queue_before_it_names_one() {
    let world = World::quiet();
    let kind = DialectKind::BullBoard;
    let runs = ["{email}", "{reports}"].map(|queue| run_in(&world, queue, "5"));
    run_in(&world, "{email}", "55");
    let (code, out, err) = run(world.command(kind, &["wait", "5"]));
    assert_eq!((code, out.as_str()), (4, ""), "{err}");
    for named in ["{email}/5 ", "{reports}/5 ", "running", &runs[0], &runs[1]] {
        assert!(err.contains(named), "{named}: {err}");
    }
    assert!(!err.contains("/55"), "{err}");
    {
        let _inside = world.runtime.enter();
        assert!(world.demo.control(kind).fail(&runs[0], "disk full", None));
        assert!(world.demo.control(kind).complete(&runs[1], None));
    }
    for (given, code) in [("{email}/5", 1), ("{reports}/5", 0), (runs[0].as_str(), 1)] {
        let (ended, out, err) = run(world.command(kind, &["wait", given, "--timeout", "20"]));
        assert_eq!(ended, code, "{given}: {out}{err}");
    }
}

#[test]
fn wait_does_not_answer_for_an_old_job_of_the_same_id_in_another_queue() {
    let world = World::quiet();
    let kind = DialectKind::BullBoard;
    let old = run_in(&world, "{email}", "5");
    let control = world.demo.control(kind);
    {
        let _inside = world.runtime.enter();
        assert!(control.fail(&old, "disk full", None));
    }
    let wait = world.command(kind, &["wait", "5", "--json"]).spawn().unwrap();
    // The row of the job that was just added comes late.
    std::thread::sleep(Duration::from_secs(5));
    let new = run_in(&world, "{reports}", "5");
    std::thread::sleep(Duration::from_secs(3));
    {
        let _inside = world.runtime.enter();
        assert!(control.complete(&new, None));
    }
    let (code, out, err) = ended(wait);
    assert_eq!(code, 0, "{out}{err}");
    let job = object(&out);
    assert_eq!((&job["id"], &job["state"]), (&new.as_str().into(), &"completed".into()));
    assert!(err.contains("{email}/5, failed"), "{err}");
}

#[test]
fn a_job_that_the_server_does_not_know_is_told_promptly_whatever_its_id_is() {
    let world = World::quiet();
    for (kind, id) in [
        (DialectKind::BullBoard, "999999"),
        (DialectKind::BullBoard, "{reports}/999999"),
        (DialectKind::BullBoard, "01999d2e-7d0c-7b11-8d3a-2f8a1f0e9c11"),
        (DialectKind::Analyzer, "queue/1"),
        (DialectKind::StudyBuddy, "a b#?%\u{e9}"),
        (DialectKind::TriggerX, "999999"),
        (DialectKind::Kecs, "0123456789abcdef0123456789abcdef"),
    ] {
        let (code, out, err) = run(world.command(kind, &["wait", id, "--timeout", "25"]));
        assert_eq!((code, out.as_str()), (3, ""), "{kind:?} {id}: {err}");
    }
    let (code, _, err) = run(world.command(DialectKind::Analyzer, &["wait", ".."]));
    assert_eq!(code, 64, "{err}");
    assert!(err.contains("No URL can name the job"), "{err}");
}

#[test]
fn a_task_of_triggerx_is_found_by_its_number() {
    let world = World::quiet();
    let kind = DialectKind::TriggerX;
    let task = world.start_job(kind, JobSpec::default());
    {
        let _inside = world.runtime.enter();
        assert!(world.demo.control(kind).complete(&task, None));
    }
    let number = task.strip_prefix("task:").unwrap();
    let (code, out, err) = run(world.command(kind, &["wait", number, "--json"]));
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(object(&out)["id"], task.as_str());
}
