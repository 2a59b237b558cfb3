//! Errors that are the body of an answer: JSON, a web page, XML.

use serde_json::{Map, Value};

use super::within;

/// Where objects keep what they have to say, the fullest first.
const MESSAGES: [&str; 14] = [
    "message",
    "errormessage",
    "error_description",
    "detail",
    "errormsg",
    "msg",
    "description",
    "reason",
    "failedreason",
    "error",
    "err",
    "exception",
    "title",
    "text",
];

/// Where they keep several, or what is behind it.
const INNER: [&str; 8] =
    ["errors", "details", "issues", "violations", "cause", "causes", "inner", "innererror"];

/// What the body says; `None` where the text is none, or says nothing that can be recognised.
pub(super) fn message(text: &str, depth: u8) -> Option<String> {
    let text = text.trim();
    if text.starts_with(['{', '[', '"']) {
        let value: Value = serde_json::from_str(text).ok()?;
        // An object without words is shown as it is, on one line.
        return said(&value, depth).or_else(|| has_words(&value).then(|| text.to_owned()));
    }
    let head: String = text.chars().take(32).flat_map(char::to_lowercase).collect();
    let is_page = ["<!doctype", "<html", "<head", "<body", "<?xml", "<error", "<fault", "<soap"]
        .iter()
        .any(|begin| head.starts_with(begin));
    if is_page { page(text) } else { None }
}

/// Text that begins with `line` and goes on with JSON, as `line` with what the JSON says.
pub(super) fn after_prefix(line: &str, text: &str, depth: u8) -> Option<String> {
    let opens = line.find(['{', '['])?;
    let prefix = line[..opens].trim_end();
    // The line as it stands in the text, where the JSON may go on after it.
    let first_word = prefix.split_whitespace().next().unwrap_or(&line[opens..=opens]);
    let begin = text.find(first_word)?;
    let opens = begin + text[begin..].find(['{', '['])?;
    let mut values = serde_json::Deserializer::from_str(&text[opens..]).into_iter::<Value>();
    let value = values.next()?.ok()?;
    let said = said(&value, depth).filter(|_| has_words(&value))?;
    let prefix = prefix.trim_end_matches([':', '-', ' ']);
    if prefix.is_empty() { Some(said) } else { Some(format!("{prefix}: {said}")) }
}

/// Whether a value names something, as opposed to `[5]` in a sentence.
fn has_words(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(all) => all.iter().any(|one| one.is_object()),
        _ => false,
    }
}

fn said(value: &Value, depth: u8) -> Option<String> {
    let deeper = depth.checked_sub(1)?;
    match value {
        Value::String(text) => Some(within(text, deeper)).filter(|line| !line.is_empty()),
        Value::Array(all) => {
            let mut said = all.iter().filter_map(|one| said(one, deeper));
            let first = said.next()?;
            let rest: Vec<String> = said.collect();
            // A list of sentences is read whole; of objects, the first stands for them.
            Some(match rest.len() {
                0 => first,
                _ if all.iter().all(Value::is_string) => format!("{first}; {}", rest.join("; ")),
                more => format!("{first} (+{more} more)"),
            })
        }
        Value::Object(fields) => object(fields, deeper),
        _ => None,
    }
}

fn object(fields: &Map<String, Value>, depth: u8) -> Option<String> {
    let named = |names: &[&str]| {
        names.iter().find_map(|name| {
            let mut all = fields.iter();
            let (_, value) = all.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
            said(value, depth)
        })
    };
    let message = named(&MESSAGES);
    let inner = named(&INNER).or_else(|| {
        // By the field that is wrong: `{"errors":{"price":["must be positive"]}}`.
        let (_, errors) = fields.iter().find(|(key, _)| key.eq_ignore_ascii_case("errors"))?;
        let mut all = errors.as_object()?.iter();
        all.find_map(|(field, value)| Some(format!("{field}: {}", said(value, depth)?)))
    });
    let line = match (message, inner) {
        (Some(message), Some(inner)) if message.contains(&inner) => message,
        (Some(message), Some(inner)) => {
            format!("{}: {inner}", message.trim_end_matches(['.', ':', ' ']))
        }
        (message, inner) => message.or(inner)?,
    };
    // Which field of the request is meant.
    let place = ["field", "path", "property", "param", "loc"].iter().find_map(|name| match fields
        .get(*name)?
    {
        Value::String(place) => Some(place.clone()),
        Value::Array(parts) => {
            let parts = parts.iter().map(|part| match part {
                Value::String(part) => part.clone(),
                part => part.to_string(),
            });
            Some(parts.collect::<Vec<_>>().join("."))
        }
        _ => None,
    });
    Some(match place.filter(|place| !place.is_empty() && !line.contains(place.as_str())) {
        Some(place) if !place.starts_with('/') => format!("{place}: {line}"),
        _ => line,
    })
}

/// What a page of a proxy or a framework says: XML's message, the title, the first heading, or all
/// of its text.
fn page(text: &str) -> Option<String> {
    let elements = ["message", "faultstring", "pre", "title", "h1"];
    let said = elements.iter().find_map(|name| {
        let inner = element(text, name)?;
        let first = inner.split("<br").next().unwrap_or(inner);
        let words = without_tags(first);
        (!words.trim().is_empty()).then_some(words)
    });
    said.or_else(|| Some(without_tags(text)).filter(|words| !words.trim().is_empty()))
}

/// What stands within the first element of a name.
fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let lower = text.to_ascii_lowercase();
    let open = format!("<{name}");
    let mut from = 0;
    loop {
        let at = from + lower.get(from..)?.find(&open)? + open.len();
        from = at;
        if !lower[at..].starts_with(['>', ' ', '\n', '\t']) {
            continue;
        }
        let begin = at + lower[at..].find('>')? + 1;
        let end = lower[begin..].find(&format!("</{name}")).map_or(text.len(), |n| begin + n);
        return Some(&text[begin..end]);
    }
}

fn without_tags(text: &str) -> String {
    let (mut out, mut within) = (String::new(), false);
    for c in text.chars() {
        match c {
            '<' => {
                within = true;
                out.push(' ');
            }
            '>' => within = false,
            c if !within => out.push(c),
            _ => {}
        }
    }
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", " "),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(out, |text, (entity, plain)| text.replace(entity, plain))
}
