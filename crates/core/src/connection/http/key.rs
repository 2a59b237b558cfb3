//! What HTTP says of the key, and which calls are left alone for it.

use std::collections::HashMap;
use std::time::Duration;

use super::single_flight::Call;
use crate::connection::state_table::KeyIs;
use crate::model::Topic;
use crate::time::Mono;

/// Refused calls that are remembered.
const MAX_REFUSED: usize = 256;

/// After so many refusals in a row nothing that needs the key is asked any more: a single one may
/// be about what was asked for.
const WHOLLY: u32 = 2;

/// How long after a refused call was due again its refusal counts, where nobody asks it again.
const OVERDUE: Duration = Duration::from_secs(120);

/// A call that was refused for the key's sake.
#[derive(Debug)]
struct Refusal {
    topic: Topic,
    reason: String,
    /// Until then it is not made again.
    until: Mono,
}

/// How the key stands.
#[derive(Debug, Default)]
pub(in crate::connection) struct Key {
    /// A call that needs it was answered, since it was set or last wholly refused.
    accepted: bool,
    /// Refusals in a row.
    strikes: u32,
    refused: HashMap<Call, Refusal>,
    /// The newest reason.
    reason: String,
    /// Where nothing is accepted: until then nothing that needs the key is asked.
    until: Mono,
}

impl Key {
    /// A call was answered. That says something of the key if the call `needs` it, or was refused
    /// before. Answers whether the key was wholly refused until now.
    pub fn answered(&mut self, call: Option<&Call>, needs: bool, now: Mono) -> bool {
        let again = call.is_some_and(|call| self.refused.remove(call).is_some());
        if !needs && !again {
            return false;
        }
        let recovered = self.wholly(now);
        if recovered {
            self.refused.clear();
        }
        self.accepted |= needs;
        self.strikes = 0;
        recovered
    }

    /// A call was refused; it is not made again for `pause`.
    pub fn refuse(&mut self, call: Call, topic: Topic, reason: String, now: Mono, pause: Duration) {
        let until = now.after(pause);
        self.strikes = self.strikes.saturating_add(1);
        if self.strikes >= WHOLLY {
            self.accepted = false;
        }
        if !self.accepted {
            self.until = until;
        }
        self.reason.clone_from(&reason);
        if self.refused.len() >= MAX_REFUSED && !self.refused.contains_key(&call) {
            let oldest = self.refused.iter().min_by_key(|(_, refusal)| refusal.until);
            if let Some(oldest) = oldest.map(|(call, _)| call.clone()) {
                self.refused.remove(&oldest);
            }
        }
        self.refused.insert(call, Refusal { topic, reason, until });
    }

    /// Whether no call that needs the key is answered, as far as was tried lately: where nothing
    /// needs the key but what was refused once, nobody would ever take that refusal back.
    fn wholly(&self, now: Mono) -> bool {
        self.strikes > 0 && !self.accepted && counts(self.until, now)
    }

    /// Why a call is not to be made now; `None` where it may be. The first that is let through
    /// after the pause is the only one until it is answered.
    pub fn forbids(
        &mut self,
        call: &Call,
        needed: bool,
        now: Mono,
        pause: Duration,
    ) -> Option<String> {
        if self.wholly(now) && needed {
            if self.until > now {
                return Some(self.reason.clone());
            }
            self.until = now.after(pause);
            return None;
        }
        let refusal = self.refused.get(call)?;
        (refusal.until > now).then(|| refusal.reason.clone())
    }

    /// A topic is given up: what it was refused counts no more.
    pub fn forget_topic(&mut self, topic: &Topic) {
        self.refused.retain(|_, refusal| refusal.topic != *topic);
    }

    /// Everything may be asked again, without forgetting what was said.
    pub fn release(&mut self, now: Mono) {
        self.until = self.until.min(now);
        for refusal in self.refused.values_mut() {
            refusal.until = refusal.until.min(now);
        }
    }

    /// Another key, or none.
    pub fn reset(&mut self) {
        *self = Key::default();
    }

    /// How it stands.
    pub fn stands(&self, now: Mono) -> KeyIs {
        match (self.reason(now), self.accepted) {
            (Some(_), _) => KeyIs::Refused,
            (None, true) => KeyIs::Accepted,
            (None, false) => KeyIs::Unproven,
        }
    }

    /// Why it is refused.
    pub fn reason(&self, now: Mono) -> Option<&str> {
        if self.wholly(now) {
            return Some(&self.reason);
        }
        let lately = self.refused.values().filter(|refusal| counts(refusal.until, now));
        let newest = lately.max_by_key(|refusal| refusal.until);
        newest.map(|refusal| refusal.reason.as_str())
    }
}

/// Whether a refusal after which nothing was to be asked `until` then still says something.
fn counts(until: Mono, now: Mono) -> bool {
    until.after(OVERDUE) > now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Address, Ask, FetchRequest, Method};

    const PAUSE: Duration = Duration::from_secs(240);

    fn call(id: &str) -> Call {
        let url = url::Url::parse("https://jobs.example/api/job").expect("a URL");
        Call::of(&FetchRequest {
            ask: Ask::new(None, "job"),
            method: Method::Get,
            address: Address::new(url.join(id).expect("a URL")),
            headers: Vec::new(),
            body: None,
            list: false,
        })
    }

    fn refuse(key: &mut Key, id: &str, now: Mono) {
        key.refuse(call(id), Topic::Job(id.into()), "No.".to_owned(), now, PAUSE);
    }

    #[test]
    fn a_refusal_of_what_is_asked_no_more_is_forgotten_also_once_everything_may_be_asked_again() {
        let (first, later) = (Mono(1_000), Mono(1_000).after(Duration::from_secs(10)));
        let mut proven = Key::default();
        proven.answered(None, true, first);
        for mut key in [proven, Key::default()] {
            refuse(&mut key, "1", first);
            key.release(later);
            assert_eq!(key.stands(later), KeyIs::Refused);
            assert_ne!(key.stands(later.after(OVERDUE)), KeyIs::Refused, "{key:?}");
        }
    }

    #[test]
    fn a_wholly_refused_key_stays_refused_as_long_as_every_attempt_is_rejected() {
        let (mut key, mut now) = (Key::default(), Mono(1_000));
        for _ in 0..10 {
            refuse(&mut key, "1", now);
            assert!(key.forbids(&call("2"), true, now, PAUSE).is_some());
            now = now.after(PAUSE);
            assert_eq!(key.forbids(&call("2"), true, now, PAUSE), None, "one attempt");
            assert!(key.forbids(&call("3"), true, now, PAUSE).is_some(), "and no other");
            assert_eq!(key.stands(now), KeyIs::Refused);
        }
    }
}
