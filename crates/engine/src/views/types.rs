//! The types that cross to the page. Generated into TypeScript by the tests; times are
//! milliseconds since 1970, durations milliseconds, ids text. Nothing here can hold a secret.

pub use jobwatch_core::connection::ConnectionState;
use jobwatch_core::notify::dnd::Hours;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{LogFilter, LogRow, LogState, NoticeRule};

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

/// The user's choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
#[ts(export)]
pub struct Preferences {
    /// `system`, `light` or `dark`.
    pub theme: Theme,
    /// How large the window's page is drawn, in percent: 50 to 200, 100 as designed.
    pub zoom: u32,
    /// Whether popups are shown at all.
    pub popups: bool,
    /// Megabytes of logs kept of each server that has no number of its own (option
    /// `log_megabytes`); at least 16.
    pub log_megabytes: u32,
    /// Days after which the logs of ended jobs are dropped (of a server: option `log_days`); 0 for
    /// never.
    pub log_days: u32,
    /// Hours without popups.
    pub quiet_hours: Vec<QuietHours>,
    /// Whether failures are told in them all the same.
    pub quiet_lets_failures: bool,
    /// No popups until then, in ms since 1970.
    #[ts(type = "number | null")]
    pub snoozed_until: Option<i64>,
    /// What pops up no more.
    pub muted: Vec<Mute>,
    /// What the user wants to hear of.
    pub rules: Vec<NoticeRule>,
    /// Whether popups make a sound, where the desktop has sounds.
    pub sound: bool,
    /// Whether closing the window keeps the program in the tray.
    pub close_to_tray: bool,
    /// Keys that bring the window to the front from anywhere, such as `Ctrl+Alt+J`; empty for none.
    pub shortcut: String,
    /// The user knows what closing the window does.
    pub told_of_tray: bool,
    /// Whether popups about what went wrong stay on the screen until they are dealt with.
    pub critical_failures: bool,
}

impl Default for Preferences {
    fn default() -> Preferences {
        Preferences {
            theme: Theme::System,
            zoom: 100,
            popups: true,
            log_megabytes: 2_048,
            log_days: 90,
            quiet_hours: Vec::new(),
            quiet_lets_failures: false,
            snoozed_until: None,
            muted: Vec::new(),
            rules: NoticeRule::usual(),
            sound: true,
            close_to_tray: true,
            shortcut: String::new(),
            told_of_tray: false,
            critical_failures: false,
        }
    }
}

/// Some of the user's choices, to be changed; what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
#[ts(export, optional_fields)]
#[allow(missing_docs)]
pub struct PreferencesPatch {
    pub theme: Option<Theme>,
    pub zoom: Option<u32>,
    pub popups: Option<bool>,
    pub log_megabytes: Option<u32>,
    pub log_days: Option<u32>,
    pub quiet_hours: Option<Vec<QuietHours>>,
    pub quiet_lets_failures: Option<bool>,
    /// `null` ends a snooze.
    #[serde(with = "given")]
    #[ts(type = "number | null", optional)]
    pub snoozed_until: Option<Option<i64>>,
    /// All that is muted.
    pub muted: Option<Vec<Mute>>,
    /// What is muted besides.
    #[ts(as = "Option<Vec<Mute>>")]
    pub mute: Vec<Mute>,
    /// What is muted no longer.
    #[ts(as = "Option<Vec<Mute>>")]
    pub unmute: Vec<Mute>,
    pub rules: Option<Vec<NoticeRule>>,
    pub sound: Option<bool>,
    pub close_to_tray: Option<bool>,
    pub shortcut: Option<String>,
    pub told_of_tray: Option<bool>,
    pub critical_failures: Option<bool>,
}

/// What is there, though it be `null`, was given.
mod given {
    use serde::{Deserialize, Deserializer};

    pub(super) fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        T::deserialize(from).map(Some)
    }
}

