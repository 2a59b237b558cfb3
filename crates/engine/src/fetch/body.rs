//! The body of an answer, read up to a bound, and in parts where it is a long list.

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use jobwatch_core::connection::{Failure, MAX_REUSED};
use jobwatch_core::dialect::FetchResponse;
use jobwatch_core::wire::json::HEAD;
use jobwatch_core::wire::parts::Splitter;
use tokio::time::timeout;
use url::Url;

use super::{READ_TIMEOUT, failure};
use crate::redact::Redactor;

/// A list that is longer than this is handed over in parts: a shorter one is shared by all who ask for
/// the same.
const MAX_WHOLE: usize = MAX_REUSED;
/// How large the parts after the first are.
const PART: usize = 256 << 10;

/// Takes a part of a long list as it comes in, the first with what time it is on the server; ready
/// when there is room for the next.
pub(crate) type TakePart<'a> =
    &'a (dyn Fn(FetchResponse, Option<Timestamp>) -> BoxFuture<'static, ()> + Send + Sync);

/// What is to be known of the whole of an answer that came in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InParts {
    /// The beginning of its body, at most [`HEAD`] bytes.
    pub head: Vec<u8>,
    /// How many bytes its body had.
    pub bytes: usize,
}

/// Reads at most `limit` bytes of `response`, and whether that is all of it.
pub(crate) async fn read_up_to(
    mut response: reqwest::Response,
    limit: usize,
    url: &Url,
    redactor: &Redactor,
) -> Result<(Vec<u8>, bool), Failure> {
    let length = response.content_length().and_then(|length| usize::try_from(length).ok());
    // Room for all of it at once, where that is known: growing would copy it again and again.
    let mut body = Vec::with_capacity(length.unwrap_or(0).min(limit));
    loop {
        let chunk = timeout(READ_TIMEOUT, response.chunk())
            .await
            .map_err(|_| Failure::Timeout(READ_TIMEOUT))?
            .map_err(|error| failure(&error, url, redactor))?;
        let Some(chunk) = chunk else { return Ok((body, true)) };
        let room = limit - body.len();
        if chunk.len() > room {
            body.extend_from_slice(&chunk[..room]);
            return Ok((body, false));
        }
        body.extend_from_slice(&chunk);
    }
}

/// Whether a list in this charset can be cut between its rows.
pub(super) fn is_utf_8(charset: Option<&str>) -> bool {
    charset.is_none_or(|charset| ["utf-8", "utf8", "us-ascii"].contains(&charset))
}

/// Where the parts of a list go.
pub(super) struct Parts<'a> {
    pub take: &'a (dyn Fn(Vec<u8>) -> BoxFuture<'static, ()> + Send + Sync),
    pub came: InParts,
}

/// As [`read_up_to`], for the last part of a long list: the others are handed over as they come in.
pub(super) async fn read_parts(
    mut response: reqwest::Response,
    limit: usize,
    url: &Url,
    redactor: &Redactor,
    parts: &mut Parts<'_>,
) -> Result<(Vec<u8>, bool), Failure> {
    let mut splitter = Splitter::new(MAX_WHOLE, PART);
    let mut head = Vec::new();
    let mut bytes = 0;
    loop {
        let chunk = timeout(READ_TIMEOUT, response.chunk())
            .await
            .map_err(|_| Failure::Timeout(READ_TIMEOUT))?
            .map_err(|error| failure(&error, url, redactor))?;
        let Some(chunk) = chunk else { return Ok((splitter.rest(), true)) };
        let taken = &chunk[..chunk.len().min(limit - bytes)];
        bytes += taken.len();
        head.extend_from_slice(&taken[..taken.len().min(HEAD - head.len())]);
        if let Some(part) = splitter.push(taken) {
            parts.came.head.clone_from(&head);
            (parts.take)(part).await;
        }
        if !parts.came.head.is_empty() {
            parts.came.bytes = bytes;
        }
        if taken.len() < chunk.len() {
            return Ok((splitter.rest(), false));
        }
    }
}
