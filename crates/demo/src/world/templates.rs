//! What kinds of work each demo server does: names, stages, log lines, errors.

use jobwatch_core::model::Level;
use jobwatch_core::server::DialectKind;

use super::texts;

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

/// A server's business.
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
}

/// The business of the demo server that speaks `kind`.
pub(crate) fn templates(kind: DialectKind) -> Templates {
    match kind {
        DialectKind::TriggerX => Templates {
            jobs: texts::chain::JOBS,
            workers: 2,
            fail_rate: 0.12,
            groups: texts::chain::GROUPS,
            first: 1040,
            scheduled: 0.0,
            metric_every: None,
            line_every: None,
            progress_every: None,
        },
        DialectKind::StudyBuddy => Templates {
            jobs: texts::study::JOBS,
            workers: 2,
            fail_rate: 0.12,
            groups: &[],
            first: 100,
            scheduled: 0.0,
            metric_every: None,
            line_every: None,
            progress_every: Some(1_100),
        },
        DialectKind::Analyzer => Templates {
            jobs: texts::wallets::JOBS,
            workers: 2,
            fail_rate: 0.1,
            groups: &[],
            first: 0,
            scheduled: 0.0,
            metric_every: None,
            line_every: None,
            progress_every: Some(900),
        },
        DialectKind::Kecs => Templates {
            jobs: texts::containers::JOBS,
            workers: 3,
            fail_rate: 0.14,
            groups: &[],
            first: 0,
            scheduled: 0.0,
            metric_every: Some(2_000),
            line_every: Some(420),
            progress_every: None,
        },
        DialectKind::BullBoard => Templates {
            jobs: texts::office::JOBS,
            workers: 2,
            fail_rate: 0.13,
            groups: &[],
            first: 40,
            scheduled: 0.15,
            metric_every: None,
            line_every: Some(1_300),
            progress_every: None,
        },
    }
}
