//! The look that a line begins with: what the line before it, of the same origin, had left on.
//!
//! It is a matter of the log alone, not of what is shown of it: it is found by looking back from a
//! line to the last one that settles it. Most lines that set anything set it back at their end, and
//! blocks without escape sequences are passed by their summaries.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::record::{Record, STYLED};
use super::segment::{BLOCK, Part};
use super::snapshot::Snapshot;
use super::text::{self, Change, Style};

/// Lines that are looked back over: beyond them a look is not carried.
pub const BACK: u64 = 1 << 16;
/// Lines looked at before blocks are.
const FEW: u64 = 32;

/// What is known of the looks of a view, from row to row.
#[derive(Debug, Default)]
pub(super) struct RenderState {
    /// By log and origin: a row of the log, and the look after it.
    known: HashMap<(usize, u16), (u64, Style)>,
}

impl RenderState {
    /// The look that a log's row begins with; rows before `from` have nothing to do with it.
    pub(super) fn before(
        &self,
        source: usize,
        log: &Snapshot,
        row: u64,
        origin: u16,
        from: u64,
    ) -> io::Result<Style> {
        let known = self.known.get(&(source, origin)).filter(|(before, _)| *before < row);
        let begin = known.map_or(0, |(before, _)| before + 1);
        let least = begin.max(from).max(row.saturating_sub(BACK));
        let mut change = Change::default();
        let (mut end, mut many) = (row, FEW);
        while end > least && !change.is_whole() {
            let first = end.saturating_sub(many).max(least);
            let stretches: Vec<(u64, u64)> = log.order.stretches(first, end - first).collect();
            for (stored, count) in stretches.into_iter().rev() {
                back_over(log, stored, count, origin, &mut change)?;
            }
            (end, many) = (first, BLOCK);
        }
        let start = known.filter(|_| least == begin).map(|(_, style)| *style).unwrap_or_default();
        Ok(change.after(Change::to(start)).style)
    }

    /// Notes the look after a log's row.
    pub(super) fn after(&mut self, source: usize, row: u64, origin: u16, style: Style) {
        self.known.insert((source, origin), (row, style));
    }
}

/// What the lines of a segment's whole blocks change of the look, as far as somebody wanted to know.
#[derive(Debug, Default)]
pub struct Cache(Mutex<HashMap<u64, Changes>>);

/// What a block's lines change, by origin.
type Changes = Arc<[(u16, Change)]>;

impl Cache {
    fn get(&self, block: u64, find: impl FnOnce() -> io::Result<Changes>) -> io::Result<Changes> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(changes) = known().get(&block) {
            return Ok(Arc::clone(changes));
        }
        let found = find()?;
        known().insert(block, Arc::clone(&found));
        Ok(found)
    }
}

/// Puts what stored lines change before `change`, from the last of them to the first.
fn back_over(
    log: &Snapshot,
    stored: u64,
    count: u64,
    origin: u16,
    change: &mut Change,
) -> io::Result<()> {
    let mut end = stored + count;
    while end > stored && !change.is_whole() {
        let Some(part) = log.part_of(end - 1) else {
            end -= 1;
            continue;
        };
        let first = part.segment.first;
        let block = first + (end - 1 - first) / BLOCK * BLOCK;
        let begin = block.max(stored);
        match part.segment.block(block - first) {
            Some(summary) if summary.styled == Some(0) => {}
            Some(_) if begin == block && end == block + BLOCK => {
                for (of, earlier) in
                    part.segment.changes.get(block, || changes(part, block))?.iter()
                {
                    if *of == origin {
                        *change = change.after(*earlier);
                    }
                }
            }
            _ => {
                let mut records = Vec::new();
                part.segment.records(begin - first, end - begin, &mut records)?;
                for record in records.iter().rev() {
                    if change.is_whole() {
                        break;
                    }
                    if record.origin == origin && record.has(STYLED) {
                        *change = change.after(of_line(part, record)?);
                    }
                }
            }
        }
        end = begin;
    }
    Ok(())
}

fn of_line(part: &Part, record: &Record) -> io::Result<Change> {
    let mut bytes = vec![0; record.len as usize];
    part.segment.text(record.start, &mut bytes)?;
    Ok(text::change(&String::from_utf8_lossy(&bytes)))
}

