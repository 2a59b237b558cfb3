//! Which kinds of server the answers speak for.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::{Answer, Finding, Sureness, What, below, socket_url};
use crate::server::DialectKind;

/// Answers by what was asked; what did not answer is absent.
pub type Answers = BTreeMap<What, Answer>;

/// The kinds that the answers from below `base` speak for, the likeliest first.
#[must_use]
pub fn judge(base: &Url, answers: &Answers) -> Vec<Finding> {
    let heard = Heard { base, answers };
    let mut found: Vec<Finding> =
        [triggerx(&heard), study_buddy(&heard), analyzer(&heard), kecs(&heard), bull_board(&heard)]
            .into_iter()
            .flatten()
            .collect();
    found.sort_by_key(|finding| std::cmp::Reverse(finding.sureness));
    found
}

struct Heard<'a> {
    base: &'a Url,
    answers: &'a Answers,
}

impl Heard<'_> {
    fn status(&self, what: What) -> Option<u16> {
        self.answers.get(&what).map(|answer| answer.status)
    }

    /// An answer's JSON with its status.
    fn json(&self, what: What) -> Option<(u16, Value)> {
        let answer = self.answers.get(&what)?;
        Some((answer.status, serde_json::from_str(answer.body.trim()).ok()?))
    }

    fn opened(&self, what: What) -> Option<bool> {
        self.status(what).map(|status| status == 101)
    }

    /// Engine.IO refuses a transport that it does not know with a number and words.
    fn engine_io(&self) -> bool {
        self.json(What::EngineIo).is_some_and(|(_, body)| {
            body.get("code").is_some_and(Value::is_u64) && text(&body, "message").is_some()
        })
    }

    fn finding(
        &self,
        kind: DialectKind,
        sureness: Sureness,
        why: &str,
        (socket, api): (&[&str], &[&str]),
    ) -> Finding {
        Finding {
            kind,
            sureness,
            why: why.to_owned(),
            socket: socket_url(&below(self.base, socket, None)),
            socket_there: None,
            api: below(self.base, api, None),
            options: Vec::new(),
            wants_key: None,
        }
    }
}

fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str()
}

fn triggerx(heard: &Heard<'_>) -> Option<Finding> {
    let healthy = heard.json(What::TriggerXHealth).is_some_and(|(status, body)| {
        status == 200 && body.get("websocket").is_some_and(Value::is_object)
    });
    let refusal = heard.json(What::TriggerXSocket);
    let code = refusal.as_ref().and_then(|(_, body)| text(body, "code")).unwrap_or_default();
    let (sureness, why) = match (healthy, code, heard.opened(What::TriggerXSocket)) {
        (true, ..) => (Sureness::Certain, "its API answers at /api"),
        (_, "AUTHENTICATION_FAILED", _) => {
            (Sureness::Certain, "its socket at /api/ws/tasks asks for a key")
        }
        (_, "RATE_LIMIT_EXCEEDED", _) => {
            (Sureness::Likely, "its socket at /api/ws/tasks asks for a pause")
        }
        // The early KECS has its own socket there as well.
        (_, _, Some(true)) if heard.opened(What::KecsSocket) != Some(true) => {
            (Sureness::Likely, "its socket opens at /api/ws/tasks")
        }
        _ => return None,
    };
    let paths: (&[&str], &[&str]) = (&["api", "ws", "tasks"], &["api"]);
    let mut finding = heard.finding(DialectKind::TriggerX, sureness, why, paths);
    finding.wants_key = match heard.status(What::TriggerXSocket) {
        Some(401 | 403) => Some(true),
        Some(101) => Some(false),
        _ => None,
    };
    finding.socket_there = match heard.status(What::TriggerXSocket) {
        Some(101 | 401 | 403 | 429) => Some(true),
        Some(_) => Some(false),
        None => None,
    };
    Some(finding)
}

