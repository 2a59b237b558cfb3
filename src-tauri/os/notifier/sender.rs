//! The one connection to the session bus that sends popups and hears clicks.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use jobwatch_engine::ports::Popup;
use tokio::sync::mpsc::Receiver;
use zbus::message::{Message, Type};
use zbus::{Connection, MatchRule, MessageStream, Variant};

use super::screen::{Screen, Shown};
use super::{BUTTONS, Look, Request, Told, button_words, popup, sound_name, urgency};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// A daemon that does not answer within this time counts as broken.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a missing bus is looked for again.
const RETRY: Duration = Duration::from_secs(30);
/// Why a popup was closed: its time was over.
const EXPIRED: u32 = 1;
/// How often it is looked whether the desktop is to be quiet, besides whenever it says that
/// something has changed.
const LOOK: Duration = Duration::from_secs(30);
/// Where desktops tell that they are set not to disturb: Plasma, and dunst.
const QUIET: [(&str, &str); 2] = [(NAME, "Inhibited"), ("org.dunstproject.cmd0", "paused")];

/// The number of a popup where this program chooses it: high, so that it is nobody else's.
fn own(slot: u64) -> u32 {
    const FIRST: u32 = 1 << 30;
    FIRST + (slot % u64::from(FIRST)) as u32
}

type Tell = Arc<dyn Fn(Told) + Send + Sync>;

