//! What is known of KECS before one is asked.

use serde_json::Value;

use super::Kecs;
use crate::dialect::table::{DialectInfo, KeyDefault, OptionInfo, Transport};
use crate::probe::{Check, Confidence, Finding, Recognition, Responses, below, socket_url, text};
use crate::server::{DialectKind, Policy};

/// The row of the table of dialects.
pub const INFO: DialectInfo = DialectInfo {
    title: "KECS",
    hint: "ECS tasks on Kubernetes: its API, usually on port 8080.",
    example: "http://kecs.example.com:8080",
    transport: Transport::WebSocket,
    socket_path: "/ws",
    api_path: Some("/"),
    api_port: None,
    socket_key: KeyDefault::Bearer,
    api_key: KeyDefault::Bearer,
    wants_key: false,
    key_help: "None is needed, unless a proxy in front of it wants a bearer token.",
    signs_in: false,
    options: &[
        OptionInfo {
            name: "cluster",
            label: "Cluster",
            hint: "All clusters are watched where empty",
        },
        OptionInfo { name: "region", label: "Region", hint: "Default: us-east-1" },
        OptionInfo {
            name: "admin",
            label: "Admin URL",
            hint: "The admin server, which serves the logs, usually on port 8081",
        },
    ],
    ports: &[8080],
    side_ports: &[8081],
    paths: &["/ws", "/api/ws"],
    host_words: &["kecs"],
    recognition: Recognition { checks: &[CLUSTERS, SOCKET, ADMIN], judge },
    // The document names exponential backoff without numbers: the general ones hold.
    policy: Policy::DEFAULT,
    new: |server, key| Ok(Box::new(Kecs::new(server, key)?)),
};

/// Its clusters.
const CLUSTERS: Check = Check::post(&["v1", "ListClusters"], "{}");
/// Whether it still has a socket.
pub const SOCKET: Check = Check::upgrade(&["ws"]);
/// The instances that its admin server manages.
pub const ADMIN: Check = Check::get(&["api", "instances"]);

fn judge(answers: &Responses<'_>) -> Option<Finding> {
    let clusters = answers.json(CLUSTERS);
    let listed = clusters.as_ref().is_some_and(|(status, body)| {
        *status == 200 && body.get("clusterArns").is_some_and(Value::is_array)
    });
    let in_its_words =
        |check| answers.json(check).is_some_and(|(_, body)| text(&body, "__type").is_some());
    let socket = answers.opened(SOCKET);
    let finding = |confidence, why| {
        let paths: (&[&str], &[&str]) = (&["ws"], &[]);
        let finding = answers.finding(DialectKind::Kecs, confidence, why, paths);
        Finding { socket_there: socket, ..finding }
    };
    if listed {
        let why = "it lists its clusters at /v1/ListClusters";
        return Some(Finding { wants_key: Some(false), ..finding(Confidence::Certain, why) });
    }
    if let Some(finding) = admin(answers) {
        return Some(finding);
    }
    if in_its_words(CLUSTERS) || in_its_words(Check::ROOT) {
        return Some(finding(Confidence::Likely, "it answers in the words of the ECS API"));
    }
    (socket == Some(true) && !answers.opens_anywhere())
        .then(|| finding(Confidence::Possible, "its socket opens at /ws"))
}

/// The admin server knows where the API of its instances is.
fn admin(answers: &Responses<'_>) -> Option<Finding> {
    let (status, body) = answers.json(ADMIN)?;
    let instances = body.get("instances")?.as_array().filter(|_| status == 200)?;
    let running = |instance: &&Value| text(instance, "status") == Some("running");
    let instance = instances.iter().find(running).or_else(|| instances.first());
    let port = instance
        .and_then(|instance| instance.get("apiPort")?.as_u64())
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port != 0);
    let mut api = answers.base.clone();
    // An API base takes a port.
    let _ = api.set_port(Some(port.unwrap_or(8080)));
    api.set_path("/");
    Some(Finding {
        kind: DialectKind::Kecs,
        confidence: if port.is_some() { Confidence::Certain } else { Confidence::Likely },
        why: "its admin server answers at /api/instances".to_owned(),
        socket: socket_url(&below(&api, &["ws"], None)),
        socket_there: None,
        api,
        options: vec![("admin", answers.base.to_string())],
        wants_key: Some(false),
    })
}
