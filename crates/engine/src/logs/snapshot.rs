//! A log as it is at one moment, for reading. Cheap to take and to keep.

use std::io;
use std::sync::Arc;

use super::order::Order;
use super::record::{LEVELS, NO_TIME, Record};
use super::segment::{BLOCK, Part};

/// How many lines of each level.
pub type Levels = [u64; LEVELS];

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The segments, in the order of storing.
    pub parts: Vec<Part>,
    /// In which order the lines are read.
    pub order: Arc<Order>,
    /// Who wrote lines; a record's origin counts from 1.
    pub origins: Arc<Vec<String>>,
    /// Lines that were dropped to stay within the budget, all of them before the first row.
    pub dropped: u64,
    /// Counts the changes of the order other than lines added at the end.
    pub shuffles: u64,
}

impl Snapshot {
    /// Rows.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.order.len()
    }

    /// Whether there is no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Number of the first line that is still stored.
    #[must_use]
    pub fn first_stored(&self) -> u64 {
        self.parts.first().map_or(0, |part| part.segment.first)
    }

    /// One beyond the number of the last stored line.
    #[must_use]
    pub fn end_stored(&self) -> u64 {
        self.parts.last().map_or(0, Part::end)
    }

    /// The part that holds a stored line, if one does.
    #[must_use]
    pub fn part_of(&self, stored: u64) -> Option<&Part> {
        self.part(stored).ok()
    }

    /// The part that holds a stored line.
    fn part(&self, stored: u64) -> io::Result<&Part> {
        let at = self.parts.partition_point(|part| part.end() <= stored);
        self.parts.get(at).filter(|part| part.segment.first <= stored).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "the line is not stored any more")
        })
    }

    /// The record of a stored line.
    ///
    /// # Errors
    /// The file system's; `NotFound` for a line that is not there.
    pub fn stored_record(&self, stored: u64) -> io::Result<Record> {
        let part = self.part(stored)?;
        part.segment.record(stored - part.segment.first)
    }

    /// The record at a row.
    ///
    /// # Errors
    /// As [`Snapshot::stored_record`].
    pub fn record(&self, row: u64) -> io::Result<Record> {
        let stored = self.order.stored(row).ok_or(io::ErrorKind::NotFound)?;
        self.stored_record(stored)
    }

    /// Number and record of `count` rows from `row` on, added to `into`.
    ///
    /// # Errors
    /// The file system's.
    pub fn records(&self, row: u64, count: u64, into: &mut Vec<(u64, Record)>) -> io::Result<()> {
        let mut records = Vec::new();
        for (mut stored, mut left) in self.order.stretches(row, count) {
            while left > 0 {
                let part = self.part(stored)?;
                let n = stored - part.segment.first;
                let many = left.min(part.lines - n);
                records.clear();
                part.segment.records(n, many, &mut records)?;
                into.extend((stored..).zip(records.iter().copied()));
                stored += many;
                left -= many;
            }
        }
        Ok(())
    }

    /// The text of a stored line, at most `limit` bytes of it.
    ///
    /// # Errors
    /// The file system's.
    pub fn text(&self, stored: u64, record: &Record, limit: usize) -> io::Result<Vec<u8>> {
        let part = self.part(stored)?;
        let mut text = vec![0; (record.len as usize).min(limit)];
        part.segment.text(record.start, &mut text)?;
        Ok(text)
    }

    /// The name of a record's origin.
    #[must_use]
    pub fn origin(&self, record: &Record) -> Option<&str> {
        let at = usize::from(record.origin).checked_sub(1)?;
        self.origins.get(at).map(String::as_str)
    }

    /// The first row whose place is not before `place`.
    ///
    /// # Errors
    /// The file system's.
    pub fn lower_bound(&self, place: (i64, u32)) -> io::Result<u64> {
        self.partition(|record| record.place() < place)
    }

    /// The first row whose place is after `place`.
    ///
    /// # Errors
    /// The file system's.
    pub fn upper_bound(&self, place: (i64, u32)) -> io::Result<u64> {
        self.partition(|record| record.place() <= place)
    }

    /// The first row at or after a time, in nanoseconds since 1970.
    ///
    /// # Errors
    /// The file system's.
    pub fn row_at(&self, time: i64) -> io::Result<u64> {
        self.lower_bound((time, 0))
    }

    fn partition(&self, before: impl Fn(&Record) -> bool) -> io::Result<u64> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if before(&self.record(middle)?) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The times of the first and the last line that have one.
    ///
    /// # Errors
    /// The file system's.
    pub fn span(&self) -> io::Result<Option<(i64, i64)>> {
        let first = self.lower_bound((NO_TIME + 1, 0))?;
        if first == self.len() {
            return Ok(None);
        }
        Ok(Some((self.record(first)?.time, self.record(self.len() - 1)?.time)))
    }

    /// How many lines of each level there are in a stretch of stored lines. Whole blocks are counted
    /// by their summaries.
    ///
    /// # Errors
    /// The file system's.
    pub fn levels_stored(&self, from: u64, count: u64, into: &mut Levels) -> io::Result<()> {
        let (mut stored, end) = (from, from + count);
        let mut records = Vec::new();
        while stored < end {
            let part = self.part(stored)?;
            let n = stored - part.segment.first;
            let last = (end - part.segment.first).min(part.lines);
            let block_end = (n / BLOCK + 1) * BLOCK;
            let block = usize::try_from(n / BLOCK).unwrap_or(usize::MAX);
            let whole = n.is_multiple_of(BLOCK) && block_end <= last;
            let summary = whole.then(|| part.segment.blocks().get(block).copied()).flatten();
            let next = match summary {
                Some(block) => {
                    for (sum, more) in into.iter_mut().zip(block.levels) {
                        *sum += u64::from(more);
                    }
                    block_end
                }
                None => {
                    let next = block_end.min(last);
                    records.clear();
                    part.segment.records(n, next - n, &mut records)?;
                    for record in &records {
                        into[usize::from(record.level).min(LEVELS - 1)] += 1;
                    }
                    next
                }
            };
            stored += next - n;
        }
        Ok(())
    }

    /// How many lines of each level there are in `count` rows from `row` on.
    ///
    /// # Errors
    /// The file system's.
    pub fn levels(&self, row: u64, count: u64) -> io::Result<Levels> {
        let mut sums = Levels::default();
        for (stored, many) in self.order.stretches(row, count) {
            self.levels_stored(stored, many, &mut sums)?;
        }
        Ok(sums)
    }

    /// The next row from `row` on (or, backwards, the last before it) whose level is at least
    /// `level`.
    ///
    /// # Errors
    /// The file system's.
    pub fn next_of_level(&self, row: u64, level: u8, backwards: bool) -> io::Result<Option<u64>> {
        // Whole stretches without such a line are passed by their summaries.
        const STEP: u64 = 4 * BLOCK;
        let mut records = Vec::new();
        let has = |levels: &Levels| levels[usize::from(level)..].iter().any(|count| *count > 0);
        let mut at = row.min(self.len());
        loop {
            let (from, count) = if backwards {
                let from = at.saturating_sub(STEP);
                (from, at - from)
            } else {
                (at, STEP.min(self.len() - at))
            };
            if count == 0 {
                return Ok(None);
            }
            if has(&self.levels(from, count)?) {
                records.clear();
                self.records(from, count, &mut records)?;
                let hits = |(_, record): &(u64, Record)| record.level >= level;
                let hit = match backwards {
                    true => records.iter().rposition(hits),
                    false => records.iter().position(hits),
                };
                if let Some(hit) = hit {
                    return Ok(Some(from + hit as u64));
                }
            }
            at = if backwards { from } else { from + count };
        }
    }
}
