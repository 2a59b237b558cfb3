//! What is fetched over HTTP, and when: one round per topic at a time, a dirty mark for what
//! changed meanwhile, few requests at once and no more in a minute than the server takes. Topics
//! that ask the same share the answer.
//!
//! This is bookkeeping only; the machine decides when a topic is due.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::FetchId;
use super::intake::TakenIn;
use super::shared::{Call, Shared};
use super::work::{COLLECT, Class, Flight, LOOKS, Purpose, Round, Step, Work};
use crate::dialect::oversized::Read;
use crate::dialect::{Ask, FetchRequest};
use crate::model::Topic;
use crate::rate_limit::RequestBudget;
use crate::server::Policy;
use crate::time::Mono;

/// How many further requests (pages, details) one round may take.
pub(super) const MAX_PAGES: usize = 200;

/// How many single jobs may wait to be looked up besides the topics.
pub(super) const MAX_LOOKUPS: usize = 256;

/// More single jobs than this announced as changed are fetched as one list instead.
pub(super) const FEW_LOOKUPS: usize = 4;

/// The longest that announcements are collected while they keep coming.
const COLLECT_LONGEST: Duration = Duration::from_secs(1);

/// Announcements further apart than this are separate bursts.
const BURST: Duration = Duration::from_secs(2);

