//! A stretch of a job's log: a file of text, and a file that says where each line is.
//!
//! Both only ever grow. A line is there once its record is: text is written first. What a killed
//! program left unfinished at the end of either file is cut off when the segment is opened again.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::bytes::{Bytes, read_exact_at};
use super::record::{CONTINUED, LEVELS, NO_TIME, RECORD, Record, STYLED, text_key};
use super::render_state::Cache;

/// Lines between two summaries in the index.
pub const BLOCK: u64 = 4_096;
/// Bytes of a summary.
const SUMMARY: usize = 64;
/// Bytes before the first record.
const HEADER: u64 = 64;
/// A segment that holds more text takes no further line.
pub const FULL_BYTES: u64 = 64 << 20;
/// The same for a segment in memory: dropping one must not drop much.
pub const FULL_IN_MEMORY: u64 = 2 << 20;
/// Nor does one with more lines.
pub const FULL_LINES: u64 = 1 << 20;

const MAGIC: &[u8; 8] = b"JWLINES\0";
/// The version of the format; see `docs/log-format.md`.
pub const VERSION: u32 = 1;

/// What is known of [`BLOCK`] lines without reading them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Where their text begins.
    pub start: u32,
    /// Where it ends.
    pub end: u32,
    /// The earliest and the latest time among them.
    pub times: (i64, i64),
    /// How many lines of each level.
    pub levels: [u16; LEVELS],
    /// How many of them go on with the line before.
    pub continued: u16,
    /// How many of them hold escape sequences or carriage returns; `None` where an earlier version
    /// did not count them.
    pub styled: Option<u16>,
    text_crc: u32,
    index_crc: u32,
}

impl Block {
    fn bytes(&self) -> [u8; SUMMARY] {
        let mut bytes = [0; SUMMARY];
        bytes[0..4].copy_from_slice(&self.start.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.end.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.times.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.times.1.to_le_bytes());
        for (level, count) in self.levels.iter().enumerate() {
            bytes[24 + 2 * level..26 + 2 * level].copy_from_slice(&count.to_le_bytes());
        }
        bytes[38..40].copy_from_slice(&self.continued.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.text_crc.to_le_bytes());
        bytes[44..48].copy_from_slice(&self.index_crc.to_le_bytes());
        let styled = self.styled.map_or(0, |count| count + 1);
        bytes[48..50].copy_from_slice(&styled.to_le_bytes());
        let check = crc32fast::hash(&bytes[..60]);
        bytes[60..64].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8; SUMMARY]) -> Option<Block> {
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let i64_at =
            |at: usize| (u64::from(u32_at(at)) | (u64::from(u32_at(at + 4)) << 32)).cast_signed();
        if u32_at(60) != crc32fast::hash(&bytes[..60]) {
            return None;
        }
        let mut levels = [0; LEVELS];
        for (level, count) in levels.iter_mut().enumerate() {
            *count = u16::from_le_bytes([bytes[24 + 2 * level], bytes[25 + 2 * level]]);
        }
        Some(Block {
            start: u32_at(0),
            end: u32_at(4),
            times: (i64_at(8), i64_at(16)),
            levels,
            continued: u16::from_le_bytes([bytes[38], bytes[39]]),
            styled: u16::from_le_bytes([bytes[48], bytes[49]]).checked_sub(1),
            text_crc: u32_at(40),
            index_crc: u32_at(44),
        })
    }
}

/// A segment, for reading. How many of its lines may be read is known to its readers.
#[derive(Debug)]
pub struct Segment {
    /// Number of its first line among the job's stored lines.
    pub first: u64,
    text: Bytes,
    index: Bytes,
    blocks: Mutex<Vec<Block>>,
    /// What the lines of its blocks change of the look.
    pub(super) changes: Cache,
}

/// The names of a segment's two files.
fn paths(dir: &Path, first: u64) -> (PathBuf, PathBuf) {
    (dir.join(format!("{first:012}.log")), dir.join(format!("{first:012}.idx")))
}

/// Removes a segment's files. One that is not there is no error.
///
/// # Errors
/// The file system's.
pub fn remove(dir: &Path, first: u64) -> io::Result<()> {
    let (text, index) = paths(dir, first);
    for path in [index, text] {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Numbers of the segments in a directory, ascending.
///
/// # Errors
/// The file system's.
pub fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".idx"));
        found.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

impl Segment {
    /// Where the record of its line `n` is in the index.
    fn place(n: u64) -> u64 {
        HEADER + n * RECORD as u64 + (n / BLOCK) * SUMMARY as u64
    }

    /// The record of its line `n`.
    ///
    /// # Errors
    /// The file system's.
    pub fn record(&self, n: u64) -> io::Result<Record> {
        let mut bytes = [0; RECORD];
        self.index.read(&mut bytes, Segment::place(n))?;
        Ok(Record::trusted(&bytes))
    }

