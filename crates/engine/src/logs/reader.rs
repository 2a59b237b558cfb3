//! The rows of a log view: the lines that a filter lets through, of several logs merged by time.
//!
//! A reader is made for one pull from snapshots and from what is known of the search, and reads the
//! files: it belongs on a thread that may wait.

use std::io;
use std::sync::Arc;

use super::bitmap::{Bitmap, Index};
use super::find::{Needle, Search};
use super::open_log::BEGINNING;
use super::query::{Earlier, LogFormat, LogGap, LogRow, LogState, LogText, Span};
use super::record::{CONTINUED, NO_TIME, Record, STYLED};
use super::render_state::RenderState;
use super::snapshot::{Levels, Snapshot};
use super::stack_trace::is_bare;
use super::stored::Lines;
use super::text;
use super::write::Writer;
use crate::redact::prefix;

/// Bytes of a line that a row shows.
pub const SHOWN: usize = 8 << 10;
/// Bytes of a line that are drawn for that, where they overwrite each other.
const DRAWN: usize = 256 << 10;
/// Bytes of a line that its detail shows.
const WHOLE: usize = 1 << 20;
/// Folded lines that are counted.
const COUNTED: u64 = 200;
/// Bytes of a line that JSON is looked for in.
const JSON: usize = 256 << 10;
/// Rows copied at once.
pub const MAX_COPIED: u64 = 100_000;
/// Bytes copied at once.
const MAX_COPY: usize = 32 << 20;

/// One log of a view.
pub(super) struct MergeSource {
    pub(super) log: Arc<Snapshot>,
    /// The lines that are rows; `None` for all.
    pub(super) rows: Option<Index>,
    /// Those of them that are marked.
    pub(super) marks: Option<Index>,
    pub(super) gaps: Vec<LogGap>,
}

impl MergeSource {
    /// Bitmap before a row of the log.
    pub(super) fn rank(&self, index: Option<&Index>, row: u64) -> u64 {
        let Some(index) = index else { return row };
        let of = self.log.order.stretches(0, row);
        of.map(|(first, many)| index.rank(first + many) - index.rank(first)).sum()
    }

    /// The row of the log at which the nth bit is.
    pub(super) fn select(&self, index: Option<&Index>, mut nth: u64) -> Option<u64> {
        let Some(index) = index else { return (nth < self.log.len()).then_some(nth) };
        for run in self.log.order.runs() {
            let before = index.rank(run.first);
            let here = index.rank(run.first + run.len) - before;
            if nth < here {
                return Some(run.at + index.select(before + nth)? - run.first);
            }
            nth -= here;
        }
        None
    }

    pub(super) fn count(&self, index: Option<&Index>) -> u64 {
        self.rank(index, self.log.len())
    }
}

/// A row before it is written out.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Line { source: usize, row: u64, stored: u64, record: Record },
    Gap { source: usize, gap: LogGap },
}

/// See the module's documentation.
pub struct Reader {
    pub(super) sources: Vec<MergeSource>,
    search: Option<Arc<Search>>,
    /// Names of the jobs, for what is saved.
    names: Vec<String>,
}

impl Reader {
    /// A reader of these logs, with what is known of a search through them.
    #[must_use]
    pub fn new(
        logs: &[Arc<Snapshot>],
        gaps: Vec<Vec<LogGap>>,
        names: Vec<String>,
        search: Option<Arc<Search>>,
    ) -> Reader {
        let sources = logs.iter().zip(gaps).enumerate().map(|(source, (log, gaps))| {
            let (mut rows, mut marks) = (None, None);
            if let Some(search) = &search {
                let found = search.found(source);
                let mut of: Vec<&Bitmap> = vec![&found.shown];
                match search.rules().only {
                    Some(0) => of.push(&found.matches),
                    Some(_) => of.push(&found.near),
                    None => {}
                }
                if search.rules().hides() {
                    rows = Some(Index::of(&of));
                }
                if search.rules().find.is_some() {
                    of.push(&found.matches);
                    marks = Some(Index::of(&of));
                }
            }
            MergeSource { log: Arc::clone(log), rows, marks, gaps }
        });
        Reader { sources: sources.collect(), search, names }
    }

