//! Log lines in memory, bounded by bytes: per job, and in all.
//!
//! A line that comes again is kept once. Servers that give lines an id settle that by the id.
//! Elsewhere each way of hearing is counted on its own: the socket and one HTTP answer may both
//! bring the same line, and a line that a way brings twice was written twice.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use jobwatch_core::model::{JobId, LogLine, Source};

use crate::driver::Slot;
use crate::redact::prefix;
use crate::views::LogRow;

/// Bytes kept of one job.
pub const MAX_JOB_BYTES: usize = 8 << 20;
/// Bytes kept in all.
pub const MAX_BYTES: usize = 128 << 20;
/// What a line costs besides its text.
const LINE_COST: usize = 120;
/// How far back a line from the socket may be put in its place in time: streams of several
/// containers interleave, but a stopped clock must not make every line a search.
const MAX_BACK: usize = 512;
/// Characters of a line that a row shows.
const MAX_TEXT: usize = 4_096;

#[derive(Debug)]
struct Kept {
    seq: u64,
    /// Milliseconds; the line before it where it has no time of its own.
    time: i64,
    line: LogLine,
    key: u64,
}

impl Kept {
    fn place(&self) -> (i64, u64, u64) {
        (self.time, self.line.position.unwrap_or(u64::MAX), self.seq)
    }

    fn cost(&self) -> usize {
        LINE_COST
            + self.line.text.len()
            + self.line.id.as_ref().map_or(0, String::len)
            + self.line.origin.as_ref().map_or(0, String::len)
    }
}

/// How often a line was kept, and how often each way brought it.
#[derive(Debug, Default)]
struct Seen {
    kept: u32,
    socket: u32,
    fetched: u32,
    /// The HTTP answer that `fetched` counts.
    batch: u64,
}

#[derive(Debug, Default)]
struct JobLog {
    lines: VecDeque<Kept>,
    seen: HashMap<u64, Seen>,
    bytes: usize,
    next: u64,
    dropped: u64,
    batch: u64,
    position: Option<u64>,
    /// Orders logs by their last line.
    touched: u64,
    ended: bool,
}

/// The logs of all servers' jobs.
#[derive(Debug, Default)]
pub struct Logs {
    jobs: HashMap<(Slot, JobId), JobLog>,
    bytes: usize,
    clock: u64,
}

impl Logs {
    /// Takes lines in; answers those that were new, with their numbers, in the order of arrival.
    pub fn push(
        &mut self,
        slot: Slot,
        job: &JobId,
        lines: Vec<LogLine>,
        source: Source,
    ) -> Vec<(u64, LogLine)> {
        self.clock += 1;
        let log = self.jobs.entry((slot, job.clone())).or_default();
        log.touched = self.clock;
        log.batch += 1;
        let before = log.bytes;
        let mut new = Vec::new();
        let mut disordered = false;
        for line in lines {
            log.position = log.position.max(line.position);
            let key = key(&line);
            let (batch, seen) = (log.batch, log.seen.entry(key).or_default());
            let brought = if source == Source::Socket {
                seen.socket += 1;
                seen.socket
            } else {
                if seen.batch != batch {
                    (seen.batch, seen.fetched) = (batch, 0);
                }
                seen.fetched += 1;
                seen.fetched
            };
            let counted = line.id.is_some() || line.position.is_some();
            if brought <= seen.kept || (counted && seen.kept > 0) {
                continue;
            }
            seen.kept += 1;
            let before = log.lines.back().map_or(i64::MIN, |last| last.time);
            let time = line.at.map_or(before, |at| at.as_millisecond());
            new.push((log.next, line.clone()));
            let kept = Kept { seq: log.next, time, line, key };
            log.next += 1;
            log.bytes += kept.cost();
            if source == Source::Socket {
                let place = kept.place();
                let back = log.lines.iter().rev().take(MAX_BACK);
                let later = back.take_while(|other| other.place() > place).count();
                let at = log.lines.len() - later;
                log.lines.insert(at, kept);
            } else {
                disordered |= log.lines.back().is_some_and(|last| last.place() > kept.place());
                log.lines.push_back(kept);
            }
        }
        if disordered {
            log.lines.make_contiguous().sort_by_key(Kept::place);
        }
        while log.bytes > MAX_JOB_BYTES {
            let Some(oldest) = log.lines.pop_front() else { break };
            log.bytes -= oldest.cost();
            log.dropped += 1;
            log.seen.remove(&oldest.key);
        }
        self.bytes = self.bytes - before + log.bytes;
        self.shrink(slot, job);
        new
    }

