//! The table of dialects, and what is known of each before any server is asked.
//!
//! The form of a server, the command line's help, the README's table, the probe, the demo and the
//! property tests all follow from it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Dialect;
use super::endpoint::{Defaults, bearer};
use crate::probe::Recognition;
use crate::secret::Secret;
use crate::server::{KeyPlacement, Policy, Server};

/// The table: one line for each dialect, in the order in which they are offered. A line is the name
/// in code, the word in settings and on the command line, and the folder, whose `INFO` says the
/// rest. `$with!` is called with all lines.
#[macro_export]
macro_rules! dialect_table {
    ($with:ident) => {
        $with! {
            TriggerX "triggerx" triggerx;
            StudyBuddy "study-buddy" study_buddy;
            Analyzer "analyzer" analyzer;
            Kecs "kecs" kecs;
            BullBoard "bull-board" bull_board;
            PlainJson "plain-json" plain_json;
        }
    };
}

macro_rules! kinds {
    ($($kind:ident $word:literal $folder:ident;)*) => {
        /// Which dialect a server speaks.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        pub enum DialectKind {
            $(
                #[doc = concat!("See [`", stringify!($folder), "`](super::", stringify!($folder), ").")]
                #[serde(rename = $word)]
                $kind,
            )*
        }

        impl DialectKind {
            /// All dialects, in the order in which they are offered.
            pub const ALL: [DialectKind; [$($word),*].len()] = [$(DialectKind::$kind),*];

            /// The word used on the command line and in settings.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(DialectKind::$kind => $word,)*
                }
            }

            /// What is known of its servers before one is asked.
            #[must_use]
            pub fn info(self) -> &'static DialectInfo {
                match self {
                    $(DialectKind::$kind => &super::$folder::INFO,)*
                }
            }
        }
    };
}

dialect_table!(kinds);

impl DialectKind {
    /// The name shown to people.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.info().title
    }

    /// Whether its servers give keys out to those who sign in with e-mail and password.
    #[must_use]
    pub fn signs_in(self) -> bool {
        self.info().signs_in
    }

    /// Reads what [`DialectKind::word`] prints.
    #[must_use]
    pub fn from_word(word: &str) -> Option<DialectKind> {
        DialectKind::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// What is known of a dialect's servers before one is asked.
#[derive(Debug)]
pub struct DialectInfo {
    /// The name shown to people.
    pub title: &'static str,
    /// What it is and where it usually listens, in a sentence.
    pub hint: &'static str,
    /// An address as people would enter it.
    pub example: &'static str,
    /// What the socket speaks.
    pub transport: Transport,
    /// The socket's path, used when the configured URL has none (`/api/ws/tasks`).
    pub socket_path: &'static str,
    /// The path of the HTTP API, used when the configured base has none (`/api`); `None` where there
    /// is no API.
    pub api_path: Option<&'static str>,
    /// The port of the HTTP API when no base is configured and it is not the socket's.
    pub api_port: Option<u16>,
    /// Where the key goes on the socket.
    pub socket_key: KeyDefault,
    /// Where the key goes over HTTP.
    pub api_key: KeyDefault,
    /// Whether its servers ask for a key as they are shipped.
    pub wants_key: bool,
    /// What the key is and where people find it.
    pub key_help: &'static str,
    /// Whether its servers give keys out to those who sign in with e-mail and password.
    pub signs_in: bool,
    /// Settings that only this dialect knows.
    pub options: &'static [OptionInfo],
    /// The ports on which its address usually is.
    pub ports: &'static [u16],
    /// Further ports on which a part of it usually is.
    pub side_ports: &'static [u16],
    /// Paths in an address that only this kind has.
    pub paths: &'static [&'static str],
    /// Parts of a host's name that suggest this kind.
    pub host_words: &'static [&'static str],
    /// How its servers are recognised.
    pub recognition: Recognition,
    /// The documented numbers, with their sources.
    pub policy: Policy,
    /// Makes a dialect for one configured server; see [`dialect`](super::dialect).
    pub new: New,
}

