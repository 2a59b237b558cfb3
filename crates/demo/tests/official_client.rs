//! The demo's Socket.IO half against the official `socket.io-client`.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::time::Duration;

use jobwatch_core::server::DialectKind::{Analyzer, StudyBuddy};
use jobwatch_demo::DemoOptions;

#[tokio::test]
async fn the_official_socket_io_client_is_served_as_by_the_official_server() {
    let npm = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/npm");
    assert!(
        npm.join("node_modules/socket.io-client").exists(),
        "socket.io-client is missing: run cargo xtask test once, which installs it"
    );
    let demo = support::start(DemoOptions {
        life: false,
        ping_interval: Some(Duration::from_millis(200)),
        ping_timeout: Some(Duration::from_secs(5)),
        ..DemoOptions::default()
    })
    .await;
    let origin = |kind| format!("http://127.0.0.1:{}", demo.ports(kind)[0]);
    let node = tokio::process::Command::new("node")
        .arg("demo-client.mjs")
        .current_dir(npm)
        .env("STUDY_BUDDY", origin(StudyBuddy))
        .env("ANALYZER", origin(Analyzer))
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(60), node).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
