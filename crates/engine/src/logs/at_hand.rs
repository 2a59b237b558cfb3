//! A log at hand, and the stretches of time in which its lines may be missing.

use std::sync::Arc;

use jobwatch_core::model::Source;

use super::LogNow;
use super::catalogue::Size;
use super::log::JobLog;

/// A log at hand.
pub(super) struct Open {
    pub(super) log: JobLog,
    pub(super) size: Size,
    /// Counts the uses, to tell which is longest unused.
    pub(super) used: u64,
    /// Has changed since it was told of.
    pub(super) changed: bool,
    /// Lines were taken in that are not written.
    pub(super) unwritten: bool,
    /// Its bytes, as they count for its server.
    pub(super) measured: u64,
    /// Has changed since it was put on the disk.
    pub(super) unsynced: bool,
    /// Has changed since it was put into the catalogue.
    pub(super) uncounted: bool,
    /// See [`LogNow::before`].
    pub(super) before: u64,
    /// See [`LogNow::gaps`], ascending.
    pub(super) gaps: Vec<(i64, i64)>,
    /// Nothing is heard of it since a line of this time.
    pub(super) unheard: Option<i64>,
}

/// Gaps kept of one log; of more, the oldest are forgotten.
const MAX_GAPS: usize = 100;

impl Open {
    pub(super) fn state(&self) -> LogNow {
        LogNow {
            lines: Arc::new(self.log.snapshot()),
            gaps: self.gaps.clone(),
            before: self.before,
        }
    }

    /// The socket is not live any more. A log that does not come over it misses nothing.
    pub(super) fn stop_hearing(&mut self) {
        if !self.size.ended && self.log.streams() {
            self.unheard = self.unheard.or(self.log.last_time());
        }
    }

    /// Notes a gap; answers whether it is new.
    pub(super) fn miss(&mut self, gap: (i64, i64)) -> bool {
        if self.gaps.contains(&gap) {
            return false;
        }
        self.gaps.push(gap);
        self.gaps.sort_unstable();
        let excess = self.gaps.len().saturating_sub(MAX_GAPS);
        self.gaps.drain(..excess);
        true
    }

    /// What came closes gaps, or tells that there is one; answers whether the gaps have changed.
    pub(super) fn heard(&mut self, times: Option<(i64, i64)>, source: Source) -> bool {
        let Some((first, last)) = times else { return false };
        let before = self.gaps.clone();
        // An answer that reaches from before a gap to behind it holds what it missed.
        self.gaps.retain(|(from, to)| !(first <= *from && last >= *to));
        if let Some(since) = self.unheard {
            if first <= since && last > since {
                self.unheard = None;
            } else if first > since && source == Source::Socket {
                self.unheard = None;
                self.miss((since, first));
            }
        }
        before != self.gaps
    }
}
