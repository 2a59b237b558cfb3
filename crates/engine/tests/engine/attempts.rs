//! The past of a job that was tried more than once, as its page shows it.

use std::time::{Duration, Instant};

use jobwatch_core::connection::ConnectionState;
use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Demo, DemoOptions, JobSpec};
use jobwatch_engine::api::{Rows, StateKind, TimelineRow, ViewSpec};

use crate::common::{DEADLINE, World, engine, quick, until};

/// What the page of a job shows of its past, once it has completed.
async fn past(kind: DialectKind, queue: Option<&str>) -> Vec<TimelineRow> {
    let demo = Demo::start(DemoOptions { life: false, ..DemoOptions::default() }).await.unwrap();
    let mut server = demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
    server.0.policy = quick();
    let id = server.0.id.0.clone();
    let world = World::new();
    let engine = engine(&world, vec![server]).await;
    world.until_state(&id, ConnectionState::Live).await;
    let job = demo.control(kind).start_job(JobSpec {
        name: Some("twice".to_owned()),
        queue: queue.map(str::to_owned),
        duration_ms: Some(3_000),
        max_attempts: Some(2),
        failures: Some(1),
        error: Some("disk full".to_owned()),
        backoff_ms: Some(9_000),
        ..JobSpec::default()
    });
    until("the job to be known", || world.job(&job).is_some()).await;
    let whole = world.job(&job).unwrap().id.to_string();
    let view = engine.open_view(ViewSpec::Job { server: id, job: whole }).await.unwrap();
    let begun = Instant::now();
    loop {
        let pulled = engine.view_window(view, 0, 1).await.unwrap();
        let Rows::Job { detail: Some(detail), .. } = pulled.rows else { panic!("no detail") };
        let timeline = detail.timeline;
        if timeline.last().is_some_and(|step| step.to.kind == StateKind::Completed) {
            engine.stop().await;
            demo.stop().await;
            return timeline;
        }
        assert!(begun.elapsed() < DEADLINE, "{timeline:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn steps(timeline: &[TimelineRow]) -> Vec<String> {
    let step = |row: &TimelineRow| {
        let state = format!("{:?}", row.to.kind).to_lowercase();
        let what = if row.attempt_failed { "attempt failed" } else { &state };
        format!("{what} {}", row.attempt)
    };
    timeline.iter().map(step).collect()
}

/// The failed attempt, why it failed, that the job waited, and the next attempt, each once and in
/// order.
async fn a_retry_is_told(kind: DialectKind, queue: Option<&str>, waits: Option<&str>) {
    let timeline = past(kind, queue).await;
    let steps = steps(&timeline);
    let failed = timeline.iter().position(|row| row.attempt_failed);
    let failed = failed.unwrap_or_else(|| panic!("no failed attempt: {steps:?}"));
    let after = waits.map(str::to_owned).into_iter();
    let after = after.chain(["running 2".to_owned(), "completed 2".to_owned()]);
    assert_eq!(steps[failed - 1..=failed], ["running 1", "attempt failed 1"], "{steps:?}");
    assert_eq!(steps[failed + 1..], after.collect::<Vec<_>>(), "{steps:?}");
    assert_eq!(timeline[failed].error.as_deref(), Some("disk full"), "{steps:?}");
    assert!(timeline.is_sorted_by_key(|row| row.at), "{timeline:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn study_buddy_the_past_of_a_job_has_the_attempt_that_only_the_database_knows_to_have_failed()
{
    a_retry_is_told(DialectKind::StudyBuddy, Some("ai-notes"), Some("queued 2")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn study_buddy_the_past_of_a_job_has_the_attempt_whose_failure_was_announced() {
    a_retry_is_told(DialectKind::StudyBuddy, None, Some("queued 2")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bull_board_the_past_of_a_job_has_the_attempt_between_two_looks_at_its_row() {
    a_retry_is_told(DialectKind::BullBoard, None, Some("scheduled 2")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn analyzer_the_past_of_a_job_has_the_attempt_that_no_event_tells_of() {
    a_retry_is_told(DialectKind::Analyzer, None, Some("queued 2")).await;
}
