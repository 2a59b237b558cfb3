//! What comes over the socket, in either framing, and what is sent there.

use std::collections::BTreeSet;

use super::read::{job_event, topic_of};
use super::{Analyzer, Framing, JOBS_PER_PING, QUEUES};
use crate::dialect::socketio_session::{SessionEvent, SocketIoSession, diagnostic, raw_event};
use crate::dialect::{Frame, Incoming, queue_and_id};
use crate::model::{Finality, JobPatch, Topic, Update};
use crate::wire::fields::Fields;

impl Analyzer {
    pub(super) fn event(&mut self, name: &str, args: &str) -> Vec<Incoming> {
        match name {
            "job-progress" | "job-completed" | "job-failed" | "job-queue-to-start" => {
                match job_event(name, args) {
                    Some(patch) => self.job_told(name, patch),
                    None => {
                        let words = format!("A {name} event without a job.");
                        vec![diagnostic("wrong-shape", &words, Some(args), &self.endpoint)]
                    }
                }
            }
            "connected" => Vec::new(),
            "subscription-success" => match topic_of(args) {
                Some(topic) => vec![Incoming::Watched(topic)],
                None => {
                    let words = "A confirmed subscription names neither a job nor a queue.";
                    vec![diagnostic("wrong-shape", words, Some(args), &self.endpoint)]
                }
            },
            "unsubscription-success" | "subscriptions" => Vec::new(),
            "exception" | "subscription-error" | "error" => vec![self.exception(name, args)],
            _ => {
                let words = format!("An unknown event, {name}.");
                vec![diagnostic("unknown-frame", &words, Some(args), &self.endpoint)]
            }
        }
    }

    /// Failed attempts are told of by no event, but each attempt's start is: what lies between two
    /// starts the row tells, with the start of the second.
    fn job_told(&mut self, event: &str, mut patch: JobPatch) -> Vec<Incoming> {
        let mut stale = None;
        if let (Some(id), Some(state)) = (&patch.id, &patch.state) {
            if state.terminal() {
                self.begun.forget(id.as_str());
            } else if event == "job-queue-to-start" {
                if self.begun.contains(id.as_str()) {
                    patch.started_at = None;
                    stale = Some(Incoming::Stale(Topic::Job(id.clone())));
                }
                self.begun.remember(id.clone(), ());
            }
        }
        let update = Incoming::Update(Update::Job(Box::new(patch)));
        std::iter::once(update).chain(stale).collect()
    }

    /// `{"status","message","cause":{"pattern","data"}}`.
    fn exception(&self, event: &str, args: &str) -> Incoming {
        // An exception of another shape is still an exception, without words.
        let fields = Fields::leading(args).unwrap_or_default();
        let cause = fields.object("cause").unwrap_or_default();
        let message = fields.string("message").or_else(|| fields.string("error"));
        let pattern = cause.string("pattern");
        let topic = match cause.get("data") {
            Some(data) => topic_of(data.get()),
            None => topic_of(args),
        };
        let reason = message.unwrap_or_else(|| "no reason given".to_owned());
        let of_subscription = pattern
            .as_ref()
            .map_or(event == "subscription-error", |pattern| pattern.starts_with("subscribe"));
        match pattern {
            _ if of_subscription && topic.is_some() => {
                Incoming::SubscriptionRejected { topic, reason }
            }
            Some(pattern) => {
                let words = format!("The server could not handle {pattern}: {reason}");
                diagnostic("server-error", &words, Some(args), &self.endpoint)
            }
            None => {
                let words = format!("The server reported an error: {reason}");
                diagnostic("server-error", &words, Some(args), &self.endpoint)
            }
        }
    }

    /// What to read again when the server pings: no event announces new jobs, removed jobs, or
    /// what was said while nobody listened, and the ping is the clock of a quiet link.
    fn refresh(&mut self) -> Vec<Incoming> {
        let lists = |topic: &&Topic| matches!(topic, Topic::Queue(_) | Topic::Everything);
        let listed: Vec<_> =
            self.watched.iter().filter(lists).cloned().map(Incoming::Stale).collect();
        if !listed.is_empty() {
            return listed;
        }
        let open: Vec<&Topic> = self.watched.difference(&self.ended).collect();
        let first = match &self.cursor {
            Some(last) => open.partition_point(|topic| *topic <= last) % open.len().max(1),
            None => 0,
        };
        let turn: Vec<Topic> =
            open[first..].iter().take(JOBS_PER_PING).map(|it| (*it).clone()).collect();
        self.cursor = turn.last().cloned();
        turn.into_iter().map(Incoming::Stale).collect()
    }

