//! Every deadline of the socket, in one table.

use crate::time::Mono;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The driver should have answered an opening long ago.
    Opening,
    /// The dialect should have said `Ready`.
    Handshake,
    /// The socket has held long enough for earlier failures to be forgotten.
    Stable,
    /// The socket is tried again.
    Retry,
    /// A ping is due, or the socket is dead unless something was heard.
    Heartbeat,
    /// Nothing came on a socket without a heartbeat.
    Idle,
    /// What no list shows is looked for.
    Sweep,
    /// Another frame may be sent.
    Send,
    /// A subscription should have been answered.
    Confirmation,
    /// `last_received` is brought up to date in the status.
    Refresh,
}

const COUNT: usize = 10;

const ALL: [Timer; COUNT] = [
    Timer::Opening,
    Timer::Handshake,
    Timer::Stable,
    Timer::Retry,
    Timer::Heartbeat,
    Timer::Idle,
    Timer::Sweep,
    Timer::Send,
    Timer::Confirmation,
    Timer::Refresh,
];

/// At most one deadline per [`Timer`].
#[derive(Debug, Default)]
pub(super) struct Timers([Option<Mono>; COUNT]);

impl Timers {
    pub fn set(&mut self, timer: Timer, at: Mono) {
        self.0[timer as usize] = Some(at);
    }

    pub fn clear(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub fn clear_all(&mut self) {
        self.0 = [None; COUNT];
    }

    pub fn get(&self, timer: Timer) -> Option<Mono> {
        self.0[timer as usize]
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<Mono> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes the earliest deadline that has passed.
    pub fn due(&mut self, now: Mono) -> Option<Timer> {
        let timer = ALL
            .into_iter()
            .filter(|timer| self.get(*timer).is_some_and(|at| at <= now))
            .min_by_key(|timer| self.get(*timer))?;
        self.clear(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_fire_in_the_order_of_time_and_once() {
        let mut timers = Timers::default();
        timers.set(Timer::Retry, Mono(20));
        timers.set(Timer::Handshake, Mono(10));
        timers.set(Timer::Sweep, Mono(99));
        assert_eq!(timers.next(), Some(Mono(10)));
        assert_eq!(timers.due(Mono(50)), Some(Timer::Handshake));
        assert_eq!(timers.due(Mono(50)), Some(Timer::Retry));
        assert_eq!(timers.due(Mono(50)), None);
        assert_eq!(timers.next(), Some(Mono(99)));
    }
}
