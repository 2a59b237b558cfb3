//! What can be asked of logs, and the answers. Rows are numbered among those that the filter lets through.

use jobwatch_core::model::Level;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A text to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
#[ts(export)]
pub struct LogFind {
    /// The text, or the regular expression.
    pub text: String,
    /// It is a regular expression.
    pub regex: bool,
    /// Capital letters matter.
    pub case: bool,
    /// Whole words only.
    pub word: bool,
}

/// Which lines of a log are rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
#[ts(export)]
pub struct LogFilter {
    /// What is marked in the rows, and counted.
    pub find: Option<LogFind>,
    /// Only lines that `find` marks.
    pub only_matching: bool,
    /// With `only_matching`: so many lines around each.
    pub context: u32,
    /// Only lines that hold all of these.
    pub include: Vec<LogFind>,
    /// No line that holds one of these.
    pub exclude: Vec<LogFind>,
    /// Only lines of these levels; empty for any.
    pub levels: Vec<LogLevel>,
    /// Lines that go on with a stack trace are folded into the line it begins with.
    pub fold: bool,
    /// Rows are as the lines came: of JSON and logfmt no fields are taken out.
    pub raw: bool,
    /// For each job of the view in order: only lines stored since then (see
    /// [`LogState::end`]); what *Clear* sets. Empty for all.
    #[ts(type = "number[]")]
    pub cleared: Vec<u64>,
}

/// A row of a log: a line, or a gap between lines.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct LogRow {
    /// Names the row, whatever comes before it later.
    pub id: String,
    /// Which job of the view.
    pub job: u32,
    /// The line's number in its log, from 1, lines that are no longer kept included.
    #[ts(type = "number")]
    pub line: u64,
    /// When.
    #[ts(type = "number | null")]
    pub at: Option<i64>,
    /// Its level, where it has one.
    pub level: Option<Level>,
    /// Which container, service or stream.
    pub origin: Option<String>,
    /// The text in pieces of one look each. Control characters are as they came, escape sequences
    /// have become looks, and what a carriage return would overwrite is left out.
    pub spans: Vec<Span>,
    /// Bytes of the line that are not here: ask for the whole of it.
    #[ts(type = "number")]
    pub more: u64,
    /// Further lines within the text of this one, which `spans` leaves out.
    pub below: u32,
    /// Lines folded into this one.
    pub folded: u32,
    /// It goes on with the line before it.
    pub continued: bool,
    /// `find` marks it.
    pub matched: bool,
    /// Fields of a line that is JSON or logfmt: name and value, in the line's order, the text and
    /// the level left out. Long values are shortened.
    pub fields: Vec<(String, String)>,
    /// The row is a gap.
    pub gap: Option<LogGap>,
}

/// A piece of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct Span {
    /// The text.
    pub text: String,
    /// `find` marks it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mark: bool,
    /// The colour of the text: 0 to 15 of the terminal's palette, or `#rrggbb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub fg: Option<String>,
    /// The colour behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub bg: Option<String>,
    /// Any of `b` (bold), `d` (dim), `i` (italic), `u` (underlined), `s` (struck through), `r`
    /// (colours exchanged), `o` (a line above).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub style: String,
    /// Where a hyperlink leads that the program wrote: http or https, opened on a click alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub link: Option<String>,
}

/// Lines that were not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct LogGap {
    /// From then; where the beginning of the log is missing, the same as `to`.
    #[ts(type = "number")]
    pub from: i64,
    /// The beginning of the log is missing, which its server no longer has.
    pub beginning: bool,
    /// Until then.
    #[ts(type = "number")]
    pub to: i64,
    /// Its server can be asked for them, with `logFetch`.
    pub fetchable: bool,
    /// They are being asked for.
    pub fetching: bool,
}

