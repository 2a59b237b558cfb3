//! One answer for all topics that ask the same.
//!
//! Some servers have a list only where one job is asked for, and several topics may be parts of one
//! list. What one of them asks answers the others for a while, unless one has heard news since.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::connection::FetchId;
use crate::dialect::{Address, FetchRequest, FetchResponse, Method};
use crate::model::Topic;
use crate::time::Mono;

/// Answers kept.
const MAX_ANSWERS: usize = 8;
/// Bytes of the answers that are kept for others who ask the same; a larger one is not.
pub const MAX_REUSED: usize = 4 << 20;

/// Requests of which is known who asks them.
const MAX_CALLS: usize = 4_000;

/// Nothing is kept for longer than this, however slowly a server is polled.
const LONGEST: Duration = Duration::from_secs(10);

/// What a request asks of the server, whatever is made of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::connection) struct Call {
    method: Method,
    address: Address,
    body: Option<String>,
}

impl Call {
    pub fn of(request: &FetchRequest) -> Call {
        Call {
            method: request.method,
            address: request.address.clone(),
            body: request.body.clone(),
        }
    }
}

/// Who asks a call.
#[derive(Debug)]
enum Asker {
    One(Topic),
    Many,
}

/// What is under way and what was answered lately, by what was asked.
#[derive(Debug)]
pub(in crate::connection) struct SingleFlight {
    /// How long an answer serves: less than the time between two polls of one topic.
    fresh: Duration,
    askers: HashMap<Call, Asker>,
    flights: HashMap<Call, (FetchId, Mono)>,
    /// Calls of which part of the answer has come.
    coming: HashMap<Call, FetchId>,
    answers: VecDeque<(Call, Mono, FetchResponse)>,
}

impl SingleFlight {
    pub fn new(poll: Duration) -> SingleFlight {
        SingleFlight {
            fresh: (poll * 3 / 4).min(LONGEST),
            askers: HashMap::new(),
            flights: HashMap::new(),
            coming: HashMap::new(),
            answers: VecDeque::new(),
        }
    }

    /// A topic will ask this.
    pub fn wanted(&mut self, topic: &Topic, request: &FetchRequest) {
        if self.askers.len() >= MAX_CALLS {
            self.askers.clear();
        }
        let asker = self.askers.entry(Call::of(request));
        let asker = asker.or_insert_with(|| Asker::One(topic.clone()));
        if matches!(asker, Asker::One(one) if one != topic) {
            *asker = Asker::Many;
        }
    }

    pub fn asked(&mut self, call: Call, id: FetchId, now: Mono) {
        self.flights.insert(call, (id, now));
    }

    /// Part of the answer has come. Who asks the same from now on has missed it.
    pub fn part_came(&mut self, call: &Call, id: FetchId) {
        self.landed(call, id);
        self.coming.insert(call.clone(), id);
    }

    /// Whether part of the answer to the same has come and the rest has not: it is asked again once
    /// that is there, rather than beside it.
    pub fn is_coming(&self, call: &Call) -> bool {
        self.coming.contains_key(call)
    }

    pub fn landed(&mut self, call: &Call, id: FetchId) {
        if self.coming.get(call).is_some_and(|flight| *flight == id) {
            self.coming.remove(call);
        }
        if self.flights.get(call).is_some_and(|(flight, _)| *flight == id) {
            self.flights.remove(call);
        }
    }

    /// The same request, under way since that moment or later.
    pub fn under_way(&self, call: &Call, since: Mono) -> Option<(FetchId, Mono)> {
        self.flights.get(call).filter(|(_, asked)| *asked >= since).copied()
    }

    /// What the same request, made at that moment or later, was answered just now, and when it was
    /// made.
    pub fn answer(&self, call: &Call, since: Mono, now: Mono) -> Option<(Mono, FetchResponse)> {
        let same = |(known, asked, _): &&(Call, Mono, FetchResponse)| {
            known == call && *asked >= since && now.since(*asked) < self.fresh
        };
        self.answers.iter().rev().find(same).map(|(_, asked, response)| (*asked, response.clone()))
    }

    /// Keeps an answer if another topic asks the same, within bounds.
    pub fn keep(&mut self, call: Call, asked: Mono, response: &FetchResponse) {
        self.answers.retain(|(known, ..)| *known != call);
        if !matches!(self.askers.get(&call), Some(Asker::Many)) || response.body.len() > MAX_REUSED
        {
            return;
        }
        self.answers.push_back((call, asked, response.clone()));
        let bytes = |answers: &VecDeque<(Call, Mono, FetchResponse)>| -> usize {
            answers.iter().map(|(_, _, response)| response.body.len()).sum()
        };
        while self.answers.len() > MAX_ANSWERS || bytes(&self.answers) > MAX_REUSED {
            self.answers.pop_front();
        }
    }

    /// Nothing that was asked so far answers anything.
    pub fn forget(&mut self) {
        self.flights.clear();
        self.coming.clear();
        self.answers.clear();
    }
}
