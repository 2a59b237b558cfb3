//! How large a job is, and making it smaller: servers attach results of any size.

use crate::model::{Extra, Job, Json};
use crate::redact::Redactor;

/// Bytes of a job's texts and JSON.
#[must_use]
pub fn size(job: &Job) -> usize {
    let texts =
        [&job.external_id, &job.name, &job.queue, &job.user, &job.message, &job.error, &job.stack];
    let texts = texts.into_iter().flatten().map(String::len);
    let json = [&job.detail, &job.data, &job.result];
    let json = json.into_iter().flatten().map(|json| json.as_str().len());
    let extra = job.extra.iter().map(|(name, json)| name.len() + json.as_str().len());
    job.id.as_str().len() + texts.sum::<usize>() + json.sum::<usize>() + extra.sum::<usize>()
}

/// Cuts what a server attached to a job to at most `longest` bytes a part, with a mark that says
/// so. What names the job and says where it stands stays as it is. The key is removed from whatever is
/// cut, since half of one could not be recognised any more. Answers whether anything was cut.
pub fn cut(job: &mut Job, longest: usize, redactor: &Redactor) -> bool {
    let mut any = false;
    for text in [&mut job.message, &mut job.error, &mut job.stack].into_iter().flatten() {
        if let Some(short) = shortened(text, longest, redactor) {
            *text = short;
            any = true;
        }
    }
    for json in [&mut job.detail, &mut job.data, &mut job.result].into_iter().flatten() {
        // As a string it is longer by its quotes and escapes.
        let mut room = longest.saturating_sub(2);
        while json.as_str().len() > longest {
            let Some(short) = shortened(json.as_str(), room, redactor) else { break };
            let short = Json::from(&serde_json::Value::String(short));
            if short.as_str().len() <= longest || room < 64 {
                *json = short;
                any = true;
                break;
            }
            room /= 2;
        }
    }
    let extra: usize = job.extra.iter().map(|(name, json)| name.len() + json.as_str().len()).sum();
    if extra > longest {
        let mark = Json::from(&serde_json::Value::String(mark(extra)));
        job.extra = Extra::from_iter([("fields", mark)]);
        any = true;
    }
    any
}

fn shortened(text: &str, longest: usize, redactor: &Redactor) -> Option<String> {
    if text.len() <= longest {
        return None;
    }
    let mark = mark(text.len());
    let mut short = redactor.clean_prefix(text, longest.saturating_sub(mark.len()));
    short.push_str(&mark);
    Some(short)
}

fn mark(bytes: usize) -> String {
    format!("\u{2026} [not kept: {bytes} bytes in all]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_job_is_cut_to_a_bound_says_so_and_stays_what_it_is() {
        let long = "\u{e9}".repeat(50_000);
        let mut job: Job = serde_json::from_value(serde_json::json!({
            "id": "1", "name": "report", "state": "failed", "source": "http",
            "heard_at": "2026-01-01T00:00:00Z", "error": long, "stack": "short",
            "result": { "rows": [long] }, "extra": { "a": long, "b": 1 },
        }))
        .expect("a job");
        assert!(cut(&mut job, 1_000, &Redactor::default()));
        assert!(size(&job) < 4_000);
        assert_eq!((job.name.as_deref(), job.stack.as_deref()), (Some("report"), Some("short")));
        assert!(
            job.error
                .as_ref()
                .is_some_and(|text| text.ends_with("[not kept: 100000 bytes in all]"))
        );
        assert!(job.result.as_ref().is_some_and(|json| json.as_str().contains("not kept")));
        assert!(!cut(&mut job, 1_000, &Redactor::default()), "what is cut stays as it is");
    }

    #[test]
    fn a_key_at_the_edge_of_what_is_cut_leaves_no_piece_of_itself() {
        let key = "sk-\"quoted\"/0123456789";
        let redactor = Redactor::new(Some(&Secret::new(key.to_owned())));
        for before in 150..260 {
            let quoted = format!("{}{key}{}", "-".repeat(before), "+".repeat(4_000));
            let mut job: Job = serde_json::from_value(serde_json::json!({
                "id": "1", "state": "failed", "source": "http", "error": quoted,
                "heard_at": "2026-01-01T00:00:00Z", "result": { "said": quoted },
            }))
            .expect("a job");
            assert!(cut(&mut job, 256, &redactor));
            let kept = format!("{:?} {:?}", job.error, job.result);
            assert!(!kept.contains("sk-") && !kept.contains("quoted"), "{before}: {kept}");
        }
    }
}
