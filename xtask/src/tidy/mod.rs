//! The house rules that no compiler checks.

pub mod bindings;
mod dependencies;
mod files;
mod source;
mod sources;

use anyhow::{Result, bail};

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

/// Checks every rule and prints every breach.
///
/// # Errors
/// When a rule is broken, or cannot be checked.
pub fn tidy() -> Result<()> {
    heading("House rules");
    let files = tracked_files()?;
    let mut findings = dependencies::check()?;
    findings.extend(sources::check(&files));
    findings.extend(files::check(&files));
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
