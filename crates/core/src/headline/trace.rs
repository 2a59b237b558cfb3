//! Stack traces: the line of each language that holds the reason.

use std::borrow::Cow;

/// What the traces of Python, and of Ruby, are headed with.
const HEADER: &str = "(most recent call last)";

/// Whether a line is the head of a trace and no reason.
pub(super) fn is_header(line: &str) -> bool {
    line.contains(HEADER)
}

/// The line that holds the reason, where the text is a trace.
pub(super) fn reason(lines: &[&str]) -> Option<String> {
    python(lines)
        .or_else(|| rust(lines))
        .or_else(|| go(lines))
        .or_else(|| prisma(lines))
        .or_else(|| dotnet(lines))
        .or_else(|| java(lines))
        .or_else(|| listed_causes(lines))
        .or_else(|| node(lines))
}

/// A line and, where it only introduces what follows (`ValueError:`), the next one.
pub(super) fn joined(lines: &[&str], at: usize) -> String {
    let line = lines[at].trim();
    let Some(head) = line.strip_suffix(':') else { return line.to_owned() };
    let rest = lines[at + 1..].iter().map(|line| line.trim_start_matches(['\t', ' ', '-', '*']));
    match rest.map(str::trim).find(|line| !line.is_empty()) {
        Some(next) if !is_frame(next) => format!("{head}: {next}"),
        _ => head.to_owned(),
    }
}

