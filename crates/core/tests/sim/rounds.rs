//! HTTP: fetching on every greeting and watch, coalescing, polling, doubt.

use std::time::Duration;

use jobwatch_core::connection::{ConnectionState, Failure, FetchId, Input, Output, Remedy};
use jobwatch_core::dialect::{ActionKind, LogFrom};
use jobwatch_core::jobs::TransitionKind;
use jobwatch_core::model::{JobState, Topic};
use jobwatch_core::server::Policy;

use crate::bench::{Bench, EPOCH_MS, Web, at, page};
use crate::dialect::{Manner, words};

fn job(id: &str) -> Topic {
    Topic::Job(id.into())
}

fn unreachable() -> Failure {
    Failure::Unreachable("connection refused".to_owned())
}

#[test]
fn every_greeting_resubscribes_and_fetches_every_topic() {
    let mut bench = Bench::new(Manner::default());
    bench.input(Input::Watch(job("1")));
    bench.input(Input::Watch(Topic::Queue("mail".to_owned())));
    bench.input(Input::Start);
    bench.connect();
    assert_eq!(bench.sent(), ["hello", "watch job:1", "watch queue:mail"]);
    assert_eq!(bench.asked(0), ["job job:1", "list queue:mail"]);
    bench.close("reset");
    bench.secs(2);
    let from = bench.requests.len();
    bench.connect();
    assert_eq!(bench.sent(), ["hello", "watch job:1", "watch queue:mail"]);
    // Lists go first, since they tell of jobs.
    assert_eq!(bench.asked(from), ["list queue:mail", "job job:1"]);
}

#[test]
fn a_watch_on_a_live_link_is_sent_and_fetched_at_once_and_an_unwatch_ends_it() {
    let mut bench = Bench::live(Manner::default());
    bench.input(Input::Watch(job("7")));
    assert_eq!(bench.sent().last().map(String::as_str), Some("watch job:7"));
    assert_eq!(bench.asked(1), ["job job:7"]);
    bench.web = Web::ByHand;
    bench.text("stale job:7");
    bench.secs(1);
    bench.input(Input::Unwatch(job("7")));
    assert_eq!(bench.sent().last().map(String::as_str), Some("unwatch job:7"));
    assert!(bench.outputs.iter().any(|(_, output)| matches!(output, Output::Abandon(_))));
}

#[test]
fn a_look_at_a_log_asks_a_live_socket_for_its_past_and_a_dead_one_for_nothing() {
    let mut bench = Bench::live(Manner::default());
    bench.text("job id=7 state=running");
    bench.input(Input::Logs("7".into(), LogFrom::Beginning));
    assert_eq!(bench.sent().last().map(String::as_str), Some("history 7"));
    let said = bench.sent().len();
    bench.input(Input::Logs("unheard-of".into(), LogFrom::Beginning));
    bench.close("reset");
    bench.input(Input::Logs("7".into(), LogFrom::Beginning));
    assert_eq!(bench.sent().len(), said);
}

#[test]
fn three_hundred_hints_cost_a_few_requests() {
    let mut bench = Bench::live(Manner::default());
    let from = bench.requests.len();
    for _ in 0..300 {
        bench.text("stale all");
        bench.pass(Duration::from_millis(3));
    }
    bench.secs(3);
    let cost = bench.requests.len() - from;
    assert!((1..=5).contains(&cost), "{cost} requests");
}

#[test]
fn hints_about_three_hundred_different_jobs_cost_a_few_requests_of_the_list() {
    let mut bench = Bench::live(Manner::default());
    let from = bench.requests.len();
    for index in 0..300 {
        bench.text(&format!("stale job:{index}"));
    }
    bench.secs(3);
    let asked = bench.asked(from);
    assert!(asked.len() <= 6, "{asked:?}");
    assert!(asked.contains(&"list all".to_owned()));
}

