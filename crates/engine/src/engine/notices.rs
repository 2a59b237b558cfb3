//! What the window and the servers do with notices.

use std::sync::Arc;

use jobwatch_core::model::{Job, JobId, ServerNotice};
use jobwatch_core::notify::{self, Attention, Notice, Servers, family};
use jobwatch_core::server::ServerId;
use jobwatch_core::time::Now;

use super::Engine;
use super::draft_fields::invalid;
use super::facts::Facts;
use super::notify::{Changes, Notices};
use super::programs::trial;
use super::state::State;
use crate::api::{
    ErrorCode, Mute, MuteBy, MuteTarget, NoticeRule, OpenJob, RuleExample, RuleTrial, UserError,
    Wanted,
};
use crate::driver::ConnectionId;
use crate::history::Announcement;
use crate::programs::{LIMIT, run};

/// Of the events that a rule matches, so many are named.
const EXAMPLES: usize = 5;

impl Engine {
    /// What a rule would have notified of lately.
    ///
    /// # Errors
    /// When the rule cannot be used.
    pub async fn try_rule(&self, rule: NoticeRule) -> Result<RuleTrial, UserError> {
        self.request(move |state| state.try_rule(&rule)).await?
    }

    /// Runs a rule's programs on the last event that it matches; returns how each went.
    ///
    /// # Errors
    /// When the rule cannot be used or runs nothing, or nothing has happened yet.
    pub async fn run_rule(&self, rule: NoticeRule) -> Result<Vec<String>, UserError> {
        Ok(self.request(move |state| state.plan_run(&rule)).await??.await)
    }
}

impl State {
    /// Has the notices handle something, and does what follows from that.
    pub(super) fn notify<T>(
        &mut self,
        handle: impl FnOnce(&mut Notices, Now, &dyn Servers) -> T,
    ) -> T {
        let now = self.clock.now();
        let facts = Facts { servers: &self.servers, jobs: &self.jobs };
        let answer = handle(&mut self.notices, now, &facts);
        let changes = self.notices.perform(now, &facts);
        self.follow(changes);
        answer
    }

    /// Does what follows from what the notices have handled.
    fn follow(&mut self, changes: Changes) {
        if changes.list {
            self.views.notices_changed();
        }
        if changes.overview {
            self.views.overview_changed();
        }
        for (id, program, input) in changes.programs {
            let task = run(program, input, LIMIT, self.tasks.clients(None));
            self.beside(task, move |state, output| {
                state.notify(|notices, _, _| notices.ran(id, output));
            });
        }
    }

    /// Does what is due about notices.
    pub(super) fn notify_if_due(&mut self) {
        let now = self.clock.now().mono;
        if self.notices.deadline().is_some_and(|due| due <= now) {
            self.notify(|_, _, _| ());
        }
    }

    /// Until when popups are held back, in ms since 1970; `None` while they are not.
    pub(super) fn quiet_until(&self) -> Option<i64> {
        self.notices.quiet_until(self.clock.now())
    }

    /// The user has this in front of them.
    pub(super) fn attend(&mut self, focused: bool, job: Option<OpenJob>) {
        let job = job.filter(|_| focused);
        let job = job.map(|open| (ServerId(open.server), JobId::from(open.job)));
        self.notify(|notices, _, _| notices.attend(Attention { focused, job }));
    }

    /// The job that a notice is about, as it is now: for what can be done with it, and for nothing
    /// that was decided.
    pub(super) fn job_of(&self, notice: &Notice) -> Option<&Arc<Job>> {
        let connection = self.connection_of(&notice.server.0)?;
        self.jobs.job(connection, notice.job.as_ref()?)
    }

    /// What a rule would have notified of lately.
    fn try_rule(&self, rule: &NoticeRule) -> Result<RuleTrial, UserError> {
        let rule = rule.rule().map_err(invalid)?;
        let matching =
            || self.notices.notifier().recent().filter(|recent| rule.matches(&recent.event));
        let examples = matching().take(EXAMPLES).map(|recent| RuleExample {
            title: recent.notice.title.clone(),
            server_name: recent.server_name.clone(),
            at: recent.notice.at.as_millisecond(),
        });
        let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
        Ok(RuleTrial {
            total: count(self.notices.notifier().recent().len()),
            matched: count(matching().count()),
            examples: examples.collect(),
        })
    }

