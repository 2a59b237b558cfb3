//! The ports to the desktop, against real and fake services on message buses of their own.
#![cfg(target_os = "linux")]
// In a test a failed step is a failed test, in its helpers too.
#![allow(clippy::unwrap_used)]

mod bus;
mod keyring;
mod notifier;
