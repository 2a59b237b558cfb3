use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::jobs::{Transition, TransitionKind};
use crate::model::{Job, JobState};
use crate::notify::decision::{Actions, ActiveRule, Decision};
use crate::notify::dnd::{DoNotDisturb, Muted};
use crate::notify::record::Announcement;
use crate::notify::rules::{EventKind, Rule};
use crate::notify::world::{Button, Listed, PendingRun, Servers, Watch};
use crate::notify::{Notice, Reach};

/// One server, its jobs, and what is listed.
#[derive(Default)]
struct Scene {
    jobs: HashMap<JobId, Arc<Job>>,
    down: Option<&'static str>,
    inbox: Vec<StoredNotice>,
}

impl Servers for Scene {
    fn server_name(&self, server: &ServerId) -> Option<&str> {
        (server.0 == "s").then_some("Mill")
    }

    fn has_listed(&self, _: &ServerId) -> bool {
        true
    }

    fn connections(&self, visit: &mut dyn FnMut(&ServerId, Reach<'_>)) {
        visit(&server(), self.down.map_or(Reach::Up, Reach::Down));
    }

    fn running(&self, visit: &mut dyn FnMut(&ServerId, &Arc<Job>, SignedDuration)) {
        self.jobs.values().for_each(|job| visit(&server(), job, SignedDuration::ZERO));
    }

    fn job(&self, _: &ServerId, job: &JobId) -> Option<Arc<Job>> {
        self.jobs.get(job).cloned()
    }

    fn watch(&self, _: &ServerId, _: &Job) -> Watch {
        Watch { watched: true, closely: false }
    }

    fn can_retry(&self, _: &ServerId, job: &JobId) -> bool {
        self.jobs.get(job).is_some_and(|job| job.state == JobState::Failed)
    }
}

impl Listed for Scene {
    fn is_read(&self, notice: i64) -> bool {
        self.inbox.iter().any(|stored| stored.id == notice && stored.read)
    }

    fn covered_by(&self, summary: &StoredNotice) -> Vec<StoredNotice> {
        self.inbox.iter().filter(|stored| stored.summary == Some(summary.id)).cloned().collect()
    }

    fn shown_by(&self, popup_id: u64, count: usize) -> Vec<(i64, Notice)> {
        let of_it = |stored: &&StoredNotice| stored.popup.is_some_and(|p| p.popup_id == popup_id);
        let shown = self.inbox.iter().rev().filter(of_it).take(count);
        let mut shown: Vec<_> = shown.map(|stored| (stored.id, stored.notice.clone())).collect();
        shown.reverse();
        shown
    }
}

impl Scene {
    fn world(&self) -> World<'_> {
        World { servers: self, inbox: self }
    }
}

/// A notifier with a history that writes at once when it is asked to, and a desktop.
struct Desk {
    notifier: Notifier,
    scene: Scene,
    now: Now,
    /// Recorded, and not yet back from the history.
    written: Vec<(StoredNotice, Announcement)>,
    popups: Vec<String>,
    /// Those of the last popup.
    buttons: Vec<Button>,
    withdrawn: Vec<u64>,
    shown: Vec<i64>,
    runs: Vec<PendingRun>,
}

impl Desk {
    fn new(rules: Vec<ActiveRule>) -> Desk {
        let settings = Settings { rules, popups: true, ..Settings::default() };
        Desk {
            notifier: Notifier::new(settings, true, TimeZone::UTC),
            scene: Scene::default(),
            now: Now { mono: Mono(0), wall: Timestamp::UNIX_EPOCH },
            written: Vec::new(),
            popups: Vec::new(),
            buttons: Vec::new(),
            withdrawn: Vec::new(),
            shown: Vec::new(),
            runs: Vec::new(),
        }
    }

    fn settings(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.notifier.settings.clone();
        change(&mut settings);
        self.notifier.set_settings(settings, self.now, self.scene.world());
        self.perform();
    }

    /// A job takes a step, after which it is `job`. Whether its recording writes the step.
    fn step(&mut self, job: Job, to: JobState, while_away: bool) -> bool {
        let kind = match to.terminal() {
            true => TransitionKind::Outcome,
            false => TransitionKind::Moved,
        };
        let step = Transition {
            job: job.id.clone(),
            attempt: 1,
            from: Some(JobState::Queued),
            to,
            at: self.now.wall,
            kind,
            error: None,
            while_away,
        };
        let job = Arc::new(job);
        self.scene.jobs.insert(job.id.clone(), Arc::clone(&job));
        let with_step = self.notifier.step(&server(), &job, &step, self.now, self.scene.world());
        self.perform();
        with_step
    }