#[test]
fn a_change_announced_during_a_fetch_is_fetched_once_more() {
    let mut bench = Bench::live(Manner::default());
    bench.web = Web::ByHand;
    bench.text("stale all");
    bench.secs(1);
    let (_, first, _) = bench.requests.last().cloned().expect("a request");
    let from = bench.requests.len();
    for _ in 0..50 {
        bench.text("stale all");
    }
    bench.secs(5);
    assert_eq!(bench.requests.len(), from, "one fetch in flight per topic");
    bench.answer(first, "");
    bench.secs(5);
    assert_eq!(bench.requests.len(), from + 1);
}

#[test]
fn hints_do_not_hurry_a_server_that_gives_no_usable_answer() {
    let requests = |hints: bool| {
        let mut bench = Bench::live(Manner::default());
        bench.web = Web::Status(500);
        bench.text("stale all");
        bench.secs(1);
        let from = bench.requests.len();
        for _ in 0..100 {
            if hints {
                bench.text("stale all");
            }
            bench.pass(Duration::from_millis(100));
        }
        bench.requests.len() - from
    };
    assert_eq!(requests(true), requests(false));
}

#[test]
fn a_topic_that_is_watched_anew_during_its_fetch_is_fetched_once_more() {
    let mut bench = Bench::live(Manner::default());
    bench.web = Web::ByHand;
    let from = bench.requests.len();
    bench.input(Input::Watch(job("7")));
    let (_, first, _) = bench.requests.last().cloned().expect("a request");
    bench.input(Input::Watch(job("7")));
    bench.answer(first, "job id=7 state=running");
    bench.secs(2);
    assert_eq!(bench.asked(from), ["job job:7", "job job:7"]);
}

#[test]
fn a_hint_about_an_unwatched_job_is_fetched_only_if_a_watched_list_may_hold_it() {
    let mut bench = Bench::live(Manner::default());
    let from = bench.requests.len();
    bench.text("stale job:5");
    bench.secs(1);
    assert_eq!(bench.asked(from), ["job job:5"]);
    bench.input(Input::Unwatch(Topic::Everything));
    bench.input(Input::Watch(job("9")));
    let from = bench.requests.len();
    bench.text("stale job:5");
    bench.text("stale queue:mail");
    bench.secs(2);
    assert_eq!(bench.requests.len(), from);
    bench.text("stale all");
    bench.secs(1);
    assert_eq!(bench.asked(from), ["job job:9"]);
}

#[test]
fn polling_begins_at_once_when_the_link_dies_and_goes_on_at_the_same_pace_when_it_is_back() {
    let mut bench = Bench::live(Manner::default());
    bench.web = Web::Lines("job id=1 state=running snap".to_owned());
    let from = bench.requests.len();
    bench.close("reset by peer");
    assert_eq!(bench.requests.len(), from + 1);
    assert_eq!(bench.status().state, ConnectionState::Polling);
    assert_eq!(bench.status().reason.as_deref(), Some("The connection was lost: reset by peer."));
    // Every 3 s while something is running.
    for _ in 0..10 {
        bench.secs(3);
        if bench.last_open().is_some() && bench.opens().len() > 1 {
            let socket = bench.last_open().expect("a socket");
            bench.input(Input::OpenFailed(socket, unreachable()));
        }
    }
    let polls = bench.requests.len() - from;
    assert!((9..=12).contains(&polls), "{polls}");
    while bench.status().state != ConnectionState::Live {
        let before = bench.opens().len();
        while bench.opens().len() == before {
            bench.secs(1);
        }
        bench.connect();
    }
    let from = bench.requests.len();
    bench.secs(15);
    bench.text("pong");
    bench.secs(15);
    let polls = bench.requests.len() - from;
    assert!((9..=12).contains(&polls), "{polls}");
}

