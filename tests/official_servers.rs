//! The real binary against servers built on the official packages: Socket.IO from npm, and a
//! NestJS gateway over BullMQ on a real Redis.

mod support;

use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use support::node::NodeServer;
use support::{PATIENCE, jobwatch};

/// A running `jobwatch watch --json` and all it has printed.
struct Watch {
    lines: Lines<BufReader<ChildStdout>>,
    heard: Vec<Value>,
    home: TempDir,
    _child: Child,
}

impl Watch {
    fn start(dialect: &str, server: &NodeServer, key: &str, topics: &[&str]) -> Watch {
        Watch::with(&["--dialect", dialect, "--ws", &server.url()], key, topics)
    }

    /// Watches what these flags name.
    fn with(server: &[&str], key: &str, topics: &[&str]) -> Watch {
        let home = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(jobwatch());
        command
            .env_clear()
            .env("HOME", home.path())
            .env("SERVER_KEY", key)
            .args(["watch", "--json"])
            .args(server)
            .args(["--key-env", "SERVER_KEY"])
            .args(topics.iter().flat_map(|topic| ["--topic", topic]))
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        Watch { lines, heard: Vec::new(), home, _child: child }
    }

    /// Reads until there were lines of this type with these fields and with those, in any order.
    async fn until_both(&mut self, kind: &str, one: Value, other: Value) {
        for fields in [one, other] {
            let expected = fields.as_object().expect("an object");
            let is = |line: &Value| expected.iter().all(|(name, it)| line[name] == *it);
            if !self.heard.iter().any(|line| line["type"] == kind && is(line)) {
                self.until(kind, fields.clone()).await;
            }
        }
    }

    /// Reads until a line of this type has all these fields, and returns it.
    async fn until(&mut self, kind: &str, fields: Value) -> Value {
        let expected = fields.as_object().expect("an object");
        let found = timeout(PATIENCE, async {
            while let Some(line) = self.lines.next_line().await.expect("stdout can be read") {
                let line: Value = serde_json::from_str(&line).expect("one JSON object a line");
                self.heard.push(line.clone());
                if line["type"] == kind && expected.iter().all(|(name, it)| line[name] == *it) {
                    return Some(line);
                }
            }
            None
        })
        .await;
        match found {
            Ok(Some(line)) => line,
            Ok(None) => panic!("it ended before {kind} with {fields}: {:#?}", self.heard),
            Err(_) => panic!("no {kind} with {fields} in {:#?}", self.heard),
        }
    }

    fn count(&self, kind: &str) -> usize {
        self.heard.iter().filter(|line| line["type"] == kind).count()
    }
}

#[tokio::test]
async fn a_study_server_is_followed_live_and_each_outcome_is_noticed_once() {
    let mut server = NodeServer::study_buddy("sesame").await;
    server.tell("add", json!({"job": "7", "name": "summarise"})).await;
    server.tell("add", json!({"job": "8", "name": "draw"})).await;
    let mut watch = Watch::start("study-buddy", &server, "sesame", &["job:7", "job:8"]);
    watch.until("status", json!({"status": "live"})).await;
    server.heard("subscribe:jobs", 2).await;

    server.tell("progress", json!({"job": "7", "progress": 40, "message": "reading"})).await;
    let fields = json!({"id": "7", "state": "running", "progress": 40, "message": "reading", "source": "socket"});
    watch.until("job", fields).await;
    server.tell("complete", json!({"job": "7", "result": {"noteId": "n1"}})).await;
    let result = json!({"noteId": "n1"});
    watch.until("job", json!({"id": "7", "state": "completed", "result": result})).await;
    server.tell("fail", json!({"job": "8", "reason": "no figures"})).await;
    let failed =
        watch.until("job", json!({"id": "8", "state": "failed", "error": "no figures"})).await;
    assert_eq!(failed["name"], "draw");
    watch.until("notice", json!({"title": "draw failed"})).await;
    assert_eq!(watch.count("notice"), 2, "{:#?}", watch.heard);
    let files = std::fs::read_dir(watch.home.path()).expect("a directory").count();
    assert_eq!(files, 0, "a watch given URLs leaves no files");
}

