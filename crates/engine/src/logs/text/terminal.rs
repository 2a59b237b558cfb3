//! What a terminal of endless width would show of one message.

use std::collections::HashMap;

use unicode_width::UnicodeWidthChar as _;
use vte::{Params, Perform};

use super::super::query::Span;
use super::line::{Line, STOP};
use super::style::{Change, Style};

/// Columns that one movement may go beyond what is there.
const REACH: usize = 1_000;
/// Columns of a message that movements leave blank, in all: a short text must not become a long one.
const BLANKS: usize = 1 << 16;
/// Bytes of a link.
const LONGEST_LINK: usize = 4 << 10;

/// A look, and which link.
type LinkedStyle = (Style, u16);

/// Draws a message.
pub(super) struct Terminal {
    lines: Vec<Line>,
    row: usize,
    column: usize,
    /// The look that the message begins with.
    start: Style,
    change: Change,
    link: u16,
    /// The number of the look and link, in `styles`.
    style: u16,
    styles: Vec<LinkedStyle>,
    numbers: HashMap<LinkedStyle, u16>,
    links: Vec<String>,
    saved: Option<(usize, usize, Change)>,
    /// Which of the two character sets draw lines, and which is in use.
    drawing: [bool; 2],
    shift: usize,
    last: Option<char>,
    blanks: usize,
}

impl Terminal {
    pub(super) fn new(start: Style) -> Terminal {
        Terminal {
            lines: vec![Line::default()],
            row: 0,
            column: 0,
            start,
            change: Change::default(),
            link: 0,
            style: 1,
            // What is nowhere written on has the plainest look, whatever the message began with.
            styles: vec![(Style::default(), 0), (start, 0)],
            numbers: HashMap::from([((start, 0), 1)]),
            links: Vec::new(),
            saved: None,
            drawing: [false; 2],
            shift: 0,
            last: None,
            blanks: BLANKS,
        }
    }

    /// The look that what follows the message begins with.
    pub(super) fn end(&self) -> Style {
        self.change.after(Change::to(self.start)).style
    }

    /// The lines. A line break at the end ends a line and begins none.
    pub(super) fn spans(&self) -> Vec<Vec<Span>> {
        let mut lines: Vec<Vec<Span>> = self
            .lines
            .iter()
            .map(|line| {
                let mut spans = Vec::new();
                line.pieces(|text, style| {
                    let (style, link) = self.styles[usize::from(style)];
                    let link = usize::from(link).checked_sub(1).map(|at| self.links[at].clone());
                    spans.push(Span {
                        text: text.to_owned(),
                        mark: false,
                        style: style.letters(),
                        fg: style.fg.word(),
                        bg: style.bg.word(),
                        link,
                    });
                });
                spans
            })
            .collect();
        while lines.len() > 1 && lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        lines
    }

    /// The text of the lines.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (nth, line) in self.lines.iter().enumerate() {
            if nth > 0 {
                text.push('\n');
            }
            line.pieces(|piece, _| text.push_str(piece));
        }
        text.truncate(text.trim_end_matches('\n').len());
        text
    }

    fn restyle(&mut self) {
        let style = (self.end(), self.link);
        let next = u16::try_from(self.styles.len()).ok();
        self.style = match (self.numbers.get(&style), next) {
            (Some(number), _) => *number,
            (None, Some(next)) => {
                self.numbers.insert(style, next);
                self.styles.push(style);
                next
            }
            // No message has so many looks that anybody could tell.
            (None, None) => self.style,
        };
    }

    fn line(&mut self) -> &mut Line {
        while self.lines.len() <= self.row {
            self.lines.push(Line::default());
        }
        &mut self.lines[self.row]
    }

    fn put(&mut self, c: char, width: usize) {
        let (style, column, blanks) = (self.style, self.column, self.blanks);
        let line = self.line();
        let gap = column.saturating_sub(line.width());
        let column = if gap > blanks { line.width() + blanks } else { column };
        line.put(column, c, width, style);
        self.blanks -= gap.min(blanks);
        self.column = column + width;
    }

    /// To a column, not far beyond what is there.
    fn go(&mut self, column: usize) {
        let most = self.column.max(self.line().width()) + REACH;
        self.column = column.min(most);
    }

    /// To a row of the message, or one below it.
    fn go_row(&mut self, row: usize) {
        self.row = row.min(self.lines.len());
    }

    fn tab(&mut self) {
        let column = self.column;
        let end = (column / STOP + 1) * STOP;
        let line = self.line();
        if column == line.width() {
            line.put(column, '\t', end - column, 0);
        }
        self.column = end;
    }

    /// Erases in the display: what is below, above, or everything.
    fn erase_display(&mut self, how: usize) {
        self.line();
        let (row, column) = (self.row, self.column);
        let lines = match how {
            0 => row + 1..self.lines.len(),
            1 => 0..row,
            _ => 0..self.lines.len(),
        };
        for line in &mut self.lines[lines] {
            *line = Line::default();
        }
        if how < 2 {
            self.lines[row].erase(column, how);
        }
    }

    fn save(&mut self) {
        self.saved = Some((self.row, self.column, self.change));
    }

    fn restore(&mut self) {
        if let Some((row, column, change)) = self.saved {
            (self.row, self.column, self.change) = (row, column, change);
            self.restyle();
        }
    }

    /// An operating system command: of all of them a log has use for links alone.
    pub(super) fn command(&mut self, body: &[u8]) {
        let Some(rest) = body.strip_prefix(b"8;") else { return };
        let Some(at) = rest.iter().position(|byte| *byte == b';') else { return };
        self.link = self.link_to(&rest[at + 1..]).unwrap_or(0);
        self.restyle();
    }

    /// The number of a link that may be offered; `None` for any other, and for the end of one.
    fn link_to(&mut self, address: &[u8]) -> Option<u16> {
        let address =
            std::str::from_utf8(address).ok().filter(|text| text.len() <= LONGEST_LINK)?;
        let url = url::Url::parse(address).ok()?;
        let fits = matches!(url.scheme(), "http" | "https") && url.has_host();
        let address = fits.then(|| String::from(url))?;
        let known = self.links.last() == Some(&address);
        if !known {
            self.links.push(address);
        }
        u16::try_from(self.links.len()).ok()
    }
}

