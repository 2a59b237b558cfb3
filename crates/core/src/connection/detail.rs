//! Single jobs that somebody looks at, and jobs that belong to nothing that is watched.
//!
//! Whatever is looked at is fetched whole, at once and for as long as it is looked at. What belongs
//! to nothing is not kept.

use super::http::topic_state::{Class, FetchCycle};
use super::{Lookup, Output, Supervisor};
use crate::model::{Job, JobId, Topic};
use crate::time::Now;

impl Supervisor {
    /// Somebody looks at a job, known or not.
    pub(super) fn open_detail(&mut self, id: &JobId, now: Now) {
        let topic = Topic::Job(id.clone());
        self.topics.open_detail(topic.clone());
        self.jobs.pin(id, true);
        self.unrelated.remove(id);
        self.polling.add(&topic);
        self.polling.look_up(&topic, Class::Urgent, now.mono);
        if !self.has_ended(&topic) {
            self.subscribe(topic, now);
        }
    }

    /// Somebody looks at a job no longer.
    pub(super) fn close_detail(&mut self, id: &JobId, now: Now) {
        let topic = Topic::Job(id.clone());
        if !self.topics.close_detail(&topic) {
            return;
        }
        if !self.topics.contains(&topic) {
            self.drop_topic(topic, now);
        }
        let details: Vec<JobId> = self
            .detail_only
            .iter()
            .filter(|id| !self.jobs.job(id).is_some_and(|job| self.covered(job)))
            .cloned()
            .collect();
        for id in details {
            self.dismiss(&id);
        }
    }

    /// The job that is meant by an id as somebody spells it.
    #[must_use]
    pub fn job_by_alias(&self, given: &JobId) -> Option<&Job> {
        let exact = self.jobs.job(given);
        let named = || self.jobs.iter().find(|job| self.dialect.is_alias(given, &job.id));
        exact.or_else(named).map(AsRef::as_ref)
    }

    /// A topic's cycle has ended: who looks at its job is told what the server said.
    pub(super) fn report_lookup(&mut self, topic: &Topic, cycle: &FetchCycle, ok: bool) {
        let Topic::Job(given) = topic else { return };
        let Some(detail) = self.topics.detail(topic) else { return };
        if detail.reported {
            return;
        }
        detail.reported = ok;
        let lookup = match self.job_by_alias(given) {
            _ if !ok => {
                let reason = cycle.failed.as_ref().map(|fault| fault.reason.clone());
                Lookup::Unreachable(reason.unwrap_or_default())
            }
            Some(job) => Lookup::Known(job.id.clone()),
            None => match &cycle.denied {
                Some(reason) => Lookup::Unreachable(format!(
                    "The server does not show this job to whoever has this key: {reason}"
                )),
                None => Lookup::Unknown,
            },
        };
        self.out.push_back(Output::Lookup { job: given.clone(), lookup });
    }

    /// Whether a job belongs to anything that is watched, found or looked at.
    pub(super) fn covered(&self, job: &Job) -> bool {
        self.topics.covers(job, |topic| self.dialect.contains(topic, job))
    }
}
