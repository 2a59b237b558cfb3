//! What survives a restart, and what happens when it cannot be kept.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use jobwatch_core::connection::ConnectionState;
use jobwatch_core::model::JobState;
use jobwatch_core::notify::{Notice, NoticeKey, Tone};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, Server, ServerId};
use jobwatch_demo::{Control, Demo, DemoOptions, JobSpec};
use jobwatch_engine::api::{Rows, ViewSpec};
use jobwatch_engine::history::{Announcement, History, Location, Reply};
use jobwatch_engine::ports::{Ports, StreamEvent};
use jobwatch_engine::{Engine, Options, SettingsSource};
use tokio::sync::mpsc;

use crate::common::{World, all_jobs, pull, quick, until};

async fn demo() -> (Demo, Control, (Server, Option<Secret>)) {
    let demo = Demo::start(DemoOptions { life: false, ..DemoOptions::default() }).await.unwrap();
    let kind = DialectKind::Kecs;
    let mut server = demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
    server.0.policy = quick();
    let control = demo.control(kind);
    (demo, control, server)
}

async fn start(world: &Arc<World>, dir: &Path, server: &(Server, Option<Secret>)) -> Engine {
    start_with(world.ports(), dir, server).await
}

async fn start_with(ports: Ports, dir: &Path, server: &(Server, Option<Secret>)) -> Engine {
    let settings = SettingsSource::Fixed(vec![server.clone()]);
    let data_dir = Some(dir.to_owned());
    Engine::start(Options { data_dir, settings, ports, seed: Some(1) }).await.unwrap()
}

fn job(name: &str) -> JobSpec {
    JobSpec { name: Some(name.to_owned()), ..JobSpec::default() }
}

