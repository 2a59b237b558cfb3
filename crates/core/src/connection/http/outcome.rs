//! What the answers of a fetch cycle came to: for the API, for the key, and for when the topic is
//! fetched again.

use std::time::Duration;

use super::response::Unusable;
use super::single_flight::Call;
use super::topic_state::{Class, FetchCycle, TopicState};
use crate::connection::status::{Api, Fault, refusal};
use crate::connection::{Output, Supervisor};
use crate::dialect::Ask;
use crate::model::{Source, Topic};
use crate::time::Now;

/// A list tells all about a job: by itself it is fetched when no list has told of it for this long.
const COVERED_FOR: Duration = Duration::from_secs(30);

/// A lookup that fails is not repeated more often than this; the next list asks again.
const LOOKUP_TRIES: u32 = 3;

/// A job that has ended may run again, which is looked for less and less often, but at least this
/// often.
const ENDED_LOOK: Duration = Duration::from_secs(120);

/// For this long after a good answer a bad one of another topic says nothing about the server.
const ANSWERS_FOR: Duration = Duration::from_secs(5);

/// How a fetch cycle ended.
struct Outcome {
    /// It was answered as a whole, or with what the key allows.
    ok: bool,
    /// The topic's job has ended, or is not shown.
    ended: bool,
    /// Nothing was answered for the key's sake.
    wholly_refused: bool,
}

impl Supervisor {
    /// What one answer says about the API and the key.
    pub(in crate::connection) fn note_response(
        &mut self,
        topic: &Topic,
        ask: &Ask,
        call: Option<&Call>,
        verdict: Result<(), Unusable>,
        now: Now,
    ) {
        match verdict {
            Ok(()) => {
                if matches!(self.api, Api::Fails(_)) {
                    self.retry_soon(now);
                }
                self.api = Api::Answers;
                self.api_proven = true;
                self.answered_at = Some(now.mono);
                if let Some(cycle) = self.polling.cycle(topic) {
                    cycle.answered = true;
                }
                // What was not asked for the key's sake is asked now.
                if self.key.answered(call, self.dialect.needs_key(ask), now.mono) {
                    self.fetch_everything(now);
                }
            }
            Err(Unusable::Failed(mut fault)) => {
                fault.reason = self.clean(&fault.reason);
                if let Some(cycle) = self.polling.cycle(topic) {
                    cycle.failed = Some(fault.clone());
                }
                if !self.others_answer(now) {
                    self.api = Api::Fails(fault);
                }
            }
            Err(Unusable::Refused(words)) => {
                let reason = self.clean(&refusal(&words, self.dialect.has_key()));
                if let Some(call) = call {
                    let pause = self.refused_pause();
                    self.key.refuse(call.clone(), topic.clone(), reason.clone(), now.mono, pause);
                }
                // It is an API that says so.
                if !matches!(self.api, Api::Answers) {
                    self.api = Api::Unknown;
                }
                if let Some(cycle) = self.polling.cycle(topic) {
                    cycle.refused = Some(reason);
                }
            }
        }
    }

    /// Where nothing is asked any more, nothing is known of who would answer.
    pub(in crate::connection) fn forget_unasked(&mut self) {
        if !self.polling.asks() {
            self.key.reset();
            if matches!(self.api, Api::Fails(_)) {
                self.api = Api::Unknown;
            }
        }
    }

    /// How long a refused call is left alone: a little less than the slow retry takes, which is not
    /// to find it forbidden.
    pub(in crate::connection) fn refused_pause(&self) -> Duration {
        self.policy.refused_delay * 4 / 5
    }

    /// Whether a call is answered only to an accepted key. As long as nothing else was answered, the
    /// server may want one for everything.
    pub(in crate::connection) fn needs_key(&self, ask: &Ask) -> bool {
        self.dialect.needs_key(ask) || self.api != Api::Answers
    }

    /// One topic's trouble is not the server's while others are answered.
    fn others_answer(&self, now: Now) -> bool {
        self.api == Api::Answers
            && self.answered_at.is_some_and(|at| now.mono.since(at) < ANSWERS_FOR)
    }

    /// Why something that the user watches cannot be listed, although the API answers.
    pub(in crate::connection) fn topic_fault(&self) -> Option<&Fault> {
        self.topics.watched().find_map(|topic| {
            let known = self.polling.topic(topic)?;
            // A list that was complete may fail once.
            let patience = if known.listed.is_some() { 1 } else { 0 };
            known.fault.as_ref().filter(|_| known.failures > patience)
        })
    }

