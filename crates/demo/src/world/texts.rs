//! The words of the demo: plausible work, plausible trouble.
//!
//! In log lines `{n}` stands for a running number, `{ms}` for a duration, `{subject}` for what the
//! job works on.

/// Stands for a real build as its terminal showed it: the lines of [`build_line`], in order.
pub(crate) const BUILD: &str = "{build}";

/// A line of a real `cargo build` and `npm install`, with colours and carriage returns.
pub(crate) fn build_line(nth: u64) -> &'static str {
    let lines = include_str!("texts/build.txt");
    let count = lines.split_terminator('\n').count() as u64;
    let nth = usize::try_from(nth % count.max(1)).unwrap_or(0);
    lines.split_terminator('\n').nth(nth).unwrap_or_default()
}
