//! The file behind the history, and what waits to be written to it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jobwatch_core::jobs::{Transition, TransitionKind, cut, size};
use jobwatch_core::model::{Job, JobId, JobState, Texts, Topic};
use jobwatch_core::redact::Redactor;
use jobwatch_core::server::ServerId;
use rusqlite::{Connection, OpenFlags, params};
use tokio::sync::mpsc;

use super::open::{
    Unopened, connect_checked, describe_error, is_damaged, migrate, open_file, open_past, set_aside,
};
use super::prune::{CUT, Limits, prune};
use super::rows::{
    MAX_PART, announce, body, forget_job, in_ledger, insert_step, kind_from_word, kind_word,
    ledger_key, set, stored_notice, timestamp,
};
use super::standby::Turn;
use super::waiting::{Waiting, Write};
use super::{FILE, Location, RETRY, Remembered, Reply, Request, StoredNotice, standby};

/// Notices handed to the engine at the start.
pub(crate) const MAX_NOTICES: usize = 5_000;
/// Among so many last steps the last ends are looked for: a start does not wait for more.
const MAX_LOOKED: i64 = 20_000;
/// Steps of one job that are shown.
const MAX_STEPS: i64 = 1_000;
/// How often what is too old or too much is dropped.
const PRUNE_EVERY: Duration = Duration::from_secs(3_600);
/// Jobs that are handed from thread to thread at a time.
const BATCH: usize = 256;
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
    pub(super) file: Option<Connection>,
    /// Where the past is read from, when it is not to be written, or cannot be for now.
    past: Option<Connection>,
    /// Where the file is, unless everything is kept in memory.
    directory: Option<PathBuf>,
    pub(super) waiting: Waiting,
    /// The file's numbers of notices that were announced under a preliminary one.
    renumbered: HashMap<i64, i64>,
    preliminary: i64,
    /// Whether the last write failed, which was reported.
    failing: bool,
    /// Whether it was reported that something is dropped meanwhile.
    reported_dropped: bool,
    /// Whose turn it is to announce.
    pub(super) turn: Turn,
    /// The newest notice of the file that is known.
    pub(super) seen: i64,
    /// When old rows were last dropped: not at the start, which waits for nothing that can wait.
    pruned: Option<Instant>,
}

