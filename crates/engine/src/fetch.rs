//! HTTP: one client per set of certificate authorities, and one way to ask.
//!
//! Limits: 10 s to connect, 20 s without a byte, 60 s in all, [`MAX_BODY`] bytes. Redirects are
//! followed within the same origin only, so that the key never reaches another one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jobwatch_core::connection::Failure;
use jobwatch_core::dialect::{Address, FetchRequest, FetchResponse, Header, Method};
use reqwest::header::{
    AGE, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use url::{Host, Url};

use crate::charset;
use crate::proxy::{self, Proxies, Proxy};
use crate::redact::{Redactor, prefix};
use crate::tls;

mod body;

pub use body::InParts;
use body::{Parts, is_utf_8, read_parts};
pub(crate) use body::{TakePart, read_up_to};

/// For name resolution, TCP and TLS together.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Without a byte of the answer.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// For one request with its redirects.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer that is read, in bytes, decompressed.
pub const MAX_BODY: usize = 32 << 20;
/// Redirects followed for one request.
pub(crate) const MAX_REDIRECTS: usize = 5;
/// A longer pause is taken for this: a server that says a year means "not now".
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// When a server that counts requests begins to count anew.
const RATE_LIMIT_RESET: &str = "x-ratelimit-reset";

/// The HTTP clients of the servers that trust the same authorities.
///
/// Loopback hosts are never reached through a proxy, all others through the one that the environment
/// or the desktop names, if any.
#[derive(Debug, Default)]
pub struct Clients {
    extra_ca: Option<PathBuf>,
    proxies: Proxies,
    proxied: OnceCell<reqwest::Client>,
    direct: OnceCell<reqwest::Client>,
}

impl Clients {
    /// Clients that trust the system's authorities and those in the PEM file `extra_ca`.
    #[must_use]
    pub fn new(extra_ca: Option<PathBuf>) -> Clients {
        Clients { extra_ca, ..Clients::default() }
    }

    /// The client for `url`. The first call reads the certificates; when that fails the next call
    /// tries again, since the file may have been put right.
    pub(crate) async fn for_url(&self, url: &Url) -> Result<&reqwest::Client, Failure> {
        let direct = is_loopback(url);
        // Asked here, since the client's own question must not wait.
        let _ = self.proxies.to(url).await;
        let cell = if direct { &self.direct } else { &self.proxied };
        cell.get_or_try_init(|| async {
            let extra_ca = self.extra_ca.clone();
            let proxies = (!direct).then(|| self.proxies.clone());
            tokio::task::spawn_blocking(move || build(extra_ca, proxies.as_ref()))
                .await
                .map_err(|error| Failure::Tls(format!("the TLS set-up failed: {error}")))?
        })
        .await
    }

    /// The proxy that leads to `url`, if any.
    pub(crate) async fn proxy_to(&self, url: &Url) -> Option<Proxy> {
        self.proxies.to(url).await
    }

    /// What went wrong when `url` was asked, in words, without the key.
    pub(crate) fn failure(
        &self,
        error: &reqwest::Error,
        url: &Url,
        redactor: &Redactor,
    ) -> Failure {
        let proxy = self.proxies.through(url);
        in_words(error, url, redactor, self.extra_ca.is_some(), proxy.as_ref())
    }
}

fn build(extra_ca: Option<PathBuf>, proxies: Option<&Proxies>) -> Result<reqwest::Client, Failure> {
    crate::install_tls();
    let mut builder = reqwest::Client::builder()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_idle_timeout(Duration::from_secs(30))
        .user_agent(concat!("Jobwatch/", env!("CARGO_PKG_VERSION")));
    builder = match proxies {
        Some(proxies) => proxies.configure(builder),
        None => builder.no_proxy(),
    };
    if let Some(path) = extra_ca {
        builder = builder.tls_backend_preconfigured(tls::config(tls::certificates(&path)?)?);
    }
    builder
        .build()
        .map_err(|error| Failure::Tls(format!("the TLS set-up failed: {}", root(&error))))
}

/// Whether `url` stays on this machine.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name.eq_ignore_ascii_case("localhost")
                || name.to_ascii_lowercase().ends_with(".localhost")
        }
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Performs one request. Any status is an answer; a [`Failure`] means that there was none. The
/// second value is the pause that the server asked for, see [`pause_of`].
pub async fn fetch(
    clients: &Clients,
    request: &FetchRequest,
    redactor: &Redactor,
) -> (Result<FetchResponse, Failure>, Option<Duration>) {
    let (answer, said) = fetch_in_parts(clients, request, redactor, None).await;
    (answer, said.pause)
}

