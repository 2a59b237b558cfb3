//! Log entries of all generations, and whose they are.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Kecs;
use super::task::last_segment;
use crate::dialect::Incoming;
use crate::log::LogLine;
use crate::model::{JobPatch, JobState, Level, Topic, Update};
use crate::wire::fields::{Fields, Text};

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

/// A frame of log entries with nothing in it but what is documented.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plain<'a> {
    #[serde(rename = "type")]
    _kind: &'a str,
    #[serde(borrow, rename = "payload", deserialize_with = "one_or_many")]
    pub entries: Vec<PlainEntry<'a>>,
    /// The envelope's time stands in where an entry has none.
    #[serde(borrow, default, rename = "timestamp")]
    _at: Option<Text<'a>>,
}

/// An entry with nothing in it but what is documented.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PlainEntry<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    timestamp: Text<'a>,
    #[serde(borrow, default)]
    level: Option<Text<'a>>,
    #[serde(borrow, default)]
    source: Option<PlainSource<'a>>,
    #[serde(borrow)]
    message: Text<'a>,
    #[serde(borrow)]
    task_id: Text<'a>,
    #[serde(borrow, default)]
    container_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    service_name: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainSource<'a> {
    #[serde(borrow, default, rename = "type")]
    _kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default, rename = "identifier")]
    _identifier: Option<Text<'a>>,
}

/// Reads a frame of log entries; `None` for one that must be read leniently.
pub fn plain(text: &str) -> Option<Plain<'_>> {
    if !(text.starts_with(r#"{"type":"log_entry","#) || text.starts_with(r#"{"type":"log_batch","#))
    {
        return None;
    }
    let plain: Plain<'_> = serde_json::from_str(text).ok()?;
    let usual = |entry: &PlainEntry<'_>| !entry.task_id.0.is_empty() && entry.at().is_some();
    plain.entries.iter().all(usual).then_some(plain)
}

impl PlainEntry<'_> {
    fn at(&self) -> Option<Timestamp> {
        crate::wire::time::parse_text(self.timestamp.0.trim())
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<PlainEntry<'de>>, D::Error> {
    struct Entries;
    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<PlainEntry<'de>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an entry or a list of entries")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = list.next_element()? {
                entries.push(entry);
            }
            Ok(entries)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            let entry = PlainEntry::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
            Ok(vec![entry])
        }
    }
    deserializer.deserialize_any(Entries)
}

impl<'a> From<PlainEntry<'a>> for Entry<'a> {
    fn from(plain: PlainEntry<'a>) -> Entry<'a> {
        let at = plain.at();
        let filled =
            |text: Option<Text<'a>>| text.map(|text| text.0).filter(|text| !text.is_empty());
        let (container, service) = (filled(plain.container_id), filled(plain.service_name));
        let origin = match (&container, plain.source.and_then(|source| source.name)) {
            (Some(container), _) => Some(container.clone()),
            (None, Some(name)) => Some(name.0).filter(|name| !name.is_empty()),
            (None, None) => service.clone(),
        };
        Entry {
            id: filled(plain.id),
            at,
            level: plain.level.and_then(|word| Level::from_word(&word.0)),
            origin,
            text: plain.message.0,
            task: Some(plain.task_id.0),
            container,
            service,
        }
    }
}

impl Entry<'_> {
    /// The task it names.
    pub fn task(&self) -> Option<&str> {
        self.task.as_deref().map(last_segment)
    }

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
