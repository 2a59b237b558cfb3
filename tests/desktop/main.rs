//! The ports to the desktop, against real and fake services on message buses of their own.
#![cfg(target_os = "linux")]

mod bus;
mod keyring;
mod notifier;
