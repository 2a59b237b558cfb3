//! The views the window has open, and telling it when they have changed.
//!
//! A view that was told of is not told of again before the page has pulled it: a page that is busy
//! slows the ticks down by itself. Should a tick or a pull get lost, the view is told of again every
//! [`REMIND`] until it is pulled, whether or not anything else changes. So it is with the overview.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jobwatch_core::jobs::Transition;
use jobwatch_core::model::{Job, JobId};
use jobwatch_core::notify::Notice;
use jobwatch_core::server::ServerId;
use tokio::time::Instant;

use super::inbox::NoticeFilter;
use super::logview::{LogPull, LogView};
use super::servers::Entry;
use super::state::State;
use crate::api::{
    ActionKind, AskedView, ErrorCode, JobDetail, JobLookup, JobRow, NoticeRow, Overview, Rows,
    ServerView, StatusView, Tick, TimelineRow, UserError, ViewSpec, ViewWindow, Wanted,
};
use crate::driver::ConnectionId;
use crate::logs::Owner;
use crate::ports::Window;
use crate::queries::convert::{job_row, notice_row, past};
use crate::queries::job_list::{Filter, JobList};
use crate::queries::search::Search;

/// Rows in one window.
pub(super) const MAX_ROWS: u32 = 500;
/// Views open at the same time; more are a mistake of the page.
const MAX_VIEWS: usize = 256;
/// Between two ticks while much happens. The first after a pause goes out at once.
const PACE: Duration = Duration::from_millis(33);
/// See the module's documentation.
const REMIND: Duration = Duration::from_secs(1);
/// Steps kept of a job since its view was opened; the newest stay.
const MAX_STEPS: usize = 1_000;
/// Children shown with a job.
const MAX_CHILDREN: usize = 100;

pub(super) enum ViewKind {
    Jobs(JobList),
    Job {
        server: String,
        /// As the page named it.
        asked: JobId,
        /// As it is known.
        job: JobId,
        /// What its server said of it, where that was not the job.
        lookup: Option<JobLookup>,
        /// Steps from the history, once it has answered.
        before: Option<Vec<TimelineRow>>,
        /// Steps since the view was opened.
        since: Vec<TimelineRow>,
    },
    Log(Box<LogView>),
    Queues {
        server: Option<String>,
    },
    Notices(NoticeFilter),
    Frames {
        server: String,
        job: Option<String>,
    },
}

impl ViewKind {
    pub(super) fn log(&self) -> Option<&LogView> {
        match self {
            ViewKind::Log(view) => Some(view),
            _ => None,
        }
    }
}

struct View {
    kind: ViewKind,
    version: u64,
    first: u64,
    count: u32,
    /// Changed since the page pulled it.
    dirty: bool,
    /// When the page was told, until it pulls.
    notified_at: Option<Instant>,
}

impl View {
    fn change(&mut self) {
        self.dirty = true;
        self.version += 1;
    }

    /// When there may be something to tell.
    fn ready(&self, now: Instant) -> Option<Instant> {
        let ready = match &self.kind {
            _ if self.dirty => now,
            ViewKind::Jobs(index) if index.behind() => now + index.wait(),
            _ => return None,
        };
        Some(self.notified_at.map_or(ready, |notified_at| ready.max(notified_at + REMIND)))
    }
}

/// What the window looks at.
#[derive(Default)]
pub(super) struct Views {
    window: Option<Arc<dyn Window>>,
    open: BTreeMap<u32, View>,
    next: u32,
    /// Changed since the page pulled it.
    overview: bool,
    overview_notified_at: Option<Instant>,
    /// Changed since the tray was told.
    tray_stale: bool,
    wanted: Option<Wanted>,
    last: Option<Instant>,
}

impl Views {
    pub(super) fn overview_changed(&mut self) {
        self.overview = true;
        self.tray_stale = true;
    }

    /// Whether anything has changed that the tray may show, since this was last asked.
    pub(super) fn take_tray_stale(&mut self) -> bool {
        std::mem::take(&mut self.tray_stale)
    }

    pub(super) fn everything_changed(&mut self) {
        self.overview_changed();
        for view in self.open.values_mut() {
            if let ViewKind::Jobs(index) = &mut view.kind {
                index.touch_all();
            }
            view.change();
        }
    }

