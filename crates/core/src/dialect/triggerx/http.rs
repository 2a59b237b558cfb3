//! The HTTP API of TriggerX.
//!
//! Never asked: `GET /jobs/time`, which creates tasks, and the task list by key, which has the key
//! in its path.

use serde_json::value::RawValue;

use super::{Call, Id, TriggerX, record};
use crate::dialect::answer::{self, accepted, body, failed, misshapen, refused};
use crate::dialect::{
    Ask, FetchRequest, FetchResponse, Incoming, Method, Oversized, ReadMark, pieces,
};
use crate::model::{Job, JobPatch, JobState, Metric, Topic, Update};
use crate::wire::fields::{self, Fields};
use crate::wire::rows;

/// More jobs under way than these are not asked for their tasks one by one where all tasks of their
/// owner can be had at once.
const FEW: usize = 20;
/// Where they cannot, asking for more than these takes longer than a minute.
const MANY: usize = 100;
/// How many recent tasks the server gives at most.
const MOST_RECENT: usize = 200;

impl TriggerX {
    pub(super) fn requests(&self, topic: &Topic) -> Vec<FetchRequest> {
        match topic {
            Topic::Job(id) => match Id::of(id.as_str()) {
                Id::Task(task) => {
                    vec![self.get(topic, Call::Task(task.to_owned()), &["tasks", task])]
                }
                Id::Job(job) => {
                    let mut all =
                        vec![self.get(topic, Call::Tasks(job.to_owned()), &["tasks", "job", job])];
                    // The job's own state needs the key, unless a watched list tells it anyway.
                    if self.endpoint.key().is_some() && !self.covered(&format!("job:{job}")) {
                        all.push(match &self.user {
                            Some(user) => self.get(
                                topic,
                                Call::Job(job.to_owned()),
                                &["jobs", "user", user, job],
                            ),
                            None => self.jobs_by_key(topic, Some(job)),
                        });
                    }
                    all
                }
            },
            // Lists go by the address. The key's own list names its owner by number.
            Topic::User(number) if is_number(number) => match self.endpoint.key() {
                Some(_) => {
                    let call = Call::JobsOfNumber(number.clone());
                    vec![self.get(topic, call, &["jobs", "by-apikey"])]
                }
                None => Vec::new(),
            },
            Topic::User(user) => vec![
                self.get(topic, Call::Jobs, &["jobs", "user", user]),
                self.get(topic, Call::Groups, &["tasks", "user", user]),
            ],
            Topic::Everything => {
                let mut all: Vec<FetchRequest> = if self.endpoint.key().is_some() {
                    vec![self.jobs_by_key(topic, None)]
                } else {
                    self.user.iter().map(|user| self.jobs_of(topic, user)).collect()
                };
                if let (true, Some(user)) = (self.together, &self.user) {
                    all.push(self.get(topic, Call::Groups, &["tasks", "user", user]));
                }
                if self.unlisted {
                    all.push(self.get(topic, Call::Recent, &["tasks", "recent"]));
                }
                all
            }
            Topic::Queue(_) => Vec::new(),
        }
    }

    pub(super) fn may_cancel(&self, job: &Job) -> bool {
        let is_job = matches!(Id::of(job.id.as_str()), Id::Job(_));
        is_job && !job.state.terminal() && self.endpoint.key().is_some()
    }

    pub(super) fn cancel(&self, job: &Job) -> FetchRequest {
        let (Id::Job(id) | Id::Task(id)) = Id::of(job.id.as_str());
        let ask = Ask::new(None, Call::Cancel(id.to_owned()));
        let path = ["jobs", "delete", id];
        self.endpoint.request(ask, Method::Put, &path, &[], None)
    }

    /// All jobs of the key's owner; with `only` read for that job alone.
    fn jobs_by_key(&self, topic: &Topic, only: Option<&str>) -> FetchRequest {
        let call = Call::JobsByKey(only.map(str::to_owned));
        self.get(topic, call, &["jobs", "by-apikey"])
    }

    fn jobs_of(&self, topic: &Topic, user: &str) -> FetchRequest {
        self.get(topic, Call::Jobs, &["jobs", "user", user])
    }

    /// What was named by its number alone and is no job of which there are tasks may be a task. Asked
    /// once.
    fn number(&self, topic: &Topic, number: &str) -> Option<FetchRequest> {
        let bare = matches!(topic, Topic::Job(given) if given.as_str() == number);
        let ask = bare && may_be_task(number) && !self.numbers.contains(number);
        ask.then(|| self.get(topic, Call::Number(number.to_owned()), &["tasks", number]))
    }

    fn get(&self, topic: &Topic, call: Call, path: &[&str]) -> FetchRequest {
        let list = call.lists_jobs();
        let ask = Ask::new(Some(topic), call);
        FetchRequest { list, ..self.endpoint.request(ask, Method::Get, path, &[], None) }
    }

