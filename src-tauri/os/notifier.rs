//! Popups.
//!
//! One thread with a bounded queue shows them, so the engine never waits for the desktop. On Linux
//! one connection to the session bus sends all of them and hears all clicks: notification daemons
//! send their signals to the sender's connection alone (dunst), and close what a vanished
//! connection has sent (GNOME Shell). The subscription stands before the first popup, so no click
//! comes too early to be heard.

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

/// Popups waiting to be shown. The engine tells what is more than a few as one, so this is not
/// reached.
const QUEUE: usize = 64;

/// What the desktop tells back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DesktopEvent {
    /// A popup was clicked, or one of its buttons.
    Clicked {
        /// The notice's number.
        id: i64,
        /// On which server.
        server: String,
        /// The job to open, where the notice is about one.
        job: Option<String>,
        /// The button; `None` for the popup itself.
        button: Option<Button>,
    },
    /// A popup has left the screen: the user closed it, or its time was over.
    Closed {
        /// Its number, as the engine knows it.
        popup_id: u64,
    },
    /// An earlier run of the program left these on the screen, as far as is known; oldest first.
    Left {
        /// Their numbers.
        popup_ids: Vec<u64>,
    },
    /// Popups cannot be shown, and why; `None` when they can (again).
    Health(Option<String>),
    /// Whether the desktop is set not to disturb, where it tells.
    DoNotDisturb(bool),
}

/// Shows notices as popups of the desktop.
#[derive(Debug)]
pub struct Notifier {
    queue: Sender<Request>,
}

/// What is asked of the thread.
enum Request {
    Show(Box<Popup>, Settled),
    /// The number of a popup to take away.
    Withdraw(u64),
}

/// How popups look.
#[derive(Clone, Debug, Default)]
pub struct PopupSettings {
    /// A picture file to show; the icon theme's `jobwatch` where there is none.
    pub icon: Option<PathBuf>,
    /// Where it is kept what popups stand for, so that a later run understands clicks on those that
    /// this one shows; `None` where that is not wanted.
    pub registry_file: Option<PathBuf>,
}

impl Notifier {
    /// Starts the thread. `tell` is called from it and must not block.
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
            // Not settled, so that it is told at the next start.
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
            tracing::debug!(popup_id, "a popup stays: the notifier is busy, or has ended");
        }
    }
}

/// All buttons there are.
#[cfg(target_os = "linux")]
const BUTTONS: [Button; 5] =
    [Button::Log, Button::Retry, Button::MuteJob, Button::MuteError, Button::Snooze];

/// A button's word for the daemon, and its label.
fn button_action(button: Button) -> (&'static str, &'static str) {
    match button {
        Button::Log => ("log", "Open log"),
        Button::Retry => ("retry", "Retry"),
        Button::MuteJob => ("mute-job", "Mute this job"),
        Button::MuteError => ("mute-error", "Mute this error"),
        Button::Snooze => ("snooze", "Snooze for 1 h"),
    }
}

/// What is routine stands for so long, in milliseconds. How long the rest stands the desktop decides.
const ROUTINE_TIMEOUT_MS: u32 = 8_000;

/// The popup for a notice. `markup` says that the daemon reads the body as markup, `urgent` that it
/// stays until the user has dealt with it.
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

/// The sound, by its name in the desktop's sound theme.
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

/// Daemons never let go of what is critical, so it is the user who chooses that.
fn urgency(urgent: bool) -> Urgency {
    if urgent { Urgency::Critical } else { Urgency::Normal }
}

/// At most `limit` characters without control characters and the escape sequences of terminals: names
/// and errors come from servers, and the bus refuses text with a NUL.
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

/// Text as it must be written where markup is read.
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
            // These systems neither replace nor close what was shown.
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
                        report(DesktopEvent::Health(Some(format!(
                            "Popups cannot be shown: {error}."
                        ))));
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
    fn control_characters_and_endless_text_do_not_reach_the_desktop() {
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
