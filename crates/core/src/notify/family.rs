//! Which errors are the same but for what differs from one time to the next.

use super::headline;

/// What stands for something that differs.
const ANY: char = '\u{2026}';

/// What the [`headline`] of an error says, without what differs between two occurrences: numbers, ids,
/// addresses, paths and times become `…`. Two failures of one family have the same error.
#[must_use]
pub fn family(error: &str) -> String {
    let line = headline(error);
    let mut family = String::new();
    for word in line.split_whitespace() {
        if !family.is_empty() {
            family.push(' ');
        }
        push_word(&mut family, word);
    }
    // What was several words of it is one all the same: a date and its time of day.
    let doubled = format!("{ANY} {ANY}");
    let single = ANY.to_string();
    while family.contains(&doubled) {
        family = family.replace(&doubled, &single);
    }
    family
}

/// Adds a word, or what stands for it. Brackets and punctuation around it stay.
fn push_word(family: &mut String, word: &str) {
    let edge = |c: char| !(c.is_alphanumeric() || matches!(c, '/' | '\\' | '~' | '_' | '.' | '-'));
    let inner = word.trim_start_matches(edge).trim_end_matches(|c| edge(c) || c == '.');
    let Some(at) = word.find(inner).filter(|_| !inner.is_empty()) else {
        family.push_str(word);
        return;
    };
    family.push_str(&word[..at]);
    if differs(inner) {
        family.push(ANY);
    } else {
        push_pieces(family, inner);
    }
    family.push_str(&word[at + inner.len()..]);
}

/// Whether a word as a whole is an id, an address, a path or a time.
fn differs(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let path = word.contains("://")
        || word.starts_with(['/', '~', '\\'])
        || word.get(1..3) == Some(":\\")
        || word.matches(['/', '\\']).count() > 1;
    let hexadecimal = word.len() >= 8
        && digits > 0
        && word.trim_start_matches("0x").bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let address = word.contains('@') && word.contains('.');
    // Mostly digits: a number with its unit, a time, a host with its port.
    let number = digits > 0 && digits * 3 >= word.chars().count();
    // As long and as mixed as no word is.
    let token = word.len() >= 16
        && digits >= 3
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    path || hexadecimal || address || number || token
}

/// A word in which only the numbers differ: `job-17`, `took=35ms`.
fn push_pieces(family: &mut String, word: &str) {
    let mut in_digits = false;
    for c in word.chars() {
        if c.is_ascii_digit() {
            if !in_digits {
                family.push(ANY);
            }
            in_digits = true;
        } else {
            in_digits = false;
            family.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_one_time_to_the_next_is_taken_out() {
        for (one, other) in [
            ("timeout after 3012 ms", "timeout after 17 ms"),
            ("connect ECONNREFUSED 10.0.0.7:5432", "connect ECONNREFUSED 10.0.3.19:5433"),
            ("order 9f8a7c6d5e4b not found", "order 00aa7c6d5eff not found"),
            (
                "job 01999d2e-7d0c-7b11-8d3a-2f8a1f0e9c11 is locked",
                "job 01a9ad2e-7d0c-7b11-8d3a-2f8a1f0e9c12 is locked",
            ),
            ("cannot read /var/lib/a/7.pdf: no such file", "cannot read /srv/b.pdf: no such file"),
            ("no route to https://a.example/x?y=1", "no route to http://b.example:80/"),
            ("mail to ada@example.org bounced", "mail to bob@example.net bounced"),
            ("2026-11-26 10:00:01.5 lost the lease", "2026-11-27 11:22:33 lost the lease"),
            ("at 2026-11-26T10:00:01Z: lost", "at 2026-01-01T00:00:00.25Z: lost"),
            ("0x8d3a2f8a reverted (code=17)", "0x11111111 reverted (code=4)"),
            ("\n  worker-12 died\n at x.js:7", "worker-3 died"),
            ("token eyJhbGciOiJIUzI1NiJ9abc123 refused", "token abcdef0123456789zzzz9 refused"),
        ] {
            assert_eq!(family(one), family(other));
            assert!(!family(one).trim().is_empty());
        }
    }

    #[test]
    fn what_is_said_tells_families_apart() {
        assert_ne!(family("SMTP 550 mailbox unknown"), family("SMTP timed out"));
        assert_ne!(family("disk full"), family("out of memory"));
        assert_eq!(family("the read/write lock is held"), "the read/write lock is held");
        assert_eq!(family(" \n "), "");
        assert_eq!(
            family("step 3 of 7 failed (code 12)."),
            "step \u{2026} of \u{2026} failed (code \u{2026})."
        );
    }

    #[test]
    fn any_text_has_a_family() {
        for text in ["", "\u{202e}\u{0}", "é", "C:\\x\\y.txt gone", "…", "((((", "1"] {
            let once = family(text);
            assert_eq!(family(&once), once, "{text:?}");
        }
    }
}
