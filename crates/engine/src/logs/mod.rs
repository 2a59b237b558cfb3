//! The log store: every line of every watched job, on the disk, in order, within a budget.
//!
//! A job's log is a directory of segments: a file of text and an index of its lines (`segment`,
//! `record`), with a small file that tells of lines which came late (`steps`, `order`). `log` takes
//! lines in, `snapshot` reads them, `catalogue` knows all logs, `find` searches them. One thread
//! writes; whoever reads has a snapshot, which stays as it is. The format is described in
//! `docs/log-format.md`.
//!
//! A line is written before anybody is told of it, so that one which was shown is there after the
//! program is killed. What was written is put on the disk every [`SYNC`].

pub mod bits;
pub mod catalogue;
pub mod find;
pub mod log;
pub mod order;
pub mod reader;
pub mod record;
pub mod save;
pub mod segment;
pub mod snapshot;
mod steps;
#[cfg(test)]
mod tests;
pub mod text;
mod trace;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jobwatch_core::log::LogLines;
use jobwatch_core::model::Source;
use jobwatch_core::server::ServerId;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

pub use catalogue::Owner;
use catalogue::{Catalogue, Size};
use log::JobLog;
use segment::Segment;
pub use snapshot::Snapshot;

/// Between two times at which what was written is put on the disk.
pub const SYNC: Duration = Duration::from_secs(1);
/// Between two times at which somebody is told of changes while much comes; the first after a pause
/// is told at once.
const PACE: Duration = Duration::from_millis(8);
/// Between attempts to write while the disk refuses.
const RETRY: Duration = Duration::from_secs(5);
/// Between looks for logs that are too old.
const SWEEP: Duration = Duration::from_secs(600);
/// Logs held open; more are closed, the longest untouched first.
const MAX_OPEN: usize = 96;
/// Bytes that all logs together may hold in memory, for want of a disk.
const MAX_IN_MEMORY: u64 = 96 << 20;
/// Logs dropped at a time.
const DROPPED_AT_ONCE: u32 = 64;

/// Where logs are kept.
#[derive(Clone, Debug)]
pub enum Place {
    /// In this directory.
    Directory(PathBuf),
    /// Read from there, but written to memory only.
    ReadOnly(PathBuf),
    /// In memory only.
    Memory,
}

/// How much of a server's logs is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of all its logs together.
    pub bytes: u64,
    /// Days after which the log of an ended job is dropped; 0 for never.
    pub days: u32,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { bytes: 2 << 30, days: 90 }
    }
}

/// What the store tells on its own account.
#[derive(Debug)]
pub enum Told {
    /// How many lines a log has now.
    Count(Owner, u64),
    /// A watched log as it is now.
    Log(Owner, LogNow),
    /// Lines that were new, where somebody wants to hear them.
    Kept {
        /// Whose.
        owner: Owner,
        /// Number of the first in the order of storing; the others follow it.
        first: u64,
        /// The lines, in the order of storing.
        lines: LogLines,
        /// Where they came from.
        source: Source,
    },
    /// How the store does: `None` when well, else a sentence for people.
    Health(Option<String>),
}

/// A log as it is now.
#[derive(Clone, Debug, Default)]
pub struct LogNow {
    /// Its lines.
    pub lines: Arc<Snapshot>,
    /// Stretches of time in which lines may have been missed, in nanoseconds since 1970: the time of
    /// the last line before and that of the first one after.
    pub gaps: Vec<(i64, i64)>,
    /// The position from which on the server's lines are not known, where it counts them.
    pub next_position: u64,
}

enum Request {
    Append {
        owner: Owner,
        lines: LogLines,
        source: Source,
        /// Held until the lines are written, so that a server that sends too much waits.
        _share: Option<Arc<OwnedSemaphorePermit>>,
    },
    Watch(Owner),
    Unwatch(Owner),
    Count(Owner),
    Unheard(ServerId),
    Ended(Owner, bool),
    Forget(ServerId),
    Budget(Option<ServerId>, Option<Budget>),
    Flush(oneshot::Sender<()>),
}

/// The engine's end of the store; cheap to clone. The thread ends, after a last flush, when the last
/// clone is gone.
#[derive(Clone, Debug)]
pub struct LogStore {
    requests: Sender<Request>,
}

