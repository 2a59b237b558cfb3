//! The calls of the ECS API and of the admin API.

use crate::dialect::DialectCall;
use crate::dialect::pages::Way;

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// A page of the clusters, whose tasks are to be listed; the token of the page, unless it is the
    /// first.
    Clusters(Option<String>),
    /// A page of the clusters, to see whether a name is one of them or a service's.
    ClustersOrService(ClusterSearch),
    /// A page of the clusters, to look for a task in each.
    ClustersOfTask(ClusterSearch),
    /// A task in the cluster that is known to have it.
    FindKnown(TaskSearch),
    /// A task in the first of some clusters.
    Find(TaskSearch),
    /// A page of the tasks of a cluster.
    List(TaskList),
    /// What some tasks are doing.
    Describe {
        /// Their cluster.
        cluster: String,
        /// Their ids or ARNs.
        tasks: Vec<String>,
    },
    /// How many tasks a cluster has.
    DescribeClusters,
    /// Which containers of a task are essential.
    Definition {
        /// The ARN of the task definition.
        arn: String,
        /// The task as it was described.
        task: String,
    },
    /// Stops a task.
    Stop(String),
    /// A page of a container's log.
    Logs(ContainerLog),
    /// The newest lines of all containers of a task.
    TaskLogs(TaskLog),
}

/// What is looked for in the list of clusters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClusterSearch {
    /// A task's id, or the name of a cluster or a service.
    pub sought: String,
    /// The token of the page, unless it is the first.
    pub token: Option<String>,
    /// The clusters on the pages before.
    pub known: Vec<String>,
}

/// A task, and the clusters in which it may be. The first is being asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskSearch {
    /// The task's id.
    pub task: String,
    /// The clusters.
    pub clusters: Vec<String>,
}

/// A page of the tasks of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskList {
    /// The cluster.
    pub cluster: String,
    /// Only those of this service.
    pub service: Option<String>,
    /// `RUNNING` or `STOPPED`.
    pub desired: &'static str,
    /// Which page, from 1.
    pub page: u32,
}

/// A page of a container's log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ContainerLog {
    /// The task's id.
    pub task: String,
    /// The container's name.
    pub container: String,
    /// The task's cluster.
    pub cluster: String,
    /// The task's region.
    pub region: String,
    /// The task's ARN.
    pub arn: String,
    /// Whether the task has no other container.
    pub alone: bool,
    /// The first line.
    pub offset: u64,
    /// What the page is for.
    pub way: Way,
    /// How many lines at most.
    pub limit: u64,
    /// Whether more lines than these were too many for one answer.
    pub most: bool,
}

/// The newest lines of all containers of a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskLog {
    /// The task's id.
    pub task: String,
    /// Its ARN.
    pub arn: String,
    /// Its cluster.
    pub cluster: String,
    /// How many lines at most.
    pub tail: u64,
    /// Whether more lines than these were too many for one answer.
    pub most: bool,
}

impl DialectCall for Call {
    fn name(&self) -> &'static str {
        match self {
            Call::Clusters(_) => "clusters",
            Call::ClustersOrService(_) => "clusters-or-service",
            Call::ClustersOfTask(_) => "clusters-of-task",
            Call::FindKnown(_) => "find-known",
            Call::Find(_) => "find",
            Call::List(_) => "list",
            Call::Describe { .. } => "describe",
            Call::DescribeClusters => "describe-clusters",
            Call::Definition { .. } => "definition",
            Call::Stop(_) => "stop",
            Call::Logs(_) => "logs",
            Call::TaskLogs(_) => "task-logs",
        }
    }
}