    /// Rows, gaps included.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.sources
            .iter()
            .map(|source| source.count(source.rows.as_ref()) + source.gaps.len() as u64)
            .sum()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows before a time; with `until`, those of that very time as well.
    pub(super) fn before(&self, time: i64, until: bool) -> io::Result<Vec<(u64, u64)>> {
        self.sources
            .iter()
            .map(|source| {
                let row = match until {
                    true => source.log.upper_bound((time, u32::MAX))?,
                    false => source.log.lower_bound((time, 0))?,
                };
                let gaps = source.gaps.iter();
                let gaps = gaps.take_while(|gap| {
                    let at = gap_time(gap);
                    at < time || (until && at == time)
                });
                Ok((row, gaps.count() as u64))
            })
            .collect()
    }

    pub(super) fn rows_at(&self, split: &[(u64, u64)]) -> u64 {
        let rows = self.sources.iter().zip(split);
        rows.map(|(source, (row, gaps))| source.rank(source.rows.as_ref(), *row) + gaps).sum()
    }

    /// How many rows of each source, and how many of its gaps, come before the nth row.
    pub(super) fn split(&self, nth: u64) -> io::Result<Vec<(u64, u64)>> {
        if let [source] = self.sources.as_slice()
            && source.gaps.is_empty()
        {
            return Ok(vec![(nth.min(source.count(source.rows.as_ref())), 0)]);
        }
        // The latest time before which there are at most `nth` rows.
        let (mut low, mut high) = (NO_TIME, i64::MAX);
        while low < high {
            let middle = ((i128::from(low) + i128::from(high) + 1) / 2) as i64;
            if self.rows_at(&self.before(middle, false)?) <= nth {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        let begin = self.before(low, false)?;
        let end = self.before(low, true)?;
        let mut left = nth - self.rows_at(&begin).min(nth);
        let mut split = Vec::new();
        // Among rows of one time: source by source, lines before gaps.
        for ((source, begin), end) in self.sources.iter().zip(begin).zip(end) {
            let rank = |row| source.rank(source.rows.as_ref(), row);
            let lines = (rank(end.0) - rank(begin.0)).min(left);
            left -= lines;
            let gaps = (end.1 - begin.1).min(left);
            left -= gaps;
            split.push((rank(begin.0) + lines, begin.1 + gaps));
        }
        Ok(split)
    }

    fn entries(&self, first: u64, count: u64) -> io::Result<Vec<Entry>> {
        let mut heads: Vec<(u64, u64)> = self.split(first)?;
        let mut ready: Vec<Vec<Entry>> = Vec::new();
        for (number, (source, (row, _))) in self.sources.iter().zip(&heads).enumerate() {
            let mut lines = Vec::new();
            match &source.rows {
                None => {
                    let mut records = Vec::new();
                    let many = count.min(source.log.len().saturating_sub(*row));
                    source.log.records(*row, many, &mut records)?;
                    for (row, (stored, record)) in (*row..).zip(records) {
                        lines.push(Entry::Line { source: number, row, stored, record });
                    }
                }
                Some(rows) => {
                    for nth in *row..row + count {
                        let Some(row) = source.select(Some(rows), nth) else { break };
                        let Some(stored) = source.log.order.stored(row) else { break };
                        let record = source.log.stored_record(stored)?;
                        lines.push(Entry::Line { source: number, row, stored, record });
                    }
                }
            }
            lines.reverse();
            ready.push(lines);
        }
        let mut entries = Vec::new();
        while (entries.len() as u64) < count {
            let next = self.sources.iter().enumerate().filter_map(|(number, source)| {
                let line = ready[number].last().map(|entry| match entry {
                    Entry::Line { record, .. } => (record.time, number, 0_u8),
                    Entry::Gap { .. } => (i64::MAX, number, 0),
                });
                let at = usize::try_from(heads[number].1).unwrap_or(usize::MAX);
                let gap = source.gaps.get(at).map(|gap| (gap_time(gap), number, 1));
                line.into_iter().chain(gap).min()
            });
            let Some((_, number, kind)) = next.min() else { break };
            if kind == 0 {
                entries.extend(ready[number].pop());
            } else {
                let at = usize::try_from(heads[number].1).unwrap_or(usize::MAX);
                entries.push(Entry::Gap { source: number, gap: self.sources[number].gaps[at] });
                heads[number].1 += 1;
            }
        }
        Ok(entries)
    }

    /// The rows from `first` on.
    ///
    /// # Errors
    /// The file system's.
    pub fn window(&self, first: u64, count: u64) -> io::Result<Vec<LogRow>> {
        let mut render = RenderState::default();
        self.entries(first, count)?.into_iter().map(|entry| self.row(entry, &mut render)).collect()
    }

    fn needle(&self) -> Option<&Needle> {
        self.search.as_ref()?.rules().find.as_ref()
    }

    /// The first row of a log that may have to do with how another one looks: in a gap before it what
    /// was left on may have ended.
    fn settled(&self, source: usize, record: &Record) -> io::Result<u64> {
        let MergeSource { log, gaps, .. } = &self.sources[source];
        let gap = gaps.iter().map(gap_time).take_while(|at| *at < record.time).last();
        gap.map_or(Ok(0), |at| log.upper_bound((at, u32::MAX)))
    }

    fn row(&self, entry: Entry, render: &mut RenderState) -> io::Result<LogRow> {
        let (source, row, stored, record) = match entry {
            Entry::Line { source, row, stored, record } => (source, row, stored, record),
            Entry::Gap { source, gap } => return Ok(gap_row(source, gap)),
        };
        let log = &self.sources[source].log;
        let styled = record.has(STYLED);
        let bytes = log.text(stored, &record, if styled { DRAWN } else { SHOWN })?;
        let shown = String::from_utf8_lossy(&bytes);
        // What was cut within a character is not shown.
        let shown = if bytes.len() < record.len as usize {
            shown.trim_end_matches('\u{fffd}')
        } else {
            &*shown
        };
        let mut more = u64::from(record.len) - bytes.len() as u64;
        let from = self.settled(source, &record)?;
        let start = render.before(source, log, row, record.origin, from)?;
        let (mut fields, mut drawn) = (Vec::new(), text::Drawn::default());
        if more == 0
            && !self.search.as_ref().is_some_and(|search| search.rules().raw)
            && let Some(parts) = text::parts(shown)
        {
            if let Some(message) = &parts.message {
                drawn.lines = text::draw(message, start).lines;
            }
            (fields, drawn.end) = (parts.fields, start);
        }
        if drawn.lines.is_empty() && fields.is_empty() {
            drawn = text::draw(shown, start);
        }
        if more == 0 {
            render.after(source, row, record.origin, if styled { drawn.end } else { start });
        }
        let mut lines = drawn.lines;
        let below = lines.len().saturating_sub(1);
        let blank = |line: &Vec<Span>| line.iter().all(|span| span.text.trim().is_empty());
        let first = match is_bare(shown) {
            true => lines.iter().rposition(|line| !line.first().is_none_or(is_indented)),
            false => lines.iter().position(|line| !blank(line)),
        };
        let first = first.unwrap_or(0);
        let mut spans = if lines.is_empty() { Vec::new() } else { lines.swap_remove(first) };
        let mut trace = self.trace(source, row, COUNTED)?;
        trace.retain(|(hidden, ..)| *hidden);
        if let Some(reason) = self.reason(source, shown, &trace)? {
            spans = text::draw(&reason, start).lines.swap_remove(0);
        }
        more += text::cut(&mut spans, SHOWN);
        let mut matched = false;
        if let Some(needle) = self.needle() {
            let visible: String = spans.iter().map(|span| span.text.as_str()).collect();
            let places = needle.places(&visible);
            let marks = self.sources[source].marks.as_ref();
            matched = !places.is_empty() || marks.is_some_and(|marks| marks.has(stored));
            spans = text::mark(spans, &places);
        }
        spans = text::expand(spans);
        Ok(LogRow {
            id: format!("{source}:{stored}"),
            job: u32::try_from(source).unwrap_or(u32::MAX),
            line: log.dropped + row + 1,
            at: record.at().map(|at| at.as_millisecond()),
            level: record.level(),
            origin: log.origin(&record).map(str::to_owned),
            spans,
            more,
            below: u32::try_from(below).unwrap_or(u32::MAX),
            folded: u32::try_from(trace.len()).unwrap_or(u32::MAX),
            continued: record.has(CONTINUED),
            matched,
            fields,
            gap: None,
        })
    }

    /// What a row shows of a trace that is folded into it, where its own line says nothing: the error
    /// with which Python ends one.
    fn reason(
        &self,
        source: usize,
        begin: &str,
        trace: &[(bool, u64, Record)],
    ) -> io::Result<Option<String>> {
        let Some((_, stored, record)) = trace.last().filter(|_| is_bare(begin)) else {
            return Ok(None);
        };
        let bytes = self.sources[source].log.text(*stored, record, SHOWN)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok((!text.starts_with([' ', '\t'])).then(|| text.into_owned()))
    }

    /// The lines that go on with a log's row where they are folded, at most so many, and whether each
    /// is hidden for that.
    fn trace(&self, source: usize, row: u64, most: u64) -> io::Result<Vec<(bool, u64, Record)>> {
        let mut trace = Vec::new();
        let MergeSource { log, rows, .. } = &self.sources[source];
        if !self.search.as_ref().is_some_and(|search| search.rules().folds()) {
            return Ok(trace);
        }
        let (mut at, end) = (row + 1, log.len().min(row.saturating_add(1).saturating_add(most)));
        let mut records = Vec::new();
        let mut step = 1;
        while at < end {
            let many = step.min(end - at);
            records.clear();
            log.records(at, many, &mut records)?;
            for (stored, record) in &records {
                if !record.has(CONTINUED) {
                    return Ok(trace);
                }
                let shown = rows.as_ref().is_some_and(|rows| rows.has(*stored));
                trace.push((!shown, *stored, *record));
            }
            at += many;
            step = 200;
        }
        Ok(trace)
    }

    /// The view as a whole.
    ///
    /// # Errors
    /// The file system's.
    pub fn state(&self) -> io::Result<LogState> {
        let mut state = LogState { searched: 1.0, earlier: Earlier::Never, ..LogState::default() };
        let mut levels = Levels::default();
        for source in &self.sources {
            let log = &source.log;
            state.lines += log.len();
            state.dropped += log.dropped;
            for (sum, more) in levels.iter_mut().zip(log.levels(0, log.len())?) {
                *sum += more;
            }
            state.matches += source.marks.as_ref().map_or(0, |marks| source.count(Some(marks)));
            state.end.push(log.end_stored());
        }
        state.levels = levels.to_vec();
        state.searched = self.search.as_ref().map_or(1.0, |search| search.progress());
        state.span = self.span()?.map(|(from, to)| (from / 1_000_000, to / 1_000_000));
        Ok(state)
    }

    pub(super) fn span(&self) -> io::Result<Option<(i64, i64)>> {
        let mut all: Option<(i64, i64)> = None;
        for source in &self.sources {
            if let Some((from, to)) = source.log.span()? {
                let (low, high) = all.unwrap_or((from, to));
                all = Some((low.min(from), high.max(to)));
            }
        }
        Ok(all)
    }

    /// The view's row of a log's row, or of the first after it that is one.
    pub(super) fn view_row(&self, source: usize, row: u64) -> io::Result<u64> {
        let here = &self.sources[source];
        if let [_] = self.sources.as_slice()
            && here.gaps.is_empty()
        {
            return Ok(here.rank(here.rows.as_ref(), row));
        }
        if row >= here.log.len() {
            return Ok(self.len());
        }
        let time = here.log.record(row)?.time;
        let split = self.before(time, false)?;
        let mut before = self.rows_at(&split);
        let upto = self.before(time, true)?;
        for (number, other) in self.sources.iter().enumerate().take(source + 1) {
            let rank = |row| other.rank(other.rows.as_ref(), row);
            if number == source {
                before += rank(row) - rank(split[number].0);
            } else {
                before += rank(upto[number].0) - rank(split[number].0);
                before += upto[number].1 - split[number].1;
            }
        }
        Ok(before)
    }

    /// A row, whole, with the stack trace that is folded into it.
    ///
    /// # Errors
    /// The file system's.
    pub fn text(&self, row: u64) -> io::Result<Option<LogText>> {
        let Some(Entry::Line { source, row, stored, record }) = self.entries(row, 1)?.pop() else {
            return Ok(None);
        };
        let log = &self.sources[source].log;
        let bytes = log.text(stored, &record, WHOLE)?;
        let mut text = String::from_utf8_lossy(&bytes).into_owned();
        let json = (text.len() <= JSON).then(|| text::json_in(&text)).flatten();
        let mut more = u64::from(record.len) - bytes.len() as u64;
        if !record.has(CONTINUED) {
            for (_, stored, record) in self.trace(source, row, u64::MAX)? {
                let bytes = log.text(stored, &record, WHOLE.saturating_sub(text.len()))?;
                more += u64::from(record.len) - bytes.len() as u64;
                if !bytes.is_empty() || record.len == 0 {
                    text.push('\n');
                    text.push_str(&String::from_utf8_lossy(&bytes));
                }
            }
        }
        let from = self.settled(source, &record)?;
        let start = RenderState::default().before(source, log, row, record.origin, from)?;
        let styled = text::is_styled(&text);
        let mut lines =
            text::draw(prefix(&text, if styled { DRAWN } else { 4 * SHOWN }), start).lines;
        let mut room = 4 * SHOWN;
        lines.retain_mut(|line| {
            text::cut(line, room);
            let bytes: usize = line.iter().map(|span| span.text.len() + 1).sum();
            let fits = room > 0;
            room = room.saturating_sub(bytes + 1);
            fits
        });
        if let Some(needle) = self.needle() {
            for line in &mut lines {
                let visible: String = line.iter().map(|span| span.text.as_str()).collect();
                *line = text::mark(std::mem::take(line), &needle.places(&visible));
            }
        }
        let lines = lines.into_iter().map(text::expand).collect();
        Ok(Some(LogText { more, lines, json, text: text::plain(&text).into_owned() }))
    }

    /// Lines from a row on, whole; gaps are passed over.
    ///
    /// # Errors
    /// The file system's.
    pub fn lines(&self, first: u64, count: u64) -> io::Result<Lines> {
        let mut all = Lines::default();
        for entry in self.entries(first, count)? {
            let Entry::Line { source, stored, record, .. } = entry else { continue };
            all.add(&self.sources[source].log, stored, &record)?;
        }
        Ok(all)
    }

    /// Rows as text, to be copied.
    ///
    /// # Errors
    /// The file system's.
    pub fn copy(&self, first: u64, count: u64, format: LogFormat) -> io::Result<String> {
        let mut out = Vec::new();
        let mut at = first;
        let end = first.saturating_add(count.min(MAX_COPIED)).min(self.len());
        let mut writer = Writer::new(format);
        writer.head(&mut out)?;
        while at < end && out.len() < MAX_COPY {
            let many = (end - at).min(2_000);
            self.write_rows(at, many, &mut writer, &mut out)?;
            at += many;
        }
        String::from_utf8(out).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Writes rows as they are saved, each with what is folded into it.
    ///
    /// # Errors
    /// The file system's.
    pub fn write_rows(
        &self,
        first: u64,
        count: u64,
        writer: &mut Writer,
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        let mut entries = self.entries(first, count)?.into_iter().peekable();
        while let Some(entry) = entries.next() {
            let Entry::Line { source, row, stored, record } = entry else { continue };
            let log = &self.sources[source].log;
            // Nothing is folded between two rows that follow each other in their log.
            let follows = matches!(entries.peek(),
                Some(Entry::Line { source: of, row: next, .. }) if (*of, *next) == (source, row + 1));
            let most = if follows { 0 } else { u64::MAX };
            let job = (self.sources.len() > 1).then(|| self.names[source].as_str());
            // What is folded into a row goes with it: nobody saves a log to lose its stack traces.
            let trace = self.trace(source, row, most)?.into_iter();
            let hidden = trace.take_while(|(hidden, ..)| *hidden).map(|(_, at, of)| (at, of));
            for (stored, record) in std::iter::once((stored, record)).chain(hidden) {
                let bytes = log.text(stored, &record, usize::MAX)?;
                let text = String::from_utf8_lossy(&bytes);
                writer.line(job, &record, log.origin(&record), &text::plain(&text), out)?;
            }
        }
        Ok(())
    }
}

fn is_indented(span: &Span) -> bool {
    span.text.starts_with([' ', '\t'])
}

fn gap_time(gap: &LogGap) -> i64 {
    if gap.beginning {
        return BEGINNING;
    }
    // After the lines of its first moment.
    gap.from.saturating_mul(1_000_000).saturating_add(999_999)
}

fn gap_row(source: usize, gap: LogGap) -> LogRow {
    LogRow {
        id: format!("{source}:gap:{}", gap.from),
        job: u32::try_from(source).unwrap_or(u32::MAX),
        line: 0,
        at: Some(gap.from),
        level: None,
        origin: None,
        spans: Vec::new(),
        more: 0,
        below: 0,
        folded: 0,
        continued: false,
        matched: false,
        fields: Vec::new(),
        gap: Some(gap),
    }
}
