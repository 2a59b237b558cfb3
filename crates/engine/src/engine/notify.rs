//! What happens, and which of it the user's rules want told.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobwatch_core::connection::ConnectionState;
use jobwatch_core::jobs::{Transition, TransitionKind};
use jobwatch_core::model::{Job, JobId, JobState};
use jobwatch_core::notify::decision::{Actions, ActiveRule, Decision};
use jobwatch_core::notify::rules::{Event, EventKind, Rule};
use jobwatch_core::notify::stats::RunStats;
use jobwatch_core::notify::{self, Notice};
use jobwatch_core::server::ServerId;
use jobwatch_core::time::Mono;

use super::Engine;
use super::servers::Entry;
use super::state::State;
use crate::driver::ConnectionId;
use crate::history::{Announcement, End};
use crate::views::{NoticeRule, Preferences, RuleExample, RuleTrial, UserError};

/// Happenings that a new rule is tried against.
pub(super) const RECENT: usize = 100;
/// Of those, how many are named.
const EXAMPLES: usize = 5;
/// Between looks for jobs that take unusually long.
const SLOW: Duration = Duration::from_secs(5);
/// What a job that began is called is waited for for so long,
const NAME: Duration = Duration::from_secs(5);
/// and for so many.
const MAX_UNNAMED: usize = 1_000;
/// Running jobs whose beginnings are remembered.
const MAX_RUNNING: usize = 50_000;
/// Slow jobs that were told; beyond it the ledger alone keeps them from being told twice.
const MAX_SLOW: usize = 10_000;

/// Something that happened lately.
#[derive(Debug)]
pub(super) struct RecentEvent {
    what: Event,
    /// What it was told as, or would have been.
    notice: Notice,
    place: String,
}

/// A connection that is lost.
#[derive(Debug)]
struct Outage {
    since: Mono,
    notified: bool,
}

/// What happened before, and which of what happens now is told.
#[derive(Debug, Default)]
pub(super) struct Notifier {
    rules: Vec<ActiveRule>,
    stats: RunStats,
    recent: VecDeque<RecentEvent>,
    slow_notified: HashSet<(ConnectionId, JobId, u32)>,
    slow_looked: Option<Mono>,
    outages: HashMap<ConnectionId, Outage>,
    /// When jobs that run were heard to begin, for those of which the server does not say it (yet).
    began: HashMap<(ConnectionId, JobId), Timestamp>,
    /// Jobs that began and whose names are not known yet, with when they did.
    unnamed: Vec<(ConnectionId, Transition, Mono)>,
}

impl Notifier {
    /// Puts the user's rules in force. One that cannot be used tells nothing; the settings say so.
    pub(super) fn set_rules(&mut self, preferences: &Preferences) {
        let rules = preferences.rules.iter().filter(|rule| rule.on);
        let active = |rule: &NoticeRule| {
            let actions = Actions {
                popup: rule.popup,
                breaks_through: rule.breaches,
                run: rule.run.clone(),
                post: rule.post_url().ok().map(String::from),
            };
            Some(ActiveRule { rule: rule.rule().ok()?, actions })
        };
        self.rules = rules.filter_map(active).collect();
    }

    fn wants(&self, kind: EventKind) -> bool {
        self.rules.iter().any(|rule| rule.rule.kinds.contains(&kind))
    }

    /// What the rules decide about something; whether it is muted is known once it has words.
    fn decide(&self, what: &Event) -> Decision {
        Decision::of(what.clone(), &self.rules, false)
    }

    fn remember(&mut self, event: RecentEvent) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(event);
    }

    /// The last happening that a rule would tell, or the last of a job at all.
    pub(super) fn last(&self, rule: &Rule) -> Option<&RecentEvent> {
        let of_jobs = || self.recent.iter().rev().filter(|recent| recent.notice.job.is_some());
        of_jobs().find(|recent| rule.matches(&recent.what)).or_else(|| of_jobs().next())
    }

    pub(super) fn forget(&mut self, server: &ServerId, connection: ConnectionId) {
        self.stats.forget(server);
        self.recent.retain(|recent| recent.what.server != *server);
        self.slow_notified.retain(|(of, ..)| *of != connection);
        self.began.retain(|(of, _), _| *of != connection);
        self.outages.remove(&connection);
    }
}

