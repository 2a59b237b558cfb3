//! A configured endpoint and its policy.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::dialect::table::DialectKind;
use crate::model::Topic;

/// A server's identity inside Jobwatch: chosen once, never shown, names its key in the keyring.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerId(pub String);

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the key goes. Each dialect has a default for the socket and for HTTP; a server may
/// override both at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "in", rename_all = "kebab-case")]
#[cfg_attr(feature = "bindings", derive(ts_rs::TS), ts(export))]
pub enum KeyPlacement {
    /// In the query, as `name=KEY`.
    Query {
        /// The parameter's name.
        name: String,
    },
    /// In a header, after an optional scheme (`Bearer`).
    Header {
        /// The header's name.
        name: String,
        /// What stands before the key, without the space.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "bindings", ts(optional))]
        scheme: Option<String>,
    },
    /// In a cookie.
    Cookie {
        /// The cookie's name.
        name: String,
    },
    /// In the Socket.IO connect packet's auth object, under `name`; over HTTP as a bearer token.
    Auth {
        /// The field's name.
        name: String,
    },
    /// In the first message after opening, as the dialect words it; over HTTP as a bearer token.
    FirstMessage,
}

/// A configured endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Identity inside Jobwatch.
    pub id: ServerId,
    /// What people call it.
    pub name: String,
    /// How it speaks.
    pub dialect: DialectKind,
    /// The socket's URL (`ws`, `wss`; `http` and `https` are mapped). For the Socket.IO dialects
    /// the origin is enough: path and query are added where absent.
    pub ws: String,
    /// The base of its HTTP API; derived from `ws` by the dialect when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Where the key goes, when not where the dialect puts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyPlacement>,
    /// Socket.IO namespace, when not the dialect's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Settings that only this dialect knows; see
    /// [`DialectInfo::options`](crate::dialect::table::DialectInfo::options).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// What to watch whenever the server runs.
    #[serde(default)]
    pub watch: Vec<Topic>,
    /// Not connected at all until resumed.
    #[serde(default)]
    pub paused: bool,
    /// A PEM file with certificate authorities trusted besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_ca: Option<std::path::PathBuf>,
    /// Changes to the dialect's policy.
    #[serde(default, skip_serializing_if = "PolicyChange::is_empty")]
    pub policy: PolicyChange,
}

/// When to give up, wait, ask again. Each dialect brings its documented numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// For the TCP, TLS and upgrade steps together.
    pub open_timeout: Duration,
    /// From open to the dialect's `Ready`.
    pub handshake_timeout: Duration,
    /// The delay before the first reconnect attempt.
    pub first_delay: Duration,
    /// The longest delay during the documented attempts.
    pub max_delay: Duration,
    /// After this many failed attempts the badge says Polling or Offline and the cadence is
    /// `slow_delay`; attempts never end.
    pub attempts: u32,
    /// The delay between attempts after `attempts` failures.
    pub slow_delay: Duration,
    /// How long a link must hold before the backoff forgets earlier failures.
    pub stable_after: Duration,
    /// Between polls while something watched is not terminal.
    pub poll_fast: Duration,
    /// Between polls otherwise.
    pub poll_slow: Duration,
    /// No frame for this long on a server without any heartbeat: poll beside the open socket.
    pub idle_after: Option<Duration>,
    /// How long a failure that may be retried waits for something to follow.
    pub grace: Duration,
    /// Between retries after a refusal.
    pub refused_delay: Duration,
    /// At most so many frames are sent on the socket within any second; answers to pings wait for
    /// nothing, so stay below what the server takes. `None` where it takes any number.
    pub frames_per_second: Option<u32>,
    /// At most so many HTTP requests are made within any minute, except for what the user asks for.
    /// `None` where the server does not count them.
    pub requests_per_minute: Option<u32>,
    /// HTTP requests for what is watched that may be under way at once.
    pub parallel_requests: usize,
}

impl Policy {
    /// The numbers of a server whose documents name none.
    pub const DEFAULT: Policy = Policy {
        open_timeout: Duration::from_secs(10),
        handshake_timeout: Duration::from_secs(10),
        first_delay: Duration::from_secs(1),
        max_delay: Duration::from_secs(30),
        attempts: 5,
        slow_delay: Duration::from_secs(60),
        stable_after: Duration::from_secs(10),
        poll_fast: Duration::from_secs(3),
        poll_slow: Duration::from_secs(15),
        idle_after: None,
        grace: Duration::from_secs(10),
        refused_delay: Duration::from_secs(300),
        frames_per_second: None,
        requests_per_minute: None,
        parallel_requests: 6,
    };
}

impl Default for Policy {
    fn default() -> Policy {
        Policy::DEFAULT
    }
}

/// A server's changes to its dialect's [`Policy`], in milliseconds; absent means unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyChange {
    /// See [`Policy::first_delay`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_delay_ms: Option<u64>,
    /// See [`Policy::max_delay`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_delay_ms: Option<u64>,
    /// See [`Policy::attempts`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// See [`Policy::poll_fast`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll_ms: Option<u64>,
}

impl PolicyChange {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == PolicyChange::default()
    }

    /// `policy` with these changes. Delays and intervals below 100 ms are raised to that.
    #[must_use]
    pub fn apply(&self, mut policy: Policy) -> Policy {
        let at_least = |ms: u64| Duration::from_millis(ms.max(100));
        if let Some(ms) = self.first_delay_ms {
            policy.first_delay = at_least(ms);
        }
        if let Some(ms) = self.max_delay_ms {
            policy.max_delay = at_least(ms);
        }
        policy.max_delay = policy.max_delay.max(policy.first_delay);
        if let Some(attempts) = self.attempts {
            policy.attempts = attempts;
        }
        if let Some(ms) = self.poll_ms {
            policy.poll_fast = at_least(ms);
            policy.poll_slow = policy.poll_slow.max(policy.poll_fast);
        }
        policy
    }
}
