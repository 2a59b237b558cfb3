//! Frames of the KECS socket: `{"type","payload","id","timestamp","resourceType","resourceId"}`,
//! and the bare objects of a container's log stream.

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::task::{self, Account, Told, last_segment};
use super::{Kecs, logs, metrics, notifications};
use crate::dialect::{Frame, Incoming, answer};
use crate::log::LogLines;
use crate::model::{Topic, Update};
use crate::wire::fields::{Fields, elements};
use crate::wire::json;

impl Kecs {
    pub(super) fn read_frame(&mut self, frame: &Frame) -> Vec<Incoming> {
        let Some(text) = answer::text(frame) else { return Vec::new() };
        if let Some(all) = self.flood(&text) {
            return all;
        }
        answer::each_object(&text, |envelope, text| self.read_object(envelope, text))
    }

    fn read_object(&mut self, envelope: &Fields<'_>, text: &str) -> Vec<Incoming> {
        let Some(kind) = envelope.text("type") else { return self.bare(envelope, text) };
        let payload = envelope.get("payload");
        match kind.as_ref() {
            "log_entry" | "log_batch" | "log_history" => match payload {
                Some(raw) => self.log_entries(envelope, list(raw, &["logs", "entries", "events"])),
                None => without_payload(&kind, envelope, text),
            },
            "metric_update" | "metric_batch" | "historical_data" => match payload {
                Some(payload) => metrics::read(payload, envelope),
                None => without_payload(&kind, envelope, text),
            },
            "task_status_changed"
            | "task_update"
            | "task_batch_update"
            | "initial_tasks"
            | "localstack_event" => self.tasks(&kind, envelope, text),
            "service_updated" | "cluster_updated" => self.group_changed(envelope, text),
            "notification" | "notification_history" | "notification_update" => match payload {
                Some(raw) => notifications::read(&kind, raw, envelope),
                None => without_payload(&kind, envelope, text),
            },
            "subscribed" => self.subscribed(envelope, text),
            "error" => self.complained(envelope, text),
            "stream_error" => {
                let words = payload.and_then(words).unwrap_or_else(|| "A stream failed.".into());
                vec![answer::diagnostic("server-error", words, text)]
            }
            "pong"
            | "unsubscribed"
            | "filtersSet"
            | "authenticated"
            | "container_instance_updated" => Vec::new(),
            other => {
                let what = format!("The frame type \"{other}\" is not known.");
                vec![answer::diagnostic("unknown-frame", what, text)]
            }
        }
    }

    /// A frame without a type comes from a container's log stream.
    fn bare(&mut self, fields: &Fields<'_>, text: &str) -> Vec<Incoming> {
        if fields.has("log_line") {
            let entry = serde_json::from_str(text).into_iter().collect();
            return self.log_entries(fields, entry);
        }
        match fields.text("event").as_deref() {
            Some("close") => {
                vec![Incoming::Disconnected("The server ended the log stream.".to_owned())]
            }
            _ if fields.has("error") => {
                let words = words_in(fields).unwrap_or_else(|| "The log stream failed.".to_owned());
                vec![answer::diagnostic("server-error", words, text)]
            }
            _ => vec![answer::diagnostic("unknown-frame", "A frame has no type.", text)],
        }
    }

    fn tasks(&mut self, kind: &str, envelope: &Fields<'_>, text: &str) -> Vec<Incoming> {
        let Some(payload) = envelope.get("payload") else {
            return without_payload(kind, envelope, text);
        };
        let at = envelope.time("timestamp");
        let mut all = Vec::new();
        for item in list(payload, &["tasks", "updates"]) {
            let Some(fields) = Fields::of(item) else {
                all.push(answer::diagnostic(
                    "wrong-shape",
                    "A task event is not an object.",
                    item.get(),
                ));
                continue;
            };
            match self.task_change(kind, &fields, envelope, at) {
                Some(read) => all.extend(read),
                // An event about something else than a task says nothing about jobs.
                None if kind == "localstack_event" => {}
                None => {
                    all.push(answer::diagnostic(
                        "wrong-shape",
                        "A task event names no task.",
                        text,
                    ));
                }
            }
        }
        all
    }

