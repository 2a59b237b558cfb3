//! The ECS API, and the admin server's container logs.

use hyper::Method;
use serde_json::Value;

use super::{cluster_arn, desired_status, last_status, task_arn};
use crate::json::{Obj, Raw, go_time};
use crate::protocol::{Reply, Request, Role};
use crate::world::World;
use crate::world::job::{Job, Line, State};

const AMZ_JSON: &str = "application/x-amz-json-1.1";
const TARGET: &str = "AmazonEC2ContainerServiceV20141113.";

/// Answers a request to either port. With `tails`, logs are as the shipped server has them: those of
/// a running container come from the container itself.
pub(super) fn route(world: &mut World, request: &Request, tails: bool) -> Reply {
    let segments = request.segments();
    match (request.role, &request.method, segments.as_slice()) {
        (_, &Method::GET, ["health"]) => Reply::text(200, "OK"),
        (Role::Second, &Method::GET, ["api", "instances"]) => {
            let port = |n: usize| request.ports.get(n).copied().unwrap_or_default();
            let instance = Obj::new()
                .put("name", "demo")
                .put("status", "running")
                .put("apiPort", port(0))
                .put("adminPort", port(1))
                .raw();
            Reply::json(200, Obj::new().put("instances", vec![instance]).finish())
        }
        (Role::Second, &Method::GET, ["api", "tasks", id, "containers", container, "logs"]) => {
            container_logs(world, request, id, container, tails)
        }
        (Role::Second, &Method::POST, ["v1", "GetTaskLogs"]) => {
            perform(world, "GetTaskLogs", request)
        }
        (Role::Second, ..) => Reply::text(404, "404 page not found"),
        (Role::Main, &Method::POST, ["v1", action]) => perform(world, action, request),
        (Role::Main, &Method::POST, []) => {
            match request.header("x-amz-target").and_then(|target| target.strip_prefix(TARGET)) {
                Some(action) => perform(world, action, request),
                None => failure(400, "MissingAction", "no action"),
            }
        }
        (Role::Main, ..) => failure(400, "MissingAction", "no action"),
    }
}

fn failure(status: u16, kind: &str, message: &str) -> Reply {
    let body = Obj::new().put("__type", kind).put("message", message);
    Reply { content_type: AMZ_JSON, ..Reply::json(status, body.finish()) }
}

fn success(body: Obj) -> Reply {
    Reply { content_type: AMZ_JSON, ..Reply::json(200, body.finish()) }
}

fn perform(world: &mut World, action: &str, request: &Request) -> Reply {
    let Some(body) = request.json().filter(Value::is_object) else {
        return failure(400, "InvalidParameterValue", "the body is not a JSON object");
    };
    let cluster = last(body.get("cluster").and_then(Value::as_str).unwrap_or("default")).to_owned();
    let clusters = || {
        let mut all = vec!["default".to_owned()];
        for job in world.jobs() {
            if !all.contains(&job.queue) {
                all.push(job.queue.clone());
            }
        }
        all
    };
    let known = clusters().contains(&cluster);
    let unknown = || failure(500, "InternalError", &format!("cluster not found: {cluster}"));
    let in_cluster = |job: &&Job| job.queue == cluster;
    match action {
        "ListClusters" => {
            let arns: Vec<String> = clusters().iter().map(|name| cluster_arn(name)).collect();
            success(Obj::new().put("clusterArns", arns))
        }
        "DescribeClusters" => {
            let found: Vec<Raw> = clusters()
                .iter()
                .map(|name| {
                    let count = |state| {
                        world.jobs().filter(|job| job.queue == *name && job.state == state).count()
                    };
                    Obj::new()
                        .put("clusterArn", cluster_arn(name))
                        .put("clusterName", name)
                        .put("status", "ACTIVE")
                        .put("runningTasksCount", count(State::Running))
                        .put("pendingTasksCount", count(State::Queued))
                        .raw()
                })
                .collect();
            success(Obj::new().put("clusters", found).put("failures", Vec::<Raw>::new()))
        }
        _ if !known => unknown(),
        "ListTasks" => list(world, &body, &cluster),
        "DescribeTasks" => {
            let ids = body.get("tasks").and_then(Value::as_array).cloned().unwrap_or_default();
            let (mut tasks, mut failures) = (Vec::new(), Vec::new());
            for id in ids.iter().filter_map(Value::as_str) {
                match world.find(last(id)).filter(in_cluster) {
                    Some(job) => tasks.push(task(job, world.now())),
                    None => failures.push(
                        Obj::new()
                            .put("arn", id)
                            .put("reason", "MISSING")
                            .put("detail", "Task not found")
                            .raw(),
                    ),
                }
            }
            let some = |list: Vec<Raw>| (!list.is_empty()).then_some(list);
            success(Obj::new().maybe("tasks", some(tasks)).maybe("failures", some(failures)))
        }
        "StopTask" => {
            let id = body.get("task").and_then(Value::as_str).map(last).unwrap_or_default();
            let Some(key) = world.find(id).filter(in_cluster).map(|job| job.key) else {
                return failure(500, "InternalError", &format!("task not found: {id}"));
            };
            world.cancel(key);
            let stopped = world.job(key).map(|job| task(job, world.now()));
            success(Obj::new().put("task", stopped))
        }
        "GetTaskLogs" => {
            let arn = body.get("taskArn").and_then(Value::as_str).map(last).unwrap_or_default();
            let tail = body.get("tail").and_then(Value::as_u64).unwrap_or(100);
            let lines: Vec<Raw> = world
                .find(arn)
                .into_iter()
                .flat_map(|job| job.log.lines().map(move |line| (job, line)))
                .map(|(job, line)| {
                    Obj::new()
                        .put("timestamp", go_time(line.at, 0))
                        .put("level", guessed(line))
                        .put("message", &line.text)
                        .put("container", &job.external)
                        .raw()
                })
                .collect();
            let skip = lines.len().saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX));
            let lines = (!lines.is_empty()).then(|| lines[skip..].to_vec());
            success(Obj::new().put("logs", lines))
        }
        _ => failure(400, "InvalidAction", &format!("unknown action: {action}")),
    }
}

