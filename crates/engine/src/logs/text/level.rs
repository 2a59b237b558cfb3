//! The level that a line tells of itself, as loggers, compilers and system logs write it: a member of
//! a JSON object, a field, a mark at the beginning, a word in the head. A word within a message says
//! nothing.

use std::borrow::Cow;

use jobwatch_core::model::Level;
use memchr::{memchr, memmem};

use super::json::members;
use super::plain;
use crate::redact::prefix;

/// Bytes of a JSON object that are looked through.
const OBJECT: usize = 64 << 10;
/// Bytes of any other line.
const HEAD: usize = 1 << 10;
/// Words of a sentence after which no head goes on.
const SENTENCE: usize = 3;

/// The level that a text tells of itself; `None` where it tells none.
#[must_use]
pub fn guess_level(text: &str) -> Option<Level> {
    let head = prefix(text, HEAD);
    match plain(head) {
        Cow::Borrowed(head) => of_plain(head, text),
        Cow::Owned(head) => of_plain(&head, ""),
    }
}

/// `whole` is the text that `head` begins, where there is more of it.
fn of_plain(head: &str, whole: &str) -> Option<Level> {
    let skipped = head.len() - head.trim_start().len();
    let head = &head[skipped..];
    if head.starts_with('{') {
        let whole = if whole.len() > head.len() { prefix(&whole[skipped..], OBJECT) } else { head };
        return of_object(whole);
    }
    let line = &head[..memchr(b'\n', head.as_bytes()).unwrap_or(head.len())];
    if let Some(level) = of_mark(line) {
        return Some(level);
    }
    // `web-1  | `, as compose puts it before every line.
    if let Some(bar) = memchr(b'|', line.as_bytes())
        && let Some(rest) = line[bar + 1..].strip_prefix(' ')
        && bar < 64
        && line.starts_with(|c: char| c.is_ascii_alphabetic())
        && !line[..bar].trim_end().contains(char::is_whitespace)
    {
        return of_plain(rest, "");
    }
    if let Some(at) = memchr(b'{', line.as_bytes())
        && line[at + 1..].starts_with('"')
        && let Some(level) = of_object(&head[at..])
    {
        return Some(level);
    }
    Head::new(line).level()
}

/// The level that an object has as a member, or as a member of `log`; else what its message tells.
fn of_object(text: &str) -> Option<Level> {
    let mut message = None;
    let found = members(text, |name, value| {
        if let Some(of) = named(name) {
            return valued(of, value, text);
        }
        match name {
            "log" if value.starts_with('{') => {
                members(value, |name, value| named(name).and_then(|of| valued(of, value, text)))
            }
            "log" | "message" | "msg" | "MESSAGE" if value.starts_with('"') => {
                message = message.or(Some(value.trim_matches('"')));
                None
            }
            _ => None,
        }
    });
    found.or_else(|| {
        let message = prefix(message?, HEAD);
        if message.starts_with('{') { None } else { Head::new(message).level() }
    })
}

/// Whose numbers a level's are.
#[derive(Clone, Copy)]
enum Scale {
    /// Pino, bunyan, Monolog; in GELF those of syslog.
    Level,
    /// Google's and Monolog's.
    Hundreds,
    /// OpenTelemetry's.
    Telemetry,
    /// Python's.
    Python,
    /// Logback's.
    Logback,
    /// Those of syslog.
    System,
}

/// Whether a member or a field of this name holds a level.
fn named(name: &str) -> Option<Scale> {
    match name {
        "level" | "severity" | "lvl" => {
            return Some(if name == "severity" { Scale::Hundreds } else { Scale::Level });
        }
        "@l" | "L" => return Some(Scale::Level),
        "PRIORITY" => return Some(Scale::System),
        _ => {}
    }
    if name.len() < 3 || name.len() > 24 {
        return None;
    }
    let mut folded = [0; 24];
    let mut len = 0;
    for byte in name.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b'.' | b'@')) {
        folded[len] = byte.to_ascii_lowercase();
        len += 1;
    }
    Some(match &folded[..len] {
        b"level" | b"lvl" | b"loglevel" | b"loglvl" | b"levelname" | b"levelstr" => Scale::Level,
        b"severity" | b"severitytext" | b"logseverity" => Scale::Hundreds,
        b"severitynumber" => Scale::Telemetry,
        b"levelno" => Scale::Python,
        b"levelvalue" => Scale::Logback,
        _ => return None,
    })
}

