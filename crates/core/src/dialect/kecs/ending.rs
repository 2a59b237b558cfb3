//! How a stopped task ended.
//!
//! ECS has no word for it: a task is `STOPPED`, and who stopped it and how its containers ended say
//! the rest. The table, the first row that fits counts:
//!
//! | What is said | Outcome |
//! |---|---|
//! | stopCode `TaskFailedToStart` | failed |
//! | stopCode `SpotInterruption`, `TerminationNotice` | failed: the host was taken away |
//! | stopCode `UserInitiated`; a stop this program asked for; a reason that names a user | cancelled |
//! | stopCode `ServiceSchedulerInitiated`, or a reason about scaling or a deployment | cancelled; failed where the reason is a failed health check |
//! | a stopCode of Kubernetes for a pod that was thrown out (`Evicted`, `NodeLost`, …) | failed |
//! | stopCode `TaskFailed` (KECS) of a task that was told to stop, by 130, 137 or 143 | cancelled |
//! | a reason that names a host, an image, memory, a health check or another trouble | failed |
//! | an essential container ended with another exit code than 0, or never ran | failed |
//! | every essential container ended with 0 | completed |
//! | no exit codes, stopCode absent or `EssentialContainerExited`, the usual reason | completed, if this is the API's description; an event says nothing yet |
//! | anything else | ended, outcome unknown |
//!
//! Sources: the ECS API reference (`Task.stopCode`, `Task.stoppedReason`, `Container.exitCode`), the
//! developer guide's pages on stopped tasks, and KECS, which leaves out an exit code of 0, puts the
//! reason of a pod into `stopCode`, and writes `TaskFailed` whenever an exit code is not 0.

use super::task::Told;
use crate::wire::fields::Fields;

/// The words of Kubernetes for containers that ended, where they say no more than the exit code.
const ENDED_WELL: &str = "Completed";
const ENDED_BADLY: &str = "Error";

/// The reason of a task that ended by itself.
const USUAL: &str = "essential container in task exited";

/// What this program gives as the reason when it stops a task.
pub(super) const OURS: &str = "Stopped with Jobwatch";

/// Exit codes of a process that was told to end: by SIGINT, SIGKILL and SIGTERM.
const SIGNALLED: [i64; 3] = [130, 137, 143];

/// Reasons, in lower case, by which somebody stopped the task.
const BY_USER: [&str; 8] = [
    "stopped with jobwatch",
    "stopped by user",
    "stopped by the user",
    "user initiated",
    "userinitiated",
    "user requested",
    "cancelled by",
    "canceled by",
];

/// Reasons, in lower case, by which a service had one task too many.
const BY_SERVICE: [&str; 4] =
    ["scaling activity", "replaced by deployment", "service scheduler", "amazon ecs deployment"];

/// Reasons, in lower case, that are failures whatever the exit codes.
const TROUBLE: [&str; 37] = [
    "host ec2",
    "instance i-",
    "(instance ",
    "container instance",
    "spot",
    "outofmemory",
    "out of memory",
    "oomkilled",
    "cannotpull",
    "cannot pull",
    "cannotstart",
    "cannotcreate",
    "cannotinspect",
    "cannotstop",
    "resourceinitialization",
    "resourcenotfound",
    "containerruntime",
    "internalerror",
    "dockertimeout",
    "imagepull",
    "errimage",
    "crashloop",
    "failed",
    "failure",
    "unhealthy",
    "health check",
    "evict",
    "preempt",
    "node was",
    "node is",
    "deadline",
    "timed out",
    "timeout",
    "maintenance",
    "retire",
    "unable to",
    "no space",
];

/// What Kubernetes calls a pod that it threw out, or could not run.
const POD_REASONS: [&str; 15] = [
    "Evicted",
    "NodeLost",
    "NodeShutdown",
    "NodeAffinity",
    "Shutdown",
    "Terminated",
    "Preempting",
    "PreemptionByScheduler",
    "DeletionByTaintManager",
    "TerminationByKubelet",
    "DeadlineExceeded",
    "UnexpectedAdmissionError",
    "OutOfcpu",
    "OutOfmemory",
    "OutOfpods",
];