#[test]
fn polling_is_slow_once_nothing_has_happened_for_long_and_slower_on_errors() {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::Lines("job id=1 state=completed snap".to_owned());
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    // Who has just begun to watch waits for something.
    let from = bench.requests.len();
    bench.secs(60);
    let polls = bench.requests.len() - from;
    assert!((17..=24).contains(&polls), "{polls}");
    bench.secs(300);
    let from = bench.requests.len();
    bench.secs(60);
    let polls = bench.requests.len() - from;
    assert!((3..=5).contains(&polls), "{polls}");
    bench.web = Web::Status(500);
    bench.secs(120);
    let from = bench.requests.len();
    bench.secs(300);
    let polls = bench.requests.len() - from;
    assert!((4..=8).contains(&polls), "{polls}");
}

#[test]
fn a_retry_after_of_the_api_holds_all_requests() {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::ByHand;
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Watch(job("1")));
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    let ids: Vec<FetchId> = bench.requests.iter().map(|(_, id, _)| *id).collect();
    let wish = Some(Duration::from_secs(90));
    for id in ids {
        bench.input(Input::Fetched(id, Ok(page(429, "")), wish));
    }
    let from = bench.requests.len();
    bench.secs(89);
    assert_eq!(bench.requests.len(), from);
    bench.secs(3);
    assert!(bench.requests.len() > from);
}

#[test]
fn a_page_of_something_else_is_no_answer() {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::Lines("<html>log in to the hotel network</html>".to_owned());
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    assert_eq!(bench.status().state, ConnectionState::Offline);
}

#[test]
fn an_api_that_knows_none_of_its_calls_is_no_api() {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::Status(404);
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    assert_eq!(bench.status().state, ConnectionState::Offline);
    // A job that is not there is an answer all the same.
    bench.input(Input::Watch(job("1")));
    assert_eq!(bench.status().state, ConnectionState::Polling);
}

#[test]
fn a_key_refused_for_one_call_beside_an_open_one_is_partly_connected_and_asked_no_more() {
    for refused_first in [false, true] {
        let mut bench = Bench::new(Manner { two_calls: true, ..Manner::default() });
        bench.web = Web::ByHand;
        bench.input(Input::Watch(job("1")));
        bench.input(Input::Start);
        let refusal = Failure::Http { status: 401, text: None, retry_after: None };
        bench.fail_open(refusal);
        let mut ids: Vec<(FetchId, u16)> =
            vec![(bench.requests[0].1, 200), (bench.requests[1].1, 401)];
        if refused_first {
            ids.reverse();
        }
        for (id, status) in ids {
            let answer =
                page(status, if status == 200 { "job id=1 state=running snap" } else { "" });
            bench.input(Input::Fetched(id, Ok(answer), None));
        }
        let partly = |bench: &Bench| {
            assert_eq!(bench.status().state, ConnectionState::Partly);
            let reason = bench.status().reason.as_deref();
            assert_eq!(
                reason,
                Some("The server does not accept the key: the key is not accepted.")
            );
            assert_eq!(bench.status().remedy, Some(Remedy::EnterKey));
        };
        partly(&bench);
        for round in 1..10 {
            bench.secs(4);
            assert_eq!(bench.requests.len(), 2 + round, "only the open call is made");
            let (_, id, request) = bench.requests[1 + round].clone();
            assert_eq!(words(&request.ask).args.len(), 1);
            bench.input(Input::Fetched(id, Ok(page(200, "job id=1 state=running snap")), None));
            partly(&bench);
        }
        // What the other call would have named is not known to be missing.
        let whole = |output: &Output| matches!(output, Output::Listed { ok: true, .. });
        assert!(!bench.outputs.iter().any(|(_, output)| whole(output)));
    }
}

