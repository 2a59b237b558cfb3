//! The words of notices.

use std::time::Duration;

use jiff::Timestamp;

use super::rules::EventKind;
use super::{Notice, NoticeKey, Subject, Tone, Trigger, explain, headline};
use crate::escape;
use crate::jobs::{Transition, TransitionKind};
use crate::model::{Job, JobState};
use crate::server::ServerId;

/// The longest name, server name and error shown, in characters.
const NAME: usize = 80;
const SERVER: usize = 60;
const ERROR: usize = 240;
/// Failures that are named where several notices are shown as one.
pub(super) const NAMED: usize = 3;
/// The notice for the end of a job, or for one that is gone; `None` where it has not ended.
#[must_use]
pub fn outcome(
    server: &ServerId,
    server_name: &str,
    job: &Job,
    transition: &Transition,
    trigger: Trigger,
) -> Option<Notice> {
    let lost = transition.to.lost();
    if transition.kind != TransitionKind::Outcome && !lost {
        return None;
    }
    let (word, tone) = match (&transition.to, trigger.kind) {
        (JobState::Completed, EventKind::Fixed) => ("works again", Tone::Good),
        (JobState::Completed, _) => ("completed", Tone::Good),
        (JobState::Failed, EventKind::StillFailing) => ("failed again", Tone::Bad),
        (JobState::Failed, _) => ("failed", Tone::Bad),
        (JobState::Cancelled, _) => ("was cancelled", Tone::Plain),
        (to, _) if to.is_gone() => ("has disappeared", Tone::Bad),
        _ if lost => ("ended, outcome unknown", Tone::Bad),
        _ => return None,
    };
    let mut body = if lost {
        describe_lost(&transition.to, transition.from.as_ref(), server_name)
    } else {
        describe_run(job.took(), server_name)
    };
    let mut error = String::new();
    if transition.to == JobState::Failed {
        // What the job says by now may be fuller than what its end was announced with.
        let said = transition.error.as_deref().map(headline).filter(|said| !said.is_empty());
        let said = explain(job).filter(|_| job.state == JobState::Failed).or(said);
        error = one_line(&said.unwrap_or_default(), ERROR);
        body = join_facts([body, error.clone()]);
    }
    let name = title(job);
    Some(Notice {
        key: Some(NoticeKey {
            server: server.clone(),
            job: job.id.clone(),
            attempt: transition.attempt,
            outcome: transition.to.clone(),
        }),
        server: server.clone(),
        job: Some(job.id.clone()),
        title: format!("{name} {word}"),
        body,
        tone,
        at: transition.at,
        subject: Some(Box::new(Subject { name, error })),
        trigger: Some(trigger),
    })
}

/// The notice for a job that has begun, or that runs for unusually long: for so long, where as a
/// rule it takes less than `usual`.
#[must_use]
pub fn running(
    server: &ServerId,
    server_name: &str,
    job: &Job,
    times: Option<(Duration, Duration)>,
    at: Timestamp,
    trigger: Trigger,
) -> Notice {
    let name = title(job);
    let (title, body) = match times {
        None => (format!("{name} started"), describe_run(None, server_name)),
        Some((runs, usual)) => (
            format!("{name} takes unusually long"),
            join_facts([
                describe_run(None, server_name),
                format!("running for {}", format_duration(runs)),
                format!("usually at most {}", format_duration(usual)),
            ]),
        ),
    };
    Notice {
        key: None,
        server: server.clone(),
        job: Some(job.id.clone()),
        title,
        body,
        tone: Tone::Plain,
        at,
        subject: Some(Box::new(Subject { name, error: String::new() })),
        trigger: Some(trigger),
    }
}

/// The notice for a connection that was lost for so long, or is there again.
#[must_use]
pub fn connection(
    server: &ServerId,
    server_name: &str,
    lasted: Duration,
    reason: &str,
    at: Timestamp,
    trigger: Trigger,
) -> Notice {
    let name = one_line(server_name, SERVER);
    let for_so_long = format_duration(lasted);
    let (title, body, tone) = if trigger.kind == EventKind::Back {
        let body = format!("It could not be reached for {for_so_long}.");
        (format!("{name} is connected again"), body, Tone::Good)
    } else {
        let reason = one_line(&headline(reason), ERROR);
        let colon = if reason.is_empty() { "" } else { ": " };
        let body = format!("For {for_so_long} now{colon}{reason}");
        (format!("{name} cannot be reached"), body, Tone::Bad)
    };
    let (server, trigger) = (server.clone(), Some(trigger));
    Notice { key: None, server, job: None, title, body, tone, at, subject: None, trigger }
}

