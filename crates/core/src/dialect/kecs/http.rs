//! The ECS API (`POST /v1/<Action>`) and the admin API's logs.

use serde_json::json;
use serde_json::value::RawValue;

use super::stored::TASK_TAIL;
use super::task::{self, Told, last_segment};
use super::{Kecs, ending};
use crate::dialect::answer::{self, accepted, body, failed, misshapen, refused};
use crate::dialect::oversized::grouped;
use crate::dialect::{
    Action, ActionKind, Ask, FetchRequest, FetchResponse, Incoming, Method, Oversized,
};
use crate::model::{Job, JobState, QueuePatch, Topic, Update};
use crate::wire::fields::Fields;
use crate::wire::json;

/// DescribeTasks takes at most this many tasks.
const BATCH: usize = 100;
/// At most this many pages of one list are followed, so that a list without end stays bounded.
const PAGES: u32 = 50;

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

    pub(super) fn too_large(&self, ask: &Ask) -> Oversized {
        let arg = |n: usize| ask.args.get(n).map(String::as_str).unwrap_or_default();
        match (ask.call, &ask.topic) {
            ("clusters" | "list" | "describe-clusters", _) => Oversized::List,
            ("describe", Some(topic)) if ask.args.len() > 2 => {
                let (cluster, tasks) = (arg(0), &ask.args[1..]);
                let parts = tasks.chunks(tasks.len().div_ceil(4));
                let describe = |part: &[String]| self.describe(topic, cluster, part);
                Oversized::Parts(parts.map(describe).collect())
            }
            ("logs" | "task-logs", _) => self
                .fewer_lines(ask)
                .map_or(Oversized::Useless, |fewer| Oversized::Parts(vec![fewer])),
            _ => Oversized::Useless,
        }
    }

    fn describe<T: AsRef<str>>(&self, topic: &Topic, cluster: &str, tasks: &[T]) -> FetchRequest {
        let tasks = tasks.iter().map(AsRef::as_ref);
        let body = json!({"cluster": cluster, "tasks": tasks.clone().collect::<Vec<&str>>()});
        let args = std::iter::once(cluster).chain(tasks).map(str::to_owned).collect();
        self.call(topic, "describe", "DescribeTasks", args, body)
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
                    let other = self.task_logs(arg(0), arg(7), arg(3), TASK_TAIL);
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
            ("clusters", Some(topic)) => {
                let lists = names(&fields);
                let lists = lists.iter().flat_map(|cluster| self.cluster_lists(topic, cluster));
                let next = match more_clusters(&fields, arg(0)) {
                    Clusters::All => None,
                    Clusters::Again => Some(same_clusters()),
                    Clusters::More(token) => {
                        let body = json!({"nextToken": token});
                        let args = vec![token];
                        let next = self.call(topic, "clusters", "ListClusters", args, body);
                        Some(Incoming::Follow(next))
                    }
                };
                lists.map(Incoming::Follow).chain(next).collect()
            }
            ("clusters-or-service", Some(topic)) => {
                let clusters = names(&fields);
                if clusters.iter().any(|cluster| cluster == arg(0)) {
                    return self
                        .cluster_lists(topic, arg(0))
                        .into_iter()
                        .map(Incoming::Follow)
                        .collect();
                }
                let (known, next) = self.read_clusters(topic, ask, &fields);
                if let Some(Incoming::Follow(next)) = next {
                    return vec![Incoming::Follow(next)];
                }
                let clusters = self.cluster.clone().map_or(known, |only| vec![only]);
                clusters
                    .iter()
                    .flat_map(|cluster| self.task_lists(topic, cluster, Some(arg(0))))
                    .map(Incoming::Follow)
                    .chain(next)
                    .collect()
            }
            ("clusters-of-task", Some(topic)) => {
                let (known, next) = self.read_clusters(topic, ask, &fields);
                if let Some(Incoming::Follow(next)) = next {
                    return vec![Incoming::Follow(next)];
                }
                let mut args = vec![arg(0).to_owned(), String::new()];
                let ours = |name: &String| self.cluster.as_ref().is_none_or(|only| only == name);
                args.extend(known.into_iter().filter(ours));
                std::iter::once(self.go_on(topic, &args)).chain(next).collect()
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
            ("task-logs", _) => self.task_logs_read(ask, &fields),
            _ => Vec::new(),
        }
    }

    /// The clusters that a search knows by now, after a page of them, and the call for the next page,
    /// or that there is none though there should be. `ask` names what is sought, the page, and the
    /// clusters of those before.
    fn read_clusters(
        &self,
        topic: &Topic,
        ask: &Ask,
        fields: &Fields<'_>,
    ) -> (Vec<String>, Option<Incoming>) {
        let mut known: Vec<String> = ask.args.iter().skip(2).cloned().collect();
        known.extend(names(fields));
        let page = ask.args.get(1).map(String::as_str).unwrap_or_default();
        let next = match more_clusters(fields, page) {
            Clusters::All => None,
            Clusters::Again => Some(same_clusters()),
            Clusters::More(token) => {
                let body = json!({"nextToken": token});
                let sought = ask.args.first().cloned().unwrap_or_default();
                let args = [sought, token].into_iter().chain(known.iter().cloned()).collect();
                Some(Incoming::Follow(self.call(topic, ask.call, "ListClusters", args, body)))
            }
        };
        (known, next)
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
            .map(|batch| Incoming::Follow(self.describe(topic, cluster, batch)))
            .collect();
        // A full page promises another, which may be empty.
        let page: u32 = page.parse().unwrap_or(PAGES);
        if let (Some(token), false) = (fields.string("nextToken"), arns.is_empty()) {
            all.push(if page < PAGES {
                let next = self.list(topic, cluster, service, desired, Some(&token), page + 1);
                Incoming::Follow(next)
            } else {
                // The stopped ones that are not listed have stopped before, or are asked for one by
                // one.
                let open = desired != "STOPPED";
                let why = open.then(|| {
                    format!(
                        "More than {} tasks are under way in the cluster {cluster}. The others are \
                         not listed until there are fewer. Watch single services to see them.",
                        grouped(PAGES as usize * BATCH)
                    )
                });
                Incoming::Partial { open, why }
            });
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
                all.push(answer::diagnostic(
                    "http-error",
                    "A task cannot be described.",
                    failure.get(),
                ));
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
}

/// What follows a page of the list of clusters.
enum Clusters {
    All,
    /// The page with this token.
    More(String),
    /// The same page as before.
    Again,
}

/// What follows a page of the list of clusters, which was asked for with this token.
fn more_clusters(fields: &Fields<'_>, page: &str) -> Clusters {
    match fields.string("nextToken").filter(|token| !token.is_empty()) {
        Some(_) if names(fields).is_empty() => Clusters::All,
        // It would give the same clusters for ever.
        Some(token) if token == page => Clusters::Again,
        Some(token) => Clusters::More(token),
        None => Clusters::All,
    }
}

fn same_clusters() -> Incoming {
    let why = "KECS gives the same page of its clusters again and again. The tasks of clusters that \
               are not on it are not listed.";
    Incoming::Partial { open: true, why: Some(why.to_owned()) }
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
