//! What hints, gaps in lists and first listings mean for what is fetched and what is news.

use jiff::Timestamp;

use super::polling::{COLLECT, MAX_PAGES, Purpose, Round};
use super::rounds::{LOOKUPS_PER_ROUND, SAFETY};
use super::shared::Call;
use super::status::sentence;
use super::{Failure, Output, Supervisor};
use crate::dialect::{Ask, FetchRequest, FetchResponse};
use crate::model::{JobId, Topic};
use crate::state::Baseline;
use crate::time::Now;

/// How far the server's clock may lie behind ours before a quick job, first seen ended, is taken
/// for an old one.
const CLOCK_SKEW: jiff::SignedDuration = jiff::SignedDuration::from_secs(300);

/// A moment of our clock as a server whose clock lies behind may name it.
fn leniently(moment: Timestamp) -> Timestamp {
    moment.checked_sub(CLOCK_SKEW).unwrap_or(moment)
}

impl Supervisor {
    /// Unended jobs that belong to a list but are not on it: the list may be cut, or the job gone.
    pub(super) fn look_up_missing(&mut self, topic: &Topic, round: &Round, now: Now) {
        let recently =
            |heard: Timestamp| now.wall.duration_since(heard).unsigned_abs() < SAFETY / 3;
        let mut missing: Vec<(Timestamp, JobId)> = self
            .board
            .open_jobs()
            .filter(|job| !round.seen.contains(&job.id) && self.dialect.holds(topic, job))
            .filter(|job| !recently(job.heard_at))
            .filter(|job| !self.topics.contains(&Topic::Job(job.id.clone())))
            .map(|job| (job.heard_at, job.id.clone()))
            .collect();
        if missing.len() > LOOKUPS_PER_ROUND {
            missing.select_nth_unstable(LOOKUPS_PER_ROUND);
            missing.truncate(LOOKUPS_PER_ROUND);
        }
        missing.sort_unstable();
        for (_, id) in missing {
            self.look_up(&id, now);
        }
    }

    /// Fetches one job besides the topics, or the topics it belongs to where the dialect cannot
    /// ask for one.
    pub(super) fn look_up(&mut self, id: &JobId, now: Now) {
        let own = Topic::Job(id.clone());
        if self.polling.work(&own).is_some() {
            self.polling.announce(&own, now.mono);
            return;
        }
        if self.dialect.fetch(&own).is_empty() || !self.polling.look_up(&own, now.mono) {
            for topic in self.covering(id).unwrap_or_default() {
                self.polling.announce(&topic, now.mono);
            }
        }
    }

    /// A dialect says that something about a topic changed.
    pub(super) fn stale(&mut self, topic: &Topic, now: Now) {
        if self.topics.contains(topic) {
            self.polling.announce(topic, now.mono);
            return;
        }
        match topic {
            Topic::Job(id) => self.stale_job(id, now),
            Topic::Everything => {
                let all: Vec<Topic> = self.topics.all().cloned().collect();
                for topic in all {
                    self.polling.announce(&topic, now.mono);
                }
            }
            Topic::Queue(_) | Topic::User(_) => {
                if self.topics.contains(&Topic::Everything) {
                    self.polling.announce(&Topic::Everything, now.mono);
                }
                let jobs: Vec<Topic> = self
                    .topics
                    .all()
                    .filter(|watched| match watched {
                        Topic::Job(id) => {
                            self.board.job(id).is_some_and(|job| self.dialect.holds(topic, job))
                        }
                        _ => false,
                    })
                    .cloned()
                    .collect();
                for job in jobs {
                    self.polling.announce(&job, now.mono);
                }
            }
        }
    }

    /// A job that is not watched by itself changed: fetched alone if it belongs to something
    /// watched, as part of that when many are announced at once.
    pub(super) fn stale_job(&mut self, id: &JobId, now: Now) {
        let covering = self.covering(id).unwrap_or_else(|| self.lists());
        let (jobs, lists): (Vec<Topic>, Vec<Topic>) =
            covering.into_iter().partition(|topic| matches!(topic, Topic::Job(_)));
        if let Some(parent) = jobs.first() {
            self.polling.announce(parent, now.mono);
            return;
        }
        if lists.is_empty() {
            return;
        }
        let own = Topic::Job(id.clone());
        if self.polling.work(&own).is_some() {
            self.polling.announce(&own, now.mono);
            return;
        }
        if !self.dialect.fetch(&own).is_empty()
            && self.polling.few_announced(now.mono)
            && self.polling.look_up(&own, now.mono.after(COLLECT))
        {
            return;
        }
        for topic in lists {
            self.polling.announce(&topic, now.mono);
        }
    }

