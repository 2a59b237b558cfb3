//! Doing what rules want done when they tell something.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jobwatch_core::model::Job;
use jobwatch_core::notify::Notice;
use jobwatch_core::time::Mono;
use serde_json::json;

use super::configure::invalid;
use super::state::State;
use crate::history::StoredNotice;
use crate::programs::{LIMIT, Program, ProgramInput, run};
use crate::views::{ErrorCode, NoticeRule, UserError};

/// In this time
const WINDOW: Duration = Duration::from_secs(60);
/// so many programs are run and addresses posted to, at most,
const MOST: usize = 30;
/// and so many at once.
const AT_ONCE: usize = 4;
/// A try from the settings is waited for.
const TRY_LIMIT: Duration = Duration::from_secs(10);

/// What was done lately, and what is being done.
#[derive(Debug, Default)]
pub(super) struct Programs {
    recent: VecDeque<Mono>,
    running: usize,
    waiting: VecDeque<(i64, Program, ProgramInput)>,
}

impl Programs {
    /// Whether one more may be done now.
    fn admits(&mut self, now: Mono) -> bool {
        while self.recent.front().is_some_and(|at| now.since(*at) >= WINDOW) {
            self.recent.pop_front();
        }
        let admits = self.recent.len() < MOST;
        if admits {
            self.recent.push_back(now);
        }
        admits
    }
}

/// What a rule has done.
fn programs_of(run: &[String], post: Option<url::Url>) -> Vec<Program> {
    let run = (!run.is_empty()).then(|| Program::Run(run.to_vec()));
    run.into_iter().chain(post.map(Program::Post)).collect()
}

/// What is input of a notice, to what a rule of this name runs.
fn input_of(notice: &Notice, rule: &str, place: &str, job: Option<&Job>) -> ProgramInput {
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
            "serverName": place,
            "job": job,
        }),
        variables: vec![
            ("JOBWATCH_KIND", kind.to_owned()),
            ("JOBWATCH_RULE", rule.to_owned()),
            ("JOBWATCH_TITLE", notice.title.clone()),
            ("JOBWATCH_BODY", notice.body.clone()),
            ("JOBWATCH_ERROR", error.to_owned()),
            ("JOBWATCH_SERVER", notice.server.0.clone()),
            ("JOBWATCH_SERVER_NAME", place.to_owned()),
            ("JOBWATCH_JOB", job_text(notice.job.as_ref().map(|job| job.as_str()))),
            ("JOBWATCH_JOB_NAME", job_text(job.map(Job::title))),
            ("JOBWATCH_JOB_STATE", job_text(job.map(|job| job.state.word()).as_deref())),
        ],
    }
}

impl State {
    /// Does what the rules want done that input a notice, as it was decided then. `job` is what was
    /// known of its job.
    pub(super) fn run_programs(&mut self, stored: &StoredNotice, job: Option<&Arc<Job>>) {
        let notice = &stored.notice;
        let Some(decision) = &stored.decision else { return };
        let Ok(entry) = self.named(&notice.server) else { return };
        let place = entry.server.name.clone();
        let job = job.or_else(|| self.job_of(notice)).cloned();
        let mut programs = Vec::new();
        for of in &decision.rules {
            let post = of.actions.post.as_ref().and_then(|url| url.parse().ok());
            let input = input_of(notice, &of.rule, &place, job.as_deref());
            let all = programs_of(&of.actions.run, post);
            programs.extend(all.into_iter().map(|program| (program, input.clone())));
        }
        let now = self.clock.now().mono;
        for (program, input) in programs {
            if self.programs.admits(now) {
                self.programs.waiting.push_back((stored.id, program, input));
            } else {
                let words = format!(
                    "Not done: {MOST} programs and addresses a minute are the most that Jobwatch \
                     runs and posts to."
                );
                self.ran(stored.id, words);
            }
        }
        self.run_next();
    }

    fn run_next(&mut self) {
        while self.programs.running < AT_ONCE
            && let Some((id, program, input)) = self.programs.waiting.pop_front()
        {
            self.programs.running += 1;
            let task = run(program, input, LIMIT, self.tasks.clients(None));
            self.beside(task, move |state, words| {
                state.programs.running -= 1;
                state.ran(id, words);
                state.run_next();
            });
        }
    }

    /// Keeps how it went with the notice.
    fn ran(&mut self, id: i64, words: String) {
        tracing::info!(id, "{words}");
        self.notices.add_output(id, &words);
        self.history.output(id, words);
        self.views.notices_changed();
    }

    /// What it takes to try what a rule does on the last happening it would tell, or on the last at
    /// all.
    pub(super) fn plan_run(
        &mut self,
        rule: &NoticeRule,
    ) -> Result<impl Future<Output = Vec<String>> + Send + use<>, UserError> {
        let compiled = rule.rule().map_err(invalid)?;
        // An address that is none was refused with the rule.
        let programs = programs_of(&rule.run, rule.post_url().ok());
        if programs.is_empty() {
            return Err(invalid("The rule runs no program and posts nowhere."));
        }
        let none = || UserError {
            code: ErrorCode::NotFound,
            message: "Nothing has happened yet that it could be tried on.".to_owned(),
        };
        let recent = self.notifier.last(&compiled).ok_or_else(none)?;
        let (place, notice) = recent.as_notice();
        let input = input_of(&notice, &rule.name, &place, self.job_of(&notice).map(Arc::as_ref));
        let clients = self.tasks.clients(None);
        Ok(async move {
            let all = programs
                .into_iter()
                .map(|program| run(program, input.clone(), TRY_LIMIT, Arc::clone(&clients)));
            futures_util::future::join_all(all).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_done_in_a_minute_than_there_is_a_limit_to() {
        let mut programs = Programs::default();
        let admitted = (0..100).filter(|n| programs.admits(Mono(n * 100))).count();
        assert_eq!(admitted, MOST);
        assert!(!programs.admits(Mono(59_999)));
        assert!(programs.admits(Mono(60_000)));
    }
}
