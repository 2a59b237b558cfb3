//! What is known of AI Study Buddy servers before one is asked.

use std::time::Duration;

use serde_json::Value;

use super::{NAMESPACE, StudyBuddy};
use crate::dialect::table::{DialectInfo, KeyDefault, Transport};
use crate::probe::{Check, Confidence, Finding, Recognition, Responses};
use crate::server::{DialectKind, Policy};

/// The row of the table of dialects.
pub const INFO: DialectInfo = DialectInfo {
    title: "AI Study Buddy",
    hint: "Its API and socket, usually on port 3000.",
    example: "https://study.example.com",
    transport: Transport::SocketIo(NAMESPACE),
    socket_path: "/",
    api_path: Some("/"),
    api_port: None,
    socket_key: KeyDefault::Cookie("access_token"),
    api_key: KeyDefault::Cookie("access_token"),
    wants_key: true,
    key_help: "Sign in, or paste the cookie access_token of the site (in the browser’s developer tools, under Storage).",
    signs_in: true,
    options: &[],
    ports: &[3000],
    side_ports: &[],
    paths: &["/jobs"],
    host_words: &["study", "buddy"],
    recognition: Recognition { checks: &[JOBS, Check::ENGINE_IO], judge },
    policy: POLICY,
    new: |server, key| Ok(Box::new(StudyBuddy::new(server, key)?)),
};

const POLICY: Policy = Policy {
    first_delay: Duration::from_secs(1),
    max_delay: Duration::from_secs(5),
    attempts: 5,
    poll_fast: Duration::from_secs(3),
    // Measured: the server closes the socket on more than 30 packets a second.
    frames_per_second: Some(20),
    // Documented: 100 for each user and route, which the web page spends as well.
    requests_per_minute: Some(90),
    ..Policy::DEFAULT
};

/// One's own jobs.
const JOBS: Check = Check::get(&["jobs", "user", "me"]).query("limit=1");

fn judge(answers: &Responses<'_>) -> Option<Finding> {
    let (status, body) = answers.json(JOBS)?;
    let engine = answers.engine_io();
    let listed = status == 200 && body.get("jobs").is_some_and(Value::is_array);
    let refused = crate::probe::nest_refusal(status, &body);
    let (confidence, wants_key) = match (listed, refused, engine) {
        (true, _, true) => (Confidence::Certain, Some(false)),
        (true, _, false) => (Confidence::Likely, Some(false)),
        (_, true, true) => (Confidence::Certain, Some(true)),
        // Its own errors are numbered, which NestJS does not do by itself.
        (_, true, false) if body.get("requestId").is_some() => (Confidence::Certain, Some(true)),
        (_, true, false) => (Confidence::Possible, Some(true)),
        _ => return None,
    };
    let why = "its API answers at /jobs/user/me";
    let mut finding = answers.finding(DialectKind::StudyBuddy, confidence, why, (&[], &[]));
    finding.socket_there = answers.status(Check::ENGINE_IO).map(|_| engine);
    finding.wants_key = wants_key;
    Some(finding)
}
