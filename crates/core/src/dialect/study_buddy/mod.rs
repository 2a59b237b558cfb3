//! AI Study Buddy.
//!
//! Two generations: the documented one lets anybody subscribe by user or job; the shipped one
//! takes a cookie on the upgrade, puts the socket into its user's room by itself, and confirms
//! subscriptions to own jobs. Both live in the namespace `/jobs`.
//!
//! Job ids are BullMQ's, small integers counted by each queue, and the server's own table is keyed
//! by them alone: of jobs of different queues that share an id it keeps the last. They are told apart
//! here by the queue, which only HTTP tells.

use std::collections::{HashMap, HashSet};

use url::Url;

use super::endpoint::{Endpoint, why_unaddressable};
use super::memory::Memory;
use super::nest;
use super::sign_in::SignIn;
use super::socketio_session::{self, SessionEvent, SocketIoSession, diagnostic};
use super::{
    Ask, Dialect, FetchRequest, FetchResponse, Frame, Incoming, Keepalive, OpenRequest, Outgoing,
    Oversized,
};
use crate::model::{Finality, Job, JobId, JobPatch, JobState, Topic, Update};
use crate::secret::Secret;
use crate::server::{DialectKind, Server};
use crate::wire::fields::Fields;
use crate::wire::socketio::{ROOT, elements};

mod http;
mod info;
mod lists;
mod notes;
mod read;

pub use http::Call;
pub use info::INFO;
use notes::Notes;
use read::{job_event, stage};

/// The namespace of both generations.
const NAMESPACE: &str = "/jobs";

/// The queue whose jobs the BullMQ view of the server looks up.
const VIEWED_QUEUE: &str = "pdf-ultra-optimized";

/// At most this many jobs are read again at one ping of the server, which takes 100 requests a
/// minute.
const JOBS_PER_PING: usize = 10;

/// How AI Study Buddy speaks.
#[derive(Debug)]
pub struct StudyBuddy {
    endpoint: Endpoint,
    session: SocketIoSession,
    watched: Vec<Topic>,
    /// Where the next ping goes on reading watched jobs again.
    cursor: usize,
    /// Whether jobs were moving or had ended when last heard of. The failure of a moving one may be
    /// followed by another attempt; an ended one is not read again.
    seen: Memory<Seen>,
    /// How much the result of each completed job said, since a poorer one follows.
    told: Memory<usize>,
    /// Jobs whose subscription has been answered by nothing yet. The first answer may be the last
    /// progress of the job, sent again: the server keeps that, but not the end.
    asked: HashSet<JobId>,
    /// Progress that was sent again, until HTTP says whether its job has ended since.
    replayed: HashMap<JobId, Box<JobPatch>>,
    notes: Notes,
    /// Whether the server lists jobs by the name of their user or queue, as the documented one
    /// does. Unknown until it was asked.
    lists_by_name: Option<bool>,
    /// How far each list has been read.
    lists: HashMap<Topic, lists::Listed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Moving,
    Ended,
}

impl StudyBuddy {
    /// For one configured server.
    ///
    /// # Errors
    /// A sentence for people when a URL cannot be used.
    pub fn new(server: &Server, key: Option<Secret>) -> Result<Self, String> {
        let mut endpoint = Endpoint::new(server, key, INFO.defaults())?;
        let named = socketio_session::locate(endpoint.ws_mut(), server.namespace.as_deref());
        let fallback = named.is_none().then_some(ROOT);
        let namespace = named.unwrap_or_else(|| NAMESPACE.to_owned());
        Ok(Self {
            endpoint,
            session: SocketIoSession::new(vec![namespace], fallback),
            watched: Vec::new(),
            cursor: 0,
            seen: Memory::default(),
            told: Memory::default(),
            asked: HashSet::new(),
            replayed: HashMap::new(),
            notes: Notes::default(),
            lists_by_name: None,
            lists: HashMap::new(),
        })
    }

    fn event(&mut self, name: &str, args: &str) -> Vec<Incoming> {
        let incoming = match name {
            "job:progress" | "job:update" => self.progress(args),
            "job:completed" => self.completed(args),
            "job:error" | "job:failed" => self.failed(args),
            "job:notes:chunk" => self.notes.piece(args).map(|mut told| {
                // Pieces may come of a job that nothing else has named yet.
                let known = |id: &JobId| self.seen.contains(id.as_str());
                told.retain(|incoming| match incoming {
                    Incoming::Update(Update::Job(job)) => job.id.as_ref().is_some_and(known),
                    _ => true,
                });
                told
            }),
            "exception" | "error" => {
                let words = nest::message(args).unwrap_or_else(|| "no reason given".to_owned());
                let words = format!("The server reported an error: {words}.");
                return vec![diagnostic("server-error", &words, Some(args), &self.endpoint)];
            }
            _ => {
                let words = format!("An unknown event, {name}.");
                return vec![diagnostic("unknown-frame", &words, Some(args), &self.endpoint)];
            }
        };
        incoming.unwrap_or_else(|| {
            let words = format!("A {name} event without a job.");
            vec![diagnostic("wrong-shape", &words, Some(args), &self.endpoint)]
        })
    }

