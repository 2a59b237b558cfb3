//! Changing the configuration: in the file first, and then in the loop.
//!
//! Writing a file blocks, so the loop does not do it. Changes are made one after another, so that
//! none is written over by one that began before it was made. What somebody else wrote into the
//! file meanwhile is taken over as at a start, and the change is made to that.

use std::collections::HashMap;
use std::sync::Arc;

use jobwatch_core::server::ServerId;
use tokio::sync::Mutex;

use super::state::State;
use super::{Engine, stopped};
use crate::api::{ErrorCode, UserError};
use crate::history::{History, Remembered};
use crate::settings::{Read, Saved, Settings, SettingsFile};

/// The file, held by whoever changes the configuration; gone if that came to a bad end.
pub(super) type FileInTurn = Arc<Mutex<Option<SettingsFile>>>;

/// What is to be different in the settings.
pub(super) type Change = Box<dyn FnOnce(&mut Settings) + Send>;

/// A file that is never the same twice in a row is left alone after so many looks.
const MAX_LOOKS: usize = 5;

impl Engine {
    /// Makes one change. `plan` says what it is in the settings, if anything, and may be asked
    /// again; `commit` then makes it in the loop. Goes on when the caller is gone, so that file and
    /// loop do not part.
    pub(super) async fn configure<T: Send + 'static>(
        &self,
        plan: impl Fn(&State) -> Result<Option<Change>, UserError> + Clone + Send + 'static,
        commit: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Result<T, UserError> {
        let engine = self.clone();
        let change = async move {
            let mut file = match &engine.file {
                Some(file) => Some(Arc::clone(file).lock_owned().await),
                None => None,
            };
            for looks in 0.. {
                let plan = plan.clone();
                let wanted = engine.request(move |state| {
                    let change = plan(state)?;
                    Ok(change.map(|change| {
                        let mut settings = state.settings();
                        change(&mut settings);
                        settings
                    }))
                });
                let (Some(settings), Some(file)) = (wanted.await??, file.as_deref_mut()) else {
                    break;
                };
                let (saved, note) = match save(file, settings).await {
                    Ok(Saved::Edited(read)) if looks < MAX_LOOKS => {
                        engine.take_over(*read).await?;
                        continue;
                    }
                    Ok(Saved::Edited(_)) => {
                        let text = "The settings were not saved: something else keeps changing \
                                    their file.";
                        (Err(text.to_owned()), None)
                    }
                    Ok(Saved::Replaced(note)) => (Ok(()), note),
                    Err(message) => (Err(message), None),
                };
                let problem = saved.as_ref().err().cloned().or(note);
                engine.request(move |state| state.settings_written(problem)).await?;
                if let Err(message) = saved {
                    return Err(UserError { code: ErrorCode::Storage, message });
                }
                break;
            }
            engine.request(commit).await
        };
        tokio::spawn(change).await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Takes over what somebody else wrote into the file.
    async fn take_over(&self, read: Read) -> Result<(), UserError> {
        tracing::info!("the settings file was edited: what it says now is taken over");
        let history = self.request(|state| state.history()).await?;
        let known = recall(history, &read.settings).await;
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

/// What the history knows of the servers in the settings.
async fn recall(history: History, settings: &Settings) -> HashMap<ServerId, Remembered> {
    let mut known = HashMap::new();
    for saved in &settings.servers {
        let id = saved.server.id.clone();
        known.insert(id.clone(), history.remembered(id).await);
    }
    known
}

impl State {
    /// The settings as the loop knows them.
    pub(super) fn settings(&self) -> Settings {
        let servers = self.servers.iter().filter(|entry| entry.saved);
        Settings {
            servers: servers.map(|entry| self.saved_server(entry)).collect(),
            preferences: self.preferences.clone(),
        }
    }

    /// Notes how a save went; the text says what is wrong.
    pub(super) fn settings_written(&mut self, problem: Option<String>) {
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
            let known = recall(history, &read.settings).await;
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
