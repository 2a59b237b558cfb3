//! Logs: followed, searched, filtered, saved, found again after a restart, and very long.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jobwatch_core::log::{LogLine, LogLines};
use jobwatch_core::model::{JobId, Level, Source, Topic};
use jobwatch_core::server::{DialectKind, PolicyChange, Server, ServerId};
use jobwatch_demo::{Control, Demo, DemoOptions, Flood, JobSpec};
use jobwatch_engine::logs::log::JobLog;
use jobwatch_engine::logs::{Owner, log_index};
use jobwatch_engine::settings::{SavedServer, Settings, SettingsFile};
use jobwatch_engine::views::Preferences;
use serde_json::json;

use super::desktop::Desktop;
use super::journey;
use super::support::eventually;
use super::window::Window;

/// Texts of the rows that are drawn, from the first to the last.
const ROWS: &str = r"
const list = document.querySelector('[role=log] [role=grid]');
return [...(list?.querySelectorAll('[role=row]') ?? [])].map((row) => row.textContent);
";

/// Presses the button of the dialog that jumps, and tells how many ms it took until the row with this
/// text was in the page, looked for at every picture.
const JUMP: &str = r"
const [text, done] = arguments;
const button = [...document.querySelectorAll('button')].find((it) => it.textContent.includes('Go there'));
const begun = performance.now();
const look = () => {
  const list = document.querySelector('[role=log] [role=grid]');
  const there = [...list.querySelectorAll('[role=row]')].some((row) => row.textContent.includes(text));
  if (there) done(performance.now() - begun);
  else requestAnimationFrame(look);
};
button.click();
look();
";

pub async fn demo() -> Demo {
    Demo::start(DemoOptions { life: false, ..DemoOptions::default() }).await.expect("the demo")
}

/// Waits until the program has connected to a server of the demo.
pub async fn connected(control: &Control) {
    eventually("its socket", async || (control.counters().sockets_opened > 0).then_some(())).await;
}

/// Changes the user's choices, as they are saved.
pub fn prefer(desktop: &Desktop, change: impl FnOnce(&mut Preferences)) {
    let (mut file, read) = SettingsFile::load(desktop.config().join("settings.toml"));
    let mut settings = read.settings;
    change(&mut settings.preferences);
    file.save(&settings).expect("settings");
}

/// A KECS server of the demo as it is saved in the settings, so that its id is known.
pub fn configured(desktop: &Desktop, demo: &Demo) -> Server {
    let servers = demo.servers().into_iter().map(|(server, _)| server);
    let demo = servers.clone().find(|server| server.dialect == DialectKind::Kecs).expect("KECS");
    let server = Server {
        id: ServerId("tasks".to_owned()),
        name: "Tasks".to_owned(),
        watch: vec![Topic::Everything],
        policy: PolicyChange::default(),
        options: BTreeMap::new(),
        ..demo
    };
    save(desktop, &server);
    server
}

/// Makes it the only server of the settings.
pub fn save(desktop: &Desktop, server: &Server) {
    let (mut file, ..) = SettingsFile::load(desktop.config().join("settings.toml"));
    let saved = SavedServer { server: server.clone(), has_key: false };
    file.save(&Settings { servers: vec![saved], ..Settings::default() }).expect("settings");
}

pub async fn rows(window: &Window) -> Vec<String> {
    let rows = window.run(ROWS, vec![]).await;
    serde_json::from_value(rows).expect("texts")
}

pub async fn shows(window: &Window, text: &str) {
    eventually(&format!("row with \"{text}\""), async || {
        rows(window).await.iter().any(|row| row.contains(text)).then_some(())
    })
    .await;
}

pub async fn open_log(window: &Window, job: &str) {
    window.click_like("row", job).await;
    window.click_like("tab", "Logs").await;
    window.find("log", "Log").await;
}

