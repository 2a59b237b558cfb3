//! TriggerX: jobs that run tasks on chain; a raw WebSocket with JSON frames and rooms, and HTTP.
//!
//! A task is the job `task:<task_id>` with the parent `job:<job_id>`; the TriggerX job itself is
//! `job:<job_id>`. A topic may name it as `123` or `job:123`, and a task as `task:7`.
//!
//! Two facts shape this dialect. The service that finishes tasks never tells the socket, so the
//! end of a task is learned only from a snapshot or over HTTP: every event that comes near the end
//! makes its topic stale. And only job rooms ever carry events, so tasks and users are covered over
//! HTTP.

mod call;
mod frames;
mod http;
mod info;
mod record;

pub use call::Call;
pub use info::{INFO, SOCKET};

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::json;

use url::Url;

use super::endpoint::{Endpoint, why_unaddressable};
use super::memory::{Memory, SeenNames};
use super::{
    ActionKind, Ask, Dialect, FetchRequest, FetchResponse, Frame, Incoming, Keepalive, OpenRequest,
    Outgoing, Oversized, ReadMark, contains_by_fields,
};
use crate::model::{Job, JobId, Topic, Update};
use crate::secret::Secret;
use crate::server::{DialectKind, Server};

/// The server closes the socket on a frame larger than this, in bytes.
const LARGEST_FRAME: usize = 512;
/// A room's name shorter than this crashes the server's process.
const SHORTEST_ROOM: usize = 5;

/// How TriggerX speaks.
#[derive(Debug)]
pub struct TriggerX {
    endpoint: Endpoint,
    /// The owner's address, where the configuration names it (option `user`).
    user: Option<String>,
    /// Topics subscribed on this link.
    watched: BTreeSet<Topic>,
    /// Rooms whose subscription has not been answered, oldest first.
    asked: VecDeque<String>,
    /// Something was heard on the present link.
    greeted: bool,
    /// TriggerX jobs whose state came in the list of a watched topic: `job:<id>`.
    listed: SeenNames,
    /// Titles of TriggerX jobs.
    titles: Memory<String>,
    /// The numbers of the owners whose jobs were listed by their address, in lower case.
    owners: Memory<String>,
    /// Numbers of which was asked whether they are tasks'.
    numbers: Memory<()>,
    /// The owner's jobs cannot be listed, so that the newest tasks are all there is to see.
    unlisted: bool,
    /// So many jobs are under way that the tasks of all are read at once, with the list of jobs.
    together: bool,
    /// Whether the server has told them so, when it was last asked: it may have none of that owner,
    /// or no such list.
    grouped: Option<bool>,
}

impl TriggerX {
    /// For one configured server.
    ///
    /// # Errors
    /// A sentence for people when a URL cannot be used.
    pub fn new(server: &Server, key: Option<Secret>) -> Result<Self, String> {
        let user = server.options.get("user").map(|user| user.trim().to_owned());
        Ok(Self {
            endpoint: Endpoint::new(server, key, INFO.defaults())?,
            user: user.filter(|user| !user.is_empty()),
            watched: BTreeSet::new(),
            asked: VecDeque::new(),
            greeted: false,
            listed: SeenNames::default(),
            titles: Memory::default(),
            owners: Memory::default(),
            numbers: Memory::default(),
            unlisted: false,
            together: false,
            grouped: None,
        })
    }

    /// Tasks have no name of their own: they are called after their job, once its title is known.
    fn name(&mut self, mut all: Vec<Incoming>) -> Vec<Incoming> {
        for item in &mut all {
            let Incoming::Update(Update::Job(patch)) = item else { continue };
            let Some(id) = &patch.id else { continue };
            match (&patch.name, &patch.parent) {
                (Some(title), _) if !title.is_empty() => {
                    self.titles.remember(id.clone(), title.clone());
                }
                (None, Some(parent)) => {
                    let task = id.as_str().trim_start_matches("task:");
                    patch.name = self
                        .titles
                        .get(parent.as_str())
                        .map(|title| format!("{title}, task {task}"));
                }
                _ => {}
            }
        }
        all
    }

