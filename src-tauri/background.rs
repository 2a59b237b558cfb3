//! The window's life: closing to the tray and reopening, the tray's actions, deep links, the global
//! shortcut.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use jiff::{ToSpan as _, Zoned};
use jobwatch_core::notify::{Notice, Tone};
use jobwatch_core::server::ServerId;
use jobwatch_engine::Engine;
use jobwatch_engine::api::{ErrorCode, PreferencesPatch, Theme, UserError};
use jobwatch_engine::ports::{Desktop, Popup};
use tauri::webview::{Color, NewWindowResponse};
use tauri::{AppHandle, CloseRequestApi, Manager, WebviewUrl, WebviewWindow, WebviewWindowBuilder};
use tauri_plugin_dialog::{DialogExt as _, MessageDialogButtons, MessageDialogKind};
use tauri_plugin_global_shortcut::GlobalShortcutExt as _;

use crate::deep_link::DeepLink;
use crate::os;
use crate::os::paths::Paths;
use crate::tray::menu::Choice;

/// The window's title.
const TITLE: &str = "Jobwatch";
/// The one window's label.
pub const MAIN: &str = "main";
/// How long to wait for a tray when the program starts hidden: the desktop may still be starting.
const TRAY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long after the window was closed its memory is released: its processes have ended by then.
const RELEASE_AFTER: Duration = Duration::from_secs(5);
/// The hour at which a snooze "until tomorrow" ends.
const MORNING: i8 = 8;
/// The limits of the page's zoom, in percent.
const MIN_ZOOM: u32 = 50;
const MAX_ZOOM: u32 = 200;
/// The page's background, light and dark, as in its styles.
const BACKGROUND: [Color; 2] = [Color(0xff, 0xff, 0xff, 0xff), Color(0x18, 0x18, 0x1b, 0xff)];
/// The id of the popup about closing the window; no notice has it.
const TRAY_POPUP: u64 = u64::MAX;

/// The state of the window and the tray.
#[derive(Default)]
pub struct WindowState {
    /// The program runs without a window.
    background: AtomicBool,
    /// The window is being closed, or the user is being asked whether to quit.
    closing: AtomicBool,
    /// There is an icon for a tray to show.
    icon: AtomicBool,
    /// The number of unread notices, for the window's title.
    unread: AtomicU32,
    /// The page's zoom in percent; 0 if not set.
    zoom: AtomicU32,
    /// Whether the page is dark; `None` if the desktop decides.
    dark: Mutex<Option<bool>>,
    desktop: Option<Arc<dyn Desktop>>,
}

impl WindowState {
    /// The window's current title.
    #[must_use]
    pub fn title(&self) -> String {
        match self.unread.load(Ordering::Relaxed) {
            0 => TITLE.to_owned(),
            unread => format!("({unread}) {TITLE}"),
        }
    }

    /// Sets the number of unread notices; returns whether it has changed.
    pub fn set_unread(&self, unread: u32) -> bool {
        self.unread.swap(unread, Ordering::Relaxed) != unread
    }

    /// Sets the page's zoom in percent, also of an open window.
    pub fn set_zoom(&self, app: &AppHandle, percent: u32) {
        self.zoom.store(percent, Ordering::Relaxed);
        if let Some(window) = app.get_webview_window(MAIN) {
            self.apply_zoom(&window);
        }
    }

    /// Sets the theme for the next window; an open page changes its colours itself.
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

    /// The script that sets the page's theme before it is drawn.
    fn theme_script(&self) -> &'static str {
        match self.dark() {
            Some(true) => "document.documentElement?.setAttribute('data-theme', 'dark')",
            Some(false) => "document.documentElement?.setAttribute('data-theme', 'light')",
            None => "",
        }
    }

    /// Gives a new window the colour of its page, so that a dark one does not start with a white
    /// flash.
    fn paint_background(&self, window: &WebviewWindow) {
        let dark = self.dark().unwrap_or_else(desktop_is_dark);
        if let Err(error) = window.set_background_color(Some(BACKGROUND[usize::from(dark)])) {
            tracing::debug!(%error, "could not set the window's background");
        }
    }

    fn apply_zoom(&self, window: &WebviewWindow) {
        let percent = match self.zoom.load(Ordering::Relaxed) {
            0 => 100,
            // A hand-edited file may hold any number, and an unusable zoom could not be undone.
            other => other.clamp(MIN_ZOOM, MAX_ZOOM),
        };
        if let Err(error) = window.set_zoom(f64::from(percent) / 100.0) {
            tracing::warn!(%error, "could not set the zoom");
        }
    }

    /// `desktop` shows the popup about closing the window.
    #[must_use]
    pub fn new(desktop: Option<Arc<dyn Desktop>>) -> WindowState {
        WindowState { desktop, ..WindowState::default() }
    }

    /// Whether the program runs without a window.
    pub fn in_background(&self) -> bool {
        self.background.load(Ordering::Acquire)
    }

    /// Notes that there is an icon for a tray to show.
    pub fn set_tray_icon(&self) {
        self.icon.store(true, Ordering::Release);
    }

    async fn in_tray(&self) -> bool {
        self.icon.load(Ordering::Acquire) && os::tray::is_available().await
    }
}

