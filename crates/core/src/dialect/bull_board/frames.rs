//! Hints of Better Bull Board: `{"type","data"}` with one key in `data`.

use super::BullBoard;
use super::find::is_uuid;
use crate::dialect::{Frame, Incoming, answer};
use crate::model::{JobId, Topic};
use crate::wire::fields::Fields;

impl BullBoard {
    pub(super) fn read_frame(&mut self, frame: &Frame) -> Vec<Incoming> {
        let Some(text) = answer::text(frame) else { return Vec::new() };
        answer::each_object(&text, |envelope, text| self.read_object(envelope, text))
    }

    fn read_object(&mut self, envelope: &Fields<'_>, text: &str) -> Vec<Incoming> {
        let kind = envelope.text("type").unwrap_or_default();
        let data = envelope.object("data").unwrap_or_default();
        let mut grown = None;
        let topics = match kind.as_ref() {
            // The greeting of old servers.
            "job-refresh" if data.text("id").is_some_and(|id| id == "connected") => Vec::new(),
            // Old servers have no hint for single runs. Where they name a job here it is by its
            // BullMQ id, and new lines of a log they announce with or without one.
            "job-refresh" if data.get("jobId").is_some() => self.lists_and_runs(),
            "log-refresh" => {
                grown = Some(Incoming::LogGrew(None));
                self.lists_and_runs()
            }
            "job-refresh"
            | "queue-refresh"
            | "job-scheduler-refresh"
            | "single-job-scheduler-refresh" => self.lists(),
            "job-log-refresh" if data.get("jobId").is_some() => {
                return vec![Incoming::LogGrew(data.string("jobId").map(Into::into))];
            }
            "single-job-refresh" | "job-log-refresh" => match data.string("jobId") {
                Some(id) => {
                    let id = JobId::from(id);
                    self.lists.name(&id);
                    vec![Topic::Job(id)]
                }
                None => self.lists_and_runs(),
            },
            "single-queue-refresh" => match data.string("queueName") {
                Some(name) => {
                    let mut topics = vec![Topic::Queue(name)];
                    topics.extend(self.of(|topic| *topic == Topic::Everything));
                    topics
                }
                None => self.lists(),
            },
            other => {
                let what = format!("The frame type \"{other}\" is not known.");
                return vec![answer::diagnostic("unknown-frame", what, text)];
            }
        };
        topics.into_iter().map(Incoming::Stale).chain(grown).collect()
    }

    /// A hint that names nothing concerns every list, and what was not found yet: a BullMQ id whose
    /// run is still to come, or to come again.
    fn lists(&self) -> Vec<Topic> {
        let mut topics = vec![Topic::Everything];
        topics.extend(self.of(|topic| match topic {
            Topic::Queue(_) => true,
            Topic::Job(id) => self.awaited(id.as_str()),
            Topic::User(_) | Topic::Everything => false,
        }));
        topics
    }

    fn awaited(&self, id: &str) -> bool {
        match self.found.get(id) {
            Some(found) => found.ended,
            None => !is_uuid(id),
        }
    }

    fn lists_and_runs(&self) -> Vec<Topic> {
        let mut topics = self.lists();
        topics.extend(self.of(|topic| matches!(topic, Topic::Job(_))));
        topics
    }

    fn of(&self, wanted: impl Fn(&Topic) -> bool) -> impl Iterator<Item = Topic> {
        self.watched.iter().filter(move |topic| wanted(topic)).cloned()
    }
}
