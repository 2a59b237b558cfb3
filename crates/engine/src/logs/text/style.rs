//! How text looks: select graphic rendition, as ECMA-48 and xterm have it.

use vte::{Params, ParamsIter, Perform};

/// A colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Colour {
    /// The terminal's own.
    #[default]
    Own,
    /// One of the terminal's sixteen.
    Palette(u8),
    /// Red, green and blue.
    Rgb(u8, u8, u8),
}

impl Colour {
    /// As spans have it: a number of the palette, or `#rrggbb`.
    #[must_use]
    pub fn word(self) -> Option<String> {
        match self {
            Colour::Own => None,
            Colour::Palette(n) => Some(n.to_string()),
            Colour::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        }
    }

    /// One of the 256 colours: the first 16 are the terminal's own, then a cube, then greys.
    fn indexed(n: u16) -> Option<Colour> {
        let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
        let n = u8::try_from(n).ok()?;
        Some(match n {
            0..=15 => Colour::Palette(n),
            16..=231 => {
                let n = n - 16;
                Colour::Rgb(level(n / 36), level(n / 6 % 6), level(n % 6))
            }
            232..=255 => {
                let grey = 8 + 10 * (n - 232);
                Colour::Rgb(grey, grey, grey)
            }
        })
    }

    fn rgb(r: u16, g: u16, b: u16) -> Option<Colour> {
        let part = |n: u16| u8::try_from(n).ok();
        Some(Colour::Rgb(part(r)?, part(g)?, part(b)?))
    }
}

const BOLD: u8 = 1 << 0;
const DIM: u8 = 1 << 1;
const ITALIC: u8 = 1 << 2;
const UNDERLINE: u8 = 1 << 3;
const STRUCK: u8 = 1 << 4;
const INVERSE: u8 = 1 << 5;
const OVERLINE: u8 = 1 << 6;
/// Beside the marks, the colours of the text and behind it.
const FG: u16 = 1 << 8;
const BG: u16 = 1 << 9;
const EVERYTHING: u16 = 0x7f | FG | BG;

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Style {
    /// The colour of the text.
    pub fg: Colour,
    /// The colour behind it.
    pub bg: Colour,
    marks: u8,
}

impl Style {
    /// As spans have it.
    #[must_use]
    pub fn letters(self) -> String {
        let all = [
            (BOLD, 'b'),
            (DIM, 'd'),
            (ITALIC, 'i'),
            (UNDERLINE, 'u'),
            (STRUCK, 's'),
            (INVERSE, 'r'),
            (OVERLINE, 'o'),
        ];
        all.into_iter()
            .filter_map(|(mark, letter)| (self.marks & mark != 0).then_some(letter))
            .collect()
    }
}

/// What a text does to the look of what follows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What it sets, and to what.
    pub style: Style,
    set: u16,
}

impl Change {
    /// One that sets everything.
    #[must_use]
    pub fn to(style: Style) -> Change {
        Change { style, set: EVERYTHING }
    }

    /// Whether what was before makes no difference any more.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.set == EVERYTHING
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_none(self) -> bool {
        self.set == 0
    }

    /// This one after an earlier one.
    #[must_use]
    pub fn after(self, earlier: Change) -> Change {
        let marks = (self.set & 0x7f) as u8;
        let colour = |bit, here, before| if self.set & bit != 0 { here } else { before };
        Change {
            style: Style {
                fg: colour(FG, self.style.fg, earlier.style.fg),
                bg: colour(BG, self.style.bg, earlier.style.bg),
                marks: (self.style.marks & marks) | (earlier.style.marks & !marks),
            },
            set: self.set | earlier.set,
        }
    }

    fn put(&mut self, marks: u8, on: bool) {
        self.style.marks = if on { self.style.marks | marks } else { self.style.marks & !marks };
        self.set |= u16::from(marks);
    }

    fn colour(&mut self, behind: bool, colour: Option<Colour>) {
        // One that does not exist changes nothing.
        let Some(colour) = colour else { return };
        if behind {
            self.style.bg = colour;
            self.set |= BG;
        } else {
            self.style.fg = colour;
            self.set |= FG;
        }
    }

