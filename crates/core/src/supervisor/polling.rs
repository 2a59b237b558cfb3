//! What is fetched over HTTP, and when: one round per topic at a time, a dirty mark for what
//! changed meanwhile, few requests at once.
//!
//! This is bookkeeping only; the machine decides when a topic is due.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::FetchId;
use crate::dialect::{Ask, FetchRequest};
use crate::model::{JobId, Topic};
use crate::time::Mono;

/// How many requests for topics may be under way at once.
pub(super) const MAX_IN_FLIGHT: usize = 6;

/// How many further requests (pages, details) one round may take.
pub(super) const MAX_PAGES: usize = 200;

/// How many single jobs may wait to be looked up besides the topics.
pub(super) const MAX_LOOKUPS: usize = 256;

/// More single jobs than this announced as changed are fetched as one list instead.
pub(super) const FEW_LOOKUPS: usize = 4;

/// How long announcements of a change are collected before the fetch; doubled up to the longest
/// while they keep coming.
pub(super) const COLLECT: Duration = Duration::from_millis(100);
const COLLECT_LONGEST: Duration = Duration::from_secs(1);

/// Announcements further apart than this are separate bursts.
const BURST: Duration = Duration::from_secs(2);

/// Why a request was made.
#[derive(Clone, Debug)]
pub(super) enum Purpose {
    /// Part of a topic's round.
    Topic(Topic),
    /// Earlier log lines of a job.
    Logs,
    /// An action, with the id its answer is expected under.
    Act(FetchId),
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub purpose: Purpose,
    pub ask: Ask,
}

/// One complete fetch of a topic: its requests, and those that followed from the answers.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Requests under way or waiting.
    pub open: usize,
    /// Requests it began with.
    pub requests: usize,
    /// Further requests taken so far.
    pub pages: usize,
    /// Why one of them gave no usable answer.
    pub failed: Option<String>,
    /// The jobs it showed.
    pub seen: HashSet<JobId>,
    /// The server said that it does not know the topic's own job, which answers the round whatever
    /// status that was said with.
    pub gone: bool,
}

/// What is known about fetching one topic.
#[derive(Debug)]
pub(super) struct Work {
    /// Looked up once, not watched.
    pub lookup: bool,
    pub due: Option<Mono>,
    pub round: Option<Round>,
    pub dirty: bool,
    /// Rounds failed in a row.
    pub failures: u32,
    /// When its first complete round ended (local clock).
    pub listed: Option<Timestamp>,
    /// When its latest complete round ended (local clock).
    pub listed_last: Option<Timestamp>,
    /// What was reported of the first round: that it failed, or that a complete one has ended.
    pub told: Option<bool>,
    collect: Duration,
    announced: Option<Mono>,
}

/// The table of topics and requests.
#[derive(Debug, Default)]
pub(super) struct Polling {
    work: HashMap<Topic, Work>,
    due: BTreeSet<(Mono, Topic)>,
    flights: HashMap<FetchId, Flight>,
    waiting: VecDeque<(Topic, FetchRequest)>,
    /// Requests for topics under way.
    in_flight: usize,
    lookups: usize,
    last_id: u64,
    /// Until then the server wants no requests.
    hold: Option<Mono>,
    /// When the present burst of announced jobs began, and how many were looked up alone.
    burst: Option<(Mono, usize)>,
}

impl Polling {
    /// Begins to keep a topic.
    pub fn add(&mut self, topic: &Topic) {
        let work = self.work.entry(topic.clone()).or_insert_with(|| Work::new(false));
        if work.lookup {
            work.lookup = false;
            self.lookups -= 1;
        }
    }

    /// A watched topic is watched anew: its first round will be reported again.
    pub fn renew(&mut self, topic: &Topic) {
        if let Some(work) = self.work.get_mut(topic) {
            work.told = None;
        }
    }

    /// Forgets a topic. Answers the requests whose answers are not wanted any more.
    pub fn remove(&mut self, topic: &Topic) -> Vec<FetchId> {
        let Some(work) = self.work.remove(topic) else { return Vec::new() };
        if work.lookup {
            self.lookups -= 1;
        }
        if let Some(at) = work.due {
            self.due.remove(&(at, topic.clone()));
        }
        self.waiting.retain(|(waiting, _)| waiting != topic);
        let ids: Vec<FetchId> = self
            .flights
            .iter()
            .filter(|(_, f)| matches!(&f.purpose, Purpose::Topic(of) if of == topic))
            .map(|(id, _)| *id)
            .collect();
        for id in &ids {
            self.flights.remove(id);
            self.in_flight -= 1;
        }
        ids
    }