    /// The history answers.
    fn record(&mut self) {
        for (stored, announcement) in std::mem::take(&mut self.written) {
            for covered in &mut self.scene.inbox {
                if announcement.covers.contains(&covered.id) {
                    covered.summary = Some(stored.id);
                }
            }
            self.scene.inbox.push(stored.clone());
            let Announcement { away, job, .. } = announcement;
            self.notifier.recorded(&stored, away, job, self.now, self.scene.world());
        }
        self.perform();
    }

    fn perform(&mut self) {
        for effect in self.notifier.poll(self.now, 8, self.scene.world()) {
            match effect {
                Effect::Record(announcement) => {
                    let id = (self.scene.inbox.len() + self.written.len() + 1) as i64;
                    let stored = StoredNotice::announced(id, &announcement);
                    self.written.push((stored, *announcement));
                }
                Effect::Show(popup) => {
                    self.popups.push(popup.notice.title);
                    self.buttons = popup.buttons;
                    self.shown.extend(popup.ids);
                }
                Effect::Withdraw(popup_id) => self.withdrawn.push(popup_id),
                Effect::Shown(ids) => self.shown.extend(ids),
                Effect::Run(run) => self.runs.push(*run),
                Effect::Publish(_) | Effect::Dismiss(_) => {}
            }
        }
    }

    /// Time passes, with a tick each second.
    fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now.mono = self.now.mono.after(Duration::from_secs(1));
            self.now.wall += SignedDuration::from_secs(1);
            self.notifier.tick(self.now, TimeZone::UTC, self.scene.world());
            self.perform();
            self.record();
        }
    }
}

fn server() -> ServerId {
    ServerId("s".to_owned())
}

fn job(id: &str, name: &str) -> Job {
    Job { id: id.into(), state: JobState::Running, ..crate::notify::tests::job(Some(name), None) }
}

fn ended(id: &str, name: &str, state: JobState, seconds: i64) -> Job {
    let job = crate::notify::tests::job(Some(name), Some(seconds));
    Job { id: id.into(), state, ..job }
}

fn rule(name: &str, kinds: &[EventKind]) -> ActiveRule {
    let rule = Rule { name: name.to_owned(), kinds: kinds.to_vec(), ..Rule::default() };
    ActiveRule { rule, actions: Actions { popup: true, ..Actions::default() } }
}

fn list_only(mut rule: ActiveRule) -> ActiveRule {
    rule.actions.popup = false;
    rule
}

fn running_a_program(mut rule: ActiveRule) -> ActiveRule {
    rule.actions.run = vec![rule.rule.name.clone()];
    rule
}

fn programs(decision: &Decision) -> Vec<&str> {
    let run = |of: &crate::notify::decision::Match| !of.actions.run.is_empty();
    decision.rules.iter().filter(|of| run(of)).map(|of| &*of.rule).collect()
}

const FAILURES: [EventKind; 2] = [EventKind::Failed, EventKind::StillFailing];

#[test]
fn a_program_for_long_jobs_does_not_run_for_a_short_one_that_restarted_meanwhile() {
    let mut long = running_a_program(rule("long", &FAILURES));
    long.rule.at_least = Duration::from_secs(600);
    let any = running_a_program(rule("any", &FAILURES));
    let mut desk = Desk::new(vec![long, any]);
    assert!(desk.step(ended("1", "warm", JobState::Failed, 30), JobState::Failed, false));
    // While its notice is written it begins again: nobody knows how long it will take.
    let again = Job { started_at: None, ..job("1", "warm") };
    desk.scene.jobs.insert("1".into(), Arc::new(again));
    desk.record();
    assert_eq!(desk.runs.len(), 1);
    assert_eq!(programs(&desk.runs[0].decision), ["any"]);
    let given = desk.runs[0].job.as_ref().unwrap();
    assert_eq!(given.state, JobState::Failed, "the program gets the job as it was");
}

#[test]
fn a_list_only_rule_shows_no_popup_for_a_job_that_was_evicted_meanwhile() {
    let mut mail = list_only(rule("mail", &FAILURES));
    mail.rule.queues = vec![crate::notify::rules::Pattern::read("mail").unwrap()];
    let mut desk = Desk::new(vec![mail]);
    let failed = ended("1", "warm", JobState::Failed, 30);
    desk.step(Job { queue: Some("mail".to_owned()), ..failed }, JobState::Failed, false);
    desk.scene.jobs.clear();
    desk.record();
    assert_eq!((desk.scene.inbox.len(), desk.popups.len()), (1, 0));
    assert_eq!(desk.shown, [1], "it needs no popup after a restart either");
}

