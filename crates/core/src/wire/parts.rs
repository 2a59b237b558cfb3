//! A JSON document with one long list, cut into documents with a few of its rows each, while it comes
//! in: so that it is never held whole.

/// What stands before the list may be so long, since every part repeats it.
const MAX_HEAD: usize = 4 << 10;

/// Cuts one document. Each part is a document of its own: what stands before the outermost list,
/// some of its rows, and what closes both. What follows the list is in the last part only.
#[derive(Debug)]
pub struct Splitter {
    /// How large the next part is at least.
    next: usize,
    /// How large those after it are.
    size: usize,
    /// What stands before the rows of the list, once there is one.
    head: Option<Head>,
    /// What came and is in no part yet.
    text: Vec<u8>,
    /// Up to where `text` has been looked at.
    at: usize,
    /// Up to where `text` holds whole rows of the list.
    whole: usize,
    /// What is open around the rows, by what closes it.
    open: Vec<u8>,
    /// How deep inside of a row.
    inside: usize,
    text_state: TextState,
    /// A part has been cut off.
    cut: bool,
    /// It is not cut any more: it is no such document, or the list has ended.
    over: bool,
}

#[derive(Debug)]
struct Head {
    /// The text before the first row.
    text: Vec<u8>,
    /// What closes it.
    tail: Vec<u8>,
}

/// Whether a string is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextState {
    None,
    Open,
    /// Behind a backslash.
    Escaped,
}

impl Splitter {
    /// Cuts a first part of at least `first` bytes, so that what is shorter stays whole, and then
    /// such of at least `size` bytes.
    #[must_use]
    pub fn new(first: usize, size: usize) -> Splitter {
        Splitter {
            next: first,
            size,
            head: None,
            text: Vec::new(),
            at: 0,
            whole: 0,
            open: Vec::new(),
            inside: 0,
            text_state: TextState::None,
            cut: false,
            over: false,
        }
    }

    /// Takes the next bytes of the document; answers the next part, once enough has come.
    #[must_use]
    pub fn push(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        self.text.extend_from_slice(bytes);
        self.scan();
        let head = self.head.as_ref()?;
        if self.whole < self.next {
            return None;
        }
        let between = self.between();
        let rest = self.text.split_off(self.whole);
        let mut part = std::mem::replace(&mut self.text, rest);
        part.splice(..between, head.text.iter().copied());
        part.extend_from_slice(&head.tail);
        self.at -= self.whole;
        self.whole = 0;
        self.next = self.size;
        self.cut = true;
        Some(part)
    }

    /// The rest: the whole document where no part was cut off.
    #[must_use]
    pub fn rest(mut self) -> Vec<u8> {
        let between = self.between();
        if let Some(head) = self.head {
            self.text.splice(..between, head.text);
        }
        self.text
    }

    /// How much of `text` stands between the last row of the part before and the next one.
    fn between(&self) -> usize {
        let is_between = |byte: &u8| *byte == b',' || byte.is_ascii_whitespace();
        let between = self.text.iter().take_while(|byte| is_between(byte)).count();
        if self.cut { between } else { 0 }
    }

    fn scan(&mut self) {
        while let Some(byte) = self.text.get(self.at).copied().filter(|_| !self.over) {
            match self.text_state {
                TextState::Escaped => self.text_state = TextState::Open,
                TextState::Open => {
                    let rest = &self.text[self.at..];
                    // The usual text holds neither.
                    match memchr::memchr2(b'"', b'\\', rest) {
                        None => {
                            self.at = self.text.len();
                            return;
                        }
                        Some(length) => {
                            self.at += length;
                            let ends = self.text[self.at] == b'"';
                            self.text_state =
                                if ends { TextState::None } else { TextState::Escaped };
                            if ends {
                                self.row_may_end();
                            }
                        }
                    }
                }
                TextState::None if byte == b'[' && self.open.last() != Some(&b']') => {
                    self.begin();
                    continue;
                }
                TextState::None => self.step(byte),
            }
            self.at += 1;
            if self.head.is_none() && self.at > MAX_HEAD {
                self.over = true;
            }
        }
    }

