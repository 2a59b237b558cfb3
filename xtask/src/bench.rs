//! The benchmarks: of the core each beside plain JSON parsing of the same bytes, of the logs beside a
//! bare receiver and ripgrep, of the window the times between its pictures.
//!
//! A group that can be compared holds a function named `serde_json`, which only parses the group's
//! bytes; every other function of the group is shown with its ratio to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::packages;
use crate::page;
use crate::shell::{cargo, heading, root};

const BASELINE: &str = "serde_json";

/// One benchmark's result.
struct Measurement {
    group: String,
    function: String,
    /// Of one iteration, as the median.
    nanoseconds: f64,
    /// Bytes handled by one iteration, where the benchmark says.
    bytes: Option<f64>,
}

/// The word that asks for the benchmarks of the logs alone.
const LOGS: &str = "logs";

/// The word that asks for what many jobs cost alone.
const SCALE: &str = "scale";

/// The word that asks for the window's alone.
const WINDOW: &str = "window";
/// The journeys that print the times between the window's pictures, and those of jumps; and for how
/// long is flooded.
const FLOODS: &str = "flood::";
const JUMPS: &str = "ten_million_lines";
/// The word that asks for what the program costs in the background alone, the journey that prints it,
/// and for how long it is watched.
const IDLE: &str = "idle";
const IDLES: &str = "idle::";
const IDLE_SECONDS: (&str, &str) = ("JOBWATCH_IDLE_SECONDS", "30");
const FLOOD_SECONDS: (&str, &str) = ("JOBWATCH_FLOOD_SECONDS", "60");

/// Runs the benchmarks and prints their tables: all, those of the logs, of many jobs, of the window,
/// or those of the core whose name has `filter` in it.
///
/// # Errors
/// When they fail, or leave nothing to print.
pub fn bench(filter: Option<&str>) -> Result<()> {
    if !matches!(filter, Some(LOGS | SCALE | WINDOW | IDLE)) {
        core(filter)?;
    }
    if filter.is_none_or(|filter| filter == LOGS) {
        packages::ensure(&[packages::BENCH])?;
        heading("Logs, beside a bare receiver and ripgrep");
        cargo()
            .args(&["bench", "--package", "jobwatch-engine", "--bench", "logs", "--locked"])
            .run()?;
    }
    if filter.is_none_or(|filter| filter == SCALE) {
        packages::ensure(&[packages::BENCH])?;
        heading("A hundred thousand jobs, in one list and in the history");
        cargo()
            .args(&["bench", "--package", "jobwatch-engine", "--bench", "scale", "--locked"])
            .run()?;
    }
    if filter.is_none_or(|filter| filter == WINDOW) {
        packages::ensure(&[packages::BUILD, packages::RUN, packages::TEST])?;
        page::build()?;
        heading("Floods of log lines, followed in the window, and jumps through ten million");
        cargo()
            .args(&["test", "--release", "--locked", "--test", "journeys", "--"])
            .args(&[FLOODS, JUMPS, "--nocapture", "--test-threads", "1"])
            .env(FLOOD_SECONDS.0, FLOOD_SECONDS.1)
            .run()?;
    }
    if filter.is_none_or(|filter| filter == IDLE) {
        packages::ensure(&[packages::BUILD, packages::RUN, packages::TEST])?;
        page::build()?;
        heading("In the background with five live servers, and back");
        cargo()
            .args(&["test", "--release", "--locked", "--test", "journeys", "--"])
            .args(&[IDLES, "--nocapture", "--test-threads", "1"])
            .env(IDLE_SECONDS.0, IDLE_SECONDS.1)
            .run()?;
    }
    Ok(())
}

fn core(filter: Option<&str>) -> Result<()> {
    let start = SystemTime::now();
    let benches =
        cargo().args(&["bench", "--package", "jobwatch-core", "--bench", "*", "--locked"]);
    let benches = match filter {
        None => benches,
        Some(filter) => benches.args(&["--", filter]),
    };
    benches.run()?;
    let mut measurements = Vec::new();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    collect(&root().join(target).join("criterion"), start, &mut measurements)?;
    if measurements.is_empty() {
        bail!("no benchmark ran");
    }
    heading("Beside plain JSON parsing of the same bytes");
    print!("{}", table(&measurements));
    Ok(())
}

/// Finds what this run measured: Criterion leaves `benchmark.json` and `estimates.json` in each
/// benchmark's `new` directory, and keeps those of earlier runs.
fn collect(directory: &Path, since: SystemTime, found: &mut Vec<Measurement>) -> Result<()> {
    let Ok(entries) = fs::read_dir(directory) else { return Ok(()) };
    let mut paths: Vec<_> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    for path in paths.into_iter().filter(|path| path.is_dir()) {
        let estimates = path.join("estimates.json");
        let is_fresh = fs::metadata(&estimates)
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|modified| modified >= since);
        if path.ends_with("new") && is_fresh {
            let benchmark = read(&path.join("benchmark.json"))?;
            found.push(measurement(&benchmark, &read(&estimates)?).with_context(|| {
                format!("{} has not the shape Criterion gives it", path.display())
            })?);
        } else {
            collect(&path, since, found)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is not JSON", path.display()))
}

fn measurement(benchmark: &Value, estimates: &Value) -> Option<Measurement> {
    let text = |name: &str| benchmark[name].as_str().map(str::to_owned);
    let function = match (text("function_id"), text("value_str")) {
        (Some(function), Some(value)) => format!("{function}/{value}"),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => String::new(),
    };
    Some(Measurement {
        group: text("group_id")?,
        function,
        nanoseconds: estimates["median"]["point_estimate"].as_f64()?,
        bytes: benchmark["throughput"]["Bytes"].as_f64(),
    })
}

fn table(measurements: &[Measurement]) -> String {
    let baselines: BTreeMap<&str, f64> = measurements
        .iter()
        .filter(|it| it.function == BASELINE)
        .map(|it| (it.group.as_str(), it.nanoseconds))
        .collect();
    let width =
        measurements.iter().map(|it| it.group.len() + it.function.len() + 1).max().unwrap_or(0);
    let mut table = format!("{:<width$}  {:>10}  {:>10}  {:>6}\n", "", "median", "MB/s", "ratio");
    for it in measurements {
        let name = format!("{}/{}", it.group, it.function);
        let rate = it
            .bytes
            .map_or("-".to_owned(), |bytes| format!("{:.0}", bytes * 1000.0 / it.nanoseconds));
        let ratio = baselines
            .get(it.group.as_str())
            .map_or("-".to_owned(), |baseline| format!("{:.2}", it.nanoseconds / baseline));
        let median = duration(it.nanoseconds);
        table.push_str(&format!("{name:<width$}  {median:>10}  {rate:>10}  {ratio:>6}\n"));
    }
    table
}

fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        ns if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_is_shown_with_its_ratio_to_plain_json_parsing_of_its_group() {
        let it = |function: &str, nanoseconds| Measurement {
            group: "kecs".to_owned(),
            function: function.to_owned(),
            nanoseconds,
            bytes: Some(200.0),
        };
        let table = table(&[it("decode", 300.0), it("serde_json", 200.0)]);
        assert!(table.contains("kecs/decode          300 ns         667    1.50"), "{table}");
        assert!(table.contains("kecs/serde_json      200 ns        1000    1.00"), "{table}");
    }
}
