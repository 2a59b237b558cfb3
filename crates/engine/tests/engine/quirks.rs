//! What real servers do that a tidy one would not: rows that come late, silence about new jobs, a
//! clock that is ahead; and what is looked at or hinted at without being watched.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobwatch_core::connection::ConnectionState;
use jobwatch_core::model::{JobState, Topic};
use jobwatch_core::server::{DialectKind, PolicyChange, Server};
use jobwatch_demo::{Control, Demo, DemoOptions, Faults, JobSpec, UpgradeFault};
use jobwatch_engine::Engine;
use jobwatch_engine::api::{Rows, ViewSpec};
use jobwatch_engine::ports::StreamEvent;

use crate::common::{World, engine, pull, until};

struct Scene {
    demo: Demo,
    control: Control,
    world: Arc<World>,
    engine: Engine,
    server: Server,
}

/// A server whose jobs exist on command only, watched like this, with its socket or without.
async fn scene(kind: DialectKind, options: DemoOptions, watch: Vec<Topic>, socket: bool) -> Scene {
    let demo = Demo::start(DemoOptions { life: false, ..options }).await.unwrap();
    let (mut server, key) = demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
    server.policy =
        PolicyChange { first_delay_ms: Some(100), max_delay_ms: Some(300), ..Default::default() };
    server.watch = watch;
    let control = demo.control(kind);
    if !socket {
        let upgrade = Some(UpgradeFault::Status { status: 503, retry_after: None });
        control.set_faults(Faults { upgrade, ..Faults::default() });
    }
    let world = World::new();
    let engine = engine(&world, vec![(server.clone(), key)]).await;
    let link = if socket { ConnectionState::Live } else { ConnectionState::Polling };
    world.until_state(&server.id.0, link).await;
    until("the list", || {
        world
            .events
            .lock()
            .unwrap()
            .iter()
            .any(|event| matches!(event, StreamEvent::Listed { ok: true, .. }))
    })
    .await;
    Scene { demo, control, world, engine, server }
}

impl Scene {
    fn start(&self, spec: JobSpec) -> String {
        self.control.start_job(spec)
    }

    async fn state(&self, id: &str, state: JobState) {
        let what = format!("{id} to be {state}");
        until(&what, || self.world.job(id).is_some_and(|job| job.state == state)).await;
    }

    /// How often the job's end was announced.
    fn announced(&self, id: &str) -> usize {
        let events = self.world.events.lock().unwrap();
        let of = |event: &&StreamEvent| match event {
            StreamEvent::Notice(notice) => {
                notice.key.as_ref().is_some_and(|key| key.job.as_str().ends_with(id))
            }
            _ => false,
        };
        events.iter().filter(of).count()
    }

    async fn announced_once(&self, id: &str) {
        until("the end to be announced", || self.announced(id) > 0).await;
        // Another look tells nothing twice.
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(self.announced(id), 1);
    }

    async fn end(self) {
        self.engine.stop().await;
        self.demo.stop().await;
    }
}

fn named(name: &str) -> JobSpec {
    JobSpec { name: Some(name.to_owned()), ..JobSpec::default() }
}

fn in_queue(queue: &str) -> JobSpec {
    JobSpec { queue: Some(queue.to_owned()), ..JobSpec::default() }
}

