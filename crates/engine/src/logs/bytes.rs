//! Bytes at places, in a file or in memory.

use std::fs::File;
use std::io;
use std::sync::{PoisonError, RwLock};

/// Bytes in a file, or in memory where no file can be had.
#[derive(Debug)]
pub enum Bytes {
    /// In a file.
    File(File),
    /// In memory.
    Memory(RwLock<Vec<u8>>),
}

impl Bytes {
    /// Reads what stands at a place.
    ///
    /// # Errors
    /// The file system's; `UnexpectedEof` beyond the end.
    pub fn read(&self, into: &mut [u8], at: u64) -> io::Result<()> {
        match self {
            Bytes::File(file) => read_exact_at(file, into, at),
            Bytes::Memory(bytes) => {
                let bytes = bytes.read().unwrap_or_else(PoisonError::into_inner);
                let from = usize::try_from(at).unwrap_or(usize::MAX);
                let part = from.checked_add(into.len()).and_then(|end| bytes.get(from..end));
                into.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }

    /// Writes at a place. Writing the same place again after a failure repeats nothing.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        match self {
            Bytes::File(file) => write_all_at(file, bytes, at),
            Bytes::Memory(all) => {
                let mut all = all.write().unwrap_or_else(PoisonError::into_inner);
                all.truncate(usize::try_from(at).unwrap_or(usize::MAX));
                all.extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}

#[cfg(unix)]
pub fn read_exact_at(file: &File, into: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, at)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
pub fn read_exact_at(file: &File, mut into: &mut [u8], mut at: u64) -> io::Result<()> {
    while !into.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, into, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                into = &mut into[n..];
                at += n as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, at)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n => {
                bytes = &bytes[n..];
                at += n as u64;
            }
        }
    }
    Ok(())
}
