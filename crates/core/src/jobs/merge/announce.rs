//! Telling what happened to a job, an end at most once.

use jiff::Timestamp;

use super::{Context, Entry, attempt, bit};
use crate::jobs::{Change, Transition, TransitionKind};
use crate::model::{JobPatch, JobState};

impl Entry {
    /// Whether a job first seen ended has ended just now.
    pub(super) fn ended_just_now(&self, patch: &JobPatch, context: &Context) -> bool {
        if !patch.snapshot {
            return true;
        }
        match (context.baseline, self.end_said(patch)) {
            (Some(baseline), Some(end)) => end >= baseline.since,
            _ => false,
        }
    }

    /// Whether a job first seen ended has ended between the earlier run of the program and this.
    pub(super) fn ended_away(&self, patch: &JobPatch, context: &Context) -> bool {
        patch.snapshot
            && context.baseline.is_some_and(|baseline| baseline.earlier_run)
            && self.end_said(patch).is_some_and(|end| end < context.started)
    }

    /// Marks an end of this attempt as announced. Returns whether it was not before.
    pub(super) fn mark_announced(&mut self, state: &JobState) -> bool {
        let number = attempt(&self.job);
        if self.announced.0 != number {
            self.announced = (number, 0);
        }
        let fresh = self.announced.1 & bit(state) == 0;
        self.announced.1 |= bit(state);
        fresh
    }

    pub(super) fn announce(
        &self,
        from: Option<JobState>,
        kind: TransitionKind,
        patch: &JobPatch,
        context: &Context,
        while_away: bool,
        changes: &mut Vec<Change>,
    ) {
        let to = self.job.state.clone();
        let said = if to.terminal() { self.end_said(patch) } else { patch.at };
        changes.push(Change::Transition(Transition {
            job: self.job.id.clone(),
            attempt: attempt(&self.job),
            from,
            at: said.unwrap_or(context.now.wall),
            kind,
            error: if to == JobState::Failed { self.job.error.clone() } else { None },
            to,
            while_away,
        }));
    }

    pub(super) fn announce_failed_attempt(
        &mut self,
        from: Option<JobState>,
        patch: &JobPatch,
        context: &Context,
        changes: &mut Vec<Change>,
    ) {
        let unexplained = self.job.error.is_none().then(|| attempt(&self.job));
        self.memo.set().unexplained = unexplained;
        let at = patch.at.unwrap_or(context.now.wall);
        let error = self.job.error.clone();
        changes.push(self.failed_attempt(attempt(&self.job), from, at, error));
        changes.push(Change::Confirm(self.job.id.clone()));
    }

    /// The step of an attempt that failed.
    pub(super) fn failed_attempt(
        &self,
        attempt: u32,
        from: Option<JobState>,
        at: Timestamp,
        error: Option<String>,
    ) -> Change {
        Change::Transition(Transition {
            job: self.job.id.clone(),
            attempt,
            from,
            to: JobState::Failed,
            at,
            kind: TransitionKind::AttemptFailed,
            error,
            while_away: false,
        })
    }
}
