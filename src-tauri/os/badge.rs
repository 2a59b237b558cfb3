//! The number of unread notices: in the window's title and, where the desktop shows it, on the
//! program's entry in the launcher.

use std::sync::atomic::{AtomicU32, Ordering};

use tauri::{AppHandle, Manager};

use crate::background::MAIN;

/// What the window is called.
pub const TITLE: &str = "Jobwatch";

/// The number as it was last shown.
pub struct Badge {
    app: AppHandle,
    shown: AtomicU32,
}

impl Badge {
    /// Nothing is unread yet.
    #[must_use]
    pub fn new(app: AppHandle) -> Badge {
        Badge { app, shown: AtomicU32::new(0) }
    }

    /// Shows the number. Does not block.
    pub fn show(&self, unread: u32) {
        if self.shown.swap(unread, Ordering::Relaxed) == unread {
            return;
        }
        title(&self.app, unread);
        #[cfg(target_os = "linux")]
        tauri::async_runtime::spawn(async move {
            if let Err(error) = launcher(unread).await {
                tracing::debug!(%error, "the launcher is not told how much is unread");
            }
        });
    }
}

/// The window's title with the number; nothing where there is no window.
fn title(app: &AppHandle, unread: u32) {
    let Some(window) = app.get_webview_window(MAIN) else { return };
    let title = match unread {
        0 => TITLE.to_owned(),
        unread => format!("({unread}) {TITLE}"),
    };
    if let Err(error) = window.set_title(&title) {
        tracing::debug!(%error, "the window's title stays");
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
