//! Hot frames of the two Socket.IO dialects through decode, and through decode and merge, beside
//! plain JSON parsing of the same bytes.

#![allow(missing_docs, reason = "the macros of criterion document nothing")]
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use jobwatch_core::dialect::{self, Dialect, Frame, Incoming};
use jobwatch_core::jobs::JobStore;
use jobwatch_core::model::Source;
use jobwatch_core::server::{DialectKind, PolicyChange, Server, ServerId};
use jobwatch_core::time::{Mono, Now};

/// Frames in one iteration: a hundred jobs, each moving ten times.
const JOBS: u32 = 100;
const STEPS: u32 = 10;

fn frames(line: impl Fn(u32, u32) -> String) -> Vec<Frame> {
    (0..STEPS)
        .flat_map(|step| (0..JOBS).map(move |job| (job, step)))
        .map(|(job, step)| Frame::Text(line(job, step)))
        .collect()
}

fn live(kind: DialectKind) -> Box<dyn Dialect> {
    let server = Server {
        id: ServerId("bench".to_owned()),
        name: "bench".to_owned(),
        dialect: kind,
        ws: "ws://localhost:3000".to_owned(),
        api: None,
        key: None,
        namespace: None,
        options: BTreeMap::new(),
        watch: Vec::new(),
        paused: false,
        extra_ca: None,
        policy: PolicyChange::default(),
    };
    let mut dialect = dialect::dialect(&server, None).unwrap();
    dialect.open().unwrap();
    for greeting in [r#"0{"sid":"x"}"#, r#"40{"sid":"y"}"#, r#"40/jobs,{"sid":"y"}"#] {
        dialect.decode(&Frame::Text(greeting.to_owned()));
    }
    dialect
}

/// The JSON of a frame, which is what a program without types would parse.
fn json(frame: &Frame) -> &str {
    match frame {
        Frame::Text(text) => &text[text.find('[').unwrap()..],
        _ => "null",
    }
}

fn group(c: &mut Criterion, name: &str, kind: DialectKind, frames: &[Frame]) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Bytes(frames.iter().map(|it| json(it).len() as u64).sum()));
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    group.bench_function("serde_json", |b| {
        b.iter(|| {
            for frame in frames {
                let value: serde_json::Value = serde_json::from_str(json(frame)).unwrap();
                black_box(value);
            }
        });
    });
    let mut dialect = live(kind);
    group.bench_function("decode", |b| {
        b.iter(|| {
            for frame in frames {
                black_box(dialect.decode(black_box(frame)));
            }
        });
    });
    let now = Now { mono: Mono(60_000), wall: Timestamp::from_second(1_795_193_700).unwrap() };
    group.bench_function("decode and merge", |b| {
        b.iter_batched(
            || JobStore::new(Duration::from_secs(10), Timestamp::UNIX_EPOCH),
            |mut store| {
                for frame in frames {
                    for incoming in dialect.decode(frame) {
                        if let Incoming::Update(update) = incoming {
                            black_box(store.apply(&update, Source::Socket, None, now));
                        }
                    }
                }
                store
            },
            criterion::BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn study_buddy(c: &mut Criterion) {
    let progress = frames(|job, step| {
        let progress = step * 10;
        format!(
            r#"42/jobs,["job:progress",{{"jobId":"{job}","status":"in_progress","progress":{progress},"message":"extracting_text","timestamp":"2026-11-20T16:57:5{step}.446Z"}}]"#
        )
    });
    group(c, "study buddy job progress", DialectKind::StudyBuddy, &progress);
    let chunks = frames(|job, step| {
        let accumulated = "The cell is the unit of life. ".repeat(40 * (step as usize + 1));
        format!(
            r#"42/jobs,["job:notes:chunk",{{"jobId":"{job}","chunk":"The cell is the unit of life. ","accumulated":"{accumulated}","timestamp":"2026-11-20T16:57:5{step}.446Z"}}]"#
        )
    });
    group(c, "study buddy notes chunk", DialectKind::StudyBuddy, &chunks);
}

fn analyzer(c: &mut Criterion) {
    let progress = frames(|job, step| {
        let (progress, at) = (step * 10, 1_795_193_687_889_u64 + u64::from(step));
        format!(
            r#"42["job-progress",{{"jobId":"similarity-{job:012x}","queue":"similarity-operations","progress":{progress}.5,"timestamp":{at}}}]"#
        )
    });
    group(c, "analyzer job progress", DialectKind::Analyzer, &progress);
    let objects = frames(|job, step| {
        let at = 1_795_193_687_889_u64 + u64::from(step);
        let profile = r#"{"wallet":"9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin","score":0.25}"#;
        let profiles = vec![profile; step as usize].join(",");
        format!(
            r#"42["job-progress",{{"jobId":"holders-{job}","queue":"analysis-operations","progress":{{"mode":"token","totalHoldersRequested":10,"analyzedCount":{step},"profiles":[{profiles}]}},"timestamp":{at}}}]"#
        )
    });
    group(c, "analyzer object progress", DialectKind::Analyzer, &objects);
}

criterion_group!(benches, study_buddy, analyzer);
criterion_main!(benches);
