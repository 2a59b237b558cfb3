//! Why a job failed: which texts are worth showing, and what becomes of them later.

use std::sync::Arc;

use super::{Context, Entry};
use crate::headline::says_nothing;
use crate::jobs::Change;
use crate::model::{JobPatch, JobState, Json, Source};

/// Where the error of an earlier attempt is kept once the job is past it.
const EARLIER_ERROR: &str = "earlierError";

impl Entry {
    /// A reason that says nothing never stands in the way of one that does.
    pub(super) fn error(&mut self, patch: &JobPatch, newer: bool, shown: &mut bool) {
        let Some(error) = patch.error.as_ref().filter(|error| !says_nothing(error)) else { return };
        let ends_well = match &patch.state {
            Some(state) => *state == JobState::Completed,
            None => self.job.state == JobState::Completed,
        };
        if ends_well || self.job.state == JobState::Completed {
            // Servers keep the reason of an earlier attempt on a job that then succeeded.
            self.keep_earlier_error(error.clone(), shown);
            return;
        }
        let earlier = self.job.extra.get(EARLIER_ERROR).is_some_and(|kept| kept == &text(error));
        let failing = patch.state == Some(JobState::Failed) || self.memo.tentative.is_some();
        if earlier && !failing && !self.job.state.terminal() {
            return;
        }
        // The same error is told in full by one and cut by another: the fuller wins.
        let known = self.job.error.as_deref();
        if known.is_some_and(|known| is_part(error, known)) {
            return;
        }
        let fuller = known.is_none_or(|known| is_part(known, error));
        if (fuller || newer) && known != Some(error) {
            Arc::make_mut(&mut self.job).error = Some(error.clone());
            *shown = true;
        }
    }

    pub(super) fn set_error_aside(&mut self, shown: &mut bool) {
        if let Some(error) = self.job.error.clone() {
            let job = Arc::make_mut(&mut self.job);
            job.error = None;
            job.stack = None;
            *shown = true;
            self.keep_earlier_error(error, shown);
        } else if self.job.stack.is_some() {
            Arc::make_mut(&mut self.job).stack = None;
            *shown = true;
        }
    }

    pub(super) fn keep_earlier_error(&mut self, error: String, shown: &mut bool) {
        let kept = text(&error);
        if self.job.extra.get(EARLIER_ERROR) != Some(&kept) {
            Arc::make_mut(&mut self.job).extra.insert(EARLIER_ERROR.to_owned(), kept);
            *shown = true;
        }
    }

    /// A failure whose reason says nothing: HTTP knows a better one.
    pub(super) fn confirm_useless_reason(
        &self,
        patch: &JobPatch,
        context: &Context,
        changes: &mut Vec<Change>,
    ) {
        let useless = patch.error.as_deref().is_some_and(says_nothing);
        if context.source == Source::Socket && useless && self.job.error.is_none() {
            changes.push(Change::Confirm(self.job.id.clone()));
        }
    }
}

fn text(error: &str) -> Json {
    Json::from(&serde_json::Value::from(error))
}

/// Whether one text is the other with something left out at its beginning or end.
fn is_part(part: &str, whole: &str) -> bool {
    let part = part.trim().trim_end_matches(['.', '\u{2026}']);
    part.len() < whole.trim().len() && whole.contains(part)
}
