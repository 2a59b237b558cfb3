//! The command line: the same engine without a window. Nothing here needs a display.

pub mod args;
mod candidates;
mod connection;
mod demo;
mod job_lines;
pub mod json;
mod logs;
mod output_queue;
mod servers;
mod text;
mod wait;
mod wait_reason;
mod watch;

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobwatch_engine::Engine;
use jobwatch_engine::ports::Ports;
use jobwatch_engine::{Options, SettingsSource};

use self::args::{Command, EXIT_INTERNAL, EXIT_OUTPUT};
use self::connection::Target;
use crate::os::paths::{NoHome, Paths};

/// How long sockets may take to close at the end.
const STOP: Duration = Duration::from_secs(2);

/// Why a command failed: the exit code, and a message that says what happened and what to do.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into() }
    }

    fn internal(error: impl fmt::Display) -> Failure {
        Failure::new(EXIT_INTERNAL, error.to_string())
    }
}

/// A command's exit code, or why it failed.
type Outcome = Result<u8, Failure>;

/// Runs a command and returns its exit code.
#[must_use]
pub fn run(command: Command, paths: Result<Paths, NoHome>) -> ExitCode {
    log_to_stderr();
    crate::os::proxy::use_desktop();
    // Ignored: it fails only when a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return end(Err(Failure::internal(error))),
        };
    let outcome = runtime.block_on(async {
        match command {
            Command::Watch(watch) => watch::run(watch, paths).await,
            Command::Wait(wait) => wait::run(wait, paths).await,
            Command::Logs(logs) => logs::run(logs, paths).await,
            Command::Servers(servers) => servers::run(&servers, paths),
            Command::Demo(demo) => demo::run(&demo).await,
        }
    });
    // Do not wait for a keyring prompt, or for a reader that blocks our output.
    runtime.shutdown_timeout(Duration::from_millis(200));
    end(outcome)
}

fn end(outcome: Outcome) -> ExitCode {
    ExitCode::from(match outcome {
        Ok(code) => code,
        Err(failure) => {
            crate::print_stderr(failure.message);
            failure.code
        }
    })
}

/// Starts an engine for one server. It does not change the settings. It reads the history of a saved
/// server but writes nothing, since it has no desktop: unsent notices are left to the window.
async fn engine(target: Target, ports: Ports) -> Result<Engine, Failure> {
    let target = target.ready().await?;
    let options = Options {
        data_dir: target.history,
        settings: SettingsSource::Fixed(vec![(target.server, target.key)]),
        ports,
        seed: None,
    };
    Engine::start(options).await.map_err(Failure::internal)
}

async fn stop(engine: &Engine) {
    if tokio::time::timeout(STOP, engine.stop()).await.is_err() {
        tracing::warn!("the engine did not end in time");
    }
}

/// How far the server's clock is ahead of ours; 0 while unknown.
async fn ahead(engine: &Engine) -> SignedDuration {
    let overview = engine.overview().await.ok();
    let server = overview.as_ref().and_then(|overview| overview.servers.first());
    SignedDuration::from_millis(server.map_or(0, |server| server.clock_ahead))
}

/// The current time by the server's clock, for ages of the server's own times.
async fn clock_of(engine: &Engine) -> Timestamp {
    let now = Timestamp::now();
    now.saturating_add(ahead(engine).await).unwrap_or(now)
}

/// Sleeps for `duration`, or forever without one.
async fn elapsed(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// Whether stdout is still open. A closed pipe is not an error: the reader has seen enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Output {
    Open,
    Closed,
}

/// Prints one line and flushes it, since readers act on whole lines.
fn print(line: &str) -> Result<Output, Failure> {
    let mut out = io::stdout().lock();
    let written = out
        .write_all(line.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(Output::Open),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Output::Closed),
        Err(error) => {
            Err(Failure::new(EXIT_OUTPUT, format!("The output could not be written: {error}.")))
        }
    }
}

/// Sends the program's own log to stderr, if `JOBWATCH_LOG` is set.
fn log_to_stderr() {
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter(crate::log_filter("off"))
        .with_writer(io::stderr);
    // Fails only if a subscriber is already installed.
    let _ = subscriber.try_init();
}
