//! The server's side of the simulated world: jobs with a life of their own.

use std::collections::BTreeMap;

use jobwatch_core::dialect::Ask;
use jobwatch_core::model::{Job, JobState, Source};

use crate::bench::EPOCH_MS;
use crate::dialect::words;
use crate::world::{Rng, wall};

/// How much a server says, and how.
#[derive(Clone, Debug)]
pub struct Speech {
    /// Facts carry times.
    pub timed: bool,
    /// Facts carry the number of the attempt.
    pub counted: bool,
    /// Events say only that something changed.
    pub hints: bool,
    /// Events come only to those who watch the job itself; lists tell which those are.
    pub by_job: bool,
    /// How many of a hundred events are never sent.
    pub lost: u64,
    /// Failures are sent in words that do not say whether they are final.
    pub may_retry: bool,
    /// Ended jobs are run again.
    pub reruns: bool,
}

impl Speech {
    pub fn any(rng: &mut Rng) -> Speech {
        let timed = rng.percent(60);
        Speech {
            timed,
            counted: rng.percent(60),
            hints: rng.percent(25),
            by_job: rng.percent(20),
            lost: *rng.pick(&[0, 0, 10, 50, 100]),
            may_retry: rng.percent(50),
            reruns: rng.percent(40),
        }
    }

    /// Whether facts that arrive out of order can be told apart.
    pub fn ordered_by_facts(&self) -> bool {
        self.timed
    }
}

/// A job as the server knows it. Times are milliseconds since the world began.
#[derive(Clone, Debug)]
pub struct SimJob {
    pub id: String,
    pub queue: &'static str,
    pub state: JobState,
    pub attempt: u32,
    pub progress: u64,
    pub error: Option<String>,
    pub started: Option<i64>,
    pub finished: Option<i64>,
    pub updated: i64,
    pub removed: bool,
    /// Left running for ever.
    endless: bool,
    /// The ends of all its attempts.
    ends: Vec<(u32, JobState)>,
}

#[derive(Debug)]
pub struct JobServer {
    pub speech: Speech,
    jobs: Vec<SimJob>,
    remembered: BTreeMap<String, bool>,
    over: bool,
}

const PAGE: usize = 6;
const MOST_JOBS: usize = 14;

impl JobServer {
    pub fn new(speech: Speech, rng: &mut Rng) -> JobServer {
        let mut server =
            JobServer { speech, jobs: Vec::new(), remembered: BTreeMap::new(), over: false };
        for _ in 0..rng.range(0, 6) {
            server.spawn(-3_600_000, rng);
        }
        // Some have been through something before the client came.
        for index in 0..server.jobs.len() {
            for _ in 0..rng.range(0, 4) {
                server.advance(index, -3_000_000, false, rng);
            }
        }
        server
    }

    pub fn jobs(&self) -> &[SimJob] {
        &self.jobs
    }

    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Some jobs as the client remembers them from an earlier run: they were under way.
    pub fn remembered(&mut self, rng: &mut Rng) -> Vec<Job> {
        let mut jobs = Vec::new();
        for job in &self.jobs {
            if job.attempt > 1 || !rng.percent(40) {
                continue;
            }
            self.remembered.insert(job.id.clone(), true);
            let begun = wall(-3_600_000);
            jobs.push(Job {
                queue: Some(job.queue.to_owned()),
                progress: Some(1.0),
                attempt: self.speech.counted.then_some(1),
                ..Job::new(job.id.as_str(), JobState::Running, Source::History, begun)
            });
        }
        jobs
    }

    pub fn was_remembered(&self, job: &SimJob) -> bool {
        self.remembered.contains_key(&job.id)
    }

    /// The topics whose watchers hear of a job.
    pub fn topics_of(&self, job: usize) -> Vec<String> {
        let job = &self.jobs[job];
        let own = format!("job:{}", job.id);
        if self.speech.by_job {
            vec![own]
        } else {
            vec![own, format!("queue:{}", job.queue), "all".to_owned()]
        }
    }

    /// Something happens to some job. Answers what is said about it.
    pub fn step(&mut self, time: u64, calm: bool, rng: &mut Rng) -> Vec<(usize, String)> {
        if self.over {
            return Vec::new();
        }
        let time = time as i64;
        if self.jobs.len() < MOST_JOBS && (self.jobs.is_empty() || rng.percent(15)) {
            self.spawn(time, rng);
            let index = self.jobs.len() - 1;
            return self.said(index, false, rng);
        }
        let index = rng.range(0, self.jobs.len() as u64) as usize;
        self.advance(index, time, calm, rng)
    }

    /// Ends everything that is to end.
    pub fn finish(&mut self, time: u64, rng: &mut Rng) -> Vec<(usize, String)> {
        let time = time as i64;
        let mut said = Vec::new();
        self.over = true;
        for index in 0..self.jobs.len() {
            let job = &mut self.jobs[index];
            if job.removed || job.endless && job.state == JobState::Running {
                continue;
            }
            if !job.state.terminal() {
                begin(job, time);
                let state = if rng.percent(70) { JobState::Completed } else { JobState::Failed };
                end(job, state, time);
                said.extend(self.said(index, false, rng));
            }
        }
        said
    }

    fn spawn(&mut self, time: i64, rng: &mut Rng) {
        self.jobs.push(SimJob {
            id: self.jobs.len().to_string(),
            queue: if rng.percent(70) { "a" } else { "b" },
            state: JobState::Queued,
            attempt: 1,
            progress: 0,
            error: None,
            started: None,
            finished: None,
            updated: time,
            removed: false,
            endless: rng.percent(8),
            ends: Vec::new(),
        });
    }

