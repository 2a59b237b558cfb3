//! How often what is watched is fetched, whether a socket is live or not.

use std::time::Duration;

use crate::connection::status::Api;
use crate::connection::{Supervisor, Timer};
use crate::time::Now;

/// What no list shows is looked for this often.
const SWEEP: Duration = Duration::from_secs(15);

/// For this long after something happened something else may at any moment.
const ACTIVE_FOR: Duration = Duration::from_secs(300);

/// Failed cycles are repeated at most this far apart.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// Whether something watched is under way is found out at most this often.
const MOVING_KNOWN_FOR: Duration = Duration::from_secs(1);

impl Supervisor {
    /// How often what is watched is fetched, whether a socket is live or not: most servers announce
    /// neither every new job nor every end.
    pub(in crate::connection) fn routine(&mut self, now: Now) -> Duration {
        let active = self.active_at.is_some_and(|at| now.mono.since(at) < ACTIVE_FOR);
        if active || self.moving(now) { self.policy.poll_fast } else { self.policy.poll_slow }
    }

    /// The delay after so many failed cycles in a row.
    pub(in crate::connection) fn delay_after(&mut self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(10);
        let longest = LONGEST_DELAY.max(self.policy.poll_slow);
        let delay = self.policy.poll_fast.saturating_mul(1 << doublings).min(longest);
        self.jitter.around(delay, 20)
    }

    /// Whether something watched is under way (or not known yet).
    fn moving(&mut self, now: Now) -> bool {
        if let Some((at, moving)) = self.moving
            && now.mono.since(at) < MOVING_KNOWN_FOR
        {
            return moving;
        }
        let unlisted = self.topics.watched().any(|topic| {
            self.polling
                .topic(topic)
                .is_none_or(|known| known.listed.is_none() && known.failures == 0)
        });
        let moving = unlisted
            || self
                .jobs
                .open_jobs()
                .any(|job| self.topics.covers(job, |topic| self.dialect.contains(topic, job)));
        self.moving = Some((now.mono, moving));
        moving
    }

    /// Something watched moves. If everything was polled slowly, that ends.
    pub(in crate::connection) fn note_activity(&mut self, now: Now) {
        let quiet = self.active_at.is_none_or(|at| now.mono.since(at) >= ACTIVE_FOR);
        self.active_at = Some(now.mono);
        if quiet && self.api == Api::Answers {
            let soon = now.mono.after(self.policy.poll_fast);
            for topic in self.topics.all() {
                let spared = self.polling.topic(topic).is_some_and(|known| known.by_list);
                if !spared && !self.polling.is_suspended(topic, now.mono) {
                    self.polling.schedule_routine(topic, soon);
                }
            }
        }
    }

    pub(in crate::connection) fn schedule_sweep(&mut self, now: Now) {
        let delay = self.jitter.around(SWEEP, 10);
        self.timers.set(Timer::Sweep, now.mono.after(delay));
    }
}
