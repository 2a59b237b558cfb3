//! Metrics in the shapes that servers and pages have used: `{"resourceId","metrics":{"cpu":1.5}}`
//! and `{"taskId","cpu":{"points":[{"value","timestamp"}]}}`, alone or in lists.

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::task::last_segment;
use crate::dialect::{Incoming, answer};
use crate::model::{JobId, Metric, Update};
use crate::wire::fields::{Fields, elements};
use crate::wire::json;

/// Fields beside the measured values.
const BESIDE: &[&str] = &[
    "taskId",
    "taskArn",
    "resourceId",
    "resourceType",
    "id",
    "timestamp",
    "metrics",
    "updates",
    "data",
    "interval",
    "name",
    "type",
    "unit",
];

/// All values in a metrics payload.
pub fn read(payload: &RawValue, envelope: &Fields<'_>) -> Vec<Incoming> {
    let mut all = Vec::new();
    let at = envelope.time("timestamp");
    let kind = envelope.string("resourceType");
    let owner = envelope.string("resourceId").filter(|_| kind.as_deref() != Some("cluster"));
    // One level of lists is a batch; deeper ones are nobody's shape.
    let batch = payload.get().starts_with('[');
    for item in if batch { elements(payload) } else { vec![payload] } {
        let before = all.len();
        collect(item, owner.as_deref(), at, &mut all);
        if all.len() == before && !is_empty(item) {
            all.push(answer::diagnostic("wrong-shape", "A metric has no value.", item.get()));
        }
    }
    all
}

/// Whether this is the usual shape, with no values in it at this time.
fn is_empty(raw: &RawValue) -> bool {
    let none =
        |raw: &RawValue| matches!(raw.get().replace(char::is_whitespace, "").as_str(), "[]" | "{}");
    let Some(fields) = Fields::of(raw) else { return false };
    let holds_none = |name: &&str| fields.has(name) && fields.get(name).is_none_or(none);
    let no_points = |(_, raw): (&str, &RawValue)| {
        Fields::of(raw).is_some_and(|inner| inner.get("points").is_some_and(none))
    };
    ["metrics", "updates", "data"].iter().any(holds_none) || fields.iter().any(no_points)
}

fn collect(raw: &RawValue, owner: Option<&str>, at: Option<Timestamp>, all: &mut Vec<Incoming>) {
    let Some(fields) = Fields::of(raw) else { return };
    let own = ["taskId", "taskArn", "resourceId"].iter().find_map(|name| fields.string(name));
    let owner = own.as_deref().or(owner);
    let at = fields.time("timestamp").or(at);
    let job = owner.map(|id| JobId::from(last_segment(id)));
    for name in ["metrics", "updates", "data"] {
        let Some(inner) = fields.get(name) else { continue };
        if inner.get().starts_with('[') {
            for item in elements(inner) {
                if let Some(item) = Fields::of(item) {
                    if item.string("name").is_some() {
                        one(&item, job.as_ref(), at, all);
                    } else {
                        each(&item, job_of(&item).as_ref().or(job.as_ref()), at, all);
                        if let Some(metrics) = item.object("metrics") {
                            each(&metrics, job_of(&item).as_ref().or(job.as_ref()), at, all);
                        }
                    }
                }
            }
        } else if let Some(inner) = Fields::of(inner) {
            each(&inner, job.as_ref(), at, all);
        }
    }
    if fields.has("name") && fields.has("value") {
        one(&fields, job.as_ref(), at, all);
    } else {
        each(&fields, job.as_ref(), at, all);
    }
}

fn job_of(fields: &Fields<'_>) -> Option<JobId> {
    ["taskId", "taskArn", "resourceId"]
        .iter()
        .find_map(|name| fields.string(name))
        .map(|id| JobId::from(last_segment(&id)))
}

/// `{"name":"cpu","value":1.5}`.
fn one(fields: &Fields<'_>, job: Option<&JobId>, at: Option<Timestamp>, all: &mut Vec<Incoming>) {
    let (Some(name), Some(value)) = (fields.string("name"), fields.number("value")) else { return };
    let at = fields.time("timestamp").or(at);
    all.push(metric(job, &name, value, fields.string("unit"), at));
}

/// One metric per field that holds a value.
fn each(fields: &Fields<'_>, job: Option<&JobId>, at: Option<Timestamp>, all: &mut Vec<Incoming>) {
    for (name, raw) in fields.iter().filter(|(name, _)| !BESIDE.contains(name)) {
        if raw.get().starts_with('[') {
            points(name, elements(raw), None, job, at, all);
        } else if let Some(value) = Fields::of(raw) {
            let unit = value.string("unit");
            if value.has("points") {
                points(name, value.array("points"), unit, job, at, all);
            } else if let Some(number) =
                ["value", "current", "usage"].iter().find_map(|field| value.number(field))
            {
                let at = value.time("timestamp").or(at);
                all.push(metric(job, name, number, unit, at));
            }
        } else if !raw.get().starts_with('"')
            && let Some(value) = json::number_of(raw)
        {
            all.push(metric(job, name, value, None, at));
        }
    }
}

fn points(
    name: &str,
    points: Vec<&RawValue>,
    unit: Option<String>,
    job: Option<&JobId>,
    at: Option<Timestamp>,
    all: &mut Vec<Incoming>,
) {
    for point in points {
        let Some(fields) = Fields::of(point) else { continue };
        let Some(value) = fields.number("value") else { continue };
        let at = fields.time("timestamp").or(at);
        all.push(metric(job, name, value, unit.clone(), at));
    }
}

fn metric(
    job: Option<&JobId>,
    name: &str,
    value: f64,
    unit: Option<String>,
    at: Option<Timestamp>,
) -> Incoming {
    // The document shows these two without a unit and names it beside.
    let unit = unit.or_else(|| match name {
        "cpu" => Some("%".to_owned()),
        "memory" => Some("MB".to_owned()),
        _ => None,
    });
    Incoming::Update(Update::Metric(Metric {
        job: job.cloned(),
        name: name.to_owned(),
        value,
        unit,
        at,
    }))
}
