//! A process that is killed at any byte, and one that is given too much: each in a process of its
//! own, which is this program again with one of its ignored tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use jobwatch_core::connection::ConnectionState;
use jobwatch_core::model::JobState;
use jobwatch_core::server::{DialectKind, Server};
use jobwatch_demo::{Control, Demo, DemoOptions, JobSpec};
use jobwatch_engine::ports::{Desktop, Popup, Ports, Settled};
use jobwatch_engine::settings::{Saved, SavedServer, Settings, SettingsFile};
use jobwatch_engine::{Engine, Options, SettingsSource};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use crate::common::{World, quick, server, until};

/// Starts one of this file's ignored tests as a process of its own.
fn child(name: &str, environment: &[(&str, &str)]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("killed::{name}"), "--ignored", "--nocapture"])
        .envs(environment.iter().copied())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn given(name: &str) -> String {
    std::env::var(name).unwrap()
}

async fn start(world: &std::sync::Arc<World>, dir: &Path, server: &Server) -> Engine {
    let settings = SettingsSource::Fixed(vec![(server.clone(), None)]);
    let data_dir = Some(dir.to_owned());
    let ports = world.ports();
    Engine::start(Options { data_dir, settings, ports, seed: Some(1) }).await.unwrap()
}

/// A demo whose jobs do only what they are asked to, one of its servers, and a hand on that.
async fn quick_demo() -> (Demo, Server, Control) {
    let demo = Demo::start(DemoOptions { life: false, ..DemoOptions::default() }).await.unwrap();
    let kind = DialectKind::Kecs;
    let (mut server, _) = demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
    server.policy = quick();
    let control = demo.control(kind);
    (demo, server, control)
}

/// Runs until it is killed, on a desktop that takes no popup; says when one is on its way.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is killed by another test"]
async fn unsent_child() {
    let world = World::new();
    world.desktop_hangs.store(true, Ordering::Relaxed);
    let server: Server = serde_json::from_str(&given("SERVER")).unwrap();
    let _engine = start(&world, Path::new(&given("DIR")), &server).await;
    let popup = || !world.unsettled.lock().unwrap().is_empty();
    until("a popup on its way", popup).await;
    std::fs::write(given("SHOWN"), "").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_and_not_shown_when_the_process_was_killed_is_sent_once_at_the_next_start()
{
    let dir = tempfile::tempdir().unwrap();
    let (demo, server, control) = quick_demo().await;
    let shown = dir.path().join("shown");
    let text = serde_json::to_string(&server).unwrap();
    let data = dir.path().join("data");
    let mut process = child(
        "unsent_child",
        &[("SERVER", &text), ("DIR", data.to_str().unwrap()), ("SHOWN", shown.to_str().unwrap())],
    );
    until("its socket", || control.counters().sockets_opened > 0).await;
    let id = control.start_job(JobSpec::default());
    // The other side of a kill is only as good as what was known before it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    control.complete(&id, None);
    until("the popup to be on its way", || shown.exists()).await;
    // SIGKILL: nothing is written any more.
    process.kill().unwrap();
    process.wait().unwrap();

    for popups in [1, 0] {
        let world = World::new();
        let engine = start(&world, &data, &server).await;
        if popups == 1 {
            until("the popup", || !world.titles().is_empty()).await;
        }
        world.until_state(&server.id.0, ConnectionState::Live).await;
        until("the job", || {
            world.job(&id).is_some_and(|job| job.state == JobState::Completed) || popups == 0
        })
        .await;
        engine.stop().await;
        assert_eq!(world.titles().len(), popups, "{:?}", world.titles());
    }
    demo.stop().await;
}

/// A desktop that keeps what it was asked to show in a file, as a notification daemon outlives the
/// program: a line a popup, its number before its title.
struct Kept {
    file: std::path::PathBuf,
    /// The program does not live to learn that the desktop took a popup.
    kills: bool,
}

impl Desktop for Kept {
    fn show(&self, popup: Popup, settled: Settled) {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.file).unwrap();
        file.write_all(format!("{} {}\n", popup.popup_id, popup.notice.title).as_bytes()).unwrap();
        if self.kills {
            std::process::abort();
        }
        settled();
    }

    fn withdraw(&self, _slot: u64) {}
}

/// Tells what ends until it is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "is killed by another test"]
async fn announcing_child() {
    let server: Server = serde_json::from_str(&given("SERVER")).unwrap();
    let kills = std::env::var_os("KILLS").is_some();
    let desktop = Arc::new(Kept { file: given("SHOWN").into(), kills });
    let ports = Ports { desktop: Some(desktop), ..Ports::default() };
    let settings = SettingsSource::Fixed(vec![(server, None)]);
    let data_dir = Some(given("DIR").into());
    let _engine = Engine::start(Options { data_dir, settings, ports, seed: None }).await.unwrap();
    std::future::pending::<()>().await;
}

