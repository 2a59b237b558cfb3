//! A wall clock that is set, and what an earlier run noted by it.

use jiff::{SignedDuration, Timestamp};
use jobwatch_core::connection::Input;
use jobwatch_core::model::{Job, JobState, Topic};

use crate::bench::{Bench, EPOCH_MS, Web, at};
use crate::dialect::Manner;

const HOUR_MS: i64 = 3_600_000;

fn failed(id: &str, at: i64) -> String {
    format!("job id={id} state=failed finished={at} snap")
}

#[test]
fn what_ends_after_the_clock_was_set_right_is_news_though_the_list_was_read_by_the_wrong_one() {
    let mut bench = Bench::live(Manner::default());
    bench.secs(60);
    // It ran an hour fast.
    bench.now.wall -= SignedDuration::from_hours(1);
    bench.input(Input::Tick);
    let ended = EPOCH_MS - HOUR_MS + 90_000;
    bench.web = Web::Lines([failed("1", ended), failed("2", ended - HOUR_MS)].join("\n"));
    bench.text("stale all");
    bench.secs(10);
    assert_eq!(bench.outcomes(), [("1".to_owned(), 1, JobState::Failed)]);
    let listed = bench.machine.last_listed(&Topic::Everything);
    assert!(listed <= Some(bench.now.wall), "{listed:?}");
}

#[test]
fn a_listing_that_an_earlier_run_noted_in_the_future_counts_as_now() {
    let mut bench = Bench::new(Manner::default());
    bench.machine.remember_listing(Topic::Everything, at(EPOCH_MS + HOUR_MS));
    bench.web = Web::Lines(failed("1", EPOCH_MS + 500));
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.connect();
    bench.secs(1);
    assert_eq!(bench.outcomes(), [("1".to_owned(), 1, JobState::Failed)]);
}

#[test]
fn a_remembered_job_is_as_old_as_the_last_list_that_held_it_and_not_as_its_last_change() {
    let mut bench = Bench::live(Manner::default());
    bench.text("job id=1 state=running queue=mail");
    bench.text("job id=2 state=completed queue=mail");
    let known = |id: &str| Job::clone(bench.machine.job_store().job(&id.into()).expect("known"));
    let (running, completed) = (known("1"), known("2"));
    let hour: Timestamp = at(EPOCH_MS + HOUR_MS);

    let mut bench = Bench::new(Manner::default());
    bench.now.wall = at(EPOCH_MS + 2 * HOUR_MS);
    bench.input(Input::Tick);
    bench.machine.remember_listing(Topic::Queue("mail".to_owned()), hour);
    bench.machine.remember_listing(Topic::Queue("other".to_owned()), at(EPOCH_MS + 2 * HOUR_MS));
    assert_eq!(bench.machine.remember(running).last_seen, hour);
    // No list need show what has ended.
    assert_eq!(bench.machine.remember(completed.clone()).last_seen, completed.last_seen);
}
