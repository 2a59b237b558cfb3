//! Fetching over HTTP: what is due, what the answers mean, and when to ask again.

use std::sync::Arc;
use std::time::Duration;

use super::dispatch::Origin;
use super::polling::take_read;
use super::shared::Call;
use super::status::{Api, Fault, api_fault, refusal, sentence};
use super::verdict::{Trouble, acted, sign_in_as_unauthorized};
use super::work::{Class, Purpose, Round, Step, Work};
use super::{ActionId, Failure, FetchId, Output, Supervisor};
use crate::dialect::oversized::{self, Read};
use crate::dialect::{Ask, FetchRequest, FetchResponse, tolerant};
use crate::model::{Source, Topic};
use crate::time::{Mono, Now};

/// A list tells all about a job: by itself it is fetched when no list has told of it for this long.
const TOLD_FOR: Duration = Duration::from_secs(30);

/// What a server may ask for with `Retry-After` at most.
const LONGEST_WISH: Duration = Duration::from_secs(3600);

/// A lookup that fails is not repeated more often than this; the next list asks again.
const LOOKUP_TRIES: u32 = 3;

/// A job that has ended may run again, which is looked for less and less often, but at least this
/// often.
const ENDED_LOOK: Duration = Duration::from_secs(120);

/// For this long after a good answer a bad one of another topic says nothing about the server.
const ANSWERS_FOR: Duration = Duration::from_secs(5);

impl Supervisor {
    /// Fetching makes sense while the socket is live or HTTP stands in for it.
    pub(super) fn may_fetch(&self) -> bool {
        self.running && (self.fallback || self.live().is_some())
    }

    /// HTTP stands in for the socket from now on.
    pub(super) fn fall_back(&mut self, now: Now) {
        if self.running && !self.fallback {
            self.fallback = true;
            // What was known over HTTP while the socket was live may not be true any more.
            self.api = Api::Unknown;
            self.fetch_everything(now);
        }
    }

