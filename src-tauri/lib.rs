//! The desktop program: a window around the engine, and the same engine behind a command line.

pub mod app;
pub mod background;
pub mod cli;
pub mod deep_link;
pub mod ipc;
pub mod os;
pub mod tray;

use std::fmt;
use std::io::{self, Write as _};

/// Says something to the user on stderr. `eprintln!` would panic where stderr takes nothing, as
/// with a full disk or a reader that has gone.
pub fn print_stderr(what: impl fmt::Display) {
    // Nobody is left to tell when even this cannot be written.
    let _ = writeln!(io::stderr(), "jobwatch: {what}");
}

/// The verifier logs every refused certificate as an error of its own; the connection's status says
/// it better.
fn silence_certificate_verifier(
    filter: tracing_subscriber::EnvFilter,
) -> tracing_subscriber::EnvFilter {
    match "rustls_platform_verifier=off".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    }
}

/// What is logged: `JOBWATCH_LOG`, or `default` where it is unset or cannot be read. Libraries
/// that print what passes through them stay silent: a URL or a header may hold a key.
pub(crate) fn log_filter(default: &str) -> tracing_subscriber::EnvFilter {
    let wanted = std::env::var("JOBWATCH_LOG").unwrap_or_default();
    let wanted = if wanted.trim().is_empty() { default } else { wanted.trim() };
    let filter = tracing_subscriber::EnvFilter::try_new(wanted).unwrap_or_else(|error| {
        print_stderr(format_args!(
            "JOBWATCH_LOG is not understood, so \"{default}\" is used: {error}"
        ));
        tracing_subscriber::EnvFilter::new(default)
    });
    // The libraries' own warnings may be left out, but not brought back by this list.
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