#[tokio::test]
async fn a_job_of_somebody_else_is_reported_as_refused() {
    let mut server = NodeServer::study_buddy("sesame").await;
    server.tell("add", json!({"job": "9", "user": "u2"})).await;
    let mut watch = Watch::start("study-buddy", &server, "sesame", &["job:9"]);
    watch.until("diagnostic", json!({"kind": "refused-subscription"})).await;
}

#[tokio::test]
async fn a_wrong_cookie_is_told_as_refused() {
    let server = NodeServer::study_buddy("sesame").await;
    let mut watch = Watch::start("study-buddy", &server, "open-barley", &["job:7"]);
    let refused = watch.until("status", json!({"status": "refused"})).await;
    let printed = format!("{:?}", watch.heard);
    assert!(!printed.contains("open-barley"), "{printed}");
    assert!(refused["reason"].is_string(), "{refused}");
}

#[tokio::test]
async fn a_server_that_sends_no_acks_is_followed_and_told_of_again_after_a_cut() {
    let mut server = NodeServer::analyzer("k-1").await;
    server.tell("add", json!({"job": "sim-1"})).await;
    let mut watch = Watch::start("analyzer", &server, "k-1", &["job:sim-1"]);
    watch.until("status", json!({"status": "live"})).await;
    server.heard("subscribe-to-job", 1).await;
    server.tell("start", json!({"job": "sim-1"})).await;
    server.tell("progress", json!({"job": "sim-1", "progress": 42.5})).await;
    watch.until("job", json!({"state": "running", "progress": 42.5})).await;
    let detail = json!({"mode": "token", "analyzedCount": 1});
    server.tell("progress", json!({"job": "sim-1", "progress": detail})).await;
    let shown = watch.until("job", json!({"state": "running", "detail": detail})).await;
    assert_eq!(shown["progress"], 42.5, "a detail leaves the number alone");

    server.tell("cut", json!({})).await;
    watch.until("status", json!({"status": "live"})).await;
    server.heard("subscribe-to-job", 2).await;
    server.tell("complete", json!({"job": "sim-1"})).await;
    watch.until("job", json!({"state": "completed"})).await;
    watch.until("notice", json!({"title": "similarity-analysis-flow completed"})).await;
}

#[tokio::test]
async fn while_the_socket_is_shut_jobs_are_followed_by_polling_until_it_opens_again() {
    let mut server = NodeServer::analyzer("k-1").await;
    for job in ["a", "b"] {
        server.tell("add", json!({"job": job})).await;
    }
    let mut watch = Watch::start("analyzer", &server, "k-1", &["job:a", "job:b"]);
    watch.until("status", json!({"status": "live"})).await;
    server.heard("subscribe-to-job", 2).await;
    // A job that is first seen when it has ended is no news.
    watch.until_both("job", json!({"id": "a"}), json!({"id": "b"})).await;
    server.tell("shut", json!({})).await;
    watch.until("status", json!({"status": "polling"})).await;
    server.tell("complete", json!({"job": "a"})).await;
    watch.until("job", json!({"id": "a", "state": "completed", "source": "http"})).await;
    server.tell("open", json!({})).await;
    watch.until("status", json!({"status": "live"})).await;
    server.heard("subscribe-to-job", 3).await;
    server.tell("fail", json!({"job": "b", "reason": "no wallets"})).await;
    watch.until("job", json!({"id": "b", "state": "failed", "error": "no wallets"})).await;
    watch.until("notice", json!({"job": "b"})).await;
    assert_eq!(watch.count("notice"), 2, "{:#?}", watch.heard);
}

