//! Proxies: which one leads to an address, and WebSockets through those that speak HTTP.
//!
//! The environment's variables (`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`) come first. Where
//! none is set, the desktop is asked, which is how a program that was started from a menu learns of a
//! proxy at all. What is on this machine is reached directly.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use jobwatch_core::connection::Failure;
use reqwest::header::{HOST, HeaderMap, HeaderValue};
use tower_service::Service as _;
use url::Url;

use crate::fetch::{is_loopback, place};

/// Looks up the desktop's own setting: the proxy that leads to a URL, as a URL itself. May block.
pub type Lookup = dyn Fn(&Url) -> Option<String> + Send + Sync;

/// The desktop's answer holds for so long: its setting may change, or the network may.
const HOLDS: Duration = Duration::from_secs(30);
/// How long the desktop may take, which may have to fetch a script first.
const PATIENCE: Duration = Duration::from_secs(3);
/// Answers kept at most.
const KEPT: usize = 256;

static DESKTOP: OnceLock<Arc<Lookup>> = OnceLock::new();

/// Names the desktop's own setting, once for the whole process, as the environment's variables are.
/// Later calls change nothing.
pub fn use_desktop(lookup: Arc<Lookup>) {
    let _ = DESKTOP.set(lookup);
}

/// The proxies of this process.
#[derive(Clone)]
pub(crate) struct Proxies(Arc<Inner>);

struct Inner {
    source: Source,
    /// What the desktop said of an origin, and when.
    known: Mutex<HashMap<String, (Instant, Option<Url>)>>,
}

enum Source {
    Environment(Box<Matcher>),
    Desktop(Arc<Lookup>),
    None,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.source {
            Source::Environment(_) => "Proxies(environment)",
            Source::Desktop(_) => "Proxies(desktop)",
            Source::None => "Proxies(none)",
        })
    }
}

impl Default for Proxies {
    fn default() -> Proxies {
        let named = ["http_proxy", "https_proxy", "all_proxy"].iter().any(|name| {
            [name.to_string(), name.to_uppercase()]
                .iter()
                .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
        });
        let source = match DESKTOP.get() {
            _ if named => Source::Environment(Box::new(Matcher::from_env())),
            Some(lookup) => Source::Desktop(Arc::clone(lookup)),
            None => Source::None,
        };
        Proxies(Arc::new(Inner { source, known: Mutex::default() }))
    }
}

/// A proxy that leads somewhere.
#[derive(Clone)]
pub(crate) struct Proxy {
    url: Url,
    /// `Basic …`, for proxies that speak HTTP.
    authorization: Option<HeaderValue>,
}

impl Proxy {
    /// Host and port, without credentials.
    pub fn place(&self) -> String {
        place(&self.url)
    }

    /// Whether it is spoken to in plain HTTP, so that it must be asked for a tunnel.
    fn tunnels(&self) -> bool {
        self.url.scheme() == "http"
    }
}

impl Proxies {
    /// The proxy that leads to `url`, if any.
    pub async fn to(&self, url: &Url) -> Option<Proxy> {
        if let Source::Desktop(lookup) = &self.0.source
            && !is_loopback(url)
            && self.known(url).is_none()
        {
            self.look_up(url, lookup).await;
        }
        self.through(url)
    }

    /// As [`Proxies::to`] has lately answered.
    pub fn through(&self, url: &Url) -> Option<Proxy> {
        if is_loopback(url) {
            return None;
        }
        match &self.0.source {
            Source::None => None,
            Source::Environment(matcher) => {
                let found = matcher.intercept(&url.as_str().parse().ok()?)?;
                let authorization = found.basic_auth().cloned();
                Some(Proxy { url: Url::parse(&found.uri().to_string()).ok()?, authorization })
            }
            Source::Desktop(_) => {
                Some(Proxy { url: self.known(url).flatten()?, authorization: None })
            }
        }
    }

