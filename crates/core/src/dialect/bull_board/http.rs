//! The HTTP API of Better Bull Board. All calls but one are POST with a JSON body.

use jiff::Timestamp;
use serde_json::json;

use super::find::is_uuid;
use super::{Asked, BullBoard, Call, LogPage, record};
use crate::dialect::answer::{
    accepted, body, diagnostic, failed, is_page, message, misshapen, refused,
};
use crate::dialect::pages::{Found, Page, Way};
use crate::dialect::{
    ActionKind, Ask, DialectCall, FetchRequest, FetchResponse, Incoming, LogPart, Method, Oversized,
};
use crate::log::LogLines;
use crate::model::{Job, JobPatch, JobState, Metric, Topic, Update};
use crate::wire::fields::Fields;
use crate::wire::json;

/// Log lines asked for at once; the server allows no more.
const LOG_PAGE: u64 = 1000;
/// Failed runs remembered.
const REMEMBERED: usize = 10_000;

impl BullBoard {
    pub(super) fn requests(&self, topic: &Topic) -> Vec<FetchRequest> {
        match topic {
            // Probably a BullMQ id, as other tools show it: the table finds its runs.
            Topic::Job(id) if !is_uuid(id.as_str()) => self.searches(topic, id.as_str()),
            Topic::Job(id) => vec![self.run_request(topic, id.as_str())],
            Topic::Queue(name) => vec![
                self.newest(topic),
                self.queues(topic, json!({"search": name, "limit": self.page}), 1),
            ],
            Topic::Everything => vec![
                self.newest(topic),
                self.active(topic),
                self.queues(topic, json!({"limit": self.page}), 1),
                self.post(topic, Call::Stats, &["jobs", "stats"], &json!({"days": 1})),
                self.post(topic, Call::QueueStats, &["queues", "stats"], &json!({})),
            ],
            Topic::User(_) => Vec::new(),
        }
    }

    pub(super) fn run_request(&self, topic: &Topic, id: &str) -> FetchRequest {
        let ask = Ask::new(Some(topic), Call::Job(id.to_owned()));
        self.endpoint.request(ask, Method::Get, &["jobs", id], &[], None)
    }

    pub(super) fn post(
        &self,
        topic: &Topic,
        call: Call,
        path: &[&str],
        body: &serde_json::Value,
    ) -> FetchRequest {
        let ask = Ask::new(Some(topic), call);
        self.endpoint.request(ask, Method::Post, path, &[], Some(body.to_string()))
    }

    /// A page of the table of jobs, or of queues.
    pub(super) fn table_page(&self, topic: &Topic, call: Call) -> FetchRequest {
        let (path, body) = match &call {
            Call::Queues(page) => (["queues", "table"], page.body.clone()),
            Call::Table(page) | Call::Search(page) => (["jobs", "table"], page.body.clone()),
            _ => return self.post(topic, call, &[], &json!({})),
        };
        self.post(topic, call, &path, &body)
    }

    /// Rows too large for one answer are asked for in smaller pages until the next link.
    pub(super) fn too_large(&mut self, ask: &Ask) -> Oversized {
        let fewer = |limit: u64| Some(limit / 4).filter(|fewer| *fewer > 0);
        let Some(mut call) = ask.of::<Call>().cloned() else { return Oversized::Useless };
        let page = match &mut call {
            Call::Logs(page) => {
                let Some(limit) = fewer(page.limit) else { return Oversized::Useless };
                let page = LogPage { limit, ..page.clone() };
                return Oversized::Parts(vec![self.log_page(ask.topic.as_ref(), page)]);
            }
            Call::Table(page) | Call::Search(page) | Call::Queues(page) => page,
            _ => return Oversized::Useless,
        };
        let Some(topic) = &ask.topic else { return Oversized::List };
        let Some(limit) = page.body["limit"].as_u64().and_then(fewer) else {
            return Oversized::List;
        };
        page.body["limit"] = json!(limit);
        self.page = usize::try_from(limit).map_or(self.page, |limit| self.page.min(limit));
        Oversized::Parts(vec![self.table_page(topic, call)])
    }

    pub(super) fn log_request(&self, id: &str, offset: u64, way: Way) -> FetchRequest {
        self.log_page(None, LogPage { id: id.to_owned(), offset, way, limit: LOG_PAGE })
    }

    fn log_page(&self, topic: Option<&Topic>, page: LogPage) -> FetchRequest {
        let body = json!({"id": page.id, "limit": page.limit, "offset": page.offset});
        let ask = Ask::new(topic, Call::Logs(page));
        self.endpoint.request(ask, Method::Post, &["jobs", "logs"], &[], Some(body.to_string()))
    }

