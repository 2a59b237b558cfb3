//! One job: what is shown of it, what is remembered beside that, and how a patch changes both.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::sparse::Sparse;
use super::{Baseline, Change, Transition, TransitionKind};
use crate::model::{Finality, Job, JobId, JobPatch, JobState, Source};
use crate::time::{Mono, Now};

/// Changes the shown job, copying it only when something really differs.
macro_rules! put {
    ($entry:ident, $shown:expr, $field:ident, $value:expr) => {
        let value = $value;
        if $entry.job.$field != value {
            Arc::make_mut(&mut $entry.job).$field = value;
            $shown = true;
        }
    };
}

/// Takes over an optional field of a patch: when `$newer`, or where there is a gap.
macro_rules! take {
    ($entry:ident, $shown:ident, $patch:ident, $newer:expr, $($field:ident),+) => {
        $(if let Some(value) = &$patch.$field {
            let gap = $entry.job.$field.is_none();
            if (gap || $newer) && $entry.job.$field.as_ref() != Some(value) {
                Arc::make_mut(&mut $entry.job).$field = Some(value.clone());
                $shown = true;
            }
        })+
    };
}

mod announce;
mod attempt_order;
mod fields;
mod memo;
mod missed;
mod reason;
mod state;

use memo::Memo;

use attempt_order::{AttemptOrder, HttpStatement};

/// How many fields without a canonical meaning are kept for a job.
const MAX_EXTRA: usize = 128;

/// For this long after the socket spoke of a job, an HTTP answer without a time may be older.
const HTTP_LAG: Duration = Duration::from_secs(10);

/// The circumstances of a patch.
pub(super) struct Context {
    pub source: Source,
    pub baseline: Option<Baseline>,
    pub started: Timestamp,
    pub now: Now,
}

/// A failure that may still be retried.
#[derive(Debug)]
pub(super) struct Tentative {
    /// When it was heard.
    pub since: Mono,
    /// When the server says it happened.
    pub at: Option<Timestamp>,
    /// Whether the second look was asked for.
    pub looked_again: bool,
}

/// A job with what the store remembers about it.
#[derive(Debug)]
pub(super) struct Entry {
    pub job: Arc<Job>,
    /// How large it was when it was last measured, and whether it stands in line to be cut; both
    /// kept by the store.
    pub bytes: usize,
    pub large: bool,
    /// When something is due for it; kept equal to the store's table.
    pub due: Option<Mono>,
    /// Whether HTTP has ever shown it.
    pub http_seen: bool,
    /// When anything was last heard of it; the start of the clock for what is only remembered.
    pub seen: Mono,
    /// The same by the local clock, in milliseconds since 1970.
    pub last_seen_ms: i64,
    /// Known only from the history so far.
    remembered: bool,
    /// The server's own number of the attempt, as opposed to one inferred here.
    counted: Option<u32>,
    /// The server's time of the end of this attempt.
    ended_at: Option<Timestamp>,
    /// When that end was heard.
    ended_seen: Option<Mono>,
    /// `finished_at` is the time of an event, which a server's own statement replaces.
    finish_inferred: bool,
    /// The attempt whose ends have been announced, and which of them.
    announced: (u32, u8),
    pub memo: Sparse<Memo>,
}

impl Entry {
    fn new(job: Arc<Job>) -> Entry {
        Entry {
            job,
            bytes: 0,
            large: false,
            due: None,
            http_seen: false,
            seen: Mono(0),
            last_seen_ms: i64::MIN,
            remembered: false,
            counted: None,
            ended_at: None,
            ended_seen: None,
            finish_inferred: false,
            announced: (0, 0),
            memo: Sparse::default(),
        }
    }

    /// A job from an earlier run.
    pub fn remembered(job: Arc<Job>) -> Entry {
        let ended = job.state.terminal();
        let mut entry = Entry::new(job);
        entry.remembered = true;
        entry.http_seen = true;
        if ended {
            entry.ended_at = entry.job.finished_at;
            entry.announced = (attempt(&entry.job), bit(&entry.job.state));
        } else {
            entry.note_state_time(entry.job.updated_at);
            if entry.job.updated_at.is_some() {
                entry.memo.set().failed_at = entry.job.updated_at;
            }
        }
        entry
    }

