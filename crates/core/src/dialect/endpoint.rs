//! URLs and key placement, the part of building requests that all dialects share.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

use super::{Address, Ask, FetchRequest, Header, Method, OpenRequest};
use crate::model::Topic;
use crate::redact::Redactor;
use crate::secret::{Credentials, Secret};
use crate::server::{KeyPlacement, Server};

/// What a dialect assumes where the server's configuration is silent.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The socket's path, used when the configured URL has none (`/api/ws/tasks`).
    pub ws_path: &'static str,
    /// The path of the HTTP API, used when the configured base has none (`/api`).
    pub api_path: &'static str,
    /// The port of the HTTP API when no base is configured and it is not the socket's.
    pub api_port: Option<u16>,
    /// Where the key goes on the socket; `None` where the socket takes none.
    pub ws_key: Option<KeyPlacement>,
    /// Where the key goes over HTTP.
    pub http_key: Option<KeyPlacement>,
}

/// A server's two URLs with its key.
#[derive(Clone, Debug)]
pub struct Endpoint {
    ws: Url,
    api: Url,
    key: Option<Secret>,
    /// Further headers, for sockets and requests alike.
    headers: Vec<(String, Secret)>,
    redactor: Redactor,
    ws_key: Option<KeyPlacement>,
    http_key: Option<KeyPlacement>,
}

impl Endpoint {
    /// Reads the URLs of `server`. `http` and `https` are accepted for the socket, a missing
    /// scheme means `ws` for loopback hosts and `wss` elsewhere.
    ///
    /// # Errors
    /// A sentence for people naming the URL that cannot be used. It quotes no credentials.
    pub fn new(server: &Server, key: Option<Secret>, defaults: Defaults) -> Result<Self, String> {
        let mut ws = parse(&server.ws, "ws", "wss")?;
        if matches!(ws.path(), "" | "/") {
            ws.set_path(defaults.ws_path);
        }
        let mut api = match server.api.as_deref().map(str::trim).filter(|api| !api.is_empty()) {
            Some(base) => parse(base, "http", "https")?,
            None => {
                let mut api = ws.clone();
                // `ws` to `http` and `wss` to `https` are both special schemes: always possible.
                let _ = api.set_scheme(if ws.scheme() == "wss" { "https" } else { "http" });
                if let Some(port) = defaults.api_port {
                    let _ = api.set_port(Some(port));
                }
                api.set_path("");
                api
            }
        };
        api.set_query(None);
        api.set_fragment(None);
        if matches!(api.path(), "" | "/") {
            api.set_path(defaults.api_path);
        }
        ws.set_fragment(None);
        let ws_key = server.key.clone().or(defaults.ws_key);
        let http_key = match &server.key {
            Some(KeyPlacement::Auth { .. } | KeyPlacement::FirstMessage) => Some(bearer()),
            Some(placement) => Some(placement.clone()),
            None => defaults.http_key,
        };
        let redactor = Redactor::of(server, key.as_ref());
        let mut endpoint =
            Endpoint { ws, api, key: None, headers: Vec::new(), redactor, ws_key, http_key };
        endpoint.set_key(key);
        Ok(endpoint)
    }

    /// The socket's URL without the key.
    #[must_use]
    pub fn ws(&self) -> &Url {
        &self.ws
    }

    /// Changes the socket's URL, for dialects that add a path or query.
    pub fn ws_mut(&mut self) -> &mut Url {
        &mut self.ws
    }

    /// The base of the HTTP API, without the key.
    #[must_use]
    pub fn api(&self) -> &Url {
        &self.api
    }

    /// The key, for placements that only the dialect can perform.
    #[must_use]
    pub fn key(&self) -> Option<&Secret> {
        self.key.as_ref()
    }

    /// Where the key goes on the socket.
    #[must_use]
    pub fn ws_key(&self) -> Option<&KeyPlacement> {
        self.ws_key.as_ref()
    }

    /// Finds the key, and every earlier one, in what the server says.
    #[must_use]
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Replaces the key.
    pub fn set_key(&mut self, key: Option<Secret>) {
        if let Some(key) = &key {
            self.redactor.add(key);
        }
        let Credentials { key, headers } =
            key.as_ref().map_or_else(Credentials::default, Credentials::read);
        (self.key, self.headers) = (key, headers);
    }

