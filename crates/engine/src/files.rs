//! Reading files that people name: a path may lead to anything.

use std::fs::{File, FileType, Metadata};
use std::io::{Error, ErrorKind, Read as _, Result};
use std::path::Path;

/// Reads the whole file at `path`, at most `limit` bytes of it.
///
/// What is no regular file is not opened: reading a named pipe would wait for ever for somebody to
/// write into it.
///
/// # Errors
/// Whatever the file system says; [`ErrorKind::InvalidInput`] with a text for people where the path
/// leads to something else than a file, [`ErrorKind::FileTooLarge`] where it is too large.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    regular(&std::fs::metadata(path)?)?;
    let mut bytes = Vec::new();
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let text = format!("it is larger than {} MiB", limit >> 20);
        return Err(Error::new(ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

/// # Errors
/// Where this is no regular file: what it is instead.
pub(crate) fn regular(metadata: &Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let text = format!("it is {}, not a file", what(metadata.file_type()));
    Err(Error::new(ErrorKind::InvalidInput, text))
}

fn what(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a directory";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return "a named pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
    }
    "a device"
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_named_and_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let refused = |path: &Path| read(path, 1 << 20).unwrap_err().to_string();
        assert_eq!(refused(&pipe), "it is a named pipe, not a file");
        assert_eq!(refused(directory.path()), "it is a directory, not a file");
        assert_eq!(refused(Path::new("/dev/zero")), "it is a device, not a file");
        let file = directory.path().join("file");
        std::fs::write(&file, vec![b'x'; (1 << 20) + 1]).unwrap();
        assert_eq!(refused(&file), "it is larger than 1 MiB");
        std::fs::write(&file, "x").unwrap();
        assert_eq!(read(&file, 1).unwrap(), b"x");
    }
}
