//! The job store: merging updates about jobs, in any order, from any source.

use std::time::Duration;

use jiff::SignedDuration;
use jobwatch_core::jobs::{Baseline, Change, JobStore, Transition, TransitionKind};
use jobwatch_core::model::{Job, JobState, Source, Update};
use jobwatch_core::time::{Mono, Now};
use proptest::prelude::*;

use crate::bench::{EPOCH_MS, at};
use crate::dialect::patch;

const GRACE: Duration = Duration::from_secs(10);

pub struct Table {
    jobs: JobStore,
    now: Now,
    /// Whether a first complete listing is behind us.
    listed: bool,
    changes: Vec<Change>,
}

impl Table {
    pub fn new() -> Table {
        let now = Now { mono: Mono(0), wall: at(EPOCH_MS) };
        Table { jobs: JobStore::new(GRACE, now.wall), now, listed: true, changes: Vec::new() }
    }

    pub fn secs(&mut self, seconds: u64) -> &mut Table {
        self.now.mono = self.now.mono.after(Duration::from_secs(seconds));
        self.now.wall += SignedDuration::from_secs(i64::try_from(seconds).expect("small"));
        self
    }

    fn apply(&mut self, line: &str, source: Source) -> &mut Table {
        let update = match line.strip_prefix("gone ") {
            Some(id) => Update::Gone(id.into()),
            None => Update::Job(Box::new(patch(line).expect("an id"))),
        };
        let baseline = self.listed.then(|| Baseline::of_this_run(at(EPOCH_MS)));
        self.changes = self.jobs.apply(&update, source, baseline, self.now);
        self
    }

    pub fn socket(&mut self, line: &str) -> &mut Table {
        self.apply(line, Source::Socket)
    }

    pub fn http(&mut self, line: &str) -> &mut Table {
        self.apply(&format!("{line} snap"), Source::Http)
    }

    pub fn expire(&mut self, hearing: bool) -> &mut Table {
        self.changes = self.jobs.expire(hearing, self.now);
        self
    }

    pub fn job(&self) -> &Job {
        self.jobs.job(&"1".into()).expect("job 1 is known")
    }

    pub fn state(&self) -> JobState {
        self.job().state.clone()
    }

    /// The steps of the last call.
    pub fn steps(&self) -> Vec<(TransitionKind, JobState, u32)> {
        self.transitions().iter().map(|t| (t.kind, t.to.clone(), t.attempt)).collect()
    }

    pub fn transitions(&self) -> Vec<&Transition> {
        let mut found = Vec::new();
        for change in &self.changes {
            if let Change::Transition(transition) = change {
                found.push(transition);
            }
        }
        found
    }

    fn confirms(&self) -> bool {
        self.changes.iter().any(|change| matches!(change, Change::Confirm(_)))
    }
}

use JobState::{Completed, Failed, Queued, Running};
use TransitionKind::{AttemptFailed, Discovered, Moved, Outcome};

#[test]
fn applying_an_update_twice_changes_nothing() {
    let mut table = Table::new();
    for line in [
        "id=1 state=running progress=40 at=1000 name=a",
        "id=1 state=completed at=2000",
        "id=1 state=failed error=disk mayretry",
    ] {
        table.socket(line);
        table.socket(line);
        assert_eq!(table.changes, [], "{line}");
    }
}

#[test]
fn ids_are_compared_byte_for_byte() {
    let mut table = Table::new();
    table.socket("id=1 state=running").socket("id=01 state=queued").socket("id=1.0 state=queued");
    assert_eq!(table.jobs.len(), 3);
    assert_eq!(table.state(), Running);
}

