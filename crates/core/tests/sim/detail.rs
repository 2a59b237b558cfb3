//! What is looked at, what belongs to nothing, and what falls off its list.

use jobwatch_core::connection::{Input, Lookup, Output};
use jobwatch_core::dialect::FetchResponse;
use jobwatch_core::model::{JobState, Topic};

use crate::bench::{Bench, EPOCH_MS, Web, at, page};
use crate::dialect::{Manner, words};

fn watching(topics: &[Topic]) -> Bench {
    let mut bench = Bench::new(Manner::default());
    for topic in topics {
        bench.input(Input::Watch(topic.clone()));
    }
    bench.input(Input::Start);
    bench.connect();
    bench
}

fn reports() -> Topic {
    Topic::Queue("reports".to_owned())
}

fn known(bench: &Bench, id: &str) -> Option<JobState> {
    bench.machine.job_store().job(&id.into()).map(|job| job.state.clone())
}

fn looked(bench: &Bench) -> Vec<Lookup> {
    let of = |(_, output): &(u64, Output)| match output {
        Output::Lookup { lookup, .. } => Some(lookup.clone()),
        _ => None,
    };
    bench.outputs.iter().filter_map(of).collect()
}

fn told_of(bench: &Bench, id: &str) -> bool {
    bench
        .outputs
        .iter()
        .any(|(_, output)| matches!(output, Output::Job(job) if job.id.as_str() == id))
}

/// Answers what was asked last.
fn answer(bench: &mut Bench, lines: &str) {
    let (_, id, _) = bench.requests.last().cloned().expect("a request");
    bench.answer(id, lines);
}

#[test]
fn a_hint_about_a_job_of_another_queue_leaves_nothing_behind() {
    let mut bench = watching(&[reports()]);
    bench.web = Web::Lines("job id=e1 queue=email state=running snap".to_owned());
    bench.text("stale job:e1");
    bench.secs(2);
    assert!(bench.asked(0).contains(&"job job:e1".to_owned()), "it might have been ours");
    assert_eq!(known(&bench, "e1"), None);
    assert!(!told_of(&bench, "e1"));
    // Whose it is is known from now on.
    let from = bench.requests.len();
    bench.text("stale job:e1");
    bench.secs(2);
    assert!(!bench.asked(from).contains(&"job job:e1".to_owned()));
}

#[test]
fn a_job_that_turns_out_to_belong_to_another_queue_is_forgotten() {
    let mut bench = watching(&[reports()]);
    bench.web = Web::ByHand;
    bench.text("job id=e1 state=running name=mail");
    assert!(told_of(&bench, "e1"));
    bench.text("job id=e1 queue=email progress=10");
    assert_eq!(known(&bench, "e1"), None);
    let forgotten = |(_, output): &(u64, Output)| matches!(output, Output::Forgotten(id) if id.as_str() == "e1");
    assert!(bench.outputs.iter().any(forgotten));
}

#[test]
fn a_job_that_was_kept_before_is_followed_to_its_end_though_nothing_holds_it_any_more() {
    let mut bench = watching(&[reports(), Topic::Job("x".into())]);
    bench.text("job id=r1 queue=reports state=running name=r");
    bench.input(Input::Unwatch(reports()));
    bench.web = Web::Lines("job id=r1 queue=reports state=failed error=late snap".to_owned());
    for _ in 0..12 {
        bench.secs(5);
        bench.text("pong");
    }
    assert_eq!(known(&bench, "r1"), Some(JobState::Failed));
}

#[test]
fn whatever_is_looked_at_is_fetched_at_once_and_as_long_as_it_is_looked_at() {
    let mut bench = watching(&[reports()]);
    bench.web = Web::Lines("job id=new queue=email state=running snap".to_owned());
    let from = bench.requests.len();
    bench.input(Input::OpenDetail("new".into()));
    assert_eq!(bench.asked(from), ["job job:new"]);
    assert_eq!(looked(&bench), [Lookup::Known("new".into())]);
    assert!(
        bench.sent().contains(&"watch job:new".to_owned()),
        "a live socket tells of it as well"
    );
    let from = bench.requests.len();
    bench.secs(9);
    bench.text("pong");
    bench.secs(9);
    let polls = bench.asked(from).iter().filter(|it| *it == "job job:new").count();
    assert!((5..=7).contains(&polls), "{polls}");
    assert_eq!(known(&bench, "new"), Some(JobState::Running));
    bench.input(Input::CloseDetail("new".into()));
    assert_eq!(known(&bench, "new"), None, "nothing that is watched holds it");
    assert!(bench.sent().contains(&"unwatch job:new".to_owned()));
    let from = bench.requests.len();
    bench.secs(15);
    assert!(!bench.asked(from).contains(&"job job:new".to_owned()));
}

#[test]
fn a_job_that_is_looked_at_twice_is_looked_at_until_both_have_looked_away() {
    let mut bench = watching(&[reports()]);
    bench.web = Web::Lines("job id=new queue=email state=running snap".to_owned());
    bench.input(Input::OpenDetail("new".into()));
    bench.input(Input::OpenDetail("new".into()));
    bench.input(Input::CloseDetail("new".into()));
    assert_eq!(known(&bench, "new"), Some(JobState::Running));
    bench.input(Input::CloseDetail("new".into()));
    assert_eq!(known(&bench, "new"), None);
}

