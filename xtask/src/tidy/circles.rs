//! Import circles between the files of a crate.

use std::collections::{BTreeMap, BTreeSet};

use super::rust::Source;

/// The files that import each other in circles of more than two, each circle sorted. `files` are
/// paths below the crate's root directory.
///
/// What a module's children import from it or from its own ancestors does not count: a module and its
/// children may know each other.
pub fn circles(files: &BTreeMap<String, &Source>) -> Vec<Vec<String>> {
    let modules: BTreeMap<Vec<String>, &str> =
        files.keys().map(|path| (module(path), path.as_str())).collect();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (path, source) in files {
        let from = module(path);
        let imports = edges.entry(path.as_str()).or_default();
        for path in &source.paths {
            if let Some(to) = resolve(&modules, &from, path)
                && !from.starts_with(&to)
            {
                imports.extend(modules.get(&to));
            }
        }
    }
    components(&edges).into_iter().filter(|circle| circle.len() > 2).collect()
}

/// The module of a file: `a/b.rs` and `a/b/mod.rs` are `a::b`.
fn module(path: &str) -> Vec<String> {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let mut names: Vec<String> = path.split('/').map(str::to_owned).collect();
    if names.last().is_some_and(|name| matches!(name.as_str(), "mod" | "lib" | "main")) {
        names.pop();
    }
    names
}

/// The module with a file of its own that holds what `path` names, seen from the module `from`.
fn resolve(
    modules: &BTreeMap<Vec<String>, &str>,
    from: &[String],
    path: &[String],
) -> Option<Vec<String>> {
    let mut names = path.iter().peekable();
    let mut at = match names.peek()?.as_str() {
        "crate" => {
            names.next();
            Vec::new()
        }
        "self" => {
            names.next();
            from.to_vec()
        }
        "super" => {
            let mut at = from.to_vec();
            while names.next_if(|name| *name == "super").is_some() {
                at.pop();
            }
            at
        }
        child => {
            let at = [from, &[child.to_owned()]].concat();
            return modules.contains_key(&at).then(|| deepest(modules, at, path[1..].iter()));
        }
    };
    at = deepest(modules, at, names);
    Some(at)
}

fn deepest<'a>(
    modules: &BTreeMap<Vec<String>, &str>,
    mut at: Vec<String>,
    names: impl Iterator<Item = &'a String>,
) -> Vec<String> {
    for name in names {
        let next = [&at[..], std::slice::from_ref(name)].concat();
        if !modules.contains_key(&next) {
            break;
        }
        at = next;
    }
    at
}

/// Strongly connected components, by what each file reaches. Slow, and fast enough.
fn components(edges: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<Vec<String>> {
    let reached = |from: &str| {
        let mut seen = BTreeSet::new();
        let mut left: Vec<&str> = edges.get(from).into_iter().flatten().copied().collect();
        while let Some(file) = left.pop() {
            if seen.insert(file) {
                left.extend(edges.get(file).into_iter().flatten());
            }
        }
        seen
    };
    let all: BTreeMap<&str, BTreeSet<&str>> =
        edges.keys().map(|file| (*file, reached(file))).collect();
    let circles: BTreeSet<Vec<String>> = all
        .iter()
        .map(|(file, reaches)| {
            let mutual = reaches.iter().filter(|other| all[*other].contains(file));
            mutual.map(|other| (*other).to_owned()).collect()
        })
        .collect();
    circles.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let sources: BTreeMap<String, Source> = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), Source::read(path, text).unwrap()))
            .collect();
        circles(&sources.iter().map(|(path, source)| (path.clone(), source)).collect())
    }

    #[test]
    fn three_files_in_a_circle_are_found_and_two_are_not() {
        let two =
            [("lib.rs", "mod a;"), ("a.rs", "use crate::b::B;"), ("b.rs", "use super::a::A;")];
        assert_eq!(found(&two), Vec::<Vec<String>>::new());
        let three = [
            ("lib.rs", ""),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "fn f() { super::c::g() }"),
            ("c.rs", "use crate::a::A;"),
        ];
        assert_eq!(found(&three), [["a.rs", "b.rs", "c.rs"]]);
    }

    #[test]
    fn a_module_and_its_children_may_know_each_other() {
        let files = [
            ("a/mod.rs", "use b::B; use c::C;"),
            ("a/b.rs", "use super::A;"),
            ("a/c.rs", "use crate::a::A; use super::b::B;"),
        ];
        assert_eq!(found(&files), Vec::<Vec<String>>::new());
    }
}
