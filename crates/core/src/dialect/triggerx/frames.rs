//! Frames of the TriggerX socket: `{"type","data","timestamp"}`.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Target, TriggerX, record};
use crate::dialect::{Frame, Incoming, answer};
use crate::model::{JobState, Topic, Update};
use crate::wire::fields::{Fields, Row, elements};
use crate::wire::json;

impl TriggerX {
    pub(super) fn read_frame(&mut self, frame: &Frame) -> Vec<Incoming> {
        let Some(text) = answer::text(frame) else { return Vec::new() };
        answer::each_object(&text, |envelope, text| self.read_object(envelope, text))
    }

    fn read_object(&mut self, envelope: &Fields<'_>, text: &str) -> Vec<Incoming> {
        let kind = envelope.text("type").unwrap_or_default();
        match kind.as_ref() {
            "JOB_TASKS_SNAPSHOT" => Self::snapshot(envelope, text),
            // The shipped server says TASK_UPDATED for all four; the documented types mean the
            // same and are told apart by the keys of `changes` as well.
            "TASK_UPDATED" | "TASK_STATUS_CHANGED" | "TASK_FEE_UPDATED" | "TASK_CREATED" => {
                self.task_event(envelope, kind == "TASK_CREATED").unwrap_or_else(|| {
                    vec![answer::diagnostic("wrong-shape", "A task event names no task.", text)]
                })
            }
            "SUCCESS" => self.confirmed(envelope).unwrap_or_else(|| {
                let what = "A confirmed subscription names no room.";
                vec![answer::diagnostic("wrong-shape", what, text)]
            }),
            "ERROR" => self.complained(envelope, text),
            "PONG" => Vec::new(),
            other => {
                let what = format!("The frame type \"{other}\" is not known.");
                vec![answer::diagnostic("unknown-frame", what, text)]
            }
        }
    }

    fn snapshot(envelope: &Fields<'_>, text: &str) -> Vec<Incoming> {
        let read = envelope.get("data").filter(|data| data.get().starts_with('{'));
        let Some((job, rows)) = read.and_then(Snapshot::read) else {
            let what = "A snapshot of tasks holds no list of them.";
            return vec![answer::diagnostic("wrong-shape", what, text)];
        };
        let at = envelope.time("timestamp");
        let mut nameless = 0_usize;
        let mut all: Vec<Incoming> = Vec::with_capacity(rows.len());
        for row in rows {
            let named = row.and_then(|row| row.string("task_id").map(|id| (row, id)));
            let Some((row, id)) = named else {
                nameless += 1;
                continue;
            };
            let mut patch = record::task(&row, &id, job.as_deref());
            patch.state.get_or_insert(JobState::Running);
            patch.snapshot = true;
            patch.at = at;
            all.push(Incoming::Update(Update::Job(Box::new(patch))));
        }
        if nameless > 0 {
            let what = format!("{nameless} of the tasks in a snapshot have no id.");
            all.push(answer::diagnostic("wrong-shape", what, text));
        }
        all
    }

    fn task_event(&mut self, envelope: &Fields<'_>, created: bool) -> Option<Vec<Incoming>> {
        let data = envelope.object("data")?;
        let changes = data.object("changes");
        // Without `changes` the data itself is taken for them.
        let changes = changes.as_ref().unwrap_or(&data);
        let id = data.string("task_id").or_else(|| changes.string("task_id"))?;
        let job = data.string("job_id").filter(|job| job != "0");
        let job = job.or_else(|| changes.string("job_id"));
        let mut patch = record::task(changes, &id, job.as_deref());
        if patch.user.is_none() {
            patch.user = record::owner(&data);
        }
        patch.at = record::event_time(&data, envelope);
        if patch.state.is_none() && (created || patch.created_at.is_some()) {
            patch.state = Some(JobState::Running);
        }
        let mut all = vec![Incoming::Update(Update::Job(Box::new(patch)))];
        if record::suggests_end(changes) {
            all.extend(self.stale(&id, job.as_deref()));
        }
        Some(all)
    }

