//! Many jobs at once: each end is announced, once, within what the server takes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jobwatch_core::connection::ConnectionState;
use jobwatch_core::dialect::dialect;
use jobwatch_core::model::JobState;
use jobwatch_core::server::{DialectKind, PolicyChange, Server};
use jobwatch_demo::{Control, Demo, DemoOptions, Faults, JobSpec, UpgradeFault};
use jobwatch_engine::Engine;
use jobwatch_engine::ports::StreamEvent;

use crate::common::{World, engine};

/// So many jobs run at once.
const CROWD: usize = 800;

/// Longer than the slowest server's budget of requests takes to report them all.
const PATIENCE: Duration = Duration::from_secs(150);

struct Crowd {
    demo: Demo,
    control: Control,
    world: Arc<World>,
    engine: Engine,
    server: Server,
    /// How many requests had been made, every tenth of a second.
    made: Arc<Mutex<Vec<(Instant, u64)>>>,
}

/// A server of this kind whose jobs exist on command only, with its socket or without.
async fn crowd(kind: DialectKind, socket: bool) -> Crowd {
    let demo = Demo::start(DemoOptions { life: false, ..DemoOptions::default() }).await.unwrap();
    let (mut server, key) = demo.servers().into_iter().find(|(s, _)| s.dialect == kind).unwrap();
    server.policy =
        PolicyChange { first_delay_ms: Some(100), max_delay_ms: Some(300), ..Default::default() };
    let control = demo.control(kind);
    if !socket {
        let upgrade = Some(UpgradeFault::Status { status: 503, retry_after: None });
        control.set_faults(Faults { upgrade, ..Faults::default() });
    }
    let world = World::new();
    let made = count(control.clone());
    let engine = engine(&world, vec![(server.clone(), key)]).await;
    let link = if socket { ConnectionState::Live } else { ConnectionState::Polling };
    let crowd = Crowd { demo, control, world, engine, server, made };
    crowd.until("the link", || crowd.world.link(&crowd.server.id.0) == Some(link)).await;
    crowd
}

/// Counts the requests that a server has seen, again and again.
fn count(control: Control) -> Arc<Mutex<Vec<(Instant, u64)>>> {
    let made = Arc::new(Mutex::new(Vec::new()));
    let counted = Arc::downgrade(&made);
    tokio::spawn(async move {
        while let Some(made) = counted.upgrade() {
            let all = control.counters().requests.values().sum();
            made.lock().unwrap().push((Instant::now(), all));
            drop(made);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    made
}

impl Crowd {
    async fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !condition() {
            assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}: {}", self.known());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn known(&self) -> String {
        let kind = self.server.dialect;
        format!("{kind:?} {:?} {:?}", self.states(), self.control.counters().requests.len())
    }

    /// The jobs that were reported, by their last state.
    fn states(&self) -> BTreeMap<String, usize> {
        let mut last = BTreeMap::new();
        for event in self.world.events.lock().unwrap().iter() {
            if let StreamEvent::Job { job, .. } = event {
                last.insert(job.id.to_string(), job.state.to_string());
            }
        }
        let mut states = BTreeMap::new();
        for state in last.into_values() {
            *states.entry(state).or_default() += 1;
        }
        states
    }

    fn in_state(&self, state: &JobState) -> usize {
        self.states().get(&state.to_string()).copied().unwrap_or(0)
    }

    /// How often each job's end was announced.
    fn announced(&self) -> BTreeMap<String, usize> {
        let mut announced = BTreeMap::new();
        for event in self.world.events.lock().unwrap().iter() {
            if let StreamEvent::Notice(notice) = event
                && let Some(key) = &notice.key
            {
                *announced.entry(key.job.to_string()).or_default() += 1;
            }
        }
        announced
    }

    /// No more requests were made than the server takes, whatever minute it counts.
    fn modest(&self) {
        let policy = dialect(&self.server, None).unwrap().policy();
        let Some(most) = policy.requests_per_minute else { return };
        let made = self.made.lock().unwrap();
        let minute = Duration::from_secs(60);
        let mut first = 0;
        for (last, (at, all)) in made.iter().enumerate() {
            while at.duration_since(made[first].0) > minute {
                first += 1;
            }
            let since = if first == 0 { 0 } else { made[first].1 };
            let within = all - since;
            assert!(within <= u64::from(most), "{within} requests in a minute, sample {last}");
        }
    }
}

async fn every_end_of_a_crowd_is_announced_once(kind: DialectKind, socket: bool) {
    let spec = |n: usize| JobSpec { name: Some(format!("crowd-{n}")), ..JobSpec::default() };
    every_end_of_these_is_announced_once(kind, socket, spec).await;
}

async fn every_end_of_these_is_announced_once(
    kind: DialectKind,
    socket: bool,
    spec: impl Fn(usize) -> JobSpec,
) {
    let crowd = crowd(kind, socket).await;
    let ids: Vec<String> = (0..CROWD).map(|n| crowd.control.start_job(spec(n))).collect();
    crowd.until("all to run", || crowd.in_state(&JobState::Running) >= CROWD).await;
    for id in &ids {
        assert!(crowd.control.complete(id, None));
    }
    crowd.until("all ends", || crowd.announced().len() >= CROWD).await;
    // Another look announces nothing twice.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let announced = crowd.announced();
    let doubled: Vec<_> = announced.iter().filter(|(_, times)| **times != 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    // TriggerX alone has two kinds of ids.
    let announced =
        |id: &String| [id.clone(), format!("task:{id}")].map(|id| announced.contains_key(&id));
    let missing: Vec<_> = ids.iter().filter(|id| !announced(id).contains(&true)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    crowd.modest();
    crowd.engine.stop().await;
    crowd.demo.stop().await;
}

macro_rules! dialects {
    ($($name:ident: $kind:ident;)*) => { $(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn announces_eight_hundred_ends_live() {
                every_end_of_a_crowd_is_announced_once(DialectKind::$kind, true).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn announces_eight_hundred_ends_with_the_socket_shut() {
                every_end_of_a_crowd_is_announced_once(DialectKind::$kind, false).await;
            }
        }
    )* };
}

dialects! {
    triggerx: TriggerX;
    study_buddy: StudyBuddy;
    analyzer: Analyzer;
    kecs: Kecs;
    bull_board: BullBoard;
}

/// The tasks of many jobs, each of which would have to be asked for its own.
#[tokio::test(flavor = "multi_thread")]
async fn triggerx_announces_the_ends_of_eight_hundred_tasks_of_as_many_jobs() {
    let spec =
        |n: usize| JobSpec { parent: Some(format!("job:{}", 9_000 + n)), ..JobSpec::default() };
    for socket in [true, false] {
        every_end_of_these_is_announced_once(DialectKind::TriggerX, socket, spec).await;
    }
}
