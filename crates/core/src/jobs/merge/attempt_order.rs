//! To which attempt of a job a patch belongs.

use std::time::Duration;

use jiff::Timestamp;

use super::{Context, Entry, Tentative, signed};
use crate::model::{JobPatch, JobState, Source};

/// Events that were under way when the job ended are stamped up to this much later than its end.
const STRAGGLING: Duration = Duration::from_secs(2);

/// After this long an HTTP answer that contradicts an end is no late or cached answer any more.
const SETTLED: Duration = Duration::from_secs(60);

/// An HTTP answer this long after a failure was heard is not a cached one from before it.
const CACHED: Duration = Duration::from_secs(3);

/// Two readings of a start that differ by less mean the same start.
pub(super) const SAME_START: Duration = Duration::from_secs(2);

/// To which attempt a patch belongs, compared with the one the job is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::jobs) enum AttemptOrder {
    Older,
    Same,
    Newer,
}

/// What an answer over HTTP says of where a job stands, with its time.
#[derive(Debug, PartialEq)]
pub(super) struct HttpStatement {
    at: Timestamp,
    state: Option<JobState>,
    progress: Option<f64>,
}

impl HttpStatement {
    /// What a patch says, if it is such an answer and bears a time.
    pub fn of(patch: &JobPatch, context: &Context) -> Option<HttpStatement> {
        let at = patch.at.filter(|_| context.source == Source::Http && patch.snapshot)?;
        Some(HttpStatement { at, state: patch.state.clone(), progress: patch.progress })
    }
}

impl Entry {
    /// Whether the server stamps every answer about this job with one and the same time. Two answers
    /// that differ and bear the same time show it: that time orders nothing.
    pub(super) fn clock_stands_still(&self, said: &HttpStatement) -> bool {
        self.memo.http_said.as_ref().is_some_and(|before| before.at == said.at && before != said)
    }

    /// Remembers the latest statement.
    pub(super) fn note_statement(&mut self, said: Option<HttpStatement>) {
        if said.is_some() {
            self.memo.set().http_said = said;
        }
    }

    /// Tells the attempt of a patch. By the server's own numbers where it gives them both times;
    /// else by its times: a start, or a sign of life, after the end of the attempt begins the next
    /// one. Where it gives neither, only HTTP can reopen an ended job, and only once a late or
    /// cached answer is out of the question.
    pub(super) fn attempt_order(&self, patch: &JobPatch, context: &Context) -> AttemptOrder {
        if self.job.state.terminal()
            && let (Some(start), Some(end)) = (patch.started_at, self.ended_at)
            && start > end
            // Clocks of workers differ: a start after its own end is still the same run.
            && self.job.started_at.is_none_or(|known| start > known)
            && patch.finished_at.or(patch.at).is_none_or(|moment| moment > end)
        {
            return AttemptOrder::Newer;
        }
        // An id that is used again after its job was removed: the server accepted this one later.
        if self.job.state.terminal()
            && let (Some(created), Some(known)) = (patch.created_at, self.job.created_at)
            && self.ended_at.is_some_and(|end| created > end)
            && created > known
        {
            return AttemptOrder::Newer;
        }
        if let Some(said) = patch.attempt {
            // Begun without a number, which now comes.
            let begun = !self.job.state.terminal() && self.job.attempt == Some(said);
            if begun && self.counted.is_some_and(|known| known < said) {
                return AttemptOrder::Same;
            }
            let known = self.counted.or(if self.remembered { self.job.attempt } else { None });
            if known.is_some_and(|known| said > known) {
                return AttemptOrder::Newer;
            }
            if self.counted == Some(said) {
                return AttemptOrder::Same;
            }
            let resets = self.job.state.terminal() && self.alive_after_end(patch, context);
            if self.counted.is_some_and(|known| said < known) && !resets {
                return AttemptOrder::Older;
            }
        }
        let moment = match &patch.state {
            Some(state) if state.terminal() => patch.finished_at.or(patch.at),
            _ => patch.at.or(patch.started_at),
        };
        if let (Some(moment), Some(boundary)) = (moment, self.memo.boundary)
            && moment <= boundary
        {
            return AttemptOrder::Older;
        }
        if self.job.state.terminal() {
            match &patch.state {
                Some(state) if state.terminal() => {
                    let end = patch.finished_at.or(patch.at);
                    let later = matches!((end, self.ended_at), (Some(end), Some(known))
                        if end.duration_since(known) > signed(STRAGGLING));
                    if *state != self.job.state && later {
                        return AttemptOrder::Newer;
                    }
                }
                _ if self.alive_after_end(patch, context) => return AttemptOrder::Newer,
                _ => {}
            }
        } else if let Some(tentative) = &self.memo.tentative {
            if self.alive_after_failure(tentative, patch, context) {
                return AttemptOrder::Newer;
            }
        } else if patch.attempt.is_none()
            && let (Some(start), Some(known)) = (patch.started_at, self.job.started_at)
            && let (Some(progress), Some(reached)) = (patch.progress, self.job.progress)
            && progress.clamp(0.0, 100.0) < reached
            && patch.at.is_none_or(|at| self.memo.state_at.is_none_or(|known| at >= known))
            && start.duration_since(known) > signed(SAME_START)
        {
            // It began again from a lower progress: the failure between was not heard.
            return AttemptOrder::Newer;
        }
        AttemptOrder::Same
    }

    /// Whether a patch proves that an ended job runs again.
    pub(super) fn alive_after_end(&self, patch: &JobPatch, context: &Context) -> bool {
        let alive = matches!(&patch.state, Some(state)
            if !state.terminal() && !matches!(state, JobState::Unknown(_)));
        if !alive {
            return false;
        }
        let settled = self.ended_seen.is_none_or(|at| context.now.mono.since(at) >= SETTLED);
        let by_http = context.source == Source::Http && patch.snapshot && settled;
        match (patch.at, self.ended_at) {
            (Some(at), Some(end)) if by_http => at > end,
            (Some(at), Some(end)) => at.duration_since(end) > signed(STRAGGLING),
            // Without times a replayed or reordered event looks the same as a new attempt.
            _ => by_http,
        }
    }

    /// Whether a patch proves that the server retried after a failure.
    pub(super) fn alive_after_failure(
        &self,
        tentative: &Tentative,
        patch: &JobPatch,
        context: &Context,
    ) -> bool {
        let alive = match &patch.state {
            Some(state) => !state.terminal() && !matches!(state, JobState::Unknown(_)),
            None => patch.progress.is_some(),
        };
        let completed = patch.state == Some(JobState::Completed);
        if !alive && !completed {
            return false;
        }
        match (patch.at, tentative.at) {
            (Some(at), Some(failed)) => at > failed,
            _ if patch.snapshot => {
                // An answer of HTTP may have been made before the failure, or come from a cache.
                completed || context.now.mono.since(tentative.since) >= CACHED
            }
            _ => true,
        }
    }
}