impl PreferencesPatch {
    /// Changes what it says.
    pub fn apply(self, to: &mut Preferences) {
        fn set<T>(to: &mut T, from: Option<T>) {
            if let Some(value) = from {
                *to = value;
            }
        }
        set(&mut to.theme, self.theme);
        set(&mut to.zoom, self.zoom);
        set(&mut to.popups, self.popups);
        set(&mut to.log_megabytes, self.log_megabytes);
        set(&mut to.log_days, self.log_days);
        set(&mut to.quiet_hours, self.quiet_hours);
        set(&mut to.quiet_lets_failures, self.quiet_lets_failures);
        set(&mut to.snoozed_until, self.snoozed_until);
        set(&mut to.muted, self.muted);
        to.muted.retain(|muted| !self.unmute.contains(muted));
        for mute in self.mute {
            if !to.muted.contains(&mute) {
                to.muted.push(mute);
            }
        }
        set(&mut to.rules, self.rules);
        set(&mut to.sound, self.sound);
        set(&mut to.close_to_tray, self.close_to_tray);
        set(&mut to.shortcut, self.shortcut);
        set(&mut to.told_of_tray, self.told_of_tray);
        set(&mut to.critical_failures, self.critical_failures);
    }
}

impl From<Preferences> for PreferencesPatch {
    fn from(all: Preferences) -> PreferencesPatch {
        PreferencesPatch {
            theme: Some(all.theme),
            zoom: Some(all.zoom),
            popups: Some(all.popups),
            log_megabytes: Some(all.log_megabytes),
            log_days: Some(all.log_days),
            quiet_hours: Some(all.quiet_hours),
            quiet_lets_failures: Some(all.quiet_lets_failures),
            snoozed_until: Some(all.snoozed_until),
            muted: Some(all.muted),
            mute: Vec::new(),
            unmute: Vec::new(),
            rules: Some(all.rules),
            sound: Some(all.sound),
            close_to_tray: Some(all.close_to_tray),
            shortcut: Some(all.shortcut),
            told_of_tray: Some(all.told_of_tray),
            critical_failures: Some(all.critical_failures),
        }
    }
}

/// What is looked at when something is to be muted.
#[derive(Clone, Debug, PartialEq, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub enum MuteTarget {
    /// What a notice is about.
    Notice {
        #[ts(type = "number")]
        id: i64,
    },
    /// A job.
    Job { server: String, job: String },
}

/// What of it is muted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum MuteBy {
    /// Jobs of its name.
    Name,
    /// Failures with its error.
    Error,
    /// Jobs in its queue.
    Queue,
}

/// Something that pops up no more: jobs of a name, failures with an error, or jobs in a queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
#[ts(export)]
pub struct Mute {
    /// The server's id.
    pub server: String,
    /// What the jobs are called.
    pub name: Option<String>,
    /// The error, with `\u{2026}` for what differs from one time to the next.
    pub error: Option<String>,
    /// The queue.
    pub queue: Option<String>,
}

/// Hours of the day without popups, by the clock of this computer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct QuietHours {
    /// On which days they begin: `mon` to `sun`.
    pub days: Vec<String>,
    /// When they begin: `22:00`.
    pub from: String,
    /// When they end, on the next day where that is not later than they begin.
    pub to: String,
}

impl QuietHours {
    /// As core knows them; `None` where they cannot be read, or begin on no day.
    #[must_use]
    pub fn hours(&self) -> Option<Hours> {
        const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let day = |said: &String| DAYS.iter().position(|day| said.trim().eq_ignore_ascii_case(day));
        let mut days = [false; 7];
        for said in &self.days {
            days[day(said)?] = true;
        }
        let time = |text: &str| text.trim().parse().ok();
        let hours = Hours { days, from: time(&self.from)?, to: time(&self.to)? };
        days.contains(&true).then_some(hours)
    }
}

/// Light, dark, or as the system has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub enum Theme {
    System,
    Light,
    Dark,
}

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

/// The one thing that can be done about what is wrong with a connection: see
/// `jobwatch_core::connection::Remedy`, whose words on the command line are others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub enum Remedy {
    EnterKey,
    SignIn,
    SetApiUrl,
    SetSocketUrl,
    TrustCertificate,
    ChooseKind,
    Reconnect,
}

/// A job's state for the page: the canonical word, and the server's word where it has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct StateView {
    /// Which of the seven.
    pub kind: StateKind,
    /// The server's word, for `unknown`.
    pub name: Option<String>,
}

/// The seven kinds of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub enum StateKind {
    Queued,
    Scheduled,
    Running,
    Completed,
    Failed,
    Cancelled,
    Unknown,
}

