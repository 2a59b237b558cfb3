//! `jobwatch logs`: prints a job's log: the stored lines, then the rest from the server, then new
//! lines.
//!
//! Stored lines are printed at once. Lines that arrive are held until it is known how much the server
//! has, and then printed in order. The engine reports how far it could read the log, so whether lines
//! are missing is known, not guessed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jobwatch_core::connection::{LogReach, Status};
use jobwatch_core::log::LogLines;
use jobwatch_core::model::{Job, JobId, JobState};
use jobwatch_engine::Engine;
use jobwatch_engine::api::{LogFilter, LogTarget, OpenJob, Rows, UserError, ViewSpec};
use jobwatch_engine::engine::LogStored;
use jobwatch_engine::logs::BEGINNING;
use jobwatch_engine::ports::StreamEvent;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::args::{EXIT_KEY, EXIT_OK, EXIT_PARTIAL, EXIT_SEVERAL, EXIT_TIMEOUT, Logs};
use super::candidates::{self, Resolution};
use super::connection::{Target, job_topic, job_topics};
use super::text;
use super::wait::{Seen, key_refused, unknown_job};
use super::{Failure, Outcome, wait_reason};
use crate::os::paths::{NoHome, Paths};

mod line_filter;
mod printer;
use line_filter::LineFilter;
use printer::{Batch, Printer};

/// If only the socket brings lines, or the job has ended, the log is complete once no line has arrived
/// for this long.
const IDLE: Duration = Duration::from_millis(1_500);
/// How long new lines are held back for earlier ones that the server was asked for.
const HOLD_BACK: Duration = Duration::from_secs(2);
/// How long to wait for a server's first answer if lines are stored.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for a server that reports an error, which may be temporary.
const FAILING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for the first lines of a known job.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait at the end for the reader to take the rest.
const DRAIN: Duration = Duration::from_secs(1);
/// Rows per read.
const PAGE: u64 = 1_000;

/// What is progress of the log.
#[derive(Clone, Debug, Default)]
struct LogProgress {
    /// The number of batches of lines so far.
    batches: u64,
    /// How far the log of each matching job could be read.
    reach: BTreeMap<JobId, LogReach>,
}