/// Whether WebKitGTK considers the desktop dark.
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

/// Opens the window.
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
        // The page may not navigate or open windows.
        .on_navigation(|url| {
            url.scheme() == "tauri" || url.host_str().is_some_and(|host| host == "tauri.localhost")
        })
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .on_page_load(|_, load| tracing::debug!(event = ?load.event(), "page load"));
    let window = builder.build()?;
    app.state::<WindowState>().paint_background(&window);
    app.state::<WindowState>().apply_zoom(&window);
    // The number of unread notices may have changed while the window was being built.
    window.set_title(&app.state::<WindowState>().title())
}

/// Brings the window to the front, or reopens it.
pub fn show_window(app: &AppHandle) {
    let app_there = app.clone();
    let shown = app.run_on_main_thread(move || {
        let app = &app_there;
        app.state::<WindowState>().background.store(false, Ordering::Release);
        let Some(window) = app.get_webview_window(MAIN) else {
            if let Err(error) = open_window(app) {
                tracing::error!(%error, "could not reopen the window");
            }
            return;
        };
        for step in [window.unminimize(), window.show(), window.set_focus()] {
            if let Err(error) = step {
                tracing::warn!(%error, "could not bring the window to the front");
            }
        }
    });
    if let Err(error) = shown {
        tracing::warn!(%error, "the window's thread has ended");
    }
}

/// Starts without a window if there is a tray, otherwise with one.
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
            tracing::info!("no tray found, so the window is shown");
            show_window(&app);
            return;
        }
        release_memory(&app).await;
    });
}

/// Handles the user closing the window: with a tray the program keeps running, without one it quits.
/// The first time a popup explains this, or a dialog asks.
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

/// How long closing the window waits for the preferences.
const PREFERENCES_TIMEOUT: std::time::Duration = std::time::Duration::from_millis(500);

async fn close(app: &AppHandle) {
    let (engine, window) = (app.state::<Engine>(), app.state::<WindowState>());
    // While the history is being read, the engine does not answer yet; once it has stopped, the
    // defaults let the program quit.
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

/// Releases memory that only the window needs, once the window has been closed for a moment.
async fn release_memory(app: &AppHandle) {
    tokio::time::sleep(RELEASE_AFTER).await;
    let of = app.clone();
    // Fails only if the program is ending.
    let _ = app.run_on_main_thread(move || {
        if of.state::<WindowState>().in_background() {
            os::code_pages::release();
        }
    });
}

async fn remember_tray_notice(engine: &Engine) {
    let told = PreferencesPatch { told_of_tray: Some(true), ..PreferencesPatch::default() };
    if let Err(error) = engine.set_preferences(told).await {
        tracing::warn!(error.message, "the popup about closing the window will be shown again");
    }
}

/// Destroys the window and the page's processes; a new page asks for everything again.
fn destroy_window(app: &AppHandle) {
    let Some(window) = app.get_webview_window(MAIN) else { return };
    if let Err(error) = window.destroy() {
        tracing::warn!(%error, "could not close the window");
    }
}

fn tray_popup() -> Popup {
    let notice = Notice {
        key: None,
        server: ServerId(String::new()),
        job: None,
        title: "Jobwatch is still running".to_owned(),
        body:
            "It keeps watching your jobs from the tray. Quit it there, or change in Settings what \
               closing the window does."
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
            "This desktop has no tray, so closing the window quits Jobwatch and stops watching your \
             jobs. You will not be asked again.",
        )
        .title("Quit Jobwatch?")
        .kind(MessageDialogKind::Warning)
        .buttons(MessageDialogButtons::OkCancelCustom("Quit".to_owned(), "Cancel".to_owned()));
    if let Some(window) = app.get_webview_window(MAIN) {
        question = question.parent(&window);
    }
    question.show(move |quit| {
        // The receiver is gone if the program is ending.
        let _ = answer.send(quit);
    });
    answered.await.unwrap_or(false)
}

/// Performs an action of the tray's menu.
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
                    tracing::warn!(error.message, "could not reconnect");
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
        tracing::warn!(error.message, "could not change the snooze");
        show_window(app);
    }
}

