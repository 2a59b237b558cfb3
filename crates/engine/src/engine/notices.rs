//! What the window and the servers do with notices.

use jobwatch_core::model::ServerNotice;
use jobwatch_core::notify::{self, Notice, family};
use jobwatch_core::server::ServerId;
use jobwatch_core::time::Now;

use super::Engine;
use super::draft_fields::invalid;
use super::state::State;
use crate::api::{
    ErrorCode, Mute, MuteBy, MuteTarget, NoticeRule, OpenJob, RuleExample, RuleTrial, UserError,
    Wanted,
};
use crate::driver::ConnectionId;
use crate::history::Announcement;

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
    /// What a rule would have notified of lately.
    fn try_rule(&self, rule: &NoticeRule) -> Result<RuleTrial, UserError> {
        let rule = rule.rule().map_err(invalid)?;
        let matching = || self.notifier.recent().filter(|recent| rule.matches(&recent.event));
        let examples = matching().take(EXAMPLES).map(|recent| RuleExample {
            title: recent.notice.title.clone(),
            server_name: recent.server_name.clone(),
            at: recent.notice.at.as_millisecond(),
        });
        let count = |many: usize| u32::try_from(many).unwrap_or(u32::MAX);
        Ok(RuleTrial {
            total: count(self.notifier.recent().len()),
            matched: count(matching().count()),
            examples: examples.collect(),
        })
    }

    /// What is to be muted, by what a notice or a job says of itself.
    pub(super) fn mute_of(&self, what: &MuteTarget, by: MuteBy) -> Result<Mute, UserError> {
        let missing =
            |message: &str| UserError { code: ErrorCode::NotFound, message: message.to_owned() };
        let (server, name, error, queue) = match what {
            MuteTarget::Notice { id } => {
                let gone = || missing("This notice is not there any more, so it cannot be muted.");
                let stored = self.inbox.by_id(*id).ok_or_else(gone)?;
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
        let server = notice.server.clone();
        let known = mark.as_ref().filter(|_| from.read).cloned();
        let read = from.read;
        self.history.announce(Announcement { mark, read, ..Announcement::of(notice) });
        if let Some(mark) = known {
            self.read_on_server(&server, mark);
        }
    }

    /// Somebody has read a server's own notice with this id on the server.
    pub(super) fn notice_read(&mut self, connection: ConnectionId, id: &str) {
        let Some(entry) = self.entry(connection) else { return };
        let (server, mark) = (entry.server.id.clone(), entry.redactor.clean(id));
        self.read_on_server(&server, mark);
    }

    fn read_on_server(&mut self, server: &ServerId, mark: String) {
        if let Some(id) = self.inbox.read_on_server(server, mark) {
            self.mark_read(vec![id], true);
        }
    }

    pub(super) fn mark_read(&mut self, ids: Vec<i64>, read: bool) {
        self.inbox.mark_read(&ids, read);
        self.history.read(ids, read);
        self.views.notices_changed();
    }

    pub(super) fn mark_all_read(&mut self) {
        self.inbox.mark_all_read();
        self.history.read_all();
        self.views.notices_changed();
    }

    pub(super) fn dismiss(&mut self, ids: Vec<i64>, dismissed: bool) {
        self.inbox.dismiss(&ids, dismissed);
        self.history.dismiss(ids, dismissed);
        self.views.notices_changed();
    }

    /// Shows a job, or its log, and marks its notices as read. A link may name it in other ways than
    /// by its id.
    pub(super) fn open_job(&mut self, mut open: OpenJob, log: bool) {
        match self.resolve(&open) {
            Ok(job) => open.job = job,
            Err(message) => return self.views.ask_to_open(Wanted::Nothing { message }),
        }
        let ids = self.inbox.about(&open.server, &open.job);
        if !ids.is_empty() {
            self.mark_read(ids, true);
        }
        let (server, job) = (ServerId(open.server.clone()), open.job.as_str().into());
        self.notify(|notifier, _, _| notifier.opened(&server, &job));
        self.views.ask_to_open(Wanted::Job { server: open.server, job: open.job, log });
    }
}
