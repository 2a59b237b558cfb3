//! The user's notification rules, as they are written in the settings and changed in the window.

use std::time::Duration;

use jobwatch_core::notify::rules::{EventKind, Pattern, Rule};
use jobwatch_core::server::ServerId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;
use url::Url;

/// Minutes after which a lost connection matches, where a rule does not say.
const LOST_MINUTES: u32 = 10;

/// What the user wants to be notified of. An empty list matches anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
#[ts(export)]
pub struct NoticeRule {
    /// What the user calls it.
    pub name: String,
    /// Whether it is in force.
    pub on: bool,
    /// Kinds of events that it matches.
    pub kinds: Vec<EventKind>,
    /// Ids of servers.
    pub servers: Vec<String>,
    /// Jobs called like this: `nightly-*`, or `/regular expression/`.
    pub names: Vec<String>,
    /// In queues called like this.
    pub queues: Vec<String>,
    /// Of users called like this.
    pub users: Vec<String>,
    /// Only jobs that the user watches.
    pub watched: bool,
    /// Only jobs that took at least so many seconds.
    pub at_least_seconds: u32,
    /// Only connections lost for at least so many minutes.
    pub lost_minutes: u32,
    /// Whether it pops up, or is only listed.
    pub popup: bool,
    /// Whether it pops up even while popups are held back.
    pub breaches: bool,
    /// A program to run and its arguments; empty for none.
    pub run: Vec<String>,
    /// Where to post the job as JSON; empty for nowhere.
    pub post: String,
}

impl Default for NoticeRule {
    fn default() -> NoticeRule {
        NoticeRule {
            name: String::new(),
            on: true,
            kinds: Vec::new(),
            servers: Vec::new(),
            names: Vec::new(),
            queues: Vec::new(),
            users: Vec::new(),
            watched: false,
            at_least_seconds: 0,
            lost_minutes: LOST_MINUTES,
            popup: true,
            breaches: false,
            run: Vec::new(),
            post: String::new(),
        }
    }
}

impl NoticeRule {
    /// As core knows it.
    ///
    /// # Errors
    /// What cannot be used, in a sentence.
    pub fn rule(&self) -> Result<Rule, String> {
        let read = |texts: &[String]| -> Result<Vec<Pattern>, String> {
            let texts = texts.iter().filter(|text| !text.trim().is_empty());
            texts.map(|text| Pattern::read(text).map_err(|error| format!("{error}."))).collect()
        };
        if !self.post.is_empty() {
            self.post_url()?;
        }
        Ok(Rule {
            name: self.name.clone(),
            kinds: self.kinds.clone(),
            servers: self.servers.iter().cloned().map(ServerId).collect(),
            names: read(&self.names)?,
            queues: read(&self.queues)?,
            users: read(&self.users)?,
            watched: self.watched,
            at_least: Duration::from_secs(self.at_least_seconds.into()),
            lost_for: Duration::from_secs(60 * u64::from(self.lost_minutes)),
        })
    }

    /// Where to post.
    ///
    /// # Errors
    /// When that is no web address.
    pub fn post_url(&self) -> Result<Url, String> {
        let url = Url::parse(self.post.trim()).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.ok_or_else(|| {
            format!("\u{201c}{}\u{201d} is no web address, like https://host/path.", self.post)
        })
    }

    /// Every end but those that somebody asked for.
    #[must_use]
    pub fn every_end() -> NoticeRule {
        use EventKind::{Completed, Failed, Fixed, Gone, StillFailing};
        let kinds = vec![Failed, StillFailing, Fixed, Completed, Gone];
        NoticeRule { name: "Every end".to_owned(), kinds, ..NoticeRule::default() }
    }

    /// What a new user is notified of: failures, the ends of what they watch, and when Jobwatch has become
    /// blind; and ready to be switched on, whatever completes.
    #[must_use]
    pub fn usual() -> Vec<NoticeRule> {
        use EventKind::{Back, Cancelled, Completed, Failed, Fixed, Gone, Lost, StillFailing};
        let rule = |name: &str, kinds: &[EventKind], watched| NoticeRule {
            name: name.to_owned(),
            kinds: kinds.to_vec(),
            watched,
            ..NoticeRule::default()
        };
        vec![
            rule("Failures", &[Failed, StillFailing], false),
            rule("Jobs I watch", &[Failed, StillFailing, Fixed, Completed, Cancelled, Gone], true),
            rule("Connections", &[Lost, Back], false),
            // There to be switched on: it is what few want of a busy server, and many of a calm one.
            NoticeRule { on: false, ..rule("Everything that completes", &[Completed], false) },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_a_new_user_can_be_used() {
        for rule in NoticeRule::usual() {
            assert!(rule.rule().is_ok(), "{rule:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let names = NoticeRule { names: vec!["/(/".to_owned()], ..NoticeRule::default() };
        assert!(names.rule().unwrap_err().contains("/(/"));
        for post in ["host/path", "ftp://host/", "https://"] {
            let rule = NoticeRule { post: post.to_owned(), ..NoticeRule::default() };
            assert!(rule.rule().unwrap_err().contains("web address"), "{post}");
        }
    }

    #[test]
    fn a_rule_in_the_settings_needs_only_what_it_is_about() {
        let rule: NoticeRule = toml::from_str("name = \"Mine\"\nkinds = [\"failed\"]").unwrap();
        assert!(rule.on && rule.popup && rule.names.is_empty());
        assert_eq!(rule.lost_minutes, LOST_MINUTES);
    }
}