    fn subscribe(&mut self, topic: &Topic) -> Option<Frame> {
        let Target { room, field, id } = Target::of(topic)?;
        let frame = frame(json!({"type": "SUBSCRIBE", "data": {"room": room, field: id}}), &room)?;
        if !self.asked.contains(&room) {
            self.asked.push_back(room);
        }
        Some(frame)
    }

    /// The topic as it was watched whose events come in `room`.
    fn topic_of(&self, room: &str) -> Option<&Topic> {
        self.watched.iter().find(|topic| Target::of(topic).is_some_and(|t| t.room == room))
    }

    /// Whether a watched list tells the states of all jobs, this one among them.
    fn covered(&self, job: &str) -> bool {
        self.listed.contains(job)
            && self.watched.iter().any(|t| matches!(t, Topic::Everything | Topic::User(_)))
    }
}

/// What a subscription names.
struct Target {
    room: String,
    field: &'static str,
    id: String,
}

impl Target {
    fn of(topic: &Topic) -> Option<Target> {
        Some(match topic {
            Topic::Job(id) => match Id::of(id.as_str()) {
                Id::Job(id) => {
                    Target { room: format!("job:{id}"), field: "job_id", id: id.to_owned() }
                }
                Id::Task(id) => {
                    Target { room: format!("task:{id}"), field: "task_id", id: id.to_owned() }
                }
            },
            // A room belongs to the server's user number; an address has none.
            Topic::User(id) if http::is_number(id) => {
                Target { room: format!("user:{id}"), field: "user_id", id: id.clone() }
            }
            Topic::User(_) | Topic::Queue(_) | Topic::Everything => return None,
        })
    }
}

/// A job's id, taken apart.
enum Id<'a> {
    Job(&'a str),
    Task(&'a str),
}

impl Id<'_> {
    fn of(id: &str) -> Id<'_> {
        match id.split_once(':') {
            Some(("job", id)) => Id::Job(id),
            Some(("task", id)) => Id::Task(id),
            _ => Id::Job(id),
        }
    }
}

/// A frame the server survives; `None` for one that would end the link or the server.
fn frame(value: serde_json::Value, room: &str) -> Option<Frame> {
    let text = value.to_string();
    let named = room.split_once(':').is_some_and(|(_, id)| !id.is_empty());
    (named && room.len() >= SHORTEST_ROOM && text.len() <= LARGEST_FRAME)
        .then_some(Frame::Text(text))
}

impl Dialect for TriggerX {
    fn kind(&self) -> DialectKind {
        DialectKind::TriggerX
    }

    fn set_key(&mut self, key: Option<Secret>) {
        self.endpoint.set_key(key);
        self.grouped = None;
    }

    fn has_key(&self) -> bool {
        self.endpoint.key().is_some()
    }

    fn needs_key(&self, ask: &Ask) -> bool {
        !matches!(ask.of(), Some(Call::Task(_) | Call::Tasks(_) | Call::Fees(_) | Call::Stats))
    }

    fn open(&mut self) -> Result<OpenRequest, String> {
        self.watched.clear();
        self.asked.clear();
        self.greeted = false;
        Ok(self.endpoint.open())
    }

    /// The key is checked before the upgrade, and nobody is greeted: the answer to a ping is the first
    /// sign that somebody is there.
    fn opened(&mut self) -> Vec<Incoming> {
        vec![Incoming::Reply(Frame::Ping)]
    }

    fn decode(&mut self, frame: &Frame) -> Vec<Incoming> {
        let greeting = !std::mem::replace(&mut self.greeted, true);
        let read = self.read_frame(frame);
        let named = self.name(read);
        greeting.then_some(Incoming::Ready).into_iter().chain(named).collect()
    }

