//! Runs a rule's program, or posts to its address. Neither can hold up anything: both have a time
//! limit, and their output is cut.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use url::Url;

use crate::fetch::Clients;

/// How long a program, or an answer, may take.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Bytes of what is printed or answered that are kept.
const KEPT: usize = 4 << 10;
/// An environment variable may be no longer than this on Linux.
const MAX_VARIABLE: usize = 100 << 10;

/// What a rule runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// A program: its name or path, and its arguments as they are.
    Run(Vec<String>),
    /// An address to post to.
    Post(Url),
}

/// What a program or an address gets.
#[derive(Clone, Debug)]
pub struct ProgramInput {
    /// The whole, as JSON: given to a program on its standard input, posted as a body.
    pub json: Value,
    /// Names and values for the environment.
    pub variables: Vec<(&'static str, String)>,
}

/// Runs it; returns how it went in a sentence, and below it the output or the answer.
pub async fn run(
    program: Program,
    input: ProgramInput,
    limit: Duration,
    clients: Arc<Clients>,
) -> String {
    let begun = Instant::now();
    let took = || jobwatch_core::notify::format_duration(begun.elapsed());
    match program {
        Program::Run(words) => {
            let name = words.first().cloned().unwrap_or_default();
            match run_command(&words, input, limit).await {
                Ok((Some(status), printed)) => {
                    with(format!("{name}: {}, after {}.", ended(status), took()), &printed)
                }
                Ok((None, printed)) => {
                    with(format!("{name}: stopped after {}, the time limit.", took()), &printed)
                }
                Err(error) => format!("{name}: could not be run: {error}."),
            }
        }
        Program::Post(url) => {
            let host = url.host_str().unwrap_or_default().to_owned();
            match tokio::time::timeout(limit, post(url, &input.json, &clients)).await {
                Ok(Ok((status, body))) => {
                    with(format!("{host}: answered {status}, after {}.", took()), &body)
                }
                Ok(Err(error)) => format!("{host}: could not be reached: {error}."),
                Err(_) => format!("{host}: no answer within {}.", took()),
            }
        }
    }
}

fn with(sentence: String, printed: &[u8]) -> String {
    let printed = String::from_utf8_lossy(printed);
    let printed = printed.trim();
    if printed.is_empty() { sentence } else { format!("{sentence}\n{printed}") }
}

fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(0) => "done".to_owned(),
        Some(code) => format!("ended with {code}"),
        None => "ended by a signal".to_owned(),
    }
}

/// Runs a program to its end, or to the limit, which ends it and all that it has started. What it
/// printed comes as it was printed: standard output, then standard error.
async fn run_command(
    words: &[String],
    input: ProgramInput,
    limit: Duration,
) -> std::io::Result<(Option<ExitStatus>, Vec<u8>)> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(std::io::Error::other("no program is named"));
    };
    let json = input.json.to_string();
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    for (name, value) in input.variables.into_iter().chain([("JOBWATCH_JSON", json.clone())]) {
        let value = crate::redact::prefix(&value, MAX_VARIABLE);
        command.env(name, value.replace('\0', ""));
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let group = child.id();
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut printed = (Vec::new(), Vec::new());
    let all = async {
        let write = async {
            if let Some(mut input) = input {
                // A program need not read its input.
                let _ = input.write_all(json.as_bytes()).await;
            }
        };
        let (status, ..) = tokio::join!(
            child.wait(),
            write,
            read(output, &mut printed.0),
            read(errors, &mut printed.1)
        );
        status
    };
    let status = match tokio::time::timeout(limit, all).await {
        Ok(status) => Some(status?),
        Err(_) => {
            end(group);
            None
        }
    };
    let (mut output, errors) = printed;
    output.extend(errors);
    output.truncate(KEPT);
    Ok((status, output))
}

/// Ends a program and what it has started.
#[cfg(unix)]
fn end(group: Option<u32>) {
    let group =
        group.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group
        && let Err(error) =
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL)
    {
        tracing::warn!(%error, "a rule's program could not be ended");
    }
}

