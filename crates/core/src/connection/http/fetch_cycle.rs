//! Fetching over HTTP: what is due, what the answers mean, and when to ask again.

use std::sync::Arc;
use std::time::Duration;

use super::polling::take_read;
use super::response::{action_result, sign_in_as_unauthorized};
use super::single_flight::Call;
use super::topic_state::{Purpose, Step};
use crate::connection::dispatch::Origin;
use crate::connection::status::{Api, api_fault, sentence};
use crate::connection::{ActionId, Failure, FetchId, Output, Supervisor};
use crate::dialect::oversized::{self, Read};
use crate::dialect::{FetchRequest, FetchResponse, tolerant};
use crate::model::Topic;
use crate::time::{Mono, Now};

/// What a server may ask for with `Retry-After` at most.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

impl Supervisor {
    /// Fetching makes sense while the socket is live or HTTP stands in for it.
    pub(in crate::connection) fn may_fetch(&self) -> bool {
        self.running && (self.fallback || self.live().is_some())
    }

    /// HTTP stands in for the socket from now on.
    pub(in crate::connection) fn fall_back(&mut self, now: Now) {
        if self.running && !self.fallback {
            self.fallback = true;
            // What was known over HTTP while the socket was live may not be true any more.
            self.api = Api::Unknown;
            self.fetch_everything(now);
        }
    }

    pub(in crate::connection) fn fetch_everything(&mut self, now: Now) {
        self.polling.forget_answers();
        self.look_at_logs_again(now);
        let whole = self.dialect.list_is_complete();
        let topics: Vec<Topic> = self.topics.all().cloned().collect();
        for topic in topics {
            let Some(known) = self.polling.topic_mut(&topic) else { continue };
            if known.cycle.is_some() {
                known.dirty = true;
                known.urgent_since = now.mono;
                continue;
            }
            let found = self.topics.discovered_through(&topic).is_some();
            // Lists go first, since they tell of these; then what moves.
            let later = known.by_list || (whole && found) || self.has_ended(&topic);
            let at = if later { self.later(now) } else { now.mono };
            self.polling.schedule_routine(&topic, at);
        }
        self.schedule_sweep(now);
    }

    /// When to fetch by itself what a list that is fetched now will probably tell.
    fn later(&self, now: Now) -> Mono {
        now.mono.after(self.policy.poll_fast)
    }

    /// Makes the requests that are due, a few at a time.
    pub(in crate::connection) fn launch(&mut self, now: Now) {
        if !self.may_fetch() {
            return;
        }
        loop {
            match self.polling.next_step(now.mono) {
                Some(Step::Make(topic, request)) => {
                    let call = Call::of(&request);
                    let needed = self.needs_key(&request.ask);
                    let pause = self.refused_pause();
                    if let Some(reason) = self.key.forbids(&call, needed, now.mono, pause) {
                        self.skip_refused(&topic, reason, now);
                        continue;
                    }
                    let id = self.polling.take_off(topic, &request, now.mono);
                    self.out.push_back(Output::Fetch(id, request));
                }
                Some(Step::Known(topic, request, response)) => {
                    let call = Call::of(&request);
                    let read = Ok(Arc::new(Read::whole(response)));
                    self.take_answer(&topic, &request.ask, Some(&call), read, Default::default());
                }
                None => {
                    let Some(topic) = self.polling.next_due(now.mono) else { return };
                    let requests = self.dialect.fetch(&topic);
                    self.polling.begin(&topic, requests, now.mono);
                    if self.polling.cycle(&topic).is_some_and(|cycle| cycle.open == 0) {
                        // No HTTP view: there is nothing to wait for.
                        let cycle = self.polling.end(&topic).unwrap_or_default();
                        self.cycle_ended(&topic, cycle, now);
                    }
                }
            }
        }
    }

