//! What is known of wallet analyzers before one is asked.

use std::time::Duration;

use serde_json::Value;

use super::Analyzer;
use crate::dialect::table::{DialectInfo, KeyDefault, OptionInfo, Transport};
use crate::probe::{Check, Confidence, Finding, Recognition, Responses, nest_refusal, text};
use crate::server::{DialectKind, Policy};

/// The row of the table of dialects.
pub const INFO: DialectInfo = DialectInfo {
    title: "Wallet analyzer",
    hint: "Its API and socket, usually on port 3001.",
    example: "http://analyzer.example.com:3001",
    transport: Transport::SocketIo("/"),
    socket_path: "/",
    api_path: Some("/api/v1"),
    api_port: None,
    socket_key: KeyDefault::None,
    api_key: KeyDefault::Header("x-api-key"),
    wants_key: true,
    key_help: "The API key that you enter in the analyzer’s dashboard; its operator gives it out.",
    signs_in: false,
    options: &[OptionInfo { name: "framing", label: "Framing", hint: "socket.io or raw" }],
    ports: &[3001],
    side_ports: &[],
    paths: &["/job-progress"],
    host_words: &["analyzer", "analyser", "wallet"],
    recognition: Recognition { checks: &[JOBS, Check::ENGINE_IO, SOCKET], judge },
    policy: POLICY,
    new: |server, key| Ok(Box::new(Analyzer::new(server, key)?)),
};

/// The guide documents the polling interval; the rest are the defaults of its client.
const POLICY: Policy = Policy {
    first_delay: Duration::from_secs(1),
    max_delay: Duration::from_secs(5),
    poll_fast: Duration::from_secs(3),
    // Documented: 100 for each address and route.
    requests_per_minute: Some(90),
    ..Policy::DEFAULT
};

/// Its queues.
const JOBS: Check = Check::get(&["api", "v1", "jobs"]);
/// A gateway without Socket.IO, as documented.
const SOCKET: Check = Check::upgrade(&["job-progress"]);

fn judge(answers: &Responses<'_>) -> Option<Finding> {
    let engine = answers.engine_io();
    let gateway = answers.opened(SOCKET) == Some(true);
    let api: (&[&str], &[&str]) = (&[], &["api", "v1"]);
    let asked = answers.json(JOBS);
    let known = asked.as_ref().and_then(|(status, body)| {
        let listed = *status == 200 && body.get("queues").is_some_and(Value::is_array);
        let about_key = text(body, "message")
            .is_some_and(|message| message.to_ascii_lowercase().contains("api key"));
        match (listed, nest_refusal(*status, body)) {
            (true, _) => Some((Confidence::Certain, false)),
            (_, true) if about_key => Some((Confidence::Certain, true)),
            (_, true) => Some((Confidence::Possible, true)),
            _ => None,
        }
    });
    if let Some((confidence, wants_key)) = known {
        let why = "its API answers at /api/v1";
        let mut finding = answers.finding(DialectKind::Analyzer, confidence, why, api);
        finding.socket_there = answers.status(Check::ENGINE_IO).map(|_| engine || gateway);
        finding.wants_key = Some(wants_key);
        return Some(finding);
    }
    if gateway && !answers.opens_anywhere() {
        let why = "its socket opens at /job-progress";
        let paths: (&[&str], &[&str]) = (&["job-progress"], &["api", "v1"]);
        let mut finding = answers.finding(DialectKind::Analyzer, Confidence::Likely, why, paths);
        finding.socket_there = Some(true);
        return Some(finding);
    }
    None
}