/// The table of topics and requests.
#[derive(Debug)]
pub(super) struct Polling {
    /// Requests for topics that may be under way at once.
    parallel: usize,
    budget: RequestBudget,
    shared: Shared,
    work: HashMap<Topic, Work>,
    /// By class, and then by time.
    due: [BTreeSet<(Mono, Topic)>; 3],
    /// The last that routine began was a list, so that a single job is next.
    list_was_last: bool,
    flights: HashMap<FetchId, Flight>,
    waiting: VecDeque<(Topic, FetchRequest)>,
    /// Requests of which the answer to another is coming in parts already: they wait for its end.
    deferred: Vec<(Topic, FetchRequest)>,
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
            budget: RequestBudget::new(policy.requests_per_minute),
            shared: Shared::new(policy.poll_fast),
            work: HashMap::new(),
            due: Default::default(),
            list_was_last: false,
            flights: HashMap::new(),
            waiting: VecDeque::new(),
            deferred: Vec::new(),
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
        if let Some((class, at)) = work.due {
            self.due[class as usize].remove(&(at, topic.clone()));
        }
        self.waiting.retain(|(waiting, _)| waiting != topic);
        self.deferred.retain(|(deferred, _)| deferred != topic);
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
        self.deferred.clear();
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
        } else if work.round.is_none() && work.due.is_none_or(|(class, _)| class != Class::News) {
            work.collect = (work.collect * 2).min(COLLECT_LONGEST);
        }
        work.announced = Some(now);
        work.news = now;
        if work.round.is_some() {
            work.dirty = true;
        } else if work.failures == 0 || work.due.is_none() {
            let at = now.after(work.collect).max(work.breath());
            self.schedule(topic, Class::News, at);
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

    /// A change of a topic was promised: it is looked for now and several times soon.
    pub fn expect(&mut self, topic: &Topic, now: Mono) {
        let Some(work) = self.work.get_mut(topic) else { return };
        work.looks = LOOKS.iter().map(|span| now.after(*span)).collect();
    }

    /// Looks one job up, besides the topics. Answers whether there was room.
    pub fn look_up(&mut self, topic: &Topic, class: Class, at: Mono) -> bool {
        if let Some(work) = self.work.get_mut(topic) {
            if class == Class::News {
                work.news = at;
            }
            if work.round.is_none() {
                self.schedule(topic, class, at);
            } else if class == Class::News {
                work.dirty = true;
            }
            return true;
        }
        // What happened just now finds room where what is gone through in turn does not.
        let most = if class == Class::News { MAX_LOOKUPS + MAX_LOOKUPS / 2 } else { MAX_LOOKUPS };
        if self.lookups >= most {
            return false;
        }
        self.lookups += 1;
        self.work.insert(topic.clone(), Work::new(true));
        self.schedule(topic, class, at);
        true
    }

    pub fn lookups(&self) -> usize {
        self.lookups
    }

    /// Makes a topic due at `at`, unless it is due earlier or its round is under way. What was
    /// pressing before stays so.
    pub fn schedule(&mut self, topic: &Topic, class: Class, at: Mono) {
        let Some(work) = self.work.get_mut(topic) else { return };
        if work.round.is_some() {
            return;
        }
        let (class, at) = match work.due {
            Some((before, due)) => (before.min(class), due.min(at)),
            None => (class, at),
        };
        if let Some((before, due)) = work.due.replace((class, at)) {
            self.due[before as usize].remove(&(due, topic.clone()));
        }
        self.due[class as usize].insert((at, topic.clone()));
    }

    /// Makes a topic due at `at` by routine.
    pub fn schedule_routine(&mut self, topic: &Topic, at: Mono) {
        self.schedule(topic, Class::of(topic), at);
    }

    /// Makes a topic due at `at`, also if that is later than before.
    pub fn postpone(&mut self, topic: &Topic, class: Class, at: Mono) {
        self.unschedule(topic);
        self.schedule(topic, class, at);
    }

    fn unschedule(&mut self, topic: &Topic) {
        if let Some(work) = self.work.get_mut(topic)
            && let Some((class, before)) = work.due.take()
        {
            self.due[class as usize].remove(&(before, topic.clone()));
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
        let first = if self.waiting.is_empty() {
            let of = |class| {
                let (at, _) = self.first(class)?;
                Some(at.max(self.budget.free_at(class != Class::News)))
            };
            let all = [Class::News, Class::List, Class::Single];
            all.into_iter().filter_map(of).min()?
        } else {
            self.budget.free_at(false)
        };
        Some(first.max(self.hold.unwrap_or_default()))
    }

    /// The first of a class that is due.
    fn first(&self, class: Class) -> Option<(Mono, &Topic)> {
        self.due[class as usize].first().map(|(at, topic)| (*at, topic))
    }

    fn free(&self, class: Class, now: Mono) -> bool {
        self.in_flight < self.parallel
            && self.budget.free_at(class != Class::News) <= now
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
            if self.shared.is_coming(&call) {
                self.deferred.push((topic, request));
                continue;
            }
            if self.free(Class::News, now) {
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
    pub fn keep(&mut self, call: Call, asked: Mono, read: &Read) {
        if read.limit.is_none() && (200..300).contains(&read.response.status) {
            self.shared.keep(call, asked, &read.response);
        }
    }

    /// From now on nothing that was asked before answers anything.
    pub fn distrust(&mut self) {
        self.shared.forget();
    }

    /// Takes a topic whose round should begin.
    pub fn next_due(&mut self, now: Mono) -> Option<Topic> {
        let order = match self.list_was_last {
            true => [Class::News, Class::Single, Class::List],
            false => [Class::News, Class::List, Class::Single],
        };
        let ready = |class: &Class| {
            self.free(*class, now) && self.first(*class).is_some_and(|(at, _)| at <= now)
        };
        let class = order.into_iter().find(ready)?;
        let (_, topic) = self.due[class as usize].pop_first()?;
        if class != Class::News {
            self.list_was_last = class == Class::List;
        }
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
            let round = Round {
                begun: now,
                started: now,
                open: count,
                requests: count,
                ..Round::default()
            };
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

    /// A round has ended now.
    pub fn ended(&mut self, topic: &Topic, round: &Round, now: Mono) {
        if let Some(work) = self.work.get_mut(topic) {
            work.asked = round.begun;
            work.ended = now;
            work.took = round.length(now);
        }
    }

    /// Numbers a request that is about to be made and belongs to no round.
    pub fn number(&mut self, purpose: Purpose, ask: Ask, now: Mono) -> FetchId {
        self.last_id += 1;
        let id = FetchId(self.last_id);
        self.budget.spend(now);
        self.flights
            .insert(id, Flight { purpose, ask, also: Vec::new(), call: None, read: Vec::new() });
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
        self.waiting.extend(self.deferred.drain(..));
        Some(flight)
    }

    /// Part of the answer to a request has come: who asked it, each with what it has read of it.
    /// Nobody asks the same any more, who would miss this part.
    pub fn part_came(&mut self, id: FetchId) -> Vec<(Topic, Ask, TakenIn)> {
        let Some(flight) = self.flights.get_mut(&id) else { return Vec::new() };
        let Purpose::Topic(topic) = &flight.purpose else { return Vec::new() };
        let first = std::iter::once((topic.clone(), flight.ask.clone()));
        let askers: Vec<(Topic, Ask)> = first.chain(flight.also.iter().cloned()).collect();
        if let Some((call, _)) = &flight.call {
            self.shared.part_came(call, id);
        }
        let read = |(topic, ask)| {
            let read = take_read(&mut flight.read, &ask);
            (topic, ask, read)
        };
        askers.into_iter().map(read).collect()
    }

    /// Part of an answer has been read by one who asked.
    pub fn part_read(&mut self, id: FetchId, ask: Ask, read: TakenIn) {
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.read.push((ask, read));
        }
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
        let at = now.after(work.collect).max(work.breath());
        self.postpone(topic, Class::News, at);
        true
    }

    /// A list that was asked for at `asked` has told all about a topic. By routine it need not be
    /// fetched by itself before `until`.
    pub fn told_by_list(&mut self, topic: &Topic, asked: Mono, until: Mono) {
        let Some(work) = self.work.get_mut(topic) else { return };
        if work.lookup || work.round.is_some() || work.news > asked {
            return;
        }
        work.by_list = true;
        // What kept it from being fetched by itself is nobody's trouble any more.
        work.fault = None;
        self.postpone(topic, Class::of(topic), until);
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
        self.in_flight > 0 || !self.waiting.is_empty() || self.due.iter().any(|due| !due.is_empty())
    }

    /// Whether anything is asked about what is watched.
    pub fn asks(&self) -> bool {
        self.work.values().any(|work| !work.lookup && !work.mute)
    }

    /// From when on the server takes a request that belongs to no topic.
    pub fn free_at(&self) -> Mono {
        self.budget.free_at(true).max(self.hold.unwrap_or_default())
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

/// What one who asked has read of an answer that comes in parts, taken from among what others have.
pub(super) fn take_read(all: &mut Vec<(Ask, TakenIn)>, ask: &Ask) -> TakenIn {
    let at = all.iter().position(|(of, _)| of == ask);
    at.map(|at| all.swap_remove(at).1).unwrap_or_default()
}
