//! Lines that are too long to be kept.

use std::borrow::Cow;

use jobwatch_core::log::{LogLine, LogLines};

/// Longer lines are cut, and say so.
pub const MAX_LINE: usize = 8 << 20;
/// Room for saying so.
const CUT_NOTE: usize = 64;

/// Lines without the ends of those that are too long. Before anything is told of a line: what it is
/// told from others by is what is kept of it.
#[must_use]
pub fn cut(lines: &LogLines) -> Cow<'_, LogLines> {
    if lines.bytes() <= MAX_LINE || lines.iter().all(|line| line.text.len() <= MAX_LINE) {
        return Cow::Borrowed(lines);
    }
    let mut all = LogLines::with_capacity(lines.len(), lines.bytes());
    for line in lines.iter() {
        if line.text.len() <= MAX_LINE {
            all.push(line);
            continue;
        }
        let end = line.text.floor_char_boundary(MAX_LINE - CUT_NOTE);
        let megabytes = |bytes: usize| bytes as f64 / 1e6;
        let (shown, whole) = (megabytes(end), megabytes(line.text.len()));
        let text = format!("{} [cut: {shown:.1} MB of {whole:.1} MB shown]", &line.text[..end]);
        all.push(LogLine { text: &text, ..line });
    }
    Cow::Owned(all)
}
