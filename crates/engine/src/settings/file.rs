//! The settings file on the disk.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use toml::Table;
use toml_edit::DocumentMut;

use super::{Settings, create_private_directory, edit, format};
use crate::files;

/// A larger file holds no settings, in bytes.
const LARGEST: u64 = 16 << 20;
/// What a look into the file gave.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// What could be used.
    pub settings: Settings,
    /// What is wrong with the rest, a sentence for people.
    pub problem: Option<String>,
    /// The servers that stand in the file, usable or not; `None` when it could not be read at all.
    pub ids: Option<Vec<String>>,
}

/// What became of a save.
#[derive(Debug)]
pub enum Saved {
    /// The file is replaced; the text names what was set aside for that.
    Replaced(Option<String>),
    /// Nothing was written: somebody else has changed the file since it was last read, and this is
    /// what it says now.
    Edited(Box<Read>),
}

/// The file.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
    /// The file as read or last written, with everything unknown.
    document: Table,
    /// The same as it is written, with comments and blanks.
    written: DocumentMut,
    /// Whether the file on disk holds what could not be read, so that a copy is due before it is
    /// overwritten.
    unread: bool,
    /// The text last read or written, to notice that somebody else changed the file.
    text: String,
}

impl SettingsFile {
    /// Reads the file; a missing one is an empty one.
    #[must_use]
    pub fn load(path: PathBuf) -> (SettingsFile, Read) {
        let mut file = SettingsFile {
            path,
            document: Table::new(),
            written: DocumentMut::new(),
            unread: false,
            text: String::new(),
        };
        let read = file.read();
        (file, read)
    }

    /// Reads the file again if it could not be read before and has changed since.
    pub fn reload_if_mended(&mut self) -> Option<Read> {
        if !self.unread {
            return None;
        }
        let bytes = files::read(&self.path, LARGEST).ok()?;
        (String::from_utf8_lossy(&bytes) != self.text).then(|| self.understand(Ok(bytes)))
    }

    fn read(&mut self) -> Read {
        let bytes = files::read(&self.path, LARGEST);
        self.understand(bytes)
    }

    fn understand(&mut self, bytes: std::io::Result<Vec<u8>>) -> Read {
        self.unread = false;
        let shown = self.path.display().to_string();
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.document = Table::new();
                self.written = DocumentMut::new();
                self.text = String::new();
                return Read { ids: Some(Vec::new()), ..Read::default() };
            }
            Err(error) => {
                self.unread = true;
                let problem = Some(format!("The settings in {shown} cannot be read: {error}."));
                return Read { problem, ..Read::default() };
            }
        };
        self.text = String::from_utf8_lossy(&bytes).into_owned();
        match parse(&bytes) {
            Ok((document, written)) => (self.document, self.written) = (document, written),
            Err(what) => {
                self.unread = true;
                let problem = format!(
                    "The settings in {shown} cannot be read ({what}). Nothing was overwritten: \
                     mend the file, or go on without it; a copy is kept before anything is saved."
                );
                return Read { problem: Some(problem), ..Read::default() };
            }
        }
        let format::Understood { settings, problems, incomplete } =
            format::understand(&self.document);
        self.unread = incomplete;
        let problem = (!problems.is_empty()).then(|| {
            format!("The settings in {shown} are not all usable: {}.", problems.join("; "))
        });
        Read { settings, problem, ids: Some(format::server_ids(&self.document)) }
    }

    /// Replaces the file with `settings` and everything unknown, unless somebody else has changed
    /// it meanwhile.
    ///
    /// # Errors
    /// A sentence for people; the old file is still there then.
    pub fn save(&mut self, settings: &Settings) -> Result<Saved, String> {
        if !self.unread
            && let Some(bytes) = self.edited()
        {
            let read = self.understand(bytes);
            if read.ids.is_some() {
                return Ok(Saved::Edited(Box::new(read)));
            }
            // It cannot be read as it is now: what was known of it before is written, and a copy
            // of what it holds is kept.
        }
        let failed = |error: &dyn std::fmt::Display| {
            format!("The settings could not be saved in {}: {error}.", self.path.display())
        };
        let document = format::changed(&self.document, settings).map_err(|error| failed(&error))?;
        let text = edit::written(&self.written, &document).map_err(|error| failed(&error))?;
        // A pipe or a directory in the file's place is not replaced, and not copied either.
        if let Ok(metadata) = std::fs::metadata(&self.path) {
            files::regular(&metadata).map_err(|error| failed(&error))?;
        }
        let copy = match self.unread {
            true => keep_copy(&self.path).map_err(|error| failed(&error))?,
            false => None,
        };
        replace(&self.path, &text).map_err(|error| failed(&error))?;
        self.document = document;
        // What was read as TOML and changed as TOML is TOML.
        self.written = text.parse().unwrap_or_default();
        self.text = text;
        self.unread = false;
        Ok(Saved::Replaced(copy.map(|copy| {
            format!(
                "The settings could not all be read; they were written again, and what the file held \
                 is kept in {}.",
                copy.display()
            )
        })))
    }

    /// What the file holds, if that is something else than what was last read or written. A file
    /// that is gone holds nothing that could be lost.
    fn edited(&self) -> Option<std::io::Result<Vec<u8>>> {
        match files::read(&self.path, LARGEST) {
            Ok(bytes) if String::from_utf8_lossy(&bytes) == self.text => None,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            other => Some(other),
        }
    }
}

/// The plain content of a file, and the file as it is written, with the names of today.
fn parse(bytes: &[u8]) -> Result<(Table, DocumentMut), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    let mut written: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
        // The message alone: the error's full text quotes the line.
        let line = error.span().map_or(1, |span| {
            let before = &text.as_bytes()[..span.start.min(text.len())];
            1 + before.iter().filter(|byte| **byte == b'\n').count()
        });
        format!("line {line}: {}", error.message())
    })?;
    format::rename_old(&mut written);
    Ok((edit::table(&written), written))
}

/// Copies the file beside itself under a dated name, which is answered.
fn keep_copy(path: &Path) -> std::io::Result<Option<PathBuf>> {
    let stamp = Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let mut copy = path.with_extension(format!("{stamp}.toml"));
    let mut again = 1;
    while copy.exists() {
        again += 1;
        copy = path.with_extension(format!("{stamp}-{again}.toml"));
    }
    match std::fs::copy(path, &copy) {
        Ok(_) => Ok(Some(copy)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes beside the file, makes that durable, and puts it in the file's place: whoever reads, and
/// whenever the program dies, there is a whole file.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // A link is followed, so that settings kept elsewhere stay there.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    create_private_directory(directory)?;
    let mut file = tempfile::Builder::new().prefix(".settings-").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    #[cfg(unix)]
    std::fs::File::open(directory)?.sync_all()?;
    Ok(())
}
