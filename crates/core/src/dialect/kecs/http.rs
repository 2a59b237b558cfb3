//! The ECS API (`POST /v1/<Action>`) and the admin API's logs.

use serde_json::json;
use serde_json::value::RawValue;

use super::task::{self, Told, last_segment};
use super::{Kecs, ending, logs};
use crate::dialect::answer::{self, accepted, body, failed, misshapen, refused};
use crate::dialect::{Action, ActionKind, Ask, FetchRequest, FetchResponse, Incoming, Method};
use crate::log::{LogLine, LogLines};
use crate::model::{Job, JobId, JobState, QueuePatch, Topic, Update};
use crate::wire::fields::Fields;
use crate::wire::json;

/// DescribeTasks takes at most this many tasks.
const BATCH: usize = 100;
/// At most this many pages of one list are followed, so that a list without end stays bounded.
const PAGES: u32 = 50;
/// Log lines asked for at once.
const LOG_PAGE: u64 = 500;
/// Pages of one container's log that are followed at one look; the next look goes on from there.
const LOG_PAGES: u32 = 20;
/// The region of a KECS installation that names none.
const REGION: &str = "us-east-1";

impl Kecs {
    pub(super) fn requests(&self, topic: &Topic) -> Vec<FetchRequest> {
        match topic {
            Topic::Job(id) => {
                let id = last_segment(id.as_str()).to_owned();
                match self.cluster_of_topic(topic) {
                    Some(cluster) => vec![self.describe_in("find-known", topic, &id, &[cluster])],
                    None => vec![self.search(topic, id)],
                }
            }
            Topic::Everything => match &self.cluster {
                Some(cluster) => self.cluster_lists(topic, cluster),
                None => vec![self.call(topic, "clusters", "ListClusters", Vec::new(), json!({}))],
            },
            Topic::Queue(name) if self.cluster.as_ref() == Some(name) => {
                self.cluster_lists(topic, name)
            }
            Topic::Queue(name) => {
                let args = vec![name.clone()];
                vec![self.call(topic, "clusters-or-service", "ListClusters", args, json!({}))]
            }
            Topic::User(_) => Vec::new(),
        }
    }

    fn cluster_of_topic(&self, topic: &Topic) -> Option<String> {
        match topic {
            Topic::Job(id) => self.cluster_of(id.as_str()),
            _ => None,
        }
    }

    fn call(
        &self,
        topic: &Topic,
        call: &'static str,
        action: &str,
        args: Vec<String>,
        body: serde_json::Value,
    ) -> FetchRequest {
        let ask = Ask { topic: Some(topic.clone()), call, args };
        self.endpoint.request(ask, Method::Post, &["v1", action], &[], Some(body.to_string()))
    }

    /// Begins to look for a task in every cluster there is.
    fn search(&self, topic: &Topic, id: String) -> FetchRequest {
        self.call(topic, "clusters-of-task", "ListClusters", vec![id], json!({}))
    }

    /// Looks for a task in the first of `clusters`: `find` goes on with the rest, `find-known`
    /// with a search where there is no such cluster.
    fn describe_in(
        &self,
        call: &'static str,
        topic: &Topic,
        id: &str,
        clusters: &[String],
    ) -> FetchRequest {
        let body = json!({"cluster": clusters.first(), "tasks": [id]});
        let args = std::iter::once(id.to_owned()).chain(clusters.iter().cloned()).collect();
        self.call(topic, call, "DescribeTasks", args, body)
    }

    fn cluster_lists(&self, topic: &Topic, cluster: &str) -> Vec<FetchRequest> {
        let mut all = self.task_lists(topic, cluster, None);
        let body = json!({"clusters": [cluster]});
        all.push(self.call(topic, "describe-clusters", "DescribeClusters", Vec::new(), body));
        all
    }

    /// The running and the stopped tasks, which the API lists apart.
    fn task_lists(&self, topic: &Topic, cluster: &str, service: Option<&str>) -> Vec<FetchRequest> {
        ["RUNNING", "STOPPED"]
            .iter()
            .map(|desired| self.list(topic, cluster, service.unwrap_or(""), desired, None, 1))
            .collect()
    }

