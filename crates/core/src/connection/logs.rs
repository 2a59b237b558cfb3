//! Logs: what is asked of them over HTTP and when, and how much of each is there.
//!
//! A log is read whole in a *look*: page after page, until the server has no more. It is looked at
//! when somebody reads it, again and again while its job runs and the socket does not bring its
//! lines, and after its job has ended until nothing new comes. Where only HTTP serves lines, those
//! of every watched job are fetched so too, at a modest pace, though nobody reads them. These
//! requests belong to no topic's cycle; they are part of the server's budget.

use std::time::Duration;

use super::{LogReach, Output, Supervisor};
use crate::dialect::{LogFrom, Outgoing};
use crate::log::LogLines;
use crate::model::{Job, JobId, Source};
use crate::time::Now;

mod fetching;
mod reading;

pub(super) use reading::Logs;
use reading::{End, Reading};

/// Fewer log lines than this join those that were heard just before them.
const SMALL: usize = 64;
/// Announced lines of one log are fetched no more often.
const ANNOUNCED_APART: Duration = Duration::from_secs(1);
/// Lines that are announced together are fetched together.
const COLLECT: Duration = Duration::from_millis(150);
/// A job that ended longer ago has its last lines by now.
const RECENT: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);
/// Logs that nobody reads are followed for at most so many jobs.
const MAX_KEPT: usize = 2_000;
/// Logs that are wanted of jobs which are not known.
const MAX_WANTED: usize = 256;

impl Supervisor {
    /// Somebody reads a log from now on.
    pub(super) fn read_log(&mut self, job: &JobId, now: Now) {
        let Some(reading) = self.reading(job) else { return };
        reading.readers += 1;
        if reading.readers > 1 && reading.reported.is_some() {
            // It is being followed already.
            return;
        }
        self.look_at_log(job, LogFrom::Known, now);
    }

    /// Somebody reads a log no longer.
    pub(super) fn close_log(&mut self, job: &JobId) {
        let Some(reading) = self.logs.all.get_mut(job) else { return };
        reading.readers = reading.readers.saturating_sub(1);
        if reading.readers == 0 && (reading.settled() || reading.wanted) && reading.look.is_none() {
            self.logs.forget(job);
        }
    }

    /// Asks for a log now; of a job that is not known, as soon as it is.
    pub(super) fn look_at_log(&mut self, job: &JobId, from: LogFrom, now: Now) {
        let Some(reading) = self.reading(job) else { return };
        reading.from = match (reading.from, from) {
            (Some(LogFrom::Beginning), _) | (_, LogFrom::Beginning) => Some(LogFrom::Beginning),
            _ => Some(LogFrom::Known),
        };
        reading.failures = 0;
        // Whoever asks is told anew.
        reading.reported = None;
        if self.jobs.job(job).is_none() {
            if let Some(reading) = self.logs.all.get_mut(job) {
                reading.wanted = true;
            }
            return;
        }
        // What the socket can tell of the past it tells besides: only some generations of a server
        // have either way.
        if let Some(socket) = self.live() {
            if self.send_queue.is_free(now.mono) {
                self.encode(socket, &Outgoing::History(job.clone()), now);
            } else {
                self.send_queue.request_history(job.clone(), now.mono);
                self.send_waiting(now);
            }
        }
        self.logs.unschedule(job);
        self.logs.schedule(job, now.mono);
    }

    fn reading(&mut self, job: &JobId) -> Option<&mut Reading> {
        if !self.logs.all.contains_key(job) {
            let known = self.jobs.job(job);
            if known.is_none() && self.logs.all.values().filter(|r| r.wanted).count() >= MAX_WANTED
            {
                self.diagnose(
                    "too-many-requests",
                    "Too many logs are asked for already.".to_owned(),
                );
                return None;
            }
            let end = known.filter(|job| job.state.terminal()).map(|job| self.end_of(job));
            self.logs.all.insert(job.clone(), Reading { end, ..Reading::default() });
        }
        self.logs.all.get_mut(job)
    }

    /// The end of a job that had ended when its log was first looked at.
    fn end_of(&self, job: &Job) -> End {
        let ago = job.finished_at.map(|at| self.clock.wall.duration_since(at));
        End { recent: ago.is_some_and(|ago| ago.abs() < RECENT), ..End::default() }
    }

