//! Putting a configuration to work.
//!
//! A change is a [`Patch`]: applied to what is configured, written into the file, and reconciled with
//! what runs. [`State::reconcile`] is the only way in which a server is started, stopped or changed and
//! a preference takes effect: for the window, the command line, a file edited by hand, and the demo.
//!
//! Writing a file blocks, so the loop does not do it. Changes are made one after another, each to what
//! the one before it left. What somebody else wrote into the file meanwhile is taken over first, as at
//! a start.

use std::collections::HashMap;
use std::sync::Arc;

use jobwatch_core::connection::Input;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{Server, ServerId};

use super::patch::{Configuration, Patch};
use super::servers::KeyFrom;
use super::state::State;
use super::{Engine, stopped};
use crate::api::{ErrorCode, KeyChange, KeyState, UserError};
use crate::driver::ConnectionId;
use crate::history::{History, Remembered};
use crate::settings::{Read, Saved, Settings, SettingsFile};

/// Keys that come with a change, by server. A server that is not among them keeps its key.
pub(super) type Keys = HashMap<ServerId, (KeyChange, Option<Secret>)>;

/// What the history knows of servers that begin.
pub(super) type Known = HashMap<ServerId, Remembered>;

/// A file that changes under every attempt to write it is left alone after so many.
const MAX_ATTEMPTS: usize = 5;