    /// Gives up all rounds under way, keeping the topics. Answers the requests to abandon.
    pub fn abandon_rounds(&mut self) -> Vec<FetchId> {
        self.waiting.clear();
        for work in self.work.values_mut() {
            work.round = None;
            work.dirty = false;
        }
        let mut ids: Vec<FetchId> = self
            .flights
            .iter()
            .filter(|(_, flight)| !matches!(flight.purpose, Purpose::Act(_)))
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        for id in &ids {
            self.flights.remove(id);
        }
        self.in_flight = 0;
        let lookups: Vec<Topic> = self
            .work
            .iter()
            .filter(|(_, work)| work.lookup)
            .map(|(topic, _)| topic.clone())
            .collect();
        for topic in lookups {
            self.remove(&topic);
        }
        ids
    }

    /// Something about a topic changed: fetch it soon, together with what else is announced.
    pub fn announce(&mut self, topic: &Topic, now: Mono) {
        let Some(work) = self.work.get_mut(topic) else { return };
        if work.announced.is_none_or(|at| now.since(at) > BURST) {
            work.collect = COLLECT;
        } else if work.due.is_none() && work.round.is_none() {
            work.collect = (work.collect * 2).min(COLLECT_LONGEST);
        }
        work.announced = Some(now);
        if work.round.is_some() {
            work.dirty = true;
        } else {
            let at = now.after(work.collect);
            self.schedule(topic, at);
        }
    }

    /// Whether a job announced as changed may be looked up alone: not when many are announced.
    pub fn few_announced(&mut self, now: Mono) -> bool {
        if self.burst.is_none_or(|(since, _)| now.since(since) > BURST) {
            self.burst = Some((now, 0));
        }
        match &mut self.burst {
            Some((_, count)) if *count < FEW_LOOKUPS => {
                *count += 1;
                true
            }
            _ => false,
        }
    }

    /// Looks one job up, besides the topics. Answers whether there was room.
    pub fn look_up(&mut self, topic: &Topic, at: Mono) -> bool {
        if let Some(work) = self.work.get_mut(topic) {
            if work.round.is_some() {
                work.dirty = true;
            } else {
                self.schedule(topic, at);
            }
            return true;
        }
        if self.lookups >= MAX_LOOKUPS {
            return false;
        }
        self.lookups += 1;
        self.work.insert(topic.clone(), Work::new(true));
        self.schedule(topic, at);
        true
    }

    pub fn lookups(&self) -> usize {
        self.lookups
    }

    /// Makes a topic due at `at`, unless it is due earlier or its round is under way.
    pub fn schedule(&mut self, topic: &Topic, at: Mono) {
        let Some(work) = self.work.get_mut(topic) else { return };
        if work.round.is_some() || work.due.is_some_and(|due| due <= at) {
            return;
        }
        if let Some(before) = work.due.replace(at) {
            self.due.remove(&(before, topic.clone()));
        }
        self.due.insert((at, topic.clone()));
    }

    /// Makes a topic due at `at`, also if that is later than before.
    pub fn postpone(&mut self, topic: &Topic, at: Mono) {
        self.unschedule(topic);
        self.schedule(topic, at);
    }

    pub fn unschedule(&mut self, topic: &Topic) {
        if let Some(work) = self.work.get_mut(topic)
            && let Some(before) = work.due.take()
        {
            self.due.remove(&(before, topic.clone()));
        }
    }

    /// The server wants no requests for a while.
    pub fn hold(&mut self, until: Mono) {
        self.hold = self.hold.max(Some(until));
    }

    /// Whether the server wants no requests now.
    pub fn held(&self, now: Mono) -> bool {
        self.hold.is_some_and(|hold| hold > now)
    }

    pub fn release(&mut self) {
        self.hold = None;
    }

    /// When [`Polling::next_request`] or [`Polling::next_due`] may have something to do.
    pub fn deadline(&self) -> Option<Mono> {
        if self.in_flight >= MAX_IN_FLIGHT {
            return None;
        }
        let first =
            if self.waiting.is_empty() { self.due.first().map(|(at, _)| *at)? } else { Mono(0) };
        Some(self.hold.map_or(first, |hold| hold.max(first)))
    }

    fn free(&self, now: Mono) -> bool {
        self.in_flight < MAX_IN_FLIGHT && self.hold.is_none_or(|hold| hold <= now)
    }

