//! The machine for one server, run without a network, without HTTP and without a clock: scenarios
//! named as sentences, and random schedules by the hundred thousand.

mod attempts;
mod bench;
mod clock;
mod detail;
mod dialect;
mod jobs;
mod jobserver;
mod logs;
mod models;
mod oversized;
mod pace;
mod parts;
mod random;
mod rounds;
mod socket;
mod status;
mod world;
