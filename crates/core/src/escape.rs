//! Text that could pass for something else: escape sequences of terminals, and characters that
//! reorder or hide the text around them.
//!
//! What a terminal would show of a log is worked out elsewhere; names, errors and sentences are shown
//! without either.

use std::iter::Peekable;
use std::str::Chars;

/// Whether `first` begins an escape sequence; what follows of it is read then. One that does not end
/// takes the rest of its line.
pub fn skip(first: char, rest: &mut Peekable<Chars<'_>>) -> bool {
    let parameters = |rest: &mut Peekable<Chars<'_>>| {
        // Parameters, then one final character.
        while rest.next_if(|c| !('@'..='~').contains(c) && !c.is_control()).is_some() {}
        rest.next_if(|c| ('@'..='~').contains(c));
    };
    match first {
        '\u{1b}' => match rest.next_if(|c| matches!(c, '[' | ']' | 'P' | 'X' | '^' | '_')) {
            Some('[') => parameters(rest),
            // A string (title, link, …), up to BEL or ESC \.
            Some(_) => {
                while let Some(c) = rest.next_if(|c| !matches!(c, '\n' | '\r')) {
                    if c == '\u{7}' || (c == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
                        break;
                    }
                }
            }
            // A sequence of two or three characters, such as the choice of a character set.
            None => {
                while rest.next_if(|c| (' '..='/').contains(c)).is_some() {}
                rest.next_if(|c| ('0'..='~').contains(c));
            }
        },
        '\u{9b}' => parameters(rest),
        _ => return false,
    }
    true
}

/// Whether a character reorders or hides the text around it: marks of direction, zero-width spaces,
/// separators of lines. Joiners are none of them, since scripts and emoji need them.
#[must_use]
pub fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn without(text: &str) -> String {
        let mut rest = text.chars().peekable();
        let mut out = String::new();
        while let Some(c) = rest.next() {
            if !skip(c, &mut rest) {
                out.push(c);
            }
        }
        out
    }

    #[test]
    fn every_kind_of_sequence_goes_and_nothing_beside_it() {
        for (text, plain) in [
            ("plain", "plain"),
            ("\u{1b}[1;31mred\u{1b}[0m!", "red!"),
            ("a\u{9b}2Jb", "ab"),
            ("a\u{1b}]0;title\u{7}b", "ab"),
            ("a\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "alink"),
            ("a\u{1b}(Bb\u{1b}cd", "abd"),
            ("unended \u{1b}[12", "unended "),
            ("\u{1b}]0;build\nE: disk full", "\nE: disk full"),
            ("\u{1b}[12\nE: disk full", "\nE: disk full"),
            ("\u{1b}", ""),
            ("\u{1b}\u{fc}", "\u{fc}"),
        ] {
            assert_eq!(without(text), plain, "{text:?}");
        }
    }
}
