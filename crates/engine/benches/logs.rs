//! How fast logs come in, are searched and are opened, each beside what it is to be measured by in
//! the same run: a bare receiver that decodes the same stream, and ripgrep over the same text.
//!
//! `cargo bench --package jobwatch-engine --bench logs [-- LINES] [ingest] [search] [open]`. Plain numbers, medians of a few
//! rounds; no harness, since a round takes seconds.

#![allow(clippy::unwrap_used, missing_docs)]

mod stream;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jobwatch_core::log::{LogLine, LogLines};
use jobwatch_core::model::{JobId, Source, Topic};
use jobwatch_core::server::{DialectKind, PolicyChange, Server, ServerId};
use jobwatch_engine::api::{LogFilter, LogFind, LogTarget, OpenJob, Rows, ViewSpec};
use jobwatch_engine::logs::find::{Rules, Search};
use jobwatch_engine::logs::log::JobLog;
use jobwatch_engine::logs::reader::Reader;
use jobwatch_engine::logs::{Owner, Snapshot, log_index};
use jobwatch_engine::ports::Ports;
use jobwatch_engine::{Engine, Options, SettingsSource};
use stream::{JOB, at, bare, frames, serve, text};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 3;

fn main() {
    let lines = std::env::args().filter_map(|word| word.parse::<u64>().ok()).next();
    // `cargo test` runs benches too, and wants to know only that they run.
    let only_a_trial = std::env::args().any(|word| word == "--test");
    let lines = lines.unwrap_or(if only_a_trial { 2_000 } else { 10_000_000 });
    println!("{:<52} {:>14} {:>14} {:>7}", "", "ours", "beside", "ratio");
    let words: Vec<String> = std::env::args().skip(1).collect();
    let parts = ["ingest", "search", "open"];
    let all = !words.iter().any(|word| parts.contains(&word.as_str()));
    let wanted = |part: &str| all || words.iter().any(|word| word == part);
    if wanted("ingest") {
        ingest(200, lines.min(2_000_000));
        ingest(1, lines.min(1_000_000));
    }
    if wanted("search") {
        searches(lines.min(1_000_000));
        if lines > 1_000_000 {
            searches(lines);
        }
    }
    if wanted("open") {
        opening(lines);
    }
}

fn row(name: &str, ours: String, beside: String, ratio: f64) {
    println!("{name:<52} {ours:>14} {beside:>14} {ratio:>7.2}");
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn millions(rate: f64) -> String {
    format!("{:.2} M/s", rate / 1e6)
}

fn millis(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1e3)
}

fn server(port: u16) -> Server {
    Server {
        id: ServerId("bench".to_owned()),
        name: "Bench".to_owned(),
        dialect: DialectKind::Kecs,
        ws: format!("ws://127.0.0.1:{port}/ws"),
        // Nothing listens there, so that no request disturbs the stream.
        api: Some("http://127.0.0.1:9".to_owned()),
        key: None,
        namespace: None,
        options: BTreeMap::from([("log_megabytes".to_owned(), "100000".to_owned())]),
        watch: vec![Topic::Everything],
        paused: false,
        extra_ca: None,
        policy: PolicyChange::default(),
    }
}

/// Lines a second of the engine, until the last one can be searched on the disk.
async fn whole(port: u16, lines: u64) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        data_dir: Some(dir.path().to_owned()),
        settings: SettingsSource::Fixed(vec![(server(port), None)]),
        ports: Ports { desktop: Some(Arc::new(Nobody)), ..Ports::default() },
        seed: Some(1),
    };
    let begun = Instant::now();
    let engine = Engine::start(options).await.unwrap();
    let spec = ViewSpec::Log {
        jobs: vec![OpenJob { server: "bench".to_owned(), job: JOB.to_owned() }],
        filter: LogFilter::default(),
    };
    let view = engine.open_view(spec).await.unwrap();
    let mut first = None;
    loop {
        let window = engine.view_window(view, u64::MAX, 1).await.unwrap();
        let Rows::Log { state, .. } = window.rows else { panic!() };
        if state.lines > 0 && first.is_none() {
            first = Some(Instant::now());
        }
        if state.lines >= lines {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "{} lines came", state.lines);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The stream begins within milliseconds of the start.
    let rate = lines as f64 / begun.elapsed().as_secs_f64();
    engine.stop().await;
    rate
}

struct Nobody;

impl jobwatch_engine::ports::Desktop for Nobody {
    fn show(&self, _: jobwatch_engine::ports::Popup, settled: jobwatch_engine::ports::Settled) {
        settled();
    }

    fn withdraw(&self, _: u64) {}
}

fn ingest(batch: u64, lines: u64) {
    let wire = Arc::new(frames(lines, batch));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (mut ours, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let port = serve(Arc::clone(&wire), None);
        beside.push(
            runtime.block_on(async { tokio::spawn(bare(port, lines, batch)).await.unwrap() }),
        );
        let port = serve(Arc::clone(&wire), None);
        ours.push(runtime.block_on(async { tokio::spawn(whole(port, lines)).await.unwrap() }));
    }
    let (ours, beside) = (median(ours), median(beside));
    let name = format!("socket to disk, {batch} lines a frame, beside bare decode");
    row(&name, millions(ours), millions(beside), ours / beside);
}

