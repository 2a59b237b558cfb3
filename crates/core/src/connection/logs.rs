//! Logs: what is asked of them over HTTP and when, and how much of each is there.
//!
//! A log is read whole in a *look*: page after page, until the server has no more. It is looked at
//! when somebody reads it, again and again while its job runs and the socket does not bring its
//! lines, and after its job has ended until nothing new comes. Where only HTTP serves lines, those
//! of every watched job are fetched so too, at a modest pace, though nobody reads them. These
//! requests belong to no topic's round; they are part of the server's budget.

use std::time::Duration;

use super::dispatch::Origin;
use super::shared::Call;
use super::status::sentence;
use super::work::Purpose;
use super::{Failure, LogReach, Output, Supervisor};
use crate::dialect::{
    Ask, FetchResponse, Incoming, LogFrom, LogPart, Outgoing, Oversized, tolerant,
};
use crate::log::LogLines;
use crate::model::{Diagnostic, Job, JobId, Source, Update};
use crate::time::{Mono, Now};

mod reading;

pub(super) use reading::Logs;
use reading::{End, Failed, Look, PARALLEL, Reading};

/// Fewer log lines than this join those that were heard just before them.
const SMALL: usize = 64;
/// Pages of one look, so that a log without end stays bounded.
const MAX_PAGES: u32 = 5_000;
/// Between looks at a log that somebody reads and the socket brings.
const BROUGHT: Duration = Duration::from_secs(30);
/// Between looks at a log that somebody reads and that grew since the last.
const GROWING: Duration = Duration::from_secs(1);
/// Between looks at a log that nobody reads.
const KEEP: Duration = Duration::from_secs(10);
/// Between looks at any two logs that nobody reads.
const KEEP_APART: Duration = Duration::from_millis(250);
/// Announced lines of one log are fetched no more often.
const ANNOUNCED_APART: Duration = Duration::from_secs(1);
/// Lines that are announced together are fetched together.
const COLLECT: Duration = Duration::from_millis(150);
/// After the end of a job the last lines may come late. Looks at its log are this far apart.
const AFTER_END: [Duration; 3] =
    [Duration::from_millis(1_500), Duration::from_secs(2), Duration::from_secs(4)];
/// So many looks in a row that bring nothing new settle the log of a job that has ended: with these
/// distances that is nearly 4 s after its end is known.
const QUIET: u32 = 3;
/// The most looks that an ended job's log is given before it counts as settled.
const MAX_AFTER_END: u32 = 15;
/// Some servers write the last lines this late: looked at once more.
const LAST_LOOK: Duration = Duration::from_secs(30);
/// A job that ended longer ago has its last lines by now.
const RECENT: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);
/// Failed looks in a row after which another soon is not promised any more.
const TRIES: u32 = 3;
/// Failed looks are repeated at most this far apart.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// Logs that nobody reads are left alone for at least this long when the server gives none.
const TROUBLE: Duration = Duration::from_secs(30);
const LONGEST_TROUBLE: Duration = Duration::from_secs(600);
/// Logs that nobody reads are followed for at most so many jobs.
const MAX_KEPT: usize = 2_000;
/// Logs that are wanted of jobs which are not known.
const MAX_WANTED: usize = 256;

