//! [`crate::Control`] over HTTP.
//!
//! `POST /__demo/<verb>` commands the server whose port is called, `POST /__demo/<dialect>/<verb>`
//! any server of the same demo (the way to make a port listen again). Bodies and answers are JSON.
//!
//! | verb | body |
//! |---|---|
//! | `faults` | [`Faults`]: replaces all faults |
//! | `heal` | none |
//! | `refuse`, `listen` | `{"ports": "socket" \| "http" \| "all", "for_ms"?: n}`; `refuse` with `for_ms` listens again by itself |
//! | `drop`, `kick`, `expire` | none |
//! | `send` | `{"text": "…"}` |
//! | `garbage` | [`Garbage`] |
//! | `flood` | [`Flood`] |
//! | `start` | [`JobSpec`]; answers `{"id": "…"}` |
//! | `progress` | `{"id", "progress", "message"?}` |
//! | `complete` | `{"id", "result"?}` |
//! | `fail`, `fail_attempt` | `{"id", "error", "stack"?}` |
//! | `cancel`, `remove` | `{"id"}` |
//! | `log` | `{"id", "level"?, "text"}` |
//! | `state`, `counters` | none; also with GET |
//!
//! Errors are 400 or 404 with `{"error": "…"}`.

use std::sync::Arc;
use std::time::Duration;

use jobwatch_core::model::Level;
use jobwatch_core::server::DialectKind;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::control::{Control, Faults, Flood, Garbage, JobSpec, Ports};
use crate::protocol::{Reply, Request};
use crate::registry::Registry;
use crate::server::Shared;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PortsBody {
    ports: Ports,
    for_ms: Option<u64>,
}

impl Default for PortsBody {
    fn default() -> PortsBody {
        PortsBody { ports: Ports::All, for_ms: None }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JobBody {
    id: String,
    progress: Option<f64>,
    message: Option<String>,
    result: Option<Value>,
    error: Option<String>,
    stack: Option<String>,
    level: Option<Level>,
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextBody {
    text: String,
}

/// Performs a command.
pub(crate) async fn command(shared: &Arc<Shared>, registry: &Registry, request: &Request) -> Reply {
    let segments = request.segments();
    let (server, verb) = match segments.as_slice() {
        [_, verb] => (Some(Arc::clone(shared)), *verb),
        [_, word, verb] => {
            (DialectKind::from_word(word).and_then(|kind| registry.find(kind)), *verb)
        }
        _ => (None, ""),
    };
    let Some(server) = server else {
        return error(404, "there is no such server in this demo");
    };
    match perform(&Control(server), verb, &request.body).await {
        Ok(answer) => Reply::json(200, answer.to_string()),
        Err(reply) => reply,
    }
}

async fn perform(control: &Control, verb: &str, body: &[u8]) -> Result<Value, Reply> {
    match verb {
        "faults" => control.set_faults(read::<Faults>(body)?),
        "heal" => control.heal().await,
        "refuse" => {
            let PortsBody { ports, for_ms } = read(body)?;
            let control = control.clone();
            // Refusing drops the connection on which it was commanded, so the answer goes first.
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                control.refuse(ports).await;
                if let Some(ms) = for_ms {
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                    control.listen(ports).await;
                }
            });
        }
        "listen" => control.listen(read::<PortsBody>(body)?.ports).await,
        "drop" => control.drop_sockets(),
        "kick" => control.kick(),
        "expire" => control.expire_tokens(),
        "send" => control.send_text(&read::<TextBody>(body)?.text),
        "garbage" => control.send_garbage(&read::<Garbage>(body)?),
        "flood" => control.flood(read::<Flood>(body)?),
        "start" => return Ok(json!({ "id": control.start_job(read::<JobSpec>(body)?) })),
        "state" => return Ok(control.state()),
        "counters" => return Ok(json!(control.counters())),
        _ => return on_job(control, verb, read(body)?),
    }
    Ok(json!({ "ok": true }))
}

fn on_job(control: &Control, verb: &str, body: JobBody) -> Result<Value, Reply> {
    let missing = |field: &str| error(400, &format!("\"{field}\" is missing"));
    let id = &body.id;
    let found = match verb {
        "progress" => {
            let progress = body.progress.ok_or_else(|| missing("progress"))?;
            control.set_progress(id, progress, body.message.as_deref())
        }
        "complete" => control.complete(id, body.result),
        "fail" => {
            let text = body.error.ok_or_else(|| missing("error"))?;
            control.fail(id, &text, body.stack.as_deref())
        }
        "fail_attempt" => control.fail_attempt(id, &body.error.ok_or_else(|| missing("error"))?),
        "cancel" => control.cancel(id),
        "remove" => control.remove(id),
        "log" => {
            let text = body.text.ok_or_else(|| missing("text"))?;
            control.log(id, body.level.unwrap_or(Level::Info), &text)
        }
        _ => return Err(error(404, "there is no such command")),
    };
    if found { Ok(json!({ "ok": true })) } else { Err(error(404, "there is no such job")) }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reply> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|problem| error(400, &problem.to_string()))
}

fn error(status: u16, text: &str) -> Reply {
    Reply::json(status, json!({ "error": text }).to_string())
}
