//! The number of unread notices: in the window's title and, where the desktop shows it, on the
//! program's entry in the launcher.

use tauri::{AppHandle, Manager};

use crate::background::{MAIN, Presence};

/// Shows the number.
pub struct Badge {
    app: AppHandle,
}

impl Badge {
    /// Nothing is unread yet.
    #[must_use]
    pub fn new(app: AppHandle) -> Badge {
        Badge { app }
    }

    /// Shows the number. Does not block.
    pub fn show(&self, unread: u32) {
        let presence = self.app.state::<Presence>();
        if !presence.set_unread(unread) {
            return;
        }
        if let Some(window) = self.app.get_webview_window(MAIN)
            && let Err(error) = window.set_title(&presence.title())
        {
            tracing::debug!(%error, "the window's title stays");
        }
        #[cfg(target_os = "linux")]
        tauri::async_runtime::spawn(async move {
            if let Err(error) = launcher(unread).await {
                tracing::debug!(%error, "the launcher is not told how much is unread");
            }
        });
    }
}

/// Tells launchers that follow Unity's protocol: GNOME's docks, Plasma's task manager, Xfce's.
#[cfg(target_os = "linux")]
async fn launcher(unread: u32) -> zbus::Result<()> {
    use std::collections::HashMap;
    use zbus::Variant;

    let bus = zbus::Connection::session().await?;
    let about = HashMap::from([
        ("count", Variant::I64(i64::from(unread))),
        ("count-visible", Variant::Bool(unread > 0)),
    ]);
    bus.emit_signal(
        None::<&str>,
        "/dev/jobwatch/desktop",
        "com.canonical.Unity.LauncherEntry",
        "Update",
        &("application://Jobwatch.desktop", about),
    )
    .await
}
