//! Notes as they are written, which are the only log of this server.
//!
//! They come in pieces as small as a word, each with all the text so far. A line of the log is a
//! line of the text: it is told when it is complete, or when its job has ended. The text so far is
//! the job's field `notes`, so that it can be read as a document while it grows.

use jiff::Timestamp;

use super::super::nest::each;
use super::super::pages::Lately;
use super::read::fingerprint;
use crate::dialect::Incoming;
use crate::log::{LogLine, LogLines};
use crate::model::{Job, JobId, JobPatch, JobState, Json, Update};
use crate::wire::{json, time};

/// The field of a job that holds its notes.
const FIELD: &str = "notes";
/// A longer line is told in parts.
const LONGEST_LINE: usize = 4 << 10;
/// Notes longer than this are told as lines only, until the result brings them whole.
const LONGEST: usize = 256 << 10;

/// The notes of one job.
#[derive(Debug, Default)]
struct Text {
    /// All that was written so far.
    text: String,
    /// Bytes of it that were told as lines.
    told: usize,
    at: Option<Timestamp>,
}

/// The notes that are being written.
#[derive(Debug, Default)]
pub(super) struct Notes {
    all: Lately<Text>,
}

impl Notes {
    /// A piece; `None` when it names no job.
    pub fn piece(&mut self, args: &str) -> Option<Vec<Incoming>> {
        let (mut job, mut piece, mut so_far, mut at) = (None, String::new(), None, None);
        each(args, |name, raw| match name {
            "jobId" => job = json::id_of(raw).map(JobId::from),
            "chunk" => piece = json::id_of(raw).unwrap_or_default(),
            "accumulated" => so_far = json::id_of(raw),
            "timestamp" => at = time::parse(raw),
            _ => {}
        })?;
        let job = job?;
        let notes = self.all.of(job.as_str());
        notes.at = at.or(notes.at);
        match so_far {
            // Each piece is sent to two rooms, and one may have been missed.
            Some(so_far) if so_far.len() >= notes.told && so_far.is_char_boundary(notes.told) => {
                notes.text = so_far;
            }
            // Another attempt begins them anew.
            Some(so_far) => (notes.text, notes.told) = (so_far, 0),
            None => notes.text.push_str(&piece),
        }
        Some(notes.lines(&job, false))
    }

    /// What was heard, after the last line of notes whose job it says has ended.
    pub fn with_last(&mut self, mut heard: Vec<Incoming>) -> Vec<Incoming> {
        let ended = |incoming: &Incoming| match incoming {
            Incoming::Update(Update::Job(patch)) => {
                let ended = patch.state.as_ref().is_some_and(JobState::terminal);
                patch.id.clone().filter(|_| ended)
            }
            _ => None,
        };
        let ended: Vec<JobId> = heard.iter().filter_map(ended).collect();
        for job in ended {
            heard.splice(0..0, self.ended(&job));
        }
        heard
    }

    /// The last line of notes whose job has ended.
    fn ended(&mut self, job: &JobId) -> Vec<Incoming> {
        let Some(notes) = self.all.get(job.as_str()) else { return Vec::new() };
        if notes.told == notes.text.len() {
            return Vec::new();
        }
        self.all.of(job.as_str()).lines(job, true)
    }

    /// What an earlier run of the program had told is not told again.
    pub fn remember(&mut self, job: &Job) {
        let known = job.extra.get(FIELD).filter(|_| !job.state.terminal());
        if let Some(serde_json::Value::String(text)) = known.map(Json::to_value) {
            let told = text.rfind('\n').map_or(0, |end| end + 1);
            *self.all.of(job.id.as_str()) = Text { text, told, at: None };
        }
    }
}

impl Text {
    /// The lines that are complete, or all with `ended`, and the text so far where there are any.
    fn lines(&mut self, job: &JobId, ended: bool) -> Vec<Incoming> {
        let mut lines = LogLines::new();
        while self.told < self.text.len() {
            let rest = &self.text[self.told..];
            let (line, len) = match rest.find('\n') {
                Some(end) => (rest[..end].trim_end_matches('\r'), end + 1),
                None if ended => (rest, rest.len()),
                None if rest.len() > LONGEST_LINE => {
                    let end = rest.floor_char_boundary(LONGEST_LINE);
                    let end = rest[..end].rfind(' ').map_or(end, |blank| blank + 1);
                    (rest[..end].trim_end(), end)
                }
                None => break,
            };
            let id = format!("{}:{:08x}", self.told, fingerprint(line));
            lines.push(LogLine {
                id: Some(&id),
                at: self.at,
                origin: Some(FIELD),
                text: line,
                ..LogLine::default()
            });
            self.told += len;
        }
        if lines.is_empty() {
            return Vec::new();
        }
        let mut all = vec![Incoming::Update(Update::Log { job: job.clone(), lines })];
        if self.text.len() <= LONGEST {
            let mut patch = JobPatch::new(job.as_str());
            let text = Json::from(&serde_json::Value::String(self.text.clone()));
            patch.extra.insert(FIELD.to_owned(), text);
            patch.at = self.at;
            all.push(Incoming::Update(Update::Job(Box::new(patch))));
        }
        all
    }
}
