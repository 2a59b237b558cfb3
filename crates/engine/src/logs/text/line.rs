//! One line of a screen. As long as text is only added at its end it is a text and nothing else;
//! whoever writes elsewhere makes cells of it.

use unicode_width::UnicodeWidthChar as _;

/// Columns between two tab stops.
pub(super) const STOP: usize = 8;

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// What is shown; with cells, what they take their text from.
    text: String,
    /// Where pieces of one style end.
    runs: Vec<(usize, u16)>,
    cells: Option<Vec<Cell>>,
    columns: usize,
}

/// What one column shows.
#[derive(Clone, Copy, Debug)]
struct Cell {
    at: u32,
    /// Bytes; 0 for a column that nothing was written on.
    len: u16,
    style: u16,
}

const BLANK: Cell = Cell { at: 0, len: 0, style: 0 };
/// A further column of what the column before shows.
const TAIL: Cell = Cell { at: u32::MAX, len: 0, style: 0 };

impl Cell {
    fn is_tail(self) -> bool {
        self.at == u32::MAX
    }
}

/// Columns that a character takes in this place.
fn width(c: char, column: usize) -> usize {
    match c {
        '\t' => STOP - column % STOP,
        c if c.is_ascii() => 1,
        c => c.width().unwrap_or(0),
    }
}

impl Line {
    /// Columns up to the last one that was written on.
    pub(super) fn width(&self) -> usize {
        self.cells.as_ref().map_or(self.columns, Vec::len)
    }

    /// Writes a character.
    pub(super) fn put(&mut self, column: usize, c: char, width: usize, style: u16) {
        if self.cells.is_none() && column >= self.columns {
            for _ in self.columns..column {
                self.add(' ', 0);
            }
            self.add(c, style);
            self.columns = column + width;
            return;
        }
        let at = self.text.len() as u32;
        self.text.push(c);
        let cells = cells(&mut self.cells, &self.text[..at as usize], &self.runs);
        if cells.len() < column + width {
            cells.resize(column + width, BLANK);
        }
        tear(cells, column);
        tear(cells, column + width);
        cells[column] = Cell { at, len: c.len_utf8() as u16, style };
        cells[column + 1..column + width].fill(TAIL);
    }

    /// Adds a character without a width of its own to the one before the column.
    pub(super) fn join(&mut self, column: usize, c: char, style: u16) {
        if self.cells.is_none() && column >= self.columns {
            self.add(c, style);
            return;
        }
        let cells = cells(&mut self.cells, &self.text, &self.runs);
        let Some(mut place) = column.min(cells.len()).checked_sub(1) else { return };
        while place > 0 && cells[place].is_tail() {
            place -= 1;
        }
        let Cell { at, len, style } = cells[place];
        if len == 0 || usize::from(len) > 64 {
            return;
        }
        let from = at as usize;
        let whole = format!("{}{c}", &self.text[from..from + usize::from(len)]);
        let at = self.text.len() as u32;
        self.text.push_str(&whole);
        cells[place] = Cell { at, len: whole.len() as u16, style };
    }

    fn add(&mut self, c: char, style: u16) {
        self.text.push(c);
        let end = self.text.len();
        match self.runs.last_mut() {
            Some(run) if run.1 == style => run.0 = end,
            _ => self.runs.push((end, style)),
        }
    }

    /// Erases to the end (0), from the beginning (1) or all of it (2).
    pub(super) fn erase(&mut self, column: usize, how: usize) {
        match how {
            0 if column >= self.width() => {}
            0 if column > 0 => {
                let cells = cells(&mut self.cells, &self.text, &self.runs);
                tear(cells, column);
                cells.truncate(column);
            }
            1 => self.blank(0, column + 1),
            0 | 2 => *self = Line::default(),
            _ => {}
        }
    }

    /// Blanks so many columns.
    pub(super) fn blank(&mut self, column: usize, many: usize) {
        let end = (column + many).min(self.width());
        if column >= end {
            return;
        }
        let cells = cells(&mut self.cells, &self.text, &self.runs);
        tear(cells, column);
        tear(cells, end);
        cells[column..end].fill(BLANK);
    }

    /// Takes so many columns out.
    pub(super) fn delete(&mut self, column: usize, many: usize) {
        let end = (column + many).min(self.width());
        if column >= end {
            return;
        }
        let cells = cells(&mut self.cells, &self.text, &self.runs);
        tear(cells, column);
        tear(cells, end);
        cells.drain(column..end);
    }

    /// Puts so many blank columns in.
    pub(super) fn insert(&mut self, column: usize, many: usize) {
        if column >= self.width() {
            return;
        }
        let cells = cells(&mut self.cells, &self.text, &self.runs);
        tear(cells, column);
        cells.splice(column..column, std::iter::repeat_n(BLANK, many));
    }

    /// What is shown, piece by piece of one style.
    pub(super) fn pieces(&self, mut each: impl FnMut(&str, u16)) {
        let Some(cells) = &self.cells else {
            let mut from = 0;
            for (end, style) in &self.runs {
                each(&self.text[from..*end], *style);
                from = *end;
            }
            return;
        };
        let written = cells.iter().rposition(|cell| cell.len > 0).map_or(0, |last| last + 1);
        let (mut piece, mut of) = (String::new(), 0);
        for cell in cells[..written].iter().filter(|cell| !cell.is_tail()) {
            if cell.style != of && !piece.is_empty() {
                each(&piece, of);
                piece.clear();
            }
            of = cell.style;
            let from = cell.at as usize;
            match cell.len {
                0 => piece.push(' '),
                len => piece.push_str(&self.text[from..from + usize::from(len)]),
            }
        }
        if !piece.is_empty() {
            each(&piece, of);
        }
    }
}

/// The cells of a line, made of its text where there are none yet.
fn cells<'a>(
    cells: &'a mut Option<Vec<Cell>>,
    text: &str,
    runs: &[(usize, u16)],
) -> &'a mut Vec<Cell> {
    cells.get_or_insert_with(|| {
        let mut made: Vec<Cell> = Vec::with_capacity(text.len());
        let mut runs = runs.iter();
        let mut run = runs.next();
        for (at, c) in text.char_indices() {
            while run.is_some_and(|(end, _)| *end <= at) {
                run = runs.next();
            }
            let style = run.map_or(0, |(_, style)| *style);
            let len = c.len_utf8() as u16;
            let columns = width(c, made.len());
            if columns == 0 {
                // What has no width stands behind what it belongs to.
                if let Some(cell) = made.iter_mut().rev().find(|cell| !cell.is_tail())
                    && cell.len < 64
                {
                    cell.len += len;
                }
                continue;
            }
            made.push(Cell { at: at as u32, len, style });
            made.extend(std::iter::repeat_n(TAIL, columns - 1));
        }
        made
    })
}

/// Makes sure that nothing reaches over the beginning of a column: what did becomes blank.
fn tear(cells: &mut [Cell], column: usize) {
    if !cells.get(column).is_some_and(|cell| cell.is_tail()) {
        return;
    }
    let begin = cells[..column].iter().rposition(|cell| !cell.is_tail()).unwrap_or(0);
    let after = cells[column..].iter().position(|cell| !cell.is_tail());
    let end = after.map_or(cells.len(), |after| column + after);
    cells[begin..end].fill(BLANK);
}
