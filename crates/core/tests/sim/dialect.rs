//! A dialect for tests: text frames that a reader of a failing test can read.
//!
//! Server to client: `welcome`, `pong`, `job id=1 state=running …`, `gone id=1`, `stale TOPIC`,
//! `discovered TOPIC`, `log id=1 text=…`, `refused WHY`, `disconnected WHY`, `rejected TOPIC`,
//! `watched TOPIC`, `soon TOPIC`, `rate_limited WHY`. Client to
//! server: `hello`, `watch TOPIC`, `unwatch TOPIC`, `history JOB`, `ping`, and whatever the user says.
//! HTTP answers are such lines as well, `next CURSOR`, and about logs `part left=N held=WHY` and
//! `nextpage PLACE`; `grew id=1` announces lines of a log.

use std::time::Duration;

use jiff::Timestamp;
use jobwatch_core::dialect::{
    ActionKind, Address, Ask, Dialect, DialectCall, FetchRequest, FetchResponse, Frame, Header,
    Incoming, Keepalive, LogFrom, LogPart, Method, OpenRequest, Outgoing, Oversized,
};
use jobwatch_core::log::{LogLine, LogLines};
use jobwatch_core::model::{
    Diagnostic, FailedAttempt, Finality, Job, JobPatch, JobState, Topic, Update,
};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, Policy};
use url::Url;

/// What is peculiar about a server, as far as its dialect knows.
#[derive(Clone, Debug)]
pub struct Manner {
    /// It greets with `welcome`; otherwise it is ready once open.
    pub greets: bool,
    pub keepalive: Keepalive,
    pub policy: Policy,
    /// Whether a single job can be asked for over HTTP.
    pub single_jobs: bool,
    /// Whether a list tells as much of a job as a fetch of it alone.
    pub whole_rows: bool,
    /// Whether there is an HTTP API at all.
    pub http: bool,
    /// Whether a job is asked for by two calls.
    pub two_calls: bool,
    /// Whether the server answers each subscription with `watched TOPIC`.
    pub confirms: bool,
    /// Whether HTTP serves the logs of all jobs.
    pub serves_logs: bool,
    /// Whether the socket announces every line of a log.
    pub announces_logs: bool,
}

impl Default for Manner {
    fn default() -> Manner {
        Manner {
            greets: true,
            keepalive: Keepalive::ClientPings {
                interval: Duration::from_secs(20),
                timeout: Duration::from_secs(10),
            },
            policy: Policy::default(),
            single_jobs: true,
            whole_rows: false,
            http: true,
            two_calls: false,
            confirms: false,
            serves_logs: false,
            announces_logs: false,
        }
    }
}

/// A call of the dialect: a word, and what is to be given back with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Words {
    pub call: &'static str,
    pub args: Vec<String>,
}

impl DialectCall for Words {
    fn name(&self) -> &'static str {
        self.call
    }
}

/// The call of a request of this dialect.
pub fn words(ask: &Ask) -> &Words {
    ask.of().expect("a call of this dialect")
}

#[derive(Debug)]
pub struct Plain {
    manner: Manner,
    key: Option<Secret>,
    api: Url,
    ws: Url,
}

impl Plain {
    pub fn new(manner: Manner) -> Plain {
        Plain {
            manner,
            key: Some(Secret::new("s3cret-key".to_owned())),
            api: Url::parse("http://sim.test/api").expect("a plain URL"),
            ws: Url::parse("ws://sim.test/ws").expect("a plain URL"),
        }
    }

    fn request(&self, topic: Option<&Topic>, call: &'static str, args: &[&str]) -> FetchRequest {
        let mut url = self.api.clone();
        url.set_path(&[&["api", call], args].concat().join("/"));
        FetchRequest {
            ask: Ask::new(
                topic,
                Words { call, args: args.iter().map(|arg| (*arg).to_owned()).collect() },
            ),
            method: Method::Get,
            address: Address::new(url),
            headers: Vec::new(),
            body: None,
            list: false,
        }
    }
}

impl Dialect for Plain {
    fn kind(&self) -> DialectKind {
        DialectKind::Kecs
    }

    fn policy(&self) -> Policy {
        self.manner.policy.clone()
    }

