//! The tokio shell around the core: one loop that owns all state, drivers that own the sockets,
//! HTTP, history (SQLite), settings, logs, and the views the window looks through.
//!
//! It knows nothing of a window, a keyring or a notification daemon: those are [`ports`].

pub mod ports;
pub mod views;
