//! `jobwatch logs`: one job's log, as text.

use std::sync::Arc;
use std::time::Duration;

use jobwatch_engine::ports::Event;
use jobwatch_engine::views::ViewSpec;
use tokio::sync::watch;

use super::args::{EXIT_KEY, EXIT_LOST, EXIT_OK, EXIT_TIMEOUT, Logs};
use super::connection::{Target, job_topic};
use super::stream::{Next, Stream};
use super::text::{self, Style};
use super::wait::{Seen, lost};
use super::{Failure, Outcome, Output, json, print};
use crate::os::paths::{NoHome, Paths};

/// A log counts as complete when the server was asked and nothing has come for this long.
const QUIET: Duration = Duration::from_millis(1_500);

/// How long the reader may take for what still waits at the end.
const DRAIN: Duration = Duration::from_secs(1);

/// Runs the command.
///
/// # Errors
/// For people.
pub async fn run(args: Logs, paths: Result<Paths, NoHome>) -> Outcome {
    let topic = job_topic(&args.job)?;
    let target = Target::find(&args.connection, vec![topic.clone()], paths)?;
    let (server, name) = (target.server.id.0.clone(), target.server.name.clone());
    let stream = Arc::new(Stream::default());
    let (heard, mut lines) = watch::channel(0_u64);
    let (ports, mut seen) = {
        let stream = Arc::clone(&stream);
        Seen::ports(topic, move |event| {
            if let Event::Log { named: true, .. } = event {
                use jobwatch_engine::ports::Sink as _;
                stream.event(event.clone());
                heard.send_modify(|count| *count += 1);
            }
        })
    };
    let mut printed = print_all(Arc::clone(&stream), name.clone(), &args)?;
    let engine = super::engine(target, ports).await?;
    let ended = tokio::select! {
        ended = follow(&engine, &server, args.follow, &mut seen, &mut lines) => Some(ended),
        outcome = &mut printed => return match outcome {
            Ok(Err(failure)) => Err(failure),
            _ => Ok(EXIT_OK),
        },
        () = super::elapsed(args.timeout) => Some(Ended::TimedOut),
        () = crate::os::ended() => None,
    };
    super::stop(&engine).await;
    stream.close();
    if let Ok(Ok(Err(failure))) = tokio::time::timeout(DRAIN, printed).await {
        return Err(failure);
    }
    let job = text::plain(&args.job);
    match ended {
        None | Some(Ended::Complete) => Ok(EXIT_OK),
        Some(Ended::Unknown) => {
            Err(Failure::new(EXIT_LOST, format!("{name} does not know the job {job}.")))
        }
        Some(Ended::Refused(reason)) => Err(Failure::new(
            EXIT_KEY,
            format!("{name} does not accept us: {} Give the key with --key-env.", reason.trim()),
        )),
        Some(Ended::TimedOut) => Err(Failure::new(
            EXIT_TIMEOUT,
            format!("The log of {job} was not complete when the time was over."),
        )),
    }
}

/// How the log ends.
enum Ended {
    /// All lines are there; with `--follow` the job has ended.
    Complete,
    /// The server does not know the job.
    Unknown,
    /// Nobody accepts the key.
    Refused(String),
    /// `--timeout` passed first.
    TimedOut,
}

async fn follow(
    engine: &jobwatch_engine::Engine,
    server: &str,
    to_the_end: bool,
    seen: &mut watch::Receiver<Seen>,
    lines: &mut watch::Receiver<u64>,
) -> Ended {
    let mut view = None;
    loop {
        let known = {
            let now = seen.borrow_and_update();
            if let Some(reason) = now.refused() {
                return Ended::Refused(reason);
            }
            now.clone()
        };
        // Looking at a job's log is what makes the engine fetch the lines from before.
        if let (None, Some(job)) = (view, &known.job) {
            let (server, job) = (server.to_owned(), job.id.as_str().to_owned());
            view = engine.open_view(ViewSpec::Log { server, job }).await.ok();
        }
        let complete = known.listed
            && known.answers()
            && match &known.job {
                Some(job) => !to_the_end || job.state.terminal() || lost(job),
                None => true,
            };
        lines.borrow_and_update();
        tokio::select! {
            changed = seen.changed() => if changed.is_err() {
                return Ended::Complete;
            },
            changed = lines.changed() => if changed.is_err() {
                return Ended::Complete;
            },
            () = tokio::time::sleep(QUIET), if complete => {
                let anything = known.job.is_some() || *lines.borrow() > 0;
                return if anything { Ended::Complete } else { Ended::Unknown };
            }
        }
    }
}

/// Prints on a thread of its own: a reader that takes nothing blocks it, and nothing else.
fn print_all(
    stream: Arc<Stream>,
    server: String,
    args: &Logs,
) -> Result<tokio::sync::oneshot::Receiver<Result<(), Failure>>, Failure> {
    let (done, ended) = tokio::sync::oneshot::channel();
    let (as_json, timestamps) = (args.json, args.timestamps);
    let style = Style::of_stdout();
    std::thread::Builder::new()
        .name("output".to_owned())
        .spawn(move || {
            let result = loop {
                let line = match stream.next() {
                    Next::Closed => break Ok(()),
                    Next::Event(Event::Log { job, seq, line, .. }) if as_json => {
                        json::log(&server, &job, seq, &line).text()
                    }
                    Next::Event(Event::Log { line, .. }) => {
                        let head =
                            if timestamps { text::log_head(&line, style) } else { String::new() };
                        // A terminal must not be commanded; a file gets every byte.
                        let text = if style.terminal {
                            text::plain(&line.text)
                        } else {
                            (&*line.text).into()
                        };
                        format!("{head}{text}")
                    }
                    Next::Event(_) => continue,
                    Next::Dropped(count) => {
                        eprintln!(
                            "jobwatch: {count} lines were left out, because the output was not \
                             read fast enough."
                        );
                        continue;
                    }
                };
                match print(&line) {
                    Ok(Output::Open) => {}
                    Ok(Output::Closed) => break Ok(()),
                    Err(failure) => break Err(failure),
                }
            };
            stream.close();
            // The receiver is gone when the program ends without waiting for us.
            let _ = done.send(result);
        })
        .map_err(Failure::internal)?;
    Ok(ended)
}
