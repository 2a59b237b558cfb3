//! The badge: the worst of what is needed, why, and what to do about it.

use jobwatch_core::connection::{ConnectionState, Failure, Input, Output, Remedy};
use jobwatch_core::model::Topic;
use jobwatch_core::secret::Secret;

use crate::bench::{Bench, Web};
use crate::dialect::Manner;

fn unreachable() -> Failure {
    Failure::Unreachable("nothing listens at 127.0.0.1:1".to_owned())
}

fn job(id: &str) -> Topic {
    Topic::Job(id.into())
}

/// A bench whose socket is open, and whose API does this from the start.
fn open_beside(web: Web) -> Bench {
    let mut bench = Bench::new(Manner::default());
    bench.web = web;
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.input(Input::Opened(bench.last_open().expect("an opening")));
    bench.text("welcome");
    bench
}

/// Passes seconds in which the server answers its pings.
fn alive(bench: &mut Bench, seconds: u64) {
    for _ in 0..seconds / 5 {
        bench.secs(5);
        bench.text("pong");
    }
}

fn says(bench: &Bench, socket: ConnectionState, reason: &str, remedy: Remedy) {
    let status = bench.status();
    assert_eq!(status.state, socket, "{status:?}");
    assert_eq!(status.reason.as_deref(), Some(reason));
    assert_eq!(status.remedy, Some(remedy));
}

#[test]
fn nothing_is_opened_before_the_key_is_there_and_the_status_says_what_is_waited_for() {
    let loading = || Input::AwaitKey("Waiting for the keyring.".to_owned());
    let key = || Input::Key(Some(Secret::new("a key".to_owned())));
    let shown = |bench: &Bench| (bench.status().state, bench.status().reason.clone());
    let because = |reason: &str| Some(reason.to_owned());
    let mut bench = Bench::new(Manner::default());
    bench.input(loading());
    assert_eq!(shown(&bench), (ConnectionState::Paused, None));
    bench.input(Input::Start);
    let waiting = (ConnectionState::Connecting, because("Waiting for the keyring."));
    assert_eq!(shown(&bench), waiting);
    bench.input(Input::KeyUnavailable("The keyring is locked.".to_owned()));
    says(&bench, ConnectionState::Offline, "The keyring is locked.", Remedy::EnterKey);
    // Asked again, it is no better until the key is there.
    bench.input(loading());
    says(&bench, ConnectionState::Offline, "Waiting for the keyring.", Remedy::EnterKey);
    bench.input(Input::Pause);
    assert_eq!(shown(&bench), (ConnectionState::Paused, None));
    bench.input(Input::Start);
    bench.input(loading());
    assert_eq!(shown(&bench), waiting);
    assert!(bench.last_open().is_none() && bench.requests.is_empty());
    bench.input(key());
    assert_eq!(shown(&bench), (ConnectionState::Connecting, None));
    bench.connect();

    let mut paused = Bench::new(Manner::default());
    paused.input(loading());
    paused.input(key());
    assert_eq!(shown(&paused), (ConnectionState::Paused, None));
    assert!(paused.last_open().is_none());
}

#[test]
fn an_open_socket_whose_api_cannot_be_reached_is_partly_connected_and_names_the_api_url() {
    let mut bench = open_beside(Web::Down);
    says(
        &bench,
        ConnectionState::Partly,
        "The API cannot be reached: connection refused.",
        Remedy::SetApiUrl,
    );
    assert!(bench.status().socket_live, "the socket itself is well");
    bench.web = Web::Lines(String::new());
    alive(&mut bench, 40);
    assert_eq!((bench.status().state, bench.status().remedy), (ConnectionState::Live, None));
    // An address that was right is not blamed for an outage.
    bench.web = Web::Down;
    alive(&mut bench, 80);
    assert_eq!(bench.status().remedy, Some(Remedy::Reconnect));
}

