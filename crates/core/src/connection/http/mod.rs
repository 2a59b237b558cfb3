//! HTTP: what is fetched of each topic, when, and what the answers mean.
//!
//! A topic is fetched in cycles ([`fetch_cycle`]): its requests, those that follow from the answers,
//! and what they came to ([`outcome`]). [`polling`] knows when which topic is due, [`cadence`] how
//! often by routine, [`invalidation`] what changed besides. Topics that ask the same share one
//! request ([`single_flight`]). Answers are read a piece at a time ([`intake`]) and classified
//! ([`response`]); [`key`] keeps what they say of the key.

pub(super) mod cadence;
pub(super) mod fetch_cycle;
pub(super) mod intake;
pub(super) mod invalidation;
pub(super) mod key;
pub(super) mod outcome;
pub(super) mod polling;
pub(super) mod response;
pub(super) mod single_flight;
pub(super) mod topic_state;
