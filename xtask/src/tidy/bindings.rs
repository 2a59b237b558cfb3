//! The page's types, generated from the Rust ones and committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::Finding;
use crate::shell::{cargo, root};

const GENERATED: &str = "ui/src/lib/generated";

/// Generates them in their place; types that are gone lose their files.
///
/// # Errors
/// When the generating tests fail.
pub fn regenerate() -> Result<()> {
    let (directory, fresh) = (root().join(GENERATED), elsewhere()?);
    let fresh = read(&fresh)?;
    for path in read(&directory)?.into_keys().filter(|path| !fresh.contains_key(path)) {
        fs::remove_file(directory.join(path))?;
    }
    for (path, text) in fresh {
        fs::write(directory.join(path), text)?;
    }
    Ok(())
}

/// Generates them in a directory of their own, so that a failure leaves the committed ones alone.
fn elsewhere() -> Result<PathBuf> {
    let elsewhere = root().join("target/tidy/bindings");
    if elsewhere.exists() {
        fs::remove_dir_all(&elsewhere)?;
    }
    generate(&elsewhere)?;
    Ok(elsewhere)
}

/// Generates them elsewhere and compares byte for byte.
///
/// # Errors
/// When the generating tests fail.
pub fn check() -> Result<Vec<Finding>> {
    let fresh = read(&elsewhere()?)?;
    let committed = read(&root().join(GENERATED))?;
    let differing = fresh
        .keys()
        .chain(committed.keys())
        .filter(|path| fresh.get(*path) != committed.get(*path))
        .collect::<std::collections::BTreeSet<_>>();
    Ok(differing
        .into_iter()
        .map(|path| Finding {
            place: format!("{GENERATED}/{path}"),
            problem: match (fresh.get(path), committed.get(path)) {
                (Some(_), None) => "is missing".to_owned(),
                (None, _) => "belongs to no type".to_owned(),
                _ => "is stale".to_owned(),
            },
            remedy: "run `cargo xtask bindings` and commit",
        })
        .collect())
}

/// Runs the tests that ts-rs makes of each exported type. The whole workspace is named, so that
/// the crates are built with the same features as for the other tests, once.
fn generate(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    cargo()
        .args(&["test", "--workspace", "--lib", "--locked", "--quiet", "export_bindings"])
        .env("TS_RS_EXPORT_DIR", directory)
        .output()
        .map(|_| ())
}

/// The generated files of a directory by name.
fn read(directory: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let entries = fs::read_dir(directory)
        .with_context(|| format!("{} cannot be read", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "ts") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(files)
}