/// Shows what comes through `requests` until the queue closes.
pub async fn run(look: Look, mut requests: Receiver<Request>, tell: Tell) {
    let mut health = Health { tell: Arc::clone(&tell), told: None };
    loop {
        let problem = match Session::open(&look).await {
            Ok(session) => match session.serve(&look, &mut requests, &tell, &mut health).await {
                End::Stopped => return,
                End::Lost(problem) => problem,
            },
            Err(error) => format!(
                "Popups cannot be shown: this session has no message bus ({error}). \
                 Everything else works."
            ),
        };
        health.is(Some(problem));
        // While there is no bus nothing can be shown: what comes stays in the notice list.
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

/// Tells a change of health once.
struct Health {
    tell: Tell,
    told: Option<Option<String>>,
}

impl Health {
    fn is(&mut self, problem: Option<String>) {
        if self.told.as_ref() != Some(&problem) {
            if let Some(problem) = &problem {
                tracing::warn!(problem, "notifications");
            }
            (self.tell)(Told::Health(problem.clone()));
            self.told = Some(problem);
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
    /// Daemons coming and going.
    owners: MessageStream,
    /// What the daemon says of itself has changed.
    changes: MessageStream,
    /// Whether it was set not to disturb when it was last looked.
    quiet: bool,
    screen: Screen,
    /// Whether the daemon reads bodies as markup; unknown until it was asked.
    markup: Option<bool>,
}

impl Session {
    async fn open(look: &Look) -> zbus::Result<Session> {
        let bus = zbus::connection::Builder::session().method_timeout(PATIENCE).build().await?;
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
            screen: Screen::new(look.remembered.as_deref()),
            markup: None,
        })
    }

    async fn serve(
        mut self,
        look: &Look,
        requests: &mut Receiver<Request>,
        tell: &Tell,
        health: &mut Health,
    ) -> End {
        self.ask_capabilities(health).await;
        self.know_daemon(tell).await;
        let mut look_again = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                // A click is handled before the next popup is sent.
                biased;
                signal = self.signals.next() => match signal {
                    Some(Ok(signal)) => self.heard(&signal, tell),
                    Some(Err(_)) => {}
                    None => return End::Lost(lost()),
                },
                change = self.owners.next() => match change {
                    Some(Ok(change)) => self.owner_changed(&change, tell, health).await,
                    Some(Err(_)) => {}
                    None => return End::Lost(lost()),
                },
                request = requests.recv() => match request {
                    Some(Request::Show(popup, settled)) => {
                        self.show(&popup, look, tell, health).await;
                        settled();
                    }
                    Some(Request::Withdraw(slot)) => self.withdraw(slot).await,
                    None => return End::Stopped,
                },
                Some(_) = self.changes.next() => self.look_for_quiet(tell).await,
                _ = look_again.tick() => self.look_for_quiet(tell).await,
            }
        }
    }

    /// Asks the daemon what it can do, which also starts one that the bus can start.
    async fn ask_capabilities(&mut self, health: &mut Health) {
        let answer = self.bus.call_method(Some(NAME), PATH, Some(NAME), "GetCapabilities", &());
        let capabilities: zbus::Result<Vec<String>> =
            answer.await.and_then(|reply| reply.body().deserialize());
        match capabilities {
            Ok(capabilities) => {
                self.markup = Some(capabilities.iter().any(|name| name == "body-markup"));
                health.is(None);
            }
            Err(error) => health.is(Some(problem(&error))),
        }
    }

    /// Asks whether the desktop is set not to disturb. One that does not know the question is
    /// not.
    async fn look_for_quiet(&mut self, tell: &Tell) {
        let mut quiet = false;
        for question in QUIET {
            let properties = Some("org.freedesktop.DBus.Properties");
            let answer = self.bus.call_method(Some(NAME), PATH, properties, "Get", &question);
            let said: zbus::Result<zbus::OwnedVariant> =
                answer.await.and_then(|reply| reply.body().deserialize());
            quiet |= said.is_ok_and(|said| matches!(&*said, Variant::Bool(true)));
        }
        if std::mem::replace(&mut self.quiet, quiet) != quiet {
            tracing::info!(quiet, "the desktop's do-not-disturb");
            tell(Told::Quiet(quiet));
        }
    }

    /// Finds out which daemon shows popups: its numbers mean something as long as it runs.
    async fn know_daemon(&mut self, tell: &Tell) {
        const BUS: &str = "org.freedesktop.DBus";
        let path = "/org/freedesktop/DBus";
        let bus = self.bus.call_method(Some(BUS), path, Some(BUS), "GetId", &()).await;
        let bus: zbus::Result<String> = bus.and_then(|reply| reply.body().deserialize());
        let owner = self.bus.call_method(Some(BUS), path, Some(BUS), "GetNameOwner", &NAME).await;
        let owner: zbus::Result<String> = owner.and_then(|reply| reply.body().deserialize());
        let (Ok(bus), Ok(owner)) = (bus, owner) else { return };
        let slots = self.screen.daemon(format!("{bus} {owner}"));
        if !slots.is_empty() {
            tell(Told::Left { slots });
        }
    }

    async fn owner_changed(&mut self, change: &Message, tell: &Tell, health: &mut Health) {
        let Ok((_, _, new)) = change.body().deserialize::<(String, String, String)>() else {
            return;
        };
        // Another daemon counts its popups anew; what the one before showed has gone with it.
        for slot in self.screen.standing() {
            tell(Told::Closed { slot });
        }
        self.screen.clear();
        self.markup = None;
        if new.is_empty() {
            // The bus may start another one for the next popup, so this is no problem yet.
            tracing::info!("the notification daemon has gone");
        } else {
            self.ask_capabilities(health).await;
            self.know_daemon(tell).await;
        }
    }

    fn heard(&mut self, signal: &Message, tell: &Tell) {
        let header = signal.header();
        match header.member().map(|member| member.as_str()) {
            Some("ActionInvoked") => {
                let Ok((number, action)) = signal.body().deserialize::<(u32, String)>() else {
                    return;
                };
                let button = BUTTONS.into_iter().find(|it| button_words(*it).0 == action);
                let known = button.is_some() || action == "default";
                if let Some(shown) = self.screen.shown(number).filter(|_| known) {
                    let Shown { id, server, job, .. } = shown.clone();
                    tell(Told::Clicked { id, server, job, button });
                }
            }
            Some("NotificationClosed") => {
                let Ok((number, reason)) = signal.body().deserialize::<(u32, u32)>() else {
                    return;
                };
                // One whose time is over can still be clicked in the desktop's history.
                let gone = match reason {
                    EXPIRED => self.screen.expire(number),
                    _ => self.screen.remove(number),
                };
                if let Some(slot) = gone {
                    tell(Told::Closed { slot });
                }
            }
            _ => {}
        }
    }

    /// Takes a popup away. One that has gone already is no matter.
    async fn withdraw(&mut self, slot: u64) {
        let Some(number) = self.screen.number(slot) else { return };
        self.screen.remove(number);
        let name = "CloseNotification";
        let closed = self.bus.call_method(Some(NAME), PATH, Some(NAME), name, &number).await;
        if let Err(error) = closed {
            tracing::debug!(slot, %error, "a popup was not withdrawn");
        }
    }

    async fn show(&mut self, wanted: &Popup, look: &Look, tell: &Tell, health: &mut Health) {
        let Popup { slot, id, notice, buttons, sound, urgent } = wanted;
        if self.markup.is_none() {
            self.ask_capabilities(health).await;
            self.know_daemon(tell).await;
        }
        // Without an answer the body is escaped: shown entities do no harm, markup might.
        let popup = popup(notice, buttons, look, self.markup.unwrap_or(true), *urgent);
        // One that an earlier run of the program may have shown before it was killed is replaced,
        // where the daemon lets programs number their popups; where it does not, it is new.
        let replaces = self.screen.number(*slot).unwrap_or_else(|| own(*slot));
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
                let (slot, id, stands) = (*slot, *id, true);
                self.screen.add(number, Shown { slot, id, server, job, stands });
                health.is(None);
            }
            Err(error) => {
                tracing::warn!(id, %error, "popup not shown");
                // It takes no room on the screen.
                tell(Told::Closed { slot: *slot });
                health.is(Some(problem(&error)));
            }
        }
    }
}

fn lost() -> String {
    "Popups cannot be shown: the session's message bus has gone. Everything else works.".to_owned()
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
        "Popups cannot be shown: no notification service is running. Start one (your desktop's, \
         or dunst or mako); everything else works."
            .to_owned()
    } else {
        tracing::warn!(%error, "the notification service failed");
        "Popups cannot be shown: the desktop's notification service failed. Restart it; everything \
         else works."
            .to_owned()
    }
}
