//! Encodings shared by dialects: plain enums with parse and print, total over any bytes.

pub mod attachments;
pub mod beginning;
pub mod engineio;
pub mod fields;
pub mod json;
pub mod parts;
pub mod repair;
pub mod rows;
pub mod socketio;
pub mod time;