#[test]
fn that_a_job_is_not_known_is_said_once_the_server_has_said_so() {
    let mut bench = watching(&[reports()]);
    bench.web = Web::ByHand;
    bench.input(Input::OpenDetail("nobody".into()));
    assert_eq!(looked(&bench), []);
    let (_, id, _) = bench.requests.last().cloned().expect("it is asked for");
    let gone: FetchResponse = page(404, "");
    bench.input(Input::Fetched(id, Ok(gone), None));
    assert_eq!(looked(&bench), [Lookup::Unknown]);
}

#[test]
fn that_the_server_cannot_say_is_said_and_what_it_says_later_too() {
    let mut bench = watching(&[reports()]);
    bench.web = Web::Status(502);
    bench.input(Input::OpenDetail("new".into()));
    assert!(matches!(looked(&bench)[..], [Lookup::Unreachable(_)]));
    bench.web = Web::Lines("job id=new queue=reports state=running snap".to_owned());
    bench.secs(9);
    assert_eq!(looked(&bench).last(), Some(&Lookup::Known("new".into())));
}

#[test]
fn what_a_job_came_to_is_fetched_when_it_ends_while_it_is_looked_at() {
    let mut bench = watching(&[Topic::Everything]);
    bench.text("job id=1 state=running name=n");
    bench.input(Input::OpenDetail("1".into()));
    bench.secs(1);
    let from = bench.requests.len();
    bench.text("job id=1 state=completed");
    bench.secs(1);
    assert!(bench.asked(from).contains(&"job job:1".to_owned()), "{:?}", bench.asked(from));
}

#[test]
fn the_end_of_every_job_that_falls_off_its_list_is_told_however_many_do() {
    let mut bench = Bench::live(Manner::default());
    let all: String =
        (0..800).map(|id| format!("job id={id} state=running name=n snap\n")).collect();
    bench.web = Web::Lines(all);
    bench.text("stale all");
    bench.secs(2);
    assert_eq!(bench.machine.job_store().open_jobs().count(), 800);
    // All have ended, and the list holds none of them any more.
    bench.web = Web::ByHand;
    let mut answered = bench.requests.len();
    for _ in 0..80 {
        bench.secs(1);
        bench.text("pong");
        while answered < bench.requests.len() {
            let (_, id, request) = bench.requests[answered].clone();
            answered += 1;
            let lines = match request.ask.name() {
                "job" => format!("job id={} state=completed snap", words(&request.ask).args[0]),
                _ => String::new(),
            };
            bench.answer(id, &lines);
        }
    }
    assert_eq!(bench.outcomes().len(), 800);
}

#[test]
fn a_job_that_is_named_before_any_list_shows_it_is_looked_for_quickly_until_one_does() {
    let mut bench = Bench::live(Manner::default());
    // Long after anything happened the lists are read slowly.
    for _ in 0..40 {
        bench.secs(10);
        bench.text("pong");
    }
    let lists = |bench: &Bench, from: usize| {
        bench.asked(from).iter().filter(|asked| asked.starts_with("list")).count()
    };
    let from = bench.requests.len();
    bench.secs(28);
    assert!(lists(&bench, from) <= 2, "{:?}", bench.asked(from));
    bench.web = Web::Lines("gone id=late".to_owned());
    bench.text("stale job:late");
    let from = bench.requests.len();
    bench.secs(28);
    assert!(lists(&bench, from) >= 8, "{:?}", bench.asked(from));
}

/// Answers for so many seconds as a server whose job 5 has these parts. Answers what was asked.
fn parts(bench: &mut Bench, seconds: u64, parts: std::ops::Range<u32>) -> Vec<String> {
    bench.web = Web::ByHand;
    let from = bench.requests.len();
    let mut answered = from;
    for _ in 0..seconds {
        bench.secs(1);
        bench.text("pong");
        while answered < bench.requests.len() {
            let (_, id, request) = bench.requests[answered].clone();
            answered += 1;
            let mut lines = "job id=5 state=running name=n snap\n".to_owned();
            match (request.ask.name(), words(&request.ask).args.first().map(String::as_str)) {
                ("job", Some("5")) => {
                    lines.extend(parts.clone().map(|part| {
                        format!("job id=5-{part} parent=5 state=running name=n snap\n")
                    }))
                }
                ("job", Some(part)) => {
                    lines = format!("job id={part} parent=5 state=completed name=n snap");
                }
                _ => lines += "discovered job:5",
            }
            bench.answer(id, &lines);
        }
    }
    bench.asked(from)
}

#[test]
fn the_parts_of_a_job_that_is_followed_are_not_asked_for_one_by_one_unless_it_shows_them_no_more() {
    let mut bench = watching(&[Topic::Everything]);
    let asked = parts(&mut bench, 90, 0..300);
    assert_eq!(bench.machine.job_store().open_jobs().count(), 301);
    let alone = asked.iter().filter(|asked| asked.starts_with("job job:5-")).count();
    assert_eq!(alone, 0);
    parts(&mut bench, 40, 1..300);
    assert_eq!(bench.outcomes(), [("5-0".to_owned(), 1, JobState::Completed)]);
}

