//! Whether there is a tray. Adding an icon succeeds even if nothing shows it.

/// The file names of the library for tray icons, the maintained one first.
#[cfg(target_os = "linux")]
const LIBRARIES: [&str; 4] = [
    "libayatana-appindicator3.so.1",
    "libappindicator3.so.1",
    "libayatana-appindicator3.so",
    "libappindicator3.so",
];

/// Whether the library is installed. Without it, adding an icon would abort the program.
#[cfg(target_os = "linux")]
#[must_use]
pub fn library_available() -> bool {
    LIBRARIES.iter().any(|name| {
        // SAFETY: only the library's own initialisers run, as they would for the icon.
        #[allow(unsafe_code)]
        unsafe {
            libloading::Library::new(name).is_ok()
        }
    })
}

/// Whether tray icons are shown now, by a status notifier host on the bus or a tray manager on the X
/// display.
#[cfg(target_os = "linux")]
pub async fn is_available() -> bool {
    if watcher().await.unwrap_or(false) {
        return true;
    }
    // The X server may take any time to answer, so ask on a thread that may block.
    tokio::task::spawn_blocking(|| manager().unwrap_or(false)).await.unwrap_or(false)
}

#[cfg(target_os = "linux")]
async fn watcher() -> zbus::Result<bool> {
    let bus = zbus::Connection::session().await?;
    let watcher = zbus::Proxy::new(
        &bus,
        "org.kde.StatusNotifierWatcher",
        "/StatusNotifierWatcher",
        "org.kde.StatusNotifierWatcher",
    )
    .await?;
    watcher.get_property("IsStatusNotifierHostRegistered").await
}

#[cfg(target_os = "linux")]
fn manager() -> Result<bool, Box<dyn std::error::Error>> {
    use x11rb::connection::Connection as _;
    use x11rb::protocol::xproto::ConnectionExt as _;
    let (display, screen) = x11rb::connect(None)?;
    let name = format!("_NET_SYSTEM_TRAY_S{screen}");
    let atom = display.intern_atom(false, name.as_bytes())?.reply()?.atom;
    let owner = display.get_selection_owner(atom)?.reply()?.owner;
    display.flush()?;
    Ok(owner != x11rb::NONE)
}

#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn library_available() -> bool {
    true
}

/// Always true: these systems have a tray.
#[cfg(not(target_os = "linux"))]
pub async fn is_available() -> bool {
    true
}
