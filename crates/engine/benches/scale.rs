//! What a hundred thousand jobs cost: memory while they come in one list, and afterwards; and how
//! long a history of so many takes to be shown.
//!
//! `cargo bench --package jobwatch-engine --bench scale [-- JOBS]`. Each figure is of a process of its
//! own, and of its own memory; the server of the list is another one.

#![allow(clippy::unwrap_used, missing_docs)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jobwatch_core::model::Topic;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, PolicyChange, Server, ServerId};
use jobwatch_engine::api::{JobSort, ViewSpec};
use jobwatch_engine::ports::{Desktop, Popup, Ports, Settled};
use jobwatch_engine::{Engine, Options, SettingsSource};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A desktop, so that the history is written as in the program.
#[derive(Debug)]
struct Nobody;

impl Desktop for Nobody {
    fn show(&self, _: Popup, settled: Settled) {
        settled();
    }

    fn withdraw(&self, _: u64) {}
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |n: usize| words.get(n).map(String::as_str);
    match (word(0), word(1), word(2)) {
        (Some("serve"), Some(jobs), _) => serve(jobs.parse().unwrap()),
        (Some("list"), Some(port), Some(jobs)) => {
            list(port.parse().unwrap(), jobs.parse().unwrap())
        }
        (Some("history"), Some(place), Some(jobs)) => {
            history(Path::new(place), jobs.parse().unwrap())
        }
        (Some("idle"), ..) => idle(),
        _ => {
            // `cargo test` runs benches too, and wants to know only that they run.
            let trial = words.iter().any(|word| word == "--test");
            let jobs = words.iter().find_map(|word| word.parse().ok());
            all(jobs.unwrap_or(if trial { 200 } else { 100_000 }));
        }
    }
}

fn all(jobs: u64) {
    println!("{:<44} {:>12}", format!("{jobs} jobs"), "");
    let idle = run(&["idle".to_owned()])[0];
    println!("{:<44} {:>8} MiB", "the engine without a server", idle >> 20);
    let mut server = child(&["serve".to_owned(), jobs.to_string()]);
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let list = run(&["list".to_owned(), port.trim().to_owned(), jobs.to_string()]);
    server.kill().unwrap();
    server.wait().unwrap();
    let above = |bytes: u64| format!("{} MiB", bytes.saturating_sub(idle) >> 20);
    println!("{:<44} {:>12}", "  at most, while their list is read", above(list[0]));
    println!("{:<44} {:>12}", "  afterwards, read every few seconds", above(list[1]));
    println!("{:<44} {:>9} ms", "  from the start to the first rows", list[2]);
    let place = tempfile::tempdir().unwrap();
    let mut server = child(&["serve".to_owned(), jobs.to_string()]);
    let mut port = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let mut kept = vec!["list".to_owned(), port.trim().to_owned(), jobs.to_string()];
    kept.push(place.path().to_string_lossy().into_owned());
    run(&kept);
    server.kill().unwrap();
    server.wait().unwrap();
    for _ in 0..3 {
        let past = run(&["history".to_owned(), kept[3].clone(), jobs.to_string()]);
        println!("{:<44} {:>9} ms", "from the start to an engine that answers", past[0]);
        let rows = format!("  to the rows of the history ({} jobs)", past[4]);
        println!("{rows:<44} {:>9} ms", past[1]);
        println!("{:<44} {:>12}", "  memory at most", above(past[2]));
        println!("{:<44} {:>12}", "  memory afterwards", above(past[3]));
    }
}

fn child(words: &[String]) -> std::process::Child {
    let program = std::env::current_exe().unwrap();
    Command::new(program).args(words).stdout(Stdio::piped()).spawn().unwrap()
}

/// The numbers that a part prints.
fn run(words: &[String]) -> Vec<u64> {
    let output = child(words).wait_with_output().unwrap();
    assert!(output.status.success(), "{words:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().map(|word| word.parse().unwrap()).collect()
}

/// A field of this process's status, in bytes.
fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap() << 10
}

