//! Resolves an id that may match several jobs: BullMQ numbers jobs per queue, and reuses the id of a
//! removed job.
//!
//! Prefers the only job that has not ended, then the only one that ended since the command started,
//! then the only one. If several are left, the user must choose.

use std::sync::Arc;

use jiff::Timestamp;
use jobwatch_core::dialect::own_id;
use jobwatch_core::model::{Job, JobId, Source};
use jobwatch_core::server::DialectKind;

use super::text::sanitize;

/// The most candidates that are kept. The server's pages have bounds of their own.
const MAX_CANDIDATES: usize = 5_000;
/// The most candidates that a message lists.
const MAX_LISTED: usize = 20;

/// A job that matches the id.
#[derive(Clone, Debug)]
struct Candidate {
    job: Arc<Job>,
    /// It had already ended when it was first seen.
    old: bool,
}

/// The jobs that match the id.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    all: Vec<Candidate>,
    chosen: Option<JobId>,
}

/// The result of resolving an id.
#[derive(Clone, Debug)]
pub enum Resolution {
    /// No match is known yet.
    Unknown,
    /// Exactly one match.
    One {
        /// The job.
        job: Arc<Job>,
        /// It had already ended when it was first seen.
        old: bool,
    },
    /// Several matches.
    Several(Vec<Arc<Job>>),
}

impl Candidates {
    /// Adds a job that matches, or its newest state.
    pub fn add(&mut self, job: Arc<Job>) {
        let room = self.all.len() < MAX_CANDIDATES;
        match self.all.iter_mut().find(|known| known.job.id == job.id) {
            Some(known) => known.job = job,
            None if room => {
                // Socket updates describe what has just happened.
                let old = over(&job) && job.source != Source::Socket;
                self.all.push(Candidate { job, old });
            }
            None => {}
        }
    }

    /// Resolves the id by what is known now. `fresh` ignores jobs that had already ended.
    #[must_use]
    pub fn resolve(&self, fresh: bool) -> Resolution {
        let chosen = self.chosen.as_ref();
        if let Some(known) = self.all.iter().find(|known| Some(&known.job.id) == chosen) {
            return Resolution::One { job: Arc::clone(&known.job), old: known.old };
        }
        let newest = self.newest_of_each();
        let open = |known: &&Candidate| !over(&known.job);
        let new = |known: &&Candidate| !known.old;
        let any = |_: &&Candidate| !fresh;
        let stages: [&dyn Fn(&&Candidate) -> bool; 3] = [&open, &new, &any];
        for stage in stages {
            let left: Vec<&Candidate> = newest.iter().copied().filter(|it| stage(it)).collect();
            match left[..] {
                [] => {}
                [one] => return Resolution::One { job: Arc::clone(&one.job), old: one.old },
                _ => {
                    let jobs = left.iter().map(|known| Arc::clone(&known.job));
                    return Resolution::Several(jobs.collect());
                }
            }
        }
        Resolution::Unknown
    }

    /// Fixes the choice, whatever other jobs appear later.
    pub fn pin(&mut self, job: &JobId) {
        self.chosen.get_or_insert_with(|| job.clone());
    }

    /// For each job, its run that has not ended, or its newest run.
    fn newest_of_each(&self) -> Vec<&Candidate> {
        let mut newest: Vec<&Candidate> = Vec::new();
        let key = |job: &Job| {
            let id = job.external_id.clone().unwrap_or_else(|| job.id.as_str().to_owned());
            (job.queue.clone(), id)
        };
        let rank =
            |known: &Candidate| (!over(&known.job), known.job.created_at, known.job.last_seen);
        for known in &self.all {
            match newest.iter_mut().find(|other| key(&other.job) == key(&known.job)) {
                Some(other) if rank(known) > rank(other) => *other = known,
                Some(_) => {}
                None => newest.push(known),
            }
        }
        newest
    }
}

/// Whether the job has ended or is gone.
pub fn over(job: &Job) -> bool {
    job.state.over()
}

/// Whether no other job, now or a moment later, can match `given`.
pub fn certain(given: &str, job: &Job, kind: DialectKind) -> bool {
    if kind != DialectKind::BullBoard || given == job.id.as_str() {
        return true;
    }
    // A queue never reuses a number; a custom id may be used again.
    let number = job.external_id.as_deref().filter(|id| id.bytes().all(|b| b.is_ascii_digit()));
    number.is_some_and(|number| given != number)
}

/// Whether an id can match only one job. Only Better Bull Board has ids that queues reuse; its own id
/// of a run is a UUID.
pub fn is_unique(given: &str, kind: DialectKind) -> bool {
    let uuid = given.len() == 36
        && given.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    kind != DialectKind::BullBoard || uuid || given.contains('/')
}

/// The message for an id that matches several jobs, with the jobs listed. `now` is the time by the
/// server's clock, as in [`when`].
pub fn several(server: &str, given: &str, jobs: &[Arc<Job>], now: Timestamp) -> String {
    let mut rows: Vec<[String; 4]> = jobs.iter().map(|job| row(job, now)).collect();
    rows.sort();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths = [0, 1, 2].map(|column| width(column).unwrap_or(0));
    let mut text = format!("{} matches several jobs on {}:", sanitize(given), sanitize(server));
    for row in rows.iter().take(MAX_LISTED) {
        let mut line = String::from("\n ");
        for (cell, width) in row.iter().zip(widths.iter().chain([&0])) {
            line += &format!(" {cell:<width$} ");
        }
        text += line.trim_end();
    }
    if rows.len() > MAX_LISTED {
        text += &format!("\n  and {} more", rows.len() - MAX_LISTED);
    }
    let first = rows.first().map(|row| row[0].as_str()).unwrap_or_default();
    text + &format!("\nChoose one, for example '{first}'.")
}

