//! The command line as a shell user meets it: the real program, an empty home, the demo servers,
//! which do nothing unless told to.
// In a test a failed step is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use jobwatch_core::model::Level;
use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Control, Demo, DemoOptions, JobSpec};

use super::PATIENCE;

/// The servers and a home that holds nothing.
pub struct World {
    pub demo: Demo,
    pub runtime: tokio::runtime::Runtime,
    pub home: tempfile::TempDir,
}

impl World {
    /// Of servers that start no jobs of their own accord.
    pub fn of(options: DemoOptions) -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let options = DemoOptions { life: false, ..options };
        let demo = runtime.block_on(Demo::start(options)).unwrap();
        World { demo, runtime, home: tempfile::tempdir().unwrap() }
    }

    /// A command about the server of this kind, which is named by its URL.
    pub fn command(&self, kind: DialectKind, words: &[&str]) -> Command {
        let (server, key) =
            self.demo.servers().into_iter().find(|(server, _)| server.dialect == kind).unwrap();
        let mut command = program(self.home.path());
        command.args(words).args(["--dialect", kind.word(), "--ws", &server.ws, "--name", "local"]);
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

    /// Tells a server something.
    pub fn tell<T>(&self, kind: DialectKind, what: impl FnOnce(&Control) -> T) -> T {
        let _inside = self.runtime.enter();
        what(&self.demo.control(kind))
    }

    /// Starts a job; answers its id as Jobwatch spells it.
    pub fn start_job(&self, kind: DialectKind, spec: JobSpec) -> String {
        let id = self.tell(kind, |control| control.start_job(spec));
        if kind == DialectKind::TriggerX { format!("task:{id}") } else { id }
    }

    /// A line of a job's log.
    pub fn say(&self, kind: DialectKind, id: &str, text: &str) {
        assert!(self.tell(kind, |control| control.log(id, Level::Info, text)));
    }

    pub fn fail(&self, kind: DialectKind, id: &str) {
        assert!(self.tell(kind, |control| control.fail(id, "it broke", None)));
    }

    pub fn complete(&self, kind: DialectKind, id: &str) {
        assert!(self.tell(kind, |control| control.complete(id, None)));
    }
}

/// The program in this home, with nothing else of the environment.
pub fn program(home: &Path) -> Command {
    let mut command = Command::new(super::jobwatch());
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A run of the program.
pub struct Running {
    child: Child,
    pub lines: Receiver<String>,
    err: Option<std::thread::JoinHandle<String>>,
}

impl Running {
    pub fn start(mut command: Command) -> Running {
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

    /// The next line of its output.
    pub fn next(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => {
                let _ = self.child.kill();
                panic!("no line came: {error}\n{}", self.err.take().unwrap().join().unwrap());
            }
        }
    }

    /// The rest of the output, the exit code, and what was said on stderr.
    pub fn end(mut self) -> (Vec<String>, i32, String) {
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
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

/// The output, the exit code, and what was said on stderr.
pub fn run(command: Command) -> (Vec<String>, i32, String) {
    Running::start(command).end()
}
