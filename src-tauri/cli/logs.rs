//! `jobwatch logs`: one job's log, as text: what is stored, what the server still has, and what comes.
//!
//! Lines are printed in order once the server has answered; with `--follow` those that come later
//! follow. Where the server cannot be reached, what is stored is printed all the same.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jobwatch_core::log::{LogLine, LogLines};
use jobwatch_core::model::{JobId, Level};
use jobwatch_engine::Engine;
use jobwatch_engine::logs::find::Needle;
use jobwatch_engine::logs::text::plain as seen;
use jobwatch_engine::ports::Event;
use jobwatch_engine::views::{
    LogFilter, LogFind, LogTarget, OpenJob, Rows, UserError, ViewSpec, ViewWindow,
};
use tokio::sync::{mpsc, watch};

use super::args::{EXIT_KEY, EXIT_LOST, EXIT_OK, EXIT_TIMEOUT, EXIT_USAGE, Logs, Since};
use super::connection::{Target, job_topic};
use super::text::{self, Style};
use super::wait::{Seen, refused_words};
use super::{Failure, Outcome, Output, json, print};
use crate::os::paths::{NoHome, Paths};

/// A log counts as complete when the server was asked and nothing has come for this long.
const QUIET: Duration = Duration::from_millis(1_500);
/// A server that has not answered by then is not waited for where lines are stored.
const SILENT: Duration = Duration::from_secs(5);
/// How long the reader may take for what still waits at the end.
const DRAIN: Duration = Duration::from_secs(1);
/// Rows read at a time.
const STEP: u64 = 1_000;
/// Lines that may wait between the store and the output.
const EARLY: usize = 100_000;

/// Runs the command.
///
/// # Errors
/// For people.
pub async fn run(args: Logs, paths: Result<Paths, NoHome>) -> Outcome {
    let wanted = Wanted::new(&args)?;
    let topic = job_topic(&args.job)?;
    let target = Target::find(&args.connection, vec![topic.clone()], paths)?;
    let (server, name) = (target.server.id.0.clone(), target.server.name.clone());
    let live = Arc::new(Live::default());
    let (heard, mut lines) = watch::channel(0_u64);
    let (ports, mut seen) = {
        let live = Arc::clone(&live);
        Seen::ports(topic, move |event| {
            if let Event::Log { named: true, first, lines, .. } = event {
                live.heard(*first, lines);
                heard.send_modify(|count| *count += lines.len() as u64);
            }
        })
    };
    let engine = super::engine(target, ports).await?;
    let (to_print, printing) = mpsc::channel(64);
    let printer = Printer { server: name.clone(), json: args.json, timestamps: args.timestamps };
    let mut printed = printer.start(printing)?;
    let log = Log { engine: &engine, server: &server, wanted: &wanted, to_print: &to_print };
    let work = async {
        let (job, ended) = log.stored(&args, &mut seen, &mut lines).await?;
        match ended {
            Ended::Complete | Ended::Silent => {
                let end = log.print(&job).await?;
                let ended_by_now = ended == Ended::Silent || !args.follow;
                if !ended_by_now {
                    log.follow(&live, end, &job, &mut seen, &mut lines).await?;
                }
            }
            _ => {}
        }
        Ok::<Ended, Failure>(ended)
    };
    let ended = tokio::select! {
        ended = work => Some(ended?),
        outcome = &mut printed => return match outcome {
            Ok(Err(failure)) => Err(failure),
            _ => Ok(EXIT_OK),
        },
        () = super::elapsed(args.timeout) => Some(Ended::TimedOut),
        () = crate::os::ended() => None,
    };
    super::stop(&engine).await;
    drop(to_print);
    if let Ok(Ok(Err(failure))) = tokio::time::timeout(DRAIN, printed).await {
        return Err(failure);
    }
    let job = text::plain(&args.job);
    match ended {
        None | Some(Ended::Complete) => Ok(EXIT_OK),
        Some(Ended::Silent) => {
            let reason = seen.borrow().status.as_ref().and_then(|status| status.reason.clone());
            let reason = reason.map(|reason| format!(": {}", reason.trim())).unwrap_or_default();
            crate::tell(format_args!(
                "{name} does not answer{reason} These are the lines stored earlier."
            ));
            Ok(EXIT_OK)
        }
        Some(Ended::Unknown) => {
            Err(Failure::new(EXIT_LOST, format!("{name} does not know the job {job}.")))
        }
        Some(Ended::Refused(reason)) => Err(Failure::new(EXIT_KEY, refused_words(&name, &reason))),
        Some(Ended::TimedOut) => Err(Failure::new(
            EXIT_TIMEOUT,
            format!("The log of {job} was not complete when the time was over."),
        )),
    }
}

