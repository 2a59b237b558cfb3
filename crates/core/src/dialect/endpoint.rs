//! URLs and key placement, the part of building requests that all dialects share.

use url::{Host, Url};

use super::{Address, Ask, FetchRequest, Header, Method, OpenRequest};
use crate::redact::Redactor;
use crate::secret::Secret;
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
        Ok(Endpoint { ws, api, key, redactor, ws_key, http_key })
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
        self.key = key;
    }

    /// What to dial. `Auth` and `FirstMessage` placements are left to the dialect.
    #[must_use]
    pub fn open(&self) -> OpenRequest {
        let mut headers = Vec::new();
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
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut headers = Vec::new();
        // The key belongs to this server: another host gets none.
        let same_host = base.host() == self.api.host();
        let key = self.key.as_ref().filter(|_| same_host && !self.bares_key(base));
        let address = place(Address::new(url), &mut headers, self.http_key.as_ref(), key);
        FetchRequest { ask, method, address, headers, body }
    }
}

impl Endpoint {
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
                "The URL begins with {other}://, but only ws, wss, http and https can be dialled."
            ));
        }
    };
    let rest = &url.as_str()[url.scheme().len()..];
    Url::parse(&format!("{scheme}{rest}"))
        .map_err(|error| format!("The URL cannot be read: {error}."))
}
