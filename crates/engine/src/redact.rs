//! Removing a server's key from text that is shown, logged or stored.

use jobwatch_core::secret::{REDACTED, Secret};

/// The ways one server's key may be written. Prepared once, since every frame passes through.
#[derive(Clone, Default)]
pub struct Redactor {
    needles: Vec<Secret>,
}

impl Redactor {
    /// For `key`, as it is, as JSON writes it inside a string, and percent-encoded.
    #[must_use]
    pub fn new(key: Option<&Secret>) -> Redactor {
        let mut redactor = Redactor::default();
        if let Some(key) = key {
            redactor.add(key);
        }
        redactor
    }

    /// Removes `key` as well from now on: a replaced key must not come to light either.
    pub fn add(&mut self, key: &Secret) {
        let raw = key.expose();
        if raw.is_empty() {
            return;
        }
        let json = serde_json::to_string(raw).unwrap_or_default();
        let json = json.trim_matches('"').to_owned();
        let form: String = url::form_urlencoded::byte_serialize(raw.as_bytes()).collect();
        // Everything but letters and digits encoded, as strict encoders do it.
        let strict: String = raw
            .bytes()
            .map(|byte| match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        // As the URL library writes it in a query and in a path.
        let mut url = url::Url::parse("x://h/").ok();
        let query = url.as_mut().map(|url| {
            url.set_query(Some(raw));
            url.query().unwrap_or_default().to_owned()
        });
        for text in [Some(raw.to_owned()), Some(json), Some(form), Some(strict), query] {
            let Some(needle) = text.filter(|text| !text.is_empty()).map(Secret::new) else {
                continue;
            };
            if !self.needles.contains(&needle) {
                self.needles.push(needle);
            }
        }
    }

    /// `text` without the key.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        let mut clean = None::<String>;
        for needle in &self.needles {
            let current = clean.as_deref().unwrap_or(text);
            if current.contains(needle.expose()) {
                clean = Some(current.replace(needle.expose(), REDACTED));
            }
        }
        clean.unwrap_or_else(|| text.to_owned())
    }

    /// Removes the key from `text`; costs a search where it is not there.
    pub fn clean_in_place(&self, text: &mut String) {
        if self.finds(text) {
            *text = self.clean(text);
        }
    }

    /// Whether the key is in `text`.
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        self.needles.iter().any(|needle| text.contains(needle.expose()))
    }

    /// The first `limit` bytes of `text`, cut at a character, without the key. A key that the cut
    /// would split is removed whole.
    #[must_use]
    pub fn clean_prefix(&self, text: &str, limit: usize) -> String {
        let longest = self.needles.iter().map(|needle| needle.expose().len()).max().unwrap_or(0);
        let mut clean = self.clean(prefix(text, limit.saturating_add(longest)));
        let end = prefix(&clean, limit).len();
        clean.truncate(end);
        clean
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({})", self.needles.len())
    }
}

/// At most the first `limit` bytes of `text`, cut at a character.
#[must_use]
pub fn prefix(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_removed_in_every_way_it_may_be_written() {
        let key = Secret::new(r#"a"b/c+d e"#.to_owned());
        let redactor = Redactor::new(Some(&key));
        let json = serde_json::json!({ "token": r#"a"b/c+d e"# }).to_string();
        assert_eq!(redactor.clean(&json), r#"{"token":"[redacted]"}"#);
        assert_eq!(redactor.clean("?k=a%22b%2Fc%2Bd%20e"), "?k=[redacted]");
        assert_eq!(redactor.clean("?k=a%22b%2Fc%2Bd+e"), "?k=[redacted]");
        assert_eq!(redactor.clean(r#"raw a"b/c+d e."#), "raw [redacted].");
    }

    #[test]
    fn a_key_across_the_cut_does_not_show_its_beginning() {
        let redactor = Redactor::new(Some(&Secret::new("sk-secret-value".to_owned())));
        let shown = redactor.clean_prefix("0123456789sk-secret-value and more", 14);
        assert!(!shown.contains("sk-"), "{shown}");
    }
}