impl Engine {
    /// Makes one change; answers the configuration as it was. Goes on when the caller is gone, so that
    /// file and loop do not part.
    pub(super) async fn apply(&self, patch: Patch, keys: Keys) -> Result<Configuration, UserError> {
        let engine = self.clone();
        let change = async move {
            let mut file = match &engine.file {
                Some(file) => Some(Arc::clone(file).lock_owned().await),
                None => None,
            };
            let before = engine.write(&patch, file.as_deref_mut()).await?;
            let again = patch.clone();
            let planned = engine.request(move |state| state.patched(&again)).await??;
            let known = engine.recall(&planned, &before).await?;
            let made = move |state: &mut State| {
                let configuration = state.patched(&patch)?;
                state.reconcile(configuration, keys, known);
                Ok(())
            };
            engine.request(made).await?.map(|()| before)
        };
        tokio::spawn(change).await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Writes what a change makes of the settings, if it changes them; answers the configuration as it
    /// is without the change.
    async fn write(
        &self,
        patch: &Patch,
        file: Option<&mut Option<SettingsFile>>,
    ) -> Result<Configuration, UserError> {
        let planned = |patch: Patch| {
            self.request(move |state| Ok((state.configuration(), state.patched(&patch)?)))
        };
        let (mut before, mut after) = planned(patch.clone()).await??;
        let Some(file) = file else { return Ok(before) };
        for attempt in 1.. {
            // Preferences are in force already.
            if before.settings == after.settings && !matches!(patch, Patch::Preferences(_)) {
                break;
            }
            let (saved, note) = match save(file, after.settings).await {
                Ok(Saved::Edited(read)) if attempt <= MAX_ATTEMPTS => {
                    self.take_over(*read).await?;
                    (before, after) = planned(patch.clone()).await??;
                    continue;
                }
                Ok(Saved::Edited(_)) => {
                    let text =
                        "The settings were not saved: something else keeps changing their file.";
                    (Err(text.to_owned()), None)
                }
                Ok(Saved::Replaced(note)) => (Ok(()), note),
                Err(message) => (Err(message), None),
            };
            let problem = saved.as_ref().err().cloned().or(note);
            self.request(move |state| state.settings_written(problem)).await?;
            if let Err(message) = saved {
                return Err(UserError { code: ErrorCode::Storage, message });
            }
            break;
        }
        Ok(before)
    }

    /// What the history knows of the servers that a change adds.
    async fn recall(&self, to: &Configuration, from: &Configuration) -> Result<Known, UserError> {
        let has = |server: &Server| from.clone().server_mut(&server.id).is_some();
        let saved = to.settings.servers.iter().map(|saved| &saved.server);
        let new = saved.chain(&to.demo).filter(|server| !has(server)).map(|server| &server.id);
        let history = self.request(|state| state.history()).await?;
        Ok(recall(history, new.cloned().collect()).await)
    }

    /// Takes over what somebody else wrote into the file.
    async fn take_over(&self, read: Read) -> Result<(), UserError> {
        tracing::info!("the settings file was edited: what it says now is taken over");
        let history = self.request(|state| state.history()).await?;
        let known = recall(history, ids(&read.settings)).await;
        self.request(move |state| state.take_over(read, known)).await
    }
}

/// Writes the file on a thread that may block.
async fn save(file: &mut Option<SettingsFile>, settings: Settings) -> Result<Saved, String> {
    let lost = || "The settings could not be saved: an earlier save did not end.".to_owned();
    let mut taken = file.take().ok_or_else(lost)?;
    let written = tokio::task::spawn_blocking(move || {
        let saved = taken.save(&settings);
        (taken, saved)
    });
    let (taken, saved) = written.await.map_err(|_| lost())?;
    *file = Some(taken);
    saved
}

/// What the history knows of servers.
pub(super) async fn recall(history: History, servers: Vec<ServerId>) -> Known {
    let mut known = HashMap::new();
    for id in servers {
        known.insert(id.clone(), history.remembered(id).await);
    }
    known
}

pub(super) fn ids(settings: &Settings) -> Vec<ServerId> {
    settings.servers.iter().map(|saved| saved.server.id.clone()).collect()
}

impl State {
    /// Makes what runs what is configured. Servers that are not configured stop; those that are new
    /// start, with their key from `keys` or the keyring and with what is `known` of them; those that
    /// differ are changed, in place where that is possible.
    pub(super) fn reconcile(&mut self, to: Configuration, mut keys: Keys, mut known: Known) {
        if self.preferences != to.settings.preferences {
            self.preferences = to.settings.preferences;
            let chosen = self.preferences.clone();
            self.notify(|own, now, servers| own.set_preferences(&chosen, now, servers));
            self.set_log_budget();
            self.views.overview_changed();
        }
        let own = to.settings.servers.into_iter().map(|saved| (saved.server, saved.has_key, false));
        let demo = to.demo.into_iter().map(|server| (server, false, true));
        let wanted: Vec<(Server, bool, bool)> = own.chain(demo).collect();
        let stays = |id: &ServerId| wanted.iter().any(|(server, ..)| server.id == *id);
        let gone = self.servers.iter().filter(|entry| !stays(&entry.server.id));
        for connection in gone.map(|entry| entry.connection).collect::<Vec<_>>() {
            drop(self.take_out(connection));
        }
        for (server, has_key, demo) in wanted {
            let key = keys.remove(&server.id);
            let Some(entry) = self.servers.iter().find(|entry| entry.server.id == server.id) else {
                let known = known.remove(&server.id).unwrap_or_default();
                self.start_server(server, demo, has_key, key, known);
                continue;
            };
            let (change, secret) = key.unwrap_or((KeyChange::Keep, None));
            let same_key = change == KeyChange::Keep || (demo && entry.secret == secret);
            if entry.server != server || !same_key {
                self.replace_server(entry.connection, server, change, secret);
            }
        }
    }

    fn start_server(
        &mut self,
        server: Server,
        demo: bool,
        has_key: bool,
        key: Option<(KeyChange, Option<Secret>)>,
        known: Remembered,
    ) {
        tracing::info!(server = %server.id, "a server starts");
        let stored = key.as_ref().is_some_and(|(change, _)| *change == KeyChange::Store);
        let from = match key {
            Some((_, secret)) => KeyFrom::Given(secret),
            None => KeyFrom::Settings { has_key },
        };
        let position = self.servers.len();
        let connection = self.insert_server(position, server, demo, from, known);
        if stored {
            self.mark_stored(connection);
        }
    }

