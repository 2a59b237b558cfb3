//! Actions that were asked of a server: who waits for its answer, and how they went.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use jobwatch_core::connection::ActionId;
use jobwatch_core::model::{Job, JobId};
use jobwatch_core::time::{Mono, Now};
use tokio::sync::oneshot;

use crate::api::{ActionKind, AskedState, AskedView, ErrorCode, UserError};

/// An action that was not answered by then has failed for the user.
const TIMEOUT: Duration = Duration::from_secs(75);

/// A server's clock may be so far behind ours.
const EARLIER: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);
/// How an action went is shown with its job for so long,
const SHOWN: Duration = Duration::from_secs(300);
/// and of so many jobs.
const MAX_SHOWN: usize = 512;

/// Who waits for what, and what was asked lately.
#[derive(Default)]
pub(super) struct Actions {
    waiting: HashMap<ActionId, Waiting>,
    asked: u64,
    lately: HashMap<JobId, Lately>,
}

type Answer = oneshot::Sender<Result<(), UserError>>;

struct Waiting {
    since: Mono,
    job: JobId,
    answer: Answer,
}

/// What was asked about a job last.
struct Lately {
    view: AskedView,
    since: Mono,
    at: Timestamp,
    /// The server's second id and the queue, by which a new run of it is known.
    origin: Option<(String, Option<String>)>,
}

impl Actions {
    /// Begins to wait; the answer comes under this number.
    pub(super) fn ask(
        &mut self,
        job: &Job,
        action: ActionKind,
        answer: Answer,
        now: Now,
    ) -> ActionId {
        let id = ActionId(self.asked);
        self.asked += 1;
        self.waiting.insert(id, Waiting { since: now.mono, job: job.id.clone(), answer });
        if self.lately.len() >= MAX_SHOWN {
            let oldest = self.lately.iter().min_by_key(|(_, lately)| lately.since);
            if let Some(oldest) = oldest.map(|(job, _)| job.clone()) {
                self.lately.remove(&oldest);
            }
        }
        let view = AskedView { action, state: AskedState::Asked, message: None, run: None };
        let retried = action == ActionKind::Retry;
        let external = job.external_id.clone().filter(|_| retried);
        let origin = external.map(|external| (external, job.queue.clone()));
        let lately = Lately { view, since: now.mono, at: now.wall, origin };
        self.lately.insert(job.id.clone(), lately);
        id
    }

    /// Passes an answer on; answers which job it is about.
    pub(super) fn answered(
        &mut self,
        id: ActionId,
        result: Result<(), UserError>,
    ) -> Option<JobId> {
        let waiting = self.waiting.remove(&id)?;
        self.settle(&waiting.job, result.as_ref().err());
        let _ = waiting.answer.send(result);
        Some(waiting.job)
    }

    fn settle(&mut self, job: &JobId, refused: Option<&UserError>) {
        if let Some(lately) = self.lately.get_mut(job) {
            lately.view.state = match refused {
                Some(_) => AskedState::Refused,
                None => AskedState::Accepted,
            };
            lately.view.message = refused.map(|error| error.message.clone());
        }
    }

    /// What was asked about a job lately.
    pub(super) fn about(&self, job: &JobId) -> Option<&AskedView> {
        self.lately.get(job).map(|lately| &lately.view)
    }

    /// A job is heard of for the first time: it may be a run that was asked for. Answers which job
    /// that is a run of.
    pub(super) fn began(&mut self, job: &Job) -> Option<JobId> {
        if self.lately.is_empty() {
            return None;
        }
        let external = job.external_id.as_ref()?;
        let comes_of = |of: &JobId, lately: &Lately| {
            let same = lately.origin.as_ref().is_some_and(|(id, queue)| {
                id == external && (queue.is_none() || *queue == job.queue)
            });
            // A run of long ago may be heard of only now; clocks differ by a little.
            let before = job.created_at.is_some_and(|at| at < lately.at - EARLIER);
            same && *of != job.id && lately.view.run.is_none() && !before
        };
        let of = self.lately.iter_mut().find(|(of, lately)| comes_of(of, lately));
        let (of, lately) = of?;
        lately.view.run = Some(job.id.as_str().to_owned());
        Some(of.clone())
    }

