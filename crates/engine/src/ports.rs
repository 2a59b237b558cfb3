//! What the engine asks of the world it runs in. The desktop program, the command line and the
//! tests each bring their own.

use std::fmt;
use std::sync::Arc;

use jobwatch_core::connection::{LogReach, Status};
use jobwatch_core::log::LogLines;
use jobwatch_core::model::{Diagnostic, Job, JobId, Metric, QueuePatch, Source, Topic};
pub use jobwatch_core::notify::Button;
use jobwatch_core::notify::Notice;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::ServerId;

use crate::clock::Clock;

/// The desktop the program runs on.
pub trait Desktop: Send + Sync + 'static {
    /// Shows a popup. Must not block; a missing daemon is reported once by `Overview::health`, not
    /// here.
    ///
    /// `settled` is called once the desktop has taken the popup, or it is certain that it will not.
    /// A notice whose popup is not settled when the program ends is sent again at the next start.
    fn show(&self, popup: Popup, settled: Settled);

    /// Takes the popup with this number from the screen, if it is still there: the user has seen what
    /// it is about. Must not block.
    fn withdraw(&self, popup_id: u64);
}

/// A popup.
#[derive(Clone, Debug, PartialEq)]
pub struct Popup {
    /// Its number: it replaces one with the same number in place.
    pub popup_id: u64,
    /// The newest notice that it shows, as [`crate::api`] name it.
    pub id: i64,
    /// What it says. `job` is set where it is about one job alone.
    pub notice: Notice,
    /// What it offers besides to open what it is about.
    pub buttons: Vec<Button>,
    /// Whether it makes a sound, where the desktop has sounds.
    pub sound: bool,
    /// Whether it stays on the screen until the user has dealt with it.
    pub urgent: bool,
}

/// See [`Desktop::show`]. Dropped without a call, it settles nothing.
pub type Settled = Box<dyn FnOnce() + Send>;

/// Why the keyring did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// There is no keyring on this machine or in this session.
    #[error("this session has no keyring")]
    Missing,
    /// It is locked.
    #[error("the keyring is locked")]
    Locked,
    /// It is locked, and its prompt was dismissed; a prompt that could not be shown is told the
    /// same way.
    #[error("the keyring's prompt was dismissed")]
    Dismissed,
    /// It did not answer in time; a prompt may still be open.
    #[error("the keyring did not answer")]
    Timeout,
    /// What it holds for the server is no key.
    #[error("what the keyring holds is no key")]
    Unreadable,
    /// Anything else, in words for people.
    #[error("the keyring failed: {0}")]
    Failed(String),
}

/// The OS keyring. Calls block and may wait for a prompt: the engine makes them on a thread of
/// their own.
pub trait Secrets: Send + Sync + 'static {
    /// The key stored for a server; `None` where there is none.
    ///
    /// # Errors
    /// See [`SecretsError`].
    fn load(&self, server: &ServerId) -> Result<Option<Secret>, SecretsError>;

    /// Stores a server's key. `label` names the server to people who look into their keyring.
    ///
    /// # Errors
    /// See [`SecretsError`].
    fn store(&self, server: &ServerId, label: &str, key: &Secret) -> Result<(), SecretsError>;

    /// Forgets a server's key; no error when there is none.
    ///
    /// # Errors
    /// See [`SecretsError`].
    fn delete(&self, server: &ServerId) -> Result<(), SecretsError>;
}

/// Everything that is heard, in order, as it is heard: the command line prints it. Called from the
/// engine's loop, so it must not block.
pub trait Sink: Send + Sync + 'static {
    /// Something was heard.
    fn event(&self, event: StreamEvent);
}

/// Something that was heard.
#[derive(Clone, Debug)]
pub enum StreamEvent {
    /// A server's connection changed.
    Status {
        /// Whose.
        server: ServerId,
        /// To what.
        status: Status,
    },
    /// A job changed: the whole merged job.
    Job {
        /// On which server.
        server: ServerId,
        /// The job.
        job: Arc<Job>,
        /// Whether it may be the one that is watched by name, in whatever spelling: one id may mean
        /// several jobs.
        named: bool,
    },
    /// Log lines were stored.
    Log {
        /// On which server.
        server: ServerId,
        /// Of which job.
        job: JobId,
        /// Whether that job is watched by name, in whatever spelling.
        named: bool,
        /// The number of the first in the job's stored log, from 0; the others follow it.
        first: u64,
        /// The lines, in the order of storing.
        lines: LogLines,
        /// Where it came from.
        source: Source,
    },
    /// How much of a log that somebody reads, or that is kept, has been fetched; told after the
    /// lines that were.
    LogReach {
        /// On which server.
        server: ServerId,
        /// Of which job.
        job: JobId,
        /// Whether that job is watched by name, in whatever spelling.
        named: bool,
        /// How much.
        reach: LogReach,
    },
    /// A value was measured.
    Metric {
        /// On which server.
        server: ServerId,
        /// The value.
        metric: Metric,
    },
    /// A queue's numbers changed.
    Queue {
        /// On which server.
        server: ServerId,
        /// The numbers.
        queue: QueuePatch,
    },
    /// Something was, or would have been, shown to the user.
    Notice(Box<Notice>),
    /// Something odd.
    Diagnostic {
        /// On which server.
        server: ServerId,
        /// What.
        diagnostic: Diagnostic,
    },
    /// A topic's first fetch has ended: told once when it failed, and once when one was answered.
    Listed {
        /// On which server.
        server: ServerId,
        /// Which topic.
        topic: Topic,
        /// Whether it was answered, so that an unknown job is really not there.
        ok: bool,
        /// Why the server does not show the topic's job to whoever has this key, in its words; told
        /// whenever it begins to.
        denied: Option<String>,
    },
}

/// Tells the window that something it looks at has changed. Called from the engine's loop, so it
/// must not block; the window pulls what it wants to show.
pub trait Window: Send + Sync + 'static {
    /// See [`crate::api::Tick`].
    fn tick(&self, tick: &crate::api::Tick);
}

/// The desktop's tray. Told from the engine's loop, at most once a second, so it must not block.
pub trait Tray: Send + Sync + 'static {
    /// Shows this from now on.
    fn show(&self, snapshot: crate::api::TraySnapshot);
}

/// The ports of one engine. Those left out do nothing.
#[derive(Clone, Default)]
pub struct Ports {
    /// Popups.
    pub desktop: Option<Arc<dyn Desktop>>,
    /// The keyring; without one, keys live for the session only.
    pub secrets: Option<Arc<dyn Secrets>>,
    /// The stream of everything heard.
    pub sink: Option<Arc<dyn Sink>>,
    /// What time it is.
    pub clock: Clock,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports")
            .field("desktop", &self.desktop.is_some())
            .field("secrets", &self.secrets.is_some())
            .field("sink", &self.sink.is_some())
            .finish()
    }
}