/// The level of a value: a word, also with something behind it (`ERROR+2`), or a number.
fn valued(of: Scale, value: &str, object: &str) -> Option<Level> {
    let value = value.trim_matches(['"', '\'', '[', ']', ' ']);
    if value.starts_with(|c: char| c.is_ascii_digit()) {
        let number = value.strip_suffix(".0").unwrap_or(value);
        return numbered(of, number.parse().ok()?, object);
    }
    let end = value.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(value.len());
    let rest = value[end..].chars().next();
    if matches!(rest, Some('_' | '=' | '@')) {
        return None;
    }
    Level::from_word(&value[..end])
}

fn numbered(of: Scale, number: u32, object: &str) -> Option<Level> {
    let all = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal];
    let nth = |nth: u32| all.get(nth.min(5) as usize).copied();
    let system = |severity: u32| match severity {
        0..=2 => Some(Level::Fatal),
        3 => Some(Level::Error),
        4 => Some(Level::Warn),
        5 | 6 => Some(Level::Info),
        7 => Some(Level::Debug),
        _ => None,
    };
    match (of, number) {
        (Scale::System, _) => system(number),
        (Scale::Telemetry, 1..=24) => nth((number - 1) / 4),
        (Scale::Python, 1..=100) => nth(number / 10),
        (Scale::Logback, 1_000..) => nth(match number {
            ..10_000 => 0,
            10_000..20_000 => 1,
            20_000..30_000 => 2,
            30_000..40_000 => 3,
            _ => 4,
        }),
        // Small numbers are levels of many things; in GELF they are those of syslog.
        (Scale::Level | Scale::Hundreds, 0..=7) => {
            memmem::find(object.as_bytes(), b"\"short_message\"").and_then(|_| system(number))
        }
        (Scale::Level | Scale::Hundreds, 10..=99) => nth(number / 10 - 1),
        (Scale::Level | Scale::Hundreds, 100..=999) => nth(match number {
            ..200 => 1,
            200..300 => 2,
            300..400 => 3,
            400..500 => 4,
            _ => 5,
        }),
        _ => None,
    }
}

