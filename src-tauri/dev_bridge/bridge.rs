//! Serves the page's commands on a loopback port, so that the real page can run in an ordinary browser
//! against the real engine.
//!
//! `POST /TOKEN/call/NAME` with the arguments as JSON calls a command: 200 with its result, 422 with
//! the error for the user, 400 if the call itself is wrong. `GET /TOKEN/channels` upgrades to a
//! WebSocket that delivers `{"channel": ID, "message": …}` for the channels of the page. Both demand
//! the random token and the page's own origin: other sites and other users get nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper_util::rt::TokioIo;
use jobwatch_app::demo_switch::DemoSwitch;
use jobwatch_app::ipc::dispatch::{Rejection, dispatch};
use jobwatch_app::ipc::host::{Answer, Host, Saving, Shell};
use jobwatch_app::ipc::page::Page;
use jobwatch_engine::Engine;
use jobwatch_engine::api::{LogFormat, Theme, UserError};
use tauri::ipc::{Channel, InvokeResponseBody};
use tokio::sync::broadcast::{self, Sender};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

/// Messages that a slow page may have waiting; older ones are dropped.
const WAITING: usize = 1_024;

/// A running bridge.
pub struct Bridge {
    address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    host: Host,
    token: String,
    origin: String,
    messages: Sender<String>,
    pages: AtomicUsize,
}

impl Bridge {
    /// Starts to listen on a free loopback port, for the page of this origin.
    ///
    /// # Errors
    /// If there is no port or no randomness.
    pub async fn start(engine: Engine, demo: DemoSwitch, origin: &str) -> anyhow::Result<Bridge> {
        let (messages, _) = broadcast::channel(WAITING);
        let into = messages.clone();
        let channels = Arc::new(move |id: &str| {
            let (into, id) = (into.clone(), serde_json::Value::from(id));
            Some(Channel::new(move |body| {
                if let InvokeResponseBody::Json(message) = body {
                    // Fails only if no page is connected.
                    let _ = into.send(format!(r#"{{"channel":{id},"message":{message}}}"#));
                }
                Ok(())
            }))
        });
        let host = Host {
            engine,
            page: Arc::new(Page::default()),
            demo,
            saving: Saving::default(),
            shell: Arc::new(Browser),
            channels,
        };
        let (token, origin, pages) = (token()?, origin.to_owned(), AtomicUsize::new(0));
        let inner = Arc::new(Inner { host, token, origin, messages, pages });
        let router = Router::new()
            .route("/{token}/call/{name}", post(call))
            .route("/{token}/channels", get(channels_of))
            .with_state(Arc::clone(&inner));
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Bridge { address, inner })
    }

    /// The address for calls, without a scheme.
    pub fn address(&self) -> String {
        format!("{}/{}", self.address, self.inner.token)
    }

    /// The page's URL, with what it needs to find the bridge.
    pub fn page(&self) -> String {
        format!("{}/?bridge={}.{}", self.inner.origin, self.address.port(), self.inner.token)
    }
}

fn token() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    let provider = rustls::crypto::ring::default_provider();
    let filled = provider.secure_random.fill(&mut bytes);
    filled.map_err(|_| anyhow::anyhow!("the system has no randomness"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Inner {
    fn admits(&self, token: &str, headers: &HeaderMap) -> bool {
        let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        token == self.token && origin == Some(self.origin.as_str())
    }

    fn answer(&self, status: StatusCode, body: String) -> Response {
        let allowed = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.clone())];
        (status, allowed, body).into_response()
    }
}

async fn call(
    State(bridge): State<Arc<Inner>>,
    Path((token, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !bridge.admits(&token, &headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let arguments = match serde_json::from_slice(&body) {
        Ok(arguments) => arguments,
        Err(error) => return bridge.answer(StatusCode::BAD_REQUEST, error.to_string()),
    };
    match dispatch(bridge.host.clone(), &name, &arguments) {
        Ok(answer) => match answer.await {
            Ok(json) => bridge.answer(StatusCode::OK, json),
            Err(error) => {
                let error = serde_json::to_string(&error).unwrap_or_default();
                bridge.answer(StatusCode::UNPROCESSABLE_ENTITY, error)
            }
        },
        Err(Rejection::Unknown) => bridge.answer(StatusCode::NOT_FOUND, name),
        Err(rejection) => bridge.answer(StatusCode::BAD_REQUEST, format!("{name}: {rejection}")),
    }
}

async fn channels_of(
    State(bridge): State<Arc<Inner>>,
    Path(token): Path<String>,
    mut request: Request,
) -> Response {
    if !bridge.admits(&token, request.headers()) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let Some(key) = request.headers().get(header::SEC_WEBSOCKET_KEY).cloned() else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    // Before the answer, so that no message is missed.
    let mut messages = bridge.messages.subscribe();
    bridge.pages.fetch_add(1, Ordering::AcqRel);
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(stream) = upgrade.await {
            let io = TokioIo::new(stream);
            let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
            loop {
                tokio::select! {
                    message = messages.recv() => match message {
                        Ok(message) => if socket.send(Message::text(message)).await.is_err() {
                            break;
                        },
                        Err(broadcast::error::RecvError::Lagged(_)) => {}
                        Err(broadcast::error::RecvError::Closed) => break,
                    },
                    received = socket.next() => if !matches!(received, Some(Ok(_))) {
                        break;
                    },
                }
            }
        }
        // A reloaded page connects before the old one has gone.
        if bridge.pages.fetch_sub(1, Ordering::AcqRel) == 1 {
            bridge.host.page.disconnect();
            bridge.host.engine.detach_window();
        }
    });
    let accepted = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes()));
    accepted.body(Body::empty()).unwrap_or_else(|_| StatusCode::BAD_REQUEST.into_response())
}

/// A browser instead of a desktop: what only the desktop can do is left out.
struct Browser;

impl Shell for Browser {
    fn set_shortcut(&self, _: &str) -> Result<(), UserError> {
        Ok(())
    }

    fn set_theme(&self, _: Theme) {}

    fn set_zoom(&self, _: u32) {}

    fn starts_at_login(&self) -> Result<bool, UserError> {
        Ok(false)
    }

    fn set_start_at_login(&self, _: bool) -> Result<(), UserError> {
        Ok(())
    }

    /// Does nothing: the page opens the link itself, once it was found to be a web link.
    fn open_url(&self, _: &url::Url) -> Result<(), UserError> {
        Ok(())
    }

    fn ask_where_to_save(&self, _: LogFormat) -> Answer<Option<PathBuf>> {
        Box::pin(async { None })
    }
}
