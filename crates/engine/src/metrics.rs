//! The latest values of every metric, bounded.

use std::collections::{HashMap, VecDeque};

use jobwatch_core::model::{JobId, Metric};
use jobwatch_core::time::Now;
use serde::Serialize;
use ts_rs::TS;

use crate::driver::ConnectionId;

/// Values kept of one metric.
pub const MAX_POINTS: usize = 300;
/// Metrics kept of one job.
const MAX_NAMES: usize = 32;
/// Jobs with metrics; beyond it the one silent for longest is forgotten.
const MAX_JOBS: usize = 2_000;

/// A metric over time.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct Series {
    /// What it measures.
    pub name: String,
    /// In what unit.
    pub unit: Option<String>,
    /// (time, value), oldest first, at most 300.
    #[ts(type = "[number, number][]")]
    pub points: Vec<(i64, f64)>,
}

#[derive(Debug, Default)]
struct Track {
    unit: Option<String>,
    points: VecDeque<(i64, f64)>,
}

#[derive(Debug, Default)]
struct OfJob {
    tracks: Vec<(String, Track)>,
    /// Orders jobs by their last value.
    touched: u64,
}

/// The metrics of all servers.
#[derive(Debug, Default)]
pub struct Metrics {
    jobs: HashMap<(ConnectionId, Option<JobId>), OfJob>,
    clock: u64,
}

impl Metrics {
    /// Takes a value; one that is older than the last is put in its place in time.
    pub fn push(&mut self, connection: ConnectionId, metric: &Metric, now: Now) {
        if !metric.value.is_finite() {
            return;
        }
        self.clock += 1;
        let key = (connection, metric.job.clone());
        if !self.jobs.contains_key(&key) && self.jobs.len() >= MAX_JOBS {
            let oldest = self.jobs.iter().min_by_key(|(_, of)| of.touched).map(|(key, _)| key);
            if let Some(oldest) = oldest.cloned() {
                self.jobs.remove(&oldest);
            }
        }
        let of = self.jobs.entry(key).or_default();
        of.touched = self.clock;
        let at = metric.at.unwrap_or(now.wall).as_millisecond();
        let index = match of.tracks.iter().position(|(name, _)| *name == metric.name) {
            Some(index) => index,
            None if of.tracks.len() < MAX_NAMES => {
                of.tracks.push((metric.name.clone(), Track::default()));
                of.tracks.len() - 1
            }
            None => return,
        };
        let track = &mut of.tracks[index].1;
        if metric.unit.is_some() {
            track.unit.clone_from(&metric.unit);
        }
        let place = track.points.iter().rposition(|(then, _)| *then <= at).map_or(0, |i| i + 1);
        if place > 0 && track.points[place - 1] == (at, metric.value) {
            return;
        }
        track.points.insert(place, (at, metric.value));
        if track.points.len() > MAX_POINTS {
            track.points.pop_front();
        }
    }

    /// The metrics of a job, by name.
    #[must_use]
    pub fn series(&self, connection: ConnectionId, job: &JobId) -> Vec<Series> {
        let Some(of) = self.jobs.get(&(connection, Some(job.clone()))) else { return Vec::new() };
        let mut series: Vec<Series> = of
            .tracks
            .iter()
            .map(|(name, track)| Series {
                name: name.clone(),
                unit: track.unit.clone(),
                points: track.points.iter().copied().collect(),
            })
            .collect();
        series.sort_by(|a, b| a.name.cmp(&b.name));
        series
    }

    /// Forgets a server.
    pub fn forget(&mut self, connection: ConnectionId) {
        self.jobs.retain(|(of, _), _| *of != connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jobwatch_core::time::Mono;

    #[test]
    fn a_metric_keeps_its_latest_values_in_the_order_of_time() {
        let mut metrics = Metrics::default();
        let now = Now { mono: Mono(0), wall: Timestamp::from_second(1).unwrap() };
        let job = JobId::from("a");
        let mut push = |second: i64, value: f64| {
            let at = Some(Timestamp::from_second(second).unwrap());
            let (name, unit) = ("cpu".to_owned(), Some("%".to_owned()));
            let metric = Metric { job: Some(job.clone()), name, value, unit, at };
            metrics.push(ConnectionId(1), &metric, now);
        };
        for second in 0..400 {
            push(second, second as f64);
        }
        push(398, 0.5);
        push(398, 0.5);
        push(399, f64::NAN);
        let series = metrics.series(ConnectionId(1), &job);
        assert_eq!(series.len(), 1);
        let points = &series[0].points;
        assert_eq!(points.len(), MAX_POINTS);
        assert!(points.is_sorted_by_key(|(at, _)| *at));
        assert_eq!(points[MAX_POINTS - 2..], [(398_000, 0.5), (399_000, 399.0)]);
    }
}
