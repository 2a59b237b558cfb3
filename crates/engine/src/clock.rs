//! The one place where the engine reads the clocks.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use jobwatch_core::time::{Mono, Now};
use tokio::sync::watch;

/// Both clocks, with the start of the engine as the zero of [`Mono`]: those of the machine, which a
/// [`Hand`] may put forward.
#[derive(Clone, Debug)]
pub struct Clock {
    zero: Instant,
    /// How far it was put forward; `None` without a hand.
    ahead: Option<watch::Receiver<Duration>>,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock { zero: Instant::now(), ahead: None }
    }
}

/// Puts a clock forward, so that tests need not wait.
#[derive(Debug)]
pub struct Hand(watch::Sender<Duration>);

impl Hand {
    /// Lets so much time pass at once, on both clocks. The engine then looks at what is due, as it
    /// does once a second by itself; ten seconds or more are to it as if the machine had slept.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|ahead| *ahead += by);
    }
}

impl Clock {
    /// A clock that begins now, and what puts it forward.
    #[must_use]
    pub fn by_hand() -> (Clock, Hand) {
        let (hand, ahead) = watch::channel(Duration::ZERO);
        (Clock { ahead: Some(ahead), ..Clock::default() }, Hand(hand))
    }

    fn ahead(&self) -> Duration {
        self.ahead.as_ref().map(|ahead| *ahead.borrow()).unwrap_or_default()
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Now {
        let ahead = self.ahead();
        let mono = (self.zero.elapsed() + ahead).as_millis();
        let mono = Mono(u64::try_from(mono).unwrap_or(u64::MAX));
        let ahead = SignedDuration::try_from(ahead).unwrap_or(SignedDuration::MAX);
        let wall = Timestamp::now();
        Now { mono, wall: wall.checked_add(ahead).unwrap_or(wall) }
    }

    /// The runtime's name for a moment, for sleeping until it. At least a millisecond is added,
    /// because [`Mono`] is rounded down: waking a fraction early would spin.
    #[must_use]
    pub fn instant(&self, mono: Mono) -> tokio::time::Instant {
        let from_zero = Duration::from_millis(mono.0.saturating_add(1));
        tokio::time::Instant::from_std(self.zero + from_zero.saturating_sub(self.ahead()))
    }

    /// Waits until it is put forward; for ever where nobody does that.
    pub async fn put_forward(&mut self) {
        let put = match &mut self.ahead {
            Some(ahead) => ahead.changed().await.is_ok(),
            None => false,
        };
        if !put {
            std::future::pending::<()>().await;
        }
    }
}

/// Notices that the machine slept: the wall clock ran on while the other stood still.
#[derive(Debug)]
pub struct SleepWatch {
    last: Now,
}

/// The wall clock must run ahead by this much before it counts as sleep and not as a correction.
const SLEPT: Duration = Duration::from_secs(5);

impl SleepWatch {
    /// Begins to watch.
    #[must_use]
    pub fn new(now: Now) -> SleepWatch {
        SleepWatch { last: now }
    }

    /// Whether the machine slept since the last call. To be called about once a second: where the
    /// monotonic clock counts sleep too, a long gap between calls tells the same.
    pub fn slept(&mut self, now: Now) -> bool {
        let last = std::mem::replace(&mut self.last, now);
        let mono = now.mono.since(last.mono);
        let wall = now.wall.duration_since(last.wall);
        let wall = Duration::try_from(wall).unwrap_or(Duration::ZERO);
        wall.saturating_sub(mono) >= SLEPT || mono >= SLEPT * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_s: u64, wall_s: i64) -> Now {
        let wall = Timestamp::from_second(1_700_000_000 + wall_s).unwrap();
        Now { mono: Mono(mono_s * 1000), wall }
    }

    #[test]
    fn a_hand_puts_both_clocks_forward_and_what_is_due_then_is_due_now() {
        let (clock, hand) = Clock::by_hand();
        let before = clock.now();
        let due = before.mono.after(Duration::from_secs(60));
        assert!(clock.instant(due) > tokio::time::Instant::now());
        hand.advance(Duration::from_secs(60));
        let after = clock.now();
        assert!(after.mono >= due && after.wall >= before.wall + SignedDuration::from_secs(60));
        assert!(clock.instant(due) <= tokio::time::Instant::now() + Duration::from_millis(1));
    }

    #[test]
    fn a_jump_of_the_wall_clock_against_the_other_is_sleep() {
        let mut watch = SleepWatch::new(at(0, 0));
        assert!(!watch.slept(at(1, 1)));
        assert!(watch.slept(at(2, 3600)));
        assert!(!watch.slept(at(3, 3601)));
    }

    #[test]
    fn a_clock_that_goes_backwards_is_not_sleep() {
        let mut watch = SleepWatch::new(at(0, 0));
        assert!(!watch.slept(at(1, -86_400)));
        assert!(!watch.slept(at(2, -86_399)));
    }
}
