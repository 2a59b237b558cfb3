//! The operating system and the desktop: paths, keyring, popups, tray, proxy.

pub mod badge;
pub mod code_pages;
pub mod dnd;
pub mod notifier;
pub mod paths;
pub mod proxy;
pub mod secrets;
pub mod tray;
pub mod zeroizing_allocator;

/// Waits for a signal to end: Ctrl-C, SIGTERM or SIGHUP.
pub async fn ended() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
            signal(SignalKind::hangup()),
        );
        let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = signals else {
            // Without handlers, the default applies: the process ends at once.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
