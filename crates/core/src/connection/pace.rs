//! How fast frames leave, and which subscriptions wait for their turn.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::model::Topic;
use crate::time::Mono;

/// The span over which frames are counted.
const SPAN: Duration = Duration::from_secs(1);

/// After a server has said that it takes less: no frame for this long, then one at a time.
const RELIEF: Duration = Duration::from_secs(2);

/// Between two frames to a server that has said so.
const SLOWLY: Duration = Duration::from_millis(1_200);

/// What has been said of the topics on the present socket, and what waits to be said. It never holds
/// more than twice the topics that are watched: what was not said yet is taken back unsaid.
#[derive(Debug)]
pub(super) struct Pace {
    /// Frames that may leave within [`SPAN`]; `None` where the server does not count.
    most: Option<usize>,
    /// When the last of them left.
    left: VecDeque<Mono>,
    said: BTreeSet<Topic>,
    /// Those of them that the server has not confirmed, and since when.
    unconfirmed: BTreeMap<Topic, Mono>,
    /// The server takes less than its policy says: from then on it takes another frame.
    limited: Option<Mono>,
    /// To be watched, or to be given up.
    waiting: VecDeque<(Topic, bool)>,
}

impl Pace {
    pub fn new(frames_per_second: Option<u32>) -> Pace {
        Pace {
            most: frames_per_second.map(|most| usize::try_from(most).unwrap_or(usize::MAX).max(1)),
            left: VecDeque::new(),
            said: BTreeSet::new(),
            unconfirmed: BTreeMap::new(),
            limited: None,
            waiting: VecDeque::new(),
        }
    }

    /// The socket is over: nothing has been said on the next one.
    pub fn reset(&mut self) {
        self.left.clear();
        self.said.clear();
        self.waiting.clear();
        self.unconfirmed.clear();
        self.limited = None;
    }

    /// The subscription to a topic has just been said, and is to be confirmed.
    pub fn await_confirmation(&mut self, topic: Topic, now: Mono) {
        self.unconfirmed.insert(topic, now);
    }

    /// The server has answered the subscription.
    pub fn confirmed(&mut self, topic: &Topic) {
        self.unconfirmed.remove(topic);
    }

    /// When the oldest unanswered subscription was said.
    pub fn oldest_unconfirmed(&self) -> Option<Mono> {
        self.unconfirmed.values().min().copied()
    }

    /// Takes those that were not answered for `patience`.
    pub fn overdue(&mut self, patience: Duration, now: Mono) -> Vec<Topic> {
        let overdue: Vec<Topic> = self
            .unconfirmed
            .iter()
            .filter(|(_, said)| now.since(**said) >= patience)
            .map(|(topic, _)| topic.clone())
            .collect();
        for topic in &overdue {
            self.unconfirmed.remove(topic);
        }
        overdue
    }

    /// The server takes no more for a moment. What it has not answered was not heard: it is said
    /// again, slowly. Answers whether it had taken everything so far.
    pub fn limit(&mut self, now: Mono) -> bool {
        let first = self.limited.is_none();
        self.limited = Some(now.after(RELIEF));
        for topic in std::mem::take(&mut self.unconfirmed).into_keys() {
            self.said.remove(&topic);
            self.watch(topic);
        }
        first
    }

    /// A topic is to be watched on this socket.
    pub fn watch(&mut self, topic: Topic) {
        if !self.take_back(&topic, false) && !self.said.contains(&topic) && !self.waits(&topic) {
            self.waiting.push_back((topic, true));
        }
    }

    /// A topic is given up.
    pub fn unwatch(&mut self, topic: Topic) {
        if !self.take_back(&topic, true) && self.said.contains(&topic) && !self.waits(&topic) {
            self.waiting.push_back((topic, false));
        }
    }

    fn waits(&self, topic: &Topic) -> bool {
        self.waiting.iter().any(|(waiting, _)| waiting == topic)
    }

    fn take_back(&mut self, topic: &Topic, watch: bool) -> bool {
        let same = |(waiting, begin): &(Topic, bool)| *begin == watch && waiting == topic;
        let index = self.waiting.iter().position(same);
        index.and_then(|index| self.waiting.remove(index)).is_some()
    }

    /// The topic whose turn it is, and whether it is to be watched. Ask [`Pace::free`] first.
    pub fn next(&mut self) -> Option<(Topic, bool)> {
        let (topic, begin) = self.waiting.pop_front()?;
        if begin {
            self.said.insert(topic.clone());
        } else {
            self.said.remove(&topic);
            self.unconfirmed.remove(&topic);
        }
        Some((topic, begin))
    }

    /// Frames have left.
    pub fn count(&mut self, frames: usize, now: Mono) {
        if let Some(limited) = &mut self.limited {
            let slowly = SLOWLY * u32::try_from(frames).unwrap_or(u32::MAX);
            *limited = (*limited).max(now).after(slowly);
        }
        let Some(most) = self.most else { return };
        for _ in 0..frames.min(most) {
            if self.left.len() == most {
                self.left.pop_front();
            }
            self.left.push_back(now);
        }
    }

    /// Whether another frame may leave.
    pub fn free(&self, now: Mono) -> bool {
        self.free_at() <= now
    }

    /// From when on another frame may leave.
    pub fn free_at(&self) -> Mono {
        let counted = match (self.most, self.left.front()) {
            (Some(most), Some(first)) if self.left.len() == most => first.after(SPAN),
            _ => Mono(0),
        };
        counted.max(self.limited.unwrap_or_default())
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(index: usize) -> Topic {
        Topic::Job(index.to_string().into())
    }

    #[test]
    fn no_second_holds_more_frames_than_the_server_takes() {
        let mut pace = Pace::new(Some(20));
        (0..100).for_each(|index| pace.watch(job(index)));
        let mut left = Vec::new();
        let mut now = Mono(0);
        while !pace.is_idle() {
            now = now.max(pace.free_at());
            // The answer to a ping waits for nothing, and counts.
            if left.len() % 30 == 7 {
                pace.count(1, now);
                left.push(now);
            }
            while pace.free(now) && pace.next().is_some() {
                pace.count(1, now);
                left.push(now);
            }
        }
        for (index, first) in left.iter().enumerate() {
            let within = left[index..].iter().take_while(|at| at.since(*first) < SPAN).count();
            assert!(within <= 21, "{within} frames within a second");
        }
        assert!(now <= Mono(6_000), "{now:?}");
    }

    #[test]
    fn what_was_not_said_is_taken_back_unsaid() {
        let mut pace = Pace::new(Some(1));
        pace.watch(job(1));
        assert_eq!(pace.next(), Some((job(1), true)));
        pace.watch(job(2));
        pace.unwatch(job(2));
        pace.unwatch(job(1));
        pace.watch(job(1));
        pace.watch(job(1));
        assert_eq!(pace.next(), None);
        pace.unwatch(job(3));
        assert_eq!(pace.next(), None);
        pace.unwatch(job(1));
        assert_eq!(pace.next(), Some((job(1), false)));
    }
}