    /// Everything as it was at first.
    pub fn reset(&mut self) {
        *self = Change::to(Style::default());
    }

    /// Select graphic rendition.
    pub fn sgr(&mut self, params: &Params) {
        let mut groups = params.iter();
        while let Some(group) = groups.next() {
            match *group {
                [0] => self.reset(),
                [1] => self.put(BOLD, true),
                [2] => self.put(DIM, true),
                [3] => self.put(ITALIC, true),
                [4, 0] | [24] => self.put(UNDERLINE, false),
                // However the line is drawn: twice, curly, dotted, dashed.
                [4] | [4, 1..=5] | [21] => self.put(UNDERLINE, true),
                [7] => self.put(INVERSE, true),
                [9] => self.put(STRUCK, true),
                [22] => self.put(BOLD | DIM, false),
                [23] => self.put(ITALIC, false),
                [27] => self.put(INVERSE, false),
                [29] => self.put(STRUCK, false),
                [n @ 30..=37] => self.colour(false, Colour::indexed(n - 30)),
                [n @ 90..=97] => self.colour(false, Colour::indexed(n - 90 + 8)),
                [39] => self.colour(false, Some(Colour::Own)),
                [n @ 40..=47] => self.colour(true, Colour::indexed(n - 40)),
                [n @ 100..=107] => self.colour(true, Colour::indexed(n - 100 + 8)),
                [49] => self.colour(true, Some(Colour::Own)),
                [53] => self.put(OVERLINE, true),
                [55] => self.put(OVERLINE, false),
                // 58 is the colour of the underline alone, which is drawn in that of the text.
                [of @ (38 | 48 | 58), ref rest @ ..] => {
                    let colour = if rest.is_empty() { listed(&mut groups) } else { nested(rest) };
                    if of != 58 {
                        self.colour(of == 48, colour);
                    }
                }
                _ => {}
            }
        }
    }

    /// A control sequence, where it changes the look.
    pub fn csi(&mut self, params: &Params, between: &[u8], action: char) {
        match (between, action) {
            ([], 'm') => self.sgr(params),
            // The terminal's soft reset.
            (b"!", 'p') => self.reset(),
            _ => {}
        }
    }
}

/// A colour as sub-parameters: `5:n`, `2:r:g:b`, or with the colour space that nobody has in between.
fn nested(parts: &[u16]) -> Option<Colour> {
    match *parts {
        [5, n, ..] => Colour::indexed(n),
        [2, r, g, b] | [2, _, r, g, b, ..] => Colour::rgb(r, g, b),
        _ => None,
    }
}

/// A colour as parameters of their own, which are taken whether they name one or not.
fn listed(groups: &mut ParamsIter<'_>) -> Option<Colour> {
    let kind = groups.next()?;
    let mut next = || groups.next().and_then(|group| group.first().copied());
    match *kind {
        [5] => Colour::indexed(next()?),
        [2] => {
            let (r, g, b) = (next(), next(), next());
            Colour::rgb(r?, g?, b?)
        }
        // Cyan, magenta, yellow, and black: nobody draws them.
        [n @ (3 | 4)] => {
            for _ in 0..n {
                next();
            }
            None
        }
        [_] | [] => None,
        _ => nested(kind),
    }
}

/// Follows the look alone, through text that nobody sees.
#[derive(Debug, Default)]
pub(super) struct Following {
    pub(super) now: Change,
    saved: Option<Change>,
}

impl Perform for Following {
    fn csi_dispatch(&mut self, params: &Params, between: &[u8], _: bool, action: char) {
        self.now.csi(params, between, action);
    }

    fn esc_dispatch(&mut self, between: &[u8], _: bool, byte: u8) {
        match (between, byte) {
            ([], b'7') => self.saved = Some(self.now),
            ([], b'8') => self.now = self.saved.unwrap_or(self.now),
            ([], b'c') => self.now.reset(),
            _ => {}
        }
    }
}
