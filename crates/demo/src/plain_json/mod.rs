//! Plain JSON over a WebSocket: an object for each change of a job.

use crate::DemoOptions;
use crate::json::{Obj, num};
use crate::protocol::{Heartbeat, Protocol, Reply, Request, Rules};
use crate::sessions::{Overflow, Session, Sessions};
use crate::world::job::Job;
use crate::world::templates::{Ids, JobTemplate, Templates};
use crate::world::{Event, World};

/// The server half.
pub(crate) fn protocol(_: &DemoOptions) -> Box<dyn Protocol> {
    Box::new(PlainJson)
}

/// Its jobs.
pub(crate) fn templates() -> Templates {
    Templates { workers: 1, ids: Ids::Counted, progress_every: Some(1_000), ..Templates::of(JOBS) }
}

const JOBS: &[JobTemplate] = &[JobTemplate {
    name: "render",
    queue: "default",
    prefix: "",
    digits: 8,
    seconds: (15, 60),
    attempts: 1,
    stages: &["loading", "rendering", "encoding"],
    lines: &[],
    errors: &[("No space left on device: /scratch/frames", "")],
    subjects: &["intro.mov", "outro.mov"],
}];

#[derive(Debug)]
struct PlainJson;

impl Protocol for PlainJson {
    fn rules(&self) -> Rules {
        Rules {
            heartbeat: Heartbeat::None,
            max_inbound: 1 << 20,
            queue: 65_536,
            overflow: Overflow::Close,
        }
    }

    fn upgrade(&mut self, _: &World, _: &Sessions, _: &Request) -> Result<Session, Reply> {
        Ok(Session { authenticated: true, ..Session::default() })
    }

    fn opened(&mut self, world: &World, sessions: &mut Sessions, conn: u64) {
        for job in world.jobs().filter(|job| !job.state.terminal()) {
            sessions.text(conn, frame(job));
        }
    }

    fn text(&mut self, _: &mut World, _: &mut Sessions, _: u64, _: &str) {}

    fn event(&mut self, world: &World, sessions: &mut Sessions, event: &Event) {
        let (Event::Created(key)
        | Event::Started(key)
        | Event::Progressed(key)
        | Event::Retrying(key)
        | Event::Completed(key)
        | Event::Failed(key)
        | Event::Cancelled(key)) = event
        else {
            return;
        };
        if let Some(job) = world.job(*key) {
            sessions.text_all(&frame(job));
        }
    }

    fn http(&mut self, _: &mut World, _: &Sessions, _: &Request) -> Reply {
        Reply::json(404, r#"{"error":"there is nothing but a socket"}"#)
    }

    fn filler(&self, world: &World, _: u64) -> String {
        world.jobs().next_back().map_or_else(|| r#"{"id":"1"}"#.to_owned(), frame)
    }

    fn unknown(&self, data: &str) -> String {
        format!(r#"{{"teleported":{data}}}"#)
    }

    fn wrong_shapes(&self) -> Vec<String> {
        [r#"{"id":{}}"#, r#"{"state":"running"}"#, "[]", "7"].map(str::to_owned).to_vec()
    }

    fn bad_auth(&self) -> u64 {
        0
    }
}

fn frame(job: &Job) -> String {
    let message = Some(job.message.as_str()).filter(|message| !message.is_empty());
    Obj::new()
        .put("id", &job.id)
        .put("state", job.state.word())
        .put("progress", num(job.progress))
        .put("name", &job.name)
        .maybe("message", message)
        .maybe("error", job.failure.as_ref().map(|failure| failure.text.as_str()))
        .finish()
}
