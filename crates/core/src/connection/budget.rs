//! How many requests a server takes in a minute.

use crate::time::Mono;

/// One request, in the units in which the budget grows every millisecond.
const REQUEST: i64 = 60_000;

/// The requests that may still be made. Three eighths of a minute's requests may be made at once, which
/// is what reading everything takes and a little more, and the rest comes back evenly, so that no minute, wherever
/// the server lets it begin, holds more than the whole, and a burst is followed by a trickle rather
/// than by silence.
#[derive(Debug)]
pub(super) struct Budget {
    /// What may be saved up; `None` where the server does not count.
    most: Option<i64>,
    /// What comes back in a millisecond.
    grows: i64,
    left: i64,
    /// When `left` was true.
    at: Mono,
}

impl Budget {
    pub fn new(requests_per_minute: Option<u32>) -> Budget {
        let all = requests_per_minute.map_or(2, |all| i64::from(all).max(2));
        let at_once = (3 * all / 8).max(1);
        Budget {
            most: requests_per_minute.map(|_| at_once * REQUEST),
            grows: all - at_once,
            left: at_once * REQUEST,
            at: Mono(0),
        }
    }

    /// From when on another request may be made. Routine leaves a quarter of what may be saved up
    /// for what happens.
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
    fn no_minute_holds_more_than_the_budget_and_a_long_one_uses_it() {
        for all in [1, 2, 3, 7, 90, 120] {
            let mut budget = Budget::new(Some(all));
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
        let mut budget = Budget::new(None);
        for _ in 0..10_000 {
            assert_eq!(budget.free_at(true), Mono(0));
            budget.spend(Mono(0));
        }
    }

    #[test]
    fn what_the_user_asks_for_is_paid_for_afterwards_but_not_for_ever() {
        let mut budget = Budget::new(Some(60));
        for _ in 0..1_000 {
            budget.spend(Mono(0));
        }
        assert!(budget.free_at(false) <= Mono(45_000), "{:?}", budget.free_at(false));
    }

    #[test]
    fn routine_leaves_something_for_what_happens() {
        let mut budget = Budget::new(Some(80));
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
