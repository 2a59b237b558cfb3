//! What sources may contain, by where they are.

use super::limits::Parsed;
use super::{File, Finding};

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
pub fn check(files: &[File], rust: &[Parsed<'_>]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = rust.iter().flat_map(check_rust).collect();
    for file in files {
        let path = file.path.as_str();
        let is_page_test = path.ends_with(".test.ts");
        if path.starts_with("ui/src/") && !is_page_test {
            findings.extend(page(path, &file.text));
        }
        if is_page_test {
            findings.extend(switched_off(path, &file.text));
        }
    }
    findings
}

fn check_rust(Parsed { file, source }: &Parsed<'_>) -> Vec<Finding> {
    let secrets = source.serialisable_secrets.iter().map(|line| Finding {
        place: format!("{}:{line}", file.path),
        problem: "this type holds a secret and can be serialised".to_owned(),
        remedy: "keep the secret out of it and pass it separately",
    });
    // A test that another test of the file runs in a process of its own does run.
    let runs = file.text.contains("\"--ignored\"");
    let ignored = source.ignored.iter().filter(|_| !runs).map(|line| Finding {
        place: format!("{}:{line}", file.path),
        problem: "`#[ignore]` keeps a test from running".to_owned(),
        remedy: SWITCHED_OFF,
    });
    secrets.chain(ignored).collect()
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
    // The bridge of `cargo xtask dev` is in no page that ships.
    let ways_out = if path == "ui/src/lib/backend/bridge.ts" { &[] } else { WAYS_OUT };
    for needle in ways_out {
        find(needle, "the page opens no connection: ask Rust through lib/backend");
    }
    if !path.starts_with("ui/src/lib/backend/") {
        find("@tauri-apps/", "only lib/backend knows Tauri: add what is missing to its interface");
    }
    findings
}

const SWITCHED_OFF: &str =
    "repair the test or delete it; a wrong behaviour can be asserted with a comment";

fn switched_off(path: &str, text: &str) -> Vec<Finding> {
    let switches =
        ["it.skip(", "it.only(", "it.todo(", "test.skip(", "describe.skip(", "describe.only("];
    let places = switches.iter().flat_map(|switch| text.match_indices(switch));
    places
        .map(|(at, switch)| Finding {
            place: format!("{path}:{}", line_of(text, at)),
            problem: format!("`{switch}` keeps a test from running"),
            remedy: SWITCHED_OFF,
        })
        .collect()
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        check(&[file], &[]).into_iter().map(|it| format!("{}: {}", it.place, it.problem)).collect()
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
