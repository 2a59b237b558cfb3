//! Rules about files, whatever language they are in.

use super::{File, Finding};

const LONGEST: usize = 600;

/// Files that may be longer, each with the reason why it is still one thing.
const LONG_FOR_A_REASON: &[(&str, &str)] = &[
    ("crates/core/src/jobs/merge.rs", "the rules of merging one job, which must be read together"),
    ("crates/core/tests/sim/rounds.rs", "scenarios of one subject, each a few lines, on one bench"),
    ("crates/core/src/dialect/mod.rs", "the contract of a dialect, every word of it in one place"),
    (
        "crates/core/src/connection/mod.rs",
        "the machine's fields and its one dispatch of inputs; each concern lies beside it already",
    ),
    (
        "crates/engine/src/engine/mod.rs",
        "the handle: one short method for each thing the engine can be asked",
    ),
    (
        "crates/engine/src/engine/notices.rs",
        "a notice's way from the decision to the ledger, the popup and the list",
    ),
    (
        "crates/engine/src/engine/window.rs",
        "everything a page can open, pull and close, which share what is open",
    ),
    (
        "crates/engine/tests/engine/dialects.rs",
        "scenarios of one subject, each a few lines, on one demo",
    ),
    (
        "tests/desktop/notifier.rs",
        "scenarios of one subject, against one fake notification server and one real",
    ),
    (
        "crates/engine/src/engine/configure.rs",
        "what a change of the settings changes in the loop, one change after another",
    ),
    (
        "crates/engine/src/settings.rs",
        "one file's reading, merging and writing, with the tests that pin its format",
    ),
    (
        "crates/core/tests/sim/world.rs",
        "server, wire, clocks and machine share one queue of events: the world is that queue",
    ),
    (
        "crates/engine/src/engine/servers.rs",
        "one server's life in the loop, from what its driver says to what the user asks of it",
    ),
    (
        "crates/engine/src/history/store.rs",
        "every statement beside the schema it is written against, and the file's own life",
    ),
];

/// Beginnings of paths that exist on one machine only. Spelled in halves, so that this file does
/// not break its own rule.
const MACHINE_PATHS: &[&str] = &[concat!("/ro", "ot/"), concat!("/wo", "rk/")];

/// Checks every file.
pub fn check(files: &[File]) -> Vec<Finding> {
    files
        .iter()
        .flat_map(|file| {
            [too_long(file), names_a_registry(file)]
                .into_iter()
                .flatten()
                .chain(machine_paths(file))
        })
        .collect()
}

fn too_long(file: &File) -> Option<Finding> {
    let is_source =
        [".rs", ".ts", ".svelte", ".mjs", ".css"].iter().any(|end| file.path.ends_with(end));
    let lines = file.text.lines().count();
    let is_allowed = LONG_FOR_A_REASON.iter().any(|(path, _)| *path == file.path);
    (is_source && lines > LONGEST && !is_allowed).then(|| Finding {
        place: file.path.clone(),
        problem: format!("has {lines} lines; more than {LONGEST} is usually two things"),
        remedy: "split it, or list it in xtask/src/tidy/files.rs with the reason why not",
    })
}

fn names_a_registry(file: &File) -> Option<Finding> {
    let is_lock = file.path.ends_with("package-lock.json");
    (is_lock && file.text.contains("\"resolved\"")).then(|| Finding {
        place: file.path.clone(),
        problem: "names the host its packages came from".to_owned(),
        remedy: "set omit-lockfile-registry-resolved=true in the .npmrc beside it and run npm install",
    })
}

fn machine_paths(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        let named = MACHINE_PATHS.iter().find(|path| {
            line.match_indices(**path).any(|(at, _)| {
                // `jobs/work/x` and `~/work/x` are relative.
                !line[..at].ends_with(|it: char| it.is_alphanumeric() || "._-~}/".contains(it))
            })
        });
        if let Some(path) = named {
            findings.push(Finding {
                place: format!("{}:{}", file.path, number + 1),
                problem: format!("names a path below {path}"),
                remedy: "such a path exists on one machine only: make it relative",
            });
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        check(&[File { path: path.to_owned(), text: text.to_owned() }]).len()
    }

    #[test]
    fn a_path_of_one_machine_is_found_and_a_relative_one_is_not() {
        assert_eq!(problems("a.md", concat!("see /ro", "ot/notes")), 1);
        assert_eq!(problems("a.md", concat!("see jobs/wo", "rk/notes")), 0);
    }

    #[test]
    fn a_long_source_file_is_found_and_long_data_is_not() {
        let long = "x\n".repeat(LONGEST + 1);
        assert_eq!(problems("a.rs", &long), 1);
        assert_eq!(problems("a.json", &long), 0);
    }

    #[test]
    fn a_lock_file_names_no_host() {
        assert_eq!(problems("ui/package-lock.json", "{\"resolved\": \"x\"}"), 1);
    }
}
