//! Fetch cycles and their requests: waiting for their turn, under way, and shared.

use super::{MAX_PAGES, Polling};
use crate::connection::FetchId;
use crate::connection::http::intake::TakenIn;
use crate::connection::http::single_flight::Call;
use crate::connection::http::topic_state::{Class, FetchCycle, Flight, Purpose, Step};
use crate::dialect::oversized::Read;
use crate::dialect::{Ask, FetchRequest};
use crate::model::Topic;
use crate::time::Mono;

impl Polling {
    /// Takes a request that waited for its turn, or what answers it already.
    pub fn next_step(&mut self, now: Mono) -> Option<Step> {
        while let Some((topic, request)) = self.waiting.pop_front() {
            let since = self.topics.get(&topic).map_or(now, |known| known.urgent_since);
            let call = Call::of(&request);
            if let Some((asked, response)) = self.single_flight.answer(&call, since, now) {
                self.began(&topic, asked);
                return Some(Step::Known(topic, request, response));
            }
            if let Some((id, asked)) = self.single_flight.under_way(&call, since)
                && let Some(flight) = self.flights.get_mut(&id)
            {
                flight.also.push((topic.clone(), request.ask));
                self.began(&topic, asked);
                continue;
            }
            if self.single_flight.is_coming(&call) {
                self.deferred.push((topic, request));
                continue;
            }
            if self.free(Class::Urgent, now) {
                return Some(Step::Make(topic, request));
            }
            self.waiting.push_front((topic, request));
            return None;
        }
        None
    }

    /// Part of a cycle was asked at this moment, perhaps before the cycle began.
    fn began(&mut self, topic: &Topic, asked: Mono) {
        if let Some(cycle) = self.cycle(topic) {
            cycle.begun = cycle.begun.min(asked);
        }
    }

    /// Numbers a topic's request that is about to be made.
    pub fn take_off(&mut self, topic: Topic, request: &FetchRequest, now: Mono) -> FetchId {
        let call = Call::of(request);
        let id = self.number(Purpose::Topic(topic), request.ask.clone(), now);
        self.in_flight += 1;
        self.single_flight.asked(call.clone(), id, now);
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.call = Some((call, now));
        }
        id
    }

    /// Keeps an answer for other topics that ask the same.
    pub fn keep(&mut self, call: Call, asked: Mono, read: &Read) {
        if read.limit.is_none() && (200..300).contains(&read.response.status) {
            self.single_flight.keep(call, asked, &read.response);
        }
    }

    /// From now on nothing that was asked before answers anything.
    pub fn forget_answers(&mut self) {
        self.single_flight.forget();
    }

    /// Numbers a request that is about to be made and belongs to no cycle.
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
            self.single_flight.landed(call, id);
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
            self.single_flight.part_came(call, id);
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

    /// Adds a further request to a topic's cycle. Answers whether the cycle may take it.
    pub fn follow(&mut self, topic: &Topic, request: FetchRequest) -> bool {
        let Some(cycle) = self.topics.get_mut(topic).and_then(|known| known.cycle.as_mut()) else {
            return false;
        };
        if cycle.pages >= MAX_PAGES {
            return false;
        }
        cycle.pages += 1;
        cycle.open += 1;
        self.single_flight.wanted(topic, &request);
        self.waiting.push_back((topic.clone(), request));
        true
    }

    /// Gives up all cycles under way, keeping the topics. Answers the requests to abandon.
    pub fn abandon_cycles(&mut self) -> Vec<FetchId> {
        self.waiting.clear();
        self.deferred.clear();
        self.single_flight.forget();
        for known in self.topics.values_mut() {
            known.cycle = None;
            known.dirty = false;
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
            .topics
            .iter()
            .filter(|(_, known)| known.lookup)
            .map(|(topic, _)| topic.clone())
            .collect();
        for topic in lookups {
            self.remove(&topic);
        }
        ids
    }

    /// Begins the cycle of a topic.
    pub fn begin(&mut self, topic: &Topic, requests: Vec<FetchRequest>, now: Mono) {
        if let Some(known) = self.topics.get_mut(topic) {
            known.dirty = false;
            let count = requests.len();
            let cycle = FetchCycle {
                begun: now,
                started: now,
                open: count,
                requests: count,
                ..FetchCycle::default()
            };
            known.cycle = Some(cycle);
            for request in &requests {
                self.single_flight.wanted(topic, request);
            }
            self.waiting.extend(requests.into_iter().map(|request| (topic.clone(), request)));
        }
    }

    /// Ends a cycle that has nothing to wait for.
    pub fn end(&mut self, topic: &Topic) -> Option<FetchCycle> {
        self.topics.get_mut(topic)?.cycle.take()
    }

    /// A cycle has ended now.
    pub fn ended(&mut self, topic: &Topic, cycle: &FetchCycle, now: Mono) {
        if let Some(known) = self.topics.get_mut(topic) {
            known.asked = cycle.begun;
            known.ended = now;
            known.took = cycle.length(now);
        }
    }

    /// One request of the cycle was answered. Answers the cycle when it was the last.
    pub fn answered(&mut self, topic: &Topic) -> Option<FetchCycle> {
        let known = self.topics.get_mut(topic)?;
        let cycle = known.cycle.as_mut()?;
        cycle.open = cycle.open.saturating_sub(1);
        if cycle.open == 0 { known.cycle.take() } else { None }
    }
}

/// What one who asked has read of an answer that comes in parts, taken from among what others have.
pub(in crate::connection) fn take_read(all: &mut Vec<(Ask, TakenIn)>, ask: &Ask) -> TakenIn {
    let at = all.iter().position(|(of, _)| of == ask);
    at.map(|at| all.swap_remove(at).1).unwrap_or_default()
}
