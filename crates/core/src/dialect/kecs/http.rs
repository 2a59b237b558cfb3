//! The ECS API (`POST /v1/<Action>`) and the admin API's logs.

use serde_json::json;
use serde_json::value::RawValue;

use super::call::{Call, ClusterSearch, TaskList, TaskSearch};
use super::stored::TASK_TAIL;
use super::task::{self, Told, last_segment};
use super::{Kecs, ending};
use crate::dialect::answer::{self, accepted, body, failed, misshapen, refused};
use crate::dialect::oversized::grouped;
use crate::dialect::{Ask, FetchRequest, FetchResponse, Incoming, Method, Oversized};
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
                    Some(cluster) => {
                        let search = TaskSearch { task: id, clusters: vec![cluster] };
                        vec![self.find(topic, Call::FindKnown(search))]
                    }
                    None => vec![self.search(topic, &id)],
                }
            }
            Topic::Everything => match &self.cluster {
                Some(cluster) => self.cluster_lists(topic, cluster),
                None => vec![self.clusters(topic, Call::Clusters(None), None)],
            },
            Topic::Queue(name) if self.cluster.as_ref() == Some(name) => {
                self.cluster_lists(topic, name)
            }
            Topic::Queue(name) => {
                let search = ClusterSearch::of(name);
                vec![self.clusters(topic, Call::ClustersOrService(search), None)]
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
        call: Call,
        action: &str,
        body: &serde_json::Value,
    ) -> FetchRequest {
        let ask = Ask::new(Some(topic), call);
        self.endpoint.request(ask, Method::Post, &["v1", action], &[], Some(body.to_string()))
    }

    /// A page of the list of clusters.
    fn clusters(&self, topic: &Topic, call: Call, token: Option<&str>) -> FetchRequest {
        let body = token.map_or_else(|| json!({}), |token| json!({"nextToken": token}));
        self.call(topic, call, "ListClusters", &body)
    }

    /// Begins to look for a task in every cluster there is.
    fn search(&self, topic: &Topic, id: &str) -> FetchRequest {
        self.clusters(topic, Call::ClustersOfTask(ClusterSearch::of(id)), None)
    }

    /// Looks for a task in the first of some clusters: [`Call::Find`] goes on with the rest,
    /// [`Call::FindKnown`] with a search where there is no such cluster.
    fn find(&self, topic: &Topic, call: Call) -> FetchRequest {
        let body = match &call {
            Call::Find(search) | Call::FindKnown(search) => {
                json!({"cluster": search.clusters.first(), "tasks": [search.task]})
            }
            _ => json!({}),
        };
        self.call(topic, call, "DescribeTasks", &body)
    }

    fn cluster_lists(&self, topic: &Topic, cluster: &str) -> Vec<FetchRequest> {
        let mut all = self.task_lists(topic, cluster, None);
        let body = json!({"clusters": [cluster]});
        all.push(self.call(topic, Call::DescribeClusters, "DescribeClusters", &body));
        all
    }

    /// The running and the stopped tasks, which the API lists apart.
    fn task_lists(&self, topic: &Topic, cluster: &str, service: Option<&str>) -> Vec<FetchRequest> {
        let list = |desired| {
            let (cluster, service) = (cluster.to_owned(), service.map(str::to_owned));
            self.list(topic, TaskList { cluster, service, desired, page: 1 }, None)
        };
        ["RUNNING", "STOPPED"].map(list).to_vec()
    }

    fn list(&self, topic: &Topic, list: TaskList, token: Option<&str>) -> FetchRequest {
        let mut body = json!({"cluster": list.cluster, "desiredStatus": list.desired});
        if let Some(service) = &list.service {
            body["serviceName"] = json!(service);
        }
        if let Some(token) = token {
            body["nextToken"] = json!(token);
        }
        self.call(topic, Call::List(list), "ListTasks", &body)
    }

    pub(super) fn stop(&self, job: &Job) -> FetchRequest {
        let id = job.id.as_str();
        let cluster = job.queue.clone().or_else(|| self.cluster_of(id));
        let body = json!({
            "cluster": cluster.unwrap_or_else(|| "default".to_owned()),
            "task": id,
            "reason": ending::OURS,
        });
        let ask = Ask::new(None, Call::Stop(id.to_owned()));
        let path = ["v1", "StopTask"];
        self.endpoint.request(ask, Method::Post, &path, &[], Some(body.to_string()))
    }

    pub(super) fn too_large(&self, ask: &Ask) -> Oversized {
        match (ask.of::<Call>(), &ask.topic) {
            (Some(Call::Clusters(_) | Call::List(_) | Call::DescribeClusters), _) => {
                Oversized::List
            }
            (Some(Call::Describe { cluster, tasks }), Some(topic)) if tasks.len() > 1 => {
                let parts = tasks.chunks(tasks.len().div_ceil(4));
                let describe = |part: &[String]| self.describe(topic, cluster, part);
                Oversized::Parts(parts.map(describe).collect())
            }
            (Some(call @ (Call::Logs(_) | Call::TaskLogs(_))), _) => self
                .fewer_lines(call)
                .map_or(Oversized::Useless, |fewer| Oversized::Parts(vec![fewer])),
            _ => Oversized::Useless,
        }
    }

    fn describe<T: AsRef<str>>(&self, topic: &Topic, cluster: &str, tasks: &[T]) -> FetchRequest {
        let tasks: Vec<String> = tasks.iter().map(|task| task.as_ref().to_owned()).collect();
        let body = json!({"cluster": cluster, "tasks": tasks});
        let call = Call::Describe { cluster: cluster.to_owned(), tasks };
        self.call(topic, call, "DescribeTasks", &body)
    }

    pub(super) fn read_answer(&mut self, ask: &Ask, response: &FetchResponse) -> Vec<Incoming> {
        let Some(call) = ask.of::<Call>() else { return Vec::new() };
        if matches!(response.status, 401 | 403) {
            return vec![refused(response)];
        }
        if !accepted(response) {
            return match (call, &ask.topic) {
                // What was known of the cluster is no longer true; the task may be in another.
                (Call::FindKnown(search), Some(topic)) if names_no_cluster(response) => {
                    self.clusters.forget(&search.task);
                    vec![Incoming::Follow(self.search(topic, &search.task))]
                }
                // Removed since the clusters were listed, and its tasks with it.
                (Call::Find(search), Some(topic)) if names_no_cluster(response) => {
                    vec![self.go_on(topic, &search.task, search.clusters.get(1..))]
                }
                // The outcome is then told by what the task says alone, and not asked for again.
                (Call::Definition { arn, task }, _) => {
                    self.definitions.remember(arn.as_str().into(), Vec::new());
                    self.described_as_said(task)
                }
                // Servers before the admin API, or without a log store, answer one call only.
                (Call::Logs(log), _) if log.offset == 0 => {
                    let other = self.task_logs(log.whole_task(TASK_TAIL));
                    vec![failed(ask, response), Incoming::Follow(other)]
                }
                _ => vec![failed(ask, response)],
            };
        }
        let text = body(response);
        let Some(fields) = Fields::parse(text.trim()) else {
            return vec![misshapen(ask, response)];
        };
        match (call, &ask.topic) {
            (Call::Clusters(token), Some(topic)) => {
                let lists = names(&fields);
                let lists = lists.iter().flat_map(|cluster| self.cluster_lists(topic, cluster));
                let next = match more_clusters(&fields, token.as_deref()) {
                    Clusters::All => None,
                    Clusters::Again => Some(same_clusters()),
                    Clusters::More(token) => {
                        let call = Call::Clusters(Some(token.clone()));
                        Some(Incoming::Follow(self.clusters(topic, call, Some(&token))))
                    }
                };
                lists.map(Incoming::Follow).chain(next).collect()
            }
            (Call::ClustersOrService(search), Some(topic)) => {
                if names(&fields).contains(&search.sought) {
                    let lists = self.cluster_lists(topic, &search.sought);
                    return lists.into_iter().map(Incoming::Follow).collect();
                }
                let (known, next) =
                    self.read_clusters(topic, search, &fields, Call::ClustersOrService);
                if let Some(Incoming::Follow(next)) = next {
                    return vec![Incoming::Follow(next)];
                }
                let clusters = self.cluster.clone().map_or(known, |only| vec![only]);
                clusters
                    .iter()
                    .flat_map(|cluster| self.task_lists(topic, cluster, Some(&search.sought)))
                    .map(Incoming::Follow)
                    .chain(next)
                    .collect()
            }
            (Call::ClustersOfTask(search), Some(topic)) => {
                let (mut known, next) =
                    self.read_clusters(topic, search, &fields, Call::ClustersOfTask);
                if let Some(Incoming::Follow(next)) = next {
                    return vec![Incoming::Follow(next)];
                }
                known.retain(|name| self.cluster.as_ref().is_none_or(|only| only == name));
                let found = self.go_on(topic, &search.sought, Some(&known));
                std::iter::once(found).chain(next).collect()
            }
            (Call::Find(search) | Call::FindKnown(search), Some(topic)) => {
                let tasks = self.described(Some(topic), &fields);
                let missing = matches!(tasks.as_slice(), [] | [Incoming::Update(Update::Gone(_))]);
                if !missing {
                    return tasks;
                }
                vec![self.go_on(topic, &search.task, search.clusters.get(1..))]
            }
            (Call::List(list), Some(topic)) => self.listed(topic, list, &fields),
            (Call::Describe { .. }, _) => self.described(ask.topic.as_ref(), &fields),
            (Call::Definition { arn, task }, _) => {
                let definition = fields.object("taskDefinition").unwrap_or_default();
                let essential = |row: &Fields<'_>| {
                    // What is not said to be optional is essential.
                    Some((row.string("name")?, row.flag("essential").unwrap_or(true)))
                };
                let rows = definition.rows("containerDefinitions");
                let all = rows.iter().filter_map(essential).collect();
                self.definitions.remember(arn.as_str().into(), all);
                self.described_as_said(task)
            }
            (Call::DescribeClusters, _) => fields
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
            (Call::Stop(id), _) => {
                self.stopped.remember(id.as_str().into(), ());
                let account = fields.object("task").and_then(|task| self.pushed(&task, Some(id)));
                let mut all = account.map(|account| self.task_told(account)).unwrap_or_default();
                let stale = Incoming::Stale(Topic::Job(id.as_str().into()));
                if !all.contains(&stale) {
                    all.push(stale);
                }
                all
            }
            (Call::Logs(log), _) => self.logs_read(log, &fields),
            (Call::TaskLogs(log), _) => self.task_logs_read(log, &fields),
            _ => Vec::new(),
        }
    }

    /// The clusters that a search knows by now, after a page of them, and the call for the next page,
    /// or that there is none though there should be.
    fn read_clusters(
        &self,
        topic: &Topic,
        search: &ClusterSearch,
        fields: &Fields<'_>,
        call: fn(ClusterSearch) -> Call,
    ) -> (Vec<String>, Option<Incoming>) {
        let mut known = search.known.clone();
        known.extend(names(fields));
        let next = match more_clusters(fields, search.token.as_deref()) {
            Clusters::All => None,
            Clusters::Again => Some(same_clusters()),
            Clusters::More(token) => {
                let call = call(ClusterSearch {
                    sought: search.sought.clone(),
                    token: Some(token.clone()),
                    known: known.clone(),
                });
                Some(Incoming::Follow(self.clusters(topic, call, Some(&token))))
            }
        };
        (known, next)
    }

    /// A task was not where it was looked for: looks in the other clusters, and after the last it is
    /// gone.
    fn go_on(&self, topic: &Topic, id: &str, others: Option<&[String]>) -> Incoming {
        match others {
            Some(rest @ [_, ..]) => {
                let search = TaskSearch { task: id.to_owned(), clusters: rest.to_vec() };
                Incoming::Follow(self.find(topic, Call::Find(search)))
            }
            _ => Incoming::Update(Update::Gone(id.into())),
        }
    }

    fn listed(&mut self, topic: &Topic, list: &TaskList, fields: &Fields<'_>) -> Vec<Incoming> {
        let TaskList { cluster, service, desired, page } = list;
        let arns: Vec<String> =
            fields.array("taskArns").into_iter().filter_map(json::id_of).collect();
        if let Some(service) = service {
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
        if let (Some(token), false) = (fields.string("nextToken"), arns.is_empty()) {
            all.push(if *page < PAGES {
                let next = TaskList { page: page + 1, ..list.clone() };
                Incoming::Follow(self.list(topic, next, Some(&token)))
            } else {
                // The stopped ones that are not listed have stopped before, or are asked for one by
                // one.
                let open = *desired != "STOPPED";
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
                let body = json!({"taskDefinition": arn});
                let call = Call::Definition { arn, task: raw.get().to_owned() };
                let request = self.call(topic, call, "DescribeTaskDefinition", &body);
                all.push(Incoming::Follow(request));
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

impl ClusterSearch {
    /// The beginning of a search.
    fn of(sought: &str) -> ClusterSearch {
        ClusterSearch { sought: sought.to_owned(), token: None, known: Vec::new() }
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
fn more_clusters(fields: &Fields<'_>, page: Option<&str>) -> Clusters {
    match fields.string("nextToken").filter(|token| !token.is_empty()) {
        Some(_) if names(fields).is_empty() => Clusters::All,
        // It would give the same clusters for ever.
        Some(token) if page == Some(&*token) => Clusters::Again,
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
