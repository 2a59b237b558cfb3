//! What the index holds of a line: 32 bytes, little endian. See `docs/log-format.md`.

use jiff::Timestamp;
use jobwatch_core::model::Level;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes of a record.
pub const RECORD: usize = 32;
/// No time is known for a line, and none for any line before it.
pub const NO_TIME: i64 = i64::MIN;
/// The server did not say at which position of the log the line is.
pub const NO_POSITION: u32 = u32::MAX;

/// The line has a time of its own; without this, `time` is that of the line before it.
pub const TIMED: u8 = 1 << 0;
/// The line came over the socket.
pub const SOCKET: u8 = 1 << 1;
/// The line goes on with what the line before it began: part of a stack trace.
pub const CONTINUED: u8 = 1 << 2;
/// The level was guessed from the text.
pub const GUESSED: u8 = 1 << 3;
/// The text holds escape sequences or carriage returns: what is seen of it differs.
pub const STYLED: u8 = 1 << 4;

const LEVEL_BITS: u8 = 3;
const LEVEL_MASK: u8 = (1 << LEVEL_BITS) - 1;

/// Levels as the index counts them: none, then trace to fatal.
pub const LEVELS: usize = 7;

/// What the index holds of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where the text begins in the segment's text file.
    pub start: u32,
    /// Its bytes, without the line feed that follows it there.
    pub len: u32,
    /// Nanoseconds since 1970, or [`NO_TIME`].
    pub time: i64,
    /// What tells it from other lines of the same time; see [`super::key`].
    pub key: u64,
    /// The server's number of the line in the job's log, or [`NO_POSITION`].
    pub position: u32,
    /// Which of the job's origins wrote it, from 1; 0 for none.
    pub origin: u16,
    /// 0 for none, 1 (trace) to 6 (fatal).
    pub level: u8,
    /// [`TIMED`], [`SOCKET`], [`CONTINUED`], [`GUESSED`], [`STYLED`].
    pub flags: u8,
}

impl Record {
    /// The bytes of the record, the last one of which checks the others and the text, by the text's
    /// [`text_key`].
    #[must_use]
    #[inline]
    pub fn bytes(&self, text: u64) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[0..4].copy_from_slice(&self.start.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.len.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.time.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.key.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.position.to_le_bytes());
        bytes[28..30].copy_from_slice(&self.origin.to_le_bytes());
        bytes[30] = self.level | (self.flags << LEVEL_BITS);
        bytes[31] = check(&bytes, text);
        bytes
    }

    /// Whether the check byte is right for the record and its text's [`text_key`], as it is not in a
    /// part of either file that was never written.
    #[must_use]
    pub fn is_whole(bytes: &[u8; RECORD], text: u64) -> bool {
        check(bytes, text) == bytes[31]
    }

    /// Reads a record that has been checked before.
    #[must_use]
    pub fn trusted(bytes: &[u8; RECORD]) -> Record {
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let u64_at = |at: usize| u64::from(u32_at(at)) | (u64::from(u32_at(at + 4)) << 32);
        Record {
            start: u32_at(0),
            len: u32_at(4),
            time: u64_at(8).cast_signed(),
            key: u64_at(16),
            position: u32_at(24),
            origin: u16::from_le_bytes([bytes[28], bytes[29]]),
            level: bytes[30] & LEVEL_MASK,
            flags: bytes[30] >> LEVEL_BITS,
        }
    }

    /// Where the text of a record as it is stored begins and ends.
    #[must_use]
    #[inline]
    pub fn text_of(bytes: &[u8; RECORD]) -> (u32, u32) {
        let start = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let len = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        (start, start.saturating_add(len))
    }

    /// Whether a flag is set in a record as it is stored.
    #[must_use]
    #[inline]
    pub fn flagged(bytes: &[u8; RECORD], flag: u8) -> bool {
        (bytes[30] >> LEVEL_BITS) & flag != 0
    }

    /// Whether a flag is set.
    #[must_use]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The line's own time.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        if !self.has(TIMED) {
            return None;
        }
        Timestamp::from_nanosecond(i128::from(self.time)).ok()
    }

    /// The level, where the server said one or the text tells.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        level_of(self.level)
    }

    /// The level, where the server said one.
    #[must_use]
    pub fn own_level(&self) -> Option<Level> {
        self.level().filter(|_| !self.has(GUESSED))
    }

    /// What orders lines: the time, then the server's position.
    #[must_use]
    pub fn place(&self) -> (i64, u32) {
        (self.time, self.position)
    }
}

/// The check byte: never that of a record of zeros.
#[inline]
fn check(bytes: &[u8; RECORD], text: u64) -> u8 {
    let mut hash = 0x9E37_79B9_7F4A_7C15_u64 ^ text;
    let (words, _) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        // The check byte itself is the highest of the last word.
        let kept = if at == RECORD / 8 - 1 { u64::MAX >> 8 } else { u64::MAX };
        let word = u64::from_le_bytes(*word) & kept;
        hash = (hash.rotate_left(5) ^ word).wrapping_mul(0x517C_C1B7_2722_0A95);
    }
    hash.to_be_bytes()[0]
}

/// What tells a text from others.
#[must_use]
#[inline]
pub fn text_key(text: &[u8]) -> u64 {
    xxh3_64_with_seed(text, 2)
}

/// A time as records hold it: beyond the years 1677 to 2262 it stands at the end of them.
#[must_use]
pub fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(match at < Timestamp::UNIX_EPOCH {
        true => NO_TIME + 1,
        false => i64::MAX,
    })
}

/// A level as records hold it.
#[must_use]
pub fn level_number(level: Option<Level>) -> u8 {
    match level {
        None => 0,
        Some(Level::Trace) => 1,
        Some(Level::Debug) => 2,
        Some(Level::Info) => 3,
        Some(Level::Warn) => 4,
        Some(Level::Error) => 5,
        Some(Level::Fatal) => 6,
    }
}

/// The level of a number that a record holds.
#[must_use]
pub fn level_of(number: u8) -> Option<Level> {
    Some(match number {
        1 => Level::Trace,
        2 => Level::Debug,
        3 => Level::Info,
        4 => Level::Warn,
        5 => Level::Error,
        6 => Level::Fatal,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_not_with_any_bit_changed() {
        let record = Record {
            start: 1,
            len: 70_000,
            time: -5,
            key: u64::MAX - 3,
            position: NO_POSITION,
            origin: 300,
            level: 6,
            flags: TIMED | STYLED,
        };
        let (text, other) = (text_key(b"text"), text_key(b"test"));
        let bytes = record.bytes(text);
        assert_eq!(Record::trusted(&bytes), record);
        assert!(Record::is_whole(&bytes, text) && !Record::is_whole(&bytes, other));
        let mut missed = 0;
        for bit in 0..RECORD * 8 {
            let mut torn = bytes;
            torn[bit / 8] ^= 1 << (bit % 8);
            missed += u32::from(Record::is_whole(&torn, text));
        }
        assert!(missed <= 4, "{missed} of 256 changes were missed");
        assert!(!Record::is_whole(&[0; RECORD], text_key(b"")), "a hole in the file is no record");
    }
}