    /// A job that was not known before.
    pub fn first(
        id: &JobId,
        patch: &JobPatch,
        context: &Context,
        changes: &mut Vec<Change>,
    ) -> Entry {
        let state = match (&patch.state, patch.finality) {
            (Some(JobState::Failed), Finality::MayRetry) => JobState::Running,
            (Some(state), _) => state.clone(),
            (None, _) if patch.progress.is_some() => JobState::Running,
            (None, _) => JobState::Queued,
        };
        let mut entry = Entry::new(Arc::new(Job::new(
            id.clone(),
            state.clone(),
            context.source,
            context.now.wall,
        )));
        entry.note_seen(context);
        entry.note_failure(patch.failed_before.as_deref());
        entry.note_statement(HttpStatement::of(patch, context));
        let mut shown = true;
        entry.fields(patch, AttemptOrder::Same, context, &mut shown);
        let failed = entry.fail_tentatively(patch, context);
        if state.terminal() {
            entry.end(patch, context, &mut shown);
        }
        entry.note_state_time(patch.at);
        changes.push(Change::Job(Arc::clone(&entry.job)));
        if failed {
            entry.announce_failed_attempt(None, patch, context, changes);
        } else if state.terminal() {
            let kind = if entry.ended_just_now(patch, context) {
                TransitionKind::Outcome
            } else {
                TransitionKind::Discovered
            };
            let while_away = kind == TransitionKind::Outcome && entry.ended_away(patch, context);
            entry.announced = (attempt(&entry.job), bit(&state));
            entry.announce(None, kind, patch, context, while_away, changes);
            entry.confirm_useless_reason(patch, context, changes);
        } else {
            let kind =
                if patch.snapshot { TransitionKind::Discovered } else { TransitionKind::Moved };
            entry.announce(None, kind, patch, context, false, changes);
            // Sockets tell that a job is there before anybody tells what it is called.
            if !patch.snapshot && entry.job.name.is_none() {
                changes.push(Change::Confirm(entry.job.id.clone()));
            }
        }
        entry
    }

    /// Merges a patch about a job that is known.
    pub fn merge(&mut self, patch: &JobPatch, context: &Context, changes: &mut Vec<Change>) {
        let timeless;
        let statement = HttpStatement::of(patch, context);
        let patch = if statement.as_ref().is_some_and(|said| self.clock_stands_still(said)) {
            // It is not trusted again until it moves.
            timeless = JobPatch { at: None, ..patch.clone() };
            &timeless
        } else {
            self.note_statement(statement);
            patch
        };
        let from = self.job.state.clone();
        let was_remembered = self.remembered;
        // What the history shows in grey is confirmed by the first fresh news.
        let mut shown = was_remembered;
        let order = self.attempt_order(patch, context);
        let order = self.report_missed_failure(order, patch, context, changes);
        if order == AttemptOrder::Newer {
            self.begin_attempt(patch, &mut shown);
        }
        self.note_seen(context);
        self.fields(patch, order, context, &mut shown);
        let failed = order != AttemptOrder::Older && self.fail_tentatively(patch, context);
        let mut doubt = false;
        if order != AttemptOrder::Older && !failed {
            doubt = self.move_to(patch, context, was_remembered, order, &mut shown);
        }
        if order != AttemptOrder::Older && patch.at > self.memo.state_at {
            self.note_state_time(patch.at);
        }
        self.touch(shown, context);
        if shown {
            changes.push(Change::Job(Arc::clone(&self.job)));
        }
        let to = self.job.state.clone();
        if failed {
            self.announce_failed_attempt(Some(from), patch, context, changes);
        } else if to.terminal() {
            if (from != to || order == AttemptOrder::Newer) && self.mark_announced(&to) {
                let while_away = was_remembered
                    && match self.end_said(patch) {
                        Some(end) => end < context.started,
                        None => patch.snapshot,
                    };
                let kind = TransitionKind::Outcome;
                self.announce(Some(from), kind, patch, context, while_away, changes);
                self.confirm_useless_reason(patch, context, changes);
            }
        } else if from != to || order == AttemptOrder::Newer {
            self.announce(Some(from), TransitionKind::Moved, patch, context, false, changes);
        }
        if doubt {
            changes.push(Change::Confirm(self.job.id.clone()));
        }
    }