    /// Ends the waiting that has lasted too long, and forgets what was asked long ago; answers the
    /// jobs of which that changes what is shown.
    pub(super) fn give_up(&mut self, now: Mono) -> Vec<JobId> {
        let mut changed = Vec::new();
        let late = |_: &ActionId, waiting: &mut Waiting| now.since(waiting.since) >= TIMEOUT;
        for (_, waiting) in self.waiting.extract_if(late).collect::<Vec<_>>() {
            let message =
                "The server did not answer in time, so it is not known whether it did this.";
            let error = UserError { code: ErrorCode::Server, message: message.to_owned() };
            self.settle(&waiting.job, Some(&error));
            let _ = waiting.answer.send(Err(error));
            changed.push(waiting.job);
        }
        let old = |_: &JobId, lately: &mut Lately| now.since(lately.since) >= SHOWN;
        changed.extend(self.lately.extract_if(old).map(|(job, _)| job));
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jobwatch_core::model::{JobState, Source};

    fn job(id: &str, external: Option<&str>) -> Job {
        let job = Job::new(id, JobState::Failed, Source::Http, Timestamp::UNIX_EPOCH);
        Job { external_id: external.map(str::to_owned), ..job }
    }

    fn at(ms: u64) -> Now {
        Now { mono: Mono(ms), wall: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn an_action_that_nobody_answers_is_given_up_without_another_being_asked_for() {
        let mut actions = Actions::default();
        let (answer, mut answered) = oneshot::channel();
        actions.ask(&job("1", None), ActionKind::Cancel, answer, at(1_000));
        assert!(actions.give_up(Mono(75_999)).is_empty());
        assert!(answered.try_recv().is_err());
        assert_eq!(actions.give_up(Mono(76_000)), ["1".into()]);
        let error = answered.try_recv().unwrap().unwrap_err();
        assert!(error.message.contains("in time"), "{}", error.message);
        assert_eq!(actions.about(&"1".into()).unwrap().state, AskedState::Refused);
    }

    #[test]
    fn an_answer_reaches_who_asked_and_is_shown_with_its_job_for_a_while() {
        let mut actions = Actions::default();
        let (first, _) = oneshot::channel();
        let (second, mut answered) = oneshot::channel();
        actions.ask(&job("1", None), ActionKind::Retry, first, at(0));
        let id = actions.ask(&job("2", None), ActionKind::Retry, second, at(0));
        assert_eq!(actions.about(&"2".into()).unwrap().state, AskedState::Asked);
        assert_eq!(actions.answered(id, Ok(())), Some("2".into()));
        assert_eq!(answered.try_recv().unwrap(), Ok(()));
        assert_eq!(actions.about(&"2".into()).unwrap().state, AskedState::Accepted);
        assert_eq!(actions.about(&"1".into()).unwrap().state, AskedState::Asked);
        actions.give_up(Mono(300_000));
        assert!(actions.about(&"2".into()).is_none());
    }

    #[test]
    fn the_run_that_a_retry_led_to_is_known_by_the_servers_second_id() {
        let mut actions = Actions::default();
        let (answer, _answered) = oneshot::channel();
        actions.ask(&job("run-1", Some("42")), ActionKind::Retry, answer, at(0));
        assert_eq!(actions.began(&job("run-1", Some("42"))), None, "it is no run of itself");
        assert_eq!(actions.began(&job("run-8", Some("7"))), None);
        let old = Job {
            created_at: Some(Timestamp::UNIX_EPOCH - jiff::SignedDuration::from_secs(3_600)),
            ..job("run-0", Some("42"))
        };
        assert_eq!(actions.began(&old), None);
        assert_eq!(actions.began(&job("run-2", Some("42"))), Some("run-1".into()));
        let asked = actions.about(&"run-1".into()).unwrap();
        assert_eq!(asked.run.as_deref(), Some("run-2"));
        assert_eq!(actions.began(&job("run-3", Some("42"))), None, "it is the first that counts");
    }
}
