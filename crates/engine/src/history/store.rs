//! The file behind the history, and what waits to be written to it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jobwatch_core::model::{Job, JobId, JobState, Topic};
use jobwatch_core::notify::{Notice, NoticeKey, Tone};
use jobwatch_core::server::ServerId;
use jobwatch_core::state::{Transition, TransitionKind, cut, size};
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, params};
use tokio::sync::mpsc;

use super::prune::{CUT, Limits, prune};
use super::waiting::{LedgerKey, Waiting, Write};
use super::{Announcement, FILE, Place, Remembered, Reply, Request, StoredNotice, schema};
use crate::redact::prefix;

/// Notices handed to the engine at the start.
pub(crate) const MAX_NOTICES: usize = 5_000;
/// Bytes that each part of a job's body is cut to when it is written.
const MAX_PART: usize = 32 << 10;
/// Steps of one job that are shown.
const MAX_STEPS: i64 = 1_000;
/// How often what is too old or too much is dropped, besides at the start.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
/// A larger file is not checked page by page at the start, which would take too long.
const MAX_CHECKED: u64 = 256 << 20;
/// What is answered after the flush: reading sees everything asked for before it.
pub(super) type Answer = Box<dyn FnOnce(&mut Store) + Send>;

/// How soon a request wants to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// With what comes within the next moments.
    Later,
    /// At once, unless the disk refuses and the next attempt is not due yet.
    Soon,
    /// At once, whatever happened before.
    Now,
}

pub(super) struct Store {
    /// Where everything is written; `None` while it cannot be opened.
    file: Option<Connection>,
    /// Where the past is read from, when it is not to be written, or cannot be for now.
    past: Option<Connection>,
    /// Where the file is, unless everything is kept in memory.
    directory: Option<PathBuf>,
    waiting: Waiting,
    /// The file's numbers of notices that were told under a preliminary one.
    renumbered: HashMap<i64, i64>,
    preliminary: i64,
    /// Whether the last write failed, which the engine was told.
    failing: bool,
    /// Whether the engine was told that something is dropped meanwhile.
    told_dropped: bool,
    /// When old rows were last dropped: not at the start, which waits for nothing that can wait.
    pruned: Option<Instant>,
}

