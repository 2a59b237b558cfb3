//! Models of the real servers, each with one job, as far as what they tell of it and when: what a
//! socket leaves out, and how late rows come.

use std::collections::BTreeSet;

use jobwatch_core::dialect::{FetchRequest, Frame};
use jobwatch_core::server::DialectKind;
use serde_json::{Value, json};

use crate::bench::EPOCH_MS;

/// One job's life, in milliseconds since the beginning.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub appears: u64,
    pub halfway: u64,
    pub ends: u64,
    /// Whether it ends well.
    pub well: bool,
}

impl Life {
    fn word<'a>(&self, now: u64, running: &'a str, ends: [&'a str; 2]) -> &'a str {
        match now >= self.ends {
            false => running,
            true => ends[usize::from(!self.well)],
        }
    }

    fn progress(&self, now: u64) -> u64 {
        match now {
            _ if now >= self.ends && self.well => 100,
            _ if now >= self.halfway => 50,
            _ => 10,
        }
    }
}

/// What a server is like on the wire.
pub struct Model {
    pub kind: DialectKind,
    pub life: Life,
    /// Rows come so much later than what they are about.
    pub late: u64,
    rooms: BTreeSet<String>,
}

/// The id by which the client knows the job.
pub const fn id_of(kind: DialectKind) -> &'static str {
    match kind {
        DialectKind::TriggerX => "task:7",
        DialectKind::StudyBuddy => "101",
        DialectKind::Analyzer => "sync-1",
        DialectKind::Kecs => "abc123",
        DialectKind::BullBoard => "01999d2e-7d0c-7b11-8d3a-2f8a1f0e9c11",
        // Not modelled.
        _ => "7",
    }
}

fn iso(ms: u64) -> String {
    let ms = EPOCH_MS + i64::try_from(ms).expect("a short life");
    jiff::Timestamp::from_millisecond(ms).expect("a time in range").to_string()
}

fn epoch(ms: u64) -> i64 {
    EPOCH_MS + i64::try_from(ms).expect("a short life")
}

fn text(text: impl ToString) -> Frame {
    Frame::Text(text.to_string())
}

impl Model {
    pub fn new(kind: DialectKind, life: Life) -> Model {
        Model { kind, life, late: 0, rooms: BTreeSet::new() }
    }

    /// What the server says first.
    pub fn opened(&mut self) -> Vec<Frame> {
        self.rooms.clear();
        match self.kind {
            DialectKind::StudyBuddy | DialectKind::Analyzer => vec![text(
                r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":65536}"#,
            )],
            _ => Vec::new(),
        }
    }

    /// Between the server's own pings.
    pub fn pings(&self) -> Option<u64> {
        matches!(self.kind, DialectKind::StudyBuddy | DialectKind::Analyzer).then_some(25_000)
    }

