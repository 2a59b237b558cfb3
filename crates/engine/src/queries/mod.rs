//! Rows for the page: the index of all jobs, the order of a view, and what a row says.

mod about;
pub(crate) mod convert;
pub(crate) mod job_index;
pub(crate) mod job_list;
pub(crate) mod search;
