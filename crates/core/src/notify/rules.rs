//! The user's rules: which events become notices.

use std::fmt;
use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::server::ServerId;

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "bindings", derive(ts_rs::TS), ts(export))]
pub enum EventKind {
    /// A job failed, and the last of its name had not.
    Failed,
    /// A job failed as the last of its name had.
    StillFailing,
    /// A job completed, and the last of its name had failed.
    Fixed,
    /// A job completed.
    Completed,
    /// A job was cancelled.
    Cancelled,
    /// A job is over and nobody knows how it ended: its server does not say, or does not know it any
    /// more.
    Gone,
    /// A job began to run.
    Started,
    /// A job runs much longer than others of its name did.
    Slow,
    /// A server has not been reached for a while.
    Lost,
    /// It is connected again.
    Back,
}

impl EventKind {
    /// All of them, with the words they are stored as.
    pub const WORDS: [(EventKind, &str); 10] = [
        (EventKind::Failed, "failed"),
        (EventKind::StillFailing, "stillFailing"),
        (EventKind::Fixed, "fixed"),
        (EventKind::Completed, "completed"),
        (EventKind::Cancelled, "cancelled"),
        (EventKind::Gone, "gone"),
        (EventKind::Started, "started"),
        (EventKind::Slow, "slow"),
        (EventKind::Lost, "lost"),
        (EventKind::Back, "back"),
    ];

    /// The word it is stored as.
    #[must_use]
    pub fn word(self) -> &'static str {
        let found = EventKind::WORDS.iter().find(|(kind, _)| *kind == self);
        found.map_or("", |(_, word)| word)
    }

    /// The kind of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<EventKind> {
        EventKind::WORDS.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
    }

    /// Whether it is about a connection, and not about a job.
    #[must_use]
    pub fn of_connection(self) -> bool {
        matches!(self, EventKind::Lost | EventKind::Back)
    }
}

/// Something that happened, as rules know it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What kind of event it is.
    pub kind: EventKind,
    /// On which server.
    pub server: ServerId,
    /// What the job is called: its id where it has no name.
    pub name: String,
    /// The job's queue.
    pub queue: Option<String>,
    /// Whose job it is.
    pub user: Option<String>,
    /// How long the job took, or the connection was lost.
    pub lasted: Option<Duration>,
    /// Whether the user watches this very job.
    pub watched: bool,
}

/// What names may look like: `nightly-*` and `?` as in a shell, or a regular expression between
/// slashes, as in `/^nightly-\d+$/`. Capital letters do not matter.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    matcher: Matcher,
}

#[derive(Clone, Debug)]
enum Matcher {
    /// Of text in small letters.
    Shell(GlobMatcher),
    Regex(Regex),
}

/// Why a pattern cannot be used, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\u{201c}{pattern}\u{201d} is not a valid pattern: {why}")]
pub struct BadPattern {
    pattern: String,
    why: String,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is no regular expression, or a bracket is not closed.
    pub fn read(text: &str) -> Result<Pattern, BadPattern> {
        let text = text.trim();
        let bad = |why: String| BadPattern { pattern: text.to_owned(), why };
        let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let matcher = match inner {
            Some(inner) => {
                let regex =
                    RegexBuilder::new(inner).case_insensitive(true).size_limit(1 << 20).build();
                Matcher::Regex(regex.map_err(|error| {
                    // The last line says what is wrong; those before draw where.
                    let words = error.to_string();
                    let last = words.lines().last().unwrap_or_default();
                    bad(last.trim_start_matches("error: ").to_owned())
                })?)
            }
            None => {
                let glob = GlobBuilder::new(&text.to_lowercase()).literal_separator(false).build();
                let glob = glob.map_err(|error| bad(error.kind().to_string()))?;
                Matcher::Shell(glob.compile_matcher())
            }
        };
        Ok(Pattern { text: text.to_owned(), matcher })
    }

    /// Whether a name looks like this.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match &self.matcher {
            Matcher::Shell(glob) => glob.is_match(name.to_lowercase()),
            Matcher::Regex(regex) => regex.is_match(name),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

/// What the user wants to be notified of. An empty list matches anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rule {
    /// What the user calls it.
    pub name: String,
    /// Kinds of events; an empty list matches nothing.
    pub kinds: Vec<EventKind>,
    /// On these servers.
    pub servers: Vec<ServerId>,
    /// Jobs with names like this.
    pub names: Vec<Pattern>,
    /// Jobs in queues with names like this.
    pub queues: Vec<Pattern>,
    /// Jobs of users with names like this.
    pub users: Vec<Pattern>,
    /// Only jobs that the user watches.
    pub watched: bool,
    /// Only jobs that took at least this long. Jobs of unknown duration always pass.
    pub at_least: Duration,
    /// Only connections that were lost for at least this long.
    pub lost_for: Duration,
}

