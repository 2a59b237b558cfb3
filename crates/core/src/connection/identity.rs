//! Which job is meant, where ids repeat over the queues of a server.
//!
//! The first job heard of with an id is known by it, and another of that id, in another queue, as
//! `QUEUE/ID`. So what an earlier run wrote down under an id stays what it was. What does not say its
//! queue belongs to the only job it can belong to; where there are several, that is said, and the
//! server is asked.

use std::sync::Arc;

use jiff::Timestamp;

use super::Supervisor;
use crate::dialect::{own_id, queued_id};
use crate::model::{Job, JobId, JobPatch, Source, Topic, Update};
use crate::time::Now;

/// Ids of which it is remembered that their ambiguity was said.
const REMEMBERED: usize = 1_000;

/// Whose a fact is.
enum Whose {
    /// This job's.
    One(JobId),
    /// A job's that has ended, which is told as if it had not: another of that id, perhaps.
    Ended,
    /// One of several.
    Several,
}

impl Supervisor {
    /// Whether the user watches this very job, or all jobs of the user whose job it is.
    #[must_use]
    pub fn watches_closely(&self, job: &Job) -> bool {
        let of_user =
            |topic: &Topic| matches!(topic, Topic::User(_)) && self.dialect.contains(topic, job);
        self.watches_by_name(&job.id) || self.topics.watched().any(of_user)
    }

    /// Whether the user, who watches a job, may mean this one.
    #[must_use]
    pub fn may_watch(&self, job: &Job) -> bool {
        self.topics.watched().any(|topic| match topic {
            Topic::Job(given) => self.dialect.resolves(given, job),
            _ => false,
        })
    }

    /// The jobs that the user may mean by `given`.
    #[must_use]
    pub fn resolve(&self, given: &JobId) -> Vec<&Arc<Job>> {
        self.jobs.iter().filter(|job| self.dialect.resolves(given, job)).collect()
    }

    /// Whether two ids, as the user or the server spells them, mean the same job.
    #[must_use]
    pub fn same_job(&self, one: &JobId, other: &JobId) -> bool {
        let follows = |given: &JobId, id: &JobId| match self.jobs.job(id) {
            Some(job) => self.dialect.follows(given, job),
            None => self.dialect.is_alias(given, id),
        };
        follows(one, other) || follows(other, one)
    }

    /// An update with the id that its job is known by here; `None` where it cannot be told whose it
    /// is, which is then said and asked.
    pub(super) fn identify(&mut self, update: Update, source: Source, now: Now) -> Option<Update> {
        if !self.dialect.ids_repeat() {
            return Some(update);
        }
        match update {
            Update::Job(mut patch) => {
                let own = patch.id.clone()?;
                let id = match self.whose(&own, Some(&patch), source) {
                    Whose::One(id) => id,
                    Whose::Ended => {
                        self.look_up(&own, now);
                        return None;
                    }
                    Whose::Several => {
                        self.report_ambiguous(&own);
                        self.look_up(&own, now);
                        return None;
                    }
                };
                if id != own {
                    // The id that the server knows, where it has no other for this.
                    let shown = own.as_str().to_owned();
                    patch.external_id = patch.external_id.or(Some(shown));
                    patch.id = Some(id);
                }
                Some(Update::Job(patch))
            }
            Update::Log { job, lines } => match self.whose(&job, None, source) {
                Whose::One(id) => Some(Update::Log { job: id, lines }),
                // Lines are kept: under the id that they came with.
                Whose::Ended | Whose::Several => {
                    self.report_ambiguous(&job);
                    Some(Update::Log { job, lines })
                }
            },
            // Of no queue is a job of this id known.
            Update::Gone(id) => {
                let others: Vec<JobId> = self.jobs.alike(&id).map(|job| job.id.clone()).collect();
                for other in others.into_iter().filter(|other| *other != id) {
                    let gone = Update::Gone(other);
                    let changes = self.jobs.apply(&gone, source, None, now);
                    self.apply_changes(changes, now);
                }
                Some(Update::Gone(id))
            }
            other => Some(other),
        }
    }

    fn whose(&self, own: &JobId, patch: Option<&JobPatch>, source: Source) -> Whose {
        if let Some(queue) = patch.and_then(|patch| patch.queue.as_deref()) {
            let queued = queued_id(queue, own.as_str());
            let other = |job: &Job| job.queue.as_deref().is_some_and(|known| known != queue);
            let known = self.jobs.job(&queued).is_some();
            if known || self.jobs.job(own).is_some_and(|job| other(job)) {
                return Whose::One(queued);
            }
            return Whose::One(own.clone());
        }
        let mut alike = self.jobs.alike(own);
        let Some(first) = alike.next() else { return Whose::One(own.clone()) };
        let said = patch.and_then(|patch| patch.state.as_ref());
        let alive = said.is_some_and(|state| !state.terminal());
        let event = source == Source::Socket && patch.is_some_and(|patch| !patch.snapshot);
        let Some(second) = alike.next() else {
            let ended = first.state.terminal() && first.queue.is_some();
            return if ended && alive && event {
                Whose::Ended
            } else {
                Whose::One(first.id.clone())
            };
        };
        let all = || [first, second].into_iter().chain(self.jobs.alike(own).skip(2));
        let mut open = all().filter(|job| !job.state.over());
        match (open.next(), open.next()) {
            (Some(only), None) => Whose::One(only.id.clone()),
            (Some(_), Some(_)) => Whose::Several,
            (None, _) if alive => Whose::Ended,
            // An end that is told once more, and what still comes after one.
            (None, _) => {
                let ended = |job: &Job| -> Timestamp { job.finished_at.unwrap_or(job.last_seen) };
                match all().max_by_key(|job| ended(job)) {
                    Some(last) => Whose::One(last.id.clone()),
                    None => Whose::Several,
                }
            }
        }
    }

    fn report_ambiguous(&mut self, id: &JobId) {
        if self.ambiguous.len() >= REMEMBERED {
            self.ambiguous.clear();
        }
        if !self.ambiguous.insert(id.clone()) {
            return;
        }
        let queues: Vec<&str> =
            self.jobs.alike(id).filter_map(|job| job.queue.as_deref()).collect();
        let text = format!(
            "The server reports on a job {id} without its queue, and there are jobs of that id in \
             {}. The API is asked which one it is.",
            queues.join(" and ")
        );
        let text = self.clean(&text);
        self.diagnose("ambiguous-id", text);
    }

    /// Whether there are other jobs of this one's id, in other queues.
    pub(super) fn shares_its_id(&self, job: &Job) -> bool {
        self.dialect.ids_repeat() && self.jobs.alike(&own_id(job).into()).nth(1).is_some()
    }

    /// The ids by which a topic may name a job that is known by this one.
    pub(super) fn spellings(&self, id: &JobId) -> Vec<JobId> {
        let own = self.jobs.job(id).map(|job| own_id(job)).filter(|own| *own != id.as_str());
        let own = own.filter(|_| self.dialect.ids_repeat()).map(JobId::from);
        std::iter::once(id.clone()).chain(own).collect()
    }

    /// Whether all jobs of this id have ended, and there is one.
    pub(super) fn all_ended(&self, id: &JobId) -> bool {
        let mut alike = self.jobs.alike(id).peekable();
        alike.peek().is_some() && alike.all(|job| job.state.terminal())
    }
}
