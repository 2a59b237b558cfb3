//! How often something may happen: so many times in a span, or by a budget that fills up again.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Mono;

/// Allows so many events in any span of a fixed length.
#[derive(Clone, Debug)]
pub struct RateLimit {
    most: usize,
    span: Duration,
    /// When the last of them happened, at most `most`.
    recent: VecDeque<Mono>,
}

impl RateLimit {
    /// At most `most` events, one at least, in any `span`.
    #[must_use]
    pub fn new(most: usize, span: Duration) -> RateLimit {
        RateLimit { most: most.max(1), span, recent: VecDeque::new() }
    }

    /// From when on another event is allowed.
    #[must_use]
    pub fn free_at(&self) -> Mono {
        match self.recent.front() {
            Some(first) if self.recent.len() == self.most => first.after(self.span),
            _ => Mono(0),
        }
    }

    /// How many events are allowed now.
    pub fn left(&mut self, now: Mono) -> usize {
        while self.recent.front().is_some_and(|at| now.since(*at) >= self.span) {
            self.recent.pop_front();
        }
        self.left_at_least()
    }

    /// How many events are allowed in any case: those of which [`RateLimit::left`] has not noticed
    /// yet that their span is over still count.
    #[must_use]
    pub fn left_at_least(&self) -> usize {
        self.most - self.recent.len()
    }

    /// Counts an event, whether it was allowed or not.
    pub fn count(&mut self, now: Mono) {
        if self.recent.len() == self.most {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
    }

    /// Counts an event if it is allowed, and returns whether it is.
    pub fn admits(&mut self, now: Mono) -> bool {
        let free = self.free_at() <= now;
        if free {
            self.count(now);
        }
        free
    }

    /// Forgets all events.
    pub fn clear(&mut self) {
        self.recent.clear();
    }
}

/// One request, in the units in which the budget grows every millisecond.
const REQUEST: i64 = 60_000;

/// The requests that a server still takes. Three eighths of a minute's requests may be made at once,
/// which is what reading everything takes and a little more. The rest comes back evenly, so that no
/// minute, wherever the server lets it begin, holds more than the whole, and a burst is followed by a
/// trickle rather than by silence.
#[derive(Debug)]
pub struct RequestBudget {
    /// What may be saved up; `None` where the server does not count.
    most: Option<i64>,
    /// What comes back in a millisecond.
    grows: i64,
    left: i64,
    /// When `left` was true.
    at: Mono,
}

impl RequestBudget {
    /// A full budget of so many requests a minute; `None` where the server does not count.
    #[must_use]
    pub fn new(requests_per_minute: Option<u32>) -> RequestBudget {
        let all = requests_per_minute.map_or(2, |all| i64::from(all).max(2));
        let at_once = (3 * all / 8).max(1);
        RequestBudget {
            most: requests_per_minute.map(|_| at_once * REQUEST),
            grows: all - at_once,
            left: at_once * REQUEST,
            at: Mono(0),
        }
    }

    /// From when on another request may be made. Routine leaves a quarter of what may be saved up
    /// for what happens.
    #[must_use]
    pub fn free_at(&self, routine: bool) -> Mono {
        let Some(most) = self.most else { return Mono(0) };
        let kept = if routine { (most / 4 / REQUEST) * REQUEST } else { 0 };
        let lacks = REQUEST + kept - self.left;
        if lacks <= 0 {
            return Mono(0);
        }
        // Positive, and `grows` is at least 1.
        let wait = (lacks + self.grows - 1) / self.grows;
        Mono(self.at.0.saturating_add(u64::try_from(wait).unwrap_or(u64::MAX)))
    }

    /// A request is made. What the user asks for is made whether the budget is used up or not, and
    /// paid for afterwards.
    pub fn spend(&mut self, now: Mono) {
        let Some(most) = self.most else { return };
        let passed = i64::try_from(now.0.saturating_sub(self.at.0)).unwrap_or(i64::MAX);
        let grown = self.left.saturating_add(passed.saturating_mul(self.grows)).min(most);
        self.left = (grown - REQUEST).max(-most);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_span_holds_more_than_the_limit_and_what_is_counted_beyond_it_is_waited_for() {
        let mut limit = RateLimit::new(3, Duration::from_secs(1));
        assert_eq!((0..10).filter(|at| limit.admits(Mono(at * 100))).count(), 3);
        assert_eq!(limit.free_at(), Mono(1_000));
        assert_eq!((limit.left(Mono(999)), limit.left(Mono(1_100))), (0, 2));
        for at in [1_100, 1_100, 1_150] {
            limit.count(Mono(at));
        }
        assert_eq!(limit.free_at(), Mono(2_100));
        limit.clear();
        assert!(limit.admits(Mono(0)));
    }

    #[test]
    fn no_minute_holds_more_than_the_budget_and_a_long_one_uses_it() {
        for all in [1, 2, 3, 7, 90, 120] {
            let mut budget = RequestBudget::new(Some(all));
            let mut made = Vec::new();
            let mut now = Mono(500);
            while now.0 < 600_000 {
                while budget.free_at(false) <= now {
                    budget.spend(now);
                    made.push(now.0);
                }
                // In steps, as the machine is woken, and once after a long rest.
                now = if made.len() == 50 { Mono(now.0 + 90_000) } else { budget.free_at(false) };
            }
            let most = all.max(2) as usize;
            for (index, first) in made.iter().enumerate() {
                let within = made[index..].iter().take_while(|at| **at < first + 60_000).count();
                assert!(within <= most, "{within} of {all} requests within a minute");
            }
            assert!(made.len() >= most * 5, "{} of {all}", made.len());
        }
    }

    #[test]
    fn without_a_number_nothing_is_counted() {
        let mut budget = RequestBudget::new(None);
        for _ in 0..10_000 {
            assert_eq!(budget.free_at(true), Mono(0));
            budget.spend(Mono(0));
        }
    }

    #[test]
    fn what_the_user_asks_for_is_paid_for_afterwards_but_not_for_ever() {
        let mut budget = RequestBudget::new(Some(60));
        for _ in 0..1_000 {
            budget.spend(Mono(0));
        }
        assert!(budget.free_at(false) <= Mono(45_000), "{:?}", budget.free_at(false));
    }

    #[test]
    fn routine_leaves_something_for_what_happens() {
        let mut budget = RequestBudget::new(Some(80));
        while budget.free_at(true) == Mono(0) {
            budget.spend(Mono(0));
        }
        let mut left = 0;
        while budget.free_at(false) == Mono(0) {
            budget.spend(Mono(0));
            left += 1;
        }
        assert_eq!(left, 7);
    }
}
