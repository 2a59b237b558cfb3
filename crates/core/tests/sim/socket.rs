//! The socket: opening, greeting, heartbeat, backoff, refusal, pause, key.

use std::time::Duration;

use jobwatch_core::connection::{ConnectionState, Failure, Input, Output, Remedy, SocketId};
use jobwatch_core::dialect::{Frame, Keepalive, LogFrom};
use jobwatch_core::model::{Source, Topic};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::Policy;

use crate::bench::{Bench, Web};
use crate::dialect::Manner;

fn http(status: u16) -> Failure {
    Failure::Http { status, text: None, retry_after: None }
}

fn unreachable() -> Failure {
    Failure::Unreachable("connection refused".to_owned())
}

#[test]
fn nothing_happens_before_the_start() {
    let mut bench = Bench::new(Manner::default());
    bench.input(Input::Watch(Topic::Everything));
    bench.secs(600);
    assert!(bench.outputs.is_empty() && bench.requests.is_empty());
    assert_eq!(bench.status().state, ConnectionState::Paused);
}

#[test]
fn an_open_socket_is_not_live_before_the_greeting() {
    let mut bench = Bench::new(Manner::default());
    bench.input(Input::Start);
    bench.input(Input::Opened(bench.last_open().expect("an opening")));
    assert_eq!(bench.status().state, ConnectionState::Connecting);
    bench.text("welcome");
    assert_eq!(bench.status().state, ConnectionState::Live);
    assert_eq!(bench.status().reason, None);
}

#[test]
fn a_server_that_never_greets_is_closed_and_polled() {
    let mut bench = Bench::new(Manner::default());
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.input(Input::Opened(bench.last_open().expect("an opening")));
    bench.secs(9);
    assert_eq!(bench.closes(), 0);
    bench.secs(2);
    assert_eq!(bench.closes(), 1);
    assert_eq!(bench.status().state, ConnectionState::Polling);
    let reason = bench.status().reason.clone().expect("a reason");
    assert_eq!(reason, "The server accepted the connection but did not greet.");
}

#[test]
fn a_missed_heartbeat_closes_the_link_and_any_frame_keeps_it() {
    let mut bench = Bench::live(Manner::default());
    // Frames every 9 s, none of them an answer to the ping.
    for _ in 0..20 {
        bench.secs(9);
        bench.text("noise");
        assert_eq!(bench.status().state, ConnectionState::Live);
    }
    bench.secs(32);
    assert_ne!(bench.status().state, ConnectionState::Live);
    assert_eq!(bench.closes(), 1);
}

#[test]
fn a_server_that_pings_is_given_up_when_its_ping_is_late() {
    let keepalive = Keepalive::ServerPings {
        interval: Duration::from_secs(25),
        timeout: Duration::from_secs(20),
    };
    let mut bench = Bench::live(Manner { keepalive, ..Manner::default() });
    bench.secs(44);
    assert_eq!(bench.status().state, ConnectionState::Live);
    bench.secs(2);
    assert_eq!(bench.status().state, ConnectionState::Polling);
}

#[test]
fn after_a_close_late_reports_of_the_old_link_change_nothing() {
    let mut bench = Bench::live(Manner::default());
    let old = bench.last_open().expect("a socket");
    bench.secs(31);
    let outputs = bench.outputs.len();
    bench.input(Input::Frames(old, vec![Frame::Text("job id=1 state=running".to_owned())]));
    bench.input(Input::Closed(old, "reset".to_owned()));
    bench.input(Input::Opened(old));
    bench.input(Input::OpenFailed(old, http(401)));
    bench.input(Input::Opened(SocketId(99)));
    assert_eq!(bench.outputs.len(), outputs);
    assert!(bench.machine.job_store().is_empty());
}

#[test]
fn attempts_double_their_delay_then_slow_down_and_never_end() {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::Down;
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    let end = bench.now.mono.0 + 3_600_000;
    while bench.now.mono.0 < end {
        let before = bench.opens().len();
        bench.fail_open(unreachable());
        while bench.opens().len() == before {
            bench.pass(Duration::from_millis(10));
        }
    }
    let opens = bench.opens();
    let gaps: Vec<u64> = opens.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (gap, plain) in gaps.iter().zip([1_000, 2_000, 4_000, 8_000]) {
        assert!((plain * 78 / 100..=plain * 122 / 100).contains(gap), "{gaps:?}");
    }
    assert!(gaps[4..].iter().all(|gap| (47_000..=73_000).contains(gap)), "{gaps:?}");
    assert!(gaps.len() > 50, "attempts never end");
    assert_eq!(bench.sockets(), [ConnectionState::Connecting, ConnectionState::Offline]);
}