/// Which lines are wanted.
struct Wanted {
    filter: LogFilter,
    grep: Option<Needle>,
    level: Option<Level>,
    since: Option<i64>,
}

impl Wanted {
    fn new(args: &Logs) -> Result<Wanted, Failure> {
        let find = args.grep.as_ref().map(|text| LogFind {
            text: text.clone(),
            regex: true,
            case: !args.ignore_case,
            word: false,
        });
        let grep = find.as_ref().map(Needle::new).transpose();
        let grep = grep.map_err(|problem| Failure::new(EXIT_USAGE, problem))?.flatten();
        let all =
            [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];
        let levels =
            all.into_iter().filter(|level| args.level.is_some_and(|least| *level >= least));
        let filter = LogFilter {
            include: find.into_iter().collect(),
            levels: levels.map(|level| level.word().to_owned()).collect(),
            ..LogFilter::default()
        };
        let since = args.since.map(|since| match since {
            Since::At(at) => at.as_millisecond(),
            Since::Ago(ago) => {
                let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
                Timestamp::now().as_millisecond().saturating_sub(ago)
            }
        });
        Ok(Wanted { filter, grep, level: args.level, since })
    }

    fn takes(&self, line: &LogLine<'_>) -> bool {
        let level = text::level_of(line);
        self.level.is_none_or(|least| level.is_some_and(|level| level >= least))
            && self.grep.as_ref().is_none_or(|grep| grep.is_in(seen(line.text).as_bytes()))
    }
}

/// How the log ends.
#[derive(Debug, PartialEq)]
enum Ended {
    /// All lines are there; with `--follow` the job has ended.
    Complete,
    /// The server does not answer; what is stored is there.
    Silent,
    /// The server does not know the job.
    Unknown,
    /// Nobody accepts the key.
    Refused(String),
    /// `--timeout` passed first.
    TimedOut,
}

struct Log<'a> {
    engine: &'a Engine,
    server: &'a str,
    wanted: &'a Wanted,
    to_print: &'a mpsc::Sender<Batch>,
}

/// Lines on their way to the output.
struct Batch {
    job: JobId,
    lines: LogLines,
    /// The number of each line in the stored log.
    numbers: Vec<u64>,
}