    fn list(
        &self,
        topic: &Topic,
        cluster: &str,
        service: &str,
        desired: &str,
        token: Option<&str>,
        page: u32,
    ) -> FetchRequest {
        let mut body = json!({"cluster": cluster, "desiredStatus": desired});
        if !service.is_empty() {
            body["serviceName"] = json!(service);
        }
        if let Some(token) = token {
            body["nextToken"] = json!(token);
        }
        let args = vec![cluster.into(), service.into(), desired.into(), page.to_string()];
        self.call(topic, "list", "ListTasks", args, body)
    }

    pub(super) fn stop(&self, job: &Job) -> Option<Action> {
        if job.state.terminal() || matches!(job.state, JobState::Unknown(_)) {
            return None;
        }
        let id = job.id.as_str();
        let cluster = job.queue.clone().or_else(|| self.cluster_of(id));
        let body = json!({
            "cluster": cluster.unwrap_or_else(|| "default".to_owned()),
            "task": id,
            "reason": ending::OURS,
        });
        let ask = Ask { topic: None, call: "stop", args: vec![id.to_owned()] };
        let request = self.endpoint.request(
            ask,
            Method::Post,
            &["v1", "StopTask"],
            &[],
            Some(body.to_string()),
        );
        Some(Action { kind: ActionKind::Cancel, request })
    }

