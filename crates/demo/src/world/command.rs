//! What is done to the world on command, and what it tells of itself.

use jobwatch_core::model::Level;
use serde_json::{Value, json};

use super::job::{Due, Job, Log, Plan, State};
use super::templates::Ids;
use super::{Event, World, run_uuid};
use crate::control::JobSpec;
use crate::rng::Rng;

impl World {
    /// Creates a job as `spec` says and gives its number and its id, in the dialect's spelling. It
    /// waits until `start_after_ms` or [`World::begin`].
    pub fn command(&mut self, spec: JobSpec) -> (u64, String) {
        let key = self.next_key;
        let mut rng = Rng::derived(self.seed, key);
        let id = spec.id.unwrap_or_else(|| match self.templates.ids {
            Ids::Counted => self.count().to_string(),
            Ids::Uuid => run_uuid(self.now, &mut rng),
            Ids::Random { prefix, digits } => format!("{prefix}{}", rng.hex(digits)),
        });
        let id = id.strip_prefix("task:").map(str::to_owned).unwrap_or(id);
        let work = &self.templates.jobs[0];
        let parent = spec.parent.map(|id| id.strip_prefix("job:").map(str::to_owned).unwrap_or(id));
        let grouped = !self.templates.groups.is_empty();
        let group =
            grouped.then(|| parent.unwrap_or_else(|| self.templates.groups[0].1.to_owned()));
        let max_attempts = spec.max_attempts.unwrap_or(1).max(1);
        let failures = match (&spec.error, spec.failures) {
            (_, Some(failures)) => failures,
            (Some(_), None) => max_attempts,
            (None, None) => 0,
        };
        let steps = spec.progress_every_ms.unwrap_or(500).max(10);
        let job = Job {
            key,
            id: id.clone(),
            external: spec.external_id.unwrap_or_else(|| self.external()),
            group,
            name: spec.name.unwrap_or_else(|| work.name.to_owned()),
            queue: spec.queue.unwrap_or_else(|| work.queue.to_owned()),
            subject: work.subjects[0].to_owned(),
            state: State::Queued,
            progress: 0.0,
            message: String::new(),
            attempt: 0,
            max_attempts,
            failure: None,
            result: None,
            created: self.now,
            started: None,
            finished: None,
            changed: self.now,
            metric: (0.0, 0.0),
            log: Log::default(),
            plan: Plan {
                duration: spec.duration_ms,
                failures,
                error: (
                    spec.error.unwrap_or_else(|| "the attempt failed on command".to_owned()),
                    spec.stack.unwrap_or_default(),
                ),
                result: spec.result,
                stages: &[],
                lines: crate::kecs::texts::JOBS[0].lines,
                line_every: spec.line_every_ms.map(|every| every.max(1)),
                progress_every: spec
                    .duration_ms
                    .filter(|_| self.templates.progress_every.is_some())
                    .map(|_| steps),
                metric_every: None,
                backoff: spec.backoff_ms.unwrap_or(500).max(1),
            },
            due: Due::default(),
            rng,
            commanded: true,
        };
        let key = self.add(job);
        if let (Some(wait), Some(job)) = (spec.start_after_ms, self.jobs.get_mut(&key)) {
            job.due.step = Some(self.now + wait);
        }
        (key, id)
    }

    /// Starts a queued job now.
    pub fn begin(&mut self, key: u64) {
        if self.jobs.get(&key).is_some_and(|job| job.state == State::Queued) {
            self.start(key);
        }
    }

    /// Sets a job's progress.
    pub fn set_progress(&mut self, key: u64, progress: f64, message: Option<String>) {
        let now = self.now;
        let Some(job) = self.jobs.get_mut(&key).filter(|job| !job.state.terminal()) else { return };
        job.progress = progress.clamp(0.0, 100.0);
        job.message = message.unwrap_or_default();
        job.changed = now;
        self.events.push(Event::Progressed(key));
    }

    /// Ends a job well.
    pub fn complete(&mut self, key: u64, result: Option<Value>) {
        let plausible = self.templates.result;
        let Some(job) = self.jobs.get_mut(&key).filter(|job| !job.state.terminal()) else { return };
        job.attempt = job.attempt.max(1);
        job.started = job.started.or(Some(self.now));
        job.progress = 100.0;
        let planned = job.plan.result.clone();
        job.result = result.or(planned).or_else(|| Some(plausible(job)));
        self.end(key, State::Completed);
    }

    /// Fails a job for good.
    pub fn fail(&mut self, key: u64, text: String, stack: Option<String>) {
        let Some(job) = self.jobs.get_mut(&key).filter(|job| !job.state.terminal()) else { return };
        job.max_attempts = job.max_attempts.min(job.attempt.max(1));
        self.attempt_failed(key, text, stack.unwrap_or_default());
    }

    /// Fails a job's running attempt; another follows if it has attempts left.
    pub fn fail_attempt(&mut self, key: u64, text: String) {
        self.attempt_failed(key, text, String::new());
    }

    /// Stops a job on request.
    pub fn cancel(&mut self, key: u64) {
        self.end(key, State::Cancelled);
    }

    /// Forgets a job, as if it had never been.
    pub fn remove(&mut self, key: u64) {
        if let Some(job) = self.jobs.remove(&key) {
            self.active.remove(&key);
            self.ended.retain(|(_, ended)| *ended != key);
            self.events.push(Event::Removed(job.id));
        }
    }

    /// Runs an ended job again as a new one and gives its id.
    pub fn replay(&mut self, key: u64) -> Option<String> {
        let job = self.jobs.get(&key)?;
        let spec = JobSpec {
            name: Some(job.name.clone()),
            queue: Some(job.queue.clone()),
            external_id: Some(job.external.clone()),
            duration_ms: Some(job.plan.duration.unwrap_or(10_000)),
            max_attempts: Some(job.max_attempts),
            line_every_ms: job.plan.line_every,
            start_after_ms: Some(400),
            ..JobSpec::default()
        };
        Some(self.command(spec).1)
    }

    /// Writes a line into a job's log.
    pub fn write_line(&mut self, key: u64, level: Level, text: String) {
        let now = self.now;
        if let Some(job) = self.jobs.get_mut(&key) {
            let position = job.log.push(now, level, text);
            self.events.push(Event::Logged(key, position));
        }
    }

    /// The whole truth, in Jobwatch's canonical words.
    pub fn truth(&self) -> Value {
        let time = |ms: i64| crate::json::iso(ms);
        let jobs: Vec<Value> = self
            .jobs
            .values()
            .map(|job| {
                let (prefix, group_prefix) = self.templates.id_prefixes;
                let parent = job.group.as_ref().map(|group| format!("{group_prefix}{group}"));
                json!({
                    "id": format!("{prefix}{}", job.id),
                    "parent": parent,
                    "external_id": job.external,
                    "name": job.name,
                    "queue": job.queue,
                    "state": job.state.word(),
                    "progress": job.progress,
                    "attempt": job.attempt,
                    "max_attempts": job.max_attempts,
                    "error": job.failure.as_ref().map(|failure| &failure.text),
                    "result": job.result,
                    "created_at": time(job.created),
                    "started_at": job.started.map(time),
                    "finished_at": job.finished.map(time),
                    "lines": job.log.written(),
                })
            })
            .collect();
        json!({ "now": time(self.now), "jobs": jobs })
    }
}