    pub(super) fn job_changed(&mut self, connection: ConnectionId, job: &Job, number: u32) {
        self.tray_stale = true;
        for view in self.open.values_mut() {
            if let ViewKind::Jobs(index) = &mut view.kind {
                index.touch(number);
            }
        }
        self.job_touched(connection, &job.id);
        if let Some(parent) = &job.parent {
            self.job_touched(connection, parent);
        }
    }

    pub(super) fn job_gone(&mut self, number: u32) {
        self.overview_changed();
        for view in self.open.values_mut() {
            if let ViewKind::Jobs(index) = &mut view.kind {
                index.touch(number);
            }
        }
    }

    /// Something beside the job itself changed that its own view shows. Servers are compared when
    /// the rows are made: a namesake elsewhere costs one pull.
    pub(super) fn job_touched(&mut self, _connection: ConnectionId, id: &JobId) {
        for view in self.open.values_mut() {
            if matches!(&view.kind, ViewKind::Job { job, .. } if job == id) {
                view.change();
            }
        }
    }

    pub(super) fn step(&mut self, connection: ConnectionId, step: &Transition) {
        for view in self.open.values_mut() {
            if let ViewKind::Job { job, since, .. } = &mut view.kind
                && *job == step.job
            {
                since.push(TimelineRow::from(step));
                if since.len() > MAX_STEPS {
                    since.remove(0);
                }
            }
        }
        self.job_touched(connection, &step.job);
    }

    /// A log view has something new to show.
    pub(super) fn log_touched(&mut self, number: u32) {
        if let Some(view) = self.open.get_mut(&number) {
            view.change();
        }
    }

    /// The views that show a log.
    pub(super) fn logs_of(&self, owner: &Owner) -> Vec<u32> {
        let shows = |(_, view): &(&u32, &View)| matches!(&view.kind, ViewKind::Log(log) if log.sources.iter().any(|source| source.owner == *owner));
        self.open.iter().filter(shows).map(|(number, _)| *number).collect()
    }

    pub(super) fn kind_mut(&mut self, number: u32) -> Option<&mut ViewKind> {
        self.open.get_mut(&number).map(|view| &mut view.kind)
    }

    pub(super) fn kinds(&self) -> impl Iterator<Item = &ViewKind> {
        self.open.values().map(|view| &view.kind)
    }

    pub(super) fn queues_changed(&mut self) {
        self.change_if(|kind| matches!(kind, ViewKind::Queues { .. }));
    }

    pub(super) fn notices_changed(&mut self) {
        self.overview_changed();
        self.change_if(|kind| matches!(kind, ViewKind::Notices(_)));
    }

    pub(super) fn frames_changed(&mut self, _connection: ConnectionId) {
        self.change_if(|kind| matches!(kind, ViewKind::Frames { .. }));
    }

    pub(super) fn ask_to_open(&mut self, wanted: Wanted) {
        self.wanted = Some(wanted);
    }

    /// Changes views of jobs; answers those that are to read the job's past anew.
    pub(super) fn change_jobs(
        &mut self,
        mut change: impl FnMut(&mut ViewKind) -> bool,
    ) -> Vec<u32> {
        let mut reread = Vec::new();
        for (number, view) in &mut self.open {
            if let ViewKind::Job { .. } = &view.kind {
                if change(&mut view.kind) {
                    reread.push(*number);
                }
                view.change();
            }
        }
        reread
    }

    fn change_if(&mut self, of: impl Fn(&ViewKind) -> bool) {
        for view in self.open.values_mut().filter(|view| of(&view.kind)) {
            view.change();
        }
    }
}

/// What a pull takes.
pub(crate) enum Pull {
    /// Nothing more.
    Window(Box<ViewWindow>),
    /// Reading files, beside the loop.
    Log(Box<LogPull>),
}

fn not_found(message: &str) -> UserError {
    UserError { code: ErrorCode::NotFound, message: message.to_owned() }
}

impl State {
    pub(super) fn attach_window(&mut self, window: Arc<dyn Window>) {
        self.views.window = Some(window);
        self.close_all();
        self.views.overview = true;
        self.views.overview_notified_at = None;
        self.views.last = None;
    }

    pub(super) fn detach_window(&mut self) {
        self.views.window = None;
        self.close_all();
        self.attend(false, None);
    }

