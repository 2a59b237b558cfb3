//! The number of unread notices: in the window's title and, where the desktop shows it, on the
//! program's entry in the launcher.

#[cfg(target_os = "linux")]
use std::sync::Arc;

use tauri::{AppHandle, Manager};
#[cfg(target_os = "linux")]
use tokio::sync::OnceCell;

use crate::background::{MAIN, WindowState};

/// Shows the number.
pub struct Badge {
    app: AppHandle,
    /// Launchers forget the number of a program whose connection has gone: it is kept.
    #[cfg(target_os = "linux")]
    bus: Arc<OnceCell<zbus::Connection>>,
}

impl Badge {
    /// Nothing is unread yet.
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
            tracing::debug!(%error, "the window's title stays");
        }
        #[cfg(target_os = "linux")]
        {
            let bus = Arc::clone(&self.bus);
            tauri::async_runtime::spawn(async move {
                if let Err(error) = launcher(&bus, unread).await {
                    tracing::debug!(%error, "the launcher is not told how much is unread");
                }
            });
        }
    }
}

/// Tells launchers that follow Unity's protocol: GNOME's docks, Plasma's task manager, Xfce's.
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
