//! The HTTP API: queues by their counts, lists of jobs, and single jobs.

use jiff::Timestamp;

use super::lists::{LISTS, Left, MOST_QUEUES, Stretch};
use super::read::{Row, complete, job_row, one_field, queue_counts};
use super::{Analyzer, Call, Ended};
use crate::dialect::nest::{self, Answer};
use crate::dialect::oversized::grouped;
use crate::dialect::socketio_session::diagnostic;
use crate::dialect::{Ask, FetchRequest, Incoming, Method};
use crate::model::{ACTION_REFUSED, Finality, JobPatch, JobState, Topic, Update};
use crate::wire::fields::Fields;

impl Analyzer {
    /// A stretch of a list of one queue.
    pub(super) fn stretch_request(
        &self,
        topic: Option<&Topic>,
        call: Call,
        queue: &str,
        stretch: &Stretch,
    ) -> FetchRequest {
        let ask = Ask::new(topic, call);
        let (limit, from) = (stretch.limit.to_string(), stretch.from.to_string());
        let mut query = vec![("limit", limit.as_str())];
        if !stretch.list.is_empty() {
            query.push(("status", &stretch.list));
        }
        if stretch.from > 0 {
            query.push(("offset", &from));
        }
        self.endpoint.request(ask, Method::Get, &["jobs", "queue", queue, "jobs"], &query, None)
    }

    pub(super) fn list_request(
        &self,
        topic: Option<&Topic>,
        queue: &str,
        list: &str,
    ) -> FetchRequest {
        self.list_from(topic, queue, &Stretch::first(list))
    }

    fn list_from(&self, topic: Option<&Topic>, queue: &str, stretch: &Stretch) -> FetchRequest {
        let call = Call::List { queue: queue.to_owned(), stretch: stretch.clone() };
        self.stretch_request(topic, call, queue, stretch)
    }

    /// Requests for these lists, and for due ones whose turn it is.
    fn follow(
        &mut self,
        topic: Option<&Topic>,
        at_once: Vec<(String, &'static str)>,
    ) -> Vec<Incoming> {
        let only = match topic {
            Some(Topic::Queue(name)) => Some(name.as_str()),
            _ => None,
        };
        let turn = if at_once.is_empty() { self.lists.turn(only) } else { at_once };
        let mut all: Vec<Incoming> = turn
            .iter()
            .map(|(queue, list)| Incoming::Follow(self.list_request(topic, queue, list)))
            .collect();
        if self.lists.crowded() && only.is_none() {
            let why = format!(
                "The server has more than {} queues. Of the others no jobs are listed.",
                grouped(MOST_QUEUES)
            );
            all.push(Incoming::Partial { open: true, why: Some(why) });
        } else if self.lists.is_due_besides(&turn, only) {
            // The next look reads them.
            all.push(Incoming::Partial { open: true, why: None });
        }
        all
    }

    /// What an answer to `ask`, of which these are the rows, leaves to be read.
    pub(super) fn left(&self, queue: &str, stretch: &Stretch, fields: &Fields<'_>) -> Left {
        let running = |row: &Fields<'_>| {
            row.text("status").is_some_and(|word| nest::job_state(&word) == JobState::Running)
        };
        let rows = fields.rows("jobs");
        let running = rows.iter().filter(|row| running(row)).count();
        stretch.left(rows.len(), running, fields.whole("limit"), self.lists.counts(queue))
    }

    fn parse_queues(&mut self, ask: &Ask, body: &str) -> Vec<Incoming> {
        let rows = Fields::parse(body).filter(|fields| fields.has("queues"));
        let Some(queues) = rows.map(|fields| fields.array("queues")) else {
            return vec![self.wrong_shape("the list of queues", body)];
        };
        let (mut out, mut at_once) = (Vec::new(), Vec::new());
        for raw in queues {
            let Some((patch, counts)) = queue_counts(raw.get(), None) else { continue };
            let name = patch.name.clone();
            out.push(Incoming::Update(Update::Queue(patch)));
            let lists = self.lists.look(&name, counts, true);
            at_once.extend(lists.into_iter().map(|list| (name.clone(), list)));
        }
        out.extend(self.follow(ask.topic.as_ref(), at_once));
        out
    }

    fn parse_stats(&mut self, ask: &Ask, queue: &str, body: &str) -> Vec<Incoming> {
        let Some((patch, counts)) = queue_counts(body, Some(queue)) else {
            return vec![self.wrong_shape("a queue's numbers", body)];
        };
        let mut out = vec![Incoming::Update(Update::Queue(patch))];
        let at_once: Vec<_> = self
            .lists
            .look(queue, counts, false)
            .into_iter()
            .map(|list| (queue.to_owned(), list))
            .collect();
        out.extend(self.follow(ask.topic.as_ref(), at_once));
        out
    }

