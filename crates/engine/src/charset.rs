//! From the bytes of an answer to its text, whatever they were labelled.
//!
//! JSON is UTF-8, says its standard; what comes over the network is what a framework, a proxy or an
//! old program made of it. What can be told from the bytes themselves is believed before a label.

use std::io::Read;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// What a gzip stream begins with.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// What servers put before JSON so that a page of another origin cannot run it as a script.
const GUARDS: [&[u8]; 5] = [b")]}',", b")]}'", b"while(1);", b"for(;;);", b"{}&&"];

/// The body of an answer as UTF-8, without what stands before and after its text: a byte order mark,
/// blanks, NULs, a guard against scripts. `charset` is the label of the `content-type`; at most
/// `limit` bytes are unpacked. Bytes that are no text in their charset become U+FFFD.
pub(crate) fn decoded(charset: Option<&str>, mut body: Vec<u8>, limit: usize) -> Vec<u8> {
    if body.starts_with(&GZIP)
        && let Some(unpacked) = unpacked(&body, limit)
    {
        body = unpacked;
    }
    if body.starts_with(&GZIP) {
        return body;
    }
    if let Some(encoding) = encoding(charset, &body) {
        body = encoding.decode_with_bom_removal(&body).0.into_owned().into_bytes();
    }
    let kept = bare(&body);
    if kept.len() == body.len() { body } else { kept.to_vec() }
}

/// What to decode from; `None` for what is UTF-8 already.
fn encoding(charset: Option<&str>, body: &[u8]) -> Option<&'static Encoding> {
    if let Some((marked, _)) = Encoding::for_bom(body) {
        return Some(marked);
    }
    // JSON begins with two characters of ASCII.
    let guessed = match body {
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => UTF_16BE,
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => UTF_16LE,
        _ if std::str::from_utf8(body).is_ok() => return None,
        _ => charset.and_then(|label| Encoding::for_label(label.as_bytes())).unwrap_or(UTF_8),
    };
    Some(guessed)
}

/// A packed body that was not said to be packed; `None` where it is none or more than `limit`.
fn unpacked(body: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::MultiGzDecoder::new(body).take(most).read_to_end(&mut all).ok()?;
    (all.len() <= limit).then_some(all)
}

fn bare(mut text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    let trimmed = |mut text: &[u8]| -> (usize, usize) {
        let from = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
        text = &text[from..];
        (from, from + text.iter().rposition(|byte| !blank(byte)).map_or(0, |last| last + 1))
    };
    let (from, to) = trimmed(text);
    text = &text[from..to];
    for guard in GUARDS {
        if let Some(rest) = text.strip_prefix(guard) {
            let (from, to) = trimmed(rest);
            return &rest[from..to];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const LIMIT: usize = 1_000;

    fn is_read(charset: Option<&str>, body: &[u8]) -> String {
        String::from_utf8(decoded(charset, body.to_vec(), LIMIT)).unwrap()
    }

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn a_body_is_read_whatever_its_encoding_is_and_whatever_stands_around_it() {
        const TEXT: &str = r#"{"name":"café ✓"}"#;
        let wide = |text: &str, big: bool| -> Vec<u8> {
            let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            text.encode_utf16().flat_map(unit).collect()
        };
        let utf8 = Some("utf-8");
        let cases: [(Option<&str>, Vec<u8>); 16] = [
            (None, TEXT.as_bytes().to_vec()),
            (utf8, TEXT.as_bytes().to_vec()),
            (Some("no-such-charset"), TEXT.as_bytes().to_vec()),
            // A label that does not fit what is UTF-8 is wrong.
            (Some("iso-8859-1"), TEXT.as_bytes().to_vec()),
            (None, ["\u{feff}", TEXT].concat().into_bytes()),
            (utf8, ["\u{feff}  \n", TEXT].concat().into_bytes()),
            (None, [" \r\n\t", TEXT, "\n\n\0"].concat().into_bytes()),
            (None, [")]}',\n", TEXT].concat().into_bytes()),
            (None, ["while(1);", TEXT].concat().into_bytes()),
            (Some("utf-16"), wide(&["\u{feff}", TEXT].concat(), true)),
            (utf8, wide(&["\u{feff}", TEXT].concat(), false)),
            (None, wide(TEXT, false)),
            (utf8, wide(TEXT, true)),
            (None, packed(TEXT.as_bytes())),
            (None, packed(&wide(TEXT, false))),
            (None, packed(&["\u{feff}", TEXT].concat().into_bytes())),
        ];
        for (charset, body) in cases {
            assert_eq!(is_read(charset, &body), TEXT, "{charset:?} {body:x?}");
        }
        assert_eq!(is_read(Some("iso-8859-1"), b"{\"name\":\"caf\xe9\"}"), r#"{"name":"café"}"#);
        assert_eq!(is_read(Some("Shift_JIS"), b"[\"\x83W\x83\x87\x83u\"]"), r#"["ジョブ"]"#);
    }

    #[test]
    fn one_bad_byte_spoils_its_own_character_alone() {
        for charset in [None, Some("utf-8"), Some("no-such-charset")] {
            assert_eq!(is_read(charset, b"{\"name\":\"caf\xff\"}"), "{\"name\":\"caf\u{fffd}\"}");
        }
        assert_eq!(is_read(None, b""), "");
    }

    #[test]
    fn what_only_looks_packed_stays_as_it_is() {
        let body = b"\x1f\x8b\x08 not packed\0";
        assert_eq!(decoded(None, body.to_vec(), LIMIT), body);
    }

    #[test]
    fn a_small_body_that_unpacks_to_more_than_is_read_is_left_packed() {
        let bomb = packed(&vec![b' '; LIMIT + 1]);
        assert_eq!(decoded(None, bomb.clone(), LIMIT), bomb);
        assert_eq!(decoded(None, packed(&vec![b'x'; LIMIT]), LIMIT).len(), LIMIT);
    }
}
