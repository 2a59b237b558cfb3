//! What the page sees. The window is a viewport: every list is a view with a filter, a sort and a
//! visible range; the page pulls the rows of that range and is told by a small [`Tick`] when they
//! have changed.

mod about;
pub(crate) mod convert;
pub(crate) mod job_index;
pub(crate) mod job_list;
mod log;
mod rules;
pub(crate) mod search;
mod tray;
mod types;

pub use log::*;
pub use rules::*;
pub use tray::*;
pub use types::*;
