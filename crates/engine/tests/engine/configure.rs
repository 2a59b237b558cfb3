//! Saving, changing, testing and removing servers, and where their keys go.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jobwatch_core::connection::ConnectionState;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, Server};
use jobwatch_demo::{DEMO_KEY, Demo, DemoOptions};
use jobwatch_engine::api::{
    ErrorCode, KeyChange, KeyState, Preferences, ServerDraft, TestStep, Theme,
};
use jobwatch_engine::{Engine, Options, SettingsSource};

use crate::common::{Keyring, World, shown_link, until, until_async};

pub async fn start(world: &Arc<World>, path: &Path) -> Engine {
    let settings = SettingsSource::File(path.to_owned());
    let ports = world.ports();
    Engine::start(Options { data_dir: None, settings, ports, seed: Some(1) }).await.unwrap()
}

pub fn settings() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("settings.toml");
    (dir, path)
}

async fn demo() -> (Demo, Server) {
    let demo = Demo::start(DemoOptions { life: false, ..DemoOptions::default() }).await.unwrap();
    let kind = DialectKind::TriggerX;
    let (server, _) = demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
    (demo, server)
}

pub fn draft(server: &Server) -> ServerDraft {
    ServerDraft {
        id: None,
        name: "Mine".to_owned(),
        dialect: server.dialect.word().to_owned(),
        ws: server.ws.clone(),
        api: server.api.clone().unwrap_or_default(),
        watch: vec!["all".to_owned()],
        key_placement: None,
        namespace: String::new(),
        options: server.options.clone().into_iter().collect(),
        extra_ca: String::new(),
        sign_in: None,
    }
}

fn key() -> Option<Secret> {
    Some(Secret::new(DEMO_KEY.to_owned()))
}

