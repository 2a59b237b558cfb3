//! The settings: one readable file, replaced as a whole, without secrets.
//!
//! What this version does not know is kept when the file is rewritten, at every level: a newer
//! version's settings survive an older one, and so do the comments and the order of a file that
//! somebody keeps by hand. A file that cannot be read is never overwritten without a copy, and what
//! somebody else wrote into it meanwhile is read before it is replaced. `docs/settings.md` documents
//! every key.

mod edit;
mod file;
mod format;
mod preferences;
mod rules;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use jobwatch_core::server::{Server, ServerId};

pub use file::{Read, Saved, SettingsFile};
pub use preferences::{Mute, Preferences, PreferencesPatch, QuietHours, Theme};
pub use rules::NoticeRule;

/// A server with what is not in [`Server`].
#[derive(Clone, Debug, PartialEq)]
pub struct SavedServer {
    /// The server.
    pub server: Server,
    /// Whether its key is in the keyring.
    pub has_key: bool,
}

/// The settings as this version understands them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// In the user's order.
    pub servers: Vec<SavedServer>,
    /// The user's choices.
    pub preferences: Preferences,
}

/// The file, held by whoever changes the configuration; gone if writing it came to a bad end.
pub(crate) type SharedFile = Arc<tokio::sync::Mutex<Option<SettingsFile>>>;

/// Creates a directory that only its owner can enter, with those above it that are missing: what is
/// kept there is about jobs. One that exists stays as it is.
///
/// # Errors
/// Whatever the file system says.
pub fn create_private_directory(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// A new server's identity.
#[must_use]
pub fn new_id() -> ServerId {
    ServerId(uuid::Uuid::new_v4().to_string())
}
