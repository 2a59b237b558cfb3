//! `jobwatch demo`: the demo servers alone.

use jobwatch_core::model::Topic;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::Server;
use jobwatch_demo::DemoOptions;
use serde::Serialize;

use super::args::{Demo, EXIT_OK, EXIT_UNAVAILABLE};
use super::{Failure, Outcome, Output, print};

/// One demo server. Its key is made up for the demo and opens nothing else, so it is printed.
#[derive(Debug, Serialize)]
struct Line<'a> {
    r#type: &'static str,
    dialect: &'static str,
    name: &'a str,
    ws: &'a str,
    api: Option<&'a str>,
    key: Option<&'a str>,
    topics: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// For people.
pub async fn run(args: &Demo) -> Outcome {
    let mut options = DemoOptions { base_port: args.port, ..DemoOptions::default() };
    if let Some(seed) = args.seed {
        options.seed = seed;
    }
    let demo = jobwatch_demo::Demo::start(options).await.map_err(|error| {
        Failure::new(EXIT_UNAVAILABLE, format!("The demo could not be started: {error}."))
    })?;
    let servers = demo.servers();
    let mut open = Output::Open;
    for (server, key) in &servers {
        if open == Output::Open {
            open = print(&line(server, key.as_ref(), args.json))?;
        }
    }
    // A reader that has seen enough of the addresses still wants the servers.
    crate::os::ended().await;
    demo.stop().await;
    Ok(EXIT_OK)
}

fn line(server: &Server, key: Option<&Secret>, json: bool) -> String {
    let line = Line {
        r#type: "demo",
        dialect: server.dialect.word(),
        name: &server.name,
        ws: &server.ws,
        api: server.api.as_deref(),
        key: key.map(Secret::expose),
        topics: server.watch.iter().map(Topic::to_string).collect(),
    };
    if json {
        // Texts only: always prints.
        return serde_json::to_string(&line).unwrap_or_default();
    }
    let api = line.api.unwrap_or("-");
    let key = line.key.unwrap_or("-");
    format!("{:<12} ws {:<42} api {:<38} key {key}", line.dialect, line.ws, api)
}
