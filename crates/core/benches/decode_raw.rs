//! The hot frames and answers of the raw-WebSocket dialects: decoded, decoded and merged, and the
//! same bytes parsed by serde_json alone.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jobwatch_core::dialect::bull_board as dialects;
use jobwatch_core::dialect::{Ask, Dialect, FetchResponse, Frame, Incoming, Outgoing, dialect};
use jobwatch_core::jobs::JobStore;
use jobwatch_core::model::{Source, Topic, Update};
use jobwatch_core::server::{DialectKind, Server, ServerId};
use jobwatch_core::time::{Mono, Now};
use serde_json::{Value, json};

fn speaking(kind: DialectKind) -> Box<dyn Dialect> {
    let server = Server {
        id: ServerId("bench".to_owned()),
        name: "Bench".to_owned(),
        dialect: kind,
        ws: "ws://127.0.0.1:9000".to_owned(),
        api: None,
        key: None,
        namespace: None,
        options: Default::default(),
        watch: Vec::new(),
        paused: false,
        extra_ca: None,
        policy: Default::default(),
    };
    let mut dialect = match dialect(&server, None) {
        Ok(dialect) => dialect,
        Err(error) => panic!("{error}"),
    };
    dialect.encode(&Outgoing::Watch(Topic::Everything));
    dialect.decode(&Frame::Ping);
    dialect
}

fn now() -> Now {
    let wall = match jiff::Timestamp::from_second(1_795_000_000) {
        Ok(wall) => wall,
        Err(error) => panic!("{error}"),
    };
    Now { mono: Mono(1_000_000), wall }
}

fn merge(store: &mut JobStore, incoming: &[Incoming], source: Source) {
    for item in incoming {
        if let Incoming::Update(update @ (Update::Job(_) | Update::Gone(_))) = item {
            black_box(store.apply(update, source, None, now()));
        }
    }
}

/// One frame, three ways.
fn frame(c: &mut Criterion, name: &str, kind: DialectKind, frame: &Value) {
    let text = frame.to_string();
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("serde_json", |b| {
        b.iter(|| serde_json::from_str::<Value>(black_box(&text)));
    });
    let frame = Frame::Text(text.clone());
    let mut dialect = speaking(kind);
    group.bench_function("decode", |b| b.iter(|| dialect.decode(black_box(&frame))));
    let mut store = JobStore::new(std::time::Duration::from_secs(10), now().wall);
    group.bench_function("decode and merge", |b| {
        b.iter(|| merge(&mut store, &dialect.decode(black_box(&frame)), Source::Socket));
    });
    group.finish();
}

/// One answer, three ways.
fn answer(c: &mut Criterion, name: &str, kind: DialectKind, ask: Ask, body: &Value) {
    let body = body.to_string().into_bytes();
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("serde_json", |b| {
        b.iter(|| serde_json::from_slice::<Value>(black_box(&body)));
    });
    let response = FetchResponse { status: 200, content_type: None, body: body.clone() };
    let mut dialect = speaking(kind);
    group.bench_function("decode", |b| b.iter(|| dialect.parse(&ask, black_box(&response))));
    let mut store = JobStore::new(std::time::Duration::from_secs(10), now().wall);
    group.bench_function("decode and merge", |b| {
        b.iter(|| merge(&mut store, &dialect.parse(&ask, black_box(&response)), Source::Http));
    });
    group.finish();
}

fn triggerx(c: &mut Criterion) {
    let job = "300949111111111111111111111111111111111111111111111111111111111111111111111732";
    let changes = json!({
        "task_id": 7, "job_id": job, "task_performer_id": 3,
        "execution_timestamp": "2026-11-20T17:01:05.123456789Z",
        "execution_tx_hash": "0x8d3a2f8a1f0e9c118d3a2f8a1f0e9c118d3a2f8a1f0e9c118d3a2f8a1f0e9c11",
        "proof_of_task": "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
        "task_opx_cost": 0.000_021_3, "user_id": "system",
    });
    let event = json!({"type": "TASK_UPDATED", "timestamp": "2026-11-20T17:01:01.796254778Z",
        "data": {"task_id": 7, "job_id": job, "user_id": "system", "changes": changes,
            "timestamp": "2026-11-20T17:01:01.796124397Z"}});
    frame(c, "triggerx task event", DialectKind::TriggerX, &event);
    let tasks: Vec<Value> = (0..100)
        .map(|id| {
            json!({"task_id": id, "task_number": id, "task_opx_cost": 0.5,
                "execution_timestamp": "2026-11-20T17:01:05Z", "execution_tx_hash": "0xabcdef",
                "task_performer_id": 3, "task_attester_ids": [1, 2, 3],
                "task_status": "completed", "task_error": "", "is_accepted": true,
                "tx_url": "https://explorer.example/tx/0xabcdef", "converted_arguments": null})
        })
        .collect();
    let snapshot = json!({"type": "JOB_TASKS_SNAPSHOT", "timestamp": "2026-11-20T17:01:00.9Z",
        "data": {"job_id": job, "tasks": tasks}});
    frame(c, "triggerx snapshot of 100", DialectKind::TriggerX, &snapshot);
}

