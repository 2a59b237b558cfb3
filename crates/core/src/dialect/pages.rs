//! Reading a log that is served by place: from where it was read to, noticing when it moved.
//!
//! A server may keep only the newest lines, so that the same place holds another line at the next
//! look; it may get a late line in between; and a new attempt may begin a new log. So each look
//! begins a few lines before the known end, and compares.

use std::collections::{HashMap, HashSet, VecDeque};

use jiff::Timestamp;

use crate::log::LogLine;

/// Known lines that a look reads again.
const OVERLAP: u64 = 50;
/// Newest lines of one log that are remembered.
const TAIL: usize = 1_000;
/// Logs that are remembered; of more, the longest unread are read from the beginning again.
const LOGS: usize = 500;

/// What a request of a look is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// The first of a look that goes on from the known end.
    Look,
    /// The log has moved: from the first line that is remembered.
    Back,
    /// From the beginning.
    All,
    /// From the beginning, since nothing that is remembered was found again.
    Lost,
    /// The page after the one before.
    Next,
}

/// A page of a log.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The place of its first line.
    pub offset: u64,
    /// What tells each line from others; see [`print`].
    pub prints: Vec<u64>,
    /// The time of the first and of the last line, where they have one.
    pub times: Option<(Timestamp, Timestamp)>,
    /// How many lines the server counts.
    pub total: Option<u64>,
    /// Its first line is the first that was ever written.
    pub begins: bool,
}

/// What a page means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It joins what is known.
    Joined,
    /// It does not: read from this place, where its lines come again, in order.
    Elsewhere(u64, Way),
    /// It is the page before once more: the server does not look at places.
    Again,
}

/// How far one log has been read.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// One beyond the place of the last line.
    end: u64,
    /// The newest lines, the last of them at `end - 1`.
    tail: VecDeque<u64>,
    total: Option<u64>,
    last: Option<Timestamp>,
    lost: Option<Lost>,
}

/// Nothing of what was remembered has been found again so far.
#[derive(Debug)]
struct Lost {
    tail: HashSet<u64>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Cursor {
    /// Where the next look begins, and how.
    pub fn next(&self) -> (u64, Way) {
        match self.tail.len() as u64 {
            0 => (0, Way::All),
            known => match self.end.saturating_sub(known.min(OVERLAP)) {
                // All of it is read again, and compared.
                0 => (0, Way::Back),
                offset => (offset, Way::Look),
            },
        }
    }

    /// Takes a page in.
    pub fn read(&mut self, way: Way, page: &Page) -> Found {
        let found = match way {
            Way::Next => self.next_page(page),
            Way::All => {
                self.begin_anew(page);
                Found::Joined
            }
            Way::Lost => self.search(page),
            Way::Look | Way::Back => self.compare(way, page),
        };
        if found == Found::Joined {
            self.total = page.total.or(self.total);
            self.last = page.times.map(|(_, last)| last).or(self.last);
            if let Some(lost) = &self.lost
                && page.prints.iter().any(|print| lost.tail.contains(print))
            {
                self.lost = None;
            }
        }
        found
    }

    /// The look is over: between which times lines are missing, if they are.
    pub fn over(&mut self) -> Option<(Timestamp, Timestamp)> {
        let lost = self.lost.take()?;
        lost.from.zip(lost.to).filter(|(from, to)| from <= to)
    }

    fn push(&mut self, prints: &[u64]) {
        self.tail.extend(prints);
        self.end += prints.len() as u64;
        // What the server has dropped has no place any more.
        let most = TAIL.min(usize::try_from(self.end).unwrap_or(TAIL));
        let excess = self.tail.len().saturating_sub(most);
        self.tail.drain(..excess);
    }

    fn begin_anew(&mut self, page: &Page) {
        self.tail.clear();
        self.end = page.offset;
        self.push(&page.prints);
    }

    fn next_page(&mut self, page: &Page) -> Found {
        let many = page.prints.len();
        let before = self.tail.len().checked_sub(many).map(|from| self.tail.range(from..));
        // Lines that nothing tells apart may well repeat.
        let varied = page.prints.windows(2).any(|pair| pair[0] != pair[1]);
        if varied && before.is_some_and(|before| before.eq(page.prints.iter())) {
            return Found::Again;
        }
        self.end = page.offset;
        self.push(&page.prints);
        Found::Joined
    }

    /// From the beginning, after nothing was found again.
    fn search(&mut self, page: &Page) -> Found {
        let tail: HashSet<u64> = self.tail.iter().copied().collect();
        // A shorter log, or one whose first line is here, is another: nothing is missing between.
        let shrank = page.total.zip(self.total).is_some_and(|(now, before)| now < before);
        if !tail.is_empty() && !page.prints.is_empty() && !shrank && !page.begins {
            let to = page.times.map(|(first, _)| first);
            self.lost = Some(Lost { tail, from: self.last, to });
        }
        self.begin_anew(page);
        Found::Joined
    }

    /// Compares a page with what is known to be there.
    fn compare(&mut self, way: Way, page: &Page) -> Found {
        let start = self.end - self.tail.len() as u64;
        let further = || match way {
            Way::Look if start < page.offset => Found::Elsewhere(start, Way::Back),
            _ => Found::Elsewhere(0, Way::Lost),
        };
        let Some(first) = page.prints.first() else {
            // The log is shorter than it was.
            if page.offset == 0 {
                self.begin_anew(page);
                return Found::Joined;
            }
            return further();
        };
        let known = usize::try_from(page.offset.saturating_sub(start)).unwrap_or(usize::MAX);
        let expected = self.tail.iter().skip(known);
        let unmoved = page.offset >= start
            && page.prints.iter().zip(expected).all(|(here, there)| here == there);
        if unmoved {
            let overlap = self.tail.len().saturating_sub(known);
            if let Some(new) = page.prints.get(overlap..) {
                self.push(new);
            }
            return Found::Joined;
        }
        match self.tail.iter().rposition(|print| print == first) {
            // What stood before it has been dropped by the server.
            Some(at) if start + at as u64 >= page.offset => {
                self.tail.truncate(at);
                self.end = page.offset;
                self.push(&page.prints);
                Found::Joined
            }
            // Lines were put in before this page.
            Some(_) if way == Way::Back && page.offset > 0 => Found::Elsewhere(0, Way::All),
            Some(_) if page.offset > 0 => further(),
            _ if page.prints.iter().any(|print| self.tail.contains(print)) => {
                if page.offset == 0 {
                    // All of it is here.
                    self.begin_anew(page);
                    return Found::Joined;
                }
                match further() {
                    Found::Elsewhere(0, _) => Found::Elsewhere(0, Way::All),
                    found => found,
                }
            }
            _ if page.offset == 0 => self.search(page),
            _ => further(),
        }
    }
}

/// What is remembered of the logs that were read lately.
#[derive(Debug)]
pub(super) struct Lately<T> {
    all: HashMap<String, (u64, T)>,
    uses: u64,
}

impl<T> Default for Lately<T> {
    fn default() -> Lately<T> {
        Lately { all: HashMap::new(), uses: 0 }
    }
}

impl<T: Default> Lately<T> {
    pub fn get(&self, log: &str) -> Option<&T> {
        self.all.get(log).map(|(_, what)| what)
    }

