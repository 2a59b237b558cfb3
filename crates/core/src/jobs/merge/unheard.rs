//! Failed attempts that nobody told of when they happened: what comes after them shows them.

use jiff::{SignedDuration, Timestamp};

use super::age::{Age, SAME_START};
use super::{Context, Entry, attempt, signed};
use crate::jobs::{Change, Transition, TransitionKind};
use crate::model::{FailedAttempt, Finality, JobPatch, JobState};
use crate::notify::says_nothing;

/// A row and an event stamp one failure up to this much apart.
const SAME_FAILURE: SignedDuration = SignedDuration::from_secs(2);

impl Entry {
    /// Tells of the failure that a patch shows to lie between it and what was known, if nobody has
    /// told of it. Answers to which attempt the patch belongs then.
    pub(super) fn tell_of_unheard_failure(
        &mut self,
        age: Age,
        patch: &JobPatch,
        context: &Context,
        changes: &mut Vec<Change>,
    ) -> Age {
        let under_way = [JobState::Queued, JobState::Scheduled, JobState::Running];
        let before = patch.failed_before.as_deref();
        if age == Age::Older || !under_way.contains(&self.job.state) {
            self.explain_failure(patch, context, changes);
            self.note_failure(before);
            return age;
        }
        if self.is_told_late(patch) {
            return Age::Older;
        }
        let began = self.began_since(patch);
        if let Some(tentative) = &self.memo.tentative {
            // What remembers this failure was said after it.
            let this = match (before.and_then(|before| before.at), tentative.at) {
                (Some(at), Some(failed)) => at >= failed - SAME_FAILURE,
                _ => false,
            };
            self.explain_failure(patch, context, changes);
            self.note_failure(before);
            return if this { Age::Newer } else { age };
        }
        let waits = matches!(patch.state, Some(JobState::Queued | JobState::Scheduled));
        let unheard = match before {
            Some(FailedAttempt { at: Some(at), .. }) => {
                self.memo.failed_at.is_none_or(|known| *at > known + SAME_FAILURE)
            }
            Some(_) => {
                // It may be the failure before this attempt, of which a late answer tells.
                let late = attempt(&self.job) > 1 && self.may_lag(patch, context);
                let waits = waits && !late;
                age == Age::Newer || ((waits || began) && self.job.state == JobState::Running)
            }
            None => age == Age::Newer,
        };
        if !unheard {
            self.explain_failure(patch, context, changes);
            self.note_failure(before);
            return age;
        }
        let error = before.and_then(|before| before.error.clone());
        let began = patch.started_at.filter(|_| began);
        let at = before.and_then(|before| before.at).or(began).or(patch.at);
        let at = at.unwrap_or(context.now.wall);
        let number = attempt(&self.job);
        let memo = self.memo.set();
        // What was said of the failed attempt may still come in.
        let said = before.and_then(|before| before.at).or(patch.at.filter(|_| waits));
        memo.boundary = memo.boundary.max(said);
        memo.failed_at = memo.failed_at.max(Some(at));
        memo.unexplained = error.is_none().then_some(number);
        changes.push(self.failed_attempt(number, at, error.clone()));
        if let Some(error) = error {
            self.keep_earlier_error(error, &mut false);
        }
        Age::Newer
    }

    /// Tells the reason of a failed attempt that was told of without one.
    fn explain_failure(&mut self, patch: &JobPatch, context: &Context, changes: &mut Vec<Change>) {
        let Some(number) = self.memo.unexplained else { return };
        let retried = patch.state == Some(JobState::Failed)
            && patch.finality == Finality::MayRetry
            && self.memo.tentative.is_some();
        let (error, at) = match &patch.failed_before {
            Some(before) => (&before.error, before.at),
            None if retried => (&patch.error, None),
            None => return,
        };
        let Some(error) = error.as_ref().filter(|error| !says_nothing(error)) else { return };
        if let (Some(at), Some(failed)) = (at, self.memo.failed_at)
            && at.duration_since(failed).abs() > SAME_FAILURE
        {
            return;
        }
        self.memo.set().unexplained = None;
        let at = self.memo.failed_at.unwrap_or(context.now.wall);
        changes.push(self.failed_attempt(number, at, Some(error.clone())));
        if !retried {
            self.keep_earlier_error(error.clone(), &mut false);
        }
    }

    fn failed_attempt(&self, attempt: u32, at: Timestamp, error: Option<String>) -> Change {
        Change::Transition(Transition {
            job: self.job.id.clone(),
            attempt,
            from: Some(self.job.state.clone()),
            to: JobState::Failed,
            at,
            kind: TransitionKind::AttemptFailed,
            error,
            while_away: false,
        })
    }

    /// Remembers the newest failure of an attempt.
    pub(super) fn note_failure(&mut self, before: Option<&FailedAttempt>) {
        if let Some(at) = before.and_then(|before| before.at) {
            let memo = self.memo.set();
            memo.failed_at = memo.failed_at.max(Some(at));
        }
    }

    /// Whether this is the event of a failure of which a row has told already: what waits now is the
    /// next attempt, and has not failed.
    fn is_told_late(&self, patch: &JobPatch) -> bool {
        let fails = patch.state == Some(JobState::Failed) && patch.finality == Finality::MayRetry;
        let waits_again = self.job.state != JobState::Running && attempt(&self.job) > 1;
        match (patch.at, self.memo.failed_at) {
            (Some(at), Some(failed)) if fails && waits_again && self.memo.tentative.is_none() => {
                at.duration_since(failed).abs() <= SAME_FAILURE
            }
            _ => false,
        }
    }

    /// Whether a worker took the job later than it was known to have.
    fn began_since(&self, patch: &JobPatch) -> bool {
        match (patch.started_at, self.job.started_at) {
            (Some(start), Some(known)) => start.duration_since(known) > signed(SAME_START),
            _ => false,
        }
    }
}
