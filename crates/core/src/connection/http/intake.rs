//! Answers are taken in piece by piece: what comes of a long list is put out before the next of its
//! rows are read, so that no more than a few of them are held twice.

use std::sync::Arc;

use super::response::{Tally, Unusable, classify};
use super::single_flight::Call;
use crate::connection::dispatch::Origin;
use crate::connection::status::Fault;
use crate::connection::{FetchId, Supervisor};
use crate::dialect::oversized::Read;
use crate::dialect::pieces::{Pieces, TooLarge};
use crate::dialect::{Ask, FetchResponse, Incoming};
use crate::model::Topic;
use crate::time::Now;

/// How much is taken in before what came of it is put out.
const AT_ONCE: usize = 256;

/// An answer that is being taken in.
pub(in crate::connection) struct Intake {
    topic: Topic,
    ask: Ask,
    call: Option<Call>,
    answer: Result<Arc<Read>, Fault>,
    /// More of the answer to this request follows.
    part_of: Option<FetchId>,
    read: TakenIn,
    /// What is left of the piece that was read last.
    rest: std::vec::IntoIter<Incoming>,
    /// Some of it has been taken in.
    begun: bool,
}

/// What has been read of an answer.
#[derive(Debug, Default)]
pub(in crate::connection) struct TakenIn {
    pieces: Pieces,
    /// What it has said so far.
    said: Tally,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Supervisor {
    /// What one request of a topic's cycle came to.
    pub(in crate::connection) fn take_answer(
        &mut self,
        topic: &Topic,
        ask: &Ask,
        call: Option<&Call>,
        answer: Result<Arc<Read>, Fault>,
        mut read: TakenIn,
    ) {
        read.pieces.next_part(false);
        self.intake.push_back(Intake {
            topic: topic.clone(),
            ask: ask.clone(),
            call: call.cloned(),
            answer,
            part_of: None,
            read,
            rest: Vec::new().into_iter(),
            begun: false,
        });
    }

    /// Part of the answer to a topic's request has come.
    pub(in crate::connection) fn part_fetched(
        &mut self,
        id: FetchId,
        part: FetchResponse,
        now: Now,
    ) {
        let part = Arc::new(Read::whole(part));
        for (topic, ask, mut read) in self.polling.part_came(id) {
            self.last_received = Some(now.wall);
            read.pieces.next_part(true);
            self.intake.push_back(Intake {
                topic,
                ask,
                call: None,
                answer: Ok(Arc::clone(&part)),
                part_of: Some(id),
                read,
                rest: Vec::new().into_iter(),
                begun: false,
            });
        }
    }

    /// Takes in the next piece of an answer; answers whether there was any.
    pub(in crate::connection) fn take_in(&mut self, now: Now) -> bool {
        let Some(mut first) = self.intake.pop_front() else { return false };
        if !first.begun && self.polling.topic(&first.topic).is_none() {
            // Given up over what another topic was just answered.
            return true;
        }
        first.begun = true;
        let verdict = match &first.answer {
            Ok(read) => {
                let read = Arc::clone(read);
                if first.rest.as_slice().is_empty() {
                    match first.read.pieces.next(&mut *self.dialect, &first.ask, &read) {
                        Some(Ok(mut piece)) => {
                            first.read.said.count(&piece);
                            if first.read.said.is_broken() {
                                // All its parts are odd alike.
                                piece.retain(|item| !matches!(item, Incoming::Unknown(_)));
                            }
                            first.rest = piece.into_iter();
                        }
                        Some(Err(TooLarge)) => {
                            first.read.said.too_large(read.limit.unwrap_or_default())
                        }
                        None => {}
                    }
                }
                let piece: Vec<Incoming> = first.rest.by_ref().take(AT_ONCE).collect();
                self.dispatch(Origin::Http(Some(&first.topic)), piece, now);
                if !first.rest.as_slice().is_empty() || !first.read.pieces.is_done() {
                    self.intake.push_front(first);
                    return true;
                }
                first.read.said.part_ended();
                if let Some(id) = first.part_of {
                    self.polling.part_read(id, first.ask, first.read);
                    return true;
                }
                classify(&read.response, first.read.said)
            }
            Err(fault) => Err(Unusable::Failed(fault.clone())),
        };
        self.note_response(&first.topic, &first.ask, first.call.as_ref(), verdict, now);
        if let Some(cycle) = self.polling.answered(&first.topic) {
            self.cycle_ended(&first.topic, cycle, now);
        }
        true
    }
}
