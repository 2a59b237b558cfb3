//! The output of `--json`: one object per line, always with all its keys, in the documented order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jobwatch_core::connection::{ConnectionState, Remedy, Status};
use jobwatch_core::log::LogLine;
use jobwatch_core::model::{Diagnostic, Job, JobId, Json, Metric, QueuePatch, Source};
use jobwatch_core::notify::{Notice, Tone};
use serde::{Serialize, Serializer};

/// One line.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Line<'a> {
    Status(StatusLine<'a>),
    Job(Box<JobLine<'a>>),
    Log(LogText<'a>),
    Metric(MetricLine<'a>),
    Queue(QueueLine<'a>),
    Notice(NoticeLine<'a>),
    Diagnostic(DiagnosticLine<'a>),
}

impl Line<'_> {
    /// The object's text, without the line's end.
    #[must_use]
    pub fn text(&self) -> String {
        // Every part prints: texts, numbers and JSON that was parsed before.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A server's connection changed.
#[derive(Debug, Serialize)]
pub struct StatusLine<'a> {
    server: &'a str,
    status: &'static str,
    reason: Option<&'a str>,
    incomplete: Option<&'a str>,
    remedy: Option<&'static str>,
    attempt: u32,
    retry_in_ms: Option<u64>,
    last_heard: Option<Timestamp>,
}

/// A job changed: the whole merged job.
#[derive(Debug, Serialize)]
pub struct JobLine<'a> {
    server: &'a str,
    id: &'a str,
    parent: Option<&'a str>,
    external_id: Option<&'a str>,
    name: Option<&'a str>,
    queue: Option<&'a str>,
    state: String,
    #[serde(serialize_with = "progress")]
    progress: Option<f64>,
    #[serde(serialize_with = "one_line")]
    detail: Option<&'a Json>,
    message: Option<&'a str>,
    error: Option<&'a str>,
    attempt: Option<u32>,
    max_attempts: Option<u32>,
    #[serde(serialize_with = "one_line")]
    result: Option<&'a Json>,
    fields: BTreeMap<&'a str, OneLine<'a>>,
    created_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    source: Source,
}

/// A log line.
#[derive(Debug, Serialize)]
pub struct LogText<'a> {
    server: &'a str,
    job: &'a str,
    seq: u64,
    timestamp: Option<Timestamp>,
    level: Option<&'static str>,
    origin: Option<&'a str>,
    message: &'a str,
}

/// A measured value.
#[derive(Debug, Serialize)]
pub struct MetricLine<'a> {
    server: &'a str,
    job: Option<&'a str>,
    name: &'a str,
    value: f64,
    unit: Option<&'a str>,
    timestamp: Option<Timestamp>,
}

/// A queue's numbers.
#[derive(Debug, Serialize)]
pub struct QueueLine<'a> {
    server: &'a str,
    name: &'a str,
    paused: Option<bool>,
    waiting: Option<u64>,
    active: Option<u64>,
    completed: Option<u64>,
    failed: Option<u64>,
    delayed: Option<u64>,
}

/// A notice.
#[derive(Debug, Serialize)]
pub struct NoticeLine<'a> {
    server: &'a str,
    job: Option<&'a str>,
    title: &'a str,
    body: &'a str,
    tone: Tone,
    timestamp: Timestamp,
}

/// Something unexpected, such as an unreadable message.
#[derive(Debug, Serialize)]
pub struct DiagnosticLine<'a> {
    server: &'a str,
    kind: &'a str,
    text: &'a str,
    sample: Option<&'a str>,
}

/// The name of a connection state.
#[must_use]
pub fn state_word(link: ConnectionState) -> &'static str {
    match link {
        ConnectionState::Live => "live",
        ConnectionState::Partly => "partly",
        ConnectionState::Connecting => "connecting",
        ConnectionState::Polling => "polling",
        ConnectionState::Offline => "offline",
        ConnectionState::Refused => "refused",
        ConnectionState::Paused => "paused",
    }
}

