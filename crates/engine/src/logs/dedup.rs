//! What is known of the lines of one time: which came before, and on which way.

use std::collections::{HashMap, HashSet};
use std::io;

use jobwatch_core::log::LogLine;
use jobwatch_core::model::Source;
use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

use super::record::{NO_POSITION, Record, SOCKET, text_key};
use super::snapshot::Snapshot;

/// Texts of one time that are remembered.
pub const MAX_PRESENT: usize = 1 << 16;

/// What tells a line from others of its time; the same in every run, since it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The id's, else the position's, else the text's.
    pub key: u64,
    /// The text's.
    pub text: u64,
    name: Name,
}

/// What a line is named by. One way of hearing names lines by their id, another by their position: the
/// names of two kinds say nothing about each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Id,
    Position,
    /// Nothing but its text.
    Text,
}

impl Identity {
    /// Of a line.
    #[must_use]
    pub fn of(line: &LogLine<'_>) -> Identity {
        let text = text_key(line.text.as_bytes());
        let key = match (line.id, line.position) {
            (Some(id), _) => xxh3_64_with_seed(id.as_bytes(), 1),
            (None, None) => text,
            (None, Some(position)) => {
                let mut hash = Xxh3::with_seed(3);
                hash.update(&position.to_le_bytes());
                hash.update(line.text.as_bytes());
                hash.digest()
            }
        };
        let name = match (line.id, line.position) {
            (Some(_), _) => Name::Id,
            (None, Some(_)) => Name::Position,
            (None, None) => Name::Text,
        };
        Identity { key, text, name }
    }
}

/// How often a text is stored, and how often each way of naming and hearing brought it. However often
/// one brought it, so often it was written: the most of any is how often it is stored.
#[derive(Clone, Copy, Debug, Default)]
struct Texts {
    stored: u32,
    ids: u32,
    positions: u32,
    socket: u32,
    fetched: u32,
    /// The HTTP answer that `fetched` counts.
    answer: u64,
}

/// The lines of one time.
#[derive(Debug, Default)]
pub struct Dedup {
    /// The only line, which most times have, what brought it, and in which answer. It is not in the
    /// tables below.
    only: Option<(Identity, Source, u64)>,
    named: HashSet<u64, Ready>,
    texts: HashMap<u64, Texts, Ready>,
    /// There were too many to remember.
    pub cut: bool,
}

/// Hashes for tables whose keys are hashes already.
type Ready = std::hash::BuildHasherDefault<AsItIs>;

#[derive(Clone, Copy, Debug, Default)]
struct AsItIs(u64);

impl std::hash::Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

impl Dedup {
    /// A new time begins with this line.
    pub fn begin(&mut self, line: Identity, source: Source, answer: u64) {
        self.clear();
        self.only = Some((line, source, answer));
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.only = None;
        if !self.texts.is_empty() || !self.named.is_empty() {
            self.named.clear();
            self.texts.clear();
        }
        self.cut = false;
    }

    /// Notes a stored line.
    pub fn add(&mut self, record: &Record, text: u64) {
        self.spread();
        let texts = self.texts.entry(text).or_default();
        texts.stored += 1;
        if record.key == text {
            texts.socket += u32::from(record.has(SOCKET));
            return;
        }
        self.named.insert(record.key);
        match record.position {
            NO_POSITION => texts.ids += 1,
            _ => texts.positions += 1,
        }
    }

    /// Puts the only line into the tables, because another one comes.
    fn spread(&mut self) {
        if let Some((only, way, answer)) = self.only.take() {
            self.count(only, way, answer);
        }
    }

    /// Counts one more line from this way; answers whether it is new.
    pub fn is_new(&mut self, line: Identity, source: Source, answer: u64) -> bool {
        self.spread();
        if self.texts.len() >= MAX_PRESENT {
            self.clear();
            self.cut = true;
        }
        self.count(line, source, answer)
    }

    fn count(&mut self, line: Identity, source: Source, answer: u64) -> bool {
        if line.name != Name::Text && !self.named.insert(line.key) {
            return false;
        }
        let texts = self.texts.entry(line.text).or_default();
        let brought = match (line.name, source) {
            (Name::Id, _) => &mut texts.ids,
            (Name::Position, _) => &mut texts.positions,
            (Name::Text, Source::Socket) => &mut texts.socket,
            (Name::Text, _) => {
                if texts.answer != answer {
                    (texts.answer, texts.fetched) = (answer, 0);
                }
                &mut texts.fetched
            }
        };
        *brought += 1;
        let new = *brought > texts.stored;
        texts.stored += u32::from(new);
        new
    }
}

/// The lines of one time among those stored.
#[derive(Debug, Default)]
pub struct Neighbours {
    time: Option<i64>,
    /// What is known of them.
    pub known: Dedup,
    /// The last row of each key, and of each text.
    rows: HashMap<u64, u64>,
}

impl Neighbours {
    /// Looks at the stored lines of a time.
    ///
    /// # Errors
    /// The file system's.
    pub fn look(&mut self, snapshot: &Snapshot, time: i64) -> io::Result<()> {
        if self.time == Some(time) {
            return Ok(());
        }
        self.known.clear();
        self.rows.clear();
        let first = snapshot.lower_bound((time, 0))?;
        let end = snapshot.upper_bound((time, NO_POSITION))?;
        let mut records = Vec::new();
        snapshot.records(first, end - first, &mut records)?;
        for (row, (stored, record)) in (first..).zip(&records) {
            let text = text_key(&snapshot.text(*stored, record, usize::MAX)?);
            self.known.add(record, text);
            self.rows.insert(text, row);
            self.rows.insert(record.key, row);
        }
        self.time = Some(time);
        Ok(())
    }

    /// The row of the stored line that a line of this time repeats.
    #[must_use]
    pub fn row(&self, time: i64, line: Identity) -> Option<u64> {
        let rows = Some(&self.rows).filter(|_| self.time == Some(time))?;
        rows.get(&line.key).or_else(|| rows.get(&line.text)).copied()
    }
}

/// The server's position of a line, as records hold it.
#[must_use]
pub fn position(line: &LogLine<'_>) -> u32 {
    line.position.and_then(|position| u32::try_from(position).ok()).unwrap_or(NO_POSITION)
}