/// A bench whose server has been away for so many attempts that the next one is long in coming.
fn away() -> Bench {
    let mut bench = Bench::live(Manner::default());
    bench.text("job id=1 state=running");
    bench.web = Web::Down;
    bench.close("reset by peer");
    for expected in 2..=7 {
        bench.fail_open(unreachable());
        while bench.opens().len() < expected {
            bench.secs(1);
        }
    }
    bench.fail_open(unreachable());
    assert_eq!(bench.status().state, ConnectionState::Offline);
    assert!(bench.status().retry_in_ms.is_some_and(|wait| wait > 45_000));
    bench
}

#[test]
fn a_server_whose_api_answers_again_has_its_socket_tried_soon() {
    let mut bench = away();
    bench.secs(2);
    let (failed, opens) = (bench.now.mono.0, bench.opens().len());
    bench.web = Web::Lines(String::new());
    while bench.status().state == ConnectionState::Offline {
        bench.secs(1);
    }
    let back = bench.now.mono.0;
    assert!(back - failed < 40_000, "the API is asked before the socket's turn");
    while bench.opens().len() == opens {
        bench.secs(1);
    }
    assert!(bench.now.mono.0 - back <= 6_000, "{} ms", bench.now.mono.0 - back);
}

#[test]
fn an_api_that_comes_and_goes_is_no_way_around_the_backoff_of_a_socket_that_fails() {
    let mut bench = away();
    let (begin, opens) = (bench.now.mono.0, bench.opens().len());
    let mut seen = opens;
    while bench.now.mono.0 < begin + 600_000 {
        let up = bench.now.mono.0 / 1_000 % 20 < 10;
        bench.web = if up { Web::Lines(String::new()) } else { Web::Down };
        if bench.opens().len() > seen {
            seen = bench.opens().len();
            bench.fail_open(unreachable());
        }
        bench.secs(1);
    }
    let gaps: Vec<u64> = bench.opens()[opens - 1..].windows(2).map(|two| two[1] - two[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= 5_000), "{gaps:?}");
}

#[test]
fn an_api_that_answers_again_ends_no_pause_that_the_socket_asked_for() {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::Down;
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    let wish = Some(Duration::from_secs(120));
    bench.fail_open(Failure::Http { status: 503, text: None, retry_after: wish });
    bench.secs(5);
    bench.web = Web::Lines(String::new());
    bench.secs(110);
    assert_eq!(bench.opens().len(), 1);
}

#[test]
fn the_backoff_is_forgotten_only_after_the_link_has_held() {
    let mut bench = Bench::live(Manner::default());
    for expected in 1..4 {
        bench.secs(5);
        bench.close("reset by peer");
        assert_eq!(bench.status().attempt, expected);
        let before = bench.opens().len();
        while bench.opens().len() == before {
            bench.secs(1);
        }
        bench.connect();
        assert_eq!(bench.status().attempt, expected, "live, but not proven");
    }
    bench.secs(11);
    assert_eq!(bench.status().attempt, 0);
}

#[test]
fn a_server_that_accepts_and_drops_at_once_is_not_hammered() {
    let mut bench = Bench::new(Manner { greets: false, ..Manner::default() });
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    let end = bench.now.mono.0 + 600_000;
    let mut seen = 0;
    while bench.now.mono.0 < end {
        if bench.opens().len() > seen {
            seen = bench.opens().len();
            let socket = bench.last_open().expect("a socket");
            bench.input(Input::Opened(socket));
            bench.input(Input::Closed(socket, String::new()));
        }
        bench.secs(1);
    }
    assert!(seen < 20, "{seen} attempts in ten minutes");
}

#[test]
fn retry_after_wins_over_the_backoff() {
    let mut bench = Bench::new(Manner::default());
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    let wish = Some(Duration::from_secs(120));
    bench.fail_open(Failure::Http { status: 429, text: None, retry_after: wish });
    let wait = bench.status().retry_in_ms.expect("a next try");
    assert!((120_000..=133_000).contains(&wait), "{wait}");
    bench.secs(119);
    assert_eq!(bench.opens().len(), 1);
    bench.secs(15);
    assert_eq!(bench.opens().len(), 2);
}

#[test]
fn a_pause_the_server_asked_for_outlasts_a_wake_but_not_the_users_own_reconnect() {
    let mut bench = Bench::new(Manner::default());
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    let wish = Some(Duration::from_secs(120));
    bench.fail_open(Failure::Http { status: 503, text: None, retry_after: wish });
    bench.secs(20);
    bench.input(Input::Woke);
    assert_eq!(bench.opens().len(), 1);
    bench.input(Input::ReconnectNow);
    assert_eq!(bench.opens().len(), 2);
}

