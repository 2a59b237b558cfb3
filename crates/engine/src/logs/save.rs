//! Saving the rows of a log view into a file.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use super::query::{LogFormat, LogSaving};
use super::reader::Reader;
use super::write::Writer;

/// Rows written between two looks at whether anybody still wants them.
const STEP: u64 = 4_000;

/// Writes all rows of `reader`. `progress` is told as it goes; when it answers `false`, or something
/// goes wrong, the file is removed again. The rows go into a file beside it first, so that a file
/// that was there stays until the new one is whole.
#[must_use]
pub fn save(
    reader: &Reader,
    path: &Path,
    format: LogFormat,
    progress: &dyn Fn(&LogSaving) -> bool,
) -> LogSaving {
    let mut saving = LogSaving {
        rows: 0,
        total: reader.len(),
        path: path.display().to_string(),
        ended: false,
        cancelled: false,
        problem: None,
    };
    match write(reader, path, format, progress, &mut saving) {
        Ok(()) => {}
        Err(error) => saving.problem = Some(format!("The log could not be saved: {error}.")),
    }
    saving.ended = true;
    saving
}

fn write(
    reader: &Reader,
    path: &Path,
    format: LogFormat,
    progress: &dyn Fn(&LogSaving) -> bool,
    saving: &mut LogSaving,
) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let temporary = tempfile::Builder::new()
        .prefix(".jobwatch-")
        .tempfile_in(parent.unwrap_or(Path::new(".")))?;
    let mut out = BufWriter::with_capacity(1 << 18, temporary);
    let mut writer = Writer::new(format);
    writer.head(&mut out)?;
    while saving.rows < saving.total {
        if !progress(saving) {
            saving.cancelled = true;
            return Ok(());
        }
        let many = STEP.min(saving.total - saving.rows);
        reader.write_rows(saving.rows, many, &mut writer, &mut out)?;
        saving.rows += many;
    }
    out.flush()?;
    let temporary = out.into_inner().map_err(|error| error.into_error())?;
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}
