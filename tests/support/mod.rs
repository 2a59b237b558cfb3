//! What the tests of the whole program share.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub mod cli;
pub mod node;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a test waits for something that must happen. Generous, since a busy machine is no
/// failure; nothing waits this long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program under test.
pub fn jobwatch() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_jobwatch"))
}

/// Asks until there is an answer, every 25 ms, for at most [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "in {} s there was no {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
