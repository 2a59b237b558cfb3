//! The HTTP API: lists of jobs, and single jobs, from the server's table and from BullMQ.

use super::lists::{self, Listed, Row, Step};
use super::read::{job_row, job_view, unwrap_job};
use super::{Seen, StudyBuddy, VIEWED_QUEUE};
use crate::dialect::answer::is_page;
use crate::dialect::endpoint::why_unaddressable;
use crate::dialect::nest::{self, Answer};
use crate::dialect::socketio_session::diagnostic;
use crate::dialect::{Ask, DialectCall, FetchRequest, FetchResponse, Incoming, Method};
use crate::model::{Finality, JobPatch, JobState, Topic, Update};
use crate::wire::fields::Fields;
use crate::wire::socketio::elements;

/// A call of the API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// A job in the server's table.
    Job {
        /// Its id.
        id: String,
        /// As it was named, where that was with its queue and is not known so.
        named: Option<String>,
    },
    /// So many jobs of the key's user.
    List(usize),
    /// So many jobs of the user or the queue that the topic names.
    Named(usize),
    /// A job of the table as BullMQ has it.
    View(String),
    /// A job that is not in the table as BullMQ has it: one that was just queued has no row yet.
    Unrecorded(String),
}

impl DialectCall for Call {
    fn name(&self) -> &'static str {
        match self {
            Call::Job { .. } => "job",
            Call::List(_) => "list",
            Call::Named(_) => "named",
            Call::View(_) => "view",
            Call::Unrecorded(_) => "unrecorded",
        }
    }
}

impl Call {
    /// The job that it asks for.
    fn id(&self) -> &str {
        match self {
            Call::Job { id, .. } | Call::View(id) | Call::Unrecorded(id) => id,
            Call::List(_) | Call::Named(_) => "",
        }
    }
}

impl StudyBuddy {
    pub(super) fn requests(&self, topic: &Topic) -> Vec<FetchRequest> {
        if why_unaddressable(topic).is_some() {
            return Vec::new();
        }
        vec![match topic {
            Topic::Job(id) => self.job_request(Some(topic), id.as_str(), None),
            // The shipped server lists the jobs of the key's user and no others.
            Topic::User(_) | Topic::Queue(_) | Topic::Everything => {
                let named = if self.lists_by_name == Some(true) {
                    self.named_list(topic, self.rows_of(topic))
                } else {
                    None
                };
                named.unwrap_or_else(|| self.own_list(topic, self.rows_of(topic)))
            }
        }]
    }

    /// How many rows of a topic's list to ask for.
    fn rows_of(&self, topic: &Topic) -> usize {
        self.lists.get(topic).map_or_else(|| Listed::default().limit(), Listed::limit)
    }

    /// The jobs of the key's user.
    fn own_list(&self, topic: &Topic, rows: usize) -> FetchRequest {
        let ask = Ask::new(Some(topic), Call::List(rows));
        let rows = rows.to_string();
        let query = [("limit", rows.as_str())];
        self.endpoint.request(ask, Method::Get, &["jobs", "user", "me"], &query, None)
    }

    /// A job of the server's table.
    fn job_request(&self, topic: Option<&Topic>, id: &str, named: Option<String>) -> FetchRequest {
        let ask = Ask::new(topic, Call::Job { id: id.to_owned(), named });
        self.endpoint.request(ask, Method::Get, &["jobs", id], &[], None)
    }

    /// A job as BullMQ has it: [`Call::View`] or [`Call::Unrecorded`].
    fn view_request(&self, call: Call, topic: Option<&Topic>) -> FetchRequest {
        let id = call.id().to_owned();
        let ask = Ask::new(topic, call);
        let path = ["jobs", "ultra-optimized", id.as_str()];
        self.endpoint.request(ask, Method::Get, &path, &[], None)
    }

    /// The documented server lists jobs by the name of their user or queue; `None` for other
    /// topics.
    fn named_list(&self, topic: &Topic, rows: usize) -> Option<FetchRequest> {
        let (of, name) = match topic {
            Topic::User(id) => ("user", id.as_str()),
            Topic::Queue(name) => ("queue", name.as_str()),
            Topic::Job(_) | Topic::Everything => return None,
        };
        let ask = Ask::new(Some(topic), Call::Named(rows));
        let rows = rows.to_string();
        let query = [("limit", rows.as_str())];
        Some(self.endpoint.request(ask, Method::Get, &["jobs", of, name], &query, None))
    }

