//! JSON whose keys keep the order in which the real servers print them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

/// Anything that is already JSON text.
pub(crate) type Raw = Box<RawValue>;

/// An object under construction; keys appear in the order of the calls.
#[derive(Debug)]
pub(crate) struct Obj(String);

impl Obj {
    /// `{}`.
    pub fn new() -> Obj {
        Obj(String::from("{"))
    }

    /// Adds a key.
    pub fn put(mut self, key: &str, value: impl Serialize) -> Obj {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&text(key));
        self.0.push(':');
        self.0.push_str(&text(value));
        self
    }

    /// Adds a key unless there is no value.
    pub fn maybe(self, key: &str, value: Option<impl Serialize>) -> Obj {
        match value {
            Some(value) => self.put(key, value),
            None => self,
        }
    }

    /// The text.
    pub fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    /// The value, for use inside another object.
    pub fn raw(self) -> Raw {
        raw(self.finish())
    }
}

/// `value` as JSON text. What the demo prints are plain structures, for which this cannot fail.
pub(crate) fn text(value: impl Serialize) -> String {
    serde_json::to_string(&value).unwrap_or_else(|_| "null".to_owned())
}

/// JSON text as a value; `null` for anything that is not JSON.
pub(crate) fn raw(text: String) -> Raw {
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// A number as JavaScript and Go print it: without a fraction where there is none.
pub(crate) fn num(value: f64) -> Raw {
    raw(format!("{value}"))
}

/// ISO 8601 with milliseconds, as JavaScript's `toISOString`.
pub(crate) fn iso(ms: i64) -> String {
    at(ms).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// RFC 3339 with nanoseconds as Go prints them: trailing zeros removed, so the length varies.
pub(crate) fn go_time(ms: i64, salt: u64) -> String {
    let nanos = (salt.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44) % 1_000_000;
    let whole = at(ms).strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let fraction = format!("{:03}{nanos:06}", ms.rem_euclid(1000));
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{whole}Z") } else { format!("{whole}.{fraction}Z") }
}

/// Milliseconds since 1970 as a timestamp; the epoch for numbers outside its range.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_each_language_prints_them() {
        assert_eq!(iso(1_758_900_000_120), "2025-09-26T15:20:00.120Z");
        assert_eq!(go_time(1_758_900_000_120, 0), "2025-09-26T15:20:00.12Z");
        assert_eq!(go_time(1_758_900_000_000, 0), "2025-09-26T15:20:00Z");
    }

    #[test]
    fn keys_keep_their_order_and_numbers_their_form() {
        let text = Obj::new().put("z", num(10.0)).maybe("n", None::<u8>).put("a", num(0.0000213));
        assert_eq!(text.finish(), r#"{"z":10,"a":0.0000213}"#);
    }
}
