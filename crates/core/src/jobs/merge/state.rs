//! Moves a job from state to state, and ends it.

use std::sync::Arc;
use std::time::Duration;

use super::attempt_order::AttemptOrder;
use super::{Context, Entry, Tentative, attempt, rank};
use crate::jobs::{Change, Transition, TransitionKind};
use crate::model::{Finality, JobPatch, JobState, Source};
use crate::time::Now;

impl Entry {
    /// Holds a failure that may be retried. Answers whether this is the first word of it.
    pub(super) fn fail_tentatively(&mut self, patch: &JobPatch, context: &Context) -> bool {
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
    pub(super) fn move_to(
        &mut self,
        patch: &JobPatch,
        context: &Context,
        was_remembered: bool,
        order: AttemptOrder,
        shown: &mut bool,
    ) -> bool {
        let Some(to) = &patch.state else {
            if order == AttemptOrder::Newer && patch.progress.is_some() {
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
        if order == AttemptOrder::Newer || was_remembered || self.may_move(to, patch, context) {
            put!(self, *shown, state, to.clone());
        }
        false
    }

    /// Ends the job. An end is the last state of an attempt, so it needs no comparison of times
    /// with what came before in the same attempt. Another end for an ended job is taken from HTTP
    /// (unless it may lag behind), and a success from the socket as well: a retry nobody heard of.
    pub(super) fn end_as(
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
    pub(super) fn end(&mut self, patch: &JobPatch, context: &Context, shown: &mut bool) {
        self.take_tentative();
        self.ended_seen = self.ended_seen.or(Some(context.now.mono));
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
    pub(super) fn may_move(&self, to: &JobState, patch: &JobPatch, context: &Context) -> bool {
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

    /// Nothing followed a failure: it was the last one.
    pub fn settle_failure(&mut self, now: Now, changes: &mut Vec<Change>) {
        let Some(tentative) = self.take_tentative() else { return };
        let from = self.job.state.clone();
        self.ended_at = tentative.at;
        self.ended_seen = Some(tentative.since);
        self.finish_inferred = true;
        let job = Arc::make_mut(&mut self.job);
        job.state = JobState::Failed;
        job.finished_at = job.finished_at.or(tentative.at);
        job.last_seen = now.wall;
        changes.push(Change::Job(Arc::clone(&self.job)));
        if self.mark_announced(&JobState::Failed) {
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
}
