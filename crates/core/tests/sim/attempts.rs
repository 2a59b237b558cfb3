//! The failures of attempts that only a later telling shows: a worker that reports to the database
//! alone, an event for a room that nobody is in, an attempt between two looks.

use jobwatch_core::jobs::TransitionKind;
use jobwatch_core::model::JobState;

use crate::jobs::Table;

use JobState::{Completed, Failed, Queued, Running};
use TransitionKind::{AttemptFailed, Moved, Outcome};

/// What failed, and why, in the last call.
fn reasons(table: &Table) -> Vec<Option<&str>> {
    let failed = |kind| kind == TransitionKind::AttemptFailed;
    table.transitions().iter().filter(|t| failed(t.kind)).map(|t| t.error.as_deref()).collect()
}

#[test]
fn a_failure_that_only_the_row_remembers_is_a_step_between_two_attempts() {
    for back in ["before=disk@9000 at=9000", "before=disk@9000 at=9500", "before=disk"] {
        let mut table = Table::new();
        table.socket("id=1 state=running progress=40 at=1000");
        table.secs(20).http(&format!("id=1 state=queued progress=40 {back}"));
        assert_eq!(table.steps(), [(AttemptFailed, Failed, 1), (Moved, Queued, 2)], "{back}");
        assert_eq!(reasons(&table), [Some("disk")], "{back}");
        assert_eq!(table.job().error, None);
        assert_eq!(table.job().extra["earlierError"].as_str(), "\"disk\"");
        table.secs(20).http(&format!("id=1 state=queued {back}"));
        assert_eq!(table.steps(), [], "{back}");
        table.socket("id=1 state=running progress=1 at=12000");
        assert_eq!(table.steps(), [(Moved, Running, 2)], "{back}");
        // Asked for before that, and answered after it.
        table.http(&format!("id=1 state=queued {back}"));
        assert_eq!(table.steps(), [], "{back}");
        table.http("id=1 state=completed at=20000 finished=20000 before=disk");
        assert_eq!(table.steps(), [(Outcome, Completed, 2)], "{back}");
    }
}

#[test]
fn a_failure_between_two_looks_at_a_running_job_is_a_step_as_well() {
    for (first, then) in [
        ("started=1000", "started=9500 before=disk"),
        ("at=1000", "at=12000 before=disk@9000"),
        ("attempt=1", "attempt=2 before=disk"),
    ] {
        let mut table = Table::new();
        table.http(&format!("id=1 state=running progress=40 {first}"));
        table.secs(20).http(&format!("id=1 state=running progress=60 {then}"));
        assert_eq!(table.steps(), [(AttemptFailed, Failed, 1), (Moved, Running, 2)], "{then}");
        assert_eq!(reasons(&table), [Some("disk")], "{then}");
    }
}

#[test]
fn a_reason_that_comes_with_a_further_attempt_is_not_that_of_the_one_before() {
    let mut table = Table::new();
    table.http("id=1 state=running attempt=1");
    table.secs(20).http("id=1 state=running attempt=2");
    assert_eq!(reasons(&table), [None]);
    table.secs(20).http("id=1 state=running attempt=3 before=disk");
    assert_eq!(table.steps(), [(AttemptFailed, Failed, 2), (Moved, Running, 3)]);
    assert_eq!(reasons(&table), [Some("disk")]);
}

#[test]
fn a_higher_number_of_a_running_job_shows_a_failure_whose_reason_nobody_told() {
    let mut table = Table::new();
    table.http("id=1 state=running attempt=1");
    table.secs(20).http("id=1 state=running attempt=2");
    assert_eq!(table.steps(), [(AttemptFailed, Failed, 1), (Moved, Running, 2)]);
    assert_eq!(reasons(&table), [None]);
}

#[test]
fn a_failure_that_a_row_remembers_before_its_event_comes_is_one_failure() {
    for event in [8_990, 9_000, 9_020] {
        let mut table = Table::new();
        table.socket("id=1 state=running progress=40 at=1000");
        table.secs(1).http("id=1 state=queued before=disk@9000 at=9000");
        assert_eq!(table.steps(), [(AttemptFailed, Failed, 1), (Moved, Queued, 2)]);
        table.socket(&format!("id=1 state=failed error=disk mayretry at={event}"));
        assert_eq!(table.steps(), [], "{event}");
        table.secs(20).http("id=1 state=queued before=disk@9000 at=9000");
        assert_eq!(table.steps(), [], "{event}");
        table.socket("id=1 state=running progress=1 at=12000");
        assert_eq!(table.steps(), [(Moved, Running, 2)], "{event}");
        // The next one is another, however soon.
        table.socket("id=1 state=failed error=disk mayretry at=12100");
        assert_eq!(table.steps(), [(AttemptFailed, Failed, 2)], "{event}");
    }
}

