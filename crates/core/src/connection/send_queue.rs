//! What waits to be sent on the socket, and how fast frames may leave.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::dialect::Outgoing;
use crate::model::{JobId, Topic};
use crate::rate_limit::RateLimit;
use crate::time::Mono;

/// The span over which frames are counted.
const SPAN: Duration = Duration::from_secs(1);

/// The pause after the server has asked for fewer frames. After it, frames leave one at a time.
const PAUSE: Duration = Duration::from_secs(2);

/// The time between two frames to a server that has asked for fewer.
const SLOWLY: Duration = Duration::from_millis(1_200);

/// How many requests for the history of logs may wait.
const MAX_HISTORY: usize = 64;

/// How long a request for the history of a log may wait before it is dropped.
const HISTORY_LIFE: Duration = Duration::from_secs(60);

/// The subscriptions of the present socket, and the frames that wait for their turn. It never holds
/// more than twice the topics that are watched: a subscription that was not sent yet is dropped when
/// its topic is given up.
#[derive(Debug)]
pub(super) struct SendQueue {
    /// `None` where the server does not count frames.
    limit: Option<RateLimit>,
    /// Topics whose subscription was sent.
    sent: BTreeSet<Topic>,
    /// Those of them that the server has not confirmed, and since when.
    unconfirmed: BTreeMap<Topic, Mono>,
    /// Set once the server has asked for fewer frames than its policy allows: when it takes another.
    slowed: Option<Mono>,
    /// To be subscribed, or to be given up.
    waiting: VecDeque<(Topic, bool)>,
    /// Jobs whose earlier log lines are to be requested, and since when. They outlive the socket.
    history: VecDeque<(Mono, JobId)>,
}

impl SendQueue {
    pub fn new(frames_per_second: Option<u32>) -> SendQueue {
        let limit = |most| RateLimit::new(usize::try_from(most).unwrap_or(usize::MAX), SPAN);
        SendQueue {
            limit: frames_per_second.map(limit),
            sent: BTreeSet::new(),
            unconfirmed: BTreeMap::new(),
            slowed: None,
            waiting: VecDeque::new(),
            history: VecDeque::new(),
        }
    }

    /// Forgets what was sent on a socket that is closed.
    pub fn reset(&mut self) {
        if let Some(limit) = &mut self.limit {
            limit.clear();
        }
        self.sent.clear();
        self.waiting.clear();
        self.unconfirmed.clear();
        self.slowed = None;
    }

    /// Waits for the server to confirm the subscription that was just sent.
    pub fn await_confirmation(&mut self, topic: Topic, now: Mono) {
        self.unconfirmed.insert(topic, now);
    }

    /// Notes that the server has answered the subscription.
    pub fn confirmed(&mut self, topic: &Topic) {
        self.unconfirmed.remove(topic);
    }

    /// When the oldest unanswered subscription was sent.
    pub fn oldest_unconfirmed(&self) -> Option<Mono> {
        self.unconfirmed.values().min().copied()
    }

    /// Takes the subscriptions that were not answered for `patience`.
    pub fn overdue(&mut self, patience: Duration, now: Mono) -> Vec<Topic> {
        let overdue = |_: &Topic, sent: &mut Mono| now.since(*sent) >= patience;
        self.unconfirmed.extract_if(.., overdue).map(|(topic, _)| topic).collect()
    }

    /// Slows down, since the server takes no more for a moment. Subscriptions that it has not
    /// answered are sent again. Returns whether this is the first time on this socket.
    pub fn slow_down(&mut self, now: Mono) -> bool {
        let first = self.slowed.is_none();
        self.slowed = Some(now.after(PAUSE));
        for topic in std::mem::take(&mut self.unconfirmed).into_keys() {
            self.sent.remove(&topic);
            self.watch(topic);
        }
        first
    }

    /// Queues the subscription to a topic.
    pub fn watch(&mut self, topic: Topic) {
        if !self.take_back(&topic, false) && !self.sent.contains(&topic) && !self.waits(&topic) {
            self.waiting.push_back((topic, true));
        }
    }

    /// Queues the end of a subscription.
    pub fn unwatch(&mut self, topic: Topic) {
        if !self.take_back(&topic, true) && self.sent.contains(&topic) && !self.waits(&topic) {
            self.waiting.push_back((topic, false));
        }
    }

