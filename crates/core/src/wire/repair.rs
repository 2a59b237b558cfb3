//! JSON as programs write it that do not know its standard: `NaN` and `Infinity` from Python and
//! from old JavaScript libraries, control characters that stand bare in strings, escapes that JSON
//! does not have, commas before a closing bracket.

/// Tokens for which JSON has no word, longest first. All mean that there is no value.
const NOTHINGS: [&str; 4] = ["-Infinity", "Infinity", "undefined", "NaN"];

/// The text with what is known to be mended, or `None` where there is nothing of that kind in it.
/// Whether the result is JSON is for its reader to find out.
#[must_use]
pub fn repaired(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    let mut in_string = false;
    let bytes = text.as_bytes();
    // Only bytes of ASCII are looked at, so every place is a character's boundary.
    while let Some(byte) = bytes.get(at) {
        let rest = &bytes[at..];
        let (length, instead) = match (byte, in_string) {
            (b'"', _) => {
                in_string = !in_string;
                (1, None)
            }
            (b'\\', true) => match rest.get(1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u') => (2, None),
                Some(b'\'') => (2, Some("'".to_owned())),
                Some(_) => (1, Some("\\\\".to_owned())),
                None => (1, None),
            },
            (0..0x20, true) => (1, Some(format!("\\u{byte:04x}"))),
            (b',', false) => {
                let next = rest[1..].iter().find(|byte| !byte.is_ascii_whitespace());
                (1, matches!(next, Some(b'}' | b']')).then(String::new))
            }
            (b'-' | b'I' | b'N' | b'u', false) => {
                let nothing = NOTHINGS.iter().find(|word| rest.starts_with(word.as_bytes()));
                nothing.map_or((1, None), |word| (word.len(), Some("null".to_owned())))
            }
            _ => (1, None),
        };
        if let Some(instead) = instead {
            out.push_str(&text[copied..at]);
            out.push_str(&instead);
            copied = at + length;
        }
        at += length;
    }
    if copied == 0 {
        return None;
    }
    out.push_str(&text[copied..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_json_but_clear_is_mended() {
        let cases = [
            (r#"{"a":NaN,"b":-Infinity,"c":Infinity}"#, r#"{"a":null,"b":null,"c":null}"#),
            (r#"[undefined,NaN]"#, r#"[null,null]"#),
            ("{\"log\":\"a\tb\nc\u{1b}[0m\"}", r#"{"log":"a\u0009b\u000ac\u001b[0m"}"#),
            (r#"{"path":"C:\Users\data"}"#, r#"{"path":"C:\\Users\\data"}"#),
            (r#"{"it":"it\'s"}"#, r#"{"it":"it's"}"#),
            ("[1,2,\n]", "[1,2\n]"),
            (r#"{"a":{"b":1,},}"#, r#"{"a":{"b":1}}"#),
            ("NaN", "null"),
            (r#"["ö",NaN,"ü"]"#, r#"["ö",null,"ü"]"#),
        ];
        for (text, right) in cases {
            let mended = repaired(text).unwrap_or_default();
            if text.contains("Users") {
                // `\U` is no escape of JSON, `\u` would be.
                assert!(serde_json::from_str::<serde_json::Value>(&mended).is_ok(), "{mended}");
            }
            assert_eq!(mended, right, "{text}");
        }
    }

    #[test]
    fn what_is_json_stays_as_it_is() {
        let texts = [
            "",
            "-",
            "-1",
            r#"{"text":"NaN, Infinity, undefined,]"}"#,
            r#"{"quoted":"\"NaN\",]","tab":"\t","u":"\u0041","back":"\\"}"#,
            "[1, 2]",
            "\"an open string with NaN",
        ];
        for text in texts {
            assert_eq!(repaired(text), None, "{text}");
        }
    }
}