#[test]
fn an_older_or_undated_report_never_overwrites_within_an_attempt() {
    let mut table = Table::new();
    table.socket("id=1 state=running progress=60 at=5000 name=new error=late");
    table.socket("id=1 state=queued progress=10 at=1000 name=old error=early queue=mail");
    let job = table.job();
    assert_eq!((job.state.clone(), job.progress), (Running, Some(60.0)));
    assert_eq!((job.name.as_deref(), job.error.as_deref()), (Some("new"), Some("late")));
    assert_eq!(job.queue.as_deref(), Some("mail"), "an older fact fills a gap");
    table.socket("id=1 state=running progress=50");
    assert_eq!(table.job().progress, Some(60.0));
    table.socket("id=1 progress=1e9 at=7000");
    assert_eq!(table.job().progress, Some(100.0));
}

#[test]
fn progress_that_falls_holds_when_the_server_says_it_last() {
    let mut table = Table::new();
    table.socket("id=1 state=running progress=80 at=5000");
    table.socket("id=1 state=running progress=40 at=6000");
    assert_eq!(table.job().progress, Some(40.0), "a second phase");
    table.socket("id=1 progress=90 at=5500");
    assert_eq!(table.job().progress, Some(40.0), "older, though higher");
    table.secs(11).http("id=1 state=running progress=20");
    assert_eq!(table.job().progress, Some(20.0), "read where it cannot be a late answer");
    table.socket("id=1 progress=30").http("id=1 state=running progress=25");
    assert_eq!(table.job().progress, Some(30.0), "this one may be late");
    table.socket("id=1 state=completed progress=100 at=8000").socket("id=1 progress=99 at=9000");
    assert_eq!(table.job().progress, Some(100.0), "after the end nothing falls");
}

#[test]
fn the_fuller_of_two_tellings_of_an_error_is_kept_whatever_their_order() {
    let full = "error=boom_at_line_3 at=6000 finished=6000";
    for lines in [["error=boom at=6000", full], [full, "error=boom at=6000"]] {
        let mut table = Table::new();
        for line in lines {
            table.socket(&format!("id=1 state=failed {line}"));
        }
        assert_eq!(table.job().error.as_deref(), Some("boom_at_line_3"));
    }
}

#[test]
fn a_job_that_completed_forgets_the_stage_it_was_in_whatever_the_order() {
    let (stage, end) =
        ("id=1 state=running message=saving at=1000", "id=1 state=completed at=2000");
    for lines in [[stage, end], [end, stage]] {
        let mut table = Table::new();
        table.socket(lines[0]).socket(lines[1]);
        assert_eq!((table.state(), table.job().message.clone()), (Completed, None));
    }
}

#[test]
fn a_late_http_answer_does_not_undo_what_the_socket_said() {
    let mut table = Table::new();
    table.socket("id=1 state=running progress=60");
    table.http("id=1 state=queued progress=0");
    assert_eq!(table.changes, []);
    table.socket("id=1 state=completed");
    table.secs(3).http("id=1 state=running progress=60");
    assert_eq!(table.state(), Completed);
}

#[test]
fn an_end_holds_against_replayed_progress() {
    let mut table = Table::new();
    table.socket("id=1 state=running at=1000").socket("id=1 state=completed at=9000");
    table.socket("id=1 state=running progress=66 at=5000");
    table.socket("id=1 state=running progress=66");
    table.socket("id=1 state=running progress=100 at=9500");
    assert_eq!(table.state(), Completed);
}

#[test]
fn a_new_attempt_is_told_by_its_number_by_its_start_or_by_a_later_sign_of_life() {
    for again in [
        "id=1 state=running attempt=2",
        "id=1 state=running started=9500",
        "id=1 state=queued at=15000",
    ] {
        let mut table = Table::new();
        table.socket("id=1 state=running attempt=1 progress=70 at=1000");
        table.socket("id=1 state=failed error=disk at=9000");
        table.socket(again);
        assert!(!table.state().terminal(), "{again}");
        let job = table.job();
        assert_eq!((job.attempt, job.progress, job.finished_at), (Some(2), None, None), "{again}");
        assert_eq!(job.error, None, "the old error is set aside");
        assert_eq!(job.extra["earlierError"].as_str(), "\"disk\"");
        table.socket("id=1 state=completed at=20000");
        assert_eq!(table.steps(), [(Outcome, Completed, 2)], "{again}");
    }
}