    /// Puts a server's new configuration to work: in place where only its name, its watched topics,
    /// its key or that it is paused changed, else with a new driver and a new machine.
    fn replace_server(
        &mut self,
        connection: ConnectionId,
        server: Server,
        change: KeyChange,
        key: Option<Secret>,
    ) {
        let Some(entry) = self.entry_mut(connection) else { return };
        let state = match change {
            KeyChange::Store => KeyState::Stored,
            KeyChange::Session => KeyState::Session,
            KeyChange::Forget => KeyState::None,
            KeyChange::Keep => entry.key,
        };
        tracing::info!(server = %server.id, "a server is changed");
        let old = entry.server.clone();
        let comparable = |server: &Server| Server {
            name: String::new(),
            watch: Vec::new(),
            paused: false,
            ..server.clone()
        };
        if comparable(&old) == comparable(&server) && entry.machine().is_some() {
            entry.server = server.clone();
            for topic in old.watch.iter().filter(|topic| !server.watch.contains(topic)) {
                self.unwatch(connection, topic.clone());
            }
            for topic in server.watch.iter().filter(|topic| !old.watch.contains(topic)) {
                self.feed(connection, Input::Watch(topic.clone()));
            }
            if change != KeyChange::Keep {
                self.set_key(connection, key, state);
            }
            if old.paused != server.paused {
                self.feed(connection, if server.paused { Input::Pause } else { Input::Start });
                if !server.paused && self.lacks_key(connection) {
                    self.load_key(connection);
                }
            }
            self.views.everything_changed();
            return;
        }
        let secret = if change == KeyChange::Keep { entry.secret.clone() } else { key };
        let demo = entry.demo;
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
        // What this run has listed is not what an earlier run has: the new machine lists anew.
        let known = Remembered { jobs, listings: Vec::new() };
        let connection = self.insert_server(position, server, demo, from, known);
        if state == KeyState::Stored {
            self.mark_stored(connection);
        }
    }

    fn mark_stored(&mut self, connection: ConnectionId) {
        if let Some(entry) = self.entry_mut(connection) {
            entry.key = KeyState::Stored;
        }
        self.keyring_trouble(None);
    }

    /// Takes over what stands in the settings file, as at a start. A server that was taken out by hand
    /// stops, and its history and its key stay. One that the file has in a form that cannot be used
    /// goes on as it is.
    fn take_over(&mut self, read: Read, known: Known) {
        self.health.settings = read.problem;
        self.views.everything_changed();
        let Some(ids_in_file) = read.ids else { return };
        let mut to = self.configuration();
        let unusable = std::mem::replace(&mut to.settings, read.settings).servers;
        let usable = ids(&to.settings);
        to.settings.servers.extend(unusable.into_iter().filter(|saved| {
            let id = &saved.server.id;
            ids_in_file.contains(&id.0) && !usable.contains(id)
        }));
        self.reconcile(to, Keys::default(), known);
    }

    /// Notes how a save went; the text says what is wrong.
    fn settings_written(&mut self, problem: Option<String>) {
        if let Some(problem) = &problem {
            tracing::warn!("{problem}");
        }
        self.health.settings = problem;
        self.views.overview_changed();
    }

    /// Looks, beside the loop, whether the user has mended a settings file that could not be read.
    pub(super) fn reload_settings(&mut self) {
        let Some(file) = self.file.clone() else { return };
        if self.health.settings.is_none() || std::mem::replace(&mut self.reloading, true) {
            return;
        }
        let history = self.history();
        let looked = async move {
            let mut file = file.lock_owned().await;
            let mended = tokio::task::spawn_blocking(move || {
                file.as_mut().and_then(SettingsFile::reload_if_mended)
            });
            let read = mended.await.ok().flatten()?;
            let known = recall(history, ids(&read.settings)).await;
            Some((read, known))
        };
        self.beside(looked, |state, read| {
            state.reloading = false;
            if let Some((read, known)) = read {
                state.take_over(read, known);
            }
        });
    }
}