    /// A job is known, or known better.
    pub(super) fn log_of(&mut self, job: &Job, now: Now) {
        let ended = job.state.terminal();
        if let Some(reading) = self.logs.all.get_mut(&job.id) {
            let wanted = std::mem::take(&mut reading.wanted);
            let before = reading.ended();
            if wanted {
                let end = ended.then(|| self.end_of(job));
                if let Some(reading) = self.logs.all.get_mut(&job.id) {
                    reading.end = end;
                    let from = reading.from.unwrap_or(LogFrom::Known);
                    self.look_at_log(&job.id, from, now);
                }
            } else if ended && !before {
                reading.end = Some(End { recent: true, ..End::default() });
                self.logs.schedule(&job.id, now.mono.after(COLLECT));
            } else if !ended && before {
                // Another attempt.
                reading.end = None;
                self.logs.schedule(&job.id, now.mono);
            }
            return;
        }
        if self.logs.all.values().any(|reading| reading.wanted) && self.named_otherwise(job, now) {
            return;
        }
        if !self.dialect.serves_logs() || self.logs.all.len() >= MAX_KEPT {
            return;
        }
        // Of what had ended before, and of what is under way where new lines are announced, only
        // what the user watches by name is wanted at once.
        let announced = self.dialect.announces_logs() && self.live().is_some();
        let keep = self.watches_by_name(&job.id) || (!ended && !announced && self.watches(job));
        if keep {
            self.keep_log(job, now);
        }
    }

    /// A job has just ended.
    pub(super) fn log_ended(&mut self, job: &JobId, now: Now) {
        if self.logs.all.contains_key(job) || !self.dialect.serves_logs() {
            return;
        }
        let Some(job) = self.jobs.job(job).cloned() else { return };
        if self.logs.all.len() < MAX_KEPT && self.watches(&job) {
            self.keep_log(&job, now);
            if let Some(reading) = self.logs.all.get_mut(&job.id) {
                reading.end = Some(End { recent: true, ..End::default() });
            }
        }
    }

    fn keep_log(&mut self, job: &Job, now: Now) {
        let end = job.state.terminal().then(|| self.end_of(job));
        let from = Some(LogFrom::Known);
        self.logs.all.insert(job.id.clone(), Reading { end, from, ..Reading::default() });
        self.logs.schedule(&job.id, now.mono.after(COLLECT));
    }

    /// Logs may be wanted by another id than the job's own. Answers whether this one's was.
    fn named_otherwise(&mut self, job: &Job, now: Now) -> bool {
        let names = |(given, reading): (&JobId, &Reading)| {
            (reading.wanted && self.dialect.is_alias(given, &job.id)).then(|| given.clone())
        };
        let Some(given) = self.logs.all.iter().find_map(names) else { return false };
        if let Some(reading) = self.logs.all.get_mut(&given) {
            reading.wanted = false;
        }
        self.look_at_log(&job.id, LogFrom::Known, now);
        true
    }

    /// The dialect says that new lines can be asked for.
    pub(super) fn log_grew(&mut self, job: Option<&JobId>, now: Now) {
        let jobs: Vec<JobId> = match job {
            Some(job) => vec![job.clone()],
            None => self.logs.all.keys().cloned().collect(),
        };
        for id in jobs {
            if !self.logs.all.contains_key(&id) {
                match self.jobs.job(&id).cloned() {
                    Some(job) if self.logs.all.len() < MAX_KEPT && self.watches(&job) => {
                        self.keep_log(&job, now);
                    }
                    Some(_) => {}
                    None => self.stale_job(&id, now),
                }
                continue;
            }
            let Some(reading) = self.logs.all.get_mut(&id) else { continue };
            if let Some(end) = &mut reading.end {
                // Its last lines come now.
                *end = End { recent: true, ..End::default() };
            }
            let soon = now.mono.after(COLLECT);
            let at = reading.looked.map_or(soon, |at| soon.max(at.after(ANNOUNCED_APART)));
            self.logs.schedule(&id, at);
        }
    }

    /// Passes lines on.
    pub(super) fn pass_lines(&mut self, job: JobId, lines: LogLines, source: Source, now: Now) {
        let socket = source == Source::Socket;
        if socket && let Some(reading) = self.logs.all.get_mut(&job) {
            reading.brought = Some(now.mono);
        }
        match self.out.back_mut() {
            // A flood comes in many small batches of one log.
            Some(Output::Log { job: last, lines: all, source: way })
                if socket && *way == source && lines.len() < SMALL && *last == job =>
            {
                all.append(&lines);
            }
            _ => self.out.push_back(Output::Log { job, lines, source }),
        }
    }

    /// The socket is new, or not to be trusted: lines may have been missed.
    pub(super) fn look_at_logs_again(&mut self, now: Now) {
        let all: Vec<JobId> = self.logs.all.keys().cloned().collect();
        for job in all {
            let Some(reading) = self.logs.all.get(&job) else { continue };
            if !reading.wanted && !reading.settled() {
                self.logs.schedule(&job, now.mono);
            }
        }
    }

    /// Why a job has no log and never will.
    #[must_use]
    pub fn without_log(&self, job: &Job) -> Option<String> {
        self.dialect.why_no_log(job)
    }

    /// Whether the server can be asked for log lines of before.
    #[must_use]
    pub fn serves_logs(&self, job: &Job) -> bool {
        !self.dialect.fetch_logs(job, LogFrom::Beginning).is_empty()
    }

    /// How much of a log that is read is there; `None` before anything was asked.
    #[must_use]
    pub fn log_reach(&self, job: &JobId) -> Option<&LogReach> {
        self.logs.all.get(job)?.reported.as_ref()
    }
}
