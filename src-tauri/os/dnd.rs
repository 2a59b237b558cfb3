//! The desktop's do-not-disturb mode, from its two sources: the notification daemon and a setting of
//! the session.

use std::sync::atomic::{AtomicU8, Ordering};

use jobwatch_engine::Engine;

/// A source of the mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DndSource {
    /// The notification daemon, over D-Bus.
    Daemon = 1,
    /// The session's settings.
    Session = 2,
}

/// The mode: on while any source has it on.
#[derive(Debug, Default)]
pub struct DoNotDisturb(AtomicU8);

impl DoNotDisturb {
    /// Records what a source reports, and passes the result to the engine.
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

/// Desktops whose do-not-disturb mode is a setting.
#[cfg(target_os = "linux")]
mod session {
    use std::cell::RefCell;

    use gtk::gio;
    use gtk::gio::prelude::*;

    /// The desktop's name in `XDG_CURRENT_DESKTOP`, the schema, the key, and its value while on.
    const SETTINGS: [(&str, &str, &str, bool); 4] = [
        ("GNOME", "org.gnome.desktop.notifications", "show-banners", false),
        ("Unity", "org.gnome.desktop.notifications", "show-banners", false),
        ("X-Cinnamon", "org.cinnamon.desktop.notifications", "display-notifications", false),
        ("MATE", "org.mate.NotificationDaemon", "do-not-disturb", true),
    ];

    thread_local! {
        /// Settings report changes only while they are kept, and only on their own thread.
        static KEPT: RefCell<Option<gio::Settings>> = const { RefCell::new(None) };
    }

    /// Reports the session's mode now and at every change, if it has such a setting. Call it on GTK's
    /// thread, where it also calls `report`.
    pub fn watch_session(report: impl Fn(bool) + 'static) {
        let desktop = std::env::var("XDG_CURRENT_DESKTOP").unwrap_or_default();
        let of = |name: &str| desktop.split(':').any(|part| part.eq_ignore_ascii_case(name));
        let Some((_, schema, key, quiet)) = SETTINGS.into_iter().find(|(name, ..)| of(name)) else {
            return;
        };
        // Opening a missing schema, or a missing key, would abort the program.
        let known = gio::SettingsSchemaSource::default()
            .and_then(|source| source.lookup(schema, true))
            .is_some_and(|schema| schema.has_key(key));
        if !known {
            tracing::info!(schema, key, "the desktop has no do-not-disturb setting");
            return;
        }
        let settings = gio::Settings::new(schema);
        let report = move |settings: &gio::Settings| {
            let is_quiet = settings.boolean(key) == quiet;
            tracing::info!(is_quiet, "the session's do-not-disturb");
            report(is_quiet);
        };
        report(&settings);
        settings.connect_changed(Some(key), move |settings, _| report(settings));
        KEPT.set(Some(settings));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn do_not_disturb_is_on_while_any_source_has_it_on() {
        let quiet = DoNotDisturb::default();
        assert!(!quiet.update(DndSource::Session, false));
        assert!(quiet.update(DndSource::Session, true));
        assert!(quiet.update(DndSource::Daemon, true));
        assert!(quiet.update(DndSource::Session, false));
        assert!(!quiet.update(DndSource::Daemon, false));
    }
}
