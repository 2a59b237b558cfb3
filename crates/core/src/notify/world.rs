//! What goes into the notifier and comes out of it, as values.

use std::sync::Arc;

use jiff::SignedDuration;

use super::Notice;
use super::decision::{ActiveRule, Decision};
use super::dnd::{DoNotDisturb, Muted};
use super::record::{Announcement, StoredNotice};
use super::rules::Event;
use super::watchers::Reach;
use crate::model::{Job, JobId};
use crate::server::ServerId;

/// What the notifier may ask, as it is now.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The servers and their jobs.
    pub servers: &'a dyn Servers,
    /// The notices that are listed.
    pub inbox: &'a dyn Listed,
}

/// What the notifier may ask about servers and their jobs.
pub trait Servers {
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
    /// Whether the server would run a job again.
    fn can_retry(&self, server: &ServerId, job: &JobId) -> bool;
}

/// What the notifier may ask about the notices that are listed.
pub trait Listed {
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
    /// Whether popups make a sound, where the desktop has sounds.
    pub sound: bool,
    /// Whether popups of failures stay on the screen until the user has dealt with them.
    pub urgent_failures: bool,
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
    /// Write this to the history, once. It comes back by [`super::Notifier::recorded`].
    Record(Box<Announcement>),
    /// Pass this notice to whoever reads the stream of events.
    Publish(Box<Notice>),
    /// Note that this popup is on its way, show it, then note that its notices were shown.
    Show(Box<ShowPopup>),
    /// Take this popup from the screen.
    Withdraw(u64),
    /// Note that these notices need no popup any more.
    Shown(Vec<i64>),
    /// Dismiss these notices.
    Dismiss(Vec<i64>),
    /// Run the programs of a notice's rules.
    Run(Box<PendingRun>),
}

/// A popup that is to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ShowPopup {
    /// Its number: it replaces one with the same number in place.
    pub popup_id: u64,
    /// The newest notice that it shows.
    pub id: i64,
    /// The notices that it shows and no popup has shown before.
    pub ids: Vec<i64>,
    /// How many notices it shows, with those of the popups it replaces in place.
    pub count: usize,
    /// What it says. `job` is set where it is about one job alone.
    pub notice: Notice,
    /// What it offers, in addition to opening what it is about.
    pub buttons: Vec<Button>,
    /// Whether it makes a sound.
    pub sound: bool,
    /// Whether it stays on the screen until the user has dealt with it.
    pub urgent: bool,
}

/// What a popup offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// To open the job's log.
    Log,
    /// To have the server run the job again, which it would accept.
    Retry,
    /// To mute jobs of this name.
    MuteJob,
    /// To mute failures with this error.
    MuteError,
    /// To have no popups for an hour.
    Snooze,
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
