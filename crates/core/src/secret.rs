//! The key: held in memory that is wiped, printed as `[redacted]`, never serialised.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroize as _;

/// What is printed where a secret stands.
pub const REDACTED: &str = "[redacted]";

/// A key or token. `Debug` prints [`REDACTED`]; there is no `Display` and no `Serialize`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes ownership of `text`; surrounding white space is removed, since keys are pasted.
    #[must_use]
    pub fn new(mut text: String) -> Secret {
        // A copy of just this size: making a larger one smaller would move it and leave the old one as
        // it is.
        let secret = SecretString::new(Box::from(text.trim()));
        text.zeroize();
        Secret(secret)
    }

    /// The text itself, for the one place that puts it on the wire or in the keyring.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

/// What a server wants to see of whoever asks: its key, and further headers, such as an access proxy
/// in front of it asks for.
///
/// Both are kept as one secret text, in the keyring and wherever a key is given: the key in the first
/// line, which may be empty, and a header as `Name: value` in each further one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The key.
    pub key: Option<Secret>,
    /// Names and values of further headers, the values as secret as the key.
    pub headers: Vec<(String, Secret)>,
}

impl Credentials {
    /// Reads the one text. Lines that are no headers make all of it the key, as it was pasted.
    #[must_use]
    pub fn read(text: &Secret) -> Credentials {
        let mut lines = text.expose().lines();
        let first = lines.next().unwrap_or_default();
        // Surrounding white space is not kept, so that without a key the first line is a header.
        let (key, first) = match header(first) {
            Some(found) if text.expose().contains('\n') || found.0.contains('-') => {
                ("", Some(found))
            }
            _ => (first, None),
        };
        let others: Option<Vec<_>> =
            lines.filter(|line| !line.trim().is_empty()).map(header).collect();
        match others {
            Some(others) => Credentials {
                key: (!key.trim().is_empty()).then(|| Secret::new(key.to_owned())),
                headers: first.into_iter().chain(others).collect(),
            },
            None => Credentials { key: Some(text.clone()), headers: Vec::new() },
        }
    }

    /// Reads headers as they are typed: one a line, `Name: value`. Blank lines say nothing.
    ///
    /// # Errors
    /// The number of the first line, from 1, that is none.
    pub fn headers_of(text: &Secret) -> Result<Vec<(String, Secret)>, usize> {
        let lines = text.expose().lines().zip(1..);
        let filled = lines.filter(|(line, _)| !line.trim().is_empty());
        filled
            .map(|(line, number)| {
                let (name, value) = line.split_once(':').ok_or(number)?;
                header(&format!("{}: {}", name.trim(), value.trim())).ok_or(number)
            })
            .collect()
    }

    /// Another key with the further headers of before, as the one text.
    #[must_use]
    pub fn renewed(before: Option<&Secret>, key: Secret) -> Secret {
        let headers = before.map(Credentials::read).unwrap_or_default().headers;
        let all = Credentials { key: Some(key.clone()), headers };
        all.written().unwrap_or(key)
    }

    /// The one text; `None` where there is nothing in it.
    #[must_use]
    pub fn written(&self) -> Option<Secret> {
        let mut text = self.key.as_ref().map_or_else(String::new, |key| key.expose().to_owned());
        for (name, value) in &self.headers {
            text.push_str(&format!("\n{name}: {}", value.expose()));
        }
        (!text.is_empty()).then(|| Secret::new(text))
    }
}

/// `Name: value`, with a name as HTTP has them.
fn header(line: &str) -> Option<(String, Secret)> {
    let (name, value) = line.split_once(": ")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let fits = !name.is_empty() && name.chars().all(is_name) && !value.trim().is_empty();
    fits.then(|| (name.to_owned(), Secret::new(value.to_owned())))
}

/// Names of query parameters that usually carry a secret, in lower case and without `-` and `_`. The
/// page reads the same list, generated.
pub const SECRET_NAMES: [&str; 13] = [
    "apikey",
    "xapikey",
    "key",
    "token",
    "accesstoken",
    "authtoken",
    "auth",
    "authorization",
    "secret",
    "clientsecret",
    "password",
    "passwd",
    "jwt",
];

/// Whether a query parameter of this name usually carries a secret, in any case and with or without `-`
/// and `_`.
#[must_use]
pub fn names_secret(parameter: &str) -> bool {
    let letters = parameter.chars().filter(|c| !matches!(c, '-' | '_'));
    let word: String = letters.map(|c| c.to_ascii_lowercase()).collect();
    SECRET_NAMES.contains(&word.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_and_further_headers_are_read_from_one_text_and_written_again() {
        let secret = |text: &str| Secret::new(text.to_owned());
        for (text, key, headers) in [
            ("sk-1", Some("sk-1"), vec![]),
            ("sk-1\nCF-Access-Client-Id: a.b", Some("sk-1"), vec![("CF-Access-Client-Id", "a.b")]),
            (
                "sk-1\r\n\nA-b: 1\nC: two words\n",
                Some("sk-1"),
                vec![("A-b", "1"), ("C", "two words")],
            ),
            ("\nX-Token: t\nY: u", None, vec![("X-Token", "t"), ("Y", "u")]),
            ("X-Token: t", None, vec![("X-Token", "t")]),
            // What is no list of headers is a key, however odd.
            ("Basic: dXNlcg", Some("Basic: dXNlcg"), vec![]),
            ("one\ntwo", Some("one\ntwo"), vec![]),
        ] {
            let read = Credentials::read(&secret(text));
            assert_eq!(read.key, key.map(secret), "{text:?}");
            let expected: Vec<_> =
                headers.iter().map(|(name, value)| ((*name).to_owned(), secret(value))).collect();
            assert_eq!(read.headers, expected, "{text:?}");
            let again = Credentials::read(&read.written().unwrap());
            assert_eq!(again, read, "{text:?}");
        }
        assert_eq!(Credentials::default().written(), None);
    }

    #[test]
    fn headers_are_read_as_they_are_typed_and_a_line_that_is_none_is_named() {
        let read = |text: &str| Credentials::headers_of(&Secret::new(text.to_owned()));
        let all = read("CF-Access-Client-Id: a.b\r\n\n  X-Token:two words\n").unwrap();
        let all: Vec<_> = all.iter().map(|(name, value)| (&**name, value.expose())).collect();
        assert_eq!(all, [("CF-Access-Client-Id", "a.b"), ("X-Token", "two words")]);
        assert_eq!(read(""), Ok(Vec::new()));
        for (text, line) in [("no colon", 1), ("A: 1\n\nB b: 2", 3), ("A: 1\nB:", 2)] {
            assert_eq!(read(text), Err(line), "{text:?}");
        }
    }

    #[test]
    fn another_key_keeps_the_further_headers() {
        let secret = |text: &str| Secret::new(text.to_owned());
        for (before, renewed) in [
            (None, "new"),
            (Some("old"), "new"),
            (Some("old\nX-a: 1"), "new\nX-a: 1"),
            (Some("X-a: 1"), "new\nX-a: 1"),
        ] {
            let before = before.map(secret);
            assert_eq!(Credentials::renewed(before.as_ref(), secret("new")), secret(renewed));
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::new(" sk-1234 \n".to_owned());
        assert_eq!(format!("{secret:?}"), REDACTED);
        assert_eq!(secret.expose(), "sk-1234");
    }
}