/// What a view looks at.
#[derive(Clone, Debug, PartialEq, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[ts(export)]
pub enum ViewSpec {
    /// Jobs, newest activity first unless sorted otherwise.
    Jobs {
        /// Of one server, or of all.
        server: Option<String>,
        /// Of one queue, or of all.
        queue: Option<String>,
        /// In one of these states; empty for any.
        states: Vec<StateKind>,
        /// Whose name, id, queue, message or error holds this text, whatever the case.
        search: String,
        /// The order.
        sort: JobSort,
    },
    /// One job, whole.
    Job {
        /// On which server.
        server: String,
        /// Which.
        job: String,
    },
    /// The log of a job, or of several, merged by time.
    Log {
        /// Whose, at most 16.
        jobs: Vec<OpenJob>,
        /// Which lines.
        filter: LogFilter,
    },
    /// Queues of one server or of all.
    Queues {
        /// Which server.
        server: Option<String>,
    },
    /// Notices, newest first.
    Notices {
        /// Only those not yet read.
        unread: bool,
        /// Only bad news.
        failures: bool,
        /// Only those that hold this, whatever the case; empty for any.
        search: String,
        /// Groups are folded into their newest notice, but for these; `null`: none are.
        #[ts(type = "Array<number> | null")]
        expanded: Option<Vec<i64>>,
    },
    /// What came over the wire lately.
    Frames {
        /// On which server.
        server: String,
        /// Only what names this job.
        job: Option<String>,
    },
}

/// The order of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum JobSort {
    /// Running first, then by last change, newest first.
    Activity,
    /// Newest first.
    Created,
    /// By name.
    Name,
    /// Longest first.
    Duration,
}

/// The visible part of a view.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct ViewWindow {
    /// Which view.
    pub view: u32,
    /// Grows with every change of what the view looks at.
    #[ts(type = "number")]
    pub version: u64,
    /// Rows in all.
    #[ts(type = "number")]
    pub total: u64,
    /// The index of the first row here.
    #[ts(type = "number")]
    pub first: u64,
    /// The rows.
    pub rows: Rows,
}

/// How it stands with asking a server for a job that is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase")]
#[ts(export)]
pub enum JobLookup {
    /// Its answer is awaited.
    Asking,
    /// It does not know the job.
    Unknown,
    /// It gave no usable answer.
    Failed {
        /// Why, in a sentence.
        reason: String,
    },
}

/// Rows of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[ts(export)]
pub enum Rows {
    /// Of a `jobs` view.
    Jobs {
        /// The rows.
        rows: Vec<JobRow>,
        /// Jobs by state under the same filter, states aside.
        counts: Counts,
    },
    /// Of a `job` view; `null` when it is not known.
    Job {
        /// The job.
        detail: Option<Box<JobDetail>>,
        /// What its server said of it, where that was not the job.
        lookup: Option<JobLookup>,
    },
    /// Of a `log` view.
    Log {
        /// The rows.
        rows: Vec<LogRow>,
        /// The log as a whole.
        state: Box<LogState>,
    },
    /// Of a `queues` view.
    Queues {
        /// The rows.
        rows: Vec<QueueRow>,
    },
    /// Of a `notices` view.
    Notices {
        /// The rows.
        rows: Vec<NoticeRow>,
    },
    /// Of a `frames` view.
    Frames {
        /// The rows.
        rows: Vec<FrameRow>,
    },
}

/// Jobs by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub struct Counts {
    pub queued: u32,
    pub scheduled: u32,
    pub running: u32,
    pub completed: u32,
    pub failed: u32,
    pub cancelled: u32,
    pub unknown: u32,
}

/// One job in a list.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct JobRow {
    /// On which server.
    pub server: String,
    /// The server's name.
    pub server_name: String,
    /// Identity on its server.
    pub id: String,
    /// The id by which people know it: the one that the server's other tools show.
    pub shown_id: String,
    /// What names it alone, on the command line and in links: its id, or `QUEUE/ID`.
    pub naming: String,
    /// What to call it.
    pub name: String,
    /// The argument that tells it from others of its name: a file, an address, a subject.
    pub about: Option<String>,
    /// The queue.
    pub queue: Option<String>,
    /// Where it stands.
    pub state: StateView,
    /// 0 to 100.
    pub progress: Option<f64>,
    /// The progress in words where there is no number (`step: analysing`).
    pub stage: Option<String>,
    /// The last message; of a job that failed, the line of its error that explains it.
    pub text: Option<String>,
    /// Created.
    #[ts(type = "number | null")]
    pub created_at: Option<i64>,
    /// Started.
    #[ts(type = "number | null")]
    pub started_at: Option<i64>,
    /// Ended.
    #[ts(type = "number | null")]
    pub finished_at: Option<i64>,
    /// Attempt n.
    pub attempt: Option<u32>,
    /// Of m.
    pub max_attempts: Option<u32>,
    /// Whether the user asked for this job by name (and not only for a list it is in).
    pub watched: bool,
    /// Whether this is remembered and not confirmed since the program started.
    pub stale: bool,
    /// When it was last heard of.
    #[ts(type = "number")]
    pub heard_at: i64,
    /// What was lately asked of the server about it, and how that went.
    pub asked: Option<AskedView>,
}

