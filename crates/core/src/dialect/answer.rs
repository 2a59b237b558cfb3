//! What all dialects do alike with HTTP answers and with frames that are not what they should be.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{Ask, FetchResponse, Frame, Incoming};
use crate::model::Diagnostic;
use crate::wire::fields::{Fields, elements};
use crate::wire::json;

/// The body as text; invalid UTF-8 is replaced.
#[must_use]
pub fn body(response: &FetchResponse) -> Cow<'_, str> {
    String::from_utf8_lossy(&response.body)
}

/// Whether the status says that the request was performed.
#[must_use]
pub fn accepted(response: &FetchResponse) -> bool {
    (200..300).contains(&response.status)
}

/// Whether the answer is a web page: a login form, a proxy's error, a wrong address.
#[must_use]
pub fn is_page(response: &FetchResponse) -> bool {
    response.content_type.as_deref() == Some("text/html")
        || response.body.trim_ascii_start().starts_with(b"<")
}

/// The server's own words about a failure, or the status alone where it has none for people.
#[must_use]
pub fn message(response: &FetchResponse) -> String {
    let text = body(response);
    let said = match Fields::parse(text.trim()) {
        Some(fields) => ["message", "error", "reason", "detail", "__type"]
            .iter()
            .find_map(|name| fields.string(name))
            .map(|said| validation(&said).unwrap_or(said)),
        None if is_page(response) => None,
        None => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
    };
    match said {
        Some(said) => format!("HTTP {}: {}", response.status, json::head(&said)),
        None => format!("HTTP {}", response.status),
    }
}

/// Validators may put a JSON list of complaints into the error's text.
fn validation(said: &str) -> Option<String> {
    let raw: &RawValue = serde_json::from_str(said).ok()?;
    let complaints: Vec<String> = elements(raw)
        .into_iter()
        .filter_map(Fields::of)
        .filter_map(|complaint| {
            let message = complaint.string("message")?;
            let path: Vec<String> = complaint
                .array("path")
                .into_iter()
                .filter_map(|part| json::text_of(part).map(Cow::into_owned))
                .collect();
            Some(if path.is_empty() { message } else { format!("{}: {message}", path.join(".")) })
        })
        .collect();
    (!complaints.is_empty()).then(|| complaints.join("; "))
}

/// An answer that is an error of the server or of the request.
#[must_use]
pub fn failed(ask: &Ask, response: &FetchResponse) -> Incoming {
    Incoming::Unknown(Diagnostic {
        kind: "http-error",
        text: format!(
            "The server answered the call \"{}\" with {}.",
            ask.name(),
            message(response)
        ),
        sample: Some(json::head(body(response).trim()).to_owned()),
    })
}

/// An answer of good status whose body is not what the call promises.
#[must_use]
pub fn misshapen(ask: &Ask, response: &FetchResponse) -> Incoming {
    let what = if is_page(response) { "a web page" } else { "something unreadable" };
    Incoming::Unknown(Diagnostic {
        kind: "wrong-shape",
        text: format!(
            "The server answered the call \"{}\" with {what} instead of data.",
            ask.name()
        ),
        sample: Some(json::head(body(response).trim()).to_owned()),
    })
}

/// An answer that says the key is not accepted.
#[must_use]
pub fn refused(response: &FetchResponse) -> Incoming {
    Incoming::Refused(message(response))
}

/// A diagnostic about what was received, with its beginning.
#[must_use]
pub fn diagnostic(kind: &'static str, text: impl Into<String>, received: &str) -> Incoming {
    Incoming::Unknown(Diagnostic {
        kind,
        text: text.into(),
        sample: Some(json::head(received.trim()).to_owned()),
    })
}

/// The text of a data frame; `None` for control frames. Servers of raw JSON send text, but the
/// same bytes in a binary frame mean the same.
#[must_use]
pub fn text(frame: &Frame) -> Option<Cow<'_, str>> {
    match frame {
        Frame::Text(text) => Some(Cow::Borrowed(text)),
        Frame::Binary(bytes) => Some(String::from_utf8_lossy(bytes)),
        Frame::Ping | Frame::Pong => None,
    }
}

/// Reads the JSON objects of a text frame: normally one, but servers written in Go may join
/// several with newlines. `read` is given each object and its text; what is no object or not JSON
/// becomes a diagnostic.
pub fn each_object(
    text: &str,
    mut read: impl FnMut(&Fields<'_>, &str) -> Vec<Incoming>,
) -> Vec<Incoming> {
    if let Some(fields) = Fields::parse(text) {
        return read(&fields, text);
    }
    let mut all = Vec::new();
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let mut end = 0;
    while let Some(value) = values.next() {
        match value {
            Ok(value) => {
                match Fields::of(value) {
                    Some(fields) => all.extend(read(&fields, value.get())),
                    None => all.push(diagnostic(
                        "wrong-shape",
                        "A frame is not an object.",
                        value.get(),
                    )),
                }
                end = values.byte_offset();
            }
            Err(error) => {
                let rest = text.get(end..).unwrap_or(text);
                all.push(diagnostic("bad-json", format!("A frame is not JSON: {error}."), rest));
                break;
            }
        }
    }
    all
}
