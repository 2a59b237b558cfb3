//! The keyring's own thread. Its calls block and may wait for a prompt that nobody answers, so
//! they are made one after another, away from everything else, and each is waited for only so long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use jobwatch_core::secret::Secret;
use jobwatch_core::server::ServerId;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::ports::{Secrets, SecretsError};

/// How long the keyring may take before the user is told that it does not answer.
pub const KEYRING_TIMEOUT: Duration = Duration::from_secs(10);

type Call = Box<dyn FnOnce(&dyn Secrets) + Send>;

/// The engine's end of the keyring thread; cheap to clone.
#[derive(Clone, Debug)]
pub struct Keyring {
    calls: Option<std::sync::mpsc::Sender<Call>>,
}

/// An answer that is on its way.
#[derive(Debug)]
pub struct Pending<T> {
    answer: oneshot::Receiver<Result<T, SecretsError>>,
}

impl<T> Pending<T> {
    /// Waits for at most [`KEYRING_TIMEOUT`]; may be called again after a timeout, since the
    /// answer comes when the user has seen to the prompt.
    ///
    /// # Errors
    /// See [`SecretsError`].
    pub async fn wait(&mut self) -> Result<T, SecretsError> {
        match timeout(KEYRING_TIMEOUT, &mut self.answer).await {
            Ok(answer) => answer.unwrap_or(Err(SecretsError::Missing)),
            Err(_) => Err(SecretsError::Timeout),
        }
    }

    /// Waits for as long as it takes.
    ///
    /// # Errors
    /// See [`SecretsError`].
    pub async fn wait_on(self) -> Result<T, SecretsError> {
        self.answer.await.unwrap_or(Err(SecretsError::Missing))
    }
}

/// Whether a key is to be stored: nobody has decided yet,
const OPEN: u8 = 0;
/// it is,
const STORED: u8 = 1;
/// or it is not wanted any more.
const ABANDONED: u8 = 2;

/// A key that is being stored.
#[derive(Debug)]
pub struct Storing {
    pending: Pending<()>,
    fate: Arc<AtomicU8>,
}

impl Storing {
    /// Waits for at most [`KEYRING_TIMEOUT`]. A key that is not stored by then is not stored later
    /// either, whatever becomes of the prompt.
    ///
    /// # Errors
    /// See [`SecretsError`].
    pub async fn wait(mut self) -> Result<(), SecretsError> {
        match self.pending.wait().await {
            Err(SecretsError::Timeout) if decide(&self.fate, ABANDONED) => {
                Err(SecretsError::Timeout)
            }
            // It was stored in the last moment: the answer is on its way.
            Err(SecretsError::Timeout) => self.pending.wait_on().await,
            answer => answer,
        }
    }
}

/// Decides the fate of a key; answers whether it was still to be decided.
fn decide(fate: &AtomicU8, what: u8) -> bool {
    fate.compare_exchange(OPEN, what, Ordering::SeqCst, Ordering::SeqCst).is_ok()
}

impl Keyring {
    /// Starts the thread; without `secrets` every call answers [`SecretsError::Missing`].
    #[must_use]
    pub fn start(secrets: Option<Arc<dyn Secrets>>) -> Keyring {
        let Some(secrets) = secrets else { return Keyring { calls: None } };
        let (calls, taken) = std::sync::mpsc::channel::<Call>();
        // Not joined: a call that waits for a prompt must not hold up the end of the program.
        let thread = std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
            for call in taken {
                call(&*secrets);
            }
        });
        Keyring { calls: thread.is_ok().then_some(calls) }
    }

    /// Asks for a server's key.
    #[must_use]
    pub fn load(&self, server: ServerId) -> Pending<Option<Secret>> {
        self.call(move |secrets| secrets.load(&server))
    }

    /// Stores a server's key in the place of `before`, which comes back if nobody waits any more
    /// when it is stored.
    #[must_use]
    pub fn store(
        &self,
        server: ServerId,
        label: String,
        key: Secret,
        before: Option<Secret>,
    ) -> Storing {
        let fate = Arc::new(AtomicU8::new(OPEN));
        let decided = Arc::clone(&fate);
        let pending = self.call(move |secrets| {
            if decided.load(Ordering::SeqCst) == ABANDONED {
                return Err(SecretsError::Timeout);
            }
            secrets.store(&server, &label, &key)?;
            if decide(&decided, STORED) {
                return Ok(());
            }
            // Within the same call, so that no later one is undone.
            let undone = match &before {
                Some(before) => secrets.store(&server, &label, before),
                None => secrets.delete(&server),
            };
            if let Err(error) = undone {
                tracing::warn!(%server, %error, "a key that nobody waited for stays in the keyring");
            }
            Err(SecretsError::Timeout)
        });
        Storing { pending, fate }
    }

    /// Puts a key back in its place, however long that takes.
    #[must_use]
    pub fn restore(&self, server: ServerId, label: String, key: Secret) -> Pending<()> {
        self.call(move |secrets| secrets.store(&server, &label, &key))
    }

    /// Forgets a server's key.
    #[must_use]
    pub fn delete(&self, server: ServerId) -> Pending<()> {
        self.call(move |secrets| secrets.delete(&server))
    }

    fn call<T: Send + 'static>(
        &self,
        what: impl FnOnce(&dyn Secrets) -> Result<T, SecretsError> + Send + 'static,
    ) -> Pending<T> {
        let (answer, pending) = oneshot::channel();
        if let Some(calls) = &self.calls {
            // A thread that is gone drops the sender, which reads as a missing keyring.
            let _ = calls.send(Box::new(move |secrets| {
                let _ = answer.send(what(secrets));
            }));
        }
        Pending { answer: pending }
    }
}

