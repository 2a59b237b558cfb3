//! What each server can say about the end of a job, row by row, and what is made of it.

#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod bullmq;
mod kecs;
mod order;
mod triggerx;

use jobwatch_core::dialect::{Dialect, FetchResponse, Frame, Incoming};
use jobwatch_core::model::{Finality, JobPatch, JobState, Topic, Update};
use serde_json::Value;

/// What an answer to a call says of the jobs in it.
fn answered(
    dialect: &mut dyn Dialect,
    call: &'static str,
    args: &[&str],
    body: &Value,
) -> Vec<Incoming> {
    let ask = support::ask(dialect.kind(), Some(&Topic::Everything), call, args);
    let body = body.to_string().into_bytes();
    let response = FetchResponse { status: 200, content_type: None, body };
    dialect.parse(&ask, &response)
}

/// What a frame says of the jobs in it.
fn framed(dialect: &mut dyn Dialect, text: &str) -> Vec<Incoming> {
    dialect.decode(&Frame::Text(text.to_owned()))
}

fn patches(incoming: &[Incoming]) -> Vec<&JobPatch> {
    let patch = |one| match one {
        &Incoming::Update(Update::Job(ref patch)) => Some(&**patch),
        _ => None,
    };
    incoming.iter().filter_map(patch).collect()
}

/// The outcome as a word, with its error; `retry?` behind it where another attempt may follow.
fn outcome(incoming: &[Incoming]) -> String {
    let all = patches(incoming);
    let Some(patch) = all.first() else { return "nothing".to_owned() };
    let mut said = patch.state.as_ref().map_or("unsaid".to_owned(), JobState::word);
    if patch.finality == Finality::MayRetry {
        said += " retry?";
    }
    if let Some(error) = &patch.error {
        said += &format!(": {error}");
    }
    said
}

/// Compares every row and shows all that differ.
fn check<R>(rows: &[(R, &str)], of: impl Fn(&R) -> String)
where
    R: std::fmt::Debug,
{
    let mut wrong = String::new();
    for (row, expected) in rows {
        let said = of(row);
        if said != *expected {
            wrong += &format!("{row:?}\n  said   {said}\n  wanted {expected}\n");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