/// Makes a dialect for a server with its key; the error is a sentence for people.
pub type New = fn(&Server, Option<Secret>) -> Result<Box<dyn Dialect>, String>;

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Frames of the dialect's own.
    WebSocket,
    /// Socket.IO in this namespace.
    SocketIo(&'static str),
}

/// Where the key goes unless a server's configuration says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDefault {
    /// Nowhere: none is taken.
    None,
    /// In the query, under this name.
    Query(&'static str),
    /// In a header of this name, alone.
    Header(&'static str),
    /// In the header `Authorization`, behind `Bearer`.
    Bearer,
    /// In a cookie of this name.
    Cookie(&'static str),
}

impl KeyDefault {
    /// The same as a server's configuration would say it.
    #[must_use]
    pub fn placement(self) -> Option<KeyPlacement> {
        let own = str::to_owned;
        match self {
            KeyDefault::None => None,
            KeyDefault::Query(name) => Some(KeyPlacement::Query { name: own(name) }),
            KeyDefault::Header(name) => {
                Some(KeyPlacement::Header { name: own(name), scheme: None })
            }
            KeyDefault::Bearer => Some(bearer()),
            KeyDefault::Cookie(name) => Some(KeyPlacement::Cookie { name: own(name) }),
        }
    }
}

impl fmt::Display for KeyDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyDefault::None => f.write_str("none"),
            KeyDefault::Query(name) => write!(f, "query `{name}`"),
            KeyDefault::Header(name) => write!(f, "header `{name}`"),
            KeyDefault::Bearer => f.write_str("`Authorization: Bearer`"),
            KeyDefault::Cookie(name) => write!(f, "cookie `{name}`"),
        }
    }
}

/// A setting that only one dialect knows: a text, absent by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OptionInfo {
    /// Its name in settings and on the command line.
    pub name: &'static str,
    /// Its name in the form.
    pub label: &'static str,
    /// What it does, or may hold.
    pub hint: &'static str,
}

impl DialectInfo {
    /// What an address may leave out.
    #[must_use]
    pub fn defaults(&self) -> Defaults {
        Defaults {
            ws_path: self.socket_path,
            api_path: self.api_path.unwrap_or("/"),
            api_port: self.api_port,
            ws_key: self.socket_key.placement(),
            http_key: self.api_key.placement(),
        }
    }

    /// The namespace in which its servers are usually spoken to; `None` where the socket is no
    /// Socket.IO.
    #[must_use]
    pub fn namespace(&self) -> Option<&'static str> {
        match self.transport {
            Transport::WebSocket => None,
            Transport::SocketIo(namespace) => Some(namespace),
        }
    }

    /// What the socket speaks and where, for the README's table.
    #[must_use]
    pub fn socket_text(&self) -> String {
        match (self.transport, self.socket_path) {
            (Transport::WebSocket, "/") => "WebSocket".to_owned(),
            (Transport::WebSocket, path) => format!("WebSocket, `{path}`"),
            (Transport::SocketIo("/"), _) => "Socket.IO, root namespace".to_owned(),
            (Transport::SocketIo(name), _) => format!("Socket.IO, namespace `{name}`"),
        }
    }

    /// Where the key goes, for the README's table.
    #[must_use]
    pub fn key_text(&self) -> String {
        let text = match (self.socket_key, self.api_key) {
            (KeyDefault::None, KeyDefault::None) => return "none".to_owned(),
            (KeyDefault::None, api) => format!("{api}, HTTP only"),
            (socket, api) if socket == api => socket.to_string(),
            (socket, KeyDefault::None) => socket.to_string(),
            (socket, api) => format!("{socket} on the socket, {api} over HTTP"),
        };
        if self.wants_key { text } else { format!("none, or {text}") }
    }
}

/// The help for options on the command line: `KECS: cluster, region, admin; …`.
#[must_use]
pub fn options_help() -> String {
    let of_one = |kind: DialectKind| {
        let names: Vec<_> = kind.info().options.iter().map(|option| option.name).collect();
        (!names.is_empty()).then(|| format!("{}: {}", kind.title(), names.join(", ")))
    };
    DialectKind::ALL.into_iter().filter_map(of_one).collect::<Vec<_>>().join("; ")
}
