//! Listening, HTTP, and the handshake of WebSockets.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Bytes;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::sync::CancellationToken;

use crate::control::{ApiFault, UpgradeFault};
use crate::http;
use crate::protocol::{Reply, Request, Role};
use crate::registry::Registry;
use crate::server::{Port, Shared, lock};
use crate::socket;

/// The longest request body that is read.
const MAX_BODY: usize = 16 << 20;

type Answer = Response<Full<Bytes>>;

/// Serves the port with this index until the server stops.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    index: usize,
    registry: Arc<Registry>,
    listener: TcpListener,
) {
    let port = &shared.ports[index];
    let mut wanted = port.wanted.subscribe();
    let mut listener = Some(listener);
    loop {
        let on = *wanted.borrow_and_update();
        if on && listener.is_none() {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port.number)).await {
                Ok(bound) => {
                    *lock(&port.alive) = shared.stop.child_token();
                    listener = Some(bound);
                }
                Err(error) => {
                    tracing::warn!(port = port.number, %error, "cannot listen again yet");
                    tokio::select! {
                        () = shared.stop.cancelled() => return,
                        () = tokio::time::sleep(Duration::from_millis(100)) => continue,
                    }
                }
            }
        } else if !on && listener.take().is_some() {
            lock(&port.alive).cancel();
        }
        port.actual.send_replace(on);
        tokio::select! {
            () = shared.stop.cancelled() => return,
            changed = wanted.changed() => if changed.is_err() { return },
            accepted = accept(listener.as_ref()) => match accepted {
                Ok(stream) => connection(&shared, port, &registry, stream),
                Err(error) => {
                    tracing::warn!(port = port.number, %error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> std::io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

fn connection(shared: &Arc<Shared>, port: &Port, registry: &Arc<Registry>, stream: TcpStream) {
    if shared.faults.borrow().drop_tcp {
        return;
    }
    // Small frames must not wait for acknowledgements; without the option they only arrive later.
    let _ = stream.set_nodelay(true);
    let (shared, registry, role) = (Arc::clone(shared), Arc::clone(registry), port.role);
    let alive = port.token();
    tokio::spawn(async move {
        let handler = {
            let alive = alive.clone();
            service_fn(move |request| {
                let (shared, registry, alive) =
                    (Arc::clone(&shared), Arc::clone(&registry), alive.clone());
                async move {
                    let date = shared.date();
                    let mut answer = handle(shared, registry, role, alive, request).await;
                    if let Some(date) = date.and_then(|date| date.parse().ok()) {
                        answer.headers_mut().insert(header::DATE, date);
                    }
                    Ok::<Answer, Infallible>(answer)
                }
            })
        };
        let serving = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), handler)
            .with_upgrades();
        tokio::select! {
            result = serving => if let Err(error) = result {
                tracing::debug!(%error, "a connection ended");
            },
            () = alive.cancelled() => {}
        }
    });
}

async fn handle(
    shared: Arc<Shared>,
    registry: Arc<Registry>,
    role: Role,
    alive: CancellationToken,
    mut request: hyper::Request<Incoming>,
) -> Answer {
    let upgrade = is_upgrade(&request).then(|| hyper::upgrade::on(&mut request));
    let accept_key = request.headers().get("sec-websocket-key").cloned();
    let (parts, body) = request.into_parts();
    let body = match &upgrade {
        Some(_) => Vec::new(),
        None => match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => body.to_bytes().to_vec(),
            Err(_) => return answer(Reply::json(413, r#"{"error":"the body is too long"}"#)),
        },
    };
    let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes());
    let request = Request {
        role,
        ports: shared.ports.iter().map(|port| port.number).collect(),
        method: parts.method,
        path: decode(parts.uri.path()),
        query: query.into_owned().collect(),
        headers: parts.headers,
        body,
    };
    if request.path.starts_with("/__demo/") {
        return answer(http::command(&shared, &registry, &request).await);
    }
    let (Some(upgrade), Some(key)) = (upgrade, accept_key) else {
        return api(&shared, &request).await;
    };
    shared.with(|state, _| {
        state.counted.upgrades += 1;
        state.counted.with_origin += u64::from(request.headers.contains_key("origin"));
    });
    let fault = shared.faults.borrow().upgrade.clone();
    match fault {
        Some(UpgradeFault::Status { status, retry_after }) => {
            let reply = Reply::json(
                status,
                format!(r#"{{"error":"refused on command","code":"HTTP_{status}"}}"#),
            );
            return answer(match retry_after {
                Some(seconds) => reply.with("retry-after", seconds.to_string()),
                None => reply,
            });
        }
        Some(UpgradeFault::Never) => return std::future::pending().await,
        Some(UpgradeFault::Drop) => {
            tokio::spawn(async move { upgrade.await.map(drop) });
            return switching(&key);
        }
        None => {}
    }
    match shared.with(|state, _| state.protocol.upgrade(&state.world, &state.sessions, &request)) {
        Ok(session) => {
            tokio::spawn(async move {
                match upgrade.await {
                    Ok(stream) => socket::run(shared, TokioIo::new(stream), session, alive).await,
                    Err(error) => tracing::debug!(%error, "an upgrade was abandoned"),
                }
            });
            switching(&key)
        }
        Err(reply) => answer(reply),
    }
}

async fn api(shared: &Arc<Shared>, request: &Request) -> Answer {
    shared.with(|state, _| {
        let name = format!("{} {}", request.method, request.path);
        *state.counted.requests.entry(name).or_default() += 1;
        state.counted.with_origin += u64::from(request.headers.contains_key("origin"));
    });
    let fault = shared.faults.borrow().api.clone();
    let Some(fault) = fault else { return respond(shared, request).await };
    if fault.never {
        return std::future::pending().await;
    }
    if let Some(ms) = fault.delay_ms {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    let ApiFault { status, retry_after, body, .. } = fault;
    if status.is_none() && body.is_none() {
        return respond(shared, request).await;
    }
    let status = status.unwrap_or(200);
    let reply = match body {
        Some(body) if body.starts_with('<') => Reply::html(status, body),
        Some(body) => Reply::json(status, body),
        None => Reply::json(status, r#"{"error":"refused on command"}"#),
    };
    answer(match retry_after {
        Some(seconds) => reply.with("retry-after", seconds.to_string()),
        None => reply,
    })
}

async fn respond(shared: &Arc<Shared>, request: &Request) -> Answer {
    let reply =
        shared.with(|state, _| state.protocol.http(&mut state.world, &state.sessions, request));
    if let Some(delay) = reply.delay {
        tokio::time::sleep(delay).await;
    }
    answer(reply)
}

fn is_upgrade(request: &hyper::Request<Incoming>) -> bool {
    let upgrade = request.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

fn decode(path: &str) -> String {
    // Only `%XX` is decoded: a plus sign stands for itself in a path.
    let plus = path.replace('+', "%2B");
    let mut decoded = url::form_urlencoded::parse(plus.as_bytes());
    match decoded.next() {
        Some((name, value)) if value.is_empty() && !plus.contains(['=', '&']) => name.into_owned(),
        _ => path.to_owned(),
    }
}

fn switching(key: &header::HeaderValue) -> Answer {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = derive_accept_key(key.as_bytes()).parse() {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

fn answer(reply: Reply) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(reply.body)));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(reply.content_type));
    for (name, value) in reply.headers {
        if let Ok(value) = value.parse() {
            headers.append(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn a_path_is_decoded_byte_for_byte() {
        assert_eq!(decode("/api/jobs/a%20b+c"), "/api/jobs/a b+c");
        assert_eq!(decode("/x=1&y"), "/x=1&y");
    }
}
