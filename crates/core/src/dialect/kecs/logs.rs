//! Log entries of all generations, and whose they are.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
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

/// An entry with nothing in it but what is documented.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PlainEntry<'a> {
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

/// Reads a frame of log entries with nothing in it but what is documented, and gives each to `take`
/// as it is read: its task, as written, and its line. `false` where the frame must be read leniently
/// and what `take` was given so far be forgotten.
pub fn plain<F: FnMut(&str, LogLine<'_>)>(text: &str, mut take: F) -> bool {
    if !(text.starts_with(r#"{"type":"log_entry","#) || text.starts_with(r#"{"type":"log_batch","#))
    {
        return false;
    }
    let mut reading = serde_json::Deserializer::from_str(text);
    Envelope(&mut take).deserialize(&mut reading).and_then(|()| reading.end()).is_ok()
}

/// Reads a frame.
struct Envelope<'t, F>(&'t mut F);

impl<'de, F: FnMut(&str, LogLine<'_>)> DeserializeSeed<'de> for Envelope<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(&str, LogLine<'_>)> Visitor<'de> for Envelope<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a frame of log entries")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<Text<'_>>()? {
            match &*name.0 {
                "payload" => map.next_value_seed(Entries(self.0))?,
                // The envelope's time stands in where an entry has none, which none here may.
                "type" | "timestamp" => drop(map.next_value::<Text<'_>>()?),
                _ => return Err(A::Error::custom("more than is documented")),
            }
        }
        Ok(())
    }
}

/// Reads an entry, or a list of them.
struct Entries<'t, F>(&'t mut F);

impl<F: FnMut(&str, LogLine<'_>)> Entries<'_, F> {
    fn take<E: Error>(&mut self, entry: &PlainEntry<'_>) -> Result<(), E> {
        let at = crate::wire::time::parse_text(&entry.timestamp.0);
        if at.is_none() || entry.task_id.0.is_empty() {
            return Err(E::custom("an entry that is not as usual"));
        }
        let source = entry.source.as_ref().and_then(|source| source.name.as_ref());
        let origin = filled(&entry.container_id).or(match source {
            Some(name) => Some(&*name.0).filter(|name| !name.is_empty()),
            None => filled(&entry.service_name),
        });
        let line = LogLine {
            id: filled(&entry.id),
            position: None,
            at,
            level: entry.level.as_ref().and_then(|word| Level::from_word(&word.0)),
            origin,
            text: &entry.message.0,
        };
        (self.0)(&entry.task_id.0, line);
        Ok(())
    }
}

fn filled<'t>(text: &'t Option<Text<'_>>) -> Option<&'t str> {
    text.as_ref().map(|text| &*text.0).filter(|text| !text.is_empty())
}

impl<'de, F: FnMut(&str, LogLine<'_>)> DeserializeSeed<'de> for Entries<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&str, LogLine<'_>)> Visitor<'de> for Entries<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry or a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(entry) = list.next_element()? {
            self.take(&entry)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, map: A) -> Result<(), A::Error> {
        let entry = PlainEntry::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
        self.take(&entry)
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
            patch.state = Some(JobState::Unknown(kind.into()));
            all.push(Incoming::Update(Update::Job(Box::new(patch))));
        }
        Some(id)
    }
}