#[test]
fn a_refusal_that_asks_for_a_longer_pause_than_ours_gets_it() {
    let mut bench = Bench::new(Manner::default());
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    let wish = Some(Duration::from_secs(1_200));
    bench.fail_open(Failure::Http { status: 403, text: None, retry_after: wish });
    bench.secs(1_199);
    assert_eq!(bench.opens().len(), 1);
    bench.secs(130);
    assert!(bench.opens().len() > 1);
}

#[test]
fn a_refused_socket_beside_an_http_api_that_answers_is_polling_with_the_refusal_as_reason() {
    let mut bench = Bench::new(Manner::default());
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.fail_open(http(403));
    assert_eq!(bench.status().state, ConnectionState::Polling);
    assert_eq!(
        bench.status().reason.as_deref(),
        Some("The server does not accept the key (HTTP 403).")
    );
    // No further attempt for minutes, then a slow one.
    bench.secs(240);
    assert_eq!(bench.opens().len(), 1);
    while bench.opens().len() == 1 {
        bench.secs(1);
    }
    let wait = bench.opens()[1] - bench.opens()[0];
    assert!((270_000..=330_000).contains(&wait), "{wait}");
}

#[test]
fn a_key_that_neither_socket_nor_http_accepts_is_refused_until_it_is_replaced() {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::Status(401);
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.fail_open(http(401));
    assert_eq!(bench.status().state, ConnectionState::Refused);
    bench.secs(200);
    assert_eq!(bench.opens().len(), 1);
    assert_eq!(bench.requests.len(), 1, "a refused key is not tried again and again");
    bench.web = Web::Lines(String::new());
    bench.input(Input::Key(Some(Secret::new("another".to_owned()))));
    assert_eq!(bench.opens().len(), 2);
    bench.connect();
}

#[test]
fn a_refused_namespace_closes_the_link_and_reconnect_now_tries_at_once() {
    let mut bench = Bench::new(Manner { http: false, ..Manner::default() });
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.input(Input::Opened(bench.last_open().expect("a socket")));
    bench.text("refused not on the list");
    assert_eq!(bench.closes(), 1);
    assert_eq!(bench.status().state, ConnectionState::Refused);
    assert_eq!(
        bench.status().reason.as_deref(),
        Some("The server does not accept the key: not on the list.")
    );
    assert_eq!(bench.status().remedy, Some(Remedy::EnterKey));
    bench.input(Input::ReconnectNow);
    assert_eq!(bench.opens().len(), 2);
    bench.connect();
}

#[test]
fn a_kicked_client_closes_and_comes_back_later() {
    let mut bench = Bench::live(Manner::default());
    bench.text("disconnected The server is shutting down.");
    assert_eq!(bench.closes(), 1);
    assert_eq!(bench.status().reason.as_deref(), Some("The server is shutting down."));
    bench.secs(2);
    assert_eq!(bench.opens().len(), 2);
}

#[test]
fn a_pause_closes_everything_keeps_the_topics_and_a_start_resumes() {
    let mut bench = Bench::live(Manner::default());
    bench.input(Input::Pause);
    assert_eq!(bench.status().state, ConnectionState::Paused);
    let requests = bench.requests.len();
    bench.secs(3_600);
    assert_eq!((bench.opens().len(), bench.requests.len()), (1, requests));
    bench.input(Input::Start);
    bench.connect();
    assert!(bench.sent().contains(&"watch all".to_owned()));
}

#[test]
fn after_sleep_a_live_link_must_prove_itself_within_seconds() {
    let mut bench = Bench::live(Manner::default());
    bench.secs(12);
    bench.now.wall += jiff::SignedDuration::from_hours(8);
    bench.input(Input::Tick);
    assert_eq!(bench.sent().last().map(String::as_str), Some("ping"));
    bench.secs(6);
    assert_ne!(bench.status().state, ConnectionState::Live);
}

#[test]
fn after_sleep_a_lost_link_is_tried_at_once() {
    let mut bench = Bench::new(Manner { policy: slow(), ..Manner::default() });
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    bench.secs(20);
    assert_eq!(bench.opens().len(), 1);
    bench.input(Input::Woke);
    assert_eq!(bench.opens().len(), 2);
}

#[test]
fn a_clock_that_goes_backwards_changes_nothing() {
    let mut bench = Bench::live(Manner::default());
    bench.secs(12);
    let outputs = bench.outputs.len();
    bench.now.wall -= jiff::SignedDuration::from_hours(8);
    bench.input(Input::Tick);
    assert_eq!(bench.outputs.len(), outputs);
    assert_eq!(bench.status().state, ConnectionState::Live);
}

