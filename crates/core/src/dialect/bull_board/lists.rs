//! The table of runs and the table of queues: which pages are read, and what is said where they are
//! not read to their end.
//!
//! The table has the newest runs first, whatever became of them. So its first pages show what
//! happened lately, and what is under way is read by its state, since long runs and long queues lie
//! behind all that was added since.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;
use serde_json::value::RawValue;

use super::find::is_uuid;
use super::{Asked, BullBoard, Call, TablePage, record};
use crate::dialect::memory::Memory;
use crate::dialect::oversized::grouped;
use crate::dialect::{FetchRequest, Incoming};
use crate::model::{JobId, JobPatch, JobState, Topic, Update};
use crate::wire::fields::Fields;

/// Rows of a page; the server allows no more.
pub(super) const PAGE: usize = 100;
/// Pages of the newest runs that are read each time, and of the queues.
const PAGES: usize = 5;
/// Pages of the newest runs that are read as long as each shows something new: many runs may have
/// begun or ended since they were last read.
const NEWS_PAGES: usize = 50;
/// Runs of a page of a list that are asked how they really ended.
const DOUBTED: usize = 10;
/// How often each is: several lists may hold it before the first answer.
const ASKED: u8 = 4;
/// Runs that the socket names before any list does are remembered up to so many.
const MOST_NAMED: usize = 1_000;
/// Of these so many are asked for by themselves when the lists have been read, and each so often.
const NAMED_AT_ONCE: usize = 50;
const NAMED_TRIES: u8 = 5;

/// What an open run is called, how many pages of such runs are read, and what they are doing.
const OPEN: [(&str, usize, &str); 5] = [
    ("active", 50, "active"),
    ("waiting", 10, "waiting"),
    ("prioritized", 10, "waiting with a priority"),
    ("delayed", 10, "delayed"),
    ("waiting-children", 10, "waiting for their children"),
];

/// What has been read of the lists.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Runs that a list has shown, and whether they had ended.
    shown: Memory<bool>,
    /// The same of the list of the newest runs alone. It may list behind a run that is long known
    /// as active one that has begun and ended since.
    newest: Memory<bool>,
    /// Topics whose newest runs were read once: what is new to their lists has happened since.
    read: BTreeSet<Topic>,
    /// An earlier run of the program knew runs, which are among those of `newest`.
    remembers: bool,
    /// Runs that the socket named and no list has shown, and how often they were asked for.
    named: HashMap<JobId, u8>,
    /// States by which this server has listed its runs. Some know fewer than others.
    known: BTreeSet<String>,
}

impl Lists {
    /// A run is known from an earlier run of the program.
    pub(super) fn remember(&mut self, id: &JobId, ended: bool) {
        self.remembers = true;
        self.newest.remember(id.clone(), ended);
    }

    /// Whether what is new to a topic's list has happened since it was last read.
    fn reads_news(&self, topic: &Topic) -> bool {
        self.remembers || self.read.contains(topic)
    }

    /// The socket says that something about a run has changed.
    pub(super) fn name(&mut self, id: &JobId) {
        let new = is_uuid(id.as_str()) && !self.shown.contains(id.as_str());
        if new && self.named.len() < MOST_NAMED {
            self.named.entry(id.clone()).or_insert(0);
        }
    }

    /// A topic is watched no longer.
    pub(super) fn forget(&mut self, topic: &Topic) {
        self.read.remove(topic);
    }

    /// A list or the run itself has shown a run; `newest` says that it was the list of the newest.
    /// Answers whether that is new to it: it was never shown there, or it has ended since.
    pub(super) fn show(&mut self, patch: &JobPatch, newest: bool) -> bool {
        let Some(id) = &patch.id else { return false };
        let ended = patch.state.as_ref().is_some_and(JobState::terminal);
        self.named.remove(id);
        self.shown.remember(id.clone(), ended);
        if !newest {
            return false;
        }
        let before = self.newest.get(id.as_str()).copied();
        self.newest.remember(id.clone(), ended);
        before.is_none_or(|before| ended && !before)
    }

    /// Whether a failed call is no trouble: it asked by a state that this server may not know.
    pub(super) fn may_lack(&self, page: &TablePage) -> bool {
        match status_of(page) {
            Some(status) => status != OPEN[0].0 && !self.known.contains(&status),
            None => false,
        }
    }

    /// Runs that no list has shown though the socket named them.
    fn unseen(&mut self) -> Vec<JobId> {
        let mut ids: Vec<JobId> = self.named.keys().cloned().collect();
        ids.sort_unstable();
        ids.truncate(NAMED_AT_ONCE);
        for id in &ids {
            let tries = self.named.entry(id.clone()).or_insert(0);
            *tries += 1;
            if *tries >= NAMED_TRIES {
                self.named.remove(id);
            }
        }
        ids
    }
}

