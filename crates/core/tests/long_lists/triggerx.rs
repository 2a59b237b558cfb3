//! Many jobs of TriggerX, whose tasks are lists of their own.

use jobwatch_core::dialect::dialect;
use jobwatch_core::model::{JobState, Topic};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::DialectKind;
use serde_json::{Value, json};

use crate::read;
use crate::support::{server, speaking};

/// TriggerX with so many running jobs of one task each.
fn owned(path: &str, jobs: usize) -> (u16, Value) {
    let task = |n: usize| json!({"task_id": n + 1, "task_status": "processing"});
    match path {
        "/api/jobs/by-apikey" => {
            let job = |n: usize| json!({"job_data": {"job_id": (n + 1).to_string(), "status": "running", "user_id": 1}});
            (200, json!({"jobs": (0..jobs).map(job).collect::<Vec<_>>()}))
        }
        "/api/tasks/user/0xabc" => {
            let group = |n: usize| json!({"job_id": (n + 1).to_string(), "tasks": [task(n)]});
            (200, json!({"task_groups": (0..jobs).map(group).collect::<Vec<_>>()}))
        }
        _ => (200, json!({})),
    }
}

#[test]
fn the_tasks_of_many_jobs_of_triggerx_are_read_together_where_their_owner_is_known() {
    let mut known = server(DialectKind::TriggerX, "ws://127.0.0.1:9002/api/ws/tasks");
    known.options.insert("user".to_owned(), "0xabc".to_owned());
    let mut dialect = dialect(&known, Some(Secret::new("key".to_owned()))).unwrap();
    assert!(!dialect.list_is_complete());
    read(&mut *dialect, &Topic::Everything, |path, _| owned(path, 800));
    let round = read(&mut *dialect, &Topic::Everything, |path, _| owned(path, 800));
    assert_eq!(round.of(&JobState::Running), 1_600, "jobs and tasks");
    assert!(round.requests.len() <= 3 && round.partial.is_empty(), "{:?}", round.partial);
    assert!(dialect.list_is_complete(), "no job is asked for besides");
    // The tasks of few are asked for with their jobs.
    read(&mut *dialect, &Topic::Everything, |path, _| owned(path, 5));
    let round = read(&mut *dialect, &Topic::Everything, |path, _| owned(path, 5));
    assert_eq!(round.jobs.len(), 5);
    assert!(!dialect.list_is_complete());
}

#[test]
fn where_triggerx_does_not_list_the_tasks_of_its_user_they_are_read_job_by_job_and_that_is_said() {
    let mut known = server(DialectKind::TriggerX, "ws://127.0.0.1:9002/api/ws/tasks");
    known.options.insert("user".to_owned(), "0xabc".to_owned());
    for answer in [
        (404, json!({"error": "No tasks found"})),
        (500, json!({"error": "no such column"})),
        (200, json!({"task_groups": []})),
    ] {
        let mut dialect = dialect(&known, Some(Secret::new("key".to_owned()))).unwrap();
        let serve = |path: &str, _: &Value| match path {
            "/api/tasks/user/0xabc" => answer.clone(),
            path => owned(path, 800),
        };
        read(&mut *dialect, &Topic::Everything, serve);
        read(&mut *dialect, &Topic::Everything, serve);
        assert!(!dialect.list_is_complete(), "{answer:?}");
        let round = read(&mut *dialect, &Topic::Everything, serve);
        assert_eq!(round.of(&JobState::Running), 800);
        let words = "More than 100 jobs are under way, and their tasks are read one job at a time, so \
                     some ends are reported late. The server lists no tasks of this user. Check the \
                     user in the server's settings to read them together.";
        assert_eq!(round.whys(), [words], "{answer:?}");
    }
}

#[test]
fn that_the_tasks_of_many_jobs_of_triggerx_are_read_one_job_at_a_time_is_said() {
    let mut dialect = speaking(DialectKind::TriggerX, Some("key"));
    let round = read(&mut *dialect, &Topic::Everything, |path, _| owned(path, 90));
    assert!(round.partial.is_empty());
    let round = read(&mut *dialect, &Topic::Everything, |path, _| owned(path, 800));
    let words = "More than 100 jobs are under way, and their tasks are read one job at a time, so \
                 some ends are reported late. Set the user (the owner's address) in the server's \
                 settings to read them together.";
    assert_eq!(round.whys(), [words]);
}

#[test]
fn that_triggerx_lists_no_more_than_its_recent_tasks_is_said() {
    let mut dialect = speaking(DialectKind::TriggerX, Some("key"));
    let serve = |path: &str, _: &Value| match path {
        "/api/tasks/recent" => {
            let task = |n: usize| json!({"task_id": n + 1, "task_status": "processing"});
            let tasks: Vec<Value> = (0..200).map(task).collect();
            (200, json!({"tasks": tasks, "count": 200, "limit": 200}))
        }
        _ => (500, json!({"code": "JOB_RETRIEVAL_ERROR", "error": "no table"})),
    };
    read(&mut *dialect, &Topic::Everything, serve);
    let round = read(&mut *dialect, &Topic::Everything, serve);
    assert_eq!(round.jobs.len(), 200);
    assert!(round.misses_open());
    let words = "Only 200 recent tasks are listed, since the server cannot list this owner's jobs. \
                 To follow other tasks, watch their jobs by id.";
    assert_eq!(round.whys(), [words]);
}
