//! Takes over what a patch says of a job besides its state.

use std::sync::Arc;

use super::attempt_order::AttemptOrder;
use super::{Context, Entry, HTTP_LAG, MAX_EXTRA};
use crate::model::{JobPatch, JobState, Source};

impl Entry {
    /// Takes over everything but the state.
    pub(super) fn fields(
        &mut self,
        patch: &JobPatch,
        order: AttemptOrder,
        context: &Context,
        shown: &mut bool,
    ) {
        let current = order != AttemptOrder::Older;
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
            self.forget_remembered_progress(patch);
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
        *shown |= self.take_progress(patch, current, context);
    }

    /// An HTTP answer without a time, soon after the socket spoke, may describe the past.
    pub(super) fn may_lag(&self, patch: &JobPatch, context: &Context) -> bool {
        patch.snapshot
            && context.source == Source::Http
            && self.memo.socket_seen.is_some_and(|at| context.now.mono.since(at) < HTTP_LAG)
    }

    /// Of reports with a time the newest holds, also where progress falls: a second phase begins.
    /// One without a time only raises it, unless HTTP says it when it cannot be a late answer.
    pub(super) fn take_progress(
        &mut self,
        patch: &JobPatch,
        current: bool,
        context: &Context,
    ) -> bool {
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
    pub(super) fn forget_remembered_progress(&mut self, patch: &JobPatch) {
        let fell = matches!((patch.progress, self.job.progress), (Some(p), Some(r)) if p < r);
        if self.remembered && fell && !self.job.state.terminal() {
            Arc::make_mut(&mut self.job).progress = None;
        }
    }
}
