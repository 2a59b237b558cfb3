//! The page: its packages and its build.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::shell::{program, root};

/// Installs the npm packages of `directory` as its lock file says, when the lock has changed since
/// they were last installed.
///
/// # Errors
/// When Node is missing or too old, or npm fails.
pub fn install(directory: &str) -> Result<()> {
    require_node()?;
    let home = root().join(directory);
    let lock = fs::read(home.join("package-lock.json"))
        .with_context(|| format!("{directory}/package-lock.json cannot be read"))?;
    let stamp = home.join("node_modules/.installed-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    // Not `npm ci`: it refuses a lock file that leaves out the optional packages of other systems,
    // and npm writes such lock files.
    program("npm")
        .args(&["install", "--no-save", "--no-audit", "--no-fund"])
        .dir(directory)
        .run()?;
    fs::write(&stamp, lock).with_context(|| format!("could not write {}", stamp.display()))
}

/// Builds the page into `ui/dist`, when any of its sources is newer than what is there.
///
/// # Errors
/// When the build fails.
pub fn build() -> Result<()> {
    install("ui")?;
    let ui = root().join("ui");
    let built = modified(&ui.join("dist/index.html"));
    if built.is_none() || newest(&ui)? > built {
        program("npm").args(&["run", "build"]).dir("ui").run()?;
    }
    Ok(())
}

/// Builds the test servers that are written in TypeScript.
///
/// # Errors
/// When the build fails.
pub fn build_test_servers() -> Result<()> {
    install("tests/npm")?;
    program("npm").args(&["run", "build"]).dir("tests/npm").run()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// The time of the newest file below `directory` that the build reads.
fn newest(directory: &Path) -> Result<Option<SystemTime>> {
    let mut newest = None;
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_source = name != "node_modules" && !name.starts_with("dist");
            if is_source {
                newest = newest.max(self::newest(&path)?);
            }
        } else {
            newest = newest.max(modified(&path));
        }
    }
    Ok(newest)
}

fn require_node() -> Result<()> {
    let Ok(version) = program("node").arg("--version").output() else {
        bail!("Node.js is missing; install version 20.19 or newer, then run this again");
    };
    let mut numbers =
        version.trim().trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0));
    let (major, minor): (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if (major, minor) < (20, 19) {
        bail!("Node.js {} is too old; install version 20.19 or newer", version.trim());
    }
    Ok(())
}