    /// The server serves no list in parts.
    pub(super) fn too_large(ask: &Ask) -> Oversized {
        match ask.of() {
            Some(Call::Tasks(_) | Call::Groups | Call::Recent | Call::Fees(_)) => Oversized::List,
            Some(call) if call.lists_jobs() => Oversized::List,
            _ => Oversized::Useless,
        }
    }

    pub(super) fn read_answer(
        &mut self,
        ask: &Ask,
        response: &FetchResponse,
        read: &mut ReadMark,
    ) -> Vec<Incoming> {
        let Some(call) = ask.of::<Call>() else { return Vec::new() };
        match (response.status, call, &ask.topic) {
            (_, Call::Cancel(id), _) => return cancelled(ask, response, id),
            // For one job 403 may mean that it is somebody else's: the key's own list decides.
            (403, Call::Job(id), Some(topic)) => {
                return vec![Incoming::Follow(self.jobs_by_key(topic, Some(id)))];
            }
            (401 | 403, call, topic) => {
                if (call, topic) == (&Call::Groups, &Some(Topic::Everything)) {
                    self.grouped = Some(false);
                }
                return vec![refused(response)];
            }
            // Only that it is no task's number.
            (400 | 404, Call::Number(number), _) => {
                self.numbers.remember(number.as_str().into(), ());
                return Vec::new();
            }
            (404, Call::Task(id), _) if names_nothing(response) => {
                return vec![Incoming::Update(Update::Gone(record::task_id(id).into()))];
            }
            (404, Call::Job(id), _) if names_nothing(response) => {
                return record::job_id(id)
                    .map(|id| Incoming::Update(Update::Gone(id.into())))
                    .into_iter()
                    .collect();
            }
            // A job without tasks and a user without jobs are empty lists, not errors. Where the
            // server's table of tasks lacks a column the list is empty too, but not that of fees.
            (404, Call::Tasks(job), Some(topic)) if names_nothing(response) => {
                let path = ["jobs", job, "task-fees"];
                let fees = self.get(topic, Call::Fees(job.clone()), &path);
                let number = self.number(topic, job);
                return std::iter::once(fees).chain(number).map(Incoming::Follow).collect();
            }
            // Beside the list of jobs it is missed by nobody: the tasks are read one job at a time.
            (_, Call::Groups, Some(Topic::Everything)) if !accepted(response) => {
                self.grouped = Some(false);
                return Vec::new();
            }
            (404, Call::Groups, _) if names_nothing(response) => return Vec::new(),
            (404, call, _) if call.lists_jobs() && names_nothing(response) => {
                return self.all_read(ask, read);
            }
            // The server reads custom jobs from a table it does not have: an owner who has no
            // others has jobs of which nothing can be told.
            (500, call, topic) if call.lists_jobs() && has_no_table(response) => {
                self.unlisted |= *topic == Some(Topic::Everything);
                return Vec::new();
            }
            // What these add is missed by nobody.
            (_, Call::Fees(_) | Call::Stats, _) if !accepted(response) => return Vec::new(),
            (400, Call::Task(_) | Call::Tasks(_) | Call::Job(_), Some(topic)) => {
                let reason = answer::message(response);
                return vec![Incoming::SubscriptionRejected { topic: Some(topic.clone()), reason }];
            }
            _ if !accepted(response) => return vec![failed(ask, response)],
            _ => {}
        }
        let text = body(response);
        let text = text.trim();
        match call {
            Call::Task(id) => match Fields::parse(text) {
                Some(fields) => single(&fields, id),
                None => vec![misshapen(ask, response)],
            },
            Call::Number(number) => match Fields::parse(text) {
                Some(fields) => {
                    self.numbers.remember(number.as_str().into(), ());
                    let task = Topic::Job(record::task_id(number).into());
                    let mut all = single(&fields, number);
                    // From now on it is followed as a task.
                    all.push(Incoming::Discovered(task));
                    all
                }
                None => vec![misshapen(ask, response)],
            },
            Call::Tasks(job) => match serde_json::from_str::<&RawValue>(text) {
                Ok(raw) if !text.starts_with('"') => tasks(raw, job),
                _ => vec![misshapen(ask, response)],
            },
            Call::Recent => {
                let Some(fields) = Fields::parse(text) else { return Vec::new() };
                let mut all = fields.get("tasks").map(|raw| tasks(raw, "")).unwrap_or_default();
                let most = fields.whole("limit").filter(|most| *most > 0).unwrap_or(MOST_RECENT);
                if all.len() >= most {
                    let why = format!(
                        "Only {most} recent tasks are listed, since the server cannot list this \
                         owner's jobs. To follow other tasks, watch their jobs by id."
                    );
                    all.push(Incoming::Partial { open: true, why: Some(why) });
                }
                all
            }
            Call::Fees(job) => match Fields::parse(text) {
                Some(fields) => fees(&fields, job),
                None => vec![misshapen(ask, response)],
            },
            Call::Stats => match Fields::parse(text) {
                Some(fields) => stats(&fields),
                None => vec![misshapen(ask, response)],
            },
            Call::Groups => match Fields::parse(text) {
                Some(fields) => {
                    let all = groups(&fields);
                    if ask.topic == Some(Topic::Everything) {
                        self.grouped = Some(!all.is_empty());
                    }
                    all
                }
                None => vec![misshapen(ask, response)],
            },
            Call::Job(_) => {
                let patch = Fields::parse(text).as_ref().and_then(record::job);
                match patch {
                    Some(patch) => vec![told(patch)],
                    None => vec![misshapen(ask, response)],
                }
            }
            Call::Jobs | Call::JobsByKey(_) | Call::JobsOfNumber(_) => match Fields::parse(text) {
                Some(fields) => {
                    let rows = fields.get("jobs");
                    let place = |text| rows.and_then(|rows| rows::range(text, rows));
                    read.rest = place(&response.body);
                    if read.rest.is_some() {
                        return self.read_rows(ask, &response.body, read);
                    }
                    // No list; or one in a body that is no text, of which this is a mended copy.
                    read.rest = Some(place(text.as_bytes()).unwrap_or_default());
                    let mut all = self.read_rows(ask, text.as_bytes(), read);
                    while !read.done {
                        all.append(&mut self.read_rows(ask, text.as_bytes(), read));
                    }
                    all
                }
                None => vec![misshapen(ask, response)],
            },
            Call::Cancel(_) => Vec::new(),
        }
    }