/// What stands at the very beginning and is no word: `<11>`, `E1127 12:00:00.0`, `::error`.
fn of_mark(line: &str) -> Option<Level> {
    let bytes = line.as_bytes();
    match bytes.first()? {
        b'<' => {
            let digits = bytes[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            let priority = (1..=3).contains(&digits) && bytes.get(1 + digits) == Some(&b'>');
            let number: u32 = priority.then(|| line[1..=digits].parse().ok()).flatten()?;
            (number <= 191).then(|| numbered(Scale::System, number & 7, "")).flatten()
        }
        letter @ (b'I' | b'W' | b'E' | b'F' | b'D' | b'V') => {
            let rest = &bytes[1..];
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let glog = matches!(digits, 4 | 8) && rest.get(digits) == Some(&b' ') && {
                let clock = &rest[digits + 1..];
                clock.first().is_some_and(u8::is_ascii_digit) && clock.get(2) == Some(&b':')
            };
            // Android: `E/Tag( 123): `, `E/Tag: `.
            let brief = rest.first() == Some(&b'/')
                && rest.get(1).is_some_and(u8::is_ascii_alphabetic)
                && match line.find(['(', ':', ' ']).map(|at| &line[at..]) {
                    Some(ends) if ends.starts_with('(') => ends.contains("):"),
                    Some(ends) => ends.starts_with(": "),
                    None => false,
                };
            (glog || brief).then(|| lettered(*letter)).flatten()
        }
        b':' | b'#' => {
            let rest = line.strip_prefix("::").or_else(|| line.strip_prefix("##["))?;
            let end = rest.find(|c: char| !c.is_ascii_alphabetic())?;
            let marked = rest[end..].starts_with([' ', ':', ']']);
            marked.then(|| Level::from_word(&rest[..end]).filter(|_| end > 3)).flatten()
        }
        b't' => {
            let panicked = line.starts_with("thread '") && line.contains("' panicked at");
            panicked.then_some(Level::Fatal)
        }
        _ => None,
    }
}

fn lettered(letter: u8) -> Option<Level> {
    Some(match letter {
        b'V' | b'T' => Level::Trace,
        b'D' => Level::Debug,
        b'I' => Level::Info,
        b'W' => Level::Warn,
        b'E' => Level::Error,
        b'F' | b'C' => Level::Fatal,
        _ => return None,
    })
}

/// The head of a line: times, names, numbers and the like, before the message begins.
struct Head<'a> {
    line: &'a str,
    /// Words of a sentence so far.
    words: usize,
    /// The last one.
    word: &'a str,
    /// Something with digits or signs has been there: a time, a thread, a place.
    structure: bool,
    /// Nothing but numbers and times has been there.
    numeric: bool,
    bracket: Option<u8>,
}

