//! Servers as the user fills them in: every field is checked, and what becomes of the key.

use jobwatch_core::model::Topic;
use jobwatch_core::secret::{Credentials, Secret};
use jobwatch_core::server::{Server, ServerId};

use super::draft_fields::{default_name, invalid, new_host, server_of};
use super::servers::Entry;
use super::state::State;
use crate::api::{KeyChange, KeyState, ServerDraft, UserError};
use crate::sign_in::Login;

/// What was typed into a server's form that is secret.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    /// The key.
    pub key: Option<Secret>,
    /// Further headers, a line each; `None` keeps the present ones.
    pub headers: Option<Secret>,
}

impl From<Option<Secret>> for Typed {
    fn from(key: Option<Secret>) -> Typed {
        Typed { key, headers: None }
    }
}

/// A server as it is to be saved: everything has been checked.
#[derive(Clone, Debug)]
pub(crate) struct CheckedDraft {
    pub server: Server,
    /// What was watched when the draft was checked; `None` for a new server.
    pub base: Option<Vec<Topic>>,
    pub change: KeyChange,
    pub key: Option<Secret>,
    /// What to keep for signing in again.
    pub login: Option<Login>,
    /// The token that was used, by its number.
    pub signed_in: Option<u32>,
    /// Whether what is kept for signing in again is of no use any more: there is another key, or none.
    pub forgets_login: bool,
    /// Whether nobody gave the server a name, so that it may have any.
    pub unnamed: bool,
}

impl CheckedDraft {
    /// What must be in the keyring to sign in again, before anything is saved.
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref().filter(|_| self.change == KeyChange::Store)
    }

    /// The key that must be in the keyring before anything is saved.
    pub fn to_store(&self) -> Option<Secret> {
        self.key.clone().filter(|_| self.change == KeyChange::Store)
    }
}

impl State {
    /// Forgets what is remembered of a server that was removed.
    pub(super) fn forget_server(&mut self, id: &ServerId) {
        self.history.forget(id.clone());
        self.notify(|notices, _, _| notices.forget(id));
        tracing::info!(server = %id, "a server was removed");
    }

    pub(super) fn configured(&self) -> Vec<Server> {
        let own = self.servers.iter().filter(|entry| !entry.demo);
        own.map(|entry| entry.server.clone()).collect()
    }

    pub(super) fn server_draft(&self, id: &ServerId) -> Result<ServerDraft, UserError> {
        let server = self.named(id)?.server.clone();
        Ok(ServerDraft {
            id: Some(server.id.0),
            name: server.name,
            dialect: server.dialect.word().to_owned(),
            ws: server.ws,
            api: server.api.unwrap_or_default(),
            watch: server.watch.iter().map(ToString::to_string).collect(),
            key_placement: server.key,
            namespace: server.namespace.unwrap_or_default(),
            options: server.options.into_iter().collect(),
            extra_ca: server.extra_ca.map_or_else(String::new, |p| p.display().to_string()),
            sign_in: None,
        })
    }

    pub(super) fn check_draft(
        &self,
        draft: &ServerDraft,
        change: KeyChange,
        typed: Typed,
    ) -> Result<CheckedDraft, UserError> {
        let (server, key, login) = self.check(draft, change, typed)?;
        let existing = match draft.id {
            None => None,
            Some(_) => Some(self.named(&server.id)?),
        };
        let before = existing.and_then(|entry| entry.secret.as_ref());
        let same_key = key.is_some() && key_alone(key.as_ref()) == key_alone(before);
        let kept = (login.is_some() || same_key) && change == KeyChange::Store;
        let forgets_login =
            existing.is_some() && change != KeyChange::Keep && !kept && server.dialect.signs_in();
        let mut checked = CheckedDraft {
            base: existing.map(|entry| entry.server.watch.clone()),
            unnamed: draft.name.trim().is_empty(),
            signed_in: draft.sign_in,
            server,
            change,
            key,
            login,
            forgets_login,
        };
        // Whatever stands in the way is said before anybody waits for the keyring.
        checked.server.name = self.drafted(&checked)?.name;
        Ok(checked)
    }

