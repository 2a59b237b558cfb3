//! Connecting for the first time: what is behind an address, whether a server works as it is filled
//! in, and signing in for a key: tokens that wait for their server to be saved, and renewing those
//! that a server accepts no longer.
//!
//! What is needed to sign in again is kept in the keyring only, beside the key, and only where the
//! user agreed; it is read from there each time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jobwatch_core::dialect::dialect;
use jobwatch_core::dialect::sign_in::SignIn;
use jobwatch_core::secret::{Credentials, Secret};
use jobwatch_core::server::{Server, ServerId};
use jobwatch_core::time::Mono;

use super::draft::Typed;
use super::draft_fields::{check_files, invalid};
use super::state::State;
use super::{Engine, keyring_error};
use crate::api::{ErrorCode, KeyChange, KeyState, ProbeView, ServerDraft, TestVerdict, UserError};
use crate::driver::ConnectionId;
use crate::fetch::Clients;
use crate::keys::keyring_message;
use crate::sign_in::{Login, SignInError, login_id, sign_in};
use crate::test::{self, Report};

/// Tokens that wait at once; a form has one.
const WAITING: usize = 8;
/// For how long a token waits.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// Between two attempts to renew a token that failed for a reason that may pass.
const AGAIN: Duration = Duration::from_secs(60);

/// Further headers, by name.
type Headers = Vec<(String, Secret)>;

/// Tokens of those who have signed in, until their server is saved.
#[derive(Default)]
pub(super) struct SignedIn {
    waiting: BTreeMap<u32, Waiting>,
    next: u32,
}

struct Waiting {
    token: Secret,
    /// What was signed in with, where the user stays signed in.
    login: Option<Login>,
    /// Where.
    how: SignIn,
    since: Mono,
}

/// A key from signing in.
#[derive(Clone)]
pub(super) struct Token {
    pub token: Secret,
    pub login: Option<Login>,
}

/// How renewing a server's token stands.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    under_way: bool,
    /// Not before then.
    not_before: Option<Mono>,
    /// The server does not accept what is kept, or nothing is: only the user can help.
    given_up: bool,
}

impl Engine {
    /// Tries a server step by step, without touching what is saved or connected.
    ///
    /// # Errors
    /// When a field is wrong; how the test itself goes is told step by step.
    pub async fn test_server(
        &self,
        draft: ServerDraft,
        change: KeyChange,
        typed: impl Into<Typed>,
        report: Box<Report>,
    ) -> Result<TestVerdict, UserError> {
        let typed = typed.into();
        check_files(&draft).await?;
        let (server, key) =
            self.request(move |state| state.plan_test(&draft, change, typed)).await??;
        Ok(test::run(server, key, &*report).await)
    }

    /// Looks at what is behind an address, as it was pasted, without any key; done within five
    /// seconds. `extra_ca` is the path of a PEM file with further authorities, or empty.
    pub async fn probe(&self, typed: &str, extra_ca: &str) -> ProbeView {
        let extra_ca = Some(extra_ca.trim()).filter(|path| !path.is_empty()).map(PathBuf::from);
        let proxy = crate::probe::proxy_to(typed).await;
        ProbeView { proxy, ..crate::probe::run(typed, extra_ca).await.view() }
    }

    /// Signs in with e-mail and password. The number stands for the token from now on: the server
    /// is tried and saved with it in its draft. `headers` are further ones as typed, a line each; `None`
    /// sends the present ones. With `stay`, the keyring keeps what is needed to
    /// renew the token once the server accepts it no longer.
    ///
    /// # Errors
    /// When a field is wrong, or the server does not let the user in.
    pub async fn sign_in(
        &self,
        draft: ServerDraft,
        email: Secret,
        password: Secret,
        headers: Option<Secret>,
        stay: bool,
    ) -> Result<u32, UserError> {
        if email.expose().is_empty() || password.expose().is_empty() {
            return Err(invalid("Enter both e-mail and password."));
        }
        check_files(&draft).await?;
        let planned = self.request(move |state| state.plan_sign_in(&draft, headers.as_ref()));
        let (server, clients, headers) = planned.await??;
        let how = way_in(&server)?;
        let login = Login { email, password };
        let token = sign_in(&clients, &how, &login, &headers).await.map_err(|error| UserError {
            code: match error {
                SignInError::Refused(_) => ErrorCode::SignIn,
                SignInError::Failed(_) => ErrorCode::Server,
            },
            message: error.to_string(),
        })?;
        let login = stay.then_some(login);
        self.request(move |state| state.keep_token(token, login, how)).await
    }

    /// Puts what is needed to sign in again into the keyring, before anything is saved.
    pub(super) async fn remember_login(
        &self,
        id: &ServerId,
        label: &str,
        login: &Login,
    ) -> Result<(), UserError> {
        let label = format!("{label} (sign-in)");
        let stored = self.keyring.store(login_id(id), label, login.to_text(), None).wait().await;
        stored.map_err(|error| keyring_error(&error))
    }
}

/// How to sign in to a server.
fn way_in(server: &Server) -> Result<SignIn, UserError> {
    let found = dialect(server, None).map_err(invalid)?.sign_in();
    found.ok_or_else(|| {
        let kind = server.dialect.title();
        invalid(format!("{kind} has no sign-in with e-mail and password: enter its key."))
    })
}

