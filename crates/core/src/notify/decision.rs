//! What the user's rules decide about something that happens: once, from what is known then.
//!
//! A decision is stored with its notice. What a job does later, or how rules change meanwhile,
//! changes nothing about it.

use serde::{Deserialize, Serialize};

use super::Why;
use super::rules::{Happening, Rule};

/// A rule that is in force, and what it does besides listing what it wants told.
#[derive(Clone, Debug)]
pub struct ActiveRule {
    /// What it wants told.
    pub rule: Rule,
    /// What it does then.
    pub effects: Effects,
}

/// What a rule does with what it wants told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effects {
    /// Whether it pops up, or is only listed.
    pub popup: bool,
    /// Whether it pops up even while popups are held back.
    pub breaches: bool,
    /// A program to run and its arguments; empty for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    /// Where to post it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
}

/// A rule that wanted something told, as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// What the user called it.
    pub rule: String,
    /// What it did.
    #[serde(flatten)]
    pub effects: Effects,
}

/// What was decided about something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// What happened, as it was then.
    pub event: Happening,
    /// The rules that want it told, in the user's order.
    pub rules: Vec<Match>,
    /// Whether the user had muted it.
    pub muted: bool,
}

impl Decision {
    /// What these rules decide about an event.
    #[must_use]
    pub fn of(event: Happening, rules: &[ActiveRule], muted: bool) -> Decision {
        let wants = rules.iter().filter(|active| active.rule.tells(&event));
        let rules = wants.map(|active| Match {
            rule: active.rule.name.clone(),
            effects: active.effects.clone(),
        });
        Decision { rules: rules.collect(), event, muted }
    }

    /// Whether it is told at all.
    #[must_use]
    pub fn told(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Why it is told: by the first rule that wants it.
    #[must_use]
    pub fn why(&self) -> Why {
        let rule = self.rules.first().map(|first| first.rule.clone()).unwrap_or_default();
        Why { kind: self.event.kind, rule }
    }

    /// Whether it pops up: not where only rules want it that do no more than list it.
    #[must_use]
    pub fn pops_up(&self) -> bool {
        !self.muted && self.rules.iter().any(|of| of.effects.popup)
    }

    /// Whether it pops up even while popups are held back.
    #[must_use]
    pub fn breaches_quiet(&self) -> bool {
        self.rules.iter().any(|of| of.effects.popup && of.effects.breaches)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::notify::rules::Kind;
    use crate::server::ServerId;

    fn event(seconds: u64) -> Happening {
        Happening {
            kind: Kind::Failed,
            server: ServerId("s".to_owned()),
            name: "warm".to_owned(),
            queue: None,
            user: None,
            lasted: Some(Duration::from_secs(seconds)),
            watched: false,
        }
    }

    fn active(name: &str, at_least: u64, popup: bool, breaches: bool) -> ActiveRule {
        let rule = Rule {
            name: name.to_owned(),
            kinds: vec![Kind::Failed],
            at_least: Duration::from_secs(at_least),
            ..Rule::default()
        };
        ActiveRule { rule, effects: Effects { popup, breaches, ..Effects::default() } }
    }

    #[test]
    fn every_rule_that_wants_it_has_its_say() {
        let rules = [active("list", 0, false, false), active("long", 60, true, true)];
        let short = Decision::of(event(59), &rules, false);
        assert_eq!(short.rules.iter().map(|of| &*of.rule).collect::<Vec<_>>(), ["list"]);
        assert!(short.told() && !short.pops_up() && !short.breaches_quiet());
        let long = Decision::of(event(60), &rules, false);
        assert_eq!(long.rules.len(), 2);
        assert!(long.pops_up() && long.breaches_quiet());
        assert_eq!(long.why().rule, "list");
        assert!(!Decision::of(event(60), &[], false).told());
    }

    #[test]
    fn what_is_muted_is_listed_without_a_popup() {
        let muted = Decision::of(event(1), &[active("all", 0, true, true)], true);
        assert!(muted.told() && !muted.pops_up());
    }

    #[test]
    fn a_decision_is_read_back_as_it_was_written() {
        let mut rule = active("all", 0, true, false);
        rule.effects.run = vec!["lamp".to_owned(), "red".to_owned()];
        rule.effects.post = Some("https://example.org/hook".to_owned());
        let decision = Decision::of(event(61), &[rule], false);
        let text = serde_json::to_string(&decision).unwrap();
        assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
    }
}
