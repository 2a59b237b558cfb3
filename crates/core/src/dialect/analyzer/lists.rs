//! Which lists of which queues are worth reading: the server counts the jobs of its queues, and a
//! list is read when the counts say that it can have changed.
//!
//! A list is read to its end, in stretches. The shipped server gives 100 rows at most, of the default
//! list 51 of each kind, and adds an offset to the limit as text: what begins at row 51 with the limit
//! 10 ends with row 5109. So a second stretch is usually the last, and its limit is small, since an
//! answer of everything could be larger than anybody reads.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

/// The lists a queue is read by. The first is the server's default: waiting and active.
pub(super) const LISTS: [&str; 4] = ["", "completed", "failed", "delayed"];

/// At most this many changed lists are read after one look at the counts: the server takes 100
/// requests a minute, and a look comes every 3 s while polling.
const LISTS_PER_LOOK: usize = 4;

/// Rows asked for at first; the shipped server gives half of them.
const LIMIT: usize = 200;

/// The rows of a page where a server does not say how many it gives.
const SHIPPED: usize = 100;

/// Rows asked for behind the first, before it is known how the server adds.
const STEP: usize = 10;

/// Rows read again of those that came before: some of them have ended meanwhile, so that the others
/// have moved up.
const OVERLAP: usize = 10;

/// At most about so many rows of a list are read.
const MOST_ROWS: usize = 5_000;

/// Further queues than these are shown by their counts, but their lists are not read.
pub(super) const MOST_QUEUES: usize = 1_000;

/// How many jobs of a queue stand where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) waiting: u64,
    pub(super) active: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
}

/// What has been read of the queues on this link.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// The counts of each queue at the last look.
    read: BTreeMap<String, Counts>,
    /// Lists that have changed and have not been read since, in turn.
    due: VecDeque<(String, &'static str)>,
    /// Whether there were further queues than are read.
    crowded: bool,
}

impl Lists {
    /// Everything is to be read again.
    pub(super) fn forget(&mut self) {
        self.read.clear();
        self.crowded = false;
    }

    /// The jobs of a queue as they were last counted.
    pub(super) fn counts(&self, queue: &str) -> Option<Counts> {
        self.read.get(queue).copied()
    }

    /// Whether there are further queues, whose lists are not read.
    pub(super) fn crowded(&self) -> bool {
        self.crowded
    }

    /// Whether lists of open jobs have changed that are none of these, of one queue or of all.
    pub(super) fn is_due_besides(
        &self,
        turn: &[(String, &'static str)],
        only: Option<&str>,
    ) -> bool {
        let open = |list: &str| list != "completed" && list != "failed";
        self.due
            .iter()
            .filter(|(queue, _)| only.is_none_or(|only| queue == only))
            .any(|due| open(due.1) && !turn.contains(due))
    }

    /// The queues heard of.
    pub(super) fn queues(&self) -> impl Iterator<Item = &str> {
        self.read.keys().map(String::as_str)
    }

    /// Notes the counts of a queue and which of its lists have changed; gives the lists to be read
    /// at once because the queue has not been read on this link.
    pub(super) fn look(
        &mut self,
        queue: &str,
        counts: Counts,
        with_default: bool,
    ) -> Vec<&'static str> {
        if self.read.len() >= MOST_QUEUES && !self.read.contains_key(queue) {
            self.crowded = true;
            return Vec::new();
        }
        let before = self.read.insert(queue.to_owned(), counts);
        let busy = |counts: &Counts| counts.waiting + counts.active > 0;
        let first = before.is_none();
        let before = before.unwrap_or_default();
        let moved = first || before != counts;
        let was_busy = busy(&before) || busy(&counts);
        // The server keeps only the last finished jobs, so a full list changes without its count.
        let full = |count: u64| count >= 50 && was_busy;
        let changed = [
            with_default && (moved || was_busy),
            first || before.completed != counts.completed || full(counts.completed),
            first || before.failed != counts.failed || full(counts.failed),
            // Delayed jobs are never counted.
            moved,
        ];
        let mut at_once = Vec::new();
        for (list, _) in LISTS.into_iter().zip(changed).filter(|(_, changed)| *changed) {
            let due = (queue.to_owned(), list);
            if self.due.len() < MOST_QUEUES * LISTS.len() && !self.due.contains(&due) {
                self.due.push_back(due);
            }
            if first {
                at_once.push(list);
            }
        }
        at_once
    }

    /// The due lists whose turn it is, of one queue or of all. They stay due until they have been
    /// read.
    pub(super) fn turn(&mut self, only: Option<&str>) -> Vec<(String, &'static str)> {
        let wanted = |due: &(String, &str)| only.is_none_or(|only| due.0 == only);
        let (mut turn, mut others): (Vec<_>, VecDeque<_>) =
            (Vec::new(), VecDeque::with_capacity(self.due.len()));
        for due in std::mem::take(&mut self.due) {
            if turn.len() < LISTS_PER_LOOK && wanted(&due) {
                turn.push(due);
            } else {
                others.push_back(due);
            }
        }
        others.extend(turn.iter().cloned());
        self.due = others;
        turn
    }

    /// A list has been read, or never will be.
    pub(super) fn done(&mut self, queue: &str, list: &str) {
        self.due.retain(|(due, name)| due != queue || *name != list);
    }
}

/// Finished jobs of one list that are remembered, the newest.
const NEWEST: usize = 10;

/// A server that keeps only the last finished jobs keeps at least so many.
const KEPT: usize = 50;

/// The finished jobs of each list as they were last read. The server keeps only the last ones: where
/// none of those is left, others may have come and gone between two looks.
#[derive(Debug, Default)]
pub(super) struct Finished {
    all: BTreeMap<(String, String), Newest>,
}

#[derive(Debug, Default)]
struct Newest {
    before: Vec<String>,
    /// The same of the look under way, whether it has shown one of those, and its rows.
    now: Vec<String>,
    joined: bool,
    rows: usize,
}

impl Finished {
    /// Takes in the finished jobs of a stretch, with the time of their end. After the last, answers
    /// how many there were where more may have come and gone.
    pub(super) fn read(
        &mut self,
        queue: &str,
        stretch: &Stretch,
        mut jobs: Vec<(Option<Timestamp>, String)>,
        last: bool,
    ) -> Option<usize> {
        let name = (queue.to_owned(), stretch.list.clone());
        if self.all.len() >= MOST_QUEUES && !self.all.contains_key(&name) {
            return None;
        }
        let newest = self.all.entry(name).or_default();
        if stretch.from == 0 {
            (newest.joined, newest.rows) = (false, 0);
        }
        newest.rows += jobs.len();
        newest.joined |= jobs.iter().any(|(_, id)| newest.before.contains(id));
        if stretch.from == 0 {
            jobs.sort_unstable_by(|a, b| b.cmp(a));
            newest.now = jobs.into_iter().take(NEWEST).map(|(_, id)| id).collect();
        }
        if !last {
            return None;
        }
        let lost = !newest.before.is_empty() && !newest.joined && newest.rows >= KEPT;
        newest.before = std::mem::take(&mut newest.now);
        lost.then_some(newest.rows)
    }
}

/// Some rows of one list, one after another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stretch {
    /// The list: `waiting`, `active`, `completed`, `failed` or `delayed`; of what is under way where
    /// empty.
    pub list: String,
    /// The first row.
    pub from: usize,
    /// How many rows at most.
    pub limit: usize,
}

