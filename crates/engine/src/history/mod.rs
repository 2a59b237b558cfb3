//! The history: the servers' last known jobs, what happened to them, what the user was told, and
//! the ledger that keeps anything from being told twice. SQLite on a thread of its own.
//!
//! Writes are gathered for up to [`GATHER`] and made in one transaction. An announcement is written
//! at once: the transition, the ledger's row and the notice become durable together, and only then
//! is the popup shown. If the disk refuses, the program goes on from memory, tries again every
//! [`RETRY`], and says so.

mod schema;
mod store;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jobwatch_core::model::{Job, JobId, Topic};
use jobwatch_core::notify::Notice;
use jobwatch_core::server::ServerId;
use jobwatch_core::state::Transition;
use tokio::sync::{mpsc, oneshot};

use store::Store;

/// The file's name inside the data directory.
pub const FILE: &str = "history.sqlite";
/// How long writes are gathered.
const GATHER: Duration = Duration::from_millis(150);
/// Between attempts to write while the disk refuses.
const RETRY: Duration = Duration::from_secs(5);

/// A notice with its number and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredNotice {
    /// Its number: positive in the file, negative while the disk refuses it.
    pub id: i64,
    /// What it says.
    pub notice: Notice,
    /// Whether the user has read it.
    pub read: bool,
    /// Whether the user has put it away.
    pub dismissed: bool,
    /// Whether its popup was shown, or it was decided that there is none.
    pub shown: bool,
}

/// Something that must be told once.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// What it says.
    pub notice: Notice,
    /// The step that it tells of, kept in the same transaction, with the job as it is after it.
    pub step: Option<(Transition, Arc<Job>)>,
    /// For a server's own notices, what makes it the same when it comes again.
    pub mark: Option<String>,
    /// Whether it is part of what happened while the program was off.
    pub away: bool,
    /// Whether it has been read already, because the job is on screen.
    pub read: bool,
}

/// What is known of a server from earlier runs.
#[derive(Clone, Debug, Default)]
pub struct Remembered {
    /// Its last known jobs.
    pub jobs: Vec<Job>,
    /// When each topic was last listed completely.
    pub listings: Vec<(Topic, Timestamp)>,
}

/// What the history answers on its own account.
#[derive(Debug)]
pub enum Reply {
    /// An announcement was written, and is new. Those told before are passed over in silence.
    Recorded {
        /// The notice as stored.
        stored: StoredNotice,
        /// See [`Announcement::away`].
        away: bool,
    },
    /// How the history does: `None` when well, else a sentence for people.
    Health(Option<String>),
}

pub(crate) enum Request {
    Job(ServerId, Arc<Job>),
    Step(ServerId, Transition),
    Announce(Box<Announcement>),
    Shown(Vec<i64>),
    Read(Vec<i64>, bool),
    ReadAll,
    Dismiss(Vec<i64>, bool),
    Forget(ServerId),
    Listed(ServerId, Topic, Timestamp),
    Unlisted(ServerId, Topic),
    Remembered(ServerId, oneshot::Sender<Remembered>),
    Notices(oneshot::Sender<Vec<StoredNotice>>),
    Timeline(ServerId, JobId, oneshot::Sender<Vec<Transition>>),
    Flush(oneshot::Sender<()>),
}

/// The engine's end of the history; cheap to clone. The thread ends, after a last flush, when the
/// last clone is gone.
#[derive(Clone, Debug)]
pub struct History {
    requests: Sender<Request>,
}

/// How the history is kept.
#[derive(Clone, Debug)]
pub enum Place {
    /// In the file [`FILE`] in this directory.
    Directory(PathBuf),
    /// Read from there, but written to memory only.
    ReadOnly(PathBuf),
    /// In memory only.
    Memory,
}

impl History {
    /// Opens the history. It always opens: what stands in the way is told through `replies`.
    #[must_use]
    pub fn open(place: Place, replies: mpsc::UnboundedSender<Reply>) -> History {
        let (requests, taken) = channel();
        let run = move || {
            let (store, problem) = Store::open(&place, Timestamp::now());
            if problem.is_some() {
                let _ = replies.send(Reply::Health(problem));
            }
            work(store, &taken, &replies);
        };
        if let Err(error) = std::thread::Builder::new().name("history".to_owned()).spawn(run) {
            // The receiver is gone with the closure, so every request is dropped unheard, and the
            // engine runs without a history.
            tracing::error!(%error, "the history's thread did not start");
        }
        History { requests }
    }

    /// Keeps the job's present state.
    pub fn job(&self, server: ServerId, job: Arc<Job>) {
        self.send(Request::Job(server, job));
    }

    /// Keeps a step of a job.
    pub fn step(&self, server: ServerId, transition: Transition) {
        self.send(Request::Step(server, transition));
    }

    /// Writes an announcement with everything before it, then answers [`Reply::Recorded`] unless
    /// the ledger knows it.
    pub fn announce(&self, announcement: Announcement) {
        self.send(Request::Announce(Box::new(announcement)));
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

    /// Drops everything about a server that was removed.
    pub fn forget(&self, server: ServerId) {
        self.send(Request::Forget(server));
    }

    /// Keeps when a topic was last listed completely. What was listed is to be kept before.
    pub fn listed(&self, server: ServerId, topic: Topic, at: Timestamp) {
        self.send(Request::Listed(server, topic, at));
    }

    /// Forgets when a topic was listed, since it is not watched any more.
    pub fn unlisted(&self, server: ServerId, topic: Topic) {
        self.send(Request::Unlisted(server, topic));
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
        let _ = self.requests.send(request);
    }

    async fn ask<T: Default>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> T {
        let (answer, answered) = oneshot::channel();
        self.send(request(answer));
        answered.await.unwrap_or_default()
    }
}

fn work(mut store: Store, requests: &Receiver<Request>, replies: &mpsc::UnboundedSender<Reply>) {
    let mut due: Option<Instant> = None;
    loop {
        let request = match due {
            None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => requests.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        let mut answers = Vec::new();
        match request {
            Ok(request) => {
                let mut urgent = store.take(request, &mut answers);
                // What has queued up meanwhile joins the same transaction, up to the first question:
                // its answer holds nothing that was queued after it.
                while answers.is_empty()
                    && let Ok(request) = requests.try_recv()
                {
                    urgent |= store.take(request, &mut answers);
                    if store.gathered() > 10_000 {
                        urgent = true;
                        break;
                    }
                }
                let now = Instant::now();
                if !urgent && due.is_none_or(|due| now < due) {
                    due = due.or((store.gathered() > 0).then(|| now + GATHER));
                    continue;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                store.flush(replies);
                return;
            }
        }
        let written = store.flush(replies);
        due = (!written).then(|| Instant::now() + RETRY);
        for answer in answers {
            answer(&mut store);
        }
    }
}
