//! What the badge says, and why.

use std::time::Duration;

use super::phase::Phase;
use super::state_table::{self, ApiIs, KeyIs, SocketIs};
use super::{ConnectionState, Failure, Output, Remedy, Status, Supervisor, Timer};
use crate::server::DialectKind;
use crate::time::Now;

/// A change of `last_received` alone is reported at most this often; any other change at once.
const REFRESH: Duration = Duration::from_secs(10);

/// Something that does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Why, in a sentence; secrets removed.
    pub reason: String,
    /// What can be done about it.
    pub remedy: Option<Remedy>,
}

/// What is known of the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Api {
    /// Nothing was answered since the circumstances last changed.
    Unknown,
    /// It answers.
    Answers,
    /// It does not, or not as an API.
    Fails(Fault),
}

/// Why the key is not there yet, in a sentence.
#[derive(Debug)]
pub(super) enum KeyWait {
    /// It is being read.
    Loading(String),
    /// It could not be read, at least once.
    Unavailable(String),
}

/// A failure as a sentence for people.
pub(super) fn sentence(failure: &Failure) -> String {
    let text = match failure {
        Failure::Http { status: 429, .. } => {
            "The server asks for a pause: too many requests (HTTP 429)".to_owned()
        }
        Failure::Timeout(_) => format!("The server gave {failure}"),
        _ => capitalised(&failure.to_string()),
    };
    finished(&text)
}

/// That a key is not accepted, or missing, as a sentence. `words` are the server's, perhaps after
/// the status they came with.
pub(super) fn refusal(words: &str, has_key: bool) -> String {
    let what =
        if has_key { "The server does not accept the key" } else { "The server wants a key" };
    let words = words.trim().trim_end_matches('.');
    let said = words.strip_prefix("HTTP ").map(|rest| rest.split_once(": ").unwrap_or((rest, "")));
    match said {
        Some((status, "")) => format!("{what} (HTTP {status})."),
        Some((_, said)) => format!("{what}: {}", finished(said)),
        None if words.is_empty() => format!("{what}."),
        None => format!("{what}: {}", finished(words)),
    }
}

/// What to do when the socket cannot be opened for this reason; `proven` says that it once was.
pub(super) fn socket_remedy(failure: &Failure, proven: bool) -> Remedy {
    match failure {
        Failure::Untrusted(_) => Remedy::TrustCertificate,
        _ if proven => Remedy::Reconnect,
        Failure::Unknown(_) | Failure::Tls(_) | Failure::Protocol(_) | Failure::TooLarge { .. } => {
            Remedy::SetSocketUrl
        }
        Failure::Http { status: 429 | 500.., .. } => Remedy::Reconnect,
        Failure::Http { .. } => Remedy::SetSocketUrl,
        Failure::SignIn(_) => Remedy::EnterKey,
        Failure::Unreachable(_) | Failure::Timeout(_) => Remedy::Reconnect,
    }
}

/// That the API cannot be reached; `proven` says that it once answered.
pub(super) fn api_fault(failure: &Failure, proven: bool) -> Fault {
    let remedy = match failure {
        Failure::Untrusted(_) => Remedy::TrustCertificate,
        // There may be less to answer later.
        Failure::TooLarge { .. } => Remedy::Reconnect,
        _ if proven => Remedy::Reconnect,
        Failure::Http { status: 429 | 500.., .. } => Remedy::Reconnect,
        _ => Remedy::SetApiUrl,
    };
    let reason = match failure {
        Failure::TooLarge { limit, .. } => too_large(*limit),
        Failure::Timeout(limit) => {
            format!("The API gave no answer within {} s.", limit.as_secs())
        }
        Failure::Http { .. } => sentence(failure),
        _ => finished(&format!("The API cannot be reached: {failure}")),
    };
    Fault { reason, remedy: Some(remedy) }
}

/// That an answer of which the beginning means nothing is too large.
pub(super) fn too_large(limit: usize) -> String {
    format!("An answer of the API is larger than the {} MiB that are read.", limit >> 20)
}