impl Store {
    /// Opens the store, in memory if need be. The text says what went wrong.
    pub(super) fn open(place: &Place, now: Timestamp) -> (Store, Option<String>) {
        match place {
            Place::Memory => Store::memory(None, None),
            Place::ReadOnly(directory) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let path = directory.join(FILE);
                let past = path.exists().then(|| Connection::open_with_flags(&path, flags));
                Store::memory(past.and_then(Result::ok), None)
            }
            Place::Directory(directory) => match open_file(directory, now) {
                Ok((file, problem)) => {
                    (Store::over(Some(file), None, Some(directory.clone())), problem)
                }
                Err(Unopened::ForGood(problem)) => Store::memory(None, Some(problem)),
                Err(Unopened::ForNow(problem)) => {
                    let past = open_past(directory);
                    let mut store = Store::over(None, past, Some(directory.clone()));
                    store.failing = true;
                    (store, Some(problem))
                }
            },
        }
    }

    fn memory(past: Option<Connection>, problem: Option<String>) -> (Store, Option<String>) {
        let file = Connection::open_in_memory().and_then(|mut file| {
            migrate(&mut file).map(|()| file).map_err(|error| match error {
                rusqlite_migration::Error::RusqliteError { err, .. } => err,
                _ => rusqlite::Error::InvalidQuery,
            })
        });
        match file {
            Ok(file) => (Store::over(Some(file), past, None), problem),
            // SQLite without memory for an empty database: every write fails and says so.
            Err(error) => {
                let problem = format!("The history cannot be kept: {error}.");
                (Store::over(None, past, None), Some(problem))
            }
        }
    }

    fn over(
        file: Option<Connection>,
        past: Option<Connection>,
        directory: Option<PathBuf>,
    ) -> Store {
        Store {
            file,
            past,
            directory,
            waiting: Waiting::default(),
            renumbered: HashMap::new(),
            preliminary: 0,
            failing: false,
            told_dropped: false,
            pruned: None,
        }
    }

    /// Takes a request in; answers how soon it must be written.
    pub(super) fn take(&mut self, request: Request, answers: &mut Vec<Answer>) -> Urgency {
        let failing = self.failing;
        let waiting = &mut self.waiting;
        match request {
            Request::Job(server, job) => {
                waiting.job(server, job, failing);
                return Urgency::Later;
            }
            Request::Step(server, step) => {
                waiting.write(Write::Step(server, step));
                return Urgency::Later;
            }
            Request::Listed(server, topic, at) => {
                waiting.write(Write::Listed(server, topic, at));
                return Urgency::Later;
            }
            Request::Announce(announcement) => {
                if let Some((step, job)) = &announcement.step {
                    let server = announcement.notice.server.clone();
                    waiting.job(server.clone(), Arc::clone(job), failing);
                    waiting.write(Write::Step(server, step.clone()));
                }
                waiting.write(Write::Announce(announcement, None));
            }
            Request::Shown(ids) => waiting.write(Write::Shown(ids)),
            Request::Read(ids, read) => waiting.write(Write::Read(ids, read)),
            Request::ReadAll => waiting.write(Write::ReadAll),
            Request::Dismiss(ids, dismissed) => waiting.write(Write::Dismiss(ids, dismissed)),
            Request::Forget(server) => waiting.write(Write::Forget(server)),
            Request::Unlisted(server, topic) => waiting.write(Write::Unlisted(server, topic)),
            Request::Remembered(server, answer) => {
                answers.push(Box::new(move |store| {
                    let jobs = or_none(store.read_jobs(&server), "jobs");
                    let listings = or_none(store.read_listings(&server), "listings");
                    let _ = answer.send(Remembered { jobs, listings });
                }));
                return Urgency::Now;
            }
            Request::Notices(answer) => {
                answers.push(Box::new(move |store| {
                    let _ = answer.send(or_none(store.read_notices(), "notices"));
                }));
                return Urgency::Now;
            }
            // Asked whenever a job is looked at: what waits is part of the answer instead.
            Request::Timeline(server, job, answer) => answers.push(Box::new(move |store| {
                let mut steps = or_none(store.read_timeline(&server, &job), "timeline");
                steps.extend(store.waiting.steps(&server, &job));
                let _ = answer.send(steps);
            })),
            Request::Flush(answer) => {
                answers.push(Box::new(move |_| {
                    let _ = answer.send(());
                }));
                return Urgency::Now;
            }
        }
        Urgency::Soon
    }

    /// Counts changes that the engine did not hand over because too many were on their way.
    pub(super) fn lost(&mut self, count: u64) {
        self.waiting.lost(count);
    }

    /// Whether the last write failed.
    pub(super) fn failing(&self) -> bool {
        self.failing
    }

    /// Whether so much waits that it should be written now.
    pub(super) fn full(&self) -> bool {
        self.waiting.full()
    }

    /// Tells what must be told although the disk refuses it, and drops what is too much.
    pub(super) fn go_on_from_memory(&mut self, replies: &mpsc::UnboundedSender<Reply>) {
        self.tell_unwritten(replies);
        self.waiting.bound();
        if self.waiting.dropped() > 0 && !self.told_dropped {
            self.told_dropped = true;
            let problem = "The history cannot be written, and more waits for it than is kept in \
                           memory: a part of what happens now will be missing from it."
                .to_owned();
            let _ = replies.send(Reply::Health(Some(problem)));
        }
    }

    /// How much waits to be written.
    pub(super) fn gathered(&self) -> usize {
        self.waiting.len()
    }

    /// Writes what waits in one transaction; answers whether nothing is left.
    pub(super) fn flush(&mut self, replies: &mpsc::UnboundedSender<Reply>) -> bool {
        if self.file.is_none()
            && let Err(problem) = self.reopen(replies)
        {
            tracing::debug!("{problem}");
            self.go_on_from_memory(replies);
            return false;
        }
        if self.gathered() == 0 {
            self.well(replies);
            return true;
        }
        let error = match self.write() {
            Ok(recorded) => {
                self.well(replies);
                for reply in recorded {
                    let _ = replies.send(reply);
                }
                self.prune_if_due();
                return true;
            }
            Err(error) => error,
        };
        tracing::warn!(%error, "the history was not written");
        if is_damaged(&error)
            && let Some(directory) = self.directory.clone()
            && let Some(problem) = self.begin_anew(&directory)
        {
            let _ = replies.send(Reply::Health(Some(problem)));
            return self.flush_into_new(replies);
        }
        if !self.failing {
            self.failing = true;
            let problem = format!(
                "The history cannot be written ({}). Jobwatch goes on from memory and keeps \
                 trying; what happens meanwhile may be forgotten when it ends.",
                error_words(&error)
            );
            let _ = replies.send(Reply::Health(Some(problem)));
        }
        self.go_on_from_memory(replies);
        false
    }

    /// Opens the file that could not be opened before.
    fn reopen(&mut self, replies: &mpsc::UnboundedSender<Reply>) -> Result<(), String> {
        let Some(directory) = &self.directory else { return Err("there is no file".to_owned()) };
        // Read as it is, the file is locked against all others, this program among them.
        self.past = None;
        match open_file(directory, Timestamp::now()) {
            Ok((file, problem)) => {
                self.file = Some(file);
                if let Some(problem) = problem {
                    self.failing = false;
                    let _ = replies.send(Reply::Health(Some(problem)));
                }
                Ok(())
            }
            Err(Unopened::ForNow(problem) | Unopened::ForGood(problem)) => {
                self.past = open_past(directory);
                Err(problem)
            }
        }
    }

    fn well(&mut self, replies: &mpsc::UnboundedSender<Reply>) {
        if std::mem::take(&mut self.failing) {
            let _ = replies.send(Reply::Health(None));
        }
        self.told_dropped = false;
    }

    fn prune_if_due(&mut self) {
        if self.pruned.is_none_or(|pruned| pruned.elapsed() >= PRUNE_EVERY) {
            self.pruned = Some(Instant::now());
            // What is written is safe; the next hour tries again. Deleting needs room too.
            let Some(file) = &mut self.file else { return };
            if let Err(error) = prune(file, Timestamp::now(), &Limits::default()) {
                tracing::warn!(%error, "old history was not dropped");
            }
        }
    }

    fn flush_into_new(&mut self, replies: &mpsc::UnboundedSender<Reply>) -> bool {
        match self.write() {
            Ok(recorded) => {
                for reply in recorded {
                    let _ = replies.send(reply);
                }
                true
            }
            Err(_) => {
                self.failing = true;
                self.go_on_from_memory(replies);
                false
            }
        }
    }

    /// What cannot be written is told all the same, once, under a preliminary number.
    fn tell_unwritten(&mut self, replies: &mpsc::UnboundedSender<Reply>) {
        let mut told = Vec::new();
        for (announcement, number) in self.waiting.untold() {
            self.preliminary -= 1;
            *number = Some(self.preliminary);
            let stored = StoredNotice {
                id: self.preliminary,
                notice: announcement.notice.clone(),
                read: announcement.read,
                dismissed: false,
                shown: false,
            };
            told.push((ledger_key(announcement), stored, announcement.away));
        }
        for (key, stored, away) in told {
            let known = key.is_some_and(|key| {
                // Reading often still works where writing does not.
                // A past that is only read is another program's to announce.
                let ledger = self.file.as_ref().or(self.past.as_ref());
                let written = ledger.is_some_and(|of| in_ledger(of, &key).unwrap_or(false));
                written || !self.waiting.tell(key)
            });
            if !known {
                let _ = replies.send(Reply::Recorded { stored, away });
            }
        }
    }

    fn write(&mut self) -> rusqlite::Result<Vec<Reply>> {
        let mut recorded = Vec::new();
        let mut renumbered = HashMap::new();
        let Some(file) = &mut self.file else { return Err(rusqlite::Error::InvalidQuery) };
        let transaction = file.transaction()?;
        {
            let mut keep = transaction.prepare_cached(
                "INSERT INTO jobs (server, id, heard_at, body, size) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET
                     heard_at = excluded.heard_at, body = excluded.body, size = excluded.size",
            )?;
            for (server, id, job) in self.waiting.jobs() {
                // A job holds nothing that JSON cannot hold.
                let Ok(body) = body(job, MAX_PART) else { continue };
                let heard = job.heard_at.as_millisecond();
                let bytes = i64::try_from(body.len()).unwrap_or(i64::MAX);
                keep.execute(params![server.0, id.as_str(), heard, body, bytes])?;
            }
            for write in self.waiting.writes() {
                let renumber =
                    |id: &i64| *renumbered.get(id).or(self.renumbered.get(id)).unwrap_or(id);
                match write {
                    Write::Step(server, step) => insert_step(&transaction, server, step)?,
                    Write::Announce(announcement, told) => {
                        let Some(id) = announce(&transaction, announcement)? else { continue };
                        match told {
                            Some(preliminary) => {
                                renumbered.insert(*preliminary, id);
                            }
                            None => recorded.push(Reply::Recorded {
                                stored: StoredNotice {
                                    id,
                                    notice: announcement.notice.clone(),
                                    read: announcement.read,
                                    dismissed: false,
                                    shown: false,
                                },
                                away: announcement.away,
                            }),
                        }
                    }
                    Write::Shown(ids) => {
                        let ids = ids.iter().map(renumber);
                        set(
                            &transaction,
                            "UPDATE notices SET shown = ?2 WHERE id = ?1",
                            ids,
                            true,
                        )?;
                    }
                    Write::Read(ids, read) => {
                        let ids = ids.iter().map(renumber);
                        set(
                            &transaction,
                            "UPDATE notices SET read = ?2 WHERE id = ?1",
                            ids,
                            *read,
                        )?;
                    }
                    Write::ReadAll => {
                        transaction.execute("UPDATE notices SET read = 1 WHERE read = 0", [])?;
                    }
                    Write::Dismiss(ids, dismissed) => {
                        let sql = "UPDATE notices SET dismissed = ?2 WHERE id = ?1";
                        set(&transaction, sql, ids.iter().map(renumber), *dismissed)?;
                    }
                    Write::Forget(server) => {
                        for table in ["jobs", "transitions", "notices", "ledger", "listings"] {
                            let sql = format!("DELETE FROM {table} WHERE server = ?1");
                            transaction.execute(&sql, params![server.0])?;
                        }
                    }
                    Write::Listed(server, topic, at) => {
                        transaction
                            .prepare_cached(
                                "INSERT INTO listings (server, topic, at) VALUES (?1, ?2, ?3)
                                 ON CONFLICT DO UPDATE SET at = excluded.at",
                            )?
                            .execute(params![server.0, topic.to_string(), at.as_millisecond()])?;
                    }
                    Write::Unlisted(server, topic) => {
                        transaction.execute(
                            "DELETE FROM listings WHERE server = ?1 AND topic = ?2",
                            params![server.0, topic.to_string()],
                        )?;
                    }
                }
            }
        }
        transaction.commit()?;
        if self.waiting.dropped() > 0 {
            let dropped = self.waiting.dropped();
            tracing::warn!(dropped, "changes are missing from the history");
        }
        self.waiting.clear();
        self.renumbered.extend(renumbered);
        Ok(recorded)
    }

    /// Sets a damaged file aside and opens a new one; says so, or answers `None` if that failed.
    fn begin_anew(&mut self, directory: &Path) -> Option<String> {
        // SQLite lets go of the file before it is renamed.
        self.file = None;
        let problem = set_aside(directory, Timestamp::now()).ok()?;
        self.file = Some(connect_checked(&directory.join(FILE)).ok()?);
        Some(problem)
    }

    fn sources(&self) -> impl Iterator<Item = &Connection> {
        self.past.iter().chain(&self.file)
    }

    /// The jobs of a server, those heard of last at the end: a board that is full drops those
    /// known longest.
    fn read_jobs(&self, server: &ServerId) -> rusqlite::Result<Vec<Job>> {
        let limits = Limits::default();
        let mut all = Vec::new();
        for source in self.sources() {
            let mut jobs = Vec::new();
            let mut bytes = 0;
            let mut query = source.prepare_cached(
                "SELECT body FROM jobs WHERE server = ?1 ORDER BY heard_at DESC LIMIT ?2",
            )?;
            let rows =
                query.query_map(params![server.0, limits.jobs], |row| row.get::<_, String>(0))?;
            for body in rows {
                // A row that another version wrote in a way this one cannot read is passed over;
                // the server will tell again.
                let Ok(mut job) = serde_json::from_str::<Job>(&body?) else { continue };
                // The file may hold more than this version lets it, until it is pruned.
                if bytes > limits.bytes {
                    cut(&mut job, CUT);
                }
                bytes += size(&job);
                jobs.push(job);
            }
            jobs.reverse();
            all.append(&mut jobs);
        }
        Ok(all)
    }

    fn read_listings(&self, server: &ServerId) -> rusqlite::Result<Vec<(Topic, Timestamp)>> {
        let mut listings = Vec::new();
        for source in self.sources() {
            let mut query =
                source.prepare_cached("SELECT topic, at FROM listings WHERE server = ?1")?;
            let rows = query.query_map(params![server.0], |row| {
                Ok((row.get::<_, String>(0)?, timestamp(row.get(1)?)))
            })?;
            for row in rows {
                let (topic, at) = row?;
                listings.extend(Topic::parse(&topic).ok().map(|topic| (topic, at)));
            }
        }
        Ok(listings)
    }

    fn read_notices(&self) -> rusqlite::Result<Vec<StoredNotice>> {
        let Some(source) = self.sources().next() else { return Ok(Vec::new()) };
        let mut query = source.prepare_cached(
            "SELECT id, server, job, attempt, outcome, title, body, tone, at, read, dismissed, shown
             FROM notices WHERE dismissed = 0 ORDER BY id DESC LIMIT ?1",
        )?;
        query.query_map(params![MAX_NOTICES as i64], stored_notice)?.collect()
    }

    fn read_timeline(&self, server: &ServerId, job: &JobId) -> rusqlite::Result<Vec<Transition>> {
        let mut steps = Vec::new();
        for source in self.sources() {
            let mut query = source.prepare_cached(
                "SELECT attempt, from_state, to_state, kind, at, error FROM transitions
                 WHERE server = ?1 AND job = ?2 ORDER BY seq DESC LIMIT ?3",
            )?;
            let rows = query.query_map(params![server.0, job.as_str(), MAX_STEPS], |row| {
                Ok(Transition {
                    job: job.clone(),
                    attempt: row.get(0)?,
                    from: row.get::<_, Option<String>>(1)?.map(|word| JobState::from_word(&word)),
                    to: JobState::from_word(&row.get::<_, String>(2)?),
                    kind: kind_from_word(&row.get::<_, String>(3)?),
                    at: timestamp(row.get(4)?),
                    error: row.get(5)?,
                    while_away: false,
                })
            })?;
            let mut part = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            part.reverse();
            steps.append(&mut part);
        }
        Ok(steps)
    }
}

