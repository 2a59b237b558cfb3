//! Words that names and texts do without: the field has plainer ones (see the glossary in
//! ARCHITECTURE.md).

/// Verbs of speech for what programs do, names that were replaced, and old-fashioned adverbs.
const BANNED: &[&str] = &[
    "tell", "tells", "told", "telling", "untold", "hear", "hears", "heard", "unheard", "hearing",
    "glance", "hooking", "oddity", "oddities", "anew", "whence", "besides", "rouse", "wish",
    "distrust", "greeting", "lobby", "hush", "shed",
];

/// Names that are contracts: keys of files, of the command line's JSON and of servers.
const CONTRACTS: &[&str] = &["heard_at", "last_heard", "told_of_tray", "toldOfTray"];

/// The banned words in a name or a text.
pub fn banned(text: &str) -> Vec<&'static str> {
    if CONTRACTS.contains(&text) {
        return Vec::new();
    }
    words(text)
        .filter_map(|word| BANNED.iter().find(|banned| word.eq_ignore_ascii_case(banned)))
        .copied()
        .collect()
}

/// The words of a text, of a `snake_case` and of a `CamelCase` name.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphabetic()).flat_map(|part| {
        let starts = part.char_indices().skip(1).filter_map(|(at, c)| {
            let before = part[..at].chars().next_back()?;
            (c.is_ascii_uppercase() && before.is_ascii_lowercase()).then_some(at)
        });
        let mut starts: Vec<usize> = std::iter::once(0).chain(starts).collect();
        starts.push(part.len());
        let ranges: Vec<&str> = starts.windows(2).map(|range| &part[range[0]..range[1]]).collect();
        ranges
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn banned_words_are_found_in_names_and_texts_and_not_inside_other_words() {
        assert_eq!(banned("GlanceJob"), ["glance"]);
        assert_eq!(banned("is_told_of"), ["told"]);
        assert_eq!(banned("The server tells nothing anew."), ["tells", "anew"]);
        assert_eq!(banned("intelligence, shared, shedding"), Vec::<&str>::new());
        assert_eq!(banned("last_heard"), Vec::<&str>::new(), "a contract");
    }
}
