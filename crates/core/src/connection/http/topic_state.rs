//! The parts of what is fetched: why a request was made, one cycle of a topic, and what is known
//! about fetching it.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use super::intake::TakenIn;
use super::single_flight::Call;
use crate::connection::ActionId;
use crate::connection::status::Fault;
use crate::dialect::{Ask, FetchRequest, FetchResponse};
use crate::model::{JobId, Topic};
use crate::time::Mono;

/// How long announcements of a change are collected before the fetch; doubled up to the longest
/// while they keep coming.
pub(in crate::connection) const COLLECT: Duration = Duration::from_millis(100);

/// Where a change was promised, it is looked for this long after the promise.
pub(in crate::connection) const RECHECKS: [Duration; 3] =
    [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

/// A cycle of so many requests is a long one, which is not begun again at once.
const LONG: usize = 16;

/// How pressing a fetch is, the most pressing first. What is pressing goes before the rest whatever
/// that is due for, and may use up the budget; of the others neither keeps the other waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::connection) enum Class {
    /// Something happened, or the user waits for it.
    Urgent,
    /// A list, by routine.
    List,
    /// A single job, by routine or to find out what became of it.
    Single,
}

impl Class {
    /// What routine makes of a topic.
    pub fn of(topic: &Topic) -> Class {
        match topic {
            Topic::Job(_) => Class::Single,
            Topic::Queue(_) | Topic::User(_) | Topic::Everything => Class::List,
        }
    }
}

/// Why a request was made.
#[derive(Clone, Debug)]
pub(in crate::connection) enum Purpose {
    /// Part of a topic's cycle.
    Topic(Topic),
    /// Lines of a job's log.
    Logs(JobId),
    /// What the socket announced, beside all topics.
    Alone,
    /// An action, with the id its answer is expected under.
    Act(ActionId),
}

/// A request under way.
#[derive(Debug)]
pub(in crate::connection) struct Flight {
    pub purpose: Purpose,
    pub ask: Ask,
    /// Other topics that asked the same meanwhile, each in its own words.
    pub also: Vec<(Topic, Ask)>,
    /// What was asked and when, where others may ask the same.
    pub call: Option<(Call, Mono)>,
    /// What each of those who ask has read of an answer that comes in parts.
    pub read: Vec<(Ask, TakenIn)>,
}

/// The next thing to do for a topic's cycle.
#[derive(Debug)]
pub(in crate::connection) enum Step {
    /// Make this request.
    Make(Topic, FetchRequest),
    /// The same has just been answered to another topic.
    Known(Topic, FetchRequest, FetchResponse),
}

/// One complete fetch of a topic: its requests, and those that followed from the answers.
#[derive(Debug, Default)]
pub(in crate::connection) struct FetchCycle {
    /// When the first of its answers was asked for, perhaps by another topic.
    pub begun: Mono,
    /// When it began.
    pub started: Mono,
    /// Requests under way or waiting.
    pub open: usize,
    /// Requests it began with.
    pub requests: usize,
    /// Further requests taken so far.
    pub pages: usize,
    /// Whether one of them gave a usable answer.
    pub answered: bool,
    /// Why one of them gave no usable answer.
    pub failed: Option<Fault>,
    /// Why one of them did not accept the key.
    pub refused: Option<String>,
    /// The jobs it showed.
    pub seen: HashSet<JobId>,
    /// Its answers do not show all that ended before.
    pub past_cut: bool,
    /// Its answers do not show all that is under way.
    pub open_cut: bool,
    /// Why they do not, where that is worth telling.
    pub cut_why: Option<String>,
    /// The newest time that any of its jobs bears, by the server's clock.
    pub newest: Option<Timestamp>,
    /// The server said that it does not know the topic's own job, which answers the cycle whatever
    /// status that was said with.
    pub gone: bool,
    /// The server does not show the topic's own job to whoever asks, in its words.
    pub denied: Option<String>,
}

/// What is known about fetching one topic.
#[derive(Debug)]
pub(in crate::connection) struct TopicState {
    /// Looked up once, not watched.
    pub lookup: bool,
    /// When it is due, and how pressing that is.
    pub due: Option<(Class, Mono)>,
    pub cycle: Option<FetchCycle>,
    pub dirty: bool,
    /// There is nothing to ask about it over HTTP.
    pub mute: bool,
    /// Cycles failed in a row.
    pub failures: u32,
    /// Why the last one failed, other than for the key.
    pub fault: Option<Fault>,
    /// When its first complete cycle ended (local clock).
    pub listed: Option<Timestamp>,
    /// When its latest complete cycle ended (local clock).
    pub listed_last: Option<Timestamp>,
    /// Whether every complete cycle so far showed all that had ended before.
    pub whole: bool,
    /// The newest time, by the server's clock, that a job bore in the complete cycles so far.
    pub newest: Option<Timestamp>,
    /// What was reported of the first cycle: that it failed, or that a complete one has ended.
    pub reported: Option<bool>,
    /// That the server does not show the topic's job was reported, and still holds.
    pub denied: bool,
    /// When it was last found worth fetching for a reason of its own rather than by routine: only
    /// what was asked since then answers that.
    pub urgent_since: Mono,
    /// A list tells all about it: by routine that is waited for.
    pub by_list: bool,
    /// How many looks in a row found its job ended, and until when routine leaves it alone for
    /// that.
    pub suspensions: u32,
    pub suspended_until: Mono,
    /// How long what is announced is collected.
    pub collect: Duration,
    /// When a change was announced last.
    pub announced: Option<Mono>,
    /// When it is to be looked at again, since a change was promised.
    pub rechecks: Vec<Mono>,
    /// When the answers of its latest cycle were asked for.
    pub asked: Mono,
    /// When its latest cycle ended, and how long that took.
    pub ended: Mono,
    pub took: Duration,
}

impl FetchCycle {
    /// How long it took, where that is for its many requests.
    pub fn length(&self, now: Mono) -> Duration {
        if self.requests + self.pages < LONG { Duration::ZERO } else { now.since(self.started) }
    }
}

impl TopicState {
    /// Until when routine leaves it alone.
    pub fn suspended_until(&self) -> Mono {
        self.suspended_until
    }

    /// When a change that is announced may be fetched at the soonest: a list that takes long is read
    /// half of the time at most.
    pub fn breath(&self) -> Mono {
        self.ended.after(self.took)
    }

    /// Takes the looks that were promised up to now, and answers when the next is due.
    pub fn next_recheck(&mut self, now: Mono) -> Option<Mono> {
        self.rechecks.retain(|at| *at > now);
        self.rechecks.iter().min().copied()
    }

    pub fn new(lookup: bool) -> TopicState {
        TopicState {
            lookup,
            due: None,
            cycle: None,
            dirty: false,
            mute: false,
            failures: 0,
            fault: None,
            listed: None,
            listed_last: None,
            whole: true,
            newest: None,
            reported: None,
            denied: false,
            urgent_since: Mono(0),
            by_list: false,
            suspensions: 0,
            suspended_until: Mono(0),
            collect: COLLECT,
            announced: None,
            rechecks: Vec::new(),
            asked: Mono(0),
            ended: Mono(0),
            took: Duration::ZERO,
        }
    }
}
