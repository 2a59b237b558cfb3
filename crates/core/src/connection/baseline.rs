//! From when on what is first seen ended is news.

use jiff::{SignedDuration, Timestamp};

use super::Supervisor;
use super::http::topic_state::TopicState;
use crate::jobs::Baseline;
use crate::model::{JobPatch, JobState, Topic};
use crate::time::Now;

/// How far the server's clock may lie behind what we take it for before a quick job, first seen
/// ended, is taken for an old one.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(300);

/// Servers list what has ended up to so much later.
const RECENTLY: SignedDuration = SignedDuration::from_secs(60);

impl Supervisor {
    /// A moment of our clock as the server may name it.
    fn leniently(&self, moment: Timestamp) -> Timestamp {
        let ahead = self.server_clock.ahead().unwrap_or_default();
        // A clock that is only said to be ahead excludes nothing.
        let shift = ahead.min(SignedDuration::ZERO).saturating_sub(CLOCK_SKEW);
        moment.saturating_add(shift).unwrap_or(moment)
    }

    /// What ended since a list was first complete. What ended after everything it held then has
    /// done so since, whatever zone the server names its times in.
    fn since_listed(&self, known: &TopicState) -> Option<Baseline> {
        let since = self.leniently(known.listed?);
        Some(Baseline::of_this_run(known.newest.map_or(since, |newest| since.min(newest))))
    }

    /// Since when a job of this topic, first seen ended, has ended just now. Once a topic is
    /// listed, a job that it did not hold is new, so that the server's clock may well lie behind
    /// ours; at its first listing of this run, one that ended after the last of an earlier run. The
    /// first listing of a topic that was found shows its past as well: what ended before the list
    /// it was found in is no news.
    pub(super) fn baseline_of(&self, topic: &Topic) -> Option<Baseline> {
        let kept = |topic: &Topic| self.polling.topic(topic).filter(|known| !known.lookup);
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
            let known = self.polling.topic(topic).filter(|known| !known.lookup && known.whole);
            let Some((known, listed)) = known.and_then(|known| Some((known, known.listed_last?)))
            else {
                return false;
            };
            // Beside others of the same answer it is as new as they are, or old.
            let beside = known.cycle.as_ref().and_then(|cycle| cycle.newest).zip(end);
            let since = now.wall.duration_since(listed).saturating_add(RECENTLY);
            known.newest.is_none()
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
            match self.polling.topic(topic).and_then(|known| self.since_listed(known)) {
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
