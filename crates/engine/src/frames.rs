//! What came over the wire lately, for the user to look at when a server does not behave.

use std::collections::VecDeque;

use jobwatch_core::dialect::Frame;
use jobwatch_core::time::Now;
use serde::Serialize;
use ts_rs::TS;

use crate::redact::Redactor;

/// Frames kept of one server.
const MAX_FRAMES: usize = 2_000;
/// Bytes of text kept of one server.
const MAX_BYTES: usize = 4 << 20;
/// Bytes of text kept of one frame, the most that a row shows.
pub(crate) const MAX_TEXT: usize = 4_096;

/// One frame on the wire, secrets removed.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct FrameRow {
    /// Its number since the program started.
    #[ts(type = "number")]
    pub seq: u64,
    /// When.
    #[ts(type = "number")]
    pub at: i64,
    /// From the server, or to it.
    pub incoming: bool,
    /// How it went.
    pub transport: Transport,
    /// The text, shortened beyond 4,096 characters.
    pub text: String,
    /// Its whole length in bytes.
    #[ts(type = "number")]
    pub bytes: u64,
}

/// How something crosses the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "lowercase")]
#[ts(export)]
pub enum Transport {
    /// Over the WebSocket.
    Socket,
    /// In an HTTP request or its answer.
    Http,
}

/// Recent traffic of one server, secrets removed on the way in.
#[derive(Debug, Default)]
pub struct Frames {
    rows: VecDeque<FrameRow>,
    bytes: usize,
    next: u64,
}

impl Frames {
    /// Keeps a frame of the socket.
    pub fn frame(&mut self, incoming: bool, frame: &Frame, redactor: &Redactor, now: Now) {
        let binary;
        let (text, bytes) = match frame {
            Frame::Text(text) => (text.as_str(), text.len()),
            Frame::Binary(data) => {
                // Some servers send their JSON as binary frames: text is shown as text.
                binary = redactor.clean_head(data, MAX_TEXT);
                (&*binary, data.len())
            }
            Frame::Ping => ("ping", 0),
            Frame::Pong => ("pong", 0),
        };
        self.push(incoming, Transport::Socket, text, bytes, redactor, now);
    }

    /// Keeps one side of an HTTP exchange.
    pub fn http(
        &mut self,
        incoming: bool,
        text: &str,
        bytes: usize,
        redactor: &Redactor,
        now: Now,
    ) {
        self.push(incoming, Transport::Http, text, bytes, redactor, now);
    }

    fn push(
        &mut self,
        incoming: bool,
        transport: Transport,
        text: &str,
        bytes: usize,
        redactor: &Redactor,
        now: Now,
    ) {
        // A flood of frames lends the memory of the oldest to the newest.
        let mut kept = match self.rows.len() >= MAX_FRAMES {
            true => self.drop_oldest().unwrap_or_default(),
            false => String::new(),
        };
        redactor.clean_prefix_into(text, MAX_TEXT, &mut kept);
        self.bytes += kept.len();
        self.rows.push_back(FrameRow {
            seq: self.next,
            at: now.wall.as_millisecond(),
            incoming,
            transport,
            text: kept,
            bytes: bytes as u64,
        });
        self.next += 1;
        while self.bytes > MAX_BYTES && self.drop_oldest().is_some() {}
    }

    fn drop_oldest(&mut self) -> Option<String> {
        let oldest = self.rows.pop_front()?;
        self.bytes -= oldest.text.len();
        Some(oldest.text)
    }

    /// The newest text, for the trace log.
    #[must_use]
    pub fn last(&self) -> Option<&FrameRow> {
        self.rows.back()
    }

    /// Rows that name `job` (all when `None`), oldest first: the total, and `count` from `first`.
    #[must_use]
    pub fn window(&self, job: Option<&str>, first: u64, count: usize) -> (u64, Vec<FrameRow>) {
        // A job's canonical id may carry a prefix that the wire does not (`task:17`).
        let bare = job.and_then(|job| job.split_once(':')).map(|(_, bare)| bare);
        let named = |row: &&FrameRow| {
            job.is_none_or(|job| {
                names(&row.text, job) || bare.is_some_and(|bare| names(&row.text, bare))
            })
        };
        let skip = usize::try_from(first).unwrap_or(usize::MAX);
        let total = self.rows.iter().filter(named).count() as u64;
        (total, self.rows.iter().filter(named).skip(skip).take(count).cloned().collect())
    }
}

/// Whether `id` stands in `text` as a whole word: a JSON string or number, or a part of a URL, an
/// ARN or a channel's name, but not a part of a longer number or name.
fn names(text: &str, id: &str) -> bool {
    // Such characters belong to the id that they touch: `1` is named neither by `11`, `1.5`,
    // `a-1` nor `x_1`.
    let joined = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    !id.is_empty()
        && text.match_indices(id).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + id.len()..].chars().next();
            !before.is_some_and(joined) && !after.is_some_and(joined)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jobwatch_core::secret::Secret;
    use jobwatch_core::time::Mono;

    #[test]
    fn traffic_is_bounded_and_shows_no_key() {
        let now = Now { mono: Mono(0), wall: Timestamp::from_second(1).unwrap() };
        let redactor = Redactor::new(Some(&Secret::new("sk-1".to_owned())));
        let mut frames = Frames::default();
        for _ in 0..5_000 {
            frames.frame(true, &Frame::Text("x".repeat(10_000)), &redactor, now);
        }
        frames.frame(
            false,
            &Frame::Text(r#"{"id":"17","token":"sk-1"}"#.to_owned()),
            &redactor,
            now,
        );
        let (total, rows) = frames.window(None, 0, 5_000);
        assert!(total <= 2_000 && rows.iter().map(|row| row.text.len()).sum::<usize>() <= 4 << 20);
        assert_eq!(rows[0].bytes, 10_000);
        let (total, rows) = frames.window(Some("task:17"), 0, 10);
        assert_eq!((total, rows[0].text.as_str()), (1, r#"{"id":"17","token":"[redacted]"}"#));
    }

    #[test]
    fn a_job_is_named_by_its_whole_id_only() {
        for text in [r#"{"jobId":"1"}"#, r#"{"job_id":1}"#, "GET /jobs/1", "GET /jobs/1?n=10"] {
            assert!(names(text, "1"), "{text}");
        }
        for text in [r#"{"jobId":"11"}"#, r#"{"n":21}"#, r#"{"n":1.5}"#, r#"{"n":"a-1"}"#, ""] {
            assert!(!names(text, "1"), "{text}");
        }
        assert!(!names("anything", ""));
    }
}
