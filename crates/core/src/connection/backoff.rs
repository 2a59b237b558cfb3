//! How long to wait before the socket is tried again.

use std::time::Duration;

use crate::server::Policy;

/// Pseudo-random numbers from a seed (SplitMix64): good enough to spread attempts, the same for
/// the same seed.
#[derive(Clone, Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub fn new(seed: u64) -> Jitter {
        Jitter(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// `duration` made up to `percent` longer or shorter.
    pub fn around(&mut self, duration: Duration, percent: u32) -> Duration {
        let span = f64::from(percent) / 100.0;
        // 53 bits fill the mantissa: a number from 0 to just below 1.
        let unit = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        duration.mul_f64(1.0 - span + 2.0 * span * unit)
    }
}

/// The attempts since the socket last held, and the delay they earn. Delays double from the first
/// one to the longest; after the documented number of attempts they become the slow cadence, which
/// goes on for ever.
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

/// What a server may ask for with `Retry-After` at most; more is taken for a mistake.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Delays are spread by this many percent, so that clients of a restarted server do not return
/// all at once.
const SPREAD: u32 = 20;

impl Backoff {
    pub fn failures(&self) -> u32 {
        self.failures
    }

    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Whether the documented attempts are used up.
    pub fn exhausted(&self, policy: &Policy) -> bool {
        self.failures >= policy.attempts.max(1)
    }

    /// The delay before the next attempt. What the server asked for wins.
    pub fn delay(
        &self,
        policy: &Policy,
        retry_after: Option<Duration>,
        jitter: &mut Jitter,
    ) -> Duration {
        if let Some(retry_after) = retry_after {
            // A little later than asked, never earlier.
            let retry_after = retry_after.min(LONGEST_RETRY_AFTER).max(policy.first_delay);
            return retry_after + jitter.around(retry_after / 20, 100);
        }
        if self.exhausted(policy) {
            return jitter.around(policy.slow_delay, SPREAD);
        }
        let doublings = self.failures.saturating_sub(1).min(20);
        let delay = policy.first_delay.saturating_mul(1 << doublings).min(policy.max_delay);
        jitter.around(delay, SPREAD).min(policy.max_delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(policy: &Policy, seed: u64, attempts: u32) -> Vec<Duration> {
        let mut backoff = Backoff::default();
        let mut jitter = Jitter::new(seed);
        (0..attempts)
            .map(|_| {
                backoff.failed();
                backoff.delay(policy, None, &mut jitter)
            })
            .collect()
    }

    #[test]
    fn delays_double_from_the_first_to_the_longest_and_then_become_slow() {
        let policy = Policy { attempts: 8, ..Policy::default() };
        for seed in 0..200 {
            let delays = delays(&policy, seed, 10);
            for (index, delay) in delays.iter().take(7).enumerate() {
                let plain = Duration::from_secs(1 << index).min(policy.max_delay);
                assert!(*delay >= plain.mul_f64(0.79), "{index}: {delay:?}");
                assert!(*delay <= plain.mul_f64(1.21).min(policy.max_delay), "{index}: {delay:?}");
            }
            for delay in &delays[7..] {
                assert!(*delay >= policy.slow_delay.mul_f64(0.79));
                assert!(*delay <= policy.slow_delay.mul_f64(1.21));
            }
        }
    }

    #[test]
    fn two_clients_do_not_return_at_the_same_moment_but_one_seed_repeats_itself() {
        let policy = Policy::default();
        assert_ne!(delays(&policy, 1, 5), delays(&policy, 2, 5));
        assert_eq!(delays(&policy, 7, 5), delays(&policy, 7, 5));
    }

    #[test]
    fn what_the_server_wished_for_wins_and_is_never_undercut() {
        let mut jitter = Jitter::new(1);
        let backoff = Backoff::default();
        let policy = Policy::default();
        let retry_after = Duration::from_secs(120);
        for _ in 0..100 {
            let delay = backoff.delay(&policy, Some(retry_after), &mut jitter);
            assert!(delay >= retry_after && delay <= retry_after.mul_f64(1.11), "{delay:?}");
        }
        let absurd = Some(Duration::from_secs(u64::MAX / 2));
        assert!(backoff.delay(&policy, absurd, &mut jitter) <= LONGEST_RETRY_AFTER.mul_f64(1.11));
    }
}
