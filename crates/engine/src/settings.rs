//! The settings: one readable file, replaced as a whole, without secrets.
//!
//! What this version does not know is kept when the file is rewritten, at every level: a newer
//! version's settings survive an older one, and so do the comments and the order of a file that
//! somebody keeps by hand. A file that cannot be read is never overwritten
//! without a copy, and what somebody else wrote into it meanwhile is read before it is replaced.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jobwatch_core::model::Topic;
use jobwatch_core::server::{Server, ServerId};
use toml::{Table, Value};
use toml_edit::DocumentMut;

use crate::files;

mod edit;
mod preferences;
mod rules;

pub use preferences::{Mute, Preferences, PreferencesPatch, QuietHours, Theme};
pub use rules::NoticeRule;

/// A larger file holds no settings, in bytes.
const LARGEST: u64 = 16 << 20;
/// The version that is written.
const VERSION: i64 = 1;
/// What this version writes into a server's table. A known key that is absent from what is saved
/// is removed; all other keys are kept.
const SERVER_KEYS: [&str; 13] = [
    "id",
    "name",
    "dialect",
    "ws",
    "api",
    "key",
    "namespace",
    "options",
    "watch",
    "paused",
    "extra_ca",
    "policy",
    "has_key",
];
/// Tables inside a server's table in which unknown keys are kept too. `options` is not among
/// them: all its keys are the user's.
const POLICY_KEYS: [&str; 4] = ["first_delay_ms", "max_delay_ms", "attempts", "poll_ms"];
const KEY_KEYS: [&str; 3] = ["in", "name", "scheme"];

/// A server with what is not in [`Server`].
#[derive(Clone, Debug, PartialEq)]
pub struct SavedServer {
    /// The server.
    pub server: Server,
    /// Whether its key is in the keyring.
    pub has_key: bool,
}

/// The settings as this version understands them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// In the user's order.
    pub servers: Vec<SavedServer>,
    /// The user's choices.
    pub preferences: Preferences,
}

/// What a look into the file gave.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// What could be used.
    pub settings: Settings,
    /// What is wrong with the rest, a sentence for people.
    pub problem: Option<String>,
    /// The servers that stand in the file, usable or not; `None` when it could not be read at all.
    pub ids: Option<Vec<String>>,
}

/// The file, held by whoever changes the configuration; gone if writing it came to a bad end.
pub(crate) type SharedFile = Arc<tokio::sync::Mutex<Option<SettingsFile>>>;

/// What became of a save.
#[derive(Debug)]
pub enum Saved {
    /// The file is replaced; the text tells what was set aside for that.
    Replaced(Option<String>),
    /// Nothing was written: somebody else has changed the file since it was last read, and this is
    /// what it says now.
    Edited(Box<Read>),
}

/// The file.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
    /// The file as read or last written, with everything unknown.
    document: Table,
    /// The same as it is written, with comments and blanks.
    written: DocumentMut,
    /// Whether the file on disk holds what could not be read, so that a copy is due before it is
    /// overwritten.
    unread: bool,
    /// The text last read or written, to notice that somebody else changed the file.
    text: String,
}

impl SettingsFile {
    /// Reads the file; a missing one is an empty one.
    #[must_use]
    pub fn load(path: PathBuf) -> (SettingsFile, Read) {
        let mut file = SettingsFile {
            path,
            document: Table::new(),
            written: DocumentMut::new(),
            unread: false,
            text: String::new(),
        };
        let read = file.read();
        (file, read)
    }

    /// Reads the file again if it could not be read before and has changed since.
    pub fn reload_if_mended(&mut self) -> Option<Read> {
        if !self.unread {
            return None;
        }
        let bytes = files::read(&self.path, LARGEST).ok()?;
        (String::from_utf8_lossy(&bytes) != self.text).then(|| self.understand(Ok(bytes)))
    }

    fn read(&mut self) -> Read {
        let bytes = files::read(&self.path, LARGEST);
        self.understand(bytes)
    }

