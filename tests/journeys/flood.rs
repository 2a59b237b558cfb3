//! A log that grows by 50,000 lines a second while it is on screen and followed.
//!
//! As a journey it proves that no line is lost and that the page holds no more than it shows;
//! `cargo xtask bench window` lets it run for a minute in a release build, where the times that it
//! prints between two pictures mean something.

#[path = "../../crates/engine/benches/stream/mod.rs"]
#[allow(clippy::unwrap_used)]
mod stream;

use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use jobwatch_core::model::Level;
use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Flood, JobSpec};
use serde_json::Value;

use super::journey;
use super::session::Session;
use super::setup::{configured, demo, save};
use super::steps::{open_log, rows, shows};
use super::support::eventually;
use super::window::Window;

const PER_SECOND: u64 = 50_000;

/// Notes the time of every picture that the page could draw.
const RECORD: &str = r"
const times = (window.__times = []);
const note = (at) => { times.push(at); if (window.__times === times) requestAnimationFrame(note); };
requestAnimationFrame(note);
return null;
";
/// Ends the recording and gives the times between the pictures, in ms.
const GAPS: &str = r"
const times = window.__times;
window.__times = null;
return times.slice(1).map((at, index) => at - times[index]);
";

/// Resident bytes of the processes with this name in this session.
fn resident(session: &Session, name: &str) -> u64 {
    let home = format!("HOME={}", session.home().display());
    let mut bytes = 0;
    for process in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let read = |file: &str| std::fs::read(process.path().join(file)).unwrap_or_default();
        let comm = read("comm");
        let ours = read("environ").split(|byte| *byte == 0).any(|set| set == home.as_bytes());
        if ours && String::from_utf8_lossy(&comm).starts_with(name) {
            let status = String::from_utf8_lossy(&read("status")).into_owned();
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
            let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok());
            bytes += kib.unwrap_or(0) << 10;
        }
    }
    bytes
}

/// Times between pictures, in ms, sorted.
async fn gaps(window: &Window) -> Vec<f64> {
    let gaps = window.run(GAPS, vec![]).await;
    let Value::Array(gaps) = gaps else { panic!("{gaps}") };
    let mut gaps: Vec<f64> = gaps.iter().filter_map(Value::as_f64).collect();
    gaps.sort_by(f64::total_cmp);
    gaps
}

fn told_of(name: &str, gaps: &[f64]) {
    let part = |part: f64| gaps[((gaps.len() - 1) as f64 * part) as usize];
    println!(
        "{name}: {} pictures, {:.1} ms apart (median), {:.1} (p95), {:.1} (p99), {:.1} at most",
        gaps.len() + 1,
        part(0.5),
        part(0.95),
        part(0.99),
        part(1.0),
    );
}

#[test]
fn a_log_that_grows_by_50_000_lines_a_second_is_followed_and_none_is_lost() {
    let seconds = std::env::var("JOBWATCH_FLOOD_SECONDS").ok();
    let seconds = seconds.and_then(|seconds| seconds.parse::<u64>().ok()).unwrap_or(5);
    journey("flood", async |session| {
        let demo = demo().await;
        configured(session, &demo);
        let control = demo.control(DialectKind::Kecs);
        let job =
            control.start_job(JobSpec { name: Some("flood".to_owned()), ..JobSpec::default() });
        session.open(&[]).await;
        let window = session.window();
        window.status("Tasks", "Live").await;
        window.job("flood:7", "Running").await;
        control.log(&job, Level::Info, "the first word");
        open_log(window, "flood").await;
        shows(window, "the first word").await;

        window.run(RECORD, vec![]).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        told_of("without a flood", &gaps(window).await);

        let count = PER_SECOND * seconds;
        let flood = Flood { count, per_second: PER_SECOND, job: Some(job.clone()), batch: 200 };
        window.run(RECORD, vec![]).await;
        let begun = Instant::now();
        control.flood(flood);
        eventually("a second of the flood", async || {
            (control.counters().flooded_lines >= PER_SECOND).then_some(())
        })
        .await;
        let processes = [("the page", "WebKitWebProces"), ("the program", "jobwatch")];
        let memory = || processes.map(|(_, process)| resident(session, process) / 1_000_000);
        let mut held = vec![memory()];
        while control.counters().flooded_lines < count {
            assert!(begun.elapsed().as_secs() < 3 * seconds + 60, "the flood has dried up");
            tokio::time::sleep(Duration::from_millis(100)).await;
            if begun.elapsed().as_secs() >= 5 * held.len() as u64 {
                held.push(memory());
            }
        }
        held.push(memory());
        let sent = begun.elapsed();
        control.log(&job, Level::Info, "the last word");
        shows(window, "the last word").await;
        let seen = begun.elapsed() - sent;
        told_of("with 50,000 lines a second", &gaps(window).await);
        println!("sent in {sent:.1?}; the last line is on screen {seen:.1?} later");
        for (at, (name, _)) in processes.iter().enumerate() {
            let series: Vec<String> = held.iter().map(|both| both[at].to_string()).collect();
            println!("memory of {name}, every 5 s: {} MB", series.join(" "));
        }
        assert!(rows(window).await.len() < 80, "only what is visible is in the page");

        // As many lines as were sent, whoever counts them.
        says(window, &counted(count + 2)).await;
        demo.stop().await;
    });
}

