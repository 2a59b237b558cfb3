//! What journeys start with: demo servers and saved settings.

use std::collections::BTreeMap;

use jobwatch_core::model::Topic;
use jobwatch_core::server::{DialectKind, PolicyChange, Server, ServerId};
use jobwatch_demo::{Control, Demo, DemoOptions};
use jobwatch_engine::api::Preferences;
use jobwatch_engine::settings::{SavedServer, Settings, SettingsFile};

use super::session::Session;
use super::support::eventually;

/// Demo servers that start no jobs by themselves.
pub async fn demo() -> Demo {
    Demo::start(DemoOptions { life: false, ..DemoOptions::default() }).await.expect("the demo")
}

/// Waits until the program has connected to a server of the demo.
pub async fn connected(control: &Control) {
    eventually("its socket", async || (control.counters().sockets_opened > 0).then_some(())).await;
}

/// Changes the saved preferences.
pub fn prefer(session: &Session, change: impl FnOnce(&mut Preferences)) {
    let (mut file, read) = SettingsFile::load(session.config().join("settings.toml"));
    let mut settings = read.settings;
    change(&mut settings.preferences);
    file.save(&settings).expect("settings");
}

/// Saves the demo's KECS server with a known id as the only server.
pub fn configured(session: &Session, demo: &Demo) -> Server {
    let servers = demo.servers().into_iter().map(|(server, _)| server);
    let demo = servers.clone().find(|server| server.dialect == DialectKind::Kecs).expect("KECS");
    let server = Server {
        id: ServerId("tasks".to_owned()),
        name: "Tasks".to_owned(),
        watch: vec![Topic::Everything],
        policy: PolicyChange::default(),
        options: BTreeMap::new(),
        ..demo
    };
    save(session, &server);
    server
}

/// Saves a server as the only one.
pub fn save(session: &Session, server: &Server) {
    let (mut file, ..) = SettingsFile::load(session.config().join("settings.toml"));
    let saved = SavedServer { server: server.clone(), has_key: false };
    file.save(&Settings { servers: vec![saved], ..Settings::default() }).expect("settings");
}
