//! The log views that the window has open: which logs, which rules, and the search that is under
//! way. Rows are read from the files beside the loop, from snapshots.

use std::sync::Arc;
use std::time::Duration;

use jobwatch_core::model::JobId;
use jobwatch_core::server::{Server, ServerId};
use jobwatch_core::supervisor::Input;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::state::State;
use super::window::Kind;
use crate::driver::Slot;
use crate::logs::find::{Rules, Search};
use crate::logs::reader::Reader;
use crate::logs::{Budget, LogNow, Owner, Told};
use crate::ports::Event;
use crate::views::{
    Earlier, ErrorCode, LogFilter, LogGap, OpenJob, Preferences, Rows, UserError, ViewWindow,
};

/// Logs merged in one view.
const MAX_JOBS: usize = 16;
/// A smaller budget would drop what is being looked at.
const LEAST_MEGABYTES: u32 = 16;
/// Between looks for new log lines over HTTP, while a log is on screen and no socket brings them.
const FOLLOW: Duration = Duration::from_secs(5);
/// A server that has not answered for this long is not waited for any more.
const ASKING: Duration = Duration::from_secs(15);

/// A log view.
pub(super) struct LogView {
    pub lanes: Vec<Lane>,
    rules: Result<Rules, String>,
    search: Option<Arc<Search>>,
    /// A search is under way.
    searching: bool,
    /// Lines have come since it began.
    behind: bool,
    /// When earlier lines were last asked for, and how many lines there were.
    asked: Option<(Instant, u64)>,
}

/// One log of a view.
pub(super) struct Lane {
    pub owner: Owner,
    now: LogNow,
    /// The store has told how it is.
    told: bool,
}

impl LogView {
    fn new(jobs: &[OpenJob], filter: &LogFilter) -> LogView {
        let lanes = jobs.iter().map(|open| Lane {
            owner: Owner { server: ServerId(open.server.clone()), job: JobId::from(&*open.job) },
            now: LogNow::default(),
            told: false,
        });
        let lanes: Vec<Lane> = lanes.collect();
        let rules = Rules::new(filter);
        let search = match &rules {
            Ok(rules) if rules.hides() || rules.find.is_some() || rules.raw => {
                Some(Arc::new(Search::new(rules.clone(), lanes.len())))
            }
            _ => None,
        };
        LogView { lanes, rules, search, searching: false, behind: false, asked: None }
    }

    fn lines(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.now.lines.len()).sum()
    }
}

impl Drop for LogView {
    fn drop(&mut self) {
        if let Some(search) = &self.search {
            search.cancel();
        }
    }
}

/// What it takes to read a log view beside the loop.
pub(crate) struct LogPull {
    logs: Vec<Arc<crate::logs::Snapshot>>,
    gaps: Vec<Vec<LogGap>>,
    names: Vec<String>,
    search: Option<Arc<Search>>,
    problem: Option<String>,
    earlier: Earlier,
    known: bool,
    searching: bool,
    view: u32,
    version: u64,
}

impl LogPull {
    /// The reader.
    pub(crate) fn reader(&self) -> Reader {
        let (logs, gaps) = (&self.logs, self.gaps.clone());
        Reader::new(logs, gaps, self.names.clone(), self.search.clone())
    }

    /// A reader of all lines, whatever the filter.
    pub(crate) fn unfiltered(&self) -> Reader {
        Reader::new(&self.logs, self.gaps.clone(), self.names.clone(), None)
    }

    /// The rows from `first` on.
    pub(crate) fn window(&self, first: u64, count: u32) -> std::io::Result<ViewWindow> {
        let reader = self.reader();
        let mut state = Box::new(reader.state()?);
        state.problem.clone_from(&self.problem);
        state.earlier = self.earlier;
        state.known = self.known;
        if self.searching {
            state.searched = state.searched.min(0.999);
        }
        let total = reader.len();
        // Where rows were lost, the last ones are shown.
        let first = first.min(total.saturating_sub(u64::from(count)));
        let rows = Rows::Log { rows: reader.window(first, u64::from(count))?, state };
        Ok(ViewWindow { view: self.view, version: self.version, total, first, rows })
    }
}

/// What to say of a log that cannot be read.
pub(crate) fn unreadable(error: &std::io::Error) -> UserError {
    UserError { code: ErrorCode::Internal, message: format!("The log cannot be read: {error}.") }
}

impl State {
    pub(super) fn open_log(
        &mut self,
        jobs: &[OpenJob],
        filter: &LogFilter,
    ) -> Result<Kind, UserError> {
        if jobs.is_empty() || jobs.len() > MAX_JOBS {
            let message = format!("A log view shows 1 to {MAX_JOBS} jobs.");
            return Err(UserError { code: ErrorCode::Invalid, message });
        }
        let mut view = LogView::new(jobs, filter);
        for lane in &mut view.lanes {
            // What another view knows of the log is known at once: a new filter does not begin with
            // an empty page.
            let lanes = self.views.kinds().filter_map(Kind::log).flat_map(|log| &log.lanes);
            let mut known = lanes.filter(|other| other.told && other.owner == lane.owner);
            if let Some(other) = known.next() {
                (lane.now, lane.told) = (other.now.clone(), true);
            }
            self.logs.watch(lane.owner.clone());
        }
        Ok(Kind::Log(Box::new(view)))
    }

