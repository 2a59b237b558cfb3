//! Popups: what they say, that they come once, where a click leads.

use std::time::Duration;

use jobwatch_core::server::{DialectKind, Server as CoreServer, ServerId};
use jobwatch_demo::{Demo, DemoOptions, JobSpec};
use jobwatch_engine::api::NoticeRule;
use serde_json::json;

use super::journey;
use super::session::Session;
use super::setup::{configured, demo, prefer, save};
use super::steps::Server;
use super::support::node::NodeServer;

#[test]
fn a_job_is_watched_to_its_end_and_a_click_on_its_popup_opens_it() {
    journey("popup", async |session| {
        let mut server = NodeServer::study_buddy("sesame").await;
        server.tell("add", json!({"job": "7", "name": "summarise-lecture"})).await;
        server.tell("add", json!({"job": "8", "name": "draw-figures"})).await;
        session.open(&[]).await;
        let window = session.window();
        window
            .connect(
                "Connect a server",
                &Server {
                    url: &server.url(),
                    kind: "AI Study Buddy",
                    name: "Lectures",
                    key: "sesame",
                    watch: "job:7, job:8",
                },
            )
            .await;
        window.status("Lectures", "Live").await;
        server.heard("subscribe:jobs", 2).await;

        server.tell("progress", json!({"job": "7", "progress": 40, "message": "reading"})).await;
        window.job("summarise-lecture", "Running").await;
        window.look_away().await;
        window.read("40 %").await;
        server.tell("complete", json!({"job": "7", "result": {"noteId": "n1"}})).await;
        window.job("summarise-lecture", "Completed").await;
        let good = session.notifications.wait_for("summarise-lecture completed").await;
        assert!(good.body.starts_with("Lectures"), "{good:?}");

        // The server's event says "[object Object]"; the reason is found over HTTP.
        server.tell("progress", json!({"job": "8", "progress": 10})).await;
        server
            .tell("fail", json!({"job": "8", "reason": "no figures in the file\nat draw (a.js:1)"}))
            .await;
        let bad = session.notifications.wait_for("draw-figures failed").await;
        assert!(bad.body.starts_with("Lectures \u{b7} "), "{bad:?}");
        assert!(bad.body.ends_with(" \u{b7} no figures in the file"), "{bad:?}");

        // Each outcome was sent several times and once more over HTTP.
        assert_eq!(session.notifications.shown(), [good.clone(), bad], "each popup once");
        window.click("button", "Settings").await;
        session.notifications.click(&good).await;
        window.find("region", "Job summarise-lecture").await;
    });
}

#[test]
fn the_retry_button_of_a_popup_has_the_server_run_the_job_again() {
    journey("retry", async |session| {
        let mut server = NodeServer::nest_gateway("k-3").await;
        server.tell("add", json!({"job": "mail-1", "name": "send"})).await;
        let run = server.tell("run", json!({"job": "mail-1"})).await;
        let run = run.as_str().expect("a run").to_owned();
        session.open(&[]).await;
        let window = session.window();
        let board = Server {
            url: &format!("{}/board", server.url()),
            kind: "Better Bull Board",
            name: "Mail",
            key: "k-3",
            watch: &format!("job:{run}"),
        };
        let api = format!("{}/api", server.url());
        window.connect_to("Connect a server", &board, Some(&api)).await;
        window.status("Mail", "Live").await;
        window.job("send", "Running").await;
        window.look_away().await;
        server.tell("fail", json!({"job": "mail-1", "error": "SMTP 550"})).await;
        let popup = session.notifications.wait_for("send failed").await;
        assert_eq!(popup.actions[2..6], ["log", "Open log", "retry", "Retry"]);
        session.notifications.press(&popup, "retry").await;
        // BullMQ hands the job to a worker again, which waits for what to do.
        server.tell("complete", json!({"job": "mail-1"})).await;
        session.notifications.wait_for("send works again").await;
        window.job("send", "Completed").await;
    });
}

#[test]
fn a_retry_from_the_window_shows_that_it_was_asked_and_leads_to_the_new_run() {
    journey("retried", async |session| {
        let options = DemoOptions { life: false, keys: false, ..DemoOptions::default() };
        let demo = Demo::start(options).await.expect("the demo");
        let board = demo.servers().into_iter().map(|(server, _)| server);
        let board = board.clone().find(|server| server.dialect == DialectKind::BullBoard);
        let board = board.expect("Better Bull Board");
        save(session, &CoreServer { id: ServerId("board".to_owned()), ..board });
        let control = demo.control(DialectKind::BullBoard);
        let id = control.start_job(JobSpec { name: Some("send".to_owned()), ..JobSpec::default() });
        session.open(&[]).await;
        let window = session.window();
        window.job("send", "Running").await;
        control.fail(&id, "SMTP 550", None);
        window.job("send", "Failed").await;
        window.click_like("row", "send").await;
        window.click("button", "Retry").await;
        window.read("Retry accepted").await;
        window.click("button", "View new run").await;
        window.job("send", "Running").await;
        demo.stop().await;
    });
}

