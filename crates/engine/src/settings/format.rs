//! How settings are written in the file. The types here are the file's own: each stands for one of the
//! program's (`remote`), field by field, and names its keys in `snake_case`. What the window calls
//! them does not matter here.

use jobwatch_core::model::Topic;
use jobwatch_core::notify::rules::EventKind;
use jobwatch_core::server::Server;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use toml_edit::{DocumentMut, Item, Key, TableLike};

use super::{Mute, NoticeRule, Preferences, QuietHours, SavedServer, Settings, Theme};

/// The version that is written.
const VERSION: i64 = 1;

/// Keys of the preferences and of their rules as they were called earlier, and as they are called now.
const RENAMED: [(&str, &str); 10] = [
    ("logMegabytes", "log_megabytes"),
    ("logDays", "log_days"),
    ("quietHours", "quiet_hours"),
    ("quietLetsFailures", "quiet_lets_failures"),
    ("snoozedUntil", "snoozed_until"),
    ("closeToTray", "close_to_tray"),
    ("toldOfTray", "told_of_tray"),
    ("criticalFailures", "critical_failures"),
    ("atLeastSeconds", "at_least_seconds"),
    ("lostMinutes", "lost_minutes"),
];

#[derive(Serialize, Deserialize)]
#[serde(remote = "Preferences")]
struct PreferencesInFile {
    theme: Theme,
    zoom: u32,
    popups: bool,
    log_megabytes: u32,
    log_days: u32,
    quiet_hours: Vec<QuietHours>,
    quiet_lets_failures: bool,
    snoozed_until: Option<i64>,
    muted: Vec<Mute>,
    #[serde(with = "rules")]
    rules: Vec<NoticeRule>,
    sound: bool,
    close_to_tray: bool,
    shortcut: String,
    told_of_tray: bool,
    critical_failures: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "NoticeRule")]
struct RuleInFile {
    name: String,
    on: bool,
    kinds: Vec<EventKind>,
    servers: Vec<String>,
    names: Vec<String>,
    queues: Vec<String>,
    users: Vec<String>,
    watched: bool,
    at_least_seconds: u32,
    lost_minutes: u32,
    popup: bool,
    breaches: bool,
    run: Vec<String>,
    post: String,
}

mod rules {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use toml::Table;

    use super::{NoticeRule, RuleInFile, over_defaults};

