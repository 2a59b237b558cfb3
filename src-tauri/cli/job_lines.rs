//! Lines for job updates: adds further fields when they change, and skips a line that repeats the
//! last one.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use jobwatch_core::model::{Extra, Job, JobId, Json};
use jobwatch_engine::ports::StreamEvent;

use super::text::{self, Style, sanitize};

/// Jobs whose last line is remembered. Beyond that all are forgotten, and printed once more.
const MAX_REMEMBERED: usize = 20_000;
/// The most characters of one field's value.
const MAX_VALUE: usize = 120;

/// The last line of each job.
#[derive(Debug, Default)]
pub struct JobLines {
    last: HashMap<JobId, Last>,
}

#[derive(Debug)]
struct Last {
    /// The line without its time.
    line: String,
    job: Arc<Job>,
}

impl JobLines {
    /// `event` as a line of text; `None` if it would repeat the last one.
    pub fn line(
        &mut self,
        server: &str,
        event: &StreamEvent,
        style: Style,
        now: Timestamp,
    ) -> Option<String> {
        let line = text::line(server, event, style, now)?;
        let StreamEvent::Job { job, .. } = event else { return Some(line) };
        let timeless = text::line(server, event, style, Timestamp::UNIX_EPOCH)?;
        let before = self.last.get(&job.id);
        let changed = before.map(|last| changed(&last.job, job)).unwrap_or_default();
        let same = before.is_some_and(|last| last.line == timeless);
        if self.last.len() >= MAX_REMEMBERED && before.is_none() {
            self.last.clear();
        }
        self.last.insert(job.id.clone(), Last { line: timeless, job: Arc::clone(job) });
        match changed.is_empty() {
            true if same => None,
            true => Some(line),
            false => Some(format!("{line} [{}]", changed.join(", "))),
        }
    }
}

/// The fields that are new or have changed.
fn changed(before: &Job, job: &Job) -> Vec<String> {
    let detail = match (&before.detail, &job.detail) {
        (before, Some(now)) if before.as_ref() != Some(now) => describe_fields(now),
        _ => Vec::new(),
    };
    let extra = differing(&before.extra, &job.extra);
    detail.into_iter().chain(extra).collect()
}

fn differing(before: &Extra, now: &Extra) -> Vec<String> {
    now.iter()
        .filter(|(name, value)| before.get(name) != Some(*value))
        .map(|(name, value)| format!("{} {}", sanitize(name), describe_value(value)))
        .collect()
}

/// Progress that is not a number: the scalar fields of an object, or all of it.
fn describe_fields(detail: &Json) -> Vec<String> {
    match detail.to_value() {
        serde_json::Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_object() && !value.is_array())
            .map(|(name, value)| {
                format!("{} {}", sanitize(name), describe_value(&Json::from(value)))
            })
            .collect(),
        _ => vec![describe_value(detail)],
    }
}

fn describe_value(value: &Json) -> String {
    let text = match value.to_value() {
        serde_json::Value::String(text) => text,
        // As it was sent: numbers keep their digits.
        _ => value.as_str().to_owned(),
    };
    let text = sanitize(text.trim()).into_owned();
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use jobwatch_core::server::ServerId;

    use super::*;

    const PLAIN: Style = Style { colour: false, terminal: false };

    fn task(fields: &[(&str, &str)], state: &str) -> StreamEvent {
        let extra: serde_json::Map<String, serde_json::Value> = fields
            .iter()
            .map(|(name, json)| ((*name).to_owned(), serde_json::from_str(json).unwrap()))
            .collect();
        let job: Job = serde_json::from_value(serde_json::json!({
            "id": "task:7", "state": state, "source": "socket", "extra": extra,
            "heard_at": "1970-01-01T00:00:00Z",
        }))
        .unwrap();
        StreamEvent::Job { server: ServerId("s".to_owned()), job: Arc::new(job), named: false }
    }

    fn lines(events: &[StreamEvent]) -> Vec<Option<String>> {
        let mut changes = JobLines::default();
        let line = |(second, event)| {
            let now = Timestamp::from_second(second).unwrap();
            let line = changes.line("s", event, PLAIN, now)?;
            Some(
                line.split_once("running").map_or(line.clone(), |(_, rest)| rest.trim().to_owned()),
            )
        };
        (0..).zip(events).map(line).collect()
    }

    #[test]
    fn a_line_names_changed_fields_and_is_not_repeated() {
        let said = lines(&[
            task(&[], "running"),
            task(&[("task_opx_cost", "0.5")], "running"),
            task(&[("task_opx_cost", "0.5")], "running"),
            task(
                &[
                    ("task_opx_cost", "0.50"),
                    ("tx_url", r#""https://x/0x1""#),
                    ("task_attester_ids", "[1,2]"),
                ],
                "running",
            ),
        ]);
        assert_eq!(said[0].as_deref(), Some("task:7"));
        assert_eq!(said[1].as_deref(), Some("task:7 [task_opx_cost 0.5]"));
        assert_eq!(said[2], None);
        assert_eq!(
            said[3].as_deref(),
            Some("task:7 [task_attester_ids [1,2], tx_url https://x/0x1]")
        );
    }

    #[test]
    fn a_field_is_sanitized_and_cut() {
        let long = format!(r#""\u001b]0;t\u0007{}""#, "x".repeat(500));
        let said = lines(&[task(&[], "running"), task(&[("a\u{1b}[31mb", &long)], "running")]);
        let expected = format!("task:7 [ab {}…]", "x".repeat(MAX_VALUE));
        assert_eq!(said[1].as_deref(), Some(expected.as_str()));
    }
}
