//! Job servers on official packages, steered over their stdin (see `tests/npm`).

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::{PATIENCE, eventually, root};

/// A running server. It ends when this is dropped, since its stdin does.
pub struct NodeServer {
    port: u16,
    stdin: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    child: Child,
}

impl NodeServer {
    /// The official Socket.IO server as a study server; `token` is the cookie it accepts.
    pub async fn study_buddy(token: &str) -> NodeServer {
        NodeServer::start("study-buddy.mjs", "ACCESS_TOKEN", token).await
    }

    /// The official Socket.IO server as an analysis server; `key` opens its HTTP half.
    pub async fn analyzer(key: &str) -> NodeServer {
        NodeServer::start("analyzer.mjs", "API_KEY", key).await
    }

    /// A NestJS gateway over BullMQ on a Redis of its own.
    pub async fn nest_gateway(key: &str) -> NodeServer {
        NodeServer::start("nest-gateway/dist/main.js", "API_KEY", key).await
    }

    async fn start(script: &str, key_name: &str, key: &str) -> NodeServer {
        let directory = root().join("tests/npm");
        assert!(
            directory.join("node_modules").exists() && directory.join(script).exists(),
            "the test servers are not built: run `cargo xtask test`, or `npm ci && npm run build` \
             in tests/npm"
        );
        let mut child = Command::new("node")
            .arg(script)
            .current_dir(directory)
            .env(key_name, key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let stdin = child.stdin.take().expect("stdin is piped");
        let mut answers = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let ready = next(&mut answers, script).await;
        let port = ready["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        let port = port.unwrap_or_else(|| panic!("{script} said {ready} instead of its port"));
        NodeServer { port, stdin, answers, child }
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Gives a command and returns its value. `fields` is an object.
    pub async fn tell(&mut self, command: &str, fields: Value) -> Value {
        let mut line = fields;
        line["do"] = json!(command);
        self.stdin.write_all(format!("{line}\n").as_bytes()).await.expect("the server reads");
        let mut answer = next(&mut self.answers, command).await;
        assert_eq!(answer["ok"], json!(true), "{command}: {answer}");
        answer["value"].take()
    }

    /// Waits until clients have sent an event of this name at least `count` times.
    pub async fn heard(&mut self, event: &str, count: usize) {
        let what = format!("{event} from a client, {count} times");
        eventually(&what, async || {
            let heard = self.tell("heard", json!({})).await;
            let heard = heard.as_array().expect("a list");
            (heard.iter().filter(|it| it["event"] == json!(event)).count() >= count).then_some(())
        })
        .await;
    }

    /// Ends it as a crash does: every connection is cut, nothing answers any more.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it was running");
    }
}

async fn next(answers: &mut Lines<BufReader<ChildStdout>>, what: &str) -> Value {
    let line = timeout(PATIENCE, answers.next_line())
        .await
        .unwrap_or_else(|_| panic!("no answer to {what}"))
        .expect("the server's stdout can be read")
        .unwrap_or_else(|| panic!("the server ended instead of answering {what}"));
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line}"))
}
