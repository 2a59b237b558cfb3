//! What connecting for the first time shows: a probe of an address, and a test step by step.

use jobwatch_core::connection::Remedy;
use serde::Serialize;
use ts_rs::TS;

/// One step of a connection test.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct TestStep {
    /// Which step.
    pub step: TestStepKind,
    /// How it went.
    pub state: StepState,
    /// What was found, or what went wrong and what can be done.
    pub text: String,
    /// What can be done about a step that went badly.
    pub remedy: Option<Remedy>,
}

/// The steps of a connection test, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum TestStepKind {
    /// The host answers.
    Reached,
    /// The WebSocket opens, and the server greets on it.
    Socket,
    /// The HTTP API answers as this kind of server does.
    Api,
    /// The key is accepted.
    Key,
    /// How many jobs are listed.
    Jobs,
}

/// How a step of a connection test went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum StepState {
    /// It is under way.
    Running,
    /// It was asked, and is so.
    Good,
    /// It was asked, and is not so.
    Bad,
    /// It is not needed here.
    NotNeeded,
}

/// What a connection test comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct TestVerdict {
    /// Whether the server works as it is.
    pub ok: bool,
    /// What a server that is saved as it is would lack, and until when; empty where it works.
    pub missing: String,
}

/// What is behind an address.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct ProbeView {
    /// The kinds of server that answer, the likeliest first.
    pub found: Vec<ProbeFound>,
    /// Which kind was chosen and why, or what is wrong, where, and what to do.
    pub text: String,
    /// Another address, which the user should confirm before it is taken.
    pub instead: Option<String>,
    /// The proxy through which it was asked, if any.
    pub proxy: Option<String>,
}

/// A kind of server that answers at an address, and where its parts are.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct ProbeFound {
    /// The dialect's word.
    pub dialect: String,
    /// The dialect's name for people.
    pub title: String,
    /// Whether it is sure enough to be chosen without asking.
    pub sure: bool,
    /// The socket's URL; empty where it was not found.
    pub ws: String,
    /// The HTTP base; empty where it follows from the socket's URL.
    pub api: String,
    /// Settings of this kind that were found.
    pub options: Vec<(String, String)>,
    /// Whether it wants a key; `null` where that did not come out.
    pub wants_key: Option<bool>,
}
