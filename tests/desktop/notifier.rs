//! Popups on a fake notification server of each temper, and on a real one.

use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jobwatch_app::os::notifier::{DesktopEvent, Notifier, PopupSettings};
use jobwatch_core::model::JobState;
use jobwatch_core::notify::popups::Popups;
use jobwatch_core::notify::{Notice, NoticeKey, Subject, Tone};
use jobwatch_core::server::ServerId;
use jobwatch_core::time::Mono;
use jobwatch_engine::ports::{Button, Desktop as _, Popup as ToShow};
use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedVariant};

use crate::bus::{Running, on_private_bus, owned, runtime, tool, until, without_a_bus};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
struct Popup {
    number: u32,
    app: String,
    summary: String,
    body: String,
    actions: Vec<String>,
    urgency: u8,
    /// The name of its sound; `None` where it is to make none.
    sound: Option<String>,
}

/// When the fake server reports a click on each popup.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clicks {
    Never,
    /// Even before it has answered the call that shows the popup.
    AtOnce,
}

struct Server {
    popups: Arc<Mutex<Vec<Popup>>>,
    closed: Arc<Mutex<Vec<u32>>>,
    markup: bool,
    clicks: Clicks,
    /// As Plasma tells that it is set not to disturb.
    quiet: bool,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Server {
    #[allow(clippy::too_many_arguments)]
    async fn notify(
        &self,
        #[zbus(signal_emitter)] emitter: SignalEmitter<'_>,
        app: String,
        replaces: u32,
        _icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedVariant>,
        _timeout: i32,
    ) -> u32 {
        let urgency = hints.get("urgency").and_then(|v| u8::try_from(v).ok()).unwrap_or(99);
        let number = {
            let mut popups = self.popups.lock().unwrap();
            let number = match replaces {
                0 => u32::try_from(popups.len()).unwrap() + 1,
                other => other,
            };
            let silent = hints.get("suppress-sound").is_some_and(|v| bool::try_from(v) == Ok(true));
            let sound = hints.get("sound-name").and_then(|v| <&str>::try_from(v).ok());
            assert!(silent != sound.is_some(), "one or the other: {hints:?}");
            let sound = sound.map(str::to_owned);
            popups.push(Popup { number, app, summary, body, actions, urgency, sound });
            number
        };
        if self.clicks == Clicks::AtOnce {
            Self::action_invoked(&emitter, number, "default".to_owned()).await.unwrap();
            Self::notification_closed(&emitter, number, 2).await.unwrap();
        }
        number
    }

    fn close_notification(&self, id: u32) {
        self.closed.lock().unwrap().push(id);
    }

    #[zbus(property)]
    fn inhibited(&self) -> bool {
        self.quiet
    }

    fn get_capabilities(&self) -> Vec<String> {
        let mut all = vec!["body".to_owned(), "actions".to_owned()];
        all.extend(self.markup.then(|| "body-markup".to_owned()));
        all
    }

    #[zbus(signal)]
    async fn action_invoked(
        emitter: &SignalEmitter<'_>,
        id: u32,
        action: String,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn notification_closed(
        emitter: &SignalEmitter<'_>,
        id: u32,
        reason: u32,
    ) -> zbus::Result<()>;
}

struct Fake {
    bus: Connection,
    popups: Arc<Mutex<Vec<Popup>>>,
    closed: Arc<Mutex<Vec<u32>>>,
    runtime: tokio::runtime::Runtime,
}

impl Fake {
    fn start(markup: bool, clicks: Clicks) -> Fake {
        let (popups, closed) = (Arc::default(), Arc::default());
        let (seen, gone) = (Arc::clone(&popups), Arc::clone(&closed));
        let server = Server { popups: seen, closed: gone, markup, clicks, quiet: false };
        let runtime = runtime();
        let bus = runtime.block_on(async {
            zbus::connection::Builder::session()
                .serve_at(PATH, server)
                .name(NAME)
                .build()
                .await
                .unwrap()
        });
        Fake { bus, popups, closed, runtime }
    }

    fn popups(&self) -> Vec<Popup> {
        self.popups.lock().unwrap().clone()
    }

    fn click(&self, number: u32, action: &str) {
        self.runtime.block_on(async {
            let emitter = SignalEmitter::new(&self.bus, PATH).unwrap();
            Server::action_invoked(&emitter, number, action.to_owned()).await.unwrap();
        });
    }

    fn close(&self, number: u32) {
        self.runtime.block_on(async {
            let emitter = SignalEmitter::new(&self.bus, PATH).unwrap();
            Server::notification_closed(&emitter, number, 2).await.unwrap();
        });
    }

    /// Its time on the screen is over; it goes into the desktop's history.
    fn expire(&self, number: u32) {
        self.runtime.block_on(async {
            let emitter = SignalEmitter::new(&self.bus, PATH).unwrap();
            Server::notification_closed(&emitter, number, 1).await.unwrap();
        });
    }

    fn set_quiet(&self, quiet: bool) {
        self.runtime.block_on(async {
            let server = self.bus.object_server().interface::<_, Server>(PATH).await.unwrap();
            server.get_mut().await.quiet = quiet;
            let emitter = server.signal_emitter();
            server.get().await.inhibited_changed(emitter).await.unwrap();
        });
    }

    /// A click on each of these, all in one burst, each followed by its closing.
    fn click_all(&self, numbers: &[u32]) {
        self.runtime.block_on(async {
            let emitter = SignalEmitter::new(&self.bus, PATH).unwrap();
            for number in numbers {
                Server::action_invoked(&emitter, *number, "default".to_owned()).await.unwrap();
                Server::notification_closed(&emitter, *number, 2).await.unwrap();
            }
        });
    }
}

/// A notifier; what it tells of popups that have left the screen is not part of it.
fn notifier() -> (Notifier, Receiver<DesktopEvent>) {
    let (tell, told) = channel();
    let notifier = Notifier::start(PopupSettings::default(), move |what| {
        if !matches!(what, DesktopEvent::Closed { .. }) {
            // The test may have ended.
            let _ = tell.send(what);
        }
    });
    (notifier.unwrap(), told)
}

/// The same with what closes.
fn telling_all(look: PopupSettings) -> (Notifier, Receiver<DesktopEvent>) {
    let (tell, told) = channel();
    let notifier = Notifier::start(look, move |what| {
        // The test may have ended.
        let _ = tell.send(what);
    });
    (notifier.unwrap(), told)
}

/// A run of the program that keeps what its popups stand for, and tells all.
fn run_over(file: &std::path::Path) -> (Notifier, Receiver<DesktopEvent>) {
    telling_all(PopupSettings { registry_file: Some(file.to_owned()), ..PopupSettings::default() })
}

/// A notification server that does nothing by itself, and a notifier that has found it.
fn with_fake() -> (Fake, Notifier, Receiver<DesktopEvent>) {
    let fake = Fake::start(false, Clicks::Never);
    let (notifier, told) = notifier();
    assert_eq!(next(&told), DesktopEvent::Health(None));
    (fake, notifier, told)
}

/// Dunst on a screen of its own.
fn dunst() -> (Running, Running) {
    let (display, screen) = screen();
    let dunst = Running(
        Command::new(tool("dunst", "dunst"))
            .env("DISPLAY", &display)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let bus = runtime();
    until("dunst is on the bus", || owned(&bus, NAME));
    (dunst, screen)
}

fn popup(id: i64, popup_id: u64, notice: Notice, buttons: Vec<Button>) -> ToShow {
    ToShow { popup_id, id, notice, buttons, sound: true, urgent: false }
}

fn show(notifier: &Notifier, id: i64, notice: &Notice) {
    notifier.show(popup(id, id.unsigned_abs(), notice.clone(), vec![]), Box::new(|| {}));
}

fn notice(job: &str, body: &str, tone: Tone) -> Notice {
    Notice {
        key: None,
        server: ServerId("s1".to_owned()),
        job: Some(job.into()),
        title: format!("{job} failed"),
        body: body.to_owned(),
        tone,
        at: jiff::Timestamp::UNIX_EPOCH,
        subject: None,
        trigger: None,
    }
}

fn clicked(id: i64, job: &str) -> DesktopEvent {
    DesktopEvent::Clicked { id, server: "s1".to_owned(), job: Some(job.to_owned()), button: None }
}

fn next(told: &Receiver<DesktopEvent>) -> DesktopEvent {
    told.recv_timeout(PATIENCE).expect("the notifier tells something")
}

#[test]
fn a_popup_says_what_happened_and_a_click_names_its_job() {
    on_private_bus("notifier::a_popup_says_what_happened_and_a_click_names_its_job", |_| {
        let (fake, notifier, told) = with_fake();
        show(&notifier, 41, &notice("nightly", "12 s\nE: disk <full>", Tone::Bad));
        show(&notifier, 42, &notice("weekly", "4 m 12 s", Tone::Good));
        until("both are shown", || fake.popups().len() == 2);
        let popups = fake.popups();
        assert_eq!(popups[0].app, "Jobwatch");
        assert_eq!(popups[0].summary, "nightly failed");
        assert_eq!(popups[0].body, "12 s\nE: disk <full>");
        assert_eq!(popups[0].actions, ["default", "Open"]);
        assert_eq!((popups[0].urgency, popups[1].urgency), (1, 1), "critical ones never go");
        fake.click_all(&[popups[1].number]);
        assert_eq!(next(&told), clicked(42, "weekly"));
    });
}

#[test]
fn a_popup_is_settled_once_the_daemon_has_it_or_nobody_is_there_to_take_it() {
    let name = "notifier::a_popup_is_settled_once_the_daemon_has_it_or_nobody_is_there_to_take_it";
    on_private_bus(name, |_| {
        let (notifier, told) = notifier();
        let (settled, settles) = channel();
        let show = |id| {
            let settled = settled.clone();
            let settle = move || {
                // The test may have ended.
                let _ = settled.send(id);
            };
            let popup = popup(id, id.unsigned_abs(), notice("j", "", Tone::Good), vec![]);
            notifier.show(popup, Box::new(settle));
        };
        assert!(matches!(next(&told), DesktopEvent::Health(Some(_))));
        show(1);
        assert_eq!(settles.recv_timeout(PATIENCE), Ok(1), "nobody takes it, and that is certain");
        let fake = Fake::start(false, Clicks::Never);
        assert_eq!(next(&told), DesktopEvent::Health(None));
        show(2);
        assert_eq!(settles.recv_timeout(PATIENCE), Ok(2));
        assert_eq!(fake.popups().len(), 1, "it is on the screen by then");
    });
}

#[test]
fn text_is_escaped_for_a_server_that_reads_markup() {
    on_private_bus("notifier::text_is_escaped_for_a_server_that_reads_markup", |_| {
        let fake = Fake::start(true, Clicks::Never);
        let (notifier, _told) = notifier();
        show(&notifier, 1, &notice("a<b", "<img src='http://x/'> & co", Tone::Bad));
        until("it is shown", || fake.popups().len() == 1);
        assert_eq!(fake.popups()[0].summary, "a<b failed");
        assert_eq!(fake.popups()[0].body, "&lt;img src='http://x/'&gt; &amp; co");
    });
}

#[test]
fn no_click_is_lost_in_a_burst() {
    on_private_bus("notifier::no_click_is_lost_in_a_burst", |_| {
        let (fake, notifier, told) = with_fake();
        for id in 0..30 {
            show(&notifier, id, &notice(&format!("job-{id}"), "", Tone::Plain));
        }
        until("all are shown", || fake.popups().len() == 30);
        let numbers: Vec<u32> = fake.popups().iter().map(|popup| popup.number).collect();
        fake.click_all(&numbers);
        for id in 0..30 {
            assert_eq!(next(&told), clicked(id, &format!("job-{id}")));
        }
        // What was closed is forgotten: a second click on it means nothing.
        fake.click_all(&numbers[..1]);
        show(&notifier, 99, &notice("last", "", Tone::Plain));
        until("one more is shown", || fake.popups().len() == 31);
        fake.click_all(&[fake.popups()[30].number]);
        assert_eq!(next(&told), clicked(99, "last"));
    });
}

#[test]
fn a_click_that_comes_before_the_answer_counts() {
    on_private_bus("notifier::a_click_that_comes_before_the_answer_counts", |_| {
        let _fake = Fake::start(false, Clicks::AtOnce);
        let (notifier, told) = notifier();
        assert_eq!(next(&told), DesktopEvent::Health(None));
        for id in 0..10 {
            show(&notifier, id, &notice("quick", "", Tone::Plain));
            assert_eq!(next(&told), clicked(id, "quick"));
        }
    });
}

#[test]
fn a_popup_is_replaced_in_place_until_it_was_closed_and_is_withdrawn_once_seen() {
    let name =
        "notifier::a_popup_is_replaced_in_place_until_it_was_closed_and_is_withdrawn_once_seen";
    on_private_bus(name, |_| {
        let (fake, notifier, told) = with_fake();
        let show = |id, popup_id, title: &str| {
            let about = notice(title, "", Tone::Bad);
            notifier.show(popup(id, popup_id, about, vec![]), Box::new(|| {}));
            let summary = format!("{title} failed");
            until("it is shown", || fake.popups().iter().any(|popup| popup.summary == summary));
            fake.popups().last().unwrap().number
        };
        let first = show(1, 7, "one");
        let other = show(2, 8, "other");
        assert_ne!(first, other);
        assert_eq!(show(3, 7, "two"), first);
        // A click is about what is shown now.
        fake.click(first, "default");
        assert_eq!(next(&told), clicked(3, "two"));
        fake.close(first);
        // Signals come in order: with this one heard, the closing was heard as well.
        fake.click(other, "default");
        assert_eq!(next(&told), clicked(2, "other"));
        show(4, 7, "three");
        assert_eq!(fake.popups().len(), 4, "it is shown anew");
        notifier.withdraw(8);
        notifier.withdraw(99);
        until("the other is withdrawn", || *fake.closed.lock().unwrap() == [other]);
    });
}

#[test]
fn a_click_in_the_desktops_history_names_its_job_until_the_popup_was_closed() {
    let name = "notifier::a_click_in_the_desktops_history_names_its_job_until_the_popup_was_closed";
    on_private_bus(name, |dir| {
        let fake = Fake::start(false, Clicks::Never);
        let file = dir.join("popups.json");
        let (notifier, told) = run_over(&file);
        assert_eq!(next(&told), DesktopEvent::Health(None));
        for id in 1..=3 {
            show(&notifier, id, &notice(&format!("job-{id}"), "", Tone::Bad));
        }
        until("all are shown", || fake.popups().len() == 3);
        let numbers: Vec<u32> = fake.popups().iter().map(|popup| popup.number).collect();
        fake.expire(numbers[0]);
        assert_eq!(next(&told), DesktopEvent::Closed { popup_id: 1 });
        fake.click(numbers[0], "default");
        assert_eq!(next(&told), clicked(1, "job-1"));
        fake.close(numbers[1]);
        assert_eq!(next(&told), DesktopEvent::Closed { popup_id: 2 });
        fake.click(numbers[1], "default");
        drop(notifier);

        // The next run of the program knows them too, the one still on the screen first.
        let (_notifier, told) = run_over(&file);
        assert_eq!(next(&told), DesktopEvent::Health(None));
        assert_eq!(next(&told), DesktopEvent::Left { popup_ids: vec![3] });
        fake.click(numbers[1], "default");
        fake.click(numbers[0], "default");
        assert_eq!(next(&told), clicked(1, "job-1"));
        fake.click(numbers[2], "default");
        assert_eq!(next(&told), clicked(3, "job-3"));
    });
}

#[test]
fn a_popup_is_critical_and_stays_only_where_the_user_chose_that() {
    on_private_bus(
        "notifier::a_popup_is_critical_and_stays_only_where_the_user_chose_that",
        |_| {
            let fake = Fake::start(false, Clicks::Never);
            let (notifier, _told) = notifier();
            for (popup_id, urgent) in [(1, false), (2, true)] {
                let popup =
                    ToShow { urgent, ..popup(1, popup_id, notice("a", "", Tone::Bad), vec![]) };
                notifier.show(popup, Box::new(|| {}));
            }
            until("two popups", || fake.popups().len() == 2);
            let urgencies: Vec<_> = fake.popups().into_iter().map(|popup| popup.urgency).collect();
            assert_eq!(urgencies, [1, 2]);
        },
    );
}

#[test]
fn a_button_says_which_it_was() {
    on_private_bus("notifier::a_button_says_which_it_was", |_| {
        let (fake, notifier, told) = with_fake();
        let buttons = vec![Button::Log, Button::Retry];
        notifier.show(popup(5, 1, notice("nightly", "", Tone::Bad), buttons), Box::new(|| {}));
        until("it is shown", || !fake.popups().is_empty());
        let shown = fake.popups().remove(0);
        let words = ["default", "Open", "log", "Open log", "retry", "Retry"];
        assert_eq!(shown.actions, words);
        for (word, button) in [("log", Button::Log), ("retry", Button::Retry)] {
            fake.click(shown.number, word);
            let job = Some("nightly".to_owned());
            let server = "s1".to_owned();
            assert_eq!(
                next(&told),
                DesktopEvent::Clicked { id: 5, server, job, button: Some(button) }
            );
        }
        fake.click(shown.number, "unheard-of");
        fake.click(shown.number, "default");
        assert_eq!(next(&told), clicked(5, "nightly"), "what is not offered is passed over");
    });
}

#[test]
fn that_the_desktop_is_set_not_to_disturb_is_told_and_when_it_no_longer_is() {
    on_private_bus(
        "notifier::that_the_desktop_is_set_not_to_disturb_is_told_and_when_it_no_longer_is",
        |_| {
            let fake = Fake::start(false, Clicks::Never);
            let (_notifier, told) = notifier();
            assert_eq!(next(&told), DesktopEvent::Health(None));
            for quiet in [true, false] {
                fake.set_quiet(quiet);
                assert_eq!(next(&told), DesktopEvent::DoNotDisturb(quiet));
            }
        },
    );
}

#[test]
fn a_failure_sounds_unlike_a_success_and_without_sounds_none_is_made() {
    on_private_bus(
        "notifier::a_failure_sounds_unlike_a_success_and_without_sounds_none_is_made",
        |_| {
            let fake = Fake::start(false, Clicks::Never);
            let (notifier, _told) = notifier();
            let tones = [(Tone::Bad, true), (Tone::Good, true), (Tone::Bad, false)];
            for (popup_id, (tone, sound)) in (1..).zip(tones) {
                let popup =
                    ToShow { sound, ..popup(1, popup_id, notice("a", "", tone), Vec::new()) };
                notifier.show(popup, Box::new(|| {}));
            }
            until("three popups", || fake.popups().len() == 3);
            let sounds: Vec<_> = fake.popups().into_iter().map(|popup| popup.sound).collect();
            assert_eq!(
                sounds,
                [Some("dialog-error".to_owned()), Some("complete".to_owned()), None]
            );
        },
    );
}

#[test]
fn a_missing_server_is_reported_once_and_used_when_it_comes() {
    on_private_bus("notifier::a_missing_server_is_reported_once_and_used_when_it_comes", |_| {
        let (notifier, told) = notifier();
        let DesktopEvent::Health(Some(problem)) = next(&told) else {
            panic!("a problem comes first")
        };
        assert!(problem.contains("no notification service is running"), "{problem}");
        for id in 0..5 {
            show(&notifier, id, &notice("unseen", "", Tone::Bad));
        }
        let fake = Fake::start(false, Clicks::Never);
        assert_eq!(next(&told), DesktopEvent::Health(None), "said once, then mended");
        show(&notifier, 9, &notice("seen", "", Tone::Bad));
        until("the next one is shown", || {
            fake.popups().iter().any(|popup| popup.summary == "seen failed")
        });
        assert!(told.try_recv().is_err(), "nothing more was told");
    });
}

#[test]
fn without_a_bus_it_is_said_once_and_nothing_blocks() {
    without_a_bus("notifier::without_a_bus_it_is_said_once_and_nothing_blocks", |_| {
        let (notifier, told) = notifier();
        let begin = Instant::now();
        for id in 0..1_000 {
            show(&notifier, id, &notice("unseen", "", Tone::Bad));
        }
        assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
        let DesktopEvent::Health(Some(problem)) = next(&told) else {
            panic!("a problem comes first")
        };
        assert!(problem.contains("no message bus"), "{problem}");
        assert!(told.recv_timeout(Duration::from_millis(300)).is_err(), "said once");
    });
}

#[test]
fn a_click_in_dunst_names_its_job() {
    on_private_bus("notifier::a_click_in_dunst_names_its_job", |_| {
        let (_dunst, _screen) = dunst();
        let (notifier, told) = notifier();
        assert_eq!(next(&told), DesktopEvent::Health(None));
        for (id, job) in [(1, "first"), (2, "second"), (3, "third")] {
            show(&notifier, id, &notice(job, "<b>4 m 12 s</b>", Tone::Bad));
        }
        let dunstctl = |arguments: &[&str]| {
            let output = Command::new(tool("dunstctl", "dunst")).args(arguments).output().unwrap();
            assert!(output.status.success(), "dunstctl {arguments:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        until("all are on the screen", || dunstctl(&["count", "displayed"]).trim() == "3");
        let mut heard = Vec::new();
        for _ in 0..3 {
            dunstctl(&["action", "0"]);
            heard.push(next(&told));
            dunstctl(&["close"]);
        }
        heard.sort_by_key(|told| format!("{told:?}"));
        assert_eq!(heard, [clicked(1, "first"), clicked(2, "second"), clicked(3, "third")]);
    });
}

/// What a process has used of a processor so far, in seconds.
fn used(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let ticks: Vec<f64> = after.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    // After the state come numbers alone; utime and stime are the 11th and 12th of them, in
    // hundredths.
    (ticks[10] + ticks[11]) / 100.0
}

/// A quarter of an hour of the demo, sixty times as fast: what its servers tell goes through the
/// same decisions, popups and daemon, and what the daemon closes is heard.
#[test]
fn after_fifteen_minutes_of_the_demo_dunst_holds_three_popups_at_most_and_idles() {
    const SPEED: u64 = 60;
    const MINUTES: u64 = 15;
    let name =
        "notifier::after_fifteen_minutes_of_the_demo_dunst_holds_three_popups_at_most_and_idles";
    on_private_bus(name, |_| {
        let (dunst, _screen) = dunst();
        let (notifier, told) = telling_all(PopupSettings::default());
        let dunstctl = |what: &str| {
            let output = Command::new(tool("dunstctl", "dunst")).args(["count", what]).output();
            String::from_utf8(output.unwrap().stdout).unwrap().trim().parse::<usize>().unwrap()
        };
        let mut popups = Popups::default();
        let (begun, mut next, mut most, mut shown) = (Instant::now(), 0, 0, 0);
        loop {
            let now = begun.elapsed().as_millis() as u64 * SPEED;
            if now >= MINUTES * 60_000 {
                break;
            }
            // A failure of one of twelve jobs on five servers every two seconds.
            while next * 2_000 <= now {
                let about = demo_failure(next);
                popups.offer(next as i64 + 1, about, "Demo", Mono(next * 2_000));
                next += 1;
            }
            while let Some(due) = popups.poll(Mono(now)) {
                due.withdraw.iter().for_each(|popup_id| notifier.withdraw(*popup_id));
                shown += 1;
                let id = due.ids.first().copied().unwrap_or(0);
                notifier.show(popup(id, due.popup_id, due.notice, vec![]), Box::new(|| {}));
            }
            for what in told.try_iter() {
                if let DesktopEvent::Closed { popup_id } = what {
                    popups.closed(popup_id);
                }
            }
            if next % 50 == 0 {
                most = most.max(dunstctl("displayed") + dunstctl("waiting"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(shown > 50, "{shown} popups were shown or replaced");
        let left = || dunstctl("displayed") + dunstctl("waiting");
        until("three popups at most", || left() <= 3);
        // One may be on its way out while the next comes.
        assert!(most <= 4, "{most} at once");
        let pid = dunst.0.id();
        let whole = used(pid) / (MINUTES * 60) as f64;
        let (before, idle) = (used(pid), Duration::from_secs(4));
        std::thread::sleep(idle);
        let idling = (used(pid) - before) / idle.as_secs_f64();
        println!("{shown} shown, {most} at once, {whole:.4} of a core, {idling:.4} afterwards");
        assert!(whole < 0.01, "{whole} of a core over the quarter of an hour");
        assert!(idling < 0.01, "{idling} of a core afterwards");
    });
}

fn demo_failure(nth: u64) -> Notice {
    let (job, name) = (format!("job-{nth}"), format!("etl-{}", nth % 12));
    let server = ServerId(format!("demo-{}", nth % 5));
    Notice {
        key: Some(NoticeKey {
            server: server.clone(),
            job: job.as_str().into(),
            attempt: 1,
            outcome: JobState::Failed,
        }),
        server,
        title: format!("{name} failed"),
        subject: Some(Box::new(Subject { name, error: format!("{} is full", nth % 12) })),
        ..notice(&job, "disk full", Tone::Bad)
    }
}

/// A screen in memory; it says itself which display it has become.
fn screen() -> (String, Running) {
    use std::io::{BufRead as _, BufReader};
    let mut server = Command::new(tool("Xvfb", "xvfb"))
        .args(["-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (format!(":{}", line.trim()), Running(server))
}
