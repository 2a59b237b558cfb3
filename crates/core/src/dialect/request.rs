//! What a dialect dials and asks over HTTP. Nothing here prints a key.

use std::borrow::Cow;
use std::fmt;

use url::Url;

use super::call::Ask;
use crate::secret::{REDACTED, Secret, names_secret};

/// A URL that may carry the key: prints without it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    url: Url,
    /// Names of query parameters whose values are secret.
    secret_query: Vec<String>,
}

impl Address {
    /// An address without secrets.
    #[must_use]
    pub fn new(url: Url) -> Address {
        Address { url, secret_query: Vec::new() }
    }

    /// Adds `name=KEY` to the query; the value is never printed.
    #[must_use]
    pub fn with_secret_query(mut self, name: &str, key: &Secret) -> Address {
        self.url.query_pairs_mut().append_pair(name, key.expose());
        self.secret_query.push(name.to_owned());
        self
    }

    /// Where a redirect to `target` leads: `None` when that is another origin, which must not see
    /// the key. Secret query parameters that `target` lacks are carried over.
    #[must_use]
    pub fn redirected(&self, target: &Url) -> Option<Address> {
        if target.origin() != self.url.origin() {
            return None;
        }
        let mut url = target.clone();
        for (name, value) in self.url.query_pairs() {
            let secret = self.secret_query.iter().any(|secret| *secret == name);
            if secret && !target.query_pairs().any(|(there, _)| there == name) {
                url.query_pairs_mut().append_pair(&name, &value);
            }
        }
        Some(Address { url, secret_query: self.secret_query.clone() })
    }

    /// Whether the value of this query parameter is secret: it is the key, or usually is one.
    fn hides(&self, name: &str) -> bool {
        names_secret(name) || self.secret_query.iter().any(|secret| secret.as_str() == name)
    }

    /// The real URL, for the one place that dials.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        // Credentials in the URL are as secret as the key; either half may be a token.
        if shown.password().is_some() {
            let _ = shown.set_password(None);
            let _ = shown.set_username(REDACTED);
        } else if !shown.username().is_empty() {
            let _ = shown.set_username(REDACTED);
        }
        if self.url.query_pairs().any(|(name, _)| self.hides(&name)) {
            let pairs: Vec<(String, String)> = self
                .url
                .query_pairs()
                .map(|(name, value)| {
                    let value =
                        if self.hides(&name) { REDACTED.into() } else { value.into_owned() };
                    (name.into_owned(), value)
                })
                .collect();
            shown.query_pairs_mut().clear().extend_pairs(pairs);
        }
        f.write_str(&shown.as_str().replace("%5Bredacted%5D", REDACTED))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A request header; its value is treated as secret when printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// The name, as sent.
    pub name: Cow<'static, str>,
    /// The value.
    pub value: Secret,
}

impl Header {
    /// A header.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Header {
        Header { name: name.into(), value: Secret::new(value.into()) }
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {REDACTED}", self.name)
    }
}

/// What to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// `ws` or `wss`, complete.
    pub address: Address,
    /// Headers besides those of the upgrade itself. Never `Origin`: KECS refuses unknown ones.
    pub headers: Vec<Header>,
    /// Sub-protocols offered.
    pub protocols: Vec<String>,
}

impl OpenRequest {
    /// Every secret in this request, so that a text that quotes it can be cleaned: the values of
    /// headers and of secret query parameters, whole and without a scheme or cookie name.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let query = self
            .address
            .url
            .query_pairs()
            .filter(|(name, _)| self.address.hides(name))
            .map(|(_, value)| Secret::new(value.into_owned()));
        let headers = self.headers.iter().flat_map(|header| {
            let bare = header.value.expose().rsplit([' ', '=']).next().unwrap_or("");
            [header.value.clone(), Secret::new(bare.to_owned())]
        });
        query.chain(headers).filter(|secret| secret.expose().len() >= 4).collect()
    }
}

/// The method of an HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
    Put,
    Delete,
}

/// One HTTP request of a dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// What it asks; [`Dialect::parse`](super::Dialect::parse) gets it back.
    pub ask: Ask,
    /// The method.
    pub method: Method,
    /// The complete URL.
    pub address: Address,
    /// Headers, the key among them.
    pub headers: Vec<Header>,
    /// A JSON body, sent with `content-type: application/json` unless a header says otherwise.
    pub body: Option<String>,
    /// Whether the answer is a list that may be long and whose rows mean the same a few at a time:
    /// [`Dialect::parse_piece`](super::Dialect::parse_piece) takes it in parts.
    pub list: bool,
}

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchResponse {
    /// The status code.
    pub status: u16,
    /// The `content-type`, lower case, without parameters.
    pub content_type: Option<String>,
    /// The body, complete.
    pub body: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_credentials_that_its_url_holds() {
        for (url, shown) in [
            ("wss://h/x?API-Key=sk-1&page=2", "wss://h/x?API-Key=[redacted]&page=2"),
            ("wss://h/x?a=1&access_token=sk-1", "wss://h/x?a=1&access_token=[redacted]"),
            ("wss://u:sk-1@h/x", "wss://[redacted]@h/x"),
            ("wss://sk-1@h/x", "wss://[redacted]@h/x"),
            ("wss://:sk-1@h/x", "wss://[redacted]@h/x"),
        ] {
            assert_eq!(Address::new(Url::parse(url).unwrap()).to_string(), shown);
        }
    }
}
