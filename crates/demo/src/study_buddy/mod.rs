//! AI Study Buddy: Socket.IO in the namespace `/jobs`, authenticated by a cookie.

mod http;
mod texts;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::json::{Obj, Raw, iso, num, raw};
use crate::protocol::{Protocol, Reply, Request, Rules};
use crate::sessions::{Out, Session, Sessions};
use crate::socketio::{self, ClientPacket, Transport};
use crate::world::job::{Job, State};
use crate::world::templates::{Ids, Templates};
use crate::world::{Event, World};
use crate::{DemoOptions, Generation, token};

const NAMESPACE: &str = "/jobs";

/// The user whose key the demo accepts.
const USER: &str = "u1";

/// Sockets one user may have in the namespace.
const MAX_SOCKETS: usize = 5;

/// Packets one socket may send within a second.
const MAX_PACKETS: u32 = 30;

/// The server half.
pub(crate) fn protocol(options: &DemoOptions) -> Box<dyn Protocol> {
    Box::new(StudyBuddy::new(options))
}

/// Its jobs.
pub(crate) fn templates() -> Templates {
    Templates {
        fail_rate: 0.12,
        first: 100,
        progress_every: Some(1_100),
        ids: Ids::Counted,
        result: |job| json!({ "noteId": format!("cmn{}", job.hash(3, 20)) }),
        ..Templates::of(texts::JOBS)
    }
}

/// The state of the server half.
#[derive(Debug)]
pub(crate) struct StudyBuddy {
    keys: bool,
    generation: Generation,
    transport: Transport,
    bad_auth: u64,
    /// How often tokens have expired.
    expired: u32,
    /// The last progress event of each job, replayed to late subscribers.
    last: BTreeMap<u64, Raw>,
    /// Answers about single jobs, kept for two seconds.
    answers: BTreeMap<String, (tokio::time::Instant, String)>,
}

impl StudyBuddy {
    /// A server with these options.
    pub fn new(options: &DemoOptions) -> StudyBuddy {
        StudyBuddy {
            keys: options.keys,
            generation: options.generation,
            transport: Transport::new(options, 65_536),
            bad_auth: 0,
            expired: 0,
            last: BTreeMap::new(),
            answers: BTreeMap::new(),
        }
    }

    /// At the time of the document everybody was let in.
    fn open_to_all(&self) -> bool {
        !self.keys || self.generation == Generation::Documented
    }

    /// To the job's room, then to its user's: who is in both hears it twice.
    fn emit(&self, sessions: &mut Sessions, job: &Job, name: &str, body: &Raw, to_user: bool) {
        let frame = socketio::event(NAMESPACE, name, body);
        let room = format!("job:{}", job.id);
        let user = format!("user:{USER}");
        let rooms = if to_user { vec![room, user] } else { vec![room] };
        for room in rooms {
            let out = Out::Text(frame.as_str().into());
            sessions.send_where(&out, |session| session.rooms.contains(&room));
        }
        if self.generation == Generation::Documented {
            sessions
                .send_where(&Out::Text(frame.into()), |session| session.rooms.contains("all-jobs"));
        }
    }

    fn progress(&mut self, sessions: &mut Sessions, job: &Job, body: Raw) {
        self.emit(sessions, job, "job:progress", &body, true);
        self.last.insert(job.key, body);
    }

    fn subscribe(
        &mut self,
        world: &World,
        sessions: &mut Sessions,
        conn: u64,
        id: Option<u64>,
        args: &[Value],
    ) {
        let body = args.first().unwrap_or(&Value::Null);
        let answer = match body.get("jobId").and_then(Value::as_str) {
            Some(wanted) => match world.find(wanted) {
                Some(job) => {
                    let room = format!("job:{wanted}");
                    if let Some(session) = sessions.session_mut(conn) {
                        session.rooms.insert(room.clone());
                    }
                    if let Some(last) = self.last.get(&job.key) {
                        sessions.text(conn, socketio::event(NAMESPACE, "job:progress", last));
                    }
                    Obj::new()
                        .put("success", true)
                        .put("room", room)
                        .put("message", "Subscribed to job updates")
                }
                None => Obj::new().put("success", false).put("message", "Forbidden"),
            },
            None => {
                let documented = self.generation == Generation::Documented;
                let room = match body.get("userId").and_then(Value::as_str) {
                    Some(user) if documented => format!("user:{user}"),
                    None if documented => "all-jobs".to_owned(),
                    _ => format!("user:{USER}"),
                };
                if let Some(session) = sessions.session_mut(conn) {
                    session.rooms.insert(room.clone());
                }
                Obj::new()
                    .put("success", true)
                    .put("room", room)
                    .put("message", "Already subscribed to user updates")
            }
        };
        if let Some(id) = id {
            socketio::ack(sessions, conn, NAMESPACE, id, answer.raw());
        }
    }