#[test]
fn an_open_socket_beside_something_that_is_no_api_is_partly_connected() {
    let bench = open_beside(Web::Status(404));
    says(
        &bench,
        ConnectionState::Partly,
        "The API does not know what was asked for (HTTP 404).",
        Remedy::SetApiUrl,
    );
    let bench = open_beside(Web::Lines("<html>It works!</html>".to_owned()));
    says(
        &bench,
        ConnectionState::Partly,
        "The API answered with a web page instead of data.",
        Remedy::SetApiUrl,
    );
}

#[test]
fn an_open_socket_beside_a_refused_key_is_partly_connected_and_wants_a_key() {
    let mut bench = open_beside(Web::Status(401));
    let reason = "The server does not accept the key: the key is not accepted.";
    says(&bench, ConnectionState::Partly, reason, Remedy::EnterKey);
    assert!(bench.status().key_refused());
    bench.web = Web::Lines(String::new());
    bench.input(Input::Key(Some(Secret::new("another".to_owned()))));
    bench.connect();
    assert_eq!((bench.status().state, bench.status().remedy), (ConnectionState::Live, None));
}

#[test]
fn a_redirect_to_a_page_for_signing_in_is_a_refused_key_wherever_it_comes() {
    let mut bench = open_beside(Web::ByHand);
    let id = bench.requests[0].1;
    let failure = Failure::SignIn("https://id.example/login".to_owned());
    bench.input(Input::Fetched(id, Err(failure), None));
    // The words are the dialect's, which finds them in the answer.
    let reason = "The server does not accept the key: the key is not accepted.";
    says(&bench, ConnectionState::Partly, reason, Remedy::EnterKey);
    assert!(bench.status().key_refused());
}

#[test]
fn an_open_socket_is_not_live_before_the_api_has_answered_once() {
    let bench = open_beside(Web::ByHand);
    assert_eq!(bench.status().state, ConnectionState::Connecting);
}

#[test]
fn a_dead_host_is_offline_as_soon_as_both_ways_have_failed() {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::Down;
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.fail_open(unreachable());
    says(&bench, ConnectionState::Offline, "Nothing listens at 127.0.0.1:1.", Remedy::Reconnect);
    // Further attempts do not change the badge back and forth.
    bench.secs(5);
    assert_eq!(bench.sockets(), [ConnectionState::Connecting, ConnectionState::Offline]);
}

#[test]
fn what_answers_both_ways_with_something_else_is_of_another_kind() {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::Status(404);
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.fail_open(Failure::Http { status: 404, text: None, retry_after: None });
    says(&bench, ConnectionState::Offline, "The server answered HTTP 404.", Remedy::ChooseKind);
}

#[test]
fn a_certificate_that_is_not_trusted_has_its_own_remedy() {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::Down;
    bench.input(Input::Watch(Topic::Everything));
    bench.input(Input::Start);
    bench.fail_open(Failure::Untrusted("nobody knows who signed it".to_owned()));
    assert_eq!(bench.status().remedy, Some(Remedy::TrustCertificate));
}

#[test]
fn a_refused_key_is_tried_once_in_minutes_whatever_is_announced_meanwhile() {
    let mut bench = open_beside(Web::Status(401));
    assert_eq!(bench.requests.len(), 1);
    for round in 0..40 {
        bench.text(&format!("stale job:{round}"));
        bench.text("stale all");
        bench.input(Input::Watch(job(&format!("w{round}"))));
        bench.secs(5);
        bench.text("pong");
    }
    assert_eq!(bench.requests.len(), 1, "nothing is asked with a refused key");
    alive(&mut bench, 140);
    assert_eq!(bench.requests.len(), 2, "one slow attempt");
    assert_eq!(bench.status().state, ConnectionState::Partly);
}

#[test]
fn a_key_that_the_server_accepts_later_is_found_by_the_slow_attempt_and_everything_is_fetched() {
    let mut bench = open_beside(Web::Status(401));
    bench.input(Input::Watch(job("1")));
    bench.web = Web::Lines(String::new());
    alive(&mut bench, 340);
    assert_eq!(bench.status().state, ConnectionState::Live, "{:?}", bench.status());
    let asked = bench.asked(1);
    assert!(asked.contains(&"list all".to_owned()) && asked.contains(&"job job:1".to_owned()));
}