impl LogStore {
    /// Opens the store. It always opens: what stands in the way is told through `told`. With
    /// `lines_wanted` every new line is told as well.
    #[must_use]
    pub fn open(place: Place, lines_wanted: bool, told: mpsc::UnboundedSender<Told>) -> LogStore {
        let (requests, taken) = channel();
        let run = move || Store::open(place, lines_wanted, told).run(&taken);
        if let Err(error) = std::thread::Builder::new().name("logs".to_owned()).spawn(run) {
            // The receiver is gone with the closure: requests are dropped unheard.
            tracing::error!(%error, "the log store's thread did not start");
        }
        LogStore { requests }
    }

    /// Takes lines in.
    pub fn append(
        &self,
        owner: Owner,
        lines: LogLines,
        source: Source,
        share: Option<Arc<OwnedSemaphorePermit>>,
    ) {
        self.send(Request::Append { owner, lines, source, _share: share });
    }

    /// Tells of the log as it is, and of every change, until it is unwatched as often. A watched
    /// log is dropped by no budget.
    pub fn watch(&self, owner: Owner) {
        self.send(Request::Watch(owner));
    }

    /// See [`LogStore::watch`].
    pub fn unwatch(&self, owner: Owner) {
        self.send(Request::Unwatch(owner));
    }

    /// Asks for how many lines a log has; told as [`Told::Count`].
    pub fn count(&self, owner: Owner) {
        self.send(Request::Count(owner));
    }

    /// Notes that a server's socket is not live any more: lines may be missed from here on.
    pub fn unheard(&self, server: ServerId) {
        self.send(Request::Unheard(server));
    }

    /// Notes whether a job has ended: such logs are dropped first.
    pub fn ended(&self, owner: Owner, ended: bool) {
        self.send(Request::Ended(owner, ended));
    }

    /// Drops the logs of a server that was removed.
    pub fn forget(&self, server: ServerId) {
        self.send(Request::Forget(server));
    }

    /// Sets the budget of a server, or of all that have none of their own.
    pub fn budget(&self, server: Option<ServerId>, budget: Option<Budget>) {
        self.send(Request::Budget(server, budget));
    }

    /// Puts everything on the disk; returns when that is done or has failed.
    pub async fn flush(&self) {
        let (done, finished) = oneshot::channel();
        self.send(Request::Flush(done));
        // The thread may have ended.
        let _ = finished.await;
    }

    fn send(&self, request: Request) {
        // A store that has ended keeps nothing more.
        let _ = self.requests.send(request);
    }
}

/// A log at hand.
struct Open {
    log: JobLog,
    size: Size,
    /// Counts the uses, to tell which is longest unused.
    used: u64,
    /// Has changed since it was told of.
    changed: bool,
    /// Lines were taken in that are not written.
    unwritten: bool,
    /// Its bytes, as they count for its server.
    measured: u64,
    /// Has changed since it was put on the disk.
    unsynced: bool,
    /// Has changed since it was put into the catalogue.
    uncounted: bool,
    /// See [`LogNow::gaps`], ascending.
    gaps: Vec<(i64, i64)>,
    /// Nothing is heard of it since a line of this time.
    unheard: Option<i64>,
}

/// Gaps kept of one log; of more, the oldest are forgotten.
const MAX_GAPS: usize = 100;

impl Open {
    fn state(&self) -> LogNow {
        LogNow {
            lines: Arc::new(self.log.snapshot()),
            gaps: self.gaps.clone(),
            next_position: self.log.next_position(),
        }
    }

    /// The socket is not live any more. A log that does not come over it misses nothing.
    fn stop_hearing(&mut self) {
        if !self.size.ended && self.log.streams() {
            self.unheard = self.unheard.or(self.log.last_time());
        }
    }

    /// What came closes gaps, or tells that there is one; answers whether the gaps have changed.
    fn heard(&mut self, times: Option<(i64, i64)>, source: Source) -> bool {
        let Some((first, last)) = times else { return false };
        let before = self.gaps.clone();
        // An answer that reaches from before a gap to behind it holds what it missed.
        self.gaps.retain(|(from, to)| !(first <= *from && last >= *to));
        if let Some(since) = self.unheard {
            if first <= since && last > since {
                self.unheard = None;
            } else if first > since && source == Source::Socket {
                self.unheard = None;
                self.gaps.push((since, first));
                self.gaps.sort_unstable();
                let excess = self.gaps.len().saturating_sub(MAX_GAPS);
                self.gaps.drain(..excess);
            }
        }
        before != self.gaps
    }
}

