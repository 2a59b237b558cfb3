//! Which kinds of server the answers speak for.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::{Answer, Check, Confidence, Finding, below, socket_url};
use crate::dialect::{bull_board, kecs};
use crate::server::DialectKind;

/// Answers by what was asked; what did not answer is absent.
pub type Answers = BTreeMap<Check, Answer>;

/// How servers of one kind are recognised.
#[derive(Clone, Copy, Debug)]
pub struct Recognition {
    /// What is asked below a base.
    pub checks: &'static [Check],
    /// Whether the answers, to these checks and to those of all other kinds, speak for this kind.
    pub judge: fn(&Responses<'_>) -> Option<Finding>,
}

impl Recognition {
    /// For a kind that cannot be told from others without a key.
    pub const NONE: Recognition = Recognition { checks: &[], judge: |_| None };
}

/// The kinds that the answers from below `base` speak for, the likeliest first.
#[must_use]
pub fn judge(base: &Url, answers: &Answers) -> Vec<Finding> {
    let responses = Responses { base, answers };
    let judged = DialectKind::ALL.map(|kind| (kind.info().recognition.judge)(&responses));
    let mut found: Vec<Finding> = judged.into_iter().flatten().collect();
    found.sort_by_key(|finding| std::cmp::Reverse(finding.confidence));
    found
}

/// What came back from below one base.
#[derive(Clone, Copy, Debug)]
pub struct Responses<'a> {
    /// The base.
    pub base: &'a Url,
    answers: &'a Answers,
}

impl Responses<'_> {
    /// The answer to a check.
    #[must_use]
    pub fn get(&self, check: Check) -> Option<&Answer> {
        self.answers.get(&check)
    }

    /// The status of an answer.
    #[must_use]
    pub fn status(&self, check: Check) -> Option<u16> {
        self.get(check).map(|answer| answer.status)
    }

    /// An answer's JSON with its status.
    #[must_use]
    pub fn json(&self, check: Check) -> Option<(u16, Value)> {
        let answer = self.get(check)?;
        Some((answer.status, serde_json::from_str(answer.body.trim()).ok()?))
    }

    /// Whether a socket opened.
    #[must_use]
    pub fn opened(&self, check: Check) -> Option<bool> {
        self.status(check).map(|status| status == 101)
    }

    /// Whether there is an Engine.IO server: it refuses a transport that it does not know with a
    /// number and a message.
    #[must_use]
    pub fn engine_io(&self) -> bool {
        self.json(Check::ENGINE_IO).is_some_and(|(_, body)| {
            body.get("code").is_some_and(Value::is_u64) && text(&body, "message").is_some()
        })
    }

    /// Whether sockets open at whatever path they are asked for, as some servers do.
    #[must_use]
    pub fn opens_anywhere(&self) -> bool {
        self.opened(bull_board::SOCKET) == Some(true) && self.opened(kecs::SOCKET) == Some(true)
    }

    /// A finding with the paths of socket and API below the base.
    #[must_use]
    pub fn finding(
        &self,
        kind: DialectKind,
        confidence: Confidence,
        why: &str,
        (socket, api): (&[&str], &[&str]),
    ) -> Finding {
        Finding {
            kind,
            confidence,
            why: why.to_owned(),
            socket: socket_url(&below(self.base, socket, None)),
            socket_there: None,
            api: below(self.base, api, None),
            options: Vec::new(),
            wants_key: None,
        }
    }
}

/// A field that is a text.
#[must_use]
pub fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str()
}

