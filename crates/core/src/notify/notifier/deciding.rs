//! From what happens to what is recorded.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Notifier, RECENT};
use crate::jobs::{Transition, TransitionKind};
use crate::model::{Job, JobState};
use crate::notify::decision::{ActiveRule, Decision};
use crate::notify::record::Announcement;
use crate::notify::rules::{Event, EventKind};
use crate::notify::stats::RunStats;
use crate::notify::text;
use crate::notify::watchers::{ConnectionChange, SlowJob};
use crate::notify::world::{Effect, RecentEvent, World};
use crate::server::ServerId;
use crate::time::Now;

impl Notifier {
    /// Learns from earlier runs how jobs of a server ended, and how long they took.
    pub fn learn(&mut self, server: &ServerId, jobs: &[Arc<Job>]) {
        let ended = jobs.iter().filter(|job| job.state.terminal() && job.name.is_some());
        let mut ended: Vec<(Timestamp, &Job)> =
            ended.map(|job| (job.finished_at.unwrap_or(job.last_seen), &**job)).collect();
        ended.sort_by_key(|(at, _)| *at);
        for (at, job) in ended {
            self.stats.ended(server, job.title(), &job.state, at, job.took());
        }
    }

    /// Takes in the last ends of earlier runs, oldest first, so that a rule can be tried at once.
    pub fn learn_recent(&mut self, ends: Vec<(ServerId, Transition, Job)>, world: World<'_>) {
        let mut stats = RunStats::default();
        for (server, step, job) in ends {
            let kind = stats.ended(&server, job.title(), &step.to, step.at, job.took());
            let (Some(kind), Some(name)) = (kind, world.servers.server_name(&server)) else {
                continue;
            };
            let event = event_of(&server, &job, kind, job.took(), world);
            let trigger = Decision::of(event.clone(), &[], false).trigger();
            let notice = text::outcome(&server, name, &job, &step, trigger);
            let Some(notice) = notice else { continue };
            let (server_name, job) = (name.to_owned(), Some(Arc::new(job)));
            self.remember(RecentEvent { event, notice, server_name, job });
        }
    }

    /// A step of a job that is watched. Whether its recording writes the step as well; if not, it is
    /// to be written by itself.
    pub fn step(
        &mut self,
        server: &ServerId,
        job: &Arc<Job>,
        step: &Transition,
        now: Now,
        world: World<'_>,
    ) -> bool {
        let mut lasted = job.took();
        let kind = match step.kind {
            TransitionKind::Outcome | TransitionKind::Discovered => {
                let began = self.watchers.ended(server, &job.id);
                let seen = |began| Duration::try_from(step.at.duration_since(began)).ok();
                lasted = lasted.or_else(|| seen(job.started_at.or(began)?));
                let kind = self.stats.ended(server, job.title(), &step.to, step.at, lasted);
                kind.filter(|_| step.kind == TransitionKind::Outcome)
            }
            TransitionKind::Moved if step.to.lost() => {
                self.watchers.ended(server, &job.id);
                Some(EventKind::Gone)
            }
            TransitionKind::Moved => {
                let begins = step.to == JobState::Running && step.from != Some(JobState::Running);
                if begins {
                    self.watchers.began(server, &job.id, step.at);
                }
                begins.then_some(EventKind::Started)
            }
            TransitionKind::AttemptFailed => None,
        };
        let Some(kind) = kind else { return false };
        // The socket often reports that a job began before HTTP returns its name.
        if kind == EventKind::Started
            && job.name.is_none()
            && self.watchers.wait_for_name(server, step, now.mono)
        {
            return false;
        }
        self.job_event(server, job, step, kind, lasted, world)
    }

    fn job_event(
        &mut self,
        server: &ServerId,
        job: &Arc<Job>,
        step: &Transition,
        kind: EventKind,
        lasted: Option<Duration>,
        world: World<'_>,
    ) -> bool {
        let Some(name) = world.servers.server_name(server) else { return false };
        let decision = self.decide(event_of(server, job, kind, lasted, world));
        let trigger = decision.trigger();
        let notice = match kind {
            EventKind::Started => Some(text::running(server, name, job, None, step.at, trigger)),
            _ => text::outcome(server, name, job, step, trigger),
        };
        let Some(notice) = notice else { return false };
        let announcement = match kind {
            // Its step is written as any other.
            EventKind::Started => Announcement {
                mark: Some(format!("started {} {}", job.id, step.attempt)),
                ..Announcement::of(notice)
            },
            _ => Announcement {
                step: Some(step.clone()),
                away: step.while_away,
                ..Announcement::of(notice)
            },
        };
        let has_step = announcement.step.is_some();
        self.record(announcement, decision, Some(job), name) && has_step
    }