struct Store {
    root: Option<PathBuf>,
    write: bool,
    catalogue: Option<Catalogue>,
    open: HashMap<Owner, Open>,
    watched: HashMap<Owner, u32>,
    /// Logs that were at hand in this run.
    heard: HashSet<Owner>,
    /// Bytes of each server's logs.
    bytes: BTreeMap<ServerId, u64>,
    budget: Budget,
    budgets: HashMap<ServerId, Budget>,
    uses: u64,
    told: mpsc::UnboundedSender<Told>,
    lines_wanted: bool,
    problem: Option<String>,
    syncs: Option<Sender<Vec<Arc<Segment>>>>,
    /// Something has changed that nobody was told of.
    untold: bool,
    told_at: Instant,
}

impl Store {
    fn open(place: Place, lines_wanted: bool, told: mpsc::UnboundedSender<Told>) -> Store {
        let (root, write) = match place {
            Place::Directory(root) => (Some(root), true),
            Place::ReadOnly(root) => (Some(root), false),
            Place::Memory => (None, false),
        };
        let mut store = Store {
            root,
            write,
            catalogue: None,
            open: HashMap::new(),
            watched: HashMap::new(),
            heard: HashSet::new(),
            bytes: BTreeMap::new(),
            budget: Budget::default(),
            budgets: HashMap::new(),
            uses: 0,
            told,
            lines_wanted,
            problem: None,
            syncs: None,
            untold: false,
            told_at: Instant::now(),
        };
        if let Some(root) = store.root.clone().filter(|_| write) {
            match begin(&root) {
                Ok((catalogue, bytes)) => {
                    store.catalogue = Some(catalogue);
                    store.bytes = bytes;
                    store.syncs = syncing();
                }
                Err(reason) => {
                    store.write = false;
                    store.problem(Some(format!(
                        "Logs are not written to the disk ({reason}). They are kept in memory \
                         until the program ends."
                    )));
                }
            }
        }
        store
    }

