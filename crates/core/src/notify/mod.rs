//! Which events become notices, in what words, and when the user is shown them.

pub mod decision;
mod digest;
pub mod dnd;
mod family;
mod notice;
mod notifier;
pub mod popups;
mod record;
pub mod rules;
pub mod stats;
mod text;
mod watchers;
mod world;

pub use crate::headline::{explain, headline, says_nothing};
pub use crate::model::Tone;
pub use family::family;
pub use notice::{Notice, NoticeKey, Subject, Trigger};
pub use notifier::{Notifier, RECENT};
pub use record::{Announcement, HandedPopup, StoredNotice};
pub use text::{
    connection, format_counts, format_duration, list_failures, outcome, running, subject,
};
pub use watchers::Reach;
pub use world::{
    Attention, Button, Effect, Listed, PendingRun, RecentEvent, Servers, Settings, ShowPopup,
    Watch, World,
};

#[cfg(test)]
use text::tests;
