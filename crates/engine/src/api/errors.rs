//! Errors as the page gets them.

use serde::Serialize;
use ts_rs::TS;

/// An error for the page, which shows `message` and may act on `code`, never on the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct UserError {
    /// What kind.
    pub code: ErrorCode,
    /// What happened, to what, and what can be done.
    pub message: String,
}

/// Kinds of error the page tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub enum ErrorCode {
    /// A field of the form is wrong.
    Invalid,
    /// No such server, job or view.
    NotFound,
    /// The keyring is locked, missing or silent: offer the session.
    Keyring,
    /// Signing in did not work, or has to be done again.
    SignIn,
    /// The server did not accept it.
    Server,
    /// The disk did not accept it.
    Storage,
    /// Anything else.
    Internal,
}
