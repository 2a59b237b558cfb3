//! From the core's words to the page's.

use jiff::Timestamp;
use jobwatch_core::connection::Status;
use jobwatch_core::dialect::job_state;
use jobwatch_core::jobs::{Transition, TransitionKind};
use jobwatch_core::model::{Job, JobState, QueuePatch, Source};
use jobwatch_core::notify::{explain, headline};

use super::about::about;
use crate::api::{JobRow, NoticeRow, QueueRow, StateKind, StateView, StatusView, TimelineRow};
use crate::history::StoredNotice;
use crate::redact::prefix;

/// Characters of a job's message or error in a list.
const MAX_TEXT: usize = 300;

pub(crate) fn ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

impl StateKind {
    /// The kind of a state.
    #[must_use]
    pub fn of(state: &JobState) -> StateKind {
        match state {
            JobState::Queued => StateKind::Queued,
            JobState::Scheduled => StateKind::Scheduled,
            JobState::Running => StateKind::Running,
            JobState::Completed => StateKind::Completed,
            JobState::Failed => StateKind::Failed,
            JobState::Cancelled => StateKind::Cancelled,
            JobState::Unknown(_) => StateKind::Unknown,
        }
    }
}

impl From<&JobState> for StateView {
    fn from(state: &JobState) -> StateView {
        let name = match state {
            JobState::Unknown(name) => Some(name.to_string()),
            _ => None,
        };
        StateView { kind: StateKind::of(state), name }
    }
}

impl From<&Status> for StatusView {
    fn from(status: &Status) -> StatusView {
        StatusView {
            link: status.state,
            since: ms(status.since),
            last_heard: status.last_received.map(ms),
            next_try: status.next_try.map(ms),
            attempt: status.attempt,
            reason: status.reason.clone(),
            incomplete: status.incomplete.clone(),
            remedy: status.remedy,
        }
    }
}

impl From<&Transition> for TimelineRow {
    fn from(step: &Transition) -> TimelineRow {
        TimelineRow {
            at: ms(step.at),
            attempt: step.attempt,
            from: step.from.as_ref().map(StateView::from),
            to: StateView::from(&step.to),
            attempt_failed: step.kind == TransitionKind::AttemptFailed,
            error: step
                .error
                .as_deref()
                .map(headline)
                .filter(|line| !line.is_empty())
                .map(|line| prefix(&line, MAX_TEXT).to_owned()),
        }
    }
}

/// The past of a job as it is shown: a failed attempt is one step, though its reason is often told
/// after it.
pub(crate) fn past<'a>(steps: impl Iterator<Item = &'a TimelineRow>) -> Vec<TimelineRow> {
    let mut past: Vec<TimelineRow> = Vec::new();
    for step in steps {
        let same = |told: &&mut TimelineRow| told.attempt_failed && told.attempt == step.attempt;
        match past.iter_mut().rev().filter(|_| step.attempt_failed).find(same) {
            Some(told) => told.error = told.error.take().or_else(|| step.error.clone()),
            None => past.push(step.clone()),
        }
    }
    past
}

pub(crate) fn job_row(
    server: &str,
    server_name: &str,
    job: &Job,
    shown: &str,
    watched: bool,
) -> JobRow {
    let error = || explain(job);
    let message = || job.message.as_deref().map(headline).filter(|said| !said.is_empty());
    let text = match job.state {
        JobState::Failed => error().or_else(message),
        _ => message().or_else(error),
    };
    JobRow {
        server: server.to_owned(),
        server_name: server_name.to_owned(),
        id: job.id.as_str().to_owned(),
        shown_id: shown.to_owned(),
        naming: match &job.queue {
            Some(queue) if shown != job.id.as_str() => format!("{queue}/{shown}"),
            _ => job.id.as_str().to_owned(),
        },
        name: job.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(shown).to_owned(),
        about: about(job),
        queue: job.queue.clone(),
        state: StateView::from(&job.state),
        progress: job.progress,
        stage: if job.progress.is_none() && !job.state.over() { stage(job) } else { None },
        text: text
            .filter(|text| !repeats(&job.state, text))
            .map(|text| prefix(&text, MAX_TEXT).to_owned()),
        created_at: job.created_at.map(ms),
        started_at: job.started_at.map(ms),
        finished_at: job.finished_at.map(ms),
        attempt: job.attempt,
        // A retry by hand goes beyond what the server counts.
        max_attempts: job.max_attempts.filter(|most| job.attempt.is_none_or(|own| own <= *most)),
        watched,
        stale: job.source == Source::History,
        heard_at: ms(job.last_seen),
        asked: None,
    }
}

/// Whether a text says nothing but the state: `queued` beside "Queued", or the last stage of what has
/// been completed.
fn repeats(state: &JobState, text: &str) -> bool {
    // A stage is a word; a path or a number is a result.
    if *state == JobState::Completed
        && text.chars().all(|c| c.is_alphabetic() || matches!(c, '_' | '-' | ':'))
    {
        return true;
    }
    !text.contains(' ') && job_state(text) == *state && {
        let plain = text.to_lowercase().replace(['_', '-'], "");
        // The stages of a running job say more than that it runs.
        !matches!(state, JobState::Running)
            || ["running", "active", "processing", "inprogress", "started"]
                .contains(&plain.as_str())
    }
}

