//! What the window shows around its lists, and what it is told when something changes.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{Preferences, ServerView};

/// Everything outside the lists: servers, counts, how the surroundings do.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct Overview {
    /// In the user's order.
    pub servers: Vec<ServerView>,
    /// Jobs running on all servers.
    pub running: u32,
    /// Jobs known on all servers.
    pub jobs: u32,
    /// Notices not yet read.
    pub unread: u32,
    /// How notifications, the keyring and the history do.
    pub health: Health,
    /// The user's choices.
    pub preferences: Preferences,
    /// Until when popups are held back, in ms since 1970; `null` while they are not.
    #[ts(type = "number | null")]
    pub quiet_until: Option<i64>,
    /// Whether the desktop is set not to disturb, so that popups are held back.
    pub desktop_quiet: bool,
    /// Whether the embedded demo server is running.
    pub demo: bool,
}

/// How the program's surroundings do: `null` when well, else a sentence for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct Health {
    /// Popups cannot be shown.
    pub notifications: Option<String>,
    /// Keys cannot be kept.
    pub keyring: Option<String>,
    /// History cannot be written.
    pub history: Option<String>,
    /// Logs cannot be written.
    pub logs: Option<String>,
    /// The settings file could not be read or written.
    pub settings: Option<String>,
}

/// What has changed since the last tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct Tick {
    /// The overview.
    pub overview: bool,
    /// Views whose visible rows, total or counts changed.
    pub views: Vec<u32>,
    /// What the window is asked to show (a popup was clicked).
    pub open: Option<Wanted>,
}

/// What the window is asked to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub enum Wanted {
    /// A job, and of it the log.
    Job { server: String, job: String, log: bool },
    /// The list of notices.
    Notices,
    /// Why what was wanted cannot be shown.
    Nothing { message: String },
}

/// A job the window is asked to show, or the one it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub struct OpenJob {
    pub server: String,
    pub job: String,
}
