//! The order of one list of jobs: filtered, sorted, and kept so while jobs change.
//!
//! A change moves one number inside a sorted list. After many changes at once the list is made
//! anew, and then not again before some multiple of what that cost has passed, so that a hundred
//! thousand busy jobs leave the engine time for everything else.

use std::time::{Duration, Instant};

use jobwatch_core::model::{Job, JobState};

use super::catalogue::{Catalogue, Entry};
use super::{Counts, JobSort, StateKind};
use crate::driver::Slot;

/// More changes than this at once, and the list is made anew.
const MANY: usize = 512;
/// After a remaking that took this long, the next waits for `PACE` times as long.
const PACE: u32 = 8;

/// Which jobs, in which order.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Of one server; `Some(None)` for a server that is not there.
    pub slot: Option<Option<Slot>>,
    /// Of one queue.
    pub queue: Option<String>,
    /// In one of these states; empty for any.
    pub states: Vec<StateKind>,
    /// Holding this text, in lower case.
    pub search: String,
    /// The order.
    pub sort: JobSort,
}

impl Filter {
    /// Whether a job passes, its state aside.
    fn admits(&self, entry: &Entry) -> bool {
        let job = &entry.job;
        if self.slot.is_some_and(|slot| slot != Some(entry.slot)) {
            return false;
        }
        if self.queue.is_some() && self.queue != job.queue {
            return false;
        }
        if self.search.is_empty() {
            return true;
        }
        let needle = self.search.as_str();
        let optional = [&job.name, &job.queue, &job.message, &job.error, &job.external_id];
        holds(job.id.as_str(), needle)
            || optional.into_iter().flatten().any(|text| holds(text, needle))
    }

    fn key(&self, job: &Job) -> Key {
        let millisecond = |at: Option<jiff::Timestamp>| at.map(|at| at.as_millisecond());
        let mut key = Key { rank: 0, number: 0, text: "".into() };
        match self.sort {
            JobSort::Activity => {
                let running = job.state == JobState::Running;
                key.rank = u8::from(!running);
                // Running jobs change all the time: by their start they keep their places.
                let at = if running {
                    job.started_at.or(job.created_at)
                } else {
                    job.finished_at.or(job.updated_at).or(job.started_at).or(job.created_at)
                };
                key.number = -at.unwrap_or(job.heard_at).as_millisecond();
            }
            JobSort::Created => {
                let created = millisecond(job.created_at.or(job.started_at));
                key.rank = u8::from(created.is_none());
                key.number = -created.unwrap_or(0);
            }
            JobSort::Name => key.text = job.title().to_lowercase().into(),
            JobSort::Duration => match (job.took(), job.started_at) {
                (Some(took), _) => {
                    key.rank = 1;
                    key.number = -i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
                }
                // Still running: the earliest start has run longest.
                (None, Some(started)) if job.state == JobState::Running => {
                    key.number = started.as_millisecond();
                }
                _ => key.rank = 2,
            },
        }
        key
    }
}

/// Whether `text` holds `needle`, which is in lower case, whatever the case.
fn holds(text: &str, needle: &str) -> bool {
    if text.len() < needle.len() && text.is_ascii() {
        return false;
    }
    if text.is_ascii() && needle.is_ascii() {
        let needle = needle.as_bytes();
        return text
            .as_bytes()
            .windows(needle.len())
            .any(|window| window.eq_ignore_ascii_case(needle));
    }
    text.to_lowercase().contains(needle)
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    rank: u8,
    number: i64,
    text: Box<str>,
}

/// What the list holds of one job.
#[derive(Clone, Debug, Default)]
struct Mark {
    counted: Option<StateKind>,
    key: Option<Key>,
}

/// One list of jobs.
#[derive(Debug)]
pub struct JobsIndex {
    filter: Filter,
    order: Vec<u32>,
    marks: Vec<Mark>,
    counts: Counts,
    changed: Vec<u32>,
    anew: bool,
    made: Option<(Instant, Duration)>,
}

impl JobsIndex {
    /// A list that is made when it is first looked at.
    #[must_use]
    pub fn new(filter: Filter) -> JobsIndex {
        JobsIndex {
            filter,
            order: Vec::new(),
            marks: Vec::new(),
            counts: Counts::default(),
            changed: Vec::new(),
            anew: true,
            made: None,
        }
    }

    /// Notes that a job has changed, come or gone.
    pub fn touch(&mut self, number: u32) {
        if self.anew {
            return;
        }
        if self.changed.len() >= MANY {
            self.anew = true;
            self.changed.clear();
        } else if !self.changed.contains(&number) {
            self.changed.push(number);
        }
    }

    /// Notes that everything may have changed.
    pub fn touch_all(&mut self) {
        self.anew = true;
        self.changed.clear();
    }

    /// Whether there is anything to bring up to date.
    #[must_use]
    pub fn behind(&self) -> bool {
        self.anew || !self.changed.is_empty()
    }

