//! Life in the tray: the window goes and comes back, and what ends meanwhile is told.

use std::process::ExitStatus;
use std::time::Duration;

use jobwatch_core::server::DialectKind;
use jobwatch_demo::JobSpec;
use tokio::process::Child;
use tokio::time::timeout;

use super::desktop::Desktop;
use super::journey;
use super::logs::{configured, connected, demo, prefer};
use super::support::{PATIENCE, eventually, jobwatch};

async fn shown(desktop: &Desktop) -> u32 {
    let screen = desktop.screen();
    eventually("the window", async || screen.window()).await
}

async fn gone(desktop: &Desktop) {
    let screen = desktop.screen();
    eventually("no window", async || screen.window().is_none().then_some(())).await;
}

async fn end_of(program: &mut Child) -> ExitStatus {
    timeout(PATIENCE, program.wait()).await.expect("it ends").expect("its end is known")
}

#[test]
fn a_closed_window_leaves_the_program_in_the_tray_and_comes_back_when_it_is_wanted() {
    journey("tray", async |desktop| {
        let demo = demo().await;
        let server = configured(desktop, &demo);
        let control = demo.control(DialectKind::Kecs);
        let job = |name: &str| JobSpec { name: Some(name.to_owned()), ..JobSpec::default() };
        desktop.start_tray().await;
        let mut program = desktop.start_alone(&[]);
        let window = shown(desktop).await;
        connected(&control).await;
        desktop.screen().close(window);
        gone(desktop).await;
        // It says so the first time.
        desktop.notifications.wait_for("Jobwatch keeps watching").await;
        assert!(program.try_wait().expect("known").is_none(), "it goes on");

        // What ends meanwhile is told; a click brings the window back.
        let id = control.start_job(job("nightly"));
        tokio::time::sleep(Duration::from_millis(500)).await;
        control.fail(&id, "disk full", None);
        let popup = desktop.notifications.wait_for("nightly:7 failed").await;
        desktop.notifications.click(&popup).await;
        let window = shown(desktop).await;
        desktop.screen().close(window);
        gone(desktop).await;

        // So does a second start, with a link or without, which ends at once.
        let link = format!("jobwatch://{}/{id}", server.id.0);
        for arguments in [&[][..], &[link.as_str()]] {
            let mut second = desktop.start_alone(arguments);
            assert!(end_of(&mut second).await.success());
            let window = shown(desktop).await;
            desktop.screen().close(window);
            gone(desktop).await;
        }
        let told = desktop.notifications.shown();
        let times = told.iter().filter(|popup| popup.summary == "Jobwatch keeps watching").count();
        assert_eq!(times, 1, "once is enough");
        program.kill().await.expect("it runs");
        demo.stop().await;
    });
}

#[test]
fn the_tray_is_drawn_whatever_happens_and_however_often_to_the_same_job() {
    journey("drawn", async |desktop| {
        let demo = demo().await;
        configured(desktop, &demo);
        let control = demo.control(DialectKind::Kecs);
        desktop.start_tray().await;
        let mut program = desktop.start_alone(&[]);
        connected(&control).await;
        // Of each failure there are two notices, ours and the server's own, which counts as read.
        for round in 0..8 {
            let job = |name: String| JobSpec { name: Some(name), ..JobSpec::default() };
            let id = control.start_job(job(format!("round{round}")));
            control.fail(&id, &format!("error {}", "x".repeat(round + 1)), None);
            let unread = format!("({}) Jobwatch", round + 1);
            eventually("its notices", async || (desktop.screen().title()? == unread).then_some(()))
                .await;
        }
        assert!(program.try_wait().expect("known").is_none(), "it goes on");
        assert_eq!(desktop.logged("could not draw the tray"), 0);
        program.kill().await.expect("it runs");
        demo.stop().await;
    });
}

#[test]
fn started_hidden_it_shows_no_window_until_it_is_wanted() {
    journey("hidden", async |desktop| {
        let demo = demo().await;
        configured(desktop, &demo);
        let control = demo.control(DialectKind::Kecs);
        desktop.start_tray().await;
        let mut program = desktop.start_alone(&["--hidden"]);
        connected(&control).await;
        assert_eq!(desktop.screen().window(), None);
        let mut second = desktop.start_alone(&[]);
        assert!(end_of(&mut second).await.success());
        shown(desktop).await;
        program.kill().await.expect("it runs");
        demo.stop().await;
    });
}

/// Control, Alt and J, as X names keys.
const SHORTCUT: [u32; 3] = [0xffe3, 0xffe9, 0x6a];

#[test]
fn the_keys_that_the_user_chose_show_the_window_from_anywhere() {
    journey("shortcut", async |desktop| {
        let demo = demo().await;
        configured(desktop, &demo);
        let control = demo.control(DialectKind::Kecs);
        prefer(desktop, |preferences| preferences.shortcut = "Ctrl+Alt+J".to_owned());
        desktop.start_tray().await;
        let mut program = desktop.start_alone(&["--hidden"]);
        connected(&control).await;
        eventually("the keys", async || {
            (desktop.logged("registered the global shortcut") > 0).then_some(())
        })
        .await;
        assert_eq!(desktop.screen().window(), None);
        desktop.screen().press(&SHORTCUT);
        shown(desktop).await;
        program.kill().await.expect("it runs");
        demo.stop().await;
    });
}

#[test]
fn chosen_in_the_settings_it_starts_with_the_session_and_without_a_window() {
    journey("login", async |desktop| {
        let demo = demo().await;
        configured(desktop, &demo);
        let control = demo.control(DialectKind::Kecs);
        desktop.start_tray().await;
        desktop.open(&[]).await;
        let window = desktop.window();
        window.click("button", "Settings").await;
        window.click_like("checkbox", "Start").await;
        let entry = desktop.home().join(".config/autostart/Jobwatch.desktop");
        let entry = eventually("the entry", async || std::fs::read_to_string(&entry).ok()).await;
        desktop.kill().await;
        // What the session does when it begins.
        let command = entry.lines().find_map(|line| line.strip_prefix("Exec=")).expect("a command");
        let (program, arguments) = command.split_once(' ').expect("arguments");
        assert_eq!(program.trim_matches('"'), jobwatch().to_string_lossy());
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let before = control.counters().sockets_opened;
        let mut program = desktop.start_alone(&arguments);
        eventually("a new socket", async || {
            (control.counters().sockets_opened > before).then_some(())
        })
        .await;
        assert_eq!(desktop.screen().window(), None);
        program.kill().await.expect("it runs");
        demo.stop().await;
    });
}