    #[derive(Serialize, Deserialize)]
    struct InFile(#[serde(with = "RuleInFile")] NoticeRule);

    pub(super) fn serialize<S: Serializer>(all: &[NoticeRule], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(all.iter().cloned().map(InFile))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<NoticeRule>, D::Error> {
        let all = Vec::<Table>::deserialize(from)?.into_iter().map(|rule| {
            let rule = over_defaults(InFile(NoticeRule::default()), rule);
            rule.map(|InFile(rule)| rule).map_err(|error| D::Error::custom(error.message()))
        });
        all.collect()
    }
}

#[derive(Serialize, Deserialize)]
struct InFile(#[serde(with = "PreferencesInFile")] Preferences);

/// Reads a table in which whatever has its default may be left out.
fn over_defaults<T: Serialize + DeserializeOwned>(
    defaults: T,
    table: Table,
) -> Result<T, toml::de::Error> {
    let mut all = Table::try_from(defaults).map_err(toml::de::Error::custom)?;
    all.extend(table);
    all.try_into()
}

/// What could be read of a file.
#[derive(Default)]
pub(super) struct Understood {
    /// What could be used.
    pub settings: Settings,
    /// What is wrong with the rest, in words for people.
    pub problems: Vec<String>,
    /// Something that a save would overwrite could not be read.
    pub incomplete: bool,
}

/// Gives the keys of an earlier version the names of today, where they stand. Where a file has both,
/// that of today counts.
pub(super) fn rename_old(document: &mut DocumentMut) {
    let Some(preferences) = document.get_mut("preferences").and_then(Item::as_table_like_mut)
    else {
        return;
    };
    rename_keys(preferences);
    match preferences.get_mut("rules") {
        Some(Item::ArrayOfTables(rules)) => rules.iter_mut().for_each(|rule| rename_keys(rule)),
        Some(Item::Value(toml_edit::Value::Array(rules))) => {
            for rule in rules.iter_mut().filter_map(toml_edit::Value::as_inline_table_mut) {
                rename_keys(rule);
            }
        }
        _ => {}
    }
}

fn rename_keys(table: &mut dyn TableLike) {
    let today = |key: &str| RENAMED.iter().find(|(old, _)| *old == key).map(|(_, new)| *new);
    let keys: Vec<String> = table.iter().map(|(key, _)| key.to_owned()).collect();
    if !keys.iter().any(|key| today(key).is_some()) {
        return;
    }
    // Each entry in turn goes to the end, so that their order stays.
    for name in keys {
        let Some(key) = table.key(&name).cloned() else { continue };
        let Some(item) = table.remove(&name) else { continue };
        let key = match today(&name) {
            Some(new) if table.contains_key(new) => continue,
            Some(new) => Key::new(new).with_leaf_decor(key.leaf_decor().clone()),
            None => key,
        };
        table.entry_format(&key).or_insert(item);
    }
}

/// Reads a file's content.
pub(super) fn understand(document: &Table) -> Understood {
    let mut understood = Understood::default();
    if let Some(version) = document.get("version").and_then(Value::as_integer)
        && version > VERSION
    {
        understood.incomplete = true;
        understood.problems.push("they were written by a newer version of Jobwatch".to_owned());
    }
    match preferences(document) {
        Ok(preferences) => {
            understood.problems.extend(unusable(&preferences));
            understood.settings.preferences = preferences;
        }
        Err(error) => {
            understood.incomplete = true;
            understood.problems.push(format!("the preferences are wrong: {}", error.message()));
        }
    }
    read_servers(document, &mut understood);
    understood
}

fn preferences(document: &Table) -> Result<Preferences, toml::de::Error> {
    let table = match document.get("preferences") {
        None => return Ok(Preferences::default()),
        Some(Value::Table(table)) => table.clone(),
        Some(_) => return Err(toml::de::Error::custom("[preferences] is not a table")),
    };
    over_defaults(InFile(Preferences::default()), table).map(|InFile(preferences)| preferences)
}

/// What of the preferences can be read and not be used.
fn unusable(preferences: &Preferences) -> Vec<String> {
    let hours = (1..).zip(&preferences.quiet_hours).filter(|(_, hours)| hours.hours().is_none());
    let hours = hours.map(|(index, _)| {
        format!("quiet hours {index} are none: they need days (mon to sun) and times like 22:00")
    });
    let rules = (1..).zip(&preferences.rules).filter_map(|(index, rule)| {
        let error = rule.rule().err()?;
        Some(format!("notice rule {index} matches nothing: {}", error.trim_end_matches('.')))
    });
    hours.chain(rules).collect()
}

fn read_servers(document: &Table, into: &mut Understood) {
    if document.get("server").is_some_and(|value| !value.is_array()) {
        into.incomplete = true;
        into.problems.push("a server must begin with [[server]], in double brackets".to_owned());
    }
    if document.contains_key("servers") {
        into.problems.push("a server must begin with [[server]], not [[servers]]".to_owned());
    }
    let servers = document.get("server").and_then(Value::as_array);
    for (number, value) in (1..).zip(servers.into_iter().flatten()) {
        let known = |id| into.settings.servers.iter().any(|known| known.server.id == id);
        match read_server(value) {
            Ok(saved) if known(saved.server.id.clone()) => {
                into.incomplete = true;
                into.problems.push(format!("server {number} has the id of an earlier one"));
            }
            Ok(saved) => into.settings.servers.push(saved),
            Err(what) => {
                let name = value.get("name").and_then(Value::as_str);
                let name = name.map_or(number.to_string(), |name| format!("\"{name}\""));
                into.problems.push(format!("server {name} cannot be used: {what}"));
            }
        }
    }
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

fn write_server(saved: &SavedServer) -> Result<Table, toml::ser::Error> {
    let mut table = Table::try_from(&saved.server)?;
    let watch = saved.server.watch.iter().map(|topic| Value::String(topic.to_string()));
    table.insert("watch".to_owned(), Value::Array(watch.collect()));
    table.insert("has_key".to_owned(), Value::Boolean(saved.has_key));
    Ok(table)
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

/// The ids of the servers that stand in a file, usable or not.
pub(super) fn server_ids(document: &Table) -> Vec<String> {
    servers_in(document).iter().filter_map(id_of).map(str::to_owned).collect()
}

/// The content of a file with these settings. Whatever else it has stays.
///
/// # Errors
/// When the settings cannot be written as TOML.
pub(super) fn changed(document: &Table, settings: &Settings) -> Result<Table, toml::ser::Error> {
    let mut after = document.clone();
    after.insert("version".to_owned(), Value::Integer(VERSION));
    let was = match preferences(document) {
        Ok(preferences) if document.contains_key("preferences") => {
            Table::try_from(InFile(preferences))?
        }
        _ => Table::new(),
    };
    let now = Table::try_from(InFile(settings.preferences.clone()))?;
    let mut own = match after.remove("preferences") {
        Some(Value::Table(own)) => own,
        _ => Table::new(),
    };
    merge(&mut own, &was, now);
    after.insert("preferences".to_owned(), Value::Table(own));
    let old = servers_in(document);
    let single = after.remove("server").is_some_and(|value| !value.is_array());
    let mut servers = Vec::new();
    for saved in &settings.servers {
        let before = old.iter().find(|value| id_of(value) == Some(&saved.server.id.0));
        let (mut own, was) = match before.map(|value| (value, read_server(value))) {
            None => (Table::new(), Table::new()),
            Some((value, Ok(was))) => {
                (value.as_table().cloned().unwrap_or_default(), write_server(&was)?)
            }
            // It was edited by hand into something that this version cannot use. That edit is not
            // this version's to undo.
            Some((_, Err(_))) => continue,
        };
        merge(&mut own, &was, write_server(saved)?);
        servers.push(Value::Table(own));
    }
    // A server that this version could not use is not this version's to delete; one in single
    // brackets was not looked at.
    servers.extend(old.into_iter().filter(|value| single || read_server(value).is_err()));
    if !servers.is_empty() {
        after.insert("server".to_owned(), Value::Array(servers));
    }
    Ok(after)
}

/// Changes a table of the file, of which this version understood `was`, to say what `now` says. What
/// was not understood stays.
fn merge(own: &mut Table, was: &Table, now: Table) {
    for (name, was) in was.iter().filter(|(name, _)| !now.contains_key(*name)) {
        if let (Some(Value::Table(left)), Value::Table(was)) = (own.get_mut(name), was)
            // What is left of a key's placement says nothing without the rest.
            && name != "key"
        {
            merge(left, was, Table::new());
            if !left.is_empty() {
                continue;
            }
        }
        own.remove(name);
    }
    for (name, now) in now {
        let merged = match (own.remove(&name), was.get(&name), now) {
            (Some(old), Some(was), now) => merged(old, was, now),
            (_, _, now) => now,
        };
        own.insert(name, merged);
    }
}

fn merged(old: Value, was: &Value, now: Value) -> Value {
    match (old, was, now) {
        (Value::Table(mut old), Value::Table(was), Value::Table(now)) => {
            merge(&mut old, was, now);
            Value::Table(old)
        }
        (Value::Array(old), Value::Array(was), Value::Array(now)) => {
            Value::Array(merged_list(old, was, now))
        }
        (_, _, now) => now,
    }
}

/// The elements of a list that are as they were stay as they are written. Others are changed in their
/// positions, where none came or went.
fn merged_list(old: Vec<Value>, was: &[Value], now: Vec<Value>) -> Vec<Value> {
    let in_place = old.len() == was.len() && was.len() == now.len();
    let stays: Vec<bool> = was.iter().map(|was| now.contains(was)).collect();
    let mut left: Vec<Option<Value>> = old.into_iter().map(Some).collect();
    let element = |(index, now): (usize, Value)| {
        let same =
            (0..was.len()).find(|at| was[*at] == now && left.get(*at).is_some_and(Option::is_some));
        let at = same.or((in_place && !stays[index]).then_some(index));
        match at.and_then(|at| left.get_mut(at)?.take().map(|old| (old, &was[at]))) {
            Some((old, was)) => merged(old, was, now),
            None => now,
        }
    };
    now.into_iter().enumerate().map(element).collect()
}
