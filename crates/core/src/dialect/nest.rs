//! What the two NestJS and BullMQ servers (Study Buddy, the analyzer) share over HTTP: error
//! bodies, status codes, state words.

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::endpoint::Endpoint;
use super::socketio_session::diagnostic;
use super::{FetchResponse, Incoming};
use crate::headline::says_nothing;
use crate::model::{FailedAttempt, JobPatch, JobState, Json};
use crate::wire::fields::Fields;
use crate::wire::json;

/// What an HTTP answer is, before anybody looks into its body.
#[derive(Debug)]
pub enum Answer<'a> {
    /// Success with a JSON body.
    Json(&'a str),
    /// 404 or 410 from the application itself: the thing asked for does not exist.
    Missing,
    /// 403, with the server's words.
    Forbidden(String),
    /// 401, with the server's words.
    Refused(String),
    /// Anything else, as a diagnostic.
    Odd(Box<Incoming>),
}

/// Sorts an answer by status and body.
#[must_use]
pub fn answer<'a>(response: &'a FetchResponse, endpoint: &Endpoint) -> Answer<'a> {
    let status = response.status;
    let text = std::str::from_utf8(&response.body).ok();
    let json = text.filter(|text| json::is_json(text));
    let said = json.and_then(message).map(|message| endpoint.redactor().clean(&message));
    let odd = |kind, words: String| Answer::Odd(Box::new(diagnostic(kind, &words, text, endpoint)));
    match status {
        200..=299 => match json {
            Some(json) => Answer::Json(json),
            None => odd("bad-json", format!("HTTP {status} with a body that is not JSON.")),
        },
        401 => Answer::Refused(said.unwrap_or_else(|| "HTTP 401".to_owned())),
        403 => Answer::Forbidden(said.unwrap_or_else(|| "HTTP 403".to_owned())),
        // A proxy's page or the router's "Cannot GET /x" says that the base is wrong, not that the
        // job is gone.
        404 | 410 if json.is_some() && !said.as_deref().is_some_and(no_route) => Answer::Missing,
        429 => odd("http-error", "HTTP 429: the server limits the rate of requests.".to_owned()),
        _ => {
            let words = said.map(|said| format!(": {said}")).unwrap_or_default();
            odd("http-error", format!("HTTP {status}{words}."))
        }
    }
}

fn no_route(message: &str) -> bool {
    message.starts_with("Cannot GET") || message.starts_with("Cannot DELETE")
}

/// The words of an error body: `message` is a string or a list of strings.
#[must_use]
pub fn message(body: &str) -> Option<String> {
    let fields = Fields::leading(body)?;
    fields.string("message").or_else(|| {
        let list: Vec<String> =
            fields.array("message").into_iter().filter_map(json::id_of).collect();
        (!list.is_empty()).then(|| list.join("; "))
    })
}

/// Calls `take` with every field that is not `null` of the object that `text` begins with. `None`
/// when it begins with none.
pub fn each<'a>(text: &'a str, mut take: impl FnMut(&str, &'a RawValue)) -> Option<()> {
    let fields = Fields::leading(text)?;
    fields.iter().for_each(|(name, raw)| take(name, raw));
    Some(())
}

/// Keeps a field without a canonical place.
pub fn keep(patch: &mut JobPatch, name: &str, raw: &RawValue) {
    patch.extra.insert(name.to_owned(), Json::from(raw));
}

/// A number from zero up, its fraction cut off.
#[must_use]
pub fn whole(raw: &RawValue) -> Option<u64> {
    json::number_of(raw).filter(|number| (0.0..9e15).contains(number)).map(|number| number as u64)
}

/// The canonical state of a word that BullMQ, its database mirror or a gateway uses.
pub use super::job_state;

/// Takes over reported progress, whatever its shape.
pub use super::progress::set as set_progress;

/// The text of an error, unless it is one of the texts that programs print instead of an error.
#[must_use]
pub fn useful_error(raw: &RawValue) -> Option<String> {
    json::id_of(raw).filter(|text| !says_nothing(text) && text.trim() != "Unknown error")
}

/// The failed attempt that BullMQ's fields remember of a job that has not failed.
#[must_use]
pub fn failed_before(at: Option<Timestamp>, error: Option<String>) -> Option<Box<FailedAttempt>> {
    (at.is_some() || error.is_some()).then(|| Box::new(FailedAttempt { at, error }))
}

/// Which attempt ended, where the server counts the attempts made. While a job is on its way some
/// versions of BullMQ have counted the attempt under way and some have not, so the number then says
/// nothing.
#[must_use]
pub fn attempt(made: Option<u32>, state: Option<&JobState>) -> Option<u32> {
    made.filter(|made| *made > 0 && state.is_some_and(JobState::terminal))
}