/// That nobody knows how a job ended, since its server does not say it or does not know the job any
/// more.
fn describe_lost(now: &JobState, before: Option<&JobState>, server_name: &str) -> String {
    let name = one_line(server_name, SERVER);
    let name = if name.is_empty() { "The server".to_owned() } else { name };
    if !now.is_gone() {
        return format!("{name} does not say how it ended.");
    }
    let before = match before {
        Some(JobState::Running) => "It was running when last seen; the",
        Some(JobState::Queued | JobState::Scheduled) => "It was waiting when last seen; the",
        _ => "The",
    };
    format!("{name} does not know this job any more. {before} outcome is unknown.")
}

/// `staging · 4 m`, as far as that is known.
fn describe_run(time: Option<Duration>, server_name: &str) -> String {
    join_facts([one_line(server_name, SERVER), time.map(format_duration).unwrap_or_default()])
}

/// Facts in one line; those that are empty are left out.
fn join_facts<const N: usize>(parts: [String; N]) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(" \u{b7} ")
}

/// How many of each, in words: `32 completed, 5 failed`. What there is none of is left out.
#[must_use]
pub fn format_counts(parts: &[(usize, &str)]) -> String {
    let some = parts.iter().filter(|(many, _)| *many > 0);
    let words: Vec<String> = some.map(|(many, word)| format!("{many} {word}")).collect();
    words.join(", ")
}

/// The body of a notice about several: where, and the first few failures, a line each.
#[must_use]
pub fn list_failures<'a>(server_name: &str, failures: impl IntoIterator<Item = &'a str>) -> String {
    let mut lines = format!("On {server_name}");
    for title in failures.into_iter().take(NAMED) {
        lines.push('\n');
        lines.push_str(title);
    }
    lines
}

/// What a notice of this job is about.
#[must_use]
pub fn subject(job: &Job) -> Subject {
    let said = explain(job).filter(|_| job.state == JobState::Failed);
    Subject { name: title(job), error: one_line(&said.unwrap_or_default(), ERROR) }
}

/// The name, or the id where there is none or nothing of it can be shown.
fn title(job: &Job) -> String {
    let name = one_line(job.title(), NAME);
    if name.is_empty() { one_line(job.id.as_str(), NAME) } else { name }
}

/// The first line of `text` that is not blank, at most `longest` characters, without anything that
/// could pass for something else: control characters and those that change the direction of the
/// text become `\u{FFFD}`, the escape sequences of terminals go.
fn one_line(text: &str, longest: usize) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    let mut clean = String::new();
    let mut count = 0;
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        if count >= longest {
            clean.truncate(clean.trim_end().len());
            clean.push('\u{2026}');
            break;
        }
        if escape::skip(char, &mut chars) {
            continue;
        }
        clean.push(match char {
            '\t' => ' ',
            _ if char.is_control() || escape::is_deceptive(char) => '\u{fffd}',
            _ => char,
        });
        count += 1;
    }
    clean
}

/// A duration in words: `850 ms`, `12 s`, `4 m 12 s`, `3 h 5 m`, `2 d 4 h`. At most two units,
/// rounded down; a second unit of zero is left out.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (big, big_unit, small, small_unit) = match seconds {
        0 => return format!("{} ms", duration.subsec_millis()),
        1..60 => return format!("{seconds} s"),
        60..3_600 => (seconds / 60, "m", seconds % 60, "s"),
        3_600..86_400 => (seconds / 3_600, "h", seconds % 3_600 / 60, "m"),
        _ => (seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    };
    if small == 0 {
        format!("{big} {big_unit}")
    } else {
        format!("{big} {big_unit} {small} {small_unit}")
    }
}

#[cfg(test)]
pub(in crate::notify) mod tests;
