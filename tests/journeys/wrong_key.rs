//! A wrong key on every kind of server, and KECS as it is today.

use std::time::Duration;

use jobwatch_core::model::Level;
use jobwatch_core::server::{DialectKind, Server};
use jobwatch_demo::{ApiFault, DEMO_KEY, Demo, DemoOptions, Faults, JobSpec, UpgradeFault};

use super::journey;
use super::setup::save;
use super::steps::{open_log, shows};
use super::support::eventually;

/// The sentence of the badge, and the text where the jobs would be.
const SAID: &str = "
const full = document.querySelector('[role=group][aria-label^=\"Status of\"]');
return [full?.querySelector('.reason span')?.textContent ?? '', document.getElementById('job-list')?.textContent ?? ''];
";

/// A server that accepts no key.
fn locked() -> Faults {
    Faults {
        upgrade: Some(UpgradeFault::Status { status: 401, retry_after: None }),
        api: Some(ApiFault { status: Some(401), ..ApiFault::default() }),
        ..Faults::default()
    }
}

#[test]
fn a_wrong_key_is_said_on_every_kind_with_a_button_and_the_right_one_makes_them_live() {
    const WRONG: &str = "not-the-right-key-91c2";
    journey("wrong-key", async |session| {
        let options = DemoOptions { life: false, ..DemoOptions::default() };
        let demo = Demo::start(options).await.expect("the demo");
        // Its own key is none.
        demo.control(DialectKind::Kecs).set_faults(locked());
        session.open(&[]).await;
        let window = session.window();
        // The demo's plain server checks no key.
        let checks = |kind: &DialectKind| *kind != DialectKind::PlainJson;
        for (index, kind) in DialectKind::ALL.into_iter().filter(checks).enumerate() {
            let control = demo.control(kind);
            let job = control.start_job(JobSpec::default());
            let (server, _) =
                demo.servers().into_iter().find(|(s, _)| s.dialect == kind).expect("a server");
            let name = kind.title();
            window.click("button", ["Connect a server", "Add a server"][index.min(1)]).await;
            window.fill("textbox", "URL", server.api.as_deref().unwrap_or(&server.ws)).await;
            if kind != DialectKind::Kecs {
                window.read(&format!("{}: it", kind.title())).await;
            }
            window.choose("Kind of server", kind.title()).await;
            window.fill("textbox", "Name", name).await;
            window.fill("textbox", "Key", WRONG).await;
            window.click("button", "Connect").await;
            // The test finds it, and it is saved all the same.
            window.click("button", "Save anyway").await;
            window.gone("dialog", "Connect a server").await;
            let word = match kind {
                // Their sockets ask for no key.
                DialectKind::Analyzer | DialectKind::BullBoard => "Partly connected",
                _ => "Key not accepted",
            };
            window.status(name, word).await;
            // The list of servers, the badge and the list of jobs are views of their own, each pulled
            // by itself: what one of them says, another may say a moment later.
            let sentence = eventually("the badge's sentence in place of the jobs", async || {
                let said = window.run(SAID, vec![]).await;
                let (sentence, list) = (said[0].as_str()?.trim(), said[1].as_str()?);
                let whole = sentence.contains("key") && list.contains(word);
                (whole && list.contains(sentence)).then(|| sentence.to_owned())
            })
            .await;
            println!("{name}: {sentence}");
            // This one gives its keys out by signing in.
            let remedy = if kind == DialectKind::BullBoard { "Sign in" } else { "Enter a key" };
            eventually("a button in the head and one in the list", async || {
                (window.count("button", remedy).await == 2).then_some(())
            })
            .await;

            control.set_faults(Faults::default());
            window.click("button", remedy).await;
            if remedy == "Sign in" {
                window.click("radio", "Enter a key").await;
            }
            window.fill("textbox", "Key", DEMO_KEY).await;
            window.click("button", "Save").await;
            window.gone("dialog", "Edit the server").await;
            window.status(name, "Live").await;
            window.find_like("row", ", Running").await;
            control.cancel(&job);
        }
        demo.stop().await;
    });
}

#[test]
fn kecs_of_today_is_followed_to_the_line_that_is_stored_after_its_task_has_stopped() {
    journey("kecs-today", async |session| {
        let options = DemoOptions { life: false, ..DemoOptions::default() };
        let demo = Demo::start(options).await.expect("the demo");
        let control = demo.control(DialectKind::Kecs);
        // It serves no socket.
        control.set_faults(Faults {
            upgrade: Some(UpgradeFault::Status { status: 400, retry_after: None }),
            ..Faults::default()
        });
        let (server, _) =
            demo.servers().into_iter().find(|(s, _)| s.dialect == DialectKind::Kecs).expect("KECS");
        save(session, &Server { name: "Tasks".to_owned(), ..server });
        let id = control.start_job(JobSpec::default());
        control.log(&id, Level::Info, "starting");
        session.open(&[]).await;
        let window = session.window();
        window.status("Tasks", "API mode").await;
        open_log(window, ", Running").await;
        shows(window, "starting").await;
        control.log(&id, Level::Info, "working");
        shows(window, "working").await;
        control.fail(&id, "it broke", None);
        window.find_like("row", ", Failed").await;
        // The server writes it a while after the task has stopped.
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        control.log(&id, Level::Fatal, "FATAL: out of disk");
        shows(window, "FATAL: out of disk").await;
        demo.stop().await;
    });
}
