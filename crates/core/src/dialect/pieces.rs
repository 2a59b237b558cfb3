//! Long answers, a piece at a time, so that of a list of a hundred thousand jobs no more than its
//! text and a few hundred of them are held besides the jobs themselves.

use std::ops::Range;

use super::answer::accepted;
use super::oversized::{Read, why};
use super::{Ask, Dialect, FetchResponse, Incoming, Oversized, tolerant};
use crate::model::Update;

/// How many rows of a list are read at a time.
pub(super) const ROWS: usize = 256;

/// How far a dialect has read an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadMark {
    /// Where in the body the rows stand that have not been read, once some have.
    pub rest: Option<Range<usize>>,
    /// How many jobs have been read.
    pub jobs: usize,
    /// How many of them have not ended.
    pub open: usize,
    /// Nothing is left to read of this part.
    pub done: bool,
    /// Further parts follow, each an answer of its own with further rows of the same list.
    pub goes_on: bool,
}

/// An answer that is read a piece at a time.
#[derive(Debug, Default)]
pub struct Pieces {
    mark: ReadMark,
    /// The body as it is read in place of the one that was sent, which could not be.
    mended: Option<FetchResponse>,
    /// Jobs in what was read.
    jobs: usize,
    /// Some has been read.
    begun: bool,
    /// Everything has been read.
    done: bool,
}

impl Pieces {
    /// The next part of the same answer is read from now on: the last one, unless it `goes_on`.
    pub fn next_part(&mut self, goes_on: bool) {
        let (jobs, open) = (self.mark.jobs, self.mark.open);
        self.mark = ReadMark { jobs, open, goes_on, ..ReadMark::default() };
        self.mended = None;
        self.done = false;
    }

    /// What the next piece of `read` means to `dialect` as the answer to `ask`; `None` when there is
    /// none left. Always the same `dialect`, `ask` and `read`, without another answer between.
    ///
    /// # Errors
    /// [`TooLarge`] for an answer that was not read to its end, and of which half means nothing.
    pub fn next(
        &mut self,
        dialect: &mut dyn Dialect,
        ask: &Ask,
        read: &Read,
    ) -> Option<Result<Vec<Incoming>, TooLarge>> {
        if self.done {
            return None;
        }
        let limit = read.limit.filter(|_| accepted(&read.response));
        let first = !std::mem::replace(&mut self.begun, true);
        if limit.is_some() && first {
            match dialect.oversized(ask) {
                Oversized::Useless => {
                    self.done = true;
                    return Some(Err(TooLarge));
                }
                Oversized::Parts(requests) => {
                    self.done = true;
                    return Some(Ok(requests.into_iter().map(Incoming::Follow).collect()));
                }
                Oversized::List => {}
            }
        }
        let response = self.mended.as_ref().unwrap_or(&read.response);
        let (mut incoming, mended) = tolerant::parse_piece(dialect, ask, response, &mut self.mark);
        if mended.is_some() {
            self.mended = mended;
        }
        self.done = self.mark.done;
        let is_job = |item: &&Incoming| matches!(item, Incoming::Update(Update::Job(_)));
        self.jobs += incoming.iter().filter(is_job).count();
        if let Some(limit) = limit
            && self.done
        {
            let why = why(dialect, ask.topic.as_ref(), self.jobs, limit);
            incoming.push(Incoming::Partial { open: true, why: Some(why) });
        }
        Some(Ok(incoming))
    }

    /// Whether something is left to read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done
    }
}

/// An answer that is larger than what is read of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;
