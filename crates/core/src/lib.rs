//! The pure heart of Jobwatch.
//!
//! Everything here is a function of its arguments: no IO, no clock, no async, no randomness of its
//! own. Time comes in as [`time::Now`], randomness as a seed. The tokio shell around it lives in
//! `jobwatch-engine`; the desktop in the root package.
//!
//! - [`model`]: the canonical words (job, topic, update, metric, queue).
//! - [`log`]: lines of a job's log.
//! - [`escape`]: leaving out the escape sequences of terminals.
//! - [`server`]: a configured endpoint and its policy.
//! - [`dialect`]: how each kind of server speaks; builds requests and parses answers.
//! - [`wire`]: encodings shared by dialects (Engine.IO, Socket.IO, times, lenient JSON).
//! - [`jobs`]: merging updates from socket, HTTP and history into one picture of the jobs.
//! - [`connection`]: the machine of one connection: socket, heartbeat, backoff, polling, status.
//! - [`notify`]: which transitions become notices.
//! - [`probe`]: recognising the kind of server behind an address.
//! - [`secret`]: the key, which is never printed and never serialised.
//! - [`redact`]: removing the key from whatever may quote it, before anything is cut.

pub mod connection;
pub mod dialect;
pub mod escape;
pub mod extra;
mod headline;
pub mod jobs;
pub mod log;
pub mod model;
pub mod notify;
pub mod probe;
pub mod rate_limit;
pub mod redact;
pub mod secret;
pub mod server;
pub mod time;
pub mod wire;