    fn encode(&mut self, out: &Outgoing) -> Vec<Frame> {
        match out {
            Outgoing::Watch(topic) => {
                self.watched.insert(topic.clone());
                self.subscribe(topic).into_iter().collect()
            }
            Outgoing::Unwatch(topic) => {
                self.watched.remove(topic);
                let Some(Target { room, .. }) = Target::of(topic) else { return Vec::new() };
                // The same room may be watched under its other spelling.
                if self.topic_of(&room).is_some() {
                    return Vec::new();
                }
                let unsubscribe = json!({"type": "UNSUBSCRIBE", "data": {"room": room}});
                frame(unsubscribe, &room).into_iter().collect()
            }
            // The document knows no PING: a server of its time answers the WebSocket ping alone.
            Outgoing::Ping => vec![Frame::Text(r#"{"type":"PING"}"#.to_owned()), Frame::Ping],
            // Its tasks have no logs.
            Outgoing::History(_) => Vec::new(),
        }
    }

    fn api(&self) -> Option<&Url> {
        Some(self.endpoint.api())
    }

    fn confirms_subscriptions(&self) -> bool {
        true
    }

    fn keepalive(&self) -> Keepalive {
        Keepalive::ClientPings {
            interval: Duration::from_secs(20),
            timeout: Duration::from_secs(10),
        }
    }

    fn why_unsupported(&self, topic: &Topic) -> Option<String> {
        matches!(topic, Topic::Queue(_))
            .then(|| {
                "TriggerX knows jobs, tasks and users, but no queues: watch a job, a user or all."
                    .to_owned()
            })
            .or_else(|| why_unaddressable(topic))
    }

    /// A job may be named by its number alone.
    fn is_alias(&self, given: &JobId, id: &JobId) -> bool {
        let (kind, number) = match Id::of(given.as_str()) {
            Id::Job(number) => ("job", number),
            Id::Task(number) => ("task", number),
        };
        id.as_str().split_once(':') == Some((kind, number))
    }

    /// A bare number is a job's, or a task's.
    fn resolves(&self, given: &JobId, job: &Job) -> bool {
        let task = || job.id.as_str().strip_prefix("task:") == Some(given.as_str());
        self.is_alias(given, &job.id) || (http::may_be_task(given.as_str()) && task())
    }

    /// A job's topic is not about the task of its number, which is followed as a task.
    fn follows(&self, given: &JobId, job: &Job) -> bool {
        self.is_alias(given, &job.id)
    }

    /// Jobs name their owner by number, topics by address as well.
    fn contains(&self, topic: &Topic, job: &Job) -> bool {
        match topic {
            Topic::User(user) => job.user.as_ref().is_none_or(|own| {
                own.eq_ignore_ascii_case(user)
                    || self.owners.get(user.to_ascii_lowercase().as_str()) == Some(own)
            }),
            Topic::Queue(_) => false,
            Topic::Job(_) | Topic::Everything => contains_by_fields(self, topic, job),
        }
    }

    fn fetch(&self, topic: &Topic) -> Vec<FetchRequest> {
        self.requests(topic)
    }

    /// A job's tasks are asked for by themselves, unless those of all jobs come with the list.
    fn list_is_complete(&self) -> bool {
        self.together && self.grouped == Some(true)
    }

    fn why_no_log(&self, _job: &Job) -> Option<String> {
        let words = "TriggerX keeps no logs. What a job did are its tasks, which are jobs of their own \
                     here; what is known of a task stands in its overview.";
        Some(words.to_owned())
    }

    fn parse(&mut self, ask: &Ask, response: &FetchResponse) -> Vec<Incoming> {
        let mut read = ReadMark::default();
        let mut all = Vec::new();
        while !read.done {
            all.append(&mut self.parse_piece(ask, response, &mut read));
        }
        all
    }

    /// The server pages no list of jobs, however long it is.
    fn parse_piece(
        &mut self,
        ask: &Ask,
        response: &FetchResponse,
        read: &mut ReadMark,
    ) -> Vec<Incoming> {
        let piece = match read.rest {
            Some(_) => self.read_rows(ask, &response.body, read),
            None => {
                read.done = true;
                self.read_answer(ask, response, read)
            }
        };
        self.name(piece)
    }

    fn oversized(&mut self, ask: &Ask) -> Oversized {
        TriggerX::too_large(ask)
    }

    fn offers(&self, job: &Job) -> Option<ActionKind> {
        self.may_cancel(job).then_some(ActionKind::Cancel)
    }

    fn perform(&self, action: ActionKind, job: &Job) -> Option<FetchRequest> {
        (self.offers(job) == Some(action)).then(|| self.cancel(job))
    }
}
