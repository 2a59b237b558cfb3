//! Resolves the command line's server options to a server and its key.

use std::path::PathBuf;

use jobwatch_core::dialect;
use jobwatch_core::model::Topic;
use jobwatch_core::secret::{Credentials, Secret};
use jobwatch_core::server::{DialectKind, PolicyChange, Server, ServerId};
use jobwatch_engine::fetch::Clients;
use jobwatch_engine::ports::{Secrets as _, SecretsError};
use jobwatch_engine::probe;
use jobwatch_engine::settings::{SavedServer, SettingsFile};
use jobwatch_engine::sign_in::{self, Login, SignInError};
use url::Url;

use super::Failure;
use super::args::{Connection, EXIT_KEY, EXIT_SETTINGS, EXIT_UNAVAILABLE, EXIT_USAGE};
use crate::os::paths::{NoHome, Paths};
use crate::os::secrets::Keyring;

/// A server to connect to.
#[derive(Debug)]
pub struct Target {
    /// The server; its `watch` is what the command line requests.
    pub server: Server,
    /// Its key.
    pub key: Option<Secret>,
    /// The directory of its history; `None` for a server that is not saved.
    pub history: Option<PathBuf>,
    /// What is left to do before connecting.
    before: Before,
}

/// See [`Target::ready`].
#[derive(Debug, Default)]
struct Before {
    /// A URL whose kind of server must be detected.
    unknown: Option<String>,
    /// The account to sign in with.
    login: Option<Login>,
    /// Whether the saved key may be a token that can be renewed.
    renewable: bool,
}

impl Target {
    /// Finds the saved server, or builds the one that the options describe.
    ///
    /// # Errors
    /// For people.
    pub fn find(
        connection: &Connection,
        topics: Vec<Topic>,
        paths: Result<Paths, NoHome>,
    ) -> Result<Target, Failure> {
        let key = connection.key_env.as_deref().map(|variable| secret_from(variable, "key"));
        let key = key.transpose()?;
        let mut before = Before { login: login_from(connection)?, ..Before::default() };
        let (mut server, key, history) =
            match (&connection.server, connection.dialect, &connection.ws) {
                (None, dialect, Some(ws)) => {
                    if dialect.is_none() {
                        before.unknown = Some(ws.clone());
                    }
                    let dialect = dialect.unwrap_or(DialectKind::TriggerX);
                    (given(connection, dialect, ws), key, None)
                }
                (Some(name), ..) => {
                    let data = paths.as_ref().map(|paths| paths.data.clone()).unwrap_or_default();
                    let saved = named(saved(paths)?, name)?;
                    let key = match key {
                        Some(key) => Some(key),
                        None if before.login.is_some() => None,
                        None => {
                            before.renewable = saved.has_key && saved.server.dialect.signs_in();
                            key_of(&saved)?
                        }
                    };
                    (saved.server, key, Some(data))
                }
                // The argument parser lets nothing else through.
                _ => {
                    return Err(Failure::new(
                        EXIT_USAGE,
                        "Name a server with --server, or give its URL with --ws.",
                    ));
                }
            };
        let key = with_headers(key, &connection.header_env)?;
        if !topics.is_empty() {
            server.watch = topics;
        } else if server.watch.is_empty() {
            server.watch = vec![Topic::Everything];
        }
        // The user asked for it by name, so a pause in the window does not apply.
        server.paused = false;
        if before.unknown.is_none() {
            usable(&server, key.as_ref())?;
        }
        Ok(Target { server, key, history, before })
    }

    /// Detects the kind of server if needed. Signs in if asked to, or if the key in the keyring is an
    /// expired token that can be renewed.
    ///
    /// # Errors
    /// For people.
    pub async fn ready(mut self) -> Result<Target, Failure> {
        let before = std::mem::take(&mut self.before);
        if let Some(url) = before.unknown {
            let found = probe::run(&url, self.server.extra_ca.clone()).await.view();
            let known = found.found.first().filter(|found| found.sure);
            let kind = known.and_then(|found| DialectKind::from_word(&found.dialect));
            let (Some(known), Some(kind)) = (known, kind) else {
                let instead = found.instead.map(|url| format!(" Try --ws {url}"));
                let text = format!("{}{}", found.text, instead.unwrap_or_default());
                return Err(Failure::new(EXIT_UNAVAILABLE, text));
            };
            crate::print_stderr(&found.text);
            self.server.dialect = kind;
            if !known.ws.is_empty() {
                self.server.ws.clone_from(&known.ws);
            }
            if self.server.api.is_none() && !known.api.is_empty() {
                self.server.api = Some(known.api.clone());
            }
            for (name, value) in &known.options {
                self.server.options.entry(name.clone()).or_insert_with(|| value.clone());
            }
            usable(&self.server, self.key.as_ref())?;
        }
        let clients = Clients::new(self.server.extra_ca.clone());
        if let Some(login) = &before.login {
            let key = sign_in::key_for(&clients, &self.server, login, self.key.as_ref()).await;
            self.key = Some(key.map_err(no_key)?);
        } else if before.renewable && !sign_in::accepted(&clients, &self.server, &self.key).await {
            self.renew(&clients).await?;
        }
        Ok(self)
    }