    /// The records of `count` lines from `n` on, added to `into`.
    ///
    /// # Errors
    /// The file system's.
    pub fn records(&self, n: u64, count: u64, into: &mut Vec<Record>) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.raw_records(n, count, &mut bytes)?;
        into.extend(bytes.as_chunks::<RECORD>().0.iter().map(Record::trusted));
        Ok(())
    }

    /// The records of `count` lines from `n` on as they are stored, in place of what is in `into`.
    ///
    /// # Errors
    /// The file system's.
    pub fn raw_records(&self, n: u64, count: u64, into: &mut Vec<u8>) -> io::Result<()> {
        into.clear();
        let (mut n, end) = (n, n + count);
        while n < end {
            let part = (end - n).min(BLOCK - n % BLOCK);
            let from = into.len();
            into.resize(from + usize::try_from(part).unwrap_or(0) * RECORD, 0);
            self.index.read(&mut into[from..], Segment::place(n))?;
            n += part;
        }
        Ok(())
    }

    /// The summary of the block that line `n` begins; `None` where none does, or it is not complete.
    #[must_use]
    pub fn block(&self, n: u64) -> Option<Block> {
        let at = usize::try_from(n / BLOCK).ok().filter(|_| n.is_multiple_of(BLOCK))?;
        self.blocks().get(at).copied()
    }

    /// Text from `start` on, as much as `into` takes.
    ///
    /// # Errors
    /// The file system's.
    pub fn text(&self, start: u32, into: &mut [u8]) -> io::Result<()> {
        self.text.read(into, u64::from(start))
    }

    /// The text file, for mapping; `None` where the segment is in memory.
    #[must_use]
    pub fn text_file(&self) -> Option<&File> {
        match &self.text {
            Bytes::File(file) => Some(file),
            Bytes::Memory(_) => None,
        }
    }

    /// The complete blocks.
    pub fn blocks(&self) -> MutexGuard<'_, Vec<Block>> {
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the operating system put what was written on the disk.
    ///
    /// # Errors
    /// The file system's.
    pub fn sync(&self) -> io::Result<()> {
        for bytes in [&self.text, &self.index] {
            if let Bytes::File(file) = bytes {
                file.sync_data()?;
            }
        }
        Ok(())
    }
}

/// A segment, and how much of it there was at one moment.
#[derive(Clone, Debug)]
pub struct Part {
    /// The segment.
    pub segment: Arc<Segment>,
    /// Lines.
    pub lines: u64,
    /// Bytes of both files.
    pub bytes: u64,
}

impl Part {
    /// One beyond the number of its last line among the job's stored lines.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.segment.first + self.lines
    }
}

/// The end of a segment, to write on.
#[derive(Debug)]
pub struct Tail {
    /// The segment, as readers have it.
    pub segment: Arc<Segment>,
    /// Lines written.
    lines: u64,
    /// Bytes of text written.
    bytes: u64,
    /// What is not written yet.
    text: Vec<u8>,
    index: Vec<u8>,
    waiting: u64,
    /// The lines since the last summary.
    open: Open,
    /// Summaries in `index` that are not written yet.
    new: Vec<Block>,
}

#[derive(Debug)]
struct Open {
    start: u64,
    lines: u64,
    times: (i64, i64),
    levels: [u16; LEVELS],
    continued: u16,
    styled: u16,
    text: crc32fast::Hasher,
    index: crc32fast::Hasher,
}

impl Open {
    fn at(start: u64) -> Open {
        Open {
            start,
            lines: 0,
            times: (i64::MAX, NO_TIME),
            levels: [0; LEVELS],
            continued: 0,
            styled: 0,
            text: crc32fast::Hasher::new(),
            index: crc32fast::Hasher::new(),
        }
    }

    fn add(&mut self, record: &Record) {
        self.lines += 1;
        self.times = (self.times.0.min(record.time), self.times.1.max(record.time));
        self.levels[usize::from(record.level).min(LEVELS - 1)] += 1;
        self.continued += u16::from(record.has(CONTINUED));
        self.styled += u16::from(record.has(STYLED));
    }
}

