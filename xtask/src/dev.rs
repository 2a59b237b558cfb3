//! The page in an ordinary browser, with hot reload, on the real engine and the demo servers.

use anyhow::Result;

use crate::packages;
use crate::page;
use crate::shell::{cargo, heading, program, root};

/// Where the page is served.
const PORT: &str = "5173";

/// Serves the page until Ctrl-C: Vite serves its files, the bridge answers its calls. Both listen on
/// loopback only.
///
/// # Errors
/// When something is missing, cannot be built, or the port is taken.
pub fn dev() -> Result<()> {
    packages::ensure(&[packages::BUILD])?;
    page::install("ui")?;
    heading("The page, and the engine behind it");
    cargo()
        .args(&["build", "--package", "jobwatch", "--example", "dev-bridge", "--locked"])
        .run()?;
    // Not by npm, whose child would outlive it.
    let vite = ["node_modules/vite/bin/vite.js", "--mode", "bridge", "--port", PORT];
    let _page = program("node").args(&vite).arg("--strictPort").dir("ui").start()?;
    cargo()
        .args(&["run", "--quiet", "--package", "jobwatch", "--example", "dev-bridge", "--locked"])
        .args(&["--", &format!("http://127.0.0.1:{PORT}")])
        .arg(root().join("target/dev"))
        .run()
}