#[test]
fn a_request_for_the_history_of_a_log_waits_for_its_turn_and_is_sent_once() {
    let policy = Policy { frames_per_second: Some(10), ..Policy::default() };
    let mut bench = Bench::live(Manner { policy, ..Manner::default() });
    bench.text("job id=1 state=running");
    for index in 0..20 {
        bench.input(Input::Watch(Topic::Job(index.to_string().into())));
    }
    bench.input(Input::Logs("1".into(), LogFrom::Known));
    bench.input(Input::Logs("1".into(), LogFrom::Known));
    assert_eq!(bench.machine.load().history, 1);
    bench.secs(4);
    let sent = bench.sent();
    assert_eq!(sent.iter().filter(|frame| *frame == "history 1").count(), 1);
    assert_eq!(sent.last().map(String::as_str), Some("history 1"), "subscriptions go first");
}

#[test]
fn a_status_is_told_only_when_it_changes_or_to_say_when_something_was_last_heard() {
    let mut bench = Bench::live(Manner::default());
    let told = |bench: &Bench| {
        bench.outputs.iter().filter(|(_, output)| matches!(output, Output::Status(_))).count()
    };
    bench.secs(11);
    let before = told(&bench);
    for _ in 0..1_000 {
        bench.text("pong");
        bench.pass(Duration::from_millis(10));
    }
    assert!(told(&bench) - before <= 2, "{}", told(&bench) - before);
}

#[test]
fn a_key_that_the_server_quotes_back_is_not_in_the_reason() {
    let mut bench = Bench::new(Manner::default());
    bench.input(Input::Start);
    let text = Some("no such key: s3cret-key".to_owned());
    bench.fail_open(Failure::Http { status: 401, text, retry_after: None });
    assert_eq!(
        bench.status().reason.as_deref(),
        Some("The server does not accept the key: no such key: [redacted].")
    );
    assert!(!format!("{:?}", bench.outputs).contains("s3cret"));
}

#[test]
fn what_is_watched_is_said_no_faster_than_the_server_takes_it() {
    let policy = Policy { frames_per_second: Some(10), ..Policy::default() };
    let mut bench = Bench::new(Manner { policy, ..Manner::default() });
    for index in 0..45 {
        bench.input(Input::Watch(Topic::Job(index.to_string().into())));
    }
    bench.input(Input::Start);
    bench.connect();
    assert_eq!(bench.sent().len(), 10, "the greeting counts");
    bench.input(Input::Unwatch(Topic::Job("44".into())));
    bench.secs(6);
    let sent: Vec<u64> = bench
        .outputs
        .iter()
        .filter(|(_, output)| matches!(output, Output::Send(..)))
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(sent.len(), 1 + 44);
    for (index, first) in sent.iter().enumerate() {
        let within = sent[index..].iter().take_while(|at| **at < first + 1_000).count();
        assert!(within <= 10, "{within} frames within a second");
    }
    let said = bench.sent();
    assert!(!said.iter().any(|text| text.ends_with("watch job:44")), "given up before it was said");
    // Nothing is left over for the next socket.
    bench.close("reset");
    bench.secs(2);
    bench.connect();
    assert_eq!(bench.sent().len(), 10);
}

#[test]
fn a_job_that_has_ended_is_not_subscribed_again_until_it_runs_again() {
    let watch = |bench: &Bench| bench.sent().contains(&"watch job:1".to_owned());
    let mut bench = Bench::new(Manner::default());
    bench.input(Input::Watch(Topic::Job("1".into())));
    bench.input(Input::Start);
    bench.connect();
    assert!(watch(&bench));
    bench.text("job id=1 state=completed at=1800000001000");
    // A job that belongs to it still runs.
    bench.text("job id=2 parent=1 state=running");
    bench.close("reset");
    bench.secs(2);
    bench.connect();
    assert!(watch(&bench));
    bench.text("job id=2 parent=1 state=completed");
    bench.close("reset");
    bench.secs(4);
    bench.connect();
    assert!(!watch(&bench));
    bench.text("job id=1 state=running at=1800000009000");
    assert!(watch(&bench));
    // It was said once, and is given up once.
    bench.text("job id=1 state=running progress=5 at=1800000010000");
    bench.input(Input::Unwatch(Topic::Job("1".into())));
    assert_eq!(bench.sent(), ["hello", "watch job:1", "unwatch job:1"]);
}

#[test]
fn an_end_that_only_the_history_tells_is_no_reason_not_to_subscribe() {
    let mut bench = Bench::live(Manner::default());
    bench.text("job id=1 state=completed");
    let mut job = (**bench.machine.job_store().job(&"1".into()).expect("known")).clone();
    job.source = Source::History;
    let mut bench = Bench::new(Manner::default());
    bench.machine.remember(job);
    bench.input(Input::Watch(Topic::Job("1".into())));
    bench.input(Input::Start);
    bench.connect();
    assert_eq!(bench.sent(), ["hello", "watch job:1"]);
}

fn slow() -> Policy {
    Policy { first_delay: Duration::from_secs(30), ..Policy::default() }
}