    /// A run of a rule's programs on the last event that it matches, or on the last one of any job.
    fn plan_run(
        &mut self,
        rule: &NoticeRule,
    ) -> Result<impl Future<Output = Vec<String>> + Send + use<>, UserError> {
        let compiled = rule.rule().map_err(invalid)?;
        if rule.run.is_empty() && rule.post.is_empty() {
            return Err(invalid("The rule runs no program and posts nowhere."));
        }
        let clients = self.tasks.clients(None);
        let recent = self.notices.notifier().last(&compiled).ok_or_else(|| UserError {
            code: ErrorCode::NotFound,
            message: "Nothing has happened yet that it could be tried on.".to_owned(),
        })?;
        Ok(trial(rule, recent, clients))
    }

    /// What is to be muted, by what a notice or a job says of itself.
    pub(super) fn mute_of(&self, what: &MuteTarget, by: MuteBy) -> Result<Mute, UserError> {
        let missing =
            |message: &str| UserError { code: ErrorCode::NotFound, message: message.to_owned() };
        let (server, name, error, queue) = match what {
            MuteTarget::Notice { id } => {
                let gone = || missing("This notice is not there any more, so it cannot be muted.");
                let stored = self.notices.inbox().by_id(*id).ok_or_else(gone)?;
                let about = stored.notice.subject.as_ref();
                let queue = stored.decision.as_ref().and_then(|made| made.event.queue.clone());
                let name = about.map(|about| about.name.clone());
                (stored.notice.server.0.clone(), name, about.map(|a| a.error.clone()), queue)
            }
            MuteTarget::Job { server, job } => {
                let gone = || missing("This job is not known any more, so it cannot be muted.");
                let connection = self.connection_of(server).ok_or_else(gone)?;
                let job = self.jobs.job(connection, &job.as_str().into()).ok_or_else(gone)?;
                let about = notify::subject(job);
                (server.clone(), Some(about.name), Some(about.error), job.queue.clone())
            }
        };
        let some = |text: Option<String>| text.filter(|text| !text.is_empty());
        let mut mute = Mute { server, ..Mute::default() };
        match by {
            MuteBy::Name => mute.name = some(name),
            MuteBy::Error => mute.error = some(error).map(|error| family(&error)),
            MuteBy::Queue => mute.queue = some(queue),
        }
        if (&mute.name, &mute.error, &mute.queue) == (&None, &None, &None) {
            return Err(missing(match by {
                MuteBy::Name => "It is not about a job, so there is no job to mute.",
                MuteBy::Error => "It has no error that could be muted.",
                MuteBy::Queue => "Its queue is not known, so it cannot be muted.",
            }));
        }
        Ok(mute)
    }

    /// Hands a server's own notice to the history.
    pub(super) fn server_notice(&mut self, connection: ConnectionId, from: ServerNotice, now: Now) {
        let Some(entry) = self.entry(connection) else { return };
        let clean = |text: &str| entry.redactor.clean_prefix(text, 2_000);
        let at = from.at.unwrap_or(now.wall);
        let title = if from.title.trim().is_empty() { &entry.server.name } else { &from.title };
        let mark = from.id.clone().or_else(|| {
            // Without an id, the same words at the same time are the same notice.
            from.at.map(|at| format!("{at} {} {}", from.title, from.text))
        });
        let mark = mark.map(|mark| entry.redactor.clean(&mark));
        let notice = Notice {
            key: None,
            server: entry.server.id.clone(),
            job: from.job,
            title: clean(title),
            body: clean(&from.text),
            tone: from.tone,
            at,
            subject: None,
            trigger: None,
        };
        let announcement = Announcement { mark, read: from.read, ..Announcement::of(notice) };
        self.notify(|notices, _, _| notices.announce(announcement));
    }

    /// Somebody has read a server's own notice with this id on the server.
    pub(super) fn notice_read(&mut self, connection: ConnectionId, id: &str) {
        let Some(entry) = self.entry(connection) else { return };
        let (server, mark) = (entry.server.id.clone(), entry.redactor.clean(id));
        self.notify(|notices, _, _| notices.read_on_server(&server, mark));
    }

    /// Shows a job, or its log, and marks its notices as read. A link may name it in other ways than
    /// by its id.
    pub(super) fn open_job(&mut self, mut open: OpenJob, log: bool) {
        match self.resolve(&open) {
            Ok(job) => open.job = job,
            Err(message) => return self.views.ask_to_open(Wanted::Nothing { message }),
        }
        let (server, job) = (ServerId(open.server.clone()), open.job.as_str().into());
        self.notify(|notices, _, _| notices.opened(&server, &job));
        self.views.ask_to_open(Wanted::Job { server: open.server, job: open.job, log });
    }
}
