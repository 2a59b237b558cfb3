//! Explains on stderr why a command is still waiting for its server.

use std::convert::Infallible;
use std::time::Duration;

use jobwatch_core::connection::{ConnectionState, Status};
use tokio::sync::watch;

use super::text;
use super::wait::Seen;

/// How long to wait before the first explanation.
const QUIET_PERIOD: Duration = Duration::from_secs(5);

/// The most reasons to print; a longer list helps nobody.
const MAX_REASONS: usize = 8;

/// A connection state as the end of a sentence that starts with the server's name.
#[must_use]
pub fn describe(status: &Status) -> &'static str {
    match status.state {
        ConnectionState::Live | ConnectionState::Polling => "is connected",
        ConnectionState::Partly => "is only partly connected",
        ConnectionState::Connecting => "is still connecting",
        ConnectionState::Offline => "cannot be reached",
        ConnectionState::Refused => "rejects the key",
        ConnectionState::Paused => "is paused",
    }
}

/// Prints to stderr why `server` has not returned the job yet, each reason once, until something is
/// known about the job. Never returns.
pub async fn report(server: &str, mut seen: watch::Receiver<Seen>) -> Infallible {
    tokio::time::sleep(QUIET_PERIOD).await;
    let mut told = Vec::new();
    loop {
        let reason = {
            let now = seen.borrow_and_update();
            match &now.status {
                Some(status) if now.job.is_none() && !now.listed => {
                    status.reason.as_ref().map(|reason| (describe(status), reason.clone()))
                }
                _ => None,
            }
        };
        if let Some((stands, reason)) = reason
            && told.len() < MAX_REASONS
            && !told.contains(&reason)
        {
            crate::print_stderr(format!("{server} {stands}; waiting. {}", text::sanitize(&reason)));
            told.push(reason);
        }
        if seen.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
