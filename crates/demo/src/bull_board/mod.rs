//! Better Bull Board: a socket that only hints, and an HTTP application that knows.

mod http;
mod late;
mod rows;
mod texts;

use std::collections::BTreeMap;

use serde_json::json;

use crate::json::{Obj, raw};
use crate::protocol::{Heartbeat, Protocol, Reply, Request, Role, Rules};
use crate::sessions::{Overflow, Session, Sessions};
use crate::world::job::Job;
use crate::world::templates::{Ids, Templates};
use crate::world::{Event, World};
use crate::{DemoOptions, Generation, token};

/// Identical hints are sent at most once in so many ms.
const THROTTLE: i64 = 1_000;

/// Between two hints that a scheduler changed, ms.
const SCHEDULER: i64 = 60_000;

/// The server half.
pub(crate) fn protocol(options: &DemoOptions) -> Box<dyn Protocol> {
    Box::new(BullBoard::new(options))
}

/// Its jobs.
pub(crate) fn templates() -> Templates {
    Templates {
        fail_rate: 0.13,
        first: 40,
        scheduled: 0.15,
        line_every: Some(1_300),
        ids: Ids::Uuid,
        result: |job| json!({ "ok": true, "subject": job.subject }),
        ..Templates::of(texts::JOBS)
    }
}

/// The state of the server half.
#[derive(Debug)]
pub(crate) struct BullBoard {
    keys: bool,
    generation: Generation,
    bad_auth: u64,
    /// How often tokens have expired.
    expired: u32,
    /// Hints sent lately: when, and whether another is due.
    sent: BTreeMap<String, (i64, bool)>,
    scheduled: i64,
    paused: std::collections::BTreeSet<String>,
    /// The rows, where they come later than the hints.
    late: Option<late::Late>,
}

impl BullBoard {
    /// A server with these options.
    pub fn new(options: &DemoOptions) -> BullBoard {
        BullBoard {
            keys: options.keys,
            generation: options.generation,
            bad_auth: 0,
            expired: 0,
            sent: BTreeMap::new(),
            scheduled: 0,
            paused: std::collections::BTreeSet::new(),
            late: options.rows_late.map(|range| late::Late::new(range, options.seed)),
        }
    }

    fn documented(&self) -> bool {
        self.generation == Generation::Documented
    }

    /// Sends a hint now, or soon if the same was sent just now.
    fn hint(&mut self, world: &World, sessions: &mut Sessions, kind: &str, key: &str, value: &str) {
        let frame = frame(kind, key, value);
        match self.sent.get_mut(&frame) {
            Some((at, due)) if world.now() - *at < THROTTLE => *due = true,
            _ => {
                sessions.text_all(&frame);
                self.sent.insert(frame, (world.now(), false));
            }
        }
    }

    fn hints(&mut self, world: &World, sessions: &mut Sessions, job: &Job, queue: bool) {
        if self.documented() {
            self.hint(world, sessions, "job-refresh", "jobId", &job.external);
            if queue {
                self.hint(world, sessions, "queue-refresh", "queueName", &job.queue);
            }
            return;
        }
        self.hint(world, sessions, "job-refresh", "id", "1");
        self.hint(world, sessions, "single-job-refresh", "jobId", &job.id);
        if queue {
            self.hint(world, sessions, "queue-refresh", "queueName", "1");
            self.hint(world, sessions, "single-queue-refresh", "queueName", &job.queue);
        }
    }

    fn authentic(&mut self, request: &Request) -> bool {
        let key = request.bearer().or_else(|| request.cookie("bbb-token"));
        let good = !self.keys || key == Some(token(self.expired).as_str());
        self.bad_auth += u64::from(!good);
        good
    }
}

