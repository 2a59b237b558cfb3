//! Trying a server step by step, on connections of its own. Each step that ends well was really
//! asked, and each that does not names the remedy.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jobwatch_core::connection::{Failure, sign_in_as_unauthorized};
use jobwatch_core::dialect::oversized::Read;
use jobwatch_core::dialect::{Dialect, FetchRequest, Incoming, dialect, tolerant};
use jobwatch_core::model::{JobId, Topic, Update};
use jobwatch_core::redact::{Redactor, WORDS};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, Policy, Server};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::api::{Remedy, StepState, TestStep, TestStepKind, TestVerdict};
use crate::driver::message;
use crate::fetch::{Clients, fetch, place};
use crate::lenient::Heard;
use crate::probe::{self, Identity, Reach};
use crate::socket::{self, Socket, describe_end};

/// Where steps are told: each when it begins and when it ends.
pub type Report = dyn Fn(TestStep) + Send + Sync;

/// How long the host may take to answer anything at all.
const REACH: Duration = Duration::from_secs(6);
/// How long an open socket's goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Requests made to count jobs.
const MAX_FETCHES: usize = 20;

/// How the socket did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// It opened and the server greeted.
    Open,
    /// The server does not open it, or greet on it, with this key.
    Locked,
    /// It is not there.
    Shut,
}

/// How asking the API with the key went.
enum Asked {
    /// It answered as promised; there may be more to ask.
    Well(Vec<FetchRequest>),
    /// It does not accept the key, in its own words.
    Refused(String),
    /// Anything else, in a sentence.
    Badly(String),
    /// This kind of server lists nothing without a key.
    Nothing,
}

struct Test<'a> {
    kind: DialectKind,
    dialect: Box<dyn Dialect>,
    clients: Clients,
    redactor: Redactor,
    report: &'a Report,
    has_key: bool,
    jobs: HashSet<JobId>,
}

/// Tries `server` with `key`; `trusting` says which authorities. Every step is told through
/// `report`; the verdict says what a server that is saved as it stands would lack.
pub async fn run(server: Server, key: Option<Secret>, report: &Report) -> TestVerdict {
    let redactor = Redactor::of(&server, key.as_ref());
    let has_key = key.is_some();
    let mut test = match dialect(&server, key) {
        Ok(dialect) => Test {
            kind: server.dialect,
            dialect,
            clients: Clients::new(server.extra_ca.clone()),
            redactor,
            report,
            has_key,
            jobs: HashSet::new(),
        },
        Err(reason) => {
            let text = redactor.clean(&reason);
            report(step(TestStepKind::Reached, StepState::Bad, text, Some(Remedy::SetSocketUrl)));
            return lacking("The URL cannot be used: nothing works until it is put right.");
        }
    };
    let policy = server.policy.apply(test.dialect.policy());
    let request = match test.dialect.open() {
        Ok(request) => request,
        Err(reason) => {
            test.bad(TestStepKind::Reached, &reason, Some(Remedy::SetSocketUrl));
            return lacking("The URL cannot be used: nothing works until it is put right.");
        }
    };
    let api = test.dialect.api().cloned();
    let ws = request.address.expose().clone();
    let line = if test.reached(&ws).await {
        test.begin(TestStepKind::Socket, "Opening the socket…");
        match socket::open(&test.clients, &request, policy.open_timeout, &test.redactor).await {
            Ok(socket) => test.greeted(socket, &policy).await,
            Err(failure) => test.unopened(&failure, &ws),
        }
    } else if api.as_ref().is_some_and(|api| place(api) != place(&ws)) {
        // The API is another program's, which may well be there.
        Line::Shut
    } else {
        return lacking(
            "Saved anyway, it shows as offline, and Jobwatch keeps trying until it answers.",
        );
    };
    test.api(&server, line).await
}