impl Supervisor {
    /// Somebody reads a log from now on.
    pub(super) fn read_log(&mut self, job: &JobId, now: Now) {
        let Some(reading) = self.reading(job) else { return };
        reading.readers += 1;
        if reading.readers > 1 && reading.told.is_some() {
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
        reading.told = None;
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
                self.odd("too-many-requests", "Too many logs are asked for already.".to_owned());
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
        self.logs.all.get(job)?.told.as_ref()
    }

    /// Begins the looks that are due and makes the requests that wait, as far as the server takes
    /// them.
    pub(super) fn launch_logs(&mut self, now: Now) {
        if !self.may_fetch() {
            return;
        }
        while let Some((at, job)) = self.logs.due.first().cloned()
            && at <= now.mono
        {
            self.logs.due.remove(&(at, job.clone()));
            if let Some(reading) = self.logs.all.get_mut(&job)
                && reading.due == Some(at)
            {
                reading.due = None;
                self.begin_look(&job, now);
            }
        }
        while self.logs.in_flight < PARALLEL && self.polling.free_at() <= now.mono {
            let Some((job, request)) = self.logs.waiting.pop_front() else { return };
            let needed = self.needs_key(&request.ask);
            let pause = self.refused_pause();
            if let Some(reason) = self.key.forbids(&Call::of(&request), needed, now.mono, pause) {
                self.spare_look(&job, reason, now);
                continue;
            }
            let purpose = Purpose::Logs(job);
            let id = self.polling.number(purpose, request.ask.clone(), now.mono);
            self.logs.in_flight += 1;
            self.out.push_back(Output::Fetch(id, request));
        }
    }

    fn begin_look(&mut self, id: &JobId, now: Now) {
        let Some(job) = self.jobs.job(id).cloned() else {
            // It was forgotten meanwhile.
            self.logs.forget(id);
            return;
        };
        let Some(reading) = self.logs.all.get(id) else { return };
        if reading.readers == 0 {
            if !self.watches(&job) {
                self.logs.forget(id);
                return;
            }
            let free = self.logs.keep_free_at.max(self.logs.trouble.1);
            if free > now.mono {
                self.logs.schedule(id, free);
                return;
            }
            self.logs.keep_free_at = now.mono.after(KEEP_APART);
        }
        let from = reading.from.unwrap_or(LogFrom::Known);
        let requests = self.dialect.fetch_logs(&job, from);
        let Some(reading) = self.logs.all.get_mut(id) else { return };
        reading.from = None;
        reading.looked = Some(now.mono);
        if requests.is_empty() {
            let reach = match self.dialect.why_no_log(&job) {
                Some(reason) => LogReach::Never(reason),
                None => LogReach::Unserved,
            };
            self.tell_reach(id, reach);
            return;
        }
        reading.look = Some(Look { open: requests.len(), ..Look::default() });
        let all = requests.into_iter().map(|request| (id.clone(), request));
        self.logs.waiting.extend(all);
        if self.logs.all.get(id).is_some_and(|reading| reading.told.is_none()) {
            self.tell_reach(id, LogReach::Asking);
        }
    }

    /// A request is not made, since the key would be refused: the look ends.
    fn spare_look(&mut self, job: &JobId, reason: String, now: Now) {
        self.logs.waiting.retain(|(of, _)| of != job);
        let Some(look) = self.logs.all.get_mut(job).and_then(|reading| reading.look.take()) else {
            return;
        };
        let failed = Some(Failed { reason, lasting: true, refused: true });
        self.look_ended(job, Look { failed, ..look }, now);
    }

    /// A request for log lines has been answered.
    pub(super) fn logs_fetched(
        &mut self,
        job: &JobId,
        ask: &Ask,
        result: Result<FetchResponse, Failure>,
        now: Now,
    ) {
        self.logs.in_flight = self.logs.in_flight.saturating_sub(1);
        let mut follow = Vec::new();
        let mut part: Option<LogPart> = None;
        let mut failed = None;
        match result {
            Ok(response) => {
                self.last_received = Some(now.wall);
                let lasting = matches!(response.status, 400..=499) && response.status != 429;
                for item in tolerant::parse(&mut *self.dialect, ask, &response) {
                    match item {
                        Incoming::Follow(request) => follow.push(request),
                        Incoming::LogPart(told) => part = Some(told),
                        Incoming::Unknown(Diagnostic { kind, text, sample }) => {
                            let reason = self.clean(&text);
                            if self.logs.problem.as_ref() != Some(&reason) {
                                self.logs.problem = Some(reason.clone());
                                let odd = Diagnostic { kind, text, sample };
                                self.out.push_back(Output::Diagnostic(odd));
                            }
                            failed = Some(Failed { reason, lasting, refused: false });
                        }
                        Incoming::Refused(reason) => {
                            let reason = self.clean(&reason);
                            self.log_problem(&reason);
                            failed = Some(Failed { reason, lasting: true, refused: true });
                        }
                        Incoming::Update(Update::Log { job: of, lines }) => {
                            if let Some(reading) = self.logs.all.get_mut(job) {
                                let fresh = reading.known.take(&lines);
                                if let Some(look) = &mut reading.look {
                                    look.fresh += fresh;
                                }
                            }
                            self.update(Update::Log { job: of, lines }, Source::Http, None, now);
                        }
                        other => self.dispatch(Origin::Http(None), vec![other], now),
                    }
                }
            }
            Err(failure) => {
                if matches!(failure, Failure::TooLarge { .. })
                    && let Oversized::Parts(parts) = self.dialect.oversized(ask)
                {
                    follow = parts;
                }
                let lasting = matches!(
                    failure,
                    Failure::Unreachable(_) | Failure::Tls(_) | Failure::TooLarge { .. }
                );
                if follow.is_empty() {
                    let reason = self.clean(&sentence(&failure));
                    self.log_problem(&reason);
                    failed = Some(Failed { reason, lasting, refused: false });
                }
            }
        }
        let Some(reading) = self.logs.all.get_mut(job) else { return };
        let Some(look) = &mut reading.look else { return };
        look.open = look.open.saturating_sub(1);
        if part.is_none() && follow.is_empty() {
            let nothing = || Failed {
                reason: "The answer is no log.".to_owned(),
                lasting: false,
                refused: false,
            };
            look.failed = Some(failed.unwrap_or_else(nothing));
        }
        if let Some(part) = part {
            // Each page counts what is behind it; the last one counts.
            look.left = part.left;
            look.held_back = part.held_back.or(look.held_back.take());
        }
        for request in follow {
            if look.pages >= MAX_PAGES {
                let words = format!("The log has more than {MAX_PAGES} pages.");
                look.held_back = Some(words);
                break;
            }
            look.pages += 1;
            look.open += 1;
            // A log is read to its end before the next is begun.
            self.logs.waiting.push_front((job.clone(), request));
        }
        if look.open == 0
            && let Some(look) = reading.look.take()
        {
            self.look_ended(job, look, now);
        }
    }

    /// Tells once what the server gives instead of lines.
    fn log_problem(&mut self, reason: &str) {
        if self.logs.problem.as_deref() != Some(reason) {
            self.logs.problem = Some(reason.to_owned());
            self.odd("http-error", format!("Log lines could not be fetched. {reason}"));
        }
    }

    fn look_ended(&mut self, id: &JobId, look: Look, now: Now) {
        let failed = look.failed.is_some();
        let refused = look.failed.as_ref().is_some_and(|failed| failed.refused);
        let fresh = look.fresh > 0;
        let Some(reading) = self.logs.all.get_mut(id) else { return };
        let unread = reading.readers == 0;
        reading.failures = if failed { reading.failures.saturating_add(1) } else { 0 };
        let failures = reading.failures;
        if let Some(end) = &mut reading.end {
            end.looks += 1;
            end.quiet = if look.fresh == 0 && !failed { end.quiet + 1 } else { 0 };
            end.last_look |= end.settled;
            let enough = if end.recent { end.quiet >= QUIET } else { !failed };
            let tired = end.looks >= MAX_AFTER_END || (failed && failures >= TRIES);
            end.settled |= enough || tired;
        }
        let settled = reading.settled();
        let reach = match (look.failed, look.held_back) {
            (Some(Failed { reason, lasting, .. }), _) => LogReach::Cut {
                missing: Some(look.left).filter(|left| *left > 0),
                reason,
                again: !lasting && failures < TRIES,
            },
            (None, Some(reason)) => LogReach::Cut {
                missing: Some(look.left).filter(|left| *left > 0),
                reason,
                again: reading.end.is_some() && !settled,
            },
            (None, None) if look.left > 0 => LogReach::Cut {
                missing: Some(look.left),
                reason: "The server gives no more lines, though it counts more.".to_owned(),
                again: reading.end.is_some() && !settled,
            },
            (None, None) => LogReach::Complete { finished: settled },
        };
        if !failed {
            self.logs.problem = None;
        }
        if unread {
            let (tries, until) = &mut self.logs.trouble;
            *tries = if failed { tries.saturating_add(1) } else { 0 };
            *until = match *tries {
                0 => Mono(0),
                tries => {
                    let delay = TROUBLE.saturating_mul(1 << tries.min(6)) / 2;
                    now.mono.after(delay.min(LONGEST_TROUBLE))
                }
            };
        }
        self.tell_reach(id, reach);
        if refused {
            let at = now.mono.after(self.refused_pause());
            self.logs.schedule(id, at);
            return;
        }
        self.schedule_look(id, fresh, now);
    }

    /// When to look at a log again.
    fn schedule_look(&mut self, id: &JobId, fresh: bool, now: Now) {
        let live = self.live().is_some();
        let announced = live && self.dialect.announces_logs();
        let (fast, beat) = (self.policy.poll_fast, now.mono);
        let Some(reading) = self.logs.all.get_mut(id) else { return };
        let again = std::mem::take(&mut reading.again);
        let recent = |at: Mono| beat.since(at) < BROUGHT / 2;
        let brought = live && reading.brought.is_some_and(recent);
        let read = reading.readers > 0;
        let delay = match &reading.end {
            _ if reading.failures > 0 => {
                let doublings = reading.failures.saturating_sub(1).min(6);
                Some((Duration::from_secs(1) * (1 << doublings)).min(LONGEST_DELAY))
            }
            _ if again && read => Some(COLLECT),
            Some(end) if !end.settled => {
                let at = usize::try_from(end.looks).unwrap_or(0).saturating_sub(1);
                Some(AFTER_END[at.min(AFTER_END.len() - 1)])
            }
            Some(end) if end.recent && !end.last_look => Some(LAST_LOOK),
            Some(_) => None,
            None if announced || brought => Some(BROUGHT).filter(|_| read),
            None if again => Some(ANNOUNCED_APART),
            // One that grows is looked at as often as is of any use to a reader.
            None if read && fresh => Some(fast.min(GROWING)),
            None if read => Some(fast),
            None if live => Some(KEEP * 3),
            None => Some(KEEP),
        };
        // A log that was given up with its job's end is not asked for any more.
        let over = reading.settled() && reading.failures > 0 && !read;
        match delay.filter(|_| !over) {
            Some(delay) => {
                let delay = self.jitter.around(delay, 10);
                self.logs.schedule(id, now.mono.after(delay));
            }
            None if !read && reading.ended() => self.logs.forget(id),
            None => {}
        }
    }

    fn tell_reach(&mut self, job: &JobId, reach: LogReach) {
        let Some(reading) = self.logs.all.get_mut(job) else { return };
        if reading.told.as_ref() != Some(&reach) {
            reading.told = Some(reach.clone());
            self.out.push_back(Output::LogReach { job: job.clone(), reach });
        }
    }
}
