//! What is seen of a line: escape sequences become looks, what a carriage return overwrites is gone,
//! JSON and logfmt become fields.

use jobwatch_core::model::Level;
use jobwatch_core::wire::fields::Fields;
use vte::{Params, Parser, Perform};

use crate::redact::prefix;
use crate::views::Span;

/// Whether what is seen of a text differs from it.
#[must_use]
pub fn is_styled(text: &str) -> bool {
    memchr::memchr2(0x1b, b'\r', text.as_bytes()).is_some()
}

/// The level that a text tells of itself, as loggers and compilers write it near the beginning.
#[must_use]
pub fn guess_level(text: &str) -> Option<Level> {
    let head = prefix(text, 96);
    for (at, word) in words(head) {
        let level = match word {
            "TRACE" => Level::Trace,
            "DEBUG" | "DBG" => Level::Debug,
            "INFO" | "INF" | "NOTICE" => Level::Info,
            "WARN" | "WARNING" | "WRN" => Level::Warn,
            "ERROR" | "ERR" | "SEVERE" => Level::Error,
            "FATAL" | "PANIC" | "CRITICAL" | "EMERG" => Level::Fatal,
            "error" | "Error" | "warning" | "Warning" | "warn" | "fatal" | "panic" => {
                // As a word of a sentence it says nothing: `error:`, `warning[`, `npm error`.
                let after = head[at + word.len()..].chars().next();
                let first = head[..at].chars().all(|c| !c.is_alphanumeric());
                let before = head[..at].trim_end();
                let leads = first && matches!(after, Some(':' | '['));
                if !leads && !before.ends_with("npm") {
                    if let Some(level) = field(head, at, word) {
                        return Some(level);
                    }
                    continue;
                }
                match word {
                    "error" | "Error" => Level::Error,
                    "fatal" | "panic" => Level::Fatal,
                    _ => Level::Warn,
                }
            }
            "trace" | "debug" | "info" => match field(head, at, word) {
                Some(level) => level,
                None => continue,
            },
            _ => continue,
        };
        return Some(level);
    }
    None
}

/// The level of a word that is the value of a field: `level=info`, `"level":"info"`.
fn field(head: &str, at: usize, word: &str) -> Option<Level> {
    let before = head[..at].trim_end_matches(['"', ' ', ':', '=']);
    let named = ["level", "lvl", "severity"].iter().any(|name| before.ends_with(name));
    named.then(|| Level::from_word(word)).flatten()
}

/// The words of a text and where they are; the letter that ends an escape sequence is none.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..)?;
            let skip = rest.find(|c: char| c.is_ascii_alphabetic() || c == '\u{1b}')?;
            if rest[skip..].starts_with('\u{1b}') {
                let end = rest[skip..].find(|c: char| c.is_ascii_alphabetic())?;
                at += skip + end + 1;
                continue;
            }
            let word = &rest[skip..];
            let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let word = &word[..end.unwrap_or(word.len())];
            let found = at + skip;
            at = found + word.len();
            return Some((found, word));
        }
    })
}

/// How a piece of text looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Look {
    fg: Option<String>,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    struck: bool,
    inverse: bool,
}

impl Look {
    fn letters(&self) -> String {
        [
            (self.bold, 'b'),
            (self.dim, 'd'),
            (self.italic, 'i'),
            (self.underline, 'u'),
            (self.struck, 's'),
            (self.inverse, 'r'),
        ]
        .into_iter()
        .filter_map(|(on, letter)| on.then_some(letter))
        .collect()
    }
}

/// Draws text onto lines, as a terminal would that knows colours and nothing else.
#[derive(Default)]
struct Screen {
    lines: Vec<Vec<(String, Look)>>,
    look: Look,
    /// The next character begins the line anew.
    returned: bool,
}

impl Screen {
    fn line(&mut self) -> &mut Vec<(String, Look)> {
        if self.lines.is_empty() {
            self.lines.push(Vec::new());
        }
        let last = self.lines.len() - 1;
        &mut self.lines[last]
    }
}

impl Perform for Screen {
    fn print(&mut self, c: char) {
        if std::mem::take(&mut self.returned) {
            self.line().clear();
        }
        let look = self.look.clone();
        let line = self.line();
        match line.last_mut() {
            Some((text, last)) if *last == look => text.push(c),
            _ => line.push((c.to_string(), look)),
        }
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.returned = false;
                self.line();
                self.lines.push(Vec::new());
            }
            b'\r' => self.returned = true,
            0x08 => {
                if let Some((text, _)) = self.line().last_mut() {
                    text.pop();
                }
            }
            // Shown as what it is.
            other => self.print(char::from(other)),
        }
    }

    fn csi_dispatch(&mut self, params: &Params, _: &[u8], _: bool, action: char) {
        match action {
            'm' => sgr(&mut self.look, params),
            // The line is cleared up to its end or as a whole; what follows begins it anew.
            'K' => {
                let whole = params.iter().next().and_then(|p| p.first()).is_some_and(|n| *n > 0);
                if whole || self.returned {
                    self.line().clear();
                }
            }
            'G' => self.returned = true,
            _ => {}
        }
    }
}