impl Protocol for BullBoard {
    fn roles(&self) -> &'static [Role] {
        &[Role::Main, Role::Second]
    }

    fn rules(&self) -> Rules {
        Rules {
            heartbeat: Heartbeat::None,
            max_inbound: 100 << 20,
            queue: 65_536,
            overflow: Overflow::Close,
        }
    }

    fn upgrade(&mut self, _: &World, _: &Sessions, request: &Request) -> Result<Session, Reply> {
        if request.role == Role::Second {
            return Err(http::not_found());
        }
        Ok(Session { authenticated: true, ..Session::default() })
    }

    fn opened(&mut self, _: &World, sessions: &mut Sessions, conn: u64) {
        if self.documented() {
            sessions.text(conn, frame("job-refresh", "id", "connected"));
        }
    }

    fn text(&mut self, _: &mut World, _: &mut Sessions, _: u64, _: &str) {}

    fn event(&mut self, world: &World, sessions: &mut Sessions, event: &Event) {
        let changed = match event {
            Event::Created(key)
            | Event::Started(key)
            | Event::Retrying(key)
            | Event::Completed(key)
            | Event::Failed(key)
            | Event::Cancelled(key) => Some(*key),
            _ => None,
        };
        if let (Some(late), Some(key)) = (&mut self.late, changed) {
            late.change(world, key);
        }
        let (key, queue) = match event {
            Event::Created(key) | Event::Completed(key) | Event::Failed(key) => (*key, true),
            Event::Started(key) | Event::Retrying(key) => (*key, false),
            Event::Logged(key, _) => {
                let Some(job) = world.job(*key) else { return };
                if self.documented() {
                    self.hint(world, sessions, "log-refresh", "jobId", &job.external);
                } else {
                    self.hint(world, sessions, "job-log-refresh", "jobId", &job.id);
                }
                return;
            }
            // Cancelling publishes nothing, and there is neither progress nor measurement.
            _ => return,
        };
        if let Some(job) = world.job(key) {
            self.hints(world, sessions, job, queue);
        }
    }

    fn tick(&mut self, world: &World, sessions: &mut Sessions) {
        let now = world.now();
        let due: Vec<String> = self
            .sent
            .iter()
            .filter(|(_, (at, due))| *due && now - at >= THROTTLE)
            .map(|(frame, _)| frame.clone())
            .collect();
        for frame in due {
            sessions.text_all(&frame);
            self.sent.insert(frame, (now, false));
        }
        self.sent.retain(|_, (at, due)| *due || now - *at < THROTTLE);
        if now - self.scheduled >= SCHEDULER {
            self.scheduled = now;
            if !self.documented() {
                let key = "repeat:nightly:::0 3 * * *";
                self.hint(world, sessions, "single-job-scheduler-refresh", "schedulerKey", key);
            }
            self.hint(world, sessions, "job-scheduler-refresh", "schedulerKey", "1");
        }
    }

    fn http(&mut self, world: &mut World, _: &Sessions, request: &Request) -> Reply {
        self.route(world, request)
    }

    fn filler(&self, world: &World, n: u64) -> String {
        let jobs = world.jobs().count().max(1);
        let job = world.jobs().nth(usize::try_from(n).unwrap_or(0) % jobs);
        frame("single-job-refresh", "jobId", job.map_or("none", |job| job.id.as_str()))
    }

    fn unknown(&self, data: &str) -> String {
        Obj::new().put("type", "job-teleported").put("data", raw(data.to_owned())).finish()
    }

    fn wrong_shapes(&self) -> Vec<String> {
        [
            r#"{"type":"job-refresh"}"#,
            r#"{"type":"single-job-refresh","data":null}"#,
            r#"{"type":"single-job-refresh","data":{"jobId":{"a":1}}}"#,
            r#"{"type":"single-queue-refresh","data":{"queueName":[]}}"#,
            r#"{"type":[],"data":{}}"#,
            r#"{"data":{"id":"1"}}"#,
            "[]",
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

fn frame(kind: &str, key: &str, value: &str) -> String {
    Obj::new().put("type", kind).put("data", Obj::new().put(key, value).raw()).finish()
}
