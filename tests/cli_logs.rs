//! `jobwatch logs` as a shell user meets it: the real program, an empty home, the demo servers.
// In a test a failed step is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use jobwatch_core::model::Level;
use jobwatch_core::server::{DialectKind, Server};
use jobwatch_demo::{
    ApiFault, Demo, DemoOptions, Faults, Flood, Generation, JobSpec, UpgradeFault,
};

const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    demo: Demo,
    runtime: tokio::runtime::Runtime,
    home: tempfile::TempDir,
}

impl World {
    /// The servers as they are shipped today.
    fn new() -> World {
        World::of(DemoOptions::default())
    }

    fn documented() -> World {
        World::of(DemoOptions { generation: Generation::Documented, ..DemoOptions::default() })
    }

    fn of(options: DemoOptions) -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let options = DemoOptions { life: false, ..options };
        let demo = runtime.block_on(Demo::start(options)).unwrap();
        World { demo, runtime, home: tempfile::tempdir().unwrap() }
    }

    fn server(&self, kind: DialectKind) -> Server {
        self.demo.servers().into_iter().find(|(server, _)| server.dialect == kind).unwrap().0
    }

    fn logs(&self, kind: DialectKind, words: &[&str]) -> Command {
        let (server, key) =
            self.demo.servers().into_iter().find(|(server, _)| server.dialect == kind).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobwatch"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .args(["logs"])
            .args(words)
            .args(["--dialect", kind.word(), "--ws", &server.ws, "--name", "local"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(api) = &server.api {
            command.args(["--api", api]);
        }
        for (name, value) in &server.options {
            command.arg("--option").arg(format!("{name}={value}"));
        }
        if let Some(key) = key {
            command.args(["--key-env", "THE_KEY"]).env("THE_KEY", key.expose());
        }
        command
    }

    fn start_job(&self, kind: DialectKind, spec: JobSpec) -> String {
        let _inside = self.runtime.enter();
        let id = self.demo.control(kind).start_job(spec);
        if kind == DialectKind::TriggerX { format!("task:{id}") } else { id }
    }

    fn say(&self, kind: DialectKind, id: &str, text: &str) {
        let _inside = self.runtime.enter();
        assert!(self.demo.control(kind).log(id, Level::Info, text));
    }

    fn fail(&self, kind: DialectKind, id: &str) {
        let _inside = self.runtime.enter();
        assert!(self.demo.control(kind).fail(id, "it broke", None));
    }

    fn faults(&self, kind: DialectKind, faults: Faults) {
        let _inside = self.runtime.enter();
        self.demo.control(kind).set_faults(faults);
    }
}

/// No socket, as KECS is today.
fn no_socket() -> Faults {
    Faults {
        upgrade: Some(UpgradeFault::Status { status: 400, retry_after: None }),
        ..Faults::default()
    }
}

struct Running {
    child: Child,
    lines: Receiver<String>,
    err: Option<std::thread::JoinHandle<String>>,
}

impl Running {
    fn start(mut command: Command) -> Running {
        let mut child = command.spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let err = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        Running { child, lines, err: Some(err) }
    }

    fn next(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => {
                let _ = self.child.kill();
                panic!("no line came: {error}\n{}", self.err.take().unwrap().join().unwrap());
            }
        }
    }

    /// The rest of the output, the exit code, and what was said on stderr.
    fn end(mut self) -> (Vec<String>, i32, String) {
        let mut rest = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            rest.push(line);
        }
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let err = self.err.take().unwrap().join().unwrap();
                return (rest, status.code().expect("no signal ended it"), err);
            }
            assert!(begin.elapsed() < PATIENCE, "the program does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn run(command: Command) -> (Vec<String>, i32, String) {
    Running::start(command).end()
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("line {n}")).collect()
}

const SERVED: [DialectKind; 2] = [DialectKind::Kecs, DialectKind::BullBoard];

#[test]
fn the_log_of_an_ended_job_is_printed_whole_by_every_spelling_of_its_id() {
    for world in [World::new(), World::documented()] {
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
                    let (out, code, err) = run(world.logs(kind, &words));
                    assert_eq!((out, code), (numbered(25), 0), "{kind:?} {words:?}: {err}");
                }
            }
        }
    }
}