/// A job's row in the message: how to name it, its state, its time, and its id if different.
fn row(job: &Job, now: Timestamp) -> [String; 4] {
    let own = job.external_id.as_deref().unwrap_or_else(|| own_id(job));
    let name = match &job.queue {
        Some(queue) => format!("{queue}/{own}"),
        None => job.id.as_str().to_owned(),
    };
    let id = if name == job.id.as_str() { String::new() } else { job.id.as_str().to_owned() };
    [name, job.state.word(), when(job, now), id].map(|text| sanitize(&text).into_owned())
}

/// How long ago it ended, started or was added, by the server's clock.
pub fn when(job: &Job, now: Timestamp) -> String {
    let ago = |at: Timestamp| {
        let passed = now.duration_since(at).unsigned_abs();
        format!("{} ago", jobwatch_core::notify::format_duration(passed))
    };
    match (job.finished_at, job.started_at, job.created_at) {
        (Some(at), ..) => format!("ended {}", ago(at)),
        (None, Some(at), _) => format!("started {}", ago(at)),
        (None, None, Some(at)) => format!("added {}", ago(at)),
        (None, None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, queue: &str, state: &str, created: i64) -> Arc<Job> {
        let at = |second| Timestamp::from_second(1_000 + second).unwrap().to_string();
        let ended = matches!(state, "completed" | "failed");
        let job = serde_json::json!({
            "id": id, "queue": queue, "external_id": "5", "state": state, "source": "http",
            "created_at": at(created), "finished_at": ended.then(|| at(created + 10)),
            "heard_at": at(0),
        });
        Arc::new(serde_json::from_value(job).unwrap())
    }

    fn chosen(heard: &[Arc<Job>], fresh: bool) -> String {
        let mut all = Candidates::default();
        heard.iter().for_each(|job| all.add(Arc::clone(job)));
        match all.resolve(fresh) {
            Resolution::Unknown => "nobody".to_owned(),
            Resolution::One { job, old } => format!("{}{}", job.id, if old { " old" } else { "" }),
            Resolution::Several(jobs) => {
                jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>().join(" or ")
            }
        }
    }

    #[test]
    fn the_only_job_that_has_not_ended_is_meant() {
        let old = run("a", "{email}", "failed", 0);
        let new = run("b", "{reports}", "running", 500);
        assert_eq!(chosen(&[old.clone(), new.clone()], false), "b");
        assert_eq!(chosen(&[new.clone(), run("c", "{sms}", "queued", 9)], false), "b or c");
        assert_eq!(chosen(std::slice::from_ref(&old), false), "a old");
        assert_eq!(chosen(&[old.clone(), run("c", "{sms}", "completed", 9)], false), "a or c");
        assert_eq!(chosen(&[old], true), "nobody", "it is not the one that was just added");
        assert_eq!(chosen(&[], false), "nobody");
    }

    #[test]
    fn one_that_ends_while_it_is_waited_for_is_meant_before_those_that_had_ended() {
        let heard = [
            run("a", "{email}", "failed", 0),
            run("b", "{reports}", "running", 500),
            run("b", "{reports}", "completed", 500),
        ];
        for fresh in [false, true] {
            assert_eq!(chosen(&heard, fresh), "b");
        }
    }

    #[test]
    fn of_the_runs_of_one_job_the_newest_is_meant() {
        let (old, new) = (run("a", "q", "completed", 0), run("b", "q", "failed", 500));
        assert_eq!(chosen(&[old.clone(), new.clone()], false), "b old");
        assert_eq!(chosen(&[new, old], false), "b old");
    }

    #[test]
    fn what_was_settled_stays() {
        let mut all = Candidates::default();
        all.add(run("b", "{reports}", "running", 500));
        all.pin(&"b".into());
        all.add(run("c", "{sms}", "running", 600));
        assert!(
            matches!(all.resolve(false), Resolution::One { job, .. } if job.id.as_str() == "b")
        );
    }

    #[test]
    fn the_candidates_are_listed_with_queue_id_state_and_time() {
        let now = Timestamp::from_second(4_610).unwrap();
        let jobs = [run("u-2", "{reports}", "running", 3_000), run("u-1", "{email}", "failed", 0)];
        assert_eq!(
            several("local", "5", &jobs, now),
            "5 matches several jobs on local:\n\
             \x20 {email}/5    failed   ended 1 h ago        u-1\n\
             \x20 {reports}/5  running  added 10 m 10 s ago  u-2\n\
             Choose one, for example '{email}/5'."
        );
    }

    #[test]
    fn an_id_that_queues_give_out_may_mean_several_runs() {
        let uuid = "01999d2e-7d0c-7b11-8d3a-2f8a1f0e9c11";
        for (given, one) in [("5", false), ("nightly", false), ("{email}/5", true), (uuid, true)] {
            assert_eq!(is_unique(given, DialectKind::BullBoard), one, "{given}");
        }
        assert!(is_unique("5", DialectKind::Kecs));
    }

    #[test]
    fn only_a_number_in_its_queue_and_a_runs_own_id_mean_one_job_for_ever() {
        let job = run("u-1", "{email}", "failed", 0);
        for (given, is) in [("u-1", true), ("{email}/5", true), ("5", false)] {
            assert_eq!(certain(given, &job, DialectKind::BullBoard), is, "{given}");
        }
        assert!(certain("5", &job, DialectKind::Analyzer));
    }
}