impl Tail {
    /// A new segment, in files of `dir` or in memory.
    ///
    /// # Errors
    /// The file system's.
    pub fn create(dir: Option<&Path>, first: u64) -> io::Result<Tail> {
        let mut header = [0; HEADER as usize];
        header[..8].copy_from_slice(MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[16..24].copy_from_slice(&first.to_le_bytes());
        let check = crc32fast::hash(&header[..60]);
        header[60..].copy_from_slice(&check.to_le_bytes());
        let (text, index) = match dir {
            Some(dir) => {
                let (text, index) = paths(dir, first);
                let create = |path: &Path| {
                    OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)
                };
                (Bytes::File(create(&text)?), Bytes::File(create(&index)?))
            }
            None => (Bytes::Memory(RwLock::default()), Bytes::Memory(RwLock::default())),
        };
        index.write(&header, 0)?;
        let segment =
            Segment { first, text, index, blocks: Mutex::default(), changes: Cache::default() };
        Ok(Tail {
            segment: Arc::new(segment),
            lines: 0,
            bytes: 0,
            text: Vec::new(),
            index: Vec::new(),
            waiting: 0,
            open: Open::at(0),
            new: Vec::new(),
        })
    }

    /// Opens what an earlier run wrote, up to the last line that is whole. With `mend`, what follows
    /// it is cut off.
    ///
    /// # Errors
    /// The file system's; `InvalidData` when it is no segment of this version.
    pub fn open(dir: &Path, first: u64, mend: bool) -> io::Result<Tail> {
        let (text, index) = paths(dir, first);
        let open = |path: &Path| OpenOptions::new().read(true).write(mend).open(path);
        let (text, index) = (open(&text)?, open(&index)?);
        let (text_len, index_len) = (text.metadata()?.len(), index.metadata()?.len());
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut header = [0; HEADER as usize];
        read_exact_at(&index, &mut header, 0).map_err(|_| invalid("no header"))?;
        let check = u32::from_le_bytes([header[60], header[61], header[62], header[63]]);
        if header[..8] != *MAGIC || check != crc32fast::hash(&header[..60]) {
            return Err(invalid("not the index of a log"));
        }
        if header[8..12] != VERSION.to_le_bytes() {
            return Err(invalid("an index of another version"));
        }
        let segment = Segment {
            first,
            text: Bytes::File(text),
            index: Bytes::File(index),
            blocks: Mutex::default(),
            changes: Cache::default(),
        };
        let block_bytes = BLOCK * RECORD as u64 + SUMMARY as u64;
        let mut blocks: Vec<Block> = Vec::new();
        while HEADER + (blocks.len() as u64 + 1) * block_bytes <= index_len {
            let mut bytes = [0; SUMMARY];
            let at = HEADER + (blocks.len() as u64 + 1) * block_bytes - SUMMARY as u64;
            segment.index.read(&mut bytes, at)?;
            let begin = blocks.last().map_or(0, |block| block.end);
            match Block::read(&bytes) {
                Some(block) if block.start == begin && u64::from(block.end) <= text_len => {
                    blocks.push(block);
                }
                _ => break,
            }
        }
        // The last blocks may have been under way when the machine lost power.
        while let Some(last) = blocks.last() {
            if segment.whole(blocks.len() as u64 - 1, last)? {
                break;
            }
            blocks.pop();
        }
        let mut lines = blocks.len() as u64 * BLOCK;
        let mut end = blocks.last().map_or(0, |block| u64::from(block.end));
        let mut open = Open::at(end);
        let room = index_len.saturating_sub(Segment::place(lines)) / RECORD as u64;
        let mut line = Vec::new();
        for _ in 0..room.min(BLOCK - 1) {
            let mut bytes = [0; RECORD];
            segment.index.read(&mut bytes, Segment::place(lines))?;
            let record = Record::trusted(&bytes);
            let next = u64::from(record.start) + u64::from(record.len) + 1;
            if u64::from(record.start) != end || next > text_len {
                break;
            }
            line.resize(record.len as usize, 0);
            segment.text.read(&mut line, end)?;
            if !Record::is_whole(&bytes, text_key(&line)) {
                break;
            }
            open.index.update(&bytes);
            open.add(&record);
            end = next;
            lines += 1;
        }
        let mut rest = vec![0; usize::try_from(end - open.start).unwrap_or(0)];
        segment.text.read(&mut rest, open.start)?;
        open.text.update(&rest);
        if mend && let (Bytes::File(text), Bytes::File(index)) = (&segment.text, &segment.index) {
            text.set_len(end)?;
            index.set_len(Segment::place(lines))?;
        }
        *segment.blocks() = blocks;
        Ok(Tail {
            segment: Arc::new(segment),
            lines,
            bytes: end,
            text: Vec::new(),
            index: Vec::new(),
            waiting: 0,
            open,
            new: Vec::new(),
        })
    }

