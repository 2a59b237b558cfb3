//! Journeys through the real window: the built program on a screen, a message bus, a keyring and
//! a notification server of its own, steered as a person would steer it. What is on the page is
//! found by role and name only, as a screen reader finds it.
#![cfg(target_os = "linux")]

mod connect;
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
mod session;
mod setup;
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

use session::Session;

/// One at a time: a window that is drawn without a graphics card takes a core.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs one journey in a desktop session of its own. A failed one leaves its screen and the program's
/// log in `target/journeys/<name>`.
fn journey(name: &str, walk: impl AsyncFnOnce(&mut Session)) {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut session = Session::start(name).await;
        let outcome = AssertUnwindSafe(walk(&mut session)).catch_unwind().await;
        if outcome.is_err() {
            session.keep_evidence().await;
        }
        session.stop().await;
        if let Err(panic) = outcome {
            std::panic::resume_unwind(panic);
        }
    });
}
