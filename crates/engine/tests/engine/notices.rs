//! What is told one by one, and what is told as one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jobwatch_core::model::JobState;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::DialectKind;
use jobwatch_core::supervisor::Link;
use jobwatch_demo::{DEMO_KEY, Demo, DemoOptions, JobSpec};
use jobwatch_engine::views::{KeyChange, ServerDraft};
use jobwatch_engine::{Engine, Options, SettingsSource};

use crate::common::{Keyring, World, engine, until};

async fn demo() -> Demo {
    Demo::start(DemoOptions { life: false, ..DemoOptions::default() }).await.unwrap()
}

fn job(name: &str) -> JobSpec {
    JobSpec { name: Some(name.to_owned()), ..JobSpec::default() }
}

async fn running(world: &World, id: &str) {
    until("the job to run", || world.job(id).is_some_and(|job| job.state == JobState::Running))
        .await;
}

async fn start(world: &Arc<World>, dir: &Path) -> Engine {
    let settings = SettingsSource::File(dir.join("settings.toml"));
    let data_dir = Some(dir.to_owned());
    let ports = world.ports();
    Engine::start(Options { data_dir, settings, ports, seed: Some(1) }).await.unwrap()
}

fn draft(demo: &Demo, kind: DialectKind, name: &str) -> ServerDraft {
    let (server, _) = demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
    ServerDraft {
        id: None,
        name: name.to_owned(),
        dialect: kind.word().to_owned(),
        ws: server.ws,
        api: server.api.unwrap_or_default(),
        watch: vec!["all".to_owned()],
        key_placement: None,
        namespace: String::new(),
        options: server.options.into_iter().collect(),
        extra_ca: String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_waits_for_its_key_has_its_own_summary_after_that_of_another() {
    let dir = tempfile::tempdir().unwrap();
    let demo = demo().await;
    let (early, late) = (DialectKind::Kecs, DialectKind::BullBoard);
    let world = World::new();
    let engine = start(&world, dir.path()).await;
    let first = draft(&demo, early, "Early");
    let first = engine.save_server(first, KeyChange::Keep, None).await.unwrap();
    let key = Some(Secret::new(DEMO_KEY.to_owned()));
    let second = draft(&demo, late, "Late");
    let second = engine.save_server(second, KeyChange::Store, key).await.unwrap();
    let mut ids = Vec::new();
    for (kind, server) in [(early, &first), (late, &second)] {
        world.until_link(server, Link::Live).await;
        let control = demo.control(kind);
        for name in ["a", "b", "c"] {
            let id = control.start_job(job(name));
            running(&world, &id).await;
            ids.push((kind, id));
        }
    }
    engine.stop().await;
    for (kind, id) in &ids {
        demo.control(*kind).complete(id, None);
    }

    let world = {
        let next = World::new();
        next.keys.lock().unwrap().clone_from(&world.keys.lock().unwrap());
        next
    };
    *world.keyring.lock().unwrap() = Keyring::Silent;
    let engine = start(&world, dir.path()).await;
    until("the first summary", || !world.titles().is_empty()).await;
    *world.keyring.lock().unwrap() = Keyring::Works;
    until("the second summary", || world.titles().len() > 1).await;
    let title = "While Jobwatch was off: 3 completed";
    assert_eq!(world.titles(), [title, title]);
    let bodies: Vec<_> =
        world.popups.lock().unwrap().iter().map(|(_, notice)| notice.body.clone()).collect();
    assert_eq!(bodies, ["On Early", "On Late"]);
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_outcomes_than_the_desktop_takes_at_once_are_told_as_one_and_none_is_lost() {
    let demo = demo().await;
    let kind = DialectKind::Kecs;
    let server = demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
    let id = server.0.id.0.clone();
    let control = demo.control(kind);
    let world = World::new();
    world.desktop_hangs.store(true, Ordering::Relaxed);
    let engine = engine(&world, vec![server]).await;
    world.until_link(&id, Link::Live).await;
    let mut ids = Vec::new();
    for number in 0..21 {
        let id = control.start_job(job(&format!("job {number}")));
        running(&world, &id).await;
        ids.push(id);
    }
    for id in &ids {
        control.complete(id, None);
    }
    until("popups on their way", || world.unsettled.lock().unwrap().len() == 16).await;
    until("the ends", || {
        ids.iter().all(|id| world.job(id).is_some_and(|job| job.state.terminal()))
    })
    .await;
    world.desktop_hangs.store(false, Ordering::Relaxed);
    for settled in world.unsettled.lock().unwrap().drain(..) {
        settled();
    }
    until("the rest", || !world.titles().is_empty()).await;
    assert_eq!(world.titles(), ["5 more ended: 5 completed"]);
    engine.stop().await;
    demo.stop().await;
}
