//! Commands that change something, each a call of the engine. The page never sees a stored key, and a
//! key that it sends becomes a `Secret` at once.

use jobwatch_engine::Engine;
use jobwatch_engine::api::{
    ActionKind, ErrorCode, KeyChange, Mute, MuteBy, MuteTarget, NoticeRule, PreferencesPatch,
    ProbeView, RuleTrial, ServerDraft, TestStep, TestVerdict, UserError,
};
use jobwatch_engine::engine::Typed;
use tauri::ipc::Channel;
use tauri::{AppHandle, Manager as _, Runtime, State};
use tauri_plugin_autostart::ManagerExt as _;
use tauri_plugin_opener::OpenerExt;
use url::Url;

use crate::app::DemoSwitch;
use crate::background::{WindowState, set_shortcut};
use crate::ipc::masked_secret::MaskedSecret;

type Done = Result<(), UserError>;

/// A server as the form shows it.
#[tauri::command]
pub async fn server_draft(engine: State<'_, Engine>, id: String) -> Result<ServerDraft, UserError> {
    engine.server_draft(&id).await
}

/// Adds or changes a server; returns its id.
#[tauri::command]
pub async fn save_server(
    engine: State<'_, Engine>,
    draft: ServerDraft,
    change: KeyChange,
    key: Option<MaskedSecret>,
    headers: Option<MaskedSecret>,
) -> Result<String, UserError> {
    engine.save_server(draft, change, typed(key, headers)?).await
}

/// Tests a server step by step without saving it.
#[tauri::command]
pub async fn test_server(
    engine: State<'_, Engine>,
    draft: ServerDraft,
    change: KeyChange,
    key: Option<MaskedSecret>,
    headers: Option<MaskedSecret>,
    on_step: Channel<TestStep>,
) -> Result<TestVerdict, UserError> {
    let typed = typed(key, headers)?;
    let report = move |step: TestStep| {
        // Fails only if the page has gone.
        let _ = on_step.send(step);
    };
    engine.test_server(draft, change, typed, Box::new(report)).await
}

/// Detects the server behind an address, without a key.
#[tauri::command]
pub async fn probe_server(
    engine: State<'_, Engine>,
    url: String,
    extra_ca: String,
) -> Result<ProbeView, UserError> {
    Ok(engine.probe(&url, &extra_ca).await)
}

/// Signs in with e-mail and password; returns the token's id.
#[tauri::command]
pub async fn sign_in(
    engine: State<'_, Engine>,
    draft: ServerDraft,
    email: MaskedSecret,
    password: MaskedSecret,
    headers: Option<MaskedSecret>,
    stay: bool,
) -> Result<u32, UserError> {
    let headers = headers.map(MaskedSecret::reveal).transpose()?;
    engine.sign_in(draft, email.reveal()?, password.reveal()?, headers, stay).await
}

fn typed(key: Option<MaskedSecret>, headers: Option<MaskedSecret>) -> Result<Typed, UserError> {
    let reveal = |masked: Option<MaskedSecret>| masked.map(MaskedSecret::reveal).transpose();
    Ok(Typed { key: reveal(key)?, headers: reveal(headers)? })
}

/// Removes a server, its history and its key.
#[tauri::command]
pub async fn remove_server(engine: State<'_, Engine>, id: String) -> Done {
    engine.remove_server(&id).await
}

/// Disconnects a server until it is resumed.
#[tauri::command]
pub async fn pause_server(engine: State<'_, Engine>, id: String) -> Done {
    engine.pause_server(&id).await
}

/// Connects a paused server again.
#[tauri::command]
pub async fn resume_server(engine: State<'_, Engine>, id: String) -> Done {
    engine.resume_server(&id).await
}

/// Reconnects to a server now.
#[tauri::command]
pub async fn reconnect(engine: State<'_, Engine>, id: String) -> Done {
    engine.reconnect(&id).await
}

/// Watches a topic.
#[tauri::command]
pub async fn watch(engine: State<'_, Engine>, server: String, topic: String) -> Done {
    engine.watch(&server, &topic).await
}

/// Stops watching a topic.
#[tauri::command]
pub async fn unwatch(engine: State<'_, Engine>, server: String, topic: String) -> Done {
    engine.unwatch(&server, &topic).await
}

/// Cancels or retries a job.
#[tauri::command]
pub async fn act(
    engine: State<'_, Engine>,
    server: String,
    job: String,
    action: ActionKind,
) -> Done {
    engine.act(&server, &job, action).await
}

/// Marks notices as read or unread.
#[tauri::command]
pub async fn mark_read(engine: State<'_, Engine>, ids: Vec<i64>, read: bool) -> Done {
    engine.mark_read(ids, read).await;
    Ok(())
}