/// The state by which a call lists runs; `None` for the newest of all states.
fn status_of(page: &TablePage) -> Option<String> {
    page.body.get("status")?.as_str().map(str::to_owned)
}

impl BullBoard {
    /// The newest runs of a topic.
    pub(super) fn newest(&self, topic: &Topic) -> FetchRequest {
        let body = match topic {
            Topic::Queue(name) => json!({"queue": name, "limit": self.page}),
            _ => json!({"limit": self.page}),
        };
        self.table(topic, body, 1)
    }

    /// The active runs of a topic, some of which may lie behind the newest pages.
    pub(super) fn active(&self, topic: &Topic) -> FetchRequest {
        self.open_runs(topic, OPEN[0].0)
    }

    fn open_runs(&self, topic: &Topic, status: &str) -> FetchRequest {
        let body = match topic {
            Topic::Queue(name) => json!({"queue": name, "limit": self.page, "status": status}),
            _ => json!({"limit": self.page, "status": status}),
        };
        self.table(topic, body, 1)
    }

    fn table(&self, topic: &Topic, body: serde_json::Value, number: u32) -> FetchRequest {
        self.table_page(topic, Call::Table(TablePage { number, body }))
    }

    pub(super) fn queues(
        &self,
        topic: &Topic,
        body: serde_json::Value,
        number: u32,
    ) -> FetchRequest {
        self.table_page(topic, Call::Queues(TablePage { number, body }))
    }

    pub(super) fn table_read(
        &mut self,
        page: &TablePage,
        topic: &Topic,
        fields: &Fields<'_>,
    ) -> Vec<Incoming> {
        let (read, next) = runs(page, fields);
        let mut all = Vec::with_capacity(read.len() + 1);
        let (mut doubted, mut news) = (0, false);
        for (patch, doubtful) in read {
            news |= self.lists.show(&patch, status_of(page).is_none());
            all.extend(self.row_read(topic, patch, doubtful, &mut doubted));
        }
        match status_of(page) {
            Some(status) => all.extend(self.more_open(page, topic, &status, next)),
            None => all.extend(self.more_newest(page, topic, news, next)),
        }
        all
    }

    /// What follows a page of runs of one state.
    fn more_open(
        &mut self,
        page: &TablePage,
        topic: &Topic,
        status: &str,
        next: Option<serde_json::Value>,
    ) -> Option<Incoming> {
        self.lists.known.insert(status.to_owned());
        let body = next?;
        let read = Read::of(page);
        let (_, pages, doing) = OPEN.into_iter().find(|(known, ..)| *known == status)?;
        if read.rows < pages * PAGE {
            return Some(Incoming::Follow(self.table(topic, body, read.page + 1)));
        }
        let many = grouped(pages * PAGE);
        let whose = match topic {
            Topic::Queue(name) => format!(" in the queue {name}"),
            _ => String::new(),
        };
        let advice = match (topic, status) {
            (_, "waiting" | "prioritized" | "delayed") => " until they start",
            (Topic::Queue(_), _) => " until others have ended",
            _ => ". Watch single queues to see them",
        };
        let why = format!(
            "More than {many} runs{whose} are {doing}. The oldest of them are not listed{advice}."
        );
        Some(Incoming::Partial { open: true, why: Some(why) })
    }

    /// What follows a page of the newest runs.
    fn more_newest(
        &mut self,
        page: &TablePage,
        topic: &Topic,
        news: bool,
        next: Option<serde_json::Value>,
    ) -> Vec<Incoming> {
        let read = Read::of(page);
        let since = self.lists.reads_news(topic);
        let mut all = Vec::new();
        if let Some(body) = next {
            let most = if since && news { NEWS_PAGES } else { PAGES };
            if read.rows < most * PAGE {
                return vec![Incoming::Follow(self.table(topic, body, read.page + 1))];
            }
            let why = (since && news).then(|| {
                let many = grouped(read.rows);
                format!(
                    "More than {many} runs have begun since the server was last read. The oldest \
                     of them are only listed while they are under way."
                )
            });
            all.push(Incoming::Partial { open: false, why });
            for (status, ..) in OPEN {
                // The active ones of everything have been asked for at once.
                if status != OPEN[0].0 || *topic != Topic::Everything {
                    all.push(Incoming::Follow(self.open_runs(topic, status)));
                }
            }
        }
        self.lists.read.insert(topic.clone());
        if *topic == Topic::Everything {
            let unseen = self.lists.unseen();
            let one = |id: JobId| Incoming::Follow(self.run_request(topic, id.as_str()));
            all.extend(unseen.into_iter().map(one));
        }
        all
    }

