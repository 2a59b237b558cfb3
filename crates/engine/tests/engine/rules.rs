//! Which events the user's rules match, and what the rules do.

use std::time::Duration;

use axum::Router;
use axum::routing::post;
use jiff::{SignedDuration, Timestamp};
use jobwatch_core::connection::ConnectionState;
use jobwatch_core::server::DialectKind;
use jobwatch_demo::{DemoOptions, Ports};
use jobwatch_engine::api::{
    ErrorCode, EventKind, NoticeRow, NoticeRule, Preferences, Rows, ViewSpec,
};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::common::until;
use crate::notices::{Scene, start_all};

impl Scene {
    async fn set_rules(&self, rules: Vec<NoticeRule>) {
        let before = self.engine.overview().await.unwrap().preferences;
        self.engine.set_preferences(Preferences { rules, ..before }).await.unwrap();
    }

    /// Starts jobs, ends them one after another as given, and waits until that is known.
    async fn end_one_after_another(&self, name: &str, ends: &[Option<&str>]) {
        for error in ends {
            let ids = start_all(&self.world, &self.control, &[name.to_owned()]).await;
            match error {
                Some(error) => self.control.fail(&ids[0], error, None),
                None => self.control.complete(&ids[0], None),
            };
            until("the end", || self.world.job(&ids[0]).is_some_and(|job| job.state.terminal()))
                .await;
        }
    }

    async fn notices(&self, expanded: Option<Vec<i64>>) -> Vec<NoticeRow> {
        let search = String::new();
        let spec = ViewSpec::Notices { unread: false, failures: false, search, expanded };
        let view = self.engine.open_view(spec).await.unwrap();
        let window = self.engine.view_window(view, 0, 100).await.unwrap();
        self.engine.close_view(view).await;
        let Rows::Notices { rows } = window.rows else { panic!("{:?}", window.rows) };
        // The server has notices of its own.
        rows.into_iter().filter(|row| row.rule.is_some()).collect()
    }