/// Whole numbers print without a fraction.
fn progress<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        None => serializer.serialize_none(),
        Some(value) if value.fract() == 0.0 && (0.0..=100.0).contains(value) => {
            // Within 0 to 100: exact.
            serializer.serialize_u8(*value as u8)
        }
        Some(value) => serializer.serialize_f64(*value),
    }
}

/// JSON as the server sent it, digit for digit, but on one line: outside of its strings a line
/// break is only white space, and inside them it cannot stand.
fn one_line<S: Serializer>(value: &Option<&Json>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(json) if json.as_str().contains(['\n', '\r']) => {
            Json::parse(&json.as_str().replace(['\n', '\r'], " ")).serialize(serializer)
        }
        value => value.serialize(serializer),
    }
}

/// JSON of the server's on one line.
#[derive(Debug)]
struct OneLine<'a>(&'a Json);

impl Serialize for OneLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        one_line(&Some(self.0), serializer)
    }
}

/// The line for a status.
#[must_use]
pub fn status<'a>(server: &'a str, status: &'a Status) -> Line<'a> {
    Line::Status(StatusLine {
        server,
        status: state_word(status.state),
        reason: status.reason.as_deref(),
        incomplete: status.incomplete.as_deref(),
        remedy: status.remedy.map(Remedy::word),
        attempt: status.attempt,
        retry_in_ms: status.retry_in_ms,
        last_heard: status.last_received,
    })
}

/// The line for a job.
#[must_use]
pub fn job<'a>(server: &'a str, job: &'a Job) -> Line<'a> {
    Line::Job(Box::new(JobLine {
        server,
        id: job.id.as_str(),
        parent: job.parent.as_ref().map(JobId::as_str),
        external_id: job.external_id.as_deref(),
        name: job.name.as_deref(),
        queue: job.queue.as_deref(),
        state: job.state.word(),
        progress: job.progress,
        detail: job.detail.as_ref(),
        message: job.message.as_deref(),
        error: job.error.as_deref(),
        attempt: job.attempt,
        max_attempts: job.max_attempts,
        result: job.result.as_ref(),
        fields: job.extra.iter().map(|(name, json)| (name, OneLine(json))).collect(),
        created_at: job.created_at,
        started_at: job.started_at,
        finished_at: job.finished_at,
        updated_at: job.updated_at,
        source: job.source,
    }))
}

/// The line for a log line.
#[must_use]
pub fn log<'a>(server: &'a str, job: &'a JobId, seq: u64, line: &LogLine<'a>) -> Line<'a> {
    Line::Log(LogText {
        server,
        job: job.as_str(),
        seq,
        timestamp: line.at,
        level: line.level.map(jobwatch_core::model::Level::word),
        origin: line.origin,
        message: line.text,
    })
}

/// The line for a metric.
#[must_use]
pub fn metric<'a>(server: &'a str, metric: &'a Metric) -> Line<'a> {
    Line::Metric(MetricLine {
        server,
        job: metric.job.as_ref().map(JobId::as_str),
        name: &metric.name,
        value: metric.value,
        unit: metric.unit.as_deref(),
        timestamp: metric.at,
    })
}

/// The line for a queue.
#[must_use]
pub fn queue<'a>(server: &'a str, queue: &'a QueuePatch) -> Line<'a> {
    Line::Queue(QueueLine {
        server,
        name: &queue.name,
        paused: queue.paused,
        waiting: queue.waiting,
        active: queue.active,
        completed: queue.completed,
        failed: queue.failed,
        delayed: queue.delayed,
    })
}

/// The line for a notice.
#[must_use]
pub fn notice<'a>(server: &'a str, notice: &'a Notice) -> Line<'a> {
    Line::Notice(NoticeLine {
        server,
        job: notice.job.as_ref().map(JobId::as_str),
        title: &notice.title,
        body: &notice.body,
        tone: notice.tone,
        timestamp: notice.at,
    })
}