/// What is left of a list when a stretch of it has been read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    More(Vec<Stretch>),
    /// More than is read: how many were, and what those jobs are doing, unless they have ended.
    TooMuch(usize, Option<&'static str>),
}

impl Stretch {
    /// The beginning of a list.
    pub(super) fn first(list: &str) -> Stretch {
        Stretch { list: list.to_owned(), from: 0, limit: LIMIT }
    }

    /// What is left after an answer of so many rows, of which so many run. `said` is the limit by
    /// which the server says it went.
    pub(super) fn left(
        &self,
        rows: usize,
        running: usize,
        said: Option<usize>,
        counts: Option<Counts>,
    ) -> Left {
        let limit = self.limit.min(said.unwrap_or(SHIPPED).max(1));
        let counted = |count: fn(&Counts) -> u64, seen: usize| {
            counts.as_ref().is_none_or(|counts| count(counts) > seen as u64)
        };
        let behind = |list: &str, seen: usize| Stretch {
            list: list.to_owned(),
            from: seen.saturating_sub(OVERLAP),
            limit: STEP,
        };
        if self.list.is_empty() {
            // The first half of each kind, and one.
            let cut = |seen: usize| seen > limit / 2 || rows >= limit;
            let waiting = rows - running;
            let kinds = [
                ("waiting", waiting, cut(waiting) && counted(|counts| counts.waiting, waiting)),
                ("active", running, cut(running) && counted(|counts| counts.active, running)),
            ];
            let more: Vec<Stretch> = kinds
                .into_iter()
                .filter(|(_, _, more)| *more)
                .map(|(list, seen, _)| behind(list, seen))
                .collect();
            return if more.is_empty() { Left::Nothing } else { Left::More(more) };
        }
        let end = self.from + rows;
        let (full, doing) = match self.list.as_str() {
            "waiting" => (counted(|counts| counts.waiting, end), Some("waiting")),
            "active" => (counted(|counts| counts.active, end), Some("active")),
            "completed" => (counted(|counts| counts.completed, end), None),
            "failed" => (counted(|counts| counts.failed, end), None),
            _ => (true, Some("delayed")),
        };
        if rows < limit || !full {
            Left::Nothing
        } else if rows > limit && self.from == 0 {
            // More than was asked for: all that it has, where it has not counted more.
            let counted = counts.is_some() && doing != Some("delayed");
            if counted { Left::TooMuch(end, doing) } else { Left::Nothing }
        } else if rows > limit {
            // Added as text, which reaches further than the bound.
            let last = format!("{}{limit}", self.from).parse().unwrap_or(usize::MAX);
            if end < last { Left::Nothing } else { Left::TooMuch(end, doing) }
        } else if end >= MOST_ROWS {
            Left::TooMuch(end, doing)
        } else if self.from == 0 && rows > OVERLAP {
            Left::More(vec![behind(&self.list, rows)])
        } else {
            Left::More(vec![Stretch { list: self.list.clone(), from: end, limit: LIMIT }])
        }
    }
}
