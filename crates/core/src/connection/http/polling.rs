//! What is fetched over HTTP, and when: one cycle per topic at a time, a dirty mark for what
//! changed meanwhile, few requests at once and no more in a minute than the server takes. Topics
//! that ask the same share the answer.
//!
//! This is bookkeeping only; the machine decides when a topic is due.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::single_flight::SingleFlight;
use super::topic_state::{COLLECT, Class, FetchCycle, Flight, Purpose, RECHECKS, TopicState};
use crate::connection::FetchId;
use crate::dialect::FetchRequest;
use crate::model::Topic;
use crate::rate_limit::RequestBudget;
use crate::server::Policy;
use crate::time::Mono;

/// How many further requests (pages, details) one cycle may take.
pub(in crate::connection) const MAX_PAGES: usize = 200;

/// How many single jobs may wait to be looked up besides the topics.
pub(in crate::connection) const MAX_LOOKUPS: usize = 256;

/// More single jobs than this announced as changed are fetched as one list instead.
pub(in crate::connection) const FEW_LOOKUPS: usize = 4;

/// The longest that announcements are collected while they keep coming.
const COLLECT_LONGEST: Duration = Duration::from_secs(1);

/// Announcements further apart than this are separate bursts.
const BURST: Duration = Duration::from_secs(2);

mod requests;

pub(in crate::connection) use requests::take_read;

