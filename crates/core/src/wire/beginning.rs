//! The beginning of a JSON document whose end was not read.

/// Makes a complete document of the beginning of one: cuts it behind what came whole, and closes what
/// is open there. `false`, with nothing changed, when it does not begin like an object or a list.
///
/// Whole are the elements of the outermost list, and the fields around it: of the rows of an answer,
/// in whatever envelope, none is ever half.
#[must_use]
pub fn complete(text: &mut Vec<u8>) -> bool {
    let Some(kept) = scan(text) else { return false };
    text.truncate(kept.end);
    text.extend(kept.open.iter().rev());
    true
}

/// Up to where a document is whole, and what is open there, by what closes it.
struct Kept {
    end: usize,
    open: Vec<u8>,
}

fn scan(text: &[u8]) -> Option<Kept> {
    let mut open = Vec::new();
    let mut end = None;
    // How deep inside of an element.
    let mut inside = 0_usize;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if open.is_empty() && !matches!(byte, b'{' | b'[') && !byte.is_ascii_whitespace() {
            return None;
        }
        match byte {
            b'"' => {
                let Some(length) = string(&text[at..]) else { break };
                at += length;
                // In an object it may be a name.
                if inside == 0 && open.last() == Some(&b']') {
                    end = Some(at);
                }
                continue;
            }
            b'{' | b'[' if inside > 0 || open.last() == Some(&b']') => inside += 1,
            b'{' | b'[' => {
                open.push(if *byte == b'{' { b'}' } else { b']' });
                end = Some(at + 1);
            }
            b'}' | b']' if inside > 0 => {
                inside -= 1;
                if inside == 0 {
                    end = Some(at + 1);
                }
            }
            b'}' | b']' => {
                open.pop();
                end = Some(at + 1);
                if open.is_empty() {
                    break;
                }
            }
            b',' if inside == 0 => end = Some(at),
            _ => {}
        }
        at += 1;
    }
    Some(Kept { end: end?, open })
}

/// The length of the string that `text` begins with; `None` where it does not end.
fn string(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn completed(text: &str) -> Option<String> {
        let mut text = text.as_bytes().to_vec();
        complete(&mut text).then(|| String::from_utf8(text).unwrap())
    }

    #[test]
    fn what_came_whole_of_a_list_in_any_envelope_is_kept_and_no_element_is_half() {
        for (begun, whole) in [
            (r#"[{"id":1},{"id":2},{"id":"#, r#"[{"id":1},{"id":2}]"#),
            (r#"[{"id":1},{"id":2}"#, r#"[{"id":1},{"id":2}]"#),
            (r#"{"data":{"jobs":[{"a":[1,2]},{"a":[1,"#, r#"{"data":{"jobs":[{"a":[1,2]}]}}"#),
            (r#"{"jobs":[{"a":"]}\"\\"},{"a":"]}"#, r#"{"jobs":[{"a":"]}\"\\"}]}"#),
            (r#"{"n":1,"jobs":["a","b","c\"#, r#"{"n":1,"jobs":["a","b"]}"#),
            // The last of these numbers may go on.
            ("[1,2,3", "[1,2]"),
            (r#"{"jobs":[{"a":1}],"total":1"#, r#"{"jobs":[{"a":1}]}"#),
            (r#"{"jobs":[{"a":1}],"next":[{"b":1},{"#, r#"{"jobs":[{"a":1}],"next":[{"b":1}]}"#),
            (r#"{"total":5,"jo"#, r#"{"total":5}"#),
            (r#"{"jobs":["#, r#"{"jobs":[]}"#),
            (" {", " {}"),
        ] {
            assert_eq!(completed(begun).as_deref(), Some(whole), "{begun}");
        }
    }

    #[test]
    fn what_is_no_document_is_left_alone() {
        for text in ["", "  ", "}", ",[", "<html><body>", "error: [", "\"text", "12", "null"] {
            assert_eq!(completed(text), None, "{text}");
        }
    }

    #[test]
    fn cut_anywhere_a_document_stays_one_and_holds_the_first_rows_as_they_were() {
        let rows: Vec<Value> = (0..20)
            .map(|n| serde_json::json!({"id": n, "t": "a\"b\\", "in": [{"x": [n]}, "é]"], "z": null}))
            .collect();
        let whole =
            serde_json::json!({"ok": true, "data": {"of": {"k": 1}, "rows": rows}, "n": 20});
        let text = whole.to_string();
        for cut in 1..text.len() {
            let mut begun = text.as_bytes()[..cut].to_vec();
            assert!(complete(&mut begun), "{cut}");
            let read: Value = serde_json::from_slice(&begun).unwrap();
            let came = read["data"]["rows"].as_array().cloned().unwrap_or_default();
            assert_eq!(came[..], rows[..came.len()], "{cut}");
            // All but the one that was cut, and what its comma would have shown.
            assert!(begun.len() + 80 > cut.min(text.len() - 20), "{cut}");
        }
    }
}