    fn progress(&mut self, args: &str) -> Option<Vec<Incoming>> {
        let (mut patch, word) = job_event(args)?;
        let mut state = word.as_deref().map_or(JobState::Running, nest::job_state);
        if state == JobState::Running && patch.message.as_deref() == Some("queued") {
            // The word for a running job is sent at submission too, with this stage.
            state = JobState::Queued;
        }
        if patch.message.is_none() {
            patch.message = word.filter(|word| stage(word));
        }
        match &state {
            JobState::Completed => return self.completed(args),
            JobState::Failed => return self.failed(args),
            state if state.terminal() => {}
            _ => {
                let id = patch.id.clone()?;
                if self.asked.remove(&id) {
                    // The acknowledgement follows, and with it the fetch that decides.
                    patch.state = Some(state);
                    self.replayed.insert(id, Box::new(patch));
                    return Some(Vec::new());
                }
                self.replayed.remove(&id);
                self.told.forget(id.as_str());
                self.seen.remember(id, Seen::Moving);
            }
        }
        patch.state = Some(state);
        Some(vec![Incoming::Update(Update::Job(Box::new(patch)))])
    }

    fn completed(&mut self, args: &str) -> Option<Vec<Incoming>> {
        let (mut patch, _) = job_event(args)?;
        let id = patch.id.clone()?;
        patch.state = Some(JobState::Completed);
        patch.finished_at = patch.at;
        patch.error = None;
        if let Some(result) = patch.result.take() {
            // Two to four completions come for one job, with two different results.
            let says = result.as_str().len();
            if self.told.get(id.as_str()).is_none_or(|before| says >= *before) {
                patch.result = Some(result);
                self.told.remember(id.clone(), says);
            }
        }
        let first = self.seen.get(id.as_str()) != Some(&Seen::Ended);
        self.seen.remember(id.clone(), Seen::Ended);
        // The event says nothing of the progress, and the row knows more than the event.
        let stale = first.then(|| Incoming::Stale(Topic::Job(id)));
        let update = Incoming::Update(Update::Job(Box::new(patch)));
        Some(std::iter::once(update).chain(stale).collect())
    }

    fn failed(&mut self, args: &str) -> Option<Vec<Incoming>> {
        let (mut patch, _) = job_event(args)?;
        let id = patch.id.clone()?;
        // Sent on every failed attempt, of which there may be more to come.
        patch.state = Some(JobState::Failed);
        patch.finality = Finality::MayRetry;
        patch.result = None;
        self.told.forget(id.as_str());
        self.seen.remember(id.clone(), Seen::Moving);
        Some(vec![Incoming::Update(Update::Job(Box::new(patch))), Incoming::Stale(Topic::Job(id))])
    }

    fn acknowledged(&mut self, topic: Topic, args: &str) -> Vec<Incoming> {
        if let Topic::Job(id) = &topic {
            self.asked.remove(id);
        }
        let answer = elements(args).and_then(|args| args.first().copied());
        // A bare answer, or none, confirms.
        let fields = answer.and_then(Fields::of).unwrap_or_default();
        let refused = (fields.flag("success") == Some(false)).then(|| {
            let reason = fields.string("message").or_else(|| fields.string("error"));
            reason.unwrap_or_else(|| "refused without a reason".to_owned())
        });
        // The shipped server does not read whose jobs are asked for: everybody gets their own.
        let room = fields.string("room");
        let other = match (&topic, room) {
            (Topic::User(user), Some(room)) if room != format!("user:{user}") => {
                Some(format!("it offers {room} instead, whose key this is"))
            }
            _ => None,
        };
        if let Some(reason) = refused.or(other) {
            self.watched.retain(|watched| *watched != topic);
            return vec![Incoming::SubscriptionRejected { topic: Some(topic), reason }];
        }
        let mut out = vec![Incoming::Watched(topic.clone())];
        if matches!(topic, Topic::Job(_)) {
            // What happened between a fetch and the subscription is not sent again, and what is
            // replayed to a late subscriber may be an old progress of an ended job.
            out.push(Incoming::Stale(topic));
        }
        out
    }

