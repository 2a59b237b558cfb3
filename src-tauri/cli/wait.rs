//! `jobwatch wait`: waits until a job ends, and exits with its outcome.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jobwatch_core::connection::Status;
use jobwatch_core::model::{Job, JobId, JobState, Topic};
use jobwatch_core::notify::{explain, format_duration};
use jobwatch_core::server::DialectKind;
use jobwatch_engine::Engine;
use jobwatch_engine::ports::{Ports, StreamEvent};
use tokio::sync::watch;

use super::args::{
    EXIT_CANCELLED, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_KEY, EXIT_LOST, EXIT_OK, EXIT_SEVERAL,
    EXIT_TIMEOUT, Wait,
};
use super::candidates::{self, Candidates, Resolution, certain};
use super::connection::{Target, job_topic, job_topics};
use super::output_queue::SinkFn;
use super::{Failure, Outcome, json, print, text, wait_reason};
use crate::os::paths::{NoHome, Paths};

/// How long to wait for a job that the server's list does not contain: its first event may be under
/// way.
const LATE_EVENTS: Duration = Duration::from_secs(2);

/// How late a job that was just added may appear: Better Bull Board copies the queues into its rows,
/// 3 to 30 s later.
const ROW_DELAY: Duration = Duration::from_secs(30);

/// What is known about the job.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The job's newest state; of several matches, the most likely one.
    pub job: Option<Arc<Job>>,
    /// All jobs that match the id.
    pub candidates: Candidates,
    /// The server's connection.
    pub status: Option<Status>,
    /// Whether the server has answered the request for the job.
    pub listed: bool,
    /// Why the server does not show the job to this key.
    pub denied: Option<String>,
}

impl Seen {
    /// The ports of an engine that watches one job under every topic that may match it, and what they
    /// receive. Only the newest values are kept, so nothing here grows.
    pub fn ports(
        wanted: Vec<Topic>,
        also: impl Fn(&StreamEvent) + Send + Sync + 'static,
    ) -> (Ports, watch::Receiver<Seen>) {
        let unlisted = std::sync::Mutex::new((wanted.clone(), wanted));
        let (seen, watching) = watch::channel(Seen::default());
        let sink = SinkFn(move |event: StreamEvent| {
            also(&event);
            match event {
                StreamEvent::Job { job, named: true, .. } => {
                    seen.send_modify(|seen| seen.job_received(job));
                }
                StreamEvent::Status { status, .. } => {
                    seen.send_modify(|seen| seen.status = Some(status));
                }
                StreamEvent::Listed { topic, ok: true, denied, .. } => {
                    let mut left = unlisted.lock().unwrap_or_else(PoisonError::into_inner);
                    let (unlisted, shown) = &mut *left;
                    unlisted.retain(|wanted| *wanted != topic);
                    if denied.is_some() {
                        shown.retain(|wanted| *wanted != topic);
                    }
                    let (listed, shown) = (unlisted.is_empty(), !shown.is_empty());
                    seen.send_modify(|seen| {
                        seen.listed |= listed;
                        seen.denied = denied.filter(|_| !shown);
                    });
                }
                _ => {}
            }
        });
        (Ports { sink: Some(Arc::new(sink)), ..Ports::default() }, watching)
    }

    fn job_received(&mut self, job: Arc<Job>) {
        self.candidates.add(Arc::clone(&job));
        self.job = match self.candidates.resolve(false) {
            Resolution::One { job, .. } => Some(job),
            Resolution::Unknown | Resolution::Several(_) => Some(job),
        };
    }

    /// Whether the server answers, so that a job it does not list is really missing.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.status.as_ref().is_some_and(Status::answers)
    }

    /// Why the key is rejected, if it is.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        let status = self.status.as_ref().filter(|status| status.key_refused())?;
        Some(status.reason.clone().unwrap_or_else(|| "The key was rejected.".to_owned()))
    }
}

