//! A job server that speaks all of Jobwatch's dialects and misbehaves on command.
//!
//! It is what newcomers look around with, what the developer runs against, and the test double of
//! the engine and the window: the server half of each dialect as it is shipped, on loopback ports.
//! Everything in it follows from a seed and the time it began.
//!
//! [`Demo::start`] opens the ports, [`Demo::servers`] gives ready configurations, and
//! [`Demo::control`] commands one server; the same commands are served over HTTP (see [`http`]).

mod analyzer;
mod bull_board;
mod control;
mod flood;
pub mod http;
mod json;
mod kecs;
mod plain_json;
mod port;
mod protocol;
mod registry;
mod rng;
mod server;
mod sessions;
mod socket;
mod socketio;
mod study_buddy;
mod triggerx;
mod world;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jobwatch_core::model::Topic;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{DialectKind, PolicyChange, Server, ServerId};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use control::{
    ApiFault, Control, Counters, Faults, Flood, Garbage, JobSpec, LineSpec, Ports, UpgradeFault,
};
use protocol::Protocol;
use registry::Registry;
use server::{Clock, Port, Shared};
use world::World;
use world::templates::Templates;

macro_rules! halves {
    ($($kind:ident $word:literal $folder:ident;)*) => {
        /// The server half of a dialect.
        fn protocol(kind: DialectKind, options: &DemoOptions) -> Box<dyn Protocol> {
            match kind {
                $(DialectKind::$kind => $folder::protocol(options),)*
            }
        }

        /// The jobs of a dialect's server.
        fn templates(kind: DialectKind) -> Templates {
            match kind {
                $(DialectKind::$kind => $folder::templates(),)*
            }
        }
    };
}
jobwatch_core::dialect_table!(halves);

/// The key that every demo server with keys accepts.
pub const DEMO_KEY: &str = "demo-key";

/// The password with which every e-mail address can sign in to Study Buddy and Better Bull Board.
pub const DEMO_PASSWORD: &str = "demo";

/// The token that signing in gives, after tokens have expired so many times.
pub(crate) fn token(expired: u32) -> String {
    match expired {
        0 => DEMO_KEY.to_owned(),
        times => format!("{DEMO_KEY}-{times}"),
    }
}

/// Which generation of the servers is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Generation {
    /// As the servers are shipped. KECS additionally sends the live logs, metrics and
    /// notifications that its document promises, since the shipped one has nothing to show.
    #[default]
    Shipped,
    /// As the documents of the time promised.
    Documented,
}

/// How to start a demo.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Everything follows from it.
    pub seed: u64,
    /// The first of consecutive ports, one or two for each server; `None` lets the system choose.
    pub base_port: Option<u16>,
    /// World time per real time.
    pub speed: f64,
    /// Whether TriggerX, Study Buddy, the analyzer and Better Bull Board want a key.
    pub keys: bool,
    /// Which generation of the servers is shown.
    pub generation: Generation,
    /// No live logs, metrics and notifications from KECS, as shipped.
    pub strict: bool,
    /// How much later than its socket says so Better Bull Board's rows appear and change, at least
    /// and at most. The shipped ingest is 3 to 30 s late; `None` is not at all.
    pub rows_late: Option<(Duration, Duration)>,
    /// Whether the servers start jobs of their own accord; without it only on command.
    pub life: bool,
    /// How much of the past exists at the start, with `life`.
    pub past: Duration,
    /// When the world begins; `None` is now.
    pub start: Option<Timestamp>,
    /// Between the server's pings, where it pings; `None` is each server's own
    /// (Engine.IO 25 s, TriggerX and KECS 54 s).
    pub ping_interval: Option<Duration>,
    /// How long after a ping a silent client is given up; `None` is each server's own
    /// (Engine.IO 20 s, TriggerX and KECS 6 s).
    pub ping_timeout: Option<Duration>,
}

impl Default for DemoOptions {
    fn default() -> DemoOptions {
        DemoOptions {
            seed: 1,
            base_port: None,
            speed: 1.0,
            keys: true,
            generation: Generation::Shipped,
            strict: false,
            rows_late: None,
            life: true,
            past: Duration::from_secs(12 * 60),
            start: None,
            ping_interval: None,
            ping_timeout: None,
        }
    }
}

/// Why a demo could not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A port could not be opened.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port; 0 where the system was to choose.
        port: u16,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The ports that the servers need from the first one on do not all exist.
    #[error("port {0} leaves no room for the ports of the other servers after it")]
    Ports(u16),
}

