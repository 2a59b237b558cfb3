//! KECS: an ECS-compatible control plane; a raw WebSocket with JSON frames, and the ECS API over
//! HTTP.
//!
//! A task is a job whose id is the last segment of its ARN; its queue is its cluster. `STOPPED` is
//! no outcome by itself: the containers' exit codes decide (see [`task`]). A queue topic names a
//! cluster, or else a service.
//!
//! Log lines without a task belong to the one watched job if exactly one is watched, else to a job
//! named by their container or service, which is created for them; without any of these they
//! become a diagnostic, so that nothing is lost.

pub mod call;
mod ending;
mod frames;
mod http;
mod info;
mod logs;
mod metrics;
mod notifications;
mod stored;
mod task;

pub use info::{ADMIN, INFO, SOCKET};

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use url::Url;

use ending::Beside;

use super::endpoint::Endpoint;
use super::memory::Memory;
use super::pages::{Cursor, Lately, Newest};
use super::{
    ActionKind, Ask, Dialect, FetchRequest, FetchResponse, Frame, Incoming, Keepalive, LogFrom,
    OpenRequest, Outgoing, Oversized, contains_by_fields,
};
use crate::model::{Job, JobId, JobState, Topic};
use crate::secret::Secret;
use crate::server::{DialectKind, KeyPlacement, Server};
use crate::wire::fields::Fields;

/// Servers with authentication crash on shorter bearer tokens instead of answering 401.
const SHORTEST_KEY: usize = 8;

/// How KECS speaks.
#[derive(Debug)]
pub struct Kecs {
    endpoint: Endpoint,
    /// The only cluster to look at (option `cluster`); all where absent.
    cluster: Option<String>,
    /// The region of the log service (option `region`).
    region: Option<String>,
    /// The base of the admin API, which serves logs (option `admin`).
    admin: Url,
    /// The socket is the log stream of one container: it takes no frames and has no pong.
    log_stream: bool,
    /// Whether anything has been heard on this link.
    greeted: bool,
    /// Topics subscribed on this link.
    watched: BTreeSet<Topic>,
    /// What the frames of this link asked for, by their `id`.
    asked: BTreeMap<String, Topic>,
    /// The number of the next frame.
    next: u64,
    /// The clusters of the tasks last heard of, by the task's id.
    clusters: Memory<String>,
    /// The services of the tasks that a list of one held, by the task's id.
    services: Memory<String>,
    /// Tasks whose outcome has been read, which need no further description.
    ended: Memory<()>,
    /// Jobs created for log lines that name no task.
    adopted: Memory<()>,
    /// Tasks that this program was allowed to stop.
    stopped: Memory<()>,
    /// The containers of task definitions, and whether each is essential.
    definitions: Memory<Vec<(String, bool)>>,
    /// How far the stored logs of containers have been read, as `TASK/CONTAINER`.
    stores: Lately<Cursor>,
    /// The newest lines of containers, which is all that is served while a task runs.
    tails: Lately<Newest>,
}

impl Kecs {
    /// For one configured server.
    ///
    /// # Errors
    /// A sentence for people when a URL cannot be used.
    pub fn new(server: &Server, key: Option<Secret>) -> Result<Self, String> {
        let endpoint = Endpoint::new(server, None, INFO.defaults())?;
        let option = |name: &str| {
            server.options.get(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty())
        };
        let admin = match option("admin") {
            Some(base) => admin_base(&base)?,
            None => {
                let mut admin = endpoint.api().clone();
                // Both schemes of an API base take a port.
                let _ = admin.set_port(Some(8081));
                admin.set_path("/");
                admin
            }
        };
        let path = endpoint.ws().path();
        let log_stream = path.contains("/containers/") && path.ends_with("/logs/ws");
        let mut kecs = Self {
            endpoint,
            cluster: option("cluster"),
            region: option("region"),
            admin,
            log_stream,
            greeted: false,
            watched: BTreeSet::new(),
            asked: BTreeMap::new(),
            next: 1,
            clusters: Memory::default(),
            services: Memory::default(),
            ended: Memory::default(),
            adopted: Memory::default(),
            stopped: Memory::default(),
            definitions: Memory::default(),
            stores: Lately::default(),
            tails: Lately::default(),
        };
        kecs.set_key(key);
        Ok(kecs)
    }