/// Runs the command.
///
/// # Errors
/// For people.
pub async fn run(args: Wait, paths: Result<Paths, NoHome>) -> Outcome {
    let target = Target::find(&args.connection, vec![job_topic(&args.job)?], paths)?;
    // The topics depend on the kind of server, which may have to be detected.
    let mut target = target.ready().await?;
    let topics = job_topics(&args.job, &target.server)?;
    target.server.watch.clone_from(&topics);
    let (name, kind) = (target.server.name.clone(), target.server.dialect);
    let (ports, mut seen) = Seen::ports(topics, |_| {});
    let also_seen = seen.clone();
    let engine = super::engine(target, ports).await?;
    let outcome = tokio::select! {
        outcome = outcome(&args, &name, kind, &engine, &mut seen) => match outcome {
            Ended::Job(job) => report(&name, &job, args.json),
            Ended::Several(jobs) => Err(Failure::new(
                EXIT_SEVERAL,
                candidates::several(&name, &args.job, &jobs, super::clock_of(&engine).await),
            )),
            Ended::Unknown(denied) => Err(unknown_job(&name, &args.job, denied)),
            Ended::Refused(reason) => Err(Failure::new(
                EXIT_KEY,
                key_refused(&name, &reason),
            )),
            Ended::Gone => Err(Failure::internal("The engine stopped unexpectedly.")),
        },
        never = wait_reason::report(&name, also_seen) => match never {},
        () = super::elapsed(args.timeout) => Err(Failure::new(EXIT_TIMEOUT, unfinished(&name, &args.job, &seen))),
        () = crate::os::ended() => Err(Failure::new(EXIT_INTERRUPTED, unfinished(&name, &args.job, &seen))),
    };
    super::stop(&engine).await;
    outcome
}

/// The message for a rejected key.
#[must_use]
pub fn key_refused(server: &str, reason: &str) -> String {
    format!("{server}: {} Pass the right key with --key-env.", reason.trim())
}

/// The failure for a job whose outcome cannot be known: the server does not have it, or does not show
/// it, for the reason it gives.
#[must_use]
pub fn unknown_job(server: &str, job: &str, denied: Option<String>) -> Failure {
    let job = text::sanitize(job);
    let words = match denied {
        Some(reason) => format!(
            "{server} does not show job {job} to this key: {}.",
            text::sanitize(reason.trim().trim_end_matches('.'))
        ),
        None => format!("{server} has no job {job}."),
    };
    Failure::new(EXIT_LOST, words)
}

/// How the wait ends.
enum Ended {
    /// The job ended.
    Job(Arc<Job>),
    /// The id matches several jobs.
    Several(Vec<Arc<Job>>),
    /// The server does not have the job, or does not show it for this reason.
    Unknown(Option<String>),
    /// The key is rejected.
    Refused(String),
    /// The engine has stopped.
    Gone,
}