impl Store {
    /// Opens the store, in memory if need be. The text says what went wrong.
    pub(super) fn open(location: &Location, now: Timestamp) -> (Store, Option<String>) {
        match location {
            Location::Memory => Store::memory(None, None),
            Location::ReadOnly(directory) => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let path = directory.join(FILE);
                let past = path.exists().then(|| Connection::open_with_flags(&path, flags));
                Store::memory(past.and_then(Result::ok), None)
            }
            Location::Directory(directory) => match open_file(directory, now) {
                Ok((file, problem)) => {
                    let mut store = Store::over(Some(file), None, Some(directory.clone()));
                    store.turn = Turn::first(directory);
                    let theirs = store.stands_by().then(|| standby::message(directory));
                    (store, problem.or(theirs))
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
            reported_dropped: false,
            turn: Turn::alone(),
            seen: 0,
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
                if let (Some(step), Some(job)) = (&announcement.step, &announcement.job) {
                    let server = announcement.notice.server.clone();
                    waiting.job(server.clone(), Arc::clone(job), failing);
                    waiting.write(Write::Step(server, step.clone()));
                }
                waiting.write(Write::Announce(announcement, None));
            }
            Request::Handed(popup, ids) => waiting.write(Write::Handed(popup, ids)),
            Request::Then(what) => answers.push(Box::new(move |_| what())),
            Request::Shown(ids) => waiting.write(Write::Shown(ids)),
            Request::Read(ids, read) => waiting.write(Write::Read(ids, read)),
            Request::ReadAll => waiting.write(Write::ReadAll),
            Request::Dismiss(ids, dismissed) => waiting.write(Write::Dismiss(ids, dismissed)),
            Request::Output(id, text) => waiting.write(Write::Output(id, text)),
            Request::Forget(server) => waiting.write(Write::Forget(server)),
            Request::ForgetJob(server, job) => waiting.write(Write::ForgetJob(server, job)),
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
                    let notices = or_none(store.read_notices(), "notices");
                    store.note_seen(&notices);
                    let _ = answer.send(notices);
                }));
                return Urgency::Now;
            }
            Request::Ends(count, answer) => {
                answers.push(Box::new(move |store| {
                    let _ = answer.send(or_none(store.read_ends(count), "ends"));
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

    /// Announces what must not wait for the disk, and drops what is too much.
    pub(super) fn go_on_from_memory(&mut self, replies: &mpsc::UnboundedSender<Reply>) {
        if self.stands_by() {
            return;
        }
        self.announce_unwritten(replies);
        self.waiting.bound();
        if self.waiting.dropped() > 0 && !self.reported_dropped {
            self.reported_dropped = true;
            let problem = "The history cannot be written, and more waits for it than is kept in \
                           memory: a part of what happens now will be missing from it."
                .to_owned();
            let _ = replies.send(Reply::Health(Some(problem)));
        }
    }

    /// After which time a write that was not made is tried again.
    pub(super) fn retry(&self) -> Duration {
        if self.stands_by() { standby::LOOK } else { RETRY }
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
        if self.stands_by() && !self.look_for_turn(replies) {
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
                describe_error(&error)
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
        self.reported_dropped = false;
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

    /// Announces what cannot be written, once, under a preliminary number.
    fn announce_unwritten(&mut self, replies: &mpsc::UnboundedSender<Reply>) {
        let mut announced = Vec::new();
        for (announcement, number) in self.waiting.unannounced() {
            self.preliminary -= 1;
            *number = Some(self.preliminary);
            let stored = StoredNotice::announced(self.preliminary, announcement);
            let job = announcement.job.clone();
            let reply = Reply::Recorded {
                stored: Box::new(stored),
                away: announcement.away,
                job,
                covers: announcement.covers.clone(),
            };
            announced.push((ledger_key(announcement), reply));
        }
        for (key, reply) in announced {
            let known = key.is_some_and(|key| {
                // Reading often still works where writing does not.
                // A past that is only read is another program's to announce.
                let ledger = self.file.as_ref().or(self.past.as_ref());
                let written = ledger.is_some_and(|of| in_ledger(of, &key).unwrap_or(false));
                written || !self.waiting.note_announced(key)
            });
            if !known {
                let _ = replies.send(reply);
            }
        }
    }

    pub(super) fn write(&mut self) -> rusqlite::Result<Vec<Reply>> {
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
                let seen = job.last_seen.as_millisecond();
                let bytes = i64::try_from(body.len()).unwrap_or(i64::MAX);
                keep.execute(params![server.0, id.as_str(), seen, body, bytes])?;
            }
            for write in self.waiting.writes() {
                let renumber =
                    |id: &i64| *renumbered.get(id).or(self.renumbered.get(id)).unwrap_or(id);
                match write {
                    Write::Step(server, step) => insert_step(&transaction, server, step)?,
                    Write::Announce(announcement, number) => {
                        let Some(id) = announce(&transaction, announcement)? else { continue };
                        let mut cover = transaction.prepare_cached(
                            "UPDATE notices SET shown = 1, summary = ?2 WHERE id = ?1",
                        )?;
                        for covered in announcement.covers.iter().map(renumber) {
                            cover.execute(params![covered, id])?;
                        }
                        match number {
                            Some(preliminary) => {
                                renumbered.insert(*preliminary, id);
                            }
                            None => recorded.push(Reply::Recorded {
                                stored: Box::new(StoredNotice::announced(id, announcement)),
                                away: announcement.away,
                                job: announcement.job.clone(),
                                covers: announcement.covers.clone(),
                            }),
                        }
                    }
                    Write::Handed(popup, ids) => {
                        let mut hand = transaction.prepare_cached(
                            "UPDATE notices SET slot = ?2, told = ?3 WHERE id = ?1",
                        )?;
                        for id in ids.iter().map(renumber) {
                            hand.execute(params![id, popup.popup_id as i64, popup.count as i64])?;
                        }
                    }
                    Write::Shown(ids) => {
                        let sql = "UPDATE notices SET shown = ?2 WHERE id = ?1";
                        set(&transaction, sql, ids.iter().map(renumber), true)?;
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
                    Write::Output(id, text) => {
                        // A notice may have several programs: what they print follows each other.
                        transaction
                            .prepare_cached(
                                "UPDATE notices SET output = ifnull(output || char(10), '') || ?2
                                 WHERE id = ?1",
                            )?
                            .execute(params![renumber(id), text])?;
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
                    // Told of again since, it is kept.
                    Write::ForgetJob(server, job) if self.waiting.holds(server, job) => {}
                    Write::ForgetJob(server, job) => forget_job(&transaction, server, job)?,
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

    /// The jobs of a server, those reported last at the end: a job store that is full drops those
    /// known longest.
    fn read_jobs(&self, server: &ServerId) -> rusqlite::Result<Vec<Arc<Job>>> {
        let limits = Limits::default();
        let mut all = Vec::new();
        for source in self.sources() {
            let mut query = source.prepare_cached(
                "SELECT body FROM jobs WHERE server = ?1 ORDER BY heard_at DESC LIMIT ?2",
            )?;
            let rows =
                query.query_map(params![server.0, limits.jobs], |row| row.get::<_, String>(0))?;
            // What one thread has read from the file another makes jobs of: both take as long.
            let mut jobs = std::thread::scope(|scope| {
                let (bodies, taken) = sync_channel::<Vec<String>>(4);
                let jobs = scope.spawn(move || {
                    let mut jobs = Vec::new();
                    let mut reader =
                        BodyReader { bytes: 0, most: limits.bytes, texts: Texts::default() };
                    for body in taken.into_iter().flatten() {
                        jobs.extend(reader.read(&body));
                    }
                    jobs
                });
                let mut batch = Vec::with_capacity(BATCH);
                for body in rows {
                    batch.push(body?);
                    if batch.len() == BATCH {
                        // It ends only with what it is sent.
                        let _ =
                            bodies.send(std::mem::replace(&mut batch, Vec::with_capacity(BATCH)));
                    }
                }
                let _ = bodies.send(batch);
                drop(bodies);
                Ok::<_, rusqlite::Error>(
                    jobs.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                )
            })?;
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

    pub(super) fn read_notices(&self) -> rusqlite::Result<Vec<StoredNotice>> {
        let Some(source) = self.sources().next() else { return Ok(Vec::new()) };
        let mut query = source.prepare_cached(
            "SELECT id, server, job, attempt, outcome, title, body, tone, at, read, dismissed, shown,
                    kind, rule, name, error, output, slot, told, summary, decision, mark
             FROM notices WHERE dismissed = 0 ORDER BY id DESC LIMIT ?1",
        )?;
        query.query_map(params![MAX_NOTICES as i64], stored_notice)?.collect()
    }

    /// The last ends of jobs, oldest first, with the jobs as they are now.
    fn read_ends(&self, count: usize) -> rusqlite::Result<Vec<(ServerId, Transition, Job)>> {
        let Some(source) = self.sources().next() else { return Ok(Vec::new()) };
        let mut query = source.prepare_cached(
            "SELECT t.server, t.job, t.attempt, t.to_state, t.at, t.error, j.body
             FROM transitions t JOIN jobs j ON j.server = t.server AND j.id = t.job
             WHERE t.kind = ?1 AND t.seq > (SELECT max(seq) FROM transitions) - ?3
             ORDER BY t.seq DESC LIMIT ?2",
        )?;
        let ends = params![kind_word(TransitionKind::Outcome), count as i64, MAX_LOOKED];
        let rows = query.query_map(ends, |row| {
            let step = Transition {
                job: JobId::from(row.get::<_, String>(1)?),
                attempt: row.get(2)?,
                from: None,
                to: JobState::from_word(&row.get::<_, String>(3)?),
                kind: TransitionKind::Outcome,
                at: timestamp(row.get(4)?),
                error: row.get(5)?,
                while_away: false,
            };
            Ok((ServerId(row.get(0)?), step, row.get::<_, String>(6)?))
        })?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        // A body that cannot be read any more is passed over, as where all jobs are read.
        let read = |(server, step, body): (_, _, String)| {
            Some((server, step, serde_json::from_str(&body).ok()?))
        };
        Ok(rows.into_iter().rev().filter_map(read).collect())
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

/// Makes jobs of what was kept of them.
struct BodyReader {
    /// Of all jobs so far.
    bytes: usize,
    most: usize,
    texts: Texts,
}

impl BodyReader {
    /// A job, unless another version wrote it in a way that this one cannot read: the server will
    /// report it again.
    fn read(&mut self, body: &str) -> Option<Arc<Job>> {
        let mut job = serde_json::from_str::<Job>(body).ok()?;
        // The file may hold more than this version lets it, until it is pruned.
        if self.bytes > self.most {
            cut(&mut job, CUT, &Redactor::default());
        }
        self.bytes += size(&job);
        self.texts.share(&mut job.extra);
        Some(Arc::new(job))
    }
}

/// Reading what is not there is no reason to stop: it is as if nothing had been kept.
fn or_none<T: Default>(read: rusqlite::Result<T>, what: &str) -> T {
    read.unwrap_or_else(|error| {
        tracing::warn!(%error, what, "the history was not read");
        T::default()
    })
}
