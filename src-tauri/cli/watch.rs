//! `jobwatch watch`: prints events as they arrive.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jobwatch_engine::ports::{Ports, StreamEvent};
use tokio::sync::oneshot;

use super::args::{EXIT_OK, Watch};
use super::connection::Target;
use super::job_lines::JobLines;
use super::output_queue::{self, Next, OutputQueue};
use super::text::Style;
use super::{Failure, Outcome, Output, json, print};
use crate::os::paths::{NoHome, Paths};

/// How long to wait at the end for the reader to take the rest.
const DRAIN: Duration = Duration::from_secs(1);

/// Runs the command.
///
/// # Errors
/// For people.
pub async fn run(args: Watch, paths: Result<Paths, NoHome>) -> Outcome {
    let target = Target::find(&args.connection, args.topics, paths)?;
    let name = target.server.name.clone();
    let stream = Arc::new(OutputQueue::default());
    let mut printed = print_all(Arc::clone(&stream), name, args.json)?;
    let ports = Ports { sink: Some(output_queue::port(&stream)), ..Ports::default() };
    let engine = super::engine(target, ports).await?;
    let ended = tokio::select! {
        ended = &mut printed => Some(ended),
        () = super::elapsed(args.duration) => None,
        () = crate::os::ended() => None,
    };
    super::stop(&engine).await;
    stream.close();
    let ended = match ended {
        Some(ended) => Some(ended),
        // A reader that takes no more lines must not keep the program from ending.
        None => tokio::time::timeout(DRAIN, printed).await.ok(),
    };
    match ended {
        Some(Ok(Err(failure))) => Err(failure),
        _ => Ok(EXIT_OK),
    }
}

/// Prints on a thread of its own, so that a slow reader blocks nothing else.
fn print_all(
    stream: Arc<OutputQueue>,
    server: String,
    json: bool,
) -> Result<oneshot::Receiver<Result<(), Failure>>, Failure> {
    let (done, ended) = oneshot::channel();
    let style = Style::of_stdout();
    std::thread::Builder::new()
        .name("output".to_owned())
        .spawn(move || {
            let mut changes = JobLines::default();
            let result = loop {
                let line = match stream.next() {
                    Next::Closed => break Ok(()),
                    Next::Event(event) if json => as_json(&server, &event),
                    Next::Event(event) => changes.line(&server, &event, style, Timestamp::now()),
                    Next::Dropped(count) => Some(left_out(&server, count, json)),
                };
                match line.as_deref().map(print) {
                    None | Some(Ok(Output::Open)) => {}
                    Some(Ok(Output::Closed)) => break Ok(()),
                    Some(Err(failure)) => break Err(failure),
                }
            };
            stream.close();
            // The receiver is gone if the program ends without waiting for this thread.
            let _ = done.send(result);
        })
        .map_err(Failure::internal)?;
    Ok(ended)
}

/// `event` as a JSON line; `None` for events that are not printed.
pub fn as_json(server: &str, event: &StreamEvent) -> Option<String> {
    Some(
        match event {
            StreamEvent::Status { status, .. } => json::status(server, status),
            StreamEvent::Job { job, .. } => json::job(server, job),
            StreamEvent::Log { job, first, lines, .. } => {
                let all = (*first..).zip(lines.iter());
                let all = all.map(|(seq, line)| json::log(server, job, seq, &line).text());
                return Some(all.collect::<Vec<_>>().join("\n"));
            }
            StreamEvent::Metric { metric, .. } => json::metric(server, metric),
            StreamEvent::Queue { queue, .. } => json::queue(server, queue),
            StreamEvent::Notice(notice) => json::notice(server, notice),
            StreamEvent::Diagnostic { diagnostic, .. } => json::diagnostic(server, diagnostic),
            StreamEvent::Listed { .. } | StreamEvent::LogReach { .. } => return None,
        }
        .text(),
    )
}

fn left_out(server: &str, count: u64, json: bool) -> String {
    let text = format!(
        "Dropped {count} log lines and metrics because the output was not read fast enough; the newest \
         state of every job was kept."
    );
    if !json {
        return format!("{server}: {text}");
    }
    let diagnostic =
        jobwatch_core::model::Diagnostic { kind: "output-left-out", text, sample: None };
    json::diagnostic(server, &diagnostic).text()
}
