//! Life without a window: closing into the tray and coming back, what is chosen in the tray, links,
//! a shortcut.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use jiff::{ToSpan as _, Zoned};
use jobwatch_core::notify::{Notice, Tone};
use jobwatch_core::server::ServerId;
use jobwatch_engine::Engine;
use jobwatch_engine::ports::{Desktop, Popup};
use jobwatch_engine::views::{ErrorCode, PreferencesPatch, Theme, UserError};
use tauri::webview::{Color, NewWindowResponse};
use tauri::{AppHandle, CloseRequestApi, Manager, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use tauri_plugin_dialog::{DialogExt as _, MessageDialogButtons, MessageDialogKind};
use tauri_plugin_global_shortcut::GlobalShortcutExt as _;

use crate::deep_link::DeepLink;
use crate::os;
use crate::os::paths::Paths;
use crate::tray::menu::Choice;

/// What the window is called.
const TITLE: &str = "Jobwatch";
/// The one window's label.
pub const MAIN: &str = "main";
/// A desktop that is just starting may show its tray this much later than the program starts.
const TRAY_TIMEOUT: Duration = Duration::from_secs(30);
/// So long after it was closed the window's processes have ended, and few come back at once.
const RELEASE_AFTER: Duration = Duration::from_secs(5);
/// Popups come again at this hour of the next day.
const MORNING: i8 = 8;
/// How small and how large the page is drawn, in percent.
const MIN_ZOOM: u32 = 50;
const MAX_ZOOM: u32 = 200;
/// What the page is drawn on, light and dark, as its styles have it.
const BACKGROUND: [Color; 2] = [Color(0xff, 0xff, 0xff, 0xff), Color(0x18, 0x18, 0x1b, 0xff)];
/// The number of the popup that tells what closing the window does: no notice's.
const TRAY_POPUP: u64 = u64::MAX;

/// What the program knows of its own place on the desktop.
#[derive(Default)]
pub struct WindowState {
    /// It goes on without a window.
    background: AtomicBool,
    /// The window is being closed, or the user asked about that.
    closing: AtomicBool,
    /// There is an icon that a tray could show.
    icon: AtomicBool,
    /// How many notices are unread, for the window's title.
    unread: AtomicU32,
    /// How large the page is drawn, in percent; 0 where nobody said.
    zoom: AtomicU32,
    /// Whether the page is dark; `None` where the desktop decides.
    dark: Mutex<Option<bool>>,
    desktop: Option<Arc<dyn Desktop>>,
}

impl WindowState {
    /// What the window is called now.
    #[must_use]
    pub fn title(&self) -> String {
        match self.unread.load(Ordering::Relaxed) {
            0 => TITLE.to_owned(),
            unread => format!("({unread}) {TITLE}"),
        }
    }

    /// So many notices are unread; answers whether that is new.
    pub fn set_unread(&self, unread: u32) -> bool {
        self.unread.swap(unread, Ordering::Relaxed) != unread
    }

    /// The page is drawn so large from now on, in percent; in a window that is open, at once.
    pub fn set_zoom(&self, app: &AppHandle, percent: u32) {
        self.zoom.store(percent, Ordering::Relaxed);
        if let Some(window) = app.get_webview_window(MAIN) {
            self.apply_zoom(&window);
        }
    }

    /// The page is drawn in this theme from now on; it changes its colours itself.
    pub fn set_theme(&self, theme: Theme) {
        *self.dark.lock().unwrap_or_else(PoisonError::into_inner) = match theme {
            Theme::System => None,
            Theme::Light => Some(false),
            Theme::Dark => Some(true),
        };
    }

    fn dark(&self) -> Option<bool> {
        *self.dark.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the page begin in its theme, before it has asked for anything.
    fn theme_script(&self) -> &'static str {
        match self.dark() {
            Some(true) => "document.documentElement?.setAttribute('data-theme', 'dark')",
            Some(false) => "document.documentElement?.setAttribute('data-theme', 'light')",
            None => "",
        }
    }

    /// Gives a new window the colour of its page, which takes a moment: a dark one would begin with a
    /// flash of white.
    fn paint_background(&self, window: &WebviewWindow) {
        let dark = self.dark().unwrap_or_else(desktop_is_dark);
        if let Err(error) = window.set_background_color(Some(BACKGROUND[usize::from(dark)])) {
            tracing::debug!(%error, "the window begins in another colour than its page");
        }
    }

    fn apply_zoom(&self, window: &WebviewWindow) {
        let percent = match self.zoom.load(Ordering::Relaxed) {
            0 => 100,
            // A file written by hand may say anything; a page that fills no window can be mended
            // by nobody.
            other => other.clamp(MIN_ZOOM, MAX_ZOOM),
        };
        if let Err(error) = window.set_zoom(f64::from(percent) / 100.0) {
            tracing::warn!(%error, "the page keeps its size");
        }
    }

    /// The popups' port is for telling the user once what closing the window does.
    #[must_use]
    pub fn new(desktop: Option<Arc<dyn Desktop>>) -> WindowState {
        WindowState { desktop, ..WindowState::default() }
    }

    /// Whether the program goes on without a window.
    pub fn in_background(&self) -> bool {
        self.background.load(Ordering::Acquire)
    }

    /// There is an icon that a tray could show.
    pub fn set_tray_icon(&self) {
        self.icon.store(true, Ordering::Release);
    }

    async fn in_tray(&self) -> bool {
        self.icon.load(Ordering::Acquire) && os::tray::is_available().await
    }
}

/// Whether the engine of the page takes the desktop for a dark one.
#[cfg(target_os = "linux")]
fn desktop_is_dark() -> bool {
    use gtk::prelude::GtkSettingsExt as _;
    gtk::Settings::default().is_some_and(|settings| {
        settings.is_gtk_application_prefer_dark_theme()
            || settings.gtk_theme_name().is_some_and(|name| name.to_lowercase().ends_with("-dark"))
    })
}

#[cfg(not(target_os = "linux"))]
fn desktop_is_dark() -> bool {
    false
}

/// Makes the window.
///
/// # Errors
/// The window system's.
pub fn open_window(app: &AppHandle) -> tauri::Result<()> {
    let data = app.state::<Paths>().data.join("webview");
    let builder = WebviewWindowBuilder::new(app, MAIN, WebviewUrl::default())
        .title(app.state::<WindowState>().title())
        .inner_size(1180.0, 760.0)
        .min_inner_size(720.0, 480.0)
        .data_directory(data)
        .initialization_script(app.state::<WindowState>().theme_script())
        // The page is ours alone: it goes nowhere and opens nothing.
        .on_navigation(|url| {
            url.scheme() == "tauri" || url.host_str().is_some_and(|host| host == "tauri.localhost")
        })
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .on_page_load(|_, load| tracing::debug!(event = ?load.event(), "the page loads"));
    let window = builder.build()?;
    app.state::<WindowState>().paint_background(&window);
    app.state::<WindowState>().apply_zoom(&window);
    // How much is unread may have been told while there was no window to write it on.
    window.set_title(&app.state::<WindowState>().title())
}

/// Brings the window to the front, and makes it again where it was closed.
pub fn show_window(app: &AppHandle) {
    let app_there = app.clone();
    let shown = app.run_on_main_thread(move || {
        let app = &app_there;
        app.state::<WindowState>().background.store(false, Ordering::Release);
        let Some(window) = app.get_webview_window(MAIN) else {
            if let Err(error) = open_window(app) {
                tracing::error!(%error, "the window could not be opened again");
            }
            return;
        };
        for step in [window.unminimize(), window.show(), window.set_focus()] {
            if let Err(error) = step {
                tracing::warn!(%error, "the window could not be brought to the front");
            }
        }
    });
    if let Err(error) = shown {
        tracing::warn!(%error, "the window's thread has ended");
    }
}

/// Starts without a window where a tray shows that the program runs, else with one.
pub fn start_hidden(app: &AppHandle) {
    app.state::<WindowState>().background.store(true, Ordering::Release);
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let window = app.state::<WindowState>();
        let shown = async {
            while !window.in_tray().await {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        if tokio::time::timeout(TRAY_TIMEOUT, shown).await.is_err() {
            tracing::info!("no tray has come, so the window is shown");
            show_window(&app);
            return;
        }
        release_memory(&app).await;
    });
}

/// The user closes the window: with a tray the program goes on in it, without one it ends, and the
/// first time the user is told, or asked.
pub fn close_requested(app: &AppHandle, api: &CloseRequestApi) {
    api.prevent_close();
    if app.state::<WindowState>().closing.swap(true, Ordering::AcqRel) {
        return;
    }
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        close(&app).await;
        app.state::<WindowState>().closing.store(false, Ordering::Release);
    });
}