/// A log as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct LogState {
    /// The logs have been opened; before that nothing is known of them.
    pub known: bool,
    /// Lines stored, of all jobs of the view.
    #[ts(type = "number")]
    pub lines: u64,
    /// Lines that are no longer kept.
    #[ts(type = "number")]
    pub dropped: u64,
    /// Lines by level: none, trace, debug, info, warn, error, fatal.
    #[ts(type = "number[]")]
    pub levels: Vec<u64>,
    /// Lines that `find` marks, so far.
    #[ts(type = "number")]
    pub matches: u64,
    /// How much has been searched, 0 to 1.
    pub searched: f64,
    /// Why the filter cannot be used: a regular expression that is none.
    pub problem: Option<String>,
    /// The first and the last time.
    #[ts(type = "[number, number] | null")]
    pub span: Option<(i64, i64)>,
    /// For each job, one beyond the number of its last stored line; for [`LogFilter::cleared`].
    #[ts(type = "number[]")]
    pub end: Vec<u64>,
    /// Whether the servers were asked for what was before: `logFetch` asks for more.
    pub earlier: Earlier,
    /// What is missing, where the server did not give all it has.
    pub cut: Option<LogCut>,
    /// Why the job has no log and never will.
    pub none: Option<String>,
}

/// Lines that the server did not give.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct LogCut {
    /// How many, where the server counts them.
    #[ts(type = "number | null")]
    pub missing: Option<u64>,
    /// Why, in a sentence.
    pub reason: String,
}

/// Whether there may be lines before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum Earlier {
    /// The server cannot be asked.
    #[default]
    Never,
    /// It can be asked.
    Maybe,
    /// It is being asked.
    Asking,
}

/// Where to go in a log.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[ts(export)]
pub enum LogTarget {
    /// The first row at or after a time.
    Time {
        /// When.
        #[ts(type = "number")]
        at: i64,
    },
    /// The row of a line number, or the first after it.
    Line {
        /// From 1.
        #[ts(type = "number")]
        line: u64,
    },
    /// The next row of a level or a worse one.
    Level {
        /// Searched from this row on, itself left out: -1 is before the first.
        #[ts(type = "number")]
        from: i64,
        /// Towards the beginning.
        back: bool,
        /// Which.
        level: Level,
    },
    /// The next row that `find` marks.
    Match {
        /// Searched from this row on, itself left out: -1 is before the first. Wraps around at the
        /// end.
        #[ts(type = "number")]
        from: i64,
        /// Towards the beginning.
        back: bool,
    },
}

/// The level of a line, or that it has none, numbered as in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub enum LogLevel {
    None,
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> LogLevel {
        match level {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
            Level::Fatal => LogLevel::Fatal,
        }
    }
}

/// Where [`LogTarget`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct LogPlace {
    /// The row.
    #[ts(type = "number")]
    pub row: u64,
    /// For a match: which one it is, from 1.
    #[ts(type = "number | null")]
    pub nth: Option<u64>,
}

/// A log from afar: the scroll bar's map and the histogram over time, of the rows that the filter
/// lets through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct LogMap {
    /// The rows in equal slices from the first to the last: how many of them are warnings, and how
    /// many errors.
    #[ts(type = "[number, number][]")]
    pub slices: Vec<(u64, u64)>,
    /// The times in equal buckets from `span[0]` to `span[1]`: rows, warnings, errors.
    #[ts(type = "[number, number, number][]")]
    pub buckets: Vec<(u64, u64, u64)>,
    /// See [`LogState::span`].
    #[ts(type = "[number, number] | null")]
    pub span: Option<(i64, i64)>,
}

/// A line, whole.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct LogText {
    /// Its text, as it came; at most 1 MiB of it.
    pub text: String,
    /// Bytes that are not here.
    #[ts(type = "number")]
    pub more: u64,
    /// The text as looks, in lines.
    pub lines: Vec<Vec<Span>>,
    /// The JSON in the line, where there is some.
    pub json: Option<String>,
}

/// How rows are written for copying and saving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum LogFormat {
    /// The texts, a line each.
    Text,
    /// Time, level and text, a line each.
    TextWithTimes,
    /// A JSON object a line.
    Ndjson,
    /// Comma-separated, with a head.
    Csv,
}

/// How saving a log goes.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct LogSaving {
    /// Rows written.
    #[ts(type = "number")]
    pub rows: u64,
    /// Rows in all.
    #[ts(type = "number")]
    pub total: u64,
    /// Where it is being written.
    pub path: String,
    /// It has ended: well, cancelled or with a problem.
    pub ended: bool,
    /// It was cancelled; nothing is left of it.
    pub cancelled: bool,
    /// What went wrong.
    pub problem: Option<String>,
}
