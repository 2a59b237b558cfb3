//! Answers are taken in piece by piece: what comes of a long list is put out before the next of its
//! rows are merged, so that no more than a few of them are held twice.

use super::shared::Call;
use super::status::{Fault, too_large};
use super::verdict::{Trouble, verdict};
use super::{Remedy, Supervisor};
use crate::dialect::oversized::Read;
use crate::dialect::{Ask, Incoming};
use crate::model::Topic;
use crate::time::Now;

/// How much is taken in before what came of it is put out.
const AT_ONCE: usize = 256;

/// An answer that is being taken in.
pub(super) struct Intake {
    pub topic: Topic,
    pub ask: Ask,
    pub call: Option<Call>,
    pub rest: std::vec::IntoIter<Incoming>,
    /// Some of it has been taken in.
    pub begun: bool,
    /// What it says about API and key, weighed after all of it has been taken in.
    pub verdict: Result<(), Trouble>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Supervisor {
    /// What one request of a topic's round came to.
    pub(super) fn take_answer(
        &mut self,
        topic: &Topic,
        ask: &Ask,
        call: Option<&Call>,
        result: &Result<Read, Fault>,
    ) {
        let (incoming, verdict) = match result {
            Ok(read) => match read.incoming(&mut *self.dialect, ask) {
                Some(incoming) => {
                    let verdict = verdict(&read.response, &incoming);
                    (incoming, verdict)
                }
                None => {
                    let reason = too_large(read.limit.unwrap_or_default());
                    let fault = Fault { reason, remedy: Some(Remedy::Reconnect) };
                    (Vec::new(), Err(Trouble::Failed(fault)))
                }
            },
            Err(fault) => (Vec::new(), Err(Trouble::Failed(fault.clone()))),
        };
        self.intake.push_back(Intake {
            topic: topic.clone(),
            ask: ask.clone(),
            call: call.cloned(),
            rest: incoming.into_iter(),
            begun: false,
            verdict,
        });
    }

    /// Takes in the next piece of an answer; answers whether there was any.
    pub(super) fn take_in(&mut self, now: Now) -> bool {
        let Some(mut first) = self.intake.pop_front() else { return false };
        if !first.begun && self.polling.work(&first.topic).is_none() {
            // Given up over what another topic was just answered.
            return true;
        }
        first.begun = true;
        let piece: Vec<Incoming> = first.rest.by_ref().take(AT_ONCE).collect();
        self.answer(Some(&first.topic), piece, now);
        if !first.rest.as_slice().is_empty() {
            self.intake.push_front(first);
            return true;
        }
        self.judge(&first.topic, &first.ask, first.call.as_ref(), first.verdict, now);
        if let Some(round) = self.polling.answered(&first.topic) {
            self.round_ended(&first.topic, round, now);
        }
        true
    }
}
