//! Asking one question of a probe: no key, few bytes, a short while.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jobwatch_core::connection::Failure;
use jobwatch_core::dialect::{Frame, Method, OpenRequest};
use jobwatch_core::probe::{Answer, Check};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use crate::fetch::Clients;
use crate::lenient::Heard;
use crate::socket;
use jobwatch_core::redact::Redactor;

/// How much of an answer is read, in bytes: a page names its socket near its end.
const MAX_BODY: usize = 256 << 10;
/// Redirects followed within one origin.
const REDIRECTS: usize = 3;
/// How long an opened socket has to answer a ping.
const PONG: Duration = Duration::from_millis(700);

/// Why a question was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The name has no address.
    NoName,
    /// Nothing listens there.
    Refused,
    /// Nothing came in time.
    Silent,
    /// It does not speak TLS.
    NoTls,
    /// It speaks TLS, with a certificate that is not trusted, in words.
    Certificate(String),
    /// It takes connections, but does not answer as HTTP asks.
    NotHttp,
    /// It leads to another origin.
    Elsewhere(Url),
    /// Anything else, in words.
    Other(String),
}

/// Asks `check` below `base`; an answer with any status is one.
pub(super) async fn ask(clients: &Clients, check: &Check, base: &Url) -> Result<Answer, Trouble> {
    let url = check.url(base);
    if check.upgrade { upgrade(clients, &url).await } else { get(clients, check, url).await }
}

async fn get(clients: &Clients, check: &Check, mut url: Url) -> Result<Answer, Trouble> {
    for _ in 0..=REDIRECTS {
        let client = clients.for_url(&url).await.map_err(|failure| other(&failure))?;
        let method = match check.method {
            Method::Post => reqwest::Method::POST,
            _ => reqwest::Method::GET,
        };
        let mut request = client.request(method, url.clone());
        if let Some(body) = check.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let response = request.send().await.map_err(|error| trouble(clients, &error, &url))?;
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let target = header(LOCATION).filter(|_| (300..400).contains(&status));
        if let Some(target) = target.and_then(|target| url.join(target).ok()) {
            if target.origin() != url.origin() {
                return Err(Trouble::Elsewhere(bare(target)));
            }
            if check.method == Method::Get {
                url = target;
                continue;
            }
        }
        let content_type = header(CONTENT_TYPE)
            .map(|value| value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase());
        let body = beginning(response).await;
        return Ok(Answer { status, content_type, body, alive: false });
    }
    Err(Trouble::Other("it redirects in a circle".to_owned()))
}

/// A URL without what could be secret in it.
fn bare(mut url: Url) -> Url {
    url.set_query(None);
    url.set_fragment(None);
    // Refused only for URLs without a host, which hold no credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// What there is of a body within its bounds: whatever came is judged.
async fn beginning(mut response: reqwest::Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= MAX_BODY {
            body.truncate(MAX_BODY);
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

async fn upgrade(clients: &Clients, url: &Url) -> Result<Answer, Trouble> {
    let address = jobwatch_core::dialect::Address::new(jobwatch_core::probe::socket_url(url));
    let request = OpenRequest { address, headers: Vec::new(), protocols: Vec::new() };
    let mut socket = match socket::knock(clients, &request, &Redactor::default()).await {
        Ok(Ok(socket)) => socket,
        Ok(Err((response, _))) => {
            let status = response.status().as_u16();
            let body = beginning(response).await;
            return Ok(Answer { status, body, ..Answer::default() });
        }
        Err(failure) => return Err(other(&failure)),
    };
    let mut answer = Answer { status: 101, ..Answer::default() };
    let heard = async {
        socket.send(Message::Ping(Default::default())).await.ok()?;
        while let Some(Ok(Heard::Frame(frame))) = socket.next().await {
            answer.alive = true;
            match frame {
                Frame::Text(text) => answer.body = text,
                Frame::Pong => {}
                Frame::Binary(_) | Frame::Ping => continue,
            }
            return Some(());
        }
        None
    };
    let _ = timeout(PONG, heard).await;
    let _ = timeout(PONG, socket.close()).await;
    Ok(answer)
}

fn other(failure: &Failure) -> Trouble {
    match failure {
        Failure::Timeout(_) => Trouble::Silent,
        failure => Trouble::Other(failure.to_string()),
    }
}

/// What kept a request from being answered, from the libraries' own types.
fn trouble(clients: &Clients, error: &reqwest::Error, url: &Url) -> Trouble {
    if error.is_timeout() {
        return Trouble::Silent;
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut kind = None;
    let mut dns = false;
    while let Some(current) = source {
        match current.downcast_ref::<rustls::Error>() {
            Some(rustls::Error::InvalidMessage(_)) => return Trouble::NoTls,
            Some(rustls::Error::InvalidCertificate(_)) => {
                let words = clients.failure(error, url, &Redactor::default()).to_string();
                return Trouble::Certificate(words);
            }
            _ => {}
        }
        let io = current.downcast_ref::<std::io::Error>();
        kind = kind.or(io.map(std::io::Error::kind));
        dns |= current.to_string().contains("dns error");
        // What an IO error wraps, a TLS error for instance, is not among its sources.
        source = match io.and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    use std::io::ErrorKind;
    match (error.is_connect(), kind) {
        (true, _) if dns => Trouble::NoName,
        (true, Some(ErrorKind::ConnectionRefused)) => Trouble::Refused,
        // A server that expects HTTP hangs up at the first bytes of TLS.
        (true, Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset))
            if url.scheme() == "https" =>
        {
            Trouble::NoTls
        }
        (true, _) => Trouble::Other(clients.failure(error, url, &Redactor::default()).to_string()),
        (false, _) => Trouble::NotHttp,
    }
}
