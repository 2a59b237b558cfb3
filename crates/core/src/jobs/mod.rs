//! Merging what socket, HTTP and history say into one picture of a server's jobs.
//!
//! The rules, each with its reason where the code applies it:
//!
//! - Ids are compared byte for byte. Applying an update twice changes nothing.
//! - Facts belong to an attempt. Facts of an earlier attempt only fill gaps; a fact of a later one
//!   begins that attempt ([`merge::AttemptOrder`] says how each is told).
//! - Within an attempt an older time never overwrites a newer one, and an end holds. Progress may
//!   fall: of reports with a time the newest holds, one without a time only raises it.
//! - A failure that may be retried leaves the job unended until it is confirmed, retried, or
//!   nothing follows within the grace period.
//! - An end is announced at most once per (job, attempt, state).
//! - "Not found" is believed only when it can be: see [`JobStore::apply`].

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::dialect::own_id;
use crate::model::{Job, JobId, JobPatch, Source, Update};
use crate::redact::Redactor;
use crate::time::{Mono, Now};

mod bounds;
mod change;
mod deadlines;
mod merge;
mod size;
mod sparse;

pub use change::{Baseline, Change, Transition, TransitionKind};
pub use size::{cut, size};

use deadlines::SECOND_LOOK;
use merge::{Entry, Tentative};

/// How many jobs a store keeps. Beyond it the job known longest goes, ended and unpinned ones
/// first.
pub const MAX_JOBS: usize = 200_000;

/// Bytes of all jobs of a store. Beyond it the bodies of those that grew first are cut, ended ones
/// first.
pub const MAX_BYTES: usize = 256 << 20;

/// All jobs of one server, merged. See the module's documentation for the rules.
#[derive(Debug)]
pub struct JobStore {
    // In boxes, so that the table's spare places cost little.
    jobs: HashMap<JobId, Box<Entry>>,
    /// Jobs that are known as `QUEUE/ID`, by the id alone.
    alike: HashMap<JobId, Vec<JobId>>,
    /// Jobs that have not ended, so that nobody scans all of them.
    open: HashSet<JobId>,
    /// Jobs that stay whatever the bound says.
    pinned: HashSet<JobId>,
    /// Jobs in the order they became known, for the bound.
    order: VecDeque<JobId>,
    /// What is due when; each job at most once, by [`Entry::due`].
    due: BTreeSet<(Mono, JobId)>,
    grace: Duration,
    started: Timestamp,
    capacity: usize,
    /// The sizes of all jobs together.
    bytes: usize,
    max_bytes: usize,
    /// Jobs with a body, in the order in which they got it.
    large: VecDeque<JobId>,
    /// Removes the key from what is cut.
    redactor: Redactor,
}

impl JobStore {
    /// An empty store. `grace` is how long a failure that may be retried waits for something to
    /// follow, `started` when this run of the program began (local clock).
    #[must_use]
    pub fn new(grace: Duration, started: Timestamp) -> JobStore {
        JobStore {
            jobs: HashMap::new(),
            alike: HashMap::new(),
            open: HashSet::new(),
            pinned: HashSet::new(),
            order: VecDeque::new(),
            due: BTreeSet::new(),
            grace,
            started,
            capacity: MAX_JOBS,
            bytes: 0,
            max_bytes: MAX_BYTES,
            large: VecDeque::new(),
            redactor: Redactor::default(),
        }
    }

    /// The same with another bound than [`MAX_JOBS`].
    #[must_use]
    pub fn with_capacity(mut self, jobs: usize) -> JobStore {
        self.capacity = jobs.max(1);
        self
    }

    /// Removes from now on what `redactor` removes from every text that is cut.
    pub(crate) fn redact(&mut self, redactor: &Redactor) {
        self.redactor.extend(redactor);
    }

    /// The same with another bound than [`MAX_BYTES`].
    #[must_use]
    pub fn with_bytes(mut self, bytes: usize) -> JobStore {
        self.max_bytes = bytes;
        self
    }

    /// The clock by which the start was taken was set back by as much (negative).
    pub fn shift_start(&mut self, by: jiff::SignedDuration) {
        self.started = self.started.saturating_add(by).unwrap_or(self.started);
    }

    /// The jobs that have not ended, in no order.
    pub fn open_ids(&self) -> impl Iterator<Item = &JobId> {
        self.open.iter()
    }

    /// Puts a job remembered from an earlier run in place, without any change being emitted. What
    /// this run has already heard is not overwritten.
    pub fn remember(&mut self, job: impl Into<Arc<Job>>) {
        let mut job = job.into();
        if self.jobs.contains_key(&job.id) {
            return;
        }
        if job.source != Source::History {
            Arc::make_mut(&mut job).source = Source::History;
        }
        let id = job.id.clone();
        self.insert(id.clone(), Entry::remembered(job));
        self.account(&id);
        // Nobody was shown what is cut here.
        self.trim();
    }