    /// The name that a server has by itself, or one like it that no other server has.
    fn free_name(&self, server: &Server) -> String {
        let taken = |name: &str| {
            self.servers.iter().any(|of| of.server.id != server.id && of.server.name == name)
        };
        let name = default_name(server);
        let mut free = name.clone();
        let mut number = 1;
        while taken(&free) {
            number += 1;
            free = format!("{name} ({number})");
        }
        free
    }

    /// Two servers of one name could not be told apart.
    fn check_name(&self, server: &Server) -> Result<(), UserError> {
        let same = |other: &Server| other.id != server.id && other.name == server.name;
        if self.servers.iter().any(|entry| same(&entry.server)) {
            let name = &server.name;
            return Err(invalid(format!("There is a server named \"{name}\" already.")));
        }
        Ok(())
    }

    /// A key that is kept stays with the address that it was given for.
    fn check_host(
        &self,
        present: &Entry,
        server: &Server,
        change: KeyChange,
    ) -> Result<(), UserError> {
        if change == KeyChange::Keep
            && present.key != KeyState::None
            && let Some(host) = new_host(&present.server, server)
        {
            return Err(invalid(format!(
                "The saved key belongs to the present address and is not sent to {host}. Enter \
                 the key for the new address, or forget the saved one."
            )));
        }
        Ok(())
    }

    pub(super) fn plan_test(
        &self,
        draft: &ServerDraft,
        change: KeyChange,
        typed: Typed,
    ) -> Result<(Server, Option<Secret>), UserError> {
        let (server, key, _) = self.check(draft, change, typed)?;
        let kept = match &draft.id {
            Some(id) if change == KeyChange::Keep => {
                self.named(&ServerId(id.clone()))?.secret.clone()
            }
            _ => None,
        };
        Ok((server, key.or(kept)))
    }

    /// The server a draft describes, and the key given with it, if the change wants one.
    fn check(
        &self,
        draft: &ServerDraft,
        change: KeyChange,
        typed: Typed,
    ) -> Result<(Server, Option<Secret>, Option<Login>), UserError> {
        let existing = match &draft.id {
            Some(id) => Some(self.named(&ServerId(id.clone()))?),
            None => None,
        };
        let server = server_of(draft, existing.map(|entry| &entry.server))?;
        let token = draft.sign_in.map(|number| self.token_of(number, &server)).transpose()?;
        let (key, login) = match token {
            Some(token) => (Some(token.token), token.login),
            None => (typed.key, None),
        };
        let key = key.filter(|key| !key.expose().is_empty());
        let key = match change {
            KeyChange::Forget if typed.headers.is_some() => {
                return Err(invalid(
                    "Further headers are saved together with the key: enter the key, or keep the \
                     saved one.",
                ));
            }
            KeyChange::Keep | KeyChange::Forget => None,
            KeyChange::Store | KeyChange::Session => {
                Some(self.credentials(existing, &server, key, typed.headers.as_ref())?)
            }
        };
        if let Some(existing) = existing {
            self.check_host(existing, &server, change)?;
        }
        Ok((server, key, login))
    }

    /// What the server is shown from now on: another key keeps the present further headers, and other
    /// headers keep the present key, where both go to the address that they were given for.
    fn credentials(
        &self,
        existing: Option<&Entry>,
        server: &Server,
        key: Option<Secret>,
        headers: Option<&Secret>,
    ) -> Result<Secret, UserError> {
        let headers = headers.map(typed_headers).transpose()?;
        let mut all = match (key, &headers) {
            (Some(key), _) => Credentials::read(&key),
            (None, Some(_)) => {
                let Some(existing) = existing else { return written(headers, None) };
                self.check_host(existing, server, KeyChange::Keep)?;
                if existing.secret.is_none() && existing.key != KeyState::None {
                    let words = "The keyring has not given the present key: enter it as well.";
                    return Err(invalid(words));
                }
                return written(headers, existing.secret.as_ref());
            }
            (None, None) => return Err(invalid("The key is empty.")),
        };
        match headers {
            Some(headers) => all.headers = headers,
            None if all.headers.is_empty() => all.headers = present_headers(existing, server),
            None => {}
        }
        all.written().ok_or_else(|| invalid("The key is empty."))
    }