/// Whether an answer is a refusal by NestJS, whose errors carry the status once more.
#[must_use]
pub fn nest_refusal(status: u16, body: &Value) -> bool {
    matches!(status, 401 | 403) && body.get("statusCode").and_then(Value::as_u64).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::triggerx;
    use crate::probe::checks;

    const HEALTH: Check = Check::get(&["api", "ws", "health"]);
    const TRIGGERX: Check = triggerx::SOCKET;
    const STUDY_BUDDY: Check = Check::get(&["jobs", "user", "me"]).query("limit=1");
    const ANALYZER: Check = Check::get(&["api", "v1", "jobs"]);
    const GATEWAY: Check = Check::upgrade(&["job-progress"]);
    const CLUSTERS: Check = Check::post(&["v1", "ListClusters"], "{}");

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

    fn best(answers: &[(Check, Answer)]) -> Option<(DialectKind, Confidence, Option<bool>)> {
        let answers = answers.iter().cloned().collect();
        let found = judge(&base(), &answers).into_iter().next()?;
        Some((found.kind, found.confidence, found.wants_key))
    }

    const NEST_401: &str = r#"{"message":"Unauthorized","statusCode":401,"requestId":"r"}"#;
    const ENGINE: &str = r#"{"code":0,"message":"Transport unknown"}"#;

    #[test]
    fn each_kind_is_recognised_without_a_key() {
        use Confidence::Certain;
        use DialectKind::{Analyzer, BullBoard, Kecs, StudyBuddy, TriggerX};
        let refused = r#"{"error":"API key is required","code":"AUTHENTICATION_FAILED"}"#;
        let health = r#"{"status":"healthy","websocket":{"active_connections":1}}"#;
        let no_key = r#"{"message":"API key is missing.","error":"Unauthorized","statusCode":401}"#;
        let wanted = r#"{"error":"Authentication required"}"#;
        for (answers, kind, key) in [
            (vec![(TRIGGERX, json(401, refused))], TriggerX, Some(true)),
            (vec![(HEALTH, json(200, health)), (TRIGGERX, opened())], TriggerX, Some(false)),
            (
                vec![(STUDY_BUDDY, json(401, NEST_401)), (Check::ENGINE_IO, json(400, ENGINE))],
                StudyBuddy,
                Some(true),
            ),
            (
                vec![
                    (STUDY_BUDDY, json(200, r#"{"success":true,"count":0,"jobs":[]}"#)),
                    (Check::ENGINE_IO, json(400, ENGINE)),
                ],
                StudyBuddy,
                Some(false),
            ),
            (
                vec![(ANALYZER, json(401, no_key)), (Check::ENGINE_IO, json(400, ENGINE))],
                Analyzer,
                Some(true),
            ),
            (vec![(ANALYZER, json(200, r#"{"queues":[],"totalJobs":0}"#))], Analyzer, Some(false)),
            (vec![(CLUSTERS, json(200, r#"{"clusterArns":[]}"#))], Kecs, Some(false)),
            (
                vec![(bull_board::STATS, json(401, wanted)), (bull_board::USER, json(401, wanted))],
                BullBoard,
                Some(true),
            ),
            (
                vec![(bull_board::STATS, json(200, r#"{"active":1,"completed":2,"failed":3}"#))],
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
        let all = |answer: &Answer| -> Vec<(Check, Answer)> {
            let mut checks_of_all = checks(&DialectKind::ALL);
            checks_of_all.push(Check::ROOT);
            checks_of_all.into_iter().map(|what| (what, answer.clone())).collect()
        };
        for (answer, limit) in [
            (json(200, "{}"), None),
            (json(404, r#"{"error":"Not Found"}"#), None),
            (json(401, r#"{"error":"unauthorized"}"#), None),
            (json(401, forbidden), Some(Confidence::Possible)),
            (page("<html><title>Grafana</title>"), None),
            (Answer { status: 401, ..Answer::default() }, None),
        ] {
            let found = best(&all(&answer));
            assert!(found.map(|(_, confidence, _)| confidence) <= limit, "{answer:?}: {found:?}");
        }
    }

    #[test]
    fn a_socket_that_takes_everybody_at_any_path_is_a_bull_boards() {
        let upgrade =
            Answer { status: 426, body: "Upgrade Required".to_owned(), ..Answer::default() };
        let answers = [
            (Check::ROOT, upgrade),
            (TRIGGERX, opened()),
            (GATEWAY, opened()),
            (kecs::SOCKET, opened()),
            (bull_board::SOCKET, opened()),
        ];
        let (kind, confidence, _) = best(&answers).unwrap();
        assert_eq!((kind, confidence), (DialectKind::BullBoard, Confidence::Likely));
    }

    #[test]
    fn the_socket_of_a_bull_board_is_where_its_page_says() {
        let stats = json(200, r#"{"active":1,"completed":2,"failed":3}"#);
        let socket = |html: &str| {
            let answers = [(bull_board::STATS, stats.clone()), (Check::ROOT, page(html))].into();
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
        let found = judge(&base(), &[(kecs::ADMIN, json(200, body))].into());
        assert_eq!(found[0].api.as_str(), "http://h:5373/");
        assert_eq!(found[0].socket.as_str(), "ws://h:5373/ws");
        assert_eq!(found[0].options, [("admin", "http://h:1234/".to_owned())]);
    }
}
