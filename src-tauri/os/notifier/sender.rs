//! The connection to the session bus that sends popups and receives clicks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use jobwatch_engine::ports::Popup;
use tokio::sync::mpsc::Receiver;
use zbus::message::{Message, Type};
use zbus::{Connection, MatchRule, MessageStream, Variant};

use super::registry::{PopupRegistry, ShownPopup};
use super::{
    BUTTONS, DesktopEvent, PopupSettings, Request, button_action, popup, sound_name, urgency,
};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// The time limit of a call to the daemon.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How often to look for a missing bus.
const RETRY: Duration = Duration::from_secs(30);
/// The reason code for an expired popup.
const EXPIRED: u32 = 1;
/// How often to check do-not-disturb, besides after every change signal.
const DND_INTERVAL: Duration = Duration::from_secs(30);
/// The properties for do-not-disturb: of Plasma and of dunst.
const DND_PROPERTIES: [(&str, &str); 2] =
    [(NAME, "Inhibited"), ("org.dunstproject.cmd0", "paused")];

/// The number that this program chooses for a popup: high, to avoid those of other programs.
fn own_number(popup_id: u64) -> u32 {
    const FIRST: u32 = 1 << 30;
    FIRST + (popup_id % u64::from(FIRST)) as u32
}

type Report = Arc<dyn Fn(DesktopEvent) + Send + Sync>;

/// Serves `requests` until the queue closes.
pub async fn run(settings: PopupSettings, mut requests: Receiver<Request>, report: Report) {
    let mut health = Health { report: Arc::clone(&report), reported: None };
    loop {
        let problem = match Session::open(&settings).await {
            Ok(session) => {
                match session.serve(&settings, &mut requests, &report, &mut health).await {
                    End::Stopped => return,
                    End::Lost(problem) => problem,
                }
            }
            Err(error) => format!(
                "Can't show popups: this session has no message bus ({error}). Everything else \
                 works."
            ),
        };
        health.set(Some(problem));
        // Without a bus, notices appear only in the list.
        let pause = tokio::time::sleep(RETRY);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                request = requests.recv() => match request {
                    Some(Request::Show(popup, settled)) => {
                        tracing::warn!(popup.id, "popup not shown: no message bus");
                        settled();
                    }
                    Some(Request::Withdraw(_)) => {}
                    None => return,
                },
            }
        }
    }
}

/// Reports each change of health once.
struct Health {
    report: Report,
    reported: Option<Option<String>>,
}

impl Health {
    fn set(&mut self, problem: Option<String>) {
        if self.reported.as_ref() != Some(&problem) {
            if let Some(problem) = &problem {
                tracing::warn!(problem, "notifications");
            }
            (self.report)(DesktopEvent::Health(problem.clone()));
            self.reported = Some(problem);
        }
    }
}

enum End {
    /// The program ends.
    Stopped,
    /// The bus is gone.
    Lost(String),
}

struct Session {
    bus: Connection,
    /// Clicks and closings.
    signals: MessageStream,
    /// Daemons that start and stop.
    owners: MessageStream,
    /// Changes of the daemon's properties.
    changes: MessageStream,
    /// Whether do-not-disturb was on at the last check.
    quiet: bool,
    popups: PopupRegistry,
    /// Whether the daemon parses bodies as markup, once known.
    markup: Option<bool>,
}

impl Session {
    async fn open(settings: &PopupSettings) -> zbus::Result<Session> {
        let bus = zbus::connection::Builder::session().method_timeout(CALL_TIMEOUT).build().await?;
        let signals =
            MatchRule::builder().msg_type(Type::Signal).interface(NAME).path(PATH).build()?;
        let owners = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender("org.freedesktop.DBus")
            .member("NameOwnerChanged")
            .arg(0, NAME)
            .build()?;
        let changes = MatchRule::builder()
            .msg_type(Type::Signal)
            .interface("org.freedesktop.DBus.Properties")
            .member("PropertiesChanged")
            .path(PATH)
            .build()?;
        Ok(Session {
            changes: MessageStream::for_match_rule(changes, &bus, None).await?,
            quiet: false,
            signals: MessageStream::for_match_rule(signals, &bus, None).await?,
            owners: MessageStream::for_match_rule(owners, &bus, None).await?,
            bus,
            popups: PopupRegistry::new(settings.registry_file.as_deref()),
            markup: None,
        })
    }