impl State {
    fn plan_sign_in(
        &mut self,
        draft: &ServerDraft,
        headers: Option<&Secret>,
    ) -> Result<(Server, Arc<Clients>, Headers), UserError> {
        let draft = ServerDraft { sign_in: None, ..draft.clone() };
        let server = self.described(&draft)?;
        let headers = self.headers_for(&draft, &server, headers)?;
        let clients = self.tasks.clients(server.extra_ca.as_ref());
        Ok((server, clients, headers))
    }

    fn keep_token(&mut self, token: Secret, login: Option<Login>, how: SignIn) -> u32 {
        let since = self.clock.now().mono;
        let waiting = &mut self.signed_in.waiting;
        waiting.retain(|_, one| since.since(one.since) < PATIENCE);
        while waiting.len() >= WAITING {
            waiting.pop_first();
        }
        self.signed_in.next += 1;
        waiting.insert(self.signed_in.next, Waiting { token, login, how, since });
        self.signed_in.next
    }

    /// The token of this number, if it was given for this server.
    pub(super) fn token_of(&self, number: u32, server: &Server) -> Result<Token, UserError> {
        let again = || UserError {
            code: ErrorCode::SignIn,
            message: "Sign in again: it was too long ago, or for another address.".to_owned(),
        };
        let found = self.signed_in.waiting.get(&number).ok_or_else(again)?;
        if way_in(server)? != found.how {
            return Err(again());
        }
        Ok(Token { token: found.token.clone(), login: found.login.clone() })
    }

    /// The server with this token was saved.
    pub(super) fn token_used(&mut self, number: u32) {
        self.signed_in.waiting.remove(&number);
    }

    /// Nothing is kept any more to sign in again.
    pub(super) fn forget_login(&mut self, id: &ServerId) {
        let mut forgotten = self.keyring.delete(login_id(id));
        self.beside(async move { forgotten.wait().await }, |state, result| {
            if let Err(error) = result {
                state.keyring_trouble(Some(keyring_message(&error)));
            }
        });
    }

    /// Renews the tokens that servers accept no longer. To be called about once a second.
    pub(super) fn renew_tokens(&mut self) {
        let now = self.clock.now().mono;
        let due: Vec<ConnectionId> = self
            .servers
            .iter()
            .filter(|entry| {
                entry.server.dialect.signs_in()
                    && entry.key == KeyState::Stored
                    && entry.status.key_refused()
                    && !entry.renewal.under_way
                    && !entry.renewal.given_up
                    && entry.renewal.not_before.is_none_or(|at| at <= now)
            })
            .map(|entry| entry.connection)
            .collect();
        for connection in due {
            self.renew(connection);
        }
    }

    fn renew(&mut self, connection: ConnectionId) {
        let Some(entry) = self.entry_mut(connection) else { return };
        let Ok(how) = way_in(&entry.server) else { return };
        entry.renewal.under_way = true;
        let (id, extra_ca) = (entry.server.id.clone(), entry.server.extra_ca.clone());
        let refused = entry.secret.clone();
        let before = refused.clone();
        let clients = self.tasks.clients(extra_ca.as_ref());
        let mut kept = self.keyring.load(login_id(&id));
        let work = async move {
            // Nothing kept, or a keyring that does not say: the user has to sign in.
            let login = kept.wait().await.ok().flatten().as_ref().and_then(Login::from_text);
            match login {
                Some(login) => {
                    let headers =
                        before.as_ref().map(Credentials::read).unwrap_or_default().headers;
                    let token = sign_in(&clients, &how, &login, &headers).await;
                    Some(token.map(|token| Credentials::renewed(before.as_ref(), token)))
                }
                None => None,
            }
        };
        self.beside(work, move |state, answer| state.renewed(connection, refused, answer));
    }

    fn renewed(
        &mut self,
        connection: ConnectionId,
        refused: Option<Secret>,
        answer: Option<Result<Secret, SignInError>>,
    ) {
        let again = self.clock.now().mono.after(AGAIN);
        let Some(entry) = self.entry_mut(connection) else { return };
        entry.renewal.under_way = false;
        // A key that was entered meanwhile is the newer one.
        if entry.secret != refused {
            return;
        }
        let server = entry.server.id.clone();
        match answer {
            None => entry.renewal.given_up = true,
            Some(Err(SignInError::Refused(text))) => {
                tracing::info!(%server, "signing in again was refused: {text}");
                entry.renewal.given_up = true;
            }
            Some(Err(SignInError::Failed(text))) => {
                tracing::info!(%server, "signing in again failed: {text}");
                entry.renewal.not_before = Some(again);
            }
            Some(Ok(token)) => {
                tracing::info!(%server, "signed in again");
                entry.renewal.not_before = Some(again);
                let name = entry.server.name.clone();
                let storing = self.keyring.store(server, name, token.clone(), refused);
                self.beside(storing.wait(), |state, result| {
                    if let Err(error) = result {
                        state.keyring_trouble(Some(keyring_message(&error)));
                    }
                });
                self.set_key(connection, Some(token), KeyState::Stored);
            }
        }
    }
}
