//! The thread that owns all logs: what comes is written, whoever watches is told.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jobwatch_core::log::LogLines;
use jobwatch_core::model::Source;
use jobwatch_core::server::ServerId;
use tokio::sync::{mpsc, oneshot};

use super::log::JobLog;
use super::log_index::{self, LogIndex, Owner, Size};
use super::open_log::OpenLog;
use super::segment::Segment;
use super::{Budget, Location, LogContents, Request, SYNC, StoreEvent, record};

/// Between two times at which somebody is told of changes while much comes; the first after a pause
/// is told at once.
const PACE: Duration = Duration::from_millis(8);
/// Between attempts to write while the disk refuses.
const RETRY: Duration = Duration::from_secs(5);
/// Between looks for logs that are too old.
const SWEEP: Duration = Duration::from_secs(600);

pub(super) struct Store {
    pub(super) root: Option<PathBuf>,
    pub(super) write: bool,
    pub(super) index: Option<LogIndex>,
    pub(super) open: HashMap<Owner, OpenLog>,
    pub(super) watched: HashMap<Owner, u32>,
    /// How many lines the logs that were opened in this run had before it.
    pub(super) before: HashMap<Owner, u64>,
    /// Logs that were opened in this run.
    pub(super) opened: HashSet<Owner>,
    /// Bytes of each server's logs.
    pub(super) bytes: BTreeMap<ServerId, u64>,
    pub(super) budget: Budget,
    pub(super) budgets: HashMap<ServerId, Budget>,
    pub(super) uses: u64,
    pub(super) events: mpsc::UnboundedSender<StoreEvent>,
    pub(super) lines_wanted: bool,
    pub(super) problem: Option<String>,
    pub(super) syncs: Option<Sender<Vec<Arc<Segment>>>>,
    /// A change has not been reported yet.
    pub(super) unreported: bool,
    pub(super) reported_at: Instant,
}