    /// Cancel or replay: the server wants exactly the BullMQ id and the queue.
    pub(super) fn action(&self, action: ActionKind, job: &Job) -> Option<FetchRequest> {
        let id = job.id.as_str().to_owned();
        let call = match action {
            ActionKind::Retry => Call::Replay(id),
            ActionKind::Cancel => Call::Cancel(id),
        };
        let path = ["jobs", call.name()];
        let (external, queue) = (job.external_id.as_ref()?, job.queue.as_ref()?);
        let body = json!({"jobId": external, "queueName": queue}).to_string();
        Some(self.endpoint.request(Ask::new(None, call), Method::Post, &path, &[], Some(body)))
    }

    pub(super) fn read_answer(&mut self, ask: &Ask, response: &FetchResponse) -> Vec<Incoming> {
        let Some(call) = ask.of::<Call>() else { return Vec::new() };
        if matches!(response.status, 401 | 403) || is_login(response) {
            return vec![if is_page(response) {
                Incoming::Refused("The server answered with its login page.".to_owned())
            } else {
                refused(response)
            }];
        }
        if !accepted(response) {
            return match (call, &ask.topic) {
                // An unknown run and a broken server answer alike. Whether the log call, which
                // says "no lines" for an unknown run, still works tells them apart.
                // Asked for beside a list: its row comes later, or the list is believed.
                (Call::Job(_), Some(Topic::Everything | Topic::Queue(_)))
                    if response.status == 500 && !is_json(response) =>
                {
                    Vec::new()
                }
                (Call::Job(id), Some(topic)) if response.status == 500 && !is_json(response) => {
                    let body = json!({"id": id, "limit": LOG_PAGE, "offset": 0});
                    let call = Call::Probe(id.clone());
                    vec![Incoming::Follow(self.post(topic, call, &["jobs", "logs"], &body))]
                }
                (Call::Job(id), _) if response.status == 404 && is_json(response) => vec![gone(id)],
                (Call::Job(_) | Call::Probe(_) | Call::Logs(_), Some(topic))
                    if response.status == 400 =>
                {
                    vec![Incoming::SubscriptionRejected {
                        topic: Some(topic.clone()),
                        reason: message(response),
                    }]
                }
                // A state that this server may not know is no trouble of the lists.
                (Call::Table(page), _)
                    if matches!(response.status, 400 | 500) && self.lists.may_lack(page) =>
                {
                    Vec::new()
                }
                _ => vec![failed(ask, response)],
            };
        }
        let text = body(response);
        let Some(fields) = Fields::parse(text.trim()) else {
            return vec![misshapen(ask, response)];
        };
        match (call, &ask.topic) {
            (Call::Job(id), _) => {
                let row = fields.object("job");
                match record::run(row.as_ref().unwrap_or(&fields)) {
                    Some(patch) => {
                        if let (Some(id), Some(end)) = (&patch.id, patch.finished_at) {
                            let well = patch.state == Some(JobState::Completed);
                            self.ends.remember(id.clone(), (end, Asked::Answered(well)));
                        }
                        self.lists.show(&patch, false);
                        vec![self.run_read(patch)]
                    }
                    None if fields.has("job") => vec![gone(id)],
                    None => vec![misshapen(ask, response)],
                }
            }
            (Call::Table(page), Some(topic)) => self.table_read(page, topic, &fields),
            (Call::Search(page), Some(Topic::Job(wanted))) => {
                self.search_read(page, wanted, &fields)
            }
            (Call::Queues(page), Some(topic)) => self.queues_read(page, topic, &fields),
            (Call::Stats, _) => {
                let names =
                    [("active", "active"), ("completed", "completed"), ("failed", "failed")];
                numbers(&fields, &names, "jobs")
            }
            (Call::QueueStats, _) => {
                let names = [
                    ("total", "queues"),
                    ("active", "active queues"),
                    ("withScheduler", "queues with a scheduler"),
                ];
                numbers(&fields, &names, "queues")
            }
            (Call::Probe(probed), _) => match fields.whole::<i64>("total") {
                Some(total) if total > 0 => {
                    let text = "The server cannot describe this run, though its log is there.";
                    vec![diagnostic("http-error", text, "")]
                }
                // A BullMQ id may look like a run's.
                _ => match &ask.topic {
                    Some(topic @ Topic::Job(id)) if id.as_str() == probed => {
                        self.searches(topic, probed).into_iter().map(Incoming::Follow).collect()
                    }
                    _ => vec![gone(probed)],
                },
            },
            (Call::Logs(page), _) => self.logs_read(page, &fields),
            (Call::Cancel(id) | Call::Replay(id), _) => {
                if fields.flag("success") == Some(false) {
                    return vec![failed(ask, response)];
                }
                // The server tells nobody else about an action.
                vec![Incoming::Stale(Topic::Job(id.as_str().into()))]
            }
            _ => Vec::new(),
        }
    }