/// The errors of NestJS carry the status once more.
fn nest_refusal(status: u16, body: &Value) -> bool {
    matches!(status, 401 | 403) && body.get("statusCode").and_then(Value::as_u64).is_some()
}

fn study_buddy(heard: &Heard<'_>) -> Option<Finding> {
    let (status, body) = heard.json(What::StudyBuddyJobs)?;
    let engine = heard.engine_io();
    let listed = status == 200 && body.get("jobs").is_some_and(Value::is_array);
    let refused = nest_refusal(status, &body);
    let (sureness, wants_key) = match (listed, refused, engine) {
        (true, _, true) => (Sureness::Certain, Some(false)),
        (true, _, false) => (Sureness::Likely, Some(false)),
        (_, true, true) => (Sureness::Certain, Some(true)),
        // Its own errors are numbered, which NestJS does not do by itself.
        (_, true, false) if body.get("requestId").is_some() => (Sureness::Certain, Some(true)),
        (_, true, false) => (Sureness::Possible, Some(true)),
        _ => return None,
    };
    let why = "its API answers at /jobs/user/me";
    let mut finding = heard.finding(DialectKind::StudyBuddy, sureness, why, (&[], &[]));
    finding.socket_there = heard.status(What::EngineIo).map(|_| engine);
    finding.wants_key = wants_key;
    Some(finding)
}

fn analyzer(heard: &Heard<'_>) -> Option<Finding> {
    let engine = heard.engine_io();
    let gateway = heard.opened(What::AnalyzerSocket) == Some(true);
    let api: (&[&str], &[&str]) = (&[], &["api", "v1"]);
    let asked = heard.json(What::AnalyzerJobs);
    let known = asked.as_ref().and_then(|(status, body)| {
        let listed = *status == 200 && body.get("queues").is_some_and(Value::is_array);
        let about_key = text(body, "message").is_some_and(|words| {
            let words = words.to_ascii_lowercase();
            words.contains("api key")
        });
        match (listed, nest_refusal(*status, body)) {
            (true, _) => Some((Sureness::Certain, false)),
            (_, true) if about_key => Some((Sureness::Certain, true)),
            (_, true) => Some((Sureness::Possible, true)),
            _ => None,
        }
    });
    if let Some((sureness, wants_key)) = known {
        let why = "its API answers at /api/v1";
        let mut finding = heard.finding(DialectKind::Analyzer, sureness, why, api);
        finding.socket_there = heard.status(What::EngineIo).map(|_| engine || gateway);
        finding.wants_key = Some(wants_key);
        return Some(finding);
    }
    if gateway && !opens_anywhere(heard) {
        let why = "its socket opens at /job-progress";
        let paths: (&[&str], &[&str]) = (&["job-progress"], &["api", "v1"]);
        let mut finding = heard.finding(DialectKind::Analyzer, Sureness::Likely, why, paths);
        finding.socket_there = Some(true);
        return Some(finding);
    }
    None
}

/// Some servers open a socket at whatever path they are asked.
fn opens_anywhere(heard: &Heard<'_>) -> bool {
    heard.opened(What::BullBoardSocket) == Some(true)
        && heard.opened(What::KecsSocket) == Some(true)
}

fn kecs(heard: &Heard<'_>) -> Option<Finding> {
    let clusters = heard.json(What::KecsClusters);
    let listed = clusters.as_ref().is_some_and(|(status, body)| {
        *status == 200 && body.get("clusterArns").is_some_and(Value::is_array)
    });
    let in_its_words =
        |what| heard.json(what).is_some_and(|(_, body)| text(&body, "__type").is_some());
    let paths: (&[&str], &[&str]) = (&["ws"], &[]);
    let socket = heard.opened(What::KecsSocket);
    if listed {
        let why = "it lists its clusters at /v1/ListClusters";
        let mut finding = heard.finding(DialectKind::Kecs, Sureness::Certain, why, paths);
        finding.socket_there = socket;
        finding.wants_key = Some(false);
        return Some(finding);
    }
    if let Some(finding) = kecs_admin(heard) {
        return Some(finding);
    }
    if in_its_words(What::KecsClusters) || in_its_words(What::Root) {
        let why = "it answers in the words of the ECS API";
        let mut finding = heard.finding(DialectKind::Kecs, Sureness::Likely, why, paths);
        finding.socket_there = socket;
        return Some(finding);
    }
    if socket == Some(true) && !opens_anywhere(heard) {
        let why = "its socket opens at /ws";
        let mut finding = heard.finding(DialectKind::Kecs, Sureness::Possible, why, paths);
        finding.socket_there = socket;
        return Some(finding);
    }
    None
}

