//! A server's own notices: how they are listed, and that they can be read there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jobwatch_core::connection::ConnectionState;
use jobwatch_core::notify::Tone;
use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Demo, DemoOptions};
use jobwatch_engine::api::{NoticeRow, Rows, ViewSpec};
use jobwatch_engine::{Engine, Options, SettingsSource};
use serde_json::{Value, json};

use crate::common::{DEADLINE, World, until};
use crate::notices::Scene;

fn say(scene: &Scene, kind: &str, payload: Value) {
    scene.control.send_text(&json!({"type": kind, "payload": payload}).to_string());
}

async fn listed(engine: &Engine) -> Vec<NoticeRow> {
    let search = String::new();
    let spec = ViewSpec::Notices { unread: false, failures: false, search, expanded: None };
    let view = engine.open_view(spec).await.unwrap();
    let window = engine.view_window(view, 0, 50).await.unwrap();
    engine.close_view(view).await;
    let Rows::Notices { rows } = window.rows else { panic!("{:?}", window.rows) };
    rows
}

fn state(rows: &[NoticeRow]) -> Vec<(&str, bool)> {
    let mut all: Vec<_> = rows.iter().map(|row| (row.title.as_str(), row.read)).collect();
    all.sort();
    all
}

async fn until_listed(engine: &Engine, what: &str, fits: impl Fn(&[NoticeRow]) -> bool) {
    let begun = Instant::now();
    loop {
        let rows = listed(engine).await;
        if fits(&rows) {
            return;
        }
        assert!(begun.elapsed() < DEADLINE, "waited in vain for {what}: {rows:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_a_servers_notices_is_listed_in_the_order_of_their_own_times() {
    let scene = Scene::live(DialectKind::Kecs).await;
    say(
        &scene,
        "notification",
        json!({"id": "n3", "title": "third", "timestamp": "2026-01-03T00:00:00Z"}),
    );
    until_listed(&scene.engine, "the first to come", |rows| rows.len() == 1).await;
    say(
        &scene,
        "notification_history",
        json!({"notifications": [
            {"id": "n2", "title": "second", "timestamp": "2026-01-02T00:00:00Z"},
            {"id": "n1", "title": "first", "timestamp": "2026-01-01T00:00:00Z"},
        ]}),
    );
    let order = ["third", "second", "first"];
    until_listed(&scene.engine, "all in order", |rows| {
        rows.iter().map(|row| row.title.as_str()).eq(order)
    })
    .await;
    scene.engine.stop().await;
    scene.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_success_is_good_news_its_warning_a_warning_and_only_trouble_pops_up() {
    let scene = Scene::live(DialectKind::Kecs).await;
    for (title, word) in
        [("deployed", "success"), ("slow disk", "warning"), ("no disk", "error"), ("hello", "info")]
    {
        say(&scene, "notification", json!({"id": title, "title": title, "type": word}));
    }
    until_listed(&scene.engine, "all four", |rows| rows.len() == 4).await;
    let rows = listed(&scene.engine).await;
    let tone = |title: &str| rows.iter().find(|row| row.title == title).unwrap().tone;
    assert_eq!(
        ["deployed", "slow disk", "no disk", "hello"].map(tone),
        [Tone::Good, Tone::Warn, Tone::Bad, Tone::Plain]
    );
    until("both troubles", || scene.world.titles().len() == 2).await;
    let mut titles = scene.world.titles();
    titles.sort();
    assert_eq!(titles, ["no disk", "slow disk"]);
    scene.engine.stop().await;
    scene.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_is_read_on_the_server_is_read_here() {
    let scene = Scene::live(DialectKind::Kecs).await;
    let read = |id: &str| json!({"id": id, "read": true});
    // In one breath: the notice may still be on its way into the history.
    say(&scene, "notification", json!({"id": "n1", "title": "one", "type": "warning"}));
    say(&scene, "notification_update", read("n1"));
    say(&scene, "notification", json!({"id": "n2", "title": "two", "read": true}));
    say(&scene, "notification", json!({"id": "n3", "title": "three"}));
    let all = [("one", true), ("three", false), ("two", true)];
    until_listed(&scene.engine, "two read notices", |rows| state(rows) == all).await;
    say(&scene, "notification_update", json!({"id": "n3", "changes": {"read": true}}));
    let all = [("one", true), ("three", true), ("two", true)];
    until_listed(&scene.engine, "all to be read", |rows| state(rows) == all).await;
    scene.engine.stop().await;
    scene.demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_run_listed_is_read_here_when_it_is_read_on_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(DemoOptions { life: false, ..DemoOptions::default() }).await.unwrap();
    let (server, key) =
        demo.servers().into_iter().find(|(s, _)| s.dialect == DialectKind::Kecs).unwrap();
    let id = server.id.0.clone();
    let start = async |world: &Arc<World>| {
        let settings = SettingsSource::Fixed(vec![(server.clone(), key.clone())]);
        let data_dir = Some(dir.path().to_owned());
        let options = Options { data_dir, settings, ports: world.ports(), seed: Some(1) };
        let engine = Engine::start(options).await.unwrap();
        world.until_state(&id, ConnectionState::Live).await;
        engine
    };
    let control = demo.control(DialectKind::Kecs);
    let world = World::new();
    let engine = start(&world).await;
    let sent = json!({"type": "notification", "payload": {"id": "n9", "title": "nine"}});
    control.send_text(&sent.to_string());
    until_listed(&engine, "it", |rows| state(rows) == [("nine", false)]).await;
    engine.stop().await;
    let world = World::new();
    let engine = start(&world).await;
    until_listed(&engine, "it again", |rows| state(rows) == [("nine", false)]).await;
    let update = json!({"type": "notification_update", "payload": {"id": "n9", "read": true}});
    control.send_text(&update.to_string());
    until_listed(&engine, "it to be read", |rows| state(rows) == [("nine", true)]).await;
    engine.stop().await;
    demo.stop().await;
}
