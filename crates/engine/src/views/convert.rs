//! From the core's words to the page's.

use jiff::Timestamp;
use jobwatch_core::model::{Job, JobState, QueuePatch, Source};
use jobwatch_core::notify::{Tone, explain, headline};
use jobwatch_core::state::{Transition, TransitionKind};
use jobwatch_core::supervisor::{self, Link, Status};

use super::{
    JobRow, LinkView, NoticeRow, QueueRow, Remedy, StateKind, StateView, StatusView, TimelineRow,
};
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
            JobState::Unknown(name) => Some(name.clone()),
            _ => None,
        };
        StateView { kind: StateKind::of(state), name }
    }
}

impl From<Link> for LinkView {
    fn from(link: Link) -> LinkView {
        match link {
            Link::Live => LinkView::Live,
            Link::Partly => LinkView::Partly,
            Link::Connecting => LinkView::Connecting,
            Link::Polling => LinkView::Polling,
            Link::Offline => LinkView::Offline,
            Link::Refused => LinkView::Refused,
            Link::Paused => LinkView::Paused,
        }
    }
}

impl From<&Status> for StatusView {
    fn from(status: &Status) -> StatusView {
        StatusView {
            link: status.link.into(),
            since: ms(status.since),
            last_heard: status.last_heard.map(ms),
            next_try: status.next_try.map(ms),
            attempt: status.attempt,
            reason: status.reason.clone(),
            remedy: status.remedy.map(Remedy::from),
        }
    }
}

impl From<supervisor::Remedy> for Remedy {
    fn from(remedy: supervisor::Remedy) -> Remedy {
        match remedy {
            supervisor::Remedy::EnterKey => Remedy::EnterKey,
            supervisor::Remedy::SignIn => Remedy::SignIn,
            supervisor::Remedy::SetApiUrl => Remedy::SetApiUrl,
            supervisor::Remedy::SetSocketUrl => Remedy::SetSocketUrl,
            supervisor::Remedy::TrustCertificate => Remedy::TrustCertificate,
            supervisor::Remedy::ChooseKind => Remedy::ChooseKind,
            supervisor::Remedy::Reconnect => Remedy::Reconnect,
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
            error: step.error.as_deref().map(headline).filter(|line| !line.is_empty()),
        }
    }
}

pub(crate) fn job_row(server: &str, server_name: &str, job: &Job, watched: bool) -> JobRow {
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
        name: job.title().to_owned(),
        queue: job.queue.clone(),
        state: StateView::from(&job.state),
        progress: job.progress,
        stage: if job.progress.is_none() { stage(job) } else { None },
        text: text.map(|text| prefix(&text, MAX_TEXT).to_owned()),
        created_at: job.created_at.map(ms),
        started_at: job.started_at.map(ms),
        finished_at: job.finished_at.map(ms),
        attempt: job.attempt,
        max_attempts: job.max_attempts,
        watched,
        stale: job.source == Source::History,
        heard_at: ms(job.heard_at),
        asked: None,
    }
}

/// Progress that is no number, in words: the text itself, or the plain fields of an object.
fn stage(job: &Job) -> Option<String> {
    let detail = job.detail.as_ref()?;
    // A large object has no short words; parsing it for every row would be wasted.
    let words = match detail.as_str().len() {
        0..=4_096 => match detail.to_value() {
            serde_json::Value::String(words) => words,
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

pub(crate) fn source_word(source: Source) -> &'static str {
    match source {
        Source::Socket => "socket",
        Source::Http => "http",
        Source::History => "history",
    }
}

/// A row of the list of notices; its place in a burst and what can be done with its job are added by
/// who knows them.
pub(crate) fn notice_row(server_name: &str, stored: &StoredNotice) -> NoticeRow {
    let notice = &stored.notice;
    let about = notice.subject.as_ref();
    let tone = match notice.tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Plain => "plain",
    };
    NoticeRow {
        id: stored.id,
        server: notice.server.0.clone(),
        server_name: server_name.to_owned(),
        job: notice.job.as_ref().map(|job| job.as_str().to_owned()),
        title: notice.title.clone(),
        body: notice.body.clone(),
        tone: tone.to_owned(),
        at: ms(notice.at),
        read: stored.read,
        rule: notice.why.as_ref().map(|why| why.rule.clone()),
        name: about.map(|about| about.name.clone()),
        failed: about.is_some_and(|about| !about.error.is_empty()),
        queue: stored.decision.as_ref().and_then(|made| made.event.queue.clone()),
        actions: Vec::new(),
        asked: None,
        output: stored.output.clone(),
        burst: None,
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
