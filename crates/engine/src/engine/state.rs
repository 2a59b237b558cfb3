//! What the loop owns, and the loop.

use std::collections::HashMap;
use std::time::Duration;

use jobwatch_core::connection::LogReach;
use jobwatch_core::log::LogLines;
use jobwatch_core::model::{JobId, Source};
use jobwatch_core::time::Mono;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::Command;
use super::notify::{Notices, Recorded};
use super::servers::{Entry, Tasks};
use super::signing::SignedIn;
use super::tray::TrayFeed;
use super::window::Views;
use crate::api::{Health, Preferences};
use crate::clock::{Clock, SleepWatch};
use crate::driver::{ConnectionId, Report};
use crate::history::{History, Reply};
use crate::keys::Keyring;
use crate::logs::{LogStore, Owner, StoreEvent};
use crate::metrics::Metrics;
use crate::network::NetworkWatch;
use crate::ports::{Ports, StreamEvent};
use crate::queries::job_index::JobIndex;
use crate::settings::SharedFile;

/// Reports that may wait for the loop, of all servers together; a report is at most 256 frames.
const MAX_REPORTS: usize = 256;
/// Between looks at the clocks, and at what has no deadline of its own.
const PULSE: Duration = Duration::from_secs(1);
/// Between two notes of when the same topic was last listed.
const LISTINGS: Duration = Duration::from_secs(30);
/// How long the end of the program waits for the desktop to take what it is to show.
const POPUPS: Duration = Duration::from_millis(800);

/// What [`State::new`] needs.
pub(super) struct Parts {
    pub commands: mpsc::WeakUnboundedSender<Command>,
    pub history: History,
    pub keyring: Keyring,
    pub logs: LogStore,
    pub ports: Ports,
    pub file: Option<SharedFile>,
    pub preferences: Preferences,
    pub seed: u64,
}

/// Everything the engine knows.
pub(crate) struct State {
    pub(super) clock: Clock,
    /// For tasks that come back with an answer. Weak, so that the loop ends with the last handle.
    pub(super) commands: mpsc::WeakUnboundedSender<Command>,
    pub(super) reports: mpsc::Sender<Report>,
    incoming: mpsc::Receiver<Report>,
    pub(super) history: History,
    pub(super) keyring: Keyring,
    pub(super) ports: Ports,
    /// `None` where nothing is saved.
    pub(super) file: Option<SharedFile>,
    /// Whether the file is being looked into.
    pub(super) reloading: bool,
    pub(super) preferences: Preferences,
    pub(super) health: Health,
    pub(super) seed: u64,
    pub(super) servers: Vec<Entry>,
    pub(super) next_connection: u32,
    pub(super) jobs: JobIndex,
    pub(super) logs: LogStore,
    /// How many lines each log has, as far as the store has told.
    pub(super) log_lines: HashMap<Owner, u64>,
    pub(super) metrics: Metrics,
    pub(super) notices: Notices,
    pub(super) tray: TrayFeed,
    pub(super) views: Views,
    pub(super) tasks: Tasks,
    pub(super) signed_in: SignedIn,
    /// Log lines that were heard just now, on their way to the store.
    pub(super) received_lines: Vec<(ConnectionId, JobId, LogLines, Source)>,
    /// How much of logs has been fetched, told after those lines.
    pub(super) reached: Vec<(ConnectionId, JobId, LogReach)>,
    stopping: Option<oneshot::Sender<()>>,
    stopped: bool,
}

impl State {
    pub(super) fn new(parts: Parts) -> State {
        let (reports, incoming) = mpsc::channel(MAX_REPORTS);
        let history = parts.history.clone();
        let notices = Notices::new(&parts.preferences, history, &parts.ports);
        State {
            clock: parts.ports.clock.clone(),
            commands: parts.commands,
            reports,
            incoming,
            history: parts.history,
            keyring: parts.keyring,
            ports: parts.ports,
            file: parts.file,
            reloading: false,
            preferences: parts.preferences,
            health: Health::default(),
            seed: parts.seed,
            servers: Vec::new(),
            next_connection: 0,
            jobs: JobIndex::default(),
            logs: parts.logs,
            log_lines: HashMap::new(),
            metrics: Metrics::default(),
            notices,
            tray: TrayFeed::default(),
            views: Views::default(),
            tasks: Tasks::default(),
            signed_in: SignedIn::default(),
            received_lines: Vec::new(),
            reached: Vec::new(),
            stopping: None,
            stopped: false,
        }
    }