impl Perform for Terminal {
    fn print(&mut self, c: char) {
        let c = match self.drawing[self.shift] {
            true => drawn(c),
            false => c,
        };
        let width = if c.is_ascii() { usize::from(c != '\u{7f}') } else { c.width().unwrap_or(0) };
        if c == '\u{7f}' {
            return;
        }
        if width == 0 {
            let (column, style) = (self.column, self.style);
            self.line().join(column, c, style);
            return;
        }
        self.put(c, width);
        self.last = Some(c);
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.row += 1;
                self.column = 0;
                self.line();
            }
            b'\r' => self.column = 0,
            0x08 => self.column = self.column.saturating_sub(1),
            b'\t' => self.tab(),
            0x0b | 0x0c => {
                self.row += 1;
                self.line();
            }
            0x0e => self.shift = 1,
            0x0f => self.shift = 0,
            // The bell and the like show nothing.
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, between: &[u8], _: bool, action: char) {
        let mut numbers =
            params.iter().map(|group| usize::from(group.first().copied().unwrap_or(0)));
        let first = numbers.next().unwrap_or(0);
        let second = numbers.next().unwrap_or(0).max(1);
        let n = first.max(1);
        let (row, column) = (self.row, self.column);
        match (between, action) {
            ([], 'A' | 'k') => self.row = row.saturating_sub(n),
            ([], 'B' | 'e') => self.go_row(row + n),
            ([], 'C' | 'a') => self.go(column + n),
            ([], 'D' | 'j') => self.column = column.saturating_sub(n),
            ([], 'E') => {
                self.go_row(row + n);
                self.column = 0;
            }
            ([], 'F') => (self.row, self.column) = (row.saturating_sub(n), 0),
            ([], 'G' | '`') => self.go(n - 1),
            ([], 'H' | 'f') => {
                self.go_row(n - 1);
                self.go(second - 1);
            }
            ([], 'd') => self.go_row(n - 1),
            ([], 'I') => {
                for _ in 0..n.min(REACH / STOP) {
                    self.tab();
                }
            }
            ([], 'Z') => self.column = (column.div_ceil(STOP)).saturating_sub(n) * STOP,
            ([] | b"?", 'J') => self.erase_display(first),
            ([] | b"?", 'K') => self.line().erase(column, first),
            ([], 'X') => self.line().blank(column, n),
            ([], 'P') => self.line().delete(column, n),
            ([], '@') => {
                let most = n.min(self.blanks).min(REACH);
                self.blanks -= most;
                self.line().insert(column, most);
            }
            ([], 'b') => {
                if let Some(c) = self.last {
                    let most = n.min(self.blanks).min(REACH);
                    self.blanks -= most;
                    for _ in 0..most {
                        self.put(c, c.width().unwrap_or(1).max(1));
                    }
                }
            }
            ([], 's') => self.save(),
            ([], 'u') => self.restore(),
            _ => {
                self.change.csi(params, between, action);
                self.restyle();
            }
        }
    }

    fn esc_dispatch(&mut self, between: &[u8], _: bool, byte: u8) {
        match (between, byte) {
            ([], b'D') => self.execute(0x0b),
            ([], b'E') => self.execute(b'\n'),
            ([], b'M') => self.row = self.row.saturating_sub(1),
            ([], b'7') => self.save(),
            ([], b'8') => self.restore(),
            ([], b'c') => {
                self.change.reset();
                (self.drawing, self.shift, self.link) = ([false; 2], 0, 0);
                self.restyle();
                self.erase_display(2);
                (self.row, self.column) = (0, 0);
            }
            (b"(", set) => self.drawing[0] = set == b'0',
            (b")", set) => self.drawing[1] = set == b'0',
            _ => {}
        }
    }
}

/// The terminal's set of characters for drawing lines.
fn drawn(c: char) -> char {
    const DRAWN: [char; 31] = [
        '◆', '▒', '␉', '␌', '␍', '␊', '°', '±', '␤', '␋', '┘', '┐', '┌', '└', '┼', '⎺', '⎻', '─',
        '⎼', '⎽', '├', '┤', '┴', '┬', '│', '≤', '≥', 'π', '≠', '£', '·',
    ];
    let at = (c as usize).checked_sub('`' as usize);
    at.and_then(|at| DRAWN.get(at)).copied().unwrap_or(c)
}