    fn view(&mut self, call: &Call, body: &str) -> Vec<Incoming> {
        let id = call.id();
        let Some(patch) = job_view(unwrap_job(body)) else {
            return vec![self.wrong_shape("a job", body)];
        };
        let ended = patch.state.as_ref().is_some_and(JobState::terminal);
        if ended {
            self.seen.remember(id.into(), Seen::Ended);
        }
        let update = Incoming::Update(Update::Job(Box::new(patch)));
        let unrecorded = matches!(call, Call::Unrecorded(_));
        let replayed = if unrecorded { self.settle(id, ended) } else { None };
        std::iter::once(update).chain(replayed).collect()
    }

    /// HTTP has told whether a job has ended: progress that was sent again is news only of one
    /// that has not.
    fn settle(&mut self, id: &str, ended: bool) -> Option<Incoming> {
        let patch = self.replayed.remove(id).filter(|_| !ended)?;
        self.seen.remember(id.into(), Seen::Moving);
        Some(Incoming::Update(Update::Job(patch)))
    }

    /// Neither the table nor BullMQ knows the job.
    fn unknown(&mut self, id: &str) -> Vec<Incoming> {
        // What the socket has told of it stands until it is denied again.
        let gone = || Incoming::Update(Update::Gone(id.into()));
        vec![self.settle(id, false).unwrap_or_else(gone)]
    }

    /// A row of the server's table. A failure in it may be that of one attempt.
    fn row(&mut self, topic: Option<&Topic>, body: &str, asked: bool) -> Option<Vec<Incoming>> {
        self.told(topic, job_row(body)?, asked)
    }

    fn told(
        &mut self,
        topic: Option<&Topic>,
        mut patch: JobPatch,
        asked: bool,
    ) -> Option<Vec<Incoming>> {
        let id = patch.id.clone()?;
        let other = match topic {
            Some(Topic::Queue(name)) => patch.queue.as_ref() != Some(name),
            Some(Topic::User(id)) => patch.user.as_ref().is_some_and(|user| user != id),
            _ => false,
        };
        if other {
            return Some(Vec::new());
        }
        let replayed = match &patch.state {
            Some(state) if asked || state.terminal() => self.settle(id.as_str(), state.terminal()),
            _ => None,
        };
        let mut follow = None;
        match &patch.state {
            Some(JobState::Failed) => {
                let moving = self.seen.get(id.as_str()) == Some(&Seen::Moving);
                let viewed = patch.queue.as_deref().is_none_or(|queue| queue == VIEWED_QUEUE);
                if patch.max_attempts == Some(1) || !(asked || moving) {
                    self.seen.remember(id, Seen::Ended);
                } else {
                    patch.finality = Finality::MayRetry;
                    let call = Call::View(id.to_string());
                    let view = || Incoming::Follow(self.view_request(call, topic));
                    follow = viewed.then(view);
                }
            }
            Some(state) if state.terminal() => self.seen.remember(id, Seen::Ended),
            Some(_) => self.seen.remember(id, Seen::Moving),
            None => {}
        }
        let update = Incoming::Update(Update::Job(Box::new(patch)));
        Some(std::iter::once(update).chain(replayed).chain(follow).collect())
    }

    fn parse_rows(
        &mut self,
        named: bool,
        limit: usize,
        topic: Option<&Topic>,
        body: &str,
    ) -> Option<Vec<Incoming>> {
        let rows = if body.trim_start().starts_with('[') {
            elements(body)
        } else {
            Fields::parse(body).filter(|fields| fields.has("jobs")).map(|it| it.array("jobs"))
        };
        let mut out = Vec::new();
        if named {
            self.lists_by_name = Some(true);
        }
        let mut listed = Vec::new();
        for raw in rows? {
            let row = job_row(raw.get());
            if let Some(row) = &row
                && let Some(id) = row.id.clone()
            {
                let open = row.state.as_ref().is_some_and(|state| !state.terminal());
                let new = !self.seen.contains(id.as_str());
                listed.push(Row { id, open, new });
            }
            let told = row.and_then(|row| self.told(topic, row, false));
            out.extend(told.unwrap_or_else(|| vec![self.wrong_shape("a job", raw.get())]));
        }
        if let Some(topic) = topic {
            out.extend(self.further(named, limit, topic, &listed));
        }
        if out.is_empty() && !named && self.lists_by_name.is_none() {
            // To the documented server "me" is the name of a user who has no jobs.
            let named = topic.and_then(|topic| self.named_list(topic, self.rows_of(topic)));
            out.extend(named.map(Incoming::Follow));
        }
        Some(out)
    }

    /// What follows from the rows of a list.
    fn further(
        &mut self,
        named: bool,
        limit: usize,
        topic: &Topic,
        listed: &[Row],
    ) -> Option<Incoming> {
        let list = self.lists.entry(topic.clone()).or_default();
        match list.take(limit, listed) {
            Step::Done => None,
            Step::Further(rows) => {
                let named = named.then(|| self.named_list(topic, rows)).flatten();
                Some(Incoming::Follow(named.unwrap_or_else(|| self.own_list(topic, rows))))
            }
            Step::Past => Some(lists::partial(false)),
            Step::Cut => Some(lists::partial(true)),
        }
    }

