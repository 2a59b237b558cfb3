//! What ended while the program was off becomes one notice per server. So a server that answers
//! late, behind a keyring's prompt for instance, gets a summary of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::record::StoredNotice;
use super::{Notice, Tone, format_counts, list_failures};
use crate::model::JobState;
use crate::server::ServerId;
use crate::time::{Mono, Now};

/// A digest is due once nothing was added to it for this long.
const IDLE: Duration = Duration::from_secs(2);
/// While its server has not listed what is watched, more is to be expected: it is due after this
/// long.
const PATIENCE: Duration = Duration::from_secs(15);
/// A digest that keeps growing is due [`PATIENCE`] after its first notice, or so many times later
/// while its server has not listed what is watched.
const UNLISTED: u32 = 4;
/// Notices of one digest that are kept in memory. What is beyond stays unshown in the history, and
/// is sent at the next start.
const MAX_NOTICES: usize = 20_000;

/// Notices of one server that are sent as one.
#[derive(Debug)]
pub(super) struct Digest {
    pub notices: Vec<StoredNotice>,
    /// Whether some of them are from an earlier run, which did not get to send them.
    pub earlier: bool,
    /// Summaries of earlier runs that nobody saw: this one replaces them.
    pub unseen: Vec<i64>,
    first: Mono,
    due: Mono,
}

/// The digests that are collected.
#[derive(Debug, Default)]
pub(super) struct Digests(BTreeMap<ServerId, Digest>);

impl Digests {
    /// Adds a notice. `listed` says whether its server has listed all that is watched.
    pub(super) fn add(&mut self, stored: StoredNotice, listed: bool, now: Now) {
        self.add_to(stored, listed, now);
    }

    /// Adds a notice that an earlier run did not get to send, to what its server lists now.
    pub(super) fn add_earlier(&mut self, stored: StoredNotice, now: Now) {
        self.add_to(stored, false, now).earlier = true;
    }

    /// Adds what an unseen summary of an earlier run covers.
    pub(super) fn add_again(&mut self, summary: i64, covered: Vec<StoredNotice>, now: Now) {
        for stored in covered {
            let digest = self.add_to(stored, false, now);
            digest.earlier = true;
            if !digest.unseen.contains(&summary) {
                digest.unseen.push(summary);
            }
        }
    }

    fn add_to(&mut self, stored: StoredNotice, listed: bool, now: Now) -> &mut Digest {
        let (notices, unseen, earlier) = (Vec::new(), Vec::new(), false);
        let new = || Digest { notices, earlier, unseen, first: now.mono, due: now.mono };
        let digest = self.0.entry(stored.notice.server.clone()).or_insert_with(new);
        let (idle, longest) =
            if listed { (IDLE, PATIENCE) } else { (PATIENCE, PATIENCE * UNLISTED) };
        digest.due = now.mono.after(idle).min(digest.first.after(longest));
        if digest.notices.len() < MAX_NOTICES {
            digest.notices.push(stored);
        }
        digest
    }

    /// A server has listed all that is watched: whatever ended meanwhile is here, or on its way
    /// through the history.
    pub(super) fn listed(&mut self, server: &ServerId, now: Now) {
        if let Some(digest) = self.0.get_mut(server) {
            digest.due = digest.due.min(now.mono.after(IDLE));
        }
    }

    /// Drops the digest of a server.
    pub(super) fn forget(&mut self, server: &ServerId) {
        self.0.remove(server);
    }

    /// When the next digest is due.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.0.values().map(|digest| digest.due).min()
    }

    /// Takes out what is due.
    pub(super) fn take_due(&mut self, now: Now) -> Vec<(ServerId, Digest)> {
        self.0.extract_if(.., |_, digest| digest.due <= now.mono).collect()
    }
}

