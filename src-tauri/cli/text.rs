//! Events as lines of text.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

use jiff::Timestamp;
use jobwatch_core::connection::ConnectionState;
use jobwatch_core::escape;
use jobwatch_core::log::LogLine;
use jobwatch_core::model::{ENDED, GONE, Job, JobId, JobState, Level};
use jobwatch_core::notify::{Tone, explain, headline};
use jobwatch_engine::logs::text as log_text;
use jobwatch_engine::ports::StreamEvent;

use super::json::state_word;

/// How lines are formatted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether colours may be used.
    pub colour: bool,
    /// Whether the output is a terminal, which text from servers must not control.
    pub terminal: bool,
}

impl Style {
    /// Colours only on a terminal, and not where `NO_COLOR` is set.
    #[must_use]
    pub fn of_stdout() -> Style {
        let terminal = std::io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Style { colour: terminal && !refused, terminal }
    }

    fn paint(self, colour: Colour, text: &str, width: usize) -> String {
        let padded = format!("{text:<width$}");
        if self.colour { format!("\u{1b}[{}m{padded}\u{1b}[0m", colour as u8) } else { padded }
    }
}

#[derive(Clone, Copy)]
enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Blue = 34,
    Cyan = 36,
    Grey = 90,
}

/// Text from a server as one line that cannot control a terminal or change its reading direction:
/// escape sequences are removed, other control and bidi characters replaced.
#[must_use]
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.chars().any(unsafe_to_print) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if escape::skip(c, &mut rest) {
            continue;
        }
        match c {
            '\t' | '\n' | '\r' => out.push(' '),
            c if unsafe_to_print(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A log message as a terminal would show it, line by line, with tabs expanded and without anything
/// that controls the terminal or changes its reading direction.
#[must_use]
pub fn terminal_lines(message: &str) -> Vec<String> {
    let seen = log_text::plain(message);
    let line = |line: &str| {
        let line = log_text::expanded(line, &mut 0);
        line.chars().map(|c| if unsafe_to_print(c) { '\u{fffd}' } else { c }).collect()
    };
    seen.split('\n').map(line).collect()
}

/// A message with its later lines indented by so many columns.
#[must_use]
pub fn hanging_indent(message: &str, columns: usize) -> String {
    let mut out = String::with_capacity(message.len());
    for (nth, line) in terminal_lines(message).iter().enumerate() {
        if nth > 0 {
            let _ = write!(out, "\n{:columns$}", "");
        }
        out += line;
    }
    out
}

/// A message for a file: byte for byte, without the line breaks at its end, which would be empty
/// lines.
#[must_use]
pub fn file_text(mut message: &str) -> &str {
    while let Some(rest) = message.strip_suffix('\n') {
        message = rest.strip_suffix('\r').unwrap_or(rest);
    }
    message
}

/// The width of a text in columns, without its colours.
#[must_use]
pub fn columns(text: &str) -> usize {
    log_text::plain(text).chars().count()
}

fn unsafe_to_print(c: char) -> bool {
    c.is_control() || escape::is_deceptive(c)
}

/// `event` as a line, without a line break; `None` for events that only programs need.
#[must_use]
pub fn line(server: &str, event: &StreamEvent, style: Style, now: Timestamp) -> Option<String> {
    let mut line = style.paint(Colour::Grey, &clock(now), 9);
    let _ = write!(line, " {:<14} ", sanitize(server));
    match event {
        StreamEvent::Status { status, .. } => {
            let colour = match status.state {
                ConnectionState::Live => Colour::Green,
                ConnectionState::Partly | ConnectionState::Connecting | ConnectionState::Paused => {
                    Colour::Yellow
                }
                ConnectionState::Polling => Colour::Blue,
                ConnectionState::Offline | ConnectionState::Refused => Colour::Red,
            };
            line += &style.paint(colour, state_word(status.state), 10);
            if let Some(reason) = &status.reason {
                let _ = write!(line, " {}", sanitize(reason));
            }
            if let Some(why) = &status.incomplete {
                let _ = write!(line, " {}", sanitize(why));
            }
            if let Some(ms) = status.retry_in_ms {
                let _ = write!(line, " (next try in {} s)", ms.div_ceil(1_000));
            }
        }
        StreamEvent::Job { job, .. } => {
            line += &style.paint(state_colour(&job.state), &state(&job.state), 10);
            let progress = if job.state.over() { String::new() } else { progress(job) };
            let _ = write!(line, " {progress:>5}  {}", sanitize(job.title()));
            if job.title() != job.id.as_str() {
                let _ = write!(line, " ({})", sanitize(job.id.as_str()));
            }
            let said = job.message.as_deref().map(headline).filter(|said| !said.is_empty());
            if let Some(text) = explain(job).or(said) {
                let _ = write!(line, ": {}", sanitize(&text));
            }
        }
        StreamEvent::Log { job, lines, .. } => {
            let head = std::mem::take(&mut line);
            for (nth, log) in lines.iter().enumerate() {
                let mut begin = format!("{head}{} ", sanitize(job.as_str()));
                if let Some(level) = level_of(&log) {
                    let _ = write!(begin, "{} ", style.paint(level_colour(level), level.word(), 5));
                }
                if nth > 0 {
                    line.push('\n');
                }
                line += &begin;
                line += &hanging_indent(log.text, columns(&begin));
            }
        }
        StreamEvent::Metric { metric, .. } => {
            let of = metric.job.as_ref().map(JobId::as_str).unwrap_or_default();
            let unit = metric.unit.as_deref().unwrap_or_default();
            let _ = write!(
                line,
                "metric     {} {} {} {}",
                sanitize(of),
                sanitize(&metric.name),
                metric.value,
                sanitize(unit)
            );
        }
        StreamEvent::Queue { queue, .. } => {
            let _ = write!(line, "queue      {}:", sanitize(&queue.name));
            for (count, word) in [
                (queue.waiting, "waiting"),
                (queue.active, "active"),
                (queue.delayed, "delayed"),
                (queue.failed, "failed"),
                (queue.completed, "completed"),
            ] {
                if let Some(count) = count {
                    let _ = write!(line, " {count} {word}");
                }
            }
            if queue.paused == Some(true) {
                line += " (paused)";
            }
        }
        StreamEvent::Notice(notice) => {
            let colour = match notice.tone {
                Tone::Good => Colour::Green,
                Tone::Bad => Colour::Red,
                Tone::Warn => Colour::Yellow,
                Tone::Plain => Colour::Cyan,
            };
            line += &style.paint(colour, "notice", 10);
            let _ = write!(line, " {}", sanitize(&notice.title));
            if !notice.body.is_empty() {
                let _ = write!(line, ": {}", sanitize(&notice.body));
            }
        }
        StreamEvent::Diagnostic { diagnostic, .. } => {
            line += &style.paint(Colour::Yellow, "diagnostic", 10);
            let _ = write!(line, " {}: {}", diagnostic.kind, sanitize(&diagnostic.text));
        }
        StreamEvent::Listed { .. } | StreamEvent::LogReach { .. } => return None,
    }
    line.truncate(line.trim_end().len());
    Some(line)
}

/// The level of a line: the server's, or a guess from the text.
#[must_use]
pub fn level_of(line: &LogLine<'_>) -> Option<Level> {
    line.level.or_else(|| log_text::guess_level(line.text))
}

/// A job's state as text.
#[must_use]
pub fn state(state: &JobState) -> String {
    match state {
        JobState::Unknown(word) if **word == *ENDED => "ended, outcome unknown".to_owned(),
        JobState::Unknown(word) if **word == *GONE => "gone, outcome unknown".to_owned(),
        state => sanitize(&state.word()).into_owned(),
    }
}

/// A job's progress: a percentage, or a count if the total is unknown.
fn progress(job: &Job) -> String {
    let count = || {
        let detail = job.detail.as_ref()?.as_str();
        detail.bytes().all(|b| b.is_ascii_digit() || b == b'.').then(|| detail.to_owned())
    };
    let percent = job.progress.map(|value| match value {
        // Half a percent is neither 0 nor 1.
        value if value > 0.0 && value < 1.0 => format!("{value:.1} %"),
        value => format!("{value:.0} %"),
    });
    percent.or_else(count).unwrap_or_default()
}

/// The time and level of a log line, for the front of the line.
#[must_use]
pub fn log_head(line: &LogLine<'_>, style: Style) -> String {
    let at = line.at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let level = level_of(line).map_or_else(
        || format!("{:<5}", "-"),
        |level| style.paint(level_colour(level), level.word(), 5),
    );
    format!("{at} {level} ")
}

/// The time of day in UTC.
fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%SZ").to_string()
}

fn state_colour(state: &JobState) -> Colour {
    match state {
        JobState::Completed => Colour::Green,
        JobState::Failed => Colour::Red,
        JobState::Cancelled | JobState::Unknown(_) => Colour::Yellow,
        JobState::Running => Colour::Cyan,
        JobState::Queued | JobState::Scheduled => Colour::Blue,
    }
}

fn level_colour(level: Level) -> Colour {
    match level {
        Level::Trace | Level::Debug => Colour::Grey,
        Level::Info => Colour::Cyan,
        Level::Warn => Colour::Yellow,
        Level::Error | Level::Fatal => Colour::Red,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_a_server_cannot_control_the_terminal() {
        for (sent, shown) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("a\u{1b}]0;title\u{7}b", "ab"),
            ("a\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "alink"),
            ("a\u{1b}cb", "ab"),
            ("a\nb\rc\td", "a b c d"),
            ("evil\u{202e}txt.exe", "evil\u{fffd}txt.exe"),
            ("hid\u{200b}den\u{61c}", "hid\u{fffd}den\u{fffd}"),
            ("bell\u{7} \u{9b}31m", "bell\u{fffd} "),
            ("unended \u{1b}[12", "unended "),
            ("\u{1b}", ""),
        ] {
            assert_eq!(sanitize(sent), shown, "{sent:?}");
        }
    }

    #[test]
    fn a_message_of_several_lines_is_several_lines_with_its_indentation_and_its_tabs() {
        assert_eq!(terminal_lines("first\n  second\n  third"), ["first", "  second", "  third"]);
        assert_eq!(terminal_lines("a\tb\tc\n"), ["a       b       c"]);
        assert_eq!(terminal_lines("alpha\tb\tc"), ["alpha   b       c"]);
        assert_eq!(terminal_lines("hello\u{1b}[1Cworld"), ["hello world"]);
        assert_eq!(terminal_lines("10 %\r20 %"), ["20 %"]);
        assert_eq!(terminal_lines("evil\u{202e}txt.exe\u{7}"), ["evil\u{fffd}txt.exe"]);
        assert_eq!(terminal_lines("\u{1b}]0;title\u{7}\u{9b}2Jx"), ["x"]);
        assert_eq!(hanging_indent("a\n  b", 4), "a\n      b");
    }

    #[test]
    fn a_message_that_ends_in_line_breaks_leaves_no_empty_line_in_a_file() {
        for (message, written) in [
            ("a", "a"),
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\n\n", "a"),
            ("a\n b\r\n", "a\n b"),
            ("\n", ""),
            ("10 %\r", "10 %\r"),
            ("\u{1b}[31ma\n", "\u{1b}[31ma"),
        ] {
            assert_eq!(file_text(message), written, "{message:?}");
        }
    }

    #[test]
    fn colours_are_used_only_if_enabled() {
        let plain = Style { colour: false, terminal: true };
        assert_eq!(plain.paint(Colour::Red, "failed", 8), "failed  ");
        let painted = Style { colour: true, terminal: true };
        assert_eq!(painted.paint(Colour::Red, "failed", 8), "\u{1b}[31mfailed  \u{1b}[0m");
    }
    #[test]
    fn a_job_line_shows_progress_and_outcome() {
        let style = Style { colour: false, terminal: false };
        let said = |change: &dyn Fn(&mut Job)| {
            let mut job = super::super::json::tests::sample();
            (job.state, job.progress, job.detail) = (JobState::Running, None, None);
            change(&mut job);
            let event = StreamEvent::Job {
                server: jobwatch_core::server::ServerId("s".to_owned()),
                job: std::sync::Arc::new(job),
                named: false,
            };
            let line = line("s", &event, style, Timestamp::UNIX_EPOCH).unwrap();
            line.split_whitespace().skip(2).collect::<Vec<_>>().join(" ")
        };
        let unknown = |word: &str| JobState::Unknown(word.into());
        assert_eq!(said(&|job| job.progress = Some(0.5)), "running 0.5 % task:7");
        assert_eq!(said(&|job| job.progress = Some(45.4)), "running 45 % task:7");
        let count = jobwatch_core::model::Json::parse("4235");
        assert_eq!(said(&|job| job.detail = count.clone()), "running 4235 task:7");
        assert_eq!(said(&|job| job.state = unknown("gone")), "gone, outcome unknown task:7");
        assert_eq!(said(&|job| job.state = unknown("ended")), "ended, outcome unknown task:7");
        let trace = "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'sku'";
        assert_eq!(
            said(&|job| (job.state, job.error) = (JobState::Failed, Some(trace.to_owned()))),
            "failed task:7: KeyError: 'sku'"
        );
    }
}
