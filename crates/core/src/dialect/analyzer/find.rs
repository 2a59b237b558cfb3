//! Looking for a job that is named by its queue and its id: the server looks for an id in one queue
//! after another and shows the first.

use super::lists::{LISTS, Left, Stretch};
use super::{Analyzer, Call};
use crate::dialect::{Incoming, queue_and_id};
use crate::model::{Topic, Update};
use crate::wire::fields::Fields;

impl Analyzer {
    /// No queue has a job of this id. It may be named by its queue and its id: then its lists are
    /// read, since the server looks for an id in one queue after another and shows the first.
    pub(super) fn missing(&self, topic: Option<&Topic>, given: &str) -> Vec<Incoming> {
        match queue_and_id(given).next() {
            Some((queue, _)) => vec![self.find(topic, given, queue)],
            None => vec![Incoming::Update(Update::Gone(given.into()))],
        }
    }

    /// Looks through the lists of a queue for a job.
    fn find(&self, topic: Option<&Topic>, given: &str, queue: &str) -> Incoming {
        self.find_in(topic, given, queue, LISTS.map(Stretch::first).to_vec())
    }

    /// Looks through the first of these stretches, and then through the others.
    pub(super) fn find_in(
        &self,
        topic: Option<&Topic>,
        given: &str,
        queue: &str,
        stretches: Vec<Stretch>,
    ) -> Incoming {
        let Some(first) = stretches.first().cloned() else {
            // Another way to read it, where the queue's name or the id has slashes of its own.
            return match queue_and_id(given).find(|(other, _)| other.len() > queue.len()) {
                Some((other, _)) => self.find(topic, given, other),
                None => Incoming::Update(Update::Gone(given.into())),
            };
        };
        let call = Call::Find { given: given.to_owned(), queue: queue.to_owned(), stretches };
        Incoming::Follow(self.stretch_request(topic, call, queue, &first))
    }

    /// A list of a queue, read for one job of it; the next list where it is not there.
    pub(super) fn parse_find(
        &mut self,
        topic: Option<&Topic>,
        (given, queue): (&str, &str),
        stretches: &[Stretch],
        body: &str,
    ) -> Vec<Incoming> {
        let Some(fields) = Fields::parse(body).filter(|fields| fields.has("jobs")) else {
            return vec![self.wrong_shape("the list of jobs", body)];
        };
        let Some((read, others)) = stretches.split_first() else { return Vec::new() };
        let own = given.get(queue.len() + 1..).unwrap_or_default();
        let found: Vec<Incoming> = self
            .rows(queue, &read.list, &fields)
            .into_iter()
            .filter(|item| match item {
                Incoming::Update(Update::Job(patch)) => {
                    patch.id.as_ref().is_some_and(|id| id.as_str() == own)
                }
                Incoming::Unknown(_) => true,
                _ => false,
            })
            .collect();
        if !found.is_empty() {
            return found;
        }
        let mut next = match self.left(queue, read, &fields) {
            Left::More(more) => more,
            _ => Vec::new(),
        };
        next.extend_from_slice(others);
        vec![self.find_in(topic, given, queue, next)]
    }
}
