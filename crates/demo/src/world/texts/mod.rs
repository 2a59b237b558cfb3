//! The words of the demo: plausible work, plausible trouble.
//!
//! In log lines `{n}` stands for a running number, `{ms}` for a duration, `{subject}` for what the
//! job works on.

pub(crate) mod chain;
pub(crate) mod containers;
pub(crate) mod office;
pub(crate) mod study;
pub(crate) mod wallets;
