//! What is fetched over HTTP, and when: one round per topic at a time, a dirty mark for what
//! changed meanwhile, few requests at once and no more in a minute than the server takes. Topics
//! that ask the same share the answer.
//!
//! This is bookkeeping only; the machine decides when a topic is due.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::FetchId;
use super::budget::Budget;
use super::shared::{Call, Shared};
use super::status::Fault;
use crate::dialect::{Ask, FetchRequest, FetchResponse};
use crate::model::{JobId, Topic};
use crate::server::Policy;
use crate::time::Mono;

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
    /// Lines of a job's log.
    Logs(JobId),
    /// What the socket announced, beside all topics.
    Alone,
    /// An action, with the id its answer is expected under.
    Act(FetchId),
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub purpose: Purpose,
    pub ask: Ask,
    /// Other topics that asked the same meanwhile, each in its own words.
    pub also: Vec<(Topic, Ask)>,
    /// What was asked and when, where others may ask the same.
    pub call: Option<(Call, Mono)>,
}

/// The next thing to do for a topic's round.
#[derive(Debug)]
pub(super) enum Step {
    /// Make this request.
    Make(Topic, FetchRequest),
    /// The same has just been answered to another topic.
    Known(Topic, FetchRequest, FetchResponse),
}

/// One complete fetch of a topic: its requests, and those that followed from the answers.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// When it began.
    pub begun: Mono,
    /// Requests under way or waiting.
    pub open: usize,
    /// Requests it began with.
    pub requests: usize,
    /// Further requests taken so far.
    pub pages: usize,
    /// Whether one of them gave a usable answer.
    pub answered: bool,
    /// Why one of them gave no usable answer.
    pub failed: Option<Fault>,
    /// Why one of them did not accept the key.
    pub refused: Option<String>,
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
    /// There is nothing to ask about it over HTTP.
    pub mute: bool,
    /// Rounds failed in a row.
    pub failures: u32,
    /// Why the last one failed, other than for the key.
    pub fault: Option<Fault>,
    /// When its first complete round ended (local clock).
    pub listed: Option<Timestamp>,
    /// When its latest complete round ended (local clock).
    pub listed_last: Option<Timestamp>,
    /// What was reported of the first round: that it failed, or that a complete one has ended.
    pub told: Option<bool>,
    /// When it was last found worth fetching for a reason of its own rather than by routine: only
    /// what was asked since then answers that.
    pub news: Mono,
    /// A list tells all about it: by routine that is waited for.
    pub by_list: bool,
    /// How many looks in a row found its job ended, and until when routine leaves it alone for
    /// that.
    pub rests: u32,
    rests_until: Mono,
    collect: Duration,
    announced: Option<Mono>,
}

/// The table of topics and requests.
#[derive(Debug)]
pub(super) struct Polling {
    /// Requests for topics that may be under way at once.
    parallel: usize,
    budget: Budget,
    shared: Shared,
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
    pub fn new(policy: &Policy) -> Polling {
        Polling {
            parallel: policy.parallel_requests.max(1),
            budget: Budget::new(policy.requests_per_minute),
            shared: Shared::new(policy.poll_fast),
            work: HashMap::new(),
            due: BTreeSet::new(),
            flights: HashMap::new(),
            waiting: VecDeque::new(),
            in_flight: 0,
            lookups: 0,
            last_id: 0,
            hold: None,
            burst: None,
        }
    }

    /// Begins to keep a topic.
    pub fn add(&mut self, topic: &Topic) {
        let work = self.work.entry(topic.clone()).or_insert_with(|| Work::new(false));
        if work.lookup {
            work.lookup = false;
            self.lookups -= 1;
        }
    }