/// What the lines of a whole block change, by origin.
fn changes(part: &Part, block: u64) -> io::Result<Changes> {
    let mut records = Vec::new();
    part.segment.records(block - part.segment.first, BLOCK, &mut records)?;
    let mut all: Vec<(u16, Change)> = Vec::new();
    for record in records.iter().filter(|record| record.has(STYLED)) {
        let change = of_line(part, record)?;
        match all.iter_mut().find(|(of, _)| *of == record.origin) {
            Some((_, before)) => *before = change.after(*before),
            None => all.push((record.origin, change)),
        }
    }
    Ok(all.into())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jobwatch_core::log::{LogLine, LogLines};
    use jobwatch_core::model::Source;

    use super::super::log::JobLog;
    use super::super::tests::reader;
    use super::*;
    use crate::logs::query::{LogFilter, LogFind, LogRow};

    fn log(lines: &[(i64, &str, &str)]) -> JobLog {
        let mut log = JobLog::create(None).unwrap();
        add(&mut log, lines, Source::Socket);
        log
    }

    fn add(log: &mut JobLog, lines: &[(i64, &str, &str)], source: Source) {
        let lines: LogLines = lines
            .iter()
            .map(|(second, origin, text)| LogLine {
                at: Some(Timestamp::from_second(*second).unwrap()),
                origin: Some(origin),
                text,
                ..LogLine::default()
            })
            .collect();
        log.push(&lines, source);
    }

    fn rows(log: &JobLog, filter: &LogFilter, first: u64, count: u64) -> Vec<LogRow> {
        reader(&[Arc::new(log.snapshot())], filter).window(first, count).unwrap()
    }

    /// The first colour of each row.
    fn colours(rows: &[LogRow]) -> Vec<&str> {
        rows.iter().map(|row| row.spans[0].fg.as_deref().unwrap_or("")).collect()
    }

    #[test]
    fn a_block_that_is_coloured_once_is_coloured_whole_also_from_its_middle_and_filtered() {
        let log = log(&[
            (1, "a", "\u{1b}[31mfailed:"),
            (2, "a", "  expected 1"),
            (3, "a", "  got 2 \u{1b}[0m"),
            (4, "a", "next"),
        ]);
        let all = LogFilter::default();
        assert_eq!(colours(&rows(&log, &all, 0, 4)), ["1", "1", "1", ""]);
        assert_eq!(colours(&rows(&log, &all, 2, 2)), ["1", ""]);
        let find = LogFind { text: "expected".to_owned(), ..LogFind::default() };
        let some = LogFilter { include: vec![find], ..LogFilter::default() };
        assert_eq!(colours(&rows(&log, &some, 0, 4)), ["1"]);
        let reader = reader(&[Arc::new(log.snapshot())], &all);
        assert_eq!(reader.text(1).unwrap().unwrap().lines[0][0].fg.as_deref(), Some("1"));
    }

    #[test]
    fn the_looks_of_two_origins_do_not_mix() {
        let log = log(&[
            (1, "a", "\u{1b}[31mred"),
            (2, "b", "plain"),
            (3, "b", "\u{1b}[32mgreen"),
            (4, "a", "still red"),
            (5, "b", "still green\u{1b}[m"),
            (6, "a", "red\u{1b}[39m"),
            (7, "b", "plain"),
            (8, "a", "plain"),
        ]);
        let all = rows(&log, &LogFilter::default(), 0, 8);
        assert_eq!(colours(&all), ["1", "", "2", "1", "2", "1", "", ""]);
        for first in 0..8 {
            let some = rows(&log, &LogFilter::default(), first, 1);
            assert_eq!(colours(&some)[0], colours(&all)[first as usize], "row {first}");
        }
    }

    #[test]
    fn a_line_that_comes_late_changes_the_looks_behind_it() {
        let mut log = log(&[(2, "a", "two"), (4, "a", "four")]);
        add(&mut log, &[(1, "a", "\u{1b}[31mone"), (3, "a", "three\u{1b}[0m")], Source::Http);
        let all = rows(&log, &LogFilter::default(), 0, 4);
        assert_eq!(colours(&all), ["1", "1", "1", ""]);
    }

    #[test]
    fn a_look_is_carried_over_whole_blocks() {
        let many = 3 * BLOCK as usize;
        let other = |n: usize| if n.is_multiple_of(2) { "a" } else { "b" };
        let texts: Vec<(i64, &str, String)> = (0..many)
            .map(|n| {
                let text = match n {
                    10 => "\u{1b}[1;31mred".to_owned(),
                    // Sets one thing only: what was before it still matters.
                    n if n > 10 && n < 2 * BLOCK as usize => format!("\u{1b}[4{}mx", n % 8),
                    _ => "plain".to_owned(),
                };
                (n as i64 + 1, other(n), text)
            })
            .collect();
        let lines: Vec<(i64, &str, &str)> =
            texts.iter().map(|(at, origin, text)| (*at, *origin, text.as_str())).collect();
        let log = log(&lines);
        let last = rows(&log, &LogFilter::default(), many as u64 - 2, 2);
        assert_eq!(colours(&last), ["1", ""]);
        assert_eq!((&*last[0].spans[0].style, last[0].spans[0].bg.as_deref()), ("b", Some("6")));
        assert_eq!((&*last[1].spans[0].style, last[1].spans[0].bg.as_deref()), ("", Some("7")));
    }
}
