//! Objects whose fields may have any shape: read once into borrowed name and value pairs, then
//! asked for what is needed. A field of the wrong kind is as good as absent and spoils nothing
//! around it.

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::json;
use crate::model::{Extra, Json};

/// The fields of one JSON object, in the order sent. A name that comes twice counts as sent last,
/// as in JavaScript.
#[derive(Debug, Default)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Reads `text`; `None` when it is not one JSON object.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Fields<'a>> {
        serde_json::from_str(text).ok()
    }

    /// Reads the object that `text` begins with and leaves what follows it alone; `None` when it
    /// begins with none.
    #[must_use]
    pub fn leading(text: &'a str) -> Option<Fields<'a>> {
        Fields::deserialize(&mut serde_json::Deserializer::from_str(text)).ok()
    }

    /// Reads a value at hand; `None` when it is no object.
    #[must_use]
    pub fn of(raw: &'a RawValue) -> Option<Fields<'a>> {
        raw.get().starts_with('{').then(|| Fields::parse(raw.get())).flatten()
    }

    /// A field's value; `None` when it is absent or `null`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        let (_, raw) = self.0.iter().rev().find(|(key, _)| key == name)?;
        (raw.get() != "null").then_some(*raw)
    }

    /// Whether a field is there, `null` included.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// A string, or a number or boolean as its text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        json::text_of(self.get(name)?)
    }

    /// As [`Fields::text`], owned; `None` for the empty text.
    #[must_use]
    pub fn string(&self, name: &str) -> Option<String> {
        self.text(name).filter(|text| !text.is_empty()).map(Cow::into_owned)
    }

    /// A finite number, also when quoted.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        json::number_of(self.get(name)?)
    }

    /// A whole number that fits, also when quoted or written as a float.
    #[must_use]
    pub fn whole<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        json::whole_of(self.get(name)?)
    }

    /// A boolean.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)?.get() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A time in any of the formats of [`super::time::parse`].
    #[must_use]
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        super::time::parse(self.get(name)?)
    }

    /// The value as its text.
    #[must_use]
    pub fn json(&self, name: &str) -> Option<Json> {
        self.get(name).map(Json::from)
    }

    /// An object.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<Fields<'a>> {
        Fields::of(self.get(name)?)
    }

    /// The elements of an array; empty for `null` and anything else.
    #[must_use]
    pub fn array(&self, name: &str) -> Vec<&'a RawValue> {
        self.get(name).map(elements).unwrap_or_default()
    }

    /// The objects of an array; empty for `null` and anything else.
    #[must_use]
    pub fn rows(&self, name: &str) -> Vec<Fields<'a>> {
        self.get(name).map(rows).unwrap_or_default()
    }

    /// Gives each object of an array to `take`; see [`each_row`].
    pub fn each_row(&self, name: &str, take: impl FnMut(Fields<'a>)) {
        if let Some(raw) = self.get(name) {
            each_row(raw, take);
        }
    }

    /// Name and value of every field that is not `null`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().filter(|(_, raw)| raw.get() != "null").map(|(key, raw)| (key.as_ref(), *raw))
    }

    /// What is left when the fields with a canonical place are taken away: unknown fields are kept
    /// and shown. Empty strings say nothing and are left out.
    #[must_use]
    pub fn rest(&self, known: &[&str]) -> Extra {
        let left = self.iter().filter(|(name, raw)| !known.contains(name) && raw.get() != "\"\"");
        left.map(|(name, raw)| (name, Json::from(raw))).collect()
    }
}

/// The elements of an array at hand; empty for anything else.
#[must_use]
pub fn elements(raw: &RawValue) -> Vec<&RawValue> {
    if !raw.get().starts_with('[') {
        return Vec::new();
    }
    serde_json::from_str(raw.get()).unwrap_or_default()
}

/// The objects of an array at hand; empty for anything else. What is no object is left out.
#[must_use]
pub fn rows(raw: &RawValue) -> Vec<Fields<'_>> {
    let mut all = Vec::new();
    each_row(raw, |row| all.push(row));
    all
}

