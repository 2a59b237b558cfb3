//! The members of a JSON object, found where they lie.

/// Goes over the names and values of an object's members, as they are written, until `each` answers
/// something. The object may be cut anywhere.
pub(super) fn members<'a, T>(
    text: &'a str,
    mut each: impl FnMut(&'a str, &'a str) -> Option<T>,
) -> Option<T> {
    let bytes = text.as_bytes();
    let blank = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        at
    };
    let mut at = blank(0);
    if bytes.get(at) != Some(&b'{') {
        return None;
    }
    at += 1;
    loop {
        at = blank(at);
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let end = string_end(bytes, at)?;
        let name = &text[at + 1..end - 1];
        at = blank(end);
        if bytes.get(at) != Some(&b':') {
            return None;
        }
        at = blank(at + 1);
        let end = value_end(bytes, at)?;
        if let Some(answer) = each(name, &text[at..end]) {
            return Some(answer);
        }
        at = blank(end);
        if bytes.get(at) != Some(&b',') {
            return None;
        }
        at += 1;
    }
}

/// One beyond the quotation mark that ends a string.
fn string_end(bytes: &[u8], begin: usize) -> Option<usize> {
    let mut at = begin + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        match bytes[at] {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

fn value_end(bytes: &[u8], begin: usize) -> Option<usize> {
    match bytes.get(begin)? {
        b'"' => string_end(bytes, begin),
        b'{' | b'[' => {
            let (mut at, mut depth) = (begin, 0_usize);
            loop {
                match bytes.get(at)? {
                    b'"' => {
                        at = string_end(bytes, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
            Some(begin + bytes[begin..].iter().position(ends)?)
        }
    }
}