#[test]
fn a_key_refused_for_one_call_of_a_topic_is_said_beside_a_live_socket_until_it_is_accepted() {
    let mut bench = Bench::live(Manner { two_calls: true, ..Manner::default() });
    bench.web = Web::ByHand;
    let from = bench.requests.len();
    bench.input(Input::Watch(job("1")));
    let answer = |bench: &mut Bench, index: usize, status| {
        let id = bench.requests[index].1;
        bench.input(Input::Fetched(id, Ok(page(status, "")), None));
    };
    answer(&mut bench, from, 200);
    answer(&mut bench, from + 1, 401);
    assert_eq!((bench.status().state, bench.status().socket_live), (ConnectionState::Partly, true));
    assert_eq!(
        bench.status().reason.as_deref(),
        Some("The server does not accept the key: the key is not accepted.")
    );
    bench.input(Input::ReconnectNow);
    // The list that is watched as well, and both calls of the job.
    for index in from + 2..from + 5 {
        answer(&mut bench, index, 200);
    }
    assert_eq!(
        (bench.status().state, bench.status().reason.clone()),
        (ConnectionState::Live, None)
    );
}

#[test]
fn a_failure_of_the_server_that_its_dialect_passes_over_is_an_answer() {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::ByHand;
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    let (_, id, _) = bench.requests[0].clone();
    bench.input(Input::Fetched(id, Ok(page(500, "passed over")), None));
    assert_eq!(bench.status().state, ConnectionState::Polling);
}

#[test]
fn beside_a_live_socket_what_has_not_ended_is_fetched_as_often_as_without_one() {
    let mut bench = Bench::live(Manner::default());
    bench.text("job id=1 state=running");
    let from = bench.requests.len();
    bench.web = Web::Lines("job id=1 state=completed snap".to_owned());
    bench.secs(4);
    assert_eq!(bench.asked(from), ["list all"]);
    assert_eq!(bench.outcomes(), [("1".to_owned(), 1, JobState::Completed)]);
}

#[test]
fn a_silent_socket_without_a_heartbeat_is_polled_beside_and_not_dropped() {
    let idle_after = Some(Duration::from_secs(10));
    let policy = Policy { idle_after, ..Policy::default() };
    let mut bench = Bench::live(Manner { policy, ..Manner::default() });
    bench.web = Web::Lines("job id=1 state=running snap".to_owned());
    let from = bench.requests.len();
    bench.secs(19);
    assert_eq!(bench.status().state, ConnectionState::Live);
    let polls = bench.requests.len() - from;
    assert!((5..=8).contains(&polls), "{polls}");
}

#[test]
fn an_unended_job_that_the_list_does_not_show_any_more_is_looked_up() {
    let mut bench = Bench::live(Manner::default());
    bench.text("job id=1 state=running");
    bench.text("job id=2 state=running");
    bench.secs(15);
    bench.text("pong");
    bench.web = Web::ByHand;
    bench.text("stale all");
    bench.secs(1);
    let (_, list, _) = bench.requests.last().cloned().expect("the list");
    bench.answer(list, "job id=2 state=running snap");
    let (_, single, request) = bench.requests.last().cloned().expect("the lookup");
    assert_eq!(words(&request.ask).args, ["1"]);
    bench.answer(single, "job id=1 state=failed error=lost snap");
    assert_eq!(bench.outcomes(), [("1".to_owned(), 1, JobState::Failed)]);
}

#[test]
fn a_quick_job_that_is_looked_up_is_announced_also_while_another_topic_is_not_listed_yet() {
    let mut bench = Bench::live(Manner::default());
    bench.web = Web::ByHand;
    bench.input(Input::Watch(job("other")));
    bench.text("stale job:5");
    bench.secs(1);
    let (_, id, request) = bench.requests.last().cloned().expect("the lookup");
    assert_eq!(words(&request.ask).args, ["5"]);
    bench.answer(id, "job id=5 state=completed finished=1800000000500 snap");
    assert_eq!(bench.outcomes(), [("5".to_owned(), 1, JobState::Completed)]);
}

