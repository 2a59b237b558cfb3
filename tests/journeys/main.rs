//! Journeys through the real window: the built program on a screen, a message bus, a keyring and
//! a notification server of its own, steered as a person would steer it. What is on the page is
//! found by role and name only, as a screen reader finds it.
#![cfg(target_os = "linux")]

mod connect;
mod desktop;
mod first_start;
mod flood;
mod history;
mod idle;
mod key;
mod keyboard;
mod layout;
mod logs;
mod memory;
mod notifications;
mod page;
mod popup;
mod screen;
mod screenshots;
mod status;
mod steps;
mod tray;
mod window;
mod wrong_key;

#[path = "../support/mod.rs"]
mod support;

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};

use futures_util::FutureExt;

use desktop::Desktop;

/// One at a time: a window that is drawn without a graphics card takes a core.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs one journey on a desktop of its own. When it fails, what was on screen and what the
/// program said are left in `target/journeys/<name>`.
fn journey(name: &str, walk: impl AsyncFnOnce(&mut Desktop)) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut desktop = Desktop::start(name).await;
        let outcome = AssertUnwindSafe(walk(&mut desktop)).catch_unwind().await;
        if outcome.is_err() {
            desktop.keep_evidence().await;
        }
        desktop.stop().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}
