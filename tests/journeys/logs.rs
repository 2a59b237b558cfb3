//! Logs: followed, searched, filtered, saved, found again after a restart, and very long.

use jiff::Timestamp;
use jobwatch_core::log::{LogLine, LogLines};
use jobwatch_core::model::{JobId, Level, Source};
use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Flood, JobSpec};
use jobwatch_engine::logs::log::JobLog;
use jobwatch_engine::logs::{Owner, log_index};
use serde_json::json;

use super::journey;
use super::setup::{configured, demo};
use super::steps::{open_log, rows, shows};
use super::support::eventually;

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

#[test]
fn a_flood_is_followed_searched_filtered_and_saved() {
    journey("logs", async |session| {
        let demo = demo().await;
        configured(session, &demo);
        let control = demo.control(DialectKind::Kecs);
        let job =
            control.start_job(JobSpec { name: Some("chatter".to_owned()), ..JobSpec::default() });
        let saved = session.home().join("saved.log");
        session.set("JOBWATCH_SAVE_TO", &saved.display().to_string());
        session.open(&[]).await;
        let window = session.window();
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
        session.kill().await;
        session.open(&[]).await;
        let window = session.window();
        open_log(window, "chatter").await;
        shows(window, "one more").await;
    });
}

#[test]
fn ten_million_lines_are_opened_and_jumped_through_at_once() {
    const LINES: u64 = 10_000_000;
    journey("long-log", async |session| {
        let demo = demo().await;
        let server = configured(session, &demo);
        let control = demo.control(DialectKind::Kecs);
        let job =
            control.start_job(JobSpec { name: Some("verbose".to_owned()), ..JobSpec::default() });
        let owner = Owner { server: server.id.clone(), job: JobId::from(job.as_str()) };
        let dir = log_index::directory(&session.data().join("job-logs"), &owner);
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

        session.open(&[]).await;
        let window = session.window();
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
        demo.stop().await;
    });
}
