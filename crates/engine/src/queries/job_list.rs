//! The order of one list of jobs: filtered, sorted, and kept so while jobs change.
//!
//! A change moves one number inside a sorted list. After many changes at once the list is made
//! anew, and then not again before some multiple of what that cost has passed, so that a hundred
//! thousand busy jobs leave the engine time for everything else.

use std::time::{Duration, Instant};

use jobwatch_core::model::{Job, JobState};

use super::job_index::{Entry, JobIndex};
use super::search::Search;
use crate::api::{Counts, JobSort, StateKind};
use crate::driver::ConnectionId;

/// More changes than this at once, and the list is made anew.
const MANY: usize = 512;
/// After a remaking that took this long, the next waits for `PACE` times as long.
const PACE: u32 = 8;

/// Which jobs, in which order.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Of one server; `Some(None)` for a server that is not there.
    pub connection: Option<Option<ConnectionId>>,
    /// Of one queue.
    pub queue: Option<String>,
    /// In one of these states; empty for any.
    pub states: Vec<StateKind>,
    /// Found by this.
    pub search: Search,
    /// The order.
    pub sort: JobSort,
}

impl Filter {
    /// Whether a job passes, its state aside.
    fn admits(&self, entry: &Entry) -> bool {
        let job = &entry.job;
        if self.connection.is_some_and(|connection| connection != Some(entry.connection)) {
            return false;
        }
        if self.queue.is_some() && self.queue != job.queue {
            return false;
        }
        self.search.finds(entry)
    }