    /// The further headers that go with a request to sign in.
    pub(super) fn headers_for(
        &self,
        draft: &ServerDraft,
        server: &Server,
        typed: Option<&Secret>,
    ) -> Result<Vec<(String, Secret)>, UserError> {
        let existing = draft.id.as_ref().and_then(|id| self.named(&ServerId(id.clone())).ok());
        typed.map_or_else(|| Ok(present_headers(existing, server)), typed_headers)
    }

    /// The server that a draft describes, without its key.
    pub(super) fn described(&self, draft: &ServerDraft) -> Result<Server, UserError> {
        let existing = match &draft.id {
            Some(id) => Some(self.named(&ServerId(id.clone()))?),
            None => None,
        };
        server_of(draft, existing.map(|entry| &entry.server))
    }

    /// A server is saved as it was drafted: what only served that, or an earlier key, goes. Where the
    /// settings no longer count on a key, a keyring that refuses keeps one that nothing uses, and the
    /// user is told.
    pub(super) fn draft_saved(&mut self, draft: &CheckedDraft, had_key: bool) {
        if let Some(number) = draft.signed_in {
            self.token_used(number);
        }
        if draft.forgets_login {
            self.forget_login(&draft.server.id);
        }
        if had_key && matches!(draft.change, KeyChange::Session | KeyChange::Forget) {
            let mut forgotten = self.keyring.delete(draft.server.id.clone());
            self.beside(async move { forgotten.wait().await }, |state, result| {
                if let Err(error) = result {
                    state.keyring_trouble(Some(crate::keys::keyring_message(&error)));
                }
            });
        }
    }

    /// The server that a draft makes of what is there now, which may have changed since the draft was
    /// checked: the keyring may have kept it waiting.
    pub(super) fn drafted(&self, draft: &CheckedDraft) -> Result<Server, UserError> {
        let mut wanted = draft.server.clone();
        if draft.unnamed {
            wanted.name = self.free_name(&wanted);
        }
        let Some(base) = &draft.base else {
            self.check_name(&wanted)?;
            return Ok(wanted);
        };
        let present = self.named(&draft.server.id)?;
        if present.demo {
            return Err(invalid("The demo's servers cannot be changed."));
        }
        self.check_name(&wanted)?;
        self.check_host(present, &wanted, draft.change)?;
        // The draft says nothing of these.
        let mut server = wanted;
        server.paused = present.server.paused;
        server.policy = present.server.policy.clone();
        // What was watched, or not any more, since the draft was filled in.
        let since = |topic: &&Topic| !base.contains(topic) && !server.watch.contains(topic);
        let added: Vec<Topic> = present.server.watch.iter().filter(since).cloned().collect();
        server.watch.retain(|topic| !base.contains(topic) || present.server.watch.contains(topic));
        server.watch.extend(added);
        Ok(server)
    }
}

fn key_alone(text: Option<&Secret>) -> Option<Secret> {
    text.and_then(|text| Credentials::read(text).key)
}

/// Other headers with the present key.
fn written(
    headers: Option<Vec<(String, Secret)>>,
    present: Option<&Secret>,
) -> Result<Secret, UserError> {
    let headers = headers.unwrap_or_default();
    let all = Credentials { key: key_alone(present), headers };
    all.written().ok_or_else(|| invalid("Neither a key nor a header was entered."))
}

fn typed_headers(text: &Secret) -> Result<Vec<(String, Secret)>, UserError> {
    Credentials::headers_of(text).map_err(|line| {
        invalid(format!("Line {line} of the further headers is not of the form Name: value."))
    })
}

/// The further headers of a server, as long as it stays where it is.
fn present_headers(existing: Option<&Entry>, server: &Server) -> Vec<(String, Secret)> {
    let present = existing.filter(|entry| new_host(&entry.server, server).is_none());
    let secret = present.and_then(|entry| entry.secret.as_ref());
    secret.map(Credentials::read).unwrap_or_default().headers
}