#[test]
fn without_times_only_http_reopens_a_job_and_only_when_its_answer_cannot_be_a_late_one() {
    let mut table = Table::new();
    table.socket("id=1 state=running").socket("id=1 state=failed");
    table.socket("id=1 state=running");
    assert_eq!(table.state(), Failed);
    table.secs(59).http("id=1 state=running");
    assert_eq!(table.state(), Failed);
    table.secs(2).http("id=1 state=running");
    assert_eq!(table.steps(), [(Moved, Running, 2)]);
}

#[test]
fn facts_of_an_earlier_attempt_change_nothing_in_a_later_one() {
    let mut table = Table::new();
    table.socket("id=1 state=failed attempt=1 at=5000");
    table.socket("id=1 state=running attempt=2 progress=5 at=8000");
    for old in ["id=1 state=failed attempt=1 at=5000", "id=1 state=failed at=5000"] {
        table.socket(old);
        assert_eq!(table.changes, [], "{old}");
    }
}

#[test]
fn a_failure_that_may_be_retried_is_an_attempt_until_http_confirms_it() {
    let mut table = Table::new();
    table.socket("id=1 state=running progress=30");
    table.socket("id=1 state=failed error=[object mayretry");
    assert_eq!(table.steps(), [(AttemptFailed, Failed, 1)]);
    assert!(table.confirms());
    assert!(!table.state().terminal());
    table.http("id=1 state=failed error=disk-full");
    assert_eq!(table.steps(), [(Outcome, Failed, 1)]);
    assert_eq!(table.transitions()[0].error.as_deref(), Some("disk-full"));
}

#[test]
fn a_failure_that_may_be_retried_is_the_outcome_when_nothing_follows() {
    let mut table = Table::new();
    table.socket("id=1 state=running").socket("id=1 state=failed error=disk mayretry");
    let due = table.jobs.deadline().expect("a second look");
    assert_eq!(due, Mono(4_000));
    table.secs(4).expire(true);
    assert!(table.confirms());
    table.secs(5).expire(true);
    assert_eq!(table.changes, []);
    table.secs(1).expire(true);
    assert_eq!(table.steps(), [(Outcome, Failed, 1)]);
    assert_eq!(table.jobs.deadline(), None);
    table.http("id=1 state=failed error=disk");
    assert_eq!(table.steps(), []);
}

#[test]
fn silence_proves_nothing_while_nobody_can_be_heard() {
    let mut table = Table::new();
    table.socket("id=1 state=running").socket("id=1 state=failed mayretry");
    for _ in 0..10 {
        table.secs(30).expire(false);
        assert_eq!(table.steps(), []);
    }
    table.secs(10).expire(true);
    assert_eq!(table.steps(), [], "a second look comes first");
    table.secs(10).expire(true);
    assert_eq!(table.steps(), [(Outcome, Failed, 1)]);
}

#[test]
fn progress_after_a_failure_that_may_be_retried_is_the_next_attempt() {
    let mut table = Table::new();
    table.socket("id=1 state=running progress=80").socket("id=1 state=failed error=x mayretry");
    table.socket("id=1 progress=0");
    assert_eq!(table.steps(), [(Moved, Running, 2)]);
    assert_eq!((table.job().attempt, table.job().progress), (Some(2), Some(0.0)));
    table.secs(60).expire(true);
    assert_eq!(table.changes, []);
    table.socket("id=1 state=completed");
    assert_eq!(table.steps(), [(Outcome, Completed, 2)]);
    assert_eq!(table.job().error, None);
}

#[test]
fn a_retry_that_waits_is_seen_over_http_and_is_no_outcome() {
    let mut table = Table::new();
    table.socket("id=1 state=running").socket("id=1 state=failed error=x mayretry");
    table.secs(1).http("id=1 state=running");
    assert_eq!(table.steps(), [], "perhaps a cached answer");
    table.secs(3).http("id=1 state=scheduled");
    assert_eq!(table.steps(), [(Moved, JobState::Scheduled, 2)]);
    table.secs(60).expire(true);
    assert_eq!(table.changes, []);
}

