//! Lines as they are stored, for whoever prints them.

use std::io;

use jobwatch_core::log::{LogLine, LogLines};

use super::reader::{MergeSource, Reader};
use super::record::Record;
use super::snapshot::Snapshot;

/// Lines and their numbers in the order of storing.
#[derive(Debug, Default)]
pub struct Lines {
    /// The lines.
    pub lines: LogLines,
    /// Their numbers.
    pub numbers: Vec<u64>,
}

impl Lines {
    pub(super) fn add(&mut self, log: &Snapshot, stored: u64, record: &Record) -> io::Result<()> {
        let bytes = log.text(stored, record, usize::MAX)?;
        self.lines.push(LogLine {
            at: record.at(),
            level: record.own_level(),
            origin: log.origin(record),
            text: &String::from_utf8_lossy(&bytes),
            ..LogLine::default()
        });
        self.numbers.push(stored);
        Ok(())
    }
}

impl Reader {
    /// The lines of the first log whose number and time `wanted` accepts, whatever the filter, in
    /// the order of reading; in batches, until `each` answers `false`.
    ///
    /// # Errors
    /// The file system's.
    pub fn each(
        &self,
        wanted: impl Fn(u64, i64) -> bool,
        from: u64,
        mut each: impl FnMut(Lines) -> bool,
    ) -> io::Result<()> {
        let Some(MergeSource { log, .. }) = self.sources.first() else { return Ok(()) };
        let mut records = Vec::new();
        for run in log.order.runs() {
            let skipped = from.saturating_sub(run.first).min(run.len);
            let (mut row, end) = (run.at + skipped, run.at + run.len);
            while row < end {
                let many = (end - row).min(1_000);
                records.clear();
                log.records(row, many, &mut records)?;
                row += many;
                let mut all = Lines::default();
                for (stored, record) in &records {
                    if wanted(*stored, record.time) {
                        all.add(log, *stored, record)?;
                    }
                }
                if !all.numbers.is_empty() && !each(all) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