/// A job as it is written.
pub(super) fn body(job: &Job, part: usize) -> serde_json::Result<String> {
    if size(job) <= part {
        return serde_json::to_string(job);
    }
    let mut short = job.clone();
    cut(&mut short, part);
    serde_json::to_string(&short)
}

fn set(
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

fn insert_step(
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
fn announce(connection: &Connection, what: &Announcement) -> rusqlite::Result<Option<i64>> {
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
    let tone = match notice.tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Plain => "plain",
    };
    connection
        .prepare_cached(
            "INSERT INTO notices
                 (server, job, attempt, outcome, title, body, tone, at, read, heard_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            notice.server.0,
            notice.job.as_ref().map(JobId::as_str),
            notice.key.as_ref().map(|key| key.attempt),
            notice.key.as_ref().map(|key| key.outcome.word()),
            notice.title,
            notice.body,
            tone,
            notice.at.as_millisecond(),
            what.read,
            Timestamp::now().as_millisecond(),
        ])?;
    Ok(Some(connection.last_insert_rowid()))
}

fn ledger_key(what: &Announcement) -> Option<LedgerKey> {
    if let Some(key) = &what.notice.key {
        let subject = key.job.as_str().to_owned();
        return Some((key.server.0.clone(), "job", subject, key.attempt, key.outcome.word()));
    }
    let mark = what.mark.clone()?;
    Some((what.notice.server.0.clone(), "server", mark, 0, String::new()))
}

fn in_ledger(connection: &Connection, key: &LedgerKey) -> rusqlite::Result<bool> {
    let (server, kind, subject, attempt, outcome) = key;
    connection
        .prepare_cached(
            "SELECT 1 FROM ledger WHERE server = ?1 AND kind = ?2 AND subject = ?3
             AND attempt = ?4 AND outcome = ?5",
        )?
        .exists(params![server, kind, subject, attempt, outcome])
}

fn stored_notice(row: &Row<'_>) -> rusqlite::Result<StoredNotice> {
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
    let tone = match row.get::<_, String>(7)?.as_str() {
        "good" => Tone::Good,
        "bad" => Tone::Bad,
        _ => Tone::Plain,
    };
    let (title, body) = (row.get(5)?, row.get(6)?);
    let notice = Notice { key, server, job, title, body, tone, at: timestamp(row.get(8)?) };
    Ok(StoredNotice {
        id: row.get(0)?,
        notice,
        read: row.get(9)?,
        dismissed: row.get(10)?,
        shown: row.get(11)?,
    })
}

fn kind_word(kind: TransitionKind) -> &'static str {
    match kind {
        TransitionKind::Found => "found",
        TransitionKind::Moved => "moved",
        TransitionKind::AttemptFailed => "attempt-failed",
        TransitionKind::Outcome => "outcome",
    }
}

