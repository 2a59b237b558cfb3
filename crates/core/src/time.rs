//! Time as an argument.

use std::time::Duration;

use jiff::Timestamp;

/// Milliseconds on a clock that never goes backwards and may stand still while the machine sleeps.
///
/// The zero point is arbitrary (the start of the program); only differences mean anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// This moment plus `duration`, saturating at the end of time.
    #[must_use]
    pub fn after(self, duration: Duration) -> Mono {
        Mono(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was, zero if it lies in the future.
    #[must_use]
    pub fn since(self, earlier: Mono) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// The present, as the shell sees it: every input to the core carries one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For deadlines and durations.
    pub mono: Mono,
    /// For what is shown and stored. May jump in either direction; a jump forward against `mono`
    /// means that the machine slept.
    pub wall: Timestamp,
}
