//! One job's log, for writing: what comes is told from what is there, given its place, and stored.
//!
//! - Lines are read by time, then by the server's position, then in the order in which they came. A
//!   line that is new in an HTTP answer stands next to its neighbours of the same time there.
//! - A line without a time has that of the line before it.
//! - Lines of different times are different lines, so that a line newer than everything stored needs
//!   no look at anything stored. Among lines of one time the server's id tells them apart, else the
//!   position, else the text: one that a way of hearing brings twice was written twice, and one that
//!   two ways bring was written once, though only one of them may give it an id.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jobwatch_core::log::{LogLine, LogLines};
use jobwatch_core::model::Source;

use super::cut::cut;
use super::dedup::{Dedup, Identity, MAX_PRESENT, Neighbours, position};
use super::order::Order;
use super::record::{
    CONTINUED, GUESSED, NO_POSITION, NO_TIME, Record, SOCKET, STYLED, TIMED, level_number,
    nanoseconds, text_key,
};
use super::reorder_log::{self, Reorder};
use super::segment::{self, Part, Segment, Tail};
use super::sidecar::{append_to, note, read_origins};
use super::snapshot::Snapshot;
use super::stack_trace::StackTrace;
use super::text;

/// Bytes that may wait while a batch is taken in.
const WRITE_AT: usize = 1 << 20;
/// Origins of one job; lines of further ones have none.
const MAX_ORIGINS: usize = 1_000;
/// The file of origins in a job's directory: a JSON string a line.
const ORIGINS: &str = "origins";
/// The file of gaps in a job's directory: JSON.
const GAPS: &str = "gaps.json";

/// See the module's documentation.
#[derive(Debug)]
pub struct JobLog {
    /// Where its files are; `None` for a log in memory.
    dir: Option<PathBuf>,
    /// The last one is written by `tail`.
    parts: Vec<Part>,
    tail: Tail,
    order: Arc<Order>,
    steps: Option<File>,
    origins: Arc<Vec<String>>,
    names: Option<File>,
    dropped: u64,
    shuffles: u64,
    /// The place of the last row.
    last: (i64, u32),
    /// Keys of the lines whose time is that of the last row.
    present: Dedup,
    answers: u64,
    trace: StackTrace,
    /// The last line came over the socket.
    streams: bool,
}

/// What became of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Number, in the order of storing, of the first line that was new; the others follow it.
    pub first: u64,
    /// Which lines of the batch were new, in the order in which they were stored.
    pub lines: Vec<usize>,
}

/// A line of a batch that is new, on its way to its place.
struct New {
    /// Before which row it goes.
    row: u64,
    record: Record,
    /// Which line of the batch.
    at: usize,
}

impl JobLog {
    /// A new log, in files of `dir` or in memory.
    ///
    /// # Errors
    /// The file system's.
    pub fn create(dir: Option<&Path>) -> io::Result<JobLog> {
        if let Some(dir) = dir {
            crate::settings::create_private_directory(dir)?;
        }
        Ok(JobLog::around(dir, Vec::new(), Tail::create(dir, 0)?))
    }

    fn around(dir: Option<&Path>, mut parts: Vec<Part>, tail: Tail) -> JobLog {
        if parts.is_empty() {
            parts.push(tail.part());
        }
        JobLog {
            dir: dir.map(Path::to_owned),
            parts,
            tail,
            order: Arc::default(),
            steps: None,
            origins: Arc::default(),
            names: None,
            dropped: 0,
            shuffles: 0,
            last: (NO_TIME, 0),
            present: Dedup::default(),
            answers: 0,
            trace: StackTrace::default(),
            streams: false,
        }
    }