    fn set_key(&mut self, key: Option<Secret>) {
        self.key = key;
    }

    fn has_key(&self) -> bool {
        self.key.is_some()
    }

    fn needs_key(&self, ask: &Ask) -> bool {
        // Of two calls the first is open to all.
        !self.manner.two_calls || words(ask).args.len() > 1
    }

    fn open(&mut self) -> Result<OpenRequest, String> {
        let key = self.key.as_ref().map_or("", Secret::expose);
        Ok(OpenRequest {
            address: Address::new(self.ws.clone()),
            headers: vec![Header::new("Authorization", format!("Bearer {key}"))],
            protocols: Vec::new(),
        })
    }

    fn opened(&mut self) -> Vec<Incoming> {
        if self.manner.greets {
            vec![Incoming::Reply(Frame::Text("hello".to_owned()))]
        } else {
            vec![Incoming::Ready]
        }
    }

    fn decode(&mut self, frame: &Frame) -> Vec<Incoming> {
        match frame {
            Frame::Text(text) => {
                text.lines().filter_map(|line| line_to_incoming(self, None, line)).collect()
            }
            Frame::Binary(_) => vec![odd("bytes")],
            Frame::Ping | Frame::Pong => Vec::new(),
        }
    }

    fn encode(&mut self, out: &Outgoing) -> Vec<Frame> {
        let text = match out {
            Outgoing::Watch(topic) => format!("watch {topic}"),
            Outgoing::Unwatch(topic) => format!("unwatch {topic}"),
            Outgoing::Ping => "ping".to_owned(),
            Outgoing::History(id) => format!("history {id}"),
        };
        vec![Frame::Text(text)]
    }

    fn confirms_subscriptions(&self) -> bool {
        self.manner.confirms
    }

    fn keepalive(&self) -> Keepalive {
        self.manner.keepalive
    }

    fn why_unsupported(&self, topic: &Topic) -> Option<String> {
        (*topic == Topic::User("nobody".to_owned())).then(|| "There is nobody.".to_owned())
    }

    fn fetch(&self, topic: &Topic) -> Vec<FetchRequest> {
        match topic {
            _ if !self.manner.http => Vec::new(),
            Topic::Job(_) if !self.manner.single_jobs => Vec::new(),
            Topic::Job(id) => {
                let mut calls = vec![self.request(Some(topic), "job", &[id.as_str()])];
                if self.manner.two_calls {
                    // Another call: the same one twice would be asked once.
                    calls.push(self.request(Some(topic), "job", &[id.as_str(), "details"]));
                }
                calls
            }
            Topic::Queue(name) => vec![self.request(Some(topic), "list", &[name, "0"])],
            Topic::User(_) | Topic::Everything => {
                vec![self.request(Some(topic), "list", &["", "0"])]
            }
        }
    }

    fn list_is_complete(&self) -> bool {
        self.manner.whole_rows
    }

    fn fetch_logs(&self, job: &Job, from: LogFrom) -> Vec<FetchRequest> {
        let from = if from == LogFrom::Known { "known" } else { "beginning" };
        vec![self.request(None, "logs", &[job.id.as_str(), from])]
    }

    fn serves_logs(&self) -> bool {
        self.manner.serves_logs
    }

    fn announces_logs(&self) -> bool {
        self.manner.announces_logs
    }

    fn parse(&mut self, ask: &Ask, response: &FetchResponse) -> Vec<Incoming> {
        let body = String::from_utf8_lossy(&response.body);
        match response.status {
            200 => {
                body.lines().filter_map(|line| line_to_incoming(self, Some(ask), line)).collect()
            }
            401 => vec![Incoming::Refused("the key is not accepted".to_owned())],
            500 if body == "passed over" => Vec::new(),
            404 if ask.name() == "job" => {
                vec![Incoming::Update(Update::Gone(words(ask).args[0].as_str().into()))]
            }
            status => vec![odd(&format!("HTTP {status}"))],
        }
    }

    fn oversized(&mut self, ask: &Ask) -> Oversized {
        if ask.name() == "list" { Oversized::List } else { Oversized::Useless }
    }

    fn offers(&self, _: &Job) -> Option<ActionKind> {
        Some(ActionKind::Cancel)
    }

