//! What waits to be written to the history, and how much of it may.
//!
//! A full disk stays full for as long as it takes, while servers keep sending: what waits is bounded
//! in number and in bytes, and what was dropped is counted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use jobwatch_core::jobs::{Transition, size};
use jobwatch_core::model::{Job, JobId, Topic};
use jobwatch_core::server::ServerId;

use super::rows::ledger_key;
use super::{Announcement, HandedPopup};

/// Jobs that may wait while the disk refuses.
const MAX_JOBS: usize = 50_000;
/// Bytes of those jobs.
const MAX_BYTES: usize = 64 << 20;
/// Everything else that may wait while the disk refuses.
const MAX_WRITES: usize = 50_000;
/// What was announced while the disk refused, remembered lest it is announced again.
const MAX_ANNOUNCED: usize = 100_000;
/// So much is written without waiting for more.
const FULL: usize = 10_000;
const FULL_BYTES: usize = 16 << 20;

/// What makes two announcements the same.
pub(super) type LedgerKey = (String, &'static str, String, u32, String);

pub(super) enum Write {
    Step(ServerId, Transition),
    /// With the number under which it was announced already, while the disk refused.
    Announce(Box<Announcement>, Option<i64>),
    /// What a program printed, for a notice.
    Output(i64, String),
    Handed(HandedPopup, Vec<i64>),
    Shown(Vec<i64>),
    Read(Vec<i64>, bool),
    ReadAll,
    Dismiss(Vec<i64>, bool),
    Forget(ServerId),
    ForgetJob(ServerId, JobId),
    Listed(ServerId, Topic, Timestamp),
    Unlisted(ServerId, Topic),
}

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Waiting {
    jobs: HashMap<(ServerId, JobId), Arc<Job>>,
    bytes: usize,
    writes: Vec<Write>,
    /// How many of those have been looked through for what must be announced.
    looked_through: usize,
    /// Announced while the disk refused.
    announced: HashSet<LedgerKey>,
    dropped: u64,
}

impl Waiting {
    /// Takes a job's present state in. While the disk refuses there is an end of what is taken:
    /// then the state that was kept before stays the last known one.
    pub(super) fn job(&mut self, server: ServerId, job: Arc<Job>, refusing: bool) {
        let key = (server, job.id.clone());
        let bytes = size(&job);
        let before = self.jobs.get(&key).map_or(0, |before| size(before));
        let fits = self.bytes - before + bytes <= MAX_BYTES
            && (self.jobs.len() < MAX_JOBS || self.jobs.contains_key(&key));
        if refusing && !fits {
            self.dropped += 1;
            return;
        }
        self.bytes = self.bytes - before + bytes;
        self.jobs.insert(key, job);
    }

    pub(super) fn write(&mut self, write: Write) {
        if let Write::Forget(server) = &write {
            self.jobs.retain(|(of, _), _| of != server);
            self.bytes = self.jobs.values().map(|job| size(job)).sum();
        }
        if let Write::ForgetJob(server, job) = &write
            && let Some(job) = self.jobs.remove(&(server.clone(), job.clone()))
        {
            self.bytes -= size(&job);
        }
        self.writes.push(write);
    }

    /// How much waits.
    pub(super) fn len(&self) -> usize {
        self.jobs.len() + self.writes.len()
    }

    /// Whether so much waits that it should be written now.
    pub(super) fn full(&self) -> bool {
        self.len() > FULL || self.bytes > FULL_BYTES
    }

    /// Whether a job's state waits.
    pub(super) fn holds(&self, server: &ServerId, job: &JobId) -> bool {
        self.jobs.contains_key(&(server.clone(), job.clone()))
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = (&ServerId, &JobId, &Job)> {
        self.jobs.iter().map(|((server, id), job)| (server, id, &**job))
    }

    pub(super) fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The steps of a job that wait, oldest first.
    pub(super) fn steps(&self, server: &ServerId, job: &JobId) -> Vec<Transition> {
        let of = self.writes.iter().filter_map(|write| match write {
            Write::Step(of, step) if of == server && step.job == *job => Some(step.clone()),
            _ => None,
        });
        of.collect()
    }

    /// What was not announced yet, with room for a preliminary number.
    pub(super) fn unannounced(
        &mut self,
    ) -> impl Iterator<Item = (&Announcement, &mut Option<i64>)> {
        let from = std::mem::replace(&mut self.looked_through, self.writes.len());
        self.writes[from..].iter_mut().filter_map(|write| match write {
            Write::Announce(announcement, number @ None) => Some((&**announcement, number)),
            _ => None,
        })
    }

    /// Notes what was announced. Whether it is new.
    pub(super) fn note_announced(&mut self, key: LedgerKey) -> bool {
        if self.announced.len() < MAX_ANNOUNCED {
            self.announced.insert(key)
        } else {
            !self.announced.contains(&key)
        }
    }

    /// Drops what is too much, steps first and the oldest first; a server that was removed stays
    /// removed. [`Waiting::unannounced`] must have been looked through before.
    pub(super) fn bound(&mut self) {
        if self.writes.len() <= MAX_WRITES {
            return;
        }
        // Some room is made at once, so that not each further write costs a walk.
        let mut excess = self.writes.len() - MAX_WRITES + MAX_WRITES / 10;
        let before = self.writes.len();
        self.writes.retain(|write| {
            let kept = excess == 0 || !matches!(write, Write::Step(..));
            excess -= usize::from(!kept);
            kept
        });
        self.writes.retain(|write| {
            let kept = excess == 0 || matches!(write, Write::Forget(_) | Write::Unlisted(..));
            excess -= usize::from(!kept);
            kept
        });
        self.looked_through = self.writes.len();
        self.dropped += (before - self.writes.len()) as u64;
    }

    /// Takes out what another program may not announce: announcements that are not `known`, with
    /// their steps and jobs. What the user did stays; all else the other program writes.
    pub(super) fn split_for_later(&mut self, known: impl Fn(&LedgerKey) -> bool) -> Waiting {
        let mut later = Waiting::default();
        let mut about = HashSet::new();
        let (mut steps, mut stay) = (Vec::new(), Vec::new());
        for write in std::mem::take(&mut self.writes) {
            match write {
                Write::Announce(what, number) => {
                    // What has no key is announced by whoever sees it, and that is the other.
                    if ledger_key(&what).is_some_and(|key| !known(&key)) {
                        if let Some(step) = &what.step {
                            about.insert((what.notice.server.clone(), step.job.clone()));
                        }
                        later.writes.push(Write::Announce(what, number));
                    }
                }
                Write::Step(server, step) => steps.push((server, step)),
                Write::Handed(..) | Write::Shown(_) | Write::Listed(..) => {}
                write => stay.push(write),
            }
        }
        steps.retain(|(server, step)| about.contains(&(server.clone(), step.job.clone())));
        let steps = steps.into_iter().map(|(server, step)| Write::Step(server, step));
        later.writes.splice(..0, steps);
        for (key, job) in std::mem::take(&mut self.jobs) {
            if about.contains(&key) {
                later.bytes += size(&job);
                later.jobs.insert(key, job);
            }
        }
        self.bytes = 0;
        self.writes = stay;
        self.looked_through = 0;
        later.bound();
        later
    }

    /// Both, one after the other.
    pub(super) fn joined(mut first: Waiting, second: Waiting) -> Waiting {
        first.writes.extend(second.writes);
        first.jobs.extend(second.jobs);
        first.bytes = first.jobs.values().map(|job| size(job)).sum();
        first.dropped += second.dropped;
        first
    }

    /// Counts what did not even get here.
    pub(super) fn lost(&mut self, count: u64) {
        self.dropped += count;
    }

    /// How much was dropped since the last write.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Everything is written.
    pub(super) fn clear(&mut self) {
        *self = Waiting::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jobwatch_core::jobs::TransitionKind;
    use jobwatch_core::model::{JobState, Json, Source};

    fn job(id: usize, bytes: usize) -> Arc<Job> {
        let result = Some(Json::from(&serde_json::Value::from("x".repeat(bytes))));
        let job = Job::new(id.to_string(), JobState::Running, Source::Http, Timestamp::UNIX_EPOCH);
        Arc::new(Job { result, ..job })
    }

    fn server() -> ServerId {
        ServerId("s".to_owned())
    }

    fn step(id: usize) -> Transition {
        Transition {
            job: id.to_string().into(),
            attempt: 1,
            from: None,
            to: JobState::Running,
            at: Timestamp::UNIX_EPOCH,
            kind: TransitionKind::Moved,
            error: None,
            while_away: false,
        }
    }

    #[test]
    fn what_waits_while_the_disk_refuses_is_bounded_and_what_was_dropped_is_counted() {
        let mut waiting = Waiting::default();
        for id in 0..100 {
            waiting.job(server(), job(id, 1 << 20), true);
        }
        assert!(waiting.bytes <= MAX_BYTES && waiting.jobs.len() > 50);
        assert_eq!(waiting.jobs.len() as u64 + waiting.dropped(), 100);
        // What is there already may change.
        let before = waiting.dropped();
        waiting.job(server(), job(0, 10), true);
        assert_eq!(waiting.dropped(), before);
        for id in 0..MAX_JOBS {
            waiting.job(server(), job(1_000 + id, 1), true);
        }
        assert!(waiting.jobs.len() <= MAX_JOBS);

        let mut waiting = Waiting::default();
        waiting.write(Write::Forget(server()));
        for _ in 0..MAX_WRITES * 2 {
            waiting.write(Write::ReadAll);
            waiting.write(Write::Step(server(), step(1)));
            waiting.bound();
        }
        assert!(waiting.writes.len() <= MAX_WRITES);
        assert!(matches!(waiting.writes[0], Write::Forget(_)));
        assert_eq!(waiting.dropped() as usize + waiting.writes.len(), 1 + MAX_WRITES * 4);
    }

    #[test]
    fn what_is_written_as_usual_is_not_dropped() {
        let mut waiting = Waiting::default();
        for id in 0..100 {
            waiting.job(server(), job(id, 1 << 20), false);
        }
        assert_eq!((waiting.jobs.len(), waiting.dropped()), (100, 0));
        assert!(waiting.full());
    }
}
