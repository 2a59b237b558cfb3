//! Servers and histories that have much to tell.

use std::sync::Arc;

use futures_util::FutureExt;
use jobwatch_core::model::Job;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::DialectKind;
use jobwatch_core::supervisor::Link;
use jobwatch_demo::{Demo, DemoOptions};
use jobwatch_engine::fetch::MAX_BODY;
use jobwatch_engine::history::{History, Place};
use jobwatch_engine::views::Rows;
use jobwatch_engine::{Engine, Options, SettingsSource};
use tokio::sync::mpsc;

use crate::common::{World, all_jobs, engine, pull, server, until};
use crate::network::serve;

/// A list of TriggerX jobs, each with so many bytes besides.
fn list(jobs: usize, bytes: usize) -> String {
    let padding = "x".repeat(bytes);
    let mut body = String::from("{\"jobs\":[");
    for id in 1..=jobs {
        let comma = if id == 1 { "" } else { "," };
        body += &format!(
            "{comma}{{\"job_data\":{{\"job_id\":{id},\"status\":\"running\",\"job_title\":\"Job \
             {id}\",\"padding\":\"{padding}\"}}}}"
        );
    }
    body + "]}"
}

#[tokio::test]
async fn a_list_beyond_the_limit_is_shown_as_far_as_it_came_and_the_badge_says_what_to_do() {
    let options = DemoOptions { life: false, keys: false, ..DemoOptions::default() };
    let demo = Demo::start(options).await.unwrap();
    let body = list(2_000, 20_000);
    let whole = body[..MAX_BODY].matches("}},").count();
    let (port, _) = serve(move |head| {
        let body = if head.contains("/jobs/by-apikey") { body.as_str() } else { "{}" };
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    })
    .await;
    let world = World::new();
    let socket = demo.ports(DialectKind::TriggerX)[0];
    let (mut server, key) = (server(DialectKind::TriggerX, socket), Secret::new("k".to_owned()));
    server.api = Some(format!("http://127.0.0.1:{port}/api"));
    // What is fetched once is enough.
    server.policy.poll_ms = Some(60_000);
    let engine = engine(&world, vec![(server, Some(key))]).await;
    until("the list is shown", || world.reason("s").is_some_and(|r| r.contains("32 MiB"))).await;
    world.until_link("s", Link::Live).await;
    assert_eq!(
        world.reason("s").unwrap(),
        "The list of all jobs is larger than the 32 MiB that are read of one answer: only about its \
         first 1,600 jobs are shown. Watch single jobs instead."
    );
    let view = engine.open_view(all_jobs()).await.unwrap();
    let window = engine.view_window(view, 0, 1).await.unwrap();
    assert_eq!(window.total, whole as u64);
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test]
async fn the_engine_is_there_before_its_history_has_been_read_and_then_answers_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let server = server(DialectKind::Kecs, 9);
    {
        let (replies, _replied) = mpsc::unbounded_channel();
        let history = History::open(Place::Directory(dir.path().to_owned()), replies);
        let heard_at = jiff::Timestamp::now();
        let job = serde_json::json!({
            "id": "1", "name": "kept", "state": "running", "source": "http", "heard_at": heard_at,
        });
        let job: Job = serde_json::from_value(job).unwrap();
        history.job(server.id.clone(), Arc::new(job));
        history.flush().await;
    }
    let world = World::new();
    let settings = SettingsSource::Fixed(vec![(server, None)]);
    let data_dir = Some(dir.path().to_owned());
    let options = Options { data_dir, settings, ports: world.ports(), seed: Some(1) };
    let engine = Engine::start(options).now_or_never().expect("it waits for nothing").unwrap();
    let Rows::Jobs { rows, .. } = pull(&engine, all_jobs()).await else { panic!("jobs") };
    assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["kept"]);
    engine.stop().await;
}
