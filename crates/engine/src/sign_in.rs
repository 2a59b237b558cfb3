//! Signing in with e-mail and password for a token, which is the key from then on.

use std::time::Duration;

use jobwatch_core::connection::sign_in_as_unauthorized;
use jobwatch_core::dialect::sign_in::SignIn;
use jobwatch_core::dialect::{Incoming, dialect};
use jobwatch_core::model::Topic;
use jobwatch_core::secret::{Credentials, Secret};
use jobwatch_core::server::{Server, ServerId};
use reqwest::header::{
    CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, SET_COOKIE,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;
use url::Url;

use crate::fetch::{Clients, fetch, place};
use jobwatch_core::redact::Redactor;

/// How long the server may take.
const LIMIT: Duration = Duration::from_secs(15);
/// How much of an answer is read, in bytes.
const MAX_BODY: usize = 64 << 10;

/// What a person signs in with. Printed without either.
#[derive(Clone)]
pub struct Login {
    /// Who.
    pub email: Secret,
    /// The password.
    pub password: Secret,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login")
    }
}

/// As the server reads it, and as it is kept in the keyring.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    email: std::borrow::Cow<'a, str>,
    password: std::borrow::Cow<'a, str>,
}

impl Login {
    /// For the keyring, or for the wire.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        let wire =
            Wire { email: self.email.expose().into(), password: self.password.expose().into() };
        // Two texts always become JSON.
        Secret::new(serde_json::to_string(&wire).unwrap_or_default())
    }

    /// Reads what [`Login::to_text`] made.
    #[must_use]
    pub fn from_text(text: &Secret) -> Option<Login> {
        let wire: Wire<'_> = serde_json::from_str(text.expose()).ok()?;
        Some(Login {
            email: Secret::new(wire.email.into_owned()),
            password: Secret::new(wire.password.into_owned()),
        })
    }
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The server does not accept this e-mail and password: trying again is of no use.
    #[error("{0}")]
    Refused(String),
    /// Anything else, which may pass.
    #[error("{0}")]
    Failed(String),
}

/// Under which name the keyring keeps what is needed to sign in again.
#[must_use]
pub fn login_id(server: &ServerId) -> ServerId {
    ServerId(format!("{server}:sign-in"))
}

/// Signs in to `server`; gives its key, with the further headers of what was shown to it before, which
/// it is shown in signing in as well.
///
/// # Errors
/// A sentence for people, without what was sent.
pub async fn key_for(
    clients: &Clients,
    server: &Server,
    login: &Login,
    before: Option<&Secret>,
) -> Result<Secret, SignInError> {
    let how = dialect(server, None).map_err(SignInError::Refused)?.sign_in();
    let how = how.ok_or_else(|| {
        let kind = server.dialect.title();
        SignInError::Refused(format!(
            "{kind} has no sign-in with e-mail and password: give its key."
        ))
    })?;
    let headers = before.map(Credentials::read).unwrap_or_default().headers;
    let token = sign_in(clients, &how, login, &headers).await?;
    Ok(Credentials::renewed(before, token))
}

/// Whether the API of `server` accepts `key`, as far as it says: what does not answer refuses
/// nobody.
pub async fn accepted(clients: &Clients, server: &Server, key: &Option<Secret>) -> bool {
    let Ok(mut dialect) = dialect(server, key.clone()) else { return true };
    let Some(request) = dialect.fetch(&Topic::Everything).into_iter().next() else { return true };
    let (answer, _) = fetch(clients, &request, &Redactor::new(key.as_ref())).await;
    let Ok(response) = sign_in_as_unauthorized(answer) else { return true };
    let said = dialect.parse(&request.ask, &response);
    response.status != 401 && !said.iter().any(|one| matches!(one, Incoming::Refused(_)))
}

/// Signs in, with these further headers; gives the token.
///
/// # Errors
/// A sentence for people, without what was sent.
pub async fn sign_in(
    clients: &Clients,
    how: &SignIn,
    login: &Login,
    headers: &[(String, Secret)],
) -> Result<Secret, SignInError> {
    let mut redactor = Redactor::new(Some(&login.password));
    redactor.add(&login.email);
    for (_, value) in headers {
        redactor.add(value);
    }
    let headers = header_map(headers)?;
    let late = SignInError::Failed(format!(
        "{} did not answer within {} s. Try again in a while.",
        place(&how.login),
        LIMIT.as_secs()
    ));
    timeout(LIMIT, ask(clients, how, login, &headers, &redactor)).await.unwrap_or(Err(late))
}

