//! Answers that are too large to be read to their end.

use jobwatch_core::connection::{ConnectionState, Failure, FetchId, Input};
use jobwatch_core::model::{JobState, Topic};

use crate::bench::{Bench, Web, page};
use crate::dialect::Manner;

const LIMIT: usize = 32 << 20;

/// A request is answered with more than is read of one, beginning so.
fn begins(bench: &mut Bench, id: FetchId, lines: &str) {
    let begun = Box::new(page(200, lines));
    bench.input(Input::Fetched(id, Err(Failure::TooLarge { limit: LIMIT, begun }), None));
}

fn announced(bench: &mut Bench) -> FetchId {
    bench.text("stale all");
    bench.secs(1);
    bench.requests.last().expect("the list").1
}

#[test]
fn jobs_that_are_missing_in_the_beginning_of_a_list_are_not_taken_for_gone_and_the_status_says_why()
{
    let mut bench = Bench::live(Manner { single_jobs: false, ..Manner::default() });
    bench.text("job id=1 state=running");
    bench.text("job id=2 state=running");
    bench.secs(15);
    bench.text("pong");
    bench.web = Web::ByHand;
    let list = announced(&mut bench);
    begins(&mut bench, list, "job id=1 state=completed snap");
    assert_eq!(bench.outcomes(), [("1".to_owned(), 1, JobState::Completed)]);
    let store = bench.machine.job_store();
    assert_eq!(store.job(&"2".into()).expect("it is known").state, JobState::Running);
    assert_eq!(bench.status().state, ConnectionState::Live);
    let reason = bench.status().reason.clone().expect("a reason");
    assert!(reason.starts_with("The list of all jobs is larger than the 32 MiB"), "{reason}");
    assert!(reason.ends_with("Watch single queues instead of everything."), "{reason}");
    assert_eq!(bench.diagnostics(), ["incomplete-list"]);
    // It is said once, for as long as it is so.
    let list = announced(&mut bench);
    begins(&mut bench, list, "job id=3 state=running snap");
    assert_eq!(bench.diagnostics(), ["incomplete-list"]);
    let list = announced(&mut bench);
    bench.answer(list, "job id=2 state=running snap");
    assert_eq!(
        (bench.status().state, bench.status().reason.clone()),
        (ConnectionState::Live, None)
    );
}

#[test]
fn a_single_job_whose_answer_is_too_large_is_said_to_be_and_nothing_of_it_believed() {
    let mut bench = Bench::live(Manner::default());
    bench.web = Web::ByHand;
    bench.input(Input::Watch(Topic::Job("7".into())));
    let (_, id, request) = bench.requests.last().cloned().expect("the job");
    assert_eq!(request.ask.name(), "job");
    begins(&mut bench, id, "job id=7 state=completed snap");
    assert!(bench.machine.job_store().job(&"7".into()).is_none());
    assert_eq!(bench.status().state, ConnectionState::Partly);
    assert_eq!(
        bench.status().reason.as_deref(),
        Some("An answer of the API is larger than the 32 MiB that are read.")
    );
}