    /// What `byte` means outside of a string.
    fn step(&mut self, byte: u8) {
        let in_list = self.open.last() == Some(&b']');
        match byte {
            b'"' => self.text_state = TextState::Open,
            b'{' | b'[' if in_list => self.inside += 1,
            b'{' => self.open.push(b'}'),
            b'}' | b']' if self.inside > 0 => {
                self.inside -= 1;
                self.row_may_end();
            }
            b'}' | b']' => {
                if in_list && self.head.is_some() {
                    // The list has ended. What follows it belongs to the last part.
                    self.over = true;
                }
                self.open.pop();
                self.over |= self.open.is_empty();
            }
            _ if self.open.is_empty() && !byte.is_ascii_whitespace() => self.over = true,
            // Text of two bytes a character, which is cut nowhere.
            0 => self.over = true,
            _ => {}
        }
    }

    /// The outermost list begins.
    fn begin(&mut self) {
        self.open.push(b']');
        let mut text = std::mem::take(&mut self.text);
        self.text = text.split_off(self.at + 1);
        let tail = self.open.iter().rev().copied().collect();
        self.head = Some(Head { text, tail });
        self.at = 0;
    }

    /// Something ended inside the list: a row, if nothing is open within it. Rows that are numbers
    /// or words do not count: where one of them ends is not seen before the next begins.
    fn row_may_end(&mut self) {
        if self.inside == 0 && self.open.last() == Some(&b']') {
            self.whole = self.at + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// The parts of a document that comes in chunks of so many bytes.
    fn parts(text: &str, chunk: usize, size: usize) -> Vec<String> {
        let mut splitter = Splitter::new(size, size);
        let mut parts: Vec<Vec<u8>> =
            text.as_bytes().chunks(chunk).filter_map(|chunk| splitter.push(chunk)).collect();
        parts.push(splitter.rest());
        parts.into_iter().map(|part| String::from_utf8(part).unwrap()).collect()
    }

    #[test]
    fn each_part_is_a_document_and_all_rows_are_in_one_of_them_in_their_order() {
        let row =
            |n: usize| json!({"id": n, "t": "a\"],[{\\", "in": [{"x": [n]}, "é]"], "z": null});
        let rows: Vec<Value> = (0..40).map(row).collect();
        for whole in [
            json!({"ok": true, "data": {"of": {"k": 1}, "rows": rows}, "n": 40}),
            json!({"rows": rows}),
            json!(rows),
        ] {
            let pretty = serde_json::to_string_pretty(&whole).unwrap();
            for text in [whole.to_string(), pretty] {
                for chunk in [1, 7, 100, text.len()] {
                    let parts = parts(&text, chunk, 200);
                    assert!(parts.len() > 1);
                    let mut all = Vec::new();
                    for part in &parts {
                        let part: Value = serde_json::from_str(part).unwrap();
                        let list = ["/data/rows", "/rows", ""]
                            .iter()
                            .find_map(|place| part.pointer(place)?.as_array());
                        all.extend(list.unwrap().iter().cloned());
                    }
                    assert_eq!(all, rows, "{chunk}");
                    let last: Value = serde_json::from_str(parts.last().unwrap()).unwrap();
                    assert_eq!(last.get("n"), whole.get("n"));
                }
            }
        }
    }

    #[test]
    fn what_has_no_list_of_objects_or_is_short_comes_whole() {
        let long = format!("{{\"t\":\"{}\",\"rows\":[{{}},{{}}]}}", "x".repeat(2 * MAX_HEAD));
        for text in [
            "",
            "  ",
            "<html>[{},{},{}]",
            r#"{"a":{"b":"[{},{}"}}"#,
            r#"{"rows":[]}"#,
            r#"{"rows":[1,2,3,4,5,6,7,8,9]}"#,
            r#"{"rows":[{"a":1}"#,
            r#"{"rows":[],"more":[{"a":1},{"a":2},{"a":3}]}"#,
            "null",
            "{\0\"\0r\0\"\0:\0[\0{\0}\0,\0{\0}\0]\0}\0",
            &long,
        ] {
            for chunk in [1, 5, 10_000] {
                assert_eq!(parts(text, chunk, 8), [text], "{text}");
            }
        }
    }
}
