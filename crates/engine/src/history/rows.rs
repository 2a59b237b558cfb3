//! How what is kept becomes rows, and rows become it again.

use std::sync::Arc;

use jiff::Timestamp;
use jobwatch_core::jobs::{Transition, TransitionKind, cut, size};
use jobwatch_core::model::{Job, JobId, JobState};
use jobwatch_core::notify::rules::EventKind;
use jobwatch_core::notify::{Notice, NoticeKey, Subject, Tone, Trigger};
use jobwatch_core::server::ServerId;
use rusqlite::{Connection, Row, params};

use super::waiting::LedgerKey;
use super::{Announcement, HandedPopup, StoredNotice};
use crate::redact::{Redactor, prefix};

/// Bytes that each part of a job's body is cut to when it is written.
pub(super) const MAX_PART: usize = 32 << 10;

/// A job as it is written.
pub(super) fn body(job: &Job, part: usize) -> serde_json::Result<String> {
    if size(job) <= part {
        return serde_json::to_string(job);
    }
    let mut short = job.clone();
    // The engine has removed the key from the whole already.
    cut(&mut short, part, &Redactor::default());
    serde_json::to_string(&short)
}

/// A job that belongs to nothing that is watched goes, with its steps.
pub(super) fn forget_job(
    connection: &Connection,
    server: &ServerId,
    job: &JobId,
) -> rusqlite::Result<()> {
    let of = params![server.0, job.as_str()];
    connection.prepare_cached("DELETE FROM jobs WHERE server = ?1 AND id = ?2")?.execute(of)?;
    connection
        .prepare_cached("DELETE FROM transitions WHERE server = ?1 AND job = ?2")?
        .execute(of)?;
    Ok(())
}

pub(super) fn set(
    connection: &Connection,
    sql: &str,
    ids: impl Iterator<Item = i64>,
    value: bool,
) -> rusqlite::Result<()> {
    let mut update = connection.prepare_cached(sql)?;
    for id in ids {
        update.execute(params![id, value])?;
    }
    Ok(())
}

pub(super) fn insert_step(
    connection: &Connection,
    server: &ServerId,
    step: &Transition,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO transitions
                 (server, job, attempt, from_state, to_state, kind, at, error, heard_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            server.0,
            step.job.as_str(),
            step.attempt,
            step.from.as_ref().map(JobState::word),
            step.to.word(),
            kind_word(step.kind),
            step.at.as_millisecond(),
            step.error.as_ref().map(|error| prefix(error, MAX_PART)),
            Timestamp::now().as_millisecond(),
        ])?;
    Ok(())
}

/// Writes the ledger's row and the notice; `None` when the ledger has it already.
pub(super) fn announce(
    connection: &Connection,
    what: &Announcement,
) -> rusqlite::Result<Option<i64>> {
    let notice = &what.notice;
    if let Some((server, kind, subject, attempt, outcome)) = ledger_key(what) {
        let new = connection
            .prepare_cached(
                "INSERT OR IGNORE INTO ledger (server, kind, subject, attempt, outcome, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                server,
                kind,
                subject,
                attempt,
                outcome,
                Timestamp::now().as_millisecond()
            ])?;
        if new == 0 {
            return Ok(None);
        }
    }
    connection
        .prepare_cached(
            "INSERT INTO notices
                 (server, job, attempt, outcome, title, body, tone, at, read, heard_at,
                  kind, rule, name, error, decision, mark)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            notice.server.0,
            notice.job.as_ref().map(JobId::as_str),
            notice.key.as_ref().map(|key| key.attempt),
            notice.key.as_ref().map(|key| key.outcome.word()),
            notice.title,
            notice.body,
            notice.tone.word(),
            notice.at.as_millisecond(),
            what.read,
            Timestamp::now().as_millisecond(),
            notice.trigger.as_ref().map(|trigger| trigger.kind.word()),
            notice.trigger.as_ref().map(|trigger| &trigger.rule),
            notice.subject.as_ref().map(|about| &about.name),
            notice.subject.as_ref().map(|about| &about.error),
            // A decision holds nothing that JSON cannot hold.
            what.decision.as_ref().and_then(|made| serde_json::to_string(&**made).ok()),
            what.mark,
        ])?;
    Ok(Some(connection.last_insert_rowid()))
}