    /// The server does not know the job any more.
    pub fn vanish(&mut self, now: Now, changes: &mut Vec<Change>) {
        let from = self.job.state.clone();
        if let Some(memo) = self.memo.get_mut() {
            (memo.tentative, memo.missing_since) = (None, None);
        }
        self.remembered = false;
        let job = Arc::make_mut(&mut self.job);
        job.state = JobState::gone();
        job.source = Source::Http;
        job.last_seen = now.wall;
        changes.push(Change::Job(Arc::clone(&self.job)));
        changes.push(Change::Transition(Transition {
            job: self.job.id.clone(),
            attempt: attempt(&self.job),
            from: Some(from),
            to: self.job.state.clone(),
            at: now.wall,
            kind: TransitionKind::Moved,
            error: None,
            while_away: false,
        }));
    }

    /// Whether the server said that it does not know this job any more.
    pub fn is_gone(&self) -> bool {
        self.job.state.is_gone()
    }

    fn begin_attempt(&mut self, patch: &JobPatch, shown: &mut bool) {
        let number = attempt(&self.job);
        let next = match patch.attempt {
            Some(said) if said > number => said,
            _ => number.saturating_add(1),
        };
        let ended = self.take_tentative().and_then(|tentative| tentative.at).or(self.ended_at);
        let boundary = ended.max(self.memo.boundary);
        if let Some(memo) = self.memo.get_mut() {
            (memo.state_at, memo.progress_at) = (None, None);
        }
        if boundary.is_some() {
            self.memo.set().boundary = boundary;
        }
        self.ended_at = None;
        self.ended_seen = None;
        self.finish_inferred = false;
        self.set_error_aside(shown);
        let job = Arc::make_mut(&mut self.job);
        job.attempt = Some(next);
        job.progress = None;
        job.detail = None;
        job.message = None;
        job.result = None;
        job.started_at = None;
        job.finished_at = None;
        if job.state.terminal() {
            // Until the patch says what it is now, it waits.
            job.state = JobState::Queued;
        }
        *shown = true;
    }

    fn note_seen(&mut self, context: &Context) {
        match context.source {
            Source::Socket => self.memo.set().socket_seen = Some(context.now.mono),
            Source::Http => self.http_seen = true,
            Source::History => {}
        }
        self.seen = context.now.mono;
        self.last_seen_ms = context.now.wall.as_millisecond();
        if let Some(memo) = self.memo.get_mut() {
            memo.missing_since = None;
        }
    }

    /// Brings source and `last_seen` up to date with a change. Without one the job stays as it is:
    /// it is shared with whoever shows it, and a hundred thousand that are listed again unchanged
    /// are not copied.
    fn touch(&mut self, shown: bool, context: &Context) {
        self.remembered = false;
        if shown {
            let job = Arc::make_mut(&mut self.job);
            job.last_seen = context.now.wall;
            job.source = context.source;
        }
    }

    /// Takes note of the time of the newest fact about state or progress.
    fn note_state_time(&mut self, at: Option<Timestamp>) {
        if at != self.memo.state_at {
            self.memo.set().state_at = at;
        }
    }

    fn take_tentative(&mut self) -> Option<Tentative> {
        self.memo.get_mut()?.tentative.take()
    }

    fn end_said(&self, patch: &JobPatch) -> Option<Timestamp> {
        patch.finished_at.or(self.job.finished_at).or(patch.at)
    }
}

fn attempt(job: &Job) -> u32 {
    job.attempt.unwrap_or(1)
}

fn bit(state: &JobState) -> u8 {
    match state {
        JobState::Completed => 1,
        JobState::Failed => 2,
        JobState::Cancelled => 4,
        _ => 0,
    }
}

/// How far an unended state is along.
fn rank(state: &JobState) -> u8 {
    match state {
        JobState::Queued | JobState::Scheduled => 0,
        _ => 1,
    }
}

fn signed(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
}