/// Pages of 100; a full page always carries a token, even when it was the last.
fn list(world: &World, body: &Value, cluster: &str) -> Reply {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let number = |name: &str| body.get(name).and_then(Value::as_u64);
    let limit = usize::try_from(number("maxResults").unwrap_or(100)).unwrap_or(100).clamp(1, 100);
    let from: usize = text("nextToken").and_then(|token| token.parse().ok()).unwrap_or(0);
    let arns: Vec<String> = world
        .jobs()
        .filter(|job| job.queue == cluster)
        .filter(|job| text("family").is_none_or(|family| job.name == family))
        .filter(|job| text("desiredStatus").is_none_or(|word| desired_status(job) == word))
        .skip(from)
        .take(limit)
        .map(task_arn)
        .collect();
    let token = (arns.len() == limit).then(|| (from + limit).to_string());
    let some = (!arns.is_empty()).then_some(arns);
    success(Obj::new().maybe("taskArns", some).maybe("nextToken", token))
}

/// A task as DescribeTasks shows it.
pub(super) fn task(job: &Job, now: i64) -> Raw {
    let done = job.state.terminal();
    // An exit code of 0 is left out.
    let code = match job.state {
        State::Failed => Some(1),
        State::Cancelled => Some(143),
        _ => None,
    };
    let failure = job.failure.as_ref().filter(|_| job.state == State::Failed);
    let reason = match job.state {
        State::Completed => Some("Completed"),
        _ => failure.map(|failure| failure.text.as_str()),
    };
    let stop = match job.state {
        State::Cancelled => Some(("UserInitiated", "Task stopped by user")),
        State::Completed | State::Failed => {
            Some(("EssentialContainerExited", "Essential container in task exited"))
        }
        _ => None,
    };
    let container = Obj::new()
        .put("name", &job.external)
        .put("lastStatus", last_status(job, now))
        .maybe("exitCode", code)
        .maybe("reason", reason)
        .put("image", format!("registry.example/{}:{}", job.name, job.salt(12) % 40 + 1))
        .raw();
    let time = |ms: i64| go_time(ms, job.salt(13));
    Obj::new()
        .put("taskArn", task_arn(job))
        .put("clusterArn", cluster_arn(&job.queue))
        .put(
            "taskDefinitionArn",
            format!("arn:aws:ecs:us-east-1:000000000000:task-definition/{}:7", job.name),
        )
        .put("lastStatus", last_status(job, now))
        .put("desiredStatus", desired_status(job))
        .put("launchType", "FARGATE")
        .put("version", job.log.written() + 1)
        .put("cpu", "256")
        .put("memory", "512")
        .put("createdAt", time(job.created))
        .put("enableExecuteCommand", false)
        .maybe("startedAt", job.started.map(time))
        .maybe("stoppingAt", job.finished.filter(|_| done).map(time))
        .maybe("stoppedAt", job.finished.filter(|_| done).map(time))
        .maybe("stopCode", stop.map(|(code, _)| code))
        .maybe("stoppedReason", stop.map(|(_, reason)| reason))
        .put("startedBy", "demo")
        .put("group", format!("family:{}", job.name))
        .put("containers", [container])
        .raw()
}

/// The stored lines of a container. A tail is the newest lines, whatever the offset, without ids
/// and uncounted.
fn container_logs(
    world: &World,
    request: &Request,
    id: &str,
    container: &str,
    tails: bool,
) -> Reply {
    if request.param("cluster").is_none() || request.param("region").is_none() {
        return Reply::text(400, "cluster and region are required");
    }
    let number = |name: &str, default: usize| {
        request.param(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (limit, offset) = (number("limit", 100), number("offset", 0));
    let job = world.find(id).filter(|job| job.external == container);
    let chosen: Vec<(&Job, &Line)> = job
        .into_iter()
        .flat_map(|job| job.log.lines().map(move |line| (job, line)))
        .filter(|(_, line)| {
            request.param("level").is_none_or(|level| guessed(line).eq_ignore_ascii_case(level))
                && request.param("search").is_none_or(|search| line.text.contains(search))
        })
        .collect();
    let tail = tails && job.is_some_and(|job| !job.state.terminal());
    let from = if tail { chosen.len().saturating_sub(limit) } else { offset };
    let page: Vec<Raw> = chosen
        .iter()
        .skip(from)
        .take(limit)
        .map(|(job, line)| {
            let id = format!("{}-{}", job.id, line.position);
            Obj::new()
                .put("id", if tail { String::new() } else { id })
                .put("task_arn", task_arn(job))
                .put("container_name", container)
                .put("timestamp", go_time(line.at, 0))
                .put("log_line", &line.text)
                .put("log_level", guessed(line))
                .put("created_at", go_time(line.at, 0))
                .raw()
        })
        .collect();
    let body = Obj::new()
        .put("logs", (!page.is_empty()).then_some(page))
        .put("totalCount", if tail { 0 } else { chosen.len() })
        .put("limit", limit)
        .put("offset", offset);
    Reply::json(200, body.finish())
}

/// The admin server knows four levels, guessed from the text.
fn guessed(line: &Line) -> &'static str {
    use jobwatch_core::model::Level;
    match line.level {
        Level::Trace | Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error | Level::Fatal => "ERROR",
    }
}

fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