/// Marks all notices as read.
#[tauri::command]
pub async fn mark_all_read(engine: State<'_, Engine>) -> Done {
    engine.mark_all_read().await;
    Ok(())
}

/// Removes notices from the list.
#[tauri::command]
pub async fn dismiss(engine: State<'_, Engine>, ids: Vec<i64>) -> Done {
    engine.dismiss(ids).await;
    Ok(())
}

/// Restores dismissed notices.
#[tauri::command]
pub async fn restore(engine: State<'_, Engine>, ids: Vec<i64>) -> Done {
    engine.restore(ids).await;
    Ok(())
}

/// Changes some preferences.
#[tauri::command]
pub async fn set_preferences(
    app: AppHandle,
    engine: State<'_, Engine>,
    patch: PreferencesPatch,
) -> Done {
    let before = engine.preferences().await?.shortcut;
    if let Some(keys) = patch.shortcut.as_ref().filter(|keys| **keys != before) {
        // A shortcut that cannot be registered is not saved; the one before stays.
        set_shortcut(&app, keys).inspect_err(|_| {
            if let Err(error) = set_shortcut(&app, &before) {
                tracing::warn!(error.message, "could not restore the global shortcut");
            }
        })?;
    }
    let (zoom, theme) = (patch.zoom, patch.theme);
    engine.set_preferences(patch).await?;
    if let Some(theme) = theme {
        app.state::<WindowState>().set_theme(theme);
    }
    if let Some(percent) = zoom {
        app.state::<WindowState>().set_zoom(&app, percent);
    }
    Ok(())
}

/// Mutes jobs like this one; returns the mute.
#[tauri::command]
pub async fn mute(
    engine: State<'_, Engine>,
    target: MuteTarget,
    by: MuteBy,
) -> Result<Mute, UserError> {
    engine.mute(target, by).await
}

/// Which recent events a rule would have matched.
#[tauri::command]
pub async fn try_rule(engine: State<'_, Engine>, rule: NoticeRule) -> Result<RuleTrial, UserError> {
    engine.try_rule(rule).await
}

/// Runs a rule's programs on the last matching event; returns how each went.
#[tauri::command]
pub async fn run_rule(
    engine: State<'_, Engine>,
    rule: NoticeRule,
) -> Result<Vec<String>, UserError> {
    engine.run_rule(rule).await
}

/// Whether the program starts at login.
#[tauri::command]
pub async fn starts_at_login(app: AppHandle) -> Result<bool, UserError> {
    app.autolaunch().is_enabled().map_err(|error| autostart_error(&error))
}

/// Sets whether the program starts at login, in the tray.
#[tauri::command]
pub async fn set_start_at_login(app: AppHandle, on: bool) -> Done {
    let autostart = app.autolaunch();
    let set = if on { autostart.enable() } else { autostart.disable() };
    set.map_err(|error| autostart_error(&error))
}

fn autostart_error(error: &dyn std::fmt::Display) -> UserError {
    let message = format!("Could not change starting at login: {error}.");
    UserError { code: ErrorCode::Internal, message }
}

/// Starts or stops the embedded demo servers.
#[tauri::command]
pub async fn set_demo(engine: State<'_, Engine>, demo: State<'_, DemoSwitch>, on: bool) -> Done {
    demo.set(&engine, on).await
}

/// Opens a job's link in the browser. Only web links are opened, since the text comes from a server.
#[tauri::command]
pub async fn open_link<R: Runtime>(app: AppHandle<R>, url: String) -> Done {
    let url = web_link(&url)?;
    app.opener().open_url(url.as_str(), None::<&str>).map_err(|error| UserError {
        code: ErrorCode::Internal,
        message: format!("Could not open the link: {error}."),
    })
}

/// `text` as a link to the web, without credentials.
fn web_link(text: &str) -> Result<Url, UserError> {
    let invalid =
        |message: &str| UserError { code: ErrorCode::Invalid, message: message.to_owned() };
    let url = Url::parse(text).map_err(|_| invalid("This is not a link."))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(invalid("Only http and https links can be opened."));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("Links that contain a user name or password are not opened."));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_links_are_opened() {
        assert_eq!(web_link("https://example.org/a?b#c").unwrap().as_str().len(), 25);
        for bad in [
            "file:///etc/passwd",
            "javascript:alert(1)",
            "ssh://host",
            "https://user:pass@example.org/",
            "/relative",
            "",
            "data:text/html,x",
        ] {
            assert_eq!(web_link(bad).unwrap_err().code, ErrorCode::Invalid, "{bad}");
        }
    }
}