/// What the headers of an answer said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The pause that the server asked for, see [`pause_of`].
    pub pause: Option<Duration>,
    /// What time it is on the server, unless that came with the first part.
    pub date: Option<Timestamp>,
    /// The answer came in parts, of which what is given as the answer is the last.
    pub parts: Option<InParts>,
}

/// As [`fetch`], with all that the headers said. A long list is given to `take` in parts, if there is
/// one: then the answer is the last of them.
pub(crate) async fn fetch_in_parts(
    clients: &Clients,
    request: &FetchRequest,
    redactor: &Redactor,
    take: Option<TakePart<'_>>,
) -> (Result<FetchResponse, Failure>, Said) {
    let mut said = Said::default();
    let take = take.filter(|_| request.list);
    let asked = timeout(TOTAL_TIMEOUT, ask(clients, request, redactor, take, &mut said)).await;
    let answer = asked.unwrap_or(Err(Failure::Timeout(TOTAL_TIMEOUT)));
    (answer, said)
}

async fn ask(
    clients: &Clients,
    request: &FetchRequest,
    redactor: &Redactor,
    take: Option<TakePart<'_>>,
    said: &mut Said,
) -> Result<FetchResponse, Failure> {
    let headers = header_map(&request.headers)?;
    let mut address = request.address.clone();
    let mut method = method(request.method);
    let mut body = request.body.clone();
    for _ in 0..=MAX_REDIRECTS {
        let url = address.expose().clone();
        let mut builder = clients.for_url(&url).await?.request(method.clone(), url.clone());
        builder = builder.headers(headers.clone());
        if let Some(body) = &body {
            if !headers.contains_key(CONTENT_TYPE) {
                builder = builder.header(CONTENT_TYPE, "application/json");
            }
            builder = builder.body(body.clone());
        }
        let response = timeout(READ_TIMEOUT, builder.send())
            .await
            .map_err(|_| Failure::Timeout(READ_TIMEOUT))?;
        let response = match response {
            Ok(response) => response,
            Err(error) => return Err(clients.failure(&error, &url, redactor)),
        };
        let status = response.status().as_u16();
        said.pause = pause_of(status, response.headers(), Timestamp::now());
        said.date = date_of(response.headers());
        if matches!(status, 301 | 302 | 303 | 307 | 308)
            && let Some(location) = response.headers().get(LOCATION)
        {
            let target = target(&address, location)?;
            if is_sign_in(&target) && !is_sign_in(&url) {
                return Err(Failure::SignIn(shown(&target, redactor)));
            }
            address = redirected(&address, &target, redactor)?;
            if status < 307 && method != reqwest::Method::GET {
                if status != 303 {
                    // Browsers would turn it into a GET, which would not do what was asked.
                    return Err(Failure::Protocol(format!(
                        "the server answered HTTP {status}, a redirect to {}",
                        redactor.clean(&address.to_string())
                    )));
                }
                method = reqwest::Method::GET;
                body = None;
            }
            continue;
        }
        let label = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let label = label.map(str::to_ascii_lowercase).unwrap_or_default();
        let mut parts = label.split(';').map(str::trim);
        let content_type = parts.next().filter(|kind| !kind.is_empty()).map(str::to_owned);
        let charset = parts.find_map(|part| part.strip_prefix("charset="));
        let charset = charset.map(|charset| charset.trim_matches(['"', '\'']));
        let answer = |body| {
            let body = charset::decoded(charset, body, MAX_BODY);
            FetchResponse { status, content_type: content_type.clone(), body }
        };
        let take = take.filter(|_| (200..300).contains(&status) && is_utf_8(charset));
        let (body, whole) = match take {
            Some(take) => {
                // The date is that of the beginning.
                let (date, first) = (said.date, AtomicBool::new(true));
                let date = || date.filter(|_| first.swap(false, Ordering::Relaxed));
                let take = |part| take(answer(part), date());
                let mut parts = Parts { take: &take, came: InParts { head: Vec::new(), bytes: 0 } };
                let read = read_parts(response, MAX_BODY, &url, redactor, &mut parts).await;
                if parts.came.bytes > 0 {
                    (said.parts, said.date) = (Some(parts.came), None);
                }
                read?
            }
            None => read_up_to(response, MAX_BODY, &url, redactor).await?,
        };
        let response = answer(body);
        let limit = MAX_BODY;
        return match whole {
            true => Ok(response),
            false => Err(Failure::TooLarge { limit, begun: Box::new(response) }),
        };
    }
    Err(Failure::Protocol(format!("the server redirected more than {MAX_REDIRECTS} times")))
}