fn hour_later(now: &Zoned) -> Zoned {
    now.checked_add(1.hour()).unwrap_or_else(|_| now.clone())
}

/// The next day at [`MORNING`] local time, whatever the clocks do in the night.
fn next_morning(now: &Zoned) -> Option<Zoned> {
    let day = now.date().tomorrow().ok()?;
    day.at(MORNING, 0, 0, 0).to_zoned(now.time_zone().clone()).ok()
}

/// Opens the job that a link names.
pub fn open_deep_link(app: &AppHandle, link: DeepLink) {
    let app = app.clone();
    tauri::async_runtime::spawn(async move {
        let engine = app.state::<Engine>();
        match (engine.server_called(&link.server).await, link.job) {
            (Some(server), Some(job)) => engine.open_job(server, job, false).await,
            (Some(_), None) => {}
            (None, _) => {
                let message =
                    format!("No server is named \u{201c}{}\u{201d}, as in the link.", link.server);
                engine.open_nothing(message).await;
            }
        }
        show_window(&app);
    });
}

const NO_KEYS: &str = "this desktop does not support global shortcuts";
/// Starting the program a second time shows the window of the first.
const ON_WAYLAND: &str = "in a Wayland session, programs cannot register global shortcuts; add a \
    shortcut in the desktop's keyboard settings that runs \u{201c}jobwatch\u{201d}, which shows \
    this window";

/// Whether this is a Wayland session: a shortcut registered with its X server would never fire.
fn on_wayland() -> bool {
    is_wayland(std::env::var("XDG_SESSION_TYPE").ok(), std::env::var("WAYLAND_DISPLAY").ok())
}

fn is_wayland(session: Option<String>, display: Option<String>) -> bool {
    session.as_deref() == Some("wayland") || display.is_some_and(|display| !display.is_empty())
}

/// Registers the global shortcut that shows the window, instead of the one before; an empty text
/// registers none.
///
/// # Errors
/// If `keys` is not a shortcut, or the desktop refuses it.
pub fn set_shortcut(app: &AppHandle, keys: &str) -> Result<(), UserError> {
    let invalid = |error: &dyn std::fmt::Display| UserError {
        code: ErrorCode::Invalid,
        message: format!("The shortcut \u{201c}{keys}\u{201d} cannot be used: {error}."),
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
    tracing::debug!(keys, "registered the global shortcut");
    Ok(())
}

/// Enables global shortcuts, if the desktop supports them.
///
/// # Errors
/// Why there are none, for the log.
pub fn prepare_shortcuts(app: &AppHandle) -> anyhow::Result<()> {
    anyhow::ensure!(!on_wayland(), ON_WAYLAND);
    let plugin = tauri_plugin_global_shortcut::Builder::new().with_handler(|app, _, event| {
        if event.state == tauri_plugin_global_shortcut::ShortcutState::Pressed {
            show_window(app);
        }
    });
    app.plugin(plugin.build()).context("No global shortcuts")
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn a_wayland_session_is_recognized_by_its_type_or_its_display() {
        let text = |text: &str| Some(text.to_owned());
        assert!(is_wayland(text("wayland"), None));
        assert!(is_wayland(text("tty"), text("wayland-0")));
        assert!(!is_wayland(text("x11"), text("")));
        assert!(!is_wayland(None, None));
    }

    #[test]
    fn a_new_window_has_the_background_of_its_page() {
        let styles = include_str!("../ui/src/styles/tokens.css");
        for Color(red, green, blue, _) in BACKGROUND {
            let paper = format!(" --bg: #{red:02x}{green:02x}{blue:02x};");
            assert!(styles.contains(&paper), "{paper}");
        }
    }

    #[test]
    fn until_tomorrow_ends_in_the_morning_by_local_time() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        // In this night the clocks are set back.
        let evening = date(2026, 10, 24).at(23, 10, 0, 0).to_zoned(zone.clone()).unwrap();
        let morning = next_morning(&evening).unwrap();
        assert_eq!(morning, date(2026, 10, 25).at(8, 0, 0, 0).to_zoned(zone).unwrap());
        assert_eq!(morning.timestamp().as_second() - evening.timestamp().as_second(), 35_400);
    }
}