    /// A view was opened. Where its logs are known already, nothing else starts its search.
    pub(super) fn log_opened(&mut self, number: u32) {
        if self.log_view(number).is_ok_and(|view| view.lanes.iter().all(|lane| lane.told)) {
            self.search_on(number);
        }
    }

    pub(super) fn close_log(&self, view: &LogView) {
        for lane in &view.lanes {
            self.logs.unwatch(lane.owner.clone());
        }
    }

    /// What it takes to read a view beside the loop; `None` when it is no log view.
    pub(super) fn log_pull(&self, number: u32, view: &LogView, version: u64) -> LogPull {
        let names = view.lanes.iter().map(|lane| {
            let job = self.slot_of(&lane.owner.server.0);
            let job = job.and_then(|slot| self.catalogue.job(slot, &lane.owner.job));
            job.and_then(|job| job.name.clone()).unwrap_or_else(|| lane.owner.job.to_string())
        });
        let names = names.collect();
        let asking = view.asked.is_some_and(|(at, _)| at.elapsed() < ASKING && self.fetching(view));
        let more = view.asked.is_none_or(|(_, before)| view.lines() > before);
        let can = view.lanes.iter().any(|lane| self.has_earlier(&lane.owner));
        let earlier = match () {
            () if asking => Earlier::Asking,
            () if can && more => Earlier::Maybe,
            () => Earlier::Never,
        };
        let gaps = view.lanes.iter().map(|lane| {
            let fetchable = self.has_earlier(&lane.owner);
            let gap = |(from, to): &(i64, i64)| LogGap {
                from: from / 1_000_000,
                to: to / 1_000_000,
                fetchable,
                fetching: asking,
            };
            lane.now.gaps.iter().map(gap).collect()
        });
        LogPull {
            logs: view.lanes.iter().map(|lane| Arc::clone(&lane.now.lines)).collect(),
            gaps: gaps.collect(),
            names,
            search: view.search.clone(),
            problem: view.rules.as_ref().err().cloned(),
            earlier,
            known: view.lanes.iter().all(|lane| lane.told),
            searching: view.searching,
            view: number,
            version,
        }
    }

    fn fetching(&self, view: &LogView) -> bool {
        view.lanes.iter().any(|lane| {
            let entry = self.named(&lane.owner.server).ok();
            entry.and_then(super::servers::Entry::machine).is_some_and(|m| m.fetching_logs())
        })
    }

    /// Whether the server can be asked for lines of before.
    fn has_earlier(&self, owner: &Owner) -> bool {
        let Ok(entry) = self.named(&owner.server) else { return false };
        let Some(machine) = entry.machine() else { return false };
        let job = self.catalogue.job(entry.slot, &owner.job);
        job.is_some_and(|job| machine.serves_logs(job))
    }

    /// Asks the servers for lines from the beginning on.
    pub(super) fn fetch_log(&mut self, number: u32) -> Result<(), UserError> {
        let view = self.log_view(number)?;
        view.asked = Some((Instant::now(), view.lines()));
        let owners: Vec<Owner> = view.lanes.iter().map(|lane| lane.owner.clone()).collect();
        for owner in owners {
            if let Some(slot) = self.slot_of(&owner.server.0) {
                self.feed(slot, Input::Logs(owner.job, 0));
            }
        }
        self.views.log_touched(number);
        Ok(())
    }

    fn log_view(&mut self, number: u32) -> Result<&mut LogView, UserError> {
        match self.views.kind_mut(number) {
            Some(Kind::Log(view)) => Ok(view),
            _ => Err(UserError {
                code: ErrorCode::NotFound,
                message: "This view is not open any more.".to_owned(),
            }),
        }
    }

    /// The log store tells something.
    pub(super) fn log_told(&mut self, told: Told) {
        match told {
            Told::Count(owner, lines) => {
                if let Some(slot) = self.slot_of(&owner.server.0) {
                    self.views.job_touched(slot, &owner.job);
                    self.log_lines.insert(owner, lines);
                }
            }
            Told::Log(owner, now) => self.log_changed(&owner, &now),
            Told::Kept { owner, first, lines, source } => {
                let Owner { server, job } = owner;
                let named = self.named(&server).is_ok_and(|entry| entry.watches_by_name(&job));
                self.sink(|| Event::Log { server, job, named, first, lines, source });
            }
            Told::Health(problem) => {
                match &problem {
                    Some(problem) => tracing::warn!("{problem}"),
                    None => tracing::info!("logs are written again"),
                }
                self.health.logs = problem;
                self.views.overview_changed();
            }
        }
    }