/// How long a window that is to be closed waits for the user's choices.
const PREFERENCES_TIMEOUT: std::time::Duration = std::time::Duration::from_millis(500);

async fn close(app: &AppHandle) {
    let (engine, window) = (app.state::<Engine>(), app.state::<WindowState>());
    // Once the engine has ended, so does the program.
    // While the history is read, the engine answers nothing yet.
    let preferences = match tokio::time::timeout(PREFERENCES_TIMEOUT, engine.preferences()).await {
        Ok(preferences) => preferences.unwrap_or_default(),
        Err(_) => engine.preferences_at_start().clone(),
    };
    let told = preferences.told_of_tray;
    if preferences.close_to_tray && window.in_tray().await {
        window.background.store(true, Ordering::Release);
        destroy_window(app);
        if !told && let Some(desktop) = &window.desktop {
            desktop.show(tray_popup(), Box::new(|| {}));
            remember_tray_notice(&engine).await;
        }
        let app = app.clone();
        tauri::async_runtime::spawn(async move { release_memory(&app).await });
        return;
    }
    if preferences.close_to_tray && !told {
        if !confirm_quit(app).await {
            return;
        }
        remember_tray_notice(&engine).await;
    }
    app.exit(0);
}

/// Once it has been without a window for a moment, what only the window needs is let go.
async fn release_memory(app: &AppHandle) {
    tokio::time::sleep(RELEASE_AFTER).await;
    let of = app.clone();
    // Where the window's thread has ended, the program ends.
    let _ = app.run_on_main_thread(move || {
        if of.state::<WindowState>().in_background() {
            os::code_pages::release();
        }
    });
}