/// The program itself ends when its handle is dropped.
#[cfg(not(unix))]
fn end(_group: Option<u32>) {}

/// Reads to the end, and keeps the beginning.
async fn read(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut from) = from else { return };
    let mut part = [0; 4096];
    // An error is an end: the program's status says the rest.
    while let Ok(many @ 1..) = from.read(&mut part).await {
        let room = KEPT.saturating_sub(kept.len());
        kept.extend_from_slice(&part[..many.min(room)]);
    }
}

async fn post(url: Url, json: &Value, clients: &Clients) -> Result<(u16, Vec<u8>), String> {
    let client = clients.for_url(&url).await.map_err(|failure| failure.to_string())?;
    let answer = client.post(url).json(json).send().await;
    // The address may hold a token.
    let mut answer = answer.map_err(|error| describe(&error.without_url()))?;
    let mut body = Vec::new();
    while body.len() < KEPT
        && let Some(part) = answer.chunk().await.map_err(|error| describe(&error.without_url()))?
    {
        body.extend_from_slice(&part);
    }
    body.truncate(KEPT);
    Ok((answer.status().as_u16(), body))
}

/// An error with what it came from.
fn describe(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        words = format!("{words}: {inner}");
        source = inner.source();
    }
    words
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn input() -> ProgramInput {
        ProgramInput {
            json: serde_json::json!({ "title": "it failed", "job": { "id": "7" } }),
            variables: vec![("JOBWATCH_TITLE", "it\0 failed".to_owned())],
        }
    }

    async fn run_words(words: &[&str], limit: Duration) -> String {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        run(Program::Run(words), input(), limit, Arc::default()).await
    }

    #[tokio::test]
    async fn a_program_gets_the_event_on_its_input_and_in_its_environment() {
        let script = "cat; echo; echo \"$JOBWATCH_TITLE\"; echo \"$JOBWATCH_JSON\" >&2";
        let said = run_words(&["sh", "-c", script], LIMIT).await;
        let json = input().json.to_string();
        let (sentence, printed) = said.split_once('\n').unwrap();
        assert!(sentence.starts_with("sh: done, after "), "{sentence}");
        assert_eq!(printed, format!("{json}\nit failed\n{json}"));
    }

    #[tokio::test]
    async fn arguments_are_passed_as_they_are_and_no_shell_reads_them() {
        let said = run_words(&["echo", "$HOME; rm *", "a  b"], LIMIT).await;
        assert!(said.ends_with("\n$HOME; rm * a  b"), "{said}");
    }

    #[tokio::test]
    async fn the_output_says_how_a_program_ended() {
        assert!(run_words(&["sh", "-c", "exit 3"], LIMIT).await.starts_with("sh: ended with 3"));
        let missing = run_words(&["/no/such/program"], LIMIT).await;
        assert!(missing.starts_with("/no/such/program: could not be run: "), "{missing}");
        assert!(run_words(&[], LIMIT).await.contains("no program is named"));
    }

    #[tokio::test]
    async fn a_program_that_takes_too_long_is_ended_with_all_that_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let mark = directory.path().join("mark");
        let script = format!("echo begun; (sleep 2; touch {0}) & sleep 100", mark.display());
        let said = run_words(&["sh", "-c", &script], Duration::from_millis(300)).await;
        assert!(said.starts_with("sh: stopped after 3"), "{said}");
        assert!(said.ends_with("\nbegun"), "{said}");
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert!(!mark.exists(), "what it started goes on");
    }

    #[tokio::test]
    async fn of_what_is_printed_the_beginning_is_kept_and_nothing_waits_for_the_rest_to_be_read() {
        let said = run_words(&["sh", "-c", "yes abcdefg | head -c 3000000"], LIMIT).await;
        let (_, printed) = said.split_once('\n').unwrap();
        assert!(printed.starts_with("abcdefg\nabcdefg") && printed.len() <= KEPT);
    }
}
