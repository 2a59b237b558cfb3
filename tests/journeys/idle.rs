//! The cost of the program without a window. `cargo xtask bench idle` prints the figures; the bounds
//! are on processor time and memory, which do not depend on how busy the machine is.

use std::time::{Duration, Instant};

use jobwatch_demo::{Demo, DemoOptions};
use jobwatch_engine::settings::{SavedServer, Settings, SettingsFile};

use super::journey;
use super::session::Session;
use super::setup::connected;
use super::support::eventually;

/// How long to measure, in seconds.
const SECONDS: &str = "JOBWATCH_IDLE_SECONDS";

/// The most processor time in the background, as a share of one core.
const MAX_SHARE: f64 = 0.05;
/// The most memory that a closed window may leave behind, in MiB.
const MAX_LEFT: u64 = 48;

/// A process as the kernel accounts for it.
struct Cost {
    /// Processor time, in hundredths of a second.
    ticks: u64,
    /// Memory in MiB: its own, and its share of what it shares.
    proportional: u64,
}

fn cost(process: u32) -> Cost {
    let read = |file: &str| {
        std::fs::read_to_string(format!("/proc/{process}/{file}")).expect("the process is there")
    };
    let stat = read("stat");
    // The second field is the program's name in brackets, which may hold blanks.
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks = fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
    let rollup = read("smaps_rollup");
    let pss = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).expect("its memory");
    let kib: u64 = pss.trim().trim_end_matches(" kB").parse().expect("a number");
    Cost { ticks, proportional: kib / 1024 }
}

/// Measures for so long, and returns the memory in MiB.
async fn measure(what: &str, process: u32, seconds: u64) -> u64 {
    let before = cost(process);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = cost(process);
    let share = (after.ticks - before.ticks) as f64 / 100.0 / seconds as f64;
    println!("{what}: {:.2} % of a core, {} MiB", share * 100.0, after.proportional);
    assert!(share < MAX_SHARE, "{what}: {share} of a core");
    after.proportional
}

/// How many pages have subscribed, by the program's log.
fn pages(session: &Session) -> usize {
    session.logged("the page subscribed")
}

/// How often the program has released its code, by its log.
fn released(session: &Session) -> usize {
    session.logged("bytes of code released")
}

#[test]
fn in_the_background_it_uses_little_of_a_core_and_gives_the_windows_memory_back() {
    let seconds = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    journey("idle", async |session| {
        let options = DemoOptions { life: false, keys: false, ..DemoOptions::default() };
        let demo = Demo::start(options).await.expect("the demo");
        let (mut file, ..) = SettingsFile::load(session.config().join("settings.toml"));
        let saved = |(server, _)| SavedServer { server, has_key: false };
        let servers: Vec<SavedServer> = demo.servers().into_iter().map(saved).collect();
        let kinds: Vec<_> = servers.iter().map(|saved| saved.server.dialect).collect();
        file.save(&Settings { servers, ..Settings::default() }).expect("settings");
        session.start_tray().await;
        let mut program = session.start_alone(&["--hidden"]);
        let process = program.id().expect("it runs");
        for kind in kinds {
            connected(&demo.control(kind)).await;
        }
        // The program has settled once it has released the code that started it.
        eventually("its code released", async || (released(session) > 0).then_some(())).await;
        let before = measure("never opened", process, seconds).await;
        for round in 1..=3 {
            let begun = Instant::now();
            // A second instance ends once the first has received its request.
            let mut second = session.start_alone(&[]);
            second.wait().await.expect("it ends");
            let asked = begun.elapsed();
            let screen = session.screen();
            let window = eventually("the window", async || screen.window()).await;
            let shown = begun.elapsed();
            eventually("the page", async || (pages(session) >= round).then_some(())).await;
            let loaded = begun.elapsed();
            println!(
                "back: asked after {} ms, a window after {}, its page after {}",
                asked.as_millis(),
                shown.as_millis(),
                loaded.as_millis()
            );
            screen.close(window);
            eventually("no window", async || screen.window().is_none().then_some(())).await;
        }
        let earlier = released(session);
        eventually("its code released", async || (released(session) > earlier).then_some(())).await;
        let after = measure("closed again", process, seconds).await;
        assert!(after < before + MAX_LEFT, "{before} MiB before the window, {after} after");
        program.kill().await.expect("it runs");
        demo.stop().await;
    });
}