    /// Makes a request that belongs to no round; not while the server wants none, since what it is
    /// about is fetched regularly.
    pub(super) fn follow_alone(&mut self, request: FetchRequest, now: Now) {
        if self.polling.held(now.mono) {
            return;
        }
        let needed = self.needs_key(&request.ask);
        let pause = self.refused_pause();
        if self.key.forbids(&Call::of(&request), needed, now.mono, pause).is_some() {
            return;
        }
        if self.polling.sizes().1 >= MAX_PAGES {
            self.odd("too-many-requests", "Too many requests are under way already.".to_owned());
            return;
        }
        let id = self.polling.number(Purpose::Alone, request.ask.clone(), now.mono);
        self.out.push_back(Output::Fetch(id, request));
    }

    pub(super) fn alone_fetched(
        &mut self,
        ask: &Ask,
        result: Result<FetchResponse, Failure>,
        now: Now,
    ) {
        match result {
            Ok(response) => {
                self.last_heard = Some(now.wall);
                let incoming = self.dialect.parse(ask, &response);
                self.answer(None, incoming, now);
            }
            Err(failure) => {
                let text =
                    self.clean(&format!("Something was not fetched. {}", sentence(&failure)));
                self.odd("http-error", text);
            }
        }
    }

    /// The topics that a job belongs to; `None` for one that is not known.
    pub(super) fn covering(&self, id: &JobId) -> Option<Vec<Topic>> {
        let job = self.board.job(id)?;
        Some(self.topics.covering(job, |topic| self.dialect.holds(topic, job)))
    }

    /// The watched topics that are lists.
    pub(super) fn lists(&self) -> Vec<Topic> {
        self.topics.watched().filter(|topic| !matches!(topic, Topic::Job(_))).cloned().collect()
    }

    /// Since when a job of this topic, first seen ended, has ended just now. Once a topic is
    /// listed, a job that it did not hold is new, so that the server's clock may well lie behind
    /// ours; at its first listing of this run, one that ended after the last of an earlier run. The
    /// first listing of a topic that was found shows its past as well: what ended before the list
    /// it was found in is no news.
    pub(super) fn baseline_of(&self, topic: &Topic) -> Option<Baseline> {
        let first = |topic: &Topic| self.polling.work(topic).filter(|work| !work.lookup)?.listed;
        let listed = |topic: &Topic| first(topic).map(leniently);
        let here = Baseline::of_this_run;
        let before = |topic: &Topic| {
            let since = leniently(*self.listed_before.get(topic)?);
            Some(Baseline { since, earlier_run: true })
        };
        if self.topics.is_watched(topic) {
            return listed(topic).map(here).or_else(|| before(topic));
        }
        let lists = || self.topics.watched().filter(|topic| !matches!(topic, Topic::Job(_)));
        let newest_before = || lists().filter_map(before).max_by_key(|baseline| baseline.since);
        if let Some(parent) = self.topics.found_through(topic) {
            return listed(topic).map(here).or_else(|| match parent {
                Some(parent) => before(parent).or_else(|| first(parent).map(here)),
                None => newest_before().or_else(|| lists().filter_map(first).max().map(here)),
            });
        }
        // A single job looked up belongs to a list, whatever else was watched just now.
        let listed = listed(topic).or_else(|| lists().filter_map(listed).max()).or(self.baseline);
        listed.map(here).or_else(newest_before)
    }

    /// For news that belong to no particular topic: since when all that is watched is listed.
    pub(super) fn set_baseline(&mut self) {
        let mut newest = None;
        for topic in self.topics.watched() {
            match self.polling.work(topic).and_then(|work| work.listed) {
                Some(listed) => newest = newest.max(Some(listed)),
                None => {
                    newest = None;
                    break;
                }
            }
        }
        self.baseline = newest.map(leniently);
    }
}
