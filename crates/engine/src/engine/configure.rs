//! What the user configures: servers, their keys, what is watched, preferences.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use jobwatch_core::connection::Input;
use jobwatch_core::dialect::dialect;
use jobwatch_core::dialect::endpoint::{Defaults, Endpoint};
use jobwatch_core::model::Topic;
use jobwatch_core::secret::{Credentials, Secret, names_secret};
use jobwatch_core::server::{DialectKind, KeyPlacement, PolicyChange, Server, ServerId};

use super::change::Change;
use super::servers::{Entry, KeyFrom};
use super::state::State;
use crate::api::{ErrorCode, KeyChange, KeyState, PreferencesPatch, ServerDraft, UserError};
use crate::history::Remembered;
use crate::settings::{Read, SavedServer, Settings, new_id};
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

/// A server that may be saved: everything has been checked.
#[derive(Clone)]
pub(crate) struct Plan {
    pub server: Server,
    /// What was watched when the plan was made; `None` for a new server.
    base: Option<Vec<Topic>>,
    change: KeyChange,
    key: Option<Secret>,
    /// What to keep for signing in again.
    login: Option<Login>,
    /// The token that was used, by its number.
    signed_in: Option<u32>,
    /// Whether nobody gave the server a name, so that it may have any.
    unnamed: bool,
}

impl Plan {
    /// Whether the server is a new one.
    pub fn is_new(&self) -> bool {
        self.base.is_none()
    }

    /// What must be in the keyring to sign in again, before anything is saved.
    pub fn login(&self) -> Option<&Login> {
        self.login.as_ref().filter(|_| self.change == KeyChange::Store)
    }

    /// The key that must be in the keyring before anything is saved.
    pub fn to_store(&self) -> Option<Secret> {
        self.key.clone().filter(|_| self.change == KeyChange::Store)
    }
}

pub(super) fn invalid(message: impl Into<String>) -> UserError {
    UserError { code: ErrorCode::Invalid, message: message.into() }
}

impl State {
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

