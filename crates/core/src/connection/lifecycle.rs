//! Starting and pausing, another key, sleep and clocks that are set.

use std::time::Duration;

use jiff::SignedDuration;

use super::Supervisor;
use super::phase::Phase;
use super::status::{Api, KeyWait};
use crate::redact::Redactor;
use crate::secret::Secret;
use crate::time::Now;

/// The wall clock running ahead of the monotonic one by more than this means that the machine
/// slept.
const SLEPT: Duration = Duration::from_secs(5);

impl Supervisor {
    pub(super) fn notice_sleep(&mut self, now: Now) {
        let before = std::mem::replace(&mut self.clock, now);
        let awake = now.mono.since(before.mono);
        let signed = |span| SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
        let ahead = now.wall.duration_since(before.wall).saturating_sub(signed(awake));
        if ahead > signed(SLEPT) {
            self.server_clock.forget();
            self.check_liveness(now);
        } else if ahead < -signed(SLEPT) {
            self.server_clock.forget();
            self.set_back(ahead, now);
        }
    }

    /// The clock was set back: what was noted by the old one is what the new one would have said.
    pub(super) fn set_back(&mut self, by: SignedDuration, now: Now) {
        self.polling.shift_listings(by);
        for at in self.listed_before.values_mut() {
            *at = now.wall.min(*at);
        }
        self.jobs.shift_start(by);
        self.set_baseline();
    }

    pub(super) fn start(&mut self, now: Now) {
        self.wanted = true;
        if self.running || self.key_wait.is_some() {
            return;
        }
        self.running = true;
        self.active_at = Some(now.mono);
        self.api = Api::Unknown;
        self.key.release(now.mono);
        self.last_error = None;
        self.refused = false;
        self.backoff.reset();
        self.open(now);
    }

    pub(super) fn pause(&mut self) {
        self.wanted = false;
        self.running = false;
        // Resumed, it is waited for anew.
        if let Some(KeyWait::Unavailable(reason) | KeyWait::Loading(reason)) = self.key_wait.take()
        {
            self.key_wait = Some(KeyWait::Loading(reason));
        }
        self.drop_socket();
        self.timers.clear_all();
        self.phase = Phase::Down;
        self.fallback = false;
        self.idle = false;
        self.last_error = None;
        self.abandon_cycles();
    }

    pub(super) fn reconnect_now(&mut self, now: Now) {
        if !self.running {
            return;
        }
        self.polling.release();
        self.key.release(now.mono);
        self.active_at = Some(now.mono);
        match self.phase {
            Phase::Waiting | Phase::Down => {
                self.open(now);
                if self.fallback {
                    self.fetch_everything(now);
                }
            }
            Phase::Opening(_) | Phase::Handshake(_) | Phase::Live(_) => self.check_liveness(now),
        }
    }

    /// Shows that the key is being read; whoever was told that it could not be read sees that until
    /// it is there.
    pub(super) fn await_key(&mut self, reason: String) {
        self.key_wait = Some(match &self.key_wait {
            Some(KeyWait::Unavailable(_)) => KeyWait::Unavailable(reason),
            _ => KeyWait::Loading(reason),
        });
    }

    pub(super) fn replace_key(&mut self, key: Option<Secret>, now: Now) {
        if let Some(key) = &key {
            self.redact(&Redactor::new(Some(key)));
        }
        self.dialect.set_key(key);
        let waited = self.key_wait.take().is_some();
        if !self.running {
            if waited && self.wanted {
                self.start(now);
            }
            return;
        }
        self.drop_socket();
        self.abandon_cycles();
        self.polling.release();
        self.api = Api::Unknown;
        self.key.reset();
        self.refused = false;
        self.last_error = None;
        self.backoff.reset();
        if self.fallback {
            self.fetch_everything(now);
        }
        self.open(now);
    }
}
