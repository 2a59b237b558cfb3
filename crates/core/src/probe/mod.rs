//! Finding out from a pasted address which kind of server answers there.
//!
//! The questions of all kinds are asked side by side, without any key; what comes back is judged
//! here, and [`crate::dialect`] is not involved: a probe must recognise a server that it cannot
//! configure yet.

mod address;
mod kinds;

use url::Url;

pub use address::{Typed, read};
pub use kinds::judge;

use crate::dialect::Method;
use crate::server::DialectKind;

/// What is asked at one place, to recognise a kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// The page or answer at the address itself.
    Root,
    /// Whether there is an Engine.IO server.
    EngineIo,
    /// TriggerX: the public health of its socket.
    TriggerXHealth,
    /// TriggerX: whether its socket wants a key.
    TriggerXSocket,
    /// AI Study Buddy: one's own jobs.
    StudyBuddyJobs,
    /// The wallet analyzer: its queues.
    AnalyzerJobs,
    /// The wallet analyzer: a gateway without Socket.IO, as documented.
    AnalyzerSocket,
    /// KECS: its clusters.
    KecsClusters,
    /// KECS: whether it still has a socket.
    KecsSocket,
    /// KECS: the instances that its admin server manages.
    KecsAdmin,
    /// Better Bull Board: who is signed in.
    BullBoardUser,
    /// Better Bull Board: the numbers of its jobs.
    BullBoardStats,
    /// Better Bull Board: a socket that takes everybody and greets nobody.
    BullBoardSocket,
}

impl What {
    /// What is asked at a base to recognise one of `kinds`.
    #[must_use]
    pub fn of(kinds: &[DialectKind]) -> Vec<What> {
        let mut all = Vec::new();
        for kind in kinds {
            let asked: &[What] = match kind {
                DialectKind::TriggerX => &[What::TriggerXHealth, What::TriggerXSocket],
                DialectKind::StudyBuddy => &[What::StudyBuddyJobs, What::EngineIo],
                DialectKind::Analyzer => {
                    &[What::AnalyzerJobs, What::EngineIo, What::AnalyzerSocket]
                }
                DialectKind::Kecs => &[What::KecsClusters, What::KecsSocket, What::KecsAdmin],
                DialectKind::BullBoard => {
                    &[What::BullBoardUser, What::BullBoardStats, What::BullBoardSocket]
                }
            };
            all.extend(asked.iter().filter(|what| !all.contains(*what)).collect::<Vec<_>>());
        }
        all
    }
}

/// One request of a probe. It never carries a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What it asks.
    pub what: What,
    /// Where, complete.
    pub url: Url,
    /// How.
    pub method: Method,
    /// A JSON body.
    pub body: Option<&'static str>,
    /// Whether it is the opening of a WebSocket.
    pub upgrade: bool,
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

/// What `what` asks below `base`: the origin of a server with the path it may be served under.
#[must_use]
pub fn question(what: What, base: &Url) -> Question {
    let (method, path, query, body): (_, &[&str], _, _) = match what {
        What::Root => (Method::Get, &[], None, None),
        // An unknown transport is refused in Engine.IO's own words, and leaves no session behind.
        What::EngineIo => (Method::Get, &["socket.io", ""], Some("EIO=4&transport=none"), None),
        What::TriggerXHealth => (Method::Get, &["api", "ws", "health"], None, None),
        What::TriggerXSocket => (Method::Get, &["api", "ws", "tasks"], None, None),
        What::StudyBuddyJobs => (Method::Get, &["jobs", "user", "me"], Some("limit=1"), None),
        What::AnalyzerJobs => (Method::Get, &["api", "v1", "jobs"], None, None),
        What::AnalyzerSocket => (Method::Get, &["job-progress"], None, None),
        What::KecsClusters => (Method::Post, &["v1", "ListClusters"], None, Some("{}")),
        What::KecsSocket => (Method::Get, &["ws"], None, None),
        What::KecsAdmin => (Method::Get, &["api", "instances"], None, None),
        What::BullBoardUser => (Method::Get, &["api", "auth", "me"], None, None),
        What::BullBoardStats => {
            (Method::Post, &["api", "jobs", "stats"], None, Some(r#"{"days":1}"#))
        }
        What::BullBoardSocket => (Method::Get, &[], None, None),
    };
    let upgrade = matches!(
        what,
        What::TriggerXSocket | What::AnalyzerSocket | What::KecsSocket | What::BullBoardSocket
    );
    let url = below(base, path, query);
    Question { what, url, method, body, upgrade }
}

/// `path` below `base`.
fn below(base: &Url, path: &[&str], query: Option<&str>) -> Url {
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
pub enum Sureness {
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
    pub sureness: Sureness,
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
    let tail = match kind {
        DialectKind::TriggerX | DialectKind::BullBoard => "/api",
        DialectKind::Analyzer => "/api/v1",
        DialectKind::StudyBuddy | DialectKind::Kecs => "",
    };
    let path = api.path().trim_end_matches('/');
    let mut base = api.clone();
    base.set_path(path.strip_suffix(tail).unwrap_or(path));
    base.set_query(None);
    base.set_fragment(None);
    base
}

/// The port on which a kind's part usually is.
#[must_use]
pub fn usual_ports() -> [(u16, &'static [DialectKind]); 5] {
    [
        (9002, &[DialectKind::TriggerX]),
        (3001, &[DialectKind::Analyzer]),
        (3000, &[DialectKind::StudyBuddy, DialectKind::BullBoard]),
        (8080, &[DialectKind::Kecs]),
        (8081, &[DialectKind::Kecs, DialectKind::BullBoard]),
    ]
}
