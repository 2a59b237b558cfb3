//! As of when rows are that nobody tells of any more.

use std::time::{Duration, Instant};

use jobwatch_core::connection::ConnectionState;
use jobwatch_core::model::JobState;
use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Demo, DemoOptions, JobSpec};
use jobwatch_engine::api::Rows;

use crate::common::{DEADLINE, World, all_jobs, engine, pull, quick, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_a_lost_server_are_as_of_its_last_answer_and_not_of_their_last_change() {
    let options = DemoOptions { life: false, ..DemoOptions::default() };
    let demo = Demo::start(options).await.unwrap();
    let kind = DialectKind::Kecs;
    let mut server = demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
    server.0.policy = quick();
    let name = server.0.id.0.clone();
    let world = World::new();
    let engine = engine(&world, vec![server]).await;
    let id = demo.control(kind).start_job(JobSpec::default());
    let running = || world.job(&id).is_some_and(|job| job.state == JobState::Running);
    until("the job to run", running).await;
    let heard = async || {
        let Rows::Jobs { rows, .. } = pull(&engine, all_jobs()).await else { panic!() };
        rows[0].heard_at
    };
    let changed = heard().await;
    let begun = Instant::now();
    // It is asked for again and again, and nothing of it changes.
    while heard().await < changed + 1_000 {
        assert!(begun.elapsed() < DEADLINE, "the rows are as they were");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    demo.stop().await;
    let stopped = jiff::Timestamp::now().as_millisecond();
    world.until_state(&name, ConnectionState::Offline).await;
    let last = heard().await;
    assert!((changed + 1_000..=stopped).contains(&last), "{changed} {last} {stopped}");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(heard().await, last, "nobody is heard any more");
    engine.stop().await;
}
