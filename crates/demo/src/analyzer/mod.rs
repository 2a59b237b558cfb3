//! The wallet analyzer: Socket.IO in the root namespace, without acknowledgements.
//!
//! The documented generation lives in `/job-progress`, confirms subscriptions, knows queues, and
//! sends everything to those who subscribed to nothing.

mod http;
mod texts;

use serde_json::{Value, json};

use crate::json::{Obj, Raw, num, raw, text};
use crate::protocol::{Protocol, Reply, Request, Rules};
use crate::sessions::{Out, Session, Sessions};
use crate::socketio::{self, ClientPacket, Transport};
use crate::world::job::Job;
use crate::world::templates::{Ids, Templates};
use crate::world::{Event, World};
use crate::{DemoOptions, Generation};

/// Where the documented generation lives.
pub(crate) const DOCUMENTED_NAMESPACE: &str = "/job-progress";

/// The server half.
pub(crate) fn protocol(options: &DemoOptions) -> Box<dyn Protocol> {
    Box::new(Analyzer::new(options))
}

/// Its jobs.
pub(crate) fn templates() -> Templates {
    Templates {
        progress_every: Some(900),
        ids: Ids::Random { prefix: "similarity-", digits: 12 },
        result: |job| {
            json!({
                "success": true,
                "data": { "wallet": job.subject, "swaps": job.salt(4) % 900 },
                "metadata": { "requestedWallets": 2, "processedWallets": 2, "failedWallets": 0, "successRate": 1 },
            })
        },
        ..Templates::of(texts::JOBS)
    }
}

/// The state of the server half.
#[derive(Debug)]
pub(crate) struct Analyzer {
    keys: bool,
    generation: Generation,
    transport: Transport,
    bad_auth: u64,
}

impl Analyzer {
    /// A server with these options.
    pub fn new(options: &DemoOptions) -> Analyzer {
        Analyzer {
            keys: options.keys,
            generation: options.generation,
            transport: Transport::new(options, 1_000_000),
            bad_auth: 0,
        }
    }

    fn documented(&self) -> bool {
        self.generation == Generation::Documented
    }

    fn namespace(&self) -> &'static str {
        if self.documented() { DOCUMENTED_NAMESPACE } else { "/" }
    }

    fn emit(&self, sessions: &mut Sessions, job: &Job, name: &str, body: &Raw) {
        let frame = socketio::event(self.namespace(), name, body);
        let room = format!("job:{}", job.id);
        let queue = format!("queue:{}", job.queue);
        let documented = self.documented();
        sessions.send_where(&Out::Text(frame.into()), |session| {
            session.rooms.contains(&room)
                || documented
                    && (session.rooms.contains(&queue)
                        || session.rooms.is_empty() && !session.namespaces.is_empty())
        });
    }

    fn progress(&self, world: &World, sessions: &mut Sessions, job: &Job, progress: &Raw) {
        let body = if self.documented() {
            Obj::new().put("jobId", &job.id).put("progress", progress).put("status", "active").raw()
        } else {
            Obj::new()
                .put("jobId", &job.id)
                .put("queue", &job.queue)
                .put("progress", progress)
                .put("timestamp", world.now())
                .raw()
        };
        self.emit(sessions, job, "job-progress", &body);
        // These processors publish progress themselves and the bridge forwards BullMQ's event.
        let twice = matches!(job.queue.as_str(), "similarity-operations" | "enrichment-operations");
        if twice && !self.documented() {
            self.emit(sessions, job, "job-progress", &body);
        }
    }

    fn completed(&self, world: &World, sessions: &mut Sessions, job: &Job) {
        let result = raw(text(&job.result));
        let took = job.took().unwrap_or(0);
        let total = job.finished.map_or(0, |at| (at - job.created).max(0));
        let body = |total: Option<i64>| {
            let body = Obj::new().put("jobId", &job.id);
            let body = if self.documented() { body } else { body.put("queue", &job.queue) };
            let body = body.put("result", &result).put("processingTime", took);
            if self.documented() {
                body.raw()
            } else {
                body.maybe("totalTime", total).put("timestamp", world.now()).raw()
            }
        };
        if job.id.starts_with("dashboard-") && !self.documented() {
            self.emit(sessions, job, "job-completed", &body(None));
        }
        self.emit(sessions, job, "job-completed", &body(Some(total)));
    }

    fn failed(&self, world: &World, sessions: &mut Sessions, job: &Job) {
        let error = job.failure.as_ref().map_or("", |failure| failure.text.as_str());
        let body = if self.documented() {
            Obj::new().put("jobId", &job.id).put("error", error).put("failedReason", error).raw()
        } else {
            Obj::new()
                .put("jobId", &job.id)
                .put("queue", &job.queue)
                .put("error", error)
                .put("attempts", job.attempt)
                .put("maxAttempts", job.max_attempts)
                .put("timestamp", world.now())
                .raw()
        };
        self.emit(sessions, job, "job-failed", &body);
    }

    fn command(
        &mut self,
        world: &World,
        sessions: &mut Sessions,
        conn: u64,
        name: &str,
        args: &[Value],
    ) {
        let namespace = self.namespace();
        let (field, prefix) = match name {
            "subscribe-to-job" | "unsubscribe-from-job" => ("jobId", "job:"),
            "subscribe-to-queue" | "unsubscribe-from-queue" if self.documented() => {
                ("queueName", "queue:")
            }
            // Removed events, and ones that never were, are ignored.
            _ => return,
        };
        let Some(body) = args.first().filter(|body| body.is_object()) else {
            let cause = Obj::new().put("pattern", name).put("data", None::<u8>).raw();
            let body = Obj::new()
                .put("status", "error")
                .put("message", "Internal server error")
                .put("cause", cause);
            return sessions.text(conn, socketio::event(namespace, "exception", body.raw()));
        };
        // A number is stored as such and never matches a job's id.
        let wanted = match body.get(field) {
            Some(Value::String(id)) => format!("{prefix}{id}"),
            Some(other) => format!("{prefix}#{other}"),
            None => return,
        };
        let on = name.starts_with("subscribe");
        if let Some(session) = sessions.session_mut(conn) {
            if on {
                session.rooms.insert(wanted);
            } else {
                session.rooms.remove(&wanted);
            }
        }
        if self.documented() && on {
            let body = Obj::new()
                .put("type", prefix.trim_end_matches(':'))
                .put(field, body.get(field))
                .put("timestamp", world.now());
            sessions.text(conn, socketio::event(namespace, "subscription-success", body.raw()));
        }
    }
}

