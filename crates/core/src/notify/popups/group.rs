//! Notices that share a popup.

use std::time::Duration;

use crate::model::JobState;
use crate::notify::rules::EventKind;
use crate::notify::text::NAMED;
use crate::notify::{Notice, Tone, family};
use crate::server::ServerId;
use crate::time::Mono;

/// A popup stands for so long before it is replaced for the first time.
const STANDS: Duration = Duration::from_secs(2);
/// Later it is replaced once nothing was added for this long.
const QUIET: Duration = Duration::from_millis(1_500);
/// While more is added all the time, it is replaced after this long.
const LONGEST: Duration = Duration::from_secs(10);
/// A notice that came alone shares its popup with what comes this soon after it.
const SOON: Duration = Duration::from_secs(5);
/// From so many notices on, a group takes what comes within [`MERGES`].
const MANY: usize = 3;
/// See [`MANY`].
pub(super) const MERGES: Duration = Duration::from_secs(30);

/// Which notices share a popup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GroupKind {
    /// Outcomes of one sort: failures by the family of their error, others by the job's name.
    Outcome(Tone, String),
    /// Jobs of one name that began, or are slow.
    Running(usize, String),
    /// The server's connection.
    Connection,
    /// Whatever did not fit.
    Rest,
    /// A notice that is like no other.
    Alone,
}

/// What happened to jobs, in the words for one and for several; the order is that of
/// [`Group::counts`].
pub(super) const REPORTED: [(&str, &str); 7] = [
    ("completed", "completed"),
    ("failed", "failed"),
    ("cancelled", "were cancelled"),
    ("with unknown outcome", "have disappeared, outcome unknown"),
    ("started", "started"),
    ("unusually slow", "take unusually long"),
    ("of the server itself", ""),
];
pub(super) const FAILED: usize = 1;
/// From this one on they are not about ends.
pub(super) const ENDS: usize = 4;
pub(super) const OTHER: usize = 6;

fn reported(notice: &Notice) -> usize {
    match (
        notice.key.as_ref().map(|key| &key.outcome),
        notice.trigger.as_ref().map(|trigger| trigger.kind),
    ) {
        (Some(JobState::Completed), _) => 0,
        (Some(JobState::Failed), _) => FAILED,
        (Some(JobState::Cancelled), _) => 2,
        (Some(_), _) => 3,
        (_, Some(EventKind::Started)) => 4,
        (_, Some(EventKind::Slow)) => 5,
        _ => OTHER,
    }
}

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) popup_id: u64,
    pub(super) server: ServerId,
    pub(super) server_name: String,
    pub(super) kind: GroupKind,
    pub(super) newest: Notice,
    /// What all of them are called, where that is the same.
    pub(super) name: Option<String>,
    pub(super) counts: [usize; REPORTED.len()],
    pub(super) failures: Vec<String>,
    pub(super) waiting: Vec<i64>,
    pub(super) added: Mono,
    pub(super) shown: Option<Mono>,
    /// How often it was shown, up to two.
    pub(super) times: u8,
    /// Whether a popup with its number stands on the screen, as far as the desktop has said.
    pub(super) stands: bool,
    /// What was shown by popups that were folded into this one.
    pub(super) earlier: [usize; REPORTED.len()],
}

impl Group {
    pub(super) fn new(
        popup_id: u64,
        server: ServerId,
        server_name: &str,
        kind: GroupKind,
        notice: &Notice,
        now: Mono,
    ) -> Group {
        Group {
            popup_id,
            server,
            server_name: server_name.to_owned(),
            kind,
            newest: notice.clone(),
            name: None,
            counts: [0; REPORTED.len()],
            failures: Vec::new(),
            waiting: Vec::new(),
            added: now,
            shown: None,
            times: 0,
            stands: false,
            earlier: [0; REPORTED.len()],
        }
    }

    pub(super) fn count(&self) -> usize {
        self.counts.iter().sum()
    }

    pub(super) fn add(&mut self, id: i64, notice: Notice, now: Mono) {
        let name = notice.subject.as_ref().map(|subject| subject.name.as_str());
        if self.count() == 0 {
            self.name = name.map(str::to_owned);
        } else if self.name.as_deref() != name {
            self.name = None;
        }
        self.counts[reported(&notice)] += 1;
        if notice.tone == Tone::Bad && self.failures.len() < NAMED {
            self.failures.push(notice.title.clone());
        }
        self.waiting.push(id);
        self.newest = notice;
        self.added = now;
    }

    pub(super) fn absorb(&mut self, other: Group) {
        if self.name != other.name {
            self.name = None;
        }
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        let room = NAMED.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
        self.waiting.extend(other.waiting);
        self.added = self.added.max(other.added);
        add_up(&mut self.earlier, &other.earlier);
    }

    /// Counts another popup's notices as shown earlier.
    pub(super) fn fold(&mut self, other: Group) {
        add_up(&mut self.earlier, &other.counts);
        add_up(&mut self.earlier, &other.earlier);
        self.waiting.extend(other.waiting);
    }

    /// Whether what comes now belongs to it.
    pub(super) fn takes_more(&self, now: Mono) -> bool {
        let span = if self.count() >= MANY { MERGES } else { SOON };
        !self.waiting.is_empty() || now.since(self.added) < span
    }

    /// When its next popup is due; `None` while it has nothing new.
    pub(super) fn due(&self) -> Option<Mono> {
        if self.waiting.is_empty() {
            return None;
        }
        Some(match self.shown {
            None => self.added,
            Some(shown) if self.times < 2 => shown.after(STANDS),
            Some(shown) => {
                self.added.after(QUIET).max(shown.after(STANDS)).min(shown.after(LONGEST))
            }
        })
    }
}

fn add_up(sums: &mut [usize; REPORTED.len()], more: &[usize; REPORTED.len()]) {
    for (sum, more) in sums.iter_mut().zip(more) {
        *sum += more;
    }
}

/// With which others a notice shares a popup.
pub(super) fn group_kind(notice: &Notice) -> GroupKind {
    match (&notice.key, &notice.subject) {
        (Some(_), Some(about)) if notice.tone == Tone::Bad => {
            GroupKind::Outcome(notice.tone, family(&about.error))
        }
        (Some(_), about) => {
            let name = about.as_ref().map(|about| about.name.clone());
            GroupKind::Outcome(notice.tone, name.unwrap_or_default())
        }
        (None, Some(about)) => GroupKind::Running(reported(notice), about.name.clone()),
        (None, None) if of_connection(notice) => GroupKind::Connection,
        (None, None) => GroupKind::Alone,
    }
}

/// Whether a notice is about a connection.
pub(super) fn of_connection(notice: &Notice) -> bool {
    notice.trigger.as_ref().is_some_and(|trigger| trigger.kind.of_connection())
}
