//! What is known of Better Bull Board before one is asked.

use std::time::Duration;

use url::Url;

use super::BullBoard;
use crate::dialect::table::{DialectInfo, KeyDefault, Transport};
use crate::probe::{Answer, Check, Confidence, Finding, Recognition, Responses, socket_url, text};
use crate::server::{DialectKind, Policy};

/// The row of the table of dialects.
pub const INFO: DialectInfo = DialectInfo {
    title: "Better Bull Board",
    hint: "The address of its web page, usually on port 3000; its socket is found from there.",
    example: "https://board.example.com",
    transport: Transport::WebSocket,
    socket_path: "/",
    api_path: Some("/api"),
    api_port: Some(3000),
    // The shipped socket takes no key.
    socket_key: KeyDefault::None,
    api_key: KeyDefault::Bearer,
    wants_key: true,
    key_help: "Sign in, or paste the cookie bbb-token of its web page (in the browser’s developer tools, under Storage).",
    signs_in: true,
    options: &[],
    ports: &[3000, 8081],
    side_ports: &[],
    paths: &[],
    host_words: &["bull"],
    recognition: Recognition { checks: &[USER, STATS, SOCKET], judge },
    policy: POLICY,
    new: |server, key| Ok(Box::new(BullBoard::new(server, key)?)),
};

/// The document names exponential backoff; the shipped client begins with 3 s and tries 5 times.
const POLICY: Policy = Policy {
    first_delay: Duration::from_secs(3),
    attempts: 5,
    // More than five table calls at once are answered with 503, and a browser may make one.
    parallel_requests: 4,
    ..Policy::DEFAULT
};

/// Who is signed in.
pub const USER: Check = Check::get(&["api", "auth", "me"]);
/// The numbers of its jobs.
pub const STATS: Check = Check::post(&["api", "jobs", "stats"], r#"{"days":1}"#);
/// A socket that takes everybody and greets nobody.
pub const SOCKET: Check = Check::upgrade(&[]);

fn judge(answers: &Responses<'_>) -> Option<Finding> {
    let paths: (&[&str], &[&str]) = (&[], &["api"]);
    let wants = |check| {
        answers.json(check).is_some_and(|(status, body)| {
            status == 401 && text(&body, "error") == Some("Authentication required")
        })
    };
    let counted = answers.json(STATS).is_some_and(|(status, body)| {
        status == 200
            && ["active", "completed", "failed"]
                .iter()
                .all(|name| body.get(name).is_some_and(serde_json::Value::is_number))
    });
    let titled = answers.get(Check::ROOT).and_then(Answer::title);
    let titled = titled.is_some_and(|title| title.contains("Better Bull Board"));
    let (confidence, why, wants_key) = match (counted, wants(STATS), titled) {
        (true, ..) => (Confidence::Certain, "its API answers at /api", Some(false)),
        (_, true, _) if wants(USER) || titled => {
            (Confidence::Certain, "its API answers at /api", Some(true))
        }
        (_, _, true) => (Confidence::Likely, "its page is titled so", None),
        _ => return socket_alone(answers),
    };
    let mut finding = answers.finding(DialectKind::BullBoard, confidence, why, paths);
    finding.wants_key = wants_key;
    // The socket is served by another program, on another port.
    let root = answers.get(Check::ROOT);
    finding.socket = root
        .and_then(|page| socket_in_page(&page.body, answers.base))
        .unwrap_or_else(|| with_port(&finding.socket, 8081));
    Some(finding)
}

/// The socket alone: it takes everybody at any path, and answers pings.
fn socket_alone(answers: &Responses<'_>) -> Option<Finding> {
    let socket = answers.get(SOCKET)?;
    if socket.status != 101 || !socket.alive {
        return None;
    }
    let greets = socket.body.contains(r#""type":"job-refresh""#);
    let bare = answers.status(Check::ROOT) == Some(426) && answers.opens_anywhere();
    let (confidence, why) = match (greets, bare) {
        (true, _) => (Confidence::Certain, "its socket greets"),
        (_, true) => (Confidence::Likely, "its socket opens at any path and greets nobody"),
        _ => return None,
    };
    let mut finding = answers.finding(DialectKind::BullBoard, confidence, why, (&[], &["api"]));
    finding.socket_there = Some(true);
    let mut api = with_port(answers.base, 3000);
    api.set_path("/api");
    finding.api = api;
    Some(finding)
}

fn with_port(url: &Url, port: u16) -> Url {
    let mut url = url.clone();
    // URLs with a host take a port.
    let _ = url.set_port(Some(port));
    url.set_path("/");
    url
}

/// The page hands the socket's URL to its own scripts. What names this computer there was meant for
/// the server's own browser: another host's page means that host.
fn socket_in_page(page: &str, base: &Url) -> Option<Url> {
    let page = page.replace("\\\"", "\"");
    let after = page.split("WEBSOCKET_URL\":\"").nth(1)?;
    let text = after.split('"').next()?.replace("\\/", "/");
    let url = Url::parse(&text).ok()?;
    if !matches!(url.scheme(), "ws" | "wss" | "http" | "https") {
        return None;
    }
    let local = |url: &Url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let mut url = match url.scheme() {
        "http" | "https" => socket_url(&url),
        _ => url,
    };
    if local(&url) && !local(base) {
        url.set_host(base.host_str()).ok()?;
    }
    url.set_query(None);
    url.set_fragment(None);
    // Both are possible for URLs with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(url)
}