#[test]
fn the_past_that_a_found_topic_shows_at_first_is_no_news() {
    let mut bench = Bench::live(Manner::default());
    bench.web = Web::ByHand;
    bench.text("discovered job:5");
    bench.secs(1);
    let (_, id, _) = bench.requests.last().cloned().expect("the found topic's fetch");
    let before = "job id=6 state=failed finished=1799999990000 snap";
    let after = "job id=7 state=failed finished=1800000060000 snap";
    bench.answer(id, &format!("{before}\n{after}"));
    assert_eq!(bench.outcomes(), [("7".to_owned(), 1, JobState::Failed)]);
}

/// A list with a job that ended half an hour before the bench's start, one that ended two hours
/// before it, and one that ended after it.
fn ended_around_the_start() -> Web {
    let line = |id: &str, minutes: i64| {
        format!("job id={id} state=failed finished={} snap", EPOCH_MS + minutes * 60_000)
    };
    Web::Lines([line("1", -30), line("2", -120), line("3", 1)].join("\n"))
}

fn told(bench: &Bench) -> Vec<(String, TransitionKind, bool)> {
    let steps = bench.transitions().into_iter();
    steps.map(|step| (step.job.to_string(), step.kind, step.while_away)).collect()
}

#[test]
fn what_began_and_ended_since_an_earlier_run_listed_last_is_told_at_the_first_listing() {
    let mut bench = Bench::new(Manner::default());
    bench.machine.remember_listing(Topic::Everything, at(EPOCH_MS - 3_600_000));
    bench.web = ended_around_the_start();
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.connect();
    bench.secs(1);
    let outcome = TransitionKind::Outcome;
    let expected =
        [("1", outcome, true), ("2", TransitionKind::Discovered, false), ("3", outcome, false)];
    assert_eq!(told(&bench), expected.map(|(id, kind, away)| (id.to_owned(), kind, away)));
    assert!(bench.machine.last_listed(&Topic::Everything) >= Some(at(EPOCH_MS)));
}

#[test]
fn the_past_of_a_topic_that_is_watched_anew_is_no_news_whatever_an_earlier_run_listed() {
    let mut bench = Bench::new(Manner::default());
    bench.machine.remember_listing(Topic::Everything, at(EPOCH_MS - 3_600_000));
    bench.web = ended_around_the_start();
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Unwatch(Topic::Everything));
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.connect();
    bench.secs(1);
    assert!(told(&bench).iter().all(|(_, kind, _)| *kind == TransitionKind::Discovered));
    assert_eq!(told(&bench).len(), 3);
}

#[test]
fn the_past_that_a_snapshot_of_a_found_topic_shows_is_no_news() {
    let mut bench = Bench::live(Manner::default());
    bench.web = Web::ByHand;
    bench.text("discovered job:5");
    bench.text("job id=6 parent=5 state=failed finished=1799999990000 snap");
    bench.text("job id=7 parent=5 state=failed finished=1800000060000 snap");
    assert_eq!(bench.outcomes(), [("7".to_owned(), 1, JobState::Failed)]);
}

#[test]
fn pages_are_followed_and_bounded() {
    let mut bench = Bench::live(Manner::default());
    let from = bench.requests.len();
    // Every page names a next one.
    bench.web = Web::Lines("job id=1 state=completed snap\nnext 1".to_owned());
    bench.text("stale all");
    bench.secs(1);
    assert_eq!(bench.requests.len() - from, 201);
    assert_eq!(bench.diagnostics(), ["incomplete-list"]);
    assert_eq!(bench.status().state, ConnectionState::Live);
}

#[test]
fn a_found_topic_is_watched_until_its_job_ends() {
    let mut bench = Bench::live(Manner::default());
    bench.text("job id=5 state=running");
    bench.text("discovered job:5");
    assert_eq!(bench.sent().last().map(String::as_str), Some("watch job:5"));
    bench.close("reset");
    bench.secs(2);
    bench.connect();
    assert!(bench.sent().contains(&"watch job:5".to_owned()));
    bench.text("job id=5 state=completed");
    assert_eq!(bench.sent().last().map(String::as_str), Some("unwatch job:5"));
    assert_eq!(bench.machine.load().discovered, 0);
}

