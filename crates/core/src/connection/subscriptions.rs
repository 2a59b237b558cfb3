//! What is said about topics on the present socket, and whether the server has answered it.

use std::time::Duration;

use super::{Supervisor, Timer};
use crate::dialect::Outgoing;
use crate::model::{Topic, UNCONFIRMED};
use crate::time::Now;

/// A server that confirms subscriptions does so within this.
const CONFIRMATION: Duration = Duration::from_secs(10);

/// Whether a server that refuses a subscription with these words takes it later.
pub(super) fn asks_for_less(words: &str) -> bool {
    let words = words.to_lowercase();
    ["rate limit", "rate_limit", "too many", "throttl", "slow down"]
        .iter()
        .any(|sign| words.contains(sign))
}

impl Supervisor {
    /// Watches a topic on the present socket, if there is one.
    pub(super) fn subscribe(&mut self, topic: Topic, now: Now) {
        if self.live().is_some() {
            self.pace.watch(topic);
            self.speak(now);
        }
    }

    /// Says what waits to be said, as fast as the server takes it.
    pub(super) fn speak(&mut self, now: Now) {
        let Some(socket) = self.live() else { return };
        while self.pace.free(now.mono) {
            let outgoing = match self.pace.next() {
                Some((topic, true)) => {
                    let said = self.encode(socket, &Outgoing::Watch(topic.clone()), now);
                    if said > 0 && self.dialect.confirms_subscriptions() {
                        self.pace.await_confirmation(topic, now.mono);
                        self.expect_confirmation();
                    }
                    continue;
                }
                Some((topic, false)) => Outgoing::Unwatch(topic),
                None => match self.outbox.pop(now.mono) {
                    Some(outgoing) => outgoing,
                    None => break,
                },
            };
            self.encode(socket, &outgoing, now);
        }
        if self.pace.is_idle() && self.outbox.len() == 0 {
            self.timers.clear(Timer::Pace);
        } else {
            self.timers.set(Timer::Pace, self.pace.free_at());
        }
    }

    pub(super) fn expect_confirmation(&mut self) {
        match self.pace.oldest_unconfirmed() {
            Some(said) => self.timers.set(Timer::Confirmation, said.after(CONFIRMATION)),
            None => self.timers.clear(Timer::Confirmation),
        }
    }

    /// Says which subscriptions the server has not answered.
    pub(super) fn miss_confirmations(&mut self, now: Now) {
        for topic in self.pace.overdue(CONFIRMATION, now.mono) {
            let text = format!(
                "The server has not confirmed the subscription to {topic} within {} s.",
                CONFIRMATION.as_secs()
            );
            let text = self.clean(&text);
            self.odd(UNCONFIRMED, text);
        }
        self.expect_confirmation();
    }

    /// The server takes no more frames for a moment.
    pub(super) fn limited(&mut self, words: &str, now: Now) {
        if self.pace.limit(now.mono) {
            let words = words.trim().trim_end_matches('.');
            let text = format!(
                "The server takes fewer frames: {words}. Subscriptions it did not answer are \
                 repeated, one at a time."
            );
            let text = self.clean(&text);
            self.odd("limited", text);
        }
        self.expect_confirmation();
        self.speak(now);
    }
}