async fn running(world: &World, id: &str) {
    until("the job to run", || world.job(id).is_some_and(|job| job.state == JobState::Running))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_known_jobs_are_there_greyed_before_any_server_answers() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, control, server) = demo().await;
    let world = World::new();
    let engine = start(&world, dir.path(), &server).await;
    let id = control.start_job(job("remembered"));
    running(&world, &id).await;
    engine.stop().await;
    demo.stop().await;

    let world = World::new();
    let engine = start(&world, dir.path(), &server).await;
    let Rows::Jobs { rows, .. } = pull(&engine, all_jobs()).await else { panic!() };
    assert_eq!(rows.len(), 1);
    assert!(rows[0].stale && rows[0].id.ends_with(&id), "{rows:?}");
    let spec = ViewSpec::Job { server: server.0.id.0.clone(), job: rows[0].id.clone() };
    let view = engine.open_view(spec).await.unwrap();
    let mut steps = 0;
    while steps == 0 {
        let Rows::Job { detail, .. } = engine.view_window(view, 0, 1).await.unwrap().rows else {
            panic!()
        };
        steps = detail.unwrap().timeline.len();
    }
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_is_told_once_across_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, control, server) = demo().await;
    let world = World::new();
    let engine = start(&world, dir.path(), &server).await;
    let id = control.start_job(job("once"));
    running(&world, &id).await;
    control.complete(&id, None);
    until("the popup", || world.titles().len() == 1).await;
    engine.stop().await;

    let world = World::new();
    let engine = start(&world, dir.path(), &server).await;
    world.until_state(&server.0.id.0, ConnectionState::Live).await;
    // Something new arrives after everything old has been listed again.
    let marker = control.start_job(job("marker"));
    running(&world, &marker).await;
    control.fail(&marker, "on purpose", None);
    until("the marker's popup", || !world.titles().is_empty()).await;
    let titles = world.titles();
    assert_eq!(titles.len(), 1, "{titles:?}");
    assert!(titles[0].contains("failed"));
    let spec =
        ViewSpec::Notices { unread: false, failures: false, search: String::new(), expanded: None };
    let Rows::Notices { rows } = pull(&engine, spec).await else { panic!() };
    // KECS sends a notification of its own about the failure; the outcomes are there once each.
    let listed = rows.iter().filter(|row| row.body.contains("Demo: KECS")).count();
    assert_eq!(listed, 2, "{rows:?}");
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_popup_the_desktop_had_not_taken_at_the_end_is_told_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, control, server) = demo().await;
    let world = World::new();
    world.desktop_hangs.store(true, Ordering::Relaxed);
    let engine = start(&world, dir.path(), &server).await;
    let id = control.start_job(job("untold"));
    running(&world, &id).await;
    control.complete(&id, None);
    until("the popup to be sent", || world.unsettled.lock().unwrap().len() == 1).await;
    engine.stop().await;

    for told in [1, 0] {
        let world = World::new();
        // Their ends lie before this start by the clocks of both.
        world.advance(std::time::Duration::from_secs(1));
        let engine = start(&world, dir.path(), &server).await;
        if told == 1 {
            until("the popup", || !world.titles().is_empty()).await;
        } else {
            world.until_state(&server.0.id.0, ConnectionState::Live).await;
        }
        engine.stop().await;
        assert_eq!(world.titles().len(), told, "{:?}", world.titles());
    }
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ended_while_the_program_was_off_is_told_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, control, server) = demo().await;
    let world = World::new();
    let engine = start(&world, dir.path(), &server).await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(control.start_job(job(name)));
    }
    for id in &ids {
        running(&world, id).await;
    }
    engine.stop().await;
    control.complete(&ids[0], None);
    control.complete(&ids[1], None);
    control.fail(&ids[2], "no space", None);

    let world = World::new();
    let engine = start(&world, dir.path(), &server).await;
    until("the summary", || !world.titles().is_empty()).await;
    assert_eq!(world.titles(), ["While Jobwatch was off: 2 completed, 1 failed"]);
    let spec =
        ViewSpec::Notices { unread: false, failures: false, search: String::new(), expanded: None };
    let Rows::Notices { rows } = pull(&engine, spec).await else { panic!() };
    assert_eq!(rows.len(), 4, "each is in the list, and the summary: {rows:?}");
    engine.stop().await;

    let world = World::new();
    let engine = start(&world, dir.path(), &server).await;
    world.until_state(&server.0.id.0, ConnectionState::Live).await;
    let marker = control.start_job(job("marker"));
    running(&world, &marker).await;
    control.complete(&marker, None);
    until("the marker's popup", || !world.titles().is_empty()).await;
    assert_eq!(world.titles().len(), 1, "{:?}", world.titles());
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_began_and_ended_while_the_program_was_off_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, control, server) = demo().await;
    let world = World::new();
    let engine = start(&world, dir.path(), &server).await;
    until("the listing", || listed(&world)).await;
    engine.stop().await;
    for name in ["x", "y"] {
        let id = control.start_job(job(name));
        control.complete(&id, None);
    }
    for told in [1, 0] {
        let world = World::new();
        let engine = start(&world, dir.path(), &server).await;
        if told == 1 {
            until("the summary", || !world.titles().is_empty()).await;
            assert_eq!(world.titles(), ["While Jobwatch was off: 2 completed"]);
        } else {
            until("the listing", || listed(&world)).await;
        }
        engine.stop().await;
        assert_eq!(world.titles().len(), told, "{:?}", world.titles());
    }
    demo.stop().await;
}

