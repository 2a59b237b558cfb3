//! Looking through logs: which lines a filter lets through, and which ones hold what is looked for.
//!
//! A search goes over the stored lines from the newest to the oldest, chunk by chunk, on up to two
//! threads, and is taken up again for lines that come. Text is looked at where it lies, mapped from
//! the segment's file a chunk at a time, by the engine of ripgrep: a chunk is searched as a whole,
//! and the lines of its hits are found in the index.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use grep_matcher::Matcher as _;
use grep_regex::{RegexMatcher, RegexMatcherBuilder};

use super::bitmap::{self, Bitmap, CHUNK, WORDS, Words, chunk_of};
use super::query::{LogFilter, LogFind};
use super::record::{CONTINUED, RECORD, Record, STYLED};
use super::segment::{BLOCK, Block as Summary, Part};
use super::snapshot::Snapshot;
use super::text;

/// Threads that search at the same time.
const THREADS: usize = 2;
/// Chunks that a thread takes at a time.
const STRETCH: u64 = 16;
/// Bitmap of levels: none, then trace to fatal.
const ALL_LEVELS: u8 = 0b111_1111;
/// Lines around a match, at most.
const MAX_CONTEXT: u32 = 100;

/// A text to look for, made ready.
#[derive(Clone, Debug)]
pub struct Needle(RegexMatcher);

impl Needle {
    /// Makes a text ready; `None` for an empty one.
    ///
    /// # Errors
    /// What is wrong with the regular expression, for people.
    pub fn new(find: &LogFind) -> Result<Option<Needle>, String> {
        if find.text.is_empty() {
            return Ok(None);
        }
        let matcher = RegexMatcherBuilder::new()
            .case_insensitive(!find.case)
            .word(find.word)
            .fixed_strings(!find.regex)
            .multi_line(true)
            .line_terminator(Some(b'\n'))
            .build(&find.text);
        matcher.map(|matcher| Some(Needle(matcher))).map_err(|error| {
            let text = error.to_string();
            let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or(&text);
            let reason = last.trim().trim_start_matches("error: ");
            format!("\"{}\" is not a regular expression: {reason}.", find.text)
        })
    }

    /// Whether a line holds it.
    #[must_use]
    pub fn is_in(&self, line: &[u8]) -> bool {
        self.0.is_match(line).unwrap_or(false)
    }

    /// Where it is in a line, in bytes.
    #[must_use]
    pub fn places(&self, line: &str) -> Vec<(usize, usize)> {
        let mut places = Vec::new();
        let found = self.0.find_iter(line.as_bytes(), |found| {
            if found.start() < found.end() {
                places.push((found.start(), found.end()));
            }
            places.len() < 1_000
        });
        // This matcher has no errors.
        if found.is_err() {
            places.clear();
        }
        places
    }

    fn next(&self, text: &[u8], at: usize) -> Option<usize> {
        self.0.find_at(text, at).ok().flatten().map(|found| found.start())
    }
}

/// A filter, made ready.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What is marked.
    pub find: Option<Needle>,
    /// Only what is marked, with so many lines around it.
    pub only: Option<u64>,
    include: Vec<Needle>,
    exclude: Vec<Needle>,
    levels: u8,
    fold: bool,
    cleared: Vec<u64>,
    /// Rows are as the lines came, without fields taken out.
    pub raw: bool,
}

impl Rules {
    /// Makes a filter ready.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn new(filter: &LogFilter) -> Result<Rules, String> {
        let all = |finds: &[LogFind]| -> Result<Vec<Needle>, String> {
            finds.iter().filter_map(|find| Needle::new(find).transpose()).collect()
        };
        let levels = filter.levels.iter().fold(0, |levels, level| levels | 1 << *level as u8);
        let find = filter.find.as_ref().map(Needle::new).transpose()?.flatten();
        let only = filter.only_matching && find.is_some();
        Ok(Rules {
            find,
            only: only.then(|| u64::from(filter.context.min(MAX_CONTEXT))),
            include: all(&filter.include)?,
            exclude: all(&filter.exclude)?,
            levels: if levels == 0 { ALL_LEVELS } else { levels },
            fold: filter.fold,
            cleared: filter.cleared.clone(),
            raw: filter.raw,
        })
    }

    /// Whether lines must be looked at to know which are rows.
    #[must_use]
    pub fn hides(&self) -> bool {
        self.only.is_some()
            || !self.include.is_empty()
            || !self.exclude.is_empty()
            || self.levels != ALL_LEVELS
            || self.fold
            || self.cleared.iter().any(|from| *from > 0)
    }

    /// Whether stack traces are folded.
    #[must_use]
    pub fn folds(&self) -> bool {
        self.fold
    }

    fn reads_text(&self) -> bool {
        self.find.is_some() || !self.include.is_empty() || !self.exclude.is_empty()
    }
}

