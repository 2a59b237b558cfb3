//! What the program costs while nobody looks at it, and how soon it is back. The figures are printed
//! for `cargo xtask bench idle`; no test depends on how fast a machine is.

use std::time::{Duration, Instant};

use jobwatch_demo::{Demo, DemoOptions};
use jobwatch_engine::settings::{SavedServer, Settings, SettingsFile};

use super::desktop::Desktop;
use super::journey;
use super::logs::connected;
use super::support::eventually;

/// For how long it is watched, in seconds.
const SECONDS: &str = "JOBWATCH_IDLE_SECONDS";

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

async fn watch(process: u32, seconds: u64) -> String {
    let before = cost(process);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = cost(process);
    let share = (after.ticks - before.ticks) as f64 / seconds as f64;
    format!("{share:.2} % of a core, {} MiB", after.proportional)
}

/// How many pages have been loaded and listen, by the program's log.
fn pages(desktop: &Desktop) -> usize {
    desktop.logged("the page subscribed")
}

#[test]
fn in_the_background_with_five_live_servers_it_costs_next_to_nothing_and_is_soon_back() {
    let seconds = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    journey("idle", async |desktop| {
        let options = DemoOptions { life: false, keys: false, ..DemoOptions::default() };
        let demo = Demo::start(options).await.expect("the demo");
        let (mut file, ..) = SettingsFile::load(desktop.config().join("settings.toml"));
        let saved = |(server, _)| SavedServer { server, has_key: false };
        let servers: Vec<SavedServer> = demo.servers().into_iter().map(saved).collect();
        let kinds: Vec<_> = servers.iter().map(|saved| saved.server.dialect).collect();
        file.save(&Settings { servers, ..Settings::default() }).expect("settings");
        desktop.start_tray().await;
        let mut program = desktop.start_alone(&["--hidden"]);
        let process = program.id().expect("it runs");
        for kind in kinds {
            connected(&demo.control(kind)).await;
        }
        tokio::time::sleep(Duration::from_secs(seconds.min(10))).await;
        println!("never opened: {}", watch(process, seconds).await);
        for round in 1..=3 {
            let begun = Instant::now();
            // Ends once the first has been told.
            let mut second = desktop.start_alone(&[]);
            second.wait().await.expect("it ends");
            let told = begun.elapsed();
            let screen = desktop.screen();
            let window = eventually("the window", async || screen.window()).await;
            let shown = begun.elapsed();
            eventually("the page", async || (pages(desktop) >= round).then_some(())).await;
            let there = begun.elapsed();
            println!(
                "back: asked after {} ms, a window after {}, its page after {}",
                told.as_millis(),
                shown.as_millis(),
                there.as_millis()
            );
            tokio::time::sleep(Duration::from_secs(1)).await;
            screen.close(window);
            eventually("no window", async || screen.window().is_none().then_some(())).await;
        }
        tokio::time::sleep(Duration::from_secs(seconds.min(10))).await;
        println!("closed again: {}", watch(process, seconds).await);
        program.kill().await.expect("it runs");
        demo.stop().await;
    });
}
