//! The desktop program: a window around the engine, and the same engine behind a command line.

pub mod app;
pub mod background;
pub mod cli;
pub mod deep_link;
pub mod demo_switch;
pub mod ipc;
pub mod os;
pub mod popups;
pub mod tray;

use std::fmt;
use std::io::{self, Write as _};

/// Prints a message for the user to stderr. `eprintln!` would panic if stderr cannot be written, for
/// example because the disk is full or the reader has gone.
pub fn print_stderr(what: impl fmt::Display) {
    // If stderr cannot be written, there is no other way to report anything.
    let _ = writeln!(io::stderr(), "jobwatch: {what}");
}

/// Silences the certificate verifier, which logs every rejected certificate as an error of its own;
/// the connection's status reports it better.
fn silence_certificate_verifier(
    filter: tracing_subscriber::EnvFilter,
) -> tracing_subscriber::EnvFilter {
    match "rustls_platform_verifier=off".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    }
}

/// The log filter: `JOBWATCH_LOG`, or `default` if it is unset or invalid. Libraries that log the data
/// they carry are limited to warnings, since a URL or a header may hold a key.
pub(crate) fn log_filter(default: &str) -> tracing_subscriber::EnvFilter {
    let wanted = std::env::var("JOBWATCH_LOG").unwrap_or_default();
    let wanted = if wanted.trim().is_empty() { default } else { wanted.trim() };
    let filter = tracing_subscriber::EnvFilter::try_new(wanted).unwrap_or_else(|error| {
        print_stderr(format_args!("JOBWATCH_LOG is invalid, so \"{default}\" is used: {error}"));
        tracing_subscriber::EnvFilter::new(default)
    });
    // A filter that is stricter than warnings stays as it is.
    if filter
        .max_level_hint()
        .is_none_or(|level| level <= tracing::level_filters::LevelFilter::WARN)
    {
        return silence_certificate_verifier(filter);
    }
    let filter = [
        "hyper",
        "hyper_util",
        "h2",
        "reqwest",
        "tungstenite",
        "tokio_tungstenite",
        "rustls",
        "zbus",
    ]
    .into_iter()
    .filter_map(|library| format!("{library}=warn").parse().ok())
    .fold(filter, tracing_subscriber::EnvFilter::add_directive);
    silence_certificate_verifier(filter)
}