    pub(super) fn log_requests(&self, job: &Job, offset: u64) -> Vec<FetchRequest> {
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
            .or_else(|| arn.as_deref().and_then(task::region_in).map(str::to_owned))
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
            return vec![self.task_logs(job.id.as_str(), &arn, &cluster)];
        }
        // Positions count within one container, so several are read from their beginnings.
        let alone = names.len() == 1;
        names
            .iter()
            .map(|name| {
                let offset = if alone { offset } else { 0 };
                let args = vec![
                    job.id.as_str().to_owned(),
                    name.clone(),
                    offset.to_string(),
                    cluster.clone(),
                    region.clone(),
                    if alone { "alone".to_owned() } else { String::new() },
                    "1".to_owned(),
                    arn.clone(),
                ];
                self.container_logs(args)
            })
            .collect()
    }

    /// `args`: task, container, offset, cluster, region, `alone` or empty, page, ARN.
    fn container_logs(&self, args: Vec<String>) -> FetchRequest {
        let arg = |n: usize| args.get(n).map(String::as_str).unwrap_or_default();
        let limit = LOG_PAGE.to_string();
        let path = ["api", "tasks", arg(0), "containers", arg(1), "logs"];
        let query = [
            ("cluster", arg(3)),
            ("region", arg(4)),
            ("limit", limit.as_str()),
            ("offset", arg(2)),
        ];
        let ask = Ask { topic: None, call: "logs", args: args.clone() };
        self.endpoint.request_on(&self.admin, ask, Method::Get, &path, &query, None)
    }

    fn task_logs(&self, id: &str, arn: &str, cluster: &str) -> FetchRequest {
        let body = json!({"cluster": cluster, "taskArn": arn, "timestamps": true, "tail": 1000});
        let ask = Ask { topic: None, call: "task-logs", args: vec![id.to_owned()] };
        let path = ["v1", "GetTaskLogs"];
        self.endpoint.request_on(&self.admin, ask, Method::Post, &path, &[], Some(body.to_string()))
    }

    pub(super) fn read_answer(&mut self, ask: &Ask, response: &FetchResponse) -> Vec<Incoming> {
        let arg = |n: usize| ask.args.get(n).map(String::as_str).unwrap_or_default();
        if matches!(response.status, 401 | 403) {
            return vec![refused(response)];
        }
        if !accepted(response) {
            return match (ask.call, &ask.topic) {
                // What was known of the cluster is no longer true; the task may be in another.
                ("find-known", Some(topic)) if names_no_cluster(response) => {
                    self.clusters.forget(arg(0));
                    vec![Incoming::Follow(self.search(topic, arg(0).to_owned()))]
                }
                // Removed since the clusters were listed, and its tasks with it.
                ("find", Some(topic)) if names_no_cluster(response) => {
                    vec![self.go_on(topic, &ask.args)]
                }
                // The outcome is then told by what the task says alone, and not asked for again.
                ("definition", _) => {
                    self.definitions.remember(arg(0).into(), Vec::new());
                    self.described_as_said(arg(1))
                }
                // Servers before the admin API, or without a log store, answer one call only.
                ("logs", _) if arg(2) == "0" => {
                    let other = self.task_logs(arg(0), arg(7), arg(3));
                    vec![failed(ask, response), Incoming::Follow(other)]
                }
                _ => vec![failed(ask, response)],
            };
        }
        let text = body(response);
        let Some(fields) = Fields::parse(text.trim()) else {
            return vec![misshapen(ask, response)];
        };
        match (ask.call, &ask.topic) {
            ("clusters", Some(topic)) => names(&fields)
                .iter()
                .flat_map(|c| self.cluster_lists(topic, c))
                .map(Incoming::Follow)
                .collect(),
            ("clusters-or-service", Some(topic)) => {
                let clusters = names(&fields);
                if clusters.iter().any(|cluster| cluster == arg(0)) {
                    return self
                        .cluster_lists(topic, arg(0))
                        .into_iter()
                        .map(Incoming::Follow)
                        .collect();
                }
                let clusters = self.cluster.clone().map_or(clusters, |only| vec![only]);
                clusters
                    .iter()
                    .flat_map(|cluster| self.task_lists(topic, cluster, Some(arg(0))))
                    .map(Incoming::Follow)
                    .collect()
            }
            ("clusters-of-task", Some(topic)) => {
                let mut args = vec![arg(0).to_owned(), String::new()];
                let ours = |name: &String| self.cluster.as_ref().is_none_or(|only| only == name);
                args.extend(names(&fields).into_iter().filter(ours));
                vec![self.go_on(topic, &args)]
            }
            ("find" | "find-known", Some(topic)) => {
                let tasks = self.described(Some(topic), &fields);
                let missing = matches!(tasks.as_slice(), [] | [Incoming::Update(Update::Gone(_))]);
                if missing { vec![self.go_on(topic, &ask.args)] } else { tasks }
            }
            ("list", Some(topic)) => self.listed(topic, &ask.args, &fields),
            ("describe", _) => self.described(ask.topic.as_ref(), &fields),
            ("definition", _) => {
                let definition = fields.object("taskDefinition").unwrap_or_default();
                let essential = |row: &Fields<'_>| {
                    // What is not said to be optional is essential.
                    Some((row.string("name")?, row.flag("essential").unwrap_or(true)))
                };
                let rows = definition.rows("containerDefinitions");
                let all = rows.iter().filter_map(essential).collect();
                self.definitions.remember(arg(0).into(), all);
                self.described_as_said(arg(1))
            }
            ("describe-clusters", _) => fields
                .rows("clusters")
                .into_iter()
                .filter_map(|cluster| {
                    let name = cluster.string("clusterName").or_else(|| {
                        cluster.string("clusterArn").map(|arn| last_segment(&arn).to_owned())
                    })?;
                    Some(Incoming::Update(Update::Queue(QueuePatch {
                        name,
                        active: cluster.whole("runningTasksCount"),
                        waiting: cluster.whole("pendingTasksCount"),
                        ..QueuePatch::default()
                    })))
                })
                .collect(),
            ("stop", _) => {
                self.stopped.remember(arg(0).into(), ());
                let account =
                    fields.object("task").and_then(|task| self.pushed(&task, Some(arg(0))));
                let mut all = account.map(|account| self.task_told(account)).unwrap_or_default();
                let stale = Incoming::Stale(Topic::Job(arg(0).into()));
                if !all.contains(&stale) {
                    all.push(stale);
                }
                all
            }
            ("logs", _) => self.logs_read(ask, &fields),
            ("task-logs", _) => {
                let lines = fields
                    .array("logs")
                    .into_iter()
                    .filter_map(|raw| {
                        let mut entry = logs::entry(raw, &fields)?;
                        let container = Fields::of(raw)?.text("container");
                        entry.origin = container.filter(|name| !name.is_empty()).or(entry.origin);
                        Some(entry)
                    })
                    .fold(LogLines::new(), |mut lines, entry| {
                        lines.push(entry.line());
                        lines
                    });
                log_update(arg(0), lines)
            }
            _ => Vec::new(),
        }
    }

    /// The task was not in the first of the clusters in `args` (task, clusters): looks in the next,
    /// and after the last it is gone.
    fn go_on(&self, topic: &Topic, args: &[String]) -> Incoming {
        let id = args.first().map(String::as_str).unwrap_or_default();
        match args.get(2..) {
            Some(rest @ [_, ..]) => Incoming::Follow(self.describe_in("find", topic, id, rest)),
            _ => Incoming::Update(Update::Gone(id.into())),
        }
    }

    fn listed(&mut self, topic: &Topic, args: &[String], fields: &Fields<'_>) -> Vec<Incoming> {
        let [cluster, service, desired, page] = args else { return Vec::new() };
        let arns: Vec<String> =
            fields.array("taskArns").into_iter().filter_map(json::id_of).collect();
        if !service.is_empty() {
            for arn in &arns {
                self.services.remember(last_segment(arn).into(), service.clone());
            }
        }
        let open: Vec<&String> =
            arns.iter().filter(|arn| !self.ended.contains(last_segment(arn))).collect();
        let mut all: Vec<Incoming> = open
            .chunks(BATCH)
            .map(|batch| {
                let body = json!({"cluster": cluster, "tasks": batch});
                let args = vec![cluster.clone()];
                Incoming::Follow(self.call(topic, "describe", "DescribeTasks", args, body))
            })
            .collect();
        // A full page promises another, which may be empty.
        let page: u32 = page.parse().unwrap_or(PAGES);
        if let (Some(token), false, true) =
            (fields.string("nextToken"), arns.is_empty(), page < PAGES)
        {
            let next = self.list(topic, cluster, service, desired, Some(&token), page + 1);
            all.push(Incoming::Follow(next));
        }
        all
    }

    fn described(&mut self, topic: Option<&Topic>, fields: &Fields<'_>) -> Vec<Incoming> {
        let mut all = Vec::new();
        for raw in fields.array("tasks") {
            let Some(task) = Fields::of(raw) else { continue };
            let stopped = task.text("lastStatus").is_some_and(|status| status == "STOPPED");
            let definition = task.string("taskDefinitionArn").filter(|_| stopped);
            // Which container matters is asked once for each definition, where they disagree.
            if let Some(arn) = definition.filter(|arn| !self.definitions.contains(arn))
                && let Some(topic) = topic
                && ending::needs_definition(&task)
            {
                let args = vec![arn.clone(), raw.get().to_owned()];
                let body = json!({"taskDefinition": arn});
                let action = "DescribeTaskDefinition";
                all.push(Incoming::Follow(self.call(topic, "definition", action, args, body)));
                continue;
            }
            all.extend(self.described_one(&task));
        }
        for failure in fields.array("failures") {
            let Some(fields) = Fields::of(failure) else { continue };
            let arn = fields.string("arn").unwrap_or_default();
            if fields.text("reason").is_some_and(|reason| reason == "MISSING") && !arn.is_empty() {
                all.push(Incoming::Update(Update::Gone(last_segment(&arn).into())));
            } else {
                all.push(answer::odd("http-error", "A task cannot be described.", failure.get()));
            }
        }
        all
    }

    fn described_as_said(&mut self, task: &str) -> Vec<Incoming> {
        Fields::parse(task).map(|task| self.described_one(&task)).unwrap_or_default()
    }

    fn described_one(&mut self, task: &Fields<'_>) -> Vec<Incoming> {
        let beside = self.beside(task, None);
        let Some(account) = task::task(task, None, Told::Described, beside) else {
            return Vec::new();
        };
        if let Some(id) = &account.patch.id
            && account.patch.state.as_ref().is_some_and(JobState::terminal)
        {
            self.ended.remember(id.clone(), ());
        }
        self.task_told(account)
    }

    /// A page of a container's log.
    ///
    /// The server has the lines of tasks that ended in a store. Of others it gives the newest lines
    /// of the container itself, whatever the offset: they have no id and no place in the log, and
    /// no page follows them. The store's count tells which of the two it is.
    fn logs_read(&mut self, ask: &Ask, fields: &Fields<'_>) -> Vec<Incoming> {
        let [id, container, offset, _, _, alone, page, _] = ask.args.as_slice() else {
            return Vec::new();
        };
        let offset: u64 = offset.parse().unwrap_or(0);
        let rows = fields.array("logs");
        let end = offset + rows.len() as u64;
        let total = fields.whole::<i64>("totalCount").and_then(|n| u64::try_from(n).ok());
        let entries: Vec<_> = rows
            .into_iter()
            .zip(offset..)
            .filter_map(|(raw, position)| Some((logs::entry(raw, fields)?, position)))
            .collect();
        let named = entries.iter().any(|(entry, _)| entry.id.is_some());
        // A server without a store counts what it gives.
        let tail = total.is_some_and(|total| total < end || (total == end && !named));
        let stream: JobId = format!("{id}/{container}").into();
        if tail {
            if offset > 0 && total >= Some(offset) {
                // All that is stored is known, and the container only repeats it.
                return Vec::new();
            }
            self.tails.remember(stream, ());
            let lines = entries.iter().map(|(entry, _)| entry.line()).collect();
            return log_update(id, lines);
        }
        // A line told as part of a tail comes again from the store: by time and text it is the
        // same, by the store's id it would be another.
        let plain = self.tails.contains(stream.as_str());
        let mut lines = LogLines::new();
        for (entry, position) in &entries {
            if plain {
                lines.push(LogLine { id: None, ..entry.line() });
                continue;
            }
            // A task's only container tells its lines apart by their position: the store's ids are
            // not those of the socket, by which the same lines would be others.
            if !alone.is_empty() {
                lines.push(LogLine { position: Some(*position), id: None, ..entry.line() });
                continue;
            }
            // Without the server's id, container and position tell lines apart.
            let own = format!("{container}#{position}");
            lines.push(LogLine { id: entry.id.as_deref().or(Some(&own)), ..entry.line() });
        }
        let mut all = log_update(id, lines);
        let limit = fields.whole::<i64>("limit").and_then(|n| u64::try_from(n).ok());
        let full = end - offset >= limit.filter(|n| *n > 0).unwrap_or(LOG_PAGE);
        let page: u32 = page.parse().unwrap_or(LOG_PAGES);
        if full && end > offset && total.is_none_or(|total| end < total) && page < LOG_PAGES {
            let mut args = ask.args.clone();
            args[2] = end.to_string();
            args[6] = (page + 1).to_string();
            all.push(Incoming::Follow(self.container_logs(args)));
        }
        all
    }
}

/// Whether the server says that there is no such cluster, as KECS or as ECS words it.
fn names_no_cluster(response: &FetchResponse) -> bool {
    let text = body(response);
    let Some(fields) = Fields::parse(text.trim()) else { return false };
    let said = |name: &str, words: &str| {
        fields.text(name).is_some_and(|text| text.to_ascii_lowercase().contains(words))
    };
    said("message", "cluster not found") || said("__type", "clusternotfound")
}

/// The names in `clusterArns`.
fn names(fields: &Fields<'_>) -> Vec<String> {
    let arns: Vec<&RawValue> = fields.array("clusterArns");
    arns.into_iter().filter_map(json::id_of).map(|arn| last_segment(&arn).to_owned()).collect()
}

fn log_update(job: &str, lines: LogLines) -> Vec<Incoming> {
    if lines.is_empty() {
        return Vec::new();
    }
    vec![Incoming::Update(Update::Log { job: job.into(), lines })]
}
