//! The history: the servers' last known jobs, what happened to them, the notices, and the ledger that
//! keeps anything from being announced twice. SQLite on a thread of its own.
//!
//! Writes are gathered for up to [`GATHER`] and made in one transaction. An announcement is written
//! at once: the transition, the ledger's row and the notice become durable together, and only then
//! is the popup shown. If the disk refuses, the program goes on from memory, tries again every
//! [`RETRY`] and not more often, and says so; what waits meanwhile is bounded, and so is what is on
//! its way to the thread.

mod open;
mod prune;
mod rows;
mod schema;
mod standby;
mod store;
mod waiting;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jobwatch_core::jobs::{Transition, size};
use jobwatch_core::model::{Job, JobId, Topic};
use jobwatch_core::server::ServerId;
use tokio::sync::{mpsc, oneshot};

pub use jobwatch_core::notify::{Announcement, HandedPopup, StoredNotice};
use store::{Store, Urgency};

/// The file's name inside the data directory.
pub const FILE: &str = "history.sqlite";
/// How long writes are gathered.
const GATHER: Duration = Duration::from_millis(150);
/// Bytes of jobs and steps that may be on their way to the thread, which may be held up by a disk
/// that neither writes nor refuses.
const MAX_QUEUED: usize = 96 << 20;
/// What one of them counts in addition to its texts.
const OVERHEAD: usize = 256;
/// Requests taken before a look at the clock.
const AT_ONCE: usize = 10_000;
/// Between attempts to write while the disk refuses.
const RETRY: Duration = Duration::from_secs(5);

/// What is known of a server from earlier runs.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// Its last known jobs.
    pub jobs: Vec<Arc<Job>>,
    /// When each topic was last listed completely.
    pub listings: Vec<(Topic, Timestamp)>,
}

/// The end of a job, on its server, and the job as it is now.
pub type End = (ServerId, Transition, Job);

/// What the history answers on its own account.
#[derive(Debug)]
pub enum Reply {
    /// An announcement was written, and is new. One that the ledger knows gets no reply.
    Recorded {
        /// The notice as stored.
        stored: Box<StoredNotice>,
        /// See [`Announcement::away`].
        away: bool,
        /// See [`Announcement::job`].
        job: Option<Arc<Job>>,
        /// See [`Announcement::covers`].
        covers: Vec<i64>,
    },
    /// What another program on the same data announced: to be listed, and once that program has
    /// ended, to be shown as far as it was not.
    Elsewhere {
        /// The notices, newest first.
        notices: Vec<StoredNotice>,
        /// Whether this program announces from now on.
        taken_over: bool,
    },
    /// How the history does: `None` when well, else a sentence for people.
    Health(Option<String>),
}

pub(crate) enum Request {
    Job(ServerId, Arc<Job>),
    Step(ServerId, Transition),
    Announce(Box<Announcement>),
    Handed(HandedPopup, Vec<i64>),
    Then(Box<dyn FnOnce() + Send>),
    Shown(Vec<i64>),
    Read(Vec<i64>, bool),
    ReadAll,
    Dismiss(Vec<i64>, bool),
    Forget(ServerId),
    ForgetJob(ServerId, JobId),
    Listed(ServerId, Topic, Timestamp),
    Unlisted(ServerId, Topic),
    Remembered(ServerId, oneshot::Sender<Remembered>),
    Output(i64, String),
    Notices(oneshot::Sender<Vec<StoredNotice>>),
    Ends(usize, oneshot::Sender<Vec<End>>),
    Timeline(ServerId, JobId, oneshot::Sender<Vec<Transition>>),
    Flush(oneshot::Sender<()>),
}

/// The engine's end of the history; cheap to clone. The thread ends, after a last flush, when the
/// last clone is gone.
#[derive(Clone, Debug)]
pub struct History {
    requests: Sender<(usize, Request)>,
    queue: Arc<Queue>,
}