/// Runs the command.
///
/// # Errors
/// For people.
pub async fn run(args: Logs, paths: Result<Paths, NoHome>) -> Outcome {
    let line_filter = LineFilter::new(&args)?;
    let target = Target::find(&args.connection, vec![job_topic(&args.job)?], paths)?;
    // The topics depend on the kind of server, which may have to be detected.
    let mut target = target.ready().await?;
    let topics = job_topics(&args.job, &target.server)?;
    target.server.watch.clone_from(&topics);
    let (server, name) = (target.server.id.0.clone(), target.server.name.clone());
    let given = args.job.strip_prefix("job:").unwrap_or(&args.job).to_owned();
    let sure = topics.len() == 1 && candidates::is_unique(&given, target.server.dialect);
    let (hear, progress) = watch::channel(LogProgress::default());
    let (ports, seen) = Seen::ports(topics, move |event| match event {
        StreamEvent::Log { named: true, .. } => hear.send_modify(|progress| progress.batches += 1),
        StreamEvent::LogReach { named: true, job, reach, .. } => hear.send_modify(|progress| {
            progress.reach.insert(job.clone(), reach.clone());
        }),
        _ => {}
    });
    let also_seen = seen.clone();
    let engine = super::engine(target, ports).await?;
    let (to_print, printing) = mpsc::channel(64);
    let printer = Printer { server: name.clone(), json: args.json, timestamps: args.timestamps };
    let mut printed = printer.start(printing)?;
    let mut log = Log {
        engine: &engine,
        server: &server,
        line_filter: Arc::new(line_filter),
        to_print,
        seen,
        progress,
        job: given,
        sure,
        chosen: None,
        begun: Instant::now(),
        patient: args.timeout.is_some(),
        view: None,
        next: 0,
        held: None,
        any: false,
        from_start: false,
    };
    let ended = tokio::select! {
        ended = log.run(args.follow) => Some(ended?),
        outcome = &mut printed => return match outcome {
            Ok(Err(failure)) => Err(failure),
            _ => Ok(EXIT_OK),
        },
        () = super::elapsed(args.timeout) => Some(Ended::TimedOut),
        never = wait_reason::report(&name, also_seen) => match never {},
        () = crate::os::ended() => None,
    };
    let any = log.any;
    let now = super::clock_of(&engine).await;
    let status = log.seen.borrow().status.clone();
    super::stop(&engine).await;
    drop(log);
    if let Ok(Ok(Err(failure))) = tokio::time::timeout(DRAIN, printed).await {
        return Err(failure);
    }
    let job = text::sanitize(&args.job);
    let partial = |text: String| Err(Failure::new(EXIT_PARTIAL, text));
    match ended {
        None | Some(Ended::Whole) => Ok(EXIT_OK),
        Some(Ended::Never(reason)) => {
            crate::print_stderr(reason);
            Ok(EXIT_OK)
        }
        Some(Ended::Cut(missing, reason)) => {
            let what = match missing {
                Some(1) => "1 line of the log is missing".to_owned(),
                Some(missing) => format!("{missing} lines of the log are missing"),
                None => "Lines of the log may be missing".to_owned(),
            };
            partial(format!("{what}: {}", as_sentence(&reason)))
        }
        Some(Ended::Gap(None, to)) => partial(format!(
            "The beginning of the log is missing: {name} has no lines before {to}."
        )),
        Some(Ended::Gap(Some(from), to)) => partial(format!(
            "Lines between {from} and {to} are missing: {name} no longer has them."
        )),
        Some(Ended::NoAnswer) => {
            let answers = status.as_ref().is_some_and(Status::answers);
            let reason = status.and_then(|status| status.reason);
            let reason = reason.map(|reason| format!(": {}", as_sentence(&reason)));
            let stored = match any {
                true => "Printed the stored lines only.",
                false => "No lines of this log are stored.",
            };
            let reason = reason.unwrap_or_else(|| ".".to_owned());
            let what = if answers { "has not listed its jobs" } else { "does not respond" };
            partial(format!("{name} {what}{reason} {stored}"))
        }
        Some(Ended::Several(jobs)) => {
            Err(Failure::new(EXIT_SEVERAL, candidates::several(&name, &args.job, &jobs, now)))
        }
        Some(Ended::Unknown(denied)) => Err(unknown_job(&name, &args.job, denied)),
        Some(Ended::Refused(reason)) => Err(Failure::new(EXIT_KEY, key_refused(&name, &reason))),
        Some(Ended::TimedOut) => Err(Failure::new(
            EXIT_TIMEOUT,
            format!("The log of {job} was not complete when --timeout expired."),
        )),
    }
}

/// A reason as a sentence.
fn as_sentence(reason: &str) -> String {
    let reason = reason.trim();
    let stop = if reason.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{stop}", text::sanitize(reason))
}

/// How the log ends.
#[derive(Debug, PartialEq)]
enum Ended {
    /// The log is complete; with `--follow`, the job has ended.
    Whole,
    /// The job has no log, for this reason.
    Never(String),
    /// Lines are missing, or may be: how many, and why.
    Cut(Option<u64>, String),
    /// The server no longer has the lines between these times, or those before the second.
    Gap(Option<Timestamp>, Timestamp),
    /// The server does not respond; only stored lines, if any, were printed.
    NoAnswer,
    /// The id matches several jobs.
    Several(Vec<Arc<Job>>),
    /// The server does not have the job, or does not show it for this reason.
    Unknown(Option<String>),
    /// The key is rejected.
    Refused(String),
    /// `--timeout` expired first.
    TimedOut,
}

struct Log<'a> {
    engine: &'a Engine,
    server: &'a str,
    line_filter: Arc<LineFilter>,
    to_print: mpsc::Sender<Batch>,
    seen: watch::Receiver<Seen>,
    progress: watch::Receiver<LogProgress>,
    /// The job's id, as far as it is known.
    job: String,
    /// The given id can match only one job.
    sure: bool,
    /// The job that was chosen; later matches do not change it.
    chosen: Option<JobId>,
    begun: Instant,
    /// The user gave a timeout.
    patient: bool,
    view: Option<u32>,
    /// Lines with lower numbers are printed, except those held back.
    next: u64,
    /// Stored lines after this time are held back, since lines before them are missing.
    held: Option<i64>,
    /// The log has a line, whether it was printed or filtered out.
    any: bool,
    /// The job had not started when it was first seen.
    from_start: bool,
}

/// What is known about the job, the server and the log.
struct Snapshot {
    seen: Seen,
    /// The resolved job, once it is certain.
    job: Option<Arc<Job>>,
    /// The matching jobs, if the id is ambiguous.
    several: Vec<Arc<Job>>,
    reach: Option<LogReach>,
}