#[test]
fn a_flood_is_followed_searched_filtered_and_saved() {
    journey("logs", async |desktop| {
        let demo = demo().await;
        configured(desktop, &demo);
        let control = demo.control(DialectKind::Kecs);
        let job =
            control.start_job(JobSpec { name: Some("chatter".to_owned()), ..JobSpec::default() });
        let saved = desktop.home().join("saved.log");
        desktop.set("JOBWATCH_SAVE_TO", &saved.display().to_string());
        desktop.open(&[]).await;
        let window = desktop.window();
        window.status("Tasks", "Live").await;
        window.job("chatter:7", "Running").await;
        for n in 0..30 {
            let level = if n == 7 { Level::Error } else { Level::Info };
            control.log(&job, level, &format!("needle {n} \u{1b}[32mgreen\u{1b}[0m"));
        }
        let flood = Flood { count: 20_000, per_second: 0, job: Some(job.clone()), batch: 100 };
        control.flood(flood);
        open_log(window, "chatter").await;
        eventually("the whole flood", async || {
            (control.counters().flooded_lines >= 20_000).then_some(())
        })
        .await;
        control.log(&job, Level::Info, "the last word");
        shows(window, "the last word").await;
        assert!(rows(window).await.len() < 80, "only what is visible is in the page");

        // Upwards is away from the end, and what comes is counted.
        window
            .run("document.querySelector('[role=log] [role=grid]').focus(); return null", vec![])
            .await;
        // Not at once to the top, where the server is asked for what was before.
        window.press("PageUp").await;
        window.find("button", "To the newest").await;
        control.log(&job, Level::Info, "one more");
        window.find_like("button", "1 new line").await;
        window.press("Home").await;
        shows(window, "needle 0").await;

        // Find: counted, gone to, and nothing else shown.
        window.press_with_control("f").await;
        window.fill("textbox", "Find", "needle").await;
        eventually("the count of matches", async || {
            let text = window
                .run("return document.querySelector('[role=search]').textContent", vec![])
                .await;
            text.as_str().is_some_and(|text| text.contains("30")).then_some(())
        })
        .await;
        window.click("checkbox", "Matches only").await;
        eventually("only matching lines", async || {
            let rows = rows(window).await;
            // Besides what stands at the top for what was not fetched.
            let note = |row: &str| row.contains("Earlier") || row.contains("been fetched");
            let other = rows.iter().any(|row| !row.contains("needle") && !note(row));
            (!rows.is_empty() && !other).then_some(())
        })
        .await;

        // Saved as filtered, as it is shown.
        window.click("button", "More").await;
        window.click_like("menuitem", "Save").await;
        window.find("dialog", "Save the log").await;
        window.click_like("radio", "Only the").await;
        window.click_like("button", "Save").await;
        let text = eventually("the saved file", async || {
            std::fs::read_to_string(&saved).ok().filter(|text| !text.is_empty())
        })
        .await;
        assert_eq!(text.lines().count(), 30);
        assert!(text.starts_with("needle 0 green\n"), "{text:?}");
        window.click("button", "Close").await;

        // The server goes, the program starts anew: the log is there.
        demo.stop().await;
        desktop.kill().await;
        desktop.open(&[]).await;
        let window = desktop.window();
        open_log(window, "chatter").await;
        shows(window, "one more").await;
    });
}

#[test]
fn ten_million_lines_are_opened_and_jumped_through_at_once() {
    const LINES: u64 = 10_000_000;
    journey("long-log", async |desktop| {
        let demo = demo().await;
        let server = configured(desktop, &demo);
        let control = demo.control(DialectKind::Kecs);
        let job =
            control.start_job(JobSpec { name: Some("verbose".to_owned()), ..JobSpec::default() });
        let owner = Owner { server: server.id.clone(), job: JobId::from(job.as_str()) };
        let dir = log_index::directory(&desktop.data().join("job-logs"), &owner);
        let mut log = JobLog::create(Some(&dir)).expect("a log");
        log_index::mark(&dir, &owner).expect("its owner");
        let begin = Timestamp::now().as_millisecond() - 40_000_000;
        let mut n = 0;
        while n < LINES {
            let mut batch = LogLines::new();
            for n in n..n + 20_000 {
                let level = if n % 1_000_000 == 999_999 { Level::Error } else { Level::Info };
                let at = Timestamp::from_millisecond(begin + n as i64 * 4).ok();
                let text = format!("line {n} of many");
                batch.push(LogLine { at, level: Some(level), text: &text, ..LogLine::default() });
            }
            let (_, problem) = log.push(&batch, Source::Socket);
            assert!(problem.is_none(), "{problem:?}");
            n += 20_000;
        }
        drop(log);

        desktop.open(&[]).await;
        let window = desktop.window();
        window.job("verbose:7", "Running").await;
        open_log(window, "verbose").await;
        shows(window, "line 9999999 of many").await;
        let mut jumps = Vec::new();
        for line in [1_u64, 5_000_000, 1_234_567, 42, 7_777_777, 9_876_543] {
            window
                .run(
                    "document.querySelector('[role=log] [role=grid]').focus(); return null",
                    vec![],
                )
                .await;
            window.press("g").await;
            window.fill("textbox", "Line, time or percentage", &line.to_string()).await;
            window.find("button", "Go there").await;
            let text = format!("line {} of many", line - 1);
            let taken = window.run_async(JUMP, vec![json!(text)]).await;
            jumps.push(taken.as_f64().expect("a time"));
            shows(window, &text).await;
            assert!(rows(window).await.len() < 80, "only what is visible is in the page");
        }
        println!("jumps, each until its row was in the page: {jumps:.0?} ms");
        window.press("e").await;
        shows(window, "line 9999999 of many").await;
        let last = window.run(ROWS, vec![]).await;
        assert_ne!(last, json!([]));
        demo.stop().await;
    });
}