fn kind_from_word(word: &str) -> TransitionKind {
    match word {
        "found" => TransitionKind::Found,
        "attempt-failed" => TransitionKind::AttemptFailed,
        "outcome" => TransitionKind::Outcome,
        _ => TransitionKind::Moved,
    }
}

fn timestamp(millisecond: i64) -> Timestamp {
    Timestamp::from_millisecond(millisecond).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Reading what is not there is no reason to stop: it is as if nothing had been kept.
fn or_none<T: Default>(read: rusqlite::Result<T>, what: &str) -> T {
    read.unwrap_or_else(|error| {
        tracing::warn!(%error, what, "the history was not read");
        T::default()
    })
}

/// Why there is no file.
enum Unopened {
    /// It is not this version's to write.
    ForGood(String),
    /// It may be possible later.
    ForNow(String),
}

fn open_file(directory: &Path, now: Timestamp) -> Result<(Connection, Option<String>), Unopened> {
    let for_now = |error: &dyn std::fmt::Display| {
        Unopened::ForNow(format!(
            "The history in {} cannot be opened ({error}). Jobwatch works from memory and keeps \
             trying; what happens meanwhile may be forgotten when it ends.",
            directory.display()
        ))
    };
    crate::settings::create_private_directory(directory).map_err(|error| for_now(&error))?;
    let path = directory.join(FILE);
    match connect_checked(&path) {
        Ok(file) => Ok((file, None)),
        Err(OpenError::Newer) => Err(Unopened::ForGood(format!(
            "The history in {} was written by a newer version of Jobwatch and is left alone. What \
             happens now is forgotten when Jobwatch ends.",
            directory.display()
        ))),
        Err(OpenError::Damaged) => {
            let problem = set_aside(directory, now).map_err(|error| for_now(&error))?;
            match connect_checked(&path) {
                Ok(file) => Ok((file, Some(problem))),
                Err(OpenError::Other(error)) => Err(for_now(&error)),
                Err(_) => Err(for_now(&"the new file is damaged too")),
            }
        }
        Err(OpenError::Other(error)) => Err(for_now(&error)),
    }
}

/// The file as it is, to be read while it cannot be written.
fn open_past(directory: &Path) -> Option<Connection> {
    let path = directory.join(FILE);
    if !path.exists() {
        return None;
    }
    let readable = |past: Connection| {
        past.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map(|()| past)
    };
    // The index of the write-ahead log needs a file of its own, which a full disk has no room for,
    // unless nobody else may look at it: then it is kept in memory.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let exclusive = Connection::open_with_flags(&path, flags).and_then(|past| {
        past.pragma_update(None, "locking_mode", "exclusive")?;
        readable(past)
    });
    // Where nothing may be written at all, what the log holds is not seen.
    exclusive
        .or_else(|_| {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
                | OpenFlags::SQLITE_OPEN_NO_MUTEX
                | OpenFlags::SQLITE_OPEN_URI;
            let mut url = url::Url::from_file_path(std::path::absolute(&path).unwrap_or(path))
                .map_err(|()| rusqlite::Error::InvalidQuery)?;
            url.set_query(Some("immutable=1"));
            readable(Connection::open_with_flags(url.as_str(), flags)?)
        })
        .inspect_err(|error| tracing::warn!(%error, "the history was not read either"))
        .ok()
}