    /// One task event. The facts may lie in the payload itself, in `detail` (shipped servers), or in
    /// `task` and `changes` (the documented page); the later ones win.
    fn task_change(
        &mut self,
        kind: &str,
        fields: &Fields<'_>,
        envelope: &Fields<'_>,
        at: Option<Timestamp>,
    ) -> Option<Vec<Incoming>> {
        let parts = ["detail", "task", "changes"].map(|name| fields.object(name));
        let mut named = std::iter::once(fields)
            .chain(parts.iter().flatten())
            .find_map(|part| task::NAMES.iter().find_map(|name| part.string(name)));
        if kind == "localstack_event" {
            // Events of all services of LocalStack come so: an id of theirs is no task's.
            named.as_ref()?;
        } else {
            named = named.or_else(|| fields.string("id")).or_else(|| {
                let task = envelope.text("resourceType").is_some_and(|kind| kind == "task");
                envelope.string("resourceId").filter(|_| task)
            });
        }
        let mut account = self.pushed(fields, named.as_deref());
        for part in parts.iter().flatten() {
            let Some(next) = self.pushed(part, named.as_deref()) else { continue };
            account = Some(match account {
                Some(before) => join(before, next),
                None => next,
            });
        }
        let mut account = account?;
        account.deleted |= fields.text("updateType").is_some_and(|kind| kind == "deleted");
        account.patch.at = fields.time("timestamp").or(at);
        account.patch.snapshot = kind == "initial_tasks";
        Some(self.task_told(account))
    }

    /// A task as an event tells of it.
    pub(super) fn pushed(&self, fields: &Fields<'_>, id: Option<&str>) -> Option<Account> {
        task::task(fields, id, Told::Pushed, self.beside(fields, id))
    }

    /// Remembers and reports what was told of a task.
    pub(super) fn task_told(&mut self, account: Account) -> Vec<Incoming> {
        let Account { patch, open, deleted } = account;
        let Some(id) = patch.id.clone() else { return Vec::new() };
        if let Some(cluster) = &patch.queue {
            self.clusters.remember(id.clone(), cluster.clone());
        }
        if deleted {
            return vec![Incoming::Update(Update::Gone(id))];
        }
        let mut all = vec![Incoming::Update(Update::Job(Box::new(patch)))];
        if open {
            all.extend(self.stale(&id));
        }
        all
    }

    /// A service or cluster changed: whoever watches it, or everything, asks again.
    fn group_changed(&self, envelope: &Fields<'_>, text: &str) -> Vec<Incoming> {
        let payload = envelope.object("payload").unwrap_or_default();
        let mut names: Vec<String> = ["serviceArn", "clusterArn"]
            .iter()
            .filter_map(|name| payload.string(name))
            .chain(envelope.string("resourceId"))
            .map(|arn| last_segment(&arn).to_owned())
            .collect();
        names.dedup();
        let odd = names.is_empty().then(|| {
            let what = "An event about a service or a cluster names none.";
            answer::diagnostic("wrong-shape", what, text)
        });
        self.watched
            .iter()
            .filter(|topic| match topic {
                Topic::Queue(name) => names.contains(name),
                Topic::Everything => true,
                Topic::Job(_) | Topic::User(_) => false,
            })
            .cloned()
            .map(Incoming::Stale)
            .chain(odd)
            .collect()
    }

    fn subscribed(&mut self, envelope: &Fields<'_>, text: &str) -> Vec<Incoming> {
        let payload = envelope.object("payload");
        if !envelope.has("id") && payload.is_none_or(|payload| !payload.has("resourceId")) {
            let what = "A confirmed subscription does not say to what.";
            return vec![answer::diagnostic("wrong-shape", what, text)];
        }
        let asked = envelope.text("id").and_then(|id| self.asked.remove(id.as_ref()));
        let topic = asked.or_else(|| {
            let id = envelope.object("payload")?.string("resourceId")?;
            let named = |topic: &&Topic| super::resources(topic).iter().any(|(_, own)| *own == id);
            self.watched.iter().find(named).cloned()
        });
        topic.map(Incoming::Watched).into_iter().collect()
    }

    fn complained(&mut self, envelope: &Fields<'_>, text: &str) -> Vec<Incoming> {
        let payload = envelope.get("payload");
        let reason = payload.and_then(words).or_else(|| words_in(envelope));
        let reason = reason.unwrap_or_else(|| "The server reports an error.".to_owned());
        let code = payload.and_then(Fields::of).and_then(|payload| payload.string("error"));
        let unauthorized = code.as_deref().is_some_and(|code| code.starts_with("unauthorized"));
        // Its answer names no frame: what was said last was not heard.
        if code.as_deref().is_some_and(|code| code.starts_with("rate_limit")) {
            return vec![Incoming::RateLimited(reason)];
        }
        match envelope.string("id") {
            Some(id) => match self.asked.remove(&id) {
                Some(topic) => vec![Incoming::SubscriptionRejected { topic: Some(topic), reason }],
                None if unauthorized => vec![Incoming::Refused(reason)],
                None => vec![answer::diagnostic("server-error", reason, text)],
            },
            None => vec![answer::diagnostic("server-error", reason, text)],
        }
    }

