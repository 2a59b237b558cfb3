//! `jobwatch servers`: the saved servers.

use jobwatch_core::model::Topic;
use jobwatch_core::secret::REDACTED;
use jobwatch_engine::ports::{Secrets as _, SecretsError};
use jobwatch_engine::settings::SavedServer;
use serde::Serialize;
use url::Url;

use super::args::{EXIT_OK, Servers};
use super::{Outcome, Output, connection, print};
use crate::os::paths::{NoHome, Paths};
use crate::os::secrets::Keyring;

/// One saved server.
#[derive(Debug, Serialize)]
struct Line<'a> {
    r#type: &'static str,
    id: &'a str,
    name: &'a str,
    dialect: &'static str,
    ws: String,
    api: Option<String>,
    watch: Vec<String>,
    paused: bool,
    key: &'static str,
}

/// Runs the command.
///
/// # Errors
/// For people.
pub fn run(args: &Servers, paths: Result<Paths, NoHome>) -> Outcome {
    let servers = connection::saved(paths)?;
    if servers.is_empty() {
        crate::print_stderr("No servers saved yet. Add one in the window.");
    }
    let keyring = Keyring::default();
    for saved in &servers {
        let server = &saved.server;
        let line = Line {
            r#type: "server",
            id: &server.id.0,
            name: &server.name,
            dialect: server.dialect.word(),
            ws: shown(&server.ws),
            api: server.api.as_deref().map(shown),
            watch: server.watch.iter().map(Topic::to_string).collect(),
            paused: server.paused,
            key: key_word(&keyring, saved),
        };
        let text = if args.json {
            // Texts and a flag: always prints.
            serde_json::to_string(&line).unwrap_or_default()
        } else {
            let paused = if line.paused { "  paused" } else { "" };
            format!(
                "{:<20} {:<12} {:<44} key {}{paused}",
                super::text::sanitize(line.name),
                line.dialect,
                super::text::sanitize(&line.ws),
                line.key
            )
        };
        if print(&text)? == Output::Closed {
            break;
        }
    }
    Ok(EXIT_OK)
}

/// The state of the key; never the key itself.
fn key_word(keyring: &Keyring, saved: &SavedServer) -> &'static str {
    if !saved.has_key {
        return "none";
    }
    match keyring.load(&saved.server.id) {
        Ok(Some(_)) => "stored",
        Ok(None) => "lost",
        Err(SecretsError::Missing) => "no-keyring",
        Err(SecretsError::Locked | SecretsError::Dismissed) => "locked",
        Err(SecretsError::Timeout) => "no-answer",
        Err(SecretsError::Failed(_) | SecretsError::Unreadable) => "unreadable",
    }
}

/// A URL without credentials: nobody should put a key into one, but some do.
fn shown(text: &str) -> String {
    if !text.contains("://") {
        let whole = shown(&format!("ws://{text}"));
        return whole.strip_prefix("ws://").unwrap_or(&whole).to_owned();
    }
    let Ok(mut url) = Url::parse(text) else { return "(not a URL)".to_owned() };
    // Refused only for URLs without a host, which hold no credentials.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if url.query().is_some() {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                let value = if harmless(&name) { value.into_owned() } else { REDACTED.to_owned() };
                (name.into_owned(), value)
            })
            .collect();
        let query: Vec<String> =
            pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        url.set_query(None);
        return format!("{url}?{}", query.join("&"));
    }
    url.to_string()
}

/// Whether a parameter never holds a key; the value of any other is hidden.
fn harmless(name: &str) -> bool {
    matches!(name, "EIO" | "transport" | "cluster" | "region" | "namespace" | "service")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_inside_a_url_is_not_shown() {
        for (url, text) in [
            ("ws://h:1/x", "ws://h:1/x"),
            ("wss://u:sk-1@h/x?api_key=sk-1&EIO=4", "wss://h/x?api_key=[redacted]&EIO=4"),
            ("u:sk-1@h/x?k=sk-1", "h/x?k=[redacted]"),
        ] {
            let out = shown(url);
            assert!(!out.contains("sk-1"), "{out}");
            assert_eq!(out, text);
        }
    }
}
