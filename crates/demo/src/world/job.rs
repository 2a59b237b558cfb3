//! One job of the world, in nobody's dialect.

use std::collections::VecDeque;

use jobwatch_core::model::Level;
use serde_json::Value;

use crate::rng::Rng;

/// How many lines of a job's log are kept; older ones are forgotten, their positions are not.
const KEPT_LINES: usize = 60_000;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Scheduled,
    Queued,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl State {
    /// Whether nothing more will happen.
    pub fn terminal(self) -> bool {
        matches!(self, State::Completed | State::Failed | State::Cancelled)
    }

    /// Jobwatch's own word, for comparing the truth with what is shown.
    pub fn word(self) -> &'static str {
        match self {
            State::Scheduled => "scheduled",
            State::Queued => "queued",
            State::Running => "running",
            State::Completed => "completed",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
        }
    }
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub text: String,
    pub stack: String,
    /// When.
    pub at: i64,
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Counted from 0 within the job.
    pub position: u64,
    pub at: i64,
    pub level: Level,
    pub text: String,
}

/// A job's log: its newest lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    lines: VecDeque<Line>,
    written: u64,
}

impl Log {
    /// Appends a line and gives its position.
    pub fn push(&mut self, at: i64, level: Level, text: String) -> u64 {
        let position = self.written;
        self.written += 1;
        if self.lines.len() == KEPT_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(Line { position, at, level, text });
        position
    }

    /// The line at `position`, unless it was never written or is forgotten.
    pub fn get(&self, position: u64) -> Option<&Line> {
        let first = self.lines.front()?.position;
        self.lines.get(usize::try_from(position.checked_sub(first)?).ok()?)
    }

    /// The lines still kept, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.lines.iter()
    }

    /// How many lines were ever written.
    pub fn written(&self) -> u64 {
        self.written
    }
}

/// What will become of a job, decided when it is created.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// How long a whole attempt takes, ms; `None` runs until told otherwise.
    pub duration: Option<i64>,
    /// How many attempts fail before one succeeds.
    pub failures: u32,
    /// The error of failing attempts.
    pub error: (String, String),
    /// What it returns.
    pub result: Option<Value>,
    /// Words for the parts of the work, in order.
    pub stages: &'static [&'static str],
    /// What its log says.
    pub lines: &'static [(Level, &'static str)],
    /// The mean time between two lines, ms; `None` for a silent job.
    pub line_every: Option<i64>,
    /// Between two progress reports, ms; `None` for no reports.
    pub progress_every: Option<i64>,
    /// Between two measurements, ms; `None` for none.
    pub metric_every: Option<i64>,
    /// The wait before another attempt, ms.
    pub backoff: i64,
}

/// When the next thing of each kind happens.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Due {
    /// Start, or end of the running attempt.
    pub step: Option<i64>,
    pub progress: Option<i64>,
    pub line: Option<i64>,
    pub metric: Option<i64>,
}

/// A job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Its number in this world, from 1.
    pub key: u64,
    /// Its id, as the dialect prints it.
    pub id: String,
    /// A second id: the BullMQ id behind a run, the container of a task.
    pub external: String,
    /// The job it belongs to.
    pub group: Option<String>,
    pub name: String,
    pub queue: String,
    /// What it works on: a file, an address, a recipient.
    pub subject: String,
    pub state: State,
    /// 0 to 100.
    pub progress: f64,
    /// The last stage it reported.
    pub message: String,
    /// From 1 once it has started.
    pub attempt: u32,
    pub max_attempts: u32,
    /// The last failed attempt; stays after a later success, as BullMQ keeps it.
    pub failure: Option<Failure>,
    pub result: Option<Value>,
    pub created: i64,
    /// When this attempt started.
    pub started: Option<i64>,
    pub finished: Option<i64>,
    /// When anything about it last changed.
    pub changed: i64,
    /// The last measurement: processor in percent, memory in MB.
    pub metric: (f64, f64),
    pub log: Log,
    pub plan: Plan,
    pub due: Due,
    /// Its own randomness, so that the order in which jobs are advanced means nothing.
    pub rng: Rng,
    /// Started on command rather than by the world's own life.
    pub commanded: bool,
}

impl Job {
    /// A number that belongs to this job and this use of it.
    pub fn salt(&self, purpose: u64) -> u64 {
        Rng::derived(self.key.wrapping_mul(31).wrapping_add(purpose), self.created.cast_unsigned())
            .next()
    }

    /// A transaction hash, signature or similar that always stays this job's.
    pub fn hash(&self, purpose: u64, digits: usize) -> String {
        Rng::new(self.salt(purpose)).hex(digits)
    }

    /// How long the last attempt ran, ms.
    pub fn took(&self) -> Option<i64> {
        Some((self.finished? - self.started?).max(0))
    }

    /// The stage that belongs to a share of the work.
    pub fn stage_at(&self, share: f64) -> String {
        let stages = self.plan.stages;
        if stages.is_empty() {
            return String::new();
        }
        let index = (share * stages.len() as f64) as usize;
        stages[index.min(stages.len() - 1)].to_owned()
    }
}
