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
    if let Some(at) = plain(text.as_bytes()) {
        return Some(at);
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

/// `2025-09-26T15:20:00.123Z` in the years 1970 to 9999: how floods of log lines write it. `None`
/// for anything else, valid or not.
fn plain(text: &[u8]) -> Option<Timestamp> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    let digits = |from: usize, count: usize| {
        head[from..from + count].iter().try_fold(0_i64, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
        })
    };
    let marks = [head[4], head[7], head[10], head[13], head[16]];
    if marks != *b"--T::" {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 2)?, digits(8, 2)?);
    let (hour, minute, second) = (digits(11, 2)?, digits(14, 2)?, digits(17, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1970 || !(1..=length).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanosecond = match rest {
        b"Z" => 0,
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => {
            let mut number = 0_i32;
            for place in 0..9 {
                let digit = fraction.get(place).copied().unwrap_or(b'0');
                if !digit.is_ascii_digit() {
                    return None;
                }
                number = number * 10 + i32::from(digit - b'0');
            }
            number
        }
        _ => return None,
    };
    // Days since 1970 with the year beginning in March, so that the leap day is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    Timestamp::new(days * 86_400 + hour * 3_600 + minute * 60 + second, nanosecond).ok()
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
    fn the_quick_way_reads_every_day_as_the_calendar_has_it() {
        for days in 0..80_000_i64 {
            let seconds = days * 86_400 + (days * 7_919) % 86_400;
            let at = Timestamp::new(seconds, (days * 1_237 % 1_000_000_000) as i32).unwrap();
            assert_eq!(plain(at.to_string().as_bytes()), Some(at));
        }
        for text in [
            "2025-02-29T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-01-01T24:00:00Z",
            "2025-01-01T00:00:60Z",
            "2025-01-01T00:00:00.Z",
            "2025-01-01T00:00:00.1234567890Z",
            "2025-01-01T00:00:00+00:00",
            "2025-01-01 00:00:00Z",
        ] {
            assert_eq!(plain(text.as_bytes()), None, "{text}");
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