fn target(from: &Address, location: &HeaderValue) -> Result<Url, Failure> {
    let text = String::from_utf8_lossy(location.as_bytes());
    from.expose().join(&text).map_err(|_| {
        Failure::Protocol("the server redirects to something that is not a URL".to_owned())
    })
}

fn redirected(from: &Address, target: &Url, redactor: &Redactor) -> Result<Address, Failure> {
    from.redirected(target).ok_or_else(|| {
        Failure::Protocol(format!(
            "the server redirects to {}, another origin, where the key is not sent; if that is \
             the right place, make it the server's address",
            shown(target, redactor)
        ))
    })
}

/// A URL without what may be secret in it.
fn shown(url: &Url, redactor: &Redactor) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    let _ = shown.set_password(None);
    redactor.clean(shown.as_str())
}

/// Whether a page at this address is one for signing in, as the servers' own and those of the usual
/// access proxies are: no API answers there.
fn is_sign_in(url: &Url) -> bool {
    const SEGMENTS: [&str; 12] = [
        "login",
        "log-in",
        "signin",
        "sign-in",
        "sign_in",
        "logon",
        "sso",
        "oauth2",
        "authorize",
        "saml",
        "saml2",
        "openid-connect",
    ];
    let mut segments = url.path_segments().into_iter().flatten();
    segments.any(|segment| SEGMENTS.iter().any(|word| segment.eq_ignore_ascii_case(word)))
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// The headers of a dialect, marked so that no library prints them.
pub(crate) fn header_map(headers: &[Header]) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::new();
    for header in headers {
        let name = HeaderName::try_from(header.name.as_ref()).map_err(|_| {
            Failure::Protocol(format!("\"{}\" cannot be a header's name", header.name))
        })?;
        // The value may be the key, so the error names only the header.
        let mut value = HeaderValue::try_from(header.value.expose()).map_err(|_| {
            Failure::Protocol(format!(
                "the value for the header {name} holds a character that no header can carry"
            ))
        })?;
        value.set_sensitive(true);
        map.append(name, value);
    }
    Ok(map)
}

/// The pause that an answer asks for, at most an hour: `Retry-After` or, from servers that count
/// requests and send none, `X-RateLimit-Reset` with status 429. With any other status that header
/// only tells when the count begins anew.
pub(crate) fn pause_of(status: u16, headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let reset = || headers.get(RATE_LIMIT_RESET).filter(|_| status == 429);
    let asked = match headers.get(RETRY_AFTER) {
        Some(asked) => until(asked, now),
        None => None,
    };
    let asked = asked.or_else(|| until(reset()?, now))?;
    Some(asked.min(MAX_PAUSE))
}

/// What time it was on the server when it answered. A stored answer says how old it is.
fn date_of(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.trim().parse::<u32>().ok());
    date.checked_add(Duration::from_secs(u64::from(age.unwrap_or(0)))).ok()
}