    /// What is remembered of a log, begun where that is nothing.
    pub fn of(&mut self, log: &str) -> &mut T {
        if !self.all.contains_key(log)
            && self.all.len() >= LOGS
            && let Some(oldest) =
                self.all.iter().min_by_key(|(_, (used, _))| *used).map(|(log, _)| log.clone())
        {
            self.all.remove(&oldest);
        }
        self.uses += 1;
        let (used, what) = self.all.entry(log.to_owned()).or_default();
        *used = self.uses;
        what
    }

    pub fn forget(&mut self, log: &str) {
        self.all.remove(log);
    }
}

/// The newest lines of a log that is served by nothing else.
#[derive(Debug, Default)]
pub(super) struct Newest {
    tail: HashSet<u64>,
    last: Option<Timestamp>,
    /// How many lines the server gave when more than these were asked for.
    had: Option<u64>,
    /// What came before the first that was given is not known.
    pub short: bool,
}

/// What the newest lines are to those known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joined {
    /// They join them.
    Yes,
    /// More lines must be asked for.
    Ask,
    /// The server gives no more, and lines between these times are missing; from
    /// [`Timestamp::MIN`] where nothing was known before.
    Gap(Option<(Timestamp, Timestamp)>),
}

impl Newest {
    /// Takes the newest lines in: as many as were asked for, where `full`. `more` may be asked for.
    pub fn read(&mut self, page: &Page, full: bool, more: bool) -> Joined {
        let given = page.prints.len() as u64;
        let known = !self.tail.is_empty();
        let joins = page.prints.iter().any(|print| self.tail.contains(print));
        let capped = self.had.is_some_and(|had| given <= had);
        let whole = !full && !capped;
        if !joins && !whole && !capped && more {
            self.had = Some(given);
            return Joined::Ask;
        }
        let last = std::mem::replace(&mut self.last, page.times.map(|(_, last)| last));
        self.had = None;
        self.tail.clear();
        let newest = page.prints.len().saturating_sub(TAIL);
        self.tail.extend(&page.prints[newest..]);
        if whole {
            self.short = false;
        }
        if joins || whole {
            return Joined::Yes;
        }
        self.short |= !known;
        let first = page.times.map(|(first, _)| first);
        let last = if known { last } else { Some(Timestamp::MIN) };
        Joined::Gap(last.zip(first).filter(|(last, first)| last < first))
    }
}

/// What tells a line from others of its log.
pub(super) fn print(id: Option<&str>, line: &LogLine<'_>) -> u64 {
    let id = id.unwrap_or_default().bytes();
    let at = line.at.map_or(0, |at| at.as_nanosecond()).to_le_bytes();
    let all = id.chain([0xff]).chain(at).chain(line.text.bytes());
    // FNV-1a.
    all.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
