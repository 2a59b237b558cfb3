//! The HTTP API: queues by their counts, lists of jobs, and single jobs.

use jiff::Timestamp;

use super::lists::{LISTS, Left, MOST_QUEUES, Stretch};
use super::read::{Row, complete, job_row, one_field, queue_counts};
use super::{Analyzer, Ended};
use crate::dialect::nest::{self, Answer};
use crate::dialect::oversized::grouped;
use crate::dialect::socketio_session::diagnostic;
use crate::dialect::{Ask, FetchRequest, Incoming, Method, queue_and_id};
use crate::model::{ACTION_REFUSED, Finality, JobPatch, JobState, Topic, Update};
use crate::wire::fields::Fields;

impl Analyzer {
    /// A stretch of a list of one queue.
    fn stretch_request(
        &self,
        topic: Option<&Topic>,
        queue: &str,
        stretch: &Stretch,
    ) -> FetchRequest {
        let mut args = vec![queue.to_owned()];
        args.extend(stretch.args());
        let ask = Ask { topic: topic.cloned(), call: "list", args };
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
        self.stretch_request(topic, queue, &Stretch::first(list))
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
    fn left(&self, queue: &str, stretch: &Stretch, fields: &Fields<'_>) -> Left {
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

    fn parse_stats(&mut self, ask: &Ask, body: &str) -> Vec<Incoming> {
        let queue = ask.args.first().map_or("", String::as_str);
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

    fn parse_list(&mut self, ask: &Ask, body: &str) -> Vec<Incoming> {
        let Some(fields) = Fields::parse(body).filter(|fields| fields.has("jobs")) else {
            return vec![self.wrong_shape("the list of jobs", body)];
        };
        let Some((queue, args)) = ask.args.split_first() else { return Vec::new() };
        let stretch = Stretch::of(args);
        let mut out = self.rows(queue, &stretch.list, &fields);
        let left = self.left(queue, &stretch, &fields);
        if matches!(stretch.list.as_str(), "completed" | "failed") {
            let rows = fields.array("jobs").into_iter().filter_map(|raw| job_row(raw.get()));
            let ends =
                rows.filter_map(|row| Some((row.patch.finished_at, row.patch.id?.to_string())));
            let last = !matches!(left, Left::More(_));
            if let Some(many) = self.finished.read(queue, &stretch, ends.collect(), last) {
                out.push(come_and_gone(queue, &stretch.list, many));
            }
        }
        match left {
            Left::Nothing => {}
            Left::More(more) => out.extend(more.iter().map(|stretch| {
                Incoming::Follow(self.stretch_request(ask.topic.as_ref(), queue, stretch))
            })),
            Left::TooMuch(read, doing) => out.push(too_much(queue, read, doing)),
        }
        out
    }

    fn rows(&mut self, queue: &str, list: &str, fields: &Fields<'_>) -> Vec<Incoming> {
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
        let follow = lacks.map(|call| {
            let args = vec![id.to_string(), patch.queue.clone().unwrap_or_default()];
            let ask = Ask { topic: ask.topic.clone(), call, args };
            let path = ["jobs", id.as_str(), call];
            self.endpoint.request(ask, Method::Get, &path, &[], None)
        });
        if doubtful {
            let known = self.outcomes.get(id.as_str()).filter(|end| end.at == patch.finished_at);
            match (known, &patch.queue, patch.finished_at) {
                (Some(Ended { well: true, .. }), ..) => complete(&mut patch),
                (None, Some(queue), Some(end)) if retried => {
                    // Until the list has been read this may be either.
                    patch.finality = Finality::MayRetry;
                    let end = end.to_string();
                    let first = Stretch::first("completed");
                    let topic = ask.topic.as_ref();
                    outcome = Some(self.outcome_request(topic, id.as_str(), &end, queue, &first));
                }
                _ => {}
            }
        }
        let update = Incoming::Update(Update::Job(Box::new(patch)));
        let follow = outcome.or(follow.map(Incoming::Follow));
        std::iter::once(update).chain(follow).collect()
    }

    /// The list of completed jobs, read for the one whose end is in doubt.
    fn parse_outcome(&mut self, ask: &Ask, body: &str) -> Vec<Incoming> {
        let [id, end, queue, args @ ..] = ask.args.as_slice() else { return Vec::new() };
        let Some(fields) = Fields::parse(body).filter(|fields| fields.has("jobs")) else {
            return vec![self.wrong_shape("the list of jobs", body)];
        };
        let at: Option<Timestamp> = end.parse().ok();
        let rows = fields.array("jobs");
        let listed = rows.into_iter().filter_map(|raw| job_row(raw.get())).any(|row| {
            row.patch.finished_at == at && row.patch.id.is_some_and(|own| own.as_str() == id)
        });
        if let (false, Left::More(more)) = (listed, self.left(queue, &Stretch::of(args), &fields))
            && let Some(stretch) = more.first()
        {
            return vec![self.outcome_request(ask.topic.as_ref(), id, end, queue, stretch)];
        }
        self.outcomes.remember(id.as_str().into(), Ended { at, well: listed });
        let state = if listed { JobState::Completed } else { JobState::Failed };
        let patch = JobPatch {
            state: Some(state),
            finished_at: at,
            at,
            queue: Some(queue.clone()),
            snapshot: true,
            ..JobPatch::new(id.as_str())
        };
        vec![Incoming::Update(Update::Job(Box::new(patch)))]
    }

    fn outcome_request(
        &self,
        topic: Option<&Topic>,
        id: &str,
        end: &str,
        queue: &str,
        stretch: &Stretch,
    ) -> Incoming {
        let mut request = self.stretch_request(topic, queue, stretch);
        request.ask.call = "outcome";
        request.ask.args.splice(0..0, [id.to_owned(), end.to_owned()]);
        Incoming::Follow(request)
    }

    /// No queue has a job of this id. It may be named by its queue and its id: then its lists are
    /// read, since the server looks for an id in one queue after another and shows the first.
    pub(super) fn missing(&self, ask: &Ask) -> Vec<Incoming> {
        let given = ask.args.first().map_or("", String::as_str);
        match queue_and_id(given).next() {
            Some((queue, _)) => vec![self.find(ask.topic.as_ref(), given, queue)],
            None => vec![Incoming::Update(Update::Gone(given.into()))],
        }
    }

    /// Looks through the lists of a queue for a job.
    fn find(&self, topic: Option<&Topic>, given: &str, queue: &str) -> Incoming {
        self.find_in(topic, given, queue, &LISTS.map(Stretch::first))
    }

    /// Looks through the first of these stretches, and then through the others.
    fn find_in(
        &self,
        topic: Option<&Topic>,
        given: &str,
        queue: &str,
        stretches: &[Stretch],
    ) -> Incoming {
        let Some(first) = stretches.first() else {
            // Another way to read it, where the queue's name or the id has slashes of its own.
            return match queue_and_id(given).find(|(other, _)| other.len() > queue.len()) {
                Some((other, _)) => self.find(topic, given, other),
                None => Incoming::Update(Update::Gone(given.into())),
            };
        };
        let mut request = self.stretch_request(topic, queue, first);
        request.ask.call = "find";
        request.ask.args = vec![given.to_owned(), queue.to_owned()];
        request.ask.args.extend(stretches.iter().flat_map(Stretch::args));
        Incoming::Follow(request)
    }

    /// There is no such queue, so what was taken for its name is none.
    pub(super) fn no_such_queue(&self, ask: &Ask) -> Vec<Incoming> {
        let [given, queue, ..] = ask.args.as_slice() else { return Vec::new() };
        vec![self.find_in(ask.topic.as_ref(), given, queue, &[])]
    }

    /// A list of a queue, read for one job of it; the next list where it is not there.
    fn parse_find(&mut self, ask: &Ask, body: &str) -> Vec<Incoming> {
        let [given, queue, args @ ..] = ask.args.as_slice() else { return Vec::new() };
        let Some(fields) = Fields::parse(body).filter(|fields| fields.has("jobs")) else {
            return vec![self.wrong_shape("the list of jobs", body)];
        };
        let mut stretches: Vec<Stretch> = args.chunks(Stretch::ARGS).map(Stretch::of).collect();
        if stretches.is_empty() {
            return Vec::new();
        }
        let read = stretches.remove(0);
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
        if let Left::More(more) = self.left(queue, &read, &fields) {
            stretches.splice(0..0, more);
        }
        vec![self.find_in(ask.topic.as_ref(), given, queue, &stretches)]
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
        let arg = |index: usize| ask.args.get(index).map_or("", String::as_str);
        match answer {
            Answer::Json(body) => match ask.call {
                "job" => self.parse_job(ask, body),
                "outcome" => self.parse_outcome(ask, body),
                "result" | "progress" => match one_field(ask.call, arg(0), body) {
                    Some(mut patch) => {
                        patch.queue = Some(arg(1).to_owned()).filter(|queue| !queue.is_empty());
                        vec![Incoming::Update(Update::Job(Box::new(patch)))]
                    }
                    None => vec![self.wrong_shape("a job", body)],
                },
                "list" => self.parse_list(ask, body),
                "find" => self.parse_find(ask, body),
                "queues" => self.parse_queues(ask, body),
                "stats" => self.parse_stats(ask, body),
                "cancel" => vec![self.parse_cancel(arg(0), body)],
                _ => Vec::new(),
            },
            Answer::Missing if ask.call == "job" => self.missing(ask),
            Answer::Missing if ask.call == "cancel" => {
                vec![Incoming::Update(Update::Gone(arg(0).into()))]
            }
            // The job itself has just been described: this server has no such call.
            Answer::Missing | Answer::Odd(_) if matches!(ask.call, "result" | "progress") => {
                Vec::new()
            }
            Answer::Missing if ask.call == "stats" => {
                // Without counts the finished lists are read every time.
                let topic = ask.topic.as_ref();
                LISTS[1..]
                    .iter()
                    .map(|list| Incoming::Follow(self.list_request(topic, arg(0), list)))
                    .collect()
            }
            Answer::Missing => {
                vec![diagnostic("http-error", "HTTP 404.", None, &self.endpoint)]
            }
            // Demo keys may read but not act: that refuses the action, not the key.
            Answer::Forbidden(words) if ask.call == "cancel" => {
                vec![diagnostic(ACTION_REFUSED, &words, None, &self.endpoint)]
            }
            Answer::Forbidden(words) | Answer::Refused(words) => vec![Incoming::Refused(words)],
            Answer::Odd(odd) => vec![*odd],
        }
    }

    fn wrong_shape(&self, what: &str, received: &str) -> Incoming {
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
