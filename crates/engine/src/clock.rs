//! The one place where the engine reads the clocks.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jobwatch_core::time::{Mono, Now};

/// Both clocks, with the start of the engine as the zero of [`Mono`].
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    zero: Instant,
}

impl Clock {
    /// A clock that begins now.
    #[must_use]
    pub fn start() -> Clock {
        Clock { zero: Instant::now() }
    }

    /// The present.
    #[must_use]
    pub fn now(&self) -> Now {
        let mono = u64::try_from(self.zero.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now { mono: Mono(mono), wall: Timestamp::now() }
    }

    /// The runtime's name for a moment, for sleeping until it. At least a millisecond is added,
    /// because [`Mono`] is rounded down: waking a fraction early would spin.
    #[must_use]
    pub fn instant(&self, mono: Mono) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.zero + Duration::from_millis(mono.0.saturating_add(1)))
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
