//! Each dialect against the demo server: live, fallback, refused, restart, garbage, flood.

use std::sync::Arc;
use std::time::Duration;

use jobwatch_core::connection::{ConnectionState, Remedy};
use jobwatch_core::model::{JobState, Level, Topic};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, Server};
use jobwatch_demo::{
    ApiFault, Control, Demo, DemoOptions, Faults, Flood, Garbage, JobSpec, Ports, UpgradeFault,
};
use jobwatch_engine::Engine;
use jobwatch_engine::api::{ActionKind, LogFilter, LogFind, Rows, ViewSpec};

use crate::common::{World, engine, pull, quick, shown_link, until};

struct Scene {
    demo: Demo,
    control: Control,
    world: Arc<World>,
    engine: Engine,
    id: String,
}

/// A quiet demo server of this kind, where jobs exist on command only, and an engine that watches
/// it.
async fn scene(kind: DialectKind) -> Scene {
    scene_with(kind, |_| {}).await
}

async fn scene_with(
    kind: DialectKind,
    change: impl FnOnce(&mut (Server, Option<Secret>)),
) -> Scene {
    let options = DemoOptions { life: false, ..DemoOptions::default() };
    let demo = Demo::start(options).await.unwrap();
    let mut server = demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
    server.0.policy = quick();
    change(&mut server);
    let id = server.0.id.0.clone();
    let world = World::new();
    let engine = engine(&world, vec![server]).await;
    Scene { control: demo.control(kind), demo, world, engine, id }
}

impl Scene {
    async fn live(&self) {
        self.world.until_state(&self.id, ConnectionState::Live).await;
        // Where there is no greeting, the client may be ready before the server has noted it.
        until("the server to know the socket", || self.control.counters().sockets > 0).await;
    }

    fn start(&self, name: &str) -> String {
        self.control.start_job(JobSpec { name: Some(name.to_owned()), ..JobSpec::default() })
    }

    async fn state(&self, id: &str, state: JobState) {
        let what = format!("{id} to be {state}");
        until(&what, || self.world.job(id).is_some_and(|job| job.state == state)).await;
    }

    async fn popups(&self, count: usize) {
        until(&format!("{count} popups"), || self.world.titles().len() >= count).await;
    }

    async fn end(self) {
        self.engine.stop().await;
        self.demo.stop().await;
    }
}

async fn a_job_is_followed_live_and_told_once(kind: DialectKind) {
    let scene = scene(kind).await;
    scene.live().await;
    let good = scene.start("good-one");
    scene.state(&good, JobState::Running).await;
    assert!(scene.control.complete(&good, None));
    scene.state(&good, JobState::Completed).await;
    let bad = scene.start("bad-one");
    scene.state(&bad, JobState::Running).await;
    assert!(scene.control.fail(&bad, "disk full", None));
    scene.state(&bad, JobState::Failed).await;
    scene.popups(2).await;
    // A second look at everything must not tell it again.
    scene.engine.reconnect(&scene.id).await.unwrap();
    scene.control.drop_sockets();
    let again = scene.start("third");
    scene.state(&again, JobState::Running).await;
    scene.control.complete(&again, None);
    scene.popups(3).await;
    scene.state(&again, JobState::Completed).await;
    let titles = scene.world.titles();
    assert_eq!(titles.len(), 3, "{titles:?}");
    assert!(titles[0].ends_with("completed") && titles[1].ends_with("failed"), "{titles:?}");
    let Rows::Jobs { rows, counts } = pull(&scene.engine, all_jobs()).await else { panic!() };
    assert!(counts.completed >= 2 && counts.failed >= 1, "{counts:?}");
    assert!(rows.iter().all(|row| !row.stale));
    scene.end().await;
}

fn all_jobs() -> ViewSpec {
    ViewSpec::Jobs {
        server: None,
        queue: None,
        states: Vec::new(),
        search: String::new(),
        sort: jobwatch_engine::api::JobSort::Activity,
    }
}

