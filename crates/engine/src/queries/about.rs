//! The argument that tells a job from others of its name.

use jobwatch_core::model::Job;
use serde_json::Value;

/// What it was given is looked at up to this size, for every row of a list.
const MAX_JSON: usize = 4_096;
/// Characters that are shown.
const MAX_TEXT: usize = 120;

/// Fields that name what a job is about, without case and punctuation; the first of them that there
/// is. Only what is known to be such a name: other fields may hold what is nobody's business.
const FIELDS: [&str; 16] = [
    "filename",
    "subject",
    "title",
    "walletaddress",
    "wallet",
    "address",
    "file",
    "filepath",
    "path",
    "url",
    "topic",
    "email",
    "recipient",
    "to",
    "index",
    "name",
];

/// What a job is about, by what it was given: a file, an address, a subject.
pub(super) fn about(job: &Job) -> Option<String> {
    let data = job.data.as_ref().filter(|data| data.as_str().len() <= MAX_JSON)?;
    let Value::Object(fields) = data.to_value() else { return None };
    let plain = |name: &str| name.to_lowercase().replace(['_', '-'], "");
    let named = FIELDS.iter().find_map(|wanted| {
        let (_, value) = fields.iter().find(|(name, _)| plain(name) == *wanted)?;
        value.as_str().map(str::trim).filter(|text| !text.is_empty() && !text.contains('\n'))
    })?;
    let shown = [job.name.as_deref(), Some(job.id.as_str()), job.external_id.as_deref()];
    // What its name says already is not said again.
    if shown.into_iter().flatten().any(|text| text.contains(named)) {
        return None;
    }
    Some(crate::redact::prefix(named, MAX_TEXT).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, data: Value) -> Option<String> {
        let job = serde_json::json!({
            "id": "25", "name": name, "state": "running", "source": "http", "data": data,
            "heard_at": "1970-01-01T00:00:00Z",
        });
        about(&serde_json::from_value(job).unwrap())
    }

    #[test]
    fn jobs_of_one_name_are_told_apart_by_what_they_were_given() {
        let data =
            serde_json::json!({"fileId": "f1", "filePath": "u1/1-a.pdf", "fileName": "a.pdf"});
        assert_eq!(of("process-pdf", data).as_deref(), Some("a.pdf"));
        let data = serde_json::json!({"subject": "orders", "requestedBy": "shop"});
        assert_eq!(of("reindex", data).as_deref(), Some("orders"));
        let data = serde_json::json!({"wallet_address": "7xKX"});
        assert_eq!(of("analyze-pnl", data).as_deref(), Some("7xKX"));
    }

    #[test]
    fn nothing_is_said_that_the_name_says_or_that_is_no_name_of_a_thing() {
        assert_eq!(of("Summarise a.pdf", serde_json::json!({"fileName": "a.pdf"})), None);
        assert_eq!(of("send", serde_json::json!({"password": "x", "token": "y"})), None);
        assert_eq!(of("send", serde_json::json!({"to": ["a", "b"], "file": ""})), None);
        assert_eq!(of("send", serde_json::json!("a.pdf")), None);
        assert_eq!(of("send", serde_json::json!({"file": "x".repeat(5_000)})), None);
    }
}
