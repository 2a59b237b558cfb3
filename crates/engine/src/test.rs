//! Trying a server step by step, on connections of its own.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jobwatch_core::dialect::{Dialect, FetchRequest, Incoming, dialect};
use jobwatch_core::model::{JobId, Topic, Update};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{Policy, Server};
use jobwatch_core::supervisor::Failure;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use crate::driver::message;
use crate::fetch::{CONNECT_TIMEOUT, Clients, fetch, place};
use crate::lenient::Heard;
use crate::redact::{Redactor, WORDS};
use crate::socket::{self, Socket, end_words};
use crate::views::{TestStep, TestStepKind};

/// Where steps are told: each when it begins (`ok` is `None`) and when it ends.
pub type Report = dyn Fn(TestStep) + Send + Sync;

/// How long the host may take to answer anything at all, once it is connected.
const FIRST_BYTE: Duration = Duration::from_secs(3);
/// Requests made to count jobs.
const MAX_FETCHES: usize = 20;

struct Test<'a> {
    dialect: Box<dyn Dialect>,
    clients: Clients,
    redactor: Redactor,
    report: &'a Report,
    has_key: bool,
}

/// Tries `server` with `key`. Every step is told through `report`; a step that makes the later ones
/// pointless ends the test.
pub async fn run(server: Server, key: Option<Secret>, report: &Report) {
    let redactor = Redactor::of(&server, key.as_ref());
    let has_key = key.is_some();
    let mut test = match dialect(&server, key) {
        Ok(dialect) => Test {
            dialect,
            clients: Clients::new(server.extra_ca.clone()),
            redactor,
            report,
            has_key,
        },
        Err(reason) => {
            report(step(TestStepKind::Reached, Some(false), redactor.clean(&reason)));
            return;
        }
    };
    let policy = server.policy.apply(test.dialect.policy());
    let request = match test.dialect.open() {
        Ok(request) => request,
        Err(reason) => {
            test.end(TestStepKind::Reached, false, &reason);
            return;
        }
    };
    if !test.reached(request.address.expose()).await {
        return;
    }
    test.begin(TestStepKind::Upgraded, "Opening the socket…");
    let opened = socket::open(&test.clients, &request, policy.open_timeout, &test.redactor).await;
    match opened {
        Ok(socket) => {
            test.end(TestStepKind::Upgraded, true, "The socket is open.");
            test.accepted(socket, &policy).await;
        }
        Err(failure) => {
            let advice = advice(&failure, test.has_key);
            test.end(
                TestStepKind::Upgraded,
                false,
                &format!("The socket did not open: {failure}.{advice}"),
            );
        }
    }
    test.api(&server.watch).await;
}

