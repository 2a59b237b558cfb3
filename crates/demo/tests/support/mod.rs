//! A raw client: frames in, frames out, no dialect.
// Each test binary uses a part of it; a client that cannot be built fails its test.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Control, Demo, DemoOptions, JobSpec};
use reqwest::Method;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Nothing here takes longer, except on a machine that is broken.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A demo in which nothing happens of its own accord.
pub async fn quiet() -> Demo {
    start(DemoOptions { life: false, ..DemoOptions::default() }).await
}

/// A demo with these options.
pub async fn start(options: DemoOptions) -> Demo {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Demo::start(options).await.unwrap()
}

/// A job that runs until told otherwise.
pub fn job(id: &str) -> JobSpec {
    JobSpec { id: Some(id.to_owned()), ..JobSpec::default() }
}

/// How a socket ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// With a close frame: its code, or nothing (1005).
    Closed(Option<u16>),
    /// Without one (1006).
    Dropped,
}

pub struct Client(WebSocketStream<TcpStream>);

impl Client {
    /// Opens a socket on the server's first port.
    pub async fn open(demo: &Demo, kind: DialectKind, path: &str) -> Client {
        Client::with(demo, kind, path, &[]).await.unwrap()
    }

    /// As `open`, with headers; the error is the refusal's status and body.
    pub async fn with(
        demo: &Demo,
        kind: DialectKind,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Client, (u16, String)> {
        let url = format!("ws://127.0.0.1:{}{path}", demo.ports(kind)[0]);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = match TcpStream::connect(("127.0.0.1", demo.ports(kind)[0])).await {
            Ok(stream) => stream,
            Err(error) => return Err((0, error.to_string())),
        };
        let opening = tokio_tungstenite::client_async(request, stream);
        match tokio::time::timeout(PATIENCE, opening).await {
            Ok(Ok((socket, _))) => Ok(Client(socket)),
            Ok(Err(Error::Http(response))) => {
                let body = response.body().clone().unwrap_or_default();
                Err((response.status().as_u16(), String::from_utf8(body).unwrap()))
            }
            Ok(Err(error)) => Err((0, error.to_string())),
            Err(_) => Err((0, "timed out".to_owned())),
        }
    }

    pub async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next frame of any kind.
    pub async fn frame(&mut self) -> Message {
        tokio::time::timeout(PATIENCE, self.0.next()).await.unwrap().unwrap().unwrap()
    }

    /// The next text frame.
    pub async fn text(&mut self) -> String {
        loop {
            if let Message::Text(text) = self.frame().await {
                return text.as_str().to_owned();
            }
        }
    }

    /// The next text frame as JSON.
    pub async fn json(&mut self) -> Value {
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// The text frames up to one that satisfies `last`.
    pub async fn until(&mut self, last: impl Fn(&str) -> bool) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            all.push(self.text().await);
            if all.last().is_some_and(|text| last(text)) {
                return all;
            }
        }
    }

    /// How it ends; frames before that are dropped.
    pub async fn end(&mut self) -> End {
        let end = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Close(frame))) => {
                        return End::Closed(frame.map(|frame| u16::from(frame.code)));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return End::Dropped,
                }
            }
        };
        tokio::time::timeout(PATIENCE, end).await.unwrap()
    }

    /// Whether nothing at all arrives for this long.
    pub async fn silent_for(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.0.next()).await.is_err()
    }

    /// Does not read for this long, so that pings stay unanswered.
    pub async fn sleep(&mut self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// A WebSocket ping.
    pub async fn ping(&mut self) {
        self.0.send(Message::Ping("?".into())).await.unwrap();
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }
}

/// Calls the port with this index.
pub async fn call(
    demo: &Demo,
    kind: DialectKind,
    port: usize,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
    body: Option<Value>,
) -> Answer {
    let url = format!("http://127.0.0.1:{}{path}", demo.ports(kind)[port]);
    let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let mut request = client.request(method, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

/// Waits until `ready` says so.
pub async fn eventually(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !ready() {
        assert!(tokio::time::Instant::now() < deadline, "{what} never happened");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What the server says of one job, canonically.
pub fn truth(control: &Control, id: &str) -> Value {
    let state = control.state();
    let jobs = state["jobs"].as_array().unwrap();
    jobs.iter().find(|job| job["id"] == id).cloned().unwrap_or(Value::Null)
}
