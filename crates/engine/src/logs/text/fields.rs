//! Lines that are JSON or logfmt, taken apart.

use jobwatch_core::wire::fields::Fields;

use crate::redact::prefix;

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

/// The JSON that a line consists of, or ends with.
#[must_use]
pub fn json_in(text: &str) -> Option<String> {
    let text = super::plain(text);
    let trimmed = text.trim_end();
    for (at, _) in trimmed.match_indices(['{', '[']).take(8) {
        let rest = &trimmed[at..];
        let whole = serde_json::from_str::<&serde_json::value::RawValue>(rest);
        if whole.is_ok() && rest.len() > 2 {
            return Some(rest.to_owned());
        }
    }
    None
}