    fn advance(
        &mut self,
        index: usize,
        time: i64,
        calm: bool,
        rng: &mut Rng,
    ) -> Vec<(usize, String)> {
        let job = &mut self.jobs[index];
        if job.removed || time <= job.updated {
            return Vec::new();
        }
        let mut retried = false;
        match job.state {
            JobState::Queued | JobState::Scheduled => begin(job, time),
            JobState::Running if rng.percent(60) || job.endless => {
                job.progress = (job.progress + rng.range(1, 30)).min(99);
                job.updated = time;
            }
            JobState::Running => match rng.range(0, 10) {
                0..5 => end(job, JobState::Completed, time),
                5 | 6 => end(job, JobState::Failed, time),
                7 => end(job, JobState::Cancelled, time),
                8 if !calm => {
                    // Lost without a trace.
                    job.removed = true;
                    return Vec::new();
                }
                _ => {
                    retried = true;
                    job.error = Some(format!("error-{}", job.attempt));
                    job.ends.push((job.attempt, JobState::Failed));
                    job.state = JobState::Scheduled;
                    job.updated = time;
                }
            },
            _ if calm => return Vec::new(),
            // An ended job is run again after a while, or forgotten.
            _ if self.speech.reruns && rng.percent(30) => {
                again(job, time);
            }
            _ => {
                if rng.percent(10) {
                    job.removed = true;
                }
                return Vec::new();
            }
        }
        if !retried {
            return self.said(index, false, rng);
        }
        let said = self.said(index, true, rng);
        // The row already tells the attempt that waits.
        let job = &mut self.jobs[index];
        job.attempt += 1;
        job.progress = 0;
        job.started = None;
        said
    }

    /// What is sent about a job's newest fact.
    fn said(&self, index: usize, retried: bool, rng: &mut Rng) -> Vec<(usize, String)> {
        let job = &self.jobs[index];
        if rng.percent(self.speech.lost) {
            return Vec::new();
        }
        if self.speech.hints {
            let line = if rng.percent(50) {
                format!("stale job:{}", job.id)
            } else {
                format!("stale queue:{}", job.queue)
            };
            return vec![(index, line)];
        }
        let mut line = self.line(job);
        if retried {
            let word = format!("state={}", job.state);
            line = line.replace(&word, "state=failed mayretry");
        } else if job.state == JobState::Failed && self.speech.may_retry {
            line.push_str(" mayretry");
        }
        vec![(index, line)]
    }

    fn line(&self, job: &SimJob) -> String {
        use std::fmt::Write;
        let mut line = String::with_capacity(192);
        let _ = write!(
            line,
            "job id={} queue={} state={} progress={}",
            job.id, job.queue, job.state, job.progress
        );
        if self.speech.counted {
            let _ = write!(line, " attempt={}", job.attempt);
        }
        if self.speech.timed {
            let _ = write!(line, " at={}", EPOCH_MS + job.updated);
            if let Some(started) = job.started {
                let _ = write!(line, " started={}", EPOCH_MS + started);
            }
            if let Some(finished) = job.finished {
                let _ = write!(line, " finished={}", EPOCH_MS + finished);
            }
        }
        if let Some(error) = &job.error {
            let _ = write!(line, " error={error}");
        }
        line
    }

    /// What HTTP answers.
    pub fn answer(&self, ask: &Ask) -> (u16, String) {
        let arg = words(ask).args.first().map_or("", String::as_str);
        match ask.name() {
            "job" => match self.jobs.iter().find(|job| job.id == arg && !job.removed) {
                Some(job) => (200, format!("{} snap", self.line(job))),
                None => (404, String::new()),
            },
            "list" => {
                let offset: usize =
                    words(ask).args.get(1).and_then(|text| text.parse().ok()).unwrap_or(0);
                let listed = |job: &&SimJob| !job.removed && (arg.is_empty() || job.queue == arg);
                let mut body = String::new();
                let rest = self.jobs.iter().filter(listed).count();
                for job in self.jobs.iter().filter(listed).skip(offset).take(PAGE) {
                    body.push_str(&self.line(job));
                    body.push_str(" snap\n");
                    if self.speech.by_job && !job.state.terminal() {
                        body.push_str(&format!("discovered job:{}\n", job.id));
                    }
                }
                if rest > offset + PAGE {
                    body.push_str(&format!("next {}\n", offset + PAGE));
                }
                (200, body)
            }
            _ => (200, String::new()),
        }
    }

    /// Whether an outcome that was announced is one that happened.
    pub fn may_have_ended(&self, id: &str, attempt: u32, state: &JobState) -> Result<(), String> {
        let Some(job) = self.jobs.iter().find(|job| job.id == id) else {
            return Err(format!("an outcome of job {id}, which never was"));
        };
        let counted = self.speech.counted;
        let happened = job.ends.iter().any(|(n, end)| end == state && (!counted || *n == attempt));
        if happened {
            Ok(())
        } else {
            Err(format!("job {id} was announced {state} in attempt {attempt}: {job:?}"))
        }
    }
}

fn begin(job: &mut SimJob, time: i64) {
    job.state = JobState::Running;
    job.started = Some(time);
    job.updated = time;
}

fn again(job: &mut SimJob, time: i64) {
    job.state = JobState::Queued;
    job.attempt += 1;
    job.progress = 0;
    job.started = None;
    job.finished = None;
    job.error = None;
    job.updated = time;
}

fn end(job: &mut SimJob, state: JobState, time: i64) {
    job.error = (state == JobState::Failed).then(|| format!("error-{}", job.attempt));
    job.ends.push((job.attempt, state.clone()));
    job.state = state;
    job.finished = Some(time);
    job.updated = time;
}
