//! Failed attempts that nobody told of when they happened: what comes after them shows them.

use jiff::SignedDuration;

use super::attempt_order::{AttemptOrder, SAME_START};
use super::{Context, Entry, attempt, signed};
use crate::headline::says_nothing;
use crate::jobs::Change;
use crate::model::{FailedAttempt, Finality, JobPatch, JobState};

/// A row and an event stamp one failure up to this much apart.
const SAME_FAILURE: SignedDuration = SignedDuration::from_secs(2);

/// What a patch shows of a failure before it.
enum Earlier {
    /// Nothing that was not reported: the patch belongs to this attempt.
    Known(AttemptOrder),
    /// It reports a failure once more.
    Late,
    /// A failure that nobody reported when it happened.
    Missed,
}

/// Whether the job waits for a worker.
fn waits(patch: &JobPatch) -> bool {
    matches!(patch.state, Some(JobState::Queued | JobState::Scheduled))
}

impl Entry {
    /// Reports the failure that a patch shows to lie between it and what was known, if none was
    /// reported. Returns to which attempt the patch belongs then.
    pub(super) fn report_missed_failure(
        &mut self,
        order: AttemptOrder,
        patch: &JobPatch,
        context: &Context,
        changes: &mut Vec<Change>,
    ) -> AttemptOrder {
        let order = match self.earlier_failure(order, patch, context) {
            Earlier::Late => return AttemptOrder::Older,
            Earlier::Known(order) => order,
            Earlier::Missed => {
                self.report_failure_before(patch, context, changes);
                return AttemptOrder::Newer;
            }
        };
        self.explain_failure(patch, context, changes);
        self.note_failure(patch.failed_before.as_deref());
        order
    }

    /// What a patch shows of a failure before it.
    fn earlier_failure(&self, order: AttemptOrder, patch: &JobPatch, context: &Context) -> Earlier {
        let under_way = [JobState::Queued, JobState::Scheduled, JobState::Running];
        let before = patch.failed_before.as_deref();
        if order == AttemptOrder::Older || !under_way.contains(&self.job.state) {
            return Earlier::Known(order);
        }
        if self.is_late_report(patch) {
            return Earlier::Late;
        }
        if let Some(tentative) = &self.memo.tentative {
            // What remembers this failure was said after it.
            let this = match (before.and_then(|before| before.at), tentative.at) {
                (Some(at), Some(failed)) => at >= failed - SAME_FAILURE,
                _ => false,
            };
            return Earlier::Known(if this { AttemptOrder::Newer } else { order });
        }
        let missed = match before {
            Some(FailedAttempt { at: Some(at), .. }) => {
                self.memo.failed_at.is_none_or(|known| *at > known + SAME_FAILURE)
            }
            Some(_) => {
                // It may be the failure before this attempt, of which a late answer speaks.
                let late = attempt(&self.job) > 1 && self.may_lag(patch, context);
                let waits = waits(patch) && !late;
                let runs = self.job.state == JobState::Running;
                order == AttemptOrder::Newer || ((waits || self.began_since(patch)) && runs)
            }
            None => order == AttemptOrder::Newer,
        };
        if missed { Earlier::Missed } else { Earlier::Known(order) }
    }

    /// Reports the failure of the attempt before the one that a patch is about.
    fn report_failure_before(
        &mut self,
        patch: &JobPatch,
        context: &Context,
        changes: &mut Vec<Change>,
    ) {
        let before = patch.failed_before.as_deref();
        let error = before.and_then(|before| before.error.clone());
        let began = patch.started_at.filter(|_| self.began_since(patch));
        let at = before.and_then(|before| before.at).or(began).or(patch.at);
        let at = at.unwrap_or(context.now.wall);
        let number = attempt(&self.job);
        let memo = self.memo.set();
        // What was said of the failed attempt may still come in.
        let said = before.and_then(|before| before.at).or(patch.at.filter(|_| waits(patch)));
        memo.boundary = memo.boundary.max(said);
        memo.failed_at = memo.failed_at.max(Some(at));
        memo.unexplained = error.is_none().then_some(number);
        let from = Some(self.job.state.clone());
        changes.push(self.failed_attempt(number, from, at, error.clone()));
        if let Some(error) = error {
            self.keep_earlier_error(error, &mut false);
        }
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
        let from = Some(self.job.state.clone());
        changes.push(self.failed_attempt(number, from, at, Some(error.clone())));
        if !retried {
            self.keep_earlier_error(error.clone(), &mut false);
        }
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
    fn is_late_report(&self, patch: &JobPatch) -> bool {
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