impl Test<'_> {
    fn begin(&self, kind: TestStepKind, text: &str) {
        let text = self.redactor.clean_prefix(text, WORDS);
        (self.report)(step(kind, StepState::Running, text, None));
    }

    fn good(&self, kind: TestStepKind, text: &str) {
        let text = self.redactor.clean_prefix(text, 2 * WORDS);
        (self.report)(step(kind, StepState::Good, text, None));
    }

    fn bad(&self, kind: TestStepKind, text: &str, remedy: Option<Remedy>) {
        let text = self.redactor.clean_prefix(text, 2 * WORDS);
        (self.report)(step(kind, StepState::Bad, text, remedy));
    }

    fn not_needed(&self, kind: TestStepKind, text: &str) {
        let text = self.redactor.clean_prefix(text, 2 * WORDS);
        (self.report)(step(kind, StepState::NotNeeded, text, None));
    }

    /// What to do about a key that is missing or wrong.
    fn key_remedy(&self) -> Remedy {
        if self.kind.signs_in() { Remedy::SignIn } else { Remedy::EnterKey }
    }

    /// Whether anything answers at the socket's address. The key is not sent.
    async fn reached(&mut self, socket: &Url) -> bool {
        let mut url = socket.clone();
        let _ = url.set_scheme(if url.scheme() == "wss" { "https" } else { "http" });
        url.set_path("/");
        url.set_query(None);
        let place = place(&url);
        self.begin(TestStepKind::Reached, &format!("Looking for {place}…"));
        match probe::reach(&self.clients, &url, REACH).await {
            Reach::Answers => {
                self.good(TestStepKind::Reached, &format!("{place} answers."));
                true
            }
            Reach::Fails(text, remedy) => {
                self.bad(TestStepKind::Reached, &text, Some(remedy));
                false
            }
        }
    }

    /// The upgrade was not granted.
    fn unopened(&self, failure: &Failure, ws: &Url) -> Line {
        let mut at = ws.clone();
        at.set_query(None);
        let (line, text, remedy) = match failure {
            Failure::Http { status: 401 | 403, .. } => {
                (Line::Locked, self.locked(), Some(self.key_remedy()))
            }
            Failure::Http { status: 404, .. } => (
                Line::Shut,
                format!("There is no socket at {at} (HTTP 404). Check the path."),
                Some(Remedy::SetSocketUrl),
            ),
            Failure::Http { status: 400 | 405 | 426 | 501, .. }
                if self.kind == DialectKind::Kecs =>
            {
                (
                    Line::Shut,
                    format!("This KECS has no socket at {at}: its API is polled instead."),
                    None,
                )
            }
            Failure::Http { status: status @ (429 | 500..=599), .. } => (
                Line::Shut,
                format!("The server answered HTTP {status} at {at}. Try again in a while."),
                Some(Remedy::Reconnect),
            ),
            Failure::Http { status, .. } => (
                Line::Shut,
                format!(
                    "{at} answers as a web server (HTTP {status}), not with a socket. Check \
                         the kind of server and the path."
                ),
                Some(Remedy::SetSocketUrl),
            ),
            Failure::Timeout(limit) => (
                Line::Shut,
                format!(
                    "{} took the connection, then said nothing for {} s: something in between may \
                     block WebSocket.",
                    place(ws),
                    limit.as_secs()
                ),
                Some(Remedy::Reconnect),
            ),
            other => (Line::Shut, sentence(&other.to_string()), Some(Remedy::SetSocketUrl)),
        };
        self.bad(TestStepKind::Socket, &text, remedy);
        line
    }

    fn locked(&self) -> String {
        if self.has_key {
            "Not opened: the server does not accept the key.".to_owned()
        } else {
            "Not opened: the server wants a key.".to_owned()
        }
    }

    /// Plays the greeting until the dialect is ready.
    async fn greeted(&mut self, mut socket: Socket, policy: &Policy) -> Line {
        self.begin(TestStepKind::Socket, "Waiting for the server's handshake…");
        let deadline = Instant::now() + policy.handshake_timeout;
        let mut incoming = self.dialect.opened();
        let wrong = Some(Remedy::ChooseKind);
        loop {
            for one in std::mem::take(&mut incoming) {
                match one {
                    Incoming::Ready => {
                        self.good(TestStepKind::Socket, "The socket is open.");
                        let _ = timeout(GOODBYE, socket.close()).await;
                        return Line::Open;
                    }
                    Incoming::Reply(frame) => {
                        let _ = timeout_at(deadline, socket.send(message(frame))).await;
                    }
                    Incoming::Refused(_) => {
                        self.bad(TestStepKind::Socket, &self.locked(), Some(self.key_remedy()));
                        return Line::Locked;
                    }
                    Incoming::Disconnected(reason) => {
                        let text = format!("The server ended the session: {}", sentence(&reason));
                        self.bad(TestStepKind::Socket, &text, wrong);
                        return Line::Shut;
                    }
                    Incoming::Foreign(reason) => {
                        self.bad(TestStepKind::Socket, &sentence(&reason), wrong);
                        return Line::Shut;
                    }
                    _ => {}
                }
            }
            let text = match timeout_at(deadline, socket.next()).await {
                Ok(Some(Ok(Heard::Frame(frame)))) => {
                    incoming = tolerant::decode(&mut *self.dialect, &frame);
                    continue;
                }
                Err(_) => format!(
                    "The socket opened, but nothing {} would say came within {} s. Check the kind \
                     of server and the path.",
                    self.kind.title(),
                    policy.handshake_timeout.as_secs()
                ),
                Ok(Some(Ok(Heard::Closing(close)))) => {
                    let words = close.map(|close| close.reason.as_str().to_owned());
                    let words = words.filter(|words| !words.is_empty());
                    let words = words.map(|words| format!(" ({words})")).unwrap_or_default();
                    format!(
                        "The server closed the socket at once{words}. Check the kind of server."
                    )
                }
                Ok(Some(Err(error))) => sentence(&describe_end(&error, &self.redactor)),
                Ok(None) => "The server hung up at once. Check the kind of server.".to_owned(),
            };
            self.bad(TestStepKind::Socket, &text, wrong);
            return Line::Shut;
        }
    }

    /// Whether the API is this kind's, and whether it accepts the key; then counts the jobs.
    async fn api(&mut self, server: &Server, line: Line) -> TestVerdict {
        if self.kind.info().api_path.is_none() {
            let text = format!("{} has no HTTP API.", self.kind.title());
            self.not_needed(TestStepKind::Api, &text);
            return match line {
                Line::Open => {
                    self.not_needed(TestStepKind::Key, "The server asked for none.");
                    self.verdict(line)
                }
                Line::Locked => self.refused(line, None),
                _ => self.without_api(line),
            };
        }
        self.begin(TestStepKind::Api, "Asking the API…");
        let base = self.dialect.api().cloned();
        let at = base.as_ref().map(ToString::to_string).unwrap_or_default();
        let identity = match &base {
            Some(base) => probe::identify(&self.clients, self.kind, base).await,
            None => Identity::Unknown,
        };
        let asked = match &identity {
            Identity::Unreachable(..) | Identity::Other(..) => Asked::Nothing,
            _ => self.first(server).await,
        };
        let wants_key = match (&identity, &asked) {
            (Identity::Unreachable(text, remedy), _) => {
                self.bad(TestStepKind::Api, text, Some(*remedy));
                return self.without_api(line);
            }
            (Identity::Other(text, remedy), _) => {
                self.bad(TestStepKind::Api, text, Some(*remedy));
                return self.without_api(line);
            }
            (Identity::This { wants_key }, _) => *wants_key,
            (Identity::Unknown, Asked::Well(_)) => None,
            (Identity::Unknown, Asked::Refused(_)) => {
                let text = format!(
                    "{at} wants a key before it says what it is, so whether it is {} is not known.",
                    self.kind.title()
                );
                self.bad(TestStepKind::Api, &text, Some(self.key_remedy()));
                return self.refused(line, None);
            }
            (Identity::Unknown, Asked::Badly(text)) => {
                self.bad(TestStepKind::Api, text, Some(Remedy::SetApiUrl));
                return self.without_api(line);
            }
            (Identity::Unknown, Asked::Nothing) => {
                let text =
                    format!("What answers at {at} was not recognised as {}.", self.kind.title());
                self.bad(TestStepKind::Api, &text, Some(Remedy::ChooseKind));
                return self.without_api(line);
            }
        };
        if let Asked::Badly(text) = &asked {
            self.bad(TestStepKind::Api, text, Some(Remedy::SetApiUrl));
            return self.without_api(line);
        }
        self.good(TestStepKind::Api, &format!("Answers as {} at {at}.", self.kind.title()));
        match asked {
            Asked::Refused(words) => self.refused(line, Some(words)),
            // Nothing is listed without a key, or only what is watched by name.
            Asked::Nothing | Asked::Badly(_) => match (line, wants_key) {
                (Line::Locked, _) | (_, Some(true)) => self.refused(line, None),
                _ => {
                    self.not_needed(TestStepKind::Key, "The server asked for none.");
                    self.verdict(line)
                }
            },
            Asked::Well(more) => {
                if line == Line::Locked {
                    return self.refused(line, None);
                }
                self.key_step(server, wants_key).await;
                self.count(more).await;
                self.verdict(line)
            }
        }
    }

    /// The first requests about everything that is watched, until one has answered.
    async fn first(&mut self, server: &Server) -> Asked {
        let mut requests = self.dialect.fetch(&Topic::Everything);
        if requests.is_empty() {
            requests = server.watch.iter().flat_map(|topic| self.dialect.fetch(topic)).collect();
        }
        if requests.is_empty() {
            return Asked::Nothing;
        }
        let request = requests.remove(0);
        match self.ask(&request, &mut requests).await {
            Asked::Well(_) => Asked::Well(requests),
            other => other,
        }
    }

    /// Asks, and reads the answer; what must be asked besides comes into `more`.
    async fn ask(&mut self, request: &FetchRequest, more: &mut Vec<FetchRequest>) -> Asked {
        let (answer, _) = fetch(&self.clients, request, &self.redactor).await;
        let answer = match sign_in_as_unauthorized(answer) {
            Ok(response) => Read::whole(response),
            Err(Failure::TooLarge { limit, begun }) => Read::beginning(*begun, limit),
            Err(failure) => return Asked::Badly(sentence(&failure.to_string())),
        };
        let response = &answer.response;
        let mut odd = false;
        let mut read = false;
        let incoming = answer.incoming(&mut *self.dialect, &request.ask);
        for incoming in incoming.unwrap_or_default() {
            match incoming {
                Incoming::Update(Update::Job(patch)) => {
                    read = true;
                    self.jobs.extend(patch.id);
                }
                Incoming::Follow(request) => {
                    read = true;
                    more.push(request);
                }
                Incoming::Refused(words) => return Asked::Refused(words),
                Incoming::Foreign(reason) => return Asked::Badly(sentence(&reason)),
                Incoming::Unknown(_) => odd = true,
                _ => read = true,
            }
        }
        let mut at = request.address.expose().clone();
        at.set_query(None);
        match response.status {
            200..=299 if odd && !read => Asked::Badly(format!(
                "{at} answers, but not as {} would. Check the kind of server and the API URL.",
                self.kind.title()
            )),
            200..=299 => Asked::Well(Vec::new()),
            401 | 403 => Asked::Refused(format!("HTTP {}", response.status)),
            // A watched job that is not there says nothing against the API.
            404 if !matches!(request.ask.topic, Some(Topic::Everything) | None) => {
                Asked::Well(Vec::new())
            }
            status @ (429 | 500..=599) => Asked::Badly(format!(
                "{at} answered HTTP {status}. That may pass: try again in a while."
            )),
            status => Asked::Badly(format!("{at} answered HTTP {status}. Check the API URL.")),
        }
    }

    /// Whether it is the key that the API accepts: the same is asked without it.
    async fn key_step(&mut self, server: &Server, wants_key: Option<bool>) {
        let wants = match wants_key {
            Some(wants) => wants,
            None => self.refuses_without(server).await,
        };
        match (self.has_key, wants) {
            (true, true) => {
                self.good(TestStepKind::Key, "The API accepts it, and answers nobody without one.");
            }
            (true, false) => self.not_needed(
                TestStepKind::Key,
                "Not checked: the API answers without a key as well.",
            ),
            (false, _) => {
                self.not_needed(TestStepKind::Key, "Not needed: the API answers without one.");
            }
        }
    }

    /// Whether the API refuses those who bring no key.
    async fn refuses_without(&mut self, server: &Server) -> bool {
        let Ok(mut stranger) = dialect(server, None) else { return false };
        let Some(request) = stranger.fetch(&Topic::Everything).into_iter().next() else {
            return true;
        };
        let (answer, _) = fetch(&self.clients, &request, &self.redactor).await;
        sign_in_as_unauthorized(answer).is_ok_and(|response| {
            matches!(response.status, 401 | 403)
                || stranger
                    .parse(&request.ask, &response)
                    .iter()
                    .any(|one| matches!(one, Incoming::Refused(_)))
        })
    }

    /// The key is missing or wrong.
    fn refused(&self, line: Line, words: Option<String>) -> TestVerdict {
        let words = words.map(|words| self.redactor.clean_prefix(&words, WORDS));
        let words = words.filter(|words| !words.starts_with("HTTP") || words.contains(": "));
        let words = words.map(|words| {
            let words = words.split_once(": ").map_or(words.as_str(), |(_, said)| said).to_owned();
            format!(" The server says: {}", sentence(&words))
        });
        let text = if self.has_key {
            format!(
                "Wrong key. Check the key, or set where it is sent under Advanced.{}",
                words.unwrap_or_default()
            )
        } else {
            "This server wants a key.".to_owned()
        };
        self.bad(TestStepKind::Key, &text, Some(self.key_remedy()));
        lacking(match line {
            Line::Open => {
                "Saved anyway, it shows as partly connected, and no jobs are listed until a key is \
                 accepted."
            }
            _ => "Saved anyway, nothing is shown until a key is accepted.",
        })
    }

    fn without_api(&self, line: Line) -> TestVerdict {
        lacking(match line {
            Line::Open => {
                "Saved anyway, only what the socket says is shown; jobs are not listed until the \
                 API answers."
            }
            _ => "Saved anyway, it shows as offline, and Jobwatch keeps trying until it answers.",
        })
    }

    fn verdict(&self, line: Line) -> TestVerdict {
        match line {
            Line::Open => TestVerdict { ok: true, missing: String::new() },
            // The KECS of today has no socket at all.
            _ if self.kind == DialectKind::Kecs => TestVerdict { ok: true, missing: String::new() },
            _ => lacking(
                "Saved anyway, jobs are polled from the API every few seconds until the socket \
                 opens.",
            ),
        }
    }

    /// Asks for the rest of what is listed, and counts the jobs.
    async fn count(&mut self, mut requests: Vec<FetchRequest>) {
        self.begin(TestStepKind::Jobs, "Counting jobs…");
        let mut asked = 1;
        while let Some(request) = (!requests.is_empty()).then(|| requests.remove(0)) {
            if asked == MAX_FETCHES {
                requests.insert(0, request);
                break;
            }
            asked += 1;
            let mut more = Vec::new();
            match self.ask(&request, &mut more).await {
                Asked::Well(_) | Asked::Nothing => requests.extend(more),
                Asked::Badly(text) => {
                    self.bad(TestStepKind::Jobs, &text, None);
                    return;
                }
                Asked::Refused(words) => {
                    let text = format!("The API does not list everything: {}", sentence(&words));
                    self.bad(TestStepKind::Jobs, &text, None);
                    return;
                }
            }
        }
        let more = if requests.is_empty() { "" } else { "at least " };
        let text = match self.jobs.len() {
            0 => "It lists no jobs at present.".to_owned(),
            1 => format!("It lists {more}1 job."),
            count => format!("It lists {more}{count} jobs."),
        };
        self.good(TestStepKind::Jobs, &text);
    }
}

fn step(step: TestStepKind, state: StepState, text: String, remedy: Option<Remedy>) -> TestStep {
    TestStep { step, state, text, remedy }
}

fn lacking(missing: &str) -> TestVerdict {
    TestVerdict { ok: false, missing: missing.to_owned() }
}

fn sentence(words: &str) -> String {
    let mut chars = words.trim().chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}
