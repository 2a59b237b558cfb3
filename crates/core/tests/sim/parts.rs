//! Answers that come in parts.

use jobwatch_core::model::{JobState, Topic};
use jobwatch_core::supervisor::{Failure, FetchId, Input, Link};

use crate::bench::{Bench, Web, page};
use crate::dialect::Manner;

fn part(bench: &mut Bench, id: FetchId, lines: &str) {
    bench.input(Input::Part(id, page(200, lines)));
}

fn listing(bench: &mut Bench) -> FetchId {
    bench.text("stale all");
    bench.secs(1);
    bench.requests.last().expect("the list").1
}

fn state(bench: &Bench, id: &str) -> Option<JobState> {
    bench.machine.board().job(&id.into()).map(|job| job.state.clone())
}

#[test]
fn the_jobs_of_each_part_are_known_at_once_and_what_is_missing_shows_with_the_last() {
    let mut bench = Bench::live(Manner::default());
    bench.text("job id=3 state=running");
    bench.secs(15);
    bench.text("pong");
    bench.web = Web::ByHand;
    let list = listing(&mut bench);
    let asked = bench.requests.len();
    part(&mut bench, list, "job id=1 state=running snap");
    assert_eq!(state(&bench, "1"), Some(JobState::Running));
    part(&mut bench, list, "job id=2 state=running snap");
    bench.secs(1);
    assert_eq!(bench.requests.len(), asked, "the list has not ended");
    bench.answer(list, "job id=4 state=running snap");
    assert_eq!(state(&bench, "4"), Some(JobState::Running));
    // The one that stood in no part is asked for, those that did are not.
    bench.secs(1);
    assert_eq!(bench.asked(asked), ["job job:3"]);
    assert_eq!(bench.status().link, Link::Live);
}

#[test]
fn what_came_of_a_list_that_breaks_off_holds_and_the_rest_is_not_taken_for_gone() {
    let mut bench = Bench::live(Manner::default());
    bench.text("job id=2 state=running");
    bench.secs(15);
    bench.text("pong");
    bench.web = Web::ByHand;
    let list = listing(&mut bench);
    let asked = bench.requests.len();
    part(&mut bench, list, "job id=1 state=completed snap");
    let reset = Failure::Unreachable("connection reset".to_owned());
    bench.input(Input::Fetched(list, Err(reset), None));
    assert_eq!(state(&bench, "1"), Some(JobState::Completed));
    assert_eq!(state(&bench, "2"), Some(JobState::Running));
    assert_eq!(bench.asked(asked), [""; 0]);
    assert_eq!(bench.status().link, Link::Partly);
}

#[test]
fn a_part_of_what_nobody_wants_any_more_means_nothing() {
    let mut bench = Bench::live(Manner::default());
    bench.web = Web::ByHand;
    let list = listing(&mut bench);
    part(&mut bench, list, "job id=1 state=running snap");
    bench.input(Input::Unwatch(Topic::Everything));
    part(&mut bench, list, "job id=2 state=running snap");
    assert_eq!(state(&bench, "2"), None);
}
