//! Finding places in a log view, and seeing it from afar.

use std::io;

use super::query::{LogLevel, LogMap, LogPlace, LogTarget};
use super::reader::{MergeSource, Reader};
use super::record::LEVELS;
use super::snapshot::Levels;

/// The first row behind the place where one starts, which itself is left out.
fn edge(from: i64, back: bool) -> u64 {
    let from = if back { from } else { from.saturating_add(1) };
    u64::try_from(from).unwrap_or(0)
}

impl Reader {
    /// Where something is.
    ///
    /// # Errors
    /// The file system's.
    pub fn seek(&self, target: LogTarget) -> io::Result<Option<LogPlace>> {
        let at = |row| (row < self.len()).then_some(LogPlace { row, nth: None });
        match target {
            LogTarget::Time { at: ms } => {
                let time = ms.saturating_mul(1_000_000);
                Ok(at(self.rows_at(&self.before(time, false)?)))
            }
            LogTarget::Line { line } => {
                let Some(source) = self.sources.first() else { return Ok(None) };
                let row = line.saturating_sub(1).saturating_sub(source.log.dropped);
                Ok(at(self.view_row(0, row.min(source.log.len()))?))
            }
            LogTarget::Level { from, back, level } => {
                let level = LogLevel::from(level) as u8;
                Ok(self.next_of_level(edge(from, back), back, level)?.and_then(at))
            }
            LogTarget::Match { from, back } => self.next_match(edge(from, back), back),
        }
    }

    fn next_of_level(&self, edge: u64, back: bool, level: u8) -> io::Result<Option<u64>> {
        let split = self.split(edge)?;
        let mut best: Option<u64> = None;
        for (number, source) in self.sources.iter().enumerate() {
            let rows = source.rows.as_ref();
            let mut row = match source.select(rows, split[number].0) {
                Some(row) => row,
                None => source.log.len(),
            };
            // Rows that the filter hides are passed over.
            while let Some(hit) = source.log.next_of_level(row, level, back)? {
                let stored = source.log.order.stored(hit);
                if rows.is_none_or(|rows| stored.is_some_and(|stored| rows.has(stored))) {
                    let found = self.view_row(number, hit)?;
                    let better =
                        best.is_none_or(|best| if back { found > best } else { found < best });
                    if better {
                        best = Some(found);
                    }
                    break;
                }
                row = if back { hit } else { hit + 1 };
            }
        }
        Ok(best)
    }

    fn next_match(&self, edge: u64, back: bool) -> io::Result<Option<LogPlace>> {
        let marks = |source: &MergeSource, row: u64| source.rank(source.marks.as_ref(), row);
        let all: u64 = self
            .sources
            .iter()
            .filter(|source| source.marks.is_some())
            .map(|source| source.count(source.marks.as_ref()))
            .sum();
        if all == 0 {
            return Ok(None);
        }
        // Matches before the row one starts from, of each source.
        let split = self.split(edge)?;
        let mut seen = Vec::new();
        for (source, (nth, _)) in self.sources.iter().zip(&split) {
            let row = source.select(source.rows.as_ref(), *nth).unwrap_or(source.log.len());
            seen.push(marks(source, row));
        }
        let wrap = match back {
            true => seen.iter().all(|seen| *seen == 0),
            false => self
                .sources
                .iter()
                .zip(&seen)
                .all(|(source, seen)| *seen == marks(source, source.log.len())),
        };
        if wrap {
            seen = self
                .sources
                .iter()
                .map(|source| if back { marks(source, source.log.len()) } else { 0 })
                .collect();
        }
        let mut best: Option<(u64, u64)> = None;
        let before: u64 = seen.iter().sum();
        for (number, (source, seen)) in self.sources.iter().zip(&seen).enumerate() {
            let Some(index) = &source.marks else { continue };
            let nth = if back { seen.checked_sub(1) } else { Some(*seen) };
            let Some(row) = nth.and_then(|nth| source.select(Some(index), nth)) else { continue };
            let row = self.view_row(number, row)?;
            let better = best.is_none_or(|(best, _)| if back { row > best } else { row < best });
            if better {
                best = Some((row, if back { before } else { before + 1 }));
            }
        }
        Ok(best.map(|(row, nth)| LogPlace { row, nth: Some(nth) }))
    }

    /// The log from afar.
    ///
    /// # Errors
    /// The file system's.
    pub fn map(&self, slices: u32, buckets: u32) -> io::Result<LogMap> {
        let (slices, buckets) = (u64::from(slices.min(2_000)), u64::from(buckets.min(2_000)));
        let total = self.len();
        let mut map = LogMap::default();
        let mut sums = self.sources.iter().map(|_| (0, Levels::default())).collect::<Vec<_>>();
        let mut before = (0, 0);
        for slice in 1..=slices.min(total) {
            let end =
                (u128::from(total) * u128::from(slice) / u128::from(slices.min(total))) as u64;
            let split = self.split(end)?;
            let mut now = (0, 0);
            for ((source, sum), (nth, _)) in self.sources.iter().zip(&mut sums).zip(split) {
                let row = source.select(source.rows.as_ref(), nth).unwrap_or(source.log.len());
                let levels = self.levels_upto(source, sum, row)?;
                now = (now.0 + levels[4], now.1 + levels[5] + levels[6]);
            }
            map.slices.push((now.0 - before.0, now.1 - before.1));
            before = now;
        }
        let Some((from, to)) = self.span()? else { return Ok(map) };
        map.span = Some((from / 1_000_000, to / 1_000_000));
        let mut sums = self.sources.iter().map(|_| (0, Levels::default())).collect::<Vec<_>>();
        let mut before: Option<(u64, u64, u64)> = None;
        for bucket in 0..=buckets {
            let width = i128::from(to) - i128::from(from) + 1;
            let time = i128::from(from) + width * i128::from(bucket) / i128::from(buckets.max(1));
            let split = self.before(time as i64, false)?;
            let mut now = (0, 0, 0);
            for ((source, sum), (row, _)) in self.sources.iter().zip(&mut sums).zip(split) {
                let levels = self.levels_upto(source, sum, row)?;
                let rows = source.rank(source.rows.as_ref(), row);
                now = (now.0 + rows, now.1 + levels[4], now.2 + levels[5] + levels[6]);
            }
            if let Some(before) = before {
                map.buckets.push((now.0 - before.0, now.1 - before.1, now.2 - before.2));
            }
            before = Some(now);
        }
        Ok(map)
    }

    /// Levels of the rows of a source before a row of its log, going on from an earlier sum.
    fn levels_upto(
        &self,
        source: &MergeSource,
        sum: &mut (u64, Levels),
        row: u64,
    ) -> io::Result<Levels> {
        let from = sum.0.min(row);
        if source.rows.is_none() {
            let more = source.log.levels(from, row - from)?;
            for (sum, more) in sum.1.iter_mut().zip(more) {
                *sum += more;
            }
        } else {
            let rank = |row| source.rank(source.rows.as_ref(), row);
            let (first, end) = (rank(from), rank(row));
            // Of many rows a sample tells where the errors are.
            let step = ((end - first) / 256).max(1);
            let mut nth = first;
            while nth < end {
                let Some(hit) = source.select(source.rows.as_ref(), nth) else { break };
                let record = source.log.record(hit)?;
                let weight = step.min(end - nth);
                sum.1[usize::from(record.level).min(LEVELS - 1)] += weight;
                nth += step;
            }
        }
        sum.0 = row;
        Ok(sum.1)
    }
}
