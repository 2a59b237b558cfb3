//! What is made for people outside: packages, pictures, icons.

use std::fs;

use anyhow::{Result, bail};

use crate::packages;
use crate::page;
use crate::shell::{cargo, heading, program, root};

/// Builds the .deb and the .rpm and says where they are.
///
/// # Errors
/// When the build fails.
pub fn bundle() -> Result<()> {
    packages::ensure(&[packages::BUILD, packages::BUNDLE])?;
    page::build()?;
    page::install("tests/npm")?;
    heading("Packages");
    program("tests/npm/node_modules/.bin/tauri").args(&["build", "--bundles", "deb,rpm"]).run()
}

/// Makes the pictures in `docs/` by a journey through the real window.
///
/// # Errors
/// When the journey fails.
pub fn screenshots() -> Result<()> {
    packages::ensure(&[packages::BUILD, packages::RUN, packages::TEST])?;
    page::build()?;
    let docs = root().join("docs");
    fs::create_dir_all(&docs)?;
    cargo()
        .args(&["test", "--package", "jobwatch", "--test", "journeys", "--locked", "screenshots"])
        .env("JOBWATCH_SCREENSHOTS", &docs)
        .run()?;
    heading("Pictures");
    for entry in fs::read_dir(&docs)? {
        println!("  docs/{}", entry?.file_name().to_string_lossy());
    }
    Ok(())
}

/// Exports the drawings in `icons/` in every size that is needed.
///
/// # Errors
/// When a drawing is missing or cannot be exported.
pub fn icons() -> Result<()> {
    packages::ensure(&[packages::ICONS])?;
    if !root().join("icons/icon.svg").exists() {
        bail!("icons/icon.svg is missing");
    }
    for (file, size) in [
        ("32x32.png", "32"),
        ("128x128.png", "128"),
        ("128x128@2x.png", "256"),
        ("icon.png", "512"),
    ] {
        export("icons/icon.svg", &format!("icons/{file}"), size)?;
    }
    for state in ["live", "polling", "offline", "refused", "attention"] {
        export(&format!("icons/tray/{state}.svg"), &format!("icons/tray/{state}.png"), "44")?;
    }
    Ok(())
}

fn export(drawing: &str, picture: &str, size: &str) -> Result<()> {
    program("rsvg-convert")
        .args(&["--width", size, "--height", size, "--output"])
        .arg(picture)
        .arg(drawing)
        .run()
}
