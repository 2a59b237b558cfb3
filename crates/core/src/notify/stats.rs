//! Statistics of past runs by job name: whether the last one failed, and how long they usually take.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::rules::EventKind;
use crate::model::JobState;
use crate::server::ServerId;

/// Names that are remembered. Beyond it, those that ended longest ago are dropped.
const MAX_NAMES: usize = 20_000;
/// Durations that are remembered of each name.
const MAX_TIMES: usize = 32;
/// With fewer durations than this, no run is called slow.
const ENOUGH: usize = 5;
/// A run is slow when it takes this many times as long as nearly all before it, and at least
/// [`MORE`] longer.
const TIMES: u32 = 2;
/// See [`TIMES`].
const MORE: Duration = Duration::from_secs(10);

/// The past runs of all names on all servers.
#[derive(Debug, Default)]
pub struct RunStats(HashMap<(ServerId, String), Name>);

#[derive(Debug, Default)]
struct Name {
    failed: bool,
    at: Option<Timestamp>,
    times: VecDeque<Duration>,
}

impl RunStats {
    /// Takes in the end of a job; returns what it means after those before it. `None` for a state
    /// that is no end. One that ended before the last known one changes nothing but the durations.
    pub fn ended(
        &mut self,
        server: &ServerId,
        name: &str,
        state: &JobState,
        at: Timestamp,
        took: Option<Duration>,
    ) -> Option<EventKind> {
        let failed = match state {
            JobState::Completed => false,
            JobState::Failed => true,
            // Somebody wanted it: it says nothing about how the next will end.
            JobState::Cancelled => return Some(EventKind::Cancelled),
            _ => return None,
        };
        if self.0.len() >= MAX_NAMES {
            self.evict();
        }
        let run = self.0.entry((server.clone(), name.to_owned())).or_default();
        let before = run.at.is_some() && run.failed;
        if run.at.is_none_or(|last| at >= last) {
            run.failed = failed;
            run.at = Some(at);
        }
        if let Some(took) = took.filter(|_| !failed) {
            if run.times.len() == MAX_TIMES {
                run.times.pop_front();
            }
            run.times.push_back(took);
        }
        Some(match (failed, before) {
            (true, false) => EventKind::Failed,
            (true, true) => EventKind::StillFailing,
            (false, true) => EventKind::Fixed,
            (false, false) => EventKind::Completed,
        })
    }

    /// How long nine in ten jobs of this name take at most, and from which time on one that runs is
    /// unusually slow; `None` while too few have completed.
    #[must_use]
    pub fn slow(&self, server: &ServerId, name: &str) -> Option<(Duration, Duration)> {
        let run = self.0.get(&(server.clone(), name.to_owned()))?;
        if run.times.len() < ENOUGH {
            return None;
        }
        let mut times: Vec<Duration> = run.times.iter().copied().collect();
        times.sort_unstable();
        let usual = times[(times.len() * 9 / 10).min(times.len() - 1)];
        Some((usual, usual.saturating_mul(TIMES).max(usual.saturating_add(MORE))))
    }

    /// Forgets a server that was removed.
    pub fn forget(&mut self, server: &ServerId) {
        self.0.retain(|(of, _), _| of != server);
    }

    /// Drops a tenth of the names, so that it is not done for every new one.
    fn evict(&mut self) {
        let mut ends: Vec<Option<Timestamp>> = self.0.values().map(|run| run.at).collect();
        let (_, middle, _) = ends.select_nth_unstable(MAX_NAMES / 10);
        let oldest = *middle;
        self.0.retain(|_, run| run.at > oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> ServerId {
        ServerId("s".to_owned())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn kinds(past: &mut RunStats, ends: &[(i64, JobState)]) -> Vec<Option<EventKind>> {
        let end = |(second, state): &(i64, JobState)| {
            past.ended(&server(), "nightly", state, at(*second), None)
        };
        ends.iter().map(end).collect()
    }

    #[test]
    fn the_first_failure_the_next_and_the_end_of_them_are_told_apart() {
        use JobState::{Cancelled, Completed, Failed, Running};
        let ends = [
            (1, Completed),
            (2, Failed),
            (3, Failed),
            (4, Cancelled),
            (5, Failed),
            (6, Completed),
            (7, Completed),
            (8, Running),
        ];
        let kinds_of = kinds(&mut RunStats::default(), &ends);
        let expected = [
            Some(EventKind::Completed),
            Some(EventKind::Failed),
            Some(EventKind::StillFailing),
            Some(EventKind::Cancelled),
            Some(EventKind::StillFailing),
            Some(EventKind::Fixed),
            Some(EventKind::Completed),
            None,
        ];
        assert_eq!(kinds_of, expected);
    }

    #[test]
    fn an_end_that_is_reported_late_does_not_undo_a_later_one() {
        let mut past = RunStats::default();
        kinds(&mut past, &[(10, JobState::Failed), (5, JobState::Completed)]);
        assert_eq!(kinds(&mut past, &[(11, JobState::Failed)]), [Some(EventKind::StillFailing)]);
    }

    #[test]
    fn names_of_different_servers_have_nothing_to_do_with_each_other() {
        let mut past = RunStats::default();
        kinds(&mut past, &[(1, JobState::Failed)]);
        let other = ServerId("other".to_owned());
        let kinds_of = past.ended(&other, "nightly", &JobState::Failed, at(2), None);
        assert_eq!(kinds_of, Some(EventKind::Failed));
        past.forget(&server());
        assert_eq!(kinds(&mut past, &[(3, JobState::Failed)]), [Some(EventKind::Failed)]);
    }

    #[test]
    fn a_run_is_slow_when_it_takes_twice_as_long_as_nearly_all_before_it() {
        let mut past = RunStats::default();
        let take = |past: &mut RunStats, state: &JobState, second: u64| {
            let took = Some(Duration::from_secs(second));
            past.ended(&server(), "nightly", state, at(1), took);
            past.slow(&server(), "nightly").map(|(usual, slow)| (usual.as_secs(), slow.as_secs()))
        };
        for second in [60, 62, 58, 61] {
            assert_eq!(take(&mut past, &JobState::Completed, second), None, "too few to judge");
        }
        assert_eq!(take(&mut past, &JobState::Failed, 1), None, "a failure says nothing");
        assert_eq!(take(&mut past, &JobState::Completed, 60), Some((62, 124)));
        let mut short = RunStats::default();
        for _ in 0..5 {
            take(&mut short, &JobState::Completed, 1);
        }
        let slow = short.slow(&server(), "nightly").map(|(_, slow)| slow.as_secs());
        assert_eq!(slow, Some(11));
    }

    #[test]
    fn there_is_a_limit_to_names_and_the_oldest_go() {
        let mut past = RunStats::default();
        for n in 0..=MAX_NAMES as i64 {
            past.ended(&server(), &n.to_string(), &JobState::Failed, at(n), None);
        }
        assert!(past.0.len() <= MAX_NAMES && past.0.len() > MAX_NAMES / 2);
        let newest = (server(), MAX_NAMES.to_string());
        assert!(past.0.contains_key(&newest) && !past.0.contains_key(&(server(), "0".to_owned())));
    }
}
