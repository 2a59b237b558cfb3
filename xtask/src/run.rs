//! From a fresh clone to the window.

use anyhow::Result;

use crate::packages;
use crate::page;
use crate::shell::{cargo, heading};

/// How the program is built.
pub enum Profile {
    /// Quick to build.
    Debug,
    /// Quick to run.
    Release,
}

/// Installs what is missing, builds the page and the program, and opens the window on the demo.
///
/// # Errors
/// When any of it fails.
pub fn run(profile: Profile) -> Result<()> {
    packages::ensure(&[packages::BUILD, packages::RUN])?;
    heading("The page");
    page::build()?;
    heading("The program");
    let run = cargo().args(&["run", "--package", "jobwatch", "--locked"]);
    let run = match profile {
        Profile::Debug => run,
        Profile::Release => run.arg("--release"),
    };
    run.args(&["--", "--demo"]).run()
}
