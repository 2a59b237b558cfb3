//! What the server wants told to people, and that somebody has read it.
//!
//! The shapes are the page's contract: `{"id","title","message","type","timestamp","read"}`, alone,
//! in an array, or under `notifications`; an update names what changed, in itself or under `changes`.

use serde_json::value::RawValue;

use super::frames::list;
use super::task::last_segment;
use crate::dialect::{Incoming, answer, job_state};
use crate::model::Tone;
use crate::model::{JobState, Level, ServerNotice, Update};
use crate::wire::fields::Fields;
use crate::wire::json;

/// What is called so when nothing else is said.
const TITLE: &str = "KECS";

/// Reads the payload of a frame of this kind.
pub fn read(kind: &str, payload: &RawValue, envelope: &Fields<'_>) -> Vec<Incoming> {
    let update = kind == "notification_update";
    let one = |raw: &RawValue| {
        let fields = match Fields::of(raw) {
            Some(fields) => fields,
            // Words alone are meant for people as well.
            None if raw.get().starts_with('"') => Fields::default(),
            None => return Some(unreadable("A notification is not an object.", raw)),
        };
        let mut notice = of(&fields, envelope);
        if let (true, Some(words)) = (raw.get().starts_with('"'), json::id_of(raw)) {
            notice.text = words;
        }
        if notice.title != TITLE || !notice.text.is_empty() {
            return Some(Incoming::Update(Update::Notice(notice)));
        }
        match notice.id {
            Some(id) if notice.read => Some(Incoming::Update(Update::NoticeRead(id))),
            // What else changes about it is the server's own bookkeeping.
            Some(_) if update => None,
            _ => Some(unreadable("A notification says nothing.", raw)),
        }
    };
    list(payload, &["notifications"]).into_iter().filter_map(one).collect()
}

fn unreadable(what: &str, raw: &RawValue) -> Incoming {
    answer::diagnostic("wrong-shape", what, raw.get())
}

fn of(fields: &Fields<'_>, envelope: &Fields<'_>) -> ServerNotice {
    let metadata = fields.object("metadata").or_else(|| fields.object("data")).unwrap_or_default();
    let job = ["taskArn", "taskId"]
        .iter()
        .find_map(|name| fields.string(name).or_else(|| metadata.string(name)))
        .or_else(|| {
            let task = fields.text("resourceType").is_some_and(|kind| kind == "task");
            fields.string("resourceId").filter(|_| task)
        });
    let text = ["message", "text", "body"].iter().find_map(|name| fields.string(name));
    let tone =
        ["level", "severity", "type", "priority"].iter().find_map(|name| tone(&fields.text(name)?));
    ServerNotice {
        id: fields.string("id").or_else(|| fields.string("notificationId")),
        job: job.map(|arn| last_segment(&arn).into()),
        title: fields.string("title").unwrap_or_else(|| TITLE.to_owned()),
        text: text.unwrap_or_default(),
        tone: tone.unwrap_or(Tone::Plain),
        at: fields.time("timestamp").or_else(|| envelope.time("timestamp")),
        read: is_read(fields)
            || ["changes", "updates", "notification"]
                .iter()
                .any(|name| fields.object(name).is_some_and(|changes| is_read(&changes))),
    }
}

/// Whether somebody has read it, or put it away.
fn is_read(fields: &Fields<'_>) -> bool {
    ["read", "isRead", "dismissed"].iter().any(|name| fields.flag(name) == Some(true))
        || ["readAt", "dismissedAt"].iter().any(|name| fields.time(name).is_some())
        || fields.text("status").is_some_and(|word| matches!(&*word, "read" | "dismissed"))
}

/// What a word says of how serious something is, or how something ended.
fn tone(word: &str) -> Option<Tone> {
    match job_state(word) {
        JobState::Completed => return Some(Tone::Good),
        JobState::Failed => return Some(Tone::Bad),
        _ => {}
    }
    Level::from_word(word).map(|level| match level {
        Level::Warn => Tone::Warn,
        Level::Error | Level::Fatal => Tone::Bad,
        Level::Trace | Level::Debug | Level::Info => Tone::Plain,
    })
}
