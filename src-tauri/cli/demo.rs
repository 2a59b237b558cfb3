//! `jobwatch demo`: the demo servers alone.

use std::collections::BTreeMap;

use jobwatch_core::secret::Secret;
use jobwatch_core::server::Server;
use jobwatch_demo::{DemoOptions, Generation};
use serde::Serialize;

use super::args::{Demo, EXIT_OK, EXIT_UNAVAILABLE};
use super::{Failure, Outcome, Output, print};

/// One demo server. Its key is invented for the demo and opens nothing else, so it is printed.
#[derive(Debug, Serialize)]
struct Line<'a> {
    r#type: &'static str,
    dialect: &'static str,
    name: &'a str,
    ws: &'a str,
    api: Option<&'a str>,
    key: Option<&'a str>,
    options: &'a BTreeMap<String, String>,
}

/// Runs the command.
///
/// # Errors
/// For people.
pub async fn run(args: &Demo) -> Outcome {
    let defaults = DemoOptions::default();
    let options = DemoOptions {
        base_port: args.port,
        seed: args.seed.unwrap_or(defaults.seed),
        speed: args.speed.unwrap_or(defaults.speed),
        keys: !args.no_keys,
        life: !args.quiet,
        generation: if args.documented { Generation::Documented } else { Generation::Shipped },
        ..defaults
    };
    let demo = jobwatch_demo::Demo::start(options).await.map_err(|error| {
        Failure::new(EXIT_UNAVAILABLE, format!("Could not start the demo: {error}."))
    })?;
    let servers = demo.servers();
    let mut open = Output::Open;
    for (server, key) in &servers {
        if open == Output::Open {
            open = print(&line(server, key.as_ref(), args.json))?;
        }
    }
    // A closed pipe ends the list, not the servers.
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
        options: &server.options,
    };
    if json {
        // Texts only: always prints.
        return serde_json::to_string(&line).unwrap_or_default();
    }
    let api = line.api.unwrap_or("-");
    let key = line.key.unwrap_or("-");
    let options: String =
        line.options.iter().map(|(name, value)| format!("  {name}={value}")).collect();
    format!("{:<12} ws {:<36} api {:<24} key {key}{options}", line.dialect, line.ws, api)
}