    /// Lines, with those that are not written yet.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines + self.waiting
    }

    /// Lines that wait to be written.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting
    }

    /// The segment as far as it is written.
    #[must_use]
    pub fn part(&self) -> Part {
        Part {
            segment: Arc::clone(&self.segment),
            lines: self.lines,
            bytes: self.bytes + Segment::place(self.lines),
        }
    }

    /// Whether the next line belongs into a new segment: where it can, one ends with a whole block.
    #[must_use]
    pub fn full(&self) -> bool {
        let limit = match self.segment.text {
            Bytes::File(_) => FULL_BYTES,
            Bytes::Memory(_) => FULL_IN_MEMORY,
        };
        let bytes = self.bytes + self.text.len() as u64;
        let full = bytes >= limit || self.lines() >= FULL_LINES;
        full && (self.open.lines == 0 || bytes >= 4 * limit)
    }

    /// Bytes that wait to be written.
    #[must_use]
    pub fn unwritten(&self) -> usize {
        self.text.len() + self.index.len()
    }

    /// Adds a line; `start` and `len` of `record` are filled in here. The text must be shorter than
    /// 4 GiB less [`FULL_BYTES`].
    #[inline]
    pub fn push(&mut self, record: Record, text: &[u8]) {
        self.push_known(record, text, text_key(text));
    }

    /// As [`Tail::push`], with the text's [`text_key`] at hand.
    #[inline]
    pub fn push_known(&mut self, mut record: Record, text: &[u8], key: u64) {
        // A full segment takes no line, and no line is near so long.
        record.start = (self.bytes + self.text.len() as u64) as u32;
        record.len = text.len() as u32;
        self.text.extend_from_slice(text);
        self.text.push(b'\n');
        let bytes = record.bytes(key);
        self.index.extend_from_slice(&bytes);
        self.waiting += 1;
        self.open.add(&record);
        if self.open.lines == BLOCK {
            self.close_block();
        }
    }

    fn close_block(&mut self) {
        let end = self.bytes + self.text.len() as u64;
        let mut open = std::mem::replace(&mut self.open, Open::at(end));
        // Of the open block, what was written before has been counted at `write`.
        let text_from = usize::try_from(open.start.saturating_sub(self.bytes)).unwrap_or(0);
        open.text.update(&self.text[text_from..]);
        let records = usize::try_from(open.lines.min(self.waiting)).unwrap_or(0) * RECORD;
        open.index.update(&self.index[self.index.len() - records..]);
        let block = Block {
            start: open.start as u32,
            end: end as u32,
            times: open.times,
            levels: open.levels,
            continued: open.continued,
            styled: Some(open.styled),
            text_crc: open.text.finalize(),
            index_crc: open.index.finalize(),
        };
        self.index.extend_from_slice(&block.bytes());
        self.new.push(block);
    }

    /// Writes what waits: afterwards it can be read, and outlives the program. After an error the
    /// lines still wait.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&mut self) -> io::Result<()> {
        if self.waiting == 0 {
            return Ok(());
        }
        self.segment.text.write(&self.text, self.bytes)?;
        self.segment.index.write(&self.index, Segment::place(self.lines))?;
        if self.open.lines > 0 {
            let text_from =
                usize::try_from(self.open.start.saturating_sub(self.bytes)).unwrap_or(0);
            self.open.text.update(&self.text[text_from..]);
            let records = usize::try_from(self.open.lines.min(self.waiting)).unwrap_or(0) * RECORD;
            self.open.index.update(&self.index[self.index.len() - records..]);
        }
        self.segment.blocks().append(&mut self.new);
        self.bytes += self.text.len() as u64;
        self.lines += self.waiting;
        self.waiting = 0;
        self.text.clear();
        self.index.clear();
        Ok(())
    }

    /// Takes out the lines that wait, for another segment.
    pub fn take_waiting(&mut self) -> Vec<(Record, Vec<u8>)> {
        let mut taken = Vec::new();
        let mut at = 0;
        let mut n = self.lines;
        while taken.len() as u64 + self.lines < self.lines() {
            let Some(bytes) = self.index.get(at..at + RECORD).and_then(|part| part.first_chunk())
            else {
                break;
            };
            let record = Record::trusted(bytes);
            let from = usize::try_from(u64::from(record.start) - self.bytes).unwrap_or(0);
            taken.push((record, self.text[from..from + record.len as usize].to_vec()));
            n += 1;
            at += RECORD + if n.is_multiple_of(BLOCK) { SUMMARY } else { 0 };
        }
        taken
    }
}

impl Segment {
    /// Whether a block is as its summary says.
    fn whole(&self, number: u64, block: &Block) -> io::Result<bool> {
        let mut index = vec![0; BLOCK as usize * RECORD];
        self.index.read(&mut index, Segment::place(number * BLOCK))?;
        if crc32fast::hash(&index) != block.index_crc {
            return Ok(false);
        }
        let mut text = vec![0; (block.end - block.start) as usize];
        self.text.read(&mut text, u64::from(block.start))?;
        Ok(crc32fast::hash(&text) == block.text_crc)
    }
}