    /// Notes that a job has ended: its log goes first when memory runs short.
    pub fn ended(&mut self, slot: Slot, job: &JobId, ended: bool) {
        if let Some(log) = self.jobs.get_mut(&(slot, job.clone())) {
            log.ended = ended;
        }
    }

    /// Lines kept of a job.
    #[must_use]
    pub fn len(&self, slot: Slot, job: &JobId) -> u64 {
        self.jobs.get(&(slot, job.clone())).map_or(0, |log| log.lines.len() as u64)
    }

    /// From which of the server's lines on nothing is known yet.
    #[must_use]
    pub fn offset(&self, slot: Slot, job: &JobId) -> u64 {
        let log = self.jobs.get(&(slot, job.clone()));
        log.and_then(|log| log.position).map_or(0, |position| position + 1)
    }

    /// The total, the rows from `first` on, and how many lines were pushed out before them.
    #[must_use]
    pub fn window(
        &self,
        slot: Slot,
        job: &JobId,
        first: u64,
        count: usize,
    ) -> (u64, Vec<LogRow>, u64) {
        let Some(log) = self.jobs.get(&(slot, job.clone())) else { return (0, Vec::new(), 0) };
        let skip = usize::try_from(first).unwrap_or(usize::MAX);
        let rows = log.lines.iter().skip(skip).take(count).map(row).collect();
        (log.lines.len() as u64, rows, log.dropped)
    }

    /// Forgets a server.
    pub fn forget(&mut self, slot: Slot) {
        self.jobs.retain(|(of, _), _| *of != slot);
        self.bytes = self.jobs.values().map(|log| log.bytes).sum();
    }

    /// Drops whole logs, ended jobs first and those silent for longest first, sparing `job`.
    fn shrink(&mut self, slot: Slot, job: &JobId) {
        while self.bytes > MAX_BYTES {
            let spared = |key: &(Slot, JobId)| key.0 == slot && key.1 == *job;
            let victim = self
                .jobs
                .iter()
                .filter(|(key, _)| !spared(key))
                .min_by_key(|(_, log)| (!log.ended, log.touched))
                .map(|(key, _)| key.clone());
            let Some(victim) = victim else { break };
            if let Some(log) = self.jobs.remove(&victim) {
                self.bytes -= log.bytes;
            }
        }
    }
}

