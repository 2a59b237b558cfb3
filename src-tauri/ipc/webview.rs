//! Serves the commands to the window, over Tauri's IPC.

use std::path::PathBuf;
use std::sync::Arc;

use jobwatch_engine::Engine;
use jobwatch_engine::api::{ErrorCode, LogFormat, Theme, UserError};
use tauri::ipc::{Invoke, InvokeBody, InvokeError, InvokeResponseBody, JavaScriptChannelId};
use tauri::{AppHandle, Manager as _, Webview, Wry};
use tauri_plugin_autostart::ManagerExt as _;
use tauri_plugin_dialog::DialogExt as _;
use tauri_plugin_opener::OpenerExt as _;
use url::Url;

use super::dispatch::{HANDLED, dispatch};
use super::host::{Answer, Host, Saving, Shell};
use super::page::Page;
use crate::background::{WindowState, set_shortcut};
use crate::demo_switch::DemoSwitch;

/// The handler of every command.
pub fn handler() -> impl Fn(Invoke<Wry>) -> bool + Send + Sync + 'static {
    |invoke| {
        let Invoke { message, resolver, .. } = invoke;
        let name = message.command();
        if !HANDLED.contains(&name) {
            return false;
        }
        let (Some(host), InvokeBody::Json(arguments)) =
            (host(message.webview()), message.payload())
        else {
            resolver.reject("the program is not ready, or the arguments are not JSON");
            return true;
        };
        match dispatch(host, name, arguments) {
            Ok(answer) => resolver.respond_async(async move {
                let answer = answer.await.map(InvokeResponseBody::Json);
                answer.map_err(|error| InvokeError(serde_json::to_value(error).unwrap_or_default()))
            }),
            Err(rejection) => resolver.reject(format!("{name}: {rejection}")),
        }
        true
    }
}

/// The host for a call of this page; `None` before the engine has started.
fn host(webview: Webview<Wry>) -> Option<Host> {
    let app = webview.app_handle().clone();
    let engine = app.try_state::<Engine>()?.inner().clone();
    let page = Arc::clone(app.try_state::<Arc<Page>>()?.inner());
    let demo = app.try_state::<DemoSwitch>()?.inner().clone();
    let saving = app.try_state::<Saving>()?.inner().clone();
    let channels = Arc::new(move |id: &str| {
        Some(id.parse::<JavaScriptChannelId>().ok()?.channel_on(webview.clone()))
    });
    Some(Host { engine, page, demo, saving, shell: Arc::new(Desktop(app)), channels })
}

/// The desktop that the window is on.
struct Desktop(AppHandle);

impl Shell for Desktop {
    fn set_shortcut(&self, keys: &str) -> Result<(), UserError> {
        set_shortcut(&self.0, keys)
    }

    fn set_theme(&self, theme: Theme) {
        self.0.state::<WindowState>().set_theme(theme);
    }

    fn set_zoom(&self, percent: u32) {
        self.0.state::<WindowState>().set_zoom(&self.0, percent);
    }

    fn starts_at_login(&self) -> Result<bool, UserError> {
        self.0.autolaunch().is_enabled().map_err(|error| autostart_error(&error))
    }

    fn set_start_at_login(&self, on: bool) -> Result<(), UserError> {
        let autostart = self.0.autolaunch();
        let set = if on { autostart.enable() } else { autostart.disable() };
        set.map_err(|error| autostart_error(&error))
    }

    fn open_url(&self, url: &Url) -> Result<(), UserError> {
        self.0.opener().open_url(url.as_str(), None::<&str>).map_err(|error| UserError {
            code: ErrorCode::Internal,
            message: format!("Could not open the link: {error}."),
        })
    }

    fn ask_where_to_save(&self, format: LogFormat) -> Answer<Option<PathBuf>> {
        let app = self.0.clone();
        Box::pin(async move { ask_where_to_save(&app, format).await })
    }
}

fn autostart_error(error: &dyn std::fmt::Display) -> UserError {
    let message = format!("Could not change starting at login: {error}.");
    UserError { code: ErrorCode::Internal, message }
}

async fn ask_where_to_save(app: &AppHandle, format: LogFormat) -> Option<PathBuf> {
    // For tests of the window, which cannot use a file dialog.
    if let Some(path) = std::env::var_os("JOBWATCH_SAVE_TO") {
        return Some(PathBuf::from(path));
    }
    let (name, ending) = match format {
        LogFormat::Text | LogFormat::TextWithTimes => ("Text", "log"),
        LogFormat::Ndjson => ("JSON Lines", "ndjson"),
        LogFormat::Csv => ("CSV", "csv"),
    };
    let (answer, answered) = tokio::sync::oneshot::channel();
    app.dialog()
        .file()
        .set_title("Save log")
        .set_file_name(format!("job.{ending}"))
        .add_filter(name, &[ending])
        .save_file(move |path| {
            // The receiver is gone if the window was closed.
            let _ = answer.send(path);
        });
    answered.await.ok().flatten()?.into_path().ok()
}
