//! The HTTP API: lists of jobs, and single jobs, from the server's table and from BullMQ.

use super::lists::{self, Listed, Row, Step};
use super::read::{job_row, job_view, unwrap_job};
use super::{Seen, StudyBuddy, VIEWED_QUEUE};
use crate::dialect::answer::is_page;
use crate::dialect::endpoint::why_unaddressable;
use crate::dialect::nest::{self, Answer};
use crate::dialect::socketio_session::diagnostic;
use crate::dialect::{Ask, FetchRequest, FetchResponse, Incoming, Method};
use crate::model::{Finality, JobPatch, JobState, Topic, Update};
use crate::wire::fields::Fields;
use crate::wire::socketio::elements;

impl StudyBuddy {
    pub(super) fn requests(&self, topic: &Topic) -> Vec<FetchRequest> {
        if why_unaddressable(topic).is_some() {
            return Vec::new();
        }
        let ask = |call, args| Ask { topic: Some(topic.clone()), call, args };
        let get = |ask, segments: &[&str], query: &[(&str, &str)]| {
            self.endpoint.request(ask, Method::Get, segments, query, None)
        };
        vec![match topic {
            Topic::Job(id) => get(ask("job", vec![id.to_string()]), &["jobs", id.as_str()], &[]),
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
        let rows = rows.to_string();
        let ask = Ask { topic: Some(topic.clone()), call: "list", args: vec![rows.clone()] };
        let query = [("limit", rows.as_str())];
        self.endpoint.request(ask, Method::Get, &["jobs", "user", "me"], &query, None)
    }

    /// Asks BullMQ for a job: with the call `view` for one in the server's table, with
    /// `unrecorded` for one that is not, since a job that was just queued has no row yet.
    fn view_request(&self, call: &'static str, topic: Option<&Topic>, id: &str) -> FetchRequest {
        let ask = Ask { topic: topic.cloned(), call, args: vec![id.to_owned()] };
        let path = ["jobs", "ultra-optimized", id];
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
        let rows = rows.to_string();
        let ask = Ask { topic: Some(topic.clone()), call: "named", args: vec![rows.clone()] };
        let query = [("limit", rows.as_str())];
        Some(self.endpoint.request(ask, Method::Get, &["jobs", of, name], &query, None))
    }

    fn view(&mut self, ask: &Ask, body: &str) -> Vec<Incoming> {
        let id = ask.args.first().map_or("", String::as_str);
        let Some(patch) = job_view(unwrap_job(body)) else {
            return vec![self.wrong_shape("a job", body)];
        };
        let ended = patch.state.as_ref().is_some_and(JobState::terminal);
        if ended {
            self.seen.remember(id.into(), Seen::Ended);
        }
        let update = Incoming::Update(Update::Job(Box::new(patch)));
        let replayed = if ask.call == "unrecorded" { self.settle(id, ended) } else { None };
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
                    let view = || Incoming::Follow(self.view_request("view", topic, id.as_str()));
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

    fn parse_rows(&mut self, ask: &Ask, body: &str) -> Option<Vec<Incoming>> {
        let rows = if body.trim_start().starts_with('[') {
            elements(body)
        } else {
            Fields::parse(body).filter(|fields| fields.has("jobs")).map(|it| it.array("jobs"))
        };
        let mut out = Vec::new();
        if ask.call == "named" {
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
            let told = row.and_then(|row| self.told(ask.topic.as_ref(), row, false));
            out.extend(told.unwrap_or_else(|| vec![self.wrong_shape("a job", raw.get())]));
        }
        if let Some(topic) = &ask.topic {
            out.extend(self.further(ask, topic, &listed));
        }
        if out.is_empty() && ask.call == "list" && self.lists_by_name.is_none() {
            // To the documented server "me" is the name of a user who has no jobs.
            let named =
                ask.topic.as_ref().and_then(|topic| self.named_list(topic, self.rows_of(topic)));
            out.extend(named.map(Incoming::Follow));
        }
        Some(out)
    }

    /// What follows from the rows of a list.
    fn further(&mut self, ask: &Ask, topic: &Topic, listed: &[Row]) -> Option<Incoming> {
        let list = self.lists.entry(topic.clone()).or_default();
        let limit = ask.args.first().and_then(|rows| rows.parse().ok());
        match list.take(limit.unwrap_or_else(|| list.limit()), listed) {
            Step::Done => None,
            Step::Further(rows) => {
                let named = (ask.call == "named").then(|| self.named_list(topic, rows)).flatten();
                Some(Incoming::Follow(named.unwrap_or_else(|| self.own_list(topic, rows))))
            }
            Step::Past => Some(lists::partial(false)),
            Step::Cut => Some(lists::partial(true)),
        }
    }

    /// What was asked for does not exist.
    fn missing(&mut self, ask: &Ask) -> Vec<Incoming> {
        let id = ask.args.first().map_or("", String::as_str);
        match ask.call {
            // Named by its queue as well, perhaps: the server knows it by its id alone.
            "job" if id.contains('/') && ask.args.len() == 1 => {
                let own = id.rsplit('/').next().unwrap_or(id);
                let args = vec![own.to_owned(), id.to_owned()];
                let ask = Ask { topic: ask.topic.clone(), call: "job", args };
                let path = ["jobs", own];
                vec![Incoming::Follow(self.endpoint.request(ask, Method::Get, &path, &[], None))]
            }
            "job" => {
                let view = self.view_request("unrecorded", ask.topic.as_ref(), id);
                vec![Incoming::Follow(view)]
            }
            "unrecorded" => self.unknown(id),
            "view" => {
                // BullMQ has dropped the job, so nothing will retry it: the table's word stands.
                self.seen.remember(id.into(), Seen::Ended);
                let failed =
                    JobPatch { state: Some(JobState::Failed), snapshot: true, ..JobPatch::new(id) };
                vec![Incoming::Update(Update::Job(Box::new(failed)))]
            }
            "named" => {
                self.lists_by_name = Some(false);
                Vec::new()
            }
            _ => vec![diagnostic("http-error", "HTTP 404.", None, &self.endpoint)],
        }
    }

    fn wrong_shape(&self, what: &str, received: &str) -> Incoming {
        let words = format!("The answer is not {what}.");
        diagnostic("wrong-shape", &words, Some(received), &self.endpoint)
    }

    pub(super) fn read_answer(&mut self, ask: &Ask, response: &FetchResponse) -> Vec<Incoming> {
        let id = ask.args.first().map_or("", String::as_str);
        match nest::answer(response, &self.endpoint) {
            Answer::Json(body) => match ask.call {
                // The documented server's words for a job that it does not know.
                "job" | "view" | "unrecorded" if is_nothing(body) => self.missing(ask),
                "job" => self
                    .row(ask.topic.as_ref(), unwrap_job(body), true)
                    .unwrap_or_else(|| vec![self.wrong_shape("a job", body)]),
                "view" | "unrecorded" => self.view(ask, body),
                "list" | "named" => self
                    .parse_rows(ask, body)
                    .unwrap_or_else(|| vec![self.wrong_shape("a list of jobs", body)]),
                _ => Vec::new(),
            },
            Answer::Missing => self.missing(ask),
            // A server without these calls has nothing to add.
            Answer::Odd(_) if ask.call == "unrecorded" && response.status == 404 => {
                self.unknown(id)
            }
            // A router that takes an encoded slash for one of its own has no such call.
            Answer::Odd(_) if ask.call == "job" && response.status == 404 && id.contains('/') => {
                self.missing(ask)
            }
            Answer::Odd(_) if ask.call == "named" && response.status == 404 => self.missing(ask),
            Answer::Forbidden(reason) if ask.call == "named" => {
                self.lists_by_name = Some(false);
                vec![Incoming::SubscriptionRejected { topic: ask.topic.clone(), reason }]
            }
            // "Not your job" is about the job. The list of one's own jobs, and an address that is not
            // confirmed yet, are about the key.
            Answer::Forbidden(reason)
                if ask.call == "job" && !reason.to_ascii_lowercase().contains("verif") =>
            {
                if is_page(response) {
                    return vec![diagnostic("http-error", "HTTP 403.", None, &self.endpoint)];
                }
                vec![Incoming::SubscriptionRejected { topic: ask.topic.clone(), reason }]
            }
            Answer::Forbidden(reason) if matches!(ask.call, "view" | "unrecorded") => {
                vec![diagnostic("http-error", &reason, None, &self.endpoint)]
            }
            Answer::Forbidden(words) | Answer::Refused(words) => vec![Incoming::Refused(words)],
            Answer::Odd(odd) => vec![*odd],
        }
    }
}

/// Whether an answer has no job where one would be.
fn is_nothing(body: &str) -> bool {
    Fields::leading(body).is_some_and(|fields| fields.has("job") && fields.get("job").is_none())
}
