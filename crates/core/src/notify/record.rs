//! Notices as they are handed to the history and come back from it.

use std::sync::Arc;

use super::Notice;
use super::decision::Decision;
use crate::jobs::Transition;
use crate::model::Job;
use crate::notify::Tone;

/// A notice to be written, once.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// What it says.
    pub notice: Notice,
    /// The transition it reports, written in the same transaction.
    pub step: Option<Transition>,
    /// The job as it was when that happened: it is written with the transition, and its rules'
    /// programs get it.
    pub job: Option<Arc<Job>>,
    /// See [`StoredNotice::mark`].
    pub mark: Option<String>,
    /// Whether it happened while the program was off.
    pub away: bool,
    /// Whether it counts as read from the start, because the job is on screen.
    pub read: bool,
    /// The notices that it sums up. They need no popup from then on.
    pub covers: Vec<i64>,
    /// What the user's rules decided, written in the same transaction.
    pub decision: Option<Arc<Decision>>,
}

impl Announcement {
    /// A notice of something that happens now, without a job or a mark.
    #[must_use]
    pub fn of(notice: Notice) -> Announcement {
        let (away, read) = (false, false);
        let (step, job, mark, decision, covers) = (None, None, None, None, Vec::new());
        Announcement { notice, step, job, mark, away, read, covers, decision }
    }
}

/// A notice with its number and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredNotice {
    /// Its number: positive in the file, negative while the disk refuses it.
    pub id: i64,
    /// What it says.
    pub notice: Notice,
    /// Whether the user has read it.
    pub read: bool,
    /// Whether the user has dismissed it.
    pub dismissed: bool,
    /// Whether its popup was shown, or it was decided that there is none.
    pub shown: bool,
    /// What the programs of its rules printed, and how they ended.
    pub output: Option<String>,
    /// The popup that shows it, noted before the desktop got that popup. `None` for a notice that
    /// was never on its way there.
    pub popup: Option<HandedPopup>,
    /// The summary that covers it.
    pub summary: Option<i64>,
    /// What the user's rules decided when it happened; `None` for a server's own notices, for
    /// summaries, and for what earlier versions wrote.
    pub decision: Option<Arc<Decision>>,
    /// What makes a notice without a key the same when it comes again: the id that its server gave
    /// it, for instance.
    pub mark: Option<String>,
}

impl StoredNotice {
    /// A notice that was just written.
    #[must_use]
    pub fn new(id: i64, notice: Notice, read: bool) -> StoredNotice {
        let (dismissed, shown) = (false, false);
        let (output, popup, summary, decision, mark) = (None, None, None, None, None);
        StoredNotice { id, notice, read, dismissed, shown, output, popup, summary, decision, mark }
    }

    /// An announcement that was just written.
    #[must_use]
    pub fn announced(id: i64, what: &Announcement) -> StoredNotice {
        let (decision, mark) = (what.decision.clone(), what.mark.clone());
        StoredNotice { decision, mark, ..StoredNotice::new(id, what.notice.clone(), what.read) }
    }

    /// Whether it is worth a popup: as it was decided when it happened.
    ///
    /// A server's plain information is for the list, and so are its good news, what was read on the
    /// server, and what it says about a job: the outcome of the job rings, and it rings once.
    #[must_use]
    pub fn pops_up(&self) -> bool {
        let notice = &self.notice;
        match (&self.decision, &notice.trigger) {
            (Some(decision), _) => decision.pops_up(),
            // An earlier version wrote it because a rule matched.
            (None, Some(_)) => true,
            (None, None) => {
                let listed = match notice.tone {
                    Tone::Plain => true,
                    Tone::Good => self.mark.is_some(),
                    Tone::Bad | Tone::Warn => false,
                };
                notice.key.is_some() || !(listed || self.read || notice.job.is_some())
            }
        }
    }

    /// Whether it pops up even while popups are held back.
    #[must_use]
    pub fn breaks_through(&self) -> bool {
        self.decision.as_ref().is_some_and(|made| made.breaks_through())
    }
}

/// A popup that the desktop was handed, or was about to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandedPopup {
    /// Its number, below 2^63.
    pub popup_id: u64,
    /// How many notices it shows, this the newest of them or one before.
    pub count: usize,
}
