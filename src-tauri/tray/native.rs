//! The tray as the desktop has it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Zoned;
use jobwatch_engine::ports::Tray as Port;
use jobwatch_engine::views::TraySnapshot;
use tauri::image::Image;
use tauri::menu::{IsMenuItem, Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Wry};

use super::menu::{Choice, Icon, Item, diff, icon, menu};
use crate::os::badge::Badge;
use crate::os::tray::library_available;

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
    menu: Menu<Wry>,
    shown: Mutex<Drawn>,
    /// What is to be shown once the window's thread gets to it.
    next: Mutex<Option<TraySnapshot>>,
    scheduled: AtomicBool,
}

/// What is in the tray now.
struct Drawn {
    icon: Icon,
    items: Vec<Item>,
    native: Vec<Native>,
}

/// An item as the desktop has it.
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
    /// Puts an icon into the tray. `chosen` is called with what is chosen of its menu. Must run on
    /// the window's thread.
    ///
    /// # Errors
    /// In words: where the system has no trays.
    pub fn start(
        app: &AppHandle,
        chosen: impl Fn(&AppHandle, Choice) + Send + Sync + 'static,
    ) -> Result<Arc<Tray>, String> {
        if !library_available() {
            return Err(
                "There is no tray icon: the library for it is missing (on Debian and Ubuntu \
                        libayatana-appindicator3-1)."
                    .to_owned(),
            );
        }
        Tray::make(app, chosen).map_err(|error| format!("There is no tray icon: {error}."))
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

    /// Draws what is to be shown, on the window's thread.
    fn draw(&self) {
        self.scheduled.store(false, Ordering::Release);
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(snapshot) = next else { return };
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut draw = || -> tauri::Result<()> {
            // Every picture is a file that the tray's program reads.
            let now = icon(&snapshot);
            if shown.icon != now {
                self.icon.set_icon(Some(picture(now)?))?;
                shown.icon = now;
            }
            shown.update(&self.app, &self.menu, menu_of(&snapshot))
        };
        if let Err(error) = draw() {
            tracing::warn!(%error, "the tray could not be drawn");
        }
    }
}

impl Drawn {
    /// Changes the menu in place: one that is open would be closed by being replaced.
    fn update(&mut self, app: &AppHandle, menu: &Menu<Wry>, items: Vec<Item>) -> tauri::Result<()> {
        let changed = self.change_items(app, menu, items);
        if changed.is_err() {
            // What is in the menu is not known any more: the next one is made from nothing.
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
            // By its place: several may lead to the same job, and by the id all of them would go.
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

/// The port, which the engine holds.
pub struct TrayPort {
    /// The icon; `None` where there can be none.
    pub tray: Option<Arc<Tray>>,
    /// The number of unread notices elsewhere on the desktop.
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

/// An ampersand would underline the letter that follows it.
fn escape_mnemonic(text: &str) -> String {
    text.replace('&', "&&")
}
