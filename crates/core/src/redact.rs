//! Removing a server's key from text that is shown, logged or stored.

use std::ops::Range;

use memchr::memmem;
use url::Url;

use crate::model::Json;
use crate::secret::{Credentials, REDACTED, Secret, names_secret};
use crate::server::Server;

/// At most this much of a server's words is told in a sentence, in bytes.
pub const WORDS: usize = 1_000;
/// A shorter part of an address is no secret worth the name, and would be found everywhere.
const SHORTEST: usize = 4;
/// Bytes that one character takes at most when it is escaped, also twice.
const ESCAPED: usize = 20;

/// Finds one server's keys, however they are written: as they are, as JSON writes them (also inside
/// a string of JSON, and with the escapes that only some encoders make), percent-encoded, or as
/// HTML writes them. Prepared once, since every frame passes through.
#[derive(Clone, Default)]
pub struct Redactor {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    secret: Secret,
    /// Its longest run of letters and digits, which are written as they are everywhere.
    anchor: Range<usize>,
    /// Bytes it takes at most.
    longest: usize,
}

impl Redactor {
    /// For `key`.
    #[must_use]
    pub fn new(key: Option<&Secret>) -> Redactor {
        let mut redactor = Redactor::default();
        if let Some(key) = key {
            redactor.add(key);
        }
        redactor
    }

    /// For `key` and what a server's addresses hold of secrets.
    #[must_use]
    pub fn of(server: &Server, key: Option<&Secret>) -> Redactor {
        let mut redactor = Redactor::new(key);
        let addresses = [Some(&server.ws), server.api.as_ref()];
        for address in addresses.into_iter().flatten().chain(server.options.values()) {
            for secret in secrets_in(address) {
                redactor.add(&secret);
            }
        }
        redactor
    }

    /// Removes `key` as well from now on: a replaced key must not come to light either. Answers
    /// whether that is new.
    pub fn add(&mut self, key: &Secret) -> bool {
        let parts = Credentials::read(key);
        if parts.headers.is_empty() {
            return self.add_one(key);
        }
        let values = parts.key.iter().chain(parts.headers.iter().map(|(_, value)| value));
        let fresh = values.filter(|part| part.expose().len() >= SHORTEST);
        fresh.map(|part| self.add_one(part)).fold(false, |any, new| any | new)
    }

    fn add_one(&mut self, key: &Secret) -> bool {
        let text = key.expose();
        if text.is_empty() || self.keys.iter().any(|known| known.secret == *key) {
            return false;
        }
        let mut anchor = 0..0;
        let mut from = 0;
        for run in text.split(|c: char| !c.is_ascii_alphanumeric()) {
            // The slice's place in the whole.
            from = text[from..].find(run).map_or(from, |at| from + at);
            if run.len() > anchor.len() {
                anchor = from..from + run.len();
            }
            from += run.len();
        }
        let longest = text.chars().map(longest).sum();
        self.keys.push(Key { secret: key.clone(), anchor, longest });
        // The longer first: where one key begins another, removing the shorter would leave the
        // rest of the longer.
        self.keys.sort_by_key(|key| std::cmp::Reverse(key.secret.expose().len()));
        true
    }

    /// Removes what `other` removes as well from now on.
    pub fn extend(&mut self, other: &Redactor) {
        for key in &other.keys {
            self.add(&key.secret);
        }
    }

