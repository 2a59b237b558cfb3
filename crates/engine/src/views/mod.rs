//! What the page sees. The window is a viewport: every list is a view with a filter, a sort and a
//! visible range; the page pulls the rows of that range and is told by a small [`Tick`] when they
//! have changed.

pub(crate) mod catalogue;
pub(crate) mod convert;
pub(crate) mod jobs;
mod log;
mod types;

pub use log::*;
pub use types::*;
