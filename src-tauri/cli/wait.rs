//! `jobwatch wait`: the job's outcome is the exit code.

use std::sync::Arc;
use std::time::Duration;

use jobwatch_core::model::{Job, JobState, Topic};
use jobwatch_core::notify::{duration_words, explain};
use jobwatch_core::supervisor::Status;
use jobwatch_engine::ports::{Event, Ports};
use tokio::sync::watch;

use super::args::{
    EXIT_CANCELLED, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_KEY, EXIT_LOST, EXIT_OK, EXIT_TIMEOUT, Wait,
};
use super::connection::{Target, job_topic};
use super::stream::Each;
use super::{Failure, Outcome, json, print, text};
use crate::os::paths::{NoHome, Paths};

/// After the server's list came without the job: how long something else may still name it. A
/// job's own event may be on its way while the list is read.
const LATE: Duration = Duration::from_secs(2);

/// What is known of one job.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The job as last heard.
    pub job: Option<Arc<Job>>,
    /// The server's connection.
    pub status: Option<Status>,
    /// Whether the server was asked for the job and has answered.
    pub listed: bool,
}

impl Seen {
    /// The ports of an engine that watches one job, and what they hear. Only the newest of each is
    /// kept: nothing here can grow.
    pub fn ports(
        wanted: Topic,
        also: impl Fn(&Event) + Send + Sync + 'static,
    ) -> (Ports, watch::Receiver<Seen>) {
        let (seen, watching) = watch::channel(Seen::default());
        let sink = Each(move |event: Event| {
            also(&event);
            match event {
                Event::Job { job, named: true, .. } => {
                    seen.send_modify(|seen| seen.job = Some(job));
                }
                Event::Status { status, .. } => {
                    seen.send_modify(|seen| seen.status = Some(status));
                }
                Event::Listed { topic, ok: true, .. } if topic == wanted => {
                    seen.send_modify(|seen| seen.listed = true);
                }
                _ => {}
            }
        });
        (Ports { sink: Some(Arc::new(sink)), ..Ports::default() }, watching)
    }

    /// Whether the server answers at all, so that a job it does not name is really not there.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.status.as_ref().is_some_and(Status::answers)
    }

    /// Why nobody accepts the key, where that is so.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        let status = self.status.as_ref().filter(|status| status.key_refused())?;
        Some(status.reason.clone().unwrap_or_else(|| "The key is not accepted.".to_owned()))
    }
}

/// Runs the command.
///
/// # Errors
/// For people.
pub async fn run(args: Wait, paths: Result<Paths, NoHome>) -> Outcome {
    let topic = job_topic(&args.job)?;
    let target = Target::find(&args.connection, vec![topic.clone()], paths)?;
    let name = target.server.name.clone();
    let (ports, mut seen) = Seen::ports(topic, |_| {});
    let engine = super::engine(target, ports).await?;
    let outcome = tokio::select! {
        outcome = outcome(&mut seen) => match outcome {
            Ended::Job(job) => report(&name, &job, args.json),
            Ended::Unknown => Err(Failure::new(
                EXIT_LOST,
                format!("{name} does not know the job {}.", text::plain(&args.job)),
            )),
            Ended::Refused(reason) => Err(Failure::new(
                EXIT_KEY,
                refused_words(&name, &reason),
            )),
            Ended::Gone => Err(Failure::internal("The engine ended by itself.")),
        },
        () = super::elapsed(args.timeout) => Err(Failure::new(EXIT_TIMEOUT, unfinished(&name, &args.job, &seen))),
        () = crate::os::ended() => Err(Failure::new(EXIT_INTERRUPTED, unfinished(&name, &args.job, &seen))),
    };
    super::stop(&engine).await;
    outcome
}

/// That nobody accepts the key, and what to do.
#[must_use]
pub fn refused_words(server: &str, reason: &str) -> String {
    format!("{server}: {} Give the right key with --key-env.", reason.trim())
}

/// How the wait ends.
enum Ended {
    /// The job did.
    Job(Arc<Job>),
    /// The server does not know the job.
    Unknown,
    /// Nobody accepts the key.
    Refused(String),
    /// Nothing more will be heard.
    Gone,
}

async fn outcome(seen: &mut watch::Receiver<Seen>) -> Ended {
    loop {
        let late = {
            let now = seen.borrow_and_update();
            match &now.job {
                Some(job) if job.state.over() => {
                    return Ended::Job(Arc::clone(job));
                }
                _ => {}
            }
            if let Some(reason) = now.refused() {
                return Ended::Refused(reason);
            }
            now.job.is_none() && now.listed && now.answers()
        };
        tokio::select! {
            changed = seen.changed() => if changed.is_err() {
                return Ended::Gone;
            },
            () = tokio::time::sleep(LATE), if late => return Ended::Unknown,
        }
    }
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
    let name = text::plain(job.title());
    if job.state.lost() {
        let why = match job.state.is_gone() {
            true => format!("{server} does not know it any more"),
            false => format!("{server} does not say how it ended"),
        };
        print(&format!("{name}: outcome unknown. {why}."))?;
        return Ok(code);
    }
    let mut line = format!("{name} {}", text::plain(&job.state.word()));
    if let Some(took) = job.took() {
        line += &format!(" after {}", duration_words(took));
    }
    if let Some(error) = explain(job) {
        line += &format!(": {}", text::plain(&error));
    }
    print(&line)?;
    Ok(code)
}

fn unfinished(server: &str, job: &str, seen: &watch::Receiver<Seen>) -> String {
    let seen = seen.borrow();
    let job = text::plain(job);
    match (&seen.job, &seen.status) {
        (Some(known), _) => {
            format!("{job} has not ended: it is {}.", text::plain(&known.state.word()))
        }
        (None, Some(status)) => {
            let reason = status.reason.as_deref().unwrap_or("nothing was heard of the job");
            format!(
                "Nothing is known of {job}: {server} is {} ({reason}).",
                json::link_word(status.link)
            )
        }
        (None, None) => format!("Nothing is known of {job}."),
    }
}