#[test]
fn four_hundred_failures_of_twelve_names_are_twelve_rows_in_the_list_of_notices() {
    journey("inbox", async |session| {
        let demo = demo().await;
        configured(session, &demo);
        every_end(session);
        let control = demo.control(DialectKind::Kecs);
        let start = |n: usize| {
            let name = Some(format!("etl-{}", n % 12));
            control.start_job(JobSpec { name, ..JobSpec::default() })
        };
        let ids: Vec<String> = (0..400).map(start).collect();
        session.open(&[]).await;
        let window = session.window();
        window.read("Running 400").await;
        for (nth, id) in ids.iter().enumerate() {
            control.fail(id, &format!("row {nth} is bad"), None);
        }
        window.read("Failed 400").await;
        window.click_like("button", "Notices").await;
        window.read("+33 similar").await;
        let begun = std::time::Instant::now();
        while window.count("row", "etl-").await != 12 {
            let rows = window.count("row", "etl-").await;
            assert!(begun.elapsed() < Duration::from_secs(30), "{rows} rows");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        demo.stop().await;
    });
}

/// Has every end told.
fn every_end(session: &Session) {
    prefer(session, |preferences| preferences.rules = vec![NoticeRule::every_end()]);
}

#[test]
fn hundreds_of_failures_are_three_popups_at_most_and_the_last_counts_all_of_them() {
    const FAILURES: usize = 680;
    journey("burst", async |session| {
        let demo = demo().await;
        configured(session, &demo);
        every_end(session);
        let control = demo.control(DialectKind::Kecs);
        let spec = JobSpec { name: Some("warm".to_owned()), ..JobSpec::default() };
        let ids: Vec<String> = (0..FAILURES).map(|_| control.start_job(spec.clone())).collect();
        session.open(&[]).await;
        session.window().read(&format!("Running {FAILURES}")).await;
        let begun = std::time::Instant::now();
        for (nth, id) in ids.iter().enumerate() {
            control.fail(id, &format!("timeout after {nth} ms"), None);
            let due = Duration::from_secs(5) * u32::try_from(nth).expect("few") / 680;
            tokio::time::sleep_until((begun + due).into()).await;
        }
        let all = format!("{FAILURES} \u{201c}warm:7\u{201d} jobs failed, same error");
        session.notifications.wait_for(&all).await;
        let shown = session.notifications.shown();
        assert!(shown[0].at - begun < Duration::from_secs(1), "{:?}", shown[0].at - begun);
        for popup in &shown {
            let near = |other: &&super::notifications::Popup| {
                other.at >= popup.at && other.at - popup.at < Duration::from_secs(5)
            };
            assert!(shown.iter().filter(near).count() <= 3, "{shown:?}");
            assert_eq!(popup.id, shown[0].id, "each replaces the one before");
        }
        demo.stop().await;
    });
}

#[test]
fn while_the_session_is_set_not_to_disturb_popups_wait_and_one_sums_them_up_afterwards() {
    journey("disturb", async |session| {
        let demo = demo().await;
        configured(session, &demo);
        every_end(session);
        session.set("XDG_CURRENT_DESKTOP", "ubuntu:GNOME");
        session.set("GSETTINGS_BACKEND", "keyfile");
        let keys = session.home().join("config/glib-2.0/settings");
        std::fs::create_dir_all(&keys).expect("a directory");
        let keys = keys.join("keyfile");
        let banners = |shown: bool| {
            let text = format!("[org/gnome/desktop/notifications]\nshow-banners={shown}\n");
            std::fs::write(&keys, text).expect("a file");
        };
        banners(false);
        let control = demo.control(DialectKind::Kecs);
        let start = |name: &str| {
            control.start_job(JobSpec { name: Some(name.to_owned()), ..JobSpec::default() })
        };
        let ids = ["dark", "still"].map(start);
        session.open(&[]).await;
        let window = session.window();
        window.read("Running 2").await;
        window.click_like("button", "Notices").await;
        window.read("Do Not Disturb is on").await;
        window.click_like("button", "All jobs").await;
        control.complete(&ids[0], None);
        control.fail(&ids[1], "too loud", None);
        window.read("Completed 1").await;
        window.read("Failed 1").await;
        assert_eq!(session.notifications.shown(), []);
        banners(true);
        session.notifications.wait_for("While quiet: 1 completed, 1 failed").await;
        demo.stop().await;
    });
}