impl Store {
    pub(super) fn open(
        place: Location,
        lines_wanted: bool,
        events: mpsc::UnboundedSender<StoreEvent>,
    ) -> Store {
        let (root, write) = match place {
            Location::Directory(root) => (Some(root), true),
            Location::ReadOnly(root) => (Some(root), false),
            Location::Memory => (None, false),
        };
        let mut store = Store {
            root,
            write,
            index: None,
            open: HashMap::new(),
            watched: HashMap::new(),
            before: HashMap::new(),
            opened: HashSet::new(),
            bytes: BTreeMap::new(),
            budget: Budget::default(),
            budgets: HashMap::new(),
            uses: 0,
            events,
            lines_wanted,
            problem: None,
            syncs: None,
            unreported: false,
            reported_at: Instant::now(),
        };
        if let Some(root) = store.root.clone().filter(|_| write) {
            match begin(&root) {
                Ok((index, bytes)) => {
                    store.index = Some(index);
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

    pub(super) fn run(mut self, requests: &Receiver<Request>) {
        let mut synced = Instant::now();
        let mut swept = Instant::now();
        let mut retried = Instant::now();
        loop {
            let busy = self.open.values().any(|open| open.unsynced || open.uncounted);
            let wait = if busy || self.problem.is_some() { SYNC } else { SWEEP };
            let wait = match self.unreported {
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
                    if self.reported_at.elapsed() >= PACE || !waiting.is_empty() {
                        self.report_changes();
                    } else {
                        self.unreported = true;
                    }
                    for done in waiting {
                        self.count();
                        self.sync(true);
                        // Whoever waited may have gone.
                        let _ = done.send(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    if self.unreported {
                        self.report_changes();
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
            Request::Reach(owner, reach) => {
                self.report_changes();
                self.emit(StoreEvent::Reach(owner, reach));
            }
            Request::Watch(owner) => {
                *self.watched.entry(owner.clone()).or_default() += 1;
                match self.open_log(&owner, false) {
                    Some(open) => open.changed = true,
                    None => self.emit(StoreEvent::Log(owner, LogContents::default())),
                }
            }
            Request::Count(owner) => {
                let open = self.open.get(&owner).map(|open| open.log.len());
                let known = || self.index.as_ref()?.size(&owner).ok()?.map(|size| size.lines);
                let lines = open.or_else(known).unwrap_or(0);
                self.emit(StoreEvent::Count(owner, lines));
            }
            Request::Disconnected(server) => {
                let of = self.open.iter_mut().filter(|(owner, _)| owner.server == server);
                for (_, open) in of {
                    open.disconnected();
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
        if lines.is_empty() && lines.gap().is_none() {
            return;
        }
        // As they are kept they are told.
        let lines = &*super::cut::cut(lines);
        let lines_wanted = self.lines_wanted;
        let Some(open) = self.open_log(owner, true) else { return };
        let last = open.log.last_position();
        let last_time = open.log.last_time();
        let (taken, problem) = open.log.take(lines, source);
        let times = || lines.iter().filter_map(|line| line.at).map(record::nanoseconds);
        let concerned = open.missing_since.is_some() || !open.gaps.is_empty();
        let mut gaps = concerned && open.received(times().min().zip(times().max()), source);
        if let Some((from, to)) = lines.gap() {
            let gap = (record::nanoseconds(from), record::nanoseconds(to));
            gaps |= open.dropped(gap, last_time, taken.lines.len() < lines.len());
        }
        // A look that begins holds the last line that is known, unless the server has dropped it, as it
        // may have while nobody looked.
        let begins = source == Source::Http && !lines.goes_on();
        if let (true, Some(last), Some(first)) = (begins, last, lines.get(0))
            && taken.lines.len() == lines.len()
            && let (Some(time), Some(position)) = (first.at, first.position)
            && position > u64::from(last.1) + 1
            && record::nanoseconds(time) >= last.0
        {
            gaps |= open.miss((last.0, record::nanoseconds(time)));
        }
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
            self.emit(StoreEvent::Kept { owner, first, lines: kept, source });
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
    fn open_log(&mut self, owner: &Owner, create: bool) -> Option<&mut OpenLog> {
        self.uses += 1;
        if !self.open.contains_key(owner) {
            let open = self.bring(owner, create)?;
            self.open.insert(owner.clone(), open);
        }
        let open = self.open.get_mut(owner)?;
        open.used = self.uses;
        Some(open)
    }

    fn bring(&mut self, owner: &Owner, create: bool) -> Option<OpenLog> {
        let known = self.index.as_ref().and_then(|all| all.size(owner).ok().flatten());
        let size = known.unwrap_or_default();
        let dir = self.root.as_ref().map(|root| log_index::directory(root, owner));
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
        let before = self.before.get(owner).copied().unwrap_or_else(|| log.end());
        self.before.insert(owner.clone(), before);
        let measured = log.bytes();
        let mut open = OpenLog {
            log,
            size,
            used: self.uses,
            changed: false,
            unwritten: false,
            measured,
            unsynced: false,
            uncounted: false,
            before,
            gaps,
            missing_since: None,
        };
        // Lines may be missing since it was closed, unless only room was wanted.
        if !self.opened.contains(owner) {
            open.disconnected();
        }
        self.opened.insert(owner.clone());
        Some(open)
    }

    fn create(&mut self, dir: &Path, owner: &Owner) -> Option<JobLog> {
        let made = JobLog::create(Some(dir)).and_then(|log| {
            log_index::mark(dir, owner)?;
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
    fn report_changes(&mut self) {
        self.write();
        self.unreported = false;
        self.reported_at = Instant::now();
        let mut all = Vec::new();
        for (owner, open) in &mut self.open {
            if !std::mem::take(&mut open.changed) {
                continue;
            }
            all.push(StoreEvent::Count(owner.clone(), open.log.len()));
            if self.watched.contains_key(owner) {
                all.push(StoreEvent::Log(owner.clone(), open.state()));
            }
        }
        for events in all {
            self.emit(events);
        }
    }

    pub(super) fn emit(&self, events: StoreEvent) {
        // Nobody listens any more when the program ends.
        let _ = self.events.send(events);
    }

    fn problem(&mut self, problem: Option<String>) {
        if self.problem != problem {
            self.problem.clone_from(&problem);
            self.emit(StoreEvent::Health(problem));
        }
    }

    /// Puts into the index of logs what has changed.
    pub(super) fn count(&mut self) {
        self.write();
        let Some(index) = &mut self.index else { return };
        let mut changed = Vec::new();
        for (owner, open) in &mut self.open {
            if std::mem::take(&mut open.uncounted) {
                open.size.lines = open.log.len();
                open.size.bytes = open.log.bytes();
                changed.push((owner.clone(), open.size));
            }
        }
        if !changed.is_empty()
            && let Err(error) = index.put(&changed)
        {
            // It is made anew when it is lost.
            tracing::warn!(%error, "the index of logs could not be written");
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
        let known = self.index.as_ref().and_then(|all| all.size(&owner).ok().flatten());
        if let Some(size) = known.filter(|size| size.ended != ended)
            && let Some(index) = &mut self.index
            && let Err(error) = index.put(&[(owner, Size { ended, ..size })])
        {
            tracing::warn!(%error, "the index of logs could not be written");
        }
    }

    fn forget(&mut self, server: &ServerId) {
        self.open.retain(|owner, _| owner.server != *server);
        self.bytes.remove(server);
        self.budgets.remove(server);
        if !self.write {
            return;
        }
        if let Some(index) = &self.index
            && let Err(error) = index.remove_server(server)
        {
            tracing::warn!(%error, "the index of logs could not be written");
        }
        if let Some(root) = &self.root {
            remove_directory(&log_index::server_directory(root, server));
        }
    }
}

fn begin(root: &Path) -> Result<(LogIndex, BTreeMap<ServerId, u64>), String> {
    crate::settings::create_private_directory(root).map_err(|error| error.to_string())?;
    let index = LogIndex::open(root).map_err(|error| error.to_string())?;
    let bytes = index.bytes().map_err(|error| error.to_string())?;
    Ok((index, bytes.into_iter().collect()))
}

fn refused(error: &std::io::Error) -> String {
    format!(
        "Logs cannot be written to the disk ({error}). New lines are kept in memory, and are \
         written once the disk takes them."
    )
}

pub(super) fn remove_directory(dir: &Path) {
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