    /// Opens what an earlier run wrote. Segments that cannot be read are left as they are, and
    /// named. With `write` the log can be written on; without, what comes is kept in memory.
    ///
    /// # Errors
    /// The file system's, when the directory cannot be read.
    pub fn open(dir: &Path, write: bool) -> io::Result<(JobLog, Vec<String>)> {
        let mut problems = Vec::new();
        let mut parts: Vec<Part> = Vec::new();
        let mut tail: Option<Tail> = None;
        let numbers = segment::list(dir)?;
        for first in &numbers {
            let free = parts.last().is_none_or(|part| part.end() <= *first);
            match Tail::open(dir, *first, write && numbers.last() == Some(first)) {
                Ok(found) if free => {
                    parts.push(found.part());
                    tail = Some(found);
                }
                Ok(_) => problems.push(format!("{first:012}: it overlaps the one before it")),
                Err(error) => problems.push(format!("{first:012}: {error}")),
            }
        }
        let intact = numbers.last() == parts.last().map(|part| &part.segment.first);
        let tail = match tail.filter(|_| write && intact) {
            Some(tail) => tail,
            None => {
                // What cannot be read is not written over: the next segment begins beyond it.
                let next = numbers.last().map_or(0, |last| last + segment::FULL_LINES + 1);
                let next = if intact { parts.last().map_or(0, Part::end) } else { next };
                let tail = Tail::create(write.then_some(dir), next)?;
                parts.push(tail.part());
                tail
            }
        };
        let mut log = JobLog::around(write.then_some(dir), parts, tail);
        let end = log.end();
        let path = dir.join(reorder_log::FILE);
        let (mut order, dropped, used) = reorder_log::replay(&path, end)?;
        if write && std::fs::metadata(&path).is_ok_and(|file| file.len() > used) {
            OpenOptions::new().write(true).open(&path)?.set_len(used)?;
        }
        let there: Vec<(u64, u64)> =
            log.parts.iter().map(|part| (part.segment.first, part.end())).collect();
        let lost = order.keep(&there);
        // Numbers that were left out behind something unreadable are no lines.
        log.dropped = dropped + if intact { lost } else { 0 };
        log.order = Arc::new(order);
        log.origins = Arc::new(read_origins(&dir.join(ORIGINS))?);
        log.remember_end()?;
        Ok((log, problems))
    }