    fn parse_list(
        &mut self,
        ask: &Ask,
        queue: &str,
        stretch: &Stretch,
        body: &str,
    ) -> Vec<Incoming> {
        let Some(fields) = Fields::parse(body).filter(|fields| fields.has("jobs")) else {
            return vec![self.wrong_shape("the list of jobs", body)];
        };
        let mut out = self.rows(queue, &stretch.list, &fields);
        let left = self.left(queue, stretch, &fields);
        if matches!(stretch.list.as_str(), "completed" | "failed") {
            let rows = fields.array("jobs").into_iter().filter_map(|raw| job_row(raw.get()));
            let ends =
                rows.filter_map(|row| Some((row.patch.finished_at, row.patch.id?.to_string())));
            let last = !matches!(left, Left::More(_));
            if let Some(many) = self.finished.read(queue, stretch, ends.collect(), last) {
                out.push(come_and_gone(queue, &stretch.list, many));
            }
        }
        match left {
            Left::Nothing => {}
            Left::More(more) => out.extend(more.iter().map(|stretch| {
                Incoming::Follow(self.list_from(ask.topic.as_ref(), queue, stretch))
            })),
            Left::TooMuch(read, doing) => out.push(too_much(queue, read, doing)),
        }
        out
    }

    pub(super) fn rows(&mut self, queue: &str, list: &str, fields: &Fields<'_>) -> Vec<Incoming> {
        let rows = fields.array("jobs");
        let mut out = Vec::with_capacity(rows.len());
        for raw in rows {
            let Some(Row { mut patch, doubtful, .. }) = job_row(raw.get()) else {
                out.push(self.wrong_shape("a job", raw.get()));
                continue;
            };
            if let Some(id) = patch.id.clone().filter(|_| doubtful)
                && matches!(list, "completed" | "failed")
            {
                let well = list == "completed";
                self.outcomes.remember(id, Ended { at: patch.finished_at, well });
                if well {
                    complete(&mut patch);
                }
            }
            patch.queue.get_or_insert_with(|| queue.to_owned());
            let ended = patch.state.as_ref().is_some_and(JobState::terminal);
            let found = patch.id.clone().filter(|_| !ended);
            out.push(Incoming::Update(Update::Job(Box::new(patch))));
            out.extend(found.map(|id| Incoming::Discovered(Topic::Job(id))));
        }
        out
    }

    /// A job asked for by itself, with what must be asked besides to know it whole.
    fn parse_job(&mut self, ask: &Ask, body: &str) -> Vec<Incoming> {
        let Some(Row { mut patch, doubtful, retried, lacks }) = job_row(body) else {
            return vec![self.wrong_shape("a job", body)];
        };
        let Some(id) = patch.id.clone() else { return Vec::new() };
        let mut outcome = None;
        let follow = lacks.map(|field| {
            let call = Call::Field { field, id: id.to_string(), queue: patch.queue.clone() };
            let ask = Ask::new(ask.topic.as_ref(), call);
            let path = ["jobs", id.as_str(), field];
            self.endpoint.request(ask, Method::Get, &path, &[], None)
        });
        if doubtful {
            let known = self.outcomes.get(id.as_str()).filter(|end| end.at == patch.finished_at);
            match (known, &patch.queue, patch.finished_at) {
                (Some(Ended { well: true, .. }), ..) => complete(&mut patch),
                (None, Some(queue), Some(end)) if retried => {
                    // Until the list has been read this may be either.
                    patch.finality = Finality::MayRetry;
                    let first = Stretch::first("completed");
                    let topic = ask.topic.as_ref();
                    outcome = Some(self.outcome_request(topic, id.as_str(), end, queue, &first));
                }
                _ => {}
            }
        }
        let update = Incoming::Update(Update::Job(Box::new(patch)));
        let follow = outcome.or(follow.map(Incoming::Follow));
        std::iter::once(update).chain(follow).collect()
    }

    /// The list of completed jobs, read for the one whose end is in doubt.
    fn parse_outcome(
        &mut self,
        topic: Option<&Topic>,
        (id, end): (&str, Timestamp),
        queue: &str,
        stretch: &Stretch,
        body: &str,
    ) -> Vec<Incoming> {
        let Some(fields) = Fields::parse(body).filter(|fields| fields.has("jobs")) else {
            return vec![self.wrong_shape("the list of jobs", body)];
        };
        let at = Some(end);
        let rows = fields.array("jobs");
        let listed = rows.into_iter().filter_map(|raw| job_row(raw.get())).any(|row| {
            row.patch.finished_at == at && row.patch.id.is_some_and(|own| own.as_str() == id)
        });
        if let (false, Left::More(more)) = (listed, self.left(queue, stretch, &fields))
            && let Some(stretch) = more.first()
        {
            return vec![self.outcome_request(topic, id, end, queue, stretch)];
        }
        self.outcomes.remember(id.into(), Ended { at, well: listed });
        let state = if listed { JobState::Completed } else { JobState::Failed };
        let patch = JobPatch {
            state: Some(state),
            finished_at: at,
            at,
            queue: Some(queue.to_owned()),
            snapshot: true,
            ..JobPatch::new(id)
        };
        vec![Incoming::Update(Update::Job(Box::new(patch)))]
    }