async fn key_state(engine: &Engine) -> KeyState {
    engine.overview().await.unwrap().servers[0].key
}

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_server_is_there_after_a_restart_with_its_key_from_the_keyring() {
    let (_dir, path) = settings();
    let (demo, server) = demo().await;
    let world = World::new();
    let engine = start(&world, &path).await;
    let id = engine.save_server(draft(&server), KeyChange::Store, key()).await.unwrap();
    world.until_state(&id, ConnectionState::Live).await;
    assert_eq!(key_state(&engine).await, KeyState::Stored);
    let preferences = Preferences { theme: Theme::Dark, popups: false, ..Preferences::default() };
    engine.set_preferences(preferences.clone()).await.unwrap();
    engine.watch(&id, "job:17").await.unwrap();
    engine.stop().await;
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(DEMO_KEY), "{text}");
    assert_eq!(world.keys.lock().unwrap().get(&id).map(String::as_str), Some(DEMO_KEY));

    let engine = start(&world, &path).await;
    world.events.lock().unwrap().clear();
    world.until_state(&id, ConnectionState::Live).await;
    assert_eq!(engine.overview().await.unwrap().preferences, preferences);
    assert_eq!(engine.overview().await.unwrap().servers[0].watch, ["all", "job:17"]);
    engine.remove_server(&id).await.unwrap();
    assert!(engine.overview().await.unwrap().servers.is_empty());
    assert!(world.keys.lock().unwrap().is_empty());
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_keyring_refuses_nothing_is_saved_and_the_session_is_a_way_on() {
    let (_dir, path) = settings();
    let (demo, server) = demo().await;
    let world = World::new();
    *world.keyring.lock().unwrap() = Keyring::Locked;
    let engine = start(&world, &path).await;
    let refused = engine.save_server(draft(&server), KeyChange::Store, key()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Keyring);
    assert!(engine.overview().await.unwrap().servers.is_empty() && !path.exists());
    let id = engine.save_server(draft(&server), KeyChange::Session, key()).await.unwrap();
    world.until_state(&id, ConnectionState::Live).await;
    assert_eq!(key_state(&engine).await, KeyState::Session);
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_keyring_is_named_and_asked_again_on_reconnect() {
    let (_dir, path) = settings();
    let (demo, server) = demo().await;
    let world = World::new();
    let engine = start(&world, &path).await;
    let id = engine.save_server(draft(&server), KeyChange::Store, key()).await.unwrap();
    engine.stop().await;

    *world.keyring.lock().unwrap() = Keyring::Locked;
    world.events.lock().unwrap().clear();
    let engine = start(&world, &path).await;
    world.until_state(&id, ConnectionState::Offline).await;
    assert_eq!(key_state(&engine).await, KeyState::Locked);
    assert!(engine.overview().await.unwrap().health.keyring.unwrap().contains("locked"));
    *world.keyring.lock().unwrap() = Keyring::Works;
    engine.reconnect(&id).await.unwrap();
    world.until_state(&id, ConnectionState::Live).await;
    assert_eq!(engine.overview().await.unwrap().health.keyring, None);
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_servers_that_the_keyring_has_no_key_for_are_named_together() {
    let (_dir, path) = settings();
    let demo = Demo::start(DemoOptions { life: false, ..DemoOptions::default() }).await.unwrap();
    let world = World::new();
    let engine = start(&world, &path).await;
    let mut ids = Vec::new();
    for (name, kind) in [("Mail", DialectKind::BullBoard), ("Wallets", DialectKind::Analyzer)] {
        let (server, _) = demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
        let draft = ServerDraft { name: name.to_owned(), ..draft(&server) };
        ids.push(engine.save_server(draft, KeyChange::Store, key()).await.unwrap());
    }
    engine.stop().await;

    world.keys.lock().unwrap().clear();
    world.events.lock().unwrap().clear();
    let engine = start(&world, &path).await;
    for id in &ids {
        world.until_state(id, ConnectionState::Offline).await;
    }
    assert_eq!(
        engine.overview().await.unwrap().health.keyring.unwrap(),
        "The keyring has no keys for \"Mail\" and \"Wallets\", or is locked. Unlock it and \
         reconnect, or enter the keys again."
    );
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_keyring_holds_up_neither_the_window_nor_other_servers() {
    let (_dir, path) = settings();
    let (demo, server) = demo().await;
    let world = World::new();
    let engine = start(&world, &path).await;
    let keyed = engine.save_server(draft(&server), KeyChange::Store, key()).await.unwrap();
    let mut other = draft(&server);
    other.name = "Without a key".to_owned();
    let kecs = demo.servers().into_iter().find(|(s, _)| s.dialect == DialectKind::Kecs).unwrap();
    other.dialect = "kecs".to_owned();
    other.ws = kecs.0.ws;
    other.api = kecs.0.api.unwrap();
    other.options = kecs.0.options.into_iter().collect();
    let keyless = engine.save_server(other, KeyChange::Keep, None).await.unwrap();
    engine.stop().await;

    *world.keyring.lock().unwrap() = Keyring::Silent;
    world.events.lock().unwrap().clear();
    let engine = start(&world, &path).await;
    assert_eq!(key_state(&engine).await, KeyState::Waiting);
    world.until_state(&keyless, ConnectionState::Live).await;
    assert_eq!(shown_link(&engine, &keyed).await, Some(ConnectionState::Connecting));
    *world.keyring.lock().unwrap() = Keyring::Works;
    world.until_state(&keyed, ConnectionState::Live).await;
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_key_is_not_sent_to_a_new_host() {
    let (_dir, path) = settings();
    let (demo, server) = demo().await;
    let world = World::new();
    let engine = start(&world, &path).await;
    let id = engine.save_server(draft(&server), KeyChange::Store, key()).await.unwrap();
    let mut moved = engine.server_draft(&id).await.unwrap();
    moved.api = "http://elsewhere.example".to_owned();
    for change in [KeyChange::Keep] {
        let refused = engine.save_server(moved.clone(), change, None).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::Invalid);
        assert!(refused.message.contains("elsewhere.example"), "{}", refused.message);
    }
    let steps = Box::new(|_: TestStep| panic!("nothing is tried"));
    let refused = engine.test_server(moved, KeyChange::Keep, None, steps).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Invalid);
    let mut renamed = engine.server_draft(&id).await.unwrap();
    renamed.name = "Other name".to_owned();
    engine.save_server(renamed, KeyChange::Keep, None).await.unwrap();
    assert_eq!(engine.servers().await[0].name, "Other name");
    world.until_state(&id, ConnectionState::Live).await;
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_fields_are_named() {
    let world = World::new();
    let (_dir, path) = settings();
    let engine = start(&world, &path).await;
    let good = ServerDraft {
        id: None,
        name: String::new(),
        dialect: "kecs".to_owned(),
        ws: "ws://localhost:5373/ws".to_owned(),
        api: String::new(),
        watch: Vec::new(),
        key_placement: None,
        namespace: String::new(),
        options: Vec::new(),
        extra_ca: String::new(),
        sign_in: None,
    };
    for (wrong, word) in [
        (ServerDraft { ws: String::new(), ..good.clone() }, "missing"),
        (ServerDraft { ws: "ftp://host".to_owned(), ..good.clone() }, "ftp"),
        (ServerDraft { ws: "ws://user:pass@host".to_owned(), ..good.clone() }, "password"),
        (
            ServerDraft { ws: "wss://host/x?API-Key=user:pass".to_owned(), ..good.clone() },
            "API-Key",
        ),
        (ServerDraft { api: "https://host/?token=user:pass".to_owned(), ..good.clone() }, "token"),
        (
            ServerDraft {
                options: vec![("admin".to_owned(), "http://user:pass@host".to_owned())],
                ..good.clone()
            },
            "password",
        ),
        (ServerDraft { dialect: "morse".to_owned(), ..good.clone() }, "morse"),
        (ServerDraft { watch: vec!["jobs".to_owned()], ..good.clone() }, "not a topic"),
        (ServerDraft { extra_ca: "/does/not/exist.pem".to_owned(), ..good.clone() }, "exist.pem"),
    ] {
        let error = engine.save_server(wrong, KeyChange::Keep, None).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::Invalid);
        assert!(error.message.contains(word), "{}", error.message);
        assert!(!error.message.contains("user:pass"), "{}", error.message);
    }
    assert!(!path.exists());
    engine.save_server(good, KeyChange::Keep, None).await.unwrap();
    assert_eq!(engine.servers().await[0].name, "localhost:5373");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_server_stays_paused_over_a_restart_until_it_is_resumed() {
    let (_dir, path) = settings();
    let (demo, server) = demo().await;
    let world = World::new();
    let engine = start(&world, &path).await;
    let id = engine.save_server(draft(&server), KeyChange::Store, key()).await.unwrap();
    world.until_state(&id, ConnectionState::Live).await;
    engine.pause_server(&id).await.unwrap();
    assert_eq!(shown_link(&engine, &id).await, Some(ConnectionState::Paused));
    engine.stop().await;
    let engine = start(&world, &path).await;
    until("the key", || !world.keys.lock().unwrap().is_empty()).await;
    assert_eq!(shown_link(&engine, &id).await, Some(ConnectionState::Paused));
    world.events.lock().unwrap().clear();
    engine.resume_server(&id).await.unwrap();
    world.until_state(&id, ConnectionState::Live).await;
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_url_cannot_be_used_can_be_paused_and_resumed_like_any_other() {
    let (_dir, path) = settings();
    let (demo, server) = demo().await;
    let world = World::new();
    let engine = start(&world, &path).await;
    let id = engine.save_server(draft(&server), KeyChange::Keep, None).await.unwrap();
    engine.stop().await;
    let by_hand = std::fs::read_to_string(&path).unwrap().replace(&server.ws, "gopher://mill");
    std::fs::write(&path, by_hand).unwrap();
    let engine = start(&world, &path).await;
    assert_eq!(shown_link(&engine, &id).await, Some(ConnectionState::Offline));
    engine.pause_server(&id).await.unwrap();
    assert_eq!(shown_link(&engine, &id).await, Some(ConnectionState::Paused));
    engine.resume_server(&id).await.unwrap();
    assert_eq!(shown_link(&engine, &id).await, Some(ConnectionState::Offline));
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_comes_and_goes_without_touching_the_settings() {
    let (_dir, path) = settings();
    let (demo, _) = demo().await;
    let world = World::new();
    let engine = start(&world, &path).await;
    engine.set_demo(demo.servers()).await;
    let overview = engine.overview().await.unwrap();
    assert!(overview.demo && overview.servers.iter().all(|server| server.demo));
    assert_eq!(overview.servers.len(), demo.servers().len());
    world.until_state("demo-kecs", ConnectionState::Live).await;
    assert!(engine.servers().await.is_empty());
    engine.set_demo(Vec::new()).await;
    assert!(!engine.overview().await.unwrap().demo && !path.exists());
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_into_the_settings_file_by_hand_is_taken_over_by_the_next_change() {
    let (_dir, path) = settings();
    let (demo, server) = demo().await;
    let world = World::new();
    let engine = start(&world, &path).await;
    let id = engine.save_server(draft(&server), KeyChange::Store, key()).await.unwrap();
    world.until_state(&id, ConnectionState::Live).await;
    let kecs = demo.servers().into_iter().find(|(s, _)| s.dialect == DialectKind::Kecs).unwrap().0;
    let by_hand = std::fs::read_to_string(&path).unwrap().replace("\"Mine\"", "\"By hand\"");
    let added = format!(
        "\n[[server]]\nid = \"added\"\nname = \"Added\"\ndialect = \"kecs\"\nws = \"{}\"\n\
         watch = [\"all\"]\nmood = \"mine\"\n",
        kecs.ws
    );
    std::fs::write(&path, format!("{by_hand}{added}")).unwrap();
    let preferences = Preferences { theme: Theme::Dark, popups: true, ..Preferences::default() };
    engine.set_preferences(preferences.clone()).await.unwrap();
    engine.watch(&id, "job:17").await.unwrap();
    let names: Vec<_> = engine.servers().await.into_iter().map(|server| server.name).collect();
    assert_eq!(names, ["By hand", "Added"]);
    assert_eq!(engine.overview().await.unwrap().preferences, preferences);
    world.until_state("added", ConnectionState::Live).await;
    let text = std::fs::read_to_string(&path).unwrap();
    for kept in ["By hand", "Added", "mood", "job:17", "dark"] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    // A server taken out by hand goes, and its key stays.
    let alone = text.split("[[server]]").filter(|part| !part.contains("By hand"));
    std::fs::write(&path, alone.collect::<Vec<_>>().join("[[server]]")).unwrap();
    engine.pause_server("added").await.unwrap();
    assert_eq!(engine.servers().await.len(), 1);
    assert_eq!(engine.pause_server(&id).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(world.keys.lock().unwrap().len(), 1);
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_that_waits_for_the_keyring_undoes_nothing_that_happens_meanwhile() {
    let (_dir, path) = settings();
    let (demo, server) = demo().await;
    let world = World::new();
    let engine = start(&world, &path).await;
    let id = engine.save_server(draft(&server), KeyChange::Store, key()).await.unwrap();
    *world.keyring.lock().unwrap() = Keyring::Silent;
    let mut changed = engine.server_draft(&id).await.unwrap();
    changed.name = "Renamed".to_owned();
    changed.watch.push("job:1".to_owned());
    let saving = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.save_server(changed, KeyChange::Store, key()).await })
    };
    // The change is planned before anything else is asked for.
    until("the keyring to be asked", || world.asked.load(Ordering::Relaxed) > 1).await;
    engine.pause_server(&id).await.unwrap();
    engine.watch(&id, "job:2").await.unwrap();
    *world.keyring.lock().unwrap() = Keyring::Works;
    saving.await.unwrap().unwrap();
    let saved = engine.servers().await.remove(0);
    assert_eq!(saved.name, "Renamed");
    assert!(saved.paused, "it was paused meanwhile");
    let watched: Vec<_> = saved.watch.iter().map(ToString::to_string).collect();
    assert_eq!(watched, ["all", "job:1", "job:2"]);
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_removed_while_it_is_saved_leaves_no_key() {
    let (_dir, path) = settings();
    let (demo, server) = demo().await;
    let world = World::new();
    let engine = start(&world, &path).await;
    let id = engine.save_server(draft(&server), KeyChange::Store, key()).await.unwrap();
    *world.keyring.lock().unwrap() = Keyring::Silent;
    let changed = engine.server_draft(&id).await.unwrap();
    let asked = world.asked.load(Ordering::Relaxed);
    let saving = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.save_server(changed, KeyChange::Store, key()).await })
    };
    until("the keyring to be asked", || world.asked.load(Ordering::Relaxed) > asked).await;
    let removing = {
        let (engine, id) = (engine.clone(), id.clone());
        tokio::spawn(async move { engine.remove_server(&id).await })
    };
    until_async("the server to go", async || engine.servers().await.is_empty()).await;
    *world.keyring.lock().unwrap() = Keyring::Works;
    assert_eq!(saving.await.unwrap().unwrap_err().code, ErrorCode::NotFound);
    removing.await.unwrap().unwrap();
    until("the key to be gone", || world.keys.lock().unwrap().is_empty()).await;
    assert!(!std::fs::read_to_string(&path).unwrap().contains(&id));
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_in_the_settings_place_is_named_and_nobody_waits_for_it() {
    let (_dir, path) = settings();
    // Whoever opens a pipe for reading waits for somebody who writes.
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let world = World::new();
    let engine = start(&world, &path).await;
    let problem = engine.overview().await.unwrap().health.settings.unwrap();
    assert!(problem.contains("it is a named pipe, not a file"), "{problem}");
    let (_demo, server) = demo().await;
    let refused = engine.save_server(draft(&server), KeyChange::Store, key()).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Storage);
    assert!(refused.message.contains("it is a named pipe, not a file"), "{}", refused.message);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "version = 1\n").unwrap();
    until_async("the file to be read", async || {
        world.advance(std::time::Duration::from_secs(1));
        engine.overview().await.unwrap().health.settings.is_none()
    })
    .await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_a_full_disk_refuses_are_as_they_were_and_it_is_said() {
    let Some(disk) = crate::persistence::SmallDisk::mount() else { return };
    let path = disk.path().join("settings.toml");
    let (demo, server) = demo().await;
    let world = World::new();
    let engine = start(&world, &path).await;
    let id = engine.save_server(draft(&server), KeyChange::Store, key()).await.unwrap();
    let before = std::fs::read_to_string(&path).unwrap();
    disk.fill();
    let refused = engine.pause_server(&id).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Storage);
    assert_eq!(engine.overview().await.unwrap().health.settings, Some(refused.message));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    assert!(!engine.servers().await[0].paused);
    let mut other = draft(&server);
    other.name = "Other".to_owned();
    engine.save_server(other, KeyChange::Store, key()).await.unwrap_err();
    assert_eq!(world.keys.lock().unwrap().len(), 1, "its key was taken back");
    disk.free();
    engine.pause_server(&id).await.unwrap();
    assert_eq!(engine.overview().await.unwrap().health.settings, None);
    engine.stop().await;
    let engine = start(&world, &path).await;
    assert!(engine.servers().await[0].paused);
    engine.stop().await;
    demo.stop().await;
}