impl RecentEvent {
    /// Where it happened, and the notice of it.
    pub(super) fn as_notice(&self) -> (String, Notice) {
        (self.place.clone(), self.notice.clone())
    }
}

/// What a job's happening is, in the words of rules.
fn event_of(entry: &Entry, job: &Job, kind: EventKind, lasted: Option<Duration>) -> Event {
    Event {
        kind,
        server: entry.server.id.clone(),
        name: job.title().to_owned(),
        queue: job.queue.clone(),
        user: job.user.clone(),
        lasted,
        watched: entry.watches_closely(job),
    }
}

impl Engine {
    /// What a rule would have told of what happened lately.
    ///
    /// # Errors
    /// When the rule cannot be used.
    pub async fn try_rule(&self, rule: NoticeRule) -> Result<RuleTrial, UserError> {
        self.request(move |state| state.try_rule(&rule)).await?
    }

    /// Does what a rule would do besides telling, on the last happening that it would tell; answers
    /// how each went.
    ///
    /// # Errors
    /// When the rule cannot be used or does nothing, or nothing has happened yet.
    pub async fn run_rule(&self, rule: NoticeRule) -> Result<Vec<String>, UserError> {
        Ok(self.request(move |state| state.plan_run(&rule)).await??.await)
    }
}

impl State {
    /// Learns from what was before this run: how jobs ended, and how long they took.
    pub(super) fn learn_stats(&mut self, server: &ServerId, jobs: &[Arc<Job>]) {
        let ended = jobs.iter().filter(|job| job.state.terminal() && job.name.is_some());
        let mut ended: Vec<(Timestamp, &Job)> =
            ended.map(|job| (job.finished_at.unwrap_or(job.last_seen), &**job)).collect();
        ended.sort_by_key(|(at, _)| *at);
        for (at, job) in ended {
            self.notifier.stats.ended(server, job.title(), &job.state, at, job.took());
        }
    }

    /// Takes in what happened last in earlier runs, so that a rule can be tried at once.
    pub(super) fn take_ends(&mut self, ends: Vec<End>) {
        let mut stats = RunStats::default();
        for (server, step, job) in ends {
            let kind = stats.ended(&server, job.title(), &step.to, step.at, job.took());
            let (Some(kind), Ok(entry)) = (kind, self.named(&server)) else { continue };
            let what = event_of(entry, &job, kind, job.took());
            let place = entry.server.name.clone();
            let trigger = Decision::of(what.clone(), &[], false).trigger();
            let Some(notice) = notify::outcome(&server, &place, &job, &step, trigger) else {
                continue;
            };
            self.notifier.remember(RecentEvent { what, notice, place });
        }
    }

    /// A step of a job that is watched; answers whether it was handed to the history with a notice.
    pub(super) fn step_happened(
        &mut self,
        connection: ConnectionId,
        job: &Arc<Job>,
        step: &Transition,
    ) -> bool {
        let Some(server) = self.entry(connection).map(|entry| entry.server.id.clone()) else {
            return false;
        };
        let mut lasted = job.took();
        let kind = match step.kind {
            TransitionKind::Outcome | TransitionKind::Discovered => {
                let began = self.notifier.began.remove(&(connection, job.id.clone()));
                let heard = |began| Duration::try_from(step.at.duration_since(began)).ok();
                lasted = lasted.or_else(|| heard(job.started_at.or(began)?));
                let (name, to) = (job.title(), &step.to);
                let kind = self.notifier.stats.ended(&server, name, to, step.at, lasted);
                kind.filter(|_| step.kind == TransitionKind::Outcome)
            }
            TransitionKind::Moved if step.to.lost() => {
                self.notifier.began.remove(&(connection, job.id.clone()));
                Some(EventKind::Gone)
            }
            TransitionKind::Moved => {
                let begins = step.to == JobState::Running && step.from != Some(JobState::Running);
                if begins && self.notifier.began.len() < MAX_RUNNING {
                    self.notifier.began.insert((connection, job.id.clone()), step.at);
                }
                begins.then_some(EventKind::Started)
            }
            TransitionKind::AttemptFailed => None,
        };
        let Some(kind) = kind else { return false };
        // The socket often tells that a job began before HTTP tells what it is called.
        if kind == EventKind::Started
            && job.name.is_none()
            && self.notifier.unnamed.len() < MAX_UNNAMED
        {
            let now = self.clock.now().mono;
            self.notifier.unnamed.push((connection, step.clone(), now));
            return false;
        }
        self.notify_of(connection, job, step, kind, lasted)
    }

