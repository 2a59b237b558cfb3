//! The engine from outside: against the demo server, against small servers that misbehave in one
//! way each, and across restarts.

// A helper of a test panics as the test would.
#![allow(clippy::unwrap_used)]

mod attempts;
mod certificates;
mod common;
mod configure;
mod connect;
mod crowds;
mod dialects;
mod heard;
mod killed;
mod network;
mod notices;
mod persistence;
mod probe;
mod proxies;
mod quirks;
mod rules;
mod scale;
mod secrecy;
mod server_notices;
mod tls;
mod welcome;
mod window;
