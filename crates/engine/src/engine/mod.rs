//! The engine: a cheap handle, and one loop behind it that owns all state.
//!
//! The handle's methods are messages to the loop, run there one after another between what comes
//! from the servers. There is no lock around state, because nobody else has it.

mod actions;
mod detail;
mod diagnostics;
mod draft;
mod draft_fields;
mod facts;
mod inbox;
mod logs;
mod logview;
mod notices;
mod notify;
mod patch;
mod programs;
mod queues;
mod reconcile;
mod resolve;
mod servers;
mod signing;
mod state;
mod tray;
mod window;

pub use draft::Typed;
pub use logview::LogStored;

use std::path::PathBuf;
use std::sync::Arc;

use jobwatch_core::model::Topic;
use jobwatch_core::secret::Secret;
use jobwatch_core::server::{Server, ServerId};
use tokio::sync::{mpsc, oneshot};

use crate::api::{
    ActionKind, ErrorCode, KeyChange, Mute, MuteBy, MuteTarget, NoticeRule, OpenJob, Overview,
    Preferences, PreferencesPatch, ServerDraft, UserError, ViewSpec, ViewWindow, Wanted,
};
use crate::history::{History, Location};
use crate::keys::{Keyring, keyring_message, unstored_message};
use crate::logs::{Location as LogLocation, LogStore};
use crate::ports::{Ports, SecretsError, Tray, Window};
use crate::settings::{SavedServer, Settings, SettingsFile, SharedFile};
use patch::{Configuration, Patch};
use reconcile::{Keys, Known};
use state::State;
use window::{MAX_ROWS, Pull};

/// The directory of the jobs' logs among the data.
pub const LOGS: &str = "job-logs";

/// How an engine is set up.
#[derive(Debug)]
pub struct Options {
    /// Where the history lives; `None` keeps it in memory.
    pub data_dir: Option<PathBuf>,
    /// Where the servers come from.
    pub settings: SettingsSource,
    /// The world around. Without a desktop the history is read and not written: there is nobody to
    /// tell, so what the window has still to announce must not be used up.
    pub ports: Ports,
    /// Feeds the jitter of reconnecting; `None` for a different one each time.
    pub seed: Option<u64>,
}

/// Where the servers come from.
#[derive(Debug)]
pub enum SettingsSource {
    /// A file, which is written when the user changes something.
    File(PathBuf),
    /// These, never saved.
    Fixed(Vec<(Server, Option<Secret>)>),
}

/// Why an engine did not start. What is wrong with settings, history or keyring is no reason: that
/// is told in [`crate::api::Health`].
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The engine needs a tokio runtime around it.
    #[error("there is no runtime to run the engine on")]
    NoRuntime,
}

/// A message to the loop.
pub(crate) type Command = Box<dyn FnOnce(&mut State) + Send>;

/// The running engine; cheap to clone. When the last clone is gone, it stops.
#[derive(Clone, Debug)]
pub struct Engine {
    commands: mpsc::UnboundedSender<Command>,
    keyring: Keyring,
    /// `None` where nothing is saved.
    file: Option<SharedFile>,
    /// The user's choices as they were read at the start.
    saved: Arc<Preferences>,
}

