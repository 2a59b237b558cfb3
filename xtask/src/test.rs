//! Every test, and a summary at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::packages;
use crate::page;
use crate::shell::{cargo, heading, program};

/// Says how many random worlds the core's simulation runs.
const WORLDS: &str = "JOBWATCH_SIM_SEEDS";

/// How one part went.
struct Part {
    name: &'static str,
    took: Duration,
    error: Option<anyhow::Error>,
}

/// Tests as the harness counts them.
#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
}

/// Installs what the tests need, runs them all and sums up. One part's failure does not keep the
/// next from running, so that one run shows everything that is wrong.
///
/// # Errors
/// When anything failed.
pub fn test(filter: Option<&str>) -> Result<()> {
    packages::ensure(&[packages::BUILD, packages::RUN, packages::TEST])?;
    let mut counts = Counts::default();
    let parts = [
        part("page: build", page::build),
        part("page: types", || program("npm").args(&["run", "check"]).dir("ui").run()),
        part("page: tests", || page_tests(filter)),
        part("test servers: build", page::build_test_servers),
        part("test servers: tests", || program("npm").arg("test").dir("tests/npm").run()),
        part("cargo test", || cargo_tests(filter, &mut counts)),
    ];
    summarise(&parts, &counts)
}

fn part(name: &'static str, work: impl FnOnce() -> Result<()>) -> Part {
    heading(name);
    let start = Instant::now();
    let error = work().err();
    if let Some(error) = &error {
        eprintln!("{name}: {error:#}");
    }
    Part { name, took: start.elapsed(), error }
}

fn page_tests(filter: Option<&str>) -> Result<()> {
    let tests = program("npm").args(&["run", "test"]).dir("ui");
    match filter {
        None => tests.run(),
        Some(filter) => tests.args(&["--", "--passWithNoTests", "-t", filter]).run(),
    }
}

fn cargo_tests(filter: Option<&str>, counts: &mut Counts) -> Result<()> {
    // A plain `cargo test` runs the machine through a few random worlds; here it is all of them.
    let worlds = std::env::var(WORLDS).unwrap_or_else(|_| "100000".to_owned());
    let tests = cargo().args(&["test", "--workspace", "--locked", "--no-fail-fast"]);
    let tests = tests.env(WORLDS, worlds);
    let tests = match filter {
        None => tests,
        Some(filter) => tests.arg(filter),
    };
    tests.watch(|line| {
        if let Some((passed, failed)) = read_result(line) {
            counts.passed += passed;
            counts.failed += failed;
        }
    })
}

/// Reads `test result: ok. 12 passed; 0 failed; …`.
fn read_result(line: &str) -> Option<(u64, u64)> {
    let counts = line.trim_start().strip_prefix("test result:")?;
    let count = |word: &str| {
        counts.split(word).next()?.trim_end().rsplit([' ', ';']).next()?.parse::<u64>().ok()
    };
    Some((count("passed")?, count("failed")?))
}

fn summarise(parts: &[Part], counts: &Counts) -> Result<()> {
    heading("Summary");
    for part in parts {
        let outcome = if part.error.is_some() { "FAILED" } else { "ok" };
        println!("  {:<22} {outcome:<8} {:>6.1} s", part.name, part.took.as_secs_f64());
    }
    println!("  Rust tests: {} passed, {} failed", counts.passed, counts.failed);
    let failed: Vec<&str> =
        parts.iter().filter(|part| part.error.is_some()).map(|part| part.name).collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    println!("  Everything passed.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_a_test_run_are_read_from_its_last_line() {
        let line =
            "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 1 filtered out";
        assert_eq!(read_result(line), Some((12, 3)));
        assert_eq!(read_result("running 12 tests"), None);
    }
}
