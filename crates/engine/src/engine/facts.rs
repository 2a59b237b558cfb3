//! What is known of servers and jobs, for whoever may ask and change nothing.

use std::sync::Arc;

use jiff::SignedDuration;
use jobwatch_core::connection::ConnectionState;
use jobwatch_core::dialect::ActionKind;
use jobwatch_core::model::{Job, JobId};
use jobwatch_core::notify::{Reach, Servers, Watch};
use jobwatch_core::server::ServerId;

use super::servers::Entry;
use crate::queries::job_index::JobIndex;

/// The servers and their jobs as they are now.
pub(super) struct Facts<'a> {
    pub servers: &'a [Entry],
    pub jobs: &'a JobIndex,
}

impl Facts<'_> {
    fn entry(&self, server: &ServerId) -> Option<&Entry> {
        self.servers.iter().find(|entry| entry.server.id == *server)
    }
}

impl Servers for Facts<'_> {
    fn server_name(&self, server: &ServerId) -> Option<&str> {
        self.entry(server).map(|entry| entry.server.name.as_str())
    }

    fn has_listed(&self, server: &ServerId) -> bool {
        self.entry(server).is_some_and(Entry::has_listed)
    }

    fn connections(&self, visit: &mut dyn FnMut(&ServerId, Reach<'_>)) {
        for entry in self.servers {
            let reach = match entry.status.state {
                ConnectionState::Live | ConnectionState::Polling => Reach::Up,
                ConnectionState::Paused => Reach::Paused,
                ConnectionState::Partly
                | ConnectionState::Connecting
                | ConnectionState::Offline
                | ConnectionState::Refused => {
                    Reach::Down(entry.status.reason.as_deref().unwrap_or_default())
                }
            };
            visit(&entry.server.id, reach);
        }
    }

    fn running(&self, visit: &mut dyn FnMut(&ServerId, &Arc<Job>, SignedDuration)) {
        // What a server that does not answer reported last may have ended since.
        for entry in self.servers.iter().filter(|entry| entry.status.answers()) {
            let Some(machine) = entry.machine() else { continue };
            for id in machine.job_store().open_ids() {
                if let Some(job) = self.jobs.job(entry.connection, id) {
                    visit(&entry.server.id, job, entry.clock_ahead());
                }
            }
        }
    }

    fn job(&self, server: &ServerId, job: &JobId) -> Option<Arc<Job>> {
        self.jobs.job(self.entry(server)?.connection, job).cloned()
    }

    fn watch(&self, server: &ServerId, job: &Job) -> Watch {
        let entry = self.entry(server);
        let watched = entry.is_some_and(|entry| entry.watches(job));
        Watch { watched, closely: entry.is_some_and(|entry| entry.watches_closely(job)) }
    }

    fn can_retry(&self, server: &ServerId, job: &JobId) -> bool {
        let (Some(entry), Some(job)) = (self.entry(server), self.job(server, job)) else {
            return false;
        };
        entry.actions_for(&job).contains(&ActionKind::Retry)
    }
}
