//! Logs: read whole, kept where only HTTP serves them, and said to be cut where they are.

use std::time::Duration;

use jobwatch_core::connection::{Failure, Input, LogReach, Output};
use jobwatch_core::model::{JobId, JobState, Topic};

use crate::bench::{Bench, Web};
use crate::dialect::Manner;

fn serving() -> Manner {
    Manner { serves_logs: true, ..Manner::default() }
}

/// A server whose socket is shut, with what its HTTP API says.
fn polled(lines: &str) -> Bench {
    let mut bench = Bench::new(serving());
    bench.web = Web::Lines(lines.to_owned());
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.fail_open(Failure::Unreachable("connection refused".to_owned()));
    bench
}

fn reaches(bench: &Bench) -> Vec<LogReach> {
    let reach = |(_, output): &(u64, Output)| match output {
        Output::LogReach { reach, .. } => Some(reach.clone()),
        _ => None,
    };
    bench.outputs.iter().filter_map(reach).collect()
}

/// When logs were asked for, since request number `from`.
fn looks(bench: &Bench, from: usize) -> Vec<u64> {
    let of = bench.requests[from..].iter().filter(|(_, _, request)| request.ask.name() == "logs");
    of.map(|(at, ..)| *at).collect()
}

fn id(id: &str) -> JobId {
    id.into()
}

#[test]
fn a_log_that_is_wanted_before_its_job_is_known_is_asked_for_as_soon_as_it_is() {
    for live in [true, false] {
        let mut bench = match live {
            true => Bench::live(serving()),
            false => polled(""),
        };
        bench.input(Input::ReadLog(id("7")));
        bench.secs(5);
        assert!(looks(&bench, 0).is_empty(), "the job is not known");
        bench.web = Web::Lines("job id=7 state=completed finished=1 snap\npart".to_owned());
        bench.input(Input::Watch(Topic::Job(id("7"))));
        bench.secs(1);
        assert_eq!(looks(&bench, 0).len(), 1, "live: {live}");
        assert_eq!(reaches(&bench), [LogReach::Asking, LogReach::Complete { finished: true }]);
    }
}

#[test]
fn the_log_of_every_watched_job_is_kept_where_only_http_serves_it() {
    let mut bench = polled("job id=7 state=running snap\npart\nlog id=7 text=a");
    bench.secs(60);
    let made = looks(&bench, 0).len();
    assert!((4..=8).contains(&made), "{made} looks in a minute");
}

#[test]
fn many_logs_that_nobody_reads_are_kept_at_a_modest_pace() {
    let jobs: Vec<String> = (0..300).map(|n| format!("job id={n} state=running snap")).collect();
    let mut bench = polled(&(jobs.join("\n") + "\npart"));
    bench.secs(20);
    let from = bench.requests.len();
    bench.secs(60);
    let made = looks(&bench, from).len();
    assert!((100..=260).contains(&made), "{made} looks in a minute");
}

#[test]
fn a_live_socket_that_announces_lines_leaves_nothing_to_keep_until_the_end() {
    let mut bench = Bench::live(Manner { announces_logs: true, ..serving() });
    bench.text("job id=7 state=running");
    bench.web = Web::Lines("job id=7 state=running snap\npart".to_owned());
    for _ in 0..12 {
        bench.secs(10);
        bench.text("pong");
    }
    assert!(looks(&bench, 0).is_empty());
    bench.text("grew id=7");
    bench.secs(1);
    assert_eq!(looks(&bench, 0).len(), 1);
    bench.web = Web::Lines("job id=7 state=completed snap\npart".to_owned());
    bench.text("job id=7 state=completed");
    bench.secs(60);
    assert!(looks(&bench, 0).len() >= 3, "the last lines come late");
}

#[test]
fn after_the_end_a_log_is_looked_at_until_nothing_new_comes_twice() {
    let mut bench = polled("job id=7 state=running snap\npart\nlog id=7 text=starting");
    bench.input(Input::ReadLog(id("7")));
    bench.secs(10);
    let from = bench.requests.len();
    bench.web = Web::Lines(
        "job id=7 state=failed snap\npart\nlog id=7 text=starting\nlog id=7 text=fatal".to_owned(),
    );
    let ended = |bench: &Bench| bench.transitions().iter().any(|step| step.to == JobState::Failed);
    while !ended(&bench) {
        bench.pass(Duration::from_millis(100));
    }
    bench.secs(1);
    assert!(!reaches(&bench).contains(&LogReach::Complete { finished: true }));
    bench.web = Web::Lines(
        "job id=7 state=failed snap\npart\nlog id=7 text=fatal\nlog id=7 text=later".to_owned(),
    );
    bench.secs(20);
    assert_eq!(reaches(&bench).last(), Some(&LogReach::Complete { finished: true }));
    let made = looks(&bench, from).len();
    assert!((4..=7).contains(&made), "{made} looks");
    bench.secs(60);
    let from = bench.requests.len();
    bench.secs(300);
    assert!(looks(&bench, from).is_empty(), "an ended log is left alone");
}

