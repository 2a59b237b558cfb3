//! ECS tasks in the canonical words.

use super::ending::{self, Beside, Ending};
use crate::model::{ENDED, Job, JobPatch, JobState};
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

/// The id of the task that the fields are about. `id` where they do not name it.
pub fn id_in(fields: &Fields<'_>, id: Option<&str>) -> Option<String> {
    let arn = NAMES.iter().find_map(|name| fields.string(name));
    let arn = arn.or_else(|| id.map(str::to_owned)).or_else(|| fields.string("id"))?;
    Some(last_segment(&arn).to_owned())
}

/// Reads a task, however it is wrapped. `id` where the fields do not name it.
pub fn task(
    fields: &Fields<'_>,
    id: Option<&str>,
    told: Told,
    beside: Beside<'_>,
) -> Option<Account> {
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
            let ending = ending::ending(fields, told, beside);
            if ending == Ending::Open {
                account.open = true;
                return Some(account);
            }
            patch.message = fields.string("stoppedReason").or_else(|| fields.string("stopCode"));
            patch.state = Some(match ending {
                Ending::Completed => JobState::Completed,
                Ending::Cancelled => JobState::Cancelled,
                Ending::Failed(error) => {
                    patch.error = Some(error);
                    JobState::Failed
                }
                Ending::Unknown | Ending::Open => JobState::Unknown(ENDED.into()),
            });
        }
        "DELETED" => account.deleted = true,
        _ => patch.state = Some(JobState::Unknown(word.into())),
    }
    Some(account)
}
