//! Writing new settings into the text that people wrote: their comments, order and spelling stay
//! wherever the value is the same.

use toml::{Table, Value};
use toml_edit::{ArrayOfTables, DocumentMut, Item, TableLike};

/// The text of `before`, changed to say what `after` says.
///
/// # Errors
/// When `after` cannot be written as TOML at all.
pub(super) fn written(before: &DocumentMut, after: &Table) -> Result<String, toml::ser::Error> {
    let plain = toml::to_string_pretty(after)?;
    // What has just been written as TOML is TOML.
    let Ok(after) = plain.parse::<DocumentMut>() else { return Ok(plain) };
    let mut document = before.clone();
    change(document.as_table_mut(), after.as_table());
    Ok(document.to_string())
}

/// What a document says, however it is written.
pub(super) fn table(document: &DocumentMut) -> Table {
    document.iter().map(|(name, item)| (name.to_owned(), value_of(item))).collect()
}

fn change(before: &mut dyn TableLike, after: &dyn TableLike) {
    let gone: Vec<String> = before
        .iter()
        .filter(|(name, _)| !after.contains_key(name))
        .map(|(name, _)| name.to_owned())
        .collect();
    for name in gone {
        before.remove(&name);
    }
    for (name, wanted) in after.iter() {
        match before.get_mut(name) {
            Some(there) => change_item(there, wanted),
            None => {
                before.insert(name, wanted.clone());
            }
        }
    }
}

fn change_item(there: &mut Item, wanted: &Item) {
    if value_of(there) == value_of(wanted) {
        return;
    }
    if let (Item::ArrayOfTables(there), Item::ArrayOfTables(wanted)) = (&mut *there, wanted) {
        change_list(there, wanted);
        return;
    }
    if let (Some(there), Some(wanted)) = (there.as_table_like_mut(), wanted.as_table_like()) {
        change(there, wanted);
        return;
    }
    let mut new = wanted.clone();
    if let (Some(before), Some(after)) = (there.as_value(), new.as_value_mut()) {
        // The blanks and the comment behind it.
        *after.decor_mut() = before.decor().clone();
    }
    *there = new;
}

/// Tables are told apart by their `id`, those without one by what they hold or where they stand.
fn change_list(there: &mut ArrayOfTables, wanted: &ArrayOfTables) {
    let mut before: Vec<Option<toml_edit::Table>> = there.iter().cloned().map(Some).collect();
    let first = there.get(0).and_then(toml_edit::Table::position);
    let (mut tables, mut taken) = (Vec::new(), Vec::new());
    for (index, table) in wanted.iter().enumerate() {
        let id = table.get("id").map(value_of);
        let at = before.iter().position(|old| {
            old.as_ref().is_some_and(|old| match &id {
                Some(id) => old.get("id").map(value_of).as_ref() == Some(id),
                None => value_of_table(old) == value_of_table(table),
            })
        });
        let same_place = || {
            let old = before.get(index)?.as_ref()?;
            (id.is_none() && old.get("id").is_none()).then_some(index)
        };
        let at = at.or_else(same_place);
        taken.extend(at);
        tables.push(match at.and_then(|at| before[at].take()) {
            Some(mut old) => {
                change(&mut old, table);
                old
            }
            None => table.clone(),
        });
    }
    let in_order = taken.is_sorted();
    there.clear();
    for (index, mut table) in tables.into_iter().enumerate() {
        if !in_order {
            // Tables are printed by their old places: these go where the list stood, in its order.
            unplace(&mut table);
            if index == 0 {
                table.set_position(first);
            }
        }
        there.push(table);
    }
}

fn unplace(table: &mut toml_edit::Table) {
    table.set_position(None);
    for (_, item) in table.iter_mut() {
        match item {
            Item::Table(table) => unplace(table),
            Item::ArrayOfTables(tables) => tables.iter_mut().for_each(unplace),
            Item::None | Item::Value(_) => {}
        }
    }
}