async fn ask(
    clients: &Clients,
    how: &SignIn,
    login: &Login,
    headers: &HeaderMap,
    redactor: &Redactor,
) -> Result<Secret, SignInError> {
    let url = &how.login;
    let client = clients.for_url(url).await.map_err(|error| failed(&error.to_string()))?;
    let mut request = client.post(url.clone()).headers(headers.clone());
    request = request.header(CONTENT_TYPE, "application/json");
    if let Some(csrf) = &how.csrf
        && let Some((token, cookies)) = forgery_token(client, csrf, headers).await
    {
        request = request.header("x-csrf-token", token).header(COOKIE, cookies);
    }
    let response = request
        .body(login.to_text().expose().to_owned())
        .send()
        .await
        .map_err(|error| failed(&clients.failure(&error, url, redactor).to_string()))?;
    let status = response.status().as_u16();
    let token = response.headers().get_all(SET_COOKIE).iter().find_map(|cookie| {
        let (name, value) = cookie.to_str().ok()?.split(';').next()?.split_once('=')?;
        (name.trim() == how.cookie).then(|| Secret::new(value.trim().to_owned()))
    });
    let pause = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let pause = pause.and_then(|value| value.trim().parse::<u32>().ok());
    let is_json = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.contains("json"));
    let body = json(response).await;
    // Earlier servers give the token in the answer itself.
    let token = token.or_else(|| {
        let told = body.get(how.cookie).and_then(Value::as_str);
        told.map(|token| Secret::new(token.to_owned()))
    });
    let there = place(url);
    match (status, token) {
        (200..=299, Some(token)) if !token.expose().is_empty() => Ok(token),
        (200..=299, _) if is_json => Err(SignInError::Failed(format!(
            "{there} answered, but gave no token. Enter a key instead."
        ))),
        (400 | 401 | 403 | 422, _) if is_json => {
            let words = words(&body).map(|words| redactor.clean_prefix(&words, 200));
            let words = words.map(|words| format!(": {}", words.trim_end_matches('.')));
            Err(SignInError::Refused(format!(
                "{there} does not accept this e-mail and password{}.",
                words.unwrap_or_default()
            )))
        }
        (429, _) => {
            let when = pause.map_or("in a minute".to_owned(), |secs| format!("in {secs} s"));
            Err(SignInError::Failed(format!(
                "{there} asks for a pause: too many attempts to sign in. Try again {when}."
            )))
        }
        (500..=599, _) => Err(SignInError::Failed(format!(
            "{there} could not sign you in (HTTP {status}). Try again in a while."
        ))),
        (status, _) => Err(SignInError::Failed(format!(
            "There is no sign-in at {} (HTTP {status}). Is the API URL right?",
            shown(url)
        ))),
    }
}

fn header_map(headers: &[(String, Secret)]) -> Result<HeaderMap, SignInError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let unsendable =
            || SignInError::Failed(format!("The further header {name} cannot be sent as it is."));
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable())?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| unsendable())?;
        value.set_sensitive(true);
        map.append(known, value);
    }
    Ok(map)
}

/// The token against forged requests, with the cookies that belong to it; none where the server
/// has no such thing.
async fn forgery_token(
    client: &reqwest::Client,
    url: &Url,
    headers: &HeaderMap,
) -> Option<(String, String)> {
    let response = client.get(url.clone()).headers(headers.clone()).send().await.ok()?;
    let cookies: Vec<String> = response
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|cookie| Some(cookie.to_str().ok()?.split(';').next()?.trim().to_owned()))
        .collect();
    let body = json(response).await;
    let token = body.get("csrfToken")?.as_str()?.to_owned();
    Some((token, cookies.join("; ")))
}

async fn json(mut response: reqwest::Response) -> Value {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY {
            return Value::Null;
        }
    }
    serde_json::from_slice(&body).unwrap_or_default()
}

/// The server's own words; a validator's list of complaints is none for people.
fn words(body: &Value) -> Option<String> {
    let said = ["error", "message"].iter().find_map(|name| match body.get(*name)? {
        Value::String(text) => Some(text.clone()),
        Value::Array(all) => all.first()?.as_str().map(str::to_owned),
        _ => None,
    });
    said.filter(|text| !text.trim_start().starts_with(['[', '{']))
}

fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

fn failed(words: &str) -> SignInError {
    let mut chars = words.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    SignInError::Failed(format!("{first}{}.", chars.as_str().trim_end_matches('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_kept_as_text_and_printed_without_it() {
        let login = Login {
            email: Secret::new("ada@example.com".to_owned()),
            password: Secret::new("pa\"ss wörd".to_owned()),
        };
        assert_eq!(format!("{login:?}"), "Login");
        let again = Login::from_text(&login.to_text()).unwrap();
        assert_eq!(again.email, login.email);
        assert_eq!(again.password, login.password);
        assert!(Login::from_text(&Secret::new("token".to_owned())).is_none());
    }
}
