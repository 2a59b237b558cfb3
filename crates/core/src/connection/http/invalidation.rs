//! What hints and gaps in lists mean for what is fetched.

use super::polling::{MAX_LOOKUPS, MAX_PAGES};
use super::single_flight::Call;
use super::topic_state::{COLLECT, Class, FetchCycle, Purpose};
use crate::connection::dispatch::Origin;
use crate::connection::status::{sentence, too_large};
use crate::connection::{Failure, Output, Supervisor};
use crate::dialect::oversized::Read;
use crate::dialect::pieces::{Pieces, TooLarge};
use crate::dialect::{Ask, FetchRequest, FetchResponse};
use crate::model::{Job, JobId, Topic};
use crate::time::{Mono, Now};

/// An unended job of a list that does not show all that is under way is looked up by itself when
/// nothing was heard of it for this long.
const UNSEEN: std::time::Duration = std::time::Duration::from_secs(30);

impl Supervisor {
    /// Unended jobs that belong to a list but are not on it: the list may be cut, or the job gone.
    /// They are looked up until their end is known, as many at a time as there is room for, those of
    /// which nothing was heard for longest first.
    pub(in crate::connection) fn look_up_missing(
        &mut self,
        topic: &Topic,
        cycle: &FetchCycle,
        now: Now,
    ) {
        let unseen = |seen: Mono| match cycle.open_cut {
            true => now.mono.since(seen) >= UNSEEN,
            false => seen < cycle.begun,
        };
        let mut missing: Vec<(Mono, JobId)> = self
            .jobs
            .open_jobs()
            .filter(|job| !cycle.seen.contains(&job.id))
            .filter_map(|job| Some((self.jobs.last_seen(&job.id)?, job)))
            .filter(|(seen, job)| unseen(*seen) && self.dialect.contains(topic, job))
            .filter(|(seen, job)| !self.parent_covers(job, *seen))
            .map(|(seen, job)| (seen, job.id.clone()))
            .collect();
        missing.sort_unstable();
        self.look_up_all(missing, now);
    }

    /// Whatever is under way and was not heard of for long, because no list shows it or nobody
    /// watches it any more, is looked up: nothing runs for ever.
    pub(in crate::connection) fn look_up_unseen(&mut self, now: Now) {
        if self.may_fetch() {
            let long = UNSEEN.max(self.policy.poll_slow * 2);
            let mut unseen: Vec<(Mono, JobId)> = self
                .jobs
                .open_jobs()
                .filter(|job| !matches!(job.state, crate::model::JobState::Unknown(_)))
                .filter_map(|job| Some((self.jobs.last_seen(&job.id)?, job.id.clone())))
                .filter(|(seen, _)| now.mono.since(*seen) >= long)
                .filter(|(seen, id)| {
                    self.jobs.job(id).is_none_or(|job| !self.parent_covers(job, *seen))
                })
                .collect();
            unseen.sort_unstable();
            self.look_up_all(unseen, now);
        }
        self.schedule_sweep(now);
    }

    /// Whether a job that was last heard of then is a part of one that is followed by itself, whose
    /// next look tells of it: the latest has shown it.
    fn parent_covers(&self, job: &Job, seen: Mono) -> bool {
        let Some(parent) = &job.parent else { return false };
        let known = self.polling.topic(&Topic::Job(parent.clone()));
        known.is_some_and(|known| !known.lookup && known.failures == 0 && known.asked <= seen)
    }

    fn look_up_all(&mut self, jobs: Vec<(Mono, JobId)>, now: Now) {
        let mut left = 0;
        for (_, id) in jobs {
            let own = Topic::Job(id);
            if self.polling.topic(&own).is_some() {
                self.polling.schedule_routine(&own, now.mono);
            } else if self.dialect.fetch(&own).is_empty() {
                // Nobody can ask for it alone.
            } else if !self.polling.look_up(&own, Class::Single, now.mono) {
                left += 1;
            }
        }
        let crowd = left > 0;
        if crowd && !std::mem::replace(&mut self.lookups_crowd, crowd) {
            let text = format!(
                "{} jobs are not on the server's lists any more and are asked for one by one, \
                 {MAX_LOOKUPS} at a time.",
                left + self.polling.lookups()
            );
            self.diagnose("many-lookups", text);
        }
        self.lookups_crowd = crowd || self.polling.lookups() > MAX_LOOKUPS / 2;
    }

