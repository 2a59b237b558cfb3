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

/// Whether a text is a time exactly as RFC 3339 writes it, which is all that some servers take:
/// `2025-09-26T15:20:00Z`, with or without a fraction of the second, in any offset.
#[must_use]
pub fn is_rfc3339(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some((civil, rest)) = text.split_at_checked(19) else { return false };
    let shaped = civil.bytes().zip("0000-00-00T00:00:00".bytes()).all(|(is, like)| match like {
        b'0' => is.is_ascii_digit(),
        _ => is == like,
    });
    // A leap second is a time to RFC 3339, but not to everybody who reads it.
    let shaped = shaped && !civil.ends_with("60");
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.find(['Z', '+', '-']).unwrap_or(rest.len())),
        None => ("0", rest),
    };
    let hours = |offset: &str| match offset.split_once(':') {
        Some((hours, minutes)) => {
            let two = hours.len() == 2 && minutes.len() == 2 && digits(hours) && digits(minutes);
            two && hours < "24" && minutes < "60"
        }
        None => false,
    };
    let placed = offset == "Z" || offset.strip_prefix(['+', '-']).is_some_and(hours);
    shaped && digits(fraction) && placed && civil.parse::<jiff::civil::DateTime>().is_ok()
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
    fn only_what_rfc_3339_writes_is_written_so() {
        for text in [
            "2025-09-26T15:20:00Z",
            "2025-09-26T15:20:00.123456789+02:00",
            "0001-01-01T00:00:00Z",
            "2025-09-26T15:20:59.9-00:30",
        ] {
            assert!(is_rfc3339(text), "{text}");
        }
        for text in [
            "2025-09-26 15:20:00",
            "2025-09-26 15:20:00Z",
            "2025-09-26T15:20:00",
            "2025-09-26t15:20:00z",
            "2025-09-26T15:20:00.Z",
            "2025-09-26T15:20:00,5Z",
            "2025-09-26T15:20:00+0200",
            "2025-09-26T15:20:00+24:00",
            "2025-09-26T15:20Z",
            "2025-13-26T15:20:00Z",
            "2025-09-26T25:20:00Z",
            "2025-09-26T15:20:60Z",
            "1795193685924",
            "",
            "now",
        ] {
            assert!(!is_rfc3339(text), "{text}");
        }
    }

    #[test]
    fn absurd_numbers_are_no_time() {
        for json in ["1e300", "-1e300", "123456789012345678901234567890"] {
            assert_eq!(read(json), None, "{json}");
        }
    }
}