pub(super) fn ledger_key(what: &Announcement) -> Option<LedgerKey> {
    if let Some(key) = &what.notice.key {
        let subject = key.job.as_str().to_owned();
        return Some((key.server.0.clone(), "job", subject, key.attempt, key.outcome.word()));
    }
    let mark = what.mark.clone()?;
    Some((what.notice.server.0.clone(), "server", mark, 0, String::new()))
}

pub(super) fn in_ledger(connection: &Connection, key: &LedgerKey) -> rusqlite::Result<bool> {
    let (server, kind, subject, attempt, outcome) = key;
    connection
        .prepare_cached(
            "SELECT 1 FROM ledger WHERE server = ?1 AND kind = ?2 AND subject = ?3
             AND attempt = ?4 AND outcome = ?5",
        )?
        .exists(params![server, kind, subject, attempt, outcome])
}

pub(super) fn stored_notice(row: &Row<'_>) -> rusqlite::Result<StoredNotice> {
    let server = ServerId(row.get(1)?);
    let job = row.get::<_, Option<String>>(2)?.map(JobId::from);
    let attempt: Option<u32> = row.get(3)?;
    let outcome: Option<String> = row.get(4)?;
    let key = match (&job, attempt, outcome) {
        (Some(job), Some(attempt), Some(outcome)) => Some(NoticeKey {
            server: server.clone(),
            job: job.clone(),
            attempt,
            outcome: JobState::from_word(&outcome),
        }),
        _ => None,
    };
    let tone = Tone::from_word(&row.get::<_, String>(7)?);
    let (title, body) = (row.get(5)?, row.get(6)?);
    let at = timestamp(row.get(8)?);
    let kind = row.get::<_, Option<String>>(12)?.as_deref().and_then(EventKind::from_word);
    let trigger = match (kind, row.get(13)?) {
        (Some(kind), Some(rule)) => Some(Trigger { kind, rule }),
        _ => None,
    };
    let subject = match (row.get(14)?, row.get(15)?) {
        (Some(name), Some(error)) => Some(Box::new(Subject { name, error })),
        _ => None,
    };
    let notice = Notice { key, server, job, title, body, tone, at, subject, trigger };
    Ok(StoredNotice {
        id: row.get(0)?,
        notice,
        read: row.get(9)?,
        dismissed: row.get(10)?,
        shown: row.get(11)?,
        output: row.get(16)?,
        popup: match (row.get::<_, Option<i64>>(17)?, row.get::<_, Option<i64>>(18)?) {
            (Some(popup_id), Some(count)) => Some(HandedPopup {
                popup_id: popup_id.unsigned_abs(),
                count: usize::try_from(count).unwrap_or(1),
            }),
            _ => None,
        },
        summary: row.get(19)?,
        // One that another version wrote in a way this one cannot read decides nothing.
        decision: row
            .get::<_, Option<String>>(20)?
            .and_then(|text| serde_json::from_str(&text).ok())
            .map(Arc::new),
        mark: row.get(21)?,
    })
}

pub(super) fn kind_word(kind: TransitionKind) -> &'static str {
    match kind {
        TransitionKind::Discovered => "found",
        TransitionKind::Moved => "moved",
        TransitionKind::AttemptFailed => "attempt-failed",
        TransitionKind::Outcome => "outcome",
    }
}

pub(super) fn kind_from_word(word: &str) -> TransitionKind {
    match word {
        "found" => TransitionKind::Discovered,
        "attempt-failed" => TransitionKind::AttemptFailed,
        "outcome" => TransitionKind::Outcome,
        _ => TransitionKind::Moved,
    }
}

pub(super) fn timestamp(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(millisecond).unwrap_or(Timestamp::UNIX_EPOCH)
}