fn kecs(c: &mut Criterion) {
    let arn = "arn:aws:ecs:us-east-1:123456789012:task/default/abc123";
    let cluster = "arn:aws:ecs:us-east-1:123456789012:cluster/default";
    let event = json!({"type": "task_status_changed", "timestamp": "2026-11-20T17:02:22.596783449Z",
        "resourceType": "task", "resourceId": "abc123",
        "payload": {"account": "123456789012", "clusterArn": cluster, "taskArn": arn,
            "detail": {"clusterArn": cluster, "desiredStatus": "RUNNING", "lastStatus": "RUNNING",
                "taskArn": arn},
            "eventType": "ECS Task State Change", "region": "us-east-1", "service": "ecs",
            "source": "localstack", "status": "RUNNING", "timestamp": "2026-11-20T17:02:22Z"}});
    frame(c, "kecs task event", DialectKind::Kecs, &event);
    let entry = |id: usize| {
        json!({"id": format!("log-{id}"), "timestamp": "2026-11-20T17:02:22.596Z", "level": "info",
            "source": {"type": "container", "name": "web", "identifier": "c-1"},
            "message": "GET /api/items/4711 200 in 12 ms, 3 rows, cache hit", "taskId": "abc123"})
    };
    let one =
        json!({"type": "log_entry", "payload": entry(1), "timestamp": "2026-11-20T17:02:22Z"});
    frame(c, "kecs log entry", DialectKind::Kecs, &one);
    let batch: Vec<Value> = (0..200).map(entry).collect();
    let batch = json!({"type": "log_batch", "payload": batch, "timestamp": "2026-11-20T17:02:22Z"});
    frame(c, "kecs log batch of 200", DialectKind::Kecs, &batch);
    let metric = json!({"type": "metric_update", "timestamp": "2026-11-20T17:02:22Z",
        "payload": {"taskId": "abc123",
            "cpu": {"points": [{"value": 12.5, "timestamp": "2026-11-20T17:02:22Z"}]},
            "memory": {"points": [{"value": 256, "timestamp": "2026-11-20T17:02:22Z"}]}}});
    frame(c, "kecs metrics", DialectKind::Kecs, &metric);
}

fn bull_board(c: &mut Criterion) {
    let hint = json!({"type": "single-job-refresh",
        "data": {"jobId": "01999d2e-7d0c-7b11-8d3a-2f8a1f0e9c11"}});
    frame(c, "bull-board hint", DialectKind::BullBoard, &hint);
    let jobs: Vec<Value> = (0..100)
        .map(|id| {
            json!({"id": format!("01999d2e-7d0c-7b11-8d3a-{id:012x}"), "jobId": id.to_string(),
                "queue": "{email}", "name": "send", "status": "completed", "attempt": 1,
                "maxAttempts": 3, "createdAt": "2025-09-26T15:20:00.123Z",
                "enqueuedAt": "2025-09-26T15:20:00.123Z", "startedAt": "2025-09-26T15:20:01.000Z",
                "finishedAt": "2025-09-26T15:20:03.500Z", "durationMs": 2500,
                "errorMessage": null, "tags": ["email", "prod"]})
        })
        .collect();
    let body = serde_json::json!({"limit": 100});
    let page = dialects::TablePage { number: 1, body };
    let ask = Ask::new(Some(&Topic::Everything), dialects::Call::Table(page));
    let body = json!({"jobs": jobs, "nextCursor": null, "prevCursor": null});
    answer(c, "bull-board table of 100", DialectKind::BullBoard, ask, &body);
}

criterion_group!(benches, triggerx, kecs, bull_board);
criterion_main!(benches);