    /// What to read again when the server pings: two of the workers report failures to the
    /// database only, and the ping is the clock of a quiet link.
    fn refresh(&mut self) -> Vec<Incoming> {
        let lists = |topic: &&Topic| !matches!(topic, Topic::Job(_));
        let listed: Vec<_> =
            self.watched.iter().filter(lists).cloned().map(Incoming::Stale).collect();
        if !listed.is_empty() {
            // A row tells as much as a job asked for by itself.
            return listed;
        }
        let open = |topic: &&Topic| match topic {
            Topic::Job(id) => self.seen.get(id.as_str()) != Some(&Seen::Ended),
            _ => false,
        };
        let jobs: Vec<_> = self.watched.iter().filter(open).collect();
        let count = jobs.len().min(JOBS_PER_PING);
        let turn: Vec<Topic> =
            (0..count).map(|step| jobs[(self.cursor + step) % jobs.len()].clone()).collect();
        self.cursor = if jobs.is_empty() { 0 } else { (self.cursor + count) % jobs.len() };
        turn.into_iter().map(Incoming::Stale).collect()
    }
}

impl Dialect for StudyBuddy {
    fn kind(&self) -> DialectKind {
        DialectKind::StudyBuddy
    }

    fn set_key(&mut self, key: Option<Secret>) {
        self.endpoint.set_key(key);
        self.session.forget();
    }

    fn has_key(&self) -> bool {
        self.endpoint.key().is_some()
    }

    fn open(&mut self) -> Result<OpenRequest, String> {
        self.session.reset();
        self.watched.clear();
        self.asked.clear();
        self.replayed.clear();
        self.cursor = 0;
        Ok(self.endpoint.open())
    }

    fn opened(&mut self) -> Vec<Incoming> {
        Vec::new()
    }

    fn decode(&mut self, frame: &Frame) -> Vec<Incoming> {
        let decoded = self.session.decode(frame, &self.endpoint);
        let mut out = decoded.incoming;
        for incoming in &mut out {
            if let Incoming::Refused(words) = incoming
                && words.starts_with("Authentication failed")
            {
                words.push_str(
                    ": the key is missing or not accepted, or too many sockets are open for its \
                     user",
                );
            }
        }
        for event in decoded.events {
            match event {
                SessionEvent::Event { name, args } => {
                    let heard = self.event(&name, &args);
                    out.extend(self.notes.with_last(heard));
                }
                SessionEvent::Ack { topic, args } => out.extend(self.acknowledged(topic, &args)),
                SessionEvent::Ping => out.extend(self.refresh()),
                SessionEvent::Joined(_) => {}
            }
        }
        out
    }

    fn encode(&mut self, out: &Outgoing) -> Vec<Frame> {
        match out {
            Outgoing::Watch(topic) => {
                if !self.watched.contains(topic) {
                    self.watched.push(topic.clone());
                }
                let payload = subscription(topic);
                let frames = self.session.emit_with_ack(topic, "subscribe:jobs", &[&payload]);
                if let Topic::Job(id) = topic
                    && !frames.is_empty()
                {
                    self.asked.insert(id.clone());
                }
                frames
            }
            Outgoing::Unwatch(topic) => {
                self.watched.retain(|watched| watched != topic);
                self.lists.remove(topic);
                if let Topic::Job(id) = topic {
                    self.asked.remove(id);
                    self.replayed.remove(id);
                }
                self.session.emit("unsubscribe:jobs", &[&subscription(topic)])
            }
            Outgoing::Ping => self.session.ping(),
            Outgoing::History(_) => Vec::new(),
        }
    }

    fn api(&self) -> Option<&Url> {
        Some(self.endpoint.api())
    }

    fn sign_in(&self) -> Option<SignIn> {
        Some(SignIn::below(self.endpoint.api(), true, "access_token"))
    }

    fn confirms_subscriptions(&self) -> bool {
        true
    }

    fn keepalive(&self) -> Keepalive {
        self.session.keepalive()
    }

    fn why_unsupported(&self, topic: &Topic) -> Option<String> {
        why_unaddressable(topic)
    }

    fn fetch(&self, topic: &Topic) -> Vec<FetchRequest> {
        self.requests(topic)
    }

    fn list_is_complete(&self) -> bool {
        true
    }

    fn ids_repeat(&self) -> bool {
        true
    }

    fn remember(&mut self, job: &Job) {
        self.notes.remember(job);
    }

    fn oversized(&mut self, ask: &Ask) -> Oversized {
        match ask.of() {
            Some(Call::List(_) | Call::Named(_)) => Oversized::List,
            _ => Oversized::Useless,
        }
    }

    fn parse(&mut self, ask: &Ask, response: &FetchResponse) -> Vec<Incoming> {
        let heard = self.read_answer(ask, response);
        self.notes.with_last(heard)
    }
}

/// The argument of `subscribe:jobs`. The shipped server reads the job only and answers everything
/// else with the user's own room.
fn subscription(topic: &Topic) -> String {
    match topic {
        Topic::Job(id) => serde_json::json!({ "jobId": id.as_str() }).to_string(),
        Topic::User(id) => serde_json::json!({ "userId": id }).to_string(),
        Topic::Queue(_) | Topic::Everything => "{}".to_owned(),
    }
}