    /// What the server answers a frame with.
    pub fn receives(&mut self, frame: &Frame, now: u64) -> Vec<Frame> {
        let said = match frame {
            Frame::Ping => return vec![Frame::Pong],
            Frame::Text(said) => said.as_str(),
            _ => return Vec::new(),
        };
        match self.kind {
            DialectKind::Analyzer | DialectKind::StudyBuddy => match said {
                "40" => vec![text(r#"40{"sid":"n"}"#)],
                "40/jobs," => vec![text(r#"40/jobs,{"sid":"n"}"#)],
                "40/job-progress," => {
                    vec![text(r#"44/job-progress,{"message":"Invalid namespace"}"#)]
                }
                _ if said.contains("subscribe") => {
                    self.rooms.insert(said.to_owned());
                    Vec::new()
                }
                _ => Vec::new(),
            },
            DialectKind::TriggerX => {
                let said: Value = serde_json::from_str(said).expect("JSON");
                match said["type"].as_str() {
                    Some("PING") => vec![text(json!({"type": "PONG", "timestamp": iso(now)}))],
                    Some("SUBSCRIBE") => {
                        let room = said["data"]["room"].as_str().expect("a room").to_owned();
                        let done = json!({"type": "SUCCESS", "timestamp": iso(now), "data":
                            {"message": "Subscribed to room", "data": {"room": room}}});
                        let tasks = self.tasks(now);
                        let all = json!({"type": "JOB_TASKS_SNAPSHOT", "timestamp": iso(now),
                            "data": {"job_id": "1", "tasks": tasks}});
                        self.rooms.insert(room);
                        vec![text(done), text(all)]
                    }
                    _ => Vec::new(),
                }
            }
            DialectKind::Kecs if said.contains("ping") => vec![text(r#"{"type":"pong"}"#)],
            _ => Vec::new(),
        }
    }

    /// What the server says of its own accord, and when: nothing of a new job where it only tells
    /// those who subscribed to that, nothing of an end that another service writes.
    pub fn announcements(&self) -> Vec<u64> {
        let Life { appears, halfway, ends, .. } = self.life;
        match self.kind {
            DialectKind::Analyzer | DialectKind::StudyBuddy => vec![appears, halfway, ends],
            // The attestation comes before the database knows the end.
            DialectKind::TriggerX => vec![appears, ends.saturating_sub(2_000)],
            DialectKind::BullBoard => {
                vec![appears + self.late, halfway + self.late, ends + self.late]
            }
            _ => Vec::new(),
        }
    }

    pub fn announces(&self, now: u64) -> Vec<Frame> {
        let life = self.life;
        let subscribed = |to: &str| self.rooms.iter().any(|room| room.contains(to));
        match self.kind {
            DialectKind::Analyzer if subscribed("sync-1") && now > life.appears => {
                let base = json!({"jobId": "sync-1", "queue": "wallet-operations",
                    "timestamp": epoch(now), "progress": life.progress(now)});
                let (name, body) = match (now >= life.ends, life.well) {
                    (false, _) => ("job-progress", base),
                    (true, true) => (
                        "job-completed",
                        json!({"jobId": "sync-1", "result": {},
                        "queue": "wallet-operations", "timestamp": epoch(now)}),
                    ),
                    (true, false) => (
                        "job-failed",
                        json!({"jobId": "sync-1", "error": "x",
                        "queue": "wallet-operations", "timestamp": epoch(now)}),
                    ),
                };
                vec![text(format!("42[\"{name}\",{body}]"))]
            }
            // Some workers write an end to the database and nowhere else.
            DialectKind::StudyBuddy if now < life.ends => {
                let body = json!({"jobId": "101", "status": "in_progress",
                    "progress": life.progress(now), "timestamp": iso(now)});
                vec![text(format!("42/jobs,[\"job:progress\",{body}]"))]
            }
            DialectKind::TriggerX if subscribed("job:1") => {
                let changes = if now == life.appears {
                    json!({"task_id": 7, "job_id": "1", "created_at": iso(now)})
                } else {
                    json!({"task_id": 7, "job_id": "1", "task_number": 42, "is_successful": true,
                        "task_attester_ids": "[1 2 3]"})
                };
                vec![text(json!({"type": "TASK_UPDATED", "timestamp": iso(now), "data":
                    {"task_id": 7, "job_id": "1", "user_id": "system", "changes": changes}}))]
            }
            DialectKind::BullBoard => {
                let id = id_of(self.kind);
                vec![
                    text(r#"{"type":"job-refresh","data":{"id":"1"}}"#),
                    text(json!({"type": "single-job-refresh", "data": {"jobId": id}})),
                ]
            }
            _ => Vec::new(),
        }
    }

    fn tasks(&self, now: u64) -> Vec<Value> {
        let life = self.life;
        if now < life.appears {
            return Vec::new();
        }
        let word = life.word(now, "processing", ["completed", "failed"]);
        vec![json!({"task_id": 7, "task_number": 0, "task_opx_cost": 0, "task_status": word,
            "task_error": "", "is_accepted": false, "tx_url": "",
            "execution_timestamp": "0001-01-01T00:00:00Z"})]
    }

    /// What the server answers over HTTP.
    pub fn answers(&self, request: &FetchRequest, now: u64) -> (u16, Value) {
        // A row shows what was so when it was written.
        let now = now.saturating_sub(self.late);
        let url = request.address.expose();
        let path: Vec<&str> = url.path().trim_matches('/').split('/').collect();
        let body: Value = request
            .body
            .as_deref()
            .map_or(Value::Null, |body| serde_json::from_str(body).expect("JSON"));
        let there = now >= self.life.appears;
        match self.kind {
            DialectKind::Analyzer => self.analyzer(&path[2..], url.query().unwrap_or(""), now),
            DialectKind::StudyBuddy => match path[..] {
                ["jobs", "user", "me"] => {
                    let jobs: Vec<Value> = there.then(|| self.study_row(now)).into_iter().collect();
                    (200, json!({"success": true, "count": jobs.len(), "jobs": jobs}))
                }
                ["jobs", "101"] if there => {
                    (200, json!({"success": true, "job": self.study_row(now)}))
                }
                _ => (
                    404,
                    json!({"message": "Job not found", "error": "Not Found",
                    "statusCode": 404}),
                ),
            },
            DialectKind::TriggerX => match path[..] {
                ["api", "jobs", "by-apikey"] => (
                    200,
                    json!({"jobs": [{"job_data": {
                    "job_id": "1", "job_title": "watcher", "status": "running",
                    "user_id": 5, "created_at": iso(0), "updated_at": iso(0)}}]}),
                ),
                ["api", "tasks", "job", "1"] => (200, json!(self.tasks(now))),
                _ => (404, json!({"error": "not here"})),
            },
            DialectKind::Kecs => self.kecs(path.last().copied().unwrap_or(""), &body, now),
            DialectKind::BullBoard => self.bull_board(&path[1..], &body, now),
            _ => (404, json!({})),
        }
    }

    fn study_row(&self, now: u64) -> Value {
        let life = self.life;
        let word = life.word(now, "processing", ["completed", "failed"]);
        json!({"id": "c1", "jobId": "101", "name": "pdf-extract", "queueName": "pdf-extract",
            "status": word, "progress": life.progress(now), "userId": "u1", "attempts": 0,
            "createdAt": iso(life.appears), "updatedAt": iso(now), "timestamp": iso(life.appears),
            "opts": {"attempts": 1},
            "failedReason": (now >= life.ends && !life.well).then_some("no such file"),
            "finishedAt": (now >= life.ends).then(|| iso(life.ends))})
    }

    fn analyzer(&self, path: &[&str], query: &str, now: u64) -> (u16, Value) {
        let life = self.life;
        let active = now >= life.appears && now < life.ends;
        let ended = now >= life.ends;
        let row = || {
            json!({"id": "sync-1", "name": "sync", "queue": "wallet-operations", "attempts": 1,
                "status": life.word(now, "active", ["completed", "failed"]), "maxAttempts": 1,
                "progress": life.progress(now), "data": {}, "createdAt": iso(life.appears),
                "result": (ended && life.well).then(|| json!({"n": 1})),
                "error": (ended && !life.well).then_some("x"),
                "finishedAt": ended.then(|| iso(life.ends))})
        };
        match path {
            ["jobs"] => (
                200,
                json!({"totalJobs": 1, "queues": [{"queueName": "wallet-operations",
                "waiting": 0, "active": u8::from(active), "completed": u8::from(ended && life.well),
                "failed": u8::from(ended && !life.well), "delayed": 0, "paused": 0}]}),
            ),
            ["jobs", "queue", ..] => {
                let listed = match query {
                    _ if query.contains("status=completed") => ended && life.well,
                    _ if query.contains("status=failed") => ended && !life.well,
                    _ if query.contains("status=") => false,
                    _ => active,
                };
                let jobs: Vec<Value> = listed.then(row).into_iter().collect();
                (200, json!({"jobs": jobs, "total": jobs.len(), "limit": 200, "offset": 0}))
            }
            ["jobs", "sync-1"] if now >= life.appears => (200, row()),
            _ => (404, json!({"message": "Not found", "error": "Not Found", "statusCode": 404})),
        }
    }

    fn kecs(&self, action: &str, body: &Value, now: u64) -> (u16, Value) {
        let life = self.life;
        let arn = "arn:aws:ecs:us-east-1:000000000000:task/default/abc123";
        let ended = now >= life.ends;
        match action {
            "ListClusters" => (
                200,
                json!({"clusterArns": ["arn:aws:ecs:us-east-1:000000000000:cluster/default"]}),
            ),
            "ListTasks" => {
                let wanted = if ended { "STOPPED" } else { "RUNNING" };
                let here = now >= life.appears && body["desiredStatus"] == wanted;
                (200, if here { json!({"taskArns": [arn]}) } else { json!({}) })
            }
            "DescribeTasks" if now >= life.appears => {
                let mut task = json!({"taskArn": arn, "desiredStatus": "RUNNING",
                    "clusterArn": "arn:aws:ecs:us-east-1:000000000000:cluster/default",
                    "lastStatus": if ended { "STOPPED" } else { "RUNNING" },
                    "createdAt": iso(life.appears), "startedAt": iso(life.appears),
                    "containers": [{"name": "app", "lastStatus": "RUNNING"}]});
                if ended {
                    task["stoppedAt"] = json!(iso(life.ends));
                    task["stopCode"] = json!("EssentialContainerExited");
                    let code = i32::from(!life.well);
                    task["containers"] =
                        json!([{"name": "app", "lastStatus": "STOPPED", "exitCode": code}]);
                }
                (200, json!({"tasks": [task]}))
            }
            "DescribeTasks" => (200, json!({"failures": [{"arn": "abc123", "reason": "MISSING"}]})),
            "DescribeClusters" => (200, json!({"clusters": [{"clusterName": "default"}]})),
            _ => (404, json!({"__type": "MissingAction"})),
        }
    }

    fn bull_board(&self, path: &[&str], body: &Value, now: u64) -> (u16, Value) {
        let life = self.life;
        let there = now >= life.appears;
        let word = life.word(now, "active", ["completed", "failed"]);
        let row = || {
            json!({"id": id_of(self.kind), "jobId": "42", "queue": "{email}", "name": "send",
                "status": word, "attempt": 1, "maxAttempts": 1, "createdAt": iso(life.appears),
                "enqueuedAt": iso(life.appears), "startedAt": iso(life.appears), "tags": [],
                "finishedAt": (now >= life.ends).then(|| iso(life.ends))})
        };
        match path {
            ["jobs", "table"] => {
                let wanted = body["status"].as_str().is_none_or(|status| status == word);
                let jobs: Vec<Value> = (there && wanted).then(row).into_iter().collect();
                (200, json!({"jobs": jobs, "nextCursor": null, "prevCursor": null}))
            }
            ["jobs", "logs"] => (200, json!({"logs": [], "total": 0})),
            ["jobs", "stats"] => (200, json!({"active": 0, "completed": 0, "failed": 0})),
            ["jobs", id] if there && *id == id_of(self.kind) => (200, json!({"job": row()})),
            ["jobs", _] => (500, Value::Null),
            _ => (200, json!({"queues": [], "nextCursor": null})),
        }
    }
}