    /// The log as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        debug_assert_eq!(self.tail.waiting(), 0, "what is read has been written");
        Snapshot {
            parts: self.parts.clone(),
            order: Arc::clone(&self.order),
            origins: Arc::clone(&self.origins),
            dropped: self.dropped,
            shuffles: self.shuffles,
        }
    }

    /// Lines.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.order.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Bytes on the disk or in memory.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// Bytes that are in memory for want of a disk.
    #[must_use]
    pub fn bytes_in_memory(&self) -> u64 {
        let of = self.parts.iter().filter(|part| part.segment.text_file().is_none());
        of.map(|part| part.bytes).sum()
    }

    /// The time of the last row, where there is one.
    #[must_use]
    pub fn last_time(&self) -> Option<i64> {
        (self.last.0 != NO_TIME).then_some(self.last.0)
    }

    /// The time of the last line, and its position where the server counts.
    #[must_use]
    pub fn last_position(&self) -> Option<(i64, u32)> {
        (self.last.0 != NO_TIME && self.last.1 != NO_POSITION).then_some(self.last)
    }

    /// Whether its last line came over the socket.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.streams
    }

    /// The gaps that an earlier run knew of.
    #[must_use]
    pub fn read_gaps(&self) -> Vec<(i64, i64)> {
        let bytes = self.dir.as_ref().and_then(|dir| std::fs::read(dir.join(GAPS)).ok());
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Keeps the gaps for later runs.
    pub fn keep_gaps(&self, gaps: &[(i64, i64)]) {
        let Some(dir) = &self.dir else { return };
        let written = serde_json::to_vec(gaps)
            .map_err(io::Error::from)
            .and_then(|bytes| std::fs::write(dir.join(GAPS), bytes));
        if let Err(error) = written {
            tracing::warn!(%error, "the gaps of a log could not be written");
        }
    }

    /// The segment that is being written.
    #[must_use]
    pub fn segment(&self) -> &Arc<Segment> {
        &self.tail.segment
    }

    /// Takes lines in and writes those that are new. Where the disk refuses, they are in memory
    /// afterwards, and its error is told besides.
    pub fn push(&mut self, lines: &LogLines, source: Source) -> (Taken, Option<io::Error>) {
        let (taken, mut problem) = self.take(lines, source);
        note(&mut problem, self.write());
        (taken, problem)
    }

    /// Takes lines in; those that are new may still have to be written. Otherwise as
    /// [`JobLog::push`].
    pub fn take(&mut self, lines: &LogLines, source: Source) -> (Taken, Option<io::Error>) {
        // Pages of one answer are counted together.
        self.answers += u64::from(!lines.goes_on());
        let lines = &*cut(lines);
        self.streams = source == Source::Socket;
        let mut taken = Taken { first: self.end(), lines: Vec::new() };
        let mut problem = None;
        let at = self.append(lines, source, &mut taken, &mut problem);
        if at < lines.len() {
            // What is looked up must have been written.
            note(&mut problem, self.write());
            match self.place(lines, at, source) {
                Ok(new) => self.insert(lines, &new, &mut taken, &mut problem),
                Err(error) => note(&mut problem, Err(error)),
            }
        }
        (taken, problem)
    }

    /// Puts lines that belong there at the end; answers the first that may not.
    fn append(
        &mut self,
        lines: &LogLines,
        source: Source,
        taken: &mut Taken,
        problem: &mut Option<io::Error>,
    ) -> usize {
        let mut at = 0;
        while let Some(line) = lines.get(at) {
            let time = line.at.map_or(self.last.0, nanoseconds);
            let later = time > self.last.0;
            if !later && (source != Source::Socket || (time, position(&line)) < self.last) {
                break;
            }
            let identity = Identity::of(&line);
            if later {
                self.present.begin(identity, source, self.answers);
            }
            if later || self.present.is_new(identity, source, self.answers) {
                let record = self.record(&line, time, identity.key, source);
                self.last = record.place();
                self.store(record, line.text, identity.text, problem);
                taken.lines.push(at);
            }
            at += 1;
        }
        Arc::make_mut(&mut self.order).append(taken.first, taken.lines.len() as u64);
        at
    }

    /// Finds the places of those lines from `from` on that are new.
    fn place(&mut self, lines: &LogLines, from: usize, source: Source) -> io::Result<Vec<New>> {
        let snapshot = self.snapshot();
        let mut near = Neighbours::default();
        let mut ahead: HashMap<i64, Dedup> = HashMap::new();
        let mut new: Vec<New> = Vec::new();
        // Of each line its time, and the row of the stored line that it repeats.
        let mut known: Vec<(i64, Option<u64>)> = Vec::new();
        let mut time = self.last.0;
        for (at, line) in lines.iter().enumerate().skip(from) {
            time = line.at.map_or(time, nanoseconds);
            let identity = Identity::of(&line);
            if time <= self.last.0 {
                near.look(&snapshot, time)?;
            }
            let row = near.row(time, identity);
            let of = if time > self.last.0 {
                ahead.entry(time).or_default()
            } else if time == self.last.0 && !self.present.cut {
                &mut self.present
            } else {
                &mut near.known
            };
            let is_new = of.is_new(identity, source, self.answers);
            known.push((time, row.filter(|_| !is_new)));
            if is_new {
                let record = self.record(&line, time, identity.key, source);
                new.push(New { row: 0, record, at });
            }
        }
        for line in &mut new {
            let (time, position) = line.record.place();
            let here = line.at - from;
            let row = |(of, row): &(i64, Option<u64>)| row.filter(|_| *of == time);
            let same = |(of, _): &&(i64, Option<u64>)| *of == time;
            line.row = if time > self.last.0 {
                snapshot.len()
            } else if position != NO_POSITION {
                snapshot.upper_bound((time, position))?
            } else if let Some(before) = known[..here].iter().rev().take_while(same).find_map(row) {
                before + 1
            } else if let Some(after) = known[here + 1..].iter().take_while(same).find_map(row) {
                after
            } else {
                snapshot.upper_bound((time, position))?
            };
        }
        new.sort_by_key(|line| (line.row, line.record.place()));
        Ok(new)
    }

    fn insert(
        &mut self,
        lines: &LogLines,
        new: &[New],
        taken: &mut Taken,
        problem: &mut Option<io::Error>,
    ) {
        let (first, total) = (self.end(), self.order.len());
        let newest = self.last.0;
        for New { record, at, .. } in new {
            let Some(line) = lines.get(*at) else { continue };
            if record.time > self.last.0 {
                self.present.clear();
            }
            if record.time > newest {
                self.present.add(record, text_key(line.text.as_bytes()));
            }
            self.last = self.last.max(record.place());
            self.store(*record, line.text, text_key(line.text.as_bytes()), problem);
            taken.lines.push(*at);
        }
        let rows: Vec<u64> = new.iter().map(|line| line.row).collect();
        if rows.iter().any(|row| *row < total) {
            self.shuffles += 1;
            note(problem, self.note_steps(&reorder_log::placed(first, &rows)));
        }
        Arc::make_mut(&mut self.order).insert(first, &rows);
    }

    /// One beyond the number of the last stored line.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.tail.segment.first + self.tail.lines()
    }

    fn record(&mut self, line: &LogLine<'_>, time: i64, key: u64, source: Source) -> Record {
        let level = line.level.or_else(|| text::guess_level(line.text));
        let mut flags = 0;
        for (flag, set) in [
            (TIMED, line.at.is_some()),
            (SOCKET, source == Source::Socket),
            (CONTINUED, self.trace.goes_on(line.text)),
            (GUESSED, line.level.is_none() && level.is_some()),
            (STYLED, text::is_styled(line.text)),
        ] {
            if set {
                flags |= flag;
            }
        }
        Record {
            start: 0,
            len: 0,
            time,
            key,
            position: position(line),
            origin: line.origin.map_or(0, |name| self.origin(name)),
            level: level_number(level),
            flags,
        }
    }

    /// The number of an origin.
    fn origin(&mut self, name: &str) -> u16 {
        if let Some(at) = self.origins.iter().position(|known| known == name) {
            return u16::try_from(at + 1).unwrap_or(0);
        }
        if self.origins.len() >= MAX_ORIGINS {
            return 0;
        }
        if let Err(error) = self.note_origin(name) {
            tracing::warn!(%error, "who wrote a log's lines will not be known after a restart");
        }
        Arc::make_mut(&mut self.origins).push(name.to_owned());
        u16::try_from(self.origins.len()).unwrap_or(0)
    }

    fn store(&mut self, record: Record, text: &str, key: u64, problem: &mut Option<io::Error>) {
        if self.tail.full() {
            note(problem, self.write());
            note(problem, self.next_segment());
        }
        self.tail.push_known(record, text.as_bytes(), key);
        if self.tail.unwritten() >= WRITE_AT {
            note(problem, self.write());
        }
    }

    /// Writes what waits; where the disk refuses, to memory.
    ///
    /// # Errors
    /// Why the disk refuses.
    pub fn write(&mut self) -> io::Result<()> {
        let written = self.tail.write();
        self.measure();
        if written.is_err() {
            let waiting = self.tail.take_waiting();
            self.begin(Tail::create(None, self.tail.part().end())?);
            for (record, text) in waiting {
                self.tail.push(record, &text);
            }
            self.tail.write()?;
            self.measure();
        }
        written
    }

    fn measure(&mut self) {
        if let Some(part) = self.parts.last_mut() {
            *part = self.tail.part();
        }
    }

    fn begin(&mut self, tail: Tail) {
        self.parts.push(tail.part());
        self.tail = tail;
    }

    fn next_segment(&mut self) -> io::Result<()> {
        // A log that is in memory for want of a disk stays there until the disk is tried again.
        let dir = self.dir.as_deref().filter(|_| self.tail.segment.text_file().is_some());
        let first = self.end();
        match Tail::create(dir, first) {
            Ok(tail) => {
                self.begin(tail);
                Ok(())
            }
            Err(error) => {
                self.begin(Tail::create(None, first)?);
                Err(error)
            }
        }
    }

    /// Moves to the disk what is in memory because it had refused.
    ///
    /// # Errors
    /// The file system's, as long as it refuses.
    pub fn try_disk_again(&mut self) -> io::Result<()> {
        let Some(dir) = self.dir.clone() else { return Ok(()) };
        for at in 0..self.parts.len() {
            let part = &self.parts[at];
            if part.segment.text_file().is_some() {
                continue;
            }
            let mut tail = Tail::create(Some(&dir), part.segment.first)?;
            let mut records = Vec::new();
            part.segment.records(0, part.lines, &mut records)?;
            for record in records {
                let mut text = vec![0; record.len as usize];
                part.segment.text(record.start, &mut text)?;
                tail.push(record, &text);
                if tail.unwritten() >= WRITE_AT {
                    tail.write()?;
                }
            }
            tail.write()?;
            self.parts[at] = tail.part();
            if at + 1 == self.parts.len() {
                self.tail = tail;
            }
        }
        Ok(())
    }

    /// Drops the oldest segment in memory, unless it is the one being written; answers whether
    /// there was one.
    pub fn drop_oldest_in_memory(&mut self) -> bool {
        let last = self.parts.len().saturating_sub(1);
        let in_memory = |part: &Part| part.segment.text_file().is_none();
        let Some(at) = self.parts[..last].iter().position(in_memory) else { return false };
        let part = self.parts.remove(at);
        let others = [(0, part.segment.first), (part.end(), u64::MAX)];
        self.dropped += Arc::make_mut(&mut self.order).keep(&others);
        self.shuffles += 1;
        true
    }

    /// Drops the oldest segment, unless it is the one being written; answers whether there was one.
    pub fn drop_oldest(&mut self) -> bool {
        if self.parts.len() < 2 {
            return false;
        }
        let part = self.parts.remove(0);
        self.dropped += Arc::make_mut(&mut self.order).keep(&[(part.end(), u64::MAX)]);
        self.shuffles += 1;
        if let Err(error) = self.note_steps(&[Reorder::Dropped(part.end())]) {
            tracing::warn!(%error, "the order of a log could not be written");
        }
        if let Some(dir) = &self.dir
            && let Err(error) = segment::remove(dir, part.segment.first)
        {
            tracing::warn!(%error, "an old part of a log could not be removed");
        }
        true
    }

    fn note_steps(&mut self, steps: &[Reorder]) -> io::Result<()> {
        append_to(
            self.dir.as_deref(),
            reorder_log::FILE,
            &mut self.steps,
            &reorder_log::bytes(steps),
        )
    }

    fn note_origin(&mut self, name: &str) -> io::Result<()> {
        let line = format!("{}\n", serde_json::Value::from(name));
        append_to(self.dir.as_deref(), ORIGINS, &mut self.names, line.as_bytes())
    }

    /// After opening: what the lines at the end were.
    fn remember_end(&mut self) -> io::Result<()> {
        let snapshot = self.snapshot();
        let Some(last) = snapshot.len().checked_sub(1) else { return Ok(()) };
        let end = snapshot.record(last)?;
        self.last = end.place();
        self.streams = end.has(SOCKET);
        let first = snapshot.lower_bound((self.last.0, 0))?;
        if last - first >= MAX_PRESENT as u64 {
            self.present.cut = true;
            return Ok(());
        }
        let mut records = Vec::new();
        snapshot.records(first, last + 1 - first, &mut records)?;
        for (stored, record) in records {
            let text = snapshot.text(stored, &record, usize::MAX)?;
            self.present.add(&record, text_key(&text));
        }
        Ok(())
    }
}