    pub(super) fn plan_save(
        &self,
        draft: &ServerDraft,
        change: KeyChange,
        typed: Typed,
    ) -> Result<Plan, UserError> {
        let (mut server, key, login) = self.check(draft, change, typed)?;
        let unnamed = draft.name.trim().is_empty();
        if unnamed {
            server.name = self.free_name(&server);
        }
        let base = match draft.id {
            None => None,
            Some(_) => {
                let present = self.named(&server.id)?;
                if present.demo {
                    return Err(invalid("The demo's servers cannot be changed."));
                }
                Some(present.server.watch.clone())
            }
        };
        self.check_name(&server)?;
        Ok(Plan { server, base, change, key, login, signed_in: draft.sign_in, unnamed })
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

    /// The server that a plan makes of what is there now, which may have changed since the plan was
    /// checked: the keyring may have kept it waiting.
    fn planned(&self, plan: &Plan) -> Result<Server, UserError> {
        let mut wanted = plan.server.clone();
        if plan.unnamed {
            wanted.name = self.free_name(&wanted);
        }
        let Some(base) = &plan.base else {
            self.check_name(&wanted)?;
            return Ok(wanted);
        };
        let present = self.named(&plan.server.id)?;
        if present.demo {
            return Err(invalid("The demo's servers cannot be changed."));
        }
        self.check_name(&wanted)?;
        self.check_host(present, &wanted, plan.change)?;
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

    /// What a plan changes in the settings.
    pub(super) fn save_change(&self, plan: &Plan) -> Result<Option<Change>, UserError> {
        let server = self.planned(plan)?;
        let entry = self.servers.iter().find(|entry| entry.server.id == server.id);
        let has_key = match plan.change {
            KeyChange::Store => true,
            KeyChange::Keep => entry.is_some_and(has_key),
            KeyChange::Session | KeyChange::Forget => false,
        };
        if entry.is_some_and(|entry| !entry.saved) {
            return Ok(None);
        }
        let saved = SavedServer { server, has_key };
        Ok(Some(Box::new(move |settings| {
            let id = &saved.server.id;
            match settings.servers.iter_mut().find(|of| of.server.id == *id) {
                Some(of) => *of = saved,
                None => settings.servers.push(saved),
            }
        })))
    }

    pub(super) fn commit_save(&mut self, plan: Plan) -> Result<(), UserError> {
        let server = self.planned(&plan)?;
        let Plan { base, change, key, login, signed_in, .. } = plan;
        if let Some(number) = signed_in {
            self.token_used(number);
        }
        // Another key, or none: what was kept to renew the earlier one is of no use.
        let before = self.named(&server.id).ok().and_then(|entry| entry.secret.as_ref());
        let same_key = key.is_some() && key_alone(key.as_ref()) == key_alone(before);
        let kept = (login.is_some() || same_key) && change == KeyChange::Store;
        if base.is_some() && change != KeyChange::Keep && !kept && server.dialect.signs_in() {
            self.forget_login(&server.id);
        }
        if base.is_none() {
            let id = server.id.clone();
            tracing::info!(server = %id, "a server was added");
            self.add_server(server, KeyFrom::Given(key), Remembered::default());
            if change == KeyChange::Store
                && let Some(connection) = self.connection_of(&id.0)
            {
                self.mark_stored(connection);
            }
            return Ok(());
        }
        let entry = self.named(&server.id)?;
        let connection = entry.connection;
        if has_key(entry) && matches!(change, KeyChange::Session | KeyChange::Forget) {
            // The settings no longer count on it; a keyring that refuses keeps a key that
            // nothing uses, and the user is told.
            let mut forgotten = self.keyring.delete(server.id.clone());
            let forgotten = async move { forgotten.wait().await };
            self.beside(forgotten, |state, result| {
                if let Err(error) = result {
                    state.keyring_trouble(Some(crate::keys::keyring_message(&error)));
                }
            });
        }
        tracing::info!(server = %server.id, "a server was changed");
        self.replace_server(connection, server, change, key);
        Ok(())
    }

    /// Puts a server's new configuration to work: in place where only its name, its watched topics
    /// or its key changed, else with a new driver and a new machine.
    fn replace_server(
        &mut self,
        connection: crate::driver::ConnectionId,
        server: Server,
        change: KeyChange,
        key: Option<Secret>,
    ) {
        let Some(entry) = self.entry_mut(connection) else { return };
        let state = match (change, &key) {
            (KeyChange::Store, _) => KeyState::Stored,
            (KeyChange::Session, _) => KeyState::Session,
            (KeyChange::Forget, _) => KeyState::None,
            (KeyChange::Keep, _) => entry.key,
        };
        let old = entry.server.clone();
        let comparable =
            |server: &Server| Server { name: String::new(), watch: Vec::new(), ..server.clone() };
        if comparable(&old) == comparable(&server) && entry.machine().is_some() {
            entry.server = server.clone();
            let gone = old.watch.iter().filter(|topic| !server.watch.contains(topic));
            let come = server.watch.iter().filter(|topic| !old.watch.contains(topic));
            for topic in gone {
                self.unwatch(connection, topic.clone());
            }
            for topic in come {
                self.feed(connection, Input::Watch(topic.clone()));
            }
            if change != KeyChange::Keep {
                self.set_key(connection, key, state);
            }
            self.views.everything_changed();
            return;
        }
        let secret = if change == KeyChange::Keep { entry.secret.clone() } else { key };
        let saved = entry.saved;
        let Some(position) = self.position(connection) else { return };
        let jobs = self.jobs.of(connection).cloned().collect();
        // Dropping the entry closes the old connection.
        drop(self.take_out(connection));
        let from = match (state, secret) {
            (KeyState::Waiting | KeyState::Locked | KeyState::Missing, None) => {
                KeyFrom::Settings { has_key: true }
            }
            (_, secret) => KeyFrom::Given(secret),
        };
        let id = server.id.0.clone();
        // What this run has listed is not what an earlier run has: the new machine lists anew.
        let known = Remembered { jobs, listings: Vec::new() };
        self.insert_server(position, server, from, known);
        if let Some(connection) = self.connection_of(&id)
            && let Some(entry) = self.entry_mut(connection)
        {
            entry.saved = saved;
            if state == KeyState::Stored {
                self.mark_stored(connection);
            }
        }
    }

    fn mark_stored(&mut self, connection: crate::driver::ConnectionId) {
        if let Some(entry) = self.entry_mut(connection) {
            entry.key = KeyState::Stored;
        }
        self.keyring_trouble(None);
    }

    /// A server as it stands in the settings.
    pub(super) fn saved_server(&self, entry: &Entry) -> SavedServer {
        SavedServer { server: entry.server.clone(), has_key: has_key(entry) }
    }

    /// What removing a server changes in the settings.
    pub(super) fn removal(&self, id: &ServerId) -> Result<Option<Change>, UserError> {
        let entry = self.named(id)?;
        if entry.demo {
            return Err(invalid("The demo's servers go when the demo is switched off."));
        }
        let id = id.clone();
        let change = move |settings: &mut Settings| {
            settings.servers.retain(|of| of.server.id != id);
        };
        Ok(entry.saved.then(|| Box::new(change) as Change))
    }

    /// Removes a server; answers whether the keyring holds its key.
    pub(super) fn remove_server(&mut self, id: &ServerId) -> Result<bool, UserError> {
        let entry = self.named(id)?;
        let (connection, had_key) = (entry.connection, has_key(entry));
        drop(self.take_out(connection));
        self.history.forget(id.clone());
        self.forget_notices(id);
        tracing::info!(server = %id, "a server was removed");
        Ok(had_key)
    }

    /// What a change of one server is in the settings, if it has a place there.
    pub(super) fn server_change(
        &self,
        id: &ServerId,
        change: impl FnOnce(&mut Server) + Send + 'static,
    ) -> Result<Option<Change>, UserError> {
        let entry = self.named(id)?;
        let id = id.clone();
        let change = move |settings: &mut Settings| {
            if let Some(of) = settings.servers.iter_mut().find(|of| of.server.id == id) {
                change(&mut of.server);
            }
        };
        Ok(entry.saved.then(|| Box::new(change) as Change))
    }

    pub(super) fn set_paused(&mut self, id: &ServerId, paused: bool) -> Result<(), UserError> {
        let connection = self.named(id)?.connection;
        if let Some(entry) = self.entry_mut(connection) {
            entry.server.paused = paused;
        }
        self.feed(connection, if paused { Input::Pause } else { Input::Start });
        if !paused && self.lacks_key(connection) {
            self.load_key(connection);
        }
        self.views.overview_changed();
        Ok(())
    }

    /// Whether a server is paused, so that reconnecting it means resuming it.
    pub(super) fn is_paused(&self, id: &ServerId) -> Result<bool, UserError> {
        Ok(self.named(id)?.server.paused)
    }

    pub(super) fn reconnect(&mut self, id: &ServerId) -> Result<(), UserError> {
        let connection = self.named(id)?.connection;
        if self.lacks_key(connection) {
            self.load_key(connection);
        } else {
            self.feed(connection, Input::ReconnectNow);
        }
        Ok(())
    }

    /// The watched topics that mean this one: of a job's id the kind before the colon may be absent.
    fn same_topics(&self, id: &ServerId, topic: &Topic) -> Result<Vec<Topic>, UserError> {
        let entry = self.named(id)?;
        let same = |other: &&Topic| match (other, topic) {
            (Topic::Job(other), Topic::Job(id)) => entry.same_job(other, id),
            (other, topic) => *other == topic,
        };
        Ok(self.named(id)?.server.watch.iter().filter(same).cloned().collect())
    }

    /// What watching a topic, or not any more, changes in the settings.
    pub(super) fn watch_change(
        &self,
        id: &ServerId,
        topic: &Topic,
        watched: bool,
    ) -> Result<Option<Change>, UserError> {
        let present = self.same_topics(id, topic)?;
        if watched != present.is_empty() {
            return Ok(None);
        }
        let topic = topic.clone();
        self.server_change(id, move |server| {
            if watched {
                server.watch.push(topic);
            } else {
                server.watch.retain(|other| !present.contains(other));
            }
        })
    }

    pub(super) fn set_watched(
        &mut self,
        id: &ServerId,
        topic: Topic,
        watched: bool,
    ) -> Result<(), UserError> {
        let present = self.same_topics(id, &topic)?;
        if watched != present.is_empty() {
            return Ok(());
        }
        let connection = self.named(id)?.connection;
        if let Some(entry) = self.entry_mut(connection) {
            if watched {
                entry.server.watch.push(topic.clone());
            } else {
                entry.server.watch.retain(|other| !present.contains(other));
            }
        }
        if watched {
            self.feed(connection, Input::Watch(topic));
        } else {
            for topic in present {
                self.unwatch(connection, topic);
            }
        }
        self.views.everything_changed();
        Ok(())
    }

    pub(super) fn set_preferences(&mut self, patch: PreferencesPatch) {
        patch.apply(&mut self.preferences);
        self.update_notifier();
        self.set_log_budget();
        self.views.overview_changed();
    }

    /// Takes over what stands in the settings file, as at a start. `known` is what the history
    /// knows of its servers.
    pub(super) fn take_over(&mut self, read: Read, mut known: HashMap<ServerId, Remembered>) {
        self.health.settings = read.problem;
        self.views.everything_changed();
        let Some(ids) = read.ids else { return };
        self.preferences = read.settings.preferences;
        self.update_notifier();
        self.set_log_budget();
        // Taken out by hand, a server is gone as it would be after a restart: its history and its
        // key stay.
        let gone = self.servers.iter().filter(|e| e.saved && !ids.contains(&e.server.id.0));
        let gone: Vec<_> = gone.map(|entry| entry.connection).collect();
        for connection in gone {
            drop(self.take_out(connection));
        }
        for SavedServer { server, has_key } in read.settings.servers {
            match self.servers.iter().find(|entry| entry.server.id == server.id) {
                None => {
                    let known = known.remove(&server.id).unwrap_or_default();
                    self.add_server(server, KeyFrom::Settings { has_key }, known);
                }
                Some(entry) if entry.saved && entry.server != server => {
                    let connection = entry.connection;
                    self.replace_server(connection, server, KeyChange::Keep, None);
                }
                Some(_) => {}
            }
        }
    }

    pub(super) fn set_demo(&mut self, servers: Vec<(Server, Option<Secret>, Remembered)>) {
        let old: Vec<_> =
            self.servers.iter().filter(|entry| entry.demo).map(|entry| entry.connection).collect();
        for connection in old {
            drop(self.take_out(connection));
        }
        for (server, key, known) in servers {
            self.add_server(server, KeyFrom::Demo(key), known);
        }
        self.views.everything_changed();
    }
}

/// Whether the settings say that this server's key is in the keyring.
fn has_key(entry: &Entry) -> bool {
    match entry.key {
        KeyState::Stored | KeyState::Waiting | KeyState::Locked | KeyState::Missing => true,
        KeyState::None | KeyState::Session => false,
    }
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

/// The topic that the user names.
pub(super) fn topic_of(text: &str) -> Result<Topic, UserError> {
    Topic::parse(text).map_err(|error| invalid(error.to_string()))
}

/// The server a draft describes, checked field by field.
fn server_of(draft: &ServerDraft, existing: Option<&Server>) -> Result<Server, UserError> {
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
    let endpoint = endpoint(&server).map_err(invalid)?;
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
    for text in [Some(ws), api, admin].into_iter().flatten() {
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
    if server.name.is_empty() {
        server.name = default_name(&server);
    }
    // What only the dialect can judge.
    dialect(&server, None).map_err(invalid)?;
    Ok(server)
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
fn default_name(server: &Server) -> String {
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
fn new_host(old: &Server, new: &Server) -> Option<String> {
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
