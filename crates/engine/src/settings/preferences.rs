//! The user's choices, and changes of some of them.

use jobwatch_core::notify::dnd::Hours;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::NoticeRule;

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
    /// Whether failures pop up all the same.
    pub quiet_lets_failures: bool,
    /// No popups until then, in ms since 1970.
    #[ts(type = "number | null")]
    pub snoozed_until: Option<i64>,
    /// What pops up no more.
    pub muted: Vec<Mute>,
    /// What the user wants to be notified of.
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