async fn http_carries_on_while_the_socket_is_refused(kind: DialectKind) {
    // The API tells as fast as the server's budget of requests allows, and the socket is tried
    // quickly for as long as that takes.
    let patient = |(server, _): &mut (Server, Option<Secret>)| server.policy.attempts = Some(1_000);
    let scene = scene_with(kind, patient).await;
    scene.live().await;
    let job = scene.start("carried-on");
    scene.state(&job, JobState::Running).await;
    let refuse = UpgradeFault::Status { status: 503, retry_after: None };
    scene.control.set_faults(Faults { upgrade: Some(refuse), ..Faults::default() });
    scene.control.drop_sockets();
    scene.world.until_state(&scene.id, ConnectionState::Polling).await;
    assert!(scene.control.complete(&job, None));
    scene.state(&job, JobState::Completed).await;
    scene.popups(1).await;
    scene.control.heal().await;
    scene.live().await;
    assert_eq!(scene.world.titles().len(), 1);
    scene.end().await;
}

async fn a_wrong_key_is_refused_and_the_right_one_heals_it(kind: DialectKind) {
    let scene = scene_with(kind, |(_, key)| *key = Some(Secret::new("wrong-key".to_owned()))).await;
    scene.world.until_state(&scene.id, ConnectionState::Refused).await;
    let reason = scene.world.reason(&scene.id).unwrap_or_default();
    assert!(!reason.is_empty() && !reason.contains("wrong-key"), "{reason}");
    let draft = scene.engine.server_draft(&scene.id).await.unwrap();
    let key = Secret::new(jobwatch_demo::DEMO_KEY.to_owned());
    let session = jobwatch_engine::api::KeyChange::Session;
    scene.engine.save_server(draft, session, Some(key)).await.unwrap();
    scene.live().await;
    scene.end().await;
}

async fn a_server_that_was_away_is_live_again_without_a_lost_outcome(kind: DialectKind) {
    let scene = scene(kind).await;
    scene.live().await;
    let job = scene.start("survivor");
    scene.state(&job, JobState::Running).await;
    scene.control.refuse(Ports::All).await;
    until("the badge to tell", || {
        matches!(
            scene.world.link(&scene.id),
            Some(ConnectionState::Offline | ConnectionState::Connecting)
        )
    })
    .await;
    assert!(scene.control.fail(&job, "power cut", None));
    scene.control.listen(Ports::All).await;
    scene.live().await;
    scene.state(&job, JobState::Failed).await;
    scene.popups(1).await;
    assert!(scene.world.titles()[0].contains("failed"));
    scene.end().await;
}

async fn garbage_is_counted_and_harms_nothing(kind: DialectKind) {
    let scene = scene(kind).await;
    scene.live().await;
    for garbage in [
        Garbage::InvalidJson,
        Garbage::WrongShapes,
        Garbage::UnknownTypes,
        Garbage::Binary,
        Garbage::Huge(2 << 20),
        Garbage::InvalidUtf8,
        Garbage::Huge(20 << 20),
    ] {
        scene.control.send_garbage(&garbage);
    }
    let job = scene.start("after-the-storm");
    scene.state(&job, JobState::Running).await;
    scene.live().await;
    let overview = scene.engine.overview().await.unwrap();
    assert!(overview.servers[0].unreadable > 0, "unreadable messages are counted");
    assert_eq!(shown_link(&scene.engine, &scene.id).await, Some(ConnectionState::Live));
    scene.control.complete(&job, None);
    scene.state(&job, JobState::Completed).await;
    scene.end().await;
}

async fn a_flood_does_not_keep_the_window_waiting(kind: DialectKind) {
    let scene = scene(kind).await;
    scene.live().await;
    let job = scene.start("noisy");
    scene.state(&job, JobState::Running).await;
    scene.control.flood(Flood { count: 100_000, per_second: 0, job: None, batch: 1 });
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let asked = std::time::Instant::now();
        let _ = scene.engine.overview().await.unwrap();
        slowest = slowest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(slowest < Duration::from_secs(1), "a question waited {slowest:?}");
    scene.control.complete(&job, None);
    scene.state(&job, JobState::Completed).await;
    scene.popups(1).await;
    scene.end().await;
}

