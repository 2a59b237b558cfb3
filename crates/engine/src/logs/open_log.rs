//! A log at hand, and the stretches of time in which its lines may be missing.

use std::sync::Arc;

use jobwatch_core::model::Source;

use super::LogContents;
use super::log::JobLog;
use super::log_index::Size;
use super::record::NO_TIME;

/// A log at hand.
pub(super) struct OpenLog {
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
    /// Has changed since it was put into the index of logs.
    pub(super) uncounted: bool,
    /// See [`LogContents::before`].
    pub(super) before: u64,
    /// See [`LogContents::gaps`], ascending.
    pub(super) gaps: Vec<(i64, i64)>,
    /// Nothing is heard of it since a line of this time.
    pub(super) missing_since: Option<i64>,
}

/// Where a gap begins that is the beginning of its log.
pub const BEGINNING: i64 = NO_TIME + 1;

/// Gaps kept of one log; of more, the oldest are forgotten.
const MAX_GAPS: usize = 100;

impl OpenLog {
    pub(super) fn state(&self) -> LogContents {
        LogContents {
            lines: Arc::new(self.log.snapshot()),
            gaps: self.gaps.clone(),
            before: self.before,
        }
    }

    /// The socket is not live any more. A log that does not come over it misses nothing.
    pub(super) fn disconnected(&mut self) {
        if !self.size.ended && self.log.streams() {
            self.missing_since = self.missing_since.or(self.log.last_time());
        }
    }

    /// Notes that the server no longer has lines between these times, where some of these may be
    /// stored: `last` is the time of the last line that was, before those came with which it said
    /// so, and `joined` whether one of these was. Answers whether the gap is new.
    pub(super) fn dropped(&mut self, gap: (i64, i64), last: Option<i64>, joined: bool) -> bool {
        match last {
            _ if gap.0 != BEGINNING => self.miss(gap),
            None => self.miss(gap),
            Some(last) if !joined && last <= gap.1 => self.miss((last, gap.1)),
            Some(_) => false,
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
    pub(super) fn received(&mut self, times: Option<(i64, i64)>, source: Source) -> bool {
        let Some((first, last)) = times else { return false };
        let before = self.gaps.clone();
        // An answer that reaches from before a gap to behind it holds what it missed.
        let fills = |from: i64, to: i64| match from {
            BEGINNING => first < to && source == Source::Http,
            from => first <= from && last >= to,
        };
        self.gaps.retain(|(from, to)| !fills(*from, *to));
        if let Some(since) = self.missing_since {
            if first <= since && last > since {
                self.missing_since = None;
            } else if first > since && source == Source::Socket {
                self.missing_since = None;
                self.miss((since, first));
            }
        }
        before != self.gaps
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use jiff::Timestamp;
    use jobwatch_core::log::{LogLine, LogLines};
    use jobwatch_core::model::{JobId, Source};
    use jobwatch_core::server::ServerId;
    use tokio::sync::mpsc;

    use super::BEGINNING;
    use crate::logs::{Location, LogStore, Owner, StoreEvent};

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Lines of these seconds, before which the server says it has none.
    fn without_beginning(seconds: std::ops::Range<i64>) -> LogLines {
        let texts: Vec<_> = seconds.map(|at| (at, format!("line {at}"))).collect();
        let line = |(at, text): &(i64, String)| {
            let mut lines = LogLines::new();
            lines.push(LogLine { at: Some(second(*at)), text, ..LogLine::default() });
            lines
        };
        let mut all = LogLines::new();
        texts.iter().map(line).for_each(|line| all.append(&line));
        all.set_gap(texts.first().map(|(first, _)| (Timestamp::MIN, second(*first))));
        all
    }

    /// The gaps of a log, in seconds, after each of these answers.
    async fn gaps(answers: Vec<LogLines>) -> Vec<Vec<(i64, i64)>> {
        let (events, mut heard) = mpsc::unbounded_channel();
        let store = LogStore::open(Location::Memory, false, events);
        let owner = Owner { server: ServerId("s".to_owned()), job: JobId::from("1") };
        store.watch(owner.clone());
        let (mut now, mut all) = (Vec::new(), Vec::new());
        for lines in answers {
            store.append(owner.clone(), lines, Source::Http, None);
            store.flush().await;
            while let Ok(event) = heard.try_recv() {
                if let StoreEvent::Log(_, log) = event {
                    now = log.gaps;
                }
            }
            let seconds = |ns: i64| if ns == BEGINNING { ns } else { ns / 1_000_000_000 };
            all.push(now.iter().map(|(from, to)| (seconds(*from), seconds(*to))).collect());
        }
        all
    }

    #[tokio::test]
    async fn a_beginning_that_the_server_no_longer_has_is_missing_unless_it_is_stored() {
        let missing = vec![(BEGINNING, 100)];
        let plain = |seconds| {
            let mut lines = without_beginning(seconds);
            lines.set_gap(None);
            lines
        };
        let first = || without_beginning(100..200);
        let again = gaps(vec![first(), first(), plain(200..210)]).await;
        assert!(again.iter().all(|gaps| *gaps == missing), "nothing is stored: {again:?}");
        let stored = gaps(vec![plain(0..150), first()]).await;
        assert_eq!(stored[1], [], "what is stored reaches into what came");
        let between = gaps(vec![plain(0..50), first()]).await;
        assert_eq!(between[1], [(49, 100)], "only what lies between is missing");
        let found = gaps(vec![first(), plain(0..200)]).await;
        assert_eq!(found[1], [], "the server has it after all");
    }
}
