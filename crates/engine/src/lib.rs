//! The tokio shell around the core: one loop that owns all state, drivers that own the sockets,
//! HTTP, history (SQLite), settings, logs, and the views the window looks through.
//!
//! It knows nothing of a window, a keyring or a notification daemon: those are [`ports`].
//!
//! - [`engine`]: the handle, and the loop behind it.
//! - [`driver`], [`socket`], [`lenient`], [`fetch`]: everything that touches the network.
//! - [`probe`], [`test`], [`sign_in`]: what connecting for the first time needs.
//! - [`history`], [`settings`], [`keys`]: everything that is kept.
//! - [`logs`], [`frames`], [`metrics`]: bounded memory of what was heard.
//! - [`api`], `queries`: what the page sees, and what makes it.

pub mod api;
mod charset;
pub mod clock;
#[cfg(test)]
mod dialect_bindings;
pub mod driver;
pub mod engine;
pub mod fetch;
mod files;
pub mod frames;
pub mod history;
pub mod keys;
pub mod lenient;
pub mod logs;
pub mod metrics;
pub mod network;
pub mod ports;
pub mod probe;
mod programs;
pub mod proxy;
mod queries;
pub mod settings;
pub mod sign_in;
pub mod socket;
pub mod test;
mod tls;

pub use jobwatch_core::redact;

pub use engine::{Engine, Options, SettingsSource, StartError};

/// Installs the TLS provider for the whole process, once; later calls change nothing.
pub(crate) fn install_tls() {
    // The error says that another provider is there already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
