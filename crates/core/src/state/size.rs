//! How large a job is, and making it smaller: servers attach results of any size.

use crate::model::Job;

/// Bytes of a job's texts and JSON.
#[must_use]
pub fn size(job: &Job) -> usize {
    let texts =
        [&job.external_id, &job.name, &job.queue, &job.user, &job.message, &job.error, &job.stack];
    let texts = texts.into_iter().flatten().map(String::len);
    let json = [&job.detail, &job.data, &job.result];
    let json = json.into_iter().flatten().map(|json| json.as_str().len());
    let extra = job.extra.iter().map(|(name, json)| name.len() + json.as_str().len());
    job.id.as_str().len() + texts.sum::<usize>() + json.sum::<usize>() + extra.sum::<usize>()
}
