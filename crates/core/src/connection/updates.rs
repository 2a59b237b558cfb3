//! Updates: merged into the jobs, passed on, and what follows from them.

use jiff::Timestamp;

use super::dispatch::Origin;
use super::{Output, Supervisor};
use crate::jobs::{Baseline, Change, TransitionKind};
use crate::model::{JobId, JobPatch, Source, Topic, Update};
use crate::time::Now;

/// How many ids of jobs that belong to nothing watched are remembered, so that what the server
/// announces of them costs no request.
const MAX_UNRELATED: usize = 4_096;

impl Supervisor {
    /// Applies an update that came so, and notes what it shows of the topic that was asked for.
    pub(super) fn take_update(&mut self, update: Update, origin: Origin, now: Now) {
        let source = origin.source();
        let Some(update) = self.identify(update, source, now) else { return };
        let topic = origin.topic();
        if let (Update::Gone(_), Some(topic @ Topic::Job(_))) = (&update, topic)
            && let Some(cycle) = self.polling.cycle(topic)
        {
            cycle.gone = true;
        }
        let seen = match (&update, topic) {
            (Update::Job(patch), Some(_)) => patch.id.clone().map(|id| (id, newest_of(patch))),
            _ => None,
        };
        self.update(update, source, topic, now);
        if let (Some((id, newest)), Some(topic)) = (seen, topic)
            && let Some(cycle) = self.polling.cycle(topic)
        {
            // The store's own, so that the id of a job is there once.
            let id = self.jobs.job(&id).map_or(id, |job| job.id.clone());
            cycle.seen.insert(id);
            cycle.newest = cycle.newest.max(newest);
        }
    }

    /// Merges and passes on one update.
    pub(super) fn update(
        &mut self,
        mut update: Update,
        source: Source,
        topic: Option<&Topic>,
        now: Now,
    ) {
        // A snapshot over the socket belongs to the topic of the job it is about.
        let about = match (&update, topic) {
            (Update::Job(patch), None) if patch.snapshot => patch.parent.clone().map(Topic::Job),
            _ => None,
        };
        let behind = topic.or(about.as_ref().filter(|topic| self.topics.contains(topic)));
        let mut baseline = match behind {
            Some(topic) => self.baseline_of(topic),
            None => self.baseline.map(Baseline::of_this_run),
        };
        match update {
            Update::Job(ref mut patch) => {
                let Some(id) = patch.id.clone() else { return };
                self.texts.share(&mut patch.extra);
                if source == Source::Http && self.is_new_to_lists(patch, behind, baseline, now) {
                    baseline = Some(Baseline::of_this_run(Timestamp::MIN));
                }
                // What a list shows belongs to it.
                let listed = |topic: &Topic| {
                    self.topics.contains(topic) && !self.topics.is_only_detail(topic)
                };
                let belongs = topic.is_some_and(listed) || listed(&Topic::Everything);
                let before = self.jobs.job(&id).map(|job| belongs || self.covered(job));
                let changes = self.jobs.apply(&update, source, baseline, now);
                if belongs {
                    self.unrelated.remove(&id);
                    self.apply_changes(changes, now);
                } else {
                    self.admit(&id, before, changes, now);
                }
            }
            Update::Gone(_) => {
                let changes = self.jobs.apply(&update, source, baseline, now);
                self.apply_changes(changes, now);
            }
            Update::Log { job, lines } => self.pass_lines(job, lines, source, now),
            Update::Metric(metric) => self.out.push_back(Output::Metric(metric)),
            Update::Queue(queue) => self.out.push_back(Output::Queue(queue)),
            Update::Notice(notice) => self.out.push_back(Output::Notice(notice)),
            Update::NoticeRead(id) => self.out.push_back(Output::NoticeRead(id)),
        }
    }

    /// Passes on what a merge changed, and does what follows from it.
    pub(super) fn apply_changes(&mut self, changes: Vec<Change>, now: Now) {
        for change in changes {
            match change {
                Change::Job(job) => {
                    self.log_of(&job, now);
                    self.out.push_back(Output::Job(job));
                }
                Change::Transition(transition) => {
                    let ended = self.jobs.job(&transition.job).is_some_and(|j| j.state.terminal());
                    if ended && transition.kind == TransitionKind::Outcome {
                        self.log_ended(&transition.job, now);
                    }
                    if transition.kind != TransitionKind::Discovered || !ended {
                        self.note_activity(now);
                    }
                    for id in self.spellings(&transition.job) {
                        let all_ended = ended && self.all_ended(&id);
                        let own = Topic::Job(id);
                        if all_ended {
                            if self.topics.forget_discovered(&own) && !self.topics.contains(&own) {
                                self.drop_topic(own, now);
                            } else if self.topics.detail(&own).is_some() {
                                // What it came to is told by a fetch of it alone.
                                self.polling.announce(&own, now.mono);
                            }
                        } else if !ended && self.topics.contains(&own) {
                            // It may have been left out when the socket began, as ended.
                            self.polling.resume(&own);
                            self.subscribe(own, now);
                        }
                    }
                    if !ended && self.moving.is_some_and(|(_, moving)| !moving) {
                        self.moving = None;
                    }
                    self.out.push_back(Output::Transition(transition));
                }
                Change::Confirm(job) => self.look_up(&job, now),
            }
        }
    }

    /// Passes on what became of a job, unless it turned out to belong to nothing: then it is
    /// forgotten. `before` says whether it was known, and belonged to something as far as was known.
    fn admit(&mut self, id: &JobId, before: Option<bool>, changes: Vec<Change>, now: Now) {
        let Some(job) = self.jobs.job(id) else { return };
        if self.covered(job) {
            let for_good = self.topics.covers_for_good(job, |t| self.dialect.contains(t, job));
            if before.is_none() && !for_good {
                self.detail_only.insert(id.clone());
            }
            self.apply_changes(changes, now);
            return;
        }
        match before {
            // It was kept for a reason that has passed, and is followed to its end.
            Some(false) => self.apply_changes(changes, now),
            Some(true) => self.dismiss(&id.clone()),
            None => {
                self.jobs.forget(id);
                self.remember_unrelated(id);
            }
        }
    }

    /// Forgets a job that everybody was told of.
    pub(super) fn dismiss(&mut self, id: &JobId) {
        self.detail_only.remove(id);
        self.jobs.forget(id);
        self.remember_unrelated(id);
        self.out.push_back(Output::Forgotten(id.clone()));
    }

    fn remember_unrelated(&mut self, id: &JobId) {
        if self.unrelated.len() >= MAX_UNRELATED {
            self.unrelated.clear();
        }
        self.unrelated.insert(id.clone());
    }
}

/// The newest moment that a job names, by the server's clock.
fn newest_of(patch: &JobPatch) -> Option<Timestamp> {
    let times = [patch.created_at, patch.started_at, patch.finished_at, patch.at];
    times.into_iter().flatten().max()
}
