//! Several programs on one data directory: one of them announces, the others stand by.
//!
//! The one that announces holds a lock, which the system releases when that program ends, however it ends.
//! One that stands by keeps what it would announce until the ledger says that it was announced, and
//! takes over as soon as the lock is free: what is not in the ledger then, and what was written and
//! not shown, is its to announce.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::rows::in_ledger;
use super::store::Store;
use super::waiting::Waiting;
use super::{Reply, StoredNotice};

/// The lock's file in the data directory.
const LOCK: &str = "announcing.lock";
/// Between two looks whether the lock is free.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// A program that is ending has let go of the lock by then.
const ENDING: Duration = Duration::from_millis(600);

/// Whose turn it is to announce.
pub(super) enum Turn {
    /// Ours, for as long as the file is open; without one, nobody else can write there.
    Ours { _lock: Option<File> },
    /// Another program's; the lock is looked at in this directory.
    Theirs(PathBuf),
}

impl Turn {
    /// There is nobody else.
    pub(super) fn alone() -> Turn {
        Turn::Ours { _lock: None }
    }

    /// Takes the lock of a directory, and waits a moment for one who is just ending.
    pub(super) fn first(directory: &Path) -> Turn {
        let begun = Instant::now();
        loop {
            match Turn::take(directory) {
                Turn::Theirs(_) if begun.elapsed() < ENDING => std::thread::sleep(ENDING / 30),
                turn => return turn,
            }
        }
    }

    /// Takes the lock of a directory, if it is free.
    pub(super) fn take(directory: &Path) -> Turn {
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(directory.join(LOCK));
        let locked = file.map(|file| (file.try_lock(), file));
        match locked {
            Ok((Ok(()), file)) => Turn::Ours { _lock: Some(file) },
            Ok((Err(TryLockError::WouldBlock), _)) => Turn::Theirs(directory.to_owned()),
            // Some network file systems have no locks: better to announce twice than not at all.
            Ok((Err(TryLockError::Error(error)), _)) | Err(error) => {
                tracing::warn!(%error, "whether another Jobwatch announces cannot be known");
                Turn::alone()
            }
        }
    }
}

/// What is said while another program announces.
pub(super) fn message(directory: &Path) -> String {
    format!(
        "Another Jobwatch uses {} and sends the notifications. This one takes over when that ends.",
        directory.display()
    )
}

impl Store {
    /// Whether another program announces.
    pub(super) fn stands_by(&self) -> bool {
        matches!(self.turn, Turn::Theirs(_))
    }

    /// Looks whether it is our turn by now; answers so. If it is not, what the other has announced
    /// is forgotten here, and listed.
    pub(super) fn look_for_turn(&mut self, replies: &mpsc::UnboundedSender<Reply>) -> bool {
        let Turn::Theirs(directory) = &self.turn else { return true };
        self.turn = Turn::take(directory);
        let seen = self.seen;
        let theirs = self.read_notices().unwrap_or_else(|error| {
            tracing::warn!(%error, "what another Jobwatch announced was not read");
            Vec::new()
        });
        self.note_seen(&theirs);
        let new = |stored: &StoredNotice| stored.id > seen;
        if self.stands_by() {
            let new: Vec<_> = theirs.into_iter().filter(new).collect();
            if !new.is_empty() {
                let _ = replies.send(Reply::Elsewhere { notices: new, taken_over: false });
            }
            self.keep_for_later();
            return false;
        }
        tracing::info!("another Jobwatch has ended: this one announces from now on");
        let left = |stored: &StoredNotice| new(stored) || !(stored.shown || stored.read);
        let left = theirs.into_iter().filter(left).collect();
        let _ = replies.send(Reply::Elsewhere { notices: left, taken_over: true });
        let _ = replies.send(Reply::Health(None));
        true
    }

    /// Notes which notices of the file are known.
    pub(super) fn note_seen(&mut self, notices: &[StoredNotice]) {
        let newest = notices.iter().map(|stored| stored.id).max();
        self.seen = self.seen.max(newest.unwrap_or(0));
    }

    /// Keeps what may have to be announced here, and writes what the user did here.
    fn keep_for_later(&mut self) {
        let Some(file) = &self.file else { return };
        let known = |key: &_| in_ledger(file, key).unwrap_or(false);
        let later = self.waiting.split_for_later(known);
        if self.waiting.len() > 0
            && let Err(error) = self.write()
        {
            tracing::debug!(%error, "what the user did waits");
        }
        self.waiting = Waiting::joined(later, std::mem::take(&mut self.waiting));
    }
}