/// What the user is told when a key could not be stored.
#[must_use]
pub fn unstored_message(error: &SecretsError) -> String {
    match error {
        SecretsError::Timeout => "The keyring does not answer; it may be showing a prompt. Nothing \
             was saved, and nothing will be by answering it now: answer it and save again, or enter \
             the key for this session only."
            .to_owned(),
        error => keyring_message(error),
    }
}

/// What the user is told where the keyring answers and has no key for these servers.
#[must_use]
pub fn missing_key_message(names: &[&str]) -> String {
    const NAMED: usize = 3;
    let quoted = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| format!("\"{name}\"")).collect()
    };
    let (keys, servers) = match names {
        [name] => ("key", format!("\"{name}\"")),
        [first @ .., last] if names.len() <= NAMED => {
            ("keys", format!("{} and \"{last}\"", quoted(first).join(", ")))
        }
        _ => ("keys", format!("{} servers", names.len())),
    };
    format!(
        "The keyring has no {keys} for {servers}, or is locked. Unlock it and reconnect, or enter \
         the {keys} again."
    )
}

/// What the user is told when a key could not be had.
#[must_use]
pub fn keyring_message(error: &SecretsError) -> String {
    match error {
        SecretsError::Missing => "There is no keyring in this session, so keys cannot be kept. \
             Enter the key for this session only, or start a keyring such as GNOME Keyring or \
             KWallet and restart Jobwatch."
            .to_owned(),
        SecretsError::Locked => "The keyring is locked. Unlock it and reconnect, or enter the \
             key for this session only."
            .to_owned(),
        SecretsError::Dismissed => {
            "The keyring's prompt was dismissed, or could not be shown. Try \
             again to be asked once more, or enter the key for this session only."
                .to_owned()
        }
        SecretsError::Timeout => "The keyring does not answer; it may be showing a prompt. \
             Answer it, or enter the key for this session only."
            .to_owned(),
        SecretsError::Unreadable => {
            "What the keyring holds for this server is not a key: it is not \
             text. Enter the key again to replace it."
                .to_owned()
        }
        SecretsError::Failed(words) => format!(
            "The keyring failed: {words}. Enter the key for this session only, or try again."
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A keyring that waits for a prompt before each store.
    struct Prompting {
        keys: Mutex<HashMap<String, String>>,
        answers: Mutex<Receiver<()>>,
        asked: Sender<()>,
    }

    impl Secrets for Arc<Prompting> {
        fn load(&self, server: &ServerId) -> Result<Option<Secret>, SecretsError> {
            Ok(self.keys.lock().unwrap().get(&server.0).cloned().map(Secret::new))
        }

        fn store(&self, server: &ServerId, _: &str, key: &Secret) -> Result<(), SecretsError> {
            let _ = self.asked.send(());
            if self.answers.lock().unwrap().recv().is_err() {
                return Err(SecretsError::Dismissed);
            }
            self.keys.lock().unwrap().insert(server.0.clone(), key.expose().to_owned());
            Ok(())
        }

        fn delete(&self, server: &ServerId) -> Result<(), SecretsError> {
            self.keys.lock().unwrap().remove(&server.0);
            Ok(())
        }
    }

    struct Scene {
        secrets: Arc<Prompting>,
        keyring: Keyring,
        answer: Sender<()>,
        asked: Receiver<()>,
    }

    fn scene() -> Scene {
        let ((answer, answers), (asks, asked)) = (channel(), channel());
        let answers = Mutex::new(answers);
        let secrets = Arc::new(Prompting { keys: Mutex::default(), answers, asked: asks });
        let keyring = Keyring::start(Some(Arc::new(Arc::clone(&secrets))));
        Scene { secrets, keyring, answer, asked }
    }

    fn id() -> ServerId {
        ServerId("s".to_owned())
    }

    impl Scene {
        /// Tries to store a key whose prompt is not answered in time.
        async fn store_late(&self, text: &str, before: Option<Secret>) {
            let storing = self.keyring.store(id(), "S".to_owned(), key(text), before);
            self.asked.recv().unwrap();
            assert_eq!(storing.wait().await, Err(SecretsError::Timeout));
        }

        fn answer(&self) {
            self.answer.send(()).unwrap();
        }

        /// What is stored once all calls so far have ended.
        async fn stored(&self) -> Option<Secret> {
            self.keyring.load(id()).wait_on().await.unwrap()
        }
    }

    fn key(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_was_not_stored_in_time_is_not_stored_later() {
        let scene = scene();
        scene.store_late("late", None).await;
        scene.answer();
        assert_eq!(scene.stored().await, None);
        scene.store_late("late", Some(key("before"))).await;
        scene.answer();
        scene.answer();
        assert_eq!(scene.stored().await, Some(key("before")));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_user_stores_meanwhile_is_not_undone_with_what_came_too_late() {
        let scene = scene();
        scene.store_late("late", None).await;
        let wanted = scene.keyring.store(id(), "S".to_owned(), key("wanted"), None);
        scene.answer();
        scene.answer();
        assert_eq!(wanted.pending.wait_on().await, Ok(()));
        assert_eq!(scene.stored().await, Some(key("wanted")));
        assert_eq!(scene.secrets.keys.lock().unwrap().len(), 1);
    }
}
