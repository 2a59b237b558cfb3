//! Spans as they are shown: what was found in them is marked, and tabs reach to their stops.

use unicode_width::UnicodeWidthStr as _;

use super::super::query::Span;
use super::line::STOP;

/// Marks the parts of a line from `from` to `to`, in bytes of its text, that `ranges` name. Ranges
/// ascend and do not overlap.
#[must_use]
pub fn mark(line: Vec<Span>, ranges: &[(usize, usize)]) -> Vec<Span> {
    if ranges.is_empty() {
        return line;
    }
    let mut marked = Vec::with_capacity(line.len() + 2 * ranges.len());
    let mut begin = 0;
    for span in line {
        let end = begin + span.text.len();
        let mut at = begin;
        for (from, to) in ranges {
            let (from, to) = ((*from).clamp(at, end), (*to).clamp(at, end));
            if from >= to {
                continue;
            }
            for (part, mark) in [((at, from), false), ((from, to), true)] {
                if let Some(text) = span.text.get(part.0 - begin..part.1 - begin)
                    && !text.is_empty()
                {
                    marked.push(Span { text: text.to_owned(), mark, ..span.clone() });
                }
            }
            at = to;
        }
        if let Some(text) = span.text.get(at - begin..)
            && !text.is_empty()
        {
            marked.push(Span { text: text.to_owned(), ..span });
        }
        begin = end;
    }
    marked
}

/// Cuts a line after so many bytes; answers how many were cut off.
pub fn cut(line: &mut Vec<Span>, limit: usize) -> u64 {
    let mut room = limit;
    let mut more = 0;
    line.retain_mut(|span| {
        let kept = span.text.floor_char_boundary(room);
        more += (span.text.len() - kept) as u64;
        span.text.truncate(kept);
        room = if more > 0 { 0 } else { room - kept };
        kept > 0
    });
    more
}

/// Tabs of a line as the blanks up to the next stop.
#[must_use]
pub fn expand(mut line: Vec<Span>) -> Vec<Span> {
    if line.iter().any(|span| span.text.contains('\t')) {
        let mut column = 0;
        for span in &mut line {
            span.text = expanded(&span.text, &mut column);
        }
    }
    line
}

/// A line's text with its tabs as the blanks up to the next stop. `column` is where it begins, and
/// then where it ends.
#[must_use]
pub fn expanded(text: &str, column: &mut usize) -> String {
    let mut out = String::with_capacity(text.len() + STOP);
    for (nth, part) in text.split('\t').enumerate() {
        if nth > 0 {
            let many = STOP - *column % STOP;
            out.extend(std::iter::repeat_n(' ', many));
            *column += many;
        }
        out.push_str(part);
        *column += part.width();
    }
    out
}
