//! Runs the programs of rules that matched.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jobwatch_core::model::Job;
use jobwatch_core::notify::{Notice, PendingRun, RecentEvent};
use jobwatch_core::rate_limit::RateLimit;
use jobwatch_core::time::Mono;
use serde_json::json;

use crate::api::NoticeRule;
use crate::fetch::Clients;
use crate::programs::{Program, ProgramInput, run};

/// At most [`MOST`] programs are run and addresses posted to in this time.
const WINDOW: Duration = Duration::from_secs(60);
/// See [`WINDOW`].
pub(super) const MOST: usize = 30;
/// So many programs run at once.
const AT_ONCE: usize = 4;
/// How long a trial from the settings is waited for.
const TRY_LIMIT: Duration = Duration::from_secs(10);

/// What runs, what waits, and what ran lately.
#[derive(Debug)]
pub(super) struct Programs {
    limit: RateLimit,
    running: usize,
    waiting: VecDeque<(i64, Program, ProgramInput)>,
}

impl Default for Programs {
    fn default() -> Programs {
        let limit = RateLimit::new(MOST, WINDOW);
        Programs { limit, running: 0, waiting: VecDeque::new() }
    }
}

/// What a rule runs.
fn programs_of(run: &[String], post: Option<url::Url>) -> Vec<Program> {
    let run = (!run.is_empty()).then(|| Program::Run(run.to_vec()));
    run.into_iter().chain(post.map(Program::Post)).collect()
}

/// What the program of a rule of this name gets to know of a notice.
fn input_of(notice: &Notice, rule: &str, server_name: &str, job: Option<&Job>) -> ProgramInput {
    let kind = notice.trigger.as_ref().map_or("", |trigger| trigger.kind.word());
    let error = notice.subject.as_ref().map_or("", |about| &about.error);
    let job_text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    ProgramInput {
        json: json!({
            "kind": kind,
            "rule": rule,
            "title": notice.title,
            "body": notice.body,
            "at": notice.at.to_string(),
            "server": notice.server.0,
            "serverName": server_name,
            "job": job,
        }),
        variables: vec![
            ("JOBWATCH_KIND", kind.to_owned()),
            ("JOBWATCH_RULE", rule.to_owned()),
            ("JOBWATCH_TITLE", notice.title.clone()),
            ("JOBWATCH_BODY", notice.body.clone()),
            ("JOBWATCH_ERROR", error.to_owned()),
            ("JOBWATCH_SERVER", notice.server.0.clone()),
            ("JOBWATCH_SERVER_NAME", server_name.to_owned()),
            ("JOBWATCH_JOB", job_text(notice.job.as_ref().map(|job| job.as_str()))),
            ("JOBWATCH_JOB_NAME", job_text(job.map(Job::title))),
            ("JOBWATCH_JOB_STATE", job_text(job.map(|job| job.state.word()).as_deref())),
        ],
    }
}

impl Programs {
    /// Queues the programs of a notice's rules, as they were decided. Returns how many are too many.
    pub(super) fn add(&mut self, wanted: &PendingRun, now: Mono) -> usize {
        let PendingRun { id, notice, server_name, job, decision } = wanted;
        let mut refused = 0;
        for of in &decision.rules {
            let post = of.actions.post.as_ref().and_then(|url| url.parse().ok());
            let input = input_of(notice, &of.rule, server_name, job.as_deref());
            for program in programs_of(&of.actions.run, post) {
                if self.limit.admits(now) {
                    self.waiting.push_back((*id, program, input.clone()));
                } else {
                    refused += 1;
                }
            }
        }
        refused
    }

    /// The programs that may run now, with their notices' numbers.
    pub(super) fn take(&mut self) -> Vec<(i64, Program, ProgramInput)> {
        let count = AT_ONCE.saturating_sub(self.running).min(self.waiting.len());
        self.running += count;
        self.waiting.drain(..count).collect()
    }

    /// A program that was taken has ended.
    pub(super) fn ended(&mut self) {
        self.running -= 1;
    }
}

/// A run of a rule's programs on an event that happened lately; it returns how each went.
pub(super) fn trial(
    rule: &NoticeRule,
    recent: &RecentEvent,
    clients: Arc<Clients>,
) -> impl Future<Output = Vec<String>> + Send + use<> {
    // An address that is none was refused with the rule.
    let programs = programs_of(&rule.run, rule.post_url().ok());
    let input = input_of(&recent.notice, &rule.name, &recent.server_name, recent.job.as_deref());
    async move {
        let all = programs
            .into_iter()
            .map(|program| run(program, input.clone(), TRY_LIMIT, Arc::clone(&clients)));
        futures_util::future::join_all(all).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_done_in_a_minute_than_there_is_a_limit_to() {
        let mut programs = Programs::default();
        let admitted = (0..100).filter(|n| programs.limit.admits(Mono(n * 100))).count();
        assert_eq!(admitted, MOST);
        assert!(!programs.limit.admits(Mono(59_999)));
        assert!(programs.limit.admits(Mono(60_000)));
    }
}