/// Whether a line names a place in a program, in the traces of JavaScript, Java and .NET.
pub(super) fn is_frame(line: &str) -> bool {
    let trimmed = line.trim_start();
    let Some(place) = trimmed.strip_prefix("at ") else {
        return trimmed.starts_with("... ") && trimmed.ends_with(" more")
            || trimmed.starts_with("--- End of ")
            || trimmed.starts_with("File \"") && trimmed.contains("\", line ");
    };
    let is_indented = trimmed.len() < line.len();
    place.ends_with(')')
        || place.contains("://")
        || is_indented && (!place.trim().contains(' ') || place.contains(['(', ':', '/']))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// A line without the frame that exception groups draw at its left.
fn ungutter(line: &str) -> &str {
    let trimmed = line.trim_start();
    match trimmed.strip_prefix('|') {
        Some(rest) => rest.strip_prefix(' ').unwrap_or(rest),
        None => trimmed.strip_prefix("+ ").unwrap_or(line),
    }
}

/// The line after the frames of the last trace: of chained exceptions the one that ended the
/// program. A syntax error may come without a header.
fn python(lines: &[&str]) -> Option<String> {
    let headers: Vec<usize> = (0..lines.len()).filter(|n| is_header(lines[*n])).collect();
    if let Some(last) = headers.last() {
        let drawn = lines[*last].trim_start().starts_with(['|', '+']);
        if drawn && let Some(found) = group(lines) {
            return Some(found);
        }
        return headers.iter().rev().find_map(|header| exception_after(lines, *header));
    }
    let first = lines.iter().position(|line| !line.trim().is_empty())?;
    let place = lines[first].trim_start();
    if place.starts_with("File \"") && place.contains("\", line ") && indent(lines[first]) > 0 {
        let end = (first + 1..lines.len()).find(|n| starts_at(lines[*n], 0))?;
        return Some(joined(lines, end));
    }
    None
}

fn starts_at(line: &str, base: usize) -> bool {
    !line.trim().is_empty() && indent(line) <= base
}

fn exception_after(lines: &[&str], header: usize) -> Option<String> {
    let base = indent(lines[header]);
    let at = (header + 1..lines.len()).find(|n| starts_at(lines[*n], base))?;
    // A trace that was cut in the middle.
    (!is_header(lines[at])).then(|| joined(lines, at))
}

/// Of an exception group the first exception that is no group itself, with how many more there are.
fn group(lines: &[&str]) -> Option<String> {
    let mut leaves: Vec<String> = Vec::new();
    let mut open = false;
    for (n, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        if trimmed.starts_with('+') && trimmed.contains("----") {
            // `+---- 1 ----` begins an exception, a bare line ends the last one.
            open = trimmed.bytes().any(|b| b.is_ascii_digit());
            if open {
                leaves.push(String::new());
            }
            continue;
        }
        let inner = ungutter(line);
        let is_place = inner.starts_with([' ', '\t']) || inner.trim().is_empty();
        if !open || !trimmed.starts_with('|') || is_place || is_header(inner) {
            continue;
        }
        if inner.starts_with("The above exception") || inner.starts_with("During handling") {
            // What follows is what it became.
            if let Some(leaf) = leaves.last_mut() {
                leaf.clear();
            }
            continue;
        }
        let of_group = inner.contains("ExceptionGroup: ");
        if let Some(leaf) = leaves.last_mut().filter(|leaf| leaf.is_empty() && !of_group) {
            *leaf = match inner.trim_end().strip_suffix(':') {
                Some(_) => {
                    let plain: Vec<&str> = lines[n..].iter().map(|line| ungutter(line)).collect();
                    joined(&plain, 0)
                }
                None => inner.trim_end().to_owned(),
            };
        }
    }
    leaves.retain(|leaf| !leaf.is_empty());
    let more = leaves.len().checked_sub(1)?;
    let first = leaves.swap_remove(0);
    Some(if more == 0 { first } else { format!("{first} (+{more} more)") })
}

/// The message of a panic: after the place, on the next line; in older programs between quotes
/// before it.
fn rust(lines: &[&str]) -> Option<String> {
    let at =
        lines.iter().position(|line| line.contains("panicked at ") && line.contains("thread "))?;
    let (_, after) = lines[at].split_once("panicked at ")?;
    if let Some(quoted) = after.strip_prefix('\'') {
        let end = quoted.rfind("', ").unwrap_or(quoted.len());
        return Some(quoted[..end].trim().to_owned());
    }
    let next = (at + 1..lines.len()).find(|n| !lines[*n].trim().is_empty())?;
    let message = lines[next].trim().to_owned();
    if !message.starts_with("assertion `") {
        return Some(message);
    }
    let sides = lines[next + 1..].iter().map(|line| line.trim());
    let sides = sides.take_while(|line| line.starts_with("left: ") || line.starts_with("right: "));
    let sides: Vec<&str> = sides.collect();
    Some(if sides.is_empty() { message } else { format!("{message}: {}", sides.join(", ")) })
}

/// `panic: …` or `fatal error: …`, the first where a deferred function panicked again.
fn go(lines: &[&str]) -> Option<String> {
    let of_go = || lines.iter().any(|line| line.starts_with("goroutine ") && line.contains('['));
    let at = lines.iter().position(|line| {
        line.starts_with("panic: ")
            || line.trim_end() == "panic:"
            || line.contains(": panic serving ")
            || line.starts_with("fatal error: ") && of_go()
    })?;
    let line = joined(lines, at);
    let cut = line.find(" [recovered").unwrap_or(line.len());
    Some(line[..cut].to_owned())
}

/// What Prisma has to say stands after the call, a picture of its place in the source, and the
/// arguments.
fn prisma(lines: &[&str]) -> Option<String> {
    let call = lines
        .iter()
        .position(|line| line.contains("Invalid `") && line.contains("` invocation"))?;
    let is_said = |line: &&&str| {
        let plain = line.trim_end();
        let is_picture = plain.starts_with([
            ' ', '\t', '{', '}', '(', ')', '[', ']', '+', '-', '?', '~', '\u{2192}', '\u{2716}',
        ]);
        let is_place = plain.starts_with(['/', '\\']) || plain.get(1..3) == Some(":\\");
        !plain.is_empty() && !is_picture && !is_place && !is_frame(line)
    };
    lines[call + 1..].iter().find(is_said).map(|line| line.trim().to_owned())
}

/// `A: x ---> B: y`: the innermost, which may stand on lines of their own.
fn dotnet(lines: &[&str]) -> Option<String> {
    const INNER: &str = "---> ";
    let first = lines.iter().position(|line| line.contains(INNER))?;
    if lines.len() > 1 && !lines.iter().any(|line| is_frame(line)) {
        return None;
    }
    let chain = lines[first..].iter().take_while(|line| !is_frame(line));
    let inner = chain.filter_map(|line| line.rsplit_once(INNER)).last()?.1;
    let inner = inner
        .strip_prefix("(Inner Exception #")
        .map_or(inner, |rest| rest.split_once(") ").map_or(inner, |(_, rest)| rest));
    let inner = inner.trim().trim_end_matches("<---").trim_end();
    (!inner.is_empty()).then(|| inner.to_owned())
}

/// The deepest `Caused by:`. What is indented further belongs to an exception that was suppressed.
fn java(lines: &[&str]) -> Option<String> {
    const CAUSE: &str = "caused by: ";
    let is_cause = |line: &str| {
        let begin = line.trim().get(..CAUSE.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(CAUSE))
    };
    let causes: Vec<usize> = (0..lines.len()).filter(|n| is_cause(lines[*n])).collect();
    if let Some(least) = causes.iter().map(|n| indent(lines[*n])).min() {
        let deepest = causes.iter().rev().find(|n| indent(lines[**n]) == least)?;
        let line = joined(lines, *deepest);
        return Some(with_place(&line[CAUSE.len()..], lines, *deepest));
    }
    let thread = lines.iter().position(|line| line.contains("Exception in thread \""))?;
    let line = joined(lines, thread);
    let said = line.split_once("Exception in thread \"")?.1.split_once("\" ")?.1.trim();
    (!said.is_empty()).then(|| with_place(said, lines, thread))
}

/// An exception without a message is explained by where it happened.
fn with_place(said: &str, lines: &[&str], at: usize) -> String {
    let frame = lines.get(at + 1).map(|line| line.trim()).filter(|line| line.starts_with("at "));
    match frame {
        Some(frame) if !said.contains([' ', ':']) => format!("{said} {frame}"),
        _ => said.to_owned(),
    }
}

/// `Error: …`, then `Caused by:` with a list, as Rust programs print it: the outermost with the
/// innermost.
fn listed_causes(lines: &[&str]) -> Option<String> {
    let said = |line: &'_ str| match line.trim().split_once(": ") {
        Some((number, cause)) if number.bytes().all(|b| b.is_ascii_digit()) => {
            cause.trim().to_owned()
        }
        _ => line.trim().to_owned(),
    };
    let numbered = |line: &str| line.starts_with([' ', '\t']) && line.trim().starts_with("0: ");
    let head = lines.iter().position(|line| line.trim() == "Caused by:").or_else(|| {
        // Numbered from the outermost on, without that heading.
        let first = lines.iter().position(|line| numbered(line))?;
        first.checked_sub(1).filter(|head| lines[*head].trim() == "Error:")
    })?;
    let causes = lines[head + 1..].iter().take_while(|line| line.starts_with([' ', '\t']));
    let causes: Vec<String> = causes.map(|line| said(line)).collect();
    let cause = causes.last()?;
    let before = lines[..head].iter().map(|line| line.trim()).find(|line| !line.is_empty());
    let outer =
        if lines[head].trim() == "Error:" { causes.first().map(String::as_str) } else { before };
    Some(match outer.filter(|outer| outer != cause) {
        Some(outer) => format!("{}: {cause}", outer.trim_end_matches(':')),
        None => cause.clone(),
    })
}