/// How often each job was shown: by a popup of its own, or by being counted in one of several.
fn times_shown(path: &Path) -> (BTreeMap<String, BTreeSet<String>>, usize) {
    let (mut alone, mut counted) = (BTreeMap::<_, BTreeSet<String>>::new(), BTreeMap::new());
    for line in std::fs::read_to_string(path).unwrap_or_default().lines() {
        let (popup_id, title) = line.split_once(' ').unwrap();
        match title.strip_prefix("While Jobwatch was off").and_then(|rest| rest.split_once(": ")) {
            Some((_, counts)) => {
                let many = counts.split(' ').next().unwrap().parse::<usize>().unwrap();
                counted.insert(popup_id.to_owned(), many);
            }
            None => {
                alone.entry(title.to_owned()).or_default().insert(popup_id.to_owned());
            }
        }
    }
    (alone, counted.values().sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_the_process_is_killed_each_end_is_announced_once() {
    const KILLS: u64 = 200;
    let dir = tempfile::tempdir().unwrap();
    let (demo, server, control) = quick_demo().await;
    let shown = dir.path().join("shown");
    let data = dir.path().join("data");
    let text = serde_json::to_string(&server).unwrap();
    let environment =
        [("SERVER", &*text), ("DIR", data.to_str().unwrap()), ("SHOWN", shown.to_str().unwrap())];
    // What ends before the first listing is no news: it is kept when the pulse comes round.
    let mut first = child("announcing_child", &environment);
    until("its socket", || control.counters().sockets_opened > 0).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    first.kill().unwrap();
    first.wait().unwrap();
    // Pseudo-random, and the same every time.
    let mut dice = 0x2545_f491_4f6c_dd1d_u64;
    let mut roll = |most: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % most
    };
    for round in 0..KILLS {
        let before = control.counters().sockets_opened;
        let spec = JobSpec { name: Some(format!("round{round}")), ..JobSpec::default() };
        let id = control.start_job(spec);
        // Now and then it is the very moment after the desktop took a popup.
        let mut given = environment.to_vec();
        given.extend((round % 10 == 3).then_some(("KILLS", "")));
        let mut process = child("announcing_child", &given);
        until("its socket", || control.counters().sockets_opened > before).await;
        tokio::time::sleep(Duration::from_millis(roll(300))).await;
        control.complete(&id, None);
        // What follows from an end is done within so long; now and then it is what follows from a
        // start, when all that ended meanwhile is one summary.
        let summary = if round % 8 == 7 { 2_000_000 } else { 0 };
        tokio::time::sleep(Duration::from_micros(summary + roll(300_000))).await;
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let mut last = child("announcing_child", &environment);
    let total = || {
        let (alone, counted) = times_shown(&shown);
        alone.len() + counted
    };
    until("all ends to be shown", || total() >= KILLS as usize).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    last.kill().unwrap();
    last.wait().unwrap();
    let (alone, counted) = times_shown(&shown);
    let doubled: Vec<_> = alone.iter().filter(|(_, popup_ids)| popup_ids.len() > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    assert_eq!(alone.len() + counted, KILLS as usize, "{} alone, {counted} counted", alone.len());
    println!("{} shown alone, {counted} in summaries", alone.len());
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_on_one_data_directory_one_announces_and_the_other_takes_over() {
    const ROUNDS: usize = 24;
    let dir = tempfile::tempdir().unwrap();
    let (demo, server, control) = quick_demo().await;
    let shown = dir.path().join("shown");
    let data = dir.path().join("data");
    let text = serde_json::to_string(&server).unwrap();
    let environment =
        [("SERVER", &*text), ("DIR", data.to_str().unwrap()), ("SHOWN", shown.to_str().unwrap())];
    let start = async || {
        let before = control.counters().sockets_opened;
        let process = child("announcing_child", &environment);
        until("its socket", || control.counters().sockets_opened > before).await;
        process
    };
    let mut announcing = start().await;
    // What ends before the first listing is no news.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let mut standing_by = start().await;
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    let mut dice = 0x2545_f491_4f6c_dd1d_u64;
    let mut roll = |most: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % most
    };
    for round in 0..ROUNDS {
        let spec = JobSpec { name: Some(format!("round{round}")), ..JobSpec::default() };
        let id = control.start_job(spec);
        tokio::time::sleep(Duration::from_millis(200)).await;
        control.complete(&id, None);
        if round % 3 == 2 {
            // Whoever announces is killed about then, and the other takes over.
            tokio::time::sleep(Duration::from_millis(roll(300))).await;
            announcing.kill().unwrap();
            announcing.wait().unwrap();
            announcing = std::mem::replace(&mut standing_by, start().await);
        }
    }
    let total = || {
        let (alone, counted) = times_shown(&shown);
        alone.len() + counted
    };
    until("all ends to be shown", || total() >= ROUNDS).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for process in [&mut announcing, &mut standing_by] {
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let (alone, counted) = times_shown(&shown);
    let doubled: Vec<_> = alone.iter().filter(|(_, popup_ids)| popup_ids.len() > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    assert_eq!(alone.len() + counted, ROUNDS, "{alone:?}, {counted} counted");
    demo.stop().await;
}

fn many_servers(round: usize) -> Settings {
    let mut settings = Settings::default();
    for number in 0..200 {
        let mut server = server(DialectKind::Kecs, 1);
        server.id.0 = format!("s{number}");
        server.name = format!("Round {round}, server {number}");
        settings.servers.push(SavedServer { server, has_key: false });
    }
    settings
}

/// Saves for ever, until it is killed.
#[test]
#[ignore = "is killed by another test"]
fn saving_child() {
    let (mut file, _) = SettingsFile::load(given("FILE").into());
    for round in 0.. {
        assert!(matches!(file.save(&many_servers(round)), Ok(Saved::Replaced(None))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_whole_whenever_the_process_that_saves_them_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("settings.toml");
    for round in 0..10 {
        let before = std::fs::metadata(&path).and_then(|file| file.modified()).ok();
        let mut process = child("saving_child", &[("FILE", path.to_str().unwrap())]);
        until("a save", || {
            std::fs::metadata(&path).and_then(|file| file.modified()).ok() != before
        })
        .await;
        tokio::time::sleep(Duration::from_micros(700 * round)).await;
        process.kill().unwrap();
        process.wait().unwrap();
        let (_, read) = SettingsFile::load(path.clone());
        assert_eq!(read.problem, None);
        let names: Vec<&str> =
            read.settings.servers.iter().map(|saved| saved.server.name.as_str()).collect();
        assert_eq!(names.len(), 200);
        let one_save = names[0].split(',').next().unwrap();
        assert!(names.iter().all(|name| name.starts_with(one_save)), "of two saves: {names:?}");
    }
}

/// Megabytes that this process has held at most.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().split(' ').next()?.parse::<usize>().ok()? / 1_024)
}

/// Tells of 100,000 tasks, each with an error of a page, and counts what was asked of it.
async fn endless(sent: &'static AtomicUsize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(socket) = tokio_tungstenite::accept_async(stream).await else { return };
                let (mut sink, mut stream) = socket.split();
                let page = "x".repeat(2_000);
                for number in 0..100_000 {
                    let frame = serde_json::json!({
                        "type": "TASK_CREATED",
                        "data": { "task_id": number, "job_id": "7",
                                  "changes": { "status": "failed", "task_error": page } },
                    });
                    if sink.feed(Message::text(frame.to_string())).await.is_err() {
                        return;
                    }
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                let _ = sink.flush().await;
                while stream.next().await.is_some() {}
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "is measured by another test"]
async fn flooded_child() {
    static SENT: AtomicUsize = AtomicUsize::new(0);
    let dir = tempfile::tempdir().unwrap();
    let mut of = server(DialectKind::TriggerX, endless(&SENT).await);
    of.name = "Endless".to_owned();
    // Nobody reads the stream: only what the program itself keeps counts.
    let world = World::new();
    let ports = Ports { sink: None, ..world.ports() };
    let settings = SettingsSource::Fixed(vec![(of, None)]);
    let data_dir = Some(dir.path().to_owned());
    let options = Options { data_dir, settings, ports, seed: Some(1) };
    let engine = Engine::start(options).await.unwrap();
    let begun = std::time::Instant::now();
    let mut longest = Duration::ZERO;
    loop {
        let asked = std::time::Instant::now();
        let jobs = engine.overview().await.unwrap().jobs;
        longest = longest.max(asked.elapsed());
        if jobs >= 100_000 {
            break;
        }
        let sent = SENT.load(Ordering::Relaxed);
        assert!(begun.elapsed() < Duration::from_secs(120), "{jobs} jobs of {sent}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    engine.stop().await;
    let popups = world.popups.lock().unwrap().len();
    println!(
        "{:?}, longest wait {longest:?}, {popups} popups, peak {:?} MB",
        begun.elapsed(),
        peak()
    );
    assert!(longest < Duration::from_secs(5), "the window waited {longest:?}");
    // The texts alone are 200 MB.
    assert!(peak().is_none_or(|peak| peak < 900), "{:?} MB", peak());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_jobs_at_once_are_taken_within_a_bound_of_memory() {
    let process = tokio::task::spawn_blocking(|| child("flooded_child", &[]).wait().unwrap());
    assert!(process.await.unwrap().success());
}