#[test]
fn what_is_said_late_of_an_attempt_that_a_row_remembers_to_have_failed_does_not_begin_the_next() {
    for back in ["before=disk@9000 at=9000", "before=disk@9000", "before=disk at=9000"] {
        let mut table = Table::new();
        table.socket("id=1 state=running progress=40 at=1000");
        table.secs(20).http(&format!("id=1 state=queued {back}"));
        assert_eq!(table.steps(), [(AttemptFailed, Failed, 1), (Moved, Queued, 2)], "{back}");
        table.http("id=1 state=running progress=40 at=1000");
        table.socket("id=1 state=running progress=60 at=8000");
        assert_eq!(table.steps(), [], "{back}");
        assert_eq!(table.job().progress, None, "{back}");
    }
}

#[test]
fn a_failure_that_was_heard_is_not_told_again_by_the_row_that_remembers_it() {
    let mut table = Table::new();
    table.socket("id=1 state=running progress=40 at=1000");
    table.socket("id=1 state=failed error=disk mayretry at=9000");
    assert_eq!(table.steps(), [(AttemptFailed, Failed, 1)]);
    // The database stamps it a moment later than the event.
    table.secs(20).http("id=1 state=queued before=disk@9020 at=9020");
    assert_eq!(table.steps(), [(Moved, Queued, 2)]);
    table.socket("id=1 state=running progress=1 at=12000");
    assert_eq!(table.steps(), [(Moved, Running, 2)]);
    table.secs(20).http("id=1 state=running before=disk@9020 at=13000");
    assert_eq!(table.steps(), []);
    table.http("id=1 state=queued before=full@15000 at=15000");
    assert_eq!(table.steps(), [(AttemptFailed, Failed, 2), (Moved, Queued, 3)]);
}

#[test]
fn the_event_of_a_failure_that_comes_after_the_row_that_remembers_it_is_no_second_one() {
    let mut table = Table::new();
    table.socket("id=1 state=running progress=40 at=1000");
    table.secs(1).http("id=1 state=queued before=disk@9020 at=9020");
    assert_eq!(table.steps()[0], (AttemptFailed, Failed, 1));
    for _ in 0..2 {
        table.socket("id=1 state=failed mayretry at=9000");
        assert_eq!(table.steps(), []);
    }
    table.socket("id=1 state=running progress=1 at=12000");
    assert_eq!(table.steps(), [(Moved, Running, 2)]);
}

#[test]
fn the_reason_of_a_failed_attempt_is_told_as_soon_as_somebody_says_it() {
    for (line, attempt) in [
        ("state=queued before=disk@9020 at=9020", 1),
        ("state=failed mayretry error=disk", 1),
        ("state=running before=disk@9020 at=13000", 1),
    ] {
        let mut table = Table::new();
        table.socket("id=1 state=running progress=40 at=1000");
        table.socket("id=1 state=failed mayretry at=9000");
        assert_eq!(reasons(&table), [None]);
        if line.contains("running") {
            table.socket("id=1 state=running progress=1 at=12000");
        }
        table.secs(20).http(&format!("id=1 {line}"));
        assert_eq!(reasons(&table), [Some("disk")], "{line}");
        assert_eq!(table.steps()[0], (AttemptFailed, Failed, attempt), "{line}");
        table.secs(20).http(&format!("id=1 {line}"));
        assert_eq!(reasons(&table), [], "{line}");
    }
}

#[test]
fn the_next_attempt_after_a_failure_that_was_heard_is_a_step() {
    let mut table = Table::new();
    table.socket("id=1 state=running progress=40 at=1000");
    table.socket("id=1 state=failed error=disk mayretry at=9000");
    table.socket("id=1 state=running progress=1 at=12000");
    assert_eq!(table.steps(), [(Moved, Running, 2)]);
}

#[test]
fn servers_that_count_ended_attempts_and_those_that_count_begun_ones_come_to_the_same_number() {
    for (waiting, running, ended) in [(1, 1, 2), (1, 2, 2)] {
        let mut table = Table::new();
        table.http("id=1 state=running");
        table.secs(20).http(&format!("id=1 state=scheduled attempt={waiting} before=disk"));
        assert_eq!(table.steps()[0], (AttemptFailed, Failed, 1));
        table.secs(20).http(&format!("id=1 state=running attempt={running} before=disk"));
        assert_eq!(table.steps(), [(Moved, Running, 2)], "{running}");
        table.secs(20).http(&format!("id=1 state=completed attempt={ended} finished=20000"));
        assert_eq!(table.steps(), [(Outcome, Completed, 2)], "{running}");
    }
}

#[test]
fn what_failed_before_a_job_was_first_seen_or_after_it_has_ended_is_no_step() {
    let mut table = Table::new();
    table.http("id=1 state=running at=12000 before=disk@9000");
    table.secs(20).http("id=1 state=running at=13000 before=disk@9000");
    assert_eq!(table.steps(), []);
    table.socket("id=1 state=completed at=15000");
    table.secs(20).http("id=1 state=completed at=15000 finished=15000 before=disk@14000");
    assert_eq!(table.steps(), []);
}

#[test]
fn a_job_that_only_waits_again_has_not_failed() {
    let mut table = Table::new();
    table.http("id=1 state=running at=1000");
    table.secs(20).http("id=1 state=queued at=9000");
    assert_eq!(table.steps(), [(Moved, Queued, 1)]);
}