async fn remember_tray_notice(engine: &Engine) {
    let told = PreferencesPatch { told_of_tray: Some(true), ..PreferencesPatch::default() };
    if let Err(error) = engine.set_preferences(told).await {
        tracing::warn!(error.message, "the user will be told again what closing the window does");
    }
}

/// The page and its processes go: what it shows is asked for anew when it comes back.
fn destroy_window(app: &AppHandle) {
    let Some(window) = app.get_webview_window(MAIN) else { return };
    if let Err(error) = window.destroy() {
        tracing::warn!(%error, "the window could not be closed");
    }
}

fn tray_popup() -> Popup {
    let notice = Notice {
        key: None,
        server: ServerId(String::new()),
        job: None,
        title: "Jobwatch keeps watching".to_owned(),
        body:
            "It is in the tray now. Quit it from there, or let the settings say that closing the \
               window ends it."
                .to_owned(),
        tone: Tone::Plain,
        at: jiff::Timestamp::now(),
        subject: None,
        trigger: None,
    };
    Popup { popup_id: TRAY_POPUP, id: 0, notice, buttons: Vec::new(), sound: false, urgent: false }
}

async fn confirm_quit(app: &AppHandle) -> bool {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let mut question = app
        .dialog()
        .message(
            "This desktop has no tray, so nothing is watched any more once the window is closed. \
             Jobwatch will not ask again.",
        )
        .title("Quit Jobwatch?")
        .kind(MessageDialogKind::Warning)
        .buttons(MessageDialogButtons::OkCancelCustom("Quit".to_owned(), "Stay".to_owned()));
    if let Some(window) = app.get_webview_window(MAIN) {
        question = question.parent(&window);
    }
    question.show(move |quit| {
        // Nobody waits any more where the program ends meanwhile.
        let _ = answer.send(quit);
    });
    answered.await.unwrap_or(false)
}

/// Something was chosen in the tray.
pub fn on_choice(app: &AppHandle, choice: Choice) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let engine = app.state::<Engine>();
        match choice {
            Choice::Open => show_window(&app),
            Choice::Quit => app.exit(0),
            Choice::Job { server, job } => {
                engine.open_job(server, job, false).await;
                show_window(&app);
            }
            Choice::Notices => {
                engine.open_notices().await;
                show_window(&app);
            }
            Choice::Reconnect(server) => {
                if let Err(error) = engine.reconnect(&server).await {
                    tracing::warn!(error.message, "not reconnected");
                    show_window(&app);
                }
            }
            Choice::SnoozeHour => snooze(&app, &engine, Some(&hour_later(&Zoned::now()))).await,
            Choice::SnoozeDay => snooze(&app, &engine, next_morning(&Zoned::now()).as_ref()).await,
            Choice::Resume => snooze(&app, &engine, None).await,
        }
    });
}

async fn snooze(app: &AppHandle, engine: &Engine, until: Option<&Zoned>) {
    let snoozed_until = Some(until.map(|until| until.timestamp().as_millisecond()));
    let patch = PreferencesPatch { snoozed_until, ..PreferencesPatch::default() };
    if let Err(error) = engine.set_preferences(patch).await {
        tracing::warn!(error.message, "popups are not paused");
        show_window(app);
    }
}

fn hour_later(now: &Zoned) -> Zoned {
    now.checked_add(1.hour()).unwrap_or_else(|_| now.clone())
}