#[test]
fn a_running_job_is_followed_to_its_last_line() {
    for kind in SERVED {
        let world = World::new();
        let id = world.start_job(kind, JobSpec::default());
        for line in numbered(3) {
            world.say(kind, &id, &line);
        }
        let mut running = Running::start(world.logs(kind, &[&id, "--follow"]));
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
    let world = World::new();
    let kind = DialectKind::Kecs;
    world.faults(kind, no_socket());
    let id = world.start_job(kind, JobSpec::default());
    world.say(kind, &id, "starting");
    let mut running = Running::start(world.logs(kind, &[&id, "--follow"]));
    assert_eq!(running.next(), "starting");
    world.say(kind, &id, "working");
    assert_eq!(running.next(), "working");
    world.fail(kind, &id);
    std::thread::sleep(Duration::from_millis(3_500));
    world.say(kind, &id, "FATAL: out of disk");
    let (rest, code, err) = running.end();
    assert_eq!((rest, code), (vec!["FATAL: out of disk".to_owned()], 0), "{err}");
}

#[test]
fn a_chatty_job_is_printed_at_once() {
    let world = World::new();
    let kind = DialectKind::Kecs;
    let id = world.start_job(kind, JobSpec::default());
    world.say(kind, &id, "before");
    let mut running = Running::start(world.logs(kind, &[&id, "--follow", "--timeout", "50"]));
    assert_eq!(running.next(), "before");
    let begin = Instant::now();
    for n in 0..5 {
        world.say(kind, &id, &format!("tick {n}"));
        assert_eq!(running.next(), format!("tick {n}"));
        std::thread::sleep(Duration::from_millis(400));
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn fifty_thousand_lines_are_printed_to_the_last() {
    let world = World::new();
    let kind = DialectKind::BullBoard;
    let id = world.start_job(kind, JobSpec::default());
    {
        let _inside = world.runtime.enter();
        let job = Some(id.clone());
        world.demo.control(kind).flood(Flood { count: 50_000, per_second: 0, job, batch: 1 });
    }
    let begin = Instant::now();
    while world.demo.control(kind).counters().flooded_lines < 50_000 {
        assert!(begin.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(50));
    }
    world.fail(kind, &id);
    let (out, code, err) = run(world.logs(kind, &[&id, "--timeout", "55"]));
    assert_eq!((out.len(), code), (50_000, 0), "{err}");
    let mut all = out.clone();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 50_000, "no line twice");
}

#[test]
fn a_log_that_cannot_be_read_whole_is_said_to_be_cut_and_ends_with_4() {
    let world = World::new();
    let kind = DialectKind::Kecs;
    let id = world.start_job(kind, JobSpec::default());
    world.fail(kind, &id);
    // The port of the log API alone.
    let mut command = world.logs(kind, &[&id, "--timeout", "40"]);
    command.args(["--option", "admin=http://127.0.0.1:9"]);
    let (_, code, err) = run(command);
    assert_eq!(code, 5, "{err}");
    assert!(err.contains("Lines of the log may be missing: "), "{err}");
}

#[test]
fn a_kind_of_server_without_logs_says_why_there_is_none() {
    let world = World::new();
    for kind in [DialectKind::TriggerX, DialectKind::Analyzer] {
        let id = world.start_job(kind, JobSpec::default());
        let (out, code, err) = run(world.logs(kind, &[&id, "--follow", "--timeout", "40"]));
        assert_eq!((out.len(), code), (0, 0), "{kind:?}: {err}");
        assert!(err.contains("keeps no logs"), "{kind:?}: {err}");
    }
}

#[test]
fn notes_are_printed_line_by_line_and_not_word_by_word() {
    let world = World::new();
    let kind = DialectKind::StudyBuddy;
    let id = world.start_job(kind, JobSpec::default());
    let running = Running::start(world.logs(kind, &[&id, "--follow", "--timeout", "50"]));
    let (mut said, mut percent) = (Vec::new(), 0.0);
    while said.is_empty() {
        percent += 2.0;
        assert!(percent < 90.0, "the first line does not come");
        {
            let _inside = world.runtime.enter();
            let control = world.demo.control(kind);
            assert!(control.set_progress(&id, percent, Some("generating_notes")));
        }
        said.extend(running.lines.recv_timeout(Duration::from_millis(700)));
    }
    {
        let _inside = world.runtime.enter();
        let control = world.demo.control(kind);
        assert!(control.set_progress(&id, 99.0, Some("generating_notes")));
        assert!(control.complete(&id, None));
    }
    let (rest, code, err) = running.end();
    said.extend(rest);
    assert_eq!(code, 0, "{err}");
    let begins = ["## Key ideas", "", "- The definitions come first, then what follows from them."];
    assert_eq!(said[..3], begins, "{said:?}");
    assert!(said.len() <= 6, "{said:?}");
}

#[test]
fn an_unknown_job_ends_with_3_and_a_wrong_key_with_77() {
    let world = World::new();
    for kind in SERVED {
        let unknown = "01999d2e-7d0c-7b11-8d3a-000000000000";
        let (out, code, err) = run(world.logs(kind, &[unknown, "--timeout", "40"]));
        assert_eq!((out.len(), code), (0, 3), "{kind:?}: {err}");
    }
    let kind = DialectKind::BullBoard;
    world.faults(
        kind,
        Faults {
            upgrade: Some(UpgradeFault::Status { status: 401, retry_after: None }),
            api: Some(ApiFault { status: Some(401), ..ApiFault::default() }),
            ..Faults::default()
        },
    );
    let id = world.start_job(kind, JobSpec::default());
    let (_, code, err) = run(world.logs(kind, &[&id, "--timeout", "40"]));
    assert_eq!(code, 77, "{err}");
    assert_eq!(world.server(kind).dialect, kind);
}
