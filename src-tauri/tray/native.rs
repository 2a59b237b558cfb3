//! The tray as the desktop has it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Zoned;
use jobwatch_engine::ports::Tray as Port;
use jobwatch_engine::views::Glance;
use tauri::image::Image;
use tauri::menu::{IsMenuItem, Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Wry};

use super::menu::{Choice, Icon, Item, icon, menu};

/// The pictures, made from those in `icons/tray` by `cargo xtask icons`.
const LIVE: &[u8] = include_bytes!("../../icons/tray/live.png");
const ATTENTION: &[u8] = include_bytes!("../../icons/tray/attention.png");
const POLLING: &[u8] = include_bytes!("../../icons/tray/polling.png");
const OFFLINE: &[u8] = include_bytes!("../../icons/tray/offline.png");
const REFUSED: &[u8] = include_bytes!("../../icons/tray/refused.png");

/// The tray's end of the engine.
pub struct Tray {
    app: AppHandle,
    icon: TrayIcon,
    shown: Mutex<Option<(Icon, Vec<Item>)>>,
    /// What is to be shown once the window's thread gets to it.
    next: Mutex<Option<Glance>>,
    scheduled: AtomicBool,
}

impl Tray {
    /// Puts an icon into the tray. `chosen` is called with what is chosen of its menu. Must run on
    /// the window's thread.
    ///
    /// # Errors
    /// In words: where the system has no trays.
    pub fn start(
        app: &AppHandle,
        chosen: impl Fn(&AppHandle, Choice) + Send + Sync + 'static,
    ) -> Result<Arc<Tray>, String> {
        let failed = |error: &dyn std::fmt::Display| format!("There is no tray icon: {error}.");
        if !super::super::os::tray::library_is_there() {
            return Err(
                "There is no tray icon: the library for it is missing (on Debian and Ubuntu \
                        libayatana-appindicator3-1)."
                    .to_owned(),
            );
        }
        let empty = native_menu(app, &menu(&Glance::default(), &Zoned::now()));
        let icon = TrayIconBuilder::with_id("jobwatch")
            .icon(picture(Icon::Live).map_err(|error| failed(&error))?)
            .menu(&empty.map_err(|error| failed(&error))?)
            .show_menu_on_left_click(true)
            .title("Jobwatch")
            .on_menu_event(move |app, event| {
                if let Some(choice) = Choice::from_id(event.id().as_ref()) {
                    chosen(app, choice);
                }
            })
            .build(app)
            .map_err(|error| failed(&error))?;
        Ok(Arc::new(Tray {
            app: app.clone(),
            icon,
            shown: Mutex::default(),
            next: Mutex::default(),
            scheduled: AtomicBool::default(),
        }))
    }

    /// Draws what is to be shown, on the window's thread.
    fn draw(&self) {
        self.scheduled.store(false, Ordering::Release);
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(glance) = next else { return };
        let (picture_now, items) = (icon(&glance), menu(&glance, &Zoned::now()));
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let (old_picture, old_items) = shown.as_ref().map(|(icon, items)| (*icon, items)).unzip();
        let result = (|| -> tauri::Result<()> {
            // Every picture is a file that the tray's program reads.
            if old_picture != Some(picture_now) {
                self.icon.set_icon(Some(picture(picture_now)?))?;
            }
            // A menu that is open is closed by being replaced.
            if old_items != Some(&items) {
                self.icon.set_menu(Some(native_menu(&self.app, &items)?))?;
            }
            Ok(())
        })();
        if let Err(error) = result {
            tracing::warn!(%error, "the tray could not be drawn");
        }
        *shown = Some((picture_now, items));
    }
}

/// The port, which the engine holds.
pub struct Told(pub Arc<Tray>);

impl Port for Told {
    fn show(&self, glance: Glance) {
        let tray = Arc::clone(&self.0);
        *tray.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(glance);
        if tray.scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        let draw = Arc::clone(&tray);
        if let Err(error) = tray.app.run_on_main_thread(move || draw.draw()) {
            tracing::debug!(%error, "the tray is not drawn any more");
        }
    }
}

fn picture(icon: Icon) -> tauri::Result<Image<'static>> {
    Image::from_bytes(match icon {
        Icon::Live => LIVE,
        Icon::Attention => ATTENTION,
        Icon::Polling => POLLING,
        Icon::Offline => OFFLINE,
        Icon::Refused => REFUSED,
    })
}

fn native_menu(app: &AppHandle, items: &[Item]) -> tauri::Result<Menu<Wry>> {
    let items = native_items(app, items)?;
    let items: Vec<&dyn IsMenuItem<Wry>> = items.iter().map(AsRef::as_ref).collect();
    Menu::with_items(app, &items)
}

fn native_items(app: &AppHandle, items: &[Item]) -> tauri::Result<Vec<Box<dyn IsMenuItem<Wry>>>> {
    let native = |item: &Item| -> tauri::Result<Box<dyn IsMenuItem<Wry>>> {
        Ok(match item {
            Item::Text(text) => Box::new(MenuItem::new(app, plain(text), false, None::<&str>)?),
            Item::Act(choice, text) => {
                Box::new(MenuItem::with_id(app, choice.id(), plain(text), true, None::<&str>)?)
            }
            Item::Sub(text, items) => {
                let items = native_items(app, items)?;
                let items: Vec<&dyn IsMenuItem<Wry>> = items.iter().map(AsRef::as_ref).collect();
                Box::new(Submenu::with_items(app, plain(text), true, &items)?)
            }
            Item::Line => Box::new(PredefinedMenuItem::separator(app)?),
        })
    };
    items.iter().map(native).collect()
}

/// An ampersand would underline the letter that follows it.
fn plain(text: &str) -> String {
    text.replace('&', "&&")
}
