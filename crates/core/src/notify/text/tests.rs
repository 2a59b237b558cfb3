use super::*;
use crate::model::Source;

pub(in crate::notify) fn job(name: Option<&str>, seconds: Option<i64>) -> Job {
    let start = Timestamp::UNIX_EPOCH;
    Job {
        name: name.map(str::to_owned),
        started_at: Some(start),
        finished_at: seconds.map(|s| start + jiff::SignedDuration::from_secs(s)),
        ..Job::new("42", JobState::Failed, Source::Socket, start)
    }
}

fn transition(to: JobState, kind: TransitionKind, error: Option<&str>) -> Transition {
    Transition {
        job: "42".into(),
        attempt: 2,
        from: Some(JobState::Running),
        to,
        at: Timestamp::UNIX_EPOCH,
        kind,
        error: error.map(str::to_owned),
        while_away: false,
    }
}

fn trigger(kind: EventKind) -> Trigger {
    Trigger { kind, rule: "all".to_owned() }
}

fn server() -> ServerId {
    ServerId("s1".to_owned())
}

fn words_as(job: &Job, transition: &Transition, kind: EventKind) -> Option<(String, String)> {
    let notice = outcome(&server(), "staging", job, transition, trigger(kind))?;
    Some((notice.title, notice.body))
}

fn words(job: &Job, transition: &Transition) -> Option<(String, String)> {
    words_as(job, transition, EventKind::Failed)
}

#[test]
fn a_title_says_what_an_end_means_after_those_before_it() {
    let job = job(Some("nightly"), Some(60));
    let title =
        |to, kind| words_as(&job, &transition(to, TransitionKind::Outcome, None), kind).unwrap().0;
    assert_eq!(title(JobState::Failed, EventKind::StillFailing), "nightly failed again");
    assert_eq!(title(JobState::Completed, EventKind::Fixed), "nightly works again");
    assert_eq!(title(JobState::Cancelled, EventKind::Cancelled), "nightly was cancelled");
}

#[test]
fn a_job_that_disappeared_has_an_unknown_outcome() {
    let gone = JobState::gone();
    let step = transition(gone, TransitionKind::Moved, None);
    let (title, body) = words_as(&job(Some("sync"), None), &step, EventKind::Gone).unwrap();
    assert_eq!(title, "sync has disappeared");
    assert_eq!(
        body,
        "staging does not know this job any more. It was running when last seen; the outcome \
         is unknown."
    );
}

#[test]
fn a_job_that_ended_without_saying_how_has_an_unknown_outcome() {
    let ended = JobState::Unknown(crate::model::ENDED.into());
    let step = transition(ended, TransitionKind::Moved, None);
    let (title, body) = words_as(&job(Some("sync"), None), &step, EventKind::Gone).unwrap();
    assert_eq!(title, "sync ended, outcome unknown");
    assert_eq!(body, "staging does not say how it ended.");
}

#[test]
fn a_notice_of_a_slow_job_says_how_long_it_usually_takes() {
    let job = job(Some("nightly"), None);
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let at = Timestamp::UNIX_EPOCH;
    let times = Some((minutes(25), minutes(12)));
    let slow = running(&server(), "staging", &job, times, at, trigger(EventKind::Slow));
    assert_eq!(slow.title, "nightly takes unusually long");
    assert_eq!(slow.body, "staging \u{b7} running for 25 m \u{b7} usually at most 12 m");
    let began = running(&server(), "staging", &job, None, at, trigger(EventKind::Started));
    assert_eq!((&*began.title, &*began.body), ("nightly started", "staging"));
}

#[test]
fn a_notice_of_a_connection_says_how_long_it_was_lost_and_why() {
    let words = |kind, reason| {
        let (lasted, at) = (Duration::from_secs(720), Timestamp::UNIX_EPOCH);
        let notice = connection(&server(), "staging", lasted, reason, at, trigger(kind));
        (notice.title, notice.body, notice.tone)
    };
    let text = |title: &str, body: &str, tone| (title.to_owned(), body.to_owned(), tone);
    assert_eq!(
        words(EventKind::Lost, "connection refused"),
        text("staging cannot be reached", "For 12 m now: connection refused", Tone::Bad)
    );
    assert_eq!(
        words(EventKind::Back, "whatever"),
        text("staging is connected again", "It could not be reached for 12 m.", Tone::Good)
    );
}

#[test]
fn a_notice_of_a_failure_says_its_duration_its_server_and_the_first_line_of_its_error() {
    let job = job(Some("nightly-report"), Some(252));
    let failed =
        transition(JobState::Failed, TransitionKind::Outcome, Some("\n disk full \n at x.js"));
    assert_eq!(
        words(&job, &failed),
        Some((
            "nightly-report failed".to_owned(),
            "staging \u{b7} 4 m 12 s \u{b7} disk full".to_owned()
        ))
    );
}

#[test]
fn a_success_without_known_times_still_says_where() {
    let done = transition(JobState::Completed, TransitionKind::Outcome, None);
    assert_eq!(
        words(&job(None, None), &done),
        Some(("42 completed".to_owned(), "staging".to_owned()))
    );
}

#[test]
fn only_ends_that_happen_now_become_notices() {
    let job = job(None, None);
    for (to, kind) in [
        (JobState::Failed, TransitionKind::AttemptFailed),
        (JobState::Failed, TransitionKind::Discovered),
        (JobState::Running, TransitionKind::Moved),
    ] {
        assert_eq!(words(&job, &transition(to, kind, None)), None);
    }
}

#[test]
fn text_that_could_pass_for_something_else_is_made_visible_and_cut() {
    let long = "x".repeat(500);
    let job = job(Some("\u{1b}[31mred\u{1b}[0m\u{202e}gpj\u{7}"), None);
    let failed = transition(JobState::Failed, TransitionKind::Outcome, Some(&long));
    let (title, body) = words(&job, &failed).expect("an outcome has words");
    assert_eq!(title, "red\u{fffd}gpj\u{fffd} failed");
    assert_eq!(body.chars().count(), "staging - ".len() + ERROR + 1);
    assert!(body.ends_with("x\u{2026}"));
}

#[test]
fn durations_have_at_most_two_units() {
    let words = |ms| format_duration(Duration::from_millis(ms));
    assert_eq!(words(0), "0 ms");
    assert_eq!(words(850), "850 ms");
    assert_eq!(words(12_999), "12 s");
    assert_eq!(words(252_000), "4 m 12 s");
    assert_eq!(words(240_000), "4 m");
    assert_eq!(words(11_100_000), "3 h 5 m");
    assert_eq!(words(187_200_000), "2 d 4 h");
}