    fn understand(&mut self, bytes: std::io::Result<Vec<u8>>) -> Read {
        self.unread = false;
        let shown = self.path.display().to_string();
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.document = Table::new();
                self.written = DocumentMut::new();
                self.text = String::new();
                return Read { ids: Some(Vec::new()), ..Read::default() };
            }
            Err(error) => {
                self.unread = true;
                let problem = Some(format!("The settings in {shown} cannot be read: {error}."));
                return Read { problem, ..Read::default() };
            }
        };
        self.text = String::from_utf8_lossy(&bytes).into_owned();
        match parse(&bytes) {
            Ok((document, written)) => (self.document, self.written) = (document, written),
            Err(what) => {
                self.unread = true;
                let problem = format!(
                    "The settings in {shown} cannot be read ({what}). Nothing was overwritten: \
                     mend the file, or go on without it; a copy is kept before anything is saved."
                );
                return Read { problem: Some(problem), ..Read::default() };
            }
        }
        let mut problems = Vec::new();
        let mut settings = Settings::default();
        if let Some(version) = self.document.get("version").and_then(Value::as_integer)
            && version > VERSION
        {
            self.unread = true;
            problems.push("they were written by a newer version of Jobwatch".to_owned());
        }
        if let Some(preferences) = self.document.get("preferences") {
            match preferences.clone().try_into() {
                Ok(preferences) => {
                    settings.preferences = preferences;
                    for (index, hours) in settings.preferences.quiet_hours.iter().enumerate() {
                        if hours.hours().is_none() {
                            problems.push(format!(
                                "quiet hours {} are none: they need days (mon to sun) and times \
                                 like 22:00",
                                index + 1
                            ));
                        }
                    }
                    for (index, rule) in settings.preferences.rules.iter().enumerate() {
                        if let Err(error) = rule.rule() {
                            let error = error.trim_end_matches('.');
                            problems
                                .push(format!("notice rule {} tells nothing: {error}", index + 1));
                        }
                    }
                }
                Err(error) => {
                    self.unread = true;
                    problems.push(format!("the preferences are wrong: {}", error.message()));
                }
            }
        }
        if self.document.get("server").is_some_and(|value| !value.is_array()) {
            self.unread = true;
            problems.push("a server must begin with [[server]], in double brackets".to_owned());
        }
        if self.document.contains_key("servers") {
            problems.push("a server must begin with [[server]], not [[servers]]".to_owned());
        }
        let servers = self.document.get("server").and_then(Value::as_array);
        for (index, value) in servers.into_iter().flatten().enumerate() {
            match read_server(value) {
                Ok(server) if settings.servers.iter().any(|s| s.server.id == server.server.id) => {
                    self.unread = true;
                    problems.push(format!("server {} has the id of an earlier one", index + 1));
                }
                Ok(server) => settings.servers.push(server),
                Err(what) => {
                    let name = value.get("name").and_then(Value::as_str);
                    let name = name.map_or(format!("{}", index + 1), |name| format!("\"{name}\""));
                    problems.push(format!("server {name} cannot be used: {what}"));
                }
            }
        }
        let problem = (!problems.is_empty()).then(|| {
            format!("The settings in {shown} are not all usable: {}.", problems.join("; "))
        });
        let servers = servers_in(&self.document);
        let ids = servers.iter().filter_map(id_of).map(str::to_owned);
        let ids = Some(ids.collect());
        Read { settings, problem, ids }
    }

    /// Replaces the file with `settings` and everything unknown, unless somebody else has changed
    /// it meanwhile.
    ///
    /// # Errors
    /// A sentence for people; the old file is still there then.
    pub fn save(&mut self, settings: &Settings) -> Result<Saved, String> {
        if !self.unread
            && let Some(bytes) = self.edited()
        {
            let read = self.understand(bytes);
            if read.ids.is_some() {
                return Ok(Saved::Edited(Box::new(read)));
            }
            // It cannot be read as it is now: what was known of it before is written, and a copy
            // of what it holds is kept.
        }
        let failed = |error: &dyn std::fmt::Display| {
            format!("The settings could not be saved in {}: {error}.", self.path.display())
        };
        let mut document = self.document.clone();
        document.insert("version".to_owned(), Value::Integer(VERSION));
        let preferences = Value::try_from(&settings.preferences).map_err(|e| failed(&e))?;
        merge(
            &mut document,
            "preferences",
            preferences,
            &[
                "theme",
                "popups",
                "logMegabytes",
                "logDays",
                "quietHours",
                "quietLetsFailures",
                "snoozedUntil",
                "muted",
                "rules",
                "sound",
                "closeToTray",
                "shortcut",
                "toldOfTray",
            ],
        );
        let old = servers_in(&document);
        let single = document.remove("server").is_some_and(|value| !value.is_array());
        let mut servers = Vec::new();
        for saved in &settings.servers {
            let before = old.iter().find(|value| id_of(value) == Some(&saved.server.id.0));
            if before.is_some_and(|value| read_server(value).is_err()) {
                // It was edited by hand into something that this version cannot use. That edit is
                // not this version's to undo.
                continue;
            }
            let before = before.and_then(Value::as_table).cloned().unwrap_or_default();
            servers.push(write_server(before, saved).map_err(|error| failed(&error))?);
        }
        // A server that this version could not use is not this version's to delete; one in single
        // brackets was not looked at.
        servers.extend(old.into_iter().filter(|value| single || read_server(value).is_err()));
        if !servers.is_empty() {
            document.insert("server".to_owned(), Value::Array(servers));
        }
        let text = edit::written(&self.written, &document).map_err(|error| failed(&error))?;
        // A pipe or a directory in the file's place is not replaced, and not copied either.
        if let Ok(metadata) = std::fs::metadata(&self.path) {
            files::regular(&metadata).map_err(|error| failed(&error))?;
        }
        let copy = match self.unread {
            true => keep_copy(&self.path).map_err(|error| failed(&error))?,
            false => None,
        };
        replace(&self.path, &text).map_err(|error| failed(&error))?;
        self.document = document;
        // What was read as TOML and changed as TOML is TOML.
        self.written = text.parse().unwrap_or_default();
        self.text = text;
        self.unread = false;
        Ok(Saved::Replaced(copy.map(|copy| {
            format!(
                "The settings could not all be read; they were saved anew, and what the file held \
                 is kept in {}.",
                copy.display()
            )
        })))
    }

    /// What the file holds, if that is something else than what was last read or written. A file
    /// that is gone holds nothing that could be lost.
    fn edited(&self) -> Option<std::io::Result<Vec<u8>>> {
        match files::read(&self.path, LARGEST) {
            Ok(bytes) if String::from_utf8_lossy(&bytes) == self.text => None,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            other => Some(other),
        }
    }
}