#[test]
fn a_reason_that_says_nothing_never_replaces_one_that_does() {
    let mut table = Table::new();
    table.socket("id=1 state=failed error=undefined");
    assert!(table.confirms(), "HTTP knows better");
    assert_eq!(table.job().error, None);
    table.http("id=1 state=failed error=disk-full");
    assert_eq!(table.job().error.as_deref(), Some("disk-full"));
    table.http("id=1 state=failed error=null");
    assert_eq!(table.job().error.as_deref(), Some("disk-full"));
}

#[test]
fn the_error_of_an_earlier_attempt_is_no_error_of_a_success() {
    let mut table = Table::new();
    table.http("id=1 state=running error=first-attempt-dies attempt=2");
    table.http("id=1 state=completed error=first-attempt-dies attempt=2");
    assert_eq!(table.job().error, None);
    assert_eq!(table.job().extra["earlierError"].as_str(), "\"first-attempt-dies\"");
}

#[test]
fn a_time_that_never_moves_on_the_server_holds_no_end_back() {
    let mut table = Table::new();
    table.http("id=1 state=queued at=1799999999000").secs(1);
    table.socket("id=1 state=running progress=40 at=1800000001000").secs(20);
    table.http("id=1 state=failed error=full at=1799999999000");
    assert_eq!(table.steps(), [(Outcome, Failed, 1)]);
    assert_eq!(table.job().error.as_deref(), Some("full"));
}

#[test]
fn a_job_that_was_ended_when_first_listed_is_found_and_a_quick_one_is_an_outcome() {
    let mut table = Table::new();
    table.listed = false;
    table.http("id=1 state=completed finished=1799999999000");
    assert_eq!(table.steps(), [(Discovered, Completed, 1)]);
    table.listed = true;
    table.http("id=2 state=completed finished=1800000001000");
    assert_eq!(table.steps(), [(Outcome, Completed, 1)]);
    table.http("id=3 state=completed finished=1799990000000");
    assert_eq!(table.steps(), [(Discovered, Completed, 1)]);
    table.http("id=4 state=completed");
    assert_eq!(table.steps(), [(Discovered, Completed, 1)]);
    table.socket("id=5 state=failed");
    assert_eq!(table.steps(), [(Outcome, Failed, 1)]);
}

#[test]
fn what_ended_while_the_program_was_off_is_an_outcome_of_that_time() {
    let mut first = Table::new();
    first.socket("id=1 state=running progress=70 name=report");
    let remembered = first.job().clone();
    let mut table = Table::new();
    table.listed = false;
    table.jobs.remember(remembered.clone());
    assert_eq!(table.job().source, Source::History);
    table.http("id=1 state=completed finished=1799999990000");
    assert_eq!(table.steps(), [(Outcome, Completed, 1)]);
    assert!(table.transitions()[0].while_away);
    assert_eq!(table.job().name.as_deref(), Some("report"));

    let mut table = Table::new();
    table.jobs.remember(remembered);
    table.http("id=1 state=running progress=20");
    assert_eq!(table.job().progress, Some(20.0), "what was remembered is no bound");
    assert_eq!(table.job().source, Source::Http);
    table.socket("id=1 state=completed");
    assert_eq!(table.steps(), [(Outcome, Completed, 1)]);
    assert!(!table.transitions()[0].while_away);
}

#[test]
fn an_ended_job_that_is_remembered_is_not_announced_again() {
    let mut first = Table::new();
    first.socket("id=1 state=failed error=x attempt=2 at=1799999000000");
    let mut table = Table::new();
    table.jobs.remember(first.job().clone());
    table.http("id=1 state=failed error=x attempt=2 finished=1799999000000");
    assert_eq!(table.steps(), []);
    assert!(matches!(table.changes[..], [Change::Job(_)]), "it is fresh now");
    table.http("id=1 state=failed error=x attempt=3");
    assert_eq!(table.steps(), [(Outcome, Failed, 3)]);
}

