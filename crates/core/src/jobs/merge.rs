//! One job: what is shown of it, what is remembered beside that, and how a patch changes both.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::sparse::{Plain, Sparse};
use super::{Baseline, Change, Transition, TransitionKind};
use crate::model::{Finality, Job, JobId, JobPatch, JobState, Source};
use crate::time::{Mono, Now};

mod age;
mod announce;
mod reason;
mod unheard;

use age::Age;

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
    /// How large it was when it was last weighed, and whether it stands in line to be cut; both
    /// kept by the store.
    pub bytes: usize,
    pub heavy: bool,
    /// When something is due for it; kept equal to the store's table.
    pub due: Option<Mono>,
    /// Whether HTTP has ever shown it.
    pub http_seen: bool,
    /// When anything was last heard of it; the start of the clock for what is only remembered.
    pub heard: Mono,
    /// The same by the local clock, in milliseconds since 1970.
    pub last_seen_ms: i64,
    /// Known only from the history so far.
    remembered: bool,
    /// The server's own number of the attempt, as opposed to one inferred here.
    counted: Option<u32>,
    /// The server's time of the end of this attempt.
    ended_at: Option<Timestamp>,
    /// When that end was heard.
    ended_heard: Option<Mono>,
    /// `finished_at` is the time of an event, which a server's own statement replaces.
    finish_inferred: bool,
    /// The attempt whose ends have been announced, and which of them.
    announced: (u32, u8),
    pub memo: Sparse<Memo>,
}

/// What is remembered of a job that is told of with times or by the socket: nothing of the many in
/// long lists.
#[derive(Debug)]
pub(super) struct Memo {
    pub tentative: Option<Tentative>,
    /// What HTTP said last, with its time.
    http_said: Option<(Timestamp, Option<JobState>, Option<f64>)>,
    /// When the socket last spoke of it.
    pub socket_heard: Option<Mono>,
    /// When "not found" was first said and not yet believed.
    pub missing_since: Option<Mono>,
    /// The server's time of the newest fact about state or progress.
    state_at: Option<Timestamp>,
    /// The server's time of the progress shown.
    progress_at: Option<Timestamp>,
    /// The end of the previous attempt: facts not later than this belong to an earlier one.
    boundary: Option<Timestamp>,
    /// The server's time of the newest failed attempt that was told of, or was there at first.
    failed_at: Option<Timestamp>,
    /// The attempt whose failure was told of without a reason, last.
    unexplained: Option<u32>,
}

const NOTHING: Memo = Memo {
    tentative: None,
    http_said: None,
    socket_heard: None,
    missing_since: None,
    state_at: None,
    progress_at: None,
    boundary: None,
    failed_at: None,
    unexplained: None,
};

impl Default for Memo {
    fn default() -> Memo {
        NOTHING
    }
}

impl Plain for Memo {
    const NONE: &'static Memo = &NOTHING;
}

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