#[test]
fn a_list_that_fails_beside_others_that_answer_is_said() {
    let mut bench = open_beside(Web::Lines(String::new()));
    assert_eq!(bench.status().state, ConnectionState::Live);
    bench.web = Web::ByHand;
    let from = bench.requests.len();
    bench.input(Input::Watch(Topic::Queue("odd".to_owned())));
    let id = bench.requests[from].1;
    bench.input(Input::Fetched(id, Ok(crate::bench::page(500, "")), None));
    says(&bench, ConnectionState::Partly, "The API answered HTTP 500.", Remedy::Reconnect);
}

#[test]
fn subscriptions_that_a_limiter_refused_are_repeated_one_at_a_time_until_confirmed() {
    let mut bench = Bench::new(Manner { confirms: true, ..Manner::default() });
    for index in 0..20 {
        bench.input(Input::Watch(job(&index.to_string())));
    }
    bench.input(Input::Start);
    bench.connect();
    let said = |bench: &Bench| -> Vec<String> {
        bench.sent().into_iter().filter(|text| text.starts_with("watch ")).collect()
    };
    assert_eq!(said(&bench).len(), 20);
    let all = said(&bench);
    for topic in &all[..9] {
        bench.text(&topic.replace("watch", "watched"));
    }
    for _ in 9..20 {
        bench.text("rate_limited Too many requests");
    }
    let mut seen = 20;
    for _ in 0..300 {
        bench.pass(std::time::Duration::from_millis(100));
        let now = said(&bench);
        assert!(now.len() <= seen + 1, "one at a time");
        if now.len() > seen {
            seen = now.len();
            bench.text(&now[seen - 1].replace("watch", "watched"));
        }
    }
    let mut again = said(&bench)[20..].to_vec();
    again.sort();
    let mut refused = all[9..].to_vec();
    refused.sort();
    assert_eq!(again, refused, "each of them once, and no other");
    assert_eq!(bench.diagnostics(), ["limited"]);
}

#[test]
fn a_subscription_that_stays_unanswered_is_said_once() {
    let mut bench = Bench::new(Manner { confirms: true, ..Manner::default() });
    bench.input(Input::Watch(job("1")));
    bench.input(Input::Watch(job("2")));
    bench.input(Input::Start);
    bench.connect();
    bench.text("watched job:1");
    alive(&mut bench, 50);
    let texts: Vec<&str> = bench
        .outputs
        .iter()
        .filter_map(|(_, output)| match output {
            Output::Diagnostic(diagnostic) => Some(diagnostic.text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(texts, ["The server has not confirmed the subscription to job:2 within 10 s."]);
}

#[test]
fn a_job_that_the_api_does_not_show_is_said_once_and_is_not_asked_for_over_and_over() {
    let mut bench = Bench::new(Manner::default());
    bench.web = Web::Lines("rejected job:1".to_owned());
    bench.input(Input::Watch(job("1")));
    bench.input(Input::Start);
    bench.input(Input::Opened(bench.last_open().expect("an opening")));
    bench.text("welcome");
    alive(&mut bench, 60);
    let denied = |bench: &Bench| -> Vec<Option<String>> {
        let of = |(_, output): &(_, Output)| match output {
            Output::Listed { denied, .. } => Some(denied.clone()),
            _ => None,
        };
        bench.outputs.iter().filter_map(of).collect()
    };
    assert_eq!(denied(&bench), [Some("not yours".to_owned())]);
    assert_eq!(bench.diagnostics(), ["refused-subscription"]);
    assert!(bench.asked(0).len() <= 5, "{:?}", bench.asked(0));
    assert_eq!(bench.status().state, ConnectionState::Live, "everything else is answered");
    // Shown now, and not any more later.
    bench.web = Web::Lines("job id=1 state=running".to_owned());
    alive(&mut bench, 120);
    bench.web = Web::Lines("rejected job:1".to_owned());
    alive(&mut bench, 120);
    assert_eq!(denied(&bench).len(), 2);
}