/// What makes two lines the same.
fn key(line: &LogLine) -> u64 {
    let mut hasher = DefaultHasher::new();
    match (&line.id, line.position) {
        (Some(id), _) => (0u8, id).hash(&mut hasher),
        (None, Some(position)) => (1u8, position, &line.origin, &line.text).hash(&mut hasher),
        (None, None) => {
            let at = line.at.map(|at| at.as_nanosecond());
            (2u8, at, &line.origin, &line.text).hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn row(kept: &Kept) -> LogRow {
    LogRow {
        seq: kept.seq,
        at: kept.line.at.map(|at| at.as_millisecond()),
        level: kept.line.level.map(|level| level.word().to_owned()),
        origin: kept.line.origin.clone(),
        text: plain(&kept.line.text),
    }
}

/// A line as it is shown: without escape sequences and control characters, shortened.
#[must_use]
pub fn plain(text: &str) -> String {
    // Enough for the row even if much of it is escape sequences.
    let text = prefix(text, MAX_TEXT * 8);
    let mut shown = String::with_capacity(text.len().min(MAX_TEXT));
    let mut count = 0;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next() {
                // A control sequence ends at its final byte.
                Some('[') => {
                    while rest.next_if(|c| matches!(c, '\u{20}'..='\u{3f}')).is_some() {}
                    rest.next_if(|c| matches!(c, '\u{40}'..='\u{7e}'));
                }
                // A string ends at BEL or ST.
                Some(']' | 'P' | '^' | '_' | 'X') => {
                    while let Some(c) = rest.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                Some('(' | ')' | '*' | '+') => {
                    rest.next();
                }
                _ => {}
            },
            // What a terminal would overwrite is replaced; the line's own end is not.
            '\r' if rest.peek().is_some_and(|c| *c != '\n') => {
                shown.clear();
                count = 0;
            }
            '\t' => {
                shown.push('\t');
                count += 1;
            }
            '\n' => {
                shown.push(' ');
                count += 1;
            }
            c if c.is_control() => {}
            c => {
                shown.push(c);
                count += 1;
            }
        }
        if count >= MAX_TEXT {
            shown.push('…');
            break;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    const SLOT: Slot = Slot(1);

    fn line(second: i64, text: &str) -> LogLine {
        LogLine {
            id: None,
            position: None,
            at: Some(Timestamp::from_second(second).unwrap()),
            level: None,
            origin: None,
            text: text.to_owned(),
        }
    }

    fn texts(logs: &Logs, job: &JobId) -> Vec<String> {
        logs.window(SLOT, job, 0, 1_000).1.into_iter().map(|row| row.text).collect()
    }

    #[test]
    fn a_line_heard_on_both_ways_is_kept_once_and_a_repetition_twice() {
        let (mut logs, job) = (Logs::default(), JobId::from("j"));
        logs.push(SLOT, &job, vec![line(2, "b"), line(2, "b")], Source::Socket);
        let all = vec![line(1, "a"), line(2, "b"), line(2, "b"), line(3, "c")];
        let new = logs.push(SLOT, &job, all.clone(), Source::Http);
        assert_eq!(new.iter().map(|(_, line)| line.text.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert!(logs.push(SLOT, &job, all, Source::Http).is_empty());
        assert!(logs.push(SLOT, &job, vec![line(3, "c")], Source::Socket).is_empty());
        assert_eq!(logs.push(SLOT, &job, vec![line(3, "c")], Source::Socket).len(), 1);
        assert_eq!(texts(&logs, &job), ["a", "b", "b", "c", "c"]);
    }

    #[test]
    fn a_line_with_an_id_is_kept_once_whatever_happens() {
        let (mut logs, job) = (Logs::default(), JobId::from("j"));
        for _ in 0..3 {
            let line = LogLine { id: Some("1".to_owned()), ..line(1, "x") };
            logs.push(SLOT, &job, vec![line], Source::Socket);
        }
        assert_eq!(logs.len(SLOT, &job), 1);
    }

    #[test]
    fn late_lines_are_put_in_their_place_and_keep_their_number() {
        let (mut logs, job) = (Logs::default(), JobId::from("j"));
        logs.push(SLOT, &job, vec![line(1, "a"), line(5, "e")], Source::Socket);
        logs.push(SLOT, &job, vec![line(3, "c")], Source::Socket);
        logs.push(SLOT, &job, vec![line(4, "d"), line(2, "b")], Source::Http);
        assert_eq!(texts(&logs, &job), ["a", "b", "c", "d", "e"]);
        let rows = logs.window(SLOT, &job, 2, 1).1;
        assert_eq!((rows[0].seq, rows[0].text.as_str()), (2, "c"));
    }

    #[test]
    fn logs_stay_within_their_budget_and_say_what_was_dropped() {
        let (mut logs, job) = (Logs::default(), JobId::from("j"));
        for second in 0..20 {
            logs.push(SLOT, &job, vec![line(second, &"x".repeat(1 << 20))], Source::Socket);
        }
        let (total, rows, dropped) = logs.window(SLOT, &job, 0, 100);
        assert!(total <= 8 && total + dropped == 20, "{total} {dropped}");
        assert!(rows.iter().all(|row| row.text.chars().count() <= MAX_TEXT + 1));
        for other in 0..40 {
            let other = JobId::from(format!("other-{other}"));
            for second in 0..4 {
                logs.push(SLOT, &other, vec![line(second, &"x".repeat(1 << 20))], Source::Socket);
            }
        }
        assert!(logs.bytes <= MAX_BYTES);
        assert_eq!(logs.len(SLOT, &job), 0, "the oldest log goes first");
    }

    #[test]
    fn escape_sequences_are_removed_and_overwritten_text_with_them() {
        assert_eq!(
            plain("\u{1b}[1;31mred\u{1b}[0m \u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{7}"),
            "red link"
        );
        assert_eq!(plain("10 %\r20 %\r\n"), "20 % ");
        assert_eq!(plain("<b>\u{0}tab\there</b>"), "<b>tab\there</b>");
        assert_eq!(plain("\u{1b}[31"), "");
        assert_eq!(plain("end\u{1b}"), "end");
    }
}
