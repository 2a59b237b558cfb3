//! The settings file as a whole: what is read, what is written, and what stays.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jobwatch_core::model::Topic;
use jobwatch_core::server::{DialectKind, KeyPlacement, PolicyChange};
use toml::{Table, Value};

use super::*;

const WITH_UNKNOWN: &str = r#"
version = 1
from_the_future = true

[preferences]
theme = "dark"
popups = false
chime = "bell"

[[server]]
id = "a"
name = "First"
dialect = "kecs"
ws = "ws://localhost:8080"
watch = ["all", "job:x:y"]
has_key = true
colour = "red"

[server.policy]
attempts = 3
mood = "patient"

[[server]]
id = "b"
name = "Odd"
dialect = "not-yet-invented"
ws = "ws://localhost"
"#;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("settings.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

/// Saves what must be saved at once.
fn save(file: &mut SettingsFile, settings: &Settings) -> Option<String> {
    match file.save(settings).unwrap() {
        Saved::Replaced(note) => note,
        Saved::Edited(read) => panic!("somebody else has written {read:?}"),
    }
}

#[test]
fn unknown_keys_survive_at_every_level() {
    let (_directory, path) = file(WITH_UNKNOWN);
    let (mut file, read) = SettingsFile::load(path.clone());
    let (mut settings, problem) = (read.settings, read.problem);
    assert!(problem.unwrap().contains("\"Odd\" cannot be used"));
    assert_eq!(settings.servers.len(), 1);
    assert_eq!(settings.servers[0].server.watch.len(), 2);
    assert!(settings.servers[0].has_key);
    settings.servers[0].server.name = "Renamed".to_owned();
    settings.servers[0].server.policy.attempts = None;
    settings.preferences.popups = true;
    save(&mut file, &settings);
    let text = std::fs::read_to_string(&path).unwrap();
    let table: Table = text.parse().unwrap();
    assert_eq!(table["from_the_future"].as_bool(), Some(true));
    assert_eq!(table["preferences"]["chime"].as_str(), Some("bell"));
    assert_eq!(table["preferences"]["popups"].as_bool(), Some(true));
    let servers = table["server"].as_array().unwrap();
    assert_eq!(servers.len(), 2, "{text}");
    assert_eq!(servers[0]["name"].as_str(), Some("Renamed"));
    assert_eq!(servers[0]["colour"].as_str(), Some("red"));
    assert_eq!(servers[0]["policy"]["mood"].as_str(), Some("patient"));
    assert!(servers[0]["policy"].get("attempts").is_none());
    assert_eq!(servers[1]["dialect"].as_str(), Some("not-yet-invented"));
    let (_, again) = SettingsFile::load(path);
    assert_eq!(again.settings, settings);
}

#[test]
fn quiet_and_mutes_are_kept_and_hours_that_cannot_be_read_are_named() {
    let (_directory, path) = file("version = 1\n");
    let (mut file, _) = SettingsFile::load(path.clone());
    let hours = |from: &str| QuietHours {
        days: vec!["mon".to_owned()],
        from: from.to_owned(),
        to: "07:00".to_owned(),
    };
    let name = Some("warm".to_owned());
    let mute = Mute { server: "a".to_owned(), name, ..Mute::default() };
    let mut settings = Settings::default();
    settings.preferences.quiet_hours = vec![hours("22:00"), hours("late")];
    settings.preferences.muted = vec![mute];
    settings.preferences.snoozed_until = Some(1_800_000_000_000);
    save(&mut file, &settings);
    let (mut file, read) = SettingsFile::load(path.clone());
    assert_eq!(read.settings, settings);
    let problem = read.problem.expect("one is unreadable");
    assert!(problem.contains("quiet hours 2 are none"), "{problem}");
    settings.preferences.quiet_hours.pop();
    settings.preferences.snoozed_until = None;
    save(&mut file, &settings);
    let (_, read) = SettingsFile::load(path);
    assert_eq!((read.settings, read.problem), (settings, None));
}