    /// `text` without the key.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        self.cleaned(text).unwrap_or_else(|| text.to_owned())
    }

    /// As [`Redactor::clean`]; `None` where there is nothing to remove.
    fn cleaned(&self, text: &str) -> Option<String> {
        let mut clean = None::<String>;
        for key in &self.keys {
            let current = clean.as_deref().unwrap_or(text);
            let mut rest = 0;
            let mut without = String::new();
            while let Some(found) = key.find(current, rest) {
                without.push_str(&current[rest..found.start]);
                without.push_str(REDACTED);
                rest = found.end;
            }
            if rest > 0 {
                without.push_str(&current[rest..]);
                clean = Some(without);
            }
        }
        clean
    }

    /// Removes the key from `text`; costs a search where it is not there.
    pub fn clean_in_place(&self, text: &mut String) {
        if self.finds(text) {
            *text = self.clean(text);
        }
    }

    /// Whether the key is in `text`.
    #[must_use]
    pub fn finds(&self, text: &str) -> bool {
        self.keys.iter().any(|key| key.find(text, 0).is_some())
    }

    /// Removes the key from JSON; what is no JSON any more without it becomes a JSON string.
    pub fn clean_json(&self, json: &mut Json) {
        if self.finds(json.as_str()) {
            let clean = self.clean(json.as_str());
            *json = Json::parse(&clean)
                .unwrap_or_else(|| Json::from(&serde_json::Value::String(clean)));
        }
    }

    /// At most the first `limit` bytes of `text`, cut at a character, without the key. Only a
    /// bounded part of `text` is looked at, and what the end of that part may hold of a key is
    /// removed: the result may be shorter than `limit`.
    #[must_use]
    pub fn clean_prefix(&self, text: &str, limit: usize) -> String {
        let mut clean = String::new();
        self.clean_prefix_into(text, limit, &mut clean);
        clean
    }

    /// As [`Redactor::clean_prefix`] for bytes that may be text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn clean_head(&self, bytes: &[u8], limit: usize) -> String {
        // A byte more than is looked at, so that the cut is noticed, and the rest of a character.
        let enough = limit.saturating_add(self.longest()).saturating_add(4);
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(enough)]);
        self.clean_prefix(&text, limit)
    }

    /// Bytes that the longest key takes at most.
    fn longest(&self) -> usize {
        self.keys.iter().map(|key| key.longest).max().unwrap_or(0)
    }

    /// As [`Redactor::clean_prefix`], in the place of what was in `into`.
    pub fn clean_prefix_into(&self, text: &str, limit: usize, into: &mut String) {
        let longest = self.longest();
        let part = prefix(text, limit.saturating_add(longest));
        let cleaned = self.cleaned(part);
        let mut clean = cleaned.as_deref().unwrap_or(part);
        if part.len() < text.len() {
            // Removing whole keys has moved the beginning of a split one towards the front, but it
            // still is at the end and shorter than a key.
            clean = prefix(clean, clean.len().saturating_sub(longest));
        }
        into.clear();
        into.push_str(prefix(clean, limit));
    }
}

impl Key {
    /// The first place of the key in `text` at or after `from`.
    fn find(&self, text: &str, from: usize) -> Option<Range<usize>> {
        let (secret, bytes) = (self.secret.expose(), text.as_bytes());
        let (before, after) = (&secret[..self.anchor.start], &secret[self.anchor.end..]);
        if self.anchor.is_empty() {
            let starts = (from..text.len()).filter(|start| text.is_char_boundary(*start));
            return starts
                .into_iter()
                .find_map(|start| written(bytes, start, secret).map(|end| start..end));
        }
        let room: usize = before.chars().map(longest).sum();
        let anchor = &bytes_of(secret)[self.anchor.clone()];
        let finder = memmem::Finder::new(anchor);
        let mut next = from;
        // Each occurrence, overlapping ones as well: the digits of an escape before the anchor may
        // look like its beginning, as in `%2777` for `'77`.
        let mut occurrences = std::iter::from_fn(|| {
            let at = next + finder.find(bytes.get(next..)?)?;
            next = at + 1;
            Some(at)
        });
        occurrences.find_map(|at| {
            let end = written(bytes, at + anchor.len(), after)?;
            let starts = at.saturating_sub(room).max(from)..=at;
            let mut starts = starts.filter(|start| text.is_char_boundary(*start));
            let start = starts.find(|start| written(bytes, *start, before) == Some(at))?;
            Some(start..end)
        })
    }
}

fn bytes_of(text: &str) -> &[u8] {
    text.as_bytes()
}

/// Bytes that a character takes at most, however it is written.
fn longest(char: char) -> usize {
    if char.is_ascii_alphanumeric() { 1 } else { ESCAPED }
}

/// Where `wanted` ends, if it is what is written at `at`.
fn written(text: &[u8], mut at: usize, wanted: &str) -> Option<usize> {
    let mut rest = wanted.chars();
    while let Some(char) = rest.next() {
        if char == '\\' {
            // Doubled each time that it was put into a string; of several in a row, the last may
            // begin the escape of what follows.
            let others = rest.as_str().trim_start_matches('\\');
            let wanted = 1 + rest.as_str().len() - others.len();
            let found = backslashes(text, at);
            let end = (wanted..=found).rev().find_map(|run| written(text, at + run, others));
            if end.is_some() {
                return end;
            }
        }
        match (escaped(text, at, char), plain(text, at, char)) {
            (None, None) => return None,
            (Some(end), None) | (None, Some(end)) => at = end,
            // A sign that both stands for itself and begins an escape of itself.
            (Some(escaped), Some(plain)) => {
                return written(text, escaped, rest.as_str())
                    .or_else(|| written(text, plain, rest.as_str()));
            }
        }
    }
    Some(at)
}

