//! What waits for a moment: failures that may be retried, and jobs that the server may have lost.

use std::time::Duration;

use super::merge::Entry;
use super::{Change, JobStore};
use crate::model::{JobId, Source};
use crate::time::{Mono, Now};

/// "Not found" is doubted for this long after the socket spoke of the job, and believed when it is
/// said twice this far apart.
const GONE_DOUBT: Duration = Duration::from_secs(10);

/// A job that the socket told of and HTTP has never shown may not be written down yet: it is
/// doubted for this long that it is gone.
const UNRECORDED_DOUBT: Duration = Duration::from_secs(60);

/// A failure is looked at a second time this long after it was heard: what HTTP says sooner may be
/// a cached answer from before it.
pub(super) const SECOND_LOOK: Duration = Duration::from_secs(4);

impl JobStore {
    /// Decides what is due: failures whose grace has run out become outcomes, doubtful news is
    /// looked at again. `connected` says whether the server could be heard lately: without that,
    /// silence proves nothing and the grace begins anew.
    pub fn expire(&mut self, connected: bool, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        while self.due.first().is_some_and(|(at, _)| *at <= now.mono) {
            let Some((_, id)) = self.due.pop_first() else { break };
            let Some(entry) = self.jobs.get_mut(&id) else { continue };
            entry.due = None;
            let mut next = None;
            if let Some(tentative) = entry.memo.get_mut().and_then(|memo| memo.tentative.as_mut()) {
                if !connected {
                    tentative.since = now.mono;
                    tentative.looked_again = false;
                    next = Some(now.mono.after(self.grace));
                } else if !tentative.looked_again {
                    tentative.looked_again = true;
                    changes.push(Change::Confirm(id.clone()));
                    let rest = self.grace - SECOND_LOOK.min(self.grace / 2);
                    next = Some(tentative.since.after(self.grace).max(now.mono.after(rest)));
                } else {
                    entry.settle_failure(now, &mut changes);
                }
            } else if let Some(since) = entry.memo.missing_since {
                // Asked again, once: whatever the answer, it decides.
                if now.mono.since(since) < doubt(entry) * 6 {
                    changes.push(Change::Confirm(id.clone()));
                } else {
                    entry.memo.set().missing_since = None;
                }
            }
            if let Some(at) = next {
                self.schedule(&id, at);
            }
            self.reindex(&id);
        }
        changes
    }

    /// When [`JobStore::expire`] must be called at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(super) fn gone(&mut self, id: &JobId, source: Source, now: Now) -> Vec<Change> {
        let mut changes = Vec::new();
        let Some(entry) = self.jobs.get_mut(id) else { return changes };
        if entry.job.state.over() {
            return changes;
        }
        let doubt = doubt(entry);
        let fresh = entry.memo.socket_seen.is_some_and(|at| now.mono.since(at) < GONE_DOUBT);
        let twice = entry.memo.missing_since.is_some_and(|at| now.mono.since(at) >= doubt);
        // The socket does not answer a question: it says that the job was removed.
        if source == Source::Socket || (entry.http_seen && !fresh) || twice {
            entry.vanish(now, &mut changes);
            self.after_merge(id, now);
        } else if entry.memo.missing_since.is_none() {
            entry.memo.set().missing_since = Some(now.mono);
            // A failure under way has its own deadlines.
            if entry.due.is_none() {
                self.schedule(id, now.mono.after(doubt));
            }
        }
        changes
    }

    pub(super) fn schedule(&mut self, id: &JobId, at: Mono) {
        if let Some(entry) = self.jobs.get_mut(id) {
            if let Some(before) = entry.due.replace(at) {
                self.due.remove(&(before, id.clone()));
            }
            self.due.insert((at, id.clone()));
        }
    }
}

/// How long it is doubted that a job is gone.
fn doubt(entry: &Entry) -> Duration {
    if entry.http_seen { GONE_DOUBT } else { UNRECORDED_DOUBT }
}