/// A server of jobs of TriggerX, of which half have ended, as HTTP alone tells of them.
fn serve(jobs: u64) {
    let mut body = String::from("{\"jobs\":[");
    for n in 1..=jobs {
        let comma = if n == 1 { "" } else { "," };
        let state = if n % 2 == 0 { "running" } else { "completed" };
        body += &format!(
            "{comma}{{\"job_data\":{{\"job_id\":{n},\"job_title\":\"Rebalance pool {}\",\
             \"status\":\"{state}\",\"user_id\":7,\"task_definition_id\":{},\"custom\":false,\
             \"created_at\":\"2026-11-2{}T16:5{}:48.009Z\",\"updated_at\":\"2026-11-27T1{}:5{}:48Z\",\
             \"target_chain_id\":\"{}\",\"time_frame\":3600}}}}",
            n % 500,
            n % 6,
            n % 8,
            n % 10,
            n % 10,
            n % 10,
            n % 90 + 10
        );
    }
    body += "]}";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    std::io::stdout().flush().unwrap();
    let body = Arc::new(body);
    for stream in listener.incoming() {
        let body = Arc::clone(&body);
        std::thread::spawn(move || answer(stream.unwrap(), &body));
    }
}

fn answer(mut stream: TcpStream, body: &str) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let body = if head.contains("/jobs/by-apikey") { body } else { "{\"data\":{}}" };
    let status = if head.contains("ws/tasks") { "404 Not Found" } else { "200 OK" };
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
}

fn server(port: u16) -> (Server, Option<Secret>) {
    let server = Server {
        id: ServerId("bench".to_owned()),
        name: "Bench".to_owned(),
        dialect: DialectKind::TriggerX,
        ws: format!("ws://127.0.0.1:{port}/api/ws/tasks"),
        api: None,
        key: None,
        namespace: None,
        options: Default::default(),
        watch: vec![Topic::Everything],
        paused: false,
        extra_ca: None,
        policy: PolicyChange::default(),
    };
    (server, Some(Secret::new("a-key".to_owned())))
}

fn options(servers: Vec<(Server, Option<Secret>)>, place: Option<&Path>) -> Options {
    let ports = Ports { desktop: Some(Arc::new(Nobody)), ..Ports::default() };
    let data_dir = place.map(Path::to_owned);
    Options { data_dir, settings: SettingsSource::Fixed(servers), ports, seed: Some(1) }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn idle() {
    runtime().block_on(async {
        let place = tempfile::tempdir().unwrap();
        let engine = Engine::start(options(Vec::new(), Some(place.path()))).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        println!("{}", status("VmRSS:"));
        engine.stop().await;
    });
}

/// Waits until so many jobs are listed; answers how many are.
async fn listed(engine: &Engine, jobs: u64) -> u64 {
    let spec = ViewSpec::Jobs {
        server: None,
        queue: None,
        states: Vec::new(),
        search: String::new(),
        sort: JobSort::Activity,
    };
    let view = engine.open_view(spec).await.unwrap();
    loop {
        let total = engine.view_window(view, 0, 60).await.unwrap().total;
        if total >= jobs {
            return total;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Prints the most memory, the memory afterwards, and the milliseconds until the list was there.
fn list(port: u16, jobs: u64) {
    let place = std::env::args().nth(4);
    let kept = tempfile::tempdir().unwrap();
    let place = place.as_deref().map_or(kept.path(), Path::new);
    runtime().block_on(async {
        let begun = Instant::now();
        let engine = Engine::start(options(vec![server(port)], Some(place))).await.unwrap();
        listed(&engine, jobs).await;
        let there = begun.elapsed();
        tokio::time::sleep(Duration::from_secs(if jobs > 1_000 { 12 } else { 1 })).await;
        println!("{} {} {}", status("VmHWM:"), status("VmRSS:"), there.as_millis());
        engine.stop().await;
    });
}

/// Prints the milliseconds until the engine answers and until the rows are there, and memory.
fn history(place: &Path, jobs: u64) {
    runtime().block_on(async {
        let begun = Instant::now();
        // Nothing listens there.
        let engine = Engine::start(options(vec![server(9)], Some(place))).await.unwrap();
        engine.overview().await.unwrap();
        let answers = begun.elapsed();
        let rows = listed(&engine, jobs.min(1)).await;
        let there = begun.elapsed();
        tokio::time::sleep(Duration::from_secs(2)).await;
        let memory = [status("VmHWM:"), status("VmRSS:")];
        let times = [answers.as_millis(), there.as_millis()];
        println!("{} {} {} {} {rows}", times[0], times[1], memory[0], memory[1]);
        engine.stop().await;
    });
}