/// What is known of one log.
#[derive(Debug, Default)]
pub struct Found {
    /// Lines that the rules let through, context aside.
    pub shown: Bitmap,
    /// Lines that hold what is looked for.
    pub matches: Bitmap,
    /// Lines near those; only with context.
    pub near: Bitmap,
    /// Chunks that have been searched, and up to which line.
    done: std::collections::BTreeMap<u64, u64>,
}

/// A search through the logs of a view. Shared between the view and the threads that search.
#[derive(Debug)]
pub struct Search {
    rules: Rules,
    found: Vec<Mutex<Found>>,
    cancelled: AtomicBool,
    /// Lines of all logs, and those that have been searched.
    total: AtomicU64,
    searched: AtomicU64,
}

/// A chunk to search.
#[derive(Clone, Copy, Debug)]
struct Task {
    source: usize,
    chunk: u64,
    upto: u64,
}

impl Search {
    /// A search through so many logs, not begun.
    #[must_use]
    pub fn new(rules: Rules, sources: usize) -> Search {
        Search {
            rules,
            found: (0..sources).map(|_| Mutex::default()).collect(),
            cancelled: AtomicBool::new(false),
            total: AtomicU64::new(0),
            searched: AtomicU64::new(0),
        }
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What is known of a log.
    pub fn found(&self, source: usize) -> MutexGuard<'_, Found> {
        self.found[source].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much has been searched, 0 to 1.
    #[must_use]
    pub fn progress(&self) -> f64 {
        let total = self.total.load(Ordering::Relaxed);
        if total == 0 {
            return 1.0;
        }
        (self.searched.load(Ordering::Relaxed) as f64 / total as f64).min(1.0)
    }

    /// Ends the search: its threads stop within a chunk.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Chunks of these logs that have not been searched as far as they go, newest first.
    fn tasks(&self, logs: &[Arc<Snapshot>]) -> Vec<Task> {
        let mut tasks = Vec::new();
        let (mut total, mut searched) = (0, 0);
        for (source, log) in logs.iter().enumerate() {
            let found = self.found(source);
            let (first, end) = (log.first_stored(), log.end_stored());
            total += end - first;
            if first == end {
                continue;
            }
            for chunk in (chunk_of(first)..=chunk_of(end - 1)).rev() {
                let upto = end.min((chunk + 1) * CHUNK);
                let done = found.done.get(&chunk).copied().unwrap_or(0);
                let begin = first.max(chunk * CHUNK);
                searched += done.clamp(begin, upto) - begin;
                if done < upto {
                    tasks.push(Task { source, chunk, upto });
                }
            }
        }
        self.total.store(total, Ordering::Relaxed);
        self.searched.store(searched, Ordering::Relaxed);
        // The newest of every log first.
        tasks.sort_by_key(|task| {
            std::cmp::Reverse(task.chunk as i64 - chunk_of(logs[task.source].end_stored()) as i64)
        });
        tasks
    }

    /// Searches what has not been searched of these logs. `progress` is called after every stretch,
    /// from the threads that search. Returns when everything is searched, or it is cancelled.
    pub fn run(&self, logs: &[Arc<Snapshot>], progress: &(dyn Fn() + Sync)) {
        let tasks = self.tasks(logs);
        // Neighbouring chunks of one log are taken together.
        let mut stretches: Vec<&[Task]> = Vec::new();
        let mut rest = tasks.as_slice();
        while let Some(first) = rest.first() {
            let same = |(n, task): &(u64, &Task)| {
                task.source == first.source && task.chunk + n == first.chunk && *n < STRETCH
            };
            // The first hits must be there at once, so the first stretches are short.
            let most = if stretches.len() < 2 * THREADS { 2 } else { STRETCH };
            let many = (0..most).zip(rest).take_while(same).count();
            let (now, later) = rest.split_at(many);
            stretches.push(now);
            rest = later;
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut room = Room::default();
            while !self.cancelled.load(Ordering::Relaxed) {
                let Some(stretch) = stretches.get(next.fetch_add(1, Ordering::Relaxed)) else {
                    break;
                };
                for task in *stretch {
                    if self.cancelled.load(Ordering::Relaxed) {
                        break;
                    }
                    if let Err(error) = self.chunk(*task, &logs[task.source], &mut room) {
                        tracing::warn!(%error, "a part of a log could not be searched");
                    }
                }
                progress();
            }
        };
        if stretches.len() > 1 {
            std::thread::scope(|scope| {
                for _ in 1..THREADS {
                    scope.spawn(work);
                }
                work();
            });
        } else {
            work();
        }
    }

    fn chunk(&self, task: Task, log: &Snapshot, room: &mut Room) -> io::Result<()> {
        let begin = log.first_stored().max(task.chunk * CHUNK);
        let mut shown = [0; WORDS];
        let mut matches = shown;
        let mut stored = begin;
        while stored < task.upto {
            let Some(part) = log.part_of(stored) else {
                // A hole in the numbers.
                stored += 1;
                continue;
            };
            let end = task.upto.min(part.end());
            let whole = end - stored == BLOCK;
            let summary = part.segment.block(stored - part.segment.first).filter(|_| whole);
            let all = summary.and_then(|summary| self.by_summary(task.source, stored, &summary));
            let (mut open, folded) = match all {
                Some(true) => (bitmap::range(stored, end), [0; WORDS]),
                Some(false) => ([0; WORDS], [0; WORDS]),
                None => self.by_records(task.source, stored, end, part, room)?,
            };
            if self.rules.reads_text() && open.iter().any(|word| *word != 0) {
                let lines = Lines { first: stored, end, part, summary };
                self.look(&lines, open, &folded, room, &mut shown, &mut matches)?;
            } else {
                and(&mut open, &folded.map(|word| !word));
                or(&mut shown, &open);
            }
            stored = end;
        }
        let near = match self.rules.only {
            Some(context) if context > 0 => Some(surroundings(log, task.chunk, &matches, context)),
            _ => None,
        };
        let mut found = self.found(task.source);
        found.shown.put(task.chunk, shown);
        found.matches.put(task.chunk, matches);
        for line in near.into_iter().flatten() {
            found.near.set(line);
        }
        let before = found.done.insert(task.chunk, task.upto).unwrap_or(begin);
        drop(found);
        self.searched.fetch_add(task.upto.saturating_sub(before.max(begin)), Ordering::Relaxed);
        Ok(())
    }

    /// Whether the levels, folds and cleared lines leave all lines of a block or none, where its
    /// summary tells.
    fn by_summary(&self, source: usize, first: u64, summary: &Summary) -> Option<bool> {
        let rules = &self.rules;
        let wanted =
            (0_u8..).zip(summary.levels).filter(|(level, _)| rules.levels & (1 << level) != 0);
        let wanted: u64 = wanted.map(|(_, count)| u64::from(count)).sum();
        let cleared = rules.cleared.get(source).copied().unwrap_or(0);
        if wanted == 0 || cleared >= first + BLOCK {
            return Some(false);
        }
        let whole = wanted == BLOCK && cleared <= first && !(rules.fold && summary.continued > 0);
        whole.then_some(true)
    }

    /// The lines that the levels and the cleared lines leave, and those that are folded, by their
    /// records.
    fn by_records(
        &self,
        source: usize,
        first: u64,
        end: u64,
        part: &Part,
        room: &mut Room,
    ) -> io::Result<(Words, Words)> {
        let rules = &self.rules;
        let cleared = rules.cleared.get(source).copied().unwrap_or(0);
        let (mut open, mut folded) = ([0; WORDS], [0; WORDS]);
        room.records.clear();
        part.segment.records(first - part.segment.first, end - first, &mut room.records)?;
        for (line, record) in (first..).zip(&room.records) {
            let level = rules.levels & (1 << record.level.min(6)) != 0;
            if level && line >= cleared {
                bitmap::set(&mut open, line);
            }
            if rules.fold && record.has(CONTINUED) {
                bitmap::set(&mut folded, line);
            }
        }
        Ok((open, folded))
    }

    /// Looks at the text of lines of which `open` are left so far. Of those that are folded only
    /// they are shown that hold what is asked for.
    fn look(
        &self,
        lines: &Lines<'_>,
        mut open: Words,
        folded: &Words,
        room: &mut Room,
        shown: &mut Words,
        matches: &mut Words,
    ) -> io::Result<()> {
        let rules = &self.rules;
        let (from, to) = match lines.summary {
            Some(summary) => (summary.start, summary.end),
            None => lines.extent()?,
        };
        let Room { copy, index, .. } = room;
        // Whatever the records hold, no hit is right without them.
        index.clear();
        let mut asked_for = [0; WORDS];
        with_text(lines.part, from, to, copy, |text| {
            let mut text = Text { lines, text, from, index };
            for needle in &rules.include {
                and(&mut open, &text.hits(needle)?);
            }
            for needle in &rules.exclude {
                and(&mut open, &text.hits(needle)?.map(|word| !word));
            }
            if let Some(needle) = &rules.find {
                asked_for = text.hits(needle)?;
                and(&mut asked_for, &open);
                or(matches, &asked_for);
            }
            Ok(())
        })?;
        if rules.include.is_empty() {
            and(&mut open, &folded.map(|word| !word));
            or(&mut open, &asked_for);
        }
        or(shown, &open);
        Ok(())
    }
}

/// The lines around the matches of a chunk, themselves included.
fn surroundings(log: &Snapshot, chunk: u64, matches: &Words, context: u64) -> BTreeSet<u64> {
    let mut near = BTreeSet::new();
    for line in chunk * CHUNK..(chunk + 1) * CHUNK {
        if !bitmap::is_set(matches, line) {
            continue;
        }
        let Some(row) = log.order.row(line) else { continue };
        let from = row.saturating_sub(context);
        for (first, many) in log.order.stretches(from, row + context + 1 - from) {
            near.extend(first..first + many);
        }
    }
    near
}

fn and(words: &mut Words, mask: &Words) {
    for (word, mask) in words.iter_mut().zip(mask) {
        *word &= mask;
    }
}

fn or(words: &mut Words, others: &Words) {
    for (word, other) in words.iter_mut().zip(others) {
        *word |= other;
    }
}

/// What a thread uses again and again.
#[derive(Debug, Default)]
struct Room {
    records: Vec<Record>,
    copy: Vec<u8>,
    index: Vec<u8>,
}

/// Lines of one chunk and one part.
struct Lines<'a> {
    first: u64,
    end: u64,
    part: &'a Part,
    /// Where they are a whole block.
    summary: Option<Summary>,
}

