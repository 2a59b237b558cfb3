//! Which logs there are, how large they are and when they were last written: what the budget needs
//! to know without opening them. SQLite; made anew from the logs' directories when it is lost.

use std::path::{Path, PathBuf};

use jobwatch_core::model::JobId;
use jobwatch_core::server::ServerId;
use rusqlite::{Connection, OptionalExtension as _, params};
use rusqlite_migration::{M, Migrations};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

/// The file's name among the logs.
const FILE: &str = "catalogue.sqlite";
/// The file in a log's directory that says whose it is.
const OWNER: &str = "owner.json";

const MIGRATIONS: &[M<'_>] = &[M::up(
    "CREATE TABLE log (
        server TEXT NOT NULL,
        job TEXT NOT NULL,
        lines INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        touched INTEGER NOT NULL,
        ended INTEGER NOT NULL,
        PRIMARY KEY (server, job)
    ) WITHOUT ROWID;
    CREATE INDEX log_touched ON log (server, ended, touched);",
)];

/// Whose log it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The server.
    pub server: ServerId,
    /// The job.
    pub job: JobId,
}

/// What the index of logs holds of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub lines: u64,
    /// Bytes on the disk.
    pub bytes: u64,
    /// When a line last came, in milliseconds since 1970.
    pub touched: i64,
    /// Whether its job has ended.
    pub ended: bool,
}

#[derive(Serialize, Deserialize)]
struct OwnerFile {
    version: u32,
    server: String,
    job: String,
}

/// A name that any file system takes, readable where the text is, and different for each text.
fn name(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' };
    let readable: String = text.chars().take(40).map(plain).collect();
    format!("{readable}-{:016x}", xxh3_64(text.as_bytes()))
}

/// A log's directory.
#[must_use]
pub fn directory(root: &Path, owner: &Owner) -> PathBuf {
    root.join(name(&owner.server.0)).join(name(owner.job.as_str()))
}

/// The directory of a server's logs.
#[must_use]
pub fn server_directory(root: &Path, server: &ServerId) -> PathBuf {
    root.join(name(&server.0))
}

/// Writes into a log's directory whose it is.
///
/// # Errors
/// The file system's.
pub fn mark(dir: &Path, owner: &Owner) -> std::io::Result<()> {
    let file = OwnerFile {
        version: super::segment::VERSION,
        server: owner.server.0.clone(),
        job: owner.job.as_str().to_owned(),
    };
    std::fs::write(dir.join(OWNER), serde_json::to_vec(&file)?)
}

/// See the module's documentation.
#[derive(Debug)]
pub struct LogIndex {
    db: Connection,
}

impl LogIndex {
    /// Opens the index of the logs below `root`, making it anew where it cannot be read.
    ///
    /// # Errors
    /// SQLite's, when not even an empty one can be had.
    pub fn open(root: &Path) -> rusqlite::Result<LogIndex> {
        let path = root.join(FILE);
        let there = path.exists();
        match LogIndex::at(&path) {
            Ok(mut index) => {
                if !there {
                    index.rebuild(root)?;
                }
                Ok(index)
            }
            Err(error) if there => {
                tracing::warn!(%error, "the index of logs is rebuilt");
                for tail in ["", "-wal", "-shm"] {
                    // What cannot be removed fails to open below.
                    let _ = std::fs::remove_file(root.join(format!("{FILE}{tail}")));
                }
                let mut index = LogIndex::at(&path)?;
                index.rebuild(root)?;
                Ok(index)
            }
            Err(error) => Err(error),
        }
    }

    /// A log index in memory.
    ///
    /// # Errors
    /// SQLite's.
    pub fn in_memory() -> rusqlite::Result<LogIndex> {
        LogIndex::with(Connection::open_in_memory()?)
    }

    fn at(path: &Path) -> rusqlite::Result<LogIndex> {
        let db = Connection::open(path)?;
        db.pragma_update(None, "journal_mode", "wal")?;
        // It can be made anew at any time.
        db.pragma_update(None, "synchronous", "off")?;
        LogIndex::with(db)
    }

    fn with(mut db: Connection) -> rusqlite::Result<LogIndex> {
        Migrations::from_slice(MIGRATIONS).to_latest(&mut db).map_err(|error| match error {
            rusqlite_migration::Error::RusqliteError { err, .. } => err,
            other => rusqlite::Error::ToSqlConversionFailure(Box::new(other)),
        })?;
        Ok(LogIndex { db })
    }

