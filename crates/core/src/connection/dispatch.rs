//! What each item that a dialect made of a frame or an answer leads to.

use super::{Output, SocketId, Supervisor};
use crate::dialect::Incoming;
use crate::model::{Source, Topic};
use crate::time::Now;

/// Where an item comes from.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// A frame of this socket, or its opening.
    Socket(SocketId),
    /// An answer over HTTP, to a request for this topic or beside all topics.
    Http(Option<&'a Topic>),
}

impl<'a> Origin<'a> {
    pub fn source(self) -> Source {
        match self {
            Origin::Socket(_) => Source::Socket,
            Origin::Http(_) => Source::Http,
        }
    }

    /// The topic that was asked for.
    pub fn topic(self) -> Option<&'a Topic> {
        match self {
            Origin::Socket(_) => None,
            Origin::Http(topic) => topic,
        }
    }
}

impl Supervisor {
    /// Applies what the dialect made of a frame or an answer.
    pub(super) fn dispatch(&mut self, origin: Origin, incoming: Vec<Incoming>, now: Now) {
        for item in incoming {
            // Any item may have ended this socket.
            if let Origin::Socket(socket) = origin
                && self.phase.socket() != Some(socket)
            {
                return;
            }
            self.dispatch_item(origin, item, now);
        }
    }

    fn dispatch_item(&mut self, origin: Origin, item: Incoming, now: Now) {
        match (item, origin) {
            (Incoming::Update(update), _) => self.take_update(update, origin, now),
            (Incoming::Stale(topic), _) => self.stale(&topic, now),
            (Incoming::Soon(topic), _) => self.expect_change(&topic, now),
            (Incoming::Discovered(found), _) => self.discover(found, origin.topic().cloned(), now),
            (Incoming::LogGrew(job), _) => self.log_grew(job.as_ref(), now),
            (Incoming::Unknown(diagnostic), _) => self.out.push_back(Output::Diagnostic(diagnostic)),
            (Incoming::Follow(request), Origin::Http(Some(topic))) => self.follow(topic, request),
            (Incoming::Follow(request), _) => self.follow_alone(request, now),

            (Incoming::Ready, Origin::Socket(socket)) => self.ready(socket, now),
            (Incoming::Reply(frame), Origin::Socket(socket)) => self.send(socket, frame, now),
            (Incoming::Refused(words), Origin::Socket(_)) => self.key_refused(&words, None, now),
            (Incoming::Foreign(reason), Origin::Socket(_)) => self.wrong_server(reason, now),
            (Incoming::Disconnected(reason), Origin::Socket(_)) => self.lost(reason, None, now),
            (Incoming::Watched(topic), Origin::Socket(_)) => self.send_queue.confirmed(&topic),
            (Incoming::RateLimited(words), Origin::Socket(_)) => self.rate_limited(&words, now),
            (Incoming::SubscriptionRejected { topic, reason }, Origin::Socket(_)) => {
                self.subscription_rejected(topic, reason, now);
            }

            (Incoming::SubscriptionRejected { topic: Some(job @ Topic::Job(_)), reason }, _)
                if origin.topic() == Some(&job) =>
            {
                self.denied(job, &reason);
            }
            (Incoming::SubscriptionRejected { topic, reason }, _) => {
                self.not_watchable(topic, &reason, now);
            }
            (Incoming::Partial { open, why }, Origin::Http(Some(topic))) => {
                self.note_partial(topic, open, why);
            }
            // In a fetch cycle it is judged with the other answers. Alone it says nothing of them: a
            // log may be kept, and an action performed, by somebody else's leave.
            (Incoming::Refused(reason), Origin::Http(None)) => {
                let reason = self.clean(&reason);
                self.diagnose("http-error", reason);
            }
            (Incoming::Refused(_), Origin::Http(Some(_)))
            | (Incoming::Partial { .. }, _)
            // The answer about a log is read where it was asked for.
            | (Incoming::LogPart(_), _)
            // These speak of a socket.
            | (
                Incoming::Ready
                | Incoming::Reply(_)
                | Incoming::Foreign(_)
                | Incoming::RateLimited(_)
                | Incoming::Watched(_)
                | Incoming::Disconnected(_),
                Origin::Http(_),
            ) => {}
        }
    }
}
