//! Changes of the configuration, as values: what each makes of the servers and the preferences.

use jobwatch_core::model::Topic;
use jobwatch_core::server::{Server, ServerId};

use super::draft::CheckedDraft;
use super::draft_fields::invalid;
use super::state::State;
use crate::api::{KeyChange, PreferencesPatch, UserError};
use crate::settings::{SavedServer, Settings};

/// Everything that is configured: what the settings hold, and the servers of the demo, which no file
/// holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Configuration {
    pub settings: Settings,
    pub demo: Vec<Server>,
}

/// One change. What it makes of a configuration is worked out from the one that is there when it is
/// made, so two changes at once both hold.
#[derive(Clone, Debug)]
pub(super) enum Patch {
    /// The user's choices.
    Preferences(Box<PreferencesPatch>),
    /// A new server, or a changed one.
    Server(Box<CheckedDraft>),
    Remove(ServerId),
    Pause(ServerId, bool),
    /// A topic is watched, or no longer.
    Watch(ServerId, Topic, bool),
    /// The demo has these servers, and no others.
    Demo(Vec<Server>),
}

impl Configuration {
    pub(super) fn server_mut(&mut self, id: &ServerId) -> Option<&mut Server> {
        let saved = self.settings.servers.iter_mut().map(|saved| &mut saved.server);
        saved.chain(&mut self.demo).find(|server| server.id == *id)
    }

    /// Whether the keyring holds a server's key.
    pub(super) fn has_key(&self, id: &ServerId) -> bool {
        self.settings.servers.iter().any(|saved| saved.server.id == *id && saved.has_key)
    }
}

impl State {
    /// The configuration as the loop has put it to work.
    pub(super) fn configuration(&self) -> Configuration {
        let (demo, own): (Vec<_>, Vec<_>) = self.servers.iter().partition(|entry| entry.demo);
        let saved = own.into_iter().map(|entry| SavedServer {
            server: entry.server.clone(),
            has_key: entry.keyring_has_key(),
        });
        Configuration {
            settings: Settings { servers: saved.collect(), preferences: self.preferences.clone() },
            demo: demo.into_iter().map(|entry| entry.server.clone()).collect(),
        }
    }

    /// What a change makes of the configuration.
    ///
    /// # Errors
    /// When it cannot be made: its server is gone, or belongs to the demo.
    pub(super) fn patched(&self, patch: &Patch) -> Result<Configuration, UserError> {
        let mut to = self.configuration();
        match patch {
            Patch::Preferences(patch) => {
                PreferencesPatch::clone(patch).apply(&mut to.settings.preferences);
            }
            Patch::Server(draft) => {
                let server = self.drafted(draft)?;
                let has_key = match draft.change {
                    KeyChange::Store => true,
                    KeyChange::Keep => to.has_key(&server.id),
                    KeyChange::Session | KeyChange::Forget => false,
                };
                let saved = SavedServer { server, has_key };
                let servers = &mut to.settings.servers;
                match servers.iter_mut().find(|of| of.server.id == saved.server.id) {
                    Some(of) => *of = saved,
                    None => servers.push(saved),
                }
            }
            Patch::Remove(id) => {
                if self.named(id)?.demo {
                    return Err(invalid("The demo's servers go when the demo is switched off."));
                }
                to.settings.servers.retain(|of| of.server.id != *id);
            }
            Patch::Pause(id, paused) => {
                self.named(id)?;
                if let Some(server) = to.server_mut(id) {
                    server.paused = *paused;
                }
            }
            Patch::Watch(id, topic, watched) => {
                let same = self.same_topics(id, topic)?;
                if let Some(server) = to.server_mut(id) {
                    match watched {
                        true if same.is_empty() => server.watch.push(topic.clone()),
                        true => {}
                        false => server.watch.retain(|other| !same.contains(other)),
                    }
                }
            }
            Patch::Demo(servers) => to.demo.clone_from(servers),
        }
        Ok(to)
    }

    /// The watched topics that mean this one: of a job's id the kind before the colon may be absent.
    fn same_topics(&self, id: &ServerId, topic: &Topic) -> Result<Vec<Topic>, UserError> {
        let entry = self.named(id)?;
        let same = |other: &&Topic| match (other, topic) {
            (Topic::Job(other), Topic::Job(id)) => entry.same_job(other, id),
            (other, topic) => *other == topic,
        };
        Ok(entry.server.watch.iter().filter(same).cloned().collect())
    }
}