    async fn serve(
        mut self,
        settings: &PopupSettings,
        requests: &mut Receiver<Request>,
        report: &Report,
        health: &mut Health,
    ) -> End {
        self.ask_capabilities(health).await;
        self.identify_daemon(report).await;
        let mut dnd_interval = tokio::time::interval(DND_INTERVAL);
        loop {
            tokio::select! {
                // A click is handled before the next popup is sent.
                biased;
                signal = self.signals.next() => match signal {
                    Some(Ok(signal)) => self.on_signal(&signal, report),
                    Some(Err(_)) => {}
                    None => return End::Lost(lost()),
                },
                change = self.owners.next() => match change {
                    Some(Ok(change)) => self.owner_changed(&change, report, health).await,
                    Some(Err(_)) => {}
                    None => return End::Lost(lost()),
                },
                request = requests.recv() => match request {
                    Some(Request::Show(popup, settled)) => {
                        self.show(&popup, settings, report, health).await;
                        settled();
                    }
                    Some(Request::Withdraw(popup_id)) => self.withdraw(popup_id).await,
                    None => return End::Stopped,
                },
                Some(_) = self.changes.next() => self.check_dnd(report).await,
                _ = dnd_interval.tick() => self.check_dnd(report).await,
            }
        }
    }

    /// Asks for the daemon's capabilities, which also starts a daemon that the bus can activate.
    async fn ask_capabilities(&mut self, health: &mut Health) {
        let answer = self.bus.call_method(Some(NAME), PATH, Some(NAME), "GetCapabilities", &());
        let capabilities: zbus::Result<Vec<String>> =
            answer.await.and_then(|reply| reply.body().deserialize());
        match capabilities {
            Ok(capabilities) => {
                self.markup = Some(capabilities.iter().any(|name| name == "body-markup"));
                health.set(None);
            }
            Err(error) => health.set(Some(problem(&error))),
        }
    }

    /// Checks do-not-disturb. A daemon without the property counts as off.
    async fn check_dnd(&mut self, report: &Report) {
        let mut quiet = false;
        for question in DND_PROPERTIES {
            let properties = Some("org.freedesktop.DBus.Properties");
            let answer = self.bus.call_method(Some(NAME), PATH, properties, "Get", &question);
            let answer: zbus::Result<zbus::OwnedVariant> =
                answer.await.and_then(|reply| reply.body().deserialize());
            quiet |= answer.is_ok_and(|answer| matches!(&*answer, Variant::Bool(true)));
        }
        if std::mem::replace(&mut self.quiet, quiet) != quiet {
            tracing::info!(quiet, "the desktop's do-not-disturb");
            report(DesktopEvent::DoNotDisturb(quiet));
        }
    }

    /// Identifies the daemon: its numbers are valid as long as it runs.
    async fn identify_daemon(&mut self, report: &Report) {
        const BUS: &str = "org.freedesktop.DBus";
        let path = "/org/freedesktop/DBus";
        let bus = self.bus.call_method(Some(BUS), path, Some(BUS), "GetId", &()).await;
        let bus: zbus::Result<String> = bus.and_then(|reply| reply.body().deserialize());
        let owner = self.bus.call_method(Some(BUS), path, Some(BUS), "GetNameOwner", &NAME).await;
        let owner: zbus::Result<String> = owner.and_then(|reply| reply.body().deserialize());
        let (Ok(bus), Ok(owner)) = (bus, owner) else { return };
        let popup_ids = self.popups.daemon(format!("{bus} {owner}"));
        if !popup_ids.is_empty() {
            report(DesktopEvent::Left { popup_ids });
        }
    }

    async fn owner_changed(&mut self, change: &Message, report: &Report, health: &mut Health) {
        let Ok((_, _, new)) = change.body().deserialize::<(String, String, String)>() else {
            return;
        };
        // Another daemon numbers its popups from scratch, and the old popups are gone.
        for popup_id in self.popups.on_screen() {
            report(DesktopEvent::Closed { popup_id });
        }
        self.popups.clear();
        self.markup = None;
        if new.is_empty() {
            // Not a problem yet: the bus may start another one for the next popup.
            tracing::info!("the notification daemon has stopped");
        } else {
            self.ask_capabilities(health).await;
            self.identify_daemon(report).await;
        }
    }

