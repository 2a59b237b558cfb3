//! From when on what is first seen ended is news, by which clock.
//!
//! Servers name moments by clocks of their own, which lie behind or ahead of ours, and some name
//! them in their own zone without saying so. What their answers are dated with tells the first; the
//! times that a list bore before tell both.

use jiff::{SignedDuration, Timestamp};

use super::Supervisor;
use super::work::Work;
use crate::jobs::Baseline;
use crate::model::{JobPatch, JobState, Topic};
use crate::rate_limit::RateLimit;
use crate::time::Now;

/// How far the server's clock may lie behind what we take it for before a quick job, first seen
/// ended, is taken for an old one.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(300);

/// Answers whose date is remembered. A stored answer bears an older date than the clock shows.
const DATES: usize = 4;

/// Clocks that differ by less are not told apart: a date has no fractions, and takes its way.
const SAME_CLOCK: SignedDuration = SignedDuration::from_secs(5);

/// Zones differ by multiples of this.
const ZONE_STEP_SECS: i64 = 900;

/// How far from such a multiple a time may lie that is taken for one of another zone: it lies as far
/// back as the server is slow to list it.
const ZONE_SLACK_SECS: i64 = 90;

/// Jobs whose times fit no clock are told while no other times are known, so many in [`ODD_SPAN`]:
/// more at once are a past that the server has found.
const ODD_JOBS: usize = 3;
const ODD_SPAN: std::time::Duration = std::time::Duration::from_secs(60);

/// Servers list what has ended up to so much later.
const RECENTLY: SignedDuration = SignedDuration::from_secs(60);

/// What is known of the server's clock.
#[derive(Debug)]
pub(super) struct ServerClock {
    /// By how much it was ahead of ours at the last answers.
    ahead: Vec<SignedDuration>,
    /// When jobs of unlikely times were told.
    odd: RateLimit,
}

impl Default for ServerClock {
    fn default() -> ServerClock {
        ServerClock { ahead: Vec::new(), odd: RateLimit::new(ODD_JOBS, ODD_SPAN) }
    }
}

impl ServerClock {
    /// An answer that came just now is dated so.
    pub fn dated(&mut self, date: Timestamp, now: Now) {
        // The fraction that a date lacks is half a second on the average.
        let date = date.saturating_add(SignedDuration::from_millis(500)).unwrap_or(date);
        if self.ahead.len() >= DATES {
            self.ahead.remove(0);
        }
        self.ahead.push(date.duration_since(now.wall));
    }

    /// Our own clock was set.
    pub fn forget(&mut self) {
        self.ahead.clear();
    }

    /// By how much it is ahead of ours; zero where they agree, `None` where nothing is known.
    pub fn ahead(&self) -> Option<SignedDuration> {
        let ahead = self.ahead.iter().copied().max()?;
        Some(if ahead.abs() < SAME_CLOCK { SignedDuration::ZERO } else { ahead })
    }

    /// Whether a time that fits no clock may be one of just now in another zone, or by a clock of
    /// which nothing is known.
    fn may_be_now(&self, end: Timestamp, now: Now) -> bool {
        let Some(ahead) = self.ahead() else { return true };
        let there = now.wall.saturating_add(ahead).unwrap_or(now.wall);
        let off = there.duration_since(end).as_secs();
        let rest = off.rem_euclid(ZONE_STEP_SECS);
        off.abs() < 15 * 3600 && (rest <= ZONE_SLACK_SECS || rest >= ZONE_STEP_SECS - 5)
    }
}

impl Supervisor {
    /// By how much the server's clock is ahead of ours, where its answers tell; zero where they
    /// agree.
    #[must_use]
    pub fn clock_ahead(&self) -> Option<SignedDuration> {
        self.server_clock.ahead()
    }

    /// A moment of our clock as the server may name it.
    fn leniently(&self, moment: Timestamp) -> Timestamp {
        let ahead = self.server_clock.ahead().unwrap_or_default();
        // A clock that is only said to be ahead excludes nothing.
        let shift = ahead.min(SignedDuration::ZERO).saturating_sub(CLOCK_SKEW);
        moment.saturating_add(shift).unwrap_or(moment)
    }

