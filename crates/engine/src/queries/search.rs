//! What is typed into the search of a list of jobs, and what it finds: whatever of a job is on the
//! screen, and what it is named by elsewhere.

use jobwatch_core::dialect::own_id;
use jobwatch_core::model::{Job, Json};

use super::job_index::Entry;
use crate::driver::ConnectionId;

/// What a job was given and how it stands are searched as text up to this size.
const MAX_JSON: usize = 16 << 10;
/// Random ids hold nearly every short text: such a one finds them by their beginning alone.
const SHORT: usize = 4;

/// A search text, in lower case, and the servers whose names hold it.
#[derive(Clone, Debug, Default)]
pub struct Search {
    needle: String,
    servers: Vec<ConnectionId>,
}

impl Search {
    /// A search for `text`, where there are these servers.
    #[must_use]
    pub fn new<'a>(text: &str, servers: impl Iterator<Item = (ConnectionId, &'a str)>) -> Search {
        let needle = text.trim().to_lowercase();
        let named = |(_, name): &(ConnectionId, &str)| !needle.is_empty() && holds(name, &needle);
        let servers = servers.filter(named).map(|(connection, _)| connection).collect();
        Search { needle, servers }
    }

    /// Whether a job is found.
    #[must_use]
    pub fn finds(&self, entry: &Entry) -> bool {
        if self.needle.is_empty() || self.servers.contains(&entry.connection) {
            return true;
        }
        let (job, needle) = (entry.job.as_ref(), self.needle.as_str());
        let texts = [&job.name, &job.queue, &job.user, &job.message, &job.error];
        let bodies = [&job.detail, &job.data];
        self.names(job)
            || holds_id(job.id.as_str(), needle)
            || job.external_id.as_deref().is_some_and(|id| holds_id(id, needle))
            || texts.into_iter().flatten().any(|text| holds(text, needle))
            || bodies
                .into_iter()
                .flatten()
                .map(Json::as_str)
                .any(|json| json.len() <= MAX_JSON && holds(json, needle))
    }

    /// Whether the text is what names a job: its id, the one that other tools show, or either behind
    /// its queue.
    #[must_use]
    pub fn names(&self, job: &Job) -> bool {
        let given = self.needle.as_str();
        if given.is_empty() {
            return false;
        }
        let is = |id: &str, given: &str| {
            id.eq_ignore_ascii_case(given) || (!id.is_ascii() && id.to_lowercase() == given)
        };
        let ids = [Some(job.id.as_str()), Some(own_id(job)), job.external_id.as_deref()];
        let queue = job.queue.as_deref().map(str::to_lowercase);
        let behind =
            queue.as_deref().and_then(|queue| given.strip_prefix(queue)?.strip_prefix('/'));
        ids.into_iter()
            .flatten()
            .any(|id| is(id, given) || behind.is_some_and(|given| is(id, given)))
    }
}

/// Whether an id holds a text.
fn holds_id(id: &str, needle: &str) -> bool {
    let groups = || id.split('-').map(str::len);
    if needle.len() < SHORT && groups().eq([8, 4, 4, 4, 12]) {
        return id.get(..needle.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(needle));
    }
    holds(id, needle)
}

/// Whether `text` holds `needle`, which is in lower case, whatever the case.
fn holds(text: &str, needle: &str) -> bool {
    if text.len() < needle.len() && text.is_ascii() {
        return false;
    }
    if text.is_ascii() && needle.is_ascii() {
        let needle = needle.as_bytes();
        return text
            .as_bytes()
            .windows(needle.len())
            .any(|window| window.eq_ignore_ascii_case(needle));
    }
    text.to_lowercase().contains(needle)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn entry(connection: u32) -> Entry {
        let job = serde_json::json!({
            "id": "01999d2e-7d0c-7b11-8d3a-2f8a1f0e9c15", "external_id": "25", "queue": "{email}",
            "name": "send", "state": "running", "source": "http", "user": "0xAbC123",
            "data": {"walletAddresses": ["7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"]},
            "heard_at": "1970-01-01T00:00:00Z",
        });
        Entry {
            connection: ConnectionId(connection),
            job: Arc::new(serde_json::from_value(job).unwrap()),
        }
    }

    #[test]
    fn whatever_is_on_the_screen_is_found() {
        let servers =
            || [(ConnectionId(1), "Wallet analyzer"), (ConnectionId(2), "Lectures")].into_iter();
        for (text, found) in [
            ("", true),
            ("SEND", true),
            ("{email}", true),
            ("analyzer", true),
            ("lectures", false),
            ("0xabc123", true),
            ("7xkxtg2c", true),
            ("25", true),
            // The beginning of a random id, or a long part of it.
            ("019", true),
            ("9c15", true),
            ("9c1", false),
        ] {
            assert_eq!(Search::new(text, servers()).finds(&entry(1)), found, "{text}");
        }
    }

    #[test]
    fn what_names_a_job_is_known_from_what_only_holds_it() {
        for (text, names) in [
            ("25", true),
            ("{email}/25", true),
            ("{EMAIL}/25", true),
            ("01999D2E-7d0c-7b11-8d3a-2f8a1f0e9c15", true),
            ("5", false),
            ("{sms}/25", false),
            ("", false),
        ] {
            let search = Search::new(text, std::iter::empty());
            assert_eq!(search.names(&entry(1).job), names, "{text}");
        }
    }

    #[test]
    fn text_is_found_whatever_its_case_and_script() {
        assert!(holds("Nightly REPORT", "report"));
        assert!(holds("ÜBERSICHT", "übersicht"));
        assert!(!holds("report", "reports"));
        assert!(!holds("", "x"));
    }
}