impl Lines<'_> {
    /// Where their text begins and ends.
    fn extent(&self) -> io::Result<(u32, u32)> {
        let record = |line: u64| self.part.segment.record(line - self.part.segment.first);
        let (head, last) = (record(self.first)?, record(self.end - 1)?);
        Ok((head.start, last.start + last.len))
    }
}

/// Lines and their text.
struct Text<'a> {
    lines: &'a Lines<'a>,
    /// From the first line's first byte on.
    text: &'a [u8],
    from: u32,
    /// The lines' records as they are stored: read only once they are needed, since most texts do
    /// not hold what is looked for.
    index: &'a mut Vec<u8>,
}

impl Text<'_> {
    /// The lines that hold the needle.
    fn hits(&mut self, needle: &Needle) -> io::Result<Words> {
        let mut hits = [0; WORDS];
        let mut found = needle.next(self.text, 0);
        let plain = self.lines.summary.is_some_and(|summary| summary.styled == Some(0));
        if found.is_none() && plain {
            return Ok(hits);
        }
        let Lines { first, end, part, .. } = self.lines;
        if self.index.is_empty() {
            part.segment.raw_records(first - part.segment.first, end - first, self.index)?;
        }
        let records = self.index.as_chunks::<RECORD>().0;
        let mut line = 0;
        while let Some(at) = found {
            let place = self.from + u32::try_from(at).unwrap_or(u32::MAX);
            let ends_before = |record: &[u8; RECORD]| Record::text_of(record).1 < place;
            // Most hits are close to the one before.
            let near = records[line..].iter().take(8).position(|record| !ends_before(record));
            line += near.unwrap_or_else(|| records[line..].partition_point(ends_before));
            let Some(record) = records.get(line) else { break };
            if !Record::flagged(record, STYLED) {
                bitmap::set(&mut hits, first + line as u64);
            }
            line += 1;
            let Some(next) = records.get(line) else { break };
            let start = Record::text_of(next).0.saturating_sub(self.from) as usize;
            // Beyond the text there is only what damage to the index made up.
            found = self.text.get(start..).and_then(|_| needle.next(self.text, start));
        }
        if plain {
            return Ok(hits);
        }
        // Of lines with escape sequences it is searched what is seen of them.
        for (line, record) in (*first..).zip(records) {
            if Record::flagged(record, STYLED) {
                let (start, end) = Record::text_of(record);
                let at = |place: u32| place.saturating_sub(self.from) as usize;
                let text = self.text.get(at(start)..at(end)).unwrap_or_default();
                if needle.is_in(text::plain(&String::from_utf8_lossy(text)).as_bytes()) {
                    bitmap::set(&mut hits, line);
                }
            }
        }
        Ok(hits)
    }
}

/// Hands over the text of a part from one byte to another: mapped from its file, or copied.
#[allow(unsafe_code)]
fn with_text(
    part: &Part,
    from: u32,
    to: u32,
    copy: &mut Vec<u8>,
    look: impl FnOnce(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let len = (to - from) as usize;
    let Some(file) = part.segment.text_file().filter(|_| len > 64 << 10) else {
        copy.resize(len, 0);
        part.segment.text(from, copy)?;
        return look(copy);
    };
    let mut options = memmap2::MmapOptions::new();
    options.offset(u64::from(from)).len(len).populate();
    // SAFETY: segments only grow while they are open, by this program alone, and are removed but
    // never shortened by it; the mapped bytes were written before. Whoever truncates the file from
    // outside meanwhile ends the program with a bus error, as with any mapped file, and changed
    // bytes change what is found, nothing else: the search makes no assumption about them.
    let map = unsafe { options.map(file) }?;
    look(&map)
}