    /// Reads the next rows of a list of jobs.
    pub(super) fn read_rows(
        &mut self,
        ask: &Ask,
        body: &[u8],
        read: &mut ReadMark,
    ) -> Vec<Incoming> {
        let mut patches: Vec<Box<JobPatch>> = Vec::new();
        let rest = read.rest.get_or_insert_default();
        rows::next(body, rest, pieces::ROWS, |row| {
            patches.extend(record::job(&row).map(Box::new));
        });
        read.done = rest.start >= rest.end;
        if let Some(Call::JobsOfNumber(number)) = ask.of() {
            patches.retain(|patch| patch.user.as_ref().is_none_or(|user| user == number));
        } else if let Some(Call::JobsByKey(Some(only))) = ask.of() {
            let id = record::job_id(only);
            let one =
                patches.into_iter().find(|p| p.id.as_ref().map(|i| i.as_str()) == id.as_deref());
            read.done |= one.is_some();
            return one.map(job_told).into_iter().collect();
        }
        if let (Some(Call::Jobs), Some(Topic::User(address))) = (ask.of(), &ask.topic)
            && let Some(number) = patches.iter().find_map(|patch| patch.user.clone())
        {
            self.owners.remember(address.to_ascii_lowercase().into(), number);
        }
        read.jobs += patches.len();
        read.open += patches.iter().filter(|patch| !ended(patch)).count();
        let mut all = Vec::with_capacity(patches.len() * 2 + 2);
        for patch in patches {
            let id = patch.id.clone();
            let ended = ended(&patch);
            all.push(job_told(patch));
            if let Some(id) = id {
                self.listed.add(id.as_str());
                if !ended {
                    all.push(Incoming::Discovered(Topic::Job(id)));
                }
            }
        }
        if read.done && !read.goes_on {
            all.append(&mut self.all_read(ask, read));
        }
        all
    }

    /// What is to be said and asked once a list of jobs has been read to its end.
    fn all_read(&mut self, ask: &Ask, read: &ReadMark) -> Vec<Incoming> {
        if matches!(ask.of(), Some(Call::JobsByKey(Some(_)))) {
            return Vec::new();
        }
        if read.jobs == 0
            && matches!(ask.of(), Some(Call::JobsByKey(_)))
            && let (Some(user), Some(topic)) = (&self.user, &ask.topic)
        {
            return vec![Incoming::Follow(self.jobs_of(topic, user))];
        }
        let Some(topic @ Topic::Everything) = &ask.topic else { return Vec::new() };
        let mut all = Vec::new();
        self.unlisted = false;
        self.together = read.open > FEW && self.user.is_some();
        if read.open > MANY && !(self.together && self.grouped != Some(false)) {
            let remedy = match self.user.is_some() {
                false => "Set the user (the owner's address)",
                true => "The server lists no tasks of this user. Check the user",
            };
            let why = format!(
                "More than {MANY} jobs are under way, and their tasks are read one job at a time, \
                 so some ends are reported late. {remedy} in the server's settings to read them \
                 together."
            );
            // A task may have begun of which nothing was read yet.
            all.push(Incoming::Partial { open: true, why: Some(why) });
        }
        all.push(Incoming::Follow(self.get(topic, Call::Stats, &["ws", "stats"])));
        all
    }
}