    fn logs_read(&mut self, asked: &LogPage, fields: &Fields<'_>) -> Vec<Incoming> {
        let LogPage { id, offset, way, limit } = asked;
        let (offset, way, limit) = (*offset, *way, *limit);
        let further = |offset, way| LogPage { id: id.clone(), offset, way, limit };
        let total = fields.whole::<i64>("total").and_then(|n| u64::try_from(n).ok());
        let rows = fields.array("logs");
        let (many, full) = (rows.len() as u64, rows.len() as u64 >= limit);
        let mut lines = LogLines::new();
        let mut page = Page { offset, total, ..Page::default() };
        let mut lowest = None;
        for (at, raw) in rows.into_iter().enumerate() {
            let row = Fields::of(raw).unwrap_or_default();
            let number = record::number(&row);
            page.begins |= at == 0 && number.is_some_and(|number| number <= 1);
            lowest = number.map(|number| number.min(lowest.unwrap_or(number))).or(lowest);
            // What is no line has a place all the same.
            page.prints.push(record::line(&row, &mut lines).unwrap_or_default());
        }
        let time = |at: usize| lines.get(at).and_then(|line| line.at);
        page.times = time(0).zip(lines.len().checked_sub(1).and_then(time));
        let next = offset + many;
        let more = many > 0 && total.map_or(full, |total| next < total);
        let cursor = self.logs.of(id);
        let found = cursor.read(way, &page);
        let mut gap = if found == Found::Joined && !more { cursor.over() } else { None };
        // A log is numbered from 0 or 1; a late line may stand before the first.
        if way == Way::All && offset == 0 && lowest.is_some_and(|lowest| lowest > 1) {
            gap = gap.or(time(0).map(|first| (Timestamp::MIN, first)));
        }
        lines.set_gap(gap);
        if way == Way::Next {
            lines = lines.going_on();
        }
        let mut all = Vec::new();
        if found == Found::Joined && (!lines.is_empty() || gap.is_some()) {
            all.push(Incoming::Update(Update::Log { job: id.as_str().into(), lines }));
        }
        let mut part =
            LogPart { left: total.map_or(0, |total| total.saturating_sub(next)), held_back: None };
        match found {
            Found::Elsewhere(offset, way) => {
                all.push(Incoming::LogPart(part));
                all.push(Incoming::Follow(self.log_page(None, further(offset, way))));
            }
            Found::Joined if more => {
                all.push(Incoming::LogPart(part));
                all.push(Incoming::Follow(self.log_page(None, further(next, Way::Next))));
            }
            Found::Joined => all.push(Incoming::LogPart(part)),
            Found::Again => {
                part.left = total.map_or(0, |total| total.saturating_sub(offset));
                let words = "The server gives the same lines whichever are asked for.";
                part.held_back = Some(words.to_owned());
                all.push(Incoming::LogPart(part));
            }
        }
        all
    }

    /// A replay runs under the same row, which stays failed until it ends again and may count its
    /// attempts anew: a later end of a run that had failed is a new attempt.
    pub(super) fn run_read(&mut self, mut patch: JobPatch) -> Incoming {
        if let (Some(id), Some(state)) = (&patch.id, &patch.state)
            && state.terminal()
        {
            let id = id.as_str();
            let own = patch.attempt.unwrap_or(1);
            let before = self.failed.get(id).copied();
            let attempt = match before {
                Some(before) if patch.finished_at > before.at => own.max(before.attempt + 1),
                Some(before) => own.max(before.attempt),
                None => own,
            };
            if before.is_some() {
                patch.attempt = Some(attempt);
                let max = patch.max_attempts.map(|max| max.max(attempt));
                patch.max_attempts = max;
            }
            if before.is_some() || *state != JobState::Completed {
                if self.failed.len() >= REMEMBERED && before.is_none() {
                    self.failed.clear();
                }
                let ended = record::Ended { at: patch.finished_at, attempt };
                self.failed.insert(id.to_owned(), ended);
            }
        }
        Incoming::Update(Update::Job(Box::new(patch)))
    }
}

/// The server's numbers as metrics: by the name of the field, and what it is called.
fn numbers(fields: &Fields<'_>, names: &[(&str, &str)], unit: &str) -> Vec<Incoming> {
    names
        .iter()
        .filter_map(|(field, name)| {
            Some(Incoming::Update(Update::Metric(Metric {
                job: None,
                name: (*name).to_owned(),
                value: fields.number(field)?,
                unit: Some(unit.to_owned()),
                at: None,
            })))
        })
        .collect()
}

pub(super) fn gone(id: &str) -> Incoming {
    Incoming::Update(Update::Gone(id.into()))
}

fn is_json(response: &FetchResponse) -> bool {
    Fields::parse(body(response).trim()).is_some()
}

/// A page where data should be, which asks for a login.
fn is_login(response: &FetchResponse) -> bool {
    if !is_page(response) || response.status >= 400 {
        return false;
    }
    let page = json::sample(&body(response)).to_ascii_lowercase();
    (300..400).contains(&response.status)
        || ["login", "log in", "sign in", "password"].iter().any(|word| page.contains(word))
        || body(response).to_ascii_lowercase().contains("type=\"password\"")
}