#[test]
fn a_broken_file_is_named_kept_and_only_overwritten_with_a_copy() {
    let (directory, path) = file("version = 1\n[[server]\nname = \"secret place\"\n");
    let (mut file, read) = SettingsFile::load(path.clone());
    let (settings, problem) = (read.settings, read.problem.unwrap());
    assert!(problem.contains("line 2") && !problem.contains("secret place"), "{problem}");
    assert_eq!(settings, Settings::default());
    assert!(std::fs::read_to_string(&path).unwrap().contains("[[server]\n"));
    save(&mut file, &settings);
    let kept = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|found| *found != path)
        .map(|found| std::fs::read_to_string(found).unwrap())
        .collect::<Vec<_>>();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].contains("secret place"));
}

#[test]
fn a_broken_file_is_read_again_when_it_was_mended() {
    let (_directory, path) = file("nonsense");
    let (mut file, _) = SettingsFile::load(path.clone());
    assert!(file.reload_if_mended().is_none());
    std::fs::write(&path, WITH_UNKNOWN).unwrap();
    let settings = file.reload_if_mended().unwrap().settings;
    assert_eq!(settings.servers[0].server.dialect, DialectKind::Kecs);
}

#[test]
fn servers_under_a_wrong_name_are_not_passed_over_in_silence() {
    let (_directory, path) = file("version = 1\n[[servers]]\nname = \"a\"\n");
    let problem = SettingsFile::load(path).1.problem.unwrap();
    assert!(problem.contains("[[server]], not [[servers]]"), "{problem}");
}

#[test]
fn a_missing_file_is_an_empty_one_and_saving_makes_its_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deep/er/settings.toml");
    let (mut file, read) = SettingsFile::load(path.clone());
    let settings = read.settings;
    assert_eq!((&settings, read.problem), (&Settings::default(), None));
    save(&mut file, &settings);
    assert!(path.exists());
}

#[test]
fn what_somebody_else_wrote_is_read_before_the_file_is_replaced() {
    let (_directory, path) = file(WITH_UNKNOWN);
    let (mut file, read) = SettingsFile::load(path.clone());
    let edited = WITH_UNKNOWN.replace("ws://localhost:8080", "ws://elsewhere:8080");
    std::fs::write(&path, &edited).unwrap();
    let Saved::Edited(edit) = file.save(&read.settings).unwrap() else { panic!("overwritten") };
    assert_eq!(std::fs::read_to_string(&path).unwrap(), edited);
    assert_eq!(edit.settings.servers[0].server.ws, "ws://elsewhere:8080");
    assert_eq!(edit.ids.unwrap(), ["a", "b"]);
    assert_eq!(save(&mut file, &edit.settings), None);
    assert!(std::fs::read_to_string(&path).unwrap().contains("ws://elsewhere:8080"));
}

#[test]
fn an_edit_that_cannot_be_read_is_kept_as_a_copy_that_is_named() {
    let (directory, path) = file(WITH_UNKNOWN);
    let (mut file, read) = SettingsFile::load(path.clone());
    std::fs::write(&path, "colour = \"half writ").unwrap();
    let note = save(&mut file, &read.settings).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("from_the_future"), "what was known of the file stays: {text}");
    let entries = std::fs::read_dir(directory.path()).unwrap();
    let mut others = entries.map(|entry| entry.unwrap().path()).filter(|found| *found != path);
    let copy = others.next().unwrap();
    assert!(note.contains(&copy.display().to_string()), "{note}");
    assert!(std::fs::read_to_string(copy).unwrap().contains("half writ"));
}

#[test]
fn a_server_in_single_brackets_is_named_and_kept() {
    let (_directory, path) =
        file("[server]\nid = \"a\"\nname = \"A\"\ndialect = \"kecs\"\nws = \"ws://h\"\n");
    let (mut file, read) = SettingsFile::load(path.clone());
    assert!(read.settings.servers.is_empty());
    assert!(read.problem.unwrap().contains("[[server]]"));
    assert!(save(&mut file, &read.settings).is_none_or(|note| note.contains("kept")));
    let (_, again) = SettingsFile::load(path);
    assert_eq!(again.settings.servers[0].server.ws, "ws://h", "it is mended, not lost");
}

