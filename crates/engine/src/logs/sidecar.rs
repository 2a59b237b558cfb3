//! The small files beside a log's segments.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Adds bytes to a file of a log's directory, which `file` holds open; a log in memory has none.
///
/// # Errors
/// The file system's.
pub fn append_to(
    dir: Option<&Path>,
    name: &str,
    file: &mut Option<File>,
    bytes: &[u8],
) -> io::Result<()> {
    let Some(dir) = dir else { return Ok(()) };
    let file = match file {
        Some(file) => file,
        None => file.insert(OpenOptions::new().append(true).create(true).open(dir.join(name))?),
    };
    file.write_all(bytes)
}

/// The origins that an earlier run wrote.
///
/// # Errors
/// The file system's.
pub fn read_origins(path: &Path) -> io::Result<Vec<String>> {
    match std::fs::read_to_string(path) {
        // A line that was not finished names an origin that no line has.
        Ok(text) => Ok(text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Keeps the first error.
pub fn note(problem: &mut Option<io::Error>, result: io::Result<()>) {
    if let Err(error) = result {
        problem.get_or_insert(error);
    }
}