    fn connect(&mut self, sessions: &mut Sessions, conn: u64, namespace: &str) {
        match namespace {
            "/" => {
                self.transport.join(sessions, conn, namespace);
            }
            NAMESPACE => {
                let known = sessions.session(conn).is_some_and(|session| session.authenticated);
                let inside = |session: &Session| session.namespaces.contains(NAMESPACE);
                let sockets = sessions.iter().filter(|(_, session)| inside(session)).count();
                self.bad_auth += u64::from(!known);
                if !known || sockets >= MAX_SOCKETS {
                    return Transport::refuse(sessions, conn, namespace, "Authentication failed");
                }
                self.transport.join(sessions, conn, namespace);
                if let Some(session) = sessions.session_mut(conn) {
                    session.rooms.insert(format!("user:{USER}"));
                }
            }
            _ => Transport::refuse(sessions, conn, namespace, "Invalid namespace"),
        }
    }
}

impl Protocol for StudyBuddy {
    fn rules(&self) -> Rules {
        self.transport.rules()
    }

    fn upgrade(&mut self, _: &World, _: &Sessions, request: &Request) -> Result<Session, Reply> {
        Transport::check(request)?;
        let authenticated = self.open_to_all()
            || request.cookie("access_token") == Some(token(self.expired).as_str());
        Ok(Session { authenticated, ..Session::default() })
    }

    fn opened(&mut self, _: &World, sessions: &mut Sessions, conn: u64) {
        self.transport.opened(sessions, conn);
    }

    fn text(&mut self, world: &mut World, sessions: &mut Sessions, conn: u64, text: &str) {
        let packet = Transport::read(text);
        if !matches!(packet, ClientPacket::Nothing) {
            let packets = sessions.session_mut(conn).map_or(0, socketio::count);
            if packets > MAX_PACKETS {
                socketio::send(
                    sessions,
                    conn,
                    NAMESPACE,
                    jobwatch_core::wire::socketio::Kind::Disconnect,
                );
                return sessions.send(conn, Out::Close(None));
            }
        }
        match packet {
            ClientPacket::Nothing => {}
            ClientPacket::Connect(namespace) => self.connect(sessions, conn, &namespace),
            ClientPacket::Disconnect(namespace) => {
                if let Some(session) = sessions.session_mut(conn) {
                    session.namespaces.remove(&namespace);
                    session.rooms.clear();
                }
            }
            ClientPacket::Event(namespace, id, name, args) => {
                let inside = |session: &Session| session.namespaces.contains(&namespace);
                if !sessions.session(conn).is_some_and(inside) {
                    return sessions.send(conn, Out::Close(None));
                }
                match name.as_str() {
                    _ if namespace != NAMESPACE => {}
                    "subscribe:jobs" => self.subscribe(world, sessions, conn, id, &args),
                    "unsubscribe:jobs" => {
                        let job = args.first().and_then(|body| body.get("jobId")?.as_str());
                        let room = job.map(|job| format!("job:{job}"));
                        if let (Some(session), Some(room)) = (sessions.session_mut(conn), &room) {
                            session.rooms.remove(room);
                        }
                        if let Some(id) = id {
                            let answer = Obj::new().put("success", true).maybe("room", room);
                            socketio::ack(sessions, conn, NAMESPACE, id, answer.raw());
                        }
                    }
                    _ => {}
                }
            }
            ClientPacket::Close => sessions.send(conn, Out::Close(None)),
        }
    }