/// What is on its way to the thread.
#[derive(Debug, Default)]
struct Queue {
    bytes: AtomicUsize,
    /// Changes that were not handed over, and are not counted yet.
    lost: AtomicU64,
}

impl Queue {
    /// Whether so many bytes more may be queued; if not, they are counted as lost.
    fn admits(&self, bytes: usize) -> bool {
        let admitted = self.bytes.load(Ordering::Relaxed) + bytes <= MAX_QUEUED;
        if !admitted {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }
}

/// How the history is kept.
#[derive(Clone, Debug)]
pub enum Location {
    /// In the file [`FILE`] in this directory.
    Directory(PathBuf),
    /// Read from there, but written to memory only.
    ReadOnly(PathBuf),
    /// In memory only.
    Memory,
}

impl History {
    /// Opens the history. It always opens: problems are reported through `replies`.
    #[must_use]
    pub fn open(location: Location, replies: mpsc::UnboundedSender<Reply>) -> History {
        let (requests, taken) = channel();
        let queue = Arc::new(Queue::default());
        let queued = Arc::clone(&queue);
        let run = move || {
            let (store, problem) = Store::open(&location, Timestamp::now());
            if problem.is_some() {
                let _ = replies.send(Reply::Health(problem));
            }
            work(store, &taken, &queued, &replies);
        };
        if let Err(error) = std::thread::Builder::new().name("history".to_owned()).spawn(run) {
            // The receiver is gone with the closure, so every request is dropped, and the
            // engine runs without a history.
            tracing::error!(%error, "the history's thread did not start");
        }
        History { requests, queue }
    }

    /// Keeps the job's present state, unless the disk is far behind.
    pub fn job(&self, server: ServerId, job: Arc<Job>) {
        let bytes = OVERHEAD + size(&job);
        if self.queue.admits(bytes) {
            self.queue(bytes, Request::Job(server, job));
        }
    }

    /// Keeps a step of a job, unless the disk is far behind.
    pub fn step(&self, server: ServerId, transition: Transition) {
        let bytes = OVERHEAD + transition.error.as_ref().map_or(0, String::len);
        if self.queue.admits(bytes) {
            self.queue(bytes, Request::Step(server, transition));
        }
    }

    /// Writes an announcement with everything before it, then answers [`Reply::Recorded`] unless
    /// the ledger knows it.
    pub fn announce(&self, announcement: Announcement) {
        self.send(Request::Announce(Box::new(announcement)));
    }

    /// Notes that a popup is about to show these notices, so that it can be shown again where nobody
    /// knows whether the desktop got it.
    pub fn handed(&self, popup: HandedPopup, ids: Vec<i64>) {
        self.send(Request::Handed(popup, ids));
    }

    /// Does something once all that was asked before is written, or refused. It is done on the
    /// history's thread, and must not block.
    pub fn then(&self, what: impl FnOnce() + Send + 'static) {
        self.send(Request::Then(Box::new(what)));
    }

    /// Notes that the popups of these notices are dealt with.
    pub fn shown(&self, ids: Vec<i64>) {
        self.send(Request::Shown(ids));
    }

    /// Marks notices as read or unread.
    pub fn read(&self, ids: Vec<i64>, read: bool) {
        self.send(Request::Read(ids, read));
    }

    /// Marks all notices as read.
    pub fn read_all(&self) {
        self.send(Request::ReadAll);
    }

    /// Puts notices away, or brings them back.
    pub fn dismiss(&self, ids: Vec<i64>, dismissed: bool) {
        self.send(Request::Dismiss(ids, dismissed));
    }

    /// Keeps what a program printed that a notice's rule had run.
    pub fn output(&self, id: i64, text: String) {
        self.send(Request::Output(id, text));
    }

    /// Drops everything about a server that was removed.
    pub fn forget(&self, server: ServerId) {
        self.send(Request::Forget(server));
    }

    /// Forgets a job, which belongs to nothing that is watched, as it turned out.
    pub fn forget_job(&self, server: ServerId, job: JobId) {
        self.send(Request::ForgetJob(server, job));
    }