macro_rules! dialects {
    ($($name:ident: $kind:ident;)*) => { $(
        mod $name {
            use super::*;
            const KIND: DialectKind = DialectKind::$kind;

            #[tokio::test(flavor = "multi_thread")]
            async fn follows_a_job_live_and_tells_it_once() {
                a_job_is_followed_live_and_told_once(KIND).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn falls_back_to_http_while_the_socket_is_refused() {
                http_carries_on_while_the_socket_is_refused(KIND).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn comes_back_after_a_restart_of_the_server() {
                a_server_that_was_away_is_live_again_without_a_lost_outcome(KIND).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn survives_garbage() {
                garbage_is_counted_and_harms_nothing(KIND).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn survives_a_flood() {
                a_flood_does_not_keep_the_window_waiting(KIND).await;
            }
        }
    )* };
}

dialects! {
    triggerx: TriggerX;
    study_buddy: StudyBuddy;
    analyzer: Analyzer;
    kecs: Kecs;
    bull_board: BullBoard;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_json_follows_a_job_live_and_tells_it_once() {
    a_job_is_followed_live_and_told_once(DialectKind::PlainJson).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_json_survives_garbage() {
    garbage_is_counted_and_harms_nothing(DialectKind::PlainJson).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn triggerx_refuses_a_wrong_key() {
    a_wrong_key_is_refused_and_the_right_one_heals_it(DialectKind::TriggerX).await;
}

/// The tasks of a job are shown to everybody: a wrong key is no worse than none.
#[tokio::test(flavor = "multi_thread")]
async fn triggerx_shows_the_tasks_of_a_job_with_a_wrong_key() {
    let scene = scene_with(DialectKind::TriggerX, |(server, key)| {
        *key = Some(Secret::new("wrong-key".to_owned()));
        server.watch = vec![Topic::Job("4711".into())];
    })
    .await;
    scene.world.until_state(&scene.id, ConnectionState::Partly).await;
    let reason = scene.world.reason(&scene.id).unwrap_or_default();
    assert!(reason.contains("does not accept the key"), "{reason}");
    // What needs the key is not asked again, what is open to all is.
    let asked = |part: &str| -> u64 {
        let requests = scene.control.counters().requests;
        requests.iter().filter(|(path, _)| path.contains(part)).map(|(_, count)| count).sum()
    };
    let spec = JobSpec { parent: Some("job:4711".to_owned()), ..JobSpec::default() };
    let id = scene.control.start_job(spec);
    scene.state(&id, JobState::Running).await;
    scene.control.complete(&id, None);
    scene.popups(1).await;
    assert!(asked("/tasks/job/4711") >= 2, "{:?}", scene.control.counters().requests);
    assert_eq!(asked("by-apikey"), 1, "{:?}", scene.control.counters().requests);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn study_buddy_refuses_a_wrong_key() {
    a_wrong_key_is_refused_and_the_right_one_heals_it(DialectKind::StudyBuddy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn better_bull_board_tells_of_a_wrong_key_beside_its_open_socket() {
    a_wrong_key_is_told_beside_an_open_socket(DialectKind::BullBoard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_analyzer_tells_of_a_wrong_key_beside_its_open_socket() {
    a_wrong_key_is_told_beside_an_open_socket(DialectKind::Analyzer).await;
}

/// KECS itself takes everybody; what stands before it may not.
#[tokio::test(flavor = "multi_thread")]
async fn kecs_behind_a_door_that_shuts_is_refused_until_it_opens() {
    let scene = scene(DialectKind::Kecs).await;
    scene.live().await;
    let shut = UpgradeFault::Status { status: 401, retry_after: None };
    let api = ApiFault { status: Some(401), ..ApiFault::default() };
    scene.control.set_faults(Faults { upgrade: Some(shut), api: Some(api), ..Faults::default() });
    scene.control.drop_sockets();
    scene.world.until_state(&scene.id, ConnectionState::Refused).await;
    scene.control.heal().await;
    scene.engine.reconnect(&scene.id).await.unwrap();
    scene.live().await;
    scene.end().await;
}

/// For servers whose socket takes everybody while their HTTP API wants the key.
async fn a_wrong_key_is_told_beside_an_open_socket(kind: DialectKind) {
    let scene = scene_with(kind, |(_, key)| *key = Some(Secret::new("wrong-key".to_owned()))).await;
    let told = |reason: Option<String>| {
        reason.is_some_and(|text| text.starts_with("The server does not accept the key: "))
    };
    until("the reason", || told(scene.world.reason(&scene.id))).await;
    assert_eq!(shown_link(&scene.engine, &scene.id).await, Some(ConnectionState::Partly));
    let draft = scene.engine.server_draft(&scene.id).await.unwrap();
    let key = Secret::new(jobwatch_demo::DEMO_KEY.to_owned());
    let session = jobwatch_engine::api::KeyChange::Session;
    scene.engine.save_server(draft, session, Some(key)).await.unwrap();
    let job = scene.start("listed");
    scene.state(&job, JobState::Running).await;
    scene.end().await;
}

/// What is wrong is said with the first answer, and then nothing is asked with that key.
async fn a_wrong_key_is_said_at_once_and_the_server_left_in_peace(kind: DialectKind) {
    let scene = scene_with(kind, |(_, key)| *key = Some(Secret::new("wrong-key".to_owned()))).await;
    if kind == DialectKind::Kecs {
        // It takes everybody unless its upgrade is guarded.
        let shut = UpgradeFault::Status { status: 401, retry_after: None };
        scene.control.set_faults(Faults { upgrade: Some(shut), ..Faults::default() });
        scene.control.drop_sockets();
    }
    let refused = || scene.world.status(&scene.id).is_some_and(|status| status.key_refused());
    until("the key to be refused", refused).await;
    let status = scene.world.status(&scene.id).unwrap();
    let reason = status.reason.unwrap_or_default();
    assert!(reason.starts_with("The server does not accept the key"), "{reason}");
    assert!(reason.ends_with('.') && !reason.ends_with(".."), "{reason}");
    let sign_in = kind == DialectKind::BullBoard;
    let remedy = if sign_in { Remedy::SignIn } else { Remedy::EnterKey };
    assert_eq!(status.remedy, Some(remedy));
    let before = scene.control.counters();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let after = scene.control.counters();
    assert_eq!(after.bad_auth, before.bad_auth, "{:?} {:?}", before.requests, after.requests);
    assert_eq!(after.upgrades, before.upgrades);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_said_at_once_wherever_one_is_checked_and_no_server_is_asked_again_with_it()
{
    // The demo's plain server checks none.
    for kind in DialectKind::ALL.into_iter().filter(|kind| *kind != DialectKind::PlainJson) {
        a_wrong_key_is_said_at_once_and_the_server_left_in_peace(kind).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_every_subscription_is_accused_of_nothing() {
    let options = DemoOptions { life: false, ..DemoOptions::default() };
    let demo = Demo::start(options).await.unwrap();
    let world = World::new();
    let servers = demo.servers();
    let ids: Vec<String> = servers.iter().map(|(server, _)| server.id.0.clone()).collect();
    let engine = engine(&world, servers).await;
    for id in &ids {
        world.until_state(id, ConnectionState::Live).await;
    }
    for kind in DialectKind::ALL {
        let _ = demo.control(kind).start_job(JobSpec::default());
    }
    // Longer than an answer may take.
    tokio::time::sleep(Duration::from_secs(12)).await;
    for server in engine.overview().await.unwrap().servers {
        assert_eq!(server.diagnostics, [], "{}", server.name);
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_complains_of_is_listed_in_its_own_words() {
    let scene = scene(DialectKind::TriggerX).await;
    scene.live().await;
    let denied =
        r#"{"type":"ERROR","data":{"code":"ACCESS_DENIED","message":"Access denied to room"}}"#;
    for text in [denied, denied, "{broken"] {
        scene.control.send_text(text);
    }
    let listed = || async { scene.engine.overview().await.unwrap().servers[0].diagnostics.clone() };
    while listed().await.iter().map(|row| row.count).sum::<u32>() < 3 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let rows: Vec<_> =
        listed().await.into_iter().map(|row| (row.from_server, row.text, row.count)).collect();
    assert_eq!((rows[0].0, rows[0].2), (false, 1), "{rows:?}");
    assert!(rows[1].0 && rows[1].1.contains("Access denied to room"), "{rows:?}");
    assert_eq!(rows[1].2, 2);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_watched_by_its_bullmq_id_rings() {
    let scene = scene_with(DialectKind::BullBoard, |(server, _)| {
        server.watch = vec![Topic::Job("4711".into())];
    })
    .await;
    scene.live().await;
    let spec = JobSpec {
        name: Some("mail".to_owned()),
        external_id: Some("4711".to_owned()),
        ..JobSpec::default()
    };
    let id = scene.control.start_job(spec);
    scene.state(&id, JobState::Running).await;
    scene.control.complete(&id, None);
    scene.popups(1).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_a_user_who_is_watched_by_the_address_rings() {
    let scene = scene_with(DialectKind::TriggerX, |(server, _)| {
        let owner = server.options["user"].clone();
        server.watch = vec![Topic::User(owner)];
    })
    .await;
    scene.live().await;
    // The server announces no new job, so that a live link would show it only after half a minute.
    let refuse = UpgradeFault::Status { status: 503, retry_after: None };
    scene.control.set_faults(Faults { upgrade: Some(refuse), ..Faults::default() });
    scene.control.drop_sockets();
    scene.world.until_state(&scene.id, ConnectionState::Polling).await;
    let spec = JobSpec { parent: Some("job:4711".to_owned()), ..JobSpec::default() };
    let id = scene.control.start_job(spec);
    scene.state("job:4711", JobState::Running).await;
    scene.control.complete(&id, None);
    until("the job's own popup", || {
        let popups = scene.world.popups.lock().unwrap();
        popups
            .iter()
            .any(|popup| popup.notice.job.as_ref().is_some_and(|job| job.as_str() == "job:4711"))
    })
    .await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_on_screen_in_a_focused_window_rings_no_popup() {
    let scene = scene(DialectKind::Kecs).await;
    scene.live().await;
    let (seen, unseen) = (scene.start("seen"), scene.start("unseen"));
    scene.state(&seen, JobState::Running).await;
    scene.state(&unseen, JobState::Running).await;
    let job = scene.world.job(&seen).unwrap().id.as_str().to_owned();
    let open = jobwatch_engine::api::OpenJob { server: scene.id.clone(), job };
    scene.engine.looking_at(true, Some(open)).await;
    scene.control.complete(&seen, None);
    scene.state(&seen, JobState::Completed).await;
    // What went well never pops up over a window in use.
    scene.control.fail(&unseen, "no space left on device", None);
    scene.popups(1).await;
    let popups = scene.world.popups.lock().unwrap().clone();
    assert_eq!(popups.len(), 1);
    assert!(popups[0].notice.job.as_ref().unwrap().as_str().ends_with(&unseen));
    let Rows::Notices { rows } = pull(
        &scene.engine,
        ViewSpec::Notices { unread: false, failures: false, search: String::new(), expanded: None },
    )
    .await
    else {
        panic!()
    };
    assert_eq!(rows.len(), 2, "both are in the list");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_line_by_line_and_the_view_is_told() {
    let scene = scene(DialectKind::Kecs).await;
    scene.live().await;
    let id = scene.start("writer");
    scene.state(&id, JobState::Running).await;
    let job = scene.world.job(&id).unwrap().id.as_str().to_owned();
    scene.engine.attach_window(scene.world.window());
    let open = jobwatch_engine::api::OpenJob { server: scene.id.clone(), job };
    let filter = LogFilter::default();
    let spec = ViewSpec::Log { jobs: vec![open.clone()], filter };
    let view = scene.engine.open_view(spec).await.unwrap();
    let _ = scene.engine.view_window(view, 0, 100).await.unwrap();
    scene.control.log(&id, Level::Warn, "\u{1b}[33mcareful\u{1b}[0m");
    until("the view to be told of", || {
        scene.world.ticks.lock().unwrap().iter().any(|tick| tick.views.contains(&view))
    })
    .await;
    until("the line", || scene.world.lines(&id).iter().any(|line| line.contains("careful"))).await;
    let window = scene.engine.view_window(view, 0, 100).await.unwrap();
    let Rows::Log { rows, .. } = window.rows else { panic!() };
    let text = |row: &jobwatch_engine::api::LogRow| {
        row.spans.iter().map(|span| span.text.as_str()).collect::<String>()
    };
    let row = rows.iter().find(|row| text(row) == "careful").expect("the line is shown");
    assert_eq!(row.spans[0].fg.as_deref(), Some("3"), "{row:?}");

    // Asked for in another way it is known from the first answer on: no empty page in between.
    let find = LogFind { text: "careful".to_owned(), ..LogFind::default() };
    let filter = LogFilter { find: Some(find), ..LogFilter::default() };
    let spec = ViewSpec::Log { jobs: vec![open], filter };
    let found = scene.engine.open_view(spec).await.unwrap();
    let state = async || {
        let window = scene.engine.view_window(found, 0, 100).await.unwrap();
        let Rows::Log { state, .. } = window.rows else { panic!() };
        state
    };
    let first = state().await;
    assert!(first.known && first.lines > 0, "{first:?}");
    // And it is searched, though nothing is heard of the log any more.
    while state().await.matches != 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    scene.end().await;
}

/// The shipped server gives the newest lines of a running container, whatever the offset.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_a_running_container_holds_each_line_once_however_often_it_is_read() {
    let options = DemoOptions { life: false, strict: true, ..DemoOptions::default() };
    let demo = Demo::start(options).await.unwrap();
    let mut server =
        demo.servers().into_iter().find(|(s, _)| s.dialect == DialectKind::Kecs).unwrap();
    server.0.policy = quick();
    let id = server.0.id.0.clone();
    let world = World::new();
    let engine = engine(&world, vec![server]).await;
    let scene = Scene { control: demo.control(DialectKind::Kecs), demo, world, engine, id };
    scene.live().await;
    let id = scene.start("writer");
    scene.state(&id, JobState::Running).await;
    let job = scene.world.job(&id).unwrap().id.as_str().to_owned();
    scene.control.log(&id, Level::Info, "one");
    // Where no socket brings the lines, the log on screen is read again and again.
    let refuse = UpgradeFault::Status { status: 503, retry_after: None };
    scene.control.set_faults(Faults { upgrade: Some(refuse), ..Faults::default() });
    scene.control.drop_sockets();
    scene.world.until_state(&scene.id, ConnectionState::Polling).await;
    scene.engine.attach_window(scene.world.window());
    let open = jobwatch_engine::api::OpenJob { server: scene.id.clone(), job };
    let spec = ViewSpec::Log { jobs: vec![open], filter: Default::default() };
    scene.engine.open_view(spec).await.unwrap();
    until("the first line", || scene.world.lines(&id).iter().any(|line| line == "one")).await;
    scene.control.log(&id, Level::Info, "two");
    until("the second line", || scene.world.lines(&id).iter().any(|line| line == "two")).await;
    let lines = scene.world.lines(&id);
    assert_eq!(lines.iter().filter(|line| *line == "one").count(), 1, "{lines:?}");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_cancelled_in_the_servers_own_way() {
    let scene = scene(DialectKind::Kecs).await;
    scene.live().await;
    let id = scene.start("unwanted");
    scene.state(&id, JobState::Running).await;
    let job = scene.world.job(&id).unwrap().id.as_str().to_owned();
    scene.engine.act(&scene.id, &job, ActionKind::Cancel).await.unwrap();
    until("the job to end", || scene.world.job(&id).is_some_and(|job| job.state.terminal())).await;
    let refused = scene.engine.act(&scene.id, &job, ActionKind::Cancel).await.unwrap_err();
    assert_eq!(refused.code, jobwatch_engine::api::ErrorCode::Invalid);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_of_html_leaves_the_socket_alone_and_is_named() {
    let scene = scene(DialectKind::Kecs).await;
    scene.live().await;
    let fault = ApiFault::html(502);
    scene.control.change_faults(|faults| faults.api = Some(fault));
    let job = scene.start("by-socket");
    scene.state(&job, JobState::Running).await;
    until("the oddity to be told", || {
        scene
            .world
            .events
            .lock()
            .unwrap()
            .iter()
            .any(|event| matches!(event, jobwatch_engine::ports::StreamEvent::Diagnostic { .. }))
    })
    .await;
    assert_eq!(shown_link(&scene.engine, &scene.id).await, Some(ConnectionState::Live));
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_failed_beside_a_live_socket_is_not_taken_for_an_answer() {
    let scene = scene(DialectKind::Kecs).await;
    scene.live().await;
    let fault = ApiFault::html(503);
    scene.control.change_faults(|faults| faults.api = Some(fault));
    scene.engine.watch(&scene.id, "job:nowhere").await.unwrap();
    let listed = || -> Vec<bool> {
        let events = scene.world.events.lock().unwrap();
        let of = |event: &jobwatch_engine::ports::StreamEvent| match event {
            jobwatch_engine::ports::StreamEvent::Listed { topic, ok, .. } => {
                topic.to_string().ends_with("nowhere").then_some(*ok)
            }
            _ => None,
        };
        events.iter().filter_map(of).collect()
    };
    until("the failure to be told", || !listed().is_empty()).await;
    assert_eq!(listed(), [false]);
    assert_eq!(shown_link(&scene.engine, &scene.id).await, Some(ConnectionState::Partly));
    scene.control.change_faults(|faults| faults.api = None);
    until("the answer to be told", || listed().len() > 1).await;
    assert_eq!(listed(), [false, true]);
    scene.end().await;
}