impl Protocol for Analyzer {
    fn namespace(&self) -> Option<String> {
        self.documented().then(|| DOCUMENTED_NAMESPACE.to_owned())
    }

    fn rules(&self) -> Rules {
        self.transport.rules()
    }

    fn upgrade(&mut self, _: &World, _: &Sessions, request: &Request) -> Result<Session, Reply> {
        Transport::check(request)?;
        Ok(Session { authenticated: true, ..Session::default() })
    }

    fn opened(&mut self, _: &World, sessions: &mut Sessions, conn: u64) {
        self.transport.opened(sessions, conn);
    }

    fn text(&mut self, world: &mut World, sessions: &mut Sessions, conn: u64, text: &str) {
        match Transport::read(text) {
            ClientPacket::Nothing => {}
            ClientPacket::Connect(namespace) if namespace == self.namespace() => {
                let sid = self.transport.join(sessions, conn, &namespace);
                let body = Obj::new()
                    .put("message", "Connected to job progress updates")
                    .put("clientId", sid)
                    .put("timestamp", world.now());
                sessions.text(conn, socketio::event(&namespace, "connected", body.raw()));
            }
            ClientPacket::Connect(namespace) if namespace == "/" => {
                self.transport.join(sessions, conn, &namespace);
            }
            ClientPacket::Connect(namespace) => {
                Transport::refuse(sessions, conn, &namespace, "Invalid namespace");
            }
            ClientPacket::Disconnect(namespace) => {
                if let Some(session) = sessions.session_mut(conn) {
                    session.namespaces.remove(&namespace);
                    session.rooms.clear();
                }
            }
            ClientPacket::Event(namespace, _, name, args) => {
                let inside = |session: &Session| session.namespaces.contains(&namespace);
                if !sessions.session(conn).is_some_and(inside) {
                    return sessions.send(conn, Out::Close(None));
                }
                if namespace == self.namespace() {
                    self.command(world, sessions, conn, &name, &args);
                }
            }
            ClientPacket::Close => sessions.send(conn, Out::Close(None)),
        }
    }

    fn event(&mut self, world: &World, sessions: &mut Sessions, event: &Event) {
        let (Event::Started(key)
        | Event::Progressed(key)
        | Event::Completed(key)
        | Event::Failed(key)) = event
        else {
            return;
        };
        let Some(job) = world.job(*key) else { return };
        match event {
            Event::Started(_) if !self.documented() => {
                let body = Obj::new()
                    .put("jobId", &job.id)
                    .put("queue", &job.queue)
                    .put("queueToStartTime", job.started.unwrap_or(job.created) - job.created)
                    .put("timestamp", world.now());
                self.emit(sessions, job, "job-queue-to-start", &body.raw());
            }
            Event::Progressed(_) => {
                // One processor reports its stage in words between the numbers.
                if job.id.starts_with("dashboard-") && !job.message.is_empty() {
                    let stage = Obj::new().put("status", &job.message).raw();
                    self.progress(world, sessions, job, &stage);
                }
                self.progress(world, sessions, job, &num(job.progress));
            }
            Event::Completed(_) => self.completed(world, sessions, job),
            Event::Failed(_) => self.failed(world, sessions, job),
            _ => {}
        }
    }

    fn tick(&mut self, _: &World, sessions: &mut Sessions) {
        Transport::tick(sessions);
    }

    fn http(&mut self, world: &mut World, _: &Sessions, request: &Request) -> Reply {
        Transport::http(request).unwrap_or_else(|| self.route(world, request))
    }

    fn kick(&mut self, sessions: &mut Sessions) {
        Transport::kick(sessions, self.namespace());
    }

    fn filler(&self, world: &World, n: u64) -> String {
        let (id, queue) = world
            .jobs()
            .next_back()
            .map_or(("none".to_owned(), String::new()), |job| (job.id.clone(), job.queue.clone()));
        let body = Obj::new()
            .put("jobId", id)
            .put("queue", queue)
            .put("progress", num((n % 1000) as f64 / 10.0))
            .put("timestamp", world.now());
        socketio::event(self.namespace(), "job-progress", body.raw())
    }

    fn unknown(&self, data: &str) -> String {
        socketio::event(self.namespace(), "job-teleported", raw(data.to_owned()))
    }

    fn wrong_shapes(&self) -> Vec<String> {
        [
            r#"["job-progress"]"#,
            r#"["job-progress",null]"#,
            r#"["job-progress",{"jobId":{},"progress":[],"timestamp":"soon"}]"#,
            r#"["job-completed",{"jobId":7,"result":"x","processingTime":null}]"#,
            r#"["job-failed",{"jobId":null,"error":{}}]"#,
            r"[]",
            r"[7,8]",
        ]
        .map(|args| match self.namespace() {
            "/" => format!("42{args}"),
            namespace => format!("42{namespace},{args}"),
        })
        .to_vec()
    }

    fn bad_auth(&self) -> u64 {
        self.bad_auth
    }
}