enum OpenError {
    /// The file is not what SQLite wrote.
    Damaged,
    /// A later version of this program wrote it.
    Newer,
    Other(String),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> OpenError {
        if is_damaged(&error) { OpenError::Damaged } else { OpenError::Other(error_words(&error)) }
    }
}

fn connect_checked(path: &Path) -> Result<Connection, OpenError> {
    let mut file = connect(path)?;
    if std::fs::metadata(path).is_ok_and(|file| file.len() <= MAX_CHECKED) {
        let verdict: String = file.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(OpenError::Damaged);
        }
    }
    migrate(&mut file).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => OpenError::from(err),
        rusqlite_migration::Error::MigrationDefinition(
            rusqlite_migration::MigrationDefinitionError::DatabaseTooFarAhead,
        ) => OpenError::Newer,
        other => OpenError::Other(other.to_string()),
    })?;
    Ok(file)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let file = Connection::open(path)?;
    file.busy_timeout(Duration::from_secs(2))?;
    // A file system that cannot do WAL (some network mounts) answers with another mode; the
    // history works there too, only slower.
    let mode: String =
        file.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(%mode, "the history runs without a write-ahead log");
    }
    // In WAL mode this survives a killed process; only a power cut may lose the last moments.
    file.pragma_update(None, "synchronous", "normal")?;
    file.set_prepared_statement_cache_capacity(32);
    Ok(file)
}

fn migrate(file: &mut Connection) -> Result<(), rusqlite_migration::Error> {
    schema::migrations().to_latest(file)
}

/// Renames the file and its companions to a dated name.
fn set_aside(directory: &Path, now: Timestamp) -> std::io::Result<String> {
    let stamp = now.strftime("%Y%m%d-%H%M%S");
    let mut name = format!("history-damaged-{stamp}.sqlite");
    let mut again = 1;
    while directory.join(&name).exists() {
        again += 1;
        name = format!("history-damaged-{stamp}-{again}.sqlite");
    }
    std::fs::rename(directory.join(FILE), directory.join(&name))?;
    for suffix in ["-wal", "-shm"] {
        let companion = directory.join(format!("{FILE}{suffix}"));
        if companion.exists() {
            std::fs::rename(companion, directory.join(format!("{name}{suffix}")))?;
        }
    }
    Ok(format!(
        "The history was damaged. It is set aside as {} in {}, and a new one has been begun.",
        name,
        directory.display()
    ))
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn error_words(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "writing is not permitted".to_owned()
        }
        Some(ErrorCode::CannotOpen) => "the file cannot be opened".to_owned(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds it locked".to_owned()
        }
        _ => error.to_string(),
    }
}
