//! Removing a server's key from text that is shown, logged or stored.

use jobwatch_core::model::Json;
use jobwatch_core::secret::{REDACTED, Secret};
use memchr::memmem;

/// At most this much of a server's words is told in a sentence, in bytes.
pub const WORDS: usize = 1_000;

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
        let json = json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned();
        // Some encoders escape the slash, which JSON allows.
        let slashed = json.replace('/', "\\/");
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
        for text in
            [Some(raw.to_owned()), Some(json), Some(slashed), Some(form), Some(strict), query]
        {
            let Some(needle) = text.filter(|text| !text.is_empty()).map(Secret::new) else {
                continue;
            };
            if !self.needles.contains(&needle) {
                self.needles.push(needle);
            }
        }
        // The longer first: where one key begins another, removing the shorter would leave the
        // rest of the longer.
        self.needles.sort_by_key(|needle| std::cmp::Reverse(needle.expose().len()));
    }

    /// `text` without the key.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        let mut clean = None::<String>;
        for needle in &self.needles {
            let current = clean.as_deref().unwrap_or(text);
            if contains(current, needle) {
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
        self.needles.iter().any(|needle| contains(text, needle))
    }

    /// Removes the key from JSON; what is no JSON any more without it becomes a JSON string.
    pub fn clean_json(&self, json: &mut Json) {
        if self.finds(json.as_str()) {
            let clean = self.clean(json.as_str());
            *json = Json::parse(&clean)
                .unwrap_or_else(|| Json::from(&serde_json::Value::String(clean)));
        }
    }

    /// At most the first `limit` bytes of `text`, cut at a character, without the key. Only a
    /// bounded part of `text` is looked at, and what the end of that part may hold of a key is
    /// removed: the result may be shorter than `limit`.
    #[must_use]
    pub fn clean_prefix(&self, text: &str, limit: usize) -> String {
        let longest = self.needles.iter().map(|needle| needle.expose().len()).max().unwrap_or(0);
        let part = prefix(text, limit.saturating_add(longest));
        let mut clean = self.clean(part);
        if part.len() < text.len() {
            // Removing whole keys has moved the beginning of a split one towards the front, but it
            // still is at the end and shorter than a key.
            let end = prefix(&clean, clean.len().saturating_sub(longest)).len();
            clean.truncate(end);
        }
        let end = prefix(&clean, limit).len();
        clean.truncate(end);
        clean
    }
}

fn contains(text: &str, needle: &Secret) -> bool {
    memmem::find(text.as_bytes(), needle.expose().as_bytes()).is_some()
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

    #[test]
    fn a_long_key_that_occurs_twice_leaves_no_piece_of_itself_at_any_cut() {
        let key: String = (0..60).map(|n| format!("k{n:03}.")).collect();
        assert_eq!(key.len(), 300);
        let redactor = Redactor::new(Some(&Secret::new(key.clone())));
        let text = format!("{{\"a\":\"{key}\",\"b\":\"{key}\",\"c\":\"{}\"}}", "x".repeat(900));
        for limit in 0..text.len() {
            let shown = redactor.clean_prefix(&text, limit);
            assert!(shown.len() <= limit);
            for at in 0..key.len() - 8 {
                assert!(!shown.contains(&key[at..at + 8]), "{limit}: {shown}");
            }
        }
    }

    #[test]
    fn a_key_that_begins_another_leaves_nothing_of_it() {
        let mut redactor = Redactor::new(Some(&Secret::new("sk-old".to_owned())));
        redactor.add(&Secret::new("sk-old-and-new".to_owned()));
        assert_eq!(redactor.clean("sk-old-and-new sk-old"), "[redacted] [redacted]");
    }

    #[test]
    fn json_stays_json_without_the_key() {
        let clean = |key: &str, text: &str| {
            let mut json = Json::parse(text).unwrap();
            Redactor::new(Some(&Secret::new(key.to_owned()))).clean_json(&mut json);
            json.as_str().to_owned()
        };
        assert_eq!(
            clean("sk/1", r#"{"u":"x?k=sk\/1","n":1.0}"#),
            r#"{"u":"x?k=[redacted]","n":1.0}"#
        );
        assert_eq!(clean("4711", "[4711]"), r#""[[redacted]]""#);
    }
}
