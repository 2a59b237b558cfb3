//! Keys in the OS keyring: Secret Service on Linux, Keychain on macOS, Credential Manager on
//! Windows.
//!
//! Every call is made by one thread of our own, because a keyring may open a prompt that nobody
//! ever answers; the caller waits a bounded time. A call whose caller has gone is not made.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jobwatch_core::secret::Secret;
use jobwatch_core::server::ServerId;
use jobwatch_engine::ports::{Secrets, SecretsError};
use keyring_core::Error;

/// The service all keys are stored under; the user part is the server's id.
pub const SERVICE: &str = "dev.jobwatch.desktop";

/// How long a call may take: long enough to type a password into a prompt.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// Calls that may wait behind one that hangs in a prompt.
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
                // The receiver may have given up meanwhile; then nobody wants the answer.
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
                    // A panic inside a keyring library must not take the thread down with it.
                    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
                }
            })
            .map_err(|error| SecretsError::Failed(format!("no thread for it: {error}")))?;
        *worker = Some(sender.clone());
        Ok(sender)
    }
}

impl Secrets for Keyring {
    fn load(&self, server: &ServerId) -> Result<Option<Secret>, SecretsError> {
        let user = server.0.clone();
        self.call(move || {
            let entry = entry(&user, None)?;
            // First, since a locked Secret Service may answer as if nothing were stored, and since
            // the library's own prompt does not tell a dismissed one from any other refusal.
            unlock()?;
            let mut unreadable = None;
            for entry in entries(&entry).map_err(|error| secrets_error(&error))? {
                match entry.get_password() {
                    Ok(key) => return Ok(Some(Secret::new(key))),
                    Err(Error::NoEntry) => {}
                    // Another of them may do.
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
            // The old key is not to come back with a copy of it, wherever that lies.
            for other in others {
                if let Err(error) = other.set_password(key.expose()) {
                    tracing::warn!(error = %secrets_error(&error), "a second copy of a key stays as it was");
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

/// The entry of one server, once there is a keyring.
fn entry(user: &str, label: Option<&str>) -> Result<keyring_core::Entry, SecretsError> {
    connect()?;
    let label = label.map(|name| format!("Jobwatch key for {name}"));
    let modifiers: HashMap<&str, &str> =
        label.iter().filter(|_| LABELS).map(|label| ("label", label.as_str())).collect();
    keyring_core::Entry::new_with_modifiers(SERVICE, user, &modifiers)
        .map_err(|error| secrets_error(&error))
}

/// What the keyring holds for an entry, the one to use first: none, one, or several where items were
/// imported, copied or kept in two databases. The default collection's come first, then the newest.
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

/// Whether the platform's store lets an entry have a label of its own.
const LABELS: bool = cfg!(all(unix, not(target_os = "macos")));

/// Chooses the platform's keyring. Where there was none at first, every call looks again: a
/// session may get its keyring after the program has started.
fn connect() -> Result<(), SecretsError> {
    if keyring_core::get_default_store().is_some() {
        return Ok(());
    }
    // The platform's own choice, made once per process.
    let chosen = keyring::Entry::store_status();
    if keyring_core::get_default_store().is_some() {
        return Ok(());
    }
    if let Err(error) = chosen {
        tracing::info!(%error, "no keyring at first");
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

/// The keyring's error in the engine's words. Only kinds and texts that cannot hold a key are used:
/// some variants carry the stored bytes.
fn secrets_error(error: &Error) -> SecretsError {
    match error {
        Error::NoStorageAccess(_) => SecretsError::Locked,
        Error::NoDefaultStore => SecretsError::Missing,
        Error::PlatformFailure(cause) => {
            // The keyring may have gone away; the next call looks for it again.
            #[cfg(target_os = "linux")]
            keyring_core::unset_default_store();
            tracing::info!(%cause, "the keyring failed");
            SecretsError::Failed("it did not do what was asked".to_owned())
        }
        Error::BadEncoding(_) | Error::BadDataFormat(..) => SecretsError::Unreadable,
        Error::TooLong(_, limit) => {
            SecretsError::Failed(format!("it takes at most {limit} characters"))
        }
        _ => SecretsError::Failed("it does not accept this request".to_owned()),
    }
}

#[cfg(not(target_os = "linux"))]
fn unlock() -> Result<(), SecretsError> {
    Ok(())
}

/// Unlocks the default collection where it is locked, with the desktop's own prompt.
#[cfg(target_os = "linux")]
fn unlock() -> Result<(), SecretsError> {
    secret_service::unlock().map_err(|error| {
        tracing::info!(%error, "the keyring could not be unlocked");
        match error {
            secret_service::UnlockError::Dismissed => SecretsError::Dismissed,
            secret_service::UnlockError::StillLocked => SecretsError::Locked,
            secret_service::UnlockError::Bus(error) => {
                // The keyring may have gone away; the next call looks for it again.
                keyring_core::unset_default_store();
                tracing::info!(%error, "the keyring cannot be reached");
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
        #[error("it stays locked, and shows no prompt")]
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

    /// How much each item speaks for itself: whether it is in the default collection, and when it was
    /// changed last, in seconds since 1970.
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
            tracing::info!(%error, "copies of a key cannot be told apart");
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
        // "/" means that there is no default collection yet: nothing is locked.
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
            // Some keyrings say of a dismissed prompt that it was answered.
            true if prompted => Err(UnlockError::Dismissed),
            true => Err(UnlockError::StillLocked),
        }
    }

    async fn locked(bus: &Connection, collection: &OwnedObjectPath) -> Result<bool, UnlockError> {
        let interface = "org.freedesktop.Secret.Collection";
        let value = property(bus, collection.as_str(), interface, "Locked").await?;
        Ok(bool::try_from(value).unwrap_or(false))
    }

    /// Shows the prompt and waits until the user has answered it; `false` when dismissed.
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
