//! Log entries of all generations, and whose they are.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::Kecs;
use super::task::last_segment;
use crate::dialect::Incoming;
use crate::log::LogLine;
use crate::model::{JobPatch, JobState, Level, Topic, Update};
use crate::wire::fields::Fields;

/// A log line and what it says about its owner.
#[derive(Debug, Default)]
pub struct Entry<'a> {
    pub id: Option<Cow<'a, str>>,
    pub at: Option<Timestamp>,
    pub level: Option<Level>,
    pub origin: Option<Cow<'a, str>>,
    pub text: Cow<'a, str>,
    task: Option<Cow<'a, str>>,
    container: Option<Cow<'a, str>>,
    service: Option<Cow<'a, str>>,
}

/// Reads an entry of the documented shape (`message`, `taskId`, `source`), of a container's stream
/// or log API (`log_line`, `task_arn`, `container_name`), or a bare string.
pub fn entry<'a>(raw: &'a RawValue, envelope: &Fields<'a>) -> Option<Entry<'a>> {
    let fields = Fields::of(raw).unwrap_or_default();
    let source = fields.object("source").unwrap_or_default();
    let mut text = match raw.get().starts_with('"') {
        true => crate::wire::json::text_of(raw)?,
        false => ["log_line", "message", "line"].iter().find_map(|name| fields.text(name))?,
    };
    if let Some(stack) = fields.string("stackTrace") {
        text = Cow::Owned(format!("{text}\n{stack}"));
    }
    let of_source = |kind: &str| {
        let same = source.text("type").is_some_and(|own| own == kind);
        same.then(|| source.text("identifier").or_else(|| source.text("name"))).flatten()
    };
    let of_envelope = |kind: &str| {
        let same = envelope.text("resourceType").is_some_and(|own| own == kind);
        same.then(|| envelope.text("resourceId")).flatten()
    };
    let named = |names: &[&str]| {
        names.iter().find_map(|name| fields.text(name)).filter(|name| !name.is_empty())
    };
    let task = named(&["taskId", "taskArn", "task_arn", "task_id"]);
    let container = named(&["container_name", "containerName", "containerId"]);
    let service = named(&["serviceName", "service"]);
    let origin = container
        .clone()
        .or_else(|| source.text("name"))
        .or_else(|| service.clone())
        .filter(|origin| !origin.is_empty());
    let level = fields.text("level").or_else(|| fields.text("log_level"));
    Some(Entry {
        id: fields.text("id").filter(|id| !id.is_empty()),
        at: fields
            .time("timestamp")
            .or_else(|| fields.time("created_at"))
            .or_else(|| envelope.time("timestamp")),
        level: level.and_then(|word| Level::from_word(&word)),
        origin,
        text,
        task: task.or_else(|| of_source("task")).or_else(|| of_envelope("task")),
        container: container.or_else(|| of_source("container")),
        service: service.or_else(|| of_source("service")).or_else(|| of_envelope("service")),
    })
}

impl Entry<'_> {
    /// The line.
    pub fn line(&self) -> LogLine<'_> {
        LogLine {
            id: self.id.as_deref(),
            position: None,
            at: self.at,
            level: self.level,
            origin: self.origin.as_deref(),
            text: &self.text,
        }
    }
}

impl Kecs {
    /// The job an entry belongs to. A job that is made up for its container or service is
    /// announced in `all` the first time.
    pub(super) fn log_owner(
        &mut self,
        entry: &Entry<'_>,
        all: &mut Vec<Incoming>,
    ) -> Option<String> {
        if let Some(task) = &entry.task {
            return Some(last_segment(task).to_owned());
        }
        let mut jobs = self.watched.iter().filter_map(|topic| match topic {
            Topic::Job(id) => Some(last_segment(id.as_str())),
            _ => None,
        });
        if let (Some(only), None) = (jobs.next(), jobs.next()) {
            return Some(only.to_owned());
        }
        let (kind, name) = match (&entry.service, &entry.container) {
            (Some(service), _) => ("service", service),
            (None, Some(container)) => ("container", container),
            (None, None) => return None,
        };
        let id = last_segment(name).to_owned();
        let known = self.adopted.contains(&id);
        self.adopted.remember(id.as_str().into(), ());
        if !known {
            let mut patch = JobPatch::new(id.as_str());
            patch.name = Some(format!("{kind} {id}"));
            patch.state = Some(JobState::Unknown(kind.to_owned()));
            all.push(Incoming::Update(Update::Job(Box::new(patch))));
        }
        Some(id)
    }
}