    fn run(mut self, requests: &Receiver<Request>) {
        let mut synced = Instant::now();
        let mut swept = Instant::now();
        let mut retried = Instant::now();
        loop {
            let busy = self.open.values().any(|open| open.unsynced || open.uncounted);
            let wait = if busy || self.problem.is_some() { SYNC } else { SWEEP };
            let wait = match self.untold {
                true => PACE,
                false => wait.saturating_sub(synced.elapsed()).max(PACE),
            };
            match requests.recv_timeout(wait) {
                Ok(request) => {
                    let mut waiting: Vec<_> = self.take(request).into_iter().collect();
                    // What has queued up meanwhile is taken before anybody is told.
                    for _ in 0..64 {
                        let Ok(request) = requests.try_recv() else { break };
                        waiting.extend(self.take(request));
                    }
                    if self.told_at.elapsed() >= PACE || !waiting.is_empty() {
                        self.tell();
                    } else {
                        self.untold = true;
                    }
                    for done in waiting {
                        self.count();
                        self.sync(true);
                        // Whoever waited may have gone.
                        let _ = done.send(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    if self.untold {
                        self.tell();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.count();
                    self.sync(true);
                    return;
                }
            }
            if synced.elapsed() >= SYNC {
                synced = Instant::now();
                self.count();
                self.sync(false);
                self.keep_to_budget();
                self.close_some();
            }
            if swept.elapsed() >= SWEEP {
                swept = Instant::now();
                self.sweep();
            }
            if self.problem.is_some() && retried.elapsed() >= RETRY {
                retried = Instant::now();
                self.retry();
            }
        }
    }

    fn take(&mut self, request: Request) -> Option<oneshot::Sender<()>> {
        match request {
            Request::Append { owner, lines, source, .. } => self.append(&owner, &lines, source),
            Request::Watch(owner) => {
                *self.watched.entry(owner.clone()).or_default() += 1;
                match self.at_hand(&owner, false) {
                    Some(open) => open.changed = true,
                    None => self.say(Told::Log(owner, LogNow::default())),
                }
            }
            Request::Count(owner) => {
                let open = self.open.get(&owner).map(|open| open.log.len());
                let known = || self.catalogue.as_ref()?.size(&owner).ok()?.map(|size| size.lines);
                let lines = open.or_else(known).unwrap_or(0);
                self.say(Told::Count(owner, lines));
            }
            Request::Unheard(server) => {
                let of = self.open.iter_mut().filter(|(owner, _)| owner.server == server);
                for (_, open) in of {
                    open.stop_hearing();
                }
            }
            Request::Unwatch(owner) => {
                if let Some(count) = self.watched.get_mut(&owner) {
                    *count -= 1;
                    if *count == 0 {
                        self.watched.remove(&owner);
                    }
                }
            }
            Request::Ended(owner, ended) => self.note_end(owner, ended),
            Request::Forget(server) => self.forget(&server),
            Request::Budget(Some(server), Some(budget)) => {
                self.budgets.insert(server, budget);
            }
            Request::Budget(Some(server), None) => {
                self.budgets.remove(&server);
            }
            Request::Budget(None, budget) => self.budget = budget.unwrap_or_default(),
            Request::Flush(done) => return Some(done),
        }
        None
    }

    fn append(&mut self, owner: &Owner, lines: &LogLines, source: Source) {
        if lines.is_empty() {
            return;
        }
        let lines_wanted = self.lines_wanted;
        let Some(open) = self.at_hand(owner, true) else { return };
        let (taken, problem) = open.log.take(lines, source);
        let times = || lines.iter().filter_map(|line| line.at).map(record::nanoseconds);
        let span = times().min().zip(times().max());
        let gaps = (open.unheard.is_some() || !open.gaps.is_empty()) && open.heard(span, source);
        if gaps {
            open.changed = true;
            open.log.keep_gaps(&open.gaps);
        }
        if !taken.lines.is_empty() {
            open.changed = true;
            open.unsynced = true;
            open.uncounted = true;
            open.unwritten = true;
        }
        if lines_wanted && !taken.lines.is_empty() {
            let kept = taken.lines.iter().filter_map(|at| lines.get(*at)).collect();
            let (owner, first) = (owner.clone(), taken.first);
            self.say(Told::Kept { owner, first, lines: kept, source });
        }
        if let Some(error) = problem {
            self.problem(Some(refused(&error)));
        }
    }

    /// Writes the lines that were taken in.
    fn write(&mut self) {
        let now = Timestamp::now().as_millisecond();
        let (mut problem, mut in_memory) = (None, false);
        for (owner, open) in &mut self.open {
            if !std::mem::take(&mut open.unwritten) {
                continue;
            }
            if let Err(error) = open.log.write() {
                problem = Some(error);
            }
            open.size.touched = now;
            let (before, after) = (open.measured, open.log.bytes());
            open.measured = after;
            let bytes = self.bytes.entry(owner.server.clone()).or_default();
            *bytes = (*bytes + after).saturating_sub(before);
            in_memory |= open.log.bytes_in_memory() > 0;
        }
        if let Some(error) = problem {
            self.problem(Some(refused(&error)));
        }
        if in_memory {
            self.keep_memory_small();
        }
    }

    /// The log, opened or, with `create`, made; `None` where there is none.
    fn at_hand(&mut self, owner: &Owner, create: bool) -> Option<&mut Open> {
        self.uses += 1;
        if !self.open.contains_key(owner) {
            let open = self.bring(owner, create)?;
            self.open.insert(owner.clone(), open);
        }
        let open = self.open.get_mut(owner)?;
        open.used = self.uses;
        Some(open)
    }

    fn bring(&mut self, owner: &Owner, create: bool) -> Option<Open> {
        let known = self.catalogue.as_ref().and_then(|all| all.size(owner).ok().flatten());
        let size = known.unwrap_or_default();
        let dir = self.root.as_ref().map(|root| catalogue::directory(root, owner));
        let mut log = None;
        if let Some(dir) = dir.as_ref().filter(|dir| dir.is_dir()) {
            match JobLog::open(dir, self.write) {
                Ok((found, problems)) => {
                    for problem in problems {
                        tracing::warn!(?dir, problem, "a part of a log cannot be read");
                    }
                    log = Some(found);
                }
                Err(error) => {
                    tracing::warn!(?dir, %error, "a log cannot be read");
                    self.problem(Some(format!(
                        "The log of the job {} cannot be read ({error}). New lines are kept in \
                         memory.",
                        owner.job
                    )));
                    log = JobLog::create(None).ok();
                }
            }
        } else if create {
            log = match dir.filter(|_| self.write) {
                Some(dir) => self.create(&dir, owner),
                None => JobLog::create(None).ok(),
            };
        }
        let log = log?;
        let gaps = log.read_gaps();
        let measured = log.bytes();
        let mut open = Open {
            log,
            size,
            used: self.uses,
            changed: false,
            unwritten: false,
            measured,
            unsynced: false,
            uncounted: false,
            gaps,
            unheard: None,
        };
        // Nobody listened since it was closed, unless that was for want of room only.
        if !self.heard.contains(owner) {
            open.stop_hearing();
        }
        self.heard.insert(owner.clone());
        Some(open)
    }

    fn create(&mut self, dir: &Path, owner: &Owner) -> Option<JobLog> {
        let made = JobLog::create(Some(dir)).and_then(|log| {
            catalogue::mark(dir, owner)?;
            Ok(log)
        });
        match made {
            Ok(log) => Some(log),
            Err(error) => {
                self.problem(Some(format!(
                    "Logs cannot be written to the disk ({error}). New lines are kept in memory."
                )));
                JobLog::create(None).ok()
            }
        }
    }

    /// Tells of the logs that have changed.
    fn tell(&mut self) {
        self.write();
        self.untold = false;
        self.told_at = Instant::now();
        let mut all = Vec::new();
        for (owner, open) in &mut self.open {
            if !std::mem::take(&mut open.changed) {
                continue;
            }
            all.push(Told::Count(owner.clone(), open.log.len()));
            if self.watched.contains_key(owner) {
                all.push(Told::Log(owner.clone(), open.state()));
            }
        }
        for told in all {
            self.say(told);
        }
    }

    fn say(&self, told: Told) {
        // Nobody listens any more when the program ends.
        let _ = self.told.send(told);
    }

    fn problem(&mut self, problem: Option<String>) {
        if self.problem != problem {
            self.problem.clone_from(&problem);
            self.say(Told::Health(problem));
        }
    }

    /// Puts into the catalogue what has changed.
    fn count(&mut self) {
        self.write();
        let Some(catalogue) = &mut self.catalogue else { return };
        let mut changed = Vec::new();
        for (owner, open) in &mut self.open {
            if std::mem::take(&mut open.uncounted) {
                open.size.lines = open.log.len();
                open.size.bytes = open.log.bytes();
                changed.push((owner.clone(), open.size));
            }
        }
        if !changed.is_empty()
            && let Err(error) = catalogue.put(&changed)
        {
            // It is made anew when it is lost.
            tracing::warn!(%error, "the catalogue of logs could not be written");
        }
    }

    fn sync(&mut self, wait: bool) {
        let mut segments: Vec<Arc<Segment>> = Vec::new();
        for open in self.open.values_mut() {
            if std::mem::take(&mut open.unsynced) {
                segments.push(Arc::clone(open.log.segment()));
            }
        }
        if segments.is_empty() || !self.write {
            return;
        }
        if wait {
            sync_all(&segments);
        } else if let Some(syncs) = &self.syncs {
            // The thread ends with this sender only.
            let _ = syncs.send(segments);
        }
    }

    fn retry(&mut self) {
        if self.root.is_none() || !self.write {
            return;
        }
        let mut problem = None;
        let mut lost = Vec::new();
        for (owner, open) in &mut self.open {
            if open.log.bytes_in_memory() == 0 {
                continue;
            }
            match open.log.try_disk_again() {
                Ok(()) => open.unsynced = true,
                Err(error) => problem = Some(error),
            }
            if open.log.bytes_in_memory() > 0 && problem.is_none() {
                lost.push(owner.clone());
            }
        }
        if problem.is_none() {
            // Logs that could not even be begun are begun when their next line comes.
            for owner in lost {
                if !self.watched.contains_key(&owner) {
                    self.open.remove(&owner);
                }
            }
            self.problem(None);
        }
    }

    fn note_end(&mut self, owner: Owner, ended: bool) {
        if let Some(open) = self.open.get_mut(&owner) {
            if open.size.ended != ended {
                open.size.ended = ended;
                open.uncounted = true;
            }
            return;
        }
        let known = self.catalogue.as_ref().and_then(|all| all.size(&owner).ok().flatten());
        if let Some(size) = known.filter(|size| size.ended != ended)
            && let Some(catalogue) = &mut self.catalogue
            && let Err(error) = catalogue.put(&[(owner, Size { ended, ..size })])
        {
            tracing::warn!(%error, "the catalogue of logs could not be written");
        }
    }

    fn forget(&mut self, server: &ServerId) {
        self.open.retain(|owner, _| owner.server != *server);
        self.bytes.remove(server);
        self.budgets.remove(server);
        if !self.write {
            return;
        }
        if let Some(catalogue) = &self.catalogue
            && let Err(error) = catalogue.remove_server(server)
        {
            tracing::warn!(%error, "the catalogue of logs could not be written");
        }
        if let Some(root) = &self.root {
            remove_directory(&catalogue::server_directory(root, server));
        }
    }

    fn budget_of(&self, server: &ServerId) -> Budget {
        self.budgets.get(server).copied().unwrap_or(self.budget)
    }

    /// Drops the oldest logs of servers that hold too much.
    fn keep_to_budget(&mut self) {
        let over: Vec<ServerId> = self
            .bytes
            .iter()
            .filter(|(server, bytes)| **bytes > self.budget_of(server).bytes)
            .map(|(server, _)| server.clone())
            .collect();
        for server in over {
            self.shrink(&server);
        }
    }

    fn shrink(&mut self, server: &ServerId) {
        let budget = self.budget_of(server).bytes;
        while self.bytes.get(server).is_some_and(|bytes| *bytes > budget) {
            let victims = self.oldest(server, i64::MAX);
            let mut dropped = false;
            for (owner, size) in victims {
                if self.watched.contains_key(&owner) || !size.ended {
                    continue;
                }
                self.drop_log(&owner, size);
                dropped = true;
                if self.bytes.get(server).is_none_or(|bytes| *bytes <= budget) {
                    break;
                }
            }
            if !dropped && !self.drop_oldest_part(server) {
                return;
            }
        }
    }

    /// Drops the beginning of the longest log of a server: of those that nobody looks at, if any.
    fn drop_oldest_part(&mut self, server: &ServerId) -> bool {
        let watched = &self.watched;
        let of = self.open.iter_mut().filter(|(owner, _)| owner.server == *server);
        let mut all: Vec<(&Owner, &mut Open)> = of.collect();
        all.sort_by_key(|(owner, open)| {
            (watched.contains_key(*owner), std::cmp::Reverse(open.log.bytes()))
        });
        for (_, open) in all {
            let before = open.log.bytes();
            if open.log.drop_oldest() {
                open.changed = true;
                open.uncounted = true;
                open.measured = open.log.bytes();
                let less = before - open.log.bytes();
                if let Some(bytes) = self.bytes.get_mut(server) {
                    *bytes = bytes.saturating_sub(less);
                }
                return true;
            }
        }
        false
    }

    fn oldest(&mut self, server: &ServerId, before: i64) -> Vec<(Owner, Size)> {
        self.count();
        let Some(catalogue) = &self.catalogue else { return Vec::new() };
        catalogue.oldest(server, before, DROPPED_AT_ONCE).unwrap_or_else(|error| {
            tracing::warn!(%error, "the catalogue of logs could not be read");
            Vec::new()
        })
    }

    fn drop_log(&mut self, owner: &Owner, size: Size) {
        self.open.remove(owner);
        if let Some(bytes) = self.bytes.get_mut(&owner.server) {
            *bytes = bytes.saturating_sub(size.bytes);
        }
        if let Some(root) = &self.root {
            remove_directory(&catalogue::directory(root, owner));
        }
        if let Some(catalogue) = &self.catalogue
            && let Err(error) = catalogue.remove(owner)
        {
            tracing::warn!(%error, "the catalogue of logs could not be written");
        }
        self.say(Told::Count(owner.clone(), 0));
    }

    /// Drops the logs of ended jobs that are too old.
    fn sweep(&mut self) {
        let servers: Vec<ServerId> = self.bytes.keys().cloned().collect();
        for server in servers {
            let days = self.budget_of(&server).days;
            if days == 0 {
                continue;
            }
            let before = Timestamp::now().as_millisecond() - i64::from(days) * 86_400_000;
            loop {
                let old = self.oldest(&server, before);
                let old: Vec<_> = old
                    .into_iter()
                    .filter(|(owner, size)| size.ended && !self.watched.contains_key(owner))
                    .collect();
                if old.is_empty() {
                    break;
                }
                for (owner, size) in old {
                    self.drop_log(&owner, size);
                }
            }
        }
    }

    /// Logs in memory share a bound of their own.
    fn keep_memory_small(&mut self) {
        let in_memory = |open: &Open| open.log.bytes_in_memory();
        while self.open.values().map(in_memory).sum::<u64>() > MAX_IN_MEMORY {
            let watched = &self.watched;
            let rank = |(owner, open): &(&Owner, &Open)| {
                (watched.contains_key(*owner), !open.size.ended, open.used)
            };
            // Whole logs first, while there are others than the one in use.
            let whole =
                self.open.iter().filter(|(_, open)| open.log.bytes_in_memory() == open.log.bytes());
            let victim = whole.min_by_key(rank).map(|(owner, open)| (owner.clone(), open.used));
            match victim {
                Some((owner, used)) if used != self.uses && !self.watched.contains_key(&owner) => {
                    self.open.remove(&owner);
                    self.say(Told::Count(owner, 0));
                }
                _ => {
                    let all = self.open.values_mut();
                    let Some(largest) = all.max_by_key(|open| open.log.bytes_in_memory()) else {
                        return;
                    };
                    largest.changed = true;
                    if !largest.log.drop_oldest_in_memory() {
                        return;
                    }
                }
            }
        }
    }

    /// Closes the logs that were not used for longest.
    fn close_some(&mut self) {
        if self.open.len() <= MAX_OPEN {
            return;
        }
        let mut idle: Vec<(u64, Owner)> = self
            .open
            .iter()
            .filter(|(owner, open)| {
                !self.watched.contains_key(*owner)
                    && !open.uncounted
                    && open.log.bytes_in_memory() == 0
            })
            .map(|(owner, open)| (open.used, owner.clone()))
            .collect();
        idle.sort_unstable_by_key(|(used, _)| *used);
        let excess = self.open.len() - MAX_OPEN;
        for (_, owner) in idle.into_iter().take(excess) {
            self.open.remove(&owner);
        }
    }
}

fn begin(root: &Path) -> Result<(Catalogue, BTreeMap<ServerId, u64>), String> {
    crate::settings::create_private_directory(root).map_err(|error| error.to_string())?;
    let catalogue = Catalogue::open(root).map_err(|error| error.to_string())?;
    let bytes = catalogue.bytes().map_err(|error| error.to_string())?;
    Ok((catalogue, bytes.into_iter().collect()))
}

fn refused(error: &std::io::Error) -> String {
    format!(
        "Logs cannot be written to the disk ({error}). New lines are kept in memory, and are \
         written once the disk takes them."
    )
}

fn remove_directory(dir: &Path) {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(?dir, %error, "an old log could not be removed");
        }
        _ => {}
    }
}

/// A thread that puts segments on the disk, so that writing need not wait for it.
fn syncing() -> Option<Sender<Vec<Arc<Segment>>>> {
    let (syncs, taken) = channel::<Vec<Arc<Segment>>>();
    let run = move || {
        while let Ok(mut segments) = taken.recv() {
            while let Ok(more) = taken.try_recv() {
                segments.extend(more);
            }
            segments.sort_by_key(Arc::as_ptr);
            segments.dedup_by(|a, b| Arc::ptr_eq(a, b));
            sync_all(&segments);
        }
    };
    match std::thread::Builder::new().name("log-sync".to_owned()).spawn(run) {
        Ok(_) => Some(syncs),
        Err(error) => {
            tracing::warn!(%error, "logs are put on the disk when the system sees fit");
            None
        }
    }
}

fn sync_all(segments: &[Arc<Segment>]) {
    for segment in segments {
        if let Err(error) = segment.sync() {
            tracing::warn!(%error, "a log could not be put on the disk");
        }
    }
}