fn finished(text: &str) -> String {
    let text = text.trim();
    match text.ends_with(['.', '!', '?', '\u{2026}']) && !text.ends_with("..") {
        true => text.to_owned(),
        false => format!("{}.", text.trim_end_matches('.')),
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

impl Supervisor {
    fn socket_is(&self) -> SocketIs {
        match self.phase {
            Phase::Live(_) => SocketIs::Live,
            _ if self.refused => SocketIs::Refused,
            _ if self.backoff.failures() == 0 => SocketIs::Opening,
            _ => SocketIs::Lost,
        }
    }

    fn api_is(&self) -> ApiIs {
        match &self.api {
            Api::Fails(_) => ApiIs::Fails,
            Api::Answers if self.live().is_none() && !self.fallback => ApiIs::Idle,
            // What cannot be listed at all is not made good by what can.
            Api::Answers if self.live().is_some() && self.topic_fault().is_some() => ApiIs::Fails,
            Api::Answers => ApiIs::Answers,
            Api::Unknown if self.may_fetch() && self.polling.busy() => ApiIs::Asked,
            Api::Unknown => ApiIs::Idle,
        }
    }

    fn key_is(&self, now: Now) -> KeyIs {
        match self.key.stands(now.mono) {
            // Without a key an answer proves nothing about one.
            KeyIs::Accepted if !self.dialect.has_key() => KeyIs::Unproven,
            stands => stands,
        }
    }

    fn state(&self, now: Now) -> ConnectionState {
        match &self.key_wait {
            _ if !self.wanted => return ConnectionState::Paused,
            Some(KeyWait::Loading(_)) => return ConnectionState::Connecting,
            Some(KeyWait::Unavailable(_)) => return ConnectionState::Offline,
            None => {}
        }
        state_table::state(self.socket_is(), self.api_is(), self.key_is(now))
    }

    /// Why the connection is as it is, and what to do about it.
    fn why(&self, state: ConnectionState, now: Now) -> (Option<&str>, Option<Remedy>) {
        match &self.key_wait {
            Some(KeyWait::Unavailable(reason)) => return (Some(reason), Some(Remedy::EnterKey)),
            Some(KeyWait::Loading(reason)) if self.wanted => return (Some(reason), None),
            _ => {}
        }
        let trouble =
            self.last_error.as_ref().map(|fault| (Some(fault.reason.as_str()), fault.remedy));
        let api = match &self.api {
            Api::Fails(fault) => Some(fault),
            Api::Unknown | Api::Answers => self.topic_fault(),
        };
        let api = api.map(|fault| (Some(fault.reason.as_str()), fault.remedy));
        let key = self.key.reason(now.mono).map(|reason| (Some(reason), Some(self.key_remedy())));
        let why = match state {
            ConnectionState::Paused => None,
            ConnectionState::Live => self.bound().map(|reason| (Some(reason), None)),
            ConnectionState::Refused | ConnectionState::Partly | ConnectionState::Connecting => {
                key.or(trouble).or(api)
            }
            ConnectionState::Polling => trouble,
            ConnectionState::Offline => trouble.or(api),
        };
        let (reason, mut remedy) = why.unwrap_or((None, None));
        // Neither way is as the dialect wants it: the kind is wrong rather than two URLs.
        let foreign = self.foreign && matches!(api, Some((_, Some(Remedy::SetApiUrl))));
        if state == ConnectionState::Offline && foreign && !self.api_proven {
            remedy = Some(Remedy::ChooseKind);
        }
        (reason, remedy)
    }

    /// What makes a key that is accepted.
    pub(super) fn key_remedy(&self) -> Remedy {
        match self.dialect.kind() {
            DialectKind::BullBoard => Remedy::SignIn,
            _ => Remedy::EnterKey,
        }
    }

    /// Why not all is shown, or not at once, though all is well.
    fn bound(&self) -> Option<&str> {
        if let Some(why) = self.cut.values().next() {
            Some(why)
        } else if self.topics.is_crowded() {
            Some("More than 1,000 jobs are under way; the others are followed by the lists alone.")
        } else if self.lookups_crowd {
            Some(
                "More jobs have left the server's lists than can be asked for at once; some ends \
                 are reported late.",
            )
        } else {
            None
        }
    }

    /// Tells the status if it changed.
    pub(super) fn report_status(&mut self, now: Now) {
        let state = self.state(now);
        let retry = match self.phase {
            Phase::Waiting => self.timers.get(Timer::Retry),
            _ => None,
        };
        let attempt = self.backoff.failures();
        let (reason, remedy) = self.why(state, now);
        let incomplete =
            self.bound().filter(|why| state != ConnectionState::Paused && reason != Some(*why));
        let socket_live = self.live().is_some();
        let known = &self.status;
        let same = known.state == state
            && known.attempt == attempt
            && known.reason.as_deref() == reason
            && known.incomplete.as_deref() == incomplete
            && known.remedy == remedy
            && known.socket_live == socket_live
            && self.reported_retry == retry;
        if same {
            if known.last_received == self.last_received {
                return;
            }
            let due = self.reported_at.map_or(now.mono, |at| at.after(REFRESH));
            if due > now.mono {
                self.timers.set(Timer::Refresh, due);
                return;
            }
        }
        let wait = retry.map(|at| at.since(now.mono));
        let status = Status {
            state,
            since: if known.state == state { known.since } else { now.wall },
            last_received: self.last_received,
            next_try: wait.and_then(|wait| now.wall.checked_add(wait).ok()),
            retry_in_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            attempt,
            reason: reason.map(str::to_owned),
            incomplete: incomplete.map(str::to_owned),
            remedy,
            socket_live,
        };
        self.timers.clear(Timer::Refresh);
        self.reported_at = Some(now.mono);
        self.reported_retry = retry;
        self.status = status.clone();
        self.out.push_back(Output::Status(status));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_sentences() {
        let gone = Failure::Http { status: 502, text: None, retry_after: None };
        assert_eq!(sentence(&gone), "The server answered HTTP 502.");
        let unreachable = Failure::Unreachable("connection refused".to_owned());
        assert_eq!(sentence(&unreachable), "Connection refused.");
        let late = Failure::Timeout(Duration::from_secs(10));
        assert_eq!(sentence(&late), "The server gave no answer within 10 s.");
    }

    #[test]
    fn a_refusal_is_one_finished_sentence_whatever_words_the_server_has() {
        for (words, sentence) in [
            ("HTTP 401: Invalid API key.", "The server does not accept the key: Invalid API key."),
            ("HTTP 401: Invalid API key..", "The server does not accept the key: Invalid API key."),
            ("HTTP 403", "The server does not accept the key (HTTP 403)."),
            ("Unauthorized", "The server does not accept the key: Unauthorized."),
            ("Who are you?", "The server does not accept the key: Who are you?"),
            ("", "The server does not accept the key."),
        ] {
            assert_eq!(refusal(words, true), sentence);
        }
        assert_eq!(refusal("HTTP 401", false), "The server wants a key (HTTP 401).");
    }
}