    pub(in crate::connection) fn cycle_ended(
        &mut self,
        topic: &Topic,
        mut cycle: FetchCycle,
        now: Now,
    ) {
        // Some calls want no key. A key that is refused beside such an answer takes nothing from
        // it: the topic is shown as far as it can be.
        let wholly_refused = cycle.refused.is_some() && !cycle.answered;
        if let (Some(reason), true) = (&cycle.refused, wholly_refused) {
            let fault = Fault { reason: reason.clone(), remedy: Some(self.key_remedy()) };
            cycle.failed.get_or_insert(fault);
        }
        self.polling.ended(topic, &cycle, now.mono);
        let Some(known) = self.polling.topic_mut(topic) else { return };
        known.mute = cycle.requests == 0;
        let ok = cycle.failed.is_none() || cycle.gone;
        known.failures = if ok { 0 } else { known.failures.saturating_add(1) };
        known.fault = cycle.failed.clone().filter(|_| !ok && !wholly_refused);
        let lookup = known.lookup;
        if ok {
            known.listed.get_or_insert(now.wall);
            known.listed_last = Some(now.wall);
            known.whole &= !cycle.past_cut;
            known.newest = known.newest.max(cycle.newest);
        }
        // The first failure is told, and the first success, each once.
        let whole = ok && cycle.refused.is_none();
        let mine = !lookup && !self.topics.is_only_detail(topic);
        let denied = cycle.denied.clone().filter(|_| cycle.seen.is_empty());
        let first = known.reported.is_none() || (whole && known.reported == Some(false));
        let report = mine && (first || (denied.is_some() && !known.denied));
        known.denied = denied.is_some();
        if report {
            known.reported = Some(whole);
        }
        self.set_baseline();
        self.report_lookup(topic, &cycle, ok);
        if ok {
            self.note_cut(topic, &cycle);
        }
        if ok && cycle.requests > 0 && !matches!(topic, Topic::Job(_)) {
            if self.dialect.list_is_complete() {
                self.postpone_listed(&cycle, now);
            }
            self.look_up_missing(topic, &cycle, now);
        }
        // What the server does not show it will hardly show in a moment.
        let over = denied.is_some() || self.has_ended(topic);
        let ended = ok && cycle.requests > 0 && over;
        if ended {
            let rests = self.polling.topic(topic).map_or(0, |known| known.suspensions).min(10);
            let rest = self.policy.poll_slow.saturating_mul(1 << rests).min(ENDED_LOOK);
            self.polling.suspend(topic, now.mono.after(rest));
        } else {
            self.polling.resume(topic);
        }
        if report {
            self.out.push_back(Output::Listed { topic: topic.clone(), ok: whole, denied });
        }
        if !self.polling.again(topic, now.mono) {
            self.schedule_next(topic, &cycle, &Outcome { ok, ended, wholly_refused }, now);
        }
    }

    /// Decides when a topic is fetched again.
    fn schedule_next(&mut self, topic: &Topic, cycle: &FetchCycle, outcome: &Outcome, now: Now) {
        let Outcome { ok, ended, wholly_refused } = *outcome;
        let Some(known) = self.polling.topic(topic) else { return };
        let (lookup, failures) = (known.lookup, known.failures);
        let look = self.polling.topic_mut(topic).and_then(|known| known.next_recheck(now.mono));
        if lookup {
            if let Some(at) = look.filter(|_| ok && !ended) {
                self.polling.schedule(topic, Class::Urgent, at);
            } else if ok || failures >= LOOKUP_TRIES {
                self.polling.remove(topic);
                self.key.forget_topic(topic);
                self.forget_unasked();
            } else {
                let delay = self.delay_after(failures);
                self.polling.schedule(topic, Class::Single, now.mono.after(delay));
            }
            return;
        }
        if cycle.requests == 0 {
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
        let at = now.mono.after(delay.max(cycle.length(now.mono)));
        let rest = self.polling.topic(topic).map_or(at, TopicState::suspended_until);
        self.polling.schedule_routine(topic, at.max(rest));
        if let Some(look) = look.filter(|_| ok) {
            self.polling.schedule(topic, Class::Urgent, look);
        }
    }

    /// A list that is cut where the user should know it is told once, and shown while it lasts.
    fn note_cut(&mut self, topic: &Topic, cycle: &FetchCycle) {
        match cycle.cut_why.clone().filter(|_| self.topics.contains(topic)) {
            Some(why) if self.cut.get(topic) != Some(&why) => {
                self.diagnose("incomplete-list", why.clone());
                self.cut.insert(topic.clone(), why);
            }
            Some(_) => {}
            None => {
                self.cut.remove(topic);
            }
        }
    }

    /// What a list has just told need not be fetched by itself as well.
    fn postpone_listed(&mut self, cycle: &FetchCycle, now: Now) {
        let until = now.mono.after(COVERED_FOR);
        for id in &cycle.seen {
            let topic = Topic::Job(id.clone());
            let Some(known) = self.polling.topic(&topic) else { continue };
            // One that the user watches is fetched once by itself, which lists it.
            let owed = known.listed.is_none() && self.topics.is_watched(&topic);
            if !owed && !self.topics.is_rejected(&topic) {
                self.polling.covered_by_list(&topic, cycle.begun, until);
                self.key.forget_topic(&topic);
            }
        }
    }

    /// A topic was found in a list that tells all about its job. What happens before it is
    /// subscribed is told by nothing but the list: it is read once more, for all that were found.
    pub(in crate::connection) fn discovered_in_list(
        &mut self,
        topic: &Topic,
        list: &Topic,
        now: Now,
    ) {
        self.polling.covered_by_list(topic, now.mono, now.mono.after(COVERED_FOR));
        if self.live().is_some() {
            self.polling.announce(list, now.mono);
        }
    }

    /// Whether this run has heard that a topic's job has ended, with all that belong to it.
    pub(in crate::connection) fn has_ended(&self, topic: &Topic) -> bool {
        let Topic::Job(id) = topic else { return false };
        self.all_ended(id)
            && self.jobs.alike(id).all(|job| {
                job.source != Source::History
                    && !self.jobs.open_jobs().any(|other| other.parent.as_ref() == Some(id))
            })
    }
}