    fn log_entries(&mut self, envelope: &Fields<'_>, entries: Vec<&RawValue>) -> Vec<Incoming> {
        let mut all: Vec<Incoming> = Vec::new();
        for raw in entries {
            let Some(entry) = logs::entry(raw, envelope) else {
                all.push(answer::diagnostic("wrong-shape", "A log entry has no text.", raw.get()));
                continue;
            };
            if !self.log_entry(&entry, &mut all) {
                let text = format!("A log line names no task: {}", json::head(&entry.text));
                all.push(answer::diagnostic("homeless-log", text, raw.get()));
            }
        }
        all
    }

    /// Reads log entries as documented, which may come by the thousand, in one pass; `None` for
    /// every other frame.
    fn flood(&mut self, text: &str) -> Option<Vec<Incoming>> {
        let mut all = Vec::new();
        let read = logs::plain(text, |task, line| {
            if let [.., Incoming::Update(Update::Log { job: last, lines })] = &mut *all
                && (last.as_str() == task || last.as_str() == last_segment(task))
            {
                lines.push(line);
                return;
            }
            let mut lines = match all.is_empty() {
                true => LogLines::with_capacity(1 + text.len() / 150, text.len()),
                false => LogLines::new(),
            };
            lines.push(line);
            all.push(Incoming::Update(Update::Log { job: last_segment(task).into(), lines }));
        });
        read.then_some(all)
    }

    /// Adds an entry's line to those of its job; `false` when nobody knows whose it is.
    fn log_entry(&mut self, entry: &logs::Entry<'_>, all: &mut Vec<Incoming>) -> bool {
        if let (Some(task), Some(Incoming::Update(Update::Log { job, lines }))) =
            (entry.task(), all.last_mut())
            && job.as_str() == task
        {
            lines.push(entry.line());
            return true;
        }
        let Some(job) = self.log_owner(entry, all) else { return false };
        match all.last_mut() {
            Some(Incoming::Update(Update::Log { job: last, lines })) if last.as_str() == job => {
                lines.push(entry.line());
            }
            _ => {
                let lines = LogLines::from_iter([entry.line()]);
                all.push(Incoming::Update(Update::Log { job: (&*job).into(), lines }));
            }
        }
        true
    }
}

/// A frame that is of no use without the payload that it lacks; `null` is an empty list, as Go writes
/// it, where a list may be.
fn without_payload(kind: &str, envelope: &Fields<'_>, text: &str) -> Vec<Incoming> {
    let list = matches!(
        kind,
        "log_batch"
            | "log_history"
            | "metric_batch"
            | "historical_data"
            | "task_batch_update"
            | "initial_tasks"
            | "notification_history"
    );
    if list && envelope.has("payload") {
        return Vec::new();
    }
    vec![answer::diagnostic("wrong-shape", format!("A frame \"{kind}\" has no payload."), text)]
}

/// `payload` as a list: an array, an object that holds one under one of `names`, or one thing.
pub(super) fn list<'a>(payload: &'a RawValue, names: &[&str]) -> Vec<&'a RawValue> {
    if payload.get().starts_with('[') {
        return elements(payload);
    }
    let fields = Fields::of(payload).unwrap_or_default();
    match names.iter().find(|name| fields.has(name)) {
        Some(name) => match fields.get(name) {
            Some(inner) if inner.get().starts_with('[') => elements(inner),
            inner => inner.into_iter().collect(),
        },
        None => vec![payload],
    }
}

fn join(before: Account, next: Account) -> Account {
    let (mut patch, new) = (before.patch, next.patch);
    // A state told in a later part settles an outcome left open in an earlier one.
    let open = (before.open || next.open) && new.state.is_none();
    patch.state = if open { None } else { new.state.or(patch.state) };
    patch.queue = new.queue.or(patch.queue);
    patch.name = new.name.or(patch.name);
    patch.user = new.user.or(patch.user);
    patch.message = new.message.or(patch.message);
    patch.error = new.error.or(patch.error);
    patch.created_at = new.created_at.or(patch.created_at);
    patch.started_at = new.started_at.or(patch.started_at);
    patch.finished_at = new.finished_at.or(patch.finished_at);
    patch.extra.extend(new.extra);
    Account { patch, open, deleted: before.deleted || next.deleted }
}

/// The words for people in an error's payload.
fn words(raw: &RawValue) -> Option<String> {
    match Fields::of(raw) {
        Some(fields) => words_in(&fields),
        None => crate::wire::json::id_of(raw),
    }
}

fn words_in(fields: &Fields<'_>) -> Option<String> {
    ["message", "error", "reason"].iter().find_map(|name| fields.string(name))
}
