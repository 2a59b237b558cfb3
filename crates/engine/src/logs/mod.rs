//! The log store: every line of every watched job, on the disk, in order, within a budget.
//!
//! A job's log is a directory of segments: a file of text and an index of its lines (`segment`,
//! `record`), with a small file that says which lines came late (`reorder_log`, `order`). `log` takes
//! lines in, `snapshot` reads them, `log_index` knows all logs, `find` searches them. One thread
//! writes; whoever reads has a snapshot, which stays as it is. The format is described in
//! `docs/log-format.md`.
//!
//! A line is written before anybody is told of it, so that one which was shown is there after the
//! program is killed. What was written is put on the disk every [`SYNC`].

pub mod bitmap;
mod bytes;
mod cut;
mod dedup;
pub mod find;
pub mod log;
pub mod log_index;
mod open_log;
pub mod order;
pub mod query;
pub mod reader;
pub mod record;
mod render_state;
mod reorder_log;
mod retention;
pub mod save;
mod seek;
pub mod segment;
mod sidecar;
pub mod snapshot;
mod stack_trace;
mod store;
pub mod stored;
#[cfg(test)]
mod tests;
pub mod text;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use jobwatch_core::connection::LogReach;
use jobwatch_core::log::LogLines;
use jobwatch_core::model::Source;
use jobwatch_core::server::ServerId;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

pub use log_index::Owner;
pub use open_log::BEGINNING;
pub use snapshot::Snapshot;
use store::Store;

/// Between two times at which what was written is put on the disk.
pub const SYNC: Duration = Duration::from_secs(1);

/// Where logs are kept.
#[derive(Clone, Debug)]
pub enum Location {
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
pub enum StoreEvent {
    /// How many lines a log has now.
    Count(Owner, u64),
    /// A watched log as it is now.
    Log(Owner, LogContents),
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
    /// How much of a log has been fetched; the lines that were are told before.
    Reach(Owner, LogReach),
    /// How the store does: `None` when well, else a sentence for people.
    Health(Option<String>),
}

/// A log as it is now.
#[derive(Clone, Debug, Default)]
pub struct LogContents {
    /// Its lines.
    pub lines: Arc<Snapshot>,
    /// Stretches of time in which lines may have been missed, in nanoseconds since 1970: the time of
    /// the last line before, [`BEGINNING`] where there is none, and that of the first one after.
    pub gaps: Vec<(i64, i64)>,
    /// Lines with a number below this one were stored by an earlier run.
    pub before: u64,
}

enum Request {
    Append {
        owner: Owner,
        lines: LogLines,
        source: Source,
        /// Held until the lines are written, so that a server that sends too much waits.
        _share: Option<Arc<OwnedSemaphorePermit>>,
    },
    Reach(Owner, LogReach),
    Watch(Owner),
    Unwatch(Owner),
    Count(Owner),
    Disconnected(ServerId),
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
    pub fn open(
        place: Location,
        lines_wanted: bool,
        events: mpsc::UnboundedSender<StoreEvent>,
    ) -> LogStore {
        let (requests, taken) = channel();
        let run = move || Store::open(place, lines_wanted, events).run(&taken);
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

    /// Tells how much of a log has been fetched, once the lines that were taken in so far are
    /// stored and told.
    pub fn reached(&self, owner: Owner, reach: LogReach) {
        self.send(Request::Reach(owner, reach));
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

    /// Asks for how many lines a log has; told as [`StoreEvent::Count`].
    pub fn count(&self, owner: Owner) {
        self.send(Request::Count(owner));
    }

    /// Notes that a server's socket is not live any more: lines may be missed from here on.
    pub fn disconnected(&self, server: ServerId) {
        self.send(Request::Disconnected(server));
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
