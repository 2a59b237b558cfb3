//! What the user's rules decide about an event: once, from what is known when it happens.
//!
//! A decision is stored with its notice, and obeyed: whatever the job does later, and however rules
//! are edited meanwhile.

use serde::{Deserialize, Serialize};

use super::Trigger;
use super::rules::{Event, Rule};

/// A rule that is on, and what it does.
#[derive(Clone, Debug)]
pub struct ActiveRule {
    /// Which events it matches.
    pub rule: Rule,
    /// What it does with them.
    pub actions: Actions,
}

/// What a rule does with the events that it matches, in addition to listing them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Actions {
    /// Whether it pops up, or is only listed.
    pub popup: bool,
    /// Whether it pops up even while popups are held back.
    #[serde(rename = "breaches")]
    pub breaks_through: bool,
    /// A program to run and its arguments; empty for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    /// Where to post it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
}

/// A rule that matched, as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// What the user called it.
    pub rule: String,
    /// What it did.
    #[serde(flatten)]
    pub actions: Actions,
}

/// What was decided about an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// The event as it was.
    pub event: Event,
    /// The rules that matched, in the user's order.
    pub rules: Vec<Match>,
    /// Whether the user had muted it.
    pub muted: bool,
}

impl Decision {
    /// What these rules decide about an event.
    #[must_use]
    pub fn of(event: Event, rules: &[ActiveRule], muted: bool) -> Decision {
        let matching = rules.iter().filter(|active| active.rule.matches(&event));
        let rules = matching.map(|active| Match {
            rule: active.rule.name.clone(),
            actions: active.actions.clone(),
        });
        Decision { rules: rules.collect(), event, muted }
    }

    /// Whether it becomes a notice: whether a rule matched.
    #[must_use]
    pub fn notifies(&self) -> bool {
        !self.rules.is_empty()
    }

    /// What made it a notice: the first rule that matched.
    #[must_use]
    pub fn trigger(&self) -> Trigger {
        let rule = self.rules.first().map(|first| first.rule.clone()).unwrap_or_default();
        Trigger { kind: self.event.kind, rule }
    }

    /// Whether it pops up: a rule that does more than list it matched, and it is not muted.
    #[must_use]
    pub fn pops_up(&self) -> bool {
        !self.muted && self.rules.iter().any(|of| of.actions.popup)
    }

    /// Whether a rule that matched runs a program or posts somewhere.
    #[must_use]
    pub fn runs_programs(&self) -> bool {
        self.rules.iter().any(|of| !of.actions.run.is_empty() || of.actions.post.is_some())
    }

    /// Whether it pops up even while popups are held back.
    #[must_use]
    pub fn breaks_through(&self) -> bool {
        self.rules.iter().any(|of| of.actions.popup && of.actions.breaks_through)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::notify::rules::EventKind;
    use crate::server::ServerId;

    fn event(seconds: u64) -> Event {
        Event {
            kind: EventKind::Failed,
            server: ServerId("s".to_owned()),
            name: "warm".to_owned(),
            queue: None,
            user: None,
            lasted: Some(Duration::from_secs(seconds)),
            watched: false,
        }
    }

    fn active(name: &str, at_least: u64, popup: bool, breaks_through: bool) -> ActiveRule {
        let rule = Rule {
            name: name.to_owned(),
            kinds: vec![EventKind::Failed],
            at_least: Duration::from_secs(at_least),
            ..Rule::default()
        };
        ActiveRule { rule, actions: Actions { popup, breaks_through, ..Actions::default() } }
    }

    #[test]
    fn every_rule_that_matches_has_its_say() {
        let rules = [active("list", 0, false, false), active("long", 60, true, true)];
        let short = Decision::of(event(59), &rules, false);
        assert_eq!(short.rules.iter().map(|of| &*of.rule).collect::<Vec<_>>(), ["list"]);
        assert!(short.notifies() && !short.pops_up() && !short.breaks_through());
        let long = Decision::of(event(60), &rules, false);
        assert_eq!(long.rules.len(), 2);
        assert!(long.pops_up() && long.breaks_through());
        assert_eq!(long.trigger().rule, "list");
        assert!(!Decision::of(event(60), &[], false).notifies());
    }

    #[test]
    fn what_is_muted_is_listed_without_a_popup() {
        let muted = Decision::of(event(1), &[active("all", 0, true, true)], true);
        assert!(muted.notifies() && !muted.pops_up());
    }

    #[test]
    fn a_decision_is_read_back_as_it_was_written() {
        let mut rule = active("all", 0, true, false);
        rule.actions.run = vec!["lamp".to_owned(), "red".to_owned()];
        rule.actions.post = Some("https://example.org/hook".to_owned());
        let decision = Decision::of(event(61), &[rule], false);
        let text = serde_json::to_string(&decision).unwrap();
        assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
    }
}