    fn event(&mut self, world: &World, sessions: &mut Sessions, event: &Event) {
        let (Event::Created(key)
        | Event::Started(key)
        | Event::Progressed(key)
        | Event::Retrying(key)
        | Event::Completed(key)
        | Event::Failed(key)) = event
        else {
            return;
        };
        let Some(job) = world.job(*key) else { return };
        // These two workers write to the database and tell nobody.
        let silent = matches!(job.queue.as_str(), "pdf-extract" | "ai-notes");
        let now = iso(world.now());
        match event {
            Event::Created(_) => {
                let body = in_progress(job, 0.0, Some("queued"), &now);
                self.progress(sessions, job, body);
            }
            Event::Started(_) => {
                let body = updated(job, "processing", "Starting optimized processing", &now);
                self.progress(sessions, job, body);
            }
            Event::Progressed(_) => {
                let body = match job.message.as_str() {
                    "generating_notes" => {
                        let chunk = http::chunk(job);
                        self.emit(sessions, job, "job:notes:chunk", &chunk, true);
                        updated(job, "generating_notes", "Generating notes with AI", &now)
                    }
                    "generating_quiz" => {
                        updated(job, "generating_quiz", "Generating quiz questions", &now)
                    }
                    message => {
                        let message = Some(message).filter(|message| !message.is_empty());
                        in_progress(job, job.progress, message, &now)
                    }
                };
                self.progress(sessions, job, body);
            }
            Event::Retrying(_) | Event::Failed(_) if !silent => {
                let text = job.failure.as_ref().map_or("", |failure| failure.text.as_str());
                let main = job.queue == "pdf-ultra-optimized";
                // The main worker rejects with an object that the gateway turns into text.
                let text = if main { "[object Object]" } else { text };
                let body = Obj::new()
                    .put("jobId", &job.id)
                    .put("status", "failed")
                    .put("error", text)
                    .put("timestamp", &now)
                    .raw();
                self.emit(sessions, job, "job:error", &body, main);
            }
            Event::Completed(_) => {
                let completed = |result: Raw| {
                    Obj::new()
                        .put("jobId", &job.id)
                        .put("status", "completed")
                        .put("result", result)
                        .put("timestamp", &now)
                        .raw()
                };
                for result in http::results(job, USER) {
                    self.emit(sessions, job, "job:completed", &completed(result), true);
                }
            }
            _ => {}
        }
    }

    fn tick(&mut self, world: &World, sessions: &mut Sessions) {
        Transport::tick(sessions);
        self.last.retain(|key, _| world.job(*key).is_some());
        self.answers.retain(|_, (at, _)| at.elapsed() < http::CACHED);
    }

    fn http(&mut self, world: &mut World, _: &Sessions, request: &Request) -> Reply {
        Transport::http(request).unwrap_or_else(|| self.route(world, request))
    }

    fn kick(&mut self, sessions: &mut Sessions) {
        Transport::kick(sessions, NAMESPACE);
    }

    fn filler(&self, world: &World, n: u64) -> String {
        let id = world.jobs().next_back().map_or_else(|| "1".to_owned(), |job| job.id.clone());
        let body = Obj::new()
            .put("jobId", id)
            .put("status", "in_progress")
            .put("progress", n % 100)
            .put("message", "downloading")
            .put("timestamp", iso(world.now()))
            .raw();
        socketio::event(NAMESPACE, "job:progress", body)
    }

    fn unknown(&self, data: &str) -> String {
        socketio::event(NAMESPACE, "job:teleported", raw(data.to_owned()))
    }

    fn wrong_shapes(&self) -> Vec<String> {
        [
            r#"42/jobs,["job:progress"]"#,
            r#"42/jobs,["job:progress",null]"#,
            r#"42/jobs,["job:progress",{"jobId":{},"progress":"half","status":7}]"#,
            r#"42/jobs,["job:completed",{"jobId":[]}]"#,
            r#"42/jobs,["job:error",{"error":{"message":"x"}}]"#,
            r#"42/jobs,{"not":"an array"}"#,
            r"42/jobs,[]",
            r"42/jobs,[7]",
            "43/jobs,999[null]",
            "451-/jobs,",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn expire(&mut self) {
        self.expired += 1;
    }

    fn bad_auth(&self) -> u64 {
        self.bad_auth
    }
}

/// The builder that calls everything `in_progress`.
fn in_progress(job: &Job, progress: f64, message: Option<&str>, now: &str) -> Raw {
    Obj::new()
        .put("jobId", &job.id)
        .put("status", "in_progress")
        .put("progress", num(progress))
        .maybe("message", message)
        .put("timestamp", now)
        .raw()
}

/// The other builder: other keys' order, telling states.
fn updated(job: &Job, status: &str, message: &str, now: &str) -> Raw {
    Obj::new()
        .put("jobId", &job.id)
        .put("progress", num(job.progress))
        .put("status", status)
        .put("message", message)
        .put("timestamp", now)
        .raw()
}

/// Whether the database already knows that the job ended: the event comes first.
fn recorded(job: &Job, now: i64) -> bool {
    job.state != State::Completed || job.finished.is_none_or(|at| now - at >= 300)
}
