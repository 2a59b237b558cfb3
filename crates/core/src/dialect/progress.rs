//! Progress as workers report it: a percentage, a count, a share, an object, a text.

use serde_json::value::RawValue;

use crate::model::{JobPatch, Json};
use crate::wire::fields::Fields;
use crate::wire::json;

/// Where objects say how much there is to do.
const TOTALS: [&str; 6] = ["total", "max", "of", "count", "steps", "totalSteps"];

/// Where they say how much is done.
const DONE: [&str; 15] = [
    "progress",
    "current",
    "processed",
    "completed",
    "done",
    "loaded",
    "value",
    "finished",
    "step",
    "position",
    "index",
    "n",
    "succeeded",
    "handled",
    "complete",
];

/// Where they say a percentage.
const PERCENT: [&str; 5] = ["percent", "percentage", "pct", "progressPercent", "progress"];

/// How deep an object in an object is looked into.
const DEPTH: u8 = 3;

/// Puts reported progress where it belongs: a percentage into `progress`; an object, and a number
/// that is no percentage, into `detail`; other text into `message`, if there is none yet. What has
/// no meaning as progress (a boolean, a negative number) is left out.
pub fn set(patch: &mut JobPatch, raw: &RawValue) {
    let text = raw.get();
    if text.starts_with(['{', '[']) {
        patch.progress = of_object(raw, DEPTH).or(patch.progress);
        patch.detail = Some(Json::from(raw));
        return;
    }
    match text.as_bytes().first() {
        Some(b'"') => {
            let Some(said) = json::id_of(raw) else { return };
            match of_text(&said) {
                Some(Said::Percent(percent)) => patch.progress = Some(percent),
                Some(Said::Count(count)) => patch.detail = Some(number(count)),
                None if patch.message.is_none() => patch.message = Some(said),
                None => {}
            }
        }
        Some(b'-' | b'0'..=b'9') => match json::number_of(raw).and_then(of_number) {
            Some(Said::Percent(percent)) => patch.progress = Some(percent),
            Some(Said::Count(_)) => patch.detail = Some(Json::from(raw)),
            None => {}
        },
        _ => {}
    }
}

enum Said {
    Percent(f64),
    /// So many things, of nobody knows how many.
    Count(f64),
}

/// A number up to 100 is a percentage, whatever its fraction: 0.5 is half of one percent. What is
/// larger counts something.
fn of_number(number: f64) -> Option<Said> {
    match number {
        // What a sum of fractions may come to.
        n if (0.0..=100.5).contains(&n) => Some(Said::Percent(n.min(100.0))),
        n if n > 100.0 && n.is_finite() => Some(Said::Count(n)),
        _ => None,
    }
}

/// `45%`, `3/10`, `3 of 10`, `45`.
fn of_text(text: &str) -> Option<Said> {
    let text = text.trim();
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
    if let Some(percent) = text.strip_suffix('%') {
        return number(percent)
            .filter(|n| (0.0..=100.5).contains(n))
            .map(|n| Said::Percent(n.min(100.0)));
    }
    if let Some((done, total)) = text.split_once('/').or_else(|| text.split_once(" of ")) {
        return share(number(done)?, number(total)?).map(Said::Percent);
    }
    number(text).and_then(of_number)
}

fn share(done: f64, total: f64) -> Option<f64> {
    (total > 0.0 && (0.0..=total).contains(&done)).then(|| done / total * 100.0)
}

fn of_object(raw: &RawValue, depth: u8) -> Option<f64> {
    let fields = Fields::of(raw)?;
    let deeper = depth.checked_sub(1)?;
    let named = |names: &[&str]| names.iter().find_map(|name| number_in(&fields, name));
    if let Some(total) = named(&TOTALS)
        && let Some(done) = named(&DONE)
    {
        return share(done, total);
    }
    PERCENT.iter().find_map(|name| {
        let raw = fields.get(name)?;
        if raw.get().starts_with('{') {
            return of_object(raw, deeper);
        }
        let said = match json::id_of(raw) {
            Some(text) if raw.get().starts_with('"') => of_text(&text),
            _ => number_in(&fields, name).and_then(of_number),
        };
        said.and_then(|said| match said {
            Said::Percent(percent) => Some(percent),
            Said::Count(_) => None,
        })
    })
}

/// A number, but no boolean.
fn number_in(fields: &Fields<'_>, name: &str) -> Option<f64> {
    let raw = fields.get(name)?;
    let is_number = raw.get().starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '"'));
    is_number.then(|| json::number_of(raw)).flatten().filter(|n| n.is_finite())
}

fn number(number: f64) -> Json {
    Json::from(&serde_json::Value::from(number))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<f64>, Option<String>, Option<String>) {
        let raw: &RawValue = serde_json::from_str(text).unwrap();
        let mut patch = JobPatch::new("1");
        set(&mut patch, raw);
        let detail = patch.detail.map(|detail| detail.as_str().to_owned());
        (patch.progress, detail, patch.message)
    }

    #[test]
    fn whatever_stands_for_a_share_of_the_work_is_a_percentage() {
        for (text, percent) in [
            ("45", 45.0),
            ("42.5", 42.5),
            ("0.5", 0.5),
            ("0", 0.0),
            ("100", 100.0),
            ("100.00000000000001", 100.0),
            (r#""45%""#, 45.0),
            (r#"" 45.5 % ""#, 45.5),
            (r#""45""#, 45.0),
            (r#""3/10""#, 30.0),
            (r#""3 of 10""#, 30.0),
            (r#"{"progress":70,"total":100}"#, 70.0),
            (r#"{"percent":45}"#, 45.0),
            (r#"{"percentage":"45%"}"#, 45.0),
            (r#"{"current":3,"total":4}"#, 75.0),
            (r#"{"processed":"3","total":"4"}"#, 75.0),
            (r#"{"completed":4235,"total":8470}"#, 50.0),
            (r#"{"loaded":1,"max":8}"#, 12.5),
            (r#"{"progress":{"percent":12}}"#, 12.0),
            (r#"{"progress":12,"stage":"saving"}"#, 12.0),
        ] {
            assert_eq!(read(text).0, Some(percent), "{text}");
        }
    }

    #[test]
    fn a_count_is_a_number_and_no_share() {
        assert_eq!(read("4235"), (None, Some("4235".to_owned()), None));
        assert_eq!(read(r#""4235""#).0, None);
        assert_eq!(read(r#"{"processed":4235}"#).0, None);
        assert_eq!(read(r#"{"current":12,"total":10}"#).0, None);
        assert_eq!(read(r#"{"progress":4235}"#).0, None);
    }

    #[test]
    fn what_has_no_meaning_as_progress_is_left_out() {
        for text in ["true", "false", "null", "-1", "-0.5", "1e999"] {
            assert_eq!(read(text), (None, None, None), "{text}");
        }
        for text in [r#""NaN""#, r#""-3%""#, r#""400%""#, r#""3/0""#, r#""half way""#] {
            let (progress, detail, message) = read(text);
            assert_eq!((progress, detail), (None, None), "{text}");
            assert!(message.is_some());
        }
        assert_eq!(read(r#"{"completed":true,"total":3}"#).0, None);
        assert_eq!(read("[3,10]").0, None);
    }
}