    /// The loop. Commands go first, so that no flood of frames keeps the window waiting; one
    /// report is at most a few hundred frames, after which it is the commands' turn again.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut replies: mpsc::UnboundedReceiver<Reply>,
        mut log_events: mpsc::UnboundedReceiver<StoreEvent>,
    ) {
        let mut clock = self.clock.clone();
        let mut sleep_watch = SleepWatch::new(clock.now());
        let mut network = NetworkWatch::start();
        let mut pulse = tokio::time::interval(PULSE);
        pulse.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.stopped {
            let deadline = self.deadline();
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(command) => command(&mut self),
                    None => break,
                },
                Some(reply) = replies.recv() => self.replied(reply),
                Some(event) = log_events.recv() => self.store_event(event),
                _ = pulse.tick() => self.pulse(&mut sleep_watch, &mut network),
                () = clock.put_forward() => self.pulse(&mut sleep_watch, &mut network),
                () = sleep_until(deadline) => {}
                Some(report) = self.incoming.recv() => self.reported(report),
            }
            self.due();
            self.store_lines(None);
            self.tick_window();
        }
        // From here on every message is answered with the end of the program.
        commands.close();
        self.finish().await;
    }

    /// The next moment at which something is due without anything happening.
    fn deadline(&self) -> Option<Instant> {
        let servers = self.servers.iter().filter_map(|entry| entry.deadline).min();
        let notices = self.notices.deadline();
        let core = servers.into_iter().chain(notices).min();
        let core = core.map(|mono: Mono| self.clock.instant(mono));
        core.into_iter().chain(self.window_deadline(Instant::now())).min()
    }

    fn due(&mut self) {
        let now = self.clock.now();
        for connection in self.connections() {
            let due = self.entry(connection).and_then(|entry| entry.deadline);
            if due.is_some_and(|due| due <= now.mono) {
                self.tick(connection);
            }
        }
        self.notify_if_due();
    }

    fn pulse(&mut self, sleep_watch: &mut SleepWatch, network: &mut NetworkWatch) {
        // Both are asked each time.
        let (slept, moved) = (sleep_watch.slept(self.clock.now()), network.changed());
        if slept {
            tracing::info!("the machine woke from sleep: all connections are checked");
        } else if moved {
            tracing::info!("the network has changed: all connections are checked");
        }
        if slept || moved {
            self.woke();
        }
        self.reload_settings();
        self.notify(|notices, now, servers| notices.tick(now, servers));
        self.update_tray();
        self.note_listings(LISTINGS);
        self.give_up_actions();
        self.renew_tokens();
        self.prune();
    }

    fn replied(&mut self, reply: Reply) {
        match reply {
            Reply::Recorded { stored, away, job, covers } => {
                let recorded = Recorded { stored: *stored, away, job, covers };
                self.notify(|notices, now, servers| notices.recorded(recorded, now, servers));
            }
            Reply::Elsewhere { notices, taken_over } => {
                self.notify(|own, now, servers| own.take_over(notices, taken_over, now, servers));
            }
            Reply::Health(problem) => {
                match &problem {
                    Some(problem) => tracing::warn!("{problem}"),
                    None => tracing::info!("the history is written again"),
                }
                self.health.history = problem;
                self.views.overview_changed();
            }
        }
    }

    pub(super) fn sink(&self, event: impl FnOnce() -> StreamEvent) {
        if let Some(sink) = &self.ports.sink {
            sink.event(event());
        }
    }

    pub(super) fn connections(&self) -> Vec<ConnectionId> {
        self.servers.iter().map(|entry| entry.connection).collect()
    }

    pub(super) fn history(&self) -> History {
        self.history.clone()
    }

    pub(super) fn stop(&mut self, done: oneshot::Sender<()>) {
        self.stopping = Some(done);
        self.stopped = true;
    }

    /// Says goodbye to the servers and writes what is left.
    async fn finish(mut self) {
        self.note_listings(Duration::ZERO);
        // Drivers that wait to hand a report over must not wait for a loop that has ended.
        self.incoming.close();
        let mut closing = tokio::task::JoinSet::new();
        for driver in self.servers.drain(..).filter_map(|entry| entry.into_driver()) {
            closing.spawn(driver.finish());
        }
        let close = async { while closing.join_next().await.is_some() {} };
        let limit = Duration::from_millis(1_800);
        let popups = self.notices.close();
        let write = async {
            // What the desktop has taken is noted before the last write: the next start must not
            // tell it again.
            if tokio::time::timeout(POPUPS, popups.wait()).await.is_err() {
                tracing::warn!("the desktop did not take all popups in time");
            }
            tokio::join!(self.history.flush(), self.logs.flush());
        };
        let both = async { tokio::join!(close, write) };
        if tokio::time::timeout(limit, both).await.is_err() {
            tracing::warn!("not everything was closed in time");
        }
        if let Some(done) = self.stopping.take() {
            let _ = done.send(());
        }
    }

    /// Runs `task` beside the loop and `then`, with what it answered, on the loop.
    pub(super) fn beside<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
        then: impl FnOnce(&mut State, T) + Send + 'static,
    ) {
        let commands = self.commands.clone();
        tokio::spawn(async move {
            let answer = task.await;
            if let Some(commands) = commands.upgrade() {
                let _ = commands.send(Box::new(move |state| then(state, answer)));
            }
        });
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
