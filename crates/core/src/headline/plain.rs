//! Texts without a shape of their own: sentences, the output of shells and tools.

use super::says_nothing;
use super::trace::{is_frame, is_header, joined};

/// What lines that report an error have in them.
const BAD_NEWS: [&str; 44] = [
    "error",
    "fail",
    "fatal",
    "exception",
    "panic",
    "cannot",
    "can't",
    "could not",
    "couldn't",
    "unable",
    "denied",
    "refused",
    "not found",
    "no such",
    "invalid",
    "missing",
    "timed out",
    "timeout",
    "unexpected",
    "killed",
    "abort",
    "segmentation fault",
    "out of memory",
    "unknown",
    "unsupported",
    "exceeded",
    "expired",
    "unauthorized",
    "forbidden",
    "rejected",
    "violat",
    "conflict",
    "unreachable",
    "reset by peer",
    "broken pipe",
    "no space",
    "not allowed",
    "not permitted",
    "does not exist",
    "already exists",
    "must be",
    "undefined",
    "illegal",
    "full",
];

/// Beginnings of lines that say that something failed and leave open what.
const EMPTY_WORDS: [&str; 12] = [
    "error: command failed",
    "command failed",
    "command exited with",
    "process exited with",
    "exited with code",
    "exit status",
    "exit code",
    "make: ***",
    "the command",
    "error: process completed with exit code",
    "execution halted",
    "npm err! code",
];

/// The first line that says something; where that is only a heading or a step on the way, the
/// first that reports an error.
pub(super) fn reason(lines: &[&str]) -> Option<String> {
    let drawn: Vec<&str> = lines.iter().map(|line| undrawn(line)).collect();
    let lines = drawn.as_slice();
    let says = |n: &usize| is_word(lines[*n]) && !is_frame(lines[*n]) && !is_header(lines[*n]);
    let all: Vec<usize> = (0..lines.len()).filter(says).collect();
    let Some(first) = all.first().copied() else {
        // Nothing but frames, or no words at all: better than nothing.
        let mut all = lines.iter().map(|line| line.trim()).filter(|line| !says_nothing(line));
        let any = all.clone().find(|line| is_word(line)).or_else(|| all.next())?;
        return Some(any.to_owned());
    };
    let rest = &all[1..];
    let line = lines[first];
    if rest.is_empty() || (!is_empty_word(line) && !is_heading(line) && is_bad_news(line)) {
        return Some(joined(lines, first));
    }
    let reports = rest.iter().find(|n| reports_error(lines[**n]) && !is_empty_word(lines[**n]));
    if let Some(report) = reports {
        return Some(joined(lines, *report));
    }
    if is_empty_word(line) {
        let next = rest.iter().find(|n| !is_empty_word(lines[**n]) && !is_label(lines[**n]));
        return Some(next.map_or_else(|| line.trim().to_owned(), |next| joined(lines, *next)));
    }
    if is_heading(line) || is_log(line) || is_trace(line) {
        let bad = rest.iter().find(|n| is_bad_news(lines[**n]) && !is_empty_word(lines[**n]));
        // The command that a shell ran says less than even the emptiest word of its result.
        let said = |n: &&usize| is_trace(line) && !is_trace(lines[**n]);
        let came = || {
            let mut all = rest.iter().filter(said);
            all.clone().find(|n| is_bad_news(lines[**n])).or_else(|| all.next_back())
        };
        return Some(match bad.or_else(came) {
            Some(bad) if !is_heading(line) => joined(lines, *bad),
            _ => joined(lines, first),
        });
    }
    Some(joined(lines, first))
}

/// The line without what test runners and tools put before it.
fn undrawn(line: &str) -> &str {
    let inner =
        line.trim_start_matches(['\u{2502}', '\u{2577}', '\u{2575}', '\u{256d}', '\u{2570}']);
    match inner.strip_prefix("E   ") {
        Some(said) => said.trim_start(),
        None => inner,
    }
}

fn is_word(line: &str) -> bool {
    line.chars().any(char::is_alphanumeric) && !says_nothing(line)
}

/// `Running migrations:`.
fn is_heading(line: &str) -> bool {
    line.trim_end().ends_with(':')
}

/// `stderr:`.
fn is_label(line: &str) -> bool {
    let line = line.trim();
    is_heading(line) && line.len() < 16
}

fn is_empty_word(line: &str) -> bool {
    let lower = line.trim().to_lowercase();
    EMPTY_WORDS.iter().any(|begin| lower.starts_with(begin)) || lower.starts_with("msg ")
}

/// A shell that says what it runs.
fn is_trace(line: &str) -> bool {
    line.starts_with("+ ") || line.starts_with("++ ") || line.starts_with("$ ")
}

/// A line of a log that reports nothing bad.
fn is_log(line: &str) -> bool {
    let quiet = ["info", "debug", "trace", "notice"];
    let mut words = line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let level =
        words.by_ref().take(10).any(|word| quiet.iter().any(|q| word.eq_ignore_ascii_case(q)));
    level || line.trim_start().starts_with(|c: char| c.is_ascii_digit())
}

fn is_bad_news(line: &str) -> bool {
    let lower = line.to_lowercase();
    BAD_NEWS.iter().any(|word| lower.contains(word))
}

/// Whether a line says of itself that it is an error: `error: …`, `psql:x.sql:3: ERROR:  …`,
/// `ValueError: …`, `cp: cannot stat …`.
fn reports_error(line: &str) -> bool {
    if is_trace(line) || is_heading(line) {
        return false;
    }
    let lower = line.trim().to_lowercase();
    let marks =
        ["error:", "error[", "error (", "fatal:", "panic:", "exception:", "err!", "error -"];
    if marks.iter().any(|mark| lower.contains(mark)) {
        return true;
    }
    // A program's name, a colon, and bad news.
    let said = lower.split_once(": ");
    said.is_some_and(|(name, rest)| {
        !name.is_empty() && !name.contains(' ') && BAD_NEWS.iter().any(|word| rest.contains(word))
    })
}