/// Progress that is no number, in words: the text itself, or the plain fields of an object.
fn stage(job: &Job) -> Option<String> {
    let detail = job.detail.as_ref()?;
    // A large object has no short words; parsing it for every row would be wasted.
    let words = match detail.as_str().len() {
        0..=4_096 => match detail.to_value() {
            serde_json::Value::String(words) => words,
            // A count of nobody knows how many.
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Object(fields) => {
                let plain = fields.iter().filter_map(|(name, value)| match value {
                    serde_json::Value::String(words) => Some(format!("{name}: {words}")),
                    serde_json::Value::Number(number) => Some(format!("{name}: {number}")),
                    serde_json::Value::Bool(flag) => Some(format!("{name}: {flag}")),
                    _ => None,
                });
                plain.take(4).collect::<Vec<_>>().join(", ")
            }
            _ => return None,
        },
        _ => return None,
    };
    Some(prefix(words.trim(), MAX_TEXT).to_owned()).filter(|words| !words.is_empty())
}

/// A row of the list of notices; its group and what can be done with its job are added by
/// who knows them.
pub(crate) fn notice_row(server_name: &str, stored: &StoredNotice) -> NoticeRow {
    let notice = &stored.notice;
    let about = notice.subject.as_ref();
    NoticeRow {
        id: stored.id,
        server: notice.server.0.clone(),
        server_name: server_name.to_owned(),
        job: notice.job.as_ref().map(|job| job.as_str().to_owned()),
        title: notice.title.clone(),
        body: notice.body.clone(),
        tone: notice.tone,
        at: ms(notice.at),
        read: stored.read,
        rule: notice.trigger.as_ref().map(|trigger| trigger.rule.clone()),
        name: about.map(|about| about.name.clone()),
        failed: about.is_some_and(|about| !about.error.is_empty()),
        queue: stored.decision.as_ref().and_then(|made| made.event.queue.clone()),
        actions: Vec::new(),
        asked: None,
        output: stored.output.clone(),
        group: None,
        folded: Vec::new(),
    }
}

pub(crate) fn queue_row(server: &str, server_name: &str, queue: &QueuePatch) -> QueueRow {
    QueueRow {
        server: server.to_owned(),
        server_name: server_name.to_owned(),
        name: queue.name.clone(),
        paused: queue.paused,
        waiting: queue.waiting,
        active: queue.active,
        completed: queue.completed,
        failed: queue.failed,
        delayed: queue.delayed,
    }
}

#[cfg(test)]
mod tests {

    use jobwatch_core::model::{ENDED, Json};

    use super::*;

    fn job(state: JobState) -> Job {
        Job::new("1", state, Source::Http, Timestamp::UNIX_EPOCH)
    }

    fn row(job: &Job) -> JobRow {
        job_row("s", "Server", job, job.id.as_str(), false)
    }

    #[test]
    fn a_row_shows_the_line_that_explains_a_failure() {
        let trace = "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'sku'";
        let failed = Job { error: Some(trace.to_owned()), ..job(JobState::Failed) };
        assert_eq!(row(&failed).text.as_deref(), Some("KeyError: 'sku'"));
        let useless = Job {
            error: Some("[object Object]".to_owned()),
            stack: Some("Error: disk full\n    at a (/x.js:1:1)".to_owned()),
            ..job(JobState::Failed)
        };
        assert_eq!(row(&useless).text.as_deref(), Some("Error: disk full"));
    }

    #[test]
    fn a_row_does_not_say_its_state_twice() {
        let says = |state, message: &str| {
            row(&Job { message: Some(message.to_owned()), ..job(state) }).text
        };
        assert_eq!(says(JobState::Queued, "queued"), None);
        assert_eq!(says(JobState::Queued, "waiting"), None);
        assert_eq!(says(JobState::Running, "in_progress"), None);
        assert_eq!(says(JobState::Running, "extracting").as_deref(), Some("extracting"));
        assert_eq!(says(JobState::Running, "queued").as_deref(), Some("queued"));
        assert_eq!(says(JobState::Completed, "saving"), None, "its last stage");
        assert_eq!(says(JobState::Completed, "42 rows").as_deref(), Some("42 rows"));
        assert_eq!(says(JobState::Failed, "saving").as_deref(), Some("saving"), "where it failed");
    }

    #[test]
    fn a_count_is_shown_while_the_job_runs() {
        let detail = Json::parse("4235");
        let shown = |state| row(&Job { detail: detail.clone(), ..job(state) }).stage;
        assert_eq!(shown(JobState::Running).as_deref(), Some("4235"));
        assert_eq!(shown(JobState::Completed), None);
        assert_eq!(shown(JobState::Unknown(ENDED.into())), None);
    }

    #[test]
    fn an_attempt_beyond_what_the_server_counts_is_not_one_of_them() {
        let most = |attempt, most| {
            row(&Job { attempt: Some(attempt), max_attempts: Some(most), ..job(JobState::Failed) })
                .max_attempts
        };
        assert_eq!((most(2, 3), most(3, 3), most(4, 3)), (Some(3), Some(3), None));
    }
}
