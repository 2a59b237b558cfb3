//! Lines of a job's log.

use std::fmt;

use jiff::Timestamp;

use crate::model::Level;

/// One line of a job's log, as the server sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// The server's id of the line, for telling duplicates from repetitions.
    pub id: Option<&'a str>,
    /// The server's position of the line within the job, where it counts them.
    pub position: Option<u64>,
    /// When it was written.
    pub at: Option<Timestamp>,
    /// How serious it is, where the server says.
    pub level: Option<Level>,
    /// Which container, service or stream wrote it.
    pub origin: Option<&'a str>,
    /// The text, byte for byte.
    pub text: &'a str,
}

/// Lines of one job's log, in the server's order. All their text lies in one buffer, so that a flood
/// of lines costs no flood of allocations.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct LogLines {
    buffer: String,
    lines: Vec<Row>,
    goes_on: bool,
    gap: Option<(Timestamp, Timestamp)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    /// Where id, origin and text end in the buffer; they stand there one after another.
    ends: [usize; 3],
    has_id: bool,
    has_origin: bool,
    position: Option<u64>,
    at: Option<Timestamp>,
    level: Option<Level>,
}

impl LogLines {
    /// No lines yet.
    #[must_use]
    pub fn new() -> LogLines {
        LogLines::default()
    }

    /// No lines yet, with room for so many of so many bytes in all.
    #[must_use]
    pub fn with_capacity(lines: usize, bytes: usize) -> LogLines {
        LogLines {
            buffer: String::with_capacity(bytes),
            lines: Vec::with_capacity(lines),
            ..LogLines::default()
        }
    }

    /// These lines follow those of the answer before as its next page: a text that both hold was
    /// written twice.
    #[must_use]
    pub fn going_on(mut self) -> LogLines {
        self.goes_on = true;
        self
    }

    /// Whether these lines are the next page of the answer before.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Notes that the server no longer has the lines between these two times; from
    /// [`Timestamp::MIN`] where it is the beginning of the log that it has not.
    pub fn set_gap(&mut self, gap: Option<(Timestamp, Timestamp)>) {
        self.gap = gap;
    }

    /// Between which times the server no longer has any lines, where it turned out that it has not;
    /// see [`LogLines::set_gap`].
    #[must_use]
    pub fn gap(&self) -> Option<(Timestamp, Timestamp)> {
        self.gap
    }

    /// Adds a line.
    pub fn push(&mut self, line: LogLine<'_>) {
        let mut ends = [0; 3];
        let parts = [line.id.unwrap_or(""), line.origin.unwrap_or(""), line.text];
        for (end, part) in ends.iter_mut().zip(parts) {
            self.buffer.push_str(part);
            *end = self.buffer.len();
        }
        self.lines.push(Row {
            ends,
            has_id: line.id.is_some(),
            has_origin: line.origin.is_some(),
            position: line.position,
            at: line.at,
            level: line.level,
        });
    }

    /// Adds the lines of `other`.
    pub fn append(&mut self, other: &LogLines) {
        let shift = self.buffer.len();
        self.buffer.push_str(&other.buffer);
        let moved = |row: &Row| Row { ends: row.ends.map(|end| end + shift), ..*row };
        self.lines.extend(other.lines.iter().map(moved));
    }

    /// How many lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Bytes of text, ids and origins.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Everything that the server wrote in these lines, one after another: to look for something
    /// that must be in none of them.
    #[must_use]
    pub fn everything(&self) -> &str {
        &self.buffer
    }

    /// The line at a place.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<LogLine<'_>> {
        let row = self.lines.get(at)?;
        let start = at.checked_sub(1).map_or(0, |before| self.lines[before].ends[2]);
        let [id, origin, text] = row.ends;
        Some(LogLine {
            id: row.has_id.then(|| &self.buffer[start..id]),
            position: row.position,
            at: row.at,
            level: row.level,
            origin: row.has_origin.then(|| &self.buffer[id..origin]),
            text: &self.buffer[origin..text],
        })
    }

    /// The lines, in order.
    pub fn iter(&self) -> impl Iterator<Item = LogLine<'_>> {
        (0..self.lines.len()).filter_map(|at| self.get(at))
    }
}

impl fmt::Debug for LogLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> FromIterator<LogLine<'a>> for LogLines {
    fn from_iter<I: IntoIterator<Item = LogLine<'a>>>(lines: I) -> LogLines {
        let mut all = LogLines::new();
        for line in lines {
            all.push(line);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_as_they_went_in() {
        let first =
            LogLine { id: Some(""), origin: Some("web"), text: "a\nb", ..LogLine::default() };
        let second = LogLine { position: Some(7), level: Some(Level::Warn), ..LogLine::default() };
        let third = LogLine { id: Some("x"), text: "über", ..LogLine::default() };
        let mut lines: LogLines = [first, second].into_iter().collect();
        let more: LogLines = [third, first].into_iter().collect();
        lines.append(&more);
        assert_eq!(lines.iter().collect::<Vec<_>>(), [first, second, third, first]);
        assert_eq!(lines.get(4), None);
    }
}