impl Rule {
    /// Whether it matches an event.
    #[must_use]
    pub fn matches(&self, what: &Event) -> bool {
        let asks = |kind| self.kinds.contains(&kind);
        let kind = asks(what.kind)
            || match what.kind {
                // What is fixed has completed.
                EventKind::Fixed => asks(EventKind::Completed),
                // Whoever asks for success and failure asks for an outcome that nobody knows as well.
                EventKind::Gone => asks(EventKind::Completed) && asks(EventKind::Failed),
                _ => false,
            };
        if !kind || !(self.servers.is_empty() || self.servers.contains(&what.server)) {
            return false;
        }
        if what.kind.of_connection() {
            return what.lasted.is_some_and(|lasted| lasted >= self.lost_for);
        }
        let fits = |patterns: &[Pattern], text: Option<&str>| {
            patterns.is_empty()
                || text.is_some_and(|text| patterns.iter().any(|pattern| pattern.matches(text)))
        };
        (what.watched || !self.watched)
            && fits(&self.names, Some(&what.name))
            && fits(&self.queues, what.queue.as_deref())
            && fits(&self.users, what.user.as_deref())
            // When it begins, nobody knows how long it will take.
            && (what.kind == EventKind::Started
                || what.lasted.is_none_or(|lasted| lasted >= self.at_least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(kind: EventKind, name: &str) -> Event {
        Event {
            kind,
            server: ServerId("s".to_owned()),
            name: name.to_owned(),
            queue: Some("mail".to_owned()),
            user: None,
            lasted: Some(Duration::from_secs(30)),
            watched: false,
        }
    }

    fn rule(kinds: &[EventKind]) -> Rule {
        Rule { kinds: kinds.to_vec(), ..Rule::default() }
    }

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::read(text).unwrap()).collect()
    }

    #[test]
    fn a_rule_matches_its_kinds_alone() {
        let failures = rule(&[EventKind::Failed, EventKind::StillFailing]);
        assert!(failures.matches(&ended(EventKind::Failed, "a")));
        assert!(failures.matches(&ended(EventKind::StillFailing, "a")));
        for other in [
            EventKind::Completed,
            EventKind::Fixed,
            EventKind::Cancelled,
            EventKind::Started,
            EventKind::Slow,
        ] {
            assert!(!failures.matches(&ended(other, "a")), "{other:?}");
        }
        assert!(!rule(&[]).matches(&ended(EventKind::Failed, "a")));
    }

    #[test]
    fn what_is_fixed_has_completed() {
        assert!(rule(&[EventKind::Completed]).matches(&ended(EventKind::Fixed, "a")));
        assert!(!rule(&[EventKind::Fixed]).matches(&ended(EventKind::Completed, "a")));
    }

    #[test]
    fn a_rule_for_success_and_failure_matches_an_unknown_outcome() {
        let gone = ended(EventKind::Gone, "a");
        assert!(rule(&[EventKind::Gone]).matches(&gone));
        assert!(rule(&[EventKind::Completed, EventKind::Failed]).matches(&gone));
        for kinds in
            [[EventKind::Failed, EventKind::StillFailing], [EventKind::Completed, EventKind::Fixed]]
        {
            assert!(!rule(&kinds).matches(&gone), "{kinds:?}");
        }
    }

    #[test]
    fn names_fit_whole_words_of_a_shell_or_a_regular_expression() {
        for (pattern, name, fits) in [
            ("nightly-*", "Nightly-report", true),
            ("nightly-*", "my nightly-report", false),
            ("nightly", "nightly-report", false),
            ("job/?", "job/7", true),
            ("a*c", "a/b/c", true),
            ("*", "", true),
            ("na\u{ef}ve*", "NA\u{cf}VE one", true),
            ("{a,b}-[0-9]", "b-7", true),
            (r"/^report-\d+$/", "report-12", true),
            (r"/port/", "Report", true),
            (r"/^port/", "report", false),
            ("a.c", "abc", false),
        ] {
            assert_eq!(Pattern::read(pattern).unwrap().matches(name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn an_invalid_pattern_is_refused_with_a_reason() {
        for bad in ["/a(/", "[a", "{a,b"] {
            let said = Pattern::read(bad).unwrap_err().to_string();
            assert!(said.contains(bad) && said.len() > bad.len() + 24, "{said}");
        }
    }

    #[test]
    fn every_list_narrows_and_an_empty_one_does_not() {
        let all = rule(&[EventKind::Failed]);
        let job = ended(EventKind::Failed, "send");
        assert!(all.matches(&job));
        let narrowed = [
            Rule { servers: vec![ServerId("other".to_owned())], ..all.clone() },
            Rule { names: patterns(&["re*"]), ..all.clone() },
            Rule { queues: patterns(&["video"]), ..all.clone() },
            // It belongs to nobody that is known.
            Rule { users: patterns(&["*"]), ..all.clone() },
            Rule { watched: true, ..all.clone() },
            Rule { at_least: Duration::from_secs(31), ..all.clone() },
        ];
        for rule in narrowed {
            assert!(!rule.matches(&job), "{rule:?}");
        }
        let fits = Rule {
            servers: vec![ServerId("s".to_owned())],
            names: patterns(&["x", "s?nd"]),
            queues: patterns(&["MAIL"]),
            watched: true,
            at_least: Duration::from_secs(30),
            ..all
        };
        assert!(fits.matches(&Event { watched: true, ..job }));
    }

    #[test]
    fn a_job_of_unknown_duration_always_passes() {
        let long = Rule { at_least: Duration::from_secs(600), ..rule(&[EventKind::Failed]) };
        assert!(long.matches(&Event { lasted: None, ..ended(EventKind::Failed, "a") }));
    }

    #[test]
    fn a_lost_connection_matches_once_it_was_lost_for_long_enough_whatever_jobs_are_called() {
        let minutes = |n: u64| Some(Duration::from_secs(60 * n));
        let rule = Rule {
            names: patterns(&["nightly"]),
            watched: true,
            lost_for: Duration::from_secs(300),
            ..rule(&[EventKind::Lost, EventKind::Back])
        };
        for (lasted, matches) in [(minutes(4), false), (minutes(5), true), (None, false)] {
            assert_eq!(rule.matches(&Event { lasted, ..ended(EventKind::Lost, "") }), matches);
        }
        assert!(rule.matches(&Event { lasted: minutes(9), ..ended(EventKind::Back, "") }));
    }
}
