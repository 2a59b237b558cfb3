//! What the window looks at: its server is asked for it, known or not.

use jobwatch_core::connection::{Input, Lookup};
use jobwatch_core::model::JobId;
use jobwatch_core::server::ServerId;

use super::state::State;
use super::window::Kind;
use crate::driver::Slot;
use crate::logs::Owner;
use crate::redact::WORDS;
use crate::views::JobLookup;

impl Kind {
    /// The jobs that a view looks at, with their servers.
    pub(super) fn looks_at(&self) -> Vec<(String, JobId)> {
        match self {
            Kind::Job { server, asked, .. } => vec![(server.clone(), asked.clone())],
            Kind::Log(view) => {
                let of = |lane: &super::logview::Lane| {
                    (lane.owner.server.0.clone(), lane.owner.job.clone())
                };
                view.lanes.iter().map(of).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl State {
    /// A view was opened: what it looks at is fetched.
    pub(super) fn look_at(&mut self, jobs: Vec<(String, JobId)>) {
        for (server, job) in jobs {
            if let Some(slot) = self.slot_of(&server) {
                self.feed(slot, Input::OpenDetail(job));
            }
        }
    }

    /// A view was closed.
    pub(super) fn look_away(&mut self, jobs: Vec<(String, JobId)>) {
        for (server, job) in jobs {
            if let Some(slot) = self.slot_of(&server) {
                self.feed(slot, Input::CloseDetail(job));
            }
        }
    }

    /// A server is there anew: the views that were open look at its jobs.
    pub(super) fn look_again(&mut self, slot: Slot) {
        let Some(server) = self.entry(slot).map(|entry| entry.server.id.0.clone()) else { return };
        let looked: Vec<(String, JobId)> = self.views.kinds().flat_map(Kind::looks_at).collect();
        for (of, job) in looked {
            if of == server {
                self.feed(slot, Input::OpenDetail(job));
            }
        }
    }

    /// The server said what it knows of a job that is looked at.
    pub(super) fn looked(&mut self, slot: Slot, given: &JobId, lookup: Lookup) {
        let Some(entry) = self.entry(slot) else { return };
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
            Kind::Job { server: of, asked, job, lookup: known, .. }
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
    pub(super) fn forget_job(&mut self, slot: Slot, id: &JobId) {
        let Some(entry) = self.entry(slot) else { return };
        let server = entry.server.id.clone();
        self.history.forget_job(server, id.clone());
        if let Some(number) = self.catalogue.remove(slot, id) {
            self.views.job_gone(number);
            self.views.job_touched(slot, id);
        }
    }
}