    /// Tells of jobs that began, once they have a name or it was waited for long enough.
    fn watch_unnamed(&mut self) {
        let now = self.clock.now().mono;
        for (connection, step, since) in std::mem::take(&mut self.notifier.unnamed) {
            let Some(job) = self.jobs.job(connection, &step.job).cloned() else { continue };
            if job.name.is_none() && now.since(since) < NAME {
                self.notifier.unnamed.push((connection, step, since));
            } else {
                // Its step was written when it began.
                self.notify_of(connection, &job, &step, EventKind::Started, None);
            }
        }
    }

    /// Tells of a step if a rule wants it; answers whether it was handed to the history with it.
    fn notify_of(
        &mut self,
        connection: ConnectionId,
        job: &Arc<Job>,
        step: &Transition,
        kind: EventKind,
        lasted: Option<Duration>,
    ) -> bool {
        let Some(entry) = self.entry(connection) else { return false };
        let (server, place) = (entry.server.id.clone(), entry.server.name.clone());
        let what = event_of(entry, job, kind, lasted);
        let decision = self.notifier.decide(&what);
        let trigger = decision.trigger();
        let notice = match kind {
            EventKind::Started => {
                Some(notify::running(&server, &place, job, None, step.at, trigger))
            }
            _ => notify::outcome(&server, &place, job, step, trigger),
        };
        let Some(notice) = notice else { return false };
        self.notifier.remember(RecentEvent { what, notice: notice.clone(), place });
        if !decision.notifies() {
            return false;
        }
        if kind == EventKind::Started {
            // Its step is written as any other.
            let mark = Some(format!("started {} {}", job.id, step.attempt));
            self.announce(notice, mark, decision);
            return false;
        }
        let away = step.while_away;
        let read = self.sees(&server, Some(job.id.as_str()));
        let step = Some((step.clone(), Arc::clone(job)));
        let decision = self.decided(&notice, decision);
        self.history.announce(Announcement {
            step,
            away,
            read,
            decision,
            ..Announcement::of(notice)
        });
        true
    }

    /// A decision as it is stored: with whether the user has muted what it is about.
    fn decided(&self, notice: &Notice, decision: Decision) -> Option<Arc<Decision>> {
        let muted = self.is_muted(notice, decision.event.queue.as_deref());
        Some(Arc::new(Decision { muted, ..decision }))
    }

    /// Looks for what happens without anybody saying so: jobs that take unusually long, connections
    /// that stay lost. To be called about once a second.
    pub(super) fn watch_time(&mut self) {
        self.watch_connections();
        self.watch_unnamed();
        let now = self.clock.now();
        let due = self.notifier.slow_looked.is_none_or(|last| now.mono.since(last) >= SLOW);
        if due && self.notifier.wants(EventKind::Slow) {
            self.notifier.slow_looked = Some(now.mono);
            self.watch_slow_jobs();
        }
    }

    fn watch_slow_jobs(&mut self) {
        let now = self.clock.now();
        let mut slow = Vec::new();
        for entry in &self.servers {
            // What was heard long ago may have ended since.
            if !entry.status.answers() {
                continue;
            }
            let Some(machine) = entry.machine() else { continue };
            for id in machine.job_store().open_ids() {
                let Some(job) = self.jobs.job(entry.connection, id) else { continue };
                let began = self.notifier.began.get(&(entry.connection, id.clone())).copied();
                // What the server says is by its clock, what we saw by ours.
                let said = job.started_at.map(|at| (at, entry.clock_ahead()));
                let began = said.or(began.map(|at| (at, SignedDuration::ZERO)));
                let began = began.filter(|_| job.state == JobState::Running);
                let Some((began, ahead)) = began else { continue };
                let runs = now.wall.duration_since(began).saturating_add(ahead);
                let Ok(runs) = Duration::try_from(runs) else { continue };
                let (server, name) = (&entry.server.id, job.title());
                let Some((usual, slow_from)) = self.notifier.stats.slow(server, name) else {
                    continue;
                };
                let attempt = job.attempt.unwrap_or(1);
                let key = (entry.connection, id.clone(), attempt);
                if runs >= slow_from
                    && entry.watches(job)
                    && !self.notifier.slow_notified.contains(&key)
                {
                    slow.push((key, Arc::clone(job), runs, usual));
                }
            }
        }
        for (key, job, runs, usual) in slow {
            let (connection, id, attempt) = key.clone();
            let Some(entry) = self.entry(connection) else { continue };
            let (server, place) = (entry.server.id.clone(), entry.server.name.clone());
            let what = event_of(entry, &job, EventKind::Slow, Some(runs));
            if self.notifier.slow_notified.len() >= MAX_SLOW {
                self.notifier.slow_notified.clear();
            }
            self.notifier.slow_notified.insert(key);
            let decision = self.notifier.decide(&what);
            let times = Some((runs, usual));
            let trigger = decision.trigger();
            let notice = notify::running(&server, &place, &job, times, now.wall, trigger);
            self.notifier.remember(RecentEvent { what, notice: notice.clone(), place });
            if decision.notifies() {
                let mark = Some(format!("slow {id} {attempt}"));
                self.announce(notice, mark, decision);
            }
        }
    }