#[tokio::test]
async fn real_bullmq_jobs_behind_a_nest_gateway_are_followed_live() {
    let mut server = NodeServer::nest_gateway("k-2").await;
    server.tell("add", json!({"job": "sim-1", "attempts": 2})).await;
    server.tell("add", json!({"job": "sim-2"})).await;
    let mut watch = Watch::start("analyzer", &server, "k-2", &["job:sim-1", "job:sim-2"]);
    watch.until("status", json!({"status": "live"})).await;
    server.heard("subscribe-to-job", 2).await;

    server.tell("progress", json!({"job": "sim-1", "progress": 25})).await;
    watch.until("job", json!({"id": "sim-1", "state": "running", "progress": 25})).await;
    // BullMQ tries again, and keeps the first attempt's reason although the second succeeds.
    server.tell("fail", json!({"job": "sim-1", "error": "first attempt dies"})).await;
    server.tell("progress", json!({"job": "sim-1", "progress": 60})).await;
    watch.until("job", json!({"id": "sim-1", "state": "running", "progress": 60})).await;
    server.tell("log", json!({"job": "sim-1", "text": "comparing wallets"})).await;
    server.tell("complete", json!({"job": "sim-1", "result": {"pairs": 3}})).await;
    let done = watch.until("job", json!({"id": "sim-1", "state": "completed"})).await;
    assert_eq!(done["result"], json!({"pairs": 3}));

    server.tell("fail", json!({"job": "sim-2", "error": "no wallets"})).await;
    watch.until("job", json!({"id": "sim-2", "state": "failed", "error": "no wallets"})).await;
    watch.until("notice", json!({"job": "sim-2"})).await;
    let notices: Vec<&Value> = watch
        .heard
        .iter()
        .filter(|line| line["type"] == "notice")
        .map(|line| &line["job"])
        .collect();
    assert_eq!(notices, ["sim-1", "sim-2"], "each outcome once, and no failed attempt");
}

#[tokio::test]
async fn real_bullmq_jobs_are_followed_by_polling_when_the_gateway_shuts_its_socket() {
    let mut server = NodeServer::nest_gateway("k-2").await;
    server.tell("add", json!({"job": "sim-1"})).await;
    let mut watch = Watch::start("analyzer", &server, "k-2", &["job:sim-1"]);
    watch.until("status", json!({"status": "live"})).await;
    server.tell("shut", json!({})).await;
    watch.until("status", json!({"status": "polling"})).await;
    server.tell("progress", json!({"job": "sim-1", "progress": 70})).await;
    watch.until("job", json!({"state": "running", "progress": 70, "source": "http"})).await;
    server.tell("complete", json!({"job": "sim-1", "result": {"pairs": 1}})).await;
    let done = watch.until("job", json!({"state": "completed", "source": "http"})).await;
    assert_eq!(done["result"], json!({"pairs": 1}));
    server.tell("open", json!({})).await;
    watch.until("status", json!({"status": "live"})).await;
}

#[tokio::test]
async fn lines_that_real_bullmq_jobs_log_are_read_once_live_and_from_the_beginning() {
    let mut server = NodeServer::nest_gateway("k-3").await;
    server.tell("add", json!({"job": "mail-1", "name": "send"})).await;
    let run = server.tell("run", json!({"job": "mail-1"})).await;
    let run = run.as_str().expect("a run").to_owned();
    let ahead = ["connecting", "\u{1b}[32mconnected\u{1b}[0m", "{\"to\":\"a@b.c\",\"tries\":1}"];
    for text in ahead {
        server.tell("log", json!({"job": "mail-1", "text": text})).await;
    }
    let (ws, api) = (format!("{}/board", server.url()), format!("{}/api", server.url()));
    let named = ["--dialect", "bull-board", "--ws", &ws, "--api", &api];
    let mut watch = Watch::with(&named, "k-3", &[&format!("job:{run}")]);
    watch.until("log", json!({"job": run, "seq": 2, "message": ahead[2]})).await;
    server.tell("log", json!({"job": "mail-1", "text": "550 mailbox unknown"})).await;
    watch.until("log", json!({"job": run, "seq": 3, "message": "550 mailbox unknown"})).await;
    server.tell("fail", json!({"job": "mail-1", "error": "SMTP 550"})).await;
    watch.until("job", json!({"id": run, "state": "failed", "error": "SMTP 550"})).await;
    watch.until("notice", json!({"title": "send failed"})).await;
    assert_eq!(watch.count("log"), 4, "{:#?}", watch.heard);

    let mut logs = Command::new(jobwatch());
    logs.args(["logs", &run]).args(named).args([
        "--key-env",
        "SERVER_KEY",
        "--grep",
        "connect|550",
    ]);
    let home = tempfile::tempdir().expect("a directory");
    let ended = logs.env_clear().env("HOME", home.path()).env("SERVER_KEY", "k-3").output();
    let ended = timeout(PATIENCE, ended).await.expect("it ends").expect("it runs");
    let printed = String::from_utf8_lossy(&ended.stdout).into_owned();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 3, "{printed}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(lines[0].ends_with("connecting") && lines[2].ends_with("550 mailbox unknown"));
}