/// Waits until the page holds this text, shown or, where there is no room, for who listens.
async fn says(window: &Window, text: &str) {
    eventually(&format!("text \"{text}\""), async || {
        let all = window.run("return document.body.textContent", vec![]).await;
        all.as_str().is_some_and(|all| all.contains(text)).then_some(())
    })
    .await;
}

/// So many lines, as the window says it.
fn counted(lines: u64) -> String {
    let digits = lines.to_string();
    let grouped: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|part| std::str::from_utf8(part).expect("digits"))
        .collect();
    format!("{} lines", grouped.join(","))
}

#[test]
fn a_stream_as_fast_as_it_is_taken_is_followed_and_no_line_is_lost() {
    // Rates mean something over seconds only, and in a release build.
    let many =
        if std::env::var_os("JOBWATCH_FLOOD_SECONDS").is_some() { 3_000_000 } else { 100_000 };
    for (batch, lines) in [(200, 2 * many), (1, many)] {
        journey("stream", async |session| {
            let wire = Arc::new(stream::frames(lines, batch));
            let mut first = Vec::new();
            let arn = format!("arn:aws:ecs:us-east-1:123456789012:task/default/{}", stream::JOB);
            let task = serde_json::json!({"type": "task_status_changed", "payload": {
                "taskArn": arn, "lastStatus": "RUNNING", "taskDefinitionArn": "a/stream:1"}});
            stream::frame_into(&mut first, &task.to_string());
            let line = serde_json::json!({"type": "log_entry", "payload": {
                "id": "first", "message": "the first word", "taskId": stream::JOB}});
            stream::frame_into(&mut first, &line.to_string());
            let (go, told) = mpsc::channel();
            let port = stream::serve(Arc::clone(&wire), Some((first, told)));
            let demo = demo().await;
            let mut server = configured(session, &demo);
            server.ws = format!("ws://127.0.0.1:{port}/ws");
            // Nothing listens there, so that no request disturbs the stream.
            server.api = Some("http://127.0.0.1:9".to_owned());
            server.options.insert("log_megabytes".to_owned(), "100000".to_owned());
            save(session, &server);
            session.open(&[]).await;
            let window = session.window();
            window.job("stream:1", "Running").await;
            open_log(window, "stream:1").await;

            window.run(RECORD, vec![]).await;
            let begun = Instant::now();
            go.send(()).expect("a server");
            says(window, &counted(lines + 1)).await;
            let taken = begun.elapsed();
            let pictures = gaps(window).await;
            let port = stream::serve(Arc::clone(&wire), None);
            let beside = tokio::spawn(stream::bare(port, lines, batch)).await.expect("a receiver");
            let ours = lines as f64 / taken.as_secs_f64();
            println!(
                "with the window open, {batch} lines a frame: {:.2} M/s, beside {:.2} M/s: {:.2}",
                ours / 1e6,
                beside / 1e6,
                ours / beside
            );
            told_of("while it came", &pictures);
            demo.stop().await;
        });
    }
}
