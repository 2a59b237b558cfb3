//! Rules about files, whatever language they are in.

use super::{File, Finding};

/// Beginnings of paths that exist on one machine only. Spelled in halves, so that this file does
/// not break its own rule.
const MACHINE_PATHS: &[&str] = &[concat!("/ro", "ot/"), concat!("/wo", "rk/")];

/// Checks every file.
pub fn check(files: &[File]) -> Vec<Finding> {
    files
        .iter()
        .flat_map(|file| names_a_registry(file).into_iter().chain(machine_paths(file)))
        .collect()
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
    fn a_lock_file_names_no_host() {
        assert_eq!(problems("ui/package-lock.json", "{\"resolved\": \"x\"}"), 1);
    }
}