    /// Waits for so many notices, the oldest first.
    async fn notices_of(&self, count: usize) -> Vec<NoticeRow> {
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        loop {
            let mut rows = self.notices(None).await;
            if rows.len() >= count {
                rows.reverse();
                return rows;
            }
            assert!(std::time::Instant::now() < deadline, "only {rows:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stop(self) {
        self.engine.stop().await;
        self.demo.stop().await;
    }
}

fn titles(rows: &[NoticeRow]) -> Vec<&str> {
    rows.iter().map(|row| row.title.as_str()).collect()
}

fn rule(kinds: &[EventKind]) -> NoticeRule {
    NoticeRule { name: "mine".to_owned(), kinds: kinds.to_vec(), ..NoticeRule::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_failures_and_what_is_watched_become_notices() {
    let scene = Scene::live(DialectKind::Kecs).await;
    scene.set_rules(NoticeRule::usual()).await;
    scene.end_one_after_another("plain", &[None]).await;
    let ids = start_all(&scene.world, &scene.control, &["mine".to_owned()]).await;
    scene.engine.watch(&scene.id, &format!("job:{}", ids[0])).await.unwrap();
    scene.control.complete(&ids[0], None);
    scene.end_one_after_another("other", &[Some("disk full")]).await;
    let rows = scene.notices_of(2).await;
    let listed: Vec<_> = rows.iter().map(|row| (&*row.title, row.rule.as_deref())).collect();
    assert!(listed.contains(&("mine:7 completed", Some("Jobs I watch"))), "{listed:?}");
    assert!(listed.contains(&("other:7 failed", Some("Failures"))), "{listed:?}");
    assert_eq!(listed.len(), 2);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_failure_the_next_and_the_recovery_are_kept_apart() {
    let scene = Scene::live(DialectKind::Kecs).await;
    let ends = [None, Some("a"), Some("b"), None, None];
    scene.end_one_after_another("nightly", &ends).await;
    let rows = scene.notices_of(5).await;
    let expected = ["completed", "failed", "failed again", "works again", "completed"];
    assert_eq!(titles(&rows), expected.map(|end| format!("nightly:7 {end}")));
    // Only what began to go wrong, and what went well again.
    scene.set_rules(vec![rule(&[EventKind::Failed, EventKind::Fixed])]).await;
    scene.end_one_after_another("nightly", &[Some("c"), Some("d"), None, None]).await;
    let rows = scene.notices_of(7).await;
    assert_eq!(titles(&rows)[5..], ["nightly:7 failed", "nightly:7 works again"]);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_is_notified_where_a_rule_asks_for_it_and_names_narrow() {
    let scene = Scene::live(DialectKind::Kecs).await;
    let names = vec!["night*".to_owned()];
    scene.set_rules(vec![NoticeRule { names, ..rule(&[EventKind::Started]) }]).await;
    scene.end_one_after_another("nightly", &[None]).await;
    scene.end_one_after_another("daily", &[None]).await;
    scene.end_one_after_another("nightly", &[None]).await;
    let rows = scene.notices_of(2).await;
    assert_eq!(titles(&rows), ["nightly:7 started", "nightly:7 started"]);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trying_a_rule_shows_what_it_matches_and_changes_nothing() {
    let scene = Scene::live(DialectKind::Kecs).await;
    scene.set_rules(Vec::new()).await;
    let ends = [None, Some("a"), Some("b"), None];
    scene.end_one_after_another("nightly", &ends).await;
    let tried = async |rule| {
        let trial = scene.engine.try_rule(rule).await.unwrap();
        let titles: Vec<String> = trial.examples.into_iter().map(|e| e.title).collect();
        (trial.matched, titles.join(", "))
    };
    let failures = rule(&[EventKind::Failed, EventKind::StillFailing]);
    let expected = "nightly:7 failed again, nightly:7 failed";
    assert_eq!(tried(failures.clone()).await, (2, expected.to_owned()));
    let others = NoticeRule { names: vec!["daily".to_owned()], ..failures.clone() };
    assert_eq!(tried(others).await, (0, String::new()));
    // Four ends and, once their names are known, four starts.
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while scene.engine.try_rule(failures.clone()).await.unwrap().total != 8 {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let broken = NoticeRule { names: vec!["/(/".to_owned()], ..failures };
    let refused = scene.engine.try_rule(broken).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Invalid);
    assert!(refused.message.contains("/(/"), "{}", refused.message);
    assert!(scene.notices(None).await.is_empty() && scene.world.titles().is_empty());
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_pops_up_and_its_return_takes_that_place() {
    let scene = Scene::live(DialectKind::Kecs).await;
    let connections = rule(&[EventKind::Lost, EventKind::Back]);
    scene.set_rules(vec![NoticeRule { lost_minutes: 0, ..connections }]).await;
    scene.control.refuse(Ports::All).await;
    until("the loss", || scene.world.titles().len() == 1).await;
    scene.control.listen(Ports::All).await;
    scene.world.until_state(&scene.id, ConnectionState::Live).await;
    until("the return", || scene.world.titles().len() == 2).await;
    let popups = scene.world.popups.lock().unwrap().clone();
    let name = scene.engine.overview().await.unwrap().servers[0].name.clone();
    assert_eq!(popups[0].notice.title, format!("{name} cannot be reached"));
    assert_eq!(popups[1].notice.title, format!("{name} is connected again"));
    assert_eq!(popups[0].popup_id, popups[1].popup_id);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rules_program_gets_the_job_and_its_output_is_kept_with_the_notice() {
    let scene = Scene::live(DialectKind::Kecs).await;
    let script = "cat; echo; echo \"$JOBWATCH_KIND $JOBWATCH_JOB_NAME $JOBWATCH_JOB_STATE\"";
    let run = ["sh", "-c", script].map(str::to_owned).to_vec();
    let mine = NoticeRule { run, popup: false, ..rule(&[EventKind::Failed]) };
    scene.set_rules(vec![mine.clone()]).await;
    scene.end_one_after_another("nightly", &[Some("disk full")]).await;
    let output = loop {
        let rows = scene.notices_of(1).await;
        if let Some(output) = rows[0].output.clone() {
            break output;
        }
    };
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines[0].starts_with("sh: done, after"), "{output}");
    let given: Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(given["title"], "nightly:7 failed");
    assert_eq!(given["kind"], "failed");
    assert_eq!(given["rule"], "mine");
    assert_eq!(given["job"]["name"], "nightly:7");
    assert_eq!(lines[2], "failed nightly:7 failed");
    assert!(scene.world.titles().is_empty(), "it is listed without a popup");
    // It can be tried on what happened last.
    let tried = scene.engine.run_rule(mine).await.unwrap();
    assert!(tried[0].contains("failed nightly:7 failed"), "{tried:?}");
    let nothing = scene.engine.run_rule(rule(&[EventKind::Failed])).await.unwrap_err();
    assert_eq!(nothing.code, ErrorCode::Invalid);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_posts_the_job_to_an_address() {
    let (posted, mut received) = mpsc::unbounded_channel::<Value>();
    let app = Router::new().route(
        "/hook",
        post(async move |axum::Json(body): axum::Json<Value>| {
            posted.send(body).unwrap();
            "thanks"
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/hook?token=t0ken", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let scene = Scene::live(DialectKind::Kecs).await;
    let mine = NoticeRule { post: address, ..rule(&[EventKind::Completed]) };
    scene.set_rules(vec![mine]).await;
    scene.end_one_after_another("nightly", &[None]).await;
    let body =
        tokio::time::timeout(Duration::from_secs(30), received.recv()).await.unwrap().unwrap();
    assert_eq!(
        (&body["title"], &body["serverName"]),
        (&"nightly:7 completed".into(), &"Demo: KECS".into())
    );
    let output = loop {
        let rows = scene.notices_of(1).await;
        if let Some(output) = rows[0].output.clone() {
            break output;
        }
    };
    assert!(output.starts_with("127.0.0.1: answered 200, after"), "{output}");
    assert!(output.ends_with("\nthanks") && !output.contains("t0ken"), "{output}");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happened_together_is_folded_into_its_newest_and_can_be_laid_open() {
    let scene = Scene::live(DialectKind::Kecs).await;
    let ids = start_all(&scene.world, &scene.control, &vec!["warm".to_owned(); 5]).await;
    for (nth, id) in ids.iter().enumerate() {
        scene.control.fail(id, &format!("timeout after {nth} ms"), None);
    }
    scene.notices_of(5).await;
    scene.end_one_after_another("other", &[None]).await;
    scene.notices_of(6).await;
    let folded = scene.notices(Some(Vec::new())).await;
    assert_eq!(folded.len(), 2);
    assert_eq!((folded[0].group, folded[0].folded.len()), (None, 0));
    let (group, others) = (folded[1].group.unwrap(), &folded[1].folded);
    assert_eq!((others.len(), others.last()), (4, Some(&group)), "its oldest names it");
    let open = scene.notices(Some(vec![group])).await;
    assert_eq!(open.len(), 6);
    assert!(open[1..].iter().all(|row| row.group == Some(group) && row.folded.is_empty()));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_runs_much_longer_than_its_like_is_notified_once() {
    a_slow_job_is_notified_once(Scene::live(DialectKind::Kecs).await).await;
}

/// By our clock it would have begun hours ago, or be about to begin.
#[tokio::test(flavor = "multi_thread")]
async fn how_long_a_job_runs_is_measured_by_the_clock_of_its_server() {
    let at = |hours| {
        let start = Some(Timestamp::now() + SignedDuration::from_hours(hours));
        let options = DemoOptions { start, ..DemoOptions::default() };
        async {
            a_slow_job_is_notified_once(Scene::live_with(DialectKind::Kecs, options).await).await
        }
    };
    tokio::join!(at(-3), at(3));
}

async fn a_slow_job_is_notified_once(scene: Scene) {
    scene.set_rules(vec![rule(&[EventKind::Slow])]).await;
    scene.end_one_after_another("nightly", &[None; 5]).await;
    let begun = std::time::Instant::now();
    let ids = start_all(&scene.world, &scene.control, &["nightly".to_owned()]).await;
    let rows = scene.notices_of(1).await;
    assert_eq!(titles(&rows), ["nightly:7 takes unusually long"]);
    assert!(begun.elapsed() >= Duration::from_secs(9), "a few seconds more are nothing");
    assert!(rows[0].body.contains("usually at most"), "{}", rows[0].body);
    // Looked at again and again, there is one notice.
    for _ in 0..6 {
        scene.world.advance(Duration::from_secs(1));
        assert_eq!(scene.notices_of(1).await.len(), 1);
    }
    scene.control.complete(&ids[0], None);
    assert_eq!(scene.notices_of(1).await.len(), 1);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_may_break_through_do_not_disturb_and_the_others_wait() {
    let scene = Scene::live(DialectKind::Kecs).await;
    let breaching = NoticeRule { breaches: true, ..rule(&[EventKind::Failed]) };
    scene.set_rules(vec![rule(&[EventKind::Completed]), breaching]).await;
    scene.engine.desktop_quiet(true);
    scene.end_one_after_another("calm", &[None]).await;
    scene.notices_of(1).await;
    scene.end_one_after_another("loud", &[Some("disk full")]).await;
    until("the breach", || scene.world.titles() == ["loud:7 failed"]).await;
    assert!(scene.engine.overview().await.unwrap().desktop_quiet);
    scene.engine.desktop_quiet(false);
    until("the rest", || scene.world.titles().len() == 2).await;
    assert_eq!(scene.world.titles()[1], "calm:7 completed");
    scene.stop().await;
}
