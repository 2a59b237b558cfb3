//! What goes into the notifier and comes out of it, as values.

use std::sync::Arc;

use jiff::SignedDuration;

use super::Notice;
use super::decision::{ActiveRule, Decision};
use super::dnd::{DoNotDisturb, Muted};
use super::popups::Popup;
use super::record::{Announcement, StoredNotice};
use super::rules::Event;
use super::watchers::Reach;
use crate::model::{Job, JobId};
use crate::server::ServerId;

/// What the notifier may ask about servers, jobs and notices as they are now.
pub trait World {
    /// A server's name; `None` where there is no such server any more.
    fn server_name(&self, server: &ServerId) -> Option<&str>;
    /// Whether a server has listed everything that is watched since the program started.
    fn has_listed(&self, server: &ServerId) -> bool;
    /// Visits each server with the state of its connection.
    fn connections(&self, visit: &mut dyn FnMut(&ServerId, Reach<'_>));
    /// Visits the jobs that run on servers that answer, with how far ahead their server's clock is.
    fn running(&self, visit: &mut dyn FnMut(&ServerId, &Arc<Job>, SignedDuration));
    /// A job as it is now.
    fn job(&self, server: &ServerId, job: &JobId) -> Option<Arc<Job>>;
    /// How the user watches a job.
    fn watch(&self, server: &ServerId, job: &Job) -> Watch;
    /// Whether the user has read a notice.
    fn is_read(&self, notice: i64) -> bool;
    /// The notices that a summary covers, oldest first; none where it is no summary.
    fn covered_by(&self, summary: &StoredNotice) -> Vec<StoredNotice>;
    /// The newest `count` notices that a popup showed, oldest first.
    fn shown_by(&self, popup_id: u64, count: usize) -> Vec<(i64, Notice)>;
}

/// How the user watches a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Whether a topic that the user watches holds it.
    pub watched: bool,
    /// Whether the user watches this very job, or all of its user.
    pub closely: bool,
}

/// The user's choices.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The rules that are on.
    pub rules: Vec<ActiveRule>,
    /// What gets no popups.
    pub muted: Vec<Muted>,
    /// When popups wait. Whether the desktop is set not to disturb is set apart.
    pub dnd: DoNotDisturb,
    /// Whether there are popups at all.
    pub popups: bool,
}

/// What the user has in front of them.
#[derive(Clone, Debug, Default)]
pub struct Attention {
    /// Whether the user works in the window.
    pub focused: bool,
    /// The job that is open there.
    pub job: Option<(ServerId, JobId)>,
}

impl Attention {
    pub(super) fn sees(&self, server: &ServerId, job: Option<&JobId>) -> bool {
        self.job.as_ref().is_some_and(|(on, open)| on == server && Some(open) == job)
    }
}

/// Something that is to be done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Write this to the history, once. It comes back by [`Notifier::recorded`].
    Record(Box<Announcement>),
    /// Pass this notice to whoever reads the stream of events.
    Publish(Box<Notice>),
    /// Note that this popup is on its way, show it, then note that its notices were shown.
    Show(Popup),
    /// Take this popup from the screen.
    Withdraw(u64),
    /// Note that these notices need no popup any more.
    Shown(Vec<i64>),
    /// Dismiss these notices.
    Dismiss(Vec<i64>),
    /// Run the programs of a notice's rules.
    Run(PendingRun),
}

/// The programs of a notice's rules, as they were decided, and what they are about.
#[derive(Clone, Debug)]
pub struct PendingRun {
    /// The notice's number.
    pub id: i64,
    /// The notice.
    pub notice: Notice,
    /// Its server's name.
    pub server_name: String,
    /// Its job as it was when it happened.
    pub job: Option<Arc<Job>>,
    /// What was decided.
    pub decision: Arc<Decision>,
}

/// Something that happened lately.
#[derive(Clone, Debug)]
pub struct RecentEvent {
    /// The event, as rules know it.
    pub event: Event,
    /// The notice of it, or what it would have been.
    pub notice: Notice,
    /// Its server's name then.
    pub server_name: String,
    /// Its job as it was then.
    pub job: Option<Arc<Job>>,
}