/// Several notices in one. `when` says what kept them from being sent, `name` a server's name.
pub(super) fn summary(
    when: &str,
    notices: &[StoredNotice],
    name: impl Fn(&ServerId) -> String,
    at: Timestamp,
) -> Notice {
    const WORDS: [&str; 5] =
        ["completed", "failed", "cancelled", "with unknown outcome", "of another kind"];
    let mut counts = [0; WORDS.len()];
    for stored in notices {
        counts[match stored.notice.key.as_ref().map(|key| &key.outcome) {
            Some(JobState::Completed) => 0,
            Some(JobState::Failed) => 1,
            Some(JobState::Cancelled) => 2,
            Some(_) => 3,
            None => 4,
        }] += 1;
    }
    let parts: Vec<_> = counts.into_iter().zip(WORDS).collect();
    let title = format!("{when}: {}", format_counts(&parts));
    let servers: BTreeSet<&ServerId> = notices.iter().map(|stored| &stored.notice.server).collect();
    let alone = servers.first().filter(|_| servers.len() == 1).copied();
    let bad = notices.iter().filter(|stored| stored.notice.tone == Tone::Bad);
    let bad: Vec<String> = bad
        .map(|stored| match alone {
            Some(_) => stored.notice.title.clone(),
            None => format!("{} ({})", stored.notice.title, name(&stored.notice.server)),
        })
        .collect();
    let tone = if bad.is_empty() { Tone::Good } else { Tone::Bad };
    let of = match alone {
        Some(server) => name(server),
        None => format!("{} servers", servers.len()),
    };
    let body = list_failures(&of, bad.iter().map(String::as_str));
    let server = alone.cloned().unwrap_or_else(|| ServerId(String::new()));
    let (key, job, subject, trigger) = (None, None, None, None);
    Notice { key, server, job, title, body, tone, at, subject, trigger }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::NoticeKey;

    fn at(ms: u64) -> Now {
        Now { mono: Mono(ms), wall: jiff::Timestamp::UNIX_EPOCH }
    }

    fn stored(server: &str, id: i64, outcome: JobState) -> StoredNotice {
        let server = ServerId(server.to_owned());
        let job: crate::model::JobId = id.to_string().into();
        let tone = if outcome == JobState::Failed { Tone::Bad } else { Tone::Good };
        let notice = Notice {
            key: Some(NoticeKey {
                server: server.clone(),
                job: job.clone(),
                attempt: 1,
                outcome: outcome.clone(),
            }),
            server,
            job: Some(job),
            title: format!("{id} {outcome}"),
            body: String::new(),
            tone,
            at: jiff::Timestamp::UNIX_EPOCH,
            subject: None,
            trigger: None,
        };
        StoredNotice::new(id, notice, false)
    }

    fn taken(digests: &mut Digests, ms: u64) -> Vec<(String, usize)> {
        let taken = digests.take_due(at(ms));
        taken.into_iter().map(|(server, digest)| (server.0, digest.notices.len())).collect()
    }

    #[test]
    fn a_server_that_answers_late_has_a_summary_of_its_own() {
        let mut digests = Digests::default();
        for id in 0..3 {
            digests.add(stored("early", id, JobState::Completed), true, at(0));
        }
        assert_eq!(taken(&mut digests, 2_000), [("early".to_owned(), 3)]);
        for id in 0..40 {
            let stored = stored("late", id, JobState::Completed);
            digests.add(stored, false, at(20_000 + 100 * id as u64));
        }
        digests.listed(&ServerId("late".to_owned()), at(24_000));
        assert_eq!(taken(&mut digests, 25_900), []);
        assert_eq!(taken(&mut digests, 26_000), [("late".to_owned(), 40)]);
    }

    #[test]
    fn what_an_earlier_run_did_not_send_waits_for_what_its_server_lists() {
        let mut digests = Digests::default();
        digests.add(stored("s", 1, JobState::Failed), false, at(0));
        assert_eq!(taken(&mut digests, 10_000), []);
        digests.add(stored("s", 2, JobState::Failed), true, at(10_000));
        assert_eq!(taken(&mut digests, 12_000), [("s".to_owned(), 2)]);
    }

    #[test]
    fn a_server_that_never_lists_holds_nothing_back_for_ever() {
        let mut digests = Digests::default();
        for ms in (0..60_000).step_by(1_000) {
            digests.add(stored("s", ms, JobState::Failed), false, at(ms as u64));
        }
        assert_eq!(taken(&mut digests, 60_000), [("s".to_owned(), 60)]);
    }

    #[test]
    fn a_summary_counts_each_way_to_end_and_names_failures() {
        let failed = (10..15).map(|id| stored("s", id, JobState::Failed));
        let mut all: Vec<_> = failed.collect();
        all.extend((0..32).map(|id| stored("s", id, JobState::Completed)));
        let place = |server: &ServerId| server.0.to_uppercase();
        let notice = summary("While quiet", &all, place, at(0).wall);
        assert_eq!(notice.title, "While quiet: 32 completed, 5 failed");
        assert_eq!(notice.body, "On S\n10 failed\n11 failed\n12 failed");
        assert_eq!(notice.server.0, "s");
        all.push(stored("t", 50, JobState::gone()));
        let notice = summary("While quiet", &all, place, at(0).wall);
        assert_eq!(notice.title, "While quiet: 32 completed, 5 failed, 1 with unknown outcome");
        assert_eq!(notice.body, "On 2 servers\n10 failed (S)\n11 failed (S)\n12 failed (S)");
        assert!(notice.of_several_servers());
    }
}