    pub(in crate::connection) fn fetched(
        &mut self,
        id: FetchId,
        result: Result<FetchResponse, Failure>,
        retry_after: Option<Duration>,
        now: Now,
    ) {
        let Some(flight) = self.polling.land(id) else { return };
        let result = sign_in_as_unauthorized(result);
        let asked = match &result {
            Err(Failure::Http { retry_after: own, .. }) => retry_after.or(*own),
            _ => retry_after,
        };
        if let Some(asked) = asked {
            self.polling.hold(now.mono.after(asked.min(LONGEST_RETRY_AFTER)));
        }
        match flight.purpose {
            Purpose::Topic(topic) => {
                let result = match result {
                    Ok(response) => Ok(Read::whole(response)),
                    Err(Failure::TooLarge { limit, begun }) => Ok(Read::beginning(*begun, limit)),
                    Err(failure) => Err(api_fault(&failure, self.api_proven)),
                };
                let result = result.map(Arc::new);
                match &result {
                    Ok(_) => self.last_received = Some(now.wall),
                    Err(_) => self.answered_at = None,
                }
                let askers = std::iter::once((topic, flight.ask)).chain(flight.also);
                let call = flight.call.as_ref().map(|(call, _)| call);
                let mut begun = flight.read;
                // Of these the answer is only the last.
                let parts = !begun.is_empty();
                for (topic, ask) in askers {
                    let begun = take_read(&mut begun, &ask);
                    self.take_answer(&topic, &ask, call, result.clone(), begun);
                }
                if let (Ok(read), Some((call, asked)), false) = (result, flight.call, parts) {
                    self.polling.keep(call, asked, &read);
                }
            }
            Purpose::Alone => self.alone_fetched(&flight.ask, result, now),
            Purpose::Logs(job) => self.logs_fetched(&job, &flight.ask, result, now),
            Purpose::Act(caller) => {
                let outcome = match result {
                    Ok(response) => {
                        self.last_received = Some(now.wall);
                        let incoming = tolerant::parse(&mut *self.dialect, &flight.ask, &response);
                        let outcome = action_result(&response, &incoming);
                        let about = flight.ask.topic.clone();
                        self.dispatch(Origin::Http(None), incoming, now);
                        // Servers announce little of what they were asked to do.
                        match about {
                            Some(topic) => self.stale(&topic, now),
                            None => self.stale(&Topic::Everything, now),
                        }
                        outcome
                    }
                    Err(failure) => Err(sentence(&failure)),
                };
                let outcome = outcome.map_err(|reason| self.clean(&reason));
                self.out.push_back(Output::Acted(caller, outcome));
            }
        }
    }

    pub(in crate::connection) fn act(&mut self, caller: ActionId, request: FetchRequest, now: Now) {
        let id = self.polling.number(Purpose::Act(caller), request.ask.clone(), now.mono);
        self.out.push_back(Output::Fetch(id, request));
    }

    /// Makes a further request of a topic's cycle, unless it has made too many.
    pub(in crate::connection) fn follow(&mut self, topic: &Topic, request: FetchRequest) {
        if !self.polling.follow(topic, request)
            && let Some(cycle) = self.polling.cycle(topic)
        {
            (cycle.past_cut, cycle.open_cut) = (true, true);
            let pages = super::polling::MAX_PAGES;
            cycle.cut_why.get_or_insert_with(|| {
                let list = oversized::list(Some(topic));
                format!("{list} has more than {pages} pages. Only those are read.")
            });
        }
    }

    /// Notes that the answers of a topic's cycle do not show all of it.
    pub(in crate::connection) fn note_partial(
        &mut self,
        topic: &Topic,
        open: bool,
        why: Option<String>,
    ) {
        let why = why.map(|why| self.clean(&why));
        if let Some(cycle) = self.polling.cycle(topic) {
            cycle.past_cut = true;
            cycle.open_cut |= open;
            cycle.cut_why = why.or(cycle.cut_why.take());
        }
    }

    /// A request of a topic's cycle that is not made, since the server has refused it.
    fn skip_refused(&mut self, topic: &Topic, reason: String, now: Now) {
        if let Some(cycle) = self.polling.cycle(topic) {
            cycle.refused = Some(reason);
        }
        if let Some(cycle) = self.polling.answered(topic) {
            self.cycle_ended(topic, cycle, now);
        }
    }

    pub(in crate::connection) fn abandon_cycles(&mut self) {
        self.logs.abandon(self.clock.mono);
        let abandoned = self.polling.abandon_cycles();
        self.out.extend(abandoned.into_iter().map(Output::Abandon));
    }
}
