//! What the window looks at: its server is asked for it, known or not.

use jobwatch_core::connection::{Input, Lookup};
use jobwatch_core::model::JobId;
use jobwatch_core::server::ServerId;

use super::state::State;
use super::window::ViewKind;
use crate::api::JobLookup;
use crate::driver::ConnectionId;
use crate::logs::Owner;
use crate::redact::WORDS;

impl ViewKind {
    /// The jobs that a view looks at, with their servers.
    pub(super) fn details(&self) -> Vec<(String, JobId)> {
        match self {
            ViewKind::Job { server, asked, .. } => vec![(server.clone(), asked.clone())],
            ViewKind::Log(view) => {
                let of = |source: &super::logview::LogSource| {
                    (source.owner.server.0.clone(), source.owner.job.clone())
                };
                view.sources.iter().map(of).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl State {
    /// A view was opened: what it looks at is fetched.
    pub(super) fn open_detail(&mut self, jobs: Vec<(String, JobId)>) {
        for (server, job) in jobs {
            if let Some(connection) = self.connection_of(&server) {
                self.feed(connection, Input::OpenDetail(job));
            }
        }
    }

    /// A view was closed.
    pub(super) fn close_detail(&mut self, jobs: Vec<(String, JobId)>) {
        for (server, job) in jobs {
            if let Some(connection) = self.connection_of(&server) {
                self.feed(connection, Input::CloseDetail(job));
            }
        }
    }

    /// A server is there anew: the views that were open look at its jobs.
    pub(super) fn reopen_detail(&mut self, connection: ConnectionId) {
        let Some(server) = self.entry(connection).map(|entry| entry.server.id.0.clone()) else {
            return;
        };
        let looked: Vec<(String, JobId)> = self.views.kinds().flat_map(ViewKind::details).collect();
        for (of, job) in looked {
            if of == server {
                self.feed(connection, Input::OpenDetail(job));
            }
        }
    }

    /// The server said what it knows of a job that is looked at.
    pub(super) fn looked_up(&mut self, connection: ConnectionId, given: &JobId, lookup: Lookup) {
        let Some(entry) = self.entry(connection) else { return };
        let server = entry.server.id.0.clone();
        let (lookup, named) = match lookup {
            Lookup::Known(id) => (None, Some(id)),
            Lookup::Unknown => (Some(JobLookup::Unknown), None),
            Lookup::Unreachable(reason) => {
                let reason = entry.redactor.clean_prefix(&reason, WORDS);
                (Some(JobLookup::Failed { reason }), None)
            }
        };
        if let Some(id) = &named {
            self.logs.count(Owner { server: ServerId(server.clone()), job: id.clone() });
        }
        for number in self.views.change_jobs(|kind| match kind {
            ViewKind::Job { server: of, asked, job, lookup: known, .. }
                if *of == server && asked == given =>
            {
                known.clone_from(&lookup);
                match &named {
                    Some(id) if id != job => {
                        *job = id.clone();
                        true
                    }
                    _ => false,
                }
            }
            _ => false,
        }) {
            self.read_timeline(number);
        }
    }

    /// A job turned out to belong to nothing that is watched.
    pub(super) fn forget_job(&mut self, connection: ConnectionId, id: &JobId) {
        let Some(entry) = self.entry(connection) else { return };
        let server = entry.server.id.clone();
        self.history.forget_job(server, id.clone());
        if let Some(number) = self.jobs.remove(connection, id) {
            self.views.job_gone(number);
            self.views.job_touched(connection, id);
        }
    }
}