    /// Fetches one job besides the topics, or the topics it belongs to where the dialect cannot
    /// ask for one.
    pub(in crate::connection) fn look_up(&mut self, id: &JobId, now: Now) {
        let own = Topic::Job(id.clone());
        if self.polling.topic(&own).is_some() {
            self.polling.announce(&own, now.mono);
            return;
        }
        if self.dialect.fetch(&own).is_empty()
            || !self.polling.look_up(&own, Class::Urgent, now.mono)
        {
            for topic in self.covering(id).unwrap_or_default() {
                self.polling.announce(&topic, now.mono);
            }
        }
    }

    /// A dialect says that something about a topic will change soon: it is looked at now, and again
    /// until that has come about.
    pub(in crate::connection) fn expect_change(&mut self, topic: &Topic, now: Now) {
        self.stale(topic, now);
        let topics = match topic {
            _ if self.polling.topic(topic).is_some() => vec![topic.clone()],
            Topic::Job(id) => self.covering(id).unwrap_or_else(|| self.lists()),
            _ => self.lists(),
        };
        for topic in topics {
            self.polling.expect_change(&topic, now.mono);
        }
    }

    /// A dialect says that something about a topic changed.
    pub(in crate::connection) fn stale(&mut self, topic: &Topic, now: Now) {
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
                            self.jobs.job(id).is_some_and(|job| self.dialect.contains(topic, job))
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
    pub(in crate::connection) fn stale_job(&mut self, id: &JobId, now: Now) {
        if self.unrelated.contains(id) {
            return;
        }
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
        if self.jobs.job(id).is_none() {
            // What the server names will be on its lists, sooner or later.
            self.note_activity(now);
        }
        let own = Topic::Job(id.clone());
        if self.polling.topic(&own).is_some() {
            self.polling.announce(&own, now.mono);
            return;
        }
        if !self.dialect.fetch(&own).is_empty()
            && self.polling.few_announced(now.mono)
            && self.polling.look_up(&own, Class::Urgent, now.mono.after(COLLECT))
        {
            return;
        }
        for topic in lists {
            self.polling.announce(&topic, now.mono);
        }
    }

    /// Makes a request that belongs to no cycle; not while the server wants none, since what it is
    /// about is fetched regularly.
    pub(in crate::connection) fn follow_alone(&mut self, request: FetchRequest, now: Now) {
        if self.polling.held(now.mono) {
            return;
        }
        let needed = self.needs_key(&request.ask);
        let pause = self.refused_pause();
        if self.key.forbids(&Call::of(&request), needed, now.mono, pause).is_some() {
            return;
        }
        if self.polling.sizes().1 >= MAX_PAGES {
            self.diagnose(
                "too-many-requests",
                "Too many requests are under way already.".to_owned(),
            );
            return;
        }
        let id = self.polling.number(Purpose::Alone, request.ask.clone(), now.mono);
        self.out.push_back(Output::Fetch(id, request));
    }

    pub(in crate::connection) fn alone_fetched(
        &mut self,
        ask: &Ask,
        result: Result<FetchResponse, Failure>,
        now: Now,
    ) {
        let read = match result {
            Ok(response) => {
                self.last_received = Some(now.wall);
                Read::whole(response)
            }
            Err(Failure::TooLarge { limit, begun }) => Read::beginning(*begun, limit),
            Err(failure) => {
                let text =
                    self.clean(&format!("Something was not fetched. {}", sentence(&failure)));
                self.diagnose("http-error", text);
                return;
            }
        };
        let mut pieces = Pieces::default();
        while let Some(piece) = pieces.next(&mut *self.dialect, ask, &read) {
            match piece {
                Ok(incoming) => self.dispatch(Origin::Http(None), incoming, now),
                Err(TooLarge) => {
                    self.diagnose("http-error", too_large(read.limit.unwrap_or_default()));
                }
            }
        }
    }

    /// The topics that a job belongs to; `None` for one that is not known.
    pub(in crate::connection) fn covering(&self, id: &JobId) -> Option<Vec<Topic>> {
        let job = self.jobs.job(id)?;
        Some(self.topics.covering(job, |topic| self.dialect.contains(topic, job)))
    }

    /// The watched topics that are lists.
    pub(in crate::connection) fn lists(&self) -> Vec<Topic> {
        self.topics.watched().filter(|topic| !matches!(topic, Topic::Job(_))).cloned().collect()
    }
}
