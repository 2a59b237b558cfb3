//! The desktop underneath: where files go, the keyring, popups.

pub mod badge;
pub mod code_pages;
pub mod dnd;
pub mod notifier;
pub mod paths;
pub mod proxy;
pub mod secrets;
pub mod tray;
pub mod zeroizing_allocator;

/// Waits until the program is asked to end: Ctrl-C, or the session's SIGTERM or SIGHUP.
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
            // Without handlers the system's default applies: the process ends at once.
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
