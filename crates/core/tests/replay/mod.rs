//! Replays recorded frames and HTTP answers through a dialect and prints what it made of them, one
//! line each, so that a fixture file holds both sides:
//!
//! ```text
//! # a comment
//! < a frame from the server
//! <pong                           the answer to a ping of the WebSocket protocol
//! > watch job:101                 something to say, answered with the frames that say it
//! GET job:101 /jobs/101 200 {…}   the answer to the request of that topic with that path
//! = what came of it
//! ```
//!
//! With `UPDATE_FIXTURES=1` in the environment the `=` lines are written anew, to be read and
//! compared by a person.
#![allow(clippy::disallowed_methods, reason = "the rule is for the core, not for its tests")]

use std::fmt::Write as _;
use std::path::Path;

use jobwatch_core::dialect::{
    Dialect, FetchRequest, FetchResponse, Frame, Header, Incoming, Outgoing,
};
use jobwatch_core::model::{Finality, JobPatch, Topic, Update};

/// Runs the fixture `name` of `folder` through `dialect` and compares.
pub fn replay(dialect: &mut dyn Dialect, folder: &str, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder).join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut now = String::new();
    let mut pending: Vec<FetchRequest> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("= ")) {
        writeln!(now, "{line}").unwrap();
        let made = if let Some(frame) = line.strip_prefix("< ") {
            incoming(dialect.decode(&Frame::Text(frame.to_owned())), &mut pending)
        } else if let Some(bytes) = line.strip_prefix("<binary ") {
            incoming(dialect.decode(&Frame::Binary(bytes.as_bytes().to_vec())), &mut pending)
        } else if line == "<pong" {
            incoming(dialect.decode(&Frame::Pong), &mut pending)
        } else if let Some(said) = line.strip_prefix("> ") {
            say(dialect, said)
        } else if let Some(answer) = line.strip_prefix("GET ") {
            http(dialect, answer, &mut pending)
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "{name}: {line}");
            continue;
        };
        for made in made {
            writeln!(now, "= {made}").unwrap();
        }
    }
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&path, now).unwrap();
    } else {
        for (number, (was, is)) in text.lines().zip(now.lines()).enumerate() {
            assert_eq!(is, was, "{folder}/{name}, line {}", number + 1);
        }
        assert_eq!(now.lines().count(), text.lines().count(), "{folder}/{name}");
    }
}

fn say(dialect: &mut dyn Dialect, said: &str) -> Vec<String> {
    let out = match said.split_once(' ') {
        Some(("open", _)) | None if said.starts_with("open") => {
            let request = dialect.open().unwrap();
            let mut made = vec![format!("dial {} {:?}", request.address, names(&request.headers))];
            made.extend(incoming(dialect.opened(), &mut Vec::new()));
            return made;
        }
        Some(("watch", topic)) => Outgoing::Watch(Topic::parse(topic).unwrap()),
        Some(("unwatch", topic)) => Outgoing::Unwatch(Topic::parse(topic).unwrap()),
        Some(("fetch", topic)) => {
            return dialect.fetch(&Topic::parse(topic).unwrap()).iter().map(request).collect();
        }
        _ => panic!("{said}"),
    };
    dialect.encode(&out).into_iter().map(|frame| format!("send {}", text_of(&frame))).collect()
}

fn http(dialect: &mut dyn Dialect, line: &str, pending: &mut Vec<FetchRequest>) -> Vec<String> {
    let mut words = line.splitn(4, ' ');
    let mut word = || words.next().unwrap_or_default();
    let (topic, path, status, body) = (word(), word(), word(), word());
    let asked = dialect.fetch(&Topic::parse(topic).unwrap());
    let fits = |request: &FetchRequest| {
        let url = request.address.expose();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", url.path()) == path
    };
    let ask = match asked.into_iter().find(&fits) {
        Some(request) => request.ask,
        None => {
            let index = pending.iter().position(fits).expect("a request that was asked to follow");
            pending.remove(index).ask
        }
    };
    let response = FetchResponse {
        status: status.parse().unwrap(),
        content_type: Some("application/json".to_owned()),
        body: body.as_bytes().to_vec(),
    };
    incoming(dialect.parse(&ask, &response), pending)
}

