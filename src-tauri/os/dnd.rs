//! Whether the desktop is set not to disturb, from the two who may know: its notification daemon, and
//! a setting of the session.

use std::sync::atomic::{AtomicU8, Ordering};

use jobwatch_engine::Engine;

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DndSource {
    /// The notification daemon, over the message bus.
    Daemon = 1,
    /// The session's settings.
    Session = 2,
}

/// What they have said: it is quiet while one of them says so.
#[derive(Debug, Default)]
pub struct DoNotDisturb(AtomicU8);

impl DoNotDisturb {
    /// One of them says whether it is quiet; passes on what that makes of it.
    pub fn set(&self, engine: &Engine, by: DndSource, quiet: bool) {
        engine.desktop_quiet(self.update(by, quiet));
    }

    fn update(&self, by: DndSource, quiet: bool) -> bool {
        let bit = by as u8;
        let now = if quiet {
            self.0.fetch_or(bit, Ordering::AcqRel) | bit
        } else {
            self.0.fetch_and(!bit, Ordering::AcqRel) & !bit
        };
        now != 0
    }
}

#[cfg(target_os = "linux")]
pub use session::watch_session;

/// The desktops whose do-not-disturb is a setting.
#[cfg(target_os = "linux")]
mod session {
    use std::cell::RefCell;

    use gtk::gio;
    use gtk::gio::prelude::*;

    /// What the setting says while it is quiet, by the desktop's name in `XDG_CURRENT_DESKTOP`.
    const SETTINGS: [(&str, &str, &str, bool); 4] = [
        ("GNOME", "org.gnome.desktop.notifications", "show-banners", false),
        ("Unity", "org.gnome.desktop.notifications", "show-banners", false),
        ("X-Cinnamon", "org.cinnamon.desktop.notifications", "display-notifications", false),
        ("MATE", "org.mate.NotificationDaemon", "do-not-disturb", true),
    ];

    thread_local! {
        /// Settings tell of changes for as long as they are kept, and only on their own thread.
        static KEPT: RefCell<Option<gio::Settings>> = const { RefCell::new(None) };
    }

    /// Tells whether the session is set not to disturb, now and whenever that changes, where it has
    /// such a setting. To be called on the toolkit's thread, which is also where it tells.
    pub fn watch_session(tell: impl Fn(bool) + 'static) {
        let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
        let of = |name: &str| desktop.split(':').any(|part| part.eq_ignore_ascii_case(name));
        let Some((_, schema, key, quiet)) = SETTINGS.into_iter().find(|(name, ..)| of(name)) else {
            return;
        };
        // A schema that is not installed, or an older one, would end the program.
        let known = gio::SettingsSchemaSource::default()
            .and_then(|source| source.lookup(schema, true))
            .is_some_and(|schema| schema.has_key(key));
        if !known {
            tracing::info!(schema, key, "the desktop does not say whether it is to be quiet");
            return;
        }
        let settings = gio::Settings::new(schema);
        let told = move |settings: &gio::Settings| {
            let is_quiet = settings.boolean(key) == quiet;
            tracing::info!(is_quiet, "the session's do-not-disturb");
            tell(is_quiet);
        };
        told(&settings);
        settings.connect_changed(Some(key), move |settings, _| told(settings));
        KEPT.set(Some(settings));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_quiet_while_one_of_them_says_so() {
        let quiet = DoNotDisturb::default();
        assert!(!quiet.update(DndSource::Session, false));
        assert!(quiet.update(DndSource::Session, true));
        assert!(quiet.update(DndSource::Daemon, true));
        assert!(quiet.update(DndSource::Session, false));
        assert!(!quiet.update(DndSource::Daemon, false));
    }
}
