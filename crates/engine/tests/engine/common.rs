//! A world for an engine: a desktop that remembers its popups, a keyring that can be locked, a
//! window that pulls, a sink that keeps everything.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jobwatch_core::connection::{ConnectionState, Status};
use jobwatch_core::model::{Job, Topic};
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, PolicyChange, Server, ServerId};
use jobwatch_engine::api::{JobSort, Rows, Tick, ViewSpec};
use jobwatch_engine::clock::{Clock, Hand};
use jobwatch_engine::ports::{
    Desktop, Popup, Ports, Secrets, SecretsError, Settled, Sink, StreamEvent, Window,
};
use jobwatch_engine::{Engine, Options, SettingsSource};

/// Long enough for a loaded machine; nothing waits for it to pass.
pub const DEADLINE: Duration = Duration::from_secs(40);

/// Waits until `condition` holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < DEADLINE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until `condition` holds, which has to ask for that.
pub async fn until_async(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < DEADLINE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[derive(Default)]
pub struct World {
    pub popups: Mutex<Vec<Popup>>,
    pub withdrawn: Mutex<Vec<u64>>,
    pub events: Mutex<Vec<StreamEvent>>,
    pub ticks: Mutex<Vec<Tick>>,
    pub keys: Mutex<HashMap<String, String>>,
    pub keyring: Mutex<Keyring>,
    /// How often the keyring was asked for anything.
    pub asked: AtomicUsize,
    /// The desktop takes no popup, and refuses none.
    pub desktop_hangs: AtomicBool,
    pub unsettled: Mutex<Vec<Settled>>,
    time: Time,
}

/// The clock of an engine, and the hand that puts it forward.
struct Time(Clock, Hand);

impl Default for Time {
    fn default() -> Time {
        let (clock, hand) = Clock::by_hand();
        Time(clock, hand)
    }
}

/// How the keyring behaves.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Keyring {
    #[default]
    Works,
    Locked,
    /// Answers only once it is told to work.
    Silent,
}

impl World {
    pub fn new() -> Arc<World> {
        Arc::new(World::default())
    }

    pub fn ports(self: &Arc<World>) -> Ports {
        Ports {
            desktop: Some(Arc::new(Port(Arc::clone(self)))),
            secrets: Some(Arc::new(Port(Arc::clone(self)))),
            sink: Some(Arc::new(Port(Arc::clone(self)))),
            clock: self.time.0.clone(),
        }
    }

    /// Lets so much time pass at once on the engine's clock.
    pub fn advance(&self, by: Duration) {
        self.time.1.advance(by);
    }

    pub fn window(self: &Arc<World>) -> Arc<dyn Window> {
        Arc::new(Port(Arc::clone(self)))
    }

    pub fn titles(&self) -> Vec<String> {
        self.popups.lock().unwrap().iter().map(|popup| popup.notice.title.clone()).collect()
    }

    /// The last link told of a server.
    pub fn link(&self, server: &str) -> Option<ConnectionState> {
        self.events.lock().unwrap().iter().rev().find_map(|event| match event {
            StreamEvent::Status { server: of, status } if of.0 == server => Some(status.state),
            _ => None,
        })
    }

    /// The last status told of a server.
    pub fn status(&self, server: &str) -> Option<Status> {
        self.events.lock().unwrap().iter().rev().find_map(|event| match event {
            StreamEvent::Status { server: of, status } if of.0 == server => Some(status.clone()),
            _ => None,
        })
    }

    /// The last reason told of a server.
    pub fn reason(&self, server: &str) -> Option<String> {
        self.events.lock().unwrap().iter().rev().find_map(|event| match event {
            StreamEvent::Status { server: of, status } if of.0 == server => status.reason.clone(),
            _ => None,
        })
    }

    /// A job as last told; ids are compared by their end, so that a bare id finds its job.
    pub fn job(&self, id: &str) -> Option<Arc<Job>> {
        self.events.lock().unwrap().iter().rev().find_map(|event| match event {
            StreamEvent::Job { job, .. } if job.id.as_str().ends_with(id) => Some(Arc::clone(job)),
            _ => None,
        })
    }

