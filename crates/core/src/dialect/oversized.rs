//! Answers that are too large to be read to their end.
//!
//! What came whole of a list holds, and it is said that there is more. What a server serves in parts
//! is asked for in smaller ones. Of anything else half would say something else than the whole.

use super::pieces::Pieces;
use super::{Ask, Dialect, FetchResponse, Incoming};
use crate::model::Topic;
use crate::wire::beginning;

/// An answer as far as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The answer; of a list that was not read to its end what came whole.
    pub response: FetchResponse,
    /// How many bytes are read at most, where that was not all.
    pub limit: Option<usize>,
}

impl Read {
    /// An answer that was read to its end.
    #[must_use]
    pub fn whole(response: FetchResponse) -> Read {
        Read { response, limit: None }
    }

    /// The beginning of one of which no more than `limit` bytes are read.
    #[must_use]
    pub fn beginning(mut response: FetchResponse, limit: usize) -> Read {
        if !beginning::complete(&mut response.body) {
            // What is quoted of it is short.
            response.body.truncate(1 << 16);
        }
        Read { response, limit: Some(limit) }
    }

    /// What all of it means to `dialect` as the answer to `ask`; `None` where half of it means
    /// nothing.
    pub fn incoming(&self, dialect: &mut dyn Dialect, ask: &Ask) -> Option<Vec<Incoming>> {
        let mut pieces = Pieces::default();
        let mut all = Vec::new();
        while let Some(piece) = pieces.next(dialect, ask, self) {
            all.append(&mut piece.ok()?);
        }
        Some(all)
    }
}

/// What a topic's list is called at the beginning of a sentence.
#[must_use]
pub fn list(topic: Option<&Topic>) -> String {
    match topic {
        Some(Topic::Everything) | None => "The list of all jobs".to_owned(),
        Some(Topic::Queue(name)) => format!("The list of the queue \"{name}\""),
        Some(Topic::User(name)) => format!("The list of the user \"{name}\""),
        Some(Topic::Job(id)) => format!("The list of what belongs to the job \"{id}\""),
    }
}

/// That a list is cut, how much of it is shown, and what to do.
pub(super) fn why(
    dialect: &dyn Dialect,
    topic: Option<&Topic>,
    jobs: usize,
    limit: usize,
) -> String {
    let list = list(topic);
    let queues = dialect.why_unsupported(&Topic::Queue("any".to_owned())).is_none();
    let instead = match topic {
        Some(Topic::Everything) if queues => " Watch single queues instead of everything.",
        Some(Topic::Job(_)) | None => "",
        Some(_) => " Watch single jobs instead.",
    };
    let shown = match jobs {
        0 => "the rest is missing".to_owned(),
        1..10 => "only its first jobs are shown".to_owned(),
        jobs => format!("only about its first {} jobs are shown", roughly(jobs)),
    };
    format!(
        "{list} is larger than the {} MiB that are read of one answer: {shown}.{instead}",
        limit >> 20
    )
}

/// Two digits of a number, so that the sentence stays the same while the list changes a little.
fn roughly(number: usize) -> String {
    let unit = 10_usize.pow(number.max(1).ilog10().saturating_sub(1));
    grouped(number / unit * unit)
}

/// A number in a sentence: `12,345`.
#[must_use]
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_told_roughly() {
        for (number, told) in [(9, "9"), (17, "17"), (123, "120"), (83_912, "83,000")] {
            assert_eq!(roughly(number), told);
        }
        assert_eq!(roughly(1_234_567), "1,200,000");
    }
}