#[test]
fn not_found_is_believed_when_http_knew_the_job_and_the_socket_does_not_speak_of_it() {
    let mut table = Table::new();
    table.http("id=1 state=running").secs(1).apply("gone 1", Source::Http);
    assert_eq!(table.steps(), [(Moved, JobState::Unknown("gone".into()), 1)]);
    table.http("id=1 state=running");
    assert_eq!(table.steps(), [(Moved, Running, 1)]);
}

#[test]
fn not_found_is_doubted_while_the_socket_speaks_of_the_job() {
    let mut table = Table::new();
    table.http("id=1 state=queued").socket("id=1 state=running").apply("gone 1", Source::Http);
    assert_eq!(table.changes, []);
    table.secs(10).expire(true);
    assert!(table.confirms(), "it is asked for again");
    table.apply("gone 1", Source::Http);
    assert_eq!(table.steps(), [(Moved, JobState::Unknown("gone".into()), 1)]);
    table.apply("gone 1", Source::Http);
    assert_eq!(table.changes, []);
}

#[test]
fn a_job_that_the_socket_told_of_and_http_never_showed_is_doubted_for_a_minute() {
    let mut table = Table::new();
    table.socket("id=1 state=queued").apply("gone 1", Source::Http);
    for _ in 0..5 {
        table.secs(11).apply("gone 1", Source::Http);
        assert_eq!(table.changes, []);
    }
    table.secs(5).expire(true);
    assert!(table.confirms(), "it is asked for again");
    table.apply("gone 1", Source::Http);
    assert_eq!(table.steps(), [(Moved, JobState::Unknown("gone".into()), 1)]);
}

#[test]
fn an_ended_job_that_is_evicted_stays_as_it_ended() {
    let mut table = Table::new();
    table.http("id=1 state=completed").secs(60).apply("gone 1", Source::Http);
    assert_eq!((table.state(), table.changes.len()), (Completed, 0));
}

#[test]
fn how_long_it_took_gives_the_start_or_the_end_that_is_missing() {
    let mut table = Table::new();
    table.socket("id=1 state=completed took=5000 finished=1800000009000");
    assert_eq!(table.job().started_at, Some(at(1_800_000_004_000)));
    let mut table = Table::new();
    table.socket("id=1 state=running started=1800000004000");
    table.http("id=1 state=completed took=5000");
    assert_eq!(table.job().finished_at, Some(at(1_800_000_009_000)));
    assert_eq!(table.job().progress, None, "nothing is invented");
}

#[test]
fn a_success_after_a_failure_that_nobody_saw_retried_is_believed_and_the_reverse_is_looked_up() {
    let mut table = Table::new();
    table.socket("id=1 state=failed").socket("id=1 state=completed");
    assert_eq!(table.steps(), [(Outcome, Completed, 1)]);
    table.socket("id=1 state=failed");
    assert_eq!(table.state(), Completed);
    assert!(table.confirms());
}

#[test]
fn the_board_is_bounded_and_gives_up_ended_jobs_first() {
    let mut table = Table::new();
    table.jobs = JobStore::new(GRACE, table.now.wall).with_capacity(100);
    table.jobs.pin(&"1".into(), true);
    table.socket("id=1 state=completed").socket("id=2 state=running");
    for id in 3..500 {
        table.socket(&format!("id={id} state=completed"));
        assert!(table.jobs.len() <= 100);
    }
    assert_eq!(table.state(), Completed);
    assert!(table.jobs.job(&"2".into()).is_some());
    assert!(table.jobs.job(&"3".into()).is_none());
    for id in 500..1_000 {
        table.socket(&format!("id={id} state=running"));
        assert!(table.jobs.len() <= 100);
    }
    assert_eq!(
        table.jobs.open_jobs().count(),
        table.jobs.iter().filter(|job| !job.state.terminal()).count()
    );
    // However many others are under way, the one that is watched by name stays.
    assert_eq!(table.state(), Completed);
}

