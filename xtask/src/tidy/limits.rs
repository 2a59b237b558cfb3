//! Limits: lengths of files and functions, import circles, banned words.
//!
//! What exceeds a limit today is listed in `baseline.txt`, one measurement a line. The list can only
//! fall: a check fails when something grows, when something new exceeds a limit, and when an entry is
//! no longer needed. `cargo xtask tidy --shrink` lowers and removes entries.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use super::rust::{Function, Source};
use super::{File, Finding, circles, words};
use crate::shell::root;

/// Lines of a file, and of one that holds tests.
const FILE: usize = 400;
const TEST_FILE: usize = 600;
/// Lines of a function.
const FUNCTION: usize = 80;

const BASELINE: &str = "xtask/src/tidy/baseline.txt";
const HEADER: &str = "# What exceeds a limit today. Entries may only fall or go: `cargo xtask tidy \
                      --shrink`.\n";

/// The root directories of the crates in which circles are looked for.
const CRATES: &[&str] =
    &["crates/core/src", "crates/engine/src", "crates/demo/src", "src-tauri", "xtask/src"];

/// What was measured, by what it was measured of: `file PATH`, `function PATH NAME`, `circles CRATE`
/// or `words PATH`. Only what exceeds its limit.
type Measured = BTreeMap<String, usize>;

/// A parsed Rust file.
pub struct Parsed<'a> {
    pub file: &'a File,
    pub source: Source,
}

