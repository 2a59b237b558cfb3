//! ECS tasks in the canonical words.

use crate::model::{Job, JobPatch, JobState};
use crate::wire::fields::Fields;

/// Fields of a task with a canonical place, and those of the events around it.
const KNOWN: &[&str] = &[
    "taskId",
    "id",
    "clusterArn",
    "taskDefinitionArn",
    "lastStatus",
    "status",
    "createdAt",
    "startedAt",
    "stoppedAt",
    "startedBy",
    "stoppedReason",
    "detail",
    "timestamp",
    "task",
    "changes",
    "updateType",
    "previousStatus",
    "eventType",
    "source",
    "account",
    "region",
    "service",
];

/// The last segment of an ARN, which is the id of what it names.
pub fn last_segment(arn: &str) -> &str {
    arn.rsplit('/').next().filter(|id| !id.is_empty()).unwrap_or(arn)
}

/// The cluster in a task's ARN (`arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID`), where it has one.
pub fn cluster_in(arn: &str) -> Option<&str> {
    let mut segments = arn.strip_prefix("arn:")?.rsplit('/');
    let (_, cluster) = (segments.next()?, segments.next()?);
    segments.next().map(|_| cluster)
}

/// The region in an ARN.
pub fn region_in(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.split(':').nth(2).filter(|region| !region.is_empty())
}

/// The service that a task says it was started by (`group`, as `service:NAME`).
pub fn service_of(job: &Job) -> Option<String> {
    let group = job.extra.get("group")?.to_value();
    group.as_str()?.strip_prefix("service:").map(str::to_owned)
}

/// How much an account of a task can be trusted to be complete.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// An event: what it leaves out may be known elsewhere.
    Pushed,
    /// The description by the API: what it leaves out, nobody knows.
    Described,
}

/// What a task's fields say.
pub struct Account {
    /// As a patch; without a state where the task has stopped and its outcome is not told.
    pub patch: JobPatch,
    /// The task has stopped but the outcome must be asked for.
    pub open: bool,
    /// The task has been removed.
    pub deleted: bool,
}

/// The fields that name nothing but a task.
pub const NAMES: [&str; 2] = ["taskArn", "taskId"];

/// Reads a task, however it is wrapped. `id` where the fields do not name it.
pub fn task(fields: &Fields<'_>, id: Option<&str>, told: Told) -> Option<Account> {
    let arn = NAMES.iter().find_map(|name| fields.string(name));
    let arn = arn.or_else(|| id.map(str::to_owned)).or_else(|| fields.string("id"))?;
    let arn = arn.as_str();
    let mut patch = JobPatch::new(last_segment(arn));
    patch.snapshot = told == Told::Described;
    patch.queue = fields
        .string("clusterArn")
        .or_else(|| fields.string("cluster"))
        .map(|arn| last_segment(&arn).to_owned())
        .or_else(|| cluster_in(arn).map(str::to_owned));
    patch.name = fields.string("taskDefinitionArn").map(|arn| last_segment(&arn).to_owned());
    patch.user = fields.string("startedBy");
    patch.created_at = fields.time("createdAt");
    patch.started_at = fields.time("startedAt");
    patch.extra = fields.rest(KNOWN);
    let word = fields.string("lastStatus").or_else(|| fields.string("status")).unwrap_or_default();
    let mut account = Account { patch, open: false, deleted: false };
    let patch = &mut account.patch;
    match word.as_str() {
        "" => {}
        "PROVISIONING" | "PENDING" | "ACTIVATING" => patch.state = Some(JobState::Queued),
        "RUNNING" => patch.state = Some(JobState::Running),
        // On its way out, but what it did is not known before STOPPED.
        "DEACTIVATING" | "STOPPING" | "DEPROVISIONING" => {
            patch.state = Some(JobState::Running);
            patch.message = Some(match fields.string("stoppedReason") {
                Some(reason) => format!("{word}: {reason}"),
                None => word,
            });
        }
        "STOPPED" => {
            patch.finished_at = fields.time("stoppedAt");
            match outcome(fields, told) {
                Some((state, error)) => {
                    patch.message =
                        fields.string("stoppedReason").or_else(|| fields.string("stopCode"));
                    patch.state = Some(state);
                    patch.error = error;
                }
                None => account.open = true,
            }
        }
        "DELETED" => account.deleted = true,
        _ => patch.state = Some(JobState::Unknown(word)),
    }
    Some(account)
}

/// The word Kubernetes gives a container that ended with exit code 0.
const ENDED_WELL: &str = "Completed";

/// The outcome of a stopped task, by its containers' exit codes. Why it was stopped, and by whom,
/// changes nothing.
///
/// - Any other exit code than 0 is a failure.
/// - A container without an exit code has ended with 0, which servers leave out, unless a reason
///   says that it never ran; a task that failed to start had none that did.
/// - An event must name how its containers ended: without that it says nothing (`None`). In a
///   description, what is left out is 0.
fn outcome(fields: &Fields<'_>, told: Told) -> Option<(JobState, Option<String>)> {
    let containers: Vec<Fields<'_>> = fields.rows("containers");
    let reason = fields.string("stoppedReason");
    let exit = |container: &Fields<'_>| container.whole::<i64>("exitCode");
    let why = |container: &Fields<'_>| {
        container.string("reason").filter(|why| !why.eq_ignore_ascii_case(ENDED_WELL))
    };
    let wrong = containers
        .iter()
        .find(|c| exit(c).is_some_and(|code| code != 0))
        .or_else(|| containers.iter().find(|c| exit(c).is_none() && why(c).is_some()));
    if let Some(container) = wrong {
        let name = container.string("name").unwrap_or_else(|| "A container".to_owned());
        let said = match (exit(container), why(container)) {
            (Some(code), Some(why)) => format!("{name} exited with code {code}: {why}"),
            (Some(code), None) => format!("{name} exited with code {code}"),
            (None, why) => format!("{name}: {}", why.unwrap_or_default()),
        };
        // The exit code says more than the usual "Essential container in task exited".
        let error = match reason {
            Some(reason) => format!("{said} ({reason})"),
            None => said,
        };
        return Some((JobState::Failed, Some(error)));
    }
    let ended = |c: &Fields<'_>| exit(c).is_some() || c.string("reason").is_some();
    let all_ended = !containers.is_empty() && containers.iter().all(ended);
    let started = fields.text("stopCode").is_none_or(|code| code != "TaskFailedToStart");
    if !started && !all_ended {
        let error = reason.unwrap_or_else(|| "The task failed to start".to_owned());
        return Some((JobState::Failed, Some(error)));
    }
    (told == Told::Described || all_ended).then_some((JobState::Completed, None))
}
