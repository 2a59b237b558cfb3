//! The key comes to light nowhere: not in a file, a log line, an event or a view.

use std::io::Write;
use std::sync::{Arc, Mutex};

use jobwatch_core::connection::ConnectionState;
use jobwatch_core::model::Level;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Demo, DemoOptions, JobSpec};
use jobwatch_engine::api::{KeyChange, Rows, ServerDraft, ViewSpec};
use jobwatch_engine::{Engine, Options, SettingsSource};

use crate::common::{World, pull, until};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything the engine itself says, down to the wire. What libraries say below `warn` is their
/// own affair and is off in the program.
fn capture() -> Log {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("warn,jobwatch_engine=trace,jobwatch_core=trace,wire=trace")
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_in_no_file_log_event_or_view() {
    let log = capture();
    let dir = tempfile::tempdir().unwrap();
    let demo = Demo::start(DemoOptions { life: false, ..DemoOptions::default() }).await.unwrap();
    let world = World::new();
    let settings = SettingsSource::File(dir.path().join("settings.toml"));
    let data_dir = Some(dir.path().to_owned());
    let options = Options { data_dir, settings, ports: world.ports(), seed: Some(1) };
    let engine = Engine::start(options).await.unwrap();
    let right = jobwatch_demo::DEMO_KEY;
    let wrong = "sk-wrong+key/with\"signs";
    let kinds = [DialectKind::TriggerX, DialectKind::BullBoard];
    for (server, _) in demo.servers().into_iter().filter(|(s, _)| kinds.contains(&s.dialect)) {
        let control = demo.control(server.dialect);
        // Better Bull Board's socket takes everybody.
        let open = server.dialect == DialectKind::BullBoard;
        let refused = if open { ConnectionState::Partly } else { ConnectionState::Refused };
        for (name, key, link) in [("bad", wrong, refused), ("good", right, ConnectionState::Live)] {
            let draft = ServerDraft {
                id: None,
                name: format!("{name} {}", server.dialect.word()),
                dialect: server.dialect.word().to_owned(),
                ws: server.ws.clone(),
                api: server.api.clone().unwrap_or_default(),
                watch: vec!["all".to_owned()],
                key_placement: None,
                namespace: String::new(),
                options: server.options.clone().into_iter().collect(),
                extra_ca: String::new(),
                sign_in: None,
            };
            let key = Some(Secret::new(key.to_owned()));
            let id = engine.save_server(draft, KeyChange::Store, key).await.unwrap();
            world.until_state(&id, link).await;
            let frames = pull(&engine, ViewSpec::Frames { server: id.clone(), job: None }).await;
            let Rows::Frames { rows } = &frames else { panic!() };
            assert!(!rows.is_empty());
            let shown = format!("{frames:?}");
            assert!(!shown.contains(right) && !shown.contains("sk-wrong"), "{shown}");
            if name == "bad" {
                // Each server's key is removed from what that server says; the next one quotes its
                // own.
                engine.pause_server(&id).await.unwrap();
            }
        }
        // A server that quotes the key back, wherever it can.
        control.send_text(&format!("{{\"type\":\"echo\",\"token\":\"{right}\"}}"));
        for room in 380..400 {
            let room = "x".repeat(room);
            control.send_text(&format!("{{\"a\":\"{right}\",\"b\":\"{room}{right}{right}\"}}"));
        }
        let quoting = JobSpec {
            name: Some(format!("x {right}")),
            queue: Some(format!("q-{right}")),
            ..JobSpec::default()
        };
        for ended_well in [true, false] {
            let id = control.start_job(quoting.clone());
            until("the job", || world.job(&id).is_some()).await;
            control.log(&id, Level::Info, &format!("key {right}"));
            if ended_well {
                control.complete(&id, Some(serde_json::json!({ "quoted": { right: [right] } })));
            } else {
                control.fail(&id, &format!("oh {right}"), Some(right));
            }
            until("its end", || world.job(&id).is_some_and(|job| job.state.terminal())).await;
        }
    }
    until("popups", || world.titles().len() >= 2).await;
    let overview = serde_json::to_string(&engine.overview().await.unwrap()).unwrap();
    engine.stop().await;
    demo.stop().await;

    let mut texts = vec![("the overview".to_owned(), overview.into_bytes())];
    let events: Vec<String> =
        world.events.lock().unwrap().iter().map(|event| format!("{event:?}")).collect();
    texts.push(("the events".to_owned(), events.join("\n").into_bytes()));
    let logged = log.0.lock().unwrap().clone();
    assert!(logged.len() > 1_000, "the log was captured");
    texts.push(("the log".to_owned(), logged));
    let mut directories = vec![dir.path().to_owned()];
    let mut logs = 0;
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            logs += usize::from(path.extension().is_some_and(|ending| ending == "log"));
            match std::fs::read(&path) {
                Ok(text) => texts.push((path.display().to_string(), text)),
                // The history's journal goes when the history is closed.
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{path:?}"),
            }
        }
    }
    assert!(logs > 0, "stored logs are searched as well");
    for (place, text) in texts {
        let text = String::from_utf8_lossy(&text);
        for secret in [right, "sk-wrong"] {
            let at = text.find(secret);
            let around = at.map(|at| {
                let from = text.floor_char_boundary(at.saturating_sub(200));
                text[from..text.ceil_char_boundary(at + 80)].to_owned()
            });
            assert!(at.is_none(), "the key is in {place}: {around:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_stands_in_an_address_is_removed_from_what_the_server_says() {
    let demo = Demo::start(DemoOptions { life: false, ..DemoOptions::default() }).await.unwrap();
    let kind = DialectKind::Kecs;
    let (mut server, _) = demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
    let key = "in-the+address";
    let joint = if server.ws.contains('?') { '&' } else { '?' };
    server.ws.push_str(&format!("{joint}api_key=in-the%2Baddress"));
    let id = server.id.0.clone();
    let control = demo.control(kind);
    let world = World::new();
    let engine = crate::common::engine(&world, vec![(server, None)]).await;
    world.until_state(&id, ConnectionState::Live).await;
    let job = control.start_job(JobSpec::default());
    control.log(&job, Level::Info, &format!("quotes {key} and in-the%2baddress"));
    until("the line", || !world.lines(&job).is_empty()).await;
    assert_eq!(world.lines(&job), ["quotes [redacted] and [redacted]"]);
    let frames = pull(&engine, ViewSpec::Frames { server: id, job: None }).await;
    let shown = format!("{frames:?}");
    assert!(shown.contains("[redacted]") && !shown.contains("address"), "{shown}");
    engine.stop().await;
    demo.stop().await;
}
