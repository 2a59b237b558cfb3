//! What one answer says.

use crate::connection::status::{Fault, too_large};
use crate::connection::{Failure, Remedy};
use crate::dialect::answer::is_page;
use crate::dialect::{FetchResponse, Incoming};
use crate::model::ACTION_REFUSED;

/// Why an answer was not usable.
pub(in crate::connection) enum Unusable {
    /// The key is not accepted, in the server's words.
    Refused(String),
    /// Anything else.
    Failed(Fault),
}

/// What the pieces of an answer say together, as far as it matters to whether it was usable.
#[derive(Debug, Default)]
pub(in crate::connection) struct Tally {
    refused: Option<String>,
    /// What is odd about the part that is being read.
    odd: Option<String>,
    /// Something was understood of that part.
    useful: bool,
    /// What is odd about a part of which nothing was understood.
    broken: Option<String>,
    /// Something is asked besides.
    follows: bool,
    /// A topic is refused.
    unwatchable: bool,
    /// Anything was said at all.
    any: bool,
    /// It was larger than is read of one answer, in bytes, and its beginning says nothing.
    too_large: Option<usize>,
}

impl Tally {
    pub fn too_large(&mut self, limit: usize) {
        self.too_large = Some(limit);
    }

    /// A part has been read to its end. One of which nothing is understood makes the whole useless:
    /// what it would have said is missing.
    pub fn part_ended(&mut self) {
        let (odd, useful) = (self.odd.take(), std::mem::take(&mut self.useful));
        if self.broken.is_none() && !useful {
            self.broken = odd;
        }
    }

    /// Whether it has been said already that a part is broken.
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    pub fn count(&mut self, incoming: &[Incoming]) {
        for item in incoming {
            self.any = true;
            self.useful |= !matches!(item, Incoming::Unknown(_));
            match item {
                Incoming::Unknown(diagnostic) if self.odd.is_none() => {
                    self.odd = Some(diagnostic.text.clone());
                }
                Incoming::Refused(reason) if self.refused.is_none() => {
                    self.refused = Some(reason.clone());
                }
                Incoming::Follow(_) => self.follows = true,
                Incoming::SubscriptionRejected { .. } => self.unwatchable = true,
                _ => {}
            }
        }
    }
}

/// Whether an answer was usable. A page of HTML with status 200 is none; "not found", or a failure
/// of the server, is one if the dialect understood it so.
pub(in crate::connection) fn classify(
    response: &FetchResponse,
    said: Tally,
) -> Result<(), Unusable> {
    if let Some(refused) = said.refused {
        return Err(Unusable::Refused(refused));
    }
    if let Some(limit) = said.too_large {
        let (reason, remedy) = (too_large(limit), Some(Remedy::Reconnect));
        return Err(Unusable::Failed(Fault { reason, remedy }));
    }
    let status = response.status;
    let wrong = Some(Remedy::SetApiUrl);
    let (reason, remedy) = match (status, said.broken) {
        (429, _) => ("The API asks for a pause: too many requests (HTTP 429).".to_owned(), None),
        // Of a real failure a dialect makes something, if only a diagnostic.
        (500.., _) if !said.any => return Ok(()),
        (500.., _) => (format!("The API answered HTTP {status}."), Some(Remedy::Reconnect)),
        // What is asked instead decides.
        (401 | 403, _) if said.follows => return Ok(()),
        // It is about one topic, and anything else is answered.
        (403, _) if said.unwatchable => return Ok(()),
        (401 | 403, _) => (format!("The API does not allow this (HTTP {status})."), None),
        (_, Some(_)) if is_page(response) => {
            ("The API answered with a web page instead of data.".to_owned(), wrong)
        }
        (404 | 405 | 410, Some(_)) => {
            (format!("The API does not know what was asked for (HTTP {status})."), wrong)
        }
        (_, Some(text)) => (text, wrong),
        (_, None) => return Ok(()),
    };
    Err(Unusable::Failed(Fault { reason, remedy }))
}

/// How an action ended, from its answer.
pub(in crate::connection) fn action_result(
    response: &FetchResponse,
    incoming: &[Incoming],
) -> Result<(), String> {
    // Some servers refuse with status 200 and say so in the body.
    let refused = incoming.iter().find_map(|item| match item {
        Incoming::Unknown(odd) if odd.kind == ACTION_REFUSED => Some(odd.text.clone()),
        _ => None,
    });
    if let Some(refused) = refused {
        return Err(refused);
    }
    let words = incoming.iter().find_map(|item| match item {
        Incoming::Refused(reason) => Some(reason.clone()),
        Incoming::Unknown(diagnostic) => Some(diagnostic.text.clone()),
        _ => None,
    });
    match response.status {
        200..=299 => Ok(()),
        status => Err(words.unwrap_or_else(|| format!("The server answered HTTP {status}."))),
    }
}

/// A redirect to a page for signing in is the answer that servers of APIs give with status 401: it
/// is given to the dialect as such.
///
/// # Errors
/// Any other failure, as it was.
pub fn sign_in_as_unauthorized(
    result: Result<FetchResponse, Failure>,
) -> Result<FetchResponse, Failure> {
    let Err(Failure::SignIn(place)) = result else { return result };
    let words = serde_json::json!({ "message": format!("it asks to sign in at {place}") });
    let content_type = Some("application/json".to_owned());
    Ok(FetchResponse { status: 401, content_type, body: words.to_string().into_bytes() })
}
