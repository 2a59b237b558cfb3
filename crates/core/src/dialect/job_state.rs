//! The words that servers use for the state of a job.

use crate::model::JobState;

/// What servers put before their words: `JobState.COMPLETED`, `task_failed`.
const PREFIXES: [&str; 8] =
    ["jobstatus", "jobstate", "taskstatus", "taskstate", "status", "state", "job", "task"];

/// The canonical state of a server's word, in any case and with any prefix or separators
/// (`COMPLETED`, `job-completed`, `timed_out`). A word without a canonical meaning is kept as it is.
#[must_use]
pub fn job_state(word: &str) -> JobState {
    let plain: String =
        word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let bare = PREFIXES.iter().find_map(|prefix| plain.strip_prefix(prefix));
    known(&plain).or_else(|| bare.and_then(known)).unwrap_or_else(|| JobState::Unknown(word.into()))
}

fn known(word: &str) -> Option<JobState> {
    Some(match word {
        "waiting" | "wait" | "queued" | "pending" | "prioritized" | "paused" | "inqueue"
        | "enqueued" | "submitted" | "accepted" | "received" | "created" | "new" | "ready"
        | "stalled" => JobState::Queued,
        "delayed" | "scheduled" | "waitingchildren" | "deferred" | "retrying" | "retry"
        | "awaitingretry" | "repeat" => JobState::Scheduled,
        "active" | "running" | "started" | "processing" | "inprogress" | "executing"
        | "working" | "extracting" | "generatingnotes" | "generatingquiz" | "progress"
        | "cancelling" | "canceling" | "stopping" => JobState::Running,
        "completed" | "complete" | "success" | "successful" | "succeeded" | "done" | "finished"
        | "ok" | "passed" => JobState::Completed,
        "failed" | "failure" | "error" | "errored" | "timedout" | "timeout" | "crashed"
        | "crash" | "dead" | "deadletter" | "expired" | "rejected" | "fatal" | "outofmemory"
        | "nodefail" => JobState::Failed,
        "cancelled" | "canceled" | "aborted" | "killed" | "revoked" | "skipped" | "terminated"
        | "deleted" | "discarded" | "interrupted" => JobState::Cancelled,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_in_any_case_and_with_what_stands_before_them() {
        for (word, state) in [
            ("COMPLETED", JobState::Completed),
            ("success", JobState::Completed),
            ("Succeeded", JobState::Completed),
            ("JobState.COMPLETED", JobState::Completed),
            ("job-completed", JobState::Completed),
            ("error", JobState::Failed),
            ("timed_out", JobState::Failed),
            ("TimedOut", JobState::Failed),
            ("CRASHED", JobState::Failed),
            ("task_failed", JobState::Failed),
            ("aborted", JobState::Cancelled),
            ("killed", JobState::Cancelled),
            ("skipped", JobState::Cancelled),
            ("waiting-children", JobState::Scheduled),
            ("in-queue", JobState::Queued),
            ("IN_PROGRESS", JobState::Running),
        ] {
            assert_eq!(job_state(word), state, "{word}");
        }
    }

    #[test]
    fn a_word_without_a_meaning_is_kept_as_it_is() {
        for word in ["", "Job", "stopped", "mystery_state", "\u{1f600}", "un completed"] {
            assert_eq!(job_state(word), JobState::Unknown(word.into()));
        }
    }
}
