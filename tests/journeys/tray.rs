//! Life in the tray: the window goes and comes back, and what ends meanwhile is told.

use std::process::ExitStatus;

use jobwatch_core::server::DialectKind;
use jobwatch_demo::JobSpec;
use tokio::process::Child;
use tokio::time::timeout;

use super::journey;
use super::session::Session;
use super::setup::{configured, connected, demo, prefer};
use super::support::{PATIENCE, eventually, jobwatch};

async fn shown(session: &Session) -> u32 {
    let screen = session.screen();
    eventually("the window", async || screen.window()).await
}

async fn gone(session: &Session) {
    let screen = session.screen();
    eventually("no window", async || screen.window().is_none().then_some(())).await;
}

async fn end_of(program: &mut Child) -> ExitStatus {
    timeout(PATIENCE, program.wait()).await.expect("it ends").expect("its end is known")
}

#[test]
fn a_closed_window_leaves_the_program_in_the_tray_and_comes_back_when_it_is_wanted() {
    journey("tray", async |session| {
        let demo = demo().await;
        let server = configured(session, &demo);
        let control = demo.control(DialectKind::Kecs);
        let job = |name: &str| JobSpec { name: Some(name.to_owned()), ..JobSpec::default() };
        session.start_tray().await;
        let mut program = session.start_alone(&[]);
        let window = shown(session).await;
        connected(&control).await;
        session.screen().close(window);
        gone(session).await;
        // It says so the first time.
        session.notifications.wait_for("Jobwatch is still running").await;
        assert!(program.try_wait().expect("known").is_none(), "it goes on");

        // What ends meanwhile is told; a click brings the window back.
        let id = control.start_job(job("nightly"));
        control.fail(&id, "disk full", None);
        let popup = session.notifications.wait_for("nightly:7 failed").await;
        session.notifications.click(&popup).await;
        let window = shown(session).await;
        session.screen().close(window);
        gone(session).await;

        // So does a second start, with a link or without, which ends at once.
        let link = format!("jobwatch://{}/{id}", server.id.0);
        for arguments in [&[][..], &[link.as_str()]] {
            let mut second = session.start_alone(arguments);
            assert!(end_of(&mut second).await.success());
            let window = shown(session).await;
            session.screen().close(window);
            gone(session).await;
        }
        let told = session.notifications.shown();
        let times =
            told.iter().filter(|popup| popup.summary == "Jobwatch is still running").count();
        assert_eq!(times, 1, "once is enough");
        program.kill().await.expect("it runs");
        demo.stop().await;
    });
}

#[test]
fn the_tray_is_drawn_whatever_happens_and_however_often_to_the_same_job() {
    journey("drawn", async |session| {
        let demo = demo().await;
        configured(session, &demo);
        let control = demo.control(DialectKind::Kecs);
        session.start_tray().await;
        let mut program = session.start_alone(&[]);
        connected(&control).await;
        // Of each failure there are two notices, ours and the server's own, which counts as read.
        for round in 0..8 {
            let job = |name: String| JobSpec { name: Some(name), ..JobSpec::default() };
            let id = control.start_job(job(format!("round{round}")));
            control.fail(&id, &format!("error {}", "x".repeat(round + 1)), None);
            let unread = format!("({}) Jobwatch", round + 1);
            eventually("its notices", async || (session.screen().title()? == unread).then_some(()))
                .await;
        }
        assert!(program.try_wait().expect("known").is_none(), "it goes on");
        assert_eq!(session.logged("could not draw the tray"), 0);
        program.kill().await.expect("it runs");
        demo.stop().await;
    });
}

#[test]
fn started_hidden_it_shows_no_window_until_it_is_wanted() {
    journey("hidden", async |session| {
        let demo = demo().await;
        configured(session, &demo);
        let control = demo.control(DialectKind::Kecs);
        session.start_tray().await;
        let mut program = session.start_alone(&["--hidden"]);
        connected(&control).await;
        assert_eq!(session.screen().window(), None);
        let mut second = session.start_alone(&[]);
        assert!(end_of(&mut second).await.success());
        shown(session).await;
        program.kill().await.expect("it runs");
        demo.stop().await;
    });
}

/// Control, Alt and J, as X names keys.
const SHORTCUT: [u32; 3] = [0xffe3, 0xffe9, 0x6a];

#[test]
fn the_keys_that_the_user_chose_show_the_window_from_anywhere() {
    journey("shortcut", async |session| {
        let demo = demo().await;
        configured(session, &demo);
        let control = demo.control(DialectKind::Kecs);
        prefer(session, |preferences| preferences.shortcut = "Ctrl+Alt+J".to_owned());
        session.start_tray().await;
        let mut program = session.start_alone(&["--hidden"]);
        connected(&control).await;
        eventually("the keys", async || {
            (session.logged("registered the global shortcut") > 0).then_some(())
        })
        .await;
        assert_eq!(session.screen().window(), None);
        session.screen().press(&SHORTCUT);
        shown(session).await;
        program.kill().await.expect("it runs");
        demo.stop().await;
    });
}

#[test]
fn chosen_in_the_settings_it_starts_with_the_session_and_without_a_window() {
    journey("login", async |session| {
        let demo = demo().await;
        configured(session, &demo);
        let control = demo.control(DialectKind::Kecs);
        session.start_tray().await;
        session.open(&[]).await;
        let window = session.window();
        window.click("button", "Settings").await;
        window.click_like("checkbox", "Start").await;
        let entry = session.home().join(".config/autostart/Jobwatch.desktop");
        let entry = eventually("the entry", async || std::fs::read_to_string(&entry).ok()).await;
        session.kill().await;
        // What the session does when it begins.
        let command = entry.lines().find_map(|line| line.strip_prefix("Exec=")).expect("a command");
        let (program, arguments) = command.split_once(' ').expect("arguments");
        assert_eq!(program.trim_matches('"'), jobwatch().to_string_lossy());
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let before = control.counters().sockets_opened;
        let mut program = session.start_alone(&arguments);
        eventually("a new socket", async || {
            (control.counters().sockets_opened > before).then_some(())
        })
        .await;
        assert_eq!(session.screen().window(), None);
        program.kill().await.expect("it runs");
        demo.stop().await;
    });
}
