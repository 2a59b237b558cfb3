//! Reading source text without a parser: comments and literals aside, paths spelled out.

/// `text` with comments and the insides of string and character literals blanked, line by line in
/// the same place. Knows what Rust, TypeScript and Svelte have in common, and Rust's raw strings.
pub fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(raw) = raw_string(rest) {
            raw
        } else if character == '"' {
            string(rest)
        } else {
            character_literal(rest).unwrap_or(0)
        };
        if skipped == 0 {
            code.push(character);
            rest = &rest[character.len_utf8()..];
        } else {
            code.extend(rest[..skipped].chars().map(|it| if it == '\n' { '\n' } else { ' ' }));
            rest = &rest[skipped..];
        }
    }
    code
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("r")?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = 1 + hashes + 1;
    Some(rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len()))
}

/// The length of a character literal, which is not a lifetime.
fn character_literal(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    if first == '\\' {
        let end = inside.char_indices().skip(2).find(|(_, it)| *it == '\'')?.0;
        return (end <= 10).then_some(1 + end + 1);
    }
    let after = &inside[first.len_utf8()..];
    after.starts_with('\'').then_some(1 + first.len_utf8() + 1)
}

/// Every path in `code` with `use` trees multiplied out (`use std::{fs, io::Read}` gives `std::fs`
/// and `std::io::Read`), each with its line, from 1.
pub fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut prefixes: Vec<Option<String>> = Vec::new();
    let mut current = String::new();
    let mut characters = code.chars().peekable();
    let full = |prefixes: &[Option<String>], current: &str| {
        let prefix = prefixes.last().cloned().flatten().unwrap_or_default();
        format!("{prefix}{current}")
    };
    while let Some(character) = characters.next() {
        match character {
            it if it.is_alphanumeric() || it == '_' => current.push(it),
            ':' if characters.peek() == Some(&':') => {
                characters.next();
                current.push_str("::");
            }
            '{' => {
                let tree = current.ends_with("::").then(|| full(&prefixes, &current));
                prefixes.push(tree);
                current.clear();
            }
            other => {
                if !current.is_empty() {
                    found.push((line, full(&prefixes, &current)));
                    current.clear();
                }
                match other {
                    '}' => {
                        prefixes.pop();
                    }
                    '\n' => line += 1,
                    _ => {}
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank_and_lines_keep_their_place() {
        let text = "let a = \"std::fs // \\\" \"; // std::net\n/* x\ny */ let b = r#\"\"std::fs\"#;\nlet c = '\\''; let d: &'static str = f('{');";
        let code = code_only(text);
        assert_eq!(code.lines().count(), text.lines().count());
        assert!(!code.contains("std"), "{code}");
        assert!(code.contains("let d: &'static str = f(   );"), "{code}");
    }

    #[test]
    fn use_trees_are_multiplied_out() {
        let code = "use std::{fs, time::{Duration, Instant}};\nfn f() { std::thread::spawn(g) }\n";
        let paths: Vec<String> = paths(code).into_iter().map(|(_, path)| path).collect();
        for path in ["std::fs", "std::time::Duration", "std::time::Instant", "std::thread::spawn"] {
            assert!(paths.iter().any(|it| it == path), "{path} in {paths:?}");
        }
    }
}
