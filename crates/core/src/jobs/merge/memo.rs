//! What is remembered of few jobs of many.

use jiff::Timestamp;

use super::Tentative;
use super::attempt_order::HttpStatement;
use crate::jobs::sparse::Plain;
use crate::time::Mono;

/// What is remembered of a job that is told of with times or by the socket: nothing of the many in
/// long lists.
#[derive(Debug)]
pub(in crate::jobs) struct Memo {
    pub tentative: Option<Tentative>,
    /// What HTTP said last, with its time.
    pub(super) http_said: Option<HttpStatement>,
    /// When the socket last spoke of it.
    pub socket_seen: Option<Mono>,
    /// When "not found" was first said and not yet believed.
    pub missing_since: Option<Mono>,
    /// The server's time of the newest fact about state or progress.
    pub state_at: Option<Timestamp>,
    /// The server's time of the progress shown.
    pub progress_at: Option<Timestamp>,
    /// The end of the previous attempt: facts not later than this belong to an earlier one.
    pub boundary: Option<Timestamp>,
    /// The server's time of the newest failed attempt that was told of, or was there at first.
    pub failed_at: Option<Timestamp>,
    /// The attempt whose failure was told of without a reason, last.
    pub unexplained: Option<u32>,
}

const NOTHING: Memo = Memo {
    tentative: None,
    http_said: None,
    socket_seen: None,
    missing_since: None,
    state_at: None,
    progress_at: None,
    boundary: None,
    failed_at: None,
    unexplained: None,
};

impl Default for Memo {
    fn default() -> Memo {
        NOTHING
    }
}

impl Plain for Memo {
    const NONE: &'static Memo = &NOTHING;
}
