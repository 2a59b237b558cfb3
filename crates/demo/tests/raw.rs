//! First light: the raw dialects answer.
use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Demo, DemoOptions};

#[tokio::test]
async fn every_server_answers_over_http() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let demo = Demo::start(DemoOptions::default()).await.unwrap();
    for kind in [DialectKind::TriggerX, DialectKind::Kecs, DialectKind::BullBoard] {
        let port = *demo.ports(kind).last().unwrap();
        let reply = reqwest::get(format!("http://127.0.0.1:{port}/__demo/state")).await.unwrap();
        let state: serde_json::Value = reply.json().await.unwrap();
        assert!(state["jobs"].as_array().unwrap().len() > 5, "{kind:?} {state}");
    }
    demo.stop().await;
}
