//! The native tray icon and menu.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Zoned;
use jobwatch_engine::api::TraySnapshot;
use jobwatch_engine::ports::Tray as Port;
use tauri::image::Image;
use tauri::menu::{IsMenuItem, Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Wry};

use super::menu::{Choice, Icon, Item, diff, icon, menu};
use crate::os::badge::Badge;
use crate::os::tray::library_available;

/// The icons, exported from `icons/tray` by `cargo xtask icons`.
const LIVE: &[u8] = include_bytes!("../../icons/tray/live.png");
const ATTENTION: &[u8] = include_bytes!("../../icons/tray/attention.png");
const POLLING: &[u8] = include_bytes!("../../icons/tray/polling.png");
const OFFLINE: &[u8] = include_bytes!("../../icons/tray/offline.png");
const REFUSED: &[u8] = include_bytes!("../../icons/tray/refused.png");

/// The tray icon.
pub struct Tray {
    app: AppHandle,
    icon: TrayIcon,
    menu: Menu<Wry>,
    shown: Mutex<Drawn>,
    /// The snapshot to draw next, on the window's thread.
    next: Mutex<Option<TraySnapshot>>,
    scheduled: AtomicBool,
}

/// What the tray shows now.
struct Drawn {
    icon: Icon,
    items: Vec<Item>,
    native: Vec<Native>,
}

/// A native menu item.
enum Native {
    Item(MenuItem<Wry>),
    Sub(Submenu<Wry>),
    Line(PredefinedMenuItem<Wry>),
}

impl Native {
    fn make(app: &AppHandle, item: &Item) -> tauri::Result<Native> {
        let words = escape_mnemonic(item.label());
        Ok(match item {
            Item::Text(_) => Native::Item(MenuItem::new(app, words, false, None::<&str>)?),
            Item::Action(choice, _) => {
                Native::Item(MenuItem::with_id(app, choice.id(), words, true, None::<&str>)?)
            }
            Item::Submenu(_, items) => {
                let below = Submenu::new(app, words, true)?;
                for item in items {
                    below.append(Native::make(app, item)?.as_item())?;
                }
                Native::Sub(below)
            }
            Item::Separator => Native::Line(PredefinedMenuItem::separator(app)?),
        })
    }

    fn as_item(&self) -> &dyn IsMenuItem<Wry> {
        match self {
            Native::Item(item) => item,
            Native::Sub(below) => below,
            Native::Line(line) => line,
        }
    }

    fn set_label(&self, words: &str) -> tauri::Result<()> {
        match self {
            Native::Item(item) => item.set_text(escape_mnemonic(words)),
            Native::Sub(below) => below.set_text(escape_mnemonic(words)),
            Native::Line(_) => Ok(()),
        }
    }
}

impl Tray {
    /// Adds an icon to the tray; `chosen` is called with each action of its menu. Must run on the
    /// window's thread.
    ///
    /// # Errors
    /// Why there is no tray icon, as a message.
    pub fn start(
        app: &AppHandle,
        chosen: impl Fn(&AppHandle, Choice) + Send + Sync + 'static,
    ) -> Result<Arc<Tray>, String> {
        if !library_available() {
            return Err(
                "No tray icon: install its library (libayatana-appindicator3-1 on Debian and Ubuntu)."
                    .to_owned(),
            );
        }
        Tray::make(app, chosen).map_err(|error| format!("No tray icon: {error}."))
    }

    fn make(
        app: &AppHandle,
        chosen: impl Fn(&AppHandle, Choice) + Send + Sync + 'static,
    ) -> tauri::Result<Arc<Tray>> {
        let menu = Menu::new(app)?;
        let mut shown = Drawn { icon: Icon::Live, items: Vec::new(), native: Vec::new() };
        shown.update(app, &menu, menu_of(&TraySnapshot::default()))?;
        let icon = TrayIconBuilder::with_id("jobwatch")
            .icon(picture(shown.icon)?)
            .menu(&menu)
            .show_menu_on_left_click(true)
            .title("Jobwatch")
            .on_menu_event(move |app, event| {
                if let Some(choice) = Choice::from_id(event.id().as_ref()) {
                    chosen(app, choice);
                }
            })
            .build(app)?;
        Ok(Arc::new(Tray {
            app: app.clone(),
            icon,
            menu,
            shown: Mutex::new(shown),
            next: Mutex::default(),
            scheduled: AtomicBool::default(),
        }))
    }

    /// Draws the next snapshot; runs on the window's thread.
    fn draw(&self) {
        self.scheduled.store(false, Ordering::Release);
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(snapshot) = next else { return };
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut draw = || -> tauri::Result<()> {
            // Every new icon becomes a file that the tray reads.
            let now = icon(&snapshot);
            if shown.icon != now {
                self.icon.set_icon(Some(picture(now)?))?;
                shown.icon = now;
            }
            shown.update(&self.app, &self.menu, menu_of(&snapshot))
        };
        if let Err(error) = draw() {
            tracing::warn!(%error, "could not draw the tray");
        }
    }
}

impl Drawn {
    /// Changes the menu in place, since replacing it would close an open one.
    fn update(&mut self, app: &AppHandle, menu: &Menu<Wry>, items: Vec<Item>) -> tauri::Result<()> {
        let changed = self.change_items(app, menu, items);
        if changed.is_err() {
            // The menu's contents are unknown now: build the next one from scratch.
            while matches!(menu.remove_at(0), Ok(Some(_))) {}
            self.items.clear();
            self.native.clear();
        }
        changed
    }

    fn change_items(
        &mut self,
        app: &AppHandle,
        menu: &Menu<Wry>,
        items: Vec<Item>,
    ) -> tauri::Result<()> {
        let (first, last) = diff(&self.items, &items);
        let (old_end, new_end) = (self.items.len() - last, items.len() - last);
        for _ in first..old_end {
            // By position: several items may open the same job, and all of them have its id.
            menu.remove_at(first)?;
            self.native.remove(first);
            self.items.remove(first);
        }
        for (at, item) in items[first..new_end].iter().enumerate() {
            let native = Native::make(app, item)?;
            menu.insert(native.as_item(), first + at)?;
            self.native.insert(first + at, native);
            self.items.insert(first + at, item.clone());
        }
        for ((old, new), native) in self.items.iter().zip(&items).zip(&self.native) {
            if old.label() != new.label() {
                native.set_label(new.label())?;
            }
        }
        self.items = items;
        Ok(())
    }
}

fn menu_of(snapshot: &TraySnapshot) -> Vec<Item> {
    menu(snapshot, &Zoned::now())
}

/// The engine's port for the tray.
pub struct TrayPort {
    /// The icon; `None` if there is none.
    pub tray: Option<Arc<Tray>>,
    /// Shows the number of unread notices elsewhere on the desktop.
    pub badge: Badge,
}

impl Port for TrayPort {
    fn show(&self, snapshot: TraySnapshot) {
        self.badge.show(snapshot.unread);
        let Some(tray) = &self.tray else { return };
        *tray.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
        if tray.scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        let draw = Arc::clone(tray);
        if let Err(error) = tray.app.run_on_main_thread(move || draw.draw()) {
            tracing::debug!(%error, "the tray is no longer drawn");
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

/// Escapes ampersands, which would underline the next letter.
fn escape_mnemonic(text: &str) -> String {
    text.replace('&', "&&")
}