#[test]
fn a_list_that_is_longer_than_is_read_is_told_and_shown_until_it_is_not() {
    let mut bench = Bench::live(Manner::default());
    bench.web = Web::Lines("job id=1 state=running snap\nnext 1".to_owned());
    bench.text("stale all");
    bench.secs(1);
    let words = "The list of all jobs has more than 200 pages. Only those are read.";
    assert_eq!(bench.status().reason.as_deref(), Some(words));
    assert_eq!(bench.diagnostics(), ["incomplete-list"]);
    bench.secs(9);
    assert_eq!(bench.diagnostics(), ["incomplete-list"], "it is told once");
    // Without the socket the reason is another, and both are said.
    bench.close("reset");
    bench.secs(30);
    assert_eq!(bench.status().incomplete.as_deref(), Some(words));
    assert!(bench.status().reason.as_deref().is_some_and(|reason| reason != words));
    bench.web = Web::Lines("job id=1 state=running snap".to_owned());
    bench.secs(20);
    assert_eq!(bench.status().incomplete, None);
    bench.connect();
    bench.secs(9);
    assert_eq!((&bench.status().reason, &bench.status().incomplete), (&None, &None));
}

/// A failed run that began and ended since the list was empty, with its times as the server has
/// them.
fn quick_failure(behind_ms: i64, dated: Option<i64>) -> usize {
    let mut bench = Bench::live(Manner::default());
    if let Some(ahead) = dated {
        bench.input(Input::ServerDate(at(EPOCH_MS + ahead)));
    }
    bench.secs(8);
    let end = EPOCH_MS + 6_000 - behind_ms;
    let line = format!("job id=1 state=failed created={} finished={end} snap", end - 2_000);
    bench.web = Web::Lines(line);
    bench.secs(5);
    bench.outcomes().len()
}

#[test]
fn a_run_that_was_in_no_earlier_complete_list_is_told_whatever_the_servers_clock_shows() {
    const MINUTE: i64 = 60_000;
    for behind in [0, 4 * MINUTE, 15 * MINUTE, 47 * MINUTE, -60 * MINUTE, 7 * 60 * MINUTE] {
        assert_eq!(quick_failure(behind, None), 1, "{behind} ms behind, and nothing says so");
        assert_eq!(quick_failure(behind, Some(-behind)), 1, "{behind} ms behind by its own date");
    }
    for zone in [-12 * 60, -5 * 60, -210, 60, 330, 345, 8 * 60, 14 * 60] {
        assert_eq!(quick_failure(-zone * MINUTE, Some(0)), 1, "times {zone} minutes off, no zone");
    }
}

#[test]
fn a_run_by_a_clock_that_is_behind_is_told_beside_others_by_the_same_clock() {
    const BEHIND: i64 = 5 * 3_600_000;
    let mut bench = Bench::new(Manner::default());
    let line = |id: u32, ended: i64| {
        format!("job id={id} state=failed finished={} snap", EPOCH_MS + ended - BEHIND)
    };
    bench.web = Web::Lines(line(1, -60_000));
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.connect();
    bench.input(Input::ServerDate(at(EPOCH_MS)));
    bench.secs(8);
    bench.web = Web::Lines([line(2, 7_000), line(3, -3_600_000), line(1, -60_000)].join("\n"));
    bench.secs(5);
    assert_eq!(bench.outcomes(), [("2".to_owned(), 1, JobState::Failed)]);
}

#[test]
fn a_past_that_a_server_finds_all_at_once_is_no_news() {
    let mut bench = Bench::live(Manner::default());
    bench.input(Input::ServerDate(at(EPOCH_MS)));
    bench.secs(8);
    let lines = (0..400).map(|id| {
        let end = EPOCH_MS - 3_700_000 - i64::from(id) * 37_000;
        format!("job id={id} state=failed finished={end} snap\n")
    });
    bench.web = Web::Lines(lines.collect());
    bench.secs(5);
    assert!(bench.outcomes().len() <= 3, "{}", bench.outcomes().len());
}

#[test]
fn a_promised_change_is_looked_for_after_two_five_and_ten_seconds() {
    let mut bench = Bench::live(Manner::default());
    bench.web = Web::Lines("job id=1 state=running name=n snap".to_owned());
    bench.text("soon job:1");
    bench.secs(12);
    let asked = bench.requests.iter().filter(|(_, _, request)| request.ask.name() == "job");
    let times: Vec<u64> = asked.map(|(at, ..)| (*at - 1_000) / 500).collect();
    assert_eq!(times, [0, 4, 10, 20], "in half seconds");
}

#[test]
fn what_the_socket_says_is_removed_is_removed() {
    let mut bench = Bench::live(Manner::default());
    bench.web = Web::ByHand;
    bench.text("job id=1 state=running name=n");
    bench.text("gone id=1");
    assert_eq!(known(&bench, "1"), Some(JobState::Unknown("gone".into())));
    answer(&mut bench, "");
}
