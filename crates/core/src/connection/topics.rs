//! What is watched: by the user, and found to be part of that. State, not messages: it survives
//! every disconnect.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Job, Topic};

/// How many topics may be found besides those the user watches.
pub(super) const MAX_DISCOVERED: usize = 1_000;

/// Below this the next crowd is worth telling again.
const UNCROWDED: usize = MAX_DISCOVERED - MAX_DISCOVERED / 10;

/// Everything that is watched.
#[derive(Debug, Default)]
pub(super) struct Topics {
    watched: BTreeSet<Topic>,
    /// With the topic whose answer told of it, where that is known.
    discovered: BTreeMap<Topic, Option<Topic>>,
    /// Single jobs that somebody looks at, by the ids they were asked for with.
    details: BTreeMap<Topic, Detail>,
    /// Those the server would not let us watch on this socket.
    rejected: BTreeSet<Topic>,
    /// There are too many, and that was said.
    crowded: bool,
}

/// How a job is looked at.
#[derive(Debug, Default)]
pub(super) struct Detail {
    /// By how many.
    pub count: u32,
    /// What the server knows of it was told.
    pub reported: bool,
}

/// What became of a found topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adding {
    /// It is watched from now on.
    New,
    /// It was watched already.
    Known,
    /// There are too many. `reported` says that this was answered before, and that their number has
    /// hardly fallen since.
    Full { reported: bool },
}

impl Topics {
    /// Adds what the user watches.
    pub fn watch(&mut self, topic: Topic) {
        self.discovered.remove(&topic);
        self.watched.insert(topic);
    }

    /// Removes what the user watched, and what was found through it. Answers all that is not
    /// watched any more.
    pub fn unwatch(&mut self, topic: &Topic) -> Vec<Topic> {
        if !self.watched.remove(topic) {
            return Vec::new();
        }
        let orphans: Vec<Topic> = self
            .discovered
            .iter()
            .filter(|(_, parent)| match parent {
                Some(parent) => parent == topic,
                None => !self.watched.iter().any(|topic| !matches!(topic, Topic::Job(_))),
            })
            .map(|(discovered, _)| discovered.clone())
            .collect();
        for orphan in &orphans {
            self.discovered.remove(orphan);
        }
        self.rejected.remove(topic);
        std::iter::once(topic.clone()).chain(orphans).collect()
    }

    /// Somebody looks at a job.
    pub fn open_detail(&mut self, topic: Topic) {
        let detail = self.details.entry(topic).or_default();
        detail.count = detail.count.saturating_add(1);
        detail.reported = false;
    }

    /// Somebody looks at a job no longer. Answers whether nobody does now.
    pub fn close_detail(&mut self, topic: &Topic) -> bool {
        let Some(detail) = self.details.get_mut(topic) else { return false };
        detail.count = detail.count.saturating_sub(1);
        detail.count == 0 && self.details.remove(topic).is_some()
    }

    /// The look at a job, if somebody looks at it.
    pub fn detail(&mut self, topic: &Topic) -> Option<&mut Detail> {
        self.details.get_mut(topic)
    }

    /// Whether a topic is there only because somebody looks at it.
    pub fn is_only_detail(&self, topic: &Topic) -> bool {
        self.details.contains_key(topic)
            && !self.watched.contains(topic)
            && !self.discovered.contains_key(topic)
    }

    pub fn discover(&mut self, topic: Topic, parent: Option<Topic>) -> Adding {
        if self.watched.contains(&topic) || self.discovered.contains_key(&topic) {
            return Adding::Known;
        }
        if self.discovered.len() >= MAX_DISCOVERED {
            return Adding::Full { reported: std::mem::replace(&mut self.crowded, true) };
        }
        self.thin();
        // What was found through a found topic belongs to the one the user watches.
        let parent = match parent {
            Some(parent) if !self.watched.contains(&parent) => {
                self.discovered.get(&parent).cloned().flatten()
            }
            parent => parent,
        };
        self.discovered.insert(topic, parent);
        Adding::New
    }

    /// A found topic has served its purpose. Answers whether there was one.
    pub fn forget_discovered(&mut self, topic: &Topic) -> bool {
        self.rejected.remove(topic);
        let lost = self.discovered.remove(topic).is_some();
        self.thin();
        lost
    }

    /// The crowd may have thinned.
    fn thin(&mut self) {
        self.crowded &= self.discovered.len() >= UNCROWDED;
    }

    /// The server does not let us watch this on this socket; it must be polled.
    pub fn reject(&mut self, topic: Topic) {
        if self.contains(&topic) {
            self.rejected.insert(topic);
        }
    }

    pub fn is_rejected(&self, topic: &Topic) -> bool {
        self.rejected.contains(topic)
    }

    /// A new socket: refusals of the old one mean nothing.
    pub fn forget_rejections(&mut self) {
        self.rejected.clear();
    }