/// How long until the moment that a header names: as seconds from now, as seconds or milliseconds
/// since 1970, or as a date.
fn until(header: &HeaderValue, now: Timestamp) -> Option<Duration> {
    let text = header.to_str().ok()?.trim();
    let moment = match text.parse::<i64>() {
        Ok(seconds @ 0..1_000_000_000) => return Some(Duration::from_secs(seconds.unsigned_abs())),
        Ok(seconds @ 0..1_000_000_000_000) => Timestamp::from_second(seconds).ok()?,
        Ok(ms) => Timestamp::from_millisecond(ms).ok()?,
        Err(_) => jiff::fmt::rfc2822::parse(text).ok()?.timestamp(),
    };
    Some(Duration::try_from(moment.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// The beginning of an error's body in words: its JSON `error` or `message`, or its text; a web
/// page by its title.
pub(crate) fn describe_body(
    content_type: Option<&str>,
    body: &[u8],
    redactor: &Redactor,
) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let words = if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
        let of = |name: &str| match value.get(name)? {
            serde_json::Value::String(words) => Some(words.clone()),
            serde_json::Value::Object(inner) => {
                inner.get("message").and_then(|words| words.as_str()).map(str::to_owned)
            }
            _ => None,
        };
        of("error").or_else(|| of("message")).or_else(|| of("detail"))?
    } else if content_type.is_some_and(|kind| kind.contains("html")) || text.starts_with('<') {
        let lower = text.to_ascii_lowercase();
        let title = lower.find("<title>").and_then(|start| {
            let rest = &text[start + "<title>".len()..];
            Some(rest[..rest.find('<')?].trim()).filter(|title| !title.is_empty())
        });
        match title {
            Some(title) => format!("a web page titled \"{title}\""),
            None => "a web page".to_owned(),
        }
    } else {
        text.to_owned()
    };
    let words: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = redactor.clean(&words);
    Some(prefix(words.trim(), 300).to_owned()).filter(|words| !words.is_empty())
}

/// What went wrong with a connection that is open, in words, without the key.
pub(crate) fn failure(error: &reqwest::Error, url: &Url, redactor: &Redactor) -> Failure {
    in_words(error, url, redactor, false, None)
}

/// `given` tells whether a certificate file is configured, `proxy` through what it was tried.
fn in_words(
    error: &reqwest::Error,
    url: &Url,
    redactor: &Redactor,
    given: bool,
    proxy: Option<&Proxy>,
) -> Failure {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut refused = None;
    let mut tls = None;
    let mut texts = Vec::new();
    while let Some(current) = source {
        if let Some(found) = current.downcast_ref::<rustls::Error>() {
            tls = Some(found);
        }
        let io = current.downcast_ref::<std::io::Error>();
        if let Some(io) = io {
            refused.get_or_insert(io.kind());
        }
        texts.push(current.to_string());
        // What an IO error wraps, a TLS error for instance, is not among its sources.
        source = match io.and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    let place = place(url);
    let root = redactor.clean(&texts.last().cloned().unwrap_or_default());
    tracing::debug!(%place, error = %root, "a request failed");
    // "(os error 113)" helps nobody.
    let root = root.split(" (os error").next().unwrap_or_default();
    if let Some(tls) = tls {
        tracing::debug!(%place, error = %redactor.clean(&tls.to_string()), "TLS failed");
        let words = tls::words(tls, url.host_str().unwrap_or_default(), &place, given);
        return match tls {
            // Nothing that the user trusts makes one good that names another host or has expired.
            rustls::Error::InvalidCertificate(
                rustls::CertificateError::UnknownIssuer | rustls::CertificateError::BadSignature,
            ) => Failure::Untrusted(words),
            error if tls::is_authority(error) => Failure::Untrusted(words),
            _ => Failure::Tls(words),
        };
    }
    if error.is_connect() {
        if error.is_timeout() {
            return Failure::Timeout(CONNECT_TIMEOUT);
        }
        if let Some(proxy) = proxy {
            let via = proxy.place();
            let said = |words: &str| texts.iter().any(|text| text.contains(words));
            return Failure::Unreachable(if said("proxy authorization required") {
                proxy::wants_credentials(&via)
            } else if said("tunnel error: unsuccessful") {
                format!("the proxy {via} refuses a connection to {place}")
            } else {
                format!("{place} cannot be reached through the proxy {via}: {root}")
            });
        }
        if texts.iter().any(|text| text.contains("dns error") || text.contains("lookup address")) {
            let host = url.host_str().unwrap_or_default();
            return Failure::Unknown(format!("can't find \"{host}\""));
        }
        if refused == Some(std::io::ErrorKind::ConnectionRefused) {
            return Failure::Unreachable(format!("nothing listens at {place}"));
        }
        return Failure::Unreachable(format!("{place} cannot be reached: {root}"));
    }
    if error.is_timeout() {
        return Failure::Timeout(READ_TIMEOUT);
    }
    if refused.is_some() {
        return Failure::Unreachable(format!("the connection to {place} broke: {root}"));
    }
    if texts.iter().any(|text| text.contains("connection closed before message completed")) {
        return Failure::Unreachable(format!("{place} closed the connection without an answer"));
    }
    Failure::Protocol(format!("{place} does not speak HTTP: check the address and the port"))
}

/// Host and port, which hold no secret.
pub(crate) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or("the server");
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn root(error: &dyn std::error::Error) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            pause_of(503, &headers, now)
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Mon, 05 Jan 2026 10:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Mon, 05 Jan 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("99999999"), Some(MAX_PAUSE));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-5"), Some(Duration::ZERO));
    }

    #[test]
    fn a_server_that_counts_requests_asks_for_a_pause_until_it_counts_again() {
        let now: Timestamp = "2026-01-05T10:00:00Z".parse().unwrap();
        let read = |status, named: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, text) in named {
                headers.insert(*name, text.parse().unwrap());
            }
            pause_of(status, &headers, now)
        };
        let secs = |secs| Some(Duration::from_secs(secs));
        assert_eq!(read(429, &[("x-ratelimit-reset", "42")]), secs(42));
        assert_eq!(read(429, &[("x-ratelimit-reset", "1767607225")]), secs(25));
        assert_eq!(read(429, &[("x-ratelimit-reset", "1767607225000")]), secs(25));
        assert_eq!(read(429, &[("x-ratelimit-reset", "1767607195")]), secs(0));
        assert_eq!(read(429, &[("retry-after", "7"), ("x-ratelimit-reset", "42")]), secs(7));
        assert_eq!(read(429, &[("retry-after", "soon"), ("x-ratelimit-reset", "42")]), secs(42));
        assert_eq!(read(200, &[("x-ratelimit-reset", "42")]), None);
    }

    #[test]
    fn only_this_machine_is_loopback() {
        let loopback = |text: &str| is_loopback(&Url::parse(text).unwrap());
        assert!(loopback("ws://localhost:3000/x"));
        assert!(loopback("ws://127.3.2.1/"));
        assert!(loopback("http://[::1]:80/"));
        assert!(loopback("http://demo.localhost/"));
        assert!(!loopback("ws://localhost.example.com/"));
        assert!(!loopback("ws://10.0.0.1/"));
    }

    #[test]
    fn an_error_page_is_named_and_json_errors_are_quoted() {
        let none = Redactor::default();
        let words = |kind, body: &str| describe_body(Some(kind), body.as_bytes(), &none);
        assert_eq!(
            words("text/html", "<html><title>Bad Gateway</title>"),
            Some("a web page titled \"Bad Gateway\"".to_owned())
        );
        assert_eq!(words("application/json", r#"{"error":"no"}"#), Some("no".to_owned()));
        assert_eq!(
            words("application/json", r#"{"error":{"message":"deep"}}"#),
            Some("deep".to_owned())
        );
        assert_eq!(words("text/plain", "too\nmany"), Some("too many".to_owned()));
        assert_eq!(words("text/plain", " "), None);
    }
}
