//! Fetches logs: begins looks, reads their answers, and decides when to look again.

use std::time::Duration;

use super::reading::{Failed, Look, PARALLEL};
use super::{ANNOUNCED_APART, COLLECT};
use crate::connection::dispatch::Origin;
use crate::connection::http::single_flight::Call;
use crate::connection::http::topic_state::Purpose;
use crate::connection::status::sentence;
use crate::connection::{Failure, LogReach, Output, Supervisor};
use crate::dialect::{
    Ask, FetchRequest, FetchResponse, Incoming, LogFrom, LogPart, Oversized, tolerant,
};
use crate::model::{Diagnostic, JobId, Source, Update};
use crate::time::{Mono, Now};

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
/// Failed looks in a row after which another soon is not promised any more.
const TRIES: u32 = 3;
/// Failed looks are repeated at most this far apart.
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// Logs that nobody reads are left alone for at least this long when the server gives none.
const TROUBLE: Duration = Duration::from_secs(30);
const LONGEST_TROUBLE: Duration = Duration::from_secs(600);

/// What an answer about a log says besides its lines.
#[derive(Default)]
struct LogAnswer {
    follow: Vec<FetchRequest>,
    part: Option<LogPart>,
    failed: Option<Failed>,
}

impl Supervisor {
    /// Begins the looks that are due and makes the requests that wait, as far as the server takes
    /// them.
    pub(in crate::connection) fn launch_logs(&mut self, now: Now) {
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
                self.skip_refused_log(&job, reason, now);
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
            self.report_reach(id, reach);
            return;
        }
        reading.look = Some(Look { open: requests.len(), ..Look::default() });
        let all = requests.into_iter().map(|request| (id.clone(), request));
        self.logs.waiting.extend(all);
        if self.logs.all.get(id).is_some_and(|reading| reading.reported.is_none()) {
            self.report_reach(id, LogReach::Asking);
        }
    }

    /// A request is not made, since the key would be refused: the look ends.
    fn skip_refused_log(&mut self, job: &JobId, reason: String, now: Now) {
        self.logs.waiting.retain(|(of, _)| of != job);
        let Some(look) = self.logs.all.get_mut(job).and_then(|reading| reading.look.take()) else {
            return;
        };
        let failed = Some(Failed { reason, lasting: true, refused: true });
        self.look_ended(job, Look { failed, ..look }, now);
    }

    /// A request for log lines has been answered.
    pub(in crate::connection) fn logs_fetched(
        &mut self,
        job: &JobId,
        ask: &Ask,
        result: Result<FetchResponse, Failure>,
        now: Now,
    ) {
        self.logs.in_flight = self.logs.in_flight.saturating_sub(1);
        let LogAnswer { follow, part, failed } = self.read_log_answer(job, ask, result, now);
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

    /// Passes the lines of an answer on, and returns what else it says.
    fn read_log_answer(
        &mut self,
        job: &JobId,
        ask: &Ask,
        result: Result<FetchResponse, Failure>,
        now: Now,
    ) -> LogAnswer {
        let LogAnswer { mut follow, mut part, mut failed } = LogAnswer::default();
        match result {
            Ok(response) => {
                self.last_received = Some(now.wall);
                let lasting = matches!(response.status, 400..=499) && response.status != 429;
                for item in tolerant::parse(&mut *self.dialect, ask, &response) {
                    match item {
                        Incoming::Follow(request) => follow.push(request),
                        Incoming::LogPart(said) => part = Some(said),
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
        LogAnswer { follow, part, failed }
    }

    /// Tells once what the server gives instead of lines.
    fn log_problem(&mut self, reason: &str) {
        if self.logs.problem.as_deref() != Some(reason) {
            self.logs.problem = Some(reason.to_owned());
            self.diagnose("http-error", format!("Log lines could not be fetched. {reason}"));
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
        self.report_reach(id, reach);
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

    fn report_reach(&mut self, job: &JobId, reach: LogReach) {
        let Some(reading) = self.logs.all.get_mut(job) else { return };
        if reading.reported.as_ref() != Some(&reach) {
            reading.reported = Some(reach.clone());
            self.out.push_back(Output::LogReach { job: job.clone(), reach });
        }
    }
}