/// The admin server knows where the API of its instances is.
fn kecs_admin(heard: &Heard<'_>) -> Option<Finding> {
    let (status, body) = heard.json(What::KecsAdmin)?;
    let instances = body.get("instances")?.as_array().filter(|_| status == 200)?;
    let running = |instance: &&Value| text(instance, "status") == Some("running");
    let instance = instances.iter().find(running).or_else(|| instances.first());
    let port = instance
        .and_then(|instance| instance.get("apiPort")?.as_u64())
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port != 0);
    let mut api = heard.base.clone();
    // An API base takes a port.
    let _ = api.set_port(Some(port.unwrap_or(8080)));
    api.set_path("/");
    let (sureness, why) = match port {
        Some(_) => (Sureness::Certain, "its admin server answers at /api/instances"),
        None => (Sureness::Likely, "its admin server answers at /api/instances"),
    };
    Some(Finding {
        kind: DialectKind::Kecs,
        sureness,
        why: why.to_owned(),
        socket: socket_url(&below(&api, &["ws"], None)),
        socket_there: None,
        api,
        options: vec![("admin", heard.base.to_string())],
        wants_key: Some(false),
    })
}

fn bull_board(heard: &Heard<'_>) -> Option<Finding> {
    let paths: (&[&str], &[&str]) = (&[], &["api"]);
    let wants = |what| {
        heard.json(what).is_some_and(|(status, body)| {
            status == 401 && text(&body, "error") == Some("Authentication required")
        })
    };
    let counted = heard.json(What::BullBoardStats).is_some_and(|(status, body)| {
        status == 200
            && ["active", "completed", "failed"]
                .iter()
                .all(|name| body.get(name).is_some_and(Value::is_number))
    });
    let titled = heard.answers.get(&What::Root).and_then(Answer::title);
    let titled = titled.is_some_and(|title| title.contains("Better Bull Board"));
    let (sureness, why, wants_key) = match (counted, wants(What::BullBoardStats), titled) {
        (true, ..) => (Sureness::Certain, "its API answers at /api", Some(false)),
        (_, true, _) if wants(What::BullBoardUser) || titled => {
            (Sureness::Certain, "its API answers at /api", Some(true))
        }
        (_, _, true) => (Sureness::Likely, "its page is titled so", None),
        _ => return bull_board_socket(heard),
    };
    let mut finding = heard.finding(DialectKind::BullBoard, sureness, why, paths);
    finding.wants_key = wants_key;
    // The socket is served by another program, on another port.
    let root = heard.answers.get(&What::Root);
    finding.socket = root
        .and_then(|page| socket_in_page(&page.body, heard.base))
        .unwrap_or_else(|| with_port(&finding.socket, 8081));
    Some(finding)
}