impl Engine {
    /// Starts the engine: reads the settings, and behind the answer the history; puts the last known
    /// jobs in place, and only then begins to ask for keys and to dial. Whatever is asked of it
    /// meanwhile is answered then.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(options: Options) -> Result<Engine, StartError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(StartError::NoRuntime);
        }
        crate::install_tls();
        let (commands, taken) = mpsc::unbounded_channel();
        let (replies, replied) = mpsc::unbounded_channel();
        let keyring = Keyring::start(options.ports.secrets.clone());
        let location = match (options.data_dir, options.ports.desktop.is_some()) {
            (None, _) => Location::Memory,
            (Some(directory), true) => Location::Directory(directory),
            (Some(directory), false) => Location::ReadOnly(directory),
        };
        let (log_sender, log_events) = mpsc::unbounded_channel();
        let logs_location = match &location {
            Location::Memory => LogLocation::Memory,
            Location::Directory(directory) => LogLocation::Directory(directory.join(LOGS)),
            Location::ReadOnly(directory) => LogLocation::ReadOnly(directory.join(LOGS)),
        };
        let history = History::open(location, replies);
        let logs = LogStore::open(logs_location, options.ports.sink.is_some(), log_sender);
        let (file, settings, problem, fixed) = match options.settings {
            SettingsSource::File(path) => {
                let loaded = tokio::task::spawn_blocking(|| SettingsFile::load(path)).await;
                match loaded {
                    Ok((file, read)) => (Some(file), read.settings, read.problem, Vec::new()),
                    Err(error) => {
                        let problem = format!("The settings could not be read: {error}.");
                        (None, Settings::default(), Some(problem), Vec::new())
                    }
                }
            }
            SettingsSource::Fixed(servers) => {
                // Whoever gives servers and no settings wants to hear of all that ends.
                let rules = vec![NoticeRule::every_end()];
                let preferences = Preferences { rules, ..Preferences::default() };
                (None, Settings { preferences, ..Settings::default() }, None, servers)
            }
        };
        let file = file.map(|file| Arc::new(tokio::sync::Mutex::new(Some(file))));
        let saved_preferences = Arc::new(settings.preferences.clone());
        let mut state = State::new(state::Parts {
            commands: commands.downgrade(),
            history: history.clone(),
            keyring: keyring.clone(),
            logs,
            ports: options.ports,
            file: file.clone(),
            preferences: settings.preferences,
            seed: options.seed.unwrap_or_else(rand_seed),
        });
        state.health.settings = problem;
        state.set_log_budget();
        let mut settings = Settings { preferences: state.preferences.clone(), ..settings };
        let mut keys = Keys::new();
        for (server, key) in fixed {
            keys.insert(server.id.clone(), (KeyChange::Session, key));
            settings.servers.push(SavedServer { server, has_key: false });
        }
        tokio::spawn(async move {
            let known = reconcile::recall(history.clone(), reconcile::ids(&settings)).await;
            let (notices, ends) =
                (history.notices().await, history.ends(jobwatch_core::notify::RECENT).await);
            // All of it is read before the first server is dialled: what comes of a connection
            // would wait, and be taken for late.
            state.reconcile(Configuration { settings, demo: Vec::new() }, keys, known);
            state.notify(|own, now, servers| own.take_over(notices, true, now, servers));
            state.notify(|own, _, servers| own.learn_recent(ends, servers));
            // Its thread ends with the last that may ask it.
            drop(history);
            state.run(taken, replied, log_events).await;
        });
        Ok(Engine { commands, keyring, file, saved: saved_preferences })
    }

    /// The user's choices as they were saved when the engine was started, for what cannot wait until
    /// the history has been read.
    #[must_use]
    pub fn preferences_at_start(&self) -> &Preferences {
        &self.saved
    }

    /// Stops the engine: closes the sockets with a goodbye and writes the history. Done within two
    /// seconds; afterwards every other method answers that the engine has stopped.
    pub async fn stop(&self) {
        let (done, finished) = oneshot::channel();
        self.send(move |state| state.stop(done));
        let _ = tokio::time::timeout(std::time::Duration::from_secs(2), finished).await;
    }

    /// Tells this window of changes from now on, instead of any other.
    pub fn attach_window(&self, window: Arc<dyn Window>) {
        self.send(move |state| state.attach_window(window));
    }

    /// Tells no window of changes, and closes all views.
    pub fn detach_window(&self) {
        self.send(State::detach_window);
    }

    /// Tells this tray of changes from now on.
    pub fn attach_tray(&self, tray: Arc<dyn Tray>) {
        self.send(move |state| state.attach_tray(tray));
    }

    /// The server that a link names, by its id or its name; `None` where there is none.
    pub async fn server_called(&self, called: &str) -> Option<String> {
        let called = called.to_owned();
        let found = self.request(move |state| state.server_called(&called)).await;
        found.ok().flatten()
    }

    /// Everything outside the lists, for whoever wants to look. It changes nothing.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn overview(&self) -> Result<Overview, UserError> {
        self.request(|state| state.overview()).await
    }

    /// The same, for the page, which is not told of it again before something in it changes.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn pull_overview(&self) -> Result<Overview, UserError> {
        self.request(State::pull_overview).await
    }

    /// The user's choices.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn preferences(&self) -> Result<Preferences, UserError> {
        self.request(|state| state.preferences.clone()).await
    }

    /// Opens a view; the number names it from now on.
    ///
    /// # Errors
    /// When what it looks at cannot be named, or too many views are open.
    pub async fn open_view(&self, spec: ViewSpec) -> Result<u32, UserError> {
        self.request(move |state| state.open_view(spec)).await?
    }

    /// The rows of a view from `first` on, at most 500.
    ///
    /// # Errors
    /// When there is no such view.
    pub async fn view_window(
        &self,
        view: u32,
        first: u64,
        count: u32,
    ) -> Result<ViewWindow, UserError> {
        match self.request(move |state| state.view_window(view, first, count)).await?? {
            Pull::Window(window) => Ok(*window),
            Pull::Log(pull) => {
                let read = move || pull.window(first, count.min(MAX_ROWS));
                blocking(move || read().map_err(|error| logview::unreadable(&error))).await
            }
        }
    }

    /// Closes a view; no error when there is none.
    pub async fn close_view(&self, view: u32) {
        let _ = self.request(move |state| state.close_view(view)).await;
    }

    /// What the user has in front of them, so that no popup tells them what they see.
    pub async fn looking_at(&self, focused: bool, job: Option<OpenJob>) {
        let _ = self.request(move |state| state.attend(focused, job)).await;
    }

    /// A popup was clicked: asks the window to show this job, or its log, and marks its notices as
    /// read.
    pub async fn open_job(&self, server: String, job: String, log: bool) {
        let _ = self.request(move |state| state.open_job(OpenJob { server, job }, log)).await;
    }

    /// Shows no more popups about jobs like this one: of its name, with its error, or in its queue.
    /// The settings list what is muted. Answers what was muted, so that it can be taken back.
    ///
    /// # Errors
    /// When it is not known any more or has nothing of the sort, and as
    /// [`Engine::set_preferences`].
    pub async fn mute(&self, what: MuteTarget, by: MuteBy) -> Result<Mute, UserError> {
        let mute = self.request(move |state| state.mute_of(&what, by)).await??;
        let patch = PreferencesPatch { mute: vec![mute.clone()], ..PreferencesPatch::default() };
        self.set_preferences(patch).await?;
        Ok(mute)
    }

    /// A popup has left the screen: the user closed it, or its time was over.
    pub fn popup_closed(&self, popup_id: u64) {
        self.send(move |state| state.notify(|own, _, _| own.closed(popup_id)));
    }

    /// An earlier run of the program left these popups on the screen, oldest first.
    pub fn popups_left(&self, popup_ids: Vec<u64>) {
        self.send(move |state| state.notify(|own, _, _| own.left(popup_ids)));
    }

    /// The desktop is set not to disturb, or no longer: popups wait until then.
    pub fn desktop_quiet(&self, quiet: bool) {
        self.send(move |state| {
            state.notify(|own, now, servers| own.set_desktop_dnd(quiet, now, servers));
        });
    }

    /// A popup that tells of several jobs was clicked: asks the window to show the notices.
    pub async fn open_notices(&self) {
        let _ = self.request(|state| state.views.ask_to_open(Wanted::Notices)).await;
    }

    /// Has the window say why what the user wanted cannot be shown.
    pub async fn open_nothing(&self, message: String) {
        let _ = self.request(|state| state.views.ask_to_open(Wanted::Nothing { message })).await;
    }

    /// The configured servers, in the user's order, without those of the demo.
    pub async fn servers(&self) -> Vec<Server> {
        self.request(|state| state.configured()).await.unwrap_or_default()
    }

    /// A server as the user would fill it in.
    ///
    /// # Errors
    /// When there is no such server.
    pub async fn server_draft(&self, id: &str) -> Result<ServerDraft, UserError> {
        let id = ServerId(id.to_owned());
        self.request(move |state| state.server_draft(&id)).await?
    }

    /// Saves a server, new or changed, and its key; answers its id. A key that is to be kept in
    /// the keyring is stored first: when that fails, nothing has been saved.
    ///
    /// # Errors
    /// When a field is wrong, the keyring refuses, or the settings cannot be written.
    pub async fn save_server(
        &self,
        draft: ServerDraft,
        change: KeyChange,
        typed: impl Into<Typed>,
    ) -> Result<String, UserError> {
        let typed = typed.into();
        draft_fields::check_files(&draft).await?;
        let checked = self.request(move |state| state.check_draft(&draft, change, typed)).await??;
        let id = checked.server.id.clone();
        let label = checked.server.name.clone();
        let mut before = None;
        if let Some(login) = checked.login() {
            self.remember_login(&id, &label, login).await?;
        }
        if let Some(key) = checked.to_store() {
            let old = match checked.base.is_none() {
                true => Ok(None),
                false => self.keyring.load(id.clone()).wait().await,
            };
            before = Some(match old {
                // What is stored cannot be read: that is no reason to refuse the new key.
                Ok(_) | Err(SecretsError::Failed(_) | SecretsError::Unreadable) => old,
                Err(error) => return Err(keyring_error(&error)),
            });
            let back = before.as_ref().and_then(|old| old.as_ref().ok().cloned().flatten());
            let stored = self.keyring.store(id.clone(), label.clone(), key, back).wait().await;
            stored.map_err(|error| UserError {
                code: ErrorCode::Keyring,
                message: unstored_message(&error),
            })?;
        }
        let keys = match change {
            KeyChange::Keep => Keys::new(),
            change => Keys::from([(id.clone(), (change, checked.key.clone()))]),
        };
        let saved = self.apply(Patch::Server(Box::new(checked.clone())), keys).await;
        if let Err(refused) = &saved {
            // The settings are as they were, so the keyring must be too. A server that was removed
            // meanwhile has left no key there.
            let removed = refused.code == ErrorCode::NotFound;
            let restored = match before {
                Some(Ok(Some(key))) if !removed => {
                    self.keyring.restore(id.clone(), label, key).wait().await
                }
                Some(Ok(_)) => self.keyring.delete(id.clone()).wait().await,
                Some(Err(_)) if removed => self.keyring.delete(id.clone()).wait().await,
                Some(Err(_)) | None => Ok(()),
            };
            if let Err(error) = restored {
                self.send(move |state| state.keyring_trouble(Some(keyring_message(&error))));
            }
        }
        let had_key = saved?.has_key(&id);
        self.send(move |state| state.draft_saved(&checked, had_key));
        Ok(id.0)
    }

    /// Removes a server with its key and everything remembered of it.
    ///
    /// # Errors
    /// When there is no such server, or the settings cannot be written.
    pub async fn remove_server(&self, id: &str) -> Result<(), UserError> {
        let id = ServerId(id.to_owned());
        let before = self.apply(Patch::Remove(id.clone()), Keys::new()).await?;
        let removed = id.clone();
        self.request(move |state| state.forget_server(&removed)).await?;
        if before.has_key(&id) {
            let login = crate::sign_in::login_id(&id);
            let forgotten = match self.keyring.delete(id).wait().await {
                Ok(()) => self.keyring.delete(login).wait().await,
                refused => refused,
            };
            if let Err(error) = forgotten {
                self.send(move |state| state.keyring_trouble(Some(keyring_message(&error))));
            }
        }
        Ok(())
    }

    /// Disconnects a server until it is resumed.
    ///
    /// # Errors
    /// When there is no such server, or the settings cannot be written.
    pub async fn pause_server(&self, id: &str) -> Result<(), UserError> {
        self.set_paused(ServerId(id.to_owned()), true).await
    }

    /// Connects a paused server again.
    ///
    /// # Errors
    /// When there is no such server, or the settings cannot be written.
    pub async fn resume_server(&self, id: &str) -> Result<(), UserError> {
        self.set_paused(ServerId(id.to_owned()), false).await
    }

    async fn set_paused(&self, id: ServerId, paused: bool) -> Result<(), UserError> {
        self.apply(Patch::Pause(id, paused), Keys::new()).await.map(drop)
    }

    /// Tries a server's socket at once; asks the keyring again where that stood in the way.
    ///
    /// # Errors
    /// When there is no such server, or it was paused and the settings cannot be written.
    pub async fn reconnect(&self, id: &str) -> Result<(), UserError> {
        let id = ServerId(id.to_owned());
        let asked = id.clone();
        if self.request(move |state| state.named(&asked).map(|of| of.server.paused)).await?? {
            return self.set_paused(id, false).await;
        }
        self.request(move |state| state.reconnect(&id)).await?
    }

    /// Watches a topic (`job:ID`, `queue:NAME`, `user:ID`, `all`), from now on and after restarts.
    ///
    /// # Errors
    /// When there is no such server, the topic cannot be read, or the settings cannot be written.
    pub async fn watch(&self, server: &str, topic: &str) -> Result<(), UserError> {
        self.set_watched(ServerId(server.to_owned()), topic, true).await
    }

    /// Watches a topic no longer.
    ///
    /// # Errors
    /// As [`Engine::watch`].
    pub async fn unwatch(&self, server: &str, topic: &str) -> Result<(), UserError> {
        self.set_watched(ServerId(server.to_owned()), topic, false).await
    }

    async fn set_watched(
        &self,
        server: ServerId,
        topic: &str,
        watched: bool,
    ) -> Result<(), UserError> {
        let topic =
            Topic::parse(topic).map_err(|error| draft_fields::invalid(error.to_string()))?;
        self.apply(Patch::Watch(server, topic, watched), Keys::new()).await.map(drop)
    }

    /// Asks the server to do something with a job, and waits for its answer.
    ///
    /// # Errors
    /// When there is no such job, or the server does not accept it, in the server's words.
    pub async fn act(&self, server: &str, job: &str, action: ActionKind) -> Result<(), UserError> {
        let (server, job) = (ServerId(server.to_owned()), job.to_owned());
        let (answer, answered) = oneshot::channel();
        self.send(move |state| state.act(&server, &job, action, answer));
        answered.await.unwrap_or_else(|_| {
            if self.commands.is_closed() {
                return Err(stopped());
            }
            // Who waited for the answer is gone with the connection.
            let message = "The server was changed, paused or removed before it answered, so it is \
                           not known whether it did this."
                .to_owned();
            Err(UserError { code: ErrorCode::Server, message })
        })
    }

    /// Marks notices as read or unread.
    pub async fn mark_read(&self, ids: Vec<i64>, read: bool) {
        let mark = move |state: &mut State| state.notify(|own, _, _| own.mark_read(ids, read));
        let _ = self.request(mark).await;
    }

    /// Marks all notices as read.
    pub async fn mark_all_read(&self) {
        let _ = self.request(|state| state.notify(|own, _, _| own.mark_all_read())).await;
    }

    /// Puts notices away.
    pub async fn dismiss(&self, ids: Vec<i64>) {
        let dismiss = move |state: &mut State| state.notify(|own, _, _| own.dismiss(ids, true));
        let _ = self.request(dismiss).await;
    }

    /// Brings dismissed notices back.
    pub async fn restore(&self, ids: Vec<i64>) {
        let restore = move |state: &mut State| state.notify(|own, _, _| own.dismiss(ids, false));
        let _ = self.request(restore).await;
    }

    /// Changes some of the user's choices and leaves the others as they are, whoever else changes
    /// those meanwhile.
    ///
    /// # Errors
    /// When the settings cannot be written; the choices hold until the program ends then.
    pub async fn set_preferences(
        &self,
        patch: impl Into<PreferencesPatch>,
    ) -> Result<(), UserError> {
        let patch = Patch::Preferences(Box::new(patch.into()));
        let first = patch.clone();
        let in_force = self.request(move |state| {
            let configuration = state.patched(&first)?;
            state.reconcile(configuration, Keys::new(), Known::new());
            Ok(())
        });
        in_force.await??;
        self.apply(patch, Keys::new()).await.map(drop)
    }

    /// Replaces the demo's servers; none turns the demo off. They are not saved in the settings;
    /// their history is kept.
    pub async fn set_demo(&self, servers: Vec<(Server, Option<Secret>)>) {
        let keys = servers
            .iter()
            .map(|(server, key)| (server.id.clone(), (KeyChange::Session, key.clone())));
        let keys = keys.collect();
        let servers = servers.into_iter().map(|(server, _)| server).collect();
        // Nothing but the end of the program is in the way of that.
        let _ = self.apply(Patch::Demo(servers), keys).await;
    }

    /// The desktop tells why popups cannot be shown, or that they can.
    pub fn report_notifications(&self, problem: Option<String>) {
        self.send(move |state| state.report_notifications(problem));
    }

    fn send(&self, what: impl FnOnce(&mut State) + Send + 'static) {
        // A loop that has stopped drops the message, and with it whatever waits for an answer.
        let _ = self.commands.send(Box::new(what));
    }

    async fn request<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut State) -> T + Send + 'static,
    ) -> Result<T, UserError> {
        let (answer, answered) = oneshot::channel();
        self.send(move |state| {
            let _ = answer.send(what(state));
        });
        answered.await.map_err(|_| stopped())
    }
}

fn stopped() -> UserError {
    UserError { code: ErrorCode::Internal, message: "Jobwatch is shutting down.".to_owned() }
}

pub(crate) fn keyring_error(error: &SecretsError) -> UserError {
    UserError { code: ErrorCode::Keyring, message: keyring_message(error) }
}

/// Jitter needs numbers that differ between machines, not ones that cannot be guessed.
fn rand_seed() -> u64 {
    let bytes = *uuid::Uuid::new_v4().as_bytes();
    let mut seed = [0; 8];
    seed.copy_from_slice(&bytes[8..]);
    u64::from_le_bytes(seed)
}

/// Runs what waits for files beside the runtime's threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, UserError> + Send + 'static,
) -> Result<T, UserError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        let message = format!("Reading failed: {error}.");
        Err(UserError { code: ErrorCode::Internal, message })
    })
}
