//! What is seen of a line: what a terminal would show of it, its level, its fields.
//!
//! One renderer draws a message ([`draw`]); what it shows is what is searched, copied and saved
//! ([`plain`]). Most lines hold nothing that commands a terminal, which [`is_styled`] finds out fast.

mod fields;
mod json;
mod level;
mod line;
mod mark;
mod stream;
mod style;
mod terminal;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use fields::{Parts, json_in, parts};
pub use level::guess_level;
pub use mark::{cut, expand, expanded, mark};
use memchr::{memchr, memchr_iter};
pub use style::{Change, Style};

use super::query::Span;
use style::Following;
use terminal::Terminal;

/// Whether what is seen of a text differs from it: it holds escape sequences or other controls than
/// tabs and line breaks.
#[must_use]
#[inline]
pub fn is_styled(text: &str) -> bool {
    commands(text.as_bytes(), false)
}

/// Whether there may be a control among these bytes, escapes perhaps aside. Without a way out in
/// between, so that many bytes are looked at at once.
#[inline]
fn odd(bytes: &[u8], but_escapes: bool) -> bool {
    bytes.iter().fold(false, |odd, byte| {
        let control = (*byte < 0x20) & (*byte != b'\t') & (*byte != b'\n');
        let control = control & !(but_escapes & (*byte == 0x1b));
        odd | control | (*byte == 0x7f) | (*byte == 0xc2)
    })
}

/// Whether there is a control among these bytes, escapes perhaps aside.
fn commands(bytes: &[u8], but_escapes: bool) -> bool {
    let control = |byte: &u8| match byte {
        b'\t' | b'\n' => false,
        0x1b => !but_escapes,
        byte => *byte < 0x20 || *byte == 0x7f,
    };
    odd(bytes, but_escapes)
        && (bytes.iter().any(control)
            || memchr_iter(0xc2, bytes).any(|at| matches!(bytes.get(at + 1), Some(0x80..=0x9f))))
}

/// What is seen of a message.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    /// Line by line. Tabs are tabs where nothing was written over them; see [`expand`].
    pub lines: Vec<Vec<Span>>,
    /// The look that what follows begins with.
    pub end: Style,
}

/// Draws a message that begins with a look.
#[must_use]
pub fn draw(text: &str, start: Style) -> Drawn {
    let mut terminal = Terminal::new(start);
    stream::feed(text, &mut terminal, Terminal::command);
    Drawn { lines: terminal.spans(), end: terminal.end() }
}

/// What a text does to the look of what follows it.
#[must_use]
pub fn change(text: &str) -> Change {
    let mut following = Following::default();
    if memchr(0x1b, text.as_bytes()).is_some() || commands(text.as_bytes(), true) {
        stream::feed(text, &mut following, |_, _| {});
    }
    following.now
}

/// What is seen of a text, without looks: what a search looks at, and what is copied and saved.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    let trimmed = || Cow::Borrowed(text.trim_end_matches('\n'));
    if !is_styled(text) {
        return trimmed();
    }
    if let Some(text) = uncoloured(text) {
        return Cow::Owned(text);
    }
    let mut terminal = Terminal::new(Style::default());
    stream::feed(text, &mut terminal, Terminal::command);
    Cow::Owned(terminal.text())
}

/// A text without its colours; `None` where it holds more than those.
fn uncoloured(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if commands(bytes, true) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for at in memchr_iter(0x1b, bytes) {
        if bytes.get(at + 1) != Some(&b'[') {
            return None;
        }
        let params =
            bytes[at + 2..].iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'));
        let end = at + 2 + params.count();
        if bytes.get(end) != Some(&b'm') {
            return None;
        }
        out.push_str(&text[from..at]);
        from = end + 1;
    }
    out.push_str(&text[from..]);
    out.truncate(out.trim_end_matches('\n').len());
    Some(out)
}