    /// Queues a request for the earlier lines of a job's log, unless it waits already or too many do.
    pub fn request_history(&mut self, job: JobId, now: Mono) {
        self.drop_old_history(now);
        let known = self.history.iter().any(|(_, waiting)| *waiting == job);
        if !known && self.history.len() < MAX_HISTORY {
            self.history.push_back((now, job));
        }
    }

    fn drop_old_history(&mut self, now: Mono) {
        while self.history.front().is_some_and(|(since, _)| now.since(*since) >= HISTORY_LIFE) {
            self.history.pop_front();
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

    /// Takes what is to be sent next. Ask [`SendQueue::is_free`] first.
    pub fn next(&mut self, now: Mono) -> Option<Outgoing> {
        match self.waiting.pop_front() {
            Some((topic, true)) => {
                self.sent.insert(topic.clone());
                Some(Outgoing::Watch(topic))
            }
            Some((topic, false)) => {
                self.sent.remove(&topic);
                self.unconfirmed.remove(&topic);
                Some(Outgoing::Unwatch(topic))
            }
            None => {
                self.drop_old_history(now);
                self.history.pop_front().map(|(_, job)| Outgoing::History(job))
            }
        }
    }

    /// Counts frames that have left.
    pub fn count(&mut self, frames: usize, now: Mono) {
        if let Some(slowed) = &mut self.slowed {
            let slowly = SLOWLY * u32::try_from(frames).unwrap_or(u32::MAX);
            *slowed = (*slowed).max(now).after(slowly);
        }
        if let Some(limit) = &mut self.limit {
            (0..frames).for_each(|_| limit.count(now));
        }
    }

    /// Whether another frame may leave.
    pub fn is_free(&self, now: Mono) -> bool {
        self.free_at() <= now
    }

    /// From when on another frame may leave.
    pub fn free_at(&self) -> Mono {
        let counted = self.limit.as_ref().map_or(Mono(0), RateLimit::free_at);
        counted.max(self.slowed.unwrap_or_default())
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.history.is_empty()
    }

    /// Subscriptions, and ends of such, that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Requests for the history of logs that wait.
    pub fn history_len(&self) -> usize {
        self.history.len()
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
        let mut queue = SendQueue::new(Some(20));
        (0..100).for_each(|index| queue.watch(job(index)));
        let mut left = Vec::new();
        let mut now = Mono(0);
        while !queue.is_empty() {
            now = now.max(queue.free_at());
            // The answer to a ping waits for nothing, and counts.
            if left.len() % 30 == 7 {
                queue.count(1, now);
                left.push(now);
            }
            while queue.is_free(now) && queue.next(now).is_some() {
                queue.count(1, now);
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
    fn a_subscription_that_was_not_sent_is_taken_back() {
        let mut queue = SendQueue::new(Some(1));
        let now = Mono(0);
        queue.watch(job(1));
        assert_eq!(queue.next(now), Some(Outgoing::Watch(job(1))));
        queue.watch(job(2));
        queue.unwatch(job(2));
        queue.unwatch(job(1));
        queue.watch(job(1));
        queue.watch(job(1));
        assert_eq!(queue.next(now), None);
        queue.unwatch(job(3));
        assert_eq!(queue.next(now), None);
        queue.unwatch(job(1));
        assert_eq!(queue.next(now), Some(Outgoing::Unwatch(job(1))));
    }

    #[test]
    fn requests_for_history_are_bounded_and_each_waits_once() {
        let mut queue = SendQueue::new(None);
        for index in 0..2 * MAX_HISTORY {
            queue.request_history((index / 2).to_string().into(), Mono(0));
        }
        assert_eq!(queue.history_len(), MAX_HISTORY);
        queue.request_history("more".into(), Mono(0));
        assert_eq!(queue.history_len(), MAX_HISTORY);
    }

    #[test]
    fn a_request_for_history_that_waited_a_minute_is_dropped() {
        let mut queue = SendQueue::new(None);
        queue.request_history("old".into(), Mono(0));
        queue.request_history("new".into(), Mono(30_000));
        assert_eq!(queue.next(Mono(60_000)), Some(Outgoing::History("new".into())));
        assert!(queue.is_empty());
    }
}
