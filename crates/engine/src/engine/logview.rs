//! The log views that the window has open: which logs, which rules, and the search that is under
//! way. Rows are read from the files beside the loop, from snapshots.

use std::sync::Arc;

use jobwatch_core::connection::{Input, LogReach};
use jobwatch_core::dialect::LogFrom;
use jobwatch_core::model::JobId;
use jobwatch_core::server::{Server, ServerId};
use tokio::sync::OwnedSemaphorePermit;

use super::state::State;
use super::window::ViewKind;
use crate::api::{
    Earlier, ErrorCode, LogCut, LogFilter, LogGap, OpenJob, Preferences, Rows, UserError,
    ViewWindow,
};
use crate::driver::ConnectionId;
use crate::logs::BEGINNING;
use crate::logs::find::{Rules, Search};
use crate::logs::reader::Reader;
use crate::logs::{Budget, LogContents, Owner, StoreEvent};
use crate::ports::StreamEvent;
use crate::redact::WORDS;

/// Logs merged in one view.
const MAX_JOBS: usize = 16;
/// A smaller budget would drop what is being looked at.
const LEAST_MEGABYTES: u32 = 16;

/// A log view.
pub(super) struct LogView {
    pub sources: Vec<LogSource>,
    rules: Result<Rules, String>,
    search: Option<Arc<Search>>,
    /// A search is under way.
    searching: bool,
    /// Lines have come since it began.
    behind: bool,
}

/// One log of a view.
pub(super) struct LogSource {
    pub owner: Owner,
    now: LogContents,
    /// Whether the store has reported its contents.
    loaded: bool,
}

impl LogView {
    fn new(jobs: &[OpenJob], filter: &LogFilter) -> LogView {
        let sources = jobs.iter().map(|open| LogSource {
            owner: Owner { server: ServerId(open.server.clone()), job: JobId::from(&*open.job) },
            now: LogContents::default(),
            loaded: false,
        });
        let sources: Vec<LogSource> = sources.collect();
        let rules = Rules::new(filter);
        let search = match &rules {
            Ok(rules) if rules.hides() || rules.find.is_some() || rules.raw => {
                Some(Arc::new(Search::new(rules.clone(), sources.len())))
            }
            _ => None,
        };
        LogView { sources, rules, search, searching: false, behind: false }
    }
}

impl Drop for LogView {
    fn drop(&mut self) {
        if let Some(search) = &self.search {
            search.cancel();
        }
    }
}

/// How much of a log is there.
#[derive(Debug, PartialEq)]
enum Reached {
    /// All that can be had.
    All,
    /// The server has not been asked.
    Unasked,
    /// The server is being asked.
    Asking,
    /// Not all.
    Cut(LogCut),
    /// There is none, for this reason.
    Never(String),
}

/// How a job's log is kept.
#[derive(Clone, Debug, Default)]
pub struct LogStored {
    /// It has been opened; before that nothing is known of it.
    pub known: bool,
    /// Lines with a number below this one were stored by an earlier run of the program.
    pub before: u64,
    /// One beyond the number of the last line.
    pub end: u64,
    /// Stretches of time in which lines are missing, in nanoseconds since 1970, ascending.
    pub gaps: Vec<(i64, i64)>,
}

/// What it takes to read a log view beside the loop.
pub(crate) struct LogPull {
    stored: LogStored,
    logs: Vec<Arc<crate::logs::Snapshot>>,
    gaps: Vec<Vec<LogGap>>,
    names: Vec<String>,
    search: Option<Arc<Search>>,
    problem: Option<String>,
    earlier: Earlier,
    cut: Option<LogCut>,
    none: Option<String>,
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

    /// How the first log is kept.
    pub(crate) fn stored(&self) -> LogStored {
        self.stored.clone()
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
        state.cut.clone_from(&self.cut);
        state.none.clone_from(&self.none);
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
    ) -> Result<ViewKind, UserError> {
        if jobs.is_empty() || jobs.len() > MAX_JOBS {
            let message = format!("A log view shows 1 to {MAX_JOBS} jobs.");
            return Err(UserError { code: ErrorCode::Invalid, message });
        }
        let jobs: Vec<OpenJob> = jobs.iter().map(|open| self.as_known(open)).collect();
        let mut view = LogView::new(&jobs, filter);
        for source in &mut view.sources {
            // What another view knows of the log is known at once: a new filter does not begin with
            // an empty page.
            let sources = self.views.kinds().filter_map(ViewKind::log).flat_map(|log| &log.sources);
            let mut known = sources.filter(|other| other.loaded && other.owner == source.owner);
            if let Some(other) = known.next() {
                (source.now, source.loaded) = (other.now.clone(), true);
            }
            self.logs.watch(source.owner.clone());
        }
        for source in &view.sources {
            // Looking at a log is what makes the server be asked for it.
            if let Some(connection) = self.connection_of(&source.owner.server.0) {
                self.feed(connection, Input::ReadLog(source.owner.job.clone()));
            }
        }
        Ok(ViewKind::Log(Box::new(view)))
    }