    /// How long until it may be brought up to date.
    #[must_use]
    pub fn wait(&self) -> Duration {
        match self.made {
            Some((at, cost)) if self.anew => (cost * PACE).saturating_sub(at.elapsed()),
            _ => Duration::ZERO,
        }
    }

    /// Brings the list up to date, unless it was made anew a moment ago; answers whether anything
    /// changed that a window on `count` rows from `first` on shows.
    pub fn refresh(&mut self, catalogue: &Catalogue, first: u64, count: u32) -> bool {
        if !self.behind() || !self.wait().is_zero() {
            return false;
        }
        if self.anew {
            self.remake(catalogue);
            return true;
        }
        let end = usize::try_from(first.saturating_add(u64::from(count))).unwrap_or(usize::MAX);
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let before = (self.counts, self.order.len());
        let mut visible = false;
        for number in std::mem::take(&mut self.changed) {
            let (from, to) = self.move_one(catalogue, number);
            visible |= match (from, to) {
                (Some(from), Some(to)) if from == to => (first..end).contains(&to),
                // Everything between the two places moves by one.
                (from, to) => from.into_iter().chain(to).any(|place| place < end),
            };
        }
        visible || before != (self.counts, self.order.len())
    }

    fn remake(&mut self, catalogue: &Catalogue) {
        let begun = Instant::now();
        self.anew = false;
        self.changed.clear();
        self.order.clear();
        self.marks.clear();
        self.marks.resize(catalogue.numbers(), Mark::default());
        self.counts = Counts::default();
        for (number, entry) in catalogue.iter() {
            let mark = self.mark(entry);
            self.counts.add(mark.counted, 1);
            if mark.key.is_some() {
                self.order.push(number);
            }
            self.marks[number as usize] = mark;
        }
        let marks = &self.marks;
        self.order.sort_unstable_by(|a, b| {
            (&marks[*a as usize].key, a).cmp(&(&marks[*b as usize].key, b))
        });
        self.made = Some((begun, begun.elapsed()));
    }

    fn mark(&self, entry: &Entry) -> Mark {
        if !self.filter.admits(entry) {
            return Mark::default();
        }
        let kind = StateKind::of(&entry.job.state);
        let listed = self.filter.states.is_empty() || self.filter.states.contains(&kind);
        Mark { counted: Some(kind), key: listed.then(|| self.filter.key(&entry.job)) }
    }

    /// Moves one job to where it belongs now: its old and its new place.
    fn move_one(&mut self, catalogue: &Catalogue, number: u32) -> (Option<usize>, Option<usize>) {
        let at = number as usize;
        if self.marks.len() <= at {
            self.marks.resize(at + 1, Mark::default());
        }
        let new = catalogue.entry(number).map_or_else(Mark::default, |entry| self.mark(entry));
        let old_counted = self.marks[at].counted;
        if old_counted != new.counted {
            self.counts.add(old_counted, -1);
            self.counts.add(new.counted, 1);
        }
        if self.marks[at].key == new.key {
            self.marks[at].counted = new.counted;
            let place = new.key.as_ref().and_then(|key| self.find(key, number).ok());
            return (place, place);
        }
        let old_key = self.marks[at].key.take();
        let from = old_key.and_then(|key| {
            // The mark is put back for the search, which compares marks.
            self.marks[at].key = Some(key.clone());
            self.find(&key, number).ok()
        });
        if let Some(from) = from {
            self.order.remove(from);
        }
        self.marks[at] = new;
        let key = self.marks[at].key.clone();
        let to = key.map(|key| self.find(&key, number).unwrap_or_else(|place| place));
        if let Some(to) = to {
            self.order.insert(to, number);
        }
        (from, to)
    }

    fn find(&self, key: &Key, number: u32) -> Result<usize, usize> {
        self.order.binary_search_by(|other| {
            let other_key = self.marks[*other as usize].key.as_ref();
            (other_key, other).cmp(&(Some(key), &number))
        })
    }

    /// Jobs in the list.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.order.len() as u64
    }

    /// Jobs by state, whether or not their states are listed.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The numbers of `count` jobs from `first` on.
    #[must_use]
    pub fn window(&self, first: u64, count: usize) -> &[u32] {
        let first = usize::try_from(first).unwrap_or(usize::MAX).min(self.order.len());
        &self.order[first..self.order.len().min(first.saturating_add(count))]
    }
}

impl Counts {
    fn add(&mut self, kind: Option<StateKind>, by: i32) {
        let Some(kind) = kind else { return };
        let count = match kind {
            StateKind::Queued => &mut self.queued,
            StateKind::Scheduled => &mut self.scheduled,
            StateKind::Running => &mut self.running,
            StateKind::Completed => &mut self.completed,
            StateKind::Failed => &mut self.failed,
            StateKind::Cancelled => &mut self.cancelled,
            StateKind::Unknown => &mut self.unknown,
        };
        *count = count.saturating_add_signed(by);
    }
}