impl Entry {
    fn new(job: Arc<Job>) -> Entry {
        Entry {
            job,
            bytes: 0,
            heavy: false,
            due: None,
            http_seen: false,
            heard: Mono(0),
            last_seen_ms: i64::MIN,
            remembered: false,
            counted: None,
            ended_at: None,
            ended_heard: None,
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
            entry.stated(entry.job.updated_at);
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
        entry.hear(context);
        entry.note_failure(patch.failed_before.as_deref());
        entry.clock_stands_still(patch, context);
        let mut shown = true;
        entry.fields(patch, Age::Same, context, &mut shown);
        let failed = entry.fail_tentatively(patch, context);
        if state.terminal() {
            entry.end(patch, context, &mut shown);
        }
        entry.stated(patch.at);
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
            entry.doubt_useless(patch, context, changes);
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
        let patch = if self.clock_stands_still(patch, context) {
            timeless = JobPatch { at: None, ..patch.clone() };
            &timeless
        } else {
            patch
        };
        let from = self.job.state.clone();
        let was_remembered = self.remembered;
        // What the history shows in grey is confirmed by the first fresh news.
        let mut shown = was_remembered;
        let age = self.age(patch, context);
        let age = self.tell_of_unheard_failure(age, patch, context, changes);
        if age == Age::Newer {
            self.begin_attempt(patch, &mut shown);
        }
        self.hear(context);
        self.fields(patch, age, context, &mut shown);
        let failed = age != Age::Older && self.fail_tentatively(patch, context);
        let mut doubt = false;
        if age != Age::Older && !failed {
            doubt = self.move_to(patch, context, was_remembered, age, &mut shown);
        }
        if age != Age::Older && patch.at > self.memo.state_at {
            self.stated(patch.at);
        }
        self.touch(shown, context);
        if shown {
            changes.push(Change::Job(Arc::clone(&self.job)));
        }
        let to = self.job.state.clone();
        if failed {
            self.announce_failed_attempt(Some(from), patch, context, changes);
        } else if to.terminal() {
            if (from != to || age == Age::Newer) && self.not_yet_announced(&to) {
                let while_away = was_remembered
                    && match self.end_said(patch) {
                        Some(end) => end < context.started,
                        None => patch.snapshot,
                    };
                let kind = TransitionKind::Outcome;
                self.announce(Some(from), kind, patch, context, while_away, changes);
                self.doubt_useless(patch, context, changes);
            }
        } else if from != to || age == Age::Newer {
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

    /// Nothing followed a failure: it was the last one.
    pub fn settle_failure(&mut self, now: Now, changes: &mut Vec<Change>) {
        let Some(tentative) = self.take_tentative() else { return };
        let from = self.job.state.clone();
        self.ended_at = tentative.at;
        self.ended_heard = Some(tentative.since);
        self.finish_inferred = true;
        let job = Arc::make_mut(&mut self.job);
        job.state = JobState::Failed;
        job.finished_at = job.finished_at.or(tentative.at);
        job.last_seen = now.wall;
        changes.push(Change::Job(Arc::clone(&self.job)));
        if self.not_yet_announced(&JobState::Failed) {
            changes.push(Change::Transition(Transition {
                job: self.job.id.clone(),
                attempt: attempt(&self.job),
                from: Some(from),
                to: JobState::Failed,
                at: tentative.at.unwrap_or(now.wall),
                kind: TransitionKind::Outcome,
                error: self.job.error.clone(),
                while_away: false,
            }));
        }
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
        self.ended_heard = None;
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

    /// Takes over everything but the state.
    fn fields(&mut self, patch: &JobPatch, age: Age, context: &Context, shown: &mut bool) {
        let current = age != Age::Older;
        let older = !current
            || match (patch.at, self.memo.state_at) {
                (Some(at), Some(known)) => at < known,
                (None, _) => self.may_lag(patch, context),
                (Some(_), None) => false,
            };
        let newer = !older;
        let mut changed = false;
        take!(self, changed, patch, newer, parent, external_id, name, queue, user, data);
        take!(self, changed, patch, newer, max_attempts, created_at);
        if current {
            take!(self, changed, patch, newer, detail, stack, result, started_at);
            // The stages of a job that completed are past; only what its end says is its message.
            let ends = patch.state.as_ref().is_some_and(JobState::terminal);
            if ends || self.job.state != JobState::Completed {
                take!(self, changed, patch, newer, message);
            }
            self.progress(patch, context);
            if let Some(number) = patch.attempt {
                self.counted = Some(self.counted.map_or(number, |known| known.max(number)));
                if self.job.attempt.is_none_or(|shown| shown < number) {
                    put!(self, changed, attempt, Some(number));
                }
            }
            self.error(patch, newer || context.source == Source::Http, &mut changed);
        }
        if self.job.extra.is_empty() && !patch.extra.is_empty() && patch.extra.len() <= MAX_EXTRA {
            Arc::make_mut(&mut self.job).extra = patch.extra.clone();
            changed = true;
        }
        for (name, value) in patch.extra.shared() {
            let known = self.job.extra.get(name);
            let room = known.is_some() || self.job.extra.len() < MAX_EXTRA;
            if room && (known.is_none() || newer) && known != Some(value) {
                Arc::make_mut(&mut self.job).extra.insert(Arc::clone(name), value.clone());
                changed = true;
            }
        }
        let newest = [patch.at, patch.created_at, patch.started_at, patch.finished_at]
            .into_iter()
            .flatten()
            .max();
        if newest > self.job.updated_at {
            put!(self, changed, updated_at, newest);
        }
        *shown |= changed;
        *shown |= self.progress_moved(patch, current, context);
    }

    /// An HTTP answer without a time, soon after the socket spoke, may describe the past.
    pub(super) fn may_lag(&self, patch: &JobPatch, context: &Context) -> bool {
        patch.snapshot
            && context.source == Source::Http
            && self.memo.socket_heard.is_some_and(|at| context.now.mono.since(at) < HTTP_LAG)
    }

    /// Of reports with a time the newest holds, also where progress falls: a second phase begins.
    /// One without a time only raises it, unless HTTP says it when it cannot be a late answer.
    fn progress_moved(&mut self, patch: &JobPatch, current: bool, context: &Context) -> bool {
        let Some(progress) = patch.progress.filter(|value| current && value.is_finite()) else {
            return false;
        };
        let progress = progress.clamp(0.0, 100.0);
        let Some(reached) = self.job.progress else {
            if patch.at.is_some() {
                self.memo.set().progress_at = patch.at;
            }
            Arc::make_mut(&mut self.job).progress = Some(progress);
            return true;
        };
        let higher = progress > reached;
        let holds = match (patch.at, self.memo.progress_at) {
            (Some(at), Some(known)) if at != known => at > known,
            (Some(_), Some(_)) => higher,
            (Some(at), None) => higher || self.memo.state_at.is_none_or(|known| at > known),
            (None, _) => {
                let read = context.source == Source::Http && patch.snapshot;
                higher || (read && !self.may_lag(patch, context))
            }
        };
        // What comes after an end only completes the picture.
        if !holds || (self.job.state.terminal() && !higher) {
            return false;
        }
        if patch.at.is_some() {
            self.memo.set().progress_at = patch.at;
        }
        if progress == reached {
            return false;
        }
        Arc::make_mut(&mut self.job).progress = Some(progress);
        true
    }

    /// What the history remembers of an unended job's progress is no bound: the attempt may have
    /// begun again while nobody listened.
    fn progress(&mut self, patch: &JobPatch, _context: &Context) {
        let fell = matches!((patch.progress, self.job.progress), (Some(p), Some(r)) if p < r);
        if self.remembered && fell && !self.job.state.terminal() {
            Arc::make_mut(&mut self.job).progress = None;
        }
    }

    /// Holds a failure that may be retried. Answers whether this is the first word of it.
    fn fail_tentatively(&mut self, patch: &JobPatch, context: &Context) -> bool {
        let failed = patch.state == Some(JobState::Failed) && patch.finality == Finality::MayRetry;
        if !failed || self.job.state.terminal() || self.memo.tentative.is_some() {
            return false;
        }
        let memo = self.memo.set();
        memo.tentative =
            Some(Tentative { since: context.now.mono, at: patch.at, looked_again: false });
        memo.failed_at = patch.at.max(memo.failed_at);
        true
    }

    /// Moves the state as the patch says, if it may. Answers whether the job needs another look.
    fn move_to(
        &mut self,
        patch: &JobPatch,
        context: &Context,
        was_remembered: bool,
        age: Age,
        shown: &mut bool,
    ) -> bool {
        let Some(to) = &patch.state else {
            if age == Age::Newer && patch.progress.is_some() {
                put!(self, *shown, state, JobState::Running);
            }
            return false;
        };
        if patch.finality == Finality::MayRetry && *to == JobState::Failed {
            return false;
        }
        if to.terminal() {
            return self.end_as(to, patch, context, shown);
        }
        if self.job.state.terminal() {
            return false;
        }
        if age == Age::Newer || was_remembered || self.may_move(to, patch, context) {
            put!(self, *shown, state, to.clone());
        }
        false
    }

    /// Ends the job. An end is the last state of an attempt, so it needs no comparison of times
    /// with what came before in the same attempt. Another end for an ended job is taken from HTTP
    /// (unless it may lag behind), and a success from the socket as well: a retry nobody heard of.
    fn end_as(
        &mut self,
        to: &JobState,
        patch: &JobPatch,
        context: &Context,
        shown: &mut bool,
    ) -> bool {
        if self.job.state.terminal() && self.job.state != *to {
            let older =
                matches!((patch.at, self.memo.state_at), (Some(at), Some(known)) if at < known);
            let accepted = match context.source {
                Source::Http => !older && !self.may_lag(patch, context),
                Source::Socket => !older && *to == JobState::Completed,
                Source::History => false,
            };
            if !accepted {
                return context.source == Source::Socket;
            }
        }
        if *to == JobState::Completed && self.job.state != *to && patch.message.is_none() {
            put!(self, *shown, message, None);
        }
        put!(self, *shown, state, to.clone());
        self.end(patch, context, shown);
        false
    }

    /// What comes with an end: its time, and the errors of earlier attempts set aside.
    fn end(&mut self, patch: &JobPatch, context: &Context, shown: &mut bool) {
        self.take_tentative();
        self.ended_heard = self.ended_heard.or(Some(context.now.mono));
        let said = patch.finished_at;
        let inferred = patch.at.filter(|_| !patch.snapshot);
        let took = patch.took_ms.map(Duration::from_millis);
        let from_start = match (self.job.started_at, took) {
            (Some(start), Some(took)) => start.checked_add(took).ok(),
            _ => None,
        };
        if let Some(said) = said {
            if self.job.finished_at.is_none() || self.finish_inferred {
                put!(self, *shown, finished_at, Some(said));
                self.finish_inferred = false;
            }
        } else if self.job.finished_at.is_none()
            && let Some(end) = from_start.or(inferred)
        {
            put!(self, *shown, finished_at, Some(end));
            self.finish_inferred = true;
        }
        self.ended_at = self.ended_at.max(self.job.finished_at).or(patch.at);
        if self.job.started_at.is_none()
            && let (Some(end), Some(took)) = (self.job.finished_at, took)
            && let Ok(start) = end.checked_sub(took)
        {
            put!(self, *shown, started_at, Some(start));
        }
        if self.job.finished_at > self.job.updated_at {
            put!(self, *shown, updated_at, self.job.finished_at);
        }
        if self.job.state == JobState::Completed {
            self.set_error_aside(shown);
        }
    }

    /// Whether an unended job may go from its state to another unended one.
    fn may_move(&self, to: &JobState, patch: &JobPatch, context: &Context) -> bool {
        let timed = match (patch.at, self.memo.state_at) {
            (Some(at), Some(known)) => Some(at.cmp(&known)),
            _ => None,
        };
        if self.is_gone() {
            // Seen again.
            return timed.is_none_or(std::cmp::Ordering::is_ge);
        }
        if rank(to) > rank(&self.job.state) {
            return true;
        }
        if timed.is_some_and(std::cmp::Ordering::is_lt) {
            return false;
        }
        if rank(to) == rank(&self.job.state) {
            return patch.at.is_some() || !self.may_lag(patch, context);
        }
        // Back in line: said with a later time, or by HTTP when it cannot be a late answer.
        timed.is_some_and(std::cmp::Ordering::is_gt)
            || (context.source == Source::Http && !self.may_lag(patch, context))
    }

    fn hear(&mut self, context: &Context) {
        match context.source {
            Source::Socket => self.memo.set().socket_heard = Some(context.now.mono),
            Source::Http => self.http_seen = true,
            Source::History => {}
        }
        self.heard = context.now.mono;
        self.last_seen_ms = context.now.wall.as_millisecond();
        if let Some(memo) = self.memo.get_mut() {
            memo.missing_since = None;
        }
    }

    /// Brings source and `last_seen_ms` up to date with a change. Without one the job stays as it is:
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
    fn stated(&mut self, at: Option<Timestamp>) {
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
