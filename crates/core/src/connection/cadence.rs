//! How often what is watched is fetched, whether a socket is live or not.

use std::time::Duration;

use super::status::Api;
use super::{Supervisor, Timer};
use crate::time::Now;

/// What no list shows is looked for this often.
const SWEEP: Duration = Duration::from_secs(15);

/// For this long after something happened something else may at any moment.
const STIRRED_FOR: Duration = Duration::from_secs(300);

/// Failed rounds are repeated at most this far apart.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// Whether something watched is under way is found out at most this often.
const MOVING_KNOWN_FOR: Duration = Duration::from_secs(1);

impl Supervisor {
    /// How often what is watched is fetched, whether a socket is live or not: most servers announce
    /// neither every new job nor every end.
    pub(super) fn routine(&mut self, now: Now) -> Duration {
        let stirred = self.stirred.is_some_and(|at| now.mono.since(at) < STIRRED_FOR);
        if stirred || self.moving(now) { self.policy.poll_fast } else { self.policy.poll_slow }
    }

    /// The delay after so many failed rounds in a row.
    pub(super) fn delay_after(&mut self, failures: u32) -> Duration {
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
            self.polling.work(topic).is_none_or(|work| work.listed.is_none() && work.failures == 0)
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
    pub(super) fn stir(&mut self, now: Now) {
        let quiet = self.stirred.is_none_or(|at| now.mono.since(at) >= STIRRED_FOR);
        self.stirred = Some(now.mono);
        if quiet && self.api == Api::Answers {
            let soon = now.mono.after(self.policy.poll_fast);
            for topic in self.topics.all() {
                let spared = self.polling.work(topic).is_some_and(|work| work.by_list);
                if !spared && !self.polling.rests(topic, now.mono) {
                    self.polling.schedule_routine(topic, soon);
                }
            }
        }
    }

    pub(super) fn schedule_sweep(&mut self, now: Now) {
        let delay = self.jitter.around(SWEEP, 10);
        self.timers.set(Timer::Sweep, now.mono.after(delay));
    }
}
