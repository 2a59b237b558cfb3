//! Lenient JSON: fields that one generation sends as a number and the next as a string, or as
//! `null` where an array should be. For use with `#[serde(default, deserialize_with = "...")]` on
//! fields of frame structs; none of these functions fails on valid JSON of the wrong kind.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::model::Json;

/// At most this much of what was received is quoted in a diagnostic, in bytes.
pub const SAMPLE: usize = 400;

/// An id: the text of a string, or the digits of a number exactly as sent (ids of 78 digits stay
/// whole). `None` for anything else and for the empty string.
///
/// # Errors
/// Only when the input is not JSON.
pub fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(<&RawValue>::deserialize(deserializer).map_or(None, id_of))
}

/// As [`id`], for a value already at hand.
#[must_use]
pub fn id_of(raw: &RawValue) -> Option<String> {
    text_of(raw).map(Cow::into_owned).filter(|id| !id.is_empty())
}

/// A string; a number or a boolean as its text; `None` for `null`, arrays and objects.
///
/// # Errors
/// Only when the input is not JSON.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(<&RawValue>::deserialize(deserializer)?).map(|raw| text_of(raw).map(Cow::into_owned))
}

/// As [`text`], for a value already at hand.
#[must_use]
pub fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    match text.as_bytes().first()? {
        b'"' => serde_json::from_str(text)
            .ok()
            .or_else(|| serde_json::from_str::<String>(text).ok().map(Cow::Owned)),
        b'-' | b'0'..=b'9' | b't' | b'f' => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

/// A number, also when quoted; `None` for anything else.
///
/// # Errors
/// Only when the input is not JSON.
pub fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(text_of(raw).and_then(|text| text.trim().parse().ok()).filter(|n: &f64| n.is_finite()))
}

/// A whole number that fits, also when quoted or written as a float; `None` for anything else.
///
/// # Errors
/// Only when the input is not JSON.
pub fn whole<'de, D: Deserializer<'de>, T: TryFrom<i64>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(text_of(raw).and_then(|text| {
        let text = text.trim();
        let whole = text.parse::<i64>().ok().or_else(|| {
            let float: f64 = text.parse().ok()?;
            (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)
        })?;
        T::try_from(whole).ok()
    }))
}

/// A boolean; `None` for anything else.
///
/// # Errors
/// Only when the input is not JSON.
pub fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(match raw.get() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    })
}

/// A time in any of the formats of [`super::time::parse`]; `None` for anything else.
///
/// # Errors
/// Only when the input is not JSON.
pub fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(super::time::parse(<&RawValue>::deserialize(deserializer)?))
}

/// Any value as its text; `None` for `null`.
///
/// # Errors
/// Only when the input is not JSON.
pub fn any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok((raw.get() != "null").then(|| Json::from(raw)))
}

/// The elements of an array that have the right shape; empty for `null` and anything else.
///
/// # Errors
/// Only when the input is not JSON.
pub fn list<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    if let Ok(all) = serde_json::from_str(raw.get()) {
        return Ok(all);
    }
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) else {
        return Ok(Vec::new());
    };
    Ok(items.into_iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect())
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
