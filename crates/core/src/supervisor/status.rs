//! What the badge says, and why.

use std::time::Duration;

use super::link::Phase;
use super::{Failure, Link, Output, Status, Supervisor, Timer};
use crate::time::Now;

/// `last_heard` alone is told at most this often; with any other change it is told at once.
const REFRESH: Duration = Duration::from_secs(10);

/// What is known of HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Http {
    /// Nothing was asked since the circumstances last changed.
    Unknown,
    /// It answers.
    Answers,
    /// It does not, for this reason.
    Fails(String),
    /// It does not accept the key, in its own words.
    Refuses(String),
}

/// The status of a machine at rest.
pub(super) fn paused(now: Now) -> Status {
    Status {
        link: Link::Paused,
        since: now.wall,
        last_heard: None,
        next_try: None,
        retry_in_ms: None,
        attempt: 0,
        reason: None,
    }
}

/// A failure as a sentence for people.
pub(super) fn sentence(failure: &Failure) -> String {
    let text = match failure {
        Failure::Http { status: 401 | 403, text: Some(text), .. } => {
            format!("The server does not accept the key: {text}")
        }
        Failure::Http { status: status @ (401 | 403), .. } => {
            format!("The server does not accept the key (HTTP {status})")
        }
        Failure::Http { status: 429, .. } => {
            "The server asks for a pause: too many requests (HTTP 429)".to_owned()
        }
        Failure::Timeout(_) => format!("The server gave {failure}"),
        Failure::Http { .. } => capitalised(&failure.to_string()),
        Failure::Unreachable(_) | Failure::Tls(_) | Failure::Protocol(_) => {
            capitalised(&failure.to_string())
        }
    };
    format!("{}.", text.trim().trim_end_matches('.'))
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

impl Supervisor {
    fn link(&self) -> Link {
        if !self.running {
            return Link::Paused;
        }
        if let Phase::Live(_) = self.phase {
            return Link::Live;
        }
        match (&self.http, self.refused) {
            (Http::Answers, _) if self.fallback => Link::Polling,
            (Http::Refuses(_), _) if self.fallback => Link::Refused,
            // Whether HTTP accepts the key decides between Polling and Refused.
            (Http::Unknown, true) if self.polling.busy() => Link::Connecting,
            (_, true) => Link::Refused,
            _ if self.backoff.exhausted(&self.policy) => Link::Offline,
            _ => Link::Connecting,
        }
    }

    fn reason(&self, link: Link) -> Option<&str> {
        let http = match &self.http {
            Http::Refuses(reason) | Http::Fails(reason) => Some(reason.as_str()),
            Http::Unknown | Http::Answers => {
                self.partly_refused.values().next().map(String::as_str)
            }
        };
        match link {
            Link::Paused => None,
            Link::Live => http,
            Link::Refused => match &self.http {
                Http::Refuses(reason) => Some(reason.as_str()),
                _ => self.trouble.as_deref(),
            },
            Link::Connecting | Link::Polling | Link::Offline => self.trouble.as_deref().or(http),
        }
    }

    /// Tells the status if it changed.
    pub(super) fn tell_status(&mut self, now: Now) {
        let link = self.link();
        let retry = match self.phase {
            Phase::Waiting => self.timers.get(Timer::Retry),
            _ => None,
        };
        let attempt = self.backoff.failures();
        let reason = self.reason(link);
        let known = &self.status;
        let same = known.link == link
            && known.attempt == attempt
            && known.reason.as_deref() == reason
            && self.told_retry == retry;
        if same {
            if known.last_heard == self.last_heard {
                return;
            }
            let due = self.told.map_or(now.mono, |told| told.after(REFRESH));
            if due > now.mono {
                self.timers.set(Timer::Refresh, due);
                return;
            }
        }
        let wait = retry.map(|at| at.since(now.mono));
        let status = Status {
            link,
            since: if known.link == link { known.since } else { now.wall },
            last_heard: self.last_heard,
            next_try: wait.and_then(|wait| now.wall.checked_add(wait).ok()),
            retry_in_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            attempt,
            reason: reason.map(str::to_owned),
        };
        self.timers.clear(Timer::Refresh);
        self.told = Some(now.mono);
        self.told_retry = retry;
        self.status = status.clone();
        self.out.push_back(Output::Status(status));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_sentences() {
        let refused =
            Failure::Http { status: 401, text: Some("bad key".to_owned()), retry_after: None };
        assert_eq!(sentence(&refused), "The server does not accept the key: bad key.");
        let gone = Failure::Http { status: 502, text: None, retry_after: None };
        assert_eq!(sentence(&gone), "The server answered HTTP 502.");
        let unreachable = Failure::Unreachable("connection refused".to_owned());
        assert_eq!(sentence(&unreachable), "Connection refused.");
        let late = Failure::Timeout(Duration::from_secs(10));
        assert_eq!(sentence(&late), "The server gave no answer within 10 s.");
    }
}