    pub(super) fn open_view(&mut self, spec: ViewSpec) -> Result<u32, UserError> {
        if self.views.open.len() >= MAX_VIEWS {
            let message = "Too many views are open; close one first.".to_owned();
            return Err(UserError { code: ErrorCode::Invalid, message });
        }
        self.views.next += 1;
        let number = self.views.next;
        let kind = match spec {
            ViewSpec::Jobs { server, queue, states, search, sort } => {
                let connection = server.map(|server| self.connection_of(&server));
                let names = self.servers.iter().map(|e| (e.connection, e.server.name.as_str()));
                let search = Search::new(&search, names);
                ViewKind::Jobs(JobList::new(Filter { connection, queue, states, search, sort }))
            }
            ViewSpec::Job { server, job } => {
                let asked = JobId::from(job);
                let job = self.job_called(&server, &asked).unwrap_or_else(|| asked.clone());
                self.logs.count(Owner { server: ServerId(server.clone()), job: job.clone() });
                let lookup = Some(JobLookup::Asking);
                ViewKind::Job { server, asked, job, lookup, before: None, since: Vec::new() }
            }
            ViewSpec::Log { jobs, filter } => self.open_log(&jobs, &filter)?,
            ViewSpec::Queues { server } => ViewKind::Queues { server },
            ViewSpec::Notices { unread, failures, search, expanded } => {
                let search = search.trim().to_lowercase();
                ViewKind::Notices(NoticeFilter { unread, failures, search, expanded })
            }
            ViewSpec::Frames { server, job } => ViewKind::Frames { server, job },
        };
        let view = View { kind, version: 1, first: 0, count: 0, dirty: false, notified_at: None };
        let details = view.kind.details();
        self.views.open.insert(number, view);
        self.read_timeline(number);
        self.log_opened(number);
        self.open_detail(details);
        Ok(number)
    }

    pub(super) fn close_view(&mut self, view: u32) {
        let Some(View { kind, .. }) = self.views.open.remove(&view) else { return };
        if let ViewKind::Log(log) = &kind {
            self.close_log(log);
        }
        self.close_detail(kind.details());
    }

    fn close_all(&mut self) {
        let open: Vec<u32> = self.views.open.keys().copied().collect();
        for number in open {
            self.close_view(number);
        }
    }

    /// Reads the past of a view's job.
    pub(super) fn read_timeline(&mut self, number: u32) {
        let Some(View { kind: ViewKind::Job { server, job, since, .. }, .. }) =
            self.views.open.get_mut(&number)
        else {
            return;
        };
        since.clear();
        let (server, job) = (ServerId(server.clone()), job.clone());
        let history = self.history();
        self.beside(history.timeline(server, job), move |state, steps| {
            state.timeline_read(number, &steps)
        });
    }

    /// The job of a server that is meant by an id as somebody spells it, if it is known.
    fn job_called(&self, server: &str, given: &JobId) -> Option<JobId> {
        let entry = self.entry(self.connection_of(server)?)?;
        if self.jobs.job(entry.connection, given).is_some() {
            return Some(given.clone());
        }
        Some(entry.machine()?.job_by_alias(given)?.id.clone())
    }

    fn timeline_read(&mut self, view: u32, steps: &[Transition]) {
        let Some(view) = self.views.open.get_mut(&view) else { return };
        if let ViewKind::Job { before, .. } = &mut view.kind {
            // The question was queued when the view was opened, before any later step, and what
            // is queued after a question is not in its answer: the two parts do not overlap.
            *before = Some(steps.iter().map(TimelineRow::from).collect());
            view.change();
        }
    }

    pub(super) fn view_window(
        &mut self,
        number: u32,
        first: u64,
        count: u32,
    ) -> Result<Pull, UserError> {
        let Some(mut view) = self.views.open.remove(&number) else {
            return Err(not_found("This view is not open any more."));
        };
        view.count = count.min(MAX_ROWS);
        view.first = first;
        if let ViewKind::Jobs(index) = &mut view.kind
            && index.refresh(&self.jobs, first, view.count)
        {
            view.version += 1;
        }
        view.notified_at = None;
        view.dirty = false;
        let pull = match &view.kind {
            ViewKind::Log(log) => Pull::Log(Box::new(self.log_pull(number, log, view.version))),
            _ => {
                let (total, rows) = self.rows(&view);
                let version = view.version;
                Pull::Window(Box::new(ViewWindow { view: number, version, total, first, rows }))
            }
        };
        self.views.open.insert(number, view);
        Ok(pull)
    }

    /// What it takes to read a log view beside the loop.
    pub(super) fn read_log(&mut self, number: u32) -> Result<Box<LogPull>, UserError> {
        match self.views.open.get(&number) {
            Some(View { kind: ViewKind::Log(log), version, .. }) => {
                Ok(Box::new(self.log_pull(number, log, *version)))
            }
            _ => Err(not_found("This view is not open any more.")),
        }
    }

