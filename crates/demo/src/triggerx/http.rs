//! TriggerX's HTTP API below `/api`.

use hyper::Method;

use super::{
    OWNER, TriggerX, attesters, cost, definition, execution_time, performer, status, task_row,
    tasks_of, tx_hash,
};
use crate::DEMO_KEY;
use crate::json::{Obj, Raw, go_time, num, raw};
use crate::protocol::{Reply, Request};
use crate::sessions::Sessions;
use crate::world::World;
use crate::world::job::{Job, State};

impl TriggerX {
    pub(super) fn route(
        &mut self,
        world: &mut World,
        sessions: &Sessions,
        request: &Request,
    ) -> Reply {
        let segments = request.segments();
        let Some((&"api", path)) = segments.split_first() else {
            return Reply::text(404, "404 page not found");
        };
        let get = request.method == Method::GET;
        match path {
            ["tasks", "job", id] if get => tasks_by_job(world, id),
            ["jobs", id, "task-fees"] if get => task_fees(world, id),
            ["tasks", id] if get && *id != "recent" => task(world, id),
            ["ws", "stats"] if get => stats(sessions),
            ["ws", "health"] if get => Reply::json(
                200,
                Obj::new()
                    .put("status", "healthy")
                    .put("timestamp", world.now() / 1000)
                    .put(
                        "websocket",
                        Obj::new()
                            .put("active_connections", sessions.len())
                            .put("active_rooms", rooms(sessions).len())
                            .raw(),
                    )
                    .finish(),
            ),
            ["health"] if get => Reply::json(200, r#"{"status":"healthy","database":"ok"}"#),
            ["tasks" | "jobs", ..] => match self.protected(request) {
                Some(refusal) => refusal,
                None => keyed(world, request, path),
            },
            _ => Reply::text(404, "404 page not found"),
        }
    }

    fn protected(&mut self, request: &Request) -> Option<Reply> {
        let key = request.header("x-api-key").filter(|key| !key.is_empty());
        if self.authentic(key) {
            return None;
        }
        Some(match key {
            None => Reply::json(401, r#"{"error":"API key is required"}"#),
            Some(_) => Reply::json(403, r#"{"error":"Invalid or inactive API key"}"#),
        })
    }
}

fn keyed(world: &mut World, request: &Request, path: &[&str]) -> Reply {
    let get = request.method == Method::GET;
    let mine = |address: &str| address.eq_ignore_ascii_case(OWNER);
    match path {
        ["tasks", "recent"] if get => {
            let limit = request.param("limit").and_then(|n| n.parse().ok()).unwrap_or(200);
            let limit = usize::min(limit, 200);
            let tasks: Vec<Raw> = world.jobs().rev().take(limit).map(task_row).collect();
            let count = tasks.len();
            let tasks = (count > 0).then_some(tasks);
            let body = Obj::new().put("tasks", tasks).put("count", count).put("limit", limit);
            Reply::json(200, body.finish())
        }
        ["tasks", "user" | "safe-address", address] if get => {
            grouped(world, if mine(address) { OWNER } else { address }, mine(address))
        }
        ["tasks", "by-apikey", key] if get => grouped(world, OWNER, *key == DEMO_KEY),
        ["jobs", "by-apikey"] if get => jobs(world, true),
        ["jobs", "user" | "safe-address", address] if get => jobs(world, mine(address)),
        ["jobs", "user", address, "chain", chain] if get => {
            if mine(address) && *chain != "84532" {
                return Reply::json(200, r#"{"jobs":null}"#);
            }
            jobs(world, mine(address))
        }
        ["jobs", "user", address, id] if get => {
            let known = world.groups().into_iter().find(|(_, group)| group == id);
            match known {
                Some((title, id)) if mine(address) => {
                    Reply::json(200, job_data(world, &title, &id).to_string())
                }
                Some(_) => Reply::json(403, r#"{"error":"Job does not belong to the user"}"#),
                None => Reply::json(404, r#"{"error":"Job not found","code":"JOB_NOT_FOUND"}"#),
            }
        }
        ["jobs", "delete", id] if request.method == Method::PUT => {
            if world.groups().iter().any(|(_, group)| group == id) {
                world.stop_group(id);
                Reply::json(200, r#"{"message":"Job deleted successfully"}"#)
            } else {
                Reply::json(404, r#"{"error":"Job not found","code":"JOB_NOT_FOUND"}"#)
            }
        }
        _ => Reply::text(404, "404 page not found"),
    }
}

fn tasks_by_job(world: &World, id: &str) -> Reply {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Reply::json(400, r#"{"error":"Invalid job_id format"}"#);
    }
    let tasks: Vec<Raw> = tasks_of(world, id).map(task_row).collect();
    if tasks.is_empty() && !world.groups().iter().any(|(_, group)| group == id) {
        let body = r#"{"error":"No tasks found for this job","code":"TASKS_NOT_FOUND"}"#;
        return Reply::json(404, body);
    }
    Reply::json(200, crate::json::text(tasks))
}

fn task_fees(world: &World, id: &str) -> Reply {
    let fees: Vec<Raw> = tasks_of(world, id)
        .map(|job| {
            Obj::new()
                .put("task_id", raw(job.id.clone()))
                .put("task_opx_cost", num(cost(job)))
                .raw()
        })
        .collect();
    let fees = (!fees.is_empty()).then_some(fees);
    Reply::json(200, Obj::new().put("task_fees", fees).finish())
}

/// One flat object; unlike lists it has no `tx_url` and calls `is_successful` `is_accepted`.
fn task(world: &World, id: &str) -> Reply {
    let Some(job) = world.find(id) else {
        return Reply::json(404, r#"{"error":"Task not found","code":"TASK_NOT_FOUND"}"#);
    };
    let executed = job.started.is_some();
    let done = job.state == State::Completed;
    let group = job.group.clone().unwrap_or_default();
    let failure = job.failure.as_ref().filter(|_| job.state == State::Failed);
    let body = Obj::new()
        .put("task_id", raw(job.id.clone()))
        .put("task_number", if done { job.key } else { 0 })
        .put("job_id", &group)
        .put("task_definition_id", definition(&group))
        .put("created_at", go_time(job.created, job.salt(1)))
        .put("task_opx_cost", num(if executed { cost(job) } else { 0.0 }))
        .put("execution_timestamp", execution_time(job))
        .put("execution_tx_hash", if executed { tx_hash(job) } else { String::new() })
        .put("task_performer_id", if executed { performer(job) } else { 0 })
        .put("task_attester_ids", attesters(job))
        .put(
            "proof_of_task",
            if executed { format!("Qm{}", job.hash(3, 44)) } else { String::new() },
        )
        .put("converted_arguments", executed.then(|| [job.subject.clone()]))
        .put("trigger_data", None::<String>)
        .put("tp_signature", None::<String>)
        .put("ta_signature", None::<String>)
        .put("task_submission_tx_hash", if done { tx_hash(job) } else { String::new() })
        .put("task_status", status(job))
        .put("task_error", failure.map_or("", |failure| failure.text.as_str()))
        .put("is_accepted", done)
        .put("is_imua", false);
    Reply::json(200, body.finish())
}

fn grouped(world: &World, address: &str, known: bool) -> Reply {
    let groups: Vec<Raw> = world
        .groups()
        .into_iter()
        .filter(|_| known)
        .map(|(_, id)| {
            let tasks: Vec<Raw> = tasks_of(world, &id).map(task_row).collect();
            Obj::new().put("job_id", id).put("tasks", tasks).raw()
        })
        .collect();
    let body = Obj::new().put("user_address", address).put("task_groups", groups);
    Reply::json(200, body.finish())
}

fn jobs(world: &World, known: bool) -> Reply {
    if !known {
        return Reply::json(200, r#"{"message":"No jobs found for this user","jobs":[]}"#);
    }
    let jobs: Vec<Raw> = world
        .groups()
        .into_iter()
        .map(|(title, id)| {
            let active = job_status(world, &id) == "running";
            let kind = match definition(&id) {
                1 | 2 => "time_job_data",
                3 | 4 => "event_job_data",
                _ => "condition_job_data",
            };
            let specific = Obj::new()
                .put("job_id", &id)
                .put("task_definition_id", definition(&id))
                .put("is_active", active)
                .put("is_completed", !active)
                .raw();
            Obj::new().put("job_data", job_data(world, &title, &id)).put(kind, specific).raw()
        })
        .collect();
    Reply::json(200, Obj::new().put("jobs", jobs).finish())
}

fn job_status(world: &World, id: &str) -> &'static str {
    if world.stopped(id) {
        return "deleted";
    }
    let idle = tasks_of(world, id).all(|job| job.state.terminal());
    if idle && !world.own_group(id) { "completed" } else { "running" }
}

fn job_data(world: &World, title: &str, id: &str) -> Raw {
    let tasks: Vec<&Job> = tasks_of(world, id).collect();
    let ids: Vec<Raw> = tasks.iter().map(|job| raw(job.id.clone())).collect();
    let created = tasks.first().map_or(world.now(), |job| job.created);
    let updated = tasks.iter().map(|job| job.changed).max().unwrap_or(created);
    let last = tasks.iter().filter_map(|job| job.started).max();
    let last = last.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |at| go_time(at, 11));
    Obj::new()
        .put("job_id", id)
        .put("job_title", title)
        .put("task_definition_id", definition(id))
        .put("user_id", 1)
        .put("link_job_id", "-1")
        .put("chain_status", 0)
        .put("custom", false)
        .put("time_frame", 86_400)
        .put("recurring", true)
        .put("status", job_status(world, id))
        .put("job_cost_prediction", num(0.1))
        .put("job_cost_actual", num(0.0021))
        .put("task_ids", (!ids.is_empty()).then_some(ids))
        .put("created_at", go_time(created, 12))
        .put("updated_at", go_time(updated, 13))
        .put("last_executed_at", last)
        .put("timezone", "UTC")
        .put("is_imua", false)
        .put("created_chain_id", "84532")
        .put("safe_address", "")
        .raw()
}

fn rooms(sessions: &Sessions) -> std::collections::BTreeMap<String, usize> {
    let mut rooms = std::collections::BTreeMap::new();
    for room in sessions.iter().flat_map(|(_, session)| session.rooms.iter()) {
        *rooms.entry(room.clone()).or_default() += 1;
    }
    rooms
}

fn stats(sessions: &Sessions) -> Reply {
    let rooms = rooms(sessions);
    let data = Obj::new()
        .put("total_clients", sessions.len())
        .put("total_rooms", rooms.len())
        .put("rooms", rooms)
        .raw();
    Reply::json(200, Obj::new().put("status", "success").put("data", data).finish())
}
