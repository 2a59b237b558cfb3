//! What servers written in Go can read. They drop the socket over a frame whose fields do not have
//! the types they expect.

use crate::wire::fields::Fields;
use crate::wire::json::text_of;
use crate::wire::time::is_rfc3339;

/// Whether the server can read a frame with the time `timestamp` and these texts. Go takes names
/// whatever their case, and `null` for anything.
pub(super) fn reads(fields: &Fields<'_>, texts: &[&str]) -> bool {
    fields.iter().all(|(name, raw)| {
        let string = raw.get().starts_with('"');
        if name.eq_ignore_ascii_case("timestamp") {
            string && text_of(raw).is_some_and(|text| is_rfc3339(&text))
        } else {
            string || !texts.iter().any(|text| name.eq_ignore_ascii_case(text))
        }
    })
}
