//! From when on what is first seen ended is news, by which clock.
//!
//! Servers name moments by clocks of their own, which lie behind or ahead of ours, and some name
//! them in their own zone without saying so. What their answers are dated with tells the first; the
//! times that a list bore before tell both.

use jiff::{SignedDuration, Timestamp};

use super::Supervisor;
use crate::rate_limit::RateLimit;
use crate::time::Now;

/// Answers whose date is remembered. A stored answer bears an older date than the clock shows.
const DATES: usize = 4;

/// Clocks that differ by less are not told apart: a date has no fractions, and takes its way.
const SAME_CLOCK: SignedDuration = SignedDuration::from_secs(5);

/// Zones differ by multiples of this.
const ZONE_STEP_SECS: i64 = 900;

/// How far from such a multiple a time may lie that is taken for one of another zone: it lies as far
/// back as the server is slow to list it.
const ZONE_SLACK_SECS: i64 = 90;

/// Jobs whose times fit no clock are told while no other times are known, so many in [`ODD_SPAN`]:
/// more at once are a past that the server has found.
const ODD_JOBS: usize = 3;
const ODD_SPAN: std::time::Duration = std::time::Duration::from_secs(60);

/// What is known of the server's clock.
#[derive(Debug)]
pub(super) struct ServerClock {
    /// By how much it was ahead of ours at the last answers.
    ahead: Vec<SignedDuration>,
    /// When jobs of unlikely times were told.
    pub odd: RateLimit,
}

impl Default for ServerClock {
    fn default() -> ServerClock {
        ServerClock { ahead: Vec::new(), odd: RateLimit::new(ODD_JOBS, ODD_SPAN) }
    }
}

impl ServerClock {
    /// An answer that came just now is dated so.
    pub fn dated(&mut self, date: Timestamp, now: Now) {
        // The fraction that a date lacks is half a second on the average.
        let date = date.saturating_add(SignedDuration::from_millis(500)).unwrap_or(date);
        if self.ahead.len() >= DATES {
            self.ahead.remove(0);
        }
        self.ahead.push(date.duration_since(now.wall));
    }

    /// Our own clock was set.
    pub fn forget(&mut self) {
        self.ahead.clear();
    }

    /// By how much it is ahead of ours; zero where they agree, `None` where nothing is known.
    pub fn ahead(&self) -> Option<SignedDuration> {
        let ahead = self.ahead.iter().copied().max()?;
        Some(if ahead.abs() < SAME_CLOCK { SignedDuration::ZERO } else { ahead })
    }

    /// Whether a time that fits no clock may be one of just now in another zone, or by a clock of
    /// which nothing is known.
    pub fn may_be_now(&self, end: Timestamp, now: Now) -> bool {
        let Some(ahead) = self.ahead() else { return true };
        let there = now.wall.saturating_add(ahead).unwrap_or(now.wall);
        let off = there.duration_since(end).as_secs();
        let rest = off.rem_euclid(ZONE_STEP_SECS);
        off.abs() < 15 * 3600 && (rest <= ZONE_SLACK_SECS || rest >= ZONE_STEP_SECS - 5)
    }
}

impl Supervisor {
    /// By how much the server's clock is ahead of ours, where its answers tell; zero where they
    /// agree.
    #[must_use]
    pub fn clock_ahead(&self) -> Option<SignedDuration> {
        self.server_clock.ahead()
    }
}
