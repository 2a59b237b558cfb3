//! How fast frames leave, and which subscriptions wait for their turn.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::model::Topic;
use crate::time::Mono;

/// The span over which frames are counted.
const SPAN: Duration = Duration::from_secs(1);

/// What has been said of the topics on the present link, and what waits to be said. It never holds
/// more than twice the topics that are watched: what was not said yet is taken back unsaid.
#[derive(Debug)]
pub(super) struct Pace {
    /// Frames that may leave within [`SPAN`]; `None` where the server does not count.
    most: Option<usize>,
    /// When the last of them left.
    left: VecDeque<Mono>,
    said: BTreeSet<Topic>,
    /// To be watched, or to be given up.
    waiting: VecDeque<(Topic, bool)>,
}

impl Pace {
    pub fn new(frames_per_second: Option<u32>) -> Pace {
        Pace {
            most: frames_per_second.map(|most| usize::try_from(most).unwrap_or(usize::MAX).max(1)),
            left: VecDeque::new(),
            said: BTreeSet::new(),
            waiting: VecDeque::new(),
        }
    }

    /// The link is over: nothing has been said on the next one.
    pub fn reset(&mut self) {
        self.left.clear();
        self.said.clear();
        self.waiting.clear();
    }

    /// A topic is to be watched on this link.
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
        }
        Some((topic, begin))
    }

    /// Frames have left.
    pub fn count(&mut self, frames: usize, now: Mono) {
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
        match (self.most, self.left.front()) {
            (Some(most), Some(first)) if self.left.len() == most => first.after(SPAN),
            _ => Mono(0),
        }
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