    /// What ended since a list was first complete. What ended after everything it held then has
    /// done so since, whatever zone the server names its times in.
    fn since_listed(&self, work: &Work) -> Option<Baseline> {
        let since = self.leniently(work.listed?);
        Some(Baseline::of_this_run(work.newest.map_or(since, |newest| since.min(newest))))
    }

    /// Since when a job of this topic, first seen ended, has ended just now. Once a topic is
    /// listed, a job that it did not hold is new, so that the server's clock may well lie behind
    /// ours; at its first listing of this run, one that ended after the last of an earlier run. The
    /// first listing of a topic that was found shows its past as well: what ended before the list
    /// it was found in is no news.
    pub(super) fn baseline_of(&self, topic: &Topic) -> Option<Baseline> {
        let kept = |topic: &Topic| self.polling.work(topic).filter(|work| !work.lookup);
        let first = |topic: &Topic| kept(topic)?.listed.map(Baseline::of_this_run);
        let listed = |topic: &Topic| self.since_listed(kept(topic)?);
        let before = |topic: &Topic| {
            let since = self.leniently(*self.listed_before.get(topic)?);
            Some(Baseline { since, earlier_run: true })
        };
        if self.topics.is_watched(topic) {
            return listed(topic).or_else(|| before(topic));
        }
        let lists = || self.topics.watched().filter(|topic| !matches!(topic, Topic::Job(_)));
        let newest = |all: &mut dyn Iterator<Item = Baseline>| all.max_by_key(|it| it.since);
        let newest_before = || newest(&mut lists().filter_map(before));
        if let Some(parent) = self.topics.discovered_through(topic) {
            return listed(topic).or_else(|| match parent {
                Some(parent) => before(parent).or_else(|| first(parent)),
                None => newest_before().or_else(|| newest(&mut lists().filter_map(first))),
            });
        }
        // A single job looked up belongs to a list, whatever else was watched just now.
        let of_lists = || newest(&mut lists().filter_map(listed));
        let own = || listed(topic).filter(|_| !self.topics.is_only_detail(topic));
        own()
            .or_else(of_lists)
            .or_else(|| self.baseline.map(Baseline::of_this_run))
            .or_else(newest_before)
    }

    /// A job that was in no earlier list, though those were complete, has ended since, whatever its
    /// times say. While no other times are known to compare with it is believed, unless many such
    /// come at once: then the server has found its past.
    pub(super) fn is_new_to_lists(
        &mut self,
        patch: &JobPatch,
        topic: Option<&Topic>,
        baseline: Option<Baseline>,
        now: Now,
    ) -> bool {
        let ended = patch.state.as_ref().is_some_and(JobState::terminal);
        let Some(Baseline { since, earlier_run: false }) = baseline.filter(|_| ended) else {
            return false;
        };
        let end = patch.finished_at.or(patch.at);
        if end.is_some_and(|end| end >= since || !self.server_clock.may_be_now(end, now))
            || patch.id.as_ref().is_none_or(|id| self.jobs.job(id).is_some())
        {
            return false;
        }
        let fits = |topic: &Topic| {
            let work = self.polling.work(topic).filter(|work| !work.lookup && work.whole);
            let Some((work, listed)) = work.and_then(|work| Some((work, work.listed_last?))) else {
                return false;
            };
            // Beside others of the same answer it is as new as they are, or old.
            let beside = work.round.as_ref().and_then(|round| round.newest).zip(end);
            let since = now.wall.duration_since(listed).saturating_add(RECENTLY);
            work.newest.is_none()
                && beside.is_none_or(|(newest, end)| newest.duration_since(end) <= since)
        };
        let lists = || self.topics.watched().filter(|topic| !matches!(topic, Topic::Job(_)));
        let new = match topic {
            Some(topic) if self.topics.is_watched(topic) => fits(topic),
            // What was found shows its past at first.
            Some(topic) if self.topics.discovered_through(topic).is_some() => false,
            _ => lists().next().is_some() && lists().all(fits),
        };
        new && self.server_clock.odd.admits(now.mono)
    }

    /// For news that belong to no particular topic: since when all that is watched is listed.
    pub(super) fn set_baseline(&mut self) {
        let mut newest = None;
        for topic in self.topics.watched() {
            match self.polling.work(topic).and_then(|work| self.since_listed(work)) {
                Some(listed) => newest = newest.max(Some(listed.since)),
                None => {
                    newest = None;
                    break;
                }
            }
        }
        self.baseline = newest;
    }
}
