//! Core <- demo, core <- engine, all three <- app; nothing else.

use anyhow::Result;

use super::Finding;
use crate::shell::cargo;

/// What a crate must never depend on, however far away.
struct Rule {
    package: &'static str,
    never: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule {
        package: "jobwatch-core",
        never: &[
            "jobwatch",
            "jobwatch-engine",
            "jobwatch-demo",
            "tokio",
            "async-std",
            "smol",
            "futures",
            "reqwest",
            "hyper",
            "tungstenite",
            "tokio-tungstenite",
            "rusqlite",
            "libsqlite3-sys",
            "tauri",
            "zbus",
            "keyring",
            "notify-rust",
            "rand",
            "getrandom",
            "fastrand",
            "socket2",
            "mio",
        ],
    },
    Rule {
        package: "jobwatch-engine",
        never: &[
            "jobwatch",
            "jobwatch-demo",
            "tauri",
            "wry",
            "tao",
            "gtk",
            "keyring",
            "keyring-core",
            "notify-rust",
            "zbus",
        ],
    },
    Rule {
        package: "jobwatch-demo",
        never: &[
            "jobwatch",
            "jobwatch-engine",
            "tauri",
            "wry",
            "gtk",
            "keyring",
            "notify-rust",
            "rusqlite",
            "zbus",
        ],
    },
];

/// Asks Cargo for each crate's whole tree, on every system it could be built for.
pub fn check() -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for rule in RULES {
        let tree = cargo()
            .args(&["tree", "--locked", "--package", rule.package, "--edges", "normal,build"])
            .args(&["--target", "all", "--prefix", "none", "--no-dedupe", "--format", "{p}"])
            .output()?;
        for forbidden in forbidden(&tree, rule) {
            findings.push(Finding {
                place: rule.package.to_owned(),
                problem: format!("depends on {forbidden}"),
                remedy: "move the code to the crate that may depend on it (see ARCHITECTURE.md); \
                         `cargo tree -i` shows the way in",
            });
        }
    }
    Ok(findings)
}

fn forbidden(tree: &str, rule: &Rule) -> Vec<&'static str> {
    let names: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    rule.never.iter().copied().filter(|name| names.contains(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_crate_is_found_by_its_whole_name() {
        let tree = "jobwatch-core v0.1.0\nserde v1.0.229\ntokio-util v0.7.20\nmio v1.0.0\n";
        let rule = Rule { package: "jobwatch-core", never: &["tokio", "jobwatch", "mio"] };
        assert_eq!(forbidden(tree, &rule), ["mio"]);
    }
}
