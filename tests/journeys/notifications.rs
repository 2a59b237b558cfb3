//! A notification server that remembers what it was asked to show, and clicks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedVariant, connection, fdo, interface};

use super::support::eventually;

const PATH: &str = "/org/freedesktop/Notifications";

/// A popup as the program asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Popup {
    /// The server's number for it.
    pub id: u32,
    /// The heading.
    pub summary: String,
    /// The text.
    pub body: String,
    /// Action keys and labels, in turn.
    pub actions: Vec<String>,
    /// When it came.
    pub at: Instant,
}

/// The server, on one bus.
pub struct Notifications {
    connection: Connection,
    shown: Arc<Mutex<Vec<Popup>>>,
}

impl Notifications {
    /// Takes the name of the notification service on the bus at `address`.
    pub async fn start(address: &str) -> Notifications {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let connection = connection::Builder::address(address)
            .name("org.freedesktop.Notifications")
            .serve_at(PATH, Server { shown: Arc::clone(&shown) })
            .build()
            .await
            .expect("the bus answers");
        Notifications { connection, shown }
    }

    /// Everything shown so far, oldest first.
    pub fn shown(&self) -> Vec<Popup> {
        self.shown.lock().expect("no panic while held").clone()
    }

    /// Waits for a popup with this heading.
    pub async fn wait_for(&self, summary: &str) -> Popup {
        eventually(&format!("popup \"{summary}\""), async || {
            self.shown().into_iter().find(|popup| popup.summary == summary)
        })
        .await
    }

    /// Clicks a popup, which closes it.
    pub async fn click(&self, popup: &Popup) {
        self.press(popup, "default").await;
    }

    /// Presses a button of a popup, which closes it.
    pub async fn press(&self, popup: &Popup, button: &str) {
        let emitter = SignalEmitter::new(&self.connection, PATH).expect("an object path");
        Server::action_invoked(&emitter, popup.id, button).await.expect("the bus answers");
        Server::notification_closed(&emitter, popup.id, 2).await.expect("the bus answers");
    }

    /// Whether anybody on the bus has this name.
    pub async fn has_owner(&self, name: &str) -> bool {
        let bus = fdo::DBusProxy::new(&self.connection).await.expect("the bus answers");
        let name = name.try_into().expect("a bus name");
        bus.name_has_owner(name).await.expect("the bus answers")
    }
}

struct Server {
    shown: Arc<Mutex<Vec<Popup>>>,
}

#[interface(name = "org.freedesktop.Notifications")]
impl Server {
    #[allow(clippy::too_many_arguments, reason = "the specification's signature")]
    fn notify(
        &self,
        _app_name: String,
        replaces_id: u32,
        _app_icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        _hints: HashMap<String, OwnedVariant>,
        _expire_timeout: i32,
    ) -> u32 {
        let mut shown = self.shown.lock().expect("no panic while held");
        let id = match replaces_id {
            0 => u32::try_from(shown.len()).expect("few popups") + 1,
            id => id,
        };
        shown.push(Popup { id, summary, body, actions, at: Instant::now() });
        id
    }

    fn close_notification(&self, _id: u32) {}

    fn get_capabilities(&self) -> Vec<String> {
        vec!["actions".to_owned(), "body".to_owned()]
    }

    fn get_server_information(&self) -> (String, String, String, String) {
        let text = |it: &str| it.to_owned();
        (text("journey"), text("jobwatch"), text("1"), text("1.2"))
    }

    #[zbus(signal)]
    async fn action_invoked(emitter: &SignalEmitter<'_>, id: u32, action: &str)
    -> zbus::Result<()>;

    #[zbus(signal)]
    async fn notification_closed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        reason: u32,
    ) -> zbus::Result<()>;
}
