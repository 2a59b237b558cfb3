//! Lenient JSON values: one generation of a server sends a number where the next sends a string.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// At most this much of what was received is quoted in a diagnostic, in bytes.
pub const SAMPLE: usize = 400;

/// An id: the text of a string, or the digits of a number exactly as sent (ids of 78 digits stay
/// whole). `None` for anything else and for the empty string.
#[must_use]
pub fn id_of(raw: &RawValue) -> Option<String> {
    text_of(raw).map(Cow::into_owned).filter(|id| !id.is_empty())
}

/// A string; a number or a boolean as its text; `None` for `null`, arrays and objects. Half a
/// surrogate pair, which JavaScript may send, becomes U+FFFD instead of losing the text around it.
#[must_use]
pub fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    match text.as_bytes().first()? {
        b'"' => {
            let inner = text.get(1..text.len().saturating_sub(1))?;
            if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
                return Some(Cow::Borrowed(inner));
            }
            match serde_json::from_str::<String>(text) {
                Ok(text) => Some(Cow::Owned(text)),
                Err(_) => serde_json::from_str::<Lossy>(text).ok().map(|text| Cow::Owned(text.0)),
            }
        }
        b'-' | b'0'..=b'9' | b't' | b'f' => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

/// A string read as bytes, so that lone surrogates do not make it unreadable.
struct Lossy(String);

impl<'de> Deserialize<'de> for Lossy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Lossy, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Lossy;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Lossy, E> {
                Ok(Lossy(String::from_utf8_lossy(bytes).into_owned()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// A finite number, also when quoted; `None` for anything else.
#[must_use]
pub fn number_of(raw: &RawValue) -> Option<f64> {
    text_of(raw).and_then(|text| text.trim().parse().ok()).filter(|n: &f64| n.is_finite())
}

/// A whole number that fits, also when quoted or written as a float; `None` for anything else.
#[must_use]
pub fn whole_of<T: TryFrom<i64>>(raw: &RawValue) -> Option<T> {
    let text = text_of(raw)?;
    let text = text.trim();
    let whole = text.parse::<i64>().ok().or_else(|| {
        let float: f64 = text.parse().ok()?;
        (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
    })?;
    T::try_from(whole).ok()
}

/// Whether `text` is exactly one JSON value.
#[must_use]
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// How much of what was received a diagnostic carries to the caller, which removes the key and cuts
/// the text only then: a key that an earlier cut would split could not be recognised.
pub const HEAD: usize = 16 * 1024;

/// At most the first [`HEAD`] bytes of what was received, cut at a character.
#[must_use]
pub fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(HEAD)]
}

/// The beginning of what was received, cut at a character, for a diagnostic.
#[must_use]
pub fn sample(text: &str) -> String {
    if text.len() <= SAMPLE {
        return text.to_owned();
    }
    let mut end = SAMPLE;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<String> {
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        text_of(&raw).map(Cow::into_owned)
    }

    #[test]
    fn half_a_surrogate_pair_does_not_lose_the_text() {
        let text = read(r#""before \ud83d after""#).unwrap();
        assert!(text.starts_with("before ") && text.ends_with(" after"), "{text}");
        assert_eq!(read(r#""\ud83d\ude00\t\u202e""#).as_deref(), Some("\u{1f600}\t\u{202e}"));
    }

    #[test]
    fn an_id_of_78_digits_stays_whole() {
        let digits = "9".repeat(78);
        assert_eq!(read(&digits), Some(digits));
    }
}