    /// Takes a further request that waited for its turn.
    pub fn next_request(&mut self, now: Mono) -> Option<(Topic, FetchRequest)> {
        if self.free(now) { self.waiting.pop_front() } else { None }
    }

    /// Takes a topic whose round should begin.
    pub fn next_due(&mut self, now: Mono) -> Option<Topic> {
        if !self.free(now) || self.due.first().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        let (_, topic) = self.due.pop_first()?;
        if let Some(work) = self.work.get_mut(&topic) {
            work.due = None;
        }
        Some(topic)
    }

    /// Begins the round of a topic.
    pub fn begin(&mut self, topic: &Topic, requests: Vec<FetchRequest>) {
        if let Some(work) = self.work.get_mut(topic) {
            work.dirty = false;
            let count = requests.len();
            work.round = Some(Round { open: count, requests: count, ..Round::default() });
            self.waiting.extend(requests.into_iter().map(|request| (topic.clone(), request)));
        }
    }

    /// Ends a round that has nothing to wait for.
    pub fn end(&mut self, topic: &Topic) -> Option<Round> {
        self.work.get_mut(topic)?.round.take()
    }

    /// Numbers a request that is about to be made.
    pub fn take_off(&mut self, purpose: Purpose, ask: Ask) -> FetchId {
        self.last_id += 1;
        let id = FetchId(self.last_id);
        if matches!(purpose, Purpose::Topic(_)) {
            self.in_flight += 1;
        }
        self.flights.insert(id, Flight { purpose, ask });
        id
    }

    /// An answer has come; `None` when it is not wanted any more.
    pub fn land(&mut self, id: FetchId) -> Option<Flight> {
        let flight = self.flights.remove(&id)?;
        if matches!(flight.purpose, Purpose::Topic(_)) {
            self.in_flight -= 1;
        }
        Some(flight)
    }

    /// Adds a further request to a topic's round. Answers whether the round may take it.
    pub fn follow(&mut self, topic: &Topic, request: FetchRequest) -> bool {
        let Some(round) = self.work.get_mut(topic).and_then(|work| work.round.as_mut()) else {
            return false;
        };
        if round.pages >= MAX_PAGES {
            return false;
        }
        round.pages += 1;
        round.open += 1;
        self.waiting.push_back((topic.clone(), request));
        true
    }

    pub fn round(&mut self, topic: &Topic) -> Option<&mut Round> {
        self.work.get_mut(topic)?.round.as_mut()
    }

    pub fn work(&self, topic: &Topic) -> Option<&Work> {
        self.work.get(topic)
    }

    pub fn work_mut(&mut self, topic: &Topic) -> Option<&mut Work> {
        self.work.get_mut(topic)
    }

    /// One request of the round was answered. Answers the round when it was the last.
    pub fn answered(&mut self, topic: &Topic) -> Option<Round> {
        let work = self.work.get_mut(topic)?;
        let round = work.round.as_mut()?;
        round.open = round.open.saturating_sub(1);
        if round.open == 0 { work.round.take() } else { None }
    }

    /// After a round during which a change was announced: one more, a little later each time
    /// while the burst lasts. Answers whether there is one.
    pub fn again(&mut self, topic: &Topic, now: Mono) -> bool {
        let Some(work) = self.work.get_mut(topic) else { return false };
        if !std::mem::take(&mut work.dirty) {
            return false;
        }
        work.collect = (work.collect * 2).min(COLLECT_LONGEST);
        let at = now.after(work.collect);
        self.postpone(topic, at);
        true
    }

    /// Whether any request for a topic is under way or due.
    pub fn busy(&self) -> bool {
        self.in_flight > 0 || !self.waiting.is_empty() || !self.due.is_empty()
    }

    /// How much is held: topics, requests under way, requests waiting.
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.work.len(), self.flights.len(), self.waiting.len())
    }
}

impl Work {
    fn new(lookup: bool) -> Work {
        Work {
            lookup,
            due: None,
            round: None,
            dirty: false,
            failures: 0,
            listed: None,
            listed_last: None,
            told: None,
            collect: COLLECT,
            announced: None,
        }
    }
}

/// How far the server's clock may lie behind ours before a quick job, first seen ended, is taken
/// for an old one.
const CLOCK_SKEW: jiff::SignedDuration = jiff::SignedDuration::from_secs(300);

/// A moment of our clock as a server whose clock lies behind may name it.
pub(super) fn leniently(moment: jiff::Timestamp) -> jiff::Timestamp {
    moment.checked_sub(CLOCK_SKEW).unwrap_or(moment)
}