    fn on_signal(&mut self, signal: &Message, report: &Report) {
        let header = signal.header();
        match header.member().map(|member| member.as_str()) {
            Some("ActionInvoked") => {
                let Ok((number, action)) = signal.body().deserialize::<(u32, String)>() else {
                    return;
                };
                let button = BUTTONS.into_iter().find(|it| button_action(*it).0 == action);
                let known = button.is_some() || action == "default";
                if let Some(shown) = self.popups.shown(number).filter(|_| known) {
                    let ShownPopup { id, server, job, .. } = shown.clone();
                    report(DesktopEvent::Clicked { id, server, job, button });
                }
            }
            Some("NotificationClosed") => {
                let Ok((number, reason)) = signal.body().deserialize::<(u32, u32)>() else {
                    return;
                };
                // An expired popup can still be clicked in the desktop's history.
                let gone = match reason {
                    EXPIRED => self.popups.expire(number),
                    _ => self.popups.remove(number),
                };
                if let Some(popup_id) = gone {
                    report(DesktopEvent::Closed { popup_id });
                }
            }
            _ => {}
        }
    }

    /// Closes a popup, if it is still there.
    async fn withdraw(&mut self, popup_id: u64) {
        let Some(number) = self.popups.number(popup_id) else { return };
        self.popups.remove(number);
        let name = "CloseNotification";
        let closed = self.bus.call_method(Some(NAME), PATH, Some(NAME), name, &number).await;
        if let Err(error) = closed {
            tracing::debug!(popup_id, %error, "a popup was not withdrawn");
        }
    }

    async fn show(
        &mut self,
        wanted: &Popup,
        settings: &PopupSettings,
        report: &Report,
        health: &mut Health,
    ) {
        let Popup { popup_id, id, notice, buttons, sound, urgent } = wanted;
        if self.markup.is_none() {
            self.ask_capabilities(health).await;
            self.identify_daemon(report).await;
        }
        // If unknown, escape the body: visible entities are harmless, markup may not be.
        let popup = popup(notice, buttons, settings, self.markup.unwrap_or(true), *urgent);
        // A popup that an earlier run may have shown before it was killed is replaced, if the daemon
        // lets programs choose numbers.
        let replaces = self.popups.number(*popup_id).unwrap_or_else(|| own_number(*popup_id));
        let hints: HashMap<&str, Variant<'_>> = HashMap::from([
            ("urgency", Variant::U8(urgency(*urgent) as u8)),
            ("desktop-entry", Variant::from("Jobwatch")),
            match sound {
                true => ("sound-name", Variant::from(sound_name(notice))),
                false => ("suppress-sound", Variant::Bool(true)),
            },
        ]);
        let popup = (
            &popup.appname,
            replaces,
            &popup.icon,
            &popup.summary,
            &popup.body,
            &popup.actions,
            hints,
            i32::from(popup.timeout),
        );
        let reply = self.bus.call_method(Some(NAME), PATH, Some(NAME), "Notify", &popup);
        match reply.await.and_then(|reply| reply.body().deserialize::<u32>()) {
            Ok(number) => {
                let server = notice.server.0.clone();
                let job = notice.job.as_ref().map(|job| job.as_str().to_owned());
                let (popup_id, id, on_screen) = (*popup_id, *id, true);
                self.popups.add(number, ShownPopup { popup_id, id, server, job, on_screen });
                health.set(None);
            }
            Err(error) => {
                tracing::warn!(id, %error, "popup not shown");
                // Not on the screen.
                report(DesktopEvent::Closed { popup_id: *popup_id });
                health.set(Some(problem(&error)));
            }
        }
    }
}

fn lost() -> String {
    "Can't show popups: the session's message bus has stopped. Everything else works.".to_owned()
}

fn problem(error: &zbus::Error) -> String {
    let nobody = match error {
        zbus::Error::FDO(error) => {
            use zbus::fdo::Error::{NameHasNoOwner, ServiceUnknown};
            matches!(**error, ServiceUnknown(_) | NameHasNoOwner(_))
        }
        _ => false,
    };
    if nobody {
        "Can't show popups: no notification service is running. Start one, such as your desktop's, \
         dunst or mako. Everything else works."
            .to_owned()
    } else {
        tracing::warn!(%error, "the notification service failed");
        "Can't show popups: the desktop's notification service failed. Restart it. Everything else \
         works."
            .to_owned()
    }
}