    async fn look_up(&self, url: &Url, lookup: &Arc<Lookup>) {
        // The path is nobody's business, and may hold a key.
        let mut asked = url.clone();
        asked.set_path("/");
        asked.set_query(None);
        asked.set_fragment(None);
        let lookup = Arc::clone(lookup);
        let answer = tokio::task::spawn_blocking(move || lookup(&asked));
        let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, answer).await else { return };
        let proxy = answer.and_then(|proxy| {
            // `socks` lets the proxy look names up, as desktops mean it.
            let proxy = match proxy.split_once("://") {
                Some(("socks", rest)) => format!("socks5h://{rest}"),
                _ => proxy,
            };
            Url::parse(&proxy).ok().filter(|proxy| proxy.scheme() != "direct")
        });
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(url.origin().ascii_serialization(), (Instant::now(), proxy));
    }

    /// What the desktop said of `url` lately.
    fn known(&self, url: &Url) -> Option<Option<Url>> {
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, proxy) = known.get(&url.origin().ascii_serialization())?;
        (at.elapsed() < HOLDS).then(|| proxy.clone())
    }

    /// Has the client use what [`Proxies::to`] answers. It must be asked before each request.
    pub fn configure(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        match self.0.source {
            // The client reads the same variables, and on some systems the setting itself.
            Source::Environment(_) | Source::None => builder,
            Source::Desktop(_) => {
                let proxies = self.clone();
                let known = move |url: &Url| proxies.known(url).flatten();
                builder.no_proxy().proxy(reqwest::Proxy::custom(known))
            }
        }
    }
}

/// Asks for an upgrade at `url`, which is plain HTTP, through a tunnel: proxies that forward a request
/// leave out the headers that make it an upgrade (RFC 6455, section 4.1). `None` where no tunnel is
/// needed.
pub(crate) async fn upgrade(
    proxy: &Proxy,
    url: &Url,
    headers: &HeaderMap,
) -> Option<Result<reqwest::Response, Failure>> {
    if url.scheme() != "http" || !proxy.tunnels() {
        return None;
    }
    Some(through(proxy, url, headers).await)
}

async fn through(
    proxy: &Proxy,
    url: &Url,
    headers: &HeaderMap,
) -> Result<reqwest::Response, Failure> {
    let broken = |what: &dyn fmt::Display| {
        tracing::debug!(error = %what, "a tunnel failed");
        Failure::Unreachable(format!(
            "the connection to {} through the proxy {} broke",
            place(url),
            proxy.place()
        ))
    };
    let mut connector = HttpConnector::new();
    connector.set_keepalive(Some(Duration::from_secs(30)));
    let at = proxy.url.as_str().parse().map_err(|error: http::uri::InvalidUri| broken(&error))?;
    let mut tunnel = Tunnel::new(at, connector);
    if let Some(authorization) = &proxy.authorization {
        tunnel = tunnel.with_auth(authorization.clone());
    }
    // With its port, since a tunnel without one leads to that of TLS.
    let target = format!("http://{}", place(url));
    let target = target.parse().map_err(|error: http::uri::InvalidUri| broken(&error))?;
    std::future::poll_fn(|context| tunnel.poll_ready(context)).await.map_err(|e| broken(&e))?;
    let stream = tunnel.call(target).await.map_err(|error| refused(&error, proxy, url))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream.into_inner()))
            .await
            .map_err(|error| broken(&error))?;
    // It ends with the socket that comes of it.
    tokio::spawn(connection.with_upgrades());
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut request =
        http::Request::get(path).body(Empty::<Bytes>::new()).map_err(|error| broken(&error))?;
    *request.headers_mut() = headers.clone();
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let host = HeaderValue::from_str(host).map_err(|error| broken(&error))?;
    request.headers_mut().insert(HOST, host);
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    Ok(reqwest::Response::from(response.map(reqwest::Body::wrap)))
}

/// The library tells its errors apart by their texts alone.
fn refused(error: &dyn fmt::Display, proxy: &Proxy, url: &Url) -> Failure {
    let (via, place, text) = (proxy.place(), place(url), error.to_string());
    Failure::Unreachable(if text.contains("failed to create underlying connection") {
        format!("the proxy {via} cannot be reached")
    } else if text.contains("proxy authorization required") {
        wants_credentials(&via)
    } else {
        format!("the proxy {via} refuses a connection to {place}")
    })
}

/// What is said where a proxy asks who is there.
pub(crate) fn wants_credentials(via: &str) -> String {
    format!(
        "the proxy {via} asks for a user name and a password: set them in http_proxy, as in \
         http://user:password@{via}"
    )
}