    fn key(&self, job: &Job) -> Key {
        let millisecond = |at: Option<jiff::Timestamp>| at.map(|at| at.as_millisecond());
        // What is named by the text comes before what only holds it.
        let other = !self.search.names(job);
        let mut key = Key { other, rank: 0, number: 0, text: "".into() };
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
                key.number = -at.unwrap_or(job.last_seen).as_millisecond();
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

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    other: bool,
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
pub struct JobList {
    filter: Filter,
    order: Vec<u32>,
    marks: Vec<Mark>,
    counts: Counts,
    changed: Vec<u32>,
    stale: bool,
    made: Option<(Instant, Duration)>,
}

impl JobList {
    /// A list that is made when it is first looked at.
    #[must_use]
    pub fn new(filter: Filter) -> JobList {
        JobList {
            filter,
            order: Vec::new(),
            marks: Vec::new(),
            counts: Counts::default(),
            changed: Vec::new(),
            stale: true,
            made: None,
        }
    }

    /// Notes that a job has changed, come or gone.
    pub fn touch(&mut self, number: u32) {
        if self.stale {
            return;
        }
        if self.changed.len() >= MANY {
            self.stale = true;
            self.changed.clear();
        } else if !self.changed.contains(&number) {
            self.changed.push(number);
        }
    }

    /// Notes that everything may have changed.
    pub fn touch_all(&mut self) {
        self.stale = true;
        self.changed.clear();
    }

    /// Whether there is anything to bring up to date.
    #[must_use]
    pub fn behind(&self) -> bool {
        self.stale || !self.changed.is_empty()
    }

    /// How long until it may be brought up to date.
    #[must_use]
    pub fn wait(&self) -> Duration {
        match self.made {
            Some((at, cost)) if self.stale => (cost * PACE).saturating_sub(at.elapsed()),
            _ => Duration::ZERO,
        }
    }

    /// Brings the list up to date, unless it was made anew a moment ago; answers whether anything
    /// changed that a window on `count` rows from `first` on shows.
    pub fn refresh(&mut self, jobs: &JobIndex, first: u64, count: u32) -> bool {
        if !self.behind() || !self.wait().is_zero() {
            return false;
        }
        if self.stale {
            self.remake(jobs);
            return true;
        }
        let end = usize::try_from(first.saturating_add(u64::from(count))).unwrap_or(usize::MAX);
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let before = (self.counts, self.order.len());
        let mut visible = false;
        for number in std::mem::take(&mut self.changed) {
            let (from, to) = self.move_one(jobs, number);
            visible |= match (from, to) {
                (Some(from), Some(to)) if from == to => (first..end).contains(&to),
                // Everything between the two places moves by one.
                (from, to) => from.into_iter().chain(to).any(|place| place < end),
            };
        }
        visible || before != (self.counts, self.order.len())
    }

    fn remake(&mut self, jobs: &JobIndex) {
        let begun = Instant::now();
        self.stale = false;
        self.changed.clear();
        self.order.clear();
        self.marks.clear();
        self.marks.resize(jobs.numbers(), Mark::default());
        self.counts = Counts::default();
        for (number, entry) in jobs.iter() {
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
    fn move_one(&mut self, jobs: &JobIndex, number: u32) -> (Option<usize>, Option<usize>) {
        let at = number as usize;
        if self.marks.len() <= at {
            self.marks.resize(at + 1, Mark::default());
        }
        let new = jobs.entry(number).map_or_else(Mark::default, |entry| self.mark(entry));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use jobwatch_core::model::Source;

    use super::*;

    const SERVER: ConnectionId = ConnectionId(0);

    fn job(id: u32, state: JobState, second: i64) -> Arc<Job> {
        let at = Timestamp::from_second(1_700_000_000 + second).unwrap();
        Arc::new(Job {
            name: Some(format!("Work {id}")),
            queue: Some(format!("queue-{}", id % 3)),
            created_at: Some(at),
            started_at: Some(at),
            updated_at: Some(at),
            ..Job::new(format!("job-{id}"), state, Source::Socket, at)
        })
    }

    fn filter(sort: JobSort) -> Filter {
        Filter {
            connection: None,
            queue: None,
            states: Vec::new(),
            search: Search::default(),
            sort,
        }
    }

    fn ids(index: &JobList, jobs: &JobIndex, count: usize) -> Vec<String> {
        let numbers = index.window(0, count).iter();
        numbers.map(|n| jobs.entry(*n).unwrap().job.id.as_str().to_owned()).collect()
    }

    /// A generator of numbers that follow from a seed.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            (self.0 >> 33) % bound
        }

        fn state(&mut self) -> JobState {
            match self.below(5) {
                0 => JobState::Queued,
                1 => JobState::Running,
                2 => JobState::Completed,
                3 => JobState::Failed,
                _ => JobState::Unknown("odd".into()),
            }
        }
    }

    #[test]
    fn a_list_kept_up_to_date_equals_a_list_built_from_scratch() {
        let mut dice = Dice(7);
        for sort in [JobSort::Activity, JobSort::Created, JobSort::Name, JobSort::Duration] {
            let mut jobs = JobIndex::default();
            let filter = Filter {
                states: vec![StateKind::Running, StateKind::Failed, StateKind::Unknown],
                search: Search::new("work 1", std::iter::empty()),
                ..filter(sort)
            };
            let mut kept = JobList::new(filter.clone());
            kept.refresh(&jobs, 0, 50);
            for _ in 0..300 {
                for _ in 0..dice.below(20) {
                    let id = dice.below(200) as u32;
                    if dice.below(10) == 0 {
                        let gone = jobs.remove(SERVER, &format!("job-{id}").into());
                        gone.into_iter().for_each(|number| kept.touch(number));
                    } else {
                        let job = job(id, dice.state(), dice.below(1_000) as i64);
                        kept.touch(jobs.put(SERVER, job));
                    }
                }
                let before = ids_and_counts(&kept);
                let visible = kept.refresh(&jobs, 0, 50);
                let mut built = JobList::new(filter.clone());
                built.refresh(&jobs, 0, 50);
                assert_eq!(kept.order, built.order);
                assert_eq!(kept.counts(), built.counts());
                assert!(visible || before == ids_and_counts(&kept), "a visible change was missed");
            }
        }
    }

    fn ids_and_counts(index: &JobList) -> (Vec<u32>, Counts) {
        (index.window(0, 50).to_vec(), index.counts())
    }

    #[test]
    fn running_jobs_come_first_and_the_latest_end_after_them() {
        let mut jobs = JobIndex::default();
        for (id, state, second) in [
            (1, JobState::Completed, 50),
            (2, JobState::Running, 10),
            (3, JobState::Failed, 60),
            (4, JobState::Running, 20),
        ] {
            jobs.put(SERVER, job(id, state, second));
        }
        let mut index = JobList::new(filter(JobSort::Activity));
        index.refresh(&jobs, 0, 10);
        assert_eq!(ids(&index, &jobs, 10), ["job-4", "job-2", "job-3", "job-1"]);
        assert_eq!(jobs.tally(SERVER).running, 2);
    }

    #[test]
    fn the_job_that_a_search_names_comes_first() {
        let mut jobs = JobIndex::default();
        for id in [15, 5, 50, 55] {
            jobs.put(SERVER, job(id, JobState::Running, i64::from(id)));
        }
        for sort in [JobSort::Activity, JobSort::Created, JobSort::Name, JobSort::Duration] {
            let search = Search::new("job-5", std::iter::empty());
            let mut index = JobList::new(Filter { search, ..filter(sort) });
            index.refresh(&jobs, 0, 10);
            assert_eq!(ids(&index, &jobs, 1), ["job-5"]);
            assert_eq!(index.total(), 3);
        }
    }

    /// The bound is generous: it tells a list kept up to date from one made anew each time.
    #[test]
    fn a_hundred_thousand_busy_jobs_leave_time_for_everything_else() {
        let mut jobs = JobIndex::default();
        for id in 0..100_000 {
            jobs.put(SERVER, job(id, JobState::Running, i64::from(id)));
        }
        let mut index = JobList::new(filter(JobSort::Activity));
        index.refresh(&jobs, 0, 50);
        assert_eq!(index.total(), 100_000);
        let begun = Instant::now();
        for id in 0..1_000 {
            let number = jobs.put(SERVER, job(id * 97, JobState::Completed, i64::from(id)));
            index.touch(number);
            index.refresh(&jobs, 0, 50);
        }
        let one_by_one = begun.elapsed();
        assert_eq!(index.counts().completed, 1_000);
        for id in 0..100_000 {
            let number = jobs.put(SERVER, job(id, JobState::Failed, i64::from(id)));
            index.touch(number);
        }
        // Made anew once; then not again before a multiple of its cost has passed.
        while !index.refresh(&jobs, 0, 50) {
            std::thread::sleep(index.wait());
        }
        index.touch_all();
        assert!(!index.refresh(&jobs, 0, 50) && index.wait() > Duration::ZERO);
        assert!(one_by_one < Duration::from_secs(10), "{one_by_one:?}");
    }
}
