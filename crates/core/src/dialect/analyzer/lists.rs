//! Which lists of which queues are worth reading: the server counts the jobs of its queues, and a
//! list is read when the counts say that it can have changed.

use std::collections::{BTreeMap, VecDeque};

/// The lists a queue is read by. The first is the server's default: waiting and active.
pub(super) const LISTS: [&str; 4] = ["", "completed", "failed", "delayed"];

/// At most this many changed lists are read after one look at the counts: the server takes 100
/// requests a minute, and a look comes every 3 s while polling.
const LISTS_PER_LOOK: usize = 4;

/// Further queues than these are shown by their counts, but their lists are not read.
const MOST_QUEUES: usize = 1_000;

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
}

impl Lists {
    /// Everything is to be read again.
    pub(super) fn forget(&mut self) {
        self.read.clear();
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

    /// The due lists whose turn it is. They stay due until they have been read.
    pub(super) fn turn(&mut self) -> Vec<(String, &'static str)> {
        let count = self.due.len().min(LISTS_PER_LOOK);
        self.due.rotate_left(count);
        self.due.iter().skip(self.due.len() - count).cloned().collect()
    }

    /// A list has been read, or never will be.
    pub(super) fn done(&mut self, queue: &str, list: &str) {
        self.due.retain(|(due, name)| due != queue || *name != list);
    }
}
