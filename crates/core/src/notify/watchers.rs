//! What happens without a report of it: connections that stay lost, jobs that take unusually long,
//! and names of jobs that arrive after the job began.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::World;
use super::rules::EventKind;
use super::stats::RunStats;
use crate::jobs::Transition;
use crate::model::{Job, JobId, JobState};
use crate::server::ServerId;
use crate::time::{Mono, Now};

/// Between two looks for jobs that take unusually long.
const SLOW_EVERY: Duration = Duration::from_secs(5);
/// How long a notice that a job began waits for the job's name.
const NAME_WAIT: Duration = Duration::from_secs(5);
/// Jobs whose names are waited for.
const MAX_UNNAMED: usize = 1_000;
/// Running jobs whose beginnings are remembered.
const MAX_RUNNING: usize = 50_000;
/// Slow jobs that were notified; beyond it the ledger alone prevents a second notice.
const MAX_SLOW: usize = 10_000;

/// How a server's connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach<'a> {
    /// The server answers.
    Up,
    /// The user disconnected it.
    Paused,
    /// It is not reached, for this reason.
    Down(&'a str),
}

#[derive(Debug)]
struct Outage {
    since: Mono,
    notified: bool,
}

/// A connection that was lost for so long, or is back.
#[derive(Debug)]
pub(super) struct ConnectionChange {
    pub server: ServerId,
    pub kind: EventKind,
    pub lasted: Duration,
    pub reason: String,
}

/// A job that takes unusually long.
#[derive(Debug)]
pub(super) struct SlowJob {
    pub server: ServerId,
    pub job: Arc<Job>,
    pub runs: Duration,
    pub usual: Duration,
}

/// A job that began, without a name so far.
#[derive(Debug)]
pub(super) struct Unnamed {
    pub server: ServerId,
    pub step: Transition,
    since: Mono,
}

#[derive(Debug, Default)]
pub(super) struct Watchers {
    outages: HashMap<ServerId, Outage>,
    /// When jobs were seen to begin, for servers that do not report it (yet).
    began: HashMap<(ServerId, JobId), Timestamp>,
    slow: HashSet<(ServerId, JobId, u32)>,
    looked_for_slow: Option<Mono>,
    unnamed: Vec<Unnamed>,
}

impl Watchers {
    /// A job was seen to begin.
    pub(super) fn began(&mut self, server: &ServerId, job: &JobId, at: Timestamp) {
        if self.began.len() < MAX_RUNNING {
            self.began.insert((server.clone(), job.clone()), at);
        }
    }

    /// A job is over: when it was seen to begin, if it was.
    pub(super) fn ended(&mut self, server: &ServerId, job: &JobId) -> Option<Timestamp> {
        self.began.remove(&(server.clone(), job.clone()))
    }

    /// Waits for the name of a job that began. Whether there is room to wait.
    pub(super) fn wait_for_name(
        &mut self,
        server: &ServerId,
        step: &Transition,
        now: Mono,
    ) -> bool {
        let room = self.unnamed.len() < MAX_UNNAMED;
        if room {
            let (server, step) = (server.clone(), step.clone());
            self.unnamed.push(Unnamed { server, step, since: now });
        }
        room
    }

    /// Jobs whose names have arrived, or were waited for long enough.
    pub(super) fn named(&mut self, now: Mono, world: World<'_>) -> Vec<(Unnamed, Arc<Job>)> {
        let mut named = Vec::new();
        for waiting in std::mem::take(&mut self.unnamed) {
            let Some(job) = world.servers.job(&waiting.server, &waiting.step.job) else { continue };
            if job.name.is_none() && now.since(waiting.since) < NAME_WAIT {
                self.unnamed.push(waiting);
            } else {
                named.push((waiting, job));
            }
        }
        named
    }

    /// Connections that are lost and were not notified, and those that are back and were.
    pub(super) fn connections(&mut self, now: Mono, world: World<'_>) -> Vec<ConnectionChange> {
        let mut changes = Vec::new();
        let mut change = |server: &ServerId, kind, outage: &Outage, reason: &str| {
            let (server, lasted) = (server.clone(), now.since(outage.since));
            changes.push(ConnectionChange { server, kind, lasted, reason: reason.to_owned() });
        };
        let outages = &mut self.outages;
        outages.retain(|server, _| world.servers.server_name(server).is_some());
        world.servers.connections(&mut |server, reach| match reach {
            Reach::Up => {
                if let Some(outage) = outages.remove(server).filter(|outage| outage.notified) {
                    change(server, EventKind::Back, &outage, "");
                }
            }
            Reach::Paused => {
                outages.remove(server);
            }
            Reach::Down(reason) => {
                let new = Outage { since: now, notified: false };
                let outage = outages.entry(server.clone()).or_insert(new);
                if !outage.notified {
                    change(server, EventKind::Lost, outage, reason);
                }
            }
        });
        changes
    }

    /// A notice of a lost connection was recorded.
    pub(super) fn loss_notified(&mut self, server: &ServerId) {
        if let Some(outage) = self.outages.get_mut(server) {
            outage.notified = true;
        }
    }

    /// Whether slow jobs are to be looked for now.
    pub(super) fn looks_for_slow(&mut self, now: Mono) -> bool {
        let due = self.looked_for_slow.is_none_or(|last| now.since(last) >= SLOW_EVERY);
        if due {
            self.looked_for_slow = Some(now);
        }
        due
    }

    /// Jobs that take unusually long, each attempt once.
    pub(super) fn slow_jobs(
        &mut self,
        stats: &RunStats,
        now: Now,
        world: World<'_>,
    ) -> Vec<SlowJob> {
        let mut slow = Vec::new();
        let began = &self.began;
        let known = &self.slow;
        world.servers.running(&mut |server, job, ahead| {
            // The server's times are by its clock, what was seen here by ours.
            let own =
                || Some((*began.get(&(server.clone(), job.id.clone()))?, SignedDuration::ZERO));
            let began = job.started_at.map(|at| (at, ahead)).or_else(own);
            let Some((began, ahead)) = began.filter(|_| job.state == JobState::Running) else {
                return;
            };
            let runs = now.wall.duration_since(began).saturating_add(ahead);
            let Ok(runs) = Duration::try_from(runs) else { return };
            let Some((usual, slow_from)) = stats.slow(server, job.title()) else { return };
            let attempt = job.attempt.unwrap_or(1);
            if runs >= slow_from
                && !known.contains(&(server.clone(), job.id.clone(), attempt))
                && world.servers.watch(server, job).watched
            {
                slow.push(SlowJob { server: server.clone(), job: Arc::clone(job), runs, usual });
            }
        });
        for SlowJob { server, job, .. } in &slow {
            if self.slow.len() >= MAX_SLOW {
                self.slow.clear();
            }
            self.slow.insert((server.clone(), job.id.clone(), job.attempt.unwrap_or(1)));
        }
        slow
    }

    /// Forgets a server that was removed.
    pub(super) fn forget(&mut self, server: &ServerId) {
        self.outages.remove(server);
        self.began.retain(|(of, _), _| of != server);
        self.slow.retain(|(of, ..)| of != server);
        self.unnamed.retain(|of| of.server != *server);
    }
}
