//! What is known of TriggerX servers before one is asked.

use std::time::Duration;

use super::TriggerX;
use crate::dialect::kecs;
use crate::dialect::table::{DialectInfo, KeyDefault, OptionInfo, Transport};
use crate::probe::{Check, Confidence, Finding, Recognition, Responses, text};
use crate::server::{DialectKind, Policy};

/// The row of the table of dialects.
pub const INFO: DialectInfo = DialectInfo {
    title: "TriggerX",
    hint: "Task stream of a TriggerX database server, usually on port 9002.",
    example: "https://triggerx.example.com:9002",
    transport: Transport::WebSocket,
    socket_path: "/api/ws/tasks",
    api_path: Some("/api"),
    api_port: None,
    socket_key: KeyDefault::Query("api_key"),
    api_key: KeyDefault::Header("X-Api-Key"),
    wants_key: true,
    key_help: "The API key of your TriggerX account, as in NEXT_PUBLIC_API_KEY of the web app’s .env file.",
    signs_in: false,
    options: &[OptionInfo {
        name: "user",
        label: "User",
        hint: "Whose jobs to list without a key: an address, 0x…",
    }],
    ports: &[9002],
    side_ports: &[],
    paths: &["/api/ws/tasks", "/api/ws/stats", "/api/ws/health"],
    host_words: &["triggerx"],
    recognition: Recognition { checks: &[HEALTH, SOCKET], judge },
    policy: POLICY,
    new: |server, key| Ok(Box::new(TriggerX::new(server, key)?)),
};

/// Documented: an attempt every 5 s, 5 attempts. The documented fallback after 10 s of silence
/// needs no number here, since a silent connection is found by its missing pong.
const POLICY: Policy = Policy {
    first_delay: Duration::from_secs(5),
    max_delay: Duration::from_secs(5),
    attempts: 5,
    // Each subscription is answered by two frames, and the server closes a socket for which more
    // than 256 wait.
    frames_per_second: Some(50),
    // The key has a number of its own that no document names, and each reconnect takes from it: the
    // polls of many jobs must leave some.
    requests_per_minute: Some(120),
    ..Policy::DEFAULT
};

/// The public health of its socket.
const HEALTH: Check = Check::get(&["api", "ws", "health"]);
/// Whether its socket wants a key.
pub const SOCKET: Check = Check::upgrade(&["api", "ws", "tasks"]);

fn judge(answers: &Responses<'_>) -> Option<Finding> {
    let healthy = answers.json(HEALTH).is_some_and(|(status, body)| {
        status == 200 && body.get("websocket").is_some_and(serde_json::Value::is_object)
    });
    let refusal = answers.json(SOCKET);
    let code = refusal.as_ref().and_then(|(_, body)| text(body, "code")).unwrap_or_default();
    let (confidence, why) = match (healthy, code, answers.opened(SOCKET)) {
        (true, ..) => (Confidence::Certain, "its API answers at /api"),
        (_, "AUTHENTICATION_FAILED", _) => {
            (Confidence::Certain, "its socket at /api/ws/tasks asks for a key")
        }
        (_, "RATE_LIMIT_EXCEEDED", _) => {
            (Confidence::Likely, "its socket at /api/ws/tasks asks for a pause")
        }
        // The early KECS has its own socket there as well.
        (_, _, Some(true)) if answers.opened(kecs::SOCKET) != Some(true) => {
            (Confidence::Likely, "its socket opens at /api/ws/tasks")
        }
        _ => return None,
    };
    let paths: (&[&str], &[&str]) = (&["api", "ws", "tasks"], &["api"]);
    let mut finding = answers.finding(DialectKind::TriggerX, confidence, why, paths);
    finding.wants_key = match answers.status(SOCKET) {
        Some(401 | 403) => Some(true),
        Some(101) => Some(false),
        _ => None,
    };
    finding.socket_there = match answers.status(SOCKET) {
        Some(101 | 401 | 403 | 429) => Some(true),
        Some(_) => Some(false),
        None => None,
    };
    Some(finding)
}