    /// What to dial. `Auth` and `FirstMessage` placements are left to the dialect.
    #[must_use]
    pub fn open(&self) -> OpenRequest {
        let mut headers = self.further_headers();
        let address = place(
            Address::new(self.ws.clone()),
            &mut headers,
            self.ws_key.as_ref(),
            self.key.as_ref(),
        );
        OpenRequest { address, headers, protocols: Vec::new() }
    }

    /// A request to `segments` below the API's base; each segment is percent-encoded.
    #[must_use]
    pub fn request(
        &self,
        ask: Ask,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
        body: Option<String>,
    ) -> FetchRequest {
        self.request_on(&self.api, ask, method, segments, query, body)
    }

    /// As [`Endpoint::request`], below another base of the same server.
    #[must_use]
    pub fn request_on(
        &self,
        base: &Url,
        ask: Ask,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
        body: Option<String>,
    ) -> FetchRequest {
        let mut url = base.clone();
        let mut path = url.path().trim_end_matches('/').to_owned();
        for segment in segments {
            path.push('/');
            path.push_str(&encoded(segment));
        }
        url.set_path(&path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        // The key belongs to this server: another host gets none.
        let trusted = base.host() == self.api.host() && !self.bares_key(base);
        let mut headers = if trusted { self.further_headers() } else { Vec::new() };
        let key = self.key.as_ref().filter(|_| trusted);
        let address = place(Address::new(url), &mut headers, self.http_key.as_ref(), key);
        FetchRequest { ask, method, address, headers, body, list: false }
    }
}

impl Endpoint {
    fn further_headers(&self) -> Vec<Header> {
        let headers = self.headers.iter();
        headers.map(|(name, value)| Header::new(name.clone(), value.expose())).collect()
    }

    /// Whether a key sent to `base` would cross the network in the clear, although the same host is
    /// spoken to by TLS elsewhere.
    fn bares_key(&self, base: &Url) -> bool {
        let loopback = match base.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        let secure = |url: &Url| matches!(url.scheme(), "https" | "wss");
        let by_tls = |url: &Url| secure(url) && url.host() == base.host();
        !loopback && !secure(base) && (by_tls(&self.ws) || by_tls(&self.api))
    }
}

/// What stands for itself in a path: what RFC 3986 lets stand for itself anywhere.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'@');

/// One segment of a path, percent-encoded. The parser of URLs drops line breaks and tabs, so
/// nothing is left to it; and it takes `.` and `..` out, however they are written, so that the
/// request would go to what lies above. Encoded twice they name nothing the server has.
fn encoded(segment: &str) -> Cow<'_, str> {
    if unaddressable(segment) {
        return Cow::Owned(segment.replace('.', "%252E"));
    }
    utf8_percent_encode(segment, PLAIN).into()
}

/// Whether no URL can name this: `.` and `..` mean places in a path, also when they are encoded.
#[must_use]
pub fn unaddressable(id: &str) -> bool {
    matches!(id, "." | "..")
}

/// Why a job with such an id cannot be asked for, in a sentence for people; `None` where it can.
#[must_use]
pub fn why_unaddressable(topic: &Topic) -> Option<String> {
    match topic {
        Topic::Job(id) if unaddressable(id.as_str()) => Some(format!(
            "No URL can name the job \"{id}\": in an address it means a folder. It is shown where \
             a list has it; watch its queue, or all."
        )),
        _ => None,
    }
}

/// `Authorization: Bearer KEY`.
#[must_use]
pub fn bearer() -> KeyPlacement {
    KeyPlacement::Header { name: "Authorization".to_owned(), scheme: Some("Bearer".to_owned()) }
}

fn place(
    address: Address,
    headers: &mut Vec<Header>,
    placement: Option<&KeyPlacement>,
    key: Option<&Secret>,
) -> Address {
    let (Some(placement), Some(key)) = (placement, key) else { return address };
    match placement {
        KeyPlacement::Query { name } => return address.with_secret_query(name, key),
        KeyPlacement::Header { name, scheme: Some(scheme) } => {
            headers.push(Header::new(name.clone(), format!("{scheme} {}", key.expose())));
        }
        KeyPlacement::Header { name, scheme: None } => {
            headers.push(Header::new(name.clone(), key.expose()));
        }
        KeyPlacement::Cookie { name } => {
            headers.push(Header::new("Cookie", format!("{name}={}", key.expose())));
        }
        KeyPlacement::Auth { .. } | KeyPlacement::FirstMessage => {}
    }
    address
}