/// A running demo. Dropping it stops it.
#[derive(Debug)]
pub struct Demo {
    servers: Vec<Arc<Shared>>,
    keys: bool,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Demo {
    /// Opens the ports and begins.
    ///
    /// # Errors
    /// When a port cannot be opened; nothing keeps running then.
    pub async fn start(options: DemoOptions) -> Result<Demo, DemoError> {
        let protocols = DialectKind::ALL.map(|kind| (kind, protocol(kind, &options)));
        let ports: usize = protocols.iter().map(|(_, protocol)| protocol.roles().len()).sum();
        if let Some(base) = options.base_port {
            let further = u16::try_from(ports - 1).ok();
            further.and_then(|count| base.checked_add(count)).ok_or(DemoError::Ports(base))?;
        }
        let start = options.start.unwrap_or_else(Timestamp::now).as_millisecond();
        let clock = Clock::new(start, options.speed);
        let past = i64::try_from(options.past.as_millis()).unwrap_or(i64::MAX / 4);
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let registry = Arc::new(Registry::default());
        let mut servers = Vec::new();
        let mut offset = 0;
        let mut listeners = Vec::new();
        for (kind, protocol) in protocols {
            let roles = protocol.roles();
            let mut ports = Vec::new();
            let mut bound = Vec::new();
            for role in roles {
                let wanted = options.base_port.map_or(0, |base| base + offset);
                offset += 1;
                let listen = |source| DemoError::Listen { port: wanted, source };
                let listener =
                    TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).await.map_err(listen)?;
                let number = listener.local_addr().map_err(listen)?.port();
                ports.push(Port::new(*role, number, &stop));
                bound.push(listener);
            }
            // Each kind lives in a world of its own.
            let seed = options.seed.wrapping_add(0x51_7C_C1_B7 * (kind as u64 + 1));
            let world = World::new(templates(kind), seed, start, options.life, past);
            let shared = Shared::new(kind, ports, stop.clone(), clock, world, protocol);
            servers.push(Arc::new(shared));
            listeners.push(bound);
        }
        registry.register(&servers);
        for (shared, bound) in servers.iter().zip(listeners) {
            for (index, listener) in bound.into_iter().enumerate() {
                let (shared, registry) = (Arc::clone(shared), Arc::clone(&registry));
                tasks.spawn(port::serve(shared, index, registry, listener));
            }
            let shared = Arc::clone(shared);
            tasks.spawn(async move { shared.run().await });
        }
        tasks.close();
        Ok(Demo { servers, keys: options.keys, stop, tasks })
    }

    /// Ready configurations with their keys, everything watched.
    #[must_use]
    pub fn servers(&self) -> Vec<(Server, Option<Secret>)> {
        self.servers
            .iter()
            .map(|shared| {
                let (kind, info) = (shared.kind, shared.kind.info());
                let ports: Vec<u16> = shared.ports.iter().map(|port| port.number).collect();
                let origin = |index: usize| format!("127.0.0.1:{}", ports[index]);
                // Where Socket.IO is, and its namespace, is found out.
                let path = if info.namespace().is_some() { "" } else { info.socket_path };
                // A port of its own is the second.
                let api = usize::from(info.api_port.is_some());
                let server = Server {
                    id: ServerId(format!("demo-{}", kind.word())),
                    name: format!("Demo: {}", kind.title()),
                    dialect: kind,
                    ws: format!("ws://{}{path}", origin(0)),
                    api: info.api_path.map(|_| format!("http://{}", origin(api))),
                    key: None,
                    namespace: shared.with_quiet(|state| state.protocol.namespace()),
                    options: shared.with_quiet(|state| state.protocol.options(&ports)),
                    watch: vec![Topic::Everything],
                    paused: false,
                    extra_ca: None,
                    policy: PolicyChange::default(),
                };
                let keyed = self.keys && info.wants_key;
                (server, keyed.then(|| Secret::new(DEMO_KEY.to_owned())))
            })
            .collect()
    }

    /// Commands to the server that speaks `kind`.
    #[must_use]
    pub fn control(&self, kind: DialectKind) -> Control {
        // `start` makes one server of each kind, in the order of `ALL`.
        let index = DialectKind::ALL.iter().position(|other| *other == kind).unwrap_or(0);
        Control(Arc::clone(&self.servers[index]))
    }

    /// The ports of the server that speaks `kind`: the WebSocket's, then KECS's admin API or
    /// Better Bull Board's HTTP.
    #[must_use]
    pub fn ports(&self, kind: DialectKind) -> Vec<u16> {
        self.control(kind).0.ports.iter().map(|port| port.number).collect()
    }

    /// Closes every port and connection.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
