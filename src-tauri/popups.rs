//! Popups in the window's program: the notifier, and what happens when one is clicked.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use jobwatch_engine::Engine;
use jobwatch_engine::api::{ActionKind, MuteBy, MuteTarget};
use jobwatch_engine::ports::{Button, Desktop};
use tauri::{AppHandle, Manager as _};

use crate::background::{self, show_window};
use crate::os::dnd::{DndSource, DoNotDisturb};
use crate::os::notifier::{DesktopEvent, Notifier, PopupSettings};
use crate::tray::menu::Choice;

/// The popups' icon, written to a file for the notification daemon to read.
const ICON: &[u8] = include_bytes!("../icons/128x128.png");

/// The file in the data directory that keeps the popups' registry for the next run.
const POPUPS: &str = "popups.json";

/// The port for popups, its events, and why there are no popups.
pub struct Popups {
    /// The port for the engine; `None` if there are no popups.
    pub port: Option<Arc<dyn Desktop>>,
    /// Passes the desktop's events on.
    pub events: Arc<DesktopEvents>,
    /// Why there are no popups.
    pub problem: Option<String>,
}

/// Starts the notifier, which keeps its files in `data`.
pub fn start(data: &Path) -> Popups {
    let events = Arc::new(DesktopEvents::default());
    let into = Arc::clone(&events);
    let settings = PopupSettings { icon: icon_file(data), registry_file: Some(data.join(POPUPS)) };
    match Notifier::start(settings, move |event| into.push(event)) {
        Ok(notifier) => Popups { port: Some(Arc::new(notifier)), events, problem: None },
        Err(error) => {
            let problem = format!("Can't show popups: no thread could be started ({error}).");
            Popups { port: None, events, problem: Some(problem) }
        }
    }
}

/// Passes events of the desktop to the engine, and keeps them until there is one.
#[derive(Default)]
pub struct DesktopEvents {
    to: OnceLock<(AppHandle, Engine)>,
    pending: std::sync::Mutex<Vec<DesktopEvent>>,
}

impl DesktopEvents {
    fn push(&self, event: DesktopEvent) {
        let mut pending = self.pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match self.to.get() {
            Some((app, engine)) => handle_desktop_event(app, engine, event),
            // A change of health, and what became of an earlier run's popups.
            None => pending.push(event),
        }
    }

    /// Passes events on from now, beginning with those that came before.
    pub fn attach(&self, app: AppHandle, engine: Engine) {
        let mut pending = self.pending.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for event in pending.drain(..) {
            handle_desktop_event(&app, &engine, event);
        }
        // Set once, here.
        let _ = self.to.set((app, engine));
    }
}

fn handle_desktop_event(app: &AppHandle, engine: &Engine, event: DesktopEvent) {
    match event {
        DesktopEvent::Health(problem) => engine.report_notifications(problem),
        DesktopEvent::Closed { popup_id } => engine.popup_closed(popup_id),
        DesktopEvent::Left { popup_ids } => engine.popups_left(popup_ids),
        DesktopEvent::DoNotDisturb(quiet) => {
            app.state::<DoNotDisturb>().set(engine, DndSource::Daemon, quiet)
        }
        DesktopEvent::Clicked { id, server, job, button } => {
            tracing::debug!(id, server, job, ?button, "a popup was clicked");
            let (app, engine) = (app.clone(), engine.clone());
            tauri::async_runtime::spawn(async move {
                match (job, button) {
                    (_, Some(Button::Snooze)) => {
                        background::on_choice(&app, Choice::SnoozeHour);
                        return;
                    }
                    (_, Some(button @ (Button::MuteJob | Button::MuteError))) => {
                        let by_error = button == Button::MuteError;
                        let by = if by_error { MuteBy::Error } else { MuteBy::Name };
                        if let Err(error) = engine.mute(MuteTarget::Notice { id }, by).await {
                            tracing::warn!(error.message, "not muted");
                            show_window(&app);
                        }
                        return;
                    }
                    (Some(job), Some(Button::Retry)) => {
                        let asked = engine.act(&server, &job, ActionKind::Retry).await;
                        let Err(error) = asked else {
                            engine.mark_read(vec![id], true).await;
                            return;
                        };
                        // The window shows what the popup cannot: the job's current state.
                        tracing::warn!(server, job, error.message, "a popup's retry was rejected");
                        engine.open_job(server, job, false).await;
                    }
                    (Some(job), button) => {
                        engine.open_job(server, job, button == Some(Button::Log)).await;
                    }
                    (None, _) => engine.open_notices().await,
                }
                show_window(&app);
            });
        }
    }
}

/// Writes the popups' icon where the notification daemon can read it; `None` if that fails.
fn icon_file(data: &Path) -> Option<PathBuf> {
    let path = data.join("icon.png");
    if std::fs::read(&path).is_ok_and(|bytes| bytes == ICON) {
        return Some(path);
    }
    let written = jobwatch_engine::settings::create_private_directory(data)
        .and_then(|()| std::fs::write(&path, ICON));
    match written {
        Ok(()) => Some(path),
        Err(error) => {
            tracing::warn!(%error, "no icon for popups");
            None
        }
    }
}
