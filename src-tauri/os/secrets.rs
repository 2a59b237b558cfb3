//! Keys in the OS keyring: Secret Service on Linux, Keychain on macOS, Credential Manager on
//! Windows.
//!
//! One thread of our own makes every call, because a keyring may open a prompt that is never answered;
//! the caller waits for a limited time. A call whose caller has given up is skipped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jobwatch_core::secret::Secret;
use jobwatch_core::server::ServerId;
use jobwatch_engine::ports::{Secrets, SecretsError};
use keyring_core::Error;

/// The service of all keys; the user is the server's id.
pub const SERVICE: &str = "dev.jobwatch.desktop";

/// The time limit of a call: long enough to type a password.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// How many calls may wait behind one that shows a prompt.
const QUEUE: usize = 32;

type Call = Box<dyn FnOnce() + Send>;

/// The OS keyring.
#[derive(Debug)]
pub struct Keyring {
    worker: Mutex<Option<SyncSender<Call>>>,
    timeout: Duration,
}

impl Default for Keyring {
    fn default() -> Keyring {
        Keyring::with_timeout(CALL_TIMEOUT)
    }
}

impl Keyring {
    /// A keyring whose calls give up after `timeout`.
    #[must_use]
    pub fn with_timeout(timeout: Duration) -> Keyring {
        Keyring { worker: Mutex::new(None), timeout }
    }

    /// Runs `work` on the keyring's thread and waits for it.
    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, SecretsError> + Send + 'static,
    ) -> Result<T, SecretsError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let abandoned = Arc::new(AtomicBool::new(false));
        let gone = Arc::clone(&abandoned);
        let work: Call = Box::new(move || {
            if !gone.load(Ordering::Acquire) {
                // Fails only if the caller has given up.
                let _ = answer.send(work());
            }
        });
        match self.worker()?.try_send(work) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(SecretsError::Timeout),
            Err(TrySendError::Disconnected(_)) => {
                return Err(SecretsError::Failed("its thread has ended".to_owned()));
            }
        }
        answered.recv_timeout(self.timeout).unwrap_or_else(|error| {
            abandoned.store(true, Ordering::Release);
            Err(match error {
                RecvTimeoutError::Timeout => SecretsError::Timeout,
                RecvTimeoutError::Disconnected => {
                    SecretsError::Failed("the call was aborted".to_owned())
                }
            })
        })
    }

    fn worker(&self) -> Result<SyncSender<Call>, SecretsError> {
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*worker {
            return Ok(sender.clone());
        }
        let (sender, receiver): (SyncSender<Call>, Receiver<Call>) = mpsc::sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("keyring".to_owned())
            .spawn(move || {
                for work in receiver {
                    // A panic in a keyring library must not end the thread.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                }
            })
            .map_err(|error| {
                SecretsError::Failed(format!("could not start its thread: {error}"))
            })?;
        *worker = Some(sender.clone());
        Ok(sender)
    }
}

impl Secrets for Keyring {
    fn load(&self, server: &ServerId) -> Result<Option<Secret>, SecretsError> {
        let user = server.0.clone();
        self.call(move || {
            let entry = entry(&user, None)?;
            // First, since a locked Secret Service may answer as if it were empty, and the library's own
            // prompt does not tell dismissal from other failures.
            unlock()?;
            let mut unreadable = None;
            for entry in entries(&entry).map_err(|error| secrets_error(&error))? {
                match entry.get_password() {
                    Ok(key) => return Ok(Some(Secret::new(key))),
                    Err(Error::NoEntry) => {}
                    // Another entry may work.
                    Err(error) => {
                        unreadable.get_or_insert_with(|| secrets_error(&error));
                    }
                }
            }
            unreadable.map_or(Ok(None), Err)
        })
    }

    fn store(&self, server: &ServerId, label: &str, key: &Secret) -> Result<(), SecretsError> {
        let (user, label, key) = (server.0.clone(), label.to_owned(), key.clone());
        self.call(move || {
            let entry = entry(&user, Some(&label))?;
            unlock()?;
            let known = entries(&entry).map_err(|error| secrets_error(&error))?;
            let Some((first, others)) = known.split_first() else {
                return entry.set_password(key.expose()).map_err(|error| secrets_error(&error));
            };
            first.set_password(key.expose()).map_err(|error| secrets_error(&error))?;
            // A copy must not bring the old key back.
            for other in others {
                if let Err(error) = other.set_password(key.expose()) {
                    tracing::warn!(error = %secrets_error(&error), "could not update a copy of a key");
                }
            }
            Ok(())
        })
    }

    fn delete(&self, server: &ServerId) -> Result<(), SecretsError> {
        let user = server.0.clone();
        self.call(move || {
            let entry = entry(&user, None)?;
            unlock()?;
            let mut outcome = Ok(());
            for entry in entries(&entry).map_err(|error| secrets_error(&error))? {
                match entry.delete_credential() {
                    Ok(()) | Err(Error::NoEntry) => {}
                    Err(error) => outcome = Err(secrets_error(&error)),
                }
            }
            outcome
        })
    }
}