    /// One frame, with an id by which its answer is recognised.
    fn request(&mut self, kind: &str, payload: serde_json::Value, topic: Option<&Topic>) -> Frame {
        let id = format!("j{}", self.next);
        self.next += 1;
        if let Some(topic) = topic {
            self.asked.insert(id.clone(), topic.clone());
        }
        Frame::Text(json!({"type": kind, "id": id, "payload": payload}).to_string())
    }

    /// `subscribe` or `unsubscribe` for every resource that a topic may mean.
    fn subscription(&mut self, kind: &str, topic: &Topic) -> Vec<Frame> {
        resources(topic)
            .into_iter()
            .map(|(resource, id)| {
                let payload = json!({"resourceType": resource, "resourceId": id});
                self.request(kind, payload, (kind == "subscribe").then_some(topic))
            })
            .collect()
    }

    /// The cluster to ask about a task: as named in its ARN, as seen, as configured.
    fn cluster_of(&self, id: &str) -> Option<String> {
        task::cluster_in(id)
            .map(str::to_owned)
            .or_else(|| self.clusters.get(task::last_segment(id)).cloned())
            .or_else(|| self.cluster.clone())
    }

    /// What is known of a task besides what its fields say.
    fn beside(&self, fields: &Fields<'_>, id: Option<&str>) -> Beside<'_> {
        let id = task::id_in(fields, id);
        let definition = fields.string("taskDefinitionArn");
        Beside {
            asked: id.is_some_and(|id| self.stopped.contains(&id)),
            definition: definition
                .as_ref()
                .and_then(|arn| self.definitions.get(arn))
                .map(Vec::as_slice),
            askable: definition.is_some_and(|arn| !self.definitions.contains(&arn)),
        }
    }

    /// The topics under which a task is watched by name, or its own.
    fn stale(&self, id: &JobId) -> Vec<Incoming> {
        let same = |topic: &&Topic| match topic {
            Topic::Job(watched) => task::last_segment(watched.as_str()) == id.as_str(),
            _ => false,
        };
        let mut topics: Vec<Incoming> =
            self.watched.iter().filter(same).cloned().map(Incoming::Stale).collect();
        if topics.is_empty() {
            topics.push(Incoming::Stale(Topic::Job(id.clone())));
        }
        topics
    }
}

/// The resources, by ECS type and id, that a topic may mean.
fn resources(topic: &Topic) -> Vec<(&'static str, &str)> {
    match topic {
        Topic::Job(id) => vec![("task", task::last_segment(id.as_str()))],
        Topic::Queue(name) => vec![("cluster", name.as_str()), ("service", name.as_str())],
        Topic::Everything => vec![("task", "*")],
        Topic::User(_) => Vec::new(),
    }
}

fn admin_base(text: &str) -> Result<Url, String> {
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let mut base =
        Url::parse(&full).map_err(|error| format!("The admin URL cannot be read: {error}."))?;
    if !matches!(base.scheme(), "http" | "https") {
        return Err("The admin URL must begin with http:// or https://.".to_owned());
    }
    base.set_query(None);
    base.set_fragment(None);
    Ok(base)
}

impl Dialect for Kecs {
    fn kind(&self) -> DialectKind {
        DialectKind::Kecs
    }

    fn set_key(&mut self, key: Option<Secret>) {
        self.endpoint.set_key(key.filter(|key| key.expose().len() >= SHORTEST_KEY));
    }

    fn has_key(&self) -> bool {
        self.endpoint.key().is_some()
    }

    /// No version of the server has asked for a key over HTTP.
    fn needs_key(&self, _ask: &Ask) -> bool {
        false
    }

    fn open(&mut self) -> Result<OpenRequest, String> {
        self.greeted = false;
        self.watched.clear();
        self.asked.clear();
        Ok(self.endpoint.open())
    }