/// The socket alone: it takes everybody at any path, and answers pings.
fn bull_board_socket(heard: &Heard<'_>) -> Option<Finding> {
    let socket = heard.answers.get(&What::BullBoardSocket)?;
    if socket.status != 101 || !socket.alive {
        return None;
    }
    let greets = socket.body.contains(r#""type":"job-refresh""#);
    let bare = heard.status(What::Root) == Some(426) && opens_anywhere(heard);
    let (sureness, why) = match (greets, bare) {
        (true, _) => (Sureness::Certain, "its socket greets"),
        (_, true) => (Sureness::Likely, "its socket opens at any path and greets nobody"),
        _ => return None,
    };
    let mut finding = heard.finding(DialectKind::BullBoard, sureness, why, (&[], &["api"]));
    finding.socket_there = Some(true);
    let mut api = with_port(heard.base, 3000);
    api.set_path("/api");
    finding.api = api;
    Some(finding)
}

fn with_port(url: &Url, port: u16) -> Url {
    let mut url = url.clone();
    // URLs with a host take a port.
    let _ = url.set_port(Some(port));
    url.set_path("/");
    url
}

/// The page hands the socket's URL to its own scripts. What names this computer there was meant for
/// the server's own browser: another host's page means that host.
fn socket_in_page(page: &str, base: &Url) -> Option<Url> {
    let page = page.replace("\\\"", "\"");
    let after = page.split("WEBSOCKET_URL\":\"").nth(1)?;
    let text = after.split('"').next()?.replace("\\/", "/");
    let url = Url::parse(&text).ok()?;
    if !matches!(url.scheme(), "ws" | "wss" | "http" | "https") {
        return None;
    }
    let local = |url: &Url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let mut url = match url.scheme() {
        "http" | "https" => socket_url(&url),
        _ => url,
    };
    if local(&url) && !local(base) {
        url.set_host(base.host_str()).ok()?;
    }
    url.set_query(None);
    url.set_fragment(None);
    // Both are possible for URLs with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Url {
        Url::parse("http://h:1234/").unwrap()
    }

    fn json(status: u16, body: &str) -> Answer {
        let content_type = Some("application/json".to_owned());
        Answer { status, content_type, body: body.to_owned(), alive: false }
    }

    fn opened() -> Answer {
        Answer { status: 101, alive: true, ..Answer::default() }
    }

    fn page(body: &str) -> Answer {
        let content_type = Some("text/html".to_owned());
        Answer { status: 200, content_type, body: body.to_owned(), alive: false }
    }

    fn best(answers: &[(What, Answer)]) -> Option<(DialectKind, Sureness, Option<bool>)> {
        let answers = answers.iter().cloned().collect();
        let found = judge(&base(), &answers).into_iter().next()?;
        Some((found.kind, found.sureness, found.wants_key))
    }

    const NEST_401: &str = r#"{"message":"Unauthorized","statusCode":401,"requestId":"r"}"#;
    const ENGINE: &str = r#"{"code":0,"message":"Transport unknown"}"#;

    #[test]
    fn each_kind_is_recognised_without_a_key() {
        use DialectKind::{Analyzer, BullBoard, Kecs, StudyBuddy, TriggerX};
        use Sureness::Certain;
        let refused = r#"{"error":"API key is required","code":"AUTHENTICATION_FAILED"}"#;
        let health = r#"{"status":"healthy","websocket":{"active_connections":1}}"#;
        let no_key = r#"{"message":"API key is missing.","error":"Unauthorized","statusCode":401}"#;
        let wanted = r#"{"error":"Authentication required"}"#;
        for (answers, kind, key) in [
            (vec![(What::TriggerXSocket, json(401, refused))], TriggerX, Some(true)),
            (
                vec![(What::TriggerXHealth, json(200, health)), (What::TriggerXSocket, opened())],
                TriggerX,
                Some(false),
            ),
            (
                vec![
                    (What::StudyBuddyJobs, json(401, NEST_401)),
                    (What::EngineIo, json(400, ENGINE)),
                ],
                StudyBuddy,
                Some(true),
            ),
            (
                vec![
                    (What::StudyBuddyJobs, json(200, r#"{"success":true,"count":0,"jobs":[]}"#)),
                    (What::EngineIo, json(400, ENGINE)),
                ],
                StudyBuddy,
                Some(false),
            ),
            (
                vec![(What::AnalyzerJobs, json(401, no_key)), (What::EngineIo, json(400, ENGINE))],
                Analyzer,
                Some(true),
            ),
            (
                vec![(What::AnalyzerJobs, json(200, r#"{"queues":[],"totalJobs":0}"#))],
                Analyzer,
                Some(false),
            ),
            (vec![(What::KecsClusters, json(200, r#"{"clusterArns":[]}"#))], Kecs, Some(false)),
            (
                vec![
                    (What::BullBoardStats, json(401, wanted)),
                    (What::BullBoardUser, json(401, wanted)),
                ],
                BullBoard,
                Some(true),
            ),
            (
                vec![(What::BullBoardStats, json(200, r#"{"active":1,"completed":2,"failed":3}"#))],
                BullBoard,
                Some(false),
            ),
        ] {
            assert_eq!(best(&answers), Some((kind, Certain, key)), "{answers:?}");
        }
    }

    #[test]
    fn what_others_answer_too_is_no_proof() {
        let forbidden = r#"{"statusCode":401,"message":"Unauthorized"}"#;
        let all = |answer: &Answer| -> Vec<(What, Answer)> {
            let mut whats = What::of(&DialectKind::ALL);
            whats.push(What::Root);
            whats.into_iter().map(|what| (what, answer.clone())).collect()
        };
        for (answer, limit) in [
            (json(200, "{}"), None),
            (json(404, r#"{"error":"Not Found"}"#), None),
            (json(401, r#"{"error":"unauthorized"}"#), None),
            (json(401, forbidden), Some(Sureness::Possible)),
            (page("<html><title>Grafana</title>"), None),
            (Answer { status: 401, ..Answer::default() }, None),
        ] {
            let found = best(&all(&answer));
            assert!(found.map(|(_, sureness, _)| sureness) <= limit, "{answer:?}: {found:?}");
        }
    }

    #[test]
    fn a_socket_that_takes_everybody_at_any_path_is_a_bull_boards() {
        let upgrade =
            Answer { status: 426, body: "Upgrade Required".to_owned(), ..Answer::default() };
        let answers = [
            (What::Root, upgrade),
            (What::TriggerXSocket, opened()),
            (What::AnalyzerSocket, opened()),
            (What::KecsSocket, opened()),
            (What::BullBoardSocket, opened()),
        ];
        let (kind, sureness, _) = best(&answers).unwrap();
        assert_eq!((kind, sureness), (DialectKind::BullBoard, Sureness::Likely));
    }

    #[test]
    fn the_socket_of_a_bull_board_is_where_its_page_says() {
        let stats = json(200, r#"{"active":1,"completed":2,"failed":3}"#);
        let socket = |html: &str| {
            let answers = [(What::BullBoardStats, stats.clone()), (What::Root, page(html))].into();
            judge(&base(), &answers)[0].socket.to_string()
        };
        let script =
            |url: &str| format!(r#"self.__next_f.push([1,"{{\"WEBSOCKET_URL\":\"{url}\"}}"])"#);
        assert_eq!(socket(&script("wss://sock.example.com")), "wss://sock.example.com/");
        assert_eq!(socket(&script("https://sock.example.com")), "wss://sock.example.com/");
        assert_eq!(socket(&script("ws://localhost:8099")), "ws://h:8099/");
        assert_eq!(socket(&script("javascript:alert(1)")), "ws://h:8081/");
        assert_eq!(socket("<html>"), "ws://h:8081/");
    }

    #[test]
    fn an_admin_server_of_kecs_leads_to_the_api_of_its_instance() {
        let body = r#"{"instances":[{"name":"a","status":"stopped","apiPort":1},{"name":"b","status":"running","apiPort":5373}]}"#;
        let found = judge(&base(), &[(What::KecsAdmin, json(200, body))].into());
        assert_eq!(found[0].api.as_str(), "http://h:5373/");
        assert_eq!(found[0].socket.as_str(), "ws://h:5373/ws");
        assert_eq!(found[0].options, [("admin", "http://h:1234/".to_owned())]);
    }
}
