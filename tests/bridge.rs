//! The bridge that serves the page's commands to a browser while it is being developed.
// In a test a failed step is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

#[path = "../src-tauri/dev_bridge/bridge.rs"]
mod bridge;
mod support;

use bridge::Bridge;
use futures_util::StreamExt as _;
use jobwatch_app::demo_switch::DemoSwitch;
use jobwatch_engine::ports::Ports;
use jobwatch_engine::{Engine, Options, SettingsSource};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use support::PATIENCE;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const ORIGIN: &str = "http://127.0.0.1:5173";

async fn start() -> (Engine, Bridge) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options {
        data_dir: None,
        settings: SettingsSource::Fixed(Vec::new()),
        ports: Ports::default(),
        seed: Some(1),
    };
    let engine = Engine::start(options).await.unwrap();
    let bridge = Bridge::start(engine.clone(), DemoSwitch::default(), ORIGIN).await.unwrap();
    (engine, bridge)
}

async fn post(url: String, origin: &str, arguments: &Value) -> Response {
    let request = reqwest::Client::new().post(url).header("origin", origin);
    request.body(arguments.to_string()).send().await.unwrap()
}

async fn call(bridge: &Bridge, name: &str, arguments: Value) -> Response {
    post(format!("http://{}/call/{name}", bridge.address()), ORIGIN, &arguments).await
}

async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_calls_commands_and_receives_what_channels_send() {
    let (engine, bridge) = start().await;
    let mut request = format!("ws://{}/channels", bridge.address()).into_client_request().unwrap();
    request.headers_mut().insert("origin", ORIGIN.parse().unwrap());
    let stream = tokio::net::TcpStream::connect(request.uri().authority().unwrap().as_str());
    let stream = stream.await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let subscribed = call(&bridge, "subscribe", json!({"onTick": "mine"})).await;
    assert_eq!(subscribed.status(), StatusCode::OK);
    let message = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
    let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
    assert_eq!(
        (&message["channel"], &message["message"]["overview"]),
        (&json!("mine"), &json!(true))
    );
    let overview = json_of(call(&bridge, "overview", json!({})).await).await;
    assert_eq!(overview["servers"], json!([]), "{overview}");
    let refused = call(&bridge, "server_draft", json!({"id": "nobody"})).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(json_of(refused).await["code"].is_string());
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_page_with_its_token_may_call_and_only_what_exists() {
    let (engine, bridge) = start().await;
    let right = format!("http://{}/call/overview", bridge.address());
    let token = right.split('/').nth(3).unwrap();
    let none = json!({});
    assert!(bridge.page().starts_with(ORIGIN) && bridge.page().ends_with(token));
    let wrong = post(right.replace(token, "0123"), ORIGIN, &none).await;
    assert_eq!(wrong.status(), StatusCode::FORBIDDEN);
    let elsewhere = post(right, "http://evil.test", &none).await;
    assert_eq!(elsewhere.status(), StatusCode::FORBIDDEN);
    assert_eq!(call(&bridge, "quit", json!({})).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(call(&bridge, "log_text", json!({})).await.status(), StatusCode::BAD_REQUEST);
    engine.stop().await;
}
