//! Logs over HTTP, from the admin API.
//!
//! The server has the lines of tasks that ended in a store, page by page. Of others it gives the
//! newest lines of the container itself, whatever the place: these have no id, and no page follows
//! them. The store's count tells which of the two an answer is.

use serde_json::json;

use super::call::{Call, ContainerLog, TaskLog};
use super::task::region_in;
use super::{Kecs, logs};
use crate::dialect::pages::{Found, Joined, Page, Way, print};
use crate::dialect::{Ask, FetchRequest, Incoming, LogFrom, LogPart, Method};
use crate::log::{LogLine, LogLines};
use crate::model::{Job, JobState, Update};
use crate::wire::fields::Fields;

/// Log lines asked for at once.
const LOG_PAGE: u64 = 500;
/// Lines of all containers of a task that are asked for at once, where that is the only call.
pub(super) const TASK_TAIL: u64 = 1_000;
/// When the newest lines are not enough, so many times as many are asked for.
const MORE: u64 = 8;
/// The most that are asked for at once.
const LONGEST_TAIL: u64 = 256_000;
/// The region of a KECS installation that names none.
const REGION: &str = "us-east-1";

impl Kecs {
    pub(super) fn log_requests(&self, job: &Job, from: LogFrom) -> Vec<FetchRequest> {
        if matches!(job.state, JobState::Unknown(_)) && self.adopted.contains(job.id.as_str()) {
            return Vec::new();
        }
        let cluster = job.queue.clone().or_else(|| self.cluster_of(job.id.as_str()));
        let cluster = cluster.unwrap_or_else(|| "default".to_owned());
        let arn =
            job.extra.get("taskArn").and_then(|arn| arn.to_value().as_str().map(str::to_owned));
        let region = self
            .region
            .clone()
            .or_else(|| arn.as_deref().and_then(region_in).map(str::to_owned))
            .unwrap_or_else(|| REGION.to_owned());
        let names: Vec<String> = match job.extra.get("containers").map(|c| c.to_value()) {
            Some(serde_json::Value::Array(containers)) => containers
                .iter()
                .filter_map(|container| container.get("name")?.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        };
        let arn = arn.unwrap_or_else(|| job.id.as_str().to_owned());
        if names.is_empty() {
            let task = job.id.as_str().to_owned();
            let log = TaskLog { task, arn, cluster, tail: TASK_TAIL, most: false };
            return vec![self.task_logs(log)];
        }
        let request = |name: &String| {
            let (offset, way) = match self.stores.get(&stream(job.id.as_str(), name)) {
                Some(cursor) if from == LogFrom::Known => cursor.next(),
                _ => (0, Way::All),
            };
            self.container_logs(ContainerLog {
                task: job.id.as_str().to_owned(),
                container: name.clone(),
                cluster: cluster.clone(),
                region: region.clone(),
                arn: arn.clone(),
                alone: names.len() == 1,
                offset,
                way,
                limit: LOG_PAGE,
                most: false,
            })
        };
        names.iter().map(request).collect()
    }

    fn container_logs(&self, log: ContainerLog) -> FetchRequest {
        let path = ["api", "tasks", &log.task, "containers", &log.container, "logs"];
        let (limit, offset) = (log.limit.to_string(), log.offset.to_string());
        let query = [
            ("cluster", log.cluster.as_str()),
            ("region", &log.region),
            ("limit", &limit),
            ("offset", &offset),
        ];
        let ask = Ask::new(None, Call::Logs(log.clone()));
        self.endpoint.request_on(&self.admin, ask, Method::Get, &path, &query, None)
    }

    pub(super) fn task_logs(&self, log: TaskLog) -> FetchRequest {
        let body = json!({
            "cluster": log.cluster,
            "taskArn": log.arn,
            "timestamps": true,
            "tail": log.tail,
        });
        let ask = Ask::new(None, Call::TaskLogs(log));
        let path = ["v1", "GetTaskLogs"];
        self.endpoint.request_on(&self.admin, ask, Method::Post, &path, &[], Some(body.to_string()))
    }

    /// The same with fewer lines, after an answer that was too large: a quarter of them, and of the
    /// newest never more again.
    pub(super) fn fewer_lines(&self, call: &Call) -> Option<FetchRequest> {
        let fewer = |asked: u64| Some(asked / 4).filter(|fewer| *fewer > 0);
        match call {
            Call::Logs(log) => {
                let limit = fewer(log.limit)?;
                Some(self.container_logs(ContainerLog { limit, most: true, ..log.clone() }))
            }
            Call::TaskLogs(log) => {
                let tail = fewer(log.tail)?;
                Some(self.task_logs(TaskLog { tail, most: true, ..log.clone() }))
            }
            _ => None,
        }
    }

    /// The newest lines of all containers of a task.
    pub(super) fn task_logs_read(&mut self, log: &TaskLog, fields: &Fields<'_>) -> Vec<Incoming> {
        let mut lines = LogLines::new();
        let mut page = Page::default();
        for raw in fields.array("logs") {
            let Some(mut entry) = logs::entry(raw, fields) else { continue };
            let container = Fields::of(raw).and_then(|row| row.text("container"));
            entry.origin = container.filter(|name| !name.is_empty()).or(entry.origin);
            page.prints.push(print(None, &entry.line()));
            lines.push(entry.line());
        }
        let time = |at: usize| lines.get(at).and_then(|line| line.at);
        page.times = time(0).zip(lines.len().checked_sub(1).and_then(time));
        let most = if log.most { log.tail } else { LONGEST_TAIL };
        let (mut all, more) = self.newest(&log.task, "", lines, &page, (log.tail, most));
        if more {
            let tail = (log.tail * MORE).min(LONGEST_TAIL);
            let more = TaskLog { tail, most: false, ..log.clone() };
            all.push(Incoming::Follow(self.task_logs(more)));
        }
        all
    }

    /// A page of a container's log.
    pub(super) fn logs_read(&mut self, log: &ContainerLog, fields: &Fields<'_>) -> Vec<Incoming> {
        let ContainerLog { task: id, container, .. } = log;
        let (offset, way, asked, fewer) = (log.offset, log.way, log.limit, log.most);
        let rows = fields.array("logs");
        let end = offset + rows.len() as u64;
        let total = fields.whole::<i64>("totalCount").and_then(|n| u64::try_from(n).ok());
        let entries: Vec<_> = rows
            .into_iter()
            .zip(offset..)
            .filter_map(|(raw, position)| Some((logs::entry(raw, fields)?, position)))
            .collect();
        let named = entries.iter().any(|(entry, _)| entry.id.is_some());
        let stream = stream(id, container);
        let mut page = Page { offset, total, ..Page::default() };
        for (entry, _) in &entries {
            page.prints.push(print(entry.id.as_deref(), &entry.line()));
        }
        let time = |at: Option<usize>| at.and_then(|at| entries.get(at)).and_then(|(e, _)| e.at);
        page.times = time(Some(0)).zip(time(entries.len().checked_sub(1)));
        // A server without a store counts what it gives.
        let shorter = offset > 0 && entries.is_empty();
        if !shorter && total.is_some_and(|total| total < end || (total == end && !named)) {
            if offset > 0 && total >= Some(offset) {
                // All that is stored is known, and the container only repeats it.
                return vec![Incoming::LogPart(LogPart::default())];
            }
            let lines = entries.iter().map(|(entry, _)| entry.line()).collect();
            let most = if fewer { asked } else { LONGEST_TAIL };
            let (mut all, more) = self.newest(id, container, lines, &page, (asked, most));
            if more {
                let limit = (asked * MORE).min(LONGEST_TAIL);
                let more = ContainerLog { limit, most: false, ..log.clone() };
                all.push(Incoming::Follow(self.container_logs(more)));
            }
            return all;
        }
        // A line told as part of a tail comes again from the store, and one told over the socket
        // has another id there: by time and text they are the same, by the store's id they would be
        // others. Only several containers may write the same at one moment.
        let plain = log.alone || self.tails.get(&stream).is_some();
        let mut lines = LogLines::new();
        for (entry, position) in &entries {
            if plain {
                lines.push(LogLine { id: None, ..entry.line() });
                continue;
            }
            let own = format!("{container}#{position}");
            lines.push(LogLine { id: entry.id.as_deref().or(Some(&own)), ..entry.line() });
        }
        let limit = fields.whole::<i64>("limit").and_then(|n| u64::try_from(n).ok());
        let full = end - offset >= limit.filter(|n| *n > 0).unwrap_or(LOG_PAGE);
        let more = end > offset && total.map_or(full, |total| end < total);
        let cursor = self.stores.of(&stream);
        let found = cursor.read(way, &page);
        let gap = if found == Found::Joined && !more { cursor.over() } else { None };
        lines.set_gap(gap);
        if way == Way::Next {
            lines = lines.going_on();
        }
        let mut all = if found == Found::Joined { log_update(id, lines) } else { Vec::new() };
        let left = total.map_or(0, |total| total.saturating_sub(end));
        let mut part = LogPart { left, held_back: None };
        let next = match found {
            Found::Elsewhere(offset, way) => Some((offset, way)),
            Found::Joined if more => Some((end, Way::Next)),
            Found::Joined => None,
            Found::Again => {
                let words = "The server gives the same lines whichever are asked for.";
                part.held_back = Some(words.to_owned());
                None
            }
        };
        all.push(Incoming::LogPart(part));
        if let Some((offset, way)) = next {
            let limit = if fewer { asked } else { LOG_PAGE };
            let next = ContainerLog { offset, way, limit, ..log.clone() };
            all.push(Incoming::Follow(self.container_logs(next)));
        }
        all
    }

    /// Takes the newest lines of a container in, or of a task, of so many that were asked for and so
    /// many that may be; answers what they mean, and whether more are needed.
    fn newest(
        &mut self,
        task: &str,
        container: &str,
        mut lines: LogLines,
        page: &Page,
        (asked, most): (u64, u64),
    ) -> (Vec<Incoming>, bool) {
        let full = page.prints.len() as u64 >= asked;
        let newest = self.tails.of(&stream(task, container));
        let joined = newest.read(page, full, asked < most);
        let words = "The server gives only the newest lines while the task runs.";
        let held_back = newest.short.then(|| words.to_owned());
        let part = Incoming::LogPart(LogPart { left: 0, held_back });
        if joined == Joined::Ask {
            // What comes then holds these.
            return (vec![part], true);
        }
        if let Joined::Gap(gap) = joined {
            lines.set_gap(gap);
        }
        let mut all = log_update(task, lines);
        all.push(part);
        (all, false)
    }
}

impl ContainerLog {
    /// The newest lines of all containers of the same task.
    pub(super) fn whole_task(&self, tail: u64) -> TaskLog {
        TaskLog {
            task: self.task.clone(),
            arn: self.arn.clone(),
            cluster: self.cluster.clone(),
            tail,
            most: false,
        }
    }
}

/// The name under which a container's log is remembered.
fn stream(task: &str, container: &str) -> String {
    format!("{task}/{container}")
}

fn log_update(job: &str, lines: LogLines) -> Vec<Incoming> {
    if lines.is_empty() && lines.gap().is_none() {
        return Vec::new();
    }
    vec![Incoming::Update(Update::Log { job: job.into(), lines })]
}
