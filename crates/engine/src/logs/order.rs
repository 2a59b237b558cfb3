//! In which order lines are read: they are stored as they came, and a line that came late has its
//! place further up.

/// Lines that stand one after another in the file and in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where it begins in the log.
    pub at: u64,
    /// Number of its first line in the order of storing.
    pub first: u64,
    /// How many lines it has.
    pub len: u64,
}

/// Beyond so many runs lines are kept in the order in which they came: a server whose clocks run
/// wild must not fill the memory.
const MAX_RUNS: usize = 1 << 20;

/// The order of one log. Numbers of lines in the order of storing are called `stored` here, those in
/// the order of reading `row`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    runs: Vec<Run>,
}

impl Order {
    /// Lines in all.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.at + run.len)
    }

    /// Whether there is no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The runs, in the order of reading.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Puts `count` lines from `stored` on at the end.
    pub fn append(&mut self, stored: u64, count: u64) {
        if count == 0 {
            return;
        }
        let at = self.len();
        match self.runs.last_mut() {
            Some(run) if run.first + run.len == stored => run.len += count,
            _ => self.runs.push(Run { at, first: stored, len: count }),
        }
    }

    /// Puts the lines from `stored` on, one for each of `rows`, before the rows named: numbers of
    /// the order as it was, in ascending order. Lines before the same row keep their order.
    pub fn insert(&mut self, stored: u64, rows: &[u64]) {
        let total = self.len();
        if self.runs.len() + 2 * rows.len() > MAX_RUNS {
            self.append(stored, rows.len() as u64);
            return;
        }
        let Some(first) = rows.iter().copied().find(|row| *row < total) else {
            self.append(stored, rows.len() as u64);
            return;
        };
        // Everything before the first place stays as it is.
        let keep = self.runs.partition_point(|run| run.at + run.len <= first);
        let tail = self.runs.split_off(keep);
        let mut new = rows.iter().copied().zip(stored..).peekable();
        for run in tail {
            let mut from = run.at;
            let end = run.at + run.len;
            while let Some((row, line)) = new.next_if(|(row, _)| *row < end) {
                let row = row.max(from);
                self.append(run.first + (from - run.at), row - from);
                self.append(line, 1);
                from = row;
            }
            self.append(run.first + (from - run.at), end - from);
        }
        for (_, line) in new {
            self.append(line, 1);
        }
    }

    /// The line at a row.
    #[must_use]
    pub fn stored(&self, row: u64) -> Option<u64> {
        let run = &self.runs[self.runs.partition_point(|run| run.at + run.len <= row)..];
        run.first().map(|run| run.first + (row - run.at))
    }

    /// Where a line is; `None` when it is not in the log any more. Costs a look at every run.
    #[must_use]
    pub fn row(&self, stored: u64) -> Option<u64> {
        let run = self
            .runs
            .iter()
            .rev()
            .find(|run| (run.first..run.first + run.len).contains(&stored))?;
        Some(run.at + (stored - run.first))
    }

    /// The stretches of stored lines that make up `count` rows from `row` on.
    pub fn stretches(&self, row: u64, count: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let end = row.saturating_add(count).min(self.len());
        let from = self.runs.partition_point(|run| run.at + run.len <= row);
        self.runs[from..].iter().take_while(move |run| run.at < end).map(move |run| {
            let begin = run.at.max(row);
            let stop = (run.at + run.len).min(end);
            (run.first + (begin - run.at), stop - begin)
        })
    }

    /// Drops all lines but those of these ranges of stored numbers, which ascend; answers how many
    /// were dropped.
    pub fn keep(&mut self, ranges: &[(u64, u64)]) -> u64 {
        let before = self.len();
        for run in std::mem::take(&mut self.runs) {
            for (first, end) in ranges {
                let from = run.first.max(*first);
                let to = (run.first + run.len).min(*end);
                self.append(from, to.saturating_sub(from));
            }
        }
        before - self.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(order: &Order) -> Vec<u64> {
        (0..order.len()).map(|row| order.stored(row).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn lines_are_where_a_plain_list_would_have_them(
            steps in proptest::collection::vec(
                proptest::collection::vec(0u64..200, 0..12), 0..40
            ),
            looks in proptest::collection::vec((0u64..220, 0u64..50), 0..10),
            forgotten in 0u64..300,
        ) {
            let (mut order, mut plain) = (Order::default(), Vec::new());
            let mut stored = 0;
            for mut rows in steps {
                rows.sort_unstable();
                let before = plain.len() as u64;
                for row in &mut rows {
                    *row = (*row).min(before);
                }
                order.insert(stored, &rows);
                for (nth, row) in rows.iter().enumerate() {
                    plain.insert(usize::try_from(*row).unwrap() + nth, stored);
                    stored += 1;
                }
            }
            prop_assert_eq!(all(&order), plain.clone());
            prop_assert!(order.runs().iter().all(|run| run.len > 0));
            for (row, count) in looks {
                let seen: Vec<u64> = order
                    .stretches(row, count)
                    .flat_map(|(first, len)| first..first + len)
                    .collect();
                let of = plain.iter().skip(usize::try_from(row).unwrap());
                let expected: Vec<u64> = of.take(usize::try_from(count).unwrap()).copied().collect();
                prop_assert_eq!(seen, expected);
            }
            for (row, line) in plain.iter().enumerate() {
                prop_assert_eq!(order.row(*line), Some(row as u64));
            }
            let gone = order.keep(&[(10, 20), (forgotten.max(20), u64::MAX)]);
            let before = plain.len() as u64;
            plain.retain(|line| (10..20).contains(line) || *line >= forgotten.max(20));
            prop_assert_eq!(gone, before - plain.len() as u64);
            prop_assert_eq!(all(&order), plain);
        }
    }

    #[test]
    fn what_comes_in_order_is_one_run() {
        let mut order = Order::default();
        order.append(0, 5);
        order.insert(5, &[5, 5, 5]);
        assert_eq!(order.runs().len(), 1);
        order.insert(8, &[0, 0]);
        assert_eq!(all(&order), [8, 9, 0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(order.runs().len(), 2);
    }
}
