//! Which job is meant by what a link or the user names.

use std::sync::Arc;

use jobwatch_core::dialect::own_id;
use jobwatch_core::model::{Job, JobId};

use super::state::State;
use crate::api::OpenJob;

/// Jobs named in a message.
const NAMED: usize = 6;

impl State {
    /// The id of the job that is meant: the one of just this id, else the only one that has not ended,
    /// else the only one there is. What is not known stays as it was named.
    ///
    /// # Errors
    /// A sentence that lists the jobs where it may be several.
    pub(super) fn resolve(&self, open: &OpenJob) -> Result<String, String> {
        let given = JobId::from(open.job.as_str());
        let entry = self.servers.iter().find(|entry| entry.server.id.0 == open.server);
        let Some(entry) = entry else { return Ok(open.job.clone()) };
        if self.jobs.job(entry.connection, &given).is_some() {
            return Ok(open.job.clone());
        }
        let mut jobs = entry.machine().map(|machine| machine.resolve(&given)).unwrap_or_default();
        // Of the runs of one job the newest.
        let key = |job: &Job| (job.queue.clone(), job.external_id.clone());
        jobs.sort_by(|a, b| (key(a), b.created_at, &a.id).cmp(&(key(b), a.created_at, &b.id)));
        jobs.dedup_by(|one, before| one.external_id.is_some() && key(one) == key(before));
        let open_ones: Vec<&Arc<Job>> =
            jobs.iter().copied().filter(|job| !job.state.terminal()).collect();
        match (&jobs[..], &open_ones[..]) {
            ([], _) => Ok(open.job.clone()),
            ([one], _) | (_, [one]) => Ok(one.id.as_str().to_owned()),
            _ => Err(self.several(&entry.server.name, &open.job, &jobs)),
        }
    }

    fn several(&self, server: &str, given: &str, jobs: &[&Arc<Job>]) -> String {
        let named = jobs.iter().take(NAMED).map(|job| {
            let own = job.external_id.as_deref().unwrap_or_else(|| own_id(job));
            let queue = job.queue.as_deref().unwrap_or_default();
            format!("{queue}/{own} ({})", job.state.word())
        });
        let more = if jobs.len() > NAMED { " and others" } else { "" };
        let named: Vec<String> = named.collect();
        format!(
            "\u{201c}{given}\u{201d} means several jobs on {server}: {}{more}. Name the queue as well, as \
             in {}.",
            named.join(", "),
            named.first().and_then(|name| name.split(" (").next()).unwrap_or_default()
        )
    }
}
