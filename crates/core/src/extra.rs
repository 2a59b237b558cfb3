//! The fields of a job that have no canonical meaning. Every job of a list has the same ones, so a
//! hundred thousand jobs share their names, and what their values have in common.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::Json;

/// Fields by the server's name for them, in the order of the names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extra(Box<[(Arc<str>, Json)]>);

impl Extra {
    /// No fields.
    #[must_use]
    pub fn new() -> Extra {
        Extra::default()
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name))
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.place(name).ok().map(|at| &self.0[at].1)
    }

    /// Puts a field in, in the place of one of its name.
    pub fn insert(&mut self, name: impl Into<Arc<str>>, value: Json) {
        let name = name.into();
        match self.place(&name) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.change(|fields| fields.insert(at, (name, value))),
        }
    }

    /// Changes the list as a whole, which keeps no room for more.
    fn change<T>(&mut self, change: impl FnOnce(&mut Vec<(Arc<str>, Json)>) -> T) -> T {
        let mut fields = std::mem::take(&mut self.0).into_vec();
        let changed = change(&mut fields);
        self.0 = fields.into_boxed_slice();
        changed
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<Json> {
        let at = self.place(name).ok()?;
        Some(self.change(|fields| fields.remove(at)).1)
    }

    /// Keeps the fields for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &Json) -> bool) {
        self.change(|fields| fields.retain(|(name, value)| keep(name, value)));
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Name and value of each field.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The fields with names that may be shared.
    pub fn shared(&self) -> impl Iterator<Item = (&Arc<str>, &Json)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl std::ops::Index<&str> for Extra {
    type Output = Json;

    fn index(&self, name: &str) -> &Json {
        &self.0[self.place(name).unwrap_or(usize::MAX)].1
    }
}

impl<N: Into<Arc<str>>> Extend<(N, Json)> for Extra {
    fn extend<T: IntoIterator<Item = (N, Json)>>(&mut self, fields: T) {
        self.change(|all| {
            all.extend(fields.into_iter().map(|(name, value)| (name.into(), value)));
            // One by one they would be moved again and again: an object may have a million.
            all.sort_by(|(one, _), (other, _)| one.cmp(other));
            // Of equal names the last counts.
            all.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    std::mem::swap(next, kept);
                }
                same
            });
        });
    }
}

impl<N: Into<Arc<str>>> FromIterator<(N, Json)> for Extra {
    fn from_iter<T: IntoIterator<Item = (N, Json)>>(fields: T) -> Extra {
        let mut extra = Extra::new();
        extra.extend(fields);
        extra
    }
}

impl IntoIterator for Extra {
    type Item = (Arc<str>, Json);
    type IntoIter = std::vec::IntoIter<(Arc<str>, Json)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

impl<'a> IntoIterator for &'a Extra {
    type Item = (&'a str, &'a Json);
    type IntoIter = Box<dyn Iterator<Item = (&'a str, &'a Json)> + 'a>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.iter())
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Extra {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Extra, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Extra;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Extra, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry::<String, Json>()? {
                    fields.push(field);
                }
                Ok(fields.into_iter().collect())
            }
        }
        deserializer.deserialize_map(Read)
    }
}

/// How many texts are remembered for sharing.
const TEXTS: usize = 4_096;
/// Longer values are hardly ever the same.
const SHORT: usize = 24;
/// Longer names are kept for no other job.
const SHORT_NAME: usize = 64;

/// Texts that many jobs have in common, each kept once.
#[derive(Debug, Default)]
pub struct Texts(HashSet<Arc<str>>);

impl Texts {
    /// Lets the fields use the texts of earlier ones that are the same.
    pub fn share(&mut self, extra: &mut Extra) {
        for (name, value) in &mut extra.0 {
            if name.len() <= SHORT_NAME {
                self.share_one(name);
            }
            if value.as_str().len() <= SHORT {
                self.share_one(value.text_mut());
            }
        }
    }

    fn share_one(&mut self, text: &mut Arc<str>) {
        if let Some(known) = self.0.get(&**text) {
            *text = Arc::clone(known);
            return;
        }
        if self.0.len() >= TEXTS {
            self.0.clear();
        }
        self.0.insert(Arc::clone(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extra(text: &str) -> Extra {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn very_many_fields_are_put_in_order_at_once_and_of_equal_names_the_last_counts() {
        let value = |n: usize| Json::parse(&n.to_string()).unwrap();
        let names = (0..200_000).rev().map(|n| (format!("f{:06}", n / 2), value(n)));
        let fields: Extra = names.collect();
        assert_eq!(fields.len(), 100_000);
        assert!(fields.iter().map(|(name, _)| name).is_sorted());
        assert_eq!(fields.get("f000007").unwrap().as_str(), "14");
    }

    #[test]
    fn fields_are_kept_by_name_and_written_in_their_order() {
        let mut fields = extra(r#"{"b":1,"a":{"x":[1.0]},"c":null}"#);
        fields.insert("b", Json::parse("2").unwrap());
        fields.insert("0".to_owned(), Json::parse("\"\"").unwrap());
        assert_eq!(fields.remove("c").unwrap().as_str(), "null");
        let text = serde_json::to_string(&fields).unwrap();
        assert_eq!(text, r#"{"0":"","a":{"x":[1.0]},"b":2}"#);
        assert_eq!((extra(&text), fields.len()), (fields.clone(), 3));
        assert_eq!((fields["a"].as_str(), fields.get("d")), (r#"{"x":[1.0]}"#, None));
        fields.retain(|name, _| name == "a");
        assert_eq!(serde_json::to_string(&fields).unwrap(), r#"{"a":{"x":[1.0]}}"#);
    }

    #[test]
    fn jobs_share_the_names_of_their_fields_and_short_values() {
        let mut texts = Texts::default();
        let (mut one, mut other) = (extra(r#"{"chain":"137"}"#), extra(r#"{"chain":"137"}"#));
        texts.share(&mut one);
        texts.share(&mut other);
        let place = |extra: &Extra| {
            let (name, value) = extra.shared().next().unwrap();
            (name.as_ptr(), value.as_str().as_ptr())
        };
        assert_eq!(place(&one), place(&other));
        assert_eq!(one, other);
        // However many there are, few are remembered.
        for n in 0..3 * TEXTS {
            texts.share(&mut extra(&format!(r#"{{"{n}":{n}}}"#)));
        }
        assert!(texts.0.len() <= TEXTS);
    }
}