    /// Keeps when a topic was last listed completely. What was listed is to be kept before.
    pub fn listed(&self, server: ServerId, topic: Topic, at: Timestamp) {
        self.send(Request::Listed(server, topic, at));
    }

    /// Forgets when a topic was listed, since it is not watched any more.
    pub fn unlisted(&self, server: ServerId, topic: Topic) {
        self.send(Request::Unlisted(server, topic));
    }

    /// The last ends of jobs, oldest first.
    pub async fn ends(&self, count: usize) -> Vec<End> {
        self.ask(|answer| Request::Ends(count, answer)).await
    }

    /// What is known of a server.
    pub async fn remembered(&self, server: ServerId) -> Remembered {
        self.ask(|answer| Request::Remembered(server, answer)).await
    }

    /// The notices that were not put away, newest first, at most [`store::MAX_NOTICES`].
    pub async fn notices(&self) -> Vec<StoredNotice> {
        self.ask(Request::Notices).await
    }

    /// What happened to a job, oldest first. The question is queued by the call, not by the first
    /// poll: the answer holds what was queued before it, and nothing after.
    pub fn timeline(
        &self,
        server: ServerId,
        job: JobId,
    ) -> impl Future<Output = Vec<Transition>> + Send + use<> {
        let (answer, answered) = oneshot::channel();
        self.send(Request::Timeline(server, job, answer));
        async move { answered.await.unwrap_or_default() }
    }

    /// Writes what is gathered; returns when that is done or has failed.
    pub async fn flush(&self) {
        self.ask(Request::Flush).await;
    }

    fn send(&self, request: Request) {
        self.queue(OVERHEAD, request);
    }

    fn queue(&self, bytes: usize, request: Request) {
        self.queue.bytes.fetch_add(bytes, Ordering::Relaxed);
        // A thread that did not start takes nothing: then nothing waits either.
        let _ = self.requests.send((bytes, request));
    }

    async fn ask<T: Default>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> T {
        let (answer, answered) = oneshot::channel();
        self.send(request(answer));
        answered.await.unwrap_or_default()
    }
}

fn work(
    mut store: Store,
    requests: &Receiver<(usize, Request)>,
    queue: &Queue,
    replies: &mpsc::UnboundedSender<Reply>,
) {
    // A file that could not be opened is tried again without being asked.
    let mut due = (store.failing() || store.stands_by()).then(|| Instant::now() + store.retry());
    loop {
        let request = match due {
            None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => requests.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        let mut answers = Vec::new();
        let mut urgency = Urgency::Later;
        match request {
            Ok(first) => {
                let (mut next, mut taken) = (Some(first), 0);
                // What has queued up meanwhile joins the same transaction, up to the first question:
                // its answer holds nothing that was queued after it.
                while let Some((bytes, request)) = next {
                    queue.bytes.fetch_sub(bytes, Ordering::Relaxed);
                    urgency = urgency.max(store.take(request, &mut answers));
                    taken += 1;
                    let enough = taken >= AT_ONCE || (store.full() && !store.failing());
                    if enough {
                        urgency = urgency.max(Urgency::Soon);
                    }
                    let more = answers.is_empty() && !enough;
                    next = if more { requests.try_recv().ok() } else { None };
                }
                store.lost(queue.lost.swap(0, Ordering::Relaxed));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                store.flush(replies);
                return;
            }
        }
        let now = Instant::now();
        let write = due.is_some_and(|due| now >= due)
            || urgency == Urgency::Now
            || (urgency == Urgency::Soon && !store.failing());
        if write {
            let written = store.flush(replies);
            due = (!written).then(|| Instant::now() + store.retry());
        } else if store.failing() {
            store.go_on_from_memory(replies);
        } else {
            due = due.or((store.gathered() > 0).then(|| now + GATHER));
        }
        for answer in answers {
            answer(&mut store);
        }
    }
}
