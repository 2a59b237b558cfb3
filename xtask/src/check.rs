//! What must hold before the tests are worth running.

use anyhow::Result;

use crate::packages;
use crate::page;
use crate::shell::{cargo, heading, program};
use crate::tidy;

/// Checks format, lints, the page's types and the house rules.
///
/// # Errors
/// At the first that does not hold.
pub fn check() -> Result<()> {
    packages::ensure(&[packages::BUILD])?;
    heading("Format");
    cargo().args(&["fmt", "--all", "--check"]).run()?;
    heading("The page");
    page::install("ui")?;
    for script in ["format:check", "check", "lint"] {
        program("npm").args(&["run", script]).dir("ui").run()?;
    }
    page::build()?;
    heading("Lints");
    cargo()
        .args(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"])
        .run()?;
    tidy::tidy()
}