    pub(super) fn fetch_everything(&mut self, now: Now) {
        self.polling.distrust();
        self.look_at_logs_again(now);
        let whole = self.dialect.list_is_complete();
        let topics: Vec<Topic> = self.topics.all().cloned().collect();
        for topic in topics {
            let Some(work) = self.polling.work_mut(&topic) else { continue };
            if work.round.is_some() {
                work.dirty = true;
                work.news = now.mono;
                continue;
            }
            let found = self.topics.discovered_through(&topic).is_some();
            // Lists go first, since they tell of these; then what moves.
            let later = work.by_list || (whole && found) || self.has_ended(&topic);
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
    pub(super) fn launch(&mut self, now: Now) {
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
                        self.spare(&topic, reason, now);
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
                    if self.polling.round(&topic).is_some_and(|round| round.open == 0) {
                        // No HTTP view: there is nothing to wait for.
                        let round = self.polling.end(&topic).unwrap_or_default();
                        self.round_ended(&topic, round, now);
                    }
                }
            }
        }
    }

    pub(super) fn fetched(
        &mut self,
        id: FetchId,
        result: Result<FetchResponse, Failure>,
        wish: Option<Duration>,
        now: Now,
    ) {
        let Some(flight) = self.polling.land(id) else { return };
        let result = sign_in_as_unauthorized(result);
        let asked = match &result {
            Err(Failure::Http { retry_after, .. }) => wish.or(*retry_after),
            _ => wish,
        };
        if let Some(asked) = asked {
            self.polling.hold(now.mono.after(asked.min(LONGEST_WISH)));
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
                        let outcome = acted(&response, &incoming);
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

    pub(super) fn act(&mut self, caller: ActionId, request: FetchRequest, now: Now) {
        let id = self.polling.number(Purpose::Act(caller), request.ask.clone(), now.mono);
        self.out.push_back(Output::Fetch(id, request));
    }

    /// Makes a further request of a topic's round, unless it has made too many.
    pub(super) fn follow(&mut self, topic: &Topic, request: FetchRequest) {
        if !self.polling.follow(topic, request)
            && let Some(round) = self.polling.round(topic)
        {
            (round.past_cut, round.open_cut) = (true, true);
            let pages = super::polling::MAX_PAGES;
            round.cut_why.get_or_insert_with(|| {
                let list = oversized::list(Some(topic));
                format!("{list} has more than {pages} pages. Only those are read.")
            });
        }
    }

    /// Notes that the answers of a topic's round do not show all of it.
    pub(super) fn note_partial(&mut self, topic: &Topic, open: bool, why: Option<String>) {
        let why = why.map(|why| self.clean(&why));
        if let Some(round) = self.polling.round(topic) {
            round.past_cut = true;
            round.open_cut |= open;
            round.cut_why = why.or(round.cut_why.take());
        }
    }

    /// What one answer says about the API and the key.
    pub(super) fn judge(
        &mut self,
        topic: &Topic,
        ask: &Ask,
        call: Option<&Call>,
        verdict: Result<(), Trouble>,
        now: Now,
    ) {
        match verdict {
            Ok(()) => {
                if matches!(self.api, Api::Fails(_)) {
                    self.hurry(now);
                }
                self.api = Api::Answers;
                self.api_proven = true;
                self.answered_at = Some(now.mono);
                if let Some(round) = self.polling.round(topic) {
                    round.answered = true;
                }
                // What was not asked for the key's sake is asked now.
                if self.key.answered(call, self.dialect.needs_key(ask), now.mono) {
                    self.fetch_everything(now);
                }
            }
            Err(Trouble::Failed(mut fault)) => {
                fault.reason = self.clean(&fault.reason);
                if let Some(round) = self.polling.round(topic) {
                    round.failed = Some(fault.clone());
                }
                if !self.others_answer(now) {
                    self.api = Api::Fails(fault);
                }
            }
            Err(Trouble::Refused(words)) => {
                let reason = self.clean(&refusal(&words, self.dialect.has_key()));
                if let Some(call) = call {
                    let pause = self.refused_pause();
                    self.key.refuse(call.clone(), topic.clone(), reason.clone(), now.mono, pause);
                }
                // It is an API that says so.
                if !matches!(self.api, Api::Answers) {
                    self.api = Api::Unknown;
                }
                if let Some(round) = self.polling.round(topic) {
                    round.refused = Some(reason);
                }
            }
        }
    }

    /// Where nothing is asked any more, nothing is known of who would answer.
    pub(super) fn forget_unasked(&mut self) {
        if !self.polling.asks() {
            self.key.reset();
            if matches!(self.api, Api::Fails(_)) {
                self.api = Api::Unknown;
            }
        }
    }

    /// How long a refused call is left alone: a little less than the slow retry takes, which is not
    /// to find it forbidden.
    pub(super) fn refused_pause(&self) -> Duration {
        self.policy.refused_delay * 4 / 5
    }

    /// Whether a call is answered only to an accepted key. As long as nothing else was answered, the
    /// server may want one for everything.
    pub(super) fn needs_key(&self, ask: &Ask) -> bool {
        self.dialect.needs_key(ask) || self.api != Api::Answers
    }

    /// A request of a topic's round that is not made, since the server has refused it.
    fn spare(&mut self, topic: &Topic, reason: String, now: Now) {
        if let Some(round) = self.polling.round(topic) {
            round.refused = Some(reason);
        }
        if let Some(round) = self.polling.answered(topic) {
            self.round_ended(topic, round, now);
        }
    }

    /// One topic's trouble is not the server's while others are answered.
    fn others_answer(&self, now: Now) -> bool {
        self.api == Api::Answers
            && self.answered_at.is_some_and(|at| now.mono.since(at) < ANSWERS_FOR)
    }

    /// Why something that the user watches cannot be listed, although the API answers.
    pub(super) fn topic_fault(&self) -> Option<&Fault> {
        self.topics.watched().find_map(|topic| {
            let work = self.polling.work(topic)?;
            // A list that was complete may fail once.
            let patience = if work.listed.is_some() { 1 } else { 0 };
            work.fault.as_ref().filter(|_| work.failures > patience)
        })
    }

    pub(super) fn round_ended(&mut self, topic: &Topic, mut round: Round, now: Now) {
        // Some calls want no key. A key that is refused beside such an answer takes nothing from
        // it: the topic is shown as far as it can be.
        let wholly_refused = round.refused.is_some() && !round.answered;
        if let (Some(reason), true) = (&round.refused, wholly_refused) {
            let fault = Fault { reason: reason.clone(), remedy: Some(self.key_remedy()) };
            round.failed.get_or_insert(fault);
        }
        self.polling.ended(topic, &round, now.mono);
        let Some(work) = self.polling.work_mut(topic) else { return };
        work.mute = round.requests == 0;
        let ok = round.failed.is_none() || round.gone;
        work.failures = if ok { 0 } else { work.failures.saturating_add(1) };
        work.fault = round.failed.clone().filter(|_| !ok && !wholly_refused);
        let failures = work.failures;
        let lookup = work.lookup;
        if ok {
            work.listed.get_or_insert(now.wall);
            work.listed_last = Some(now.wall);
            work.whole &= !round.past_cut;
            work.newest = work.newest.max(round.newest);
        }
        // The first failure is told, and the first success, each once.
        let whole = ok && round.refused.is_none();
        let mine = !lookup && !self.topics.is_only_detail(topic);
        let denied = round.denied.clone().filter(|_| round.seen.is_empty());
        let news = work.told.is_none() || (whole && work.told == Some(false));
        let tell = mine && (news || (denied.is_some() && !work.denied));
        work.denied = denied.is_some();
        if tell {
            work.told = Some(whole);
        }
        self.set_baseline();
        self.tell_looker(topic, &round, ok);
        if ok {
            self.note_cut(topic, &round);
        }
        if ok && round.requests > 0 && !matches!(topic, Topic::Job(_)) {
            if self.dialect.list_is_complete() {
                self.spare_the_listed(&round, now);
            }
            self.look_up_missing(topic, &round, now);
        }
        // What the server does not show it will hardly show in a moment.
        let over = denied.is_some() || self.has_ended(topic);
        let ended = ok && round.requests > 0 && over;
        if ended {
            let rests = self.polling.work(topic).map_or(0, |work| work.rests).min(10);
            let rest = self.policy.poll_slow.saturating_mul(1 << rests).min(ENDED_LOOK);
            self.polling.rest(topic, now.mono.after(rest));
        } else {
            self.polling.rouse(topic);
        }
        if tell {
            self.out.push_back(Output::Listed { topic: topic.clone(), ok: whole, denied });
        }
        if self.polling.again(topic, now.mono) {
            return;
        }
        let look = self.polling.work_mut(topic).and_then(|work| work.next_look(now.mono));
        if lookup {
            if let Some(at) = look.filter(|_| ok && !ended) {
                self.polling.schedule(topic, Class::News, at);
            } else if ok || failures >= LOOKUP_TRIES {
                self.polling.remove(topic);
                self.key.give_up(topic);
                self.forget_unasked();
            } else {
                let delay = self.delay_after(failures);
                self.polling.schedule(topic, Class::Single, now.mono.after(delay));
            }
            return;
        }
        if round.requests == 0 {
            self.forget_unasked();
            return;
        }
        let delay = if wholly_refused {
            self.jitter.around(self.policy.refused_delay, 10)
        } else if !ok {
            self.delay_after(failures)
        } else {
            let interval = self.routine(now);
            self.jitter.around(interval, 10)
        };
        // What takes long is read half of the time at most.
        let at = now.mono.after(delay.max(round.length(now.mono)));
        let rest = self.polling.work(topic).map_or(at, Work::rests_until);
        self.polling.schedule_routine(topic, at.max(rest));
        if let Some(look) = look.filter(|_| ok) {
            self.polling.schedule(topic, Class::News, look);
        }
    }

    /// A list that is cut where the user should know it is told once, and shown while it lasts.
    fn note_cut(&mut self, topic: &Topic, round: &Round) {
        match round.cut_why.clone().filter(|_| self.topics.contains(topic)) {
            Some(why) if self.cut.get(topic) != Some(&why) => {
                self.odd("incomplete-list", why.clone());
                self.cut.insert(topic.clone(), why);
            }
            Some(_) => {}
            None => {
                self.cut.remove(topic);
            }
        }
    }

    /// What a list has just told need not be fetched by itself as well.
    fn spare_the_listed(&mut self, round: &Round, now: Now) {
        let until = now.mono.after(TOLD_FOR);
        for id in &round.seen {
            let topic = Topic::Job(id.clone());
            let Some(work) = self.polling.work(&topic) else { continue };
            // One that the user watches is fetched once by itself, which lists it.
            let owed = work.listed.is_none() && self.topics.is_watched(&topic);
            if !owed && !self.topics.is_rejected(&topic) {
                self.polling.told_by_list(&topic, round.begun, until);
                self.key.give_up(&topic);
            }
        }
    }

    /// A topic was found in a list that tells all about its job. What happens before it is
    /// subscribed is told by nothing but the list: it is read once more, for all that were found.
    pub(super) fn discovered_in_list(&mut self, topic: &Topic, list: &Topic, now: Now) {
        self.polling.told_by_list(topic, now.mono, now.mono.after(TOLD_FOR));
        if self.live().is_some() {
            self.polling.announce(list, now.mono);
        }
    }

    /// Whether this run has heard that a topic's job has ended, with all that belong to it.
    pub(super) fn has_ended(&self, topic: &Topic) -> bool {
        let Topic::Job(id) = topic else { return false };
        self.all_ended(id)
            && self.jobs.alike(id).all(|job| {
                job.source != Source::History
                    && !self.jobs.open_jobs().any(|other| other.parent.as_ref() == Some(id))
            })
    }

    pub(super) fn abandon_rounds(&mut self) {
        self.logs.abandon(self.clock.mono);
        let abandoned = self.polling.abandon_rounds();
        self.out.extend(abandoned.into_iter().map(Output::Abandon));
    }
}