/// The next day at [`MORNING`] by the clocks, whatever they do in the night.
fn next_morning(now: &Zoned) -> Option<Zoned> {
    let day = now.date().tomorrow().ok()?;
    day.at(MORNING, 0, 0, 0).to_zoned(now.time_zone().clone()).ok()
}

/// Shows what a link names.
pub fn open_deep_link(app: &AppHandle, link: DeepLink) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let engine = app.state::<Engine>();
        match (engine.server_called(&link.server).await, link.job) {
            (Some(server), Some(job)) => engine.open_job(server, job, false).await,
            (Some(_), None) => {}
            (None, _) => {
                let message = format!(
                    "The link names a server \u{201c}{}\u{201d}, which is not here.",
                    link.server
                );
                engine.open_nothing(message).await;
            }
        }
        show_window(&app);
    });
}

const NO_KEYS: &str = "this desktop gives programs no keys";
/// Starting the program a second time shows the window of the first.
const ON_WAYLAND: &str = "in a Wayland session no program may take keys for itself; in the \
    desktop's own keyboard settings, add a shortcut that runs \u{201c}jobwatch\u{201d}, which \
    shows this window";

/// Whether the session is one of Wayland, in which a shortcut could be registered with the X server
/// beside it and would never fire.
fn on_wayland() -> bool {
    is_wayland(std::env::var("XDG_SESSION_TYPE").ok(), std::env::var("WAYLAND_DISPLAY").ok())
}

fn is_wayland(session: Option<String>, display: Option<String>) -> bool {
    session.as_deref() == Some("wayland") || display.is_some_and(|display| !display.is_empty())
}

/// Registers the keys that bring the window to the front, instead of any before; none where there is
/// no text.
///
/// # Errors
/// When they are no keys, or the desktop does not give them.
pub fn set_shortcut(app: &AppHandle, keys: &str) -> Result<(), UserError> {
    let invalid = |error: &dyn std::fmt::Display| UserError {
        code: ErrorCode::Invalid,
        message: format!("The keys \u{201c}{keys}\u{201d} cannot be used: {error}."),
    };
    type Shortcuts = tauri_plugin_global_shortcut::GlobalShortcut<tauri::Wry>;
    if app.try_state::<Shortcuts>().is_none() {
        return match keys.trim() {
            "" => Ok(()),
            _ => Err(invalid(&if on_wayland() { ON_WAYLAND } else { NO_KEYS })),
        };
    }
    app.global_shortcut().unregister_all().map_err(|error| invalid(&error))?;
    match keys.trim() {
        "" => Ok(()),
        keys => app.global_shortcut().register(keys).map_err(|error| invalid(&error)),
    }?;
    tracing::debug!(keys, "the shortcut is as chosen");
    Ok(())
}

/// Makes shortcuts possible, where the desktop has them.
///
/// # Errors
/// What stands in the way, for the log.
pub fn prepare_shortcuts(app: &AppHandle) -> anyhow::Result<()> {
    anyhow::ensure!(!on_wayland(), ON_WAYLAND);
    let plugin = tauri_plugin_global_shortcut::Builder::new().with_handler(|app, _, event| {
        if event.state == tauri_plugin_global_shortcut::ShortcutState::Pressed {
            show_window(app);
        }
    });
    app.plugin(plugin.build()).context("There are no shortcuts")
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn a_wayland_session_is_known_by_its_type_or_its_display() {
        let text = |text: &str| Some(text.to_owned());
        assert!(is_wayland(text("wayland"), None));
        assert!(is_wayland(text("tty"), text("wayland-0")));
        assert!(!is_wayland(text("x11"), text("")));
        assert!(!is_wayland(None, None));
    }

    #[test]
    fn a_window_begins_in_the_colours_that_its_page_is_drawn_on() {
        let styles = include_str!("../ui/src/styles/tokens.css");
        for Color(red, green, blue, _) in BACKGROUND {
            let paper = format!(" --bg: #{red:02x}{green:02x}{blue:02x};");
            assert!(styles.contains(&paper), "{paper}");
        }
    }

    #[test]
    fn until_tomorrow_is_until_the_morning_by_the_clocks() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        // In this night the clocks are set back.
        let evening = date(2026, 10, 24).at(23, 10, 0, 0).to_zoned(zone.clone()).unwrap();
        let morning = next_morning(&evening).unwrap();
        assert_eq!(morning, date(2026, 10, 25).at(8, 0, 0, 0).to_zoned(zone).unwrap());
        assert_eq!(morning.timestamp().as_second() - evening.timestamp().as_second(), 35_400);
    }
}