#[test]
fn reading_a_log_goes_on_for_a_few_seconds_after_the_end_and_then_stops() {
    let log = |lines: &str| Web::Lines(format!("job id=7 state=completed snap\npart{lines}"));
    for late in [None, Some(Duration::from_millis(3_500))] {
        let mut bench = polled("job id=7 state=running snap\npart");
        bench.input(Input::ReadLog(id("7")));
        bench.secs(30);
        bench.web = log("");
        let ended = |bench: &Bench| !bench.outcomes().is_empty();
        while !ended(&bench) {
            bench.pass(Duration::from_millis(50));
        }
        let (end, from) = (bench.now.mono.0, bench.requests.len());
        let settled =
            |bench: &Bench| reaches(bench).last() == Some(&LogReach::Complete { finished: true });
        if let Some(late) = late {
            bench.pass(late);
            bench.web = log("\nlog id=7 text=last");
        }
        while !settled(&bench) {
            assert!(bench.now.mono.0 < end + 20_000, "it does not stop");
            bench.pass(Duration::from_millis(50));
        }
        let lasted = bench.now.mono.0 - end;
        let brought = bench.outputs.iter().any(|(_, output)| matches!(output, Output::Log { .. }));
        match late {
            None => assert!((3_500..=5_000).contains(&lasted), "{lasted} ms"),
            Some(_) => assert!(brought && lasted <= 20_000, "{lasted} ms, brought: {brought}"),
        }
        bench.secs(40);
        let until = looks(&bench, from).last().copied().unwrap_or_default();
        bench.secs(300);
        let last = looks(&bench, from).last().copied().unwrap_or_default();
        assert_eq!(last, until, "one look 30 s later is the last");
        assert!(looks(&bench, from).len() <= 8, "{:?}", looks(&bench, from));
    }
}

#[test]
fn a_log_is_read_page_after_page_and_a_missing_page_is_said() {
    let mut bench = Bench::live(serving());
    bench.text("job id=7 state=completed");
    bench.web = Web::ByHand;
    bench.input(Input::ReadLog(id("7")));
    for page in 1..=3 {
        let (_, asked, request) = bench.requests.last().cloned().expect("a request");
        assert_eq!(request.ask.name(), "logs");
        bench.answer(asked, &format!("log id=7 text={page}\npart left=50\nnextpage {page}"));
    }
    let (_, asked, _) = bench.requests.last().cloned().expect("a request");
    bench.input(Input::Fetched(asked, Err(Failure::Unreachable("reset".to_owned())), None));
    let reach = reaches(&bench).pop();
    let Some(LogReach::Cut { missing: Some(50), again: false, .. }) = reach else {
        panic!("{reach:?}")
    };
}

#[test]
fn logs_that_the_server_does_not_give_are_told_once_and_asked_for_ever_less() {
    let mut bench = polled("job id=7 state=running snap\npart");
    bench.secs(1);
    bench.web = Web::Status(500);
    let silent = |bench: &Bench| {
        // The list, and the job by itself, fail as often.
        let others = bench.asked(0).iter().filter(|ask| !ask.starts_with("logs")).count();
        bench.diagnostics().len().saturating_sub(others)
    };
    let told = silent(&bench);
    let from = bench.requests.len();
    bench.secs(1_200);
    let made = looks(&bench, from).len();
    assert!(made <= 20, "{made} looks in twenty minutes");
    let told = silent(&bench).saturating_sub(told);
    assert!(told <= 3, "{told} times");
}

#[test]
fn a_refused_key_is_not_shown_to_the_log_server_either() {
    let mut bench = polled("job id=7 state=running snap\npart");
    bench.input(Input::ReadLog(id("7")));
    bench.secs(5);
    bench.web = Web::Lines("refused the key is not accepted".to_owned());
    bench.secs(10);
    let from = bench.requests.len();
    bench.secs(120);
    assert!(looks(&bench, from).is_empty());
}

#[test]
fn a_pause_leaves_nothing_half_read() {
    let mut bench = polled("job id=7 state=running snap\npart");
    bench.input(Input::ReadLog(id("7")));
    bench.web = Web::ByHand;
    bench.secs(10);
    bench.input(Input::Pause);
    bench.web = Web::Lines("job id=7 state=running snap\npart".to_owned());
    let from = bench.requests.len();
    bench.secs(60);
    assert!(looks(&bench, from).is_empty());
    bench.input(Input::Start);
    bench.fail_open(Failure::Unreachable("connection refused".to_owned()));
    bench.secs(10);
    assert!(looks(&bench, from).len() >= 2);
}