#[test]
fn a_topic_the_server_does_not_let_us_watch_is_polled_beside_the_live_link() {
    let mut bench = Bench::live(Manner::default());
    bench.web = Web::Lines("job id=3 state=running snap".to_owned());
    bench.input(Input::Watch(job("3")));
    bench.text("rejected job:3");
    assert_eq!(bench.diagnostics(), ["refused-subscription"]);
    let from = bench.requests.len();
    bench.secs(10);
    bench.text("pong");
    bench.secs(8);
    let polls = bench.asked(from).iter().filter(|it| *it == "job job:3").count();
    assert!((5..=7).contains(&polls), "{polls}");
}

#[test]
fn a_watched_topic_reports_once_that_listing_failed_and_once_that_it_was_listed() {
    let listed = |bench: &Bench| -> Vec<bool> {
        let of = |(_, output): &(u64, Output)| match output {
            Output::Listed { ok, .. } => Some(*ok),
            _ => None,
        };
        bench.outputs.iter().filter_map(of).collect()
    };
    let mut bench = Bench::live(Manner::default());
    assert_eq!(listed(&bench), [true]);
    bench.secs(25);
    bench.web = Web::Down;
    bench.input(Input::Watch(job("1")));
    assert_eq!(listed(&bench), [true, false]);
    bench.secs(25);
    assert_eq!(listed(&bench), [true, false]);
    bench.web = Web::Lines("job id=1 state=running snap".to_owned());
    bench.text("pong");
    bench.secs(25);
    assert_eq!(listed(&bench), [true, false, true]);
    bench.text("pong");
    bench.text("stale job:1");
    bench.secs(25);
    assert_eq!(listed(&bench), [true, false, true]);
}

#[test]
fn an_action_is_answered_in_the_servers_words_and_its_job_fetched() {
    let mut bench = Bench::live(Manner::default());
    bench.text("job id=1 state=running");
    let job = bench.machine.job_store().job(&"1".into()).expect("known").clone();
    let request = bench.machine.perform(ActionKind::Cancel, &job).expect("it is offered");
    let from = bench.requests.len();
    bench.input(Input::Act(jobwatch_core::connection::ActionId(1), request.clone()));
    bench.web = Web::Status(500);
    bench.input(Input::Act(jobwatch_core::connection::ActionId(2), request));
    let acted = |(_, output): &(u64, Output)| match output {
        Output::Acted(id, result) => Some((*id, result.clone())),
        _ => None,
    };
    let acted: Vec<_> = bench.outputs.iter().filter_map(acted).collect();
    assert_eq!(acted[0], (jobwatch_core::connection::ActionId(1), Ok(())));
    assert_eq!(acted[1], (jobwatch_core::connection::ActionId(2), Err("HTTP 500".to_owned())));
    bench.secs(1);
    assert!(bench.asked(from).contains(&"job job:1".to_owned()));
}

#[test]
fn a_topic_that_this_kind_of_server_never_shows_is_told_in_words_when_it_is_watched() {
    let mut bench = Bench::new(Manner::default());
    bench.input(Input::Watch(Topic::User("nobody".to_owned())));
    let told = bench.outputs.iter().find_map(|(_, output)| match output {
        Output::Diagnostic(odd) if odd.kind == "refused-subscription" => Some(odd.text.clone()),
        _ => None,
    });
    let words = "The server does not let us watch user:nobody: There is nobody.";
    assert_eq!(told.as_deref(), Some(words));
}

