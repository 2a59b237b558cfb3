//! The wallet analyzer.
//!
//! Two generations: the one of the integration guide lives in the namespace `/job-progress`,
//! confirms subscriptions and knows queues; the shipped one lives in the root namespace, confirms
//! nothing and knows jobs only. Both are connected at once, and whichever accepts is spoken to.
//! Gateways without Socket.IO, which speak `{"event","data"}`, are understood as well.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use super::endpoint::{Endpoint, why_unaddressable};
use super::memory::Memory;
use super::nest;
use super::socketio_session::{self, SocketIoSession};
use super::{
    ActionKind, Ask, Dialect, FetchRequest, FetchResponse, Frame, Incoming, Keepalive, Method,
    OpenRequest, Outgoing, Oversized, own_id,
};
use crate::model::{Job, JobState, Topic};
use crate::secret::Secret;
use crate::server::{DialectKind, Server};

mod call;
mod events;
mod find;
mod http;
mod info;
mod lists;
mod read;

pub use call::Call;
pub use info::INFO;
pub use lists::Stretch;
use lists::{Finished, Lists};

/// The namespace, and the path of the gateway without Socket.IO, of the integration guide.
const DOCUMENTED: &str = "/job-progress";

/// The queues of the server, for subscribing before it has been asked which it has.
const QUEUES: [&str; 4] =
    ["wallet-operations", "analysis-operations", "similarity-operations", "enrichment-operations"];

/// At most this many jobs are read again at one ping of the server.
const JOBS_PER_PING: usize = 10;

/// How the wallet analyzer speaks.
#[derive(Debug)]
pub struct Analyzer {
    endpoint: Endpoint,
    /// The URL as configured, for gateways without Socket.IO.
    plain: Url,
    session: SocketIoSession,
    framing: Framing,
    /// The only framing that the configuration leaves, if it leaves one.
    pinned: Option<Framing>,
    /// This link has shown that its framing is right.
    proven: bool,
    /// Something was heard on this link.
    greeted: bool,
    /// No link has been opened yet.
    fresh: bool,
    watched: BTreeSet<Topic>,
    /// Where the next ping goes on reading watched jobs again.
    cursor: Option<Topic>,
    lists: Lists,
    finished: Finished,
    /// The watched jobs that have ended, and need not be read again.
    ended: BTreeSet<Topic>,
    /// Jobs of which an attempt has begun.
    begun: Memory<()>,
    /// How jobs really ended whose rows do not say it.
    outcomes: Memory<Ended>,
}

/// What a list proved about the end of a job: the lists of completed and of failed jobs are the
/// queue's own, while the state in a row is worked out from its fields.
#[derive(Clone, Copy, Debug)]
struct Ended {
    at: Option<Timestamp>,
    well: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    SocketIo,
    /// `{"event","data"}` in plain text frames.
    Raw,
}

impl Analyzer {
    /// For one configured server.
    ///
    /// # Errors
    /// A sentence for people when a URL or the `framing` option cannot be used.
    pub fn new(server: &Server, key: Option<Secret>) -> Result<Self, String> {
        let mut endpoint = Endpoint::new(server, key, INFO.defaults())?;
        let mut plain = endpoint.ws().clone();
        let named = socketio_session::locate(endpoint.ws_mut(), server.namespace.as_deref());
        let configured = server.namespace.as_deref().is_some_and(|name| !name.trim().is_empty());
        let namespaces = match named {
            Some(name) if configured => vec![name],
            Some(name) => vec![socketio_session::root().remove(0), name],
            None => vec![socketio_session::root().remove(0), DOCUMENTED.to_owned()],
        };
        let has_path = !matches!(plain.path(), "" | "/") && !plain.path().contains("socket.io");
        let pinned = match server.options.get("framing").map(|word| word.trim()) {
            None | Some("" | "auto") if has_path => None,
            None | Some("" | "auto" | "socket.io") => Some(Framing::SocketIo),
            Some("raw") => Some(Framing::Raw),
            Some(other) => {
                return Err(format!(
                    "The framing \"{other}\" is not known: use socket.io, raw or nothing."
                ));
            }
        };
        if matches!(plain.path(), "" | "/") {
            plain.set_path(DOCUMENTED);
        }
        Ok(Self {
            endpoint,
            plain,
            session: SocketIoSession::new(namespaces, None),
            framing: pinned.unwrap_or(Framing::SocketIo),
            pinned,
            proven: false,
            greeted: false,
            fresh: true,
            watched: BTreeSet::new(),
            cursor: None,
            lists: Lists::default(),
            finished: Finished::default(),
            ended: BTreeSet::new(),
            begun: Memory::default(),
            outcomes: Memory::default(),
        })
    }
}

impl Dialect for Analyzer {
    fn kind(&self) -> DialectKind {
        DialectKind::Analyzer
    }

    fn set_key(&mut self, key: Option<Secret>) {
        self.endpoint.set_key(key);
        self.session.forget();
    }

    fn has_key(&self) -> bool {
        self.endpoint.key().is_some()
    }

    fn open(&mut self) -> Result<OpenRequest, String> {
        self.framing = match (self.pinned, self.framing) {
            (Some(pinned), _) => pinned,
            (None, framing) if self.fresh || self.proven => framing,
            (None, Framing::SocketIo) => Framing::Raw,
            (None, Framing::Raw) => Framing::SocketIo,
        };
        self.fresh = false;
        self.proven = false;
        self.greeted = false;
        self.session.reset();
        self.watched.clear();
        self.ended.clear();
        self.cursor = None;
        let mut request = self.endpoint.open();
        if self.framing == Framing::Raw {
            // A key in the query stays where the configuration wants it.
            let mut plain = self.endpoint.clone();
            *plain.ws_mut() = self.plain.clone();
            request = plain.open();
        }
        Ok(request)
    }

