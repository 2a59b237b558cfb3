//! What commands work with.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jobwatch_engine::Engine;
use jobwatch_engine::api::{ErrorCode, LogFormat, Theme, UserError};
use serde::Deserialize;
use tauri::ipc::{Channel, InvokeResponseBody, IpcResponse};
use url::Url;

use super::page::Page;
use crate::demo_switch::DemoSwitch;

/// What commands need of the desktop.
pub trait Shell: Send + Sync + 'static {
    /// Registers the global shortcut that shows the window; an empty text registers none.
    ///
    /// # Errors
    /// If it is not a shortcut, or the desktop refuses it.
    fn set_shortcut(&self, keys: &str) -> Result<(), UserError>;

    /// Sets the theme of the next window.
    fn set_theme(&self, theme: Theme);

    /// Sets the page's zoom, in percent.
    fn set_zoom(&self, percent: u32);

    /// Whether the program starts at login.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn starts_at_login(&self) -> Result<bool, UserError>;

    /// Sets whether the program starts at login.
    ///
    /// # Errors
    /// If that cannot be changed.
    fn set_start_at_login(&self, on: bool) -> Result<(), UserError>;

    /// Opens a link in the browser.
    ///
    /// # Errors
    /// If there is no browser.
    fn open_url(&self, url: &Url) -> Result<(), UserError>;

    /// Asks the user where to save a log; `None` if the user cancels.
    fn ask_where_to_save(&self, format: LogFormat) -> Answer<Option<PathBuf>>;
}

/// A result that is not there yet.
pub type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Opens the page's end of a channel, by the id that the page gave it.
pub type OpenChannel = Arc<dyn Fn(&str) -> Option<Channel<InvokeResponseBody>> + Send + Sync>;

/// What a command works with.
#[derive(Clone)]
pub struct Host {
    /// The engine.
    pub engine: Engine,
    /// The page.
    pub page: Arc<Page>,
    /// The embedded demo servers.
    pub demo: DemoSwitch,
    /// The log that is being saved, if any.
    pub saving: Saving,
    /// The desktop.
    pub shell: Arc<dyn Shell>,
    /// Opens channels to the page.
    pub channels: OpenChannel,
}

/// The id of a channel, as the page sends it.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub struct ChannelId(String);

impl Host {
    /// Opens a channel to the page.
    ///
    /// # Errors
    /// If the page has no such channel.
    pub fn channel<T: IpcResponse>(&self, id: &ChannelId) -> Result<Channel<T>, UserError> {
        let channel = (self.channels)(&id.0).ok_or_else(|| UserError {
            code: ErrorCode::Internal,
            message: "The page has no such channel.".to_owned(),
        })?;
        Ok(Channel::new(move |body| channel.send(body)))
    }
}

/// Whether a log is being saved, and whether that was cancelled.
#[derive(Clone, Debug, Default)]
pub struct Saving {
    pub(super) busy: Arc<AtomicBool>,
    pub(super) cancelled: Arc<AtomicBool>,
}
