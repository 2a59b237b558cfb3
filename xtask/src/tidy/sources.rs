//! What sources may say, by where they are.

use super::source::{code_only, paths};
use super::{File, Finding};

/// What the core never names: a clock, a disk, a network, a thread, chance.
const IMPURE: &[&str] = &[
    "std::time::Instant",
    "std::time::SystemTime",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "std::io::stdout",
    "std::io::stdin",
    "rand",
    "tokio",
    "Timestamp::now",
    "Zoned::now",
];

/// What the page never names: a way out.
const WAYS_OUT: &[&str] = &[
    "fetch(",
    "new WebSocket",
    "new EventSource",
    "XMLHttpRequest",
    "sendBeacon",
    "importScripts",
];

/// Checks every source file.
pub fn check(files: &[File]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files {
        let path = file.path.as_str();
        if path.ends_with(".rs") {
            let code = code_only(&file.text);
            if path.starts_with("crates/core/src/") {
                findings.extend(impure(path, &code));
            }
            findings.extend(serialisable_secrets(path, &code));
            // A test that another one of the file runs, in a process of its own, does run.
            if !file.text.contains("\"--ignored\"") {
                findings.extend(switched_off(path, &code, &["#[ignore"]));
            }
        }
        let is_page_test = path.ends_with(".test.ts");
        if path.starts_with("ui/src/") && !is_page_test {
            findings.extend(page(path, &file.text));
        }
        if is_page_test {
            let switches = [
                "it.skip(",
                "it.only(",
                "it.todo(",
                "test.skip(",
                "describe.skip(",
                "describe.only(",
            ];
            findings.extend(switched_off(path, &file.text, &switches));
        }
    }
    findings
}

fn impure(path: &str, code: &str) -> Vec<Finding> {
    let names = |found: &str, impure: &str| {
        found == impure
            || found.strip_prefix(impure).is_some_and(|rest| rest.starts_with("::"))
            || (found.ends_with(&format!("::{impure}")) && impure.ends_with("::now"))
    };
    paths(code)
        .into_iter()
        .filter_map(|(line, found)| {
            let impure = IMPURE.iter().find(|impure| names(&found, impure))?;
            Some(Finding {
                place: format!("{path}:{line}"),
                problem: format!("the core names {impure}"),
                remedy: "time, chance and IO are arguments of the core: let the engine pass them in",
            })
        })
        .collect()
}

/// Types that hold a secret and can be serialised.
fn serialisable_secrets(path: &str, code: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let finding = |line: usize, what: &str| Finding {
        place: format!("{path}:{line}"),
        problem: format!("{what} holds a secret and can be serialised"),
        remedy: "keep the secret out of it and pass it beside it",
    };
    for (at, _) in code.match_indices("#[derive(") {
        let derives = code[at..].split(")]").next().unwrap_or_default();
        let serialises = ["Serialize", "Deserialize", "TS"].iter().any(|it| has_word(derives, it));
        if !serialises {
            continue;
        }
        // From the derive to the item's end: its closing brace, or the semicolon before any.
        let item = &code[at + derives.len()..];
        let body = body(item);
        if has_word(body, "Secret") || has_word(body, "SecretString") || has_word(body, "SecretBox")
        {
            findings.push(finding(line_of(code, at), "this type"));
        }
    }
    for name in ["Serialize for Secret", "Deserialize<'de> for Secret", "Display for Secret"] {
        if let Some(at) = code.find(name) {
            findings.push(finding(line_of(code, at), "the key itself"));
        }
    }
    findings
}

fn body(item: &str) -> &str {
    let mut depth = 0usize;
    for (at, character) in item.char_indices() {
        match character {
            ';' if depth == 0 => return &item[..at],
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return &item[..at];
                }
            }
            _ => {}
        }
    }
    item
}

fn page(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |needle: &str, remedy: &'static str| {
        for (at, _) in text.match_indices(needle) {
            findings.push(Finding {
                place: format!("{path}:{}", line_of(text, at)),
                problem: format!("the page says `{needle}`"),
                remedy,
            });
        }
    };
    for needle in ["{@html", "innerHTML", "insertAdjacentHTML", "document.write"] {
        find(needle, "text from servers is text: render it as a text node");
    }
    for needle in WAYS_OUT {
        find(needle, "the page opens no connection: ask Rust through lib/backend");
    }
    if !path.starts_with("ui/src/lib/backend/") {
        find("@tauri-apps/", "only lib/backend knows Tauri: add what is missing to its interface");
    }
    findings
}

fn switched_off(path: &str, code: &str, switches: &[&str]) -> Vec<Finding> {
    let places = switches.iter().flat_map(|switch| code.match_indices(switch));
    places
        .map(|(at, switch)| Finding {
            place: format!("{path}:{}", line_of(code, at)),
            problem: format!("`{switch}` keeps a test from running"),
            remedy: "repair the test or delete it; a wrong behaviour can be asserted with a comment",
        })
        .collect()
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let is_part = |it: char| it.is_alphanumeric() || it == '_';
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        check(&[file]).into_iter().map(|it| format!("{}: {}", it.place, it.problem)).collect()
    }

    #[test]
    fn the_core_may_not_name_a_clock_but_may_name_a_duration() {
        let text = "use std::time::{Duration, Instant};\nfn f() { jiff::Timestamp::now(); }\n";
        assert_eq!(
            problems("crates/core/src/x.rs", text),
            [
                "crates/core/src/x.rs:1: the core names std::time::Instant",
                "crates/core/src/x.rs:2: the core names Timestamp::now",
            ]
        );
        assert_eq!(problems("crates/engine/src/x.rs", text), Vec::<String>::new());
    }

    #[test]
    fn a_type_that_holds_a_secret_may_not_be_serialisable() {
        let text =
            "#[derive(Clone, Serialize)]\nstruct Login { user: String, key: Option<Secret> }";
        assert_eq!(problems("crates/engine/src/x.rs", text).len(), 1);
        let apart =
            "#[derive(Serialize)]\nstruct User { name: String }\nstruct Login { key: Secret }";
        assert_eq!(problems("crates/engine/src/x.rs", apart), Vec::<String>::new());
    }

    #[test]
    fn the_page_may_not_open_a_connection_or_insert_markup() {
        let text = "const a = await fetch(url);\nnode.innerHTML = a;";
        assert_eq!(problems("ui/src/app/x.ts", text).len(), 2);
        assert_eq!(problems("ui/src/app/x.test.ts", text), Vec::<String>::new());
    }

    #[test]
    fn only_the_backend_of_the_page_knows_tauri() {
        let text = "import { invoke } from '@tauri-apps/api/core';";
        assert_eq!(problems("ui/src/app/x.ts", text).len(), 1);
        assert_eq!(problems("ui/src/lib/backend/tauri.ts", text), Vec::<String>::new());
    }
}