    pub fn lines(&self, id: &str) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let of = events.iter().filter_map(|event| match event {
            StreamEvent::Log { job, lines, .. } if job.as_str().ends_with(id) => Some(lines),
            _ => None,
        });
        of.flat_map(|lines| lines.iter().map(|line| line.text.to_owned())).collect()
    }

    /// Whether something odd was told whose beginning is this.
    pub fn odd(&self, beginning: &str) -> bool {
        self.events.lock().unwrap().iter().any(|event| match event {
            StreamEvent::Diagnostic { diagnostic, .. } => {
                diagnostic.sample.as_ref().is_some_and(|sample| sample.starts_with(beginning))
            }
            _ => false,
        })
    }

    pub async fn until_state(&self, server: &str, link: ConnectionState) {
        until(&format!("{server} to be {link:?}"), || self.link(server) == Some(link)).await;
    }
}

struct Port(Arc<World>);

impl Desktop for Port {
    fn show(&self, popup: Popup, settled: Settled) {
        if self.0.desktop_hangs.load(Ordering::Relaxed) {
            self.0.unsettled.lock().unwrap().push(settled);
            return;
        }
        self.0.popups.lock().unwrap().push(popup);
        settled();
    }

    fn withdraw(&self, popup_id: u64) {
        self.0.withdrawn.lock().unwrap().push(popup_id);
    }
}

impl Sink for Port {
    fn event(&self, event: StreamEvent) {
        self.0.events.lock().unwrap().push(event);
    }
}

impl Window for Port {
    fn tick(&self, tick: &Tick) {
        self.0.ticks.lock().unwrap().push(tick.clone());
    }
}

impl Port {
    fn ready(&self) -> Result<(), SecretsError> {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        loop {
            let state = *self.0.keyring.lock().unwrap();
            match state {
                Keyring::Works => return Ok(()),
                Keyring::Locked => return Err(SecretsError::Locked),
                Keyring::Silent => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Secrets for Port {
    fn load(&self, server: &ServerId) -> Result<Option<Secret>, SecretsError> {
        self.ready()?;
        Ok(self.0.keys.lock().unwrap().get(&server.0).cloned().map(Secret::new))
    }

    fn store(&self, server: &ServerId, _: &str, key: &Secret) -> Result<(), SecretsError> {
        self.ready()?;
        self.0.keys.lock().unwrap().insert(server.0.clone(), key.expose().to_owned());
        Ok(())
    }

    fn delete(&self, server: &ServerId) -> Result<(), SecretsError> {
        self.ready()?;
        self.0.keys.lock().unwrap().remove(&server.0);
        Ok(())
    }
}

/// An engine on these servers alone, with its history in memory.
pub async fn engine(world: &Arc<World>, servers: Vec<(Server, Option<Secret>)>) -> Engine {
    let options = Options {
        data_dir: None,
        settings: SettingsSource::Fixed(servers),
        ports: world.ports(),
        seed: Some(1),
    };
    Engine::start(options).await.unwrap()
}

/// A server at this port of the loopback, which is not watched and does not wait long.
pub fn server(kind: DialectKind, port: u16) -> Server {
    Server {
        id: ServerId("s".to_owned()),
        name: "Test".to_owned(),
        dialect: kind,
        ws: format!("ws://127.0.0.1:{port}"),
        api: None,
        key: None,
        namespace: None,
        options: std::collections::BTreeMap::new(),
        watch: vec![Topic::Everything],
        paused: false,
        extra_ca: None,
        policy: quick(),
    }
}

/// Delays short enough to watch a server come back.
pub fn quick() -> PolicyChange {
    PolicyChange {
        first_delay_ms: Some(100),
        max_delay_ms: Some(300),
        attempts: None,
        poll_ms: Some(200),
    }
}

/// All rows of a view, pulled once.
pub async fn pull(engine: &Engine, spec: ViewSpec) -> Rows {
    let view = engine.open_view(spec).await.unwrap();
    let rows = engine.view_window(view, 0, 500).await.unwrap().rows;
    engine.close_view(view).await;
    rows
}

pub async fn shown_link(engine: &Engine, server: &str) -> Option<ConnectionState> {
    let overview = engine.overview().await.unwrap();
    overview.servers.into_iter().find(|view| view.id == server).map(|view| view.status.link)
}

/// All jobs, in the order in which something last happened to them.
pub fn all_jobs() -> ViewSpec {
    ViewSpec::Jobs {
        server: None,
        queue: None,
        states: Vec::new(),
        search: String::new(),
        sort: JobSort::Activity,
    }
}