/// Where `char` ends, written as it is.
fn plain(text: &[u8], at: usize, char: char) -> Option<usize> {
    let mut utf8 = [0; 4];
    let utf8 = char.encode_utf8(&mut utf8).as_bytes();
    text.get(at..)?.starts_with(utf8).then_some(at + utf8.len())
}

/// Where `char` ends, written as an escape.
fn escaped(text: &[u8], at: usize, char: char) -> Option<usize> {
    if char.is_ascii_alphanumeric() {
        return None;
    }
    match text.get(at)? {
        b'\\' => {
            let after = at + backslashes(text, at);
            if char != '\\'
                && let Some(end) = plain(text, after, char)
            {
                return Some(end);
            }
            let mut units = [0; 2];
            let mut at = at;
            for unit in char.encode_utf16(&mut units) {
                let run = backslashes(text, at);
                let digits = text.get(at + run + 1..at + run + 5)?;
                if run == 0 || text[at + run] != b'u' || hex(digits)? != u32::from(*unit) {
                    return None;
                }
                at += run + 5;
            }
            Some(at)
        }
        b'%' => {
            let mut utf8 = [0; 4];
            let mut at = at;
            for byte in char.encode_utf8(&mut utf8).bytes() {
                if *text.get(at)? != b'%' {
                    return None;
                }
                at += 1;
                // The sign itself may have been encoded again.
                while byte != b'%' && text.get(at..)?.starts_with(b"25") {
                    at += 2;
                }
                let found = hex(text.get(at..at + 2)?)?;
                // A space may have become a plus sign before it was encoded again.
                if found != u32::from(byte) && !(byte == b' ' && found == u32::from(b'+')) {
                    return None;
                }
                at += 2;
            }
            Some(at)
        }
        b'+' if char == ' ' => Some(at + 1),
        b'&' => {
            let name = &text[at + 1..(at + 10).min(text.len())];
            let name = &name[..name.iter().position(|byte| *byte == b';')?];
            let means = match name {
                b"amp" => u32::from('&'),
                b"lt" => u32::from('<'),
                b"gt" => u32::from('>'),
                b"quot" => u32::from('"'),
                b"apos" => u32::from('\''),
                [b'#', b'x' | b'X', digits @ ..] => hex(digits)?,
                [b'#', digits @ ..] => std::str::from_utf8(digits).ok()?.parse().ok()?,
                _ => return None,
            };
            (means == u32::from(char)).then_some(at + name.len() + 2)
        }
        _ => None,
    }
}

/// How many backslashes stand at `at`.
fn backslashes(text: &[u8], at: usize) -> usize {
    text[at.min(text.len())..].iter().take_while(|byte| **byte == b'\\').count()
}

/// Digits in either case.
fn hex(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok()?;
    let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if all { u32::from_str_radix(digits, 16).ok() } else { None }
}

/// What an address holds of secrets: a password, a user name that stands alone and may be a token,
/// and the values of query parameters that usually carry a key.
fn secrets_in(address: &str) -> Vec<Secret> {
    let Ok(url) = Url::parse(address).or_else(|_| Url::parse(&format!("wss://{address}"))) else {
        return Vec::new();
    };
    let user = url.password().unwrap_or(url.username());
    // Decoded as a form's value, in which a plus sign would be a space.
    let user = format!("x={}", user.replace('+', "%2B"));
    let user = url::form_urlencoded::parse(user.as_bytes()).map(|(_, value)| value.into_owned());
    let query = url.query_pairs().filter(|(name, _)| names_secret(name));
    let query = query.map(|(_, value)| value.into_owned());
    user.chain(query).filter(|text| text.len() >= SHORTEST).map(Secret::new).collect()
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({})", self.keys.len())
    }
}

/// At most the first `limit` bytes of `text`, cut at a character.
#[must_use]
pub fn prefix(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests;
