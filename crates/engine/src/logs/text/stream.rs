//! Takes text apart: what is printed, what commands the terminal, and the strings that are meant for
//! the terminal alone.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};
use vte::{Parser, Perform};

/// Hands `text` to `terminal`, and the body of each operating system command to `command`.
///
/// Strings (OSC, DCS, APC, PM, SOS) are found here and not by the parser, which keeps but the first
/// kilobyte of them, and would have one that nobody ended swallow the rest of the message.
pub(super) fn feed<P: Perform>(text: &str, terminal: &mut P, command: impl Fn(&mut P, &[u8])) {
    let bytes = seven_bits(text.as_bytes());
    let mut parser = Parser::<0>::new_with_size();
    let (mut from, mut at) = (0, 0);
    while let Some(escape) = memchr(0x1b, &bytes[at..]).map(|found| at + found) {
        let Some(kind @ (b']' | b'P' | b'X' | b'^' | b'_')) = bytes.get(escape + 1) else {
            at = escape + 1;
            continue;
        };
        parser.advance(terminal, &bytes[from..escape]);
        // An escape ends whatever sequence was under way.
        parser = Parser::new_with_size();
        let begin = escape + 2;
        let (end, next) = string(&bytes, begin, *kind == b']');
        if *kind == b']' {
            command(terminal, &bytes[begin..end]);
        }
        (from, at) = (next, next);
    }
    parser.advance(terminal, &bytes[from..]);
}

/// Where a string ends, and where what follows it begins. One that nobody ends stops at the line
/// break: the message after it is not lost.
fn string(bytes: &[u8], begin: usize, bell: bool) -> (usize, usize) {
    let mut broken = None;
    for (at, byte) in bytes.iter().enumerate().skip(begin) {
        match byte {
            0x07 if bell => return (at, at + 1),
            0x18 | 0x1a if broken.is_none() => return (at, at + 1),
            0x1b if bytes.get(at + 1) == Some(&b'\\') => return (at, at + 2),
            0x1b if broken.is_none() => return (at, at),
            0x18 | 0x1a | 0x1b => break,
            b'\n' => broken = broken.or(Some(at)),
            _ => {}
        }
    }
    let end = broken.unwrap_or(bytes.len());
    (end, end)
}

/// Eight-bit controls as the two bytes that mean the same; in UTF-8 they take two as well.
fn seven_bits(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut all = Cow::Borrowed(bytes);
    for at in memchr_iter(0xc2, bytes) {
        if let Some(control @ 0x80..=0x9f) = bytes.get(at + 1) {
            let all = all.to_mut();
            all[at] = 0x1b;
            all[at + 1] = control - 0x40;
        }
    }
    all
}
