//! Which runs are meant by what is no run's id: a BullMQ id, which every queue counts for itself and
//! which may come back with every run, or `QUEUE/ID`.

use serde_json::json;

use super::http::gone;
use super::lists::{PAGE, runs};
use super::{BullBoard, Call, Found, TablePage};
use crate::dialect::answer::diagnostic;
use crate::dialect::{FetchRequest, Incoming, queue_and_id};
use crate::model::{JobId, JobPatch, JobState, Topic};
use crate::wire::fields::Fields;

/// Pages of a search that are followed: the search looks into names and errors as well, so that a
/// short id is found in many runs.
const PAGES: u32 = 20;
/// In how many ways a text is taken for a queue and an id.
const WAYS: usize = 3;

impl BullBoard {
    /// The calls that find the runs that `given` may mean.
    pub(super) fn searches(&self, topic: &Topic, given: &str) -> Vec<FetchRequest> {
        let whole = std::iter::once(json!({"search": given, "limit": PAGE}));
        let queued = queue_and_id(given)
            .take(WAYS)
            .map(|(queue, id)| json!({"queue": queue, "search": id, "limit": PAGE}));
        whole.chain(queued).map(|body| self.search(topic, body, 1)).collect()
    }

    fn search(&self, topic: &Topic, body: serde_json::Value, number: u32) -> FetchRequest {
        self.table_page(topic, Call::Search(TablePage { number, body }))
    }

    pub(super) fn search_read(
        &mut self,
        page: &TablePage,
        wanted: &JobId,
        fields: &Fields<'_>,
    ) -> Vec<Incoming> {
        let (read, next) = runs(page, fields);
        let topic = Topic::Job(wanted.clone());
        let meant = |run: &JobPatch| means(wanted.as_str(), run);
        let page = page.number;
        let runs = read.iter().map(|(run, _)| run).filter(|run| meant(run));
        self.choose(wanted, runs, page == 1);
        let mut all = Vec::new();
        for (patch, doubtful) in read.into_iter().filter(|(run, _)| meant(run)) {
            let Some(id) = patch.id.clone() else { continue };
            all.extend(self.row_read(&topic, patch, doubtful, &mut 0));
            if id != *wanted {
                all.push(Incoming::Discovered(Topic::Job(id)));
            }
        }
        let more = next.is_some();
        let next = next.filter(|_| page < PAGES).map(|body| self.search(&topic, body, page + 1));
        if more && next.is_none() && all.is_empty() {
            let text = format!(
                "The newest {} runs that the server finds for \"{wanted}\" are none of that id. Name \
                 its queue as well: QUEUE/{wanted}.",
                PAGE * PAGES as usize
            );
            return vec![diagnostic("too-many-pages", text, "")];
        }
        if all.is_empty() && next.is_none() && page == 1 {
            // Not the id of a recent run. One that was found before is asked for by itself.
            return match self.found.get(wanted.as_str()) {
                Some(found) => {
                    vec![Incoming::Follow(self.run_request(&topic, found.run.as_str()))]
                }
                None if is_uuid(wanted.as_str()) => vec![gone(wanted.as_str())],
                // Another of the calls may find it.
                None => Vec::new(),
            };
        }
        all.extend(next.map(Incoming::Follow));
        all
    }

    /// Settles which run is followed: one that was chosen before until it has ended, else the newest
    /// that has not ended, else the newest. Pages come with the newest runs first.
    fn choose<'a>(
        &mut self,
        wanted: &JobId,
        runs: impl Iterator<Item = &'a JobPatch>,
        first_page: bool,
    ) {
        let ended = |run: &JobPatch| run.state.as_ref().is_some_and(JobState::terminal);
        let mut runs: Vec<&JobPatch> = runs.filter(|run| run.id.is_some()).collect();
        // The table has the newest first; of two that are as new the first counts.
        runs.sort_by_key(|run| std::cmp::Reverse(run.created_at));
        let before = self.found.get(wanted.as_str()).cloned();
        let same = |run: &&&JobPatch| {
            before.as_ref().is_some_and(|before| run.id.as_ref() == Some(&before.run))
        };
        if let Some(run) = runs.iter().find(same)
            && !ended(run)
        {
            return;
        }
        let known_ended = before.as_ref().is_none_or(|before| before.ended)
            || runs.iter().any(|run| same(&run) && ended(run));
        if !known_ended {
            return;
        }
        let open = runs.iter().find(|run| !ended(run));
        // Of ended runs the newest, which is on the first page.
        let newest = runs.first().filter(|_| first_page || before.is_none());
        let chosen = open.or(newest);
        if let Some(run) = chosen.and_then(|run| run.id.clone()) {
            self.found.remember(wanted.clone(), Found { run, ended: open.is_none() });
        }
    }
}

/// Whether a run is meant by its BullMQ id, alone or behind its queue, or by its own id.
fn means(given: &str, run: &JobPatch) -> bool {
    if run.id.as_ref().is_some_and(|id| id.as_str() == given) {
        return true;
    }
    let Some(id) = run.external_id.as_deref() else { return false };
    let queue = run.queue.as_deref().unwrap_or_default();
    id == given || queue_and_id(given).any(|way| way == (queue, id))
}

/// Whether an id has the form of a run's: 32 hexadecimal digits in five groups.
pub(super) fn is_uuid(id: &str) -> bool {
    let groups: Vec<&str> = id.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}
