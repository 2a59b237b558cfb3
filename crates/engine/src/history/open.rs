//! Opening the file behind the history, whatever state it is in.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{FILE, schema};

/// A larger file is not checked page by page at the start, which would take too long.
const MAX_CHECKED: u64 = 256 << 20;

/// Why there is no file.
pub(super) enum Unopened {
    /// It is not this version's to write.
    ForGood(String),
    /// It may be possible later.
    ForNow(String),
}

pub(super) fn open_file(
    directory: &Path,
    now: Timestamp,
) -> Result<(Connection, Option<String>), Unopened> {
    let for_now = |error: &dyn std::fmt::Display| {
        Unopened::ForNow(format!(
            "The history in {} cannot be opened ({error}). Jobwatch works from memory and keeps \
             trying; what happens meanwhile may be forgotten when it ends.",
            directory.display()
        ))
    };
    crate::settings::create_private_directory(directory).map_err(|error| for_now(&error))?;
    let path = directory.join(FILE);
    match connect_checked(&path) {
        Ok(file) => Ok((file, None)),
        Err(OpenError::Newer) => Err(Unopened::ForGood(format!(
            "The history in {} was written by a newer version of Jobwatch and is left alone. What \
             happens now is forgotten when Jobwatch ends.",
            directory.display()
        ))),
        Err(OpenError::Damaged) => {
            let problem = set_aside(directory, now).map_err(|error| for_now(&error))?;
            match connect_checked(&path) {
                Ok(file) => Ok((file, Some(problem))),
                Err(OpenError::Other(error)) => Err(for_now(&error)),
                Err(_) => Err(for_now(&"the new file is damaged too")),
            }
        }
        Err(OpenError::Other(error)) => Err(for_now(&error)),
    }
}

/// The file as it is, to be read while it cannot be written.
pub(super) fn open_past(directory: &Path) -> Option<Connection> {
    let path = directory.join(FILE);
    if !path.exists() {
        return None;
    }
    let readable = |past: Connection| {
        past.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map(|()| past)
    };
    // The index of the write-ahead log needs a file of its own, which a full disk has no room for,
    // unless nobody else may look at it: then it is kept in memory.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let exclusive = Connection::open_with_flags(&path, flags).and_then(|past| {
        past.pragma_update(None, "locking_mode", "exclusive")?;
        readable(past)
    });
    // Where nothing may be written at all, what the log holds is not seen.
    exclusive
        .or_else(|_| {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
                | OpenFlags::SQLITE_OPEN_NO_MUTEX
                | OpenFlags::SQLITE_OPEN_URI;
            let mut url = url::Url::from_file_path(std::path::absolute(&path).unwrap_or(path))
                .map_err(|()| rusqlite::Error::InvalidQuery)?;
            url.set_query(Some("immutable=1"));
            readable(Connection::open_with_flags(url.as_str(), flags)?)
        })
        .inspect_err(|error| tracing::warn!(%error, "the history was not read either"))
        .ok()
}

pub(super) enum OpenError {
    /// The file is not what SQLite wrote.
    Damaged,
    /// A later version of this program wrote it.
    Newer,
    Other(String),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> OpenError {
        if is_damaged(&error) {
            OpenError::Damaged
        } else {
            OpenError::Other(describe_error(&error))
        }
    }
}

pub(super) fn connect_checked(path: &Path) -> Result<Connection, OpenError> {
    let mut file = connect(path)?;
    if std::fs::metadata(path).is_ok_and(|file| file.len() <= MAX_CHECKED) {
        let verdict: String = file.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(OpenError::Damaged);
        }
    }
    migrate(&mut file).map_err(|error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => OpenError::from(err),
        rusqlite_migration::Error::MigrationDefinition(
            rusqlite_migration::MigrationDefinitionError::DatabaseTooFarAhead,
        ) => OpenError::Newer,
        other => OpenError::Other(other.to_string()),
    })?;
    Ok(file)
}

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let file = Connection::open(path)?;
    file.busy_timeout(Duration::from_secs(2))?;
    // A file system that cannot do WAL (some network mounts) answers with another mode; the
    // history works there too, only slower.
    let mode: String =
        file.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        tracing::warn!(%mode, "the history runs without a write-ahead log");
    }
    // In WAL mode this survives a killed process; only a power cut may lose the last moments.
    file.pragma_update(None, "synchronous", "normal")?;
    file.set_prepared_statement_cache_capacity(32);
    Ok(file)
}

pub(super) fn migrate(file: &mut Connection) -> Result<(), rusqlite_migration::Error> {
    schema::migrations().to_latest(file)
}

/// Renames the file and its companions to a dated name.
pub(super) fn set_aside(directory: &Path, now: Timestamp) -> std::io::Result<String> {
    let stamp = now.strftime("%Y%m%d-%H%M%S");
    let mut name = format!("history-damaged-{stamp}.sqlite");
    let mut again = 1;
    while directory.join(&name).exists() {
        again += 1;
        name = format!("history-damaged-{stamp}-{again}.sqlite");
    }
    std::fs::rename(directory.join(FILE), directory.join(&name))?;
    for suffix in ["-wal", "-shm"] {
        let companion = directory.join(format!("{FILE}{suffix}"));
        if companion.exists() {
            std::fs::rename(companion, directory.join(format!("{name}{suffix}")))?;
        }
    }
    Ok(format!(
        "The history was damaged. It is set aside as {} in {}, and a new one has been begun.",
        name,
        directory.display()
    ))
}

pub(super) fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

pub(super) fn describe_error(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full".to_owned(),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "writing is not permitted".to_owned()
        }
        Some(ErrorCode::CannotOpen) => "the file cannot be opened".to_owned(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds it locked".to_owned()
        }
        _ => error.to_string(),
    }
}