    fn opened(&mut self) -> Vec<Incoming> {
        match self.framing {
            Framing::SocketIo => Vec::new(),
            // Nobody is greeted: the answer to a ping is the first sign that somebody is there.
            Framing::Raw => vec![Incoming::Reply(Frame::Ping)],
        }
    }

    fn decode(&mut self, frame: &Frame) -> Vec<Incoming> {
        let greeting = self.framing == Framing::Raw && !std::mem::replace(&mut self.greeted, true);
        let mut heard = self.hear(frame);
        if greeting && self.framing == Framing::Raw {
            self.lists.forget();
            heard.insert(0, Incoming::Ready);
        }
        self.note_ends(&heard);
        heard
    }

    fn encode(&mut self, out: &Outgoing) -> Vec<Frame> {
        let (topic, begin) = match out {
            Outgoing::Watch(topic) => (topic, true),
            Outgoing::Unwatch(topic) => (topic, false),
            Outgoing::Ping => return self.session.ping(),
            Outgoing::History(_) => return Vec::new(),
        };
        if begin {
            self.watched.insert(topic.clone());
        } else {
            self.watched.remove(topic);
            self.ended.remove(topic);
        }
        let everything = self.watched.contains(&Topic::Everything);
        if !begin && everything && matches!(topic, Topic::Queue(_)) {
            return Vec::new();
        }
        let said = self.subscription(topic, begin);
        said.iter().flat_map(|(name, data)| self.say(name, data)).collect()
    }

    fn api(&self) -> Option<&Url> {
        Some(self.endpoint.api())
    }

    fn keepalive(&self) -> Keepalive {
        match self.framing {
            Framing::SocketIo => self.session.keepalive(),
            Framing::Raw => Keepalive::WebSocketPings {
                interval: Duration::from_secs(25),
                timeout: Duration::from_secs(20),
            },
        }
    }

    fn why_unsupported(&self, topic: &Topic) -> Option<String> {
        let user = matches!(topic, Topic::User(_));
        user.then(|| "The wallet analyzer knows no users. Watch a job, a queue or all.".to_owned())
            .or_else(|| why_unaddressable(topic))
    }

    fn fetch(&self, topic: &Topic) -> Vec<FetchRequest> {
        let ask = |call| Ask::new(Some(topic), call);
        let get =
            |ask, segments: &[&str]| self.endpoint.request(ask, Method::Get, segments, &[], None);
        match topic {
            topic if why_unaddressable(topic).is_some() => Vec::new(),
            Topic::Job(id) => {
                vec![get(ask(Call::Job(id.to_string())), &["jobs", id.as_str()])]
            }
            Topic::Queue(name) => vec![
                self.list_request(Some(topic), name, ""),
                get(ask(Call::Stats(name.clone())), &["jobs", "queue", name, "stats"]),
            ],
            Topic::Everything => vec![get(ask(Call::Queues), &["jobs"])],
            Topic::User(_) => Vec::new(),
        }
    }

    fn list_is_complete(&self) -> bool {
        true
    }

    /// BullMQ's own ids are numbers that each queue counts for itself.
    fn ids_repeat(&self) -> bool {
        true
    }

    fn why_no_log(&self, _job: &Job) -> Option<String> {
        Some("The wallet analyzer keeps no logs: its jobs report progress and a result.".to_owned())
    }

    fn parse(&mut self, ask: &Ask, response: &FetchResponse) -> Vec<Incoming> {
        let answer = nest::answer(response, &self.endpoint);
        let topic = ask.topic.as_ref();
        let heard = match (ask.of::<Call>(), response.status) {
            // There is no such queue, so what was taken for its name is none.
            (Some(Call::Find { given, queue, .. }), 400 | 404) => {
                vec![self.find_in(topic, given, queue, Vec::new())]
            }
            // A router that takes an encoded slash for one of its own has no such call.
            (Some(Call::Job(id)), 404) if id.contains('/') => self.missing(topic, id),
            _ => self.read_answer(ask, answer),
        };
        // A list that the server had no time for stays due.
        if let Some(Call::List { queue, stretch }) = ask.of()
            && response.status != 429
            && response.status < 500
        {
            self.lists.done(queue, &stretch.list);
        }
        self.note_ends(&heard);
        heard
    }

    fn oversized(&mut self, ask: &Ask) -> Oversized {
        match ask.of() {
            Some(Call::Queues | Call::List { .. }) => Oversized::List,
            // What these look for may stand in the rest.
            _ => Oversized::Useless,
        }
    }

    /// The server refuses delayed jobs, and answers 500 for running ones, which run on.
    fn offers(&self, job: &Job) -> Option<ActionKind> {
        (job.state == JobState::Queued).then_some(ActionKind::Cancel)
    }

    fn perform(&self, action: ActionKind, job: &Job) -> Option<FetchRequest> {
        let own = own_id(job);
        let ask = Ask::new(None, Call::Cancel(own.to_owned()));
        let request = || self.endpoint.request(ask, Method::Delete, &["jobs", own], &[], None);
        (self.offers(job) == Some(action)).then(request)
    }
}
