//! Life in the tray: the window goes and comes back, and what ends meanwhile is told.

use std::process::ExitStatus;
use std::time::Duration;

use jobwatch_core::server::DialectKind;
use jobwatch_demo::JobSpec;
use tokio::process::Child;
use tokio::time::timeout;

use super::desktop::Desktop;
use super::journey;
use super::logs::{configured, demo};
use super::support::{PATIENCE, eventually};

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
        let live = || control.counters().sockets_opened > 0;
        eventually("its socket", async || live().then_some(())).await;
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
fn started_hidden_it_shows_no_window_until_it_is_wanted() {
    journey("hidden", async |desktop| {
        let demo = demo().await;
        configured(desktop, &demo);
        let control = demo.control(DialectKind::Kecs);
        desktop.start_tray().await;
        let mut program = desktop.start_alone(&["--hidden"]);
        eventually("its socket", async || (control.counters().sockets_opened > 0).then_some(()))
            .await;
        assert_eq!(desktop.screen().window(), None);
        let mut second = desktop.start_alone(&[]);
        assert!(end_of(&mut second).await.success());
        shown(desktop).await;
        program.kill().await.expect("it runs");
        demo.stop().await;
    });
}