/// The entry of one server.
fn entry(user: &str, label: Option<&str>) -> Result<keyring_core::Entry, SecretsError> {
    connect()?;
    let label = label.map(|name| format!("Jobwatch key for {name}"));
    let modifiers: HashMap<&str, &str> =
        label.iter().filter(|_| LABELS).map(|label| ("label", label.as_str())).collect();
    keyring_core::Entry::new_with_modifiers(SERVICE, user, &modifiers)
        .map_err(|error| secrets_error(&error))
}

/// The keyring's matches for an entry, the preferred one first. There may be several after an import or
/// with two databases: those in the default collection come first, then the newest.
fn entries(entry: &keyring_core::Entry) -> Result<Vec<keyring_core::Entry>, Error> {
    match entry.get_credential() {
        Ok(found) => Ok(vec![found]),
        Err(Error::NoEntry) => Ok(Vec::new()),
        Err(Error::Ambiguous(found)) => Ok(by_rank(found)),
        Err(error) => Err(error),
    }
}

#[cfg(target_os = "linux")]
fn by_rank(entries: Vec<keyring_core::Entry>) -> Vec<keyring_core::Entry> {
    use zbus_secret_service_keyring_store::cred::Wrapper;
    let path_of = |entry: &keyring_core::Entry| {
        entry.as_any().downcast_ref::<Wrapper>().map(Wrapper::get_path).unwrap_or_default()
    };
    let mut ranks = secret_service::ranks(entries.iter().map(path_of).collect());
    let mut entries: Vec<_> = entries.into_iter().zip(ranks.drain(..)).collect();
    entries.sort_by_key(|(_, rank)| std::cmp::Reverse(*rank));
    entries.into_iter().map(|(entry, _)| entry).collect()
}

#[cfg(not(target_os = "linux"))]
fn by_rank(entries: Vec<keyring_core::Entry>) -> Vec<keyring_core::Entry> {
    entries
}

/// Whether the platform's store supports labels.
const LABELS: bool = cfg!(all(unix, not(target_os = "macos")));

/// Selects the platform's keyring. If there was none, every call looks again: the keyring may start
/// after the program.
fn connect() -> Result<(), SecretsError> {
    if keyring_core::get_default_store().is_some() {
        return Ok(());
    }
    // The library's choice, made once per process.
    let chosen = keyring::Entry::store_status();
    if keyring_core::get_default_store().is_some() {
        return Ok(());
    }
    if let Err(error) = chosen {
        tracing::info!(%error, "no keyring yet");
    }
    connect_again()
}

