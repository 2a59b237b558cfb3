//! Popups that stay welcome, a list of notices that is worth reading, and decisions that hold.

use std::collections::BTreeMap;
use std::time::Duration;

use jobwatch_core::connection::ConnectionState;
use jobwatch_core::server::DialectKind;
use jobwatch_demo::JobSpec;
use jobwatch_engine::api::{
    ActionKind, AskedState, ErrorCode, EventKind, Mute, MuteBy, MuteTarget, NoticeRow, NoticeRule,
    PreferencesPatch, Rows, ViewSpec,
};
use jobwatch_engine::ports::StreamEvent;

use crate::common::{World, engine, until};
use crate::notices::{Scene, start_all};

/// All rows of the list, groups folded.
async fn list(scene: &Scene) -> Vec<NoticeRow> {
    let (search, expanded) = (String::new(), Some(Vec::new()));
    let spec = ViewSpec::Notices { unread: false, failures: false, search, expanded };
    let view = scene.engine.open_view(spec).await.unwrap();
    let window = scene.engine.view_window(view, 0, 500).await.unwrap();
    scene.engine.close_view(view).await;
    let Rows::Notices { rows } = window.rows else { panic!("{:?}", window.rows) };
    rows
}

/// Waits until so many notices that rules wanted are listed.
async fn list_of(scene: &Scene, many: usize) -> Vec<NoticeRow> {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let rows = list(scene).await;
        let ours = rows.iter().filter(|row| row.rule.is_some());
        if ours.map(|row| 1 + row.folded.len()).sum::<usize>() >= many {
            return rows;
        }
        assert!(std::time::Instant::now() < deadline, "{} rows", rows.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn rule(kinds: &[EventKind]) -> NoticeRule {
    NoticeRule { name: "mine".to_owned(), kinds: kinds.to_vec(), ..NoticeRule::default() }
}

async fn set_rules(scene: &Scene, rules: Vec<NoticeRule>) {
    let patch = PreferencesPatch { rules: Some(rules), ..PreferencesPatch::default() };
    scene.engine.set_preferences(patch).await.unwrap();
}

fn snooze(until: Option<i64>) -> PreferencesPatch {
    PreferencesPatch { snoozed_until: Some(until), ..PreferencesPatch::default() }
}

fn in_an_hour() -> Option<i64> {
    Some(jiff::Timestamp::now().as_millisecond() + 3_600_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn four_hundred_failures_of_twelve_names_are_twelve_rows_in_the_order_of_time() {
    let scene = Scene::live(DialectKind::Kecs).await;
    let names: Vec<String> = (0..400).map(|n| format!("etl-{}", n % 12)).collect();
    let ids = start_all(&scene.world, &scene.control, &names).await;
    for (nth, id) in ids.iter().enumerate() {
        scene.control.fail(id, &format!("row {nth} of {} is bad", names[nth]), None);
    }
    let rows = list_of(&scene, 400).await;
    let mut counts = BTreeMap::new();
    for row in &rows {
        *counts.entry(row.title.replace(" again", "")).or_insert(0) += 1 + row.folded.len();
    }
    assert_eq!(rows.len(), 12, "{counts:?}");
    assert_eq!(counts.values().sum::<usize>(), 400, "nothing is listed twice: {counts:?}");
    assert!(rows.is_sorted_by(|one, next| one.at >= next.at), "{rows:?}");
    assert!(counts.keys().all(|title| title.ends_with(":7 failed")), "{counts:?}");
    scene.engine.stop().await;
    scene.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_quiet_all_servers_are_summed_up_in_one_popup() {
    let demo = jobwatch_demo::Demo::start(jobwatch_demo::DemoOptions {
        life: false,
        ..jobwatch_demo::DemoOptions::default()
    })
    .await
    .unwrap();
    let kinds = [DialectKind::Kecs, DialectKind::BullBoard];
    let of = |kind| demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
    let world = World::new();
    let engine = engine(&world, kinds.map(of).to_vec()).await;
    let mut ids = Vec::new();
    for kind in kinds {
        world.until_state(&of(kind).0.id.0, ConnectionState::Live).await;
        let control = demo.control(kind);
        let names = ["good".to_owned(), "bad".to_owned()];
        ids.push((kind, start_all(&world, &control, &names).await));
    }
    engine.set_preferences(snooze(in_an_hour())).await.unwrap();
    for (kind, ids) in &ids {
        demo.control(*kind).complete(&ids[0], None);
        demo.control(*kind).fail(&ids[1], "disk full", None);
    }
    let ended = |id: &String| world.job(id).is_some_and(|job| job.state.terminal());
    until("the ends", || ids.iter().flat_map(|(_, ids)| ids).all(ended)).await;
    // Of ends: a server's own messages are notices too.
    let notices = || {
        let events = world.events.lock().unwrap();
        let end = |event: &&StreamEvent| matches!(event, StreamEvent::Notice(notice) if notice.key.is_some());
        events.iter().filter(end).count()
    };
    until("the notices", || notices() == 4).await;
    assert!(world.titles().is_empty(), "{:?}", world.titles());
    engine.set_preferences(snooze(None)).await.unwrap();
    until("the summary", || !world.titles().is_empty()).await;
    // Whatever else were to be shown would come with it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.titles(), ["While quiet: 2 completed, 2 failed"]);
    let body = world.popups.lock().unwrap()[0].notice.body.clone();
    assert!(body.starts_with("On 2 servers\nbad"), "{body}");
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_user_works_in_the_window_only_what_went_wrong_pops_up() {
    let scene = Scene::live(DialectKind::Kecs).await;
    let names = ["good", "bad", "later"].map(str::to_owned);
    let ids = start_all(&scene.world, &scene.control, &names).await;
    scene.engine.looking_at(true, None).await;
    scene.control.complete(&ids[0], None);
    list_of(&scene, 1).await;
    scene.control.fail(&ids[1], "disk full", None);
    until("the failure", || !scene.world.titles().is_empty()).await;
    scene.engine.looking_at(false, None).await;
    scene.control.complete(&ids[2], None);
    until("the success", || scene.world.titles().len() == 2).await;
    assert_eq!(scene.world.titles(), ["bad:7 failed", "later:7 completed"]);
    scene.engine.stop().await;
    scene.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_edited_while_popups_are_held_back_does_not_change_what_it_decided() {
    let scene = Scene::live(DialectKind::Kecs).await;
    set_rules(&scene, vec![rule(&[EventKind::Failed])]).await;
    scene.engine.set_preferences(snooze(in_an_hour())).await.unwrap();
    let names = ["shown", "listed"].map(str::to_owned);
    let ids = start_all(&scene.world, &scene.control, &names).await;
    scene.control.fail(&ids[0], "disk full", None);
    list_of(&scene, 1).await;
    // From now on failures are only listed.
    set_rules(&scene, vec![NoticeRule { popup: false, ..rule(&[EventKind::Failed]) }]).await;
    scene.control.fail(&ids[1], "no route", None);
    list_of(&scene, 2).await;
    set_rules(&scene, vec![rule(&[EventKind::Failed])]).await;
    scene.engine.set_preferences(snooze(None)).await.unwrap();
    until("the popup", || !scene.world.titles().is_empty()).await;
    assert_eq!(scene.world.titles(), ["shown:7 failed"]);
    scene.engine.stop().await;
    scene.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_of_a_rule_for_long_jobs_is_not_run_for_a_short_one() {
    let scene = Scene::live(DialectKind::Kecs).await;
    let run = ["sh", "-c", "echo $JOBWATCH_RULE"].map(str::to_owned).to_vec();
    let long = NoticeRule {
        name: "long".to_owned(),
        at_least_seconds: 3_600,
        run: run.clone(),
        ..rule(&[EventKind::Failed])
    };
    let listed =
        NoticeRule { name: "any".to_owned(), popup: false, run, ..rule(&[EventKind::Failed]) };
    set_rules(&scene, vec![long, listed]).await;
    let ids = start_all(&scene.world, &scene.control, &["short".to_owned()]).await;
    scene.control.fail(&ids[0], "disk full", None);
    let output = loop {
        let rows = list_of(&scene, 1).await;
        if let Some(output) = rows[0].output.clone() {
            break output;
        }
    };
    assert!(output.ends_with("\nany") && !output.contains("long"), "{output}");
    assert!(scene.world.titles().is_empty(), "only a list-only rule wanted it");
    scene.engine.stop().await;
    scene.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_job_that_disappears_is_notified_once_with_its_outcome_unknown() {
    for kind in [
        DialectKind::Kecs,
        DialectKind::TriggerX,
        DialectKind::StudyBuddy,
        DialectKind::Analyzer,
        DialectKind::BullBoard,
    ] {
        let scene = Scene::live(kind).await;
        set_rules(&scene, NoticeRule::usual()).await;
        let id = start_all(&scene.world, &scene.control, &["sync".to_owned()]).await.remove(0);
        let job = scene.world.job(&id).unwrap();
        let topic = format!("job:{}", job.id);
        scene.engine.watch(&scene.id, &topic).await.unwrap();
        // Long enough for HTTP to have shown it.
        until("HTTP to show it", || {
            let events = scene.world.events.lock().unwrap();
            events.iter().any(|event| matches!(event, StreamEvent::Listed { topic: of, ok: true, .. } if of.to_string() == topic))
        })
        .await;
        assert!(scene.control.remove(&id), "{kind:?}");
        scene.control.drop_sockets();
        until(&format!("{kind:?} to say so"), || !scene.world.titles().is_empty()).await;
        let name = scene.world.job(&id).unwrap().title().to_owned();
        assert_eq!(scene.world.titles(), [format!("{name} has disappeared")], "{kind:?}");
        let popup = scene.world.popups.lock().unwrap()[0].clone();
        assert!(popup.notice.body.ends_with("outcome is unknown."), "{}", popup.notice.body);
        scene.control.drop_sockets();
        scene.world.until_state(&scene.id, ConnectionState::Live).await;
        assert_eq!(list(&scene).await.len(), 1, "{kind:?}");
        scene.engine.stop().await;
        scene.demo.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_changes_one_choice_erases_no_other_that_was_changed_meanwhile() {
    let scene = Scene::live(DialectKind::Kecs).await;
    let until_then = in_an_hour();
    let mute = |name: &str| Mute { name: Some(name.to_owned()), ..Mute::default() };
    let with = |name: &str| PreferencesPatch { mute: vec![mute(name)], ..Default::default() };
    let tray = PreferencesPatch { told_of_tray: Some(true), ..PreferencesPatch::default() };
    let engine = &scene.engine;
    let (one, two, three, four) = tokio::join!(
        engine.set_preferences(snooze(until_then)),
        engine.set_preferences(with("a")),
        engine.set_preferences(tray),
        engine.set_preferences(with("b")),
    );
    [one, two, three, four].into_iter().for_each(|set| set.unwrap());
    let now = engine.preferences().await.unwrap();
    assert_eq!((now.snoozed_until, now.told_of_tray), (until_then, true));
    assert_eq!(now.muted.len(), 2, "{:?}", now.muted);
    let unmute = PreferencesPatch { unmute: vec![mute("a")], ..PreferencesPatch::default() };
    engine.set_preferences(unmute).await.unwrap();
    assert_eq!(engine.preferences().await.unwrap().muted, [mute("b")]);
    scene.engine.stop().await;
    let after = scene.engine.overview().await.unwrap_err();
    assert_eq!(after.code, ErrorCode::Internal, "nothing is made up once it has stopped");
    scene.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_or_its_queue_is_muted_from_the_window_and_rings_no_more() {
    let scene = Scene::live(DialectKind::BullBoard).await;
    let names = ["noisy", "other"].map(str::to_owned);
    let ids = start_all(&scene.world, &scene.control, &names).await;
    let target = |id: &String| {
        let job = scene.world.job(id).unwrap().id.as_str().to_owned();
        MuteTarget::Job { server: scene.id.clone(), job }
    };
    let muted = scene.engine.mute(target(&ids[0]), MuteBy::Name).await.unwrap();
    assert_eq!(muted.name.as_deref(), Some("noisy"));
    let none = scene.engine.mute(target(&ids[0]), MuteBy::Error).await.unwrap_err();
    assert_eq!(none.message, "It has no error that could be muted.");
    scene.control.fail(&ids[0], "disk full", None);
    list_of(&scene, 1).await;
    let queue = scene.engine.mute(target(&ids[1]), MuteBy::Queue).await.unwrap();
    assert!(queue.queue.is_some());
    scene.control.fail(&ids[1], "no route", None);
    list_of(&scene, 2).await;
    let unmute = PreferencesPatch { unmute: vec![muted, queue], ..PreferencesPatch::default() };
    scene.engine.set_preferences(unmute).await.unwrap();
    let ids = start_all(&scene.world, &scene.control, &["noisy".to_owned()]).await;
    scene.control.fail(&ids[0], "a new one", None);
    until("the popup", || !scene.world.titles().is_empty()).await;
    assert_eq!(scene.world.titles(), ["noisy failed again"]);
    scene.engine.stop().await;
    scene.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_shown_on_the_row_at_once_then_how_it_went_and_the_new_run() {
    let scene = Scene::live(DialectKind::BullBoard).await;
    let id =
        scene.control.start_job(JobSpec { name: Some("send".to_owned()), ..Default::default() });
    until("it to run", || scene.world.job(&id).is_some()).await;
    scene.control.fail(&id, "550 mailbox unknown", None);
    until("the failure", || scene.world.job(&id).is_some_and(|job| job.state.terminal())).await;
    let job = scene.world.job(&id).unwrap().id.as_str().to_owned();
    let spec = ViewSpec::Job { server: scene.id.clone(), job: job.clone() };
    let view = scene.engine.open_view(spec).await.unwrap();
    let asked = async || {
        let window = scene.engine.view_window(view, 0, 1).await.unwrap();
        let Rows::Job { detail: Some(detail), .. } = window.rows else { panic!("no job") };
        detail.row.asked
    };
    assert_eq!(asked().await, None);
    let engine = scene.engine.clone();
    let (server, of) = (scene.id.clone(), job.clone());
    let act = tokio::spawn(async move { engine.act(&server, &of, ActionKind::Retry).await });
    // Before the server has answered the row says that it was asked.
    let begun = std::time::Instant::now();
    while asked().await.is_none() {
        assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
        tokio::task::yield_now().await;
    }
    act.await.unwrap().unwrap();
    assert_eq!(asked().await.unwrap().state, AskedState::Accepted);
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    let run = loop {
        if let Some(run) = asked().await.unwrap().run {
            break run;
        }
        assert!(std::time::Instant::now() < deadline, "the new run is not found");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_ne!(run, job);
    assert_eq!(scene.world.job(&run).unwrap().title(), "send");
    scene.engine.stop().await;
    scene.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_obeys_the_users_rules() {
    let scene = Scene::live(DialectKind::Kecs).await;
    set_rules(&scene, NoticeRule::usual()).await;
    let names = ["good", "bad"].map(str::to_owned);
    let ids = start_all(&scene.world, &scene.control, &names).await;
    let server = scene.demo.servers().into_iter().find(|(s, _)| s.id.0 == scene.id).unwrap();
    scene.engine.set_demo(vec![server]).await;
    scene.world.until_state(&scene.id, ConnectionState::Live).await;
    scene.control.complete(&ids[0], None);
    scene.control.fail(&ids[1], "disk full", None);
    until("the failure", || !scene.world.titles().is_empty()).await;
    assert_eq!(scene.world.titles(), ["bad:7 failed"]);
    scene.engine.stop().await;
    scene.demo.stop().await;
}
