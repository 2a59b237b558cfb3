//! A long history is read behind the window.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use jobwatch_core::model::Job;
use jobwatch_core::server::ServerId;
use jobwatch_engine::api::Theme;
use jobwatch_engine::history::{History, Location};
use serde_json::json;

use super::journey;
use super::session::Session;
use super::setup::{configured, demo, prefer};
use super::support::{PATIENCE, eventually};

/// As many jobs as are kept.
const JOBS: u64 = 100_000;

/// The theme that the page is drawn in, once it is the program's page.
const THEME: &str = "return location.href.startsWith('tauri:')
    ? document.documentElement.dataset.theme ?? 'system' : null";

/// Leaves [`JOBS`] jobs of a server, as an earlier run of the program does.
async fn remembered(session: &Session, server: &ServerId) {
    let at = Timestamp::now().to_string();
    let data = session.data();
    std::fs::create_dir_all(&data).expect("a directory");
    let (replies, _replied) = tokio::sync::mpsc::unbounded_channel();
    let history = History::open(Location::Directory(data), replies);
    for n in 0..JOBS {
        let job = json!({
            "id": format!("arn:aws:ecs:us-east-1:123456789012:task/default/{n:032x}"),
            "name": format!("nightly-{}:7", n % 500), "queue": "default", "state": "completed",
            "created_at": at, "started_at": at, "finished_at": at, "updated_at": at,
            "source": "http", "heard_at": at,
        });
        let job: Job = serde_json::from_value(job).expect("a job");
        history.job(server.clone(), Arc::new(job));
        // It keeps no more waiting for the disk than it must.
        if n % 5_000 == 0 {
            history.flush().await;
        }
    }
    history.flush().await;
}

#[test]
fn a_hundred_thousand_jobs_are_read_behind_the_window_and_never_taken_for_none_meanwhile() {
    journey("history", async |session| {
        let demo = demo().await;
        let server = configured(session, &demo);
        // Nothing but the history knows of the jobs.
        demo.stop().await;
        prefer(session, |preferences| preferences.theme = Theme::Dark);
        remembered(session, &server.id).await;

        let begun = Instant::now();
        session.open(&[]).await;
        let window = session.window();
        let theme = eventually("the page", async || {
            Some(window.run(THEME, vec![]).await).filter(|theme| !theme.is_null())
        });
        assert_eq!(theme.await, json!("dark"), "no flash of white");
        println!("the window after {:.1?}", begun.elapsed());
        // Whatever it says until then: the page answers, and nothing of it is wrong.
        let mut reading = false;
        while window.count("row", "nightly-").await == 0 {
            let text = window.text().await;
            reading |= text.contains("Reading the history");
            for wrong in ["No jobs", "Connect a server", "could not"] {
                assert!(!text.contains(wrong), "{text}");
            }
            assert!(begun.elapsed() < PATIENCE, "no rows: {text}");
        }
        println!("rows after {:.1?}; said what it waits for: {reading}", begun.elapsed());
        window.read("Completed 100k").await;
        window.click_like("row", "nightly-").await;
        window.find("region", "Timeline").await;
    });
}