/// Select graphic rendition.
fn sgr(look: &mut Look, params: &Params) {
    let flat: Vec<u16> = params.iter().flatten().copied().collect();
    if flat.is_empty() {
        *look = Look::default();
    }
    let mut rest = flat.as_slice();
    while let Some((code, after)) = rest.split_first() {
        rest = after;
        match code {
            0 => *look = Look::default(),
            1 => look.bold = true,
            2 => look.dim = true,
            3 => look.italic = true,
            4 => look.underline = true,
            7 => look.inverse = true,
            9 => look.struck = true,
            22 => (look.bold, look.dim) = (false, false),
            23 => look.italic = false,
            24 => look.underline = false,
            27 => look.inverse = false,
            29 => look.struck = false,
            30..=37 => look.fg = Some((code - 30).to_string()),
            90..=97 => look.fg = Some((code - 90 + 8).to_string()),
            39 => look.fg = None,
            40..=47 => look.bg = Some((code - 40).to_string()),
            100..=107 => look.bg = Some((code - 100 + 8).to_string()),
            49 => look.bg = None,
            38 | 48 => {
                let (colour, after) = match rest {
                    [5, n, after @ ..] => (indexed(*n), after),
                    [2, r, g, b, after @ ..] => (Some(hex(*r, *g, *b)), after),
                    _ => return,
                };
                rest = after;
                match code {
                    38 => look.fg = colour,
                    _ => look.bg = colour,
                }
            }
            _ => {}
        }
    }
}

fn hex(r: u16, g: u16, b: u16) -> String {
    format!("#{:02x}{:02x}{:02x}", r.min(255), g.min(255), b.min(255))
}

/// One of the 256 colours: the first 16 are the terminal's own, then a cube, then greys.
fn indexed(n: u16) -> Option<String> {
    let level = |n: u16| if n == 0 { 0 } else { 55 + 40 * n };
    match n {
        0..=15 => Some(n.to_string()),
        16..=231 => {
            let n = n - 16;
            Some(hex(level(n / 36), level(n / 6 % 6), level(n % 6)))
        }
        232..=255 => {
            let grey = 8 + 10 * (n - 232);
            Some(hex(grey, grey, grey))
        }
        _ => None,
    }
}

/// What is seen of a text, line by line.
#[must_use]
pub fn looks(text: &str) -> Vec<Vec<Span>> {
    let mut screen = Screen::default();
    Parser::new().advance(&mut screen, text.as_bytes());
    if screen.lines.len() > 1 && screen.lines.last().is_some_and(Vec::is_empty) {
        screen.lines.pop();
    }
    let span = |(text, look): (String, Look)| Span {
        text,
        mark: false,
        style: look.letters(),
        fg: look.fg,
        bg: look.bg,
    };
    screen.lines.into_iter().map(|line| line.into_iter().map(span).collect()).collect()
}

/// What is seen of a text, without looks: what a search looks at, and what is copied from it.
#[must_use]
pub fn plain(text: &str) -> String {
    if !is_styled(text) {
        return text.to_owned();
    }
    let lines = looks(text);
    let mut plain = String::with_capacity(text.len());
    for (nth, line) in lines.iter().enumerate() {
        if nth > 0 {
            plain.push('\n');
        }
        for span in line {
            plain.push_str(&span.text);
        }
    }
    plain
}

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

/// Fields of a line and the text among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Name and value, the text and the level left out.
    pub fields: Vec<(String, String)>,
    /// The text.
    pub message: Option<String>,
}

const MESSAGES: [&str; 4] = ["msg", "message", "text", "event"];
const LEVELS: [&str; 4] = ["level", "lvl", "severity", "levelname"];
/// Bytes of a value that a chip shows.
const MAX_VALUE: usize = 120;
/// Chips of a line.
const MAX_FIELDS: usize = 24;

/// The fields of a line that is JSON or logfmt; `None` for any other.
#[must_use]
pub fn parts(text: &str) -> Option<Parts> {
    let text = text.trim();
    let pairs = match text.as_bytes().first()? {
        b'{' => json_pairs(text)?,
        _ => logfmt_pairs(text)?,
    };
    let mut parts = Parts::default();
    for (name, value) in pairs {
        if parts.message.is_none() && MESSAGES.contains(&name.as_str()) {
            parts.message = Some(value);
        } else if !LEVELS.contains(&name.as_str()) && parts.fields.len() < MAX_FIELDS {
            let short = prefix(&value, MAX_VALUE);
            let value = if short.len() < value.len() { format!("{short}…") } else { value };
            parts.fields.push((name, value));
        }
    }
    Some(parts)
}