    fn watch_connections(&mut self) {
        let now = self.clock.now();
        for connection in self.connections() {
            let Some(entry) = self.entry(connection) else { continue };
            let (server, place) = (entry.server.id.clone(), entry.server.name.clone());
            let reason = entry.status.reason.clone().unwrap_or_default();
            let link = entry.status.state;
            match link {
                ConnectionState::Live | ConnectionState::Polling => {
                    let Some(outage) = self.notifier.outages.remove(&connection) else { continue };
                    if outage.notified {
                        let lasted = now.mono.since(outage.since);
                        self.connection_changed(EventKind::Back, server, place, "", lasted);
                    }
                }
                // The user wants it so.
                ConnectionState::Paused => {
                    self.notifier.outages.remove(&connection);
                }
                ConnectionState::Partly
                | ConnectionState::Connecting
                | ConnectionState::Offline
                | ConnectionState::Refused => {
                    let new = Outage { since: now.mono, notified: false };
                    let outage = self.notifier.outages.entry(connection).or_insert(new);
                    let lasted = now.mono.since(outage.since);
                    if !outage.notified
                        && self.connection_changed(EventKind::Lost, server, place, &reason, lasted)
                        && let Some(outage) = self.notifier.outages.get_mut(&connection)
                    {
                        outage.notified = true;
                    }
                }
            }
        }
    }

    /// Answers whether a rule wants it told.
    fn connection_changed(
        &mut self,
        kind: EventKind,
        server: ServerId,
        place: String,
        reason: &str,
        lasted: Duration,
    ) -> bool {
        let (name, lasted_for) = (String::new(), Some(lasted));
        let (queue, user, watched) = (None, None, false);
        let what = Event { kind, server, name, queue, user, lasted: lasted_for, watched };
        let decision = self.notifier.decide(&what);
        if !decision.notifies() {
            return false;
        }
        let (at, trigger) = (self.clock.now().wall, decision.trigger());
        let notice = notify::connection(&what.server, &place, lasted, reason, at, trigger);
        self.notifier.remember(RecentEvent { what, notice: notice.clone(), place });
        self.announce(notice, None, decision);
        true
    }

    fn announce(&self, notice: Notice, mark: Option<String>, decision: Decision) {
        let read = self.sees(&notice.server, notice.job.as_ref().map(JobId::as_str));
        let decision = self.decided(&notice, decision);
        self.history.announce(Announcement { mark, read, decision, ..Announcement::of(notice) });
    }

    /// The job that a notice is about, as it is now.
    pub(super) fn job_of(&self, notice: &Notice) -> Option<&Arc<Job>> {
        let connection = self.connection_of(&notice.server.0)?;
        self.jobs.job(connection, notice.job.as_ref()?)
    }

    /// What a rule would have told of what happened lately.
    pub(super) fn try_rule(&self, rule: &NoticeRule) -> Result<RuleTrial, UserError> {
        let rule = rule.rule().map_err(super::configure::invalid)?;
        let recent = &self.notifier.recent;
        let told = || recent.iter().rev().filter(|recent| rule.matches(&recent.what));
        let examples = told().take(EXAMPLES).map(|recent| RuleExample {
            title: recent.notice.title.clone(),
            server_name: recent.place.clone(),
            at: recent.notice.at.as_millisecond(),
        });
        let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
        Ok(RuleTrial {
            total: count(recent.len()),
            matched: count(told().count()),
            examples: examples.collect(),
        })
    }
}