/// The line for a diagnostic.
#[must_use]
pub fn diagnostic<'a>(server: &'a str, diagnostic: &'a Diagnostic) -> Line<'a> {
    Line::Diagnostic(DiagnosticLine {
        server,
        kind: diagnostic.kind,
        text: &diagnostic.text,
        sample: diagnostic.sample.as_deref(),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use jobwatch_core::model::{JobState, Level};

    pub fn sample() -> Job {
        Job {
            progress: Some(50.0),
            detail: Json::parse(r#"{"b":1.50,"a":2}"#),
            created_at: Some("2025-09-26T17:20:00.5+02:00".parse().unwrap()),
            ..Job::new(
                "task:7",
                JobState::Unknown("paused".into()),
                Source::Http,
                Timestamp::UNIX_EPOCH,
            )
        }
    }

    #[test]
    fn a_job_prints_all_its_keys_in_the_documented_order() {
        assert_eq!(
            job("local", &sample()).text(),
            concat!(
                r#"{"type":"job","server":"local","id":"task:7","parent":null,"#,
                r#""external_id":null,"name":null,"queue":null,"state":"unknown:paused","#,
                r#""progress":50,"detail":{"b":1.50,"a":2},"message":null,"error":null,"#,
                r#""attempt":null,"max_attempts":null,"result":null,"fields":{},"#,
                r#""created_at":"2025-09-26T15:20:00.5Z","started_at":null,"finished_at":null,"#,
                r#""updated_at":null,"source":"http"}"#
            )
        );
    }

    #[test]
    fn a_fractional_progress_keeps_its_fraction() {
        let job_with = Job { progress: Some(33.25), ..sample() };
        assert!(job("s", &job_with).text().contains(r#""progress":33.25,"#));
    }

    #[test]
    fn json_that_a_server_sent_over_many_lines_stays_one_line() {
        let pretty = Json::parse("{\r\n  \"a\": [1.0,\n 2]\n}");
        let text = job("s", &Job { result: pretty, ..sample() }).text();
        assert!(!text.contains(['\n', '\r']), "{text}");
        assert!(text.contains(r#""result":{    "a": [1.0,  2] },"#), "{text}");
    }

    #[test]
    fn further_fields_are_printed_exactly_as_the_server_sent_them() {
        let mut task = sample();
        for (name, json) in [
            ("tx_url", r#""https://x/0x1""#),
            ("task_opx_cost", "0.50"),
            ("task_attester_ids", "[1,\n 2]"),
        ] {
            task.extra.insert(name.to_owned(), Json::parse(json).unwrap());
        }
        assert!(job("s", &task).text().contains(concat!(
            r#""fields":{"task_attester_ids":[1,  2],"task_opx_cost":0.50,"#,
            r#""tx_url":"https://x/0x1"},"#
        )));
    }

    #[test]
    fn a_status_prints_all_its_keys_in_the_documented_order() {
        let now = Timestamp::UNIX_EPOCH;
        let line = Status {
            state: ConnectionState::Polling,
            since: now,
            last_received: Some(now),
            next_try: None,
            retry_in_ms: Some(1_500),
            attempt: 2,
            reason: Some("no \"route\"".to_owned()),
            incomplete: Some("More run.".to_owned()),
            remedy: Some(Remedy::Reconnect),
            socket_live: false,
        };
        assert_eq!(
            status("local", &line).text(),
            concat!(
                r#"{"type":"status","server":"local","status":"polling","reason":"no \"route\"","#,
                r#""incomplete":"More run.","remedy":"reconnect","attempt":2,"retry_in_ms":1500,"last_heard":"1970-01-01T00:00:00Z"}"#
            )
        );
    }

    #[test]
    fn a_log_line_keeps_its_text_byte_for_byte() {
        let level = Some(Level::Warn);
        let line = LogLine { level, text: "\u{1b}[31mred\u{202e}", ..LogLine::default() };
        let id = JobId::from("a");
        assert_eq!(
            log("s", &id, 3, &line).text(),
            concat!(
                r#"{"type":"log","server":"s","job":"a","seq":3,"timestamp":null,"#,
                r#""level":"warn","origin":null,"message":"\u001b[31mred"#,
                "\u{202e}\"}"
            )
        );
    }
}
