//! Answers that come in parts.

use jobwatch_core::connection::{ConnectionState, Failure, FetchId, Input, Output};
use jobwatch_core::model::{JobState, Topic};

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
    bench.machine.job_store().job(&id.into()).map(|job| job.state.clone())
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
    assert_eq!(bench.status().state, ConnectionState::Live);
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
    assert_eq!(bench.status().state, ConnectionState::Partly);
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

/// The topics whose lists were read to the end since output number `from`, in order.
fn listed(bench: &Bench, from: usize) -> Vec<String> {
    let mut all: Vec<String> = bench.outputs[from..]
        .iter()
        .filter_map(|(_, output)| match output {
            Output::Listed { topic, ok: true, .. } => Some(topic.to_string()),
            _ => None,
        })
        .collect();
    all.sort();
    all
}

/// The first list that all jobs and those of a user are asked for with, by both.
fn shared() -> (Bench, FetchId) {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::ByHand;
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Watch(Topic::User("ann".to_owned())));
    bench.input(Input::Start);
    let socket = bench.last_open().expect("a socket");
    bench.input(Input::Opened(socket));
    bench.text("welcome");
    bench.secs(1);
    assert_eq!(bench.requests.len(), 1, "both ask the same");
    let list = bench.requests[0].1;
    (bench, list)
}

#[test]
fn all_who_asked_for_a_list_before_its_first_part_get_each_of_them() {
    let (mut bench, list) = shared();
    let from = bench.outputs.len();
    part(&mut bench, list, "job id=1 state=running snap");
    part(&mut bench, list, "job id=2 state=running snap");
    bench.answer(list, "job id=3 state=running snap");
    assert_eq!(listed(&bench, from), ["all", "user:ann"]);
    assert_eq!(state(&bench, "2"), Some(JobState::Running));
}

#[test]
fn one_who_gives_up_between_two_parts_takes_nothing_from_the_other() {
    for given_up in [Topic::Everything, Topic::User("ann".to_owned())] {
        let (mut bench, list) = shared();
        let from = bench.outputs.len();
        part(&mut bench, list, "job id=1 state=running snap");
        bench.input(Input::Unwatch(given_up.clone()));
        part(&mut bench, list, "job id=2 state=running snap");
        bench.answer(list, "job id=3 state=running snap");
        assert_eq!(listed(&bench, from).len(), 1, "{given_up}");
        assert_eq!(state(&bench, "3"), Some(JobState::Running), "{given_up}");
    }
}

#[test]
fn who_asks_for_a_list_of_which_part_has_come_asks_anew_after_its_end() {
    let mut bench = Bench::live(Manner::default());
    bench.input(Input::Watch(Topic::User("ann".to_owned())));
    bench.secs(20);
    bench.text("pong");
    bench.web = Web::ByHand;
    let list = listing(&mut bench);
    part(&mut bench, list, "job id=1 state=running snap");
    let asked = bench.requests.len();
    bench.text("stale user:ann");
    bench.secs(2);
    assert_eq!(bench.asked(asked), [""; 0], "it would have missed a part");
    bench.answer(list, "job id=2 state=running snap");
    bench.secs(1);
    assert_eq!(bench.asked(asked), ["list user:ann"]);
}

#[test]
fn a_list_whose_last_part_cannot_be_read_has_not_been_listed() {
    let (mut bench, list) = shared();
    bench.text("job id=2 state=running");
    bench.secs(1);
    let (asked, from) = (bench.requests.len(), bench.outputs.len());
    part(&mut bench, list, "job id=1 state=running snap");
    bench.answer(list, "{\"id\":");
    assert_eq!(state(&bench, "1"), Some(JobState::Running));
    assert_eq!(listed(&bench, from), [""; 0]);
    assert_eq!(bench.asked(asked), [""; 0], "nothing is missing for good");
}
