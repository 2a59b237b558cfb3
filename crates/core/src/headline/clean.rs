//! Texts without what terminals and transports add to them.

use crate::escape;

/// The text with plain line breaks, without escape sequences; of one that is too long, beginning
/// and end.
pub(super) fn text(text: &str, read: usize) -> String {
    let mut out = String::new();
    if text.len() > read * 2 {
        let head = &text[..text.floor_char_boundary(read)];
        let tail = &text[text.ceil_char_boundary(text.len() - read)..];
        // Half a line is no line.
        push(&mut out, head.rsplit_once('\n').map_or(head, |(whole, _)| whole));
        out.push('\n');
        push(&mut out, tail.split_once('\n').map_or(tail, |(_, whole)| whole));
    } else {
        push(&mut out, text);
    }
    let is_quoted = out.trim_start().starts_with(['"', '{', '[']);
    if !is_quoted && !out.contains('\n') && escaped_breaks(&out) {
        out = out.replace("\\r\\n", "\n").replace("\\n", "\n").replace("\\t", "\t");
    }
    out
}

/// Whether line breaks were written as the two characters `\n`: only where what follows one shows
/// it, since a path on Windows may hold the same two.
fn escaped_breaks(text: &str) -> bool {
    ["\\n  File \"", "\\n    at ", "\\n\\tat ", "\\nTraceback (", "(most recent call last):\\n"]
        .iter()
        .any(|sign| text.contains(sign))
}

fn push(out: &mut String, text: &str) {
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if escape::skip(c, &mut rest) {
            continue;
        }
        match c {
            '\r' => {
                rest.next_if_eq(&'\n');
                out.push('\n');
            }
            '\u{2028}' | '\u{2029}' | '\u{85}' => out.push('\n'),
            _ => out.push(c),
        }
    }
}

/// One line with single blanks.
pub(super) fn squeeze(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for word in line.split(|c: char| c.is_whitespace()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}
