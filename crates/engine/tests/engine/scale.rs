//! Servers and histories that have much to tell.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use jobwatch_core::connection::ConnectionState;
use jobwatch_core::model::Job;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, Server};
use jobwatch_demo::{Demo, DemoOptions};
use jobwatch_engine::api::Rows;
use jobwatch_engine::fetch::MAX_BODY;
use jobwatch_engine::history::{History, Location};
use jobwatch_engine::{Engine, Options, SettingsSource};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

use crate::common::{DEADLINE, World, all_jobs, engine, pull, server, until};
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
    world.until_state("s", ConnectionState::Live).await;
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
        let history = History::open(Location::Directory(dir.path().to_owned()), replies);
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

/// A TriggerX server without a socket, whose list of all jobs is sent up to `held` and then, once
/// told, to its end.
async fn serve_held(body: String, held: usize, go_on: Arc<Semaphore>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = Arc::new(body);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (body, go_on) = (Arc::clone(&body), Arc::clone(&go_on));
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await?);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let (status, body) = match head.contains("/jobs/by-apikey") {
                    true => ("200 OK", body.as_str()),
                    false if head.contains("/ws/tasks") => ("404 Not Found", ""),
                    false => ("200 OK", "{}"),
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\
                     content-length: {length}\r\nconnection: close\r\n\r\n"
                );
                let (first, rest) = body.split_at(held.min(length));
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(first.as_bytes()).await?;
                if !rest.is_empty() {
                    let _turn = go_on.acquire().await;
                    stream.write_all(rest.as_bytes()).await?;
                }
                stream.shutdown().await
            });
        }
    });
    port
}

/// A server of its own for [`serve_held`].
fn held(port: u16) -> (Server, Option<Secret>) {
    let server = server(DialectKind::TriggerX, port);
    (server, Some(Secret::new("k".to_owned())))
}

async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < DEADLINE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How many jobs are shown.
async fn total(engine: &Engine) -> u64 {
    let view = engine.open_view(all_jobs()).await.unwrap();
    let total = engine.view_window(view, 0, 1).await.unwrap().total;
    engine.close_view(view).await;
    total
}

#[tokio::test]
async fn a_long_list_is_shown_as_it_comes_in_and_to_its_end() {
    let body = list(10_000, 1_000);
    let half = body.len() / 2;
    let go_on = Arc::new(Semaphore::new(0));
    let port = serve_held(body, half, Arc::clone(&go_on)).await;
    let world = World::new();
    let engine = engine(&world, vec![held(port)]).await;
    eventually("the first jobs are shown", async || total(&engine).await > 3_000).await;
    assert!(total(&engine).await < 6_000, "the others have not been sent");
    go_on.add_permits(1_000);
    eventually("all jobs are shown", async || total(&engine).await == 10_000).await;
    world.until_state("s", ConnectionState::Polling).await;
    engine.stop().await;
}

#[tokio::test]
async fn a_job_that_is_listed_again_unchanged_is_as_of_the_last_listing() {
    let body = list(1, 0).replace("running", "queued");
    let port = serve_held(body, usize::MAX, Arc::new(Semaphore::new(0))).await;
    let world = World::new();
    let engine = engine(&world, vec![held(port)]).await;
    let heard = async || match pull(&engine, all_jobs()).await {
        Rows::Jobs { rows, .. } => rows.first().map(|row| row.heard_at),
        _ => panic!("jobs"),
    };
    eventually("it is listed", async || heard().await.is_some()).await;
    let first = heard().await;
    eventually("it is listed again", async || heard().await > first).await;
    engine.stop().await;
}