fn listed(world: &World) -> bool {
    let events = world.events.lock().unwrap();
    events.iter().any(|event| matches!(event, StreamEvent::Listed { ok: true, .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_a_desktop_reads_the_history_and_uses_nothing_up() {
    let dir = tempfile::tempdir().unwrap();
    let (demo, control, server) = demo().await;
    let world = World::new();
    let engine = start(&world, dir.path(), &server).await;
    let id = control.start_job(job("shared"));
    running(&world, &id).await;
    engine.stop().await;
    control.fail(&id, "while nobody looked", None);

    let world = World::new();
    let ports = Ports { desktop: None, ..world.ports() };
    let engine = start_with(ports, dir.path(), &server).await;
    until("the end", || world.job(&id).is_some_and(|job| job.state == JobState::Failed)).await;
    engine.stop().await;

    let world = World::new();
    let engine = start(&world, dir.path(), &server).await;
    until("the popup", || world.titles().len() == 1).await;
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_history_is_set_aside_and_the_program_starts() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("history.sqlite"), b"SQLite? not at all, but long enough")
        .unwrap();
    let world = World::new();
    let (demo, _, server) = demo().await;
    let engine = start(&world, dir.path(), &server).await;
    until_history(&engine, "set aside").await;
    let aside = std::fs::read_dir(dir.path())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .find(|name| name.starts_with("history-damaged-") && name.ends_with(".sqlite"))
        .expect("the damaged file is kept");
    assert!(std::fs::read(dir.path().join(aside)).unwrap().starts_with(b"SQLite?"));
    engine.stop().await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_that_cannot_be_made_leaves_a_program_that_works_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("file");
    std::fs::write(&blocked, "in the way").unwrap();
    let world = World::new();
    let (demo, control, server) = demo().await;
    let engine = start(&world, &blocked.join("data"), &server).await;
    until_history(&engine, "memory").await;
    let id = control.start_job(job("anyway"));
    running(&world, &id).await;
    control.complete(&id, None);
    until("the popup", || world.titles().len() == 1).await;
    engine.stop().await;
    demo.stop().await;
}

async fn until_history(engine: &Engine, words: &str) {
    let begun = std::time::Instant::now();
    loop {
        let health = engine.overview().await.unwrap().health.history;
        if health.as_ref().is_some_and(|text| text.contains(words)) {
            return;
        }
        assert!(begun.elapsed() < crate::common::DEADLINE, "{health:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn announcement(job: &str) -> Announcement {
    let server = ServerId("s".to_owned());
    let key = NoticeKey {
        server: server.clone(),
        job: job.into(),
        attempt: 1,
        outcome: JobState::Completed,
    };
    Announcement::of(Notice {
        key: Some(key),
        server,
        job: Some(job.into()),
        title: format!("{job} completed"),
        body: String::new(),
        tone: Tone::Good,
        at: jiff::Timestamp::now(),
        subject: None,
        trigger: None,
    })
}

/// What the history says next.
async fn reply(replies: &mut mpsc::UnboundedReceiver<Reply>) -> Reply {
    let said = tokio::time::timeout(crate::common::DEADLINE, replies.recv()).await;
    said.expect("the history answers in time").expect("the history lives")
}

async fn recorded(replies: &mut mpsc::UnboundedReceiver<Reply>) -> (i64, String) {
    loop {
        match reply(replies).await {
            Reply::Recorded { stored, .. } => return (stored.id, stored.notice.title),
            Reply::Health(_) | Reply::Elsewhere { .. } => {}
        }
    }
}

#[tokio::test]
async fn a_notice_whose_popup_was_not_confirmed_is_found_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let location = Location::Directory(dir.path().to_owned());
    let (replies, mut replied) = mpsc::unbounded_channel();
    let history = History::open(location.clone(), replies);
    history.announce(announcement("shown"));
    let (id, _) = recorded(&mut replied).await;
    history.shown(vec![id]);
    history.announce(announcement("not-shown"));
    let _ = recorded(&mut replied).await;
    // As a killed process would leave it: nothing more is written.
    history.flush().await;
    drop(history);

    let (replies, mut replied) = mpsc::unbounded_channel();
    let history = History::open(location, replies);
    let notices = history.notices().await;
    let unshown: Vec<_> = notices.iter().filter(|n| !n.shown).map(|n| &n.notice.title).collect();
    assert_eq!(unshown, ["not-shown completed"]);
    history.announce(announcement("shown"));
    history.announce(announcement("new"));
    assert_eq!(recorded(&mut replied).await.1, "new completed", "the ledger knows the other");
}

#[tokio::test]
async fn a_timeline_holds_what_was_queued_before_it_was_asked_for_and_nothing_after() {
    let (replies, _replied) = mpsc::unbounded_channel();
    let history = History::open(Location::Memory, replies);
    let first = announcement("first");
    let (server, job) = (first.notice.server.clone(), first.notice.job.clone().unwrap());
    let step = jobwatch_core::jobs::Transition {
        job: job.clone(),
        attempt: 1,
        from: None,
        to: JobState::Completed,
        kind: jobwatch_core::jobs::TransitionKind::Outcome,
        at: jiff::Timestamp::now(),
        error: None,
        while_away: false,
    };
    history.step(server.clone(), step.clone());
    let asked = history.timeline(server.clone(), job.clone());
    history.step(server.clone(), step);
    assert_eq!(asked.await.len(), 1);
    assert_eq!(history.timeline(server, job).await.len(), 2);
}

#[tokio::test]
async fn while_the_disk_refuses_everything_is_told_once_and_written_later() {
    let dir = tempfile::tempdir().unwrap();
    let (replies, mut replied) = mpsc::unbounded_channel();
    let history = History::open(Location::Directory(dir.path().to_owned()), replies);
    history.flush().await;
    // Another program holds the file for writing, which refuses like a full disk does.
    let other = rusqlite::Connection::open(dir.path().join("history.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    history.announce(announcement("first"));
    let Reply::Health(Some(problem)) = replied.recv().await.unwrap() else { panic!() };
    assert!(problem.contains("locked") && problem.contains("memory"), "{problem}");
    let (id, title) = recorded(&mut replied).await;
    assert!(id < 0 && title == "first completed");
    history.announce(announcement("first"));
    history.shown(vec![id]);
    other.execute_batch("ROLLBACK").unwrap();
    history.announce(announcement("second"));
    assert_eq!(recorded(&mut replied).await.1, "second completed");
    let notices = history.notices().await;
    let mut titles: Vec<_> = notices.iter().map(|n| (n.notice.title.as_str(), n.shown)).collect();
    titles.sort_unstable();
    assert_eq!(titles, [("first completed", true), ("second completed", false)]);
}

/// A small file system that can be filled; `None`, said aloud, where this user may not mount.
pub struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    pub fn mount() -> Option<SmallDisk> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"])
            .arg(dir.path())
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(SmallDisk { dir });
        }
        eprintln!("not tried: a small file system can be mounted by root only");
        None
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.path().join("ballast")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        let _ = file.write_all(&[0; 1]);
    }

    pub fn free(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Also while the history's thread still writes its last.
        let _ = std::process::Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

/// Waits for a word about the history's health.
async fn health(replies: &mut mpsc::UnboundedReceiver<Reply>) -> Option<String> {
    loop {
        match reply(replies).await {
            Reply::Health(problem) => return problem,
            Reply::Recorded { .. } | Reply::Elsewhere { .. } => {}
        }
    }
}

fn some_job(id: usize, bytes: usize) -> Arc<jobwatch_core::model::Job> {
    let text = format!(
        r#"{{"id":"{id}","state":"running","message":"{}","source":"http","heard_at":"{}"}}"#,
        "x".repeat(bytes),
        jiff::Timestamp::now()
    );
    Arc::new(serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn a_full_disk_is_tried_again_now_and_then_however_much_waits_for_it() {
    let Some(disk) = SmallDisk::mount() else { return };
    let (replies, mut replied) = mpsc::unbounded_channel();
    let history = History::open(Location::Directory(disk.path().to_owned()), replies);
    history.announce(announcement("before"));
    recorded(&mut replied).await;
    disk.fill();
    let server = ServerId("s".to_owned());
    history.job(server.clone(), some_job(0, 100_000));
    history.announce(announcement("meanwhile"));
    let problem = health(&mut replied).await.unwrap();
    assert!(problem.contains("full"), "{problem}");
    let (id, title) = recorded(&mut replied).await;
    assert!(id < 0 && title == "meanwhile completed");
    // With more than a transaction's worth waiting, each of these would try the disk again.
    for id in 0..30_000 {
        history.job(server.clone(), some_job(id, 10));
    }
    let begun = std::time::Instant::now();
    for number in 0..200 {
        history.announce(announcement(&format!("told {number}")));
        recorded(&mut replied).await;
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(3), "{:?}", begun.elapsed());
    disk.free();
    assert_eq!(health(&mut replied).await, None);
    let notices = history.notices().await;
    assert_eq!(notices.len(), 202);
}

#[tokio::test]
async fn a_disk_that_is_full_at_the_start_hides_nothing_that_was_kept_and_is_tried_again() {
    let Some(disk) = SmallDisk::mount() else { return };
    let location = Location::Directory(disk.path().to_owned());
    let server = ServerId("s".to_owned());
    let (replies, mut replied) = mpsc::unbounded_channel();
    let history = History::open(location.clone(), replies);
    history.announce(announcement("before"));
    history.job(server.clone(), some_job(1, 10));
    let (id, _) = recorded(&mut replied).await;
    history.shown(vec![id]);
    history.flush().await;
    drop(history);
    until("the last write", || !disk.path().join("history.sqlite-wal").exists()).await;
    disk.fill();

    let (replies, mut replied) = mpsc::unbounded_channel();
    let history = History::open(location.clone(), replies);
    let problem = health(&mut replied).await.unwrap();
    assert!(problem.contains("keeps trying"), "{problem}");
    assert_eq!(history.remembered(server.clone()).await.jobs.len(), 1);
    assert_eq!(history.notices().await.len(), 1);
    history.announce(announcement("before"));
    history.announce(announcement("meanwhile"));
    history.job(server.clone(), some_job(2, 10));
    let (id, title) = recorded(&mut replied).await;
    assert_eq!(
        (id, title.as_str()),
        (-2, "meanwhile completed"),
        "what was told is not told again"
    );
    disk.free();
    assert_eq!(health(&mut replied).await, None);
    let titles: Vec<_> =
        history.notices().await.into_iter().map(|stored| stored.notice.title).collect();
    assert_eq!(titles, ["meanwhile completed", "before completed"]);
    assert_eq!(history.remembered(server.clone()).await.jobs.len(), 2);
    drop(history);

    let (replies, _replied) = mpsc::unbounded_channel();
    let history = History::open(location, replies);
    assert_eq!(history.remembered(server).await.jobs.len(), 2);
}

#[tokio::test]
async fn a_killed_programs_log_is_read_too_when_the_disk_is_full_at_the_start() {
    let Some(disk) = SmallDisk::mount() else { return };
    let location = Location::Directory(disk.path().to_owned());
    let (replies, mut replied) = mpsc::unbounded_channel();
    let history = History::open(location.clone(), replies);
    history.announce(announcement("before"));
    recorded(&mut replied).await;
    // As a killed process would leave it: with a log and without its index.
    for name in ["history.sqlite", "history.sqlite-wal"] {
        std::fs::copy(disk.path().join(name), disk.path().join(format!("{name}.kept"))).unwrap();
    }
    drop(history);
    until("the end", || !disk.path().join("history.sqlite-wal").exists()).await;
    for name in ["history.sqlite", "history.sqlite-wal"] {
        std::fs::rename(disk.path().join(format!("{name}.kept")), disk.path().join(name)).unwrap();
    }
    disk.fill();
    let (replies, _replied) = mpsc::unbounded_channel();
    let history = History::open(location, replies);
    assert_eq!(history.notices().await.len(), 1);
}

#[tokio::test]
async fn jobs_are_remembered_in_the_order_they_were_heard_of_and_cut_to_a_bound() {
    let dir = tempfile::tempdir().unwrap();
    let location = Location::Directory(dir.path().to_owned());
    let server = ServerId("s".to_owned());
    let (replies, _replied) = mpsc::unbounded_channel();
    let history = History::open(location, replies);
    for id in [3, 1, 2] {
        history.job(server.clone(), some_job(id, 1 << 20));
        history.flush().await;
        // They are ordered by the millisecond.
        let written = Timestamp::now().as_millisecond();
        while Timestamp::now().as_millisecond() <= written {
            tokio::task::yield_now().await;
        }
    }
    let jobs = history.remembered(server).await.jobs;
    let ids: Vec<_> = jobs.iter().map(|job| job.id.as_str()).collect();
    assert_eq!(ids, ["3", "1", "2"]);
    for job in &jobs {
        let message = job.message.as_ref().unwrap();
        assert!(message.len() <= 32 << 10 && message.ends_with("[not kept: 1048576 bytes in all]"));
    }
}