/// How a stopped task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Completed,
    /// With the error.
    Failed(String),
    Cancelled,
    /// It is over, and nobody says how.
    Unknown,
    /// An event that leaves out what the API may know.
    Open,
}

/// What is known besides the task's own fields.
#[derive(Clone, Copy, Default)]
pub struct Beside<'a> {
    /// This program asked for the stop.
    pub asked: bool,
    /// The containers of the task definition, and whether each is essential.
    pub definition: Option<&'a [(String, bool)]>,
    /// The definition is named and not known yet.
    pub askable: bool,
}

struct Container {
    name: String,
    exit: Option<i64>,
    /// Why it ended or never ran.
    why: Option<String>,
    /// Its reason says no more than that it failed.
    bare: bool,
    /// Its own reason says that it ended well.
    well: bool,
    /// It is said to be on its way still.
    unended: bool,
    essential: Option<bool>,
}

impl Container {
    fn read(fields: &Fields<'_>, beside: Beside<'_>) -> Container {
        let name = fields.string("name");
        let reason = fields.string("reason");
        let is = |word: &str| reason.as_deref().is_some_and(|why| why.eq_ignore_ascii_case(word));
        let defined = beside.definition.and_then(|all| {
            let same = all.iter().find(|(own, _)| Some(own) == name.as_ref());
            same.map(|(_, essential)| *essential)
        });
        let status = fields.text("lastStatus");
        Container {
            exit: fields.whole("exitCode"),
            well: is(ENDED_WELL),
            unended: status.is_some_and(|status| {
                !status.is_empty() && !status.eq_ignore_ascii_case("STOPPED")
            }),
            why: reason.clone().filter(|_| !is(ENDED_WELL)),
            bare: reason.is_none() || is(ENDED_BADLY),
            essential: fields.flag("essential").or(defined),
            name: name.unwrap_or_else(|| "A container".to_owned()),
        }
    }

    fn succeeded(&self) -> bool {
        self.exit.map_or(self.well, |code| code == 0)
    }

    fn failed(&self) -> bool {
        match self.exit {
            Some(code) => code != 0,
            None => self.why.is_some(),
        }
    }

    fn signalled(&self) -> bool {
        self.bare && self.exit.is_some_and(|code| SIGNALLED.contains(&code))
    }

    /// How it failed, in words.
    fn said(&self) -> String {
        match (self.exit, &self.why) {
            (Some(code), Some(why)) => format!("{} exited with code {code}: {why}", self.name),
            (Some(code), None) => format!("{} exited with code {code}", self.name),
            (None, why) => format!("{}: {}", self.name, why.as_deref().unwrap_or_default()),
        }
    }
}

/// Whether the exit codes of a task's containers contradict each other, so that it matters which of
/// them are essential.
pub fn needs_definition(fields: &Fields<'_>) -> bool {
    let all = containers(fields, Beside::default());
    let known = all.iter().all(|container| container.essential.is_some());
    !known && all.iter().any(Container::failed) && !all.iter().all(Container::failed)
}

fn containers(fields: &Fields<'_>, beside: Beside<'_>) -> Vec<Container> {
    fields.rows("containers").iter().map(|row| Container::read(row, beside)).collect()
}

