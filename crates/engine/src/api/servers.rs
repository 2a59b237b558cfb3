//! Servers as they are listed and as the user fills them in. A key travels beside its server, never in it.

use jobwatch_core::connection::{ConnectionState, Remedy};
use jobwatch_core::server::KeyPlacement;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One server as listed.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct ServerView {
    /// Identity inside Jobwatch.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The dialect's word (`triggerx`, `study-buddy`, `analyzer`, `kecs`, `bull-board`).
    pub dialect: String,
    /// The dialect's name for people.
    pub dialect_title: String,
    /// What the badge shows.
    pub status: StatusView,
    /// Running jobs.
    pub running: u32,
    /// Known jobs.
    pub jobs: u32,
    /// What is watched, as `job:ID`, `queue:NAME`, `user:ID`, `all`.
    pub watch: Vec<String>,
    /// Where its key is.
    pub key: KeyState,
    /// Whether it belongs to the embedded demo.
    pub demo: bool,
    /// Messages that could not be understood, since the program started.
    pub unreadable: u32,
    /// The latest of what it complained of, and of what could not be understood; newest first.
    pub diagnostics: Vec<DiagnosticRow>,
    /// By how many ms the server's clock is ahead of ours, where that is known; else 0.
    #[ts(type = "number")]
    pub clock_ahead: i64,
}

/// Something that a server complained of, or that could not be understood.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct DiagnosticRow {
    /// Whether the server complained; otherwise a message could not be understood.
    pub from_server: bool,
    /// What it is, in a sentence.
    pub text: String,
    /// The beginning of what was received.
    pub sample: Option<String>,
    /// When last.
    #[ts(type = "number")]
    pub at: i64,
    /// How often, since the program started.
    pub count: u32,
}

/// Where a server's key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum KeyState {
    /// None was given.
    None,
    /// The keyring is being asked; it may be showing a prompt.
    Waiting,
    /// In the keyring.
    Stored,
    /// In memory until the program ends.
    Session,
    /// In the keyring, which is locked or does not answer.
    Locked,
    /// One was stored, but there is no keyring now.
    Missing,
}

/// See `jobwatch_core::connection::Status`.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct StatusView {
    /// Which of the seven.
    pub link: ConnectionState,
    /// Since when.
    #[ts(type = "number")]
    pub since: i64,
    /// When anything was last heard.
    #[ts(type = "number | null")]
    pub last_heard: Option<i64>,
    /// When the socket is tried next.
    #[ts(type = "number | null")]
    pub next_try: Option<i64>,
    /// Failed attempts so far.
    pub attempt: u32,
    /// Why, in a sentence.
    pub reason: Option<String>,
    /// Why not all jobs are shown, in a sentence, where `reason` is about something else.
    pub incomplete: Option<String>,
    /// The one thing to do about it.
    pub remedy: Option<Remedy>,
}

/// A server as the user fills it in. The key travels beside it, never in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct ServerDraft {
    /// Of an existing server, or none for a new one.
    pub id: Option<String>,
    /// What people call it; host and port where empty.
    pub name: String,
    /// The dialect's word.
    pub dialect: String,
    /// The socket's URL.
    pub ws: String,
    /// The HTTP base; derived where empty.
    pub api: String,
    /// What to watch, as `job:ID`, `queue:NAME`, `user:ID`, `all`.
    pub watch: Vec<String>,
    /// Where the key goes when not where the dialect puts it.
    pub key_placement: Option<KeyPlacement>,
    /// Socket.IO namespace, when not the dialect's.
    pub namespace: String,
    /// Settings only this dialect knows.
    pub options: Vec<(String, String)>,
    /// Path of a PEM file with further certificate authorities.
    pub extra_ca: String,
    /// The token that stands for a key, by its number, where the user has signed in.
    #[serde(default)]
    pub sign_in: Option<u32>,
}

/// What to do with the key when a server is saved or tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum KeyChange {
    /// Leave it as it is.
    Keep,
    /// Put the given one in the keyring.
    Store,
    /// Keep the given one until the program ends.
    Session,
    /// Forget it.
    Forget,
}
