//! The types that cross to the page, by subject, generated into TypeScript by the tests. Times are
//! milliseconds since 1970, durations milliseconds, ids text. None of them can hold a secret.
//!
//! Only [`crate::queries`], the engine's loop and its handle, and the program's IPC use this module.
//! What storage, logs, settings and core define, and the page sees as it is, is exported here too.
//!
//! The window is a viewport: every list is a view with a filter, a sort and a visible range. The
//! page pulls the rows of that range, and a small [`Tick`] announces that they have changed.

mod connecting;
mod errors;
mod jobs;
mod logs;
mod notices;
mod overview;
mod queues;
mod servers;
mod tray;
mod views;

pub use connecting::*;
pub use errors::*;
pub use jobs::*;
pub use logs::*;
pub use notices::*;
pub use overview::*;
pub use queues::*;
pub use servers::*;
pub use tray::*;
pub use views::*;

pub use crate::frames::{FrameRow, Transport};
pub use crate::logs::query::*;
pub use crate::metrics::Series;
pub use crate::settings::{Mute, NoticeRule, Preferences, PreferencesPatch, QuietHours, Theme};
pub use jobwatch_core::connection::{ConnectionState, Remedy};
pub use jobwatch_core::dialect::ActionKind;
pub use jobwatch_core::model::{Level, Source};
pub use jobwatch_core::notify::Tone;
pub use jobwatch_core::notify::rules::EventKind;
pub use jobwatch_core::server::KeyPlacement;