/// The requests made since request number `from`, at most in any minute.
fn in_a_minute(bench: &Bench, from: usize) -> usize {
    let times: Vec<u64> = bench.requests[from..].iter().map(|(at, _, _)| *at).collect();
    let within = |(index, first): (usize, &u64)| {
        times[index..].iter().take_while(|at| **at < first + 60_000).count()
    };
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

/// So many running jobs as a list shows them, all of which are found.
fn running(jobs: std::ops::Range<usize>) -> String {
    jobs.map(|id| format!("job id={id} state=running snap\ndiscovered job:{id}\n")).collect()
}

fn counting(whole_rows: bool) -> Manner {
    let policy = Policy { requests_per_minute: Some(90), ..Policy::default() };
    Manner { policy, whole_rows, ..Manner::default() }
}

#[test]
fn the_polls_of_many_jobs_stay_within_the_budget_and_reach_every_job() {
    let mut bench = Bench::new(counting(false));
    bench.web = Web::Lines("job id=0 state=running snap".to_owned());
    for index in 0..40 {
        bench.input(Input::Watch(job(&index.to_string())));
    }
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    bench.secs(300);
    assert!(in_a_minute(&bench, 0) <= 90, "{}", in_a_minute(&bench, 0));
    let total = bench.requests.len();
    assert!(total > 300, "{total} in five minutes: the budget is there to be used");
    for index in 0..40 {
        let asked = format!("job job:{index}");
        let times = bench.asked(0).iter().filter(|it| **it == asked).count();
        assert!(times >= 5, "job {index} was asked for {times} times");
    }
}

#[test]
fn an_action_waits_for_no_budget() {
    let mut bench = Bench::new(counting(false));
    bench.web = Web::Lines("job id=1 state=running snap".to_owned());
    for index in 0..40 {
        bench.input(Input::Watch(job(&index.to_string())));
    }
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    let job = bench.machine.job_store().job(&"1".into()).expect("known").clone();
    let request = bench.machine.perform(ActionKind::Cancel, &job).expect("it is offered");
    let from = bench.requests.len();
    bench.input(Input::Act(jobwatch_core::connection::ActionId(1), request));
    assert_eq!(bench.asked(from), ["cancel job:1"]);
}

#[test]
fn jobs_that_a_list_tells_whole_are_not_polled_one_by_one() {
    let mut bench = Bench::new(counting(true));
    bench.web = Web::Lines(running(0..50));
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    bench.secs(60);
    let asked = bench.asked(0);
    assert!(asked.iter().all(|it| it == "list all"), "{asked:?}");
    assert!((15..=24).contains(&asked.len()), "{}", asked.len());
    // One that the list does not show any more is asked for by itself.
    bench.web = Web::Lines(running(1..50));
    let from = bench.requests.len();
    bench.secs(15);
    assert!(bench.asked(from).contains(&"job job:0".to_owned()));
    assert!(!bench.asked(from).contains(&"job job:1".to_owned()));
}

#[test]
fn beside_a_live_socket_jobs_that_a_list_tells_whole_are_not_fetched_one_by_one() {
    let mut bench = Bench::live(counting(true));
    bench.web = Web::Lines(running(0..50));
    bench.text("stale all");
    for _ in 0..18 {
        bench.secs(5);
        bench.text("pong");
    }
    assert_eq!(bench.sent().len(), 1 + 1 + 50 + 4, "all are subscribed");
    let asked = bench.asked(0);
    assert!(asked.iter().all(|it| it == "list all"), "{asked:?}");
    assert!((25..=34).contains(&asked.len()), "{asked:?}");
    bench.web = Web::Lines(running(1..50));
    let from = bench.requests.len();
    for _ in 0..8 {
        bench.secs(5);
        bench.text("pong");
    }
    let mut asked = bench.asked(from);
    asked.retain(|it| it != "list all");
    asked.dedup();
    assert_eq!(asked, ["job job:0"]);
    // What is announced of one is worth a request.
    let from = bench.requests.len();
    bench.text("stale job:7");
    bench.secs(1);
    assert_eq!(bench.asked(from), ["job job:7"]);
}

#[test]
fn a_job_that_the_user_watches_is_fetched_by_itself_once_whatever_a_list_tells() {
    let mut bench = Bench::live(counting(true));
    bench.web = Web::Lines(running(0..5));
    bench.input(Input::Watch(job("3")));
    bench.secs(1);
    assert!(bench.machine.listed_since(&job("3")).is_some());
    bench.close("reset");
    let from = bench.requests.len();
    bench.secs(30);
    let singly = bench.asked(from).iter().filter(|it| *it == "job job:3").count();
    assert!(singly <= 1, "{singly}");
}

#[test]
fn jobs_that_have_ended_are_looked_at_less_and_less_often() {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::Lines("job id=1 state=completed snap\njob id=2 state=running snap".to_owned());
    bench.input(Input::Watch(job("1")));
    bench.input(Input::Watch(job("2")));
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    bench.secs(600);
    let times = |bench: &Bench, topic| bench.asked(0).iter().filter(|it| **it == topic).count();
    let (ended, moving) = (times(&bench, "job job:1"), times(&bench, "job job:2"));
    assert!((5..=9).contains(&ended), "{ended}");
    assert!(moving > 150, "{moving}");
    // Seen to run again, it is polled like any other.
    bench.web = Web::Lines("job id=1 state=running snap\njob id=2 state=running snap".to_owned());
    bench.secs(130);
    let before = times(&bench, "job job:1");
    bench.secs(30);
    assert!(times(&bench, "job job:1") - before >= 8);
}

#[test]
fn topics_that_ask_the_same_share_the_answer_unless_one_has_heard_news_since() {
    let both = [Topic::Everything, Topic::User("me".to_owned())];
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::Lines("job id=1 state=running snap".to_owned());
    for topic in &both {
        bench.input(Input::Watch(topic.clone()));
    }
    bench.web = Web::ByHand;
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    assert_eq!(bench.asked(0).len(), 1);
    let (_, id, _) = bench.requests[0].clone();
    bench.answer(id, "job id=1 state=running snap");
    for topic in &both {
        assert!(bench.machine.listed_since(topic).is_some(), "{topic}");
    }
    bench.web = Web::Lines("job id=1 state=running snap".to_owned());
    bench.secs(60);
    let polls = bench.requests.len();
    assert!((18..=27).contains(&polls), "{polls}");
    let from = bench.requests.len();
    bench.input(Input::Watch(both[1].clone()));
    bench.secs(1);
    assert!(bench.asked(from).contains(&"list user:me".to_owned()), "{:?}", bench.asked(from));
}

#[test]
fn a_request_that_another_topic_waits_for_is_not_abandoned() {
    let both = [Topic::Everything, Topic::User("me".to_owned())];
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::ByHand;
    for topic in &both {
        bench.input(Input::Watch(topic.clone()));
    }
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    let (_, id, request) = bench.requests[0].clone();
    let asker = request.ask.topic.expect("a topic");
    bench.input(Input::Unwatch(asker.clone()));
    assert!(!bench.outputs.iter().any(|(_, output)| matches!(output, Output::Abandon(_))));
    bench.answer(id, "job id=1 state=running snap");
    let other = both.iter().find(|topic| **topic != asker).expect("the other");
    assert!(bench.machine.listed_since(other).is_some());
}

#[test]
fn no_more_requests_are_under_way_than_the_server_answers_at_once() {
    let policy = Policy { parallel_requests: 4, ..Policy::default() };
    let mut bench = Bench::new(Manner { policy, ..Manner::default() });
    bench.web = Web::ByHand;
    for index in 0..9 {
        bench.input(Input::Watch(job(&index.to_string())));
    }
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    bench.secs(2);
    assert_eq!(bench.requests.len(), 4);
    let (_, id, _) = bench.requests[0].clone();
    bench.answer(id, "");
    assert_eq!(bench.requests.len(), 5);
}