    pub fn contains(&self, topic: &Topic) -> bool {
        self.watched.contains(topic)
            || self.discovered.contains_key(topic)
            || self.details.contains_key(topic)
    }

    pub fn is_watched(&self, topic: &Topic) -> bool {
        self.watched.contains(topic)
    }

    /// For a found topic, the one through which it was discovered, where that is known.
    pub fn discovered_through(&self, topic: &Topic) -> Option<Option<&Topic>> {
        self.discovered.get(topic).map(Option::as_ref)
    }

    /// What the user watches.
    pub fn watched(&self) -> impl Iterator<Item = &Topic> {
        self.watched.iter()
    }

    /// Everything that is watched, found or looked at.
    pub fn all(&self) -> impl Iterator<Item = &Topic> {
        let details = self.details.keys().filter(|topic| self.is_only_detail(topic));
        self.watched.iter().chain(self.discovered.keys()).chain(details)
    }

    pub fn discovered_len(&self) -> usize {
        self.discovered.len()
    }

    /// The topics that a job belongs to, or may belong to where it does not say. `holds` answers
    /// for a topic of the user, which may name the job in more ways than the job does itself.
    pub fn covering(&self, job: &Job, holds: impl Fn(&Topic) -> bool) -> Vec<Topic> {
        let mut all: Vec<Topic> = job_topics(job).filter(|topic| self.contains(topic)).collect();
        for topic in self.watched.iter().filter(|topic| holds(topic)) {
            if !all.contains(topic) {
                all.push(topic.clone());
            }
        }
        all
    }

    /// Whether there is any such topic.
    pub fn covers(&self, job: &Job, holds: impl Fn(&Topic) -> bool) -> bool {
        self.watched.contains(&Topic::Everything)
            || job_topics(job).any(|topic| self.contains(&topic))
            || self.watched.iter().chain(self.details.keys()).any(holds)
    }

    /// Whether there is any but those that are looked at.
    pub fn covers_for_good(&self, job: &Job, holds: impl Fn(&Topic) -> bool) -> bool {
        let kept =
            |topic: &Topic| self.watched.contains(topic) || self.discovered.contains_key(topic);
        job_topics(job).any(|topic| kept(&topic)) || self.watched.iter().any(holds)
    }

    /// There are more jobs under way than are followed by themselves.
    pub fn is_crowded(&self) -> bool {
        self.crowded
    }
}

/// The topics that a job itself names, which are found without a search.
fn job_topics(job: &Job) -> impl Iterator<Item = Topic> + '_ {
    let own = Some(Topic::Job(job.id.clone()));
    let parent = job.parent.clone().map(Topic::Job);
    let queue = job.queue.clone().map(Topic::Queue);
    let user = job.user.clone().map(Topic::User);
    [own, parent, queue, user, Some(Topic::Everything)].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str) -> Topic {
        Topic::Job(id.into())
    }

    #[test]
    fn what_was_found_goes_with_the_topic_it_was_found_through() {
        let mut topics = Topics::default();
        let queue = Topic::Queue("mail".to_owned());
        topics.watch(queue.clone());
        topics.watch(job("7"));
        assert_eq!(topics.discover(job("1"), Some(queue.clone())), Adding::New);
        assert_eq!(topics.discover(job("2"), Some(job("1"))), Adding::New);
        assert_eq!(topics.discover(job("7"), Some(queue.clone())), Adding::Known);
        assert_eq!(topics.unwatch(&queue), [queue, job("1"), job("2")]);
        assert_eq!(topics.all().cloned().collect::<Vec<_>>(), [job("7")]);
    }

    #[test]
    fn found_topics_are_bounded() {
        let mut topics = Topics::default();
        topics.watch(Topic::Everything);
        for index in 0..MAX_DISCOVERED {
            assert_eq!(topics.discover(job(&index.to_string()), None), Adding::New);
        }
        assert_eq!(topics.discover(job("more"), None), Adding::Full { reported: false });
        assert!(topics.forget_discovered(&job("0")));
        assert_eq!(topics.discover(job("more"), None), Adding::New);
    }

    #[test]
    fn a_crowd_is_reported_once_until_it_has_thinned() {
        let mut topics = Topics::default();
        topics.watch(Topic::Everything);
        let crowd = |topics: &mut Topics| {
            for index in 0..MAX_DISCOVERED {
                topics.discover(job(&index.to_string()), None);
            }
        };
        crowd(&mut topics);
        assert_eq!(topics.discover(job("more"), None), Adding::Full { reported: false });
        topics.forget_discovered(&job("0"));
        crowd(&mut topics);
        assert_eq!(topics.discover(job("more"), None), Adding::Full { reported: true });
        for index in 0..MAX_DISCOVERED / 2 {
            topics.forget_discovered(&job(&index.to_string()));
        }
        crowd(&mut topics);
        assert_eq!(topics.discover(job("more"), None), Adding::Full { reported: false });
    }
}
