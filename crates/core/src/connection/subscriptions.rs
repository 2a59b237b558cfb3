//! What is said about topics on the present socket, and whether the server has answered it.

use std::time::Duration;

use super::http::topic_state::Class;
use super::topics::{self, Adding};
use super::{Output, Supervisor, Timer};
use crate::dialect::Outgoing;
use crate::model::{Topic, UNCONFIRMED};
use crate::time::Now;

/// A server that confirms subscriptions does so within this.
const CONFIRMATION: Duration = Duration::from_secs(10);

/// Whether a server that refuses a subscription with these words takes it later.
fn asks_for_less(words: &str) -> bool {
    let words = words.to_lowercase();
    ["rate limit", "rate_limit", "too many", "throttl", "slow down"]
        .iter()
        .any(|sign| words.contains(sign))
}

impl Supervisor {
    pub(super) fn watch(&mut self, topic: Topic, now: Now) {
        if let Some(reason) = self.dialect.why_unsupported(&topic) {
            self.report_not_watchable(Some(&topic), &reason);
        }
        self.topics.watch(topic.clone());
        if let Topic::Job(id) = &topic {
            self.jobs.pin(id, true);
        }
        self.polling.add(&topic);
        self.polling.renew(&topic, now.mono);
        self.set_baseline();
        self.moving = None;
        self.active_at = Some(now.mono);
        self.unrelated.clear();
        self.polling.schedule(&topic, Class::Urgent, now.mono);
        self.subscribe(topic, now);
    }

    pub(super) fn unwatch(&mut self, topic: &Topic, now: Now) {
        // Watched again, it is listed for the first time.
        self.listed_before.remove(topic);
        for topic in self.topics.unwatch(topic) {
            if !self.topics.contains(&topic) {
                self.drop_topic(topic, now);
            }
        }
        self.set_baseline();
        self.moving = None;
    }

    /// A topic is not watched any more, neither by the user nor as found.
    pub(super) fn drop_topic(&mut self, topic: Topic, now: Now) {
        if let Topic::Job(id) = &topic {
            self.jobs.pin(id, false);
        }
        self.key.forget_topic(&topic);
        self.cut.remove(&topic);
        self.out.extend(self.polling.remove(&topic).into_iter().map(Output::Abandon));
        self.forget_unasked();
        self.send_queue.confirmed(&topic);
        self.send_queue.unwatch(topic);
        self.send_waiting(now);
    }

    pub(super) fn discover(&mut self, topic: Topic, parent: Option<Topic>, now: Now) {
        if let Topic::Job(id) = &topic
            && self.all_ended(id)
        {
            return;
        }
        let whole = self.dialect.list_is_complete();
        let list = parent.clone().filter(|list| whole && !matches!(list, Topic::Job(_)));
        match self.topics.discover(topic.clone(), parent) {
            Adding::Known => {}
            Adding::Full { reported: true } => {}
            Adding::Full { reported: false } => self.diagnose(
                "too-many-topics",
                format!(
                    "More than {} jobs are under way; {topic} is not followed on its own.",
                    topics::MAX_DISCOVERED
                ),
            ),
            Adding::New => {
                self.polling.add(&topic);
                match list {
                    Some(list) => self.discovered_in_list(&topic, &list, now),
                    None => self.polling.schedule_routine(&topic, now.mono),
                }
                self.subscribe(topic, now);
            }
        }
    }

    pub(super) fn not_watchable(&mut self, topic: Option<Topic>, reason: &str, now: Now) {
        self.report_not_watchable(topic.as_ref(), reason);
        if let Some(topic) = topic {
            // HTTP may still show it.
            self.polling.schedule(&topic, Class::Urgent, now.mono);
            self.topics.reject(topic);
        }
    }

    /// The API does not show a job to whoever asks. There is no other way to ask it.
    pub(super) fn denied(&mut self, topic: Topic, reason: &str) {
        let known = self.polling.topic(&topic).is_some_and(|known| known.denied);
        if !known {
            self.report_not_watchable(Some(&topic), reason);
        }
        let reason = self.clean(reason);
        if let Some(cycle) = self.polling.cycle(&topic) {
            cycle.denied = Some(reason);
        }
        self.topics.reject(topic);
    }

    pub(super) fn report_not_watchable(&mut self, topic: Option<&Topic>, reason: &str) {
        let text = match topic {
            Some(topic) => format!("The server does not let us watch {topic}: {reason}"),
            None => format!("The server does not let us watch something: {reason}"),
        };
        let text = self.clean(&text);
        self.diagnose("refused-subscription", text);
    }

    /// Watches a topic on the present socket, if there is one.
    pub(super) fn subscribe(&mut self, topic: Topic, now: Now) {
        if self.live().is_some() {
            self.send_queue.watch(topic);
            self.send_waiting(now);
        }
    }

    /// Says what waits to be said, as fast as the server takes it.
    pub(super) fn send_waiting(&mut self, now: Now) {
        let Some(socket) = self.live() else { return };
        while self.send_queue.is_free(now.mono)
            && let Some(outgoing) = self.send_queue.next(now.mono)
        {
            let frames = self.encode(socket, &outgoing, now);
            if let Outgoing::Watch(topic) = outgoing
                && frames > 0
                && self.dialect.confirms_subscriptions()
            {
                self.send_queue.await_confirmation(topic, now.mono);
                self.expect_confirmation();
            }
        }
        if self.send_queue.is_empty() {
            self.timers.clear(Timer::Send);
        } else {
            self.timers.set(Timer::Send, self.send_queue.free_at());
        }
    }

    /// The server rejected a subscription: for good, or until it takes more frames again.
    pub(super) fn subscription_rejected(&mut self, topic: Option<Topic>, reason: String, now: Now) {
        if asks_for_less(&reason) {
            // It is among those that are sent again.
            if let Some(topic) = topic {
                self.send_queue.await_confirmation(topic, now.mono);
            }
            self.rate_limited(&reason, now);
            return;
        }
        if let Some(topic) = &topic {
            self.send_queue.confirmed(topic);
        }
        self.not_watchable(topic, &reason, now);
    }

    pub(super) fn expect_confirmation(&mut self) {
        match self.send_queue.oldest_unconfirmed() {
            Some(said) => self.timers.set(Timer::Confirmation, said.after(CONFIRMATION)),
            None => self.timers.clear(Timer::Confirmation),
        }
    }

    /// Says which subscriptions the server has not answered.
    pub(super) fn report_unconfirmed(&mut self, now: Now) {
        for topic in self.send_queue.overdue(CONFIRMATION, now.mono) {
            let text = format!(
                "The server has not confirmed the subscription to {topic} within {} s.",
                CONFIRMATION.as_secs()
            );
            let text = self.clean(&text);
            self.diagnose(UNCONFIRMED, text);
        }
        self.expect_confirmation();
    }

    /// The server takes no more frames for a moment.
    pub(super) fn rate_limited(&mut self, words: &str, now: Now) {
        if self.send_queue.slow_down(now.mono) {
            let words = words.trim().trim_end_matches('.');
            let text = format!(
                "The server takes fewer frames: {words}. Subscriptions it did not answer are \
                 repeated, one at a time."
            );
            let text = self.clean(&text);
            self.diagnose("limited", text);
        }
        self.expect_confirmation();
        self.send_waiting(now);
    }
}