    fn rows(&self, view: &View) -> (u64, Rows) {
        let (first, count) = (view.first, view.count as usize);
        match &view.kind {
            ViewKind::Jobs(index) => {
                let numbers = index.window(first, count).iter();
                let entries = numbers.filter_map(|number| self.jobs.entry(*number));
                let rows =
                    entries.filter_map(|found| self.row(found.connection, &found.job)).collect();
                (index.total(), Rows::Jobs { rows, counts: index.counts() })
            }
            ViewKind::Job { server, job, lookup, before, since, .. } => {
                let timeline = past(before.iter().flatten().chain(since));
                let detail = self.detail(server, job, timeline).map(Box::new);
                (u64::from(detail.is_some()), Rows::Job { detail, lookup: lookup.clone() })
            }
            // Read beside the loop.
            ViewKind::Log(_) => (0, Rows::Log { rows: Vec::new(), state: Box::default() }),
            ViewKind::Queues { server } => {
                let of = self.servers.iter();
                let of = of.filter(|e| server.as_ref().is_none_or(|id| e.server.id.0 == *id));
                let all = of.flat_map(|entry| {
                    let (id, name) = (entry.server.id.0.as_str(), entry.server.name.as_str());
                    entry.queues.values().map(move |queue| (id, name, queue))
                });
                let skip = usize::try_from(first).unwrap_or(usize::MAX);
                let total = all.clone().count() as u64;
                let rows = self.queue_rows(all.skip(skip).take(count));
                (total, Rows::Queues { rows })
            }
            ViewKind::Notices(filter) => {
                let name = |id: &ServerId| self.named(id).map_or("", |entry| &entry.server.name);
                let (total, stored) = self.notices.inbox().window(filter, name, first, count);
                let row = |listed: super::inbox::InboxRow<'_>| {
                    let notice = &listed.stored.notice;
                    let row = notice_row(name(&notice.server), listed.stored);
                    let (group, folded, read) = (listed.group, listed.folded, listed.read);
                    let (actions, asked) = self.actions_about(notice);
                    NoticeRow { group, folded, read, actions, asked, ..row }
                };
                let rows = stored.into_iter().map(row).collect();
                (total, Rows::Notices { rows })
            }
            ViewKind::Frames { server, job } => {
                let entry = self.servers.iter().find(|entry| entry.server.id.0 == *server);
                let window = entry.map(|e| e.frames.window(job.as_deref(), first, count));
                let (total, rows) = window.unwrap_or_default();
                (total, Rows::Frames { rows })
            }
        }
    }

    fn row(&self, connection: ConnectionId, job: &Job) -> Option<JobRow> {
        let entry = self.entry(connection)?;
        let watched = entry.watches_by_name(&job.id);
        let shown = entry.shown_id(job);
        let row = job_row(&entry.server.id.0, &entry.server.name, job, shown, watched);
        let heard_at =
            entry.machine().and_then(|machine| machine.job_store().last_seen_ms(&job.id));
        let heard_at = heard_at.unwrap_or(row.heard_at);
        Some(JobRow { asked: entry.actions.about(&job.id).cloned(), heard_at, ..row })
    }

    fn detail(&self, server: &str, id: &JobId, timeline: Vec<TimelineRow>) -> Option<JobDetail> {
        let connection = self.connection_of(server)?;
        let job = self.jobs.job(connection, id)?;
        let entry = self.entry(connection)?;
        let mut children: Vec<&Arc<Job>> =
            self.jobs.of(connection).filter(|child| child.parent.as_ref() == Some(id)).collect();
        children.sort_by(|a, b| (b.created_at, &a.id).cmp(&(a.created_at, &b.id)));
        let children = children.into_iter().take(MAX_CHILDREN);
        let text = |json: &Option<jobwatch_core::model::Json>| {
            json.as_ref().map(|json| json.as_str().to_owned())
        };
        let actions = entry.machine().and_then(|machine| machine.offers(job));
        Some(JobDetail {
            row: self.row(connection, job)?,
            parent: job.parent.as_ref().map(|parent| parent.as_str().to_owned()),
            children: children.filter_map(|child| self.row(connection, child)).collect(),
            external_id: job.external_id.clone(),
            user: job.user.clone(),
            message: job.message.clone(),
            error: job.error.clone(),
            stack: job.stack.clone(),
            detail: text(&job.detail),
            data: text(&job.data),
            result: text(&job.result),
            extra: job
                .extra
                .iter()
                .map(|(name, json)| (name.to_owned(), json.as_str().to_owned()))
                .collect(),
            source: job.source,
            timeline,
            actions: actions.into_iter().collect(),
            metrics: self.metrics.series(connection, id),
            log_lines: {
                let owner = Owner { server: entry.server.id.clone(), job: id.clone() };
                self.log_lines.get(&owner).copied().unwrap_or(0)
            },
        })
    }

    /// What the server would accept for the job that a notice tells of, and what was asked of it.
    fn actions_about(&self, notice: &Notice) -> (Vec<ActionKind>, Option<AskedView>) {
        let (Ok(entry), Some(job)) = (self.named(&notice.server), self.job_of(notice)) else {
            return (Vec::new(), None);
        };
        let actions = entry.actions_for(job);
        (actions, entry.actions.about(&job.id).cloned())
    }

    /// See [`super::Engine::pull_overview`].
    pub(super) fn pull_overview(&mut self) -> Overview {
        self.views.overview_notified_at = None;
        self.views.overview = false;
        self.overview()
    }

    pub(super) fn overview(&self) -> Overview {
        let servers: Vec<ServerView> =
            self.servers.iter().map(|entry| self.server_view(entry)).collect();
        Overview {
            running: servers.iter().map(|server| server.running).sum(),
            jobs: servers.iter().map(|server| server.jobs).sum(),
            unread: self.notices.inbox().unread(),
            health: self.health.clone(),
            preferences: self.preferences.clone(),
            quiet_until: self.quiet_until(),
            desktop_quiet: self.notices.notifier().desktop_dnd(),
            demo: self.servers.iter().any(|entry| entry.demo),
            servers,
        }
    }

    fn server_view(&self, entry: &Entry) -> ServerView {
        let tally = self.jobs.tally(entry.connection);
        ServerView {
            id: entry.server.id.0.clone(),
            name: entry.server.name.clone(),
            dialect: entry.server.dialect.word().to_owned(),
            dialect_title: entry.server.dialect.title().to_owned(),
            status: StatusView::from(&entry.status),
            running: tally.running,
            jobs: tally.jobs,
            watch: entry.server.watch.iter().map(ToString::to_string).collect(),
            key: entry.key,
            demo: entry.demo,
            unreadable: entry.diagnostics.unreadable,
            diagnostics: entry.diagnostics.rows(),
            clock_ahead: i64::try_from(entry.clock_ahead().as_millis()).unwrap_or_default(),
        }
    }

    pub(super) fn report_notifications(&mut self, problem: Option<String>) {
        if self.health.notifications != problem {
            if let Some(problem) = &problem {
                tracing::warn!("{problem}");
            }
            self.health.notifications = problem;
            self.views.overview_changed();
        }
    }

    /// Tells the window what has changed, if it is time to.
    pub(super) fn tick_window(&mut self) {
        let now = Instant::now();
        if self.window_deadline(now).is_none_or(|due| due > now) {
            return;
        }
        let views = &mut self.views;
        let Some(window) = views.window.clone() else { return };
        let mut tick = Tick { open: views.wanted.take(), ..Tick::default() };
        if views.overview
            && views.overview_notified_at.is_none_or(|notified_at| notified_at + REMIND <= now)
        {
            tick.overview = true;
            views.overview_notified_at = Some(now);
        }
        for (number, view) in &mut views.open {
            if view.ready(now).is_none_or(|ready| ready > now) {
                continue;
            }
            if let ViewKind::Jobs(index) = &mut view.kind
                && index.refresh(&self.jobs, view.first, view.count)
            {
                view.dirty = true;
                view.version += 1;
            }
            if view.dirty {
                view.notified_at = Some(now);
                tick.views.push(*number);
            }
        }
        if tick != Tick::default() {
            views.last = Some(now);
            window.tick(&tick);
        }
    }

    /// When the window is to be told something.
    pub(super) fn window_deadline(&self, now: Instant) -> Option<Instant> {
        let views = &self.views;
        views.window.as_ref()?;
        let overview = views.overview.then(|| {
            views.overview_notified_at.map_or(now, |notified_at| now.max(notified_at + REMIND))
        });
        let open = views.wanted.as_ref().map(|_| now);
        let ready = views.open.values().filter_map(|view| view.ready(now));
        let due = ready.chain(overview).chain(open).min()?;
        Some(views.last.map_or(due, |last| due.max(last + PACE)))
    }
}
