//! Which notices have popups of their own, and which share one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use jobwatch_core::connection::ConnectionState;
use jobwatch_core::model::JobState;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Control, DEMO_KEY, Demo, DemoOptions, JobSpec};
use jobwatch_engine::api::{
    KeyChange, MuteBy, MuteTarget, OpenJob, Preferences, Rows, ServerDraft, ViewSpec,
};
use jobwatch_engine::ports::Button;
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

/// A user who wants a notice of every end.
const EVERY_END: &str = "[[preferences.rules]]
name = \"Every end\"
kinds = [\"failed\", \"stillFailing\", \"fixed\", \"completed\"]
";

async fn start(world: &Arc<World>, dir: &Path) -> Engine {
    let file = dir.join("settings.toml");
    if !file.exists() {
        std::fs::write(&file, EVERY_END).unwrap();
    }
    let settings = SettingsSource::File(file);
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
        sign_in: None,
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
        world.until_state(server, ConnectionState::Live).await;
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
        world.popups.lock().unwrap().iter().map(|popup| popup.notice.body.clone()).collect();
    assert_eq!(bodies, ["On Early", "On Late"]);
    engine.stop().await;
    demo.stop().await;
}

/// An engine that is live with one server of the demo.
pub struct Scene {
    pub demo: Demo,
    pub control: Control,
    pub world: Arc<World>,
    pub engine: Engine,
    /// The server's id.
    pub id: String,
}

impl Scene {
    pub async fn live(kind: DialectKind) -> Scene {
        Scene::live_with(kind, DemoOptions::default()).await
    }

    pub async fn live_with(kind: DialectKind, options: DemoOptions) -> Scene {
        let demo = Demo::start(DemoOptions { life: false, ..options }).await.unwrap();
        let server = demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
        let id = server.0.id.0.clone();
        let control = demo.control(kind);
        let world = World::new();
        let engine = engine(&world, vec![server]).await;
        world.until_state(&id, ConnectionState::Live).await;
        Scene { demo, control, world, engine, id }
    }
}

/// Starts as many jobs as there are names, and waits until they run.
pub async fn start_all(world: &World, control: &Control, names: &[String]) -> Vec<String> {
    let ids: Vec<String> = names.iter().map(|name| control.start_job(job(name))).collect();
    until("the jobs to run", || {
        ids.iter().all(|id| world.job(id).is_some_and(|job| job.state == JobState::Running))
    })
    .await;
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_failures_are_few_popups_replaced_in_place_and_each_is_counted() {
    let Scene { demo, control, world, engine, .. } = Scene::live(DialectKind::Kecs).await;
    let names = vec!["warm".to_owned(); 200];
    let ids = start_all(&world, &control, &names).await;
    let begun = Instant::now();
    for (nth, id) in ids.iter().enumerate() {
        control.fail(id, &format!("timeout after {} ms", 100 + nth), None);
    }
    until("the first popup", || !world.titles().is_empty()).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    let all = "200 \u{201c}warm:7\u{201d} jobs failed, same error";
    until("the exact count", || world.titles().last().is_some_and(|title| title == all)).await;
    let shown = world.popups.lock().unwrap().clone();
    assert!(shown.len() <= 4, "{:?}", world.titles());
    assert!(shown.iter().all(|popup| popup.popup_id == shown[0].popup_id), "{shown:?}");
    assert_eq!(shown[0].notice.title, "warm:7 failed");
    assert_eq!(shown[0].buttons, [Button::Log, Button::MuteJob, Button::Snooze]);
    assert_eq!(shown.last().unwrap().buttons, [Button::MuteError, Button::Snooze]);

    // Muted, the error rings no more, whatever differs in it; another one does.
    let target = MuteTarget::Notice { id: shown.last().unwrap().id };
    engine.mute(target, MuteBy::Error).await.unwrap();
    let ids = start_all(&world, &control, &["cold".to_owned(), "cool".to_owned()]).await;
    control.fail(&ids[0], "timeout after 7 ms", None);
    control.fail(&ids[1], "disk full", None);
    until("the other error", || world.titles().iter().any(|title| title == "cool:7 failed")).await;
    let body = world.popups.lock().unwrap().last().unwrap().notice.body.clone();
    assert!(body.contains("disk full"), "{body}");
    assert_eq!(world.popups.lock().unwrap().len(), shown.len() + 1);
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_popup_is_withdrawn_when_its_job_is_looked_at_and_offers_what_the_server_accepts() {
    let Scene { demo, control, world, engine, id } = Scene::live(DialectKind::BullBoard).await;
    let run = start_all(&world, &control, &["send".to_owned()]).await.remove(0);
    control.fail(&run, "550 mailbox unknown", None);
    until("the popup", || !world.titles().is_empty()).await;
    let popup = world.popups.lock().unwrap()[0].clone();
    assert_eq!(popup.buttons, [Button::Log, Button::Retry, Button::MuteJob, Button::Snooze]);
    let job = popup.notice.job.clone().expect("one job").as_str().to_owned();
    assert!(world.withdrawn.lock().unwrap().is_empty());
    engine.looking_at(true, Some(OpenJob { server: id, job })).await;
    until("the popup to go", || *world.withdrawn.lock().unwrap() == [popup.popup_id]).await;
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_that_a_slow_desktop_does_not_take_wait_and_share_a_popup() {
    let Scene { demo, control, world, engine, .. } = Scene::live(DialectKind::Kecs).await;
    world.desktop_hangs.store(true, Ordering::Relaxed);
    let names: Vec<String> = (0..21).map(|number| format!("job {number}")).collect();
    let ids = start_all(&world, &control, &names).await;
    for id in &ids {
        control.complete(id, None);
    }
    until("popups on their way", || !world.unsettled.lock().unwrap().is_empty()).await;
    until("the ends", || {
        ids.iter().all(|id| world.job(id).is_some_and(|job| job.state.terminal()))
    })
    .await;
    // Three a window, however many ended; what the desktop does not take waits.
    assert!(world.unsettled.lock().unwrap().len() <= 3);
    world.desktop_hangs.store(false, Ordering::Relaxed);
    for settled in world.unsettled.lock().unwrap().drain(..) {
        settled();
    }
    let last = || world.titles().last().cloned().unwrap_or_default();
    until("the others in one", || last() == "19 jobs completed").await;
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_during_a_snooze_is_summed_up_afterwards_and_failures_may_break_through() {
    let Scene { demo, control, world, engine, .. } = Scene::live(DialectKind::Kecs).await;
    let names: Vec<String> = (0..4).map(|n| format!("job{n}")).collect();
    let ids = start_all(&world, &control, &names).await;
    let snoozed_until = Some(jiff::Timestamp::now().as_millisecond() + 3_600_000);
    let before = engine.overview().await.unwrap().preferences;
    let quiet = Preferences { snoozed_until, ..before };
    engine.set_preferences(quiet.clone()).await.unwrap();
    assert_eq!(engine.overview().await.unwrap().quiet_until, snoozed_until);
    for id in &ids[..2] {
        control.complete(id, None);
    }
    control.fail(&ids[2], "disk full", None);
    until("the ends", || {
        ids[..3].iter().all(|id| world.job(id).is_some_and(|job| job.state.terminal()))
    })
    .await;
    // They are in the list, and are found by what they say and by how they ended.
    let found = async |unread: bool, failures: bool, search: &str| {
        let spec =
            ViewSpec::Notices { unread, failures, search: search.to_owned(), expanded: None };
        let view = engine.open_view(spec).await.unwrap();
        let window = engine.view_window(view, 0, 10).await.unwrap();
        engine.close_view(view).await;
        let Rows::Notices { rows } = window.rows else { panic!("{:?}", window.rows) };
        assert_eq!(window.total, rows.len() as u64);
        // The server has notices of its own about failures.
        let own = |title: &String| title.contains(":7 ");
        let mut titles: Vec<String> = rows.into_iter().map(|row| row.title).filter(own).collect();
        titles.sort();
        titles
    };
    while found(false, false, "").await.len() < 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(world.titles().is_empty(), "{:?}", world.titles());
    let (one, two, bad) = ("job0:7 completed", "job1:7 completed", "job2:7 failed");
    assert_eq!(found(false, false, "").await, [one, two, bad]);
    assert_eq!(found(true, true, "").await, [bad]);
    assert_eq!(found(false, false, "JOB1").await, [two]);
    assert_eq!(found(false, false, "disk FULL").await, [bad]);
    assert_eq!(found(false, false, "kecs").await.len(), 3);
    assert_eq!(found(false, true, "job1").await, [""; 0]);

    // A failure may breach, if the user says so.
    let lets = Preferences { quiet_lets_failures: true, ..quiet.clone() };
    engine.set_preferences(lets).await.unwrap();
    control.fail(&ids[3], "no route", None);
    until("the failure", || world.titles() == ["job3:7 failed"]).await;

    engine.set_preferences(Preferences::default()).await.unwrap();
    let summary = "While quiet: 2 completed, 1 failed";
    until("the summary", || world.titles().iter().any(|title| title == summary)).await;
    assert_eq!(world.titles().len(), 2, "{:?}", world.titles());
    assert_eq!(engine.overview().await.unwrap().quiet_until, None);
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_desktop_may_have_taken_is_shown_again_in_its_place_and_the_rest_is_summed_up() {
    let demo = demo().await;
    let dir = tempfile::tempdir().unwrap();
    let of = demo.servers().into_iter().find(|(s, _)| s.dialect == DialectKind::Kecs).unwrap();
    let control = demo.control(of.0.dialect);
    let start = async |world: &Arc<World>| {
        let settings = SettingsSource::Fixed(vec![of.clone()]);
        let data_dir = Some(dir.path().to_owned());
        let ports = world.ports();
        let options = Options { data_dir, settings, ports, seed: Some(1) };
        let engine = Engine::start(options).await.unwrap();
        world.until_state(&of.0.id.0, ConnectionState::Live).await;
        engine
    };
    let world = World::new();
    let engine = start(&world).await;
    let names = ["warm", "warm", "warm", "late"].map(str::to_owned);
    let ids = start_all(&world, &control, &names).await;
    control.fail(&ids[0], "disk full", None);
    until("the first popup", || world.titles() == ["warm:7 failed"]).await;
    // From here on there is no answer whether the desktop took one.
    world.desktop_hangs.store(true, Ordering::Relaxed);
    control.fail(&ids[1], "disk full", None);
    control.fail(&ids[2], "disk full", None);
    until("the second popup", || !world.unsettled.lock().unwrap().is_empty()).await;
    let popup_id = world.popups.lock().unwrap()[0].popup_id;
    engine.stop().await;
    // With the program, whom the desktop would answer is gone.
    world.unsettled.lock().unwrap().clear();
    control.complete(&ids[3], None);

    let world = World::new();
    let engine = start(&world).await;
    until("both", || world.titles().len() > 1).await;
    let popups = world.popups.lock().unwrap().clone();
    let again = popups.iter().find(|popup| popup.popup_id == popup_id).expect("in its place");
    assert_eq!(again.notice.title, "3 \u{201c}warm:7\u{201d} jobs failed, same error");
    assert!(world.titles().contains(&"late:7 completed".to_owned()), "{:?}", world.titles());
    engine.stop().await;

    // Now all of it is settled.
    let world = World::new();
    let engine = start(&world).await;
    let id = start_all(&world, &control, &["next".to_owned()]).await.remove(0);
    control.complete(&id, None);
    until("the next", || !world.titles().is_empty()).await;
    assert_eq!(world.titles(), ["next:7 completed"]);
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deferred_when_the_program_ended_is_summed_up_later_as_while_it_was_off_or_quiet()
{
    let demo = demo().await;
    let dir = tempfile::tempdir().unwrap();
    let world = World::new();
    let engine = start(&world, dir.path()).await;
    let kind = DialectKind::Kecs;
    let control = demo.control(kind);
    let id = engine.save_server(draft(&demo, kind, "Mill"), KeyChange::Keep, None).await.unwrap();
    world.until_state(&id, ConnectionState::Live).await;
    let names = ["a", "b", "c", "d", "e"].map(str::to_owned);
    let ids = start_all(&world, &control, &names).await;
    let snoozed_until = Some(jiff::Timestamp::now().as_millisecond() + 3_600_000);
    let before = engine.overview().await.unwrap().preferences;
    let snoozed = Preferences { snoozed_until, ..before };
    engine.set_preferences(snoozed).await.unwrap();
    let listed = async |engine: &Engine, search: &str, many: u64| {
        let search = search.to_owned();
        let spec = ViewSpec::Notices { unread: false, failures: false, search, expanded: None };
        let view = engine.open_view(spec).await.unwrap();
        while engine.view_window(view, 0, 10).await.unwrap().total != many {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        engine.close_view(view).await;
    };
    for id in &ids[..3] {
        control.fail(id, "disk full", None);
    }
    listed(&engine, ":7 failed", 3).await;
    engine.stop().await;
    for id in &ids[3..] {
        control.complete(id, None);
    }

    // Still quiet at the next start, it waits on, and so does what is summed up meanwhile.
    let world = World::new();
    let engine = start(&world, dir.path()).await;
    listed(&engine, "while jobwatch was off", 1).await;
    assert_eq!(world.titles(), [""; 0]);
    engine.stop().await;

    let file = dir.path().join("settings.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let awake: Vec<&str> = text.lines().filter(|line| !line.starts_with("snoozed_until")).collect();
    assert!(awake.len() < text.lines().count(), "{text}");
    std::fs::write(&file, awake.join("\n")).unwrap();
    let world = World::new();
    let engine = start(&world, dir.path()).await;
    until("the summary", || !world.titles().is_empty()).await;
    assert_eq!(world.titles(), ["While Jobwatch was off or quiet: 2 completed, 3 failed"]);
    // In the list it has taken the place of the summary that nobody saw.
    listed(&engine, "while jobwatch was off", 1).await;
    // The server has notices of its own about failures: one of each is enough.
    listed(&engine, "disk full", 3).await;
    assert_eq!(engine.overview().await.unwrap().unread, 6, "five ends and the summary");
    engine.stop().await;
    demo.stop().await;
}