impl Test<'_> {
    fn begin(&self, kind: TestStepKind, text: &str) {
        (self.report)(step(kind, None, self.redactor.clean_prefix(text, WORDS)));
    }

    fn end(&self, kind: TestStepKind, ok: bool, text: &str) {
        (self.report)(step(kind, Some(ok), self.redactor.clean_prefix(text, 2 * WORDS)));
    }

    /// Whether anything answers at the socket's address. The key is not sent.
    async fn reached(&mut self, socket: &Url) -> bool {
        let mut url = socket.clone();
        let _ = url.set_scheme(if url.scheme() == "wss" { "https" } else { "http" });
        url.set_path("/");
        url.set_query(None);
        let place = place(&url);
        self.begin(TestStepKind::Reached, &format!("Looking for {place}…"));
        let client = match self.clients.for_url(&url).await {
            Ok(client) => client,
            Err(failure) => {
                self.end(TestStepKind::Reached, false, &sentence(&failure.to_string()));
                return false;
            }
        };
        let asked = timeout(CONNECT_TIMEOUT + FIRST_BYTE, client.get(url.clone()).send()).await;
        let failure = match asked {
            Ok(Err(error)) if error.is_connect() => {
                self.clients.failure(&error, &url, &self.redactor)
            }
            // It took the connection: whether it speaks HTTP is the next steps' business.
            Ok(_) | Err(_) => {
                self.end(TestStepKind::Reached, true, &format!("{place} answers."));
                return true;
            }
        };
        let text = match &failure {
            Failure::Timeout(limit) => format!(
                "{place} did not answer within {} s. Check the address, and whether a firewall or \
                 VPN is in the way.",
                limit.as_secs()
            ),
            Failure::Unreachable(reason) if reason.starts_with("nothing listens") => {
                format!("{} Is the server running, and is the port right?", sentence(reason))
            }
            other => sentence(&other.to_string()),
        };
        self.end(TestStepKind::Reached, false, &text);
        false
    }

    /// Plays the greeting until the dialect is ready.
    async fn accepted(&mut self, mut socket: Socket, policy: &Policy) {
        self.begin(TestStepKind::Accepted, "Waiting for the server's greeting…");
        let deadline = Instant::now() + policy.greeting_timeout;
        let mut incoming = self.dialect.opened();
        loop {
            for one in std::mem::take(&mut incoming) {
                match one {
                    Incoming::Ready => {
                        self.end(
                            TestStepKind::Accepted,
                            true,
                            "The server accepted the connection.",
                        );
                        let _ = timeout(FIRST_BYTE, socket.close()).await;
                        return;
                    }
                    Incoming::Reply(frame) => {
                        let _ = timeout_at(deadline, socket.send(message(frame))).await;
                    }
                    Incoming::Refused(reason) | Incoming::Kicked(reason) => {
                        let reason = self.redactor.clean_prefix(&reason, WORDS);
                        let advice = key_advice(self.has_key);
                        let text = format!("The server refused: {reason}.{advice}");
                        self.end(TestStepKind::Accepted, false, &text);
                        return;
                    }
                    Incoming::Foreign(reason) => {
                        let reason = self.redactor.clean_prefix(&reason, WORDS);
                        let text = format!("{reason} Check the kind of server.");
                        self.end(TestStepKind::Accepted, false, &text);
                        return;
                    }
                    _ => {}
                }
            }
            let frame = match timeout_at(deadline, socket.next()).await {
                Err(_) => {
                    let text = format!(
                        "The socket is open, but the server did not greet within {} s. Is this \
                         the right kind of server, and the right path?",
                        policy.greeting_timeout.as_secs()
                    );
                    self.end(TestStepKind::Accepted, false, &text);
                    return;
                }
                Ok(Some(Ok(Heard::Frame(frame)))) => frame,
                Ok(Some(Ok(Heard::Closing(close)))) => {
                    let words = close.map(|close| close.reason.as_str().to_owned());
                    let words = words.filter(|words| !words.is_empty());
                    let words = words.map(|words| format!(": {words}")).unwrap_or_default();
                    let advice = key_advice(self.has_key);
                    let text =
                        format!("The server closed the socket before accepting it{words}.{advice}");
                    self.end(TestStepKind::Accepted, false, &text);
                    return;
                }
                Ok(Some(Err(error))) => {
                    let text = sentence(&end_words(&error, &self.redactor));
                    self.end(TestStepKind::Accepted, false, &text);
                    return;
                }
                Ok(None) => {
                    let advice = key_advice(self.has_key);
                    let text = format!("The server hung up before accepting the socket.{advice}");
                    self.end(TestStepKind::Accepted, false, &text);
                    return;
                }
            };
            incoming = self.dialect.decode(&frame);
        }
    }

    /// Asks the HTTP API for everything, or for what is watched where there is no list of
    /// everything, and counts the jobs.
    async fn api(&mut self, watch: &[Topic]) {
        self.begin(TestStepKind::Api, "Asking the HTTP API…");
        let mut requests = self.dialect.fetch(&Topic::Everything);
        if requests.is_empty() {
            requests = watch.iter().flat_map(|topic| self.dialect.fetch(topic)).collect();
        }
        if requests.is_empty() {
            let text = "This kind of server lists nothing by itself: the API is asked once a job \
                        is watched.";
            self.end(TestStepKind::Api, true, text);
            return;
        }
        let mut jobs: HashSet<JobId> = HashSet::new();
        let mut answered = false;
        let mut asked = 0;
        while let Some(request) = (!requests.is_empty()).then(|| requests.remove(0)) {
            if asked == MAX_FETCHES {
                break;
            }
            asked += 1;
            match self.ask(&request, &mut jobs, &mut requests).await {
                Ok(()) if !answered => {
                    answered = true;
                    self.end(TestStepKind::Api, true, "The HTTP API answers.");
                    self.begin(TestStepKind::Jobs, "Counting jobs…");
                }
                Ok(()) => {}
                Err(text) if !answered => {
                    self.end(TestStepKind::Api, false, &text);
                    return;
                }
                Err(text) => {
                    self.end(TestStepKind::Jobs, false, &text);
                    return;
                }
            }
        }
        let more = if requests.is_empty() { "" } else { "at least " };
        let text = match jobs.len() {
            0 => "It lists no job at present.".to_owned(),
            1 => format!("It lists {more}1 job."),
            count => format!("It lists {more}{count} jobs."),
        };
        self.end(TestStepKind::Jobs, true, &text);
    }

    async fn ask(
        &mut self,
        request: &FetchRequest,
        jobs: &mut HashSet<JobId>,
        more: &mut Vec<FetchRequest>,
    ) -> Result<(), String> {
        let (answer, _) = fetch(&self.clients, request, &self.redactor).await;
        let response = answer.map_err(|failure| {
            let advice = advice(&failure, self.has_key);
            format!("The HTTP API did not answer: {failure}.{advice}")
        })?;
        let mut odd = None;
        for incoming in self.dialect.parse(&request.ask, &response) {
            match incoming {
                Incoming::Update(Update::Job(patch)) => jobs.extend(patch.id),
                Incoming::Follow(request) => more.push(request),
                Incoming::Refused(reason) => {
                    let reason = self.redactor.clean_prefix(&reason, WORDS);
                    let advice = key_advice(self.has_key);
                    return Err(format!("The HTTP API refused: {reason}.{advice}"));
                }
                Incoming::Unknown(diagnostic) => {
                    odd = odd.or_else(|| Some(self.redactor.clean_prefix(&diagnostic.text, WORDS)));
                }
                _ => {}
            }
        }
        match response.status {
            200..=299 => match (odd, response.content_type.as_deref()) {
                (Some(_), Some(kind)) if kind.contains("html") => {
                    Err("The HTTP API answered with a web page. Is the API's address right?"
                        .to_owned())
                }
                (Some(odd), _) if jobs.is_empty() => {
                    Err(format!("The HTTP API's answer could not be read: {odd}."))
                }
                _ => Ok(()),
            },
            401 | 403 => {
                let advice = key_advice(self.has_key);
                Err(format!("The HTTP API answered {}.{advice}", response.status))
            }
            // A watched job that is not there says nothing against the API.
            404 if !matches!(request.ask.topic, Some(Topic::Everything) | None) => Ok(()),
            status => {
                let hint = match status {
                    404 => " Is the API's address right?",
                    429 | 500..=599 => " That may pass: try again in a while.",
                    _ => "",
                };
                Err(format!("The HTTP API answered {status}.{hint}"))
            }
        }
    }
}

fn step(step: TestStepKind, ok: Option<bool>, text: String) -> TestStep {
    TestStep { step, ok, text }
}

fn sentence(words: &str) -> String {
    let mut chars = words.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}

fn key_advice(has_key: bool) -> &'static str {
    if has_key {
        " Check the key, and where this server expects it."
    } else {
        " It may want a key: none was given."
    }
}

fn advice(failure: &Failure, has_key: bool) -> &'static str {
    match failure {
        Failure::Http { status: 401 | 403, .. } => key_advice(has_key),
        Failure::Http { status: 404, .. } => " There is no socket at this path: check the address.",
        Failure::Http { status: 429 | 500..=599, .. } => " That may pass: try again in a while.",
        Failure::Http { status: 200..=399, .. } => {
            " That is a web server's answer: check the address and its path."
        }
        Failure::Timeout(_) => {
            " It took the connection and then said nothing: something in between may block \
             WebSocket."
        }
        _ => "",
    }
}
