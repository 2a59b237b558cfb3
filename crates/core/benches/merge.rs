//! Merging patches into a store of a hundred thousand jobs: news, repetitions, first sightings,
//! and a whole list read again.

#![allow(missing_docs, reason = "the macros of criterion document nothing")]
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use jobwatch_core::jobs::JobStore;
use jobwatch_core::model::{JobPatch, JobState, Source, Update};
use jobwatch_core::time::{Mono, Now};

const KNOWN: u64 = 100_000;
const BATCH: u64 = 1_000;

fn now() -> Now {
    Now { mono: Mono(0), wall: Timestamp::from_second(1_800_000_000).unwrap() }
}

fn patch(id: u64, step: u64, snapshot: bool) -> Update {
    Update::Job(Box::new(JobPatch {
        name: Some("nightly-report".to_owned()),
        queue: Some("reports".to_owned()),
        state: Some(JobState::Running),
        progress: Some(step as f64 / 1e6),
        message: Some("Reading rows".to_owned()),
        at: Timestamp::from_millisecond(1_800_000_000_000 + step as i64).ok(),
        snapshot,
        ..JobPatch::new(format!("0192c7d1-{id:08x}"))
    }))
}

fn job_store() -> JobStore {
    let mut store = JobStore::new(Duration::from_secs(10), now().wall);
    for id in 0..KNOWN {
        store.apply(&patch(id, 0, true), Source::Http, None, now());
    }
    store
}

fn merge(c: &mut Criterion) {
    let mut group = c.benchmark_group("merge");
    group.throughput(Throughput::Elements(BATCH));
    group.measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));

    let mut busy = job_store();
    let mut step = 0;
    group.bench_function("news", |b| {
        b.iter_batched(
            || {
                step += 1;
                (0..BATCH).map(|id| patch(id * 97 % KNOWN, step, false)).collect::<Vec<_>>()
            },
            |patches| {
                for patch in &patches {
                    black_box(busy.apply(patch, Source::Socket, None, now()));
                }
                patches
            },
            BatchSize::LargeInput,
        );
    });

    let mut same = job_store();
    let again: Vec<_> = (0..BATCH).map(|id| patch(id, 0, true)).collect();
    group.bench_function("repetitions", |b| {
        b.iter(|| {
            for patch in &again {
                black_box(same.apply(patch, Source::Http, None, now()));
            }
        });
    });

    let first: Vec<_> = (0..BATCH).map(|id| patch(id, 0, true)).collect();
    group.bench_function("first_sightings", |b| {
        b.iter_batched(
            || JobStore::new(Duration::from_secs(10), now().wall),
            |mut store| {
                for patch in &first {
                    black_box(store.apply(patch, Source::Http, None, now()));
                }
                store
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, merge);
criterion_main!(benches);
