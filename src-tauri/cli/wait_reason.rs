//! What is said while a command waits for a server that does not answer as it should: nobody is to
//! sit before a silent terminal.

use std::convert::Infallible;
use std::time::Duration;

use jobwatch_core::connection::{ConnectionState, Status};
use tokio::sync::watch;

use super::text;
use super::wait::Seen;

/// A server may take this long before it is worth a word.
const QUIET_PERIOD: Duration = Duration::from_secs(5);

/// So many reasons are said; what changes more often helps nobody.
const MAX_REASONS: usize = 8;

/// How a server is connected, as the end of a sentence that begins with its name.
#[must_use]
pub fn describe(status: &Status) -> &'static str {
    match status.state {
        ConnectionState::Live | ConnectionState::Polling => "is connected",
        ConnectionState::Partly => "is only partly connected",
        ConnectionState::Connecting => "is still connecting",
        ConnectionState::Offline => "cannot be reached",
        ConnectionState::Refused => "does not accept the key",
        ConnectionState::Paused => "is paused",
    }
}

/// Says on the standard error why `server` does not say what is waited for, each reason once, for
/// as long as nothing is known of the job. Never ends.
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
            crate::print_stderr(format!("{server} {stands}, waiting. {}", text::sanitize(&reason)));
            told.push(reason);
        }
        if seen.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