/// What an item says, however it is written.
fn value_of(item: &Item) -> Value {
    match item {
        Item::None => Value::Table(Table::new()),
        Item::Value(value) => plain(value),
        Item::Table(table) => value_of_table(table),
        Item::ArrayOfTables(tables) => Value::Array(tables.iter().map(value_of_table).collect()),
    }
}

fn value_of_table(table: &toml_edit::Table) -> Value {
    Value::Table(table.iter().map(|(name, item)| (name.to_owned(), value_of(item))).collect())
}

fn plain(value: &toml_edit::Value) -> Value {
    match value {
        toml_edit::Value::String(text) => Value::String(text.value().clone()),
        toml_edit::Value::Integer(number) => Value::Integer(*number.value()),
        toml_edit::Value::Float(number) => Value::Float(*number.value()),
        toml_edit::Value::Boolean(truth) => Value::Boolean(*truth.value()),
        toml_edit::Value::Datetime(moment) => Value::Datetime(*moment.value()),
        toml_edit::Value::Array(all) => Value::Array(all.iter().map(plain).collect()),
        toml_edit::Value::InlineTable(table) => Value::Table(
            table.iter().map(|(name, value)| (name.to_owned(), plain(value))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_HAND: &str = "\
# My servers. Ask Ann before you change them.
version = 1

[preferences] # what I like
theme = 'dark'   # easier on the eyes
popups = true

# The rules of the house.
[[preferences.rules]]
name = \"all\" # really all

# production
[[server]]
id = \"a\"
name = \"A\"
watch = [
    \"all\", # everything
]

    [server.policy] # patient
    attempts = 3

# staging
[[server]]
id = \"b\"
name = \"B\"
options = { cluster = \"x\" }
# the end
";

    fn changed(change: impl FnOnce(&mut Table)) -> String {
        let mut table: Table = BY_HAND.parse().unwrap();
        change(&mut table);
        let text = written(&BY_HAND.parse().unwrap(), &table).unwrap();
        assert_eq!(text.parse::<Table>().unwrap(), table, "{text}");
        text
    }

    fn servers(table: &mut Table) -> &mut Vec<Value> {
        table["server"].as_array_mut().unwrap()
    }

    #[test]
    fn what_does_not_change_is_written_byte_for_byte_as_it_was() {
        assert_eq!(changed(|_| {}), BY_HAND);
    }

    #[test]
    fn a_changed_value_changes_nothing_else() {
        let text = changed(|table| {
            table["preferences"]["theme"] = Value::String("light".to_owned());
            servers(table)[1]["name"] = Value::String("Bee".to_owned());
        });
        let expected = BY_HAND.replace("'dark'", "\"light\"").replace("\"B\"", "\"Bee\"");
        assert_eq!(text, expected);
    }

    #[test]
    fn servers_keep_their_comments_when_others_come_go_and_change_places() {
        let text = changed(|table| {
            servers(table).remove(0);
        });
        assert!(text.contains("# staging\n[[server]]\nid = \"b\""), "{text}");
        assert!(text.starts_with("# My servers.") && text.contains("# easier on the eyes"));
        let text = changed(|table| servers(table).swap(0, 1));
        let (staging, production) = (text.find("# staging"), text.find("# production"));
        assert!(staging < production && staging.is_some(), "{text}");
        assert!(text.contains("[server.policy] # patient"), "{text}");
        let text = changed(|table| {
            let mut third = servers(table)[1].clone();
            third["id"] = Value::String("c".to_owned());
            servers(table).push(third);
        });
        assert!(text.starts_with(&BY_HAND[..BY_HAND.len() - "# the end\n".len()]), "{text}");
    }

    #[test]
    fn new_tables_and_keys_are_added_to_a_file_that_had_none() {
        let after: Table = BY_HAND.parse().unwrap();
        let text = written(&"# mine\n".parse().unwrap(), &after).unwrap();
        assert_eq!(text.parse::<Table>().unwrap(), after, "{text}");
        assert!(text.contains("# mine"), "{text}");
    }
}