    /// A row of a list. A run that it calls failed may have succeeded at a later attempt: the run
    /// itself is asked, and the list believed where it does not answer. So many of a page have been
    /// asked already; of the others those of the past are believed until they are asked at a later
    /// look, and nothing is said of what may have happened since the last.
    pub(super) fn row_read(
        &mut self,
        topic: &Topic,
        patch: JobPatch,
        doubtful: bool,
        doubted: &mut usize,
    ) -> Option<Incoming> {
        let (Some(id), Some(end), true) = (patch.id.clone(), patch.finished_at, doubtful) else {
            return Some(self.run_read(patch));
        };
        let known = self.ends.get(id.as_str()).filter(|(known, _)| *known == end);
        let times = match known.map(|(_, asked)| *asked) {
            Some(Asked::Answered(true)) => return Some(self.run_read(record::completed(patch))),
            Some(Asked::Answered(false)) => return Some(self.run_read(patch)),
            Some(Asked::Times(times)) => times,
            None => 0,
        };
        if times >= ASKED {
            return Some(self.run_read(patch));
        }
        if *doubted >= DOUBTED {
            return (!self.lists.reads_news(topic)).then(|| self.run_read(patch));
        }
        *doubted += 1;
        let request = self.run_request(topic, id.as_str());
        self.ends.remember(id, (end, Asked::Times(times + 1)));
        Some(Incoming::Follow(request))
    }

    pub(super) fn queues_read(
        &self,
        page: &TablePage,
        topic: &Topic,
        fields: &Fields<'_>,
    ) -> Vec<Incoming> {
        let rows = fields.rows("queues");
        let mut all: Vec<Incoming> = rows
            .iter()
            .filter_map(record::queue)
            .filter(|queue| !matches!(topic, Topic::Queue(name) if *name != queue.name))
            .map(|queue| Incoming::Update(Update::Queue(queue)))
            .collect();
        if let Some(body) = rows.last().and_then(|_| next_page(page, fields)) {
            let read = Read::of(page);
            all.push(if read.rows < PAGES * PAGE {
                Incoming::Follow(self.queues(topic, body, read.page + 1))
            } else {
                let many = PAGES * PAGE;
                let why = format!("Only the first {many} queues are listed.");
                Incoming::Partial { open: false, why: Some(why) }
            });
        }
        all
    }
}

/// How far a list has been read with a page.
struct Read {
    page: u32,
    rows: usize,
}

impl Read {
    fn of(page: &TablePage) -> Read {
        let limit = page.body.get("limit").and_then(serde_json::Value::as_u64);
        let rows = u64::from(page.number).saturating_mul(limit.unwrap_or(PAGE as u64));
        Read { page: page.number, rows: usize::try_from(rows).unwrap_or(usize::MAX) }
    }
}

/// The runs in a page of the table, each with whether it may have succeeded though it is called
/// failed, and the body of the call for the next page; `None` after the last.
pub(super) fn runs(
    page: &TablePage,
    fields: &Fields<'_>,
) -> (Vec<(JobPatch, bool)>, Option<serde_json::Value>) {
    let rows = fields.rows("jobs");
    let run = |row: &Fields<'_>| {
        let patch = record::run(row)?;
        let doubtful = record::may_have_succeeded(row, &patch);
        Some((patch, doubtful))
    };
    let next = rows.last().and_then(|last| {
        let mut body = next_page(page, fields)?;
        // Only the table of jobs knows directions.
        body["cursorDirection"] = json!("next");
        // A cursor is a row, and the page begins behind it. Some servers name the first row that they
        // left out, which would then be on no page: the last one that they gave is right for all.
        let own = (last.time("createdAt"), last.string("jobId"), last.string("id"));
        if let (Some(cursor), (Some(created), Some(job), Some(id))) =
            (body["cursor"].as_object_mut(), own)
        {
            cursor.insert("createdAt".to_owned(), json!(created.as_millisecond()));
            cursor.insert("jobId".to_owned(), json!(job));
            cursor.insert("id".to_owned(), json!(id));
        }
        Some(body)
    });
    (rows.iter().filter_map(run).collect(), next)
}

/// The body of the call for the page that the server says comes next.
fn next_page(page: &TablePage, fields: &Fields<'_>) -> Option<serde_json::Value> {
    let cursor: &RawValue = fields.get("nextCursor")?;
    let mut body = page.body.clone();
    body.as_object_mut()?.insert("cursor".to_owned(), serde_json::from_str(cursor.get()).ok()?);
    Some(body)
}