fn json_pairs(text: &str) -> Option<Vec<(String, String)>> {
    let fields = Fields::parse(text)?;
    let value = |raw: &serde_json::value::RawValue| {
        jobwatch_core::wire::json::text_of(raw)
            .map_or_else(|| raw.get().to_owned(), |t| t.into_owned())
    };
    Some(fields.iter().map(|(name, raw)| (name.to_owned(), value(raw))).collect())
}

/// `level=info msg="two words" n=1`: nothing but pairs, and at least two of them.
fn logfmt_pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-/@".contains(c);
        if name.is_empty() || !name.chars().all(plain) {
            return None;
        }
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            let mut value = String::new();
            let mut chars = quoted.char_indices();
            let end = loop {
                match chars.next()? {
                    (at, '"') => break at + 1,
                    (_, '\\') => match chars.next()?.1 {
                        'n' => value.push('\n'),
                        't' => value.push('\t'),
                        other => value.push(other),
                    },
                    (_, c) => value.push(c),
                }
            };
            (value, &quoted[end..])
        } else {
            let end = after.find(char::is_whitespace).unwrap_or(after.len());
            (after[..end].to_owned(), &after[end..])
        };
        if !after.is_empty() && !after.starts_with(char::is_whitespace) {
            return None;
        }
        pairs.push((name.to_owned(), value));
        rest = after.trim_start();
    }
    (pairs.len() >= 2).then_some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Vec<(String, String)> {
        let lines = looks(text);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let look = |span: &Span| {
            let colours = [&span.fg, &span.bg].map(|c| c.clone().unwrap_or_default()).join("/");
            (span.text.clone(), format!("{}{colours}", span.style))
        };
        lines[0].iter().map(look).collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn sixteen_colours_256_and_true_colour_are_read() {
        assert_eq!(
            line("\u{1b}[1;31mred\u{1b}[0m \u{1b}[38;5;208mo\u{1b}[48;2;1;2;3mx\u{1b}[m"),
            owned(&[("red", "b1/"), (" ", "/"), ("o", "#ff8700/"), ("x", "#ff8700/#010203")])
        );
        assert_eq!(line("\u{1b}[4;96mu\u{1b}[24mn"), owned(&[("u", "u14/"), ("n", "14/")]));
        assert_eq!(line("\u{1b}[38;5mcut"), owned(&[("cut", "/")]));
    }

    #[test]
    fn what_a_terminal_overwrites_is_gone() {
        assert_eq!(plain("10 %\r20 %\r\n"), "20 %");
        assert_eq!(plain("Fetch [=>  ]\r\u{1b}[KFetched"), "Fetched");
        assert_eq!(plain("done\r"), "done");
        assert_eq!(plain("\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{7} a\u{1b}"), "link a");
        assert_eq!(plain("a\nb"), "a\nb");
    }

    #[test]
    fn marks_cut_spans_where_they_must() {
        let spans = looks("ab\u{1b}[1mcd\u{1b}[0mef").remove(0);
        let marked = mark(spans, &[(1, 3), (5, 6)]);
        let shown: Vec<_> =
            marked.iter().map(|s| (s.text.as_str(), s.mark, s.style.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("a", false, ""),
                ("b", true, ""),
                ("c", true, "b"),
                ("d", false, "b"),
                ("e", false, ""),
                ("f", true, "")
            ]
        );
    }

    #[test]
    fn json_and_logfmt_lines_have_fields() {
        let json =
            parts(r#"{"ts":1,"level":"info","msg":"it works","user":{"id":7},"n":null}"#).unwrap();
        assert_eq!(json.message.as_deref(), Some("it works"));
        assert_eq!(json.fields, owned(&[("ts", "1"), ("user", r#"{"id":7}"#)]));
        let logfmt = parts(r#"level=warn msg="two \"words\"" took=3ms"#).unwrap();
        assert_eq!(logfmt.message.as_deref(), Some("two \"words\""));
        assert_eq!(logfmt.fields, owned(&[("took", "3ms")]));
        for text in ["a plain line", "a=1", "x = 1 y = 2", "{not json", "[1,2]", "", "a=\"open"] {
            assert_eq!(parts(text), None, "{text}");
        }
    }

    #[test]
    fn levels_are_guessed_where_texts_tell_them_and_not_from_sentences() {
        for (text, level) in [
            ("2026-01-01T00:00:00Z ERROR it broke", Some(Level::Error)),
            ("[WARN] careful", Some(Level::Warn)),
            ("\u{1b}[31mERROR\u{1b}[0m x", Some(Level::Error)),
            ("error[E0308]: mismatched types", Some(Level::Error)),
            ("warning: unused variable", Some(Level::Warn)),
            ("npm error code E404", Some(Level::Error)),
            (r#"{"level":"debug","msg":"x"}"#, Some(Level::Debug)),
            ("level=info msg=x", Some(Level::Info)),
            ("the error was not found", None),
            ("no warnings, 0 errors", None),
            ("ERRORS are none", None),
            ("", None),
        ] {
            assert_eq!(guess_level(text), level, "{text}");
        }
    }
}
