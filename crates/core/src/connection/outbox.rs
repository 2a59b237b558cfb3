//! What waits to be said on the socket.

use std::collections::VecDeque;
use std::time::Duration;

use crate::dialect::Outgoing;
use crate::time::Mono;

/// How much may wait.
pub(super) const CAPACITY: usize = 64;

/// How long it may wait before it is not worth saying any more.
pub(super) const LIFE: Duration = Duration::from_secs(60);

/// Why something may not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The same is waiting already.
    Duplicate,
    /// [`CAPACITY`] others are waiting.
    Full,
}

/// A bounded queue. Topics are not in it: they are state.
#[derive(Debug, Default)]
pub(super) struct Outbox(VecDeque<(Mono, Outgoing)>);

impl Outbox {
    pub fn push(&mut self, out: Outgoing, now: Mono) -> Result<(), Refusal> {
        self.expire(now);
        if self.0.iter().any(|(_, waiting)| *waiting == out) {
            return Err(Refusal::Duplicate);
        }
        if self.0.len() >= CAPACITY {
            return Err(Refusal::Full);
        }
        self.0.push_back((now, out));
        Ok(())
    }

    /// The first that is still worth saying.
    pub fn pop(&mut self, now: Mono) -> Option<Outgoing> {
        self.expire(now);
        self.0.pop_front().map(|(_, out)| out)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn expire(&mut self, now: Mono) {
        while self.0.front().is_some_and(|(since, _)| now.since(*since) >= LIFE) {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(text: impl ToString) -> Outgoing {
        Outgoing::Send(text.to_string())
    }

    #[test]
    fn the_outbox_is_bounded_and_refuses_exact_duplicates() {
        let mut outbox = Outbox::default();
        for index in 0..CAPACITY {
            assert_eq!(outbox.push(say(index), Mono(0)), Ok(()));
        }
        assert_eq!(outbox.push(say(0), Mono(0)), Err(Refusal::Duplicate));
        assert_eq!(outbox.push(say("more"), Mono(0)), Err(Refusal::Full));
        assert_eq!(outbox.len(), CAPACITY);
    }

    #[test]
    fn what_waited_a_minute_is_not_said_any_more() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.push(say("old"), Mono(0)), Ok(()));
        assert_eq!(outbox.push(say("new"), Mono(30_000)), Ok(()));
        assert_eq!(outbox.pop(Mono(60_000)), Some(say("new")));
        assert_eq!(outbox.len(), 0);
    }
}
