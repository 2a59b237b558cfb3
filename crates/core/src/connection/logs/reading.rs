//! What is known about reading each log. This is bookkeeping only.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::super::LogReach;
use super::super::http::polling::Polling;
use crate::dialect::{FetchRequest, LogFrom};
use crate::log::LogLines;
use crate::model::JobId;
use crate::time::Mono;

/// Requests for log lines under way at once, so that a long log leaves room for jobs.
pub const PARALLEL: usize = 2;
/// Lines of one log that are known as not new.
const KNOWN: usize = 4_096;

/// All logs that are being read.
#[derive(Debug, Default)]
pub struct Logs {
    pub all: HashMap<JobId, Reading>,
    pub due: BTreeSet<(Mono, JobId)>,
    pub waiting: VecDeque<(JobId, FetchRequest)>,
    pub in_flight: usize,
    /// No log that nobody reads is looked at before.
    pub keep_free_at: Mono,
    /// Looks in a row that failed, of logs that nobody reads, and until when there are none.
    pub trouble: (u32, Mono),
    /// What the server said last instead of giving lines, so that it is told once.
    pub problem: Option<String>,
}

/// One log.
#[derive(Debug, Default)]
pub struct Reading {
    /// Who looks at it.
    pub readers: u32,
    /// It is to be asked for as soon as its job is known.
    pub wanted: bool,
    pub from: Option<LogFrom>,
    pub look: Option<Look>,
    /// It is to be looked at once more after the look that is under way.
    pub again: bool,
    pub due: Option<Mono>,
    pub looked: Option<Mono>,
    /// When the socket brought a line.
    pub brought: Option<Mono>,
    pub known: KnownLines,
    pub failures: u32,
    /// Its job's end, as far as that was noticed.
    pub end: Option<End>,
    pub reported: Option<LogReach>,
}

/// What has been done since a job's end.
#[derive(Debug, Default)]
pub struct End {
    /// It ended just now, so that lines may still come.
    pub recent: bool,
    pub looks: u32,
    pub quiet: u32,
    pub settled: bool,
    pub last_look: bool,
}

/// A look under way.
#[derive(Debug, Default)]
pub struct Look {
    pub open: usize,
    pub pages: u32,
    /// Lines that were not known.
    pub fresh: u64,
    pub left: u64,
    pub held_back: Option<String>,
    pub failed: Option<Failed>,
}

#[derive(Debug)]
pub struct Failed {
    pub reason: String,
    /// Asking again soon is of no use.
    pub lasting: bool,
    /// The key was not accepted.
    pub refused: bool,
}

/// The newest lines of a log, by what tells them apart.
#[derive(Debug, Default)]
pub struct KnownLines {
    set: HashSet<u64>,
    order: VecDeque<u64>,
}

impl KnownLines {
    /// Takes lines in; answers how many were new.
    pub fn take(&mut self, lines: &LogLines) -> u64 {
        let mut fresh = 0;
        for line in lines.iter() {
            let at = line.at.map_or(0, |at| at.as_nanosecond()).to_le_bytes();
            // FNV-1a.
            let print = at
                .iter()
                .copied()
                .chain(line.text.bytes())
                .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                });
            if self.set.insert(print) {
                fresh += 1;
                self.order.push_back(print);
                if self.order.len() > KNOWN
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.set.remove(&oldest);
                }
            }
        }
        fresh
    }
}

impl Reading {
    pub fn ended(&self) -> bool {
        self.end.is_some()
    }

    pub fn settled(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.settled)
    }
}

impl Logs {
    pub fn schedule(&mut self, job: &JobId, at: Mono) {
        let Some(reading) = self.all.get_mut(job) else { return };
        if reading.look.is_some() {
            reading.again = true;
            return;
        }
        if reading.due.is_some_and(|due| due <= at) {
            return;
        }
        if let Some(before) = reading.due.replace(at) {
            self.due.remove(&(before, job.clone()));
        }
        self.due.insert((at, job.clone()));
    }

    pub fn unschedule(&mut self, job: &JobId) {
        if let Some(reading) = self.all.get_mut(job)
            && let Some(before) = reading.due.take()
        {
            self.due.remove(&(before, job.clone()));
        }
    }

    pub fn forget(&mut self, job: &JobId) {
        self.unschedule(job);
        self.all.remove(job);
        self.waiting.retain(|(waiting, _)| waiting != job);
    }

    /// When there may be something to do.
    pub fn deadline(&self, polling: &Polling) -> Option<Mono> {
        let waiting =
            (!self.waiting.is_empty() && self.in_flight < PARALLEL).then(|| polling.free_at());
        [self.due.first().map(|(at, _)| *at), waiting].into_iter().flatten().min()
    }

    /// Requests waiting for their turn.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Nothing that is under way is answered any more.
    pub fn abandon(&mut self, now: Mono) {
        self.waiting.clear();
        self.in_flight = 0;
        self.trouble = (0, Mono(0));
        let cut: Vec<JobId> = self
            .all
            .iter_mut()
            .filter_map(|(job, reading)| {
                reading.failures = 0;
                reading.look.take().map(|_| job.clone())
            })
            .collect();
        for job in cut {
            self.schedule(&job, now);
        }
    }
}