    /// What was asked for does not exist.
    fn missing(&mut self, call: &Call, topic: Option<&Topic>) -> Vec<Incoming> {
        match call {
            // Named by its queue as well, perhaps: the server knows it by its id alone.
            Call::Job { id, named: None } if id.contains('/') => {
                let own = id.rsplit('/').next().unwrap_or(id);
                vec![Incoming::Follow(self.job_request(topic, own, Some(id.clone())))]
            }
            Call::Job { id, .. } => {
                let view = self.view_request(Call::Unrecorded(id.clone()), topic);
                vec![Incoming::Follow(view)]
            }
            Call::Unrecorded(id) => self.unknown(id),
            Call::View(id) => {
                // BullMQ has dropped the job, so nothing will retry it: the table's word stands.
                self.seen.remember(id.as_str().into(), Seen::Ended);
                let failed = JobPatch {
                    state: Some(JobState::Failed),
                    snapshot: true,
                    ..JobPatch::new(id.as_str())
                };
                vec![Incoming::Update(Update::Job(Box::new(failed)))]
            }
            Call::Named(_) => {
                self.lists_by_name = Some(false);
                Vec::new()
            }
            Call::List(_) => vec![diagnostic("http-error", "HTTP 404.", None, &self.endpoint)],
        }
    }

    fn wrong_shape(&self, what: &str, received: &str) -> Incoming {
        let words = format!("The answer is not {what}.");
        diagnostic("wrong-shape", &words, Some(received), &self.endpoint)
    }

    pub(super) fn read_answer(&mut self, ask: &Ask, response: &FetchResponse) -> Vec<Incoming> {
        let Some(call) = ask.of::<Call>() else { return Vec::new() };
        let topic = ask.topic.as_ref();
        let not_found = response.status == 404;
        match (nest::answer(response, &self.endpoint), call) {
            // The documented server's words for a job that it does not know.
            (Answer::Json(body), Call::Job { .. } | Call::View(_) | Call::Unrecorded(_))
                if is_nothing(body) =>
            {
                self.missing(call, topic)
            }
            (Answer::Json(body), Call::Job { .. }) => self
                .row(topic, unwrap_job(body), true)
                .unwrap_or_else(|| vec![self.wrong_shape("a job", body)]),
            (Answer::Json(body), Call::View(_) | Call::Unrecorded(_)) => self.view(call, body),
            (Answer::Json(body), Call::List(limit) | Call::Named(limit)) => self
                .parse_rows(matches!(call, Call::Named(_)), *limit, topic, body)
                .unwrap_or_else(|| vec![self.wrong_shape("a list of jobs", body)]),
            (Answer::Missing, _) => self.missing(call, topic),
            // A server without these calls has nothing to add.
            (Answer::Odd(_), Call::Unrecorded(id)) if not_found => self.unknown(id),
            // A router that takes an encoded slash for one of its own has no such call.
            (Answer::Odd(_), Call::Job { id, .. }) if not_found && id.contains('/') => {
                self.missing(call, topic)
            }
            (Answer::Odd(_), Call::Named(_)) if not_found => self.missing(call, topic),
            (Answer::Forbidden(reason), Call::Named(_)) => {
                self.lists_by_name = Some(false);
                vec![Incoming::SubscriptionRejected { topic: topic.cloned(), reason }]
            }
            // "Not your job" is about the job. The list of one's own jobs, and an address that is not
            // confirmed yet, are about the key.
            (Answer::Forbidden(reason), Call::Job { .. })
                if !reason.to_ascii_lowercase().contains("verif") =>
            {
                if is_page(response) {
                    return vec![diagnostic("http-error", "HTTP 403.", None, &self.endpoint)];
                }
                vec![Incoming::SubscriptionRejected { topic: topic.cloned(), reason }]
            }
            (Answer::Forbidden(reason), Call::View(_) | Call::Unrecorded(_)) => {
                vec![diagnostic("http-error", &reason, None, &self.endpoint)]
            }
            (Answer::Forbidden(reason) | Answer::Refused(reason), _) => {
                vec![Incoming::Refused(reason)]
            }
            (Answer::Odd(odd), _) => vec![*odd],
        }
    }
}

/// Whether an answer has no job where one would be.
fn is_nothing(body: &str) -> bool {
    Fields::leading(body).is_some_and(|fields| fields.has("job") && fields.get("job").is_none())
}
