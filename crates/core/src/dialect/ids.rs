//! The ways in which a job may be named.

use super::Dialect;
use crate::model::{Job, JobId, Topic};

/// Whether a job belongs to a topic by what it says of itself. A job that does not say whose it is
/// came in through what is watched.
pub(super) fn contains_by_fields<D: Dialect + ?Sized>(
    dialect: &D,
    topic: &Topic,
    job: &Job,
) -> bool {
    match topic {
        Topic::Everything => true,
        Topic::Queue(name) => job.queue.as_ref().is_none_or(|queue| queue == name),
        Topic::User(name) => job.user.as_ref().is_none_or(|user| user == name),
        Topic::Job(given) => {
            dialect.follows(given, job)
                || job.parent.as_ref().is_some_and(|parent| dialect.is_alias(given, parent))
        }
    }
}

/// Whether a job is meant by its own id, by the one that other tools show, or by either behind its
/// queue.
pub(super) fn resolves_by_fields(given: &JobId, job: &Job) -> bool {
    let is = |id: &str| id == own_id(job) || job.external_id.as_deref() == Some(id);
    let queue = job.queue.as_deref().unwrap_or_default();
    is(given.as_str()) || behind(queue, given.as_str()).is_some_and(is)
}

/// The id of a job that is known by its queue as well.
#[must_use]
pub fn queued_id(queue: &str, id: &str) -> JobId {
    format!("{queue}/{id}").into()
}

/// A job's id as its server spells it: without the queue where it is known by that as well.
#[must_use]
pub fn own_id(job: &Job) -> &str {
    behind(job.queue.as_deref().unwrap_or_default(), job.id.as_str()).unwrap_or(job.id.as_str())
}

/// What stands behind `QUEUE/`.
fn behind<'a>(queue: &str, id: &'a str) -> Option<&'a str> {
    let rest = id.strip_prefix(queue).filter(|_| !queue.is_empty())?;
    rest.strip_prefix('/').filter(|own| !own.is_empty())
}

/// The ways in which `given` may name a queue and an id in it.
pub(super) fn queue_and_id(given: &str) -> impl Iterator<Item = (&str, &str)> {
    let slashes = given.match_indices('/');
    slashes
        .map(|(at, _)| (&given[..at], &given[at + 1..]))
        .filter(|(queue, id)| !queue.is_empty() && !id.is_empty())
}