/// One line for each, follow-up requests noted.
pub fn incoming(list: Vec<Incoming>, pending: &mut Vec<FetchRequest>) -> Vec<String> {
    list.into_iter()
        .map(|incoming| match incoming {
            Incoming::Ready => "ready".to_owned(),
            Incoming::Reply(frame) => format!("reply {}", text_of(&frame)),
            Incoming::Watched(topic) => format!("watched {topic}"),
            Incoming::SubscriptionRejected { topic, reason } => {
                format!("rejected {}: {reason}", topic.map(|it| it.to_string()).unwrap_or_default())
            }
            Incoming::Stale(topic) => format!("stale {topic}"),
            Incoming::Soon(topic) => format!("soon {topic}"),
            Incoming::Partial { open, why } => {
                let what = if open { "open" } else { "past" };
                format!("partial {what} {}", why.unwrap_or_default())
            }
            Incoming::Discovered(topic) => format!("discovered {topic}"),
            Incoming::Follow(follow) => {
                let line = format!("follow {}", request(&follow));
                pending.push(follow);
                line
            }
            Incoming::Refused(words) => format!("refused: {words}"),
            Incoming::RateLimited(reason) => format!("rate limited: {reason}"),
            Incoming::Foreign(reason) => format!("foreign {reason}"),
            Incoming::Disconnected(words) => format!("disconnected: {words}"),
            Incoming::LogGrew(job) => format!("grew {job:?}"),
            Incoming::LogPart(part) => format!("{part:?}"),
            Incoming::Unknown(odd) => format!("odd {}: {}", odd.kind, odd.text),
            Incoming::Update(update) => self::update(&update),
        })
        .collect()
}

fn update(update: &Update) -> String {
    match update {
        Update::Job(patch) => job(patch),
        Update::Gone(id) => format!("gone {id}"),
        Update::Log { job, lines } => {
            let lines: Vec<_> = lines
                .iter()
                .map(|line| {
                    let at = line.at.map(|at| at.to_string()).unwrap_or_default();
                    let (origin, id) = (line.origin, line.id);
                    format!("[{at} {origin:?} {id:?}] {:?}", line.text)
                })
                .collect();
            format!("log {job} {}", lines.join(" "))
        }
        Update::Metric(metric) => format!("metric {metric:?}"),
        Update::Queue(queue) => format!("queue {}", serde_json::to_string(queue).unwrap()),
        Update::Notice(notice) => format!("notice {notice:?}"),
        Update::NoticeRead(id) => format!("read {id}"),
    }
}

fn job(patch: &JobPatch) -> String {
    let mut line = format!("job {}", patch.id.as_ref().unwrap());
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            write!(line, " {name}={value}").unwrap();
        }
    };
    let quoted = |text: &Option<String>| text.as_ref().map(|text| format!("{text:?}"));
    let may_retry = patch.finality == Finality::MayRetry;
    put("state", patch.state.as_ref().map(|it| it.word() + if may_retry { "?" } else { "" }));
    put("snapshot", patch.snapshot.then(|| "yes".to_owned()));
    put("external", patch.external_id.clone());
    put("name", quoted(&patch.name));
    put("queue", patch.queue.clone());
    put("user", patch.user.clone());
    put("progress", patch.progress.map(|it| it.to_string()));
    put("detail", patch.detail.as_ref().map(|it| it.as_str().to_owned()));
    put("message", quoted(&patch.message));
    put("error", quoted(&patch.error));
    put("attempt", patch.attempt.map(|it| it.to_string()));
    put("of", patch.max_attempts.map(|it| it.to_string()));
    put("data", patch.data.as_ref().map(|it| it.as_str().to_owned()));
    put("result", patch.result.as_ref().map(|it| it.as_str().to_owned()));
    put("created", patch.created_at.map(|it| it.to_string()));
    put("started", patch.started_at.map(|it| it.to_string()));
    put("finished", patch.finished_at.map(|it| it.to_string()));
    put("took", patch.took_ms.map(|it| format!("{it}ms")));
    put("at", patch.at.map(|it| it.to_string()));
    for (name, value) in &patch.extra {
        put(&format!("+{name}"), Some(value.as_str().to_owned()));
    }
    line
}

fn request(request: &FetchRequest) -> String {
    format!("{:?} {} {:?}", request.method, request.address, names(&request.headers))
}

fn names(headers: &[Header]) -> Vec<&str> {
    headers.iter().map(|header| header.name.as_ref()).collect()
}

fn text_of(frame: &Frame) -> &str {
    match frame {
        Frame::Text(text) => text,
        Frame::Ping => "ping",
        other => panic!("{other:?}"),
    }
}
