//! What a window is told, also when it misses something.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Demo, DemoOptions, JobSpec};
use jobwatch_engine::Engine;
use jobwatch_engine::api::{Rows, Tick, ViewSpec};
use jobwatch_engine::ports::Window;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::common::{World, all_jobs, engine, pull, quick, server, until};

/// How often a tick that fits was sent.
fn told(world: &World, fits: impl Fn(&Tick) -> bool) -> usize {
    world.ticks.lock().unwrap().iter().filter(|tick| fits(tick)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overview_that_is_not_pulled_is_told_of_again_although_nothing_else_happens() {
    let world = World::new();
    let engine = engine(&world, Vec::new()).await;
    engine.attach_window(world.window());
    until("three ticks", || told(&world, |tick| tick.overview) >= 3).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_is_not_pulled_is_told_of_again_although_nothing_else_happens() {
    let world = World::new();
    let engine = engine(&world, Vec::new()).await;
    engine.attach_window(world.window());
    let view = engine.open_view(all_jobs()).await.unwrap();
    until("three ticks", || told(&world, |tick| tick.views.contains(&view)) >= 3).await;
    let _ = engine.view_window(view, 0, 10).await.unwrap();
    engine.overview().await.unwrap();
    let so_far = world.ticks.lock().unwrap().len();
    engine.report_notifications(Some("no bus".to_owned()));
    until("a tick of something new", || world.ticks.lock().unwrap().len() > so_far).await;
    let ticks = world.ticks.lock().unwrap().clone();
    assert_eq!(ticks[so_far], Tick { overview: true, ..Tick::default() }, "only what is new");
    engine.stop().await;
}

/// A page as quick as can be: it opens a view the moment it is told anything.
struct Quick {
    engine: Engine,
    runtime: tokio::runtime::Handle,
    view: Arc<AtomicU32>,
}

impl Window for Quick {
    fn tick(&self, _: &Tick) {
        if self.view.load(Ordering::SeqCst) == 0 {
            let (engine, view) = (self.engine.clone(), Arc::clone(&self.view));
            self.runtime.spawn(async move {
                view.store(engine.open_view(all_jobs()).await.unwrap(), Ordering::SeqCst);
            });
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_is_opened_on_the_first_tick_stays_open() {
    let world = World::new();
    let engine = engine(&world, Vec::new()).await;
    let view = Arc::new(AtomicU32::new(0));
    let runtime = tokio::runtime::Handle::current();
    engine.attach_window(Arc::new(Quick {
        engine: engine.clone(),
        runtime,
        view: Arc::clone(&view),
    }));
    until("the view", || view.load(Ordering::SeqCst) > 0).await;
    engine.overview().await.unwrap();
    assert!(engine.view_window(view.load(Ordering::SeqCst), 0, 10).await.is_ok());
    engine.detach_window();
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_a_job_is_in_is_listed_on_every_kind_of_server() {
    let demo = Demo::start(DemoOptions { life: false, ..DemoOptions::default() }).await.unwrap();
    let mut servers = demo.servers();
    for (server, _) in &mut servers {
        server.policy = quick();
    }
    let kinds: Vec<_> = servers.iter().map(|(server, _)| server.dialect).collect();
    let world = World::new();
    let engine = engine(&world, servers).await;
    let jobs: Vec<String> =
        kinds.iter().map(|kind| demo.control(*kind).start_job(JobSpec::default())).collect();
    for id in &jobs {
        until(&format!("job {id}"), || world.job(id).is_some()).await;
    }
    let rows = pull(&engine, ViewSpec::Queues { server: None }).await;
    let Rows::Queues { rows } = rows else { panic!("queues were asked for") };
    let in_queues = jobs.iter().filter_map(|id| world.job(id)?.queue.clone());
    for queue in in_queues {
        let row = rows.iter().find(|row| row.name == queue);
        let row = row.unwrap_or_else(|| panic!("no {queue} among {rows:?}"));
        assert!(row.active.is_some() && row.waiting.is_some(), "{row:?}");
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_told_how_far_the_clock_of_a_server_is_ahead() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let hours = Arc::new(AtomicU32::new(0));
    let shown = Arc::clone(&hours);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let ahead = i64::from(shown.load(Ordering::SeqCst));
            tokio::spawn(async move {
                let _ = client.read(&mut [0; 4_096]).await;
                let there = Timestamp::now() + SignedDuration::from_hours(ahead);
                let date = there.strftime("%a, %d %b %Y %H:%M:%S GMT");
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/json\r\n\
                     Content-Length: 2\r\nConnection: close\r\n\r\n{{}}"
                );
                let _ = client.write_all(answer.as_bytes()).await;
            });
        }
    });
    let world = World::new();
    let mut watched = server(DialectKind::Kecs, port);
    // No attempt at a socket, which would be told of.
    watched.policy.first_delay_ms = Some(600_000);
    watched.policy.max_delay_ms = Some(600_000);
    let engine = engine(&world, vec![(watched, None)]).await;
    engine.attach_window(world.window());
    let hour = Duration::from_secs(3_600).as_millis() as i64;
    let begun = std::time::Instant::now();
    let mut before = engine.pull_overview().await.unwrap().servers[0].status.clone();
    let mut ahead = 0;
    hours.store(1, Ordering::SeqCst);
    loop {
        assert!(begun.elapsed() < crate::common::DEADLINE, "{ahead} ms ahead");
        // It asks only when it was told.
        let so_far = told(&world, |tick| tick.overview);
        until("a tick", || told(&world, |tick| tick.overview) > so_far).await;
        let view = engine.pull_overview().await.unwrap().servers[0].clone();
        let other = std::mem::replace(&mut before, view.status.clone()) != view.status;
        ahead = view.clock_ahead;
        let shown = i64::from(hours.load(Ordering::SeqCst));
        // A date has no fractions.
        if (ahead - shown * hour).abs() > 2_000 {
            continue;
        }
        if !other {
            break;
        }
        // It may have been told of something else.
        hours.fetch_add(1, Ordering::SeqCst);
    }
    engine.stop().await;
}