/// Something that was asked of a server about a job.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct AskedView {
    /// What.
    pub action: ActionView,
    /// How it went.
    pub state: AskedState,
    /// Why it was refused, in a sentence.
    pub message: Option<String>,
    /// The run that came of it, where that is a job of its own.
    pub run: Option<String>,
}

/// How it went what was asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum AskedState {
    /// It has not answered yet.
    Asked,
    /// It accepted.
    Accepted,
    /// It refused, or nobody knows whether it did it.
    Refused,
}

/// One job, whole.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct JobDetail {
    /// What the list shows.
    pub row: JobRow,
    /// The job it belongs to.
    pub parent: Option<String>,
    /// Jobs that belong to it, at most 100.
    pub children: Vec<JobRow>,
    /// The server's second id.
    pub external_id: Option<String>,
    /// Whose it is.
    pub user: Option<String>,
    /// Last message.
    pub message: Option<String>,
    /// Error, without the stack.
    pub error: Option<String>,
    /// The stack.
    pub stack: Option<String>,
    /// Progress that is no number, as JSON text.
    pub detail: Option<String>,
    /// What it was given, as JSON text.
    pub data: Option<String>,
    /// What it returned, as JSON text.
    pub result: Option<String>,
    /// Everything else the server says of it, as JSON text by name.
    pub extra: Vec<(String, String)>,
    /// `socket`, `http` or `history`.
    pub source: String,
    /// What happened to it, oldest first.
    pub timeline: Vec<TimelineRow>,
    /// What the server would accept now.
    pub actions: Vec<ActionView>,
    /// Its metrics, each with its latest values.
    pub metrics: Vec<Series>,
    /// Lines in its log.
    #[ts(type = "number")]
    pub log_lines: u64,
}

/// One step of a job.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct TimelineRow {
    /// When.
    #[ts(type = "number")]
    pub at: i64,
    /// Which attempt.
    pub attempt: u32,
    /// The state it came from.
    pub from: Option<StateView>,
    /// The state it went to.
    pub to: StateView,
    /// Whether only the attempt failed, and the server may try again.
    pub attempt_failed: bool,
    /// The line of its error that explains it.
    pub error: Option<String>,
}

/// Something the server would accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub enum ActionView {
    Cancel,
    Retry,
}

/// A metric over time.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct Series {
    /// What it measures.
    pub name: String,
    /// In what unit.
    pub unit: Option<String>,
    /// (time, value), oldest first, at most 300.
    #[ts(type = "[number, number][]")]
    pub points: Vec<(i64, f64)>,
}

/// One queue.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
#[allow(missing_docs)]
pub struct QueueRow {
    pub server: String,
    pub server_name: String,
    pub name: String,
    pub paused: Option<bool>,
    #[ts(type = "number | null")]
    pub waiting: Option<u64>,
    #[ts(type = "number | null")]
    pub active: Option<u64>,
    #[ts(type = "number | null")]
    pub completed: Option<u64>,
    #[ts(type = "number | null")]
    pub failed: Option<u64>,
    #[ts(type = "number | null")]
    pub delayed: Option<u64>,
}