    /// What the rules decide; whether it is muted is known once it has words.
    fn decide(&self, event: Event) -> Decision {
        Decision::of(event, &self.settings.rules, false)
    }

    /// Remembers an event, and records it where a rule matches. Whether one does.
    fn record(
        &mut self,
        announcement: Announcement,
        mut decision: Decision,
        job: Option<&Arc<Job>>,
        server_name: &str,
    ) -> bool {
        let notice = announcement.notice.clone();
        let (event, server_name) = (decision.event.clone(), server_name.to_owned());
        let queue = event.queue.as_deref();
        decision.muted = self.settings.muted.iter().any(|muted| muted.mutes(&notice, queue));
        let notifies = decision.notifies();
        if notifies {
            self.effects.push(Effect::Record(Box::new(Announcement {
                read: self.attention.sees(&notice.server, notice.job.as_ref()),
                job: job.cloned(),
                decision: Some(Arc::new(decision)),
                ..announcement
            })));
        }
        self.remember(RecentEvent { event, notice, server_name, job: job.cloned() });
        notifies
    }

    fn remember(&mut self, event: RecentEvent) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(event);
    }

    /// Looks for what happens without a report, and for the end of do-not-disturb. To be called
    /// about once a second, since the wall clock may be set, and the machine may sleep. `zone` is
    /// where the user is by now.
    pub fn tick(&mut self, now: Now, zone: TimeZone, world: World<'_>) {
        self.zone = zone;
        self.end_dnd(now, world);
        for change in self.watchers.connections(now.mono, world) {
            self.connection_changed(change, now, world);
        }
        for (unnamed, job) in self.watchers.named(now.mono, world) {
            // Its step was written when it began.
            let (server, step) = (&unnamed.server, &unnamed.step);
            self.job_event(server, &job, step, EventKind::Started, None, world);
        }
        let wanted = |rule: &ActiveRule| rule.rule.kinds.contains(&EventKind::Slow);
        if self.settings.rules.iter().any(wanted) && self.watchers.looks_for_slow(now.mono) {
            for slow in self.watchers.slow_jobs(&self.stats, now, world) {
                self.slow_job(&slow, now, world);
            }
        }
    }

    fn connection_changed(&mut self, change: ConnectionChange, now: Now, world: World<'_>) {
        let ConnectionChange { server, kind, lasted, reason } = change;
        let Some(server_name) = world.servers.server_name(&server) else { return };
        let (name, queue, user, watched) = (String::new(), None, None, false);
        let lasted_for = Some(lasted);
        let event =
            Event { kind, server: server.clone(), name, queue, user, lasted: lasted_for, watched };
        let decision = self.decide(event);
        // A loss is looked at again every second, until it has lasted long enough.
        if !decision.notifies() {
            return;
        }
        let trigger = decision.trigger();
        let notice = text::connection(&server, server_name, lasted, &reason, now.wall, trigger);
        self.record(Announcement::of(notice), decision, None, server_name);
        if kind == EventKind::Lost {
            self.watchers.loss_notified(&server);
        }
    }

    fn slow_job(&mut self, slow: &SlowJob, now: Now, world: World<'_>) {
        let SlowJob { server, job, runs, usual } = slow;
        let Some(name) = world.servers.server_name(server) else { return };
        let decision = self.decide(event_of(server, job, EventKind::Slow, Some(*runs), world));
        let (times, trigger) = (Some((*runs, *usual)), decision.trigger());
        let notice = text::running(server, name, job, times, now.wall, trigger);
        let mark = Some(format!("slow {} {}", job.id, job.attempt.unwrap_or(1)));
        let announcement = Announcement { mark, ..Announcement::of(notice) };
        self.record(announcement, decision, Some(job), name);
    }
}

/// What happened to a job, in the words of rules.
fn event_of(
    server: &ServerId,
    job: &Job,
    kind: EventKind,
    lasted: Option<Duration>,
    world: World<'_>,
) -> Event {
    Event {
        kind,
        server: server.clone(),
        name: job.title().to_owned(),
        queue: job.queue.clone(),
        user: job.user.clone(),
        lasted,
        watched: world.servers.watch(server, job).closely,
    }
}
