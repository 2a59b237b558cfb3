//! Opening a WebSocket: an HTTP/1.1 upgrade through the same client as all other requests, so that
//! proxies, certificates and timeouts are the same everywhere.

use std::time::Duration;

use jobwatch_core::connection::Failure;
use jobwatch_core::dialect::{Address, OpenRequest};
use reqwest::Upgraded;
use reqwest::header::{
    CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use url::Url;

use crate::fetch::{
    Clients, MAX_REDIRECTS, describe_body, failure, header_map, pause_of, read_up_to,
};
use crate::lenient::LenientSocket;
use crate::proxy;
use crate::redact::Redactor;

/// The largest frame and message that is read, in bytes, as much as of an answer over HTTP: room
/// for a log line of 10 MiB however it is escaped. Of a longer one nothing is read, and the link goes
/// on.
pub const MAX_MESSAGE: usize = crate::fetch::MAX_BODY;
/// What may wait to be written before the link counts as stuck, in bytes.
pub const MAX_WRITE: usize = 4 << 20;
/// How much of a refused upgrade's body is read, and for how long.
const REFUSAL_BODY: usize = 64 << 10;
const REFUSAL_TIME: Duration = Duration::from_secs(2);

/// An open socket.
pub type Socket = LenientSocket<Upgraded>;

/// Opens a socket within `limit`.
///
/// # Errors
/// Why it could not be opened, in words without the key.
pub async fn open(
    clients: &Clients,
    request: &OpenRequest,
    limit: Duration,
    redactor: &Redactor,
) -> Result<Socket, Failure> {
    let deadline = Instant::now() + limit;
    let opened = timeout_at(deadline, upgrade(clients, request, redactor)).await;
    opened.unwrap_or(Err(Failure::Timeout(limit)))
}

async fn upgrade(
    clients: &Clients,
    request: &OpenRequest,
    redactor: &Redactor,
) -> Result<Socket, Failure> {
    match knock(clients, request, redactor).await? {
        Ok(socket) => Ok(socket),
        Err((response, url)) => Err(refusal(response, &url, clients, redactor).await),
    }
}

/// Asks for the upgrade: gives the socket, or the answer that refuses it with where that came from.
pub(crate) async fn knock(
    clients: &Clients,
    request: &OpenRequest,
    redactor: &Redactor,
) -> Result<Result<Socket, (reqwest::Response, url::Url)>, Failure> {
    let nonce = generate_key();
    let mut headers = header_map(&request.headers)?;
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let unsendable = |_| Failure::Protocol("a sub-protocol cannot be sent as a header".to_owned());
    headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_str(&nonce).map_err(unsendable)?);
    if !request.protocols.is_empty() {
        let offered = HeaderValue::from_str(&request.protocols.join(", ")).map_err(unsendable)?;
        headers.insert(SEC_WEBSOCKET_PROTOCOL, offered);
    }
    let mut address = request.address.clone();
    let mut redirects = 0;
    let (response, url) = loop {
        let url = over_http(address.expose());
        let response = ask(clients, &url, &headers, redactor).await?;
        match redirected(&address, &response) {
            Some(target) if redirects < MAX_REDIRECTS => {
                redirects += 1;
                address = target;
            }
            _ if response.status().as_u16() == 101 => break (response, url),
            _ => return Ok(Err((response, url))),
        }
    };
    let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(|value| value.as_bytes());
    if accepted != Some(derive_accept_key(nonce.as_bytes()).as_bytes()) {
        return Err(Failure::Protocol(
            "the server agreed to the upgrade without proving that it speaks WebSocket".to_owned(),
        ));
    }
    let upgraded = response.upgrade().await.map_err(|error| failure(&error, &url, redactor))?;
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .max_write_buffer_size(MAX_WRITE);
    Ok(Ok(LenientSocket::new(upgraded, config).await))
}

/// The URL that an upgrade is asked at.
fn over_http(url: &Url) -> Url {
    let mut url = url.clone();
    // Between special schemes this is always possible.
    let _ = url.set_scheme(if url.scheme() == "wss" { "https" } else { "http" });
    url
}

async fn ask(
    clients: &Clients,
    url: &Url,
    headers: &HeaderMap,
    redactor: &Redactor,
) -> Result<reqwest::Response, Failure> {
    if let Some(proxy) = clients.proxy_to(url).await
        && let Some(answer) = proxy::upgrade(&proxy, url, headers).await
    {
        return answer;
    }
    let request = clients.for_url(url).await?.get(url.clone()).headers(headers.clone());
    match request.send().await {
        Ok(response) => Ok(response),
        Err(error) => Err(clients.failure(&error, url, redactor)),
    }
}

/// Where an upgrade is redirected within its origin, as to the same path with a slash at its end.
/// Elsewhere the key must not go, and a redirect to a login is for people to see.
fn redirected(from: &Address, response: &reqwest::Response) -> Option<Address> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let mut target = over_http(from.expose()).join(location).ok()?;
    let secure = match target.scheme() {
        "https" | "wss" => "wss",
        "http" | "ws" => "ws",
        _ => return None,
    };
    target.set_scheme(secure).ok()?;
    from.redirected(&target)
}

async fn refusal(
    response: reqwest::Response,
    url: &Url,
    clients: &Clients,
    redactor: &Redactor,
) -> Failure {
    let status = response.status().as_u16();
    if status == 407 {
        let via = clients.proxy_to(url).await.map_or_else(String::new, |proxy| proxy.place());
        return Failure::Unreachable(proxy::wants_credentials(&via));
    }
    let retry_after = pause_of(status, response.headers(), jiff::Timestamp::now());
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let content_type = header(CONTENT_TYPE).map(str::to_ascii_lowercase);
    let redirect = header(LOCATION).filter(|_| (300..400).contains(&status)).map(|location| {
        let target = url.join(location).ok().map(|mut target| {
            target.set_query(None);
            target.set_fragment(None);
            let _ = target.set_password(None);
            target.to_string()
        });
        let target = target.unwrap_or_else(|| "somewhere else".to_owned());
        redactor.clean(&format!(
            "a redirect to {target}; if that is the right place, make it the server's address"
        ))
    });
    let text = match redirect {
        Some(redirect) => Some(redirect),
        None => {
            let body = timeout(REFUSAL_TIME, read_up_to(response, REFUSAL_BODY, url, redactor));
            // The end of one that is too large might be half of a key.
            let body = body.await.ok().and_then(Result::ok).filter(|(_, whole)| *whole);
            let body = body.map(|(body, _)| body).unwrap_or_default();
            describe_body(content_type.as_deref(), &body, redactor)
        }
    };
    Failure::Http { status, text, retry_after }
}

/// Why reading or writing ended, in words.
pub(crate) fn describe_end(error: &Error, redactor: &Redactor) -> String {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { size, max_size }) => format!(
            "the server sent a frame of {} MiB, more than the {} MiB that are taken",
            size.div_ceil(1 << 20),
            max_size >> 20
        ),
        Error::ConnectionClosed | Error::AlreadyClosed => "the connection was closed".to_owned(),
        Error::Utf8(_) => "the server closed the connection without readable words".to_owned(),
        Error::Io(error) => redactor.clean(&format!("the connection broke: {error}")),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            "the server dropped the connection".to_owned()
        }
        Error::Protocol(error) => {
            redactor.clean(&format!("the server broke the WebSocket protocol: {error}"))
        }
        other => redactor.clean(&format!("the connection failed: {other}")),
    }
}
