//! Random schedules. `JOBWATCH_SIM_SEEDS` says how many (the complete test run asks for a hundred
//! thousand), `JOBWATCH_SIM_SEED` runs one.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    reason = "the rule is for the core, not for its tests"
)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::world;

/// How many seeds run when nothing else is said.
const SEEDS: u64 = 1_000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")))
}

/// Runs one seed; a panic of the machine is a failure like any other.
fn attempt(seed: u64) -> Result<world::Tally, String> {
    std::panic::catch_unwind(|| world::run(seed)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panicked: {}", text.unwrap_or_default()))
    })
}

#[test]
fn whatever_happens_the_state_converges_nothing_is_lost_and_nothing_is_announced_twice() {
    if let Some(seed) = number("JOBWATCH_SIM_SEED") {
        match attempt(seed) {
            Ok(tally) => println!("seed {seed}: {tally:?}"),
            Err(why) => panic!("seed {seed}: {why}"),
        }
        return;
    }
    let seeds = number("JOBWATCH_SIM_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let (steps, outcomes) = (AtomicU64::new(0), AtomicU64::new(0));
    let failures = Mutex::new(Vec::new());
    let failed = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                // A hundred failures tell as much as a hundred thousand.
                while failed.load(Ordering::Relaxed) < 100 {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    match attempt(seed) {
                        Ok(tally) => {
                            steps.fetch_add(tally.steps, Ordering::Relaxed);
                            outcomes.fetch_add(tally.outcomes, Ordering::Relaxed);
                        }
                        Err(why) => {
                            failed.fetch_add(1, Ordering::Relaxed);
                            failures.lock().expect("no holder panics").push((seed, why));
                        }
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no holder panics");
    failures.sort();
    for (seed, why) in failures.iter().take(12) {
        println!("JOBWATCH_SIM_SEED={seed}: {why}");
    }
    let (steps, outcomes) = (steps.into_inner(), outcomes.into_inner());
    println!("{seeds} seeds, {steps} steps, {outcomes} outcomes");
    assert!(
        failures.is_empty(),
        "{} seeds failed; each replays with JOBWATCH_SIM_SEED",
        failures.len()
    );
    assert!(outcomes > seeds, "the world was too quiet to prove anything");
}