async fn outcome(
    args: &Wait,
    server: &str,
    kind: DialectKind,
    engine: &Engine,
    seen: &mut watch::Receiver<Seen>,
) -> Ended {
    let given = args.job.strip_prefix("job:").unwrap_or(&args.job);
    // The job that was chosen; later matches do not change it.
    let mut chosen: Option<JobId> = None;
    // How long a job that was just added may still appear.
    let mut lag: Option<tokio::time::Instant> = None;
    loop {
        let mut late = false;
        let mut tell = None;
        {
            let now = seen.borrow_and_update();
            let listed = now.listed && now.answers();
            let mut candidates = now.candidates.clone();
            chosen.iter().for_each(|job| candidates.pin(job));
            match candidates.resolve(args.new) {
                Resolution::One { job, old } if candidates::over(&job) => {
                    let sure = certain(given, &job, kind) || certain(&args.job, &job, kind);
                    let alone = matches!(kind, DialectKind::Kecs | DialectKind::TriggerX);
                    if !old || alone || (listed && sure) {
                        return Ended::Job(job);
                    }
                    if listed && lag.is_none() {
                        lag = Some(tokio::time::Instant::now() + ROW_DELAY);
                        tell = Some(Arc::clone(&job));
                    }
                    if lag.is_some_and(|until| until <= tokio::time::Instant::now()) {
                        return Ended::Job(job);
                    }
                }
                Resolution::One { .. } if now.denied.is_some() => {
                    return Ended::Unknown(now.denied.clone());
                }
                Resolution::One { job, .. } if listed => chosen = Some(job.id.clone()),
                Resolution::One { .. } => {}
                Resolution::Several(jobs) if listed => return Ended::Several(jobs),
                Resolution::Several(_) => {}
                Resolution::Unknown if listed && now.denied.is_some() => {
                    return Ended::Unknown(now.denied.clone());
                }
                Resolution::Unknown => late = listed && !args.new,
            }
            // An outcome counts more than a key that is rejected for something else.
            if let Some(reason) = now.refused() {
                return Ended::Refused(reason);
            }
        }
        if let Some(job) = tell {
            crate::print_stderr(maybe_newer(server, given, &job, super::clock_of(engine).await));
        }
        let until = lag.unwrap_or_else(tokio::time::Instant::now);
        tokio::select! {
            changed = seen.changed() => if changed.is_err() {
                return Ended::Gone;
            },
            () = tokio::time::sleep(LATE_EVENTS), if late => return Ended::Unknown(None),
            () = tokio::time::sleep_until(until), if lag.is_some() => {}
        }
    }
}

/// The message for a job that had already ended, while a newer one may still appear.
fn maybe_newer(server: &str, given: &str, job: &Job, now: Timestamp) -> String {
    let given = text::sanitize(given);
    let queue = job.queue.as_deref().unwrap_or_default();
    let at = candidates::when(job, now);
    let state = job.state.word();
    format!(
        "{server} lists {}/{given}, {} ({at}). Waiting {} s in case a newer {given} appears; to be \
         sure, name the job as QUEUE/{given} or use --new.",
        text::sanitize(queue),
        text::sanitize(&state),
        ROW_DELAY.as_secs()
    )
}

fn report(server: &str, job: &Job, as_json: bool) -> Outcome {
    let code = match job.state {
        JobState::Completed => EXIT_OK,
        JobState::Failed => EXIT_FAILED,
        JobState::Cancelled => EXIT_CANCELLED,
        _ => EXIT_LOST,
    };
    if as_json {
        print(&json::job(server, job).text())?;
        return Ok(code);
    }
    let name = text::sanitize(job.title());
    if job.state.lost() {
        let why = match job.state.is_gone() {
            true => format!("{server} no longer lists it"),
            false => format!("{server} does not report how it ended"),
        };
        print(&format!("{name}: outcome unknown. {why}."))?;
        return Ok(code);
    }
    let mut line = format!("{name} {}", text::sanitize(&job.state.word()));
    if let Some(took) = job.took() {
        line += &format!(" after {}", format_duration(took));
    }
    if let Some(error) = explain(job) {
        line += &format!(": {}", text::sanitize(&error));
    }
    print(&line)?;
    Ok(code)
}

fn unfinished(server: &str, job: &str, seen: &watch::Receiver<Seen>) -> String {
    let seen = seen.borrow();
    let job = text::sanitize(job);
    match (&seen.job, &seen.status) {
        (Some(known), _) => {
            format!("{job} has not ended: it is {}.", text::sanitize(&known.state.word()))
        }
        (None, Some(status)) => {
            let stands = wait_reason::describe(status);
            let reason = status.reason.as_deref().map(|reason| format!(" {reason}"));
            let reason = reason.unwrap_or_default();
            format!("No information about {job}: {server} {stands}.{reason}")
        }
        (None, None) => format!("No information about {job}."),
    }
}