    fn rebuild(&mut self, root: &Path) -> rusqlite::Result<()> {
        let mut found = Vec::new();
        for server in entries(root) {
            for dir in entries(&server) {
                let owner = std::fs::read(dir.join(OWNER)).ok();
                let owner =
                    owner.and_then(|bytes| serde_json::from_slice::<OwnerFile>(&bytes).ok());
                let Some(owner) = owner else { continue };
                let mut size = Size { ended: true, ..Size::default() };
                for file in entries(&dir) {
                    let Ok(data) = file.metadata() else { continue };
                    size.bytes += data.len();
                    if file.extension().is_some_and(|extension| extension == "idx") {
                        size.lines += data.len() / super::record::RECORD as u64;
                    }
                    let touched = data.modified().ok();
                    let touched = touched.and_then(|at| jiff::Timestamp::try_from(at).ok());
                    size.touched = size.touched.max(touched.map_or(0, |at| at.as_millisecond()));
                }
                found.push((Owner { server: ServerId(owner.server), job: owner.job.into() }, size));
            }
        }
        self.put(&found)
    }

    /// Writes what is known of these logs.
    ///
    /// # Errors
    /// SQLite's.
    pub fn put(&mut self, logs: &[(Owner, Size)]) -> rusqlite::Result<()> {
        let transaction = self.db.transaction()?;
        {
            let mut put = transaction.prepare_cached(
                "INSERT OR REPLACE INTO log (server, job, lines, bytes, touched, ended)
                 VALUES (?, ?, ?, ?, ?, ?)",
            )?;
            for (owner, size) in logs {
                put.execute(params![
                    owner.server.0,
                    owner.job.as_str(),
                    size.lines.cast_signed(),
                    size.bytes.cast_signed(),
                    size.touched,
                    size.ended
                ])?;
            }
        }
        transaction.commit()
    }

    /// What is known of a log.
    ///
    /// # Errors
    /// SQLite's.
    pub fn size(&self, owner: &Owner) -> rusqlite::Result<Option<Size>> {
        let mut find = self.db.prepare_cached(
            "SELECT lines, bytes, touched, ended FROM log WHERE server = ? AND job = ?",
        )?;
        find.query_row(params![owner.server.0, owner.job.as_str()], |row| {
            Ok(Size {
                lines: row.get::<_, i64>(0)?.cast_unsigned(),
                bytes: row.get::<_, i64>(1)?.cast_unsigned(),
                touched: row.get(2)?,
                ended: row.get(3)?,
            })
        })
        .optional()
    }

    /// Bytes of each server's logs.
    ///
    /// # Errors
    /// SQLite's.
    pub fn bytes(&self) -> rusqlite::Result<Vec<(ServerId, u64)>> {
        let mut sums =
            self.db.prepare_cached("SELECT server, SUM(bytes) FROM log GROUP BY server")?;
        let rows = sums.query_map((), |row| {
            Ok((ServerId(row.get(0)?), row.get::<_, i64>(1)?.cast_unsigned()))
        })?;
        rows.collect()
    }

    /// A server's logs from the one to drop first: those of ended jobs, the longest untouched first.
    /// `before` leaves out those touched since then.
    ///
    /// # Errors
    /// SQLite's.
    pub fn oldest(
        &self,
        server: &ServerId,
        before: i64,
        count: u32,
    ) -> rusqlite::Result<Vec<(Owner, Size)>> {
        let mut find = self.db.prepare_cached(
            "SELECT job, lines, bytes, touched, ended FROM log
             WHERE server = ? AND touched < ? ORDER BY ended DESC, touched LIMIT ?",
        )?;
        let rows = find.query_map(params![server.0, before, count], |row| {
            let owner =
                Owner { server: server.clone(), job: row.get::<_, String>(0)?.as_str().into() };
            let size = Size {
                lines: row.get::<_, i64>(1)?.cast_unsigned(),
                bytes: row.get::<_, i64>(2)?.cast_unsigned(),
                touched: row.get(3)?,
                ended: row.get(4)?,
            };
            Ok((owner, size))
        })?;
        rows.collect()
    }

    /// Forgets a log.
    ///
    /// # Errors
    /// SQLite's.
    pub fn remove(&self, owner: &Owner) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("DELETE FROM log WHERE server = ? AND job = ?")?
            .execute(params![owner.server.0, owner.job.as_str()])?;
        Ok(())
    }

    /// Forgets a server's logs.
    ///
    /// # Errors
    /// SQLite's.
    pub fn remove_server(&self, server: &ServerId) -> rusqlite::Result<()> {
        self.db.execute("DELETE FROM log WHERE server = ?", params![server.0])?;
        Ok(())
    }
}

/// What is in a directory; nothing where it cannot be read.
fn entries(dir: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(dir).into_iter().flatten();
    all.filter_map(|entry| Some(entry.ok()?.path())).collect()
}