fn parse(bytes: &[u8]) -> Result<(Table, DocumentMut), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not text".to_owned())?;
    let document = text.parse::<Table>().map_err(|error| {
        // The message alone: the error's full text quotes the line.
        let line = error.span().map_or(1, |span| {
            let before = &text.as_bytes()[..span.start.min(text.len())];
            1 + before.iter().filter(|byte| **byte == b'\n').count()
        });
        format!("line {line}: {}", error.message())
    })?;
    let written = text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    Ok((document, written))
}

/// What stands under `server`, which may be something else than a list.
fn servers_in(document: &Table) -> Vec<Value> {
    match document.get("server") {
        None => Vec::new(),
        Some(Value::Array(servers)) => servers.clone(),
        Some(other) => vec![other.clone()],
    }
}

fn id_of(value: &Value) -> Option<&str> {
    value.get("id").and_then(Value::as_str)
}

fn read_server(value: &Value) -> Result<SavedServer, String> {
    let mut table = value.as_table().cloned().ok_or("it is not a table")?;
    let has_key = match table.remove("has_key") {
        None => false,
        Some(Value::Boolean(has_key)) => has_key,
        Some(_) => return Err("\"has_key\" is neither true nor false".to_owned()),
    };
    let topics = match table.remove("watch") {
        None => Vec::new(),
        Some(Value::Array(topics)) => topics,
        Some(_) => {
            return Err("what it watches is not a list, as in watch = [\"all\"]".to_owned());
        }
    };
    let mut watch = Vec::new();
    for topic in topics {
        let text = topic.as_str().ok_or("what it watches is not text")?;
        watch.push(Topic::parse(text).map_err(|error| error.to_string())?);
    }
    let server: Server =
        Value::Table(table).try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
    if server.id.0.is_empty() {
        return Err("its id is empty".to_owned());
    }
    Ok(SavedServer { server: Server { watch, ..server }, has_key })
}