impl Snapshot {
    /// Whether the job has ended, or is gone.
    fn over(&self) -> bool {
        self.job.as_ref().is_none_or(|job| job.state.over())
    }

    /// How far the log could be read, once no better answer is expected soon.
    fn settled(&self) -> Option<&LogReach> {
        self.reach
            .as_ref()
            .filter(|reach| !matches!(reach, LogReach::Asking | LogReach::Cut { again: true, .. }))
    }
}

impl Log<'_> {
    async fn run(&mut self, follow: bool) -> Result<Ended, Failure> {
        if self.line_filter.is_relative() {
            self.learn_clock().await;
        }
        if self.sure {
            self.open().await?;
        }
        let ended = self.begin(follow).await?;
        self.print().await?;
        match ended {
            Some(ended) => Ok(ended),
            None => self.follow().await,
        }
    }

    /// A relative start counts by the server's clock, which its first answer reveals.
    async fn learn_clock(&mut self) {
        let answered = self.seen.wait_for(|seen| seen.answers() || seen.refused().is_some());
        // Without an answer, our clock is used.
        let _ = tokio::time::timeout(ANSWER_TIMEOUT, answered).await;
        let ahead = super::ahead(self.engine).await;
        if let Some(line_filter) = Arc::get_mut(&mut self.line_filter) {
            line_filter.apply_clock_offset(ahead);
        }
    }

    /// Opens the log of the known id and prints its stored lines. The open view makes the engine ask
    /// the server.
    async fn open(&mut self) -> Result<(), Failure> {
        if let Some(view) = self.view.take() {
            self.engine.close_view(view).await;
        }
        let view = self.view_of(LogFilter::default()).await?;
        self.view = Some(view);
        let stored = loop {
            let stored = self.stored().await?;
            if stored.known {
                break stored;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        // No server has a beginning that it has already dropped.
        let mut gaps = stored.gaps.iter().filter(|(from, _)| *from != BEGINNING);
        self.held = gaps.next().map(|(from, _)| *from);
        self.next = stored.before;
        if stored.before > 0 {
            self.any = true;
            self.print_stored(stored.before).await?;
        }
        Ok(())
    }

    async fn view_of(&self, filter: LogFilter) -> Result<u32, Failure> {
        let jobs = vec![OpenJob { server: self.server.to_owned(), job: self.job.clone() }];
        self.engine.open_view(ViewSpec::Log { jobs, filter }).await.map_err(failure)
    }

    async fn stored(&self) -> Result<LogStored, Failure> {
        let view = self.view.unwrap_or_default();
        self.engine.log_stored(view).await.map_err(failure)
    }

    fn now(&mut self) -> Snapshot {
        let seen = self.seen.borrow_and_update().clone();
        let progress = self.progress.borrow_and_update().reach.clone();
        let mut candidates = seen.candidates.clone();
        self.chosen.iter().for_each(|job| candidates.pin(job));
        // Until the server has listed its jobs, the only known job may be the wrong one.
        let certain = self.sure || self.late(seen.answers()) || (seen.listed && seen.answers());
        let (job, several) = match candidates.resolve(false) {
            Resolution::One { job, .. } if certain || self.chosen.is_some() => {
                (Some(job), Vec::new())
            }
            Resolution::Several(jobs) if certain => (None, jobs),
            _ => (None, Vec::new()),
        };
        let waits = |job: &Arc<Job>| matches!(job.state, JobState::Queued | JobState::Scheduled);
        self.from_start |= job.as_ref().is_some_and(waits);
        let reach = match &job {
            Some(job) => progress.get(&job.id),
            // The log may be known under another spelling of the id.
            None => progress.values().next().filter(|_| self.sure && progress.len() == 1),
        };
        Snapshot { reach: reach.cloned(), seen, job, several }
    }

    /// Whether the server has had enough time to list its jobs.
    fn late(&self, answers: bool) -> bool {
        self.begun.elapsed() >= if answers { START_TIMEOUT } else { ANSWER_TIMEOUT }
    }

    /// Waits for a change, or until `until`. Returns whether more changes are possible.
    async fn wait(&mut self, until: Option<Instant>) -> bool {
        tokio::select! {
            changed = self.seen.changed() => changed.is_ok(),
            changed = self.progress.changed() => changed.is_ok(),
            () = sleep_until(until) => true,
        }
    }

    /// Waits until it is known how much the server has; `None` to follow the log.
    async fn begin(&mut self, follow: bool) -> Result<Option<Ended>, Failure> {
        let mut known = None;
        let mut listed = None;
        loop {
            let now = self.now();
            if !now.several.is_empty() {
                return Ok(Some(Ended::Several(now.several)));
            }
            if let Some(job) = &now.job
                && (job.id.as_str() != self.job || self.view.is_none())
            {
                self.chosen = Some(job.id.clone());
                job.id.as_str().clone_into(&mut self.job);
                self.open().await?;
                continue;
            }
            if let Some(reason) = now.seen.refused() {
                return Ok(Some(Ended::Refused(reason)));
            }
            let answers = now.seen.answers();
            if now.job.is_some() && answers {
                known.get_or_insert_with(Instant::now);
            }
            if now.seen.listed && answers {
                listed.get_or_insert_with(Instant::now);
            }
            let over = now.over();
            match now.settled() {
                Some(LogReach::Never(reason)) => return Ok(Some(Ended::Never(reason.clone()))),
                Some(_) if follow => return Ok(None),
                Some(LogReach::Complete { .. }) => return Ok(Some(self.whole().await?)),
                Some(LogReach::Cut { missing, reason, .. }) => {
                    let (missing, reason) = (*missing, reason.clone());
                    // The socket may bring lines that HTTP does not have.
                    tokio::time::sleep(IDLE).await;
                    return Ok(Some(Ended::Cut(missing, reason)));
                }
                Some(LogReach::Unserved) => {
                    if follow && !over {
                        return Ok(None);
                    }
                    tokio::time::sleep(IDLE).await;
                    return Ok(Some(self.socket_only().await?));
                }
                Some(LogReach::Asking) | None => {}
            }
            let mut until = None;
            let mut at =
                |moment: Instant| until = Some(until.map_or(moment, |u: Instant| u.min(moment)));
            if let Some(known) = known {
                if follow {
                    at(known + HOLD_BACK);
                    if known.elapsed() >= HOLD_BACK {
                        return Ok(None);
                    }
                } else {
                    at(known + START_TIMEOUT);
                    if known.elapsed() >= START_TIMEOUT && now.reach.is_none() {
                        let reason = "The server did not answer.".to_owned();
                        return Ok(Some(Ended::Cut(None, reason)));
                    }
                }
            } else if let Some(listed) = listed {
                let late = listed + IDLE;
                at(late);
                if Instant::now() >= late || now.seen.denied.is_some() {
                    // If the server has forgotten the job, the stored lines are the whole log.
                    let unknown = Ended::Unknown(now.seen.denied);
                    return Ok(Some(if self.any { self.whole().await? } else { unknown }));
                }
            } else {
                let passed = self.begun.elapsed();
                let hopeless = now.seen.status.as_ref().is_some_and(|it| it.reason.is_some());
                let enough = match (self.any, hopeless) {
                    (true, _) => ANSWER_TIMEOUT,
                    (false, true) => FAILING_TIMEOUT,
                    (false, false) => START_TIMEOUT,
                };
                // A followed log may still start, and a timeout ends the wait by itself.
                if passed >= enough && (self.any || !(follow || self.patient)) {
                    return Ok(Some(Ended::NoAnswer));
                }
                if let Some(then) = [ANSWER_TIMEOUT, FAILING_TIMEOUT, START_TIMEOUT]
                    .into_iter()
                    .find(|it| passed < *it)
                {
                    at(self.begun + then);
                }
            }
            if !self.wait(until).await {
                return Ok(Some(Ended::Whole));
            }
        }
    }

    /// Everything that the server has was read: checks for gaps.
    async fn whole(&self) -> Result<Ended, Failure> {
        let stored = self.stored().await?;
        let gap = stored.gaps.first().and_then(|(from, to)| {
            let time = |ns: i64| Timestamp::from_nanosecond(i128::from(ns)).ok();
            Some((Some(*from).filter(|from| *from != BEGINNING).and_then(time), time(*to)?))
        });
        Ok(gap.map_or(Ended::Whole, |(from, to)| Ended::Gap(from, to)))
    }

    /// The log arrives only over the socket: earlier lines cannot be fetched.
    async fn socket_only(&mut self) -> Result<Ended, Failure> {
        self.print().await?;
        if self.any || self.from_start {
            return self.whole().await;
        }
        let reason = "The server sends lines only as they are written, and has sent none of this job \
                      while Jobwatch was connected.";
        Ok(Ended::Cut(None, reason.to_owned()))
    }

    /// Prints the stored lines up to the first gap.
    async fn print_stored(&self, end: u64) -> Result<(), Failure> {
        let view = self.view_of(self.line_filter.filter.clone()).await?;
        // Wait until the store has read the log and the search is complete.
        loop {
            let window = self.engine.view_window(view, 0, 1).await.map_err(failure)?;
            if let Rows::Log { state, .. } = window.rows
                && state.known
                && state.searched >= 1.0
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut row = 0;
        if let Some(at) = self.line_filter.since {
            let target = LogTarget::Time { at };
            let found = self.engine.log_seek(view, target, 0).await.map_err(failure)?;
            row = found.map_or(u64::MAX, |found| found.place.row);
        }
        loop {
            let rows = self.engine.log_lines(view, row, PAGE).await.map_err(failure)?;
            let read = rows.numbers.len() as u64;
            if read == 0 {
                break;
            }
            row += read;
            let mut batch = self.batch();
            for (line, number) in rows.lines.iter().zip(&rows.numbers) {
                let time = line.at.map(|at| at.as_nanosecond());
                let held = self.held.zip(time).is_some_and(|(held, at)| at > i128::from(held));
                if !held && *number < end && self.line_filter.is_recent(&line) {
                    batch.lines.push(line);
                    batch.numbers.push(*number);
                }
            }
            if !batch.numbers.is_empty() && self.to_print.send(batch).await.is_err() {
                break;
            }
        }
        self.engine.close_view(view).await;
        Ok(())
    }

    fn batch(&self) -> Batch {
        Batch { job: JobId::from(&*self.job), lines: LogLines::new(), numbers: Vec::new() }
    }

    /// Prints the lines that were not printed yet, in order.
    async fn print(&mut self) -> Result<(), Failure> {
        let Some(view) = self.view else { return Ok(()) };
        let (from, held) = (self.next, self.held.take());
        // Lines that were held back may be anywhere among the stored ones.
        let first = if held.is_some() { 0 } else { from };
        let (line_filter, to_print) = (Arc::clone(&self.line_filter), self.to_print.clone());
        let job = JobId::from(&*self.job);
        let pick =
            move |number: u64, time: i64| number >= from || held.is_some_and(|held| time > held);
        let each = move |lines: jobwatch_engine::logs::stored::Lines| {
            let mut batch = Batch { job: job.clone(), lines: LogLines::new(), numbers: Vec::new() };
            for (line, number) in lines.lines.iter().zip(&lines.numbers) {
                if line_filter.matches(&line) {
                    batch.lines.push(line);
                    batch.numbers.push(*number);
                }
            }
            batch.numbers.is_empty() || to_print.blocking_send(batch).is_ok()
        };
        let end = self.engine.log_each(view, first, pick, each).await.map_err(failure)?;
        self.any |= end > 0;
        self.next = self.next.max(end);
        Ok(())
    }

    /// Prints new lines until the job has ended and its last lines have arrived.
    async fn follow(&mut self) -> Result<Ended, Failure> {
        let mut last = Instant::now();
        let mut batches = 0;
        loop {
            let now = self.now();
            let progress = self.progress.borrow().batches;
            if progress != batches {
                (batches, last) = (progress, Instant::now());
            }
            self.print().await?;
            if let Some(reason) = now.seen.refused() {
                return Ok(Ended::Refused(reason));
            }
            let mut until = None;
            if now.over() {
                // If HTTP serves the log, its end is known.
                let quiet = last + IDLE;
                match now.settled() {
                    Some(LogReach::Complete { finished: true }) => return self.whole().await,
                    Some(LogReach::Never(reason)) => return Ok(Ended::Never(reason.clone())),
                    Some(LogReach::Cut { missing, reason, .. }) if Instant::now() >= quiet => {
                        return Ok(Ended::Cut(*missing, reason.clone()));
                    }
                    Some(LogReach::Unserved) if Instant::now() >= quiet => {
                        return self.socket_only().await;
                    }
                    None if now.reach.is_none() && Instant::now() >= quiet => {
                        return Ok(Ended::Whole);
                    }
                    Some(LogReach::Cut { .. } | LogReach::Unserved) => until = Some(quiet),
                    None if now.reach.is_none() => until = Some(quiet),
                    _ => {}
                }
            } else {
                last = Instant::now();
            }
            if !self.wait(until).await {
                return Ok(Ended::Whole);
            }
        }
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

fn failure(error: UserError) -> Failure {
    Failure::internal(error.message)
}