    /// A watched topic is watched anew: it is fetched anew, and its first round reported again.
    pub fn renew(&mut self, topic: &Topic, now: Mono) {
        if let Some(work) = self.work.get_mut(topic) {
            work.told = None;
            work.news = now;
            // What is under way was asked for before.
            work.dirty |= work.round.is_some();
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
        let mut ids = Vec::new();
        for (id, flight) in &mut self.flights {
            flight.also.retain(|(also, _)| also != topic);
            if matches!(&flight.purpose, Purpose::Topic(of) if of == topic) {
                match flight.also.pop() {
                    // The answer is still wanted by another.
                    Some((other, ask)) => {
                        flight.purpose = Purpose::Topic(other);
                        flight.ask = ask;
                    }
                    None => ids.push(*id),
                }
            }
        }
        for id in &ids {
            self.land(*id);
        }
        ids
    }

    /// Gives up all rounds under way, keeping the topics. Answers the requests to abandon.
    pub fn abandon_rounds(&mut self) -> Vec<FetchId> {
        self.waiting.clear();
        self.shared.forget();
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
        work.news = now;
        if work.round.is_some() {
            work.dirty = true;
        } else if work.failures == 0 || work.due.is_none() {
            let at = now.after(work.collect);
            self.schedule(topic, at);
        }
        // A server that gives no usable answer is asked no sooner for what it announces.
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
            work.news = at;
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

    /// A request is made.
    pub fn spend(&mut self, now: Mono) {
        self.budget.spend(now);
    }

    /// When [`Polling::next_step`] or [`Polling::next_due`] may have something to do.
    pub fn deadline(&self) -> Option<Mono> {
        if self.in_flight >= self.parallel {
            return None;
        }
        let first =
            if self.waiting.is_empty() { self.due.first().map(|(at, _)| *at)? } else { Mono(0) };
        Some(first.max(self.budget.free_at()).max(self.hold.unwrap_or_default()))
    }

    fn free(&self, now: Mono) -> bool {
        self.in_flight < self.parallel
            && self.budget.free(now)
            && self.hold.is_none_or(|hold| hold <= now)
    }

    /// Takes a request that waited for its turn, or what answers it already.
    pub fn next_step(&mut self, now: Mono) -> Option<Step> {
        while let Some((topic, request)) = self.waiting.pop_front() {
            let since = self.work.get(&topic).map_or(now, |work| work.news);
            let call = Call::of(&request);
            if let Some((asked, response)) = self.shared.answer(&call, since, now) {
                self.began(&topic, asked);
                return Some(Step::Known(topic, request, response));
            }
            if let Some((id, asked)) = self.shared.under_way(&call, since)
                && let Some(flight) = self.flights.get_mut(&id)
            {
                flight.also.push((topic.clone(), request.ask));
                self.began(&topic, asked);
                continue;
            }
            if self.free(now) {
                return Some(Step::Make(topic, request));
            }
            self.waiting.push_front((topic, request));
            return None;
        }
        None
    }

    /// Part of a round was asked at this moment, perhaps before the round began.
    fn began(&mut self, topic: &Topic, asked: Mono) {
        if let Some(round) = self.round(topic) {
            round.begun = round.begun.min(asked);
        }
    }

    /// Numbers a topic's request that is about to be made.
    pub fn take_off(&mut self, topic: Topic, request: &FetchRequest, now: Mono) -> FetchId {
        let call = Call::of(request);
        let id = self.number(Purpose::Topic(topic), request.ask.clone(), now);
        self.in_flight += 1;
        self.shared.asked(call.clone(), id, now);
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.call = Some((call, now));
        }
        id
    }

    /// Keeps an answer for other topics that ask the same.
    pub fn keep(&mut self, call: Call, asked: Mono, response: FetchResponse) {
        self.shared.keep(call, asked, response);
    }

    /// From now on nothing that was asked before answers anything.
    pub fn distrust(&mut self) {
        self.shared.forget();
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
    pub fn begin(&mut self, topic: &Topic, requests: Vec<FetchRequest>, now: Mono) {
        if let Some(work) = self.work.get_mut(topic) {
            work.dirty = false;
            let count = requests.len();
            let round = Round { begun: now, open: count, requests: count, ..Round::default() };
            work.round = Some(round);
            for request in &requests {
                self.shared.wanted(topic, request);
            }
            self.waiting.extend(requests.into_iter().map(|request| (topic.clone(), request)));
        }
    }

    /// Ends a round that has nothing to wait for.
    pub fn end(&mut self, topic: &Topic) -> Option<Round> {
        self.work.get_mut(topic)?.round.take()
    }

    /// Numbers a request that is about to be made and belongs to no round.
    pub fn number(&mut self, purpose: Purpose, ask: Ask, now: Mono) -> FetchId {
        self.last_id += 1;
        let id = FetchId(self.last_id);
        self.budget.spend(now);
        self.flights.insert(id, Flight { purpose, ask, also: Vec::new(), call: None });
        id
    }

    /// An answer has come; `None` when it is not wanted any more.
    pub fn land(&mut self, id: FetchId) -> Option<Flight> {
        let flight = self.flights.remove(&id)?;
        if matches!(flight.purpose, Purpose::Topic(_)) {
            self.in_flight -= 1;
        }
        if let Some((call, _)) = &flight.call {
            self.shared.landed(call, id);
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
        self.shared.wanted(topic, &request);
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
    /// while the burst lasts. Answers whether there is one: not after a failure, when the next
    /// attempt tells of the change too.
    pub fn again(&mut self, topic: &Topic, now: Mono) -> bool {
        let Some(work) = self.work.get_mut(topic) else { return false };
        if !std::mem::take(&mut work.dirty) || work.failures > 0 {
            return false;
        }
        work.collect = (work.collect * 2).min(COLLECT_LONGEST);
        let at = now.after(work.collect);
        self.postpone(topic, at);
        true
    }

    /// A list that was asked for at `asked` has told all about a topic. By routine it need not be
    /// fetched by itself before `until`, or at all where that is `None`.
    pub fn told_by_list(&mut self, topic: &Topic, asked: Mono, until: Option<Mono>) {
        let Some(work) = self.work.get_mut(topic) else { return };
        if work.lookup || work.round.is_some() || work.news > asked {
            return;
        }
        work.by_list = true;
        // What kept it from being fetched by itself is nobody's trouble any more.
        work.fault = None;
        match until {
            Some(until) if work.due.is_some_and(|due| due < until) => self.postpone(topic, until),
            Some(_) => {}
            None => self.unschedule(topic),
        }
    }

    /// A topic's job has ended: routine leaves it alone until then.
    pub fn rest(&mut self, topic: &Topic, until: Mono) {
        if let Some(work) = self.work.get_mut(topic) {
            work.rests = work.rests.saturating_add(1);
            work.rests_until = until;
        }
    }

    /// A topic's job has not ended, or runs again.
    pub fn rouse(&mut self, topic: &Topic) {
        if let Some(work) = self.work.get_mut(topic) {
            work.rests = 0;
            work.rests_until = Mono(0);
        }
    }

    /// Whether routine leaves a topic alone.
    pub fn rests(&self, topic: &Topic, now: Mono) -> bool {
        self.work(topic).is_some_and(|work| work.rests_until > now)
    }

    /// Whether any request for a topic is under way or due.
    pub fn busy(&self) -> bool {
        self.in_flight > 0 || !self.waiting.is_empty() || !self.due.is_empty()
    }

    /// Whether anything is asked about what is watched.
    pub fn asks(&self) -> bool {
        self.work.values().any(|work| !work.lookup && !work.mute)
    }

    /// From when on the server takes a request that belongs to no topic.
    pub fn free_at(&self) -> Mono {
        self.budget.free_at().max(self.hold.unwrap_or_default())
    }

    /// The clock by which the times of listings were taken was set back by as much (negative).
    pub fn shift_listings(&mut self, by: jiff::SignedDuration) {
        for work in self.work.values_mut() {
            for at in [&mut work.listed, &mut work.listed_last].into_iter().flatten() {
                *at = at.saturating_add(by).unwrap_or(*at);
            }
        }
    }

    /// How much is held: topics, requests under way, requests waiting.
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.work.len(), self.flights.len(), self.waiting.len())
    }
}

impl Work {
    /// Until when routine leaves it alone.
    pub fn rests_until(&self) -> Mono {
        self.rests_until
    }

    fn new(lookup: bool) -> Work {
        Work {
            lookup,
            due: None,
            round: None,
            dirty: false,
            mute: false,
            failures: 0,
            fault: None,
            listed: None,
            listed_last: None,
            told: None,
            news: Mono(0),
            by_list: false,
            rests: 0,
            rests_until: Mono(0),
            collect: COLLECT,
            announced: None,
        }
    }
}
