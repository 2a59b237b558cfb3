//! The command line as a shell user meets it: the real program with an empty home against the demo
//! servers.
// In a test a failed step is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jobwatch_core::model::Level;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, Server};
use jobwatch_demo::{Control, Demo, DemoOptions, JobSpec};

use super::PATIENCE;

/// The demo servers, and an empty home for the program.
pub struct World {
    pub demo: Demo,
    pub runtime: tokio::runtime::Runtime,
    pub home: tempfile::TempDir,
}

impl World {
    /// Starts the demo servers.
    pub fn start(options: DemoOptions) -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let demo = runtime.block_on(Demo::start(options)).unwrap();
        World { demo, runtime, home: tempfile::tempdir().unwrap() }
    }

    /// Starts demo servers that start no jobs by themselves.
    pub fn of(options: DemoOptions) -> World {
        World::start(DemoOptions { life: false, ..options })
    }

    /// The server of this kind and its key.
    pub fn server(&self, kind: DialectKind) -> (Server, Option<Secret>) {
        self.demo.servers().into_iter().find(|(server, _)| server.dialect == kind).unwrap()
    }

    /// A command about the server of this kind, which is named by its URL.
    pub fn command(&self, kind: DialectKind, words: &[&str]) -> Command {
        let (_, key) = self.server(kind);
        self.with_key(kind, words, key.as_ref().map(Secret::expose))
    }

    /// The same with another key.
    pub fn with_key(&self, kind: DialectKind, words: &[&str], key: Option<&str>) -> Command {
        let (server, _) = self.server(kind);
        let mut command = program(self.home.path());
        command.args(words).args(["--dialect", kind.word(), "--ws", &server.ws, "--name", "local"]);
        if let Some(api) = &server.api {
            command.args(["--api", api]);
        }
        for (name, value) in &server.options {
            command.arg("--option").arg(format!("{name}={value}"));
        }
        if let Some(key) = key {
            command.args(["--key-env", "THE_KEY"]).env("THE_KEY", key);
        }
        command
    }

    /// Controls a server.
    pub fn tell<T>(&self, kind: DialectKind, what: impl FnOnce(&Control) -> T) -> T {
        let _inside = self.runtime.enter();
        what(&self.demo.control(kind))
    }

    /// Starts a job; returns its id as Jobwatch spells it.
    pub fn start_job(&self, kind: DialectKind, spec: JobSpec) -> String {
        let id = self.tell(kind, |control| control.start_job(spec));
        if kind == DialectKind::TriggerX { format!("task:{id}") } else { id }
    }

    /// Adds a line to a job's log.
    pub fn say(&self, kind: DialectKind, id: &str, text: &str) {
        assert!(self.tell(kind, |control| control.log(id, Level::Info, text)));
    }

    pub fn fail(&self, kind: DialectKind, id: &str) {
        assert!(self.tell(kind, |control| control.fail(id, "it broke", None)));
    }

    pub fn complete(&self, kind: DialectKind, id: &str) {
        assert!(self.tell(kind, |control| control.complete(id, None)), "{kind:?} knows {id}");
    }
}

/// The program in this home, without the rest of the environment: no display, no session bus.
pub fn program(home: &Path) -> Command {
    let mut command = Command::new(super::jobwatch());
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}/none", home.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Asks until there is an answer, for at most [`PATIENCE`].
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "in {} s there was no {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A running program, whose output is read as it comes.
pub struct Running {
    child: Child,
    pub lines: Receiver<String>,
    /// What it has printed to stderr so far.
    err: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(mut command: Command) -> Running {
        let mut child = command.spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let err = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&err);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                *into.lock().unwrap() += &format!("{line}\n");
            }
        });
        Running { child, lines, err, reader: Some(reader) }
    }

    /// The next line of its output.
    pub fn next(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            let _ = self.child.kill();
            panic!("no line came: {error}\n{}", self.err.lock().unwrap())
        })
    }

    /// Reads lines until `wanted` accepts one; returns all that were read.
    pub fn read_until(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let mut read = Vec::new();
        loop {
            let line = self.next();
            let found = wanted(&line);
            read.push(line);
            if found {
                return read;
            }
        }
    }

    /// Waits until it has printed this to stderr.
    pub fn reports(&self, text: &str) {
        until(text, || self.err.lock().unwrap().contains(text).then_some(()));
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// The rest of the output, the exit code and stderr, once it has ended.
    pub fn end(mut self) -> (Vec<String>, i32, String) {
        let mut rest = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            rest.push(line);
        }
        let status = until("end of the program", || self.child.try_wait().unwrap());
        self.reader.take().unwrap().join().unwrap();
        let err = self.err.lock().unwrap().clone();
        (rest, status.code().expect("no signal ended it"), err)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// The output, the exit code and stderr.
pub fn run(command: Command) -> (Vec<String>, i32, String) {
    Running::start(command).end()
}
