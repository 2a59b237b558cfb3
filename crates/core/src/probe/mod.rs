//! Finding out from a pasted address which kind of server answers there.
//!
//! The checks of all kinds run side by side, without any key, and their answers are judged here.
//! What to check is in each dialect's `INFO`; no dialect is built, since a probe must recognise a
//! server that cannot be configured yet.

mod address;
mod judge;

use url::Url;

pub use address::{Typed, read};
pub use judge::{Answers, Recognition, Responses, judge, nest_refusal, text};

use crate::dialect::Method;
use crate::server::DialectKind;

/// One request of a probe, below the base of a server: its origin with the path it may be served
/// under. It never carries a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Check {
    /// How.
    pub method: Method,
    /// Segments below the base.
    pub path: &'static [&'static str],
    /// The query.
    pub query: Option<&'static str>,
    /// A JSON body.
    pub body: Option<&'static str>,
    /// Whether it is the opening of a WebSocket.
    pub upgrade: bool,
}

impl Check {
    /// The page or answer at the base itself.
    pub const ROOT: Check = Check::get(&[]);

    /// Whether there is an Engine.IO server. An unknown transport is refused in Engine.IO's own
    /// words, and leaves no session behind.
    pub const ENGINE_IO: Check = Check::get(&["socket.io", ""]).query("EIO=4&transport=none");

    /// A GET.
    #[must_use]
    pub const fn get(path: &'static [&'static str]) -> Check {
        Check { method: Method::Get, path, query: None, body: None, upgrade: false }
    }

    /// A POST of a JSON body.
    #[must_use]
    pub const fn post(path: &'static [&'static str], body: &'static str) -> Check {
        Check { method: Method::Post, path, query: None, body: Some(body), upgrade: false }
    }

    /// The opening of a WebSocket.
    #[must_use]
    pub const fn upgrade(path: &'static [&'static str]) -> Check {
        Check { upgrade: true, ..Check::get(path) }
    }

    /// The same with a query.
    #[must_use]
    pub const fn query(self, query: &'static str) -> Check {
        Check { query: Some(query), ..self }
    }

    /// Its URL below `base`.
    #[must_use]
    pub fn url(&self, base: &Url) -> Url {
        below(base, self.path, self.query)
    }
}

/// What is asked at a base to recognise one of `kinds`, each once.
#[must_use]
pub fn checks(kinds: &[DialectKind]) -> Vec<Check> {
    let mut all = Vec::new();
    for check in kinds.iter().flat_map(|kind| kind.info().recognition.checks) {
        if !all.contains(check) {
            all.push(*check);
        }
    }
    all
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 101 where a socket opened.
    pub status: u16,
    /// The `content-type`, lower case, without parameters.
    pub content_type: Option<String>,
    /// The beginning of the body, or the first text that an opened socket said.
    pub body: String,
    /// Whether an opened socket answered a ping or said anything.
    pub alive: bool,
}

impl Answer {
    /// Whether it is a web page.
    #[must_use]
    pub fn is_page(&self) -> bool {
        self.content_type.as_deref() == Some("text/html") || self.body.trim_start().starts_with('<')
    }

    /// A page's title, if it has one.
    #[must_use]
    pub fn title(&self) -> Option<String> {
        let lower = self.body.to_ascii_lowercase();
        let start = lower.find("<title")?;
        let start = start + lower[start..].find('>')? + 1;
        let end = start + lower[start..].find('<')?;
        let title = self.body.get(start..end)?.split_whitespace().collect::<Vec<_>>().join(" ");
        Some(title).filter(|title| !title.is_empty())
    }
}

/// `path` below `base`.
#[must_use]
pub fn below(base: &Url, path: &[&str], query: Option<&str>) -> Url {
    let mut url = base.clone();
    if !path.is_empty()
        && let Ok(mut segments) = url.path_segments_mut()
    {
        segments.pop_if_empty().extend(path);
    }
    url.set_query(query);
    url.set_fragment(None);
    url
}

/// How sure a recognition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// Others answer like this too.
    Possible,
    /// Hardly anybody else answers like this.
    Likely,
    /// Nobody else answers like this.
    Certain,
}

/// A kind of server that was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which kind.
    pub kind: DialectKind,
    /// How sure that is.
    pub confidence: Confidence,
    /// What told, as it follows the kind's name: "its API answers at /api".
    pub why: String,
    /// The URL of the socket, where it is or would be.
    pub socket: Url,
    /// Whether the socket was seen to be there; `None` where that was not asked or did not come out.
    pub socket_there: Option<bool>,
    /// The base of the HTTP API.
    pub api: Url,
    /// Settings of this kind that were found (KECS: `admin`).
    pub options: Vec<(&'static str, String)>,
    /// Whether it wants a key; `None` where that did not come out.
    pub wants_key: Option<bool>,
}

/// A socket's URL: `ws` for `http`, `wss` for `https`.
#[must_use]
pub fn socket_url(url: &Url) -> Url {
    let mut url = url.clone();
    // Between special schemes this is always possible.
    let _ = url.set_scheme(if url.scheme() == "https" { "wss" } else { "ws" });
    url
}

/// The base of a server whose API is at `api`: what stands before the kind's own path.
#[must_use]
pub fn base_of(kind: DialectKind, api: &Url) -> Url {
    let tail = kind.info().api_path.unwrap_or_default().trim_end_matches('/');
    let path = api.path().trim_end_matches('/');
    let mut base = api.clone();
    base.set_path(path.strip_suffix(tail).unwrap_or(path));
    base.set_query(None);
    base.set_fragment(None);
    base
}

/// The ports at which servers usually are, each with the kinds that may be there.
#[must_use]
pub fn usual_ports() -> Vec<(u16, Vec<DialectKind>)> {
    let mut all: Vec<(u16, Vec<DialectKind>)> = Vec::new();
    for kind in DialectKind::ALL {
        let info = kind.info();
        if info.recognition.checks.is_empty() {
            continue;
        }
        for port in info.ports.iter().chain(info.side_ports) {
            match all.iter_mut().find(|(known, _)| known == port) {
                Some((_, kinds)) => kinds.push(kind),
                None => all.push((*port, vec![kind])),
            }
        }
    }
    all
}
