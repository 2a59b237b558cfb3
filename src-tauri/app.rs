//! The window: a Tauri application around one engine.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jobwatch_engine::ports::{Ports, Secrets};
use jobwatch_engine::{Engine, Options, SettingsSource};
use tauri::{AppHandle, Manager, RunEvent, WindowEvent};
use tauri_plugin_window_state::StateFlags;

use crate::background::{self, WindowState};
use crate::deep_link::DeepLink;
use crate::demo_switch::DemoSwitch;
use crate::ipc::{self, page::Page};
use crate::os::badge::Badge;
use crate::os::dnd::{self, DndSource, DoNotDisturb};
use crate::os::paths::Paths;
use crate::os::secrets::Keyring;
use crate::popups;
use crate::tray::native::{self, Tray};

/// How long history and sockets may take to close when the program ends.
const STOP: Duration = Duration::from_secs(2);

/// How to start the window.
#[derive(Clone, Debug)]
pub struct Start {
    /// The directories for files.
    pub paths: Paths,
    /// Whether to start the demo servers.
    pub demo: bool,
    /// Whether to start in the tray.
    pub hidden: bool,
    /// The job to show first.
    pub deep_link: Option<DeepLink>,
}

/// Runs the window until the program ends.
///
/// # Errors
/// What kept the program from starting, as a message for the user.
pub fn run(start: Start) -> anyhow::Result<ExitCode> {
    // The window toolkit panics without a display, so check for one first.
    #[cfg(target_os = "linux")]
    anyhow::ensure!(
        gtk::init().is_ok(),
        "No display found: start Jobwatch in a desktop session, or set DISPLAY or WAYLAND_DISPLAY. \
         `jobwatch help` lists the commands that work without a window"
    );
    let _log = log_to_file(&start.paths.logs());
    crate::os::proxy::use_desktop();
    // Fails only if a provider is already installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("jobwatch")
        .on_thread_start(lower_priority)
        .build()
        .context("Could not start threads")?;
    tauri::async_runtime::set(runtime.handle().clone());

    let app = tauri::Builder::default()
        .plugin(single_instance(&start.paths))
        .plugin(window_state(&start.paths))
        .plugin(tauri_plugin_dialog::init())
        .plugin(tauri_plugin_autostart::init(
            tauri_plugin_autostart::MacosLauncher::LaunchAgent,
            Some(vec!["--hidden"]),
        ))
        .plugin(tauri_plugin_opener::Builder::new().open_js_links_on_click(false).build())
        .invoke_handler(ipc::webview::handler())
        // Not earlier: a second instance ends while its plugins are set up, before it may touch the
        // history.
        .setup(move |app| Ok(setup(app.handle(), start)?))
        .on_window_event(|window, event| {
            let app = window.app_handle();
            match event {
                WindowEvent::Focused(focused) => focus_changed(app, *focused),
                WindowEvent::CloseRequested { api, .. } => background::close_requested(app, api),
                WindowEvent::Destroyed => page_closed(app),
                _ => {}
            }
        })
        .build(tauri::generate_context!())
        .context("Could not connect to the display")?;
    let code = app.run_return(|app, event| match event {
        RunEvent::Exit => stop(app),
        // The last window was closed to the tray.
        RunEvent::ExitRequested { code: None, api, .. }
            if app.state::<WindowState>().in_background() =>
        {
            api.prevent_exit();
        }
        _ => {}
    });
    // Do not wait for what still runs, such as a keyring call behind a prompt.
    runtime.shutdown_timeout(Duration::from_millis(200));
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Gives the page priority over the engine: a flood of lines must not make the window sluggish.
/// Threads inherit the priority from the thread that starts them.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(3) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

fn setup(app: &AppHandle, start: Start) -> anyhow::Result<()> {
    let page = Arc::new(Page::default());
    let desktop = popups::start(&start.paths.data);
    app.manage(WindowState::new(desktop.port.clone()));
    app.manage(start.paths.clone());
    let secrets: Arc<dyn Secrets> = Arc::new(Keyring::default());
    let options = Options {
        data_dir: Some(start.paths.data.clone()),
        settings: SettingsSource::File(start.paths.settings.clone()),
        ports: Ports { desktop: desktop.port, secrets: Some(secrets), ..Ports::default() },
        seed: None,
    };
    // On a thread of the runtime, so that the engine's own threads inherit its priority.
    let started = tauri::async_runtime::spawn(Engine::start(options));
    let engine = tauri::async_runtime::block_on(started)
        .context("Could not start Jobwatch")?
        .context("Could not start Jobwatch")?;
    app.manage(engine.clone());
    app.state::<WindowState>().set_zoom(app, engine.preferences_at_start().zoom);
    app.state::<WindowState>().set_theme(engine.preferences_at_start().theme);
    app.manage(page);
    app.manage(DemoSwitch::default());
    app.manage(ipc::host::Saving::default());
    app.manage(DoNotDisturb::default());
    #[cfg(target_os = "linux")]
    {
        let (app, engine) = (app.clone(), engine.clone());
        dnd::watch_session(move |quiet| {
            app.state::<DoNotDisturb>().set(&engine, DndSource::Session, quiet);
        });
    }
    if let Some(problem) = desktop.problem {
        engine.report_notifications(Some(problem));
    }
    // Deliver the desktop's events to the engine, beginning with those that came before it.
    desktop.events.attach(app.clone(), engine.clone());
    if start.demo {
        let (app, engine) = (app.clone(), engine.clone());
        tauri::async_runtime::spawn(async move {
            let demo = app.state::<DemoSwitch>();
            if let Err(error) = demo.set(&engine, true).await {
                tracing::error!(error.message, "could not start the demo");
            }
        });
    }
    end_on_signal(app.clone());
    let tray = Tray::start(app, background::on_choice);
    match &tray {
        Ok(_) => app.state::<WindowState>().set_tray_icon(),
        Err(problem) => tracing::warn!("{problem}"),
    }
    let badge = Badge::new(app.clone());
    engine.attach_tray(Arc::new(native::TrayPort { tray: tray.ok(), badge }));
    register_shortcut(app, &engine);
    if start.hidden && start.deep_link.is_none() {
        background::start_hidden(app);
    } else {
        background::open_window(app)?;
    }
    if let Some(link) = start.deep_link {
        background::open_deep_link(app, link);
    }
    Ok(())
}

fn register_shortcut(app: &AppHandle, engine: &Engine) {
    if let Err(error) = background::prepare_shortcuts(app) {
        tracing::warn!("{error:#}");
    }
    let (app, engine) = (app.clone(), engine.clone());
    tauri::async_runtime::spawn(async move {
        let Ok(preferences) = engine.preferences().await else { return };
        if let Err(error) = background::set_shortcut(&app, &preferences.shortcut) {
            tracing::warn!(error.message, "no global shortcut");
        }
    });
}

/// Ends the page's subscription when the window is closed. A reloaded page needs no such event: its own
/// subscription replaces the one before. The start of a load must not end anything: WebKitGTK delays
/// that event until it knows the main resource, possibly until after the page has subscribed.
fn page_closed(app: &AppHandle) {
    let (Some(engine), Some(page)) = (app.try_state::<Engine>(), app.try_state::<Arc<Page>>())
    else {
        return;
    };
    page.disconnect();
    engine.detach_window();
}

fn focus_changed(app: &AppHandle, focused: bool) {
    let (Some(engine), Some(page)) = (app.try_state::<Engine>(), app.try_state::<Arc<Page>>())
    else {
        return;
    };
    let (focused, job) = page.focus(focused);
    let engine = engine.inner().clone();
    tauri::async_runtime::spawn(async move { engine.looking_at(focused, job).await });
}

fn stop(app: &AppHandle) {
    let Some(engine) = app.try_state::<Engine>() else { return };
    let demo = app.state::<DemoSwitch>();
    tauri::async_runtime::block_on(async {
        if tokio::time::timeout(STOP, engine.stop()).await.is_err() {
            tracing::warn!("the engine did not stop in time");
        }
        if tokio::time::timeout(Duration::from_millis(500), demo.stop()).await.is_err() {
            tracing::warn!("the demo did not stop in time");
        }
    });
}

/// Quits on Ctrl-C and at the end of the session, like *Quit* in the tray.
fn end_on_signal(app: AppHandle) {
    tauri::async_runtime::spawn(async move {
        crate::os::ended().await;
        tracing::info!("received a signal to end");
        app.exit(0);
    });
}

fn single_instance(paths: &Paths) -> tauri::plugin::TauriPlugin<tauri::Wry> {
    let mut builder =
        tauri_plugin_single_instance::Builder::new().callback(|app, arguments, _directory| {
            match arguments.iter().find_map(|argument| DeepLink::read(argument)) {
                Some(link) => background::open_deep_link(app, link),
                None => background::show_window(app),
            }
        });
    if paths.is_custom {
        // One instance per data directory: the name ends in a digest of the path.
        let tail = digest(paths.data.as_os_str().as_encoded_bytes());
        builder = builder.dbus_id(format!("dev.jobwatch.desktop.d{tail:016x}"));
    }
    builder.build()
}

/// FNV-1a: stable across runs and builds, which the standard library's hashers are not.
fn digest(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn window_state(paths: &Paths) -> tauri::plugin::TauriPlugin<tauri::Wry> {
    let mut flags = StateFlags::SIZE | StateFlags::MAXIMIZED | StateFlags::FULLSCREEN;
    // Wayland reports no positions: restoring one on X11 would put the window at 0,0.
    if std::env::var_os("WAYLAND_DISPLAY").is_none() {
        flags |= StateFlags::POSITION;
    }
    // An absolute path here replaces the plugin's own directory.
    let file = paths.data.join("window-state.json");
    tauri_plugin_window_state::Builder::default()
        .with_state_flags(flags)
        .with_filename(file.to_string_lossy())
        .build()
}

/// Logs to a file per day, of which five are kept. `JOBWATCH_LOG` sets the filter (`debug`,
/// `jobwatch_engine=trace`, …). Returns `None` if there can be no log.
fn log_to_file(directory: &Path) -> Option<tracing_appender::non_blocking::WorkerGuard> {
    let appender = jobwatch_engine::settings::create_private_directory(directory)
        .map_err(anyhow::Error::from)
        .and_then(|()| {
            Ok(tracing_appender::rolling::Builder::new()
                .rotation(tracing_appender::rolling::Rotation::DAILY)
                .filename_prefix("jobwatch")
                .filename_suffix("log")
                .max_log_files(5)
                .build(directory)?)
        })
        .map_err(|error| crate::print_stderr(format_args!("No log file: {error}.")))
        .ok()?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter(crate::log_filter("info"))
        .with_writer(writer);
    if subscriber.try_init().is_err() {
        crate::print_stderr("No log file: another log is already active.");
    }
    Some(guard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_a_data_directory_is_the_same_in_every_build() {
        assert_eq!(digest(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(digest(b"a"), 0xaf63_dc4c_8601_ec8c);
    }
}