    /// Signs in again with the account in the keyring, if there is one.
    async fn renew(&mut self, clients: &Clients) -> Result<(), Failure> {
        let keyring = Keyring::default();
        let id = self.server.id.clone();
        // Without an account, the rejected key is reported like any other.
        let kept = keyring.load(&sign_in::login_id(&id)).ok().flatten();
        let Some(login) = kept.as_ref().and_then(Login::from_text) else { return Ok(()) };
        let token = sign_in::key_for(clients, &self.server, &login, self.key.as_ref()).await;
        let token = token.map_err(no_key)?;
        if let Err(error) = keyring.store(&id, &self.server.name, &token) {
            crate::print_stderr(format_args!(
                "The new token could not be saved in the keyring: {error}."
            ));
        }
        self.key = Some(token);
        Ok(())
    }
}

/// Checks that the server can be connected to as described, and asked for the job to watch.
fn usable(server: &Server, key: Option<&Secret>) -> Result<(), Failure> {
    let dialect = dialect::dialect(server, key.cloned())
        .map_err(|problem| Failure::new(EXIT_USAGE, format!("{}: {problem}", server.name)))?;
    // Reject a job that cannot be requested before connecting.
    match &server.watch[..] {
        [topic @ Topic::Job(_)] => match dialect.why_unsupported(topic) {
            Some(reason) => Err(Failure::new(EXIT_USAGE, reason)),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn no_key(error: SignInError) -> Failure {
    let code = match error {
        SignInError::Refused(_) => EXIT_KEY,
        SignInError::Failed(_) => EXIT_UNAVAILABLE,
    };
    Failure::new(code, error.to_string())
}

/// The account to sign in with, if the command line names one.
fn login_from(connection: &Connection) -> Result<Option<Login>, Failure> {
    let (Some(email), Some(variable)) = (&connection.email, &connection.password_env) else {
        return Ok(None);
    };
    let password = secret_from(variable, "password")?;
    Ok(Some(Login { email: Secret::new(email.clone()), password }))
}

/// The topic of a job on the command line, with or without `job:` before its id.
pub fn job_topic(job: &str) -> Result<Topic, Failure> {
    match job.strip_prefix("job:").unwrap_or(job) {
        "" => Err(Failure::new(EXIT_USAGE, "The job's id is empty.")),
        id => Ok(Topic::Job(id.into())),
    }
}

/// Adds the headers of `--header-env` to the credentials.
fn with_headers(
    key: Option<Secret>,
    headers: &[(String, String)],
) -> Result<Option<Secret>, Failure> {
    if headers.is_empty() {
        return Ok(key);
    }
    let mut credentials = key.as_ref().map_or_else(Credentials::default, Credentials::read);
    for (name, variable) in headers {
        credentials.headers.push((name.clone(), secret_from(variable, "header")?));
    }
    Ok(credentials.written())
}

/// The topics that a job on the command line may match: `job:77` is the job 77, or a job whose id is
/// `job:77`. To TriggerX the two are the same.
pub fn job_topics(job: &str, server: &Server) -> Result<Vec<Topic>, Failure> {
    let first = job_topic(job)?;
    let whole = Topic::Job(job.into());
    let both = whole != first && server.dialect != DialectKind::TriggerX;
    Ok(std::iter::once(first).chain(both.then_some(whole)).collect())
}

fn secret_from(variable: &str, wanted: &str) -> Result<Secret, Failure> {
    let problem = |what: &str| {
        let advice = format!("set it to the {wanted}, or omit --{wanted}-env");
        Failure::new(EXIT_USAGE, format!("The environment variable {variable} {what}: {advice}."))
    };
    match std::env::var(variable) {
        Ok(text) => {
            let key = Secret::new(text);
            if key.expose().is_empty() { Err(problem("is empty")) } else { Ok(key) }
        }
        Err(std::env::VarError::NotPresent) => Err(problem("is not set")),
        Err(std::env::VarError::NotUnicode(_)) => Err(problem("is not text")),
    }
}

fn given(connection: &Connection, dialect: DialectKind, ws: &str) -> Server {
    Server {
        id: ServerId("command-line".to_owned()),
        name: connection.name.clone().unwrap_or_else(|| host_of(ws)),
        dialect,
        ws: ws.to_owned(),
        api: connection.api.clone(),
        key: connection.key_in.clone(),
        namespace: connection.namespace.clone(),
        options: connection.options.iter().cloned().collect(),
        watch: Vec::new(),
        paused: false,
        extra_ca: connection.ca.clone(),
        policy: PolicyChange::default(),
    }
}

/// The host and port of a URL: the parts that cannot hold a key.
fn host_of(ws: &str) -> String {
    let whole = if ws.contains("://") { ws.to_owned() } else { format!("ws://{ws}") };
    let Ok(url) = Url::parse(whole.trim()) else { return "server".to_owned() };
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => "server".to_owned(),
    }
}

/// The saved servers.
pub fn saved(paths: Result<Paths, NoHome>) -> Result<Vec<SavedServer>, Failure> {
    let paths = paths.map_err(|error| Failure::new(EXIT_SETTINGS, error.to_string()))?;
    let (_, read) = SettingsFile::load(paths.settings);
    let (settings, problem) = (read.settings, read.problem);
    match problem {
        Some(problem) if settings.servers.is_empty() => Err(Failure::new(EXIT_SETTINGS, problem)),
        Some(problem) => {
            crate::print_stderr(&problem);
            Ok(settings.servers)
        }
        None => Ok(settings.servers),
    }
}

fn named(servers: Vec<SavedServer>, name: &str) -> Result<SavedServer, Failure> {
    let known = match &servers[..] {
        [] => "no servers are saved yet; add one in the window, or use --ws".to_owned(),
        servers => {
            let names: Vec<&str> = servers.iter().map(|saved| saved.server.name.as_str()).collect();
            format!("saved servers: {}", names.join(", "))
        }
    };
    let ways: [fn(&Server, &str) -> bool; 3] = [
        |server, name| server.name == name,
        |server, name| server.id.0 == name,
        |server, name| server.name.eq_ignore_ascii_case(name),
    ];
    for way in ways {
        let found: Vec<&SavedServer> =
            servers.iter().filter(|saved| way(&saved.server, name)).collect();
        match found[..] {
            [] => {}
            [saved] => return Ok(saved.clone()),
            _ => {
                let ids: Vec<&str> = found.iter().map(|saved| saved.server.id.0.as_str()).collect();
                return Err(Failure::new(
                    EXIT_USAGE,
                    format!(
                        "Several saved servers are named \"{name}\". Use the id instead: {}.",
                        ids.join(" or ")
                    ),
                ));
            }
        }
    }
    Err(Failure::new(EXIT_SETTINGS, format!("No saved server is named \"{name}\"; {known}.")))
}

fn key_of(saved: &SavedServer) -> Result<Option<Secret>, Failure> {
    if !saved.has_key {
        return Ok(None);
    }
    let name = &saved.server.name;
    let (problem, remedy) = match Keyring::default().load(&saved.server.id) {
        Ok(Some(key)) => return Ok(Some(key)),
        Ok(None) => ("it is no longer in the keyring", "Enter it again in the window"),
        Err(SecretsError::Missing) => ("this session has no keyring", "Start one"),
        Err(SecretsError::Locked) => ("the keyring is locked", "Unlock it"),
        Err(SecretsError::Dismissed) => {
            ("the keyring prompt was dismissed", "Try again and answer it")
        }
        Err(SecretsError::Timeout) => ("the keyring does not respond", "Look for an open prompt"),
        Err(SecretsError::Unreadable) => {
            ("its entry in the keyring is not text", "Enter it again in the window")
        }
        Err(SecretsError::Failed(_)) => ("the keyring failed", "Try again"),
    };
    Err(Failure::new(
        EXIT_KEY,
        format!(
            "The key for {name} could not be read: {problem}. {remedy}, or pass the key with \
             --key-env."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_given_by_url_is_named_by_host_and_port_alone() {
        for (ws, name) in [
            ("ws://localhost:8080/api?api_key=sk-1", "localhost:8080"),
            ("wss://user:sk-1@jobs.example.org/x", "jobs.example.org"),
            ("localhost:3000", "localhost:3000"),
            ("[::1]:3000", "[::1]:3000"),
            ("ws://", "server"),
        ] {
            assert_eq!(host_of(ws), name);
        }
    }

    #[test]
    fn the_prefix_of_a_job_id_is_optional() {
        for text in ["12", "job:12"] {
            assert_eq!(job_topic(text).unwrap(), Topic::Job("12".into()));
        }
        assert!(job_topic("job:").is_err());
    }
}
