//! What the tray shows.

use std::sync::Arc;

use jobwatch_core::connection::ConnectionState;
use jobwatch_core::model::JobState;
use jobwatch_core::notify::Tone;

use super::state::State;
use crate::api::{TrayJob, TrayNotice, TrayServer, TraySnapshot};
use crate::ports::Tray;

/// Running jobs that are named.
const JOBS: usize = 8;
/// Notices that are named.
const NOTICES: usize = 5;

/// The tray, and what it shows.
#[derive(Default)]
pub(super) struct TrayFeed {
    tray: Option<Arc<dyn Tray>>,
    last: Option<TraySnapshot>,
}

impl State {
    pub(super) fn attach_tray(&mut self, tray: Arc<dyn Tray>) {
        self.tray = TrayFeed { tray: Some(tray), last: None };
        self.update_tray();
    }

    /// Shows in the tray what has changed. To be called about once a second: it need not be sooner.
    pub(super) fn update_tray(&mut self) {
        let Some(tray) = self.tray.tray.clone() else { return };
        if !self.views.take_tray_stale() && self.tray.last.is_some() {
            return;
        }
        let snapshot = self.tray_snapshot();
        if self.tray.last.as_ref() != Some(&snapshot) {
            tray.show(snapshot.clone());
            self.tray.last = Some(snapshot);
        }
    }

    fn tray_snapshot(&self) -> TraySnapshot {
        let mut running = Vec::new();
        let mut total = 0;
        for entry in &self.servers {
            let Some(machine) = entry.machine() else { continue };
            for id in machine.job_store().open_ids() {
                let job = self.jobs.job(entry.connection, id);
                let Some(job) = job.filter(|job| job.state == JobState::Running) else { continue };
                total += 1;
                running.push((job.started_at, entry, job));
            }
        }
        // Those that began last are on top; nothing moves while they run.
        running.sort_by(|(one, of, job), (other, beside, neighbour)| {
            other
                .cmp(one)
                .then(of.connection.cmp(&beside.connection))
                .then_with(|| job.id.cmp(&neighbour.id))
        });
        let running = running.into_iter().take(JOBS).map(|(_, entry, job)| TrayJob {
            server: entry.server.id.0.clone(),
            job: job.id.as_str().to_owned(),
            title: job.title().to_owned(),
            percent: job.progress.map(|progress| progress.clamp(0.0, 100.0) as u8),
        });
        let servers = self.servers.iter().map(|entry| TrayServer {
            id: entry.server.id.0.clone(),
            name: entry.server.name.clone(),
            link: entry.status.state,
        });
        let notices = self.notices.inbox().newest().take(NOTICES).map(|stored| TrayNotice {
            server: stored.notice.server.0.clone(),
            job: stored.notice.job.as_ref().map(|job| job.as_str().to_owned()),
            title: stored.notice.title.clone(),
            read: stored.read,
        });
        let servers: Vec<TrayServer> = servers.collect();
        TraySnapshot {
            worst: servers.iter().map(|server| server.link).max_by_key(|link| badness(*link)),
            servers,
            running: running.collect(),
            running_total: total,
            notices: notices.collect(),
            unread: self.notices.inbox().unread(),
            failed: self.notices.inbox().newest().any(|s| !s.read && s.notice.tone == Tone::Bad),
            quiet_until: self.quiet_until(),
        }
    }
}

/// Paused is what the user wants: it is no trouble.
fn badness(link: ConnectionState) -> u8 {
    match link {
        ConnectionState::Paused => 0,
        ConnectionState::Live => 1,
        ConnectionState::Polling => 2,
        ConnectionState::Connecting => 3,
        ConnectionState::Partly => 4,
        ConnectionState::Offline => 5,
        ConnectionState::Refused => 6,
    }
}
