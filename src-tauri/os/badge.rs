//! The number of unread notices, in the window's title and on the program's launcher entry.

#[cfg(target_os = "linux")]
use std::sync::Arc;

use tauri::{AppHandle, Manager};
#[cfg(target_os = "linux")]
use tokio::sync::OnceCell;

use crate::background::{MAIN, WindowState};

/// Shows the number.
pub struct Badge {
    app: AppHandle,
    /// Kept open, since launchers drop the badge of a program whose connection closes.
    #[cfg(target_os = "linux")]
    bus: Arc<OnceCell<zbus::Connection>>,
}

impl Badge {
    /// Starts with nothing unread.
    #[must_use]
    pub fn new(app: AppHandle) -> Badge {
        Badge {
            app,
            #[cfg(target_os = "linux")]
            bus: Arc::default(),
        }
    }

    /// Shows the number. Does not block.
    pub fn show(&self, unread: u32) {
        let state = self.app.state::<WindowState>();
        if !state.set_unread(unread) {
            return;
        }
        if let Some(window) = self.app.get_webview_window(MAIN)
            && let Err(error) = window.set_title(&state.title())
        {
            tracing::debug!(%error, "could not set the window's title");
        }
        #[cfg(target_os = "linux")]
        {
            let bus = Arc::clone(&self.bus);
            tauri::async_runtime::spawn(async move {
                if let Err(error) = launcher(&bus, unread).await {
                    tracing::debug!(%error, "could not update the launcher's badge");
                }
            });
        }
    }
}

/// Updates launchers that support Unity's protocol: docks for GNOME, the task managers of Plasma and
/// Xfce.
#[cfg(target_os = "linux")]
async fn launcher(bus: &OnceCell<zbus::Connection>, unread: u32) -> zbus::Result<()> {
    use std::collections::HashMap;
    use zbus::Variant;

    let bus = bus.get_or_try_init(zbus::Connection::session).await?;
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
