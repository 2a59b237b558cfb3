//! Popups as desktop notifications.
//!
//! One thread with a bounded queue shows them, so the engine never waits for the desktop. On Linux,
//! one connection to the session bus sends all popups and receives all clicks: some daemons send
//! signals only to the sender's connection (dunst), others close the popups of a closed connection
//! (GNOME Shell). It subscribes before the first popup, so no click is missed.

use std::path::PathBuf;
use std::sync::Arc;

use jobwatch_core::escape;
#[cfg(target_os = "linux")]
use jobwatch_core::notify::rules::EventKind;
use jobwatch_core::notify::{Notice, Tone};
use jobwatch_engine::ports::{Button, Desktop, Popup, Settled};
use notify_rust::{Notification, Timeout, Urgency};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Sender};

/// The bound of the queue. The engine combines popups before they are this many.
const QUEUE: usize = 64;

/// An event of the desktop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DesktopEvent {
    /// A popup was clicked, or one of its buttons.
    Clicked {
        /// The notice's id.
        id: i64,
        /// Its server.
        server: String,
        /// The job to open, if the notice is about one.
        job: Option<String>,
        /// The button; `None` for the popup itself.
        button: Option<Button>,
    },
    /// A popup has left the screen: the user closed it, or it expired.
    Closed {
        /// The engine's id for it.
        popup_id: u64,
    },
    /// Popups of an earlier run that may still be on the screen, oldest first.
    Left {
        /// The engine's ids for them.
        popup_ids: Vec<u64>,
    },
    /// Why popups cannot be shown; `None` once they can.
    Health(Option<String>),
    /// Whether do-not-disturb is on, if the daemon reports it.
    DoNotDisturb(bool),
}

/// Shows notices as popups of the desktop.
#[derive(Debug)]
pub struct Notifier {
    queue: Sender<Request>,
}

/// A request to the thread.
enum Request {
    Show(Box<Popup>, Settled),
    /// The id of a popup to withdraw.
    Withdraw(u64),
}

/// Settings of popups.
#[derive(Clone, Debug, Default)]
pub struct PopupSettings {
    /// The icon's file; without one, `jobwatch` of the icon theme.
    pub icon: Option<PathBuf>,
    /// The file of the popups' registry, so that a later run can handle clicks on them; `None` to keep
    /// none.
    pub registry_file: Option<PathBuf>,
}

impl Notifier {
    /// Starts the thread. It calls `report`, which must not block.
    ///
    /// # Errors
    /// The system's, when it grants no thread.
    pub fn start(
        settings: PopupSettings,
        report: impl Fn(DesktopEvent) + Send + Sync + 'static,
    ) -> std::io::Result<Notifier> {
        let (queue, requests) = mpsc::channel(QUEUE);
        let report: Arc<dyn Fn(DesktopEvent) + Send + Sync> = Arc::new(report);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("notifier".to_owned())
            .spawn(move || runtime.block_on(sender::run(settings, requests, report)))?;
        Ok(Notifier { queue })
    }
}

impl Desktop for Notifier {
    fn show(&self, popup: Popup, settled: Settled) {
        let id = popup.id;
        match self.queue.try_send(Request::Show(Box::new(popup), settled)) {
            Ok(()) => {}
            // Not settled, so it is sent again at the next start.
            Err(TrySendError::Full(_)) => {
                tracing::warn!(id, "popup not shown: too many are waiting");
            }
            Err(TrySendError::Closed(_)) => {
                tracing::error!(id, "popup not shown: the notifier has ended");
            }
        }
    }

    fn withdraw(&self, popup_id: u64) {
        if self.queue.try_send(Request::Withdraw(popup_id)).is_err() {
            tracing::debug!(popup_id, "popup not withdrawn: the notifier is busy or has ended");
        }
    }
}

/// All buttons.
#[cfg(target_os = "linux")]
const BUTTONS: [Button; 5] =
    [Button::Log, Button::Retry, Button::MuteJob, Button::MuteError, Button::Snooze];

/// A button's action id for the daemon, and its label.
fn button_action(button: Button) -> (&'static str, &'static str) {
    match button {
        Button::Log => ("log", "Open log"),
        Button::Retry => ("retry", "Retry"),
        Button::MuteJob => ("mute-job", "Mute this job"),
        Button::MuteError => ("mute-error", "Mute this error"),
        Button::Snooze => ("snooze", "Snooze for 1 h"),
    }
}

/// The timeout of routine popups. The desktop decides about the others.
const ROUTINE_TIMEOUT_MS: u32 = 8_000;