#[test]
fn a_watch_list_or_a_key_flag_of_the_wrong_kind_is_named_and_kept_as_it_is() {
    for wrong in ["watch = \"all\"", "has_key = \"yes\""] {
        let server = "[[server]]\nid = \"a\"\nname = \"A\"\ndialect = \"kecs\"\nws = \"ws://h\"";
        let (_directory, path) = file(&format!("{server}\n{wrong}\n"));
        let (mut file, read) = SettingsFile::load(path.clone());
        let problem = read.problem.unwrap();
        assert!(problem.contains("server \"A\" cannot be used"), "{problem}");
        save(&mut file, &read.settings);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(wrong), "{text}");
    }
}

#[test]
fn settings_of_a_newer_version_are_used_as_far_as_they_are_known_and_copied_before_a_save() {
    let newer = WITH_UNKNOWN.replace("version = 1", "version = 99");
    let (directory, path) = file(&newer);
    let (mut file, read) = SettingsFile::load(path.clone());
    assert!(read.problem.unwrap().contains("newer version"));
    assert_eq!(read.settings.servers.len(), 1);
    assert!(save(&mut file, &read.settings).is_some());
    let entries = std::fs::read_dir(directory.path()).unwrap();
    let mut others = entries.map(|entry| entry.unwrap().path()).filter(|found| *found != path);
    assert_eq!(std::fs::read_to_string(others.next().unwrap()).unwrap(), newer);
    assert!(std::fs::read_to_string(&path).unwrap().contains("from_the_future"));
}

/// A file of an earlier version, whose preferences were named in another style.
const EARLIER: &str = "\
version = 1

[preferences]
theme = \"dark\"
logMegabytes = 512 # small disk
quietLetsFailures = true
chimeSound = \"bell\"