#[test]
fn a_queued_job_is_not_a_change_of_a_running_one_unless_time_says_so() {
    let mut table = Table::new();
    table.socket("id=1 state=running").socket("id=1 state=queued");
    assert_eq!(table.state(), Running);
    table.secs(11).http("id=1 state=queued");
    assert_eq!(table.steps(), [(Moved, Queued, 1)]);
}

fn any_line() -> impl Strategy<Value = (String, bool, u64)> {
    let state = prop_oneof![
        Just("queued"),
        Just("running"),
        Just("completed"),
        Just("failed"),
        Just("cancelled"),
        Just("odd"),
        Just("failed mayretry"),
    ];
    let maybe = |name: &'static str, range: std::ops::Range<i64>| {
        proptest::option::of(range)
            .prop_map(move |n| n.map_or(String::new(), |n| format!(" {name}={n}")))
    };
    (
        proptest::option::of(state),
        maybe("attempt", 1..4),
        maybe("progress", -10..120),
        maybe("at", 0..40_000),
        maybe("started", 0..40_000),
        maybe("finished", 0..40_000),
        any::<bool>(),
        0u64..70,
    )
        .prop_map(|(state, attempt, progress, at, started, finished, http, wait)| {
            let state = state.map_or(String::new(), |state| format!(" state={state}"));
            let snap = if http { " snap" } else { "" };
            (format!("id=1{state}{attempt}{progress}{at}{started}{finished}{snap}"), http, wait)
        })
}

#[test]
fn the_bodies_of_jobs_that_ended_first_are_cut_when_all_together_are_too_large() {
    let mut table = Table::new();
    table.jobs = JobStore::new(GRACE, table.now.wall).with_bytes(100_000);
    let body = "x".repeat(20_000);
    for id in 1..=10 {
        let state = if id == 1 { "running" } else { "failed" };
        table.http(&format!("id={id} state={state} error={body}"));
        assert!(table.jobs.bytes() <= 100_000);
    }
    let length = |id: usize| {
        let job = table.jobs.job(&id.to_string().into()).expect("it is known");
        job.error.as_ref().map_or(0, String::len)
    };
    let lengths: Vec<usize> = (1..=10).map(length).collect();
    assert_eq!(lengths[0], 20_000, "the one that runs is whole");
    assert!(lengths[1..7].iter().all(|length| *length <= 256), "{lengths:?}");
    assert!(lengths[7..].iter().all(|length| *length == 20_000), "{lengths:?}");
    assert_eq!(table.changes.iter().filter(|c| matches!(c, Change::Job(_))).count(), 2);
}

proptest! {
    #[test]
    fn whatever_is_said_nothing_is_announced_twice_and_repeating_it_changes_nothing(
        lines in proptest::collection::vec(any_line(), 1..40),
    ) {
        let mut table = Table::new();
        let mut announced = Vec::new();
        let mut attempt = 0;
        for (line, http, wait) in lines {
            let source = if http { Source::Http } else { Source::Socket };
            table.secs(wait).expire(true);
            let mut steps = table.steps();
            table.apply(&line, source);
            steps.extend(table.steps());
            for (kind, to, attempt) in steps {
                if kind == Outcome || kind == Discovered && to.terminal() {
                    prop_assert!(!announced.contains(&(attempt, to.clone())), "{line}");
                    announced.push((attempt, to));
                }
            }
            let now = table.job().attempt.unwrap_or(1);
            prop_assert!(now >= attempt, "attempts only grow");
            attempt = now;
            let progress = table.job().progress;
            prop_assert!(progress.is_none_or(|p| (0.0..=100.0).contains(&p)));
            let open = table.jobs.open_jobs().count();
            prop_assert_eq!(open == 1, !table.state().terminal());
            table.apply(&line, source);
            let again: Vec<_> = table.changes.iter().filter(|c| !matches!(c, Change::Confirm(_))).collect();
            prop_assert!(again.is_empty(), "{line}: {again:?}");
        }
    }
}
