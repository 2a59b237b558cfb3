//! Reads once more, mended, what a dialect cannot read.
//!
//! Dialects read JSON as its standard has it, which is fast. Only what they do not understand is
//! looked at again: see [`crate::wire::repair`].

use super::answer::accepted;
use super::{Ask, Dialect, FetchResponse, Frame, Incoming, ReadMark};
use crate::wire::repair::repaired;

/// Of a first reading that says more than this nothing is kept beside the second.
const COMPARED: usize = 200;

/// What a frame means to a dialect.
pub fn decode(dialect: &mut dyn Dialect, frame: &Frame) -> Vec<Incoming> {
    let incoming = dialect.decode(frame);
    if !unread(&incoming) {
        return incoming;
    }
    let mended = match frame {
        Frame::Text(text) => repaired(text),
        Frame::Binary(_) | Frame::Ping | Frame::Pong => None,
    };
    match mended {
        Some(mended) => joined(incoming, dialect.decode(&Frame::Text(mended))),
        None => incoming,
    }
}

/// What an answer means to a dialect.
pub fn parse(dialect: &mut dyn Dialect, ask: &Ask, response: &FetchResponse) -> Vec<Incoming> {
    if !accepted(response) {
        // An error's words are short, and a dialect would take what it cannot read for words.
        return dialect.parse(ask, mended(response).as_ref().unwrap_or(response));
    }
    read_again(response, |response| dialect.parse(ask, response)).0
}

/// What the next piece of an answer means to a dialect, and the answer of which all further pieces
/// are, where this one had to be mended.
pub(super) fn parse_piece(
    dialect: &mut dyn Dialect,
    ask: &Ask,
    response: &FetchResponse,
    read: &mut ReadMark,
) -> (Vec<Incoming>, Option<FetchResponse>) {
    if read.rest.is_some() {
        // What is no JSON shows with the first piece.
        return (dialect.parse_piece(ask, response, read), None);
    }
    if !accepted(response) {
        read.done = true;
        return (parse(dialect, ask, response), None);
    }
    let before = read.clone();
    read_again(response, |response| {
        read.clone_from(&before);
        dialect.parse_piece(ask, response, read)
    })
}

/// What `read` makes of an answer, and of the mended one, which is answered as well, where it cannot
/// read something.
fn read_again(
    response: &FetchResponse,
    mut read: impl FnMut(&FetchResponse) -> Vec<Incoming>,
) -> (Vec<Incoming>, Option<FetchResponse>) {
    let first = read(response);
    if !unread(&first) {
        return (first, None);
    }
    match mended(response) {
        Some(mended) => (joined(first, read(&mended)), Some(mended)),
        None => (first, None),
    }
}

fn mended(response: &FetchResponse) -> Option<FetchResponse> {
    let body = repaired(&String::from_utf8_lossy(&response.body))?.into_bytes();
    let (status, content_type) = (response.status, response.content_type.clone());
    Some(FetchResponse { status, content_type, body })
}

/// Both readings as one. The first may have said what is said only once, such as that the server
/// has greeted; what both say is said once.
fn joined(mut first: Vec<Incoming>, mut second: Vec<Incoming>) -> Vec<Incoming> {
    first.retain(|item| !is_unread(item));
    // Comparing each with each would take long for a long list, which says nothing only once.
    if first.len() > COMPARED {
        return second;
    }
    second.retain(|item| !first.contains(item));
    first.append(&mut second);
    first
}

/// Whether something in it could not be read as what it should be.
fn unread(incoming: &[Incoming]) -> bool {
    incoming.iter().any(is_unread)
}

fn is_unread(item: &Incoming) -> bool {
    match item {
        Incoming::Unknown(odd) => matches!(odd.kind, "wrong-shape" | "bad-json" | "unknown-frame"),
        _ => false,
    }
}