/// Gives each object of an array at hand to `take`, one after another as they are read: of a long
/// list all together take more memory than its text.
pub fn each_row<'a>(raw: &'a RawValue, mut take: impl FnMut(Fields<'a>)) {
    struct Each<F> {
        take: F,
        taken: usize,
    }
    impl<'de, F: FnMut(Fields<'de>)> Visitor<'de> for &mut Each<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
            while let Some(row) = rows.next_element::<Row<'de>>()? {
                self.taken += 1;
                if let Some(fields) = row.0 {
                    (self.take)(fields);
                }
            }
            Ok(())
        }
    }
    let mut each = Each { take: &mut take, taken: 0 };
    let read = serde_json::Deserializer::from_str(raw.get()).deserialize_seq(&mut each);
    let taken = each.taken;
    if read.is_err() {
        // One value that cannot be read, such as a number out of range, spoils no other.
        elements(raw).into_iter().skip(taken).filter_map(Fields::of).for_each(take);
    }
}

/// An element of an array, if it is an object: read in the same pass as the array.
#[derive(Debug)]
pub struct Row<'a>(pub Option<Fields<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Row<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Row<'a>, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Row<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Row<'de>, A::Error> {
                Pairs.visit_map(map).map(|fields| Row(Some(fields)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Row<'de>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Row(None))
            }

            fn visit_str<E>(self, _: &str) -> Result<Row<'de>, E> {
                Ok(Row(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Row<'de>, E> {
                Ok(Row(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Row<'de>, E> {
                Ok(Row(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Row<'de>, E> {
                Ok(Row(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Row<'de>, E> {
                Ok(Row(None))
            }

            fn visit_unit<E>(self) -> Result<Row<'de>, E> {
                Ok(Row(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields<'a>, D::Error> {
        deserializer.deserialize_map(Pairs)
    }
}

struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut pairs = Vec::with_capacity(16);
        while let Some(Text(name)) = map.next_key()? {
            pairs.push((name, map.next_value()?));
        }
        Ok(Fields(pairs))
    }
}

/// A text, borrowed where it holds no escapes (`Cow` alone is always owned by serde).
#[derive(Debug, Default)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_the_wrong_kind_spoils_nothing_around_it() {
        let fields =
            Fields::parse(r#"{"id":[1],"n":"7","tasks":null,"at":{},"ok":true,"x":"","y":2e400}"#)
                .unwrap();
        assert_eq!(fields.string("id"), None);
        assert_eq!(fields.whole::<u32>("n"), Some(7));
        assert!(fields.array("tasks").is_empty());
        assert_eq!(fields.time("at"), None);
        assert_eq!(fields.flag("ok"), Some(true));
        assert_eq!(fields.number("y"), None);
        let rest = fields.rest(&["n"]);
        let names: Vec<&str> = rest.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["at", "id", "ok", "y"]);
    }

    #[test]
    fn what_follows_a_leading_object_is_left_alone() {
        let fields = Fields::leading(r#" {"a":{"b":"}"}},"offset"]"#).unwrap();
        assert_eq!(fields.get("a").unwrap().get(), r#"{"b":"}"}"#);
        for text in ["", "null]", "[]", "{", r#"{"a"}"#, r#"{"a":}"#] {
            assert!(Fields::leading(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_rows_of_an_array_are_its_objects_whatever_lies_between_them() {
        let fields = Fields::parse(
            r#"{"a":[{"n":1},null,[{"n":9}],"x",2,-2,true,1.5,{"n":2},"\ud800"],
                "far":[{"n":1},1e400,{"n":2}],"none":null,"text":"[{}]"}"#,
        )
        .unwrap();
        let numbers = |name: &str| -> Vec<Option<i64>> {
            fields.rows(name).iter().map(|row| row.whole("n")).collect()
        };
        assert_eq!(numbers("a"), [Some(1), Some(2)]);
        assert_eq!(numbers("far"), [Some(1), Some(2)]);
        assert!(numbers("none").is_empty() && numbers("text").is_empty());
    }

    #[test]
    fn the_last_of_two_fields_counts() {
        let fields = Fields::parse(r#"{"a":1,"\u0061":2}"#).unwrap();
        assert_eq!(fields.whole::<i64>("a"), Some(2));
    }

    #[test]
    fn deep_nesting_is_kept_as_text() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Fields::parse(&deep).unwrap().get("a").is_some());
    }
}