/// One notice.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct NoticeRow {
    /// Its number.
    #[ts(type = "number")]
    pub id: i64,
    /// On which server.
    pub server: String,
    /// The server's name.
    pub server_name: String,
    /// Which job a click opens.
    pub job: Option<String>,
    /// One line.
    pub title: String,
    /// The rest.
    pub body: String,
    /// `good`, `bad`, `warn` or `plain`.
    pub tone: String,
    /// When it happened.
    #[ts(type = "number")]
    pub at: i64,
    /// Whether it was read.
    pub read: bool,
    /// The rule that wanted it told; `null` where none did.
    pub rule: Option<String>,
    /// What the job is called; `null` for what is not about a job.
    pub name: Option<String>,
    /// Whether it tells of an error.
    pub failed: bool,
    /// The job's queue, as far as it is known.
    pub queue: Option<String>,
    /// What the server would accept for the job now.
    pub actions: Vec<ActionView>,
    /// What was lately asked of the server about the job, and how that went.
    pub asked: Option<AskedView>,
    /// What the programs of its rules printed.
    pub output: Option<String>,
    /// What names the group it belongs to; `null` where it is alone.
    #[ts(type = "number | null")]
    pub group: Option<i64>,
    /// Others of the same group that are folded into it.
    #[ts(type = "Array<number>")]
    pub folded: Vec<i64>,
}

/// One frame on the wire, secrets removed.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct FrameRow {
    /// Its number since the program started.
    #[ts(type = "number")]
    pub seq: u64,
    /// When.
    #[ts(type = "number")]
    pub at: i64,
    /// From the server, or to it.
    pub incoming: bool,
    /// `socket` or `http`.
    pub way: &'static str,
    /// The text, shortened beyond 4,096 characters.
    pub text: String,
    /// Its whole length in bytes.
    #[ts(type = "number")]
    pub bytes: u64,
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
    pub key_placement: Option<KeyPlacementView>,
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

/// See `jobwatch_core::server::KeyPlacement`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct KeyPlacementView {
    /// `query`, `header`, `cookie`, `auth` or `first-message`.
    pub place: String,
    /// The parameter, header, cookie or field.
    pub name: String,
    /// What stands before the key in a header.
    pub scheme: Option<String>,
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

/// One step of a connection test.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct TestStep {
    /// Which step.
    pub step: TestStepKind,
    /// How it went.
    pub state: StepState,
    /// What was found, or what went wrong and what can be done.
    pub text: String,
    /// What can be done about a step that went badly.
    pub remedy: Option<Remedy>,
}

/// The steps of a connection test, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum TestStepKind {
    /// The host answers.
    Reached,
    /// The WebSocket opens, and the server greets on it.
    Socket,
    /// The HTTP API answers as this kind of server does.
    Api,
    /// The key is accepted.
    Key,
    /// How many jobs are listed.
    Jobs,
}

/// How a step of a connection test went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum StepState {
    /// It is under way.
    Running,
    /// It was asked, and is so.
    Good,
    /// It was asked, and is not so.
    Bad,
    /// It is not needed here.
    NotNeeded,
}

/// What a connection test comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct TestVerdict {
    /// Whether the server works as it is.
    pub ok: bool,
    /// What a server that is saved as it is would lack, and until when; empty where it works.
    pub missing: String,
}

/// What is behind an address.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct ProbeView {
    /// The kinds of server that answer, the likeliest first.
    pub found: Vec<ProbeFound>,
    /// Which kind was chosen and why, or what is wrong, where, and what to do.
    pub text: String,
    /// Another address, which the user should confirm before it is taken.
    pub instead: Option<String>,
    /// The proxy through which it was asked, if any.
    pub proxy: Option<String>,
}

/// A kind of server that answers at an address, and where its parts are.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct ProbeFound {
    /// The dialect's word.
    pub dialect: String,
    /// The dialect's name for people.
    pub title: String,
    /// Whether it is sure enough to be chosen without asking.
    pub sure: bool,
    /// The socket's URL; empty where it was not found.
    pub ws: String,
    /// The HTTP base; empty where it follows from the socket's URL.
    pub api: String,
    /// Settings of this kind that were found.
    pub options: Vec<(String, String)>,
    /// Whether it wants a key; `null` where that did not come out.
    pub wants_key: Option<bool>,
}

/// An error for the page, which shows `message` and may act on `code`, never on the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct UserError {
    /// What kind.
    pub code: ErrorCode,
    /// What happened, to what, and what can be done.
    pub message: String,
}

/// Kinds of error the page tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum ErrorCode {
    /// A field of the form is wrong.
    Invalid,
    /// No such server, job or view.
    NotFound,
    /// The keyring is locked, missing or silent: offer the session.
    Keyring,
    /// Signing in did not work, or has to be done again.
    SignIn,
    /// The server did not accept it.
    Server,
    /// The disk did not accept it.
    Storage,
    /// Anything else.
    Internal,
}