#[test]
fn a_rule_that_is_edited_between_decision_and_popup_changes_nothing() {
    let with_program = running_a_program(rule("mine", &FAILURES));
    let mut desk = Desk::new(vec![with_program.clone()]);
    desk.step(ended("1", "warm", JobState::Failed, 30), JobState::Failed, false);
    desk.settings(|settings| settings.rules = vec![list_only(rule("mine", &FAILURES))]);
    desk.record();
    assert_eq!(desk.popups, ["warm failed"]);
    assert_eq!(desk.buttons, [Button::Log, Button::Retry, Button::MuteJob, Button::Snooze]);
    assert_eq!(programs(&desk.runs[0].decision), ["mine"]);
    // And the other way round.
    desk.step(ended("2", "cold", JobState::Failed, 30), JobState::Failed, false);
    desk.settings(|settings| settings.rules = vec![with_program]);
    desk.record();
    assert_eq!((desk.popups.len(), desk.runs.len()), (1, 1));
}

#[test]
fn what_is_muted_while_it_waits_pops_up_no_more() {
    let mut desk = Desk::new(vec![rule("mine", &FAILURES)]);
    let until = desk.now.wall + SignedDuration::from_secs(60);
    desk.settings(|settings| {
        settings.dnd = DoNotDisturb { snoozed_until: Some(until), ..DoNotDisturb::default() };
    });
    for (id, name) in [("1", "warm"), ("2", "warm"), ("3", "cold")] {
        desk.step(ended(id, name, JobState::Failed, 30), JobState::Failed, false);
    }
    desk.record();
    let mute = Muted { server: server(), name: Some("warm".to_owned()), error: None, queue: None };
    desk.settings(|settings| settings.muted = vec![mute]);
    desk.pass(61);
    assert_eq!(desk.popups, ["cold failed"], "and no summary that counts the muted");
}

#[test]
fn what_waited_for_the_end_of_do_not_disturb_is_shown_as_it_was_decided() {
    let mut desk = Desk::new(vec![rule("mine", &FAILURES)]);
    let until = desk.now.wall + SignedDuration::from_secs(60);
    desk.settings(|settings| {
        settings.dnd = DoNotDisturb { snoozed_until: Some(until), ..DoNotDisturb::default() };
    });
    desk.step(ended("1", "warm", JobState::Failed, 30), JobState::Failed, false);
    desk.step(ended("2", "cold", JobState::Failed, 30), JobState::Failed, false);
    desk.record();
    desk.settings(|settings| settings.rules = vec![list_only(rule("mine", &FAILURES))]);
    desk.step(ended("3", "late", JobState::Failed, 30), JobState::Failed, false);
    desk.record();
    desk.scene.jobs.clear();
    assert!(desk.popups.is_empty());
    desk.pass(61);
    assert_eq!(desk.popups, ["While quiet: 2 failed"]);
    let covered: Vec<_> = desk.scene.inbox.iter().filter_map(|stored| stored.summary).collect();
    assert_eq!(covered, [4, 4]);
}

#[test]
fn what_ended_while_the_program_was_off_is_one_summary_and_runs_no_program() {
    let both = [EventKind::Failed, EventKind::Completed];
    let mut desk = Desk::new(vec![running_a_program(rule("mine", &both))]);
    desk.step(ended("1", "warm", JobState::Failed, 30), JobState::Failed, true);
    desk.step(ended("2", "cold", JobState::Completed, 30), JobState::Completed, true);
    desk.record();
    assert!(desk.popups.is_empty());
    desk.pass(3);
    assert_eq!(desk.popups, ["While Jobwatch was off: 1 completed, 1 failed"]);
    assert!(desk.runs.is_empty());
}

#[test]
fn a_connection_is_reported_lost_once_it_was_for_long_enough_and_back_only_then() {
    let mut connections = rule("connections", &[EventKind::Lost, EventKind::Back]);
    connections.rule.lost_for = Duration::from_secs(60);
    let mut desk = Desk::new(vec![connections]);
    desk.scene.down = Some("connection refused");
    desk.pass(59);
    desk.scene.down = None;
    desk.pass(2);
    assert!(desk.popups.is_empty(), "{:?}", desk.popups);
    desk.scene.down = Some("connection refused");
    desk.pass(300);
    assert_eq!(desk.popups, ["Mill cannot be reached"]);
    desk.scene.down = None;
    desk.pass(5);
    assert_eq!(desk.popups, ["Mill cannot be reached", "Mill is connected again"]);
}