/// The table of topics and requests.
#[derive(Debug)]
pub(in crate::connection) struct Polling {
    /// Requests for topics that may be under way at once.
    parallel: usize,
    budget: RequestBudget,
    single_flight: SingleFlight,
    topics: HashMap<Topic, TopicState>,
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
            single_flight: SingleFlight::new(policy.poll_fast),
            topics: HashMap::new(),
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
        let known = self.topics.entry(topic.clone()).or_insert_with(|| TopicState::new(false));
        if known.lookup {
            known.lookup = false;
            self.lookups -= 1;
        }
    }

    /// A watched topic is watched anew: it is fetched anew, and its first cycle reported again.
    pub fn renew(&mut self, topic: &Topic, now: Mono) {
        if let Some(known) = self.topics.get_mut(topic) {
            known.reported = None;
            known.urgent_since = now;
            // What is under way was asked for before.
            known.dirty |= known.cycle.is_some();
        }
    }

    /// Forgets a topic. Answers the requests whose answers are not wanted any more.
    pub fn remove(&mut self, topic: &Topic) -> Vec<FetchId> {
        let Some(known) = self.topics.remove(topic) else { return Vec::new() };
        if known.lookup {
            self.lookups -= 1;
        }
        if let Some((class, at)) = known.due {
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

    /// Something about a topic changed: fetch it soon, together with what else is announced.
    pub fn announce(&mut self, topic: &Topic, now: Mono) {
        let Some(known) = self.topics.get_mut(topic) else { return };
        if known.announced.is_none_or(|at| now.since(at) > BURST) {
            known.collect = COLLECT;
        } else if known.cycle.is_none() && known.due.is_none_or(|(class, _)| class != Class::Urgent)
        {
            known.collect = (known.collect * 2).min(COLLECT_LONGEST);
        }
        known.announced = Some(now);
        known.urgent_since = now;
        if known.cycle.is_some() {
            known.dirty = true;
        } else if known.failures == 0 || known.due.is_none() {
            let at = now.after(known.collect).max(known.breath());
            self.schedule(topic, Class::Urgent, at);
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
    pub fn expect_change(&mut self, topic: &Topic, now: Mono) {
        let Some(known) = self.topics.get_mut(topic) else { return };
        known.rechecks = RECHECKS.iter().map(|span| now.after(*span)).collect();
    }

    /// Looks one job up, besides the topics. Answers whether there was room.
    pub fn look_up(&mut self, topic: &Topic, class: Class, at: Mono) -> bool {
        if let Some(known) = self.topics.get_mut(topic) {
            if class == Class::Urgent {
                known.urgent_since = at;
            }
            if known.cycle.is_none() {
                self.schedule(topic, class, at);
            } else if class == Class::Urgent {
                known.dirty = true;
            }
            return true;
        }
        // What happened just now finds room where what is gone through in turn does not.
        let most = if class == Class::Urgent { MAX_LOOKUPS + MAX_LOOKUPS / 2 } else { MAX_LOOKUPS };
        if self.lookups >= most {
            return false;
        }
        self.lookups += 1;
        self.topics.insert(topic.clone(), TopicState::new(true));
        self.schedule(topic, class, at);
        true
    }

    pub fn lookups(&self) -> usize {
        self.lookups
    }

    /// Makes a topic due at `at`, unless it is due earlier or its cycle is under way. What was
    /// pressing before stays so.
    pub fn schedule(&mut self, topic: &Topic, class: Class, at: Mono) {
        let Some(known) = self.topics.get_mut(topic) else { return };
        if known.cycle.is_some() {
            return;
        }
        let (class, at) = match known.due {
            Some((before, due)) => (before.min(class), due.min(at)),
            None => (class, at),
        };
        if let Some((before, due)) = known.due.replace((class, at)) {
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
        if let Some(known) = self.topics.get_mut(topic)
            && let Some((class, before)) = known.due.take()
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
                Some(at.max(self.budget.free_at(class != Class::Urgent)))
            };
            let all = [Class::Urgent, Class::List, Class::Single];
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
            && self.budget.free_at(class != Class::Urgent) <= now
            && self.hold.is_none_or(|hold| hold <= now)
    }

    /// Takes a topic whose cycle should begin.
    pub fn next_due(&mut self, now: Mono) -> Option<Topic> {
        let order = match self.list_was_last {
            true => [Class::Urgent, Class::Single, Class::List],
            false => [Class::Urgent, Class::List, Class::Single],
        };
        let ready = |class: &Class| {
            self.free(*class, now) && self.first(*class).is_some_and(|(at, _)| at <= now)
        };
        let class = order.into_iter().find(ready)?;
        let (_, topic) = self.due[class as usize].pop_first()?;
        if class != Class::Urgent {
            self.list_was_last = class == Class::List;
        }
        if let Some(known) = self.topics.get_mut(&topic) {
            known.due = None;
        }
        Some(topic)
    }

    pub fn cycle(&mut self, topic: &Topic) -> Option<&mut FetchCycle> {
        self.topics.get_mut(topic)?.cycle.as_mut()
    }

    pub fn topic(&self, topic: &Topic) -> Option<&TopicState> {
        self.topics.get(topic)
    }

    pub fn topic_mut(&mut self, topic: &Topic) -> Option<&mut TopicState> {
        self.topics.get_mut(topic)
    }

    /// After a cycle during which a change was announced: one more, a little later each time
    /// while the burst lasts. Answers whether there is one: not after a failure, when the next
    /// attempt tells of the change too.
    pub fn again(&mut self, topic: &Topic, now: Mono) -> bool {
        let Some(known) = self.topics.get_mut(topic) else { return false };
        if !std::mem::take(&mut known.dirty) || known.failures > 0 {
            return false;
        }
        known.collect = (known.collect * 2).min(COLLECT_LONGEST);
        let at = now.after(known.collect).max(known.breath());
        self.postpone(topic, Class::Urgent, at);
        true
    }

    /// A list that was asked for at `asked` has told all about a topic. By routine it need not be
    /// fetched by itself before `until`.
    pub fn covered_by_list(&mut self, topic: &Topic, asked: Mono, until: Mono) {
        let Some(known) = self.topics.get_mut(topic) else { return };
        if known.lookup || known.cycle.is_some() || known.urgent_since > asked {
            return;
        }
        known.by_list = true;
        // What kept it from being fetched by itself is nobody's trouble any more.
        known.fault = None;
        self.postpone(topic, Class::of(topic), until);
    }

    /// A topic's job has ended: routine leaves it alone until then.
    pub fn suspend(&mut self, topic: &Topic, until: Mono) {
        if let Some(known) = self.topics.get_mut(topic) {
            known.suspensions = known.suspensions.saturating_add(1);
            known.suspended_until = until;
        }
    }

    /// A topic's job has not ended, or runs again.
    pub fn resume(&mut self, topic: &Topic) {
        if let Some(known) = self.topics.get_mut(topic) {
            known.suspensions = 0;
            known.suspended_until = Mono(0);
        }
    }

    /// Whether routine leaves a topic alone.
    pub fn is_suspended(&self, topic: &Topic, now: Mono) -> bool {
        self.topic(topic).is_some_and(|known| known.suspended_until > now)
    }

    /// Whether any request for a topic is under way or due.
    pub fn busy(&self) -> bool {
        self.in_flight > 0 || !self.waiting.is_empty() || self.due.iter().any(|due| !due.is_empty())
    }

    /// Whether anything is asked about what is watched.
    pub fn asks(&self) -> bool {
        self.topics.values().any(|known| !known.lookup && !known.mute)
    }

    /// From when on the server takes a request that belongs to no topic.
    pub fn free_at(&self) -> Mono {
        self.budget.free_at(true).max(self.hold.unwrap_or_default())
    }

    /// The clock by which the times of listings were taken was set back by as much (negative).
    pub fn shift_listings(&mut self, by: jiff::SignedDuration) {
        for known in self.topics.values_mut() {
            for at in [&mut known.listed, &mut known.listed_last].into_iter().flatten() {
                *at = at.saturating_add(by).unwrap_or(*at);
            }
        }
    }

    /// How much is held: topics, requests under way, requests waiting.
    pub fn sizes(&self) -> (usize, usize, usize) {
        (self.topics.len(), self.flights.len(), self.waiting.len())
    }
}
