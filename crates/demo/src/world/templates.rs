//! What a demo server's jobs are like: names, ids, stages, log lines, errors.

use jobwatch_core::model::Level;
use serde_json::Value;

use super::job::Job;

/// One kind of work.
#[derive(Debug)]
pub(crate) struct JobTemplate {
    /// The job's name on its server.
    pub name: &'static str,
    pub queue: &'static str,
    /// What stands before the random part of an id.
    pub prefix: &'static str,
    /// How many hexadecimal digits follow.
    pub digits: usize,
    /// The shortest and the longest run, seconds.
    pub seconds: (i64, i64),
    pub attempts: u32,
    pub stages: &'static [&'static str],
    pub lines: &'static [(Level, &'static str)],
    /// Errors with their stacks.
    pub errors: &'static [(&'static str, &'static str)],
    /// What it may work on.
    pub subjects: &'static [&'static str],
}

/// What a server's jobs are like.
#[derive(Debug)]
pub(crate) struct Templates {
    pub jobs: &'static [JobTemplate],
    /// How many jobs run at the same time.
    pub workers: usize,
    /// The share of attempts that fail.
    pub fail_rate: f64,
    /// Jobs that other jobs belong to: title and id.
    pub groups: &'static [(&'static str, &'static str)],
    /// The number before the first id that is counted.
    pub first: u64,
    /// The share of jobs that are created for later.
    pub scheduled: f64,
    /// Between two measurements, ms.
    pub metric_every: Option<i64>,
    /// The mean time between two log lines, ms.
    pub line_every: Option<i64>,
    /// Between two progress reports, ms.
    pub progress_every: Option<i64>,
    /// How jobs are named.
    pub ids: Ids,
    /// The server's second id of every job; counted where absent.
    pub external: Option<&'static str>,
    /// What stands before the ids of jobs, and of those they belong to, on the wire.
    pub id_prefixes: (&'static str, &'static str),
    /// What a job returns that was not told what to return.
    pub result: fn(&Job) -> Value,
}

impl Templates {
    /// Jobs of these kinds, two at a time, one in ten of which fails.
    pub const fn of(jobs: &'static [JobTemplate]) -> Templates {
        Templates {
            jobs,
            workers: 2,
            fail_rate: 0.1,
            groups: &[],
            first: 0,
            scheduled: 0.0,
            metric_every: None,
            line_every: None,
            progress_every: None,
            ids: Ids::Random { prefix: "", digits: 12 },
            external: None,
            id_prefixes: ("", ""),
            result: |_| Value::Null,
        }
    }
}

/// How jobs are named.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ids {
    /// By a number.
    Counted,
    /// By a uuid that begins with the time.
    Uuid,
    /// By hexadecimal digits behind a prefix: as the template of the job says, and by these where a
    /// job is created on command.
    Random { prefix: &'static str, digits: usize },
}
