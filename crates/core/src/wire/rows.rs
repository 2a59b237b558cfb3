//! The rows of a long list, a few at a time: all of them at once take several times the memory of
//! their text.

use std::ops::Range;

use serde::Deserialize as _;
use serde_json::value::RawValue;

use super::fields::{Fields, Row};

/// Where in `text` the elements of the array stand that `array` was read from; `None` when it is no
/// array, or no part of `text`.
#[must_use]
pub fn range(text: &[u8], array: &RawValue) -> Option<Range<usize>> {
    let inner = array.get().strip_prefix('[')?.strip_suffix(']')?;
    let start = (inner.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let range = start..start + inner.len();
    text.get(range.clone()).is_some_and(|part| part == inner.as_bytes()).then_some(range)
}

/// Gives the next objects of an array to `take`, of at most `count` of its elements. `rest` is where
/// the elements stand that have not been read; it is empty when none is left.
///
/// `text` has been read as JSON before: should it turn out to be none, the rest is given up.
pub fn next<'a>(
    text: &'a [u8],
    rest: &mut Range<usize>,
    count: usize,
    mut take: impl FnMut(Fields<'a>),
) {
    for _ in 0..count {
        let left = text.get(rest.clone()).unwrap_or_default();
        let between = |byte: &u8| matches!(byte, b',' | b' ' | b'\t' | b'\n' | b'\r');
        let Some(skipped) = left.iter().position(|byte| !between(byte)) else {
            rest.start = rest.end;
            return;
        };
        let left = &left[skipped..];
        let mut rows = serde_json::Deserializer::from_slice(left).into_iter::<Row<'a>>();
        let length = match rows.next() {
            Some(Ok(row)) => {
                row.0.into_iter().for_each(&mut take);
                rows.byte_offset()
            }
            // One value that cannot be read, such as a number out of range, spoils no other.
            _ => match <&RawValue>::deserialize(&mut serde_json::Deserializer::from_slice(left)) {
                Ok(raw) => raw.get().len(),
                Err(_) => left.len(),
            },
        };
        rest.start += skipped + length.max(1);
    }
    // Nothing but what stands between elements may be left.
    let left = text.get(rest.clone()).unwrap_or_default();
    if left.trim_ascii().is_empty() {
        rest.start = rest.end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_a_few_at_a_time_a_list_has_the_same_objects_as_read_at_once() {
        let text = r#" {"n":[0],"jobs" : [ {"n":1} ,null,[{"n":9}],"x, ]",2,-2.5e3 , 1e400,{"n":2},
            "\ud800",{"n":"\"]"},{"n":3}
            ],"more":[{"n":7}]}"#;
        let fields = Fields::parse(text.trim()).unwrap();
        let array = fields.get("jobs").unwrap();
        let numbers = |row: &Fields<'_>| row.string("n");
        let whole: Vec<_> = fields.rows("jobs").iter().map(numbers).collect();
        assert_eq!(whole.len(), 4);
        for count in 1..20 {
            let mut rest = range(text.as_bytes(), array).unwrap();
            let mut read = Vec::new();
            let mut pieces = 0;
            while !rest.is_empty() {
                next(text.as_bytes(), &mut rest, count, |row| read.push(numbers(&row)));
                pieces += 1;
            }
            assert_eq!((read, pieces), (whole.clone(), 11_usize.div_ceil(count)));
        }
    }

    #[test]
    fn what_is_no_array_or_stands_elsewhere_has_no_place() {
        let text = r#"{"a":{},"b":[],"c":"[]"}"#;
        let fields = Fields::parse(text).unwrap();
        let place = |name: &str| range(text.as_bytes(), fields.get(name).unwrap());
        assert_eq!((place("a"), place("c")), (None, None));
        assert!(place("b").unwrap().is_empty());
        let other = serde_json::value::to_raw_value(&[1]).unwrap();
        assert_eq!(range(text.as_bytes(), &other), None);
    }

    #[test]
    fn what_is_no_json_ends_the_list() {
        let text = br#"{"n":1},{"n":2,,{"n":3}"#;
        let mut rest = 0..text.len();
        let mut read = 0;
        next(text, &mut rest, 9, |_| read += 1);
        assert_eq!((read, rest.is_empty()), (1, true));
    }
}
