//! The house rules that no compiler checks.

pub mod bindings;
mod circles;
mod dependencies;
mod files;
mod limits;
mod rust;
mod sources;
mod words;

use anyhow::{Result, bail};

use self::limits::Parsed;
use self::rust::Source;
use crate::shell::{heading, program};

/// A rule that was broken: what, where, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// A file, with the line where there is one, or a crate.
    pub place: String,
    /// What is wrong.
    pub problem: String,
    /// What puts it right.
    pub remedy: &'static str,
}

/// A file under version control, as text.
pub struct File {
    /// From the repository's root, with `/`.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl File {
    fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Whether it is source code that somebody wrote, and neither generated nor a fixture.
    fn is_source(&self) -> bool {
        let is_code =
            [".rs", ".ts", ".svelte", ".mjs", ".css"].iter().any(|end| self.path.ends_with(end));
        is_code && !self.path.contains("/generated/") && !self.path.contains("/fixtures/")
    }

    fn is_test(&self) -> bool {
        let below = |name: &str| {
            self.path.starts_with(&format!("{name}/")) || self.path.contains(&format!("/{name}/"))
        };
        below("tests")
            || below("benches")
            || below("fuzz")
            || [".test.ts", "/tests.rs"].iter().any(|end| self.path.ends_with(end))
    }
}

/// Checks every rule and prints every breach.
///
/// # Errors
/// When a rule is broken, or cannot be checked.
pub fn tidy() -> Result<()> {
    heading("House rules");
    let files = tracked_files()?;
    let rust = parsed(&files)?;
    let mut findings = dependencies::check()?;
    findings.extend(sources::check(&files, &rust));
    findings.extend(files::check(&files));
    findings.extend(limits::check(&files, &rust)?);
    findings.extend(bindings::check()?);
    for finding in &findings {
        println!("{}: {}\n    {}", finding.place, finding.problem, finding.remedy);
    }
    if !findings.is_empty() {
        bail!("{} house rules are broken", findings.len());
    }
    println!("All hold, in {} files.", files.len());
    Ok(())
}

/// Prints files, lines, circles, and the longest files and functions.
///
/// # Errors
/// When a file cannot be read.
pub fn counts() -> Result<()> {
    let files = tracked_files()?;
    limits::print_counts(&files, &parsed(&files)?);
    Ok(())
}

/// Lowers the list of what exceeds a limit to what does today.
///
/// # Errors
/// When a file cannot be read, or the list cannot be written.
pub fn shrink() -> Result<()> {
    let files = tracked_files()?;
    limits::shrink(&files, &parsed(&files)?)
}

fn parsed(files: &[File]) -> Result<Vec<Parsed<'_>>> {
    files
        .iter()
        .filter(|file| file.path.ends_with(".rs"))
        .map(|file| Ok(Parsed { file, source: Source::read(&file.path, &file.text)? }))
        .collect()
}

/// Every text file that is, or could be, under version control.
fn tracked_files() -> Result<Vec<File>> {
    let list = program("git")
        .args(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()?;
    let root = crate::shell::root();
    let mut files: Vec<File> = list
        .split('\0')
        .filter(|path| !path.is_empty())
        // Pictures are not text, and a file deleted but not yet committed is not there.
        .filter_map(|path| {
            let text = String::from_utf8(std::fs::read(root.join(path)).ok()?).ok()?;
            Some(File { path: path.to_owned(), text })
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