    /// A view was opened. Where its logs are known already, nothing else starts its search.
    pub(super) fn log_opened(&mut self, number: u32) {
        if self.log_view(number).is_ok_and(|view| view.sources.iter().all(|source| source.loaded)) {
            self.search_on(number);
        }
    }

    pub(super) fn close_log(&mut self, view: &LogView) {
        for source in &view.sources {
            self.logs.unwatch(source.owner.clone());
            if let Some(connection) = self.connection_of(&source.owner.server.0) {
                self.feed(connection, Input::CloseLog(source.owner.job.clone()));
            }
        }
    }

    /// The job as it is known, where it is named by another spelling or another id of its.
    fn as_known(&self, open: &OpenJob) -> OpenJob {
        let given = JobId::from(&*open.job);
        let known = self.named(&ServerId(open.server.clone())).ok().and_then(|entry| {
            let job = |id: &JobId| self.jobs.job(entry.connection, id).is_some();
            if job(&given) {
                return None;
            }
            let mut jobs = self.jobs.of(entry.connection);
            jobs.find(|job| entry.same_job(&given, &job.id)).map(|job| job.id.to_string())
        });
        OpenJob { server: open.server.clone(), job: known.unwrap_or_else(|| open.job.clone()) }
    }

    /// A server's machine is new: it learns which of its logs are read.
    pub(super) fn read_logs_again(&mut self, connection: ConnectionId) {
        let sources = self.views.kinds().filter_map(ViewKind::log).flat_map(|log| &log.sources);
        let read =
            sources.filter(|source| self.connection_of(&source.owner.server.0) == Some(connection));
        let jobs: Vec<JobId> = read.map(|source| source.owner.job.clone()).collect();
        for job in jobs {
            self.feed(connection, Input::ReadLog(job));
        }
    }

    /// What it takes to read a view beside the loop; `None` when it is no log view.
    pub(super) fn log_pull(&self, number: u32, view: &LogView, version: u64) -> LogPull {
        let names = view.sources.iter().map(|source| {
            let job = self.connection_of(&source.owner.server.0);
            let job = job.and_then(|connection| self.jobs.job(connection, &source.owner.job));
            job.and_then(|job| job.name.clone()).unwrap_or_else(|| source.owner.job.to_string())
        });
        let names = names.collect();
        let reaches: Vec<Reached> =
            view.sources.iter().map(|source| self.reached_of(&source.owner)).collect();
        let asking = reaches.contains(&Reached::Asking);
        let cut = reaches.iter().find_map(|reached| match reached {
            Reached::Cut(cut) => Some(cut.clone()),
            _ => None,
        });
        let earlier = match () {
            () if asking => Earlier::Asking,
            () if reaches.iter().any(|r| matches!(r, Reached::Cut(_) | Reached::Unasked)) => {
                Earlier::Maybe
            }
            () => Earlier::Never,
        };
        let none = match &reaches[..] {
            [Reached::Never(reason)] => Some(reason.clone()),
            _ => None,
        };
        let gaps = view.sources.iter().map(|source| {
            let fetchable = self.has_earlier(&source.owner);
            let gap = |(from, to): &(i64, i64)| {
                let beginning = *from == BEGINNING;
                let from = if beginning { to } else { from };
                LogGap {
                    from: from / 1_000_000,
                    beginning,
                    to: to / 1_000_000,
                    fetchable: fetchable && !beginning,
                    fetching: asking && !beginning,
                }
            };
            source.now.gaps.iter().map(gap).collect()
        });
        let stored = view.sources.first().map(|source| LogStored {
            known: source.loaded,
            before: source.now.before,
            end: source.now.lines.end_stored(),
            gaps: source.now.gaps.clone(),
        });
        LogPull {
            stored: stored.unwrap_or_default(),
            logs: view.sources.iter().map(|source| Arc::clone(&source.now.lines)).collect(),
            gaps: gaps.collect(),
            names,
            search: view.search.clone(),
            problem: view.rules.as_ref().err().cloned(),
            earlier,
            cut,
            none,
            known: view.sources.iter().all(|source| source.loaded),
            searching: view.searching,
            view: number,
            version,
        }
    }