[[preferences.quietHours]]
days = [\"mon\"]
from = \"22:00\"
to = \"07:00\"

[[preferences.rules]]
name = \"Nights\" # mine
kinds = [\"failed\"]
atLeastSeconds = 60
mood = \"calm\"
";

#[test]
fn a_file_of_an_earlier_version_means_what_it_meant_and_is_written_in_one_style() {
    let (_directory, path) = file(EARLIER);
    let (mut file, read) = SettingsFile::load(path.clone());
    assert_eq!(read.problem, None);
    let mut settings = read.settings;
    let preferences = &settings.preferences;
    assert_eq!((preferences.log_megabytes, preferences.quiet_lets_failures), (512, true));
    assert_eq!(preferences.quiet_hours.len(), 1);
    assert_eq!(preferences.rules[0].at_least_seconds, 60);
    settings.preferences.sound = false;
    save(&mut file, &settings);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("log_megabytes = 512 # small disk"), "{text}");
    assert!(text.contains("name = \"Nights\" # mine"), "{text}");
    assert!(text.contains("at_least_seconds = 60"), "{text}");
    assert!(text.contains("mood = \"calm\""), "an unknown key of a rule stays: {text}");
    assert!(text.contains("chimeSound = \"bell\""), "{text}");
    for old in ["logMegabytes", "quietHours", "atLeastSeconds", "quietLetsFailures"] {
        assert!(!text.contains(old), "{old}: {text}");
    }
    let (_, again) = SettingsFile::load(path);
    assert_eq!(again.settings, settings);
}

#[test]
fn where_a_key_stands_under_both_names_that_of_today_counts() {
    let (_directory, path) = file(
        "[preferences]\nlogDays = 1\nlog_days = 2\n[[preferences.rules]]\nlost_minutes = 3\nlostMinutes = 4\n",
    );
    let preferences = SettingsFile::load(path).1.settings.preferences;
    assert_eq!((preferences.log_days, preferences.rules[0].lost_minutes), (2, 3));
}

#[test]
fn a_change_of_one_rule_keeps_what_this_version_does_not_know() {
    let (_directory, path) = file(
        "[[preferences.rules]]\nname = \"a\"\nmine = 1\n[[preferences.rules]]\nname = \"b\"\nmine = 2\n",
    );
    let (mut file, read) = SettingsFile::load(path.clone());
    let mut settings = read.settings;
    settings.preferences.rules[1].watched = true;
    save(&mut file, &settings);
    let mine = |text: &str| {
        let table: Table = text.parse().unwrap();
        let rules = table["preferences"]["rules"].as_array().unwrap().clone();
        rules.iter().map(|rule| rule.get("mine").and_then(Value::as_integer)).collect::<Vec<_>>()
    };
    assert_eq!(mine(&std::fs::read_to_string(&path).unwrap()), [Some(1), Some(2)]);
    settings.preferences.rules.remove(0);
    save(&mut file, &settings);
    assert_eq!(mine(&std::fs::read_to_string(&path).unwrap()), [Some(2)]);
}

/// Settings in which every key is written.
fn complete() -> Settings {
    let hours = QuietHours {
        days: vec!["mon".to_owned()],
        from: "22:00".to_owned(),
        to: "07:00".to_owned(),
    };
    let text = || Some("x".to_owned());
    let mute = Mute { server: "a".to_owned(), name: text(), error: text(), queue: text() };
    let preferences = Preferences {
        quiet_hours: vec![hours],
        snoozed_until: Some(1),
        muted: vec![mute],
        rules: vec![NoticeRule::default()],
        ..Preferences::default()
    };
    let server = Server {
        id: ServerId("a".to_owned()),
        name: "A".to_owned(),
        dialect: DialectKind::Kecs,
        ws: "ws://h".to_owned(),
        api: text(),
        key: Some(KeyPlacement::Header { name: "X-Key".to_owned(), scheme: text() }),
        namespace: text(),
        options: BTreeMap::from([("cluster".to_owned(), "c".to_owned())]),
        watch: vec![Topic::Everything],
        paused: true,
        extra_ca: Some(PathBuf::from("/ca.pem")),
        policy: PolicyChange {
            first_delay_ms: Some(1),
            max_delay_ms: Some(1),
            attempts: Some(1),
            poll_ms: Some(1),
        },
    };
    Settings { servers: vec![SavedServer { server, has_key: true }], preferences }
}

/// The keys of a file, each with the header of its table.
fn keys(table: &Table, header: &str, into: &mut BTreeSet<String>) {
    let below = |name: &str| match header {
        "" => name.to_owned(),
        header => format!("{header}.{name}"),
    };
    for (name, value) in table {
        match value {
            Value::Table(table) => keys(table, &below(name), into),
            Value::Array(all) if all.first().is_some_and(Value::is_table) => {
                for table in all.iter().filter_map(Value::as_table) {
                    keys(table, &below(name), into);
                }
            }
            _ => {
                into.insert(below(name));
            }
        }
    }
}

#[test]
fn the_documentation_of_the_settings_names_every_key_and_no_other() {
    let mut written = BTreeSet::new();
    keys(&format::changed(&Table::new(), &complete()).unwrap(), "", &mut written);
    // Which options there are is the business of each kind of server.
    written.remove("server.options.cluster");
    let guide = include_str!("../../../../docs/settings.md");
    let mut documented = BTreeSet::new();
    let mut header = String::new();
    for line in guide.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            header = heading.trim_matches(['`', '[', ']']).to_owned();
        } else if let Some(row) = line.strip_prefix("| `") {
            let key = row.split('`').next().unwrap_or_default();
            let top = header == "The file";
            documented.insert(if top { key.to_owned() } else { format!("{header}.{key}") });
        }
    }
    assert_eq!(documented, written);
}