    pub(super) fn hear(&mut self, frame: &Frame) -> Vec<Incoming> {
        if *frame == Frame::Pong && self.framing == Framing::Raw {
            // Where the server does not ping, its answers to our pings are the clock.
            return self.refresh();
        }
        if let Frame::Text(text) = frame
            && text.trim_start().starts_with('{')
        {
            let Some((name, data)) = raw_event(text) else {
                let words = "A frame that is neither Socket.IO nor {\"event\",\"data\"}.";
                return vec![diagnostic("unknown-frame", words, Some(text), &self.endpoint)];
            };
            self.proven |= self.framing == Framing::Raw;
            return self.event(&name, data.unwrap_or("null"));
        }
        let decoded = self.session.decode(frame, &self.endpoint);
        let mut out = decoded.incoming;
        if out.contains(&Incoming::Ready) {
            // What ended while there was no link is found by reading all lists again.
            self.lists.forget();
        }
        if self.session.ready() {
            self.framing = Framing::SocketIo;
            self.proven = true;
        }
        for event in decoded.events {
            match event {
                SessionEvent::Event { name, args } => out.extend(self.event(&name, &args)),
                SessionEvent::Joined(namespace) => {
                    for topic in &self.watched {
                        for (name, data) in self.subscription(topic, true) {
                            let frame = SocketIoSession::emit_to(&namespace, name, &[&data]);
                            out.push(Incoming::Reply(frame));
                        }
                    }
                }
                SessionEvent::Ping => out.extend(self.refresh()),
                // Neither generation acknowledges, and nothing is asked with an acknowledgement.
                SessionEvent::Ack { .. } => {}
            }
        }
        out
    }

    /// The event's name and payloads that (un)subscribe `topic`.
    pub(super) fn subscription(&self, topic: &Topic, begin: bool) -> Vec<(&'static str, String)> {
        let of_job = if begin { "subscribe-to-job" } else { "unsubscribe-from-job" };
        let of_queue = if begin { "subscribe-to-queue" } else { "unsubscribe-from-queue" };
        let queue = |name: &str| (of_queue, serde_json::json!({ "queueName": name }).to_string());
        match topic {
            // A job may be named by its queue as well, and the server knows it by its id alone.
            Topic::Job(id) => std::iter::once(id.as_str())
                .chain(queue_and_id(id.as_str()).map(|(_, own)| own))
                .map(|id| (of_job, serde_json::json!({ "jobId": id }).to_string()))
                .collect(),
            Topic::Queue(name) => vec![queue(name)],
            // The documented server sends everything to clients that subscribe to nothing, but any
            // subscription ends that; all its queues together are everything for sure.
            Topic::Everything => {
                let names: BTreeSet<&str> = QUEUES.into_iter().chain(self.lists.queues()).collect();
                let named = |name: &&str| {
                    begin || !self.watched.contains(&Topic::Queue((*name).to_owned()))
                };
                names.into_iter().filter(named).map(queue).collect()
            }
            Topic::User(_) => Vec::new(),
        }
    }

    pub(super) fn say(&self, name: &str, data: &str) -> Vec<Frame> {
        match self.framing {
            Framing::SocketIo => self.session.emit(name, &[data]),
            Framing::Raw => {
                let name = serde_json::Value::from(name);
                vec![Frame::Text(format!("{{\"event\":{name},\"data\":{data}}}"))]
            }
        }
    }

    /// Notes which watched jobs have ended.
    pub(super) fn note_ends(&mut self, heard: &[Incoming]) {
        for incoming in heard {
            let Incoming::Update(Update::Job(patch)) = incoming else { continue };
            let (Some(id), Some(state)) = (&patch.id, &patch.state) else { continue };
            let ended = state.terminal() && patch.finality == Finality::Final;
            if !ended && self.ended.is_empty() {
                continue;
            }
            let topic = Topic::Job(id.clone());
            if !ended {
                self.ended.remove(&topic);
            } else if self.watched.contains(&topic) {
                self.ended.insert(topic);
            }
        }
    }
}
