//! The one line of an error that explains it.
//!
//! What servers store as an error ranges from a word to pages: stack traces that end with the
//! reason (Python), begin with it (Node, Java) or hold it in the middle (Prisma, Go, Rust), bodies
//! of HTTP answers, the output of shells and databases. A popup, a row of a list and a line of the
//! command line have room for one line, and two failures are alike when these lines are.

mod body;
mod clean;
mod plain;
mod trace;

#[cfg(test)]
mod tests;

use crate::model::Job;

/// Longer texts are read at their beginning and their end, this many bytes each.
const READ: usize = 64 << 10;

/// How deep an error inside an error is looked into.
const DEPTH: u8 = 4;

/// The line of an error text that a person would pick to explain the failure: the exception rather
/// than `Traceback (most recent call last):`, the deepest cause, the message in a JSON body. On one
/// line, without escape sequences of terminals, not cut. Empty where the text says nothing
/// (`[object Object]`).
#[must_use]
pub fn headline(error: &str) -> String {
    within(error, DEPTH)
}

/// The headline of a job's error; of its stack, where the error alone says nothing. `None` where
/// neither says anything.
#[must_use]
pub fn explain(job: &Job) -> Option<String> {
    let texts = [&job.error, &job.stack];
    let mut lines = texts.into_iter().flatten().map(|text| headline(text));
    // A trace whose end was cut off names no reason; the stack may.
    lines
        .find(|line| !line.is_empty() && !trace::is_header(line))
        .or_else(|| job.error.as_deref().map(headline).filter(|line| !line.is_empty()))
}

/// Whether an error text says nothing: what a careless `String(error)` leaves.
#[must_use]
pub fn says_nothing(error: &str) -> bool {
    let text = error.trim();
    let text = ["Error:", "Uncaught"]
        .iter()
        .fold(text, |text, word| text.strip_prefix(word).unwrap_or(text).trim());
    matches!(
        text,
        "" | "[object Object]"
            | "[object Error]"
            | "undefined"
            | "null"
            | "None"
            | "nil"
            | "<nil>"
            | "{}"
            | "[]"
            | "\"\""
            | "Error"
            | "NaN"
            | "false"
            | "true"
    )
}

fn within(error: &str, depth: u8) -> String {
    let text = clean::text(error, READ);
    let text = text.trim_matches('\n');
    if says_nothing(text) {
        return String::new();
    }
    let found = (depth > 0).then(|| body::message(text, depth)).flatten();
    let found = found.or_else(|| {
        let lines: Vec<&str> = text.lines().collect();
        trace::reason(&lines).or_else(|| plain::reason(&lines))
    });
    let line = clean::squeeze(&found.unwrap_or_default());
    if depth == 0 {
        return line;
    }
    // `Request failed: {"message":…}`, also where the object goes on over several lines.
    body::after_prefix(&line, text, depth).map_or(line, |line| clean::squeeze(&line))
}