fn write_server(mut before: Table, saved: &SavedServer) -> Result<Value, toml::ser::Error> {
    let Value::Table(mut new) = Value::try_from(&saved.server)? else {
        return Ok(Value::Table(before));
    };
    let watch = saved.server.watch.iter().map(|topic| Value::String(topic.to_string()));
    new.insert("watch".to_owned(), Value::Array(watch.collect()));
    new.insert("has_key".to_owned(), Value::Boolean(saved.has_key));
    for known in SERVER_KEYS {
        let keys: &[&str] = match known {
            "policy" => &POLICY_KEYS,
            "key" => &KEY_KEYS,
            _ => &[],
        };
        match new.remove(known) {
            Some(value) => merge(&mut before, known, value, keys),
            None if known == "policy" => {
                merge(&mut before, known, Value::Table(Table::new()), keys)
            }
            None => {
                before.remove(known);
            }
        }
    }
    before.extend(new);
    Ok(Value::Table(before))
}

/// Puts `value` at `name`. Where `known` names keys, a table there keeps its other keys.
fn merge(into: &mut Table, name: &str, value: Value, known: &[&str]) {
    let Value::Table(new) = value else {
        into.insert(name.to_owned(), value);
        return;
    };
    let mut merged = match into.remove(name) {
        Some(Value::Table(mut old)) if !known.is_empty() => {
            for key in known {
                old.remove(*key);
            }
            old
        }
        _ => Table::new(),
    };
    merged.extend(new);
    if !merged.is_empty() {
        into.insert(name.to_owned(), Value::Table(merged));
    }
}

/// Copies the file beside itself under a dated name, which is answered.
fn keep_copy(path: &Path) -> std::io::Result<Option<PathBuf>> {
    let stamp = Timestamp::now().strftime("%Y%m%d-%H%M%S");
    let mut copy = path.with_extension(format!("{stamp}.toml"));
    let mut again = 1;
    while copy.exists() {
        again += 1;
        copy = path.with_extension(format!("{stamp}-{again}.toml"));
    }
    match std::fs::copy(path, &copy) {
        Ok(_) => Ok(Some(copy)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Creates a directory that only its owner can enter, with those above it that are missing: what is
/// kept there is about jobs. One that exists stays as it is.
///
/// # Errors
/// Whatever the file system says.
pub fn create_private_directory(directory: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// Writes beside the file, makes that durable, and puts it in the file's place: whoever reads, and
/// whenever the program dies, there is a whole file.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    // A link is followed, so that settings kept elsewhere stay there.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    create_private_directory(directory)?;
    let mut file = tempfile::Builder::new().prefix(".settings-").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    #[cfg(unix)]
    std::fs::File::open(directory)?.sync_all()?;
    Ok(())
}

/// A new server's identity.
#[must_use]
pub fn new_id() -> ServerId {
    ServerId(uuid::Uuid::new_v4().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jobwatch_core::server::DialectKind;

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
            let server =
                "[[server]]\nid = \"a\"\nname = \"A\"\ndialect = \"kecs\"\nws = \"ws://h\"";
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
}