/// How a stopped task ended, by the table above.
pub fn ending(fields: &Fields<'_>, told: Told, beside: Beside<'_>) -> Ending {
    let code = fields.string("stopCode");
    let reason = fields.string("stoppedReason");
    let lower = reason.as_deref().unwrap_or_default().to_lowercase();
    let all = containers(fields, beside);
    let of_words = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let is_code = |word: &str| code.as_deref().is_some_and(|code| code.eq_ignore_ascii_case(word));
    let broken = broken(&all);
    let failed = || Ending::Failed(error(broken, reason.as_deref(), code.as_deref()));

    if is_code("TaskFailedToStart") || is_code("SpotInterruption") || is_code("TerminationNotice") {
        return failed();
    }
    let ended_itself = broken.is_none() && succeeded(&all);
    let by_us = beside.asked && !ended_itself;
    if is_code("UserInitiated") || by_us || of_words(&BY_USER) {
        return Ending::Cancelled;
    }
    let unhealthy = of_words(&["fail", "unhealthy", "health check"]);
    if is_code("ServiceSchedulerInitiated") || (!is_known_end(&code) && of_words(&BY_SERVICE)) {
        return if unhealthy { failed() } else { Ending::Cancelled };
    }
    if of_words(&BY_SERVICE) && !unhealthy {
        return Ending::Cancelled;
    }
    if POD_REASONS.iter().any(|word| is_code(word)) {
        return failed();
    }
    let told_to_stop =
        fields.text("desiredStatus").is_some_and(|desired| desired.eq_ignore_ascii_case("STOPPED"));
    let only_signals = all.iter().filter(|one| one.failed()).all(Container::signalled);
    if is_code("TaskFailed") && told_to_stop && broken.is_some() && only_signals {
        return Ending::Cancelled;
    }
    if told == Told::Pushed && beside.askable && needs_definition(fields) {
        return Ending::Open;
    }
    if of_words(&TROUBLE) || is_code("TaskFailed") || broken.is_some() {
        return failed();
    }
    if succeeded(&all) {
        return Ending::Completed;
    }
    let usual = lower.is_empty() || lower.trim_end_matches('.') == USUAL;
    let plain = code.is_none() || is_code("EssentialContainerExited");
    let unended = all.iter().any(|one| one.unended && one.essential != Some(false));
    match told {
        Told::Pushed => Ending::Open,
        Told::Described if usual && plain && !unended => Ending::Completed,
        Told::Described => Ending::Unknown,
    }
}

/// Whether the code is one of those that say that the task ended by itself.
fn is_known_end(code: &Option<String>) -> bool {
    code.as_deref().is_some_and(|code| code == "EssentialContainerExited" || code == "TaskFailed")
}

/// Whether every container that matters ended with 0. One that is not essential need not have: it
/// was ended with the task.
fn succeeded(all: &[Container]) -> bool {
    let mut essential = all.iter().filter(|one| one.essential != Some(false)).peekable();
    let any = essential.peek().is_some();
    any && essential.all(|one| one.succeeded() || is_consequence(one, all))
}

/// The container that made the task fail.
fn broken(all: &[Container]) -> Option<&Container> {
    let known = all.iter().any(|one| one.essential == Some(true));
    let matters = |one: &&Container| {
        one.failed() && !(known && one.essential != Some(true)) && !is_consequence(one, all)
    };
    let by_code = |one: &&Container| one.exit.is_some();
    all.iter().filter(matters).find(by_code).or_else(|| all.iter().find(matters))
}

/// Whether a container was ended since another essential one had ended well: by a signal, and
/// without a reason of its own.
fn is_consequence(one: &Container, all: &[Container]) -> bool {
    one.signalled() && all.iter().any(|other| other.essential == Some(true) && other.succeeded())
}

/// The error: the container's end, with the reason of the task where that says more.
fn error(broken: Option<&Container>, reason: Option<&str>, code: Option<&str>) -> String {
    let said = broken.map(Container::said);
    let reason = reason.filter(|reason| !reason.eq_ignore_ascii_case(ENDED_BADLY));
    match (said, reason) {
        (Some(said), Some(reason)) if said.contains(reason) => said,
        (Some(said), Some(reason)) => format!("{said} ({reason})"),
        (Some(said), None) => said,
        (None, Some(reason)) => reason.to_owned(),
        (None, None) => match code {
            Some("TaskFailedToStart") => "The task failed to start".to_owned(),
            Some("SpotInterruption") => {
                "The task's host was taken back (SpotInterruption)".to_owned()
            }
            Some("TerminationNotice") => {
                "The task's host was shut down (TerminationNotice)".to_owned()
            }
            Some(code) => format!("The task was stopped ({code})"),
            None => "The task failed".to_owned(),
        },
    }
}