/// Rows as late as the shipped ingest of Better Bull Board writes them.
fn late(seconds: std::ops::Range<u64>) -> DemoOptions {
    let range = (Duration::from_secs(seconds.start), Duration::from_secs(seconds.end));
    DemoOptions { rows_late: Some(range), ..DemoOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_row_comes_long_after_the_hint_is_found_followed_and_announced_once() {
    for socket in [true, false] {
        let kind = DialectKind::BullBoard;
        let scene = scene(kind, late(3..8), vec![Topic::Everything], socket).await;
        let (well, badly) = (scene.start(named("well")), scene.start(named("badly")));
        scene.state(&well, JobState::Running).await;
        scene.state(&badly, JobState::Running).await;
        scene.control.complete(&well, None);
        scene.control.fail(&badly, "disk full", None);
        // One that has begun and ended before its first row.
        let quick = scene.start(named("quick"));
        scene.control.fail(&quick, "at once", None);
        scene.state(&well, JobState::Completed).await;
        scene.state(&badly, JobState::Failed).await;
        scene.state(&quick, JobState::Failed).await;
        for id in [&well, &badly, &quick] {
            scene.announced_once(id).await;
        }
        scene.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_row_comes_half_a_minute_late_is_announced_within_a_look_of_it() {
    let scene = scene(DialectKind::BullBoard, late(24..30), vec![Topic::Everything], true).await;
    let id = scene.start(named("slow"));
    scene.control.fail(&id, "disk full", None);
    let begun = std::time::Instant::now();
    until("the end to be announced", || scene.announced(&id) > 0).await;
    // The row comes after 30 s at the latest, and a list is read every 3 s while something moves.
    assert!(begun.elapsed() < Duration::from_secs(35), "{:?}", begun.elapsed());
    scene.end().await;
}

/// The shipped analyzer sends events of a job to those who have subscribed to it, and tells nobody of
/// a new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_the_analyzer_is_silent_about_is_found_followed_and_announced_once() {
    for socket in [true, false] {
        let kind = DialectKind::Analyzer;
        let scene = scene(kind, DemoOptions::default(), vec![Topic::Everything], socket).await;
        let id = scene.start(named("silent"));
        scene.state(&id, JobState::Running).await;
        scene.control.set_progress(&id, 42.0, None);
        until("its progress", || {
            scene.world.job(&id).is_some_and(|job| job.progress == Some(42.0))
        })
        .await;
        scene.control.fail(&id, "rate limit", None);
        scene.announced_once(&id).await;
        // One that has begun and ended between two looks.
        let quick = scene.start(named("quick"));
        scene.control.fail(&quick, "at once", None);
        scene.announced_once(&quick).await;
        scene.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_looked_at_is_fetched_though_only_another_queue_is_watched() {
    for (kind, mine, other) in [
        (DialectKind::BullBoard, "{email}", "{reports}"),
        (DialectKind::Analyzer, "wallet-operations", "similarity-operations"),
        (DialectKind::Kecs, "default", "blue"),
    ] {
        let watch = vec![Topic::Queue(mine.to_owned())];
        let scene = scene(kind, DemoOptions::default(), watch, true).await;
        let id = scene.start(in_queue(other));
        let spec = ViewSpec::Job { server: scene.server.id.0.clone(), job: id.clone() };
        let view = scene.engine.open_view(spec).await.unwrap();
        scene.state(&id, JobState::Running).await;
        scene.control.fail(&id, "disk full", None);
        scene.state(&id, JobState::Failed).await;
        scene.engine.close_view(view).await;
        scene.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_about_a_run_of_a_queue_that_is_not_watched_leaves_no_row() {
    let watch = vec![Topic::Queue("{email}".to_owned())];
    let kind = DialectKind::BullBoard;
    let scene = scene(kind, DemoOptions::default(), watch, true).await;
    // Each change of it is hinted at, by the run's own id.
    let ghost = scene.start(in_queue("{reports}"));
    scene.control.log(&ghost, jobwatch_core::model::Level::Info, "a line");
    let own = scene.start(in_queue("{email}"));
    scene.state(&own, JobState::Running).await;
    scene.control.complete(&ghost, None);
    scene.control.complete(&own, None);
    scene.announced_once(&own).await;
    assert!(scene.world.job(&ghost).is_none());
    assert_eq!(scene.announced(&ghost), 0);
    let spec = ViewSpec::Jobs {
        server: None,
        queue: None,
        states: Vec::new(),
        search: String::new(),
        sort: jobwatch_engine::api::JobSort::Activity,
    };
    let Rows::Jobs { rows, .. } = pull(&scene.engine, spec).await else { panic!("no rows") };
    assert_eq!(rows.len(), 1);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ends_on_a_server_whose_clock_is_ten_minutes_off_are_announced_once() {
    for minutes in [10, -10] {
        for kind in DialectKind::ALL {
            let start = Timestamp::now() + SignedDuration::from_mins(minutes);
            let options = DemoOptions { start: Some(start), ..DemoOptions::default() };
            let scene = scene(kind, options, vec![Topic::Everything], true).await;
            let id = scene.start(named("ahead"));
            scene.state(&id, JobState::Running).await;
            scene.control.fail(&id, "disk full", None);
            scene.announced_once(&id).await;
            // One that is first seen ended.
            let quick = scene.start(named("quick"));
            scene.control.fail(&quick, "at once", None);
            scene.announced_once(&quick).await;
            let job = scene.world.job(&id).unwrap();
            if let (Some(started), Some(ended)) = (job.started_at, job.finished_at) {
                assert!(ended.duration_since(started).abs() < SignedDuration::from_secs(60));
            }
            scene.end().await;
        }
    }
}