#[test]
fn a_slow_job_is_reported_once_per_attempt() {
    let mut desk = Desk::new(vec![rule("slow", &[EventKind::Slow])]);
    for n in 0..5 {
        let done = ended(&format!("old{n}"), "warm", JobState::Completed, 20);
        desk.step(done, JobState::Completed, false);
    }
    desk.scene.jobs.clear();
    let at = Some(desk.now.wall);
    desk.step(Job { started_at: at, ..job("1", "warm") }, JobState::Running, false);
    desk.pass(39);
    assert!(desk.popups.is_empty());
    desk.pass(120);
    assert_eq!(desk.popups, ["warm takes unusually long"]);
    let again = Job { started_at: at, attempt: Some(2), ..job("1", "warm") };
    desk.scene.jobs.insert("1".into(), Arc::new(again));
    desk.pass(60);
    assert_eq!(desk.popups.len(), 2);
}

#[test]
fn a_job_that_began_is_reported_by_its_name_once_that_is_known() {
    let mut desk = Desk::new(vec![rule("starts", &[EventKind::Started])]);
    let nameless = Job { name: None, ..job("1", "") };
    assert!(!desk.step(nameless.clone(), JobState::Running, false));
    desk.pass(2);
    assert!(desk.popups.is_empty());
    desk.scene.jobs.insert("1".into(), Arc::new(job("1", "warm")));
    desk.pass(1);
    assert_eq!(desk.popups, ["warm started"]);
    // One that gets no name is reported by its id.
    desk.step(Job { id: "7".into(), ..nameless }, JobState::Running, false);
    desk.pass(10);
    assert_eq!(desk.popups, ["warm started", "7 started"]);
}

#[test]
fn a_job_that_the_user_looks_at_needs_no_popup_and_routine_none_in_the_window() {
    let both = [EventKind::Failed, EventKind::Completed];
    let mut desk = Desk::new(vec![rule("mine", &both)]);
    let open = Some((server(), "1".into()));
    desk.notifier.attend(Attention { focused: true, job: open });
    desk.step(ended("1", "warm", JobState::Failed, 30), JobState::Failed, false);
    desk.record();
    assert!(desk.scene.inbox[0].read && desk.popups.is_empty());
    desk.step(ended("2", "good", JobState::Completed, 30), JobState::Completed, false);
    desk.step(ended("3", "bad", JobState::Failed, 30), JobState::Failed, false);
    desk.record();
    assert_eq!(desk.popups, ["bad failed"]);
    desk.shown.sort_unstable();
    assert_eq!(desk.shown, [1, 2, 3]);
    desk.notifier.opened(&server(), &"3".into());
    desk.perform();
    assert!(desk.withdrawn.contains(&3));
}

#[test]
fn a_removed_server_is_of_no_interest_any_more() {
    let mut desk = Desk::new(vec![rule("mine", &FAILURES)]);
    desk.step(ended("1", "warm", JobState::Failed, 30), JobState::Failed, false);
    for (stored, _) in &mut desk.written {
        stored.notice.server = ServerId("gone".to_owned());
    }
    desk.record();
    assert!(desk.popups.is_empty() && desk.runs.is_empty());
    assert_eq!(desk.shown, [1]);
}

#[test]
fn a_popup_that_an_earlier_run_handed_over_is_shown_again_in_its_place() {
    let mut desk = Desk::new(vec![rule("mine", &FAILURES)]);
    desk.step(ended("1", "warm", JobState::Failed, 30), JobState::Failed, false);
    let (mut stored, _) = desk.written.remove(0);
    stored.popup = Some(crate::notify::HandedPopup { popup_id: 9, count: 1 });
    desk.scene.inbox.push(stored.clone());
    desk.notifier.unsent(vec![stored], desk.now, desk.scene.world());
    desk.perform();
    desk.pass(3);
    assert_eq!((desk.popups, desk.shown), (vec!["warm failed".to_owned()], vec![1]));
}

#[test]
fn a_desktop_that_is_behind_gets_no_popup_until_it_has_room() {
    let mut desk = Desk::new(vec![rule("mine", &FAILURES)]);
    desk.step(ended("1", "warm", JobState::Failed, 30), JobState::Failed, false);
    let (stored, _) = desk.written.remove(0);
    desk.notifier.recorded(&stored, false, None, desk.now, desk.scene.world());
    let shows = |effects: Vec<Effect>| effects.iter().any(|e| matches!(e, Effect::Show(_)));
    assert!(!shows(desk.notifier.poll(desk.now, 0, desk.scene.world())));
    let due = desk.notifier.deadline().expect("it is looked again");
    assert!(due > desk.now.mono);
    desk.now.mono = due;
    assert!(shows(desk.notifier.poll(desk.now, 8, desk.scene.world())));
}
