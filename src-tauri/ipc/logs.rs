//! The page's commands for logs.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jobwatch_engine::api::{
    ErrorCode, LogFormat, LogFound, LogMap, LogSaving, LogTarget, LogText, UserError,
};
use tauri::ipc::Channel;

use super::host::{ChannelId, Host};

/// The least time between two progress reports of saving.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Finds something in a log, and returns it with the rows around it.
pub async fn log_seek(
    host: Host,
    view: u32,
    target: LogTarget,
    around: u32,
) -> Result<Option<LogFound>, UserError> {
    host.engine.log_seek(view, target, around).await
}

/// An overview of a log.
pub async fn log_map(
    host: Host,
    view: u32,
    slices: u32,
    buckets: u32,
) -> Result<LogMap, UserError> {
    host.engine.log_map(view, slices, buckets).await
}

/// A row in full.
pub async fn log_text(host: Host, view: u32, row: u64) -> Result<LogText, UserError> {
    host.engine.log_text(view, row).await
}

/// Rows as text.
pub async fn log_copy(
    host: Host,
    view: u32,
    first: u64,
    count: u64,
    format: LogFormat,
) -> Result<String, UserError> {
    host.engine.log_copy(view, first, count, format).await
}

/// Asks the user where to save a log, and saves it. The page never chooses a path.
pub async fn log_save(
    host: Host,
    view: u32,
    filtered: bool,
    format: LogFormat,
    on_progress: ChannelId,
) -> Result<LogSaving, UserError> {
    let on_progress = host.channel(&on_progress)?;
    if host.saving.busy.swap(true, Ordering::AcqRel) {
        let message = "Another log is being saved. Wait for it, or cancel it.".to_owned();
        return Err(UserError { code: ErrorCode::Invalid, message });
    }
    host.saving.cancelled.store(false, Ordering::Relaxed);
    let saved = save(&host, view, filtered, format, on_progress).await;
    host.saving.busy.store(false, Ordering::Release);
    saved
}

async fn save(
    host: &Host,
    view: u32,
    filtered: bool,
    format: LogFormat,
    on_progress: Channel<LogSaving>,
) -> Result<LogSaving, UserError> {
    let Some(path) = host.shell.ask_where_to_save(format).await else {
        return Ok(LogSaving {
            rows: 0,
            total: 0,
            path: String::new(),
            ended: true,
            cancelled: true,
            problem: None,
        });
    };
    let cancelled = Arc::clone(&host.saving.cancelled);
    let sent = Mutex::new(None::<Instant>);
    let progress = move |now: &LogSaving| {
        let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.is_none_or(|at| at.elapsed() > PROGRESS_EVERY) {
            *sent = Some(Instant::now());
            // Fails only if the page has gone.
            let _ = on_progress.send(now.clone());
        }
        !cancelled.load(Ordering::Relaxed)
    };
    host.engine.log_save(view, path, filtered, format, progress).await
}

/// Cancels saving.
pub async fn log_save_cancel(host: Host) -> Result<(), UserError> {
    host.saving.cancelled.store(true, Ordering::Relaxed);
    Ok(())
}

/// Fetches earlier lines from the servers.
pub async fn log_fetch(host: Host, view: u32) -> Result<(), UserError> {
    host.engine.log_fetch(view).await
}
