//! The fields of a server's form, checked one by one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jobwatch_core::dialect::dialect;
use jobwatch_core::dialect::endpoint::{Defaults, Endpoint};
use jobwatch_core::model::Topic;
use jobwatch_core::secret::names_secret;
use jobwatch_core::server::{DialectKind, KeyPlacement, PolicyChange, Server};

use crate::api::{ErrorCode, ServerDraft, UserError};
use crate::settings::new_id;

pub(super) fn invalid(message: impl Into<String>) -> UserError {
    UserError { code: ErrorCode::Invalid, message: message.into() }
}

/// Whether the files that a draft names can be read. Not for the loop: a file may be far away.
pub(super) async fn check_files(draft: &ServerDraft) -> Result<(), UserError> {
    let path = draft.extra_ca.trim();
    if !path.is_empty()
        && let Err(error) = tokio::fs::metadata(path).await
    {
        return Err(invalid(format!("The certificate file {path} cannot be read: {error}.")));
    }
    Ok(())
}

/// The server a draft describes, checked field by field.
pub(super) fn server_of(
    draft: &ServerDraft,
    existing: Option<&Server>,
) -> Result<Server, UserError> {
    let word = draft.dialect.trim();
    let kind = DialectKind::from_word(word)
        .ok_or_else(|| invalid(format!("There is no kind of server called \"{word}\".")))?;
    let ws = draft.ws.trim();
    if ws.is_empty() {
        return Err(invalid("The address of the socket is missing."));
    }
    let api = Some(draft.api.trim()).filter(|api| !api.is_empty());
    let mut watch = Vec::new();
    for text in draft.watch.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        let topic = Topic::parse(text).map_err(|error| invalid(error.to_string()))?;
        if !watch.contains(&topic) {
            watch.push(topic);
        }
    }
    let options: BTreeMap<String, String> = draft
        .options
        .iter()
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
        .collect();
    let extra_ca = Some(draft.extra_ca.trim()).filter(|path| !path.is_empty()).map(PathBuf::from);
    let mut server = Server {
        id: existing.map_or_else(new_id, |server| server.id.clone()),
        name: draft.name.trim().to_owned(),
        dialect: kind,
        ws: ws.to_owned(),
        api: api.map(str::to_owned),
        key: draft.key_placement.as_ref().map(placement).transpose()?,
        namespace: Some(draft.namespace.trim().to_owned()).filter(|name| !name.is_empty()),
        options,
        watch,
        paused: existing.is_some_and(|server| server.paused),
        extra_ca,
        policy: existing.map_or_else(PolicyChange::default, |server| server.policy.clone()),
    };
    check_addresses(&server)?;
    if server.name.is_empty() {
        server.name = default_name(&server);
    }
    // What only the dialect can judge.
    dialect(&server, None).map_err(invalid)?;
    Ok(server)
}

/// An address that would reveal a key, or leads nowhere, is refused.
fn check_addresses(server: &Server) -> Result<(), UserError> {
    let endpoint = endpoint(server).map_err(invalid)?;
    for url in [endpoint.ws(), endpoint.api()] {
        if url.password().is_some() || !url.username().is_empty() {
            return Err(invalid(
                "The address holds a user name or password, which would be saved in the open. \
                 Enter it as the key instead.",
            ));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(invalid("The address names no host."));
        }
    }
    let admin = server.options.get("admin").map(String::as_str);
    for text in [Some(server.ws.as_str()), server.api.as_deref(), admin].into_iter().flatten() {
        if let Some(name) = secret_parameter(text) {
            return Err(invalid(format!(
                "The address holds a key in \"{name}\", which would be saved in the open. Remove \
                 it there and enter it as the key instead."
            )));
        }
    }
    let authority = admin.map(|admin| admin.split_once("://").map_or(admin, |(_, rest)| rest));
    let authority = authority.and_then(|rest| rest.split(['/', '?', '#']).next());
    if authority.is_some_and(|authority| authority.contains('@')) {
        return Err(invalid(
            "The address of the admin API holds a user name or password, which would be saved in \
             the open. Enter it as the key instead.",
        ));
    }
    Ok(())
}

/// The query parameter of an address that looks like a key.
fn secret_parameter(address: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, value)| names_secret(name) && !value.is_empty())
        .map(|(name, _)| name.into_owned())
}

/// What a server is called that nobody gave a name: its host and port. Of Better Bull Board people
/// know the web page, not the socket.
pub(super) fn default_name(server: &Server) -> String {
    let Ok(endpoint) = endpoint(server) else { return server.dialect.title().to_owned() };
    let page = server.dialect == DialectKind::BullBoard && server.api.is_some();
    let url = if page { endpoint.api() } else { endpoint.ws() };
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => server.dialect.title().to_owned(),
    }
}

/// The two addresses of a server; paths and key placements are the dialect's business.
fn endpoint(server: &Server) -> Result<Endpoint, String> {
    let defaults =
        Defaults { ws_path: "", api_path: "", api_port: None, ws_key: None, http_key: None };
    Endpoint::new(server, None, defaults)
}

/// The place to which the key of `old` would go for the first time, or without TLS where it had
/// TLS, if it were kept for `new`.
pub(super) fn new_host(old: &Server, new: &Server) -> Option<String> {
    let (old, new) = (endpoint(old).ok()?, endpoint(new).ok()?);
    let secure = |url: &url::Url| matches!(url.scheme(), "wss" | "https");
    let known = |url: &url::Url| {
        [old.ws(), old.api()]
            .iter()
            .any(|known| known.host() == url.host() && (secure(url) || !secure(known)))
    };
    let stranger = [new.ws(), new.api()].into_iter().find(|url| !known(url))?;
    Some(stranger.host_str().unwrap_or_default().to_owned())
}

/// Where the user wants the key, without blanks around its names.
fn placement(given: &KeyPlacement) -> Result<KeyPlacement, UserError> {
    let mut placement = given.clone();
    if let KeyPlacement::Header { scheme, .. } = &mut placement {
        *scheme = scheme.as_deref().map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned);
    }
    match &mut placement {
        KeyPlacement::Query { name }
        | KeyPlacement::Header { name, .. }
        | KeyPlacement::Cookie { name }
        | KeyPlacement::Auth { name } => {
            *name = name.trim().to_owned();
            if name.is_empty() {
                return Err(invalid("The name of the field that carries the key is missing."));
            }
        }
        KeyPlacement::FirstMessage => {}
    }
    Ok(placement)
}