/// A log of so many lines in `dir`, and the same text in one file.
fn filled(dir: &Path, lines: u64) -> (PathBuf, PathBuf) {
    let owner = Owner { server: ServerId("bench".to_owned()), job: JobId::from(JOB) };
    let home = log_index::directory(dir, &owner);
    let mut log = JobLog::create(Some(&home)).unwrap();
    let one = dir.join("all.log");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&one).unwrap());
    let mut n = 0;
    while n < lines {
        let mut batch = LogLines::new();
        for n in n..(n + 10_000).min(lines) {
            let text = if n == lines - 1_000 { "the needle in it".to_owned() } else { text(n) };
            batch.push(LogLine { at: Some(at(n)), text: &text, ..LogLine::default() });
            writeln!(file, "{text}").unwrap();
        }
        let (_, problem) = log.push(&batch, Source::Socket);
        assert!(problem.is_none(), "{problem:?}");
        n += 10_000;
    }
    file.flush().unwrap();
    (home, one)
}

fn open(home: &Path) -> Arc<Snapshot> {
    Arc::new(JobLog::open(home, false).unwrap().0.snapshot())
}

fn searches(lines: u64) {
    let dir = tempfile::tempdir().unwrap();
    let (home, one) = filled(dir.path(), lines);
    let log = open(&home);
    let found = |text: &str, regex: bool| {
        let find = LogFind { text: text.to_owned(), regex, case: true, word: false };
        LogFilter { find: Some(find), ..LogFilter::default() }
    };
    for (name, text, regex) in [
        ("a rare text", "the needle", false),
        ("a common text", "page=13", false),
        ("a regular expression", r"items\?page=\d5 200 in 1\d\d ms", true),
    ] {
        let (mut ours, mut beside, mut first) = (Vec::new(), Vec::new(), Vec::new());
        let (mut hits, mut theirs) = (0, 0);
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            let search = Arc::new(Search::new(Rules::new(&found(text, regex)).unwrap(), 1));
            let seen = std::sync::Mutex::new(None);
            search.run(&[Arc::clone(&log)], &|| {
                seen.lock().unwrap().get_or_insert_with(|| begun.elapsed().as_secs_f64());
            });
            let reader =
                Reader::new(&[Arc::clone(&log)], vec![vec![]], vec![String::new()], Some(search));
            hits = reader.state().unwrap().matches;
            ours.push(begun.elapsed().as_secs_f64());
            first.push(seen.lock().unwrap().unwrap_or(0.0));
            let begun = Instant::now();
            let mut rg = Command::new("rg");
            rg.args(["--no-config", "--count", "--case-sensitive", "--no-ignore"]);
            if !regex {
                rg.arg("--fixed-strings");
            }
            let Ok(output) = rg.arg("--").arg(text).arg(&one).stderr(Stdio::null()).output() else {
                println!("ripgrep is not installed: nothing to measure searches by");
                return;
            };
            beside.push(begun.elapsed().as_secs_f64());
            theirs = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0);
        }
        assert_eq!(hits, theirs, "both find the same lines");
        let (ours, beside) = (median(ours), median(beside));
        let name = format!("search {:.0} M lines for {name}, beside ripgrep", lines as f64 / 1e6);
        row(&name, millis(ours), millis(beside), ours / beside);
        println!("{:<52} {:>14}", "  its first stretch searched within", millis(median(first)));
    }
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10
}

fn opening(lines: u64) {
    let dir = tempfile::tempdir().unwrap();
    let (home, _) = filled(dir.path(), lines);
    let before = resident();
    let begun = Instant::now();
    let log = open(&home);
    let reader = || Reader::new(&[Arc::clone(&log)], vec![vec![]], vec![String::new()], None);
    let rows = reader().window(lines.saturating_sub(60), 60).unwrap();
    reader().state().unwrap();
    let opened = begun.elapsed().as_secs_f64();
    assert_eq!(rows.len() as u64, lines.min(60));
    let mut jumps = Vec::new();
    for nth in 0..200_u64 {
        let begun = Instant::now();
        let row = nth * 7_919_993 % lines;
        let reader = reader();
        reader.window(row, 60).unwrap();
        reader.state().unwrap();
        jumps.push(begun.elapsed().as_secs_f64());
    }
    let mut seeks = Vec::new();
    for nth in 0..100_u64 {
        let begun = Instant::now();
        let at = at(nth * 7_919_993 % lines).as_millisecond();
        reader().seek(LogTarget::Time { at }).unwrap();
        seeks.push(begun.elapsed().as_secs_f64());
    }
    let begun = Instant::now();
    reader().map(300, 200).unwrap();
    let map = begun.elapsed().as_secs_f64();
    let grown = resident().saturating_sub(before);
    jumps.sort_by(f64::total_cmp);
    let millions = lines as f64 / 1e6;
    println!(
        "{:<52} {:>14}",
        format!("open {millions:.0} M lines and draw the last"),
        millis(opened)
    );
    println!("{:<52} {:>14}", "  a jump anywhere, read (median)", millis(median(jumps.clone())));
    println!(
        "{:<52} {:>14}",
        "  a jump anywhere, read (slowest of 200)",
        millis(jumps[jumps.len() - 1])
    );
    println!("{:<52} {:>14}", "  a jump to a time (median)", millis(median(seeks)));
    println!("{:<52} {:>14}", "  map of 300 slices and 200 buckets", millis(map));
    println!("{:<52} {:>14}", "  memory grew by", format!("{:.1} MB", grown as f64 / 1e6));
}
