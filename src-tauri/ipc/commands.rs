//! Commands that change something, each a call of the engine. The page never sees a stored key, and a
//! key that it sends becomes a `Secret` at once.

use jobwatch_engine::api::{
    ActionKind, ErrorCode, KeyChange, Mute, MuteBy, MuteTarget, NoticeRule, PreferencesPatch,
    ProbeView, RuleTrial, ServerDraft, TestStep, TestVerdict, UserError,
};
use jobwatch_engine::engine::Typed;
use tauri::ipc::Channel;
use url::Url;

use super::host::{ChannelId, Host};
use super::masked_secret::MaskedSecret;

type Done = Result<(), UserError>;

/// A server as the form shows it.
pub async fn server_draft(host: Host, id: String) -> Result<ServerDraft, UserError> {
    host.engine.server_draft(&id).await
}

/// Adds or changes a server; returns its id.
pub async fn save_server(
    host: Host,
    draft: ServerDraft,
    change: KeyChange,
    key: Option<MaskedSecret>,
    headers: Option<MaskedSecret>,
) -> Result<String, UserError> {
    host.engine.save_server(draft, change, typed(key, headers)?).await
}

/// Tests a server step by step without saving it.
pub async fn test_server(
    host: Host,
    draft: ServerDraft,
    change: KeyChange,
    key: Option<MaskedSecret>,
    headers: Option<MaskedSecret>,
    on_step: ChannelId,
) -> Result<TestVerdict, UserError> {
    let typed = typed(key, headers)?;
    let on_step: Channel<TestStep> = host.channel(&on_step)?;
    let report = move |step: TestStep| {
        // Fails only if the page has gone.
        let _ = on_step.send(step);
    };
    host.engine.test_server(draft, change, typed, Box::new(report)).await
}

/// Detects the server behind an address, without a key.
pub async fn probe_server(
    host: Host,
    url: String,
    extra_ca: String,
) -> Result<ProbeView, UserError> {
    Ok(host.engine.probe(&url, &extra_ca).await)
}

/// Signs in with e-mail and password; returns the token's id.
pub async fn sign_in(
    host: Host,
    draft: ServerDraft,
    email: MaskedSecret,
    password: MaskedSecret,
    headers: Option<MaskedSecret>,
    stay: bool,
) -> Result<u32, UserError> {
    let headers = headers.map(MaskedSecret::reveal).transpose()?;
    host.engine.sign_in(draft, email.reveal()?, password.reveal()?, headers, stay).await
}

fn typed(key: Option<MaskedSecret>, headers: Option<MaskedSecret>) -> Result<Typed, UserError> {
    let reveal = |masked: Option<MaskedSecret>| masked.map(MaskedSecret::reveal).transpose();
    Ok(Typed { key: reveal(key)?, headers: reveal(headers)? })
}

/// Removes a server, its history and its key.
pub async fn remove_server(host: Host, id: String) -> Done {
    host.engine.remove_server(&id).await
}

/// Disconnects a server until it is resumed.
pub async fn pause_server(host: Host, id: String) -> Done {
    host.engine.pause_server(&id).await
}

/// Connects a paused server again.
pub async fn resume_server(host: Host, id: String) -> Done {
    host.engine.resume_server(&id).await
}

/// Reconnects to a server now.
pub async fn reconnect(host: Host, id: String) -> Done {
    host.engine.reconnect(&id).await
}

/// Watches a topic.
pub async fn watch(host: Host, server: String, topic: String) -> Done {
    host.engine.watch(&server, &topic).await
}

/// Stops watching a topic.
pub async fn unwatch(host: Host, server: String, topic: String) -> Done {
    host.engine.unwatch(&server, &topic).await
}

/// Cancels or retries a job.
pub async fn act(host: Host, server: String, job: String, action: ActionKind) -> Done {
    host.engine.act(&server, &job, action).await
}

/// Marks notices as read or unread.
pub async fn mark_read(host: Host, ids: Vec<i64>, read: bool) -> Done {
    host.engine.mark_read(ids, read).await;
    Ok(())
}

/// Marks all notices as read.
pub async fn mark_all_read(host: Host) -> Done {
    host.engine.mark_all_read().await;
    Ok(())
}

/// Removes notices from the list.
pub async fn dismiss(host: Host, ids: Vec<i64>) -> Done {
    host.engine.dismiss(ids).await;
    Ok(())
}

/// Restores dismissed notices.
pub async fn restore(host: Host, ids: Vec<i64>) -> Done {
    host.engine.restore(ids).await;
    Ok(())
}

/// Changes some preferences.
pub async fn set_preferences(host: Host, patch: PreferencesPatch) -> Done {
    let before = host.engine.preferences().await?.shortcut;
    if let Some(keys) = patch.shortcut.as_ref().filter(|keys| **keys != before) {
        // A shortcut that cannot be registered is not saved; the one before stays.
        host.shell.set_shortcut(keys).inspect_err(|_| {
            if let Err(error) = host.shell.set_shortcut(&before) {
                tracing::warn!(error.message, "could not restore the global shortcut");
            }
        })?;
    }
    let (zoom, theme) = (patch.zoom, patch.theme);
    host.engine.set_preferences(patch).await?;
    if let Some(theme) = theme {
        host.shell.set_theme(theme);
    }
    if let Some(percent) = zoom {
        host.shell.set_zoom(percent);
    }
    Ok(())
}

/// Mutes jobs like this one; returns the mute.
pub async fn mute(host: Host, target: MuteTarget, by: MuteBy) -> Result<Mute, UserError> {
    host.engine.mute(target, by).await
}

/// Which recent events a rule would have matched.
pub async fn try_rule(host: Host, rule: NoticeRule) -> Result<RuleTrial, UserError> {
    host.engine.try_rule(rule).await
}

/// Runs a rule's programs on the last matching event; returns how each went.
pub async fn run_rule(host: Host, rule: NoticeRule) -> Result<Vec<String>, UserError> {
    host.engine.run_rule(rule).await
}

/// Whether the program starts at login.
pub async fn starts_at_login(host: Host) -> Result<bool, UserError> {
    host.shell.starts_at_login()
}

/// Sets whether the program starts at login, in the tray.
pub async fn set_start_at_login(host: Host, on: bool) -> Done {
    host.shell.set_start_at_login(on)
}

/// Starts or stops the embedded demo servers.
pub async fn set_demo(host: Host, on: bool) -> Done {
    host.demo.set(&host.engine, on).await
}

/// Opens a job's link in the browser. Only web links are opened, since the text comes from a server.
pub async fn open_link(host: Host, url: String) -> Done {
    host.shell.open_url(&web_link(&url)?)
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