impl Log<'_> {
    /// Opens a view of the log; looking at it is what makes the engine ask the server.
    async fn open(&self, job: &str, filter: LogFilter) -> Result<u32, Failure> {
        let jobs = vec![OpenJob { server: self.server.to_owned(), job: job.to_owned() }];
        self.engine.open_view(ViewSpec::Log { jobs, filter }).await.map_err(failure)
    }

    async fn window(&self, view: u32) -> Result<ViewWindow, Failure> {
        self.engine.view_window(view, 0, 1).await.map_err(failure)
    }

    /// Waits until what was written so far is stored; answers the job's id as it is stored.
    async fn stored(
        &self,
        args: &Logs,
        seen: &mut watch::Receiver<Seen>,
        lines: &mut watch::Receiver<u64>,
    ) -> Result<(String, Ended), Failure> {
        let begun = tokio::time::Instant::now();
        let mut job = args.job.strip_prefix("job:").unwrap_or(&args.job).to_owned();
        let mut view = self.open(&job, LogFilter::default()).await?;
        loop {
            let known = seen.borrow_and_update().clone();
            if let Some(named) = &known.job
                && named.id.as_str() != job
            {
                self.engine.close_view(view).await;
                named.id.as_str().clone_into(&mut job);
                view = self.open(&job, LogFilter::default()).await?;
            }
            let any = self.window(view).await?.total > 0;
            if let Some(reason) = known.refused() {
                return Ok((job, if any { Ended::Silent } else { Ended::Refused(reason) }));
            }
            let complete = known.listed && known.answers();
            let silent = any && !complete;
            lines.borrow_and_update();
            tokio::select! {
                changed = seen.changed() => if changed.is_err() {
                    return Ok((job, Ended::Complete));
                },
                changed = lines.changed() => if changed.is_err() {
                    return Ok((job, Ended::Complete));
                },
                () = tokio::time::sleep(QUIET), if complete => {
                    let anything = known.job.is_some() || any;
                    return Ok((job, if anything { Ended::Complete } else { Ended::Unknown }));
                }
                () = tokio::time::sleep_until(begun + SILENT), if silent => {
                    return Ok((job, Ended::Silent));
                }
                // A log that was stored earlier is told of in its own time.
                () = tokio::time::sleep(Duration::from_millis(100)), if !any && !complete => {}
            }
        }
    }

    /// Prints what is stored; answers one beyond the number of the last stored line.
    async fn print(&self, job: &str) -> Result<u64, Failure> {
        let view = self.open(job, self.wanted.filter.clone()).await?;
        // The store tells how the log is, and the search goes through it.
        let state = loop {
            if let Rows::Log { state, .. } = self.window(view).await?.rows
                && state.known
                && state.searched >= 1.0
            {
                break state;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let end = state.end.first().copied().unwrap_or(0);
        let mut row = 0;
        if let Some(at) = self.wanted.since {
            let target = LogTarget::Time { at };
            let found = self.engine.log_seek(view, target, 0).await.map_err(failure)?;
            row = found.map_or(0, |found| found.place.row);
        }
        loop {
            let rows = self.engine.log_lines(view, row, STEP).await.map_err(failure)?;
            let read = rows.numbers.len() as u64;
            if read == 0 {
                break;
            }
            row += read;
            let mut batch =
                Batch { job: JobId::from(job), lines: LogLines::new(), numbers: Vec::new() };
            for (line, number) in rows.lines.iter().zip(&rows.numbers) {
                let at = line.at.map(Timestamp::as_millisecond);
                let late = self.wanted.since.is_some_and(|since| at.is_some_and(|at| at < since));
                // Those stored since are printed as they came.
                if !late && *number < end {
                    batch.lines.push(line);
                    batch.numbers.push(*number);
                }
            }
            if self.to_print.send(batch).await.is_err() {
                break;
            }
        }
        self.engine.close_view(view).await;
        Ok(end)
    }

    /// Prints what comes, until the job has ended and nothing has come for a while.
    async fn follow(
        &self,
        live: &Live,
        end: u64,
        job: &str,
        seen: &mut watch::Receiver<Seen>,
        lines: &mut watch::Receiver<u64>,
    ) -> Result<(), Failure> {
        // Watched until the end, so that lines are asked for where no socket brings them.
        let view = self.open(job, LogFilter::default()).await?;
        let mut next = end;
        loop {
            lines.borrow_and_update();
            let mut batch =
                Batch { job: JobId::from(job), lines: LogLines::new(), numbers: Vec::new() };
            let missed = live.take(&mut next, |number, line| {
                if self.wanted.takes(&line) {
                    batch.lines.push(line);
                    batch.numbers.push(number);
                }
            });
            if missed > 0 {
                crate::tell(format_args!(
                    "{missed} lines were left out, because the output was not read fast enough."
                ));
            }
            if !batch.numbers.is_empty() && self.to_print.send(batch).await.is_err() {
                return Ok(());
            }
            let over = {
                let now = seen.borrow_and_update();
                now.job.as_ref().is_none_or(|job| job.state.over())
            };
            tokio::select! {
                changed = seen.changed() => if changed.is_err() { break },
                changed = lines.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(QUIET), if over => break,
            }
        }
        self.engine.close_view(view).await;
        Ok(())
    }
}

fn failure(error: UserError) -> Failure {
    Failure::internal(error.message)
}

/// Lines that came lately, with their numbers in the stored log.
#[derive(Default)]
struct Live(Mutex<VecDeque<(u64, LogLines)>>);

impl Live {
    fn batches(&self) -> MutexGuard<'_, VecDeque<(u64, LogLines)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self, first: u64, lines: &LogLines) {
        let mut batches = self.batches();
        batches.push_back((first, lines.clone()));
        let mut waiting: usize = batches.iter().map(|(_, lines)| lines.len()).sum();
        while waiting > EARLY
            && let Some((_, oldest)) = batches.pop_front()
        {
            waiting -= oldest.len();
        }
    }

    /// Hands over the lines from number `next` on, and moves it on; answers how many were lost.
    fn take(&self, next: &mut u64, mut each: impl FnMut(u64, LogLine<'_>)) -> u64 {
        let taken = std::mem::take(&mut *self.batches());
        let mut missed = 0;
        for (first, lines) in taken {
            missed += first.saturating_sub(*next);
            for (number, line) in (first..).zip(lines.iter()) {
                if number >= *next {
                    each(number, line);
                }
            }
            *next = (*next).max(first + lines.len() as u64);
        }
        missed
    }
}

/// Writes lines to the output.
struct Printer {
    server: String,
    json: bool,
    timestamps: bool,
}

impl Printer {
    /// Prints on a thread of its own: a reader that takes nothing blocks it, and nothing else.
    fn start(
        self,
        mut batches: mpsc::Receiver<Batch>,
    ) -> Result<tokio::sync::oneshot::Receiver<Result<(), Failure>>, Failure> {
        let (done, ended) = tokio::sync::oneshot::channel();
        let style = Style::of_stdout();
        std::thread::Builder::new()
            .name("output".to_owned())
            .spawn(move || {
                let result = loop {
                    let Some(batch) = batches.blocking_recv() else { break Ok(()) };
                    match self.print(&batch, style) {
                        Ok(Output::Open) => {}
                        Ok(Output::Closed) => break Ok(()),
                        Err(failure) => break Err(failure),
                    }
                };
                // The receiver is gone when the program ends without waiting for us.
                let _ = done.send(result);
            })
            .map_err(Failure::internal)?;
        Ok(ended)
    }

    fn print(&self, batch: &Batch, style: Style) -> Result<Output, Failure> {
        let mut all = String::new();
        for (line, number) in batch.lines.iter().zip(&batch.numbers) {
            if self.json {
                all += &json::log(&self.server, &batch.job, *number, &line).text();
            } else {
                let head = self.timestamps.then(|| text::log_head(&line, style));
                let head = head.unwrap_or_default();
                all += &head;
                // A terminal must not be commanded; a file gets every byte.
                match style.terminal {
                    true => all += &text::below(line.text, text::columns(&head)),
                    false => all += text::in_file(line.text),
                }
            }
            all.push('\n');
        }
        all.pop();
        if batch.numbers.is_empty() { Ok(Output::Open) } else { print(&all) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_came_while_the_stored_ones_were_printed_follow_them_once() {
        let live = Live::default();
        let lines = |texts: &[&str]| -> LogLines {
            texts.iter().map(|text| LogLine { text, ..LogLine::default() }).collect()
        };
        live.heard(3, &lines(&["d", "e", "f"]));
        live.heard(6, &lines(&["g"]));
        let mut next = 5;
        let mut heard = Vec::new();
        let missed =
            live.take(&mut next, |number, line| heard.push((number, line.text.to_owned())));
        assert_eq!(heard, [(5, "f".to_owned()), (6, "g".to_owned())]);
        assert_eq!((next, missed), (7, 0));
        live.heard(9, &lines(&["j"]));
        assert_eq!(live.take(&mut next, |_, _| {}), 2, "two were lost on the way");
    }
}
