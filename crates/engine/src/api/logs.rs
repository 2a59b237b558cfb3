//! Places in a log.

use serde::Serialize;
use ts_rs::TS;

use super::{LogPlace, ViewWindow};

/// An answer to [`LogTarget`].
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export)]
pub struct LogFound {
    /// Where it is.
    pub place: LogPlace,
    /// The rows around it, where they were asked for.
    pub window: Option<ViewWindow>,
}