    /// Early servers accept every socket and drop it at once, so the link is live with the first
    /// frame; a ping brings one. A log stream may stay silent and is taken at its word.
    fn opened(&mut self) -> Vec<Incoming> {
        if self.log_stream {
            // Nobody greets, and a quiet container says nothing: the pong is the first sign.
            return vec![Incoming::Reply(Frame::Ping)];
        }
        let mut all = Vec::new();
        if let (Some(KeyPlacement::FirstMessage), Some(key)) =
            (self.endpoint.ws_key(), self.endpoint.key().cloned())
        {
            let payload = json!({"token": key.expose()});
            all.push(Incoming::Reply(self.request("authenticate", payload, None)));
        }
        all.extend(self.encode(&Outgoing::Ping).into_iter().map(Incoming::Reply));
        all
    }

    fn decode(&mut self, frame: &Frame) -> Vec<Incoming> {
        let read = self.read_frame(frame);
        if std::mem::replace(&mut self.greeted, true) {
            return read;
        }
        let mut all = vec![Incoming::Ready];
        all.extend(read);
        all
    }

    fn encode(&mut self, out: &Outgoing) -> Vec<Frame> {
        if self.log_stream {
            match out {
                Outgoing::Watch(topic) => drop(self.watched.insert(topic.clone())),
                Outgoing::Unwatch(topic) => drop(self.watched.remove(topic)),
                _ => {}
            }
            return Vec::new();
        }
        match out {
            Outgoing::Watch(topic) => {
                self.watched.insert(topic.clone());
                self.subscription("subscribe", topic)
            }
            Outgoing::Unwatch(topic) => {
                self.watched.remove(topic);
                self.asked.retain(|_, asked| asked != topic);
                self.subscription("unsubscribe", topic)
            }
            // The WebSocket ping besides: a hub that ignores the documented one still proves its
            // life, since answering it is not the hub's business.
            Outgoing::Ping => vec![Frame::Text(r#"{"type":"ping"}"#.to_owned()), Frame::Ping],
            // Documented; the shipped server ignores it.
            Outgoing::History(id) => {
                let payload = json!({"taskId": task::last_segment(id.as_str())});
                vec![self.request("request_history", payload, None)]
            }
        }
    }

    fn api(&self) -> Option<&Url> {
        Some(self.endpoint.api())
    }

    fn confirms_subscriptions(&self) -> bool {
        !self.log_stream
    }

    fn keepalive(&self) -> Keepalive {
        let (interval, timeout) = (Duration::from_secs(30), Duration::from_secs(10));
        if self.log_stream {
            Keepalive::WebSocketPings { interval, timeout }
        } else {
            Keepalive::ClientPings { interval, timeout }
        }
    }

    fn why_unsupported(&self, topic: &Topic) -> Option<String> {
        matches!(topic, Topic::User(_)).then(|| {
            "KECS knows tasks, clusters and services, but no users: watch a job, a queue or all."
                .to_owned()
        })
    }

    /// People paste the whole ARN of a task.
    fn is_alias(&self, given: &JobId, id: &JobId) -> bool {
        task::last_segment(given.as_str()) == id.as_str()
    }

    /// A job's queue is its cluster, but a topic may name its service as well.
    fn contains(&self, topic: &Topic, job: &Job) -> bool {
        let by_service = match topic {
            Topic::Queue(name) => {
                let listed = self.services.get(job.id.as_str());
                listed == Some(name) || task::service_of(job).as_ref() == Some(name)
            }
            _ => false,
        };
        by_service || contains_by_fields(self, topic, job)
    }

    fn fetch(&self, topic: &Topic) -> Vec<FetchRequest> {
        self.requests(topic)
    }

    fn fetch_logs(&self, job: &Job, from: LogFrom) -> Vec<FetchRequest> {
        self.log_requests(job, from)
    }

    fn serves_logs(&self) -> bool {
        true
    }

    fn parse(&mut self, ask: &Ask, response: &FetchResponse) -> Vec<Incoming> {
        self.read_answer(ask, response)
    }

    fn oversized(&mut self, ask: &Ask) -> Oversized {
        self.too_large(ask)
    }

    fn offers(&self, job: &Job) -> Option<ActionKind> {
        let known = !matches!(job.state, JobState::Unknown(_));
        (known && !job.state.terminal()).then_some(ActionKind::Cancel)
    }

    fn perform(&self, action: ActionKind, job: &Job) -> Option<FetchRequest> {
        (self.offers(job) == Some(action)).then(|| self.stop(job))
    }
}
