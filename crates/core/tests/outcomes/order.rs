//! The order in which socket and HTTP tell of one run changes nothing about how it ended.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use jobwatch_core::jobs::{Baseline, JobStore};
use jobwatch_core::model::{JobPatch, JobState, Source, Update};
use jobwatch_core::time::{Mono, Now};
use proptest::prelude::*;

/// What is told of one attempt that ends one way, each with its server's time.
fn telling(nth: u8, second: i64, ended: &JobState) -> JobPatch {
    let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_000_000 + second);
    let mut patch = JobPatch { at: Some(at), ..JobPatch::new("1") };
    match nth % 6 {
        0 => patch.state = Some(JobState::Queued),
        1 => patch.state = Some(JobState::Running),
        2 => {
            patch.state = Some(JobState::Running);
            // A second phase begins again from below.
            patch.progress = Some((second * 17 % 100) as f64);
            patch.message = Some(format!("stage {second}"));
        }
        3 => {
            patch.state = Some(ended.clone());
            patch.finished_at = Some(at);
            patch.error = (*ended == JobState::Failed).then(|| "boom".to_owned());
        }
        4 => {
            patch.state = Some(ended.clone());
            patch.finished_at = Some(at);
            patch.error = (*ended == JobState::Failed).then(|| "boom\n  at line 3".to_owned());
        }
        _ => patch.name = Some("nightly".to_owned()),
    }
    patch
}

fn told_in(
    order: &[(u8, bool)],
    end: i64,
    ended: &JobState,
) -> (JobState, Option<String>, Option<String>, usize) {
    let start = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_000_000);
    let mut store = JobStore::new(Duration::from_secs(15), start);
    let mut now = Now { mono: Mono(0), wall: start };
    let baseline = Some(Baseline::of_this_run(start));
    let mut outcomes = 0;
    for (nth, socket) in order {
        let ends = matches!(nth % 6, 3 | 4);
        let second = if ends { end } else { i64::from(*nth) * end / 256 };
        let patch = telling(*nth, second, ended);
        let source = if *socket { Source::Socket } else { Source::Http };
        let changes = store.apply(&Update::Job(Box::new(patch)), source, baseline, now);
        outcomes += changes
            .iter()
            .filter(|change| match change {
                jobwatch_core::jobs::Change::Transition(step) => {
                    step.kind == jobwatch_core::jobs::TransitionKind::Outcome
                }
                _ => false,
            })
            .count();
        now.mono = now.mono.after(Duration::from_millis(50));
        now.wall += SignedDuration::from_millis(50);
    }
    let job = store.job(&"1".into()).unwrap();
    (job.state.clone(), job.error.clone(), job.message.clone(), outcomes)
}

proptest! {
    #[test]
    fn in_whatever_order_it_is_told_a_run_has_ended_as_it_ended(
        mut tellings in proptest::collection::vec((any::<u8>(), any::<bool>()), 1..12),
        ended in prop_oneof![Just(JobState::Completed), Just(JobState::Failed), Just(JobState::Cancelled)],
        seed in any::<u64>(),
    ) {
        // The end is told at least once.
        tellings.push((3, true));
        let full = tellings.iter().any(|(nth, _)| nth % 6 == 4);
        let mut other = tellings.clone();
        let count = other.len() as u64;
        for n in 0..other.len() {
            other.swap(n, (seed.rotate_left(n as u32 * 7) % count) as usize);
        }
        for order in [&tellings, &other] {
            let (state, error, message, outcomes) = told_in(order, 60, &ended);
            prop_assert_eq!(&state, &ended);
            prop_assert_eq!(outcomes, 1);
            let expected = (ended == JobState::Failed)
                .then(|| if full { "boom\n  at line 3" } else { "boom" }.to_owned());
            prop_assert_eq!(error, expected);
            if ended == JobState::Completed {
                prop_assert_eq!(message, None);
            }
        }
    }

    #[test]
    fn of_reports_with_a_time_the_newest_progress_holds_in_whatever_order(
        reports in proptest::collection::btree_map(0_i64..1000, 0_u8..=100, 1..8),
        seed in any::<u64>(),
    ) {
        let start = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_000_000);
        let newest = f64::from(*reports.values().last().unwrap());
        let mut order: Vec<(i64, u8)> = reports.into_iter().collect();
        let count = order.len() as u64;
        for n in 0..order.len() {
            order.swap(n, (seed.rotate_left(n as u32 * 7) % count) as usize);
        }
        let mut store = JobStore::new(Duration::from_secs(15), start);
        let now = Now { mono: Mono(0), wall: start };
        for (second, progress) in order {
            let patch = JobPatch {
                at: Some(start + SignedDuration::from_secs(second)),
                state: Some(JobState::Running),
                progress: Some(f64::from(progress)),
                ..JobPatch::new("1")
            };
            store.apply(&Update::Job(Box::new(patch)), Source::Socket, None, now);
        }
        prop_assert_eq!(store.job(&"1".into()).unwrap().progress, Some(newest));
    }
}