    /// How much of a log is there, as the page shows it.
    fn reached_of(&self, owner: &Owner) -> Reached {
        let Ok(entry) = self.named(&owner.server) else { return Reached::All };
        let Some(machine) = entry.machine() else { return Reached::All };
        let job = self.jobs.job(entry.connection, &owner.job);
        if let Some(reason) = job.and_then(|job| machine.without_log(job)) {
            return Reached::Never(reason);
        }
        match machine.log_reach(&owner.job) {
            Some(LogReach::Asking) => Reached::Asking,
            Some(LogReach::Cut { missing, reason, .. }) => {
                let reason = entry.redactor.clean_prefix(reason, WORDS);
                Reached::Cut(LogCut { missing: *missing, reason })
            }
            Some(_) => Reached::All,
            None if job.is_some_and(|job| machine.serves_logs(job)) => Reached::Unasked,
            None => Reached::All,
        }
    }

    /// Whether the server can be asked for lines of before.
    fn has_earlier(&self, owner: &Owner) -> bool {
        let Ok(entry) = self.named(&owner.server) else { return false };
        let Some(machine) = entry.machine() else { return false };
        let job = self.jobs.job(entry.connection, &owner.job);
        job.is_some_and(|job| machine.serves_logs(job))
    }

    /// Asks the servers for lines from the beginning on.
    pub(super) fn fetch_log(&mut self, number: u32) -> Result<(), UserError> {
        let view = self.log_view(number)?;
        let owners: Vec<Owner> = view.sources.iter().map(|source| source.owner.clone()).collect();
        for owner in owners {
            if let Some(connection) = self.connection_of(&owner.server.0) {
                self.feed(connection, Input::Logs(owner.job, LogFrom::Beginning));
            }
        }
        self.views.log_touched(number);
        Ok(())
    }

    fn log_view(&mut self, number: u32) -> Result<&mut LogView, UserError> {
        match self.views.kind_mut(number) {
            Some(ViewKind::Log(view)) => Ok(view),
            _ => Err(UserError {
                code: ErrorCode::NotFound,
                message: "This view is not open any more.".to_owned(),
            }),
        }
    }

    /// The log store tells something.
    pub(super) fn store_event(&mut self, event: StoreEvent) {
        match event {
            StoreEvent::Count(owner, lines) => {
                if let Some(connection) = self.connection_of(&owner.server.0) {
                    self.views.job_touched(connection, &owner.job);
                    self.log_lines.insert(owner, lines);
                }
            }
            StoreEvent::Log(owner, now) => self.log_changed(&owner, &now),
            StoreEvent::Kept { owner, first, lines, source } => {
                let Owner { server, job } = owner;
                let named = self.named(&server).is_ok_and(|entry| entry.watches_by_name(&job));
                self.sink(|| StreamEvent::Log { server, job, named, first, lines, source });
            }
            StoreEvent::Reach(owner, reach) => {
                for number in self.views.logs_of(&owner) {
                    self.views.log_touched(number);
                }
                let Owner { server, job } = owner;
                let named = self.named(&server).is_ok_and(|entry| entry.watches_by_name(&job));
                self.sink(|| StreamEvent::LogReach { server, job, named, reach });
            }
            StoreEvent::Health(problem) => {
                match &problem {
                    Some(problem) => tracing::warn!("{problem}"),
                    None => tracing::info!("logs are written again"),
                }
                self.health.logs = problem;
                self.views.overview_changed();
            }
        }
    }

    fn log_changed(&mut self, owner: &Owner, now: &LogContents) {
        for number in self.views.logs_of(owner) {
            let Ok(view) = self.log_view(number) else { continue };
            for source in view.sources.iter_mut().filter(|source| source.owner == *owner) {
                source.loaded = true;
                source.now = now.clone();
            }
            self.views.log_touched(number);
            self.search_on(number);
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
        let logs: Vec<_> =
            view.sources.iter().map(|source| Arc::clone(&source.now.lines)).collect();
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

    /// Hands the lines that were heard over to the store, which holds the share of the report they
    /// came in until they are written.
    pub(super) fn store_lines(&mut self, share: Option<&Arc<OwnedSemaphorePermit>>) {
        for (connection, job, lines, source) in std::mem::take(&mut self.received_lines) {
            if let Some(entry) = self.entry(connection) {
                let owner = Owner { server: entry.server.id.clone(), job };
                self.logs.append(owner, lines, source, share.cloned());
            }
        }
        for (connection, job, reach) in std::mem::take(&mut self.reached) {
            if let Some(entry) = self.entry(connection) {
                let owner = Owner { server: entry.server.id.clone(), job };
                self.logs.reached(owner, reach);
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
}
