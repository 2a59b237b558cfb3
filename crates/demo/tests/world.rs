//! The world follows from its seed, and is worth looking at.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Demo, DemoError, DemoOptions};
use serde_json::Value;

/// A demo whose clock barely moves.
async fn frozen(seed: u64) -> Demo {
    support::start(DemoOptions {
        seed,
        speed: 0.0,
        start: Some("2026-05-04T10:00:00Z".parse().unwrap()),
        ..DemoOptions::default()
    })
    .await
}

fn jobs(demo: &Demo) -> Vec<Value> {
    DialectKind::ALL
        .into_iter()
        .flat_map(|kind| demo.control(kind).state()["jobs"].as_array().unwrap().clone())
        .collect()
}

#[tokio::test]
async fn the_same_seed_and_start_give_the_same_world() {
    let (one, two, other) = (frozen(7).await, frozen(7).await, frozen(8).await);
    for kind in DialectKind::ALL {
        assert_eq!(one.control(kind).state(), two.control(kind).state());
        assert_ne!(one.control(kind).state(), other.control(kind).state());
    }
}

#[tokio::test]
async fn there_is_something_to_see_for_any_seed() {
    for seed in 1..=12 {
        let demo = frozen(seed).await;
        let all = jobs(&demo);
        let count = |word: &str| all.iter().filter(|job| job["state"] == word).count();
        assert!((5..=12).contains(&count("running")), "seed {seed}: {} run", count("running"));
        let ended = count("completed") + count("failed");
        assert!((40..=250).contains(&ended), "seed {seed}: {ended} ended");
        assert!((2..=40).contains(&count("failed")), "seed {seed}: {} failed", count("failed"));
    }
}

#[tokio::test]
async fn time_passes_and_jobs_move() {
    let demo = support::start(DemoOptions { speed: 60.0, ..DemoOptions::default() }).await;
    let before = jobs(&demo);
    support::eventually("new jobs ending", || {
        let fresh = |job: &&Value| !before.iter().any(|old| old["id"] == job["id"]);
        jobs(&demo).iter().filter(fresh).any(|job| job["state"] == "completed")
    })
    .await;
}

#[tokio::test]
async fn the_configurations_are_ready_and_every_key_is_right() {
    let demo = support::quiet().await;
    let servers = demo.servers();
    let ids: Vec<&str> = servers.iter().map(|(server, _)| server.id.0.as_str()).collect();
    assert_eq!(
        ids,
        [
            "demo-triggerx",
            "demo-study-buddy",
            "demo-analyzer",
            "demo-kecs",
            "demo-bull-board",
            "demo-plain-json"
        ]
    );
    for (server, key) in servers {
        assert_eq!(key.is_some(), server.dialect.info().wants_key, "{}", server.name);
        jobwatch_core::dialect::dialect(&server, key).unwrap().open().unwrap();
    }
}

#[tokio::test]
async fn a_fixed_base_gives_eight_ports_in_a_row_and_stopping_frees_them() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    // Far enough above what the system hands out to other tests.
    let base = 20_000 + free.local_addr().unwrap().port() % 10_000;
    let options = DemoOptions { base_port: Some(base), life: false, ..DemoOptions::default() };
    let demo = support::start(options.clone()).await;
    let ports: Vec<u16> = DialectKind::ALL.into_iter().flat_map(|kind| demo.ports(kind)).collect();
    assert_eq!(ports, (base..base + 8).collect::<Vec<u16>>());
    let taken = Demo::start(options.clone()).await.err().unwrap();
    assert!(matches!(taken, DemoError::Listen { port, .. } if port == base), "{taken}");
    demo.stop().await;
    tokio::time::timeout(Duration::from_secs(5), Demo::start(options)).await.unwrap().unwrap();
    let high = DemoOptions { base_port: Some(65_530), ..DemoOptions::default() };
    assert!(matches!(Demo::start(high).await, Err(DemoError::Ports(65_530))));
}