fn parse(text: &str, plain: &str, secure: &str) -> Result<Url, String> {
    let text = text.trim();
    let full = if text.contains("://") {
        text.to_owned()
    } else {
        let host = text.split(['/', '?', '#']).next().unwrap_or("");
        let loopback =
            host.starts_with("localhost") || host.starts_with("127.") || host.starts_with("[::1]");
        format!("{}://{text}", if loopback { plain } else { secure })
    };
    // The URL may hold credentials, so an error names what is wrong without quoting it.
    let url = Url::parse(&full).map_err(|error| format!("The URL cannot be read: {error}."))?;
    let scheme = match url.scheme() {
        "ws" | "http" => plain,
        "wss" | "https" => secure,
        other => {
            return Err(format!(
                "The URL starts with {other}://. URLs must start with ws, wss, http or https."
            ));
        }
    };
    let rest = &url.as_str()[url.scheme().len()..];
    Url::parse(&format!("{scheme}{rest}"))
        .map_err(|error| format!("The URL cannot be read: {error}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(base: &str, id: &str) -> String {
        let request = |base: &Url| {
            let ask = Ask::new(None, "job");
            let defaults = Defaults {
                ws_path: "/",
                api_path: "/",
                api_port: None,
                ws_key: None,
                http_key: None,
            };
            let endpoint = Endpoint::new(&server(), None, defaults).unwrap();
            endpoint.request_on(base, ask, Method::Get, &["jobs", id], &[], None)
        };
        request(&Url::parse(base).unwrap()).address.expose().to_string()
    }

    fn server() -> Server {
        serde_json::from_value(serde_json::json!({
            "id": "s", "name": "S", "dialect": "analyzer", "ws": "ws://h", "watch": [],
        }))
        .unwrap()
    }

    #[test]
    fn further_headers_go_with_the_key_and_nowhere_else() {
        let text = "sk-1\nCF-Access-Client-Id: c-1\nCF-Access-Client-Secret: s-1";
        let defaults = Defaults {
            ws_path: "/",
            api_path: "/",
            api_port: None,
            ws_key: None,
            http_key: Some(bearer()),
        };
        let endpoint =
            Endpoint::new(&server(), Some(Secret::new(text.to_owned())), defaults).unwrap();
        let shown = |headers: &[Header]| {
            let all =
                headers.iter().map(|header| format!("{}={}", header.name, header.value.expose()));
            all.collect::<Vec<_>>()
        };
        let further = ["CF-Access-Client-Id=c-1", "CF-Access-Client-Secret=s-1"];
        assert_eq!(shown(&endpoint.open().headers), further, "a socket that takes no key");
        let asked = |base: &str| {
            let ask = Ask::new(None, "job");
            let base = Url::parse(base).unwrap();
            endpoint.request_on(&base, ask, Method::Get, &["jobs"], &[], None).headers
        };
        let [first, second] = further;
        assert_eq!(shown(&asked("http://h/api")), [first, second, "Authorization=Bearer sk-1"]);
        assert_eq!(asked("http://elsewhere/api"), []);
    }

    #[test]
    fn a_job_is_asked_for_by_its_own_id_whatever_that_is() {
        for (id, path) in [
            ("sync-1", "sync-1"),
            ("a/b", "a%2Fb"),
            ("a b", "a%20b"),
            ("#?%&+", "%23%3F%25%26%2B"),
            ("%2E", "%252E"),
            ("%2e%2e", "%252e%252e"),
            ("...", "..."),
            ("ü", "%C3%BC"),
            ("a\tb\nc", "a%09b%0Ac"),
            ("\\..\\", "%5C..%5C"),
            ("job:77", "job:77"),
            ("{mail}", "%7Bmail%7D"),
            // Never what lies above.
            (".", "%252E"),
            ("..", "%252E%252E"),
        ] {
            for base in ["http://h/api", "http://h/api/"] {
                assert_eq!(asked(base, id), format!("http://h/api/jobs/{path}"), "{id:?}");
            }
            assert_eq!(asked("http://h", id), format!("http://h/jobs/{path}"), "{id:?}");
        }
        let long = "9".repeat(78);
        assert_eq!(asked("http://h", &long), format!("http://h/jobs/{long}"));
    }

    #[test]
    fn what_no_url_can_name_is_refused_with_a_sentence() {
        for id in [".", ".."] {
            assert!(why_unaddressable(&Topic::Job(id.into())).is_some());
        }
        for topic in [Topic::Job("...".into()), Topic::Queue(".".to_owned()), Topic::Everything] {
            assert_eq!(why_unaddressable(&topic), None);
        }
    }
}
