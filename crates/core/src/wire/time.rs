//! The six ways in which servers write a time.

use jiff::Timestamp;
use serde_json::value::RawValue;

/// Reads a time as servers write it:
///
/// - RFC 3339 with any number of fraction digits and any offset (TriggerX, KECS, Study Buddy);
/// - the same with a space for the `T`, or without an offset, which means UTC;
/// - milliseconds since 1970 as a number (analyzer socket, Better Bull Board detail);
/// - seconds since 1970 as a number, with or without a fraction (KECS, ECS style);
/// - either number in quotes;
/// - Go's zero time `0001-01-01T00:00:00Z`, zero, `null` or `""`, which all mean "never".
///
/// Whether a number is seconds or milliseconds follows from its size: below 10^11 it is seconds
/// (until the year 5138), from there on milliseconds.
///
/// `None` for "never" and for anything that is no time.
#[must_use]
pub fn parse(raw: &RawValue) -> Option<Timestamp> {
    let text = raw.get().trim();
    match text.as_bytes().first()? {
        b'"' => {
            let text = super::json::text_of(raw)?;
            parse_text(text.trim())
        }
        b'-' | b'0'..=b'9' => parse_number(text),
        _ => None,
    }
}

/// As [`parse`], for text without quotes.
#[must_use]
pub fn parse_text(text: &str) -> Option<Timestamp> {
    if text.is_empty() {
        return None;
    }
    let number = text.strip_prefix('-').unwrap_or(text);
    if number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return parse_number(text);
    }
    let never = |at: &Timestamp| at.as_second() > -62_135_510_400;
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at).filter(never);
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp()).filter(never)
}

fn parse_number(text: &str) -> Option<Timestamp> {
    let number: f64 = text.parse().ok()?;
    if number == 0.0 || !number.is_finite() {
        return None;
    }
    if number.abs() >= 1e11 {
        // Whole milliseconds are exact in a double far beyond any date.
        return Timestamp::from_millisecond(number.trunc() as i64).ok();
    }
    Timestamp::from_microsecond((number * 1e6).round() as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<String> {
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        parse(&raw).map(|at| at.to_string())
    }

    #[test]
    fn all_six_formats_name_the_same_moment() {
        for json in [
            r#""2025-09-26T15:20:00.123Z""#,
            r#""2025-09-26T17:20:00.123000000+02:00""#,
            r#""2025-09-26 15:20:00.123""#,
            "1758900000123",
            "1758900000.123",
            r#""1758900000123""#,
        ] {
            assert_eq!(read(json).as_deref(), Some("2025-09-26T15:20:00.123Z"), "{json}");
        }
    }

    #[test]
    fn never_is_no_time() {
        for json in [r#""0001-01-01T00:00:00Z""#, "0", "null", r#""""#, r#""soon""#, "{}", "[]"] {
            assert_eq!(read(json), None, "{json}");
        }
    }

    #[test]
    fn absurd_numbers_are_no_time() {
        for json in ["1e300", "-1e300", "123456789012345678901234567890"] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