#[cfg(target_os = "linux")]
fn connect_again() -> Result<(), SecretsError> {
    let store = zbus_secret_service_keyring_store::Store::new().map_err(|error| {
        tracing::info!(%error, "no keyring");
        SecretsError::Missing
    })?;
    keyring_core::set_default_store(store);
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn connect_again() -> Result<(), SecretsError> {
    Err(SecretsError::Missing)
}

/// Converts a keyring error to the engine's type. Uses only kinds and texts that cannot hold a key:
/// some variants carry the stored bytes.
fn secrets_error(error: &Error) -> SecretsError {
    match error {
        Error::NoStorageAccess(_) => SecretsError::Locked,
        Error::NoDefaultStore => SecretsError::Missing,
        Error::PlatformFailure(cause) => {
            // The keyring may have stopped; the next call looks for it again.
            #[cfg(target_os = "linux")]
            keyring_core::unset_default_store();
            tracing::info!(%cause, "the keyring failed");
            SecretsError::Failed("it returned an error".to_owned())
        }
        Error::BadEncoding(_) | Error::BadDataFormat(..) => SecretsError::Unreadable,
        Error::TooLong(_, limit) => {
            SecretsError::Failed(format!("it takes at most {limit} characters"))
        }
        _ => SecretsError::Failed("it rejected the request".to_owned()),
    }
}

#[cfg(not(target_os = "linux"))]
fn unlock() -> Result<(), SecretsError> {
    Ok(())
}

/// Unlocks the default collection with the desktop's prompt, if it is locked.
#[cfg(target_os = "linux")]
fn unlock() -> Result<(), SecretsError> {
    secret_service::unlock().map_err(|error| {
        tracing::info!(%error, "could not unlock the keyring");
        match error {
            secret_service::UnlockError::Dismissed => SecretsError::Dismissed,
            secret_service::UnlockError::StillLocked => SecretsError::Locked,
            secret_service::UnlockError::Bus(error) => {
                // The keyring may have stopped; the next call looks for it again.
                keyring_core::unset_default_store();
                tracing::info!(%error, "cannot reach the keyring");
                SecretsError::Failed("it cannot be reached".to_owned())
            }
        }
    })
}

#[cfg(target_os = "linux")]
mod secret_service {
    use futures_util::StreamExt;
    use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, OwnedVariant};

    const NAME: &str = "org.freedesktop.secrets";
    const PATH: &str = "/org/freedesktop/secrets";
    const SERVICE: &str = "org.freedesktop.Secret.Service";

    #[derive(Debug, thiserror::Error)]
    pub enum UnlockError {
        #[error("the prompt was dismissed or could not be shown")]
        Dismissed,
        #[error("it stayed locked without showing a prompt")]
        StillLocked,
        #[error(transparent)]
        Bus(#[from] zbus::Error),
    }

    impl From<zbus::fdo::Error> for UnlockError {
        fn from(error: zbus::fdo::Error) -> UnlockError {
            UnlockError::Bus(error.into())
        }
    }

    pub fn unlock() -> Result<(), UnlockError> {
        runtime()?.block_on(unlock_default())
    }

    fn runtime() -> Result<tokio::runtime::Runtime, zbus::Error> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| zbus::Error::InputOutput(error.into()))
    }

    /// The rank of each item: whether it is in the default collection, and its modification time in
    /// seconds since 1970.
    pub fn ranks(items: Vec<String>) -> Vec<(bool, u64)> {
        let all = async {
            let bus = Connection::session().await?;
            let default = default_collection(&bus).await?;
            let within = format!("{}/", default.as_str());
            let mut ranks = Vec::new();
            for item in &items {
                let modified = property(&bus, item, "org.freedesktop.Secret.Item", "Modified");
                let modified = modified.await.ok().and_then(|value| u64::try_from(value).ok());
                ranks.push((item.starts_with(&within), modified.unwrap_or(0)));
            }
            Ok::<_, zbus::Error>(ranks)
        };
        let ranks = runtime().and_then(|runtime| runtime.block_on(all));
        ranks.unwrap_or_else(|error| {
            tracing::info!(%error, "cannot rank the copies of a key");
            vec![(false, 0); items.len()]
        })
    }

    async fn default_collection(bus: &Connection) -> Result<OwnedObjectPath, zbus::Error> {
        let reply =
            bus.call_method(Some(NAME), PATH, Some(SERVICE), "ReadAlias", &"default").await?;
        reply.body().deserialize()
    }

    async fn property(
        bus: &Connection,
        path: &str,
        interface: &str,
        name: &str,
    ) -> Result<OwnedVariant, zbus::Error> {
        const PROPERTIES: Option<&str> = Some("org.freedesktop.DBus.Properties");
        let reply =
            bus.call_method(Some(NAME), path, PROPERTIES, "Get", &(interface, name)).await?;
        reply.body().deserialize()
    }

    async fn unlock_default() -> Result<(), UnlockError> {
        let bus = Connection::session().await?;
        let collection = default_collection(&bus).await?;
        // "/": there is no default collection yet, so nothing is locked.
        if collection.as_str() == "/" || !locked(&bus, &collection).await? {
            return Ok(());
        }
        let reply =
            bus.call_method(Some(NAME), PATH, Some(SERVICE), "Unlock", &vec![&collection]).await?;
        let (_, prompt): (Vec<OwnedObjectPath>, OwnedObjectPath) = reply.body().deserialize()?;
        let prompted = prompt.as_str() != "/";
        if prompted && !answered(&bus, &prompt).await? {
            return Err(UnlockError::Dismissed);
        }
        match locked(&bus, &collection).await? {
            false => Ok(()),
            // Some keyrings report a dismissed prompt as answered.
            true if prompted => Err(UnlockError::Dismissed),
            true => Err(UnlockError::StillLocked),
        }
    }

    async fn locked(bus: &Connection, collection: &OwnedObjectPath) -> Result<bool, UnlockError> {
        let interface = "org.freedesktop.Secret.Collection";
        let value = property(bus, collection.as_str(), interface, "Locked").await?;
        Ok(bool::try_from(value).unwrap_or(false))
    }

    /// Shows the prompt and waits for the user's answer; `false` if dismissed.
    async fn answered(bus: &Connection, prompt: &OwnedObjectPath) -> Result<bool, UnlockError> {
        const PROMPT: &str = "org.freedesktop.Secret.Prompt";
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .interface(PROMPT)
            .member("Completed")
            .path(prompt.as_str())
            .build()?;
        let mut completed = MessageStream::for_match_rule(rule, bus, None).await?;
        bus.call_method(Some(NAME), prompt, Some(PROMPT), "Prompt", &"").await?;
        match completed.next().await {
            Some(signal) => {
                let (dismissed, _): (bool, OwnedVariant) = signal?.body().deserialize()?;
                Ok(!dismissed)
            }
            None => Ok(false),
        }
    }
}