/// Compares what is measured with the baseline.
///
/// # Errors
/// If the baseline cannot be read.
pub fn check(files: &[File], rust: &[Parsed<'_>]) -> Result<Vec<Finding>> {
    Ok(compare(&measure(files, rust), &baseline()?))
}

/// Lowers the baseline to what is measured.
///
/// # Errors
/// If the baseline cannot be read or written.
pub fn shrink(files: &[File], rust: &[Parsed<'_>]) -> Result<()> {
    let text = shrunk(&measure(files, rust), &baseline()?);
    std::fs::write(root().join(BASELINE), text).context("the baseline cannot be written")
}

fn baseline() -> Result<Measured> {
    let text = std::fs::read_to_string(root().join(BASELINE));
    read(&text.with_context(|| format!("{BASELINE} cannot be read"))?)
}

fn read(text: &str) -> Result<Measured> {
    let mut allowed = Measured::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let entry = line
            .rsplit_once(' ')
            .and_then(|(what, size)| Some((what, size.parse::<usize>().ok()?)));
        let (what, size) = entry.with_context(|| format!("`{line}` is not an entry"))?;
        // A merge may leave an entry twice: the smaller one holds.
        allowed.entry(what.to_owned()).and_modify(|it| *it = size.min(*it)).or_insert(size);
    }
    Ok(allowed)
}

fn shrunk(measured: &Measured, baseline: &Measured) -> String {
    let left = baseline.iter().filter_map(|(what, allowed)| {
        let size = measured.get(what)?;
        Some(format!("{what} {}\n", size.min(allowed)))
    });
    HEADER.to_owned() + &left.collect::<String>()
}

fn compare(measured: &Measured, baseline: &Measured) -> Vec<Finding> {
    let grown = measured.iter().filter_map(|(what, size)| {
        let allowed = baseline.get(what).copied();
        let problem = match allowed {
            Some(allowed) if *size <= allowed => return None,
            Some(allowed) => format!("has grown from {allowed} to {size}"),
            None => format!("is {size}, over the limit"),
        };
        let remedy = match what.split(' ').next() {
            Some("file") => "split it by subject: at most 400 lines, 600 for tests",
            Some("function") => "split it: at most 80 lines",
            Some("circles") => "break the circle: move what both need, or return a value instead",
            _ => "use the words of the glossary in ARCHITECTURE.md",
        };
        Some(Finding { place: what.clone(), problem, remedy })
    });
    let needless = baseline.keys().filter(|what| !measured.contains_key(*what)).map(|what| {
        let problem = "no longer exceeds its limit".to_owned();
        Finding {
            place: what.clone(),
            problem,
            remedy: "run `cargo xtask tidy --shrink` and commit",
        }
    });
    grown.chain(needless).collect()
}

fn measure(files: &[File], rust: &[Parsed<'_>]) -> Measured {
    let mut measured = Measured::new();
    for file in files.iter().filter(|file| file.is_source()) {
        let (lines, limit) = (file.lines(), if file.is_test() { TEST_FILE } else { FILE });
        if lines > limit {
            measured.insert(format!("file {}", file.path), lines);
        }
    }
    for Parsed { file, source } in rust {
        for function in source.functions.iter().filter(|it| it.lines > FUNCTION) {
            let longest = measured.entry(format!("function {} {}", file.path, function.name));
            let longest = longest.or_default();
            *longest = function.lines.max(*longest);
        }
        // The rule's own file spells them out.
        if file.path != "xtask/src/tidy/words.rs" {
            let found: usize = source.words.iter().map(|(_, text)| words::banned(text).len()).sum();
            if found > 0 {
                measured.insert(format!("words {}", file.path), found);
            }
        }
    }
    for (root, circles) in circles_by_crate(rust) {
        measured.insert(format!("circles {root}"), circles.iter().map(Vec::len).sum());
    }
    measured
}

/// The circles of each crate that has any.
fn circles_by_crate(rust: &[Parsed<'_>]) -> Vec<(&'static str, Vec<Vec<String>>)> {
    let of = |root: &&'static str| {
        let files: BTreeMap<String, &Source> = rust
            .iter()
            .filter_map(|it| {
                let path = it.file.path.strip_prefix(root)?.strip_prefix('/')?;
                Some((path.to_owned(), &it.source))
            })
            .collect();
        (*root, circles::circles(&files))
    };
    CRATES.iter().map(of).filter(|(_, circles)| !circles.is_empty()).collect()
}

/// Prints the counts: files, lines, circles, the longest files and functions.
pub fn print_counts(files: &[File], rust: &[Parsed<'_>]) {
    let sources: Vec<&File> = files.iter().filter(|file| file.is_source()).collect();
    let inline = |file: &File| {
        rust.iter().find(|it| it.file.path == file.path).map_or(0, |it| it.source.test_lines)
    };
    let (mut product, mut tests) = (0, 0);
    for file in &sources {
        let inside = if file.is_test() { file.lines() } else { inline(file) };
        tests += inside;
        product += file.lines() - inside;
    }
    println!("source files    {}", sources.len());
    println!("product lines   {product}");
    println!("test lines      {tests}");
    let over = measure(files, rust);
    for kind in ["file", "function", "words"] {
        let count = over.keys().filter(|what| what.starts_with(&format!("{kind} "))).count();
        println!("{kind:<8} limits broken in {count}");
    }
    for (root, circles) in circles_by_crate(rust) {
        for circle in circles {
            let some = circle.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
            println!("circle          {root}: {} files: {some}", circle.len());
        }
    }
    let mut longest: Vec<(usize, String)> =
        sources.iter().map(|file| (file.lines(), file.path.clone())).collect();
    println!("longest files");
    print_longest(&mut longest);
    let functions = rust.iter().flat_map(|it| {
        let path = &it.file.path;
        let of = move |it: &Function| (it.lines, format!("{path}:{} {}", it.line, it.name));
        it.source.functions.iter().map(of)
    });
    println!("longest functions");
    print_longest(&mut functions.collect::<Vec<_>>());
}

fn print_longest(all: &mut [(usize, String)]) {
    all.sort_by(|a, b| b.cmp(a));
    all.iter().take(10).for_each(|(lines, name)| println!("  {lines:>5}  {name}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(all: &[(&str, usize)]) -> Measured {
        all.iter().map(|(what, size)| ((*what).to_owned(), *size)).collect()
    }

    #[test]
    fn what_is_listed_may_not_grow_and_what_is_not_listed_may_not_exceed() {
        let allowed = sizes(&[("file a.rs", 500), ("file b.rs", 500)]);
        let now = sizes(&[("file a.rs", 499), ("file b.rs", 501), ("file c.rs", 401)]);
        let found = compare(&now, &allowed);
        let found: Vec<_> = found.iter().map(|it| it.place.as_str()).collect();
        assert_eq!(found, ["file b.rs", "file c.rs"]);
    }

    #[test]
    fn an_entry_that_is_no_longer_needed_must_go_and_the_list_only_falls() {
        let allowed = sizes(&[("file a.rs", 500), ("file b.rs", 500), ("file d.rs", 450)]);
        let now = sizes(&[("file a.rs", 450), ("file b.rs", 600), ("file c.rs", 700)]);
        assert!(compare(&now, &allowed).iter().any(|it| it.place == "file d.rs"));
        let shrunk = read(&shrunk(&now, &allowed)).unwrap();
        assert_eq!(shrunk, sizes(&[("file a.rs", 450), ("file b.rs", 500)]));
    }

    #[test]
    fn files_and_functions_are_measured_against_their_own_limits() {
        let file =
            |path: &str, lines: usize| File { path: path.to_owned(), text: "// x\n".repeat(lines) };
        let long = |lines: usize| format!("fn f() {{\n{}}}\n", "    g();\n".repeat(lines));
        let files = [
            file("crates/a/src/a.rs", 401),
            file("crates/a/tests/b.rs", 600),
            file("ui/src/c.test.ts", 601),
            file("a.json", 900),
            File { path: "src-tauri/d.rs".to_owned(), text: long(79) },
        ];
        let parsed = |file| Parsed { file, source: Source::read("", &file.text).unwrap() };
        let rust: Vec<Parsed<'_>> =
            files.iter().filter(|file| file.path.ends_with(".rs")).map(parsed).collect();
        let found = measure(&files, &rust);
        let over = sizes(&[
            ("file crates/a/src/a.rs", 401),
            ("file ui/src/c.test.ts", 601),
            ("function src-tauri/d.rs f", 81),
        ]);
        assert_eq!(found, over);
    }
}