    /// The topics under which a task is watched, to be fetched, and again for a while: the end is
    /// written by another service a little later, and never pushed.
    fn stale(&self, task: &str, job: Option<&str>) -> Vec<Incoming> {
        let rooms = [job.and_then(record::job_id), Some(record::task_id(task))];
        let watched: Vec<Incoming> = self
            .watched
            .iter()
            .filter(|topic| matches!(topic, Topic::Job(_)))
            .filter(|topic| {
                Target::of(topic)
                    .is_some_and(|target| rooms.iter().flatten().any(|room| *room == target.room))
            })
            .map(|topic| Incoming::Soon(topic.clone()))
            .collect();
        if !watched.is_empty() {
            return watched;
        }
        rooms.into_iter().flatten().take(1).map(|room| stale_job(&room)).collect()
    }

    fn confirmed(&mut self, envelope: &Fields<'_>) -> Option<Vec<Incoming>> {
        let data = envelope.object("data")?;
        let room = data.object("data").and_then(|inner| inner.string("room"));
        let room = room.or_else(|| data.string("room"))?;
        if data.text("message").is_some_and(|message| message.starts_with("Unsubscribed")) {
            return Some(Vec::new());
        }
        self.asked.retain(|asked| *asked != room);
        let topic = self.topic_of(&room);
        Some(topic.map(|topic| Incoming::Watched(topic.clone())).into_iter().collect())
    }

    fn complained(&mut self, envelope: &Fields<'_>, text: &str) -> Vec<Incoming> {
        let data = envelope.object("data").unwrap_or_default();
        let code = data.text("code").unwrap_or_default();
        let words = ["message", "error"].iter().find_map(|name| data.string(name));
        let words = words.or_else(|| envelope.string("data")).or_else(|| envelope.string("error"));
        let words = words.unwrap_or_else(|| "The server reports an error.".to_owned());
        match code.as_ref() {
            "ACCESS_DENIED" | "INVALID_ROOM" | "INVALID_SUBSCRIPTION_DATA" => {
                // An error names no room. With one unanswered subscription it can only be that.
                let topic = match self.asked.len() {
                    1 => self.asked.pop_front().and_then(|room| self.topic_of(&room).cloned()),
                    _ => None,
                };
                vec![Incoming::SubscriptionRejected { topic, reason: words }]
            }
            "RATE_LIMIT_EXCEEDED" => vec![Incoming::RateLimited(words)],
            "AUTHENTICATION_FAILED" | "UNAUTHORIZED" | "INVALID_API_KEY" => {
                vec![Incoming::Refused(words)]
            }
            _ => {
                let mut all = vec![answer::diagnostic("server-error", words, text)];
                // The documented error may carry what is known of its task.
                if data.object("changes").is_some()
                    && let Some(event) = self.task_event(envelope, false)
                {
                    all.extend(event);
                }
                all
            }
        }
    }
}

/// The `data` of a snapshot, whose many rows are read in the same pass.
#[derive(Deserialize)]
struct Snapshot<'a> {
    #[serde(borrow)]
    job_id: Option<&'a RawValue>,
    #[serde(borrow)]
    tasks: Option<Vec<Row<'a>>>,
}

impl<'a> Snapshot<'a> {
    /// The job's id and the rows, `None` for what is no object; in a second pass where something has
    /// another shape. `None` where there is no list, not even `null`, as Go writes an empty one.
    fn read(data: &'a RawValue) -> Option<(Option<String>, Vec<Option<Fields<'a>>>)> {
        if let Ok(Snapshot { job_id, tasks: Some(tasks) }) = serde_json::from_str(data.get()) {
            let rows = tasks.into_iter().map(|row| row.0).collect();
            return Some((job_id.and_then(json::id_of), rows));
        }
        let fields = Fields::of(data)?;
        let rows = match fields.get("tasks") {
            Some(list) if list.get().starts_with('[') => elements(list),
            None if fields.has("tasks") => Vec::new(),
            _ => return None,
        };
        Some((fields.string("job_id"), rows.into_iter().map(Fields::of).collect()))
    }
}

fn stale_job(id: &str) -> Incoming {
    Incoming::Soon(Topic::Job(id.into()))
}