/// The notification for a notice. `markup`: the daemon parses the body as markup. `urgent`: it stays
/// until the user closes it.
fn popup(
    notice: &Notice,
    buttons: &[Button],
    settings: &PopupSettings,
    markup: bool,
    urgent: bool,
) -> Notification {
    let body = clean(&notice.body, 1_000);
    let mut popup = Notification::new();
    popup
        .appname("Jobwatch")
        .summary(&clean(&notice.title, 200))
        .body(&if markup { escape(&body) } else { body })
        .action("default", "Open");
    for button in buttons {
        let (word, label) = button_action(*button);
        popup.action(word, label);
    }
    #[cfg(not(target_os = "macos"))]
    popup.urgency(urgency(urgent));
    popup.timeout(match (urgent, notice.routine()) {
        (true, _) => Timeout::Never,
        (false, true) => Timeout::Milliseconds(ROUTINE_TIMEOUT_MS),
        (false, false) => Timeout::Default,
    });
    match &settings.icon {
        Some(path) => popup.icon(&path.to_string_lossy()),
        None => popup.icon("jobwatch"),
    };
    popup
}

/// The sound's name in the desktop's sound theme.
#[cfg(target_os = "linux")]
fn sound_name(notice: &Notice) -> &'static str {
    match (notice.trigger.as_ref().map(|trigger| trigger.kind), notice.tone) {
        (Some(EventKind::Lost), _) => "network-connectivity-lost",
        (Some(EventKind::Back), _) => "network-connectivity-established",
        (_, Tone::Bad) => "dialog-error",
        (_, Tone::Warn) => "dialog-warning",
        (_, Tone::Good) => "complete",
        (_, Tone::Plain) => "message-new-instant",
    }
}

/// Daemons never expire critical popups, so only the user's setting makes one critical.
fn urgency(urgent: bool) -> Urgency {
    if urgent { Urgency::Critical } else { Urgency::Normal }
}

/// At most `limit` characters, without control characters and terminal escape sequences. Names and
/// errors come from servers, and D-Bus rejects text with a NUL.
fn clean(text: &str, limit: usize) -> String {
    let mut clean = String::new();
    let (mut rest, mut count) = (text.chars().peekable(), 0);
    while let Some(c) = rest.next() {
        if escape::skip(c, &mut rest) {
            continue;
        }
        if count == limit {
            clean.push('…');
            break;
        }
        clean.push(if c.is_control() && c != '\n' { ' ' } else { c });
        count += 1;
    }
    clean
}

/// Escapes text for markup.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(target_os = "linux")]
mod registry;
#[cfg(target_os = "linux")]
mod sender;

#[cfg(not(target_os = "linux"))]
mod sender {
    use std::sync::Arc;

    use tokio::sync::mpsc::Receiver;

    use super::{DesktopEvent, PopupSettings, Request, popup};

    /// Shows what comes through `requests` until the queue closes.
    pub async fn run(
        settings: PopupSettings,
        mut requests: Receiver<Request>,
        report: Arc<dyn Fn(DesktopEvent) + Send + Sync>,
    ) {
        let mut well = true;
        while let Some(request) = requests.recv().await {
            // These systems can neither replace nor close popups.
            let Request::Show(wanted, settled) = request else { continue };
            let shown = popup(&wanted.notice, &[], &settings, false, wanted.urgent).show();
            let id = wanted.id;
            settled();
            match shown {
                Ok(_) if well => {}
                Ok(_) => {
                    well = true;
                    report(DesktopEvent::Health(None));
                }
                Err(error) => {
                    tracing::warn!(id, %error, "popup not shown");
                    if std::mem::replace(&mut well, false) {
                        report(DesktopEvent::Health(Some(format!("Can't show popups: {error}."))));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jobwatch_core::server::ServerId;

    use super::*;

    fn notice(title: &str, body: &str, tone: Tone) -> Notice {
        Notice {
            key: None,
            server: ServerId("s".to_owned()),
            job: None,
            title: title.to_owned(),
            body: body.to_owned(),
            tone,
            at: jiff::Timestamp::UNIX_EPOCH,
            subject: None,
            trigger: None,
        }
    }

    #[test]
    fn markup_from_a_server_is_shown_as_text() {
        let notice = notice("<b>x</b> & y", "<img src=x> & <a href='y'>", Tone::Bad);
        let shown = popup(&notice, &[], &PopupSettings::default(), true, false);
        assert_eq!(shown.summary, "<b>x</b> & y", "a summary is never markup");
        assert_eq!(shown.body, "&lt;img src=x&gt; &amp; &lt;a href='y'&gt;");
        let shown = popup(&notice, &[], &PopupSettings::default(), false, false);
        assert_eq!(shown.body, "<img src=x> & <a href='y'>");
    }

    #[test]
    fn control_characters_and_long_text_do_not_reach_the_desktop() {
        let shown = popup(
            &notice("a\0b\u{1b}[31mc", &"x".repeat(5_000), Tone::Good),
            &[],
            &PopupSettings::default(),
            false,
            false,
        );
        assert_eq!(shown.summary, "a bc");
        assert_eq!(shown.body.chars().count(), 1_001);
    }

    #[test]
    fn a_click_on_the_popup_itself_opens_it() {
        let about = notice("a", "b", Tone::Plain);
        let shown = popup(&about, &[], &PopupSettings::default(), false, false);
        assert_eq!(shown.actions, ["default", "Open"]);
        let shown =
            popup(&about, &[Button::Log, Button::Retry], &PopupSettings::default(), false, false);
        assert_eq!(shown.actions, ["default", "Open", "log", "Open log", "retry", "Retry"]);
    }
}
