//! The page's commands for logs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jobwatch_engine::Engine;
use jobwatch_engine::api::{
    ErrorCode, LogFormat, LogFound, LogMap, LogSaving, LogTarget, LogText, UserError,
};
use tauri::ipc::Channel;
use tauri::{AppHandle, Runtime, State};
use tauri_plugin_dialog::DialogExt as _;

/// Whether a log is being saved, and whether that was cancelled.
#[derive(Debug, Default)]
pub struct Saving {
    busy: AtomicBool,
    cancelled: Arc<AtomicBool>,
}

/// Finds something in a log, and returns it with the rows around it.
#[tauri::command]
pub async fn log_seek(
    engine: State<'_, Engine>,
    view: u32,
    target: LogTarget,
    around: u32,
) -> Result<Option<LogFound>, UserError> {
    engine.log_seek(view, target, around).await
}

/// An overview of a log.
#[tauri::command]
pub async fn log_map(
    engine: State<'_, Engine>,
    view: u32,
    slices: u32,
    buckets: u32,
) -> Result<LogMap, UserError> {
    engine.log_map(view, slices, buckets).await
}

/// A row in full.
#[tauri::command]
pub async fn log_text(
    engine: State<'_, Engine>,
    view: u32,
    row: u64,
) -> Result<LogText, UserError> {
    engine.log_text(view, row).await
}

/// Rows as text.
#[tauri::command]
pub async fn log_copy(
    engine: State<'_, Engine>,
    view: u32,
    first: u64,
    count: u64,
    format: LogFormat,
) -> Result<String, UserError> {
    engine.log_copy(view, first, count, format).await
}

/// Asks the user where to save a log, and saves it. The page never chooses a path.
#[tauri::command]
pub async fn log_save<R: Runtime>(
    app: AppHandle<R>,
    engine: State<'_, Engine>,
    saving: State<'_, Saving>,
    view: u32,
    filtered: bool,
    format: LogFormat,
    on_progress: Channel<LogSaving>,
) -> Result<LogSaving, UserError> {
    if saving.busy.swap(true, Ordering::AcqRel) {
        let message = "Another log is being saved. Wait for it, or cancel it.".to_owned();
        return Err(UserError { code: ErrorCode::Invalid, message });
    }
    saving.cancelled.store(false, Ordering::Relaxed);
    let saved = save(&app, &engine, &saving, view, filtered, format, on_progress).await;
    saving.busy.store(false, Ordering::Release);
    saved
}

async fn save<R: Runtime>(
    app: &AppHandle<R>,
    engine: &Engine,
    saving: &Saving,
    view: u32,
    filtered: bool,
    format: LogFormat,
    on_progress: Channel<LogSaving>,
) -> Result<LogSaving, UserError> {
    let Some(path) = ask(app, format).await else {
        return Ok(LogSaving {
            rows: 0,
            total: 0,
            path: String::new(),
            ended: true,
            cancelled: true,
            problem: None,
        });
    };
    let cancelled = Arc::clone(&saving.cancelled);
    let mut told = None::<std::time::Instant>;
    let told = std::sync::Mutex::new(move || {
        let due = told.is_none_or(|at| at.elapsed().as_millis() > 100);
        if due {
            told = Some(std::time::Instant::now());
        }
        due
    });
    let progress = move |now: &LogSaving| {
        if told.lock().is_ok_and(|mut due| due()) {
            // Fails only if the page has gone.
            let _ = on_progress.send(now.clone());
        }
        !cancelled.load(Ordering::Relaxed)
    };
    engine.log_save(view, path, filtered, format, progress).await
}

/// Asks where to save; `None` if the user cancels.
async fn ask<R: Runtime>(app: &AppHandle<R>, format: LogFormat) -> Option<PathBuf> {
    // For tests of the window, which cannot use a file dialog.
    if let Some(path) = std::env::var_os("JOBWATCH_SAVE_TO") {
        return Some(PathBuf::from(path));
    }
    let (kind, ending) = match format {
        LogFormat::Text | LogFormat::TextWithTimes => ("Text", "log"),
        LogFormat::Ndjson => ("JSON Lines", "ndjson"),
        LogFormat::Csv => ("CSV", "csv"),
    };
    let (answer, answered) = tokio::sync::oneshot::channel();
    app.dialog()
        .file()
        .set_title("Save log")
        .set_file_name(format!("job.{ending}"))
        .add_filter(kind, &[ending])
        .save_file(move |path| {
            // The receiver is gone if the window was closed.
            let _ = answer.send(path);
        });
    answered.await.ok().flatten()?.into_path().ok()
}

/// Cancels saving.
#[tauri::command]
pub async fn log_save_cancel(saving: State<'_, Saving>) -> Result<(), UserError> {
    saving.cancelled.store(true, Ordering::Relaxed);
    Ok(())
}

/// Fetches earlier lines from the servers.
#[tauri::command]
pub async fn log_fetch(engine: State<'_, Engine>, view: u32) -> Result<(), UserError> {
    engine.log_fetch(view).await
}