    fn outcome_request(
        &self,
        topic: Option<&Topic>,
        id: &str,
        end: Timestamp,
        queue: &str,
        stretch: &Stretch,
    ) -> Incoming {
        let (id, stretch) = (id.to_owned(), stretch.clone());
        let call = Call::Outcome { id, end, queue: queue.to_owned(), stretch: stretch.clone() };
        Incoming::Follow(self.stretch_request(topic, call, queue, &stretch))
    }

    fn parse_cancel(&self, id: &str, body: &str) -> Incoming {
        // A body of another shape does not say that it is done.
        let fields = Fields::leading(body).unwrap_or_default();
        let message = fields.string("message");
        let done = fields.flag("success") == Some(true);
        if done {
            // The server has forgotten the job by now and sends no event about it.
            let state = Some(JobState::Cancelled);
            let patch = JobPatch { state, message, ..JobPatch::new(id) };
            return Incoming::Update(Update::Job(Box::new(patch)));
        }
        let words = message.unwrap_or_else(|| "The server did not cancel the job.".to_owned());
        diagnostic(ACTION_REFUSED, &words, None, &self.endpoint)
    }

    pub(super) fn read_answer(&mut self, ask: &Ask, answer: Answer<'_>) -> Vec<Incoming> {
        let Some(call) = ask.of::<Call>() else { return Vec::new() };
        let topic = ask.topic.as_ref();
        match (answer, call) {
            (Answer::Json(body), _) => self.read_json(ask, call, body),
            (Answer::Missing, Call::Job(id)) => self.missing(topic, id),
            (Answer::Missing, Call::Cancel(id)) => {
                vec![Incoming::Update(Update::Gone(id.as_str().into()))]
            }
            // The job itself has just been described: this server has no such call.
            (Answer::Missing | Answer::Odd(_), Call::Field { .. }) => Vec::new(),
            (Answer::Missing, Call::Stats(queue)) => {
                // Without counts the finished lists are read every time.
                LISTS[1..]
                    .iter()
                    .map(|list| Incoming::Follow(self.list_request(topic, queue, list)))
                    .collect()
            }
            (Answer::Missing, _) => {
                vec![diagnostic("http-error", "HTTP 404.", None, &self.endpoint)]
            }
            // Demo keys may read but not act: that refuses the action, not the key.
            (Answer::Forbidden(reason), Call::Cancel(_)) => {
                vec![diagnostic(ACTION_REFUSED, &reason, None, &self.endpoint)]
            }
            (Answer::Forbidden(reason) | Answer::Refused(reason), _) => {
                vec![Incoming::Refused(reason)]
            }
            (Answer::Odd(odd), _) => vec![*odd],
        }
    }

    fn read_json(&mut self, ask: &Ask, call: &Call, body: &str) -> Vec<Incoming> {
        let topic = ask.topic.as_ref();
        match call {
            Call::Job(_) => self.parse_job(ask, body),
            Call::Outcome { id, end, queue, stretch } => {
                self.parse_outcome(topic, (id, *end), queue, stretch, body)
            }
            Call::Field { field, id, queue } => match one_field(field, id, body) {
                Some(patch) => {
                    let patch = JobPatch { queue: queue.clone(), ..patch };
                    vec![Incoming::Update(Update::Job(Box::new(patch)))]
                }
                None => vec![self.wrong_shape("a job", body)],
            },
            Call::List { queue, stretch } => self.parse_list(ask, queue, stretch, body),
            Call::Find { given, queue, stretches } => {
                self.parse_find(topic, (given, queue), stretches, body)
            }
            Call::Queues => self.parse_queues(ask, body),
            Call::Stats(queue) => self.parse_stats(ask, queue, body),
            Call::Cancel(id) => vec![self.parse_cancel(id, body)],
        }
    }

    pub(super) fn wrong_shape(&self, what: &str, received: &str) -> Incoming {
        let words = format!("The answer is not {what}.");
        diagnostic("wrong-shape", &words, Some(received), &self.endpoint)
    }
}

/// None of the finished jobs that were there before is left.
fn come_and_gone(queue: &str, list: &str, kept: usize) -> Incoming {
    let why = format!(
        "At least {} jobs in the queue {queue} have {list} since it was last read, and the server \
         keeps no more. The outcome of any others is not known.",
        grouped(kept)
    );
    Incoming::Partial { open: false, why: Some(why) }
}

/// More is under way in a queue than is read.
fn too_much(queue: &str, read: usize, doing: Option<&str>) -> Incoming {
    let why = doing.map(|doing| {
        format!(
            "More than {} jobs in the queue {queue} are {doing}. The others are not listed until \
             there are fewer.",
            grouped(read / 1_000 * 1_000)
        )
    });
    Incoming::Partial { open: doing.is_some(), why }
}