    fn perform(&self, _: ActionKind, job: &Job) -> Option<FetchRequest> {
        let topic = Topic::Job(job.id.clone());
        Some(self.request(Some(&topic), "cancel", &[job.id.as_str()]))
    }
}

fn odd(text: &str) -> Incoming {
    Incoming::Unknown(Diagnostic { kind: "unknown-frame", text: text.to_owned(), sample: None })
}

fn line_to_incoming(plain: &Plain, ask: Option<&Ask>, line: &str) -> Option<Incoming> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let topic = || Topic::parse(rest).unwrap_or(Topic::Everything);
    Some(match word {
        "welcome" => Incoming::Ready,
        "pong" => return None,
        "job" => Incoming::Update(Update::Job(Box::new(patch(rest)?))),
        "gone" => Incoming::Update(Update::Gone(field(rest, "id")?.into())),
        "stale" => Incoming::Stale(topic()),
        "soon" => Incoming::Soon(topic()),
        "discovered" => Incoming::Discovered(topic()),
        "watched" => Incoming::Watched(topic()),
        "rate_limited" => Incoming::RateLimited(rest.to_owned()),
        "refused" => Incoming::Refused(rest.to_owned()),
        "disconnected" => Incoming::Disconnected(rest.to_owned()),
        "rejected" => {
            Incoming::SubscriptionRejected { topic: Some(topic()), reason: "not yours".to_owned() }
        }
        "next" => {
            let ask = ask?;
            Incoming::Follow(plain.request(
                ask.topic.as_ref(),
                "list",
                &[&words(ask).args[0], rest],
            ))
        }
        "log" => Incoming::Update(Update::Log {
            job: field(rest, "id")?.into(),
            lines: LogLines::from_iter([LogLine {
                text: field(rest, "text")?,
                ..LogLine::default()
            }]),
        }),
        "part" => Incoming::LogPart(LogPart {
            left: field(rest, "left").and_then(|left| left.parse().ok()).unwrap_or(0),
            held_back: field(rest, "held").map(str::to_owned),
        }),
        "nextpage" => {
            let ask = ask?;
            Incoming::Follow(plain.request(None, "logs", &[&words(ask).args[0], rest]))
        }
        "grew" => Incoming::LogGrew(field(rest, "id").map(Into::into)),
        other => odd(other),
    })
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Reads `id=1 state=running attempt=2 max=3 progress=40 at=MS created=MS started=MS finished=MS
/// took=MS error=… queue=… name=…`, and the words `snap` and `mayretry`.
pub fn patch(line: &str) -> Option<JobPatch> {
    let number = |text: &str| text.parse::<i64>().ok();
    let time = |text: &str| Timestamp::from_millisecond(text.parse().ok()?).ok();
    let mut patch = JobPatch::default();
    for word in line.split(' ') {
        let (name, text) = word.split_once('=').unwrap_or((word, ""));
        match name {
            "id" => patch.id = Some(text.into()),
            "state" => patch.state = Some(JobState::from_word(text)),
            "mayretry" => patch.finality = Finality::MayRetry,
            "snap" => patch.snapshot = true,
            "attempt" => patch.attempt = number(text).and_then(|n| u32::try_from(n).ok()),
            "max" => patch.max_attempts = number(text).and_then(|n| u32::try_from(n).ok()),
            "progress" => patch.progress = text.parse().ok(),
            "at" => patch.at = time(text),
            "created" => patch.created_at = time(text),
            "started" => patch.started_at = time(text),
            "finished" => patch.finished_at = time(text),
            "before" => {
                let (error, at) = text.split_once('@').unwrap_or((text, ""));
                let error = Some(error.to_owned());
                patch.failed_before = Some(Box::new(FailedAttempt { at: time(at), error }));
            }
            "took" => patch.took_ms = number(text).and_then(|n| u64::try_from(n).ok()),
            "error" => patch.error = Some(text.to_owned()),
            "message" => patch.message = Some(text.to_owned()),
            "parent" => patch.parent = Some(text.into()),
            "queue" => patch.queue = Some(text.to_owned()),
            "name" => patch.name = Some(text.to_owned()),
            _ => {}
        }
    }
    patch.id.is_some().then_some(patch)
}