/// The first line, or the one after the picture of the source; with the deepest `[cause]`.
fn node(lines: &[&str]) -> Option<String> {
    let frame = lines.iter().position(|line| is_frame(line))?;
    let picture = lines[..frame].iter().rposition(|line| {
        let line = line.trim();
        !line.is_empty() && line.bytes().all(|b| matches!(b, b'^' | b'~'))
    });
    let begin = picture.map_or(0, |caret| caret + 1);
    let message: Vec<&str> = lines[begin..frame].to_vec();
    let said = super::plain::reason(&message).unwrap_or_default();
    let said = said.trim_end_matches(':').trim();
    let cause = cause(lines, frame);
    Some(match cause {
        Some(cause) if said.is_empty() || said == "Error" => cause.into_owned(),
        Some(cause) if said.contains(cause.as_ref()) => said.to_owned(),
        Some(cause) => format!("{said}: {cause}"),
        None if said.is_empty() => return None,
        None => said.to_owned(),
    })
}

/// The innermost cause that Node prints with an error's fields; the first of several errors; or
/// the code.
fn cause<'a>(lines: &[&'a str], frame: usize) -> Option<Cow<'a, str>> {
    let fields = lines[frame..].iter();
    let named = |name: &str| {
        let field = move |line: &&'a str| line.trim().strip_prefix(name).map(str::trim);
        fields.clone().filter_map(field).collect::<Vec<&str>>()
    };
    let bare = |line: &'a str| {
        let line = line.trim_end_matches(['{', '[', ',', ' ']).trim();
        line.strip_prefix("Error: ").unwrap_or(line).trim_end_matches(':')
    };
    let is_open = |line: &str| line.is_empty() || line.ends_with(']') && line.contains('[');
    let deepest = named("[cause]:").into_iter().map(bare).rfind(|line| !is_open(line));
    let several = || {
        let list = lines.iter().position(|line| line.trim().starts_with("[errors]: ["))?;
        let first = lines[list + 1..].iter().find(|line| !line.trim().is_empty())?;
        Some(bare(first.trim()))
    };
    let quoted = |name: &str| named(name).pop().map(|value| value.trim_matches(['\'', '"', ',']));
    let found = deepest.or_else(several).or_else(|| quoted("message: "));
    found.filter(|found| !found.is_empty()).map(Cow::Borrowed)
}