    fn log_changed(&mut self, owner: &Owner, now: &LogNow) {
        let mut ask = None;
        for number in self.views.logs_of(owner) {
            let Ok(view) = self.log_view(number) else { continue };
            for lane in view.lanes.iter_mut().filter(|lane| lane.owner == *owner) {
                if !std::mem::replace(&mut lane.told, true) {
                    // Looking at a log is what makes the server be asked for it.
                    ask = Some(now.next_position);
                }
                lane.now = now.clone();
            }
            self.views.log_touched(number);
            self.search_on(number);
        }
        if let (Some(offset), Some(slot)) = (ask, self.slot_of(&owner.server.0)) {
            self.ask_for_log(slot, &owner.job, offset);
        }
    }

    /// Searches lines of a view that have not been searched.
    fn search_on(&mut self, number: u32) {
        let Ok(view) = self.log_view(number) else { return };
        let Some(search) = view.search.clone() else { return };
        view.behind = view.searching;
        if std::mem::replace(&mut view.searching, true) {
            return;
        }
        let logs: Vec<_> = view.lanes.iter().map(|lane| Arc::clone(&lane.now.lines)).collect();
        let commands = self.commands.clone();
        let progress = move || {
            if let Some(commands) = commands.upgrade() {
                // The loop may have ended.
                let _ = commands.send(Box::new(move |state: &mut State| {
                    state.views.log_touched(number);
                }));
            }
        };
        let searched = tokio::task::spawn_blocking(move || search.run(&logs, &progress));
        self.beside(searched, move |state, _| {
            let Ok(view) = state.log_view(number) else { return };
            view.searching = false;
            if view.behind {
                state.search_on(number);
            }
            state.views.log_touched(number);
        });
    }

    pub(super) fn ask_for_log(&mut self, slot: Slot, job: &JobId, offset: u64) {
        let now = self.clock.now();
        let Some(entry) = self.entry_mut(slot) else { return };
        entry.logs_asked.insert(job.clone(), now.mono);
        self.feed(slot, Input::Logs(job.clone(), offset));
    }

    /// The logs on screen, and from which position on their server's lines are not known.
    fn logs_on_screen(&self) -> Vec<(Slot, JobId, u64)> {
        let lanes = self.views.kinds().filter_map(Kind::log).flat_map(|log| &log.lanes);
        let logs = lanes.filter(|lane| lane.told).filter_map(|lane| {
            let slot = self.slot_of(&lane.owner.server.0)?;
            Some((slot, lane.owner.job.clone(), lane.now.next_position))
        });
        logs.collect()
    }

    /// Hands the lines that were heard over to the store, which holds the share of the report they
    /// came in until they are written.
    pub(super) fn store_lines(&mut self, share: Option<&Arc<OwnedSemaphorePermit>>) {
        for (slot, job, lines, source) in std::mem::take(&mut self.heard_lines) {
            if let Some(entry) = self.entry(slot) {
                let owner = Owner { server: entry.server.id.clone(), job };
                self.logs.append(owner, lines, source, share.cloned());
            }
        }
    }

    /// Tells the store how much it may keep.
    pub(super) fn set_log_budget(&self) {
        self.logs.budget(None, Some(self.log_budget()));
    }

    fn log_budget(&self) -> Budget {
        let Preferences { log_megabytes, log_days, .. } = self.preferences;
        Budget { bytes: u64::from(log_megabytes.max(LEAST_MEGABYTES)) << 20, days: log_days }
    }

    /// A server's own budget, where its options set one.
    pub(super) fn log_budget_of(&self, server: &Server) -> Option<Budget> {
        let number = |name: &str| server.options.get(name)?.trim().parse::<u32>().ok();
        let (megabytes, days) = (number("log_megabytes"), number("log_days"));
        let usual = self.log_budget();
        (megabytes.is_some() || days.is_some()).then(|| Budget {
            bytes: megabytes
                .map_or(usual.bytes, |megabytes| u64::from(megabytes.max(LEAST_MEGABYTES)) << 20),
            days: days.unwrap_or(usual.days),
        })
    }

    /// Asks for the lines that the logs on screen missed while there was no socket.
    pub(super) fn catch_up_logs(&mut self, slot: Slot) {
        for (of, job, offset) in self.logs_on_screen() {
            if of == slot {
                self.ask_for_log(slot, &job, offset);
            }
        }
    }

    /// Asks again for the logs on screen where no socket brings them.
    pub(super) fn follow_logs(&mut self) {
        let now = self.clock.now();
        for (slot, job, offset) in self.logs_on_screen() {
            let Some(entry) = self.entry(slot) else { continue };
            let running = self.catalogue.job(slot, &job).is_some_and(|job| !job.state.terminal());
            let asked = entry.logs_asked.get(&job);
            let due = asked.is_none_or(|asked| now.mono.since(*asked) >= FOLLOW);
            if running && due && entry.status.answers() && !entry.status.hears {
                self.ask_for_log(slot, &job, offset);
            }
        }
    }
}