    /// Merges one update. Log lines, metrics, queues and notices pass by; they are not state of a
    /// job.
    ///
    /// `baseline` is the moment from which an end is news for the topic behind this update, `None`
    /// while that topic is being listed for the first time ever. A job first seen already ended is an
    /// outcome if something says that it ended just now: an event, or an end not older than the
    /// baseline. Otherwise it was found so.
    ///
    /// `Gone` is believed for a job that HTTP has shown before and of which the socket has not
    /// spoken in the last 10 s, or when it is said twice at least 10 s apart, 60 s for a job that
    /// HTTP has never shown; from the socket, which tells it of its own accord, at once. An ended job stays as it is; another becomes `Unknown("gone")` until
    /// it is seen again.
    pub fn apply(
        &mut self,
        update: &Update,
        source: Source,
        baseline: Option<Baseline>,
        now: Now,
    ) -> Vec<Change> {
        match update {
            Update::Job(patch) => self.merge(patch, source, baseline, now),
            Update::Gone(id) => self.gone(id, source, now),
            Update::Log { .. }
            | Update::Metric(_)
            | Update::Queue(_)
            | Update::Notice(_)
            | Update::NoticeRead(_) => Vec::new(),
        }
    }

    /// One job.
    #[must_use]
    pub fn job(&self, id: &JobId) -> Option<&Arc<Job>> {
        self.jobs.get(id).map(|entry| &entry.job)
    }

    /// The jobs that share an id over queues: the one known by it alone, and those known as
    /// `QUEUE/ID`.
    pub fn alike(&self, id: &JobId) -> impl Iterator<Item = &Arc<Job>> {
        let queued = self.alike.get(id).into_iter().flatten();
        self.job(id).into_iter().chain(queued.filter_map(|id| self.job(id)))
    }

    /// All jobs, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Job>> {
        self.jobs.values().map(|entry| &entry.job)
    }

    /// How many jobs there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Bytes of their texts and JSON.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// The jobs that have not ended and are not gone, in no order.
    pub fn open_jobs(&self) -> impl Iterator<Item = &Arc<Job>> {
        self.open.iter().filter_map(|id| self.job(id))
    }

    /// When anything was last heard of a job, on any way.
    #[must_use]
    pub fn last_seen(&self, id: &JobId) -> Option<Mono> {
        self.jobs.get(id).map(|entry| entry.seen)
    }

    /// When anything was last heard of a job by this run, also that nothing has changed, of which the
    /// job takes no note: by the local clock, in milliseconds since 1970.
    #[must_use]
    pub fn last_seen_ms(&self, id: &JobId) -> Option<i64> {
        let entry = self.jobs.get(id)?;
        (entry.job.source != Source::History)
            .then(|| entry.last_seen_ms.max(entry.job.last_seen.as_millisecond()))
    }

    /// Drops a job as if it had never been heard of.
    pub fn forget(&mut self, id: &JobId) {
        if self.order.back() == Some(id) {
            self.order.pop_back();
        } else if self.jobs.contains_key(id) {
            self.order.retain(|other| other != id);
        }
        self.remove(id);
    }

    /// Keeps a job whatever the bound says, or no longer.
    pub fn pin(&mut self, id: &JobId, pinned: bool) {
        if pinned {
            self.pinned.insert(id.clone());
        } else {
            self.pinned.remove(id);
        }
    }

    fn merge(
        &mut self,
        patch: &JobPatch,
        source: Source,
        baseline: Option<Baseline>,
        now: Now,
    ) -> Vec<Change> {
        let Some(id) = &patch.id else { return Vec::new() };
        let mut changes = Vec::new();
        let context = merge::Context { source, baseline, started: self.started, now };
        if let Some(entry) = self.jobs.get_mut(id) {
            entry.merge(patch, &context, &mut changes);
        } else {
            let entry = Entry::first(id, patch, &context, &mut changes);
            self.insert(id.clone(), entry);
        }
        self.after_merge(id, now);
        if self.account(id) {
            changes.extend(self.trim().into_iter().map(Change::Job));
        }
        changes
    }

    /// Keeps the indexes and the deadlines true to the entry.
    fn after_merge(&mut self, id: &JobId, now: Now) {
        let Some(entry) = self.jobs.get(id) else { return };
        match (&entry.memo.tentative, entry.memo.missing_since, entry.due) {
            (Some(Tentative { since, .. }), _, None) => {
                let first_look = since.after(SECOND_LOOK.min(self.grace / 2));
                self.schedule(id, first_look.max(now.mono));
            }
            (None, None, Some(at)) => {
                self.due.remove(&(at, id.clone()));
                if let Some(entry) = self.jobs.get_mut(id) {
                    entry.due = None;
                }
            }
            _ => {}
        }
        self.reindex(id);
    }

    fn reindex(&mut self, id: &JobId) {
        let Some(entry) = self.jobs.get(id) else { return };
        let open = !entry.job.state.terminal() && !entry.is_gone();
        if open == self.open.contains(id) {
            return;
        }
        if open {
            self.open.insert(id.clone());
        } else {
            self.open.remove(id);
        }
    }

    fn insert(&mut self, id: JobId, entry: Entry) {
        while self.jobs.len() >= self.capacity {
            self.evict();
        }
        self.order.push_back(id.clone());
        let own = own_id(&entry.job);
        if own != id.as_str() {
            self.alike.entry(own.into()).or_default().push(id.clone());
        }
        self.jobs.insert(id.clone(), Box::new(entry));
        self.reindex(&id);
    }

    fn remove(&mut self, id: &JobId) {
        self.open.remove(id);
        let Some(entry) = self.jobs.remove(id) else { return };
        let own = own_id(&entry.job);
        if let Some(alike) = self.alike.get_mut(own) {
            alike.retain(|other| other != id);
            if alike.is_empty() {
                self.alike.remove(own);
            }
        }
        self.bytes -= entry.bytes;
        if entry.large {
            self.large.retain(|other| other != id);
        }
        if let Some(at) = entry.due {
            self.due.remove(&(at, id.clone()));
        }
    }
}
