//! What the tray shows. It does not cross to the page.

use jobwatch_core::connection::ConnectionState;

/// Everything that the tray shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraySnapshot {
    /// The worst status of all servers; `None` where there are none.
    pub worst: Option<ConnectionState>,
    /// In the user's order.
    pub servers: Vec<TrayServer>,
    /// The running jobs that began last.
    pub running: Vec<TrayJob>,
    /// How many run.
    pub running_total: usize,
    /// The last notices, newest first.
    pub notices: Vec<TrayNotice>,
    /// How many are unread.
    pub unread: u32,
    /// Whether a failure is among those.
    pub failed: bool,
    /// Until when popups are held back, in ms since 1970.
    pub quiet_until: Option<i64>,
}

/// A server.
#[derive(Clone, Debug, PartialEq)]
pub struct TrayServer {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How its connection does.
    pub link: ConnectionState,
}

/// A running job.
#[derive(Clone, Debug, PartialEq)]
pub struct TrayJob {
    /// On which server.
    pub server: String,
    /// Its id.
    pub job: String,
    /// What it is called.
    pub title: String,
    /// How far it is, 0 to 100.
    pub percent: Option<u8>,
}

/// A notice.
#[derive(Clone, Debug, PartialEq)]
pub struct TrayNotice {
    /// On which server.
    pub server: String,
    /// The job it opens.
    pub job: Option<String>,
    /// What it says.
    pub title: String,
    /// Whether it was read.
    pub read: bool,
}