impl<'a> Head<'a> {
    fn new(line: &'a str) -> Head<'a> {
        let line = prefix(line, HEAD);
        Head { line, words: 0, word: "", structure: false, numeric: true, bracket: None }
    }

    fn byte(&self, at: usize) -> u8 {
        self.line.as_bytes().get(at).copied().unwrap_or(b' ')
    }

    fn before(&self, at: usize) -> u8 {
        at.checked_sub(1).map_or(b' ', |at| self.byte(at))
    }

    /// What stands next to a place, blanks aside.
    fn around(&self, from: usize, to: usize) -> (Option<u8>, Option<u8>) {
        let before = self.line.as_bytes()[..from].iter().rev().find(|byte| **byte != b' ');
        let after = self.line.as_bytes()[to..].iter().find(|byte| **byte != b' ');
        (before.copied(), after.copied())
    }

    fn level(mut self) -> Option<Level> {
        if let Some(level) = self.of_fields() {
            return Some(level);
        }
        let bytes = self.line.as_bytes();
        let mut at = 0;
        while at < bytes.len() && self.words <= SENTENCE {
            let byte = bytes[at];
            if !(byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80) {
                match byte {
                    b'[' | b'(' => self.bracket = Some(byte),
                    b']' | b')' => self.bracket = None,
                    _ => {}
                }
                if !byte.is_ascii_whitespace() {
                    self.structure = true;
                }
                at += 1;
                continue;
            }
            let more = bytes[at..].iter().take_while(|byte| {
                byte.is_ascii_alphanumeric() || **byte == b'_' || **byte >= 0x80
            });
            let end = at + more.count();
            let word = &self.line[at..end];
            if byte.is_ascii_alphabetic()
                && let Some(level) = self.of_word(word, at, end)
            {
                return Some(level);
            }
            self.pass(word, at, end);
            at = end;
        }
        None
    }

    /// A word that is no level.
    fn pass(&mut self, word: &'a str, from: usize, to: usize) {
        let letters = word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte >= 0x80);
        if !letters {
            self.structure = true;
            if !word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'T' | b'Z')) {
                self.numeric = false;
            }
            return;
        }
        let alone = self.before(from).is_ascii_whitespace();
        let next = self.byte(to);
        let ends = next.is_ascii_whitespace()
            || (matches!(next, b'.' | b',' | b';' | b'!' | b'?')
                && self.byte(to + 1).is_ascii_whitespace());
        self.numeric = false;
        let letter = word.len() == 1 && !next.is_ascii_whitespace();
        if alone && ends && self.bracket.is_none() && !of_time(word) && !letter {
            self.words += 1;
            self.word = word;
        }
    }

    /// `level=warn`, `severity: ERROR` and the like, wherever they stand. What a quoted value holds
    /// is no field.
    fn of_fields(&self) -> Option<Level> {
        let bytes = self.line.as_bytes();
        // A line that begins with its level needs no field.
        if bytes.first()?.is_ascii_uppercase() {
            let end = self.line.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(0);
            if end > 2 && shouted(&self.line[..end]).is_some() {
                return None;
            }
        }
        let mut at = 0;
        while let Some(found) = memchr(b'=', &bytes[at..]) {
            let sign = at + found;
            let key = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_.-@".contains(byte);
            let begin = sign - bytes[at..sign].iter().rev().take_while(key).count();
            let value = &self.line[sign + 1..];
            if let Some(of) = named(&self.line[begin..sign]) {
                let value = value.trim_start_matches('"');
                let end = value.find(|c: char| c.is_whitespace() || matches!(c, '"' | ',' | ';'));
                let level = valued(of, &value[..end.unwrap_or(value.len())], "");
                if level.is_some() {
                    return level;
                }
            }
            at = sign + 1;
            if value.starts_with('"') {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at = at.min(bytes.len());
            }
        }
        None
    }

    /// The level of a word, where it stands as loggers put it.
    fn of_word(&self, word: &str, from: usize, to: usize) -> Option<Level> {
        let (before, after) = (self.before(from), self.byte(to));
        if word.len() == 1 {
            let marked = (before == b'[' && (after == b']' || after == b' '))
                || (self.numeric && self.structure && before == b' ' && after == b' ');
            let digit = after != b' ' || before != b'[' || self.byte(to + 1).is_ascii_digit();
            return (marked && digit && self.words == 0)
                .then(|| lettered(word.as_bytes()[0]))
                .flatten();
        }
        let ends = after.is_ascii_whitespace() || b"]):>|,;!/[(}".contains(&after);
        let begins = before.is_ascii_whitespace() || b"[(<|:*#>{".contains(&before);
        let monolog = before == b'.' && after == b':';
        if !ends || !(begins || monolog) {
            return None;
        }
        // Hardly any word gets further.
        let (shouted, said) = (shouted(word), said(word));
        if shouted.is_none() && said.is_none() {
            return None;
        }
        let (left, right) = self.around(from, to);
        let enclosed =
            matches!(
                (before, after),
                (b'[', b']') | (b'<', b'>') | (b'|', b'|') | (b'\t', b'\t') | (b':', b']')
            ) || matches!((left, right), (Some(b'|'), Some(b'|')) | (Some(b'-'), Some(b'-')));
        if let Some(level) = shouted {
            let marked = enclosed || b":[!)".contains(&after) || monolog;
            let most = if marked { SENTENCE } else { 1 };
            let sentence = self.words == 1 && !marked && (!self.structure || self.is_of_sentence());
            return (self.words <= most && !sentence && !self.counts(to)).then_some(level);
        }
        let level = said?;
        if word.eq_ignore_ascii_case("fail") && !(from == 0 && after == b':') {
            return None;
        }
        if enclosed && self.words <= SENTENCE {
            // `<error>` is a tag of XML, `<warn> ` a level.
            let tag = before == b'<' && !self.byte(to + 1).is_ascii_whitespace();
            return (!tag && self.bracket != Some(b'(')).then_some(level);
        }
        if self.words == 1 && self.word == "npm" {
            return Some(level);
        }
        // One word may be the name of a host or a logger.
        let named = self.words == 1
            && self.structure
            && !self.is_of_sentence()
            && matches!(left, Some(b':' | b']' | b')' | b'-'));
        if self.words > 0 && !named || self.bracket.is_some() {
            return None;
        }
        // A column of its own: blanks fill it up.
        let column = self.structure && after == b' ' && self.byte(to + 1) == b' ';
        // A place in a file, and what is wrong there.
        let place = left == Some(b':') && self.structure && from > 0 && self.places(from);
        let made = left == Some(b'*') || (left == Some(b']') && self.line.contains("***"));
        let leads = matches!(after, b':' | b'[') && !self.counts(to);
        (column || place || made || leads).then_some(level)
    }

    /// Whether the word before belongs to a sentence and is no name.
    fn is_of_sentence(&self) -> bool {
        self.word.starts_with(char::is_uppercase) || JOINING.contains(&self.word)
    }

    /// Whether nothing but a number or the like follows: `Errors: 0`, `Error: none`.
    fn counts(&self, to: usize) -> bool {
        let rest = self.line[to..].trim_start_matches([':', ' ']).trim_end();
        let word = rest.trim_end_matches(['.', ',', ';', '%']);
        self.byte(to) == b':'
            && (word.bytes().all(|byte| byte.is_ascii_digit()) && !word.is_empty()
                || ["none", "null", "nil", "false", "no", "undefined"]
                    .iter()
                    .any(|none| word.eq_ignore_ascii_case(none)))
    }

    /// Whether what is before a place ends as compilers name a line: `a.c:12:3: `, `a.ts(1,2): `.
    fn places(&self, from: usize) -> bool {
        let before = self.line[..from].trim_end().trim_end_matches(':');
        before.ends_with(|c: char| c.is_ascii_digit() || c == ')')
    }
}