fn ended(patch: &JobPatch) -> bool {
    patch.state.as_ref().is_some_and(JobState::terminal)
}

/// Whether a 404 is the API's own word for "nothing there" rather than a wrong address.
fn names_nothing(response: &FetchResponse) -> bool {
    Fields::parse(body(response).trim()).is_some_and(|fields| fields.has("error"))
}

/// Whether the server's answer says that none of the owner's jobs could be read.
fn has_no_table(response: &FetchResponse) -> bool {
    Fields::parse(body(response).trim())
        .and_then(|fields| fields.string("code"))
        .is_some_and(|code| code == "JOB_RETRIEVAL_ERROR")
}

/// Whether an id as it was given may be the number of a task as well as of a job. Jobs have numbers of
/// up to 78 digits, tasks of 64 bits.
pub(super) fn may_be_task(given: &str) -> bool {
    is_number(given) && given.parse::<i64>().is_ok()
}

/// Whether a user is named by the server's number rather than by an address.
pub(super) fn is_number(user: &str) -> bool {
    !user.is_empty() && user.bytes().all(|b| b.is_ascii_digit())
}

/// `{"task_fees":[{"task_id","task_opx_cost"}]}`. Nothing else is told of these tasks, not even
/// their state.
fn fees(fields: &Fields<'_>, job: &str) -> Vec<Incoming> {
    fields
        .rows("task_fees")
        .into_iter()
        .filter_map(|row| {
            let mut patch = record::task(&row, &row.string("task_id")?, Some(job));
            patch.snapshot = true;
            Some(told(patch))
        })
        .collect()
}

/// `{"data":{"total_clients","total_rooms"}}`: how busy the server's socket is.
fn stats(fields: &Fields<'_>) -> Vec<Incoming> {
    let data = fields.object("data").unwrap_or_default();
    ["total_clients", "total_rooms"]
        .iter()
        .filter_map(|name| {
            let value = data.number(name)?;
            let name = (*name).to_owned();
            let metric = Metric { job: None, name, value, unit: None, at: None };
            Some(Incoming::Update(Update::Metric(metric)))
        })
        .collect()
}

fn told(patch: JobPatch) -> Incoming {
    job_told(Box::new(patch))
}

fn job_told(patch: Box<JobPatch>) -> Incoming {
    Incoming::Update(Update::Job(patch))
}

fn cancelled(ask: &Ask, response: &FetchResponse, id: &str) -> Vec<Incoming> {
    if !accepted(response) {
        return match response.status {
            401 => vec![refused(response)],
            _ => vec![failed(ask, response)],
        };
    }
    let Some(id) = record::job_id(id) else { return Vec::new() };
    let mut patch = JobPatch::new(id.as_str());
    patch.state = Some(JobState::Cancelled);
    vec![
        Incoming::Update(Update::Job(Box::new(patch))),
        Incoming::Stale(Topic::Job(id.as_str().into())),
    ]
}

/// One task by id. Its `is_accepted` is the column `is_successful`, other than in lists.
fn single(fields: &Fields<'_>, id: &str) -> Vec<Incoming> {
    let id = fields.string("task_id").unwrap_or_else(|| id.to_owned());
    let mut patch = record::task(fields, &id, fields.string("job_id").as_deref());
    patch.snapshot = true;
    patch.state.get_or_insert(JobState::Running);
    if let Some(accepted) = patch.extra.remove("is_accepted") {
        patch.extra.insert("is_successful".to_owned(), accepted);
    }
    vec![Incoming::Update(Update::Job(Box::new(patch)))]
}

/// Rows of one job's tasks: a bare array, `null`, or wrapped in `tasks`.
fn tasks(raw: &RawValue, job: &str) -> Vec<Incoming> {
    let wrapped = Fields::of(raw).map(|fields| fields.rows("tasks"));
    wrapped
        .unwrap_or_else(|| fields::rows(raw))
        .into_iter()
        .filter_map(|row| {
            let own = row.string("job_id");
            let job = own.as_deref().unwrap_or(job);
            let mut patch = record::task(&row, &row.string("task_id")?, Some(job));
            patch.snapshot = true;
            patch.state.get_or_insert(JobState::Running);
            Some(Incoming::Update(Update::Job(Box::new(patch))))
        })
        .collect()
}

/// `{"task_groups":[{"job_id","tasks"}]}`.
fn groups(fields: &Fields<'_>) -> Vec<Incoming> {
    fields
        .array("task_groups")
        .into_iter()
        .filter_map(|group| {
            let job = Fields::of(group)?.string("job_id").unwrap_or_default();
            Some(tasks(group, &job))
        })
        .flatten()
        .collect()
}