/// After these a level's word is one of a sentence.
const JOINING: [&str; 22] = [
    "no", "an", "the", "any", "with", "without", "of", "not", "if", "as", "for", "got", "on",
    "after", "this", "was", "is", "and", "or", "to", "new", "handle",
];

/// Months, days and the like, which are no words of a sentence.
fn of_time(word: &str) -> bool {
    const TIMES: [&str; 24] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Mon",
        "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "UTC", "GMT", "AM", "PM", "CET",
    ];
    TIMES.contains(&word)
}

/// The levels that are written in capitals.
fn shouted(word: &str) -> Option<Level> {
    Some(match word {
        "TRACE" | "TRC" | "TRCE" | "VERBOSE" | "FINEST" | "FINER" => Level::Trace,
        "DEBUG" | "DBG" | "DBUG" | "DEBU" | "FINE" => Level::Debug,
        "INFO" | "INF" | "NOTICE" | "INFORMATION" | "LOG" => Level::Info,
        "WARN" | "WARNING" | "WRN" => Level::Warn,
        "ERROR" | "ERR" | "EROR" | "ERRO" | "SEVERE" => Level::Error,
        "FATAL" | "FATA" | "FTL" | "PANIC" | "PANI" | "PNC" | "DPANIC" | "CRITICAL" | "CRIT"
        | "ALERT" | "EMERG" | "EMERGENCY" => Level::Fatal,
        _ => return None,
    })
}

/// The levels that are written like other words.
fn said(word: &str) -> Option<Level> {
    let bytes = word.as_bytes();
    if !(3..=13).contains(&bytes.len()) || bytes[1..].iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut small = [0; 13];
    small[..bytes.len()].copy_from_slice(bytes);
    small[0] = small[0].to_ascii_lowercase();
    Some(match &small[..bytes.len()] {
        b"trace" | b"trc" | b"trce" => Level::Trace,
        b"debug" | b"dbg" | b"dbug" | b"debu" => Level::Debug,
        b"info" | b"inf" | b"notice" | b"information" | b"informational" => Level::Info,
        b"warn" | b"warning" | b"wrn" => Level::Warn,
        b"error" | b"err" | b"eror" | b"erro" | b"severe" | b"fail" => Level::Error,
        b"fatal" | b"fata" | b"ftl" | b"panic" | b"pani" | b"pnc" | b"dpanic" | b"critical"
        | b"crit" | b"alert" | b"emerg" | b"emergency" => Level::Fatal,
        _ => return None,
    })
}
